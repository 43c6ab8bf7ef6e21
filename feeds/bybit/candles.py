"""Closed bars, live: history by REST first, then the stream. For each symbol in order, no gap, no repeat.

The rule: a bar goes on only when the one before it has gone on. A hole is closed by REST first; what REST cannot
give is reported as a gap, and only then does the stream go on. Repeated, late and forming frames change nothing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing

import msgspec

from feeds.bybit.client import BybitClient, Frame, Idle, Lost, Up
from feeds.bybit.messages import interval, parse_kline, parse_klines
from feeds.errors import FeedError, Unreachable
from feeds.events import Candle, FeedStatus, Source
from feeds.instruments import Instrument
from feeds.times import MINUTE, SECOND, iso

log = logging.getLogger(__name__)

PAGE = 1_000  # rows of one kline reply
REVISED = 1e-3  # a repeat that closes this much off the bar we gave out is worth a warning


class BybitCandles:
    """The closed bars of linear perpetuals.

    timeframe     bar length, milliseconds; one that Bybit has
    warm_up_bars  bars of history before the stream, for each symbol that is that old
    now           receipt times, milliseconds; None: the client's clock
    grace         how long after its close a bar may be missing from the stream before REST is asked
    settle        how long after its close a bar is left to the stream, since REST may still correct it
    hold          how long a hole may stop a symbol while REST does not answer, before it is reported as a gap
    """

    def __init__(
        self, symbols: Sequence[str], timeframe: int, warm_up_bars: int, client: BybitClient, now: Callable[[], int] | None = None, *,
        name: str = "bybit.candles", grace: int = 5 * SECOND, settle: int = SECOND, hold: int = MINUTE,
    ) -> None:  # fmt: skip
        if not symbols or len(set(symbols)) != len(symbols):
            raise ValueError(f"symbols {list(symbols)}: name at least one, each once")
        self.name = name
        self.repaired = 0  # bars that REST gave to close holes
        self._symbols = tuple(symbols)
        self._place = {symbol: place for place, symbol in enumerate(symbols)}
        self._interval = interval(timeframe)
        self._timeframe = timeframe
        self._warm_up_bars = warm_up_bars
        self._client = client
        self._now = now or client.now
        self._grace, self._settle, self._hold = grace, settle, hold
        self._next: dict[str, int] = {}  # open_ms of the bar that must come next
        self._last: dict[str, Candle] = {}  # the newest bar given out
        self._forming: dict[str, tuple[int, float]] = {}  # newest bar seen forming, and since when (loop time)
        self._at = 0
        self._is_up: bool | None = None  # None: nothing was told yet
        self._ask_again = 0.0

    async def instruments(self) -> dict[str, Instrument]:
        """The trading rules of the symbols. Raises FeedError naming a symbol that does not trade."""
        return await self._client.instruments(self._symbols)

    async def stream(self) -> AsyncIterator[Candle | FeedStatus]:
        """History, then live bars; FeedStatus when the stream comes up, goes down, or leaves a gap.

        Raises Unreachable when the exchange does not answer at the start; later it waits for it.
        """
        await self._client.ready()
        async for event in self._warm_up():
            yield event
        topics = [f"kline.{self._interval}.{symbol}" for symbol in self._symbols]
        source = Source.REST  # what closes between the history and the first subscription is history, too
        async with aclosing(self._client.live(topics, self._sift)) as items:
            async for item in items:
                match item:
                    case Candle():
                        async for event in self._take(item):
                            yield event
                    case Up():
                        async for event in self._catch_up(self._symbols, source):
                            yield event
                        source = Source.REPAIRED
                        self._is_up = True
                        yield self._status(True, f"subscribed to {len(topics)} topics")
                    case Lost(reason=reason) if self._is_up is not False:
                        self._is_up = False
                        yield self._status(False, reason)
                    case Idle():
                        async for event in self._catch_up(self._overdue(), Source.REPAIRED):
                            yield event

    def _sift(self, frame: Frame, at: int) -> list[Candle]:
        closed = []
        for push in parse_kline(frame, at, self._timeframe, self._client.rejects):
            if push.candle is not None:
                closed.append(push.candle)
            if push.open_ms > self._forming.get(push.symbol, (0, 0.0))[0]:
                self._forming[push.symbol] = (push.open_ms, asyncio.get_running_loop().time())
        return closed

    async def _warm_up(self) -> AsyncIterator[Candle | FeedStatus]:
        end = self._closed_until()
        start = end - self._warm_up_bars * self._timeframe
        self._next = dict.fromkeys(self._symbols, start)
        async for event in self._fill(self._symbols, end, Source.REST):
            yield event
        for symbol in self._symbols:
            if self._warm_up_bars and symbol not in self._last:
                yield self._status(True, f"Bybit has no history of {symbol} before {iso(end)}")

    async def _take(self, candle: Candle) -> AsyncIterator[Candle | FeedStatus]:
        """Give out a bar of the stream, after what must come before it."""
        symbol = candle.symbol
        if candle.open_ms < self._next[symbol]:
            self._repeated(candle)
            return
        async for event in self._close_hole(symbol, candle.open_ms):
            yield event
        if candle.open_ms == self._next[symbol]:
            yield self._give(candle)

    async def _close_hole(self, symbol: str, until: int) -> AsyncIterator[Candle | FeedStatus]:
        """Fetch what lies before `until`, however often it takes within `hold`; then report what is missing."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._hold / SECOND
        failures = 0
        while self._next[symbol] < until:
            try:
                async for event in self._fill((symbol,), until, Source.REPAIRED):
                    yield event
            except FeedError as error:
                failures += 1
                if not isinstance(error, Unreachable) or clock() >= deadline:
                    for event in self._skip(symbol, until, str(error)):
                        yield event
                    break
                if self._is_up is not False:
                    self._is_up = False
                    yield self._status(False, f"{symbol} has a hole and REST does not answer: {error}")
                await asyncio.sleep(min(self._client.delay(failures), max(deadline - clock(), 0.0)))
        if failures:
            self._is_up = True
            yield self._status(True, f"{symbol} goes on")

    def _overdue(self) -> list[str]:
        """Symbols whose next bar has closed, but did not come."""
        clock = asyncio.get_running_loop().time()
        if clock < self._ask_again:
            return []
        exchange = self._client.exchange_now()
        late = []
        for symbol in self._symbols:
            wanted = self._next[symbol]
            newest, since = self._forming.get(symbol, (0, 0.0))
            by_stream = newest > wanted and (clock - since) * SECOND >= self._grace
            if by_stream or exchange >= wanted + self._timeframe + self._grace:
                late.append(symbol)
        self._ask_again = clock + self._grace / SECOND
        return late

    async def _catch_up(self, symbols: Sequence[str], source: Source) -> AsyncIterator[Candle | FeedStatus]:
        """What has closed since the last bar given out. A failure is left to the next turn."""
        if not symbols:
            return
        try:
            await self._client.insist("time")
            async for event in self._fill(symbols, None, source):
                yield event
        except FeedError as error:
            log.warning("catch_up_failed feed=%s reason=%s", self.name, error)

    async def _fill(self, symbols: Sequence[str], until: int | None, source: Source) -> AsyncIterator[Candle | FeedStatus]:
        """Fetch and give out what lies before `until`, page by page, all symbols in step.

        until  open_ms, exclusive, of a bar known to exist: what is missing before it is a gap.
               None: as far as REST has it; bars missing at the end may still come
        """
        end = self._closed_until() if until is None else until
        while (start := min(self._next[symbol] for symbol in symbols)) < end:
            stop = min(start + PAGE * self._timeframe, end)
            fetched: list[Candle] = []
            for symbol in symbols:
                fetched += await self._fetch(symbol, stop, source)
            for candle in sorted(fetched, key=lambda each: (each.open_ms, self._place[each.symbol])):
                for event in self._pass(candle):
                    yield event
            if until is None and stop == end:
                return
            for symbol in symbols:
                for status in self._skip(symbol, stop, "REST has no such bars"):
                    yield status

    async def _fetch(self, symbol: str, stop: int, source: Source) -> list[Candle]:
        """The bars of a symbol from the next wanted one to `stop`; asked again while some are missing."""
        start = self._next[symbol]
        wanted = (stop - start) // self._timeframe
        found: list[Candle] = []
        for attempt in range(1, self._client.patience.attempts + 1):
            if wanted <= 0:
                break
            reply = await self._client.insist(
                "kline", category="linear", symbol=symbol, interval=self._interval, start=start, end=stop - 1, limit=PAGE
            )
            bars = parse_klines(reply, self._now(), self._timeframe, source, self._client.rejects)
            found = [each for each in bars if each.symbol == symbol and start <= each.open_ms < stop]
            if len(found) == wanted or symbol not in self._last:
                break
            if attempt < self._client.patience.attempts:
                await asyncio.sleep(self._client.delay(attempt))
        return found

    def _pass(self, candle: Candle) -> list[Candle | FeedStatus]:
        if candle.open_ms < self._next[candle.symbol]:
            return []
        events: list[Candle | FeedStatus] = [*self._skip(candle.symbol, candle.open_ms, "REST has no such bars")]
        if candle.source is Source.REPAIRED:
            self.repaired += 1
        return [*events, self._give(candle)]

    def _give(self, candle: Candle) -> Candle:
        self._at = max(self._at, candle.at)
        given = candle if candle.at == self._at else msgspec.structs.replace(candle, at=self._at)
        self._next[candle.symbol] = candle.close_ms
        self._last[candle.symbol] = given
        return given

    def _skip(self, symbol: str, until: int, why: str) -> list[FeedStatus]:
        """Give up on the bars before `until`; a symbol that never had a bar is young, it has no gap."""
        start = self._next[symbol]
        count = (until - start) // self._timeframe
        if count <= 0:
            return []
        self._next[symbol] = until
        if symbol not in self._last:
            return []
        log.warning("gap feed=%s symbol=%s from=%s bars=%d reason=%s", self.name, symbol, iso(start), count, why)
        return [self._status(self._is_up is not False, f"{symbol}: {count} bars from {iso(start)} are missing: {why}", count)]

    def _repeated(self, candle: Candle) -> None:
        self._client.rejects["candle.repeat"] += 1
        given = self._last.get(candle.symbol)
        if given is not None and given.open_ms == candle.open_ms and abs(candle.close / given.close - 1) > REVISED:
            self._client.rejects["candle.revised"] += 1
            log.warning("revised feed=%s symbol=%s open=%s was=%r is=%r", self.name, candle.symbol, iso(candle.open_ms), given.close,
                        candle.close)  # fmt: skip

    def _closed_until(self) -> int:
        """Open time of the oldest bar that is not surely closed, by the exchange's clock."""
        return (self._client.exchange_now() - self._settle) // self._timeframe * self._timeframe

    def _status(self, up: bool, detail: str, gap: int = 0) -> FeedStatus:
        self._at = max(self._at, self._now())
        return FeedStatus(at=self._at, feed=self.name, up=up, detail=detail, gap=gap)
