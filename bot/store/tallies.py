"""What a report counts and joins in the books, asked for in whole tables: a year of minutes has tens of thousands of rows."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bot.events import Purpose
from bot.store.chain import NAMES
from bot.store.rows import known, names_of

_OPENING = (Purpose.ENTRY.value, Purpose.FLIP.value)
_NAMES = NAMES.replace("decisions.", "d.")


class NotTaken(NamedTuple):
    """A refusal with the decision that wanted the order: its side, and its price (NaN and "" where an order has another cause)."""

    at: int
    symbol: str
    side: str
    purpose: str
    price: float
    code: str
    detail: str


def reasons(conn: sqlite3.Connection, run: str) -> Counter[str]:
    """Decisions by reason, in bar closes times symbols."""
    return Counter(dict(conn.execute("SELECT reason, sum(bars) FROM decisions WHERE run = ? GROUP BY reason", (run,))))


def entries(conn: sqlite3.Connection, run: str) -> dict[str, dict[str, float]]:
    """What each signal contributed to the decision behind each order that opens: order -> signal -> contribution, the known ones."""
    query = (
        f"SELECT o.id, {_NAMES}, d.contributions FROM orders AS o JOIN decisions AS d ON d.run = o.run AND d.seq = o.cause"
        " WHERE o.run = ? AND o.purpose IN (?, ?)"
    )
    found = {}
    for order, text, packed in conn.execute(query, (run, *_OPENING)):
        names = names_of(text) if text else ()
        values = np.frombuffer(packed, "<f8")[3 * len(names) :].tolist()
        found[order] = {name: value for name, value in zip(names, values, strict=True) if value == value}
    return found


def not_taken(conn: sqlite3.Connection, run: str) -> list[NotTaken]:
    """Every refusal, in order."""
    query = (
        "SELECT r.at, r.symbol, coalesce(d.side, ''), r.purpose, d.price, r.code, r.detail FROM refusals AS r"
        " LEFT JOIN decisions AS d ON d.run = r.run AND d.seq = r.cause WHERE r.run = ? ORDER BY r.seq"
    )
    return [
        NotTaken(at, symbol, side, purpose, known(price), code, detail)
        for at, symbol, side, purpose, price, code, detail in conn.execute(query, (run,))
    ]


def decided_prices(conn: sqlite3.Connection, run: str, symbol: str) -> list[tuple[int, float]]:
    """(bar close, its price) of each row of decisions, in order, where it is known."""
    query = "SELECT bar_ms, price FROM decisions WHERE run = ? AND symbol = ? AND price IS NOT NULL ORDER BY bar_ms"
    return conn.execute(query, (run, symbol)).fetchall()


class Stretch(NamedTuple):
    """A row of decisions: the same side and reason from one bar close to another; score and digest are those of its first."""

    seq: int
    bar_ms: int
    until_ms: int
    side: str
    reason: str
    score: float | None
    digest: bytes


def stretches(conn: sqlite3.Connection, run: str, symbol: str, first_ms: int, last_ms: int) -> Iterator[Stretch]:
    """Those that touch the bar closes [first_ms, last_ms], in order."""
    query = (
        "SELECT seq, bar_ms, until_ms, side, reason, score, digest FROM decisions WHERE run = ? AND symbol = ? AND until_ms >= ?"
        " AND bar_ms <= ? ORDER BY bar_ms"
    )
    return map(Stretch._make, conn.execute(query, (run, symbol, first_ms, last_ms)))


class Traded(NamedTuple):
    """A fill with the order it is of: the bar whose decision that follows (0: none), and when it was asked for (None: by nobody)."""

    order: str
    symbol: str
    side: str
    purpose: str
    bar_ms: int
    asked_ms: int | None
    filled_ms: int
    at: int
    price: float
    quantity: float
    fee: float
    slippage: float


def traded(conn: sqlite3.Connection, run: str, symbols: Sequence[str], start_ms: int, end_ms: int) -> Iterator[Traded]:
    """Fills of these symbols that happened within [start_ms, end_ms], in order; money as float: for statistics."""
    query = (
        "SELECT f.order_id, f.symbol, f.side, f.purpose, coalesce(o.bar_ms, 0), o.at, f.filled_ms, f.at, f.price, f.quantity, f.fee,"
        " f.slippage FROM fills AS f LEFT JOIN orders AS o ON o.run = f.run AND o.id = f.order_id"
        " WHERE f.run = ? AND f.filled_ms BETWEEN ? AND ? ORDER BY f.seq"
    )
    for row in conn.execute(query, (run, start_ms, end_ms)):
        if row[1] in symbols:
            yield Traded(*row[:8], *map(float, row[8:]))
