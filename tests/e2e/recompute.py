"""Factors, signals, scores and decisions a second time: pandas and numpy over raw files, from docs/signals.md and docs/language.md.

The rule: nothing of the product that makes a number is imported here. Whole columns at once, no blocks, no memory between bars.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

Column = np.ndarray[Any, np.dtype[np.float64]]
YEAR = 365 * 86_400_000
DAY = 86_400_000


class Raw(NamedTuple):
    """Everything that was read, as it stands in the files.

    bars     symbol -> open, high, low, close, volume by open time (ms), one row for each bar of the grid
    funding  symbol -> ts_ms, funding_rate
    flow     available_ms, value of the observed netflow of the first coin, or nothing
    stories  available_ms, finbert_score (scored ones only) for each symbol
    """

    timeframe: int
    bars: Mapping[str, pd.DataFrame]
    funding: Mapping[str, pd.DataFrame]
    flow: Mapping[str, pd.DataFrame]
    stories: Mapping[str, pd.DataFrame]

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.bars)

    @property
    def closes(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """int64[T], when each bar of the grid closes."""
        index = next(iter(self.bars.values())).index
        return np.asarray(index.to_numpy(np.int64)) + self.timeframe


class Views(NamedTuple):
    """One symbol's decisions: score, confidence, volatility float64[T]; side +1, -1, 0; reason by name.

    values, confidences, parts  signal -> float64[T]
    """

    score: Column
    confidence: Column
    volatility: Column
    side: np.ndarray[Any, np.dtype[np.int64]]
    reason: list[str]
    values: dict[str, Column]
    confidences: dict[str, Column]
    parts: dict[str, Column]


def windowed(x: pd.Series, n: int, of: Callable[[Any], Any]) -> pd.Series:
    """`of` over the last n values of each row, all of them, taken anew: float64[rows, n] at a time. NaN until n are there."""
    values = x.to_numpy(float)
    out = np.full(values.size, np.nan)
    if values.size >= n:
        every = np.lib.stride_tricks.sliding_window_view(values, n)
        for begin in range(0, every.shape[0], 2048):
            part = every[begin : begin + 2048]
            out[n - 1 + begin : n - 1 + begin + part.shape[0]] = of(part)
    return pd.Series(out, x.index)


def deviation(x: pd.Series, n: int) -> pd.Series:
    return windowed(x, n, lambda part: part.std(axis=1, ddof=1))


def mean(x: pd.Series, n: int) -> pd.Series:
    return windowed(x, n, lambda part: part.mean(axis=1))


def standing(x: pd.Series, n: int) -> pd.Series:
    """(x - mean) / deviation of the last n, NaN where all are equal."""
    moves = windowed(x, n, lambda part: part.max(axis=1) - part.min(axis=1))
    return (x - mean(x, n)) / deviation(x, n).where(moves > 0)


def rsi(close: pd.Series, n: int) -> pd.Series:
    """Wilder 1978, averages seeded with the first change."""
    move = close.diff()
    up, down = (
        side.iloc[1:].ewm(alpha=1 / n, adjust=False, min_periods=n, ignore_na=True).mean().reindex(close.index)
        for side in (move.clip(lower=0.0), -move.clip(upper=0.0))
    )
    return 100.0 * up / (up + down).replace(0.0, np.nan)


def _linear(x: pd.Series, n: int) -> pd.Series:
    weights = np.arange(1, n + 1) / (n * (n + 1) / 2)
    return windowed(x, n, lambda part: part @ weights)


def _typical(d: pd.DataFrame) -> pd.Series:
    """The volume-weighted price is turnover / volume, and where nothing was traded the mean of high, low and close."""
    price = (d.quote_volume / d.volume).where(d.volume > 0, (d.high + d.low + d.close) / 3)
    rises = pd.Series(np.where(price > price.shift(1), 1.0, -1.0), d.index).where(price.notna() & price.shift(1).notna())
    return rises * d.volume.rolling(24).rank(method="average") / 24


FACTORS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.Series]]] = {
    "reversal": ("-zscore(close, 60)", lambda d: -standing(d.close, 60)),
    "trend": (
        "momentum_4h * log(volume_ratio + 1)",
        lambda d: (d.close / d.close.shift(d.attrs["4h"]) - 1) * np.log(d.volume / mean(d.volume, 20) + 1),
    ),
    "bands": ("(close - SMA(close, 20)) / STD(close, 20)", lambda d: standing(d.close, 20)),
    "strength": ("rsi_14 / 50 - 1", lambda d: rsi(d.close, 14) / 50 - 1),
    "carry": ("where(is_nan(funding_rate), 0, -funding_rate)", lambda d: -d.funding_rate.fillna(0.0)),
    "typical": ("where(vwap > delay(vwap, 1), 1, -1) * ts_rank(volume, 24)", _typical),
    "weighted": ("decay_linear(returns, 12)", lambda d: _linear(d.close / d.close.shift(1) - 1, 12)),
    "average": (
        "close / ema(close, 48) - 1",
        lambda d: d.close / d.close.ewm(span=48, adjust=False, min_periods=48, ignore_na=True).mean() - 1,
    ),
    "together": (
        "ts_corr(returns, volume_ratio, 40)",
        lambda d: (d.close / d.close.shift(1) - 1).rolling(40).corr(d.volume / mean(d.volume, 20)),
    ),
}


def normalised(x: pd.Series, how: str, n: int) -> pd.Series:
    """A factor within [-1, 1] by its own last n values."""
    if how == "absmax":
        largest = x.abs().rolling(n).max()
        return (x / largest.where(largest > 0)).clip(-1.0, 1.0)
    if how == "zscore":
        return np.tanh(standing(x, n))
    place = x.rolling(n).rank(method="average")
    return (2.0 * place - (n + 1)) / (n - 1)


def known_before(frame: pd.DataFrame, at: str, value: str, closes: np.ndarray[Any, Any], lasts: int, *, same_instant: bool) -> Column:
    """The newest value known at each close, NaN before the first and once it is `lasts` old."""
    when = frame[at].to_numpy(np.int64)
    place = np.searchsorted(when, closes, side="right" if same_instant else "left") - 1
    out = np.full(closes.size, np.nan)
    there = place >= 0
    there[there] &= when[place[there]] + lasts > closes[there]
    out[there] = frame[value].to_numpy(float)[place[there]]
    return out


def trailing(values: Column, most: int, least: int) -> Column:
    """Each observation against itself and those before it, `most` in all, at least `least`: standard scores."""
    out = np.full(values.size, np.nan)
    for i in range(values.size):
        seen = values[max(0, i + 1 - most) : i + 1]
        if seen.size >= least and seen.std(ddof=1) > 0:
            out[i] = (seen[-1] - seen.mean()) / seen.std(ddof=1)
    return out


def signals_of(raw: Raw, symbol: str, config: Mapping[str, Any]) -> dict[str, tuple[Column, Column, float]]:
    """name -> value, confidence, weight, in the order of the config."""
    bars, closes, windows = raw.bars[symbol].copy(), raw.closes, config["windows"]
    bars.attrs["4h"] = 4 * 3_600_000 // raw.timeframe
    slow: dict[str, Any] = {}
    if symbol in raw.funding:
        slow["funding_rate"] = known_before(raw.funding[symbol], "ts_ms", "funding_rate", closes, windows["metric"], same_instant=False)
    bars = bars.assign(**slow)
    n, scale = windows["momentum"], windows["scale"]
    move = bars.close / bars.close.shift(n) - 1
    walk = move / (deviation(bars.close / bars.close.shift(1) - 1, scale) * math.sqrt(n))
    ratio = bars.volume / mean(bars.volume, windows["volume"])
    nothing = np.full(closes.size, np.nan)
    told, count = nothing, nothing
    if symbol in raw.stories:
        told, count = _mood(raw.stories[symbol], closes, windows["story"])
    flow = nothing
    if symbol in raw.flow:
        seen = raw.flow[symbol]
        z = seen.assign(z=trailing(seen["value"].to_numpy(float), windows["observations"], windows["least_observations"]))
        flow = np.tanh(-known_before(z, "available_ms", "z", closes, windows["metric"], same_instant=True))
    found: dict[str, tuple[Any, Any]] = {
        "price_momentum": (np.tanh(walk), walk.abs().clip(0, 1)),
        "volume_breakout": ((np.sign(move) * np.tanh(ratio - 1)).where(ratio > 1.5), (ratio / 3).clip(0, 1)),
        "sentiment_news": (np.clip(told, -1, 1), count / (count + 3)),
        "sentiment_social": (nothing, nothing),
        "onchain_flow": (flow, np.full(closes.size, 0.7)),
        "whale_accumulation": (nothing, np.full(closes.size, 0.6)),
    }
    out = {name: (np.asarray(v, float), np.asarray(c, float), config["weights"][name]) for name, (v, c) in found.items()}
    for name in config["factors"]:
        value = normalised(FACTORS[name][1](bars), config["normalise"], config["normalise_window"])
        out[name] = (value.to_numpy(float), np.ones(closes.size), config["weights"].get(name, config["weights"]["factors"]))
    return {name: signal for name, signal in out.items() if signal[2] > 0}


def _mood(stories: pd.DataFrame, closes: np.ndarray[Any, Any], lasts: int) -> tuple[Column, Column]:
    """Mean sentiment and number of the stories told within `lasts` before each close, the close itself included."""
    at = stories.available_ms.to_numpy(np.int64)
    scores = stories.finbert_score.to_numpy(float)
    begin, end = (np.searchsorted(at, closes - back, side="right") for back in (lasts, 0))
    mood = np.array([scores[i:j].mean() if j > i else np.nan for i, j in zip(begin, end, strict=True)])
    first = at[0] if at.size else np.inf
    return mood, np.where(closes >= first, (end - begin).astype(float), np.nan)


def views_of(raw: Raw, symbol: str, config: Mapping[str, Any]) -> Views:
    """Scores by the fusion's formula, decisions by the thresholds."""
    signals = signals_of(raw, symbol, config)
    present = raw.bars[symbol].close.notna().to_numpy()
    total = present.size
    pull, force, weight = np.zeros(total), np.zeros(total), np.zeros(total)
    products = {}
    for name, (value, confidence, share) in signals.items():
        known = np.isfinite(value) & np.isfinite(confidence)
        products[name] = np.where(known, value * share * confidence, np.nan)
        pull += np.where(known, products[name], 0.0)
        force += np.where(known, share * confidence, 0.0)
        weight += np.where(known, share, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(weight > 0, np.clip(np.where(force > 0, pull / force, 0.0), -1.0, 1.0), np.nan)
        sure = np.where(weight > 0, force / weight, 0.0)
        parts = {name: np.where(force > 0, product / force, product) for name, product in products.items()}
    returns = raw.bars[symbol].close / raw.bars[symbol].close.shift(1) - 1
    volatility = deviation(returns, config["windows"]["volatility"]) * math.sqrt(YEAR / raw.timeframe)
    entry, least = config["entry_threshold"], config["min_confidence"]
    side = np.where(sure > least, np.where(score > entry, 1, np.where(score < -entry, -1, 0)), 0)
    side = np.where(present, side, 0)
    return Views(
        score, sure, volatility.to_numpy(float), side, [_reason(*row, entry) for row in zip(present, score, side, strict=True)],
        {name: signal[0] for name, signal in signals.items()}, {name: signal[1] for name, signal in signals.items()}, parts,
    )  # fmt: skip


def _reason(present: bool, score: float, side: int, entry: float) -> str:
    if not present:
        return "missing_bar"
    if score != score:
        return "warming_up"
    if side:
        return "above_entry" if side > 0 else "below_entry"
    return "low_confidence" if abs(score) > entry else "weak_score"


def by_rank(values: Sequence[float] | Column) -> Column:
    """Ranks from 1, ties their mean."""
    return pd.Series(values).rank(method="average").to_numpy(float)
