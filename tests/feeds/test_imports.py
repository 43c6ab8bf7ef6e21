"""Foreign files into the archive: understood, said, and stored whole or not at all."""

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from feeds.archive import Archive
from feeds.bars import TURNOVER
from feeds.errors import BadData
from feeds.imports import import_files
from feeds.times import HOUR
from tests.feeds.files_on_disk import MINUTE, START, candles, save, with_cell


def klines(rows: int = 5, factor: int = 1) -> str:
    """Lines as in the public dumps: no header, twelve columns."""
    lines = []
    for i in range(rows):
        at = START + i * MINUTE
        lines.append(f"{at * factor},100.0,110.0,90.0,10{i}.5,3.5,{(at + MINUTE - 1) * factor},350.0,12,1.5,150.0,0")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("factor", "unit"), [(1, "milliseconds"), (1_000, "microseconds")])
def test_public_dumps_without_a_header_are_understood(tmp_path: Path, factor: int, unit: str) -> None:
    path = tmp_path / "BTCUSDT-1m-2024-01.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("BTCUSDT-1m-2024-01.csv", klines(factor=factor))
    done = import_files([path], Archive(tmp_path / "archive"))
    (file,) = done.files
    assert (file.layout, file.unit, file.symbols, file.rows) == ("klines without header", unit, ("BTCUSDT",), 5)
    assert file.columns == {
        "open_ms": "open_time", "open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume",
        "turnover": "quote_volume",
    }  # fmt: skip
    read = Archive(tmp_path / "archive").read(["BTCUSDT"], MINUTE)
    assert (read.span, read.values(read.first, read.end)[:, TURNOVER, 0].tolist()) == ((START, START + 5 * MINUTE), [350.0] * 5)


def test_feather_as_freqtrade_writes_it_is_understood(tmp_path: Path) -> None:
    frame = candles(5, step=HOUR).rename(columns={"ts_ms": "date"})
    frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
    path = save(frame, tmp_path / "BTC_USDT_USDT-1h-futures.feather")
    done = import_files([path], Archive(tmp_path / "archive"))
    assert (done.files[0].layout, done.files[0].unit, done.files[0].columns["open_ms"]) == ("Feather", "timestamps", "date")
    assert (done.history.symbols, done.history.timeframe, done.appended.added) == (("BTCUSDT",), HOUR, 5)


def test_seconds_and_dates_are_converted_and_said(tmp_path: Path) -> None:
    seconds = candles(5).assign(ts_ms=[(START + i * MINUTE) // 1_000 for i in range(5)]).rename(columns={"ts_ms": "unix"})
    dates = candles(5).assign(ts_ms=pd.to_datetime(candles(5)["ts_ms"], unit="ms").astype(str)).rename(columns={"ts_ms": "Date"})
    save(seconds, tmp_path / "AUSDT.csv")
    save(dates, tmp_path / "BUSDT.csv")
    done = import_files([tmp_path / "AUSDT.csv", tmp_path / "BUSDT.csv"], Archive(tmp_path / "archive"))
    assert [file.unit for file in done.files] == ["seconds", "ISO 8601"]
    assert done.history.span == (START, START + 5 * MINUTE)


def test_one_file_may_be_given_a_symbol(tmp_path: Path) -> None:
    path = save(candles(), tmp_path / "export (3).csv")
    assert import_files([path], Archive(tmp_path / "archive"), symbols=["BTCUSDT"]).history.symbols == ("BTCUSDT",)


def test_a_second_import_adds_nothing(tmp_path: Path) -> None:
    path, archive = save(candles(), tmp_path / "BTCUSDT.csv"), Archive(tmp_path / "archive")
    import_files([path], archive)
    assert import_files([path], archive).appended == (0, 10, [])


def test_a_fault_in_one_file_stores_nothing_of_any(tmp_path: Path) -> None:
    save(candles(), tmp_path / "in" / "AUSDT.csv")
    save(with_cell(candles(), 3, "high", 1.0), tmp_path / "in" / "BUSDT.csv")
    with pytest.raises(BadData, match=r"BUSDT\.csv: row 4"):
        import_files([tmp_path / "in"], Archive(tmp_path / "archive"))
    assert not (tmp_path / "archive").exists()


def test_columns_without_names_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("1704067200000,1,2\n")
    with pytest.raises(BadData, match="no header line and 3 columns"):
        import_files([path], Archive(tmp_path / "archive"))


def test_a_symbol_that_no_file_holds_is_named_with_those_that_do(tmp_path: Path) -> None:
    save(candles(), tmp_path / "AUSDT.csv")
    save(candles(), tmp_path / "BUSDT.csv")
    with pytest.raises(BadData, match="no candles for SOLUSDT; the files are named AUSDT, BUSDT"):
        import_files([tmp_path], Archive(tmp_path / "archive"), symbols=["SOLUSDT"])


@pytest.mark.parametrize("body", [b"\xbb\xff\x00" * 99, b"\x1f\x8b broken"])
def test_bytes_that_are_no_table_are_refused_by_name(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_bytes(body)
    with pytest.raises(BadData, match=r"BTCUSDT\.csv: cannot be read"):
        import_files([path], Archive(tmp_path / "archive"))
    assert not (tmp_path / "archive").exists()
