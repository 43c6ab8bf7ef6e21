"""Fills become round trips, and nothing is lost on the way."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.events import Fill, FundingPaid, OrderSide, Purpose
from bot.trips import RoundTrip, round_trips
from feeds.times import MINUTE
from strategies.events import Side

ZERO = Decimal(0)


def fill(n: int, side: str, quantity: str, price: str, *, fee: str = "0.5", slippage: str = "0.2", symbol: str = "BTCUSDT") -> Fill:
    return Fill(
        at=n * MINUTE, exec_id=f"{symbol}{n}", order_id=f"o{n}", symbol=symbol, side=OrderSide(side), price=Decimal(price),
        quantity=Decimal(quantity), fee=Decimal(fee), maker=False, filled_ms=n * MINUTE,
        purpose=Purpose.ENTRY if side == "BUY" else Purpose.EXIT, slippage=Decimal(slippage),
    )  # fmt: skip


def paid(n: int, payment: str, symbol: str = "BTCUSDT") -> FundingPaid:
    return FundingPaid(
        at=n * MINUTE, symbol=symbol, settle_ms=n * MINUTE, rate=0.0001, quantity=Decimal(1), mark=Decimal(100), payment=Decimal(payment)
    )


def test_a_trip_runs_from_flat_to_flat_with_its_funding() -> None:
    (trip,) = round_trips([fill(1, "BUY", "2", "100"), fill(2, "BUY", "1", "106"), paid(3, "0.3"), fill(9, "SELL", "3", "110")])
    assert trip.side is Side.LONG and trip.quantity == 3 and trip.entry == 102 and trip.exit == 110
    assert trip.fees == Decimal("1.5") and trip.funding == Decimal("0.3") and trip.slippage == Decimal("0.6")
    assert trip.pnl == 24 - Decimal("1.8") and trip.costs == Decimal("2.4") and trip.notional == 306
    assert trip.bars(MINUTE) == 8 and trip.order_id == "o1" and trip.closed_by is Purpose.EXIT


def test_a_short_earns_when_the_price_falls() -> None:
    (trip,) = round_trips([fill(1, "SELL", "2", "100", fee="0"), fill(2, "BUY", "2", "90", fee="0")])
    assert trip.side is Side.SHORT and trip.pnl == 20


def test_a_flip_ends_one_trip_and_begins_the_next_and_shares_its_fee() -> None:
    long, short = round_trips([fill(1, "BUY", "1", "100"), fill(2, "SELL", "4", "110", fee="2", slippage="0.8")])
    assert long.exit_ms == 2 * MINUTE and long.fees == Decimal("1.0") and long.pnl == 9
    assert short.side is Side.SHORT and short.quantity == 3 and short.exit_ms is None and short.exit is None
    assert short.fees == Decimal("1.5") and short.slippage == Decimal("0.6") and short.bars(MINUTE) is None


def test_a_trip_still_open_tells_what_its_closed_part_earned() -> None:
    (trip,) = round_trips([fill(1, "BUY", "4", "100", fee="0"), fill(2, "SELL", "1", "105", fee="0")])
    assert trip.exit_ms is None and trip.pnl == 5 and trip.exit == 105 and trip.quantity == 4


def test_a_settlement_told_after_the_stop_belongs_to_the_trip_that_held_it() -> None:
    late = FundingPaid(
        at=4 * MINUTE,
        symbol="BTCUSDT",
        settle_ms=3 * MINUTE - 1,
        rate=0.0001,
        quantity=Decimal(1),
        mark=Decimal(100),
        payment=Decimal("0.3"),
    )
    first, second = round_trips([fill(1, "BUY", "1", "100"), fill(3, "SELL", "1", "90"), late, fill(4, "BUY", "1", "90"), paid(5, "0.2")])
    assert first.funding == Decimal("0.3") and second.funding == Decimal("0.2")


def test_symbols_are_kept_apart_and_funding_without_a_position_belongs_to_no_trip() -> None:
    trips = round_trips(
        [paid(0, "5"), fill(1, "BUY", "1", "100"), fill(2, "SELL", "1", "50", symbol="ETHUSDT"), fill(3, "SELL", "1", "101")]
    )
    assert [(t.symbol, t.exit_ms) for t in trips] == [("BTCUSDT", 3 * MINUTE), ("ETHUSDT", None)]
    assert all(t.funding == ZERO for t in trips)


events = st.lists(
    st.tuples(st.sampled_from(["BUY", "SELL", "FUND"]), st.integers(1, 9), st.integers(90, 110), st.sampled_from(["BTCUSDT", "ETHUSDT"])),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(raw=events)
def test_cash_of_all_trips_accounts_for_every_fill(raw: list[tuple[str, int, int, str]]) -> None:
    told: list[Fill | FundingPaid] = [
        paid(n, str(q), s) if kind == "FUND" else fill(n, kind, str(q), str(p), fee="0.75", symbol=s)
        for n, (kind, q, p, s) in enumerate(raw)
    ]
    trips = round_trips(told)
    fills = [e for e in told if isinstance(e, Fill)]
    assert abs(sum((t.fees for t in trips), ZERO) - sum((f.fee for f in fills), ZERO)) < Decimal("1e-20")
    assert abs(sum((t.slippage for t in trips), ZERO) - sum((f.slippage for f in fills), ZERO)) < Decimal("1e-20")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        position = sum((f.quantity if f.side is OrderSide.BUY else -f.quantity for f in fills if f.symbol == symbol), ZERO)
        mine: list[RoundTrip] = [t for t in trips if t.symbol == symbol]
        assert sum(t.exit_ms is None for t in mine) == (position != 0)
        if position == 0:
            cash = -sum((f.price * (f.quantity if f.side is OrderSide.BUY else -f.quantity) for f in fills if f.symbol == symbol), ZERO)
            assert abs(sum((t.pnl + t.fees + t.funding for t in mine), ZERO) - cash) < Decimal("1e-18")
