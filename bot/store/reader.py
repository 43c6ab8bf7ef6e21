"""The books, read and never written: what `status`, `explain`, `why-not`, `report` and the dashboard look at.

It needs nothing but sqlite3, so it is quick, and it may look while the bot writes: each answer is one moment's.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bot.errors import ConfigError, NotFound
from bot.events import TradingState
from bot.lock import running
from bot.orders import STOP_SUFFIX, TAKE_SUFFIX
from bot.store import books, chain, rows
from bot.store.migrations import LEDGER, level, unusable
from bot.store.payload import event_of
from bot.store.store import BUSY_MS, MEMORY, Store
from bot.store.why import Span, why_not
from feeds.events import Event

_RUN = (
    "id, mode, state, started_ms, ended_ms, config, config_hash, seed, symbols, timeframe, data_hash, versions, digest, chain, summary,"
    " arguments"
)
_DECISION = ", ".join((*chain.LINKED, chain.NAMES, "chain"))
_ORDER = (
    'seq, cause, at, id, symbol, side, type, quantity, purpose, reduce_only, bar_ms, reference, price, "trigger", post_only, stop, take,'
    " status, filled, updated_ms, detail"
)
_UPDATE = "seq, cause, at, id, symbol, status, filled, detail"
_CANCEL = "seq, cause, at, symbol, id, detail"
_FILL = "seq, cause, at, exec_id, order_id, symbol, side, price, quantity, fee, maker, filled_ms, purpose, slippage"
_FUNDING = "seq, cause, at, symbol, settle_ms, rate, quantity, mark, payment"
_REFUSAL = "seq, cause, at, symbol, bar_ms, purpose, code, detail"
_STATE = "seq, cause, at, state, by, reason"
_CAUSED = "WHERE run = ? AND cause = ? ORDER BY seq"
_ENDED = ("FILLED", "CANCELLED", "REJECTED", "EXPIRED")


class Reader:
    """A store, open for reading."""

    def __init__(self, conn: sqlite3.Connection, path: str, *, shared: bool = False) -> None:
        """shared  the connection is somebody else's, who closes it"""
        self._conn, self._path, self._shared = conn, path, shared

    @classmethod
    def open(cls, path: str | Path) -> "Reader":
        """Raises NotFound when there is no such file, ConfigError when it is not a store of ours or may not be read."""
        file = Path(path).resolve()
        if not file.exists():
            raise NotFound(f"there is no store {path}; run sluice paper or sluice replay --store {path} first")
        conn = _connect(file)
        taken = level(conn, LEDGER, str(path))
        if taken == 0:
            conn.close()
            raise ConfigError(f"{path} is empty: no run was ever written to it; name another file")
        if taken < len(LEDGER.steps):
            conn.close()
            if running(str(path)) is not None:
                raise ConfigError(f"{path} is being written by an older Sluice; stop that one first, and look again")
            Store.open(path).close()  # it takes the steps that are missing
            conn = _connect(file)
        return cls(conn, str(path))

    @classmethod
    def of(cls, store: Store) -> "Reader":
        """The books of a store that is open here: what its last transaction left."""
        return cls(store.conn, store.path, shared=True)

    @property
    def conn(self) -> sqlite3.Connection:
        """For questions that other files know how to ask; nothing can be written through it."""
        return self._conn

    @property
    def path(self) -> str:
        """The file, or `:memory:`."""
        return self._path

    def close(self) -> None:
        """Close the file; a store that is open here stays open."""
        if not self._shared:
            self._conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def runs(self) -> list[rows.RunRow]:
        """All runs, the newest first."""
        return [self._alive(row) for row in self._all(f"SELECT {_RUN} FROM runs ORDER BY started_ms DESC, rowid DESC")]

    def run(self, name: str = "last") -> rows.RunRow:
        """The run with this id, or the only one whose id begins like this, or the `last`. Raises NotFound otherwise."""
        if name == "last":
            found = self._all(f"SELECT {_RUN} FROM runs ORDER BY started_ms DESC, rowid DESC LIMIT 1")
            if not found:
                raise NotFound(f"{self._path} holds no run yet; start one with sluice paper or sluice replay")
            return self._alive(found[0])
        found = self._all(f"SELECT {_RUN} FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id = ?1 DESC, id LIMIT 5", name)
        if not found or not name:
            raise NotFound(f"{self._path} holds no run {name!r}; the newest is {self.run().id}")
        if len(found) > 1 and found[0][0] != name:
            raise NotFound(f"{name!r} could be any of {', '.join(row[0] for row in found)}; write more of it")
        return self._alive(found[0])

    def decisions(
        self, run: str, *, symbol: str | None = None, side: str | None = None, reason: str | None = None, since: int | None = None,
        until: int | None = None, newest_first: bool = False, limit: int | None = None,
    ) -> Iterator[rows.DecisionRow]:  # fmt: skip
        """Decisions that match, in order of their numbers. `since` and `until` are bar closes, both included; a merged row matches
        when any of its bars does."""
        where, values = _where(run, {"symbol =": symbol, "side =": side, "reason =": reason, "until_ms >=": since, "bar_ms <=": until})
        key = "seq" if symbol is None else "bar_ms"  # the same order, by the index that the symbol is in
        order = f"ORDER BY {key} {'DESC' if newest_first else 'ASC'} LIMIT {-1 if limit is None else int(limit)}"
        for row in self._conn.execute(f"SELECT {_DECISION} FROM decisions {where} {order}", values):
            yield rows.decision_row_of(row)

    def decision(self, run: str, name: str | int = "last") -> rows.DecisionRow:
        """The decision `D-20931`, `20931`, or the `last`. Raises NotFound when that number is no decision's row."""
        if name == "last":
            found = self._all(f"SELECT {_DECISION} FROM decisions WHERE run = ? ORDER BY seq DESC LIMIT 1", run)
            if not found:
                raise NotFound(f"run {run} has decided nothing yet; look with sluice status")
            return rows.decision_row_of(found[0])
        text = str(name).upper().removeprefix("D-")
        if not text.isdecimal():
            raise NotFound(f"{name!r} is no decision: write D-20931, or last")
        found = self._all(f"SELECT {_DECISION} FROM decisions WHERE run = ? AND seq = ?", run, int(text))
        if not found:
            near = self._all("SELECT seq FROM decisions WHERE run = ? ORDER BY abs(seq - ?) LIMIT 1", run, int(text))
            hint = f"the nearest is D-{near[0][0]}" if near else "it has decided nothing yet"
            raise NotFound(f"run {run} has no decision D-{text}; {hint}")
        return rows.decision_row_of(found[0])

    def decision_of(self, run: str, order: str) -> rows.DecisionRow | None:
        """The decision that led to this order; None when an order has another cause, such as a command. Raises NotFound."""
        found = self._all(f"SELECT {_DECISION} FROM decisions WHERE run = ? AND seq = ?", run, self.order(run, order).cause)
        return rows.decision_row_of(found[0]) if found else None

    def caused(self, run: str, seq: int) -> rows.Consequences:
        """What followed from event number `seq`: its orders, refusals and cancels, and what became of those orders.

        Stops and take-profits attached to an order carry its id and a suffix: theirs is told too.
        """
        orders = [rows.order_row(row) for row in self._all(f"SELECT {_ORDER} FROM orders {_CAUSED}", run, seq)]
        updates: list[rows.UpdateRow] = []
        fills: list[rows.FillRow] = []
        for order in orders:
            updates += self.updates(run, order.id)
            fills += self.fills_of(run, order.id)
        return rows.Consequences(
            orders=orders,
            refusals=[rows.refusal_row(row) for row in self._all(f"SELECT {_REFUSAL} FROM refusals {_CAUSED}", run, seq)],
            cancels=[rows.cancel_row(row) for row in self._all(f"SELECT {_CANCEL} FROM cancels {_CAUSED}", run, seq)],
            updates=sorted(updates, key=lambda row: row.seq),
            fills=sorted(fills, key=lambda row: row.seq),
        )

    def orders(self, run: str, *, symbol: str | None = None, open_only: bool = False) -> list[rows.OrderRow]:
        """Orders in order; `open_only`: those that have not ended."""
        where, values = _where(run, {"symbol =": symbol})
        if open_only:
            where += f" AND status NOT IN ({', '.join('?' * len(_ENDED))})"
            values += _ENDED
        return [rows.order_row(row) for row in self._all(f"SELECT {_ORDER} FROM orders {where} ORDER BY seq", *values)]

    def order(self, run: str, name: str) -> rows.OrderRow:
        """The order with this id. Raises NotFound."""
        found = self._all(f"SELECT {_ORDER} FROM orders WHERE run = ? AND id = ?", run, name)
        if not found:
            raise NotFound(f"run {run} has no order {name!r}; list them with sluice orders")
        return rows.order_row(found[0])

    def updates(self, run: str, order: str) -> list[rows.UpdateRow]:
        """The life of an order, and of those attached to it, in order."""
        return [
            rows.update_row(row)
            for row in self._all(f"SELECT {_UPDATE} FROM updates WHERE run = ? AND {_FAMILY.format('id')} ORDER BY seq", run, order)
        ]

    def fills(
        self, run: str, *, symbol: str | None = None, since: int | None = None, until: int | None = None
    ) -> list[rows.FillRow]:  # fmt: skip
        """Fills in order; `since` and `until` bound filled_ms, both included."""
        where, values = _where(run, {"symbol =": symbol, "filled_ms >=": since, "filled_ms <=": until})
        return [rows.fill_row(row) for row in self._all(f"SELECT {_FILL} FROM fills {where} ORDER BY seq", *values)]

    def fills_of(self, run: str, order: str) -> list[rows.FillRow]:
        """The fills of an order, and of those attached to it, in order."""
        return [
            rows.fill_row(row)
            for row in self._all(f"SELECT {_FILL} FROM fills WHERE run = ? AND {_FAMILY.format('order_id')} ORDER BY seq", run, order)
        ]

    def funding(self, run: str, *, symbol: str | None = None) -> list[rows.FundingRow]:
        """Funding that was paid or received, in order."""
        where, values = _where(run, {"symbol =": symbol})
        return [rows.funding_row(row) for row in self._all(f"SELECT {_FUNDING} FROM funding {where} ORDER BY seq", *values)]

    def refusals(self, run: str, *, symbol: str | None = None, since: int | None = None) -> list[rows.RefusalRow]:
        """What was refused, in order; `since` is a moment `at`."""
        where, values = _where(run, {"symbol =": symbol, "at >=": since})
        return [rows.refusal_row(row) for row in self._all(f"SELECT {_REFUSAL} FROM refusals {where} ORDER BY seq", *values)]

    def positions(self, run: str) -> list[books.PositionRow]:
        """What is held and what it has earned, worked out from fills and funding."""
        return books.positions(self.fills(run), self.funding(run))

    def pnl(self, run: str, by: str = "day") -> list[books.ProfitRow]:
        """Profit by `day` or `symbol`."""
        return books.profits(self.fills(run), self.funding(run), by)

    def equity(self, run: str, *, since: int | None = None, until: int | None = None) -> list[rows.EquityPoint]:
        """The account at its bar closes, in order; bounds included."""
        where, values = _where(run, {"bar_ms >=": since, "bar_ms <=": until})
        query = f"SELECT bar_ms, equity, cash, gross, net FROM equity {where} ORDER BY bar_ms"
        return [rows.equity_point(row) for row in self._conn.execute(query, values)]

    def last_equity(self, run: str) -> rows.EquityPoint | None:
        """The newest point of it."""
        found = self._all("SELECT bar_ms, equity, cash, gross, net FROM equity WHERE run = ? ORDER BY bar_ms DESC LIMIT 1", run)
        return rows.equity_point(found[0]) if found else None

    def feeds(self, run: str) -> list[rows.FeedRow]:
        """Each feed as it was last heard of, by name."""
        return [rows.feed_row(row) for row in self._all("SELECT feed, at, up, detail, gap FROM feeds WHERE run = ? ORDER BY feed", run)]

    def state(self, run: str) -> rows.StateRow:
        """The trading state now; ACTIVE where nothing has moved it."""
        moves = self.states(run)
        return moves[-1] if moves else rows.StateRow(0, 0, 0, TradingState.ACTIVE, "", "")

    def states(self, run: str) -> list[rows.StateRow]:
        """Every move of the trading state, in order."""
        return [rows.state_row(row) for row in self._all(f"SELECT {_STATE} FROM states WHERE run = ? ORDER BY seq", run)]

    def commands(self, limit: int = 20) -> list[rows.CommandRow]:
        """The operator's commands, the newest first."""
        query = "SELECT id, at, verb, reason, cancel, flatten, done_at, run, outcome FROM commands ORDER BY id DESC LIMIT ?"
        return [rows.command_row(row) for row in self._all(query, limit)]

    def inputs(self, run: str) -> Iterator[tuple[int, Event]]:
        """What entered the session, in order, with its numbers; nothing for a run that did not keep its inputs."""
        for seq, text in self._conn.execute("SELECT seq, payload FROM events WHERE run = ? ORDER BY seq", (run,)):
            yield seq, event_of(text)

    def count_inputs(self, run: str) -> int:
        """How many there are."""
        return int(self._all("SELECT count(*) FROM events WHERE run = ?", run)[0][0])

    def raw(self, table: str, columns: Sequence[str], run: str, key: str) -> Iterator[Sequence[Any]]:
        """Rows of a run as SQLite has them, in order of `key`; names are the schema's, not a user's."""
        return self._conn.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE run = ? ORDER BY {key}", (run,))

    def inputs_before(self, run: str, seq: int, limit: int) -> list[tuple[int, str, str]]:
        """Number, kind and payload of the last inputs up to event `seq`, the newest last."""
        query = "SELECT seq, kind, payload FROM events WHERE run = ? AND seq <= ? ORDER BY seq DESC LIMIT ?"
        return self._all(query, run, seq, limit)[::-1]

    def verify_chain(self, run: str) -> chain.ChainCheck:
        """Walk the decisions of a run; names the first that is not what was written."""
        return chain.verify_chain(self._conn, run)

    def verify_inputs(self, run: str) -> chain.ChainCheck:
        """Walk the recorded inputs of a run likewise."""
        return chain.verify_inputs(self._conn, run)

    def why_not(self, run: str, *, symbol: str | None = None, since: int | None = None, until: int | None = None) -> rows.WhyNot:
        """Every bar and symbol in [since, until] (bar closes) that did not lead to an order, counted by reason.

        A refusal counts by its code, HOLD by its reason; LONG or SHORT with nothing following by what stood at that moment:
        `already_in_position`, a refusal that is told once, an order under way (`D_PENDING`), or `long_only`.
        """
        where, values = _where(run, {"symbol =": symbol, "until_ms >=": since, "bar_ms <=": until})
        timeframe = self._all("SELECT timeframe FROM runs WHERE id = ?", run)
        return why_not(self._conn, run, where, values, Span(since, until, timeframe[0][0] if timeframe else 0))

    def _alive(self, columns: rows.Columns) -> rows.RunRow:
        """A run that is written down as running, but whose process is gone, was interrupted."""
        if columns[2] == "running" and self._path != MEMORY and running(self._path) is None:
            columns = (*columns[:2], "interrupted", *columns[3:])
        return rows.run_row(columns)

    def _all(self, query: str, *values: Any) -> list[Any]:  # whatever SQLite takes and gives
        return self._conn.execute(query, values).fetchall()


# An order and those attached to it.
_FAMILY = f"{{0}} IN (?2, ?2 || '{STOP_SUFFIX}', ?2 || '{TAKE_SUFFIX}')"


def _where(run: str, bounds: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:  # whatever SQLite takes
    given = {column: value for column, value in bounds.items() if value is not None}
    return "WHERE " + " AND ".join(f"{column} ?" for column in ("run =", *given)), (run, *given.values())


def _connect(file: Path) -> sqlite3.Connection:
    """Read-only; where the folder cannot be written and nobody else has it open, as a file that does not change."""
    try:
        conn = _try(f"{file.as_uri()}?mode=ro")
    except sqlite3.OperationalError as error:
        if Path(f"{file}-wal").exists():
            raise ConfigError(f"{file} cannot be read: {error}; look as the user who runs the bot") from error
        try:
            conn = _try(f"{file.as_uri()}?mode=ro&immutable=1")
        except sqlite3.OperationalError as again:
            raise ConfigError(f"{file} cannot be read: {again}; check its owner and its mode") from again
    except sqlite3.DatabaseError as error:
        raise unusable(error, str(file)) from error
    return conn


def _try(uri: str) -> sqlite3.Connection:
    conn = sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        conn.execute("PRAGMA query_only = ON")
        conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError:
        conn.close()
        raise
    return conn
