"""One bounded GET: however hostile the other side, a fetch ends in `total` time with at most `limit` bytes in memory.

Only http and https. Redirects are followed by hand: each target is resolved, checked, and then reached at the very
address that was checked, so that no page can send us to a file, to this machine or into a private network.
"""

import asyncio
import email.utils
import ipaddress
import re
import socket
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import httpx2

from feeds.errors import BadData, Unreachable
from feeds.times import SECOND, now

LIMIT = 2 << 20  # bytes of a body, after decompression
TOTAL = 10 * SECOND
REDIRECTS = 5
AGENT = "sluice/0.1 (feed reader)"

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]  # host, port -> addresses
_PERMANENT = (301, 308)
_MOVED = (301, 302, 303, 307, 308)


class Page(NamedTuple):
    """What a GET gave.

    url          where the body came from
    status       200, 304 (empty body: nothing new), or an error status with an empty body
    etag, modified  validators for the next conditional GET, kept verbatim; "" where there are none
    moved        the address to use from now on, when the redirects were permanent
    retry_after  milliseconds the server asks us to wait (429, 503); None where it does not
    """

    url: str
    status: int
    body: bytes = b""
    content_type: str = ""
    etag: str = ""
    modified: str = ""
    moved: str | None = None
    retry_after: int | None = None


class Fetcher:
    """Fetches pages over one pool of connections.

    limit    bytes of a body, after decompression; total  milliseconds for everything, redirects included
    resolve  host names to addresses; None: the system's
    clock    the wall clock, for Retry-After dates
    """

    def __init__(
        self, *, limit: int = LIMIT, total: int = TOTAL, redirects: int = REDIRECTS, agent: str = AGENT,
        resolve: Resolve | None = None, clock: Callable[[], int] = now,
    ) -> None:  # fmt: skip
        self._limit, self._total, self._redirects = limit, total, redirects
        self._headers = {"user-agent": agent, "accept-encoding": "gzip"}
        self._resolve = resolve or _system_resolve
        self._clock = clock
        self._client: httpx2.AsyncClient | None = None

    async def fetch(self, url: str, *, etag: str = "", modified: str = "") -> Page:
        """GET a page, only if it changed when validators are given.

        Raises Unreachable when nobody answers in time, BadData when the answer breaks a limit or leads where it must not.
        """
        try:
            async with asyncio.timeout(self._total / SECOND):
                return await self._follow(url, etag, modified)
        except TimeoutError:
            raise Unreachable(f"{url}: no complete answer within {self._total / SECOND:g} s") from None
        except httpx2.InvalidURL as error:
            raise BadData(f"{url!r} is no address: {error}") from error
        except httpx2.HTTPError as error:
            raise Unreachable(f"{url}: {error or type(error).__name__}") from error
        finally:
            if self._client is not None:
                self._client.cookies.clear()

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _follow(self, url: str, etag: str, modified: str) -> Page:
        here, pinned = _checked(url, url), None
        first, permanent = here, True
        for _ in range(self._redirects + 1):
            response = await self._get(here, pinned, etag, modified)
            try:
                target = response.headers.get("location")
                if response.status_code not in _MOVED or target is None:
                    moved = str(here) if permanent and here != first else None
                    return await self._page(here, response, moved)
            finally:
                await response.aclose()
            permanent = permanent and response.status_code in _PERMANENT
            here = _checked(str(here.join(target)), url)
            pinned = await self._allowed(here, first)
        raise BadData(f"{url}: more than {self._redirects} redirects")

    async def _get(self, url: httpx2.URL, pinned: str | None, etag: str, modified: str) -> httpx2.Response:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=self._total / SECOND, follow_redirects=False)
        headers = dict(self._headers)
        if etag:
            headers["if-none-match"] = etag
        if modified:
            headers["if-modified-since"] = modified
        extensions = {}
        if pinned is not None:
            headers["host"] = url.netloc.decode("ascii")
            extensions["sni_hostname"] = url.host
            url = url.copy_with(host=pinned)
        return await self._client.send(self._client.build_request("GET", url, headers=headers, extensions=extensions), stream=True)

    async def _page(self, url: httpx2.URL, response: httpx2.Response, moved: str | None) -> Page:
        headers = response.headers
        body = await self._body(url, response) if response.status_code == 200 else b""
        return Page(
            url=str(url), status=response.status_code, body=body, content_type=headers.get("content-type", ""),
            etag=headers.get("etag", ""), modified=headers.get("last-modified", ""), moved=moved,
            retry_after=_wait(headers.get("retry-after"), self._clock()),
        )  # fmt: skip

    async def _body(self, url: httpx2.URL, response: httpx2.Response) -> bytes:
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip", ""):
            raise BadData(f"{url}: body encoded as {coding[:40]}, which nobody asked for")
        unpack = zlib.decompressobj(31) if "gzip" in coding else None
        body = bytearray()
        async for chunk in response.aiter_raw(1 << 14):
            room = self._limit + 1 - len(body)
            try:
                body += chunk[:room] if unpack is None else unpack.decompress(chunk, room)
            except zlib.error as error:
                raise BadData(f"{url}: the gzip body is broken: {error}") from error
            if len(body) > self._limit:
                raise BadData(f"{url}: the body is larger than {self._limit} bytes")
        return bytes(body)

    async def _allowed(self, target: httpx2.URL, first: httpx2.URL) -> str | None:
        """The address to reach a redirect's target at; None: the host we were configured with, as it is."""
        if (target.host, target.port, target.scheme) == (first.host, first.port, first.scheme):
            return None
        port = target.port or (443 if target.scheme == "https" else 80)
        try:
            addresses = [target.host] if _is_address(target.host) else await self._resolve(target.host, port)
        except OSError as error:
            raise Unreachable(f"{first}: redirected to {target.host}, which has no address: {error}") from error
        own = _is_loopback(first.host)
        for address in addresses:
            if not (is_public(address) or (own and _is_loopback(address))):
                raise BadData(f"{first}: redirected to {target.host}, an address that is not public ({address}); refused")
        if not addresses:
            raise Unreachable(f"{first}: redirected to {target.host}, which has no address")
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address lies in the public internet; one that wraps another (mapped, 6to4, NAT64) is judged by that."""
    try:
        ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(url: str, origin: str) -> httpx2.URL:
    parsed = httpx2.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadData(f"{origin}: leads to {url[:100]!r}; only http and https are fetched")
    if parsed.userinfo:
        raise BadData(f"{origin}: leads to an address with a user name in it; refused")
    return parsed


async def _system_resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _wait(text: str | None, clock: int) -> int | None:
    """Retry-After as milliseconds: seconds or a date; None when it is missing or unreadable; at most a day."""
    if text is None:
        return None
    if re.fullmatch(r"\d{1,9}", text.strip()):
        wait = int(text) * SECOND
    else:
        try:
            wait = int(email.utils.parsedate_to_datetime(text).timestamp() * SECOND) - clock
        except (ValueError, OverflowError):
            return None
    return min(max(wait, 0), 86_400 * SECOND)
