"""A run of consecutive bar closes for a fixed universe, as arrays: what history is cut into and the machine works on."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import Candle, Event, Source

Array = NDArray[np.float64]

COLUMNS = ("open", "high", "low", "close", "volume", "turnover")
OPEN, HIGH, LOW, CLOSE, VOLUME, TURNOVER = range(6)


class _Fields(NamedTuple):
    symbols: tuple[str, ...]
    timeframe: int
    first: int
    values: Array
    source: Source = Source.FILE


class Bars(_Fields):
    """T consecutive bars of S symbols.

    first      absolute index of the first bar: its open_ms // timeframe
    timeframe  bar length, milliseconds
    values     float64[T, 6, S] in the order of COLUMNS; a missing bar is a column of NaN, turnover NaN where not given
    source     where they come from

    What several parts of a session ask of a block is worked out once, when it is first asked for: `values` must not change then.
    """

    @cached_property
    def rows(self) -> int:
        """T, the number of bar closes."""
        return int(self.values.shape[0])

    @cached_property
    def whole(self) -> bool:
        """No bar is missing."""
        return not np.isnan(self.values[:, CLOSE]).any()

    @cached_property
    def times(self) -> range:
        """When each row closes, UTC milliseconds."""
        return range((self.first + 1) * self.timeframe, (self.first + self.rows + 1) * self.timeframe, self.timeframe)

    @cached_property
    def closes(self) -> list[list[float]]:
        """The closes of each symbol, row by row; NaN where the bar is missing. Nobody may change them."""
        return self._column(CLOSE)

    @cached_property
    def lows(self) -> list[list[float]]:
        """The lows of each symbol, likewise."""
        return self._column(LOW)

    @cached_property
    def highs(self) -> list[list[float]]:
        """The highs of each symbol, likewise."""
        return self._column(HIGH)

    def _column(self, column: int) -> list[list[float]]:
        lists: list[list[float]] = np.ascontiguousarray(self.values[:, column].T).tolist()
        return lists

    @cached_property
    def lowest(self) -> tuple[list[float], list[float]]:
        """The lowest low and the lowest close of each symbol; NaN without any bar."""
        return np.fmin.reduce(self.values[:, LOW]).tolist(), np.fmin.reduce(self.values[:, CLOSE]).tolist()

    @cached_property
    def highest(self) -> tuple[list[float], list[float]]:
        """The highest high and the highest close of each symbol; NaN without any bar."""
        return np.fmax.reduce(self.values[:, HIGH]).tolist(), np.fmax.reduce(self.values[:, CLOSE]).tolist()

    def close_ms(self, row: int) -> int:
        """When the bar in this row closes, UTC milliseconds."""
        return (self.first + row + 1) * self.timeframe

    def present(self, row: int) -> list[int]:
        """The symbols (by position) whose bar is there."""
        return [s for s, close in enumerate(self.values[row, CLOSE].tolist()) if close == close]

    def candle(self, row: int, symbol: int) -> Candle:
        """The bar as an event, known at its close."""
        open_, high, low, close, volume, turnover = self.values[row, :, symbol].tolist()
        end = self.times[row]
        return Candle(
            end, self.symbols[symbol], end - self.timeframe, end, open_, high, low, close, volume,
            None if turnover != turnover else turnover, self.source,
        )  # fmt: skip


class Block(NamedTuple):
    """A piece of history in total order: bars, and the other events with the row that each comes before.

    others  (row, event) in order; row == bars.rows means after the last bar of the block
    """

    bars: Bars
    others: list[tuple[int, Event]]


def growing(start: int, stop: int) -> list[tuple[int, int]]:
    """[start, stop) in growing pieces: 64, 256, 1024, ... rows, so that an early find is cheap and a late one too."""
    out = []
    size = 64
    while start < stop:
        end = min(stop, start + size)
        out.append((start, end))
        start, size = end, min(size * 4, 16_384)
    return out
