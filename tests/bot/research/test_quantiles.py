"""Returns by group of a factor, against alphalens, pandas and scipy."""

import math

import numpy as np
import pandas as pd
import pytest
from alphalens import performance as alphalens
from alphalens.utils import quantize_factor
from scipy import stats

from bot.research.estimates import Estimate, newey_west
from bot.research.quantiles import group_count, group_returns, groups, monotonicity, quantile_returns, quantile_turnover
from tests.bot.research.test_ic import factor_data, panel


@pytest.mark.parametrize(("symbols", "count"), [(20, 5), (30, 5), (40, 10), (12, 3)])
def test_groups_returns_and_turnover_are_those_of_alphalens_where_names_divide_evenly(symbols: int, count: int) -> None:
    values, labels = panel(60, symbols)
    frame = factor_data(values, labels)
    frame["factor_quantile"] = quantize_factor(frame, quantiles=count)
    theirs = frame["factor_quantile"].to_numpy().reshape(values.shape) - 1
    chosen = groups(values, count)
    assert (chosen == theirs).all()
    for demean in (True, False):
        means, _ = alphalens.mean_return_by_quantile(frame, demeaned=demean)
        found = quantile_returns(values, labels, count, demean=demean, draws=0)
        assert [each.value for each in found.means] == pytest.approx(means["1D"].tolist(), abs=1e-12)
        assert found.spread.value == pytest.approx(means["1D"].iloc[-1] - means["1D"].iloc[0], abs=1e-12)
    for group in range(count):
        moved = alphalens.quantile_turnover(frame["factor_quantile"], group + 1).dropna().mean()
        assert quantile_turnover(chosen, count)[group].value == pytest.approx(moved, abs=1e-12)


def test_groups_with_holes_are_those_of_a_plain_loop() -> None:
    values, labels = panel(80, 17, holes=0.3)
    chosen = groups(values, 4, labels=labels)
    for t in range(80):
        both = np.flatnonzero(np.isfinite(values[t]) & np.isfinite(labels[t]))
        expected = np.full(17, -1)
        if len(both) >= 4:
            expected[both] = np.floor((stats.rankdata(values[t, both]) - 0.5) / len(both) * 4)
        assert chosen[t].tolist() == expected.tolist()
    means = group_returns(chosen, labels, 4)
    for group in range(4):
        wanted = pd.DataFrame(np.where(chosen == group, labels, np.nan)).mean(axis=1)
        assert means[:, group] == pytest.approx(wanted.to_numpy(), nan_ok=True, abs=1e-12)


def test_equal_values_share_a_group() -> None:
    values = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 9.0, 10.0]])
    assert groups(values, 5)[0].tolist() == [1, 1, 1, 1, 1, 1, 1, 4, 4, 4]


def test_a_bar_with_fewer_names_than_groups_has_none() -> None:
    values = np.array([[1.0, 2.0, np.nan, np.nan], [1.0, 2.0, 3.0, np.nan]])
    assert groups(values, 3).tolist() == [[-1, -1, -1, -1], [0, 1, 2, -1]]


@pytest.mark.parametrize(("symbols", "groups_made"), [(10, 5), (20, 5), (9, 4), (7, 3), (5, 2), (4, 2), (3, 2), (2, 2)])
def test_few_symbols_make_few_groups(symbols: int, groups_made: int) -> None:
    assert group_count(symbols, 5) == groups_made
    values, labels = panel(40, symbols)
    found = quantile_returns(values, labels, 5, evidence="across", draws=0)
    assert found.count == groups_made == len(found.means)
    assert all(each.n == 40 for each in found.means)


def test_with_five_symbols_the_lowest_is_in_the_lowest_group() -> None:
    """By percentiles `rank < 0.2` never holds for five names: all of them were long."""
    chosen = groups(np.array([[5.0, 4.0, 3.0, 2.0, 1.0]]), 5)
    assert chosen[0].tolist() == [4, 3, 2, 1, 0]


def test_over_time_a_symbol_is_grouped_against_itself() -> None:
    values, labels = panel(1_000, 1, strength=0.5)
    found = quantile_returns(values, labels)
    assert found.evidence == "over_time" and found.count == 5
    wanted = pd.Series(labels[:, 0]).groupby(pd.qcut(values[:, 0], 5, labels=False)).mean()
    assert [each.value for each in found.means] == pytest.approx(wanted.tolist(), abs=1e-12)
    assert [each.n for each in found.means] == [200] * 5
    assert found.spread.value == pytest.approx(wanted.iloc[-1] - wanted.iloc[0], abs=1e-12)
    low, high = (labels[groups(values, 5, "over_time")[:, 0] == group, 0] for group in (0, 4))
    apart = math.sqrt(low.var() / 200 + high.var() / 200)
    assert found.spread.error == pytest.approx(apart, rel=0.35)  # with the lags that the data ask for
    assert found.spread.t == pytest.approx(found.spread.value / found.spread.error)


def test_the_errors_of_means_and_spread_are_those_of_newey_and_west() -> None:
    values, labels = panel(300, 20)
    found = quantile_returns(values, labels, horizon=4, draws=0)
    series = group_returns(groups(values, 5), labels, 5)
    assert found.spread == newey_west(series[:, 4] - series[:, 0], horizon=4)
    assert found.means[2] == newey_west(series[:, 2], horizon=4)


@pytest.mark.parametrize("seed", range(5))
def test_monotonicity_is_the_rank_correlation_of_scipy(seed: int) -> None:
    series = np.random.default_rng(seed).normal(size=(50, 6))
    series[::3, 1] = np.nan
    wanted = stats.spearmanr(np.arange(6), np.nanmean(series, axis=0)).statistic
    found = monotonicity(series, draws=200)
    assert found.value == pytest.approx(wanted, abs=1e-12)
    assert 0 < found.error < 1 and found.n == 50


def test_the_error_of_monotonicity_is_its_spread_over_samples() -> None:
    dice = np.random.default_rng(0)
    drift = np.array([-0.1, -0.05, 0.0, 0.05, 0.1])
    seen = [monotonicity(drift + dice.normal(size=(200, 5)), draws=0).value for _ in range(400)]
    errors = [monotonicity(drift + dice.normal(size=(200, 5)), draws=200).error for _ in range(20)]
    assert np.mean(errors) == pytest.approx(np.std(seen), rel=0.35)


def test_a_strong_factor_is_monotone_and_noise_is_not() -> None:
    strong = quantile_returns(*panel(2_000, 20, strength=0.3))
    assert strong.monotonicity.value == 1.0
    assert strong.spread.t > 10
    noise = quantile_returns(*panel(2_000, 20, strength=0.0))
    assert abs(noise.spread.t) < 4


def test_an_empty_group_has_no_monotonicity() -> None:
    series = np.random.default_rng(1).normal(size=(50, 3))
    series[:, 1] = np.nan
    assert monotonicity(series) == Estimate(n=50)
    assert math.isnan(monotonicity(series[:, :1]).value)
