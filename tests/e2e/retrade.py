"""From decisions to orders a second time, with the limits that they must pass, from docs/signals.md and docs/config.md.

The rule: nothing of the product that trades is imported here. Every bar close is visited, every limit taken anew from the books.
"""

import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Any, NamedTuple

from tests.e2e.resettle import BPS, ONE, ZERO, Market, Order, exact, stepped

DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
SURE = 1 + 1e-9


class Asked(NamedTuple):
    """An order as it was asked for; `bar_ms` 0: by a limit."""

    at: int
    symbol: str
    bar_ms: int
    purpose: str
    side: int
    kind: str
    quantity: Decimal
    reference: Decimal
    price: Decimal | None = None
    stop: Decimal | None = None
    take: Decimal | None = None


class Wish(NamedTuple):
    """One decision: side +1, -1, 0."""

    side: int
    score: float
    price: float
    volatility: float


class Account:
    """All that is asked for, and all that is refused: (bar, symbol, purpose, code); states (at, state, by)."""

    def __init__(self, markets: Mapping[str, Market], cash: Decimal, trading: Mapping[str, Any], risk: Mapping[str, Any], tf: int) -> None:
        self.markets, self.cash, self.trading, self.risk, self.timeframe = markets, cash, trading, risk, tf
        self.asked: list[Asked] = []
        self.refused: list[tuple[int, str, str, str]] = []
        self.states: list[tuple[int, str, str]] = []
        self.cancelled: list[tuple[int, str]] = []
        self.state, self.told = "ACTIVE", set[tuple[str, str, int]]()
        self.cooled = set[tuple[str, int, int]]()
        self.peak, self.day, self.day_start, self.tripped = -math.inf, -1, math.nan, -1
        self.gross = 0.0

    def equity(self) -> Decimal:
        """Cash flow and open positions at their marks."""
        worth = sum((m.position * exact(m.mark) for m in self.markets.values() if m.position), ZERO)
        return self.cash - sum((m.flow + m.fees + m.funding for m in self.markets.values()), ZERO) + worth

    def booked(self) -> Decimal:
        """Cash: initial - fees - funding + realised."""
        return self.cash + sum((m.realised - m.fees - m.funding for m in self.markets.values()), ZERO)

    def exposure(self) -> tuple[float, float]:
        """Gross and net."""
        values = [float(m.position) * m.mark for m in self.markets.values() if m.position]
        return sum(map(abs, values)), sum(values)

    def close(self, at: int, views: Mapping[str, Wish]) -> None:
        """Limits, then the decision of each symbol that had a bar; cancellations count after all of them."""
        drops = self._hold_to_limits(at)
        self.gross = 0.0
        for market in self.markets.values():
            buys, sells = _waiting(market)
            if market.position or market.orders:
                self.gross += float(max(abs(market.position + buys), abs(market.position - sells))) * market.mark
        for symbol, view in views.items():
            drops += self._decide(at, self.markets[symbol], view)
        for market, order in drops:
            if not order.over:
                market.drop(order)

    def _change(self, at: int, state: str, by: str) -> None:
        self.state = state
        self.told.clear()
        self.states.append((at, state, by))

    def _hold_to_limits(self, at: int) -> list[tuple[Market, Order]]:
        equity = float(self.equity())
        self.peak = max(self.peak, equity)
        drops: list[tuple[Market, Order]] = []
        if self.state != "HALTED" and equity <= self.peak * (1 - float(self.risk["max_drawdown"])):
            self._change(at, "HALTED", "max_drawdown")
            drops = [(market, order) for market in self.markets.values() for order in market.orders if order.parent is None]
            for symbol, market in self.markets.items():
                if market.position:
                    side = -1 if market.position > 0 else 1
                    self._send(market, Asked(at, symbol, 0, "flatten", side, "MARKET", abs(market.position), exact(market.mark)))
        elif self.state == "ACTIVE" and self.day >= 0 and equity <= self.day_start * (1 - float(self.risk["daily_loss"])):
            self.tripped = at
            self._change(at, "REDUCING", "daily_loss")
            drops = [(market, order) for market in self.markets.values() for order in market.orders if not order.reduces]
        if at // DAY != self.day:
            self.day, self.day_start = at // DAY, equity
            if self.state == "REDUCING" and self.tripped != at:
                self._change(at, "ACTIVE", "daily_loss")
        return drops

    def _decide(self, at: int, market: Market, view: Wish) -> list[tuple[Market, Order]]:
        rules, waiting = self.trading, market.waiting()
        if waiting is not None:
            against = view.side == -waiting.sign
            if waiting.kind == "limit":
                if against or self._bars(waiting.key[0], at) >= rules["limit_bars"]:
                    self.cancelled.append((at, market.symbol))
                    return [(market, waiting)]
            elif against:
                self.refused.append((at, market.symbol, "entry", "D_PENDING"))
            return []
        if not market.position:
            if view.side > 0 or (view.side < 0 and not rules["long_only"]):
                self._enter(at, market, view)
            return []
        held = 1 if market.position > 0 else -1
        if view.side == -held:
            flips = rules["reversal"] == "flip" and not rules["long_only"] and self.state == "ACTIVE"
            if not flips or not self._open(at, market, "flip", view):
                self._exit(at, market, held, view)
        elif (rules["max_bars"] and self._bars(market.opened_ms, at) >= rules["max_bars"]) or (
            view.side == 0 and held * view.score < rules["exit_threshold"]
        ):
            self._exit(at, market, held, view)
        return []

    def _bars(self, since: int, at: int) -> int:
        return at // self.timeframe - since // self.timeframe

    def _enter(self, at: int, market: Market, view: Wish) -> None:
        if (market.symbol, "entry", view.side) in self.told:
            return
        if market.closed_ms is not None and self._bars(market.closed_ms, at) - 1 < self.trading["cool_down_bars"]:
            wait = (market.symbol, market.closed_ms, view.side)
            if wait not in self.cooled:
                self.cooled.add(wait)
                self.refused.append((at, market.symbol, "entry", "D_COOL_DOWN"))
            return
        self._open(at, market, "entry", view)

    def _exit(self, at: int, market: Market, held: int, view: Wish) -> None:
        if (market.symbol, "exit", -held) in self.told:
            return
        if self.state == "HALTED":
            self._refuse(at, market, "exit", -held, "D_HALTED")
            return
        self._send(market, Asked(at, market.symbol, at, "exit", -held, "MARKET", abs(market.position), exact(view.price)))

    def _open(self, at: int, market: Market, purpose: str, view: Wish) -> bool:
        """An entry or a flip, if it may be; whether it was sent."""
        rules, sign, close = self.trading, view.side, exact(view.price)
        share = exact(float(rules["share"]))
        if rules["sizing"] == "volatility":
            if not view.volatility > 0:
                self.refused.append((at, market.symbol, "entry", "D_NO_VOLATILITY"))
                return False
            share = min(share, exact(float(rules["target_volatility"]) / view.volatility))
        size = stepped(max(ZERO, self.equity()) * share / close, market.rules["lot"], ROUND_DOWN)
        if not size:
            self.refused.append((at, market.symbol, "entry", "D_ORDER_SIZE"))
            return False
        price, kind, entry = None, "MARKET", close
        if rules["order_type"] == "limit" and purpose == "entry":
            kind = "LIMIT"
            entry = price = _away(market, close, -sign, rules["limit_offset_bps"] / BPS)
        stop = _away(market, entry, -sign, rules["stop_loss"]) if rules["stop_loss"] else None
        take = _away(market, entry, sign, rules["take_profit"]) if rules["take_profit"] else None
        asked = Asked(at, market.symbol, at, purpose, sign, kind, size + abs(market.position), close, price, stop, take)
        code, increase = self._objection(market, asked)
        if code:
            self._refuse(at, market, purpose, sign, code)
            return False
        self.gross += increase
        self._send(market, asked)
        return True

    def _refuse(self, at: int, market: Market, purpose: str, sign: int, code: str) -> None:
        self.refused.append((at, market.symbol, purpose, code))
        if code in ("D_HALTED", "D_REDUCING"):
            self.told.add((market.symbol, purpose, sign))

    def _objection(self, market: Market, asked: Asked) -> tuple[str, float]:
        """The first limit that an order does not pass ("": none), and by how much it adds to all positions."""
        risk, equity, reference = self.risk, float(self.equity()), float(asked.reference)
        if self.state != "ACTIVE":
            return f"D_{self.state}", 0.0
        if asked.quantity * asked.reference < market.rules["least_notional"]:
            return "D_ORDER_SIZE", 0.0
        buys, sells = _waiting(market)
        before = max(abs(market.position + buys), abs(market.position - sells))
        after = market.position + buys + asked.quantity if asked.side > 0 else market.position - sells - asked.quantity
        turns = market.position and (after > 0) is not (market.position > 0)
        opening = float(min(abs(after), asked.quantity) if turns else asked.quantity) * reference
        increase = max(0.0, float(abs(after) - before)) * reference
        if opening > SURE * min(float(risk["max_order_notional"]), float(risk["max_order_share"]) * equity):
            return "D_ORDER_SIZE", 0.0
        if increase and float(abs(after)) * reference > SURE * float(risk["max_position_share"]) * equity:
            return "D_POSITION", 0.0
        for limit, code in (("max_gross", "D_GROSS"), ("max_leverage", "D_LEVERAGE")):
            if increase and self.gross + increase > SURE * float(risk[limit]) * equity:
                return code, 0.0
        made = sum(asked.at - exit_ms < HOUR for exit_ms in market.exits)
        if made >= risk["round_trips_per_hour"] or self._sent(asked.at) >= risk["orders_per_day"]:
            return "D_RATE", 0.0
        return "", increase

    def _sent(self, at: int) -> int:
        """Orders of this UTC day so far."""
        count = 0
        for order in reversed(self.asked):
            if order.at // DAY != at // DAY:
                break
            count += 1
        return count

    def _send(self, market: Market, asked: Asked) -> None:
        self.asked.append(asked)
        market.orders.append(
            Order(
                (asked.bar_ms, asked.purpose), asked.kind.lower(), asked.side, asked.quantity, asked.at, level=asked.price,
                reduces=asked.purpose in ("exit", "flatten"), reference=asked.reference, stop=asked.stop, take=asked.take,
            )
        )  # fmt: skip


def _waiting(market: Market) -> tuple[Decimal, Decimal]:
    """What may still be bought, and sold, by orders that can open."""
    rest = [(order.sign, order.quantity - order.filled) for order in market.orders if not order.reduces]
    return sum((left for sign, left in rest if sign > 0), ZERO), sum((left for sign, left in rest if sign < 0), ZERO)


def _away(market: Market, price: Decimal, sign: int, distance: Decimal) -> Decimal:
    """Moved up or down by a fraction, on the further tick."""
    return stepped(price * (ONE + sign * distance), market.rules["tick"], ROUND_CEILING if sign > 0 else ROUND_FLOOR)
