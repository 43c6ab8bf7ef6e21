"""Funding settlements from files: each is known when it settles."""

from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from feeds import times
from feeds.errors import BadData
from feeds.events import Funding
from feeds.files import SYMBOL_COLUMNS, TIME_COLUMNS, Floats, Ints, Table, find_files, instants, numbers, read_table, symbol_of, texts
from feeds.layout import folders_of

RATES = ("funding_rate", "last_funding_rate", "rate")
MARKS = ("mark_price", "mark")
TIMES = ("funding_rate_timestamp", "funding_time", "calc_time", "settle_ms")

SHAPE = "columns [venue], [symbol], ts_ms, funding_rate (a fraction); without a symbol column the file is named after it"


class _Settlements(NamedTuple):
    """One symbol at one venue in one file: times int64[n], rates and marks float64[n] (mark NaN where not given), file rows."""

    table: Table
    venue: str
    symbol: str
    settle_ms: Ints
    rates: Floats
    marks: Floats
    rows: Ints


class FundingFile:
    """The settlements of files, in order. At one instant they stand after the candles.

    symbols  those wanted (None: all found)
    venue    the one to take where a symbol has several (None: the one with most rows, and a warning)

    Raises BadData with file, row and column for anything that cannot be.
    """

    name = "funding"
    after_candles = True

    def __init__(self, paths: Iterable[str | Path], symbols: Collection[str] | None = None, venue: str | None = None) -> None:
        self.warnings: list[str] = []
        found: dict[str, dict[str, list[_Settlements]]] = {}
        for path in find_files(folders_of(paths, "funding")):
            for part in _read(path):
                if symbols is None or part.symbol in symbols:
                    found.setdefault(part.symbol, {}).setdefault(part.venue, []).append(part)
        self.symbols = tuple(sorted(found))
        self._by_symbol = {symbol: _joined(self._choose(symbol, found[symbol], venue)) for symbol in self.symbols}
        without = sorted(set(symbols or ()) - set(found))
        if without:
            self.warnings.append(f"no funding for {', '.join(without)} in the files: its positions pay and earn none")

    def _choose(self, symbol: str, venues: dict[str, list[_Settlements]], venue: str | None) -> list[_Settlements]:
        if venue is not None and venue in venues:
            return venues[venue]
        sizes = {name: sum(part.settle_ms.size for part in parts) for name, parts in venues.items()}
        best = max(sorted(sizes), key=lambda name: sizes[name])
        if venue is not None and best:
            self.warnings.append(f"{symbol}: no funding of {venue} in the files; taken from {best}")
        elif len(sizes) > 1:
            listed = ", ".join(f"{name} {sizes[name]}" for name in sorted(sizes))
            how = "--set replay.venue=NAME, for factors --venue NAME"
            self.warnings.append(f"{symbol}: funding of several venues ({listed} rows); taken from {best}; another: {how}")
        return venues[best]

    def uncovered(self, start: int, stop: int) -> list[str]:
        """What a reader should know of [start, stop): whose settlements begin later or end earlier than that, by more than a day."""
        spans: dict[tuple[int, int], list[str]] = {}
        for symbol, (at, _, _) in self._by_symbol.items():
            spans.setdefault((int(at[0]), int(at[-1])), []).append(symbol)
        told = []
        for (first, last), symbols in spans.items():
            names = ", ".join(symbols)
            if first >= stop or last < start:
                told.append(f"{names}: no funding in this span (settlements reach from {times.iso(first)} to {times.iso(last)})")
            elif first > start + times.DAY or last < stop - times.DAY:
                told.append(
                    f"{names}: funding from {times.iso(first)} to {times.iso(last)} only: outside of it a position pays and earns none"
                )
        return told

    def __len__(self) -> int:
        return sum(int(at.size) for at, _, _ in self._by_symbol.values())

    def events(self) -> Iterator[Funding]:
        """Every settlement by time, then symbol. `interval_ms` is None for a symbol's first and after a hole of over a day."""
        if not self._by_symbol:
            return
        sizes = [at.size for at, _, _ in self._by_symbol.values()]
        at = np.concatenate([times_ for times_, _, _ in self._by_symbol.values()])
        rates, marks = (np.concatenate([arrays[i] for arrays in self._by_symbol.values()]) for i in (1, 2))
        steps = np.concatenate([np.diff(times_, prepend=times_[:1]) for times_, _, _ in self._by_symbol.values()])
        who = np.repeat(np.arange(len(sizes)), sizes)
        for i in np.argsort(at, kind="stable").tolist():
            moment, step, mark = int(at[i]), int(steps[i]), float(marks[i])
            yield Funding(
                at=moment,
                symbol=self.symbols[who[i]],
                settle_ms=moment,
                rate=float(rates[i]),
                interval_ms=step if 0 < step <= times.DAY else None,
                mark=None if mark != mark else mark,
            )

    async def stream(self) -> AsyncIterator[Funding]:
        """The settlements as a feed."""
        for event in self.events():
            yield event


def _read(path: Path) -> Iterator[_Settlements]:
    table = read_table(path)
    rate_name = table.find(*RATES)
    if rate_name is None:
        there = ", ".join(table.columns)
        raise BadData(f"{path}: column funding_rate is missing (columns there: {there}); a funding file has {SHAPE}")
    time_name = table.need(*TIME_COLUMNS[0], *TIMES, *TIME_COLUMNS[1], *TIME_COLUMNS[2])
    at, _ = instants(table, time_name)
    rates = numbers(table, rate_name)
    mark_name = table.find(*MARKS)
    marks = numbers(table, mark_name) if mark_name else np.full(table.rows, np.nan)
    for bad, says in ((~np.isfinite(rates), "is no number"), (np.abs(rates) > 1, "is above 1: rates are fractions of the notional")):
        if bad.any():
            row = int(np.argmax(bad))
            raise BadData(f"{table.place(row, rate_name)}: the rate {rates[row]} {says}; correct or remove the row")
    venue_name, symbol_name = table.find("venue", "exchange"), table.find(*SYMBOL_COLUMNS)
    venues = texts(table, venue_name) if venue_name else [""] * table.rows
    symbols = texts(table, symbol_name) if symbol_name else [symbol_of(path)] * table.rows
    groups: dict[tuple[str, str], list[int]] = {}
    for row, (venue, symbol) in enumerate(zip(venues, symbols, strict=True)):
        if symbol is None:
            raise BadData(f"{table.place(row, symbol_name or '')}: the symbol is empty; give it or remove the row")
        groups.setdefault((venue or "", symbol), []).append(row)
    for (venue, symbol), listed in groups.items():
        rows = np.asarray(listed)
        part = _Settlements(table, venue, symbol, at[rows], rates[rows], marks[rows], rows)
        _check(part, time_name)
        yield part


def _check(part: _Settlements, time_name: str) -> None:
    wrong = np.flatnonzero(np.diff(part.settle_ms) <= 0)
    if wrong.size:
        row = int(wrong[0]) + 1
        same = part.settle_ms[row] == part.settle_ms[row - 1]
        fault, fix = ("duplicated timestamp", "remove one of the two rows") if same else ("unsorted", "sort the file by time")
        when = times.iso(int(part.settle_ms[row]))
        raise BadData(f"{part.table.place(int(part.rows[row]), time_name)}: {fault}: funding of {part.symbol} at {when}; {fix}")


def _joined(parts: list[_Settlements]) -> tuple[Ints, Floats, Floats]:
    parts = sorted(parts, key=lambda part: int(part.settle_ms[0]))
    for before, after in pairwise(parts):
        if before.settle_ms[-1] >= after.settle_ms[0]:
            raise BadData(f"{before.table.path} and {after.table.path} both hold funding of {after.symbol}: they overlap; give one of them")
    at = np.concatenate([part.settle_ms for part in parts])
    return at, np.concatenate([part.rates for part in parts]), np.concatenate([part.marks for part in parts])
