"""What cannot be a bar is refused with its place, and nothing is half-read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feeds.candle_files import RULES, check_series, named, series_of
from feeds.errors import BadData
from feeds.files import read_table
from feeds.history import read_candles
from tests.feeds.files_on_disk import MINUTE, START, candles, save, with_cell

NAN, INF = float("nan"), float("inf")

BROKEN_CELLS = [
    ("open", NAN, "open nan is empty or not a number"),
    ("high", NAN, "high nan is empty"),
    ("volume", NAN, "volume nan is empty"),
    ("close", INF, "close inf is infinite"),
    ("high", 1e30, "high 1e\\+30 is infinite or beyond any market"),
    ("volume", INF, "volume inf is infinite"),
    ("low", 0.0, "low 0.0 is not above zero"),
    ("low", -1.0, "low -1.0 is not above zero"),
    ("high", 50.0, "high 50.0 is below the low"),
    ("open", 500.0, "open 500.0 is outside low .. high"),
    ("close", 1.0, "close 1.0 is outside low .. high"),
    ("volume", -0.5, "volume -0.5 is negative"),
]


@pytest.mark.parametrize(("column", "value", "says"), BROKEN_CELLS)
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_an_impossible_cell_is_named_with_file_row_and_column(tmp_path: Path, column: str, value: float, says: str, suffix: str) -> None:
    path = save(with_cell(candles(), 4, column, value), tmp_path / f"BTCUSDT.{suffix}")
    with pytest.raises(BadData, match=rf"BTCUSDT\.{suffix}: row 5.*, column {column}: .*{says}.*correct or remove the row") as fault:
        read_candles([path])
    assert len(str(fault.value).splitlines()) == 1


def test_of_two_faults_the_earlier_row_is_named(tmp_path: Path) -> None:
    frame = with_cell(with_cell(candles(), 7, "open", NAN), 3, "volume", -1.0)
    with pytest.raises(BadData, match="row 4, column volume"):
        read_candles([save(frame, tmp_path / "BTCUSDT.parquet")])


@pytest.mark.parametrize("column", ["ts_ms", "open", "high", "low", "close", "volume"])
def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path, column: str) -> None:
    path = save(candles().drop(columns=column), tmp_path / "BTCUSDT.csv")
    with pytest.raises(BadData, match=rf"BTCUSDT\.csv: column {column} is missing \(columns there: "):
        read_candles([path])


def test_text_in_a_price_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"row 3 \(line 4\), column low: 'x' is text"):
        read_candles([save(with_cell(candles(), 2, "low", "x"), tmp_path / "BTCUSDT.csv")])


def test_unsorted_rows_are_refused(tmp_path: Path) -> None:
    frame = candles().iloc[[0, 1, 3, 2, 4]]
    with pytest.raises(BadData, match=r"row 4, column ts_ms: unsorted: 2024-01-01T00:02:00Z of BTCUSDT comes after 2024-01-01T00:03:00Z"):
        read_candles([save(frame, tmp_path / "BTCUSDT.parquet")])


def test_a_duplicated_timestamp_is_refused(tmp_path: Path) -> None:
    frame = candles().iloc[[0, 1, 1, 2]]
    with pytest.raises(BadData, match="row 3, column ts_ms: duplicated timestamp 2024-01-01T00:01:00Z of BTCUSDT"):
        read_candles([save(frame, tmp_path / "BTCUSDT.parquet")])


def test_times_after_now_are_refused_and_without_now_they_are_not_looked_at(tmp_path: Path) -> None:
    path = save(candles(), tmp_path / "BTCUSDT.parquet")
    with pytest.raises(
        BadData, match=r"row 6, column ts_ms: 2024-01-01T00:05:00Z is in the future \(now is 2024-01-01T00:04:30Z, if .*clock is right\)"
    ):
        read_candles([path], now=START + 4 * MINUTE + 30_000)
    assert read_candles([path]).rows == 10


def test_a_bar_that_is_still_forming_is_left_out_and_said(tmp_path: Path) -> None:
    path = save(candles(), tmp_path / "BTCUSDT.parquet")
    history = read_candles([path], now=START + 9 * MINUTE + 30_000)
    assert history.rows == 9
    assert history.warnings == ["BTCUSDT: the bar of 2024-01-01T00:09:00Z has not closed yet; left out"]
    assert read_candles([path], now=START + 10 * MINUTE).rows == 10


def test_only_a_forming_bar_is_no_history(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no closed bar of BTCUSDT"):
        read_candles([save(candles(1), tmp_path / "BTCUSDT.parquet")], timeframe=MINUTE, now=START + 1)


@pytest.mark.parametrize(("factor", "unit"), [(0.001, "seconds"), (1_000, "microseconds"), (1_000_000, "nanoseconds")])
def test_the_wrong_unit_of_time_is_named(tmp_path: Path, factor: float, unit: str) -> None:
    frame = candles().assign(ts_ms=[int((START + i * MINUTE) * factor) for i in range(10)])
    with pytest.raises(BadData, match=f"row 1, column ts_ms: the times are in {unit} .*sluice data import"):
        read_candles([save(frame, tmp_path / "BTCUSDT.parquet")])


def test_times_off_the_grid_are_refused(tmp_path: Path) -> None:
    frame = with_cell(candles(), 5, "ts_ms", START + 5 * MINUTE + 7_000)
    with pytest.raises(BadData, match="row 6, column ts_ms: 2024-01-01T00:05:07Z is off the grid of 1m bars"):
        read_candles([save(frame, tmp_path / "BTCUSDT.parquet")])


def test_a_timeframe_that_does_not_divide_a_day_is_refused(tmp_path: Path) -> None:
    path = save(candles(step=7 * MINUTE), tmp_path / "BTCUSDT.parquet")
    with pytest.raises(BadData, match="the timeframe 7m does not divide a day"):
        read_candles([path])


def test_values_where_names_should_be_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    candles().to_csv(path, index=False, header=False)
    with pytest.raises(BadData, match=r"row 1 \(line 1\) holds values where column names should be"):
        read_candles([path])


def test_an_empty_symbol_is_named(tmp_path: Path) -> None:
    frame = candles().assign(symbol=["BTCUSDT"] * 3 + [None] + ["BTCUSDT"] * 6)
    with pytest.raises(BadData, match="row 4, column symbol: the symbol is empty"):
        read_candles([save(frame, tmp_path / "all.parquet")])


def test_common_names_are_understood(tmp_path: Path) -> None:
    renamed = candles().rename(columns={"ts_ms": "Open Time", "open": "Open", "volume": "Volume"}).assign(**{"Quote Asset Volume": 5.0})
    history = read_candles([save(renamed, tmp_path / "BTCUSDT.csv")])
    assert history.values(history.first, history.end)[:, 5, 0].tolist() == [5.0] * 10


def test_no_other_column_than_ours_matters(tmp_path: Path) -> None:
    plain = read_candles([save(candles(), tmp_path / "a" / "BTCUSDT.parquet")])
    more = read_candles([save(candles().assign(trades=7, note="x"), tmp_path / "b" / "BTCUSDT.parquet")])
    assert plain.sha256 == more.sha256


def test_one_broken_file_among_many_gives_nothing(tmp_path: Path) -> None:
    save(candles(), tmp_path / "AAAUSDT.parquet")
    save(with_cell(candles(), 0, "close", NAN), tmp_path / "ZZZUSDT.parquet")
    with pytest.raises(BadData, match=r"ZZZUSDT\.parquet: row 1, column close"):
        read_candles([tmp_path])
    assert read_candles([tmp_path], ["AAAUSDT"]).rows == 10


def test_a_symbol_that_could_steer_a_terminal_is_refused_with_its_row(tmp_path: Path) -> None:
    for name in ("BTC\x1b[31m", "<b>", "BTC\u202eUSDT", " "):
        path = save(candles(3).assign(symbol=["BTCUSDT", name, "BTCUSDT"]), tmp_path / "many.csv")
        with pytest.raises(BadData, match=r"many\.csv: row 2 \(line 3\), column symbol: .*(is no symbol|is empty)"):
            read_candles([path])
    with pytest.raises(BadData, match="named after its symbol"):
        read_candles([save(candles(3), tmp_path / "<img src=x>.csv")])


def test_a_symbol_written_in_two_ways_loses_no_rows(tmp_path: Path) -> None:
    path = save(candles(3).assign(symbol=["BTCUSDT", "BTCUSDT ", "BTCUSDT"]), tmp_path / "many.csv")
    with pytest.raises(BadData, match=r"row 2 .*BTCUSDT is written with and without blanks"):
        read_candles([path])


def test_rows_of_a_file_with_many_symbols_keep_their_numbers(tmp_path: Path) -> None:
    frame = (
        pd.concat([candles().assign(symbol="AUSDT"), candles().assign(symbol="BUSDT")])
        .sort_values("ts_ms", kind="stable")
        .reset_index(drop=True)
    )
    with pytest.raises(BadData, match=r"row 8, column close: .*BUSDT"):
        read_candles([save(with_cell(frame, 7, "close", NAN), tmp_path / "all.parquet")])


def test_a_random_cell_of_garbage_never_gets_through(tmp_path: Path) -> None:
    dice = np.random.default_rng(4)
    for trial in range(60):
        column, value, _ = BROKEN_CELLS[int(dice.integers(len(BROKEN_CELLS)))]
        row = int(dice.integers(10))
        path = save(with_cell(candles(), row, column, value), tmp_path / f"{trial}" / "BTCUSDT.parquet")
        with pytest.raises(BadData, match=f"row {row + 1},"):
            read_candles([path])


def test_of_a_hundred_thousand_bars_of_garbage_only_possible_ones_get_through(tmp_path: Path) -> None:
    """An oracle in plain Python says which bars can be; the reader, alone with each kind, agrees."""
    dice = np.random.default_rng(11)
    pool = np.array([NAN, INF, -INF, -1.0, -0.0, 0.0, 1e-12, 1.0, 2.0, 3.0, 1e30])
    rows = 100_000
    columns = tuple(dice.choice(pool, rows, p=[0.02] * 6 + [0.02] + [0.28] * 3 + [0.02]) for _ in range(6))

    def possible(open_: float, high: float, low: float, close: float, volume: float, turnover: float) -> bool:
        prices = (open_, high, low, close)
        fair = all(0 < price <= 1e15 for price in prices) and low <= min(open_, close) and max(open_, close) <= high
        return fair and 0 <= volume <= 1e21 and (turnover != turnover or 0 <= turnover <= 1e21)

    expected = np.array([possible(*bar) for bar in zip(*(column.tolist() for column in columns), strict=True)])
    by_rules = np.zeros(rows, bool)
    for rule in RULES:
        by_rules |= rule.broken(named(columns))
    assert np.array_equal(by_rules, ~expected)
    assert 1_000 < expected.sum() < rows
    (series,) = series_of(read_table(save(candles(2), tmp_path / "BTCUSDT.parquet")))
    good = [column[expected] for column in columns]
    check_series(series._replace(open_ms=START + MINUTE * np.arange(good[0].size), columns=tuple(good), rows=np.arange(good[0].size)), None)
    for bad in np.flatnonzero(~expected)[:300]:
        pair = tuple(np.array([column[expected][0], column[bad]]) for column in columns)
        with pytest.raises(BadData, match="row 2,"):
            check_series(series._replace(columns=pair), None)
