"""What kind of market it was, by what was known then: bull, bear, high volatility, low liquidity.

The rule: the label of a bar uses that bar and those before it. A statistic is compared with its own trailing year, never with the whole
sample, so that more data change no label that was given.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.research.market import Market
from bot.research.values import X, over_time
from feeds.bars import Array
from feeds.times import DAY
from strategies.factors import call

Mask = NDArray[np.bool_]
NAMES = ("bull", "bear", "high_volatility", "low_liquidity")
TREND = 30  # days of the trend and of the volatility
LIQUIDITY = 7  # days of the turnover
YEAR, LEAST = 365, 60  # days that a day is compared with, and how many of them have to be known
UPPER, LOWER = 2 / 3, 1 / 3


class Regimes(NamedTuple):
    """flags  bool[T, 4] in the order of NAMES; known  bool[T, 4], whether there was enough past to say so"""

    flags: Mask
    known: Mask

    def rows(self, name: str) -> Mask:
        """bool[T], whether it was so at the close of each bar."""
        return np.asarray(self.flags[:, NAMES.index(name)])


def regimes(market: Market) -> Regimes:
    """The labels at each close, of the market as a whole: the mean of its listed symbols.

    bull             the return of the last 30 days is above zero and above its median of the last year
    bear             below zero and below the median
    high_volatility  the volatility of the last 30 days is in the upper third of the last year's
    low_liquidity    the mean turnover of a symbol over the last 7 days is in the lowest third of the last year's
    Statistics are taken when a UTC day is over (each bar, where bars are longer) and hold until the next is.
    """
    period = max(1, DAY // market.timeframe)
    bars = market.first + np.arange(market.rows)
    days = bars // period - market.first // period
    last = int(days[-1]) + 1 if market.rows else 0
    returns = _index_returns(market)
    columns = np.stack([_by_day(returns, days, last), _by_day(returns * returns, days, last), _by_day(_turnover(market), days, last)], 1)
    columns[:, 2] /= np.maximum(_by_day(np.ones(market.rows), days, last), 1.0)
    day = market.first // period
    sums = over_time(columns, {"trend": call("roll_sum", X, TREND, TREND), "week": call("roll_mean", X, LIQUIDITY, LIQUIDITY)}, DAY, day)
    figures = np.stack([sums["trend"][:, 0], sums["trend"][:, 1], sums["week"][:, 2]], axis=1)
    place = over_time(figures, {"place": call("roll_rank", X, YEAR, LEAST)}, DAY, day)["place"]
    median = over_time(figures, {"median": call("roll_median", X, YEAR, LEAST)}, DAY, day)["median"]
    trend, usual = figures[:, 0], median[:, 0]
    with np.errstate(invalid="ignore"):
        flags = np.stack([(trend > 0) & (trend > usual), (trend < 0) & (trend < usual), place[:, 1] > UPPER, place[:, 2] <= LOWER], axis=1)
    known = ~np.isnan(place[:, [0, 0, 1, 2]])
    over = (bars + 1) // period - market.first // period - 1  # the last day that is over at each close
    early = over < 0
    at = np.where(early, 0, over)
    return Regimes(flags[at] & known[at] & ~early[:, None], known[at] & ~early[:, None])


def _index_returns(market: Market) -> Array:
    """float64[T]: the mean log return from close to close of the listed symbols that have both; 0 where none has."""
    out = np.zeros(market.rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = np.log(market.close[1:] / market.close[:-1])
    known = np.isfinite(moves) & market.listed[1:] & market.listed[:-1]
    out[1:] = np.where(known, moves, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return out


def _turnover(market: Market) -> Array:
    """float64[T]: the mean traded value of the listed symbols that have a bar."""
    money = np.where(np.isnan(market.turnover), market.volume * market.close, market.turnover)
    known = np.isfinite(money) & market.listed
    return np.asarray(np.where(known, money, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _by_day(values: Array, days: NDArray[np.int64], count: int) -> Array:
    """The sum of each day."""
    return np.bincount(days, weights=values, minlength=count).astype(np.float64)
