"""Strategies of one's own in whole runs: cut anywhere, stepped, lived event by event, restarted, verified, and told apart when changed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.config import load
from bot.config.tables import Config
from bot.modes import demo, paper, verify
from bot.store.reader import Reader
from feeds.times import MINUTE
from strategies.errors import StrategyError
from tests.e2e.runs import World, lived, replayed, same, settings, world
from tests.e2e.test_paper import HISTORY, LIVE, SYMBOLS, TABLE, decisions, fills
from tests.e2e.test_paper import config as paper_config
from tests.fakes.bybit import FakeBybit
from tests.feeds.bybit.market import QUICK

EXAMPLES = Path(__file__).parents[2] / "strategies" / "examples"
SHORT: dict[str, dict[str, Any]] = {  # windows that fit into a few hundred bars
    "fusion": {"momentum": 60, "volume": 10, "scale": 240},
    "momentum": {"slow": 60, "fast": 15, "entry": 0.2},
    "mean_reversion": {"window": 30, "entry": 1.2, "patience": 25},
    "multi_source": {"move": 12, "scale": 48},
    "cross_section": {"look_back": 48, "skip": 2, "every": 5, "least": 2},
}
WIDE = {
    "risk__max_position_share": 2, "risk__max_gross": 5, "risk__max_leverage": 10, "risk__orders_per_minute": 1000, "risk__daily_loss": 0.9,
    "risk__max_drawdown": 0.9, "risk__round_trips_per_hour": 1000, "risk__orders_per_day": 100_000, "risk__max_order_notional": 10_000_000,
}  # fmt: skip
REMEMBERS = '''
from strategies.strategy import FLAT, LONG, SHORT, Bar, Parameter, Strategy, Target, Targets


class Remembers(Strategy):
    """Trades by the sign of a sum that it has kept since its first bar."""

    every: int = Parameter(3, low=1, high=60)
    factors = {"move": "close / delay(close, 5) - 1"}
    contributions = ("sum", "beat")
    rules = {"cool_down_bars": 0, "stop_loss": 0.02}
    total: dict[str, float] = {}
    beats: int = 0

    def begin(self, symbols: tuple[str, ...], timeframe: int) -> None:
        self.total = dict.fromkeys(symbols, 0.0)

    def decide(self, bar: Bar) -> Targets | None:
        self.beats += 1
        for symbol in bar.symbols:
            if bar.known("move", symbol):
                self.total[symbol] = 0.9 * self.total[symbol] + bar.factor("move", symbol)
        if self.beats % self.every:
            return None
        wanted: dict[str, float | Target] = {}
        for place, symbol in enumerate(bar.symbols):
            total = self.total[symbol]
            if place % 2:
                wanted[symbol] = round(max(-0.3, min(0.3, 20.0 * total)), 3)
            else:
                side = LONG if total > 0.002 else SHORT if total < -0.002 else FLAT
                wanted[symbol] = side if side is FLAT else Target(side, parts={"sum": 0.5 if total > 0 else -0.5, "beat": 0.0})
        return wanted
'''


@pytest.fixture(scope="module")
def whole() -> World:
    return world(400, 3, seed=3)


@pytest.fixture(scope="module")
def holed() -> World:
    return world(400, 3, seed=4, holes=0.02)


def own(source: str, **changes: Any) -> Config:
    given = {"strategy__code": source, "strategy__file": "mine.py", "strategy__factors": {}, **WIDE, **changes}
    return settings(**given)


def example(name: str, **changes: Any) -> Config:
    return own((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"), strategy__parameters=SHORT[name], **changes)


@pytest.mark.parametrize("name", ["remembers", *sorted(SHORT)])
def test_cuts_and_steps_give_the_same_run(name: str, holed: World) -> None:
    config = own(REMEMBERS) if name == "remembers" else example(name)
    reference = replayed(config, holed)
    assert reference.counts["Fill"] > 5
    for block in (1, 37):
        same(replayed(config, holed, block=block), reference)
    same(replayed(config, holed, step=True, block=64), reference)


@pytest.mark.parametrize("name", ["remembers", *sorted(SHORT)])
def test_single_events_give_the_same_run(name: str, whole: World) -> None:
    config = own(REMEMBERS) if name == "remembers" else example(name)
    same(lived(config, whole), replayed(config, whole))


def paper_settings(fake: FakeBybit, source: str) -> Config:
    base = paper_config(fake)
    text = load(None, {}, {"strategy.code": source, "strategy.file": "mine.py", "trading.cool_down_bars": 0}).config
    import msgspec

    strategy = msgspec.structs.replace(base.strategy, factors={}, code=source, file="mine.py")
    return msgspec.structs.replace(base, strategy=strategy, trading=text.trading)


async def session(fake: FakeBybit, store: Path, bars: int, source: str) -> None:
    """Paper for so many bars of the exchange, then cut off as by a signal."""
    last = fake.start + (fake.bar + bars) * MINUTE
    closes: dict[int, int] = {}

    def show(event: Any, number: int) -> None:
        if type(event).__name__ == "Decision":
            closes[event.bar_ms] = closes.get(event.bar_ms, 0) + 1

    work = asyncio.create_task(paper(paper_settings(fake, source), store=store, show=show, clock=lambda: fake.now, patience=QUICK))
    try:
        connects = fake.connects
        async with asyncio.timeout(20):
            while fake.connects == connects or not fake.subscribed:
                assert not work.done(), work.result()
                await asyncio.sleep(0.01)
            for _ in range(bars):
                await fake.advance(1, 0.01)
            while closes.get(last, 0) < len(SYMBOLS):
                assert not work.done(), work.result()
                await asyncio.sleep(0.01)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_a_paper_session_that_was_cut_off_remembers_what_it_had_seen(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.db", tmp_path / "cut.db"
    async with FakeBybit(TABLE, start=START_OF_FAKE) as fake:
        await session(fake, whole, LIVE, REMEMBERS)
    async with FakeBybit(TABLE, start=START_OF_FAKE) as fake:
        await session(fake, cut, 25, REMEMBERS)
        await session(fake, cut, LIVE - 25, REMEMBERS)
    assert len(decisions(whole)) == LIVE * len(SYMBOLS)
    assert decisions(cut) == decisions(whole)
    assert fills(cut) == fills(whole) and len(fills(whole)) > 3
    with Reader.open(cut) as reader:
        assert len(reader.runs()) == 1
    assert verify(cut).ok and verify(whole).ok


async def test_another_source_is_another_run(tmp_path: Path) -> None:
    store = tmp_path / "paper.db"
    async with FakeBybit(TABLE, start=START_OF_FAKE) as fake:
        await session(fake, store, 5, REMEMBERS)
        await session(fake, store, 5, REMEMBERS.replace("0.9 *", "0.8 *"))
    with Reader.open(store) as reader:
        assert len(reader.runs()) == 2
    assert verify(store).ok


START_OF_FAKE = TABLE[SYMBOLS[0]][0][0] + HISTORY * MINUTE


async def test_an_error_in_a_hook_ends_the_session_in_order(tmp_path: Path) -> None:
    fails = "        self.traded += not bar.warming\n        if self.traded == 200:\n            self.total['X'] += 1.0\n"
    source = REMEMBERS.replace("beats: int = 0\n", "beats: int = 0\n    traded: int = 0\n").replace(
        "self.beats += 1\n", f"self.beats += 1\n{fails}"
    )
    text = load(None, {}, {"strategy.code": source, "strategy.file": "mine.py", "demo.days": 1, "exchange.symbols": ["BTCUSDT"]}).config
    store = tmp_path / "demo.db"
    with pytest.raises(StrategyError, match=r"^mine\.py:23  KeyError: 'X', at the bar that closed .*Z$"):
        await demo(text, speed=100_000, store=store, show=lambda event, number: None)
    with Reader.open(store) as reader:
        assert reader.run("last").state == "interrupted"
    assert verify(store).ok


DECLARED = '''
from strategies.strategy import Strategy


class Cross(Strategy):
    """Always in the market, on the side of the faster mean."""

    factors = {"fast": "ts_mean(close, 5)", "slow": "ts_mean(close, 20)"}
    score = "sign(fast - slow)"
    rules = {"stop_loss": 0, "cool_down_bars": 0}
'''
HOOKED = DECLARED.replace(
    '    score = "sign(fast - slow)"\n',
    """
    def decide(self, bar: Bar) -> Targets | None:
        wanted = {}
        for symbol in bar.symbols:
            fast, slow = bar.factor("fast", symbol), bar.factor("slow", symbol)
            wanted[symbol] = LONG if fast > slow else SHORT if fast < slow else HOLD
        return wanted

""",
).replace("import Strategy", "import HOLD, LONG, SHORT, Bar, Strategy, Targets")


def test_what_is_declared_and_what_a_hook_says_trade_alike(holed: World) -> None:
    one, other = (replayed(own(source), holed) for source in (DECLARED, HOOKED))
    assert one.rows["orders"] == other.rows["orders"] and len(one.rows["orders"]) > 20
    assert one.rows["fills"] == other.rows["fills"] and one.cash == other.cash
