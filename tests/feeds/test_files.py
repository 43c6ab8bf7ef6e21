"""Tables on disk: every fault has a place and a next step."""

import gzip
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feeds.errors import BadData
from feeds.files import find_files, has_header, instants, numbers, plain_name, read_table, symbol_of, time_column, unit_of
from tests.feeds.files_on_disk import START, candles, save


def test_a_directory_gives_its_files_sorted_to_the_bottom_and_hidden_ones_stay_hidden(tmp_path: Path) -> None:
    for name in ("b/z.parquet", "a.csv", ".hidden/x.csv", "b/notes.txt"):
        save(candles(), tmp_path / name)
    assert [str(p.relative_to(tmp_path)) for p in find_files([tmp_path])] == ["a.csv", "b/z.parquet"]


def test_commas_separate_paths_and_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    a, b = save(candles(), tmp_path / "a.csv"), save(candles(), tmp_path / "b.csv")
    assert find_files([f"{a},{b}", str(a)]) == [a, b] == find_files([Path(f"{a}, {b}")])
    odd = save(candles(), tmp_path / "a,b.csv")
    assert find_files([odd]) == [odd]


@pytest.mark.parametrize("asked", ["missing", "empty"])
def test_a_path_without_files_is_named(tmp_path: Path, asked: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadData, match=str(tmp_path / asked)):
        find_files([str(tmp_path / asked)])


def test_no_path_at_all_says_what_to_give() -> None:
    with pytest.raises(BadData, match="no files matched"):
        find_files([])


def test_a_truncated_parquet_is_refused_by_name(tmp_path: Path) -> None:
    path = save(candles(), tmp_path / "BTCUSDT.parquet")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadData, match=r"BTCUSDT\.parquet: cannot be read: .*fetch it again"):
        read_table(path)


@pytest.mark.parametrize("body", [b"", b"\n", b"ts_ms,open\n"])
def test_an_empty_csv_says_that_it_is_empty(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_bytes(body)
    with pytest.raises(BadData, match="the file is empty"):
        read_table(path)


def test_a_row_with_too_few_cells_is_refused_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("ts_ms,open\n1,2\n3\n")
    with pytest.raises(BadData, match=r"BTCUSDT\.csv: cannot be read: .*Row #3: Expected 2 columns"):
        read_table(path)


@pytest.mark.filterwarnings("error")
def test_a_time_beyond_all_integers_is_refused_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("ts_ms,open\n1704067200000,2\n1180591620717411303424,3\n")
    with pytest.raises(BadData, match=r"row 2 \(line 3\), column ts_ms: 1\.18\d+e\+21 is no whole number of milliseconds"):
        instants(read_table(path), "ts_ms")


def test_a_csv_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_bytes(b"\xff\xfe\x00ts_ms,open\n1,2\n")
    with pytest.raises(BadData, match=r"BTCUSDT\.csv: cannot be read"):
        read_table(path)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("Open,open\n1,2\n")
    with pytest.raises(BadData, match="two columns are named open"):
        read_table(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_and_byte_order_mark_make_no_difference(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\ufeff" + delimiter.join(["ts_ms", "Open Price"]) + "\n" + delimiter.join(["1704067200000", " 2.5 "]) + "\n")
    table = read_table(path)
    assert list(table.columns) == ["ts_ms", "open_price"]
    assert numbers(table, "open_price").tolist() == [2.5]


def test_packed_csv_reads_like_plain(tmp_path: Path) -> None:
    body = candles().to_csv(index=False).encode()
    (tmp_path / "a.csv").write_bytes(body)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(body))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("inside.csv", body)
    plain, *others = (numbers(read_table(tmp_path / name), "close") for name in ("a.csv", "a.csv.gz", "a.zip"))
    assert all(np.array_equal(plain, other) for other in others)


def test_a_zip_of_several_csvs_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("a.csv", "x\n1\n")
        packed.writestr("b.csv", "x\n1\n")
    with pytest.raises(BadData, match="holds 2 CSV files"):
        read_table(tmp_path / "a.zip")


def test_text_among_numbers_is_named_with_row_line_and_column(tmp_path: Path) -> None:
    frame = candles().astype({"close": object})
    frame.loc[6, "close"] = "n/a soon"
    with pytest.raises(BadData, match=r"row 7 \(line 8\), column close: 'n/a soon' is text"):
        numbers(read_table(save(frame, tmp_path / "x.csv")), "close")


def test_text_in_the_last_of_many_rows_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("close\n" + "1\n" * 300_000 + "oops\n")
    with pytest.raises(BadData, match="row 300001 "):
        numbers(read_table(path), "close")


def test_csv_floats_come_back_to_the_last_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(1).lognormal(0, 9, 2_000)
    path = tmp_path / "x.csv"
    path.write_text("x\n" + "\n".join(repr(v) for v in values.tolist()) + "\n")
    assert np.array_equal(numbers(read_table(path), "x"), values)


def test_a_column_of_dates_is_no_column_of_numbers(tmp_path: Path) -> None:
    path = save(pd.DataFrame({"close": pd.to_datetime(["2024-01-01"])}), tmp_path / "x.parquet")
    with pytest.raises(BadData, match="not numbers"):
        numbers(read_table(path), "close")


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([1704067200], "seconds"),
        ([1704067200000], "milliseconds"),
        ([1704067200000000], "microseconds"),
        ([1704067200000000000], "nanoseconds"),
        ([0], None),
        ([20240101], None),
        ([1704067200, 1704067200000], None),
    ],
)
def test_the_unit_of_time_is_told_by_its_size(values: list[int], unit: str | None) -> None:
    assert unit_of(np.array(values, np.int64)) == unit


@pytest.mark.parametrize(
    ("factor", "unit", "fix"),
    [(0.001, "seconds", "multiply by 1000"), (1000, "microseconds", "divide by 1000"), (10**6, "nanoseconds", "divide by 1000000")],
)
def test_another_unit_is_refused_with_the_way_out_and_converted_on_request(tmp_path: Path, factor: float, unit: str, fix: str) -> None:
    stamps = [int(START * factor), int((START + 60_000) * factor)]
    table = read_table(save(pd.DataFrame({"ts_ms": stamps}), tmp_path / "x.parquet"))
    with pytest.raises(BadData, match=f"column ts_ms: the times are in {unit} .*{fix}"):
        instants(table, "ts_ms")
    converted, found = instants(table, "ts_ms", unit=None)
    assert converted.tolist() == [START, START + 60_000]
    assert found == unit


@pytest.mark.parametrize(
    "column",
    [
        pd.to_datetime([START, START + 60_000], unit="ms", utc=True),
        pd.to_datetime([START, START + 60_000], unit="ms"),
        pd.to_datetime([START, START + 60_000], unit="ms").astype("datetime64[ns]"),
        ["2024-01-01 00:00:00", "2024-01-01 00:01:00"],
        ["2024-01-01T00:00:00Z", "2024-01-01T00:01:00Z"],
        ["2024-01-01T02:00:00+02:00", "2024-01-01T02:01:00+02:00"],
        [float(START), float(START + 60_000)],
        [str(START), str(START + 60_000)],
    ],
)
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_instants_come_in_many_spellings(tmp_path: Path, column: object, suffix: str) -> None:
    table = read_table(save(pd.DataFrame({"date": column}), tmp_path / f"x.{suffix}"))
    assert instants(table, "date")[0].tolist() == [START, START + 60_000]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["2024-01-01", "soon"], r"row 2 \(line 3\), column date: 'soon' is not a time"),
        (["1704067200000", ""], r"row 2 \(line 3\), column date: the time is empty"),
        (["1704067200000.5", "1704067260000"], r"row 1 \(line 2\), column date: .*no whole number"),
        (["1704067200000", "7"], r"row 2 \(line 3\), column date: 7 is no time"),
    ],
)
def test_a_broken_instant_is_named(tmp_path: Path, cells: list[str], says: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text("date,x\n" + "".join(f"{cell},1\n" for cell in cells))
    with pytest.raises(BadData, match=says):
        instants(read_table(path), "date")


def test_two_columns_that_could_be_the_time_are_refused_and_a_house_name_wins(tmp_path: Path) -> None:
    both = read_table(save(pd.DataFrame({"date": [1], "unix": [1]}), tmp_path / "a.csv"))
    with pytest.raises(BadData, match="date and unix could each be the time"):
        time_column(both)
    assert time_column(read_table(save(pd.DataFrame({"date": [1], "ts_ms": [1]}), tmp_path / "b.csv"))) == "ts_ms"


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTCUSDT.parquet", "BTCUSDT"),
        ("btcusdt.csv.gz", "BTCUSDT"),
        ("BTCUSDT-1m-2023-07.zip", "BTCUSDT"),
        ("BTCUSDT_1h.csv", "BTCUSDT"),
        ("BTC_USDT_USDT-1h-futures.feather", "BTCUSDT"),
        ("BTC-USDT.csv", "BTCUSDT"),
        ("1000PEPEUSDT.parquet", "1000PEPEUSDT"),
        ("SPX.csv", "SPX"),
    ],
)
def test_a_file_is_named_after_its_symbol(name: str, symbol: str) -> None:
    assert symbol_of(Path("/x") / name) == symbol


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Open Time", "open_time"),
        ("quoteVolume", "quote_volume"),
        ("CapMVRVCur", "cap_mvrv_cur"),
        (" ts_ms ", "ts_ms"),
        ("taker-buy.volume", "taker_buy_volume"),
    ],
)
def test_names_of_columns_are_made_plain(name: str, plain: str) -> None:
    assert plain_name(name) == plain


@pytest.mark.parametrize(
    ("line", "header"), [("ts_ms,open", True), ("1704067200000,1,2", False), ("2024-01-01,1,2", False), ("date", True)]
)
def test_a_header_is_a_line_with_a_name_in_it(line: str, header: bool) -> None:
    assert has_header(line) is header


def test_days_are_instants(tmp_path: Path) -> None:
    days = pd.DataFrame({"date": [date(2024, 1, 1), date(2024, 1, 2)]})
    assert instants(read_table(save(days, tmp_path / "x.parquet")), "date")[0].tolist() == [START, START + 86_400_000]


def test_the_nameless_index_of_a_frame_is_the_time_if_nothing_else_is(tmp_path: Path) -> None:
    frame = pd.DataFrame({"close": [1.0]}, index=pd.to_datetime([START], unit="ms"))
    frame.to_parquet(tmp_path / "x.parquet")
    table = read_table(tmp_path / "x.parquet")
    assert instants(table, time_column(table))[0].tolist() == [START]


def test_underscores_in_a_number_make_it_text(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("close\n1_000\n")
    with pytest.raises(BadData, match="'1_000' is text"):
        numbers(read_table(path), "close")
