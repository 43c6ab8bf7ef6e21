"""Another plan at a bar boundary: no bar is missed, and what stays is what it would have been."""

from collections.abc import Sequence

import numpy as np
import pytest

from feeds.bars import COLUMNS, Bars, Block
from feeds.events import Event
from strategies.engine import Plan, StrategyEngine
from strategies.factors import parse
from strategies.signals import Signal, Windows, built_in, from_factor
from tests.builders import bars, metric, story, walk

MINUTE = 60_000
SYMBOLS = ("BTCUSDT", "ETHUSDT")
WINDOWS = Windows(momentum=30, volume=20, scale=60)
CUT, ROWS = 300, 420
KEPT = built_in({"price_momentum": 0.3, "sentiment_news": 0.2, "onchain_flow": 0.2}, WINDOWS, MINUTE)


def added() -> list[Signal]:
    fields = (*COLUMNS, "tvl", "whale_balance_change_z")
    reversion = parse("-ts_zscore(close, 50) + ts_mean(tvl, 10) / tvl", timeframe=MINUTE, fields=fields, units=False)
    return [
        from_factor("reversion", reversion, 0.4, "zscore", 40),
        *built_in({"whale_accumulation": 0.1, "volume_breakout": 0.2}, WINDOWS, MINUTE),
    ]


OLD = Plan(tuple(KEPT), volatility_bars=60)
NEW = Plan((*KEPT[1:], *added()), volatility_bars=60)


def market() -> Bars:
    return bars(walk(ROWS, seed=3, symbols=2), SYMBOLS)


def known(all_bars: Bars) -> list[tuple[int, Event]]:
    """Metrics and stories all along, some before the swap alone: (row that each comes before, event)."""
    rng = np.random.default_rng(8)
    events: list[tuple[int, Event]] = []
    for row in range(0, ROWS, 7):
        at = all_bars.close_ms(row) - 1
        for name in ("exchange_netflow", "tvl", "whale_balance_change"):
            if row < 250 or name != "tvl":
                events.append((row, metric(name, float(rng.normal(100, 3)), at, SYMBOLS[row % 2])))
        events.append((row, story(float(rng.uniform(-1, 1)), at, symbols=SYMBOLS[: 1 + row % 2], id=f"s{row}")))
    return events


def block(all_bars: Bars, events: Sequence[tuple[int, Event]], start: int, stop: int) -> Block:
    part = Bars(all_bars.symbols, all_bars.timeframe, all_bars.first + start, all_bars.values[start:stop])
    return Block(part, [(row - start, event) for row, event in events if start <= row < stop])


def test_decisions_after_a_swap_are_those_of_the_plan_that_had_always_been_followed() -> None:
    all_bars = market()
    events = known(all_bars)
    engine = StrategyEngine(OLD, SYMBOLS, MINUTE)
    for start in range(0, CUT, 50):
        engine.look(block(all_bars, events, start, start + 50))
    engine.swap(NEW, [block(all_bars, events, 0, 150), block(all_bars, events, 150, CUT)])
    after = engine.look(block(all_bars, events, CUT, ROWS))

    always = StrategyEngine(NEW, SYMBOLS, MINUTE)
    whole = always.look(block(all_bars, events, 0, ROWS))
    assert after.bars.first == all_bars.first + CUT, "no bar is missed"
    for name in ("side", "reason", "score", "confidence", "volatility", "values", "parts"):
        np.testing.assert_array_equal(getattr(after, name), getattr(whole, name)[CUT:], err_msg=name)
    assert after.names == tuple(signal.name for signal in NEW.signals)
    assert len(set(after.side.ravel().tolist())) > 1, "something is decided"


def test_what_stays_keeps_all_that_it_knew_however_little_history_there_is() -> None:
    all_bars = market()
    events = known(all_bars)
    engine = StrategyEngine(OLD, SYMBOLS, MINUTE)
    engine.look(block(all_bars, events, 0, CUT))
    engine.swap(NEW, [block(all_bars, [], CUT - 1, CUT)])
    after = engine.look(block(all_bars, events, CUT, ROWS))
    whole = StrategyEngine(OLD, SYMBOLS, MINUTE).look(block(all_bars, events, 0, ROWS))
    np.testing.assert_array_equal(after.values[:, :2], whole.values[CUT:, 1:3])
    assert np.isnan(after.values[0, 2]).all(), "what is new waits for its window"


def test_a_history_that_stops_early_changes_nothing() -> None:
    all_bars = market()
    engine = StrategyEngine(OLD, SYMBOLS, MINUTE)
    engine.look(block(all_bars, [], 0, CUT))
    program = engine.program
    with pytest.raises(ValueError, match="comes next"):
        engine.swap(NEW, [block(all_bars, [], 0, CUT - 1)])
    assert engine.program is program


def test_a_plan_is_not_swapped_within_a_block_that_was_looked_at_ahead() -> None:
    all_bars = market()
    engine = StrategyEngine(OLD, SYMBOLS, MINUTE)
    engine.look_ahead_of(engine.look(block(all_bars, [], 0, CUT)))
    with pytest.raises(RuntimeError, match="bar boundary"):
        engine.swap(NEW, [])


def test_a_plan_may_be_swapped_before_the_first_bar() -> None:
    all_bars = market()
    engine = StrategyEngine(OLD, SYMBOLS, MINUTE)
    engine.swap(NEW, [])
    view = engine.look(block(all_bars, [], 0, CUT))
    np.testing.assert_array_equal(view.score, StrategyEngine(NEW, SYMBOLS, MINUTE).look(block(all_bars, [], 0, CUT)).score)
