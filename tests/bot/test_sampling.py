"""Tries: the same seed and answers give the same ones, within their ranges, whoever chooses them."""

import math
import sys
from typing import Any

import numpy as np
import pytest

from bot.errors import ConfigError
from bot.sampling import ROUND, SAMPLERS, Dimension, Value

SPACE = (
    Dimension("a", "float", 0.1, 0.6),
    Dimension("n", "int", 5, 50),
    Dimension("k", "int", 10, 100, 30),
    Dimension("s", "float", 0.01, 0.05, 0.01),
    Dimension("l", "float", 0.001, 1.0, log=True),
    Dimension("c", "choice", choices=("x", "y", 3)),
)


def score(values: dict[str, Value]) -> float:
    """Best at a = 0.3, n = 20."""
    return -((float(values["a"]) - 0.3) ** 2) - ((float(values["n"]) - 20) / 50) ** 2


def play(name: str, seed: int, rounds: int, space: tuple[Dimension, ...] = SPACE) -> list[dict[str, Value]]:
    sampler, out = SAMPLERS[name](space, seed), []
    for _ in range(rounds):
        asked = sampler.ask(ROUND)
        out += asked
        sampler.tell([score(values) if values["a"] != 0.1 else math.nan for values in asked])
    return out


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_the_same_seed_gives_the_same_tries_and_another_one_others(name: str) -> None:
    assert play(name, 3, 6) == play(name, 3, 6)
    assert play(name, 3, 6) != play(name, 4, 6)


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_every_value_lies_in_its_range_and_on_its_step(name: str) -> None:
    for values in play(name, 1, 12):
        assert 0.1 <= values["a"] <= 0.6 and isinstance(values["a"], float)  # type: ignore[operator]
        assert values["n"] in range(5, 51) and isinstance(values["n"], int)
        assert values["k"] in (10, 40, 70, 100)
        assert values["s"] in (0.01, 0.02, 0.03, 0.04, 0.05)
        assert 0.001 <= values["l"] <= 1.0  # type: ignore[operator]
        assert values["c"] in ("x", "y", 3)
        assert all(float(f"{v:.6g}") == v for v in values.values() if isinstance(v, float))


def test_tpe_goes_where_it_is_better_than_chance() -> None:
    found = {name: np.mean([max(map(score, play(name, seed, 10)[20:])) for seed in range(5)]) for name in ("tpe", "random")}
    assert found["tpe"] > found["random"]


def test_random_repeats_nothing_while_there_is_something_else() -> None:
    space = (Dimension("c", "choice", choices=tuple(range(12))),)
    sampler = SAMPLERS["random"](space, 1)
    tries = [values["c"] for _ in range(2) for values in sampler.ask(6)]
    assert sorted(map(int, tries)) == list(range(12))


def test_a_grid_is_every_combination_once_and_then_ends() -> None:
    space = (Dimension("a", "float", 0.0, 1.0), Dimension("k", "int", 1, 2, 1), Dimension("c", "choice", choices=(True, False)))
    sampler = SAMPLERS["grid"](space, 0)
    tries: list[dict[str, Any]] = []
    while asked := sampler.ask(ROUND):
        tries += asked
    assert len(tries) == 5 * 2 * 2 and len({tuple(values.items()) for values in tries}) == 20
    assert [values["a"] for values in tries[::4]] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert tries[0] == {"a": 0.0, "k": 1, "c": True} and tries[1] == {"a": 0.0, "k": 1, "c": False}


def test_a_logarithmic_range_has_its_points_in_ratio() -> None:
    assert Dimension("l", "float", 0.001, 10.0, log=True).points() == (0.001, 0.01, 0.1, 1.0, 10.0)
    assert Dimension("n", "int", 1, 3).points() == (1, 2, 3), "rounded, and none twice"


def test_without_optuna_the_extra_is_named_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'sluice\[sweep\]', or take --sampler random or grid"):
        SAMPLERS["tpe"](SPACE, 1)
    assert len(SAMPLERS["random"](SPACE, 1).ask(3)) == len(SAMPLERS["grid"](SPACE, 1).ask(3)) == 3
