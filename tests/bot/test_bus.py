from bot.bus import Bus
from feeds.events import Event, Tick


class First(Event, frozen=True):
    """The first consequence."""


class Second(Event, frozen=True):
    """The second consequence."""


def test_consequences_settle_in_the_order_they_were_returned_before_later_ones() -> None:
    log: list[tuple[str, int]] = []
    bus = Bus(lambda event, cause: log.append((type(event).__name__, cause)) or len(log))
    bus.on(Tick, lambda tick: [First(tick.at), First(tick.at)])
    bus.on(Tick, lambda tick: [Second(tick.at)])
    bus.on(First, lambda event: [Second(event.at)])
    assert bus.settle(Tick(1)) == 1
    assert log == [("Tick", 0), ("First", 1), ("First", 1), ("Second", 1), ("Second", 2), ("Second", 3)]


def test_handlers_of_one_event_run_in_the_order_of_the_table() -> None:
    heard: list[str] = []
    bus = Bus(lambda event, cause: 1)
    bus.on(Tick, lambda tick: heard.append("ledger"))
    bus.on(Tick, lambda tick: heard.append("engine"))
    bus.settle(Tick(1))
    assert heard == ["ledger", "engine"]


def test_a_watcher_sees_each_settled_event_with_its_number() -> None:
    seen: list[tuple[str, int]] = []
    numbers = iter(range(1, 10))
    bus = Bus(lambda event, cause: next(numbers))
    bus.on(Tick, lambda tick: [First(tick.at)])
    bus.watch(lambda event, number: seen.append((type(event).__name__, number)))
    bus.settle(Tick(1))
    assert seen == [("Tick", 1), ("First", 2)]
