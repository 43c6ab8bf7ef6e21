"""Errors of dependent observations, against statsmodels and arch."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from arch.covariance.kernel import Bartlett
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bot.research.estimates import (
    Estimate,
    automatic_lag,
    mean_to_deviation,
    newey_west,
    normal_cdf,
    normal_quantile,
    optimal_block,
    p_value,
    ratio_of_means,
    regression,
    stationary_bootstrap,
    stationary_indices,
    stationary_sums,
)
from feeds.bars import Array


def autoregressive(count: int, rho: float = 0.5, seed: int = 1) -> Array:
    dice = np.random.default_rng(seed)
    shocks = dice.standard_t(6, size=count)
    x = np.empty(count)
    x[0] = shocks[0]
    for t in range(1, count):
        x[t] = rho * x[t - 1] + shocks[t]
    return x + 0.05


def hac(y: Array, x: Array, lag: int) -> tuple[Array, Array]:
    """Coefficients and errors by statsmodels, without its correction for small samples."""
    found = sm.OLS(y, x).fit(cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": False})
    return np.asarray(found.params), np.asarray(found.bse)


@pytest.mark.parametrize("lag", [0, 1, 5, 23])
@pytest.mark.parametrize("count", [60, 500])
def test_newey_west_is_that_of_statsmodels(count: int, lag: int) -> None:
    x = autoregressive(count)
    (mean,), (error,) = hac(x, np.ones((count, 1)), lag)
    found = newey_west(x, lag)
    assert found.value == pytest.approx(mean, rel=1e-12)
    assert found.error == pytest.approx(error, rel=1e-10)
    assert found.t == pytest.approx(mean / error, rel=1e-10)
    assert found.n == count


def test_a_hole_weighs_nothing_and_joins_nothing() -> None:
    x = autoregressive(400)
    x[[3, 50, 51, 52, 399]] = np.nan
    known = np.isfinite(x)
    seen = np.where(known, x - x[known].mean(), 0.0)
    total = sum((1 - abs(lag) / 5) * sum(seen[t] * seen[t - lag] for t in range(max(lag, 0), 400 + min(lag, 0))) for lag in range(-4, 5))
    found = newey_west(x, 4)
    assert found.n == 395
    assert found.error == pytest.approx(math.sqrt(total) / 395, rel=1e-10)
    assert newey_west(x[known], 4).error != pytest.approx(found.error, rel=1e-6)


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.3, 0.9])
@pytest.mark.parametrize("count", [100, 1_000, 5_000])
def test_the_automatic_lag_is_that_of_arch(count: int, rho: float) -> None:
    x = autoregressive(count, rho, seed=count)
    x -= x.mean()
    wanted = math.ceil(Bartlett(x[:, None]).opt_bandwidth)
    assert automatic_lag(x) == min(wanted, count // 4)
    assert automatic_lag(x, horizon=49) == max(48, min(wanted, count // 4))


def test_overlapping_labels_have_wider_errors() -> None:
    dice = np.random.default_rng(5)
    returns = dice.normal(size=6_000)
    summed = np.convolve(returns, np.ones(24), mode="valid")
    honest, naive = newey_west(summed, horizon=24), newey_west(summed, 0)
    assert honest.error > 3.5 * naive.error  # sqrt(24) = 4.9, less what Bartlett's weights take away
    assert automatic_lag(summed - summed.mean(), 24) >= 23


@pytest.mark.parametrize("count", [0, 1, 19])
def test_too_few_observations_have_a_mean_and_no_error(count: int) -> None:
    found = newey_west(np.arange(float(count)), 0)
    assert found.n == count
    assert math.isnan(found.error) and math.isnan(found.t)
    assert found.value == (count - 1) / 2 if count else math.isnan(found.value)


def test_a_lag_that_the_sample_cannot_carry_has_no_error() -> None:
    assert math.isnan(newey_west(autoregressive(40), 24).error)
    assert newey_west(autoregressive(50), 24).error > 0


def test_a_constant_has_no_t() -> None:
    assert newey_west(np.full(100, 0.1), 3).error < 1e-15
    assert math.isnan(newey_west(np.full(100, 0.1), 3).t)
    assert mean_to_deviation(np.full(100, 0.1)) == Estimate(n=100)


def test_the_error_of_a_ratio_of_means_is_that_of_its_regression() -> None:
    """The delta method: the ratio's error is that of the mean of (top - ratio x bottom) / mean(bottom)."""
    dice = np.random.default_rng(2)
    bottom = dice.uniform(0.5, 1.5, 300)
    top = 0.3 * bottom + dice.normal(0, 0.1, 300)
    ratio = top.mean() / bottom.mean()
    _, (error,) = hac((top - ratio * bottom) / bottom.mean(), np.ones((300, 1)), 3)
    found = ratio_of_means(top, bottom, 3)
    assert found.value == pytest.approx(ratio, rel=1e-12)
    assert found.error == pytest.approx(error, rel=1e-9)
    assert math.isnan(ratio_of_means(top, -bottom).value)


def test_without_lags_the_error_of_mean_to_deviation_is_that_of_mertens() -> None:
    x = np.random.default_rng(4).gamma(2.0, size=2_000) - 1.5
    q = x.mean() / x.std(ddof=1)
    g3, g4 = stats.skew(x), stats.kurtosis(x, fisher=False)
    found = mean_to_deviation(x, 0)
    assert found.value == pytest.approx(q, rel=1e-12)
    assert found.error == pytest.approx(math.sqrt((1 - g3 * q + (g4 - 1) / 4 * q**2) / 2_000), rel=1e-9)


def test_with_lags_the_error_of_mean_to_deviation_is_the_delta_method_on_both_moments() -> None:
    """Lo (2002): gradient of the ratio times the long-run covariance of (x, (x - mean)^2), by arch's kernel."""
    x = autoregressive(1_500, 0.3)
    mean, variance = x.mean(), x.var()
    pair = np.column_stack([x, (x - mean) ** 2])
    covariance = Bartlett(pair, bandwidth=6).cov.long_run
    scale = math.sqrt(1_499 / 1_500)  # the ratio has the sample deviation
    gradient = np.array([1 / math.sqrt(variance), -mean / (2 * variance**1.5) * scale])
    found = mean_to_deviation(x, 6)
    assert found.error == pytest.approx(math.sqrt(gradient @ np.asarray(covariance) @ gradient / 1_500), rel=1e-9)


@pytest.mark.parametrize("lag", [0, 4])
def test_regression_is_that_of_statsmodels(lag: int) -> None:
    dice = np.random.default_rng(8)
    columns = dice.normal(size=(300, 3)) * [1.0, 100.0, 0.001] + [0.0, 5.0, 1.0]
    y = autoregressive(300) + columns @ [0.4, -0.01, 30.0]
    weights, errors = hac(y, sm.add_constant(columns), lag)
    found = regression(y, columns, lag)
    assert [each.value for each in found] == pytest.approx(weights.tolist(), rel=1e-8)
    assert [each.error for each in found] == pytest.approx(errors.tolist(), rel=1e-8)


def test_columns_that_say_the_same_have_no_coefficients() -> None:
    x = autoregressive(100)
    assert regression(x, np.column_stack([x, 2 * x]), 0) == (Estimate(n=100),) * 3
    assert regression(x, np.ones((100, 1)), 0) == (Estimate(n=100),) * 2


@pytest.mark.parametrize("count", [30, 100, 1_000, 4_321])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95])
def test_the_block_length_is_that_of_arch(count: int, rho: float) -> None:
    x = autoregressive(count, rho, seed=7)
    wanted = float(optimal_block_length(x)["stationary"].iloc[0])
    assert optimal_block(x) == pytest.approx(max(wanted, 1.0), rel=1e-9)


def test_resamples_are_blocks_of_geometric_length_from_anywhere() -> None:
    places = stationary_indices(200, 10.0, 400, seed=3)
    follows = places[:, 1:] == (places[:, :-1] + 1) % 200
    assert places.shape == (400, 200)
    # a block ends with probability 1 / 10, and the next begins at the very next place with 1 / 200
    assert 1 - follows.mean() == pytest.approx(0.1 * (1 - 1 / 200), abs=0.004)
    assert stats.chisquare(np.bincount(places[:, 0], minlength=200)).pvalue > 0.001


def test_the_error_of_the_bootstrap_is_that_of_arch() -> None:
    x = autoregressive(400, 0.6)
    theirs = StationaryBootstrap(8, x, seed=11).apply(lambda sample: np.array([sample.mean(), sample.std()]), 4_000)
    mean = stationary_bootstrap(x, lambda rows: rows.mean(axis=1), 8.0, 4_000, seed=1)
    deviation = stationary_bootstrap(x, lambda rows: rows.std(axis=1), 8.0, 4_000, seed=1)
    assert mean.value == pytest.approx(x.mean())
    # the error of a deviation over 4,000 draws is 1.1 %; of both sides together 1.6 %
    assert mean.error == pytest.approx(theirs[:, 0].std(ddof=1), rel=0.06)
    assert deviation.error == pytest.approx(theirs[:, 1].std(ddof=1), rel=0.06)
    assert [mean.low, mean.high] == pytest.approx(np.quantile(theirs[:, 0], [0.025, 0.975]).tolist(), abs=0.15 * mean.error)


def test_the_error_of_the_mean_is_what_politis_and_romano_derive() -> None:
    """Lemma 1: the variance of the resampled mean is the sum of circular autocovariances, weighted by (1 - k / T)(1 - p)^k + ..."""
    x = autoregressive(120, 0.5)
    count, p = 120, 1 / 6
    centred = x - x.mean()
    circular = np.array([(centred * np.roll(centred, -k)).mean() for k in range(count)])
    k = np.arange(1, count)
    weights = (1 - k / count) * (1 - p) ** k + k / count * (1 - p) ** (count - k)
    variance = (circular[0] + (weights * circular[1:]).sum()) / count
    found = stationary_bootstrap(x, lambda rows: rows.mean(axis=1), 6.0, 20_000, seed=5)
    assert found.error == pytest.approx(math.sqrt(variance), rel=0.025)


@given(count=st.integers(20, 90), block=st.floats(1.0, 200.0), seed=st.integers(0, 1_000))
@settings(max_examples=40, deadline=None)
def test_sums_of_resamples_are_those_of_their_rows(count: int, block: float, seed: int) -> None:
    columns = np.random.default_rng(seed).normal(size=(count, 2))
    sums = stationary_sums(columns, block, 7, seed)
    places = stationary_indices(count, block, 7, seed)
    assert sums == pytest.approx(columns[places].sum(axis=1), abs=1e-9)
    assert places.min() >= 0 and places.max() < count


def test_a_bootstrap_is_the_same_again_from_the_same_seed() -> None:
    x = autoregressive(100)
    one, same, other = (stationary_bootstrap(x, lambda rows: rows.mean(axis=1), draws=200, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


def test_a_bootstrap_of_too_little_is_only_the_figure() -> None:
    found = stationary_bootstrap(np.arange(10.0), lambda rows: rows.mean(axis=1))
    assert found.value == 4.5
    assert math.isnan(found.error) and found.draws == 0


@given(z=st.floats(-7.0, 7.0))
def test_the_normal_law_is_that_of_scipy(z: float) -> None:
    assert normal_cdf(z) == pytest.approx(stats.norm.cdf(z), rel=1e-12)
    assert p_value(z) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-12)
    assert normal_quantile(float(stats.norm.cdf(-abs(z)))) == pytest.approx(-abs(z), abs=1e-9)


def test_lags_are_bounded_where_autocovariances_cancel_the_variance() -> None:
    assert automatic_lag(np.array([1.0, -1.0, 1e-160])) == 0
    assert automatic_lag(np.array([1.0, -1.0, 1e-160]), horizon=5) == 4
