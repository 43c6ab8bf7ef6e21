"""Costs: known amounts, and nothing that ever helps us."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.execution.costs import FREE, Costs, Rates, fee, funding, taker_price, worsening
from tests.bot.desk import instrument

RATES = Rates.of(Costs())


def test_fees_are_fractions_of_notional_rounded_up() -> None:
    assert fee(Decimal("55937.5") * Decimal("0.001"), Decimal("0.00055")) == Decimal("0.03076563")
    assert fee(Decimal("0.00000001"), Decimal("0.00055")) == Decimal("1E-8")


def test_default_costs_are_on() -> None:
    assert (RATES.taker, RATES.maker, RATES.taking) == (Decimal("0.00055"), Decimal("0.0002"), Decimal("0.00015"))


@pytest.mark.parametrize(
    ("quantity", "volume", "worse"),
    [
        (1.0, 100.0, "0.00115"),  # a hundredth of the volume: a tenth of the impact
        (4.0, 100.0, "0.00215"),
        (100.0, 100.0, "0.01015"),
        (900.0, 100.0, "0.01015"),  # never more than the whole bar
        (1.0, 0.0, "0.01015"),  # nobody traded: as if we were everybody
        (1.0, float("nan"), "0.01015"),
    ],
)
def test_impact_grows_with_the_square_root_of_participation(quantity: float, volume: float, worse: str) -> None:
    assert worsening(RATES, quantity, volume) == Decimal(worse)


def test_free_costs_worsen_nothing() -> None:
    rates = Rates.of(FREE)
    assert worsening(rates, 5.0, 10.0) == 0
    assert taker_price(Decimal(100), 1, Decimal(0), instrument()) == 100


@given(
    touched=st.integers(1, 10**8).map(lambda n: Decimal(n) / 100), sign=st.sampled_from([1, -1]),
    quantity=st.floats(0.001, 1e6), volume=st.floats(0.0, 1e9),
)  # fmt: skip
def test_a_taker_never_gets_better_than_the_touched_price(touched: Decimal, sign: int, quantity: float, volume: float) -> None:
    price = taker_price(touched, sign, worsening(RATES, quantity, volume), instrument())
    assert price % Decimal("0.01") == 0
    assert price > 0
    assert sign * (price - touched) >= 0 or price == Decimal("0.01")


def test_longs_pay_a_positive_funding_rate_and_shorts_receive_it() -> None:
    assert funding(Decimal(2), Decimal(100), 0.0001) == Decimal("0.02")
    assert funding(Decimal(-2), Decimal(100), 0.0001) == Decimal("-0.02")
    assert funding(Decimal(2), Decimal(100), -0.0001) == Decimal("-0.02")


@pytest.mark.parametrize(
    ("name", "value"), [("taker_bps", -1), ("spread_bps", 10_000), ("slippage_bps", -0.5), ("impact", 20_000), ("maker_bps", -9)]
)
def test_impossible_costs_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"costs\.{name} is "):
        Costs(**{name: Decimal(str(value))})
