"""Strategies drawn at random over real candles: how history is cut, and whether the session stops at every bar, changes nothing.

A few by default; `make soak` and `SLUICE_FUZZ_STRATEGIES=200` try as many, `SLUICE_FUZZ_SEED` begins elsewhere. A strategy is its seed.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e import wild

COUNT = int(os.environ.get("SLUICE_FUZZ_STRATEGIES", "5"))
SEED = int(os.environ.get("SLUICE_FUZZ_SEED", "0"))
KINDS = {"a few cuts": 0, "many cuts": 1, "cuts side by side": 2}
FOUND = (195,)  # funding that settled at the close of a bar that is missing
met: Counter[str] = Counter()


@pytest.mark.parametrize("seed", sorted({*range(SEED, SEED + COUNT), *FOUND}))
def test_a_strategy_comes_to_the_same_books_however_it_is_called(seed: int, shared_data: Path) -> None:
    strategy = wild.drawn(seed)
    world = wild.market(strategy, shared_data)
    whole = wild.replayed(strategy, world)
    met.update({name: len(rows) for name, rows in whole.rows.items()} | {"strategies": 1, "that traded": bool(whole.rows["fills"])})
    found = {"stopping at every bar": wild.differences(whole, wild.replayed(strategy, world, step=True))}
    for name, kind in KINDS.items():
        edges = wild.cuts(strategy, world.history.rows, kind)
        found[name] = wild.differences(whole, wild.replayed(strategy, world, edges=edges, step=kind == seed % 3))
    if wild.complete(world.history):
        found["event by event"] = wild.differences(whole, wild.lived(strategy, world))
    assert not any(found.values()), f"{strategy}\n" + "\n".join(f"{name}: {line}" for name, lines in found.items() for line in lines)


def test_those_strategies_met_everything_that_can_happen() -> None:
    if not met["strategies"]:
        pytest.skip("no strategy ran in this process")
    print(dict(met))
    if met["strategies"] >= 5:
        assert met["that traded"] > met["strategies"] // 2
        assert min(met[name] for name in ("orders", "updates", "fills", "refusals", "funding", "cancels")) > 0
