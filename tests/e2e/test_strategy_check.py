"""A strategy under all probes: the engine passes, and engines, assemblers, fusions and traders that cheat are each found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bot.causality import Settings
from bot.modes.history import Market
from bot.modes.strategy_check import StrategyChecked, check_strategy
from bot.trader import Trader
from feeds.bars import Block
from feeds.times import MINUTE
from strategies.engine import StrategyEngine, View
from strategies.fusion import Weighted
from strategies.snapshot import Assembler
from tests.bot.commands.books import run
from tests.builders import START
from tests.e2e.runs import Kept, World, settings, world

LOW = settings(strategy__entry_threshold=0.05, strategy__exit_threshold=0.02, strategy__min_confidence=0.1, risk__max_gross=0.12,
               risk__max_position_share=0.12, trading__stop_loss=0.003)  # fmt: skip
HOOK = '''
"""A hook that remembers."""
from strategies.strategy import FLAT, HOLD, LONG, SHORT, Bar, Side, Strategy, Targets


class Remembering(Strategy):
    """Turns with a slow trend, gets out after a while."""

    factors = {"trend": "ts_zscore(close, 30)"}
    held: dict[str, int] = {}

    def begin(self, symbols: tuple[str, ...], timeframe: int) -> None:
        self.held = dict.fromkeys(symbols, 0)

    def decide(self, bar: Bar) -> Targets | None:
        if bar.warming:
            return None
        wanted: dict[str, Side | float] = {}
        for symbol in bar.symbols:
            self.held[symbol] = self.held[symbol] + 1 if bar.side(symbol) else 0
            trend = bar.factor("trend", symbol)
            wanted[symbol] = HOLD if not bar.known("trend", symbol) else LONG if trend > 1 else SHORT if trend < -1 else HOLD
            if self.held[symbol] > 7:
                wanted[symbol] = FLAT
        return wanted
'''


@pytest.fixture(scope="module")
def piece() -> Market:
    whole: World = world(420, 2, seed=9, holes=0.02, scale=0.003)
    stories = list(whole.others[1].events())
    twins = [msgspec.structs.replace(one, id=f"{one.id}-too", sentiment=-0.9) for one in stories[::3]]  # type: ignore[attr-defined,call-arg]
    others = (whole.others[0], Kept("news", [*stories, *twins]), whole.others[2])
    return Market(whole.history, others, ("exchange_netflow",), (), False, (), {})


def probed(piece: Market, config: Any = LOW, **changes: Any) -> StrategyChecked:
    return check_strategy(config, piece, bars=240, settings=Settings(cuts=12, lengths=(40, 120, 170)), **changes)


def failed(found: StrategyChecked) -> set[str]:
    return {one.probe for one in found.probes if one.result == "fail"}


def test_the_engine_passes_and_every_probe_had_something_to_look_at(piece: Market) -> None:
    heard: list[tuple[int, int]] = []
    found = probed(piece, say=lambda done, total: heard.append((done, total)))
    assert found.ok, found.probes
    assert {one.result for one in found.probes} <= {"pass", "note"}
    assert all(one.values > 1_000 for one in found.probes if one.result == "pass" and "drift" not in one.probe)
    assert found.decided > 30
    assert heard[-1] == (7, 7)
    assert {"score", "confidence", "mom value", "price_momentum value"} <= set(found.drift)
    assert [row["bars"] for row in found.drift["score"]] == [40, 120, 170]


def test_a_strategy_with_a_memory_of_its_own_passes_too(piece: Market) -> None:
    config = msgspec.structs.replace(LOW, strategy=msgspec.structs.replace(LOW.strategy, code=HOOK, file="remembering.py", factors={}))
    found = probed(piece, config)
    assert found.ok, found.probes
    assert found.decided > 20
    assert "trend value" in found.drift


def _next_bar(look: Callable[..., View]) -> Callable[..., View]:
    def cheating(self: StrategyEngine, block: Block) -> View:
        values = block.bars.values.copy()
        values[:-1] = block.bars.values[1:]
        return look(self, Block(block.bars._replace(values=values), block.others))

    return cheating


def _whole_sample(fuse: Callable[..., Any]) -> Callable[..., Any]:
    def cheating(self: Weighted, values: Any, confidences: Any) -> Any:
        fused = fuse(self, values, confidences)
        return fused._replace(score=fused.score - np.nanmean(fused.score))

    return cheating


def _earlier_metric(take: Callable[..., Any]) -> Callable[..., Any]:
    def cheating(self: Assembler, bars: Any, others: Any) -> Any:
        return take(self, bars, [(max(0, row - 5), event) for row, event in others])

    return cheating


def _last_story(self: Assembler, kind: str, place: int) -> None:
    stories = self._stories[kind, place]
    self._now[self._row[f"sentiment_{kind}"], place] = stories[-1][1] if stories else np.nan


CHEATS: dict[str, tuple[type, str, Callable[..., Any], set[str]]] = {
    "reads the next bar": (StrategyEngine, "look", _next_bar, {"truncation", "future poisoned", "bar by bar and any cut"}),
    "takes the mean of the sample off": (Weighted, "fuse", _whole_sample, {"truncation", "future poisoned", "bar by bar and any cut"}),
    "hears of metrics five bars early": (Assembler, "columns", _earlier_metric, {"truncation", "future poisoned"}),
    "counts the story that comes last": (Assembler, "_tell", lambda was: _last_story, {"events of one instant in any order"}),
    "overlooks decisions in a block": (
        Trader, "first_action", lambda was: lambda self, view, row, stop: stop, {"step, block and cut sessions"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_what_cheats_is_found(name: str, piece: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, method, cheat, expected = CHEATS[name]
    monkeypatch.setattr(kind, method, cheat(getattr(kind, method)))
    found = probed(piece)
    assert expected <= failed(found)
    assert not found.ok
    for one in found.probes:
        if one.result == "fail" and one.probe != "step, block and cut sessions":
            assert one.first is not None
            assert one.first["output"] in found.wrong[one.probe]


def test_the_command_probes_a_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "remembering.py").write_text(HOOK)
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.004, 500)))
    columns = {"open": close, "high": close * 1.002, "low": close * 0.998, "close": close, "volume": rng.lognormal(5, 1, 500)}
    pq.write_table(pa.table({"ts_ms": START + MINUTE * np.arange(500), **columns}), tmp_path / "BTCUSDT.parquet")
    words = ("strategy", "check", tmp_path / "remembering.py", "--candles", tmp_path / "BTCUSDT.parquet", "--bars", 200, "--cuts", 8)
    code, said, _ = run(capsys, *words, "--json")
    document = json.loads(said)
    assert (code, document["ok"], document["symbols"]) == (0, True, ["BTCUSDT"])
    code, said, _ = run(capsys, *words)
    assert code == 0
    assert "step, block and cut sessions" in said
    monkeypatch.setattr(StrategyEngine, "look", _next_bar(StrategyEngine.look))
    code, said, complained = run(capsys, *words, "--json")
    assert code == 8
    assert json.loads(said)["ok"] is False
    assert "truncation" in complained
    assert "BTCUSDT@2024-" in complained
    assert run(capsys, *words, "--strategy", "x.py")[0] == 2
