"""Factor back-tests, timed: `python -m bench.backtests [--short] [--json]`.

100 factors of Qlib's 158 on 12 random walks of 40,896 hourly bars, as many as the real panel of the same size has: decided once a day, and
at every bar; ten of them with all details. Times are CPU time of one process, first runs included; what a single one costs is beside it.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from bot.research.backtest import backtest_many
from bot.research.market import Market
from bot.research.settings import Settings
from feeds.times import HOUR, millis
from strategies.factors import Node, read

ROOT = Path(__file__).resolve().parents[1]


class Timed(NamedTuple):
    """What was done to how many factors, and what it took."""

    work: str
    factors: int
    cpu_seconds: float
    seconds: float
    each: float


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else "")
    options.add_argument("--bars", type=int, default=40_896)
    options.add_argument("--symbols", type=int, default=12)
    options.add_argument("--factors", type=int, default=100)
    options.add_argument("--short", action="store_true", help="a tenth of the bars and of the factors")
    options.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    asked = options.parse_args()
    share = 10 if asked.short else 1
    market = walks(asked.bars // share, asked.symbols)
    factors = nodes(market, max(1, asked.factors // share))
    found = [
        timed("decided once a day", market, factors, Settings(test=True)),
        timed("decided at every bar", market, factors, Settings(rebalance=1, test=True)),
        timed("with all details", market, factors[: max(1, len(factors) // 10)], Settings(draws=500, test=True), details=True),
    ]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if asked.json:
        print(json.dumps({"bars": market.rows, "symbols": len(market.symbols), "rows": [t._asdict() for t in found], "peak_mb": memory}))
        return
    print(f"{len(market.symbols)} symbols x {market.rows} bars, peak {memory} MB")
    for row in found:
        print(f"{row.work:22} {row.factors:4} factors  {row.cpu_seconds:7.2f} s CPU  {row.seconds:7.2f} s  {1e3 * row.each:7.1f} ms each")


def walks(bars: int, symbols: int) -> Market:
    """Random walks with a common part, volumes, and funding every 8 hours."""
    dice = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(0.004 * dice.normal(size=(bars, 1)) + 0.006 * dice.normal(size=(bars, symbols)), axis=0))
    funding = np.where(np.arange(bars)[:, None] % 8 == 7, dice.normal(1e-4, 1e-4, close.shape), 0.0)
    market = Market.of(close, timeframe=HOUR, start_ms=millis("2021-01-01"), funding=funding)
    return market._replace(volume=1e5 * np.exp(dice.normal(size=close.shape)), high=market.high * 1.002, low=market.low * 0.998)


def nodes(market: Market, count: int) -> list[Node]:
    """So many of the 158."""
    lines = (ROOT / "strategies/library/alpha158.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    given = [json.loads(line) for line in lines]
    return [read(row["text"], dialect=row["dialect"], timeframe=market.timeframe, fields=market.columns).node for row in given]


def timed(work: str, market: Market, factors: list[Node], settings: Settings, *, details: bool = False) -> Timed:
    """One pass over all of them."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in backtest_many(market, factors, settings, details=details):
        pass
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Timed(work, len(factors), cpu, wall, cpu / len(factors))


if __name__ == "__main__":
    main()
