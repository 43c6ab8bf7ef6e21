"""Bars: a run of bar closes as arrays."""

import numpy as np

from feeds.bars import COLUMNS, Bars
from feeds.events import Source

MINUTE = 60_000


def bars() -> Bars:
    values = np.full((3, len(COLUMNS), 2), np.nan)
    values[0, :, 0] = [1, 4, 0.5, 2, 10, 20]
    values[2, :5, 1] = [5, 6, 4, 5.5, 7]
    return Bars(("AUSDT", "BUSDT"), MINUTE, 100, values, Source.WS)


def test_a_row_closes_at_the_end_of_its_bar() -> None:
    assert [bars().close_ms(row) for row in range(bars().rows)] == [101 * MINUTE, 102 * MINUTE, 103 * MINUTE]


def test_a_missing_bar_is_nan_and_not_present() -> None:
    assert [bars().present(row) for row in range(3)] == [[0], [], [1]]


def test_a_bar_becomes_the_candle_that_is_known_at_its_close() -> None:
    candle = bars().candle(0, 0)
    assert (candle.at, candle.open_ms, candle.close_ms) == (101 * MINUTE, 100 * MINUTE, 101 * MINUTE)
    assert (candle.symbol, candle.open, candle.high, candle.low, candle.close, candle.volume) == ("AUSDT", 1, 4, 0.5, 2, 10)
    assert (candle.turnover, candle.source) == (20, Source.WS)


def test_a_turnover_that_was_not_given_is_none() -> None:
    assert bars().candle(2, 1).turnover is None
