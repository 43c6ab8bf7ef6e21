"""Regimes: labels that say what was known, and that no later bar changes."""

import numpy as np
import pytest

from bot.research.market import Market
from bot.research.regimes import NAMES, regimes
from feeds.times import DAY, HOUR


def market(timeframe: int = 6 * HOUR, days: int = 500, seed: int = 2) -> Market:
    """Calm, then a rise, then a wild fall in which turnover dries up."""
    dice = np.random.default_rng(seed)
    bars = days * DAY // timeframe
    drift = np.zeros(bars)
    drift[bars // 2 : bars * 3 // 4], drift[bars * 3 // 4 :] = 0.004, -0.006
    size = np.where(np.arange(bars) < bars * 3 // 4, 0.004, 0.02)
    moves = drift[:, None] + size[:, None] * dice.normal(size=(bars, 3))
    made = Market.of(100 * np.exp(np.cumsum(moves, axis=0)), timeframe=timeframe, start_ms=19_000 * DAY)
    thin = np.where(np.arange(bars) < bars * 3 // 4, 1.0, 0.1)[:, None]
    return made._replace(turnover=thin * np.exp(dice.normal(0, 0.2, made.close.shape)))


@pytest.mark.parametrize("timeframe", [HOUR, 6 * HOUR, DAY, 7 * DAY])
def test_a_label_is_changed_by_no_later_bar(timeframe: int) -> None:
    whole_market = market(timeframe, days=220 if timeframe == HOUR else 900)
    whole = regimes(whole_market)
    for share in (0.37, 0.5, 0.911):
        rows = int(whole_market.rows * share)
        part = regimes(whole_market.until(rows))
        assert (part.flags == whole.flags[:rows]).all() and (part.known == whole.known[:rows]).all()
    assert whole.flags.any()


def test_a_rise_is_a_bull_market_and_a_wild_thin_fall_is_all_the_others() -> None:
    made = market()
    found = regimes(made)
    late = slice(made.rows // 2 + 4 * 35, made.rows * 3 // 4)
    assert found.rows("bull")[late].mean() > 0.9 and not found.rows("bear")[late].any()
    fall = slice(made.rows * 3 // 4 + 4 * 40, made.rows)
    for name in NAMES[1:]:
        assert found.rows(name)[fall].mean() > 0.9, name


def test_nothing_is_said_before_there_is_a_past() -> None:
    found = regimes(market())
    quarter = 4
    assert not found.known[: quarter * 60].any() and not found.flags[: quarter * 60].any()
    assert found.known[quarter * 100 :].all()


def test_bull_and_bear_never_meet() -> None:
    found = regimes(market(seed=5))
    assert not (found.rows("bull") & found.rows("bear")).any()


def test_labels_by_hand() -> None:
    """Day by day, in plain Python, over one symbol."""
    made = market(DAY, days=450).until(450)
    single = made._replace(**{name: getattr(made, name)[:, :1] for name in ("open", "high", "low", "close", "volume", "turnover")})
    single = single._replace(symbols=("A",), funding=made.funding[:, :1], listed=made.listed[:, :1])
    found = regimes(single)
    moves = np.concatenate([[0.0], np.diff(np.log(single.close[:, 0]))])
    trend = [moves[t - 29 : t + 1].sum() if t >= 29 else np.nan for t in range(450)]
    wild = [(moves[t - 29 : t + 1] ** 2).sum() if t >= 29 else np.nan for t in range(450)]
    thin = [single.turnover[t - 6 : t + 1, 0].mean() if t >= 6 else np.nan for t in range(450)]

    def past(series: list[float], t: int) -> np.ndarray:
        seen = np.array(series[max(0, t - 364) : t + 1])
        return seen[~np.isnan(seen)]

    for t in range(100, 450, 7):
        middle = np.median(past(trend, t))
        assert found.flags[t, 0] == (trend[t] > 0 and trend[t] > middle)
        assert found.flags[t, 1] == (trend[t] < 0 and trend[t] < middle)
        assert found.flags[t, 2] == ((past(wild, t) <= wild[t]).mean() > 2 / 3)
        assert found.flags[t, 3] == ((past(thin, t) <= thin[t]).mean() <= 1 / 3)
