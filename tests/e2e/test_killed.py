"""A replay that is killed at any moment: its store opens, says so, can be looked at, and the same command gives what it would have given.

Moments are told by counting statements and commits, and by the processor time that was used: a signal that nobody handles, no clock.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.modes import verify
from bot.store.reader import Reader
from tests.bot.commands.books import run
from tests.e2e.runs import world
from tests.e2e.test_verify import written

ROOT = Path(__file__).parents[2]
CONFIG = """
[strategy]
entry_threshold = 0.1
exit_threshold = 0.02
min_confidence = 0.1
normalise_window = 60
[strategy.windows]
momentum = 15
volume = 10
scale = 60
volatility = 60
[strategy.factors]
reversal = "-zscore(close, 20)"
trend = "ema(close, 30) / close - 1"
[trading]
cool_down_bars = 3
stop_loss = 0.004
[account]
cash = 100000
[risk]
max_order_notional = 50000
"""
DRIVER = """
import os, signal, sys
from bot.cli import main
from bot.store.journal import Journal

where, moment = sys.argv[1], int(sys.argv[2])
count = 0


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def counted(die_now):
    global count
    count += 1
    if count == moment and die_now:
        die()


class Mortal:
    # a connection that is cut after so many statements of the journal
    def __init__(self, conn):
        self._conn = conn

    def __getattr__(self, name):
        return getattr(self._conn, name)

    def execute(self, *words):
        done = self._conn.execute(*words)
        counted(True)
        return done

    def executemany(self, *words):
        done = self._conn.executemany(*words)
        counted(True)
        return done


flush, committed = Journal.flush, Journal.committed
if where == "timer":
    signal.setitimer(signal.ITIMER_PROF, moment / 1000)
elif where == "amid a flush":
    Journal.flush = lambda self, conn: flush(self, Mortal(conn))
elif where == "before a flush":
    Journal.flush = lambda self, conn: (counted(True), flush(self, conn))
elif where == "before a commit":
    Journal.flush = lambda self, conn: (flush(self, conn), counted(True))
elif where == "after a commit":
    Journal.committed = lambda self: (committed(self), counted(True))
sys.exit(main(sys.argv[3:]))
"""
MOMENTS = [
    ("before a flush", 17), ("amid a flush", 2), ("amid a flush", 40), ("before a commit", 9), ("after a commit", 1), ("timer", 700),
]  # fmt: skip


class Replayed:
    """The files, the command, and what it comes to undisturbed."""

    def __init__(self, folder: Path) -> None:
        files = written(folder, world(1_200, 2, seed=23, scale=0.003))
        (folder / "config.toml").write_text(CONFIG)
        self.words = ["replay", "--config", str(folder / "config.toml"), "--candles", str(files["candles"][0]), "--funding",
                      str(files["funding"][0]), "--step", "--block", "64", "--json", "--store"]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "bot", *self.words, str(folder / "whole.db")], cwd=ROOT, capture_output=True, check=True
        )
        self.whole: dict[str, Any] = json.loads(done.stdout)

    def killed(self, store: Path, where: str, moment: int) -> int:
        """Run it until it is killed; returns what the process ended with."""
        words = [sys.executable, "-c", DRIVER, where, str(moment), *self.words, str(store)]
        return subprocess.run(words, cwd=ROOT, capture_output=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)}).returncode


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    return Replayed(tmp_path_factory.mktemp("killed"))


@pytest.mark.parametrize(("where", "moment"), MOMENTS)
def test_a_killed_replay_leaves_a_usable_store_and_comes_out_the_same_again(
    where: str, moment: int, replayed: Replayed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "runs.db"
    ended = replayed.killed(store, where, moment)
    assert ended in ((-signal.SIGKILL,) if where != "timer" else (-signal.SIGPROF, 0))
    assert replayed.whole["fills"] > 20
    if store.exists() and store.stat().st_size:
        looked_at(store, ended, capsys)
    code, said, complained = run(capsys, *replayed.words, store)
    assert code == 0, complained
    document = json.loads(said)
    assert (document["digest"], document["run"]) == (replayed.whole["digest"], replayed.whole["run"])
    with Reader.open(store) as reader:
        assert [row.state for row in reader.runs()] == ["finished"]
    verdict = verify(store)
    assert verdict.ok, verdict


def looked_at(store: Path, ended: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever can be asked of a store is answered by one that was left alone."""
    with Reader.open(store) as reader:
        runs = reader.runs()
        assert [row.state for row in runs] in ([], ["interrupted"], ["finished"])
        decided = runs and next(reader.decisions(runs[0].id), None) is not None
        for row in runs:
            assert reader.verify_chain(row.id).broken is None
            asked = {order.id for order in reader.orders(row.id)}
            assert {fill.fill.order_id for fill in reader.fills(row.id)} <= asked
    for words in (("runs",), ("why-not",), ("pnl",), ("orders",), ("explain", "last"), ("report",)):
        code, _, complained = run(capsys, *words, "--store", store)
        fine = {"runs": True, "explain": bool(decided), "report": bool(runs and not ended)}.get(words[0], bool(runs))
        assert code == (0 if fine else 3), (words, complained)
        assert "Traceback" not in complained
        assert fine or complained.count("\n") == 1  # what is missing, and what to do next
    if runs and ended:
        assert "interrupted" in run(capsys, "runs", "--store", store)[1]
        if decided:
            verdict = verify(store)
            assert verdict.ok, verdict
            assert verdict.unchecked
