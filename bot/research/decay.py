"""How long what a factor knows lasts: its coefficient by horizon, and the half-life fitted to them.

The rule: one factor, one label a horizon, each error widened by its overlap; a half-life that the data cannot tell is NaN.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from bot.research.estimates import Estimate, estimate, newey_west
from bot.research.ic import Evidence, evidence_of, ic_series, time_ic
from bot.research.labels import Mask, forward_returns
from feeds.bars import Array

HORIZONS = (1, 2, 4, 8, 16, 24, 48)


class Decay(msgspec.Struct, frozen=True):
    """Rank IC by horizon, and the time in which what the factor knows of one bar's return halves.

    half_life  bars; NaN where the coefficients do not let one be fitted
    peak       the fitted coefficient of the first bar's return
    """

    evidence: Evidence
    horizons: tuple[int, ...]
    ic: tuple[Estimate, ...]
    rank_ic: tuple[Estimate, ...]
    half_life: Estimate
    peak: Estimate


def decay(
    values: Array, opens: Array, horizons: Sequence[int] = HORIZONS, listed: Mask | None = None, evidence: Evidence | None = None
) -> Decay:
    """The coefficients with the return over each horizon, and the half-life fitted to the rank ICs.   float64[T, S] each"""
    kind = evidence_of(values.shape[1]) if evidence is None else evidence
    plain, ranked = [], []
    for horizon in horizons:
        labels = forward_returns(opens, horizon, listed)
        if kind == "across":
            plain.append(newey_west(ic_series(values, labels, rank=False), horizon=horizon))
            ranked.append(newey_west(ic_series(values, labels), horizon=horizon))
        else:
            plain.append(time_ic(values, labels, rank=False, horizon=horizon).mean)
            ranked.append(time_ic(values, labels, horizon=horizon).mean)
    half_life, peak = half_life_of(horizons, ranked)
    return Decay(kind, tuple(horizons), tuple(plain), tuple(ranked), half_life, peak)


def half_life_of(horizons: Sequence[int], coefficients: Sequence[Estimate]) -> tuple[Estimate, Estimate]:
    """The half-life, in bars, of a coefficient that decays geometrically, and the coefficient of the first bar.

    If a bar's return k bars on has coefficient c r^k, and bars are independent and alike, the sum of h of them has
    c (1 - r^h) / ((1 - r) sqrt(h)). Fitted by least squares weighted by the errors; half-life = ln(1/2) / ln(r). The errors take the
    horizons as independent, which they are not: they are the least that they can be. NaN with fewer than 3 horizons, where c is
    within 2 errors of zero, or where the best r is at the end of what can be told apart (a thousandth, or ten times the horizons).
    """
    seen = [(h, c) for h, c in zip(horizons, coefficients, strict=True) if c.error > 0]
    if len(seen) < 3:
        return Estimate(n=len(seen)), Estimate(n=len(seen))
    h = np.array([row[0] for row in seen], dtype=np.float64)
    y = np.array([row[1].value for row in seen])
    w = 1.0 / np.array([row[1].error for row in seen])
    longest = 10.0 * float(h.max())
    rates = np.exp(-math.log(2.0) / np.geomspace(0.1, longest, 400))
    losses = [_fitted(rate, h, y, w)[1] for rate in rates.tolist()]
    best = int(np.argmin(losses))
    inside = 0 < best < len(losses) - 1
    peak = _fitted(float(rates[best]), h, y, w)[0]
    rate = float(rates[best])
    if not inside:
        return Estimate(n=len(seen)), Estimate(peak, n=len(seen))
    for _ in range(50):  # Gauss and Newton, from the best of the grid
        shape, slope = _shape(rate, h)
        jacobian = np.stack([shape * w, peak * slope * w], axis=1)
        step = np.linalg.lstsq(jacobian, (y - peak * shape) * w, rcond=None)[0]
        peak, rate = peak + float(step[0]), min(max(rate + float(step[1]), float(rates[best - 1])), float(rates[best + 1]))
        if abs(float(step[1])) < 1e-15:
            break
    shape, slope = _shape(rate, h)
    jacobian = np.stack([shape * w, peak * slope * w], axis=1)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    first = estimate(peak, math.sqrt(max(float(covariance[0, 0]), 0.0)), len(seen))
    if not abs(first.t) > 2.0:
        return Estimate(n=len(seen)), first
    life = math.log(0.5) / math.log(rate)
    return estimate(life, math.sqrt(max(float(covariance[1, 1]), 0.0)) * life / (rate * -math.log(rate)), len(seen)), first


def _shape(rate: float, h: Array) -> tuple[Array, Array]:
    """(1 - r^h) / ((1 - r) sqrt(h)), and its derivative by r."""
    shape = (1.0 - rate**h) / (1.0 - rate) / np.sqrt(h)
    slope = (-h * rate ** (h - 1.0) / (1.0 - rate) + (1.0 - rate**h) / (1.0 - rate) ** 2) / np.sqrt(h)
    return shape, slope


def _fitted(rate: float, h: Array, y: Array, w: Array) -> tuple[float, float]:
    """The best coefficient at a rate of decay, and the weighted squares that are left."""
    shape = _shape(rate, h)[0] * w
    peak = float(shape @ (y * w)) / float(shape @ shape)
    return peak, float(np.sum((y * w - peak * shape) ** 2))
