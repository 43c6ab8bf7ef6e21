"""Market history on disk: candles by timeframe, symbol and month, in Parquet.

    ROOT/candles/1m/BTCUSDT/2024-01.parquet      open_ms, open, high, low, close, volume, turnover, source

A month is written whole to a temporary file, synced and renamed, so a crash leaves the old month or the new one. What is
stored stays: a bar that comes again is skipped, one that comes again with other numbers is reported and the first is kept.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from feeds import times
from feeds.bars import COLUMNS
from feeds.errors import BadData
from feeds.events import Candle, Source
from feeds.files import Floats, Ints
from feeds.history import History, Lane
from feeds.synth import LABEL, MARK

_SOURCES = tuple(Source)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MONTH = re.compile(r"\d{4}-\d\d\.parquet")


class Conflict(NamedTuple):
    """A bar that came again with other numbers; `kept` is stored, `refused` is not (open, high, low, close, volume, turnover)."""

    symbol: str
    open_ms: int
    kept: tuple[float, ...]
    refused: tuple[float, ...]


class Appended(NamedTuple):
    """What became of bars: stored, there already with the same numbers, there already with others."""

    added: int
    repeated: int
    conflicts: list[Conflict]


class Holding(NamedTuple):
    """What is stored of a symbol: bars, the first open and the last close (UTC milliseconds), missing between them, bytes on disk."""

    symbol: str
    timeframe: int
    bars: int
    first_ms: int
    end_ms: int
    missing: int
    size: int


class _Month(NamedTuple):
    """open_ms int64[n] ascending, values float64[n, 6], source uint8[n] as a position in Source."""

    open_ms: Ints
    values: Floats
    source: NDArray[np.uint8]

    def take(self, rows: slice | Ints | NDArray[np.bool_]) -> "_Month":
        """These bars of it."""
        return _Month(self.open_ms[rows], self.values[rows], self.source[rows])


class Archive:
    """The archive below `root`; the directory is made at the first append. One writer at a time: a second one waits."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def append(self, history: History) -> Appended:
        """Store the bars of a history. Raises BadData for a symbol that cannot be a file name."""
        parts = [
            (symbol, _Month(lane.numbers * history.timeframe, np.stack(lane.columns, axis=1), _sources(history.source, lane.numbers.size)))
            for symbol, lane in zip(history.symbols, history.lanes, strict=True)
        ]
        return self._append(history.timeframe, parts)

    def append_candles(self, candles: Iterable[Candle]) -> Appended:
        """Store candles, in any order, of one timeframe. Raises BadData when their lengths differ."""
        by_symbol: dict[str, dict[int, Candle]] = {}
        lengths = set()
        for candle in candles:
            lengths.add(candle.close_ms - candle.open_ms)
            by_symbol.setdefault(candle.symbol, {}).setdefault(candle.open_ms, candle)
        if not lengths:
            return Appended(0, 0, [])
        if len(lengths) > 1:
            raise BadData(
                f"candles of several lengths ({', '.join(times.span_text(n) for n in sorted(lengths))}); append one timeframe at a time"
            )
        parts = []
        for symbol, found in by_symbol.items():
            bars = [found[at] for at in sorted(found)]
            values = np.array(
                [(c.open, c.high, c.low, c.close, c.volume, np.nan if c.turnover is None else c.turnover) for c in bars], np.float64
            )
            sources = np.array([_SOURCES.index(bar.source) for bar in bars], np.uint8)
            parts.append((symbol, _Month(np.array([bar.open_ms for bar in bars], np.int64), values, sources)))
        return self._append(lengths.pop(), parts)

    def read(self, symbols: Sequence[str], timeframe: int, start: int | None = None, stop: int | None = None) -> History:
        """The bars that lie whole within start .. stop (UTC milliseconds). Raises BadData where a symbol has none."""
        lanes = {}
        for symbol in symbols:
            months = [_read_month(path) for path in self._months(symbol, timeframe) if _overlaps(path, start, stop)]
            open_ms = np.concatenate([month.open_ms for month in months]) if months else np.empty(0, np.int64)
            inside = np.ones(open_ms.size, bool)
            if start is not None:
                inside &= open_ms >= start
            if stop is not None:
                inside &= open_ms + timeframe <= stop
            if not inside.any():
                what = f"{times.span_text(timeframe)} bars of {symbol}"
                raise BadData(f"{self.root}: no {what} are stored in that span; `sluice data list` shows what there is")
            values = np.concatenate([month.values for month in months])[inside]
            lanes[symbol] = Lane(open_ms[inside] // timeframe, tuple(np.ascontiguousarray(values[:, c]) for c in range(len(COLUMNS))))
        return History(timeframe, lanes)

    def holdings(self) -> list[Holding]:
        """What is stored, by timeframe and symbol."""
        out = []
        for folder in sorted(self.root.glob("candles/*/*")):
            months = sorted(path for path in folder.iterdir() if _MONTH.fullmatch(path.name)) if folder.is_dir() else []
            if not months:
                continue
            timeframe = times.span(folder.parent.name)
            open_ms = np.concatenate([_read_month(path).open_ms for path in months])
            first, end = int(open_ms[0]), int(open_ms[-1]) + timeframe
            missing = (end - first) // timeframe - open_ms.size
            size = sum(path.stat().st_size for path in months)
            out.append(Holding(folder.name, timeframe, open_ms.size, first, end, missing, size))
        return sorted(out, key=lambda holding: (holding.timeframe, holding.symbol))

    def _folder(self, symbol: str, timeframe: int) -> Path:
        if not _NAME.fullmatch(symbol) or ".." in symbol:
            raise BadData(f"{symbol!r} cannot be stored: a symbol is letters, digits, _ . and -; rename it with --symbols")
        return self.root / "candles" / times.span_text(timeframe) / symbol

    def _months(self, symbol: str, timeframe: int) -> list[Path]:
        folder = self._folder(symbol, timeframe)
        return sorted(path for path in folder.iterdir() if _MONTH.fullmatch(path.name)) if folder.is_dir() else []

    def _append(self, timeframe: int, parts: Sequence[tuple[str, _Month]]) -> Appended:
        folders = [self._folder(symbol, timeframe) for symbol, _ in parts]
        added, repeated, conflicts = 0, 0, []
        with self._writing():
            for (symbol, bars), folder in zip(parts, folders, strict=True):
                for path, new in _by_month(folder, bars):
                    kept, again, fights = _joined(symbol, _read_month(path) if path.exists() else None, new)
                    if kept is not None:
                        _write_month(path, kept)
                    added += new.open_ms.size - again - len(fights)
                    repeated += again
                    conflicts += fights
        return Appended(added, repeated, conflicts)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _sources(source: Source, size: int) -> NDArray[np.uint8]:
    return np.full(size, _SOURCES.index(source), np.uint8)


def _month_of(open_ms: int) -> str:
    return datetime.fromtimestamp(open_ms // 1_000, tz=UTC).strftime("%Y-%m")


def _overlaps(path: Path, start: int | None, stop: int | None) -> bool:
    return (start is None or path.stem >= _month_of(start)) and (stop is None or path.stem <= _month_of(stop))


def _by_month(folder: Path, bars: _Month) -> Iterator[tuple[Path, _Month]]:
    months = bars.open_ms.astype("datetime64[ms]").astype("datetime64[M]")
    names, starts = np.unique(months, return_index=True)
    for name, first, end in zip(names, starts, [*starts[1:], months.size], strict=True):
        yield folder / f"{name}.parquet", bars.take(slice(int(first), int(end)))


def _joined(symbol: str, old: _Month | None, new: _Month) -> tuple[_Month | None, int, list[Conflict]]:
    """The month with what is new in it (None: nothing is), how many bars were there already, and those that differ."""
    if old is None:
        return new, 0, []
    there = np.isin(new.open_ms, old.open_ms)
    before = old.values[np.searchsorted(old.open_ms, new.open_ms[there])]
    again = new.values[there]
    # A turnover that one side does not give is no contradiction.
    same = (before == again) | (np.isnan(before) | np.isnan(again)) & (np.arange(len(COLUMNS)) == len(COLUMNS) - 1)
    differs = ~same.all(axis=1)
    stamps = new.open_ms[there][differs].tolist()
    fights = [
        Conflict(symbol, at, tuple(kept), tuple(refused))
        for at, kept, refused in zip(stamps, before[differs].tolist(), again[differs].tolist(), strict=True)
    ]
    if there.all():
        return None, int(there.sum()) - len(fights), fights
    fresh = new.take(~there)
    both = _Month(
        np.concatenate((old.open_ms, fresh.open_ms)),
        np.concatenate((old.values, fresh.values)),
        np.concatenate((old.source, fresh.source)),
    )
    return both.take(np.argsort(both.open_ms, kind="stable")), int(there.sum()) - len(fights), fights


def _read_month(path: Path) -> _Month:
    try:
        table = pa.parquet.read_table(path, partitioning=None)
        columns = [np.asarray(table[name].to_numpy(), np.float64) for name in COLUMNS]
        open_ms = np.asarray(table["open_ms"].to_numpy(), np.int64)
        known = {str(source): place for place, source in enumerate(_SOURCES)}
        source = np.array([known[name] for name in table["source"].to_pylist()], np.uint8)
    except (pa.ArrowException, OSError, KeyError) as fault:
        raise BadData(f"{path}: this month of the archive cannot be read ({fault}); remove the file and import it again") from None
    return _Month(open_ms, np.stack(columns, axis=1), source)


def _write_month(path: Path, month: _Month) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            "open_ms": month.open_ms,
            **{name: np.ascontiguousarray(month.values[:, c]) for c, name in enumerate(COLUMNS)},
            "source": pa.DictionaryArray.from_arrays(pa.array(month.source, pa.uint8()), [str(source) for source in _SOURCES]).cast(
                "string"
            ),
        }
    )
    if _SOURCES.index(Source.SYNTHETIC) in month.source:
        table = table.replace_schema_metadata({MARK: b'{"synthetic": true}', b"label": LABEL.encode()})
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
