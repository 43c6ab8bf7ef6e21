"""The worked examples, each held against a computation of its own."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from feeds.bars import CLOSE, COLUMNS, VOLUME, Bars, Block
from feeds.events import Event
from feeds.times import HOUR, MINUTE
from strategies.definition import Definition
from strategies.engine import Plan, StrategyEngine, View
from tests.builders import START, bars, metric, story, walk

EXAMPLES = Path(__file__).parents[2] / "strategies" / "examples"
SLOW = ("sentiment_news", "news_count", "sentiment_social", "social_count", "exchange_netflow_z", "whale_balance_change_z")
NAMES = tuple(f"C{i}USDT" for i in range(12))


def view_of(name: str, over: Bars, others: list[tuple[int, Event]] | None = None, **values: Any) -> View:
    parts = Definition.of((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"), f"{name}.py", values).parts(
        over.timeframe, (*COLUMNS, *SLOW)
    )
    plan = Plan(parts.signals, volatility_bars=5, fusion=parts.fusion, target=parts.target, rebalance=parts.rebalance, hook=parts.hook)
    return StrategyEngine(plan, over.symbols, over.timeframe).look(Block(over, others or []))


def closes_of(over: Bars) -> pd.DataFrame:
    return pd.DataFrame(over.values[:, CLOSE], columns=list(over.symbols))


def test_momentum_is_the_move_of_two_horizons_in_units_of_a_random_walk() -> None:
    over = bars(walk(400, 3, 2), NAMES[:2])
    view = view_of("momentum", over, slow=60, fast=12, balance=0.7)
    closes = closes_of(over)
    step = closes.pct_change().rolling(60).std()
    slow, fast = ((closes / closes.shift(n) - 1) / (step * math.sqrt(n)) for n in (60, 12))
    expected = (0.7 * np.tanh(slow) + 0.3 * np.tanh(fast)).clip(-1, 1)
    np.testing.assert_allclose(view.score, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("cap", [0.5, 0.15, 0.05])
def test_the_cross_section_is_neutral_capped_and_ranked(cap: float) -> None:
    closes = walk(300, 5, 12)
    closes[120:, 11] = np.nan  # a coin that is no longer traded
    over = bars(closes, NAMES)
    view = view_of("cross_section", over, look_back=48, skip=2, every=10, gross=1.0, cap=cap)
    turns = np.flatnonzero(~np.isnan(view.target).all(axis=1))
    assert len(turns) == 26 and all((over.first + 1 + row) % 10 == 0 for row in turns)
    table = closes_of(over)
    strength = (table.shift(2) / table.shift(48) - 1) / table.pct_change(fill_method=None).rolling(48).std()
    for row in turns:
        target, known = view.target[row], strength.iloc[row].notna().to_numpy() & view.present[row]
        assert np.isnan(target[~view.present[row]]).all()
        weights = target[known]
        assert abs(weights.sum()) < 1e-12 and np.abs(weights).max() <= cap + 1e-12
        assert np.abs(weights).sum() <= 1.0 + 1e-12
        rank = strength.iloc[row][known].rank().to_numpy()
        assert (np.diff(weights[rank.argsort()]) >= -1e-12).all(), "the stronger, the more"
        if cap == 0.5:
            centred = rank - rank.mean()
            np.testing.assert_allclose(weights, centred / np.abs(centred).sum(), rtol=1e-9, atol=1e-12)


def test_a_cap_hands_what_it_cuts_off_to_the_others_of_the_side() -> None:
    over = bars(walk(200, 5, 12), NAMES)
    view = view_of("cross_section", over, look_back=48, skip=2, every=10, gross=1.0, cap=0.1)
    row = int(np.flatnonzero(~np.isnan(view.target).all(axis=1))[-1])
    target = view.target[row]
    assert target[target > 0].sum() == pytest.approx(0.5) and -target[target < 0].sum() == pytest.approx(0.5)
    assert (np.isclose(np.abs(target), 0.1)).sum() >= 4


def test_mean_reversion_goes_against_the_stretch_and_gives_up_in_time() -> None:
    over = bars(walk(2_500, 8, 1), NAMES[:1])
    view = view_of("mean_reversion", over, window=40, entry=1.5, leave=0.2, patience=30)
    closes = closes_of(over)[NAMES[0]]
    z = ((closes - closes.rolling(40).mean()) / closes.rolling(40).std()).to_numpy()
    held, since, spent, wanted = 0, 0, False, []
    for row, stretch in enumerate(z):  # the rule once more, written down from its description
        if math.isnan(stretch):
            continue
        if abs(stretch) <= 0.2:
            spent = False
        if held:
            if abs(stretch) <= 0.2 or row - since >= 30 or held * stretch > 0:
                spent, held = row - since >= 30, 0
                wanted.append((row, 0))
        elif abs(stretch) > 1.5 and not spent:
            held, since = (-1 if stretch > 0 else 1), row
            wanted.append((row, held))
    flat = view.target[:, 0] == 0.0
    got = [(row, int(view.side[row, 0])) for row in range(over.rows) if view.side[row, 0] or flat[row]]
    assert got == wanted and len(got) > 40
    longest = max(later - row for (row, side), (later, _) in pairwise(got) if side)
    assert longest == 30, "patience"


def test_the_miner_of_many_sources_leaves_out_what_it_does_not_know() -> None:
    over = bars(walk(300, 2, 1, 0.004), NAMES[:1])._replace(timeframe=HOUR, first=START // HOUR)
    over.values[:, VOLUME] = 10.0
    alone = view_of("multi_source", over, move=12, scale=48)
    weights = dict(zip(alone.names, alone.weights, strict=True))
    assert weights == {"price_momentum": 0.25, "volume_breakout": 0.2, "sentiment_news": 0.2, "sentiment_social": 0.15, "onchain_flow": 0.2}
    known = ~np.isnan(alone.parts[200, :, 0])
    assert [name for name, there in zip(alone.names, known, strict=True) if there] == ["price_momentum"]
    np.testing.assert_allclose(alone.score[60:, 0], alone.values[60:, 0, 0], rtol=1e-12)
    at = over.close_ms(199)
    told = [(200, metric("exchange_netflow", float(x), at - MINUTE * (20 - i))) for i, x in enumerate([1.0, 3.0] * 9 + [-60.0])]
    both = view_of("multi_source", over, told, move=12, scale=48)
    assert both.values[200, 4, 0] > 0.9, "coins left the exchanges: bullish"
    momentum, flow, sure = both.values[200, 0, 0], both.values[200, 4, 0], both.confidences[200, 0, 0]
    expected = (0.25 * sure * momentum + 0.2 * 0.7 * flow) / (0.25 * sure + 0.2 * 0.7)
    assert both.score[200, 0] == pytest.approx(expected)


def test_one_story_told_a_hundred_times_weighs_no_more_than_the_chapters_bound() -> None:
    over = bars(walk(300, 2, 1, 0.004), NAMES[:1])._replace(timeframe=HOUR, first=START // HOUR)
    at = over.close_ms(150)
    told = [(151, story(0.8, at - i, id=f"s{i}")) for i in range(100)]
    view = view_of("multi_source", over, sorted(told, key=lambda pair: pair[1].at), move=12, scale=48)
    assert view.confidences[151, 2, 0] == pytest.approx(100 / 103)
    assert np.nanmax(view.confidence) <= 1.0
