"""What a setting may be: its meaning, its unit, and the limits it must keep. Money is written as a number and read as a Decimal."""

from decimal import Decimal

import msgspec

from feeds import times

SYMBOL = r"[A-Z0-9]{2,24}"
NAME = r"[a-z][a-z0-9_]{0,63}"


class Span(int):
    """A duration in milliseconds, written as text: `15m`, `4h`."""

    def __new__(cls, text: str | int) -> "Span":
        """Raises ValueError on text that is no duration."""
        return super().__new__(cls, times.span(text) if isinstance(text, str) else text)

    def __str__(self) -> str:
        return times.span_text(int(self)) if self else "0s"


def note(
    says: str,
    unit: str = "",
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    below: float | None = None,
    shape: str = "",
    keys: str = "",
) -> msgspec.Meta:
    """A setting's meaning and limits.

    above, least, most, below  x > above, x >= least, x <= most, x < below (of a Span: milliseconds)
    shape  regular expression that text must match; keys  that the keys of a table must match
    """
    limits = {"above": above, "least": least, "most": most, "below": below}
    return msgspec.Meta(description=says, extra={"unit": unit, "shape": shape, "keys": keys, **limits})


def written(value: object) -> str:
    """A value as TOML writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case Span():
            return f'"{value}"'
        case int():
            return str(value)
        case float():
            return repr(value)
        case Decimal():
            return f"{value:f}"
        case str():
            return '"' + "".join(_ESCAPES.get(c, c) for c in value) + '"'
        case dict():
            return "{ " + ", ".join(f"{key} = {written(item)}" for key, item in value.items()) + " }" if value else "{}"
        case list() | tuple():
            return "[" + ", ".join(map(written, value)) + "]"
    return f'"{value}"'


_ESCAPES = {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    **{chr(c): f"\\u{c:04x}" for c in (*range(9), 11, 12, *range(14, 32), 127)},
}
