"""Runs in memory over made-up history, so that a test can hold two of them against each other."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from bot.config import load
from bot.config.tables import Config
from bot.modes.parts import Universe, build, journal_of
from bot.plan import strategy_plan
from bot.session import Session
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.events import Event, Funding, News
from feeds.history import History
from feeds.instruments import Instrument
from feeds.times import HOUR, MINUTE
from tests.builders import START, metric, story, walk

FACTORS = {"mom": "momentum_30", "rev": "-zscore(close, 20)", "flow": "exchange_netflow * sign(returns)"}
SHORT = {
    "strategy.factors": FACTORS, "strategy.normalise_window": 60, "strategy.windows": {"momentum": 15, "volume": 10, "scale": 60,
    "volatility": 60, "story": "30m", "metric": "2h", "observations": 10, "least_observations": 3}, "trading.cool_down_bars": 3,
    "account.cash": 100_000, "risk.max_order_notional": 50_000,
}  # fmt: skip


class Kept:
    """Stored events as a feed of a history."""

    def __init__(self, name: str, events: Sequence[Event], *, after_candles: bool = False) -> None:
        self.name, self.after_candles = name, after_candles
        self._events = sorted(events, key=lambda event: event.at)

    def events(self) -> Iterator[Event]:
        return iter(self._events)


class World(NamedTuple):
    """A history and what became known beside it."""

    history: History
    others: tuple[Kept, ...]

    def events(self) -> Iterator[Event]:
        return self.history.events(others=self.others)


class Done(NamedTuple):
    """What a run came to: everything that must not depend on how it was cut."""

    digest: str
    chain: str
    seq: int
    rows: dict[str, list[tuple[Any, ...]]]
    cash: Decimal
    equity: np.ndarray
    counts: dict[str, int]


def world(rows: int = 600, symbols: int = 2, seed: int = 1, *, holes: float = 0.0, scale: float = 0.002) -> World:
    """A random market of one-minute bars with stories, metrics and hourly funding."""
    rng = np.random.default_rng(seed)
    names = ("BTCUSDT", "ETHUSDT", "SOLUSDT")[:symbols]
    closes = walk(rows, seed, symbols, scale)
    opens = np.vstack([closes[:1], closes[:-1]]) * np.exp(rng.normal(0, scale / 5, closes.shape))
    reach = np.abs(rng.normal(0, scale, (2, *closes.shape)))
    high, low = np.maximum(opens, closes) * (1 + reach[0]), np.minimum(opens, closes) * (1 - reach[1])
    volume = rng.exponential(5_000, closes.shape)
    series = {}
    for place, name in enumerate(names):
        kept = rng.random(rows) >= holes
        kept[0] = kept[-1] = True
        at = START + MINUTE * np.flatnonzero(kept)
        columns = [column[kept, place] for column in (opens, high, low, closes, volume)]
        series[name] = (at, [*columns, np.full(at.size, np.nan)])
    end = rows * MINUTE
    told = START + rng.integers(-HOUR, end, rows // 20)
    seen = START + rng.integers(-HOUR, end, rows // 30)
    stories = [_story(names, i, int(at), float(rng.uniform(-1, 1))) for i, at in enumerate(told)]
    observed = [metric("exchange_netflow", float(rng.normal()), int(at), names[i % symbols]) for i, at in enumerate(seen)]
    paid = [Funding(at=at, symbol=name, settle_ms=at, rate=float(rng.normal(0, 1e-4)), interval_ms=HOUR)
            for at in range(START + HOUR, START + end + 1, HOUR) for name in names]  # fmt: skip
    history = History.from_arrays(MINUTE, series)
    return World(history, (Kept("metrics", observed), Kept("news", stories), Kept("funding", paid, after_candles=True)))


def _story(names: tuple[str, ...], i: int, at: int, sentiment: float) -> News:
    about = (names[i % len(names)],) if i % 3 else ()
    return story(sentiment, at, symbols=about, id=f"s{i}", kind="social" if i % 4 == 0 else "news")


def settings(**changes: Any) -> Config:
    """The defaults with short windows, and what the test changes: dots are written as two underscores."""
    return load(None, {}, SHORT | {name.replace("__", "."): value for name, value in changes.items()}).config


def plug(config: Config, symbols: tuple[str, ...], tap: Any) -> Session:
    """A session with plain instruments."""
    instruments = {
        name: Instrument(
            symbol=name, tick=Decimal("0.01"), lot=Decimal("0.001"), least_quantity=Decimal("0.001"), least_notional=Decimal(5)
        )
        for name in symbols
    }
    universe = Universe(symbols, MINUTE, instruments)
    return build(config, universe, strategy_plan(config, MINUTE, ("exchange_netflow",)), "test", tap)


def replayed(config: Config, market: World, *, block: int = 4096, step: bool = False) -> Done:
    """Run it in blocks, stopping only where it must, or at every bar."""
    history = market.history
    with Store.open() as store:
        begin(store, Run(id="test", mode="replay", started_ms=0, symbols=history.symbols))
        journal = journal_of(store, "test", history.symbols, keep_inputs=False, merge_repeats=True)
        session = plug(config, history.symbols, journal.write)
        session.begin(history.span[0])
        session.replay(history.blocks(block, others=market.others), store, journal, step=step)
        with store.transaction():
            journal.close()
        return _done(session, store, journal)


def lived(config: Config, market: World) -> Done:
    """Settle the same history event by event, as paper does."""
    history = market.history
    with Store.open() as store:
        begin(store, Run(id="test", mode="replay", started_ms=0, symbols=history.symbols))
        journal = journal_of(store, "test", history.symbols, keep_inputs=False, merge_repeats=True)
        session = plug(config, history.symbols, journal.write)
        session.begin(history.span[0])
        with store.transaction():
            for event in market.events():
                if event.at > history.span[0]:
                    session.settle(event)
                else:
                    session.engine.on_known(event)
            journal.close()
        return _done(session, store, journal)


def _done(session: Session, store: Store, journal: Any) -> Done:
    tables = ("decisions", "orders", "updates", "fills", "funding", "refusals", "states", "cancels")
    rows = {name: store.conn.execute(f"SELECT * FROM {name} ORDER BY seq").fetchall() for name in tables}
    return Done(
        journal.digest(), journal.chain.hex(), journal.seq, rows, session.ledger.cash, session.tape.record(MINUTE).equity,
        {name: session.counts[name] for name in ("Candle", "BarClosed", "Decision", "Fill", "OrderRequest", "Refusal", "FundingPaid")},
    )  # fmt: skip


def same(one: Done, other: Done) -> None:
    """They are the same, to the last digit of every row."""
    assert one.counts == other.counts
    for name, rows in one.rows.items():
        assert len(rows) == len(other.rows[name]), name
        for mine, theirs in zip(rows, other.rows[name], strict=True):
            assert mine == theirs, name
    assert (one.digest, one.chain, one.seq, one.cash) == (other.digest, other.chain, other.seq, other.cash)
    np.testing.assert_array_equal(one.equity, other.equity)
