"""Figures as they moved: Sharpe ratio and volatility of the returns within a window that ends at each instant.

The rule: a return is over a whole step of the clock, so that the thinning of a long curve changes nothing; a year has 365 days.
"""

import math

import numpy as np

from bot.report import Curve, Rolling
from feeds.bars import Array
from feeds.times import DAY, HOUR, YEAR

LEAST = 20  # returns of a window
STEPS = (DAY, 4 * HOUR, HOUR)
SHARE = 6  # the window is at most this part of the run
MONTH = 30  # steps of a window, where the run is long enough


def rolling(curve: Curve, timeframe: int) -> Rolling | None:
    """Windows of 30 days, or of 30 coarse enough steps in a short run; None where not even 40 returns can be had."""
    at = np.asarray(curve.at_ms, np.int64)
    for step in (*STEPS, timeframe):
        if at.size < 2 or step < timeframe:
            continue
        grid, equity = on_the_clock(at, np.asarray(curve.equity, float), step)
        if grid.size > 2 * MONTH:
            return _windows(grid, equity, step)
    return None


def on_the_clock(at: np.ndarray, equity: Array, step: int) -> tuple[np.ndarray, Array]:
    """The curve at the whole steps of the clock: what the account was worth at the last close by then."""
    first, last = -(-int(at[0]) // step), int(at[-1]) // step
    grid = np.arange(first, last + 1, dtype=np.int64) * step
    return grid, equity[np.searchsorted(at, grid, "right") - 1]


def _windows(grid: np.ndarray, equity: Array, step: int) -> Rolling | None:
    positive = equity > 0
    if not positive.all():  # what follows a loss of everything is no return
        grid, equity = grid[: int((~positive).argmax())], equity[: int((~positive).argmax())]
    window = max(LEAST, min(MONTH, grid.size // SHARE))
    if grid.size <= window:
        return None
    returns = equity[1:] / equity[:-1] - 1.0
    views = np.lib.stride_tricks.sliding_window_view(returns, window)
    mean, deviation = views.mean(axis=1), views.std(axis=1, ddof=1)
    year = math.sqrt(YEAR / step)
    flat = deviation < 1e-14
    sharpe = np.divide(mean, deviation, out=np.full_like(mean, np.nan), where=~flat) * year
    told = [None if value != value else value for value in sharpe.tolist()]
    return Rolling(window * step, step, tuple(grid[window:].tolist()), tuple(told), tuple((deviation * year).tolist()))
