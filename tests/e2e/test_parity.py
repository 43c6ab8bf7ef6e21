"""One engine, one meaning: how history is cut, and whether the session stops at every bar, changes nothing."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from feeds.bars import Block
from feeds.events import Event, Metric, News
from feeds.history import History
from feeds.times import MINUTE
from tests.e2e.runs import World, lived, plug, replayed, same, settings, world

VARIANTS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "flat first, no cool-down": {"trading__reversal": "flat", "trading__cool_down_bars": 0},
    "limit entries and a target": {
        "trading__order_type": "limit", "trading__limit_bars": 3, "trading__take_profit": 0.004, "trading__stop_loss": 0.003,
    },
    "sized by volatility, short lives": {"trading__sizing": "volatility", "trading__max_bars": 7},
    "limits that bite": {
        "risk__daily_loss": 0.002, "risk__max_drawdown": 0.004, "risk__max_gross": 0.12, "risk__max_position_share": 0.12,
        "risk__orders_per_minute": 1,
    },
    "small bites of the volume": {"execution__volume_share": 0.001, "trading__share": 0.2},
    "low thresholds": {"strategy__entry_threshold": 0.05, "strategy__exit_threshold": 0.02, "strategy__min_confidence": 0.1},
}  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> World:
    return world(600, 2, seed=3)


@pytest.mark.parametrize("name", VARIANTS)
def test_cutting_the_bars_anywhere_gives_the_same_run(name: str, whole: World) -> None:
    config = settings(**VARIANTS[name])
    reference = replayed(config, whole)
    assert reference.counts["Fill"] > 0
    for block in (1, 7, 64):
        same(replayed(config, whole, block=block), reference)


@pytest.mark.parametrize("name", VARIANTS)
def test_stopping_at_every_bar_gives_the_same_run(name: str, whole: World) -> None:
    config = settings(**VARIANTS[name])
    same(replayed(config, whole, step=True), replayed(config, whole))


@pytest.mark.parametrize("holes", [0.02, 0.5])
def test_missing_bars_change_nothing_of_that(holes: float) -> None:
    market = world(400, 3, seed=5, holes=holes)
    config = settings(**VARIANTS["low thresholds"])
    reference = replayed(config, market)
    same(replayed(config, market, step=True, block=13), reference)


@pytest.mark.parametrize("name", VARIANTS)
def test_settling_event_by_event_gives_the_same_run(name: str, whole: World) -> None:
    config = settings(**VARIANTS[name])
    same(lived(config, whole), replayed(config, whole))


@examples(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000), block=st.integers(1, 200), symbols=st.integers(1, 3), holes=st.sampled_from([0.0, 0.1]),
    entry=st.floats(0.02, 0.5), stop=st.floats(0.0005, 0.02), reversal=st.sampled_from(["flip", "flat"]),
    kind=st.sampled_from(["market", "limit"]),
)  # fmt: skip
def test_any_strategy_on_any_market(
    seed: int, block: int, symbols: int, holes: float, entry: float, stop: float, reversal: str, kind: str
) -> None:
    market = world(300, symbols, seed, holes=holes, scale=0.004)
    config = settings(
        strategy__entry_threshold=entry, strategy__exit_threshold=entry / 2, strategy__min_confidence=0.2, trading__stop_loss=stop,
        trading__reversal=reversal,
        trading__order_type=kind,
    )  # fmt: skip
    same(replayed(config, market, block=block, step=True), replayed(config, market))


@pytest.mark.parametrize("poison", [float("nan"), 1e30])
def test_poison_after_an_instant_changes_no_decision_up_to_it(poison: float, whole: World) -> None:
    config, symbols, row = settings(**VARIANTS["low thresholds"]), whole.history.symbols, 300
    at = whole.history.span[0] + row * MINUTE
    (clean,) = whole.history.blocks(4096, others=whole.others)
    values = clean.bars.values.copy()
    values[row:] = poison
    others = [(before, _poisoned(event, at, poison)) for before, event in clean.others]
    views = [
        plug(config, symbols, lambda event, cause: 0).engine.look(block)
        for block in (clean, Block(clean.bars._replace(values=values), others))
    ]
    assert (views[0].side[:row] != 0).sum() > 20
    assert views[0].records[:row].tobytes() == views[1].records[:row].tobytes()


def test_bars_that_never_come_change_no_order_or_fill_before_them(whole: World) -> None:
    config, row = settings(**VARIANTS["low thresholds"]), 300
    at = whole.history.span[0] + row * MINUTE
    series = {
        symbol: (lane.numbers[:row] * MINUTE, [column[:row] for column in lane.columns])
        for symbol, lane in zip(whole.history.symbols, whole.history.lanes, strict=True)
    }
    clean, cut = replayed(config, whole), replayed(config, World(History.from_arrays(MINUTE, series), whole.others))
    for table in ("fills", "orders", "refusals", "funding"):
        mine, theirs = ([r[:18] for r in done.rows[table] if r[3] <= at] for done in (clean, cut))
        assert mine == theirs, table
    assert len([r for r in clean.rows["fills"] if r[3] <= at]) > 5
    np.testing.assert_array_equal(clean.equity[:row], cut.equity)


def _poisoned(event: Event, at: int, poison: float) -> Event:
    if event.at <= at:
        return event
    match event:
        case Metric():
            return msgspec.structs.replace(event, value=poison)
        case News():
            return msgspec.structs.replace(event, sentiment=poison)
        case _:
            return event
