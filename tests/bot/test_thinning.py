"""What is kept of long series: their ends, their days, and every extreme."""

import numpy as np
import pytest

from bot.thinning import PRICES, extremes, price_path, rows_to_keep
from feeds.times import DAY, MINUTE
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
    columns = tuple(frame[name].to_numpy()[there] for name in "ohlc")
    path = price_path("BTCUSDT", (first + np.arange(rows))[there], columns, MINUTE, first + 10, first + rows)
    size = path.step_ms // MINUTE
    wanted = (
        frame.where(pd.Series(there))
        .iloc[10:]
        .groupby((np.arange(rows - 10)) // size)
        .agg({"o": "first", "h": "max", "l": "min", "c": "last"})
    )
    assert path.first_ms == (first + 10) * MINUTE and len(path.values) == len(wanted) <= PRICES
    np.testing.assert_array_equal(path.values, wanted.to_numpy().astype(np.float32))
    assert np.isnan(path.values).any()


def test_a_symbol_that_was_not_there_has_an_empty_path() -> None:
    none = np.empty(0)
    assert np.isnan(price_path("X", np.empty(0, np.int64), (none,) * 6, MINUTE, 5, 9).values).all()
