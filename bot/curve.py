"""A curve of equity gone through in pieces, so that a year of minutes costs the memory of an hour.

The rule: pieces lie on a grid of their own, from the first row on, so that a figure has the same bits however the curve came about.
Sums are exact within rounding: those of the pieces are added by `math.fsum`.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.bars import Array
from feeds.mapped import give_back, pieces
from feeds.times import DAY


def dot(a: Array, b: Array) -> float:
    """Sum of products, without the threads of a linear algebra library: they would wait for each other over so little."""
    return float(np.einsum("i,i->", a, b))


class Curve(NamedTuple):
    """start: equity before the first bar; equity float64[T] at each close."""

    start: float
    equity: Array

    def steps(self) -> Iterator[tuple[int, Array, Array]]:
        """(first row, equity before, equity after) of consecutive pieces."""
        last = self.start
        for begin, end in pieces(self.equity.shape[0]):
            after = self.equity[begin:end]
            yield begin, np.concatenate([[last], after[:-1]]), after
            last = float(after[-1])
            give_back(self.equity)

    @property
    def end(self) -> float:
        """The last equity."""
        return float(self.equity[-1]) if self.equity.shape[0] else self.start


class Returns(NamedTuple):
    """Of bar returns: how many there are, win and lose, what winners and losers add up to, and the mean.

    spread, cubed, fourth  mean powers 2, 3 and 4 of the distance from the mean;  below  mean square of the negative ones
    """

    bars: int
    won: int
    lost: int
    gain: float
    loss: float
    mean: float
    spread: float
    cubed: float
    fourth: float
    below: float


def returns_of(curve: Curve) -> Returns | None:
    """None where equity before a bar is not above zero: then there are no returns."""
    sums: list[tuple[float, ...]] = []
    for _, before, after in curve.steps():
        if not (before > 0).all():
            return None
        returns = after / before - 1.0
        won, lost = returns[returns > 0], returns[returns < 0]
        sums.append((returns.size, won.size, lost.size, float(won.sum()), float(lost.sum()), float(returns.sum()), dot(lost, lost)))
    count, won_, lost_, gain, loss, total, below = (math.fsum(column) for column in zip(*sums, strict=True))
    mean = total / count
    powers: list[tuple[float, ...]] = []
    for _, before, after in curve.steps():
        centred = after / before - 1.0 - mean
        square = centred * centred
        powers.append((float(square.sum()), dot(square, centred), dot(square, square)))
    spread, cubed, fourth = (math.fsum(column) / count for column in zip(*powers, strict=True))
    return Returns(int(count), int(won_), int(lost_), gain, loss, mean, spread, cubed, fourth, below / count)


class Fall(NamedTuple):
    """The deepest fall from a peak, a fraction <= 0, from row `begin` to row `end`; -1 is the start, None: it never fell.

    longest  bars below a peak, until it was reached again or the end
    """

    depth: float
    begin: int | None
    end: int | None
    longest: int


def fall_of(curve: Curve) -> Fall | None:
    """None without a bar, or where it starts with nothing."""
    if curve.start <= 0 or not curve.equity.shape[0]:
        return None
    peak, at_peak, longest = curve.start, -1, 0
    depth, begin, end = 0.0, -1, -1
    for first, _, after in curve.steps():
        peaks = np.maximum(np.maximum.accumulate(after), peak)
        falls = after / peaks - 1.0
        reached = np.flatnonzero(after == peaks) + first
        lowest = int(falls.argmin())
        if falls[lowest] < depth:
            depth, end = float(falls[lowest]), first + lowest
            earlier = np.searchsorted(reached, end)
            begin = int(reached[earlier - 1]) if earlier else at_peak
        if reached.size:
            waits = np.diff(reached, prepend=at_peak)
            longest = max(longest, int(waits[waits > 1].max(initial=0)))
            at_peak = int(reached[-1])
        peak = float(peaks[-1])
    longest = max(longest, curve.equity.shape[0] - 1 - at_peak)
    return Fall(depth, begin, end, longest) if depth < 0 else Fall(0.0, None, None, 0)


def days_of(curve: Curve, timeframe: int, first_close_ms: int) -> tuple[NDArray[np.int64], Array, NDArray[np.int64]]:
    """UTC days touched (their start, milliseconds), the return within each, and how many bars closed in it.

    A bar that closes at midnight belongs to the day before.   int64[D], float64[D], int64[D]
    """
    rows = curve.equity.shape[0]
    first, last = (first_close_ms - 1) // DAY, (first_close_ms + (rows - 1) * timeframe - 1) // DAY
    days = np.arange(first, last + 1, dtype=np.int64)
    ends = np.minimum((days + 1) * DAY - first_close_ms, (rows - 1) * timeframe) // timeframe  # the last row of each day
    touched = np.diff(ends, prepend=-1) > 0
    days, ends = days[touched], ends[touched]
    values = curve.equity[ends]
    give_back(curve.equity)
    return days * DAY, values / np.concatenate([[curve.start], values[:-1]]) - 1.0, np.diff(ends, prepend=-1)
