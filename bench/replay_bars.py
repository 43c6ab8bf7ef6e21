"""The bars of the replay benchmark, made from a seed, and a plain loop that says what must come out.

python -m bench.replay_bars FOLDER R1 [R3 ...] [--bars N] [--feather]
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.replay_cases import BEGIN, CASH, FAST, FEE, MINUTE, NOTIONAL, SEED, SLIPPAGE, SLOW, WORKLOADS, Workload, symbols

Array = NDArray[np.float64]


def walk(place: int, of: int, bars: int) -> dict[str, Array]:
    """One symbol's bars: a geometric random walk whose variance follows a GARCH(1, 1), to the cent; each opens where the last closed."""
    rng = np.random.default_rng([SEED, of, place])
    steps, alpha, beta = 8, 0.08, 0.90
    level = 0.65**2 / 525_600
    shocks = rng.standard_normal(bars)
    variance = np.empty(bars)
    now = squared = level
    for i, shock in enumerate(shocks.tolist()):
        variance[i] = now = level * (1 - alpha - beta) + alpha * squared + beta * now
        squared = now * shock * shock
    deviation = np.sqrt(variance)
    within = rng.standard_normal((bars, steps))  # the way inside a bar, which must end at the bar's return
    within -= within.mean(axis=1, keepdims=True)
    path = np.cumsum(within, axis=1) * (deviation / np.sqrt(steps))[:, None]
    returns = deviation * shocks
    path += returns[:, None] * (np.arange(1, steps + 1) / steps)
    log_price = np.log(30_000.0) + np.concatenate([[0.0], np.cumsum(returns)])
    close = np.round(np.exp(log_price[1:]), 2)
    open_ = np.concatenate([[30_000.0], close[:-1]])
    top, bottom = np.maximum(path.max(axis=1), 0), np.minimum(path.min(axis=1), 0)
    return {
        "open": open_, "high": np.round(np.maximum.reduce([np.exp(log_price[:-1] + top), open_, close]), 2),
        "low": np.round(np.minimum.reduce([np.exp(log_price[:-1] + bottom), open_, close]), 2), "close": close,
        "volume": np.round(50.0 * np.exp(0.6 * rng.standard_normal(bars)) * (deviation / np.sqrt(level)), 3) + 10.0,
    }  # fmt: skip


def write(folder: Path, work: Workload, bars: int = 0) -> Path:
    """A Parquet file for each symbol, of the first `bars` bars (0: all)."""
    folder.mkdir(parents=True, exist_ok=True)
    for symbol, columns in _series(work):
        table = pa.table({"ts_ms": BEGIN + MINUTE * np.arange(work.bars), **columns})
        pq.write_table(table.slice(0, bars or work.bars), folder / f"{symbol}.parquet", compression="zstd")
    return folder


def write_feather(folder: Path, work: Workload) -> None:
    """The same bars as the adapters of other engines look for them."""
    kind = "r3" if work.symbols > 1 else "r1"
    at = pa.array(BEGIN + MINUTE * np.arange(work.bars), pa.timestamp("ms", tz="UTC"))
    for symbol, columns in _series(work):
        pyarrow.feather.write_feather(pa.table({"date": at, **columns}), str(folder / f"{kind}_{symbol}.feather"), compression="lz4")


def _series(work: Workload) -> Iterator[tuple[str, dict[str, Array]]]:
    for place, symbol in enumerate(symbols(work.symbols)):
        yield symbol, walk(place, work.symbols, work.bars)


class Traded(NamedTuple):
    """A fill of the plain loop; at: close of the deciding bar, which is when the next one opens."""

    at: int
    quantity: float  # signed
    price: float


def wanted(close: Array) -> Array:
    """R1's side after each close: +1, -1, or 0 before there are enough closes."""
    total = np.concatenate([[0.0], np.cumsum(close)])
    fast, slow = ((total[n:] - total[:-n]) / n for n in (FAST, SLOW))
    out = np.zeros(close.size)
    out[SLOW - 1 :] = np.sign(fast[SLOW - FAST :] - slow)
    return out


def plain_loop(open_: Array, close: Array) -> Iterator[Traded]:
    """R1 or a leg of R3 with nothing around it; sizes are cut to the lot, as an order must be."""
    held, side = 0.0, 0.0
    for bar, now in enumerate(wanted(close)[:-1].tolist()):
        if now and now != side:
            side = now
            quantity = side * math.floor(round(NOTIONAL / close[bar] * 1e6, 6)) / 1e6 - held
            held += quantity
            yield Traded(BEGIN + MINUTE * (bar + 1), quantity, open_[bar + 1] * (1 + math.copysign(SLIPPAGE, quantity)))


def equity(trades: list[Traded], last: float) -> float:
    """What the account is worth in the end."""
    cash = CASH - sum(t.quantity * t.price + abs(t.quantity) * t.price * FEE for t in trades)
    return cash + sum(t.quantity for t in trades) * last


def _tell_trades(folder: Path, out: Path) -> None:
    bars = pq.ParquetFile(folder / "S00.parquet").read()
    close = np.frombuffer(bars["close"].chunk(0).buffers()[1], np.float64)
    trades = list(plain_loop(np.frombuffer(bars["open"].chunk(0).buffers()[1], np.float64), close))
    out.write_text("".join(f"{t.at},S00,{t.quantity:.9f},{t.price:.9f}\n" for t in trades), encoding="utf-8")
    print("RESULT " + json.dumps({"fills": len(trades), "equity": equity(trades, float(close[-1]))}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("workloads", nargs="+", choices=sorted(WORKLOADS))
    parser.add_argument("--bars", type=int, default=0)
    parser.add_argument("--feather", action="store_true", help="for the adapters of other engines")
    parser.add_argument("--trades", type=Path, help="write what the plain loop trades on the bars that are in the folder")
    given = parser.parse_args()
    if given.trades:
        _tell_trades(given.folder, given.trades)
        return
    for name in given.workloads:
        if given.feather:
            write_feather(given.folder, WORKLOADS[name])
        else:
            write(given.folder, WORKLOADS[name], given.bars)


if __name__ == "__main__":
    main()
