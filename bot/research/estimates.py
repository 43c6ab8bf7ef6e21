"""A figure with its error: means, ratios and anything else of observations that depend on one another over time.

The rule: neighbouring bars are not independent evidence, so every error here is robust to autocorrelation, by Newey and West or by
the stationary bootstrap; and what cannot be had is NaN, never an infinity and never a zero that looks like one. The time grid is
kept: an observation that is not known is NaN in its place, weighs nothing, and joins nothing. docs/factor-metrics.md has the formulas.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.bars import Array

LEAST = 20  # observations below which an error says nothing
FLAT = 1e-14  # relative to the size of the observations: a deviation below is rounding
PIECE = 8_192  # of an inner product
ENDLESS = 1e9  # of lags: beyond it any bound is met, and squares stay numbers
CHUNK = 4_000_000  # resampled values held at a time

Integers = NDArray[np.int64]
Statistic = Callable[[Array], Array]
"""float64[K, T], K samples -> float64[K]."""


class Estimate(msgspec.Struct, frozen=True):
    """A figure, its standard error, t = value / error, and the number of observations; NaN (JSON null) where it cannot be had."""

    value: float = math.nan
    error: float = math.nan
    t: float = math.nan
    n: int = 0


class Bootstrap(msgspec.Struct, frozen=True):
    """A figure, the deviation of its draws, and the bounds between which the middle 95 % of them lie.

    block  the mean block length, in observations
    """

    value: float = math.nan
    error: float = math.nan
    low: float = math.nan
    high: float = math.nan
    draws: int = 0
    block: float = math.nan


def estimate(value: float, error: float, n: int) -> Estimate:
    """The figure with its t; an error that is rounding has no t, and one that is not finite is not known."""
    value = value if math.isfinite(value) else math.nan
    error = error if math.isfinite(error) and not math.isnan(value) else math.nan
    return Estimate(value, error, value / error if error > FLAT * max(abs(value), FLAT) else math.nan, n)


def newey_west(x: Array, lag: int | None = None, horizon: int = 1) -> Estimate:
    """The mean of x with its error, Newey and West (1987), Bartlett weights 1 - l / (lag + 1).

    x        float64[T], NaN where not known
    lag      None for `automatic_lag(x, horizon)`
    horizon  over how many bars each observation reaches: overlapping ones get at least horizon - 1 lags
    """
    known = np.isfinite(x)
    count = int(known.sum())
    if count == 0:
        return Estimate()
    scaled, size = _scaled(np.where(known, x, 0.0))
    mean = float(scaled[known].mean())
    influence = np.where(known, scaled - mean, 0.0)
    return estimate(mean * size, long_run_error(influence, count, lag, horizon) * size, count)


def long_run_error(influence: Array, count: int, lag: int | None = None, horizon: int = 1) -> float:
    """The standard error of a figure whose value is the mean of its influences: any smooth figure, to first order.

    influence  float64[T], mean zero over the `count` known ones, zero where not known
    NaN below 20 known observations, and below two spans of the lag.
    """
    chosen = automatic_lag(influence, horizon) if lag is None else lag
    if count < max(LEAST, 2 * (chosen + 1)):
        return math.nan
    scaled, size = _scaled(influence)
    total = _dot(scaled, scaled)
    for step in range(1, chosen + 1):
        total += 2.0 * (1.0 - step / (chosen + 1.0)) * _dot(scaled[step:], scaled[:-step])
    return math.sqrt(max(total, 0.0)) / count * size


def automatic_lag(x: Array, horizon: int = 1) -> int:
    """How many lags the data ask for: Newey and West (1994) for Bartlett weights, at least horizon - 1, at most T / 4.

    ceil(1.1447 (a T)^(1/3)), a = (sum |j| s_j / sum s_j)^2, s_j the autocovariances at the lags up to ceil(4 (T / 100)^(2/9)).
    """
    values = _scaled(np.where(np.isfinite(x), x, 0.0))[0]
    count = int(values.shape[0])
    steps = min(count - 1, math.ceil(4.0 * math.pow(count / 100.0, 2.0 / 9.0))) if count else 0
    plain, weighted = _dot(values, values), 0.0
    for step in range(1, steps + 1):
        covariance = 2.0 * _dot(values[step:], values[:-step])
        plain += covariance
        weighted += step * covariance
    asked = 1.1447 * math.pow(min(abs(weighted / plain), ENDLESS) ** 2 * count, 1.0 / 3.0) if plain > 0 else 0.0
    return max(horizon - 1, min(math.ceil(asked), count // 4))


def _dot(a: Array, b: Array) -> float:
    """Their inner product, in pieces that BLAS leaves to one thread: the same bits on every machine, and no waiting for a second core."""
    return math.fsum(float(a[i : i + PIECE] @ b[i : i + PIECE]) for i in range(0, a.shape[0], PIECE))


def _scaled(x: Array) -> tuple[Array, float]:
    """x in units of its largest, and that unit: squares of what is very large or very small are still numbers."""
    size = float(np.abs(x).max(initial=0.0))
    return (x / size, size) if 0.0 < size < math.inf else (x, 1.0)


def ratio_of_means(top: Array, bottom: Array, lag: int | None = None, horizon: int = 1) -> Estimate:
    """mean(top) / mean(bottom) over the bars in which both are known, the error by the delta method; NaN where bottom is not above 0."""
    known = np.isfinite(top) & np.isfinite(bottom)
    count = int(known.sum())
    (over, top_size), (under, bottom_size) = _scaled(np.where(known, top, 0.0)), _scaled(np.where(known, bottom, 0.0))
    below = float(under[known].mean()) if count else math.nan
    if not below > 0:
        return Estimate(n=count)
    value = float(over[known].mean()) / below
    influence = np.where(known, (over - value * under) / below, 0.0)
    unit = top_size / bottom_size
    return estimate(value * unit, long_run_error(influence, count, lag, horizon) * unit, count)


def mean_to_deviation(x: Array, lag: int | None = None, horizon: int = 1) -> Estimate:
    """mean / sample deviation: a Sharpe ratio per observation, or an ICIR.

    The error is that of Lo (2002) by the generalised method of moments, for returns that need be neither normal nor independent: the
    influence is z - q (z^2 - 1) / 2 with z the standardised observation and q the ratio; with lag 0 it is that of Mertens (2002).
    """
    known = np.isfinite(x)
    count = int(known.sum())
    if count < 2:
        return Estimate(n=count)
    x = _scaled(np.where(known, x, 0.0))[0]
    seen = x[known]
    mean, deviation = float(seen.mean()), float(seen.std(ddof=1))
    if not deviation > FLAT * float(np.abs(seen).max()):
        return Estimate(n=count)
    ratio = mean / deviation
    z = np.where(known, (x - mean) / float(seen.std()), 0.0)
    influence = np.where(known, z - 0.5 * ratio * (z * z - 1.0), 0.0)
    return estimate(ratio, long_run_error(influence, count, lag, horizon), count)


def regression(y: Array, columns: Array, lag: int | None = None, horizon: int = 1) -> tuple[Estimate, ...]:
    """Ordinary least squares of y on a constant and the columns, errors as in `newey_west`: the constant first, then each column.

    y  float64[T], columns  float64[T, K]; rows in which anything is missing weigh nothing. All NaN where the columns, or one of them
    and the constant, say the same. The constant is what y earns that the columns do not explain (a spanning test's alpha).
    """
    known = np.isfinite(y) & np.isfinite(columns).all(axis=1)
    count, width = int(known.sum()), int(columns.shape[1]) + 1
    design = np.where(known[:, None], np.column_stack([np.ones(y.shape[0]), columns]), 0.0)
    scale = np.abs(design).max(axis=0, initial=0.0)
    if count <= width or not (scale > 0).all():
        return (Estimate(n=count),) * width
    design /= scale
    norms = np.sqrt((design**2).sum(axis=0))
    design /= norms
    scale = scale * norms
    crossed = design.T @ design
    if float(np.linalg.cond(crossed)) > 1e14:
        return (Estimate(n=count),) * width
    inverse = np.linalg.inv(crossed)
    target, size = _scaled(np.where(known, y, 0.0))
    weights = inverse @ (design.T @ target)
    influences = (design * (target - design @ weights)[:, None]) @ inverse * count
    units = [size / each for each in scale.tolist()]
    return tuple(
        estimate(value * unit, long_run_error(influences[:, column], count, lag, horizon) * unit, count)
        for column, (value, unit) in enumerate(zip(weights.tolist(), units, strict=True))
    )


def p_value(t: float) -> float:
    """Two-sided, by the normal law; NaN stays NaN."""
    return math.erfc(abs(t) / math.sqrt(2.0))


def normal_cdf(z: float) -> float:
    """Phi(z)."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def normal_quantile(share: float) -> float:
    """The z with Phi(z) = share, 0 < share < 1."""
    return NormalDist().inv_cdf(share)


def optimal_block(x: Array) -> float:
    """The mean block length for the stationary bootstrap of the mean of x, in observations, at least 1.

    Politis and White (2004) with the correction of Patton, Politis and White (2009).
    x  float64[T] of known values; NaN below 20 of them or where x is constant
    """
    count = x.shape[0]
    centred = x - x.mean() if count else x
    if count < LEAST or not float(np.abs(centred).max()) > FLAT * float(np.abs(x).max()):
        return math.nan
    centred = centred / float(np.abs(centred).max())
    longest = math.ceil(min(3.0 * math.sqrt(count), count / 3.0))
    quiet = max(5, int(math.log10(count)))  # so many small autocorrelations in a row end the search
    last = min(math.ceil(math.sqrt(count)) + quiet, count - 2)
    covariances = _autocovariances(centred, last)
    squares = np.concatenate([[0.0], np.cumsum(centred**2)])
    steps = np.arange(last + 1)
    heads, tails = squares[count - 1 - steps], squares[count] - squares[steps + 1]
    norms = np.sqrt(np.maximum(heads * tails, np.finfo(np.float64).tiny))
    small = np.abs(covariances) * count / norms < 2.0 * math.sqrt(math.log10(count) / count)
    reach = next((i - quiet for i in range(quiet, last + 1) if small[i - quiet : i].all()), None)
    window = last if reach is None else min(2 * max(reach, 1), last)
    ks = np.arange(1, window + 1)
    weights = np.minimum(1.0, 2.0 * (1.0 - ks / window))
    slope = float(np.sum(2.0 * weights * ks * covariances[1 : window + 1]))
    level = float(covariances[0] + np.sum(2.0 * weights * covariances[1 : window + 1]))
    if level == 0.0:
        return float(longest)
    return max(1.0, min(float(longest), math.pow((slope / level) ** 2 * count, 1.0 / 3.0)))


def stationary_indices(count: int, block: float, draws: int, seed: int) -> Integers:
    """Which observation stands where in each resample: blocks of geometric length, wrapped around the end.   int64[draws, count]"""
    starts, lengths = _blocks(count, block, draws, np.random.default_rng(seed))
    flat = lengths.ravel()
    ends = np.cumsum(flat)
    inside = np.arange(draws * count) - np.repeat(ends - flat, flat)
    places: Integers = (np.repeat(starts.ravel(), flat) + inside) % count
    return places.reshape(draws, count)


def stationary_bootstrap(x: Array, statistic: Statistic, block: float | None = None, draws: int = 1_000, seed: int = 0) -> Bootstrap:
    """A statistic of dependent observations with its error and its middle 95 %, by Politis and Romano (1994).

    x          float64[T], every one known
    statistic  of float64[K, T]: all resamples at once, each a row
    block      mean block length; None for the larger of `optimal_block(x)` and T^(1/3)
    """
    count = x.shape[0]
    value = float(statistic(x[None, :])[0]) if count else math.nan
    if count < LEAST or not math.isfinite(value) or draws < 2:
        return Bootstrap(value if math.isfinite(value) else math.nan)
    length = default_block(x) if block is None else block
    step = max(1, CHUNK // count)
    parts = [statistic(x[stationary_indices(count, length, min(step, draws - begin), seed + begin)]) for begin in range(0, draws, step)]
    return bootstrapped(value, np.concatenate(parts), length)


def stationary_sums(columns: Array, block: float, draws: int, seed: int) -> Array:
    """Sums of each column over resamples of the rows: what moments need, without gathering a single row.

    columns  float64[T, K], every one known   ->   float64[draws, K]
    """
    count = columns.shape[0]
    starts, lengths = _blocks(count, block, draws, np.random.default_rng(seed))
    ends = np.concatenate([np.zeros((1, columns.shape[1])), np.cumsum(np.concatenate([columns, columns]), axis=0)])
    whole, rest = lengths // count, lengths % count
    sums: Array = (ends[starts + rest] - ends[starts] + whole[:, :, None] * ends[count]).sum(axis=1)
    return sums


def default_block(x: Array) -> float:
    """The larger of what the data ask for and T^(1/3): longer blocks cost little, shorter ones hide dependence of the squares."""
    asked = optimal_block(x)
    least = math.pow(x.shape[0], 1.0 / 3.0)
    return least if math.isnan(asked) else max(asked, least)


def bootstrapped(value: float, draws: Array, block: float) -> Bootstrap:
    """What the draws say about a value; those that could not be had are left out, and below 20 there is no error."""
    seen = draws[np.isfinite(draws)]
    if seen.shape[0] < LEAST:
        return Bootstrap(value, block=block)
    low, high = np.quantile(seen, (0.025, 0.975)).tolist()
    return Bootstrap(value, float(seen.std(ddof=1)), low, high, int(seen.shape[0]), block)


def _blocks(count: int, block: float, draws: int, dice: np.random.Generator) -> tuple[Integers, Integers]:
    """Starts (uniform) and lengths (geometric, the last cut so that they add up to `count`) of each draw's blocks.   int64[draws, M]"""
    if block < 1.0:
        raise ValueError(f"a mean block length is at least 1 observation, not {block}")
    share = 1.0 / block
    expected = count * share
    room = int(expected + 6.0 * math.sqrt(expected) + 10.0)
    lengths = dice.geometric(share, (draws, room)).astype(np.int64)
    while int(lengths.sum(axis=1).min()) < count:
        lengths = np.concatenate([lengths, dice.geometric(share, (draws, room)).astype(np.int64)], axis=1)
    before = np.cumsum(lengths, axis=1) - lengths
    cut: Integers = np.clip(count - before, 0, lengths)
    return dice.integers(0, count, lengths.shape, dtype=np.int64), cut


def _autocovariances(centred: Array, last: int) -> Array:
    """sum_t x[t] x[t + j] / T for j = 0 .. last, by the fast Fourier transform.   float64[last + 1]"""
    count = centred.shape[0]
    size = 1 << (count + last).bit_length()
    spectrum = np.fft.rfft(centred, size)
    products: Array = np.fft.irfft(spectrum * np.conj(spectrum), size)[: last + 1] / count
    return products
