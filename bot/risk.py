"""The limits: an order is approved, or refused with a code; and the trading state.

The rule: only this file makes an OrderRequest, and it fails closed: what is not known counts as forbidden. An order that only
reduces exposure passes every limit on size and rate. ACTIVE trades; REDUCING lets only reducing orders pass; HALTED none but
the flattening that the operator or a limit asked for.
"""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec
import numpy as np

from bot.events import (
    CancelRequest,
    Command,
    Denial,
    OrderRequest,
    OrderSide,
    OrderType,
    Purpose,
    Refusal,
    StateChanged,
    TradingState,
    Verb,
)
from bot.ledger import Ledger
from bot.orders import OpenOrders, link_id
from feeds.bars import Bars
from feeds.events import Event, Tick
from feeds.instruments import Instrument, exact
from feeds.times import DAY, HOUR, MINUTE, Millis
from strategies.events import BarClosed

NEVER = -1
CLOSE_ENOUGH = 1.0 + 1e-9  # limits are compared in floats; a size rounded down from exactly the limit passes
BY_DRAWDOWN, BY_DAILY_LOSS, BY_AGE, BY_OPERATOR = "max_drawdown", "daily_loss", "max_data_age", "operator"


class Limits(msgspec.Struct, frozen=True):
    """What no order may pass. Notional in quote currency, shares and losses as fractions of equity, ages in milliseconds.

    max_order_notional, max_order_share  largest opening order, whichever is less (D_ORDER_SIZE)
    max_position_share    largest position with what waits for it (D_POSITION)
    max_gross             all positions with all that waits (D_GROSS); max_leverage: the same against the account (D_LEVERAGE)
    collar                furthest a price may be from the last close (D_COLLAR)
    daily_loss            loss since 00:00 UTC at which the state becomes REDUCING until the next day
    max_drawdown          fall from the highest closing equity at which it becomes HALTED until the operator resumes
    drawdown_flattens     and whether every position is closed then
    orders_per_minute, orders_per_day, round_trips_per_hour (each symbol)   (D_RATE)
    max_data_age          no entry on an older price (D_STALE); REDUCING when no bar came for this long after one was due

    Raises ValueError naming a limit that cannot be.
    """

    max_order_notional: Decimal = Decimal(5000)
    max_order_share: Decimal = Decimal(1)
    max_position_share: Decimal = Decimal("0.2")
    max_gross: Decimal = Decimal("0.6")
    max_leverage: Decimal = Decimal(2)
    collar: Decimal = Decimal("0.01")
    daily_loss: Decimal = Decimal("0.03")
    max_drawdown: Decimal = Decimal("0.1")
    drawdown_flattens: bool = True
    orders_per_minute: int = 60
    orders_per_day: int = 500
    round_trips_per_hour: int = 6
    max_data_age: int = 3 * MINUTE

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if name != "drawdown_flattens" and getattr(self, name) <= 0:
                raise ValueError(f"risk.{name} is {getattr(self, name)}; a limit must be above 0")
        for name in ("daily_loss", "max_drawdown"):
            if getattr(self, name) > 1:
                raise ValueError(f"risk.{name} is {getattr(self, name)}; no more than all (1) can be lost")


class Draft(msgspec.Struct, frozen=True):
    """An order that somebody would like: an OrderRequest before its approval. `leg` tells orders of one bar apart."""

    at: int
    symbol: str
    side: OrderSide
    type: OrderType
    quantity: Decimal
    purpose: Purpose
    reduce_only: bool
    bar_ms: int
    reference: Decimal
    leg: str
    price: Decimal | None = None
    post_only: bool = False
    stop: Decimal | None = None
    take: Decimal | None = None


class _Case:
    """A draft with the figures that the checks share, as floats in quote currency."""

    __slots__ = ("after", "draft", "equity", "gross_after", "increase", "mark", "marked_ms", "opening", "reference")

    draft: Draft
    equity: float
    mark: float
    marked_ms: int
    reference: float
    opening: float
    after: float
    increase: float
    gross_after: float


Verdict = tuple[Denial, str] | None


class Risk:
    """Approves orders and keeps the trading state.

    run      part of every order id: the same run gives the same ids
    passed   names of the checks that the last draft passed; denied: the one it did not ("": approved)
    changes  grows with every change of state
    """

    def __init__(
        self, limits: Limits, ledger: Ledger, orders: OpenOrders, instruments: Mapping[str, Instrument], *, run: str = "run"
    ) -> None:
        self.limits, self.ledger, self.orders, self.instruments, self.run = limits, ledger, orders, instruments, run
        self.state, self.by, self.reason = TradingState.ACTIVE, BY_OPERATOR, ""
        self.changes = 0
        self.passed: tuple[str, ...] = ()
        self.denied = ""
        self.peak = -float("inf")
        self.day = NEVER
        self.day_start = float("nan")
        self._tripped_ms = NEVER
        self._keep_of_peak = 1.0 - float(limits.max_drawdown)
        self._keep_of_day = 1.0 - float(limits.daily_loss)
        self._checked = NEVER
        self._gross, self._gross_key = 0.0, (NEVER, NEVER)
        self._minute: deque[int] = deque(maxlen=limits.orders_per_minute)
        self._sent_day, self._sent = NEVER, 0
        self._legs: dict[str, tuple[int, set[str]]] = {}
        self._trips: dict[str, deque[int]] = {}
        self._trades_seen = 0
        self._obeyed: set[int] = set()
        self._most_order = float(limits.max_order_notional)
        self._shares = tuple(float(x) for x in (limits.max_order_share, limits.max_position_share, limits.max_gross))
        self._leverage, self._collar = float(limits.max_leverage), float(limits.collar)
        self._checks: tuple[tuple[str, Callable[[_Case], Verdict]], ...] = (
            ("state", self._check_state),
            ("duplicate", self._check_duplicate),
            ("price", self._check_price),
            ("data_age", self._check_age),
            ("collar", self._check_collar),
            ("least_order", self._check_least),
            ("order", self._check_order),
            ("position", self._check_position),
            ("gross", self._check_gross),
            ("leverage", self._check_leverage),
            ("margin", self._check_margin),
            ("orders_per_minute", self._check_minute),
            ("orders_per_day", self._check_day),
            ("round_trips", self._check_round_trips),
        )

    def approve(self, draft: Draft) -> OrderRequest | Refusal:
        """The order with its id, taken into the book of open orders; or why not. `passed` and `denied` tell the checks."""
        case = self._case(draft)
        self.denied = ""
        for made, (name, check) in enumerate(self._checks):
            verdict = check(case)
            if verdict is not None:
                self.passed, self.denied = tuple(n for n, _ in self._checks[:made]), name
                return Refusal(draft.at, draft.symbol, draft.bar_ms, draft.purpose, verdict[0], verdict[1])
        self.passed = ALL_CHECKS
        request = OrderRequest(
            at=draft.at, id=link_id(self.run, draft.symbol, draft.bar_ms or draft.at, draft.leg), symbol=draft.symbol,
            side=draft.side, type=draft.type, quantity=draft.quantity, purpose=draft.purpose, reduce_only=draft.reduce_only,
            bar_ms=draft.bar_ms, reference=draft.reference, price=draft.price, post_only=draft.post_only, stop=draft.stop,
            take=draft.take,
        )  # fmt: skip
        self.orders.on_order(request)
        self._count(draft, case)
        return request

    def on_bar_closed(self, event: BarClosed) -> list[Event]:
        """Hold the closing equity against the peak and the day's beginning."""
        equity = self.ledger.equity_float()
        self.peak = max(self.peak, self.ledger.high, equity)
        self.ledger.high = -float("inf")
        self._checked = self.ledger.revision
        out: list[Event] = []
        if self.state is TradingState.REDUCING and self.by == BY_AGE:
            out.append(self._change(event.at, TradingState.ACTIVE, BY_AGE, "bars are coming again"))
        if self.state is not TradingState.HALTED and not equity > self.peak * self._keep_of_peak:
            reason = f"equity {equity:.2f} is {1 - equity / self.peak:.2%} below its peak of {self.peak:.2f}"
            out.append(self._change(event.at, TradingState.HALTED, BY_DRAWDOWN, reason))
            out.append(CancelRequest(event.at, "", "", reason))
            if self.limits.drawdown_flattens:
                out += self._flatten(event.at)
        elif self.state is TradingState.ACTIVE and self.day != NEVER and not equity > self.day_start * self._keep_of_day:
            reason = f"equity {equity:.2f} is {1 - equity / self.day_start:.2%} below the day's beginning of {self.day_start:.2f}"
            self._tripped_ms = event.bar_ms
            out.append(self._change(event.at, TradingState.REDUCING, BY_DAILY_LOSS, reason))
        if event.bar_ms // DAY != self.day:
            self.day, self.day_start = event.bar_ms // DAY, equity
            if self.state is TradingState.REDUCING and self.by == BY_DAILY_LOSS and self._tripped_ms != event.bar_ms:
                out.append(self._change(event.at, TradingState.ACTIVE, BY_DAILY_LOSS, "a new day begins"))
        return out

    def on_tick(self, tick: Tick) -> list[Event]:
        """REDUCING when the next bar is overdue; it ends with the next bar."""
        newest, due = self.ledger.newest_ms, self.ledger.timeframe + self.limits.max_data_age
        if self.state is not TradingState.ACTIVE or not newest or tick.at - newest <= due:
            return []
        reason = f"the last bar closed {(tick.at - newest) // 1000} s ago; at most {due // 1000} s are allowed"
        return [self._change(tick.at, TradingState.REDUCING, BY_AGE, reason)]

    def on_command(self, command: Command) -> list[Event]:
        """Obey the operator, each command once."""
        if command.id in self._obeyed or command.verb is Verb.STOP:
            return []
        self._obeyed.add(command.id)
        if command.verb is Verb.RESUME:
            return [self._change(command.at, TradingState.ACTIVE, BY_OPERATOR, self._begin_anew(command.reason))]
        state = TradingState.HALTED if command.verb is Verb.HALT else TradingState.REDUCING
        out: list[Event] = [self._change(command.at, state, BY_OPERATOR, command.reason)]
        if command.cancel or command.flatten:
            out.append(CancelRequest(command.at, "", "", command.reason))
        if command.flatten:
            out += self._flatten(command.at)
        return out

    def on_state_changed(self, event: StateChanged) -> None:
        """Take over a state from the journal."""
        self.state, self.by, self.reason = event.state, event.by, event.reason
        self.changes += 1

    def first_trip(self, bars: Bars, start: int, stop: int) -> int:
        """The first row in [start, stop) whose close could move the state or begins a new UTC day; `stop` if none."""
        if stop <= start:
            return stop
        if self.day == NEVER or (self.state is TradingState.REDUCING and self.by == BY_AGE):
            return start
        new_day = -(-(self.day + 1) * DAY // bars.timeframe) - 1 - bars.first
        stop = min(stop, max(start, new_day))
        if self.state is TradingState.HALTED or (not self.ledger.held and self._checked == self.ledger.revision):
            return stop
        size = 64
        while True:
            end = min(stop, start + size)
            row = self._trip_in(bars, start, end)
            if row < end or end == stop:
                return row
            size *= 4

    def _trip_in(self, bars: Bars, start: int, end: int) -> int:
        equity = self.ledger.equity_rows(bars, start, end)
        if not equity.size:
            return end
        peak = np.maximum.accumulate(equity)
        np.maximum(peak, max(self.peak, self.ledger.high), out=peak)
        safe = equity > peak * self._keep_of_peak
        if self.state is TradingState.ACTIVE:
            safe &= equity > self.day_start * self._keep_of_day
        trips = np.flatnonzero(~safe)
        return start + int(trips[0]) if trips.size else end

    def _change(self, at: Millis, state: TradingState, by: str, reason: str) -> StateChanged:
        event = StateChanged(at, state, by, reason)
        self.on_state_changed(event)
        return event

    def _begin_anew(self, reason: str) -> str:
        """A limit that would trip again at once starts from the present equity, and the answer says so."""
        equity = self.ledger.equity_float()
        if not equity > self.peak * self._keep_of_peak:
            reason += f"; the drawdown counts from {equity:.2f} on, no longer from {self.peak:.2f}"
            self.peak = equity
        if self.day != NEVER and not equity > self.day_start * self._keep_of_day:
            reason += f"; the day's loss counts from {equity:.2f} on, no longer from {self.day_start:.2f}"
            self.day_start = equity
        return reason

    def _flatten(self, at: Millis) -> list[Event]:
        """A reduce-only market order for every position."""
        out: list[Event] = []
        for i in self.ledger.held:
            symbol = self.ledger.symbols[i]
            quantity = self.ledger.positions[symbol].quantity
            side = OrderSide.SELL if quantity > 0 else OrderSide.BUY
            out.append(
                self.approve(
                    Draft(
                        at, symbol, side, OrderType.MARKET, abs(quantity), Purpose.FLATTEN, True, 0, exact(self.ledger.marks[i]), "flatten"
                    )
                )
            )
        return out

    def _case(self, draft: Draft) -> _Case:
        case = _Case()
        ledger = self.ledger
        i = ledger.index.get(draft.symbol)
        case.draft = draft
        case.mark, case.marked_ms = (ledger.marks[i], ledger.marked_ms[i]) if i is not None else (float("nan"), 0)
        case.reference = float(draft.reference)
        case.opening = case.after = case.increase = case.gross_after = 0.0
        case.equity = ledger.equity_float()
        if draft.reduce_only or i is None:
            return case
        position = ledger.positions[draft.symbol].quantity
        buys, sells = self.orders.exposure(draft.symbol)
        before = max(abs(position + buys), abs(position - sells))
        after = position + buys + draft.quantity if draft.side is OrderSide.BUY else position - sells - draft.quantity
        crosses = position and (after > 0) is not (position > 0)
        case.opening = float(min(abs(after), draft.quantity) if crosses else draft.quantity) * case.reference
        case.after = float(abs(after)) * case.reference
        case.increase = max(0.0, float(abs(after) - before)) * case.reference
        case.gross_after = self._gross_now(draft.at) + case.increase
        return case

    def _gross_now(self, at: Millis) -> float:
        """Sum over symbols of the larger of the two sides a position may reach, at marks; counted anew when a fill or time moved on."""
        key = (self.ledger.revision, at)
        if key != self._gross_key:
            self._gross_key, self._gross = key, 0.0
            for symbol in {self.ledger.symbols[i] for i in self.ledger.held}.union(self.orders.symbols()):
                position = self.ledger.positions[symbol].quantity
                buys, sells = self.orders.exposure(symbol)
                self._gross += float(max(abs(position + buys), abs(position - sells))) * self.ledger.marks[self.ledger.index[symbol]]
        return self._gross

    def _count(self, draft: Draft, case: _Case) -> None:
        """Remember an approved order for the next one's checks."""
        self._gross += case.increase
        self._minute.append(draft.at)
        day = draft.at // DAY
        self._sent_day, self._sent = day, self._sent + 1 if day == self._sent_day else 1
        bar_ms, legs = self._legs.get(draft.symbol, (NEVER, set()))
        if draft.bar_ms:
            self._legs[draft.symbol] = (draft.bar_ms, {*legs, draft.leg} if bar_ms == draft.bar_ms else {draft.leg})

    # The checks: None passes.

    def _check_state(self, case: _Case) -> Verdict:
        draft = case.draft
        if self.state is TradingState.ACTIVE or (draft.reduce_only and draft.purpose is Purpose.FLATTEN):
            return None
        if self.state is TradingState.REDUCING:
            return None if draft.reduce_only else (Denial.REDUCING, f"only exits pass while REDUCING, by {self.by}: {self.reason}")
        return Denial.HALTED, f"trading is HALTED, by {self.by}: {self.reason}"

    def _check_duplicate(self, case: _Case) -> Verdict:
        draft = case.draft
        bar_ms, legs = self._legs.get(draft.symbol, (NEVER, set()))
        if draft.bar_ms and (draft.bar_ms < bar_ms or (draft.bar_ms == bar_ms and draft.leg in legs)):
            return Denial.DUPLICATE, f"{draft.symbol} has had its {draft.leg} order for the bar closing at {bar_ms}"
        if self.orders.get(link_id(self.run, draft.symbol, draft.bar_ms or draft.at, draft.leg)) is not None:
            return Denial.DUPLICATE, f"{draft.symbol} has this {draft.leg} order already"
        return None

    def _check_price(self, case: _Case) -> Verdict:
        if case.mark > 0.0 and case.reference > 0.0 and case.draft.symbol in self.instruments:
            return None
        return Denial.NO_PRICE, f"the price of {case.draft.symbol} is not known"

    def _check_age(self, case: _Case) -> Verdict:
        age = case.draft.at - min(case.marked_ms, case.draft.bar_ms or case.marked_ms)
        if case.draft.reduce_only or age <= self.limits.max_data_age:
            return None
        return Denial.STALE, f"the price is {age // 1000} s old; at most {self.limits.max_data_age // 1000} s are allowed"

    def _check_collar(self, case: _Case) -> Verdict:
        price = case.reference if case.draft.price is None else float(case.draft.price)
        off = abs(price / case.mark - 1.0)
        if off <= self._collar * CLOSE_ENOUGH:
            return None
        return Denial.COLLAR, f"price {price} is {off:.2%} from the last close {case.mark}; at most {self._collar:.2%} is allowed"

    def _check_least(self, case: _Case) -> Verdict:
        draft = case.draft
        instrument = self.instruments[draft.symbol]
        if draft.quantity <= 0 or draft.quantity % instrument.lot:
            return Denial.ORDER_SIZE, f"quantity {draft.quantity} is no positive multiple of the lot {instrument.lot}"
        if draft.reduce_only:
            return None
        if draft.quantity < instrument.least_quantity or draft.quantity * draft.reference < instrument.least_notional:
            return Denial.ORDER_SIZE, (
                f"{draft.quantity} ({case.reference * float(draft.quantity):.2f}) is below the least order of "
                f"{instrument.least_quantity} and {instrument.least_notional}"
            )
        return None

    def _check_order(self, case: _Case) -> Verdict:
        most = min(self._most_order, self._shares[0] * case.equity)
        return _above(Denial.ORDER_SIZE, "the order opens", case.opening, most)

    def _check_position(self, case: _Case) -> Verdict:
        if case.increase == 0.0:
            return None
        return _above(Denial.POSITION, f"{case.draft.symbol} would be at", case.after, self._shares[1] * case.equity)

    def _check_gross(self, case: _Case) -> Verdict:
        if case.increase == 0.0:
            return None
        return _above(Denial.GROSS, "all positions would be at", case.gross_after, self._shares[2] * case.equity)

    def _check_leverage(self, case: _Case) -> Verdict:
        if case.increase == 0.0:
            return None
        return _above(Denial.LEVERAGE, "all positions would be at", case.gross_after, self._leverage * case.equity)

    def _check_margin(self, case: _Case) -> Verdict:
        if case.draft.reduce_only:
            return None
        most = float(self.instruments[case.draft.symbol].max_leverage) * case.equity
        if case.equity > 0.0 and case.gross_after <= most * CLOSE_ENOUGH:
            return None
        return Denial.MARGIN, f"the account of {case.equity:.2f} cannot carry positions of {case.gross_after:.2f}"

    def _check_minute(self, case: _Case) -> Verdict:
        sent = self._minute
        if case.draft.reduce_only or len(sent) < self.limits.orders_per_minute or case.draft.at - sent[0] >= MINUTE:
            return None
        return Denial.RATE, f"{len(sent)} orders within a minute; at most {self.limits.orders_per_minute} are allowed"

    def _check_day(self, case: _Case) -> Verdict:
        sent = self._sent if case.draft.at // DAY == self._sent_day else 0
        if case.draft.reduce_only or sent < self.limits.orders_per_day:
            return None
        return Denial.RATE, f"{sent} orders today; at most {self.limits.orders_per_day} are allowed"

    def _check_round_trips(self, case: _Case) -> Verdict:
        if case.draft.reduce_only:
            return None
        for trade in self.ledger.trades[self._trades_seen :]:
            ends = self._trips.setdefault(trade.symbol, deque(maxlen=self.limits.round_trips_per_hour))
            ends.append(trade.exit_ms)
        self._trades_seen = len(self.ledger.trades)
        ends = self._trips.get(case.draft.symbol, deque())
        if len(ends) < self.limits.round_trips_per_hour or case.draft.at - ends[0] >= HOUR:
            return None
        return Denial.RATE, f"{len(ends)} round trips of {case.draft.symbol} within an hour; at most that many are allowed"


def _above(code: Denial, what: str, figure: float, most: float) -> Verdict:
    """A refusal when the figure is above the most that is allowed, or when either is not known."""
    if figure <= most * CLOSE_ENOUGH:
        return None
    return code, f"{what} {figure:.2f}; at most {most:.2f} is allowed"


ALL_CHECKS = (
    "state", "duplicate", "price", "data_age", "collar", "least_order", "order", "position", "gross", "leverage", "margin",
    "orders_per_minute", "orders_per_day", "round_trips",
)  # fmt: skip
