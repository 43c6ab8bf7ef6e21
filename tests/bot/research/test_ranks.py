"""Ranks with ties and holes, against scipy and pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from bot.research.ranks import PAIRWISE, centred_ranks, ranks
from feeds.bars import Array


@given(
    arrays(
        np.float64, st.tuples(st.integers(1, 6), st.integers(1, 60)), elements=st.sampled_from([np.nan, -1.0, -0.0, 0.0, 1e-300, 2.0, 3.5])
    )
)
def test_ranks_are_those_of_pandas(values: Array) -> None:
    assert ranks(values) == pytest.approx(pd.DataFrame(values).rank(axis=1).to_numpy(), nan_ok=True, abs=0)


@pytest.mark.parametrize("size", [2, PAIRWISE, PAIRWISE + 1, 300])
def test_ranks_of_long_and_short_rows_are_those_of_scipy(size: int) -> None:
    values = np.random.default_rng(size).integers(0, size, (20, size)).astype(np.float64)
    assert (ranks(values) == stats.rankdata(values, axis=1)).all()


@pytest.mark.parametrize("size", [PAIRWISE, PAIRWISE + 1])
def test_centred_ranks_add_up_to_nothing(size: int) -> None:
    values = np.random.default_rng(1).integers(0, 9, (3, 50, size)).astype(np.float64)
    values[0, :, ::7] = np.nan
    found = centred_ranks(values)
    assert (np.nansum(found, axis=-1) == 0).all()
    assert (np.isnan(found) == np.isnan(values)).all()


def test_an_infinity_has_no_rank() -> None:
    assert ranks(np.array([[np.inf, 1.0, -np.inf, 0.0]])) == pytest.approx(np.array([[np.nan, 2.0, np.nan, 1.0]]), nan_ok=True)
