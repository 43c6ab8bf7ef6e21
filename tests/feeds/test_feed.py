"""Feeds joined by time, as they come, and at a pace."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadData, Unreachable
from feeds.events import Event, Metric
from feeds.feed import Paced, arrivals, chronological, merged, paced

WITHIN = 5  # seconds; a bound for waits that should not happen


def event(at: int, name: str = "x") -> Metric:
    return Metric(at=at, name=name, symbol=None, value=0.0)


class Listed:
    """A feed of given events; it counts how many were asked for, and knows whether it was closed."""

    def __init__(self, name: str, ats: list[int], fault: Exception | None = None, *, endless: bool = False) -> None:
        self.name = name
        self._ats = ats
        self._fault = fault
        self._endless = endless
        self.given = 0
        self.closed = False

    def events(self) -> Iterator[Event]:
        return iter([event(at, f"{self.name}{i}") for i, at in enumerate(self._ats)])

    async def stream(self) -> AsyncIterator[Event]:
        try:
            for each in self.events():
                self.given += 1
                yield each
                await asyncio.sleep(0)
            if self._fault is not None:
                raise self._fault
            if self._endless:
                await asyncio.Event().wait()
        finally:
            self.closed = True


def names(events: list[Event]) -> list[str]:
    return [each.name for each in events if isinstance(each, Metric)]


async def in_order(*feeds: Listed) -> list[Event]:
    async with chronological(*feeds) as events:
        return [each async for each in events]


async def test_ties_keep_the_order_in_which_the_feeds_are_listed() -> None:
    assert names(await in_order(Listed("a", [1, 2, 2, 5]), Listed("b", [2, 3]), Listed("c", [1, 2]))) == [
        "a0", "c0", "a1", "a2", "b0", "c1", "b1", "a3",
    ]  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=15).map(sorted), max_size=5))
def test_the_total_order_is_a_plain_sort_by_time_feed_and_sequence(stamps: list[list[int]]) -> None:
    feeds = [Listed(f"{place}.", ats) for place, ats in enumerate(stamps)]
    keyed = sorted((at, place, i) for place, ats in enumerate(stamps) for i, at in enumerate(ats))
    expected = [f"{place}.{i}" for _, place, i in keyed]
    assert names(list(merged(*feeds))) == expected
    assert names(asyncio.run(in_order(*feeds))) == expected


async def test_a_feed_that_goes_back_in_time_is_named() -> None:
    with pytest.raises(BadData, match=r"bad: an event of .* comes after"):
        await in_order(Listed("good", [1, 9]), Listed("bad", [5, 4]))
    with pytest.raises(BadData, match="bad: an event"):
        list(merged(Listed("bad", [5, 4])))


async def test_leaving_chronological_early_closes_every_feed() -> None:
    feeds = Listed("a", [1, 2, 3]), Listed("b", [1, 2, 3])
    async with chronological(*feeds) as events:
        await anext(events)
    assert [feed.closed for feed in feeds] == [True, True]


async def test_an_error_in_a_chronological_feed_comes_out_as_it_is() -> None:
    other = Listed("a", [1, 2, 3])
    with pytest.raises(Unreachable, match="gone"):
        await in_order(other, Listed("b", [1], Unreachable("gone")))
    assert other.closed


async def test_arrivals_give_everything_and_end_when_all_feeds_have() -> None:
    feeds = Listed("a", [5, 6, 7]), Listed("b", [1]), Listed("c", [])
    async with asyncio.timeout(WITHIN), arrivals(*feeds) as events:
        got = [each async for each in events]
    assert sorted(names(got)) == ["a0", "a1", "a2", "b0"]
    assert [name for name in names(got) if name.startswith("a")] == ["a0", "a1", "a2"]
    assert all(feed.closed for feed in feeds)


async def test_no_feed_at_all_ends_at_once() -> None:
    async with asyncio.timeout(WITHIN), arrivals() as events:
        assert [each async for each in events] == []


async def test_a_full_queue_makes_the_feeds_wait_and_drops_nothing() -> None:
    feed = Listed("a", list(range(100)))
    async with asyncio.timeout(WITHIN), arrivals(feed, size=4) as events:
        for _ in range(50):
            await asyncio.sleep(0)
        assert feed.given <= 5
        assert len([each async for each in events]) == 100


async def test_a_feed_that_raises_cancels_the_others_and_its_error_comes_out() -> None:
    endless = Listed("b", [1], endless=True)
    async with asyncio.timeout(WITHIN):
        with pytest.raises(Unreachable, match="nobody"):
            async with arrivals(Listed("a", [1], Unreachable("nobody answers")), endless) as events:
                async for _ in events:
                    pass
    assert endless.closed


async def test_a_handler_that_raises_cancels_every_feed_and_its_own_error_comes_out() -> None:
    feeds = Listed("a", [1], endless=True), Listed("b", [2], endless=True)
    async with asyncio.timeout(WITHIN):
        with pytest.raises(ZeroDivisionError):
            async with arrivals(*feeds) as events:
                async for _ in events:
                    _ = 1 // 0
    assert [feed.closed for feed in feeds] == [True, True]


async def test_leaving_arrivals_early_cancels_every_feed() -> None:
    feeds = Listed("a", [1], endless=True), Listed("b", list(range(10_000)))
    async with asyncio.timeout(WITHIN), arrivals(*feeds, size=2) as events:
        async for _ in events:
            break
    assert [feed.closed for feed in feeds] == [True, True]
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("feed ")]


async def test_cancelling_the_session_cancels_every_feed_and_stays_a_cancellation() -> None:
    feed = Listed("a", [1], endless=True)
    running = asyncio.Event()

    async def session() -> None:
        async with arrivals(feed) as events:
            async for _ in events:
                running.set()

    task = asyncio.create_task(session())
    await asyncio.wait_for(running.wait(), WITHIN)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, WITHIN)
    assert feed.closed


class Clock:
    """A clock in milliseconds that only sleeping moves."""

    def __init__(self, at: int = 1_000_000) -> None:
        self.at = at
        self.slept: list[float] = []

    def __call__(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += round(seconds * 1_000)


async def test_paced_events_come_when_their_moment_has_come_at_the_speed() -> None:
    clock = Clock()
    arrived = []
    async for each in paced([event(0), event(60_000), event(60_000), event(180_000)], 60, clock=clock, sleep=clock.sleep):
        arrived.append((clock.at - 1_000_000, each.at))
    assert arrived == [(0, 0), (1_000, 60_000), (1_000, 60_000), (3_000, 180_000)]


async def test_what_is_older_than_the_origin_comes_at_once() -> None:
    clock = Clock()
    stream = paced([event(0), event(500), event(1_000), event(1_400)], 1, origin=1_000, clock=clock, sleep=clock.sleep)
    assert [(clock.at - 1_000_000, each.at) async for each in stream] == [(0, 0), (0, 500), (0, 1_000), (400, 1_400)]


async def test_a_market_that_plays_back_knows_what_time_it_is_there() -> None:
    clock = Clock()
    feed = Paced([event(900), event(1_400)], 1, origin=1_000, clock=clock, sleep=clock.sleep)
    assert feed.reached == 1_000
    assert [(each.at, feed.reached) async for each in feed.stream()] == [(900, 900), (1_400, 1_400)]


async def test_a_late_consumer_gets_what_is_due_without_a_pause() -> None:
    clock = Clock()
    stream = paced([event(0), event(100), event(200), event(900)], 1, clock=clock, sleep=clock.sleep)
    await anext(stream)
    clock.at += 500
    assert [(await anext(stream)).at, (await anext(stream)).at] == [100, 200]
    assert clock.slept == []
    await anext(stream)
    assert sum(clock.slept) == pytest.approx(0.4)


async def test_no_sleep_is_longer_than_a_second_so_that_a_clock_that_was_set_is_noticed() -> None:
    clock = Clock()
    assert [each.at async for each in paced([event(0), event(3_600_000)], 1, clock=clock, sleep=clock.sleep)] == [0, 3_600_000]
    assert max(clock.slept) <= 1.0


async def test_paced_is_a_feed_of_anything_that_can_be_iterated() -> None:
    clock = Clock()
    inner = Listed("a", [1, 2])
    feed = Paced(inner.stream(), 1, name="market", clock=clock, sleep=clock.sleep)
    async with asyncio.timeout(WITHIN), arrivals(feed) as events:
        assert [each.at async for each in events] == [1, 2]
    assert feed.name == "market"


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_is_above_zero(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Paced([], speed)
