"""How values become text: for people on a terminal, for pipes, and for scripts (`--json`).

The rule: text from outside (headlines, factor names, notes) passes through `plain` before it reaches a screen, and is never markup.
"""

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import IO, TYPE_CHECKING

import msgspec

from feeds.times import DAY, HOUR, MINUTE, SECOND, iso

if TYPE_CHECKING:
    from rich.console import Console

# CSI, then the string sequences (DCS, SOS, OSC, PM, APC) with what they carry, then two-byte escapes; C1 forms as well.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[PX\]^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?"
)
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # controls, bidi and zero-width marks, lone surrogates, separators of lines
_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def plain(text: object, limit: int = 400) -> str:
    """Text that cannot steer a terminal: one line, no escape sequence, no control, bidi or zero-width character.

    limit  characters kept; a longer text ends in an ellipsis
    """
    bare = _SEQUENCES.sub("", str(text)[: 8 * limit])
    bare = re.sub(r"[\t\n\v\f\r\x85\u2028\u2029]+", " ", bare)
    bare = "".join(letter for letter in bare if unicodedata.category(letter) not in _UNSEEN)
    return bare if len(bare) <= limit else bare[: limit - 1] + "…"


def ago(at: int, now: int) -> str:
    """The age of an instant in its largest unit: `3m`, `2.5d`; `in 4s` when it lies ahead."""
    age = abs(now - at)
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        if age >= size or unit == "s":
            amount = age / size
            text = f"{amount:.0f}{unit}" if unit in "ms" or amount >= 10 else f"{amount:.1f}{unit}"
            return f"in {text}" if at > now else f"{text} ago"
    raise AssertionError("seconds are the last unit")


def when(at: int, now: int) -> str:
    """An instant in UTC, with its age."""
    return f"{iso(at)} ({ago(at, now)})"


def clock(at: int) -> str:
    """Day and time of an instant, UTC, to the second: what fits a column."""
    return iso(at - at % SECOND).replace("T", " ")[:-1]


def signed(value: float, digits: int = 3) -> str:
    """+0.071, -0.040, and a dot where it is not known."""
    return "." if value != value else f"{value:+.{digits}f}"


def money(value: Decimal | float | None, digits: int = 2) -> str:
    """12,345.67; a dash where it does not apply, a dot where it is not known."""
    if value is None:
        return "-"
    if isinstance(value, float) and value != value:
        return "."
    return f"{value:,.{digits}f}"


def number(value: Decimal | float | None) -> str:
    """All digits that there are, without an exponent: 61,204.5."""
    if value is None:
        return "-"
    if isinstance(value, float):
        if value != value:
            return "."
        value = Decimal(repr(value))
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(value: float, digits: int = 2) -> str:
    return "." if value != value else f"{100 * value:.{digits}f}%"


def json_text(document: object) -> str:
    """The one document of `--json`: Decimals as numbers with all their digits, NaN as null, structs as objects."""
    return msgspec.json.format(_ENCODER.encode(document), indent=2).decode()


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Aligned columns, two blanks between them, no frame.

    right  positions of the columns that end flush, for numbers
    """
    cells = [list(head), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(map(_cells, column)) for column in zip(*cells, strict=True)]
    flush = set(right)
    lines = ([_pad(cell, widths[i], i in flush) for i, cell in enumerate(row)] for row in cells)
    return ["  ".join(line).rstrip() for line in lines]


def pairs(rows: Iterable[tuple[str, str]]) -> list[str]:
    """`name  value` lines with the names in a column."""
    known = [(name, plain(value, 1000)) for name, value in rows]
    width = max((len(name) for name, _ in known), default=0)
    return [f"{name:<{width}}  {value}".rstrip() for name, value in known]


def _cells(text: str) -> int:
    """How many cells a terminal gives to the text: two for wide letters, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - _cells(text))
    return blanks + text if right else text + blanks


class Out:
    """Where a command writes: its answer to stdout, and with `--json` one document there and everything else to stderr."""

    def __init__(self, as_json: bool = False) -> None:
        self.json = as_json

    @property
    def stream(self) -> IO[str]:
        """Where text for people goes."""
        return sys.stderr if self.json else sys.stdout

    def terminal(self) -> bool:
        """Whether text for people meets a terminal that can move its cursor."""
        return self.stream.isatty() and os.environ.get("TERM") != "dumb"

    def colour(self) -> bool:
        return self.terminal() and not os.environ.get("NO_COLOR")

    def style(self, text: str, *names: str) -> str:
        """The text in bold, red ... where colours are wanted, and as it is where not."""
        if not self.colour():
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"

    def say(self, *lines: str) -> None:
        """Lines for people, already plain."""
        for line in lines:
            print(line, file=self.stream)
        self.stream.flush()

    def note(self, line: str) -> None:
        """An aside: progress, warnings, what to do next. Never on stdout."""
        print(line, file=sys.stderr, flush=True)

    def document(self, value: object) -> None:
        """The document of `--json`."""
        sys.stdout.write(json_text(value) + "\n")
        sys.stdout.flush()

    def answer(self, value: object, lines: Iterable[str]) -> None:
        """The result of a command: the document with `--json`, the lines without."""
        if self.json:
            self.document(value)
        else:
            self.say(*lines)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
        """A table with its head in bold where that can be shown."""
        first, *rest = table(head, rows, right)
        return [self.style(first, "bold"), *rest]

    def console(self) -> "Console":
        """A rich console on the stream for people: markup, emoji and highlighting off."""
        from rich.console import Console

        return Console(
            file=self.stream, force_terminal=self.terminal(), no_color=not self.colour(), markup=False, emoji=False, highlight=False
        )
