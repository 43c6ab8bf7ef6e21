"""What makes a strategy impure is found in its source, at its line, before anything of it runs."""

from pathlib import Path

import pytest

from strategies.errors import StrategyError
from strategies.loading import load
from strategies.purity import impurities
from tests.strategies.purity import impure, pure

IMPURE, PURE = impure.cases(), pure.cases()
EXAMPLES = sorted((Path(__file__).parents[3] / "strategies" / "examples").glob("[a-z]*.py"))


def test_there_are_many_of_both() -> None:
    assert len(IMPURE) >= 60
    assert len(PURE) >= 20


@pytest.mark.parametrize("name", IMPURE)
def test_what_is_impure_is_refused_at_its_line(name: str) -> None:
    source = IMPURE[name]
    wanted = {number for number, line in enumerate(source.split("\n"), 1) if line.endswith("# !")}
    found = impurities(source)
    assert {one.line for one in found} == wanted, [str(one) for one in found]
    assert all(one.cause and one.column >= 1 for one in found)


@pytest.mark.parametrize("name", PURE)
def test_what_is_pure_passes(name: str) -> None:
    assert impurities(PURE[name]) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_pure(path: Path) -> None:
    assert impurities(path.read_text(encoding="utf-8")) == []


def test_nothing_of_an_impure_file_runs(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    source = f"from strategies.strategy import Strategy\nopen({str(trace)!r}, 'w')\nclass A(Strategy):\n    score = 'close'\n"
    with pytest.raises(StrategyError, match=r"a\.py:2:1"):
        load(source, "a.py")
    assert not trace.exists()


def test_every_place_is_told_with_what_to_do_instead() -> None:
    source = impure.HEAD + "import random\nSEEN = []\nclass A(Strategy):\n    score = 'close'\n"
    with pytest.raises(StrategyError) as refused:
        load(source, "a.py")
    assert [line.partition("  ")[0] for line in refused.value.problems] == ["a.py:4:1", "a.py:5:8"]
    assert "draws nothing" in refused.value.problems[0] and "tuple" in refused.value.problems[1]


@pytest.mark.parametrize("source", ["", "\0", "(" * 5_000, "x = 1\n" * 100_000, "class", "\ufeff class A: pass"])
def test_any_text_is_answered_and_never_raises(source: str) -> None:
    assert isinstance(impurities(source), list)
