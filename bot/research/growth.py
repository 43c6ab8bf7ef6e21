"""Errors of what follows from a whole path: growth, the profit factor, the deepest fall, and growth over fall.

The rule: values are those of `performance`; here they get their errors, by the delta method where a figure is smooth, by the stationary
bootstrap where it is not.
"""

import math

import numpy as np

from bot.research.estimates import (
    CHUNK,
    Bootstrap,
    Estimate,
    bootstrapped,
    default_block,
    estimate,
    newey_west,
    ratio_of_means,
    stationary_indices,
)  # fmt: skip
from bot.research.performance import LONGEST_PATH, Performance
from feeds.bars import Array
from feeds.times import YEAR


def with_errors(worth: Performance, returns: Array, timeframe: int, draws: int = 0, seed: int = 0) -> dict[str, Estimate]:
    """total_return, annual_return, profit_factor, max_drawdown and calmar, each with its error.

    returns  float64[T], those that `worth` was measured on
    draws    of the bootstrap for the last two; 0: they have no error

    A growth of exp(n g) - 1, g the mean log return, has the error exp(n g) n error(g); the profit factor is a ratio of means.
    """
    count = returns.size
    found = {name: Estimate(getattr(worth, name), n=count) for name in ("total_return", "annual_return", "max_drawdown", "calmar")}
    found["profit_factor"] = Estimate(worth.profit_factor, n=count)
    if count == 0 or not (returns > -1.0).all():
        return found
    rate = newey_west(np.log1p(returns))
    for name, bars in (("total_return", count), ("annual_return", YEAR / timeframe)):
        value = found[name].value
        found[name] = estimate(value, (1.0 + value) * bars * rate.error, count)
    if worth.profit_factor == worth.profit_factor:
        factor = ratio_of_means(np.maximum(returns, 0.0), np.maximum(-returns, 0.0))
        found["profit_factor"] = estimate(worth.profit_factor, factor.error, count)
    fall = worth.max_drawdown_bootstrap
    found["max_drawdown"] = estimate(worth.max_drawdown, fall.error, count)
    if draws and worth.calmar == worth.calmar:
        found["calmar"] = estimate(worth.calmar, calmar_bootstrap(returns, timeframe, worth.calmar, draws, seed).error, count)
    return found


def calmar_bootstrap(returns: Array, timeframe: int, value: float, draws: int, seed: int = 0) -> Bootstrap:
    """Annual growth over the deepest fall, over stationary resamples of the bars; resamples that never fall are left out.

    A book of more than 5,000 bars is cut into so many stretches, and falls are seen at their ends alone.
    """
    every = math.ceil(returns.size / LONGEST_PATH)
    logs = np.log1p(returns)
    stretches = np.add.reduceat(logs, np.arange(0, logs.size, every))
    block = max(1.0, default_block(returns) / every)
    years = returns.size * timeframe / YEAR
    step = max(1, CHUNK // stretches.size)
    parts = []
    for begin in range(0, draws, step):
        paths = stretches[stationary_indices(stretches.size, block, min(step, draws - begin), seed + begin)].cumsum(axis=1)
        falls = -np.expm1((paths - np.maximum(np.maximum.accumulate(paths, axis=1), 0.0)).min(axis=1))
        grown = np.expm1(np.minimum(paths[:, -1] / years, 700.0))
        parts.append(np.where(falls > 0, grown / np.where(falls > 0, falls, 1.0), np.nan))
    found = np.concatenate(parts)
    return bootstrapped(value, found[np.isfinite(found)], block * every)
