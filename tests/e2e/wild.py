"""Strategies drawn at random, each over a piece of real history: what must not depend on how history is cut is held against them."""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bot import plan as plans
from bot.config import load
from bot.config.tables import Config
from bot.modes.parts import Universe, build, journal_of
from bot.session import Session
from bot.store.journal import Journal
from bot.store.reader import Reader
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.bars import Bars, Block
from feeds.events import Event
from feeds.funding_files import FundingFile
from feeds.history import History, Lane, read_candles
from feeds.metric_files import MetricFile
from feeds.news_files import NewsFile
from feeds.times import DAY, HOUR, MINUTE, millis
from strategies.errors import FactorError
from strategies.factors import Node, call, const, field, parse
from strategies.factors.check import TEXT, check
from strategies.factors.operators import OPERATORS
from tests.e2e.runs import Kept, World

TABLES = ("decisions", "signals", "orders", "updates", "cancels", "fills", "funding", "refusals", "states", "equity")


class Place(NamedTuple):
    """Where bars come from: a folder of the shared data, its symbols, timeframes to trade it at, and from when to when all are there."""

    folder: str
    symbols: tuple[str, ...]
    timeframes: tuple[int, ...]
    start: str
    stop: str


PLACES = (
    Place("1m_spot_binance", ("BTCUSDT", "ETHUSDT"), (MINUTE, 3 * MINUTE, 15 * MINUTE), "2024-01-01", "2024-06-25"),
    Place("1m_perp_bybit", ("ADAUSDT", "DOGEUSDT"), (MINUTE, 5 * MINUTE), "2025-05-31", "2025-06-29"),
    Place("5m_perp_bybit", ("BTCUSDT", "ETHUSDT", "XRPUSDT", "BNBUSDT"), (5 * MINUTE, 30 * MINUTE), "2025-04-04", "2025-07-02"),
    Place("1h_perp_binance", ("BTCUSDT", "ETHUSDT", "XRPUSDT", "LTCUSDT", "ADAUSDT", "BNBUSDT", "DOGEUSDT"), (HOUR, 4 * HOUR, 12 * HOUR),
          "2023-07-01", "2025-08-01"),
    Place("1h_spot_binance_flow", ("BTCUSDT", "ETHUSDT"), (HOUR,), "2022-01-01", "2024-06-25"),
)  # fmt: skip
METRICS = ("exchange_netflow", "active_addresses", "price_usd", "transactions")
FIELDS = ("open", "high", "low", "close", "volume", "close", "close", "volume", "funding_rate", "sentiment_news", "exchange_netflow_z",
          "active_addresses")  # fmt: skip

PLAIN = ("-zscore(close, 20)", "close / delay(close, 9) - 1", "ema(close, 5) / ema(close, 20) - 1", "-ts_rank(close * volume, 12)")


AIMED = '''
from strategies.strategy import Strategy


class Drawn(Strategy):
    """Holds more of what stands further from its mean."""

    factors = {{"drawn": "{text}"}}
    target = "clip(ts_zscore(drawn, {window}) * 0.1, -{size}, {size})"
    rebalance = {every}
'''
HOOKED = '''
from strategies.strategy import FLAT, HOLD, LONG, SHORT, Bar, Side, Strategy, Targets


class Drawn(Strategy):
    """Turns with its factor, sizes it now and then, and gets out after a while."""

    factors = {{"drawn": "ts_zscore({text}, {window})"}}
    held: dict[str, int] = {{}}

    def begin(self, symbols: tuple[str, ...], timeframe: int) -> None:
        self.held = dict.fromkeys(symbols, 0)

    def decide(self, bar: Bar) -> Targets | None:
        if bar.warming:
            return None
        wanted: dict[str, Side | float] = {{}}
        for symbol in bar.symbols:
            self.held[symbol] = self.held[symbol] + 1 if bar.side(symbol) else 0
            value = bar.factor("drawn", symbol)
            if not bar.known("drawn", symbol):
                wanted[symbol] = HOLD
            elif self.held[symbol] > {most}:
                wanted[symbol] = FLAT
            elif value > 1.5:
                wanted[symbol] = {size}
            else:
                wanted[symbol] = LONG if value > 0.8 else SHORT if value < -0.8 else HOLD
        return wanted
'''


class Strategy(NamedTuple):
    """A config, and what it is run over."""

    seed: int
    changes: dict[str, Any]
    place: Place
    symbols: tuple[str, ...]
    timeframe: int
    warm_up: int
    rows: int
    holes: float
    code: str = ""

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.place.folder} {self.symbols} {self.timeframe // MINUTE}m {self.rows} rows {self.changes} {self.code}"
        )


class Books(NamedTuple):
    """What a run came to: everything that must not depend on how it was cut."""

    digest: str
    chain: str
    seq: int
    rows: dict[str, list[tuple[Any, ...]]]
    ledger: dict[str, Any]
    counts: dict[str, int]
    equity: np.ndarray


def drawn(seed: int) -> Strategy:
    """The strategy of a seed."""
    rng = random.Random(seed)
    place = rng.choice(PLACES)
    timeframe = rng.choice(place.timeframes)
    symbols = tuple(rng.sample(place.symbols, rng.randint(1, min(3, len(place.symbols)))))
    window = rng.choice((5, 12, 30, 60))
    entry = rng.choice((0.02, 0.05, 0.1, 0.2))
    changes: dict[str, Any] = {
        "strategy.factors": factors(rng, timeframe),
        "strategy.dialect": "sluice", "strategy.normalise": rng.choice(("absmax", "zscore", "rank")), "strategy.normalise_window": window,
        "strategy.entry_threshold": entry, "strategy.exit_threshold": rng.choice((0.0, entry / 2)),
        "strategy.min_confidence": rng.choice((0.0, 0.1, 0.3)),
        "strategy.signals": {name: rng.choice((0, 0, 0.1, 0.3)) for name in (
            "price_momentum", "volume_breakout", "sentiment_news", "onchain_flow")} | {"factors": rng.choice((0.1, 0.5))},
        "strategy.windows": {"momentum": rng.choice((3, 20)), "volume": rng.choice((5, 20)), "scale": window, "volatility": window,
            "story": rng.choice(("30m", "6h")), "metric": rng.choice(("6h", "3d")), "observations": 20, "least_observations": 5},
        **trading(rng), **limits(rng), **costs(rng),
    }  # fmt: skip
    changes["trading.share"] = min(changes["trading.share"], *(changes[f"risk.max_{name}"] for name in ("position_share", "gross")),
                                   changes["risk.max_order_notional"] / 150_000)  # fmt: skip
    holes = rng.choice((0.0, 0.0, 0.03))
    rows = rng.choice((350, 600, 900))
    kind = rng.random()
    code = aimed(rng, timeframe) if kind < 0.2 else hooked(rng, timeframe) if kind < 0.35 else ""
    return Strategy(seed, changes, place, symbols, timeframe, 4 * window + 120, rows, holes, code)


def aimed(rng: random.Random, timeframe: int) -> str:
    """A strategy file that says how much to hold."""
    return AIMED.format(
        text=rng.choice((factor(rng, timeframe), *PLAIN)),
        window=rng.choice((5, 30)),
        size=rng.choice((0.05, 0.3)),
        every=rng.choice((1, 1, 7)),
    )


def hooked(rng: random.Random, timeframe: int) -> str:
    """A strategy file with a hook that remembers."""
    return HOOKED.format(text=rng.choice((factor(rng, timeframe), *PLAIN)), window=rng.choice((5, 30)), most=rng.choice((3, 20)),
                         size=rng.choice((0.1, 0.4)))  # fmt: skip


def trading(rng: random.Random) -> dict[str, Any]:
    """From a decision to an order."""
    return {
        "trading.sizing": rng.choice(("fixed", "fixed", "volatility", "notional")), "trading.notional": rng.choice((2_000, 8_000)),
        "trading.share": rng.choice((0.05, 0.3, 1.5)),
        "trading.target_volatility": rng.choice((0.05, 0.5)), "trading.reversal": rng.choice(("flip", "flat")),
        "trading.long_only": rng.random() < 0.2, "trading.order_type": rng.choice(("market", "market", "limit")),
        "trading.limit_offset_bps": rng.choice((0, 2, 30)), "trading.post_only": rng.random() < 0.3,
        "trading.limit_bars": rng.choice((1, 3, 8)), "trading.stop_loss": rng.choice((0, 0.002, 0.01, 0.03)),
        "trading.take_profit": rng.choice((0, 0.003, 0.02)), "trading.cool_down_bars": rng.choice((0, 1, 7)),
        "trading.max_bars": rng.choice((0, 0, 5, 40)),
        "trading.rebalance_band": rng.choice((0.01, 0.0, 0.1)),
    }  # fmt: skip


def limits(rng: random.Random) -> dict[str, Any]:
    """What no order may pass; mostly wide, now and then so narrow that it bites."""
    wide = {
        "account.cash": 100_000, "risk.max_order_notional": 1_000_000, "risk.max_position_share": 3, "risk.max_gross": 5,
        "risk.max_leverage": 10, "risk.max_order_share": 5, "risk.collar": 0.3,
        "risk.daily_loss": 0.9, "risk.max_drawdown": 0.9, "risk.orders_per_day": 10_000,
        "risk.round_trips_per_hour": 1_000,
    }  # fmt: skip
    tight: dict[str, Any] = {
        "risk.max_order_notional": 9_000, "risk.max_position_share": 0.12, "risk.max_gross": 0.3, "risk.daily_loss": 0.004,
        "risk.max_drawdown": 0.01, "risk.orders_per_day": 6, "risk.round_trips_per_hour": 1, "risk.orders_per_minute": 1,
        "risk.drawdown_flattens": False,
    }  # fmt: skip
    chosen = wide | {name: tight[name] for name in rng.sample(sorted(tight), rng.choice((0, 0, 1, 2)))}
    return chosen | {"risk.max_position_share": min(chosen["risk.max_position_share"], chosen["risk.max_gross"])}


def costs(rng: random.Random) -> dict[str, Any]:
    """What a trade costs, and how it meets the market."""
    return {
        "costs.taker_bps": rng.choice((2, 5.5, 15)), "costs.maker_bps": rng.choice((-1, 2)),
        "costs.spread_bps": rng.choice((0, 4)), "costs.slippage_bps": rng.choice((0, 1)), "costs.impact": rng.choice((0, 100)),
        "execution.latency_ms": rng.choice((0, 250, 60_000, 600_000)), "execution.volume_share": rng.choice((0.00001, 0.01, 1)),
    }  # fmt: skip


def factors(rng: random.Random, timeframe: int) -> dict[str, str]:
    """Some that anybody would write, most that nobody would."""
    return {f"f{i}": factor(rng, timeframe) if rng.random() < 0.7 else rng.choice(PLAIN) for i in range(rng.randint(1, 3))}


def factor(rng: random.Random, timeframe: int) -> str:
    """A legal text over the whole table of operators, that reads something."""
    while True:
        node = tree(rng, rng.randint(1, 4))
        try:
            check(node, TEXT)
            if node.inputs() and len(node.text) <= 500 and parse(node.text, timeframe=timeframe, fields=set(FIELDS)) is node:
                return node.text
        except FactorError:
            pass


def tree(rng: random.Random, depth: int) -> Node:
    """Any operator over any others."""
    if depth == 0 or rng.random() < 0.15:
        return field(rng.choice(FIELDS))
    if rng.random() < 0.07:
        return const(rng.choice((0.0, 1.0, -1.0, 0.5, 2.0, 1e-3)))
    row = OPERATORS[rng.choice(sorted(OPERATORS))]
    series = [tree(rng, depth - 1) for _ in range(row.series)]
    numbers = [rng.randint(int(max(1, p.least)), int(max(1, p.least)) + 19) if p.whole else
               rng.choice([v for v in (0.0, 0.5, 1.0, 2.0, 3.5) if v >= p.least]) for p in row.params]  # fmt: skip
    try:
        return call(row.name, *series, *numbers)
    except FactorError:
        return series[0] if series else field("close")


@lru_cache(maxsize=16)
def whole(data: Path, folder: str, timeframe: int) -> History:
    """All bars of a folder."""
    place = next(place for place in PLACES if place.folder == folder)
    return read_candles([data / "candles" / folder / f"{symbol}.parquet" for symbol in place.symbols], place.symbols, timeframe)


@lru_cache(maxsize=32)
def told(data: Path, symbols: tuple[str, ...]) -> tuple[tuple[str, list[Event]], ...]:
    """Everything that became known beside the bars, in order."""
    return (
        ("metrics", list(MetricFile([data / "onchain/coinmetrics_daily.parquet"], symbols).events())),
        ("news", list(NewsFile([data / "news/gdelt_crypto_titles.parquet"], symbols).events())),
        ("funding", list(FundingFile([data / "derivs/funding_rates.parquet"], symbols, None).events())),
    )


def market(strategy: Strategy, data: Path) -> World:
    """Its piece of history, with holes where it is to have some."""
    rng = np.random.default_rng(strategy.seed)
    place, timeframe = strategy.place, strategy.timeframe
    bars = whole(data, place.folder, timeframe)
    low, high = millis(place.start) // timeframe, millis(place.stop) // timeframe
    rows = min(strategy.warm_up + strategy.rows, high - low)
    first = int(rng.integers(low, high - rows + 1))
    lanes = {}
    for symbol in strategy.symbols:
        lane = bars.lanes[bars.symbols.index(symbol)]
        kept = (lane.numbers >= first) & (lane.numbers < first + rows) & (rng.random(lane.numbers.size) >= strategy.holes)
        kept |= (lane.numbers == first) | (lane.numbers == first + rows - 1)
        lanes[symbol] = Lane(lane.numbers[kept], tuple(column[kept] for column in lane.columns))
    begins, ends = first * timeframe - 3 * DAY, (first + rows) * timeframe
    others = [
        Kept(name, events[bisect_left(events, begins, key=lambda e: e.at) : bisect_right(events, ends, key=lambda e: e.at)],
             after_candles=name == "funding")
        for name, events in told(data, tuple(sorted(strategy.symbols)))
    ]  # fmt: skip
    return World(History(timeframe, lanes), tuple(others))


def settings(strategy: Strategy) -> Config:
    config = load(None, {}, strategy.changes).config
    if strategy.code:
        own = msgspec.structs.replace(config.strategy, code=strategy.code, file="drawn.py", factors={})
        config = msgspec.structs.replace(config, strategy=own)
    return config


def plug(strategy: Strategy, history: History, tap: Any) -> Session:
    """A session of the strategy with the instruments of its history."""
    config = settings(strategy)
    universe = Universe(history.symbols, history.timeframe, plans.instruments(config, history))
    return build(config, universe, plans.strategy_plan(config, history.timeframe, METRICS), "test", tap)


def recut(block: Block, edges: Sequence[int]) -> Iterator[Block]:
    """One block as several, cut before these rows."""
    bars, others = block
    ends = [*sorted({edge for edge in edges if 0 < edge < bars.rows}), bars.rows]
    taken = 0
    for a, b in pairwise([0, *ends]):
        inside = []
        while taken < len(others) and (others[taken][0] < b or b == bars.rows):
            inside.append((others[taken][0] - a, others[taken][1]))
            taken += 1
        yield Block(Bars(bars.symbols, bars.timeframe, bars.first + a, bars.values[a:b], bars.source), inside)


def replayed(strategy: Strategy, world: World, *, edges: Sequence[int] = (), step: bool = False) -> Books:
    """Run it over blocks that are cut before the rows `edges`, stopping only where it must, or at every bar."""
    history = world.history
    with Store.open() as store:
        journal = _books(store, history)
        session = plug(strategy, history, journal.write)
        session.begin(_since(strategy, history))
        (block,) = history.blocks(history.rows, others=world.others)
        session.replay(recut(block, edges), store, journal, step=step)
        with store.transaction():
            journal.close()
        return _came_to(session, store, journal)


def lived(strategy: Strategy, world: World) -> Books:
    """Settle the same history event by event, as paper does."""
    history = world.history
    with Store.open() as store:
        journal = _books(store, history)
        session = plug(strategy, history, journal.write)
        since = _since(strategy, history)
        session.begin(since)
        with store.transaction():
            for event in world.events():
                if event.at > since:
                    session.settle(event)
                else:
                    heard(session, event)
            journal.close()
        return _came_to(session, store, journal)


def complete(history: History) -> bool:
    """Whether no symbol lacks a bar that another has: live waits for it, and may then be too late to act."""
    return all(np.array_equal(lane.numbers, history.lanes[0].numbers) for lane in history.lanes)


def heard(session: Session, event: Event) -> None:
    """What was known before the session began only warms its engine up."""
    engine = session.engine
    if getattr(event, "open_ms", None) is not None:
        engine.on_candle(event)  # type: ignore[arg-type]
    else:
        engine.on_known(event)


def _books(store: Store, history: History) -> Journal:
    begin(store, Run(id="test", mode="replay", started_ms=0, symbols=history.symbols, timeframe=history.timeframe))
    return journal_of(store, "test", history.symbols, keep_inputs=False, merge_repeats=True)


def _since(strategy: Strategy, history: History) -> int:
    return (history.first + strategy.warm_up) * history.timeframe


def _came_to(session: Session, store: Store, journal: Journal) -> Books:
    rows = {}
    for name in TABLES:
        columns = [row[1] for row in store.conn.execute(f"PRAGMA table_info({name})") if row[1] != "id" or name != "decisions"]
        order = "bar_ms" if name == "equity" else "id" if name == "signals" else "seq"
        listed = ", ".join(f'"{column}"' for column in columns)
        rows[name] = store.conn.execute(f"SELECT {listed} FROM {name} ORDER BY {order}").fetchall()
    ledger = session.ledger
    money: dict[str, Decimal] = {name: getattr(ledger, name) for name in ("cash", "fees", "funding", "slippage")}
    held = [repr(row) for row in Reader.of(store).positions("test")]
    return Books(
        journal.digest(), journal.chain.hex(), journal.seq, rows, {**money, "equity": ledger.equity(), "held": held},
        {name: count for name, count in session.counts.items() if count and name not in ("Metric", "News", "Funding")},
        session.tape.record(session.engine._timeframe).equity,
    )  # fmt: skip


def differences(one: Books, other: Books) -> list[str]:
    """What two runs differ in, for people; empty where they are the same to the last digit of every row."""
    said = []
    for name, rows in one.rows.items():
        theirs = other.rows[name]
        if rows != theirs:
            place = next((i for i, (a, b) in enumerate(zip(rows, theirs, strict=False)) if a != b), min(len(rows), len(theirs)))
            said.append(f"{name}: {len(rows)} and {len(theirs)} rows, first {rows[place : place + 1]} and {theirs[place : place + 1]}")
    for name in ("digest", "chain", "seq", "ledger", "counts"):
        if getattr(one, name) != getattr(other, name):
            said.append(f"{name}: {getattr(one, name)} and {getattr(other, name)}")
    if not np.array_equal(one.equity, other.equity, equal_nan=True):
        said.append("the curves of equity differ")
    return said


def cuts(strategy: Strategy, rows: int, kind: int) -> list[int]:
    """Where to cut: a few places, many places, or places next to one another."""
    rng = random.Random(strategy.seed * 7 + kind)
    if kind == 0:
        return sorted(rng.sample(range(1, rows), min(rows - 1, rng.randint(1, 9))))
    if kind == 1:
        return sorted(rng.sample(range(1, rows), rows // 3))
    start = rng.randint(1, rows - 40)
    return list(range(start, start + 40))
