"""Stored candles as history: read whole and checked, then given out in blocks or one event at a time, in total order.

The order of everything is (at, position of the feed, sequence). A candle is known at its close; at one instant come
the feeds that stand before the candles, the candles in universe order, then the feeds that stand after them.
"""

import hashlib
import heapq
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from feeds import times
from feeds.bars import COLUMNS, Bars, Block
from feeds.candle_files import Series, check_series, read_long, read_series
from feeds.errors import BadData
from feeds.events import Event, Source
from feeds.files import Floats, Ints, find_files, symbol_of
from feeds.layout import folders_of
from feeds.mapped import Fixed, give_back, joined, pieces


class Recorded(Protocol):
    """A feed of stored events, sorted by `at`; `after_candles` says on which side of the candles it stands at one instant."""

    name: str
    after_candles: bool

    def events(self) -> Iterator[Event]:
        """Every event, in order of `at`."""


class Gap(NamedTuple):
    """`bars` bars of `symbol` that are not there, the first of which would open at `first_ms`."""

    symbol: str
    first_ms: int
    bars: int


class Lane(NamedTuple):
    """One symbol's bars: absolute bar numbers int64[n], ascending; six columns float64[n] in the order of bars.COLUMNS."""

    numbers: Ints
    columns: tuple[Floats, ...]


class History:
    """Candles of a fixed universe at one timeframe. `warnings` says, for people, what a careful reader would want to know.

    first, end  absolute numbers of the first bar and of the one after the last
    gaps        holes inside a symbol's life; a later listing or an earlier end is none
    """

    name = "history"
    after_candles = False

    def __init__(self, timeframe: int, lanes: Mapping[str, Lane], *, warnings: Sequence[str] = (), source: Source = Source.FILE) -> None:
        if not lanes:
            raise BadData("no candles: the history has no symbol")
        self.timeframe = timeframe
        self.symbols = tuple(lanes)
        self.lanes = tuple(lanes.values())
        self.source = source
        self.first = min(int(lane.numbers[0]) for lane in self.lanes)
        self.end = max(int(lane.numbers[-1]) for lane in self.lanes) + 1
        self.gaps = [gap for symbol, lane in lanes.items() for gap in _gaps(symbol, lane.numbers, timeframe)]
        self.warnings = [*warnings, *_gap_warnings(self.gaps)]

    @classmethod
    def from_arrays(cls, timeframe: int, series: Mapping[str, tuple[Ints, Sequence[Floats]]], *, source: Source = Source.FILE) -> "History":
        """From (open_ms int64[n] ascending, six columns float64[n]) a symbol, taken as sound: for bars made here, not read."""
        return cls(timeframe, {name: Lane(at // timeframe, tuple(columns)) for name, (at, columns) in series.items()}, source=source)

    @property
    def span(self) -> tuple[int, int]:
        """From the first bar's open to the last bar's close, UTC milliseconds."""
        return self.first * self.timeframe, self.end * self.timeframe

    @property
    def rows(self) -> int:
        """Bar closes from the first to the last, those without any bar included."""
        return self.end - self.first

    @property
    def bars(self) -> int:
        """Bars that are there, over all symbols."""
        return sum(int(lane.numbers.size) for lane in self.lanes)

    @cached_property
    def sha256(self) -> str:
        """Of timeframe, symbols (sorted), open times and values: the same for the same bars in any file format."""
        digest = hashlib.sha256(f"candles {self.timeframe}".encode())
        for symbol, lane in sorted(zip(self.symbols, self.lanes, strict=True), key=lambda pair: pair[0]):
            digest.update(f"\n{symbol} {lane.numbers.size}\n".encode())
            for begin, end in pieces(lane.numbers.size):
                digest.update((lane.numbers[begin:end] * self.timeframe).astype("<i8").tobytes())
            for column in lane.columns:
                for begin, end in pieces(column.size):
                    piece = column[begin:end] + 0.0
                    piece[np.isnan(piece)] = np.nan
                    digest.update(piece.astype("<f8", copy=False).tobytes())
                    give_back(column)
        return digest.hexdigest()

    def window(self, start: int | None = None, stop: int | None = None) -> tuple[int, int]:
        """The absolute numbers [first, end) of the bars that lie whole within start .. stop (UTC milliseconds)."""
        first = self.first if start is None else max(self.first, -(-start // self.timeframe))
        return first, max(first, self.end if stop is None else min(self.end, stop // self.timeframe))

    def values(self, first: int, end: int) -> Floats:
        """float64[end - first, 6, symbols] of the bars with these absolute numbers; NaN where there is none.

        In memory each column is in one piece: whoever reads one does not read the others.
        """
        out = np.empty((len(COLUMNS), end - first, len(self.symbols))).transpose(1, 0, 2)
        for s, lane in enumerate(self.lanes):
            low, high = (int(i) for i in np.searchsorted(lane.numbers, (first, end)))
            if high - low < end - first:
                out[:, :, s] = np.nan
            if low == high:
                continue
            begin = int(lane.numbers[low]) - first
            whole = int(lane.numbers[high - 1]) - first - begin == high - low - 1
            rows = slice(begin, begin + high - low) if whole else lane.numbers[low:high] - first
            for c, column in enumerate(lane.columns):
                out[rows, c, s] = column[low:high]
            give_back(lane.numbers, lane.columns[0])
        return out

    def blocks(
        self,
        size: int = 4096,
        start: int | None = None,
        stop: int | None = None,
        others: Sequence[Recorded] = (),
        since: int | None = None,
    ) -> Iterator[Block]:
        """Blocks of at most `size` rows, with the other events merged in.

        start, stop  UTC milliseconds: bars that lie whole between them
        others       in order of their position. What was known before the first bar comes before row 0; what became known
                     after the last close is not given out
        since        other events known before this instant are left out (None: none is)
        """
        first, end = self.window(start, stop)
        waiting = _merged(others, since)
        ahead = next(waiting, None)
        while first < end:
            after = min(first + size, end)
            close = after * self.timeframe
            inside: list[tuple[int, Event]] = []
            while ahead is not None and ahead[0].at <= close:
                event, behind = ahead
                number = event.at // self.timeframe + 1 if behind else -(-event.at // self.timeframe)
                inside.append((max(0, number - first - 1), event))
                ahead = next(waiting, None)
            yield Block(Bars(self.symbols, self.timeframe, first, self.values(first, after), self.source), inside)
            first = after

    def events(
        self, start: int | None = None, stop: int | None = None, others: Sequence[Recorded] = (), since: int | None = None
    ) -> Iterator[Event]:
        """The same as `blocks`, one event at a time: a Candle for each bar that is there."""
        for bars, inside in self.blocks(1024, start, stop, others, since):
            place = 0
            for row in range(bars.rows):
                while place < len(inside) and inside[place][0] <= row:
                    yield inside[place][1]
                    place += 1
                for symbol in bars.present(row):
                    yield bars.candle(row, symbol)
            for _, event in inside[place:]:
                yield event

    async def stream(self) -> AsyncIterator[Event]:
        """The candles as a feed."""
        for event in self.events():
            yield event


def _merged(others: Sequence[Recorded], since: int | None) -> Iterator[tuple[Event, bool]]:
    ordered = sorted(others, key=lambda feed: feed.after_candles)
    return heapq.merge(*(_tagged(feed, since) for feed in ordered), key=lambda pair: pair[0].at)


def _tagged(feed: Recorded, since: int | None) -> Iterator[tuple[Event, bool]]:
    last = None
    for event in feed.events():
        if last is not None and event.at < last:
            raise BadData(
                f"{feed.name}: an event of {times.iso(event.at)} comes after one of {times.iso(last)}; a feed must be sorted by `at`"
            )
        last = event.at
        if since is None or event.at >= since:
            yield event, feed.after_candles


def _gaps(symbol: str, index: Ints, timeframe: int) -> Iterator[Gap]:
    for begin, end in pieces(index.size):
        steps = np.diff(index[begin : end + 1])
        for i in np.flatnonzero(steps > 1).tolist():
            yield Gap(symbol, (int(index[begin + i]) + 1) * timeframe, int(steps[i]) - 1)
    give_back(index)


def _gap_warnings(gaps: Sequence[Gap]) -> list[str]:
    lines = []
    for symbol, group in groupby(gaps, key=lambda gap: gap.symbol):
        holes = list(group)
        longest = max(holes, key=lambda gap: gap.bars)
        lines.append(
            f"{symbol}: {sum(gap.bars for gap in holes)} bars missing in {len(holes)} gaps, "
            f"the longest of {longest.bars} from {times.iso(longest.first_ms)}; they are not filled"
        )
    return lines if len(lines) <= 20 else [*lines[:19], f"{len(lines) - 19} more symbols have gaps; `sluice data check` lists them"]


def read_candles(
    paths: Iterable[str | Path],
    symbols: Sequence[str] | None = None,
    timeframe: int | None = None,
    now: int | None = None,
) -> History:
    """Candle files as one checked history: files or directories, one symbol a file or a `symbol` column.

    symbols    the universe in this order (None: every symbol found, sorted)
    timeframe  milliseconds; coarser than the files aggregates them (None: the most common spacing)
    now        times after it are refused, and a bar that is still forming then is left out (None: not checked)

    Raises BadData with file, row and column for anything that cannot be, and then gives nothing.
    """
    wanted = None if symbols is None else list(dict.fromkeys(symbols))
    found: dict[str, list[Series]] = {}
    there: set[str] = set()
    for path in find_files(folders_of(paths, "candles", timeframe)):
        for series in _checked(path, wanted, now):
            found.setdefault(series.symbol, []).append(series)
        there.add(path.stem)
    universe = sorted(found) if wanted is None else wanted
    missing = [symbol for symbol in universe if symbol not in found]
    if missing:
        raise BadData(
            f"no candles for {', '.join(missing)} in {len(there)} files ({', '.join(sorted(there)[:12])}); check --symbols and --candles"
        )
    return history_of(list(chain.from_iterable(found[symbol] for symbol in universe)), universe, timeframe, now)


def _checked(path: Path, wanted: Sequence[str] | None, now: int | None) -> list[Series]:
    if wanted is None or symbol_of(path) in wanted:
        long = read_long(path, now)
        if long is not None:
            return [long]
    series = read_series(path, wanted)
    for one in series:
        check_series(one, now)
    return series


def history_of(series: Sequence[Series], universe: Sequence[str] | None, timeframe: int | None, now: int | None) -> History:
    """Checked series as one history; see `read_candles`. The universe is every symbol there is, sorted, where None."""
    step = timeframe_of(series, timeframe)
    found: dict[str, list[Series]] = {}
    for one in series:
        found.setdefault(one.symbol, []).append(one)
    lanes: dict[str, Lane] = {}
    warnings: list[str] = []
    for symbol in sorted(found) if universe is None else universe:
        lanes[symbol] = _lane(found[symbol], step, now, warnings)
    empty = [symbol for symbol, lane in lanes.items() if lane.numbers.size == 0]
    if empty:
        raise BadData(f"no closed bar of {', '.join(empty)}: the only one is still forming; wait for its close or leave the symbol out")
    return History(step, lanes, warnings=warnings)


def timeframe_of(series: Sequence[Series], asked: int | None) -> int:
    """The bar length of these series, or the one asked for where they can give it. Raises BadData where not."""
    spacings = sorted({one.spacing for one in series if one.spacing is not None})
    where = {one.spacing: one.path for one in series}
    if asked is None:
        if not spacings:
            raise BadData(f"{series[0].path}: one bar has no spacing to tell the timeframe by; give --timeframe")
        if len(spacings) > 1:
            kinds = ", ".join(f"{where[spacing]} {times.span_text(spacing)}" for spacing in spacings)
            raise BadData(
                f"the files have different timeframes ({kinds}); give --timeframe {times.span_text(spacings[-1])} or a coarser one"
            )
        asked = spacings[0]
    if asked <= 0 or times.DAY % asked:
        at = where.get(asked, series[0].path)
        raise BadData(f"{at}: the timeframe {times.span_text(asked)} does not divide a day; give --timeframe, such as 1m, 15m, 4h or 1d")
    for spacing in spacings:
        if spacing > asked:
            raise BadData(
                f"{where[spacing]}: its bars are {times.span_text(spacing)} long, coarser than the timeframe {times.span_text(asked)}; "
                f"give --timeframe {times.span_text(spacing)} or finer files"
            )
        if asked % spacing:
            raise BadData(
                f"{where[spacing]}: its bars of {times.span_text(spacing)} do not fit into {times.span_text(asked)}; give a multiple"
            )
    return asked


def _lane(parts: list[Series], timeframe: int, now: int | None, warnings: list[str]) -> Lane:
    parts = sorted(parts, key=lambda part: int(part.open_ms[0]))
    for before, after in pairwise(parts):
        if before.open_ms[-1] >= after.open_ms[0]:
            raise BadData(
                f"{before.path} and {after.path} both hold {after.symbol} at {times.iso(int(after.open_ms[0]))}: "
                "two files for one symbol overlap; give one of them"
            )
    for part in parts:
        _check_grid(part, part.spacing or timeframe)
    numbers, *columns = joined([(_numbers(part.open_ms, timeframe), *part.columns) for part in parts])
    lane = Lane(numbers, tuple(columns))
    if any((part.spacing or timeframe) != timeframe for part in parts):
        lengths = np.concatenate([np.full(part.open_ms.size, part.spacing or timeframe) for part in parts])
        lane, incomplete = _aggregated(lane, lengths, timeframe)
        if incomplete:
            size = times.span_text(timeframe)
            warnings.append(
                f"{parts[0].symbol}: {incomplete} of {lane.numbers.size} bars of {size} are built from a part of their time only"
            )
    if now is not None and (int(lane.numbers[-1]) + 1) * timeframe > now:
        warnings.append(f"{parts[0].symbol}: the bar of {times.iso(int(lane.numbers[-1]) * timeframe)} has not closed yet; left out")
        lane = Lane(lane.numbers[:-1], tuple(column[:-1] for column in lane.columns))
    return lane


def _numbers(open_ms: Ints, timeframe: int) -> Ints:
    """The absolute numbers of bars that open then."""
    kept = Fixed([np.int64], open_ms.size)
    for begin, end in pieces(open_ms.size):
        kept.append([open_ms[begin:end] // timeframe])
        give_back(open_ms)
    (numbers,) = kept.arrays()
    return numbers


def _check_grid(part: Series, spacing: int) -> None:
    off = (begin + row for begin, end in pieces(part.open_ms.size) for row in np.flatnonzero(part.open_ms[begin:end] % spacing).tolist())
    bar = next(off, None)
    if bar is not None:
        when = times.iso(int(part.open_ms[bar]))
        raise BadData(
            f"{part.place(bar, part.time_name)}: {when} is off the grid of {times.span_text(spacing)} bars counted from 1970; "
            "times are the bar's open: correct them, or give --timeframe"
        )


def _aggregated(lane: Lane, lengths: Ints, timeframe: int) -> tuple[Lane, int]:
    """Bars of `timeframe` from finer ones, and how many are not whole. Open first, high max, low min, close last, the rest summed."""
    starts = np.flatnonzero(np.concatenate(([True], np.diff(lane.numbers) > 0)))
    ends = np.append(starts[1:], lane.numbers.size) - 1
    open_, high, low, close, volume, turnover = lane.columns
    columns = (
        open_[starts],
        np.maximum.reduceat(high, starts),
        np.minimum.reduceat(low, starts),
        close[ends],
        np.add.reduceat(volume, starts),
        np.add.reduceat(turnover, starts),
    )
    return Lane(lane.numbers[starts], columns), int((np.add.reduceat(lengths, starts) < timeframe).sum())
