"""What one factor knew, over any rows: computed once for all bars, then looked at by slice, by regime and by fold.

The rule: rows that are not asked for are not known; the grid of time stays, so that nothing is joined over a gap.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from bot.research.decay import Decay, half_life_of
from bot.research.estimates import Bootstrap, Estimate, mean_to_deviation, newey_west
from bot.research.ic import Evidence as Kind
from bot.research.ic import coverage, hit_rate, ic_series, information, time_ic
from bot.research.splits import Slice
from feeds.bars import Array

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]
Figure = Estimate | Bootstrap | float | int
Figures = dict[str, Figure]
NAMES = ("ic", "rank_ic", "icir", "rank_icir", "hit_rate", "autocorrelation", "coverage")


class Evidence:
    """A factor's values beside what could be earned. `of` makes them.

    values  float64[T, S], NaN where a symbol could not be traded;  labels  float64[T, S], over `horizon` bars
    period  bars between decisions;  tradable  bool[T, S]
    series  IC, rank IC and likeness across symbols at each bar, float64[T]; None: evidence is that of each symbol over time
    """

    def __init__(
        self, values: Array, labels: Array, tradable: Mask, horizon: int, period: int, series: tuple[Array, Array, Array] | None
    ) -> None:  # fmt: skip
        self.values, self.labels, self.tradable, self.horizon, self.period = values, labels, tradable, horizon, period
        self._sign = 1.0
        self._series = series

    @classmethod
    def of(
        cls, values: Array, labels: Array, tradable: Mask, kind: Kind, horizon: int, period: int, decisions: Rows
    ) -> "list[Evidence]":  # fmt: skip
        """Of many factors at once: what the labels need is done once.

        values  float64[F, T, S];  decisions  int64[N], the rows at which is decided: the likeness of values is that from one to the next
        """
        if kind == "over_time":
            return [cls(each, labels, tradable, horizon, period, None) for each in values]
        again = np.full(values.shape[:2], np.nan)
        for i, each in enumerate(values):
            again[i, decisions[1:]] = ic_series(each[decisions[1:]], each[decisions[:-1]])
        every = zip(ic_series(values, labels, rank=False), ic_series(values, labels), again, strict=True)
        return [cls(each, labels, tradable, horizon, period, series) for each, series in zip(values, every, strict=True)]

    def signed(self, direction: int) -> "Evidence":
        """The same of the factor times +1 or -1."""
        other = object.__new__(Evidence)
        other.__dict__.update(self.__dict__)
        other.values, other._sign = self.values * direction, self._sign * direction
        return other

    def rank_ic(self, part: Slice) -> Estimate:
        """Over the rows of a slice."""
        rows = slice(part.start, part.stop)
        if self._series is None:
            return time_ic(self.values[rows], self.labels[rows], horizon=self.horizon).mean
        return newey_west(self._series[1][rows] * self._sign, horizon=self.horizon)

    def figures(self, rows: Mask) -> Figures:
        """Every coefficient, over the rows that are marked.   bool[T]"""
        low, high = int(np.argmax(rows)), rows.size - int(np.argmax(rows[::-1]))
        inside = rows[low:high, None]
        values, tradable = np.where(inside, self.values[low:high], np.nan), self.tradable[low:high] & inside
        if self._series is None:
            found = information(values, self.labels[low:high], self.horizon, listed=tradable, evidence="over_time", period=self.period)
            return {name: getattr(found, name) for name in NAMES}
        plain, ranked, again = (np.where(rows, series, np.nan)[low:high] for series in self._series)
        plain, ranked = plain * self._sign, ranked * self._sign
        found_: dict[str, Figure] = {
            "ic": newey_west(plain, horizon=self.horizon), "rank_ic": newey_west(ranked, horizon=self.horizon),
            "icir": mean_to_deviation(plain, horizon=self.horizon), "rank_icir": mean_to_deviation(ranked, horizon=self.horizon),
            "hit_rate": hit_rate(ranked, self.horizon), "autocorrelation": newey_west(again), "coverage": coverage(values, tradable),
        }  # fmt: skip
        return found_


def decay_of(values: Array, labels: Sequence[Array], horizons: Sequence[int], kind: Kind) -> Decay:
    """The coefficients with each horizon's labels, and the half-life fitted to them.

    values  float64[T, S];  labels  float64[T, S] for each horizon
    """
    plain: list[Estimate] = []
    ranked: list[Estimate] = []
    for horizon, label in zip(horizons, labels, strict=True):
        for rank, found in ((False, plain), (True, ranked)):
            if kind == "across":
                found.append(newey_west(ic_series(values, label, rank=rank), horizon=horizon))
            else:
                found.append(time_ic(values, label, rank=rank, horizon=horizon).mean)
    half_life, peak = half_life_of(horizons, ranked)
    return Decay(kind, tuple(horizons), tuple(plain), tuple(ranked), half_life, peak)


def relative(values: Array) -> Array:
    """Values less the mean of those known at the same bar: what a market-neutral book of few symbols sees; NaN where one is alone."""
    known = np.isfinite(values)
    count = known.sum(axis=1, keepdims=True)
    less: Array = values - np.where(known, values, 0.0).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    return np.where(known & (count > 1), less, np.nan)


class Part(msgspec.Struct, frozen=True):
    """A stretch of bars and its figures: from the open of the first bar to the close of the last, UTC milliseconds."""

    start: int
    stop: int
    bars: int
    metrics: Figures


class FoldFigures(msgspec.Struct, frozen=True):
    """One step of a walk forward: the sign found before it, and the rank IC in it with that sign."""

    start: int
    stop: int
    direction: int
    rank_ic: Estimate
