"""The vocabulary of the floor, re-exported; pulls in no network library."""

from feeds.errors import BadData, FeedError, Unreachable
from feeds.events import Candle, Event, FeedStatus, Funding, Metric, News, Quote, Source, Tick
from feeds.instruments import Instrument

__all__ = [
    "BadData",
    "Candle",
    "Event",
    "FeedError",
    "FeedStatus",
    "Funding",
    "Instrument",
    "Metric",
    "News",
    "Quote",
    "Source",
    "Tick",
    "Unreachable",
]
