"""How far window values are from a two-pass computation after a long history with one bad tick: ours, pandas, bottleneck.

A price near 60,000 walks in cents; in the middle of the history one bar says 1e9. Windows are taken right after it has left and at the
end, and computed again from their bars alone in long double.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from strategies.factors import Machine, compile_factors

Array = NDArray[np.float64]
Exact = Callable[[Any, Any], Any]  # windows of x and y, long double [k, w] -> [k]

PIECE = 1 << 20
TEXTS = {
    "mean": "ts_mean(close, {n})", "std": "ts_std(close, {n})", "var": "ts_var(close, {n})", "zscore": "ts_zscore(close, {n})",
    "corr": "ts_corr(close, volume, {n})", "skew": "ts_skew(close, {n})", "slope": "ts_slope(close, {n})",
}  # fmt: skip


class Line(NamedTuple):
    """Largest difference from the exact value, relative to it (to 1 for what is near zero by nature), and NaNs afterwards, by engine."""

    what: str
    window: int
    errors: dict[str, float]
    unknown: dict[str, int]


def history(bars: int) -> Array:
    """float64[T, 2, 1]: price and volume."""
    rng = np.random.default_rng(5)
    steps = rng.integers(-40, 41, bars)
    price = 60_000 + (np.cumsum(steps) - np.linspace(0, 1, bars) * steps.sum()).round() / 100
    price[bars // 2] = 1e9
    volume = np.exp(rng.normal(3, 1, bars)) + np.abs(steps)
    return np.stack([price, volume], axis=1)[:, :, None]


def measured(bars: int, windows: tuple[int, ...] = (20, 500)) -> list[Line]:
    block = history(bars)
    lines = []
    for n in windows:
        first = bars // 2 + n
        at = np.unique(np.concatenate([np.arange(first, first + 200), np.linspace(bars - bars // 20, bars - 1, 400).astype(int)]))
        windows_of = [np.stack([block[i - n + 1 : i + 1, c, 0] for i in at]).astype(np.longdouble) for c in (0, 1)]
        engines = {"ours": ours(block, n, first)}
        engines |= {name: made for name, make in PEERS.items() if (made := make(block, n, first)) is not None}
        for what, exact in EXACT.items():
            wanted = exact(*windows_of)
            size = np.maximum(np.abs(wanted), 1.0 if what in ("corr", "skew", "zscore") else 0.0)
            size = np.where(size == 0, 1.0, size)
            have = {name: values[what] for name, values in engines.items() if what in values}
            errors = {name: float(np.nanmax(np.abs(v[at - first] - wanted) / size, initial=0.0)) for name, v in have.items()}
            lines.append(Line(what, n, errors, {name: int(np.isnan(v).sum()) for name, v in have.items()}))
    return lines


def ours(block: Array, n: int, first: int) -> dict[str, Array]:
    """Values from bar `first` on."""
    program = compile_factors({k: t.format(n=n) for k, t in TEXTS.items()}, timeframe=60_000, fields=["close", "volume"], units=False)
    machine, pieces = Machine(program, 1), []
    for start in range(0, len(block), PIECE):
        values = machine.run(block[start : start + PIECE], start)[:, :, 0]
        pieces.append(values[max(0, first - start) :].copy())
    whole = np.concatenate(pieces)
    return {name: whole[:, i] for i, name in enumerate(program.names)}


def _pandas(block: Array, n: int, first: int) -> dict[str, Array] | None:
    try:
        pd: Any = importlib.import_module("pandas")
    except ImportError:
        return None
    x, y = pd.Series(block[:, 0, 0]), pd.Series(block[:, 1, 0])
    r = x.rolling(n)
    made = {"mean": r.mean(), "std": r.std(), "var": r.var(), "zscore": (x - r.mean()) / r.std(), "corr": r.corr(y), "skew": r.skew()}
    return {name: series.to_numpy()[first:] for name, series in made.items()}


def _bottleneck(block: Array, n: int, first: int) -> dict[str, Array] | None:
    try:
        bn: Any = importlib.import_module("bottleneck")
    except ImportError:
        return None
    x = block[:, 0, 0].copy()
    return {"mean": bn.move_mean(x, n)[first:], "std": bn.move_std(x, n, ddof=1)[first:], "var": bn.move_var(x, n, ddof=1)[first:]}


def _talib(block: Array, n: int, first: int) -> dict[str, Array] | None:
    try:
        ta: Any = importlib.import_module("talib")
    except ImportError:
        return None
    x, y = block[:, 0, 0].copy(), block[:, 1, 0].copy()
    sample = n / (n - 1)
    made = {"mean": ta.SMA(x, n), "std": ta.STDDEV(x, n) * sample**0.5, "var": ta.VAR(x, n) * sample, "corr": ta.CORREL(x, y, n)}
    return {name: series[first:] for name, series in (made | {"slope": ta.LINEARREG_SLOPE(x, n)}).items()}


PEERS = {"pandas": _pandas, "bottleneck": _bottleneck, "TA-Lib": _talib}


def _spread(x: Any, power: int) -> Any:
    return ((x - x.mean(axis=1, keepdims=True)) ** power).sum(axis=1)


def _corr(x: Any, y: Any) -> Any:
    dx, dy = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    return (dx * dy).sum(axis=1) / np.sqrt((dx * dx).sum(axis=1) * (dy * dy).sum(axis=1))


def _skew(x: Any, _: Any) -> Any:
    n = x.shape[1]
    m2, m3 = _spread(x, 2) / n, _spread(x, 3) / n
    return np.sqrt(np.longdouble(n) * (n - 1)) / (n - 2) * m3 / m2**1.5


def _slope(x: Any, _: Any) -> Any:
    k = np.arange(x.shape[1], dtype=np.longdouble)
    k -= k.mean()
    return (x * k).sum(axis=1) / (k * k).sum()


def _std(x: Any, _: Any) -> Any:
    return np.sqrt(_spread(x, 2) / (x.shape[1] - 1))


EXACT: dict[str, Exact] = {
    "mean": lambda x, y: x.mean(axis=1), "std": _std, "var": lambda x, y: _std(x, y) ** 2,
    "zscore": lambda x, y: (x[:, -1] - x.mean(axis=1)) / _std(x, y), "corr": _corr, "skew": _skew, "slope": _slope,
}  # fmt: skip


def text(lines: list[Line]) -> str:
    names = ["ours", *(name for name in PEERS if any(name in line.errors for line in lines))]
    rows = [f"| value | window | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for line in lines:
        cells = []
        for name in names:
            unknown = line.unknown.get(name, 0)
            cells.append("-" if name not in line.errors else f"NaN in {unknown:,}" if unknown else f"{line.errors[name]:.0e}")
        rows.append(f"| {line.what} | {line.window} | {' | '.join(cells)} |")
    return "\n".join(rows)
