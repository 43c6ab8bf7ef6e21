"""Slippage taken apart: the parts are those that the fill model put in, and they add up."""

from decimal import Decimal

import numpy as np
import pytest

from bot.events import Fill, OrderSide, Purpose
from bot.execution.costs import Costs, Rates, taker_price, worsening
from bot.shortfall import shortfall, volumes_of
from feeds.instruments import Instrument
from feeds.times import MINUTE
from tests.builders import START

COSTS = Costs(spread_bps=Decimal(4), slippage_bps=Decimal(3), impact=Decimal(50))
FINE = Instrument("BTCUSDT", Decimal("0.000001"), Decimal("0.001"), Decimal("0.001"), Decimal(1), Decimal(10_000))


def filled(
    reference: str, touched: str, *, side: OrderSide = OrderSide.BUY, volume: float = 400.0, maker: bool = False, row: int = 1
) -> Fill:
    """As the simulated exchange fills 4 units in a bar of this volume."""
    sign = 1 if side is OrderSide.BUY else -1
    price = Decimal(touched) if maker else taker_price(Decimal(touched), sign, worsening(Rates.of(COSTS), 4.0, volume), FINE)
    at = START + row * MINUTE
    return Fill(
        at=at, exec_id=f"e{row}", order_id="o", symbol="BTCUSDT", side=side, price=price, quantity=Decimal(4), fee=Decimal(1), maker=maker,
        filled_ms=at - MINUTE, purpose=Purpose.ENTRY, slippage=(price - Decimal(reference)) * 4 * sign,
    )  # fmt: skip


def volumes(values: list[float]):  # type: ignore[no-untyped-def]
    return volumes_of(("BTCUSDT",), [START // MINUTE + np.arange(len(values))], [np.array(values)], MINUTE)


@pytest.mark.parametrize("side", list(OrderSide))
def test_a_takers_slippage_is_spread_slippage_impact_and_move(side: OrderSide) -> None:
    sign = 1 if side is OrderSide.BUY else -1
    found = shortfall([filled("100", "101", side=side)], COSTS, volumes([400.0]))
    assert found.spread == pytest.approx(4 * 101 * 2e-4, abs=1e-5)
    assert found.slippage == pytest.approx(4 * 101 * 3e-4, abs=1e-5)
    assert found.impact == pytest.approx(4 * 101 * 50e-4 * 0.1, abs=1e-5)  # the root of 4 / 400
    assert found.move == pytest.approx(4 * sign, abs=1e-4)


def test_a_maker_and_a_liquidation_pay_the_move_alone() -> None:
    import msgspec

    maker = filled("100", "99.5", maker=True)
    found = shortfall([maker], COSTS, volumes([400.0]))
    assert (found.spread, found.slippage, found.impact) == (0, 0, 0) and found.move == pytest.approx(-2)
    forced = msgspec.structs.replace(filled("100", "97", side=OrderSide.SELL, maker=True), maker=False, purpose=Purpose.LIQUIDATION)
    assert shortfall([forced], COSTS, volumes([400.0])).move == pytest.approx(12)


def test_a_bar_of_unknown_volume_counts_as_the_order() -> None:
    found = shortfall([filled("100", "100", volume=float("nan"), row=9)], COSTS, volumes([400.0]))
    assert found.impact == pytest.approx(4 * 100 * 50e-4, abs=1e-5)


def test_the_parts_add_up_to_what_the_fills_say() -> None:
    rng = np.random.default_rng(5)
    sizes = [float(x) for x in rng.uniform(10, 900, 60)]
    fills = [
        filled(
            f"{rng.uniform(90, 110):.2f}",
            f"{rng.uniform(90, 110):.2f}",
            side=list(OrderSide)[n % 2],
            volume=sizes[n],
            maker=n % 5 == 0,
            row=n + 1,
        )
        for n in range(60)
    ]
    found = shortfall(fills, COSTS, volumes(sizes))
    whole = float(sum(fill.slippage for fill in fills))
    assert found.spread + found.slippage + found.impact + found.move == pytest.approx(whole, abs=1e-9)
    assert shortfall([], COSTS, volumes([])).move == 0.0
