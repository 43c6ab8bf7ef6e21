"""Factor values become signals: a value in [-1, 1] and a confidence in [0, 1], both graphs of the causal language.

A signal that is not known (NaN) takes no part in the fusion. The weights are those of the chapter that Sluice starts from.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from feeds.times import Millis
from strategies.factors import Node, call, const, parse

DEFAULT_WEIGHT = 0.10
WEIGHTS = {
    "price_momentum": 0.25,
    "volume_breakout": 0.20,
    "sentiment_news": 0.20,
    "sentiment_social": 0.15,
    "onchain_flow": 0.20,
    "whale_accumulation": 0.10,
}
SLOW_FIELDS = (
    "sentiment_news", "news_count", "sentiment_social", "social_count", "exchange_netflow_z", "whale_balance_change_z", "funding_rate",
)  # fmt: skip


class Signal(NamedTuple):
    """A named view: `value` and `confidence` are graphs, `weight` its share in the fusion."""

    name: str
    weight: float
    value: Node
    confidence: Node


class Windows(NamedTuple):
    """Windows in bars: momentum over `momentum`, volume against `volume`, both scaled by `scale` trailing bars."""

    momentum: int = 240
    volume: int = 60
    scale: int = 1440


def built_in(names: Mapping[str, float], windows: Windows, timeframe: Millis) -> list[Signal]:
    """The signals of the chapter by name -> weight; raises KeyError on a name that is none of WEIGHTS."""
    return [Signal(name, weight, *_BUILT_IN[name](windows, timeframe)) for name, weight in names.items()]


def from_factor(name: str, factor: Node, weight: float, normalise: str, window: int) -> Signal:
    """A factor as a signal, scaled by its own trailing window.

    normalise  absmax: value / largest absolute value of the window, as in the chapter; zscore: tanh of the z-score;
               rank: its place in the window, from -1 to 1; none: as it is, cut to [-1, 1]
    """
    return Signal(name, weight, NORMALISE[normalise](factor, window), const(1.0))


def _absmax(x: Node, window: int) -> Node:
    return call("clip", call("div", x, call("ts_max", call("abs", x), window)), -1.0, 1.0)


def _zscore(x: Node, window: int) -> Node:
    return call("tanh", call("ts_zscore", x, window))


def _rank(x: Node, window: int) -> Node:
    # the percentile rank runs from 1/n to 1: stretched so that the lowest of the window is -1 and the highest is 1
    return call("div", call("sub", call("mul", const(2.0 * window), call("ts_rank", x, window)), const(window + 1.0)), const(window - 1.0))


def _none(x: Node, _: int) -> Node:
    return call("clip", x, -1.0, 1.0)


NORMALISE: dict[str, Callable[[Node, int], Node]] = {"absmax": _absmax, "zscore": _zscore, "rank": _rank, "none": _none}


def _text(text: str, timeframe: Millis, fields: Collection[str] = ()) -> Node:
    return parse(text, timeframe=timeframe, fields={"open", "high", "low", "close", "volume", "turnover", *fields})


def _momentum_text(windows: Windows) -> str:
    # the move in units of what a random walk of the trailing volatility would make in as many bars
    n, scale = windows.momentum, windows.scale
    return f"(close / delay(close, {n}) - 1) / (ts_std(close / delay(close, 1) - 1, {scale}) * sqrt({n}))"


def _price_momentum(windows: Windows, timeframe: Millis) -> tuple[Node, Node]:
    move = _text(_momentum_text(windows), timeframe)
    return call("tanh", move), call("clip", call("abs", move), 0.0, 1.0)


def _volume_breakout(windows: Windows, timeframe: Millis) -> tuple[Node, Node]:
    ratio = f"volume / ts_mean(volume, {windows.volume})"
    value = _text(f"sign(close / delay(close, {windows.momentum}) - 1) * tanh({ratio} - 1)", timeframe)
    active = _text(f"{ratio} > 1.5", timeframe)
    confidence = _text(f"clip({ratio} / 3, 0, 1)", timeframe)
    return call("where", active, value, const(float("nan"))), confidence


def _stories(mood: str, count: str) -> Callable[[Windows, Millis], tuple[Node, Node]]:
    def build(windows: Windows, timeframe: Millis) -> tuple[Node, Node]:
        fields = (mood, count)
        # three stories give half of full confidence; it saturates, so that syndication cannot buy weight
        return _text(f"clip({mood}, -1, 1)", timeframe, fields), _text(f"{count} / ({count} + 3)", timeframe, fields)

    return build


def _observed(text: str, field: str, confidence: float) -> Callable[[Windows, Millis], tuple[Node, Node]]:
    def build(windows: Windows, timeframe: Millis) -> tuple[Node, Node]:
        return _text(text, timeframe, (field,)), const(confidence)

    return build


_BUILT_IN: dict[str, Callable[[Windows, Millis], tuple[Node, Node]]] = {
    "price_momentum": _price_momentum,
    "volume_breakout": _volume_breakout,
    "sentiment_news": _stories("sentiment_news", "news_count"),
    "sentiment_social": _stories("sentiment_social", "social_count"),
    # coins that leave the exchanges are not for sale: an outflow is bullish
    "onchain_flow": _observed("tanh(-exchange_netflow_z)", "exchange_netflow_z", 0.7),
    "whale_accumulation": _observed("tanh(whale_balance_change_z)", "whale_balance_change_z", 0.6),
}


def graphs(signals: Sequence[Signal]) -> dict[str, Node]:
    """The outputs to compile, in order: value and confidence of each signal."""
    outputs: dict[str, Node] = {}
    for signal in signals:
        outputs[f"{signal.name}.value"] = signal.value
        outputs[f"{signal.name}.confidence"] = signal.confidence
    return outputs
