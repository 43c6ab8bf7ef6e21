"""One decision of a replay, had again from its files: what a row that stands for many bars does not hold.

The rule: it is the engine that decided, over the history that it decided on, from the first bar that warmed it up; and before it is
believed, the first bar of the row must come out with the digest that was written.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from bot import plan as plans
from bot.errors import CheckFailed, NotFound
from bot.modes.history import open_at, read_market
from bot.modes.parts import FILES, Universe, build, config_of
from bot.store.rows import DecisionRow, RunRow
from feeds.times import Millis, iso
from strategies.engine import View
from strategies.events import Decision

BLOCK = 16_384


def decision_at(run: RunRow, stretch: DecisionRow, at: Millis, say: Callable[[int, int], None] = lambda done, total: None) -> Decision:
    """The decision on the stretch's symbol at the last bar close up to `at`, which lies within it.

    Raises NotFound where the run's files are not there, CheckFailed where they do not lead to what was written.
    """
    given = msgspec.json.decode(run.arguments)
    files = {name: [Path(path) for path in given.get(name) or ()] for name in FILES}
    lost = [str(path) for name in FILES for path in files[name] if not path.exists()]
    if lost or not files["candles"]:
        raise NotFound(f"the files of run {run.id} are needed for the others, and {lost[0] if lost else 'their places'} cannot be found")
    config = config_of(run.config)
    market = read_market(
        files["candles"], files["funding"], files["metrics"], files["news"], given["symbols"], given["timeframe"],
        config.replay.venue or None,
    )  # fmt: skip
    history = market.history
    if history.sha256 != run.data_hash:
        raise CheckFailed(f"the candles of run {run.id} are not those that it was made from; sluice verify {run.id} tells what changed")
    universe = Universe(history.symbols, history.timeframe, plans.instruments(config, history, market.instruments))
    plan = plans.strategy_plan(config, history.timeframe, market.metrics)
    session = build(config, universe, plan, run.id, lambda event, cause: 0)
    first = open_at(session, market, config, history.span[0] if given["start"] is None else given["start"])
    place, done, total = history.symbols.index(stretch.first.symbol), 0, max(1, (at - first) // history.timeframe)
    found, checked = None, False
    for block in history.blocks(max(1, BLOCK // len(history.symbols)), first, at, market.others):
        view = session.engine.look(block)
        checked = checked or _is_first(view, stretch, place)
        row = _last_decided(view)
        found = view.decision(row, place) if row is not None else found
        done += block.bars.rows
        say(min(done, total), total)
    if found is None or not checked:
        said = f"D-{stretch.seq} comes out otherwise at {iso(stretch.first.bar_ms)} than it was written"
        raise CheckFailed(f"{said}; sluice verify {run.id} tells where it begins")
    return found


def _is_first(view: View, stretch: DecisionRow, place: int) -> bool:
    """Whether the stretch begins in this block, and as it was written."""
    row = stretch.first.bar_ms // view.bars.timeframe - view.bars.first - 1
    return 0 <= row < view.bars.rows and view.decision(row, place).digest == stretch.first.digest


def _last_decided(view: View) -> int | None:
    rows = np.flatnonzero(view.present.any(axis=1))
    return int(rows[-1]) if rows.size else None
