"""Does a factor know the return that follows? Information coefficients across symbols and over time.

The rule: evidence is counted once. Across many symbols one bar gives one coefficient; of fewer than ten symbols each gives one over
time, and symbols that move together are one piece of evidence; labels that overlap have their errors widened by it.
"""

import math
from typing import Literal

import msgspec
import numpy as np

from bot.research.estimates import FLAT, LEAST, Estimate, estimate, long_run_error, mean_to_deviation, newey_west
from bot.research.labels import Mask
from bot.research.ranks import centred_ranks
from feeds.bars import Array

CROSS_SECTION = 10  # symbols from which evidence is taken across them, below it is taken over time
LEAST_SYMBOLS = 5  # pairs at a bar below which a coefficient across symbols says nothing

Evidence = Literal["across", "over_time"]


class TimeIC(msgspec.Struct, frozen=True):
    """The mean coefficient of the symbols that have one, each symbol's, and the evidence at each bar.

    products  float64[T]: mean over symbols of z(value) z(label), NaN where no symbol has a pair
    """

    mean: Estimate
    by_symbol: tuple[Estimate, ...]
    products: Array


class Information(msgspec.Struct, frozen=True):
    """What a factor knows of one label; docs/factor-metrics.md has the formulas.

    evidence  `across` symbols at each bar, or `over_time` for each symbol
    """

    evidence: Evidence
    horizon: int
    ic: Estimate
    rank_ic: Estimate
    icir: Estimate
    rank_icir: Estimate
    hit_rate: Estimate
    autocorrelation: Estimate
    coverage: Estimate
    ic_by_symbol: tuple[Estimate, ...] = ()
    rank_ic_by_symbol: tuple[Estimate, ...] = ()


def evidence_of(symbols: int) -> Evidence:
    """How so many symbols give evidence."""
    return "across" if symbols >= CROSS_SECTION else "over_time"


def ic_series(values: Array, labels: Array, rank: bool = True, least: int = LEAST_SYMBOLS) -> Array:
    """The correlation of values and labels across symbols at each bar, Spearman's or Pearson's.

    values  float64[T, S], or float64[F, T, S] for many factors: the labels are ranked once
    labels  float64[T, S]
    Returns float64[T] or float64[F, T]; NaN where fewer than `least` symbols have both, or one of them is constant.
    """
    if values.shape[-2:] != labels.shape:
        raise ValueError(f"values {values.shape} and labels {labels.shape} must be of the same bars and symbols")
    if values.ndim == 3:
        shared = centred_ranks(labels) if rank else labels
        return np.array([_across(each, labels, shared, rank, least) for each in values]).reshape(values.shape[:2])
    return _across(values, labels, centred_ranks(labels) if rank else labels, rank, least)


def time_ic(values: Array, labels: Array, rank: bool = True, horizon: int = 1, lag: int | None = None) -> TimeIC:
    """The correlation of values and labels over time for each symbol, and its mean over symbols.

    values, labels  float64[T, S]
    Errors are those of the mean product of standardised value and label, robust to autocorrelation (lags as in `newey_west`). For
    the mean over symbols the products are added at each bar first. NaN below 20 pairs, or where one side is constant.
    """
    if values.shape != labels.shape:
        raise ValueError(f"values {values.shape} and labels {labels.shape} must be of the same bars and symbols")
    rows, count = values.shape
    total, pairs = np.zeros(rows), np.zeros(rows, dtype=np.int64)
    products_sum = np.zeros(rows)
    each, found = [], []
    for symbol in range(count):
        products = _products(values[:, symbol], labels[:, symbol], rank)
        known = np.isfinite(products)
        size = int(known.sum())
        if size == 0:
            each.append(Estimate(n=int((np.isfinite(values[:, symbol]) & np.isfinite(labels[:, symbol])).sum())))
            continue
        mean = float(products[known].mean())
        influence = np.where(known, products - mean, 0.0)
        each.append(estimate(mean, long_run_error(influence, size, lag, horizon), size))
        found.append(mean)
        total += influence * (rows / size)
        pairs += known
        products_sum += np.where(known, products, 0.0)
    seen = pairs > 0
    products_mean = np.where(seen, products_sum / np.maximum(pairs, 1), np.nan)
    if not found:
        return TimeIC(Estimate(), tuple(each), products_mean)
    error = long_run_error(total / len(found), rows, lag, horizon)
    return TimeIC(estimate(math.fsum(found) / len(found), error, int(seen.sum())), tuple(each), products_mean)


def information(
    values: Array, labels: Array, horizon: int = 1, *, listed: Mask | None = None, evidence: Evidence | None = None, period: int = 1
) -> Information:
    """Every figure of what a factor knows.

    values, labels  float64[T, S]; labels reach over `horizon` bars
    listed          bool[T, S]: cells that could have a value (None: all)
    evidence        None for `evidence_of(S)`
    period          bars between the values whose autocorrelation is taken
    """
    kind = evidence_of(values.shape[1]) if evidence is None else evidence
    covered = coverage(values, listed)
    if kind == "across":
        plain, ranked = ic_series(values, labels, rank=False), ic_series(values, labels)
        again = newey_west(ic_series(values[period:], values[:-period]))
        pair = newey_west(plain, horizon=horizon), newey_west(ranked, horizon=horizon)
        by_symbol: tuple[tuple[Estimate, ...], tuple[Estimate, ...]] = ((), ())
    else:
        over, over_ranked = time_ic(values, labels, rank=False, horizon=horizon), time_ic(values, labels, horizon=horizon)
        plain, ranked = over.products, over_ranked.products
        again = time_ic(values[period:], values[:-period]).mean
        pair = over.mean, over_ranked.mean
        by_symbol = over.by_symbol, over_ranked.by_symbol
    return Information(
        evidence=kind,
        horizon=horizon,
        ic=pair[0],
        rank_ic=pair[1],
        icir=mean_to_deviation(plain, horizon=horizon),
        rank_icir=mean_to_deviation(ranked, horizon=horizon),
        hit_rate=hit_rate(ranked, horizon),
        autocorrelation=again,
        coverage=covered,
        ic_by_symbol=by_symbol[0],
        rank_ic_by_symbol=by_symbol[1],
    )


def rank_ics(values: Array, labels: Array, horizon: int = 1, evidence: Evidence | None = None) -> list[Estimate]:
    """The mean rank IC of each of many factors.   values float64[F, T, S], labels float64[T, S]"""
    kind = evidence_of(labels.shape[1]) if evidence is None else evidence
    if kind == "across":
        return [newey_west(series, horizon=horizon) for series in ic_series(values, labels)]
    return [time_ic(each, labels, horizon=horizon).mean for each in values]


def hit_rate(series: Array, horizon: int = 1) -> Estimate:
    """The share of coefficients (or products) above zero, of those that are not zero; its t is that of share - 1/2.

    series  float64[T], NaN where not known
    """
    known = np.isfinite(series) & (series != 0.0)
    share = newey_west(np.where(known, (series > 0.0).astype(np.float64), np.nan), horizon=horizon)
    return msgspec.structs.replace(share, t=(share.value - 0.5) / share.error if share.error > 0 else math.nan)


def coverage(values: Array, listed: Mask | None = None) -> Estimate:
    """The share of cells with a value, of those that could have one. It is counted, not estimated: no error."""
    known = np.isfinite(values)
    cells = values.size if listed is None else int(listed.sum())
    there = int(known.sum() if listed is None else (known & listed).sum())
    return Estimate(there / cells if cells else math.nan, n=cells)


def _across(values: Array, labels: Array, shared: Array, rank: bool, least: int) -> Array:
    """One factor's correlations at each bar; `shared` are the labels' ranks where no pair is missing."""
    here, there = np.isfinite(values), np.isfinite(labels)
    both = here & there
    if rank:
        x = centred_ranks(np.where(there, values, np.nan))
        y = shared
        holes = np.flatnonzero((there & ~here).any(axis=1))
        if holes.shape[0]:
            y = shared.copy()
            y[holes] = centred_ranks(np.where(here[holes], labels[holes], np.nan))
    else:
        x, y = _deviations(values, both), _deviations(labels, both)
    x, y = np.where(both, x, 0.0), np.where(both, y, 0.0)
    top, squares = np.einsum("ts,ts->t", x, y), np.einsum("ts,ts->t", x, x) * np.einsum("ts,ts->t", y, y)
    usable = (squares > 0) & (both.sum(axis=1) >= least)
    return np.where(usable, np.clip(top / np.sqrt(np.where(usable, squares, 1.0)), -1.0, 1.0), np.nan)


def _deviations(values: Array, known: Mask) -> Array:
    """Values less their mean at each bar, as shares of the largest; zero where that is rounding."""
    there = np.where(known, values, 0.0)
    size = np.maximum(np.abs(there).max(axis=1, keepdims=True, initial=0.0), np.finfo(np.float64).tiny)
    scaled = there / size
    counts = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = np.where(known, scaled - scaled.sum(axis=1, keepdims=True) / counts, 0.0)
    centred[np.abs(centred).max(axis=1, initial=0.0) <= FLAT * 100] = 0.0
    return centred


def _products(values: Array, labels: Array, rank: bool) -> Array:
    """z(value) z(label) at each bar of one symbol, NaN where a side is missing; all NaN where there is no coefficient.   float64[T]"""
    known = np.isfinite(values) & np.isfinite(labels)
    out = np.full(values.shape, np.nan)
    if int(known.sum()) < LEAST:
        return out
    x, y = values[known], labels[known]
    if rank:
        x, y = _places(x), _places(y)
    zx, zy = _standard(x), _standard(y)
    if zx is not None and zy is not None:
        out[known] = zx * zy
    return out


def _standard(x: Array) -> Array | None:
    """Mean 0 and (population) deviation 1; None for a constant."""
    largest = float(np.abs(x).max())
    x = x / largest if largest > 0 else x
    deviation = float(x.std())
    if not deviation > FLAT * 100:
        return None
    z: Array = (x - x.mean()) / deviation
    return z


def _places(x: Array) -> Array:
    """Ranks from 1 of a long row, ties get their mean."""
    order = np.argsort(x, kind="stable")
    ordered = x[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.concatenate([starts, [ordered.shape[0]]]))
    out = np.empty(ordered.shape[0])
    out[order] = np.repeat(starts + (counts + 1) / 2.0, counts)
    return out
