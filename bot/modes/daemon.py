"""Paper and the demo: a session on a market that goes on, with simulated fills, written down so that it can be had again.

A run that was interrupted goes on where it was: its recorded inputs are settled again, every decision and fill is compared with
what was written, and then the feeds take over.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bot import plan as plans
from bot.config import Config
from bot.control import Commands
from bot.errors import ConfigError
from bot.events import Command, Started, Verb
from bot.lock import Lock
from bot.modes.again import rehearse
from bot.modes.history import Market, read_market
from bot.modes.parts import Universe, build, journal_of, run_row
from bot.results import PaperResult, result_of
from bot.store.reader import Reader
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.bybit.candles import BybitCandles
from feeds.bybit.client import BybitClient
from feeds.bybit.funding import BybitFunding
from feeds.bybit.sockets import Patience
from feeds.chain.metrics import COIN_METRICS, LLAMA, STABLECOINS, ChainMetrics
from feeds.events import Event
from feeds.feed import Feed, Paced, arrivals
from feeds.news.rss import RssNews
from feeds.synth import has_market, make_market
from feeds.ticks import WallTicks
from feeds.times import DAY, SECOND, Millis, now
from strategies.engine import Plan

Show = Callable[[Event, int], None]

log = logging.getLogger(__name__)

TICK: Millis = 5 * SECOND
OFFSET: Millis = 500  # beyond this the operator should set the clock
ENVIRONMENTS = {"testnet": "testnet", "demo": "demo"}  # the others trade, or watch, the main one
CHAIN_METRICS = ("active_addresses", "exchange_netflow", "stablecoin_supply", "tvl")
DEMO_WARM_UP: Millis = 8 * DAY  # history before the demo begins


async def paper(
    config: Config,
    *,
    store: Path,
    minutes: float | None = None,
    show: Show,
    clock: Callable[[], Millis] = now,
    patience: Patience | None = None,
) -> PaperResult:
    """Trade on paper on the exchange's public data until `minutes` have passed, or somebody says stop.

    clock     of receipts, UTC milliseconds;  patience: how long the exchange is waited for
    Raises Unreachable when the exchange does not answer, AlreadyRunning when the store is taken.
    """
    exchange = config.exchange
    with Lock(store, started_ms=now(), mode="paper"):
        client = BybitClient(
            ENVIRONMENTS.get(exchange.mode, "mainnet"), rest=exchange.rest or None, ws=exchange.stream or None, clock=clock,
            patience=patience or Patience(timeout=int(exchange.timeout)),
        )  # fmt: skip
        try:
            offset = await client.ready()
            if abs(offset) > OFFSET:
                log.warning("clock_off offset_ms=%d the exchange's clock is taken instead of this machine's", offset)
            instruments = {
                symbol: plans.instrument(config, symbol, 0.0, known)
                for symbol, known in (await client.instruments(exchange.symbols)).items()
            }
            universe = Universe(exchange.symbols, int(exchange.timeframe), instruments)
            plan = plans.strategy_plan(config, universe.timeframe, CHAIN_METRICS)
            with Books(config, store, universe, plan, "paper", CHAIN_METRICS, started_at=client.exchange_now()) as books:
                books.session.bus.watch(show)
                feeds = _feeds(config, universe, client, books, store)
                return await books.trade(feeds, minutes)
        finally:
            await client.close()


async def demo(
    config: Config, *, speed: float, minutes: float | None = None, seed: int | None = None, store: Path, show: Show
) -> PaperResult:
    """Trade on paper on a synthetic market at `speed` x the clock, offline."""
    with Lock(store, started_ms=now(), mode="demo"):
        market = await asyncio.to_thread(_bundled, config, store.parent, config.demo.seed if seed is None else seed)
        history = market.history
        universe = Universe(history.symbols, history.timeframe, plans.instruments(config, history))
        plan = plans.strategy_plan(config, history.timeframe, market.metrics)
        first, end = history.span
        begin_at = first + min(DEMO_WARM_UP, (end - first) // 2)
        with Books(config, store, universe, plan, "demo", market.metrics, started_at=begin_at, fresh=True) as books:
            books.session.bus.watch(show)
            events = history.events(begin_at - (books.session.engine.warm_up + 1) * history.timeframe, None, market.others)
            market_feed = _Playback(events, speed, begin_at)
            return await books.trade((market_feed, Commands(store, clock=lambda: market_feed.reached)), minutes)


class _Playback:
    """A market that plays back, and then says stop."""

    name = "synthetic market"

    def __init__(self, events: Iterable[Event], speed: float, begin_at: Millis) -> None:
        self._paced = Paced(events, speed, name=self.name, origin=begin_at)

    @property
    def reached(self) -> Millis:
        """Its time: an order given today would never reach a bar of then."""
        return self._paced.reached

    async def stream(self) -> AsyncIterator[Event]:
        async for event in self._paced.stream():
            yield event
        yield Command(at=self.reached, id=0, verb=Verb.STOP, reason="the market has ended")


def _bundled(config: Config, folder: Path, seed: int) -> Market:
    """The market of the demo, made at first use."""
    place = folder / f"demo-market-{seed}-{config.demo.days}"
    if not has_market(place, seed, days=config.demo.days):
        make_market(place, seed, days=config.demo.days)
    files = {name: [place / f"{name}.parquet"] for name in ("funding", "metrics", "news")}
    return read_market([place / "candles"], files["funding"], files["metrics"], files["news"], None, None)


class Books:
    """A run in a store: begun, or gone on with; the session that it belongs to; and its end, whoever ends it."""

    def __init__(
        self, config: Config, store: Path, universe: Universe, plan: Plan, mode: str, metrics: Sequence[str], *,
        started_at: Millis | None = None, fresh: bool = False,
    ) -> None:  # fmt: skip
        """fresh  begin a new run even where one could go on"""
        self._config, self._universe, self._mode = config, universe, mode
        self._begun = time.perf_counter()
        self._state = "interrupted"
        self._summary: str | None = None
        self.store = Store.open(store)
        try:
            row = run_row(config, universe, mode, "", 0, {})
            known = None if fresh else self._last_like(row)
            self.run = row.id if known is None else known
            if known is None:
                begin(self.store, row)
            else:
                self._universe = universe = self._recorded(universe)
            self.journal = journal_of(self.store, self.run, universe.symbols, keep_inputs=True, merge_repeats=False)
            self.session = build(config, universe, plan, self.run, self.journal.write)
            if known is not None:
                self._go_on()
            self.session.keep_equity = self.journal.equity
        except BaseException:
            self.store.close()
            raise
        at = now() if started_at is None else started_at
        self._started = Started(at, self.run, mode, tuple(universe.instruments.values()), tuple(metrics))

    @property
    def seen_ms(self) -> Millis:
        """The oldest of the symbols' newest bar closes; negative when there is none."""
        return min(self.session.seen)

    def __enter__(self) -> "Books":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.journal.finish(self._state, now(), self._summary)
        finally:
            self.store.close()

    async def trade(self, feeds: Sequence[Feed], minutes: float | None) -> PaperResult:
        """Settle what the feeds bring until they end, the time is up, or the operator says stop."""
        with self.store.transaction():
            self.session.bus.settle(self._started)
        try:
            async with asyncio.timeout(None if minutes is None else minutes * 60), arrivals(*feeds) as events:
                await self.session.run(events, self.store)
        except TimeoutError:
            pass
        self._state = "finished"
        return self._result()

    def _last_like(self, row: Run) -> str | None:
        """The newest run of this mode if it was made of the same settings and symbols: it goes on."""
        with Reader.of(self.store) as reader:
            for run in sorted(reader.runs(), key=lambda run: run.started_ms, reverse=True):
                if run.mode == self._mode:
                    return run.id if (run.config_hash, run.symbols) == (row.config_hash, row.symbols) else None
        return None

    def _recorded(self, universe: Universe) -> Universe:
        """With the trading rules that the run began with: under others it would not decide as it did."""
        with Reader.of(self.store) as reader:
            first = next(iter(reader.inputs(self.run)), None)
        if first is None or not isinstance(first[1], Started):
            return universe
        return universe._replace(instruments={one.symbol: one for one in first[1].instruments})

    def _go_on(self) -> None:
        """Settle what was recorded again, then write on from there."""
        with Reader.of(self.store) as reader:
            rehearsal = rehearse(self.session, reader, self.run)
        if rehearsal.first is not None:
            raise ConfigError(
                f"run {self.run} cannot go on: at event {rehearsal.first.seq} this version gives {rehearsal.first.found} where "
                f"{rehearsal.first.written} was recorded; look with sluice verify {self.run}, or begin anew with another --store"
            )
        self.journal.resume()
        self.journal.seq = rehearsal.seq
        self.session.go_on(self.journal.write)

    def _result(self) -> PaperResult:
        session = self.session
        extra: dict[str, Any] = {
            "run": self.run, "mode": self._mode, "digest": self.journal.digest(), "start": self._started.at,
            "stop": max(self._started.at, self.seen_ms), "synthetic": self._mode == "demo", "factors": plans.texts(self._config),
        }  # fmt: skip
        result = result_of(session, PaperResult, extra, self._universe.timeframe, time.perf_counter() - self._begun)
        assert isinstance(result, PaperResult)
        self._summary = msgspec.json.encode(result).decode()
        return result


def _feeds(config: Config, universe: Universe, client: BybitClient, books: Books, store: Path) -> list[Feed]:
    """Everything that paper listens to, on the exchange's clock."""
    clock = client.exchange_now
    feeds: list[Feed] = [
        BybitCandles(
            universe.symbols,
            universe.timeframe,
            _history_bars(config, universe, books, clock()),
            client,
            clock,
            grace=int(config.exchange.repair),
        ),
        Commands(store, clock=clock),
        WallTicks(TICK, clock),
    ]
    wanted = config.feeds
    if wanted.tickers.on:
        feeds.append(BybitFunding(universe.symbols, client, clock, since=books.seen_ms if books.seen_ms >= 0 else None))
    if wanted.news.on:
        for kind, urls in (("news", wanted.news.urls), ("social", wanted.news.social)):
            if urls:
                feeds.append(RssNews(urls, universe.symbols, int(wanted.news.every), clock, name=kind, kind=kind))
    if wanted.chain.on:
        hosts = COIN_METRICS if wanted.chain.coin_metrics else "", *((LLAMA, STABLECOINS) if wanted.chain.defillama else ("", ""))
        feeds.append(
            ChainMetrics(universe.symbols, int(wanted.chain.every), clock, coin_metrics=hosts[0], llama=hosts[1], stablecoins=hosts[2])
        )
    return feeds


def _history_bars(config: Config, universe: Universe, books: Books, at: Millis) -> int:
    """Bars to fetch before the first live one: to warm up, or what was missed since the run stopped."""
    warm_up = max(config.feeds.warm_up, books.session.engine.warm_up + 1)
    if books.seen_ms < 0:
        return warm_up
    return max(1, min(10 * warm_up, (at - books.seen_ms) // universe.timeframe + 1))
