"""What is kept of long series: their ends, their days, and every extreme."""

import numpy as np
import pytest

from bot.thinning import PRICES, extremes, price_path, rows_to_keep, stretch
from feeds.times import DAY, HOUR, MINUTE
from tests.builders import START


def walk(rows: int) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 1e-3, rows)))


def test_short_curves_stay_whole() -> None:
    at = START + MINUTE * np.arange(1, 51)
    assert rows_to_keep(at, walk(50), 50).tolist() == list(range(50))


@pytest.mark.parametrize("days", [30, 200])
def test_days_the_deepest_fall_and_both_ends_survive(days: int) -> None:
    rows = days * 1_440
    at, equity = START + MINUTE * np.arange(1, rows + 1), walk(rows)
    kept = rows_to_keep(at, equity, 4_000)
    assert kept[0] == 0 and kept[-1] == rows - 1 and kept.size <= 4_002
    ends = np.flatnonzero(at % DAY == 0)
    assert set(ends) <= set(kept.tolist())
    assert {int(equity.argmin()), int(equity.argmax())} <= set(kept.tolist())
    fall = lambda values: float((values / np.maximum.accumulate(values)).min())  # noqa: E731
    assert fall(equity[kept]) == pytest.approx(fall(equity), rel=0.02)


def test_each_stretch_keeps_its_highest_and_its_lowest() -> None:
    values = walk(1_000)
    values[100:150] = np.nan
    kept = set(extremes(values, 40).tolist())
    for piece in range(40):
        inside = values[piece * 25 : piece * 25 + 25]
        if not np.isnan(inside).all():
            assert piece * 25 + int(np.nanargmin(inside)) in kept and piece * 25 + int(np.nanargmax(inside)) in kept


def test_a_price_path_holds_what_pandas_finds() -> None:
    pd = pytest.importorskip("pandas")
    rows = 5 * PRICES + 77
    close = walk(rows)
    frame = pd.DataFrame({"o": close * 0.999, "h": close * 1.01, "l": close * 0.99, "c": close})
    there = np.ones(rows, bool)
    there[3_000:3_020] = False  # a hole longer than a stretch
    first = START // MINUTE
    columns = (*(frame[name].to_numpy()[there] for name in "ohlc"), np.full(int(there.sum()), 2.0))
    path = price_path("BTCUSDT", (first + np.arange(rows))[there], columns, MINUTE, first + 10, first + rows)
    size = path.step_ms // MINUTE
    frame["t"] = frame.c * 2.0
    wanted = frame.where(pd.Series(there)).iloc[10:].groupby((first + 10 + np.arange(rows - 10)) // size)
    told = wanted.agg({"o": "first", "h": "max", "l": "min", "c": "last", "t": lambda x: x.sum(min_count=1)}).to_numpy()
    assert path.first_ms % path.step_ms == 0 and DAY % path.step_ms == 0 and len(path.values) == len(told) <= PRICES
    np.testing.assert_allclose(path.values, told, rtol=1e-6)
    assert np.isnan(path.values).any()


@pytest.mark.parametrize(
    ("timeframe", "bars", "wanted"),
    [(MINUTE, 2_000, MINUTE), (MINUTE, 2_001, 2 * MINUTE), (MINUTE, 525_600, 288 * MINUTE), (DAY, 9_000, 5 * DAY), (HOUR, 60_000, 2 * DAY),
     (7 * MINUTE, 5_000, 21 * MINUTE)],
)  # fmt: skip
def test_a_stretch_is_a_part_of_a_day_or_whole_days(timeframe: int, bars: int, wanted: int) -> None:
    assert stretch(timeframe, bars) == wanted and bars * timeframe / wanted <= PRICES + 1


def test_a_symbol_that_was_not_there_has_an_empty_path() -> None:
    none = np.empty(0)
    assert np.isnan(price_path("X", np.empty(0, np.int64), (none,) * 6, MINUTE, 5, 9).values).all()
