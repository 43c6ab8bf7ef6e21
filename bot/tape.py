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

    bar_ms int64[T]; equity, gross, net float64[T] in quote currency (gross: sum of |position| at the close, net: with its sign);
    score, open, close float64[T, S]
    """

    bar_ms: NDArray[np.int64]
    equity: Array
    gross: Array
    net: Array
    score: Array
    open: Array
    close: Array


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
            self._parts = [self.parts()]

    def fill(self, at: Millis, notional: float) -> None:
        """A fill was settled."""
        self._fills.append((at, notional))

    def parts(self) -> Record:
        """All rows as they came."""
        if not self._parts:
            none, wide = np.empty(0), np.empty((0, self._symbols))
            return Record(np.empty(0, np.int64), none, none, none, wide, wide, wide)
        return Record(*(np.concatenate(columns) for columns in zip(*self._parts, strict=True)))

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
        wide = [np.where(known[:, None], column[last], np.nan) for column in (told.score, told.open, told.close)]
        closes = told.bar_ms[0] + timeframe * np.arange(total, dtype=np.int64)
        return Record(closes, told.equity[last], told.gross[last], told.net[last], *wide)

    def traded(self, record: Record, timeframe: Millis) -> Array:
        """float64[T]: notional of the fills that were settled by each close, quote currency."""
        out = np.zeros(record.bar_ms.size)
        if out.size and self._fills:
            at = np.array([fill[0] for fill in self._fills], np.int64)
            row = np.clip(-(-(at - record.bar_ms[0]) // timeframe), 0, out.size - 1)
            np.add.at(out, row, np.array([fill[1] for fill in self._fills]))
        return out


class Stretch:
    """The closing equity of a block's rows, filled in as the session goes through them."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._equity = np.full(bars.rows, np.nan)
        self._gross = np.full(bars.rows, np.nan)
        self._net = np.full(bars.rows, np.nan)

    def mark(self, ledger: Ledger, bar_ms: Millis) -> None:
        """One bar close, with what the ledger says now."""
        row = bar_ms // self._bars.timeframe - self._bars.first - 1
        self._equity[row] = ledger.equity_float()
        self._gross[row], self._net[row] = exposure(ledger)

    def pass_by(self, ledger: Ledger, row: int, until: int) -> None:
        """Closes at which the positions stay as they are."""
        self._equity[row:until] = ledger.equity_rows(self._bars, row, until)
        self._gross[row:until], self._net[row:until] = exposure_rows(ledger, self._bars, row, until)

    def record(self, view: View) -> Record:
        """The rows that the session decided at."""
        rows = np.flatnonzero(~np.isnan(self._equity) & view.present.any(axis=1))
        closes = (rows + self._bars.first + 1) * self._bars.timeframe
        values = self._bars.values
        return Record(
            closes, self._equity[rows], self._gross[rows], self._net[rows], view.score[rows], values[rows, OPEN], values[rows, CLOSE]
        )


def exposure(ledger: Ledger) -> tuple[float, float]:
    """Sum of |position| and of position at the marks, quote currency; `exposure_rows` has the same operations in the same order."""
    gross = net = 0.0
    for i in ledger.held:
        value = ledger.quantities[i] * ledger.marks[i]
        gross += abs(value)
        net += value
    return gross, net


def exposure_rows(ledger: Ledger, bars: Bars, row: int, until: int) -> tuple[Array, Array]:
    """float64[until - row] twice: the same at each row's close, with the present positions."""
    gross, net = np.zeros(until - row), np.zeros(until - row)
    for i in ledger.held:
        value = ledger.quantities[i] * carried(bars.values[row:until, CLOSE, i], ledger.marks[i])
        gross += np.abs(value)
        net += value
    return gross, net


def last_row(view: View, ledger: Ledger) -> Record:
    """The newest bar close of a view, with what the ledger says now."""
    row = view.bars.rows - 1
    values = view.bars.values[row:]
    gross, net = exposure(ledger)
    return Record(
        np.array([view.bars.close_ms(row)]), np.array([ledger.equity_float()]), np.array([gross]), np.array([net]), view.score[row:],
        values[:, OPEN], values[:, CLOSE],
    )  # fmt: skip
