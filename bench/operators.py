"""Single operators beside the libraries that have them: nanoseconds an element, at windows 20 and 500, 50 symbols and one.

Each peer computes the whole table of bars and symbols the way its users would: TA-Lib column by column, bottleneck and numbagg along an
axis, pandas and polars on a frame of columns, KunQuant as a module of its own. Every result is compared with ours before it is timed.
"""

import importlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from bench import kunquant
from strategies.factors import Machine, compile_factors, parse

Array = NDArray[np.float64]
Peer = Callable[[Array, Array, int], Array]  # x and y float64[T, S], window -> float64[T, S]

FIELDS = ("close", "volume")
FIRST = 28_000_000
PEERS = {
    "bottleneck": "bottleneck",
    "TA-Lib": "talib",
    "numbagg": "numbagg",
    "polars": "polars",
    "pandas": "pandas",
    "KunQuant": "KunQuant",
}
PACKAGES = {"talib": "TA-Lib"}
TOLERANCE = 1e-6  # of the size of a column
SLOW = 2e-6  # seconds an element beyond which one round is enough


class Line(NamedTuple):
    """One operator at one window and width; nanoseconds an element, by engine; what of a peer's values differs from ours."""

    operator: str
    window: int
    symbols: int
    ours: float
    peers: dict[str, float]
    differing: dict[str, float]

    @property
    def best(self) -> tuple[str, float]:
        return min(self.peers.items(), key=lambda peer: peer[1], default=("", float("nan")))


TEXTS = {
    "ts_mean": "ts_mean(close, {n})", "ts_sum": "ts_sum(close, {n})", "ts_std": "ts_std(close, {n})", "ts_max": "ts_max(close, {n})",
    "ts_min": "ts_min(close, {n})", "ts_argmax": "ts_argmax(close, {n})", "ts_corr": "ts_corr(close, volume, {n})",
    "ts_cov": "ts_cov(close, volume, {n})", "ts_rank": "ts_rank(close, {n})", "ts_median": "ts_median(close, {n})",
    "ts_quantile": "ts_quantile(close, {n}, 0.8)", "ts_skew": "ts_skew(close, {n})", "decay_linear": "decay_linear(close, {n})",
    "ema": "ema(close, {n})", "rsi": "rsi(close, {n})", "ts_slope": "ts_slope(close, {n})",
}  # fmt: skip


def installed() -> dict[str, Any]:
    """The peers that are here, by name."""
    found = {}
    for name, module in PEERS.items():
        try:
            found[name] = importlib.import_module(module)
        except ImportError:
            continue
    if "KunQuant" in found and not kunquant.usable():
        del found["KunQuant"]
    return found


def columns(function: Callable[..., Array]) -> Peer:
    """Column by column: for libraries that know one series at a time."""

    def run(x: Array, y: Array, n: int) -> Array:
        result = np.empty_like(x)
        for s in range(x.shape[1]):
            result[:, s] = function(np.ascontiguousarray(x[:, s]), np.ascontiguousarray(y[:, s]), n)
        return result

    return run


def table(have: dict[str, Any]) -> dict[str, dict[str, Peer]]:
    """By operator, by peer."""
    made: dict[str, dict[str, Peer]] = {name: {} for name in TEXTS}
    for name, entries in (("bottleneck", _bottleneck), ("TA-Lib", _talib), ("numbagg", _numbagg), ("polars", _polars), ("pandas", _pandas)):
        if name in have:
            for operator, peer in entries(have[name]).items():
                made[operator][name] = peer
    return made


def _bottleneck(bn: Any) -> dict[str, Peer]:
    return {
        "ts_mean": lambda x, y, n: bn.move_mean(x, n, axis=0), "ts_sum": lambda x, y, n: bn.move_sum(x, n, axis=0),
        "ts_std": lambda x, y, n: bn.move_std(x, n, axis=0, ddof=1), "ts_max": lambda x, y, n: bn.move_max(x, n, axis=0),
        "ts_min": lambda x, y, n: bn.move_min(x, n, axis=0), "ts_argmax": lambda x, y, n: n - bn.move_argmax(x, n, axis=0),
        "ts_rank": lambda x, y, n: ((bn.move_rank(x, n, axis=0) + 1) / 2 * (n - 1) + 1) / n,
        "ts_median": lambda x, y, n: bn.move_median(x, n, axis=0),
    }  # fmt: skip


def _talib(ta: Any) -> dict[str, Peer]:
    sample = lambda n: (n / (n - 1)) ** 0.5  # noqa: E731
    return {
        "ts_mean": columns(lambda x, y, n: ta.SMA(x, n)), "ts_sum": columns(lambda x, y, n: ta.SUM(x, n)),
        "ts_std": columns(lambda x, y, n: ta.STDDEV(x, n) * sample(n)), "ts_max": columns(lambda x, y, n: ta.MAX(x, n)),
        "ts_min": columns(lambda x, y, n: ta.MIN(x, n)), "ts_corr": columns(ta.CORREL),
        "ts_argmax": columns(lambda x, y, n: ta.MAXINDEX(x, n) - np.arange(len(x)) + float(n)),
        "decay_linear": columns(lambda x, y, n: ta.WMA(x, n)), "ema": columns(lambda x, y, n: ta.EMA(x, n)),
        "rsi": columns(lambda x, y, n: ta.RSI(x, n)), "ts_slope": columns(lambda x, y, n: ta.LINEARREG_SLOPE(x, n)),
    }  # fmt: skip


def _numbagg(nb: Any) -> dict[str, Peer]:
    return {
        "ts_mean": lambda x, y, n: nb.move_mean(x, window=n, axis=0), "ts_sum": lambda x, y, n: nb.move_sum(x, window=n, axis=0),
        "ts_std": lambda x, y, n: nb.move_std(x, window=n, axis=0), "ts_corr": lambda x, y, n: nb.move_corr(x, y, window=n, axis=0),
        "ts_cov": lambda x, y, n: nb.move_cov(x, y, window=n, axis=0),
        "ema": lambda x, y, n: nb.move_exp_nanmean(x, alpha=2 / (n + 1), axis=0),
    }  # fmt: skip


def _polars(pl: Any) -> dict[str, Peer]:
    def each(make: Callable[[Any, int], Any]) -> Peer:
        def run(x: Array, y: Array, n: int) -> Array:
            frame = pl.DataFrame({str(s): np.ascontiguousarray(x[:, s]) for s in range(x.shape[1])})
            values: Array = frame.select(make(pl.all(), n)).to_numpy()
            return values

        return run

    return {
        "ts_mean": each(lambda c, n: c.rolling_mean(n)), "ts_sum": each(lambda c, n: c.rolling_sum(n)),
        "ts_std": each(lambda c, n: c.rolling_std(n)), "ts_max": each(lambda c, n: c.rolling_max(n)),
        "ts_min": each(lambda c, n: c.rolling_min(n)), "ts_median": each(lambda c, n: c.rolling_median(n)),
        "ts_quantile": each(lambda c, n: c.rolling_quantile(0.8, interpolation="linear", window_size=n)),
        "ts_skew": each(lambda c, n: c.rolling_skew(n, bias=False)), "ema": each(lambda c, n: c.ewm_mean(span=n, adjust=False)),
    }  # fmt: skip


def _pandas(pd: Any) -> dict[str, Peer]:
    def over(make: Callable[[Any, Any, int], Any]) -> Peer:
        def run(x: Array, y: Array, n: int) -> Array:
            values: Array = make(pd.DataFrame(x), pd.DataFrame(y), n).to_numpy()
            return values

        return run

    return {
        "ts_mean": over(lambda x, y, n: x.rolling(n).mean()), "ts_sum": over(lambda x, y, n: x.rolling(n).sum()),
        "ts_std": over(lambda x, y, n: x.rolling(n).std()), "ts_max": over(lambda x, y, n: x.rolling(n).max()),
        "ts_min": over(lambda x, y, n: x.rolling(n).min()), "ts_corr": over(lambda x, y, n: x.rolling(n).corr(y)),
        "ts_cov": over(lambda x, y, n: x.rolling(n).cov(y)), "ts_rank": over(lambda x, y, n: x.rolling(n).rank(pct=True)),
        "ts_median": over(lambda x, y, n: x.rolling(n).median()), "ts_quantile": over(lambda x, y, n: x.rolling(n).quantile(0.8)),
        "ts_skew": over(lambda x, y, n: x.rolling(n).skew()), "ema": over(lambda x, y, n: x.ewm(span=n, adjust=False).mean()),
    }  # fmt: skip


def measured(block: Array, windows: tuple[int, ...] = (20, 500), rounds: int = 4, only: tuple[str, ...] = ()) -> Iterator[Line]:
    """Lines, one after the other. block  float64[T, 2, S]: prices and volumes."""
    have = installed()
    peers = table(have)
    x, y = np.ascontiguousarray(block[:, 0]), np.ascontiguousarray(block[:, 1])
    bars, _, symbols = block.shape
    chosen = {name: text for name, text in TEXTS.items() if not only or name in only}
    for n in windows:
        graphs = {name: parse(text.format(n=n), timeframe=60_000, fields=FIELDS, units=False) for name, text in chosen.items()}
        built = (
            kunquant.engines({name: {"value": graph} for name, graph in graphs.items()}) if "KunQuant" in have and symbols % 2 == 0 else {}
        )
        for name, graph in graphs.items():
            program = compile_factors({"value": graph}, timeframe=60_000, fields=FIELDS)
            out = np.empty((bars, 1, symbols))
            works: dict[str, Callable[[], Array]] = {
                peer: (lambda run=run, n=n: run(x, y, n))
                for peer, run in peers[name].items()  # type: ignore[misc]
            }
            if name in built:
                works["KunQuant"] = lambda engine=built[name]: engine({"close": x, "volume": y})["value"]  # type: ignore[misc]
            ours = lambda program=program, out=out: Machine(program, symbols).run(block, FIRST, out)[:, 0]  # noqa: E731
            values = ours().copy()
            differing = {peer: difference(values[2 * n :], work()[2 * n :]) for peer, work in works.items()}
            times = interleaved({"": ours, **works}, rounds, x.size)
            yield Line(name, n, symbols, times.pop(""), times, {peer: size for peer, size in differing.items() if not size <= TOLERANCE})


def difference(ours: Array, theirs: Array) -> float:
    """The largest difference, of the size of the values; NaN where one side does not know what the other does."""
    if (np.isnan(ours) != np.isnan(theirs)).any():
        return float("nan")
    return float(np.nanmax(np.abs(ours - theirs)) / np.nanmax(np.abs(ours)))


def interleaved(works: dict[str, Callable[[], Array]], rounds: int, elements: int) -> dict[str, float]:
    """CPU nanoseconds an element: the least of the rounds, which take turns."""
    least = dict.fromkeys(works, float("inf"))
    for turn in range(rounds):
        for name, work in works.items():
            if turn and least[name] > SLOW * 1e9:
                continue
            began = time.process_time()
            work()
            least[name] = min(least[name], (time.process_time() - began) / elements * 1e9)
    return least


def text(lines: list[Line]) -> str:
    """As a table."""
    names = [name for name in PEERS if any(name in line.peers for line in lines)]
    rows = [f"| operator | window | symbols | ours | {' | '.join(names)} | best peer | ours / best |", "|---" * (len(names) + 6) + "|"]
    for line in lines:
        peers = " | ".join(f"{line.peers[n]:.1f}{'*' if n in line.differing else ''}" if n in line.peers else "-" for n in names)
        best, value = line.best
        rows.append(f"| {line.operator} | {line.window} | {line.symbols} | {line.ours:.1f} | {peers} | {best} | {line.ours / value:.2f} |")
    notes = sorted({f"{line.operator} {line.window}: {peer} {size:.0e}" for line in lines for peer, size in line.differing.items()})
    return "\n".join(
        [*rows, "", f"* values differ from ours by more than {TOLERANCE:.0e}, or are known elsewhere (nan): {'; '.join(notes)}"]
    )
