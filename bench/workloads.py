"""What is measured: the thirty factors of W1, the ten of W3, ten classic indicators, and bars; and all of them in pandas."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from strategies.factors import Node, parse
from strategies.factors.graph import CONST, FIELD

Array = NDArray[np.float64]
Frame = pd.DataFrame

FIELDS = ("open", "high", "low", "close", "volume")
MINUTE = 60_000
FIRST = 28_000_000

W1 = {
    "mom20": "momentum_20", "logret5": "log(close / delay(close, 5))", "z20": "(close - sma_20) / ts_std(close, 20)",
    "vol20": "ts_std(returns, 20)",
    "volratio": "ts_std(returns, 10) / ts_std(returns, 60)", "rsi14": "rsi(close, 14)", "macd": "(ema_12 - ema_26) / close",
    "macdsig": "(ema_12 - ema_26 - ema(ema_12 - ema_26, 9)) / close", "corrcv20": "ts_corr(close, volume, 20)",
    "corrrv10": "ts_corr(returns, delta(log(volume), 1), 10)", "tsrank20": "ts_rank(close, 20)", "tsrankv10": "-ts_rank(volume, 10)",
    "decay10": "decay_linear(returns, 10)", "argmax20": "ts_argmax(high, 20)", "argmin20": "ts_argmin(low, 20)",
    "donchian20": "(close - low_20) / (high_20 - low_20)", "csmom": "rank(momentum_20)", "alpha4": "-ts_rank(rank(low), 9)",
    "alpha3": "-ts_corr(rank(open), rank(volume), 10)", "alpha6": "-ts_corr(open, volume, 10)",
    "alpha12": "sign(delta(volume, 1)) * -delta(close, 1)",
    "alpha9": "ts_min(delta(close, 1), 5) > 0 ? delta(close, 1) : ts_max(delta(close, 1), 5) < 0 ? delta(close, 1) : -delta(close, 1)",
    "alpha101": "(close - open) / (high - low + 0.001)", "alpha40": "-rank(ts_std(high, 10)) * ts_corr(high, volume, 10)",
    "alpha53": "-delta((close - low - (high - close)) / (close - low + 0.001), 9)",
    "amihud20": "ts_mean(abs(returns) / (close * volume), 20)",
    "bbw20": "4 * ts_std(close, 20) / sma_20", "volz60": "(volume - ts_mean(volume, 60)) / ts_std(volume, 60)",
    "natr14": "ema(max(high - low, max(abs(high - close_lag_1), abs(low - close_lag_1))), 27) / close",
    "nested": "rank(decay_linear(ts_corr((high + low + close) / 3, ts_mean(volume, 20), 10), 8))",
}  # fmt: skip
ALONE = ("mom20", "z20", "volratio", "rsi14", "macdsig", "corrcv20", "tsrank20", "decay10", "argmax20", "natr14")
W3 = {name: W1[name] for name in ALONE}
TEN = {
    "sma20": "sma_20", "ema12": "ema_12", "std20": "ts_std(close, 20)", "rsi14": "rsi(close, 14)", "max20": "ts_max(high, 20)",
    "atr14": "ema(max(high - low, max(abs(high - close_lag_1), abs(low - close_lag_1))), 27)", "min20": "ts_min(low, 20)",
    "macd_signal": "ema(ema_12 - ema_26, 9)", "roc20": "close / delay(close, 20) - 1", "wma10": "decay_linear(close, 10)",
}  # fmt: skip


def graphs_of(texts: dict[str, str]) -> dict[str, Node]:
    return {name: parse(text, timeframe=MINUTE, fields=FIELDS) for name, text in texts.items()}


def market(bars: int, symbols: int) -> Array:
    """float64[T, 5, S]: log-random walks with a common part and fat tails."""
    rng = np.random.default_rng(7)
    steps = rng.standard_t(4, (bars, 1)) * 0.0006 + rng.standard_t(4, (bars, symbols)) * 0.001
    close = rng.uniform(5, 500, symbols) * np.exp(np.cumsum(steps - steps.mean(axis=0), axis=0))
    open_ = close * np.exp(rng.normal(0, 0.0004, close.shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.0006, close.shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.0006, close.shape)))
    return np.stack([open_, high, low, close, np.exp(rng.normal(8, 1, close.shape) + 300 * np.abs(steps))], axis=1)


def peer(graphs: dict[str, Node], frames: dict[str, Frame]) -> dict[str, Frame]:
    """The graphs in pandas."""
    done: dict[Node, Frame | float] = {}

    def go(node: Node) -> Frame | float:
        if node not in done:
            if node.op == FIELD:
                done[node] = frames[node.text]
            elif node.op == CONST:
                done[node] = node.params[0]
            else:
                done[node] = PANDAS[node.op](*(go(a) for a in node.args), *node.params)
        return done[node]

    with np.errstate(all="ignore"):
        return {name: _frame(go(node)) for name, node in graphs.items()}


def _frame(value: Frame | float) -> Frame:
    assert isinstance(value, Frame), "a factor reads a field"
    return value


def _rsi(x: Frame, n: int) -> Frame:
    change = x.diff()
    rise = change.clip(lower=0).ewm(alpha=1 / n, adjust=False, min_periods=n).mean()
    fall = (-change).clip(lower=0).ewm(alpha=1 / n, adjust=False, min_periods=n).mean()
    return 100 - 100 / (1 + rise / fall)


def _decay(x: Frame, n: int) -> Frame:
    weights = np.arange(1, n + 1) / (n * (n + 1) / 2)
    return x.rolling(n).apply(lambda window: window @ weights, raw=True)


def _where(c: Frame, a: Frame, b: Frame) -> Frame:
    return a.where(c != 0, b).where(c.notna())


def _greater(a: Frame, b: Frame | float) -> Frame:
    known = a if isinstance(a, Frame) else b
    assert isinstance(known, Frame)
    return (a > b).astype(float).where(known.notna())


PANDAS: dict[str, Callable[..., Frame]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b, "neg": lambda a: -a,
    "gt": _greater, "where": _where, "abs": abs, "log": np.log, "sign": np.sign, "max": np.maximum,
    "delay": lambda x, n: x.shift(n), "ts_mean": lambda x, n: x.rolling(n).mean(), "ts_std": lambda x, n: x.rolling(n).std(),
    "ts_min": lambda x, n: x.rolling(n).min(), "ts_max": lambda x, n: x.rolling(n).max(),
    "ts_argmin": lambda x, n: x.rolling(n).apply(np.argmin, raw=True) + 1,
    "ts_argmax": lambda x, n: x.rolling(n).apply(np.argmax, raw=True) + 1,
    "ts_rank": lambda x, n: x.rolling(n).rank(pct=True), "ts_corr": lambda x, y, n: x.rolling(n).corr(y), "decay_linear": _decay,
    "ema": lambda x, n: x.ewm(span=n, adjust=False, ignore_na=True, min_periods=n).mean(), "rsi": _rsi,
    "rank": lambda x: x.rank(axis=1, pct=True),
}  # fmt: skip
