"""The book of a back-test: weights wanted at closes become units held, traded at a later open, with what that costs.

The rule: a decision uses what its close knew, a trade takes the open that came after it, and every trade is charged where it happens,
the first entry and the last exit too. Between trades units stay as they are. What has no price is not traded and keeps its last mark.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.research.market import Market, ends, forward_filled
from bot.research.settings import Costs, Settings
from feeds.bars import Array

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
END, TRADE, DECIDE = range(3)  # what happens in a row, in this order
CHUNK_VALUES = 1 << 19  # rows x factors x symbols that are marked at once
TINY = 1e-300  # a volume of which any trade is all


class Book(NamedTuple):
    """What one factor's positions made. Row t runs from the open of bar t to the next open (the last one to its close).

    returns   float64[T] of equity, after costs and funding
    price     float64[T] of equity, by prices alone;  costs, funding  float64[T] what was paid: returns = price - costs - funding
    gross     float64[T] sum of |positions| after the row's trades, as a fraction of equity;  net  of the positions with their signs
    turnover  float64[T] traded notional, as a fraction of equity before the trades
    weights   float64[T, S] positions after the row's trades, as fractions of equity;  traded  float64[T, S] notional of each symbol, as
              turnover; None where nobody asked
    trades    how many;  missed  how many found no price;  ended  positions closed because their prices ended
    stale     rows x symbols in which a position had no price of its own
    ruined    the row in which equity fell to nothing, -1 where it never did
    """

    returns: Array
    price: Array
    costs: Array
    funding: Array
    gross: Array
    net: Array
    turnover: Array
    weights: Array | None
    traded: Array | None
    trades: int
    missed: int
    ended: int
    stale: int
    ruined: int


class _Prices(NamedTuple):
    """Of a market, for a book: float64[T, S], marks float64[T + 1, S] at each open and after the last close, 0 before the first price.

    paid  float64[T + 1, S], funding that one unit has paid before each open;  ends  int64[S]
    """

    open: Array
    close: Array
    marks: Array
    closes: Array
    paid: Array
    volume: Array
    ends: Rows

    @classmethod
    def of(cls, market: Market, funding: bool) -> "_Prices":
        closes = np.nan_to_num(forward_filled(market.close))
        before = np.vstack([np.zeros((1, closes.shape[1])), closes[:-1]])
        marks = np.vstack([np.where(np.isnan(market.open), before, market.open), closes[-1:]])
        paid = np.zeros(marks.shape)
        if funding:
            np.cumsum(np.nan_to_num(market.funding) * closes, axis=0, out=paid[1:])
        return cls(market.open, market.close, marks, closes, paid, np.nan_to_num(market.volume), ends(market))


def simulate(market: Market, weights: Array, settings: Settings) -> Book:
    """The book of weights wanted at each close.

    weights   float64[T, S]: signed fractions of equity; NaN: leave as it is. A row of NaN is no decision
    settings  latency, band, capital, costs and funding are obeyed; how weights came about is not asked again
    """
    rows = np.flatnonzero(~np.isnan(weights).all(axis=1))
    return simulate_many(market, rows, weights[rows][:, None], settings, held=True)[0]


def simulate_many(market: Market, rows: Rows, weights: Array, settings: Settings, held: bool = False) -> list[Book]:
    """The books of several factors at once: each as if it were alone, bit for bit.

    rows     int64[N] ascending, at whose closes is decided;  weights  float64[N, F, S]
    held     whether the positions and the trades at every bar are wanted
    """
    prices = _Prices.of(market, settings.funding)
    runner = _Runner(prices, settings, weights, held)
    runner.run(rows)
    return runner.books()


class _Runner:
    """Walks over the rows in which something happens: decisions, the trades that follow, and ends of symbols."""

    def __init__(self, prices: _Prices, settings: Settings, weights: Array, held: bool) -> None:
        self.prices, self.settings, self.weights = prices, settings, weights
        factors, symbols = weights.shape[1:]
        self.rows = len(prices.open)
        self.by_symbol = np.zeros((factors, self.rows, symbols)) if held else None
        self.units = np.zeros((factors, symbols))
        self.cash = np.full(factors, settings.capital)
        self.since = 0  # row of the last trade: funding is settled up to its open
        self.orders: dict[int, Array] = {}
        self.traded, self.paid = np.zeros((2, self.rows, factors))  # money, by row
        self.leaving = np.zeros(factors)  # what the last exit costs
        self.counts = np.zeros((3, factors), np.int64)  # trades, missed, ended
        most = 2 + len(weights) + symbols
        self.begins, self.held, self.money = np.zeros(most, np.int64), np.zeros((most, factors, symbols)), np.zeros((most, factors))
        self.money[0], self.stretches = settings.capital, 1
        self.holes: Mask = np.asarray(np.isnan(prices.open).any(axis=1))
        with np.errstate(divide="ignore"):
            self.inverse = np.where(prices.close > 0, 1.0 / prices.close, np.nan)

    def run(self, rows: Rows) -> None:
        late = self.settings.latency
        events = [(int(row), DECIDE, i) for i, row in enumerate(rows) if row + late < self.rows]
        events += [(row + late, TRADE, i) for row, _, i in events]
        events += [(int(row), END, s) for s, row in enumerate(self.prices.ends) if 0 < row < self.rows]
        for row, kind, which in sorted(events):
            if kind == DECIDE:
                self.decide(row, which)
            elif kind == TRADE:
                self.trade(row, self.orders.pop(which))
            else:
                self.end(row, which)

    def decide(self, row: int, which: int) -> None:
        """Units wanted, by the equity and the prices of this close; NaN where nothing is to be done."""
        marks = self.prices.closes[row] - (self.prices.paid[row + 1] - self.prices.paid[self.since])
        equity = np.maximum(self.cash + _total(self.units * marks), 0.0)
        wanted = self.weights[which] * (equity[:, None] * self.inverse[row])
        if self.settings.band:
            away = np.abs(wanted - self.units) * self.prices.closes[row]
            near = (away <= self.settings.band * equity[:, None]) & (wanted * self.units > 0)
            wanted = np.where(near, np.nan, wanted)
        self.orders[which] = wanted

    def trade(self, row: int, wanted: Array) -> None:
        price = self.prices.open[row]
        change = wanted - self.units
        if self.holes[row]:
            self.counts[1] += ((np.abs(change) > 0) & np.isnan(price)).sum(axis=1)
            price = np.nan_to_num(price)
            change = np.where(price > 0, change, 0.0)
        change = np.where(change == change, change, 0.0)
        size = np.abs(change)
        notional = size * price
        cost = notional * self._rates(size, self.prices.volume[row])
        self._settle(row)
        paid = _total(cost)
        self.cash -= _total(change * price) + paid
        self.units = self.units + change
        self.counts[0] += np.count_nonzero(size, axis=1)
        if self.by_symbol is not None:
            self.by_symbol[:, row] += notional
        self._note(row, _total(notional), paid)

    def end(self, row: int, symbol: int) -> None:
        """A symbol has no more prices: its positions are closed at the last one, less the haircut."""
        units, price = self.units[:, symbol], float(self.prices.closes[row - 1, symbol])
        if not units.any():
            return
        costs = self.settings.costs
        notional = np.abs(units) * price
        cost = notional * (costs.rate + costs.haircut_bps / 1e4)
        self._settle(row)
        self.cash += units * price - cost
        self.counts[2] += units != 0
        self.units = self.units.copy()
        self.units[:, symbol] = 0.0
        if self.by_symbol is not None:
            self.by_symbol[:, row, symbol] += notional
        self._note(row, notional, cost)

    def _rates(self, size: Array, volume: Array) -> Array:
        """Cost as a fraction of the notional, impact included; a bar without volume counts as if the trade were all of it."""
        costs: Costs = self.settings.costs
        if not costs.impact_bps:
            return np.full(size.shape, costs.rate)
        share = np.minimum(size / np.where(volume > 0, volume, TINY), 1.0)
        rates: Array = costs.rate + costs.impact_bps / 1e4 * np.sqrt(share)
        return rates

    def _settle(self, row: int) -> None:
        """Take from cash the funding since the last trade."""
        self.cash = self.cash - _total(self.units * (self.prices.paid[row] - self.prices.paid[self.since]))
        self.since = row

    def _note(self, row: int, notional: Array, cost: Array) -> None:
        self.traded[row] += notional
        self.paid[row] += cost
        if self.begins[self.stretches - 1] == row:
            self.stretches -= 1
        at = self.stretches
        self.begins[at], self.held[at], self.money[at] = row, self.units, self.cash
        self.stretches += 1

    def books(self) -> list[Book]:
        """Mark every row, close what is left at the last close, and express all of it in fractions of equity."""
        prices, rows, factors = self.prices, self.rows, self.weights.shape[1]
        begins, units, cash = (kept[: self.stretches] for kept in (self.begins, self.held, self.money))
        stretch = np.searchsorted(begins, np.arange(rows), side="right") - 1
        equity = np.full((rows + 1, factors), self.settings.capital)  # at each open, before its trades
        gross, net, funding = np.zeros((3, rows, factors))
        stale = np.zeros(factors, np.int64)
        weights = np.zeros((factors, rows, units.shape[2])) if self.by_symbol is not None else None
        step = max(1, CHUNK_VALUES // units[0].size)
        for low in range(0, rows, step):
            span = slice(low, min(rows, low + step))
            own = stretch[span]
            here = units[own]
            since = prices.paid[begins[own]]
            after = slice(span.start + 1, span.stop + 1)
            equity[after] = cash[own] + (here * (prices.marks[after] - prices.paid[after] + since)[:, None]).sum(axis=2)
            funding[span] = (here * (prices.paid[after] - prices.paid[span])[:, None]).sum(axis=2)
            exposed = here * prices.marks[span][:, None]
            gross[span], net[span] = np.abs(exposed).sum(axis=2), exposed.sum(axis=2)
            stale += ((here != 0) & np.isnan(prices.open[span])[:, None]).sum(axis=(0, 2))
            if weights is not None:
                weights[:, span] = exposed.transpose(1, 0, 2)
        self._close(units[-1], equity)
        return [self._book(f, equity[:, f], gross[:, f], net[:, f], funding[:, f], int(stale[f]), weights) for f in range(factors)]

    def _close(self, units: Array, equity: Array) -> None:
        """The last exit, at the last close."""
        notional = np.abs(units) * self.prices.closes[-1]
        cost = notional * self._rates(np.abs(units), self.prices.volume[-1])
        if self.by_symbol is not None:
            self.by_symbol[:, -1] += notional
        self.traded[-1] += notional.sum(axis=1)
        self.paid[-1] += cost.sum(axis=1)
        self.counts[0] += (units != 0).sum(axis=1)
        equity[-1] -= cost.sum(axis=1)
        self.leaving = cost.sum(axis=1)

    def _book(self, f: int, equity: Array, gross: Array, net: Array, funding: Array, stale: int, weights: Array | None) -> Book:
        lost = np.flatnonzero(equity <= 0.0)
        ruined = int(lost[0]) - 1 if lost.size else -1
        alive = np.ones(self.rows, bool)
        if lost.size:
            alive[lost[0] :] = False
        start = np.where(alive, equity[:-1], 1.0)
        left = equity[:-1] - self.paid[:, f]
        left[-1] += self.leaving[f]  # paid at the close, not at the open
        after = np.where(alive, np.maximum(left, 1e-300), 1.0)
        returns = np.where(alive, np.maximum(equity[1:], 0.0) / start - 1.0, 0.0)
        costs, paid, turnover = (np.where(alive, x / start, 0.0) for x in (self.paid[:, f], funding, self.traded[:, f]))
        return Book(
            returns=returns, price=returns + costs + paid, costs=costs, funding=paid,
            gross=np.where(alive, gross / after, 0.0), net=np.where(alive, net / after, 0.0), turnover=turnover,
            weights=None if weights is None else np.where(alive[:, None], weights[f] / after[:, None], 0.0),
            traded=None if self.by_symbol is None else np.where(alive[:, None], self.by_symbol[f] / start[:, None], 0.0),
            trades=int(self.counts[0, f]), missed=int(self.counts[1, f]), ended=int(self.counts[2, f]), stale=stale, ruined=ruined,
        )  # fmt: skip


def _total(values: Array) -> Array:
    """Over symbols."""
    total: Array = np.add.reduce(values, axis=1)
    return total
