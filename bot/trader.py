"""From a view to an order, or to the reason why not.

The rule: HOLD leaves the position as it is. Flat comes from the exit rule (the score falls back through the exit threshold, a
time limit, an attached stop) or from the opposite view. One order at a time for each symbol.
"""

from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

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
from feeds.bars import Array, Bars
from feeds.events import Event
from feeds.instruments import Instrument, exact
from strategies.events import Decision, Side

ZERO = Decimal(0)
ONE = Decimal(1)
BPS = Decimal(10_000)
SIGN = {Side.LONG: 1, Side.SHORT: -1, Side.HOLD: 0}
FAR = 2**62


class Rules(msgspec.Struct, frozen=True):
    """From a decision to the size and shape of an order. Shares are fractions of equity, distances fractions of the price.

    sizing             "fixed": `share`; "volatility": target_volatility / volatility, at most `share`
    target_volatility  annual volatility that one position adds, a fraction of equity
    exit_threshold     a long ends when the score falls below it, a short when it rises above minus it
    reversal           the opposite view turns the position in one order ("flip") or closes it first ("flat")
    long_only          SHORT only closes
    order_type         of entries; exits are market orders. A limit entry stands limit_offset_bps from the close on our side
                       and is taken back after limit_bars; post_only: rather cancelled than taking
    stop_loss, take_profit  attached to the entry (None: none)
    cool_down_bars     no entry for so many bars after a position ended (0: none)
    max_bars           a position ends after so many bars (None: no limit)

    Raises ValueError naming a rule that cannot be.
    """

    sizing: Literal["fixed", "volatility"] = "fixed"
    share: Decimal = Decimal("0.1")
    target_volatility: Decimal = Decimal("0.1")
    exit_threshold: float = 0.1
    reversal: Literal["flip", "flat"] = "flip"
    long_only: bool = False
    order_type: Literal["market", "limit"] = "market"
    limit_offset_bps: Decimal = Decimal(2)
    limit_bars: int = 5
    post_only: bool = False
    stop_loss: Decimal | None = Decimal("0.02")
    take_profit: Decimal | None = None
    cool_down_bars: int = 15
    max_bars: int | None = None

    def __post_init__(self) -> None:
        for name in ("share", "target_volatility", "limit_bars", "stop_loss", "take_profit", "max_bars"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"trading.{name} is {value}; it must be above 0")
        if self.stop_loss is not None and self.stop_loss >= 1:
            raise ValueError(f"trading.stop_loss is {self.stop_loss}; a stop at or below zero can never be reached")


class Views(Protocol):
    """What the trader reads of many bars: side int8[T, S] (+1 LONG, -1 SHORT, 0 HOLD), score float64[T, S]."""

    @property
    def bars(self) -> Bars: ...

    @property
    def side(self) -> NDArray[np.int8]: ...

    @property
    def score(self) -> Array: ...


class _Watch:
    """Which (turn, symbol) would lead to something; `due` is the earliest bar index at which time alone does."""

    __slots__ = ("due", "turns")

    def __init__(self) -> None:
        self.turns: list[tuple[int, int]] = []
        self.due = FAR


UP, DOWN, ENDS_LONG, ENDS_SHORT = range(4)


class _Ahead:
    """At which rows of a block a turn comes, for each symbol: searched once a block, when it is first asked for."""

    def __init__(self, views: Views, exit_threshold: float) -> None:
        self.views = views
        self._exit = exit_threshold
        self._rows: dict[tuple[int, int], list[int]] = {}

    def first(self, turn: tuple[int, int], start: int, stop: int) -> int:
        """The first row in [start, stop) at which it comes; `stop` if none."""
        rows = self._rows.get(turn)
        if rows is None:
            rows = self._rows[turn] = np.flatnonzero(self._comes(*turn)).tolist()
        place = bisect_left(rows, start)
        return min(stop, rows[place]) if place < len(rows) else stop

    def _comes(self, turn: int, symbol: int) -> NDArray[np.bool_]:
        side, score = self.views.side[:, symbol], self.views.score[:, symbol]
        if turn == UP:
            return side > 0
        if turn == DOWN:
            return side < 0
        comes: NDArray[np.bool_] = (side == 0) & ((score if turn == ENDS_LONG else -score) < self._exit)
        return comes


class Trader:
    """One order at a time for each symbol, through risk."""

    def __init__(self, rules: Rules, risk: Risk, ledger: Ledger, orders: OpenOrders, instruments: Mapping[str, Instrument]) -> None:
        self.rules, self.risk, self.ledger, self.orders, self.instruments = rules, risk, ledger, orders, instruments
        self._share, self._target = float(rules.share), float(rules.target_volatility)
        self._closed_ms: dict[str, int] = {}
        self._cooling: dict[str, set[int]] = {}  # the directions whose wait for the end of a cool-down has been told
        self._told: set[tuple[str, Purpose, int]] = set()
        self._told_in = 0
        self._watch: _Watch | None = None
        self._watch_key: tuple[int, ...] = ()
        self._ahead: _Ahead | None = None

    def on_decision(self, decision: Decision) -> list[Event]:
        """What follows from a view: an order, a cancellation, a refusal, or nothing."""
        if decision.price != decision.price:
            return []  # there was no bar to trade on
        position = self.ledger.positions[decision.symbol]
        view = SIGN[decision.side]
        waiting = self.orders.waiting(decision.symbol)
        if waiting is not None:
            return self._while_waiting(decision, waiting, view)
        if not position.quantity:
            if view == 0 or (view < 0 and self.rules.long_only):
                return []
            return self._enter(decision, view)
        held = 1 if position.quantity > 0 else -1
        if view == -held:
            return self._reverse(decision, position, held)
        if self._is_over(decision, position) or (view == 0 and held * decision.score < self.rules.exit_threshold):
            return self._exit(decision, position, held)
        return []

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
        watch = self._watching(view.bars.timeframe, view.bars.first + start + 1)
        stop = min(stop, max(start, watch.due - 1 - view.bars.first))
        ahead = self._ahead
        if ahead is None or ahead.views is not view:
            ahead = self._ahead = _Ahead(view, self.rules.exit_threshold)
        for turn in watch.turns:
            if stop <= start:
                return start
            stop = ahead.first(turn, start, stop)
        return stop

    def _enter(self, decision: Decision, view: int) -> list[Event]:
        if self._is_told(decision.symbol, Purpose.ENTRY, view):
            return []
        if decision.bar_ms // self.ledger.timeframe < self._cool_at(decision.symbol):
            told = self._cooling[decision.symbol]
            if view in told:
                return []
            told.add(view)
            self._watch = None
            detail = f"{decision.symbol} closed less than {self.rules.cool_down_bars} bars ago"
            return [_refusal(decision, Purpose.ENTRY, Denial.COOL_DOWN, detail)]
        size = self._size(decision)
        if isinstance(size, Refusal):
            return [size]
        return [self._ask(decision, Purpose.ENTRY, view, size)]

    def _reverse(self, decision: Decision, position: Position, held: int) -> list[Event]:
        """Flip where the rules and the state allow it; else close. A flip that risk refuses closes too."""
        if self._reversal() is Purpose.EXIT:
            return self._exit(decision, position, held)
        size = self._size(decision)
        if isinstance(size, Refusal):
            return [size, *self._exit(decision, position, held)]
        answer = self._ask(decision, Purpose.FLIP, -held, abs(position.quantity) + size)
        return [answer, *self._exit(decision, position, held)] if isinstance(answer, Refusal) else [answer]

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
            return [_refusal(decision, Purpose.ENTRY, Denial.PENDING, detail)]
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
                at=decision.at, symbol=decision.symbol, side=side, type=kind, quantity=quantity, purpose=purpose,
                reduce_only=purpose is Purpose.EXIT, bar_ms=decision.bar_ms, reference=close, leg=purpose.value, price=price,
                post_only=self.rules.post_only and kind is OrderType.LIMIT, stop=stop, take=take,
            )
        )  # fmt: skip
        if isinstance(answer, Refusal) and answer.code in (Denial.HALTED, Denial.REDUCING):
            self._told.add((decision.symbol, purpose, sign))
            self._watch = None
        return answer

    def _size(self, decision: Decision) -> Decimal | Refusal:
        """Base units of a new position, rounded down; or why there can be none."""
        instrument = self.instruments[decision.symbol]
        if not decision.price > 0.0:
            return _refusal(decision, Purpose.ENTRY, Denial.NO_PRICE, f"the price of {decision.symbol} is not known")
        share = self._share
        if self.rules.sizing == "volatility":
            if not decision.volatility > 0.0:
                detail = f"the volatility of {decision.symbol} is not known"
                return _refusal(decision, Purpose.ENTRY, Denial.NO_VOLATILITY, detail)
            share = min(share, self._target / decision.volatility)
        notional = max(0.0, self.ledger.equity_float() * share)
        quantity = min(instrument.quantity(exact(notional) / exact(decision.price)), instrument.quantity(instrument.most_quantity))
        if quantity <= 0:
            detail = f"{share:.4f} of equity is {notional:.2f}, less than the least quantity {instrument.least_quantity}"
            return _refusal(decision, Purpose.ENTRY, Denial.ORDER_SIZE, detail)
        return quantity

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

    def _watching(self, timeframe: int, bar: int) -> _Watch:
        key = (self.ledger.revision, self.orders.revision, self.risk.changes, timeframe)
        if self._watch is None or key != self._watch_key or self._watch.due <= bar:
            self._watch, self._watch_key = self._look(timeframe, bar), key
        return self._watch

    def _look(self, timeframe: int, bar: int) -> _Watch:
        """What each symbol waits for from this bar on: the same conditions as on_decision, for any view."""
        watch = _Watch()
        rules = self.rules
        for i, symbol in enumerate(self.ledger.symbols):
            waiting = self.orders.waiting(symbol)
            position = self.ledger.positions[symbol]
            if waiting is not None:
                watch.turns.append((DOWN if waiting.side is OrderSide.BUY else UP, i))
                if waiting.type is OrderType.LIMIT:
                    watch.due = min(watch.due, waiting.bar_ms // timeframe + rules.limit_bars)
            elif not position.quantity:
                self._look_flat(watch, i, symbol, bar)
            else:
                held = 1 if position.quantity > 0 else -1
                if not self._is_told(symbol, Purpose.EXIT, -held):
                    watch.turns += [(DOWN, i), (ENDS_LONG, i)] if held > 0 else [(UP, i), (ENDS_SHORT, i)]
                    if rules.max_bars is not None:
                        watch.due = min(watch.due, position.opened_ms // timeframe + rules.max_bars)
        return watch

    def _look_flat(self, watch: _Watch, i: int, symbol: str, bar: int) -> None:
        cool_at = self._cool_at(symbol)
        for turn, sign in ((UP, 1), (DOWN, -1)):
            if self._is_told(symbol, Purpose.ENTRY, sign) or (sign < 0 and self.rules.long_only):
                continue
            if bar < cool_at and sign in self._cooling[symbol]:
                watch.due = min(watch.due, cool_at)
            else:
                watch.turns.append((turn, i))


def _away(instrument: Instrument, price: Decimal, sign: int, distance: Decimal) -> Decimal:
    """The price moved up (+1) or down (-1) by a fraction, on the further tick."""
    moved = price * (ONE + sign * distance)
    return instrument.price_for_buyer(moved) if sign > 0 else max(instrument.price_for_seller(moved), instrument.tick)


def _refusal(decision: Decision, purpose: Purpose, code: Denial, detail: str) -> Refusal:
    return Refusal(decision.at, decision.symbol, decision.bar_ms, purpose, code, detail)
