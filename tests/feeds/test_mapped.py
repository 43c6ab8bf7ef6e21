"""Long columns in a file: the same arrays as in memory, whose memory can be given back."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import candle_files, mapped
from feeds.errors import BadData
from feeds.history import History, read_candles
from feeds.mapped import Fixed, Growing, give_back, joined, pieces
from tests.feeds.files_on_disk import START, candles, save, with_cell

MINUTE = 60_000


@pytest.fixture(autouse=True)
def long_from_32_rows_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in ((mapped, "LONG", 32), (mapped, "PIECE", 8), (candle_files, "LONG", 32), (candle_files, "PIECE", 8)):
        monkeypatch.setattr(module, name, value)


def lies_in_a_file(array: np.ndarray) -> bool:  # type: ignore[type-arg]
    return not array.flags.owndata and not array.flags.writeable


@given(st.lists(st.integers(0, 40), max_size=8))
@settings(max_examples=40, deadline=None)
def test_a_growing_column_is_what_was_appended_however_it_was_cut(sizes: list[int]) -> None:
    values = np.random.default_rng(1).normal(size=(sum(sizes), 2))
    column, done = Growing(np.float64, (2,)), 0
    for size in sizes:
        column.append(values[done : done + size])
        done += size
        assert np.array_equal(column.array(), values[:done])
    assert column.rows == len(values)
    give_back(column.array())
    assert np.array_equal(column.array(), values)


@pytest.mark.parametrize("rows", [0, 31, 32, 1000])
def test_columns_of_a_known_length_are_what_was_written_in_pieces(rows: int) -> None:
    whole = np.arange(rows), np.random.default_rng(2).normal(size=rows)
    kept = Fixed([np.int64, np.float64], rows)
    for begin, end in pieces(rows):
        kept.append([column[begin:end] for column in whole])
    found = kept.arrays()
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(found, whole, strict=True))
    assert lies_in_a_file(found[1]) is (rows >= 32)
    give_back(*found)
    assert np.array_equal(found[0], whole[0])


def test_a_column_that_is_not_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="0 of 40 rows"):
        Fixed([np.int64], 40).arrays()


def test_without_a_place_for_files_columns_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped.tempfile, "mkstemp", lambda **_: (_ for _ in ()).throw(OSError("read-only")))
    column = Growing(np.float64)
    column.append(np.ones(100))
    column.append(np.zeros(5))
    assert column.array().sum() == 100
    assert joined([[np.arange(50)], [np.arange(3)]])[0].tolist() == [*range(50), *range(3)]


def test_with_too_many_files_open_columns_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "MOST_FILES", 0)
    before = set(os.listdir("/proc/self/fd"))
    (column,) = joined([[np.arange(50)], [np.arange(3)]])
    assert column.flags.owndata and column.size == 53
    assert set(os.listdir("/proc/self/fd")) <= before


def both_ways(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[History, History]:
    pieced = read_candles([path], now=START + 10**9)
    with monkeypatch.context() as patch:
        patch.setattr(candle_files, "LONG", 10**9)
        patch.setattr(mapped, "LONG", 10**9)
        return pieced, read_candles([path], now=START + 10**9)


@pytest.mark.parametrize("row_group", [7, 1000])
def test_a_long_file_read_in_pieces_is_the_history_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_group: int) -> None:
    frame = candles(300).drop([17, 18, 150])
    path = tmp_path / "BTCUSDT.parquet"
    frame.to_parquet(path, row_group_size=row_group)
    pieced, whole = both_ways(path, monkeypatch)
    assert lies_in_a_file(pieced.lanes[0].columns[0])
    assert not lies_in_a_file(whole.lanes[0].numbers)
    assert (pieced.sha256, pieced.gaps, pieced.warnings, pieced.span) == (whole.sha256, whole.gaps, whole.warnings, whole.span)
    for size in (1, 9, 500):
        assert [b.bars.values.tobytes() for b in pieced.blocks(size)] == [b.bars.values.tobytes() for b in whole.blocks(size)]


def test_months_in_files_of_their_own_are_joined_to_one_long_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = candles(90)
    for month in range(3):
        save(frame[30 * month : 30 * month + 30], tmp_path / "BTCUSDT" / f"2024-0{month + 1}.parquet")
    pieced, whole = both_ways(tmp_path, monkeypatch)
    assert lies_in_a_file(pieced.lanes[0].numbers)
    assert pieced.sha256 == whole.sha256
    assert np.array_equal(pieced.values(pieced.first, pieced.end), whole.values(whole.first, whole.end), equal_nan=True)


def test_coarser_bars_are_made_of_a_long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(candles(300), tmp_path / "BTCUSDT.parquet")
    pieced = read_candles([path], timeframe=5 * MINUTE)
    monkeypatch.setattr(candle_files, "LONG", 10**9)
    assert pieced.sha256 == read_candles([path], timeframe=5 * MINUTE).sha256


@pytest.mark.parametrize(
    ("row", "column", "value", "says"),
    [(50, "high", 0.5, "row 51"), (77, "close", np.nan, "row 78"), (60, "volume", -1.0, "row 61"), (55, "ts_ms", START, "row 56")],
)  # fmt: skip
def test_what_is_wrong_with_a_long_file_is_told_with_its_row(tmp_path: Path, row: int, column: str, value: float, says: str) -> None:
    path = save(with_cell(candles(100), row, column, value), tmp_path / "BTCUSDT.parquet")
    with pytest.raises(BadData, match=says):
        read_candles([path])
