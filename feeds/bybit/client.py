"""The public side of Bybit as two things: `ask` for a REST reply, `live` for a supervised stream of frames.

Every wait is bounded. A socket that closes, stays silent or answers nonsense is dialled again with backoff and
jitter, for ever; what was missed meanwhile is the consumer's to fetch, on `Up`.
"""

import asyncio
import logging
import math
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from feeds.bybit import wire
from feeds.bybit.messages import Rejects, Todo, outcome, parse_instruments
from feeds.bybit.sockets import Frame, Idle, Lost, Patience, Sift, Socket, Up, plain
from feeds.errors import Banned, FeedError, Unreachable
from feeds.instruments import Instrument
from feeds.times import MINUTE, SECOND, now

log = logging.getLogger(__name__)

HOSTS = {
    "mainnet": ("https://api.bybit.com", "wss://stream.bybit.com"),
    "testnet": ("https://api-testnet.bybit.com", "wss://stream-testnet.bybit.com"),
    "demo": ("https://api-demo.bybit.com", "wss://stream.bybit.com"),
}
__all__ = ["HOSTS", "BybitClient", "Frame", "Idle", "Lost", "Patience", "Up"]


class BybitClient:
    """One user of Bybit's public interface.

    rest, ws  base addresses, such as http://127.0.0.1:18080 and ws://127.0.0.1:18080; None: those of `environment`
    clock     the wall clock, in milliseconds
    chance    draws from [0, 1), for jitter
    """

    def __init__(
        self, environment: str = "mainnet", *, rest: str | None = None, ws: str | None = None, patience: Patience | None = None,
        clock: Callable[[], int] = now, chance: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        if environment not in HOSTS:
            raise ValueError(f"{environment!r} is no Bybit environment; take one of {' '.join(HOSTS)}")
        usual_rest, usual_ws = HOSTS[environment]
        self.rest = (rest or usual_rest).rstrip("/")
        self.ws = (ws or usual_ws).rstrip("/")
        self.patience = patience or Patience()
        self.rejects: Rejects = Counter()
        self.offset = 0  # exchange clock minus ours, milliseconds, as last measured
        self._clock = clock
        self._chance = chance
        self._asker: Any = None  # the ccxt client for REST, made at the first request
        self._free_at = 0.0
        self._silent_until = 0.0

    def now(self) -> int:
        """Our clock, milliseconds."""
        return self._clock()

    def exchange_now(self) -> int:
        """The exchange's clock as we know it, milliseconds."""
        return self._clock() + self.offset

    def latest(self) -> int:
        """The later of our clock and the exchange's: what lies more than 5 s beyond it is in the future."""
        return self._clock() + max(self.offset, 0)

    async def ready(self) -> int:
        """Reach the exchange and measure the clock offset, in milliseconds.

        Raises Unreachable, naming the address and the next step, when it does not answer.
        """
        try:
            await self.insist("time")
        except Unreachable as error:
            raise Unreachable(
                f"Bybit does not answer at {self.rest}: {error}. Check the network and the address, or replay recorded candles instead."
            ) from error
        return self.offset

    async def insist(self, path: str, **params: str | int) -> Frame:
        """`ask`, again after a failure that may pass, up to `attempts` times."""
        for attempt in range(1, self.patience.attempts + 1):
            try:
                return await self.ask(path, **params)
            except Unreachable:
                if attempt == self.patience.attempts or asyncio.get_running_loop().time() < self._silent_until:
                    raise
                await asyncio.sleep(self.delay(attempt))
        raise AssertionError("attempts is at least 1")

    @property
    def rest_ms(self) -> int:
        """How long REST still rests because the exchange asked us to slow down, milliseconds."""
        return max(0, math.ceil((self._silent_until - asyncio.get_running_loop().time()) * SECOND))

    async def ask(self, path: str, **params: str | int) -> Frame:
        """One GET of /v5/market/`path`: the decoded envelope, whose retCode is 0.

        Raises Unreachable when the request may succeed later, Banned when it will not.
        """
        await self._turn()
        if self._asker is None:
            self._asker = wire.exchange(
                self.rest, self.ws, timeout=self.patience.timeout, keep_alive=self.patience.keep_alive, judge=self._judge
            )
        sent = self._clock()
        try:
            reply = await self._asker.request(f"v5/market/{path}", ["public"], "GET", params)
        except FeedError:
            raise
        except wire.errors() as error:
            raise Unreachable(f"{path}: {plain(error)}") from error
        if not isinstance(reply, dict):
            raise Unreachable(f"{path}: an empty or unreadable body")
        self._learn(reply.get("time"), sent, self._clock())
        return reply

    async def instruments(self, symbols: Sequence[str] = ()) -> dict[str, Instrument]:
        """What may be traded: all linear perpetuals, or only `symbols`; in their order.

        Raises FeedError naming the symbols that do not trade.
        """
        found: dict[str, Instrument] = {}
        if 0 < len(symbols) <= 20:
            for symbol in symbols:
                reply = await self.insist("instruments-info", category="linear", symbol=symbol)
                found |= {each.symbol: each for each in parse_instruments(reply, self.rejects)[0]}
        else:
            cursor = ""
            for _ in range(50):
                page = {"cursor": cursor} if cursor else {}
                each_page, cursor = parse_instruments(
                    await self.insist("instruments-info", category="linear", limit=1000, **page), self.rejects
                )
                found |= {each.symbol: each for each in each_page}
                if not cursor:
                    break
        missing = [symbol for symbol in symbols if symbol not in found]
        if missing:
            raise FeedError(f"Bybit trades no linear perpetual called {' '.join(missing)}; check the spelling, such as BTCUSDT")
        return {symbol: found[symbol] for symbol in (symbols or sorted(found))}

    async def live(self, topics: Sequence[str], sift: Sift) -> AsyncGenerator[object, None]:
        """Subscribe and stay subscribed: yields Up, what `sift` made of the frames, Idle, and Lost before each redial.

        `sift` runs the moment a frame arrives; only what it returns is queued. Use it inside `contextlib.aclosing`.
        """
        socket = Socket(topics, sift, rest=self.rest, ws=self.ws, patience=self.patience, clock=self, rejects=self.rejects)
        failures = 0
        try:
            while True:
                born = asyncio.get_running_loop().time()
                reason = await socket.dial()
                if reason is None:
                    yield Up()
                    while (item := await socket.next()) is not None:
                        yield item
                    reason = socket.lost
                await socket.hang_up()
                yield Lost(reason or "closed")
                lasted = asyncio.get_running_loop().time() - born
                failures = 1 if lasted * SECOND >= self.patience.backoff_most else failures + 1
                again = asyncio.get_running_loop().time() + self.delay(failures)
                while (left := again - asyncio.get_running_loop().time()) > 0:
                    await asyncio.sleep(min(left, self.patience.poll / SECOND))
                    yield Idle(connected=False)
        finally:
            await socket.close()

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        most = min(self.patience.backoff << min(failures - 1, 30), self.patience.backoff_most)
        return most / SECOND * (0.75 + 0.25 * self._chance())

    async def close(self) -> None:
        """Let go of the REST connections; streams close themselves."""
        asker, self._asker = self._asker, None
        if asker is not None:
            await asker.close()

    async def _turn(self) -> None:
        clock = asyncio.get_running_loop().time
        if clock() < self._silent_until:
            raise Unreachable(f"REST rests for {self._silent_until - clock():.0f} s more: the exchange asked us to slow down")
        start = max(clock(), self._free_at)
        self._free_at = start + 1 / self.patience.rate
        await asyncio.sleep(start - clock())

    def _judge(self, status: int, headers: Mapping[str, str], body: object) -> None:
        """Raise what the status and the retCode of a REST reply call for."""
        loop = asyncio.get_running_loop()
        if status in (403, 429):
            self._silent_until = loop.time() + (_retry_after(headers) or self.patience.ban) / SECOND
            raise Unreachable(f"HTTP {status}: too many requests from this address, or it is not welcome there")
        if status != 200:
            raise Unreachable(f"HTTP {status}")
        code = body.get("retCode") if isinstance(body, dict) else None
        if not isinstance(code, int):
            raise Unreachable("an empty or unreadable body")
        todo, meaning = outcome(code)
        said = f"retCode {code} {body.get('retMsg', '') if isinstance(body, dict) else ''!s:.200} ({meaning})"
        match todo:
            case Todo.TAKE:
                if _number_in(headers, "X-Bapi-Limit-Status") == 0:  # this was the last one that the limit allows
                    self._free_at = max(self._free_at, loop.time() + min(self._until_reset(headers, body), 5 * SECOND) / SECOND)
                return
            case Todo.SLOW:
                self._silent_until = loop.time() + (self._until_reset(headers, body) or SECOND) / SECOND
                raise Unreachable(said)
            case Todo.RETRY:
                raise Unreachable(said)
            case Todo.FIX | Todo.STOP:
                raise Banned(said)

    def _until_reset(self, headers: Mapping[str, str], body: object) -> int:
        """How long the limit of the exchange still holds, by its own clock; milliseconds, at most a minute."""
        reset = _number_in(headers, "X-Bapi-Limit-Reset-Timestamp")
        served = body.get("time") if isinstance(body, dict) else None
        if reset is None:
            return 0
        return min(MINUTE, max(0, reset - (served if isinstance(served, int) else self.exchange_now())))

    def _learn(self, served: object, sent: int, received: int) -> None:
        if isinstance(served, int) and abs(received - sent) < 2 * SECOND:
            self.offset = served - (sent + received) // 2


def _number_in(headers: Mapping[str, str], name: str) -> int | None:
    text = next((value for key, value in headers.items() if key.lower() == name.lower()), "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """What `Retry-After` says in seconds, as milliseconds; at most an hour."""
    seconds = _number_in(headers, "Retry-After")
    return None if seconds is None else min(seconds * SECOND, 60 * MINUTE)
