"""Bars from Yahoo through the real yfinance, on loopback: units, zones and prices as they are stored, and what is said when it fails."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.downloads import Download, Wanted, from_yahoo
from bot.errors import UsageError
from feeds.archive import Archive
from feeds.errors import BadData, Unreachable
from feeds.history import read_candles
from feeds.layout import Shelf
from feeds.times import DAY, HOUR, millis
from tests.fakes.yahoo import FakeYahoo, Listing, prices

NOW = millis("2024-06-05T15:10:00Z")  # a Wednesday, 11:10 in New York


@pytest.fixture
def yahoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeYahoo]:
    yfinance = pytest.importorskip("yfinance")
    from yfinance.data import YfData

    yfinance.set_tz_cache_location(str(tmp_path / "cache"))
    listings = {
        "BTC-USD": Listing("CRYPTOCURRENCY", "UTC", None),
        "AAPL": Listing(),
        "^GSPC": Listing("INDEX"),
        "7203.T": Listing(zone="Asia/Tokyo", hours=(9, 0, 5)),
    }
    with FakeYahoo(listings) as fake:
        monkeypatch.setattr("yfinance.scrapers.history._BASE_URL_", fake.url)
        monkeypatch.setattr("yfinance.base._BASE_URL_", fake.url)
        monkeypatch.setattr(YfData, "_get_cookie_and_crumb", lambda *_: (None, "basic"))
        YfData.cache_get.__wrapped__.cache_clear()  # type: ignore[attr-defined]
        yield fake


def fetch(
    folder: Path, *tickers: str, timeframe: int = DAY, start: str | int | None = "2024-05-01", now: int = NOW, adjusted: bool = False
) -> Download:
    begin = millis(start) if isinstance(start, str) else start
    wanted = Wanted(tickers, ("candles",), timeframe, begin, None)
    return asyncio.run(from_yahoo(wanted, folder, lambda done, total, what: None, now=now, adjusted=adjusted, wait=0.0))


def test_coins_are_stored_by_utc_days_with_their_volume_as_turnover(tmp_path: Path, yahoo: FakeYahoo) -> None:
    done = fetch(tmp_path / "a", "BTC-USD")
    month = Archive(tmp_path / "a").rows(Shelf("candles", DAY, "BTC-USD"))
    days = list(range(millis("2024-05-01"), millis("2024-06-05"), DAY))  # today has not closed
    assert month.at.tolist() == days
    for at, row in zip(days, month.values.tolist(), strict=True):
        open_, high, low, close, volume = prices(at)
        assert row[:4] == pytest.approx([open_, high, low, close])
        assert row[4] == pytest.approx(volume / ((high + low + close) / 3))
        assert row[5] == volume
    assert any("volume is in USD: stored as turnover" in text for text in done.warnings)
    assert read_candles([tmp_path / "a"]).symbols == ("BTC-USD",)


def test_days_of_an_exchange_are_the_utc_days_of_their_local_date(tmp_path: Path, yahoo: FakeYahoo) -> None:
    done = fetch(tmp_path / "a", "^GSPC", "7203.T", start="2024-03-01")
    assert "^GSPC is stored as GSPC" in done.warnings
    for symbol, opened in (("GSPC", "America/New_York"), ("7203.T", "Asia/Tokyo")):
        at = Archive(tmp_path / "a").rows(Shelf("candles", DAY, symbol)).at
        assert (at[0], at[-1]) == (millis("2024-03-01"), millis("2024-06-04")), opened
        assert {int(day // DAY) % 7 for day in at} == {1, 4, 5, 6, 0}  # 1970 began on a Thursday: Monday to Friday
    assert [one.fetched.missing for one in done.series] == [0, 0]


def test_an_intraday_bar_off_the_grid_is_known_later_and_never_earlier(tmp_path: Path, yahoo: FakeYahoo) -> None:
    done = fetch(tmp_path / "a", "AAPL", timeframe=HOUR, start="2024-06-03")
    month = Archive(tmp_path / "a").rows(Shelf("candles", HOUR, "AAPL"))
    first = millis("2024-06-03T13:30Z")  # half past nine in New York
    assert (month.at[0], month.values[0, 0]) == (first + HOUR // 2, prices(first)[0])
    assert month.at[-1] == millis("2024-06-05T14:00Z")  # the one from 13:30 to 14:30, known at 15:00
    assert any("bars that do not begin on the 1h grid are put into the next one" in text for text in done.warnings)


def test_a_second_download_asks_for_what_is_new(tmp_path: Path, yahoo: FakeYahoo) -> None:
    fetch(tmp_path / "a", "BTC-USD")
    yahoo.requests.clear()
    done = fetch(tmp_path / "a", "BTC-USD", start=None, now=NOW + 2 * DAY)
    assert done.series[0].fetched.rows == 2
    assert done.series[0].fetched.first_ms == millis("2024-05-01")
    assert min(int(query["period1"]) for _, query in yahoo.requests if "period1" in query) * 1_000 >= millis("2024-06-02")


def test_a_past_that_was_restated_is_not_joined_to_the_old_one(tmp_path: Path, yahoo: FakeYahoo) -> None:
    fetch(tmp_path / "a", "AAPL")
    yahoo.listings["AAPL"].scale = 0.1
    with pytest.raises(BadData, match=r"Yahoo has restated the past .*: a split or a dividend\); download it into a new folder"):
        fetch(tmp_path / "a", "AAPL", now=NOW + 2 * DAY)


def test_adjusted_prices_are_asked_for_and_kept_apart(tmp_path: Path, yahoo: FakeYahoo) -> None:
    yahoo.listings["AAPL"].dividend = 0.25
    fetch(tmp_path / "raw", "AAPL")
    fetch(tmp_path / "adjusted", "AAPL", adjusted=True)
    shelf = Shelf("candles", DAY, "AAPL")
    raw, adjusted = Archive(tmp_path / "raw").rows(shelf).values, Archive(tmp_path / "adjusted").rows(shelf).values
    assert adjusted[:, :4] == pytest.approx(raw[:, :4] * 0.75)
    with pytest.raises(BadData, match="AAPL candles 1d is from yahoo, not yahoo adjusted; name another folder"):
        fetch(tmp_path / "raw", "AAPL", adjusted=True)


def test_what_fails_is_told_in_one_line(tmp_path: Path, yahoo: FakeYahoo) -> None:
    with pytest.raises(BadData, match="Yahoo has no 1d bars of NOPE in that span"):
        fetch(tmp_path / "a", "NOPE")
    yahoo.refuse = [429] * 50
    with pytest.raises(Unreachable, match=r"Yahoo does not give BTC-USD \(after 4 attempts\): YFRateLimitError"):
        fetch(tmp_path / "a", "BTC-USD")
    with pytest.raises(UsageError, match="Yahoo gives bars of 1m 5m 15m 1h 1d, not of 4h; give another --timeframe"):
        fetch(tmp_path / "a", "BTC-USD", timeframe=4 * HOUR)


def test_hours_that_yahoo_does_not_keep_are_said(tmp_path: Path, yahoo: FakeYahoo) -> None:
    done = fetch(tmp_path / "a", "BTC-USD", timeframe=HOUR, start="2020-01-01")
    assert any("Yahoo keeps 1h bars since 2022-06-0" in text for text in done.warnings)
    assert done.series[0].fetched.first_ms is not None
    assert done.series[0].fetched.first_ms >= NOW - 730 * DAY


def test_without_the_extra_one_line_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)
    with pytest.raises(BadData, match=r"Yahoo needs the extra `yahoo` \(yfinance is not installed\): pip install 'sluice\[yahoo\]'"):
        fetch(tmp_path / "a", "BTC-USD")
    assert not (tmp_path / "a").exists()
