"""The exchange's side of the books: what we hold there, and when it takes it away.

The rule: computed from fills on its own, never from the ledger, so that ledger == exchange can be checked.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from feeds.bars import CLOSE, HIGH, LOW, Array, Bars, growing
from feeds.events import Candle
from feeds.instruments import Instrument

ZERO = Decimal(0)
NAN = float("nan")
CHANGES_KEPT = 512  # changes of a position that a late funding can look back over


class Holding:
    """One symbol at the exchange: signed quantity, maintenance rate."""

    __slots__ = ("changes", "maintenance", "place", "quantity", "size")

    def __init__(self, place: int, maintenance: float) -> None:
        self.place = place
        self.quantity = ZERO
        self.size = 0.0
        self.maintenance = maintenance
        self.changes: deque[tuple[int, Decimal]] = deque(maxlen=CHANGES_KEPT)


class Account:
    """Wallet flow and holdings, cross margin. `flow` is cash less what the positions were bought for.

    marks, marked_ms  last close of each symbol in universe order, NaN before the first, and its moment
    safe_in   values of the bars in which no liquidation is possible with the present positions (None: not known)
    """

    def __init__(self, cash: Decimal, symbols: Sequence[str], instruments: Mapping[str, Instrument]) -> None:
        self.flow = cash
        self.flow_float = float(cash)
        self.symbols = tuple(symbols)
        self.holdings = {
            symbol: Holding(place, float(instruments[symbol].maintenance)) for place, symbol in enumerate(self.symbols)
        }  # fmt: skip
        self._by_place = list(self.holdings.values())
        self._marks: list[float] = [NAN] * len(self.symbols)
        self._marked_ms: list[int] = [0] * len(self.symbols)
        self._newest: tuple[Bars, int] | None = None  # a row that gave every symbol a close, and has not been written down yet
        self.held: dict[str, Holding] = {}
        self._sums: tuple[float, float] | None = None  # of size x mark, and of the margin; None: to be counted
        self.safe_in: Array | None = None
        self._least: list[float] = []  # the least that each holding can be worth within some bars, its margin taken off
        self._least_in: Array | None = None  # the values of those bars
        self._moved: set[int] = set()  # places of the holdings that have changed since

    @property
    def marks(self) -> list[float]:
        if self._newest is not None:
            self._write_down(*self._newest)
        return self._marks

    @property
    def marked_ms(self) -> list[int]:
        if self._newest is not None:
            self._write_down(*self._newest)
        return self._marked_ms

    def _write_down(self, bars: Bars, row: int) -> None:
        self._marks = [closes[row] for closes in bars.closes]
        self._marked_ms = [bars.times[row]] * len(self._marks)
        self._newest = None

    def trade(self, symbol: str, signed: Decimal, price: Decimal, fee: Decimal, ms: int) -> Decimal:
        """Book a trade and return the position after it."""
        holding = self.holdings[symbol]
        quantity = holding.quantity = holding.quantity + signed
        holding.size = float(quantity)
        holding.changes.append((ms, quantity))
        marks, place = self.marks, holding.place
        if marks[place] != marks[place]:
            marks[place] = float(price)
        flow = self.flow = self.flow - (signed * price + fee)
        self.flow_float = float(flow)
        if quantity:
            self.held[symbol] = holding
        else:
            self.held.pop(symbol, None)
        self._sums = self.safe_in = None
        self._moved.add(place)
        return quantity

    def pay(self, amount: Decimal) -> None:
        """Take a funding payment (negative: give it)."""
        self.flow -= amount
        self.flow_float = float(self.flow)
        self.safe_in = None

    def mark(self, place: int, close: float, close_ms: int) -> None:
        """Take the close of a bar."""
        self.marks[place] = close
        self.marked_ms[place] = close_ms
        self._sums = None

    def skip(self, bars: Bars, start: int, stop: int) -> None:
        """Take the last known closes of rows [start, stop)."""
        if stop <= start:
            return
        row, end_ms = stop - 1, bars.times[stop - 1]
        self._sums = None
        if bars.whole:
            self._newest = bars, row
            return
        for place, closes in enumerate(bars.closes):
            close = closes[row]
            if close == close:
                self.marks[place], self.marked_ms[place] = close, end_ms
            else:
                self._skip_hole(bars, start, stop, place)

    def mark_row(self, bars: Bars, row: int, first: int, end: int) -> None:
        """Take the closes of one row, of the symbols [first, end) by place."""
        self._sums = None
        if bars.whole and end - first == len(self.symbols):
            self._newest = bars, row
            return
        close_ms, columns, marks, marked_ms = bars.times[row], bars.closes, self.marks, self.marked_ms
        for place in range(first, end):
            close = columns[place][row]
            if close == close:
                marks[place] = close
                marked_ms[place] = close_ms

    def position_at(self, symbol: str, ms: int) -> Decimal:
        """The position just before `ms`: a trade at the very instant comes after a settlement."""
        holding = self.holdings[symbol]
        for changed_ms, quantity in reversed(holding.changes):
            if changed_ms < ms:
                return quantity
        return ZERO if len(holding.changes) < CHANGES_KEPT else holding.changes[0][1]

    def equity(self) -> float:
        """Quote currency, positions at their last closes."""
        total, marks = self.flow_float, self.marks
        for holding in self.held.values():
            total += holding.size * marks[holding.place]
        return total

    def gross(self) -> float:
        """Sum of |position| at the last closes, quote currency."""
        marks = self.marks
        return sum([abs(holding.size) * marks[holding.place] for holding in self.held.values()])

    def is_safe(self, place: int, low: float, high: float) -> bool:
        """A bar of this symbol in this range cannot liquidate the account, the others at their last closes: twice the margin is left."""
        holding = self._by_place[place]
        size = holding.size
        if size == 0.0:
            return True
        worst = low if size > 0.0 else high
        value, margin = self._sums or self._count()
        return self.flow_float + value + size * (worst - self.marks[place]) > 2.0 * (margin + abs(size) * holding.maintenance * worst)

    def liquidation_price(self, candle: Candle) -> float | None:
        """The price of the candle's symbol at which equity falls to the maintenance margin within this bar (None: it does not).

        Others stand at their last closes. Linear contract, cross margin, one maintenance rate a symbol:
        equity + size x (price - mark) = margin of the others + |size| x price x rate.
        """
        holding = self.held.get(candle.symbol)
        if holding is None or self.is_safe(holding.place, candle.low, candle.high):
            return None
        size, mark, rate = holding.size, self.marks[holding.place], holding.maintenance
        worst = candle.low if size > 0 else candle.high
        lost = size * (worst - mark)
        others = sum(abs(h.size) * self.marks[h.place] * h.maintenance for s, h in self.held.items() if s != candle.symbol)
        equity = self.equity()
        if equity + lost > others + abs(size) * worst * rate:
            return None
        return (others - equity + size * mark) / (size - abs(size) * rate)

    def bankruptcy_price(self, symbol: str) -> float:
        """The price at which nothing is left, the others at their last closes."""
        holding = self.held[symbol]
        return self.marks[holding.place] - self.equity() / holding.size

    def first_margin_call(self, bars: Bars, start: int, stop: int) -> int:
        """The first row at which a liquidation cannot be ruled out: every holding at its worst price of the bar at once."""
        if not self.held or self.is_safe_throughout(bars):
            return stop
        for begin, end in growing(start, stop):
            left = np.full(end - begin, self.flow_float)
            for i, symbol in enumerate(bars.symbols):
                holding = self.held.get(symbol)
                if holding is not None:
                    left += _least_value(bars, i, holding, self.marks[i], begin, start, end)
            short = np.flatnonzero(~(left > 0.0))
            if short.size:
                return begin + int(short[0])
        return stop

    def is_safe_throughout(self, bars: Bars) -> bool:
        """Even with every holding at its worst price of all these bars at once something is left."""
        if self.safe_in is bars.values:
            return True
        if self._least_in is not bars.values:
            self._least, self._least_in = [0.0] * len(self.symbols), bars.values
            self._moved = {holding.place for holding in self.held.values()}
        marks = self.marks
        for place in self._moved:
            holding, mark = self._by_place[place], marks[place]
            size, low, high = holding.size, min(mark, bars.lowest[0][place]), max(mark, bars.highest[0][place])
            self._least[place] = size * (low if size > 0.0 else high) - 2.0 * abs(size) * holding.maintenance * high
        self._moved.clear()
        if not self.flow_float + sum(self._least) > 0.0:
            return False
        self.safe_in = bars.values
        return True

    def _count(self) -> tuple[float, float]:
        value, margin, marks = 0.0, 0.0, self.marks
        for holding in self.held.values():
            worth = holding.size * marks[holding.place]
            value += worth
            margin += abs(worth) * holding.maintenance
        self._sums = value, margin
        return self._sums

    def _skip_hole(self, bars: Bars, start: int, stop: int, place: int) -> None:
        """The last close of a symbol in these rows, the last of which is missing."""
        column = bars.values[start:stop, CLOSE, place]
        known = np.flatnonzero(~np.isnan(column))
        if known.size:
            row = int(known[-1])
            self.marks[place], self.marked_ms[place] = float(column[row]), bars.close_ms(start + row)


def _least_value(bars: Bars, i: int, holding: Holding, last: float, begin: int, start: int, end: int) -> Array:
    """float64[rows]: worst value of a holding in each row, less its margin; at the row before's close too, for missing bars."""
    low, high = bars.values[begin:end, LOW, i], bars.values[begin:end, HIGH, i]
    if begin > start:
        known = np.flatnonzero(~np.isnan(bars.values[start:begin, CLOSE, i]))
        last = float(bars.values[start + int(known[-1]), CLOSE, i]) if known.size else last
    before = _carried_from(bars.values[begin:end, CLOSE, i], last)
    low, high = np.fmin(low, before), np.fmax(high, before)
    # twice the margin: the same caution as the quick check of one bar
    return holding.size * (low if holding.size > 0 else high) - 2.0 * abs(holding.size) * holding.maintenance * high


def _carried_from(closes: Array, last: float) -> Array:
    """float64[rows]: the last known close before each row."""
    before = np.concatenate(([last], closes[:-1]))
    known = np.where(np.isnan(before), 0, np.arange(before.size))
    np.maximum.accumulate(known, out=known)
    return before[known]
