"""Long series made short without hiding anything: what is kept of a year of minutes, and what a plot draws of it.

The rule: the first and the last value stay, and so do the highest and the lowest of every stretch.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.bars import CLOSE, HIGH, LOW, OPEN, VOLUME, Array
from feeds.mapped import PIECE, give_back, pieces
from feeds.times import DAY, HOUR, MINUTE

Ints = NDArray[np.int64]

STEPS = (5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY)  # of the clock, whose ends are kept: whole days come out exact
PRICES = 2_000  # stretches of a price path


class PricePath(NamedTuple):
    """What a price did, by stretches of `step_ms` from `first_ms` on: open, high, low, close, turnover float32[n, 5].

    NaN where it is not known. Stretches begin on the clock, and a day is a whole number of them, or they are whole days.
    """

    symbol: str
    first_ms: int
    step_ms: int
    values: NDArray[np.float32]


def rows_to_keep(bar_ms: Ints, values: Array, most: int) -> Ints:
    """Rows of a curve that stay, ascending, at most `most` or so: ends of the clock's steps, and each stretch's extremes.

    bar_ms  int64[n], ascending;  values  float64[n]
    """
    rows = bar_ms.size
    if rows <= most:
        return np.arange(rows)
    ends = next((found for step in STEPS if (found := _ends(bar_ms, step)).size <= most // 2), np.empty(0, np.int64))
    return np.unique(np.concatenate([ends, extremes(values, max(1, (most - ends.size) // 2)), [0, rows - 1]]).astype(np.int64))


def extremes(values: Array, stretches: int) -> Ints:
    """The rows of the lowest and of the highest value of each of some equal stretches; NaN counts as neither."""
    rows = values.size
    edges = np.linspace(0, rows, min(stretches, rows) + 1).astype(np.int64)
    found = [np.empty(0, np.int64)]
    begin = 0
    while begin < edges.size - 1:  # as many stretches at once as lie in a piece
        end = max(begin + 1, int(np.searchsorted(edges, edges[begin] + PIECE, "right")) - 1)
        found += [picked + edges[begin] for picked in _extremes(values[edges[begin] : edges[end]], edges[begin : end + 1] - edges[begin])]
        give_back(values)
        begin = end
    return np.unique(np.concatenate(found))


def _extremes(values: Array, edges: Ints) -> Iterator[Ints]:
    for fill, pick in ((np.inf, np.minimum), (-np.inf, np.maximum)):
        known = np.where(np.isnan(values), fill, values)
        best = np.repeat(pick.reduceat(known, edges[:-1]), np.diff(edges))
        hits = np.flatnonzero(known == best)
        yield hits[np.unique(np.searchsorted(edges, hits, "right"), return_index=True)[1]]


def price_path(symbol: str, numbers: Ints, columns: tuple[Array, ...], timeframe: int, first: int, end: int) -> PricePath:
    """The path of a symbol over the bars [first, end).

    numbers  int64[n], absolute, ascending;  columns  float64[n] each, in the order of feeds.bars.COLUMNS
    """
    size = stretch(timeframe, end - first) // timeframe
    begins = first // size  # in stretches since 1970
    out = np.full((-(-end // size) - begins, 5), np.nan, np.float32)
    together = max(1, PIECE // size)  # stretches
    for begin in range(0, out.shape[0], together):
        edges = max(first, (begins + begin) * size), min(end, (begins + begin + together) * size)
        low, high = (int(i) for i in np.searchsorted(numbers, edges))
        place = numbers[low:high] // size - begins
        heads = np.flatnonzero(np.diff(place, prepend=-1))
        if heads.size:
            rows, lasts = place[heads], np.append(heads[1:], place.size) - 1
            out[rows, 0] = columns[OPEN][low:high][heads]
            out[rows, 1] = np.maximum.reduceat(columns[HIGH][low:high], heads)
            out[rows, 2] = np.minimum.reduceat(columns[LOW][low:high], heads)
            out[rows, 3] = columns[CLOSE][low:high][lasts]
            out[rows, 4] = np.add.reduceat(columns[VOLUME][low:high] * columns[CLOSE][low:high], heads)
        give_back(numbers, columns[CLOSE])
    return PricePath(symbol, begins * size * timeframe, size * timeframe, out)


def stretch(timeframe: int, bars: int) -> int:
    """Milliseconds of a stretch, so that about PRICES of them hold so many bars: a part of a day, or whole days."""
    least = max(1, -(-bars // PRICES)) * timeframe
    if DAY % timeframe or least > DAY:
        return -(-least // max(DAY, timeframe)) * max(DAY, timeframe) if DAY % timeframe == 0 else least
    return next(step for step in range(-(-least // timeframe) * timeframe, DAY + 1, timeframe) if DAY % step == 0)


def _ends(bar_ms: Ints, step: int) -> Ints:
    """The last row of each step of the clock; a close on the hour belongs to the hour that it ends."""
    found = []
    for begin, end in pieces(bar_ms.size):
        key = (bar_ms[begin : end + 1] - 1) // step
        found.append(np.flatnonzero(np.append(key[1:] != key[:-1], end == bar_ms.size)[: end - begin]) + begin)
        give_back(bar_ms)
    return np.concatenate(found)
