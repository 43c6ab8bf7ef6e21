"""The simulated exchange of replay and paper: orders meet bars, funding is charged, accounts are liquidated.

The rule (I25): no fill is better than the price that was touched, fees are paid, and a price lies inside its bar, widened by
the costs; a fill that breaks it ends the session. docs/fills.md says what happens in every case.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from bot.errors import InvariantBroken
from bot.events import CancelRequest, Fill, FundingPaid, OrderRequest, OrderSide, OrderType, OrderUpdate, Purpose, Status
from bot.execution.account import Account
from bot.execution.costs import Costs, Rates, fee, funding, room, taker_price, worsening
from bot.execution.matching import (
    Touch,
    Working,
    arrival,
    first_row,
    is_attached_inside,
    is_entry,
    is_protection,
    is_target,
    touch_at_open,
    touch_inside,
)
from bot.orders import attached_id
from feeds.bars import Bars
from feeds.events import Candle, Event, Funding
from feeds.instruments import Instrument, exact

ZERO = Decimal(0)
PLENTY = 0.999999  # of what floats say: room for their rounding
CHILDREN = (Purpose.STOP_LOSS, Purpose.TAKE_PROFIT)


class Fills(msgspec.Struct, frozen=True):
    """How orders meet the market.

    latency_ms    from the decision to the order's arrival
    volume_share  the largest part of a bar's volume that our orders get, in (0, 1]; the rest of an order waits for the next
    """

    latency_ms: int = 250
    volume_share: Decimal = Decimal("0.1")

    def __post_init__(self) -> None:
        if self.latency_ms < 0:
            raise ValueError(f"fills.latency_ms is {self.latency_ms}; an order cannot arrive before it is sent")
        if not 0 < self.volume_share <= 1:
            raise ValueError(f"fills.volume_share is {self.volume_share}; give a fraction above 0 and at most 1")


class _Bar:
    """One bar being worked through."""

    __slots__ = ("_room", "_share", "_taken", "candle", "inside", "instrument", "out", "queue")

    def __init__(self, candle: Candle, instrument: Instrument, share: Decimal, queue: list[Working], out: list[Event]) -> None:
        self.candle, self.instrument, self.queue, self.out = candle, instrument, queue, out
        self.inside = False
        self._share = share
        self._taken = ZERO
        self._room: Decimal | None = None

    def take(self, wanted: Decimal) -> Decimal:
        """So much of it as the bar's volume still allows; all of it where the volume is not known."""
        volume = self.candle.volume
        if volume != volume:
            return wanted
        taken = self._taken + wanted
        if self._room is None and float(taken + self.instrument.lot) > PLENTY * volume * float(self._share):
            self._room = room(volume, self._share, self.instrument.lot)  # most bars have plenty, and are not asked so exactly
        quantity = wanted if self._room is None else min(wanted, self._room - self._taken)
        if quantity > 0:
            self._taken += quantity
        return quantity


class SimulatedExecutor:
    """Fills orders against bars. `account` is the exchange's side of the books."""

    def __init__(
        self, instruments: Mapping[str, Instrument], costs: Costs, fills: Fills, cash: Decimal, symbols: Sequence[str] | None = None
    ) -> None:
        self.instruments = dict(instruments)
        self.rates = Rates.of(costs)
        self.fills = fills
        self.account = Account(cash, tuple(symbols or instruments), instruments)
        self.mark_row = self.account.mark_row
        self._ticks = {symbol: float(instrument.tick) for symbol, instrument in instruments.items()}
        self._leverage = {symbol: float(instrument.max_leverage) for symbol, instrument in instruments.items()}
        self._orders: dict[str, dict[str, Working]] = {symbol: {} for symbol in self.account.symbols}
        self._queues = list(self._orders.values())  # the same, in universe order
        self._waiting = 0  # orders in all of them
        self._kept: dict[str, list[Funding]] = {}
        self._settled: set[tuple[str, int]] = set()

    def on_order(self, request: OrderRequest) -> list[Event]:
        """Accept an order, or reject it with the reason. It can fill from the next bar on."""
        orders = self._orders.get(request.symbol)
        if orders is not None and request.id in orders:
            return []
        reason = self._refuses(request)
        if orders is None or reason:
            return [OrderUpdate(request.at, request.id, request.symbol, Status.REJECTED, ZERO, reason)]
        orders[request.id] = Working.of(request, request.at + self.fills.latency_ms)
        self._waiting += 1
        return [OrderUpdate(request.at, request.id, request.symbol, Status.OPEN, ZERO)]

    def on_cancel(self, request: CancelRequest) -> list[Event]:
        """Cancel one order; or, without an id, all that wait: attached stops and take-profits stay with their position."""
        out: list[Event] = []
        for symbol in [request.symbol] if request.symbol else self.account.symbols:
            for order in list(self._orders.get(symbol, {}).values()):
                if order.id == request.id or (not request.id and not order.parent):
                    self._drop(order, request.at, request.reason, out)
        return out

    def on_candle(self, candle: Candle) -> list[Event]:
        """Everything that waits for this symbol meets the bar; then the position is marked, then funding is charged."""
        out: list[Event] = []
        holding = self.account.holdings.get(candle.symbol)
        if holding is None:
            return out
        orders = self._orders[candle.symbol]
        if orders or not self.account.is_safe(holding.place, candle.low, candle.high):
            self._meet(candle, orders, out)
        self.account.mark(holding.place, candle.close, candle.close_ms)
        if candle.symbol in self._kept:
            self._charge_kept(candle, out)
        return out

    def on_funding(self, event: Funding) -> list[Event]:
        """Charge the position held at the settlement, once; keep it until the bar that covers the settlement has been seen."""
        holding = self.account.holdings.get(event.symbol)
        if holding is None or (event.symbol, event.settle_ms) in self._settled:
            return []
        self._settled.add((event.symbol, event.settle_ms))
        if self.account.marked_ms[holding.place] >= event.settle_ms:
            return self._charge(event, event.at, self.account.marks[holding.place])
        if holding.quantity or self._orders[event.symbol]:
            self._kept.setdefault(event.symbol, []).append(event)
        return []

    def release(self) -> None:
        """Nothing leaves: the exchange is here."""

    def skip(self, bars: Bars, start: int, stop: int) -> None:
        """Rows [start, stop) were quiet: take their last closes."""
        self.account.skip(bars, start, stop)

    def first_met(self, bars: Bars, row: int, place: int) -> int:
        """The first symbol from `place` on whose bar of this row has to go through `on_candle`; the number of symbols if none."""
        account, queues, kept = self.account, self._queues, self._kept
        safe = account.safe_in is bars.values or account.is_safe_throughout(bars)
        if safe and not self._waiting and not kept:
            return len(queues)
        for i in range(place, len(queues)):
            acts = queues[i] or (kept and account.symbols[i] in kept)
            if acts or not (safe or account.is_safe(i, bars.lows[i][row], bars.highs[i][row])):
                close = bars.closes[i][row]
                if close == close:
                    return i
        return len(queues)

    def first_touch(self, bars: Bars, start: int, stop: int) -> int:
        """The first row in [start, stop) at which something here could act; `stop` if none."""
        if self._waiting:
            for i, orders in enumerate(self._queues):
                for order in orders.values():
                    stop = first_row(order, bars, i, start, stop)
                    if stop <= start:
                        return start
        for kept in self._kept.values():
            row = -(-kept[0].settle_ms // bars.timeframe) - 1 - bars.first
            stop = min(stop, max(start, row))
        return self.account.first_margin_call(bars, start, stop)

    def _refuses(self, request: OrderRequest) -> str:
        """Why the exchange does not take an order ("": it does)."""
        instrument = self.instruments.get(request.symbol)
        if instrument is None or request.symbol not in self._orders:
            return f"{request.symbol} is not traded here"
        position = self.account.holdings[request.symbol].quantity
        if request.quantity <= 0 or request.quantity % instrument.lot:
            return f"quantity {request.quantity} is no positive multiple of the lot {instrument.lot}"
        for price in (request.price, request.trigger, request.stop, request.take):
            if price is not None and (price <= 0 or price % instrument.tick):
                return f"price {price} is no positive multiple of the tick {instrument.tick}"
        if request.reduce_only:
            against = position > 0 if request.side is OrderSide.SELL else position < 0
            return "" if against else "there is no position to reduce"
        worth = request.quantity * request.reference
        if request.quantity < instrument.least_quantity or worth < instrument.least_notional:
            return f"below the least order of {instrument.least_quantity} and {instrument.least_notional}"
        notional, most = float(worth) + self.account.gross(), self._leverage[request.symbol] * self.account.equity()
        if notional > most and notional > most + 2.0 * float(abs(position) * request.reference):
            return "the account cannot carry it: insufficient margin"
        return ""

    def _meet(self, candle: Candle, orders: dict[str, Working], out: list[Event]) -> None:
        """The open, then the inside of the bar: stops before anything that helps us."""
        bar = _Bar(candle, self.instruments[candle.symbol], self.fills.volume_share, list(orders.values()), out)
        for order in bar.queue:  # children that an entry brings to life join the end and are met too
            if not order.dead:
                self._meet_open(bar, order)
        bar.inside = True
        bar.queue = [order for order in bar.queue if not order.dead]
        if not bar.queue and self.account.is_safe(self.account.holdings[candle.symbol].place, candle.low, candle.high):
            return
        if self._is_liquidated_first(bar):
            self._liquidate(bar)
            return
        for order in bar.queue:
            if not order.dead and touch_inside(order, candle) is not None:
                self._meet_inside(bar)
                break
        if self.account.liquidation_price(candle) is not None:
            self._liquidate(bar)
        for order in bar.queue:
            order.inside = False

    def _meet_inside(self, bar: _Bar) -> None:
        for wanted in (is_protection, is_entry, is_attached_inside, is_target):
            for order in list(bar.queue):
                if not order.dead and wanted(order):
                    touch = touch_inside(order, bar.candle)
                    if touch is not None:
                        self._fill(bar, order, touch)

    def _meet_open(self, bar: _Bar, order: Working) -> None:
        if order.type is OrderType.LIMIT:
            self._meet_arriving_limit(bar, order)
            return
        touch = touch_at_open(order, bar.candle)
        if touch is not None:
            self._fill(bar, order, touch)

    def _meet_arriving_limit(self, bar: _Bar, order: Working) -> None:
        """A limit order that the market meets on arrival takes, at its limit at worst; otherwise it rests from here on."""
        if order.resting or order.active_ms >= bar.candle.close_ms:
            return
        order.resting = True
        price, ms = arrival(order, bar.candle)
        facing = price * (1.0 + order.sign * float(self.rates.half_spread))
        if order.sign * (order.level - facing) < 0:
            return
        if order.post_only:
            self._drop(order, bar.candle.at, "post-only, and it would have taken", bar.out)
        else:
            self._fill(bar, order, Touch(price, ms, False))

    def _fill(self, bar: _Bar, order: Working, touch: Touch) -> None:
        """Trade as much as the position (reduce-only) and the bar's volume allow, and what follows from it."""
        position = self.account.holdings[order.symbol].quantity
        wanted = order.quantity - order.filled
        if order.reduce_only:
            reducible = -position * order.sign
            if reducible <= 0:
                self._drop(order, bar.candle.at, "there is no position to reduce", bar.out)
                return
            wanted = reducible if order.parent else min(wanted, reducible)
            if order.parent:
                order.quantity = order.filled + wanted
        if order.type is OrderType.STOP and not order.triggered:
            order.triggered = True
            self._drop_family(bar, order)
        quantity = bar.take(wanted)
        if quantity <= 0:
            return
        price = self._price(bar, order, touch, quantity)
        self._book(bar, order, touch.ms, price, quantity, touch.maker)
        order.filled += quantity
        done = order.filled >= order.quantity
        status = Status.FILLED if done else Status.PARTIAL
        bar.out.append(OrderUpdate(bar.candle.at, order.id, order.symbol, status, order.filled))
        if done:
            self._remove(order)
        self._follow(bar, order, position)

    def _price(self, bar: _Bar, order: Working, touch: Touch, quantity: Decimal) -> Decimal:
        """The price of a fill, checked against the bar (I25)."""
        touched, instrument, candle = exact(touch.price), bar.instrument, bar.candle
        worse = ZERO
        if touch.maker:
            price = instrument.price_for_buyer(touched) if order.sign > 0 else instrument.price_for_seller(touched)
        else:
            worse = worsening(self.rates, quantity, candle.volume)
            price = taker_price(touched, order.sign, worse, instrument)
        if order.type is OrderType.LIMIT and order.price is not None:
            price = min(price, order.price) if order.sign > 0 else max(price, order.price)
        margin, paid = float(worse) * touch.price + self._ticks[order.symbol], float(price)
        if order.sign * (paid - touch.price) < -1e-12 * touch.price or not candle.low - margin <= paid <= candle.high + margin:
            raise InvariantBroken(
                f"I25: order {order.id} would fill at {price}, and the bar of {candle.symbol} closing at {candle.close_ms} "
                f"was touched at {touch.price} within [{candle.low}, {candle.high}]"
            )
        return price

    def _book(self, bar: _Bar, order: Working, ms: int, price: Decimal, quantity: Decimal, maker: bool) -> None:
        """The trade in the exchange's books, and the news of it."""
        rate = self.rates.maker if maker else self.rates.taker
        paid = fee(price * quantity, rate)
        if rate > 0 and paid <= 0:
            raise InvariantBroken(f"I25: order {order.id} would pay a fee of {paid} on {price * quantity}")
        signed = quantity if order.sign > 0 else -quantity
        self.account.trade(order.symbol, signed, price, paid, ms)
        order.fills += 1
        bar.out.append(
            Fill(
                bar.candle.at, f"{order.id}.{order.fills}", order.id, order.symbol, OrderSide.BUY if order.sign > 0 else OrderSide.SELL,
                price, quantity, paid, maker, ms, order.purpose, (price - order.reference) * signed,
            )
        )  # fmt: skip

    def _follow(self, bar: _Bar, order: Working, before: Decimal) -> None:
        """What a fill brings to life and to an end."""
        after = self.account.holdings[order.symbol].quantity
        if before and (not after or (after > 0) is not (before > 0)):
            for other in list(self._orders[order.symbol].values()):
                if other.reduce_only or order.parent:  # what is left of this order too: it was cut to the position
                    self._drop(other, bar.candle.at, "the position is closed", bar.out)
        if (order.stop is not None or order.take is not None) and after * order.sign > 0:
            self._attach(bar, order)

    def _attach(self, bar: _Bar, entry: Working) -> None:
        """The first fill makes the attached orders live; those of an earlier entry give way."""
        orders = self._orders[entry.symbol]
        for other in list(orders.values()):
            if other.parent:
                self._drop(other, bar.candle.at, "a newer entry brings its own", bar.out)
        for purpose, trigger in zip(CHILDREN, (entry.stop, entry.take), strict=True):
            if trigger is None:
                continue
            child = entry.attach(attached_id(entry.id, purpose), purpose, trigger, bar.inside)
            orders[child.id] = child
            self._waiting += 1
            bar.queue.append(child)
            bar.out.append(OrderUpdate(bar.candle.at, child.id, child.symbol, Status.OPEN, ZERO))
        entry.stop = entry.take = None

    def _drop_family(self, bar: _Bar, order: Working) -> None:
        """One cancels the other, and the entry's rest with it: a position that is being closed does not grow."""
        for other in list(self._orders[order.symbol].values()):
            if other is not order and order.parent and order.parent in (other.parent, other.id):
                self._drop(other, bar.candle.at, f"its {order.purpose} was triggered", bar.out)

    def _drop(self, order: Working, at: int, reason: str, out: list[Event]) -> None:
        self._remove(order)
        out.append(OrderUpdate(at, order.id, order.symbol, Status.CANCELLED, order.filled, reason))

    def _remove(self, order: Working) -> None:
        order.dead = True
        if self._orders[order.symbol].pop(order.id, None) is not None:
            self._waiting -= 1

    def _is_liquidated_first(self, bar: _Bar) -> bool:
        """The bar reaches the liquidation price before a stop that would have saved the account."""
        price = self.account.liquidation_price(bar.candle)
        if price is None:
            return False
        sign = 1 if self.account.holdings[bar.candle.symbol].size > 0 else -1
        return not any(is_protection(order) and sign * (order.level - price) >= 0 for order in bar.queue if not order.dead)

    def _liquidate(self, bar: _Bar) -> None:
        """Every order is cancelled and every position closed: this one on the side of bankruptcy, the others at their last close."""
        candle = bar.candle
        for waiting in self._orders.values():
            for order in list(waiting.values()):
                self._drop(order, candle.at, "liquidation", bar.out)
        for symbol in list(self.account.held):
            holding = self.account.held[symbol]
            sign = -1 if holding.size > 0 else 1
            touched = mark = self.account.marks[holding.place]
            if symbol == candle.symbol:
                bankrupt = self.account.bankruptcy_price(symbol)
                touched = max(candle.low, min(candle.open, bankrupt)) if sign < 0 else min(candle.high, max(candle.open, bankrupt))
            price = taker_price(exact(touched), sign, ZERO, self.instruments[symbol])
            id = f"liquidation-{symbol}-{candle.close_ms}"
            order = Working.closing(id, symbol, sign, abs(holding.quantity), exact(mark))
            self._book(bar, order, candle.close_ms - 1, price, order.quantity, False)

    def _charge_kept(self, candle: Candle, out: list[Event]) -> None:
        kept = self._kept.pop(candle.symbol)
        for event in kept:
            if event.settle_ms > candle.close_ms:
                self._kept.setdefault(candle.symbol, []).append(event)
            else:
                out += self._charge(event, candle.at, candle.close if event.settle_ms == candle.close_ms else candle.open)

    def _charge(self, event: Funding, at: int, last: float) -> list[Event]:
        quantity = self.account.position_at(event.symbol, event.settle_ms)
        if not quantity:
            return []
        mark = exact(last if event.mark is None else event.mark)
        payment = funding(quantity, mark, event.rate)
        self.account.pay(payment)
        return [FundingPaid(at, event.symbol, event.settle_ms, event.rate, quantity, mark, payment)]
