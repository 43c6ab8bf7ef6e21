"""Price paths of a run: what a report draws, kept beside the books so that no candle file is needed to look at a run.

The rule: a path is for the eye. It is thinned (`bot/thinning.py`) and in single precision; nothing is computed from it.
"""

import sqlite3
from collections.abc import Iterable

import numpy as np

from bot.store.store import Store
from bot.thinning import PricePath


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
        found[symbol] = PricePath(symbol, first_ms, step_ms, np.frombuffer(packed, "<f4").astype(np.float32).reshape(-1, 4))
    return found


def _is_there(conn: sqlite3.Connection) -> bool:
    return conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'prices'").fetchone() is not None
