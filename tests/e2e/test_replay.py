"""A replay of real bars through the command line: the same bits anywhere, whole or not at all, and blind to what comes later."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bot.errors import SluiceError
from bot.store.reader import Reader
from feeds.times import millis

ROOT = Path(__file__).parents[2]
CONFIG = """
[strategy]
entry_threshold = 0.2
exit_threshold = 0.05
min_confidence = 0.3
normalise_window = 240
[strategy.factors]
reversal = "-zscore(close, 60)"
trend = "momentum_4h * log(volume_ratio + 1)"
flow = "exchange_netflow_z"
mood = "sentiment_news"
[trading]
cool_down_bars = 5
"""


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """Ten days of real one-minute BTC bars, and a config."""
    folder = tmp_path_factory.mktemp("month")
    bars = pd.read_parquet(shared_data / "candles/1m_spot_binance/BTCUSDT.parquet")
    start, stop = millis("2023-10-20"), millis("2023-10-30")
    (folder / "candles").mkdir()
    bars[(bars.ts_ms >= start) & (bars.ts_ms < stop)].to_parquet(folder / "candles/BTCUSDT.parquet")
    (folder / "config.toml").write_text(CONFIG)
    return folder


def arguments(folder: Path, shared_data: Path, *more: str) -> list[str]:
    data = shared_data
    return [
        sys.executable, "-m", "bot", "replay", "--json", "--config", str(folder / "config.toml"), "--candles", str(folder / "candles"),
        "--funding", str(data / "derivs/funding_rates.parquet"), "--metrics", str(data / "onchain/coinmetrics_daily.parquet"),
        "--metrics", str(data / "onchain/market_wide_daily.parquet"), "--news", str(data / "news/gdelt_crypto_titles.parquet"),
        "--from", "2023-10-22", *more,
    ]  # fmt: skip


def run(command: list[str], seed: str = "0") -> dict[str, Any]:
    done = subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


KEYS = ("run", "digest", "bars", "decisions", "orders", "fills", "equity_start", "equity_end", "fees", "funding", "slippage", "metrics",
        "seconds", "bars_per_second", "warnings")  # fmt: skip


def test_two_processes_under_different_hash_seeds_write_the_same_bytes(month: Path, shared_data: Path, tmp_path: Path) -> None:
    one = run(arguments(month, shared_data, "--store", str(tmp_path / "one.db")), "1")
    two = run(arguments(month, shared_data, "--store", str(tmp_path / "two.db")), "4242")
    assert all(key in one for key in KEYS)
    assert one["fills"] > 10
    assert one["bars"] == 8 * 1440
    for key in KEYS:
        if key not in ("seconds", "bars_per_second"):
            assert one[key] == two[key], key
    with Reader.open(tmp_path / "one.db") as mine, Reader.open(tmp_path / "two.db") as theirs:
        name = str(one["run"])
        assert [repr(row) for row in mine.decisions(name)] == [repr(row) for row in theirs.decisions(name)]
        assert list(mine.fills(name)) == list(theirs.fills(name))
        assert mine.run(name).chain == theirs.run(name).chain


def test_a_killed_replay_leaves_a_usable_store_and_starts_again_cleanly(month: Path, shared_data: Path, tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    command = arguments(month, shared_data, "--store", str(store), "--block", "64", "--step")
    whole = run(arguments(month, shared_data))
    killed = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until(lambda: store.exists() and _decided(store) > 0)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    with Reader.open(store) as reader:
        row = reader.run("last")
        assert row.state == "interrupted"
        assert reader.verify_chain(row.id).broken is None
        booked = {fill.fill.order_id for fill in reader.fills(row.id)}
        assert booked <= {order.id for order in reader.orders(row.id)} | {f"{o.id}{leg}" for o in reader.orders(row.id) for leg in "st"}
    again = run(command)
    assert again["digest"] == whole["digest"]
    with Reader.open(store) as reader:
        assert [row.state for row in reader.runs()] == ["finished"]
        assert len(list(reader.fills(again["run"]))) == again["fills"]


def _decided(store: Path) -> int:
    try:
        with Reader.open(store) as reader:
            return len(list(reader.fills(reader.run("last").id)))
    except SluiceError:  # the file is being made
        return 0


def _until(claim: Any) -> None:
    end = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < end, "the replay never began"
        time.sleep(0.02)
