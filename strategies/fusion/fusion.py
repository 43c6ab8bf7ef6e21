"""What a fusion is: signals in, one score for each symbol out."""

from typing import NamedTuple, Protocol

from feeds.bars import Array


class Fused(NamedTuple):
    """score, confidence float64[T, S]; contributions float64[T, signal, S] add up to the score (NaN: took no part)."""

    score: Array
    confidence: Array
    contributions: Array


class Fusion(Protocol):
    """Whatever has these methods."""

    def fuse(self, values: Array, confidences: Array) -> Fused:
        """values, confidences  float64[T, signal, S], NaN where not known"""
        ...
