"""How one waiting order meets one bar. Pure: an order and a candle go in, a touch comes out.

The rule: where a bar leaves it open what happened first, the worse for us did. docs/fills.md is this file as a table.
"""

import math
from decimal import Decimal
from typing import NamedTuple

from bot.events import OrderRequest, OrderSide, OrderType, Purpose
from feeds.bars import HIGH, LOW, Array, Bars, growing
from feeds.events import Candle

ZERO = Decimal(0)
NAN = float("nan")


class Touch(NamedTuple):
    """Where an order meets the bar: at which price and moment, as maker or taker."""

    price: float
    ms: int
    maker: bool


class Working:
    """An order as the exchange holds it. `sign` is +1 for a buyer, -1 for a seller.

    level      limit or trigger as a float, NaN for none
    active_ms  when it has arrived
    resting    it has met a bar and waits in the book
    triggered  a stop or take-profit that has become a market order
    dead       it ended while its bar was under way
    scanned    bars that were searched for its price, up to row `clear_to`, and the row found there (-1: none)
    """

    __slots__ = (
        "active_ms",
        "clear_to",
        "dead",
        "filled",
        "fills",
        "found",
        "id",
        "inside",
        "level",
        "parent",
        "post_only",
        "price",
        "purpose",
        "quantity",
        "reduce_only",
        "reference",
        "resting",
        "scanned",
        "sign",
        "stop",
        "symbol",
        "take",
        "triggered",
        "type",
    )

    def __init__(self, request: OrderRequest, active_ms: int) -> None:
        self.id = request.id
        self.parent = ""
        self.symbol = request.symbol
        self.sign = 1 if request.side is OrderSide.BUY else -1
        self.type = request.type
        self.purpose = request.purpose
        self.quantity = request.quantity
        self.filled = ZERO
        self.fills = 0
        self.reduce_only = request.reduce_only
        self.post_only = request.post_only
        self.price = request.price
        self.reference = request.reference
        self.stop = request.stop
        self.take = request.take
        level = request.trigger if request.type is OrderType.STOP else request.price
        self.level = NAN if level is None else float(level)
        self.active_ms = active_ms
        self.resting = self.triggered = self.dead = self.inside = False
        self.scanned: Array | None = None
        self.clear_to, self.found = 0, -1

    @classmethod
    def closing(cls, id: str, symbol: str, sign: int, quantity: Decimal, reference: Decimal) -> "Working":
        """The order by which the exchange takes a position over."""
        order = cls.__new__(cls)
        order.id, order.parent, order.symbol, order.sign = id, "", symbol, sign
        order.type, order.purpose, order.reduce_only, order.post_only = OrderType.MARKET, Purpose.LIQUIDATION, True, False
        order.quantity, order.filled, order.fills = quantity, ZERO, 0
        order.price = order.stop = order.take = None
        order.reference, order.level, order.active_ms = reference, NAN, 0
        order.resting = order.triggered = order.dead = order.inside = False
        order.scanned, order.clear_to, order.found = None, 0, -1
        return order

    def attach(self, id: str, purpose: Purpose, trigger: Decimal, inside: bool) -> "Working":
        """The stop or take-profit of this entry. `inside`: the entry filled within the bar, not at its open."""
        child = Working.__new__(Working)
        child.id, child.parent, child.symbol, child.sign = id, self.id, self.symbol, -self.sign
        child.type, child.purpose, child.reduce_only, child.post_only = OrderType.STOP, purpose, True, False
        child.quantity, child.filled, child.fills = self.quantity, ZERO, 0
        child.price = child.stop = child.take = None
        child.reference, child.level = trigger, float(trigger)
        child.active_ms = 0
        child.resting = child.triggered = child.dead = False
        child.inside = inside
        child.scanned, child.clear_to, child.found = None, 0, -1
        return child


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
