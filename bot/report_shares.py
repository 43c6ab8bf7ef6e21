"""Who earned it: the profit of each closed round trip, shared among the signals that opened it.

The rule: nothing is lost. The shares of the signals and what is named beside them add up to the change of the account.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bot.report import SignalPart
from bot.trips import RoundTrip

OPEN = "open positions"  # what they have realised and what they are worth beyond their entry
UNSIGNED = "trades without a signal"  # opened by the operator, a limit, or a strategy that weighs none
NOTHING = 1e-12
EVEN = "signals that cancelled out"  # a score of zero cannot be shared


class Shares(NamedTuple):
    """By signal, the most believed first; and (name, amount) of what belongs to none."""

    signals: tuple[SignalPart, ...]
    remainder: tuple[tuple[str, float], ...]


def shares_of(trips: Sequence[RoundTrip], entries: Mapping[str, Mapping[str, float]], change: float) -> Shares:
    """Share each trip's profit by contribution / score.

    entries  order -> signal -> contribution to the decision behind it;  change  of the equity over the run, quote currency
    """
    sizes: dict[str, list[float]] = defaultdict(list)
    profits: dict[str, float] = defaultdict(float)
    rest = dict.fromkeys((OPEN, UNSIGNED, EVEN), 0.0)
    for trip in trips:
        parts = entries.get(trip.order_id, {})
        whole = sum(parts.values())
        for name, contribution in parts.items():
            sizes[name].append(abs(contribution))
            if trip.exit_ms is not None and abs(whole) > NOTHING:
                profits[name] += float(trip.pnl) * contribution / whole
        if trip.exit_ms is not None and abs(whole) <= NOTHING:
            rest[EVEN if parts else UNSIGNED] += float(trip.pnl)
    rest[OPEN] = change - sum((float(trip.pnl) for trip in trips if trip.exit_ms is not None), 0.0)
    found = [SignalPart(name, len(each), sum(each) / len(each), profits[name]) for name, each in sizes.items()]
    remainder = tuple((name, amount) for name, amount in rest.items() if abs(amount) > 1e-9)
    return Shares(tuple(sorted(found, key=lambda part: (-part.size * part.entries, part.name))), remainder)
