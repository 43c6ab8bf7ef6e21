"""The clock as a feed. Ticks fall on multiples of their distance, counted from 1970."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

from feeds import times
from feeds.events import Tick

LONGEST_SLEEP = 1_000  # milliseconds: a clock that was set is noticed within this


async def wall_ticks(
    every: int, *, clock: Callable[[], int] = times.now, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncGenerator[Tick, None]:
    """A tick each time the clock passes a multiple of `every` milliseconds; those that were slept through are left out."""
    due = _next(clock(), every)
    while True:
        while (left := due - clock()) > 0:
            await sleep(min(left, LONGEST_SLEEP) / 1_000)
        at = clock()
        yield Tick(at=at)
        due = max(due + every, _next(at, every))


def history_ticks(span: tuple[int, int], every: int) -> Iterator[Tick]:
    """A tick at each multiple of `every` milliseconds in [from, to]."""
    start, stop = span
    for at in range(-(-start // every) * every, stop + 1, every):
        yield Tick(at=at)


def _next(at: int, every: int) -> int:
    return (at // every + 1) * every


class WallTicks:
    """The wall clock as a feed."""

    name = "clock"

    def __init__(self, every: int, clock: Callable[[], int] = times.now) -> None:
        self.every = every
        self._clock = clock

    def stream(self) -> AsyncIterator[Tick]:
        """See `wall_ticks`."""
        return wall_ticks(self.every, clock=self._clock)


class HistoryTicks:
    """The clock of a replay as a feed; at one instant it stands after the candles."""

    name = "clock"
    after_candles = True

    def __init__(self, span: tuple[int, int], every: int) -> None:
        self.span = span
        self.every = every

    def events(self) -> Iterator[Tick]:
        """See `history_ticks`."""
        return history_ticks(self.span, self.every)

    async def stream(self) -> AsyncIterator[Tick]:
        """The ticks as a feed."""
        for tick in self.events():
            yield tick
