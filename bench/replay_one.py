"""One replay in this process, measured, told as one line: what bench/replay.py starts for each of its rows.

    python -m bench.replay_one --folder DIR --workload R1 [--bars N] [--factors 25] [--step] [--store FILE] [--fills FILE]

The engine run is from the first block to the last: engine, fusion, risk, execution, ledger, journal. Reading files and measuring the
result are in the figures of the whole process, which whoever starts it sees.
"""

import argparse
import json
import resource
import time
from pathlib import Path

from bench.replay_cases import WORKLOADS, settings
from bot.config import load
from bot.events import Fill
from bot.modes import replay
from bot.session import Session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--workload", choices=sorted(WORKLOADS), default="R1")
    parser.add_argument("--factors", type=int, default=0)
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--fills", type=Path, help="write time, symbol, signed quantity and price of each fill")
    given = parser.parse_args()
    sessions: list[Session] = []
    spent: list[tuple[float, float]] = []
    plain = Session.replay

    def timed(session, *arguments, **named):  # type: ignore[no-untyped-def]  # whatever it takes
        begun = time.process_time(), time.perf_counter()
        plain(session, *arguments, **named)
        spent.append((time.process_time() - begun[0], time.perf_counter() - begun[1]))
        sessions.append(session)

    Session.replay = timed  # type: ignore[method-assign]
    config = load(None, {}, settings(WORKLOADS[given.workload], given.factors)).config
    result = replay(config, candles=[given.folder], step=given.step, store=given.store)
    ((cpu, wall),) = spent
    if given.fills:
        with given.fills.open("w", encoding="utf-8") as out:
            for fill in (event for event in sessions[0].money if isinstance(event, Fill)):
                out.write(f"{fill.filled_ms},{fill.symbol},{'-' if fill.side == 'SELL' else ''}{fill.quantity},{fill.price}\n")
    told = {
        "bars": result.bars, "fills": result.fills, "equity": float(result.equity_end), "digest": result.digest,
        "cpu_run": cpu, "t_run": wall, "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip
    print("RESULT " + json.dumps(told))


if __name__ == "__main__":
    main()
