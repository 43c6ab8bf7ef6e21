"""A scripted web site on loopback that serves feeds, and everything that a hostile one may do to its readers."""

import asyncio
import gzip
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import format_datetime
from html import escape
from typing import Self

from aiohttp import web

from feeds.times import SECOND


@dataclass
class Answer:
    """What a path answers.

    chunks, pause  the body in pieces, with so many seconds before each (slow drip)
    conditional    answer 304 when the validators of the request match
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    chunks: int = 0
    pause: float = 0.0
    conditional: bool = True


class FakeSite:
    """Answers each path with what `pages` holds; a list is served one after the other, its last answer for ever."""

    def __init__(self, pages: dict[str, Answer | list[Answer]] | None = None) -> None:
        self.pages = pages or {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.open = 0
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """Connections that clients hold open now."""
        server = self._runner.server if self._runner is not None else None
        return len(server.connections) if server is not None else 0

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers (names in lower case) of each request for a path."""
        return [headers for asked, headers in self.requests if asked == path]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.path, {name.lower(): value for name, value in request.headers.items()}))
        scripted = self.pages.get(request.path)
        if isinstance(scripted, list):
            scripted = scripted.pop(0) if len(scripted) > 1 else scripted[0]
        if scripted is None:
            return web.Response(status=404)
        etag, modified = scripted.headers.get("ETag"), scripted.headers.get("Last-Modified")
        same_tag = etag is not None and request.headers.get("If-None-Match") == etag
        same_date = modified is not None and request.headers.get("If-Modified-Since") == modified
        if scripted.conditional and scripted.status == 200 and (same_tag or same_date):
            return web.Response(status=304, headers=scripted.headers)
        response = web.StreamResponse(status=scripted.status, headers=scripted.headers)
        if not scripted.chunks:
            response.content_length = len(scripted.body)
        await response.prepare(request)
        self.open += 1
        try:
            with suppress(ConnectionError, RuntimeError):
                size = max(-(-len(scripted.body) // max(scripted.chunks, 1)), 1)
                for start in range(0, len(scripted.body), size):
                    await asyncio.sleep(scripted.pause)
                    await response.write(scripted.body[start : start + size])
        finally:
            self.open -= 1
        return response


@dataclass
class Entry:
    """One story of a feed; published in milliseconds (None: no date), guid "" means none."""

    title: str
    guid: str = ""
    link: str = ""
    published: int | None = None


def rss(entries: Sequence[Entry], *, encoding: str = "utf-8", prolog: str = "") -> bytes:
    """An RSS 2.0 document."""
    items = "".join(_item(entry) for entry in entries)
    text = f'<?xml version="1.0" encoding="{encoding}"?>{prolog}<rss version="2.0"><channel><title>News</title>{items}</channel></rss>'
    return text.encode(encoding, "xmlcharrefreplace")


def _item(entry: Entry) -> str:
    from datetime import UTC, datetime

    guid = f'<guid isPermaLink="false">{escape(entry.guid)}</guid>' if entry.guid else ""
    link = f"<link>{escape(entry.link)}</link>" if entry.link else ""
    date = ""
    if entry.published is not None:
        date = f"<pubDate>{format_datetime(datetime.fromtimestamp(entry.published / SECOND, tz=UTC))}</pubDate>"
    return f"<item><title>{escape(entry.title)}</title>{guid}{link}{date}</item>"


def feed(entries: Sequence[Entry], **headers: str) -> Answer:
    """An answer with a feed in it; header names with underscores for hyphens."""
    return Answer(
        rss(entries), headers={"Content-Type": "application/rss+xml", **{name.replace("_", "-"): text for name, text in headers.items()}}
    )


def bomb(size: int) -> bytes:
    """A gzip body that unpacks to `size` zero bytes."""
    return gzip.compress(b"\0" * size)
