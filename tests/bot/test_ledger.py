"""The books: known sequences of fills with known amounts."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from bot.errors import InvariantBroken
from bot.events import Fill, FundingPaid, OrderSide, Purpose
from bot.ledger import Ledger, carried
from feeds.bars import Array
from feeds.times import MINUTE
from strategies.events import Side
from tests.bot.desk import random_views
from tests.builders import START, bars, candle, walk


class Books:
    """A ledger that takes fills in short."""

    def __init__(self, cash: str = "10000", symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")) -> None:
        self.ledger = Ledger(Decimal(cash), symbols)
        self.n = 0

    def fill(self, quantity: str, price: str, fee: str = "0", row: int = 0, symbol: str = "BTCUSDT") -> None:
        self.n += 1
        signed = Decimal(quantity)
        side = OrderSide.BUY if signed > 0 else OrderSide.SELL
        at = START + row * MINUTE
        self.ledger.on_fill(
            Fill(
                at, f"x{self.n}", f"o{self.n}", symbol, side, Decimal(price), abs(signed), Decimal(fee), False, at, Purpose.EXIT, Decimal(0)
            )
        )

    def pay(self, payment: str, settle_ms: int = START, symbol: str = "BTCUSDT") -> None:
        self.ledger.on_funding_paid(FundingPaid(settle_ms, symbol, settle_ms, 0.0001, Decimal(1), Decimal(100), Decimal(payment)))


def test_a_round_trip_moves_cash_by_its_profit_and_its_fees() -> None:
    books = Books()
    books.fill("2", "100", "0.11")
    books.fill("-2", "110", "0.121")
    ledger = books.ledger
    assert (ledger.cash, ledger.realised, ledger.fees) == (Decimal("10019.769"), 20, Decimal("0.231"))
    assert ledger.equity() == ledger.cash == ledger.cashflow
    assert ledger.held == []


def test_a_recorded_trade_of_the_exchange_comes_to_the_same_profit() -> None:
    books = Books()
    books.fill("0.001", "55937.5", "0.03076563")
    books.fill("-0.001", "55563", "0.03055965")
    assert books.ledger.trades[0].pnl == Decimal("-0.43582528")


def test_average_entry_price_follows_what_was_added_and_not_what_was_taken_off() -> None:
    books = Books()
    position = books.ledger.positions["BTCUSDT"]
    assert position.average is None
    books.fill("1", "100")
    books.fill("3", "120")
    assert position.average == 115
    books.fill("-2", "130")
    assert (position.average, position.realised) == (115, 30)


def test_a_short_gains_when_the_price_falls() -> None:
    books = Books()
    books.fill("-2", "100")
    books.ledger.on_candle(candle(close=90.0))
    assert books.ledger.unrealised("BTCUSDT") == 20
    assert books.ledger.equity() == 10_020
    books.fill("1", "95")
    assert books.ledger.realised == 5
    assert books.ledger.equity() == 10_015


def test_a_flip_closes_one_round_trip_and_opens_another() -> None:
    books = Books()
    books.ledger.on_candle(candle(row=0))
    books.fill("2", "100", "0.2", row=1)
    books.fill("-5", "110", "0.5", row=3)
    books.fill("3", "105", "0.3", row=4)
    one, two = books.ledger.trades
    assert (one.side, one.quantity, one.entry, one.exit, one.fees, one.pnl, one.bars) == (
        Side.LONG, 2, 100, 110, Decimal("0.4"), Decimal("19.6"), 2
    )  # fmt: skip
    assert (two.side, two.quantity, two.entry, two.exit, two.fees, two.pnl, two.bars) == (
        Side.SHORT, 3, 110, 105, Decimal("0.6"), Decimal("14.4"), 1
    )  # fmt: skip
    assert sum(trade.pnl for trade in (one, two)) == books.ledger.cash - 10_000


def test_a_round_trip_carries_the_funding_that_it_paid() -> None:
    books = Books()
    books.fill("1", "100")
    books.pay("0.25")
    books.fill("-1", "100")
    (trade,) = books.ledger.trades
    assert (trade.funding, trade.pnl) == (Decimal("0.25"), Decimal("-0.25"))
    assert books.ledger.cash == Decimal("9999.75")


def test_a_fill_and_a_funding_count_once_however_often_they_are_told() -> None:
    books = Books()
    for _ in range(3):
        books.n = 0
        books.fill("1", "100", "0.055")
        books.pay("0.1")
    assert books.ledger.positions["BTCUSDT"].quantity == 1
    assert books.ledger.cash == Decimal("9999.845")


def test_a_third_of_a_position_leaves_nothing_unaccounted_for() -> None:
    books = Books()
    books.fill("3", "100.01")
    books.fill("-1", "7.77")
    books.fill("-1", "1234.56789")
    books.fill("-1", "0.01")
    assert (
        books.ledger.cash == books.ledger.cashflow == 10_000 - Decimal("300.03") + Decimal("7.77") + Decimal("1234.56789") + Decimal("0.01")
    )
    assert books.ledger.positions["BTCUSDT"].cost == 0


def test_fills_of_a_symbol_that_is_not_traded_here_are_refused() -> None:
    with pytest.raises(InvariantBroken, match="DOGEUSDT, which is not traded here"):
        Books().fill("1", "100", symbol="DOGEUSDT")


def test_a_position_without_a_mark_yet_stands_at_its_price() -> None:
    books = Books()
    books.fill("1", "100", "1")
    assert books.ledger.equity_float() == 9_999.0


def test_equity_and_gross_of_rows_are_those_of_single_bars_to_the_bit() -> None:
    views = random_views(300, 5, 3, missing=0.1)
    books = Books(symbols=views.bars.symbols)
    other = Books(symbols=views.bars.symbols)
    for one in (books, other):
        for symbol, quantity in zip(views.bars.symbols, ("1.5", "-0.7", "12"), strict=True):
            one.fill(quantity, "99.99", "0.05", symbol=symbol)
    equity = books.ledger.equity_rows(views.bars, 0, 300)
    for row in range(300):
        for s in views.bars.present(row):
            other.ledger.on_candle(views.bars.candle(row, s))
        assert equity[row] == other.ledger.equity_float()


@pytest.mark.parametrize("cuts", [(0, 100), (0, 1, 99, 100), (0, 50, 51, 100)])
def test_rows_passed_by_leave_the_same_marks_as_rows_stopped_at(cuts: tuple[int, ...]) -> None:
    views = random_views(100, 9, 2, missing=0.4)
    passed, stopped = Books(symbols=views.bars.symbols).ledger, Books(symbols=views.bars.symbols).ledger
    for start, stop in pairwise(cuts):
        passed.skip(views.bars, start, stop)
    for row in range(100):
        for s in views.bars.present(row):
            stopped.on_candle(views.bars.candle(row, s))
    assert (passed.marks, passed.marked_ms, passed.newest_ms) == (stopped.marks, stopped.marked_ms, stopped.newest_ms)
    assert passed.timeframe == stopped.timeframe


@pytest.mark.parametrize("rows", [1, 40, 700])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("held", [1, 3])
def test_the_highest_equity_is_that_of_every_row_however_many_are_passed(rows: int, missing: float, held: int) -> None:
    views = random_views(rows, 11, 3, missing=missing)
    ledger = Books(symbols=views.bars.symbols)
    for symbol, quantity in list(zip(views.bars.symbols, ("-1.5", "0.7", "12"), strict=True))[:held]:
        ledger.fill(quantity, "99.99", "0.05", symbol=symbol)
    every = ledger.ledger.equity_rows(views.bars, 0, rows)
    ledger.ledger.skip(views.bars, 0, rows)
    assert ledger.ledger.high == every.max()


def test_the_highest_equity_of_rows_passed_by_is_kept() -> None:
    closes = walk(200)
    books = Books(symbols=("BTCUSDT",))
    books.fill("10", "100")
    books.ledger.skip(bars(closes), 0, 200)
    assert books.ledger.high == 10_000 - 1000 + 10 * closes.max()


@pytest.mark.parametrize(
    ("column", "wanted"),
    [([1.0, np.nan, 3.0, np.nan], [1.0, 1.0, 3.0, 3.0]), ([np.nan, np.nan, 2.0], [9.0, 9.0, 2.0]), ([], []), ([5.0], [5.0])],
)
def test_missing_closes_are_carried_forward(column: list[float], wanted: list[float]) -> None:
    given: Array = np.array(column)
    assert carried(given, 9.0).tolist() == wanted
