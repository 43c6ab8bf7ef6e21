"""Errors of growth, of the profit factor and of growth over fall: what they would be over many worlds."""

import math

import numpy as np
import pytest

from bot.research.growth import calmar_bootstrap, with_errors
from bot.research.performance import performance
from feeds.bars import Array
from feeds.times import DAY


def worlds(count: int, rows: int = 800) -> Array:
    """Returns of independent worlds, neighbouring days alike."""
    shocks = np.random.default_rng(5).normal(0.0004, 0.01, (count, rows + 1))
    return shocks[:, 1:] + 0.2 * shocks[:, :-1]


def test_errors_are_the_spread_over_many_worlds() -> None:
    made = worlds(400)
    found = [with_errors(performance(each, DAY, draws=0), each, DAY) for each in made]
    for name, known in {
        "total_return": np.prod(1 + made, axis=1) - 1,
        "annual_return": np.prod(1 + made, axis=1) ** (365 / 800) - 1,
        "profit_factor": np.maximum(made, 0).sum(axis=1) / np.maximum(-made, 0).sum(axis=1),
    }.items():
        values, errors = (np.array([getattr(each[name], part) for each in found]) for part in ("value", "error"))
        np.testing.assert_allclose(values, known, rtol=1e-9, err_msg=name)
        assert np.mean(errors) == pytest.approx(np.std(known, ddof=1), rel=0.15), name


def test_growth_over_fall_is_drawn_with_the_same_fall() -> None:
    returns = worlds(1)[0]
    worth = performance(returns, DAY, draws=300, seed=3)
    found = with_errors(worth, returns, DAY, 300, 3)
    assert found["calmar"].value == worth.calmar and found["max_drawdown"].error == worth.max_drawdown_bootstrap.error
    drawn = calmar_bootstrap(returns, DAY, worth.calmar, 300, 3)
    assert found["calmar"].error == drawn.error and drawn.low < worth.calmar < drawn.high
    assert math.isnan(with_errors(worth, returns, DAY)["calmar"].error)


def test_nothing_is_said_of_what_cannot_be_had() -> None:
    lost = np.array([0.01] * 30 + [-1.0] + [0.0] * 30)
    found = with_errors(performance(lost, DAY, draws=0), lost, DAY)
    assert found["total_return"].value == -1.0 and math.isnan(found["total_return"].error)
    short = np.array([0.01, -0.02])
    assert math.isnan(with_errors(performance(short, DAY, draws=0), short, DAY)["total_return"].error)
    none = np.empty(0)
    assert with_errors(performance(none, DAY, draws=0), none, DAY)["total_return"].n == 0
