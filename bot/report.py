"""What a run came to, as one value: the terminal, the HTML page and scripts show the same.

The rule: nothing is worked out here and nothing is written. Text from outside is carried as it is; who shows it makes it harmless.
"""

from decimal import Decimal

import msgspec

from bot.metrics import Metrics
from bot.shortfall import Shortfall
from bot.trips import RoundTrip

ZERO = Decimal(0)


class Curve(msgspec.Struct, frozen=True):
    """The account over time, arrays of one length.

    at_ms     bar closes;  equity  quote currency
    drawdown  below the highest equity so far, a fraction <= 0
    gross, net  position notional as a share of equity (net: long less short)
    """

    at_ms: tuple[int, ...] = ()
    equity: tuple[float, ...] = ()
    drawdown: tuple[float, ...] = ()
    gross: tuple[float, ...] = ()
    net: tuple[float, ...] = ()


class SymbolPart(msgspec.Struct, frozen=True):
    """What one symbol contributed. pnl is net of fees and funding, slippage is contained in it; traded: notional of its fills."""

    symbol: str
    fills: int
    traded: Decimal
    pnl: Decimal
    fees: Decimal
    funding: Decimal
    slippage: Decimal


class SignalPart(msgspec.Struct, frozen=True):
    """What one signal contributed to the entries.

    entries  of how many round trips it had a part;  size  mean |contribution| to their scores
    pnl      each closed trip's profit, shared by contribution / score: signals that disagreed get the opposite sign, and the
             parts of a trip add up to its profit
    """

    name: str
    entries: int
    size: float
    pnl: float


class Costs(msgspec.Struct, frozen=True):
    """Quote currency; positive means paid. traded: notional of all fills.

    maker_fees  part of `fees`;  parts  what `slippage` is made of (None: the volumes of the bars are not known)
    """

    fees: Decimal = ZERO
    funding: Decimal = ZERO
    slippage: Decimal = ZERO
    traded: Decimal = ZERO
    maker_fees: Decimal = ZERO
    parts: Shortfall | None = None

    @property
    def total(self) -> Decimal:
        return self.fees + self.funding + self.slippage


class Mark(msgspec.Struct, frozen=True):
    """Something that was done, or not done, at a price.

    kind  long, short (entries), exit, stop, target, liquidation; refused_long, refused_short: a signal that was not taken
    said  one line about it, for whoever points at it
    """

    at_ms: int
    price: float
    kind: str
    said: str


class Refused(msgspec.Struct, frozen=True):
    """A signal that was not taken: what was wanted, and why it was not made. price: the close that decided (None: not known)."""

    at_ms: int
    symbol: str
    side: str
    purpose: str
    price: float | None
    code: str
    detail: str


class Chart(msgspec.Struct, frozen=True):
    """What one symbol's price did, and what we did at it.

    at_ms, low, high, close  by stretch of bars, for the eye; None where no bar is known
    held_ms, held            signed quantity held from each instant on, base units, one point a fill
    marks                    in order of time;  left_out  how many more there were than can be drawn
    """

    symbol: str
    at_ms: tuple[int, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    close: tuple[float | None, ...]
    held_ms: tuple[int, ...] = ()
    held: tuple[float, ...] = ()
    marks: tuple[Mark, ...] = ()
    left_out: int = 0


class Rolling(msgspec.Struct, frozen=True):
    """Sharpe ratio and volatility of the returns up to each instant. window, step: milliseconds; None where it cannot be had."""

    window: int
    step: int
    at_ms: tuple[int, ...]
    sharpe: tuple[float | None, ...]
    volatility: tuple[float | None, ...]


class RegimePart(msgspec.Struct, frozen=True):
    """The days of one kind of market: their return together, mean, Sharpe ratio a year (None: too few), and the worst of them."""

    name: str
    days: int
    total_return: float
    mean: float
    sharpe: float | None = None
    worst: float | None = None


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the report of a run shows.

    mode       replay, paper or live;  synthetic  the market was invented
    start_ms, end_ms  the span that was traded, UTC milliseconds
    months     (year, month, return);  days  (start of the UTC day, return)
    reasons    decisions by reason, in bar closes times symbols;  refusals  by code;  refused  the newest of them
    skipped    bar closes times symbols without an order, by reason, all together with `traded` as many as were decided
    remainder  what no signal can be given: with `by_signal` it adds up to the change of the equity
    settings   every effective setting, dotted
    """

    run: str
    mode: str
    symbols: tuple[str, ...]
    timeframe: int
    start_ms: int
    end_ms: int
    equity_start: Decimal
    equity_end: Decimal
    metrics: Metrics
    state: str = "finished"
    synthetic: bool = False
    curve: Curve = Curve()
    months: tuple[tuple[int, int, float], ...] = ()
    days: tuple[tuple[int, float], ...] = ()
    trades: tuple[RoundTrip, ...] = ()
    costs: Costs = Costs()
    by_symbol: tuple[SymbolPart, ...] = ()
    by_signal: tuple[SignalPart, ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()
    refusals: tuple[tuple[str, int], ...] = ()
    refused: tuple[Refused, ...] = ()
    skipped: tuple[tuple[str, int], ...] = ()
    traded: int = 0
    remainder: tuple[tuple[str, float], ...] = ()
    by_regime: tuple[RegimePart, ...] = ()
    charts: tuple[Chart, ...] = ()
    rolling: Rolling | None = None
    settings: tuple[tuple[str, str], ...] = ()
    factors: tuple[tuple[str, str], ...] = ()
    assumptions: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    seed: int = 0
    digest: str = ""
    data_hash: str = ""
    config_hash: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    command: str = ""
