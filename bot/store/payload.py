"""Events that enter, as JSON text and back, exactly.

JSON has no NaN and no infinity: NaN is written as null and read back as NaN where the field is a float that may not be None;
infinities are written as the texts "Infinity" and "-Infinity".
"""

import math
from typing import Any

import msgspec

from bot.events import Command, Fill, FundingPaid, OrderUpdate, Started
from feeds.events import Candle, Event, FeedStatus, Funding, Metric, News, Quote, Tick
from strategies.events import Promoted

INPUTS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (Candle, Quote, Funding, Metric, News, Tick, FeedStatus, Promoted, Command, Started, OrderUpdate, Fill, FundingPaid)
}

_WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_FLOATS = {name: tuple(f.name for f in msgspec.structs.fields(kind) if f.type is float) for name, kind in INPUTS.items()}


def payload(event: Event) -> str:
    """The event as JSON, its kind under `event`. Raises TypeError for a kind that never enters a session."""
    kind = type(event).__name__
    if kind not in INPUTS:
        raise TypeError(f"{kind} cannot enter a session: it has no place in the journal's inputs")
    text = _encode(event)
    if b"null" in text and any(math.isinf(getattr(event, name)) for name in _FLOATS[kind]):
        plain: dict[str, Any] = msgspec.to_builtins(event)  # any JSON value
        text = _encode({name: _WORDS.get(value, value) if isinstance(value, float) else value for name, value in plain.items()})
    return text.decode()


def event_of(text: str) -> Event:
    """What `payload` was given."""
    plain: dict[str, Any] = _decode(text)  # any JSON value
    kind = INPUTS[plain["event"]]
    for name in _FLOATS[kind.__name__]:
        value = plain[name]
        if value is None:
            plain[name] = math.nan
        elif isinstance(value, str):
            plain[name] = float(value)
    return msgspec.convert(plain, kind)
