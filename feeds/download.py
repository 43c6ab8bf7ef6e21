"""Past market data from an exchange into the archive, resumable: what is stored and what is known not to exist is not asked for again.

The state is the archive itself. Rows are fetched page by page, several at once; what a page lacks is asked for again; then the rows are
stored together with the span that they are all of, so that a kill at any moment leaves whole months and a second run goes on from there.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from feeds.archive import Appended, Archive, Conflict, holes
from feeds.errors import FeedError
from feeds.events import Source
from feeds.layout import Shelf, kind_of
from feeds.months import Month, sources_of
from feeds.spans import Span, cut, merge, without
from feeds.times import DAY

AT_ONCE = 4  # pages under way
PAGES = 8  # pages of a batch, which is stored in one go
ASKED_AGAIN = 2  # times, for what a page lacks
FRESH = DAY  # what is missing at the end of a series may still come so long
MOST_HOLES = 50  # of a batch that are asked for one by one; more are asked for as one span

Tell = Callable[[int, int, str], None]  # done, total (rows), what is under way


class Remote(Protocol):
    """One series at an exchange; see `feeds.bybit.past.BybitSeries`."""

    shelf: Shelf
    launch: int | None
    whole: bool
    step: int
    usual: int
    reach: int

    async def fetch(self, start: int, stop: int) -> Month: ...
    async def latest(self, stop: int) -> int | None: ...


class Fetched(NamedTuple):
    """What became of one series.

    rows      new ones;  stored  all that lie in the span now;  first_ms, end_ms  from the first to the end of the last (None: none)
    repaired  rows that came only when a hole was asked for again
    gaps      spans between the first and the last row that the exchange has nothing for, in rows `missing`
    conflicts rows that were stored before with other numbers
    listed_ms where the series begins, when that is inside the span (None: it is not)
    """

    shelf: Shelf
    rows: int
    stored: int
    first_ms: int | None
    end_ms: int | None
    repaired: int
    gaps: list[Span]
    missing: int
    conflicts: list[Conflict]
    listed_ms: int | None


class Downloader:
    """Fetches series into an archive.

    origin  who gives the rows;  at  when, UTC milliseconds: both are kept with them
    tell    is told how far it is, over all series that were announced with `plan`
    recheck ask again for what the exchange had not when it was asked before
    """

    def __init__(
        self, archive: Archive, origin: str, at: int, tell: Tell = lambda done, total, what: None, *, recheck: bool = False
    ) -> None:
        self._archive = archive
        self._recheck = recheck
        self._origin, self._at = origin, at
        self._tell = tell
        self._done = self._total = 0

    def plan(self, remotes: Sequence[Remote], span: Span) -> None:
        """What will be fetched, for the progress."""
        self._total += sum((one.stop - one.start) // remote.step for remote in remotes for one in self.wanted(remote, span))

    def wanted(self, remote: Remote, span: Span) -> list[Span]:
        """What of the span is neither stored nor known not to exist."""
        step = remote.step
        whole = Span(-(-span.start // step) * step, span.stop // step * step) if remote.whole else span
        known = [] if self._recheck else list(self._archive.about(remote.shelf).covered)
        if remote.whole:
            at = self._archive.instants(remote.shelf, whole.start, whole.stop)
            edges = np.flatnonzero(np.diff(at) != step)
            starts, ends = np.append(at[:1], at[edges + 1]), np.append(at[edges], at[-1:])
            known += [Span(int(first), int(last) + step) for first, last in zip(starts, ends, strict=True)]
        return without(whole, merge(known)) if whole.start < whole.stop else []

    async def fetch(self, remote: Remote, span: Span) -> Fetched:
        """Bring one series up to date over the span. Raises FeedError; what was fetched until then is stored."""
        added, repaired = 0, 0
        conflicts: list[Conflict] = []
        for part in self.wanted(remote, span):
            begin = await self._begin(remote, part)
            nothing = [Span(part.start, begin)] if begin > part.start else []
            self._tell_more(remote, begin - part.start)
            while begin < part.stop:
                batch = Span(begin, min(part.stop, begin + PAGES * remote.reach))
                rows, mended = await self._batch(remote, batch)
                end = batch.stop if rows.at.size else await self._next(remote, batch, part.stop)
                stored = self._store(remote, rows, [*nothing, Span(batch.start, end)])
                nothing = [] if rows.at.size else [*nothing, Span(batch.start, end)]
                added, repaired = added + stored.added, repaired + mended
                conflicts += stored.conflicts
                self._tell_more(remote, end - batch.start)
                begin = end
        return self._report(remote, span, added, repaired, conflicts)

    async def _begin(self, remote: Remote, part: Span) -> int:
        """Where the rows of a span begin; the end of the span where it has none.

        A series has rows from its listing on, so where only later rows are known the listing is looked for by halving.
        """
        held = () if self._recheck else self._archive.about(remote.shelf).covered
        if any(span.stop == part.start for span in held) or self._archive.instants(remote.shelf, None, part.start).size:
            return part.start
        launch = part.start if remote.launch is None else max(part.start, remote.launch // remote.step * remote.step)
        if launch >= part.stop:
            before = await remote.latest(part.stop)
            return part.stop if before is None or before < part.start else await self._listing(remote, part)
        if launch > part.start and not (await remote.fetch(max(part.start, launch - remote.reach), launch)).at.size:
            return launch
        return await self._listing(remote, Span(part.start, launch)) if launch > part.start else part.start

    async def _listing(self, remote: Remote, part: Span) -> int:
        """The first instant of a span that has rows from some page on: halving over its pages."""
        low, high = 0, -(-(part.stop - part.start) // remote.reach) - 1  # the last page has rows
        while low < high:
            middle = (low + high) // 2
            start = part.start + middle * remote.reach
            if (await remote.fetch(start, min(part.stop, start + remote.reach))).at.size:
                high = middle
            else:
                low = middle + 1
        return part.start + low * remote.reach

    async def _next(self, remote: Remote, batch: Span, stop: int) -> int:
        """After a batch without any row: where to go on, which is the end of it all where the series has ended."""
        newest = await remote.latest(stop)
        if newest is None or newest < batch.stop:
            return stop
        begun = bool(self._archive.instants(remote.shelf, None, batch.start).size)
        return batch.stop if begun else await self._listing(remote, Span(batch.stop, newest + 1))

    async def _batch(self, remote: Remote, batch: Span) -> tuple[Month, int]:
        """The rows of a batch, and how many of them came only when they were asked for again."""
        rows = await self._pages(remote, [batch])
        repaired = 0
        for _ in range(ASKED_AGAIN):
            lacking = _lacking(remote, rows, batch)
            if not lacking:
                break
            more = await self._pages(remote, lacking)
            fresh = ~np.isin(more.at, rows.at)
            if not fresh.any():
                break
            mended = more.take(fresh)
            repaired += mended.at.size
            rows = Month.of([rows, mended._replace(source=sources_of(Source.REPAIRED, mended.at.size))], rows.values.shape[1])
            rows = rows.take(np.argsort(rows.at, kind="stable"))
        return rows, repaired

    async def _pages(self, remote: Remote, spans: Sequence[Span]) -> Month:
        pages = [
            Span(start, min(span.stop, start + remote.reach)) for span in spans for start in range(span.start, span.stop, remote.reach)
        ]
        found: list[Month] = []
        for first in range(0, len(pages), AT_ONCE):
            asked: list[asyncio.Task[Month]] = []
            failures: tuple[BaseException, ...] = ()
            try:
                async with asyncio.TaskGroup() as group:
                    asked = [group.create_task(remote.fetch(*page)) for page in pages[first : first + AT_ONCE]]
            except* FeedError as failed:
                failures = failed.exceptions
            if failures:
                raise failures[0]
            found += [task.result() for task in asked]
        return Month.of(found, len(kind_of(remote.shelf.kind).values))

    def _store(self, remote: Remote, rows: Month, covered: Sequence[Span]) -> Appended:
        known = self._at - FRESH
        if rows.at.size:
            known = max(known, int(rows.at[-1]) + (remote.step if remote.whole else 1))
        return self._archive.add([(remote.shelf, rows)], covered=cut(covered, None, known), origin=self._origin, at=self._at)

    def _tell_more(self, remote: Remote, time: int) -> None:
        self._done += time // remote.step
        self._tell(min(self._done, self._total), self._total, str(remote.shelf))

    def _report(self, remote: Remote, span: Span, added: int, repaired: int, conflicts: list[Conflict]) -> Fetched:
        at = self._archive.instants(remote.shelf, span.start, span.stop)
        if not at.size:
            return Fetched(remote.shelf, added, 0, None, None, repaired, [], 0, conflicts, None)
        missing, gaps = holes(at, remote.shelf.timeframe) if remote.whole or remote.shelf.timeframe is None else (0, [])
        first, end = int(at[0]), int(at[-1]) + (remote.step if remote.whole else 0)
        listed = first if first >= span.start + remote.step and not self._archive.instants(remote.shelf, None, span.start).size else None
        return Fetched(remote.shelf, added, at.size, first, end, repaired, gaps, missing, conflicts, listed)


def _lacking(remote: Remote, rows: Month, batch: Span) -> list[Span]:
    """The spans of a batch that have no row where one is to be expected."""
    if not remote.whole and remote.shelf.timeframe is not None:
        return []  # an exchange that closes: nobody can tell a hole from a night
    if not rows.at.size:
        return [batch]
    if remote.whole:
        at = np.concatenate(([batch.start - remote.step], rows.at, [batch.stop]))
        wide = np.flatnonzero(np.diff(at) > remote.step)
        spans = [Span(int(at[i]) + remote.step, int(at[i + 1])) for i in wide]
    else:
        at = np.concatenate(([batch.start], rows.at, [batch.stop]))
        wide = np.flatnonzero(np.diff(at) > remote.usual)  # where the interval was longer in the past, asking again brings nothing
        spans = [Span(int(at[i]) + 1, int(at[i + 1])) for i in wide]
    if len(spans) > MOST_HOLES:
        spans = [Span(spans[0].start, spans[-1].stop)]
    return cut(spans, batch.start, batch.stop)
