"""Windows again from their definitions: order, shape, regression, and windows of which some values are missing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]
Wide = np.longdouble


def windows(x: Array, w: int) -> NDArray[Any]:
    """[T, S, w]: the last w values at each bar, NaN before the beginning."""
    return sliding_window_view(np.concatenate([np.full((w - 1, x.shape[1]), np.nan), x]), w, axis=0).astype(Wide)


def enough(x: NDArray[Any], known: int, value: Any) -> Array:
    """`value` where at least `known` values of the window are there."""
    return np.where((~np.isnan(x)).sum(axis=2) >= known, value, np.nan).astype(np.float64)


def central(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Count, mean and deviations (0 where unknown) of the known values: two passes, exact where all are equal."""
    there = ~np.isnan(x)
    count = there.sum(axis=2)
    base = np.where(there, x, np.inf).min(axis=2)
    off = np.where(there, x - base[:, :, None], 0.0)
    mean = off.sum(axis=2) / count
    return count, base + mean, np.where(there, off - mean[:, :, None], 0.0)


def powers(x: Array, w: int, known: int, measure: str, ddof: int = 1) -> Array:
    view = windows(x, w)
    n, mean, d = central(view)
    m2, m3, m4 = ((d**k).sum(axis=2) for k in (2, 3, 4))
    var = np.where(n > ddof, m2 / (n - ddof), np.nan)
    moves, three = np.where(m2 > 0, m2, np.nan), (n - 2.0) * (n - 3.0)
    value = {
        "mean": mean, "var": var, "std": np.sqrt(var),
        "skew": np.where(n >= 3, n * np.sqrt(n - 1.0) / (n - 2.0) * m3 / moves**1.5, np.nan),
        "kurt": np.where(
            n >= 4, n * (n + 1.0) * (n - 1.0) / three * m4 / moves**2 - 3 * (n - 1.0) ** 2 / three, np.nan
        ),
    }[measure]  # fmt: skip
    return enough(view, known, value)


def pairs(x: Array, y: Array, w: int, known: int, ddof: int | None) -> Array:
    """Covariance, or correlation where ddof is None."""
    missing = np.isnan(x + y)
    a, b = windows(np.where(missing, np.nan, x), w), windows(np.where(missing, np.nan, y), w)
    (n, _, da), (_, _, db) = central(a), central(b)
    cross, va, vb = (da * db).sum(axis=2), (da**2).sum(axis=2), (db**2).sum(axis=2)
    if ddof is None:
        value = cross / np.sqrt(np.where(va > 0, va, np.nan) * np.where(vb > 0, vb, np.nan))
    else:
        value = np.where(n > ddof, cross / (n - ddof), np.nan)
    return enough(a, known, value)


def pandas_rolling(measure: str, **options: Any) -> Callable[[Array, int, int], Array]:
    def value(x: Array, w: int, known: int) -> Array:
        result: Array = getattr(pd.DataFrame(x).rolling(w, min_periods=known), measure)(**options).to_numpy()
        return result

    return value


def total(x: Array, w: int, known: int) -> Array:
    view = windows(x, w)
    return enough(view, known, np.nansum(view, axis=2))


def product(x: Array, w: int, known: int) -> Array:
    view = windows(x, w)
    return enough(view, known, np.nanprod(view, axis=2))


def quantile(x: Array, w: int, known: int, q: float) -> Array:
    return pandas_rolling("quantile", q=q)(x, w, known)


def median_distance(x: Array, w: int) -> Array:
    view = windows(x, w)
    result: Array = np.median(np.abs(view - np.median(view, axis=2)[:, :, None]), axis=2).astype(np.float64)
    return result


def mean_distance(x: Array, w: int) -> Array:
    _, _, d = central(windows(x, w))
    return enough(windows(x, w), w, np.abs(d).mean(axis=2))


def line(x: Array, w: int, measure: str) -> Array:
    """Least squares on 0..w-1, by centred sums."""
    view = windows(x, w)
    _, mean, d = central(view)
    k = np.arange(w, dtype=Wide) - (w - 1) / Wide(2)
    slope = (d * k).sum(axis=2) / (k * k).sum()
    squares = (d**2).sum(axis=2)
    off = d - slope[:, :, None] * k
    value = {
        "slope": slope, "intercept": mean - slope * (w - 1) / 2, "resid": off[:, :, -1],
        "rsquare": np.where(squares > 0, 1 - (off**2).sum(axis=2) / squares, np.nan),
    }[measure]  # fmt: skip
    return enough(view, w, value)


def fading(x: Array, w: int, factor: float) -> Array:
    weights = Wide(factor) ** np.arange(w - 1, -1, -1, dtype=Wide)
    view = windows(x, w)
    return enough(view, w, (view * weights).sum(axis=2) / weights.sum())


def since(x: Array) -> Array:
    bars = np.arange(len(x), dtype=np.float64)[:, None]
    last: Array = pd.DataFrame(np.where(np.isnan(x) | (x == 0), np.nan, bars)).ffill().to_numpy()
    return bars - last


def hump(x: Array, limit: float) -> Array:
    result = np.full(x.shape, np.nan)
    for s in range(x.shape[1]):
        last = np.nan
        for t, value in enumerate(x[:, s]):
            if last != last or abs(value - last) > limit:
                last = value
            result[t, s] = last
    return result


ORACLE: dict[str, Callable[..., Any]] = {
    "roll_count": lambda x, w, k: enough(windows(x, w), k, (~np.isnan(windows(x, w))).sum(axis=2)),
    "roll_sum": total, "roll_product": product, "ts_product": lambda x, w: product(x, w, w),
    "roll_min": pandas_rolling("min"), "roll_max": pandas_rolling("max"), "roll_median": pandas_rolling("median"),
    "roll_quantile": quantile, "roll_rank": pandas_rolling("rank", pct=True),
    "roll_mean": lambda x, w, k: powers(x, w, k, "mean"), "roll_std": lambda x, w, k, ddof: powers(x, w, k, "std", ddof),
    "roll_var": lambda x, w, k, ddof: powers(x, w, k, "var", ddof),
    "roll_skew": lambda x, w, k: powers(x, w, k, "skew"), "roll_kurt": lambda x, w, k: powers(x, w, k, "kurt"),
    "roll_corr": lambda x, y, w, k: pairs(x, y, w, k, None), "roll_cov": pairs,
    "ts_skew": lambda x, w: powers(x, w, w, "skew"), "ts_kurt": lambda x, w: powers(x, w, w, "kurt"),
    "ts_median": lambda x, w: quantile(x, w, w, 0.5), "ts_quantile": lambda x, w, q: quantile(x, w, w, q),
    "ts_median_ad": median_distance, "ts_mad": mean_distance,
    "ts_slope": lambda x, w: line(x, w, "slope"), "ts_intercept": lambda x, w: line(x, w, "intercept"),
    "ts_rsquare": lambda x, w: line(x, w, "rsquare"), "ts_resid": lambda x, w: line(x, w, "resid"),
    "decay_exp": fading, "bars_since": since, "hump": hump,
}  # fmt: skip
