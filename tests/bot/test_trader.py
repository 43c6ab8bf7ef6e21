"""Views become orders: sizes, exits, reversals, and one order at a time."""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from bot.events import CancelRequest, Command, Denial, OrderRequest, OrderSide, OrderType, Purpose, Refusal, Verb
from bot.trader import Rules
from feeds.events import Event
from tests.bot.desk import Desk, Views, random_views, view
from tests.builders import candle

NAN = float("nan")


def desk(**rules: Any) -> Desk:
    base: dict[str, Any] = {"cool_down_bars": 0, "stop_loss": None, "exit_threshold": 0.1}
    return Desk(rules=Rules(**{**base, **rules}))


def play(desk: Desk, *views: tuple[int, float] | int, close: float = 100.0) -> list[Event]:
    """Bars that stand still, with these views (side, or side and score) at their closes; the orders and refusals that followed."""
    begin = len(desk.log)
    for given in views:
        side, score = given if isinstance(given, tuple) else (given, float(given))
        row = desk.ledger.newest_ms // 60_000 - 28_401_120 if desk.ledger.newest_ms else 0
        desk.bar(candle(row=row, open=close, high=close, low=close, close=close, volume=1e6), side, score)
    return [e for e in desk.log[begin:] if isinstance(e, OrderRequest | Refusal | CancelRequest)]


def told(events: list[Event]) -> list[Any]:
    out: list[Any] = []
    for event in events:
        if isinstance(event, OrderRequest):
            out.append((event.purpose.value, "buy" if event.side is OrderSide.BUY else "sell", str(event.quantity.normalize())))
        elif isinstance(event, Refusal):
            out.append(event.code)
        elif isinstance(event, CancelRequest):
            out.append(event.reason)
    return out


def test_a_view_opens_a_position_of_its_share() -> None:
    assert told(play(desk(), 1)) == [("entry", "buy", "1E+1")]
    assert told(play(desk(share=Decimal("0.033333")), -1)) == [("entry", "sell", "3.333")]


def test_hold_does_nothing() -> None:
    assert play(desk(), 0, (0, NAN), (0, 0.9)) == []


@pytest.mark.parametrize(
    ("side", "score", "exits"),
    [
        (1, 0.2, False),
        (1, 0.1, False),
        (1, 0.09, True),
        (1, -0.5, True),
        (1, NAN, False),
        (-1, -0.2, False),
        (-1, -0.09, True),
        (-1, 0.0, True),
    ],
)
def test_a_position_ends_when_the_score_falls_back_through_the_exit_threshold(side: int, score: float, exits: bool) -> None:
    d = desk()
    play(d, side, (0, 0.5 * side))
    followed = told(play(d, (0, score)))
    assert bool(followed) is exits
    assert not exits or followed[0][:2] == ("exit", "sell" if side > 0 else "buy")


def test_the_same_view_again_does_nothing() -> None:
    assert len(play(desk(), 1, 1, 1, 1)) == 1


def test_the_opposite_view_turns_the_position_in_one_order() -> None:
    followed = told(play(desk(), 1, 1, -1, -1, 0))
    assert followed[:2] == [("entry", "buy", "1E+1"), ("flip", "sell", "2E+1")]


def test_or_closes_it_first() -> None:
    followed = told(play(desk(reversal="flat"), 1, 1, -1, -1, -1))
    assert followed == [("entry", "buy", "1E+1"), ("exit", "sell", "1E+1"), ("entry", "sell", "1E+1")]


def test_long_only_takes_short_for_an_exit_and_never_for_an_entry() -> None:
    followed = told(play(desk(long_only=True), -1, 1, 1, -1, -1, -1))
    assert followed == [("entry", "buy", "1E+1"), ("exit", "sell", "1E+1")]


def test_a_flip_that_risk_refuses_still_closes() -> None:
    d = desk()
    play(d, 1, 1)
    d.risk._ceilings.order_notional = 1.0
    assert told(play(d, -1)) == [Denial.ORDER_SIZE, ("exit", "sell", "1E+1")]


def test_volatility_sizing_holds_less_of_what_moves_more() -> None:
    d = desk(sizing="volatility", target_volatility=Decimal("0.05"), share=Decimal("0.2"))
    d.bar(candle(close=100.0), 1, volatility=0.5)
    calm = desk(sizing="volatility", target_volatility=Decimal("0.05"), share=Decimal("0.2"))
    calm.bar(candle(close=100.0), 1, volatility=0.01)
    assert told(d.of(OrderRequest)) == [("entry", "buy", "1E+1")]
    assert told(calm.of(OrderRequest)) == [("entry", "buy", "2E+1")]


def test_notional_sizing_opens_that_much_at_the_deciding_close_and_turns_to_as_much() -> None:
    d = desk(sizing="notional", notional=Decimal(730))
    play(d, 1, 1)
    d.bar(candle(row=2, close=80.0), -1)
    bought, turned = d.of(OrderRequest)
    assert isinstance(bought, OrderRequest) and isinstance(turned, OrderRequest)
    assert (bought.quantity, turned.quantity) == (Decimal("7.3"), Decimal("7.3") + Decimal("9.125"))


def test_a_notional_below_the_least_quantity_is_refused() -> None:
    d = desk(sizing="notional", notional=Decimal("0.05"))
    assert told(play(d, 1)) == [Denial.ORDER_SIZE]


@pytest.mark.parametrize("volatility", [NAN, 0.0, -1.0])
def test_volatility_sizing_without_a_volatility_is_refused(volatility: float) -> None:
    d = desk(sizing="volatility")
    d.bar(candle(), 1, volatility=volatility)
    assert told(d.of(Refusal)) == [Denial.NO_VOLATILITY]


def test_a_share_below_the_least_quantity_is_refused() -> None:
    assert told(play(desk(share=Decimal("0.000001")), 1)) == [Denial.ORDER_SIZE]


def test_an_order_is_no_larger_than_the_exchange_takes() -> None:
    d = Desk(rules=Rules(stop_loss=None), most_quantity=Decimal("2.5005"))
    assert told(play(d, 1)) == [("entry", "buy", "2.5")]


@pytest.mark.parametrize(
    ("side", "stop", "take"), [(1, Decimal("98.00"), Decimal("103.00")), (-1, Decimal("102.00"), Decimal("97.00"))]
)  # fmt: skip
def test_stop_and_target_stand_on_their_sides(side: int, stop: Decimal, take: Decimal) -> None:
    (order,) = play(desk(stop_loss=Decimal("0.02"), take_profit=Decimal("0.03")), side)
    assert isinstance(order, OrderRequest)
    assert (order.stop, order.take) == (stop, take)


def test_stops_and_targets_are_rounded_away_from_the_price() -> None:
    (order,) = play(desk(stop_loss=Decimal("0.02"), take_profit=Decimal("0.03")), 1, close=33.33)
    assert isinstance(order, OrderRequest)
    assert (order.stop, order.take) == (Decimal("32.66"), Decimal("34.33"))  # 32.6634, 34.3299


@pytest.mark.parametrize(("side", "price"), [(1, Decimal("99.90")), (-1, Decimal("100.10"))])
def test_a_limit_entry_stands_on_our_side_of_the_close(side: int, price: Decimal) -> None:
    (order,) = play(desk(order_type="limit", limit_offset_bps=Decimal(10)), side)
    assert isinstance(order, OrderRequest)
    assert (order.type, order.price) == (OrderType.LIMIT, price)


def test_a_limit_entry_is_taken_back_after_its_time() -> None:
    d = desk(order_type="limit", limit_offset_bps=Decimal(10), limit_bars=3)
    followed = told(play(d, 1, 1, 1, 1, 1))
    assert followed == [("entry", "buy", "1E+1"), "not filled within 3 bars", ("entry", "buy", "1E+1")]


def test_a_limit_entry_is_taken_back_when_the_view_turns() -> None:
    d = desk(order_type="limit", limit_offset_bps=Decimal(10), limit_bars=3)
    assert told(play(d, 1, -1, -1))[1:] == ["the view turned against it", ("entry", "sell", "1E+1")]


def test_exits_are_market_orders_even_where_entries_are_not() -> None:
    d = desk(order_type="limit", limit_offset_bps=Decimal(0))
    d.bar(candle(row=0), 1)
    d.bar(candle(row=1, low=98.0), 1)
    d.bar(candle(row=2), 0, 0.0)
    assert [(e.purpose, e.type) for e in d.of(OrderRequest) if isinstance(e, OrderRequest)] == [
        (Purpose.ENTRY, OrderType.LIMIT),
        (Purpose.EXIT, OrderType.MARKET),
    ]


def test_while_an_order_is_under_way_there_is_no_second() -> None:
    d = desk()
    d.bar(candle(row=0, volume=0.0), 1)
    d.bar(candle(row=1, volume=0.0), 1)
    d.bar(candle(row=2, volume=0.0), -1)
    assert told(d.of(OrderRequest, Refusal)) == [("entry", "buy", "1E+1"), Denial.PENDING]


def test_a_closed_position_cools_down() -> None:
    d = desk(cool_down_bars=2)
    play(d, 1, 1, (0, 0.0))
    assert told(play(d, 1, 1, 1)) == [Denial.COOL_DOWN, ("entry", "buy", "1E+1")], "it is said once for each direction"


def test_a_flip_needs_no_cooling() -> None:
    assert told(play(desk(cool_down_bars=5), 1, 1, -1))[-1] == ("flip", "sell", "2E+1")


def test_a_stopped_position_cools_down_too() -> None:
    d = desk(cool_down_bars=1, stop_loss=Decimal("0.01"))
    d.bar(candle(row=0), 1)
    d.bar(candle(row=1, low=98.0, close=99.0, volume=100.0), 1)
    d.bar(candle(row=2, open=99.0, low=98.9, high=99.1, close=99.0), 1)
    assert told(d.of(OrderRequest, Refusal)) == [("entry", "buy", "1E+1"), Denial.COOL_DOWN, ("entry", "buy", "10.09")]


def test_a_position_ends_when_its_time_is_up() -> None:
    followed = told(play(desk(max_bars=3), 1, 1, 1, 1, 1))
    assert followed == [("entry", "buy", "1E+1"), ("exit", "sell", "1E+1"), ("entry", "buy", "1E+1")]


def test_nothing_is_traded_at_a_missing_bar_and_the_time_is_up_at_the_next() -> None:
    d = desk(max_bars=2)
    play(d, 1, 1)
    d.settle(msgspec.structs.replace(view(candle(row=2), 0, NAN), price=NAN))
    assert len(d.of(OrderRequest)) == 1
    d.bar(candle(row=3), 0, NAN)
    assert told(d.of(OrderRequest))[1:] == [("exit", "sell", "1E+1")]


def test_a_state_that_forbids_is_told_once_for_each_wish() -> None:
    d = desk()
    play(d, 0)
    d.settle(Command(d.ledger.newest_ms, 1, Verb.REDUCE, "careful"))
    assert told(play(d, 1, 1, 0, 1, -1, -1)) == [Denial.REDUCING, Denial.REDUCING]
    d.settle(Command(d.ledger.newest_ms, 2, Verb.HALT, "stop"))
    assert told(play(d, 1, 1)) == [Denial.HALTED]
    d.settle(Command(d.ledger.newest_ms, 3, Verb.RESUME, "go"))
    assert told(play(d, 1)) == [("entry", "buy", "1E+1")]


def test_a_reversal_while_reducing_only_closes() -> None:
    d = desk()
    play(d, 1, 1)
    d.settle(Command(d.ledger.newest_ms, 1, Verb.REDUCE, "careful"))
    assert told(play(d, -1, -1)) == [("exit", "sell", "1E+1"), Denial.REDUCING]


def test_orders_carry_the_bar_and_the_price_that_they_follow_from() -> None:
    (order,) = play(desk(), 1, close=99.5)
    assert isinstance(order, OrderRequest)
    assert (order.reference, order.at, order.bar_ms) == (Decimal("99.5"), order.bar_ms, candle().close_ms)


@pytest.mark.parametrize("held", [0, 1, -1])
@pytest.mark.parametrize("rules", [{}, {"long_only": True}, {"reversal": "flat"}, {"max_bars": 30}, {"exit_threshold": 0.0}])
@pytest.mark.parametrize("seed", range(4))
def test_the_first_row_that_acts_is_the_one_that_bar_by_bar_finds(held: int, rules: dict[str, Any], seed: int) -> None:
    views = quiet_views(700, seed, held)
    one, other = started(views, held, rules), started(views, held, rules)
    assert one.ledger.revision == other.ledger.revision
    found = one.trader.first_action(views, 3, 700)
    row = 3
    while row < 700:
        begin = len(other.log)
        other.row(views, row)
        if any(isinstance(e, OrderRequest | Refusal | CancelRequest) for e in other.log[begin:]):
            break
        row += 1
    assert found == row
    assert one.trader.first_action(views, 3, found) == found


def quiet_views(rows: int, seed: int, held: int) -> Views:
    """Views that rarely lead to anything."""
    draw = np.random.default_rng(seed)
    views = random_views(rows, seed, 1, missing=0.0, scale=0.0001)
    side = np.where(draw.random((rows, 1)) < 0.003, draw.choice([-1, 1], (rows, 1)), 0).astype(np.int8)
    score = np.where(draw.random((rows, 1)) < 0.003, 0.05, 0.2) * (held or 1)
    score = np.where(draw.random((rows, 1)) < 0.1, np.nan, score)
    side[:3], score[:3] = 0, 0.2 * (held or 1)
    side[0] = held
    return Views(views.bars, side, score)


def started(views: Views, held: int, rules: dict[str, Any]) -> Desk:
    given: dict[str, Any] = {"cool_down_bars": 0, "stop_loss": None, **rules}
    out = Desk(views.bars.symbols, rules=Rules(**given))
    for row in range(3):
        out.row(views, row)
    return out


@pytest.mark.parametrize(
    ("name", "value"), [("share", Decimal(0)), ("limit_bars", 0), ("stop_loss", Decimal(1)), ("take_profit", Decimal(-1)), ("max_bars", 0)]
)  # fmt: skip
def test_impossible_rules_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"trading\.{name} is "):
        Rules(**{name: value})
