"""Mark and index price as they change: ticker snapshots and deltas merged, at most one Quote a symbol and `every`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing

from feeds.bybit.client import BybitClient, Frame, Lost, Up
from feeds.bybit.messages import Tickers
from feeds.events import FeedStatus, Quote
from feeds.times import SECOND


class BybitTickers:
    """Quotes of linear perpetuals.

    now    receipt times, milliseconds; None: the client's clock
    every  least time between two quotes of a symbol, milliseconds; the newest state is what counts
    """

    def __init__(
        self, symbols: Sequence[str], client: BybitClient, now: Callable[[], int] | None = None, *,
        every: int = SECOND, name: str = "bybit.tickers",
    ) -> None:  # fmt: skip
        self.name = name
        self._topics = [f"tickers.{symbol}" for symbol in symbols]
        self._client = client
        self._now = now or client.now
        self._every = every
        self._tickers = Tickers()
        self._waiting: set[str] = set()
        self._told: dict[str, float] = {}  # loop time of the last quote
        self._at = 0

    async def stream(self) -> AsyncIterator[Quote | FeedStatus]:
        """Quotes, and FeedStatus when the stream comes up or goes down.

        Raises Unreachable when the exchange does not answer at the start; later it waits for it.
        """
        await self._client.ready()
        is_up: bool | None = None  # nothing was told yet
        async with aclosing(self._client.live(self._topics, self._sift)) as items:
            async for item in items:
                match item:
                    case str():
                        self._waiting.discard(item)
                        self._told[item] = asyncio.get_running_loop().time()
                        quote = self._tickers.quote(item, self._stamp(), self._client.rejects)
                        if quote is not None:
                            yield quote
                    case Up():
                        is_up = True
                        yield FeedStatus(at=self._stamp(), feed=self.name, up=True, detail=f"subscribed to {len(self._topics)} topics")
                    case Lost(reason=reason):
                        self._tickers.forget()
                        self._waiting.clear()
                        if is_up is not False:
                            is_up = False
                            yield FeedStatus(at=self._stamp(), feed=self.name, up=False, detail=reason)

    def _sift(self, frame: Frame, at: int) -> list[str]:
        symbol = self._tickers.merge(frame, self._client.rejects)
        if symbol is None or symbol in self._waiting:
            return []
        if asyncio.get_running_loop().time() - self._told.get(symbol, float("-inf")) < self._every / SECOND:
            return []
        self._waiting.add(symbol)
        return [symbol]

    def _stamp(self) -> int:
        self._at = max(self._at, self._now())
        return self._at
