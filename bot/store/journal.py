"""The journal: every event gets a number and the number of its cause, and what must last gets a row.

What enters the session has no cause (0). A journal that keeps inputs stores those events whole, so that the run can be had again;
a replay can read its inputs from their files, so it only numbers them. What follows from them has a table for each kind.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from bot.events import CancelRequest, Command, Fill, FundingPaid, OrderRequest, OrderUpdate, Purpose, Refusal, StateChanged, Status
from bot.orders import STOP_SUFFIX, TAKE_SUFFIX
from bot.store.chain import GENESIS, LINKED, NAMES, Row, Value, decision_row, link, link_input, names_text, number
from bot.store.pages import Page, Passed
from bot.store.payload import payload
from bot.store.rows import names_of, read_decision
from bot.store.runs import Place, last_link, reopen
from bot.store.store import Store
from bot.store.stretches import Stretches
from feeds.events import Candle, Event, FeedStatus
from strategies.events import Decision

Record = Callable[[Decision], bytes]

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
}  # in the order in which they are written
_FILL_TEXT = (
    "exec_id || '|' || order_id || '|' || symbol || '|' || side || '|' || price || '|' || quantity || '|' || fee || '|' || filled_ms"
)


class Journal:
    """Writes one run. Rows are collected, and written when the store's transaction ends.

    record         the bytes of a decision that go into the run's digest
    keep_inputs    store what enters, whole (paper, live)
    merge_repeats  decisions that repeat themselves without consequence become one row (replay)
    """

    def __init__(self, store: Store, run: str, *, record: Record, keep_inputs: bool, merge_repeats: bool) -> None:
        self.store, self.run = store, run
        self.seq = 0
        self.chain = GENESIS
        self._inputs = GENESIS
        self._record = record
        self._whole = keep_inputs
        self._hash = hashlib.sha256()
        self._rows: dict[str, list[Sequence[Value]]] = {table: [] for table in _INSERT}
        self._decisions = self._rows["decisions"]
        self._asked: dict[str, list[Value]] = {}  # rows of orders that are not written yet, by id
        self._candles: list[Candle] = []
        self._stretches = Stretches(self._link) if merge_repeats else None
        self._signals: dict[tuple[str, ...], tuple[int, bytes]] = {}
        self._page: Page | None = None
        self._lost = False
        self._kinds: dict[type[Event], Callable[..., None]] = {
            Decision: self._decision, OrderRequest: self._order, OrderUpdate: self._update,
            CancelRequest: self._cancel, Fill: self._fill, FundingPaid: self._funding, Refusal: self._refusal, StateChanged: self._state,
            FeedStatus: self._feed, Command: self._command,
        }  # fmt: skip
        store.join(self)

    def write(self, event: Event, cause: int) -> int:
        """Number the event and write it down; `cause` is the number of the event it follows from, 0 if it came from outside."""
        seq = self.seq = self.seq + 1
        if not cause and self._whole:
            self._input(event, seq)
        write = self._kinds.get(type(event))
        if write is not None:
            write(event, seq, cause)
        return seq

    def begin_page(self, page: Page) -> None:
        """From here on the decisions that are written are those of a page, which has them all: the page only hears what led where."""
        assert self._stretches is not None, "pages need a journal that merges repeats"
        self._page = page

    def bars(self, count: int) -> int:
        """Give numbers to so many candles of the page; returns the last of them."""
        self.seq += count
        return self.seq

    def close_row(self, row: int, cause: int) -> int:
        """Give numbers to a close of the page, which follows from event `cause`, and to its decisions; returns that of the close."""
        assert self._page is not None, "only the rows of a page are closed"
        number = self.seq + 1
        self.seq = number + self._page.symbols
        self._page.closed(row, number, cause)
        return number

    def pass_by(self, row: int, until: int) -> Passed:
        """Give out the numbers of the page's rows [row, until), from whose decisions nothing follows."""
        assert self._page is not None, "only the rows of a page can be passed by"
        passed = self._page.pass_by(row, until, self.seq)
        self.seq += passed.numbers
        return passed

    def end_page(self) -> None:
        """Write down what became of the page's decisions."""
        assert self._page is not None and self._stretches is not None, "there is no page to end"
        self._hash.update(self._page.untold())
        rows, still = self._page.rows(self._stretches.take())
        self._link_all(rows, self._page.names)
        self._stretches.give(still)
        self._page = None

    def equity(self, bar_ms: int, equity: float, cash: float, gross: float, net: float) -> None:
        """What the account was worth at a bar close, quote currency; gross and net are position notionals."""
        self._rows["equity"].append((self.run, bar_ms, number(equity), number(cash), number(gross), number(net)))

    def equities(self, rows: Iterable[tuple[int, float, float, float, float]]) -> None:
        """Many rows as `equity` takes them."""
        run = self.run
        self._rows["equity"].extend((run, bar_ms, *map(number, values)) for bar_ms, *values in rows)

    def digest(self) -> str:
        """SHA-256 over decisions and fills so far, in order, hex."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """No more decisions: open stretches become rows. Part of `finish`."""
        if self._stretches is not None:
            self._stretches.close()

    def finish(self, state: str, ended_ms: int, summary: str | None = None) -> None:
        """Close the run in a transaction of its own: state `finished`, `interrupted` or `failed`; summary JSON.

        After a transaction that was rolled back, the run ends with what was kept before it, and without a digest.
        """
        with self.store.transaction():
            if self._lost:
                digest, chain = None, last_link(self.store, self.run)
            else:
                self.close()
                digest, chain = self.digest(), self.chain
            self.store.conn.execute(
                "UPDATE runs SET state = ?, ended_ms = ?, digest = ?, chain = ?, summary = ? WHERE id = ?",
                (state, ended_ms, digest, chain.hex(), summary, self.run),
            )

    def flush(self, conn: sqlite3.Connection) -> None:
        """Write the collected rows: the store calls it before it commits."""
        for table, rows in self._rows.items():
            if rows:
                if self._lost:
                    raise RuntimeError("the journal lost its place when a transaction was rolled back; resume the run with a new one")
                conn.executemany(_INSERT[table], rows)
                rows.clear()
        self._asked.clear()

    def committed(self) -> None:
        """The books are on disk; bars go to the market data."""
        if self._candles:
            self.store.market.put(self._candles)
            self._candles.clear()

    def lost(self) -> None:
        """The books went back and the numbers did not: this journal must not write on."""
        self._lost = True
        self._candles.clear()
        self._asked.clear()
        for rows in self._rows.values():
            rows.clear()

    def resume(self) -> Place:
        """Go on with a run that was interrupted: its numbers, its chain and its digest continue.

        Raises NotFound when the store holds no such run.
        """
        assert self._stretches is None, "a run that merges repeats is begun again, not resumed"
        place = reopen(self.store, self.run)
        self.seq, self.chain, self._inputs = place.seq, place.chain, place.inputs
        conn = self.store.conn
        for number_, text in conn.execute("SELECT id, names FROM signals WHERE run = ?", (self.run,)):
            self._signals[names_of(text)] = number_, text.encode()
        fills = iter(conn.execute(f"SELECT seq, {_FILL_TEXT} FROM fills WHERE run = ? ORDER BY seq", (self.run,)))
        fill = next(fills, None)
        for names, *row in conn.execute(f"SELECT {NAMES}, {', '.join(LINKED)} FROM decisions WHERE run = ? ORDER BY seq", (self.run,)):
            while fill is not None and fill[0] < row[0]:
                self._hash.update(f"{fill[1]}\n".encode())
                fill = next(fills, None)
            self._hash.update(self._record(read_decision(row, names)))
        while fill is not None:
            self._hash.update(f"{fill[1]}\n".encode())
            fill = next(fills, None)
        return place

    def _input(self, event: Event, seq: int) -> None:
        text = payload(event)
        self._inputs = link_input(self._inputs, seq, text)
        self._rows["events"].append((self.run, seq, 0, event.at, type(event).__name__, text, self._inputs))
        if type(event) is Candle:
            self._candles.append(event)

    def _decision(self, decision: Decision, seq: int, cause: int) -> None:
        if self._page is not None:
            return
        self._hash.update(self._record(decision))
        if self._stretches is not None:
            self._stretches.add(seq, cause, decision)
        else:
            self._link(decision_row(seq, cause, decision), tuple(part.name for part in decision.contributions))

    def _link(self, row: Row, names: tuple[str, ...]) -> None:
        self._link_all((row,), names)

    def _link_all(self, rows: Iterable[Row], names: tuple[str, ...]) -> None:
        signals, text = self._signals.get(names) or self._name(names)
        run, chain, keep = self.run, self.chain, self._decisions.append
        for row in rows:
            chain = link(chain, row, text)
            keep((run, *row, chain, signals))
        self.chain = chain

    def _name(self, names: tuple[str, ...]) -> tuple[int, bytes]:
        """Number and text of a set of signals that this run has not had before."""
        text = names_text(names)
        self._signals[names] = found = len(self._signals) + 1, text.encode()
        self._rows["signals"].append((self.run, found[0], text))
        return found

    def _followed(self, cause: int) -> None:
        if self._page is not None:
            self._page.consequence(cause)
        elif self._stretches is not None:
            self._stretches.consequence(cause)

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
        if self._page is not None:
            self._hash.update(self._page.untold())
        price, quantity, fee, side = str(fill.price), str(fill.quantity), str(fill.fee), fill.side._value_
        self._hash.update(f"{fill.exec_id}|{fill.order_id}|{fill.symbol}|{side}|{price}|{quantity}|{fee}|{fill.filled_ms}\n".encode())
        self._rows["fills"].append((
            self.run, seq, cause, fill.at, fill.exec_id, fill.order_id, fill.symbol, side, price, quantity, fee, int(fill.maker),
            fill.filled_ms, fill.purpose._value_, str(fill.slippage),
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
