"""Every figure against a second computation in pandas, written from the definitions in docs/metrics.md."""

import math
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple
from scipy.stats import pearsonr, spearmanr

from bot.events import Purpose
from bot.ic import executable_returns, information_coefficient, newey_west
from bot.metrics import Metrics, day_returns
from bot.metrics import measure as measure_run
from bot.trips import RoundTrip
from feeds.bars import Array
from feeds.times import DAY, HOUR, MINUTE, YEAR
from strategies.events import Side

BEGIN = 1_704_067_200_000  # 2024-01-01T00:00Z
CASH = 100_000.0


def closes(count: int, timeframe: int = HOUR, begin: int = BEGIN) -> np.ndarray:  # type: ignore[type-arg]
    return begin + timeframe * np.arange(1, count + 1, dtype=np.int64)


def path_of(returns: list[float] | Array) -> Array:
    return CASH * np.cumprod(1.0 + np.asarray(returns, float))


def measure(equity: Array, times: np.ndarray, timeframe: int, **rest: object) -> Metrics:  # type: ignore[type-arg]
    return measure_run(equity, timeframe, first_close_ms=int(times[0]) if len(times) else 0, **rest)  # type: ignore[arg-type]


def trip(pnl: str, *, entry: str = "100", quantity: str = "2", bars: int | None = 3) -> RoundTrip:
    return RoundTrip(
        symbol="BTCUSDT", side=Side.LONG, entry_ms=BEGIN, exit_ms=None if bars is None else BEGIN + bars * HOUR, quantity=Decimal(quantity),
        entry=Decimal(entry), exit=Decimal(entry), pnl=Decimal(pnl), fees=Decimal("0.1"), funding=Decimal(0), slippage=Decimal(0),
        opened_by=Purpose.ENTRY, closed_by=Purpose.EXIT,
    )  # fmt: skip


def by_pandas(equity: Array, timeframe: int, first_close: int) -> dict[str, float | int | None]:
    """The definitions once more, with other tools."""
    index = pd.to_datetime(
        np.concatenate([[first_close - timeframe], first_close + timeframe * np.arange(len(equity))]), unit="ms", utc=True
    )
    level = pd.Series(np.concatenate([[CASH], equity]), index=index)
    r = level.pct_change(fill_method=None).iloc[1:]
    year, n = pd.Timedelta(days=365) / pd.Timedelta(milliseconds=timeframe), len(r)
    total = level.iloc[-1] / level.iloc[0] - 1
    falls = level / level.cummax() - 1
    trough = falls.idxmin()
    peak = level[:trough][level[:trough] == level[:trough].max()].index[-1]
    annual = (1 + total) ** (year / n) - 1
    gains, losses = r[r > 0].sum(), -r[r < 0].sum()
    z = r - r.mean()
    skew, kurtosis = (z**3).mean() / (z**2).mean() ** 1.5, (z**4).mean() / (z**2).mean() ** 2
    sharpe = r.mean() / r.std()
    error = math.sqrt((1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (n - 1))
    shifted = r.copy()
    shifted.index = shifted.index - pd.Timedelta(milliseconds=1)
    day = (1 + shifted).groupby(shifted.index.floor("D")).prod() - 1
    return {
        "num_periods": n,
        "total_return": total,
        "annualised_return": annual,
        "volatility": r.std() * math.sqrt(year),
        "sharpe": sharpe * math.sqrt(year),
        "sharpe_error": error * math.sqrt(year),
        "sortino": r.mean() / math.sqrt((r.clip(upper=0) ** 2).mean()) * math.sqrt(year),
        "max_drawdown": falls.min(),
        "drawdown_from_ms": int(peak.value // 1_000_000),
        "drawdown_to_ms": int(trough.value // 1_000_000),
        "calmar": annual / abs(falls.min()),
        "win_rate": (r > 0).mean(),
        "win_rate_active": (r > 0).sum() / (r != 0).sum(),
        "profit_factor": gains / losses,
        "skew": skew,
        "kurtosis": kurtosis - 3,
        "best_day": day.max(),
        "worst_day": day.min(),
    }


def assert_same(found: Metrics, wanted: dict[str, float | int | None]) -> None:
    for name, value in wanted.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-9, abs=1e-9), name


moves = st.lists(st.floats(-0.2, 0.2).map(lambda x: round(x, 4)), min_size=24, max_size=120).filter(
    lambda r: min(r) < 0 and len(set(r)) > 2 and np.std(r) > 1e-3
)


@settings(max_examples=150, deadline=None)
@given(returns=moves, timeframe=st.sampled_from([HOUR, 4 * HOUR, DAY]), offset=st.integers(0, 30))
def test_every_figure_of_equity_agrees_with_pandas(returns: list[float], timeframe: int, offset: int) -> None:
    equity = path_of(returns)
    times = closes(len(equity), timeframe, BEGIN + offset * timeframe)
    wanted = by_pandas(equity, timeframe, int(times[0]))
    if abs(float(wanted["annualised_return"] or 0)) > 1e6:  # beyond what nine digits of a power can be compared at
        wanted.pop("annualised_return"), wanted.pop("calmar")
    found = measure(equity, times, timeframe, start=CASH)
    if found.profit_factor == 1_000.0:
        wanted.pop("profit_factor")
    assert_same(found, wanted)


def test_real_candles_bought_and_held_agree_with_pandas(shared_data: Path) -> None:
    frame = pd.read_parquet(shared_data / "candles/1h_perp_bybit/BTCUSDT.parquet")
    equity = CASH * (frame.close / frame.open.iloc[0]).to_numpy()
    times = frame.ts_ms.to_numpy() + HOUR
    assert_same(measure(equity, times, HOUR, start=CASH), by_pandas(equity, HOUR, int(times[0])))


def test_real_minutes_agree_with_pandas(shared_data: Path) -> None:
    frame = pd.read_parquet(shared_data / "candles/1m_perp_bybit/DOGEUSDT.parquet")
    equity = CASH * (frame.close / frame.open.iloc[0]).to_numpy()
    times = frame.ts_ms.to_numpy() + MINUTE
    found = measure(equity, times, MINUTE, start=CASH)
    assert_same(found, by_pandas(equity, MINUTE, int(times[0])))
    assert found.periods_per_year == 525_600


def test_the_year_has_365_days_at_every_timeframe() -> None:
    returns = [0.001, -0.0005] * 600
    for timeframe, periods in ((MINUTE, 525_600), (15 * MINUTE, 35_040), (HOUR, 8_760), (DAY, 365)):
        found = measure(path_of(returns), closes(1200, timeframe), timeframe, start=CASH)
        assert found.periods_per_year == periods == YEAR / timeframe
        assert found.sharpe == pytest.approx(np.mean(returns) / np.std(returns, ddof=1) * math.sqrt(periods))


def test_sharpe_is_mean_over_deviation_and_not_the_compound_return_over_volatility() -> None:
    found = measure(path_of([0.02, -0.01] * 20), closes(40, DAY), DAY, start=CASH)
    assert found.annualised_return is not None and found.volatility is not None and found.sharpe is not None
    assert found.sharpe == pytest.approx(0.005 * 365 / found.volatility)
    assert abs(found.sharpe - found.annualised_return / found.volatility) > 1


def test_sortino_counts_the_bars_without_loss_and_the_losses_from_zero() -> None:
    returns = [0.01] * 30 + [-0.02] * 10  # the deviation of the losses alone is zero
    found = measure(path_of(returns), closes(40, DAY), DAY, start=CASH)
    assert found.sortino == pytest.approx(np.mean(returns) / math.sqrt(10 * 0.02**2 / 40) * math.sqrt(365))


def test_the_cost_of_the_first_entry_counts() -> None:
    equity = np.full(30, CASH - 55.0)  # paid in the first bar, and nothing since
    found = measure(equity, closes(30), HOUR, start=CASH)
    assert found.total_return == pytest.approx(-55.0 / CASH)
    assert found.max_drawdown == pytest.approx(-55.0 / CASH)
    assert found.drawdown_from_ms == BEGIN and found.drawdown_to_ms == BEGIN + HOUR
    assert found.volatility == pytest.approx(np.std([-55.0 / CASH, *[0.0] * 29], ddof=1) * math.sqrt(365 * 24))


def test_what_cannot_be_had_is_none_and_never_infinite() -> None:
    nothing = measure(np.empty(0), np.empty(0, np.int64), HOUR, start=CASH)
    assert nothing.num_periods == 0 and nothing.total_return is None and nothing.max_drawdown is None and nothing.win_rate is None
    flat = measure(np.full(500, CASH), closes(500), HOUR, start=CASH)
    assert flat.volatility == 0.0 and flat.max_drawdown == 0.0 and flat.total_return == 0.0
    for name in ("sharpe", "sortino", "calmar", "profit_factor", "win_rate_active", "skew", "kurtosis", "sharpe_daily", "drawdown_from_ms"):
        assert getattr(flat, name) is None, name
    rising = measure(path_of([0.001] * 500), closes(500), HOUR, start=CASH)
    assert rising.profit_factor is None and rising.sortino is None and rising.calmar is None and rising.sharpe is None
    few = measure(path_of([0.01, -0.01] * 9), closes(18), HOUR, start=CASH)
    assert few.sharpe is None and few.annualised_return is None and few.total_return is not None
    ruined = measure(np.array([50_000.0, -10.0, -10.0] + [5.0] * 40), closes(43), HOUR, start=CASH)
    assert ruined.sharpe is None and ruined.max_drawdown is not None and ruined.max_drawdown < -1
    for found in (nothing, flat, rising, few, ruined):
        for value in msgspec.structs.asdict(found).values():
            assert not isinstance(value, float) or math.isfinite(value)


def test_minutes_of_data_give_no_yearly_return_and_no_calmar() -> None:
    found = measure(path_of([0.001, -0.0005] * 300), closes(600, MINUTE), MINUTE, start=CASH)
    assert found.annualised_return is None and found.calmar is None
    assert found.sharpe is not None and found.total_return is not None


def test_profit_factor_is_capped() -> None:
    found = measure(path_of([0.01] * 40 + [-1e-9]), closes(41, DAY), DAY, start=CASH)
    assert found.profit_factor == 1_000.0


def test_bars_in_which_nothing_was_known_are_periods() -> None:
    quiet = measure(np.concatenate([np.full(60, CASH), path_of([0.01, -0.008] * 20)]), closes(100), HOUR, start=CASH)
    returns = np.array([0.0] * 60 + [0.01, -0.008] * 20)
    assert quiet.num_periods == 100
    assert quiet.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(8760))
    assert quiet.win_rate == pytest.approx(0.2) and quiet.win_rate_active == pytest.approx(0.5)


def test_a_hole_in_the_books_is_refused() -> None:
    equity = np.full(30, CASH)
    equity[7] = math.nan
    with pytest.raises(ValueError, match="bar 7"):
        measure(equity, closes(30), HOUR, start=CASH)
    with pytest.raises(ValueError, match="traded"):
        measure(np.full(30, CASH), closes(30), HOUR, start=CASH, traded=np.full(30, math.nan))
    with pytest.raises(ValueError, match="gross"):
        measure(np.full(30, CASH), closes(30), HOUR, start=CASH, gross=np.zeros(29))
    with pytest.raises(ValueError, match="the start"):
        measure(np.full(30, CASH), closes(30), HOUR, start=math.nan)


def test_underwater_runs_from_a_peak_until_it_is_reached_again() -> None:
    equity = np.array([101.0, 100, 99, 101, 102, 101, 100, 100, 100, 101]) * 1_000
    found = measure(equity, closes(10), HOUR, start=CASH)
    assert found.underwater_ms == 5 * HOUR  # from 102 to the end
    assert measure(equity[:5], closes(5), HOUR, start=CASH).underwater_ms == 3 * HOUR
    assert measure(equity[:1], closes(1), HOUR, start=CASH).underwater_ms == 0


def test_exposure_turnover_and_costs_follow_their_definitions() -> None:
    equity = np.array([100_000.0, 100_000, 99_000, 99_500])
    gross, traded = np.array([0.0, 50_000, 49_500, 0]), np.array([0.0, 50_000, 0, 49_700])
    found = measure(equity, closes(4, 6 * HOUR), 6 * HOUR, start=CASH, gross=gross, traded=traded, costs=120.0)
    assert found.time_in_market == 0.5
    assert found.exposure == pytest.approx((50_000 / 100_000 + 49_500 / 99_000) / 4)
    assert found.turnover == pytest.approx((50_000 / 100_000 + 49_700 / 99_000) / 2 / 1.0)
    assert found.cost_rate == pytest.approx(120 / 99_700)
    assert found.costs_share is None  # nothing was earned before costs
    earned = measure(equity + 1_000, closes(4), HOUR, start=CASH, costs=120.0)
    assert earned.costs_share == pytest.approx(120 / (500 + 120)) and earned.cost_rate is None


def test_round_trips_give_their_averages() -> None:
    found = measure(
        path_of([0.0] * 30), closes(30), HOUR, start=CASH, trips=[trip("10"), trip("-4", bars=5), trip("0"), trip("99", bars=None)]
    )
    assert found.trades == 3
    assert found.win_rate_trades == pytest.approx(1 / 3)
    assert found.profit_factor_trades == pytest.approx(2.5)
    assert found.average_trade == pytest.approx(2.0)
    assert found.expectancy == pytest.approx(2.0 / 200)
    assert found.average_bars == pytest.approx(11 / 3)
    assert measure(path_of([0.0] * 30), closes(30), HOUR, start=CASH).win_rate_trades is None


def test_days_end_at_midnight_and_the_first_may_be_short() -> None:
    equity = path_of([0.001] * 30)
    days, returns, bars = day_returns(np.concatenate([[CASH], equity]), HOUR, BEGIN + 20 * HOUR + HOUR)
    assert days.tolist() == [BEGIN, BEGIN + DAY, BEGIN + 2 * DAY] and bars.tolist() == [4, 24, 2]
    assert returns == pytest.approx([1.001**4 - 1, 1.001**24 - 1, 1.001**2 - 1])


def test_daily_sharpe_uses_whole_days_alone() -> None:
    rng = np.random.default_rng(3)
    r = rng.normal(0.0002, 0.004, 24 * 30 + 7)
    found = measure(path_of(r), closes(len(r)), HOUR, start=CASH)
    daily = pd.Series(r[: 24 * 30]).add(1).groupby(np.arange(24 * 30) // 24).prod() - 1
    assert found.sharpe_daily == pytest.approx(daily.mean() / daily.std() * math.sqrt(365), rel=1e-9)


def test_the_error_of_sharpe_is_that_of_lo_for_normal_returns() -> None:
    r = np.random.default_rng(5).normal(0.0005, 0.01, 20_000)
    found = measure(path_of(r), closes(len(r), DAY), DAY, start=CASH)
    assert found.sharpe is not None and found.sharpe_error is not None and found.sharpe_probability is not None
    per_bar = found.sharpe / math.sqrt(365)
    assert found.sharpe_error == pytest.approx(math.sqrt((1 + per_bar**2 / 2) / len(r)) * math.sqrt(365), rel=0.01)
    assert 0.999 < found.sharpe_probability <= 1.0


# -- information coefficients --


def wandering(count: int, symbols: int, seed: int = 1) -> Array:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, (count, symbols)), axis=0))


def test_ic_agrees_with_pandas_for_each_symbol_and_on_average() -> None:
    opens = wandering(400, 3)
    rng = np.random.default_rng(9)
    scores = np.round(rng.normal(0, 1, opens.shape) + 20 * np.nan_to_num(executable_returns(opens)), 1)  # ties
    scores[:50, 1] = np.nan
    opens[200:210, 2] = np.nan
    found = information_coefficient(scores, opens, ("A", "B", "C"))
    plain, ranked = [], []
    for s, one in enumerate(found.by_symbol):
        price = pd.Series(opens[:, s])
        pairs = pd.DataFrame({"x": scores[:, s], "y": price.shift(-2) / price.shift(-1) - 1}).dropna()
        plain.append(pairs.x.corr(pairs.y))
        ranked.append(pairs.x.rank().corr(pairs.y.rank()))
        assert one.pairs == len(pairs)
        assert one.ic == pytest.approx(plain[-1], abs=1e-9) and one.rank_ic == pytest.approx(ranked[-1], abs=1e-9)
    assert found.ic == pytest.approx(np.mean(plain), abs=1e-9) and found.rank_ic == pytest.approx(np.mean(ranked), abs=1e-9)
    assert found.ic_t is not None and found.ic_t > 2


def test_the_label_is_the_return_after_the_next_open_and_the_last_rows_have_none() -> None:
    opens = np.array([[10.0], [11.0], [12.1], [24.2]])
    label = executable_returns(opens)
    assert label[:2, 0] == pytest.approx([0.1, 1.0]) and np.isnan(label[2:]).all()


def test_knowing_the_return_to_the_next_open_earns_no_ic() -> None:
    """A score that knows the move from this close to the next open knows nothing that could have been traded."""
    opens = wandering(4_000, 1, seed=2)
    gone = np.full(opens.shape, np.nan)
    gone[:-1] = opens[1:] / opens[:-1] - 1
    useless = information_coefficient(gone, opens, ("A",))
    perfect = information_coefficient(executable_returns(opens), opens, ("A",))
    assert useless.ic is not None and abs(useless.ic) < 0.06
    assert perfect.ic == pytest.approx(1.0) and perfect.rank_ic == pytest.approx(1.0)


def test_foresight_in_every_symbol_is_seen_where_their_mean_would_hide_it() -> None:
    opens = wandering(500, 2, seed=4)
    opens[:, 1] = 1e4 / opens[:, 0]  # what one gains the other loses: the mean over symbols moves little
    found = information_coefficient(executable_returns(opens), opens, ("A", "B"))
    assert found.ic == pytest.approx(1.0)


def test_t_is_honest_on_noise_even_when_scores_persist() -> None:
    rng = np.random.default_rng(11)
    hits = 0
    for trial in range(200):
        opens = wandering(300, 1, seed=1_000 + trial)
        scores = np.cumsum(rng.normal(0, 1, opens.shape), axis=0)
        t = information_coefficient(scores, opens, ("A",)).ic_t
        hits += t is not None and abs(t) > 1.96
    assert hits <= 200 * 0.12


def test_symbols_that_move_as_one_are_not_two_pieces_of_evidence() -> None:
    opens = wandering(1_000, 1, seed=6)
    scores = np.random.default_rng(1).normal(0, 1, opens.shape) + 10 * np.nan_to_num(executable_returns(opens))
    one = information_coefficient(scores, opens, ("A",))
    two = information_coefficient(np.repeat(scores, 2, 1), np.repeat(opens, 2, 1), ("A", "B"))
    assert two.ic == pytest.approx(one.ic) and two.ic_t == pytest.approx(one.ic_t)


def test_too_few_pairs_or_a_constant_score_have_no_ic() -> None:
    opens = wandering(21, 2)
    found = information_coefficient(np.ones(opens.shape), opens, ("A", "B"))
    assert found.ic is None and found.ic_t is None and found.by_symbol[0].pairs == 19
    steady = information_coefficient(np.full((200, 1), 0.3), wandering(200, 1), ("A",))
    assert steady.ic is None and steady.rank_ic is None
    assert information_coefficient(np.empty((1, 1)), np.ones((1, 1)), ("A",)).ic is None
    with pytest.raises(ValueError, match="2 symbols"):
        information_coefficient(np.ones((5, 1)), np.ones((5, 1)), ("A", "B"))


def test_newey_west_is_the_sum_it_says() -> None:
    values = np.random.default_rng(8).normal(0, 1, 150)
    lags = math.floor(4 * 1.5 ** (2 / 9))
    total = sum(
        (1 - abs(lag) / (lags + 1)) * sum(values[t] * values[t - abs(lag)] for t in range(abs(lag), 150)) for lag in range(-lags, lags + 1)
    )
    assert newey_west(values) == pytest.approx(math.sqrt(total) / 150)


def test_measure_carries_the_evidence_and_is_a_document() -> None:
    opens = wandering(300, 2)
    scores = np.random.default_rng(2).normal(0, 1, opens.shape)
    found = measure(path_of([0.001, -0.001] * 150), closes(300), HOUR, start=CASH, scores=scores, opens=opens, symbols=("A", "B"))
    alone = information_coefficient(scores, opens, ("A", "B"))
    assert (found.ic, found.ic_t, found.rank_ic, found.rank_ic_t) == (alone.ic, alone.ic_t, alone.rank_ic, alone.rank_ic_t)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Metrics) == found


def test_coefficients_in_pieces_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(11)
    opens = wandering(500, 2)
    opens[rng.random(opens.shape) < 0.1] = np.nan
    scores = np.round(rng.normal(0, 1, opens.shape), 1)  # ties
    scores[rng.random(opens.shape) < 0.1] = np.nan
    whole = information_coefficient(scores, opens, ("A", "B"))
    label = executable_returns(opens)
    for s in range(2):
        known = np.isfinite(scores[:, s]) & np.isfinite(label[:, s])
        both = scores[known, s], label[known, s]
        assert whole.by_symbol[s].rank_ic == pytest.approx(spearmanr(*both).statistic, abs=1e-12)
        assert whole.by_symbol[s].ic == pytest.approx(pearsonr(*both).statistic, abs=1e-12)
    monkeypatch.setattr("feeds.mapped.PIECE", 7)
    monkeypatch.setattr("bot.ic.RUN", 64)
    pieced = information_coefficient(scores, opens, ("A", "B"))
    for mine, theirs in zip(pieced.by_symbol, whole.by_symbol, strict=True):
        assert mine.pairs == theirs.pairs
        assert astuple(mine)[2:] == pytest.approx(astuple(theirs)[2:], abs=1e-12)
    assert astuple(pieced)[:4] == pytest.approx(astuple(whole)[:4], abs=1e-12)
