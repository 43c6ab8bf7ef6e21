"""A run of consecutive bar closes for a fixed universe, as arrays: what history is cut into and the machine works on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.events import Candle, Event, Source

Array = NDArray[np.float64]

COLUMNS = ("open", "high", "low", "close", "volume", "turnover")
OPEN, HIGH, LOW, CLOSE, VOLUME, TURNOVER = range(6)


class Bars(NamedTuple):
    """T consecutive bars of S symbols.

    first      absolute index of the first bar: its open_ms // timeframe
    timeframe  bar length, milliseconds
    values     float64[T, 6, S] in the order of COLUMNS; a missing bar is a column of NaN, turnover NaN where not given
    source     where they come from
    """

    symbols: tuple[str, ...]
    timeframe: int
    first: int
    values: Array
    source: Source = Source.FILE

    @property
    def rows(self) -> int:
        """T, the number of bar closes."""
        return int(self.values.shape[0])

    def close_ms(self, row: int) -> int:
        """When the bar in this row closes, UTC milliseconds."""
        return (self.first + row + 1) * self.timeframe

    def present(self, row: int) -> list[int]:
        """The symbols (by position) whose bar is there."""
        return [s for s, close in enumerate(self.values[row, CLOSE].tolist()) if close == close]

    def candle(self, row: int, symbol: int) -> Candle:
        """The bar as an event, known at its close."""
        open_, high, low, close, volume, turnover = self.values[row, :, symbol].tolist()
        end = self.close_ms(row)
        return Candle(
            at=end, symbol=self.symbols[symbol], open_ms=end - self.timeframe, close_ms=end, open=open_, high=high, low=low,
            close=close, volume=volume, turnover=None if turnover != turnover else turnover, source=self.source,
        )  # fmt: skip


class Block(NamedTuple):
    """A piece of history in total order: bars, and the other events with the row that each comes before.

    others  (row, event) in order; row == bars.rows means after the last bar of the block
    """

    bars: Bars
    others: list[tuple[int, Event]]
