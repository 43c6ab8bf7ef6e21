"""A feed is whatever has a name and a stream of events. Here feeds are joined: by time, or as they come.

Joined feeds are context managers: whatever ends the `async with`, be it a feed that fails, a handler that fails or a
Ctrl-C, cancels the other feeds and closes their streams.
"""

import asyncio
import heapq
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Protocol, Self

from feeds import times
from feeds.errors import BadData
from feeds.events import Event

LONGEST_SLEEP = 1_000  # milliseconds: a clock that was set is noticed within this


class Feed(Protocol):
    """What takes time: `stream` yields events in order of `at`, and ends when there will be no more."""

    name: str

    def stream(self) -> AsyncIterator[Event]:
        """The events, in order of `at`."""


class Kept(Protocol):
    """A feed whose events are all there already."""

    name: str

    def events(self) -> Iterator[Event]:
        """The events, in order of `at`."""


def merged(*feeds: Kept) -> Iterator[Event]:
    """The total order of stored feeds: (at, position of the feed, sequence). Raises BadData where a feed goes back in time."""
    return heapq.merge(*(_forward(feed) for feed in feeds), key=lambda event: event.at)


def _forward(feed: Kept) -> Iterator[Event]:
    last: int | None = None
    for event in feed.events():
        last = _checked(feed.name, last, event)
        yield event


def _checked(name: str, last: int | None, event: Event) -> int:
    if last is not None and event.at < last:
        raise BadData(f"{name}: an event of {times.iso(event.at)} comes after one of {times.iso(last)}; a feed must be sorted by `at`")
    return event.at


@asynccontextmanager
async def chronological(*feeds: Feed) -> AsyncIterator[AsyncIterator[Event]]:
    """Feeds in total order: (at, position of the feed, sequence). For feeds that wait for nobody: each is asked in turn.

    Raises BadData where a feed goes back in time.
    """
    streams = [feed.stream() for feed in feeds]
    joined = _in_order([feed.name for feed in feeds], streams)
    try:
        yield joined
    finally:
        for stream in (joined, *streams):
            await _close(stream)


async def _in_order(names: list[str], streams: list[AsyncIterator[Event]]) -> AsyncGenerator[Event, None]:
    heads: list[tuple[int, int, Event]] = []
    for place, stream in enumerate(streams):
        first = await anext(stream, None)
        if first is not None:
            heads.append((first.at, place, first))
    heapq.heapify(heads)
    while heads:
        at, place, event = heads[0]
        yield event
        following = await anext(streams[place], None)
        if following is None:
            heapq.heappop(heads)
        else:
            # (at, place) is unique among the heads: events themselves are never compared
            heapq.heapreplace(heads, (_checked(names[place], at, following), place, following))


async def _close(stream: object) -> None:
    if isinstance(stream, AsyncGenerator):
        await stream.aclose()


class _Ended:
    """Says that a feed has no more."""


def arrivals(*feeds: Feed, size: int = 1024) -> "Arrivals":
    """Feeds as they come: `async with arrivals(a, b) as events: async for event in events`.

    size  of the one queue; when it is full the feeds wait, and nothing is dropped

    It ends when every feed has ended. A feed that raises cancels the others, and its error comes out of the `async with`.
    Restarting a feed that failed is the feed's own matter.
    """
    return Arrivals(feeds, size)


class Arrivals:
    """See `arrivals`."""

    def __init__(self, feeds: Sequence[Feed], size: int) -> None:
        self._feeds = feeds
        self._queue: asyncio.Queue[Event | _Ended] = asyncio.Queue(size)
        self._group = asyncio.TaskGroup()
        self._pumps: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._pumps = [self._group.create_task(self._pump(feed), name=f"feed {feed.name}") for feed in self._feeds]
        self._left = len(self._pumps)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for pump in self._pumps:
            pump.cancel()
        # A task group takes our own error for one of its tasks': it is told of a cancellation only, which it may have sent itself.
        told = (kind, error, trace) if kind is asyncio.CancelledError else (None, None, None)
        try:
            await self._group.__aexit__(*told)
        except BaseExceptionGroup as failures:
            raise _first(failures) from (None if kind is asyncio.CancelledError else error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while self._left:
            item = await self._queue.get()
            if not isinstance(item, _Ended):
                return item
            self._left -= 1
        raise StopAsyncIteration

    async def _pump(self, feed: Feed) -> None:
        stream = feed.stream()
        try:
            async for event in stream:
                await self._queue.put(event)
            await self._queue.put(_Ended())
        finally:
            await _close(stream)


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


class Paced:
    """Stored events released as their `at` passes at `speed` x; the feed of a market that plays back.

    events  in order of `at`
    origin  the instant in event time that is now: what is older comes at once (None: the first event's `at`)
    clock   milliseconds, never going back by itself; sleep  of seconds
    reached the newest `at` released, the origin before that: what time it is in this market
    """

    def __init__(
        self,
        events: Iterable[Event] | AsyncIterable[Event],
        speed: float,
        *,
        name: str = "paced",
        origin: int | None = None,
        clock: Callable[[], int] = times.now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"speed {speed} is not above zero")
        self.name = name
        self._events = events
        self._speed = speed
        self._origin = origin
        self.reached = origin or 0
        self._clock = clock
        self._sleep = sleep

    async def stream(self) -> AsyncGenerator[Event, None]:
        """Each event once its moment has come; late ones follow without a pause."""
        start = self._clock()
        origin = self._origin
        async for event in _asynchronous(self._events):
            origin = event.at if origin is None else origin
            due = start + (event.at - origin) / self._speed
            while (left := due - self._clock()) > 0:
                await self._sleep(min(left, LONGEST_SLEEP) / 1_000)
            self.reached = event.at
            yield event


def paced(
    events: Iterable[Event] | AsyncIterable[Event],
    speed: float,
    *,
    origin: int | None = None,
    clock: Callable[[], int] = times.now,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[Event, None]:
    """The events of `Paced` alone."""
    return Paced(events, speed, origin=origin, clock=clock, sleep=sleep).stream()


async def _asynchronous(events: Iterable[Event] | AsyncIterable[Event]) -> AsyncGenerator[Event, None]:
    if isinstance(events, AsyncIterable):
        async for event in events:
            yield event
    else:
        for event in events:
            yield event
