"""Settlements from files."""

from pathlib import Path

import pandas as pd
import pytest

from feeds.errors import BadData
from feeds.events import Funding
from feeds.funding_files import FundingFile
from feeds.times import DAY, HOUR
from tests.feeds.files_on_disk import START, save

EIGHT = 8 * HOUR


def rates(
    rows: int = 4, *, symbol: str = "BTCUSDT", start: int = START, step: int = EIGHT, rate: float = 0.0001, **columns: object
) -> pd.DataFrame:
    return pd.DataFrame(
        {"symbol": symbol, "ts_ms": [start + i * step for i in range(rows)], "funding_rate": [rate + i / 1e5 for i in range(rows)]}
    ).assign(**columns)


def test_a_settlement_is_known_when_it_settles_and_knows_its_interval(tmp_path: Path) -> None:
    feed = FundingFile([save(rates(2), tmp_path / "f.parquet")])
    assert list(feed.events()) == [
        Funding(at=START, symbol="BTCUSDT", settle_ms=START, rate=0.0001, interval_ms=None),
        Funding(at=START + EIGHT, symbol="BTCUSDT", settle_ms=START + EIGHT, rate=0.0001 + 1e-5, interval_ms=EIGHT),
    ]
    assert feed.after_candles
    assert feed.warnings == []


def test_symbols_of_different_intervals_come_in_one_order(tmp_path: Path) -> None:
    frame = pd.concat([rates(3), rates(6, symbol="ADAUSDT", step=4 * HOUR)])
    events = list(FundingFile([save(frame, tmp_path / "f.csv")]).events())
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert [e.symbol for e in events if e.at == START] == ["ADAUSDT", "BTCUSDT"]
    assert {(e.symbol, e.interval_ms) for e in events[2:]} == {("ADAUSDT", 4 * HOUR), ("BTCUSDT", EIGHT)}


def test_after_a_hole_the_interval_is_not_known(tmp_path: Path) -> None:
    frame = pd.concat([rates(2), rates(2, start=START + 9 * DAY)])
    assert [e.interval_ms for e in FundingFile([save(frame, tmp_path / "f.csv")]).events()] == [None, EIGHT, None, EIGHT]


def test_of_several_venues_the_fullest_is_taken_with_a_warning_or_the_one_asked_for(tmp_path: Path) -> None:
    frame = pd.concat([rates(2, rate=0.01).assign(venue="bybit"), rates(5, rate=0.02).assign(venue="binance")])
    path = save(frame, tmp_path / "f.parquet")
    feed = FundingFile([path])
    assert len(feed) == 5
    several = "BTCUSDT: funding of several venues (binance 5, bybit 2 rows); taken from binance; another: "
    assert feed.warnings == [several + "--set replay.venue=NAME, for factors --venue NAME"]
    asked = FundingFile([path], venue="bybit")
    assert ([e.rate for e in asked.events()], asked.warnings) == ([0.01, 0.01 + 1e-5], [])
    assert FundingFile([path], venue="okx").warnings == ["BTCUSDT: no funding of okx in the files; taken from binance"]


def test_only_the_symbols_asked_for_come_and_those_without_are_named(tmp_path: Path) -> None:
    feed = FundingFile([save(pd.concat([rates(), rates(symbol="XUSDT")]), tmp_path / "f.parquet")], ["BTCUSDT", "SOLUSDT"])
    assert feed.symbols == ("BTCUSDT",)
    assert feed.warnings == ["no funding for SOLUSDT in the files: its positions pay and earn none"]


def test_no_symbol_at_all_gives_no_event(tmp_path: Path) -> None:
    assert list(FundingFile([save(rates(), tmp_path / "f.parquet")], ["SOLUSDT"]).events()) == []


def test_a_file_without_symbols_is_named_after_its_own_and_marks_are_kept(tmp_path: Path) -> None:
    frame = pd.DataFrame({"calc_time": [START], "funding_interval_hours": [8], "last_funding_rate": [0.0003], "mark_price": [42_000.5]})
    (event,) = FundingFile([save(frame, tmp_path / "BTCUSDT-fundingRate-2024-01.csv")]).events()
    assert (event.symbol, event.rate, event.mark) == ("BTCUSDT", 0.0003, 42_000.5)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (rates().drop(columns="funding_rate"), "column funding_rate is missing"),
        (rates().drop(columns="ts_ms"), "column ts_ms is missing"),
        (rates(funding_rate=[0.1, float("nan"), 0.1, 0.1]), "row 2, column funding_rate: the rate nan is no number"),
        (rates(funding_rate=[0.1, 0.1, 1.5, 0.1]), "row 3, column funding_rate: the rate 1.5 is above 1"),
        (rates().iloc[[0, 2, 1]], "row 3, column ts_ms: unsorted: funding of BTCUSDT"),
        (rates().iloc[[0, 1, 1]], "row 3, column ts_ms: duplicated timestamp: funding of BTCUSDT"),
        (rates(ts_ms=[START // 1000 + i for i in range(4)]), "the times are in seconds"),
        (rates(symbol="").assign(symbol=["A", None, "A", "A"]), "row 2, column symbol: the symbol is empty"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path: Path, frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(BadData, match=says):
        FundingFile([save(frame, tmp_path / "f.parquet")])


def test_files_that_overlap_are_refused(tmp_path: Path) -> None:
    a, b = save(rates(), tmp_path / "a.parquet"), save(rates(), tmp_path / "b.parquet")
    with pytest.raises(BadData, match=r"a\.parquet and .*b\.parquet both hold funding of BTCUSDT"):
        FundingFile([a, b])


def test_a_span_that_the_settlements_do_not_cover_is_named(tmp_path: Path) -> None:
    feed = FundingFile([save(rates(30), tmp_path / "f.parquet")])
    assert feed.uncovered(START, START + 10 * DAY) == []
    assert "only: outside of it" in feed.uncovered(START, START + 20 * DAY)[0]
    assert "no funding in this span" in feed.uncovered(START + 20 * DAY, START + 30 * DAY)[0]


def test_symbols_whose_settlements_end_at_the_same_instants_are_told_of_in_one_line(tmp_path: Path) -> None:
    frame = pd.concat([rates(30), rates(30, symbol="ADAUSDT"), rates(40, symbol="ETHUSDT")])
    told = FundingFile([save(frame, tmp_path / "f.parquet")]).uncovered(START, START + 20 * DAY)
    assert [line.partition(":")[0] for line in told] == ["ADAUSDT, BTCUSDT", "ETHUSDT"]
