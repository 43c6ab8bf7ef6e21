"""What we do about it: orders, their fates, money moved, and the operator's word. Money is Decimal here."""

from decimal import Decimal

from feeds.events import Event, Word
from feeds.instruments import Instrument


class TradingState(Word):
    """ACTIVE trades; REDUCING lets only exposure-reducing orders pass; HALTED lets none."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class OrderSide(Word):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(Word):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"  # becomes a market order when the price trades through `trigger`


class Purpose(Word):
    ENTRY = "entry"
    EXIT = "exit"
    FLIP = "flip"  # closes and opens the other way in one order
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    FLATTEN = "flatten"  # the operator or risk wants out
    LIQUIDATION = "liquidation"


class Status(Word):
    """The life of an order; `bot/orders.py` holds what may follow what."""

    INTENT = "INTENT"
    SENT = "SENT"
    OPEN = "OPEN"
    PARTIAL = "PARTIAL"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"


class Denial(Word):
    """Why risk or the trader said no. Codes of `reliability.md`, and ours for what it leaves open."""

    ORDER_SIZE = "D_ORDER_SIZE"  # above the maximum, or below the instrument's minimum
    POSITION = "D_POSITION"
    GROSS = "D_GROSS"
    LEVERAGE = "D_LEVERAGE"
    COLLAR = "D_COLLAR"
    DUPLICATE = "D_DUP"
    RATE = "D_RATE"
    LOSS = "D_LOSS"
    STALE = "D_STALE"
    REDUCING = "D_REDUCING"
    HALTED = "D_HALTED"
    MARGIN = "D_MARGIN"  # the account cannot carry it
    NO_PRICE = "D_NO_PRICE"
    NO_VOLATILITY = "D_NO_VOLATILITY"  # sizing by volatility, and it is not known yet
    COOL_DOWN = "D_COOL_DOWN"
    PENDING = "D_PENDING"  # an order for this symbol is still under way


class OrderRequest(Event, frozen=True):
    """An approved order, made by `bot/risk.py` alone. Quantities are positive, in base units.

    id          the orderLinkId: deterministic from run, symbol, bar and leg
    bar_ms      the bar close whose decision it follows (0: none)
    stop, take  trigger prices of orders attached to the entry (None: none)
    """

    id: str
    symbol: str
    side: OrderSide
    type: OrderType
    quantity: Decimal
    purpose: Purpose
    reduce_only: bool
    bar_ms: int
    reference: Decimal
    price: Decimal | None = None
    trigger: Decimal | None = None
    post_only: bool = False
    stop: Decimal | None = None
    take: Decimal | None = None


class CancelRequest(Event, frozen=True):
    """Take back an order, or every waiting order of a symbol (`id` empty), or all (`symbol` empty too)."""

    symbol: str
    id: str
    reason: str


class OrderUpdate(Event, frozen=True):
    """What became of an order. `filled` is cumulative."""

    id: str
    symbol: str
    status: Status
    filled: Decimal
    reason: str = ""


class Fill(Event, frozen=True):
    """A trade of ours. `fee` positive means paid (quote currency).

    exec_id    unique: a fill counts once
    filled_ms  when it happened, at most `at`
    slippage   (price - reference) x quantity x direction, quote currency, positive = worse than the reference
    """

    exec_id: str
    order_id: str
    symbol: str
    side: OrderSide
    price: Decimal
    quantity: Decimal
    fee: Decimal
    maker: bool
    filled_ms: int
    purpose: Purpose
    slippage: Decimal


class FundingPaid(Event, frozen=True):
    """Funding charged to a position: `payment` positive means paid (quote currency)."""

    symbol: str
    settle_ms: int
    rate: float
    quantity: Decimal  # signed position
    mark: Decimal
    payment: Decimal


class Refusal(Event, frozen=True):
    """The answer is no, and why. Not an error."""

    symbol: str
    bar_ms: int
    purpose: Purpose
    code: Denial
    detail: str


class StateChanged(Event, frozen=True):
    """The trading state moved. `by` is "operator" or the name of the limit."""

    state: TradingState
    by: str
    reason: str


class Verb(Word):
    HALT = "halt"
    REDUCE = "reduce"
    RESUME = "resume"
    STOP = "stop"


class Command(Event, frozen=True):
    """The operator's word. `id` is the row it came from: each is obeyed once."""

    id: int
    verb: Verb
    reason: str
    cancel: bool = False
    flatten: bool = False


class Started(Event, frozen=True):
    """A session begins or goes on. Bars that closed at or before `at` only warm the engine up.

    instruments  the trading rules that it goes by;  metrics  the names that its feeds may give
    """

    run: str
    mode: str
    instruments: tuple[Instrument, ...] = ()
    metrics: tuple[str, ...] = ()
