"""config.toml: what is read, what is refused, and where the refusal points."""

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import Config, ConfigProblems, Secret, default_text, docs, load, read_secrets, schema
from bot.config.read import leaves
from bot.config.tables import InstrumentOverride, SignalWeights
from bot.config.text import scan
from bot.errors import ConfigError
from feeds.times import MINUTE

ROOT = Path(__file__).resolve().parents[2]


class Broken(NamedTuple):
    """A config with one mistake: where it is, a word of what is said, and what is suggested (empty: nothing can be)."""

    text: str
    line: int
    column: int
    says: str
    suggests: str


BROKEN = [
    Broken('[exchange]\nmode = "papper"\n', 2, 8, "not one of", '"paper"'),
    Broken("[risk]\nmax_order_notionl = 2000\n", 2, 1, "unknown key", '"max_order_notional"'),
    Broken("[riks]\ncollar = 0.1\n", 1, 2, "unknown table", '"risk"'),
    Broken("[risk]\n  max_gross = 60\n", 2, 15, "at most", "0.6"),
    Broken("[risk]\ndaily_loss = 3\n", 2, 14, "fraction of equity", "0.03"),
    Broken('[risk]\nmax_gross = "0.6"\n', 2, 13, "not a number", "0.6"),
    Broken('[risk]\nmax_gross = "60%"\n', 2, 13, "not a number", "0.6"),
    Broken("[risk]\nmax_drawdown = 10%\n", 2, 16, "no TOML value", "0.1"),
    Broken("[risk]\nmax_drawdown = -0.1\n", 2, 16, "above 0", "0.1"),
    Broken("[costs]\ntaker_bps = 0.00055\n", 2, 13, "next to nothing", "5.5"),
    Broken("[costs]\n\n# fee\nfee = 5.5\n", 4, 1, "unknown key", '"costs.taker_bps"'),
    Broken("[exchange]\ntimeframe = 60\n", 2, 13, "no unit", '"1m"'),
    Broken('[risk]\nmax_data_age = "5 min"\n', 2, 16, "not a duration", '"5m"'),
    Broken('[exchange]\ntimeframe = "1 hour"\n', 2, 13, "not a duration", '"1h"'),
    Broken('[exchange]\ntimeframe = "90s"\n', 2, 13, "whole number of minutes", '"1m"'),
    Broken('[exchange]\nsymbols = "BTCUSDT"\n', 2, 11, "not a list", '["BTCUSDT"]'),
    Broken('[exchange]\nsymbols = [\n  "BTCUSDT",\n  "ETH/USDT:USDT",\n]\n', 4, 3, "writes a symbol", '"ETHUSDT"'),
    Broken('[exchange]\nsymbols = ["BTCUSDT", "BTCUSDT"]\n', 2, 23, "there already", ""),
    Broken("[exchange]\nsymbols = []\n", 2, 11, "nothing to trade", '["BTCUSDT"]'),
    Broken('[exchange]\nrest = "api.example.org"\n', 2, 8, "not an address", '"https://api.example.org"'),
    Broken("[exchange]\nmode = demo\n", 2, 8, "no TOML value", '"demo"'),
    Broken('[exchange]\nmode: "demo"\n', 2, 5, "joined by =", 'mode = "demo"'),
    Broken('[exchange]\nmode = "demo\n', 2, 8, "quotes do not end", '"demo"'),
    Broken("[exchange\nmode = 1\n", 1, 10, "ends in ]", "[exchange]"),
    Broken('[exchange]\nmode = "paper"\nmode = "live"\n', 3, 1, "written twice, first in line 2", ""),
    Broken("[trading]\nlong_only = True\n", 2, 13, "no TOML value", "true"),
    Broken('[trading]\nlong_only = "yes"\n', 2, 13, "neither true nor false", "true"),
    Broken("[trading]\ncool_down_bars = 2.5\n", 2, 18, "whole number", "2"),
    Broken("[trading]\nsizing = 'kelly'\n", 2, 10, "not one of", ""),
    Broken("[trading]\nstoploss = 0.02\n", 2, 1, "unknown key", '"stop_loss"'),
    Broken("[trading]\nshare = 0.5\n", 2, 9, "refuse every entry", "0.2"),
    Broken("[strategy]\nlong_only = true\n", 2, 1, "unknown key", '"trading.long_only"'),
    Broken("[strategy]\nnormalise = 'z-score'\n", 2, 13, "not one of", '"zscore"'),
    Broken("[strategy]\nexit_threshold = 0.4\n", 2, 18, "end before it begins", "0.3"),
    Broken('[strategy.factors]\n"My Factor" = "close"\n', 2, 1, "no name", '"my_factor"'),
    Broken('[strategy.factors]\nmom = "close"\n[strategy.weights]\nmon = 0.2\n', 4, 1, "no factor has this name", '"mom"'),
    Broken('[strategy.factors]\nmom = "close"\n[strategy.dialects]\nmon = "qlib"\n', 4, 1, "no factor has this name", '"mom"'),
    Broken('[strategy.factors]\nmom = "close"\n[strategy.dialects]\nmom = "qlb"\n', 4, 7, "is not one of auto, sluice", '"qlib"'),
    Broken('[strategy]\nfactors = { mom = 5 }\n', 2, 19, "not text", '"5"'),
    Broken("[strategy.signals]\nprice_momentun = 0.3\n", 2, 1, "unknown key", '"price_momentum"'),
    Broken("strategy.windows.momentum = 0\n", 1, 29, "at least 1", "1"),
    Broken("[instruments.BTCUSD]\ntick = 0.1\n", 1, 14, "not among exchange.symbols", '"BTCUSDT"'),
    Broken("[account]\ncash = 1,000\n", 2, 8, "no TOML value", "1000"),
    Broken("[account]\ncash = nan\n", 2, 8, "not a finite number", ""),
    Broken("risk = 5\n", 1, 8, "not a table", "[risk]"),
    Broken('[exchange]\ntimeframe = "5m"\n[risk]\nmax_data_age = "5m"\n', 4, 16, "as old as a bar", '"15m"'),
    Broken('[exchange]\nmode = "live"\n', 2, 8, "needs the name of the account", ""),
    Broken("riks.collar = 0.1\n", 1, 1, "unknown table", '"risk"'),
    Broken("strategy.windows.momentun = 5\n", 1, 18, "unknown key", '"momentum"'),
    Broken('[exchange]\nlate = "4s"\n', 2, 8, "only fetched 5s after", '"10s"'),
    Broken("[execution]\nlatency = 100\n", 2, 1, "unknown key", '"latency_ms"'),
    Broken("max_gross = 0.5\n", 1, 1, "unknown key", '"risk.max_gross"'),
    Broken('[feeds.news]\nurls = ["https://a.example/rss", "b.example/rss"]\n', 2, 34, "not an address", '"https://b.example/rss"'),
    Broken("[risk]\nmax_gross = 0,6\n", 2, 13, "no TOML value", "0.6"),
    Broken('[exchange]\ntimeframe = "7m"\n', 2, 13, "divide a day", '"6m"'),
    Broken('[exchange]\ntimeframe = "2d"\n', 2, 13, "divide a day", '"1d"'),
    Broken('[exchange]\ntimeframe = "\u0661m"\n', 2, 13, "not a duration", '"1m"'),
    Broken('[account]\n"caf\\u00e9" = 1\n', 2, 1, "unknown key", ""),
    Broken('[store]\npath = ""\n', 2, 8, "does not fit", ""),
]  # fmt: skip


def refusal(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> list[str]:
    """The problems of a config, one text each."""
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigProblems) as caught:
        load(file, env=env or {})
    assert caught.value.exit_code == 4
    return list(caught.value.lines)


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case.line}:{case.column} {case.says}")
def test_a_broken_config_is_refused_at_its_line_and_column(case: Broken, tmp_path: Path) -> None:
    problems = refusal(tmp_path, case.text)
    assert len(problems) == 1, problems
    head, line, caret = problems[0].split("\n")
    assert head.startswith(f"{tmp_path / 'config.toml'}:{case.line}:{case.column}  ")
    assert case.says in head
    assert line.endswith(case.text.split("\n")[case.line - 1])
    assert caret.index("^") == line.index("|") + 1 + case.column


def test_nine_of_ten_broken_configs_are_told_what_was_meant(tmp_path: Path) -> None:
    told = [case for case in BROKEN if case.suggests and f"Did you mean {case.suggests}?" in refusal(tmp_path, case.text)[0]]
    wanted = [case for case in BROKEN if case.suggests]
    assert told == wanted
    assert len(told) >= 0.85 * len(BROKEN) > 30


def test_what_is_suggested_is_accepted(tmp_path: Path) -> None:
    tried = 0
    for case in BROKEN:
        lines = case.text.split("\n")
        old, start = lines[case.line - 1], case.column - 1
        length = refusal(tmp_path, case.text)[0].count("^")
        in_value = "=" in old[:start] or (not old[:start].strip() and "=" not in old and not old.startswith("["))
        meant = case.suggests if in_value else case.suggests.strip('"')
        if not meant or ":" in old or meant.startswith("[") or (not in_value and "." in meant):
            continue  # nothing to put in, or it belongs elsewhere
        lines[case.line - 1] = old[:start] + meant + old[start + length :]
        (tmp_path / "config.toml").write_text("\n".join(lines))
        load(tmp_path / "config.toml", env={})
        tried += 1
    assert tried >= 25


@given(st.data())
def test_no_damage_to_a_config_leads_to_anything_but_a_clear_refusal(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    lines = [line for line in default_text().splitlines() if line and not line.startswith("#")]
    start = data.draw(st.integers(0, len(lines) - 8))
    text = "\n".join(lines[start : start + 8]) + "\n"
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        end = min(len(text), at + data.draw(st.integers(0, 6)))
        text = text[:at] + data.draw(st.text(st.sampled_from("[]{}=.,\"'#\n\\ -+e_1%aZé\t\u202e"), max_size=4)) + text[end:]
    file = tmp_path_factory.getbasetemp() / "damaged.toml"
    file.write_text(text, encoding="utf-8")
    try:
        load(file, env={})
    except ConfigProblems as refused:
        for problem in refused.lines:
            line, column = re.match(r".*?damaged\.toml:(\d+):(\d+)  ", problem).groups()  # type: ignore[union-attr]
            assert 1 <= int(line) <= text.count("\n") + 1
            assert int(column) >= 1
    except ConfigError:
        pass


def test_all_problems_are_listed_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    problems = refusal(tmp_path, '[costs]\nmaker_bp = 1\n[exchange]\nmode = "papper"\n[risk]\ncollar = "x"\n')
    assert [problem.split(":")[1] for problem in problems] == ["2", "4", "6"]
    with pytest.raises(ConfigProblems, match=r"3 problems\. Nothing was started."):
        load(tmp_path / "config.toml", env={})


def test_a_file_that_is_something_else_altogether_is_refused_quickly(tmp_path: Path) -> None:
    problems = refusal(tmp_path, "[risk]\n" + "".join(f"key{number} = 1\n" for number in range(20_000)))
    assert len(problems) == 50
    with pytest.raises(ConfigProblems, match="20000 problems, the first 50 of which are shown"):
        load(tmp_path / "config.toml", env={})


def test_the_refusal_looks_as_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.toml").write_text('[exchange]\nmode = "papper"\n')
    with pytest.raises(ConfigProblems) as caught:
        load(env={})
    assert str(caught.value) == (
        'config.toml:2:8  exchange.mode: "papper" is not one of paper, demo, testnet, live.  Did you mean "paper"?\n'
        '    2 | mode = "papper"\n'
        "               ^^^^^^^^\n"
        "1 problem. Nothing was started."
    )


@pytest.mark.parametrize("name", ["api_key", "secret", "api_secret", "password", "bot_token", "private_key"])
def test_a_secret_in_the_config_is_refused_with_advice_and_not_shown(name: str, tmp_path: Path) -> None:
    [problem] = refusal(tmp_path, f'[account]\n{name} = "CANARY-1234"\n')
    assert "config.toml:2:1" in problem
    assert "secrets file" in problem
    assert "CANARY" not in problem


@pytest.mark.parametrize("line", ["API_KEY = CANARY", 'password = "CANARY', "secret: CANARY", "'api_secret' = CANARY CANARY"])
def test_a_secret_in_a_line_that_is_no_toml_is_not_shown_either(line: str, tmp_path: Path) -> None:
    (said,) = refusal(tmp_path, f"[account]\n{line}\n")
    assert "CANARY" not in said and "secrets do not belong" in said


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("[account]\ncash = 1e400\n", "2:8", "at most"),
        ("[account]\ncash = " + "9" * 5_000 + "\n", "2:8", "so many digits"),
        ("[account]\n" + "a." * 20_000 + "b = 1\n", "2:1", "more than 32 parts"),
        ("[[risk]]\nmax_gross = 1\n", "1:3", "not a table"),
    ],
    ids=lambda value: value[:20],
)
def test_monstrous_settings_are_refused_at_their_place_and_quickly(text: str, place: str, says: str, tmp_path: Path) -> None:
    (said,) = refusal(tmp_path, text)
    assert f"config.toml:{place}  " in said and says in said
    assert len(said) < 1_000


def test_a_file_without_an_end_and_one_nested_without_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load("/dev/zero", env={})
    path = tmp_path / "config.toml"
    path.write_text("x=" + "[" * 5_000 + "]" * 5_000)
    with pytest.raises(ConfigError, match="nested too deeply"):
        load(path, env={})


def test_an_address_with_a_password_is_refused_and_not_shown(tmp_path: Path) -> None:
    [problem] = refusal(tmp_path, '[exchange]\nrest = "https://me:CANARY@example.org"\n')
    assert "password" in problem
    assert "CANARY" not in problem


def test_a_missing_file_names_itself_and_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; sluice init writes one"):
        load(tmp_path / "none.toml", env={})
    with pytest.raises(ConfigError, match="is a folder"):
        load(tmp_path, env={})


def test_bytes_that_are_no_utf_8_are_refused_at_their_place(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes(b"[exchange]\nmode = '\xff'\n")
    with pytest.raises(ConfigProblems, match=r"c\.toml:2:9  not UTF-8"):
        load(tmp_path / "c.toml", env={})


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes(b'\xef\xbb\xbf[exchange]\r\nmode = "demo"\r\n')
    assert load(tmp_path / "c.toml", env={}).config.exchange.mode == "demo"


def test_without_a_file_the_built_in_values_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load(env={})
    assert loaded.config == Config()
    assert loaded.file is None
    assert set(loaded.origin.values()) == {"default"}


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[risk]\nmax_gross = 0.5\ncollar = 0.02\n[exchange]\nsymbols = ["BTCUSDT"]\n')
    env = {"SLUICE__RISK__MAX_GROSS": "0.7", "SLUICE__EXCHANGE__SYMBOLS": "ETHUSDT,BTCUSDT", "SLUICE__EXCHANGE__TIMEFRAME": "5m",
           "SLUICE__INSTRUMENTS__ETHUSDT__TICK": "0.05"}  # fmt: skip
    loaded = load(file, env=env, overrides={"risk.max_gross": Decimal("0.9"), "trading.max_bars": 5})
    assert loaded.config.risk.max_gross == Decimal("0.9")
    assert loaded.config.risk.collar == Decimal("0.02")
    assert loaded.config.exchange.symbols == ("ETHUSDT", "BTCUSDT")
    assert loaded.config.exchange.timeframe == 5 * MINUTE
    assert loaded.config.instruments == {"ETHUSDT": InstrumentOverride(tick=Decimal("0.05"))}
    assert loaded.origin["risk.max_gross"] == "command line"
    assert loaded.origin["exchange.timeframe"] == "env"
    assert loaded.origin["risk.collar"] == f"{file}:3"
    assert loaded.origin["risk.daily_loss"] == "default"


def test_a_mistake_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    problems = refusal(tmp_path, "", {"SLUICE__RISK__MAX_GROS": "1", "SLUICE__RISK__COLLAR": "wide", "UNRELATED": "x"})
    assert problems == [
        'SLUICE__RISK__COLLAR  risk.collar: "wide" is not a number.',
        'SLUICE__RISK__MAX_GROS  risk.max_gros: unknown key.  Did you mean "SLUICE__RISK__MAX_GROSS"?',
    ]


def test_a_later_refusal_of_what_stands_in_the_environment_names_the_variable() -> None:
    loaded = load(env={"SLUICE__STRATEGY__FACTORS__MOM": "delay(close, -1)"})
    problem = loaded.refuse("strategy.factors.mom", "reads the future").lines[0]
    assert problem == "SLUICE__STRATEGY__FACTORS__MOM  strategy.factors.mom: reads the future."


def test_a_number_without_end_in_the_environment_is_no_number(tmp_path: Path) -> None:
    (problem,) = refusal(tmp_path, "", {"SLUICE__RISK__MAX_GROSS": "9" * 6_000})
    assert "is not a number" in problem


def test_money_keeps_the_digits_that_were_written(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[account]\ncash = 1234.10\n[costs]\ntaker_bps = 5.45\n")
    config = load(file, env={}).config
    assert str(config.account.cash) == "1234.10"
    assert config.costs.taker_bps == Decimal("5.45")


def test_a_later_refusal_points_into_the_value(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[strategy.factors]\nmom = "close - opne"\n')
    problem = load(file, env={}).refuse("strategy.factors.mom", "no field opne", '"open"', at=9).lines[0]
    assert problem.startswith(f"{file}:2:16  strategy.factors.mom: no field opne.")


def test_a_factor_may_stand_in_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "alphas").mkdir()
    (tmp_path / "alphas" / "mom.py").write_text("def mom(df):\r\n    return df['close'].pct_change(20)\n")
    (tmp_path / "rev.txt").write_text("-ts_zscore(close, 60)\n")
    file = tmp_path / "c.toml"
    file.write_text('[strategy.factors]\nmom = "alphas/mom.py"\nrev = "rev.txt"\nlow = "low"\n[strategy.dialects]\nlow = "qlib"\n')
    loaded = load(file, env={})
    assert loaded.config.strategy.factors == {
        "mom": "def mom(df):\n    return df['close'].pct_change(20)", "rev": "-ts_zscore(close, 60)", "low": "low",
    }  # fmt: skip
    assert loaded.sources == {"mom": str(tmp_path / "alphas/mom.py"), "rev": str(tmp_path / "rev.txt")}
    assert loaded.config.strategy.dialects == {"low": "qlib"}


def test_a_file_of_a_factor_that_cannot_be_read_is_refused_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_bytes(b"\xff")
    (tmp_path / "c.txt").write_text("close" + " " * 70_000)
    file = tmp_path / "c.toml"
    file.write_text('[strategy.factors]\na = "a.py"\nb = "b.py"\nc = "c.txt"\nd = "~nobody_here/d.txt"\n')
    with pytest.raises(ConfigProblems) as refused:
        load(file, env={})
    lines = refused.value.lines
    assert [line.split("  ")[0] for line in lines] == [f"{file}:{n}:5" for n in (2, 3, 4, 5)]
    assert "a.py cannot be read: no such file or directory" in lines[0]
    assert "not UTF-8" in lines[1] and "larger than 64 KiB" in lines[2]


def test_the_languages_of_the_configuration_are_those_that_are_read() -> None:
    from strategies.factors.dialects import DIALECTS  # here: it loads the factor language

    assert schema()["properties"]["strategy"]["properties"]["dialect"]["enum"] == ["auto", *DIALECTS, "pandas"]


def test_every_profile_is_a_config_with_every_setting_in_it(tmp_path: Path) -> None:
    for profile in docs.PROFILES:
        file = tmp_path / f"{profile}.toml"
        file.write_text(default_text(profile))
        loaded = load(file, env={})
        assert loaded.config.exchange.mode == profile
        assert [name for name, origin in loaded.origin.items() if origin == "default"] == ["instruments"]


def test_the_config_of_the_repository_and_its_page_are_made_from_the_structs() -> None:
    assert (ROOT / "config.toml").read_text() == default_text(), "run: make docs"
    assert (ROOT / "docs" / "config.md").read_text() == docs.markdown(), "run: make docs"
    assert load(ROOT / "config.toml", env={}).config == Config()


def test_every_setting_says_what_it_means() -> None:
    for path, field, _ in leaves(Config(instruments={"BTCUSDT": InstrumentOverride()})):
        assert field.meta.description, path
        assert len(str(field.meta.description)) >= 5, path


def test_the_schema_is_json_and_holds_every_setting() -> None:
    document = json.loads(json.dumps(schema()))
    for path, _, _ in leaves(Config()):
        node = document
        for part in path:
            node = node["properties"][part]
        assert "description" in node, path
    assert document["properties"]["risk"]["properties"]["collar"]["exclusiveMaximum"] == 1
    assert document["additionalProperties"] is False


def test_the_weights_are_those_of_the_signals() -> None:
    from strategies.signals import WEIGHTS  # here: it loads the factor machine

    mine = {name: getattr(SignalWeights(), name) for name in SignalWeights.__struct_fields__}
    assert {name: weight for name, weight in mine.items() if name != "factors"} == WEIGHTS


def test_every_rule_of_a_part_has_its_setting_and_the_setting_arrives() -> None:
    from bot import plan  # here: these load the factor machine

    env = {"SLUICE__RISK__COLLAR": "0.03", "SLUICE__RISK__DRAWDOWN_FLATTENS": "false", "SLUICE__COSTS__TAKER_BPS": "7.5",
           "SLUICE__EXECUTION__LATENCY_MS": "900", "SLUICE__TRADING__STOP_LOSS": "0", "SLUICE__TRADING__REVERSAL": "flat",
           "SLUICE__STRATEGY__EXIT_THRESHOLD": "0.07", "SLUICE__STRATEGY__ENTRY_THRESHOLD": "0.2", "SLUICE__STRATEGY__WINDOWS__STORY": "6h",
           "SLUICE__EXCHANGE__STALE": "40s"}  # fmt: skip
    config = load(ROOT / "config.toml", env=env).config
    limits, rules, costs, fills = plan.limits(config, MINUTE), plan.rules(config), plan.costs(config), plan.fills(config)
    assert (limits.collar, limits.drawdown_flattens, limits.max_data_age) == (Decimal("0.03"), False, 3 * MINUTE)
    assert (rules.stop_loss, rules.reversal, rules.exit_threshold) == (None, "flat", 0.07)
    assert (costs.taker_bps, fills.latency_ms) == (Decimal("7.5"), 900)
    made = plan.strategy_plan(config, MINUTE, ())
    assert (made.thresholds.entry, made.ageing.story_ms, made.stale_ms) == (0.2, 6 * 60 * MINUTE, 40_000)
    for part, table in ((limits, config.risk), (rules, config.trading), (costs, config.costs), (fills, config.execution)):
        settings = {*table.__struct_fields__, "exit_threshold"}
        assert [name for name in part.__struct_fields__ if name not in settings] == []


def test_places_are_found_in_all_that_toml_allows() -> None:
    text = 'a.b = 1 # c\n[x."y z"]\nk = """two\nlines"""\nl = [1, [2, "]"], {q = 3}]\n[[t]]\nv = 1\n[[t]]\nv = 2\n'
    found = scan(text).found
    places = {path: (f.value.line, f.value.column) for path, f in found.items()}
    assert places["a", "b"] == (1, 7)
    assert places["x", "y z", "k"] == (3, 5)
    assert places["x", "y z", "l", 1, 1] == (5, 13)
    assert places["x", "y z", "l", 2, "q"] == (5, 24)
    assert places["t", 1, "v"] == (9, 5)


def test_importing_the_config_is_cheap() -> None:
    code = (
        "import sys, bot.config; print(sorted(m for m in ('numba','numpy','pandas','ccxt','asyncio','rich','httpx2') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_secrets_come_from_the_environment_first_and_print_as_stars(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("# mine\nBYBIT_API_KEY=from-file\nexport BYBIT_API_SECRET='quoted'\nLLM_API_KEY=\n")
    file.chmod(0o600)
    secrets = read_secrets(file, env={"BYBIT_API_KEY": "from-env"})
    assert secrets["BYBIT_API_KEY"].reveal() == "from-env"
    assert secrets["BYBIT_API_SECRET"].reveal() == "quoted"
    assert secrets.names() == ["BYBIT_API_KEY", "BYBIT_API_SECRET"]
    shown = (
        f"{secrets} {secrets['BYBIT_API_KEY']} {secrets['BYBIT_API_KEY']!r} {secrets['BYBIT_API_KEY']:>20} %s" % secrets["BYBIT_API_KEY"]
    )
    assert "from" not in shown
    assert "quoted" not in shown
    with pytest.raises(ConfigError, match="LLM_API_KEY is not set"):
        secrets["LLM_API_KEY"]


def test_a_secret_cannot_be_pickled_copied_out_or_compared_to_text() -> None:
    import copy

    secret = Secret("x")
    assert secret != "x"
    assert secret == Secret("x")
    with pytest.raises(TypeError):
        copy.copy(secret)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_secrets_file_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("BYBIT_API_KEY=CANARY\n")
    file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        read_secrets(file, env={})
    assert "CANARY" not in str(caught.value)


def test_a_secrets_file_in_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    file = folder / "secrets.env"
    file.write_text("BYBIT_API_KEY=x\n")
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="chmod go-w"):
        read_secrets(file, env={})


def test_a_line_that_is_no_secret_is_refused_without_showing_it(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("BYBIT_KEY=CANARY\n")
    os.chmod(file, 0o600)
    with pytest.raises(ConfigError, match=r"secrets\.env:1:1") as caught:
        read_secrets(file, env={})
    assert "CANARY" not in str(caught.value)


def test_a_missing_secrets_file_is_no_error(tmp_path: Path) -> None:
    assert read_secrets(tmp_path / "none.env", env={}).names() == []
