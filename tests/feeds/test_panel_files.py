"""Data files as a panel: what stands where, and what is refused with its place."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feeds.errors import BadData
from feeds.panel_files import read_panel, stem
from tests.feeds.files_on_disk import MINUTE, START, candles, save


def test_symbols_go_by_the_names_of_their_files(tmp_path: Path) -> None:
    for name in ("a b.csv", "0700.HK.parquet", "btc.csv.gz", "X-Y.feather"):
        save(candles(), tmp_path / name)
    assert read_panel([tmp_path]).symbols == ("0700.HK", "X-Y", "a b", "btc")
    assert stem(Path("archive/BTCUSDT/2024-01.parquet")) == "BTCUSDT"


def test_every_further_column_is_a_field_and_what_is_missing_is_not_known(tmp_path: Path) -> None:
    save(candles(4, oi=[1.0, None, 3.0, 4.0], note=["a", "b", "c", "d"]), tmp_path / "A.csv")
    save(candles(3, start=START + 2 * MINUTE).drop(index=1).assign(Quote_Volume=7.0), tmp_path / "B.csv")
    panel = read_panel([tmp_path])
    assert panel.fields == ("open", "high", "low", "close", "volume", "oi", "turnover", "quote_volume")
    assert panel.times.tolist() == [START + i * MINUTE for i in range(5)]
    first = START // MINUTE
    values = panel.values(("oi", "turnover"), first - 1, first + 6)
    assert values.shape == (7, 2, 2)
    np.testing.assert_array_equal(values[:, 0, 0], [np.nan, 1, np.nan, 3, 4, np.nan, np.nan])
    np.testing.assert_array_equal(values[:, 1, 1], [np.nan, np.nan, np.nan, 7, np.nan, 7, np.nan])


def test_a_column_of_text_is_no_field_and_text_among_numbers_is_refused_with_its_place(tmp_path: Path) -> None:
    notes = ["fine"] * 200
    marks: list[object] = [*range(150), "n/a", *range(49)]
    for name in ("A.csv", "B.parquet"):
        frame = candles(200, note=notes, flag=[True] * 200, mark=[str(m) for m in marks], nothing=[None] * 200)
        save(frame, tmp_path / name[0] / name)
        panel = read_panel([tmp_path / name[0]])
        assert panel.fields == ("open", "high", "low", "close", "volume", "mark", "nothing")
        with pytest.raises(BadData, match=rf"{name}: row 151.*, column mark: 'n/a' is text"):
            panel.values(("mark",), START // MINUTE, START // MINUTE + 1)


def test_the_timeframe_is_the_commonest_step(tmp_path: Path) -> None:
    save(candles(10).drop(index=[3, 4]), tmp_path / "A.parquet")
    panel = read_panel([tmp_path])
    assert panel.timeframe == MINUTE
    assert panel.notes == [
        "2 bars of 1m are missing between others, most of them (2) of A: there nothing is known, nor where a window would need them"
    ]
    save(candles(1), tmp_path / "B" / "one.parquet")
    with pytest.raises(BadData, match="one bar alone does not say how long a bar is; give --timeframe"):
        read_panel([tmp_path / "B"])
    assert read_panel([tmp_path / "B"], (), MINUTE).bars == 1


def test_bars_may_begin_anywhere_in_their_timeframe_if_all_do(tmp_path: Path) -> None:
    save(candles(5, start=START + 7_000), tmp_path / "A.parquet")
    panel = read_panel([tmp_path])
    assert panel.times[0] == START + 7_000
    assert panel.values(("close",), panel.numbers[0], panel.numbers[0] + 1)[0, 0, 0] == 101.0


def test_several_symbols_of_one_file_are_told_apart_by_their_column(tmp_path: Path) -> None:
    both = pd.concat([candles(3).assign(symbol="A"), candles(3, price=50.0).assign(symbol="B/C")])
    save(both, tmp_path / "all.parquet")
    save(candles(3).assign(symbol="Z"), tmp_path / "named.parquet")
    panel = read_panel([tmp_path])
    assert panel.symbols == ("A", "B/C", "named")
    assert panel.values(("open",), START // MINUTE, START // MINUTE + 1)[0, 0].tolist() == [100, 50, 100]


def test_a_symbol_in_several_files_is_put_together(tmp_path: Path) -> None:
    save(candles(3, start=START + 3 * MINUTE), tmp_path / "b" / "A.csv")
    save(candles(3), tmp_path / "c" / "A.csv")
    panel = read_panel([tmp_path])
    assert (panel.symbols, panel.times.size) == (("A",), 6)
    save(candles(3), tmp_path / "d" / "A.csv")
    with pytest.raises(BadData, match=r"d/A.csv: A at 2024-01-01T00:00:00Z is in .*c/A.csv too"):
        read_panel([tmp_path])


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (candles(3).assign(ts_ms=[START, START, START + MINUTE]), r"row 2 \(line 3\), column ts_ms: duplicated timestamp"),
        (candles(3).iloc[::-1], r"row 2 \(line 3\), column ts_ms: unsorted"),
        (candles(3).drop(columns="volume"), "column volume is missing .*; add it or rename"),
        (candles(3).rename(columns={"ts_ms": "when"}), "column ts_ms is missing"),
        (candles(3, start=START // 1000, step=60), "the times are in seconds .* milliseconds are expected; multiply by 1000"),
        (candles(3, start=START * 1000, step=MINUTE * 1000), "the times are in microseconds .*; divide by 1000"),
        (candles(5).assign(ts_ms=lambda d: d.ts_ms + np.array([0, 0, 0, 5, 0])), r"row 4 \(line 5\).* is off the grid of 1m bars"),
        (candles(5).assign(ts_ms=lambda d: d.ts_ms + np.array([5, 0, 0, 0, 0])), r"row 1 \(line 2\).* is off the grid of 1m bars"),
        (candles(0), "the file is empty"),
    ],
)
def test_what_is_no_series_is_refused_with_its_place_and_the_next_step(frame: pd.DataFrame, says: str, tmp_path: Path) -> None:
    save(frame, tmp_path / "A.csv")
    with pytest.raises(BadData, match=r"A.csv.*" + says):
        read_panel([tmp_path / "A.csv"])


def test_files_that_are_not_there_or_no_files_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.parquet", tmp_path, tmp_path / "*.parquet"):
        with pytest.raises(BadData, match=r"check the path|give another path"):
            read_panel([path])
    (tmp_path / "A.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(BadData, match="cannot be read"):
        read_panel([tmp_path])
