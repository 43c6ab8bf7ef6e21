"""Steps, minima, and the crossing from evidence to money."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadData
from feeds.instrument_files import read_rules
from feeds.instruments import base_of, default_instrument, exact, symbol_for


def test_a_float_becomes_the_shortest_decimal_that_names_it() -> None:
    assert exact(0.1) == Decimal("0.1")
    assert exact(1e-7) == Decimal("1E-7")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_no_money(number: float) -> None:
    with pytest.raises(ValueError, match="no amount"):
        exact(number)


@pytest.mark.parametrize(
    ("symbol", "tick", "lot"),
    [("BTCUSDT", "0.10", "0.001"), ("ETHUSDT", "0.01", "0.01"), ("LTCUSDT", "0.01", "0.1"), ("ADAUSDT", "0.0001", "1")],
)
def test_known_symbols_have_their_stated_steps(symbol: str, tick: str, lot: str) -> None:
    instrument = default_instrument(symbol, 1.0)
    assert (instrument.tick, instrument.lot, instrument.least_quantity) == (Decimal(tick), Decimal(lot), Decimal(lot))
    assert instrument.least_notional == Decimal(5)


@pytest.mark.parametrize(
    ("price", "tick", "lot"),
    [(97_000.0, "0.1", "0.0001"), (145.3, "0.01", "0.01"), (7.2, "0.0001", "1"), (0.52, "0.00001", "1"), (9.1e-6, "1E-10", "1")],
)
def test_other_symbols_get_steps_from_their_price(price: float, tick: str, lot: str) -> None:
    instrument = default_instrument("XUSDT", price)
    assert (instrument.tick, instrument.lot) == (Decimal(tick), Decimal(lot))


@given(st.floats(1e-9, 1e6))
def test_inferred_steps_are_fine_against_the_price(price: float) -> None:
    instrument = default_instrument("XUSDT", price)
    assert instrument.tick <= exact(price) / 1_000
    assert instrument.lot <= 1
    assert instrument.lot * exact(price) < 10


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_steps_need_a_price(price: float) -> None:
    with pytest.raises(ValueError, match="no price to infer"):
        default_instrument("XUSDT", price)


@given(st.decimals(0, 10**6, places=6))
def test_a_quantity_is_a_multiple_of_the_lot_and_never_more_than_wanted(wanted: Decimal) -> None:
    instrument = default_instrument("ETHUSDT", 3_000.0)
    quantity = instrument.quantity(wanted)
    assert quantity % instrument.lot == 0
    assert wanted - instrument.lot < quantity <= wanted or quantity == 0


@given(st.decimals("0.01", 10**6, places=6))
def test_prices_are_rounded_against_us(price: Decimal) -> None:
    instrument = default_instrument("BTCUSDT", 60_000.0)
    assert instrument.price_for_seller(price) <= price <= instrument.price_for_buyer(price)
    assert instrument.price_for_buyer(price) - instrument.price_for_seller(price) in (0, instrument.tick)


@pytest.mark.parametrize(
    ("symbol", "base"),
    [
        ("BTCUSDT", "BTC"),
        ("1000PEPEUSDT", "PEPE"),
        ("1000000MOGUSDT", "MOG"),
        ("ETHBTC", "ETH"),
        ("USDT", "USDT"),
        ("1INCHUSDT", "1INCH"),
        ("SPX", "SPX"),
    ],
)
def test_the_coin_that_a_symbol_trades(symbol: str, base: str) -> None:
    assert base_of(symbol) == base


def test_the_symbol_that_trades_an_asset() -> None:
    universe = ("BTCUSDT", "1000PEPEUSDT", "BTCUSDC")
    assert [symbol_for(asset, universe) for asset in ("btc", "BTCUSDC", "pepe", "eth")] == ["BTCUSDT", "BTCUSDC", "1000PEPEUSDT", None]


@pytest.mark.parametrize(
    "change", [{"tick": "NaN"}, {"lot": "Infinity"}, {"tick": "0"}, {"least_notional": "-1"}, {"maintenance": "NaN"}, {"maintenance": "1"}]
)
def test_rules_on_disk_that_cannot_be_right_are_refused(tmp_path: Path, change: dict[str, str]) -> None:
    rules = {"symbol": "BTCUSDT", "tick": "0.1", "lot": "0.001", "least_quantity": "0.001", "least_notional": "5"}
    path = tmp_path / "instruments.json"
    path.write_text(json.dumps({"instruments": {"BTCUSDT": rules}}))
    assert read_rules(tmp_path).instruments["BTCUSDT"].tick == Decimal("0.1")
    path.write_text(json.dumps({"instruments": {"BTCUSDT": rules | change}}))
    with pytest.raises(BadData, match="the rules of BTCUSDT cannot be right"):
        read_rules(tmp_path)
