"""What Bybit keeps of the past, one series at a time: bars of four kinds, funding, open interest, the long/short ratio.

The rule: a page gives what lies in [start, stop) and is closed, oldest first; what cannot be right is counted in the client's
`rejects` and left out, so a broken page is a page with holes, and holes are asked for again.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from feeds.bybit.client import BybitClient, Frame
from feeds.bybit.messages import AHEAD, EARLIEST, HIGHEST_PRICE, LARGEST_AMOUNT, interval, read_instrument
from feeds.errors import Banned, Unreachable
from feeds.events import Source
from feeds.files import Floats, Ints
from feeds.instruments import Instrument
from feeds.layout import Shelf
from feeds.months import Month, of_values
from feeds.times import DAY, HOUR, MINUTE, SECOND, span_text

ATTEMPTS = 6
LONGEST = MINUTE  # a rest that the exchange orders is waited for up to this long
PERIODS = {5 * MINUTE: "5min", 15 * MINUTE: "15min", 30 * MINUTE: "30min", HOUR: "1h", 4 * HOUR: "4h", DAY: "1d"}
# A value is stated for the begin of its period; it is taken to be known a minute after the period has ended.
LAG = MINUTE
MARKED = 1_000  # hours of mark prices in one reply, for the settlements in them
SETTLE = 2 * SECOND  # so long after its close a bar may still be corrected


class Listed(NamedTuple):
    """A symbol as the exchange describes it: its trading rules and when it was launched, UTC milliseconds (None: not said)."""

    instrument: Instrument
    launch_ms: int | None


class _Way(NamedTuple):
    """How one kind is asked for.

    path    below /v5/market;  page  rows of one reply
    begin, end  names of the bounds; the end is inclusive
    fields  of a row: the instant, then the values (an int: a position, a text: a key)
    """

    path: str
    page: int
    begin: str
    end: str
    fields: tuple[int | str, ...]


_BAR = (0, 1, 2, 3, 4)
_WAYS = {
    "candles": _Way("kline", 1_000, "start", "end", (*_BAR, 5, 6)),
    "mark": _Way("mark-price-kline", 1_000, "start", "end", _BAR),
    "index": _Way("index-price-kline", 1_000, "start", "end", _BAR),
    "premium": _Way("premium-index-price-kline", 1_000, "start", "end", _BAR),
    "funding": _Way("funding/history", 200, "startTime", "endTime", ("fundingRateTimestamp", "fundingRate")),
    "metrics/open_interest": _Way("open-interest", 200, "startTime", "endTime", ("timestamp", "openInterest")),
    "metrics/long_short_ratio": _Way("account-ratio", 500, "startTime", "endTime", ("timestamp", "buyRatio", "sellRatio")),
}
KINDS = tuple(_WAYS)


class BybitPast:
    """One user of Bybit's history. `requests` counts what was asked."""

    name = "bybit"

    def __init__(self, client: BybitClient) -> None:
        self.client = client
        self.requests = 0

    async def ask(self, path: str, **params: str | int) -> Frame:
        """`BybitClient.ask`, waiting as long as the exchange asks for, and again after what may pass.

        Raises Unreachable when that does not help, Banned when it cannot.
        """
        for attempt in range(1, ATTEMPTS + 1):
            # another request was told to wait: that costs this one no attempt
            while 0 < (rest := self.client.rest_ms) <= LONGEST:  # noqa: ASYNC110
                await asyncio.sleep(rest / SECOND)
            try:
                self.requests += 1
                return await self.client.ask(path, category="linear", **params)
            except Unreachable as error:
                rest = self.client.rest_ms
                if attempt == ATTEMPTS or rest > LONGEST:
                    what = f" of {params['symbol']}" if "symbol" in params else ""
                    told = f"after {attempt} attempts" if rest <= LONGEST else f"it wants {math.ceil(rest / MINUTE)} minutes of silence"
                    raise Unreachable(f"Bybit does not give {path}{what} ({told}): {error}") from error
                await asyncio.sleep(max(rest / SECOND, self.client.delay(attempt)))
        raise AssertionError("there is a last attempt")

    async def now(self) -> int:
        """The exchange's clock, UTC milliseconds. Raises Unreachable naming the address when it does not answer."""
        served = (await self.ask("time")).get("time")
        return served if isinstance(served, int) else self.client.exchange_now()

    async def listed(self, symbol: str) -> Listed | None:
        """A linear contract, whatever its state; None where the exchange knows none of this name."""
        for state in ({}, {"status": "PreLaunch"}, {"status": "Delivering"}, {"status": "Closed"}):
            try:
                reply = await self.ask("instruments-info", symbol=symbol, **state)
            except Banned as error:
                if "10001" in str(error):
                    continue
                raise
            for row in _list(reply):
                found = _listed(row) if isinstance(row, dict) and row.get("symbol") == symbol else None
                if found is not None:
                    return found
        return None

    def series(self, shelf: Shelf, listed: Listed | None = None) -> "BybitSeries":
        """A series by where it is kept. Raises ValueError where Bybit has no such bar length."""
        return BybitSeries(self, shelf, listed)


class BybitSeries:
    """One series at Bybit.

    step    rows stand on multiples of it;  reach  milliseconds of one `fetch`
    whole   a row for every step there is; else rows come when they come
    usual   the distance of rows that is to be expected
    launch  when the symbol was launched, as far as the exchange says
    """

    def __init__(self, past: BybitPast, shelf: Shelf, listed: Listed | None) -> None:
        self.shelf = shelf
        self.launch = listed.launch_ms if listed is not None else None
        self.usual = shelf.timeframe or (listed.instrument.funding_ms if listed is not None else 8 * HOUR)
        self.whole = shelf.timeframe is not None
        self.step = shelf.timeframe or HOUR
        self._past = past
        self._way = _WAYS[shelf.kind]
        self.reach = self._way.page * self.step if self.whole else MARKED * HOUR
        self._params: dict[str, str | int] = {"symbol": shelf.symbol}
        if shelf.timeframe is None:
            return
        if shelf.kind.startswith("metrics/"):
            if shelf.timeframe not in PERIODS:
                raise ValueError(f"Bybit gives {shelf.kind[8:]} by {' '.join(PERIODS.values())}, not by {span_text(shelf.timeframe)}")
            self._params["intervalTime" if shelf.kind.endswith("interest") else "period"] = PERIODS[shelf.timeframe]
        else:
            self._params["interval"] = interval(shelf.timeframe)

    async def fetch(self, start: int, stop: int) -> Month:
        """The rows with start <= instant < stop, at most `reach` apart, oldest first; the open one never."""
        found: dict[int, list[float]] = {}
        end = stop - 1
        for _ in range(2 + self.reach // self.step // self._way.page):  # a full reply may have left out what is older
            reply = await self._page(start, end)
            before = len(found)
            rows = self._rows(reply, start, stop)
            found |= rows
            if self.whole or len(_list(reply)) < self._way.page or len(found) == before or min(rows, default=start) <= start:
                break
            end = min(rows) - 1
        at = np.array(sorted(found), np.int64)
        values = self._values(np.array([found[when] for when in at.tolist()], np.float64).reshape(at.size, len(self._way.fields) - 1))
        if self.shelf.kind == "funding":
            values = np.column_stack((values, await self._marks(at)))
        known = at + self.step + LAG if self.shelf.kind.startswith("metrics/") else None
        return of_values(at, values, Source.REST, known)

    async def latest(self, stop: int) -> int | None:
        """The instant of the newest row before `stop`; None where there is none."""
        way = self._way
        reply = await self._past.ask(way.path, **self._params, **{way.end: stop - 1}, limit=2)
        return max(self._rows(reply, 0, stop), default=None)

    async def _page(self, start: int, end: int) -> Frame:
        way = self._way
        return await self._past.ask(way.path, **self._params, **{way.begin: start, way.end: end}, limit=way.page)

    def _rows(self, reply: Frame, start: int, stop: int) -> dict[int, list[float]]:
        """Instant -> values of the rows that can be right."""
        rejects, served = self._past.client.rejects, reply.get("time")
        now = served if isinstance(served, int) else self._past.client.exchange_now()
        is_bar = self.whole and not self.shelf.kind.startswith("metrics/")
        name = self._way.path
        out: dict[int, list[float]] = {}
        for row in _list(reply):
            numbers = _numbers(row, self._way.fields)
            if numbers is None:
                rejects[f"{name}.shape"] += 1
                continue
            at = int(numbers[0])
            if at < EARLIEST or (self.whole and at % self.step) or at > now + AHEAD:
                rejects[f"{name}.time"] += 1
            elif at + (self.step + SETTLE if is_bar else 0) > now or not start <= at < stop:
                continue  # still forming, or nobody asked for it
            elif not _plausible(self.shelf.kind, numbers[1:]):
                rejects[f"{name}.value"] += 1
            else:
                out[at] = numbers[1:]
        return out

    def _values(self, values: Floats) -> Floats:
        if not self.shelf.kind.endswith("ratio"):
            return values
        return np.asarray(values[:, :1] / values[:, 1:], np.float64)

    async def _marks(self, at: Ints) -> Floats:
        """The mark price of each settlement: the open of the mark bar that begins there; NaN where there is none."""
        found: dict[int, float] = {}
        hours = at[at % HOUR == 0]
        start = 0
        while start < hours.size:
            stop = int(np.searchsorted(hours, hours[start] + MARKED * HOUR))
            begin, end = int(hours[start]), int(hours[stop - 1])
            reply = await self._past.ask("mark-price-kline", symbol=self.shelf.symbol, interval="60", start=begin, end=end, limit=MARKED)
            for row in _list(reply):
                numbers = _numbers(row, (0, 1))
                if numbers is not None and 0 < numbers[1] <= HIGHEST_PRICE:
                    found[int(numbers[0])] = numbers[1]
            start = stop
        return np.array([found.get(when, np.nan) for when in at.tolist()], np.float64)


def _plausible(kind: str, values: Sequence[float]) -> bool:
    if not all(math.isfinite(value) for value in values):
        return False
    if kind == "funding":
        return abs(values[0]) <= 0.1
    if kind.endswith("ratio"):
        return 0 < values[0] < 1 and 0 < values[1] < 1
    if kind.startswith("metrics/"):
        return 0 <= values[0] <= LARGEST_AMOUNT
    open_, high, low, close, *amounts = values
    if kind == "premium":  # a premium may be below zero
        return -1 <= low <= min(open_, close) <= max(open_, close) <= high <= 1
    if not 0 < low <= min(open_, close) <= max(open_, close) <= high <= HIGHEST_PRICE:
        return False
    return all(0 <= amount <= LARGEST_AMOUNT for amount in amounts)


def _numbers(row: object, fields: Sequence[int | str]) -> list[float] | None:
    cells: list[object] = []
    for field in fields:
        match row, field:
            case list(), int() if field < len(row):
                cells.append(row[field])
            case dict(), str() if field in row:
                cells.append(row[field])
            case _:
                return None
    try:
        return msgspec.convert(cells, list[float], strict=False)
    except msgspec.ValidationError:
        return None


def _list(reply: Frame) -> list[object]:
    result = reply.get("result")
    rows = result.get("list") if isinstance(result, dict) else None
    return rows if isinstance(rows, list) else []


def _listed(row: Mapping[str, object]) -> Listed | None:
    instrument = read_instrument(row)
    launch = str(row.get("launchTime", ""))
    return None if instrument is None else Listed(instrument, int(launch) if launch.isdigit() and int(launch) >= EARLIEST else None)
