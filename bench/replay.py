"""How fast a replay is: bars a second, the journal in memory, on one-minute bars made from a seed.

    python bench/replay.py [--bars 525600] [--rounds 3] [--json]

Each case runs in a process of its own, so that peak memory is its own; the first run of a round warms the kernel cache. CPU seconds
are of the engine run (engine, fusion, risk, execution, ledger, journal); the whole process adds import, reading and the document.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TEN = {
    "momentum": "momentum_4h", "reversal": "-zscore(close, 60)", "range": "(close - low_1d) / (high_1d - low_1d)",
    "rsi": "(rsi_14 - 50) / 50",
    "volume": "volume_zscore * sign(returns)", "trend": "ema(close, 60) / ema(close, 240) - 1", "corr": "ts_corr(close, volume, 120)",
    "decay": "decay_linear(returns, 30)", "rank": "ts_rank(close, 120) - 0.5", "shape": "(close - open) / (high - low)",
}  # fmt: skip
OPEN_ENDED = {"risk.max_drawdown": 1, "risk.daily_loss": 1}  # nothing may end the trading
BUSY = {"trading.cool_down_bars": 15, "strategy.exit_threshold": 0.1, "strategy.windows": {"momentum": 240}}
BUILT_IN = ("price_momentum", "volume_breakout", "sentiment_news", "sentiment_social", "onchain_flow", "whale_accumulation")
ALONE = {"strategy.factors": TEN} | {f"strategy.signals.{name}": 0 for name in BUILT_IN}
CASES = {
    "10 factors": (ALONE, False),
    "10 factors, stopping at every bar": (ALONE, True),
    "10 factors and the built-in signals": ({"strategy.factors": TEN}, False),
    "the same, some 40 fills a day": ({"strategy.factors": TEN} | BUSY, False),
    "the built-in signals": ({}, False),
}


def market(path: Path, bars: int) -> None:
    """One symbol of random one-minute bars."""
    rng = np.random.default_rng(7)
    close = 30_000 * np.exp(np.cumsum(rng.standard_t(4, bars) * 4e-4))
    open_ = np.concatenate([[30_000.0], close[:-1]])
    reach = np.abs(rng.normal(0, 3e-4, (2, bars)))
    columns = {
        "ts_ms": 1_672_531_200_000 + 60_000 * np.arange(bars), "open": open_, "high": np.maximum(open_, close) * (1 + reach[0]),
        "low": np.minimum(open_, close) * (1 - reach[1]), "close": close, "volume": rng.exponential(50.0, bars),
    }  # fmt: skip
    pq.write_table(pa.table(columns), path / "BTCUSDT.parquet")


def one(folder: Path, case: str) -> dict[str, Any]:
    """Run a case in this process."""
    from bot.config import load
    from bot.modes import replay

    changes, step = CASES[case]
    config = load(None, {}, OPEN_ENDED | changes).config
    cpu = time.process_time()
    result = replay(config, candles=[folder], step=step)
    return {
        "case": case, "bars": result.bars, "fills": result.fills, "seconds": result.seconds, "bars_per_second": result.bars_per_second,
        "process_cpu": time.process_time() - cpu, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "digest": result.digest,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=int, default=525_600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("FOLDER", "CASE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(Path(given.one[0]), given.one[1])))
        return
    best: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        market(Path(folder), given.bars)
        for _ in range(given.rounds):
            for case in CASES:
                done = subprocess.run([sys.executable, __file__, "--one", folder, case], check=True, capture_output=True, text=True)
                found = json.loads(done.stdout)
                if case not in best or found["seconds"] < best[case]["seconds"]:
                    best[case] = found
    if given.json:
        print(json.dumps(list(best.values())))
        return
    print(f"| case | bars | fills | s | bars/s | process CPU s | peak MB |\n|{'---|' * 7}")
    for row in best.values():
        print(
            f"| {row['case']} | {row['bars']:,} | {row['fills']:,} | {row['seconds']:.2f} | {row['bars_per_second']:,.0f} "
            f"| {row['process_cpu']:.2f} | {row['peak_mb']:.0f} |"
        )


if __name__ == "__main__":
    main()
