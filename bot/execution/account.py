"""The exchange's side of the books: what we hold there, and when it takes it away.

The rule: computed from fills on its own, never from the ledger, so that ledger == exchange can be checked.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from feeds.bars import CLOSE, HIGH, LOW, Array, Bars
from feeds.events import Candle
from feeds.instruments import Instrument

ZERO = Decimal(0)
NAN = float("nan")
CHANGES_KEPT = 512  # changes of a position that a late funding can look back over


class Holding:
    """One symbol at the exchange: signed quantity, last close, maintenance rate."""

    __slots__ = ("changes", "close_ms", "maintenance", "mark", "quantity", "size")

    def __init__(self, maintenance: float) -> None:
        self.quantity = ZERO
        self.size = 0.0
        self.mark = NAN
        self.close_ms = 0
        self.maintenance = maintenance
        self.changes: deque[tuple[int, Decimal]] = deque(maxlen=CHANGES_KEPT)


class Account:
    """Wallet flow and holdings, cross margin. `flow` is cash less what the positions were bought for."""

    def __init__(self, cash: Decimal, symbols: Sequence[str], instruments: Mapping[str, Instrument]) -> None:
        self.flow = cash
        self.flow_float = float(cash)
        self.symbols = tuple(symbols)
        self._place = {symbol: i for i, symbol in enumerate(self.symbols)}
        self.holdings = {symbol: Holding(float(instruments[symbol].maintenance)) for symbol in self.symbols}
        self.held: dict[str, Holding] = {}
        self._value = 0.0  # sum of size x mark, running: good enough to rule a liquidation out
        self._margin = 0.0
        self._extremes: tuple[Array, Array] | None = None
        self._extremes_of: Array | None = None

    def trade(self, symbol: str, signed: Decimal, price: Decimal, fee: Decimal, ms: int) -> Decimal:
        """Book a trade and return the position after it."""
        holding = self.holdings[symbol]
        holding.quantity += signed
        holding.size = float(holding.quantity)
        holding.changes.append((ms, holding.quantity))
        if holding.mark != holding.mark:
            holding.mark = float(price)
        self.flow -= signed * price + fee
        self.flow_float = float(self.flow)
        if holding.quantity:
            self.held[symbol] = holding
        else:
            self.held.pop(symbol, None)
        self._settle()
        return holding.quantity

    def pay(self, amount: Decimal) -> None:
        """Take a funding payment (negative: give it)."""
        self.flow -= amount
        self.flow_float = float(self.flow)

    def mark(self, candle: Candle) -> None:
        """Take the close of a bar."""
        holding = self.holdings[candle.symbol]
        if holding.size != 0.0:
            moved = holding.size * (candle.close - holding.mark)
            self._value += moved
            self._margin += abs(holding.size) * holding.maintenance * (candle.close - holding.mark)
        holding.mark = candle.close
        holding.close_ms = candle.close_ms

    def skip(self, bars: Bars, start: int, stop: int) -> None:
        """Take the last known closes of rows [start, stop)."""
        if stop <= start:
            return
        closes: list[float] = bars.values[stop - 1, CLOSE].tolist()
        end_ms = bars.close_ms(stop - 1)
        for symbol, close in zip(bars.symbols, closes, strict=True):
            holding = self.holdings[symbol]
            if close == close:
                holding.mark, holding.close_ms = close, end_ms
            else:
                self._skip_hole(bars, start, stop, symbol)
        if self.held:
            self._settle()

    def _skip_hole(self, bars: Bars, start: int, stop: int, symbol: str) -> None:
        """The same where the last row is missing."""
        column = bars.values[start:stop, CLOSE, self._place[symbol]]
        known = np.flatnonzero(~np.isnan(column))
        if known.size:
            row = int(known[-1])
            holding = self.holdings[symbol]
            holding.mark, holding.close_ms = float(column[row]), bars.close_ms(start + row)

    def position_at(self, symbol: str, ms: int) -> Decimal:
        """The position just before `ms`: a trade at the very instant comes after a settlement."""
        holding = self.holdings[symbol]
        for changed_ms, quantity in reversed(holding.changes):
            if changed_ms < ms:
                return quantity
        return ZERO if len(holding.changes) < CHANGES_KEPT else holding.changes[0][1]

    def equity(self) -> float:
        """Quote currency, positions at their last closes."""
        total = self.flow_float
        for holding in self.held.values():
            total += holding.size * holding.mark
        return total

    def gross(self) -> float:
        """Sum of |position| at the last closes, quote currency."""
        return sum(abs(holding.size) * holding.mark for holding in self.held.values())

    def liquidation_price(self, candle: Candle) -> float | None:
        """The price of the candle's symbol at which equity falls to the maintenance margin within this bar (None: it does not).

        Others stand at their last closes. Linear contract, cross margin, one maintenance rate a symbol:
        equity + size x (price - mark) = margin of the others + |size| x price x rate.
        """
        holding = self.held.get(candle.symbol)
        if holding is None:
            return None
        size, mark, rate = holding.size, holding.mark, holding.maintenance
        worst = candle.low if size > 0 else candle.high
        lost = size * (worst - mark)
        quick = self.flow_float + self._value + lost
        if quick > 2.0 * (self._margin + abs(size) * rate * worst):
            return None
        others = sum(abs(h.size) * h.mark * h.maintenance for s, h in self.held.items() if s != candle.symbol)
        equity = self.equity()
        if equity + lost > others + abs(size) * worst * rate:
            return None
        return (others - equity + size * mark) / (size - abs(size) * rate)

    def bankruptcy_price(self, symbol: str) -> float:
        """The price at which nothing is left, the others at their last closes."""
        holding = self.held[symbol]
        return holding.mark - self.equity() / holding.size

    def first_margin_call(self, bars: Bars, start: int, stop: int) -> int:
        """The first row at which a liquidation cannot be ruled out: every holding at its worst price of the bar at once."""
        if not self.held or self._is_safe_throughout(bars):
            return stop
        for begin, end in stretches(start, stop):
            left = np.full(end - begin, self.flow_float)
            for i, symbol in enumerate(bars.symbols):
                holding = self.held.get(symbol)
                if holding is not None:
                    left += _least_value(bars, i, holding, begin, start, end)
            short = np.flatnonzero(~(left > 0.0))
            if short.size:
                return begin + int(short[0])
        return stop

    def _is_safe_throughout(self, bars: Bars) -> bool:
        """Even with every holding at its worst price of all these bars at once something is left."""
        if self._extremes_of is not bars.values:
            lowest, highest = np.fmin.reduce(bars.values[:, LOW], axis=0), np.fmax.reduce(bars.values[:, HIGH], axis=0)
            self._extremes, self._extremes_of = (lowest, highest), bars.values
        assert self._extremes is not None
        lowest, highest = self._extremes
        left = self.flow_float
        for symbol, holding in self.held.items():
            i = self._place[symbol]
            low, high = min(holding.mark, float(lowest[i])), max(holding.mark, float(highest[i]))
            left += holding.size * (low if holding.size > 0 else high) - 2.0 * abs(holding.size) * holding.maintenance * high
        return left > 0.0

    def _settle(self) -> None:
        """Compute the running sums anew, so that their rounding does not add up."""
        self._value = sum(h.size * h.mark for h in self.held.values())
        self._margin = sum(abs(h.size) * h.mark * h.maintenance for h in self.held.values())


def _least_value(bars: Bars, i: int, holding: Holding, begin: int, start: int, end: int) -> Array:
    """float64[rows]: worst value of a holding in each row, less its margin; at the row before's close too, for missing bars."""
    low, high = bars.values[begin:end, LOW, i], bars.values[begin:end, HIGH, i]
    last = holding.mark
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


def stretches(start: int, stop: int) -> list[tuple[int, int]]:
    """[start, stop) in growing pieces: 64, 256, 1024, ... rows, so that an early find is cheap and a late one too."""
    out = []
    size = 64
    while start < stop:
        end = min(stop, start + size)
        out.append((start, end))
        start, size = end, min(size * 4, 16_384)
    return out
