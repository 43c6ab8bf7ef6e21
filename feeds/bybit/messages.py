"""The V5 messages without I/O: decoded public frames and REST replies become events.

What cannot be right never leaves this file and never raises: it is counted in the `rejects` that the caller
hands in, under `where.why`, and left out. A bar exists only when the exchange says that it is closed.
"""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from itertools import pairwise
from math import isfinite
from typing import NamedTuple

import msgspec

from feeds.errors import BadData
from feeds.events import Candle, Funding, Quote, Source
from feeds.instruments import Instrument
from feeds.times import DAY, HOUR, MINUTE, SECOND, span_text

INTERVALS = {
    MINUTE: "1", 3 * MINUTE: "3", 5 * MINUTE: "5", 15 * MINUTE: "15", 30 * MINUTE: "30", HOUR: "60",
    2 * HOUR: "120", 4 * HOUR: "240", 6 * HOUR: "360", 12 * HOUR: "720", DAY: "D",
}  # fmt: skip

EARLIEST = 1_262_304_000_000  # 2010: an instant before it is in the wrong unit
AHEAD = 5 * SECOND  # how far a time stamp may lie in the future
HIGHEST_PRICE = 1e12
LARGEST_AMOUNT = 1e20

Rejects = Counter[str]


class Todo(Enum):
    """What a caller does after a reply code of a public endpoint."""

    TAKE = "take"
    RETRY = "retry"  # the same request again, later
    SLOW = "slow"  # too many requests: wait until the limit resets
    FIX = "fix"  # the request is wrong: it will never succeed
    STOP = "stop"  # this client is not welcome: retrying makes it worse


RET_CODES: dict[int, tuple[Todo, str]] = {
    0: (Todo.TAKE, "ok"),
    429: (Todo.RETRY, "the exchange protects itself"),
    10000: (Todo.RETRY, "server timeout"),
    10001: (Todo.FIX, "parameter error: the symbol or the interval is not known there"),
    10002: (Todo.RETRY, "time stamp outside the window"),
    10006: (Todo.SLOW, "too many visits"),
    10009: (Todo.STOP, "this address is banned"),
    10010: (Todo.STOP, "this address is not allowed"),
    10014: (Todo.RETRY, "duplicate request"),
    10016: (Todo.RETRY, "server error"),
    10017: (Todo.FIX, "no such route: the REST address is not Bybit V5"),
    10018: (Todo.STOP, "too many visits from this address"),
    10024: (Todo.STOP, "compliance rules refuse this region"),
    10429: (Todo.RETRY, "the exchange protects itself"),
    110132: (Todo.STOP, "not offered in this region"),
}


def outcome(code: int) -> tuple[Todo, str]:
    """What to do about a retCode, and its meaning; a code we do not know is worth another try."""
    return RET_CODES.get(code, (Todo.RETRY, "a code that is not in our table"))


def interval(timeframe: int) -> str:
    """Bybit's name of a bar length in milliseconds. Raises ValueError naming those that exist."""
    try:
        return INTERVALS[timeframe]
    except KeyError:
        known = " ".join(span_text(each) for each in INTERVALS)
        raise ValueError(f"Bybit has no {span_text(timeframe)} bars; take one of {known}") from None


class _Bar(msgspec.Struct):
    start: int
    end: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float
    confirm: bool


class _Row(msgspec.Struct, array_like=True):
    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float


class Push(NamedTuple):
    """One bar of a kline frame.

    open_ms  of the bar that the frame is about, closed or still forming
    candle   the bar when it is closed, else None
    """

    symbol: str
    open_ms: int
    candle: Candle | None


def parse_kline(frame: Mapping[str, object], at: int, timeframe: int, rejects: Rejects) -> list[Push]:
    """The bars of one kline frame; only a confirmed one carries a Candle.

    at  receipt time; a candle is never known before it closes, so its own `at` is not less than close_ms
    """
    topic = str(frame.get("topic", "")).split(".")
    rows = frame.get("data")
    if len(topic) != 3 or topic[1] != interval(timeframe) or not isinstance(rows, list):
        rejects["kline.shape"] += 1
        return []
    sent = frame.get("ts")
    pushes = []
    for row in rows:
        try:
            bar = msgspec.convert(row, _Bar, strict=False)
        except msgspec.ValidationError:
            rejects["kline.shape"] += 1
            continue
        horizon = sent if isinstance(sent, int) else at
        if not _on_grid(bar.start, timeframe) or bar.end != bar.start + timeframe - 1 or bar.start > horizon + AHEAD:
            rejects["kline.time"] += 1
        elif not bar.confirm:
            pushes.append(Push(topic[2], bar.start, None))
        elif bar.end >= horizon + AHEAD:
            rejects["kline.time"] += 1
        elif not _plausible(bar):
            rejects["kline.value"] += 1
        else:
            pushes.append(Push(topic[2], bar.start, _candle(topic[2], bar, at, timeframe, Source.WS)))
    return pushes


def parse_klines(reply: Mapping[str, object], at: int, timeframe: int, source: Source, rejects: Rejects) -> list[Candle]:
    """The closed bars of a REST kline reply, oldest first, each once; the open one is left out.

    A bar counts as closed when it ended before the moment the exchange states in the reply (`time`).
    """
    result = reply.get("result")
    rows = result.get("list") if isinstance(result, dict) else None
    served = reply.get("time")
    if not isinstance(result, dict) or not isinstance(rows, list) or not isinstance(served, int):
        rejects["klines.shape"] += 1
        return []
    symbol = str(result.get("symbol", ""))
    found: dict[int, Candle] = {}
    for row in rows:
        try:
            bar = msgspec.convert(row, _Row, strict=False)
        except msgspec.ValidationError:
            rejects["klines.shape"] += 1
            continue
        if not _on_grid(bar.start, timeframe):
            rejects["klines.time"] += 1
        elif bar.start + timeframe > served:
            rejects["klines.time"] += bar.start > served + AHEAD
        elif not _plausible(bar):
            rejects["klines.value"] += 1
        elif bar.start in found:
            rejects["klines.repeat"] += 1
        else:
            found[bar.start] = _candle(symbol, bar, at, timeframe, source)
    return [found[start] for start in sorted(found)]


def _on_grid(start: int, timeframe: int) -> bool:
    return start >= EARLIEST and start % timeframe == 0


def _plausible(bar: _Bar | _Row) -> bool:
    values = (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.turnover)
    if not all(isfinite(value) for value in values):
        return False
    if not 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high <= HIGHEST_PRICE:
        return False
    return 0 <= bar.volume <= LARGEST_AMOUNT and 0 <= bar.turnover <= LARGEST_AMOUNT


def _candle(symbol: str, bar: _Bar | _Row, at: int, timeframe: int, source: Source) -> Candle:
    end = bar.start + timeframe
    return Candle(
        at=max(at, end), symbol=symbol, open_ms=bar.start, close_ms=end, open=bar.open, high=bar.high, low=bar.low,
        close=bar.close, volume=bar.volume, turnover=bar.turnover, source=source,
    )  # fmt: skip


class Tickers:
    """Ticker snapshots and deltas merged: the last stated value of each field of each symbol."""

    def __init__(self) -> None:
        self._fields: dict[str, dict[str, str]] = {}

    def merge(self, frame: Mapping[str, object], rejects: Rejects) -> str | None:
        """Take in one tickers frame; the symbol it was about, None when it said nothing usable.

        A snapshot replaces what was known. A delta before the first snapshot is refused: it would leave holes.
        """
        symbol = str(frame.get("topic", "")).removeprefix("tickers.")
        data = frame.get("data")
        if not symbol or not isinstance(data, dict):
            rejects["ticker.shape"] += 1
            return None
        stated = {str(name): value for name, value in data.items() if isinstance(value, str) and value != ""}
        if frame.get("type") == "snapshot":
            self._fields[symbol] = stated
        elif symbol in self._fields:
            self._fields[symbol].update(stated)
        else:
            rejects["ticker.early"] += 1
            return None
        return symbol

    def forget(self) -> None:
        """Drop everything: after a reconnect only a new snapshot counts."""
        self._fields.clear()

    def quote(self, symbol: str, at: int, rejects: Rejects) -> Quote | None:
        """Mark and index price as they are known now; None where the mark is missing or cannot be a price."""
        fields = self._fields.get(symbol, {})
        mark = _price(fields.get("markPrice"))
        if mark is None:
            rejects["ticker.value"] += 1
            return None
        return Quote(at=at, symbol=symbol, mark=mark, index=_price(fields.get("indexPrice")))


def _price(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = msgspec.convert(text, float, strict=False)
    except msgspec.ValidationError:
        return None
    return value if 0 < value <= HIGHEST_PRICE else None


class _Settlement(msgspec.Struct, rename={"rate": "fundingRate", "when": "fundingRateTimestamp"}):
    symbol: str
    rate: float
    when: int


def parse_funding(reply: Mapping[str, object], at: int, rejects: Rejects) -> list[Funding]:
    """The settlements of a funding history reply, oldest first; the interval is the time since the one before.

    A rate beyond 10 % in one settlement, or a settlement that lies ahead of the reply's time, is rejected.
    """
    served = reply.get("time")
    found: dict[int, _Settlement] = {}
    for row in _rows(reply, "funding", rejects):
        try:
            entry = msgspec.convert(row, _Settlement, strict=False)
        except msgspec.ValidationError:
            rejects["funding.shape"] += 1
            continue
        if entry.when < EARLIEST or (isinstance(served, int) and entry.when > served + AHEAD):
            rejects["funding.time"] += 1
        elif not abs(entry.rate) <= 0.1:
            rejects["funding.value"] += 1
        else:
            found[entry.when] = entry
    times = sorted(found)
    before = {later: later - earlier for earlier, later in pairwise(times)}
    return [
        Funding(
            at=max(at, when), symbol=found[when].symbol, settle_ms=when, rate=found[when].rate, interval_ms=before.get(when)
        )
        for when in times
    ]  # fmt: skip


def parse_mark(reply: Mapping[str, object], settle_ms: int, rejects: Rejects) -> float | None:
    """The mark price at `settle_ms`: the open of the mark-price bar that starts there, None where it is not given."""
    for row in _rows(reply, "mark", rejects):
        if isinstance(row, list) and len(row) >= 2 and str(row[0]) == str(settle_ms):
            return _price(str(row[1]))
    return None


def _rows(reply: Mapping[str, object], where: str, rejects: Rejects) -> list[object]:
    result = reply.get("result")
    rows = result.get("list") if isinstance(result, dict) else None
    if not isinstance(rows, list):
        rejects[f"{where}.shape"] += 1
        return []
    return rows


def parse_instruments(reply: Mapping[str, object], rejects: Rejects) -> tuple[list[Instrument], str]:
    """The linear perpetuals that trade, and the cursor of the next page ("" at the end)."""
    found = []
    for row in _rows(reply, "instrument", rejects):
        if not isinstance(row, dict) or row.get("contractType") != "LinearPerpetual" or row.get("status") != "Trading":
            continue
        instrument = read_instrument(row)
        if instrument is None:
            rejects["instrument.shape"] += 1
        else:
            found.append(instrument)
    result = reply.get("result")
    cursor = result.get("nextPageCursor") if isinstance(result, dict) else ""
    return found, cursor if isinstance(cursor, str) else ""


def read_instrument(row: Mapping[str, object]) -> Instrument | None:
    """The trading rules of one row of instruments-info, whatever the state of the contract; None where it states none."""
    try:
        return _instrument(row)
    except (KeyError, TypeError, InvalidOperation, ValueError, BadData):
        return None


def _instrument(row: Mapping[str, object]) -> Instrument:
    lots, prices, leverage = (_part(row, name) for name in ("lotSizeFilter", "priceFilter", "leverageFilter"))
    minutes = row.get("fundingInterval", 480)
    return Instrument(
        symbol=str(row["symbol"]),
        tick=_positive(prices["tickSize"]),
        lot=_positive(lots["qtyStep"]),
        least_quantity=_positive(lots["minOrderQty"]),
        least_notional=_positive(lots.get("minNotionalValue") or "5"),
        most_quantity=_positive(lots.get("maxMktOrderQty") or lots.get("maxOrderQty") or "1e9"),
        funding_ms=int(str(minutes)) * MINUTE,
        max_leverage=_positive(leverage.get("maxLeverage") or "100"),
    )


def _part(row: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = row.get(name, {})
    if not isinstance(part, dict):
        raise BadData(f"{row.get('symbol')}: {name} is no table")
    return part


def _positive(value: object) -> Decimal:
    amount = Decimal(str(value))
    if not amount.is_finite() or amount <= 0:
        raise BadData(f"{value} is no step or limit")
    return amount
