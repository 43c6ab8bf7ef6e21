"""Builders with defaults, so that a test says only what matters to it."""

from decimal import Decimal

import numpy as np

from feeds.bars import Array, Bars
from feeds.events import Candle, Metric, News
from feeds.instruments import Instrument
from feeds.times import MINUTE

START = 1_704_067_200_000  # 2024-01-01T00:00Z


def candle(symbol: str = "BTCUSDT", row: int = 0, *, open: float = 100.0, high: float = 101.0, low: float = 99.0, close: float = 100.0,
           volume: float = 10.0, at: int | None = None) -> Candle:  # fmt: skip
    """A one-minute bar, `row` minutes after START."""
    begin = START + row * MINUTE
    return Candle(at=begin + MINUTE if at is None else at, symbol=symbol, open_ms=begin, close_ms=begin + MINUTE, open=open, high=high,
                  low=low, close=close, volume=volume)  # fmt: skip


def bars(closes: Array, symbols: tuple[str, ...] = ("BTCUSDT",), *, spread: float = 0.001, volume: float = 10.0) -> Bars:
    """One-minute bars from START with these closes, float64[T] or float64[T, S]; each opens at the close before."""
    closes = np.asarray(closes, float).reshape(len(closes), -1)
    opens = np.vstack([closes[:1], closes[:-1]])
    opens = np.where(np.isnan(opens), closes, opens)
    high, low = np.maximum(opens, closes) * (1 + spread), np.minimum(opens, closes) * (1 - spread)
    rest = np.where(np.isnan(closes), np.nan, volume)
    opens = np.where(np.isnan(closes), np.nan, opens)
    values = np.stack([opens, high, low, closes, rest, np.full_like(closes, np.nan)], axis=1)
    return Bars(symbols, MINUTE, START // MINUTE, values)


def walk(rows: int, seed: int = 1, symbols: int = 1, scale: float = 0.002) -> Array:
    """A geometric random walk around 100, float64[rows, symbols]."""
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, scale, (rows, symbols)), axis=0))


def metric(name: str, value: float, at: int, symbol: str | None = None) -> Metric:
    return Metric(at=at, name=name, symbol=symbol, value=value)


def story(sentiment: float | None, at: int, *, symbols: tuple[str, ...] = (), kind: str = "news", id: str = "") -> News:
    return News(at=at, id=id or f"s{at}", title="A story", source="test", symbols=symbols, sentiment=sentiment, kind=kind)


INSTRUMENT = Instrument(
    symbol="BTCUSDT", tick=Decimal("0.01"), lot=Decimal("0.001"), least_quantity=Decimal("0.001"), least_notional=Decimal(5)
)
