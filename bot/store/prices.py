"""Price paths of a run: what a report draws, kept beside the books so that no candle file is needed to look at a run.

The rule: a path is for the eye. It is thinned (`bot/thinning.py`) and in single precision; nothing is computed from it.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bot.store.store import MEMORY, Store, market_path
from bot.thinning import PricePath, stretch


def keep_prices(store: Store, run: str, paths: Iterable[PricePath]) -> None:
    """Write them in a transaction of their own, in place of those that are there."""
    if not _is_there(store.conn):
        return
    with store.transaction():
        rows = ((run, path.symbol, path.first_ms, path.step_ms, path.values.astype("<f4").tobytes()) for path in paths)
        store.conn.executemany("INSERT OR REPLACE INTO prices VALUES (?,?,?,?,?)", rows)


def read_prices(conn: sqlite3.Connection, run: str) -> dict[str, PricePath]:
    """By symbol; empty for a run that has none, and for a store from before there were any."""
    if not _is_there(conn):
        return {}
    found = {}
    for symbol, first_ms, step_ms, packed in conn.execute("SELECT symbol, first_ms, step_ms, path FROM prices WHERE run = ?", (run,)):
        found[symbol] = PricePath(symbol, first_ms, step_ms, np.frombuffer(packed, "<f4").astype(np.float32).reshape(-1, 5))
    return found


def market_prices(path: str, symbols: Sequence[str], timeframe: int, first_ms: int, end_ms: int) -> dict[str, PricePath]:
    """The same from the bars that a paper or live session has beside its books; a symbol without bars is left out."""
    size = stretch(timeframe, -(-(end_ms - first_ms) // timeframe))
    begins = first_ms // size
    found = {}
    with _market(path) as conn:
        for symbol in symbols if conn is not None else ():
            assert conn is not None
            values = np.full((max(1, -(-end_ms // size) - begins), 5), np.nan, np.float32)
            for column, (chosen, order) in enumerate(_OF_A_STRETCH):
                query = _STRETCHES.format(chosen, order)
                for row, value, _ in conn.execute(query, (size, begins, symbol, timeframe, first_ms, end_ms)):
                    values[row, column] = value
            if not np.isnan(values).all():
                found[symbol] = PricePath(symbol, begins * size, size, values)
    return found


def market_volumes(path: str, timeframe: int, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], float]:
    """Of bars by symbol and close, base units; those that are not there are left out."""
    found = {}
    query = "SELECT volume FROM candles WHERE symbol = ? AND timeframe = ? AND open_ms = ?"
    with _market(path) as conn:
        for symbol, close_ms in wanted if conn is not None else ():
            assert conn is not None
            row = conn.execute(query, (symbol, timeframe, close_ms - timeframe)).fetchone()
            if row is not None:
                found[symbol, close_ms] = float(row[0])
    return found


# SQLite gives the value of the row that has the least or the greatest opening.
_STRETCHES = (
    "SELECT open_ms / ? - ? AS stretch, {}, {} FROM candles WHERE symbol = ? AND timeframe = ? AND open_ms >= ? AND open_ms < ?"
    " GROUP BY stretch"
)
_OF_A_STRETCH = (("open", "min(open_ms)"), ("max(high)", "1"), ("min(low)", "1"), ("close", "max(open_ms)"), ("sum(volume * close)", "1"))


@contextmanager
def _market(path: str) -> Iterator[sqlite3.Connection | None]:
    """The bars beside the books, open for reading; None where there are none."""
    file = Path(market_path(path)) if path != MEMORY else None
    if file is None or not file.exists():
        yield None
        return
    conn = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    try:
        yield conn
    finally:
        conn.close()


def _is_there(conn: sqlite3.Connection) -> bool:
    return conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'prices'").fetchone() is not None
