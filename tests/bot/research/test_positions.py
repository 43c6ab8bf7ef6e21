"""Weights: limits that hold, ties that are fair, nothing that looks ahead."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.research.market import Market
from bot.research.positions import filled, positions, standing, volatility
from bot.research.settings import CROSS, TIME, Settings
from feeds.bars import Array
from feeds.times import HOUR, YEAR

ROUNDING = 1e-12


def told(scheme: str, **kwargs: object) -> Settings:
    return Settings(scheme=scheme, **kwargs).resolved(HOUR, 8)  # type: ignore[arg-type]


def values(seed: int, rows: int = 40, symbols: int = 8, kinds: int = 0) -> Array:
    """With holes; with ties where `kinds` says of how many values they are."""
    dice = np.random.default_rng(seed)
    found = dice.normal(size=(rows, symbols)) if not kinds else dice.integers(0, kinds, (rows, symbols)).astype(float)
    found[dice.random(found.shape) < 0.15] = np.nan
    return found


@given(
    seed=st.integers(0, 10_000), scheme=st.sampled_from(CROSS), long_only=st.booleans(), gross=st.floats(0.05, 4.0),
    cap=st.floats(0.02, 1.5), kinds=st.sampled_from([0, 2, 3]), share=st.floats(0.05, 0.5), top=st.integers(1, 6),
)  # fmt: skip
def test_no_limit_is_passed_and_longs_weigh_as_much_as_shorts(
    seed: int, scheme: str, long_only: bool, gross: float, cap: float, kinds: int, share: float, top: int
) -> None:
    given_ = values(seed, kinds=kinds)
    weights = positions(given_, told(scheme, long_only=long_only, gross=gross, max_weight=cap, share=share, top=top))
    assert np.isfinite(weights).all()
    assert (np.abs(weights) <= cap).all()
    assert (np.abs(weights).sum(axis=1) <= gross + ROUNDING).all()
    assert not weights[np.isnan(given_)].any()
    if long_only:
        assert (weights >= 0).all()
    else:
        np.testing.assert_allclose(weights.sum(axis=1), 0.0, atol=ROUNDING)
    for row, mine in zip(given_, weights, strict=True):  # equal values, equal weights; a higher value never weighs less
        known = ~np.isnan(row)
        order = np.argsort(row[known], kind="stable")
        assert (np.diff(mine[known][order]) >= -ROUNDING).all()
        for value in set(row[known].tolist()):
            assert np.ptp(mine[known][row[known] == value]) <= ROUNDING


@pytest.mark.parametrize("long_only", [False, True])
@pytest.mark.parametrize("scheme", CROSS)
def test_the_gross_is_reached_where_the_caps_let_it(scheme: str, long_only: bool) -> None:
    given_ = np.random.default_rng(1).normal(size=(50, 8))
    weights = positions(given_, told(scheme, long_only=long_only, gross=1.5, max_weight=0.9))
    names = (weights != 0).sum(axis=1)
    np.testing.assert_allclose(np.abs(weights).sum(axis=1), np.minimum(1.5, 0.9 * names), atol=ROUNDING)


def test_what_a_cap_cuts_off_goes_to_the_others() -> None:
    weights = filled(np.array([[6.0, 3.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), np.array([1.0, 1.0, 1.0]), 0.5)
    np.testing.assert_allclose(weights, [[0.5, 0.375, 0.125], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]], atol=1e-15)


def test_ranks_make_weights_by_hand() -> None:
    weights = positions(np.array([[10.0, -3.0, 7.0, np.nan]]), told("rank"))
    np.testing.assert_allclose(weights, [[0.5, -0.5, 0.0, 0.0]], atol=1e-15)


def test_quantiles_hold_a_fifth_on_each_side_and_one_name_at_least() -> None:
    ten = positions(np.arange(10.0)[None], told("quantile", share=0.2))
    np.testing.assert_allclose(ten[0, [0, 1, 8, 9]], [-0.25, -0.25, 0.25, 0.25])
    assert not ten[0, 2:8].any()
    four = positions(np.arange(4.0)[None], told("quantile", share=0.2))
    np.testing.assert_allclose(four[0], [-0.5, 0.0, 0.0, 0.5])


def test_those_that_tie_for_the_last_place_share_it() -> None:
    weights = positions(np.array([[1.0, 5.0, 5.0, 5.0, 9.0]]), told("top", top=2))
    np.testing.assert_allclose(weights[0], [-0.5, 0.0, 0.0, 0.0, 0.5], atol=1e-15)  # the ties are as long as short
    weights = positions(np.array([[1.0, 2.0, 5.0, 5.0, 9.0]]), told("top", top=2))
    np.testing.assert_allclose(weights[0], [-0.25, -0.25, 0.125, 0.125, 0.25], atol=1e-15)


@pytest.mark.parametrize("scheme", CROSS)
def test_a_constant_makes_no_position_and_so_does_a_symbol_alone(scheme: str) -> None:
    assert not positions(np.full((3, 6), 0.1), told(scheme)).any()
    alone = np.full((3, 6), np.nan)
    alone[:, 2] = 4.0
    assert not positions(alone, told(scheme)).any()


@pytest.mark.parametrize("scheme", TIME)
def test_a_place_in_the_past_changes_with_no_later_bar(scheme: str) -> None:
    given_ = values(6, rows=400, symbols=3)
    whole = standing(given_, told(scheme, window=50), HOUR, 1_000)
    for rows in (60, 133, 350):
        part = standing(given_[:rows], told(scheme, window=50), HOUR, 1_000)
        assert part.tobytes() == whole[:rows].tobytes()
    assert np.nanmax(np.abs(whole)) <= 1.0


def test_standings_by_hand() -> None:
    given_ = np.random.default_rng(9).normal(size=(120, 2))
    given_[40, 0] = np.nan
    found = {scheme: standing(given_, told(scheme, window=30), HOUR) for scheme in TIME}
    for t, s in ((50, 0), (80, 1), (119, 0)):
        window = given_[t - 29 : t + 1, s]
        window = window[~np.isnan(window)]
        z = (given_[t, s] - window.mean()) / window.std(ddof=1)
        place = ((window < given_[t, s]).sum() + 1) / window.size
        assert found["time_sign"][t, s] == np.sign(given_[t, s])
        assert found["time_side"][t, s] == np.sign(z)
        assert found["time_zscore"][t, s] == pytest.approx(np.clip(z / 2, -1, 1), abs=1e-9)
        assert found["time_rank"][t, s] == pytest.approx(2 * place - 1 - 1 / window.size, abs=1e-9)
    assert np.isnan(found["time_zscore"][40, 0]) and np.isnan(found["time_rank"][40, 0])
    assert np.isnan(found["time_zscore"][10, 0])  # less than half a window


def test_in_time_every_symbol_has_an_equal_part_and_the_caps_hold() -> None:
    given_ = np.array([[1.0, -1.0, np.nan, 0.5], [1.0, 1.0, 1.0, 1.0]])
    weights = positions(given_, told("time_sign", gross=0.9))
    np.testing.assert_allclose(weights, [[0.3, -0.3, 0.0, 0.15], [0.225] * 4])
    capped = positions(given_, told("time_sign", gross=2.0, max_weight=0.25))
    assert np.abs(capped).max() == 0.25
    long = positions(given_, told("time_sign", gross=0.9, long_only=True))
    np.testing.assert_allclose(long[0], [0.3, 0.0, 0.0, 0.15])


def test_a_volatility_target_scales_by_what_was_seen() -> None:
    dice = np.random.default_rng(4)
    calm = 100 * np.exp(np.cumsum(dice.normal(0, 0.001, 600)))
    wild = 100 * np.exp(np.cumsum(dice.normal(0, 0.01, 600)))
    market = Market.of(np.stack([calm, wild], axis=1))
    risk = volatility(market, 100)
    returns = market.close[1:] / market.close[:-1] - 1
    np.testing.assert_allclose(risk[599], returns[499:].std(axis=0, ddof=1) * (YEAR / HOUR) ** 0.5, rtol=1e-9)
    settings = told("time_sign", vol_target=0.05, gross=1.0)
    weights = positions(np.ones((600, 2)), settings, risk)
    np.testing.assert_allclose(weights[599], 0.05 / risk[599] / 2, rtol=1e-9)
    assert np.abs(weights).sum(axis=1).max() <= 1.0 and not weights[:49].any()
    shares = positions(np.array([[2.0, 1.0, -1.0, -2.0]]), told("rank", vol_target=0.1), np.array([[0.2, 0.8, 0.4, 0.4]]))
    np.testing.assert_allclose(shares[0], [0.5 * 7.5 / 8.125, 0.5 * 0.625 / 8.125, -0.125, -0.375], rtol=1e-9)
