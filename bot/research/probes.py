"""Probes of causality: does a value at a bar use anything that was not known at its close? Over any computation, whatever it is.

A subject is a function from history to values, float64[row, output, symbol]. The rule: nothing here has a unit. Values are compared
bit for bit, or by their difference relative to their own size, so that a price of 0.00001 and one of 100,000 are judged alike.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rng = np.random.Generator

POISONS = ("nan", "huge", "random", "reversed")
AFTER = 400  # rows behind a cut that a poisoned history keeps: what is poisoned stays cheap
HUGE = 1e30
NEAR = 1e-9  # two values that differ by less, relative to their size, are the same for people


class Data(Protocol):
    """History as probes handle it: rows in order, one a bar."""

    @property
    def rows(self) -> int: ...

    def head(self, rows: int) -> Self:
        """The first rows: nothing more is known yet."""

    def tail(self, row: int) -> Self:
        """From this row on: nothing before is known."""

    def poisoned(self, row: int, kind: str, rng: Rng) -> Self:
        """The same up to `row`, and another future from it on, one of POISONS."""


D = TypeVar("D", bound=Data)
Evaluate = Callable[[D], Array]
Stream = Callable[[Sequence[D]], Array]  # one subject that is given the pieces in order; the rows of all of them


class Rows(NamedTuple):
    """History as numbers. values float64[row, field, symbol]; first: absolute index of the first bar."""

    values: Array
    first: int = 0

    @property
    def rows(self) -> int:
        return len(self.values)

    def holes(self) -> list[int]:
        """Rows at which something is not known."""
        return [int(row) for row in np.flatnonzero(np.isnan(self.values).any(axis=(1, 2)))]

    def head(self, rows: int) -> "Rows":
        return Rows(self.values[:rows], self.first)

    def tail(self, row: int) -> "Rows":
        return Rows(self.values[row:], self.first + row)

    def poisoned(self, row: int, kind: str, rng: Rng) -> "Rows":
        return Rows(poison(self.values, row, kind, rng), self.first)

    def scaled(self, fields: Sequence[int], factor: float) -> "Rows":
        """Some fields in another unit."""
        values = self.values.copy()
        values[:, list(fields)] *= factor
        return Rows(values, self.first)

    def of(self, symbols: Sequence[int]) -> "Rows":
        """These symbols, in this order."""
        return Rows(np.ascontiguousarray(self.values[:, :, list(symbols)]), self.first)


class Tally:
    """What a probe has seen of each output: how many values it compared, how many differed, by how much, and where first.

    worst  the largest difference relative to the values; infinite where one is known and the other is not
    """

    def __init__(self, outputs: int) -> None:
        self.trials = 0
        self.compared = np.zeros(outputs, np.int64)
        self.differing = np.zeros(outputs, np.int64)
        self.worst = np.zeros(outputs)
        self.first: list[tuple[int, int, int] | None] = [None] * outputs  # (row, symbol, row of the cut)

    def add(self, whole: Array, other: Array, tolerance: float, cut: int, start: int = 0) -> None:
        """Hold values [row, output, symbol] against those of the whole; `start` is the row that the first of them has there."""
        self.trials += 1
        self.compared += (~(np.isnan(whole) & np.isnan(other))).sum(axis=(0, 2))
        off = difference(whole, other)
        wrong = off > tolerance
        if not wrong.any():
            return
        self.differing += wrong.sum(axis=(0, 2))
        np.maximum(self.worst, np.where(wrong, off, 0.0).max(axis=(0, 2)), out=self.worst)
        for output in np.flatnonzero(wrong.any(axis=(0, 2))).tolist():
            if self.first[output] is None:
                row, symbol = np.argwhere(wrong[:, output])[0].tolist()
                self.first[output] = row + start, symbol, cut


def difference(a: Array, b: Array) -> Array:
    """|a - b| / max(|a|, |b|); 0 where both are the same or neither is known, infinite where only one is."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        size = np.maximum(np.abs(a), np.abs(b))
        off = np.where(np.isfinite(size), np.abs(a / size - b / size), np.inf)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(same, 0.0, np.where(np.isnan(off), np.inf, off))


def poison(values: Array, row: int, kind: str, rng: Rng) -> Array:
    """Another future from `row` on. nan: unknown; huge: +-1e30; random: rows of the past, drawn anew; reversed: the future backwards."""
    out = values.copy()
    later = len(out) - row
    if later <= 0:
        return out
    if kind == "nan":
        out[row:] = np.nan
    elif kind == "huge":
        out[row:] = HUGE * rng.choice((-1.0, 1.0), size=out[row:].shape)
    elif kind == "random":
        out[row:] = values[rng.integers(0, max(1, row), later)] * np.exp(rng.normal(0.0, 1.0, (later, *(1 for _ in values.shape[1:]))))
    elif kind == "reversed":
        out[row:] = values[row:][::-1]
    else:
        raise ValueError(f"{kind} is no poison; there are {', '.join(POISONS)}")
    return out


def places(values: Array, count: int, rng: Rng, holes: Sequence[int] = ()) -> list[int]:
    """Rows to cut before, at most `count` of those at which something is known: all of them where they are few enough.

    Half are spread over the whole, a quarter follow one another, and a quarter stand behind the largest changes of a value, where what
    looks ahead only now and then is likeliest to do it.

    holes  rows at which something is missing from the data: the cut behind up to a quarter of them is tried too
    """
    rows = len(values)
    known = np.flatnonzero((~np.isnan(values)).any(axis=(1, 2)))
    start = int(known[0]) + 1 if known.size else 1
    inside = rows - start
    if inside <= count:
        return list(range(start, rows))
    spread = np.linspace(start, rows - 1, max(1, count // 2)).astype(int)
    begin = int(rng.integers(start, max(start + 1, rows - count // 4)))
    steps = np.nan_to_num(np.abs(np.diff(values, axis=0)), nan=0.0, posinf=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        jumps = np.nan_to_num(steps / steps.mean(axis=0)).max(axis=(1, 2))
    largest = np.argsort(-jumps, kind="stable")[: count // 8] + 1
    behind = [holes[i] + 1 for i in sorted(set(np.linspace(0, len(holes) - 1, count // 4).astype(int).tolist()))] if holes else []
    chosen = {*behind, *spread.tolist(), *range(begin, min(rows, begin + count // 4)), *largest.tolist(), *(largest + 1).tolist()}
    return sorted(row for row in chosen if start <= row < rows)


def truncation(evaluate: Evaluate[D], data: D, whole: Array, cuts: Sequence[int], tolerance: float = 0.0) -> Tally:
    """The values of the first rows alone are those that the whole history gives them."""
    tally = Tally(whole.shape[1])
    for cut in cuts:
        tally.add(whole[:cut], evaluate(data.head(cut)), tolerance, cut)
    return tally


def poisoning(
    evaluate: Evaluate[D], data: D, whole: Array, cuts: Sequence[int], rng: Rng, kinds: Sequence[str] = POISONS, tolerance: float = 0.0
) -> Tally:
    """Another future changes nothing before it."""
    tally = Tally(whole.shape[1])
    for cut in cuts:
        piece = data.head(min(data.rows, cut + AFTER))
        for kind in kinds:
            tally.add(whole[:cut], evaluate(piece.poisoned(cut, kind, rng))[:cut], tolerance, cut)
    return tally


def pieces(data: D, edges: Sequence[int]) -> list[D]:
    """The history cut before these rows."""
    inner = sorted({edge for edge in edges if 0 < edge < data.rows})
    return [data.head(b).tail(a) for a, b in pairwise([0, *inner, data.rows])]


def cutting(stream: Stream[D], data: D, whole: Array, rng: Rng, most: int = 1_500) -> Tally:
    """Fed bar by bar (the last `most` of them), in blocks of 7 and 64, and cut at random: bit for bit the same."""
    rows = data.rows
    ways = [[*range(max(1, rows - most), rows)], [*range(7, min(rows, 7 * most), 7)], [*range(64, rows, 64)]]
    ways += [rng.integers(1, max(2, rows), count).tolist() for count in (1, 5, max(6, min(most, rows // 10)))]
    tally = Tally(whole.shape[1])
    for edges in ways:
        tally.add(whole, stream(pieces(data, edges)), 0.0, edges[0] if edges else 0)
    return tally


def restoring(resumed: Callable[[D, D], Array], data: D, whole: Array, cuts: Sequence[int]) -> Tally:
    """Saved at a bar, and restored into a fresh subject that goes on: `resumed` gives the rows of the second piece."""
    tally = Tally(whole.shape[1])
    for cut in cuts:
        tally.add(whole[cut:], resumed(data.head(cut), data.tail(cut)), 0.0, cut, cut)
    return tally


class Drift(NamedTuple):
    """How much a value depends on how long its history is: float64[length, output], worst over places and symbols.

    lengths  bars before the one that is looked at;  places  how many bars were looked at, at each length;  NaN: nothing was known
    """

    lengths: tuple[int, ...]
    places: tuple[int, ...]
    worst: Array


def drift(evaluate: Evaluate[D], data: D, whole: Array, lengths: Sequence[int], count: int = 8) -> Drift:
    """The value at a bar with only so many bars before it, against the one with all of them; relative, infinite where it is not known."""
    kept, seen, worst = [], [], []
    for length in sorted(set(lengths)):
        at = _spread(whole, length + 1, count)
        if not at.size:
            continue
        off = np.full((at.size, whole.shape[1]), np.nan)
        for i, row in enumerate(at.tolist()):
            late = evaluate(data.head(row + 1).tail(row - length))[-1:]
            known = ~np.isnan(whole[row])
            off[i] = np.where(known.any(axis=1), np.where(known, difference(whole[row : row + 1], late)[0], 0.0).max(axis=1), np.nan)
        kept.append(length)
        seen.append(int(at.size))
        worst.append(np.where(np.isnan(off).all(axis=0), np.nan, np.where(np.isnan(off), 0.0, off).max(axis=0)))
    return Drift(tuple(kept), tuple(seen), np.array(worst).reshape(len(kept), whole.shape[1]))


def _spread(whole: Array, start: int, count: int) -> NDArray[np.int64]:
    """Rows from `start` on, over the whole, at which about as much is known as anywhere."""
    known = (~np.isnan(whole[start:])).sum(axis=(1, 2))
    there = np.flatnonzero(known >= max(1.0, 0.9 * float(known.max(initial=0)))) + start
    return there[np.unique(np.linspace(0, there.size - 1, count).astype(int))] if there.size else there


def settling(evaluate: Evaluate[D], data: D, whole: Array, starts: Sequence[int], tolerance: float = NEAR) -> NDArray[np.int64]:
    """int64[output]: bars after a late start from which on every value is that of the whole history; -1 where they never are."""
    settled = np.zeros(whole.shape[1], np.int64)
    for start in starts:
        late = evaluate(data.tail(start))
        wrong = np.any(difference(whole[start:], late) > tolerance, axis=2)
        last = np.where(wrong.any(axis=0), len(late) - wrong[::-1, :].argmax(axis=0), 0)
        settled = np.where((settled < 0) | (last == len(late)), -1, np.maximum(settled, last))
    return settled


def reordering(evaluate: Evaluate[Rows], data: Rows, whole: Array, rng: Rng) -> Tally:
    """Symbols in another order give the same values in that order."""
    tally = Tally(whole.shape[1])
    symbols = whole.shape[2]
    for order in (np.arange(symbols)[::-1], rng.permutation(symbols)):
        tally.add(whole[:, :, order], evaluate(data.of(order.tolist())), 1e-12, 0)
    return tally


def narrowing(evaluate: Evaluate[Rows], data: Rows, whole: Array, count: int = 3) -> Tally:
    """A symbol alone has the values that it has among others."""
    tally = Tally(whole.shape[1])
    symbols = np.unique(np.linspace(0, whole.shape[2] - 1, count).astype(int)).tolist()
    for symbol in symbols:
        tally.add(whole[:, :, symbol : symbol + 1], evaluate(data.of([symbol])), 0.0, 0)
    return tally


def scaling(whole: Array, other: Array, factor: float, tolerance: float = NEAR) -> list[str]:
    """What became of each output when something it reads was given in a unit `factor` times smaller.

    unit free: nothing; ~unit^p: every value grew by the same power; mixed: values changed otherwise; unknown: there is no value
    """
    said = []
    for output in range(whole.shape[1]):
        a, b = whole[:, output].ravel(), other[:, output].ravel()
        known = np.isfinite(a) & np.isfinite(b)
        if not known.any():
            said.append("unknown")
        elif (difference(a, b) <= tolerance).all():
            said.append("unit free")
        else:
            said.append(_power(a[known], b[known], factor, tolerance))
    return said


def _power(a: Array, b: Array, factor: float, tolerance: float) -> str:
    alive = (a != 0.0) & (b != 0.0)
    if not alive.any() or (np.sign(a[alive]) != np.sign(b[alive])).any():
        return "mixed"
    powers = np.log(np.abs(b[alive] / a[alive])) / np.log(factor)
    power = float(np.median(powers))
    same = np.abs(powers - power).max() <= max(tolerance, 1e-7) and not ((a == 0.0) ^ (b == 0.0)).any()
    return f"~unit^{power:.3g}" if same else "mixed"
