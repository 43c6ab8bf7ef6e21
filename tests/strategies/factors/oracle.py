"""The operators again, from their definitions, slowly: two passes in extended precision over each window, or plain pandas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from strategies.factors import Node
from strategies.factors.graph import CONST, FIELD
from tests.strategies.factors import oracle_technical, oracle_windows
from tests.strategies.factors.oracle_windows import windows

Array = NDArray[np.float64]
Wide = np.longdouble


def full(x: NDArray[Any], value: NDArray[Any]) -> Array:
    """`value` where all of the window is known."""
    return np.where(np.isnan(x).any(axis=2), np.nan, value).astype(np.float64)


def moments(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    mean = np.where(x.max(axis=2) == x.min(axis=2), x[:, :, 0], x.mean(axis=2))
    return mean, ((x - mean[:, :, None]) ** 2).sum(axis=2) / (x.shape[2] - 1)


def divide(a: Any, b: Any) -> Any:
    return np.where(np.asarray(b) == 0, np.nan, a / np.where(np.asarray(b) == 0, 1, b))


def known(a: Array, b: Array, value: Any) -> Array:
    return np.where(np.isnan(a) | np.isnan(b), np.nan, value).astype(np.float64)


def over(x: Array, w: int, measure: Callable[[NDArray[Any]], NDArray[Any]]) -> Array:
    view = windows(x, w)
    return full(view, measure(view))


def rank_in_window(v: NDArray[Any]) -> NDArray[Any]:
    newest = v[:, :, -1:]
    return ((v < newest).sum(axis=2) + ((v == newest).sum(axis=2) + 1) / 2) / v.shape[2]


def together(x: Array, y: Array, w: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    a, b = windows(x, w), windows(y, w)
    (ma, va), (mb, vb) = moments(a), moments(b)
    return ((a - ma[:, :, None]) * (b - mb[:, :, None])).sum(axis=2) / (w - 1), va, vb, a + b


def correlation(x: Array, y: Array, w: int) -> Array:
    cross, va, vb, both = together(x, y, w)
    return full(both, divide(cross, np.sqrt(va) * np.sqrt(vb)))


def covariance(x: Array, y: Array, w: int) -> Array:
    cross, _, _, both = together(x, y, w)
    return full(both, cross)


def power(a: Array, b: Array) -> Array:
    with np.errstate(all="ignore"):
        value = np.power(a.astype(Wide), b.astype(Wide))
    return known(a, b, np.where((a == 0) & (b < 0), np.nan, value))


def ema(x: Array, span: int) -> Array:
    return pd.DataFrame(x).ewm(span=span, adjust=False, ignore_na=True, min_periods=span).mean().to_numpy()


def rsi(x: Array, w: int) -> Array:
    change = pd.DataFrame(x).diff()
    rise = change.clip(lower=0).ewm(alpha=1 / w, adjust=False, ignore_na=True, min_periods=w).mean().to_numpy()
    fall = (-change).clip(lower=0).ewm(alpha=1 / w, adjust=False, ignore_na=True, min_periods=w).mean().to_numpy()
    return np.asarray(divide(100 * rise, rise + fall), np.float64)


def shift(x: Array, n: int) -> Array:
    return pd.DataFrame(x).shift(n).to_numpy()


def cross_rank(x: Array) -> Array:
    return pd.DataFrame(x).rank(axis=1, pct=True).to_numpy()


def cross_score(x: Array) -> Array:
    frame = pd.DataFrame(x)
    spread = frame.std(axis=1)
    return frame.sub(frame.mean(axis=1), axis=0).div(spread.where(frame.nunique(axis=1) > 1), axis=0).to_numpy()


def scale(x: Array, to: float) -> Array:
    return np.asarray(divide(x, np.nansum(np.abs(x), axis=1, keepdims=True)) * to, np.float64)


def decay(v: NDArray[Any]) -> NDArray[Any]:
    weights = np.arange(1, v.shape[2] + 1, dtype=Wide)
    return (v * weights).sum(axis=2) / weights.sum()


def extended(function: Callable[..., Any], a: Array) -> Array:
    return np.asarray(function(a.astype(Wide)), np.float64)


def positive(x: Array, value: Callable[[NDArray[Any]], Any], above: float = 0.0) -> Array:
    with np.errstate(all="ignore"):
        return np.where(x > above, value(x.astype(Wide)), np.nan).astype(np.float64)


ORACLE: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": lambda a, b: divide(a, b) + 0 * a, "pow": power, "neg": np.negative,
    "gt": lambda a, b: known(a, b, a > b), "ge": lambda a, b: known(a, b, a >= b),
    "eq": lambda a, b: known(a, b, a == b), "ne": lambda a, b: known(a, b, a != b),
    "and": lambda a, b: known(a, b, (a != 0) & (b != 0)), "or": lambda a, b: known(a, b, (a != 0) | (b != 0)),
    "not": lambda a: known(a, a, a == 0), "is_nan": lambda a: np.isnan(a).astype(float),
    "where": lambda c, a, b: np.where(np.isnan(c), np.nan, np.where(c != 0, a, b)),
    "abs": np.abs, "sign": np.sign, "sqrt": lambda a: np.where(a == 0, 0.0, positive(a, np.sqrt)),
    "log": lambda a: positive(a, np.log), "log1p": lambda a: positive(a, np.log1p, -1.0),
    "exp": lambda a: np.exp(a.astype(Wide)).astype(float), "tanh": lambda a: np.tanh(a.astype(Wide)).astype(float),
    "power": power, "div_inf": np.divide, "log_inf": lambda a: extended(np.log, a), "log1p_inf": lambda a: extended(np.log1p, a),
    "sin": lambda a: extended(np.sin, a), "cos": lambda a: extended(np.cos, a), "arctan": lambda a: extended(np.arctan, a),
    "floor": np.floor, "ceil": np.ceil, "round": lambda a, decimals: np.round(a, int(decimals)),
    "nan_to": lambda a, b: np.where(np.isnan(a), b, a), "keep": lambda a, c: np.where(np.isnan(c) | (c == 0), np.nan, a),
    "fmax": np.fmax, "fmin": np.fmin, "finite": lambda a: np.where(np.isfinite(a), a, np.nan),
    "clip": np.clip, "min": np.minimum, "max": np.maximum,
    "delay": shift,
    "ts_sum": lambda x, w: over(x, w, lambda v: v.sum(axis=2)), "ts_mean": lambda x, w: over(x, w, lambda v: v.mean(axis=2)),
    "ts_std": lambda x, w: over(x, w, lambda v: np.sqrt(moments(v)[1])), "ts_var": lambda x, w: over(x, w, lambda v: moments(v)[1]),
    "ts_min": lambda x, w: over(x, w, lambda v: v.min(axis=2)), "ts_max": lambda x, w: over(x, w, lambda v: v.max(axis=2)),
    "ts_argmin": lambda x, w: over(x, w, lambda v: v.argmin(axis=2) + 1.0),
    "ts_argmax": lambda x, w: over(x, w, lambda v: v.argmax(axis=2) + 1.0),
    "ts_rank": lambda x, w: over(x, w, rank_in_window),
    "ts_below": lambda x, w: over(x, w, lambda v: (v[:, :, :-1] < v[:, :, -1:]).sum(axis=2)),
    "ts_at_most": lambda x, w: over(x, w, lambda v: (v[:, :, :-1] <= v[:, :, -1:]).sum(axis=2)),
    "ts_zscore": lambda x, w: over(x, w, lambda v: divide(v[:, :, -1] - moments(v)[0], np.sqrt(moments(v)[1]))),
    "ts_corr": correlation, "ts_cov": covariance, "decay_linear": lambda x, w: over(x, w, decay),
    "ema": ema, "rsi": rsi,
    "rank": cross_rank, "zscore": cross_score, "demean": lambda x: x - pd.DataFrame(x).mean(axis=1).to_numpy()[:, None], "scale": scale,
}  # fmt: skip


def evaluate(node: Node, data: dict[str, Array]) -> Array:
    """float64[T, S] of a graph over columns float64[T, S]."""
    if node.op == FIELD:
        return data[node.text]
    if node.op == CONST:
        return np.full_like(next(iter(data.values())), node.params[0])
    with np.errstate(all="ignore"):
        return np.asarray(ORACLE[node.op](*(evaluate(a, data) for a in node.args), *node.params), np.float64)


ORACLE |= oracle_technical.ORACLE | oracle_windows.ORACLE
