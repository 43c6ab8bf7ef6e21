"""Does the score know the return that follows? Information coefficients with a t statistic that may be believed.

The rule: a label is a return that could have been had. The score is known at the close of bar t, so the trade is at the open of
bar t + 1, and the return runs from there to the open of bar t + 2. The time grid is kept: a missing bar removes the
pairs that need it and joins nothing.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from bot.curve import dot
from feeds.bars import Array
from feeds.mapped import Growing, give_back, pieces

LEAST = 20  # pairs: fewer are no evidence
RUN = 1 << 17  # rows that are sorted at once


class SymbolIC(msgspec.Struct, frozen=True):
    """One symbol's coefficients over time, Pearson's and Spearman's, each with its t; None where they cannot be had."""

    symbol: str
    pairs: int
    ic: float | None = None
    ic_t: float | None = None
    rank_ic: float | None = None
    rank_ic_t: float | None = None


class ScoreIC(msgspec.Struct, frozen=True):
    """The mean over the symbols that have a coefficient, and each symbol."""

    ic: float | None
    ic_t: float | None
    rank_ic: float | None
    rank_ic_t: float | None
    by_symbol: tuple[SymbolIC, ...]


def executable_returns(opens: Array) -> Array:
    """opens[t + 2] / opens[t + 1] - 1: what a decision at the close of bar t can earn in one bar.

    opens  float64[T, S]; the last two rows of the result, and rows whose opens are not known, are NaN
    """
    label = np.full(opens.shape, np.nan)
    label[:-2] = opens[2:] / opens[1:-1] - 1.0
    return label


def information_coefficient(scores: Array, opens: Array, symbols: tuple[str, ...]) -> ScoreIC:
    """IC and rank IC of scores with the executable return of the next bar.

    scores, opens  float64[T, S]. The t statistic is mean / standard error of the products of standardised score and
    return, the error by Newey and West (1987) with floor(4 (n / 100)^(2/9)) lags; across symbols the products are added at
    each bar first, so that symbols which move together are not counted as independent.
    """
    if scores.shape != opens.shape or scores.shape[1] != len(symbols):
        raise ValueError(f"scores {scores.shape} and opens {opens.shape} must both be [bars, {len(symbols)} symbols]")
    plain = [_Plain(scores, opens, s) for s in range(len(symbols))]
    of_values = _coefficients(scores.shape[0], plain)
    of_ranks = _coefficients(scores.shape[0], [_Ranked(scores.shape[0], pairs) for pairs in plain])
    each = tuple(
        SymbolIC(name, count, *value, *rank) for name, (count, *value), (_, *rank) in zip(symbols, of_values[1], of_ranks[1], strict=True)
    )
    return ScoreIC(*of_values[0], *of_ranks[0], each)


Pieces = tuple[Array, Array]
Figures = tuple[float | None, float | None]


class _Pairs(Protocol):
    """Score and label of one symbol over the rows [begin, end), NaN in both where one of them is not known."""

    def piece(self, begin: int, end: int) -> Pieces: ...


class _Plain:
    def __init__(self, scores: Array, opens: Array, symbol: int) -> None:
        self._scores, self._opens, self._symbol = scores, opens, symbol

    def piece(self, begin: int, end: int) -> Pieces:
        x = self._scores[begin:end, self._symbol]
        y = executable_returns(self._opens[begin : end + 2, self._symbol])[: end - begin]
        known = np.isfinite(x) & np.isfinite(y)
        both = np.where(known, x, np.nan), np.where(known, y, np.nan)
        give_back(self._scores, self._opens)
        return both


class _Ranked:
    """Ranks from 1 among the known, ties get their mean."""

    def __init__(self, rows: int, pairs: _Pairs) -> None:
        self._columns = _ranks(rows, pairs, 0), _ranks(rows, pairs, 1)

    def piece(self, begin: int, end: int) -> Pieces:
        x, y = (column[begin:end].copy() for column in self._columns)
        give_back(*self._columns)
        return x, y


def _ranks(rows: int, pairs: _Pairs, side: int) -> Array:
    """Sorted run by run: the rank of a value is how many of all runs are below it, and half of its equals."""
    runs = [(begin, min(rows, begin + RUN)) for begin in range(0, rows, RUN)]
    ordered, ends = Growing(np.float64), []
    for begin, end in runs:
        values = pairs.piece(begin, end)[side]
        ordered.append(np.sort(values[~np.isnan(values)]))
        ends.append(ordered.rows)
    whole, ranks = ordered.array(), Growing(np.float64)
    for begin, end in runs:
        values = pairs.piece(begin, end)[side]
        known = ~np.isnan(values)
        different, place, times = np.unique(values[known], return_inverse=True, return_counts=True)
        twice = 1.0 + 2.0 * np.cumsum(times) - times  # among its own run
        for run, start, stop in zip(runs, [0, *ends], ends, strict=False):
            if run != (begin, end):
                twice += np.searchsorted(whole[start:stop], different, "left")
                twice += np.searchsorted(whole[start:stop], different, "right")
                give_back(whole)
        out = np.full(values.shape, np.nan)
        out[known] = twice[place] / 2.0
        ranks.append(out)
    return ranks.array()


class _Standard(NamedTuple):
    """What standardises one symbol's pairs, and their coefficient."""

    pairs: int
    means: tuple[float, float]
    deviations: tuple[float, float]
    coefficient: float

    def influence(self, rows: int, both: Pieces) -> Array:
        """At each bar: z_x z_y less the coefficient, times T / n, zero where not known."""
        (x, y), (mx, my), (dx, dy) = both, self.means, self.deviations
        products = ((x - mx) / dx) * ((y - my) / dy) - self.coefficient
        return np.where(np.isnan(products), 0.0, products) * (rows / self.pairs)


def _standard(rows: int, pairs: _Pairs) -> tuple[int, _Standard | None]:
    """How many pairs there are; None with too few of them, or where one side is constant."""
    sums, powers = [(0.0, 0.0, 0.0)], [(0.0, 0.0, 0.0)]
    for begin, end in pieces(rows):
        x, y = (side[~np.isnan(side)] for side in pairs.piece(begin, end))
        sums.append((float(x.size), float(x.sum()), float(y.sum())))
    count, mean_x, mean_y = (math.fsum(column) for column in zip(*sums, strict=True))
    if count < LEAST:
        return int(count), None
    mean_x, mean_y = mean_x / count, mean_y / count
    largest = [0.0, 0.0]
    for begin, end in pieces(rows):
        x, y = (side[~np.isnan(side)] for side in pairs.piece(begin, end))
        largest = [max(most, float(np.abs(side).max(initial=0.0))) for most, side in zip(largest, (x, y), strict=True)]
        x, y = x - mean_x, y - mean_y
        powers.append((dot(x, x), dot(y, y), dot(x, y)))
    xx, yy, xy = (math.fsum(column) / count for column in zip(*powers, strict=True))
    deviations = math.sqrt(xx), math.sqrt(yy)
    if not all(deviation > 1e-12 * most for deviation, most in zip(deviations, largest, strict=True)):
        return int(count), None
    return int(count), _Standard(int(count), (mean_x, mean_y), deviations, xy / deviations[0] / deviations[1])


def _coefficients(rows: int, symbols: Sequence[_Pairs]) -> tuple[Figures, list[tuple[int, float | None, float | None]]]:
    """The mean coefficient of the symbols that have one, and its t; and for each symbol the pairs, its coefficient and its t."""
    found = [_standard(rows, pairs) for pairs in symbols]
    there = sum(standard is not None for _, standard in found)
    each = [Lags(rows) for _ in symbols]
    total = Lags(rows) if len(symbols) > 1 else each[0]
    for begin, end in pieces(rows if there else 0):
        together = np.zeros(end - begin)
        for (_, standard), pairs, lags in zip(found, symbols, each, strict=True):
            if standard is not None:
                influence = standard.influence(rows, pairs.piece(begin, end))
                lags.add(influence)
                together += influence
        if total is not each[0]:
            total.add(together / there)
    by_symbol: list[tuple[int, float | None, float | None]] = [
        (count, None, None) if standard is None else (count, standard.coefficient, _t(standard.coefficient, lags))
        for (count, standard), lags in zip(found, each, strict=True)
    ]
    if not there:
        return (None, None), by_symbol
    mean = math.fsum(standard.coefficient for _, standard in found if standard is not None) / there
    return (mean, _t(mean, total)), by_symbol


def _t(mean: float, lags: "Lags") -> float | None:
    error = lags.error()
    return mean / error if error > 1e-12 else None


class Lags:
    """Autocovariances of a series with mean zero that comes in pieces.

    Newey and West (1987), Bartlett weights 1 - l / (L + 1), L = floor(4 (T / 100)^(2/9)) as in Newey and West (1994).
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._most = max(0, min(rows - 1, math.floor(4.0 * math.pow(rows / 100.0, 2.0 / 9.0))))
        self._sums: list[list[float]] = [[] for _ in range(self._most + 1)]
        self._before = np.empty(0)

    def add(self, values: Array) -> None:
        """The next float64[n] of the series."""
        joined = np.concatenate([self._before, values])
        for lag, sums in enumerate(self._sums):
            first = max(self._before.size, lag)
            if first < joined.size:
                sums.append(dot(joined[first:], joined[first - lag : joined.size - lag]))
        self._before = joined[max(0, joined.size - self._most) :].copy()

    def error(self) -> float:
        """Standard error of the mean."""
        weights = (1.0 if lag == 0 else 2.0 * (1.0 - lag / (self._most + 1.0)) for lag in range(self._most + 1))
        total = math.fsum(weight * math.fsum(sums) for weight, sums in zip(weights, self._sums, strict=True))
        return math.sqrt(max(total, 0.0)) / self._rows if self._rows else 0.0


def newey_west(values: Array) -> float:
    """Standard error of the mean of float64[T] with mean zero, robust to autocorrelation; see Lags."""
    lags = Lags(values.shape[0])
    for begin, end in pieces(values.shape[0]):
        lags.add(values[begin:end])
    return lags.error()
