"""A run in the store, and the report that it becomes."""

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from bot.errors import NotFound
from bot.events import FundingPaid, OrderSide, StateChanged, TradingState
from bot.metrics import Metrics
from bot.report_store import assumptions, curve_of, days_of, from_store, months_of, report_of
from bot.report_tables import text
from bot.store.journal import Journal
from bot.store.reader import Reader
from bot.store.rows import EquityPoint
from bot.store.store import Store
from feeds.events import FeedStatus
from feeds.times import DAY, HOUR, MINUTE
from strategies.events import Contribution, Reason, Side
from tests.bot.store.building import decision, fill, journal, order, refusal
from tests.builders import START

NAN = float("nan")
PARTS = (
    Contribution("price_momentum", 0.8, 1.0, 0.25, 0.4),
    Contribution("sentiment_news", -0.5, 1.0, 0.2, -0.1),
    Contribution("onchain_flow", NAN, NAN, 0.2, NAN),
)


def funding(row: int, payment: str) -> FundingPaid:
    at = START + row * MINUTE
    return FundingPaid(
        at=at, symbol="BTCUSDT", settle_ms=at, rate=0.0001, quantity=Decimal("0.5"), mark=Decimal(100), payment=Decimal(payment)
    )


def traded(books: Journal) -> None:
    """Thirty bars: LONG 0.5 from 100 to 110, funding in between; HOLD otherwise, and one refusal."""
    with books.store.transaction():
        for row in range(30):
            entering = row == 2
            seq = books.write(
                decision(row=row, side=Side.LONG, reason=Reason.ABOVE_ENTRY, score=0.3, contributions=PARTS)
                if entering
                else decision(row=row),
                0,
            )
            if entering:
                asked = books.write(order("a", row), seq)
                books.write(fill("e1", order_id="a", at=START + 3 * MINUTE, slippage="0.1"), asked)
            if row == 5:
                books.write(funding(6, "0.02"), 0)
            if row == 7:
                books.write(refusal(row), seq)
            if row == 9:
                asked = books.write(order("b", row), seq)
                books.write(fill("e2", order_id="b", side=OrderSide.SELL, price="110", at=START + 10 * MINUTE, slippage="0.2"), asked)
            held = 3 <= row <= 9
            books.equity(
                START + (row + 1) * MINUTE, 10_000.0 + (row if held else 0) + (4.9 if row > 9 else 0), 9_950.0, 50.0 * held, 50.0 * held
            )


def test_what_the_books_hold_is_what_the_report_shows() -> None:
    books = journal(Store.open())
    traded(books)
    books.finish(
        "finished", START + DAY, json.dumps({"equity_start": "10000", "equity_end": "10004.9", "start": START, "stop": START + HOUR})
    )
    found = report_of(Reader.of(books.store), "r1")
    assert (found.run, found.mode, found.symbols, found.timeframe) == ("r1", "replay", ("BTCUSDT",), MINUTE)
    assert (found.start_ms, found.end_ms) == (START, START + HOUR)
    assert found.equity_start == 10_000 and found.equity_end == Decimal("10004.9")
    (trip,) = found.trades
    assert trip.pnl == 5 - Decimal("0.055") - Decimal("0.02") and trip.bars(MINUTE) == 7
    assert found.costs.fees == Decimal("0.055") and found.costs.funding == Decimal("0.02") and found.costs.slippage == Decimal("0.3")
    assert found.costs.traded == 105
    (symbol,) = found.by_symbol
    assert symbol.fills == 2 and symbol.pnl == trip.pnl and symbol.traded == 105
    assert dict(found.reasons) == {"weak_score": 29, "above_entry": 1} and found.refusals == (("D_COOL_DOWN", 1),)
    assert found.digest == books.digest() and found.digest in "\n".join(text(found))
    assert (
        found.curve.equity[0] == 10_000 and len(found.curve.equity) == 31 and max(found.curve.gross) == pytest.approx(50 / 10_003, rel=1e-3)
    )


def test_shares_of_the_signals_add_up_to_the_profit() -> None:
    books = journal(Store.open())
    traded(books)
    books.finish("finished", START + DAY)
    found = report_of(Reader.of(books.store))
    assert [part.name for part in found.by_signal] == ["price_momentum", "sentiment_news"]
    momentum, news = found.by_signal
    assert momentum.size == pytest.approx(0.4) and momentum.entries == 1
    assert momentum.pnl > 0 > news.pnl
    assert momentum.pnl + news.pnl == pytest.approx(float(found.trades[0].pnl), abs=1e-12)


def test_the_summary_of_a_run_is_believed() -> None:
    books = journal(Store.open())
    traded(books)
    metrics = Metrics(num_periods=99, periods_per_year=525_600.0, sharpe=1.25)
    summary = {
        "metrics": msgspec.to_builtins(metrics),
        "warnings": ["a gap"],
        "synthetic": True,
        "factors": {"f": "close"},
        "command": "sluice x",
    }
    books.finish("finished", START, json.dumps(summary))
    found = report_of(Reader.of(books.store))
    assert found.metrics == metrics and found.synthetic and found.factors == (("f", "close"),) and found.command == "sluice x"
    assert "a gap" in found.warnings


def test_a_run_without_a_summary_is_measured_from_its_books() -> None:
    books = journal(Store.open(), mode="paper")
    traded(books)
    found = report_of(Reader.of(books.store))
    assert found.state == "running" and found.metrics.num_periods == 30 and found.metrics.trades == 1
    assert found.metrics.total_return == pytest.approx(4.9 / 10_000)
    assert any("the run is running" in warning for warning in found.warnings)


def test_bars_missing_from_the_books_are_periods_too() -> None:
    books = journal(Store.open(), mode="paper")
    with books.store.transaction():
        for row in (0, 1, 40):
            books.equity(START + (row + 1) * MINUTE, 10_000.0 + row, 10_000.0, 0.0, 0.0)
    assert report_of(Reader.of(books.store)).metrics.num_periods == 41


def test_gaps_halts_and_a_short_span_are_warned_of() -> None:
    books = journal(Store.open())
    traded(books)
    with books.store.transaction():
        books.write(FeedStatus(at=START, feed="bybit", up=True, gap=3), 0)
        books.write(StateChanged(at=START + MINUTE, state=TradingState.HALTED, by="drawdown", reason="-10.2%"), 0)
    books.finish("interrupted", START)
    said = "\n".join(report_of(Reader.of(books.store)).warnings)
    for words in ("the run is interrupted", "feed bybit missed 3 bars", "HALTED by drawdown: -10.2%", "drawn from 29m of data"):
        assert words in said, words


def test_a_run_that_has_not_closed_a_bar_has_no_report(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bot.db") as store:
        journal(store)
    with pytest.raises(NotFound, match="not closed a bar yet"):
        from_store(tmp_path / "bot.db")
    with pytest.raises(NotFound, match="no store"):
        from_store(tmp_path / "other.db")


def test_a_replay_that_was_cut_off_says_so(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bot.db") as store:
        books = journal(store)
        with store.transaction():
            books.write(decision(), 0)
    with pytest.raises(NotFound, match=r"r1 was cut off before its end.*the same command again"):
        from_store(tmp_path / "bot.db")


def points(levels: list[float], step: int, begin: int = START) -> list[EquityPoint]:
    return [EquityPoint(begin + (n + 1) * step, level, level, level / 2, -level / 4) for n, level in enumerate(levels)]


def test_a_curve_begins_with_the_starting_equity_and_falls_from_its_peak() -> None:
    curve = curve_of(points([110.0, 99.0, 121.0], HOUR), 100.0, HOUR)
    assert curve.at_ms == (START, START + HOUR, START + 2 * HOUR, START + 3 * HOUR)
    assert curve.drawdown == pytest.approx((0.0, 0.0, -0.1, 0.0))
    assert curve.gross == pytest.approx((0.0, 0.5, 0.5, 0.5)) and curve.net == pytest.approx((0.0, -0.25, -0.25, -0.25))
    assert curve_of([], 100.0, HOUR).at_ms == ()
    assert curve_of(points([-5.0], HOUR), 100.0, HOUR).gross == (0.0, 0.0)


def test_days_and_months_chain_to_the_whole_return() -> None:
    levels = [100.0 * 1.001**n for n in range(1, 24 * 40 + 6)]  # 2024-01-01 .. 2024-02-10 05:00
    curve = curve_of(points(levels, HOUR), 100.0, HOUR)
    months, days = months_of(curve), days_of(curve)
    assert [(year, month) for year, month, _ in months] == [(2024, 1), (2024, 2)]
    assert months[0][2] == pytest.approx(1.001 ** (31 * 24) - 1)
    assert len(days) == 41 and days[0] == (START, pytest.approx(1.001**24 - 1)) and days[-1][1] == pytest.approx(1.001**5 - 1)
    whole = 1.0
    for _, value in days:
        whole *= 1 + value
    assert whole == pytest.approx(levels[-1] / 100)
    assert days_of(curve_of([], 1.0, HOUR)) == () and months_of(curve_of([], 1.0, HOUR)) == ()


def test_assumptions_carry_the_settings_of_the_run() -> None:
    said = dict(assumptions({"costs": {"taker_bps": "5.5", "maker_bps": "2", "spread_bps": "1", "slippage_bps": "1", "impact": "100"}}))
    assert said["Fees"] == "taker 5.5 bps, maker 2 bps of notional" and "100 bps" in said["Impact"]
    assert "not recorded" in said["Latency"]


def test_a_live_run_assumes_nothing_about_its_fills() -> None:
    assert [name for name, _ in assumptions({"costs": {"taker_bps": "5.5"}}, "live")] == ["Fills, fees, funding", "Annualised"]
