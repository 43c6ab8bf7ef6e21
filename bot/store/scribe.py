"""Events as rows: what the journal has collected, written down.

Rows are made when they are written, not when the event is told: a store in memory writes when somebody asks it (`Store.open`).
The rule: the rows do not depend on when they are written, only on what was told and in which order.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from bot.events import CancelRequest, Command, Fill, FundingPaid, OrderRequest, OrderUpdate, Purpose, Refusal, StateChanged, Status
from bot.orders import STOP_SUFFIX, TAKE_SUFFIX
from bot.store.chain import GENESIS, LINKED, Row, Value, decision_row, link, link_input, names_text, number
from bot.store.pages import Leaf
from bot.store.payload import payload
from bot.store.stretches import Stretches
from feeds.events import Event, FeedStatus
from strategies.events import Decision

# A stop or take-profit comes alive with its entry's fill, without a request of its own: its row is made from that of the entry.
_LEVEL = f"CASE ?3 WHEN '{Purpose.STOP_LOSS}' THEN stop ELSE take END"
_ATTACHED = (
    "INSERT OR IGNORE INTO orders SELECT run, ?4, ?5, ?6, ?7, symbol, CASE side WHEN 'BUY' THEN 'SELL' ELSE 'BUY' END, 'STOP', quantity,"
    f" ?3, 1, bar_ms, {_LEVEL}, NULL, {_LEVEL}, 0, NULL, NULL, '{Status.OPEN}', '0', ?6, '' FROM orders WHERE run = ?1 AND id = ?2"
)
_PURPOSE = {STOP_SUFFIX: Purpose.STOP_LOSS.value, TAKE_SUFFIX: Purpose.TAKE_PROFIT.value}
_OPEN = Status.OPEN.value
_SYMBOL, _SIDE, _QUANTITY, _BAR, _STOP, _TAKE = 5, 6, 8, 11, 16, 17  # columns of orders
_INSERT = {
    "events": "INSERT INTO events VALUES (?,?,?,?,?,?,?)",
    "signals": "INSERT INTO signals VALUES (?,?,?)",
    "decisions": f"INSERT INTO decisions (run, {', '.join(LINKED)}, chain, signals) VALUES ({', '.join('?' * (len(LINKED) + 3))})",
    "orders": f"INSERT INTO orders VALUES ({', '.join('?' * 22)})",
    "updates": "INSERT INTO updates VALUES (?,?,?,?,?,?,?,?,?)",
    "attached": _ATTACHED,
    "status": "UPDATE orders SET status = ?, filled = ?, updated_ms = ?, detail = ? WHERE run = ? AND id = ?",
    "cancels": "INSERT INTO cancels VALUES (?,?,?,?,?,?,?)",
    "fills": "INSERT INTO fills VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (run, exec_id) DO NOTHING",
    "funding": "INSERT INTO funding VALUES (?,?,?,?,?,?,?,?,?,?)",
    "refusals": "INSERT INTO refusals VALUES (?,?,?,?,?,?,?,?,?)",
    "states": "INSERT INTO states VALUES (?,?,?,?,?,?,?)",
    "equity": "INSERT OR REPLACE INTO equity VALUES (?,?,?,?,?,?)",
    "feeds": "INSERT INTO feeds VALUES (?,?,?,?,?,?) ON CONFLICT (run, feed) DO UPDATE"
    " SET at = excluded.at, up = excluded.up, detail = excluded.detail, gap = feeds.gap + excluded.gap",
    "commands": "UPDATE commands SET done_at = ?, run = ?, outcome = 'obeyed' WHERE id = ?",
    "ends": "UPDATE runs SET state = ?, ended_ms = ?, digest = ?, chain = ?, summary = ? WHERE id = ?",
}  # in the order in which they are written


class Input(NamedTuple):
    """An event that entered, to be stored whole."""

    event: Event


class Equity(NamedTuple):
    """What the account was worth at bar closes: (bar_ms, equity, cash, gross, net)."""

    rows: Sequence[tuple[int, float, float, float, float]]


class Close(NamedTuple):
    """No more decisions: open stretches become rows."""


class End(NamedTuple):
    """The run is over."""

    state: str
    ended_ms: int
    digest: str
    summary: str | None


Told = Event | Leaf | Input | Equity | Close | End
Entry = tuple[int, int, Told]  # number, number of the cause, what was told


class Scribe:
    """Makes the rows of one run. `chain`, `inputs`: the last links of its decisions and of its inputs.

    merge_repeats  decisions that repeat themselves without consequence become one row
    """

    def __init__(self, run: str, merge_repeats: bool) -> None:
        self.run = run
        self.chain = self.inputs = GENESIS
        self.signals: dict[tuple[str, ...], tuple[int, bytes]] = {}
        self._rows: dict[str, list[Sequence[Value]]] = {table: [] for table in _INSERT}
        self._decisions = self._rows["decisions"]
        self._asked: dict[str, list[Value]] = {}  # rows of orders that are not written yet, by id
        self._stretches = Stretches(self._link) if merge_repeats else None
        self._kinds: dict[type[Any], Callable[..., None]] = {
            Decision: self._decision, OrderRequest: self._order, OrderUpdate: self._update, CancelRequest: self._cancel, Fill: self._fill,
            FundingPaid: self._funding, Refusal: self._refusal, StateChanged: self._state, FeedStatus: self._feed, Command: self._command,
            Leaf: self._leaf, Input: self._input, Equity: self._equity, Close: self._close, End: self._end,
        }  # fmt: skip

    def tables(self) -> frozenset[type[Event]]:
        """The kinds of events that have a table of their own."""
        return frozenset(kind for kind in self._kinds if issubclass(kind, Event))

    def write(self, conn: sqlite3.Connection, entries: Iterable[Entry]) -> None:
        """Make the rows of these entries and write them."""
        kinds = self._kinds
        for seq, cause, told in entries:
            kinds[type(told)](told, seq, cause)
        for table, rows in self._rows.items():
            if rows:
                conn.executemany(_INSERT[table], rows)
                rows.clear()
        self._asked.clear()

    def _input(self, told: Input, seq: int, cause: int) -> None:
        event, text = told.event, payload(told.event)
        self.inputs = link_input(self.inputs, seq, text)
        self._rows["events"].append((self.run, seq, 0, event.at, type(event).__name__, text, self.inputs))

    def _equity(self, told: Equity, seq: int, cause: int) -> None:
        run = self.run
        self._rows["equity"].extend((run, bar_ms, *map(number, values)) for bar_ms, *values in told.rows)

    def _leaf(self, leaf: Leaf, seq: int, cause: int) -> None:
        assert self._stretches is not None, "pages need a journal that merges repeats"
        rows, still = leaf.rows(self._stretches.take())
        self._link_all(rows, leaf.names)
        self._stretches.give(still)

    def _close(self, told: Close, seq: int, cause: int) -> None:
        if self._stretches is not None:
            self._stretches.close()

    def _end(self, end: End, seq: int, cause: int) -> None:
        self._rows["ends"].append((end.state, end.ended_ms, end.digest, self.chain.hex(), end.summary, self.run))

    def _decision(self, decision: Decision, seq: int, cause: int) -> None:
        if self._stretches is not None:
            self._stretches.add(seq, cause, decision)
        else:
            self._link(decision_row(seq, cause, decision), tuple(part.name for part in decision.contributions))

    def _followed(self, cause: int) -> None:
        if self._stretches is not None:
            self._stretches.consequence(cause)

    def _link(self, row: Row, names: tuple[str, ...]) -> None:
        self._link_all((row,), names)

    def _link_all(self, rows: Iterable[Row], names: tuple[str, ...]) -> None:
        signals, text = self.signals.get(names) or self._name(names)
        run, chain, keep = self.run, self.chain, self._decisions.append
        for row in rows:
            chain = link(chain, row, text)
            keep((run, *row, chain, signals))
        self.chain = chain

    def _name(self, names: tuple[str, ...]) -> tuple[int, bytes]:
        """Number and text of a set of signals that this run has not had before."""
        text = names_text(names)
        self.signals[names] = found = len(self.signals) + 1, text.encode()
        self._rows["signals"].append((self.run, found[0], text))
        return found

    def _order(self, order: OrderRequest, seq: int, cause: int) -> None:
        self._followed(cause)
        row = self._asked[order.id] = [
            self.run, seq, cause, order.at, order.id, order.symbol, order.side._value_, order.type._value_, str(order.quantity),
            order.purpose._value_, int(order.reduce_only), order.bar_ms, str(order.reference), _text(order.price), _text(order.trigger),
            int(order.post_only), _text(order.stop), _text(order.take), Status.INTENT.value, "0", order.at, "",
        ]  # fmt: skip
        self._rows["orders"].append(row)

    def _update(self, update: OrderUpdate, seq: int, cause: int) -> None:
        id, at, status, filled = update.id, update.at, update.status._value_, str(update.filled)
        self._rows["updates"].append((self.run, seq, cause, at, id, update.symbol, status, filled, update.reason))
        row = self._asked.get(id)
        if row is None and status == _OPEN and id[-1:] in _PURPOSE:
            row = self._attach(id, seq, cause, at)
        if row is None:
            self._rows["status"].append((status, filled, at, update.reason, self.run, id))
        else:
            row[-4:] = status, filled, at, update.reason

    def _attach(self, id: str, seq: int, cause: int, at: int) -> list[Value] | None:
        """The row of a stop or take-profit that comes alive; None where its entry's is written already, and SQLite makes it."""
        parent, purpose = self._asked.get(id[:-1]), _PURPOSE[id[-1:]]
        if parent is None:
            self._rows["attached"].append((self.run, id[:-1], purpose, seq, cause, at, id))
            return None
        level = parent[_STOP if purpose == Purpose.STOP_LOSS else _TAKE]
        if level is None:
            return None
        row = self._asked[id] = [
            self.run, seq, cause, at, id, parent[_SYMBOL], "SELL" if parent[_SIDE] == "BUY" else "BUY", "STOP", parent[_QUANTITY], purpose,
            1, parent[_BAR], level, None, level, 0, None, None, _OPEN, "0", at, "",
        ]  # fmt: skip
        self._rows["orders"].append(row)
        return row

    def _cancel(self, cancel: CancelRequest, seq: int, cause: int) -> None:
        self._followed(cause)
        self._rows["cancels"].append((self.run, seq, cause, cancel.at, cancel.symbol, cancel.id, cancel.reason))

    def _fill(self, fill: Fill, seq: int, cause: int) -> None:
        self._rows["fills"].append((
            self.run, seq, cause, fill.at, fill.exec_id, fill.order_id, fill.symbol, fill.side._value_, str(fill.price), str(fill.quantity),
            str(fill.fee), int(fill.maker), fill.filled_ms, fill.purpose._value_, str(fill.slippage),
        ))  # fmt: skip

    def _funding(self, paid: FundingPaid, seq: int, cause: int) -> None:
        self._rows["funding"].append((
            self.run, seq, cause, paid.at, paid.symbol, paid.settle_ms, number(paid.rate), str(paid.quantity), str(paid.mark),
            str(paid.payment),
        ))  # fmt: skip

    def _refusal(self, refusal: Refusal, seq: int, cause: int) -> None:
        self._followed(cause)
        self._rows["refusals"].append((
            self.run, seq, cause, refusal.at, refusal.symbol, refusal.bar_ms, refusal.purpose.value, refusal.code.value, refusal.detail,
        ))  # fmt: skip

    def _state(self, moved: StateChanged, seq: int, cause: int) -> None:
        self._rows["states"].append((self.run, seq, cause, moved.at, moved.state.value, moved.by, moved.reason))

    def _feed(self, status: FeedStatus, seq: int, cause: int) -> None:
        self._rows["feeds"].append((self.run, status.feed, status.at, int(status.up), status.detail, status.gap))

    def _command(self, command: Command, seq: int, cause: int) -> None:
        self._rows["commands"].append((command.at, self.run, command.id))


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
