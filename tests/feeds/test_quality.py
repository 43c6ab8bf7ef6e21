"""The check of data quality reports everything, where the reader stops at the first fault."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feeds.archive import Archive
from feeds.history import read_candles
from feeds.imports import import_files
from feeds.quality import STALE_RUN, Finding, Severity, check
from feeds.times import DAY, HOUR, millis
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
    assert codes(check([tmp_path], now=START + 150 * MINUTE)) == {"future": 49, "unfinished": 1, "overlap": 1}


def test_a_history_in_memory_is_checked_too(tmp_path: Path) -> None:
    read = read_candles([save(calm().drop([4]), tmp_path / "BTCUSDT.csv")])
    (gap,) = check(read)
    assert (gap.code, gap.where) == ("gap", "")


def series(rows: int, step: int, start: int = START) -> pd.DataFrame:
    return calm(rows).assign(ts_ms=[start + i * step for i in range(rows)])


def test_a_print_that_comes_back_at_once_is_a_spike_and_a_move_that_stays_is_none(tmp_path: Path) -> None:
    frame = calm()
    frame.loc[70, ["high", "close"]] = 1_100.0
    stays = calm()
    stays.loc[70:, ["open", "high", "low", "close"]] *= 1.1
    found = {finding.code: finding for finding in check([save(frame, tmp_path / "AUSDT.csv")])}
    assert (found["spike"].bars, found["spike"].first, found["spike"].examples) == (1, START + 70 * MINUTE, ("2024-01-01T01:10:00Z",))
    assert "spike" not in codes(check([save(stays, tmp_path / "BUSDT.csv")]))


def test_a_high_far_beyond_open_and_close_is_a_wick(tmp_path: Path) -> None:
    frame = with_cell(with_cell(calm(), 5, "high", 2_000.0), 9, "low", 400.0)
    found = {finding.code: finding for finding in check([save(frame, tmp_path / "BTCUSDT.csv")])}
    assert (found["wick"].bars, found["wick"].severity) == (2, Severity.WARNING)


@pytest.mark.parametrize(
    ("zone", "start"),
    [("Europe/Berlin", "2024-03-25"), ("Europe/London", "2024-03-25"), ("America/New_York", "2024-03-04"), ("Europe/Berlin", "2024-10-21"),
     ("America/New_York", "2024-10-28")],
)  # fmt: skip
def test_local_times_are_recognised_where_the_clocks_are_changed(tmp_path: Path, zone: str, start: str) -> None:
    stamps = pd.date_range(start, periods=24 * 14, freq="h", tz="UTC").tz_convert(zone).tz_localize(None)
    frame = calm(24 * 14).assign(ts_ms=stamps.as_unit("ms").astype("int64"))
    found = {finding.code: finding for finding in check([save(frame, tmp_path / "BTCUSDT.csv")])}
    assert "the times look local" in found["time_zone"].detail
    sound = frame.assign(ts_ms=[millis(start) + i * HOUR for i in range(24 * 14)])
    assert check([save(sound, tmp_path / "ETHUSDT.csv")]) == []


def test_bars_that_begin_at_local_midnight_are_off_the_grid_and_the_hint_says_why(tmp_path: Path) -> None:
    (found,) = check([save(series(30, DAY, START + 5 * HOUR), tmp_path / "BTCUSDT.csv")])
    assert (found.code, found.bars) == ("off_grid", 30)
    assert "every bar begins 5h after one; local times" in found.detail


def test_a_name_that_says_another_bar_length_and_a_bar_that_is_still_open_are_warned_of(tmp_path: Path) -> None:
    path = save(series(200, 5 * MINUTE), tmp_path / "BTCUSDT-1h.csv")
    found = check([path], now=START + 199 * 5 * MINUTE + 1)
    assert codes(found) == {"bar_length": 200, "unfinished": 1}
    assert {finding.severity for finding in found} == {Severity.WARNING}


def test_mark_bars_need_no_volume(tmp_path: Path) -> None:
    frame = calm().drop(columns=["volume"])
    assert check([save(frame, tmp_path / "mark" / "1m" / "BTCUSDT" / "2024-01.parquet")]) == []
    assert codes(check([save(frame, tmp_path / "BTCUSDT.csv")])) == {"unreadable": 1}
    broken = with_cell(frame, 4, "high", 1.0)
    (found,) = [
        one for one in check([save(broken, tmp_path / "mark" / "1m" / "ETHUSDT" / "2024-01.parquet")]) if one.code == "high_below_low"
    ]
    assert (found.kind, found.symbol) == ("mark", "ETHUSDT")


def funding(rows: int = 60, step: int = 8 * HOUR, **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({"ts_ms": [START + i * step for i in range(rows)], "funding_rate": [0.0001 + i * 1e-7 for i in range(rows)]})
    return frame.assign(symbol="BTCUSDT", **columns)


@pytest.mark.parametrize(
    ("frame", "code", "bars"),
    [
        (funding(), "", 0),
        (funding().drop([20, 21, 40]), "gap", 3),
        (pd.concat([funding(20), funding(40, 4 * HOUR).assign(ts_ms=lambda f: f["ts_ms"] + 20 * 8 * HOUR)]), "interval", 1),
        (with_cell(funding(), 7, "funding_rate", 0.2), "rate", 1),
        (with_cell(funding(), 7, "funding_rate", 2.0), "out_of_range", 1),
        (with_cell(funding(), 7, "funding_rate", float("nan")), "not_a_number", 1),
        (with_cell(funding(), 7, "ts_ms", START + 7 * 8 * HOUR + 20 * MINUTE), "off_hour", 1),
        (funding().iloc[[*range(30), 29, *range(30, 60)]], "duplicate", 1),
        (funding(funding_rate=0.0), "zero_rate", 60),
        (funding(mark_price=-1.0), "price_not_positive", 60),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_funding_is_checked_for_what_funding_can_be(tmp_path: Path, frame: pd.DataFrame, code: str, bars: int) -> None:
    found = check([save(frame, tmp_path / "funding.parquet")])
    assert codes(found) == ({code: bars} if code else {})
    assert all(finding.kind == "funding" and finding.symbol == "BTCUSDT" for finding in found)


def metrics(rows: int = 90, **columns: object) -> pd.DataFrame:
    at = [START + i * DAY for i in range(rows)]
    values = 1_000 + 10 * np.sin(np.arange(rows))
    return pd.DataFrame({"asset": "btc", "ts_ms": at, "available_ms": [t + DAY + 6 * HOUR for t in at], "AdrActCnt": values}).assign(
        **columns
    )


def revised() -> pd.DataFrame:
    again = metrics().iloc[[5]].assign(available_ms=lambda f: f["available_ms"] + 3 * DAY, AdrActCnt=1_004.0)
    return pd.concat([metrics(), again]).sort_values(["ts_ms", "available_ms"])


@pytest.mark.parametrize(
    ("frame", "code", "bars"),
    [
        (metrics(), "", 0),
        (with_cell(metrics(), 7, "available_ms", START), "early", 1),
        (revised(), "revision", 1),
        (metrics().drop([10, 11]), "gap", 2),
        (metrics().iloc[[*range(9), 8, *range(9, 90)]], "duplicate", 1),
        (metrics().drop(columns=["available_ms"]), "no_available", 90),
        (with_cell(metrics(), 9, "AdrActCnt", float("inf")), "out_of_range", 1),
        (with_cell(metrics(), 40, "available_ms", START + 80 * DAY), "late", 1),
        (metrics(AdrActCnt=[1_000.0 + i % 7 for i in range(60)] + [1e6 + i % 7 for i in range(30)]), "jump", 1),
        (metrics(AdrActCnt=[1_000.0 + i % 7 for i in range(60)] + [1_000.0] * 30), "stale", 30),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_metrics_are_checked_for_when_they_were_known_and_how_they_move(tmp_path: Path, frame: pd.DataFrame, code: str, bars: int) -> None:
    found = check([save(frame, tmp_path / "chain.parquet")])
    assert codes(found) == ({code: bars} if code else {})
    assert all(finding.kind == "metrics" for finding in found)


def test_news_are_checked_for_times_repetitions_and_silence(tmp_path: Path) -> None:
    at = [START + i * DAY for i in range(20)]
    sound = pd.DataFrame(
        {
            "ts_ms": at,
            "available_ms": [t + HOUR for t in at],
            "title": [f"Story {i}" for i in range(20)],
            "id": [f"s{i}" for i in range(20)],
        }
    )
    assert check([save(sound, tmp_path / "a" / "news.parquet")]) == []
    frame = with_cell(with_cell(sound, 3, "available_ms", at[3] - 1), 9, "title", "")
    frame = with_cell(with_cell(frame, 6, "id", "s5"), 12, "ts_ms", at[11] + HOUR)
    frame = with_cell(with_cell(frame, 12, "title", "Story 11"), 12, "available_ms", at[13])
    frame = frame.drop(index=[14, 15, 16, 17]).assign(sentiment=[0.5] * 15 + [3.0])
    frame.loc[[18, 19], ["ts_ms", "available_ms"]] += 9 * DAY
    found = codes(check([save(frame, tmp_path / "b" / "news.parquet")]))
    assert found == {"early": 1, "no_title": 1, "duplicate": 1, "repeated": 1, "gap": 1, "out_of_range": 1}


def test_the_months_of_an_archive_are_told_once_with_the_time_between_them(tmp_path: Path) -> None:
    frame = series(24 * 100, HOUR)
    kept = frame[(frame["ts_ms"] < START + 20 * DAY) | (frame["ts_ms"] >= START + 70 * DAY)].drop([100, 101, 24 * 80])
    import_files([save(kept, tmp_path / "BTCUSDT.csv")], Archive(tmp_path / "archive"))
    gaps = [finding for finding in check([tmp_path / "archive"]) if finding.code == "gap"]
    assert sum(gap.bars for gap in gaps) == 50 * 24 + 3
    assert len(gaps) == 1
    assert gaps[0].examples[0] == "2024-01-05T04:00:00Z"


def test_the_real_data_show_the_faults_that_they_are_known_for(shared_data: Path) -> None:
    def of(*names: str) -> dict[tuple[str, str], Finding]:
        found = check([shared_data / name for name in names])
        assert not [finding for finding in found if finding.severity is Severity.ERROR]
        return {(finding.code, finding.symbol): finding for finding in found}

    rates = of("derivs/funding_rates.parquet")
    assert rates["gap", "DOGEUSDT binance"].examples[0].startswith("2025-01-18")
    assert rates["zero_rate", "BNBUSDT binance"].bars == 543
    assert ("interval", "DOGEUSDT binance") in rates or not any(code == "interval" for code, _ in rates)
    chain = of("onchain/coinmetrics_daily.parquet")
    assert chain["ended", "bnb active_addresses"].detail.startswith("ends at 2019-04-2")
    hours = of("candles/1h_spot_binance_flow")
    assert hours["gap", "BTCUSDT"].detail == "1 gaps, the longest of 1 bars from 2023-03-24T13:00:00Z"
    assert hours["zero_volume", "BTCUSDT"].bars == 1
    press = of("news/gdelt_crypto_titles.parquet")
    assert press["gap", ""].detail.endswith("at the longest 17 days")
    assert of("candles/1h_perp_binance", "candles/5m_perp_bybit/BTCUSDT.parquet") is not None
