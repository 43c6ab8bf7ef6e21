"""Does the score know the return that follows? Information coefficients with a t statistic that may be believed.

The rule: a label is a return that could have been had. The score is known at the close of bar t, so the trade is at the open of
bar t + 1, and the return runs from there to the open of bar t + 2. The time grid is kept: a missing bar removes the
pairs that need it and joins nothing.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from feeds.bars import Array

LEAST = 20  # pairs: fewer are no evidence


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
    label = executable_returns(opens)
    known = np.isfinite(scores) & np.isfinite(label)
    plain = [_products(scores[:, s], label[:, s], known[:, s]) for s in range(len(symbols))]
    ranked = [_products(_ranks(scores[:, s], known[:, s]), _ranks(label[:, s], known[:, s]), known[:, s]) for s in range(len(symbols))]
    each = tuple(
        SymbolIC(name, int(known[:, s].sum()), *_mean_and_t([plain[s]]), *_mean_and_t([ranked[s]])) for s, name in enumerate(symbols)
    )
    return ScoreIC(*_mean_and_t(plain), *_mean_and_t(ranked), each)


def _products(x: Array, y: Array, known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[float, Array] | None:
    """The coefficient, and its influence at each bar: z_x z_y less the coefficient, times T / n, zero where not known."""
    count = int(known.sum())
    if count < LEAST:
        return None
    zx, zy = _standard(x[known]), _standard(y[known])
    if zx is None or zy is None:
        return None
    products = zx * zy
    mean = float(products.mean())
    influence = np.zeros(x.shape[0])
    influence[known] = (products - mean) * (x.shape[0] / count)
    return mean, influence


def _standard(x: Array) -> Array | None:
    """Mean 0 and (population) deviation 1; None for a constant."""
    deviation = float(x.std())
    if not deviation > 1e-12 * float(np.abs(x).max()):
        return None
    z: Array = (x - x.mean()) / deviation
    return z


def _mean_and_t(parts: Sequence[tuple[float, Array] | None]) -> tuple[float | None, float | None]:
    """The mean coefficient of the symbols that have one, and its t."""
    there = [part for part in parts if part is not None]
    if not there:
        return None, None
    mean = math.fsum(part[0] for part in there) / len(there)
    influence = there[0][1]
    for part in there[1:]:
        influence = influence + part[1]
    error = newey_west(influence / len(there))
    return mean, (mean / error if error > 1e-12 else None)


def newey_west(values: Array) -> float:
    """Standard error of the mean of float64[T] with mean zero, robust to autocorrelation.

    Newey and West (1987), Bartlett weights 1 - l / (L + 1), L = floor(4 (T / 100)^(2/9)) as in Newey and West (1994).
    """
    count = int(values.shape[0])
    lags = min(count - 1, math.floor(4.0 * math.pow(count / 100.0, 2.0 / 9.0)))
    total = float(values @ values)
    for lag in range(1, lags + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * float(values[lag:] @ values[:-lag])
    return math.sqrt(max(total, 0.0)) / count


def _ranks(values: Array, known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Array:
    """Ranks from 1 among the known, ties get their mean; NaN elsewhere."""
    out = np.full(values.shape, np.nan)
    chosen = values[known]
    if chosen.shape[0] == 0:
        return out
    order = np.argsort(chosen, kind="stable")
    ordered = chosen[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.concatenate([starts, [ordered.shape[0]]]))
    ranks = np.empty(ordered.shape[0])
    ranks[order] = np.repeat(starts + (counts + 1) / 2.0, counts)
    out[known] = ranks
    return out
