"""One month of one series: as columns, as a Parquet file, and joined with what comes to it."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from feeds.errors import BadData
from feeds.events import Source
from feeds.files import Floats, Ints
from feeds.layout import Kind, Shelf, kind_of
from feeds.spans import Span, merge
from feeds.synth import LABEL, MARK

SCHEMA = 1
ABOUT = b"archive"  # the key of the metadata
SOURCES = tuple(Source)


class Month(NamedTuple):
    """Rows of a series.

    at      int64[n] UTC milliseconds: bar opens, settlements, begins of periods
    known   int64[n] when each could be known; equal to `at` where the kind does not say
    values  float64[n, columns of the kind];  source  uint8[n] positions in SOURCES
    """

    at: Ints
    known: Ints
    values: Floats
    source: NDArray[np.uint8]

    @classmethod
    def of(cls, parts: "Sequence[Month]", width: int) -> "Month":
        """These parts one after the other; `width` columns where there is none."""
        if not parts:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, width)), np.empty(0, np.uint8))
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def take(self, rows: slice | Ints | NDArray[np.bool_]) -> "Month":
        """These rows of it."""
        return Month(self.at[rows], self.known[rows], self.values[rows], self.source[rows])

    def by_month(self) -> "dict[str, Month]":
        """The rows by the name of their month, `2024-01`."""
        if not self.at.size:
            return {}
        ordered = self.take(np.argsort(self.at, kind="stable"))
        names, starts = np.unique(ordered.at.astype("datetime64[ms]").astype("datetime64[M]"), return_index=True)
        ends = [*starts[1:].tolist(), self.at.size]
        return {str(name): ordered.take(slice(int(first), end)) for name, first, end in zip(names, starts, ends, strict=True)}


class About(NamedTuple):
    """What a month says of itself: who gave the rows, when they were last fetched, and the spans that are known to be complete."""

    sources: tuple[str, ...] = ()
    fetched_ms: int | None = None
    covered: tuple[Span, ...] = ()

    def and_(self, other: "About") -> "About":
        """Both together."""
        moments = [at for at in (self.fetched_ms, other.fetched_ms) if at is not None]
        return About(
            tuple(sorted({*self.sources, *other.sources})), max(moments, default=None), tuple(merge((*self.covered, *other.covered)))
        )


class Joined(NamedTuple):
    """A month with what came to it (None: nothing changed), and what became of the new rows."""

    month: Month | None
    added: int
    repeated: int
    fights: list[tuple[int, tuple[float, ...], tuple[float, ...]]]


def of_values(at: Ints, values: Floats, source: Source, known: Ints | None = None) -> Month:
    """Rows of one provenance."""
    return Month(at, at if known is None else known, values, sources_of(source, at.size))


def sources_of(source: Source, size: int) -> NDArray[np.uint8]:
    """The same provenance so many times."""
    return np.full(size, SOURCES.index(source), np.uint8)


def month_of(at: int) -> str:
    """The name of the month of an instant."""
    return datetime.fromtimestamp(at // 1_000, tz=UTC).strftime("%Y-%m")


def join(old: Month | None, new: Month, kind: Kind) -> Joined:
    """The rows of both by instant, each once: the first word stands. What was not known, and is now, is filled in."""
    before = 0 if old is None else old.at.size
    both = Month.of([part for part in (old, new) if part is not None], len(kind.values))
    both = both._replace(values=both.values.copy())
    order = np.lexsort((both.known, both.at)) if kind.slow else np.argsort(both.at, kind="stable")
    same = np.diff(both.at[order]) == 0
    if kind.slow:
        same &= np.diff(both.known[order]) == 0
    first = np.maximum.accumulate(np.where(np.append(True, ~same), np.arange(order.size), 0)) if order.size else order
    again = np.flatnonzero(np.append(False, same)) if order.size else order
    kept, refused = order[first[again]], order[again]
    may_lack = np.isin(kind.values, kind.optional)
    a, b = both.values[kept], both.values[refused]
    equal = (a == b) | (np.isnan(a) & np.isnan(b)) | ((np.isnan(a) | np.isnan(b)) & may_lack)
    differs = ~equal.all(axis=1)
    fights = [
        (at, tuple(mine), tuple(theirs))
        for at, mine, theirs in zip(both.at[kept[differs]].tolist(), a[differs].tolist(), b[differs].tolist(), strict=True)
    ]
    fill = np.isnan(a) & ~np.isnan(b) & may_lack & ~differs[:, None]
    for place in np.flatnonzero(fill.any(axis=1)).tolist():
        both.values[kept[place], fill[place]] = b[place, fill[place]]
    keep = np.ones(order.size, bool)
    keep[again] = False
    added = int(keep.sum()) - before
    changed = added > 0 or bool(fill.any()) or old is None
    return Joined(both.take(order[keep]) if changed else None, added, again.size - len(fights), fights)


def read_month(path: Path, kind_name: str) -> tuple[Month, About]:
    """A month and what it says of itself. Raises BadData where the file cannot be read."""
    kind = kind_of(kind_name)
    try:
        table = pa.parquet.read_table(path, partitioning=None)
        columns = [np.asarray(table[name].to_numpy(), np.float64) for name in kind.values]
        at = np.asarray(table[kind.time].to_numpy(), np.int64)
        known = np.asarray(table["available_ms"].to_numpy(), np.int64) if kind.slow else at
        if kind.sourced:
            coded = table["source"].combine_chunks().dictionary_encode()
            places = np.array([SOURCES.index(Source(str(name))) for name in coded.dictionary.to_pylist()], np.uint8)
            source = places[np.asarray(coded.indices)] if places.size else np.empty(0, np.uint8)
        else:
            source = sources_of(Source.FILE, at.size)
        about = _about((table.schema.metadata or {}).get(ABOUT))
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as fault:
        raise _damaged(path, fault) from None
    return Month(at, known, np.stack(columns, axis=1), source), about


def read_about(path: Path) -> About:
    """What a month says of itself, without its rows. Raises BadData where the file cannot be read."""
    try:
        return _about((pa.parquet.read_schema(path).metadata or {}).get(ABOUT))
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as fault:
        raise _damaged(path, fault) from None


def read_instants(path: Path, kind_name: str) -> Ints:
    """The instants of a month, int64[n], without its values. Raises BadData where the file cannot be read."""
    name = kind_of(kind_name).time
    try:
        return np.asarray(pa.parquet.read_table(path, columns=[name], partitioning=None)[name].to_numpy(), np.int64)
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as fault:
        raise _damaged(path, fault) from None


def _damaged(path: Path, fault: Exception) -> BadData:
    reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
    return BadData(f"{path}: this month of the archive cannot be read ({reason}); remove the file and import or download it again")


def _about(text: bytes | None) -> About:
    if text is None:
        return About()
    said = json.loads(text)
    if said["schema"] > SCHEMA:
        raise ValueError(f"it is of schema {said['schema']}, written by a newer Sluice than this")
    return About(tuple(said["sources"]), said["fetched_ms"], tuple(Span(*pair) for pair in said["covered"]))


def write_month(path: Path, shelf: Shelf, month: Month, about: About) -> None:
    """Put the month in its place, whole or not at all: a temporary file, synced, renamed, and the folder synced."""
    kind = kind_of(shelf.kind)
    columns: dict[str, pa.Array] = {}
    if kind.named:
        columns["symbol"] = pa.DictionaryArray.from_arrays(pa.array(np.zeros(month.at.size, np.uint8)), [shelf.symbol]).cast("string")
    columns[kind.time] = pa.array(month.at)
    if kind.slow:
        columns["available_ms"] = pa.array(month.known)
    for c, name in enumerate(kind.values):
        columns[name] = pa.array(np.ascontiguousarray(month.values[:, c]))
    if kind.sourced:
        columns["source"] = pa.DictionaryArray.from_arrays(pa.array(month.source, pa.uint8()), [str(s) for s in SOURCES]).cast("string")
    said = {"schema": SCHEMA, "sources": about.sources, "fetched_ms": about.fetched_ms, "covered": about.covered}
    metadata: dict[bytes, bytes] = {ABOUT: json.dumps(said).encode()}
    if kind.sourced and SOURCES.index(Source.SYNTHETIC) in month.source:
        metadata |= {MARK: b'{"synthetic": true}', b"label": LABEL.encode()}
    place_whole(path, pa.table(columns).replace_schema_metadata(metadata))


def place_whole(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet so that a crash at any moment leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as stream:
            pa.parquet.write_table(table, stream, compression="zstd")
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
