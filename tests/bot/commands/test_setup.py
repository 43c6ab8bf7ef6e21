"""`init`, `config`, `doctor`, `factor`, `data`, and the operator's commands."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from bot.commands import doctor
from bot.lock import Lock
from feeds import times
from tests.bot.commands.books import document, run, store_with_a_run


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("profile", ["paper", "demo", "testnet", "live"])
def test_init_writes_a_configuration_that_is_sound_and_secrets_that_are_private(capsys, tmp_path: Path, profile: str) -> None:  # type: ignore[no-untyped-def]
    said = document(capsys, "init", "--profile", profile)
    assert (said["config"], said["secrets_written"]) == ("config.toml", True)
    assert stat.S_IMODE((tmp_path / ".sluice" / "secrets.env").stat().st_mode) == 0o600
    assert document(capsys, "config", "check") == {"ok": True, "config": "config.toml", "problems": []}
    assert document(capsys, "config", "show")["settings"]["exchange"]["mode"] == profile


def test_init_overwrites_nothing_unless_it_is_told_to_and_never_secrets(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run(capsys, "init")
    (tmp_path / "config.toml").write_text("# mine\n")
    (tmp_path / ".sluice" / "secrets.env").write_text("SLUICE_BYBIT_KEY=abc\n")
    code, _, err = run(capsys, "init")
    assert code == 4
    assert "--force" in err
    assert (tmp_path / "config.toml").read_text() == "# mine\n"
    assert run(capsys, "init", "--force")[0] == 0
    assert (tmp_path / "config.toml").read_text() != "# mine\n"
    assert (tmp_path / ".sluice" / "secrets.env").read_text() == "SLUICE_BYBIT_KEY=abc\n"


def test_a_broken_configuration_is_shown_with_line_column_and_what_was_meant(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "config.toml").write_text('[exchange]\nmode = "papper"\n[risk]\nmax_order_notionl = 5\n')
    code, out, err = run(capsys, "config", "check")
    assert (code, out) == (4, "")
    assert err.startswith("config.toml:2:8  exchange.mode:")
    assert 'Did you mean "paper"?' in err
    assert "config.toml:4:1" in err
    assert err.endswith("2 problems. Nothing was started.\n")
    code, out, _ = run(capsys, "config", "check", "--json")
    assert code == 4
    assert len(json.loads(out)["problems"]) == 2
    for command in (["paper"], ["replay", "--candles", "a"], ["demo"], ["config", "show"]):
        assert run(capsys, *command)[0] == 4


def test_the_metrics_of_replay_files_are_words_of_its_factors(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "config.toml").write_text('[replay]\nmetrics = ["m.csv"]\n[strategy.factors]\na = "ts_mean(close_call, 5)"\n')
    assert "close_call" in run(capsys, "config", "check", "--json")[1]
    (tmp_path / "m.csv").write_text("ts_ms,available_ms,CloseCall\n1704067200000,1704070800000,1.5\n")
    assert document(capsys, "config", "check")["problems"] == []


def test_rules_of_a_symbol_that_only_a_replay_has_are_no_problem(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "config.toml").write_text('[exchange]\nsymbols = ["BTCUSDT"]\n[instruments.XRPUSDT]\ntick = 0.001\n')
    assert document(capsys, "config", "check")["problems"] == []
    (tmp_path / "config.toml").write_text('[exchange]\nsymbols = ["BTCUSDT"]\n[instruments.BTCUSDC]\ntick = 0.001\n')
    assert "BTCUSDC" in run(capsys, "config", "check", "--json")[1]


def test_factor_texts_are_checked_with_the_configuration(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "config.toml").write_text(
        '[strategy.factors]\na = "ts_mean(close,"\nb = "delay(close, -1)"\nc = "ts_mean(my_own_metric, 5)"\n'
    )
    _, out, _ = run(capsys, "config", "check", "--json")
    first, second = json.loads(out)["problems"]
    assert first.startswith("config.toml:2:")
    assert "future" in second


def test_a_factor_that_dialects_read_differently_is_asked_for_in_the_words_of_the_configuration(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "config.toml").write_text('[strategy.factors]\nhigh_5 = "Max(close, 5)"\n')
    code, _, err = run(capsys, "config", "check")
    assert code == 4
    assert '[strategy.dialects] high_5 = "sluice" or [strategy.dialects] high_5 = "worldquant"' in err
    assert "--dialect" not in err


def test_a_factor_of_a_file_is_refused_with_its_place_in_that_file(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "mom.py").write_text("def mom(df):\n    return df['close'].shift(-1)\n")
    (tmp_path / "config.toml").write_text(
        '[strategy.factors]\nfile = "mom.py"\nlines = """\na = close\na + delay(close, -1)"""\n[strategy.dialects]\nlines = \'sluice\'\n'
    )
    _, out, _ = run(capsys, "config", "check", "--json")
    first, second = json.loads(out)["problems"]
    assert first.startswith("config.toml:2:8  strategy.factors.file: mom.py:2:12 shift(-1) would use bars that have not closed")
    assert second.startswith("config.toml:3:9  strategy.factors.lines: in its line 2, delay by -1 bars would read the future")


def test_config_show_says_where_each_value_comes_from(capsys, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "config.toml").write_text("[risk]\nmax_gross = 0.4\n")
    monkeypatch.setenv("SLUICE__RISK__MAX_LEVERAGE", "1.5")
    _, out, _ = run(capsys, "config", "show", "--origin")
    lines = {line.split(" = ")[0]: line for line in out.splitlines() if " = " in line}
    assert lines["max_gross"].endswith("# config.toml:2")
    assert lines["max_leverage"].endswith("# env")
    assert lines["collar"].endswith("# default")


def test_config_show_can_be_saved_and_used(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = run(capsys, "config", "show")
    (tmp_path / "config.toml").write_text(out)
    assert run(capsys, "config", "check")[0] == 0


def test_the_schema_is_json(capsys) -> None:  # type: ignore[no-untyped-def]
    assert json.loads(run(capsys, "config", "schema")[1])["type"] == "object"


def test_doctor_finds_a_sound_machine_sound(capsys) -> None:  # type: ignore[no-untyped-def]
    said = document(capsys, "doctor", "--offline")
    assert said["ok"]
    names = [check["name"] for check in said["checks"]]
    assert names == ["python", "packages", "cache", "config", "disk", "store", "modes", "lock", "port", "clock"]


def test_doctor_fails_on_a_damaged_store_and_on_open_secrets(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run(capsys, "init")
    (tmp_path / ".sluice" / "secrets.env").chmod(0o644)
    (tmp_path / ".sluice" / "sluice.db").write_bytes(b"no database" * 500)
    code, out, _ = run(capsys, "doctor", "--offline", "--json")
    assert code == 8
    failed = {check["name"]: check["next"] for check in json.loads(out)["checks"] if check["status"] == "fail"}
    assert set(failed) == {"store", "modes"}
    assert failed["modes"] == "chmod 600 .sluice/secrets.env"
    code, out, err = run(capsys, "doctor", "--offline")
    assert code == 8
    assert "2 of 10 checks failed: store, modes" in err


def test_doctor_names_the_process_that_runs_on_the_store(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    store = store_with_a_run(tmp_path / "bot.db")
    with Lock(store, started_ms=times.now(), mode="paper"):
        assert f"process {os.getpid()} runs" in doctor.lock(store).detail


@pytest.mark.parametrize(("off", "status"), [(0, "ok"), (400, "warn"), (-400, "warn"), (8_000, "fail")])
def test_doctor_compares_our_clock_with_the_exchanges(off: int, status: str) -> None:
    def reply(url: str) -> bytes:
        assert url == "https://exchange.test/v5/market/time"
        return json.dumps({"result": {"timeNano": str((times.now() - off) * 1_000_000)}}).encode()

    assert doctor.clock("https://exchange.test", reply).status == status


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"result": {"timeNano": "soon"}}', b'{"result": 7}'])
def test_an_answer_that_is_none_is_a_warning(body: bytes) -> None:
    assert doctor.clock("https://exchange.test", lambda url: body).status == "warn"


def test_an_exchange_out_of_reach_is_a_warning() -> None:
    assert "not reachable" in doctor.clock("https://exchange.invalid").detail


def test_a_factor_is_shown_as_the_machine_sees_it(capsys) -> None:  # type: ignore[no-untyped-def]
    said = document(capsys, "factor", "parse", "ts_zscore( close,60 )*rank(volume)", "--timeframe", "5m")
    assert said["canonical"] == "rank(volume) * ts_zscore(close, 60)"
    assert (said["inputs"], said["warm_up"], said["timeframe"]) == (["close", "volume"], 59, "5m")
    assert document(capsys, "factor", "parse", said["canonical"], "--timeframe", "5m")["key"] == said["key"]


@pytest.mark.parametrize("text", ["-ts_zscore(close, 60)", "-volume"])
def test_a_factor_may_begin_with_a_minus_sign(capsys, text: str) -> None:  # type: ignore[no-untyped-def]
    assert document(capsys, "factor", "parse", text)["canonical"].startswith("-")


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("ts_mean(clse, 60)", "factor:1:9", "did you mean close"), ("delay(close, -1)", "factor:1:", "future"),
        ("close +", "factor:1:", ""),
        ("__import__('os')", "factor:1:", ""), ("\x1b[31m", "factor:1:", ""),
    ],
)  # fmt: skip
def test_a_refused_factor_names_its_place(capsys, text: str, place: str, says: str) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run(capsys, "factor", "parse", text)
    assert (code, out) == (4, "")
    assert err.startswith(place)
    assert says in err
    assert "\x1b" not in err


def test_a_caret_stands_below_the_word_that_is_wrong(capsys) -> None:  # type: ignore[no-untyped-def]
    _, _, err = run(capsys, "factor", "parse", "ts_mean(clse, 60)")
    _, line, caret = err.splitlines()
    assert line[caret.index("^") :].startswith("clse")


def test_a_file_holds_one_factor(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "alpha.txt").write_text("mom = ts_mean(returns, 9)\nmom * rank(x_metric)\n")
    said = document(capsys, "factor", "parse", "alpha.txt", "--fields", "x_metric")
    assert said["inputs"] == ["close", "x_metric"]
    (tmp_path / "empty.txt").write_text("\n")
    assert run(capsys, "factor", "parse", "empty.txt")[0] == 4


def test_data_is_made_up_imported_listed_and_checked(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = document(capsys, "data", "synth", "market", "--days", 1, "--symbols", "XRPUSDT", "--timeframe", "15m")
    assert (made["synthetic"], made["timeframe"]) == (True, "15m")
    brought = document(capsys, "data", "import", "market/candles/XRPUSDT.parquet")
    assert (brought["added"], brought["repeated"]) == (96, 0)
    assert document(capsys, "data", "import", "market/candles/XRPUSDT.parquet")["repeated"] == 96
    [held] = document(capsys, "data", "list")["holdings"]
    assert (held["symbol"], held["bars"], held["missing"]) == ("XRPUSDT", 96, 0)
    assert document(capsys, "data", "check", "market/candles")["ok"]
    assert "XRPUSDT" in run(capsys, "data", "list")[1]
    assert run(capsys, "data", "check", "market/candles")[1] == "sound: nothing was found\n"


def test_what_was_imported_can_be_replayed_and_gives_the_same_run(capsys) -> None:  # type: ignore[no-untyped-def]
    words = ("--days", 3, "--symbols", "BTCUSDT", "--timeframe", "30m", "--from", "2024-02-28")
    assert run(capsys, "data", "synth", "market", *words)[0] == 0
    assert run(capsys, "data", "import", "market/candles/BTCUSDT.parquet")[0] == 0
    from_files = document(capsys, "replay", "--candles", "market/candles")
    from_archive = document(capsys, "replay", "--candles", ".sluice/archive")
    assert (from_archive["bars"], from_archive["synthetic"]) == (144, True)
    assert (from_archive["digest"], from_archive["data_hash"]) == (from_files["digest"], from_files["data_hash"])


def test_broken_candles_are_told_with_their_place(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rows = ["ts_ms,open,high,low,close,volume", "1700000000000,1,2,0.5,1,1", "1700000060000,1,0.2,0.5,1,1", "1700000120000,1,2,0.5,1,1"]
    (tmp_path / "BTCUSDT.csv").write_text("\n".join(rows) + "\n")
    code, out, _ = run(capsys, "data", "check", "BTCUSDT.csv", "--json")
    assert code == 8
    assert "BTCUSDT.csv" in json.loads(out)["findings"][0]["where"]
    code, out, err = run(capsys, "data", "import", "BTCUSDT.csv")
    assert (code, out) == (4, "")
    assert "BTCUSDT.csv" in err
    assert run(capsys, "data", "check", "nowhere.csv")[0] in (4, 8)


def test_a_market_that_cannot_be_made_is_a_wrong_word(capsys) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run(capsys, "data", "synth", "m", "--timeframe", "7m")
    assert code == 2
    assert "timeframe is 7m" in err


@pytest.mark.parametrize("verb", ["halt", "reduce", "resume", "stop"])
def test_a_command_to_nobody_is_exit_three(capsys, tmp_path: Path, verb: str) -> None:  # type: ignore[no-untyped-def]
    store = store_with_a_run(tmp_path / "bot.db")
    code, _, err = run(capsys, verb, "--store", store)
    assert code == 3
    assert "sluice paper" in err
    assert run(capsys, verb, "--store", tmp_path / "none.db")[0] == 3


def test_a_bot_that_does_not_answer_is_exit_five(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    store = store_with_a_run(tmp_path / "bot.db")
    with Lock(store, started_ms=times.now(), mode="paper"):
        code, _, err = run(capsys, "halt", "--store", store, "--wait", "60ms", "--reason", "a\x1b[2Jb")
    assert code == 5
    assert "did not answer halt" in err


def test_a_command_that_is_obeyed_says_what_it_came_to(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import sqlite3

    store = store_with_a_run(tmp_path / "bot.db")

    def obey() -> None:
        with sqlite3.connect(store, timeout=5) as conn:
            while not conn.execute("SELECT 1 FROM commands WHERE flatten = 1 AND cancel = 0").fetchone():
                pass
            conn.execute("UPDATE commands SET done_at = at + 100, outcome = 'obeyed'")

    with Lock(store, started_ms=times.now(), mode="paper"):
        bot = threading.Thread(target=obey)
        bot.start()
        said = document(capsys, "halt", "--flatten", "--store", store, "--reason", "enough")
        bot.join()
    assert (said["verb"], said["flatten"], said["cancel"], said["reason"], said["outcome"]) == ("halt", True, False, "enough", "obeyed")


def test_a_file_that_holds_no_text_is_no_list_of_factors(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "alpha.txt").write_bytes(b"close\nhigh - \xff\n")
    code, out, err = run(capsys, "factor", "parse", "alpha.txt")
    assert (code, out) == (4, "")
    assert err.startswith("sluice: alpha.txt:2: not UTF-8")


@pytest.mark.parametrize("seed", ["-1", "9" * 25])
def test_a_seed_that_no_store_can_keep_is_refused(capsys, seed: str) -> None:  # type: ignore[no-untyped-def]
    for command in (["replay", "--candles", "a"], ["demo"], ["data", "synth", "m"]):
        assert run(capsys, *command, "--seed", seed)[0] == 2


@pytest.mark.parametrize("option", [("--minutes", "nan"), ("--minutes", "inf"), ("--speed", "nan"), ("--speed", "inf")])
def test_a_number_that_is_none_is_refused(capsys, option: tuple[str, str]) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run(capsys, "demo", *option)
    assert code == 2
    assert f"{option[1]} is not a finite number" in err
