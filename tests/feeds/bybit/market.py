"""Builders for the Bybit tests: tables of candles, a client that does not dawdle, and a way to take what a feed says."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

from feeds.bybit.candles import BybitCandles
from feeds.bybit.client import BybitClient, Patience
from feeds.events import Candle, Event, FeedStatus
from tests.fakes.bybit import FakeBybit
from tests.fakes.tables import Row

MINUTE = 60_000
T0 = 1_700_000_040_000 // MINUTE * MINUTE
LIVE = T0 + 20 * MINUTE  # twenty bars of history

QUICK = Patience(
    timeout=1_000, attempts=2, backoff=5, backoff_most=20, keep_alive=5_000, silence=5_000, poll=10, rate=2_000.0, ban=300, queue=256
)


def rows(count: int = 60, base: float = 100.0, first: int = T0) -> list[Row]:
    return [(first + n * MINUTE, base + n, base + n + 2, base + n - 2, base + n + 1, 5.0 + n) for n in range(count)]


def client(fake: FakeBybit, **changes: Any) -> BybitClient:
    patience = Patience(**{name: changes.pop(name, getattr(QUICK, name)) for name in QUICK.__struct_fields__})
    return BybitClient(rest=fake.rest, ws=fake.ws, patience=patience, clock=lambda: fake.now, chance=lambda: 0.5, **changes)


def candles(
    bybit: BybitClient, symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT"), warm_up: int = 5, grace: int = 20 * MINUTE
) -> BybitCandles:
    """A feed that leaves a late bar to the stream, unless a test asks for less grace: so the load of the machine changes nothing."""
    return BybitCandles(symbols, MINUTE, warm_up, bybit, grace=grace, settle=0, hold=200)


async def take(
    stream: AsyncIterator[Any], enough: Callable[[list[Event]], bool], script: Callable[[], Awaitable[None]] | None = None, limit: float = 8
) -> list[Event]:
    """Run the feed, and the script beside it, until the events are enough; both are ended cleanly."""
    events: list[Event] = []

    async def read() -> None:
        async with aclosing(cast(AsyncGenerator[Event, None], stream)) as source:
            async for event in source:
                events.append(event)
                if enough(events):
                    return

    try:
        async with asyncio.timeout(limit), asyncio.TaskGroup() as group:
            reading = group.create_task(read())
            playing = group.create_task(script()) if script is not None else None  # type: ignore[arg-type]
            await reading
            if playing is not None:
                playing.cancel()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return events


def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def count(kind: type[Event], number: int) -> Callable[[list[Event]], bool]:
    return lambda events: sum(isinstance(event, kind) for event in events) >= number


def bars_of(events: list[Event], symbol: str) -> list[Candle]:
    return [event for event in events if isinstance(event, Candle) and event.symbol == symbol]


def statuses(events: list[Event]) -> list[FeedStatus]:
    return [event for event in events if isinstance(event, FeedStatus)]
