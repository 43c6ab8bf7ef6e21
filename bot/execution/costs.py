"""What a trade costs: fees, half the spread, slippage, market impact. Pure functions of a price and a size.

The rule: costs only ever worsen a price, and money is rounded against us: fees up, prices to the next tick on the worse side.
docs/fills.md has the table with examples.
"""

import math
from decimal import ROUND_CEILING, Context, Decimal

import msgspec

from feeds.instruments import Instrument, exact

BPS = Decimal(10_000)
CENT = Decimal("1e-8")  # fees and payments are kept to this many digits, rounded up
ONE = Decimal(1)
WIDE = Context(prec=80)  # so that absurd prices and volumes are absurd amounts and not an exception


class Costs(msgspec.Struct, frozen=True):
    """Basis points of notional (fees) and of the price (the rest); on by default and on the pessimistic side.

    taker_bps, maker_bps  fees; a negative maker fee is a rebate
    spread_bps            between bid and ask; a taker pays half
    slippage_bps          what a taker pays beyond the spread, always
    impact                bps for an order as large as the bar's volume; an order of q pays impact x sqrt(q / volume): the
                          square-root law (Torre 1997; Almgren et al. 2005; Toth et al. 2011) with the bar's volatility
                          taken as a constant, so that it is known before the bar is

    Raises ValueError naming a value that cannot be.
    """

    taker_bps: Decimal = Decimal("5.5")
    maker_bps: Decimal = Decimal(2)
    spread_bps: Decimal = Decimal(1)
    slippage_bps: Decimal = Decimal(1)
    impact: Decimal = Decimal(100)

    def __post_init__(self) -> None:
        for name in ("taker_bps", "spread_bps", "slippage_bps", "impact"):
            if not 0 <= getattr(self, name) < BPS:
                raise ValueError(f"costs.{name} is {getattr(self, name)}; give basis points between 0 and 10000")
        if abs(self.maker_bps) > self.taker_bps and self.maker_bps < 0:
            raise ValueError(f"costs.maker_bps is {self.maker_bps}; a rebate above the taker fee would make every trade a gain")


FREE = Costs(*(Decimal(0),) * 5)


class Rates(msgspec.Struct, frozen=True):
    """Costs as fractions. `taking` is half the spread and the slippage together."""

    taker: Decimal
    maker: Decimal
    half_spread: Decimal
    taking: Decimal
    impact: float

    @classmethod
    def of(cls, costs: Costs) -> "Rates":
        half = costs.spread_bps / 2 / BPS
        return cls(
            taker=costs.taker_bps / BPS, maker=costs.maker_bps / BPS, half_spread=half, taking=half + costs.slippage_bps / BPS,
            impact=float(costs.impact / BPS),
        )  # fmt: skip


def fee(notional: Decimal, rate: Decimal) -> Decimal:
    """Quote currency, positive means paid, rounded up to 1e-8."""
    return (notional * rate).quantize(CENT, ROUND_CEILING, WIDE)


def room(volume: float, share: Decimal, lot: Decimal) -> Decimal:
    """Our share of a bar's volume in whole lots."""
    return WIDE.divide_int(exact(volume) * share, lot) * lot


def worsening(rates: Rates, quantity: Decimal | float, volume: float) -> Decimal:
    """The fraction by which a taker's price is worse than the touched one.

    quantity, volume  base units; a volume that is not known or zero counts as the order's own size
    """
    if rates.impact == 0.0:
        return rates.taking
    participation = min(1.0, float(quantity) / volume) if volume > 0 else 1.0
    return rates.taking + exact(round(rates.impact * math.sqrt(participation), 10))


def taker_price(touched: Decimal, sign: int, worse: Decimal, instrument: Instrument) -> Decimal:
    """What a taker pays (sign +1) or gets (-1): the touched price worsened, on the next tick that is not better."""
    if sign > 0:
        return instrument.price_for_buyer(touched * (ONE + worse))
    return max(instrument.price_for_seller(touched * (ONE - worse)), instrument.tick)


def funding(quantity: Decimal, mark: Decimal, rate: float) -> Decimal:
    """Quote currency, positive means paid: signed position x mark x rate, rounded up to 1e-8."""
    return (quantity * mark * exact(rate)).quantize(CENT, ROUND_CEILING, WIDE)
