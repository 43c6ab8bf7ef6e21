"""Decisions as rows, and the chain that ties each row to all before it.

chain(row) = SHA-256(chain(previous row) || MessagePack of the row's values in the order of LINKED || names of its signals). The first
row follows 32 zero bytes. A row without a `target` is linked without it, as rows were before there was one. Rows are linked in the
order in which they are written, which is the order of `decisions.id`.
"""

import hashlib
import math
import sqlite3
import struct
from typing import NamedTuple

import msgspec

from strategies.events import Contribution, Decision

LINKED = (
    "seq", "cause", "at", "bar_ms", "until_ms", "bars", "symbol", "side", "reason", "score", "last_score", "confidence", "newest_ms",
    "price", "volatility", "contributions", "digest", "target",
)  # fmt: skip
# the names of a row's signals: every run has few sets of signals, and each decision a number that names its set
NAMES = "(SELECT names FROM signals AS s WHERE s.run = decisions.run AND s.id = decisions.signals)"
GENESIS = bytes(32)

Value = int | float | str | bytes | None
Row = tuple[Value, ...]

_pack = msgspec.msgpack.Encoder().encode


class ChainCheck(NamedTuple):
    """rows  how many were walked; broken  number of the first decision whose row is not what was written (None: all are);
    detail  what is wrong with it"""

    rows: int
    broken: int | None
    detail: str


def number(value: float) -> float | None:
    """As SQLite gives it back: NaN is NULL, and there is one zero."""
    return value + 0.0 if value == value else None


def decision_row(seq: int, cause: int, first: Decision, repeats: tuple[int, int, float] | None = None) -> Row:
    """The values of LINKED: a decision, and how long it went on being the same: (until_ms, bars, last_score), None if it did not."""
    until_ms, bars, last_score = (first.bar_ms, 1, first.score) if repeats is None else repeats
    return (
        seq, cause, first.at, first.bar_ms, until_ms, bars, first.symbol, first.side.value, first.reason.value, number(first.score),
        number(last_score), number(first.confidence), first.newest_ms, number(first.price), number(first.volatility),
        contributions_bytes(first.contributions), bytes.fromhex(first.digest), number(first.target),
    )  # fmt: skip


def contributions_bytes(contributions: tuple[Contribution, ...]) -> bytes:
    """float64[4, signal], little-endian: values, confidences, weights, contributions; NaN is not known."""
    rows = zip(*((c.value, c.confidence, c.weight, c.contribution) for c in contributions), strict=True)
    return struct.pack(f"<{4 * len(contributions)}d", *(math.nan if x != x else x for row in rows for x in row))


def names_text(names: tuple[str, ...]) -> str:
    """JSON, as `signals.names` has it."""
    return msgspec.json.encode(names).decode()


def link(previous: bytes, row: Row, names: bytes) -> bytes:
    """The chain's next value, 32 bytes; names  UTF-8 of `names_text`."""
    return hashlib.sha256(previous + _pack(row if row[-1] is not None else row[:-1]) + names).digest()


def link_input(previous: bytes, seq: int, payload: str) -> bytes:
    """The next value of the chain of inputs, 32 bytes: SHA-256(previous || number in decimal || blank || payload)."""
    return hashlib.sha256(previous + f"{seq} {payload}".encode()).digest()


def verify_inputs(conn: sqlite3.Connection, run: str) -> ChainCheck:
    """Walk the inputs of a run. Those that were recorded before inputs were chained are passed over, and not counted."""
    chain, rows, before = GENESIS, 0, 0
    for seq, text, chained in conn.execute("SELECT seq, payload, chain FROM events WHERE run = ? ORDER BY seq", (run,)):
        if chained is None and rows == 0:
            continue
        chain = link_input(chain, seq, text)
        rows += 1
        if chain != chained:
            return ChainCheck(rows, seq, f"input #{seq} was changed, or inputs between #{before} and #{seq} were taken out or put in")
        before = seq
    return ChainCheck(rows, None, "")


def verify_chain(conn: sqlite3.Connection, run: str) -> ChainCheck:
    """Walk the decisions of a run and name the first that is not what was written.

    A finished run also knows its last link, so rows taken off the end are missed too.
    """
    chain, rows, before = GENESIS, 0, 0
    query = f"SELECT chain, {NAMES}, {', '.join(LINKED)} FROM decisions WHERE run = ? ORDER BY id"
    for chained, names, *row in conn.execute(query, (run,)):
        chain = link(chain, tuple(row), b"" if names is None else names.encode())
        rows += 1
        if chain != chained:
            return ChainCheck(rows, row[0], f"the row was changed, or rows between D-{before} and D-{row[0]} were taken out or moved")
        before = row[0]
    head = conn.execute("SELECT chain FROM runs WHERE id = ?", (run,)).fetchone()
    if head is not None and head[0] is not None and head[0] != chain.hex():
        return ChainCheck(rows, before, f"rows after D-{before} were taken out")
    return ChainCheck(rows, None, "")
