"""How a run did in each kind of market: returns of whole days by what was known of the market before the day began.

The rule: no label looks ahead. A day's label is that of the close before it (`bot/research/regimes.py`), taken from the run's own symbols
by the day; labels may overlap, and need about 90 days before they say anything.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from bot.report import RegimePart
from bot.research.market import Market
from bot.research.regimes import NAMES, regimes
from bot.thinning import PricePath
from feeds.bars import Array
from feeds.times import DAY

LEAST = 20  # days below which a ratio says nothing
UNKNOWN, NEITHER = "not known yet", "none of these"


def by_regime(paths: Mapping[str, PricePath], days: Iterable[tuple[int, float]]) -> tuple[RegimePart, ...]:
    """days: (start of the UTC day, return). Nothing where no day's label is known."""
    market = daily_market(paths)
    if market is None:
        return ()
    found = regimes(market)
    at = np.array([start for start, _ in days], np.int64)
    returns = np.array([value for _, value in days])
    before = (at - market.start_ms) // DAY - 1  # the day whose close is known when this one begins
    inside = (before >= 0) & (before < market.rows)
    row = np.where(inside, before, 0)
    known = found.known[row].all(axis=1) & inside
    flags = found.flags[row] & inside[:, None]
    if not known.any():
        return ()
    parts = [_part(name, returns[known & flags[:, n]]) for n, name in enumerate(NAMES)]
    parts += [_part(NEITHER, returns[known & ~flags.any(axis=1)]), _part(UNKNOWN, returns[~known])]
    return tuple(part for part in parts if part.days)


def daily_market(paths: Mapping[str, PricePath]) -> Market | None:
    """Closes and turnover by UTC day; None where stretches are longer than a day, or there are none."""
    sound = {name: path for name, path in paths.items() if DAY % path.step_ms == 0 and not np.isnan(path.values).all()}
    if not sound:
        return None
    first = min(path.first_ms // DAY for path in sound.values())
    last = max((path.first_ms + path.values.shape[0] * path.step_ms - 1) // DAY for path in sound.values())
    shape = last - first + 1, len(sound)
    close, turnover = np.full(shape, np.nan), np.full(shape, np.nan)
    for column, path in enumerate(sound.values()):
        _fill(path, first, close[:, column], turnover[:, column])
    none = np.zeros(shape)
    return Market(tuple(sound), DAY, first * DAY, close, close, close, close, turnover / close, turnover, none, ~np.isnan(close))


def _fill(path: PricePath, first: int, close: Array, turnover: Array) -> None:
    """The last close and the sum of the turnover of each day."""
    known = np.flatnonzero(~np.isnan(path.values[:, 3]))
    day: NDArray[np.int64] = (path.first_ms + known * path.step_ms) // DAY - first
    heads = np.flatnonzero(np.diff(day, prepend=-1))
    lasts = np.append(heads[1:], day.size) - 1
    close[day[heads]] = path.values[known[lasts], 3]
    turnover[day[heads]] = np.add.reduceat(path.values[known, 4].astype(float), heads)


def _part(name: str, returns: Array) -> RegimePart:
    """sharpe: a year, of these days alone."""
    if not returns.size:
        return RegimePart(name, 0, 0.0, 0.0)
    deviation = float(returns.std(ddof=1)) if returns.size >= LEAST else 0.0
    sharpe = float(returns.mean()) / deviation * math.sqrt(365) if deviation > 1e-14 else None
    return RegimePart(name, int(returns.size), float(np.prod(1.0 + returns) - 1.0), float(returns.mean()), sharpe, float(returns.min()))
