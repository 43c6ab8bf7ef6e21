"""`sluice replay`: from words to what the mode is asked, and from its result to text."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot import modes
from bot.events import TradingState
from bot.results import ReplayResult, Stopped
from feeds.errors import BadData
from feeds.times import millis
from strategies.errors import UnknownName
from tests.bot.commands.books import run
from tests.bot.commands.test_live import RESULT

SHAPE = [
    "run", "digest", "bars", "decisions", "orders", "fills", "equity_start", "equity_end", "fees", "funding", "slippage", "metrics",
    "seconds", "bars_per_second", "warnings", "state", "stopped",
]  # fmt: skip


@pytest.fixture
def asked(monkeypatch, tmp_path):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    seen: dict[str, Any] = {}

    def replay(config: object, **given: Any) -> ReplayResult:
        seen.update(given, config=config)
        given["progress"](1, 2)
        if "error" in seen:
            raise seen["error"]
        return ReplayResult(**{**msgspec.structs.asdict(RESULT), "mode": "replay", **seen.get("result", {})})

    monkeypatch.setitem(vars(modes), "replay", replay)
    return seen


def test_words_become_what_the_mode_is_asked(asked, capsys) -> None:  # type: ignore[no-untyped-def]
    words = "replay --candles a.parquet b --funding f.csv,g.csv --metrics m --news n --news o --symbols BTCUSDT,ETHUSDT --timeframe 5m"
    code, _, err = run(
        capsys, *words.split(), "--from", "2024-01-01", "--to", "2024-02-01T00:00Z", "--store", "r.db", "--seed", 5, "--step"
    )
    assert (code, err) == (0, "")
    assert asked["candles"] == [Path("a.parquet"), Path("b")]
    assert asked["funding"] == [Path("f.csv"), Path("g.csv")]
    assert asked["news"] == [Path("n"), Path("o")]
    assert asked["symbols"] == ("BTCUSDT", "ETHUSDT")
    assert (asked["start"], asked["stop"]) == (millis("2024-01-01"), millis("2024-02-01"))
    assert (asked["timeframe"], asked["seed"], asked["step"], asked["store"]) == (300_000, 5, True, Path("r.db"))


def test_what_is_not_said_is_left_to_the_mode(asked, capsys) -> None:  # type: ignore[no-untyped-def]
    run(capsys, "replay", "--candles", "a")
    given = ("symbols", "timeframe", "start", "stop", "store")
    assert all(asked[name] is None for name in given)
    assert (asked["step"], asked["block"]) == (False, asked["config"].replay.block)


def test_the_document_holds_every_name_that_scripts_rely_on(asked, capsys) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run(capsys, "replay", "--candles", "a", "--json")
    said = json.loads(out)
    assert (code, err) == (0, "")
    assert [name for name in SHAPE if name not in said] == []
    assert said["equity_end"] == 10012.5
    assert said["metrics"]["sortino"] is None


def test_files_can_stand_in_the_configuration_and_begin_where_it_is(asked, capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "config.toml").write_text('[replay]\ncandles = ["bars"]\nblock = 64\n')
    assert run(capsys, "replay", "--config", "bot/config.toml")[0] == 0
    assert asked["candles"] == [Path("bot/bars")]
    assert asked["block"] == 64


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["replay"], "no candles"), (["replay", "--candles", "a", "--from", "2024-02-01", "--to", "2024-01-01"], "--to must be later"),
        (["replay", "--candles", "a", "--from", "soon"], "'soon' is not a time"), (["replay", "--candles", "a", "--block", "0"], "--block"),
        (["replay", "--candles", "a", "--html", "none/r.html"], "there is no folder none"),
    ],
)  # fmt: skip
def test_words_that_cannot_be_meant_are_refused(asked, capsys, words: list[str], says: str) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert says in err


def test_bad_data_is_exit_four_with_its_place(asked, capsys) -> None:  # type: ignore[no-untyped-def]
    asked["error"] = BadData("a.csv row 7: high 3 is below low 4")
    assert run(capsys, "replay", "--candles", "a.csv") == (4, "", "sluice: a.csv row 7: high 3 is below low 4\n")


def test_a_wrong_factor_is_shown_in_the_configuration_that_holds_it(asked, capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "config.toml").write_text('[strategy.factors]\nmom = "ts_mean(clos, 5)"\n')
    asked["error"] = UnknownName("no feed gives 'clos'", line=1, column=9, suggestion="did you mean close?")
    asked["error"].add_note("in strategy.factors.mom = 'ts_mean(clos, 5)'")
    code, _, err = run(capsys, "replay", "--candles", "a")
    assert code == 4
    place, line, caret = err.splitlines()[:3]
    assert place.startswith("config.toml:2:16  strategy.factors.mom: no feed gives 'clos'; did you mean close")
    assert line[caret.index("^") :].startswith("clos,")


def test_text_for_people_has_costs_metrics_and_what_next(asked, capsys) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = run(capsys, "replay", "--candles", "a", "--store", "r.db")
    assert "SYNTHETIC" in out
    assert "Sharpe" in out
    assert out.endswith("Next: sluice explain traded --store r.db\n      sluice why-not --store r.db\n      sluice report --store r.db\n")


def test_a_replay_of_real_files_is_one_document_and_a_page(capsys, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "data", "synth", "market", "--days", 1, "--symbols", "BTCUSDT", "--timeframe", "5m")[0] == 0
    code, out, _ = run(capsys, "replay", "--candles", "market/candles", "--funding", "market/funding.parquet", "--html", "r.html", "--json")
    said = json.loads(out)
    assert code == 0
    assert (said["bars"], said["decisions"], said["synthetic"]) == (288, 288, True)
    assert "synthetic" in (tmp_path / "r.html").read_text().lower()
    assert sorted(os.listdir(tmp_path)) == ["market", "r.html"]


def test_a_run_that_a_limit_stopped_says_since_when(asked, capsys) -> None:  # type: ignore[no-untyped-def]
    end = Stopped(RESULT.start + 30_000, "max_drawdown", "equity 90.00 is 10.00% below its peak of 100.00")
    asked["result"] = {"state": TradingState.HALTED, "stopped": end}
    _, out, _ = run(capsys, "replay", "--candles", "a")
    told = next(line for line in out.splitlines() if "HALTED" in line)
    assert told.startswith("warning: trading is HALTED since 2024-")
    assert "by max_drawdown: equity 90.00 is 10.00% below" in told
    assert "for the last 75% of the time nothing was entered" in told
    assert "--set risk.max_drawdown=1" in told


def test_the_document_knows_since_when_a_limit_stopped_trading(capsys, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "data", "synth", "market", "--days", 3, "--symbols", "BTCUSDT", "--timeframe", "5m")[0] == 0
    words = ("replay", "--candles", "market/candles", "--metrics", "market/metrics.parquet", "--news", "market/news.parquet",
             "--store", "r.db", "--json", "--set")  # fmt: skip
    said = json.loads(run(capsys, *words, "risk.max_drawdown=0.0003")[1])
    with sqlite3.connect("r.db") as books:
        moved = books.execute("select at, state, by, reason from states order by seq").fetchall()
    assert said["state"] == "HALTED"
    assert (said["stopped"]["since"], "HALTED", said["stopped"]["by"], said["stopped"]["reason"]) == moved[-1]
    free = json.loads(run(capsys, *words, "risk.max_drawdown=1")[1])
    assert (free["state"], free["stopped"]) == ("ACTIVE", None)
