"""The limits: an order is approved, or refused with a code; and the trading state.

The rule: only this file makes an OrderRequest, and it fails closed: what is not known counts as forbidden. An order that only
reduces exposure passes every limit on size and rate. ACTIVE trades; REDUCING lets only reducing orders pass; HALTED none but
the flattening that the operator or a limit asked for.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from bot.checks import CHECKS, NAMES, NEVER, Case, Ceilings, Counts, Draft, Limits
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
from feeds.bars import Array, Bars
from feeds.events import Event, Tick
from feeds.instruments import Instrument, exact
from feeds.times import DAY, Millis
from strategies.events import BarClosed

__all__ = ["Draft", "Limits", "Risk"]

INFINITY = float("inf")
BY_DRAWDOWN, BY_DAILY_LOSS, BY_AGE, BY_OPERATOR = "max_drawdown", "daily_loss", "max_data_age", "operator"


class Risk:
    """Approves orders and keeps the trading state.

    run      part of every order id: the same run gives the same ids
    passed   names of the checks that the last draft passed; denied: the one it did not ("": approved)
    changes  grows with every change of state; moved_ms: when the last one was (NEVER: none was)
    """

    def __init__(
        self, limits: Limits, ledger: Ledger, orders: OpenOrders, instruments: Mapping[str, Instrument], *, run: str = "run"
    ) -> None:
        self.limits, self.ledger, self.orders, self.instruments, self.run = limits, ledger, orders, instruments, run
        self.state, self.by, self.reason = TradingState.ACTIVE, BY_OPERATOR, ""
        self.changes, self.moved_ms = 0, NEVER
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
        self._ceilings, self._counts = Ceilings(limits), Counts(limits)
        self._lent = {symbol: float(instrument.max_leverage) for symbol, instrument in instruments.items()}
        self._obeyed: set[int] = set()
        self._safe_in: Array | None = None  # bars in which no limit can be hit, as long as nothing of `_safe_key` moves
        self._safe_key = (NEVER, NEVER, NEVER)

    def approve(self, draft: Draft) -> OrderRequest | Refusal:
        """The order with its id, taken into the book of open orders; or why not. `passed` and `denied` tell the checks."""
        self.passed, self.denied = (), "universe"
        place = self.ledger.index.get(draft.symbol)
        if place is None or draft.symbol not in self.instruments:
            return Refusal(draft.at, draft.symbol, draft.bar_ms, draft.purpose, Denial.NO_PRICE, f"{draft.symbol} is not traded here")
        case = self._case(draft, place)
        for check in CHECKS:
            objection = check(case)
            if objection is not None:
                self.denied, code, detail = objection
                self.passed = NAMES[: NAMES.index(self.denied)]
                return Refusal(draft.at, draft.symbol, draft.bar_ms, draft.purpose, code, detail)
        self.passed, self.denied = NAMES, ""
        request = OrderRequest(
            draft.at, case.id, draft.symbol, draft.side, draft.type, draft.quantity, draft.purpose, draft.reduce_only, draft.bar_ms,
            draft.reference, draft.price, None, draft.post_only, draft.stop, draft.take,
        )  # fmt: skip
        self.orders.on_order(request)
        self._counts.sent(draft)
        self._gross += case.increase
        return request

    def on_bar_closed(self, event: BarClosed) -> Sequence[Event]:
        """Hold the closing equity against the peak and the day's beginning."""
        return self.close(event.at, event.bar_ms)

    def close(self, at: Millis, bar_ms: Millis) -> Sequence[Event]:
        """The same, of a close that is no event: what follows from it."""
        ledger = self.ledger
        equity = ledger.equity_float()
        peak = ledger.high if ledger.high > self.peak else self.peak
        peak = self.peak = equity if equity > peak else peak
        ledger.high = -INFINITY
        self._checked = ledger.revision
        day = bar_ms // DAY
        above = equity > peak * self._keep_of_peak and equity > self.day_start * self._keep_of_day
        if above and day == self.day and self.state is TradingState.ACTIVE:
            return ()
        return self._act_on(at, bar_ms, day, equity)

    def _act_on(self, at: Millis, bar_ms: Millis, day: int, equity: float) -> list[Event]:
        """A close at which a limit is hit, or a day begins, or trading is not ACTIVE."""
        out: list[Event] = []
        if self.state is TradingState.REDUCING and self.by == BY_AGE:
            out.append(self._change(at, TradingState.ACTIVE, BY_AGE, "bars are coming again"))
        if self.state is not TradingState.HALTED and not equity > self.peak * self._keep_of_peak:
            reason = f"equity {equity:.2f} is {_fall(self.peak, equity):.2%} below its peak of {self.peak:.2f}"
            out.append(self._change(at, TradingState.HALTED, BY_DRAWDOWN, reason))
            out += self._flatten(at, reason) if self.limits.drawdown_flattens else self._take_back(at, reason)
        elif self.state is TradingState.ACTIVE and self.day != NEVER and not equity > self.day_start * self._keep_of_day:
            reason = f"equity {equity:.2f} is {_fall(self.day_start, equity):.2%} below the day's beginning of {self.day_start:.2f}"
            self._tripped_ms = bar_ms
            out.append(self._change(at, TradingState.REDUCING, BY_DAILY_LOSS, reason))
            out += self._take_back(at, reason)
        if day != self.day:
            self.day, self.day_start = day, equity
            if self.state is TradingState.REDUCING and self.by == BY_DAILY_LOSS and self._tripped_ms != bar_ms:
                out.append(self._change(at, TradingState.ACTIVE, BY_DAILY_LOSS, "a new day begins"))
        return out

    def on_tick(self, tick: Tick) -> list[Event]:
        """REDUCING when the next bar is overdue; it ends with the next bar."""
        newest, due = self.ledger.newest_ms, self.ledger.timeframe + self.limits.max_data_age
        if self.state is not TradingState.ACTIVE or not newest or tick.at - newest <= due:
            return []
        reason = f"the last bar closed {(tick.at - newest) // 1000} s ago; at most {due // 1000} s are allowed"
        return [self._change(tick.at, TradingState.REDUCING, BY_AGE, reason), *self._take_back(tick.at, reason)]

    def on_command(self, command: Command) -> list[Event]:
        """Obey the operator, each command once. A halt leaves waiting orders alone unless it says cancel or flatten."""
        if command.id in self._obeyed or command.verb is Verb.STOP:
            return []
        self._obeyed.add(command.id)
        if command.verb is Verb.RESUME:
            return [self._change(command.at, TradingState.ACTIVE, BY_OPERATOR, self._begin_anew(command.reason))]
        state = TradingState.HALTED if command.verb is Verb.HALT else TradingState.REDUCING
        out: list[Event] = [self._change(command.at, state, BY_OPERATOR, command.reason)]
        if command.flatten:
            out += self._flatten(command.at, command.reason)
        elif command.cancel:
            out.append(CancelRequest(command.at, "", "", command.reason))
        elif command.verb is Verb.REDUCE:
            out += self._take_back(command.at, command.reason)
        return out

    def on_state_changed(self, event: StateChanged) -> None:
        """Take over a state from the journal."""
        self.state, self.by, self.reason, self.moved_ms = event.state, event.by, event.reason, event.at
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
        if self._is_safe_throughout(bars):
            return stop
        size = 64
        while True:
            end = min(stop, start + size)
            row = self._trip_in(bars, start, end)
            if row < end or end == stop:
                return row
            size *= 4

    def _is_safe_throughout(self, bars: Bars) -> bool:
        """Even if every position fell from its best close of all these bars to its worst no limit is hit."""
        ledger = self.ledger
        key = (ledger.revision, self.changes, self.day)
        if self._safe_in is bars.values and key == self._safe_key:
            return True
        lowest, highest = bars.lowest[1], bars.highest[1]
        worst = best = ledger.cashflow_float
        for i in ledger.held:
            quantity, mark = ledger.quantities[i], ledger.marks[i]
            # fmin and fmax leave a symbol without any bar at NaN: it stays at its mark
            low, high = min(mark, lowest[i]), max(mark, highest[i])
            worst += quantity * (low if quantity > 0 else high)
            best += quantity * (high if quantity > 0 else low)
        peak = max(self.peak, ledger.high)
        if best <= peak:
            ledger.lull = bars.values, ledger.revision
        if not worst > max(peak, best) * self._keep_of_peak:
            return False
        if self.state is TradingState.ACTIVE and not worst > self.day_start * self._keep_of_day:
            return False
        self._safe_in, self._safe_key = bars.values, key
        return True

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
            self.peak, self.ledger.lull = equity, (None, NEVER)
        if self.day != NEVER and not equity > self.day_start * self._keep_of_day:
            reason += f"; the day's loss counts from {equity:.2f} on, no longer from {self.day_start:.2f}"
            self.day_start = equity
        return reason

    def _take_back(self, at: Millis, reason: str) -> list[Event]:
        """Cancel the waiting orders that could still open something."""
        return [CancelRequest(at, order.symbol, order.id, reason) for order in self.orders.living() if not order.reduce_only]

    def _flatten(self, at: Millis, reason: str) -> list[Event]:
        """Cancel all that waits, and a reduce-only market order for every position."""
        out: list[Event] = [CancelRequest(at, "", "", reason)]
        for i in self.ledger.held:
            symbol, mark = self.ledger.symbols[i], self.ledger.marks[i]
            position = self.ledger.positions[symbol]
            quantity, last = position.quantity, exact(mark) if mark > 0.0 else position.cost / position.quantity
            side = OrderSide.SELL if quantity > 0 else OrderSide.BUY
            draft = Draft(at, symbol, side, OrderType.MARKET, abs(quantity), Purpose.FLATTEN, True, 0, last, "flatten")
            out.append(self.approve(draft))
        return out

    def _case(self, draft: Draft, i: int) -> Case:
        """The figures of a draft about the symbol at place `i`."""
        ledger, case = self.ledger, Case()
        case.draft, case.limits, case.ceilings, case.counts = draft, self.limits, self._ceilings, self._counts
        case.trades, case.instrument, case.lent = ledger.trades, self.instruments[draft.symbol], self._lent[draft.symbol]
        case.state, case.by = self.state, f"{self.by}: {self.reason}" if self.reason else self.by
        case.id, case.orders = link_id(self.run, draft.symbol, draft.bar_ms or draft.at, draft.leg), self.orders
        case.mark, case.marked_ms, case.equity = ledger.marks[i], ledger.marked_ms[i], ledger.equity_float()
        case.reference = float(draft.reference)
        case.opening = case.after = case.increase = case.gross_after = 0.0
        if draft.reduce_only:
            return case
        position = ledger.positions[draft.symbol].quantity
        buys, sells = self.orders.exposure(draft.symbol)
        before = max(abs(position + buys), abs(position - sells)) if buys or sells else abs(position)
        after = position + buys + draft.quantity if draft.side is OrderSide.BUY else position - sells - draft.quantity
        crosses = position and (after > 0) is not (position > 0)
        size = abs(after)
        case.after = float(size) * case.reference
        case.opening = case.after if crosses and size <= draft.quantity else float(draft.quantity) * case.reference
        if size > before:
            case.increase = float(size - before) * case.reference
        case.gross_after = self._gross_now(draft.at) + case.increase
        return case

    def _gross_now(self, at: Millis) -> float:
        """Sum over symbols of the larger of the two sides a position may reach, at marks; counted anew when a fill or time moved on."""
        key = (self.ledger.revision, at)
        if key != self._gross_key:
            ledger, waiting = self.ledger, self.orders.symbols()
            gross = 0.0
            for i in ledger.held:
                if ledger.symbols[i] not in waiting:
                    gross += abs(ledger.quantities[i]) * ledger.marks[i]
            for symbol in waiting:
                position = ledger.positions[symbol].quantity
                buys, sells = self.orders.exposure(symbol)
                gross += float(max(abs(position + buys), abs(position - sells))) * ledger.marks[ledger.index[symbol]]
            self._gross_key, self._gross = key, gross
        return self._gross


def _fall(before: float, after: float) -> float:
    """The part of `before` that is gone; all of it where there was nothing."""
    return 1.0 - after / before if before > 0.0 else 1.0
