"""Days by kind of market: every day once where kinds do not overlap, and no label from the day itself."""

import numpy as np
import pandas as pd
import pytest

from bot.report_regimes import NEITHER, UNKNOWN, by_regime, daily_market
from bot.thinning import PricePath
from feeds.times import DAY, HOUR
from tests.builders import START

DAYS = 400
STEP = 6 * HOUR


def path(symbol: str = "BTCUSDT", seed: int = 1, days: int = DAYS, first: int = START) -> PricePath:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 4 * days) * (1 + np.sin(np.arange(4 * days) / 90))))
    values = np.stack([close, close, close, close, rng.lognormal(10, 1, 4 * days)], axis=1).astype(np.float32)
    return PricePath(symbol, first, STEP, values)


def returns(days: int = DAYS) -> list[tuple[int, float]]:
    return [(START + n * DAY, float(x)) for n, x in enumerate(np.random.default_rng(9).normal(1e-3, 0.02, days))]


def test_a_day_has_the_last_close_and_the_whole_turnover_of_its_stretches() -> None:
    one, late = path(), path("ETHUSDT", 2, 10, START + 5 * DAY + STEP)
    market = daily_market({"BTCUSDT": one, "ETHUSDT": late})
    assert market is not None and market.start_ms == START and market.symbols == ("BTCUSDT", "ETHUSDT")
    frame = pd.DataFrame(one.values.astype(float)).groupby(np.arange(4 * DAYS) // 4).agg({3: "last", 4: "sum"})
    np.testing.assert_allclose(market.close[:, 0], frame[3], rtol=1e-6)
    np.testing.assert_allclose(market.turnover[:, 0], frame[4], rtol=1e-6)
    assert np.isnan(market.close[:5, 1]).all() and market.close[5, 1] == late.values[2, 3] and not market.listed[4, 1]
    assert daily_market({"X": PricePath("X", START, 2 * DAY, np.ones((3, 5), np.float32))}) is None


def test_trends_are_those_that_pandas_finds_on_the_days_before() -> None:
    close = pd.Series(path().values[3::4, 3].astype(float))
    trend = np.log(close).diff().fillna(0.0).rolling(30).sum()
    usual = trend.rolling(365, min_periods=60).median()
    values = np.array([value for _, value in returns()])
    found = {part.name: part for part in by_regime({"BTCUSDT": path()}, returns())}
    for name, flag in (("bull", (trend > 0) & (trend > usual)), ("bear", (trend < 0) & (trend < usual))):
        wanted = values[flag.shift(1, fill_value=False).to_numpy() & (np.arange(DAYS) >= found[UNKNOWN].days)]
        assert found[name].days == wanted.size > 20
        assert found[name].total_return == pytest.approx(np.prod(1 + wanted) - 1, rel=1e-9)
        assert found[name].mean == pytest.approx(wanted.mean(), rel=1e-9) and found[name].worst == wanted.min()
        assert found[name].sharpe == pytest.approx(wanted.mean() / wanted.std(ddof=1) * np.sqrt(365), rel=1e-9)


def test_what_comes_on_a_day_changes_no_label_of_it_nor_of_those_before() -> None:
    calm, wild = path(), path()
    last = 4 * (DAYS - 50)
    wild.values[last:, :4] *= np.linspace(1, 9, 4 * 50)[:, None].astype(np.float32)
    until = returns()[: DAYS - 49]  # the last of them begins when the first wild stretch does
    assert by_regime({"BTCUSDT": calm}, until) == by_regime({"BTCUSDT": wild}, until)
    assert by_regime({"BTCUSDT": calm}, returns()) != by_regime({"BTCUSDT": wild}, returns())


def test_days_before_anything_is_known_are_named_and_a_short_run_has_none() -> None:
    found = {part.name: part for part in by_regime({"BTCUSDT": path()}, returns())}
    assert 60 <= found[UNKNOWN].days <= 95 and NEITHER in found
    assert by_regime({"BTCUSDT": path(days=60)}, returns(60)) == () == by_regime({}, returns())
