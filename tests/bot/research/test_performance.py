"""What a book is worth, against empyrical, scipy, statsmodels and arch."""

import math
import warnings

import empyrical
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from arch.bootstrap import StationaryBootstrap
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bot.metrics import measure
from bot.research.performance import break_even, capacity, performance, sharpe_bootstrap, turnover
from feeds.bars import Array
from feeds.times import DAY, HOUR, MINUTE, YEAR


def returns_of(count: int = 3_000, mean: float = 0.0002, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_t(5, count) * 0.004 + mean


@pytest.mark.parametrize("timeframe", [15 * MINUTE, HOUR, DAY])
@pytest.mark.parametrize("mean", [0.0002, -0.0003])
def test_every_figure_that_empyrical_has_is_the_same(timeframe: int, mean: float) -> None:
    returns = returns_of(mean=mean)
    year = YEAR / timeframe
    found = performance(returns, timeframe, draws=0)
    series = pd.Series(returns)
    pairs = {
        "total": (found.total_return, empyrical.cum_returns_final(series)),
        "annual": (found.annual_return, empyrical.annual_return(series, annualization=year)),
        "volatility": (found.volatility.value, empyrical.annual_volatility(series, annualization=year)),
        "sharpe": (found.sharpe.value, empyrical.sharpe_ratio(series, annualization=year)),
        "sortino": (found.sortino.value, empyrical.sortino_ratio(series, annualization=year)),
        "drawdown": (found.max_drawdown, empyrical.max_drawdown(series)),
        "shortfall": (found.expected_shortfall, empyrical.conditional_value_at_risk(series, 0.05)),
    }
    if found.calmar == found.calmar:
        pairs["calmar"] = (found.calmar, empyrical.calmar_ratio(series, annualization=year))
    for name, (ours, theirs) in pairs.items():
        assert ours == pytest.approx(theirs, rel=1e-9), name


def test_every_figure_of_a_session_is_the_same_here() -> None:
    returns = returns_of(2_000)
    session = measure(1_000.0 * np.cumprod(1 + returns), HOUR, start=1_000.0, first_close_ms=HOUR)
    found = performance(returns, HOUR, draws=0)
    same = {
        "total_return": found.total_return, "annualised_return": found.annual_return, "volatility": found.volatility.value,
        "sharpe": found.sharpe.value, "sharpe_error": found.sharpe_error_iid, "sortino": found.sortino.value,
        "max_drawdown": found.max_drawdown, "underwater_ms": found.underwater_ms, "calmar": None,
        "win_rate": found.win_rate.value, "win_rate_active": found.win_rate_active.value, "profit_factor": found.profit_factor,
        "skew": found.skew, "kurtosis": found.kurtosis,
    }  # fmt: skip
    for name, value in same.items():
        if value is not None:
            assert value == pytest.approx(getattr(session, name), rel=1e-9), name


def test_the_errors_are_those_of_the_delta_method() -> None:
    """Each by its influence function, whose mean's error statsmodels has."""
    r = returns_of(1_200)
    count, lag, year = len(r), 7, 8_760
    found = performance(r, HOUR, lag=lag, draws=0)
    z, q = (r - r.mean()) / r.std(), r.mean() / r.std(ddof=1)
    losses = np.minimum(r, 0) ** 2
    below = math.sqrt(losses.mean())
    influences = {
        "mean_return": (r - r.mean()) * year,
        "volatility": (z**2 - 1) / 2 * r.std() * math.sqrt(count / (count - 1)) ** -1 * math.sqrt(year),
        "sharpe": (z - q / 2 * (z**2 - 1)) * math.sqrt(year),
        "sortino": ((r - r.mean()) / below - r.mean() / below / 2 * (losses / below**2 - 1)) * math.sqrt(year),
        "win_rate": None,
    }
    for name, influence in influences.items():
        if influence is not None:
            fit = sm.OLS(influence, np.ones(count)).fit(cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": False})
            assert getattr(found, name).error == pytest.approx(float(fit.bse[0]), rel=1e-9), name
    assert found.sharpe_probability == pytest.approx(stats.norm.cdf(found.sharpe.value / found.sharpe.error), rel=1e-12)


def test_the_sharpe_errors_cover_the_truth() -> None:
    """Returns with AR(1) of 0.3: the error that knows of it is right, the one for independent returns is too small."""
    dice = np.random.default_rng(3)
    ratios, errors, naive = [], [], []
    for _ in range(200):
        shocks = dice.normal(size=1_500)
        r = 0.01 * shocks
        for t in range(1, 1_500):
            r[t] += 0.3 * r[t - 1]
        found = performance(r + 0.0005, HOUR, draws=0)
        ratios.append(found.sharpe.value)
        errors.append(found.sharpe.error)
        naive.append(found.sharpe_error_iid)
    assert np.mean(errors) == pytest.approx(np.std(ratios), rel=0.15)
    assert np.mean(naive) < 0.85 * np.std(ratios)


def test_the_bootstrap_of_the_sharpe_ratio_is_that_of_arch() -> None:
    r = returns_of(600)
    ours = sharpe_bootstrap(r, 8_760.0, 3_000, seed=1)
    theirs = StationaryBootstrap(ours.block, r, seed=2).apply(lambda x: np.array([x.mean() / x.std(ddof=1)]), 3_000)[:, 0]
    assert ours.value == pytest.approx(r.mean() / r.std(ddof=1) * math.sqrt(8_760), rel=1e-9)
    assert ours.error == pytest.approx(theirs.std(ddof=1) * math.sqrt(8_760), rel=0.06)
    assert [ours.low, ours.high] == pytest.approx((np.quantile(theirs, [0.025, 0.975]) * math.sqrt(8_760)).tolist(), abs=0.15 * ours.error)


def test_the_bootstrap_of_the_fall_is_that_of_arch() -> None:
    r = returns_of(500)
    ours = performance(r, HOUR, draws=2_000).max_drawdown_bootstrap
    theirs = StationaryBootstrap(ours.block, r, seed=2).apply(lambda x: np.array([empyrical.max_drawdown(x)]), 1_000)[:, 0]
    assert ours.value == pytest.approx(empyrical.max_drawdown(r))
    assert ours.error == pytest.approx(theirs.std(ddof=1), rel=0.12)
    assert (ours.low + ours.high) / 2 == pytest.approx(np.quantile(theirs, [0.025, 0.975]).mean(), rel=0.1)


@pytest.mark.parametrize("cost", [0.0005, 0.002])
def test_at_the_break_even_cost_nothing_is_left(cost: float) -> None:
    dice = np.random.default_rng(7)
    traded = dice.uniform(0, 0.5, 800)
    before = dice.normal(0.0004, 0.003, 800)
    found = break_even(before - cost * traded, cost * traded, traded)
    left = (before - found.value / 10_000 * traded).mean()
    assert left == pytest.approx(0.0, abs=1e-17)
    assert performance(before - cost * traded, HOUR, traded=traded, costs=cost * traded, draws=0).break_even_bps == found


def test_a_loser_breaks_even_below_nothing_and_a_book_that_does_not_trade_nowhere() -> None:
    traded = np.full(100, 0.1)
    noise = np.random.default_rng(0).normal(size=100) * 0.001
    assert break_even(noise - 0.01, 0 * traded, traded).value < 0
    assert math.isnan(break_even(noise, 0 * traded, 0 * traded).value)


def test_turnover_is_one_way_of_the_gross_a_day() -> None:
    """Half of a book of gross 2 is sold and bought elsewhere each day: 2 traded of 2 held, one way 0.5."""
    traded = np.tile([2.0] + [0.0] * 23, 40)
    assert turnover(traded, np.full(960, 2.0), HOUR).value == pytest.approx(0.5)
    assert turnover(traded, np.full(960, 0.5), HOUR).value == pytest.approx(2.0)  # it does not matter how large the book is
    assert math.isnan(turnover(traded, np.zeros(960), HOUR).value)


def test_the_first_position_is_traded_too() -> None:
    traded, gross = np.zeros(48), np.ones(48)
    traded[0] = 1.0
    assert turnover(traded, gross, HOUR).value == pytest.approx(0.25)  # 1 in 48 h, one way 0.5, a day 0.25


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_capacity_lets_95_percent_through(seed: int) -> None:
    dice = np.random.default_rng(seed)
    trades = np.where(dice.random((60, 3)) < 0.4, dice.exponential(0.2, (60, 3)), 0.0)
    volume = dice.exponential(1e6, (60, 3))
    volume[dice.random((60, 3)) < 0.01] = np.nan
    size = capacity(trades, volume, 0.05)

    def through(equity: float) -> float:
        return float(trades[equity * trades <= 0.05 * np.nan_to_num(volume) * (1 + 1e-12)].sum() / trades.sum())

    assert through(size) >= 0.95 - 1e-9
    assert through(max(size, 1e-6) * 1.000001) < 0.95
    assert capacity(trades, volume, 0.01) == pytest.approx(size / 5)


def test_a_capacity_by_hand() -> None:
    trades, volume = np.full((10, 1), 0.5), np.full((10, 1), 1e6)
    assert capacity(trades, volume, 0.01) == 20_000.0  # half of 20,000 is 1 % of a million
    volume[3] = 0.0  # a tenth of what is traded cannot be
    assert capacity(trades, volume, 0.01) == 0.0
    assert math.isnan(capacity(0 * trades, volume, 0.01))


def test_the_first_bar_counts() -> None:
    found = performance(np.array([-0.5] + [0.0] * 30), HOUR, draws=0)
    assert found.total_return == -0.5 and found.max_drawdown == -0.5 and found.worst_bar == -0.5


def test_sortino_counts_every_bar() -> None:
    """One loss of 1 % in 100 bars: the root of the mean square is 0.1 %, not the (undefined) deviation of one loss."""
    returns = np.array([0.001] * 99 + [-0.01])
    assert performance(returns, DAY, draws=0).sortino.value == pytest.approx(returns.mean() / 0.001 * math.sqrt(365))


def test_a_profit_factor_is_capped_and_a_year_needs_time() -> None:
    assert performance(np.array([0.01] * 50 + [-1e-9]), HOUR, draws=0).profit_factor == 1_000.0
    assert math.isnan(performance(np.array([0.01] * 50), HOUR, draws=0).profit_factor)
    minutes = performance(returns_of(1_000), MINUTE, draws=0)
    assert math.isnan(minutes.annual_return) and math.isnan(minutes.calmar)
    weeks = performance(returns_of(24 * 80), HOUR, draws=0)
    assert math.isfinite(weeks.annual_return) and math.isnan(weeks.calmar)  # 80 days are no Calmar ratio
    assert math.isfinite(performance(returns_of(24 * 91), HOUR, draws=0).calmar)


def test_the_bar_length_makes_the_year() -> None:
    returns = returns_of(1_000)
    hour, day = performance(returns, HOUR, draws=0).sharpe, performance(returns, DAY, draws=0).sharpe
    assert hour.value / day.value == pytest.approx(math.sqrt(24))
    assert hour.t == pytest.approx(day.t)


def test_a_flat_book_has_no_ratios() -> None:
    found = performance(np.zeros(100), HOUR, gross=np.zeros(100), traded=np.zeros(100), costs=np.zeros(100))
    assert (found.total_return, found.max_drawdown, found.volatility.value, found.exposure) == (0.0, 0.0, 0.0, 0.0)
    assert all(math.isnan(x) for x in (found.sharpe.value, found.sortino.value, found.calmar, found.profit_factor, found.cost_drag))
    assert math.isnan(found.turnover.value) and math.isnan(found.break_even_bps.value)


def test_who_lost_everything_does_not_come_back() -> None:
    found = performance(np.array([0.01] * 30 + [-1.2] + [0.5] * 30), HOUR)
    assert found.total_return == -1.0 and found.max_drawdown == -1.0
    assert math.isnan(found.annual_return) and math.isnan(found.sharpe.value)


def test_nothing_is_ever_infinite() -> None:
    cases = [np.zeros(0), np.zeros(1), np.full(25, 0.01), np.array([0.0] * 30 + [1e-300]), returns_of(20), np.full(500, -0.999)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for returns in cases:
            found = performance(returns, HOUR, gross=np.abs(returns), traded=np.abs(returns), costs=0 * returns)
            for name in found.__struct_fields__:
                value = getattr(found, name)
                figures = [value] if isinstance(value, float | int) else [getattr(value, part) for part in value.__struct_fields__]
                assert not any(math.isinf(figure) for figure in figures), name


def test_a_return_that_is_not_known_is_an_error_and_no_zero() -> None:
    with pytest.raises(ValueError, match="return of bar 3 is not known"):
        performance(np.array([0.0, 0.0, 0.0, np.nan]), HOUR)
    with pytest.raises(ValueError, match="traded must be finite"):
        performance(np.zeros(4), HOUR, traded=np.zeros(3))
    with pytest.raises(ValueError, match="a bar has a length"):
        performance(np.zeros(4), 0)
