"""Foreign files into the archive: understood, said, and stored whole or not at all."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from feeds.archive import Archive
from feeds.bars import CLOSE, TURNOVER
from feeds.columns import symbol_in
from feeds.dates import Asked
from feeds.errors import BadData
from feeds.funding_files import FundingFile
from feeds.history import read_candles
from feeds.imports import Imported, import_files
from feeds.layout import Shelf
from feeds.metric_files import MetricFile
from feeds.times import DAY, HOUR, millis
from tests.feeds.files_on_disk import MINUTE, START, candles, save, with_cell
from tests.source import ROOT

NOW = millis("2026-01-01")


def klines(rows: int = 5, factor: int = 1, *, header: bool = False, start: int = START) -> str:
    """Lines as in the public dumps of Binance."""
    names = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
    lines = [names] if header else []
    for i in range(rows):
        at = start + i * MINUTE
        lines.append(f"{at * factor},100.0,110.0,90.0,10{i % 10}.5,3.5,{(at + MINUTE - 1) * factor},350.0,12,1.5,150.0,0")
    return "\n".join(lines) + "\n"


def zipped(path: Path, **members: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in members.items():
            packed.writestr(f"{name}.csv", text)
    return path


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def bring(tmp_path: Path, *paths: Path, **how: object) -> tuple[Imported, Archive]:
    archive = Archive(tmp_path / "archive")
    return import_files(paths, archive, now=NOW, **how), archive  # type: ignore[arg-type]


def bars(archive: Archive, symbol: str = "BTCUSDT", timeframe: int = MINUTE) -> list[tuple[float, ...]]:
    month = archive.rows(Shelf("candles", timeframe, symbol))
    return [(at, *values) for at, values in zip(month.at.tolist(), month.values.tolist(), strict=True)]


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize(("factor", "unit"), [(1, "milliseconds"), (1_000, "microseconds")])
def test_klines_of_binance_are_understood(tmp_path: Path, factor: int, unit: str, header: bool) -> None:
    path = zipped(tmp_path / "BTCUSDT-1m-2024-01.zip", **{"BTCUSDT-1m-2024-01": klines(factor=factor, header=header)})
    done, archive = bring(tmp_path, path)
    (file,) = done.files
    assert (file.layout, file.unit, file.zone) == ("Binance klines" if header else "klines without header", unit, "UTC")
    assert (file.kind, file.symbols, file.timeframe, file.rows, file.taken, file.bad) == ("candles", ("BTCUSDT",), MINUTE, 5, 5, [])
    assert list(file.columns) == ["ts", "open", "high", "low", "close", "volume", "turnover"]
    assert bars(archive) == [(START + i * MINUTE, 100.0, 110.0, 90.0, 100.5 + i, 3.5, 350.0) for i in range(5)]
    assert archive.about(Shelf("candles", MINUTE, "BTCUSDT")).sources == ("binance",)


def test_a_file_in_two_units_is_understood_row_by_row(tmp_path: Path) -> None:
    path = written(tmp_path / "BTCUSDT-1m.csv", klines(3) + klines(2, 1_000, start=START + 3 * MINUTE))
    done, archive = bring(tmp_path, path)
    assert done.files[0].unit == "milliseconds and microseconds"
    assert [row[0] for row in bars(archive)] == [START + i * MINUTE for i in range(5)]


def test_daily_and_monthly_dumps_of_one_time_are_joined(tmp_path: Path) -> None:
    month = zipped(tmp_path / "BTCUSDT-1m-2024-01.zip", a=klines(1_500))
    day = zipped(tmp_path / "BTCUSDT-1m-2024-01-02.zip", a=klines(1_440, start=START + DAY))
    done, archive = bring(tmp_path, month, day)
    assert done.appended == (2 * 1_440, 60, [])
    assert (archive.holdings()[0].missing, archive.holdings()[0].gaps) == (0, 0)


def test_funding_and_metrics_of_binance_are_understood(tmp_path: Path) -> None:
    funding = zipped(
        tmp_path / "BTCUSDT-fundingRate-2024-01.zip",
        a="calc_time,funding_interval_hours,last_funding_rate\n" + "".join(f"{START + i * 8 * HOUR + 3},8,0.000{i}\n" for i in range(1, 4)),
    )
    metrics = zipped(
        tmp_path / "BTCUSDT-metrics-2024-01-01.zip",
        a="create_time,symbol,sum_open_interest,sum_open_interest_value,count_long_short_ratio\n"
        + "".join(f"2024-01-01 00:{5 * i:02}:00,BTCUSDT,{70_000 + i},{3e9 + i},1.{i}\n" for i in range(4)),
    )
    done, archive = bring(tmp_path, funding, metrics)
    assert [(file.layout, file.kind) for file in done.files] == [("Binance dump", "funding"), ("Binance dump", "metrics")]
    rates = [(each.settle_ms, each.rate) for each in FundingFile([archive.root]).events()]
    assert rates == [(START + i * 8 * HOUR + 3, i / 10_000) for i in range(1, 4)]
    seen = {(m.name, m.period_ms): (m.value, m.at, m.symbol) for m in MetricFile([archive.root], ["BTCUSDT"]).events()}
    assert seen[("open_interest", START + 5 * MINUTE)] == (70_001.0, START + 5 * MINUTE + 375_000, "BTCUSDT")
    assert {name for name, _ in seen} == {"open_interest", "sum_open_interest_value", "count_long_short_ratio"}
    assert "no available_ms; each value is taken to be known 375s after its period begins" in " ".join(done.warnings)


@pytest.mark.parametrize("suffix", [".feather", ".json", ".json.gz"])
def test_files_of_freqtrade_are_understood_by_their_names(tmp_path: Path, suffix: str) -> None:
    def keep(name: str, frame: pd.DataFrame) -> Path:
        path = tmp_path / f"{name}{suffix}"
        if suffix == ".feather":
            frame.assign(date=pd.to_datetime(frame["date"], unit="ms", utc=True)).to_feather(path)
        else:
            text = json.dumps(frame.to_numpy().tolist()).encode()
            path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
        return path

    frame = candles(5, step=HOUR).rename(columns={"ts_ms": "date"})
    rates = frame.assign(open=[0.0001, -0.0002, 0.0003, 0.0, 0.0001], high=0.0, low=0.0, close=0.0, volume=0.0)
    rates["date"] = [START + i * 8 * HOUR for i in range(5)]
    paths = [
        keep("BTC_USDT_USDT-1h-futures", frame), keep("BTC_USDT_USDT-1h-mark", frame), keep("BTC_USDT_USDT-8h-funding_rate", rates),
        keep("ETH_USDT-1h", frame),
    ]  # fmt: skip
    done, archive = bring(tmp_path, *paths)
    assert [(file.layout, file.kind, file.symbols) for file in done.files] == [
        ("freqtrade", "candles", ("BTCUSDT",)), ("freqtrade", "mark", ("BTCUSDT",)), ("freqtrade", "funding", ("BTCUSDT",)),
        ("freqtrade", "candles", ("ETHUSDT",)),
    ]  # fmt: skip
    assert [row[:5] for row in bars(archive, timeframe=HOUR)] == [tuple(row) for row in frame.iloc[:, :5].to_numpy().tolist()]
    assert archive.rows(Shelf("mark", HOUR, "BTCUSDT")).values.tolist() == frame.iloc[:, 1:5].to_numpy().tolist()
    assert [each.rate for each in FundingFile([archive.root]).events()] == [0.0001, -0.0002, 0.0003, 0.0, 0.0001]


def test_dumps_of_bybit_are_understood(tmp_path: Path) -> None:
    mt4 = tmp_path / "BTCUSDT_1_2024-01-01_2024-01-31.csv.gz"
    mt4.write_bytes(gzip.compress("".join(f"2024.01.01 00:0{i},100,110,90,10{i},7.5\n" for i in range(4)).encode()))
    trades = tmp_path / "ETHUSDT2024-01-01.csv"
    rows = [(START / 1_000 + 5.25, 2_300.5, 2.0), (START / 1_000 + 59.9, 2_310.0, 1.0), (START / 1_000 + 130.0, 2_299.0, 4.0)]
    head = "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional\n"
    trades.write_text(head + "".join(f"{at},ETHUSDT,Buy,{size},{price},PlusTick,id,1,1,1\n" for at, price, size in reversed(rows)))
    done, archive = bring(tmp_path, mt4)
    assert (done.files[0].unit, done.files[0].timeframe) == ("dates like year/month/day", MINUTE)
    assert bars(archive)[3] == pytest.approx((START + 3 * MINUTE, 100, 110, 90, 103, 7.5, np.nan), nan_ok=True)
    with pytest.raises(BadData, match="it holds trades; say how long the bars are to be that they make: --timeframe 1m"):
        bring(tmp_path, trades)
    done, archive = bring(tmp_path, trades, timeframe=MINUTE)
    assert (done.files[0].layout, done.files[0].kind, done.files[0].unit) == ("Bybit dump", "trades", "seconds")
    assert bars(archive, "ETHUSDT") == [
        (START, 2_300.5, 2_310.0, 2_300.5, 2_310.0, 3.0, 2_300.5 * 2 + 2_310.0), (START + 2 * MINUTE, *[2_299.0] * 4, 4.0, 2_299.0 * 4),
    ]  # fmt: skip


def test_trades_of_binance_become_bars(tmp_path: Path, shared_data: Path) -> None:
    lines = [(1, 100.0, 2.0, START + 5), (2, 103.0, 1.0, START + 59_999), (3, 101.0, 4.0, START + MINUTE)]
    spot = "".join(f"{i},{price},{size},{i},{i},{at * 1_000},True,True\n" for i, price, size, at in lines)
    path = zipped(tmp_path / "BTCUSDT-aggTrades-2024-01-01.zip", a=spot)
    _, archive = bring(tmp_path, path, timeframe=MINUTE)
    assert bars(archive) == [(START, 100.0, 103.0, 100.0, 103.0, 3.0, 303.0), (START + MINUTE, *[101.0] * 4, 4.0, 404.0)]
    real = shared_data / "micro" / "binance_spot_PEPEUSDT_20241027_aggtrades.parquet"
    trades = pd.read_parquet(real)
    _, archive = bring(tmp_path, real, timeframe=HOUR)
    hours = trades.groupby(trades["ts_ms"] // HOUR * HOUR)
    expected = pd.DataFrame(
        {"open": hours["price"].first(), "high": hours["price"].max(), "low": hours["price"].min(), "close": hours["price"].last()}
    )
    stored = archive.rows(Shelf("candles", HOUR, "PEPEUSDT"))
    assert stored.at.tolist() == expected.index.tolist()
    assert stored.values[:, :4] == pytest.approx(expected.to_numpy())


def test_files_of_cryptodatadownload_are_understood(tmp_path: Path) -> None:
    lines = ["https://www.CryptoDataDownload.com", "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT,tradecount"]
    for i in reversed(range(4)):  # newest first
        when = datetime.fromtimestamp((START + i * HOUR) / 1_000, tz=UTC)
        lines.append(f"{START + i * HOUR},{when:%Y-%m-%d %H:%M:%S},BTC/USDT,100,110,90,10{i},{2 + i},{300 + i},9")
    done, archive = bring(tmp_path, written(tmp_path / "Binance_BTCUSDT_1h.csv", "\n".join(lines)))
    (file,) = done.files
    assert (file.columns["volume"], file.columns["turnover"], file.columns["ts"]) == ("Volume BTC", "Volume USDT", "Unix")
    assert file.notes == ["Volume BTC is the volume in coins", "Volume USDT is the turnover", "BTC/USDT is stored as BTCUSDT"]
    assert file.left == ("Date", "tradecount")
    assert bars(archive, timeframe=HOUR) == [(START + i * HOUR, 100, 110, 90, 100 + i, 2 + i, 300 + i) for i in range(4)]


@pytest.mark.parametrize(
    ("shown", "unit"),
    [
        (["2019-05-01 01-AM", "2019-05-01 02-AM", "2019-05-01 03-AM"], "dates like year/month/day"),
        (["20190501 010000", "20190501 020000", "20190501 030000"], "ISO 8601"),
        (["May 1, 2019 01:00", "May 1, 2019 02:00", "May 1, 2019 03:00"], "dates like name of the month/day/year"),
        ([f"01.05.2019 0{hour}:00:00.000 GMT+0000" for hour in (1, 2, 3)], "dates like day/month/year"),
        (["2019-05-01T01:00:00+00:00", "2019-05-01T02:00:00+00:00", "2019-05-01T03:00:00+00:00"], "ISO 8601"),
        (["2019-05-01 03:00:00+02:00", "2019-05-01 04:00:00+02:00", "2019-05-01 05:00:00+02:00"], "ISO 8601"),
        (["1556672400", "1556676000", "1556679600"], "seconds"),
        (["1556672400.0", "1556676000.0", "1556679600.0"], "seconds"),
        (["1556672400000000000", "1556676000000000000", "1556679600000000000"], "nanoseconds"),
    ],
)  # fmt: skip
def test_times_of_many_forms_are_understood_and_said(tmp_path: Path, shown: list[str], unit: str) -> None:
    lines = ["Date;Open;High;Low;Close;Volume", *(f"{when};1;2;0.5;1.5;7" for when in shown)]
    done, archive = bring(tmp_path, written(tmp_path / "ETHUSDT.csv", "\n".join(lines)))
    assert done.files[0].unit == unit
    first = millis("2019-05-01T01:00Z")
    assert [row[0] for row in bars(archive, "ETHUSDT", HOUR)] == [first, first + HOUR, first + 2 * HOUR]


def test_day_and_month_are_told_apart_by_the_rows_or_asked_for(tmp_path: Path) -> None:
    def table(days: list[str]) -> str:
        return "\n".join(["Date,Open,High,Low,Price,Vol.", *(f'"{day}",1,2,0.5,1.5,"1,234.5"' for day in days)])

    told = table(["13/01/2024", "12/01/2024", "11/01/2024"])
    done, archive = bring(tmp_path, written(tmp_path / "AUSDT.csv", told))
    assert (done.files[0].unit, done.files[0].columns["close"]) == ("dates like day/month/year", "Price")
    assert [row[0] for row in bars(archive, "AUSDT", DAY)] == [millis(f"2024-01-{day}") for day in (11, 12, 13)]
    assert bars(archive, "AUSDT", DAY)[0][5] == 1_234.5
    even = table(["01/02/2024", "02/02/2024", "03/02/2024", "04/02/2024"])  # as months and days they would be a month apart
    done, _ = bring(tmp_path, written(tmp_path / "BUSDT.csv", even))
    assert done.files[0].unit == "dates like day/month/year"
    both = written(tmp_path / "CUSDT.csv", table(["01/02/2024", "03/04/2024"]))
    with pytest.raises(BadData, match=r"'01/02/2024' may be day/month/year or month/day/year; say which: --dates dmy\|mdy\|ymd"):
        bring(tmp_path, both)
    done, archive = bring(tmp_path, both, asked=Asked(order="mdy"), timeframe=DAY)
    assert [row[0] for row in bars(archive, "CUSDT", DAY)] == [millis("2024-01-02"), millis("2024-03-04")]


def test_local_times_become_utc_across_both_changes_of_the_clock(tmp_path: Path) -> None:
    zone = ZoneInfo("Europe/Berlin")
    for number, first in enumerate((millis("2024-03-30T20:00"), millis("2024-10-26T20:00"))):
        hours = [first + i * HOUR for i in range(12)]
        local = [f"{datetime.fromtimestamp(at / 1_000, tz=zone):%Y-%m-%d %H:%M:%S}" for at in hours]
        for order in (1, -1):
            name = f"B{number}{'UD'[order]}USDT"
            lines = ["datetime,open,high,low,close,volume", *(f"{when},1,2,0.5,1.5,7" for when in local)]
            path = written(tmp_path / f"{name}.csv", "\n".join([lines[0], *lines[1:][::order]]))
            done, archive = bring(tmp_path, path, asked=Asked(zone="Europe/Berlin"))
            assert done.files[0].zone == "UTC (written in Europe/Berlin)"
            assert [row[0] for row in bars(archive, name, HOUR)] == hours
    done, _ = bring(tmp_path, written(tmp_path / "XUSDT.csv", "\n".join(lines[:4])))
    assert done.files[0].zone == "UTC (none is written; --tz says otherwise)"
    never = written(tmp_path / "YUSDT.csv", f"{lines[0]}\n2024-03-31 01:00:00,1,2,0.5,1.5,7\n2024-03-31 02:30:00,1,2,0.5,1.5,7\n")
    with pytest.raises(BadData, match=r"row 2 \(line 3\), column datetime: 2024-03-31T02:30:00 never was in Europe/Berlin"):
        bring(tmp_path, never, asked=Asked(zone="Europe/Berlin"), timeframe=30 * MINUTE)
    with pytest.raises(BadData, match="--tz Mars/Base: no such time zone"):
        bring(tmp_path, never, asked=Asked(zone="Mars/Base"))


def test_empty_bars_of_a_set_from_kaggle_are_counted_and_not_invented(tmp_path: Path) -> None:
    head = "Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price"
    body = [
        "1704067200,4.39,4.39,4.39,4.39,0.45,2.0,4.39",
        "1704067260,NaN,NaN,NaN,NaN,NaN,NaN,NaN",
        "1704067320,4.5,4.6,4.4,4.5,1.0,4.5,4.5",
    ]
    path = written(tmp_path / "bitstampUSD_1-min_data.csv", "\n".join([head, *body]))
    done, archive = bring(tmp_path, path, symbols=["BTCUSD"], timeframe=MINUTE)
    (file,) = done.files
    assert (file.rows, file.taken, file.empty, file.left) == (3, 2, 1, ("Weighted_Price",))
    assert bars(archive, "BTCUSD") == [(START, *[4.39] * 4, 0.45, 2.0), (START + 2 * MINUTE, 4.5, 4.6, 4.4, 4.5, 1.0, 4.5)]


def test_arrays_without_names_are_understood_only_where_the_values_agree(tmp_path: Path) -> None:
    rows = [[START + i * MINUTE, 100.0, 110.0, 90.0, 105.0, 7.0, 700.0] for i in range(3)]
    done, archive = bring(tmp_path, written(tmp_path / "BTCUSDT.csv", "\n".join(",".join(map(str, row)) for row in rows)))
    assert done.files[0].notes == ["no header: taken as open_time open high low close volume turnover"]
    assert bars(archive) == [tuple(row) for row in rows]
    wrong = [[row[0], row[4], row[3], row[2], row[1], *row[5:]] for row in rows]  # high and low are swapped
    path = written(tmp_path / "ETHUSDT.csv", "\n".join(",".join(map(str, row)) for row in wrong))
    with pytest.raises(BadData, match=r"ETHUSDT\.csv: row 1 \(line 1\), column 3 \(high\): high 90\.0 is below the low"):
        bring(tmp_path, path)
    done, archive = bring(tmp_path, path, columns=["ts=1", "open=5", "high=4", "low=3", "close=2", "volume=6", "turnover=7"])
    assert bars(archive, "ETHUSDT") == [tuple(row) for row in rows]


def test_columns_are_asked_for_where_their_names_do_not_tell(tmp_path: Path) -> None:
    frame = candles(4).rename(columns={"ts_ms": "when", "open": "first_trade", "volume": "Volume A"}).assign(**{"Volume B": 3.0})
    path = save(frame, tmp_path / "BTCUSDT.csv")
    with pytest.raises(BadData, match=r"no column is the time \(columns there: when, first_trade.*; name it: --columns ts=NAME"):
        bring(tmp_path, path)
    with pytest.raises(BadData, match=r"no column is open .*name it: --columns open=NAME"):
        bring(tmp_path, path, columns=["ts=when", "volume=Volume A"])
    with pytest.raises(BadData, match="--columns turnover=Nope: there is no such column"):
        bring(tmp_path, path, columns=["turnover=Nope"])
    with pytest.raises(BadData, match="--columns what=when: write ROLE=COLUMN, where ROLE is one of ts open high"):
        bring(tmp_path, path, columns=["what=when"])
    done, _ = bring(tmp_path, path, columns=["ts=when", "open=first_trade", "volume=Volume B"])
    assert (done.files[0].columns["open"], done.files[0].columns["volume"], done.files[0].left) == (
        "first_trade",
        "Volume B",
        ("Volume A",),
    )
    both = save(candles(4).assign(vol=1.0), tmp_path / "ETHUSDT.csv")
    with pytest.raises(BadData, match="columns volume and vol could each be the volume; say which: --columns volume=volume"):
        bring(tmp_path, both)


def test_a_day_and_a_clock_in_two_columns_are_one_time(tmp_path: Path) -> None:
    lines = ["<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>", "20240101,000100,1,2,0.5,1.5,7", "20240101,000200,1,2,0.5,1.5,7"]
    done, archive = bring(tmp_path, written(tmp_path / "BTCUSDT.txt", "\n".join(lines)))
    assert done.files[0].columns["ts"] == "<DATE>+<TIME>"
    assert [row[0] for row in bars(archive)] == [START + MINUTE, START + 2 * MINUTE]


def test_one_file_may_be_given_a_symbol(tmp_path: Path) -> None:
    path = save(candles(), tmp_path / "export (3).csv")
    with pytest.raises(BadData, match="neither a column nor the name of the file says of which symbol it is; say it: --symbols BTCUSDT"):
        bring(tmp_path, path)
    assert bring(tmp_path, path, symbols=["BTCUSDT"])[0].files[0].symbols == ("BTCUSDT",)


def test_one_symbol_of_many_files_is_chosen_by_their_names(tmp_path: Path) -> None:
    for name in ("BTCUSDT", "ETHUSDT"):
        save(candles(), tmp_path / "in" / f"{name}.csv")
    done, archive = bring(tmp_path, tmp_path / "in", symbols=["ETHUSDT"])
    assert [held.symbol for held in archive.holdings()] == ["ETHUSDT"]
    assert [file.path.name for file in done.files] == ["ETHUSDT.csv"]


def test_a_second_import_adds_nothing(tmp_path: Path) -> None:
    path = save(candles(), tmp_path / "BTCUSDT.csv")
    bring(tmp_path, path)
    assert bring(tmp_path, path)[0].appended == (0, 10, [])


def test_rows_that_come_twice_count_once_and_contradictions_are_told(tmp_path: Path) -> None:
    frame = pd.concat([candles(4), candles(4).iloc[[1]], candles(4, price=100.5).iloc[[2]]])
    done, archive = bring(tmp_path, save(frame, tmp_path / "BTCUSDT.csv"))
    assert (done.appended.added, done.appended.repeated, len(done.appended.conflicts)) == (4, 1, 1)
    fight = done.appended.conflicts[0]
    assert (fight.open_ms, fight.kept[CLOSE], fight.refused[CLOSE]) == (START + 2 * MINUTE, 103.0, 103.5)
    assert bars(archive)[2][4] == 103.0


def test_what_is_not_known_yet_is_filled_in_by_a_later_import(tmp_path: Path) -> None:
    plain = save(candles(3), tmp_path / "BTCUSDT.csv")
    full = save(candles(3).assign(turnover=[7.0, 8.0, 9.0]), tmp_path / "more" / "BTCUSDT.csv")
    bring(tmp_path, plain)
    done, archive = bring(tmp_path, full)
    assert done.appended[:2] == (0, 3)
    assert archive.rows(Shelf("candles", MINUTE, "BTCUSDT")).values[:, TURNOVER].tolist() == [7.0, 8.0, 9.0]


def test_bad_rows_stop_the_import_or_are_left_out_by_name(tmp_path: Path) -> None:
    lines = ["ts_ms,open,high,low,close,volume"] + [f"{START + i * MINUTE},100,110,90,105,7" for i in range(12)]
    lines[3] = f"{START + 2 * MINUTE},100,80,90,105,7"
    lines[5] = f"{START + 4 * MINUTE},100,110,90,abc,7"
    lines[6] = f"{START + 5 * MINUTE},100,110"
    lines[8] = f"{START + 7 * MINUTE + 5},100,110,90,105,7"
    lines[9] = "yesterday,100,110,90,105,7"
    lines[11] = ""
    path = written(tmp_path / "BTCUSDT.csv", "\n".join(lines))
    with pytest.raises(BadData, match=r"line 7: 3 cells where 6 are expected.*\.  Nothing was stored: correct the rows, or .* --skip-bad"):
        bring(tmp_path, path)
    assert not (tmp_path / "archive").exists()
    done, archive = bring(tmp_path, path, skip_bad=True)
    told = {row.place.split(":")[1].split(",")[0].strip(): row.reason for row in done.files[0].bad}
    assert told == {
        "line 7": f"3 cells where 6 are expected: '{START + 5 * MINUTE},100,110'",
        "row 8 (line 10)": "'yesterday' is no time",
        "row 5 (line 6)": "'abc' is no number",
        "row 3 (line 4)": "high 80 is below the low",
        "row 7 (line 9)": f"ts {START + 7 * MINUTE + 5} off the grid of 1m bars",
    }
    assert [(row[0] - START) // MINUTE for row in bars(archive)] == [0, 1, 3, 6, 9, 11]


def test_a_fault_in_one_file_stores_nothing_of_any(tmp_path: Path) -> None:
    save(candles(), tmp_path / "in" / "AUSDT.csv")
    save(with_cell(candles(), 3, "high", 1.0), tmp_path / "in" / "BUSDT.csv")
    with pytest.raises(BadData, match=r"BUSDT\.csv: row 4 \(line 5\), column high: high 1\.0 is below the low"):
        bring(tmp_path, tmp_path / "in")
    assert not (tmp_path / "archive").exists()


def test_a_bar_that_has_not_closed_and_times_to_come_are_not_taken(tmp_path: Path) -> None:
    path = save(candles(5, step=HOUR), tmp_path / "BTCUSDT.csv")
    archive = Archive(tmp_path / "archive")
    done = import_files([path], archive, now=START + 4 * HOUR + MINUTE)
    assert (done.files[0].taken, done.files[0].unfinished) == (4, 1)
    assert "1 bars have not closed yet; left out" in done.warnings[0]
    with pytest.raises(BadData, match="is in the future"):
        import_files([path], archive, now=START + HOUR)


def test_the_name_of_a_file_and_its_rows_must_agree_about_the_bar_length(tmp_path: Path) -> None:
    path = save(candles(6, step=5 * MINUTE + 1_000), tmp_path / "BTCUSDT-1m.csv")
    with pytest.raises(BadData, match="its name says 1m, its rows are 301s apart; say which is right: --timeframe"):
        bring(tmp_path, path)
    sparse = save(candles(6, step=2 * MINUTE), tmp_path / "ETHUSDT-1m.csv")
    assert bring(tmp_path, sparse)[0].files[0].timeframe == MINUTE
    with pytest.raises(BadData, match="its rows are 2m apart, not 1h; leave --timeframe out"):
        bring(tmp_path, sparse, timeframe=HOUR)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("BTCUSDT.csv", "1704067200000,1,2\n", "no header line and 3 columns: cannot tell which is which"),
        ("BTCUSDT.csv", "", "the file is empty"),
        ("BTCUSDT.csv", "ts_ms,open,high,low,close,volume\n", "the file is empty"),
        ("BTCUSDT.json", '{"a": 1}', "holds no list of rows"),
        ("BTCUSDT.json", "[[1,", "cannot be read"),
        ("BTCUSDT.json", "[" * 100_000 + "]" * 100_000, "lists inside lists without end"),
        (
            "BTCUSDT.csv",
            'ts_ms,open,high,low,close,volume\n1704067200000,1,2,0.5,1,1\n1704067260000,1,2,0.5,1,"1\n1704067320000,1,2,0.5,1,1"\n',
            "line 3: a quotation",
        ),
        (
            "BTCUSDT.csv",
            'symbol,ts_ms,open,high,low,close\n"BTC\nUSDT",1704067200000,1,2,0.5,1\n',
            "line 2: a quotation mark is not closed",
        ),
        ("BTCUSDT.csv", "ts_ms,open,high,low,close,volume\n45292.5,1,2,0.5,1,1\n", "is no time since 2005 in any unit that is known here"),
        ("BTCUSDT.csv", "ts_ms,open,high,low,close,volume\n1704067200000,1,2,0.5,1,1\n", "one row alone does not say how long a bar is"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_next_step(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(BadData, match=said):
        bring(tmp_path, written(tmp_path / name, text))
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize("body", [b"\xbb\xff\x00" * 99, b"\x1f\x8b broken"])
def test_bytes_that_are_no_table_are_refused_by_name(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_bytes(body)
    with pytest.raises(BadData, match=r"BTCUSDT\.csv: cannot be read"):
        bring(tmp_path, path)
    assert not (tmp_path / "archive").exists()


def test_a_symbol_that_no_file_holds_is_named_with_those_that_do(tmp_path: Path) -> None:
    save(candles(), tmp_path / "AUSDT.csv")
    save(candles(), tmp_path / "BUSDT.csv")
    with pytest.raises(BadData, match=r"no data for SOLUSDT; the files hold AUSDT\.csv, BUSDT\.csv; check --symbols"):
        bring(tmp_path, tmp_path / "AUSDT.csv", tmp_path / "BUSDT.csv", symbols=["SOLUSDT"])


def test_two_venues_make_no_series(tmp_path: Path) -> None:
    dump = zipped(tmp_path / "BTCUSDT-1m-2024-01.zip", a=klines())
    other = save(candles(start=START + HOUR), tmp_path / "BTCUSDT.csv")
    bring(tmp_path, dump)
    with pytest.raises(BadData, match="BTCUSDT candles 1m is from binance, these files are of file: one series of two venues never was"):
        bring(tmp_path, other)
    assert bring(tmp_path, other, venue="binance")[0].appended.added == 10


def test_a_file_of_two_venues_is_read_for_the_one_that_is_named(tmp_path: Path) -> None:
    rows = [(START + i * 8 * HOUR, venue, 0.0001 * (i + 1) * sign) for i in range(3) for venue, sign in (("binance", 1), ("bybit", -1))]
    path = save(pd.DataFrame(rows, columns=["ts_ms", "venue", "funding_rate"]).assign(symbol="BTCUSDT"), tmp_path / "funding.parquet")
    with pytest.raises(BadData, match="it holds data of binance, bybit, and a series is of one; say which: --venue binance"):
        bring(tmp_path, path)
    _, archive = bring(tmp_path, path, venue="bybit")
    assert [each.rate for each in FundingFile([archive.root]).events()] == pytest.approx([-0.0001, -0.0002, -0.0003])
    assert archive.about(Shelf("funding", None, "BTCUSDT")).sources == ("bybit",)


def test_an_archive_goes_through_files_and_back_unchanged(tmp_path: Path) -> None:
    frame = candles(3_000, step=HOUR).assign(turnover=np.arange(3_000) * 1.5)
    _, archive = bring(tmp_path, save(frame, tmp_path / "BTCUSDT.parquet"))
    before = read_candles([archive.root])
    again = Archive(tmp_path / "again")
    import_files([archive.root / "candles" / "1h"], again, now=NOW)
    assert read_candles([again.root]).sha256 == before.sha256 == read_candles([tmp_path / "BTCUSDT.parquet"]).sha256
    text = tmp_path / "BTCUSDT.csv"
    pd.concat([pd.read_parquet(path) for path in sorted(archive.root.rglob("*.parquet"))]).to_csv(text, index=False)
    third = Archive(tmp_path / "third")
    import_files([text], third, now=NOW)
    assert read_candles([third.root]).sha256 == before.sha256


def test_times_of_closes_are_told_and_turned_into_opens(tmp_path: Path) -> None:
    days = "".join(f"BTC,2013-05-0{day} 23:59:59,147,134,135,144,7\n" for day in (1, 2, 3))
    path = written(tmp_path / "coin_Bitcoin.csv", f"Symbol,Date,High,Low,Open,Close,Volume\n{days}")
    with pytest.raises(BadData, match=r"off the grid of 1d bars: are the times those of closes\? --times closes"):
        bring(tmp_path, path)
    _, archive = bring(tmp_path, path, closes=True)
    assert [row[0] for row in bars(archive, "BTC", DAY)] == [millis(f"2013-05-0{day}") for day in (1, 2, 3)]
    ends = written(tmp_path / "ETHUSDT.csv", klines(3))
    _, archive = bring(tmp_path, ends, columns=["ts=7", "open=2", "high=3", "low=4", "close=5", "volume=6"], closes=True)
    assert [row[0] for row in bars(archive, "ETHUSDT")] == [START, START + MINUTE, START + 2 * MINUTE]


def test_decimal_commas_and_envelopes_of_an_exchange_are_read(tmp_path: Path) -> None:
    lines = ["time;open;high;low;close;volume", *(f"{START // 1_000 + 60 * i};1,25;2;0,5;1,5;9" for i in range(3))]
    done, archive = bring(tmp_path, written(tmp_path / "ETHUSDT.csv", "\r\n".join(lines)))
    assert bars(archive, "ETHUSDT")[0][1:5] == (1.25, 2.0, 0.5, 1.5)
    assert "open is written with a decimal comma" in done.files[0].notes
    rows = [[str(START + i * MINUTE), "100", "110", "90", "105", "7", "735"] for i in reversed(range(3))]
    reply = {"retCode": 0, "result": {"symbol": "BTCUSDT", "list": rows}, "time": 1}
    _, archive = bring(tmp_path, written(tmp_path / "BTCUSDT.json", json.dumps(reply)))
    assert bars(archive) == [(START + i * MINUTE, 100, 110, 90, 105, 7, 735) for i in range(3)]


def test_a_seventh_column_that_is_no_turnover_is_not_taken_for_one(tmp_path: Path) -> None:
    trades = "".join(f"{START // 1_000 + 3_600 * i},100,110,90,105,7.5,12\n" for i in range(4))
    done, archive = bring(tmp_path, written(tmp_path / "XBTUSD_60.csv", trades))
    assert "column 7 (turnover) is not read: it is not volume times price" in done.files[0].notes
    assert np.isnan([row[6] for row in bars(archive, "XBTUSD", HOUR)]).all()
    named = save(candles(5).assign(turnover=3.0), tmp_path / "ETHUSDT.csv")
    assert "is the volume in coins, and turnover in quote currency?" in bring(tmp_path, named)[0].warnings[0]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTCUSDT.csv", "BTCUSDT"), ("btc-usdt-1m-2024-01-01.csv", "BTCUSDT"), ("BTC_USDT_USDT-1h-futures.feather", "BTCUSDT"),
        ("Binance_ETHUSDT_1h.csv", "ETHUSDT"), ("stooq_btcusd.csv", "BTCUSD"), ("AAPL.csv", "AAPL"), ("BTCUSDT2024-03.csv.gz", "BTCUSDT"),
        ("1000PEPEUSDT-1m-2024-01.zip", "1000PEPEUSDT"), ("SOLUSDT/2024-03.parquet", "SOLUSDT"), ("bybit_SOL_USDC.csv", "SOLUSDC"),
        ("export.csv", None), ("Bitcoin Historical Data.csv", None), ("data.parquet", None), ("2024-01-01.csv", None),
        ("prices_1h.csv", None),
    ],
)  # fmt: skip
def test_the_symbol_is_read_from_a_name_only_where_it_is_clear(name: str, symbol: str | None) -> None:
    assert symbol_in(Path("downloads") / name) == symbol


def content(folder: Path) -> dict[str, dict[str, list[object]]]:
    return {str(path.relative_to(folder)): pq.read_table(path, partitioning=None).to_pydict() for path in sorted(folder.rglob("*.parquet"))}


def test_an_import_that_is_killed_anywhere_goes_on_to_the_same_content(tmp_path: Path) -> None:
    path = save(candles(90_000).assign(turnover=1.0), tmp_path / "BTCUSDT.parquet")
    import_files([path], Archive(tmp_path / "calm"), now=NOW)
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "bot", "data", "import", str(path), "-o", str(folder), "--json"]

    def stored() -> int:
        return len([one for one in folder.rglob("[0-9]*.parquet")])

    kills = 0
    for months in (0, 1):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not (any(folder.rglob(".*.parquet.*")) and stored() >= months):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.001)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
        for one in folder.rglob("[0-9]*.parquet"):
            pq.read_table(one, partitioning=None)
    done = import_files([path], Archive(folder), now=NOW)
    assert kills
    assert done.appended.added + done.appended.repeated == 90_000
    assert content(folder) == content(tmp_path / "calm")
    assert not any(folder.rglob(".*.parquet.*"))
