"""Cross-sectional long-short: the strongest coins against the weakest, market neutral, turned over every so many bars.

Every coin is ranked against the others by its own risk-adjusted momentum, skipping the last bars, where reversal lives. Weights are
linear in the rank, add up to zero, and no coin has more than `cap` of equity on either side: what is cut off goes to the others of its
side. Needs a universe: ten coins or more.
"""

import numpy as np

from strategies.strategy import Array, Bar, Parameter, Strategy


class CrossSection(Strategy):
    """Long what ranks high, short what ranks low, as much of one as of the other."""

    look_back: int = Parameter(336, low=48, high=1_440, says="bars of the move that coins are ranked by")
    skip: int = Parameter(12, low=1, high=48, says="last bars that are left out of it")
    every: int = Parameter(24, low=4, high=168, says="bars between two turns")
    gross: float = Parameter(1.0, low=0.2, high=2.0, says="both sides together, times equity")
    cap: float = Parameter(0.15, low=0.02, high=0.5, says="most of one coin, times equity")
    least: int = Parameter(6, low=2, high=50, says="coins that must be known")

    factors = {
        "strength": "(delay(close, {skip}) / delay(close, {look_back}) - 1) / ts_std(close / delay(close, 1) - 1, {look_back})",
    }
    contributions = ("rank",)
    rules = {"stop_loss": 0, "cool_down_bars": 0, "rebalance_band": 0.005}

    turned: int = 0

    def decide(self, bar: Bar) -> Array | None:
        if bar.index % self.every or bar.warming:
            return None
        strength = bar.factors("strength")
        known = np.isfinite(strength) & bar.presence()
        if int(known.sum()) < self.least:
            return None
        self.turned += 1
        targets = np.where(bar.presence(), 0.0, np.nan)
        targets[known] = capped(weights(strength[known]) * self.gross, self.cap)
        return targets


def weights(values: Array) -> Array:
    """Linear in the rank, zero in sum, one in gross; ties share their rank."""
    order = np.sort(values)
    rank = (np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right") - 1) / 2.0
    centred = rank - rank.mean()
    gross = np.abs(centred).sum()
    return centred / gross if gross > 0.0 else np.zeros(len(values))


def capped(targets: Array, cap: float) -> Array:
    """No size above the cap: what is cut off goes to the others of its side, in proportion, as far as they have room."""
    out = targets.copy()
    for sign in (1.0, -1.0):
        side = np.flatnonzero(sign * targets > 0.0)
        sizes, wanted = np.abs(targets[side]), float(np.abs(targets[side]).sum())
        for _ in range(len(side)):
            sizes = np.minimum(sizes, cap)
            room = sizes < cap
            short = wanted - float(sizes.sum())
            if short <= 1e-12 or not room.any():
                break
            sizes[room] *= 1.0 + short / float(sizes[room].sum())
        out[side] = sign * np.minimum(sizes, cap)
    return neutral(out)


def neutral(targets: Array) -> Array:
    """The larger side made as small as the other: a cap that binds on one side must not leave the market in the book."""
    long, short = float(targets[targets > 0.0].sum()), -float(targets[targets < 0.0].sum())
    side = min(long, short)
    scale = np.where(targets > 0.0, side / long if long > 0.0 else 0.0, side / short if short > 0.0 else 0.0)
    return targets * scale
