"""The decisions of a whole block, written down at once.

While a session goes through a block, its page only notes the number of each bar close and which decisions led to something; the
decisions themselves stand in the engine's arrays. At the end the page has the rows that the decisions would have become one by
one, with the same numbers, in the same order (see `stretches`).
"""

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from bot.store.chain import Row
from bot.store.stretches import SYMBOL, Open
from feeds.bars import CLOSE, Array
from strategies.decision import REASON_OF, SIDE_OF
from strategies.engine import View

Ints = NDArray[np.int64]

_SIDES = {code: side.value for side, code in ((side, code) for code, side in SIDE_OF.items())}
_REASONS = [reason.value for reason in REASON_OF]


class Passed(msgspec.Struct, frozen=True, gc=False):
    """What rows that were passed by had: numbers to give out, bar closes, candles."""

    numbers: int
    closes: int
    candles: int


class _Cut(NamedTuple):
    """Where rows begin and end: index into the bar closes of first and last, symbol, and the moment of ending as a sortable key."""

    first: Ints
    last: Ints
    symbol: Ints
    ended: Ints


_NEVER = np.iinfo(np.int64).max  # the key of what has not ended


class Page:
    """What becomes of a view's decisions from row `first` on; `symbols`: how many there are of each close."""

    def __init__(self, view: View, first: int) -> None:
        self._view = view
        self.names = view.names
        self.symbols = symbols = len(view.bars.symbols)
        self._first = first
        rows = view.bars.rows
        self._candles: Sequence[int] = range(-first * symbols, (rows - first) * symbols + 1, symbols)  # before each row
        self._closes: Sequence[int] = range(-first, rows - first + 1)
        records = view.records
        if not view.bars.whole:
            candles = view.present.sum(axis=1)
            candles[:first] = 0
            self._candles, self._closes = _running(candles).tolist(), _running(candles > 0).tolist()
            records = records[candles > 0]
        elif first:
            records = records[first:]
        self._records = np.ascontiguousarray(records).view(np.uint8).reshape(-1).data
        self._width = records.dtype.itemsize * symbols
        self._told = first
        self._next = first
        self._visits: list[tuple[int, int, int]] = []
        self._shifts: list[tuple[int, int]] = []
        self._shift = -1
        self._followed: list[int] = []

    def closed(self, row: int, seq: int, cause: int) -> None:
        """The bar close of a row was event `seq`, and follows from event `cause`; its decisions get the next numbers."""
        if cause == seq - 1:
            shift = cause - self._candles[row + 1] - self._closes[row] * (1 + self.symbols)
            if shift != self._shift:
                self._shifted(row, shift)
        else:
            self._visits.append((row, seq + 1, cause))
        self._next = row + 1

    def pass_by(self, row: int, until: int, seq: int) -> Passed:
        """Rows [row, until), from whose decisions nothing follows; `seq` is the last number given so far.

        The numbers are those that the bus would have given: the candles of a close, its BarClosed, then a decision for each symbol.
        """
        closes, candles = self._closes[until] - self._closes[row], self._candles[until] - self._candles[row]
        shift = seq - self._candles[row] - self._closes[row] * (1 + self.symbols)
        if shift != self._shift:
            self._shifted(row, shift)
        self._next = until
        return Passed(candles + closes * (1 + self.symbols), closes, candles)

    def _shifted(self, row: int, shift: int) -> None:
        """From this row on numbers are so much higher than those of the bars, closes and decisions of the page alone."""
        self._shift = shift
        self._shifts.append((row, shift))

    def consequence(self, cause: int) -> None:
        """Something followed from event `cause`."""
        self._followed.append(cause)

    def untold(self) -> memoryview:
        """The records of the decisions since this was asked last, in order: for the run's digest."""
        begin, end = self._closes[self._told] * self._width, self._closes[self._next] * self._width
        self._told = self._next
        return self._records[begin:end]

    def leaf(self) -> "Leaf | None":
        """What has become of the page; None where nothing was decided."""
        rows = self._view.bars.rows
        closes = np.arange(self._first, rows) if self._view.bars.whole else np.flatnonzero(np.diff(self._closes))
        if not closes.size:
            return None
        number, cause = self._numbers()
        followed = self._standing(number[closes])
        cut = self._cut(closes, followed)
        order = np.argsort(cut.ended, kind="stable")
        first, last, symbol = closes[cut.first[order]], closes[cut.last[order]], cut.symbol[order]
        columns = self._columns(first, last, cut.last[order] - cut.first[order] + 1, symbol, number[first] + symbol, cause[first])
        place = np.empty(order.size, np.int64)
        place[order] = np.arange(order.size)
        heads = place[np.searchsorted(cut.symbol, np.arange(self.symbols))].tolist()
        return Leaf(self._view.bars.symbols, self.names, columns, cut.ended[order], heads, followed[0].tolist())

    def _numbers(self) -> tuple[Ints, Ints]:
        """int64[T] twice: the number of the first decision of each row, and that of its cause."""
        rows = self._view.bars.rows
        number, cause = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        if self._view.bars.whole:
            given = np.arange(-self._first, rows + 1 - self._first) * (1 + 2 * self.symbols)
        else:
            given = np.array(self._candles) + np.array(self._closes) * (1 + self.symbols)
        if self._shifts:
            row, shift = np.array(self._shifts).T
            number[row[0] :] = np.repeat(shift, np.diff(row, append=rows))
        number += given[1:] - self.symbols + 1
        cause[:] = number - 2
        if self._visits:
            row, seq, told = np.array(self._visits).T
            number[row], cause[row] = seq, told
        return number, cause

    def _standing(self, number: Ints) -> NDArray[np.bool_]:
        """bool[closes, S]: something followed from this decision."""
        stands = np.zeros((number.size, self.symbols), np.bool_)
        causes = np.array(self._followed, np.int64)
        place = np.searchsorted(number, causes, side="right") - 1
        symbol = causes - number[place]
        known = (place >= 0) & (symbol >= 0) & (symbol < self.symbols)
        stands[place[known], symbol[known]] = True
        return stands

    def _cut(self, closes: Ints, followed: NDArray[np.bool_]) -> _Cut:
        """Cut each symbol's decisions into rows, and find what ended each: what followed from it, or the decision after it."""
        cuts = []
        for s in range(self.symbols):
            alone = followed[:, s]
            kind = self._view.side[closes, s].astype(np.int64) * 64 + self._view.reason[closes, s]
            differs = np.concatenate(([True], kind[1:] != kind[:-1]))
            first = np.flatnonzero(differs | alone | np.concatenate(([False], alone[:-1])))
            last = np.append(first[1:], kind.size) - 1
            # a decision that differs ends a row when it is made, one that leads to something a moment later, before its own row
            after = np.append(first[1:], first[-1])
            by_kind = _key(after, ~differs[after], s, 0, self.symbols)
            ended = np.where(alone[first], _key(first, True, s, 1, self.symbols), by_kind)
            if not alone[first[-1]]:
                ended[-1] = _NEVER
            cuts.append(_Cut(first, last, np.full(first.size, s, np.int64), ended))
        return _Cut(*(np.concatenate(column) for column in zip(*cuts, strict=True)))

    def _columns(self, first: Ints, last: Ints, bars: Ints, symbol: Ints, seq: Ints, cause: Ints) -> "Columns":
        """What the rows are made of, taken out of the view."""
        view = self._view
        close = (np.arange(view.bars.rows) + view.bars.first + 1) * view.bars.timeframe
        packed = np.empty((first.size, 4, len(view.names)))
        packed[:, 0], packed[:, 1] = view.values[first, :, symbol], view.confidences[first, :, symbol]
        packed[:, 2], packed[:, 3] = view.weights, view.parts[first, :, symbol]
        packed[np.isnan(packed)] = np.nan
        return Columns(
            seq, cause, close[first], close[last], bars, symbol, view.side[first, symbol], view.reason[first, symbol],
            view.score[first, symbol], view.score[last, symbol], view.confidence[first, symbol], view.newest[first, symbol],
            view.bars.values[first, CLOSE, symbol], view.volatility[first, symbol], packed.astype("<f8", copy=False),
            view.records[first, symbol], view.target[first, symbol],
        )  # fmt: skip


class Columns(NamedTuple):
    """The values of LINKED, one array each (the second `at` left out: it is the bar's close), contributions float64[rows, 4, signal]."""

    seq: Ints
    cause: Ints
    at: Ints
    until: Ints
    bars: Ints
    symbol: Ints
    side: NDArray[np.int8]
    reason: NDArray[np.int8]
    score: Array
    last_score: Array
    confidence: Array
    newest: Ints
    price: Array
    volatility: Array
    contributions: Array
    records: NDArray[np.void]
    target: Array


class Leaf(NamedTuple):
    """A page that has ended.

    ended  int64[rows]: moment of ending as a sortable key, ascending;  heads: place of each symbol's first row
    alone  something followed from each symbol's first decision
    """

    symbols: tuple[str, ...]
    names: tuple[str, ...]
    columns: Columns
    ended: Ints
    heads: list[int]
    alone: list[bool]

    def rows(self, before: dict[str, Open]) -> tuple[list[Row], dict[str, Open]]:
        """The rows that ended, in the order in which they did, and by symbol those that may still grow.

        before  the rows that could still grow when the page began
        """
        return self._joined(self._values(), self.ended.tolist(), before)

    def _values(self) -> list[Row]:
        """The values of LINKED, row by row."""
        c = self.columns
        at = c.at.tolist()
        count, width = len(at), 32 * len(self.names)
        records = _pieces(c.records.tobytes(), c.records.dtype.itemsize, count)
        values = (
            c.seq.tolist(), c.cause.tolist(), at, at, c.until.tolist(), c.bars.tolist(), [self.symbols[s] for s in c.symbol.tolist()],
            [_SIDES[code] for code in c.side.tolist()], [_REASONS[code] for code in c.reason.tolist()], _numbers(c.score),
            _numbers(c.last_score), _numbers(c.confidence), c.newest.tolist(), _numbers(c.price), _numbers(c.volatility),
            _pieces(c.contributions.tobytes(), width, count), [hashlib.sha256(record).digest() for record in records], _numbers(c.target),
        )  # fmt: skip
        return list(zip(*values, strict=True))

    def _joined(self, rows: list[Row], ended: list[int], before: dict[str, Open]) -> tuple[list[Row], dict[str, Open]]:
        """Put the rows that were open when the page began in their places: one with the first of their symbol, or before it."""
        names, heads, alone = self.symbols, self.heads, self.alone
        extra: list[tuple[int, Row]] = []
        for s, name in enumerate(names):
            run = before.get(name)
            if run is None:
                continue
            assert run.names == self.names, "the signals of a run changed between two blocks"
            repeats = run.repeats(rows[heads[s]])
            if repeats and not alone[s]:
                rows[heads[s]] = run.grown(rows[heads[s]]).row
            else:
                extra.append((_key(0, repeats, s, 0, len(names)), run.row))
        whole = bisect_left(ended, _NEVER)
        still = {str(row[SYMBOL]): Open(row, self.names) for row in rows[whole:]}
        del rows[whole:], ended[whole:]
        for key, row in extra:
            place = bisect_left(ended, key)
            ended.insert(place, key)
            rows.insert(place, row)
        return rows, still


def _key(close: Any, late: Any, symbol: int, step: int, symbols: int) -> Any:  # an integer or an array of them
    """Orders what happens: by bar close, first the decisions, then what follows from them, each by symbol."""
    return ((close * 2 + late) * symbols + symbol) * 2 + step


def _running(counts: NDArray[Any]) -> Ints:
    """How many there were before each row; the last is all of them."""
    out = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=out[1:])
    return out


def _numbers(column: Array) -> list[float | None]:
    """As SQLite gives them back: NaN is NULL, and there is one zero."""
    values: list[float | None] = (column + 0.0).tolist()
    if np.isnan(column).any():
        return [None if value != value else value for value in values]
    return values


def _pieces(data: bytes, size: int, count: int) -> list[bytes]:
    return [data[i * size : (i + 1) * size] for i in range(count)]
