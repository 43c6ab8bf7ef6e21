"""Recursive operators, indicators and operators across symbols, again from their definitions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


def mean_of_alpha(x: Array, alpha: float, known: int) -> Array:
    return pd.DataFrame(x).ewm(alpha=alpha, adjust=False, ignore_na=True, min_periods=known).mean().to_numpy()


def ewm(x: Array, span: float, adjust: float, known: int) -> Any:
    return pd.DataFrame(x).ewm(span=span, adjust=bool(adjust), ignore_na=False, min_periods=known)


def ewm_pairs(x: Array, y: Array, span: float, adjust: float, known: int, measure: str) -> Array:
    columns = [
        getattr(pd.Series(x[:, s]).ewm(span=span, adjust=bool(adjust), min_periods=known), measure)(pd.Series(y[:, s]))
        for s in range(x.shape[1])
    ]
    return np.stack([c.to_numpy() for c in columns], axis=1)


def expanding(x: Array, known: int, measure: str) -> Array:
    result: Array = getattr(pd.DataFrame(x).expanding(min_periods=known), measure)().to_numpy(np.float64)
    return result


def expanding_count(x: Array, known: int) -> Array:
    count = (~np.isnan(x)).cumsum(axis=0)
    return np.where(count >= known, count, np.nan)


ORACLE: dict[str, Callable[..., Any]] = {
    "wilder": lambda x, w: mean_of_alpha(x, 1 / w, w), "sma_recursive": lambda x, w, m: mean_of_alpha(x, m / w, w),
    "ewm_mean": lambda x, *p: ewm(x, *p).mean().to_numpy(), "ewm_var": lambda x, *p: ewm(x, *p).var().to_numpy(),
    "ewm_std": lambda x, *p: ewm(x, *p).std().to_numpy(),
    "ewm_cov": lambda x, y, *p: ewm_pairs(x, y, *p, "cov"), "ewm_corr": lambda x, y, *p: ewm_pairs(x, y, *p, "corr"),
    "cumsum": lambda x: pd.DataFrame(x).cumsum().to_numpy(), "cumprod": lambda x: pd.DataFrame(x).cumprod().to_numpy(),
    "cummax": lambda x: pd.DataFrame(x).cummax().to_numpy(), "cummin": lambda x: pd.DataFrame(x).cummin().to_numpy(),
    "ffill": lambda x: pd.DataFrame(x).ffill().to_numpy(),
    "expanding_mean": lambda x, k: expanding(x, k, "mean"), "expanding_std": lambda x, k: expanding(x, k, "std"),
    "expanding_var": lambda x, k: expanding(x, k, "var"), "expanding_sum": lambda x, k: expanding(x, k, "sum"),
    "expanding_min": lambda x, k: expanding(x, k, "min"), "expanding_max": lambda x, k: expanding(x, k, "max"),
    "expanding_count": expanding_count,
}  # fmt: skip
