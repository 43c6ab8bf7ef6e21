"""Shortcuts of the simulated exchange give what the long way gives."""

from decimal import Decimal

from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bot.execution.account import Account
from bot.execution.simulated import _Bar
from tests.bot.desk import instrument
from tests.builders import candle

QUICK = examples(max_examples=200, deadline=None, derandomize=True)


@QUICK
@given(
    volume=st.floats(0, 1e9) | st.sampled_from([0.0, 1.0, 0.003, 123.456]), share=st.sampled_from(["0.001", "0.1", "0.5", "1"]),
    wanted=st.lists(st.integers(1, 2_000_000), min_size=1, max_size=5), close=st.booleans(),
)  # fmt: skip
def test_a_bar_gives_its_share_of_the_volume_in_whole_lots_and_no_more(volume: float, share: str, wanted: list[int], close: bool) -> None:
    rules = instrument()
    lots = int(Decimal(repr(volume)) * Decimal(share) // rules.lot)
    if close:  # around the very limit
        wanted = [max(1, lots - 1), 1, 1]
    bar = _Bar(candle(volume=volume), rules, Decimal(share), [], [])
    for many in wanted:
        asked = many * rules.lot
        given = bar.take(asked)
        assert given == min(asked, lots * rules.lot)
        lots -= int(given / rules.lot)


@QUICK
@given(
    cash=st.integers(1, 5_000), held=st.integers(-100, 100), other=st.integers(-50, 50), low=st.floats(50, 100), high=st.floats(100, 200),
    other_mark=st.floats(10, 300),
)  # fmt: skip
def test_where_a_bar_is_called_safe_its_worst_price_leaves_more_than_the_margin(
    cash: int, held: int, other: int, low: float, high: float, other_mark: float
) -> None:
    account = Account(Decimal(cash), ("A", "B"), {"A": instrument("A"), "B": instrument("B")})
    for symbol, quantity, price in (("A", held, 100.0), ("B", other, other_mark)):
        if quantity:
            account.trade(symbol, Decimal(quantity), Decimal(repr(price)), Decimal(0), 1)
    if not account.is_safe(0, low, high):
        return
    worst = low if held > 0 else high
    left = float(account.flow) + held * worst + other * other_mark
    assert held == 0 or left > 0.005 * (abs(held) * worst + abs(other) * other_mark)
