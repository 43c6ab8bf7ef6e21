"""Headlines from files, each released when it could be known.

`available_ms` says when. Where a file does not: a story with a time of day is taken to be known 15 minutes after it, one
with only a date at the end of that day (UTC).
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from feeds import times
from feeds.errors import BadData
from feeds.events import News
from feeds.files import Floats, Ints, Table, find_files, instants, numbers, read_table, texts
from feeds.instruments import symbol_for
from feeds.news.about import symbols_in

DELAY = 15 * times.MINUTE
TITLES = ("title", "headline", "text")
SCORES = ("finbert_score", "sentiment_score", "textblob_polarity", "sentiment", "score")
SOURCES = ("domain", "source", "publisher")
TIMES = ("ts_ms", "published_ms", "timestamp", "date", "published", "time")

SHAPES = (
    "title (or text), ts_ms or available_ms, and optionally id, domain or source, url, kind (news or social), symbols, date_only and "
    + " or ".join(SCORES[:4])
)
KINDS = ("news", "social")


class _Story(NamedTuple):
    at: int
    published: int
    id: str
    title: str
    source: str
    sentiment: float | None
    url: str
    kind: str
    symbols: str | None


class NewsFile:
    """The stories of files, by when they could be known. At one instant they stand before the candles.

    symbols  the traded ones: a story is about those that its `symbols` column or else its title names, or else about the market

    since    stories known before this instant are passed over: set it where they cannot count any more

    `dropped` counts stories without a title, `repeats` those told again under the same id (kept once, the first).
    Raises BadData with file, row and column, or the shapes that are accepted.
    """

    name = "news"
    after_candles = False

    def __init__(self, paths: Iterable[str | Path], symbols: Sequence[str] = ()) -> None:
        self.dropped = 0
        self.repeats = 0
        self.since = 0
        self.warnings: list[str] = []
        self._symbols = tuple(symbols)
        stories = [story for path in find_files(paths) for story in self._read(path)]
        stories.sort(key=lambda story: (story.at, story.published, story.id))
        first = {story.id: story for story in reversed(stories)}
        self._stories = [story for story in stories if first[story.id] is story]
        self.repeats = len(stories) - len(self._stories)
        if self.dropped:
            self.warnings.append(f"{self.dropped} stories have no title; left out")

    def known_in(self, start: int, stop: int) -> int:
        """How many stories become known in [start, stop)."""
        return sum(start <= story.at < stop for story in self._stories)

    def __len__(self) -> int:
        return len(self._stories)

    def events(self) -> Iterator[News]:
        """Every story by the time it could be known."""
        for story in self._stories[bisect_left(self._stories, self.since, key=lambda story: story.at) :]:
            yield News(
                at=story.at,
                id=story.id,
                title=story.title,
                source=story.source,
                symbols=self._about(story),
                sentiment=story.sentiment,
                kind=story.kind,
                published_ms=story.published,
                url=story.url,
            )

    async def stream(self) -> AsyncIterator[News]:
        """The stories as a feed."""
        for event in self.events():
            yield event

    def _about(self, story: _Story) -> tuple[str, ...]:
        if story.symbols is None:
            return symbols_in(story.title, self._symbols)
        said = {symbol_for(name, self._symbols) for name in re.split(r"[,;|\s]+", story.symbols)}
        return tuple(symbol for symbol in self._symbols if symbol in said)

    def _read(self, path: Path) -> Iterator[_Story]:
        table = read_table(path)
        title_name, time_name = table.find(*TITLES), table.find(*TIMES, "available_ms")
        if title_name is None or time_name is None:
            there = ", ".join(table.columns)
            raise BadData(
                f"{path}: no column holds {'titles' if title_name is None else 'times'} (columns there: {there}); expected {SHAPES}"
            )
        published, _ = instants(table, time_name)
        at = _known_at(table, published)
        if "available_ms" not in table.columns:
            self.warnings.append(f"{path}: no available_ms; a story is taken to be known {times.span_text(DELAY)} after its time")
        scores = _scores(table)
        titles = texts(table, title_name)
        ids, sources, urls, kinds, about = (
            _optional(table, names) for names in (("id", "guid"), SOURCES, ("url", "link"), ("kind",), ("symbols",))
        )
        for row, title in enumerate(titles):
            if title is None or title.lower() == "nan":
                self.dropped += 1
                continue
            score, when = float(scores[row]), int(published[row])
            key = ids[row] or hashlib.sha256(f"{sources[row]}|{when}|{title}".encode()).hexdigest()[:16]
            kind = (kinds[row] or "news").lower()
            if kind not in KINDS:
                raise BadData(f"{table.place(row, 'kind')}: {kind!r} is not one of {', '.join(KINDS)}; correct the cell")
            known = None if score != score else score
            yield _Story(int(at[row]), when, key, title, sources[row] or "", known, urls[row] or "", kind, about[row])


def _optional(table: Table, names: Sequence[str]) -> list[str | None]:
    found = table.find(*names)
    return texts(table, found) if found else [None] * table.rows


def _known_at(table: Table, published: Ints) -> Ints:
    if "available_ms" in table.columns:
        at, _ = instants(table, "available_ms")
        early = at < published
        if early.any():
            row = int(np.argmax(early))
            raise BadData(f"{table.place(row, 'available_ms')}: the story is available before it was published; correct it")
        return at
    if "date_only" not in table.columns:
        return published + DELAY
    only_date = np.array([str(flag).lower() in ("true", "1") for flag in table.columns["date_only"].to_pylist()])
    return np.where(only_date, (published // times.DAY + 1) * times.DAY, published + DELAY)


def _scores(table: Table) -> Floats:
    name = table.find(*SCORES)
    if name is None:
        return np.full(table.rows, np.nan)
    scores = numbers(table, name)
    wrong = np.abs(scores) > 1
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadData(f"{table.place(row, name)}: the sentiment {scores[row]} is outside -1 .. 1; rescale the column")
    return scores
