"""The simulated exchange: every row of docs/fills.md, then funding, liquidation, rejections and cancellations."""

import re
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from bot.errors import InvariantBroken
from bot.events import CancelRequest, Fill, FundingPaid, OrderRequest, OrderSide, OrderType, OrderUpdate, Purpose, Status
from bot.execution.costs import FREE, Costs
from bot.execution.matching import Touch, Working
from bot.execution.simulated import Fills, SimulatedExecutor, _Bar
from bot.ledger import Ledger
from bot.orders import OpenOrders
from feeds.bars import Bars
from feeds.events import Candle, Event, Funding
from feeds.times import HOUR, MINUTE
from tests.bot.desk import instrument
from tests.builders import START, candle

TABLE = Path(__file__).parents[3] / "docs" / "fills.md"
PLENTY = 1_000_000.0
ORDER = re.compile(
    r"(?:(?P<bar>\d+): )?(?P<side>buy|sell) (?P<quantity>[\d.]+)(?: @ (?P<price>[\d.]+))?(?: stop (?P<trigger>[\d.]+))?"
    r"(?: sl (?P<sl>[\d.]+))?(?: tp (?P<tp>[\d.]+))?(?P<reduce> reduce)?(?P<post> post)?"
)


class Case(NamedTuple):
    name: str
    setting: str
    orders: str
    bars: str
    fills: str


def cases() -> list[Case]:
    rows = [line.strip("| \n").split("|") for line in TABLE.read_text().split("## The rules at work")[1].splitlines() if "|" in line]
    return [Case(*(cell.strip() for cell in (*row, "", "")[:5])) for row in rows[2:]]


def request(text: str, n: int, at: int) -> OrderRequest:
    """An order as the table writes it."""
    found = ORDER.fullmatch(text)
    assert found is not None, text

    def number(name: str) -> Decimal | None:
        return None if found[name] is None else Decimal(found[name])

    kind = OrderType.STOP if found["trigger"] else OrderType.LIMIT if found["price"] else OrderType.MARKET
    return OrderRequest(
        at=at, id=f"o{n}", symbol="BTCUSDT", side=OrderSide.BUY if found["side"] == "buy" else OrderSide.SELL, type=kind,
        quantity=Decimal(found["quantity"]), purpose=Purpose.EXIT if found["reduce"] else Purpose.ENTRY,
        reduce_only=bool(found["reduce"]), bar_ms=at, reference=Decimal(100), price=number("price"), trigger=number("trigger"),
        post_only=bool(found["post"]), stop=number("sl"), take=number("tp"),
    )  # fmt: skip


class Market:
    """The exchange with a ledger and a book of orders beside it, fed with bars from START on."""

    def __init__(
        self, costs: Costs = FREE, fills: Fills | None = None, symbols: tuple[str, ...] = ("BTCUSDT",), cash: int = 10_000
    ) -> None:
        self.executor = SimulatedExecutor(
            {s: instrument(s) for s in symbols}, costs, fills or Fills(0, Decimal(1)), Decimal(cash), symbols
        )  # fmt: skip
        self.ledger, self.orders = Ledger(Decimal(cash), symbols), OpenOrders()
        self.log: list[Event] = []
        self.row = 0

    def hear(self, events: list[Event]) -> list[Event]:
        for event in events:
            if isinstance(event, Fill):
                self.orders.on_fill(event)
                self.ledger.on_fill(event)
            elif isinstance(event, OrderUpdate):
                self.orders.on_update(event)
            elif isinstance(event, FundingPaid):
                self.ledger.on_funding_paid(event)
        self.log += events
        assert self.ledger.cashflow == self.executor.account.flow
        return events

    def send(self, text: str) -> list[Event]:
        order = request(text, len(self.log) + 1000 * self.row, START + self.row * MINUTE)
        self.orders.on_order(order)
        return self.hear(self.executor.on_order(order))

    def bar(self, open: float, high: float, low: float, close: float, volume: float = 1000.0, symbol: str = "BTCUSDT") -> list[Event]:
        bar = candle(symbol, self.row, open=open, high=high, low=low, close=close, volume=volume)
        self.row += 1
        heard = self.hear(self.executor.on_candle(bar))
        self.ledger.on_candle(bar)
        return heard

    def hold(self, quantity: Decimal) -> None:
        """Have a position, bought at 100."""
        free, self.executor.rates = self.executor.rates, SimulatedExecutor({}, FREE, Fills(), Decimal(0)).rates
        latency, self.executor.fills = self.executor.fills, Fills(0, Decimal(1))
        self.send(f"{'buy' if quantity > 0 else 'sell'} {abs(quantity)}")
        self.bar(100, 100, 100, 100, PLENTY)
        self.executor.rates, self.executor.fills = free, latency
        assert self.ledger.positions["BTCUSDT"].quantity == quantity

    @property
    def fills(self) -> list[Fill]:
        return [event for event in self.log if isinstance(event, Fill)]

    @property
    def updates(self) -> list[tuple[str, Status]]:
        return [(event.id, event.status) for event in self.log if isinstance(event, OrderUpdate)]


def written(fill: Fill, bar: int) -> str:
    """A fill as the table writes it."""
    return f"{bar}: {fill.side.lower()} {fill.quantity.normalize():f} @ {fill.price.normalize():f}{' maker' if fill.maker else ''}"


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_table_of_fills_holds(case: Case) -> None:
    setting = dict((*part.split(), "")[:2] for part in case.setting.split(", ") if part)
    costs = Costs() if "costs" in setting else FREE
    market = Market(costs, Fills(int(setting.get("latency", 0)), Decimal(setting.get("share", "1"))))
    if "hold" in setting:
        market.hold(Decimal(setting["hold"]))
    orders = [text for text in case.orders.split(", ") if text]
    fills = []
    for number, bar in enumerate(case.bars.split(" / "), 1):
        for text in orders:
            if (int(text.split(":")[0]) if ":" in text else 1) == number:
                market.send(text)
        prices = [float(x) for x in bar.split(" v")[0].split()]
        volume = float(bar.split(" v")[1]) if " v" in bar else 1000.0
        fills += [written(event, number) for event in market.bar(*prices, volume=volume) if isinstance(event, Fill)]
    assert ", ".join(fills) == case.fills


def test_the_table_is_long_enough_to_be_one() -> None:
    assert len(cases()) >= 60
    assert len({case.name for case in cases()}) == len(cases())


def test_a_fill_says_when_it_happened() -> None:
    market = Market(fills=Fills(250, Decimal(1)))
    market.send("buy 1 sl 98")
    entry, stop = (event for event in market.bar(100, 101, 97, 99) if isinstance(event, Fill))
    assert entry.filled_ms == START + 250
    assert stop.filled_ms == START + MINUTE - 1
    assert entry.at == stop.at == START + MINUTE


def test_slippage_is_what_the_fill_lost_against_its_reference() -> None:
    market = Market()
    market.send("buy 2")
    market.bar(101, 102, 100, 101)
    market.send("sell 2 reduce")
    market.bar(99, 101, 98, 100)
    assert [fill.slippage for fill in market.fills] == [2, 2]


def test_an_order_lives_and_ends_in_the_book_as_at_the_exchange() -> None:
    market = Market()
    market.send("buy 2 sl 98 tp 103")
    market.bar(100, 101, 99, 100, 1.0)
    market.bar(100, 101, 97, 98)
    assert [status for id, status in market.updates if id == "o0"] == [Status.OPEN, Status.PARTIAL, Status.FILLED]
    assert [status for id, status in market.updates if id == "o0s"] == [Status.OPEN, Status.FILLED]
    assert [status for id, status in market.updates if id == "o0t"] == [Status.OPEN, Status.CANCELLED]
    assert market.orders.living() == ()


def test_fees_are_the_takers_and_the_makers() -> None:
    market = Market(Costs(spread_bps=Decimal(0), slippage_bps=Decimal(0), impact=Decimal(0)))
    market.send("buy 1")
    market.bar(100, 101, 99, 100)
    market.send("sell 1 @ 102")
    market.bar(100, 103, 99, 100)
    assert [fill.fee for fill in market.fills] == [Decimal("0.055"), Decimal("0.0204")]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("buy 0.0005", "no positive multiple of the lot"),
        ("buy 1 @ 99.001", "no positive multiple of the tick"),
        ("buy 1 sl 98.001", "no positive multiple of the tick"),
        ("buy 0.01", "below the least order"),
        ("sell 1 reduce", "there is no position to reduce"),
        ("buy 20000", "insufficient margin"),
    ],
)
def test_an_order_that_the_exchange_would_not_take_is_rejected_with_the_reason(order: str, reason: str) -> None:
    market = Market()
    market.bar(100, 101, 99, 100)
    (update,) = market.send(order)
    assert isinstance(update, OrderUpdate)
    assert update.status is Status.REJECTED
    assert reason in update.reason
    assert market.bar(100, 101, 99, 100) == []


def test_an_order_sent_twice_is_one_order() -> None:
    market = Market()
    order = request("buy 1", 1, START)
    market.executor.on_order(order)
    assert market.executor.on_order(order) == []
    assert len([e for e in market.executor.on_candle(candle()) if isinstance(e, Fill)]) == 1


def test_cancelling_everything_leaves_the_stops_of_a_position_at_their_posts() -> None:
    market = Market()
    market.send("buy 1 sl 98")
    market.bar(100, 101, 99, 100)
    market.send("buy 1 @ 97")
    heard = market.hear(market.executor.on_cancel(CancelRequest(START, "", "", "so said the operator")))
    assert [(e.status, e.reason) for e in heard if isinstance(e, OrderUpdate)] == [(Status.CANCELLED, "so said the operator")]
    market.bar(100, 100, 96, 97)
    assert [fill.purpose for fill in market.fills] == [Purpose.ENTRY, Purpose.STOP_LOSS]


def test_one_order_is_cancelled_by_its_id_and_an_unknown_one_is_not() -> None:
    market = Market()
    market.send("buy 1 @ 97")
    assert market.executor.on_cancel(CancelRequest(START, "BTCUSDT", "nobody", "")) == []
    assert len(market.executor.on_cancel(CancelRequest(START, "BTCUSDT", "o0", ""))) == 1
    assert market.executor.on_cancel(CancelRequest(START, "BTCUSDT", "o0", "")) == []


def funding(settle_ms: int, rate: float = 0.001, mark: float | None = None) -> Funding:
    return Funding(at=settle_ms, symbol="BTCUSDT", settle_ms=settle_ms, rate=rate, mark=mark)


@pytest.mark.parametrize(("quantity", "rate", "payment"), [("2", 0.001, "0.2"), ("-2", 0.001, "-0.2"), ("2", -0.001, "-0.2")])
def test_funding_moves_money_from_longs_to_shorts_when_the_rate_is_positive(quantity: str, rate: float, payment: str) -> None:
    market = Market()
    market.hold(Decimal(quantity))
    (paid,) = market.hear(market.executor.on_funding(funding(START + MINUTE, rate)))
    assert isinstance(paid, FundingPaid)
    assert paid.payment == Decimal(payment)
    assert market.ledger.funding == Decimal(payment)


def test_a_settlement_told_twice_is_charged_once() -> None:
    market = Market()
    market.hold(Decimal(2))
    assert len(market.hear(market.executor.on_funding(funding(START + MINUTE)))) == 1
    assert market.hear(market.executor.on_funding(funding(START + MINUTE))) == []


@pytest.mark.parametrize("quantity", ["3", "-3"])
def test_absurd_prices_and_volumes_are_absurd_amounts_and_no_exception(quantity: str) -> None:
    market = Market()
    market.hold(Decimal(quantity))
    market.send(f"{'sell' if market.ledger.quantities[0] > 0 else 'buy'} 2 reduce")
    market.bar(1e30, 1e30, 1e30, 1e30, 1e30)
    market.hear(market.executor.on_funding(funding(START + 2 * MINUTE)))
    market.bar(1e-5, 1e-5, 1e-5, 1e-5, 0.0)
    market.bar(100, 101, 99, 100)
    assert market.fills[1].price >= Decimal("1e30")


def test_funding_uses_the_mark_of_the_settlement_if_there_is_one() -> None:
    market = Market()
    market.hold(Decimal(2))
    (paid,) = market.executor.on_funding(funding(START + MINUTE, mark=200.0))
    assert isinstance(paid, FundingPaid)
    assert (paid.mark, paid.payment) == (200, Decimal("0.4"))


def test_a_position_opened_after_the_settlement_pays_nothing() -> None:
    market = Market()
    market.bar(100, 101, 99, 100)
    market.send("buy 1")
    market.bar(100, 101, 99, 100)
    assert market.executor.on_funding(funding(START + MINUTE)) == []  # told late: the position was not there


def test_a_position_closed_after_the_settlement_pays() -> None:
    market = Market()
    market.hold(Decimal(1))
    market.send("sell 1 reduce")
    market.bar(100, 101, 99, 100)
    (paid,) = market.hear(market.executor.on_funding(funding(START + MINUTE)))
    assert isinstance(paid, FundingPaid)
    assert paid.quantity == 1


def test_a_settlement_inside_a_longer_bar_waits_for_the_candle_that_covers_it() -> None:
    executor = SimulatedExecutor({"BTCUSDT": instrument()}, FREE, Fills(0, Decimal(1)), Decimal(10_000))
    executor.on_order(request("buy 1", 1, START))
    assert executor.on_funding(funding(START + 8 * HOUR)) == []
    assert executor.on_funding(funding(START + 24 * HOUR)) == []
    day = Candle(START + 24 * HOUR, "BTCUSDT", START, START + 24 * HOUR, 100.0, 120.0, 90.0, 110.0, 50.0)
    paid = [event for event in executor.on_candle(day) if isinstance(event, FundingPaid)]
    assert [(event.settle_ms - START, event.mark) for event in paid] == [(8 * HOUR, 100), (24 * HOUR, 110)]


def test_a_kept_settlement_is_a_row_to_stop_at() -> None:
    executor = SimulatedExecutor({"BTCUSDT": instrument()}, FREE, Fills(0, Decimal(1)), Decimal(10_000))
    executor.on_order(request("buy 1", 1, START))
    executor.on_candle(candle(row=0))
    executor.on_funding(funding(START + 5 * MINUTE))
    assert executor.first_touch(flat_bars(20), 1, 20) == 4


def flat_bars(rows: int, symbols: tuple[str, ...] = ("BTCUSDT",), price: float = 100.0) -> Bars:
    values = np.full((rows, 6, len(symbols)), price)
    return Bars(symbols, MINUTE, START // MINUTE, values)


@pytest.mark.parametrize(("row", "column", "price"), [(700, 2, 97.0), (3, 2, 98.0), (40, 1, 103.0)])
def test_the_first_row_that_touches_a_stop_or_target_is_found(row: int, column: int, price: float) -> None:
    market = Market()
    market.send("buy 1 sl 98 tp 103")
    market.bar(100, 100, 100, 100)
    bars = flat_bars(1000)
    assert market.executor.first_touch(bars, 1, 1000) == 1000
    bars = bars._replace(values=bars.values.copy())
    bars.values[row, column, 0] = price
    bars.values[row + 1 :, column, 0] = price
    assert market.executor.first_touch(bars, 1, 2) == 2
    assert market.executor.first_touch(bars, 2, 1000) == row
    assert market.executor.first_touch(bars, row - 1, row) == row
    assert market.executor.first_touch(bars, row, 1000) == row
    assert market.executor.first_touch(bars, row + 1, 1000) == row + 1


@pytest.mark.parametrize("row", [2, 66, 500])
@pytest.mark.parametrize("missing", [False, True])
def test_the_first_row_that_could_liquidate_is_found(row: int, missing: bool) -> None:
    market = Market(symbols=("BTCUSDT", "ETHUSDT"))
    market.executor.on_candle(candle("ETHUSDT", 0, open=100.0, high=100.0, low=100.0, close=100.0))
    market.send("buy 900")
    market.bar(100, 100, 100, 100)
    bars = flat_bars(600, ("BTCUSDT", "ETHUSDT"))
    if missing:
        bars.values[1:row, :, 0] = np.nan
    assert market.executor.first_touch(bars, 1, 600) == 600
    bars = bars._replace(values=bars.values.copy())
    bars.values[row, 2, 0] = 89.0
    assert market.executor.first_touch(bars, 1, 600) == row


def test_a_liquidation_closes_every_position_and_order() -> None:
    market = Market(symbols=("BTCUSDT", "ETHUSDT"))
    for symbol in ("BTCUSDT", "ETHUSDT"):
        order = request(f"buy {450}", 1, START)
        order = OrderRequest(**{f: getattr(order, f) for f in order.__struct_fields__} | {"symbol": symbol, "id": symbol})
        market.orders.on_order(order)
        market.hear(market.executor.on_order(order))
    for symbol in ("BTCUSDT", "ETHUSDT"):
        market.hear(market.executor.on_candle(candle(symbol, 0, open=100.0, high=100.0, low=100.0, close=100.0, volume=1e6)))
    market.row = 1
    market.send("sell 1 @ 120")
    market.bar(100, 100, 70, 75)
    taken = [fill for fill in market.fills if fill.purpose is Purpose.LIQUIDATION]
    assert {fill.symbol for fill in taken} == {"BTCUSDT", "ETHUSDT"}
    assert market.orders.living() == ()
    assert market.ledger.held == []
    assert abs(market.ledger.equity()) < 10


@pytest.mark.parametrize("price", [99.0, 120.0])
def test_a_fill_outside_its_bar_or_better_than_the_touch_ends_the_session(price: float) -> None:
    market = Market()
    bar = _Bar(candle(high=101.0, low=99.5), instrument(), Decimal(1), [], [])
    order = Working.of(request("buy 1 @ 99", 1, START), 0) if price < 100 else Working.of(request("buy 1", 1, START), 0)
    with pytest.raises(InvariantBroken, match="I25: order o1 would fill at"):
        market.executor._price(bar, order, Touch(price if price > 100 else 100.0, START, False), Decimal(1))


def test_impossible_settings_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"fills\.latency_ms is -1"):
        Fills(latency_ms=-1)
    with pytest.raises(ValueError, match=r"fills\.volume_share is 0"):
        Fills(volume_share=Decimal(0))
