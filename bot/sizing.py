"""How large a position a decision wants, and the rules of trading that say so.

The rule: evidence becomes money here, rounded down to what the exchange takes: never more than was wanted.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from bot.events import Denial, Purpose, Refusal
from bot.ledger import Ledger
from feeds.instruments import Instrument, exact
from strategies.events import Decision


class Rules(msgspec.Struct, frozen=True):
    """From a decision to the size and shape of an order. Shares are fractions of equity, distances fractions of the price.

    sizing             "fixed": `share`; "volatility": target_volatility / volatility, at most `share`; "notional": that
                       much of quote currency at the deciding close, whatever the equity
    target_volatility  annual volatility that one position adds, a fraction of equity
    exit_threshold     a long ends when the score falls below it, a short when it rises above minus it
    reversal           the opposite view turns the position in one order ("flip") or closes it first ("flat")
    long_only          SHORT only closes
    order_type         of entries; exits are market orders. A limit entry stands limit_offset_bps from the close on our side
                       and is taken back after limit_bars; post_only: rather cancelled than taking
    stop_loss, take_profit  attached to the entry (None: none)
    cool_down_bars     no entry for so many bars after a position ended (0: none)
    max_bars           a position ends after so many bars (None: no limit)
    rebalance_band     a position is moved to its target when it is further off, a fraction of equity

    Raises ValueError naming a rule that cannot be.
    """

    sizing: Literal["fixed", "volatility", "notional"] = "fixed"
    share: Decimal = Decimal("0.1")
    notional: Decimal = Decimal(1000)
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
    rebalance_band: float = 0.01

    def __post_init__(self) -> None:
        for name in ("share", "notional", "target_volatility", "limit_bars", "stop_loss", "take_profit", "max_bars"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"trading.{name} is {value}; it must be above 0")
        if not self.rebalance_band >= 0:
            raise ValueError(f"trading.rebalance_band is {self.rebalance_band}; it must not be below 0")
        if self.stop_loss is not None and self.stop_loss >= 1:
            raise ValueError(f"trading.stop_loss is {self.stop_loss}; a stop at or below zero can never be reached")


class Sizes:
    """Sizes of positions under some rules."""

    def __init__(self, rules: Rules, ledger: Ledger, instruments: Mapping[str, Instrument]) -> None:
        self.rules, self.ledger, self.instruments = rules, ledger, instruments
        self._share, self._target = float(rules.share), float(rules.target_volatility)
        self._most = {symbol: instrument.quantity(instrument.most_quantity) for symbol, instrument in instruments.items()}

    def size(self, decision: Decision) -> Decimal | Refusal:
        """Base units of a new position, rounded down; or why there can be none."""
        instrument = self.instruments[decision.symbol]
        if not decision.price > 0.0:
            return refusal(decision, Purpose.ENTRY, Denial.NO_PRICE, f"the price of {decision.symbol} is not known")
        share = self._share
        if decision.target == decision.target:
            share = abs(decision.target)
        elif self.rules.sizing == "notional":
            quantity = self.quantity(decision, self.rules.notional)
            if quantity:
                return quantity
            detail = f"a notional of {self.rules.notional} is less than the least quantity {instrument.least_quantity}"
            return refusal(decision, Purpose.ENTRY, Denial.ORDER_SIZE, detail)
        elif self.rules.sizing == "volatility":
            if not decision.volatility > 0.0:
                detail = f"the volatility of {decision.symbol} is not known"
                return refusal(decision, Purpose.ENTRY, Denial.NO_VOLATILITY, detail)
            share = min(share, self._target / decision.volatility)
        notional = max(0.0, self.ledger.equity_float() * share)
        quantity = self.quantity(decision, exact(notional))
        if quantity <= 0:
            detail = f"{share:.4f} of equity is {notional:.2f}, less than the least quantity {instrument.least_quantity}"
            return refusal(decision, Purpose.ENTRY, Denial.ORDER_SIZE, detail)
        return quantity

    def quantity(self, decision: Decision, notional: Decimal) -> Decimal:
        """Base units of this notional, rounded down to what the exchange takes; 0 where that is nothing."""
        instrument = self.instruments[decision.symbol]
        quantity = instrument.quantity(notional / exact(decision.price))
        return quantity if quantity <= self._most[decision.symbol] else self._most[decision.symbol]


def refusal(decision: Decision, purpose: Purpose, code: Denial, detail: str) -> Refusal:
    """The answer is no, and why."""
    return Refusal(decision.at, decision.symbol, decision.bar_ms, purpose, code, detail)
