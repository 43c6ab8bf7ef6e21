"""What is asked at a row, and what is searched ahead, holds every decision that leads to something."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from bot.sizing import Rules
from bot.turns import AIMS, DOWN, ENDS_LONG, ENDS_SHORT, UP, Ahead
from feeds.events import Candle
from strategies.events import BarClosed
from tests.bot.desk import WIDE, Desk, Views, random_views, view

RULES: dict[str, dict[str, Any]] = {
    "flip": {"cool_down_bars": 0, "stop_loss": None},
    "flat first, cooling down": {"reversal": "flat", "cool_down_bars": 4},
    "long only": {"long_only": True, "stop_loss": Decimal("0.01")},
    "limit entries": {"order_type": "limit", "limit_bars": 2, "cool_down_bars": 1},
    "short lives": {"max_bars": 5, "cool_down_bars": 0},
    "targets": {"cool_down_bars": 0, "stop_loss": None, "rebalance_band": 0.02},
}


def views_of(name: str, seed: int) -> Views:
    views = random_views(300, seed, symbols=2, loud=0.5)
    if name != "targets":
        return views
    draw = np.random.default_rng(seed)
    known = draw.random(views.side.shape) < 0.3
    return views._replace(targets=np.where(known, draw.uniform(-0.3, 0.3, views.side.shape).round(2), np.nan))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whoever_is_not_asked_has_no_answer(name: str, seed: int) -> None:
    """At every row the answers of all decisions, against the symbols that `asked` and `acting` name beforehand."""
    views = views_of(name, seed)
    desk = Desk(views.bars.symbols, rules=Rules(**RULES[name]), limits=WIDE)
    answered = 0
    for row in range(views.bars.rows):
        present = views.bars.present(row)
        if not present:
            continue
        at = views.bars.close_ms(row)
        candles: dict[int, Candle] = {s: views.bars.candle(row, s) for s in present}
        desk.settle(*candles.values(), BarClosed(at, at))
        asked, acting = desk.trader.asked(views, row), desk.trader.acting(views, row)
        for s, candle in candles.items():
            made = view(candle, int(views.side[row, s]), float(views.score[row, s]), target=float(views.target[row, s]))
            before = len(desk.log)
            desk.settle(made)
            if len(desk.log) > before + 1:
                answered += 1
                assert s in asked
                assert s in acting
    assert answered > 5


@pytest.mark.parametrize("turn", [UP, DOWN, ENDS_LONG, ENDS_SHORT, AIMS])
def test_the_first_row_at_which_a_turn_comes(turn: int) -> None:
    views = views_of("targets", 7)
    ahead = Ahead(views, 0.1)
    side, score, target = views.side[:, 1], views.score[:, 1], views.target[:, 1]
    aims = ~np.isnan(target)
    side = np.where(aims, np.sign(target), side)
    ends = (side == 0) & ~aims
    comes = {
        UP: side > 0, DOWN: side < 0, ENDS_LONG: ends & (score < 0.1), ENDS_SHORT: ends & (-score < 0.1), AIMS: aims,
    }[turn]  # fmt: skip
    assert 0 < comes.sum() < comes.size
    for start in range(0, comes.size, 3):
        for stop in (start, start + 1, start + 20, comes.size):
            end = min(stop, comes.size)
            there = [row for row in range(start, end) if comes[row]]
            assert ahead.first(turn, 1, start, end) == (there[0] if there else end)
