"""What the world tells us, as frozen values. `at` is the moment an event became known to us; it alone orders events."""

from enum import StrEnum

import msgspec


class Event(msgspec.Struct, frozen=True, tag=True, tag_field="event"):
    """at  when this became known to us, UTC milliseconds"""

    at: int


class Word(StrEnum):
    """A word of a fixed list, hashed as the text that it is: Enum would hash its name, and in Python."""

    __hash__ = str.__hash__


class Source(Word):
    """Where a bar came from: its provenance."""

    WS = "ws"  # pushed by the exchange, confirmed closed
    REST = "rest"  # fetched in a backfill before the stream began
    REPAIRED = "repaired"  # fetched to close a hole in the stream
    FILE = "file"
    SYNTHETIC = "synthetic"


class Candle(Event, frozen=True):
    """A closed bar. Prices are in quote currency, `volume` in base units, `turnover` in quote currency (None: not given).

    The bar covers [open_ms, close_ms); nothing of it is known before close_ms.
    """

    symbol: str
    open_ms: int
    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    turnover: float | None = None
    source: Source = Source.FILE


class Quote(Event, frozen=True):
    """Mark and index price as the exchange states them (None: not given)."""

    symbol: str
    mark: float
    index: float | None = None


class Funding(Event, frozen=True):
    """A funding settlement: longs pay `rate` x notional at settle_ms (a negative rate: shorts pay).

    interval_ms  time since the symbol's previous settlement (None: not known)
    mark         the exchange's mark price at settlement (None: the executor takes the last price)
    """

    symbol: str
    settle_ms: int
    rate: float
    interval_ms: int | None = None
    mark: float | None = None


class Metric(Event, frozen=True):
    """One observation of a named series; `symbol` None means market-wide.

    period_ms  start of the period that the value describes (never used to join: `at` is)
    """

    name: str
    symbol: str | None
    value: float
    period_ms: int | None = None
    source: str = ""


class News(Event, frozen=True):
    """A story. `symbols` empty means it is about the market; `sentiment` None means nobody scored it.

    kind          "news" or "social"
    sentiment     in [-1, 1]
    published_ms  what the publisher claims; never used to order
    """

    id: str
    title: str
    source: str
    symbols: tuple[str, ...] = ()
    sentiment: float | None = None
    kind: str = "news"
    published_ms: int | None = None
    url: str = ""


class Tick(Event, frozen=True):
    """The clock says so."""


class FeedStatus(Event, frozen=True):
    """A feed came up or went down; `gap` counts bars that are missing from it and could not be had."""

    feed: str
    up: bool
    detail: str = ""
    gap: int = 0
