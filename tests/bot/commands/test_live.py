"""What a running session shows, from its events alone."""

import asyncio
import gc
import json
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot import modes
from bot.commands import session
from bot.commands.live import Tally, Watch
from bot.errors import AlreadyRunning
from bot.events import FundingPaid, OrderSide, Purpose, Started, StateChanged, TradingState
from bot.render import Out
from bot.results import PaperResult
from feeds.events import FeedStatus, Metric, News
from feeds.times import MINUTE
from strategies.events import BarClosed, Reason, Side
from tests.bot.commands.books import HOSTILE, run
from tests.bot.store.building import decision, fill, order, refusal
from tests.builders import START, candle

RESULT = PaperResult(
    run="paper-1", digest="ab" * 32, symbols=("BTCUSDT",), timeframe=MINUTE, start=START, stop=START + 2 * MINUTE, bars=2, decisions=2,
    orders=1, fills=1, refusals=0, equity_start=Decimal(10_000), equity_end=Decimal("10012.5"), fees=Decimal("0.0275"), funding=Decimal(0),
    slippage=Decimal(0), metrics={"sharpe": 1.5, "sortino": None, "ic_by_symbol": ()}, seconds=0.5, bars_per_second=4.0,
    warnings=("a hole of 3 bars",), synthetic=True,
)  # fmt: skip


def story() -> list[Any]:  # Any: events of every kind
    """One bar at which a LONG is bought, and what else can happen."""
    return [
        Started(START, "paper-1", "paper"),
        FeedStatus(START, "bybit", True, HOSTILE),
        candle(close=100.0),
        BarClosed(START + MINUTE, START + MINUTE),
        decision(side=Side.LONG, reason=Reason.ABOVE_ENTRY, score=0.42, confidence=0.66),
        order(stop=Decimal("98.5")),
        fill(price="100", quantity="0.5", fee="0.0275", at=START + MINUTE),
        News(START + MINUTE, "n1", HOSTILE, "wire", ("BTCUSDT",), -0.71),
        Metric(START + MINUTE, "exchange_netflow", "BTCUSDT", -1234.5),
        FundingPaid(START + MINUTE, "BTCUSDT", START + MINUTE, 0.0001, Decimal("0.5"), Decimal(100), Decimal("0.005")),
        refusal(),
        refusal(),
        StateChanged(START + MINUTE, TradingState.HALTED, "operator", HOSTILE),
        FeedStatus(START + MINUTE, "bybit", False, "closed", 3),
    ]


def told(capsys: pytest.CaptureFixture[str], events: list[Any]) -> list[str]:  # Any: as above
    with Watch(Out(), 10_000.0) as watch:
        for number, event in enumerate(events, 1):
            watch.show(event, number)
    return capsys.readouterr().out.splitlines()


def test_each_thing_worth_knowing_is_one_line(capsys) -> None:  # type: ignore[no-untyped-def]
    lines = told(capsys, story())
    assert [line.split()[2] for line in lines] == ["feed", "book", "bar", "fill", "news", "chain", "fund", "refuse", "state", "feed"]
    assert "score +0.42 conf 0.66   LONG   buy 0.5 @ 100   stop 98.5" in lines[2]
    assert 'news   "Exchange halts"  -0.71   BTCUSDT' in lines[4]
    assert "bybit DOWN   closed   3 bars missing" in lines[9]


def test_no_headline_reaches_the_screen_with_an_escape_in_it(capsys) -> None:  # type: ignore[no-untyped-def]
    assert not {c for line in told(capsys, story()) for c in line if ord(c) < 32}


def test_what_only_warms_up_is_not_told(capsys) -> None:  # type: ignore[no-untyped-def]
    old = Metric(START - MINUTE, "exchange_netflow", "BTCUSDT", 1.0)
    assert told(capsys, [Started(START, "demo-1", "demo"), old]) == []
    assert len(told(capsys, [old])) == 1


def test_a_limit_that_holds_is_told_once(capsys) -> None:  # type: ignore[no-untyped-def]
    lines = told(capsys, [refusal(row) for row in range(50)])
    assert len(lines) == 1


def test_the_tally_keeps_an_equity_that_agrees_with_the_arithmetic() -> None:
    tally = Tally(cash=10_000.0)
    for event in story():
        tally.hear(event)
    assert tally.equity == pytest.approx(10_000 - 0.0275 - 0.005)
    tally.hear(candle(row=1, close=110.0))
    assert tally.equity == pytest.approx(10_005 - 0.0275 - 0.005)
    sold = msgspec.structs.replace(fill("e2", side=OrderSide.SELL, price="110", quantity="0.5"), purpose=Purpose.EXIT)
    tally.hear(sold)
    assert tally.positions == {}
    assert (tally.bars, tally.decisions, tally.orders, tally.fills, tally.refusals) == (1, 1, 1, 2, 2)
    assert (tally.run, tally.state) == ("paper-1", "HALTED")


def test_on_a_terminal_a_panel_stays_below_the_lines(monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(Out, "terminal", lambda self: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("bot.commands.live.REDRAW", 0)
    monkeypatch.setenv("COLUMNS", "120")
    lines = "\n".join(told(capsys, story()))
    assert "paper paper-1" in lines
    assert "POSITION" in lines
    assert "\x1b]0;" not in lines


@pytest.fixture
def fake(monkeypatch, tmp_path):  # type: ignore[no-untyped-def]
    """Replace what a mode does; returns what it was asked."""
    monkeypatch.chdir(tmp_path)
    asked: dict[str, Any] = {}

    def arrange(name: str, ending: Any = RESULT) -> dict[str, Any]:  # Any: a result, an error, or what to wait for
        async def mode(config: object, **given: Any) -> PaperResult:
            asked.update(given, config=config)
            for number, event in enumerate(story(), 1):
                given["show"](event, number)
            if isinstance(ending, BaseException):
                raise ending
            if isinstance(ending, signal.Signals):
                os.kill(os.getpid(), ending)
                try:
                    await asyncio.sleep(30)
                finally:
                    asked["cleaned"] = True
            assert isinstance(ending, PaperResult)
            return ending

        monkeypatch.setitem(vars(modes), name, mode)  # the real one is not even imported
        return asked

    return arrange


def test_paper_shows_the_session_and_sums_it_up(fake, capsys) -> None:  # type: ignore[no-untyped-def]
    asked = fake("paper")
    code, out, err = run(capsys, "paper", "--minutes", 2)
    assert (code, err) == (0, "")
    assert (asked["minutes"], asked["store"]) == (2.0, Path(".sluice/sluice.db"))
    assert "bar    BTCUSDT" in out
    assert "10,000.00 -> 10,012.50  +12.50 (+0.12%)" in out
    assert "warning: a hole of 3 bars" in out
    assert "Next: sluice explain" in out


def test_demo_says_that_its_market_is_synthetic_and_keeps_its_own_books(fake, capsys) -> None:  # type: ignore[no-untyped-def]
    asked = fake("demo")
    code, out, _ = run(capsys, "demo", "--speed", 600, "--seed", 3)
    assert code == 0
    assert (asked["speed"], asked["seed"], asked["store"]) == (600.0, 3, Path(".sluice/synthetic.db"))
    assert "SYNTHETIC" in out


@pytest.mark.parametrize("mode", ["paper", "demo"])
def test_with_json_stdout_holds_one_document(fake, capsys, mode: str) -> None:  # type: ignore[no-untyped-def]
    fake(mode)
    code, out, err = run(capsys, mode, "--json")
    assert code == 0
    assert json.loads(out)["equity_end"] == 10012.5
    assert "bar    BTCUSDT" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_the_session_cleanly(fake, capsys, number: signal.Signals, code: int) -> None:  # type: ignore[no-untyped-def]
    asked = fake("paper", number)
    found, out, err = run(capsys, "paper")
    assert (found, err, asked["cleaned"]) == (code, "", True)
    assert f"stopped by {number.name}: 1 bars, 1 decisions, 1 fills" in out
    assert "Next: sluice explain" in out


def test_a_second_signal_cuts_the_end_short_without_a_complaint(caplog) -> None:  # type: ignore[no-untyped-def]
    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(5)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        session.until_stopped(work())
    gc.collect()
    assert caplog.text == ""


def test_an_interrupted_session_still_gives_its_document(fake, capsys) -> None:  # type: ignore[no-untyped-def]
    fake("demo", signal.SIGINT)
    code, out, _ = run(capsys, "demo", "--json")
    assert code == 130
    assert json.loads(out) | {"equity_end": 0} == {
        "run": "paper-1", "interrupted": True, "bars": 1, "decisions": 1, "orders": 1, "fills": 1, "equity_end": 0,
    }  # fmt: skip


def test_a_store_that_is_taken_is_exit_six(fake, capsys) -> None:  # type: ignore[no-untyped-def]
    fake("paper", AlreadyRunning("process 7 already runs on bot.db; stop it with sluice stop"))
    assert run(capsys, "paper")[0] == 6
