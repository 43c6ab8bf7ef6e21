"""One SQLite file for the books, and one beside it for market data.

The books are durable: a transaction that has ended is on disk (WAL, synchronous=FULL). Market data can be fetched again: NORMAL.
A store belongs to the thread that opened it; `bot/lock.py` keeps a second process out.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from bot.errors import ConfigError, SluiceError, TimedOut
from bot.store.migrations import LEDGER, MARKET, Schema, check, level, migrate
from feeds.events import Candle, Source

BUSY_MS = 5_000
MEMORY = ":memory:"
MOST_WAITING = 200_000  # entries that a store that defers holds before it writes


class Writer(Protocol):
    """Whoever writes through a store: rows are collected, and written when the transaction ends."""

    def flush(self, conn: sqlite3.Connection) -> None:
        """Write what was collected; the transaction commits next."""

    def committed(self) -> None:
        """It is on disk."""

    def lost(self) -> None:
        """It was rolled back."""

    @property
    def waiting(self) -> int:
        """How many entries of transactions that have ended are not written: only where the store defers."""
        ...

    def catch_up(self, conn: sqlite3.Connection) -> None:
        """Write them."""


class Transaction:
    """`with store.transaction():` either everything of it is kept, or nothing. Nested use is a programming error."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    def __enter__(self) -> Self:
        self._store.enter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._store.commit()
        else:
            self._store.rollback()


class Store:
    """The books, open for writing.

    A store that defers, in memory, keeps what its writers collected as it is, and lets them write when somebody asks for the
    connection, or when much has come together: nothing in memory outlives the process anyway, and most is never asked for.
    """

    def __init__(self, conn: sqlite3.Connection, path: str, *, defer: bool = False) -> None:
        self._conn, self.path = conn, path
        self._defers = defer
        self._writers: list[Writer] = []
        self._inside = False
        self._transaction = Transaction(self)
        self._market: Market | None = None

    @classmethod
    def open(cls, path: str | Path = MEMORY, *, defer: bool = False) -> "Store":
        """Open the file, or make it (mode 0600, with its folders), and bring its schema up to date.

        defer  make rows only when somebody asks; in memory alone
        Raises ConfigError when the place cannot be written or the file is not ours, CheckFailed when it is damaged, TimedOut when
        another process keeps it locked.
        """
        text = str(path)
        return cls(_open(text, LEDGER, "FULL"), text, defer=defer and text == MEMORY)

    @property
    def conn(self) -> sqlite3.Connection:
        """The connection; whatever is asked through it finds everything written."""
        self.catch_up()
        return self._conn

    @property
    def market(self) -> "Market":
        """The market data beside the books (`bot.db` -> `bot.market.db`), opened when it is first asked for."""
        if self._market is None:
            self._market = Market.open(market_path(self.path))
        return self._market

    def transaction(self) -> Transaction:
        """Everything written inside is kept together, on disk when the block ends; an exception takes all of it back.

        Raises RuntimeError when one is open already, TimedOut when another process holds the file for longer than 5 s.
        """
        return self._transaction

    def join(self, writer: Writer) -> None:
        """From now on `writer` has its say at the end of each transaction."""
        self._writers.append(writer)

    def enter(self) -> None:
        """Begin; use `transaction()`."""
        if self._inside:
            raise RuntimeError("a transaction is open already: one event settles at a time")
        try:
            self._conn.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise _wrong(error, self.path) from error
        self._inside = True

    def catch_up(self) -> None:
        """Let the writers write what they hold of transactions that have ended."""
        late = [writer for writer in self._writers if writer.waiting] if self._defers else []
        if not late:
            return
        if self._inside:
            self._conn.execute("COMMIT")  # of nothing: who writes asks for the connection first, and this is the first time
        self._conn.execute("BEGIN IMMEDIATE")
        for writer in late:
            writer.catch_up(self._conn)
        self._conn.execute("COMMIT")
        if self._inside:
            self._conn.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """End and keep; use `transaction()`."""
        try:
            if not self._defers:
                for writer in self._writers:
                    writer.flush(self._conn)
            self._conn.execute("COMMIT")
        except BaseException as error:
            self.rollback()
            if isinstance(error, sqlite3.OperationalError):
                raise _wrong(error, self.path) from error
            raise
        self._inside = False
        for writer in self._writers:
            writer.committed()
        if self._defers and sum(writer.waiting for writer in self._writers) > MOST_WAITING:
            self.catch_up()

    def rollback(self) -> None:
        """End and forget; use `transaction()`."""
        self._inside = False
        if self._conn.in_transaction:
            self._conn.execute("ROLLBACK")
        for writer in self._writers:
            writer.lost()

    def close(self) -> None:
        """Close both files. Whoever writes closes first: what it still holds is lost."""
        if self._inside:
            self.rollback()
        if self._market is not None:
            self._market.close()
        self._conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Market:
    """Closed bars as they came. The first word on a bar stands: history is not rewritten."""

    def __init__(self, conn: sqlite3.Connection, path: str) -> None:
        self.conn, self.path = conn, path

    @classmethod
    def open(cls, path: str | Path = MEMORY) -> "Market":
        """Open or make the file; raises as `Store.open` does."""
        return cls(_open(str(path), MARKET, "NORMAL"), str(path))

    def put(self, candles: Iterable[Candle]) -> None:
        """Keep these bars; those that are there already stay as they are. Raises TimedOut, ConfigError as `Store.open` does."""
        rows = [
            (c.symbol, c.close_ms - c.open_ms, c.open_ms, c.open, c.high, c.low, c.close, c.volume, c.turnover, c.source.value, c.at)
            for c in candles
        ]
        try:
            self.conn.execute("BEGIN IMMEDIATE")
            self.conn.executemany("INSERT OR IGNORE INTO candles VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
            self.conn.execute("COMMIT")
        except BaseException as error:
            if self.conn.in_transaction:
                self.conn.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise _wrong(error, self.path) from error
            raise

    def candles(self, symbol: str, timeframe: int, start: int = 0, stop: int = 2**62) -> Iterator[Candle]:
        """The bars that open in [start, stop), in order."""
        rows = self.conn.execute(
            "SELECT open_ms, open, high, low, close, volume, turnover, source, at FROM candles"
            " WHERE symbol = ? AND timeframe = ? AND open_ms >= ? AND open_ms < ? ORDER BY open_ms",
            (symbol, timeframe, start, stop),
        )
        for open_ms, open_, high, low, close, volume, turnover, source, at in rows:
            yield Candle(
                at=at, symbol=symbol, open_ms=open_ms, close_ms=open_ms + timeframe, open=open_, high=high, low=low, close=close,
                volume=volume, turnover=turnover, source=Source(source),
            )  # fmt: skip

    def close(self) -> None:
        self.conn.close()


def market_path(path: str) -> str:
    """Where the market data of a store lies: `bot.db` -> `bot.market.db`."""
    return path if path == MEMORY else str(Path(path).with_suffix(".market.db"))


def connect(path: str, synchronous: str) -> sqlite3.Connection:
    """A writing connection with our settings to a file that exists, or to memory."""
    conn = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, cached_statements=256)
    try:
        if path == MEMORY:
            conn.execute("PRAGMA page_size = 16384")  # decisions are wide: five fill a page of 4096, and leave a fifth of it empty
        else:
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute(f"PRAGMA synchronous = {synchronous}")
    except BaseException:
        conn.close()
        raise
    return conn


def open_file(path: str, schema: Schema) -> sqlite3.Connection:
    """A file of another schema than the books', durable as they are; raises as `Store.open` does."""
    return _open(path, schema, "FULL")


def _open(path: str, schema: Schema, synchronous: str) -> sqlite3.Connection:
    if path == MEMORY:
        conn = connect(path, synchronous)
        migrate(conn, schema, record=False)
        return conn
    _prepare(Path(path))
    try:
        _inspect(path, schema)
        conn = connect(path, synchronous)
        try:
            if level(conn, schema, path) < len(schema.steps):
                migrate(conn, schema, record=True)
        except BaseException:
            conn.close()
            raise
    except sqlite3.OperationalError as error:
        raise _wrong(error, path) from error
    return conn


def _inspect(path: str, schema: Schema) -> None:
    """Look before writing anything: a file that is not ours stays as it is, byte for byte."""
    conn = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)
    try:
        if level(conn, schema, path) > 0:
            check(conn, path)
    finally:
        conn.close()


def _prepare(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise ConfigError(f"the store {path} cannot be written: {error.strerror}; name a file in a folder of yours") from error
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"the folder {path.parent} cannot be written, and SQLite needs to; name a file in a folder of yours")


def _wrong(error: sqlite3.OperationalError, path: str) -> SluiceError:
    text = str(error)
    if "locked" in text or "busy" in text:
        return TimedOut(f"{path} was locked by another process for {BUSY_MS // 1000} s; close what holds it and start again")
    if "full" in text:
        return ConfigError(f"{path} cannot grow: {text}; free some space on its disk and start again")
    if "readonly" in text or "unable to open" in text:
        return ConfigError(f"{path} cannot be written: {text}; check the owner and mode of the file and its folder")
    return SluiceError(f"{path} failed: {text}; run sluice doctor")
