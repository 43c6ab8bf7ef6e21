"""Signals fused into one score for each symbol."""

from strategies.fusion.fusion import Fused, Fusion
from strategies.fusion.summed import Summed
from strategies.fusion.weighted import Weighted

__all__ = ["Fused", "Fusion", "Summed", "Weighted"]
