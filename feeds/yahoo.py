"""Bars from Yahoo Finance through yfinance, which is an extra: daily and hourly bars of coins, shares, indices and currencies.

Yahoo's times become ours by a stated rule, so that no bar is known early: a daily bar is the UTC day of its local date; an intraday
bar that does not begin on the grid is put into the next one. The volume of coins is in quote currency there: it becomes the turnover,
and the volume is what that buys at the typical price (high + low + close) / 3.
"""

import asyncio
import importlib
import math
import re
from datetime import UTC, datetime
from typing import Any

import numpy as np

from feeds import times
from feeds.archive import Archive
from feeds.errors import BadData, Unreachable
from feeds.events import Source
from feeds.layout import Shelf
from feeds.months import Month, of_values

INTERVALS = {times.MINUTE: "1m", 5 * times.MINUTE: "5m", 15 * times.MINUTE: "15m", times.HOUR: "1h", times.DAY: "1d"}
# How far back Yahoo reaches, and how much it gives at once
REACH = {times.MINUTE: 29 * times.DAY, 5 * times.MINUTE: 59 * times.DAY, 15 * times.MINUTE: 59 * times.DAY, times.HOUR: 729 * times.DAY}
AT_ONCE = {times.MINUTE: 7 * times.DAY, 5 * times.MINUTE: 59 * times.DAY, 15 * times.MINUTE: 59 * times.DAY, times.HOUR: 729 * times.DAY}
QUOTED = ("CRYPTOCURRENCY",)
ATTEMPTS = 4
SAME = 1e-6  # a stored close that differs by more, as a share, was restated


def available() -> Any:  # yfinance has no types
    """The library. Raises BadData naming the extra where it is not installed."""
    try:
        return importlib.import_module("yfinance")
    except ImportError as error:
        raise BadData(f"Yahoo needs the extra `yahoo` ({error.name or error} is not installed): pip install 'sluice[yahoo]'") from None


def stored_name(ticker: str) -> str:
    """The symbol that a ticker is stored under: `^GSPC` -> GSPC, `EURUSD=X` -> EURUSD-X, `BTC-USD` as it is."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", ticker).strip("-.").upper()


class YahooPast:
    """One user of Yahoo. `requests` counts what was asked.

    adjusted  prices as if dividends had been reinvested, instead of as traded (splits are undone in both)
    wait      seconds before the second attempt, doubled each time
    """

    def __init__(self, *, adjusted: bool = False, wait: float = 2.0) -> None:
        self.name = "yahoo adjusted" if adjusted else "yahoo"
        self.requests = 0
        self._adjusted = adjusted
        self._wait = wait
        self._library = available()
        self._library.config.debug.hide_exceptions = False  # else a failure is an empty table

    def series(self, ticker: str, timeframe: int, now: int) -> "YahooSeries":
        """Bars of a ticker. Raises ValueError where Yahoo has no such bar length."""
        if timeframe not in INTERVALS:
            raise ValueError(f"Yahoo gives bars of {' '.join(INTERVALS.values())}, not of {times.span_text(timeframe)}")
        return YahooSeries(self, ticker, timeframe, now)

    async def history(self, ticker: str, timeframe: int, start: int, stop: int) -> tuple[Any, dict[str, Any]]:
        """yfinance's frame and its metadata. Raises BadData where Yahoo knows no such ticker, Unreachable where it does not answer."""
        for attempt in range(1, ATTEMPTS + 1):
            self.requests += 1
            try:
                return await asyncio.to_thread(self._ask, ticker, timeframe, start, stop)
            except self._errors() as error:
                kind = type(error).__name__
                if kind in ("YFPricesMissingError", "YFTzMissingError", "YFInvalidPeriodError", "YFTickerMissingError"):
                    raise BadData(f"Yahoo has no {INTERVALS[timeframe]} bars of {ticker} in that span: {error}") from error
                if attempt == ATTEMPTS:
                    raise Unreachable(f"Yahoo does not give {ticker} (after {attempt} attempts): {kind}: {error}") from error
                await asyncio.sleep(self._wait * 2 ** (attempt - 1))
        raise AssertionError("there is a last attempt")

    def _ask(self, ticker: str, timeframe: int, start: int, stop: int) -> tuple[Any, dict[str, Any]]:
        asked = self._library.Ticker(ticker)
        frame = asked.history(
            start=datetime.fromtimestamp(start / 1000, tz=UTC), end=datetime.fromtimestamp(stop / 1000, tz=UTC),
            interval=INTERVALS[timeframe], auto_adjust=self._adjusted, actions=False,
        )  # fmt: skip
        return frame, dict(asked.history_metadata or {})

    def _errors(self) -> tuple[type[BaseException], ...]:
        """What a request may raise when the world fails; yfinance reaches it through requests or curl_cffi."""
        backend = importlib.import_module("yfinance._http").requests
        return (self._library.exceptions.YFException, backend.exceptions.RequestException, OSError, ValueError, KeyError, TypeError)


class YahooSeries:
    """Bars of one ticker, for the downloader."""

    launch: int | None = None
    whole = False  # an exchange that closes has no bars then

    def __init__(self, past: YahooPast, ticker: str, timeframe: int, now: int) -> None:
        self.shelf = Shelf("candles", timeframe, stored_name(ticker))
        self.step = self.usual = timeframe
        self.reach = AT_ONCE.get(timeframe, 20_000 * times.DAY)
        self.earliest = now - REACH[timeframe] if timeframe in REACH else 0
        self.ticker = ticker
        self.notes: list[str] = []
        self._past, self._now = past, now

    async def fetch(self, start: int, stop: int) -> Month:
        """The closed bars with start <= open < stop. Raises FeedError."""
        # A daily bar begins at local midnight, up to 14 hours before or after that of UTC.
        frame, meta = await self._past.history(self.ticker, self.step, start - times.DAY, min(stop + times.DAY, self._now))
        at = self._opens(frame)
        values = np.column_stack([np.asarray(frame[name], np.float64) for name in ("Open", "High", "Low", "Close", "Volume")])
        keep = (at >= start) & (at < stop) & (at + self.step <= self._now) & ~np.isnan(values[:, :4]).any(axis=1)
        at, values = at[keep], values[keep]
        turnover = np.full(at.size, np.nan)
        if meta.get("instrumentType") in QUOTED:
            turnover = values[:, 4].copy()
            values[:, 4] = turnover / values[:, 1:4].mean(axis=1)
            self._note(f"{self.ticker}: Yahoo's volume is in {meta.get('currency', 'quote currency')}: stored as turnover")
        # Adjusting rounds: the extremes may miss open and close by the last digit.
        values[:, 1] = values[:, :4].max(axis=1)
        values[:, 2] = values[:, :4].min(axis=1)
        _, first = np.unique(at, return_index=True)
        return of_values(at, np.column_stack((values, turnover)), Source.REST).take(first)

    async def latest(self, stop: int) -> int | None:
        """Nobody knows without asking for everything."""
        return None

    async def check(self, archive: Archive) -> None:
        """Raises BadData where the newest stored bar is stored otherwise than Yahoo gives it today: its past was restated."""
        others = {name for name in archive.about(self.shelf).sources if name != self._past.name}
        if others:
            given = " and ".join(sorted(others))
            raise BadData(f"{archive.root}: {self.shelf} is from {given}, not {self._past.name}; name another folder: -o")
        stored = archive.rows(self.shelf)
        if not stored.at.size or stored.at[-1] < self.earliest:
            return
        again = await self.fetch(int(stored.at[-1]), int(stored.at[-1]) + self.step)
        if again.at.size and not math.isclose(again.values[0, 3], stored.values[-1, 3], rel_tol=SAME):
            raise BadData(
                f"{archive.root}: {self.shelf}: Yahoo has restated the past (close of {times.iso(int(stored.at[-1]))} was "
                f"{stored.values[-1, 3]:g}, is {again.values[0, 3]:g}: a split or a dividend); download it into a new folder: -o"
            )

    def _opens(self, frame: Any) -> np.ndarray[tuple[int], np.dtype[np.int64]]:  # a pandas frame
        index = frame.index
        if self.step == times.DAY:
            if getattr(index, "tz", None) is not None:
                index = index.tz_localize(None)
            at = np.asarray(index.values.astype("datetime64[ms]").astype(np.int64))
            return at // times.DAY * times.DAY
        if getattr(index, "tz", None) is not None:
            index = index.tz_convert("UTC").tz_localize(None)
        at = np.asarray(index.values.astype("datetime64[ms]").astype(np.int64))
        if (at % self.step).any():
            self._note(f"{self.ticker}: bars that do not begin on the {times.span_text(self.step)} grid are put into the next one")
        return -(-at // self.step) * self.step

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
