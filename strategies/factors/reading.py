"""Whatever text comes in to a graph: its dialect named, or found.

`auto` takes the dialect in which every name and number of arguments exists. Where several mean one graph, it is the first of them;
where they differ, the text is refused and they are named. How a text is written narrows them down first: `$close` is Qlib's and
AlphaGen's (with `20d` AlphaGen's; with a + b, or without any arithmetic, Qlib's, as AlphaGen writes Add(a, b)); CLOSE in capitals is
GTJA's; names that only we have (`momentum_5d`, `funding_rate`), durations and several lines are ours. Where they still differ, (-1 * x)
for a change of sign is WorldQuant's way. A text that ours refuses for its units alone counts as ours in this: what another dialect takes
its names for, it says only where that is the same.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from strategies.errors import Ambiguous, BadText, FactorError, LookAhead, TooBig, UnitMismatch, UnknownName
from strategies.factors.check import TEXT, Limits
from strategies.factors.dialects import DIALECTS, PANEL_FIELDS, is_derived
from strategies.factors.graph import Node, nearest
from strategies.factors.syntax import parse

AUTO, PANDAS = "auto", "pandas"
LONGEST = 8_192  # characters of anything, code or text
_DURATION = re.compile(r"[(,\s]\d+(?:ms|[smhdw])\s*[,)]", re.ASCII)
_INFIX = re.compile(r"[\w)]\s*[-+*/^<>=]", re.ASCII)
_PREFIX = re.compile(r"\b(?:add|sub|mul|div|pow|constant)\s*\(", re.ASCII | re.IGNORECASE)
_NEGATED = re.compile(r"\(\s*-\s*1\s*\*", re.ASCII)
_LINES = re.compile(r"\w\s*=[^=\n][^\n]*\n\s*\S", re.ASCII)
_NAME = re.compile(r"\b[a-z]\w*", re.ASCII)
_EVERYBODYS = frozenset({"open", "high", "low", "close", "volume", "turnover", *PANEL_FIELDS})
_CAPITALS = re.compile(r"\b(?:OPEN|HIGH|LOW|CLOSE|VOLUME|VWAP|AMOUNT)\b", re.ASCII)
_SMALL = re.compile(r"\b(?:open|high|low|close|volume|vwap|amount|returns)\b", re.ASCII)
_CODE = re.compile(r"\s*(?:def|from|import|class|@)\b|\s*@|.*\bdf\s*[.\[]", re.ASCII | re.DOTALL)


class Reading(NamedTuple):
    """A factor and the dialect that it was written in."""

    node: Node
    dialect: str


def read(
    text: str,
    *,
    dialect: str = AUTO,
    timeframe: int,
    fields: Collection[str],
    limits: Limits = TEXT,
    units: bool | None = None,
) -> Reading:
    """The factor that a text says.

    dialect    one of DIALECTS, `pandas` for the code of a function of a DataFrame, or `auto`
    timeframe  milliseconds of a bar;  fields  what the configured feeds give
    units      refuse a price added to a volume; None: as the dialect has it, and `sluice` alone refuses
    Raises FactorError with code, line, column and suggestion; `ambiguous` where dialects differ.
    """
    if isinstance(text, str) and len(text) > LONGEST:
        raise TooBig(f"it has {len(text)} characters, at most {LONGEST}", line=1, column=1)
    if dialect == PANDAS or (dialect == AUTO and is_code(text)):
        from strategies.factors.pandas_code import parse_code

        return Reading(parse_code(text, timeframe=timeframe, fields=fields), PANDAS)
    if dialect == AUTO:
        return _found(text, timeframe, fields, limits, units)
    if dialect not in DIALECTS:
        known = (AUTO, *DIALECTS, PANDAS)
        raise UnknownName(f"there is no dialect {dialect!r}", suggestion=nearest(dialect, known) or f"there is {', '.join(known)}")
    return Reading(parse(text, dialect=dialect, timeframe=timeframe, fields=fields, limits=limits, units=units), dialect)


def is_code(text: str) -> bool:
    """Whether it is Python about a DataFrame: a function, an import, a decorator, or a mention of `df[` or `df.`."""
    return isinstance(text, str) and _CODE.match(text) is not None


def _found(text: str, timeframe: int, fields: Collection[str], limits: Limits, units: bool | None) -> Reading:
    if not isinstance(text, str):
        raise BadText(f"a factor is text, not {type(text).__name__}")
    refusals: list[FactorError] = []
    mixed: list[Reading] = []
    for group in _groups(text, frozenset(fields) - _EVERYBODYS):
        readings: list[Reading] = []
        for dialect in group:
            try:
                node = parse(text, dialect=dialect, timeframe=timeframe, fields=fields, limits=limits, units=units)
            except FactorError as refusal:
                if isinstance(refusal, UnitMismatch):
                    if not refusal.with_rate:
                        raise
                    node = parse(text, dialect=dialect, timeframe=timeframe, fields=fields, limits=limits, units=False)
                    mixed.append(Reading(node, dialect))
                refusals.append(refusal)
            else:
                readings.append(Reading(node, dialect))
        if readings:
            return _agreed(readings, mixed, text)
    raise _telling(refusals)


def _groups(text: str, ours: frozenset[str]) -> tuple[tuple[str, ...], ...]:
    """The dialects by how well the way of writing fits, best first; those of a group fit equally. `ours`: fields that only we have."""
    if "$" in text:
        marked: tuple[tuple[str, ...], ...] = (("qlib", "alphagen"),)
        if _DURATION.search(text):
            marked = (("alphagen",), ("qlib",))
        elif _INFIX.search(text) or not _PREFIX.search(text):
            marked = (("qlib",), ("alphagen",))
        return *marked, ("sluice", "worldquant", "gtja")
    if _CAPITALS.search(text) and not _SMALL.search(text):
        return ("gtja",), ("sluice", "worldquant"), ("qlib", "alphagen")
    if _DURATION.search(text) or _LINES.search(text) or any(n in ours or is_derived(n) for n in _NAME.findall(text.lower())):
        return ("sluice",), ("worldquant", "gtja"), ("qlib", "alphagen")
    return ("sluice", "worldquant", "gtja"), ("qlib", "alphagen")


def _agreed(readings: list[Reading], mixed: list[Reading], text: str) -> Reading:
    """The first of those that mean one graph; `mixed` are refused for their units alone, and would mean something too."""
    all_of_them = [*mixed, *readings]
    if all(r.node is readings[0].node for r in all_of_them):
        return readings[0]
    for reading in readings:
        if reading.dialect == "worldquant" and _NEGATED.search(text):
            return reading
    differ = sorted({r.node.key: r for r in reversed(all_of_them)}.values(), key=all_of_them.index)
    meanings = "; ".join(f"{r.dialect}: {_short(r.node.text)}" for r in differ)
    names = " or ".join(f"--dialect {r.dialect}" for r in differ)
    raise Ambiguous(f"dialects differ on what it means: {meanings}", line=1, column=1, suggestion=f"say which: {names}")


def _telling(refusals: list[FactorError]) -> FactorError:
    """Looking ahead in any dialect is looking ahead; else the refusal of the dialect that got furthest, the first of equals."""
    ahead = [r for r in refusals if isinstance(r, LookAhead)]
    return max(ahead or refusals, key=lambda r: (r.line, r.column))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
