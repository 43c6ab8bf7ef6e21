"""The best of many tries: what its figures are worth, given that it was chosen.

The rule: who tries a thousand formulas finds one that looks good on noise, so every figure here needs the number of tries, and tries
that are nearly the same count once. Sharpe ratios are per bar, never per year, unless said otherwise.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from bot.research.estimates import normal_cdf, normal_quantile
from feeds.bars import Array

EULER = 0.5772156649015329
BLOCKS = 16  # of the combinatorial cross-validation
SAME = 0.5  # average correlation above which tries are one try
BATCH = 1_000  # combinations at a time


class Overfitting(msgspec.Struct, frozen=True):
    """How the best in sample fares out of it, over all ways to halve the blocks.

    probability  that the best in sample is below the median out of sample (PBO)
    loss         share of halvings in which the chosen one loses out of sample
    slope        of the chosen one's ratio out of sample on that in sample: below zero, the better it looked the worse it did
    logits       float64[C], of the chosen one's relative rank out of sample
    """

    probability: float
    loss: float
    slope: float
    trials: int
    logits: Array


class Discoveries(msgspec.Struct, frozen=True):
    """Which hypotheses are rejected with the share of false rejections held, and the p-values adjusted for it (NaN stays NaN)."""

    rejected: NDArray[np.bool_]
    adjusted: Array


def probabilistic_sharpe(sharpe: float, count: int, skew: float = 0.0, kurtosis: float = 0.0, benchmark: float = 0.0) -> float:
    """The probability that the true ratio is above the benchmark; Bailey and Lopez de Prado (2012).

    sharpe, benchmark  per bar;  count  bars;  kurtosis  excess, 0 for a normal law
    """
    error = sharpe_error(sharpe, count, skew, kurtosis)
    return normal_cdf((sharpe - benchmark) / error) if error > 0 else math.nan


def sharpe_error(sharpe: float, count: int, skew: float = 0.0, kurtosis: float = 0.0) -> float:
    """sqrt((1 - g3 q + (g4 + 2) / 4 q^2) / (T - 1)), g4 the excess kurtosis; Mertens (2002). NaN below 2 bars."""
    if count < 2:
        return math.nan
    return math.sqrt(max(0.0, 1.0 - skew * sharpe + (kurtosis + 2.0) / 4.0 * sharpe**2) / (count - 1))


def expected_max_sharpe(deviation: float, trials: float) -> float:
    """What the best of so many tries without any skill shows; Bailey and Lopez de Prado (2014).

    deviation  of the tries' ratios: the result is in its unit;  trials  independent ones, at 1 nothing is chosen: zero
    """
    if trials <= 1:
        return 0.0
    best = (1.0 - EULER) * normal_quantile(1.0 - 1.0 / trials) + EULER * normal_quantile(1.0 - 1.0 / (trials * math.e))
    return deviation * max(best, 0.0)


def deflated_sharpe(returns: Array, trial_sharpes: Array, trials: float | None = None) -> float:
    """The probability that the chosen book's true ratio is above what the best of the tries shows by luck.

    returns        float64[T] of the chosen book
    trial_sharpes  float64[N], per bar, of every try, the chosen one among them; NaN: could not be had, and is no try
    trials         number of independent tries (`effective_trials`); None for N
    Bailey and Lopez de Prado (2014).
    """
    known = trial_sharpes[np.isfinite(trial_sharpes)]
    sharpe, skew, kurtosis = moments(returns)
    if math.isnan(sharpe) or known.shape[0] == 0:
        return math.nan
    deviation = float(known.std(ddof=1)) if known.shape[0] > 1 else 0.0
    benchmark = expected_max_sharpe(deviation, known.shape[0] if trials is None else trials)
    return probabilistic_sharpe(sharpe, returns.shape[0], skew, kurtosis, benchmark)


def moments(returns: Array) -> tuple[float, float, float]:
    """Sharpe ratio per bar, skew and excess kurtosis; NaN for a constant or below 2 bars.   float64[T]"""
    if returns.shape[0] < 2 or not np.isfinite(returns).all():
        return math.nan, math.nan, math.nan
    mean, spread = float(returns.mean()), float(returns.var())
    if not spread > 1e-28 * float(np.abs(returns).max(initial=0.0)) ** 2:
        return math.nan, math.nan, math.nan
    centred = returns - mean
    skew, kurtosis = float(np.mean(centred**3)) / spread**1.5, float(np.mean(centred**4)) / spread**2 - 3.0
    return mean / float(returns.std(ddof=1)), skew, kurtosis


def min_track_record(sharpe: float, skew: float = 0.0, kurtosis: float = 0.0, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Bars needed before `sharpe` is above the benchmark with this confidence; NaN where it is not above it at all.

    1 + (1 - g3 q + (g4 + 2) / 4 q^2) (z / (q - q0))^2; Bailey and Lopez de Prado (2012).
    """
    if not sharpe > benchmark:
        return math.nan
    z = normal_quantile(confidence)
    return 1.0 + max(0.0, 1.0 - skew * sharpe + (kurtosis + 2.0) / 4.0 * sharpe**2) * (z / (sharpe - benchmark)) ** 2


def effective_trials(returns: Array, same: float = SAME) -> int:
    """How many independent tries these are: clusters by average linkage, cut where the mean |correlation| falls below `same`.

    returns  float64[T, N], a column a try; constant columns are one cluster each. A factor and its opposite are one try, because
    the sign is chosen. After Lopez de Prado and Lewis (2019), with a fixed cut instead of a search for the number of clusters.
    """
    return len(set(trial_clusters(returns, same).tolist()))


def trial_clusters(returns: Array, same: float = SAME) -> NDArray[np.int64]:
    """The cluster of each try, numbered in order of their first members.   float64[T, N] -> int64[N]"""
    count = returns.shape[1]
    centred = returns - returns.mean(axis=0) if returns.shape[0] else returns
    norms = np.sqrt((centred**2).sum(axis=0))
    scaled = centred / np.where(norms > 0, norms, 1.0)
    distance = 1.0 - np.abs(scaled.T @ scaled)
    return _named(_linked(distance, 1.0 - same), count)


def overfitting(returns: Array, blocks: int = BLOCKS) -> Overfitting:
    """The probability of back-test overfitting by combinatorially symmetric cross-validation (CSCV); Bailey et al. (2017).

    returns  float64[T, N], a column a try, every one known. The rows are cut into `blocks` (even) equal pieces, a rest at the
    beginning is left out; each half of the pieces chooses the try with the best Sharpe ratio, the other half ranks it. The
    probability is NaN with fewer than 2 tries or fewer than 2 rows a piece.
    """
    if blocks < 2 or blocks % 2:
        raise ValueError(f"blocks is {blocks}; halves need an even number")
    rows, trials = returns.shape
    length = rows // blocks
    if trials < 2 or length < 2:
        return Overfitting(math.nan, math.nan, math.nan, trials, np.empty(0))
    used = returns[rows - length * blocks :].reshape(blocks, length, trials)
    sums, squares = used.sum(axis=1), (used**2).sum(axis=1)
    halves = np.zeros((math.comb(blocks, blocks // 2), blocks))
    for row, chosen in enumerate(combinations(range(blocks), blocks // 2)):
        halves[row, chosen] = 1.0
    size = length * blocks // 2
    parts = [_halved(part, sums, squares, size) for part in np.array_split(halves, math.ceil(halves.shape[0] / BATCH))]
    inside, outside, places = (np.concatenate([part[i] for part in parts]) for i in range(3))
    relative = places / (trials + 1.0)
    logits = np.log(relative / (1.0 - relative))
    spread = inside - inside.mean()
    slope = float(spread @ outside) / float(spread @ spread) if float(spread @ spread) > 0 else math.nan
    return Overfitting(float(np.mean(logits <= 0.0)), float(np.mean(outside < 0.0)), slope, trials, logits)


def false_discoveries(p_values: Sequence[float] | Array, alpha: float = 0.05, method: Literal["bh", "by"] = "by") -> Discoveries:
    """Which hypotheses to reject so that at most `alpha` of the rejections are expected to be false.

    bh  Benjamini and Hochberg (1995), for p-values that are independent or go together
    by  Benjamini and Yekutieli (2001), for any dependence: factors correlate
    NaN is a hypothesis that was not tested: never rejected, and not counted.
    """
    given = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(given))
    count = known.shape[0]
    adjusted = np.full(given.shape, np.nan)
    if count:
        order = known[np.argsort(given[known], kind="stable")]
        scale = float(np.sum(1.0 / np.arange(1, count + 1))) if method == "by" else 1.0
        raised = given[order] * scale * count / np.arange(1, count + 1)
        adjusted[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return Discoveries(np.nan_to_num(adjusted, nan=np.inf) <= alpha, adjusted)


def _halved(halves: Array, sums: Array, squares: Array, size: int) -> tuple[Array, Array, Array]:
    """The chosen try's ratio in and out of sample, and its rank (1 the worst) out of sample, for each halving."""
    inside = _ratios(halves @ sums, halves @ squares, size)
    rest = 1.0 - halves
    outside = _ratios(rest @ sums, rest @ squares, size)
    best = inside.argmax(axis=1)
    rows = np.arange(best.shape[0])
    mine = outside[rows, best]
    places = (outside < mine[:, None]).sum(axis=1) + ((outside == mine[:, None]).sum(axis=1) + 1) / 2.0
    return inside[rows, best], mine, places


def _ratios(sums: Array, squares: Array, size: int) -> Array:
    """Sharpe ratio per bar, zero for a book without variance."""
    means = sums / size
    spread = np.maximum(squares - size * means**2, 0.0) / (size - 1)
    usable = spread > 1e-28 * np.maximum(means**2, np.finfo(np.float64).tiny)
    found: Array = np.where(usable, means / np.sqrt(np.where(usable, spread, 1.0)), 0.0)
    return found


def _linked(distance: Array, cut: float) -> NDArray[np.int64]:
    """Average linkage by chains of nearest neighbours: the pairs that merge at or below the cut.   float64[N, N] -> int64[M, 2]"""
    between = distance.copy()
    count = between.shape[0]
    np.fill_diagonal(between, np.inf)
    sizes = np.ones(count)
    alive = np.ones(count, dtype=np.bool_)
    merged: list[tuple[int, int]] = []
    chain: list[int] = []
    for _ in range(count - 1):
        if not chain:
            chain.append(int(np.flatnonzero(alive)[0]))
        while True:
            here = chain[-1]
            near = int(between[here].argmin())
            if len(chain) > 1 and between[here, chain[-2]] <= between[here, near]:
                near = chain[-2]
                break
            chain.append(near)
        del chain[-2:]
        if between[here, near] <= cut:
            merged.append((near, here))
        joined = (sizes[here] * between[here] + sizes[near] * between[near]) / (sizes[here] + sizes[near])
        between[near], between[:, near] = joined, joined
        between[here], between[:, here] = np.inf, np.inf
        between[near, near] = np.inf
        sizes[near] += sizes[here]
        alive[here] = False
    return np.array(merged, dtype=np.int64).reshape(-1, 2)


def _named(merged: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Names of the groups that the merges make: average linkage never merges closer than its parts, so each merge below the cut counts."""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            node = parent[node]
        return node

    for one, other in merged.tolist():
        a, b = root(one), root(other)
        parent[max(a, b)] = min(a, b)
    names: dict[int, int] = {}
    return np.array([names.setdefault(root(node), len(names)) for node in range(count)], dtype=np.int64)
