"""Funding settlements, soon after they happen: each once, in order for each symbol, with the mark price they were paid at.

Bybit settles on the hour, and may change a symbol's interval at any time. So every symbol is asked after every
full hour, and again and again when its usual interval says that a settlement must be there.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from feeds.bybit.client import BybitClient
from feeds.bybit.messages import parse_funding, parse_mark
from feeds.errors import FeedError
from feeds.events import FeedStatus, Funding
from feeds.instruments import Instrument
from feeds.times import DAY, HOUR, SECOND

log = logging.getLogger(__name__)

WINDOW = 199 * HOUR  # 200 settlements fit in one reply, even hourly ones


class BybitFunding:
    """Funding of linear perpetuals.

    now    receipt times, milliseconds; None: the client's clock
    since  settlements later than this, milliseconds; None: those after the stream began
    lag    how long after the hour to ask, and between two questions for a settlement that is due
    poll   how often to look at the clock
    """

    def __init__(
        self, symbols: Sequence[str], client: BybitClient, now: Callable[[], int] | None = None, *,
        since: int | None = None, lag: int = 15 * SECOND, poll: int = 5 * SECOND, name: str = "bybit.funding",
    ) -> None:  # fmt: skip
        self.name = name
        self._symbols = tuple(symbols)
        self._client = client
        self._now = now or client.now
        self._since, self._lag, self._poll = since, lag, poll
        self._seen: dict[str, int] = {}  # newest settlement given out
        self._ask_at: dict[str, int] = {}  # exchange time of the next question
        self._rules: dict[str, Instrument] = {}
        self._at = 0

    async def stream(self) -> AsyncIterator[Funding | FeedStatus]:
        """Settlements as they become known, and FeedStatus when they cannot be had.

        Raises Unreachable when the exchange does not answer at the start; later it waits for it.
        """
        await self._client.ready()
        self._rules = await self._client.instruments(self._symbols)
        begin = self._client.exchange_now() if self._since is None else self._since
        self._seen = dict.fromkeys(self._symbols, begin)
        self._ask_at = dict.fromkeys(self._symbols, 0)
        is_up = True
        while True:
            for symbol in self._symbols:
                if self._client.exchange_now() < self._ask_at[symbol]:
                    continue
                try:
                    found = await self._ask(symbol)
                except FeedError as error:
                    if is_up:
                        is_up = False
                        yield self._status(False, f"{symbol}: {error}")
                    break
                if not is_up:
                    is_up = True
                    yield self._status(True, "answers again")
                for funding in found:
                    yield funding
            await asyncio.sleep(self._poll / SECOND)

    async def _ask(self, symbol: str) -> list[Funding]:
        clock = self._client.exchange_now()
        self._ask_at[symbol] = clock + self._lag  # stands after a failure, too
        found = await self._settled(symbol, clock)
        interval = self._rules[symbol].funding_ms
        if self._seen[symbol] // interval >= (clock - self._lag) // interval:
            self._ask_at[symbol] = (clock // HOUR + 1) * HOUR + self._lag
        return [self._stamped(each) for each in found]

    async def _settled(self, symbol: str, clock: int) -> list[Funding]:
        """The settlements of a symbol that were not given out yet; the day before tells the first one's interval."""
        found: dict[int, Funding] = {}
        start = self._seen[symbol] - DAY
        while start <= clock:
            stop = min(start + WINDOW, clock)
            reply = await self._client.insist("funding/history", category="linear", symbol=symbol, startTime=start, endTime=stop, limit=200)
            for funding in parse_funding(reply, self._now(), self._client.rejects):
                if funding.symbol == symbol and funding.settle_ms > self._seen[symbol]:
                    found[funding.settle_ms] = funding
            start = stop + 1
        settled = [await self._with_mark(found[when]) for when in sorted(found)]
        if settled:
            self._seen[symbol] = settled[-1].settle_ms
        return settled

    async def _with_mark(self, funding: Funding) -> Funding:
        interval = funding.interval_ms or self._rules[funding.symbol].funding_ms
        when = funding.settle_ms
        try:
            reply = await self._client.ask(
                "mark-price-kline", category="linear", symbol=funding.symbol, interval="1", start=when, end=when, limit=1
            )
        except FeedError as error:
            log.info("no_mark feed=%s symbol=%s settle_ms=%d reason=%s", self.name, funding.symbol, when, error)
            return msgspec.structs.replace(funding, interval_ms=interval)
        return msgspec.structs.replace(funding, interval_ms=interval, mark=parse_mark(reply, when, self._client.rejects))

    def _stamped(self, funding: Funding) -> Funding:
        self._at = max(self._at, funding.at)
        return msgspec.structs.replace(funding, at=self._at)

    def _status(self, up: bool, detail: str) -> FeedStatus:
        self._at = max(self._at, self._now())
        return FeedStatus(at=self._at, feed=self.name, up=up, detail=detail)
