"""The clock as a feed."""

from feeds.events import Tick
from feeds.ticks import HistoryTicks, WallTicks, history_ticks, wall_ticks


class Clock:
    """A clock in milliseconds that only sleeping moves."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += round(seconds * 1_000)


def test_history_ticks_fall_on_the_grid_both_ends_included() -> None:
    assert [tick.at for tick in history_ticks((1_500, 4_000), 1_000)] == [2_000, 3_000, 4_000]
    assert [tick.at for tick in history_ticks((2_000, 2_000), 1_000)] == [2_000]
    assert list(history_ticks((2_001, 2_999), 1_000)) == []


async def test_wall_ticks_fall_on_the_grid() -> None:
    clock = Clock(1_500)
    ticks = wall_ticks(1_000, clock=clock, sleep=clock.sleep)
    assert [(await anext(ticks)).at for _ in range(3)] == [2_000, 3_000, 4_000]


async def test_ticks_that_were_slept_through_are_left_out() -> None:
    clock = Clock(1_500)
    ticks = wall_ticks(1_000, clock=clock, sleep=clock.sleep)
    await anext(ticks)
    clock.at += 5_300
    late = await anext(ticks)
    assert (late.at, (await anext(ticks)).at) == (7_300, 8_000)


async def test_a_clock_that_is_set_back_gives_no_tick_twice() -> None:
    clock = Clock(1_500)
    ticks = wall_ticks(1_000, clock=clock, sleep=clock.sleep)
    await anext(ticks)
    clock.at -= 10_000
    assert (await anext(ticks)).at == 3_000


async def test_both_clocks_are_feeds() -> None:
    replay = HistoryTicks((0, 3_000), 1_000)
    assert [tick async for tick in replay.stream()] == [Tick(at=0), Tick(at=1_000), Tick(at=2_000), Tick(at=3_000)] == list(replay.events())
    live = WallTicks(1)
    stream = live.stream()
    first = await anext(stream)
    assert isinstance(first, Tick)
    assert live.name == replay.name == "clock"
