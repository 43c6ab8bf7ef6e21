"""The book again, bar by bar and symbol by symbol, in Decimal: slow, plain, and written without looking at the fast one."""

from collections import deque
from decimal import Decimal, getcontext
from typing import NamedTuple

import numpy as np

from bot.research.market import Market
from bot.research.settings import Settings
from feeds.bars import Array

getcontext().prec = 40
ZERO = Decimal(0)


class Slow(NamedTuple):
    returns: Array
    costs: Array
    funding: Array
    turnover: Array
    gross: Array
    weights: Array
    trades: int
    missed: int
    ended: int


def exact(x: float) -> Decimal | None:
    return None if x != x else Decimal(float(x))


def slow_book(market: Market, weights: Array, settings: Settings) -> Slow:
    """weights  float64[T, S] wanted at each close, NaN: leave alone; a row of NaN is no decision."""
    rows, symbols = market.close.shape
    costs = settings.costs
    rate = (Decimal(costs.fee_bps) + Decimal(costs.spread_bps) / 2 + Decimal(costs.slippage_bps)) / 10_000
    last_bar = [max((t for t in range(rows) if market.close[t, s] == market.close[t, s]), default=-1) for s in range(symbols)]
    cash, units, mark = Decimal(settings.capital), [ZERO] * symbols, [ZERO] * symbols
    orders: deque[tuple[int, list[Decimal | None]]] = deque()
    table = np.zeros((5, rows))
    held = np.zeros((rows, symbols))
    trades = missed = ended = 0

    def charge(size: Decimal, price: Decimal, volume: float) -> Decimal:
        share = Decimal(1)
        if volume == volume and volume > 0:
            share = min(Decimal(1), size / Decimal(float(volume)))
        return size * price * (rate + Decimal(costs.impact_bps) / 10_000 * share.sqrt())

    for t in range(rows):
        opens = [exact(market.open[t, s]) for s in range(symbols)]
        for s in range(symbols):
            mark[s] = opens[s] if opens[s] is not None else mark[s]
        before = cash + sum(u * m for u, m in zip(units, mark, strict=True))
        paid = traded = ZERO
        for s in range(symbols):  # prices have ended
            if units[s] and t == last_bar[s] + 1:
                notional = abs(units[s]) * mark[s]
                cost = notional * (rate + Decimal(costs.haircut_bps) / 10_000)
                cash += units[s] * mark[s] - cost
                paid, traded, units[s], ended = paid + cost, traded + notional, ZERO, ended + 1
        if orders and orders[0][0] == t:
            for s, wanted in enumerate(orders.popleft()[1]):
                if wanted is None or wanted == units[s]:
                    continue
                price = opens[s]
                if price is None:
                    missed += 1
                    continue
                change = wanted - units[s]
                cost = charge(abs(change), price, market.volume[t, s])
                cash -= change * price + cost
                paid, traded, units[s], trades = paid + cost, traded + abs(change) * price, wanted, trades + 1
        after = before - paid
        exposed = [u * m for u, m in zip(units, mark, strict=True)]
        held[t] = [float(x / after) for x in exposed]
        table[4, t] = float(sum(abs(x) for x in exposed) / after)
        closes = [exact(market.close[t, s]) for s in range(symbols)]
        for s in range(symbols):
            mark[s] = closes[s] if closes[s] is not None else mark[s]
        funding = sum(u * m * Decimal(float(market.funding[t, s])) for s, (u, m) in enumerate(zip(units, mark, strict=True)))
        if settings.funding:
            cash -= funding
        else:
            funding = ZERO
        equity = cash + sum(u * m for u, m in zip(units, mark, strict=True))
        if not np.isnan(weights[t]).all() and t + settings.latency < rows:
            order: list[Decimal | None] = []
            for s in range(symbols):
                weight, close = exact(weights[t, s]), closes[s]
                wanted = None if weight is None or close is None else weight * equity / close
                if wanted is not None and close is not None and wanted * units[s] > 0:
                    near = abs(wanted - units[s]) * close <= Decimal(settings.band) * equity
                    wanted = None if settings.band and near else wanted
                order.append(wanted)
            orders.append((t + settings.latency, order))
        if t == rows - 1:
            for s in range(symbols):
                if units[s]:
                    cost = charge(abs(units[s]), mark[s], market.volume[t, s])
                    paid, traded, equity, trades = paid + cost, traded + abs(units[s]) * mark[s], equity - cost, trades + 1
        ahead = [exact(market.open[t + 1, s]) if t + 1 < rows else None for s in range(symbols)]
        value = equity if t == rows - 1 else cash + sum(
            u * (o if o is not None else m) for u, o, m in zip(units, ahead, mark, strict=True)
        )  # fmt: skip
        table[:4, t] = float(value / before - 1), float(paid / before), float(funding / before), float(traded / before)
    return Slow(*table, held, trades, missed, ended)
