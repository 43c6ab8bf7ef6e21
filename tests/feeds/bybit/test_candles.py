import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest

from feeds.bybit.candles import BybitCandles
from feeds.bybit.client import BybitClient
from feeds.errors import FeedError, Unreachable
from feeds.events import Candle, Event, FeedStatus, Source
from tests.fakes.bybit import FakeBybit, Fault
from tests.feeds.bybit.market import LIVE, MINUTE, QUICK, T0, bars_of, candles, client, closed_port, count, rows, statuses, take

TABLE = {"BTCUSDT": rows(), "ETHUSDT": rows(base=50.0)}


def play(fake: FakeBybit, bars: int, pause: float = 0.03) -> Callable[[], Awaitable[None]]:
    async def script() -> None:
        await fake.first_subscription.wait()
        await asyncio.sleep(0.05)
        await fake.advance(bars, pause)

    return script


async def run(faults: list[Fault], bars: int = 12, warm_up: int = 5, pause: float = 0.03, enough: int | None = None) -> list[Event]:
    async with FakeBybit(TABLE, start=LIVE, faults=faults) as fake:
        bybit = client(fake)
        wanted = 2 * (bars + warm_up) if enough is None else enough
        events = await take(candles(bybit, warm_up=warm_up).stream(), count(Candle, wanted), play(fake, bars, pause))
        await bybit.close()
    return events


def assert_complete(events: list[Event], symbol: str, number: int, first: int) -> None:
    """Every bar once, in order, with the values of the table."""
    table = {row[0]: row for row in TABLE[symbol]}
    bars = bars_of(events, symbol)
    assert [bar.open_ms for bar in bars] == [first + n * MINUTE for n in range(number)]
    for bar in bars:
        assert (bar.open_ms, bar.open, bar.high, bar.low, bar.close, bar.volume) == table[bar.open_ms]


async def test_history_comes_first_then_confirmed_bars_with_their_provenance() -> None:
    events = await run([], bars=4)
    for symbol in TABLE:
        assert_complete(events, symbol, 9, LIVE - 5 * MINUTE)
        assert [bar.source for bar in bars_of(events, symbol)] == [Source.REST] * 5 + [Source.WS] * 4
    history = [event for event in events if isinstance(event, Candle)][:10]
    assert [bar.symbol for bar in history] == ["BTCUSDT", "ETHUSDT"] * 5, "history is given out close by close"
    assert [status.up for status in statuses(events)] == [True]


async def test_a_bar_is_known_when_it_is_received_and_never_before_its_close() -> None:
    events = await run([], bars=3)
    bars = [event for event in events if isinstance(event, Candle)]
    assert all(bar.at >= bar.close_ms for bar in bars)
    assert {bar.at for bar in bars[:10]} == {LIVE}, "history is known at the moment it was fetched"
    assert [event.at for event in events] == sorted(event.at for event in events)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("repeat", bar=2), Fault("repeat", bar=3)],
        [Fault("late", bar=3, bars=3)],
        [Fault("forming", bar=2, bars=4)],
        [Fault("garbage", bar=2, bars=2)],
        [Fault("future", bar=3)],
        [Fault("missing", bar=3)],
        [Fault("missing", bar=3, bars=3, symbol="ETHUSDT")],
        [Fault("drop", bar=3)],
        [Fault("abort", bar=3)],
        [Fault("drop", bar=3, bars=4)],
        [Fault("huge", bar=4)],
        [Fault("http", bar=0, status=503, times=1), Fault("missing", bar=3)],
        [Fault("empty", bar=0, times=1), Fault("abort", bar=5)],
    ],
    ids=lambda faults: "+".join(f"{fault.action}{fault.bars}" for fault in faults),
)
async def test_whatever_goes_wrong_on_the_wire_the_bars_are_the_same(faults: list[Fault]) -> None:
    events = await run(faults)
    for symbol in TABLE:
        assert_complete(events, symbol, 17, LIVE - 5 * MINUTE)
    assert not any(status.gap for status in statuses(events))


async def test_a_missed_bar_is_repaired_before_the_next_one_goes_on() -> None:
    events = await run([Fault("missing", bar=3, symbol="BTCUSDT")], bars=6)
    sources = {bar.open_ms: bar.source for bar in bars_of(events, "BTCUSDT")}
    assert sources[LIVE + 3 * MINUTE] is Source.REPAIRED
    assert sources[LIVE + 4 * MINUTE] is Source.WS
    assert {bar.source for bar in bars_of(events, "ETHUSDT")} == {Source.REST, Source.WS}


async def test_a_bar_that_the_stream_withholds_is_fetched_when_it_is_overdue() -> None:
    async with FakeBybit(TABLE, start=LIVE, faults=[Fault("missing", bar=2, symbol="BTCUSDT")]) as fake:
        bybit = client(fake)

        async def script() -> None:
            await fake.first_subscription.wait()
            await asyncio.sleep(0.05)
            await fake.advance(3, 0.03)
            fake.now += 1_000

        feed = candles(bybit, grace=30)
        events = await take(feed.stream(), lambda seen: len(bars_of(seen, "BTCUSDT")) == 8, script)
        assert feed.repaired >= 1
        await bybit.close()
    assert_complete(events, "BTCUSDT", 8, LIVE - 5 * MINUTE)


async def test_while_the_socket_stays_down_rest_goes_on_giving_bars() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = client(fake)

        async def script() -> None:
            await fake.first_subscription.wait()
            await asyncio.sleep(0.05)
            fake.refusing = True
            await fake.drop()
            await fake.advance(4, 0.03)

        events = await take(candles(bybit, grace=30).stream(), count(Candle, 2 * 8), script)
        await bybit.close()
    assert {bar.source for bar in bars_of(events, "ETHUSDT")[5:]} == {Source.REPAIRED}
    assert not statuses(events)[-1].up


async def test_what_closed_while_the_socket_was_down_is_repaired_on_reconnect_and_the_outage_is_told() -> None:
    events = await run([Fault("drop", bar=2, bars=5)], bars=10)
    repaired = [bar.open_ms for bar in bars_of(events, "BTCUSDT") if bar.source is Source.REPAIRED]
    assert {LIVE + n * MINUTE for n in (3, 4, 5)} <= set(repaired)
    assert [status.up for status in statuses(events)] == [True, False, True]
    assert "1001" in statuses(events)[1].detail


async def test_a_hole_that_rest_cannot_give_is_reported_and_the_stream_goes_on() -> None:
    faults = [Fault("missing", bar=3, bars=2, symbol="BTCUSDT"), Fault("hole", bar=3, bars=2, symbol="BTCUSDT")]
    events = await run(faults, bars=8, enough=2 * 13 - 2, pause=0.05)
    gaps = [status for status in statuses(events) if status.gap]
    assert [status.gap for status in gaps] == [2] or [status.gap for status in gaps] == [1, 1]
    assert "BTCUSDT" in gaps[0].detail
    opened = [bar.open_ms for bar in bars_of(events, "BTCUSDT")]
    assert opened == [LIVE + n * MINUTE for n in range(-5, 8) if n not in (3, 4)]
    at_gap = events.index(gaps[-1])
    assert all(bar.open_ms > LIVE + 4 * MINUTE for bar in bars_of(events[at_gap:], "BTCUSDT")), "told before anything later goes on"


async def test_a_hole_while_rest_is_dead_waits_for_it_only_so_long() -> None:
    faults = [Fault("missing", bar=3, symbol="BTCUSDT"), Fault("http", bar=3, status=502, times=10_000)]
    events = await run(faults, bars=8, enough=2 * 13 - 1, pause=0.05)
    told = statuses(events)
    assert [status.gap for status in told if status.gap] == [1]
    assert [status.up for status in told] == [True, False, False, True], "told, given up, and going on"
    assert "REST does not answer" in told[1].detail


async def test_an_outage_before_the_first_subscription_is_told_too() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        fake.refusing = True
        bybit = client(fake)
        events = await take(candles(bybit).stream(), count(FeedStatus, 1))
        await bybit.close()
    assert not statuses(events)[0].up


async def test_a_silent_topic_is_noticed_and_dialled_again() -> None:
    async with FakeBybit(TABLE, start=LIVE, faults=[Fault("mute", bar=2, bars=6)]) as fake:
        bybit = client(fake, silence=120)
        events = await take(candles(bybit).stream(), count(Candle, 2 * 17), play(fake, 12, 0.05))
        assert fake.connects > 1
        await bybit.close()
    for symbol in TABLE:
        assert_complete(events, symbol, 17, LIVE - 5 * MINUTE)
    assert any("silent" in status.detail for status in statuses(events))


async def test_a_subscription_that_is_never_acknowledged_does_not_count_as_up() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        fake.acknowledge = False
        bybit = client(fake, timeout=150)

        async def script() -> None:
            await fake.first_subscription.wait()
            await asyncio.sleep(0.2)
            fake.acknowledge = True

        events = await take(candles(bybit).stream(), count(FeedStatus, 2), script)
        assert fake.connects > 1
        await bybit.close()
    assert [(status.up, status.detail[:10]) for status in statuses(events)] == [(False, "no answer "), (True, "subscribed")]


async def test_long_history_is_fetched_page_by_page_without_a_seam() -> None:
    table = {"BTCUSDT": rows(2_600)}
    async with FakeBybit(table, start=T0 + 2_550 * MINUTE) as fake:
        bybit = client(fake)
        events = await take(candles(bybit, ("BTCUSDT",), warm_up=2_500).stream(), count(Candle, 2_500))
        pages = sum(path == "kline" for path, _ in fake.requests)
        await bybit.close()
    assert [bar.open_ms for bar in bars_of(events, "BTCUSDT")] == [T0 + n * MINUTE for n in range(50, 2_550)]
    assert pages == 3


async def test_a_young_symbol_has_a_short_history_and_no_gap() -> None:
    table = {"BTCUSDT": rows(), "NEWUSDT": rows(45, first=T0 + 15 * MINUTE)}
    async with FakeBybit(table, start=LIVE) as fake:
        bybit = client(fake)
        events = await take(candles(bybit, tuple(table), warm_up=10).stream(), count(Candle, 19), play(fake, 2))
        await bybit.close()
    assert [bar.open_ms for bar in bars_of(events, "NEWUSDT")] == [T0 + n * MINUTE for n in range(15, 22)]
    assert not any(status.gap for status in statuses(events))


async def test_the_open_bar_of_a_rest_reply_is_never_given_out() -> None:
    async with FakeBybit(TABLE, start=LIVE + 30_000) as fake:
        bybit = client(fake)
        events = await take(candles(bybit).stream(), count(FeedStatus, 1))
        await bybit.close()
    assert max(bar.close_ms for bar in bars_of(events, "BTCUSDT")) == LIVE


async def test_an_exchange_that_does_not_answer_at_the_start_is_named() -> None:
    port = closed_port()
    bybit = BybitClient(rest=f"http://127.0.0.1:{port}", ws=f"ws://127.0.0.1:{port}", patience=QUICK)
    with pytest.raises(Unreachable, match=rf"Bybit does not answer at http://127\.0\.0\.1:{port}: .*Check the network"):
        await take(BybitCandles(("BTCUSDT",), MINUTE, 5, bybit).stream(), count(Candle, 1))
    await bybit.close()


async def test_a_symbol_that_does_not_exist_is_refused_at_the_start() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = client(fake)
        with pytest.raises(FeedError, match="retCode 10001"):
            await take(candles(bybit, ("NOSUCHUSDT",)).stream(), count(Candle, 1))
        with pytest.raises(FeedError, match="retCode 10001"):
            await candles(bybit, ("NOSUCHUSDT",)).instruments()
        rules = await candles(bybit).instruments()
        await bybit.close()
    assert list(rules) == ["BTCUSDT", "ETHUSDT"]
    assert str(rules["BTCUSDT"].tick) == "0.10"


def test_a_bar_length_that_bybit_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(ValueError, match="Bybit has no 7m bars; take one of 1m 3m 5m"):
        BybitCandles(("BTCUSDT",), 7 * MINUTE, 5, BybitClient())


def test_importing_the_feeds_loads_no_ccxt() -> None:
    code = "import sys, feeds.bybit.candles, feeds.bybit.tickers, feeds.bybit.funding; sys.exit('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
