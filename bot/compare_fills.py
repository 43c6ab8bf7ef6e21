"""Fills of two runs, order by order: the same decision's order is the same order, whatever it is called.

The rule: an order is matched by symbol, purpose, side and the bar whose decision it follows; what is left, by symbol, purpose, side and
time, at most one bar apart. Nothing is matched twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import median

import msgspec
import numpy as np

from bot.compare import Execution, Filled, Fills, Pair
from bot.store.tallies import Traded

WAITING = ("stop_loss", "take_profit", "liquidation")  # what trades when the price comes, not when it is asked for
SHOWN = 12  # pairs, and orders of one run alone, that are told


def filled_orders(fills: Iterable[Traded]) -> list[Filled]:
    """An order each, in order of the first trade."""
    found: dict[str, Filled] = {}
    for fill in fills:
        one = Filled(
            order=fill.order, symbol=fill.symbol, side=fill.side, purpose=fill.purpose, bar_ms=fill.bar_ms, asked_ms=fill.asked_ms,
            first_ms=fill.filled_ms, known_ms=fill.at, quantity=fill.quantity, price=fill.price, fee=fill.fee, slippage=fill.slippage,
        )  # fmt: skip
        found[one.order] = _together(found[one.order], one) if one.order in found else one
    return list(found.values())


def _together(before: Filled, one: Filled) -> Filled:
    """One more trade of the same order; it keeps the times of its first."""
    whole = before.quantity + one.quantity
    return msgspec.structs.replace(
        before, quantity=whole, price=(before.price * before.quantity + one.price * one.quantity) / whole, fee=before.fee + one.fee,
        slippage=before.slippage + one.slippage,
    )  # fmt: skip


def compare_fills(a: Sequence[Filled], b: Sequence[Filled], within_ms: int) -> Fills:
    """Match and measure; within_ms: how far apart the same order may have traded."""
    pairs, rest_a, rest_b = _matched(a, b, _by_decision, None)
    more, rest_a, rest_b = _matched(rest_a, rest_b, _by_kind, within_ms)
    pairs = sorted((*pairs, *more), key=lambda pair: pair.a.first_ms)
    if not pairs:
        return Fills(only_a=len(rest_a), only_b=len(rest_b), alone_a=tuple(rest_a[:SHOWN]), alone_b=tuple(rest_b[:SHOWN]))
    weights = np.array([pair.a.price * pair.a.quantity for pair in pairs])
    worse = np.array([pair.worse_bps for pair in pairs])
    apart = [pair for pair in pairs if round(pair.worse_bps, 2)]
    equal = sum(_done(pair.a) == _done(pair.b) for pair in pairs)
    widest = sorted(apart, key=lambda pair: -abs(pair.worse_bps))[:SHOWN]
    return Fills(
        matched=len(pairs), equal=equal, only_a=len(rest_a), only_b=len(rest_b), worse_bps=float((worse * weights).sum() / weights.sum()),
        median_bps=float(np.median(worse)), size_gap=float(np.mean([abs(pair.b.quantity / pair.a.quantity - 1.0) for pair in pairs])),
        a=execution([pair.a for pair in pairs]), b=execution([pair.b for pair in pairs]), widest=tuple(widest),
        alone_a=tuple(rest_a[:SHOWN]), alone_b=tuple(rest_b[:SHOWN]),
    )  # fmt: skip


def execution(found: Sequence[Filled]) -> Execution:
    """How some orders were executed."""
    traded = sum(one.price * one.quantity for one in found)
    waits = [float(one.first_ms - one.asked_ms) for one in found if one.asked_ms is not None and one.purpose not in WAITING]
    if not traded:
        return Execution()
    return Execution(
        traded, 1e4 * sum(one.fee for one in found) / traded, 1e4 * sum(one.slippage for one in found) / traded,
        median(waits) if waits else None, float(np.quantile(waits, 0.95)) if waits else None,
        float(median(one.known_ms - one.first_ms for one in found)),
    )  # fmt: skip


def _done(one: Filled) -> tuple[float, float, float, int]:
    return one.price, one.quantity, one.fee, one.first_ms


def _by_decision(one: Filled) -> tuple[object, ...]:
    return one.symbol, one.purpose, one.side, one.bar_ms or one.order  # an order that follows from no decision matches by time alone


def _by_kind(one: Filled) -> tuple[object, ...]:
    return one.symbol, one.purpose, one.side


def _matched(
    a: Sequence[Filled], b: Sequence[Filled], key: Callable[[Filled], tuple[object, ...]], within_ms: int | None
) -> tuple[list[Pair], list[Filled], list[Filled]]:
    """Pairs with the same key in order of time, at most `within_ms` apart (None: however far); and what is left of both."""
    waiting: dict[tuple[object, ...], list[Filled]] = defaultdict(list)
    for one in b:
        waiting[key(one)].append(one)
    pairs, rest = list[Pair](), list[Filled]()
    for one in a:
        queue = waiting[key(one)]
        if within_ms is not None:
            while queue and queue[0].first_ms < one.first_ms - within_ms:
                queue.pop(0)
        if queue and (within_ms is None or queue[0].first_ms <= one.first_ms + within_ms):
            other = queue.pop(0)
            sign = 1.0 if one.side == "BUY" else -1.0
            pairs.append(Pair(one, other, sign * 1e4 * (other.price / one.price - 1.0)))
        else:
            rest.append(one)
    taken = {pair.b.order for pair in pairs}
    return pairs, rest, [one for one in b if one.order not in taken]
