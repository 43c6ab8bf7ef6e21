"""What a run leaves for its measures: equity, exposure, score and executable prices at each bar close, as arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.events import Fill
from bot.ledger import Ledger, carried
from feeds.bars import CLOSE, OPEN, Array, Bars
from feeds.mapped import Growing, give_back, pieces
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


class _Columns(NamedTuple):
    """The columns of a Record while they grow."""

    bar_ms: Growing
    equity: Growing
    cash: Growing
    gross: Growing
    net: Growing
    score: Growing
    open: Growing


def _columns(symbols: int) -> _Columns:
    return _Columns(Growing(np.int64), *(Growing(np.float64) for _ in range(4)), *(Growing(np.float64, (symbols,)) for _ in range(2)))


class Tape:
    """Grows by whole stretches in a replay and by rows when it trades. Long columns lie in a file (`feeds.mapped`)."""

    def __init__(self, symbols: int) -> None:
        self._symbols = symbols
        self._columns = _columns(symbols)
        self._fills: list[Fill] = []

    @property
    def rows(self) -> int:
        return self._columns.bar_ms.rows

    def extend(self, part: Record) -> None:
        """Append a stretch of bar closes; where a symbol's bar is missing its score is not known."""
        for column, values in zip(self._columns, part._replace(score=np.where(np.isnan(part.open), np.nan, part.score)), strict=True):
            column.append(values)

    def fill(self, fill: Fill) -> None:
        """A fill was settled."""
        self._fills.append(fill)

    def end(self, equity: float, cash: float) -> None:
        """The last row is what the ledger says in the end: with what was paid since that close."""
        if self.rows:
            self._columns.equity.end(equity)
            self._columns.cash.end(cash)

    def parts(self) -> Record:
        """All rows as they came."""
        return Record(*(column.array() for column in self._columns))

    def record(self, timeframe: Millis) -> Record:
        """All of it on an unbroken grid: at a close without any bar the account is worth what it was, and no score is known."""
        told = self.parts()
        if not told.bar_ms.size or told.bar_ms.size == (told.bar_ms[-1] - told.bar_ms[0]) // timeframe + 1:
            return told
        whole = _columns(self._symbols)
        for begin, end in pieces(self.rows):
            closes = told.bar_ms[begin : end + 1]
            times = np.diff(closes, append=closes[-1:] + timeframe)[: end - begin] // timeframe
            last = np.repeat(np.arange(begin, end), times)
            first = np.concatenate([[0], np.cumsum(times)[:-1]])
            known = np.zeros(last.size, np.bool_)
            known[first] = True
            whole.bar_ms.append(closes[0] + timeframe * np.arange(last.size, dtype=np.int64))
            for name in ("equity", "cash", "gross", "net"):
                getattr(whole, name).append(getattr(told, name)[last])
            for name in ("score", "open"):
                getattr(whole, name).append(np.where(known[:, None], getattr(told, name)[last], np.nan))
            give_back(*told)
        return Record(*(column.array() for column in whole))

    def traded(self, record: Record, timeframe: Millis) -> Array:
        """float64[T]: notional of the fills that were settled by each close, quote currency."""
        out = np.zeros(record.bar_ms.size)
        if out.size and self._fills:
            at = np.array([fill.at for fill in self._fills], np.int64)
            row = np.clip(-(-(at - record.bar_ms[0]) // timeframe), 0, out.size - 1)
            np.add.at(out, row, np.array([float(fill.price * fill.quantity) for fill in self._fills]))
        return out


class Stretch:
    """What the account was worth at each close of a block: the ledger is looked at where it changes, the closes between follow.

    Sums run over the held symbols in universe order, as those of `Ledger.equity_float` and `exposure` do, so the bits are the same.
    """

    def __init__(self, bars: Bars, ledger: Ledger) -> None:
        self._bars = bars
        self._marks = list(ledger.marks)
        self.seen = -1
        self._rows: list[int] = []
        self._flow: list[float] = []
        self._cash: list[float] = []
        self._sizes: list[tuple[float, ...]] = []

    def mark(self, ledger: Ledger, row: int) -> None:
        """From this close on the positions are what the ledger says now."""
        if ledger.revision != self.seen:
            self.seen = ledger.revision
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
