"""The limits of one order as a table: CHECKS, in the order in which they are made.

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


Objection = tuple[Denial, str] | None


def check_state(case: Case) -> Objection:
    """ACTIVE; or an exit while REDUCING; or the flattening that was asked for."""
    draft = case.draft
    if case.state is TradingState.ACTIVE or (draft.reduce_only and draft.purpose is Purpose.FLATTEN):
        return None
    if case.state is TradingState.REDUCING:
        return None if draft.reduce_only else (Denial.REDUCING, f"only exits pass while REDUCING, by {case.by}")
    return Denial.HALTED, f"trading is HALTED, by {case.by}"


def check_duplicate(case: Case) -> Objection:
    """One order for each symbol, bar and leg, and none for a bar that is over."""
    draft = case.draft
    bar_ms, legs = case.counts.last(draft.symbol)
    if draft.bar_ms and (draft.bar_ms < bar_ms or (draft.bar_ms == bar_ms and draft.leg in legs)):
        return Denial.DUPLICATE, f"{draft.symbol} has had its {draft.leg} order for the bar closing at {bar_ms}"
    return (Denial.DUPLICATE, f"{draft.symbol} has this {draft.leg} order already") if case.orders.get(case.id) is not None else None


def check_price(case: Case) -> Objection:
    """The last close is known; a way out needs none."""
    if case.reference > 0.0 and (case.mark > 0.0 or case.draft.purpose is Purpose.FLATTEN):
        return None
    return Denial.NO_PRICE, f"the price of {case.draft.symbol} is not known"


def check_age(case: Case) -> Objection:
    """Neither the last close nor the decision is old."""
    age = case.draft.at - min(case.marked_ms, case.draft.bar_ms or case.marked_ms)
    if case.draft.reduce_only or age <= case.limits.max_data_age:
        return None
    return Denial.STALE, f"the price is {age // 1000} s old; at most {case.limits.max_data_age // 1000} s are allowed"


def check_collar(case: Case) -> Objection:
    """The price is near the last close: of a limit order its limit, else the price that it was sized by."""
    if case.draft.purpose is Purpose.FLATTEN:
        return None
    price = case.reference if case.draft.price is None else float(case.draft.price)
    off, most = abs(price / case.mark - 1.0), case.ceilings.collar
    if off <= most * CLOSE_ENOUGH:
        return None
    return Denial.COLLAR, f"price {price} is {off:.2%} from the last close {case.mark}; at most {most:.2%} is allowed"


def check_least(case: Case) -> Objection:
    """Whole lots, and as much as the exchange wants at least."""
    draft, instrument = case.draft, case.instrument
    if draft.quantity <= 0 or draft.quantity % instrument.lot:
        return Denial.ORDER_SIZE, f"quantity {draft.quantity} is no positive multiple of the lot {instrument.lot}"
    if draft.reduce_only or (draft.quantity >= instrument.least_quantity and draft.quantity * draft.reference >= instrument.least_notional):
        return None
    return Denial.ORDER_SIZE, (
        f"{draft.quantity} {draft.symbol}, worth {case.reference * float(draft.quantity):.2f}, is below the least order of "
        f"{instrument.least_quantity} and {instrument.least_notional}"
    )


def check_order(case: Case) -> Objection:
    """What one order opens."""
    most = min(case.ceilings.order_notional, case.ceilings.order_share * case.equity)
    return None if case.draft.reduce_only else _above(Denial.ORDER_SIZE, "the order would open", case.opening, most)


def check_position(case: Case) -> Objection:
    """One symbol's position."""
    if case.increase == 0.0:
        return None
    return _above(Denial.POSITION, f"{case.draft.symbol} would be at", case.after, case.ceilings.position_share * case.equity)


def check_gross(case: Case) -> Objection:
    """All positions."""
    if case.increase == 0.0:
        return None
    return _above(Denial.GROSS, "all positions would be at", case.gross_after, case.ceilings.gross * case.equity)


def check_leverage(case: Case) -> Objection:
    """All positions against the account."""
    if case.increase == 0.0:
        return None
    return _above(Denial.LEVERAGE, "all positions would be at", case.gross_after, case.ceilings.leverage * case.equity)


def check_margin(case: Case) -> Objection:
    """What the venue lends."""
    most = case.lent * case.equity
    if case.draft.reduce_only or (case.equity > 0.0 and case.gross_after <= most * CLOSE_ENOUGH):
        return None
    return Denial.MARGIN, f"the account of {case.equity:.2f} cannot carry positions of {case.gross_after:.2f}"


def check_minute(case: Case) -> Objection:
    """Orders of the last minute, any symbol."""
    sent, most = case.counts.minute, case.limits.orders_per_minute
    if case.draft.reduce_only or len(sent) < most or case.draft.at - sent[0] >= MINUTE:
        return None
    return Denial.RATE, f"{len(sent)} orders within a minute; at most {most} are allowed"


def check_day(case: Case) -> Objection:
    """Orders of this UTC day, any symbol."""
    sent, most = case.counts.today(case.draft.at), case.limits.orders_per_day
    if case.draft.reduce_only or sent < most:
        return None
    return Denial.RATE, f"{sent} orders today; at most {most} are allowed"


def check_round_trips(case: Case) -> Objection:
    """Repeated automated execution of one symbol."""
    if case.draft.reduce_only:
        return None
    made, most = case.counts.round_trips(case.draft.symbol, case.trades, case.draft.at), case.limits.round_trips_per_hour
    if made < most:
        return None
    return Denial.RATE, f"{made} round trips of {case.draft.symbol} within an hour; at most {most} are allowed"


def _above(code: Denial, what: str, figure: float, most: float) -> Objection:
    """An objection when the figure is above the most that is allowed, or when either is not known."""
    if figure <= most * CLOSE_ENOUGH:
        return None
    return code, f"{what} {figure:.2f}; at most {most:.2f} is allowed"


CHECKS: tuple[tuple[str, Callable[[Case], Objection]], ...] = (
    ("state", check_state),
    ("duplicate", check_duplicate),
    ("price", check_price),
    ("data_age", check_age),
    ("collar", check_collar),
    ("least_order", check_least),
    ("order", check_order),
    ("position", check_position),
    ("gross", check_gross),
    ("leverage", check_leverage),
    ("margin", check_margin),
    ("orders_per_minute", check_minute),
    ("orders_per_day", check_day),
    ("round_trips", check_round_trips),
)
NAMES = tuple(name for name, _ in CHECKS)
MADE = tuple(check for _, check in CHECKS)
