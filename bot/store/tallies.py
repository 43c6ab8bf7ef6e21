"""What a report counts and joins in the books, asked for in whole tables: a year of minutes has tens of thousands of rows."""

import sqlite3
from collections import Counter
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
