"""UTC milliseconds since 1970: the one representation of time in the house.

The only file that reads the wall clock. Everything below `bot/modes.py` takes its time from the event being settled.
"""

import re
import time
from datetime import UTC, datetime

Millis = int

SECOND: Millis = 1_000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE
DAY: Millis = 24 * HOUR
YEAR: Millis = 365 * DAY

_UNITS: dict[str, Millis] = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_SPAN = re.compile(r"([0-9]+)(ms|s|m|h|d|w)")


def now() -> Millis:
    """The wall clock, in milliseconds."""
    return time.time_ns() // 1_000_000


def span(text: str) -> Millis:
    """A duration such as `1m`, `4h`, `5d` in milliseconds.

    Raises ValueError naming the text and the units that exist.
    """
    found = _SPAN.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        raise ValueError(f"{text!r} is not a duration; write a whole number and one of ms s m h d w, such as 15m or 4h")
    return int(found[1]) * _UNITS[found[2]]


def span_text(duration: Millis) -> str:
    """The shortest text that `span` reads back: 60000 -> `1m`."""
    for unit in ("w", "d", "h", "m", "s"):
        if duration % _UNITS[unit] == 0 and duration >= _UNITS[unit]:
            return f"{duration // _UNITS[unit]}{unit}"
    return f"{duration}ms"


def millis(text: str) -> Millis:
    """An instant in milliseconds, from ISO 8601 (`2024-01-31`, `2024-01-31T12:30Z`) or from digits (milliseconds).

    A time without a zone is UTC. Raises ValueError naming the text.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{12,14}", text):
        return int(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write it like 2024-01-31 or 2024-01-31T12:30:00Z") from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    delta = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds // 1_000


def iso(at: Millis) -> str:
    """`2024-01-31T12:30:00Z`, with milliseconds where there are any."""
    seconds, rest = divmod(at, SECOND)
    text = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:03d}Z" if rest else f"{text}Z"
