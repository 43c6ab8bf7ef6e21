"""The books: fills and funding become positions, cash and profit.

The rule: everything is computed twice. Cash is initial - fees - funding + realised; the cash flow is initial - sum(signed
quantity x price) - fees - funding and knows nothing of entry prices. They must differ by exactly what the open positions
cost (I2); a position must be what was bought less what was sold (I1). A fill or a funding counts once, however often it is told.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

import msgspec
import numpy as np

from bot.errors import InvariantBroken
from bot.events import Fill, FundingPaid, OrderSide, Purpose
from feeds.bars import CLOSE, Array, Bars
from feeds.events import Candle, Event
from feeds.instruments import exact
from strategies.events import Side

ZERO = Decimal(0)
NAN = float("nan")
SMALLEST = Decimal("1e-12")  # what a cost or a fee is divided to; the rest stays where it was
TOLERANCE = Decimal("1e-9")
WIDE = Context(prec=80)
INFINITY = float("inf")
FEW = 512  # closes that plain Python goes through sooner than numpy begins


class Trade(msgspec.Struct, frozen=True):
    """A round trip: from flat to flat, or to the other side.

    quantity      base units that were opened in all
    entry, exit   average prices
    pnl           quote currency, net of fees and funding; bars: bars begun between entry and exit
    """

    symbol: str
    side: Side
    entry_ms: int
    exit_ms: int
    quantity: Decimal
    entry: Decimal
    exit: Decimal
    pnl: Decimal
    fees: Decimal
    funding: Decimal
    bars: int
    closed_by: Purpose


class Position:
    """One symbol's books, in base units and quote currency.

    quantity        signed; cost: what the open quantity was bought for (negative: sold for)
    realised        profit of what was closed, before fees and funding
    fees, funding   paid in all; opened_ms: when it last left zero (0: flat)
    bought, sold    base units in all; flow: sum of signed quantity x price
    """

    __slots__ = ("bought", "cost", "fees", "flow", "funding", "opened_ms", "quantity", "realised", "sold", "symbol", "trip")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.quantity = self.cost = self.realised = self.fees = self.funding = self.bought = self.sold = self.flow = ZERO
        self.opened_ms = 0
        self.trip: _Trip | None = None

    @property
    def average(self) -> Decimal | None:
        """Average entry price (None: flat)."""
        return self.cost / self.quantity if self.quantity else None


class _Trip:
    """A round trip under way."""

    __slots__ = ("entered", "exited", "fees", "flow_in", "flow_out", "funding", "long", "opened_ms")

    def __init__(self, opened_ms: int, long: bool) -> None:
        self.opened_ms, self.long = opened_ms, long
        self.entered = self.exited = self.flow_in = self.flow_out = self.fees = self.funding = ZERO


class Ledger:
    """The account. `symbols` is the universe; marks, quantities and held speak of its positions (indices).

    marks       last close of each symbol, NaN before the first
    quantities  signed position of each symbol as a float
    held        indices of the open positions, ascending
    high        highest closing equity among the rows skipped since it was last taken
    lull        bars in which it cannot rise above its peak, as long as it is at this revision: nobody needs to look for it
    revision    grows with every fill and funding
    touched     symbols that had one since somebody emptied this
    """

    def __init__(self, cash: Decimal, symbols: Sequence[str]) -> None:
        self.initial = cash
        self.symbols = tuple(symbols)
        self.index = {symbol: i for i, symbol in enumerate(self.symbols)}
        self.positions = {symbol: Position(symbol) for symbol in self.symbols}
        self.cash = cash
        self.cashflow = cash
        self.cashflow_float = float(cash)
        self.realised = self.fees = self.funding = self.slippage = ZERO
        self._marks: list[float] = [NAN] * len(self.symbols)
        self._marked_ms: list[int] = [0] * len(self.symbols)
        self._newest: tuple[Bars, int] | None = None  # a row that gave every symbol a close, and has not been written down yet
        self.newest_ms = 0
        self.timeframe = 0
        self.quantities: list[float] = [0.0] * len(self.symbols)
        self.held: list[int] = []
        self.trades: list[Trade] = []
        self.high = -INFINITY
        self.lull: tuple[Array | None, int] = None, -1
        self.revision = 0
        self.touched: set[str] = set()
        self._cost = ZERO
        self._booked: set[str] = set()
        self._settled: set[tuple[str, int]] = set()

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

    def on_candle(self, candle: Candle) -> list[Event]:
        """Mark the position at the close."""
        i = self.index.get(candle.symbol)
        if i is not None:
            self.timeframe = candle.close_ms - candle.open_ms
            self.marks[i] = candle.close
            self.marked_ms[i] = self.newest_ms = candle.close_ms
        return []

    def mark_row(self, bars: Bars, row: int, first: int, end: int) -> None:
        """Mark the symbols [first, end), by place, at the closes of a row."""
        self.timeframe = bars.timeframe
        if bars.whole and end - first == len(self.symbols):
            self._newest, self.newest_ms = (bars, row), bars.times[row]
            return
        close_ms, columns, marks, marked_ms = bars.times[row], bars.closes, self.marks, self.marked_ms
        for i in range(first, end):
            close = columns[i][row]
            if close == close:
                marks[i] = close
                marked_ms[i] = self.newest_ms = close_ms

    def on_fill(self, fill: Fill) -> list[Event]:
        """Book a fill once. Raises InvariantBroken when the books then contradict themselves."""
        if fill.exec_id in self._booked:
            return []
        position = self.positions.get(fill.symbol) or self._position(fill.symbol, f"fill {fill.exec_id}")
        self._booked.add(fill.exec_id)
        bought = fill.side is OrderSide.BUY
        signed = fill.quantity if bought else -fill.quantity
        value = signed * fill.price
        cost, realised = position.cost, position.realised
        self._trade(position, fill, signed, value)
        position.flow += value
        if bought:
            position.bought += fill.quantity
        else:
            position.sold += fill.quantity
        position.fees += fill.fee
        self.fees += fill.fee
        self.slippage += fill.slippage
        gained = position.realised - realised
        self.realised += gained
        self._cost += position.cost - cost
        self.cash += gained - fill.fee
        self.cashflow -= value + fill.fee
        self._after(position)
        i = self.index[fill.symbol]
        marks = self.marks
        if marks[i] != marks[i]:
            marks[i] = float(fill.price)
        self._check(position, fill.exec_id)
        return []

    def on_funding_paid(self, paid: FundingPaid) -> list[Event]:
        """Book a funding payment once for each symbol and settlement."""
        if (paid.symbol, paid.settle_ms) in self._settled:
            return []
        position = self._position(paid.symbol, f"funding at {paid.settle_ms}")
        self._settled.add((paid.symbol, paid.settle_ms))
        position.funding += paid.payment
        if position.trip is not None:
            position.trip.funding += paid.payment
        self.funding += paid.payment
        self.cash -= paid.payment
        self.cashflow -= paid.payment
        self._after(position)
        self._check(position, f"funding at {paid.settle_ms}")
        return []

    def equity(self) -> Decimal:
        """Cash flow plus what the positions are worth at their marks, exactly."""
        return self.cashflow + sum((self.positions[self.symbols[i]].quantity * exact(self.marks[i]) for i in self.held), ZERO)

    def equity_float(self) -> float:
        """The same as a float; `equity_rows` computes it with the same operations in the same order."""
        total = self.cashflow_float
        if self._newest is None:
            for i in self.held:
                total += self.quantities[i] * self._marks[i]
        else:
            bars, row = self._newest
            for i in self.held:
                total += self.quantities[i] * bars.closes[i][row]
        return total

    def unrealised(self, symbol: str) -> Decimal:
        """What the open position has gained at its mark, before fees and funding."""
        position = self.positions[symbol]
        return position.quantity * exact(self.marks[self.index[symbol]]) - position.cost if position.quantity else ZERO

    def skip(self, bars: Bars, start: int, stop: int) -> None:
        """Take the marks of quiet rows [start, stop): the last known close of each symbol."""
        if stop <= start:
            return
        if self.held and not (self.lull[0] is bars.values and self.lull[1] == self.revision):
            self.high = max(self.high, self._highest(bars, start, stop))
        self.timeframe = bars.timeframe
        if bars.whole:
            self._newest, self.newest_ms = (bars, stop - 1), bars.times[stop - 1]
            return
        known = ~np.isnan(bars.values[start:stop, CLOSE])
        for i in np.flatnonzero(known.any(axis=0)).tolist():
            row = stop - 1 - int(known[::-1, i].argmax())
            self.marks[i] = float(bars.values[row, CLOSE, i])
            self.marked_ms[i] = bars.close_ms(row)
            self.newest_ms = max(self.newest_ms, self.marked_ms[i])

    def _highest(self, bars: Bars, start: int, stop: int) -> float:
        """The highest of equity_rows; of one position it is that at its best close, since rounding keeps the order."""
        if bars.whole and (stop - start) * len(self.held) <= FEW:
            return self._highest_of([bars.closes[i][start:stop] for i in self.held])
        if len(self.held) > 1:
            return float(self.equity_rows(bars, start, stop).max())
        i = self.held[0]
        quantity = self.quantities[i]
        column = bars.values[start:stop, CLOSE, i]
        best = float(np.fmax.reduce(column) if quantity > 0 else np.fmin.reduce(column))
        if column[0] != column[0]:  # before the first known close it stands at its mark
            best = max(best, self.marks[i]) if quantity > 0 else min(best, self.marks[i])
        return self.cashflow_float + quantity * (best if best == best else self.marks[i])

    def _highest_of(self, columns: list[list[float]]) -> float:
        """The same of few rows, given the closes of each held symbol."""
        quantities = [self.quantities[i] for i in self.held]
        if len(columns) == 1:
            return self.cashflow_float + quantities[0] * (max(columns[0]) if quantities[0] > 0.0 else min(columns[0]))
        best = -INFINITY
        for closes in zip(*columns, strict=True):
            total = self.cashflow_float
            for quantity, close in zip(quantities, closes, strict=True):
                total += quantity * close
            best = max(best, total)
        return best

    def equity_rows(self, bars: Bars, start: int, stop: int) -> Array:
        """float64[stop - start]: closing equity of each row with the present positions, marks carried over missing bars."""
        total = np.full(stop - start, self.cashflow_float)
        for i in self.held:
            total += self.quantities[i] * carried(bars.values[start:stop, CLOSE, i], self.marks[i])
        return total

    def _position(self, symbol: str, what: str) -> Position:
        position = self.positions.get(symbol)
        if position is None:
            raise InvariantBroken(f"{what} is about {symbol}, which is not traded here; add it to the symbols")
        return position

    def _trade(self, position: Position, fill: Fill, signed: Decimal, value: Decimal) -> None:
        """Move quantity, cost, realised profit and the round trip."""
        before = position.quantity
        after = before + signed
        position.quantity = after
        if not before or (before > 0) is (signed > 0):
            if not before:
                self._open(position, fill, signed > 0)
            self._enter(position, fill.quantity, value, fill.fee)
            return
        if abs(signed) <= abs(before):
            removed = position.cost if not after else (position.cost * -signed / before).quantize(SMALLEST, ROUND_HALF_EVEN, WIDE)
            position.realised -= value + removed
            position.cost -= removed
            self._leave(position, fill, fill.quantity, value, fill.fee)
            return
        closing = -before * fill.price
        fee = (fill.fee * abs(before) / fill.quantity).quantize(SMALLEST, ROUND_HALF_EVEN, WIDE)
        position.realised -= closing + position.cost
        position.cost = ZERO
        position.quantity = ZERO
        self._leave(position, fill, abs(before), closing, fee)
        position.quantity = after
        self._open(position, fill, after > 0)
        self._enter(position, abs(after), value - closing, fill.fee - fee)

    def _open(self, position: Position, fill: Fill, long: bool) -> None:
        position.opened_ms = fill.filled_ms
        position.trip = _Trip(fill.filled_ms, long)

    def _enter(self, position: Position, quantity: Decimal, value: Decimal, fee: Decimal) -> None:
        position.cost += value
        trip = position.trip
        if trip is not None:
            trip.entered += quantity
            trip.flow_in += value
            trip.fees += fee

    def _leave(self, position: Position, fill: Fill, quantity: Decimal, value: Decimal, fee: Decimal) -> None:
        trip = position.trip
        if trip is None:
            return
        trip.exited += quantity
        trip.flow_out += value
        trip.fees += fee
        if position.quantity:
            return
        position.opened_ms = 0
        position.trip = None
        bars = (fill.filled_ms // self.timeframe - trip.opened_ms // self.timeframe) if self.timeframe else 0
        self.trades.append(
            Trade(
                position.symbol, Side.LONG if trip.long else Side.SHORT, trip.opened_ms, fill.filled_ms, trip.entered,
                abs(trip.flow_in) / trip.entered, abs(trip.flow_out) / trip.exited,
                -trip.flow_in - trip.flow_out - trip.fees - trip.funding, trip.fees, trip.funding, bars, fill.purpose,
            )
        )  # fmt: skip

    def _after(self, position: Position) -> None:
        i = self.index[position.symbol]
        self.quantities[i] = float(position.quantity)
        self.cashflow_float = float(self.cashflow)
        self.revision += 1
        self.touched.add(position.symbol)
        if (self.quantities[i] != 0.0) is not (i in self.held):
            self.held = sorted({*self.held, i}) if position.quantity else [j for j in self.held if j != i]

    def _check(self, position: Position, what: str) -> None:
        """I1 and I2, after every booking."""
        if position.quantity != position.bought - position.sold:
            raise InvariantBroken(
                f"I1: {position.symbol} after {what}: position {position.quantity}, bought less sold {position.bought - position.sold}"
            )
        paid = position.cost - position.realised
        if paid != position.flow:
            _agree(position.symbol, what, "cost less realised", paid, "paid for trades", position.flow)
        uncosted = self.cash - self._cost
        if uncosted != self.cashflow:
            _agree("account", what, "cash less cost of positions", uncosted, "cash flow", self.cashflow)
        computed = self.initial - self.fees - self.funding + self.realised
        if self.cash != computed:
            _agree("account", what, "cash", self.cash, "initial - fees - funding + realised", computed)


def _agree(whose: str, what: str, one: str, figure: Decimal, other: str, second: Decimal) -> None:
    """I2: two computations of one figure differ by rounding at most."""
    if abs(figure - second) > TOLERANCE * max(Decimal(1), abs(second)):
        raise InvariantBroken(f"I2: {whose} after {what}: {one} {figure}, {other} {second}")


def carried(column: Array, last: float) -> Array:
    """float64[rows]: the column with each NaN replaced by the last known value before it (`last` before the first)."""
    missing = np.isnan(column)
    if not missing.any():
        return column
    at = np.where(missing, -1, np.arange(column.size))
    np.maximum.accumulate(at, out=at)
    return np.where(at < 0, last, column[np.maximum(at, 0)])
