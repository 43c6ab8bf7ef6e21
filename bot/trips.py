"""Round trips: fills and funding of each symbol paired from flat to flat.

The rule: nothing is lost between trips. Their fees, funding and slippage add up to those of the fills they are made of, and a
closed trip's profit is the cash it left behind, to the last digit.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from bot.events import Fill, FundingPaid, OrderSide, Purpose
from strategies.events import Side

ZERO = Decimal(0)


class RoundTrip(msgspec.Struct, frozen=True):
    """One position from its first fill to the fill that made it flat, or turned it round.

    quantity    the largest position it had, base units
    entry       average price of what was opened;  exit  of what was closed so far (None: nothing yet)
    exit_ms     when it was flat again (None: still open)
    pnl         net of fees and funding, quote currency; while open, of the part closed so far
    slippage    part of `pnl` already: it is in the prices
    order_id    the order that opened it
    """

    symbol: str
    side: Side
    entry_ms: int
    exit_ms: int | None
    quantity: Decimal
    entry: Decimal
    exit: Decimal | None
    pnl: Decimal
    fees: Decimal
    funding: Decimal
    slippage: Decimal
    opened_by: Purpose
    closed_by: Purpose | None
    order_id: str = ""

    @property
    def notional(self) -> Decimal:
        """Largest position at the entry price, quote currency."""
        return self.quantity * self.entry

    @property
    def costs(self) -> Decimal:
        """Fees, funding and slippage."""
        return self.fees + self.funding + self.slippage

    def bars(self, timeframe: int) -> int | None:
        """How many bar closes it was held over; None while open."""
        return None if self.exit_ms is None else self.exit_ms // timeframe - self.entry_ms // timeframe


def round_trips(events: Iterable[Fill | FundingPaid]) -> list[RoundTrip]:
    """Pair the money events of a run, in their order of settling; trips in order of entry, open ones among them.

    A settlement inside a bar is told after that bar's fills: it belongs to the trip that held the position then.
    """
    open_: dict[str, _Trip] = {}
    ended: dict[str, _Trip] = {}
    trips: list[_Trip] = []
    for event in events:
        trip = open_.get(event.symbol)
        if isinstance(event, FundingPaid):
            before = ended.get(event.symbol)
            if before is not None and before.last is not None and event.settle_ms <= before.last.filled_ms:
                before.funding += event.payment
            elif trip is not None:
                trip.funding += event.payment
            continue
        rest: Fill | None = event
        if trip is not None and trip.side is not event.side:
            rest = _close(trip, event)
            if trip.position == 0:
                ended[event.symbol] = open_.pop(event.symbol)
        if rest is None:
            continue
        if event.symbol not in open_:
            open_[event.symbol] = _Trip(rest)
            trips.append(open_[event.symbol])
        open_[event.symbol].add(rest)
    return [trip.frozen() for trip in trips]


class _Trip:
    """A trip under way. `position` is what is held, without sign."""

    def __init__(self, fill: Fill) -> None:
        self.first = fill
        self.last: Fill | None = None
        self.side = fill.side
        self.sign = 1 if fill.side is OrderSide.BUY else -1
        self.position = self.most = ZERO
        self.opened = self.opened_for = self.closed = self.closed_for = ZERO  # quantities, and the quote currency they moved
        self.fees = self.funding = self.slippage = ZERO

    def add(self, fill: Fill) -> None:
        self.position += fill.quantity
        self.most = max(self.most, self.position)
        self.opened += fill.quantity
        self.opened_for += fill.quantity * fill.price
        self.fees += fill.fee
        self.slippage += fill.slippage

    def close(self, fill: Fill, quantity: Decimal, fee: Decimal, slippage: Decimal) -> None:
        self.position -= quantity
        self.closed += quantity
        self.closed_for += quantity * fill.price
        self.fees += fee
        self.slippage += slippage
        self.last = fill if self.position == 0 else None

    def frozen(self) -> RoundTrip:
        if self.last is not None:
            profit = self.sign * (self.closed_for - self.opened_for)
        else:
            profit = self.sign * (self.closed_for - self.closed * self.opened_for / self.opened)
        return RoundTrip(
            symbol=self.first.symbol, side=Side.LONG if self.sign > 0 else Side.SHORT, entry_ms=self.first.filled_ms,
            exit_ms=None if self.last is None else self.last.filled_ms, quantity=self.most, entry=self.opened_for / self.opened,
            exit=self.closed_for / self.closed if self.closed else None, pnl=profit - self.fees - self.funding, fees=self.fees,
            funding=self.funding, slippage=self.slippage, opened_by=self.first.purpose,
            closed_by=None if self.last is None else self.last.purpose, order_id=self.first.order_id,
        )  # fmt: skip


def _close(trip: _Trip, fill: Fill) -> Fill | None:
    """Take the trip down by the fill; what the fill opens the other way, with its share of fee and slippage."""
    closing = min(fill.quantity, trip.position)
    if closing == fill.quantity:
        trip.close(fill, closing, fill.fee, fill.slippage)
        return None
    fee, slippage = fill.fee * closing / fill.quantity, fill.slippage * closing / fill.quantity
    trip.close(fill, closing, fee, slippage)
    return msgspec.structs.replace(fill, quantity=fill.quantity - closing, fee=fill.fee - fee, slippage=fill.slippage - slippage)
