from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.bybit.messages import (
    INTERVALS,
    Tickers,
    Todo,
    interval,
    outcome,
    parse_funding,
    parse_instruments,
    parse_kline,
    parse_klines,
    parse_mark,
)
from feeds.events import Candle, Funding, Quote, Source

MINUTE = 60_000
T0 = 1_700_000_040_000


def frame(**changes: Any) -> dict[str, Any]:
    bar = {
        "start": T0, "end": T0 + MINUTE - 1, "interval": "1", "open": "100.5", "close": "101", "high": "102", "low": "99.5",
        "volume": "12.5", "turnover": "1260", "confirm": True, "timestamp": T0 + MINUTE,
    }  # fmt: skip
    sent = changes.pop("ts", T0 + MINUTE + 3)
    topic = changes.pop("topic", "kline.1.BTCUSDT")
    return {"topic": topic, "data": [bar | changes], "ts": sent, "type": "snapshot"}


def reply(rows: Any, time: Any = T0 + 10 * MINUTE, symbol: str = "BTCUSDT") -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "symbol": symbol, "list": rows}, "time": time}


def row(n: int = 0, **changes: str) -> list[str]:
    values = {"start": str(T0 + n * MINUTE), "open": "100.5", "high": "102", "low": "99.5", "close": "101", "volume": "12.5",
              "turnover": "1260"}  # fmt: skip
    return list((values | changes).values())


def test_a_confirmed_frame_is_a_candle() -> None:
    [push] = parse_kline(frame(), T0 + MINUTE + 5, MINUTE, Counter())
    assert push.candle == Candle(
        at=T0 + MINUTE + 5, symbol="BTCUSDT", open_ms=T0, close_ms=T0 + MINUTE, open=100.5, high=102.0, low=99.5, close=101.0,
        volume=12.5, turnover=1260.0, source=Source.WS,
    )  # fmt: skip


def test_a_forming_frame_is_no_candle_but_tells_which_bar_forms() -> None:
    [push] = parse_kline(frame(confirm=False), T0 + 5, MINUTE, Counter())
    assert (push.symbol, push.open_ms, push.candle) == ("BTCUSDT", T0, None)


def test_a_candle_is_never_known_before_it_closes_even_when_our_clock_is_late() -> None:
    [push] = parse_kline(frame(), T0 + MINUTE - 800, MINUTE, Counter())
    assert push.candle is not None
    assert push.candle.at == T0 + MINUTE


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"close": "NaN"}, "kline.value"),
        ({"close": "inf"}, "kline.value"),
        ({"close": "0"}, "kline.value"),
        ({"low": "-1"}, "kline.value"),
        ({"high": "98"}, "kline.value"),
        ({"high": "100.7"}, "kline.value"),
        ({"low": "100.9"}, "kline.value"),
        ({"high": "1e30"}, "kline.value"),
        ({"volume": "-1"}, "kline.value"),
        ({"volume": "1e30"}, "kline.value"),
        ({"turnover": "nan"}, "kline.value"),
        ({"open": "abc"}, "kline.shape"),
        ({"open": None}, "kline.shape"),
        ({"open": "1e999"}, "kline.shape"),
        ({"open": ["1"]}, "kline.shape"),
        ({"confirm": "maybe"}, "kline.shape"),
        ({"start": T0 + 1}, "kline.time"),
        ({"start": T0 // 1000, "end": T0 // 1000 + MINUTE - 1}, "kline.time"),
        ({"start": -MINUTE, "end": -1}, "kline.time"),
        ({"end": T0 + 5 * MINUTE - 1}, "kline.time"),
        ({"start": T0 + MINUTE, "end": T0 + 2 * MINUTE - 1}, "kline.time"),
        ({"start": T0 + 600 * MINUTE, "end": T0 + 601 * MINUTE - 1, "confirm": False}, "kline.time"),
        ({"topic": "kline.5.BTCUSDT"}, "kline.shape"),
        ({"topic": "kline.1"}, "kline.shape"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bar_that_cannot_be_right_is_counted_and_left_out(changes: dict[str, Any], why: str) -> None:
    rejects: Counter[str] = Counter()
    assert parse_kline(frame(**changes), T0 + MINUTE, MINUTE, rejects) == []
    assert rejects == {why: 1}


def test_a_missing_field_or_a_foreign_shape_is_counted_and_left_out() -> None:
    rejects: Counter[str] = Counter()
    whole = frame()
    for name in whole["data"][0]:
        if name not in ("interval", "timestamp"):
            less = {key: value for key, value in whole["data"][0].items() if key != name}
            assert parse_kline(whole | {"data": [less]}, T0 + MINUTE, MINUTE, rejects) == []
    for data in (None, "x", {}, 5, [None], ["x"], [[]]):
        assert parse_kline(whole | {"data": data}, T0 + MINUTE, MINUTE, rejects) == []
    assert rejects["kline.shape"] == 16


def test_rest_rows_come_out_oldest_first_without_the_open_bar() -> None:
    rows = [row(n) for n in (9, 10, 8, 7)]
    bars = parse_klines(reply(rows, time=T0 + 10 * MINUTE + 400), T0, MINUTE, Source.REST, Counter())
    assert [bar.open_ms for bar in bars] == [T0 + n * MINUTE for n in (7, 8, 9)]
    assert {bar.source for bar in bars} == {Source.REST}


def test_a_bad_rest_row_is_left_out_and_the_others_stay() -> None:
    rejects: Counter[str] = Counter()
    rows = [row(3), row(2, close="NaN"), row(1)[:4], row(1), row(1), row(0, start=str(T0 + 7)), row(5_000)]
    bars = parse_klines(reply(rows), T0, MINUTE, Source.REPAIRED, rejects)
    assert [bar.open_ms for bar in bars] == [T0 + MINUTE, T0 + 3 * MINUTE]
    assert rejects == {"klines.value": 1, "klines.shape": 1, "klines.repeat": 1, "klines.time": 2}


@pytest.mark.parametrize("broken", [{}, {"result": None}, {"result": {"list": None}}, reply([], time=None), reply("x")])
def test_a_reply_without_rows_or_time_gives_nothing(broken: dict[str, Any]) -> None:
    rejects: Counter[str] = Counter()
    assert parse_klines(broken, T0, MINUTE, Source.REST, rejects) == []
    assert rejects == {"klines.shape": 1}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=8) | st.sampled_from(["NaN", "1e30", "-0"]),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from(list(frame()["data"][0])) | st.text(max_size=4), inner),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    junk=JUNK, topic=st.sampled_from(["kline.1.BTCUSDT", "", "kline", "tickers.BTCUSDT"]), field=st.sampled_from(list(frame()["data"][0]))
)
def test_no_junk_raises_and_what_passes_is_sound(junk: Any, topic: str, field: str) -> None:
    rejects: Counter[str] = Counter()
    one = frame()
    one["data"][0][field] = junk
    passed = [push.candle for each in (one, {"topic": topic, "data": junk, "ts": junk}) for push in parse_kline(each, T0, MINUTE, rejects)]
    passed += parse_klines(reply([junk, row() if junk is None else [junk] * 7]), T0, MINUTE, Source.REST, rejects)
    parse_klines({"result": junk, "time": junk}, T0, MINUTE, Source.REST, rejects)
    parse_funding(reply([junk, {"symbol": "X", "fundingRate": junk, "fundingRateTimestamp": junk}]), T0, rejects)
    parse_instruments(reply([junk, {"contractType": "LinearPerpetual", "status": "Trading", "lotSizeFilter": junk}]), rejects)
    Tickers().merge({"topic": topic, "type": "snapshot", "data": junk}, rejects)
    for candle in passed:
        if candle is not None:
            assert 0 < candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high < 1e13
            assert 0 <= candle.volume < 1e21
            assert candle.open_ms % MINUTE == 0


def test_deltas_change_only_what_they_name() -> None:
    tickers, rejects = Tickers(), Counter[str]()
    assert tickers.merge({"topic": "tickers.BTCUSDT", "type": "delta", "data": {"markPrice": "1"}}, rejects) is None
    snapshot = {"topic": "tickers.BTCUSDT", "type": "snapshot", "data": {"markPrice": "100.5", "indexPrice": "100.4", "fundingRate": ""}}
    assert tickers.merge(snapshot, rejects) == "BTCUSDT"
    assert tickers.quote("BTCUSDT", 7, rejects) == Quote(at=7, symbol="BTCUSDT", mark=100.5, index=100.4)
    tickers.merge({"topic": "tickers.BTCUSDT", "type": "delta", "data": {"markPrice": "101", "indexPrice": ""}}, rejects)
    assert tickers.quote("BTCUSDT", 8, rejects) == Quote(at=8, symbol="BTCUSDT", mark=101.0, index=100.4)
    assert rejects == {"ticker.early": 1}
    tickers.forget()
    assert tickers.quote("BTCUSDT", 9, rejects) is None


@pytest.mark.parametrize("mark", ["NaN", "0", "-1", "1e30", "x"])
def test_a_mark_that_is_no_price_gives_no_quote(mark: str) -> None:
    tickers, rejects = Tickers(), Counter[str]()
    tickers.merge({"topic": "tickers.BTCUSDT", "type": "snapshot", "data": {"markPrice": mark}}, rejects)
    assert tickers.quote("BTCUSDT", 1, rejects) is None
    assert rejects == {"ticker.value": 1}


def test_settlements_are_ordered_and_know_their_interval() -> None:
    rejects: Counter[str] = Counter()
    rows = [
        {"symbol": "BTCUSDT", "fundingRate": rate, "fundingRateTimestamp": str(when)}
        for rate, when in [("0.0003", T0 + 12), ("-0.0002", T0 + 8), ("0.0001", T0), ("nan", T0 + 3), ("0.5", T0 + 4), ("0.1", 1)]
    ]
    found = parse_funding(reply(rows), T0, rejects)
    assert found == [
        Funding(at=T0, symbol="BTCUSDT", settle_ms=T0, rate=0.0001),
        Funding(at=T0 + 8, symbol="BTCUSDT", settle_ms=T0 + 8, rate=-0.0002, interval_ms=8),
        Funding(at=T0 + 12, symbol="BTCUSDT", settle_ms=T0 + 12, rate=0.0003, interval_ms=4),
    ]
    assert rejects == {"funding.value": 2, "funding.time": 1}


def test_the_mark_at_settlement_is_the_open_of_its_bar() -> None:
    assert parse_mark(reply([[str(T0), "100.5", "1", "1", "1"]]), T0, Counter()) == 100.5
    assert parse_mark(reply([[str(T0 + MINUTE), "100.5"]]), T0, Counter()) is None


def test_an_instrument_carries_its_steps_and_limits() -> None:
    listed = {
        "symbol": "BTCUSDT", "contractType": "LinearPerpetual", "status": "Trading", "leverageFilter": {"maxLeverage": "100.00"},
        "priceFilter": {"tickSize": "0.10"}, "fundingInterval": 240,
        "lotSizeFilter": {"minOrderQty": "0.001", "qtyStep": "0.001", "maxMktOrderQty": "500.000", "minNotionalValue": "5"},
    }  # fmt: skip
    least = {
        "symbol": "NEWUSDT", "contractType": "LinearPerpetual", "status": "Trading", "priceFilter": {"tickSize": "0.01"},
        "lotSizeFilter": {"minOrderQty": "1", "qtyStep": "1"},
    }  # fmt: skip
    rejects: Counter[str] = Counter()
    others = [listed | {"status": "PreLaunch"}, listed | {"contractType": "LinearFutures"}, listed | {"priceFilter": {"tickSize": "0"}}]
    found, cursor = parse_instruments(reply([listed, least, *others]), rejects)
    assert [each.symbol for each in found] == ["BTCUSDT", "NEWUSDT"]
    first = found[0]
    assert (first.tick, first.lot, first.least_quantity, first.least_notional) == (
        Decimal("0.10"), Decimal("0.001"), Decimal("0.001"), Decimal("5"),
    )  # fmt: skip
    assert (first.most_quantity, first.funding_ms, first.max_leverage) == (Decimal("500.000"), 240 * MINUTE, Decimal("100.00"))
    assert rejects == {"instrument.shape": 1}
    assert cursor == ""


def test_every_interval_has_its_name_and_every_code_says_what_to_do() -> None:
    assert interval(MINUTE) == "1"
    assert interval(24 * 60 * MINUTE) == "D"
    assert len(set(INTERVALS.values())) == len(INTERVALS)
    assert outcome(0)[0] is Todo.TAKE
    assert outcome(10006)[0] is Todo.SLOW
    assert outcome(10001)[0] is Todo.FIX
    assert outcome(987654)[0] is Todo.RETRY
