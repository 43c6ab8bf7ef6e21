"""The limits of one order as a table: NAMES, in the order in which CHECKS makes them.

The rule: a check passes (None) or says why not, and what is not known does not pass. An order that only reduces exposure
passes every check on size and rate.
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from bot.events import Denial, OrderSide, OrderType, Purpose, TradingState
from bot.ledger import Trade
from bot.orders import OpenOrders
from feeds.instruments import Instrument
from feeds.times import DAY, HOUR, MINUTE, Millis

NEVER = -1
CLOSE_ENOUGH = 1.0 + 1e-9  # limits are compared in floats; a size rounded down from exactly the limit passes


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


class Ceilings:
    """The limits on one order as floats."""

    __slots__ = ("collar", "gross", "leverage", "order_notional", "order_share", "position_share")

    def __init__(self, limits: Limits) -> None:
        self.order_notional, self.order_share = float(limits.max_order_notional), float(limits.max_order_share)
        self.position_share, self.gross = float(limits.max_position_share), float(limits.max_gross)
        self.leverage, self.collar = float(limits.max_leverage), float(limits.collar)


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


class Counts:
    """What was sent, in event time: a bounded memory."""

    def __init__(self, limits: Limits) -> None:
        self.minute: deque[int] = deque(maxlen=limits.orders_per_minute)
        self._most_trips = limits.round_trips_per_hour
        self._day, self._today = NEVER, 0
        self._legs: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._trips: dict[str, deque[int]] = {}
        self._trades_seen = 0

    def sent(self, draft: Draft) -> None:
        """An approved order leaves."""
        self.minute.append(draft.at)
        self._today = self.today(draft.at) + 1
        self._day = draft.at // DAY
        if draft.bar_ms:
            bar_ms, legs = self.last(draft.symbol)
            self._legs[draft.symbol] = (draft.bar_ms, (*legs, draft.leg) if bar_ms == draft.bar_ms else (draft.leg,))

    def today(self, at: Millis) -> int:
        """Orders since 00:00 UTC."""
        return self._today if at // DAY == self._day else 0

    def last(self, symbol: str) -> tuple[int, tuple[str, ...]]:
        """The newest bar that the symbol had orders for, and their legs."""
        return self._legs.get(symbol, (NEVER, ()))

    def round_trips(self, symbol: str, trades: list[Trade], at: Millis) -> int:
        """Round trips of a symbol in the hour before `at`, or 0 when they are fewer than the limit; `trades` only ever grows."""
        while self._trades_seen < len(trades):
            trade = trades[self._trades_seen]
            self._trades_seen += 1
            if trade.symbol not in self._trips:
                self._trips[trade.symbol] = deque(maxlen=self._most_trips)
            self._trips[trade.symbol].append(trade.exit_ms)
        ends = self._trips.get(symbol)
        return len(ends) if ends and len(ends) == self._most_trips and at - ends[0] < HOUR else 0


class Case:
    """A draft with the figures that the checks share: floats, quote currency.

    opening      what the order opens, its closing part left out
    after        the position if all that waits on this side fills; increase: by how much that is more than now
    gross_after  the same over all symbols;  lent: times the equity that the venue lets positions be
    """

    __slots__ = (
        "after",
        "by",
        "ceilings",
        "counts",
        "draft",
        "equity",
        "gross_after",
        "id",
        "increase",
        "instrument",
        "lent",
        "limits",
        "mark",
        "marked_ms",
        "opening",
        "orders",
        "reference",
        "state",
        "trades",
    )

    draft: Draft
    id: str
    orders: OpenOrders
    limits: Limits
    ceilings: Ceilings
    counts: Counts
    trades: list[Trade]
    instrument: Instrument
    state: TradingState
    by: str
    equity: float
    lent: float
    mark: float
    marked_ms: int
    reference: float
    opening: float
    after: float
    increase: float
    gross_after: float


Objection = tuple[str, Denial, str] | None  # name of the check that did not pass, its code and why


def check_permission(case: Case) -> Objection:
    """state: ACTIVE; or an exit while REDUCING; or the flattening that was asked for.
    duplicate: one order for each symbol, bar and leg, and none for a bar that is over.
    """
    draft = case.draft
    if case.state is not TradingState.ACTIVE and not (draft.reduce_only and draft.purpose is Purpose.FLATTEN):
        if case.state is not TradingState.REDUCING:
            return "state", Denial.HALTED, f"trading is HALTED, by {case.by}"
        if not draft.reduce_only:
            return "state", Denial.REDUCING, f"only exits pass while REDUCING, by {case.by}"
    bar_ms, legs = case.counts.last(draft.symbol)
    if draft.bar_ms and (draft.bar_ms < bar_ms or (draft.bar_ms == bar_ms and draft.leg in legs)):
        return "duplicate", Denial.DUPLICATE, f"{draft.symbol} has had its {draft.leg} order for the bar closing at {bar_ms}"
    if case.orders.get(case.id) is not None:
        return "duplicate", Denial.DUPLICATE, f"{draft.symbol} has this {draft.leg} order already"
    return None


def check_market(case: Case) -> Objection:
    """price: the last close is known; a way out needs none. data_age: neither the last close nor the decision is old.
    collar: the price is near the last close: of a limit order its limit, else the price that it was sized by.
    """
    draft, reference, mark = case.draft, case.reference, case.mark
    flattens = draft.purpose is Purpose.FLATTEN
    if not (reference > 0.0 and (mark > 0.0 or flattens)):
        return "price", Denial.NO_PRICE, f"the price of {draft.symbol} is not known"
    if not draft.reduce_only:
        age = draft.at - min(case.marked_ms, draft.bar_ms or case.marked_ms)
        if not age <= case.limits.max_data_age:
            most = case.limits.max_data_age // 1000
            return "data_age", Denial.STALE, f"the price is {age // 1000} s old; at most {most} s are allowed"
    if flattens:
        return None
    price = reference if draft.price is None else float(draft.price)
    off, collar = abs(price / mark - 1.0), case.ceilings.collar
    if off <= collar * CLOSE_ENOUGH:
        return None
    return "collar", Denial.COLLAR, f"price {price} is {off:.2%} from the last close {mark}; at most {collar:.2%} is allowed"


def check_size(case: Case) -> Objection:
    """least_order: whole lots, and as much as the exchange wants at least. order: what one order opens."""
    draft, instrument = case.draft, case.instrument
    if draft.quantity <= 0 or draft.quantity % instrument.lot:
        return "least_order", Denial.ORDER_SIZE, f"quantity {draft.quantity} is no positive multiple of the lot {instrument.lot}"
    if draft.reduce_only:
        return None
    if not (draft.quantity >= instrument.least_quantity and draft.quantity * draft.reference >= instrument.least_notional):
        worth, least = case.reference * float(draft.quantity), f"{instrument.least_quantity} and {instrument.least_notional}"
        return "least_order", Denial.ORDER_SIZE, f"{draft.quantity} {draft.symbol}, worth {worth:.2f}, is below the least order of {least}"
    most = min(case.ceilings.order_notional, case.ceilings.order_share * case.equity)
    if case.opening <= most * CLOSE_ENOUGH:
        return None
    return "order", Denial.ORDER_SIZE, _above("the order would open", case.opening, most)


def check_exposure(case: Case) -> Objection:
    """position: one symbol's; gross: all of them; leverage: all against the account; margin: what the venue lends."""
    equity, gross, ceilings = case.equity, case.gross_after, case.ceilings
    if case.increase != 0.0:
        if not case.after <= ceilings.position_share * equity * CLOSE_ENOUGH:
            detail = _above(f"{case.draft.symbol} would be at", case.after, ceilings.position_share * equity)
            return "position", Denial.POSITION, detail
        if not gross <= ceilings.gross * equity * CLOSE_ENOUGH:
            return "gross", Denial.GROSS, _above("all positions would be at", gross, ceilings.gross * equity)
        if not gross <= ceilings.leverage * equity * CLOSE_ENOUGH:
            return "leverage", Denial.LEVERAGE, _above("all positions would be at", gross, ceilings.leverage * equity)
    if case.draft.reduce_only or (equity > 0.0 and gross <= case.lent * equity * CLOSE_ENOUGH):
        return None
    return "margin", Denial.MARGIN, f"the account of {equity:.2f} cannot carry positions of {gross:.2f}"


def check_rates(case: Case) -> Objection:
    """orders_per_minute, orders_per_day: of any symbol; round_trips: repeated automated execution of one symbol."""
    draft, limits, counts = case.draft, case.limits, case.counts
    if draft.reduce_only:
        return None
    sent, most = counts.minute, limits.orders_per_minute
    if not (len(sent) < most or draft.at - sent[0] >= MINUTE):
        return "orders_per_minute", Denial.RATE, f"{len(sent)} orders within a minute; at most {most} are allowed"
    today, most = counts.today(draft.at), limits.orders_per_day
    if today >= most:
        return "orders_per_day", Denial.RATE, f"{today} orders today; at most {most} are allowed"
    made, most = counts.round_trips(draft.symbol, case.trades, draft.at), limits.round_trips_per_hour
    if made < most:
        return None
    return "round_trips", Denial.RATE, f"{made} round trips of {draft.symbol} within an hour; at most {most} are allowed"


def _above(what: str, figure: float, most: float) -> str:
    """A figure above the most that is allowed, or one of them is not known."""
    return f"{what} {figure:.2f}; at most {most:.2f} is allowed"


CHECKS: tuple[Callable[[Case], Objection], ...] = (check_permission, check_market, check_size, check_exposure, check_rates)
NAMES = (
    "state", "duplicate", "price", "data_age", "collar", "least_order", "order", "position", "gross", "leverage", "margin",
    "orders_per_minute", "orders_per_day", "round_trips",
)  # fmt: skip
