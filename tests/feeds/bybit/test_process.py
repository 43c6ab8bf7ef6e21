"""The fake exchange as a process of its own, as end-to-end tests use it."""

import asyncio
import json
import sys
from pathlib import Path

from feeds.bybit.candles import BybitCandles
from feeds.bybit.client import BybitClient
from feeds.events import Candle, Source
from tests.feeds.bybit.market import MINUTE, QUICK, bars_of, count, rows, take

ROOT = Path(__file__).resolve().parents[3]


async def test_the_fake_exchange_serves_a_file_of_candles_as_a_process(tmp_path: Path) -> None:
    table = rows(40)
    lines = ["ts_ms,open,high,low,close,volume", *(",".join(map(str, row)) for row in table)]
    (tmp_path / "BTCUSDT.csv").write_text("\n".join(lines))
    (tmp_path / "faults.json").write_text(json.dumps([{"action": "missing", "bar": 2}, {"action": "drop", "bar": 4}]))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.bybit", "--candles", str(tmp_path / "BTCUSDT.csv"), "--history", "20", "--speed", "600",
        "--bars", "10", "--faults", str(tmp_path / "faults.json"), "--stay",
        stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        assert (said["timeframe_ms"], said["symbols"]) == (MINUTE, ["BTCUSDT"])
        bybit = BybitClient(rest=said["rest"], ws=said["ws"], patience=QUICK)
        feed = BybitCandles(["BTCUSDT"], MINUTE, 5, bybit, grace=50, settle=0)
        events = await take(feed.stream(), count(Candle, 15), limit=20)
        await bybit.close()
    finally:
        process.kill()
        await process.wait()
    bars = bars_of(events, "BTCUSDT")
    assert [(bar.open_ms, bar.close) for bar in bars] == [(row[0], row[4]) for row in table[15:30]]
    assert {bar.source for bar in bars} >= {Source.REST, Source.WS, Source.REPAIRED}
