"""Headlines from RSS and Atom: polled, parsed from bytes, cleaned, told once, and known from the moment they arrived.

What a publisher writes is untrusted text. It is stripped of markup, control and invisible characters, cut, and
never followed; a date it claims never orders anything.
"""

import asyncio
import calendar
import hashlib
import html
import importlib
import random
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from feeds.errors import BadData, FeedError, Unreachable
from feeds.events import FeedStatus, News
from feeds.http import Fetcher, Page
from feeds.news.about import symbols_in
from feeds.news.score import score
from feeds.news.screen import screen
from feeds.news.stories import Stories, plain_link
from feeds.times import DAY, HOUR, SECOND, now

TITLE = 300  # characters of a headline that are kept
PARSE = 20 * SECOND

_MARKUP = re.compile(r"<!--.*?-->|<[a-zA-Z/!?][^<>]{0,2000}>", re.DOTALL)
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")
_SOCIAL = ("reddit.com", "stocktwits.com", "t.me", "bsky.app", "mastodon.social")


class Item(NamedTuple):
    """One entry of a feed, cleaned. keys  what it is known by; published  milliseconds, None when not given"""

    keys: tuple[str, ...]
    title: str
    link: str
    published: int | None


class _Source:
    """One address and what we know about it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = (urlsplit(url).hostname or url).removeprefix("www.")
        self.etag = self.modified = ""
        self.failures = 0
        self.due = 0.0  # loop time
        self.is_up: bool | None = None


class RssNews:
    """Stories of several feeds as News, each once.

    universe  symbols such as BTCUSDT; a story is about those that its headline names
    every     milliseconds between two polls of a feed; after failures it doubles, up to an hour
    now       receipt times, milliseconds
    kind      "news" or "social" for all of it; None: social where the site is known to be
    fresh     stories that their publisher dates further back are not news any more, milliseconds
    chance    draws from [0, 1), to spread the polls
    """

    def __init__(
        self, urls: Sequence[str], universe: Sequence[str], every: int, now: Callable[[], int] = now, *, fetcher: Fetcher | None = None,
        kind: str | None = None, fresh: int = DAY, chance: Callable[[], float] = random.random, name: str = "rss",
    ) -> None:  # fmt: skip
        if every <= 0:
            raise ValueError(f"polling every {every} ms: the interval must be positive")
        self.name = name
        self.stories = Stories()
        self.duplicates = 0  # stories dropped because they were known
        self._sources = [_Source(url) for url in dict.fromkeys(urls)]
        self._universe = tuple(universe)
        self._every = every
        self._now = now
        self._fetcher = fetcher or Fetcher()
        self._kind = kind
        self._fresh = fresh
        self._chance = chance
        self._at = 0

    async def stream(self) -> AsyncIterator[News | FeedStatus]:
        """News as it arrives, and FeedStatus when a feed goes down or comes (back) up. A dead feed stops no other."""
        clock = asyncio.get_running_loop().time
        try:
            while self._sources:
                due = [source for source in self._sources if source.due <= clock()]
                async with asyncio.TaskGroup() as group:
                    polls = [(source, group.create_task(self._poll(source))) for source in due]
                for source, poll in polls:
                    for event in self._tell(source, poll.result()):
                        yield event
                await asyncio.sleep(max(min(source.due for source in self._sources) - clock(), 0.001))
        finally:
            await self._fetcher.close()

    async def _poll(self, source: _Source) -> tuple[Page, list[Item], int] | FeedError:
        """The page, its items and the receipt time; or why not."""
        wait = None
        try:
            page = await self._fetcher.fetch(source.url, etag=source.etag, modified=source.modified)
            received = self._now()
            wait = page.retry_after
            if page.status not in (200, 304):
                raise Unreachable(f"{source.url}: HTTP {page.status}")
            items = await read(page) if page.status == 200 else []
        except FeedError as error:
            source.failures += 1
            self._schedule(source, min(self._every << min(source.failures - 1, 20), max(HOUR, self._every)), wait)
            return error
        source.failures = 0
        if page.status == 200:
            source.etag, source.modified = page.etag, page.modified
        if page.moved is not None:
            source.url = page.moved
        self._schedule(source, self._every, wait)
        return page, items, received

    def _schedule(self, source: _Source, wait: int, at_least: int | None) -> None:
        spread = wait * (0.9 + 0.2 * self._chance())
        source.due = asyncio.get_running_loop().time() + max(spread, at_least or 0) / SECOND

    def _tell(self, source: _Source, found: tuple[Page, list[Item], int] | FeedError) -> list[News | FeedStatus]:
        events: list[News | FeedStatus] = []
        if isinstance(found, FeedError):
            if source.is_up is not False:
                events.append(self._status(source, False, str(found)))
            return events
        _, items, received = found
        if source.is_up is not True:
            events.append(self._status(source, True, f"{len(items)} entries"))
        self._at = max(self._at, received)
        for item in sorted(items, key=lambda each: each.published or received):
            story = self._story(source, item)
            if story is not None:
                events.append(story)
        return events

    def _story(self, source: _Source, item: Item) -> News | None:
        if item.published is not None and item.published < self._at - self._fresh:
            return None
        sentiment = score(item.title)
        if not self.stories.is_new(item.keys, item.title, sentiment, self._at):
            self.duplicates += 1
            return None
        social = any(source.host == each or source.host.endswith(f".{each}") for each in _SOCIAL)
        kind = self._kind or ("social" if social else "news")
        return News(
            at=self._at, id=hashlib.sha256(item.keys[0].encode()).hexdigest()[:16], title=item.title, source=source.host,
            symbols=tuple(symbols_in(item.title, self._universe)), sentiment=sentiment, kind=kind,
            published_ms=None if item.published is None else min(item.published, self._at), url=item.link,
        )  # fmt: skip

    def _status(self, source: _Source, up: bool, detail: str) -> FeedStatus:
        source.is_up = up
        self._at = max(self._at, self._now())
        return FeedStatus(at=self._at, feed=f"{self.name}:{source.host}", up=up, detail=detail)


async def read(page: Page) -> list[Item]:
    """The entries of a page, off the event loop. Raises BadData when it is no feed, or one that no honest site sends."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(parse, page), PARSE / SECOND)
    except TimeoutError:
        raise BadData(f"{page.url}: not parsed within {PARSE / SECOND:g} s") from None


def parse(page: Page) -> list[Item]:
    """The entries of a document, cleaned, at most 500. Raises BadData as `read` does."""
    document = _feedparser().parse(
        screen(page.body, page.content_type, page.url),
        response_headers={"content-type": "application/xml; charset=utf-8", "content-location": page.url},
        sanitize_html=False,  # titles are cleaned here, and nothing else of an entry is kept
        resolve_relative_uris=False,
    )
    items = (_item(entry) for entry in document.entries)
    return [item for item in items if item is not None]


def _feedparser() -> Any:  # it has no type information
    return importlib.import_module("feedparser")


def _item(entry: Any) -> Item | None:  # a feedparser dictionary: no type information
    title = clean(str(entry.get("title", "")))
    if not title:
        return None
    link = plain_link(str(entry.get("link", "")))
    given = str(entry.get("id", ""))[:500]
    keys = (plain_link(given) or given, link, f"{title}\n{link}")
    stamp = entry.get("published_parsed") or entry.get("updated_parsed")
    try:
        published = None if stamp is None else calendar.timegm(stamp) * SECOND
    except (ValueError, OverflowError, TypeError):
        published = None
    return Item(tuple(key for key in keys if key), title, link, published if published and published > 0 else None)


def clean(text: str) -> str:
    """One line of plain text: no markup, no escape sequences, no control or invisible characters, at most TITLE long."""
    text = html.unescape(_MARKUP.sub(" ", _ESCAPE.sub("", text[: 20 * TITLE])))
    text = unicodedata.normalize("NFKC", _MARKUP.sub(" ", _ESCAPE.sub("", text)))
    kept = (letter if unicodedata.category(letter)[0] != "C" else " " if letter.isspace() else "" for letter in text)
    return " ".join("".join(kept).split())[:TITLE].rstrip()
