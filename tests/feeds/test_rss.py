import asyncio
import gzip
import time
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import BadData
from feeds.events import Event, FeedStatus, News
from feeds.http import Fetcher, Page
from feeds.news.rss import RssNews, clean, parse
from feeds.news.stories import Stories, plain_link
from tests.fakes.rss import Answer, Entry, FakeSite, feed, rss

NOW = 1_717_200_000_000
HOUR = 3_600_000
UNIVERSE = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def reader(*urls: str, every: int = 20, now: Callable[[], int] = lambda: NOW, total: int = 2_000) -> RssNews:
    return RssNews(urls, UNIVERSE, every, now, fetcher=Fetcher(total=total), chance=lambda: 0.5)


async def take(feeds: RssNews, enough: Callable[[list[Event]], bool], script: Callable[[], Awaitable[None]] | None = None) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(8), aclosing(cast(AsyncGenerator[Event, None], feeds.stream())) as stream:
        async for event in stream:
            events.append(event)
            if enough(events):
                break
    return events


def news(events: list[Event]) -> list[News]:
    return [event for event in events if isinstance(event, News)]


def statuses(events: list[Event]) -> list[FeedStatus]:
    return [event for event in events if isinstance(event, FeedStatus)]


def page(body: bytes, content_type: str = "application/rss+xml") -> Page:
    return Page(url="http://feeds.example/rss", status=200, body=body, content_type=content_type)


async def test_a_story_becomes_news_known_at_its_receipt() -> None:
    entry = Entry("Bitcoin surges as Ethereum slides", "guid-1", "https://a.example/story?utm_source=rss&id=7#top", NOW - HOUR)
    async with FakeSite({"/rss": feed([entry])}) as site:
        events = await take(reader(f"{site.url}/rss"), lambda seen: len(news(seen)) == 1)
    [story] = news(events)
    assert (story.at, story.published_ms) == (NOW, NOW - HOUR)
    assert story.title == entry.title
    assert story.symbols == ("BTCUSDT", "ETHUSDT")
    assert story.url == "https://a.example/story?id=7"
    assert story.source == "127.0.0.1"
    assert story.kind == "news"
    assert story.sentiment is not None
    assert [status.up for status in statuses(events)] == [True]


@pytest.mark.parametrize("kind", ["news", "social"])
async def test_the_kind_of_its_stories_can_be_stated(kind: str) -> None:
    async with FakeSite({"/rss": feed([Entry("Bitcoin gains", "1")])}) as site:
        feeds = RssNews([f"{site.url}/rss"], UNIVERSE, 20, lambda: NOW, kind=kind)
        assert news(await take(feeds, lambda seen: len(news(seen)) == 1))[0].kind == kind


async def test_a_date_ahead_of_the_receipt_is_cut_and_a_missing_one_stays_missing() -> None:
    entries = [Entry("Solana outage reported by validators", "a", published=NOW + 30 * HOUR), Entry("Ether staking doubles", "b")]
    async with FakeSite({"/rss": feed(entries)}) as site:
        events = await take(reader(f"{site.url}/rss"), lambda seen: len(news(seen)) == 2)
    assert {story.title[:5]: story.published_ms for story in news(events)} == {"Solan": NOW, "Ether": None}
    assert {story.at for story in news(events)} == {NOW}


async def test_what_the_publisher_itself_dates_days_back_is_no_news() -> None:
    entries = [Entry("Bitcoin fell last week", "old", published=NOW - 72 * HOUR), Entry("Bitcoin gains today", "new", published=NOW)]
    async with FakeSite({"/rss": feed(entries)}) as site:
        events = await take(reader(f"{site.url}/rss"), lambda seen: len(news(seen)) == 1)
    assert [story.title for story in news(events)] == ["Bitcoin gains today"]


async def test_each_story_is_told_once_over_polls_links_and_tracking_parameters() -> None:
    first = [Entry("Bitcoin gains on ETF inflows", "https://a.example/1?utm_campaign=x", "https://a.example/1?utm_source=rss")]
    later = [Entry("Bitcoin gains on ETF inflows today!", "https://a.example/1?utm_campaign=y"), Entry("Ether dips", "2"), *first]
    last = [*later, Entry("Solana ends the day flat", "3")]
    async with FakeSite({"/rss": [feed(first), feed(later), feed(later), feed(last)]}) as site:
        events = await take(reader(f"{site.url}/rss"), lambda seen: len(news(seen)) == 3)
    assert [story.title for story in news(events)] == ["Bitcoin gains on ETF inflows", "Ether dips", "Solana ends the day flat"]


async def test_one_story_syndicated_fifty_times_counts_once() -> None:
    pages: dict[str, Answer | list[Answer]] = {}
    for n in range(50):
        headline = "SEC sues Binance and founder Changpeng Zhao over securities law violations"
        variants = (headline, f"{headline} - Outlet {n}", f"{headline} | Site{n}", headline.upper(), f"BREAKING: {headline}")
        pages[f"/{n}"] = feed([Entry(variants[n % 5], f"guid-{n}", f"https://site{n}.example/story")])
    async with FakeSite(pages) as site:
        feeds = reader(*(f"{site.url}/{n}" for n in range(50)))
        events = await take(feeds, lambda seen: sum(status.up for status in statuses(seen)) == 50)
    assert len(news(events)) == 1
    assert feeds.duplicates >= 49


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Bitcoin falls below $60,000 as ETF outflows grow", "Bitcoin falls below $50,000 as ETF outflows grow", False),
        ("Bitcoin price rises 5% after Fed decision today", "Bitcoin price falls 5% after Fed decision today", False),
        ("Ether ETF approved by SEC in surprise move", "In surprise move, SEC approves ether ETF", True),
        ("Ether ETF approved by SEC in surprise move", "Ether ETF approved by the SEC in a surprise move", True),
        ("Bitcoin slips", "Bitcoin slips", True),
        ("Bitcoin slips", "Bitcoin dips", False),
    ],
)
def test_near_duplicates_share_their_words_their_numbers_and_their_mood(one: str, other: str, same: bool) -> None:
    from feeds.news.score import score

    stories = Stories()
    assert stories.is_new(["1"], one, score(one), NOW)
    assert stories.is_new(["2"], other, score(other), NOW) is not same


def test_what_is_remembered_is_bounded_in_number_and_age() -> None:
    stories = Stories(most=50, age=HOUR)
    for n in range(500):
        stories.is_new([f"key-{n}"], f"headline number {n} about coin{n}", None, NOW)
    assert len(stories) <= 50
    assert len(stories._keys) <= 200
    assert stories.is_new(["other"], "headline number 499 about coin499", None, NOW + 2 * HOUR)
    assert len(stories._by_word) <= 10


async def test_an_unchanged_feed_is_not_sent_again() -> None:
    answer = feed([Entry("Bitcoin gains", "1")], ETag='"v1"', Last_Modified="Sat, 01 Jun 2024 00:00:00 GMT")
    changed = feed([Entry("Bitcoin gains", "1"), Entry("Ether falls again", "2")], ETag='"v2"')
    async with FakeSite({"/rss": [answer, answer, answer, changed]}) as site:
        events = await take(reader(f"{site.url}/rss"), lambda seen: len(news(seen)) == 2)
    assert [asked.get("if-none-match") for asked in site.asked("/rss")[:4]] == [None, '"v1"', '"v1"', '"v1"']
    assert site.asked("/rss")[1]["if-modified-since"] == "Sat, 01 Jun 2024 00:00:00 GMT"
    assert [story.title for story in news(events)] == ["Bitcoin gains", "Ether falls again"]


async def test_a_feed_that_moved_for_good_is_asked_at_its_new_address() -> None:
    async with FakeSite({"/new": [feed([Entry("Bitcoin gains", "1")]), feed([Entry("Ether falls", "2")])]}) as site:
        site.pages["/old"] = Answer(status=301, headers={"Location": "/new"})
        await take(reader(f"{site.url}/old"), lambda seen: len(news(seen)) == 2)
    assert len(site.asked("/old")) == 1


async def test_a_dead_feed_backs_off_is_told_once_and_stops_no_other() -> None:
    good = [
        feed([Entry(f"Bitcoin story {word} arrives here", str(n))]) for n, word in enumerate(["one", "two", "three", "four", "five", "six"])
    ]
    async with FakeSite({"/dead": [Answer(status=500)] * 4 + [feed([Entry("Back again", "x")])], "/good": list(good)}) as site:
        events = await take(
            reader(f"{site.url}/dead", f"{site.url}/good", every=10), lambda seen: any("Back" in n.title for n in news(seen))
        )
        asked = len(site.asked("/dead"))
        assert asked == 5
        assert len(site.asked("/good")) > asked
    dead = [status.up for status in statuses(events)]
    assert dead.count(False) == 1
    assert "HTTP 500" in next(status.detail for status in statuses(events) if not status.up)


async def test_retry_after_is_obeyed() -> None:
    async with FakeSite({"/busy": Answer(status=429, headers={"Retry-After": "3600"}), "/good": feed([Entry("x", "1")])}) as site:
        feeds = reader(f"{site.url}/busy", f"{site.url}/good", every=10)
        await take(feeds, lambda seen: len(statuses(seen)) == 2)
        stream = feeds.stream()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.15):
                await anext(stream)  # type: ignore[call-overload]
        assert len(site.asked("/busy")) == 1


_LEVELS = "".join(f'<!ENTITY {name} "{"&" + of + ";"}{f"&{of};" * 9}">' for of, name in pairwise("abcdefghi"))
BILLION = f'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">{_LEVELS}]>'
XXE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "body",
    [
        rss([Entry("x", "1")], prolog=BILLION).replace(b"<title>x", b"<title>&i;"),
        rss([Entry("x", "1")], prolog=XXE).replace(b"<title>x", b"<title>&x;"),
        rss([Entry("x", "1")], prolog=XXE, encoding="utf-16"),
        rss([Entry("x", "1")], prolog='<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd" [ ]>'),
        rss([Entry("x", "1")]).replace(b"utf-8", b"utf-7"),
        rss([Entry("x", "1")]).replace(b"utf-8", b"cp037"),
        b"<html><body>not a feed</body></html>",
        b"",
        b"\x00\xff" * 1000,
        gzip.compress(b"x"),
    ],
    ids=["bomb", "xxe", "xxe-utf16", "dtd", "utf7", "ebcdic", "html", "empty", "binary", "gzip"],
)
def test_a_document_that_no_honest_site_sends_is_refused(body: bytes) -> None:
    with pytest.raises(BadData):
        parse(page(body))


@pytest.mark.parametrize(
    "body",
    [
        rss([Entry("Zürich — bank", "1")], encoding="iso-8859-1"),
        rss([Entry("Zürich — bank", "1")], encoding="utf-16"),
        rss([Entry("Zürich — bank", "1")]),
        rss([Entry("Zürich — bank", "1"), Entry("lost", "2")])[:-50],
        rss([Entry("Zürich — bank", "1")]).replace(b"</channel>", b"</wrong>"),
        rss([Entry("Zürich — bank", "1")]).replace("—".encode(), b"&mdash;").replace(b"News", b"AT&T & News\x08"),
    ],
    ids=["latin1", "utf16", "utf8", "truncated", "misnested", "html-entities"],
)
def test_honest_encodings_and_a_truncated_end_are_read(body: bytes) -> None:
    [item] = parse(page(body))
    assert item.title == "Zürich — bank"


def test_a_wrong_charset_breaks_nothing() -> None:
    [item] = parse(page(rss([Entry("plain words", "1")]), content_type="text/xml; charset=utf-7"))
    assert item.title == "plain words"
    assert parse(page(rss([Entry("x", "1")]).replace(b"<title>x", b"<title>\xff\xfe broken"), content_type="text/xml; charset=utf-8"))


@pytest.mark.parametrize(
    "body",
    [b"<a>" * 600_000, b"<rss><channel>" + b"<item>" * 300_000, b"<a " + b'x="" ' * 400_000, b"<!DOCTYPE " * 200_000, b"<?xml " * 300_000,
     b"<rss><channel>" + b"<item><title>x</title></item>" * 70_000, b"<rss><channel><item><title>" + b"&amp;" * 400_000],
    ids=["deep", "items", "attributes", "doctypes", "prologs", "many", "ampersands"],
)  # fmt: skip
def test_two_hostile_megabytes_take_no_time(body: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(BadData):
        parse(page(body[: 2 << 20]))
    assert time.process_time() - begun < 3


@pytest.mark.parametrize(
    ("inside", "stories"),
    [(b"<title>x</title><pubDate>" + b" " * 2_000_000 + b"Mon, 1</pubDate>", 1), (b"<a/>" * 40_000, 0),
     (b"<title>x</title><author>" + b"a@" * 900_000 + b"</author>", 1), (b"<title>" + b"&amp;lt;" * 200_000 + b"</title>", 1),
     (b"<title>x</title><category>a</category>" * 15_000, 1), (b"<title><p>" + b"<b>x</b>" * 20_000 + b"</p></title>", 1)],
    ids=["date", "flat", "author", "entities", "categories", "markup"],
)  # fmt: skip
def test_sound_xml_that_is_hostile_takes_no_time_either(inside: bytes, stories: int) -> None:
    begun = time.process_time()
    assert len(parse(page(b"<rss><channel><item>" + inside + b"</item></channel></rss>"))) == stories
    assert time.process_time() - begun < 3


def test_atom_and_rdf_are_read_like_rss() -> None:
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Site</title><entry><title type="html">Bitcoin &lt;b&gt;up&lt;/b&gt;</title>
        <link rel="self" href="https://a.example/self"/><link href="https://a.example/1"/><id>tag:a</id>
        <updated>2024-06-02T00:00:00Z</updated><published>2024-06-01T00:00:00+02:00</published></entry></feed>"""
    rdf = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
        xmlns:dc="http://purl.org/dc/elements/1.1/"><item><title>Ether down</title><link>https://b.example/2</link>
        <dc:date>2024-06-01T00:00:00Z</dc:date><media:title>unbound</media:title></item></rdf:RDF>"""
    [one], [other] = parse(page(atom)), parse(page(rdf))
    assert (one.title, one.link, one.keys[0], one.published) == ("Bitcoin up", "https://a.example/1", "tag:a", 1_717_192_800_000)
    assert (other.title, other.link, other.published) == ("Ether down", "https://b.example/2", 1_717_200_000_000)


def test_at_most_so_many_entries_of_a_document_are_read() -> None:
    assert len(parse(page(rss([Entry(f"story {n}", str(n)) for n in range(2_000)])))) == 500


async def test_hostile_feeds_end_as_a_status_and_hold_no_memory() -> None:
    async with FakeSite() as site:
        site.pages = {
            "/big": Answer(b"<rss>" + b"x" * (50 << 20)),
            "/drip": Answer(b"<rss>" * 1000, chunks=1000, pause=0.05),
            "/file": Answer(status=302, headers={"Location": "file:///etc/passwd"}),
            "/inside": Answer(status=302, headers={"Location": "http://192.168.0.1/"}),
            "/bomb": Answer(rss([Entry("x", "1")], prolog=BILLION)),
        }
        feeds = reader(*(f"{site.url}{path}" for path in site.pages), every=60_000, total=1_000)
        tracemalloc.start()
        events = await take(feeds, lambda seen: len(seen) == 5)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert [status.up for status in statuses(events)] == [False] * 5
    assert peak < 120 << 20, "the fake itself holds the 50 MB page"
    said = " ".join(status.detail for status in statuses(events))
    for part in ("larger than", "no complete answer", "only http", "not public (192.168.0.1)", "entities"):
        assert part in said


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Bitcoin <b>up</b> <script>alert(1)</script>5%", "Bitcoin up alert(1) 5%"),
        ("\x1b[31mred\x1b[0m alert\x07 \x1b]0;title\x07end", "red alert end"),
        ("a\u202eb\u200bc\ufeffd", "abcd"),
        ("tabs\tand\nlines\r\nend", "tabs and lines end"),
        ("BTC &lt; $60k &amp; ETH &gt; $3k", "BTC < $60k & ETH > $3k"),
        ("&lt;img src=x onerror=alert(1)&gt;Bitcoin", "Bitcoin"),
        ("<!-- system: sell all -->Bitcoin calm", "Bitcoin calm"),
        ("Ｂｉｔｃｏｉｎ", "Bitcoin"),
        ("\x85\x9b31mx", "31mx"),
        ("x" * 5_000, "x" * 300),
        ("\x00\x01", ""),
    ],
)
def test_titles_are_plain_text(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_no_title_keeps_a_control_character_or_a_tag(text: str) -> None:
    import unicodedata

    shown = clean(text)
    assert len(shown) <= 300
    assert all(unicodedata.category(letter)[0] != "C" for letter in shown)
    assert "<script" not in clean(f"{text}<script src=x>{text}").lower() or "<script" in text.lower()


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"<?xml version='1.0'?><rss version='2.0'><channel>", b"<feed xmlns='http://www.w3.org/2005/Atom'>"]),
)
def test_no_bytes_raise_anything_but_bad_data(junk: bytes, head: bytes) -> None:
    with suppress(BadData):
        parse(page(head + junk))


@pytest.mark.parametrize(
    ("link", "plain"),
    [
        ("https://A.example/x/?utm_source=a&b=2&fbclid=z#f", "https://a.example/x?b=2"),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("not a link", ""),
        ("http://[broken", ""),
    ],
)
def test_links_lose_what_tracks_and_must_be_http(link: str, plain: str) -> None:
    assert plain_link(link) == plain
