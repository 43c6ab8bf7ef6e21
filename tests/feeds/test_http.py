import asyncio
import gzip
import tracemalloc
from collections.abc import Sequence

import pytest

from feeds.errors import BadData, Unreachable
from feeds.http import LIMIT, Fetcher, is_public
from tests.fakes.rss import Answer, FakeSite, bomb


async def to_private(host: str, port: int) -> Sequence[str]:
    return ["10.1.2.3"]


async def to_loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_a_page_comes_with_its_validators_and_is_asked_for_only_if_changed() -> None:
    page = Answer(b"hello", headers={"ETag": 'W/"a b"', "Last-Modified": "Sat, 01 Jun 2024 00:00:00 GMT", "Content-Type": "text/xml"})
    async with FakeSite({"/feed": page}) as site:
        fetcher = Fetcher()
        first = await fetcher.fetch(f"{site.url}/feed")
        assert (first.status, first.body, first.content_type) == (200, b"hello", "text/xml")
        again = await fetcher.fetch(f"{site.url}/feed", etag=first.etag, modified=first.modified)
        assert (again.status, again.body) == (304, b"")
        await fetcher.close()
    asked = site.asked("/feed")[1]
    assert asked["if-none-match"] == 'W/"a b"'
    assert asked["if-modified-since"] == "Sat, 01 Jun 2024 00:00:00 GMT"


async def test_gzip_is_unpacked_within_the_limit() -> None:
    async with FakeSite({"/z": Answer(gzip.compress(b"abc" * 1000), headers={"Content-Encoding": "gzip"})}) as site:
        fetcher = Fetcher()
        assert (await fetcher.fetch(f"{site.url}/z")).body == b"abc" * 1000
        await fetcher.close()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(b"x" * (LIMIT + 1)), "larger than"),
        (Answer(bomb(200 << 20), headers={"Content-Encoding": "gzip"}), "larger than"),
        (Answer(b"x", headers={"Content-Encoding": "br"}), "nobody asked for"),
        (Answer(b"no gzip", headers={"Content-Encoding": "gzip"}), "gzip body is broken"),
    ],
    ids=["big", "bomb", "brotli", "garbage"],
)
async def test_a_body_that_breaks_a_limit_is_refused_without_holding_it(answer: Answer, why: str) -> None:
    async with FakeSite({"/x": answer}) as site:
        fetcher = Fetcher()
        tracemalloc.start()
        with pytest.raises(BadData, match=why):
            await fetcher.fetch(f"{site.url}/x")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await fetcher.close()
    assert peak < 16 << 20


async def test_a_body_that_drips_ends_in_the_total_time() -> None:
    async with FakeSite({"/drip": Answer(b"x" * 1000, chunks=1000, pause=0.02)}) as site:
        fetcher = Fetcher(total=150)
        begun = asyncio.get_running_loop().time()
        with pytest.raises(Unreachable, match=r"no complete answer within 0\.15 s"):
            await fetcher.fetch(f"{site.url}/drip")
        assert asyncio.get_running_loop().time() - begun < 1
        await fetcher.close()


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1", "/relative", "http://"])
async def test_only_http_and_https_are_fetched(address: str) -> None:
    fetcher = Fetcher()
    with pytest.raises(BadData):
        await fetcher.fetch(address)
    await fetcher.close()


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.com/x", "data:text/plain,x", "http://user:pass@example.com/"])
async def test_a_redirect_leads_to_no_other_scheme(target: str) -> None:
    async with FakeSite({"/r": Answer(status=302, headers={"Location": target})}) as site:
        fetcher = Fetcher()
        with pytest.raises(BadData, match=r"only http and https|user name"):
            await fetcher.fetch(f"{site.url}/r")
        await fetcher.close()


async def test_a_redirect_into_a_private_network_is_refused_and_never_dialled() -> None:
    async with FakeSite({"/r": Answer(status=302, headers={"Location": "http://inside.example/secret"})}) as site:
        fetcher = Fetcher(resolve=to_private)
        with pytest.raises(BadData, match=r"not public \(10\.1\.2\.3\)"):
            await fetcher.fetch(f"{site.url}/r")
        await fetcher.close()


async def test_only_a_feed_on_loopback_may_lead_to_loopback() -> None:
    async with FakeSite({"/r": Answer(b"found")}) as other, FakeSite() as site:
        site.pages["/r"] = Answer(status=302, headers={"Location": f"{other.url}/r"})
        fetcher = Fetcher()
        assert (await fetcher.fetch(f"{site.url}/r")).body == b"found"
        assert other.asked("/r")[0]["host"] == other.url.removeprefix("http://")
        from httpx2 import URL

        with pytest.raises(BadData, match="not public"):
            await fetcher._allowed(URL(f"{other.url}/r"), URL("http://feeds.example/rss"))
        await fetcher.close()


async def test_a_redirect_is_reached_at_the_address_that_was_checked() -> None:
    async with FakeSite({"/r": Answer(b"found")}) as site:
        port = site.url.rpartition(":")[2]
        site.pages["/start"] = Answer(status=301, headers={"Location": f"http://moved.example:{port}/r"})
        fetcher = Fetcher(resolve=to_loopback)
        page = await fetcher.fetch(f"{site.url}/start")
        await fetcher.close()
    assert page.body == b"found"
    assert page.moved == f"http://moved.example:{port}/r"
    assert site.asked("/r")[0]["host"] == f"moved.example:{port}"


async def test_a_moved_page_is_remembered_only_when_every_step_was_permanent() -> None:
    async with FakeSite({"/end": Answer(b"x")}) as site:
        site.pages |= {
            "/301": Answer(status=301, headers={"Location": "/308"}),
            "/308": Answer(status=308, headers={"Location": "/end"}),
            "/mixed": Answer(status=301, headers={"Location": "/302"}),
            "/302": Answer(status=302, headers={"Location": "/end"}),
        }
        fetcher = Fetcher()
        assert (await fetcher.fetch(f"{site.url}/301")).moved == f"{site.url}/end"
        assert (await fetcher.fetch(f"{site.url}/mixed")).moved is None
        assert (await fetcher.fetch(f"{site.url}/end")).moved is None
        await fetcher.close()


async def test_redirects_end() -> None:
    async with FakeSite({"/loop": Answer(status=302, headers={"Location": "/loop"})}) as site:
        fetcher = Fetcher()
        with pytest.raises(BadData, match="more than 5 redirects"):
            await fetcher.fetch(f"{site.url}/loop")
        assert len(site.requests) == 6
        await fetcher.close()


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("120", 120_000),
        ("Sat, 01 Jun 2024 00:00:30 GMT", 30_000),
        ("Sat, 01 Jun 2019 00:00:00 GMT", 0),
        ("soon", None),
        ("999999999", 86_400_000),
    ],
)
async def test_retry_after_is_understood_as_seconds_or_as_a_date(text: str, wait: int | None) -> None:
    async with FakeSite({"/busy": Answer(status=429, headers={"Retry-After": text})}) as site:
        fetcher = Fetcher(clock=lambda: 1_717_200_000_000)
        page = await fetcher.fetch(f"{site.url}/busy")
        await fetcher.close()
    assert (page.status, page.retry_after, page.body) == (429, wait, b"")


async def test_nobody_at_the_address_is_unreachable() -> None:
    async with FakeSite() as site:
        address = site.url
    fetcher = Fetcher()
    with pytest.raises(Unreachable, match=address):
        await fetcher.fetch(address)
    await fetcher.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("10.0.0.1", False), ("192.168.1.1", False),
        ("172.16.0.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1%eth0", False), ("fc00::1", False), ("::ffff:10.0.0.1", False), ("::ffff:8.8.8.8", True), ("64:ff9b::a00:1", False),
        ("2002:7f00:1::", False), ("not an address", False),
    ],
)  # fmt: skip
def test_public_addresses_are_told_from_all_others(address: str, public: bool) -> None:
    assert is_public(address) is public
