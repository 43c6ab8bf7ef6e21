"""A trading desk without an engine: views go in as numbers, everything from the trader on is real."""

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.bus import Bus
from bot.events import CancelRequest, Command, Fill, FundingPaid, OrderRequest, OrderUpdate
from bot.execution.costs import FREE, Costs
from bot.execution.simulated import Fills, SimulatedExecutor
from bot.ledger import Ledger
from bot.orders import OpenOrders
from bot.risk import Limits, Risk
from bot.trader import Rules, Trader
from feeds.bars import CLOSE, Array, Bars
from feeds.events import Candle, Event, Funding, Tick
from feeds.instruments import Instrument
from strategies.events import BarClosed, Decision, Reason, Side
from tests.builders import START

SIDES = {1: Side.LONG, -1: Side.SHORT, 0: Side.HOLD}
WIDE = Limits(
    max_order_notional=Decimal("1e12"), max_order_share=Decimal(100), max_position_share=Decimal(100), max_gross=Decimal(100),
    max_leverage=Decimal(100), collar=Decimal("0.5"), daily_loss=Decimal(1), max_drawdown=Decimal(1), orders_per_minute=10**6,
    orders_per_day=10**9, round_trips_per_hour=10**6,
)  # fmt: skip
PLAIN = Rules(cool_down_bars=0, stop_loss=None)
EXACT = Fills(latency_ms=0, volume_share=Decimal(1))
INSTRUMENTS_TICK = Decimal("0.01")


def instrument(symbol: str = "BTCUSDT", **given: object) -> Instrument:
    """A perpetual with a lot of 0.001 and a tick of 0.01."""
    base = {
        "tick": INSTRUMENTS_TICK, "lot": Decimal("0.001"), "least_quantity": Decimal("0.001"), "least_notional": Decimal(5),
    }  # fmt: skip
    return Instrument(symbol=symbol, **{**base, **given})  # type: ignore[arg-type]


class Views(NamedTuple):
    """Views of many bars: side int8[T, S], score float64[T, S]; targets float64[T, S], none at all when not given."""

    bars: Bars
    side: NDArray[np.int8]
    score: Array
    targets: Array | None = None

    @property
    def target(self) -> Array:
        return np.broadcast_to(np.nan, self.side.shape) if self.targets is None else self.targets


class Desk:
    """Trader, risk, simulated exchange and ledger on a bus; `log` has every event in order."""

    def __init__(
        self, symbols: tuple[str, ...] = ("BTCUSDT",), *, rules: Rules = PLAIN, limits: Limits = WIDE, costs: Costs = FREE,
        fills: Fills = EXACT, cash: Decimal = Decimal(10_000), **instruments: object,
    ) -> None:  # fmt: skip
        self.symbols = symbols
        self.instruments = {symbol: instrument(symbol, **instruments) for symbol in symbols}
        self.ledger = Ledger(cash, symbols)
        self.orders = OpenOrders()
        self.risk = Risk(limits, self.ledger, self.orders, self.instruments)
        self.trader = Trader(rules, self.risk, self.ledger, self.orders, self.instruments)
        self.executor = SimulatedExecutor(self.instruments, costs, fills, cash, symbols)
        self.log: list[Event] = []
        self.bus = Bus(self._tap)
        on = self.bus.on
        on(Candle, self.executor.on_candle)
        on(Candle, self.ledger.on_candle)
        on(Funding, self.executor.on_funding)
        on(FundingPaid, self.ledger.on_funding_paid)
        on(BarClosed, self.risk.on_bar_closed)
        on(Decision, self.trader.on_decision)
        on(OrderRequest, self.orders.on_order)
        on(OrderRequest, self.executor.on_order)
        on(CancelRequest, self.executor.on_cancel)
        on(OrderUpdate, self.orders.on_update)
        on(Fill, self.orders.on_fill)
        on(Fill, self.ledger.on_fill)
        on(Fill, self.trader.on_fill)
        on(Tick, self.risk.on_tick)
        on(Command, self.risk.on_command)

    def _tap(self, event: Event, cause: int) -> int:
        self.log.append(event)
        return len(self.log)

    def settle(self, *events: Event) -> None:
        for event in events:
            self.bus.settle(event)

    def bar(
        self, candle: Candle, side: int = 0, score: float | None = None, volatility: float = 0.5, target: float = math.nan
    ) -> None:  # fmt: skip
        """A bar of one symbol, its close, and a view on it."""
        self.settle(candle, BarClosed(candle.at, candle.close_ms), view(candle, side, score, volatility, target))

    def row(self, views: Views, row: int) -> None:
        """One bar close of the whole universe."""
        present = views.bars.present(row)
        if not present:
            return
        candles = [views.bars.candle(row, s) for s in present]
        at = views.bars.close_ms(row)
        self.settle(*candles, BarClosed(at, at))
        for candle, s in zip(candles, present, strict=True):
            self.settle(view(candle, int(views.side[row, s]), float(views.score[row, s]), target=float(views.target[row, s])))

    def run(self, views: Views, *, step: bool, others: Iterable[tuple[int, Event]] = ()) -> list[float]:
        """All rows, or only those at which something could happen; returns the closing equity of each row."""
        equity: list[float] = []
        waiting = sorted(others, key=lambda pair: pair[0])
        row, rows = 0, views.bars.rows
        while row < rows:
            while waiting and waiting[0][0] <= row:
                self.settle(waiting.pop(0)[1])
            stop = min(rows, waiting[0][0]) if waiting else rows
            visit = row if step else self.next_visit(views, row, stop)
            if visit > row:
                equity += self.ledger.equity_rows(views.bars, row, visit).tolist()
                self.ledger.skip(views.bars, row, visit)
                self.executor.skip(views.bars, row, visit)
            if visit < stop:
                self.row(views, visit)
                equity.append(self.ledger.equity_float())
                visit += 1
            row = visit
        for _, event in waiting:
            self.settle(event)
        return equity

    def next_visit(self, views: Views, row: int, stop: int) -> int:
        stop = self.executor.first_touch(views.bars, row, stop)
        stop = self.trader.first_action(views, row, stop)
        return self.risk.first_trip(views.bars, row, stop)

    def of(self, *kinds: type[Event]) -> list[Event]:
        return [event for event in self.log if isinstance(event, kinds)]

    @property
    def fills(self) -> list[Fill]:
        return [event for event in self.log if isinstance(event, Fill)]


def view(candle: Candle, side: int, score: float | None = None, volatility: float = 0.5, target: float = math.nan) -> Decision:
    """What somebody thinks of a symbol at the close of this bar."""
    return Decision(
        at=candle.at, symbol=candle.symbol, bar_ms=candle.close_ms, side=SIDES[side], reason=Reason.WEAK_SCORE,
        score=float(side) if score is None else score, confidence=1.0, newest_ms=candle.at, price=candle.close, volatility=volatility,
        contributions=(), digest="", target=target,
    )  # fmt: skip


def random_views(
    rows: int, seed: int, symbols: int = 1, *, missing: float = 0.02, scale: float = 0.003, loud: float = 0.7, timeframe: int = 60_000
) -> Views:
    """Random bars with holes, and random views on them."""
    draw = np.random.default_rng(seed)
    closes = 100.0 * np.exp(np.cumsum(draw.normal(0.0, scale, (rows, symbols)), axis=0))
    opens = np.vstack([closes[:1], closes[:-1]]) * np.exp(draw.normal(0.0, scale / 4, (rows, symbols)))
    high = np.maximum(opens, closes) * np.exp(np.abs(draw.normal(0.0, scale / 2, (rows, symbols))))
    low = np.minimum(opens, closes) * np.exp(-np.abs(draw.normal(0.0, scale / 2, (rows, symbols))))
    volume = draw.lognormal(3.0, 1.5, (rows, symbols)).round(3)
    values = np.stack([opens, high, low, closes, volume, np.full_like(closes, np.nan)], axis=1)
    values[:, :4] = values[:, :4].round(2)
    values[:, 1] = values[:, :4].max(axis=1)
    values[:, 2] = values[:, :4].min(axis=1)
    values = np.where(draw.random((rows, 1, symbols)) < missing, np.nan, values)
    names = tuple(f"S{i}USDT" for i in range(symbols))
    score = np.zeros((rows, symbols))
    for row in range(1, rows):  # slow, so that positions are held
        score[row] = 0.97 * score[row - 1] + draw.normal(0.0, 0.12, symbols)
    score = np.tanh(score)
    side = np.where(np.abs(score) > 1.0 - loud, np.sign(score), 0).astype(np.int8)
    gone = np.isnan(values[:, CLOSE])
    return Views(Bars(names, timeframe, START // timeframe, values), np.where(gone, 0, side).astype(np.int8), np.where(gone, np.nan, score))
