"""What fills lost against their references, taken apart: half the spread, slippage, impact, and how far the price had moved.

The rule: the parts add up to the slippage that the fills say. The first three follow from the settings and the bar's volume as the
fill model has them (docs/fills.md); the move is the rest: from the close that decided, or the trigger of a stop, to the price that was
met, with gaps, latency and the rounding to ticks. A move can be in our favour.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from bot.events import Fill, OrderSide, Purpose
from bot.execution.costs import Costs, Rates
from feeds.bars import Array

Ints = NDArray[np.int64]
Volumes = Callable[[str, Ints], Array]  # of a symbol's bars that close at these instants, base units; NaN where it is not known


class Shortfall(msgspec.Struct, frozen=True):
    """Quote currency, positive was lost."""

    spread: float = 0.0
    slippage: float = 0.0
    impact: float = 0.0
    move: float = 0.0


def shortfall(fills: Iterable[Fill], costs: Costs, volumes: Volumes) -> Shortfall:
    """Take the slippage of fills apart; makers and liquidations pay nothing but the move."""
    rates = Rates.of(costs)
    half, taking = float(rates.half_spread), float(rates.taking)
    whole = met = impact = 0.0
    takers: defaultdict[str, list[Fill]] = defaultdict(list)
    for fill in fills:
        whole += float(fill.slippage)
        if not fill.maker and fill.purpose is not Purpose.LIQUIDATION:
            takers[fill.symbol].append(fill)
    for symbol, found in takers.items():
        quantity = np.array([float(fill.quantity) for fill in found])
        price = np.array([float(fill.price) for fill in found])
        sign = np.array([1.0 if fill.side is OrderSide.BUY else -1.0 for fill in found])
        share = impact_of(rates.impact, quantity, volumes(symbol, np.array([fill.at for fill in found], np.int64)))
        notional = price / (1.0 + sign * (taking + share)) * quantity  # at the price that was touched
        met += float(notional.sum())
        impact += float((notional * share).sum())
    spread, slippage = met * half, met * (taking - half)
    return Shortfall(spread, slippage, impact, whole - spread - slippage - impact)


def impact_of(rate: float, quantity: Array, volume: Array) -> Array:
    """float64[n], fractions: the square-root law as `bot.execution.costs.worsening` has it."""
    known = volume > 0
    part = np.minimum(1.0, np.divide(quantity, volume, out=np.ones_like(quantity), where=known))
    return np.round(rate * np.sqrt(part), 10)


def volumes_of(symbols: Sequence[str], numbers: Sequence[Ints], columns: Sequence[Array], timeframe: int) -> Volumes:
    """From arrays a symbol: absolute bar numbers int64[n], ascending, and volumes float64[n]."""
    place = {symbol: i for i, symbol in enumerate(symbols)}

    def volumes(symbol: str, close_ms: Ints) -> Array:
        number, values = numbers[place[symbol]], columns[place[symbol]]
        wanted = close_ms // timeframe - 1
        row = np.minimum(np.searchsorted(number, wanted), max(0, number.size - 1))
        return np.where(number[row] == wanted, values[row], np.nan) if number.size else np.full(wanted.size, np.nan)

    return volumes
