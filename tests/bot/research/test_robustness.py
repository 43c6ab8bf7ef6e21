"""No figure is ever infinite, and none depends on what it must not depend on: units, order of symbols, later bars."""

import math
import warnings
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bot.research.decay import decay
from bot.research.estimates import Estimate, mean_to_deviation, newey_west, ratio_of_means, regression
from bot.research.ic import ic_series, information
from bot.research.labels import forward_returns
from bot.research.quantiles import groups, quantile_returns
from bot.research.selection import deflated_sharpe, false_discoveries, moments, overfitting, trial_clusters
from feeds.bars import Array
from tests.bot.research.test_ic import panel

WILD = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-300, -1e-300, 1e150, -1e150, 1e-16, math.nan, math.inf, -math.inf])


def figures(thing: object) -> Iterator[float]:
    """Every number in a result."""
    if isinstance(thing, float):
        yield thing
    elif isinstance(thing, np.ndarray):
        yield from thing.astype(np.float64).ravel().tolist()
    elif isinstance(thing, tuple | list):
        for part in thing:
            yield from figures(part)
    elif isinstance(thing, msgspec.Struct):
        for name in thing.__struct_fields__:
            yield from figures(getattr(thing, name))


@given(st.data(), st.sampled_from([1, 3, 12]), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_wild_panels_have_finite_figures_or_none(data: st.DataObject, symbols: int, rows: int) -> None:
    values = data.draw(arrays(np.float64, (rows, symbols), elements=WILD))
    labels = data.draw(arrays(np.float64, (rows, symbols), elements=WILD))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [
            information(values, labels, 3), quantile_returns(values, labels, 3, draws=30), decay(values, np.abs(labels), (1, 2, 4)),
            newey_west(values[:, 0]), mean_to_deviation(values[:, 0]), ratio_of_means(values[:, 0], labels[:, 0]),
            regression(values[:, 0], labels),
        ]  # fmt: skip
    assert not any(math.isinf(x) for x in figures(found))


@given(
    arrays(np.float64, st.tuples(st.integers(0, 40), st.integers(0, 4)), elements=st.sampled_from([0.0, 0.01, -0.01, 1e-300, 0.5, -0.99]))
)
@settings(max_examples=60, deadline=None)
def test_wild_tries_have_finite_figures_or_none(returns: Array) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        each = [moments(column) for column in returns.T]
        found = [
            each, overfitting(returns, 4), trial_clusters(returns), false_discoveries([row[0] for row in each]),
            deflated_sharpe(returns[:, 0], np.array([row[0] for row in each])) if returns.shape[1] else 0.0,
        ]  # fmt: skip
    assert not any(math.isinf(x) for x in figures(found))


@pytest.mark.parametrize("symbols", [12, 4])
def test_a_rank_ic_knows_neither_units_nor_the_order_of_symbols(symbols: int) -> None:
    values, labels = panel(200, symbols, holes=0.1)
    plain = information(values, labels, 2)
    for changed in (information(np.exp(values), labels, 2), information(1e6 * values - 7, labels, 2)):
        assert changed.rank_ic == plain.rank_ic
    assert information(1e6 * values - 7, 0.01 * labels, 2).ic.t == pytest.approx(plain.ic.t, rel=1e-6)
    order = np.random.default_rng(0).permutation(symbols)
    shuffled = information(values[:, order], labels[:, order], 2)
    assert shuffled.rank_ic.value == pytest.approx(plain.rank_ic.value, rel=1e-12)
    assert shuffled.rank_ic.error == pytest.approx(plain.rank_ic.error, rel=1e-9)
    opposite = information(-values, labels, 2)
    assert opposite.rank_ic.t == pytest.approx(-plain.rank_ic.t, rel=1e-9)


@given(cut=st.integers(1, 199))
@settings(max_examples=20, deadline=None)
def test_coefficients_and_groups_of_a_bar_know_no_other_bar(cut: int) -> None:
    values, labels = panel(200, 12, holes=0.1)
    for rank in (True, False):
        whole = ic_series(values, labels, rank)
        parts = np.concatenate([ic_series(values[:cut], labels[:cut], rank), ic_series(values[cut:], labels[cut:], rank)])
        assert whole == pytest.approx(parts, nan_ok=True, abs=0)
    assert (groups(values, 4)[:cut] == groups(values[:cut], 4)).all()


def test_labels_of_later_bars_change_when_bars_are_added_only_where_they_were_missing() -> None:
    opens = 100 + np.random.default_rng(0).normal(size=(60, 3)).cumsum(axis=0)
    short, long = forward_returns(opens[:50], 4), forward_returns(opens, 4)
    known = np.isfinite(short)
    assert known[:45].all() and not known[45:].any()
    assert (short[known] == long[:50][known]).all()


def test_a_factor_that_says_nothing_has_nothing_but_its_coverage() -> None:
    found = information(np.zeros((100, 12)), panel(100, 12)[1])
    assert found.coverage.value == 1.0
    for name in ("ic", "rank_ic", "icir", "rank_icir", "hit_rate"):
        estimate = getattr(found, name)
        assert isinstance(estimate, Estimate) and math.isnan(estimate.value) and math.isnan(estimate.t), name
