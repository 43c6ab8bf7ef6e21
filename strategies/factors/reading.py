"""Whatever text comes in to a graph: its dialect named, or found.

`auto` tries every dialect whose way of writing fields fits: `$close` is Qlib's and AlphaGen's, a bare `close` the others'. The one in
which every name and number of arguments exists is meant; several that mean one graph agree; several that differ are refused by name.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from strategies.errors import Ambiguous, BadText, FactorError, LookAhead, UnknownName
from strategies.factors.check import TEXT, Limits
from strategies.factors.dialects import DIALECTS, Dialect
from strategies.factors.graph import Node, nearest
from strategies.factors.syntax import parse

AUTO, PANDAS = "auto", "pandas"
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
    marked = "$" in text
    refusals: list[FactorError] = []
    for group in ([d for d in DIALECTS.values() if d.marked == marked], [d for d in DIALECTS.values() if d.marked != marked]):
        readings: list[Reading] = []
        for dialect in group:
            try:
                node = parse(text, dialect=dialect.name, timeframe=timeframe, fields=fields, limits=limits, units=units)
            except FactorError as refusal:
                refusals.append(refusal)
            else:
                readings.append(Reading(node, dialect.name))
        if readings:
            return _agreed(readings)
    raise _telling(refusals)


def _agreed(readings: list[Reading]) -> Reading:
    """The first of those that mean one graph."""
    if all(r.node is readings[0].node for r in readings):
        return readings[0]
    differ = {r.node.key: r for r in reversed(readings)}
    meanings = "; ".join(f"{r.dialect}: {_short(r.node.text)}" for r in sorted(differ.values(), key=readings.index))
    names = " or ".join(f"--dialect {r.dialect}" for r in sorted(differ.values(), key=readings.index))
    raise Ambiguous(f"dialects differ on what it means: {meanings}", line=1, column=1, suggestion=f"say which: {names}")


def _telling(refusals: list[FactorError]) -> FactorError:
    """Looking ahead in any dialect is looking ahead; else the refusal of the dialect that got furthest, the first of equals."""
    ahead = [r for r in refusals if isinstance(r, LookAhead)]
    return max(ahead or refusals, key=lambda r: (r.line, r.column))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
