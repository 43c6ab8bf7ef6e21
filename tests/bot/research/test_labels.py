"""Labels hold no price that was known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ic import executable_returns
from bot.research.labels import forward_returns, later_returns
from feeds.bars import Array


def opens_of(rows: int = 60, symbols: int = 3, seed: int = 0) -> Array:
    dice = np.random.default_rng(seed)
    return 100.0 * np.exp(np.cumsum(dice.normal(0, 0.01, (rows, symbols)), axis=0))


@pytest.mark.parametrize("horizon", [1, 4, 24, 58, 59, 60, 100])
def test_a_label_runs_from_the_open_after_the_bar(horizon: int) -> None:
    opens = opens_of()
    frame = pd.DataFrame(opens)
    wanted = (frame.shift(-1 - horizon) / frame.shift(-1) - 1).to_numpy()
    assert forward_returns(opens, horizon) == pytest.approx(wanted, nan_ok=True, abs=1e-15)


def test_the_label_of_one_bar_is_that_of_a_session() -> None:
    opens = opens_of()
    assert forward_returns(opens, 1) == pytest.approx(executable_returns(opens), nan_ok=True, abs=0)


@given(row=st.integers(0, 59), horizon=st.integers(1, 10))
def test_what_is_known_at_a_bar_is_in_no_label_of_it(row: int, horizon: int) -> None:
    opens = opens_of()
    changed = opens.copy()
    changed[: row + 1] *= 7.0
    assert forward_returns(changed, horizon)[row:] == pytest.approx(forward_returns(opens, horizon)[row:], nan_ok=True, abs=0)


def test_nothing_is_joined_across_a_hole() -> None:
    opens = opens_of(10, 1)
    opens[5] = np.nan
    label = forward_returns(opens, 2)[:, 0]
    assert np.flatnonzero(np.isnan(label)).tolist() == [2, 4, 7, 8, 9]  # the exit at 5, the entry at 5, the end


def test_a_symbol_that_is_not_listed_has_no_label() -> None:
    opens = opens_of(10, 2)
    listed = np.ones((10, 2), dtype=bool)
    listed[:4, 1] = False
    label = forward_returns(opens, 1, listed)
    assert np.isnan(label[:3, 1]).all() and np.isfinite(label[3:8, 1]).all() and np.isfinite(label[:8, 0]).all()


def test_a_dead_coin_is_sold_at_the_last_price_it_had() -> None:
    opens = opens_of(12, 2)
    opens[8:, 1] = np.nan
    last = np.array([-1, 7])
    label = forward_returns(opens, 3, None, last)
    assert label[:, 0] == pytest.approx(forward_returns(opens, 3)[:, 0], nan_ok=True, abs=0)
    assert label[5, 1] == opens[7, 1] / opens[6, 1] - 1
    assert label[4, 1] == opens[7, 1] / opens[5, 1] - 1
    assert label[3, 1] == opens[7, 1] / opens[4, 1] - 1
    assert np.isnan(label[6:, 1]).all()


def test_a_later_return_is_that_of_one_bar_later_on() -> None:
    opens = opens_of()
    frame = pd.DataFrame(opens)
    for lag in (0, 1, 7):
        wanted = (frame.shift(-2 - lag) / frame.shift(-1 - lag) - 1).to_numpy()
        assert later_returns(opens, lag) == pytest.approx(wanted, nan_ok=True, abs=1e-15)


def test_a_label_reaches_somewhere() -> None:
    with pytest.raises(ValueError, match="at least 1 bar"):
        forward_returns(opens_of(), 0)
    with pytest.raises(ValueError, match="at least 0 bars"):
        later_returns(opens_of(), -1)
