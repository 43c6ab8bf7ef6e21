"""How one waiting order meets one bar. Pure: an order and a candle go in, a touch comes out.

The rule: where a bar leaves it open what happened first, the worse for us did. docs/fills.md is this file as a table.
"""

import math
from decimal import Decimal

import msgspec

from bot.events import OrderRequest, OrderSide, OrderType, Purpose
from feeds.bars import HIGH, LOW, Array, Bars, growing
from feeds.events import Candle

ZERO = Decimal(0)
NAN = float("nan")


class Touch(msgspec.Struct, frozen=True, gc=False):
    """Where an order meets the bar: at which price and moment, as maker or taker."""

    price: float
    ms: int
    maker: bool


class Working(msgspec.Struct, eq=False):
    """An order as the exchange holds it. `sign` is +1 for a buyer, -1 for a seller.

    level      limit or trigger as a float, NaN for none
    active_ms  when it has arrived
    resting    it has met a bar and waits in the book
    triggered  a stop or take-profit that has become a market order
    dead       it ended while its bar was under way
    inside     its entry filled within the bar, not at its open
    scanned    bars that were searched for its price, up to row `clear_to`, and the row found there (-1: none)
    """

    id: str
    symbol: str
    sign: int
    type: OrderType
    purpose: Purpose
    quantity: Decimal
    reduce_only: bool
    reference: Decimal
    level: float = NAN
    active_ms: int = 0
    parent: str = ""
    post_only: bool = False
    price: Decimal | None = None
    stop: Decimal | None = None
    take: Decimal | None = None
    filled: Decimal = ZERO
    fills: int = 0
    resting: bool = False
    triggered: bool = False
    dead: bool = False
    inside: bool = False
    scanned: Array | None = None
    clear_to: int = 0
    found: int = -1

    @classmethod
    def of(cls, request: OrderRequest, active_ms: int) -> "Working":
        """An order that was accepted, and when it has arrived."""
        level = request.trigger if request.type is OrderType.STOP else request.price
        return cls(
            request.id, request.symbol, 1 if request.side is OrderSide.BUY else -1, request.type, request.purpose, request.quantity,
            request.reduce_only, request.reference, NAN if level is None else float(level), active_ms, "", request.post_only,
            request.price, request.stop, request.take,
        )  # fmt: skip

    @classmethod
    def closing(cls, id: str, symbol: str, sign: int, quantity: Decimal, reference: Decimal) -> "Working":
        """The order by which the exchange takes a position over."""
        return cls(id, symbol, sign, OrderType.MARKET, Purpose.LIQUIDATION, quantity, True, reference)

    def attach(self, id: str, purpose: Purpose, trigger: Decimal, inside: bool) -> "Working":
        """The stop or take-profit of this entry. `inside`: the entry filled within the bar, not at its open."""
        return Working(
            id, self.symbol, -self.sign, OrderType.STOP, purpose, self.quantity, True, trigger, float(trigger), parent=self.id,
            inside=inside,
        )  # fmt: skip


def arrival(order: Working, candle: Candle) -> tuple[float, int]:
    """The price that an order meets on arriving, and when.

    At the open if it is there by then. If it comes later, the open moved against us towards the bar's extreme by the square
    root of the share of the bar that had passed: prices spread with the square root of time.
    """
    late = order.active_ms - candle.open_ms
    if late <= 0:
        return candle.open, candle.open_ms
    share = math.sqrt(late / (candle.close_ms - candle.open_ms))
    extreme = candle.high if order.sign > 0 else candle.low
    return candle.open + (extreme - candle.open) * share, order.active_ms


def touch_at_open(order: Working, candle: Candle) -> Touch | None:
    """Market orders, and stops and take-profits whose trigger lies at or beyond the open."""
    if order.active_ms >= candle.close_ms:
        return None
    if order.type is OrderType.MARKET or order.triggered:
        price, ms = arrival(order, candle)
        return Touch(price, ms, False)
    if order.type is not OrderType.STOP or order.inside:
        return None
    if order.purpose is Purpose.TAKE_PROFIT:
        if order.sign * (order.level - candle.open) >= 0:
            return Touch(_within(order.level, candle), candle.open_ms, False)
    elif order.sign * (candle.open - order.level) >= 0:
        price, ms = arrival(order, candle)
        return Touch(price, ms, False)
    return None


def touch_inside(order: Working, candle: Candle) -> Touch | None:
    """Stops on touch, take-profits on touch, limits only when the price went through them."""
    if order.active_ms >= candle.close_ms:
        return None
    last_ms = candle.close_ms - 1
    sign, level = order.sign, order.level
    if order.type is OrderType.LIMIT:
        best = candle.low if sign > 0 else candle.high
        return Touch(_within(level, candle), last_ms, True) if sign * (level - best) > 0 else None
    if order.purpose is Purpose.TAKE_PROFIT:
        # after an entry within the bar only the close is known to come later
        reached = candle.close if order.inside else (candle.low if sign > 0 else candle.high)
        return Touch(_within(level, candle), last_ms, False) if sign * (level - reached) >= 0 else None
    reached = candle.high if sign > 0 else candle.low
    if sign * (reached - level) < 0:
        return None
    worse = max(level, candle.open) if sign > 0 else min(level, candle.open)
    return Touch(worse, last_ms, False)


def _within(level: float, candle: Candle) -> float:
    """The level, or the nearest price that the bar has seen."""
    return min(max(level, candle.low), candle.high)


def is_protection(order: Working) -> bool:
    """A stop that saves what an earlier bar has opened."""
    return order.type is OrderType.STOP and order.reduce_only and order.purpose is not Purpose.TAKE_PROFIT and not order.inside


def is_entry(order: Working) -> bool:
    """Limits, and stops that open."""
    return order.type is OrderType.LIMIT or (order.type is OrderType.STOP and not order.reduce_only)


def is_attached_inside(order: Working) -> bool:
    """The stop of an entry that filled within this very bar."""
    return order.inside and order.purpose is Purpose.STOP_LOSS


def is_target(order: Working) -> bool:
    """What helps us comes last."""
    return order.purpose is Purpose.TAKE_PROFIT


def first_row(order: Working, bars: Bars, i: int, start: int, stop: int) -> int:
    """The first row at which this order could act: at once, unless it waits for a price. Each row is searched once."""
    if order.type is OrderType.MARKET or order.triggered or (order.type is OrderType.LIMIT and not order.resting):
        return start
    if order.scanned is not bars.values:
        order.scanned, order.clear_to, order.found = bars.values, start, -1
    if order.found >= start:
        return min(order.found, stop)
    waits_below = (order.sign > 0) is (order.type is OrderType.LIMIT or order.purpose is Purpose.TAKE_PROFIT)
    column = bars.values[:, LOW if waits_below else HIGH, i]
    for begin, end in growing(max(start, order.clear_to), stop):
        hit = column[begin:end] <= order.level if waits_below else column[begin:end] >= order.level
        first = int(hit.argmax())
        if hit[first]:
            order.clear_to = order.found = begin + first
            return order.found
        order.clear_to = end
    return stop
