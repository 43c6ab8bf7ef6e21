"""Decisions with a target: the position follows the target, and no other order is sent."""

import math
from decimal import ROUND_DOWN, Decimal
from typing import Any

import numpy as np
import pytest

from bot.events import CancelRequest, Command, Denial, OrderRequest, OrderSide, OrderType, Purpose, Refusal, Verb
from bot.execution.costs import Costs
from bot.store.reader import Reader
from bot.store.store import Store
from bot.trader import Rules
from feeds.bars import VOLUME
from tests.bot.desk import Desk, Views, random_views
from tests.bot.store.building import decision, journal
from tests.bot.test_trader import desk, told
from tests.builders import candle

NAN = math.nan


def follow(d: Desk, *targets: float, close: float = 100.0, side: int = 0) -> list[Any]:
    """Bars that stand still, with these targets at their closes; the orders and refusals that followed."""
    begin = len(d.log)
    for target in targets:
        row = d.ledger.newest_ms // 60_000 - 28_401_120 if d.ledger.newest_ms else 0
        bar = candle(row=row, open=close, high=close, low=close, close=close, volume=1e6)
        d.bar(bar, side, NAN, target=target)
    return told([e for e in d.log[begin:] if isinstance(e, OrderRequest | Refusal | CancelRequest)])


def test_a_target_is_the_size_of_the_position() -> None:
    assert follow(desk(), 0.25) == [("entry", "buy", "25")]
    assert follow(desk(), -0.5) == [("entry", "sell", "5E+1")]


def test_within_the_band_nothing_moves_and_beyond_it_the_position_goes_all_the_way() -> None:
    assert follow(desk(rebalance_band=0.05), 0.2, 0.2, 0.24, 0.16, 0.26, 0.26)[1:] == [("entry", "buy", "6")]
    assert follow(desk(rebalance_band=0.05), -0.2, -0.2, -0.16, -0.12, -0.12)[1:] == [("exit", "buy", "8")]


def test_a_decrease_is_reduce_only_and_an_increase_is_not() -> None:
    d = desk()
    follow(d, 0.2, 0.2, 0.1, 0.1, 0.3)
    orders = [(e.purpose, e.side, e.reduce_only) for e in d.log if isinstance(e, OrderRequest)]
    assert orders == [
        (Purpose.ENTRY, OrderSide.BUY, False), (Purpose.EXIT, OrderSide.SELL, True), (Purpose.ENTRY, OrderSide.BUY, False),
    ]  # fmt: skip


def test_a_target_of_the_other_sign_turns_the_position_to_its_own_size() -> None:
    d = desk()
    assert follow(d, 0.2, 0.2, -0.05, -0.05)[1:] == [("flip", "sell", "25")]
    assert d.ledger.quantities == [-5.0]


def test_zero_closes_whatever_the_band() -> None:
    assert follow(desk(rebalance_band=0.9), 0.2, 0.2, 0.0, 0.0)[1:] == [("exit", "sell", "2E+1")]


def test_without_a_target_hold_leaves_the_position_alone() -> None:
    assert follow(desk(), 0.2, NAN, NAN, NAN)[1:] == []


def test_a_view_without_a_target_is_still_a_view() -> None:
    d = desk()
    follow(d, 0.2, NAN)
    assert follow(d, NAN, side=-1) == [("flip", "sell", "3E+1")], "20 held, and 10 % of equity the other way"


def test_long_only_takes_a_negative_target_for_flat() -> None:
    assert follow(desk(long_only=True), -0.2, 0.1, 0.1, -0.3, -0.3) == [("entry", "buy", "1E+1"), ("exit", "sell", "1E+1")]


def test_a_position_below_the_least_quantity_is_refused_and_one_that_shrinks_below_it_is_closed() -> None:
    d = Desk(rules=Rules(cool_down_bars=0, stop_loss=None), least_quantity=Decimal(5), lot=Decimal(1))
    assert follow(d, 0.04) == [Denial.ORDER_SIZE]
    assert follow(d, 0.2, 0.2, 0.03, 0.03)[:2] == [("entry", "buy", "2E+1"), ("exit", "sell", "2E+1")]


def test_an_increase_smaller_than_the_exchange_takes_waits() -> None:
    d = Desk(rules=Rules(cool_down_bars=0, stop_loss=None, rebalance_band=0.0), least_quantity=Decimal(5), lot=Decimal(1))
    assert follow(d, 0.2, 0.2, 0.23, 0.26)[1:] == [("entry", "buy", "6")]


def test_cool_down_and_the_time_limit_hold_for_targets_too() -> None:
    d = desk(cool_down_bars=2, max_bars=2)
    assert follow(d, 0.1, 0.1, 0.1, 0.1, 0.1) == [("entry", "buy", "1E+1"), ("exit", "sell", "1E+1"), Denial.COOL_DOWN]


def test_an_order_under_way_that_leads_to_the_target_is_left_alone() -> None:
    d = desk(order_type="limit", limit_offset_bps=Decimal(100), limit_bars=50)
    assert follow(d, 0.2, 0.2, 0.205) == [("entry", "buy", "20.202")] or follow(d, 0.2) == []
    assert d.of(OrderRequest)[0].type is OrderType.LIMIT  # type: ignore[attr-defined]
    assert follow(d, 0.1) == ["the view turned against it"]


def test_a_state_that_forbids_growing_is_told_once_and_lets_a_position_shrink() -> None:
    d = desk()
    follow(d, 0.2, 0.2)
    d.settle(Command(d.ledger.newest_ms, 1, Verb.REDUCE, "careful"))
    assert follow(d, 0.3, 0.3, 0.1, 0.1) == [Denial.REDUCING, ("exit", "sell", "1E+1")]


def test_the_band_may_not_be_negative() -> None:
    with pytest.raises(ValueError, match=r"trading\.rebalance_band is -0\.1"):
        Rules(rebalance_band=-0.1)


def aims(rows: int, seed: int, symbols: int, *, every: int, missing: float = 0.02) -> Views:
    """Random bars, with random targets at every `every`th close; the others have none."""
    views = random_views(rows, seed, symbols, missing=missing, scale=0.004)
    draw = np.random.default_rng(seed + 1000)
    target = np.where(draw.random((rows, symbols)) < 0.15, 0.0, draw.normal(0.0, 0.3, (rows, symbols)).round(2))
    target[np.arange(rows) % every != 0] = NAN
    target[np.isnan(views.score)] = NAN
    known = ~np.isnan(target)
    side = np.where(known, np.sign(target), 0).astype(np.int8)
    return Views(views.bars, side, np.where(known, target, NAN), target)


RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "wide": {"rebalance_band": 0.1},
    "stops, short lives": {"stop_loss": Decimal("0.01"), "max_bars": 9, "cool_down_bars": 3},
    "limits, flat first": {"order_type": "limit", "limit_offset_bps": Decimal(5), "limit_bars": 2, "reversal": "flat"},
    "long only": {"long_only": True, "rebalance_band": 0.0},
}


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize("rules", RULES.values(), ids=list(RULES))
@pytest.mark.parametrize("symbols", [1, 3])
def test_visiting_only_the_bars_that_matter_trades_the_same(symbols: int, rules: dict[str, Any], every: int) -> None:
    views = aims(400, 5, symbols, every=every)
    given: dict[str, Any] = {"cool_down_bars": 0, "stop_loss": None, **rules}
    one, other = (Desk(views.bars.symbols, rules=Rules(**given), costs=Costs()) for _ in range(2))
    assert one.run(views, step=True) == other.run(views, step=False)
    assert one.fills == other.fills
    assert len(one.fills) > 20


def test_constant_targets_are_not_looked_at_on_every_bar() -> None:
    views = random_views(2_000, 3, 1, missing=0.0, scale=0.0005)
    target = np.full((2_000, 1), 0.5)
    d = Desk(views.bars.symbols, rules=Rules(cool_down_bars=0, stop_loss=None, rebalance_band=0.02))
    seen: list[int] = []
    look = d.row
    d.row = lambda given, row: (seen.append(row), look(given, row))[1]  # type: ignore[method-assign]
    d.run(Views(views.bars, np.ones((2_000, 1), np.int8), target, target), step=False)
    assert len(seen) < 100


@pytest.mark.parametrize("band", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_positions_are_those_of_an_independent_account(seed: int, band: float) -> None:
    views = aims(300, seed, 4, every=3, missing=0.0)
    views.bars.values[:, VOLUME] = 1e9
    d = Desk(views.bars.symbols, rules=Rules(cool_down_bars=0, stop_loss=None, rebalance_band=band))
    d.run(views, step=False)
    got = {(fill.filled_ms, fill.symbol): fill.quantity if fill.side is OrderSide.BUY else -fill.quantity for fill in d.fills}
    assert got == account(views, band)


def account(views: Views, band: float) -> dict[tuple[int, str], Decimal]:
    """Targets held at the next open, without costs: written from the rule alone. (instant, symbol) -> signed quantity traded."""
    bars, lot = views.bars, Decimal("0.001")
    cash, held = Decimal(10_000), [Decimal(0)] * len(bars.symbols)
    traded: dict[tuple[int, str], Decimal] = {}
    wanted: dict[int, Decimal] = {}
    for row in range(bars.rows):
        opens, closes = ([Decimal(repr(float(x))) for x in bars.values[row, column]] for column in (0, 3))
        for s, change in wanted.items():
            traded[bars.close_ms(row) - bars.timeframe, bars.symbols[s]] = change
            cash, held[s] = cash - change * opens[s], held[s] + change
        wanted = {}
        equity = cash + sum((q * p for q, p in zip(held, closes, strict=True)), Decimal(0))
        for s, target in enumerate(views.target[row].tolist()):
            if math.isnan(target):
                continue
            aim = Decimal(repr(abs(target) * float(equity))) / closes[s]
            aim = (aim / lot).to_integral_value(ROUND_DOWN) * lot * (1 if target > 0 else -1)
            same = aim * held[s] > 0
            off = abs(abs(target) * float(equity) - float(abs(held[s]) * closes[s]))
            change = aim - held[s] if target else -held[s]
            shrinks = not target or (same and abs(aim) < abs(held[s]))
            if change and (not same or off > band * float(equity)) and (shrinks or abs(change) * closes[s] >= 5):
                wanted[s] = change
    return traded


def test_a_target_is_kept_and_read_back_and_none_stays_none() -> None:
    books = journal(Store.open())
    with books.store.transaction():
        for row, target in enumerate((0.25, -0.0, NAN)):
            books.write(decision(row=row, target=target), 0)
    found = [row.first.target for row in Reader.of(books.store).decisions("r1")]
    assert found[:2] == [0.25, 0.0] and math.isnan(found[2])
    assert Reader.of(books.store).verify_chain("r1").broken is None
