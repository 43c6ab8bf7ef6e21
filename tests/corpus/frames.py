"""The candles that the functions are tried on: hourly frames on one grid, as pandas frames and as a block for the machine.

Two are real where the data is there; the others hold what real ones rarely do: missing bars, flat stretches, no volume, one price for ever.
Columns beside the candle are made up from the same seed: what matters is that they have holes and steps.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

HOUR = 3_600_000
FIRST_MS = 1_735_689_600_000  # 2025-01-01, midnight: the sessions of a day begin with the block
BARS = 600
FIELDS = (
    "open", "high", "low", "close", "volume", "turnover", "vwap", "returns",
    "funding_rate", "open_interest", "long_short_ratio", "sentiment_news", "sentiment_social", "news_count",
    "exchange_netflow", "whale_balance_change", "tvl", "stablecoin_supply", "active_addresses", "fear_greed",
)  # fmt: skip
REAL = {"btc": "BTCUSDT", "doge": "DOGEUSDT"}


def frames(data: Path | None = None) -> dict[str, pd.DataFrame]:
    """By name, all on the same index; with `data` (the shared market data) two real ones come first."""
    made = {name: _real(data, symbol) for name, symbol in REAL.items()} if data is not None else {}
    return made | {"gaps": _walk(11, holes=True), "flat": _flat(12), "still": _still()}


def whole_frames() -> dict[str, pd.DataFrame]:
    """Without a hole, for libraries that cannot have one: what is recorded of them stands on these."""
    return {"walk": _walk(13, holes=False), "flat": _flat(12)}


def block(tables: dict[str, pd.DataFrame]) -> Array:
    """float64[bar, field, symbol] in the order of FIELDS."""
    return np.stack([t[list(FIELDS)].to_numpy(np.float64) for t in tables.values()], axis=2)


def replaced_after(table: pd.DataFrame, bar: int) -> pd.DataFrame:
    """The same frame with another future from `bar` on: nothing known before may notice."""
    other = table.copy()
    wave = 1.5 + np.sin(np.arange(len(table) - bar))[:, None] / 3
    other.iloc[bar:] = table.iloc[bar:].to_numpy()[::-1] * wave
    return other


def _index() -> pd.DatetimeIndex:
    return pd.date_range(pd.Timestamp(FIRST_MS, unit="ms"), periods=BARS, freq="h")


def _real(data: Path, symbol: str) -> pd.DataFrame:
    whole = pd.read_parquet(data / "candles" / "1h_perp_binance" / f"{symbol}.parquet")
    part = whole[(whole["ts_ms"] >= FIRST_MS) & (whole["ts_ms"] < FIRST_MS + BARS * HOUR)]
    assert len(part) == BARS
    candles = part[["open", "high", "low", "close", "volume"]].set_axis(_index(), axis=0).astype(float)
    return _with_others(candles, np.random.default_rng(len(symbol)))


def _walk(seed: int, holes: bool) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(draw.normal(0, 0.01, BARS)))
    opened = np.concatenate([[100.0], close[:-1]]) * (1 + draw.normal(0, 0.001, BARS))
    high = np.maximum(opened, close) * (1 + np.abs(draw.normal(0, 0.004, BARS)))
    low = np.minimum(opened, close) * (1 - np.abs(draw.normal(0, 0.004, BARS)))
    volume = draw.lognormal(10, 1, BARS)
    candles = pd.DataFrame({"open": opened, "high": high, "low": low, "close": close, "volume": volume}, index=_index())
    table = _with_others(candles, draw)
    if holes:
        for start, length in ((150, 1), (260, 7), (440, 1), (445, 1), (500, 30)):
            table.iloc[start : start + length] = np.nan
    return table


def _flat(seed: int) -> pd.DataFrame:
    """Prices on a tick of a sixteenth with stretches where nothing trades."""
    table = _walk(seed, holes=False)
    prices = ["open", "high", "low", "close"]
    table[prices] = (table[prices] * 16).round() / 16
    for start, length in ((60, 25), (300, 45)):
        table.iloc[start : start + length, [table.columns.get_loc(p) for p in prices]] = table["close"].iloc[start - 1]
        table.iloc[start : start + length, table.columns.get_loc("volume")] = 0.0
    table["volume"] = table["volume"].round()
    return _with_others(table[[*prices, "volume"]], np.random.default_rng(seed))


def _still() -> pd.DataFrame:
    """One price for ever; the volume stops in the middle."""
    candles = pd.DataFrame(7.5, index=_index(), columns=["open", "high", "low", "close"])
    candles["volume"] = np.where(np.arange(BARS) < BARS // 2, 1000.0, 0.0)
    return _with_others(candles, np.random.default_rng(3))


def _with_others(candles: pd.DataFrame, draw: np.random.Generator) -> pd.DataFrame:
    table = candles.copy()
    typical = (table["high"] + table["low"] + table["close"]) / 3
    table["turnover"] = typical * table["volume"]
    table["vwap"] = typical
    table["returns"] = table["close"].pct_change()
    table["funding_rate"] = np.repeat(draw.normal(1e-4, 2e-4, BARS // 8 + 1), 8)[:BARS].round(6)
    table["open_interest"] = 1e6 * np.exp(np.cumsum(draw.normal(0, 0.01, BARS)))
    table["long_short_ratio"] = np.exp(draw.normal(0, 0.2, BARS))
    table["sentiment_news"] = _holed(draw, np.tanh(draw.normal(0, 1, BARS)), 0.6)
    table["sentiment_social"] = _holed(draw, np.tanh(draw.normal(0, 1, BARS)), 0.2)
    table["news_count"] = draw.poisson(2, BARS).astype(float)
    table["exchange_netflow"] = np.repeat(draw.normal(0, 5000, BARS // 24 + 1), 24)[:BARS]
    table["whale_balance_change"] = draw.normal(0, 1500, BARS)
    for name, level in (("tvl", 5e10), ("stablecoin_supply", 1.5e11), ("active_addresses", 9e5)):
        table[name] = np.repeat(level * np.exp(np.cumsum(draw.normal(0, 0.01, BARS // 24 + 1))), 24)[:BARS]
    table["fear_greed"] = np.repeat(draw.integers(5, 95, BARS // 24 + 1), 24)[:BARS].astype(float)
    return table[list(FIELDS)]


def _holed(draw: np.random.Generator, values: Array, share: float) -> Array:
    return np.where((draw.random(BARS) < share) | (np.arange(BARS) < 12), np.nan, values)
