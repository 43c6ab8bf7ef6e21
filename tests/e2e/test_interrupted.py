"""Long work that is interrupted from the keyboard: one sentence, exit code 130, and a store that can be used."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from bot.store.reader import Reader

ROOT = Path(__file__).parents[2]
BARS = 400_000


def test_a_replay_that_is_interrupted_says_how_far_it_was_and_how_to_go_on(tmp_path: Path) -> None:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 1e-3, BARS)))
    columns = {
        "ts_ms": 1_700_000_040_000 + 60_000 * np.arange(BARS),
        "open": close,
        "high": close,
        "low": close,
        "close": close,
        "volume": 1.0,
    }
    pd.DataFrame(columns).to_parquet(tmp_path / "BTCUSDT.parquet")
    store = tmp_path / "r.db"
    command = [sys.executable, "-m", "bot", "replay", "--candles", str(tmp_path / "BTCUSDT.parquet"), "--step", "--store", str(store)]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # who runs in the background ignores it
    ) as work:  # fmt: skip
        end = time.monotonic() + 60
        while not _decided(store):
            assert work.poll() is None and time.monotonic() < end, "it never began"
            time.sleep(0.02)
        work.send_signal(signal.SIGINT)
        _, said = work.communicate(timeout=60)
    assert work.returncode == 130
    (line,) = [line for line in said.splitlines() if line.startswith("interrupted")]
    assert line.startswith("interrupted: replay at ") and f" of {BARS:,} bars" in line and line.endswith("it begins anew")
    with Reader.open(store) as reader:
        assert reader.run().state == "interrupted"


def _decided(store: Path) -> bool:
    """A block is on disk."""
    if not store.exists():
        return False
    conn = sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)
    try:
        return conn.execute("SELECT 1 FROM decisions LIMIT 1").fetchone() is not None
    except sqlite3.OperationalError:
        return False
    finally:
        conn.close()
