import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.chain.guard import Guard
from feeds.chain.metrics import ChainMetrics
from feeds.chain.parse import Observation, parse_assets, parse_stablecoins, parse_tvl
from feeds.errors import BadData
from feeds.events import Event, FeedStatus, Metric
from tests.fakes.chain import DAY, FakeChain

NOW = 1_717_200_000_000 // DAY * DAY + 5 * 3_600_000
FIRST = NOW // DAY * DAY - 20 * DAY


def chain(fake: FakeChain, *, universe: tuple[str, ...] = ("BTCUSDT", "ETHUSDT"), only: str = "", every: int = 15) -> ChainMetrics:
    hosts = {name: fake.url if only in ("", name) else "" for name in ("coin_metrics", "llama", "stablecoins")}
    return ChainMetrics(universe, every, lambda: NOW, pause=1, chance=lambda: 0.5, **hosts)


async def take(
    feed: ChainMetrics, enough: Callable[[list[Event]], bool], act: Callable[[list[Event]], None] = lambda _: None
) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(8), aclosing(cast(AsyncGenerator[Event, None], feed.stream())) as stream:
        async for event in stream:
            events.append(event)
            act(events)
            if enough(events):
                break
    return events


def metrics(events: list[Event], name: str = "", symbol: str | None = "any") -> list[Metric]:
    return [each for each in events if isinstance(each, Metric) and name in ("", each.name) and symbol in ("any", each.symbol)]


def statuses(events: list[Event]) -> list[FeedStatus]:
    return [event for event in events if isinstance(event, FeedStatus)]


async def test_all_series_arrive_oldest_first_and_known_at_their_receipt() -> None:
    async with FakeChain() as fake:
        fake.fill("btc", FIRST, 20)
        fake.fill("eth", FIRST, 20, addresses=500.0)
        fake.fill("doge", FIRST, 20)
        fake.tvl = {FIRST + n * DAY: 9e10 + n for n in range(20)}
        fake.stablecoins = {FIRST + n * DAY: 1.6e11 + n for n in range(20)}
        events = await take(chain(fake), lambda seen: len(metrics(seen)) == 6 * 20)
    assert {(each.name, each.symbol) for each in metrics(events)} == {
        ("active_addresses", "BTCUSDT"), ("active_addresses", "ETHUSDT"), ("exchange_netflow", "BTCUSDT"), ("exchange_netflow", "ETHUSDT"),
        ("tvl", None), ("stablecoin_supply", None),
    }  # fmt: skip
    periods = [each.period_ms for each in metrics(events, "active_addresses", "BTCUSDT")]
    assert periods == [FIRST + n * DAY for n in range(20)]
    assert {each.at for each in metrics(events)} == {NOW}
    assert metrics(events, "exchange_netflow", "BTCUSDT")[0].value == pytest.approx(10.0)
    assert metrics(events, "exchange_netflow")[0].source == "coinmetrics:reviewed"
    assert metrics(events, "stablecoin_supply")[0].value == pytest.approx(1.6e11)
    assert [status.up for status in statuses(events)] == [True] * 3


async def test_pages_are_followed_by_token_and_never_by_the_address_in_the_reply() -> None:
    async with FakeChain() as fake:
        fake.fill("btc", FIRST, 20)
        fake.fill("eth", FIRST, 20)
        fake.page_size = 7
        events = await take(chain(fake, only="coin_metrics"), lambda seen: len(metrics(seen)) == 80)
        tokens = [query.get("next_page_token") for path, query in fake.requests]
    assert tokens[:6] == [None, "7", "14", "21", "28", "35"]
    assert len(metrics(events)) == 80


async def test_only_what_is_new_or_revised_is_told() -> None:
    async with FakeChain() as fake:
        fake.tvl = {FIRST + n * DAY: 9e10 + 1e8 * (n % 3) for n in range(19)}

        def act(events: list[Event]) -> None:
            if len(metrics(events)) == 19:
                fake.tvl[FIRST + 19 * DAY] = 9.01e10
            if len(metrics(events)) == 20:
                fake.tvl[FIRST + 19 * DAY] = 9.02e10
            if len(metrics(events)) == 21:
                fake.tvl[FIRST + 5 * DAY] = 9.03e10

        events = await take(chain(fake, only="llama"), lambda seen: len(metrics(seen)) == 23, act)
        asked = len(fake.requests)
    last = [(each.period_ms, each.value) for each in metrics(events)[19:]]
    assert last == [
        (FIRST + 19 * DAY, 9.01e10),
        (FIRST + 19 * DAY, 9.02e10),
        (FIRST + 5 * DAY, 9.03e10),
        (FIRST + 19 * DAY, 9.02e10),
    ], "after an old period was revised the newest is told again: the last word is what holds now"
    assert asked >= 4


@pytest.mark.parametrize(
    ("factor", "why"), [(10.0, "a slip of the unit"), (0.1, "a slip of the unit"), (1000.0, "a slip of the unit"), (1.8, "sigma")]
)
async def test_a_jump_or_a_wrong_unit_is_held_back_and_told_once(factor: float, why: str) -> None:
    async with FakeChain() as fake:
        fake.fill("btc", FIRST, 20)
        fake.assets["btc"][FIRST + 19 * DAY]["AdrActCnt"] = 1000.0 * factor
        feed = chain(fake, only="coin_metrics", universe=("BTCUSDT",))
        stream = cast(AsyncGenerator[Event, None], feed.stream())
        events: list[Event] = []
        async with asyncio.timeout(8), aclosing(stream):
            async for event in stream:
                events.append(event)
                if len(metrics(events)) == 39:
                    fake.assets["btc"][FIRST + 19 * DAY]["AdrActCnt"] = 1020.0
                if len(metrics(events)) == 40:
                    break
    held = [status for status in statuses(events) if "held back" in status.detail]
    assert len(held) == 1
    assert held[0].up and why in held[0].detail and "active_addresses of BTCUSDT for 20" in held[0].detail
    assert max(each.value for each in metrics(events, "active_addresses")) < 1_100
    assert metrics(events)[-1].value == 1020.0, "corrected by the provider, it is told"
    assert feed.held == 1


def test_a_level_that_three_periods_confirm_is_the_new_one_but_a_unit_never_is() -> None:
    guard = Guard()
    for n in range(20):
        assert guard.refuses(100.0 + n % 3) == ""
    assert [bool(guard.refuses(value)) for value in (210.0, 212.0, 211.0, 212.0)] == [True, True, False, False]
    assert all(guard.refuses(value) for value in [2_110.0, 2_120.0, 2_115.0, 2_118.0, 2_119.0])


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80))
def test_the_guard_never_lets_a_jump_beyond_ten_sigma_pass_unconfirmed(values: list[float]) -> None:
    from statistics import median, pstdev

    guard = Guard()
    for value in values:
        trail, confirming = list(guard._trail), bool(guard._held)
        if guard.refuses(value) == "" and len(trail) >= 8 and not confirming:
            assert abs(value - trail[-1]) <= 10 * max(pstdev(trail), 1e-3 * abs(median(trail)))


async def test_a_dead_provider_is_told_once_stops_no_other_and_comes_back() -> None:
    async with FakeChain() as fake, FakeChain() as dead:
        fake.tvl = {FIRST + n * DAY: 9e10 + n for n in range(5)}
        dead.failing = 500
        feed = ChainMetrics(("BTCUSDT",), 10, lambda: NOW, coin_metrics=dead.url, llama=fake.url, stablecoins="", chance=lambda: 0.5)

        def act(events: list[Event]) -> None:
            if len(metrics(events, "tvl")) == 5:
                dead.failing = None
                dead.fill("btc", FIRST, 3)

        events = await take(feed, lambda seen: len(metrics(seen, "active_addresses")) == 3, act)
    told = [status.up for status in statuses(events) if status.feed == "chain:coinmetrics"]
    assert told == [False, True]
    assert "HTTP 500" in next(status.detail for status in statuses(events) if not status.up)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b'{"data": 5}', b"null", b'{"error":{"type":"x"}}', b'"text"'])
async def test_a_reply_that_is_no_data_is_a_status(body: bytes) -> None:
    async with FakeChain() as fake:
        fake.broken = body
        events = await take(chain(fake), lambda seen: len(seen) == 3)
    assert [status.up for status in statuses(events)] == [False] * 3


def page(**row: Any) -> bytes:
    return json.dumps({"data": [{"asset": "BTC", "time": "2024-05-01T00:00:00.000000000Z", **row}]}).encode()


def test_strings_nulls_and_missing_metrics_are_understood() -> None:
    when = 1_714_521_600_000
    found, token = parse_assets(page(AdrActCnt="12.5", FlowInExNtv="3", FlowOutExNtv=None), Counter())
    assert (found, token) == ([Observation("active_addresses", "btc", when, 12.5)], "")
    found, _ = parse_assets(page(**{"FlowInExNtv": "3", "FlowOutExNtv": "5", "FlowInExNtv-status": "flash"}), Counter())
    assert found == [Observation("exchange_netflow", "btc", when, -2.0, "flash")]


@pytest.mark.parametrize("value", ["NaN", "inf", "-1", "abc", "1e400", True, [], {}])
def test_values_that_cannot_be_right_are_counted(value: Any) -> None:
    rejects: Counter[str] = Counter()
    assert parse_assets(page(AdrActCnt=value), rejects) == ([], "")
    assert rejects == {"AdrActCnt.value": 1}


@pytest.mark.parametrize("time", ["2024-05-01", "yesterday", None, 5, "1024-05-01T00:00:00Z", "2024-13-41T00:00:00Z"])
def test_times_that_cannot_be_right_are_counted(time: Any) -> None:
    rejects: Counter[str] = Counter()
    assert parse_assets(page(AdrActCnt="1", time=time), rejects) == ([], "")
    assert rejects == {"assets.shape": 1}


def test_days_are_numbers_at_one_address_and_strings_at_the_other() -> None:
    rejects: Counter[str] = Counter()
    assert parse_tvl(
        b'[{"date":1609459200,"tvl":1.5e10},{"date":"x","tvl":1},{"date":5,"tvl":1},{"date":1609459200,"tvl":-1}]', rejects
    ) == [Observation("tvl", None, 1_609_459_200_000, 1.5e10)]
    assert rejects == {"tvl.shape": 2, "tvl.value": 1}
    body = b'[{"date":"1609459200","totalCirculatingUSD":{"peggedUSD":2.5,"peggedEUR":"1"}},{"date":"1609459200","totalCirculatingUSD":{}}]'
    assert parse_stablecoins(body, rejects) == [Observation("stablecoin_supply", None, 1_609_459_200_000, 3.5)]


WORDS = st.sampled_from(["data", "asset", "time", "AdrActCnt", "date", "tvl", "totalCirculatingUSD", "peggedUSD"])
SCALARS = st.none() | st.booleans() | st.floats() | st.text(max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner), max_leaves=15))
def test_no_reply_raises_anything_but_bad_data(document: Any) -> None:
    body = json.dumps(document).encode()
    for read in (parse_assets, parse_tvl, parse_stablecoins):
        try:
            read(body, Counter())  # type: ignore[operator]
        except BadData:
            continue
