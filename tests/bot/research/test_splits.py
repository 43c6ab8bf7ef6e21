"""Cuts of time: nothing that is learnt from reaches into what is judged."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV

from bot.research.splits import combinatorial, paths, three_slices, walk_forward


@given(
    begin=st.integers(0, 50), rows=st.integers(20, 3_000), purge=st.integers(0, 60), embargo=st.integers(0, 40),
    shares=st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.25, 0.25), (0.6, 0.4, 0.0)]),
)  # fmt: skip
def test_no_label_of_a_slice_reaches_into_the_next(begin: int, rows: int, purge: int, embargo: int, shares: tuple[float, ...]) -> None:
    slices = three_slices(begin, begin + rows, shares, purge, embargo)
    assert [part.name for part in slices] == ["train", "validate", "test"]
    assert slices[0].start == begin
    for before, after in itertools.pairwise([part for part in slices if part.rows]):
        assert before.stop - 1 + purge < after.start
        assert after.start - before.stop >= min(purge + embargo, after.start - before.stop)
    filled = [part for part in slices if part.rows]
    assert all(begin <= part.start < part.stop <= begin + rows for part in filled)


def test_the_usual_cut_is_70_15_15() -> None:
    train, validate, test = three_slices(100, 1_100, (0.7, 0.15, 0.15), 25, 10)
    assert (train.start, train.stop, validate.start, validate.stop, test.start, test.stop) == (100, 775, 810, 925, 960, 1_100)


@given(rows=st.integers(30, 2_000), folds=st.integers(1, 8), purge=st.integers(0, 20), embargo=st.integers(0, 10), anchored=st.booleans())
def test_a_walk_forward_learns_from_the_past_alone(rows: int, folds: int, purge: int, embargo: int, anchored: bool) -> None:
    found = walk_forward(7, 7 + rows, folds, purge, embargo, anchored)
    for fold in found:
        assert fold.train.stop - 1 + purge < fold.test.start
        assert fold.test.start - fold.train.stop == purge + embargo
        assert fold.train.start == 7 or not anchored
    judged = [row for fold in found for row in range(fold.test.start, fold.test.stop)]
    assert len(judged) == len(set(judged))
    if not purge and not embargo:
        assert judged == list(range(judged[0], 7 + rows))


def test_a_rolling_walk_forgets_what_an_anchored_one_keeps() -> None:
    anchored, rolling = walk_forward(0, 600, 5, 10, 5), walk_forward(0, 600, 5, 10, 5, anchored=False)
    assert [fold.train.start for fold in anchored] == [0] * 5
    assert [fold.train.start for fold in rolling] == [0, 100, 200, 300, 400]
    assert [fold.test for fold in anchored] == [fold.test for fold in rolling]


@pytest.mark.parametrize(("groups", "held", "purge", "embargo"), [(6, 2, 0, 0), (6, 2, 5, 0), (8, 3, 4, 7), (10, 2, 12, 3)])
def test_combinations_hold_out_what_skfolio_holds_out(groups: int, held: int, purge: int, embargo: int) -> None:
    rows = 480
    oracle = CombinatorialPurgedCV(n_folds=groups, n_test_folds=held, purged_size=purge, embargo_size=embargo)
    theirs = {}
    for train, tests in oracle.split(np.zeros((rows, 1))):
        theirs[tuple(np.concatenate(tests).tolist())] = set(train.tolist())
    ours = list(combinatorial(0, rows, groups, held, purge, embargo))
    assert len(ours) == len(theirs) == math.comb(groups, held)
    for one in ours:
        assert set(one.train.tolist()) == theirs[tuple(one.test.tolist())]


def test_no_combination_learns_from_a_label_that_overlaps() -> None:
    horizon = 9
    for one in combinatorial(20, 520, 7, 2, purge=horizon, embargo=4):
        covered = {row + k for row in one.test.tolist() for k in range(horizon + 1)}
        for row in one.train.tolist():
            assert not covered & set(range(row, row + horizon + 1))


def test_paths_judge_every_group_once_and_use_every_combination() -> None:
    found = paths(6, 2)
    assert len(found) == math.comb(5, 1)
    assert all(sorted(path) == list(range(6)) for path in found)
    used = sorted((number, group) for path in found for group, number in path.items())
    chosen = list(itertools.combinations(range(6), 2))
    assert used == sorted((number, group) for number, groups in enumerate(chosen) for group in groups)


def test_groups_that_cannot_be_held_out_are_refused() -> None:
    for groups, held, rows in ((5, 5, 100), (5, 0, 100), (10, 2, 8)):
        with pytest.raises(ValueError, match="cannot be held out"):
            next(combinatorial(0, rows, groups, held, 0, 0))
