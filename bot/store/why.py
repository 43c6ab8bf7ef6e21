"""Why there was no trade: every bar of every symbol gets one reason.

A decision with a refusal has its code, HOLD its own reason. LONG or SHORT from which nothing followed is explained by what stood at
that moment: the position, a refusal that is told once for as long as the trading state or the cool-down lasts, an order under way.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from bot.events import Denial, OrderSide, Purpose
from bot.store.rows import WhyNot, money
from strategies.events import Side

HELD, LONG_ONLY = "already_in_position", "long_only"
_ROWS = (
    "SELECT at, bar_ms, until_ms, bars, symbol, side, reason,"
    " EXISTS (SELECT 1 FROM orders AS o WHERE o.run = d.run AND o.cause = d.seq),"
    " (SELECT code FROM refusals AS r INDEXED BY refusals_by_cause WHERE r.run = d.run AND r.cause = d.seq LIMIT 1) FROM decisions AS d"
)
_ENDED = ("FILLED", "CANCELLED", "REJECTED", "EXPIRED")


class Span(NamedTuple):
    """Bar closes, both included (None: unbounded), and the time between them in milliseconds."""

    since: int | None
    until: int | None
    timeframe: int


def why_not(conn: sqlite3.Connection, run: str, where: str, values: tuple[Any, ...], span: Span) -> WhyNot:  # whatever SQLite takes
    """Count the decisions that `where` selects; merged rows by their bars."""
    traded, counts = 0, dict[str, int]()
    standing: dict[str, _Standing] = {}
    for at, bar_ms, until_ms, bars, symbol, side, reason, ordered, code in conn.execute(f"{_ROWS} {where}", values):
        inside = _inside((bar_ms, until_ms, bars), span)
        if ordered:
            traded += inside
        elif code is not None or side == Side.HOLD:
            told = reason if code is None else code
            counts[told] = counts.get(told, 0) + inside
        else:
            known = standing.get(symbol)
            if known is None:
                known = standing[symbol] = _Standing(conn, run, symbol)
            for told, count in known.reasons(side, at, (bar_ms, until_ms, bars), span):
                counts[told] = counts.get(told, 0) + count
    ranked = dict(sorted(((told, count) for told, count in counts.items() if count), key=lambda item: (-item[1], item[0])))
    return WhyNot(traded + sum(ranked.values()), traded, ranked)


Row = tuple[int, int, int]  # bar_ms, until_ms, bars


class _Standing:
    """What stood when, for one symbol: its position, its last standing refusal, its orders under way."""

    def __init__(self, conn: sqlite3.Connection, run: str, symbol: str) -> None:
        self.fill_at, self.signs = [0], [0]
        held = Decimal(0)
        for at, side, quantity in conn.execute(
            "SELECT at, side, quantity FROM fills WHERE run = ? AND symbol = ? ORDER BY seq", (run, symbol)
        ):
            held += money(quantity) if side == OrderSide.BUY else -money(quantity)
            self.fill_at.append(at)
            self.signs.append((held > 0) - (held < 0))
        self.refusals = conn.execute(
            "SELECT at, seq, code FROM refusals WHERE run = ? AND symbol = ? AND code IN (?, ?) ORDER BY seq",
            (run, symbol, Denial.HALTED.value, Denial.REDUCING.value),
        ).fetchall()
        cools = conn.execute(
            "SELECT at FROM refusals WHERE run = ? AND symbol = ? AND code = ? ORDER BY seq", (run, symbol, Denial.COOL_DOWN.value)
        )
        self.cools = [at for (at,) in cools]
        self.moves = conn.execute("SELECT at, seq FROM states WHERE run = ? ORDER BY seq", (run,)).fetchall()
        self.orders = conn.execute(
            f"SELECT at, CASE WHEN status IN ({', '.join('?' * len(_ENDED))}) THEN updated_ms ELSE {2**62} END FROM orders"
            " WHERE run = ? AND symbol = ? AND purpose NOT IN (?, ?) ORDER BY seq",
            (*_ENDED, run, symbol, Purpose.STOP_LOSS.value, Purpose.TAKE_PROFIT.value),
        ).fetchall()

    def reasons(self, side: str, at: int, row: Row, span: Span) -> Iterator[tuple[str, int]]:
        """(reason, bars) of a silent row, cut where the position changes under it."""
        total, done = _inside(row, span), 0
        place = bisect_right(self.fill_at, at)
        while place < len(self.fill_at) and self.fill_at[place] <= row[1]:
            change = self.fill_at[place]
            before = min(total, _inside(row, span._replace(until=_least(span.until, change - 1))))
            yield self._reason(side, at), before - done
            at, done, place = change, before, place + 1
        yield self._reason(side, at), total - done

    def _reason(self, side: str, at: int) -> str:
        sign = 1 if side == Side.LONG else -1
        if self.signs[bisect_right(self.fill_at, at) - 1] == sign:
            return HELD
        refused = self._refused(at)
        if refused is not None:
            return refused
        if not self.signs[bisect_right(self.fill_at, at) - 1] and self._cools(at):
            return Denial.COOL_DOWN.value
        asked = bisect_right(self.orders, at, key=_at)  # one order at a time for each symbol: the newest is the one
        if asked and at < self.orders[asked - 1][1]:
            return Denial.PENDING.value
        return LONG_ONLY if sign < 0 else HELD

    def _cools(self, at: int) -> bool:
        """A cool-down was told since the position ended: it is told once for each direction."""
        place = bisect_right(self.cools, at)
        return bool(place) and self.cools[place - 1] >= self.fill_at[bisect_right(self.fill_at, at) - 1]

    def _refused(self, at: int) -> str | None:
        place = bisect_right(self.refusals, at, key=_at)
        if not place:
            return None
        _, seq, code = self.refusals[place - 1]
        moved = bisect_right(self.moves, at, key=_at)
        return str(code) if not moved or self.moves[moved - 1][1] < seq else None


def _inside(row: Row, span: Span) -> int:
    """How many of a row's bars close within the span, when they follow one another without gaps."""
    bar_ms, until_ms, bars = row
    first = bar_ms if span.since is None else max(bar_ms, span.since)
    last = until_ms if span.until is None else min(until_ms, span.until)
    if (first, last) == (bar_ms, until_ms):
        return bars
    if span.timeframe <= 0:
        return bars if first <= last else 0
    skipped = -((bar_ms - first) // span.timeframe) - ((last - until_ms) // span.timeframe)
    return max(0, min(bars, bars - skipped))


def _at(row: Sequence[Any]) -> int:  # a row whose first value is its moment
    return int(row[0])


def _least(bound: int | None, other: int) -> int:
    return other if bound is None else min(bound, other)
