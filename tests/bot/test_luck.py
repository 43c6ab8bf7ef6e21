"""What a find is worth: noise is called noise, skill is called skill, and the figures are those of the statistics behind them."""

import math

import numpy as np
import pytest
from scipy import stats

from bot.luck import luck, stability
from bot.sampling import Dimension


def noise(tries: int, rows: int, seed: int, drift: float = 0.0) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.normal(drift, 0.01, rows) for _ in range(tries)]


def test_the_best_of_many_tries_on_noise_is_called_luck() -> None:
    called = 0
    for seed in range(20):
        tries = noise(60, 250, seed)
        best = int(np.argmax([x.mean() / x.std(ddof=1) for x in tries]))
        found = luck(tries, best, noise(1, 250, seed + 500)[0], 60)
        called += found.verdict.startswith("NOT distinguishable from luck")
    assert called >= 19


def test_a_steady_gain_is_told_from_luck() -> None:
    tries = noise(30, 500, 1)
    tries[7] = noise(1, 500, 77, drift=0.004)[0]
    found = luck(tries, 7, noise(1, 500, 78, drift=0.004)[0], 30)
    assert found.verdict.startswith("better than luck explains")
    assert found.deflated is not None and found.deflated > 0.95


def test_the_figures_are_those_of_the_papers() -> None:
    tries, rows = noise(40, 300, 5, drift=0.001), 300
    best = int(np.argmax([x.mean() / x.std(ddof=1) for x in tries]))
    outside = noise(1, 200, 6, drift=0.001)[0]
    found = luck(tries, best, outside, 40)
    sharpes = np.array([x.mean() / x.std(ddof=1) for x in tries])
    n, g = found.effective, 0.5772156649015329
    lucky = sharpes.std(ddof=1) * ((1 - g) * stats.norm.ppf(1 - 1 / n) + g * stats.norm.ppf(1 - 1 / (n * math.e)))
    assert found.lucky_sharpe == pytest.approx(lucky, rel=1e-9)

    def psr(x: np.ndarray, benchmark: float) -> float:
        q = x.mean() / x.std(ddof=1)
        wide = 1 - stats.skew(x) * q + (stats.kurtosis(x) + 2) / 4 * q * q
        return float(stats.norm.cdf((q - benchmark) * math.sqrt(len(x) - 1) / math.sqrt(wide)))

    assert found.deflated == pytest.approx(psr(tries[best], lucky), rel=1e-9)
    assert found.out_of_sample == pytest.approx(psr(outside, 0.0), rel=1e-9)
    assert found.best_sharpe == pytest.approx(sharpes[best], rel=1e-12) and rows == 300


def test_more_tries_make_the_same_find_worth_less() -> None:
    tries = noise(20, 400, 9, drift=0.0005)
    worth = [luck(tries, 0, tries[1], trials).deflated for trials in (20, 200, 2_000)]
    assert worth[0] > worth[1] > worth[2]  # type: ignore[operator]


@pytest.mark.parametrize("outside", [np.empty(0), np.zeros(50), np.ones(1)])
def test_where_nothing_can_be_said_nothing_is(outside: np.ndarray) -> None:
    found = luck([np.zeros(50)], 0, outside, 1)
    assert found.out_of_sample is None and found.deflated is None
    assert found.verdict.startswith("nothing can be said")


def test_stability_is_how_far_the_choices_lie_apart() -> None:
    space = (Dimension("a", "float", 0.0, 1.0), Dimension("n", "int", 10, 20), Dimension("c", "choice", choices=("x", "y", "z")))
    moved = stability(space, [{"a": 0.2, "n": 15, "c": "x"}, {"a": 0.6, "n": 15, "c": "x"}, {"a": 0.4, "n": 15, "c": "y"}])
    assert moved["a"].spread == pytest.approx(0.4) and moved["n"].spread == 0.0 and moved["c"].spread == 0.5
    assert moved["a"].values == (0.2, 0.6, 0.4)
    assert stability(space, [{"a": 0.2, "n": 15, "c": "x"}])["a"].spread is None
