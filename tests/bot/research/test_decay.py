"""How long a factor knows something, against planted decays and scipy's fit."""

import math

import numpy as np
import pytest
from scipy.optimize import least_squares

from bot.research.decay import decay, half_life_of
from bot.research.estimates import Estimate
from bot.research.ic import information
from bot.research.labels import forward_returns
from feeds.bars import Array

HORIZONS = (1, 2, 4, 8, 16, 32, 64)


def coefficients(half_life: float, peak: float, error: float = 0.001, noise: int | None = None) -> list[Estimate]:
    """Rank ICs of a factor whose knowledge of one bar halves in `half_life` bars."""
    rate = 0.5 ** (1 / half_life)
    dice = np.random.default_rng(noise) if noise is not None else None
    out = []
    for h in HORIZONS:
        value = sum(peak * rate**k for k in range(h)) / math.sqrt(h) + (error * dice.normal() if dice else 0.0)
        out.append(Estimate(value, error * math.sqrt(1 + h / 10), value / error, 1_000))
    return out


@pytest.mark.parametrize("half_life", [0.7, 3.0, 12.0, 90.0])
def test_a_geometric_decay_is_found_exactly(half_life: float) -> None:
    found, peak = half_life_of(HORIZONS, coefficients(half_life, 0.05))
    assert found.value == pytest.approx(half_life, rel=1e-8)
    assert peak.value == pytest.approx(0.05, rel=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_the_fit_and_its_errors_are_those_of_scipy(seed: int) -> None:
    given = coefficients(6.0, -0.04, error=0.002, noise=seed)
    h = np.array(HORIZONS, float)
    y, w = np.array([c.value for c in given]), np.array([1 / c.error for c in given])

    def left(theta: Array) -> Array:
        rate = 0.5 ** (1 / theta[1])
        return (theta[0] * (1 - rate**h) / (1 - rate) / np.sqrt(h) - y) * w

    theirs = least_squares(left, [-0.05, 5.0], xtol=1e-15, ftol=1e-15, gtol=1e-15, jac="3-point")
    errors = np.sqrt(np.diag(np.linalg.inv(theirs.jac.T @ theirs.jac)))
    found, peak = half_life_of(HORIZONS, given)
    assert [peak.value, found.value] == pytest.approx(theirs.x.tolist(), rel=1e-6)
    assert [peak.error, found.error] == pytest.approx(errors.tolist(), rel=1e-5)


def test_what_cannot_be_told_has_no_half_life() -> None:
    assert math.isnan(half_life_of(HORIZONS[:2], coefficients(3.0, 0.05)[:2])[0].value)
    weak = [Estimate(0.001, 0.002, 0.5, 100) for _ in HORIZONS]
    assert math.isnan(half_life_of(HORIZONS, weak)[0].value)
    growing = [Estimate(0.02 * math.sqrt(h), 0.001, 20.0, 100) for h in HORIZONS]  # never decays
    assert math.isnan(half_life_of(HORIZONS, growing)[0].value)
    unknown = [Estimate(n=0) for _ in HORIZONS]
    assert half_life_of(HORIZONS, unknown) == (Estimate(n=0), Estimate(n=0))


@pytest.mark.parametrize("symbols", [12, 3])
def test_a_planted_decay_is_seen_in_prices(symbols: int) -> None:
    """The factor is a shock that moves the next bars' returns, half as much every 5 bars."""
    dice = np.random.default_rng(4)
    rows, rate = 60_000 // symbols * 3, 0.5 ** (1 / 5)
    shocks = dice.normal(size=(rows, symbols))
    drift = np.zeros((rows, symbols))
    for t in range(1, rows):
        drift[t] = rate * drift[t - 1] + shocks[t - 1]
    # the return from open t + 1 to open t + 2 is that of row t + 2 here: it holds the shock of bar t
    returns = np.vstack([np.zeros((1, symbols)), 0.04 * drift[:-1] + dice.normal(size=(rows - 1, symbols))])
    opens = 100 * np.exp(np.cumsum(0.001 * returns, axis=0))
    found = decay(shocks, opens, (1, 2, 4, 8, 16, 32))
    assert found.evidence == ("across" if symbols >= 10 else "over_time")
    assert found.half_life.value == pytest.approx(5.0, abs=3 * found.half_life.error)
    assert found.half_life.error < 1.0
    assert found.peak.t > 5


def test_each_horizon_is_that_of_its_label() -> None:
    dice = np.random.default_rng(2)
    opens = 100 * np.exp(np.cumsum(dice.normal(0, 0.01, (200, 12)), axis=0))
    values = dice.normal(size=(200, 12))
    found = decay(values, opens, (1, 5))
    for row, horizon in enumerate((1, 5)):
        alone = information(values, forward_returns(opens, horizon), horizon)
        assert (found.ic[row], found.rank_ic[row]) == (alone.ic, alone.rank_ic)
