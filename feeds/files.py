"""Tables on disk, Parquet, Feather or CSV, as columns with a place for every cell.

Whatever cannot be read as what it should be is refused with a BadData that names file, row, column and the next step.
Rows are counted from 1, the header not included; for CSV the line of the file is named too.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
from numpy.typing import NDArray

from feeds import times
from feeds.errors import BadData

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow")
TEXT = (".csv", ".csv.gz", ".tsv", ".zip")
SUFFIXES = PARQUET + FEATHER + TEXT

MOST_BYTES = 4 * 1024**3  # of an unpacked CSV: more is taken for a bomb
MOST_OF_A_LINE = 1 << 20  # characters of the first one
UNREADABLE = (pa.ArrowException, OSError, zipfile.BadZipFile, UnicodeDecodeError, csv.Error)

SYMBOL_COLUMNS = ("symbol", "pair", "ticker", "instrument")
# A name in an earlier group wins; two names of one group are ambiguous.
TIME_COLUMNS = (
    ("ts_ms", "open_ms", "open_time", "open_time_ms", "opentime"),
    ("timestamp", "timestamp_ms", "ts", "start", "start_time", "start_ms"),
    ("date", "datetime", "time", "unix", "unix_ms"),
    ("__index_level_0__", "index"),  # the nameless index of a pandas frame
)

QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "BTC", "ETH")

# unit -> (times, over): milliseconds = number * times // over
UNITS: dict[str, tuple[int, int]] = {
    "seconds": (1_000, 1),
    "milliseconds": (1, 1),
    "microseconds": (1, 1_000),
    "nanoseconds": (1, 1_000_000),
}
_FROM, _TO = 100_000_000_000, 4_200_000_000_000  # 1973 .. 2103 in milliseconds


class Table(NamedTuple):
    """A file as columns by lower-case name (spaces and dots made `_`); `text` where every cell came as text (CSV)."""

    path: Path
    columns: dict[str, pa.ChunkedArray]
    rows: int
    text: bool

    def place(self, row: int, column: str = "") -> str:
        """Where a cell is, for people; `row` counts from 0."""
        line = f" (line {row + 2})" if self.text else ""
        return f"{self.path}: row {row + 1}{line}" + (f", column {column}" if column else "")

    def find(self, *names: str) -> str | None:
        """The first of these columns that is there."""
        return next((name for name in names if name in self.columns), None)

    def need(self, *names: str) -> str:
        """Like `find`; raises BadData naming the columns that are there."""
        found = self.find(*names)
        if found is None:
            there = ", ".join(self.columns) or "none"
            raise BadData(f"{self.path}: column {names[0]} is missing (columns there: {there}); add it or rename the column that holds it")
        return found


def find_files(paths: Iterable[str | Path], suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """Files as given, directories searched to the bottom in sorted order, each file once. Commas separate paths.

    Raises BadData where a path does not exist or a directory has no file of the kind.
    """
    found: dict[Path, None] = {}
    for path in _split(paths):
        if path.is_dir():
            kinds = tuple(suffixes)
            inside = [p for p in sorted(path.rglob("*")) if p.name.lower().endswith(kinds) and p.is_file() and not _hidden(p, path)]
            if not inside:
                raise BadData(f"{path}: no file matched in this directory (looked for *{', *'.join(kinds)}); give another path")
            found.update(dict.fromkeys(inside))
        elif path.is_file():
            found[path] = None
        else:
            raise BadData(f"{path}: no such file or directory; check the path")
    if not found:
        raise BadData("no files matched: no path was given; name a Parquet or CSV file or a directory of them")
    return list(found)


def _split(paths: Iterable[str | Path]) -> list[Path]:
    if isinstance(paths, str | Path):
        paths = [paths]
    out: list[Path] = []
    for path in paths:
        whole, text = Path(path), str(path)
        if whole.exists() or "," not in text:
            out.append(whole)
        else:
            out.extend(Path(part.strip()) for part in text.split(",") if part.strip())
    return out


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def release() -> None:
    """Give back to the system what reading took: Arrow keeps the memory of its tables for the next ones."""
    pa.default_memory_pool().release_unused()


def read_table(path: Path, *, header: Sequence[str] | None = None) -> Table:
    """All columns of a file. `header` names the columns of a CSV that has no header line.

    Raises BadData when the file is empty or cannot be read.
    """
    kind = path.name.lower()
    try:
        if kind.endswith(PARQUET):
            table, text = pa.parquet.ParquetFile(path).read(), False  # the reader of data sets would import pandas
        elif kind.endswith(FEATHER):
            table, text = pa.feather.read_table(path, memory_map=False), False
        else:
            table, text = _read_csv(path, header), True
    except UNREADABLE as fault:
        raise _unreadable(path, fault) from None
    if table.num_rows == 0:
        raise BadData(f"{path}: the file is empty (no rows); leave it out or fetch it again")
    return table_of(path, table, text=text)


def table_of(path: Path, table: pa.Table, *, text: bool) -> Table:
    """Columns under the names that we look for. Raises BadData where two have the same."""
    columns: dict[str, pa.ChunkedArray] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        plain = plain_name(name)
        if plain in columns:
            raise BadData(f"{path}: two columns are named {plain}; rename one")
        columns[plain] = column
    return Table(path, columns, table.num_rows, text)


def column_names(path: Path) -> list[str]:
    """The names of a file's columns, without reading the rows. Raises BadData when it cannot be read."""
    if path.name.lower().endswith(PARQUET):
        try:
            return [plain_name(name) for name in pa.parquet.read_schema(path).names]
        except (pa.ArrowException, OSError) as fault:
            raise _unreadable(path, fault) from None
    return list(read_table(path).columns)


def _unreadable(path: Path, fault: Exception) -> BadData:
    reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
    return BadData(f"{path}: cannot be read: {reason}; check that the file is complete, or fetch it again")


def plain_name(name: str) -> str:
    """A column's name as we look for it: `Open Time` -> `open_time`, `quoteVolume` -> `quote_volume`."""
    spaced = re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])", "_", name.strip().lstrip("\ufeff"))
    return re.sub(r"[\s.\-]+", "_", spaced).lower()


def first_line(path: Path) -> str:
    """The first line of a CSV, without a byte order mark. Raises BadData when the file cannot be read."""
    try:
        with _open_text(path) as stream:
            return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="").readline(MOST_OF_A_LINE).rstrip("\r\n")
    except UNREADABLE as fault:
        raise _unreadable(path, fault) from None


def has_header(line: str) -> bool:
    """A header line has a name in it: no line of it is only numbers."""
    return any(_number(cell) is None and not re.match(r"\d{4}-\d\d-\d\d", cell) for cell in _cells(line) if cell)


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(_delimiter(line))]


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)  # Python would read 1_000
    except ValueError:
        return None


def is_number(cell: str) -> bool:
    """Whether the text of a cell is a number."""
    return _number(cell) is not None


def _open_text(path: Path) -> io.BytesIO | io.BufferedReader | pa.NativeFile:
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as packed:
            inside = [info for info in packed.infolist() if info.filename.lower().endswith(".csv")]
            if len(inside) != 1:
                raise zipfile.BadZipFile(f"holds {len(inside)} CSV files, one is expected")
            if inside[0].file_size > MOST_BYTES:
                raise zipfile.BadZipFile(f"unpacks to {inside[0].file_size} bytes, at most {MOST_BYTES} are read")
            return io.BytesIO(packed.read(inside[0]))
    return pa.input_stream(str(path), compression="detect")


def _read_csv(path: Path, header: Sequence[str] | None) -> pa.Table:
    line = first_line(path)
    if not line.strip():
        raise BadData(f"{path}: the file is empty (no rows); leave it out or fetch it again")
    if header is None and not has_header(line):
        raise BadData(
            f"{path}: row 1 (line 1) holds values where column names should be; "
            "add a header line, or let `sluice data import` map the columns"
        )
    names = list(header) if header is not None else next(csv.reader([line], delimiter=_delimiter(line)))
    try:
        return _parse_csv(path, line, names, 0 if header is not None else 1, threads=True)
    except pa.ArrowInvalid as fault:
        if "CSV parse error" not in str(fault):
            raise
        return _parse_csv(path, line, names, 0 if header is not None else 1, threads=False)  # the same again, and its row


def _parse_csv(path: Path, line: str, names: list[str], skip: int, *, threads: bool) -> pa.Table:
    with _open_text(path) as stream:
        return pa.csv.read_csv(
            stream,
            read_options=pa.csv.ReadOptions(column_names=names, skip_rows=skip, use_threads=threads),
            parse_options=pa.csv.ParseOptions(delimiter=_delimiter(line), newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )


def numbers(table: Table, name: str) -> Floats:
    """float64[rows]; empty cells and nulls are NaN. Raises BadData naming the first cell that is text."""
    column = table.columns[name]
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return _numbers_of_text(table, name, column)
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        raise BadData(f"{table.place(0, name)}: holds {kind}, not numbers; store the column as float64")
    return array_of(column if kind == pa.float64() else column.cast(pa.float64(), safe=False), np.float64, np.nan)


def array_of(column: pa.ChunkedArray | pa.Array, kind: type[np.generic], missing: Any = None) -> NDArray[Any]:
    """The cells as an array, without copying where they lie in one piece; `missing` stands for nulls, of which there are none otherwise.

    Arrow's own conversion imports pandas where that is installed, for nothing that is needed here.
    """
    if column.null_count:
        column = pc.fill_null(column, missing)
    pieces = [column] if isinstance(column, pa.Array) else column.chunks
    arrays = [np.frombuffer(piece.buffers()[1], kind, len(piece), piece.offset * np.dtype(kind).itemsize) for piece in pieces if len(piece)]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays) if arrays else np.empty(0, kind)


def _numbers_of_text(table: Table, name: str, column: pa.ChunkedArray) -> Floats:
    trimmed = pc.utf8_trim_whitespace(column.cast(pa.string()))
    blank = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    try:
        return array_of(blank.cast(pa.float64()), np.float64, np.nan)
    except pa.ArrowInvalid:
        cells = blank.to_pylist()
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        value = None if cell is None else _number(cell)
        if cell is not None and value is None:
            raise BadData(f"{table.place(row, name)}: {cell[:40]!r} is text, a number is expected; correct the cell or remove the row")
        values[row] = np.nan if value is None else value
    return values


def texts(table: Table, name: str) -> list[str | None]:
    """The cells as text, stripped; None where there is nothing."""
    return [None if cell is None or not (cut := str(cell).strip()) else cut for cell in table.columns[name].to_pylist()]


def time_column(table: Table) -> str:
    """The column that holds the instants. Raises BadData when there is none, or no telling which."""
    for group in TIME_COLUMNS:
        found = [name for name in group if name in table.columns]
        if len(found) > 1:
            raise BadData(f"{table.path}: columns {' and '.join(found)} could each be the time; rename the right one to ts_ms")
        if found:
            return found[0]
    return table.need("ts_ms")


def instants(table: Table, name: str, *, unit: str | None = "milliseconds") -> tuple[Ints, str]:
    """int64[rows] UTC milliseconds, and the unit that the file is in.

    unit  what numbers must be in; None: found out and converted. Timestamps and ISO 8601 text need no unit.
    Raises BadData naming the first row that holds no instant, or the unit that the numbers are in instead.
    """
    column = table.columns[name]
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        _refuse_empty(table, name, column)
        return array_of(column.cast(pa.timestamp("us")).cast(pa.int64()), np.int64) // 1_000, "timestamps"
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        trimmed = pc.utf8_trim_whitespace(column)
        _refuse_empty(table, name, pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed))
        if _number(trimmed[0].as_py()) is None:
            return _iso_instants(table, name, trimmed), "ISO 8601"
        raw = _whole(table, name, trimmed)
    else:
        _refuse_empty(table, name, column)
        raw = _whole(table, name, column)
    found = unit_of(raw)
    if found is None or (unit is not None and found != unit):
        raise BadData(_wrong_unit(table, name, raw, found))
    up, down = UNITS[found]
    return raw * up // down, found


def _refuse_empty(table: Table, name: str, column: pa.ChunkedArray) -> None:
    if column.null_count:
        row = int(pc.index(pc.is_null(column), True).as_py())
        raise BadData(f"{table.place(row, name)}: the time is empty; give it or remove the row")


def _whole(table: Table, name: str, column: pa.ChunkedArray) -> Ints:
    try:
        return array_of(column.cast(pa.int64()), np.int64)
    except pa.ArrowException:
        values = numbers(table, name)
    bad = np.flatnonzero(~np.isfinite(values) | (values != np.floor(values)) | (np.abs(values) >= 2.0**63))
    if bad.size:
        raise BadData(f"{table.place(int(bad[0]), name)}: {values[bad[0]]} is no whole number of milliseconds; correct the cell")
    return values.astype(np.int64)


def _iso_instants(table: Table, name: str, column: pa.ChunkedArray) -> Ints:
    for kind in (pa.timestamp("ms"), pa.timestamp("ms", "UTC")):
        try:
            return array_of(column.cast(kind).cast(pa.int64()), np.int64)
        except pa.ArrowException:
            continue
    out = np.empty(table.rows, np.int64)
    for row, cell in enumerate(column.to_pylist()):
        try:
            out[row] = times.millis(cell)
        except ValueError as fault:
            raise BadData(f"{table.place(row, name)}: {fault}") from None
    return out


def unit_of(raw: Ints) -> str | None:
    """The unit in which these numbers are instants of 1973..2103; None if there is none, or several."""
    low, high = int(raw.min()), int(raw.max())
    return next((unit for unit, (up, down) in UNITS.items() if low * up // down >= _FROM and high * up // down < _TO), None)


def _wrong_unit(table: Table, name: str, raw: Ints, found: str | None) -> str:
    if found is None:
        up_to = [unit_of(raw[i : i + 1]) != "milliseconds" for i in range(min(raw.size, 100_000))]
        row = up_to.index(True) if True in up_to else 0
        return f"{table.place(row, name)}: {int(raw[row])} is no time in UTC milliseconds between 1973 and 2103; correct the cell"
    up, down = UNITS[found]
    fix = f"multiply by {up}" if up > 1 else f"divide by {down}"
    return (
        f"{table.place(0, name)}: the times are in {found} ({int(raw[0])}), milliseconds are expected; "
        f"{fix}, or let `sluice data import` convert the file"
    )


def symbol_of(path: Path) -> str:
    """The symbol that a file is named after: `BTCUSDT.parquet`, `BTCUSDT-1m-2023-07.zip`, `BTC_USDT_USDT-1h-futures.feather`.

    A month of the archive, `BTCUSDT/2023-07.parquet`, is named after its folder.
    """
    stem = re.sub(r"\.(csv|parquet)$", "", path.stem, flags=re.IGNORECASE).upper()
    if re.fullmatch(r"\d{4}-\d\d", stem):
        return path.parent.name.upper()
    head, *rest = re.split(r"[-_ ]", stem)
    if any(head.endswith(quote) and len(head) > len(quote) for quote in QUOTES):
        return head
    if rest and rest[0] in QUOTES:
        return head + rest[0]
    return stem
