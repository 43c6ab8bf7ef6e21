"""What the session needs of an executor: simulated here, an exchange elsewhere."""

from typing import Protocol

from bot.events import CancelRequest, OrderRequest
from feeds.bars import Bars
from feeds.events import Candle, Event, Funding


class Executor(Protocol):
    """Takes approved orders; yields OrderUpdate, Fill and FundingPaid.

    In a replay the session stops only at some bars: `first_touch` says where, and `skip` hands over the marks of those it
    passes by (call it with every stretch of rows that is not settled as candles).
    """

    def on_order(self, request: OrderRequest) -> list[Event]: ...

    def on_cancel(self, request: CancelRequest) -> list[Event]: ...

    def on_candle(self, candle: Candle) -> list[Event]: ...

    def on_funding(self, funding: Funding) -> list[Event]: ...

    def release(self) -> None:
        """The intents are on disk: orders may leave."""
        ...

    def first_touch(self, bars: Bars, start: int, stop: int) -> int:
        """The first row in [start, stop) at which an order, a stop, a liquidation or a kept funding could act; `stop` if none."""
        ...

    def first_met(self, bars: Bars, row: int, place: int) -> int:
        """The first symbol from `place` on whose bar of this row has to go through `on_candle`; the number of symbols if none."""
        ...

    def mark_row(self, bars: Bars, row: int, first: int, end: int) -> None:
        """The symbols [first, end) have had their bars of this row, and nothing here could act: take their closes."""
        ...

    def skip(self, bars: Bars, start: int, stop: int) -> None:
        """Rows [start, stop) were quiet: take their last closes."""
        ...
