"""Sweeps: real replays in purged folds, the same whoever computes them, and gone on with after a kill."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.config import load
from bot.config.space import space_of
from bot.errors import ConfigError
from bot.modes import replay
from bot.modes.sweep import Plan, SweepResult, sweep
from bot.modes.trial import Files, returns_by
from bot.sampling import Value
from bot.store.trials import Ledger
from feeds.errors import BadData
from feeds.times import DAY, HOUR, iso
from tests.bot.commands.books import run
from tests.builders import START, walk
from tests.feeds.files_on_disk import save

ROOT = Path(__file__).parents[2]
STRATEGY = '''
from strategies.strategy import Parameter, Strategy


class Trend(Strategy):
    """The sign of the move over some bars."""

    bars: int = Parameter(12, low=4, high=60)
    entry: float = Parameter(0.1, low=0.02, high=0.5)
    factors = {"move": "(close / delay(close, {bars}) - 1) / (ts_std(close / delay(close, 1) - 1, 60) * sqrt({bars}))"}
    score = "tanh(move)"
    rules = {"entry_threshold": "{entry}", "cool_down_bars": 0, "stop_loss": 0.05}
'''
ROWS = 60 * 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty days of hourly bars of one symbol, and a strategy."""
    out = tmp_path_factory.mktemp("sweep")
    closes = walk(ROWS, 11, 1, 0.006)[:, 0].round(2)
    opens = np.concatenate([closes[:1], closes[:-1]])
    table = {
        "ts_ms": START + np.arange(ROWS) * HOUR, "open": opens, "high": (np.maximum(opens, closes) * 1.001).round(2),
        "low": (np.minimum(opens, closes) * 0.999).round(2), "close": closes, "volume": 10_000.0,
    }  # fmt: skip
    save(pd.DataFrame(table), out / "BTCUSDT.parquet")
    (out / "trend.py").write_text(STRATEGY)
    return out


def plan(folder: Path, **changes: Any) -> Plan:
    fixed = {"strategy.file": "trend.py", "strategy.code": STRATEGY}

    def configured(values: Mapping[str, Value]) -> Any:
        return load(None, {}, {**fixed, **values}).config

    loaded = load(None, {}, fixed)
    base = Plan(configured, Files((folder / "BTCUSDT.parquet",)), tuple(space_of(loaded, ())), "random", trials=4, folds=2)
    return base._replace(**changes)


def plain(result: SweepResult) -> dict[str, Any]:
    """All of a result that must not depend on what the ledger held before."""
    import msgspec

    out = msgspec.to_builtins(result)
    for name in ("replays", "found"):
        out.pop(name)
    return out


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid"])
def test_the_same_sweep_is_the_same_and_makes_no_try_twice(sampler: str, folder: Path) -> None:
    with Ledger.open() as book, Ledger.open() as other:
        first = sweep(plan(folder, sampler=sampler, seed=3), book)
        again = sweep(plan(folder, sampler=sampler, seed=3), book)
        fresh = sweep(plan(folder, sampler=sampler, seed=3), other)
    assert plain(first) == plain(again) == plain(fresh)
    assert again.replays == 0 and fresh.replays == first.replays > 4
    assert [step.trials for step in first.folds] == [4, 4]


def test_processes_change_nothing(folder: Path) -> None:
    with Ledger.open() as book, Ledger.open() as other:
        assert plain(sweep(plan(folder, sampler="tpe"), book, jobs=1)) == plain(sweep(plan(folder, sampler="tpe"), other, jobs=2))


def test_a_longer_sweep_begins_with_the_tries_of_the_shorter_one(folder: Path) -> None:
    with Ledger.open() as book:
        short = sweep(plan(folder), book)
        long = sweep(plan(folder, trials=8), book)
    assert short.sweep == long.sweep, "it is one sweep, gone on with"
    assert long.replays <= 2 * 4 + 2 and long.trials_ever > short.trials_ever


def test_folds_are_purged_and_what_is_judged_comes_after_what_was_learnt(folder: Path) -> None:
    with Ledger.open() as book:
        result = sweep(plan(folder, folds=3, purge=2 * DAY, embargo=DAY), book)
    spans = [(step.train, step.test) for step in result.folds]
    assert all(test is not None and test[0] - train[1] == 3 * DAY for train, test in spans)
    assert all(train[0] == START for train, _ in spans), "anchored"
    ends = [test[1] for _, test in spans if test is not None]
    assert ends == sorted(ends) and ends[-1] == START + ROWS * HOUR


def test_every_figure_is_that_of_a_replay_of_its_own(folder: Path) -> None:
    with Ledger.open() as book:
        result = sweep(plan(folder), book)
    for step in result.folds:
        assert step.test is not None and step.out_of_sample is not None
        for span, figures in ((step.train, step.in_sample), (step.test, step.out_of_sample)):
            changes = {"strategy.file": "trend.py", "strategy.code": STRATEGY, **step.best}
            alone = replay(load(None, {}, changes).config, candles=[folder / "BTCUSDT.parquet"], start=span[0], stop=span[1])
            for name in ("sharpe", "total_return", "max_drawdown", "turnover", "trades"):
                assert figures[name] == (None if alone.metrics[name] is None else float(alone.metrics[name])), name


def test_a_try_that_a_limit_halted_is_told(folder: Path) -> None:
    def configured(values: Mapping[str, Value]) -> Any:
        return load(None, {}, {"strategy.file": "trend.py", "strategy.code": STRATEGY, "risk.max_drawdown": 0.001, **values}).config

    with Ledger.open() as book:
        tight, free = sweep(plan(folder)._replace(configured=configured), book), sweep(plan(folder), book)
    told = [line for line in tight.warnings if "HALTED" in line]
    assert told and not any("HALTED" in line for line in free.warnings)
    step = tight.folds[0]
    changes = {"strategy.file": "trend.py", "strategy.code": STRATEGY, "risk.max_drawdown": 0.001, **step.best}
    alone = replay(load(None, {}, changes).config, candles=[folder / "BTCUSDT.parquet"], start=step.train[0], stop=step.train[1])
    assert alone.stopped is not None
    assert told[0] == f"fold 1: the chosen one traded in its train span until {iso(alone.stopped.since)}, when risk HALTED it"


def test_the_best_of_a_fold_is_the_best_of_its_tries(folder: Path) -> None:
    with Ledger.open() as book:
        result = sweep(plan(folder, metric="total_return"), book)
        rows = book._conn.execute(
            "SELECT u.fold, json_extract(t.figures, '$.total_return') FROM uses AS u JOIN trials AS t USING (key) WHERE u.part = 'train'"
        ).fetchall()
    for number, step in enumerate(result.folds):
        assert step.in_sample["total_return"] == max(value for fold, value in rows if fold == number)


def test_stitched_returns_are_those_of_the_test_spans_one_after_the_other(folder: Path) -> None:
    with Ledger.open() as book:
        result = sweep(plan(folder), book)
    product = 1.0
    for step in result.folds:
        assert step.out_of_sample is not None
        product *= 1.0 + (step.out_of_sample["total_return"] or 0.0)
    assert result.stitched["total_return"] == pytest.approx(product - 1.0, abs=1e-9)


def test_returns_of_periods_are_those_of_pandas() -> None:
    rows = 200
    at = START + HOUR * (np.arange(rows) + 7)
    equity = 10_000 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, rows)))
    series = pd.Series(equity, index=pd.to_datetime(at - 1, unit="ms"))
    daily = series.resample("1D").last()
    expected = daily / daily.shift(1, fill_value=10_000.0) - 1.0
    np.testing.assert_allclose(returns_by(at, equity, 10_000.0, DAY), expected.to_numpy(), rtol=1e-12)


def test_noise_is_called_noise(folder: Path) -> None:
    with Ledger.open() as book:
        result = sweep(plan(folder, trials=8), book)
    assert result.luck.verdict.startswith("NOT distinguishable from luck")
    assert result.luck.trials == result.trials_ever >= 8


def test_no_folds_say_that_nothing_is_out_of_sample(folder: Path) -> None:
    with Ledger.open() as book:
        result = sweep(plan(folder, folds=0), book)
    assert len(result.folds) == 1 and result.folds[0].out_of_sample is None
    assert "no folds" in result.warnings[0] and result.luck.out_of_sample is None


def test_settings_that_contradict_each_other_are_no_try(folder: Path) -> None:
    loaded = load(None, {}, {"strategy.file": "trend.py", "strategy.code": STRATEGY})
    space = tuple(space_of(loaded, ("strategy.exit_threshold=0.0..0.2",)))
    with Ledger.open() as book:
        result = sweep(plan(folder, space=space), book)
    assert all(step.failed > 0 for step in result.folds)
    assert all(step.best["strategy.exit_threshold"] <= 0.1 for step in result.folds)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"metric": "luck"}, ConfigError, "--metric luck: it is one of sharpe"),
        ({"folds": 40, "purge": 5 * DAY}, BadData, "40 folds do not fit"),
    ],
)
def test_what_cannot_be_searched_is_said_at_once(change: dict[str, Any], error: type[Exception], message: str, folder: Path) -> None:
    with Ledger.open() as book, pytest.raises(error, match=message):
        sweep(plan(folder, **change), book)


def test_a_sweep_that_was_killed_goes_on_and_comes_to_the_same(folder: Path, tmp_path: Path) -> None:
    given = f"sweep --strategy {folder / 'trend.py'} --candles {folder / 'BTCUSDT.parquet'} --config {os.devnull}"
    words = [*given.split(), "--trials", "6", "--folds", "2", "--sampler", "tpe", "--seed", "5", "--json"]
    ledger, whole = tmp_path / "killed.db", tmp_path / "whole.db"
    running = subprocess.Popen([sys.executable, "-m", "bot", *words, "--store", str(ledger)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while _count(ledger) < 3:
            assert running.poll() is None, "it ended before it could be killed"
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    kept = _count(ledger)
    documents = []
    for path in (ledger, whole):
        done = subprocess.run(
            [sys.executable, "-m", "bot", *words, "--store", str(path)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        documents.append(json.loads(done.stdout))
    assert documents[0]["found"] >= kept >= 3
    assert documents[0]["replays"] == documents[1]["replays"] - kept
    for document in documents:
        for name in ("replays", "found"):
            document.pop(name)
    assert documents[0] == documents[1]


def _count(path: Path) -> int:
    if not path.exists():
        return 0
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
        found = conn.execute("SELECT count(*) FROM sqlite_master WHERE name = 'trials'").fetchone()[0]
        return int(conn.execute("SELECT count(*) FROM trials").fetchone()[0]) if found else 0


def test_the_command_answers_in_words_and_says_how_to_have_it_again(folder: Path, tmp_path: Path, capsys: Any) -> None:
    words = ("sweep", "--strategy", folder / "trend.py", "--candles", folder, "--trials", 6, "--folds", 2, "--sampler", "random")
    code, out, _ = run(capsys, *words, "--store", tmp_path / "s.db", "--param", "bars=5..40:5", "--param", "trading.stop_loss=0.02,0.05")
    assert code == 0
    assert "NOT distinguishable from luck" in out or "better than luck" in out
    assert "how far the choice moved" in out and "trading.stop_loss" in out.lower()
    again = out.rsplit("Next: sluice ", 1)[1].split()
    code, out, _ = run(capsys, *again, "--json")
    assert code == 0 and json.loads(out)["bars"] > 0


def test_an_error_of_a_hook_names_what_was_tried(folder: Path, tmp_path: Path, capsys: Any) -> None:
    hook = STRATEGY.replace(
        STRATEGY[STRATEGY.index("    factors") :], "    def decide(self, bar):\n        return {'NOPE': 1 / (self.bars - 7)}\n"
    )
    (tmp_path / "hook.py").write_text(hook)
    words = ("sweep", "--strategy", tmp_path / "hook.py", "--candles", folder, "--sampler", "grid", "--param", "bars=7", "--folds", 2)
    code, _, said = run(capsys, *words, "--store", tmp_path / "s.db")
    assert code == 4
    assert "ZeroDivisionError: division by zero, at the bar" in said and "tried with strategy.parameters.bars = 7" in said


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("nope=1..2", "the strategy has no parameter nope; it has bars, entry"),
        ("trading.stop_los=0.1..0.2", "there is no setting trading.stop_los; did you mean trading.stop_loss"),
        ("bars=40..5", "from a smaller to a larger number"), ("bars=5..40:100", "in steps that fit into it"),
        ("trading.stop_loss=", "write trading.stop_loss=LOW..HIGH"), ("entry=0..1:log", "begins above 0"),
        ("trading.sizing=1..2", "is no number"), ("trading.cool_down_bars=5..1e99", "a range goes from"),
        ("bars=5..1e12", r"bars must be a number of at most"), ("bars=5,many", "bars must be a whole number, not 'many'"),
    ],
)  # fmt: skip
def test_a_space_that_is_none_is_refused(param: str, message: str) -> None:
    loaded = load(None, {}, {"strategy.file": "trend.py", "strategy.code": STRATEGY})
    with pytest.raises(ConfigError, match=message):
        space_of(loaded, (param,))


def test_a_space_is_read_by_the_kind_of_what_it_sets() -> None:
    loaded = load(None, {}, {"strategy.file": "trend.py", "strategy.code": STRATEGY})
    given = ("bars=5..40:5", "entry", "trading.stop_loss=0.01..0.05", "trading.cool_down_bars=0..9", "trading.reversal=flip,flat",
             "strategy.entry_threshold=0.001..0.1:log", "trading.long_only=true,false", "exchange.stale=30s,1m")  # fmt: skip
    bars, entry, stop, cool, turn, log, long, stale = space_of(loaded, given)
    assert (bars.name, bars.kind, bars.points()[:2]) == ("strategy.parameters.bars", "int", (5, 10))
    assert (entry.kind, entry.low, entry.high) == ("float", 0.02, 0.5)
    assert (stop.kind, cool.kind, log.log) == ("float", "int", True)
    assert (turn.choices, long.choices, stale.choices) == (("flip", "flat"), (True, False), ("30s", "1m"))
