"""Each limit refuses with its code, exits pass, and the state moves only by the rules."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from bot.checks import NAMES
from bot.events import (
    CancelRequest,
    Command,
    Denial,
    Fill,
    OrderRequest,
    OrderSide,
    OrderType,
    Purpose,
    Refusal,
    StateChanged,
    TradingState,
    Verb,
)
from bot.risk import Draft, Limits, Risk
from feeds.events import Candle, Tick
from feeds.times import DAY, HOUR, MINUTE
from strategies.events import BarClosed
from tests.bot.desk import WIDE, Desk, random_views
from tests.builders import START, bars, candle

NOW = START + MINUTE


def draft(**given: Any) -> Draft:
    """A buy of one at 100 that nothing speaks against."""
    base = {
        "at": NOW, "symbol": "BTCUSDT", "side": OrderSide.BUY, "type": OrderType.MARKET, "quantity": Decimal(1), "purpose": Purpose.ENTRY,
        "reduce_only": False, "bar_ms": NOW, "reference": Decimal(100), "leg": "entry",
    }  # fmt: skip
    return Draft(**{**base, **{name: Decimal(value) if name in ("quantity", "price") else value for name, value in given.items()}})


def desk_with(
    limits: Limits, held: str = "0", price: float = 100.0, symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT"), **given: Any
) -> Desk:
    """A desk that has seen one bar of each symbol and holds so much of BTCUSDT."""
    desk = Desk(symbols, limits=limits, **given)
    for symbol in symbols:
        desk.settle(candle(symbol, 0, close=price))
    if Decimal(held):
        hold(desk, held)
    return desk


def hold(desk: Desk, quantity: str, price: str = "100", exec_id: str = "held", symbol: str = "BTCUSDT") -> None:
    signed = Decimal(quantity)
    side = OrderSide.BUY if signed > 0 else OrderSide.SELL
    desk.ledger.on_fill(
        Fill(NOW, exec_id, "o", symbol, side, Decimal(price), abs(signed), Decimal(0), False, NOW - 1, Purpose.ENTRY, Decimal(0))
    )


def code(answer: OrderRequest | Refusal) -> Denial | None:
    return answer.code if isinstance(answer, Refusal) else None


def test_an_order_within_every_limit_is_approved_and_its_checks_are_told() -> None:
    desk = desk_with(Limits())
    answer = desk.risk.approve(draft())
    assert isinstance(answer, OrderRequest)
    assert answer.id.startswith("v1-")
    assert (desk.risk.passed, desk.risk.denied, len(NAMES)) == (NAMES, "", 14)
    assert [order.id for order in desk.orders.living()] == [answer.id]


@pytest.mark.parametrize(
    ("limits", "given", "wanted", "check"),
    [
        ({"max_order_notional": Decimal("99.99")}, {}, Denial.ORDER_SIZE, "order"),
        ({"max_order_share": Decimal("0.0099")}, {}, Denial.ORDER_SIZE, "order"),
        ({}, {"quantity": "0.04"}, Denial.ORDER_SIZE, "least_order"),
        ({}, {"quantity": "1.0005"}, Denial.ORDER_SIZE, "least_order"),
        ({}, {"quantity": "0"}, Denial.ORDER_SIZE, "least_order"),
        ({"max_position_share": Decimal("0.0099")}, {}, Denial.POSITION, "position"),
        ({"max_gross": Decimal("0.0099")}, {}, Denial.GROSS, "gross"),
        ({"max_leverage": Decimal("0.0099")}, {}, Denial.LEVERAGE, "leverage"),
        ({"max_order_share": Decimal(10**6), "max_order_notional": Decimal(10**9), "max_position_share": Decimal(10**6),
          "max_gross": Decimal(10**6), "max_leverage": Decimal(10**6)}, {"quantity": "10001"}, Denial.MARGIN, "margin"),
        ({}, {"type": OrderType.LIMIT, "price": "101.01"}, Denial.COLLAR, "collar"),
        ({}, {"type": OrderType.LIMIT, "price": "98.99"}, Denial.COLLAR, "collar"),
        ({}, {"reference": Decimal("102")}, Denial.COLLAR, "collar"),
        ({}, {"at": NOW + 3 * MINUTE + 1}, Denial.STALE, "data_age"),
        ({}, {"bar_ms": NOW - 3 * MINUTE - 1}, Denial.STALE, "data_age"),
        ({}, {"symbol": "DOGEUSDT"}, Denial.NO_PRICE, "universe"),
        ({}, {"reference": Decimal(0)}, Denial.NO_PRICE, "price"),
    ],
)  # fmt: skip
def test_each_limit_refuses_with_its_code(limits: dict[str, Any], given: dict[str, Any], wanted: Denial, check: str) -> None:
    desk = desk_with(Limits(**limits))
    answer = desk.risk.approve(draft(**given))
    assert code(answer) is wanted
    assert desk.risk.denied == check
    assert desk.orders.living() == ()


@pytest.mark.parametrize(
    ("limits", "given"),
    [
        ({"max_order_notional": Decimal(100)}, {}),
        ({"max_position_share": Decimal("0.01")}, {}),
        ({}, {"type": OrderType.LIMIT, "price": "101"}),
        ({}, {"type": OrderType.LIMIT, "price": "99"}),
        ({}, {"at": NOW + 3 * MINUTE}),
    ],
)
def test_a_figure_exactly_at_its_limit_passes(limits: dict[str, Any], given: dict[str, Any]) -> None:
    assert code(desk_with(Limits(**limits)).risk.approve(draft(**given))) is None


def test_a_symbol_without_a_price_is_refused() -> None:
    desk = Desk(limits=Limits())
    assert code(desk.risk.approve(draft())) is Denial.NO_PRICE


def test_orders_that_wait_count_as_if_they_had_filled() -> None:
    desk = desk_with(Limits(max_position_share=Decimal("0.02"), max_gross=Decimal("0.03")))
    assert code(desk.risk.approve(draft())) is None
    assert code(desk.risk.approve(draft(leg="more"))) is None
    assert code(desk.risk.approve(draft(leg="and more"))) is Denial.POSITION
    assert code(desk.risk.approve(draft(symbol="ETHUSDT"))) is None
    assert code(desk.risk.approve(draft(symbol="ETHUSDT", leg="more"))) is Denial.GROSS


def test_positions_of_other_symbols_count_in_gross() -> None:
    desk = desk_with(Limits(max_gross=Decimal("0.05"), max_position_share=Decimal(1)), held="-4")
    assert code(desk.risk.approve(draft(symbol="ETHUSDT", quantity="2"))) is Denial.GROSS
    assert code(desk.risk.approve(draft(symbol="ETHUSDT", quantity="1"))) is None


def test_only_what_a_flip_opens_counts_as_its_size() -> None:
    desk = desk_with(Limits(max_order_notional=Decimal(500), max_position_share=Decimal("0.05")), held="-5")
    assert code(desk.risk.approve(draft(quantity="10", purpose=Purpose.FLIP))) is None
    desk = desk_with(Limits(max_order_notional=Decimal(500), max_position_share=Decimal("0.05")), held="-5")
    assert code(desk.risk.approve(draft(quantity="10.1", purpose=Purpose.FLIP))) is Denial.ORDER_SIZE


def test_exits_pass_every_limit_on_size_and_rate() -> None:
    tight = Limits(
        max_order_notional=Decimal(1), max_position_share=Decimal("0.0001"), max_gross=Decimal("0.0001"), max_leverage=Decimal("0.0001"),
        orders_per_minute=1, orders_per_day=1, round_trips_per_hour=1, max_data_age=1,
    )  # fmt: skip
    desk = desk_with(tight, held="50")
    for n in range(3):
        exit_ = draft(
            side=OrderSide.SELL, quantity="50", reduce_only=True, purpose=Purpose.EXIT, leg=f"exit{n}", at=NOW + DAY, bar_ms=NOW + DAY
        )
        assert code(desk.risk.approve(exit_)) is None


def test_one_leg_of_one_bar_is_ordered_once() -> None:
    desk = desk_with(Limits())
    assert code(desk.risk.approve(draft())) is None
    assert code(desk.risk.approve(draft())) is Denial.DUPLICATE
    assert code(desk.risk.approve(draft(leg="exit"))) is None
    assert code(desk.risk.approve(draft(bar_ms=NOW - MINUTE))) is Denial.DUPLICATE  # a bar that is over


def test_orders_per_minute_and_day_count_in_event_time() -> None:
    desk = desk_with(Limits(orders_per_minute=2, orders_per_day=3, max_data_age=DAY, max_position_share=Decimal(1)))
    for n in range(2):
        assert code(desk.risk.approve(draft(leg=str(n)))) is None
    assert code(desk.risk.approve(draft(leg="2"))) is Denial.RATE
    assert desk.risk.denied == "orders_per_minute"
    assert code(desk.risk.approve(draft(leg="3", at=NOW + MINUTE))) is None
    assert code(desk.risk.approve(draft(leg="4", at=NOW + HOUR))) is Denial.RATE
    assert desk.risk.denied == "orders_per_day"


def test_a_new_day_begins_its_count_anew() -> None:
    desk = desk_with(Limits(orders_per_day=1, max_data_age=2 * DAY, max_position_share=Decimal(1)))
    assert code(desk.risk.approve(draft())) is None
    assert code(desk.risk.approve(draft(at=START + DAY, leg="x"))) is None


def test_repeated_round_trips_of_a_symbol_are_stopped_for_an_hour() -> None:
    desk = desk_with(Limits(round_trips_per_hour=2, max_data_age=DAY))
    for n in range(2):
        hold(desk, "1", exec_id=f"in{n}")
        hold(desk, "-1", exec_id=f"out{n}")
    assert code(desk.risk.approve(draft())) is Denial.RATE
    assert desk.risk.denied == "round_trips"
    assert code(desk.risk.approve(draft(symbol="ETHUSDT"))) is None
    assert code(desk.risk.approve(draft(at=NOW + HOUR))) is None


def close(desk: Desk, price: float, row: int = 1) -> list[Any]:
    """A bar close at this price; what followed from it."""
    begin = len(desk.log)
    bar = candle(row=row, open=price, high=price, low=price, close=price, volume=1e6)
    desk.settle(bar, BarClosed(bar.at, bar.close_ms))
    return desk.log[begin:]


def test_the_loss_of_a_day_leaves_only_exits_until_the_next_day() -> None:
    desk = desk_with(Limits(daily_loss=Decimal("0.03")), held="50")
    desk.executor.account.trade("BTCUSDT", Decimal(50), Decimal(100), Decimal(0), START)
    close(desk, 100, 1)
    assert close(desk, 94.1, 2)[2:] == []
    followed = close(desk, 94, 3)
    assert [(e.state, e.by) for e in followed if isinstance(e, StateChanged)] == [(TradingState.REDUCING, "daily_loss")]
    assert code(desk.risk.approve(draft(at=START + 4 * MINUTE, bar_ms=START + 4 * MINUTE, reference=Decimal(94)))) is Denial.REDUCING
    exit_ = draft(side=OrderSide.SELL, reduce_only=True, purpose=Purpose.EXIT, reference=Decimal(94), leg="exit")
    assert code(desk.risk.approve(exit_)) is None
    close(desk, 94, 24 * 60 - 2)
    assert desk.risk.state is TradingState.REDUCING
    close(desk, 94, 24 * 60 - 1)  # closes at 00:00
    assert desk.risk.state is TradingState.ACTIVE


def test_a_daily_bar_is_held_against_the_day_before() -> None:
    desk = Desk(limits=Limits(daily_loss=Decimal("0.03"), max_drawdown=Decimal(1)))
    states = []
    hold(desk, "50")
    for day, price in enumerate([100.0, 94.0, 94.0, 93.0]):
        at = START + (day + 1) * DAY
        desk.settle(Candle(at, "BTCUSDT", at - DAY, at, price, price, price, price, 1.0), BarClosed(at, at))
        states.append(desk.risk.state)
    assert states == [TradingState.ACTIVE, TradingState.REDUCING, TradingState.ACTIVE, TradingState.ACTIVE]


def test_a_drawdown_halts_takes_back_orders_and_closes_every_position() -> None:
    desk = Desk(limits=Limits(max_drawdown=Decimal("0.1"), daily_loss=Decimal(1), max_position_share=Decimal(2), max_gross=Decimal(2)))
    close(desk, 100, 0)
    desk.settle(desk.risk.approve(draft(quantity="50")))
    close(desk, 100, 1)
    close(desk, 110, 2)
    desk.settle(desk.risk.approve(draft(at=START + 3 * MINUTE, bar_ms=START + 3 * MINUTE, type=OrderType.LIMIT, price="110",
                                        reference=Decimal(110), post_only=False)))  # fmt: skip
    followed = close(desk, 88, 3)
    assert [e.reason for e in followed if isinstance(e, StateChanged)] == ["equity 9400.00 is 10.48% below its peak of 10500.00"]
    assert [(e.symbol, e.id) for e in followed if isinstance(e, CancelRequest)] == [("", "")]
    orders = [e for e in followed if isinstance(e, OrderRequest)]
    assert [(e.purpose, e.side, e.quantity, e.reduce_only) for e in orders] == [(Purpose.FLATTEN, OrderSide.SELL, 51, True)]
    close(desk, 88, 4)
    assert desk.ledger.held == []
    assert code(desk.risk.approve(draft(at=START + 5 * MINUTE, bar_ms=START + 5 * MINUTE, reference=Decimal(88)))) is Denial.HALTED


def test_halted_refuses_exits_too_but_not_the_flattening() -> None:
    desk = desk_with(WIDE, held="5")
    desk.settle(Command(NOW, 1, Verb.HALT, "drill"))
    exit_ = draft(side=OrderSide.SELL, reduce_only=True, purpose=Purpose.EXIT, leg="exit")
    assert code(desk.risk.approve(exit_)) is Denial.HALTED
    desk.settle(Command(NOW, 2, Verb.HALT, "out", flatten=True))
    assert [e.purpose for e in desk.of(OrderRequest) if isinstance(e, OrderRequest)] == [Purpose.FLATTEN]


def test_resuming_after_a_drawdown_counts_from_the_present_equity_and_says_so() -> None:
    desk = desk_with(Limits(max_drawdown=Decimal("0.1"), daily_loss=Decimal("0.05"), drawdown_flattens=False), held="50")
    close(desk, 100, 1)
    close(desk, 79, 2)
    assert desk.risk.state is TradingState.HALTED
    desk.settle(Command(NOW, 1, Verb.RESUME, "understood"))
    (said,) = [e.reason for e in desk.of(StateChanged) if isinstance(e, StateChanged)][-1:]
    assert said == (
        "understood; the drawdown counts from 8950.00 on, no longer from 10000.00; "
        "the day's loss counts from 8950.00 on, no longer from 10000.00"
    )
    close(desk, 79, 3)
    assert desk.risk.state is TradingState.ACTIVE


def test_an_account_with_nothing_left_stays_halted() -> None:
    desk = desk_with(Limits(), held="100")
    close(desk, 100, 1)
    close(desk, 0.0, 2)  # 10,000 bought 100 at 100
    assert desk.ledger.equity_float() == 0.0
    for n in range(2):
        desk.settle(Command(NOW, n, Verb.RESUME, "again"))
        close(desk, 0.0, 3 + n)
        assert desk.risk.state is TradingState.HALTED


def test_resuming_after_a_halt_by_hand_keeps_the_peak() -> None:
    desk = desk_with(Limits(), held="10")
    close(desk, 100, 1)
    close(desk, 95, 2)
    desk.settle(Command(NOW, 1, Verb.HALT, "lunch"), Command(NOW, 2, Verb.RESUME, "back"))
    assert (desk.risk.state, desk.risk.reason, desk.risk.peak) == (TradingState.ACTIVE, "back", 10_000.0)


def test_a_command_is_obeyed_once() -> None:
    desk = desk_with(WIDE)
    for _ in range(2):
        desk.settle(Command(NOW, 7, Verb.HALT, "x"))
    assert len(desk.of(StateChanged)) == 1


def test_stop_is_no_matter_of_risk() -> None:
    desk = desk_with(WIDE)
    desk.settle(Command(NOW, 1, Verb.STOP, ""))
    assert desk.risk.state is TradingState.ACTIVE


def test_reduce_takes_back_entries_and_leaves_exits() -> None:
    desk = desk_with(WIDE, held="5")
    desk.executor.account.trade("BTCUSDT", Decimal(5), Decimal(100), Decimal(0), START)
    entry = desk.risk.approve(draft(type=OrderType.LIMIT, price="90"))
    exit_ = desk.risk.approve(
        draft(side=OrderSide.SELL, type=OrderType.LIMIT, price="110", reduce_only=True, purpose=Purpose.EXIT, leg="exit")
    )
    desk.settle(entry, exit_, Command(NOW, 1, Verb.REDUCE, "careful"))
    assert isinstance(entry, OrderRequest)
    assert [e.id for e in desk.of(CancelRequest) if isinstance(e, CancelRequest)] == [entry.id]
    assert [order.purpose for order in desk.orders.living()] == [Purpose.EXIT]


def test_a_halt_leaves_waiting_orders_alone_unless_told() -> None:
    desk = desk_with(WIDE)
    desk.settle(desk.risk.approve(draft(type=OrderType.LIMIT, price="90")), Command(NOW, 1, Verb.HALT, "look"))
    assert len(desk.orders.living()) == 1
    desk.settle(Command(NOW, 2, Verb.HALT, "cancel", cancel=True))
    assert desk.orders.living() == ()


def test_bars_that_stop_coming_reduce_and_the_next_one_resumes() -> None:
    desk = desk_with(Limits(max_data_age=2 * MINUTE))
    desk.settle(Tick(NOW + 3 * MINUTE))
    assert desk.risk.state is TradingState.ACTIVE
    desk.settle(Tick(NOW + 3 * MINUTE + 1))
    assert (desk.risk.state, desk.risk.by) == (TradingState.REDUCING, "max_data_age")
    close(desk, 100, 5)
    assert desk.risk.state is TradingState.ACTIVE


def test_a_state_is_taken_over_from_the_journal() -> None:
    desk = desk_with(WIDE)
    desk.risk.on_state_changed(StateChanged(NOW, TradingState.HALTED, "max_drawdown", "as it was"))
    answer = desk.risk.approve(draft())
    assert isinstance(answer, Refusal)
    assert answer.detail == "trading is HALTED, by max_drawdown: as it was"


def test_equity_that_is_not_known_halts() -> None:
    desk = desk_with(Limits(), held="5")
    close(desk, 100, 1)
    desk.ledger.marks[0] = float("nan")
    desk.settle(BarClosed(NOW, NOW))
    assert desk.risk.state is TradingState.HALTED


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("limit", [{"max_drawdown": Decimal("0.03")}, {"daily_loss": Decimal("0.02")}, {}])
def test_the_first_row_that_trips_a_limit_is_the_one_that_bar_by_bar_finds(seed: int, limit: dict[str, Any]) -> None:
    views = random_views(900, seed, 2, missing=0.1, scale=0.004, loud=0.0)
    views.score[:] = np.nan
    limits = Limits(**{"max_drawdown": Decimal(1), "daily_loss": Decimal(1)} | limit)

    def desk() -> Desk:
        out = Desk(views.bars.symbols, limits=limits)
        out.row(views, 0)
        out.row(views, 1)
        hold(out, "60", str(out.ledger.marks[0]), symbol="S0USDT")
        hold(out, "-25", "100", "two", symbol="S1USDT")
        out.ledger.skip(views.bars, 2, 40)  # a peak among rows that were passed by
        return out

    one, other = desk(), desk()
    found = one.risk.first_trip(views.bars, 40, 900)
    for row in range(40, 900):
        other.row(views, row)
        if other.risk.state is not TradingState.ACTIVE:
            break
    else:
        row = 900
    assert found == row
    assert one.risk.first_trip(views.bars, 40, min(900, found)) == min(900, found)


def test_the_first_row_of_a_new_day_is_stopped_at() -> None:
    desk = desk_with(Limits())
    series = bars(np.full(3000, 100.0), ("BTCUSDT", "ETHUSDT")[:1])
    assert desk.risk.first_trip(series, 5, 3000) == 5  # the first close of all
    close(desk, 100, 0)
    assert desk.risk.first_trip(series, 5, 3000) == 1439
    assert desk.risk.first_trip(series, 5, 1000) == 1000


@pytest.mark.parametrize("name", ["max_gross", "collar", "orders_per_day", "max_data_age", "daily_loss"])
def test_impossible_limits_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=rf"risk\.{name} is 0"):
        Limits(**{name: 0})
    with pytest.raises(ValueError, match=r"risk\.max_drawdown is 1\.5"):
        Limits(max_drawdown=Decimal("1.5"))


def test_the_same_run_gives_the_same_ids_and_another_run_others() -> None:
    desk = desk_with(WIDE)
    ids = []
    for run in ("a", "a", "b"):
        desk.orders.__init__()  # type: ignore[misc]
        answer = Risk(WIDE, desk.ledger, desk.orders, desk.instruments, run=run).approve(draft())
        assert isinstance(answer, OrderRequest)
        ids.append(answer.id)
    assert ids[0] == ids[1] != ids[2]
