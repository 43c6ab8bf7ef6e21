"""Fixed weights: score = sum(value x weight x confidence) / sum(weight x confidence), over the signals that are known.

The confidence of the score is sum(weight x confidence) / sum(weight): full agreement of confident signals gives 1. Sums run in
the order of the signals, element by element, so that any cut of the bars gives the same bits.
"""

from collections.abc import Sequence

import numpy as np

from feeds.bars import Array
from strategies.fusion.fusion import Fused


class Weighted:
    """The chapter's fusion, with a confidence that can pass its own threshold."""

    def __init__(self, weights: Sequence[float]) -> None:
        """weights  one for each signal, not negative"""
        self._weights = list(weights)

    def fuse(self, values: Array, confidences: Array) -> Fused:
        """See the module; a bar at which no signal is known has score NaN and confidence 0."""
        shape = (values.shape[0], values.shape[2])
        pull, force, weight = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        parts = np.empty(values.shape)
        for k, share in enumerate(self._weights):
            value, confidence = values[:, k, :], confidences[:, k, :]
            known = ~(np.isnan(value) | np.isnan(confidence))
            strength = np.where(known, share * confidence, 0.0)
            part = np.where(known, value, 0.0) * strength
            pull += part
            force += strength
            weight += np.where(known, share, 0.0)
            parts[:, k, :] = np.where(known, part, np.nan)
        heard = weight > 0.0
        moved = force > 0.0
        divisor = np.where(moved, force, 1.0)
        score = np.where(heard, np.clip(np.where(moved, pull / divisor, 0.0), -1.0, 1.0), np.nan)
        confidence = np.where(heard, force / np.where(heard, weight, 1.0), 0.0)
        parts /= divisor[:, None, :]
        return Fused(score, confidence, parts)
