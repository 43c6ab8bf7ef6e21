"""What every live feed owes: it starts, survives the death of the other side, lets go of everything, and stays small."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

import feeds
from feeds.bybit.candles import BybitCandles
from feeds.bybit.funding import BybitFunding
from feeds.bybit.tickers import BybitTickers
from feeds.chain.metrics import ChainMetrics
from feeds.events import Candle, Event, FeedStatus, Funding, Metric, News, Quote
from feeds.news.rss import RssNews
from tests.fakes.bybit import FakeBybit, Fault
from tests.fakes.chain import DAY, FakeChain
from tests.fakes.rss import Answer, Entry, FakeSite, feed
from tests.feeds.bybit.market import client, rows

MINUTE, HOUR = 60_000, 3_600_000
REMEMBERED = 300_000  # bytes for sixty stories, of which 5,000 at most are remembered
T0 = 1_717_200_000_000 // DAY * DAY


class Rig(NamedTuple):
    """A feed, and the strings of the world that it listens to."""

    stream: AsyncGenerator[Event, None]
    kind: type[Event]  # what it is there for
    produce: Callable[[], Awaitable[None]]  # let the world say something new
    kill: Callable[[], Awaitable[None]]
    revive: Callable[[], Awaitable[None]]
    connections: Callable[[], int]


@asynccontextmanager
async def _bybit(kind: type[Event], step: int) -> AsyncIterator[Rig]:
    table = {symbol: rows(900, base, T0 - 30 * MINUTE) for symbol, base in (("BTCUSDT", 100.0), ("ETHUSDT", 50.0))}
    funding = {symbol: [(T0 + n * 8 * HOUR, 1e-4) for n in range(-2, 700)] for symbol in table}
    async with FakeBybit(table, start=T0, funding=funding) as fake:
        bybit = client(fake)
        made: dict[type[Event], Any] = {
            Candle: BybitCandles(tuple(table), MINUTE, 5, bybit, grace=30, settle=0),
            Quote: BybitTickers(tuple(table), bybit, every=0),
            Funding: BybitFunding(tuple(table), bybit, poll=5, lag=1),
        }

        async def produce() -> None:
            if step:
                fake.now += step
            else:
                await fake.advance()

        async def kill() -> None:
            fake.refusing = True
            fake.faults = [Fault("http", times=1_000_000)]
            await fake.drop(closing=False)

        async def revive() -> None:
            fake.refusing = False
            fake.faults = []

        yield Rig(made[kind].stream(), kind, produce, kill, revive, lambda: fake.sockets)
        await bybit.close()
        await _settled(lambda: fake.connections == 0)


@asynccontextmanager
async def _rss() -> AsyncIterator[Rig]:
    async with FakeSite({"/rss": feed([Entry("Bitcoin story zero", "0")])}) as site:
        stories = [0]
        dead = [False]

        async def produce() -> None:
            if dead[0]:
                return
            stories[0] += 1
            words = " ".join(f"{word}{stories[0]}" for word in ("alpha", "beta", "gamma", "delta"))
            site.pages["/rss"] = feed([Entry(f"Bitcoin {words}", f"id-{stories[0]}")])

        async def kill() -> None:
            dead[0] = True
            site.pages["/rss"] = Answer(status=500)

        async def revive() -> None:
            dead[0] = False
            await produce()

        stream = RssNews([f"{site.url}/rss"], ["BTCUSDT"], 5, lambda: T0, chance=lambda: 0.5).stream()
        yield Rig(cast(AsyncGenerator[Event, None], stream), News, produce, kill, revive, lambda: site.connections)


@asynccontextmanager
async def _chain() -> AsyncIterator[Rig]:
    async with FakeChain() as fake:
        fake.tvl = {T0 - n * DAY: 9e10 + n for n in range(10)}

        async def produce() -> None:
            fake.tvl[T0] += 1e6

        async def kill() -> None:
            fake.failing = 503

        async def revive() -> None:
            fake.failing = None
            await produce()

        stream = ChainMetrics((), 5, lambda: T0, coin_metrics="", llama=fake.url, stablecoins="", chance=lambda: 0.5).stream()
        yield Rig(cast(AsyncGenerator[Event, None], stream), Metric, produce, kill, revive, lambda: fake.connections)


RIGS: dict[str, Callable[[], AbstractAsyncContextManager[Rig]]] = {
    "candles": lambda: _bybit(Candle, 0),
    "tickers": lambda: _bybit(Quote, 0),
    "funding": lambda: _bybit(Funding, 8 * HOUR),
    "rss": _rss,
    "chain": _chain,
}


@pytest.fixture(params=sorted(RIGS))
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    before = asyncio.all_tasks()
    async with RIGS[request.param]() as made:
        yield made
        await made.stream.aclose()
    await _settled(lambda: not asyncio.all_tasks() - before - {asyncio.current_task()})


async def test_it_starts(rig: Rig) -> None:
    events = await _until(rig, lambda seen: sum(isinstance(event, rig.kind) for event in seen) >= 2)
    assert any(isinstance(event, rig.kind) for event in events)
    assert all(isinstance(event, rig.kind | FeedStatus) for event in events)
    assert [event.at for event in events] == sorted(event.at for event in events)


async def test_it_tells_that_it_died_and_comes_back_with_what_is_new(rig: Rig) -> None:
    await _until(rig, lambda seen: any(isinstance(event, rig.kind) for event in seen), close=False)
    await rig.kill()
    told = await _until(rig, lambda seen: any(isinstance(event, FeedStatus) and not event.up for event in seen), close=False)
    down = next(event for event in told if isinstance(event, FeedStatus) and not event.up)
    assert down.detail
    assert down.feed
    await rig.revive()
    back = await _until(
        rig,
        lambda seen: any(isinstance(event, FeedStatus) and event.up for event in seen) and isinstance(seen[-1], rig.kind),
    )
    assert sum(isinstance(event, FeedStatus) and event.up for event in back) == 1, "told once"


async def test_it_closes_its_sockets_when_it_is_closed(rig: Rig) -> None:
    await _until(rig, lambda seen: any(isinstance(event, rig.kind) for event in seen), close=False)
    await rig.stream.aclose()
    await _settled(lambda: rig.connections() == 0)


async def test_it_can_be_cancelled_at_any_time(rig: Rig) -> None:
    await _until(rig, lambda seen: any(isinstance(event, rig.kind) for event in seen), close=False)

    async def wait() -> None:
        async with aclosing(rig.stream):
            async for _ in rig.stream:
                pass

    reading = asyncio.ensure_future(wait())
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await _settled(lambda: rig.connections() == 0)


async def test_it_can_be_closed_while_it_is_dead(rig: Rig) -> None:
    await _until(rig, lambda seen: any(isinstance(event, rig.kind) for event in seen), close=False)
    await rig.kill()
    await _until(rig, lambda seen: any(isinstance(event, FeedStatus) and not event.up for event in seen))
    await _settled(lambda: rig.connections() == 0)


async def test_its_memory_does_not_grow_with_what_it_has_said(rig: Rig) -> None:
    ours = [tracemalloc.Filter(True, f"{Path(feeds.__file__).parent}/*")]
    await _until(rig, lambda seen: sum(isinstance(event, rig.kind) for event in seen) >= 60, close=False)
    tracemalloc.start()
    await _until(rig, lambda seen: sum(isinstance(event, rig.kind) for event in seen) >= 60, close=False)
    gc.collect()
    kept = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces)
    tracemalloc.stop()
    assert kept < (REMEMBERED if rig.kind is News else 20_000)


async def _until(rig: Rig, enough: Callable[[list[Event]], bool], *, close: bool = True) -> list[Event]:
    """Read the feed, with the world saying something new again and again, until the events are enough."""
    events: list[Event] = []
    reached = asyncio.Event()

    async def speak() -> None:
        while not reached.is_set():
            await rig.produce()
            await asyncio.sleep(0.005)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(speak())
        while not enough(events):
            events.append(await anext(rig.stream))
        reached.set()
    if close:
        await rig.stream.aclose()
    return events


async def _settled(done: Callable[[], bool]) -> None:
    """Give the loop up to two seconds to let go."""
    for _ in range(200):
        if done():
            return
        await asyncio.sleep(0.01)
    assert done(), f"still open; tasks: {asyncio.all_tasks()}"
