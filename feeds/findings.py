"""What a check of data says: one finding for each kind of fault, with places to look at."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.files import Ints, Table
from feeds.layout import MONTH
from feeds.times import iso, span_text

EXAMPLES = 5
Mask = NDArray[np.bool_]


class Severity(StrEnum):
    """ERROR: the reader refuses it. WARNING: readable, but look. NOTE: so that nobody is surprised."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(NamedTuple):
    """One kind of fault in one place: in how many rows, and where first.

    code      for machines; `symbol` empty when it is about a whole file
    bars      rows concerned;  first  UTC milliseconds of the first of them (None: no row)
    where     the file, with the row of the first where there is one; empty for a history in memory
    examples  the first places, as times or rows;  kind  of data
    """

    severity: Severity
    code: str
    symbol: str
    bars: int
    first: int | None
    where: str
    detail: str
    examples: tuple[str, ...] = ()
    kind: str = "candles"


class Rows(NamedTuple):
    """The rows of one series in a file: what findings are made of. `rows` are those of the table."""

    table: Table
    kind: str
    symbol: str
    at: Ints
    rows: Ints

    def found(self, severity: Severity, code: str, mask: Mask, detail: str, column: str = "") -> list[Finding]:
        """A finding where the mask marks a row; none where it marks none."""
        marked = np.flatnonzero(mask)
        if not marked.size:
            return []
        first = int(marked[0])
        return [
            Finding(
                severity, code, self.symbol, int(marked.size), int(self.at[first]), self.table.place(int(self.rows[first]), column), detail,
                tuple(iso(int(self.at[row])) for row in marked[:EXAMPLES].tolist()), self.kind,
            )
        ]  # fmt: skip

    def note(self, severity: Severity, code: str, count: int, first: int | None, detail: str, places: Sequence[int] = ()) -> Finding:
        """A finding about a stretch of time, or about the whole of it."""
        where, examples = str(self.table.path), tuple(iso(at) for at in places[:EXAMPLES])
        return Finding(severity, code, self.symbol, count, first, where, detail, examples, self.kind)


def order_faults(one: Rows, known: Ints | None = None) -> list[Finding]:
    """Instants that come twice or in disorder; of slow data the same period may come again when it becomes known later."""
    steps = np.append(1, np.diff(one.at))
    twice = steps == 0
    if known is not None:
        twice &= np.append(1, np.diff(known)) == 0
        steps = np.where((steps == 0) & ~twice, 1, steps)
    return [
        *one.found(Severity.ERROR, "duplicate", twice, "timestamp of the row before again"),
        *one.found(Severity.ERROR, "unsorted", steps < 0, "earlier than the row before"),
    ]


def gap_of(one: Rows, at: Ints, step: int) -> list[Finding]:
    """The holes between instants (ascending) that should be `step` apart."""
    missing = np.diff(at) // step - 1
    holes = np.flatnonzero(missing > 0)
    if not holes.size:
        return []
    longest = int(holes[np.argmax(missing[holes])])
    detail = f"{holes.size} gaps, the longest of {int(missing[longest])} bars from {iso(int(at[longest]) + step)}"
    places = (at[holes] + step).tolist()
    return [one.note(Severity.WARNING, "gap", int(missing[holes].sum()), places[0], detail, places)]


def merged(found: Iterable[Finding]) -> list[Finding]:
    """The months of one series tell the same fault once: counts added, the first place and the first examples kept."""
    out: dict[tuple[object, ...], Finding] = {}
    for one in found:
        path = Path(one.where.partition(": row")[0])
        key = (one.severity, one.code, one.kind, one.symbol, path.parent, _gist(one)) if MONTH.fullmatch(path.name) else (len(out), one)
        before = out.get(key)
        if before is not None:
            first = min((at for at in (before.first, one.first) if at is not None), default=None)
            examples = (*before.examples, *one.examples)[:EXAMPLES]
            one = before._replace(bars=before.bars + one.bars, first=first, examples=examples)  # noqa: PLW2901
        out[key] = one
    return list(out.values())


def _gist(one: Finding) -> str:
    """What must agree for two findings to be one; details that carry figures of a month do not."""
    return "" if one.code in ("gap", "jump", "outlier", "spike", "interval", "stale") else one.detail


def spacing_text(step: int | None) -> str:
    """A bar length for people."""
    return "?" if step is None else span_text(step)
