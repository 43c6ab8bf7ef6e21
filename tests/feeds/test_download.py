"""The past of an exchange into the archive: complete, resumable, patient, and told as it is. Through the real ccxt, on loopback."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bot.downloads import Download, Wanted, from_bybit
from bot.errors import ConfigError, UsageError
from feeds.archive import Archive
from feeds.bybit.sockets import Patience
from feeds.errors import BadData, Unreachable
from feeds.funding_files import FundingFile
from feeds.history import read_candles
from feeds.instrument_files import instruments_beside, read_rules
from feeds.layout import Shelf
from feeds.metric_files import MetricFile
from feeds.times import DAY, HOUR, MINUTE, millis
from tests.fakes.bybit_past import Contract, FakePast, Fault, bar, buyers, interest, rate
from tests.source import ROOT

NOW = millis("2024-03-10T12:34:56Z")
OLD = millis("2022-01-01")
START = millis("2024-01-20")
QUICK = Patience(rate=1e6, backoff=1, backoff_most=2, timeout=1_000)
BTC = Contract("BTCUSDT", OLD)


def fetch(
    fake: FakePast, folder: Path, *kinds: str, symbols: tuple[str, ...] = ("BTCUSDT",), timeframe: int = HOUR, start: int | None = START,
    stop: int | None = None, patience: Patience = QUICK, recheck: bool = False,
) -> Download:  # fmt: skip
    wanted = Wanted(symbols, kinds or ("candles",), timeframe, start, stop, recheck)
    return asyncio.run(from_bybit(wanted, folder, lambda done, total, what: None, rest=fake.rest, patience=patience))


def content(folder: Path) -> dict[str, dict[str, list[object]]]:
    """Every stored table as values: what must be equal however the rows came here."""
    return {str(path.relative_to(folder)): pq.read_table(path, partitioning=None).to_pydict() for path in sorted(folder.rglob("*.parquet"))}


def without_source(tables: dict[str, dict[str, list[object]]]) -> dict[str, dict[str, list[object]]]:
    """The same without the provenance, which says whether a row had to be asked for twice."""
    return {name: {column: cells for column, cells in table.items() if column != "source"} for name, table in tables.items()}


def test_bars_of_many_pages_are_stored_as_the_exchange_has_them(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        done = fetch(fake, tmp_path, timeframe=15 * MINUTE)
    (one,) = done.series
    last = millis("2024-03-10T12:15:00Z")
    expected = range(START, last + 1, 15 * MINUTE)
    assert (one.fetched.rows, one.fetched.first_ms, one.fetched.end_ms, one.fetched.missing) == (
        len(expected),
        START,
        last + 15 * MINUTE,
        0,
    )
    assert one.requests == -(-len(expected) // 1_000)
    stored = Archive(tmp_path).rows(Shelf("candles", 15 * MINUTE, "BTCUSDT"))
    assert stored.at.tolist() == list(expected)
    assert stored.values.tolist() == [list(bar("BTCUSDT", at)) for at in expected]
    assert [p.name for p in sorted((tmp_path / "candles/15m/BTCUSDT").iterdir())] == [
        "2024-01.parquet",
        "2024-02.parquet",
        "2024-03.parquet",
    ]


def test_the_running_bar_is_never_stored_and_comes_when_it_has_closed(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        fetch(fake, tmp_path)
        assert read_candles([tmp_path]).span[1] == millis("2024-03-10T12:00:00Z")
        fake.now = millis("2024-03-10T13:00:01Z")  # closed a second ago: it may still be corrected
        fetch(fake, tmp_path)
        assert read_candles([tmp_path]).span[1] == millis("2024-03-10T12:00:00Z")
        fake.now += 60_000
        fetch(fake, tmp_path)
        assert read_candles([tmp_path]).span[1] == millis("2024-03-10T13:00:00Z")


def test_what_is_stored_is_not_asked_for_again(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        kinds = ("candles", "mark", "index", "premium", "funding", "open-interest", "long-short-ratio")
        fetch(fake, tmp_path, *kinds, stop=millis("2024-03-01"))
        fake.requests.clear()
        again = fetch(fake, tmp_path, *kinds, stop=millis("2024-03-01"))
        assert {path for path, _ in fake.requests} == {"time", "instruments-info"}
        assert [one.requests for one in again.series] == [0] * 7
        longer = fetch(fake, tmp_path, "candles", stop=millis("2024-03-02"))
        assert longer.series[0].fetched.rows == 24
        assert fake.asked("kline")[0]["start"] == str(millis("2024-03-01"))


def test_only_the_last_month_is_touched_by_an_append(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        fetch(fake, tmp_path, stop=millis("2024-03-01T06:00"))
        files = sorted((tmp_path / "candles/1h/BTCUSDT").iterdir())
        before = [(path.name, path.stat().st_mtime_ns, path.stat().st_ino) for path in files]
        fetch(fake, tmp_path, stop=millis("2024-03-02"))
        after = [(path.name, path.stat().st_mtime_ns, path.stat().st_ino) for path in files]
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_funding_open_interest_and_ratio_are_read_back_as_they_were_known(tmp_path: Path) -> None:
    with FakePast([Contract("BTCUSDT", OLD, funding_hours=4)], NOW) as fake:
        fetch(fake, tmp_path, "funding", "open-interest", "long-short-ratio")
    settled = list(FundingFile([tmp_path], ["BTCUSDT"]).events())
    expected = [at for at in range(START, NOW + 1, 4 * HOUR)]
    assert [(each.settle_ms, each.rate, each.mark) for each in settled] == [
        (at, rate("BTCUSDT", at), bar("BTCUSDT", at, 10)[0]) for at in expected
    ]
    metrics = list(MetricFile([tmp_path], ["BTCUSDT"]).events())
    hours = [at for at in range(START, millis("2024-03-10T12:00"), HOUR)]
    assert [(m.period_ms, m.at, m.value) for m in metrics if m.name == "open_interest"] == [
        (at, at + HOUR + MINUTE, interest("BTCUSDT", at)) for at in hours
    ]
    ratios = [(m.period_ms, m.value) for m in metrics if m.name == "long_short_ratio"]
    assert ratios == [(at, pytest.approx(buyers("BTCUSDT", at) / (1 - buyers("BTCUSDT", at)), rel=1e-9)) for at in hours]
    assert {m.symbol for m in metrics} == {"BTCUSDT"}


def test_a_replay_of_the_folder_goes_by_the_rules_of_the_exchange(tmp_path: Path) -> None:
    with FakePast([Contract("BTCUSDT", OLD, tick="0.50", funding_hours=4), Contract("ETHUSDT", OLD)], NOW) as fake:
        fetch(fake, tmp_path, symbols=("BTCUSDT",))
        fetch(fake, tmp_path, symbols=("ETHUSDT",))
    found = instruments_beside([tmp_path / "candles" / "1h"])
    assert sorted(found) == ["BTCUSDT", "ETHUSDT"]
    btc = found["BTCUSDT"]
    assert (str(btc.tick), str(btc.lot), str(btc.least_quantity), str(btc.least_notional)) == ("0.50", "0.002", "0.002", "7")
    assert (str(btc.most_quantity), btc.funding_ms, str(btc.max_leverage)) == ("120.000", 4 * HOUR, "75.00")
    rules = read_rules(tmp_path)
    assert (rules.exchange, rules.launch_ms["ETHUSDT"], rules.fetched_ms["BTCUSDT"]) == ("bybit", OLD, NOW)


def test_the_listing_is_found_with_few_requests(tmp_path: Path) -> None:
    born = millis("2023-09-17T05:00")
    for number, launch in enumerate((born, born + 3 * DAY, born - 9 * DAY, OLD)):  # what the exchange says of it need not be true
        with FakePast([Contract("NEWUSDT", born, launch=launch)], NOW) as fake:
            done = fetch(fake, tmp_path / str(number), symbols=("NEWUSDT",), timeframe=MINUTE, start=OLD, stop=born + 2 * DAY)
            (one,) = done.series
            assert (one.fetched.first_ms, one.fetched.rows, one.fetched.listed_ms) == (born, 2 * 1_440, born)
            assert one.requests < 40
            fake.requests.clear()
            again = fetch(fake, tmp_path / str(number), symbols=("NEWUSDT",), timeframe=MINUTE, start=OLD, stop=born + 2 * DAY)
            assert again.series[0].requests == 0


def test_a_contract_that_was_delisted_ends_without_endless_empty_pages(tmp_path: Path) -> None:
    died = millis("2023-03-05T12:00")
    with FakePast([Contract("DEADUSDT", OLD, end=died, status="Closed")], NOW) as fake:
        done = fetch(fake, tmp_path, symbols=("DEADUSDT",), timeframe=MINUTE, start=died - DAY)
    (one,) = done.series
    assert (one.fetched.end_ms, one.fetched.rows, one.fetched.missing) == (died, 1_440, 0)
    assert one.requests < 60


def test_a_symbol_without_any_row_in_the_span_is_said_so_and_stores_nothing(tmp_path: Path) -> None:
    with FakePast([Contract("NEWUSDT", NOW - DAY)], NOW) as fake:
        (one,) = fetch(fake, tmp_path, symbols=("NEWUSDT",), start=START, stop=START + 5 * DAY).series
    assert (one.fetched.rows, one.fetched.stored, one.fetched.first_ms) == (0, 0, None)
    assert one.requests < 5
    assert not list(tmp_path.rglob("*.parquet"))


def test_holes_of_the_exchange_are_reported_and_asked_for_no_more(tmp_path: Path) -> None:
    hole = (START + 30 * HOUR, START + 33 * HOUR)
    halt = (millis("2024-02-10"), millis("2024-02-20"))
    with FakePast([Contract("BTCUSDT", OLD, holes=(hole, halt))], NOW) as fake:
        (one,) = fetch(fake, tmp_path).series
        assert one.fetched.missing == 3 + 240
        assert [tuple(gap) for gap in one.fetched.gaps] == [hole, halt]
        assert one.fetched.repaired == 0
        asked = [query for query in fake.asked("kline") if int(query["start"]) == hole[0]]
        assert len(asked) == 1  # once more, and then it is known
        fake.requests.clear()
        (again,) = fetch(fake, tmp_path).series
        assert (again.requests, again.fetched.missing) == (0, 243)


def test_half_pages_empty_pages_and_garbage_are_asked_for_again(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        fetch(fake, tmp_path / "calm", "candles", "funding", "open-interest", timeframe=15 * MINUTE)
    moods = [
        Fault("page", "kline"), Fault("none", "kline", skip=1), Fault("garbage", "open-interest", times=2),
        Fault("none", "open-interest", skip=3), Fault("body", "funding/history"), Fault("half", "kline", skip=1),
        Fault("page", "funding/history"),
    ]  # fmt: skip
    with FakePast([BTC], NOW, moods) as fake:
        done = fetch(fake, tmp_path / "rough", "candles", "funding", "open-interest", timeframe=15 * MINUTE)
    assert not [fault for fault in moods if fault.times]
    assert without_source(content(tmp_path / "rough")) == without_source(content(tmp_path / "calm"))
    assert sum(one.fetched.repaired for one in done.series) > 500
    assert [one.fetched.missing for one in done.series] == [0, 0, 0]
    assert any("open-interest.shape" in text for text in done.warnings)
    sources = content(tmp_path / "rough")["candles/15m/BTCUSDT/2024-02.parquet"]["source"]
    assert set(sources) <= {"rest", "repaired"}
    assert "repaired" in {kind for table in content(tmp_path / "rough").values() for kind in table.get("source", [])}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("http", "kline", times=3, status=502),
        Fault("http", "kline", times=2, status=429, headers={"Retry-After": "0"}),
        Fault("code", "kline", times=3, code=10016),
        Fault("body", "time", times=2),
    ],
    ids=lambda fault: f"{fault.action} {fault.status}",
)
def test_what_may_pass_is_waited_for(tmp_path: Path, fault: Fault) -> None:
    with FakePast([BTC], NOW, [fault]) as fake:
        patience = Patience(rate=1e6, backoff=1, backoff_most=2, timeout=1_000, ban=1)
        (one,) = fetch(fake, tmp_path, patience=patience).series
    assert (fault.times, one.fetched.missing) == (0, 0)


def test_an_answer_that_does_not_come_is_asked_for_again(tmp_path: Path) -> None:
    with FakePast([BTC], NOW, [Fault("hang", "kline")]) as fake:
        patience = Patience(rate=1e6, backoff=1, backoff_most=2, timeout=150)
        (one,) = fetch(fake, tmp_path, patience=patience).series
    assert one.fetched.missing == 0


def test_the_limit_of_the_exchange_is_waited_for_by_its_own_clock(tmp_path: Path) -> None:
    over = Fault("code", "kline", times=2, headers={"X-Bapi-Limit-Reset-Timestamp": str(NOW + 120)})
    with FakePast([BTC], NOW, [over]) as fake:
        begun = time.monotonic()
        (one,) = fetch(fake, tmp_path).series
        assert time.monotonic() - begun > 0.12
    assert one.fetched.missing == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("http", "kline", skip=1, times=99), r"kline of BTCUSDT \(after 6 attempts\): .*HTTP 502"),
        (Fault("http", "kline", skip=1, times=99, status=403), r"it wants 10 minutes of silence\): .*HTTP 403"),
        (Fault("code", "kline", skip=1, times=99), "10006 .*too many visits"),
    ],
)
def test_what_does_not_pass_is_told_once_and_the_rest_is_kept(tmp_path: Path, fault: Fault, said: str) -> None:
    fault.headers = {"X-Bapi-Limit-Reset-Timestamp": str(NOW + 5)}
    with FakePast([BTC], NOW, [fault]) as fake:
        with pytest.raises(Unreachable, match=said) as refused:
            fetch(fake, tmp_path, "funding", "candles", timeframe=5 * MINUTE)
        assert "give the same command again and it goes on" in str(refused.value)
        kept = content(tmp_path)
        fake.faults.clear()
        fetch(fake, tmp_path, "funding", "candles", timeframe=5 * MINUTE)
    assert any(name.startswith("funding") for name in kept)
    assert len(content(tmp_path)) > len(kept)


def test_what_cannot_be_is_told_before_anything_is_stored(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        with pytest.raises(BadData, match="no linear contract called BTCUSD; check the spelling"):
            fetch(fake, tmp_path, symbols=("BTCUSDT", "BTCUSD"))
        with pytest.raises(UsageError, match="Bybit has no 10m bars; take one of 1m 3m 5m"):
            fetch(fake, tmp_path, timeframe=10 * MINUTE)
        with pytest.raises(UsageError, match="open_interest by 5min 15min 30min 1h 4h 1d, not by 2h"):
            fetch(fake, tmp_path, "open-interest", timeframe=2 * HOUR)
    assert not list(tmp_path.iterdir())


def test_bars_of_another_venue_are_not_mixed_in(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        fetch(fake, tmp_path / "bybit", stop=START + DAY)
        archive = Archive(tmp_path / "mixed")
        shelf = Shelf("candles", HOUR, "BTCUSDT")
        archive.add([(shelf, Archive(tmp_path / "bybit").rows(shelf))], origin="binance")
        with pytest.raises(ConfigError, match="BTCUSDT candles 1h is from binance; what bybit has belongs into another folder"):
            fetch(fake, tmp_path / "mixed")


def test_months_that_were_fetched_apart_are_joined_by_what_lies_between(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        fetch(fake, tmp_path / "whole")
        fetch(fake, tmp_path / "parts", start=millis("2024-03-01"))
        fetch(fake, tmp_path / "parts", start=START, stop=millis("2024-02-01"))
        assert Archive(tmp_path / "parts").holdings()[0].missing == 29 * 24
        fetch(fake, tmp_path / "parts")
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_a_month_that_was_removed_is_fetched_again_and_nothing_else(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        fetch(fake, tmp_path, "candles", "funding", timeframe=15 * MINUTE)
        before = content(tmp_path)
        (tmp_path / "candles/15m/BTCUSDT/2024-02.parquet").unlink()
        (tmp_path / "funding/BTCUSDT/2024-03.parquet").unlink()
        fake.requests.clear()
        fetch(fake, tmp_path, "candles", "funding", timeframe=15 * MINUTE)
        assert content(tmp_path) == before
        asked = [(int(query["start"]), int(query["end"])) for query in fake.asked("kline")]
    assert min(start for start, _ in asked) == millis("2024-02-01")
    assert max(end for _, end in asked) == millis("2024-03-01") - 1


def test_what_the_exchange_had_not_is_asked_for_again_on_demand(tmp_path: Path) -> None:
    hole = (START + 30 * HOUR, START + 33 * HOUR)
    with FakePast([Contract("BTCUSDT", OLD, holes=(hole,))], NOW) as fake:
        fetch(fake, tmp_path)
        fake.contracts["BTCUSDT"] = BTC  # it has them now
        assert fetch(fake, tmp_path).series[0].fetched.missing == 3
        (one,) = fetch(fake, tmp_path, recheck=True).series
    assert (one.fetched.rows, one.fetched.missing, one.requests) == (3, 0, 1)


COMMAND = (sys.executable, "-m", "bot", "data", "download", "BTCUSDT", "--kind", "candles,funding,open-interest", "--timeframe", "15m",
           "--from", "2024-02-10", "--to", "2024-03-08")  # fmt: skip


def killed_at(condition: Callable[[], bool], folder: Path, fake: FakePast) -> bool:
    """Start the download as a process of its own and end it with -9 when the condition holds; whether it was still running."""
    config = folder.parent / "config.toml"
    config.write_text(f'[exchange]\nrest = "{fake.rest}"\n')
    process = subprocess.Popen(
        [*COMMAND, "-o", str(folder), "--config", str(config), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not condition():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.002)
    alive = process.poll() is None
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    out, err = process.communicate()
    if not alive:
        assert process.returncode == 0, err
        assert json.loads(out)["series"][0]["missing"] == 0
    return alive


def test_a_download_that_is_killed_anywhere_goes_on_to_the_same_content(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        fetch(
            fake,
            tmp_path / "calm",
            "candles",
            "funding",
            "open-interest",
            timeframe=15 * MINUTE,
            start=millis("2024-02-10"),
            stop=millis("2024-03-08"),
        )
        folder = tmp_path / "killed"

        def temporary() -> bool:
            return any(folder.rglob(".*.parquet.*"))

        def requests(more: int) -> Callable[[], bool]:
            goal = len(fake.requests) + more
            return lambda: len(fake.requests) >= goal

        kills = killed_at(requests(4), folder, fake) + killed_at(temporary, folder, fake) + killed_at(requests(9), folder, fake)
        for path in folder.rglob("[0-9]*.parquet"):
            pq.read_table(path, partitioning=None)  # whole, each of them
        before = len(fake.requests)
        fetch(
            fake,
            folder,
            "candles",
            "funding",
            "open-interest",
            timeframe=15 * MINUTE,
            start=millis("2024-02-10"),
            stop=millis("2024-03-08"),
        )
        resumed = len(fake.requests) - before
    assert kills >= 2
    assert resumed < before
    assert content(folder) == content(tmp_path / "calm")
    assert not [path for path in folder.rglob(".*.parquet.*")]


def test_the_stored_months_tell_who_gave_them_and_which_time_they_cover(tmp_path: Path) -> None:
    with FakePast([BTC], NOW) as fake:
        fetch(fake, tmp_path, stop=millis("2024-02-05T07:30"))
    about = Archive(tmp_path).about(Shelf("candles", HOUR, "BTCUSDT"))
    assert (about.sources, about.fetched_ms) == (("bybit",), NOW)
    assert [tuple(span) for span in about.covered] == [(START, millis("2024-02-05T07:00"))]
    assert np.diff(Archive(tmp_path).rows(Shelf("candles", HOUR, "BTCUSDT")).at).max() == HOUR
