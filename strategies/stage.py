"""From what the machine computed to what is wanted: signals fused and held against thresholds, targets, or a strategy's hook."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from feeds.bars import Array, Bars
from feeds.times import Millis
from strategies.decision import REASONS, Codes, Thresholds, decide
from strategies.events import Reason
from strategies.fusion import Fused, Fusion
from strategies.hook import Hook
from strategies.signals import Signal


class Judged(NamedTuple):
    """Arrays are [T, S]; values, confidences and parts are [T, name, S]. Codes are those of `decision`."""

    side: Codes
    reason: Codes
    score: Array
    confidence: Array
    target: Array
    values: Array
    confidences: Array
    parts: Array


class Stage(Protocol):
    """names, weights  of what a decision is explained by."""

    names: tuple[str, ...]
    weights: tuple[float, ...]

    def judge(self, bars: Bars, outputs: Array, present: NDArray[np.bool_], since: Millis) -> Judged:
        """outputs  float64[T, output, S]: value and confidence of each signal, the target where there is one, the volatility.

        present  which symbols have a bar;  since  bars that closed at or before it only warm up
        """
        ...


class FusedStage:
    """Signals fused into a score, which thresholds turn into a side; or a target beside them, which is the wish itself."""

    def __init__(
        self, signals: Sequence[Signal], fusion: Fusion, thresholds: Thresholds, *, targets: bool = False, rebalance: int = 1
    ) -> None:
        """targets  the output before the last is a target, which counts at every `rebalance`th bar close since 1970"""
        self.names = tuple(signal.name for signal in signals)
        self.weights = tuple(signal.weight for signal in signals)
        self._fusion, self._thresholds = fusion, thresholds
        self._targets, self._rebalance = targets, rebalance

    def judge(self, bars: Bars, outputs: Array, present: NDArray[np.bool_], since: Millis) -> Judged:
        end = 2 * len(self.names)
        values, confidences = outputs[:, 0:end:2, :], outputs[:, 1:end:2, :]
        fused = self._fusion.fuse(values, confidences)
        if self._targets:
            return self._aimed(bars, outputs[:, end, :], present, fused, values, confidences)
        side, reason = decide(fused.score, fused.confidence, present, self._thresholds)
        none = np.broadcast_to(np.nan, side.shape)
        return Judged(side, reason, fused.score, fused.confidence, none, values, confidences, fused.contributions)

    def _aimed(
        self, bars: Bars, target: Array, present: NDArray[np.bool_], fused: Fused, values: Array, confidences: Array
    ) -> Judged:  # fmt: skip
        """Where there is a target its sign is the side; where there is none nothing is wanted, whatever the score."""
        counts = (np.arange(bars.first + 1, bars.first + bars.rows + 1) % self._rebalance == 0)[:, None]
        known = np.isfinite(target) & present & counts
        side = np.where(known, np.sign(target), 0.0).astype(np.int8)
        codes = [REASONS[reason] for reason in (Reason.MISSING_BAR, Reason.CHOSEN, Reason.WARMING_UP, Reason.LEFT_ALONE)]
        reason = np.select([~present, known, np.isnan(target) & counts], codes[:3], codes[3]).astype(np.int8)
        wish, score = np.where(known, target, np.nan), np.where(known, fused.score, np.nan)
        return Judged(side, reason, score, fused.confidence, wish, values, confidences, fused.contributions)


class HookStage:
    """A strategy's hook decides; beside its contributions stand the factors that it saw, which have no part of their own."""

    def __init__(self, hook: Hook, factors: Sequence[str]) -> None:
        self.names = (*hook.names, *factors)
        self.weights = (1.0,) * len(self.names)
        self._hook, self._contributions, self._factors = hook, len(hook.names), len(factors)

    def judge(self, bars: Bars, outputs: Array, present: NDArray[np.bool_], since: Millis) -> Judged:
        factors = outputs[:, 0 : 2 * self._factors : 2, :]
        said = self._hook.look(bars, factors, since)
        shape = (bars.rows, len(self.names), len(bars.symbols))
        values, confidences, parts = np.empty(shape), np.ones(shape), np.full(shape, np.nan)
        values[:, : self._contributions], values[:, self._contributions :] = said.parts, factors
        confidences[:, : self._contributions] = said.confidence[:, None, :]
        parts[:, : self._contributions] = said.parts
        return Judged(said.side, said.reason, said.score, said.confidence, said.target, values, confidences, parts)
