"""What a factor is asked to know: returns that could have been had after its bar.

The rule: a value is known at the close of bar t, so the first price it can trade at is the open of bar t + 1. No label holds a price
that was known at t, not even the close of t; where one could not trade there is no label, and nothing is carried over a hole.
"""

import numpy as np
from numpy.typing import NDArray

from feeds.bars import Array

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


def forward_returns(opens: Array, horizon: int = 1, listed: Mask | None = None, last: Rows | None = None) -> Array:
    """opens[t + 1 + horizon] / opens[t + 1] - 1: what can be earned from the first tradable price after the close of bar t.

    opens    float64[T, S], NaN where there is no bar
    horizon  bars, at least 1; the labels of neighbouring bars overlap where it is more
    listed   bool[T, S]: where one can trade (None: wherever there is an open)
    last     int64[S]: the row of the last bar in which a symbol that was delisted could be traded. A holding that would run past it
             is sold at that bar's open, so that a coin's death is in the labels; -1 for a symbol that is still there
    Returns float64[T, S]: the last horizon + 1 rows are NaN (save for delisted symbols), and rows whose prices are not known.
    """
    if horizon < 1:
        raise ValueError(f"a label reaches over at least 1 bar, not {horizon}")
    prices = np.where((opens > 0) & np.isfinite(opens) & (True if listed is None else listed), opens, np.nan)
    rows = prices.shape[0]
    label = np.full(prices.shape, np.nan)
    if rows > horizon + 1:
        label[: -horizon - 1] = _growth(prices[1:-horizon], prices[horizon + 1 :])
    for symbol, end in enumerate(() if last is None else last.tolist()):
        if 1 <= end < rows:
            begin = max(0, end - horizon)
            label[begin : end - 1, symbol] = _growth(prices[begin + 1 : end, symbol], prices[end, symbol])
            label[end - 1 :, symbol] = np.nan
    return label


def _growth(entry: Array, exit: Array) -> Array:
    """exit / entry - 1; NaN where that is no number any more."""
    with np.errstate(over="ignore"):
        growth = exit / entry - 1.0
    return np.where(np.isfinite(growth), growth, np.nan)


def later_returns(opens: Array, lag: int, listed: Mask | None = None) -> Array:
    """The return of one bar, `lag` bars after the first that could be had: opens[t + 2 + lag] / opens[t + 1 + lag] - 1.   float64[T, S]

    lag 0 is `forward_returns(opens, 1)`.
    """
    label = forward_returns(opens, 1, listed)
    if lag < 0:
        raise ValueError(f"a later return is later by at least 0 bars, not {lag}")
    if lag == 0:
        return label
    out = np.full(label.shape, np.nan)
    out[:-lag] = label[lag:]
    return out
