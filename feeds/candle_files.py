"""Candle files as one series a symbol, checked: what cannot be a bar is refused with its place, nothing half-read."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
from numpy.typing import NDArray

from feeds import times
from feeds.bars import COLUMNS
from feeds.errors import BadData
from feeds.files import (
    PARQUET,
    SYMBOL_COLUMNS,
    Floats,
    Ints,
    Table,
    array_of,
    column_names,
    instants,
    numbers,
    plain_name,
    read_table,
    symbol_of,
    table_of,
    time_column,
)
from feeds.mapped import LONG, PIECE, Fixed

Mask = NDArray[np.bool_]

VOLUMES = ("volume", "vol", "base_volume")
TURNOVERS = ("turnover", "quote_volume", "quote_asset_volume", "volume_usdt", "volume_quote")
PRICES = ("open", "high", "low", "close")

BUFFER = 1 << 16  # bytes that are read ahead of each column
SYMBOL = re.compile(r"[\w.:/() -]{1,64}")  # nothing that could steer a terminal
MOST = {**dict.fromkeys(PRICES, 1e15), "volume": 1e21, "turnover": 1e21}  # beyond any market: a broken cell


class Series(NamedTuple):
    """The bars of one symbol in one file, in file order.

    columns  open, high, low, close, volume, turnover: float64[n] each, turnover NaN where not given
    rows     the row of each bar in the file, from 0; empty where bar and row are the same
    spacing  the most common distance between bars of the file, milliseconds; None with fewer than two bars
    """

    table: Table
    symbol: str
    time_name: str
    open_ms: Ints
    columns: tuple[Floats, ...]
    rows: Ints
    spacing: int | None

    @property
    def path(self) -> Path:
        """The file."""
        return self.table.path

    def place(self, index: int, column: str) -> str:
        """Where the bar at `index` stands."""
        return self.table.place(int(self.rows[index]) if self.rows.size else index, column)


class Rule(NamedTuple):
    """What makes a bar impossible: `broken` marks the bars, `says` is put after the place, with the value."""

    code: str
    column: str
    broken: Callable[[Mapping[str, Floats]], Mask]
    says: str


def _not_a_number(name: str, columns: Mapping[str, Floats]) -> Mask:
    return np.isnan(columns[name])


def _too_large(name: str, columns: Mapping[str, Floats]) -> Mask:
    return np.abs(columns[name]) > MOST[name]


def _not_positive(name: str, columns: Mapping[str, Floats]) -> Mask:
    return columns[name] <= 0


def _negative(name: str, columns: Mapping[str, Floats]) -> Mask:
    return columns[name] < 0


def _crossed(_: str, columns: Mapping[str, Floats]) -> Mask:
    return columns["high"] < columns["low"]


def _outside(name: str, columns: Mapping[str, Floats]) -> Mask:
    return (columns[name] > columns["high"]) | (columns[name] < columns["low"])


# code, the columns it holds for, what marks the broken bars, what is said after column and value
_CHECKS: tuple[tuple[str, tuple[str, ...], Callable[[str, Mapping[str, Floats]], Mask], str], ...] = (
    ("not_a_number", (*PRICES, "volume"), _not_a_number, "is empty or not a number"),
    ("out_of_range", tuple(MOST), _too_large, "is infinite or beyond any market"),
    ("price_not_positive", PRICES, _not_positive, "is not above zero"),
    ("high_below_low", ("high",), _crossed, "is below the low"),
    ("outside_range", ("open", "close"), _outside, "is outside low .. high"),
    ("negative_volume", ("volume", "turnover"), _negative, "is negative"),
)

RULES: list[Rule] = [Rule(code, name, partial(broken, name), says) for code, names, broken, says in _CHECKS for name in names]


def read_series(path: Path, symbols: Collection[str] | None = None, *, unit: str | None = "milliseconds") -> list[Series]:
    """Every symbol's bars in the file, not checked beyond types; those not in `symbols` are left out.

    unit  of the times where they are numbers; None: found out
    Raises BadData: unreadable, a column missing, text among numbers, times in another unit.
    """
    if symbols is not None and symbol_of(path) not in symbols and not set(column_names(path)) & set(SYMBOL_COLUMNS):
        return []
    return series_of(read_table(path), symbols, unit=unit)


def read_long(path: Path, now: int | None) -> Series | None:
    """The series of a long Parquet file of one symbol, read and checked in pieces and kept in a file; its `table` has no columns.

    None where the file is short, is of another kind, or has anything in it that is not plainly sound: read whole, it tells what.
    """
    if not path.name.lower().endswith(PARQUET):
        return None
    try:
        with pa.parquet.ParquetFile(path, buffer_size=BUFFER) as file:
            names = {plain_name(name) for name in file.schema_arrow.names}
            if file.metadata.num_rows < LONG or names & set(SYMBOL_COLUMNS):
                return None
            return _in_pieces(file, path, now)
    except (pa.ArrowException, OSError, BadData):
        return None


def _in_pieces(file: pa.parquet.ParquetFile, path: Path, now: int | None) -> Series | None:
    rows, done = file.metadata.num_rows, 0
    kept = Fixed([np.int64, *[np.float64] * len(COLUMNS)], rows)
    steps: Counter[int] = Counter()
    newest: int | None = None
    name = time_name = ""
    for batch in file.iter_batches(PIECE, use_threads=False):
        table = table_of(path, pa.Table.from_batches([batch]), text=False)
        (piece,) = series_of(table, None)
        name, time_name = piece.symbol, piece.time_name
        before = np.diff(piece.open_ms, prepend=piece.open_ms[0] - 1 if newest is None else newest)
        newest = int(piece.open_ms[-1])
        if (before <= 0).any() or (now is not None and newest > now) or not _sound(piece.columns):
            return None
        values, counts = np.unique(before if done else before[1:], return_counts=True)
        steps.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        kept.append([piece.open_ms, *piece.columns])
        done += table.rows
    open_ms, *columns = kept.arrays()
    spacing = max(steps, key=lambda step: (steps[step], -step)) if steps else None
    return Series(Table(path, {}, rows, False), name, time_name, open_ms, tuple(columns), np.arange(0), spacing)


def series_of(table: Table, symbols: Collection[str] | None = None, *, unit: str | None = "milliseconds") -> list[Series]:
    """Like `read_series`, of a table that is read already."""
    time_name = time_column(table)
    needed = [*(table.need(name) for name in PRICES), table.need(*VOLUMES)]
    name_column = table.find(*SYMBOL_COLUMNS)
    open_ms, _ = instants(table, time_name, unit=unit)
    columns = [numbers(table, name) for name in needed]
    turnover = table.find(*TURNOVERS)
    columns.append(numbers(table, turnover) if turnover else np.full(table.rows, np.nan))
    if name_column is None:
        every = np.arange(table.rows)
        name = symbol_of(table.path)
        if not SYMBOL.fullmatch(name):
            raise BadData(f"{table.path}: the file is named after its symbol, and {name!r} is none; rename it, or add a column symbol")
        return [Series(table, name, time_name, open_ms, tuple(columns), every, commonest_step([open_ms]))]
    rows_of = rows_by_symbol(table, name_column)
    spacing = commonest_step([open_ms[rows] for rows in rows_of.values()])
    return [
        Series(table, symbol, time_name, open_ms[rows], tuple(column[rows] for column in columns), rows, spacing)
        for symbol, rows in rows_of.items()
        if symbols is None or symbol in symbols
    ]


def rows_by_symbol(table: Table, name: str) -> dict[str, Ints]:
    """The rows of each symbol of the column `name`, in file order. Raises BadData for a cell that is no symbol."""
    coded = table.columns[name].cast("string").dictionary_encode().combine_chunks()
    if coded.null_count:
        row = int(pc.index(coded.is_null(), True).as_py())
        raise BadData(f"{table.place(row, name)}: the symbol is empty; give it or remove the row")
    codes = array_of(coded.indices, np.int32)
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(coded.dictionary) + 1))
    names = [str(text).strip() for text in coded.dictionary.to_pylist()]
    for code, text in enumerate(names):
        if not SYMBOL.fullmatch(text):
            place = table.place(int(order[ends[code]]), name)
            raise BadData(f"{place}: {text[:64]!r} is no symbol: letters, digits and _ . : / - make one; rename it")
        if text in names[:code]:
            place = table.place(int(order[ends[code]]), name)
            raise BadData(f"{place}: {text} is written with and without blanks around it; write it in one way")
    return {symbol: order[ends[i] : ends[i + 1]] for i, symbol in enumerate(names)}


def commonest_step(runs: Sequence[Ints]) -> int | None:
    """The commonest distance between neighbouring instants, milliseconds; None where there is none."""
    steps = np.concatenate([np.diff(run) for run in runs])
    steps = steps[steps > 0]
    if steps.size == 0:
        return None
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])


def check_order(series: Series) -> None:
    """Raises BadData for the first bar that does not come after the one before it."""
    steps = np.diff(series.open_ms)
    wrong = np.flatnonzero(steps <= 0)
    if wrong.size:
        bar = int(wrong[0]) + 1
        place = series.place(bar, series.time_name)
        when = times.iso(int(series.open_ms[bar]))
        if steps[bar - 1] == 0:
            raise BadData(f"{place}: duplicated timestamp {when} of {series.symbol}; remove one of the two rows")
        before = times.iso(int(series.open_ms[bar - 1]))
        raise BadData(f"{place}: unsorted: {when} of {series.symbol} comes after {before}; sort the file by time")


def check_series(series: Series, now: int | None) -> None:
    """Raises BadData for the first thing in the series that cannot be; `now` bounds the times (None: no bound)."""
    check_order(series)
    if now is not None and series.open_ms[-1] > now:
        bar = int(np.searchsorted(series.open_ms, now, side="right"))
        when = times.iso(int(series.open_ms[bar]))
        raise BadData(
            f"{series.place(bar, series.time_name)}: {when} is in the future (now is {times.iso(now)}, if this machine's clock is right); "
            "times are the bar's open, UTC milliseconds"
        )
    if not _sound(series.columns):
        _refuse(series)


def _sound(columns: Sequence[Floats]) -> bool:
    """The rules in one pass: comparisons with NaN are false, so this is true only if no rule is broken."""
    open_, high, low, close, volume, turnover = columns
    fine = (low > 0) & (low <= open_) & (low <= close) & (open_ <= high) & (close <= high) & (volume >= 0)
    known = turnover[~np.isnan(turnover)]
    return bool(
        fine.all()
        and high.max() <= MOST["high"]
        and volume.max() <= MOST["volume"]
        and (known.size == 0 or (known.min() >= 0 and known.max() <= MOST["turnover"]))
    )


def named(columns: Sequence[Floats]) -> dict[str, Floats]:
    """The columns of a series by name."""
    return dict(zip((*PRICES, "volume", "turnover"), columns, strict=True))


def _refuse(series: Series) -> None:
    columns = named(series.columns)
    firsts = [(int(np.argmax(mask)), i) for i, rule in enumerate(RULES) if (mask := rule.broken(columns)).any()]
    bar, which = min(firsts)
    rule = RULES[which]
    bars = {name: float(values[bar]) for name, values in columns.items()}
    shown = " ".join(f"{name}={bars[name]!r}" for name in (*PRICES, "volume"))
    raise BadData(
        f"{series.place(bar, rule.column)}: {rule.column} {bars[rule.column]!r} {rule.says} "
        f"({series.symbol} {times.iso(int(series.open_ms[bar]))}: {shown}); "
        "correct or remove the row; `sluice data check` lists every fault"
    )
