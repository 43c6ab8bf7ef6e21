"""Laws of money: whatever the fills and the bars, the books balance, limits hold, and no row that matters is passed by."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import InvariantBroken
from bot.events import Fill, FundingPaid, OrderRequest, OrderSide, Purpose, StateChanged
from bot.execution.costs import Costs
from bot.execution.simulated import Fills
from bot.ledger import Ledger
from bot.risk import Limits
from bot.trader import Rules
from feeds.bars import CLOSE
from feeds.events import Event, Funding
from tests.bot.desk import WIDE, Desk, random_views

SYMBOLS = ("S0USDT", "S1USDT", "S2USDT")
QUICK = settings(max_examples=60, deadline=None, derandomize=True)

amounts = st.integers(1, 5_000).map(lambda n: Decimal(n) / 1000)
prices = st.integers(1, 10_000_000).map(lambda n: Decimal(n) / 100)


@st.composite
def fills(draw: st.DrawFn, symbols: tuple[str, ...] = SYMBOLS) -> list[Event]:
    """Any sequence of fills and funding payments."""
    out: list[Event] = []
    for n in range(draw(st.integers(0, 40))):
        symbol = draw(st.sampled_from(symbols))
        if draw(st.integers(0, 5)) == 0:
            payment = Decimal(draw(st.integers(-10_000, 10_000))) / 10_000
            out.append(FundingPaid(n, symbol, n * 1000, 0.0001, Decimal(1), Decimal(100), payment))
            continue
        side = draw(st.sampled_from(OrderSide))
        price, quantity = draw(prices), draw(amounts)
        fee = (price * quantity * Decimal("0.00055")).quantize(Decimal("1e-8"))
        out.append(
            Fill(
                at=n, exec_id=f"x{n}", order_id=f"o{n}", symbol=symbol, side=side, price=price, quantity=quantity, fee=fee, maker=False,
                filled_ms=n, purpose=Purpose.ENTRY, slippage=Decimal(0),
            )
        )  # fmt: skip
    return out


def book(events: list[Event]) -> Ledger:
    ledger = Ledger(Decimal(10_000), SYMBOLS)
    for event in events:
        if isinstance(event, Fill):
            ledger.on_fill(event)
        elif isinstance(event, FundingPaid):
            ledger.on_funding_paid(event)
    return ledger


@QUICK
@given(events=fills())
def test_cash_and_positions_account_for_every_fill(events: list[Event]) -> None:
    ledger = book(events)
    mine = [event for event in events if isinstance(event, Fill)]
    signed = {s: [(f.quantity if f.side is OrderSide.BUY else -f.quantity, f.price) for f in mine if f.symbol == s] for s in SYMBOLS}
    for symbol in SYMBOLS:
        assert ledger.positions[symbol].quantity == sum(q for q, _ in signed[symbol])
    fees = sum((f.fee for f in mine), Decimal(0))
    funding = sum((e.payment for e in events if isinstance(e, FundingPaid)), Decimal(0))
    assert (ledger.fees, ledger.funding) == (fees, funding)
    spent = sum((q * p for pairs in signed.values() for q, p in pairs), Decimal(0))
    assert ledger.cashflow == Decimal(10_000) - spent - fees - funding
    assert ledger.cash == Decimal(10_000) - fees - funding + ledger.realised


@QUICK
@given(events=fills())
def test_equity_by_profit_equals_equity_by_cash_flow(events: list[Event]) -> None:
    ledger = book(events)
    by_profit = ledger.cash + sum((ledger.unrealised(symbol) for symbol in SYMBOLS), Decimal(0))
    assert abs(by_profit - ledger.equity()) <= Decimal("1e-9") * max(Decimal(1), abs(ledger.equity()))
    assert ledger.equity_float() == pytest.approx(float(ledger.equity()), rel=1e-9, abs=1e-6)


@QUICK
@given(events=fills())
def test_round_trips_and_open_positions_account_for_all_profit(events: list[Event]) -> None:
    ledger = book(events)
    closed = sum((trade.pnl for trade in ledger.trades), Decimal(0))
    flat = all(not position.quantity for position in ledger.positions.values())
    paid = {(e.symbol, e.settle_ms) for e in events if isinstance(e, FundingPaid)}
    if flat and not paid:
        assert abs(closed - (ledger.cash - ledger.initial)) < Decimal("1e-6")
    for trade in ledger.trades:
        assert trade.exit_ms >= trade.entry_ms
        assert trade.quantity > 0


@QUICK
@given(data=st.data(), events=fills())
def test_any_order_and_any_repetition_of_fills_gives_the_same_books(data: st.DataObject, events: list[Event]) -> None:
    told = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=10)) if events else events))
    one, other = book(events), book(told)
    assert {s: p.quantity for s, p in one.positions.items()} == {s: p.quantity for s, p in other.positions.items()}
    assert (one.cashflow, one.fees, one.funding) == (other.cashflow, other.fees, other.funding)
    assert one.held == other.held


def test_a_position_that_its_trades_do_not_explain_ends_the_session() -> None:
    ledger = book([])
    ledger.positions["S0USDT"].quantity = Decimal(1)
    fill = Fill(0, "x", "o", "S0USDT", OrderSide.BUY, Decimal(100), Decimal(1), Decimal(0), False, 0, Purpose.ENTRY, Decimal(0))
    with pytest.raises(InvariantBroken, match=r"I1: S0USDT after x: position 2, bought less sold 1"):
        ledger.on_fill(fill)


def test_cash_that_profit_does_not_explain_ends_the_session() -> None:
    ledger = book([])
    ledger.cash += Decimal("0.01")
    fill = Fill(0, "x", "o", "S0USDT", OrderSide.BUY, Decimal(100), Decimal(1), Decimal(0), False, 0, Purpose.ENTRY, Decimal(0))
    with pytest.raises(InvariantBroken, match=r"I2: account after x: cash less cost of positions 9900\.01, cash flow 9900"):
        ledger.on_fill(fill)


rules = st.builds(
    Rules,
    sizing=st.sampled_from(["fixed", "volatility", "notional"]),
    share=st.sampled_from([Decimal("0.05"), Decimal("0.2"), Decimal("1.5"), Decimal(30)]),
    exit_threshold=st.sampled_from([0.0, 0.1, 0.3]),
    reversal=st.sampled_from(["flip", "flat"]),
    long_only=st.booleans(),
    order_type=st.sampled_from(["market", "limit"]),
    limit_offset_bps=st.sampled_from([Decimal(0), Decimal(20)]),
    limit_bars=st.integers(1, 4),
    post_only=st.booleans(),
    stop_loss=st.sampled_from([None, Decimal("0.002"), Decimal("0.01")]),
    take_profit=st.sampled_from([None, Decimal("0.002"), Decimal("0.01")]),
    cool_down_bars=st.integers(0, 5),
    max_bars=st.sampled_from([None, 1, 7]),
)
limits = st.builds(
    Limits,
    max_order_notional=st.sampled_from([Decimal(1500), Decimal("1e9")]),
    max_position_share=st.sampled_from([Decimal("0.2"), Decimal(100)]),
    max_gross=st.sampled_from([Decimal("0.4"), Decimal(100)]),
    max_leverage=st.just(Decimal(100)),
    daily_loss=st.sampled_from([Decimal("0.003"), Decimal("0.03"), Decimal(1)]),
    max_drawdown=st.sampled_from([Decimal("0.01"), Decimal("0.1"), Decimal(1)]),
    drawdown_flattens=st.booleans(),
    orders_per_minute=st.sampled_from([1, 60]),
    orders_per_day=st.sampled_from([5, 10_000]),
    round_trips_per_hour=st.sampled_from([2, 1000]),
)
executions = st.builds(
    Fills,
    latency_ms=st.sampled_from([0, 250, 59_999, 90_000]),
    volume_share=st.sampled_from([Decimal("0.01"), Decimal("0.1"), Decimal(1)]),
)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000), symbols=st.integers(1, 3), rules=rules, limits=limits, fills=executions,
    loud=st.sampled_from([0.5, 0.7, 0.9]), scale=st.sampled_from([0.001, 0.01]), timeframe=st.sampled_from([60_000, 3_600_000]),
)  # fmt: skip
def test_stopping_at_every_bar_changes_nothing(
    seed: int, symbols: int, rules: Rules, limits: Limits, fills: Fills, loud: float, scale: float, timeframe: int
) -> None:
    views = random_views(180, seed, symbols, loud=loud, scale=scale, timeframe=timeframe)
    draw = np.random.default_rng(seed)
    others: list[tuple[int, Event]] = []
    for row in range(0, views.bars.rows, 40):
        at = views.bars.close_ms(row) - timeframe
        for symbol in views.bars.symbols:
            settle_ms = at + (timeframe // 2 if row % 80 else 0)  # within the bar, or at its beginning
            others.append((row, Funding(at=settle_ms, symbol=symbol, settle_ms=settle_ms, rate=float(draw.normal(0, 0.001)))))
    runs = []
    for step in (True, False):
        desk = Desk(views.bars.symbols, rules=rules, limits=limits, fills=fills, costs=Costs())
        equity = desk.run(views, step=step, others=others)
        told = [e for e in desk.log if type(e).__module__ == "bot.events"]
        runs.append((equity, told, desk.risk.peak if step else max(desk.risk.peak, desk.ledger.high)))
    assert runs[0][1] == runs[1][1]
    assert runs[0][0] == runs[1][0]  # the same bits
    assert runs[0][2] == runs[1][2]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), rules=rules, fills=executions, limits=limits)
def test_the_exchange_and_the_ledger_agree_and_limits_hold(seed: int, rules: Rules, fills: Fills, limits: Limits) -> None:
    views = random_views(150, seed, 2, scale=0.004)
    desk = Desk(views.bars.symbols, rules=rules, fills=fills, limits=limits, costs=Costs())
    for row in range(views.bars.rows):
        desk.row(views, row)
        assert desk.ledger.cashflow == desk.executor.account.flow
        for symbol in views.bars.symbols:
            assert desk.ledger.positions[symbol].quantity == desk.executor.account.holdings[symbol].quantity
    asked = {order.id: order for order in desk.of(OrderRequest) if isinstance(order, OrderRequest)}
    filled: dict[str, Decimal] = {}
    for fill in desk.fills:
        filled[fill.order_id] = filled.get(fill.order_id, Decimal(0)) + fill.quantity
        assert fill.fee > 0
        assert fill.filled_ms <= fill.at
        assert fill.price % Decimal("0.01") == 0
        assert fill.quantity % Decimal("0.001") == 0
    for id, quantity in filled.items():
        assert id not in asked or quantity <= asked[id].quantity
    for order in asked.values():
        if not order.reduce_only:
            assert order.quantity * order.reference <= limits.max_order_notional * 2 + 1  # a flip closes as much as it opens


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([Decimal("0.15"), Decimal("0.5")]))
def test_no_order_takes_a_position_above_its_limit(seed: int, share: Decimal) -> None:
    limits = Limits(max_position_share=Decimal("0.2"), max_gross=Decimal("0.3"), daily_loss=Decimal(1), max_drawdown=Decimal(1))
    views = random_views(150, seed, 3)
    desk = Desk(views.bars.symbols, rules=Rules(share=share, cool_down_bars=0), limits=limits, costs=Costs())
    for row in range(views.bars.rows):
        before = desk.ledger.equity_float()
        desk.row(views, row)
        for event in desk.log[-40:]:
            if isinstance(event, OrderRequest) and event.at == views.bars.close_ms(row) and not event.reduce_only:
                held = desk.ledger.positions[event.symbol].quantity
                after = held + (event.quantity if event.side is OrderSide.BUY else -event.quantity)
                assert float(abs(after) * event.reference) <= 0.2 * max(before, desk.ledger.equity_float()) * (1 + 1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_a_reduce_only_order_never_turns_a_position(seed: int) -> None:
    views = random_views(200, seed, 1, scale=0.004)
    desk = Desk(
        views.bars.symbols, costs=Costs(), fills=Fills(0, Decimal("0.05")), limits=WIDE,
        rules=Rules(stop_loss=Decimal("0.003"), take_profit=Decimal("0.003"), reversal="flat", cool_down_bars=0, share=Decimal(1)),
    )  # fmt: skip
    desk.run(views, step=True)
    position, reducing = Decimal(0), {o.id for o in desk.of(OrderRequest) if isinstance(o, OrderRequest) and o.reduce_only}
    for fill in desk.fills:
        after = position + (fill.quantity if fill.side is OrderSide.BUY else -fill.quantity)
        if fill.order_id in reducing or fill.order_id[-1] in "st":
            assert abs(after) < abs(position)
            assert after * position >= 0
        position = after


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_no_entry_is_made_while_the_state_forbids_it(seed: int) -> None:
    limits = Limits(daily_loss=Decimal("0.002"), max_drawdown=Decimal("0.006"), max_position_share=Decimal(2), max_gross=Decimal(2))
    views = random_views(300, seed, 1, scale=0.004)
    desk = Desk(views.bars.symbols, rules=Rules(share=Decimal("0.5"), cool_down_bars=0), limits=limits, costs=Costs())
    desk.run(views, step=True)
    state = "ACTIVE"
    for event in desk.log:
        if isinstance(event, StateChanged):
            state = event.state
        if isinstance(event, OrderRequest) and state != "ACTIVE":
            assert event.reduce_only
            assert state == "REDUCING" or event.purpose is Purpose.FLATTEN
    changes = [e.state for e in desk.of(StateChanged) if isinstance(e, StateChanged)]
    assert all(one != two for one, two in pairwise(changes))


def test_marks_are_carried_over_missing_bars() -> None:
    views = random_views(50, 3, 2, missing=0.3)
    ledger = Ledger(Decimal(100), views.bars.symbols)
    ledger.skip(views.bars, 0, 50)
    for s in range(2):
        closes = views.bars.values[:, CLOSE, s]
        assert ledger.marks[s] == closes[~np.isnan(closes)][-1]
