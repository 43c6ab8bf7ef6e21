"""The archive: months written whole, what is stored stays, and what is read back is what went in."""

import os
from pathlib import Path

import numpy as np
import pytest

from feeds.archive import Archive
from feeds.bars import CLOSE, COLUMNS
from feeds.errors import BadData
from feeds.events import Candle, Source
from feeds.history import History, read_candles
from feeds.times import DAY, HOUR
from tests.feeds.files_on_disk import MINUTE, START, candles, save


def history(tmp_path: Path, rows: int = 10, **how: object) -> History:
    return read_candles([save(candles(rows, **how), tmp_path / "in" / "BTCUSDT.parquet")])  # type: ignore[arg-type]


def candle(i: int, close: float = 100.0, **how: object) -> Candle:
    at = START + i * MINUTE
    fields = {"symbol": "BTCUSDT", "open": 100.0, "high": 200.0, "low": 50.0, "volume": 1.0, **how}
    return Candle(at=at + MINUTE, open_ms=at, close_ms=at + MINUTE, close=close, **fields)  # type: ignore[arg-type]


def test_what_is_stored_is_read_back_to_the_last_bit_across_months(tmp_path: Path) -> None:
    stored = history(tmp_path, 1_000, step=HOUR)
    archive = Archive(tmp_path / "archive")
    assert archive.append(stored)[:2] == (1_000, 0)
    assert [path.name for path in sorted((tmp_path / "archive/candles/1h/BTCUSDT").iterdir())] == ["2024-01.parquet", "2024-02.parquet"]
    assert archive.read(["BTCUSDT"], HOUR).sha256 == stored.sha256


def test_a_span_is_read_back(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.append(history(tmp_path, 2_000, step=HOUR))
    read = archive.read(["BTCUSDT"], HOUR, START + 40 * DAY + 1, START + 42 * DAY)
    assert read.span == (START + 40 * DAY + HOUR, START + 42 * DAY)


def test_a_bar_that_comes_again_is_stored_once(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    stored = history(tmp_path)
    archive.append(stored)
    assert archive.append(stored) == (0, 10, [])
    more = history(tmp_path, 15)
    assert archive.append(more) == (5, 10, [])
    assert archive.read(["BTCUSDT"], MINUTE).sha256 == more.sha256


def test_a_bar_with_other_numbers_is_reported_and_the_first_is_kept(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.append_candles([candle(0), candle(1)])
    report = archive.append_candles([candle(1, close=150.0), candle(2)])
    assert (report.added, report.repeated) == (1, 0)
    (conflict,) = report.conflicts
    assert (conflict.symbol, conflict.open_ms, conflict.kept[CLOSE], conflict.refused[CLOSE]) == ("BTCUSDT", START + MINUTE, 100.0, 150.0)
    read = archive.read(["BTCUSDT"], MINUTE)
    assert read.values(read.first, read.end)[:, CLOSE, 0].tolist() == [100.0, 100.0, 100.0]


def test_a_turnover_that_one_side_lacks_is_no_conflict(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.append_candles([candle(0, turnover=5.0)])
    assert archive.append_candles([candle(0)]) == (0, 1, [])


def test_candles_in_any_order_and_of_several_symbols_find_their_place(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.append_candles([candle(3), candle(1, symbol="ETHUSDT"), candle(0), candle(3)])
    assert archive.append_candles([candle(1)]).added == 1
    read = archive.read(["BTCUSDT", "ETHUSDT"], MINUTE)
    assert [read.values(read.first, read.end)[:, CLOSE, s].tolist() for s in (0, 1)] == [
        pytest.approx([100.0, 100.0, np.nan, 100.0], nan_ok=True),
        pytest.approx([np.nan, 100.0, np.nan, np.nan], nan_ok=True),
    ]


def test_candles_of_several_lengths_are_refused_and_none_is_stored(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    hour = Candle(at=START + HOUR, symbol="BTCUSDT", open_ms=START, close_ms=START + HOUR, open=1, high=1, low=1, close=1, volume=1)
    with pytest.raises(BadData, match="several lengths"):
        archive.append_candles([candle(0), hour])
    assert archive.holdings() == []
    assert archive.append_candles([]) == (0, 0, [])


def test_where_a_bar_came_from_is_stored_with_it(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    archive = Archive(tmp_path / "archive")
    archive.append_candles([candle(0, source=Source.WS), candle(1, source=Source.REPAIRED)])
    table = pq.read_table(tmp_path / "archive/candles/1m/BTCUSDT/2024-01.parquet")
    assert table["source"].to_pylist() == ["ws", "repaired"]
    assert table.column_names == ["open_ms", *COLUMNS, "source"]


def test_what_is_held_is_listed_with_what_is_missing(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.append_candles([candle(0), candle(1), candle(5), candle(2, symbol="ADAUSDT")])
    ada, btc = archive.holdings()
    assert (ada.symbol, btc.symbol, btc.timeframe, btc.bars, btc.missing) == ("ADAUSDT", "BTCUSDT", MINUTE, 3, 3)
    assert (btc.first_ms, btc.end_ms) == (START, START + 6 * MINUTE)
    assert (btc.gaps, [tuple(hole) for hole in btc.holes]) == (1, [(START + 2 * MINUTE, START + 5 * MINUTE)])
    assert btc.size == (tmp_path / "archive/candles/1m/BTCUSDT/2024-01.parquet").stat().st_size


def test_an_archive_that_is_not_there_holds_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "nowhere")
    assert archive.holdings() == []
    with pytest.raises(BadData, match="no 1m bars of BTCUSDT are stored in that span; `sluice data list`"):
        archive.read(["BTCUSDT"], MINUTE)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("symbol", ["../evil", "a/b", "", ".hidden", "a..b", "x" * 80])
def test_a_symbol_that_is_no_file_name_is_refused(tmp_path: Path, symbol: str) -> None:
    with pytest.raises(BadData, match="cannot be stored"):
        Archive(tmp_path / "archive").append_candles([candle(0, symbol=symbol)])
    assert not (tmp_path / "evil").exists()


def test_a_crash_while_writing_leaves_the_old_month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(tmp_path / "archive")
    archive.append_candles([candle(0)])
    before = archive.read(["BTCUSDT"], MINUTE).sha256

    def crash(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", crash)
        with pytest.raises(OSError, match="No space"):
            archive.append_candles([candle(1)])
    assert archive.read(["BTCUSDT"], MINUTE).sha256 == before
    assert [path.name for path in (tmp_path / "archive/candles/1m/BTCUSDT").iterdir()] == ["2024-01.parquet"]
    assert archive.append_candles([candle(1)]).added == 1


def test_a_temporary_file_that_a_crash_left_is_not_read(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.append_candles([candle(0)])
    (tmp_path / "archive/candles/1m/BTCUSDT/.2024-01.parquet.123").write_bytes(b"half")
    assert archive.read(["BTCUSDT"], MINUTE).bars == 1
    assert len(archive.holdings()) == 1


def test_a_month_that_was_damaged_is_named(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.append_candles([candle(0)])
    (tmp_path / "archive/candles/1m/BTCUSDT/2024-01.parquet").write_bytes(b"PAR1 gone")
    with pytest.raises(BadData, match=r"2024-01\.parquet: this month of the archive cannot be read"):
        archive.read(["BTCUSDT"], MINUTE)
