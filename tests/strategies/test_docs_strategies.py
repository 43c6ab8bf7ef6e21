"""docs/strategies.md: every strategy on the page is pure, runs, trades, and runs the same when it is cut."""

import re
from pathlib import Path

import pytest

from strategies.definition import Definition
from strategies.purity.words import DECLARATIONS
from tests.e2e.runs import replayed, same, settings, world
from tests.e2e.test_own_strategies import WIDE

PAGE = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SMALL = {"Trend": {"slow": 60, "fast": 15}, "Neutral": {"look_back": 24}, "BuyTheDip": {"depth": 1.0, "bars": 10}}


@pytest.mark.parametrize("source", BLOCKS, ids=lambda source: re.search(r"class (\w+)", source)[1])  # type: ignore[index]
def test_every_strategy_of_the_page_runs(source: str) -> None:
    name = Definition.of(source, "page.py").name
    short = source.replace("close, 240", "close, 60").replace("rebalance = 24", "rebalance = 4")
    config = settings(strategy__code=short, strategy__file="page.py", strategy__factors={}, strategy__parameters=SMALL[name], **WIDE)
    market = world(500, 3, seed=6)
    reference = replayed(config, market)
    assert reference.counts["Fill"] > 3
    same(replayed(config, market, block=41, step=True), reference)


def test_the_page_names_every_declaration() -> None:
    assert len(BLOCKS) == 3
    assert [name for name in DECLARATIONS if f"`{name}" not in PAGE and f"{name} =" not in PAGE] == []
