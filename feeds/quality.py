"""What is wrong with candle files, all of it: the reader stops at the first fault, this goes on and counts."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds import times
from feeds.bars import CLOSE, COLUMNS, VOLUME
from feeds.candle_files import RULES, Series, named, series_of
from feeds.errors import BadData
from feeds.files import Floats, Ints, find_files, instants, read_table, time_column
from feeds.history import History

STALE_RUN = 10  # bars in a row whose five values do not change at all
JUMP = 0.5  # a close this share above the one before, or as far below it in logarithms
OUTLIER = 25.0  # a return of more such scales (median absolute return of the symbol), and above OUTLIER_LEAST
OUTLIER_LEAST = 0.05


class Severity(StrEnum):
    """ERROR: the reader refuses it. WARNING: readable, but look. NOTE: so that nobody is surprised."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(NamedTuple):
    """One kind of fault in one place: in how many bars, and where first.

    code   for machines; `symbol` empty when it is about a whole file
    first  UTC milliseconds of the first bar concerned (None: no bar)
    where  the file, with the row of the first where there is one; empty for a history in memory
    """

    severity: Severity
    code: str
    symbol: str
    bars: int
    first: int | None
    where: str
    detail: str


def check(source: History | Iterable[str | Path], *, now: int | None = None) -> list[Finding]:
    """Everything that is wrong, most severe first; an empty list says that the data are sound.

    source  a history, or files and directories
    now     times after it are reported (None: not looked at)
    """
    if isinstance(source, History):
        found = list(_of_history(source))
    else:
        found = list(_of_files(source, now))
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _of_history(history: History) -> Iterator[Finding]:
    for symbol, lane in zip(history.symbols, history.lanes, strict=True):
        open_ms = lane.numbers * history.timeframe
        yield from _gaps(symbol, open_ms, history.timeframe, "")
        yield from _oddities(symbol, open_ms, lane.columns, "")


def _of_files(paths: Iterable[str | Path], now: int | None) -> Iterator[Finding]:
    ends: dict[str, list[tuple[int, int, Path]]] = {}
    for path in find_files(paths):
        try:
            table = read_table(path)
            _, unit = instants(table, time_column(table), unit=None)
            series = series_of(table, unit=None)
        except BadData as fault:
            yield Finding(Severity.ERROR, "unreadable", "", 1, None, str(path), str(fault))
            continue
        if unit in ("seconds", "microseconds", "nanoseconds"):
            detail = f"times are in {unit}, milliseconds are expected; `sluice data import` converts them"
            yield Finding(Severity.ERROR, "unit_of_time", "", table.rows, None, str(path), detail)
        for one in series:
            yield from _of_series(one, now)
            ends.setdefault(one.symbol, []).append((int(one.open_ms.min()), int(one.open_ms.max()), path))
    for symbol, spans in ends.items():
        spans.sort(key=lambda span: span[:2])
        for (_, end, before), (start, _, after) in pairwise(spans):
            if start <= end:
                detail = f"{before} and {after} both hold {symbol}; give one of them"
                yield Finding(Severity.ERROR, "overlap", symbol, 1, start, str(after), detail)


def _of_series(series: Series, now: int | None) -> Iterator[Finding]:
    at, where = series.open_ms, str(series.path)
    steps = np.diff(at)
    masks = [
        (Severity.ERROR, "duplicate", np.append(False, steps == 0), "timestamp of the row before again"),
        (Severity.ERROR, "unsorted", np.append(False, steps < 0), "earlier than the row before"),
        (Severity.ERROR, "off_grid", at % (series.spacing or 1) != 0, f"not a multiple of {times.span_text(series.spacing or 1)}"),
    ]
    if series.spacing is not None and times.DAY % series.spacing:
        detail = f"the most common spacing, {times.span_text(series.spacing)}, does not divide a day"
        yield Finding(Severity.ERROR, "timeframe", series.symbol, 1, int(at[0]), where, detail)
    if now is not None:
        masks.append((Severity.ERROR, "future", at > now, f"after {times.iso(now)}"))
    columns = named(series.columns)
    masks += [(Severity.ERROR, rule.code, rule.broken(columns), f"{rule.column} {rule.says}") for rule in RULES]
    for severity, code, mask, detail in masks:
        if mask.any():
            first = int(np.argmax(mask))
            yield Finding(severity, code, series.symbol, int(mask.sum()), int(at[first]), series.place(first, ""), detail)
    order = np.argsort(at, kind="stable")
    sorted_at, keep = np.unique(at[order], return_index=True)
    rows = order[keep]
    if series.spacing is not None:
        yield from _gaps(series.symbol, sorted_at, series.spacing, where)
    yield from _oddities(series.symbol, sorted_at, [column[rows] for column in series.columns], where)


def _gaps(symbol: str, open_ms: Ints, timeframe: int, where: str) -> Iterator[Finding]:
    missing = np.diff(open_ms) // timeframe - 1
    holes = np.flatnonzero(missing > 0)
    if holes.size:
        longest = int(holes[np.argmax(missing[holes])])
        detail = f"{holes.size} gaps, the longest of {int(missing[longest])} bars from {times.iso(int(open_ms[longest]) + timeframe)}"
        first = int(open_ms[holes[0]]) + timeframe
        yield Finding(Severity.WARNING, "gap", symbol, int(missing[holes].sum()), first, where, detail)


def _oddities(symbol: str, open_ms: Ints, columns: Sequence[Floats], where: str) -> Iterator[Finding]:
    close, volume = columns[CLOSE], columns[VOLUME]
    for code, mask, detail in (
        ("zero_volume", volume == 0, "bars without a trade"),
        ("stale", _stale(columns), f"{STALE_RUN} bars or more in a row with the same five values"),
    ):
        if mask.any():
            yield Finding(Severity.NOTE, code, symbol, int(mask.sum()), int(open_ms[np.argmax(mask)]), where, detail)
    with np.errstate(all="ignore"):
        moves = np.append(0.0, np.diff(np.log(np.where(close > 0, close, np.nan))))
    known = np.abs(moves[1:][~np.isnan(moves[1:])])
    if known.size == 0:
        return
    scale = float(np.median(known))
    bounds = ((Severity.WARNING, "jump", np.log1p(JUMP)), (Severity.NOTE, "outlier", max(OUTLIER_LEAST, OUTLIER * scale)))
    for severity, code, bound in bounds:
        mask = np.abs(moves) > bound
        if mask.any():
            worst = int(np.nanargmax(np.abs(moves)))
            detail = (
                f"closes that move by more than {np.expm1(bound):+.1%} or {np.expm1(-bound):+.1%}; "
                f"the largest by {np.expm1(moves[worst]):+.1%} at {times.iso(int(open_ms[worst]))}"
            )
            yield Finding(severity, code, symbol, int(mask.sum()), int(open_ms[np.argmax(mask)]), where, detail)


def _stale(columns: Sequence[Floats]) -> NDArray[np.bool_]:
    """The bars of every run of at least STALE_RUN in which open, high, low, close and volume do not change."""
    size = columns[0].size
    same = np.ones(max(0, size - 1), bool)
    for column in columns[: len(COLUMNS) - 1]:
        same &= np.diff(column) == 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False])).astype(np.int8)))
    out = np.zeros(size, bool)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start + 1 >= STALE_RUN:
            out[start : end + 1] = True
    return out
