"""A year of real one-minute bars with funding, on-chain data and headlines, from the files as they are, to a report."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_year_of_minutes_ends_with_a_report_that_adds_up(shared_data: Path, tmp_path: Path) -> None:
    store, page = tmp_path / "year.db", tmp_path / "year.html"
    (tmp_path / "config.toml").write_text('[strategy.factors]\nreversal = "-zscore(close, 240)"\nflow = "exchange_netflow_z"\n')
    command = [
        sys.executable, "-m", "bot", "replay", "--json", "--config", str(tmp_path / "config.toml"), "--candles",
        str(shared_data / "candles/1m_spot_binance/BTCUSDT.parquet"), "--funding", str(shared_data / "derivs/funding_rates.parquet"),
        "--metrics", str(shared_data / "onchain/coinmetrics_daily.parquet"), "--news",
        str(shared_data / "news/gdelt_crypto_titles.parquet"),
        "--from", "2023-07-01", "--to", "2024-06-25", "--store", str(store), "--html", str(page),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["bars"] == document["decisions"] == 360 * 1440
    assert document["fills"] > 50
    assert document["funding"] != 0
    assert document["equity_end"] != document["equity_start"]
    assert document["metrics"]["num_periods"] == 360 * 1440
    assert page.read_text(encoding="utf-8").count("<svg") >= 3
    told = subprocess.run(
        [sys.executable, "-m", "bot", "report", "--store", str(store)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "maximum drawdown" in told.stdout
    why = subprocess.run(
        [sys.executable, "-m", "bot", "why-not", "--store", str(store), "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    counted = json.loads(why.stdout)
    assert counted["traded"] + sum(row["count"] for row in counted["reasons"]) == document["decisions"] == counted["bars"]
    assert "unknown" not in {row["reason"] for row in counted["reasons"]}
