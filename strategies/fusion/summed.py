"""A score that is the sum of its parts: contributions are what they say, and they add up.

The sum runs in the order of the parts, element by element, so that any cut of the bars gives the same bits; it is then clipped to
[-1, 1]. A part that is not known makes the score unknown.
"""

import numpy as np

from feeds.bars import Array
from strategies.fusion.fusion import Fused


class Summed:
    """score = sum of the values; confidence = the smallest of theirs."""

    def fuse(self, values: Array, confidences: Array) -> Fused:
        """values, confidences  float64[T, part, S]"""
        total = np.zeros((values.shape[0], values.shape[2]))
        sure = np.ones_like(total)
        for k in range(values.shape[1]):
            total += values[:, k, :]
            np.minimum(sure, confidences[:, k, :], out=sure)
        known = ~np.isnan(total) & ~np.isnan(sure)
        parts = np.where(known[:, None, :], values, np.nan)
        score = np.where(known, np.clip(total, -1.0, 1.0), np.nan)
        return Fused(score, np.where(known, np.clip(sure, 0.0, 1.0), 0.0), parts)
