"""Strategy files at the command line and in the configuration: templates, what is shown, whose word counts, what has changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.config import ConfigProblems, load
from bot.errors import UsageError
from bot.plan import definition_of, rules
from bot.sources import differing
from tests.bot.commands.books import run
from tests.builders import START, walk
from tests.feeds.files_on_disk import candles, save

SOURCE = '''
from strategies.strategy import Parameter, Strategy


class Mine(Strategy):
    """A move."""

    bars: int = Parameter(12, low=4, high=60)
    stop: float = Parameter(0.03, low=0.0, high=0.2)
    factors = {"move": "close / delay(close, {bars}) - 1"}
    score = "move * 100"
    rules = {"stop_loss": "{stop}", "entry_threshold": 0.2, "share": 0.05}
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(SOURCE)
    return tmp_path


def market(folder: Path) -> Path:
    closes = walk(400, 3, 1, 0.003)[:, 0].round(2)
    sides = {"open": closes, "high": closes * 1.001, "low": closes * 0.999, "close": closes, "volume": 1e6}
    return save(candles(400, start=START, **sides), folder / "BTCUSDT.parquet")


@pytest.mark.parametrize("name", ["my_momentum", "x", "reversal_2"])
def test_a_new_strategy_runs_as_it_stands(name: str, folder: Path, capsys: Any) -> None:
    data = market(folder)
    assert run(capsys, "strategy", "new", name)[0] == 0
    code, out, _ = run(capsys, "strategy", "show", f"{name}.py", "--json")
    shown = json.loads(out)
    assert code == 0 and shown["strategy"] == "".join(part.capitalize() for part in name.split("_"))
    assert shown["parameters"]["lookback"] == {
        "default": 240,
        "low": 20,
        "high": 2000,
        "step": None,
        "choices": [],
        "says": "bars of the trend",
    }
    assert shown["warm_up_bars"] >= 239 and shown["inputs"] == ["close"] and shown["decides_by"] == "hook"
    code, out, _ = run(capsys, "replay", "--strategy", f"{name}.py", "--set", "lookback=20", "--candles", data, "--json")
    assert code == 0 and json.loads(out)["orders"] > 0
    code, _, err = run(capsys, "strategy", "new", name)
    assert code == 4 and "stays as it is" in err


def test_show_says_what_is_declared(folder: Path, capsys: Any) -> None:
    code, out, _ = run(capsys, "strategy", "show", "mine.py")
    assert code == 0
    for words in (
        "Mine",
        "decides by  score",
        "close / delay(close, 12) - 1",
        "4 .. 60",
        "stop_loss",
        "warm-up     12 bars of 1m; a run takes 1,440,",
    ):
        assert words in out
    code, out, _ = run(capsys, "strategy", "show", "mine.py", "--timeframe", "1h")
    assert code == 0 and "warm-up     12 bars of 1h;" in out and "reads       close" in out


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import os\n" + SOURCE, "mine.py:1:1  imports os"), ("", "is empty"), (SOURCE.replace("delay", "dlay"), "factors['move']"),
        (SOURCE.replace('"share"', '"shares"'), "rules['shares']: there is no such setting; did you mean share?"),
        (SOURCE.replace("0.05}", '"much"}'), "rules['share']"), (SOURCE.replace("0.03", "0.3"), "stop must lie in [0.0, 0.2]"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused_before_anything_starts(source: str, message: str, folder: Path, capsys: Any) -> None:
    (folder / "mine.py").write_text(source)
    code, _, err = run(capsys, "replay", "--strategy", "mine.py", "--candles", market(folder), "--store", "runs.db")
    assert code == 4 and message in err and "Traceback" not in err
    assert not (folder / "runs.db").exists() or "factors" in message


def test_rules_stand_above_the_file_and_below_the_command_line_and_the_environment(folder: Path) -> None:
    (folder / "config.toml").write_text('[strategy]\nfile = "mine.py"\n[trading]\nstop_loss = 0.07\nshare = 0.02\ntake_profit = 0.5\n')
    loaded = load(folder / "config.toml", {})
    trading = loaded.config.trading
    assert (float(trading.stop_loss), float(trading.share), float(trading.take_profit)) == (0.03, 0.05, 0.5)
    assert loaded.config.strategy.entry_threshold == 0.2
    assert loaded.origin["trading.stop_loss"] == "rules of mine.py" and loaded.strategy == folder / "mine.py"
    assert float(load(folder / "config.toml", {"SLUICE__TRADING__STOP_LOSS": "0.01"}).config.trading.stop_loss) == 0.01
    assert float(load(folder / "config.toml", {}, {"trading.stop_loss": 0.02}).config.trading.stop_loss) == 0.02
    changed = load(folder / "config.toml", {}, {"strategy.parameters.stop": 0.1}).config
    assert rules(changed).stop_loss is not None and float(changed.trading.stop_loss) == 0.1


def test_a_run_has_the_source_whatever_its_folder(folder: Path, tmp_path: Path) -> None:
    other = folder / "elsewhere"
    other.mkdir()
    (other / "mine.py").write_text(SOURCE)
    one, two = (load(None, {}, {"strategy.file": str(path / "mine.py")}).config for path in (folder, other))
    assert one == two and one.strategy.code == SOURCE and one.strategy.file == "mine.py"
    assert definition_of(one).name == "Mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[strategy]\nfile = "nope.py"\n', "strategy.file: the file .*nope.py cannot be read: no such file"),
        ("[strategy.parameters]\nbars = 3\n", "strategy.parameters.bars: there is no strategy file that has it"),
        ('[strategy]\nfile = "mine.py"\n[strategy.parameters]\nbars = 300\n', r"the parameter bars must lie in \[4, 60\], not 300"),
        ('[strategy]\nfile = "mine.py"\n[strategy.parameters]\nlong = 3\n', "it has no parameter long; it has bars, stop"),
    ],
)
def test_a_configuration_that_names_it_wrongly_is_refused(text: str, message: str, folder: Path) -> None:
    (folder / "config.toml").write_text(text)
    with pytest.raises(ConfigProblems, match=message):
        load(folder / "config.toml", {})


def test_settings_of_one_run_are_written_with_set(folder: Path, capsys: Any) -> None:
    data = market(folder)
    words = ("replay", "--strategy", "mine.py", "--candles", data, "--json")
    first = json.loads(run(capsys, *words)[1])
    second = json.loads(run(capsys, *words, "--set", "bars=30", "--set", "trading.share=0.01")[1])
    assert first["digest"] != second["digest"] and "delay(close, 30)" in second["factors"]["move"]
    assert "--set bars=30" in second["command"] and "--strategy" in second["command"]
    code, _, err = run(capsys, *words, "--set", "bars")
    assert code == 2 and "write NAME=VALUE" in err
    assert UsageError.exit_code == 2


def test_verify_names_what_a_changed_file_differs_in(folder: Path, capsys: Any) -> None:
    assert run(capsys, "replay", "--strategy", "mine.py", "--candles", market(folder), "--store", "runs.db")[0] == 0
    (folder / "mine.py").write_text(SOURCE.replace("* 100", "* 200"))
    code, out, err = run(capsys, "verify", "--store", "runs.db", "--here")
    assert code == 0 and "every one equal" in out
    assert "mine.py has changed since" in err and 'line 11: score = "move * 100"' in err and 'score = "move * 200"' in err


def test_explain_shows_where_each_part_comes_from(folder: Path, capsys: Any) -> None:
    run(capsys, "replay", "--strategy", "mine.py", "--candles", market(folder), "--store", "runs.db")
    code, out, _ = run(capsys, "explain", "traded", "--store", "runs.db", "--json")
    (part,) = json.loads(out)["contributions"]
    assert code == 0 and part["name"] == "score" and part["from"] == "move * 100"


def test_sources_are_told_apart_by_their_first_line_that_differs() -> None:
    one, other = differing("a\nb\nc", "a\nx\nc")
    assert one.endswith("line 2: b") and other.endswith("line 2: x")
    assert differing("a\nb", "a\nb\nc")[0].endswith("line 3: (the end)")


def test_config_check_reads_the_texts_of_a_strategy_file(folder: Path, capsys: Any) -> None:
    (folder / "config.toml").write_text('[strategy]\nfile = "mine.py"\n')
    assert run(capsys, "config", "check")[0] == 0
    (folder / "mine.py").write_text(SOURCE.replace("delay", "dlay"))
    code, _, err = run(capsys, "config", "check")
    assert code == 4 and "mine.py:10" in err and "delay" in err
    (folder / "mine.py").write_text(SOURCE.replace("delay(close", "delay(my_own_metric"))
    assert run(capsys, "config", "check")[0] == 0, "it may be a metric of a file"
