"""Paper against a Bybit on loopback through the real client: decided again, killed, started again, and fed with faults."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bot.config.tables import Config
from bot.modes import paper, verify
from bot.store.reader import Reader
from feeds.errors import Unreachable
from feeds.events import Candle, Event
from feeds.times import MINUTE, now
from strategies.events import Decision
from tests.builders import START, walk
from tests.e2e.runs import settings
from tests.fakes import bybit
from tests.fakes.bybit import FakeBybit, Fault
from tests.feeds.bybit.market import QUICK

ROOT = Path(__file__).parents[2]
SYMBOLS = ("BTCUSDT", "ETHUSDT")
HISTORY, LIVE = 200, 60
TABLE = {
    symbol: [
        (START + row * MINUTE, open_, max(open_, close) * 1.0005, min(open_, close) * 0.9995, close, 5_000.0)
        for row, (open_, close) in enumerate(zip([path[0], *path], path, strict=False))
    ]
    for symbol, path in ((name, walk(HISTORY + 3 * LIVE, seed, 1, 0.003)[:, 0].tolist()) for seed, name in enumerate(SYMBOLS, 2))
}


def config(fake: FakeBybit) -> Config:
    """Short windows and low thresholds; its minutes last some ten milliseconds, so nothing counts as too late."""
    return settings(
        exchange__rest=fake.rest, exchange__stream=fake.ws, exchange__symbols=list(SYMBOLS), exchange__repair="20ms",
        exchange__late="59s", exchange__stale="12h", feeds__news={"on": False}, feeds__chain={"on": False},
        strategy__factors={"reversal": "-zscore(close, 20)", "trend": "momentum_30"}, strategy__entry_threshold=0.1,
        strategy__exit_threshold=0.05, strategy__min_confidence=0.2,
    )  # fmt: skip


async def session(fake: FakeBybit, store: Path, bars: int, seen: list[Event] | None = None, pause: float = 0.01) -> None:
    """Run paper while the exchange goes on for so many bars; then it is cut off, as by a signal."""
    closes: dict[int, int] = {}
    wanted = fake.bar + bars

    def show(event: Event, number: int) -> None:
        if seen is not None:
            seen.append(event)
        if isinstance(event, Decision):
            closes[event.bar_ms] = closes.get(event.bar_ms, 0) + 1

    work = asyncio.create_task(paper(config(fake), store=store, show=show, clock=lambda: fake.now, patience=QUICK))
    try:
        connects = fake.connects
        async with asyncio.timeout(20):
            while fake.connects == connects or not fake.subscribed:
                assert not work.done(), work.result()
                await asyncio.sleep(0.01)
        for _ in range(bars):
            await fake.advance(1, pause)
        last = fake.start + wanted * MINUTE
        async with asyncio.timeout(20):
            while closes.get(last, 0) < len(SYMBOLS):
                assert not work.done(), work.result()
                await asyncio.sleep(0.01)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def decisions(store: Path) -> list[tuple[int, str, str]]:
    with Reader.open(store) as reader:
        return [(row.first.bar_ms, row.first.symbol, row.first.digest) for row in reader.decisions(reader.run("last").id)]


def fills(store: Path) -> list[tuple[str, str, str]]:
    """Which orders filled; at what price depends on how quickly this machine heard of the bar."""
    with Reader.open(store) as reader:
        return [(f.fill.symbol, f.fill.side.value, f.fill.purpose.value) for f in reader.fills(reader.run("last").id)]


@pytest.fixture(scope="module")
def canon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run."""
    store = tmp_path_factory.mktemp("canon") / "paper.db"

    async def undisturbed() -> None:
        async with FakeBybit(TABLE, start=START + HISTORY * MINUTE) as fake:
            await session(fake, store, LIVE)

    asyncio.run(undisturbed())
    return store


async def test_a_recorded_session_decides_the_same_in_a_fresh_one(canon: Path) -> None:
    assert len(decisions(canon)) == LIVE * len(SYMBOLS)
    assert len(fills(canon)) > 3
    result = verify(canon)
    assert result.ok, result
    assert (result.tables["decisions"].rows, result.tables["fills"].rows) == (LIVE * len(SYMBOLS), len(fills(canon)))


FAULTS: dict[str, Sequence[Fault]] = {
    "dropped": [Fault("drop", 10), Fault("abort", 30, bars=3)],
    "repeated and late": [Fault("repeat", 5, bars=20), Fault("late", 7, bars=20)],
    "forming and garbage": [Fault("forming", 3, bars=10), Fault("garbage", 15, bars=5), Fault("future", 22)],
}


@pytest.mark.parametrize("name", FAULTS)
async def test_faults_of_the_stream_change_no_decision(name: str, canon: Path, tmp_path: Path) -> None:
    store = tmp_path / "paper.db"
    async with FakeBybit(TABLE, start=START + HISTORY * MINUTE, faults=FAULTS[name]) as fake:
        await session(fake, store, LIVE)
    calm, stormy = decisions(canon), decisions(store)
    late = _late(store)
    assert [d for d in stormy if d[0] not in late] == [d for d in calm if d[0] not in late]
    assert verify(store).ok


def _late(store: Path) -> set[int]:
    """Bar closes that were decided too late to act on, because the stream was down."""
    with Reader.open(store) as reader:
        return {row.first.bar_ms for row in reader.decisions(reader.run("last").id) if row.first.reason == "stale"}


async def test_a_missing_bar_is_fetched_before_anything_later_is_decided(canon: Path, tmp_path: Path) -> None:
    store, seen = tmp_path / "paper.db", []
    async with FakeBybit(TABLE, start=START + HISTORY * MINUTE, faults=[Fault("missing", 20, symbol="ETHUSDT")]) as fake:
        await session(fake, store, LIVE, seen, 0.06)
    bars = [event for event in seen if isinstance(event, Candle) and event.symbol == "ETHUSDT"]
    assert [bar.open_ms for bar in bars] == sorted({bar.open_ms for bar in bars})
    assert bars[-1].open_ms - bars[0].open_ms == (len(bars) - 1) * MINUTE
    late = _late(store)
    assert [d for d in decisions(store) if d[0] not in late] == [d for d in decisions(canon) if d[0] not in late]


async def test_a_session_that_was_cut_off_goes_on_as_if_it_had_not_been(canon: Path, tmp_path: Path) -> None:
    store = tmp_path / "paper.db"
    async with FakeBybit(TABLE, start=START + HISTORY * MINUTE) as fake:
        await session(fake, store, 25)
        await session(fake, store, LIVE - 25)
    assert decisions(store) == decisions(canon)
    assert fills(store) == fills(canon)
    with Reader.open(store) as reader:
        assert len(reader.runs()) == 1
    assert verify(store).ok


async def test_a_session_goes_on_under_the_rules_that_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "paper.db"
    async with FakeBybit(TABLE, start=START + HISTORY * MINUTE) as fake:
        await session(fake, store, 20)
        listed = bybit._instrument
        coarse = {"tickSize": "5", "minPrice": "5", "maxPrice": "1000000"}
        monkeypatch.setattr(bybit, "_instrument", lambda symbol: listed(symbol) | {"priceFilter": coarse})
        await session(fake, store, 10)
    with Reader.open(store) as reader:
        assert len(reader.runs()) == 1
    assert len(decisions(store)) == 30 * len(SYMBOLS)
    assert verify(store).ok


async def test_an_exchange_that_does_not_answer_is_said_so_and_nothing_is_begun(tmp_path: Path) -> None:
    store = tmp_path / "paper.db"
    async with FakeBybit(TABLE, start=START) as fake:
        pass
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        await paper(config(fake), store=store, show=lambda event, number: None, patience=QUICK)
    assert not store.exists()


async def test_the_command_trades_stops_and_verifies(tmp_path: Path) -> None:
    store = tmp_path / "paper.db"
    begin = now() // MINUTE * MINUTE - 45 * MINUTE  # the exchange lives forty-five minutes ago, and catches up
    shift = begin - HISTORY * MINUTE - START
    table = {symbol: [(at + shift, *rest) for at, *rest in rows] for symbol, rows in TABLE.items()}
    async with FakeBybit(table, start=begin) as fake:
        file = tmp_path / "config.toml"
        file.write_text(COMMAND_CONFIG.format(rest=fake.rest, ws=fake.ws))
        words = ["--config", str(file), "--store", str(store), "--json"]
        running = await _sluice("paper", *words)
        async with asyncio.timeout(30):
            await fake.first_subscription.wait()
            await fake.advance(40, 0.05)
            await _until(lambda: store.exists() and len(decisions(store)) >= 2 * 30)
            stopping = await _sluice("stop", "--reason", "enough", *words)
            assert await stopping.wait() == 0
            said, complained = await running.communicate()
        assert running.returncode == 0, complained
    document = json.loads(said)
    assert document["decisions"] >= 60
    checked = await _sluice("verify", *words)
    said, complained = await checked.communicate()
    assert checked.returncode == 0, complained
    verdict = json.loads(said)
    assert (verdict["differing"], verdict["chain"]) == (0, "whole")
    assert verdict["ok"]
    assert verdict["tables"]["decisions"]["rows"] == document["decisions"]
    assert verdict["tables"]["fills"]["rows"] == document["fills"]


async def _until(claim: Callable[[], bool]) -> None:
    for _ in range(600):
        if claim():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came to that")


COMMAND_CONFIG = """
[exchange]
symbols = ["BTCUSDT", "ETHUSDT"]
rest = "{rest}"
stream = "{ws}"
repair = "50ms"
stale = "1h"
[feeds.news]
on = false
[feeds.chain]
on = false
[strategy]
normalise_window = 60
[strategy.windows]
momentum = 15
volume = 10
scale = 60
volatility = 60
[strategy.factors]
reversal = "-zscore(close, 20)"
"""


async def _sluice(*words: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "bot", *words, stdout=pipe, stderr=pipe, cwd=ROOT)
