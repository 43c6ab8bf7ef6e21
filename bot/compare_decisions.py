"""Decisions of two runs, bar by bar: equal views are counted, the first that differ are named.

The rule: a stretch of equal decisions counts at each of its bars; what only its first bar kept (score, digest) is compared where both
runs kept it.
"""

import shlex
from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.compare import Decisions, Parting, Party, View
from bot.store.reader import Reader
from bot.store.tallies import Stretch, stretches
from feeds.times import iso

CHANGES = 12  # kinds of difference that are told
Ints = NDArray[np.int64]


class _Symbol(NamedTuple):
    """What a run made of one symbol: rows in order, and for each bar of the common span the row it lies in (-1: none)."""

    rows: list[Stretch]
    of_bar: Ints


class Book(NamedTuple):
    """A run to compare, and the store that it is in."""

    reader: Reader
    party: Party


def compare_decisions(a: Book, b: Book, symbols: tuple[str, ...], start_ms: int, end_ms: int) -> Decisions:
    """Over the bars that close in (start_ms, end_ms]; both runs have the same timeframe."""
    timeframe = a.party.timeframe
    first, count = start_ms // timeframe + 1, end_ms // timeframe - start_ms // timeframe
    total: Counter[str] = Counter()
    changes: Counter[tuple[str, str]] = Counter()
    gap, views, digests = None, list[Parting](), list[Parting]()
    for symbol in symbols:
        mine, theirs = (_read(book, symbol, first, count, timeframe) for book in (a, b))
        both = (mine.of_bar >= 0) & (theirs.of_bar >= 0)
        total["only_a"] += int(((mine.of_bar >= 0) & ~both).sum())
        total["only_b"] += int(((theirs.of_bar >= 0) & ~both).sum())
        total["compared"] += int(both.sum())
        differing = _views(mine, theirs, both, changes)
        total["same"] += int(both.sum()) - differing.size
        if differing.size:
            views.append(_parting(a, b, mine, theirs, symbol, int(differing[0]), first))
        unequal, known, widest = _digests(mine, theirs, first * timeframe, both.size, timeframe)
        total["digests"] += known
        total["same_digests"] += known - unequal.size
        gap = widest if gap is None else gap if widest is None else max(gap, widest)
        if unequal.size:
            digests.append(_parting(a, b, mine, theirs, symbol, int(unequal[0]), first))
    ranked = sorted(changes.items(), key=lambda item: (-item[1], item[0]))[:CHANGES]
    return Decisions(
        compared=total["compared"], same=total["same"], only_a=total["only_a"], only_b=total["only_b"], digests=total["digests"],
        same_digests=total["same_digests"], score_gap=gap, first_view=_earliest(views), first_digest=_earliest(digests),
        changes=tuple((before, after, times) for (before, after), times in ranked),
    )  # fmt: skip


def _read(book: Book, symbol: str, first: int, count: int, timeframe: int) -> _Symbol:
    rows, of_bar = list[Stretch](), np.full(count, -1, np.int64)
    for row in stretches(book.reader.conn, book.party.run, symbol, first * timeframe, (first + count - 1) * timeframe):
        of_bar[max(0, row.bar_ms // timeframe - first) : row.until_ms // timeframe - first + 1] = len(rows)
        rows.append(row)
    return _Symbol(rows, of_bar)


def _views(mine: _Symbol, theirs: _Symbol, both: NDArray[np.bool_], changes: Counter[tuple[str, str]]) -> Ints:
    """The places at which side or reason differ; counts them by what they were."""
    names: dict[tuple[str, str], int] = {}
    codes = [
        np.array([names.setdefault((row.side, row.reason), len(names)) for row in one.rows] or [0], np.int64)[one.of_bar]
        for one in (mine, theirs)
    ]
    differing = np.flatnonzero(both & (codes[0] != codes[1]))
    known = [f"{side} {reason}" for side, reason in names]
    pairs, times = np.unique(np.stack([code[differing] for code in codes]), axis=1, return_counts=True)
    for (before, after), count in zip(pairs.T.tolist(), times.tolist(), strict=True):
        changes[known[before], known[after]] += count
    return differing


def _digests(mine: _Symbol, theirs: _Symbol, first_ms: int, count: int, timeframe: int) -> tuple[Ints, int, float | None]:
    """Places at which both kept a digest and they differ; how many both kept; the largest difference of scores there."""
    other = {row.bar_ms: row for row in theirs.rows}
    unequal, known, gap = list[int](), 0, None
    for row in mine.rows:
        match, place = other.get(row.bar_ms), (row.bar_ms - first_ms) // timeframe
        if match is None or not 0 <= place < count:
            continue
        known += 1
        if row.digest != match.digest:
            unequal.append(place)
        if row.score is not None and match.score is not None:
            gap = max(gap or 0.0, abs(row.score - match.score))
    return np.array(unequal, np.int64), known, gap


def _parting(a: Book, b: Book, mine: _Symbol, theirs: _Symbol, symbol: str, place: int, first: int) -> Parting:
    bar_ms = (first + place) * a.party.timeframe
    said = [_view(one.rows[int(one.of_bar[place])], bar_ms) for one in (mine, theirs)]
    asked = [_explain(book.party, symbol, bar_ms) for book in (a, b)]
    return Parting(symbol, bar_ms, said[0], said[1], asked[0], asked[1])


def _explain(party: Party, symbol: str, bar_ms: int) -> str:
    return shlex.join(("sluice", "explain", f"{symbol}@{iso(bar_ms)}", "--run", party.run, "--store", party.store))


def _view(row: Stretch, bar_ms: int) -> View:
    """Score and digest are those of the first bar of a stretch: of another bar they are not known."""
    own = row.bar_ms == bar_ms
    return View(row.seq, row.side, row.reason, row.score if own else None, row.digest.hex() if own else "")


def _earliest(found: list[Parting]) -> Parting | None:
    return min(found, key=lambda one: (one.bar_ms, one.symbol), default=None)
