"""Information coefficients against scipy, pandas, statsmodels and alphalens."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from alphalens import performance as alphalens
from scipy import stats

from bot.ic import executable_returns, information_coefficient
from bot.research.estimates import newey_west
from bot.research.ic import CROSS_SECTION, LEAST_SYMBOLS, coverage, evidence_of, hit_rate, ic_series, information, rank_ics, time_ic
from bot.research.labels import forward_returns
from feeds.bars import Array


def panel(rows: int = 300, symbols: int = 12, strength: float = 0.1, seed: int = 0, holes: float = 0.0) -> tuple[Array, Array]:
    dice = np.random.default_rng(seed)
    values = dice.normal(size=(rows, symbols)).cumsum(axis=0) * 0.1 + dice.normal(size=(rows, symbols))
    labels = strength * values + dice.standard_t(5, size=(rows, symbols))
    if holes:
        values[dice.random((rows, symbols)) < holes] = np.nan
        labels[dice.random((rows, symbols)) < holes] = np.nan
    return values, labels


def factor_data(values: Array, labels: Array) -> pd.DataFrame:
    """The frame that alphalens works on: one row a date and asset."""
    dates = pd.date_range("2024-01-01", periods=values.shape[0], freq="D")
    index = pd.MultiIndex.from_product([dates, [f"S{i:02d}" for i in range(values.shape[1])]], names=["date", "asset"])
    frame = pd.DataFrame({"1D": labels.ravel(), "factor": values.ravel()}, index=index)
    return frame.dropna()


@pytest.mark.parametrize("holes", [0.0, 0.2])
@pytest.mark.parametrize("rank", [True, False])
def test_each_bar_has_the_correlation_that_scipy_has(rank: bool, holes: float) -> None:
    values, labels = panel(holes=holes)
    values[7] = 3.0
    values[8, :9] = np.nan
    found = ic_series(values, labels, rank)
    for t in range(values.shape[0]):
        both = np.isfinite(values[t]) & np.isfinite(labels[t])
        x, y = values[t, both], labels[t, both]
        if len(x) < LEAST_SYMBOLS or np.ptp(x) == 0:
            assert math.isnan(found[t])
        else:
            wanted = stats.spearmanr(x, y).statistic if rank else stats.pearsonr(x, y).statistic
            assert found[t] == pytest.approx(wanted, abs=1e-12)


def test_ties_have_the_mean_of_their_ranks() -> None:
    values, labels = panel(100)
    values, labels = np.round(values), np.round(labels)
    wanted = [stats.spearmanr(x, y).statistic for x, y in zip(values, labels, strict=True)]
    assert ic_series(values, labels) == pytest.approx(np.array(wanted), abs=1e-12)


def test_the_rank_ic_of_a_panel_is_that_of_alphalens() -> None:
    values, labels = panel()
    theirs = alphalens.factor_information_coefficient(factor_data(values, labels))["1D"].to_numpy()
    assert ic_series(values, labels) == pytest.approx(theirs, abs=1e-12)
    mean = alphalens.mean_information_coefficient(factor_data(values, labels))["1D"]
    assert information(values, labels).rank_ic.value == pytest.approx(mean, abs=1e-12)


def test_the_autocorrelation_of_a_panel_is_that_of_alphalens() -> None:
    values, labels = panel()
    for period in (1, 5):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas' own, about frequencies
            theirs = alphalens.factor_rank_autocorrelation(factor_data(values, labels), period)
        assert information(values, labels, period=period).autocorrelation.value == pytest.approx(theirs.mean(), abs=1e-12)


def test_many_factors_at_once_are_each_of_them_alone() -> None:
    pairs = [panel(80, 12, seed=seed, holes=0.1) for seed in range(4)]
    labels = pairs[0][1]
    values = np.stack([value for value, _ in pairs])
    for rank in (True, False):
        together = ic_series(values, labels, rank)
        for factor in range(4):
            assert together[factor] == pytest.approx(ic_series(values[factor], labels, rank), nan_ok=True, abs=0)
    assert rank_ics(values, labels, 3) == [newey_west(ic_series(each, labels), horizon=3) for each in values]
    assert rank_ics(values[:, :, :3], labels[:, :3]) == [time_ic(each[:, :3], labels[:, :3]).mean for each in values]


def test_the_mean_ic_has_the_error_of_newey_and_west() -> None:
    values, labels = panel()
    found = information(values, labels, horizon=6)
    series = np.array([stats.spearmanr(x, y).statistic for x, y in zip(values, labels, strict=True)])
    wanted = newey_west(series, horizon=6)
    assert found.evidence == "across"
    assert found.rank_ic.value == pytest.approx(wanted.value, abs=1e-12)
    assert found.rank_ic.error == pytest.approx(wanted.error, rel=1e-9)
    assert found.rank_icir.value == pytest.approx(series.mean() / series.std(ddof=1), rel=1e-9)
    assert found.hit_rate.value == pytest.approx((series > 0).sum() / (series != 0).sum())


@pytest.mark.parametrize("lag", [0, 5])
@pytest.mark.parametrize("rank", [True, False])
def test_over_time_each_symbol_has_the_correlation_of_scipy_and_the_error_of_statsmodels(rank: bool, lag: int) -> None:
    values, labels = panel(250, 3, holes=0.1)
    found = time_ic(values, labels, rank, lag=lag)
    for symbol in range(3):
        both = np.isfinite(values[:, symbol]) & np.isfinite(labels[:, symbol])
        x, y = values[both, symbol], labels[both, symbol]
        wanted = stats.spearmanr(x, y).statistic if rank else stats.pearsonr(x, y).statistic
        assert found.by_symbol[symbol].value == pytest.approx(wanted, abs=1e-12)
        assert found.by_symbol[symbol].n == both.sum()
        products = np.full(250, np.nan)
        z = [stats.zscore(stats.rankdata(side) if rank else side) for side in (x, y)]
        products[both] = z[0] * z[1]
        grid = np.where(np.isnan(products), 0.0, products - wanted)
        fit = sm.OLS(grid, np.ones(250)).fit(cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": False})
        assert float(fit.params[0]) == pytest.approx(0.0, abs=1e-12)
        assert found.by_symbol[symbol].error == pytest.approx(float(fit.bse[0]) * 250 / both.sum(), rel=1e-9)


def test_over_time_the_mean_adds_symbols_before_it_takes_the_error() -> None:
    values, labels = panel(400, 1)
    one = time_ic(values, labels, lag=3)
    five = time_ic(np.repeat(values, 5, axis=1), np.repeat(labels, 5, axis=1), lag=3)
    assert five.mean.value == pytest.approx(one.mean.value, abs=1e-12)
    assert five.mean.error == pytest.approx(one.mean.error, rel=1e-9)  # five coins that are one are no more evidence
    apart = panel(400, 5)
    assert time_ic(*apart, lag=3).mean.error < 0.6 * one.mean.error


def test_over_time_the_coefficients_are_those_of_a_session() -> None:
    dice = np.random.default_rng(3)
    opens = 100 * np.exp(np.cumsum(dice.normal(0, 0.01, (500, 4)), axis=0))
    scores = dice.normal(size=(500, 4))
    scores[dice.random((500, 4)) < 0.1] = np.nan
    session = information_coefficient(scores, opens, ("A", "B", "C", "D"))
    lag = math.floor(4 * (500 / 100) ** (2 / 9))
    label = executable_returns(opens)
    for rank, value, t in ((False, session.ic, session.ic_t), (True, session.rank_ic, session.rank_ic_t)):
        found = time_ic(scores, label, rank, lag=lag).mean
        assert found.value == pytest.approx(value, rel=1e-9)
        assert found.t == pytest.approx(t, rel=1e-9)


def test_few_symbols_give_evidence_over_time_and_many_across() -> None:
    assert evidence_of(CROSS_SECTION) == "across" and evidence_of(CROSS_SECTION - 1) == "over_time"
    values, labels = panel(200, 4)
    found = information(values, labels)
    assert found.evidence == "over_time"
    assert len(found.ic_by_symbol) == len(found.rank_ic_by_symbol) == 4
    assert found.rank_ic == time_ic(values, labels).mean


def test_perfect_foresight_has_an_ic_of_one() -> None:
    dice = np.random.default_rng(6)
    opens = 100 * np.exp(np.cumsum(dice.normal(0, 0.01, (300, 12)), axis=0))
    label = forward_returns(opens, 1)
    found = information(label, label)
    assert found.ic.value == pytest.approx(1.0) and found.rank_ic.value == pytest.approx(1.0)
    assert found.hit_rate.value == 1.0
    alone = information(label[:, :1], label[:, :1])
    assert alone.ic.value == pytest.approx(1.0) and alone.ic.t > 10


def test_the_mean_of_correlations_is_not_the_correlation_of_means() -> None:
    """A factor that knows each coin, though the coins' mean never moves."""
    dice = np.random.default_rng(9)
    labels = dice.normal(size=(400, 12))
    labels -= labels.mean(axis=1, keepdims=True)
    assert information(labels + 0.5 * dice.normal(size=labels.shape), labels).rank_ic.t > 30


def test_noise_is_within_its_error() -> None:
    """Over 200 factors of noise with labels that overlap 8 bars, |t| > 1.96 in about one of twenty."""
    dice = np.random.default_rng(12)
    opens = 100 * np.exp(np.cumsum(dice.normal(0, 0.01, (600, 12)), axis=0))
    labels = forward_returns(opens, 8)
    noise = dice.normal(size=(200, 600, 12))
    smooth = np.stack([pd.DataFrame(each).ewm(span=24).mean().to_numpy() for each in noise])
    for values in (noise, smooth):
        ts = np.array([found.t for found in rank_ics(values, labels, 8)])
        assert 0.01 <= (np.abs(ts) > 1.96).mean() <= 0.12


def test_a_hit_rate_is_tested_against_one_half() -> None:
    series = np.where(np.random.default_rng(1).random(900) < 0.6, 0.1, -0.1)
    series[::9] = 0.0
    found = hit_rate(series)
    assert found.n == 800
    assert found.value == pytest.approx((series > 0).sum() / 800)
    assert found.t == pytest.approx((found.value - 0.5) / found.error)


def test_coverage_counts_the_cells_that_could_have_a_value() -> None:
    values = np.array([[1.0, np.nan], [2.0, 3.0], [np.nan, np.nan]])
    assert coverage(values).value == 0.5
    listed = np.array([[True, False], [True, True], [False, False]])
    assert coverage(values, listed).value == 1.0
    assert math.isnan(coverage(values, np.zeros((3, 2), dtype=bool)).value)


def test_what_says_nothing_has_no_coefficient() -> None:
    values, labels = panel(100, 12)
    assert math.isnan(information(np.zeros((100, 12)), labels).rank_ic.value)
    assert math.isnan(information(np.full((100, 12), 0.1), labels).ic.value)
    assert math.isnan(information(np.full((100, 2), np.nan), labels[:, :2]).rank_ic.value)
    assert math.isnan(time_ic(values[:19, :1], labels[:19, :1]).mean.value)
    assert math.isnan(information(values[:0], labels[:0]).rank_ic.value)


def test_other_bars_are_refused() -> None:
    values, labels = panel(50, 12)
    with pytest.raises(ValueError, match="same bars and symbols"):
        ic_series(values[1:], labels)
    with pytest.raises(ValueError, match="same bars and symbols"):
        time_ic(values[:, :3], labels)
