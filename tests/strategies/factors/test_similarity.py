"""Similarity: 1 for the same factor, 0 for strangers, and in between by what is shared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.factors import Node, parse
from strategies.factors.similarity import similarity

FIELDS = ("open", "high", "low", "close", "volume")
TEXTS = (
    "close", "open", "volume", "ts_mean(close, 20)", "ts_mean(close, 30)", "ts_mean(volume, 20)", "close / ts_mean(close, 20) - 1",
    "ts_mean(close, 20) / close", "rank(close / ts_mean(close, 20) - 1)", "ts_corr(open, volume, 10)", "close * 2", "close * 3",
    "-ts_zscore(close, 60) * rank(volume)", "ts_std(close / delay(close, 1) - 1, 20)",
)  # fmt: skip


def read(text: str) -> Node:
    return parse(text, timeframe=60_000, fields=FIELDS, units=False)


@given(a=st.sampled_from(TEXTS), b=st.sampled_from(TEXTS))
def test_it_is_symmetric_between_0_and_1_and_1_only_for_the_same_factor(a: str, b: str) -> None:
    ours, theirs = read(a), read(b)
    value = similarity(ours, theirs)
    assert value == similarity(theirs, ours)
    assert 0 <= value <= 1
    assert (value == 1) == (ours.key == theirs.key)


def test_factors_that_share_no_field_have_nothing_in_common() -> None:
    assert similarity(read("ts_mean(close, 20) - 1"), read("ts_mean(volume, 20) - 1")) == 0
    assert similarity(read("close"), read("open")) == 0


def test_the_strict_view_counts_shared_subtrees() -> None:
    # close, ts_mean(close, 20) and their ratio are shared by 4 of 5 distinct subtrees; the blurred view sees the same
    a, b = read("close / ts_mean(close, 20) - 1"), read("rank(close / ts_mean(close, 20) - 1)")
    assert similarity(a, b) == pytest.approx(4 / 5)


def test_windows_and_constants_count_less_than_structure() -> None:
    window = similarity(read("ts_mean(close, 20) / close"), read("ts_mean(close, 30) / close"))
    operator = similarity(read("ts_mean(close, 20) / close"), read("ts_std(close, 20) / close"))
    assert 1 > window > operator > 0
    assert similarity(read("close * 2"), read("close * 3")) == pytest.approx(0.7 / 3 + 0.3 * 1)


def test_the_order_of_arguments_that_may_be_exchanged_does_not_blur() -> None:
    a, b = read("ts_mean(close, 90) * ts_mean(open, 5)"), read("ts_mean(close, 5) * ts_mean(open, 90)")
    assert similarity(a, b) == pytest.approx(0.7 * 2 / 8 + 0.3 * 1)
