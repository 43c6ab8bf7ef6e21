"""Time cut into what is learnt from and what is judged by: three slices, walks forward, and all combinations of groups.

The rule: no row that is learnt from has a label that reaches into a row that is judged. The rows whose labels would are purged, and an
embargo keeps some more apart (Lopez de Prado, Advances in Financial Machine Learning, 2018, chapters 7 and 12).
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
TRAIN, VALIDATE, TEST = "train", "validate", "test"


class Slice(NamedTuple):
    """Rows [start, stop) at whose closes is decided."""

    name: str
    start: int
    stop: int

    @property
    def rows(self) -> int:
        return max(0, self.stop - self.start)

    def within(self, stop: int) -> "Slice":
        """As much of it as lies before a row."""
        return Slice(self.name, min(self.start, stop), min(self.stop, stop))


class Fold(NamedTuple):
    """One step of a walk forward: what is learnt from, and what comes after it."""

    train: Slice
    test: Slice


class Combination(NamedTuple):
    """One of the ways to hold out some groups: rows to learn from, rows to judge by, and the groups held out."""

    train: Rows
    test: Rows
    groups: tuple[int, ...]


def three_slices(begin: int, stop: int, shares: Sequence[float], purge: int, embargo: int) -> tuple[Slice, Slice, Slice]:
    """Train, validate and test of the rows [begin, stop): the labels of one end before the next begins.

    shares  of the rows, adding up to 1
    purge   rows left out before each boundary: as far as a label reaches;  embargo  rows left out after it
    """
    rows = stop - begin
    first, second = begin + round(rows * shares[0]), begin + round(rows * (shares[0] + shares[1]))
    return (
        Slice(TRAIN, begin, max(begin, first - purge if first < stop else stop)),
        Slice(VALIDATE, min(first + embargo, second), max(min(first + embargo, second), second - purge if second < stop else stop)),
        Slice(TEST, min(second + embargo, stop), stop),
    )


def walk_forward(begin: int, stop: int, folds: int, purge: int, embargo: int, anchored: bool = True) -> list[Fold]:
    """The rows [begin, stop) in folds + 1 equal parts: each part but the first is judged by what came before it.

    anchored  what is learnt from begins at the first row; else it rolls, one part long
    Folds in which nothing is left are dropped.
    """
    cuts = [begin + (stop - begin) * i // (folds + 1) for i in range(folds + 2)]
    found = []
    for i in range(1, folds + 1):
        train = Slice(TRAIN, begin if anchored else cuts[i - 1], cuts[i] - purge)
        test = Slice(TEST, cuts[i] + embargo, cuts[i + 1])
        if train.rows and test.rows:
            found.append(Fold(train, test))
    return found


def combinatorial(begin: int, stop: int, groups: int, held: int, purge: int, embargo: int) -> Iterator[Combination]:
    """Every way to hold `held` of `groups` equal parts of the rows [begin, stop) out, in lexical order.

    What is learnt from has no row within `purge` before a part that is held out, nor within `purge + embargo` after it: its labels
    overlap on both sides. Raises ValueError where there are fewer rows than groups.
    """
    if not 1 <= held < groups or stop - begin < groups:
        raise ValueError(f"{held} of {groups} groups of {stop - begin} rows cannot be held out")
    cuts = [begin + (stop - begin) * i // groups for i in range(groups + 1)]
    rows = np.arange(begin, stop)
    for chosen in itertools.combinations(range(groups), held):
        learnt, judged = np.ones(rows.size, bool), np.zeros(rows.size, bool)
        for group in chosen:
            a, b = cuts[group] - begin, cuts[group + 1] - begin
            judged[a:b] = True
            learnt[max(0, a - purge) : b + purge + embargo] = False
        yield Combination(rows[learnt & ~judged], rows[judged], chosen)


def paths(groups: int, held: int) -> list[dict[int, int]]:
    """How the parts judged in all combinations make whole histories: for each path, group -> number of the combination that judged it.

    There are C(groups - 1, held - 1) of them.
    """
    judged: dict[int, list[int]] = {group: [] for group in range(groups)}
    for number, chosen in enumerate(itertools.combinations(range(groups), held)):
        for group in chosen:
            judged[group].append(number)
    return [{group: judged[group][path] for group in range(groups)} for path in range(math.comb(groups - 1, held - 1))]
