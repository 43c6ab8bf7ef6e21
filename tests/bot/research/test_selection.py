"""What choosing the best makes of its figures, against skfolio, scipy, statsmodels and plain loops."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata
from skfolio.measures import deflated_sharpe_ratio, expected_max_sharpe_ratio, probabilistic_sharpe_ratio
from statsmodels.stats.multitest import multipletests

from bot.research.selection import (
    deflated_sharpe,
    effective_trials,
    expected_max_sharpe,
    false_discoveries,
    min_track_record,
    moments,
    overfitting,
    probabilistic_sharpe,
    trial_clusters,
)
from feeds.bars import Array


def tries(rows: int = 480, count: int = 30, seed: int = 0, mean: float = 0.0) -> Array:
    dice = np.random.default_rng(seed)
    return 0.01 * (dice.standard_t(5, (rows, count)) + 0.5 * dice.normal(size=(rows, 1))) + mean


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("benchmark", [0.0, 0.05, -0.02])
def test_the_probabilistic_sharpe_ratio_is_that_of_skfolio(seed: int, benchmark: float) -> None:
    returns = tries(seed=seed, mean=0.001)[:, 0]
    sharpe, skew, kurtosis = moments(returns)
    found = probabilistic_sharpe(sharpe, len(returns), skew, kurtosis, benchmark)
    assert found == pytest.approx(probabilistic_sharpe_ratio(returns, benchmark), rel=1e-9)


@pytest.mark.parametrize("trials", [1, 2, 3.5, 45, 1_000, 1e6])
def test_the_expected_maximum_is_that_of_skfolio(trials: float) -> None:
    assert expected_max_sharpe(0.07, trials) == pytest.approx(expected_max_sharpe_ratio(trials, 0.07), rel=1e-9)


def test_the_expected_maximum_is_what_the_best_of_noise_shows() -> None:
    best = np.random.default_rng(0).normal(size=(4_000, 100)).max(axis=1).mean()
    assert expected_max_sharpe(1.0, 100) == pytest.approx(best, rel=0.02)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_the_deflated_sharpe_ratio_is_that_of_skfolio(count: int) -> None:
    returns = tries(count=count, mean=0.001)
    sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    best = returns[:, sharpes.argmax()]
    assert deflated_sharpe(best, sharpes) == pytest.approx(deflated_sharpe_ratio(best, sharpes), rel=1e-9)
    holed = np.append(sharpes, np.nan)
    assert deflated_sharpe(best, holed) == deflated_sharpe(best, sharpes)


def test_fewer_independent_tries_deflate_less() -> None:
    returns = tries(mean=0.001)
    sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    best = returns[:, sharpes.argmax()]
    assert deflated_sharpe(best, sharpes, 5) > deflated_sharpe(best, sharpes) > deflated_sharpe(best, sharpes, 1_000)


def test_the_best_of_noise_rarely_passes() -> None:
    passed, plain = 0, 0
    for seed in range(60):
        returns = np.random.default_rng(seed).normal(size=(300, 40))
        sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
        best = returns[:, sharpes.argmax()]
        passed += deflated_sharpe(best, sharpes) > 0.95
        plain += probabilistic_sharpe(float(sharpes.max()), 300) > 0.95
    assert passed <= 4 and plain >= 40


@given(sharpe=st.floats(0.01, 0.5), skew=st.floats(-1.0, 1.0), kurtosis=st.floats(0.0, 8.0), confidence=st.floats(0.6, 0.999))
def test_after_the_least_track_record_the_ratio_is_credible(sharpe: float, skew: float, kurtosis: float, confidence: float) -> None:
    """By solving the probabilistic Sharpe ratio for its count."""
    bars = min_track_record(sharpe, skew, kurtosis, 0.0, confidence)
    error = math.sqrt((1 - skew * sharpe + (kurtosis + 2) / 4 * sharpe**2) / (bars - 1))
    assert 0.5 * math.erfc(-sharpe / error / math.sqrt(2)) == pytest.approx(confidence, abs=1e-9)
    assert math.isnan(min_track_record(sharpe, benchmark=sharpe))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("same", [0.2, 0.5, 0.8])
def test_clusters_are_those_of_scipy(seed: int, same: float) -> None:
    dice = np.random.default_rng(seed)
    base = dice.normal(size=(200, 8))
    returns = base[:, dice.integers(0, 8, 60)] * dice.choice([-1.0, 1.0], 60) + dice.uniform(0, 1.5, 60) * dice.normal(size=(200, 60))
    distance = 1 - np.abs(np.corrcoef(returns.T))
    theirs = fcluster(linkage(squareform(distance, checks=False), "average"), 1 - same, "distance")
    ours = trial_clusters(returns, same)
    assert (np.equal.outer(ours, ours) == np.equal.outer(theirs, theirs)).all()
    assert effective_trials(returns, same) == theirs.max()


def test_copies_and_opposites_are_one_try() -> None:
    base = np.random.default_rng(1).normal(size=(300, 5))
    assert effective_trials(np.hstack([base, -base, 2 * base, base + 0.1])) == 5
    assert effective_trials(base[:, :1]) == 1
    assert effective_trials(np.zeros((10, 3))) == 3
    assert effective_trials(np.zeros((10, 0))) == 0


def slow_overfitting(returns: Array, blocks: int) -> tuple[float, float, list[float]]:
    """CSCV as it is told, one combination at a time."""
    length = len(returns) // blocks
    pieces = [returns[len(returns) - length * (blocks - i) : len(returns) - length * (blocks - i - 1)] for i in range(blocks)]
    logits, losses = [], 0
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        inside = np.concatenate([pieces[i] for i in chosen])
        outside = np.concatenate([pieces[i] for i in range(blocks) if i not in chosen])
        best = (inside.mean(axis=0) / inside.std(axis=0, ddof=1)).argmax()
        later = outside.mean(axis=0) / outside.std(axis=0, ddof=1)
        share = rankdata(later)[best] / (returns.shape[1] + 1)
        logits.append(math.log(share / (1 - share)))
        losses += later[best] < 0
    return float(np.mean(np.array(logits) <= 0)), losses / len(logits), logits


@pytest.mark.parametrize(("blocks", "rows", "count"), [(4, 40, 3), (8, 205, 12), (10, 300, 25)])
def test_overfitting_is_that_of_a_plain_loop(blocks: int, rows: int, count: int) -> None:
    returns = tries(rows, count, seed=blocks)
    probability, loss, logits = slow_overfitting(returns, blocks)
    found = overfitting(returns, blocks)
    assert found.logits == pytest.approx(np.array(logits), abs=1e-9)
    assert (found.probability, found.loss, found.trials) == (pytest.approx(probability), pytest.approx(loss), count)


def test_all_halvings_of_sixteen_blocks_are_tried() -> None:
    assert overfitting(tries(160, 4)).logits.shape == (12_870,)


def test_noise_is_overfitted_and_skill_is_not() -> None:
    noise = [overfitting(np.random.default_rng(seed).normal(size=(320, 50))).probability for seed in range(12)]
    assert 0.3 < np.mean(noise) < 0.7
    skilled = np.random.default_rng(1).normal(size=(320, 50))
    skilled[:, 17] += 0.4
    found = overfitting(skilled)
    assert found.probability < 0.01 and found.loss < 0.01


def test_overfitting_needs_tries_and_rows() -> None:
    assert math.isnan(overfitting(tries(count=1)).probability)
    assert math.isnan(overfitting(tries(31, 5)).probability)
    assert overfitting(np.zeros((64, 3))).probability == 1.0  # books that never move choose nothing
    with pytest.raises(ValueError, match="even number"):
        overfitting(tries(), 7)


@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1e-9, 0.01, 0.05, 1.0])), min_size=1, max_size=40))
@settings(deadline=None)
def test_false_discoveries_are_those_of_statsmodels(p_values: list[float]) -> None:
    for ours, theirs in (("bh", "fdr_bh"), ("by", "fdr_by")):
        rejected, adjusted, *_ = multipletests(p_values, 0.05, theirs)
        found = false_discoveries(p_values, 0.05, ours)  # type: ignore[arg-type]
        assert found.adjusted == pytest.approx(adjusted, abs=1e-12)
        near = np.abs(adjusted - 0.05) < 1e-12
        assert (found.rejected == rejected)[~near].all()


def test_a_hypothesis_that_was_not_tested_is_not_counted() -> None:
    found = false_discoveries([0.01, math.nan, 0.04], method="bh")
    alone = false_discoveries([0.01, 0.04], method="bh")
    assert found.adjusted[[0, 2]].tolist() == alone.adjusted.tolist()
    assert found.rejected.tolist() == [True, False, True]
    assert math.isnan(found.adjusted[1])
    assert false_discoveries([]).adjusted.shape == (0,)


def test_what_never_moved_has_no_ratio() -> None:
    assert all(math.isnan(x) for x in moments(np.full(50, 0.1)))
    assert all(math.isnan(x) for x in moments(np.array([1.0])))
    assert math.isnan(deflated_sharpe(np.zeros(50), np.array([0.1, 0.2])))
    assert math.isnan(probabilistic_sharpe(0.1, 1))
