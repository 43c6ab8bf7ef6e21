"""From a view to an order, or to the reason why not.

The rule: HOLD leaves the position as it is. Flat comes from the exit rule (the score falls back through the exit threshold, a
time limit, an attached stop) or from the opposite view. Where a decision has a target, the target is the view and the size: the
position is moved towards it when it is off by more than a band. One order at a time for each symbol.
"""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from bot.events import (
    CancelRequest,
    Denial,
    Fill,
    OrderRequest,
    OrderSide,
    OrderType,
    Purpose,
    Refusal,
    TradingState,
)
from bot.ledger import Ledger, Position
from bot.orders import OpenOrders, Order
from bot.risk import Draft, Risk
from bot.sizing import Rules, Sizes, refusal
from bot.turns import AIMS, DOWN, ENDS_LONG, ENDS_SHORT, FAR, UP, Ahead, Views, Watch
from feeds.bars import CLOSE
from feeds.events import Event
from feeds.instruments import Instrument, exact
from strategies.events import Decision, Side

__all__ = ["Rules", "Trader"]

ONE = Decimal(1)
BPS = Decimal(10_000)
UNKNOWN = -1
SIGN = {Side.LONG: 1, Side.SHORT: -1, Side.HOLD: 0}


class Trader:
    """One order at a time for each symbol, through risk."""

    def __init__(self, rules: Rules, risk: Risk, ledger: Ledger, orders: OpenOrders, instruments: Mapping[str, Instrument]) -> None:
        self.rules, self.risk, self.ledger, self.orders, self.instruments = rules, risk, ledger, orders, instruments
        self._sizes, self._band = Sizes(rules, ledger, instruments), rules.rebalance_band
        self._closed_ms: dict[str, int] = {}
        self._cooling: dict[str, set[int]] = {}  # the directions whose wait for the end of a cool-down has been told
        self._told: set[tuple[str, Purpose, int]] = set()
        self._told_in = 0
        self._searched_in = -1
        self._watches: list[Watch | None] = [None] * len(ledger.symbols)  # None: to be found out
        self._next = [UNKNOWN] * len(ledger.symbols)  # row of the block ahead at which a symbol's decision could lead to something
        self._soonest = UNKNOWN  # the least of them
        self._ahead: Ahead | None = None
        self._signs, self._signed_in = b"", -1  # +1, 0, -1 for each symbol's position, a byte each, and when that was so

    def on_decision(self, decision: Decision) -> list[Event]:
        """What follows from a view: an order, a cancellation, a refusal, or nothing."""
        if decision.price != decision.price:
            return []  # there was no bar to trade on
        target = decision.target
        aims = target == target
        view = (target > 0) - (target < 0) if aims else SIGN[decision.side]
        position = self.ledger.positions[decision.symbol]
        waiting = self.orders.waiting(decision.symbol)
        if waiting is not None:
            return self._while_waiting(decision, waiting, self._lean(decision, position, waiting) if aims else view)
        if not position.quantity:
            if view == 0 or (view < 0 and self.rules.long_only):
                return []
            return self._enter(decision, view)
        held = 1 if position.quantity > 0 else -1
        if view == -held:
            return self._reverse(decision, position, held)
        ends = view == 0 and (aims or held * decision.score < self.rules.exit_threshold)
        if ends or self._is_over(decision, position):
            return self._exit(decision, position, held)
        return self._resize(decision, position, held) if aims else []

    def on_fill(self, fill: Fill) -> list[Event]:
        """A position that closed cools down. The ledger has booked the fill before."""
        if not self.ledger.positions[fill.symbol].quantity:
            self._closed_ms[fill.symbol] = fill.filled_ms
            self._cooling[fill.symbol] = set()
        return []

    def first_action(self, view: Views, start: int, stop: int) -> int:
        """The first row in [start, stop) at which a view, or time alone, could lead to anything; `stop` if none."""
        if stop <= start:
            return stop
        self._search(view, start)
        return min(stop, self._soonest)

    def acting(self, view: Views, row: int) -> list[int]:
        """The symbols, by place, whose decision of this row could lead to something."""
        self._search(view, row)
        return [place for place, first in enumerate(self._next) if first <= row]

    def asked(self, view: Views, row: int) -> list[int]:
        """The same, without a search: every decision of the row is held against what is there, by the conditions of on_decision."""
        quantities, orders, rules = self.ledger.quantities, self.orders, self.rules
        ahead = self._ahead
        if ahead is None or ahead.views is not view:
            ahead = self._ahead_of(view)
        if not (ahead.aims or orders.alive or rules.max_bars):
            if self._signed_in != self.ledger.revision:
                self._signed_in = self.ledger.revision
                self._signs = bytes([((quantity > 0.0) - (quantity < 0.0)) & 255 for quantity in quantities])
            if ahead.rows[row * len(quantities) : (row + 1) * len(quantities)] == self._signs:
                return []  # everything is held as it is wanted
        sides, scores, targets = ahead.lists
        found = []
        for place, quantity in enumerate(quantities):
            side, target = sides[place][row], targets[place][row]
            if target != target and not (orders.alive and orders.waiting(self.ledger.symbols[place])):
                if quantity == 0.0:
                    if side == 0 or (side < 0 and rules.long_only):
                        continue
                elif rules.max_bars is None:
                    held = 1 if quantity > 0.0 else -1
                    if side == held or (side == 0 and not held * scores[place][row] < rules.exit_threshold):
                        continue
            found.append(place)
        return found

    def _enter(self, decision: Decision, view: int) -> list[Event]:
        if self._is_told(decision.symbol, Purpose.ENTRY, view):
            return []
        if decision.bar_ms // self.ledger.timeframe < self._cool_at(decision.symbol):
            told = self._cooling[decision.symbol]
            if view in told:
                return []
            told.add(view)
            self._forget(decision.symbol)
            detail = f"{decision.symbol} closed less than {self.rules.cool_down_bars} bars ago"
            return [refusal(decision, Purpose.ENTRY, Denial.COOL_DOWN, detail)]
        size = self._sizes.size(decision)
        if isinstance(size, Refusal):
            return [size]
        return [self._ask(decision, Purpose.ENTRY, view, size)]

    def _reverse(self, decision: Decision, position: Position, held: int) -> list[Event]:
        """Flip where the rules and the state allow it; else close. A flip that risk refuses closes too."""
        if self._reversal() is Purpose.EXIT:
            return self._exit(decision, position, held)
        size = self._sizes.size(decision)
        if isinstance(size, Refusal):
            return [size, *self._exit(decision, position, held)]
        answer = self._ask(decision, Purpose.FLIP, -held, abs(position.quantity) + size)
        return [answer, *self._exit(decision, position, held)] if isinstance(answer, Refusal) else [answer]

    def _resize(self, decision: Decision, position: Position, held: int) -> list[Event]:
        """Move the position towards its target when it is off by more than the band; it stays on its side."""
        equity = max(0.0, self.ledger.equity_float())
        off = abs(abs(decision.target) * equity - abs(float(position.quantity)) * decision.price)
        if not off > self._band * equity:
            return []
        instrument = self.instruments[decision.symbol]
        change = self._sizes.quantity(decision, exact(abs(decision.target) * equity)) - abs(position.quantity)
        if change < 0:
            return [] if self._is_told(decision.symbol, Purpose.EXIT, -held) else [self._ask(decision, Purpose.EXIT, -held, -change)]
        if not instrument.quantity(change) or self._is_told(decision.symbol, Purpose.ENTRY, held):
            return []
        return [self._ask(decision, Purpose.ENTRY, held, change)]

    def _lean(self, decision: Decision, position: Position, waiting: Order) -> int:
        """On which side of the target the position will be once the order has filled: +1 when more is wanted, 0 within the band."""
        equity = max(0.0, self.ledger.equity_float())
        after = position.quantity + (waiting.remaining if waiting.side is OrderSide.BUY else -waiting.remaining)
        off = decision.target * equity - float(after) * decision.price
        return (off > self._band * equity) - (off < -self._band * equity)

    def _first_off(self, ahead: Ahead, symbol: int, start: int, stop: int) -> int:
        """The first row in [start, stop) at which a target would move the position held in a symbol; `stop` if none."""
        bars, quantity, size, origin = ahead.views.bars, self.ledger.quantities[symbol], 64, start
        while start < stop:
            start = ahead.first(AIMS, symbol, start, stop)
            end = min(stop, start + size)
            target = ahead.views.target[start:end, symbol]
            equity = np.maximum(self.ledger.equity_rows(bars, origin, end)[start - origin :], 0.0)
            off = np.abs(np.abs(target) * equity - abs(quantity) * bars.values[start:end, CLOSE, symbol])
            moves = np.flatnonzero((target * quantity <= 0.0) | (off > self._band * equity))
            if moves.size:
                return start + int(moves[0])
            start, size = end, size * 4
        return stop

    def _reversal(self) -> Purpose:
        """What the opposite view does to a position."""
        flips = self.rules.reversal == "flip" and not self.rules.long_only and self.risk.state is TradingState.ACTIVE
        return Purpose.FLIP if flips else Purpose.EXIT

    def _exit(self, decision: Decision, position: Position, held: int) -> list[Event]:
        if self._is_told(decision.symbol, Purpose.EXIT, -held):
            return []
        return [self._ask(decision, Purpose.EXIT, -held, abs(position.quantity))]

    def _while_waiting(self, decision: Decision, order: Order, view: int) -> list[Event]:
        """An entry that waits too long or against the view is taken back; anything else waits for its end."""
        against = view == (-1 if order.side is OrderSide.BUY else 1)
        if order.type is OrderType.LIMIT and not order.reduce_only:
            bars = decision.bar_ms // self.ledger.timeframe - order.bar_ms // self.ledger.timeframe
            if bars >= self.rules.limit_bars:
                return [CancelRequest(decision.at, order.symbol, order.id, f"not filled within {bars} bars")]
            if against:
                return [CancelRequest(decision.at, order.symbol, order.id, "the view turned against it")]
        elif against:
            detail = f"{order.purpose} order {order.id} is still under way"
            return [refusal(decision, Purpose.ENTRY, Denial.PENDING, detail)]
        return []

    def _ask(self, decision: Decision, purpose: Purpose, sign: int, quantity: Decimal) -> OrderRequest | Refusal:
        """Draft an order of this size and ask risk."""
        instrument = self.instruments[decision.symbol]
        close = exact(decision.price)
        side = OrderSide.BUY if sign > 0 else OrderSide.SELL
        price = stop = take = None
        kind = OrderType.MARKET
        if purpose is not Purpose.EXIT:
            entry = close
            if self.rules.order_type == "limit" and purpose is Purpose.ENTRY:
                kind = OrderType.LIMIT
                entry = price = _away(instrument, close, -sign, self.rules.limit_offset_bps / BPS)
            stop = None if self.rules.stop_loss is None else _away(instrument, entry, -sign, self.rules.stop_loss)
            take = None if self.rules.take_profit is None else _away(instrument, entry, sign, self.rules.take_profit)
        answer = self.risk.approve(
            Draft(
                decision.at, decision.symbol, side, kind, quantity, purpose, purpose is Purpose.EXIT, decision.bar_ms, close,
                purpose._value_, price, self.rules.post_only and kind is OrderType.LIMIT, stop, take,
            )
        )  # fmt: skip
        if isinstance(answer, Refusal) and answer.code in (Denial.HALTED, Denial.REDUCING):
            self._told.add((decision.symbol, purpose, sign))
            self._forget(decision.symbol)
        return answer

    def _is_over(self, decision: Decision, position: Position) -> bool:
        """The position has had its time."""
        if self.rules.max_bars is None:
            return False
        timeframe = self.ledger.timeframe
        return decision.bar_ms // timeframe - position.opened_ms // timeframe >= self.rules.max_bars

    def _cool_at(self, symbol: str) -> int:
        """The bar, counted by its close, from which on the symbol may be entered again."""
        closed_ms = self._closed_ms.get(symbol)
        if closed_ms is None or self.rules.cool_down_bars == 0:
            return -FAR
        return closed_ms // self.ledger.timeframe + 1 + self.rules.cool_down_bars

    def _is_told(self, symbol: str, purpose: Purpose, sign: int) -> bool:
        """While the state is not ACTIVE, one refusal for each thing that is wanted is enough."""
        if self._told_in != self.risk.changes:
            self._told.clear()
            self._told_in = self.risk.changes
        return (symbol, purpose, sign) in self._told

    def _search(self, view: Views, start: int) -> None:
        """Bring `_next` up to date from this row on: of the symbols that changed, and of those whose row has gone by."""
        ahead = self._ahead
        if ahead is None or ahead.views is not view:
            ahead = self._ahead_of(view)
        if self.ledger.touched or self.orders.touched or self._searched_in != self.risk.changes:
            self._take_changes(ahead.aims)
        elif self._soonest >= start:
            return
        bars = view.bars
        bar = bars.first + start + 1
        for place, known in enumerate(self._next):
            if known >= start:
                continue
            watch = self._watches[place]
            if watch is None or watch.due <= bar:
                watch = self._watches[place] = self._look(place, bars.timeframe, bar)
            first = min(bars.rows, max(start, watch.due - 1 - bars.first))
            for turn in watch.turns:
                first = ahead.first(turn, place, start, first)
            if watch.held and ahead.aims:
                first = self._first_off(ahead, place, start, first)
            self._next[place] = first
        self._soonest = min(self._next)

    def _ahead_of(self, view: Views) -> Ahead:
        ahead = self._ahead
        if ahead is None or ahead.views is not view:
            ahead = self._ahead = Ahead(view, self.rules.exit_threshold)
            self._next, self._soonest = [UNKNOWN] * len(self._next), UNKNOWN
        return ahead

    def _take_changes(self, aims: bool) -> None:
        """Forget what was found out of symbols whose position or orders changed; of all, where the state did or targets follow equity."""
        ledger, orders = self.ledger, self.orders
        if self._searched_in != self.risk.changes:
            self._searched_in = self.risk.changes
            self._watches, self._next = [None] * len(self._next), [UNKNOWN] * len(self._next)
        if ledger.touched:
            if aims:
                self._next = [UNKNOWN] * len(self._next)
            orders.touched |= ledger.touched
            ledger.touched.clear()
        if orders.touched:
            for symbol in orders.touched:
                self._forget(symbol)
            orders.touched.clear()

    def _forget(self, symbol: str) -> None:
        place = self.ledger.index.get(symbol)
        if place is not None:
            self._watches[place], self._next[place], self._soonest = None, UNKNOWN, UNKNOWN

    def _look(self, place: int, timeframe: int, bar: int) -> Watch:
        """What a symbol waits for from this bar on: the same conditions as on_decision, for any view."""
        rules, symbol = self.rules, self.ledger.symbols[place]
        waiting = self.orders.waiting(symbol)
        if waiting is not None:
            due = waiting.bar_ms // timeframe + rules.limit_bars if waiting.type is OrderType.LIMIT else FAR
            return Watch((DOWN if waiting.side is OrderSide.BUY else UP, AIMS), due, False)
        position = self.ledger.positions[symbol]
        if not position.quantity:
            return self._look_flat(symbol, bar)
        held = 1 if position.quantity > 0 else -1
        if self._is_told(symbol, Purpose.EXIT, -held):
            return Watch((), FAR, True)
        due = FAR if rules.max_bars is None else position.opened_ms // timeframe + rules.max_bars
        return Watch((DOWN, ENDS_LONG) if held > 0 else (UP, ENDS_SHORT), due, True)

    def _look_flat(self, symbol: str, bar: int) -> Watch:
        cool_at, due, turns = self._cool_at(symbol), FAR, []
        for turn, sign in ((UP, 1), (DOWN, -1)):
            if self._is_told(symbol, Purpose.ENTRY, sign) or (sign < 0 and self.rules.long_only):
                continue
            if bar < cool_at and sign in self._cooling[symbol]:
                due = cool_at
            else:
                turns.append(turn)
        return Watch(tuple(turns), due, False)


def _away(instrument: Instrument, price: Decimal, sign: int, distance: Decimal) -> Decimal:
    """The price moved up (+1) or down (-1) by a fraction, on the further tick."""
    moved = price * (ONE + sign * distance)
    return instrument.price_for_buyer(moved) if sign > 0 else max(instrument.price_for_seller(moved), instrument.tick)
