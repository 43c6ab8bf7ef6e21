"""What the symbols that a factor ranks high earn, against those that it ranks low.

The rule: which group a symbol is in follows from its rank alone, by floor((rank - 1/2) / m x n) of m known values and n groups, so that
equal values share a group. Few symbols make few groups, and say so; below two there are none.
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from bot.research.estimates import Estimate, default_block, estimate, long_run_error, newey_west, stationary_sums
from bot.research.ic import Evidence, evidence_of
from bot.research.labels import Mask
from bot.research.ranks import centred_ranks, ranks
from feeds.bars import Array

QUANTILES = 5
NONE = -1  # the group of what is not known

Groups = NDArray[np.int8]


class Quantiles(msgspec.Struct, frozen=True):
    """Mean returns by group, lowest values first.

    count         how many groups there are: fewer than asked for where the symbols are few
    means         the mean over bars of the mean label of a group
    spread        highest less lowest group
    monotonicity  Spearman's correlation of the groups' places with their means
    turnover      for each group the share of its names that were not in it the bar before
    """

    evidence: Evidence
    horizon: int
    count: int
    means: tuple[Estimate, ...]
    spread: Estimate
    monotonicity: Estimate
    turnover: tuple[Estimate, ...]


def groups(values: Array, count: int, evidence: Evidence = "across", labels: Array | None = None) -> Groups:
    """The group, 0 (low) to count - 1, of each value among its bar's (across) or its symbol's (over_time); -1 where there is none.

    A bar with fewer known values than groups has no groups. Over time the whole sample is ranked: this describes, it is no rule to
    trade by.   float64[T, S] -> int8[T, S]
    """
    there = values if labels is None else np.where(np.isfinite(labels), values, np.nan)
    across = there if evidence == "across" else there.T
    known = np.isfinite(across)
    sizes = known.sum(axis=1, keepdims=True)
    usable = known & (sizes >= count)
    share = (ranks(across) - 0.5) / np.maximum(sizes, 1) * count
    out = np.where(usable, np.floor(np.where(usable, share, 0.0) + 1e-9), NONE).astype(np.int8)
    return out if evidence == "across" else np.ascontiguousarray(out.T)


def group_returns(chosen: Groups, labels: Array, count: int) -> Array:
    """The mean label of each group at each bar, NaN where a group is empty.   int8[T, S], float64[T, S] -> float64[T, count]"""
    out = np.full((labels.shape[0], count), np.nan)
    for group in range(count):
        inside = (chosen == group) & np.isfinite(labels)
        size = inside.sum(axis=1)
        some = size > 0
        out[some, group] = np.where(inside, labels, 0.0).sum(axis=1)[some] / size[some]
    return out


def quantile_returns(
    values: Array, labels: Array, count: int = QUANTILES, horizon: int = 1, *, evidence: Evidence | None = None, demean: bool = False,
    draws: int = 500, seed: int = 0,
) -> Quantiles:  # fmt: skip
    """Mean returns by group of the values, their spread and whether they rise with the group.

    values, labels  float64[T, S]
    count           groups asked for; across fewer than 2 x count symbols there are max(2, S // 2), so that each holds two names
    demean          take each bar's mean label (over the symbols in groups) away first: what a market-neutral book would see
    draws           resamples for the error of the monotonicity; 0 for none
    """
    kind = evidence_of(values.shape[1]) if evidence is None else evidence
    number = group_count(values.shape[1], count) if kind == "across" else count
    chosen = groups(values, number, kind, labels)
    if demean:
        labels = _less_mean(labels, chosen >= 0)
    series = group_returns(chosen, labels, number)
    spread = series[:, -1] - series[:, 0]
    means = tuple(newey_west(series[:, group], horizon=horizon) for group in range(number))
    return Quantiles(
        evidence=kind,
        horizon=horizon,
        count=number,
        means=means,
        spread=newey_west(spread, horizon=horizon) if kind == "across" else _difference(means, series, horizon),
        monotonicity=monotonicity(series, draws, seed),
        turnover=quantile_turnover(chosen, number, kind),
    )


def group_count(symbols: int, asked: int) -> int:
    """How many groups so many symbols make: as asked from two names a group on, else max(2, S // 2)."""
    return asked if symbols >= 2 * asked else max(2, min(asked, symbols // 2))


def quantile_turnover(chosen: Groups, count: int, evidence: Evidence = "across") -> tuple[Estimate, ...]:
    """The share of names in each group that were not in it at the bar before, mean over bars.   int8[T, S]

    Across symbols bars at which the group was empty before are left out: a first portfolio is no turnover.
    """
    out = []
    for group in range(count):
        inside = chosen == group
        size, new = inside[1:].sum(axis=1), (inside[1:] & ~inside[:-1]).sum(axis=1)
        usable = (size > 0) & (inside[:-1].any(axis=1) if evidence == "across" else (chosen[:-1] != NONE).any(axis=1))
        out.append(newey_west(np.where(usable, new / np.maximum(size, 1), np.nan)))
    return tuple(out)


def monotonicity(series: Array, draws: int = 500, seed: int = 0) -> Estimate:
    """Spearman's correlation of the groups' places with their mean returns; 1 if each group earns more than the one below.

    series  float64[T, Q], NaN where a group is empty. The error is the deviation over stationary resamples of the bars; t is NaN
    where every resample agrees.
    """
    known = np.isfinite(series)
    counts = known.sum(axis=0)
    size = int(known.any(axis=1).sum())
    if series.shape[1] < 2 or not counts.all():
        return Estimate(n=size)
    filled = np.where(known, series, 0.0)
    value = float(_order(filled.sum(axis=0) / counts)[0])
    if draws < 2 or series.shape[0] < 20:
        return Estimate(value, n=size)
    sums = stationary_sums(
        np.concatenate([filled, known.astype(np.float64)], axis=1), default_block(filled[:, -1] - filled[:, 0]), draws, seed
    )
    totals, numbers = np.split(sums, 2, axis=1)
    usable = (numbers > 0.5).all(axis=1)
    spread = _order(totals[usable] / numbers[usable])
    error = float(spread.std(ddof=1)) if spread.shape[0] > 1 else math.nan
    return Estimate(value, error, value / error if error > 0 else math.nan, size)


def _order(means: Array) -> Array:
    """Spearman's correlation of 0, 1, ... Q - 1 with each row; zero for a row of equal means.   float64[K, Q] -> float64[K]"""
    rows = np.atleast_2d(means)
    places = np.arange(rows.shape[1]) - (rows.shape[1] - 1) / 2.0
    centred = centred_ranks(rows)
    squares = (centred**2).sum(axis=1) * float(places @ places)
    found: Array = np.where(squares > 0, centred @ places / np.sqrt(np.where(squares > 0, squares, 1.0)), 0.0)
    return found


def _less_mean(labels: Array, inside: Mask) -> Array:
    known = inside & np.isfinite(labels)
    means = np.where(known, labels, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    less: Array = labels - means[:, None]
    return less


def _difference(means: tuple[Estimate, ...], series: Array, horizon: int) -> Estimate:
    """Highest less lowest group where a bar has not both: the means' difference, the error from the difference of influences."""
    low, high = means[0], means[-1]
    if not (low.n and high.n):
        return Estimate()
    rows = series.shape[0]
    influence = np.zeros(rows)
    for sign, column, mean in ((-1.0, series[:, 0], low), (1.0, series[:, -1], high)):
        known = np.isfinite(column)
        influence += sign * np.where(known, column - mean.value, 0.0) * (rows / mean.n)
    return estimate(high.value - low.value, long_run_error(influence, rows, horizon=horizon), low.n + high.n)
