"""Metrics from files: by when they were known."""

from pathlib import Path

import pandas as pd
import pytest

from feeds.errors import BadData
from feeds.events import Metric
from feeds.metric_files import MetricFile
from feeds.metric_names import metric_name, snake
from feeds.times import DAY, HOUR
from tests.feeds.files_on_disk import START, candles, save

UNIVERSE = ("BTCUSDT", "ETHUSDT")


def wide(**columns: object) -> pd.DataFrame:
    days = [START, START + DAY]
    return pd.DataFrame({"asset": "btc", "ts_ms": days, "available_ms": [day + DAY + HOUR for day in days]}).assign(**columns)


def read(frame: pd.DataFrame, tmp_path: Path, symbols: tuple[str, ...] = UNIVERSE, name: str = "m.parquet") -> MetricFile:
    return MetricFile([save(frame, tmp_path / name)], symbols)


def test_a_long_file_gives_named_series_of_the_market(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "metric": ["fear_greed_index", "defi_tvl_usd"],
            "ts_ms": [START, START],
            "available_ms": [START + 2 * HOUR, START + HOUR],
            "value": [40.0, 1e11],
        }
    )
    assert list(read(frame, tmp_path).events()) == [
        Metric(at=START + HOUR, name="tvl", symbol=None, value=1e11, period_ms=START, source="file"),
        Metric(at=START + 2 * HOUR, name="fear_greed", symbol=None, value=40.0, period_ms=START, source="file"),
    ]


def test_a_long_file_may_name_symbols(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"metric": "oi", "symbol": ["BTCUSDT", None, "SOLUSDT"], "ts_ms": START, "available_ms": START, "value": [1.0, 2.0, 3.0]}
    )
    assert {(e.name, e.symbol, e.value) for e in read(frame, tmp_path).events()} == {
        ("open_interest", "BTCUSDT", 1.0),
        ("open_interest", None, 2.0),
        ("sol_open_interest", None, 3.0),
    }


def test_a_wide_file_gives_one_series_a_column(tmp_path: Path) -> None:
    feed = read(wide(AdrActCnt=[10.0, 20.0], vintage="2025"), tmp_path)
    assert [(e.at, e.name, e.symbol, e.value) for e in feed.events()] == [
        (START + DAY + HOUR, "active_addresses", "BTCUSDT", 10.0),
        (START + 2 * DAY + HOUR, "active_addresses", "BTCUSDT", 20.0),
    ]
    assert feed.names == ("active_addresses",)
    assert feed.warnings == [f"{tmp_path}/m.parquet: columns of text left out: vintage"]


def test_an_asset_that_is_not_traded_describes_the_market_under_its_own_name(tmp_path: Path) -> None:
    frame = wide(asset=["usdt", "ETH"], AdrActCnt=[1.0, 2.0])
    assert {(e.name, e.symbol) for e in read(frame, tmp_path).events()} == {
        ("usdt_active_addresses", None),
        ("active_addresses", "ETHUSDT"),
    }


def test_netflow_is_inflow_less_outflow_where_both_are_known(tmp_path: Path) -> None:
    frame = wide(FlowInExNtv=[5.0, 7.0], FlowOutExNtv=[8.0, None])
    events = [e for e in read(frame, tmp_path).events() if e.name == "exchange_netflow"]
    assert [(e.value, e.period_ms) for e in events] == [(-3.0, START)]


def test_empty_cells_are_dropped_and_counted(tmp_path: Path) -> None:
    feed = read(wide(TxCnt=[None, 4.0]), tmp_path)
    assert ([e.value for e in feed.events()], feed.dropped, len(feed)) == ([4.0], 1, 1)


def test_what_is_published_late_comes_late_whatever_its_period(tmp_path: Path) -> None:
    frame = wide(TxCnt=[1.0, 2.0], available_ms=[START + 9 * DAY, START + 2 * DAY])
    assert [(e.value, e.period_ms) for e in read(frame, tmp_path).events()] == [(2.0, START + DAY), (1.0, START)]


def test_of_two_known_at_once_the_newer_period_comes_last(tmp_path: Path) -> None:
    frame = wide(TxCnt=[1.0, 2.0], available_ms=START + 9 * DAY).iloc[::-1]
    assert [e.value for e in read(frame, tmp_path).events()] == [1.0, 2.0]


@pytest.mark.parametrize(("step", "wait"), [(DAY, 30 * HOUR), (HOUR, 75 * 60_000)])
def test_without_a_word_on_publication_a_value_waits_for_its_period_and_a_quarter(tmp_path: Path, step: int, wait: int) -> None:
    frame = pd.DataFrame({"ts_ms": [START + i * step for i in range(5)], "HashRate": 1.0})
    assert [e.at - e.period_ms for e in read(frame, tmp_path).events() if e.period_ms is not None] == [wait] * 5


def test_csv_and_parquet_give_the_same_events(tmp_path: Path) -> None:
    frame = wide(AdrActCnt=[10.0, None], PriceUSD=[0.1, 0.2], vintage="2025-01-01")
    assert list(read(frame, tmp_path).events()) == list(read(frame, tmp_path, name="m.csv").events())


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame({"a": [1.0]}), "no column holds the time .*long: metric, ts_ms"),
        (pd.DataFrame({"ts_ms": [START], "note": ["x"]}), "no column holds numbers .*wide: "),
        (candles(), "it looks like candles: give it to --candles"),
        (wide(volume=[1.0, 2.0]), "the metric volume has the name of a candle's field"),
        (wide(TxCnt=[1.0, float("inf")]), "row 2, column tx_cnt: inf is no number"),
        (wide(TxCnt=1.0, available_ms=START), "row 2, column available_ms: the value is available before its period"),
        (wide(TxCnt=1.0, ts_ms=START // 1000), "the times are in seconds"),
        (wide(TxCnt=1.0, asset=["btc", None]), "row 2, column asset: the asset is empty"),
        (pd.concat([wide(TxCnt=1.0), wide(TxCnt=1.0)]), "transactions of BTCUSDT for 2024-01-01T00:00:00Z is given twice"),
        (pd.DataFrame({"metric": [None], "ts_ms": [START], "value": [1.0]}), "row 1, column metric: the metric's name is empty"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_or_the_shapes(tmp_path: Path, frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(BadData, match=says):
        read(frame, tmp_path)


def test_a_revision_known_later_is_no_repetition(tmp_path: Path) -> None:
    frame = pd.concat([wide(TxCnt=1.0), wide(TxCnt=2.0, available_ms=START + 30 * DAY)])
    assert [e.value for e in read(frame, tmp_path).events()] == [1.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("AdrActCnt", "adr_act_cnt"),
        ("CapMVRVCur", "cap_mvrv_cur"),
        ("PriceUSD", "price_usd"),
        ("FlowInExUSD_20260323", "flow_in_ex_usd_20260323"),
        ("24h vol", "m_24h_vol"),
    ],
)
def test_names_become_words_of_the_language(raw: str, name: str) -> None:
    assert snake(raw) == name


def test_well_known_names_are_the_houses_own() -> None:
    assert [metric_name(raw) for raw in ("AdrActCnt", "oi_close", "stablecoin_supply_usd", "HashRate")] == [
        "active_addresses",
        "open_interest",
        "stablecoin_supply",
        "hash_rate",
    ]
