"""Market data on disk, by kind, bar length, symbol and month, in Parquet; `layout` says where and which columns.

A month is written whole to a temporary file, synced and renamed, so a crash leaves the old month or the new one. What is
stored stays: a row that comes again is skipped, one that comes again with other numbers is reported and the first is kept.
A month also tells which spans of time were asked for and answered: no row there means that there is none.
"""

import contextlib
import fcntl
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from feeds import times
from feeds.bars import COLUMNS
from feeds.errors import BadData
from feeds.events import Candle
from feeds.files import Ints
from feeds.history import History, Lane
from feeds.layout import MONTH, Shelf, kind_of, months, shelves
from feeds.months import SOURCES, About, Month, join, month_of, of_values, read_about, read_instants, read_month, write_month
from feeds.spans import Span, cut, merge

MOST_HOLES = 100  # of a series that are listed


class Conflict(NamedTuple):
    """A row that came again with other numbers; `kept` is stored, `refused` is not (values in the order of the kind's columns)."""

    symbol: str
    open_ms: int
    kept: tuple[float, ...]
    refused: tuple[float, ...]
    kind: str = "candles"


class Appended(NamedTuple):
    """What became of rows: stored, there already with the same numbers, there already with others."""

    added: int
    repeated: int
    conflicts: list[Conflict]


class Holding(NamedTuple):
    """What is stored of a series.

    bars      rows;  first_ms, end_ms  the first instant and the end of the last row, UTC milliseconds
    missing   rows that are not there between them, in so many `gaps`, of which `holes` are the largest, in order of time
    sources   who gave them;  size  bytes on disk
    """

    symbol: str
    timeframe: int | None
    bars: int
    first_ms: int
    end_ms: int
    missing: int
    size: int
    kind: str = "candles"
    gaps: int = 0
    sources: tuple[str, ...] = ()
    holes: tuple[Span, ...] = ()


class Archive:
    """The archive below `root`; the directory is made at the first append. One writer at a time: a second one waits."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def append(self, history: History) -> Appended:
        """Store the bars of a history. Raises BadData for a symbol that cannot be a file name."""
        parts = [
            (
                Shelf("candles", history.timeframe, symbol),
                of_values(lane.numbers * history.timeframe, np.stack(lane.columns, axis=1), history.source),
            )
            for symbol, lane in zip(history.symbols, history.lanes, strict=True)
        ]
        return self._append(parts, (), About())

    def append_candles(self, candles: Iterable[Candle]) -> Appended:
        """Store candles, in any order, of one timeframe. Raises BadData when their lengths differ."""
        by_symbol: dict[str, list[Candle]] = {}
        lengths = set()
        for candle in candles:
            lengths.add(candle.close_ms - candle.open_ms)
            by_symbol.setdefault(candle.symbol, []).append(candle)
        if not lengths:
            return Appended(0, 0, [])
        if len(lengths) > 1:
            raise BadData(
                f"candles of several lengths ({', '.join(times.span_text(n) for n in sorted(lengths))}); append one timeframe at a time"
            )
        timeframe = lengths.pop()
        parts = []
        for symbol, bars in by_symbol.items():
            values = np.array(
                [(c.open, c.high, c.low, c.close, c.volume, np.nan if c.turnover is None else c.turnover) for c in bars], np.float64
            )
            at = np.array([bar.open_ms for bar in bars], np.int64)
            kinds = np.array([SOURCES.index(bar.source) for bar in bars], np.uint8)
            parts.append((Shelf("candles", timeframe, symbol), Month(at, at, values, kinds)))
        return self._append(parts, (), About())

    def add(
        self, parts: Sequence[tuple[Shelf, Month]], *, covered: Sequence[Span] = (), origin: str = "", at: int | None = None
    ) -> Appended:
        """Store rows of any kinds, in any order; twice the same row counts once.

        covered  spans (UTC milliseconds, end exclusive) of which these rows are all that there is; they are remembered with the rows
        origin   who gave them, and `at` when: kept in the metadata of the months
        """
        return self._append(parts, covered, About((origin,) if origin else (), at))

    def rows(self, shelf: Shelf, start: int | None = None, stop: int | None = None) -> Month:
        """The rows of a series with start <= instant < stop (UTC milliseconds); none where none are stored."""
        found = [read_month(path, shelf.kind)[0] for path in self._months(shelf) if _overlaps(path, start, stop)]
        month = Month.of(found, len(kind_of(shelf.kind).values))
        keep = np.ones(month.at.size, bool)
        if start is not None:
            keep &= month.at >= start
        if stop is not None:
            keep &= month.at < stop
        return month.take(keep)

    def instants(self, shelf: Shelf, start: int | None = None, stop: int | None = None) -> Ints:
        """Those of `rows`, int64[n], read without the values; each once."""
        found = [read_instants(path, shelf.kind) for path in self._months(shelf) if _overlaps(path, start, stop)]
        at = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
        low = 0 if start is None else int(np.searchsorted(at, start))
        return at[low : at.size if stop is None else int(np.searchsorted(at, stop))]

    def about(self, shelf: Shelf) -> About:
        """Who gave a series, and which spans are known to be complete."""
        whole = About()
        for path in self._months(shelf):
            whole = whole.and_(read_about(path))
        return whole

    def read(self, symbols: Sequence[str], timeframe: int, start: int | None = None, stop: int | None = None) -> History:
        """The bars that lie whole within start .. stop (UTC milliseconds). Raises BadData where a symbol has none."""
        lanes = {}
        for symbol in symbols:
            last = None if stop is None else stop - timeframe + 1
            month = self.rows(Shelf("candles", timeframe, symbol), start, last)
            if not month.at.size:
                what = f"{times.span_text(timeframe)} bars of {symbol}"
                raise BadData(f"{self.root}: no {what} are stored in that span; `sluice data list` shows what there is")
            lanes[symbol] = Lane(month.at // timeframe, tuple(np.ascontiguousarray(month.values[:, c]) for c in range(len(COLUMNS))))
        return History(timeframe, lanes)

    def holdings(self) -> list[Holding]:
        """What is stored, by kind, timeframe and symbol."""
        return [self._holding(shelf) for shelf in shelves(self.root)]

    def _holding(self, shelf: Shelf) -> Holding:
        paths = self._months(shelf)
        rows = np.concatenate([read_instants(path, shelf.kind) for path in paths])
        at = np.unique(rows)
        missing, gaps = holes(at, shelf.timeframe)
        largest = sorted(sorted(gaps, key=lambda gap: gap.start - gap.stop)[:MOST_HOLES])
        return Holding(
            shelf.symbol, shelf.timeframe, rows.size, int(at[0]), int(at[-1]) + (shelf.timeframe or 0), missing,
            sum(path.stat().st_size for path in paths), shelf.kind, len(gaps), self.about(shelf).sources, tuple(largest),
        )  # fmt: skip

    def _months(self, shelf: Shelf) -> list[Path]:
        return months(shelf.folder(self.root))

    def _append(self, parts: Sequence[tuple[Shelf, Month]], covered: Sequence[Span], about: About) -> Appended:
        folders = [shelf.folder(self.root) for shelf, _ in parts]
        added, repeated, conflicts = 0, 0, []
        with self._writing():
            for (shelf, rows), folder in zip(parts, folders, strict=True):
                _sweep(folder)
                one = _store(shelf, folder, rows, covered, about)
                added += one.added
                repeated += one.repeated
                conflicts += one.conflicts
        return Appended(added, repeated, conflicts)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def holes(at: Ints, timeframe: int | None) -> tuple[int, list[Span]]:
    """How many rows are missing between the first and the last of these instants (ascending), and where.

    Without a timeframe a step is a hole that is longer than both steps beside it: an interval that changes is none.
    """
    steps = np.diff(at)
    if timeframe is not None:
        wide = np.flatnonzero(steps > timeframe)
        spans = [Span(int(at[i]) + timeframe, int(at[i + 1])) for i in wide]
        return int((steps[wide] // timeframe - 1).sum()), spans
    if steps.size < 2:
        return 0, []
    beside = np.maximum(np.append(steps[1:], steps[-2]), np.concatenate((steps[1:2], steps[:-1])))
    wide = np.flatnonzero(steps > beside)
    missing = int((steps[wide] // beside[wide]).sum() - wide.size)
    return missing, [Span(int(at[i]) + 1, int(at[i + 1])) for i in wide]


def _overlaps(path: Path, start: int | None, stop: int | None) -> bool:
    return (start is None or path.stem >= month_of(start)) and (stop is None or path.stem <= month_of(stop))


def _sweep(folder: Path) -> None:
    """Remove what a writer that died left behind: who holds the lock knows that nobody writes."""
    for path in folder.glob(".*.parquet.*") if folder.is_dir() else ():
        if MONTH.fullmatch(path.name[1:].rpartition(".")[0]):
            path.unlink(missing_ok=True)


def _store(shelf: Shelf, folder: Path, rows: Month, covered: Sequence[Span], about: About) -> Appended:
    added, repeated, conflicts = 0, 0, []
    kind = kind_of(shelf.kind)
    new = rows.by_month()
    stored = {path.stem for path in months(folder)}
    for name, spans in _shared(sorted({*stored, *new}), covered, set(new)).items():
        path = folder / f"{name}.parquet"
        old, known = read_month(path, shelf.kind) if name in stored else (None, About())
        fresh = new.get(name, rows.take(slice(0, 0)))
        joined = join(old, fresh, kind)
        told = known.and_(about._replace(covered=spans) if joined.added or old is None or spans else About())
        if joined.month is not None or told.covered != known.covered:
            whole = joined.month if joined.month is not None else old
            assert whole is not None
            write_month(path, shelf, whole, told)
        added += joined.added
        repeated += joined.repeated
        conflicts += [Conflict(shelf.symbol, at, kept, refused, shelf.kind) for at, kept, refused in joined.fights]
    return Appended(added, repeated, conflicts)


def _shared(names: Sequence[str], covered: Sequence[Span], touched: set[str]) -> dict[str, tuple[Span, ...]]:
    """Each month file's part of what is covered: its own time, and that of the months before it which have no file."""
    out: dict[str, tuple[Span, ...]] = {}
    for place, name in enumerate(names):
        begin = None if place == 0 else _after(names[place - 1])
        end = None if place == len(names) - 1 else _after(name)
        spans = merge(cut(covered, begin, end))
        if spans or name in touched:
            out[name] = tuple(spans)
    return out


def _after(name: str) -> int:
    return int((np.datetime64(name, "M") + 1).astype("datetime64[ms]").astype(np.int64))
