"""The life of an order as a table, and the book of the orders that are alive.

The rule: an illegal move raises and changes nothing. Fills are the truth and orders are hints: a fill is accepted in every
state after INTENT, also after the end (it was on its way), and never moves an ended order back to life.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from itertools import product

import msgspec

from bot.errors import IllegalMove, InvariantBroken
from bot.events import Fill, OrderRequest, OrderSide, OrderType, OrderUpdate, Purpose, Status
from feeds.events import Event

LIFE: Mapping[Status, frozenset[Status]] = {  # status -> what may follow
    Status.INTENT: frozenset(
        {
            Status.SENT,
            Status.OPEN,
            Status.PARTIAL,
            Status.FILLED,
            Status.CANCELLED,
            Status.REJECTED,
            Status.EXPIRED,
            Status.UNKNOWN,
        }
    ),
    Status.SENT: frozenset({Status.OPEN, Status.PARTIAL, Status.FILLED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED, Status.UNKNOWN}),
    Status.OPEN: frozenset({Status.PARTIAL, Status.FILLED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED, Status.UNKNOWN}),
    Status.PARTIAL: frozenset({Status.FILLED, Status.CANCELLED, Status.EXPIRED, Status.UNKNOWN}),
    Status.UNKNOWN: frozenset({Status.OPEN, Status.PARTIAL, Status.FILLED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED}),
    Status.FILLED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.EXPIRED: frozenset(),
}
ENDED = frozenset(status for status, following in LIFE.items() if not following)
STOP_SUFFIX, TAKE_SUFFIX = "s", "t"
CLOSED_KEPT = 10_000
_PAIR = [one + other for one, other in product("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", repeat=2)]
ZERO = Decimal(0)


def link_id(run: str, symbol: str, bar_ms: int, leg: str, n: int = 1) -> str:
    """The orderLinkId: the same for the same run, symbol, bar and leg, at most 36 characters of `[A-Za-z0-9-]`.

    n  counts proved rejections: only after one of those may the same leg be tried under a new id
    """
    digest = hashlib.sha256(f"{run}|{symbol}|{bar_ms}|{leg}".encode()).digest()
    # base32 of RFC 4648: 22 letters, two of them from every ten bits
    a, b, c = int.from_bytes(digest[:5], "big"), int.from_bytes(digest[5:10], "big"), int.from_bytes(digest[10:14], "big")
    return (
        f"v1-{_PAIR[a >> 30]}{_PAIR[a >> 20 & 1023]}{_PAIR[a >> 10 & 1023]}{_PAIR[a & 1023]}"
        f"{_PAIR[b >> 30]}{_PAIR[b >> 20 & 1023]}{_PAIR[b >> 10 & 1023]}{_PAIR[b & 1023]}"
        f"{_PAIR[c >> 22]}{_PAIR[c >> 12 & 1023]}{_PAIR[c >> 2 & 1023]}-{n}"
    )


def attached_id(parent: str, purpose: Purpose) -> str:
    """The id of the stop or take-profit that is attached to an entry."""
    return parent + (STOP_SUFFIX if purpose is Purpose.STOP_LOSS else TAKE_SUFFIX)


NONE: Mapping[str, "Order"] = {}


class Order(msgspec.Struct, eq=False):
    """What we know of one order. `parent` is the entry that a stop or take-profit is attached to ("": none).

    remaining  what can still fill, base units, never below zero
    """

    id: str
    at: int
    symbol: str
    side: OrderSide
    type: OrderType
    purpose: Purpose
    quantity: Decimal
    reduce_only: bool
    bar_ms: int
    reference: Decimal
    price: Decimal | None = None
    parent: str = ""
    filled: Decimal = ZERO
    status: Status = Status.INTENT

    @classmethod
    def of(cls, request: OrderRequest) -> "Order":
        """The record of an intent."""
        return cls(
            request.id, request.at, request.symbol, request.side, request.type, request.purpose, request.quantity, request.reduce_only,
            request.bar_ms, request.reference, request.price,
        )  # fmt: skip

    def attached(self, id: str) -> "Order":
        """The record of the stop or take-profit `id` of this entry: the other side, reduce-only, as large at most."""
        return Order(
            id, self.at, self.symbol, OrderSide.SELL if self.side is OrderSide.BUY else OrderSide.BUY, OrderType.STOP,
            Purpose.STOP_LOSS if id.endswith(STOP_SUFFIX) else Purpose.TAKE_PROFIT, self.quantity, True, self.bar_ms, self.reference,
            parent=self.id,
        )  # fmt: skip

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled if self.filled < self.quantity else ZERO

    @property
    def alive(self) -> bool:
        return self.status not in ENDED


class OpenOrders:
    """Every living order by id and by symbol, and the last ended ones (a bounded number) for their late fills.

    alive    the living orders by id
    touched  symbols for which an order was taken in or ended since somebody emptied this
    """

    def __init__(self) -> None:
        self.alive: dict[str, Order] = {}
        self._by_symbol: dict[str, dict[str, Order]] = {}
        self._closed: OrderedDict[str, Order] = OrderedDict()
        self._counted: set[str] = set()
        self.touched: set[str] = set()

    def on_order(self, request: OrderRequest) -> list[Event]:
        """Take an intent into the book; the same intent again changes nothing. Raises IllegalMove for a reused id."""
        known = self.get(request.id)
        if known is None:
            self._add(Order.of(request))
        elif (known.symbol, known.side, known.quantity, known.bar_ms) != (
            request.symbol,
            request.side,
            request.quantity,
            request.bar_ms,
        ):
            raise IllegalMove(
                f"order id {request.id} names {known.side} {known.quantity} {known.symbol} already; "
                f"it cannot name {request.side} {request.quantity} {request.symbol}"
            )
        return []

    def on_update(self, update: OrderUpdate) -> list[Event]:
        """Move the order along LIFE; a repeat changes nothing. Raises IllegalMove, and then nothing has changed."""
        order = self.alive.get(update.id) or self.get(update.id) or self._adopt(update.id)
        if order is None:
            raise IllegalMove(f"order {update.id} ({update.symbol}) is {update.status} at the exchange, and nobody asked for it")
        if update.status is order.status:
            return []
        if update.status not in LIFE[order.status]:
            raise IllegalMove(f"order {order.id} ({order.symbol}) is {order.status} and cannot become {update.status}: {update.reason}")
        order.status = update.status
        if not LIFE[update.status]:
            self._close(order)
        return []

    def on_fill(self, fill: Fill) -> list[Event]:
        """Count a fill once, in whatever state its order is. Raises InvariantBroken (I5) when more filled than was asked for.

        Fills of orders that are not ours (a liquidation) are the ledger's business alone.
        """
        if fill.exec_id in self._counted:
            return []
        self._counted.add(fill.exec_id)
        order = self.alive.get(fill.order_id) or self.get(fill.order_id) or self._adopt(fill.order_id)
        if order is None:
            return []
        order.filled += fill.quantity
        if order.filled > order.quantity:
            if order.parent:
                order.quantity = order.filled  # an attached order is as large as the position, however it grew
            else:
                raise InvariantBroken(f"I5: order {order.id} ({order.symbol}) filled {order.filled} of {order.quantity}")
        return []

    def get(self, id: str) -> Order | None:
        """The order, alive or recently ended."""
        return self.alive.get(id) or self._closed.get(id)

    def waiting(self, symbol: str) -> Order | None:
        """The oldest living order of the symbol that stands for itself: attached stops and take-profits do not count."""
        for order in self._by_symbol.get(symbol, NONE).values():
            if not order.parent:
                return order
        return None

    def living(self, symbol: str | None = None) -> Iterable[Order]:
        """Every living order, of one symbol or of all, oldest first."""
        return tuple(self.alive.values() if symbol is None else self._by_symbol.get(symbol, {}).values())

    def symbols(self) -> Collection[str]:
        """The symbols that have living orders, in the order in which they first had one."""
        return [symbol for symbol, orders in self._by_symbol.items() if orders] if self.alive else ()

    def exposure(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Base units that may still be bought, and sold, by orders that are not reduce-only; UNKNOWN ones count in full."""
        buys = sells = ZERO
        for order in self._by_symbol.get(symbol, NONE).values():
            if order.reduce_only:
                continue
            if order.side is OrderSide.BUY:
                buys += order.remaining
            else:
                sells += order.remaining
        return buys, sells

    def _add(self, order: Order) -> None:
        self.touched.add(order.symbol)
        self.alive[order.id] = order
        self._by_symbol.setdefault(order.symbol, {})[order.id] = order

    def _adopt(self, id: str) -> Order | None:
        """A stop or take-profit makes itself known: take it into the book through its parent."""
        parent = self.get(id[:-1]) if id[-1:] in (STOP_SUFFIX, TAKE_SUFFIX) else None
        if parent is None:
            return None
        child = parent.attached(id)
        self._add(child)
        return child

    def _close(self, order: Order) -> None:
        self.touched.add(order.symbol)
        del self.alive[order.id]
        del self._by_symbol[order.symbol][order.id]
        self._closed[order.id] = order
        if len(self._closed) > CLOSED_KEPT:
            self._closed.popitem(last=False)
