"""Data files as a panel, for evaluating factors: every column of every symbol, at absolute bar numbers.

A file is one symbol, named by its stem; whatever columns it has besides those of a bar are fields too. Cells are taken as they are:
an empty one is NaN, not known. Only what would make the values ambiguous is refused: times that are no times, in disorder or off the grid.
"""

import glob
import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from feeds import times
from feeds.candle_files import PRICES, TURNOVERS, VOLUMES, Series, check_order, commonest_step, rows_by_symbol
from feeds.errors import BadData
from feeds.files import (
    PARQUET,
    SUFFIXES,
    SYMBOL_COLUMNS,
    Floats,
    Ints,
    Table,
    column_names,
    find_files,
    instants,
    is_number,
    numbers,
    read_table,
    time_column,
)
from feeds.layout import folders_of

FIELD = re.compile(r"[a-z_][a-z0-9_]*")
TIME = "ts_ms"
LOOKED_AT = 100  # cells of a column of text, to see whether it holds numbers


class Part(NamedTuple):
    """What one file has of one symbol.

    columns  field -> the table's column;  rows  of the table, in order;  ts  int64[rows] UTC milliseconds
    """

    table: Table
    symbol: str
    columns: dict[str, str]
    rows: Ints
    time_name: str
    ts: Ints


class Panel:
    """Symbols over time. A symbol that lacks a column, or a bar, has NaN there.

    times   int64[n] every ts_ms that occurs, ascending;  numbers  the absolute bar number of each
    fields  every column of numbers that some symbol has;  files  where they come from;  notes  for people: what a reader would want to know
    """

    def __init__(self, timeframe: int, parts: dict[str, list[Part]]) -> None:
        self.timeframe = timeframe
        self.symbols = tuple(parts)
        self._parts = list(parts.values())
        self._numbers = [np.concatenate([part.ts for part in each]) // timeframe for each in self._parts]
        self._columns: dict[str, list[Floats | None]] = {}
        self.times: Ints = np.unique(np.concatenate([part.ts for each in self._parts for part in each]))
        self.numbers: Ints = self.times // timeframe
        self.fields = tuple(dict.fromkeys(name for each in self._parts for part in each for name in part.columns))
        self.files = tuple(dict.fromkeys(part.table.path for each in self._parts for part in each))
        self.notes = self._missing()

    @property
    def bars(self) -> int:
        """From the first bar to the last, those that are missing included."""
        return int(self.numbers[-1] - self.numbers[0]) + 1

    def values(self, fields: Sequence[str], first: int, end: int) -> Floats:
        """float64[end - first, field, symbol] of the bars with these absolute numbers. Raises BadData for text among the numbers."""
        out = np.full((end - first, len(fields), len(self.symbols)), np.nan)
        for s, numbers_of in enumerate(self._numbers):
            a, b = np.searchsorted(numbers_of, (first, end))
            at = numbers_of[a:b] - first
            for f, name in enumerate(fields):
                column = self._column(name)[s]
                if column is not None:
                    out[at, f, s] = column[a:b]
        return out

    def _column(self, name: str) -> list[Floats | None]:
        if name not in self._columns:
            self._columns[name] = [_joined(parts, name) for parts in self._parts]
        return self._columns[name]

    def _missing(self) -> list[str]:
        spans = [int(n[-1] - n[0]) + 1 - n.size for n in self._numbers]
        worst = int(np.argmax(spans))
        if not spans[worst]:
            return []
        return [
            f"{sum(spans)} bars of {times.span_text(self.timeframe)} are missing between others, most of them ({spans[worst]}) of "
            f"{self.symbols[worst]}: there nothing is known, nor where a window would need them"
        ]


def read_panel(paths: Iterable[str | Path], symbols: Collection[str] = (), timeframe: int | None = None) -> Panel:
    """The panel of these files, directories and patterns.

    symbols    those wanted, in this order (empty: all, in the order of the files)
    timeframe  milliseconds (None: the commonest step of the times)
    Raises BadData with file, row and column, and the next step.
    """
    found: dict[str, list[Part]] = {}
    files = find_files(folders_of(_spelled_out(paths), "candles", timeframe))
    for path in files:
        for part in _parts(path, symbols):
            found.setdefault(part.symbol, []).append(part)
    missing = [symbol for symbol in symbols if symbol not in found]
    if missing:
        there = ", ".join(sorted({stem(path) for path in files})[:12])
        raise BadData(f"no data of {', '.join(missing)}; the files are named {there}; check --symbols")
    ordered = {symbol: _in_order(found[symbol]) for symbol in symbols or found}
    parts = [part for each in ordered.values() for part in each]
    timeframe = timeframe or commonest_step([part.ts for part in parts])
    if timeframe is None:
        raise BadData(f"{parts[0].table.path}: one bar alone does not say how long a bar is; give --timeframe, such as 1h")
    _on_one_grid(parts, timeframe)
    return Panel(timeframe, ordered)


def stem(path: Path) -> str:
    """The symbol that a file is named after; a month of the archive, `BTCUSDT/2023-07.parquet`, is named after its folder."""
    suffix = max((s for s in SUFFIXES if path.name.lower().endswith(s)), key=len, default="")
    name = path.name[: -len(suffix)] if suffix else path.stem
    return path.parent.name if re.fullmatch(r"\d{4}-\d\d", name) and path.parent.name else name


def _spelled_out(paths: Iterable[str | Path]) -> list[str | Path]:
    out: list[str | Path] = []
    for path in paths:
        pattern = glob.has_magic(str(path)) and not Path(path).exists()
        matched = sorted(glob.glob(str(path), recursive=True)) if pattern else []
        if pattern and not matched:
            raise BadData(f"{path}: no file matches this pattern; check the path")
        out += matched or [path]
    return out


def _parts(path: Path, symbols: Collection[str]) -> list[Part]:
    name = stem(path)
    if symbols and name not in symbols and path.name.lower().endswith(PARQUET) and not set(column_names(path)) & set(SYMBOL_COLUMNS):
        return []
    table = read_table(path)
    time_name = time_column(table)
    columns = _fields(table, time_name)
    ts, _ = instants(table, time_name)
    several = table.find(*SYMBOL_COLUMNS)
    rows_of = rows_by_symbol(table, several) if several else {}
    if len(rows_of) < 2:  # one symbol goes by the name of its file
        rows_of = {name: np.arange(table.rows)}
    if any(not symbol.isprintable() or symbol == TIME for symbol in rows_of):
        raise BadData(f"{path}: {name!r} cannot be the name of a symbol; rename the file")
    found = []
    for symbol, rows in rows_of.items():
        if symbols and symbol not in symbols:
            continue
        part = Part(table, symbol, columns, rows, time_name, ts[rows])
        check_order(Series(table, symbol, time_name, part.ts, (), rows, None))
        found.append(part)
    return found


def _fields(table: Table, time_name: str) -> dict[str, str]:
    """Field -> column: those of a bar under their own names, then every other whose name is one of the language."""
    columns = {name: table.need(name) for name in PRICES} | {"volume": table.need(*VOLUMES)}
    turnover = table.find(*TURNOVERS)
    if turnover is not None:
        columns["turnover"] = turnover
    others = (name for name in table.columns if name not in SYMBOL_COLUMNS and name != time_name and FIELD.fullmatch(name))
    return columns | {name: name for name in others if name not in columns and _holds_numbers(table.columns[name])}


def _holds_numbers(column: pa.ChunkedArray) -> bool:
    """Whether it does by its type, or its first cells by their text; a later cell that does not is refused when it is read."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        cells = (str(cell).strip() for cell in column.slice(0, LOOKED_AT).to_pylist() if cell is not None)
        return all(is_number(cell) for cell in cells if cell)
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind))


def _in_order(parts: list[Part]) -> list[Part]:
    """The files of one symbol one after the other."""
    parts = sorted(parts, key=lambda part: int(part.ts[0]))
    for before, after in pairwise(parts):
        if after.ts[0] <= before.ts[-1]:
            when = times.iso(int(after.ts[0]))
            raise BadData(
                f"{after.table.path}: {after.symbol} at {when} is in {before.table.path} too; give one of the two files, or rename one"
            )
    return parts


def _on_one_grid(parts: Sequence[Part], timeframe: int) -> None:
    """Every bar must begin as far into its timeframe as every other."""
    phase = int(parts[0].ts[0]) % timeframe
    if parts[0].ts.size > 1 and (parts[0].ts[1:] % timeframe != phase).all():
        phase = int(parts[0].ts[1]) % timeframe  # the first one is the odd one
    for part in parts:
        off = np.flatnonzero(part.ts % timeframe != phase)
        if off.size:
            row = int(off[0])
            place, when = part.table.place(int(part.rows[row]), part.time_name), times.iso(int(part.ts[row]))
            raise BadData(
                f"{place}: {when} is off the grid of {times.span_text(timeframe)} bars; "
                "correct or remove the row, or give the length of its bars: --timeframe"
            )


def _joined(parts: Sequence[Part], name: str) -> Floats | None:
    """The column over the files of one symbol; None where none has it."""
    if not any(name in part.columns for part in parts):
        return None
    pieces = [
        numbers(part.table, part.columns[name])[part.rows] if name in part.columns else np.full(part.ts.size, np.nan) for part in parts
    ]
    return np.concatenate(pieces)
