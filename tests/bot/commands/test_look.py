"""Commands that look at a store."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.cli import main
from bot.commands.look import few
from bot.commands.why_not import MEANS
from bot.events import Denial
from bot.render import Out
from bot.store.store import Store
from feeds.times import MINUTE, iso
from strategies.events import Reason
from tests.bot.commands.books import document, run, store_with_a_run
from tests.builders import START

LOOKS = (
    ["status"], ["explain"], ["explain", "traded"], ["why-not"], ["positions"], ["orders"], ["fills"], ["pnl"],
    ["pnl", "--by", "symbol"], ["pnl", "--by", "factor"], ["runs"], ["report"], ["why-not", "--since", "5m"], ["positions", "--all"],
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_with_a_run(tmp_path_factory.mktemp("store") / "bot.db")


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_every_look_has_text_for_people_and_one_document_for_scripts(capsys, store: Path, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run(capsys, *words, "--store", store)
    assert (code, err) == (0, "")
    assert "paper-1" in out
    code, out, err = run(capsys, *words, "--store", store, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_what_is_piped_has_no_escape_codes(capsys, store: Path, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    _, out, err = run(capsys, *words, "--store", store)
    assert not {c for c in out + err if ord(c) < 32 and c != "\n"}


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_without_a_store_nothing_is_found(capsys, tmp_path: Path, monkeypatch, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *words)
    assert (code, out) == (3, "")
    assert "sluice demo" in err
    code, _, err = run(capsys, *words, "--store", tmp_path / "nowhere.db")
    assert code == 3
    assert "nowhere.db" in err


def test_another_programs_database_is_refused(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "other.db").write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    code, _, err = run(capsys, "status", "--store", tmp_path / "other.db")
    assert code == 4
    assert "Traceback" not in err


def test_an_unknown_run_is_not_found(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run(capsys, "status", "--run", "paper-9", "--store", store)
    assert code == 3
    assert "paper-1" in err


def test_status_tells_state_position_equity_feeds_and_decisions(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    said = document(capsys, "status", "--store", store)
    assert (said["run"], said["running"], said["state"], said["state_by"]) == ("paper-1", False, "REDUCING", "daily_loss")
    assert said["equity"] == 10_011.0
    [position] = said["positions"]
    assert (position["symbol"], position["quantity"], position["entry"]) == ("BTCUSDT", 0.3, 101)
    assert [feed["feed"] for feed in said["feeds"]] == ["bybit"]
    assert {seen["symbol"]: seen["side"] for seen in said["last"]} == {"BTCUSDT": "LONG", "ETHUSDT": "HOLD"}
    _, out, _ = run(capsys, "status", "--store", store)
    assert "not running (finished)" in out
    assert "REDUCING  by daily_loss: Exchange halts" in out


def test_status_of_a_run_whose_process_is_gone_says_interrupted(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = store_with_a_run(tmp_path / "bot.db", finish="")
    assert "not running (interrupted)" in run(capsys, "status", "--store", path)[1]


def test_watching_is_for_people(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    assert run(capsys, "status", "--watch", "--json", "--store", store)[0] == 2


def test_a_decision_is_explained_by_contributions_that_add_up_to_its_score(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    said = document(capsys, "explain", "traded", "--store", store)
    known = [c["contribution"] for c in said["contributions"] if c["contribution"] is not None]
    assert math.isclose(math.fsum(known), said["score"], abs_tol=1e-9)
    assert said["contributions_sum"] == pytest.approx(said["score"], abs=1e-9)
    assert (said["side"], said["because"]) == ("LONG", "score > 0.30, confidence > 0.50")
    assert said["newest_age_ms"] == 0


def test_what_followed_from_a_decision_is_told_to_the_end(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    said = document(capsys, "explain", "traded", "--store", store)
    assert [order["id"] for order in said["orders"]] == ["v1-A-1", "v1-A-1s"]
    assert [fill["exec_id"] for fill in said["fills"]] == ["e1", "e2"]
    _, out, _ = run(capsys, "explain", "traded", "--store", store)
    assert "SELL 0.2 @ 98" in out
    assert "ts_mean(returns, 9)" in out
    assert "sum" in out


def test_a_refused_decision_says_by_which_limit(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    said = document(capsys, "explain", f"BTCUSDT@{iso(START + 11 * MINUTE)}", "--store", store)
    assert [refusal["code"] for refusal in said["refusals"]] == ["D_COOL_DOWN"]
    _, out, _ = run(capsys, "explain", said["decision"], "--store", store)
    assert "refused  entry  D_COOL_DOWN: 3 bars to go" in out


def test_an_order_and_its_stop_are_explained_by_the_decision_behind_them(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    entry = document(capsys, "explain", "v1-A-1", "--store", store)
    stop = document(capsys, "explain", "v1-A-1s", "--store", store)
    assert entry == stop == document(capsys, "explain", "traded", "--store", store)


def test_a_repeated_decision_is_shown_as_its_stretch(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    said = document(capsys, "explain", f"ETHUSDT@{iso(START + 5 * MINUTE)}", "--store", store)
    assert said["stretch"]["bars"] == 12
    assert said["bar_ms"] == START + MINUTE
    _, out, _ = run(capsys, "explain", said["decision"], "--store", store)
    assert "repeated for 12 bars" in out


@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("D-999999", 3, "no decision D-999999"), ("v1-none-1", 3, "no decision or order"), ("BTCUSDT@2001-01-01", 3, "its first is at"),
        ("BTCUSDT@soon", 2, "is not a time"), ("\x1b[31mred", 3, "'red'"),
    ],
)  # fmt: skip
def test_what_cannot_be_explained_is_answered_with_what_can(capsys, store: Path, what: str, code: int, says: str) -> None:  # type: ignore[no-untyped-def]
    found, out, err = run(capsys, "explain", what, "--store", store)
    assert (found, out) == (code, "")
    assert says in err


def test_a_number_inside_a_stretch_names_the_stretches_it_can_be_in(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    first = int(document(capsys, "explain", f"BTCUSDT@{iso(START + MINUTE)}", "--store", store)["decision"][2:])
    code, _, err = run(capsys, "explain", f"D-{first + 2}", "--store", store)
    assert code == 3
    assert f"D-{first} (BTCUSDT)" in err


def test_every_bar_without_a_trade_has_its_reason(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    said = document(capsys, "why-not", "--store", store)
    assert said["bars"] == 24
    assert said["traded"] + sum(reason["count"] for reason in said["reasons"]) == 24
    assert {r["reason"]: r["count"] for r in said["reasons"]} == {"weak_score": 17, "warming_up": 3, "D_COOL_DOWN": 3}
    assert sum(reason["share"] for reason in said["reasons"]) + said["traded"] / 24 == pytest.approx(1)


def test_why_not_counts_back_from_the_newest_bar_close(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    said = document(capsys, "why-not", "--since", "4m", "--store", store)
    assert (said["bars"], said["traded"]) == (8, 1)
    assert document(capsys, "why-not", "--since", iso(START + 10 * MINUTE), "--symbol", "btcusdt", "--store", store)["bars"] == 3


def test_every_reason_that_there_is_has_its_words() -> None:
    holding = {reason.value for reason in Reason} - {Reason.ABOVE_ENTRY, Reason.BELOW_ENTRY}
    assert holding | {code.value for code in Denial} | {"already_in_position", "long_only"} == set(MEANS)


def test_positions_and_profit_add_up(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    [position] = document(capsys, "positions", "--store", store)["positions"]
    assert position["realised"] == pytest.approx(-0.6)
    assert position["net"] == pytest.approx(-0.6 - 2 * 0.0275 - 0.005)
    pnl = document(capsys, "pnl", "--by", "symbol", "--store", store)
    assert pnl["total"]["net"] == pytest.approx(position["net"])
    assert [row["key"] for row in pnl["rows"]] == ["BTCUSDT"]


def test_orders_say_what_they_follow_from(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = run(capsys, "orders", "--store", store)
    entry, stop = out.splitlines()[-2:]
    assert "D-" in entry
    assert "#0" in stop
    assert [o["id"] for o in document(capsys, "orders", "--open", "--store", store)["orders"]] == ["v1-A-1s"]
    assert len(document(capsys, "orders", "--limit", 1, "--store", store)["orders"]) == 1


def test_fills_can_be_narrowed(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    assert len(document(capsys, "fills", "--store", store)["fills"]) == 2
    assert [f["exec_id"] for f in document(capsys, "fills", "--since", "2m", "--store", store)["fills"]] == ["e2"]
    assert document(capsys, "fills", "--symbol", "ETHUSDT", "--store", store)["fills"] == []


def test_a_report_is_written_whole_as_html(capsys, store: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "report.html"
    assert document(capsys, "report", "--store", store, "--html", target) == {"run": "paper-1", "html": str(target)}
    assert target.read_text().startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [target]
    code, _, err = run(capsys, "report", "--store", store, "--html", tmp_path / "missing" / "report.html")
    assert code == 4
    assert "missing" in err


def test_looks_find_the_store_of_the_configuration_and_then_that_of_the_demo(capsys, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    store_with_a_run(tmp_path / ".sluice" / "synthetic.db")
    assert document(capsys, "runs")["runs"][0]["id"] == "paper-1"
    (tmp_path / "config.toml").write_text('[store]\npath = "mine.db"\n')
    assert main(["runs"]) == 3
    store_with_a_run(tmp_path / "mine.db")
    assert main(["runs"]) == 0


def test_the_environment_can_name_the_store(capsys, store: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("SLUICE_STORE", str(store))
    assert document(capsys, "status")["run"] == "paper-1"


def test_watching_a_pipe_prints_the_screen_again_only_when_something_has_changed(capsys, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    path = store_with_a_run(tmp_path / "bot.db")
    looks: list[float] = []

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            with Store.open(path) as store, store.transaction():
                store.conn.execute("UPDATE runs SET state = 'failed'")
        if len(looks) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr("bot.commands.status.time.sleep", pause)
    code, out, err = run(capsys, "status", "--watch", "--store", path)
    assert (code, err) == (130, "interrupted\n")
    assert [line.split("(")[1].split(")")[0] for line in out.splitlines() if line.startswith("bot ")] == ["finished", "failed"]


def test_watching_on_a_terminal_draws_on_a_screen_of_its_own(capsys, store: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def pause(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Out, "terminal", lambda self: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("bot.commands.status.time.sleep", pause)
    code, out, _ = run(capsys, "status", "--watch", "--store", store)
    assert code == 130
    assert out.startswith("\x1b[?1049h")
    assert out.endswith("\x1b[?1049l")
    assert "\x1b]0;" not in out


def test_status_answers_within_its_time_and_loads_nothing_heavy(store: Path) -> None:
    heavy = "sorted({'numpy', 'pandas', 'numba', 'ccxt', 'pyarrow', 'sqlite_utils', 'rich'} & set(sys.modules))"
    code = f"import sys; from bot.cli import main; main(['status', '--store', {str(store)!r}]); print({heavy}, file=sys.stderr)"
    took = []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        took.append(time.perf_counter() - began)
        assert done.stderr.strip() == "[]"
    assert min(took) < 0.6


@pytest.mark.parametrize("words", [("why-not", "--symbol", "NOPE"), ("explain", "D-" + "9" * 24)])
def test_what_the_run_cannot_hold_is_not_found(capsys, store: Path, words: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    assert run(capsys, *words, "--store", store)[0] == 3


def test_a_span_longer_than_time_itself_is_all_of_it(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    whole = document(capsys, "why-not", "--store", store)
    assert document(capsys, "why-not", "--since", "999999999999d", "--store", store)["bars"] == whole["bars"]


def test_a_page_takes_the_place_of_a_page_and_of_nothing_else(capsys, store: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page, data = tmp_path / "report.html", tmp_path / "BTCUSDT.csv"
    data.write_text("ts_ms,open,high,low,close,volume\n")
    for _ in range(2):
        assert run(capsys, "report", "--store", store, "--html", page)[0] == 0
    for words in (["report", "--store", store], ["replay", "--candles", data]):
        code, _, err = run(capsys, *words, "--html", data)
        assert (code, data.read_text()) == (2, "ts_ms,open,high,low,close,volume\n")
        assert "is no HTML page; it stays as it is" in err
    os.mkfifo(tmp_path / "pipe")
    assert run(capsys, "report", "--store", store, "--html", tmp_path / "pipe")[0] == 2


def test_a_number_beyond_the_last_decision_is_not_found(capsys, store: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run(capsys, "explain", "D-99999999", "--store", store)
    assert code == 3
    assert "no decision D-99999999" in err


def test_a_heading_names_few_symbols() -> None:
    assert few(("BTCUSDT", "ETHUSDT", "SOLUSDT")) == "BTCUSDT ETHUSDT SOLUSDT"
    assert few(("ADAUSDT", "ATOMUSDT", "BCHUSDT", "BNBUSDT")) == "ADAUSDT ATOMUSDT +2"
