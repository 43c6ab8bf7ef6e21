"""On-chain and market-wide series of free providers: one Metric for each new observation or revision.

`at` is when it reached us; the period it describes never orders anything. What the range guard doubts is held back
and told as a FeedStatus, and the field goes stale rather than wrong.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple
from urllib.parse import quote

from feeds.chain.guard import Guard
from feeds.chain.parse import Observation, Rejects, by_series, parse_assets, parse_stablecoins, parse_tvl
from feeds.errors import FeedError, Unreachable
from feeds.events import FeedStatus, Metric
from feeds.http import Fetcher
from feeds.instruments import base_of
from feeds.times import DAY, HOUR, SECOND, iso, now

COIN_METRICS = "https://community-api.coinmetrics.io"
LLAMA = "https://api.llama.fi"
STABLECOINS = "https://stablecoins.llama.fi"
LIMIT = 16 << 20  # bytes: the history of all stablecoins is some megabytes
PAGES = 20
AHEAD = DAY  # a period may not start later than this after we read of it


class _Series:
    """What is known of one series: the last word on each period, and the guard."""

    def __init__(self) -> None:
        self.told: dict[int, float] = {}
        self.held: dict[int, float] = {}
        self.newest: Metric | None = None
        self.guard = Guard()


class _Provider:
    """One address to poll."""

    def __init__(self, name: str, read: Callable[[], Awaitable[list[Observation]]]) -> None:
        self.name = name
        self.read = read
        self.failures = 0
        self.due = 0.0  # loop time
        self.is_up: bool | None = None


class _Found(NamedTuple):
    observations: list[Observation]
    at: int


class ChainMetrics:
    """Active addresses and exchange net flow of each coin of the universe; total value locked; stablecoin supply.

    universe  symbols such as BTCUSDT; their metrics carry the symbol, those of the market carry none
    every     milliseconds between two polls of a provider; after failures it doubles, up to a day
    now       receipt times, milliseconds
    lookback  how far back to read at each poll: history at the start, revisions later, milliseconds
    coin_metrics, llama, stablecoins  base addresses; "" leaves a provider out
    pause     between two pages, milliseconds (Coin Metrics allows 10 requests in 6 s)
    """

    def __init__(
        self, universe: Sequence[str], every: int = HOUR, now: Callable[[], int] = now, *, lookback: int = 60 * DAY,
        coin_metrics: str = COIN_METRICS, llama: str = LLAMA, stablecoins: str = STABLECOINS, pause: int = SECOND,
        fetcher: Fetcher | None = None, chance: Callable[[], float] = random.random, name: str = "chain",
    ) -> None:  # fmt: skip
        if every <= 0:
            raise ValueError(f"polling every {every} ms: the interval must be positive")
        self.name = name
        self.rejects: Rejects = Counter()
        self.held = 0  # observations held back so far
        self.revised = 0
        self._symbols = {base_of(symbol).lower(): symbol for symbol in reversed(universe)}
        self._hosts = tuple(host.rstrip("/") for host in (coin_metrics, llama, stablecoins))
        readers = (("coinmetrics", self._read_assets), ("defillama", self._read_tvl), ("stablecoins", self._read_stablecoins))
        self._providers = [_Provider(each, read) for host, (each, read) in zip(self._hosts, readers, strict=True) if host]
        self._series: dict[tuple[str, str | None], _Series] = {}
        self._every, self._lookback, self._pause = every, lookback, pause
        self._now = now
        self._fetcher = fetcher or Fetcher(limit=LIMIT, total=30 * SECOND)
        self._chance = chance
        self._at = 0

    async def stream(self) -> AsyncIterator[Metric | FeedStatus]:
        """Metrics as they become known, oldest period first; FeedStatus when a provider goes down or comes (back) up."""
        clock = asyncio.get_running_loop().time
        try:
            while self._providers:
                for provider in self._providers:
                    if provider.due <= clock():
                        for event in self._tell(provider, await self._poll(provider)):
                            yield event
                await asyncio.sleep(max(min(provider.due for provider in self._providers) - clock(), 0.001))
        finally:
            await self._fetcher.close()

    async def _poll(self, provider: _Provider) -> _Found | FeedError:
        try:
            found: _Found | FeedError = _Found(await provider.read(), self._now())
            provider.failures = 0
            wait = self._every
        except FeedError as error:
            found = error
            provider.failures += 1
            wait = min(self._every << min(provider.failures - 1, 20), max(DAY, self._every))
        provider.due = asyncio.get_running_loop().time() + wait / SECOND * (0.9 + 0.2 * self._chance())
        return found

    async def _read_assets(self) -> list[Observation]:
        start = iso((self._now() - self._lookback) // DAY * DAY)[:10]
        address = (
            f"{self._hosts[0]}/v4/timeseries/asset-metrics?assets={quote(','.join(sorted(self._symbols)), safe=',')}"
            f"&metrics=AdrActCnt,FlowInExNtv,FlowOutExNtv&frequency=1d&start_time={start}&page_size=1000"
            "&ignore_unsupported_errors=true&ignore_forbidden_errors=true"
        )
        found: list[Observation] = []
        token = ""
        for _ in range(PAGES):
            page, token = parse_assets(await self._get(f"{address}&next_page_token={quote(token)}" if token else address), self.rejects)
            found += page
            if not token:
                break
            await asyncio.sleep(self._pause / SECOND)
        return found

    async def _read_tvl(self) -> list[Observation]:
        return parse_tvl(await self._get(f"{self._hosts[1]}/v2/historicalChainTvl"), self.rejects)

    async def _read_stablecoins(self) -> list[Observation]:
        return parse_stablecoins(await self._get(f"{self._hosts[2]}/stablecoincharts/all"), self.rejects)

    async def _get(self, address: str) -> bytes:
        page = await self._fetcher.fetch(address)
        if page.status != 200:
            raise Unreachable(f"{address}: HTTP {page.status}")
        return page.body

    def _tell(self, provider: _Provider, found: _Found | FeedError) -> list[Metric | FeedStatus]:
        if isinstance(found, FeedError):
            return [self._status(provider, False, str(found))] if provider.is_up is not False else []
        events: list[Metric | FeedStatus] = []
        if provider.is_up is not True:
            events.append(self._status(provider, True, f"{len(found.observations)} observations"))
        self._at = max(self._at, found.at)
        oldest = self._at - self._lookback
        for key, observations in by_series(found.observations).items():
            recent = [each for each in observations if oldest <= each.period <= self._at + AHEAD]
            events += self._news_of(provider, key, recent)
        return events

    def _news_of(self, provider: _Provider, key: tuple[str, str | None], observations: list[Observation]) -> list[Metric | FeedStatus]:
        """What is new in one series. After a revision of an old period the newest value is told again: the last word is current."""
        name, asset = key
        symbol = None if asset is None else self._symbols.get(asset)
        if asset is not None and symbol is None:
            return []
        series = self._series.setdefault(key, _Series())
        events: list[Metric | FeedStatus] = []
        behind = False
        for each in observations:
            if series.told.get(each.period) == each.value or series.held.get(each.period) == each.value:
                continue
            why = series.guard.refuses(each.value)
            if why:
                self.held += 1
                series.held[each.period] = each.value
                events.append(self._status(provider, True, f"held back {name} of {symbol or 'the market'} for {iso(each.period)}: {why}"))
                continue
            self.revised += each.period in series.told
            series.held.pop(each.period, None)
            series.told[each.period] = each.value
            source = f"{provider.name}:{each.status}" if each.status else provider.name
            metric = Metric(at=self._at, name=name, symbol=symbol, value=each.value, period_ms=each.period, source=source)
            events.append(metric)
            if series.newest is None or each.period >= (series.newest.period_ms or 0):
                series.newest, behind = metric, False
            else:
                behind = True
        if behind and series.newest is not None:
            newest = series.newest
            events.append(Metric(self._at, newest.name, newest.symbol, newest.value, newest.period_ms, newest.source))
        for kept in (series.told, series.held):
            for period in [period for period in kept if period < self._at - self._lookback - 2 * DAY]:
                del kept[period]
        return events

    def _status(self, provider: _Provider, up: bool, detail: str) -> FeedStatus:
        provider.is_up = up
        self._at = max(self._at, self._now())
        return FeedStatus(at=self._at, feed=f"{self.name}:{provider.name}", up=up, detail=detail)
