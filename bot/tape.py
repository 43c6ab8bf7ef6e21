"""What a run leaves for its measures: equity, exposure, score and executable prices at each bar close, as arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.ledger import Ledger, carried
from feeds.bars import CLOSE, OPEN, Array, Bars
from feeds.times import Millis
from strategies.engine import View


class Record(NamedTuple):
    """One row for each bar close at which the session decided.

    bar_ms int64[T]; equity, cash, gross, net float64[T] in quote currency (gross: sum of |position| at the close, net: with its
    sign; cash: what the ledger books, open positions at cost); score, open float64[T, S]
    """

    bar_ms: NDArray[np.int64]
    equity: Array
    cash: Array
    gross: Array
    net: Array
    score: Array
    open: Array


class Tape:
    """Grows by whole stretches in a replay and by rows when it trades."""

    def __init__(self, symbols: int) -> None:
        self._parts: list[Record] = []
        self._symbols = symbols
        self.rows = 0
        self._fills: list[tuple[Millis, float]] = []

    def extend(self, part: Record) -> None:
        """Append a stretch of bar closes."""
        self._parts.append(part)
        self.rows += len(part.equity)
        if len(self._parts) >= 4096:
            self.parts()

    def fill(self, at: Millis, notional: float) -> None:
        """A fill was settled."""
        self._fills.append((at, notional))

    def parts(self) -> Record:
        """All rows as they came. They are kept in one piece from then on: two copies of a year of minutes are many megabytes."""
        if not self._parts:
            none, wide = np.empty(0), np.empty((0, self._symbols))
            return Record(np.empty(0, np.int64), none, none, none, none, wide, wide)
        if len(self._parts) > 1:
            self._parts = [Record(*(np.concatenate(columns) for columns in zip(*self._parts, strict=True)))]
        return self._parts[0]

    def record(self, timeframe: Millis) -> Record:
        """All of it on an unbroken grid: at a close without any bar the account is worth what it was, and no score is known."""
        told = self.parts()
        if not told.bar_ms.size or told.bar_ms.size == (told.bar_ms[-1] - told.bar_ms[0]) // timeframe + 1:
            return told
        rows = (told.bar_ms - told.bar_ms[0]) // timeframe
        total = int(rows[-1]) + 1
        last = np.zeros(total, np.int64)
        last[rows] = np.arange(rows.size)
        np.maximum.accumulate(last, out=last)
        known = np.zeros(total, np.bool_)
        known[rows] = True
        wide = [np.where(known[:, None], column[last], np.nan) for column in (told.score, told.open)]
        closes = told.bar_ms[0] + timeframe * np.arange(total, dtype=np.int64)
        return Record(closes, told.equity[last], told.cash[last], told.gross[last], told.net[last], *wide)

    def traded(self, record: Record, timeframe: Millis) -> Array:
        """float64[T]: notional of the fills that were settled by each close, quote currency."""
        out = np.zeros(record.bar_ms.size)
        if out.size and self._fills:
            at = np.array([fill[0] for fill in self._fills], np.int64)
            row = np.clip(-(-(at - record.bar_ms[0]) // timeframe), 0, out.size - 1)
            np.add.at(out, row, np.array([fill[1] for fill in self._fills]))
        return out


class Stretch:
    """What the account was worth at each close of a block: the ledger is looked at where it changes, the closes between follow.

    Sums run over the held symbols in universe order, as those of `Ledger.equity_float` and `exposure` do, so the bits are the same.
    """

    def __init__(self, bars: Bars, ledger: Ledger) -> None:
        self._bars = bars
        self._marks = list(ledger.marks)
        self._seen = -1
        self._rows: list[int] = []
        self._flow: list[float] = []
        self._cash: list[float] = []
        self._sizes: list[tuple[float, ...]] = []

    def row(self, bar_ms: Millis) -> int:
        """The row that closes then."""
        return bar_ms // self._bars.timeframe - self._bars.first - 1

    def mark(self, ledger: Ledger, row: int) -> None:
        """From this close on the positions are what the ledger says now."""
        if ledger.revision != self._seen:
            self._seen = ledger.revision
            self._rows.append(row)
            self._flow.append(ledger.cashflow_float)
            self._cash.append(float(ledger.cash))
            self._sizes.append(tuple(ledger.quantities))

    def record(self, view: View) -> Record:
        """The rows that the session decided at."""
        begin = self._rows[0] if self._rows else self._bars.rows
        times = np.diff([*self._rows, self._bars.rows])
        equity, cash = np.repeat(self._flow, times), np.repeat(self._cash, times)
        gross, net = np.zeros(equity.size), np.zeros(equity.size)
        sizes = np.array(self._sizes).reshape(len(self._rows), len(self._marks))
        for i in np.flatnonzero(sizes.any(axis=0)).tolist():
            size = np.repeat(sizes[:, i], times)
            value = np.where(size != 0.0, size * carried(self._bars.values[:, CLOSE, i], self._marks[i])[begin:], 0.0)
            equity += value
            gross += np.abs(value)
            net += value
        rows = np.flatnonzero(view.present[begin:].any(axis=1))
        closes = (rows + begin + self._bars.first + 1) * self._bars.timeframe
        opens = self._bars.values[begin:, OPEN][rows]
        return Record(closes, equity[rows], cash[rows], gross[rows], net[rows], view.score[begin:][rows], opens)


def exposure(ledger: Ledger) -> tuple[float, float]:
    """Sum of |position| and of position at the marks, quote currency."""
    gross = net = 0.0
    for i in ledger.held:
        value = ledger.quantities[i] * ledger.marks[i]
        gross += abs(value)
        net += value
    return gross, net


def last_row(view: View, ledger: Ledger) -> Record:
    """The newest bar close of a view, with what the ledger says now."""
    row = view.bars.rows - 1
    gross, net = exposure(ledger)
    return Record(
        np.array([view.bars.close_ms(row)]), np.array([ledger.equity_float()]), np.array([float(ledger.cash)]), np.array([gross]),
        np.array([net]), view.score[row:].copy(), view.bars.values[row:, OPEN].copy(),
    )  # fmt: skip
