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
        missing = np.isnan(values) | np.isnan(confidences)
        parts = np.empty(values.shape)
        strength = np.empty(shape)
        for k, share in enumerate(self._weights):
            part, gone = parts[:, k, :], missing[:, k, :]
            np.multiply(confidences[:, k, :], share, out=strength)
            np.multiply(values[:, k, :], strength, out=part)
            if gone.any():
                weight += np.where(gone, 0.0, share)
                pull += np.where(gone, 0.0, part)
                force += np.where(gone, 0.0, strength)
                part[gone] = np.nan
            else:
                weight += share
                pull += part
                force += strength
        heard = weight > 0.0
        moved = force > 0.0
        divisor = np.where(moved, force, 1.0)
        score = np.where(heard, np.clip(np.where(moved, pull / divisor, 0.0), -1.0, 1.0), np.nan)
        confidence = np.where(heard, force / np.where(heard, weight, 1.0), 0.0)
        parts /= divisor[:, None, :]
        return Fused(score, confidence, parts)
