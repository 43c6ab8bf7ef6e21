"""The exchange and the books of one symbol a second time, bar by bar, from docs/fills.md.

The rule: nothing of the product that trades is imported here. Money is Decimal; every bar is visited.
"""

import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Any, NamedTuple

ZERO, ONE, BPS, CENT = Decimal(0), Decimal(1), Decimal(10_000), Decimal("1e-8")


def exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def stepped(amount: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (amount / step).to_integral_value(rounding) * step


class Bar(NamedTuple):
    open_ms: int
    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Fill(NamedTuple):
    """`order` is (bar of the decision, purpose of the order); the rest as in docs/events.md."""

    symbol: str
    order: tuple[int, str]
    at: int
    side: int
    price: Decimal
    quantity: Decimal
    fee: Decimal
    maker: bool
    filled_ms: int
    slippage: Decimal


class Order:
    """What waits at the exchange. `parent`: the entry that a stop or target belongs to."""

    def __init__(self, key: tuple[int, str], kind: str, sign: int, quantity: Decimal, at: int, **more: Any) -> None:
        self.key, self.kind, self.sign, self.quantity, self.at = key, kind, sign, quantity, at
        self.reduces: bool = more.get("reduces", False)
        self.level: Decimal | None = more.get("level")
        self.reference: Decimal = more["reference"]
        self.stop: Decimal | None = more.get("stop")
        self.take: Decimal | None = more.get("take")
        self.parent: Order | None = more.get("parent")
        self.inside: bool = more.get("inside", False)
        self.filled = ZERO
        self.resting = self.triggered = self.over = False


class Market:
    """One symbol at the exchange and in our books: average cost, everything paid."""

    def __init__(self, symbol: str, rules: Mapping[str, Decimal], costs: Mapping[str, Decimal], latency: int, share: Decimal) -> None:
        self.symbol, self.rules, self.costs, self.latency, self.share = symbol, rules, costs, latency, share
        self.orders: list[Order] = []
        self.fills: list[Fill] = []
        self.changes: list[tuple[int, Decimal]] = []
        self.position = self.cost = self.realised = self.fees = self.funding = self.slippage = self.flow = ZERO
        self.mark = math.nan
        self.closed_ms: int | None = None
        self.opened_ms = 0
        self.room = ZERO
        self.exits: list[int] = []

    def waiting(self) -> Order | None:
        return next((order for order in self.orders if order.parent is None), None)

    def meet(self, bar: Bar) -> None:
        """The open; then stops, limits, stops of what was opened inside the bar, targets."""
        self.room = stepped(exact(bar.volume) * self.share, self.rules["lot"], ROUND_DOWN)
        queue, at = list(self.orders), 0
        while at < len(queue):
            if not queue[at].over:
                self._open(bar, queue[at], queue)
            at += 1
        for phase in ("stop", "limit", "inner stop", "target"):
            for order in list(queue):
                if not order.over and self._phase(order) == phase:
                    self._inside(bar, order, queue)
        for order in queue:
            order.inside = False
        self.mark = bar.close

    def _phase(self, order: Order) -> str:
        if order.kind == "stop":
            return "inner stop" if order.inside else "stop"
        return order.kind

    def _arrival(self, bar: Bar, order: Order) -> tuple[float, int]:
        late = order.at + self.latency - bar.open_ms if order.parent is None else 0
        if late <= 0:
            return bar.open, bar.open_ms
        extreme = bar.high if order.sign > 0 else bar.low
        return bar.open + (extreme - bar.open) * math.sqrt(late / (bar.close_ms - bar.open_ms)), bar.open_ms + late

    def _open(self, bar: Bar, order: Order, queue: list[Order]) -> None:
        if order.parent is None and order.at + self.latency >= bar.close_ms:
            return
        price, ms = self._arrival(bar, order)
        if order.kind == "limit":
            if not order.resting:
                order.resting = True
                assert order.level is not None
                if order.sign * (float(order.level) - price * (1 + order.sign * float(self.costs["spread_bps"] / 2 / BPS))) >= 0:
                    self._fill(bar, order, price, ms, False, queue)
        elif order.kind == "market" or order.triggered:
            self._fill(bar, order, price, ms, False, queue)
        elif not order.inside:
            assert order.level is not None
            level = float(order.level)
            if order.kind == "stop" and order.sign * (bar.open - level) >= 0:
                self._fill(bar, order, price, ms, False, queue)
            elif order.kind == "target" and order.sign * (level - bar.open) >= 0:
                self._fill(bar, order, min(max(level, bar.low), bar.high), bar.open_ms, False, queue)

    def _inside(self, bar: Bar, order: Order, queue: list[Order]) -> None:
        sign, last = order.sign, bar.close_ms - 1
        if order.level is None or order.triggered:
            return
        level = float(order.level)
        near = min(max(level, bar.low), bar.high)
        good, bad = (bar.low, bar.high) if sign > 0 else (bar.high, bar.low)
        if order.kind == "limit":
            if order.at + self.latency < bar.close_ms and sign * (level - good) > 0:
                self._fill(bar, order, near, last, True, queue)
        elif order.kind == "stop":
            if sign * (bad - level) >= 0:
                self._fill(bar, order, max(level, bar.open) if sign > 0 else min(level, bar.open), last, False, queue)
        elif sign * (level - (bar.close if order.inside else good)) >= 0:
            self._fill(bar, order, near, last, False, queue)

    def _fill(self, bar: Bar, order: Order, touched: float, ms: int, maker: bool, queue: list[Order]) -> None:
        before, wanted = self.position, order.quantity - order.filled
        if order.reduces:
            most = -before * order.sign
            if most <= 0:
                self.drop(order)
                return
            wanted = most if order.parent else min(wanted, most)
        if order.parent is not None and not order.triggered:
            order.triggered = True
            for other in list(self.orders):
                if other is not order and (other is order.parent or other.parent is order.parent):
                    self.drop(other)
        quantity = min(wanted, self.room)
        if quantity <= 0:
            return
        self.room -= quantity
        price = self._price(bar, order, touched, quantity, maker)
        self._book(bar, order, price, quantity, maker, ms)
        order.filled += quantity
        if quantity == wanted:
            order.over = True
            self.orders.remove(order)
        if before and self.position * before <= 0:
            for other in list(self.orders):
                if other is not order and other.reduces:
                    self.drop(other)
        if (order.stop is not None or order.take is not None) and self.position * order.sign > 0:
            self._attach(bar, order, queue, inside=ms == bar.close_ms - 1)

    def _attach(self, bar: Bar, entry: Order, queue: list[Order], *, inside: bool) -> None:
        for other in list(self.orders):
            if other.parent is not None:
                self.drop(other)
        for kind, purpose, level in (("stop", "stop_loss", entry.stop), ("target", "take_profit", entry.take)):
            if level is not None:
                child = Order((entry.key[0], purpose), kind, -entry.sign, ZERO, bar.close_ms, reduces=True, level=level, reference=level,
                              parent=entry, inside=inside)  # fmt: skip
                self.orders.append(child)
                queue.append(child)
        entry.stop = entry.take = None

    def drop(self, order: Order) -> None:
        order.over = True
        if order in self.orders:
            self.orders.remove(order)

    def _price(self, bar: Bar, order: Order, touched: float, quantity: Decimal, maker: bool) -> Decimal:
        price, costs = exact(touched), self.costs
        if not maker:
            part = min(1.0, float(quantity) / bar.volume) if bar.volume > 0 else 1.0
            impact = exact(round(float(costs["impact"] / BPS) * math.sqrt(part), 10))
            price *= ONE + order.sign * (costs["spread_bps"] / 2 / BPS + costs["slippage_bps"] / BPS + impact)
        price = stepped(price, self.rules["tick"], ROUND_CEILING if order.sign > 0 else ROUND_FLOOR)
        if order.kind == "limit":
            assert order.level is not None
            return min(price, order.level) if order.sign > 0 else max(price, order.level)
        return price

    def _book(self, bar: Bar, order: Order, price: Decimal, quantity: Decimal, maker: bool, ms: int) -> None:
        rate = self.costs["maker_bps" if maker else "taker_bps"] / BPS
        fee = (price * quantity * rate).quantize(CENT, ROUND_CEILING)
        signed = order.sign * quantity
        slippage = (price - order.reference) * signed
        self.fills.append(Fill(self.symbol, order.key, bar.close_ms, order.sign, price, quantity, fee, maker, ms, slippage))
        self.fees += fee
        self.slippage += slippage
        self.flow += signed * price
        closed = min(abs(self.position), quantity) if self.position * signed < 0 else ZERO
        if closed:
            released = self.cost * closed / abs(self.position)
            self.realised += order.sign * -closed * price - released
            self.cost -= released
        before, self.position = self.position, self.position + signed
        self.cost += (quantity - closed) * order.sign * price
        if self.position == 0 or before * self.position < 0:
            self.cost = self.cost if self.position else ZERO
            self.exits.append(ms)
        if self.position and before * self.position <= 0:
            self.opened_ms = ms
        if self.position == 0:
            self.closed_ms = ms
        self.changes.append((ms, self.position))

    def charge(self, settle_ms: int, rate: float, mark: float) -> tuple[Decimal, Decimal] | None:
        """(position, payment) at a settlement: rate x position x mark, rounded up."""
        held = next((quantity for ms, quantity in reversed(self.changes) if ms < settle_ms), ZERO)
        if not held:
            return None
        payment = (held * exact(mark) * exact(rate)).quantize(CENT, ROUND_CEILING)
        self.funding += payment
        return held, payment
