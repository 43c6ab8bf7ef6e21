"""The check of data quality reports everything, where the reader stops at the first fault."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feeds.history import read_candles
from feeds.quality import STALE_RUN, Finding, Severity, check
from tests.feeds.files_on_disk import MINUTE, START, candles, save, with_cell


def calm(rows: int = 200) -> pd.DataFrame:
    """Sound candles that move by a hundredth of a percent."""
    opens = 1_000 + 0.1 * np.sin(np.arange(rows))
    return candles(rows).assign(open=opens, high=opens + 1, low=opens - 1, close=opens + 0.05)


def codes(findings: list[Finding]) -> dict[str, int]:
    return {finding.code: finding.bars for finding in findings}


def test_sound_candles_have_no_finding(tmp_path: Path) -> None:
    path = save(calm(), tmp_path / "BTCUSDT.parquet")
    assert check([path], now=START + 10**9) == check(read_candles([path])) == []


@pytest.mark.parametrize(
    ("frame", "code", "bars"),
    [
        (with_cell(calm(), 3, "close", float("nan")), "not_a_number", 1),
        (with_cell(calm(), 3, "volume", float("inf")), "out_of_range", 1),
        (with_cell(calm(), 3, "low", 0.0), "price_not_positive", 1),
        (with_cell(calm(), 3, "high", 1.0), "high_below_low", 1),
        (with_cell(calm(), 3, "close", 1_900.0), "outside_range", 1),
        (with_cell(calm(), 3, "volume", -1.0), "negative_volume", 1),
        (calm().iloc[[*range(50), 49, 49, *range(50, 200)]], "duplicate", 2),
        (calm().iloc[[*range(50), 60, *range(50, 60), *range(61, 200)]], "unsorted", 1),
        (with_cell(calm(), 3, "ts_ms", START + 3 * MINUTE + 5), "off_grid", 1),
    ],
)
def test_what_the_reader_refuses_is_an_error(tmp_path: Path, frame: pd.DataFrame, code: str, bars: int) -> None:
    findings = check([save(frame, tmp_path / "BTCUSDT.parquet")])
    found = next(finding for finding in findings if finding.code == code)
    assert (found.severity, found.symbol, found.bars) == (Severity.ERROR, "BTCUSDT", bars)
    assert "BTCUSDT.parquet: row " in found.where


def test_several_faults_are_all_reported_most_severe_first(tmp_path: Path) -> None:
    frame = with_cell(with_cell(calm(), 3, "low", -5.0), 90, "volume", 0.0).drop([100, 101])
    findings = check([save(frame, tmp_path / "BTCUSDT.csv")])
    assert codes(findings) == {"price_not_positive": 1, "gap": 2, "zero_volume": 1}
    assert [finding.severity for finding in findings] == [Severity.ERROR, Severity.WARNING, Severity.NOTE]


def test_gaps_say_how_many_how_long_and_where(tmp_path: Path) -> None:
    frame = calm().drop([10, 50, 51, 52])
    (gap,) = check([save(frame, tmp_path / "BTCUSDT.csv")])
    assert (gap.code, gap.bars, gap.first) == ("gap", 4, START + 10 * MINUTE)
    assert gap.detail == "2 gaps, the longest of 3 bars from 2024-01-01T00:50:00Z"


def test_a_run_of_bars_that_do_not_change_is_stale(tmp_path: Path) -> None:
    frame = calm()
    frame.loc[20 : 20 + STALE_RUN - 1, ["open", "high", "low", "close", "volume"]] = [1_000.0, 1_001.0, 999.0, 1_000.0, 5.0]
    (stale,) = check([save(frame, tmp_path / "BTCUSDT.csv")])
    assert (stale.code, stale.bars, stale.first) == ("stale", STALE_RUN, START + 20 * MINUTE)


def test_a_short_run_is_not(tmp_path: Path) -> None:
    frame = calm()
    frame.loc[20 : 20 + STALE_RUN - 2, ["open", "high", "low", "close", "volume"]] = [1_000.0, 1_001.0, 999.0, 1_000.0, 5.0]
    assert check([save(frame, tmp_path / "BTCUSDT.csv")]) == []


def test_one_print_of_ten_times_the_price_is_two_jumps(tmp_path: Path) -> None:
    frame = calm()
    frame.loc[70, ["open", "high", "low", "close"]] *= 10
    found = {finding.code: finding for finding in check([save(frame, tmp_path / "BTCUSDT.csv")])}
    assert (found["jump"].bars, found["jump"].first) == (2, START + 70 * MINUTE)
    assert "the largest by " in found["jump"].detail


def test_another_unit_of_time_is_reported_and_the_rest_is_still_checked(tmp_path: Path) -> None:
    frame = with_cell(calm(), 3, "volume", 0.0)
    frame["ts_ms"] //= 1_000
    assert codes(check([save(frame, tmp_path / "BTCUSDT.csv")])) == {"unit_of_time": 200, "zero_volume": 1}


def test_an_unreadable_file_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "AUSDT.parquet").write_bytes(b"junk")
    save(calm().drop([4]), tmp_path / "BUSDT.parquet")
    assert codes(check([tmp_path])) == {"unreadable": 1, "gap": 1}


def test_files_that_overlap_and_times_in_the_future_are_reported(tmp_path: Path) -> None:
    save(calm(), tmp_path / "a" / "BTCUSDT.csv")
    save(calm(), tmp_path / "b" / "BTCUSDT.csv")
    assert codes(check([tmp_path], now=START + 150 * MINUTE)) == {"future": 49, "overlap": 1}


def test_a_history_in_memory_is_checked_too(tmp_path: Path) -> None:
    read = read_candles([save(calm().drop([4]), tmp_path / "BTCUSDT.csv")])
    (gap,) = check(read)
    assert (gap.code, gap.where) == ("gap", "")
