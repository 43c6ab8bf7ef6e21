"""Rolling moments of pandas again, window by window in two passes: for where its running sums have lost digits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pandas.api.typing import Rolling

Wide = NDArray[np.longdouble]
PATCHED = ("sum", "mean", "var", "std", "skew", "kurt", "cov", "corr")


@contextmanager
def two_pass() -> Iterator[None]:
    """Inside, `rolling(n)` adds every window up anew. NaN are left out; min_periods and ddof are pandas'."""
    before = {name: getattr(Rolling, name) for name in PATCHED}
    try:
        for name in PATCHED:
            setattr(Rolling, name, _paired(name) if name in {"cov", "corr"} else _single(name))
        with np.errstate(all="ignore"):
            yield
    finally:
        for name, method in before.items():
            setattr(Rolling, name, method)


def _single(name: str) -> Callable[..., Any]:
    def method(rolling: Any, *args: Any, ddof: int = 1, **kwargs: Any) -> Any:
        def one(column: Any) -> Any:
            view, least = _windows(rolling, column)
            return _known(view, least, _MOMENTS[name](view, ddof), column)

        chosen = rolling._selected_obj
        return chosen.apply(one) if isinstance(chosen, pd.DataFrame) else one(chosen)

    return method


def _paired(name: str) -> Callable[..., Any]:
    def method(rolling: Any, other: Any, pairwise: Any = None, ddof: int = 1, **kwargs: Any) -> Any:
        chosen = rolling._selected_obj
        both = chosen + other
        x, least = _windows(rolling, chosen.where(both.notna()))
        y, _ = _windows(rolling, other.where(both.notna()))
        cross = np.nansum(_centred(x) * _centred(y), axis=1)
        if name == "cov":
            value = cross / (_count(x) - ddof)
        else:
            value = cross / np.sqrt(np.nansum(_centred(x) ** 2, axis=1) * np.nansum(_centred(y) ** 2, axis=1))
        return _known(x, least, value, both)

    return method


def _windows(rolling: Any, column: Any) -> tuple[Wide, int]:
    """[bar, window] with NaN before the beginning, and how many must be known. pandas takes infinite for not known."""
    n = rolling.window
    assert isinstance(n, int) and not rolling.center, "only windows of a number of bars are recomputed"
    x = np.asarray(column, np.longdouble)
    x = np.where(np.isfinite(x), x, np.nan)
    padded = np.concatenate([np.full(n - 1, np.nan, np.longdouble), x])
    return sliding_window_view(padded, n), n if rolling.min_periods is None else rolling.min_periods


def _known(view: Wide, least: int, value: Any, like: Any) -> Any:
    enough = (~np.isnan(view)).sum(axis=1) >= max(least, 1 if value is not None else 0)
    return pd.Series(np.where(enough, value, np.nan).astype(np.float64), index=like.index)


def _count(x: Wide) -> Wide:
    return (~np.isnan(x)).sum(axis=1).astype(np.longdouble)


def _mean(x: Wide) -> Wide:
    """Exactly the value where the window holds one value only."""
    low, high = np.fmin.reduce(x, axis=1), np.fmax.reduce(x, axis=1)
    return np.where(low == high, low, np.nansum(x, axis=1) / _count(x))


def _centred(x: Wide) -> Wide:
    return x - _mean(x)[:, None]


def _power(x: Wide, order: int) -> Wide:
    return np.nansum(_centred(x) ** order, axis=1)


def _var(x: Wide, ddof: int) -> Wide:
    n = _count(x)
    return np.where(n > ddof, _power(x, 2) / (n - ddof), np.nan)


def _skew(x: Wide, ddof: int) -> Wide:
    n, second = _count(x), _power(x, 2) / _count(x)
    value = _power(x, 3) / n / second**1.5 * np.sqrt(n * (n - 1)) / (n - 2)
    return np.where(n < 3, np.nan, np.where(second == 0, 0, value))


def _kurt(x: Wide, ddof: int) -> Wide:
    n, second = _count(x), _power(x, 2) / _count(x)
    value = ((n * n - 1) * _power(x, 4) / n / second**2 - 3 * (n - 1) ** 2) / ((n - 2) * (n - 3))
    return np.where(n < 4, np.nan, np.where(second == 0, -3, value))


_MOMENTS: dict[str, Callable[[Wide, int], Wide]] = {
    "sum": lambda x, ddof: np.nansum(x, axis=1),
    "mean": lambda x, ddof: _mean(x),
    "var": _var,
    "std": lambda x, ddof: np.sqrt(_var(x, ddof)),
    "skew": _skew,
    "kurt": _kurt,
}
