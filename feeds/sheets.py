"""Foreign files as sheets: columns under plain names, and for every row the line of the file that it stands on.

Text (CSV with any of three delimiters, plain, gzipped or zipped; lines before the header passed over), Parquet, Feather, and JSON as
lists of lists or of objects. Nothing is converted here, and a line that does not fit its header is kept as bad, not dropped.
"""

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from feeds.errors import BadData
from feeds.files import FEATHER, MOST_BYTES, PARQUET, Ints, is_number, plain_name

DELIMITERS = ",;\t|"
JSON = (".json", ".json.gz")
TEXT = (".csv", ".csv.gz", ".tsv", ".txt", ".zip")
SUFFIXES = PARQUET + FEATHER + TEXT + JSON
BROKEN = (pa.ArrowException, OSError, zipfile.BadZipFile, zlib.error, UnicodeDecodeError, csv.Error, EOFError, msgspec.DecodeError)
PREAMBLE = 20  # lines that may stand before the header


class BadRow(NamedTuple):
    """A row that cannot be used, and why; `row` counts from 0 (-1: it is not even a row)."""

    place: str
    reason: str
    row: int = -1


class Sheet(NamedTuple):
    """One table of a file.

    name     the file, with the member of a zip;  header  whether it names its columns
    columns  plain name -> cells;  raw  plain name -> as the file spells it
    lines    int64[rows] line of each row, counted from 1; None where a file has no lines
    """

    path: Path
    name: str
    header: bool
    columns: dict[str, pa.ChunkedArray]
    raw: dict[str, str]
    rows: int
    lines: Ints | None
    bad: list[BadRow]

    def place(self, row: int, column: str = "") -> str:
        """Where a cell is, for people; `row` counts from 0."""
        line = f" (line {int(self.lines[row])})" if self.lines is not None else ""
        return f"{self.name}: row {row + 1}{line}" + (f", column {self.raw.get(column, column)}" if column else "")


def read_sheets(path: Path) -> list[Sheet]:
    """Every table of a file: several only in a zip. Raises BadData when it is empty or cannot be read."""
    kind = path.name.lower()
    try:
        if kind.endswith(PARQUET):
            sheets = [_typed(path, pa.parquet.read_table(path, partitioning=None))]
        elif kind.endswith(FEATHER):
            sheets = [_typed(path, pa.feather.read_table(path, memory_map=False))]
        elif kind.endswith(JSON):
            sheets = [_json(path, _unpacked(path))]
        elif kind.endswith(".zip"):
            sheets = [_text(path, f"{path}:{name}", data) for name, data in _members(path)]
            sheets = [one._replace(name=str(path)) for one in sheets] if len(sheets) == 1 else sheets
        else:
            sheets = [_text(path, str(path), _unpacked(path))]
    except BROKEN as fault:
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise BadData(f"{path}: cannot be read: {reason}; check that the file is complete, or fetch it again") from None
    except (MemoryError, RecursionError) as fault:
        what = "more memory than there is" if isinstance(fault, MemoryError) else "lists inside lists without end"
        raise BadData(f"{path}: cannot be read: it holds {what}; cut it into pieces, or fetch it again") from None
    for sheet in sheets:
        if not sheet.rows and not sheet.bad:
            raise BadData(f"{sheet.name}: the file is empty (no rows); leave it out or fetch it again")
    return sheets


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise BadData(f"{path}: holds more than {MOST_BYTES >> 30} GiB; cut it into pieces")
    return data


def _members(path: Path) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as packed:
        inside = [info for info in packed.infolist() if info.filename.lower().endswith((".csv", ".txt", ".tsv")) and not info.is_dir()]
        inside = [info for info in inside if not info.filename.startswith("__MACOSX")]
        if not inside:
            raise zipfile.BadZipFile("holds no CSV file")
        if sum(info.file_size for info in inside) > MOST_BYTES:
            raise zipfile.BadZipFile(f"unpacks to more than {MOST_BYTES >> 30} GiB")
        return [(info.filename, packed.read(info)) for info in inside]


def plainer(name: str) -> str:
    """A column's name as we look for it: `Volume (BTC)` -> volume_btc, `<OPEN>` -> open, `quoteVolume` -> quote_volume."""
    return re.sub(r"[^a-z0-9]+", "_", plain_name(name)).strip("_")


def _typed(path: Path, table: pa.Table) -> Sheet:
    names = [str(name) for name in table.column_names]
    return Sheet(path, str(path), True, *_named(path, names, table.columns), table.num_rows, None, [])


def _named(path: Path, names: Sequence[str], columns: Sequence[pa.ChunkedArray]) -> tuple[dict[str, pa.ChunkedArray], dict[str, str]]:
    plain: dict[str, pa.ChunkedArray] = {}
    raw: dict[str, str] = {}
    for place, (name, column) in enumerate(zip(names, columns, strict=True)):
        key = plainer(name) or f"column_{place + 1}"
        if key in plain:
            raise BadData(f"{path}: two columns are named {name!r}; rename one")
        plain[key], raw[key] = column, name
    return plain, raw


def _text(path: Path, name: str, data: bytes) -> Sheet:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16").encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    head = [line.decode("utf-8") for line in data[: 1 << 20].splitlines()[: PREAMBLE + 2]]
    if not any(line.strip() for line in head):
        raise BadData(f"{name}: the file is empty (no rows); leave it out or fetch it again")
    delimiter = max(DELIMITERS, key=lambda one: max(map(_width(one), head)))
    skip = _preamble(head, delimiter)
    cells = next(csv.reader([head[skip]], delimiter=delimiter))
    header = not _is_data(cells)
    names = [cell.strip() for cell in cells] if header else [f"column_{place + 1}" for place in range(len(cells))]
    if header and names and names[-1] == "":
        names[-1] = "column_last"  # every line ends in a delimiter
    begin = skip + (1 if header else 0)
    table, bad = _parsed(name, data, delimiter, names, begin)
    lines = _lines(data, begin)
    # The parser counts what it skipped and then every line that is not blank.
    broken = [int(row.place) - 1 - begin for row in bad]
    named = [BadRow(f"{name}: line {int(lines[place])}", row.reason) for place, row in zip(broken, bad, strict=True)]
    lines = np.delete(lines, broken)
    if lines.size != table.num_rows:
        raise BadData(f"{name}: {_quoted(data)}; a cell here is one line, so join it or remove the quotation mark")
    return Sheet(path, name, header, *_named(path, names, table.columns), table.num_rows, lines, named)


def _quoted(data: bytes) -> str:
    """Where a cell in quotes goes on over the end of its line."""
    odd = next((number for number, line in enumerate(data.splitlines(), 1) if line.count(b'"') % 2), 0)
    return f"line {odd}: a quotation mark is not closed on its line" if odd else "its lines cannot be told apart"


def _width(delimiter: str) -> Callable[[str], int]:
    """How many cells a line has; a delimiter in quotes is none."""
    return lambda line: len(next(csv.reader([line], delimiter=delimiter), ()))


def _preamble(head: Sequence[str], delimiter: str) -> int:
    """How many lines stand before the table: notes and addresses, which have fewer cells than the lines below."""
    counts = [*map(_width(delimiter), head[: PREAMBLE + 1])]
    usual = max(set(counts), key=lambda n: (counts.count(n), n))
    return next((place for place, line in enumerate(head) if line.strip() and counts[place] >= usual and not line.startswith("#")), 0)


def _is_data(cells: Sequence[str]) -> bool:
    """Whether a first line holds values: most of its cells are numbers or dates."""
    known = [cell.strip() for cell in cells if cell.strip()]
    values = [cell for cell in known if is_number(cell) or re.match(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}", cell)]
    return len(values) * 2 > len(known)


def _parsed(name: str, data: bytes, delimiter: str, names: list[str], begin: int) -> tuple[pa.Table, list[BadRow]]:
    bad: list[BadRow] = []

    def keep(row: pa.csv.InvalidRow) -> str:
        bad.append(BadRow(str(row.number), f"{row.actual_columns} cells where {row.expected_columns} are expected: {row.text[:80]!r}"))
        return "skip"

    def parse(careful: bool) -> pa.Table:
        return pa.csv.read_csv(
            io.BytesIO(data),
            read_options=pa.csv.ReadOptions(column_names=names, skip_rows=begin, use_threads=not careful, block_size=1 << 24),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, invalid_row_handler=keep if careful else None),
            convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )

    try:
        return parse(careful=False), []
    except pa.ArrowInvalid as fault:
        if "CSV parse error" not in str(fault):
            if "Empty CSV" in str(fault):
                raise BadData(f"{name}: the file is empty (no rows); leave it out or fetch it again") from None
            raise
    return parse(careful=True), bad


def _lines(data: bytes, begin: int) -> Ints:
    """The lines that are not blank, counted from 1, after the first `begin` ones."""
    raw = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = np.frombuffer(raw, np.uint8)
    ends = np.flatnonzero(text == 10)
    if not text.size or text[-1] != 10:
        ends = np.append(ends, text.size)
    starts = np.append(0, ends[:-1] + 1)
    return np.flatnonzero((ends > starts) & (np.arange(ends.size) >= begin)) + 1


def _longest(said: object, depth: int) -> list[object]:
    """The longest list inside an envelope, such as {"result": {"list": [...]}}."""
    if isinstance(said, list):
        return said
    inner = [_longest(value, depth - 1) for value in said.values()] if isinstance(said, dict) and depth else []
    return max(inner, key=len, default=[])


def _json(path: Path, data: bytes) -> Sheet:
    said = msgspec.json.decode(data)
    if isinstance(said, dict):
        inner = [value for value in said.values() if isinstance(value, list)]
        if len(inner) == len(said) > 1 and len({len(value) for value in inner}) == 1:  # columns
            said = [dict(zip(said, cells, strict=True)) for cells in zip(*inner, strict=True)]
        else:
            said = _longest(said, 4)
    if not isinstance(said, list) or not said or not isinstance(said[0], list | dict):
        raise BadData(f"{path}: holds no list of rows; a row is a list, or an object with names")
    if isinstance(said[0], dict):
        names = list(said[0])
        rows = [[row.get(name) for name in names] if isinstance(row, dict) else [None] * len(names) for row in said]
    else:
        names = [f"column_{place + 1}" for place in range(len(said[0]))]
        rows = [row if isinstance(row, list) and len(row) == len(names) else [None] * len(names) for row in said]
    texts = [[None if cell is None else str(cell) for cell in column] for column in zip(*rows, strict=True)]
    columns = [pa.chunked_array([pa.array(column, pa.string())]) for column in texts]
    return Sheet(path, str(path), isinstance(said[0], dict), *_named(path, names, columns), len(rows), None, [])
