"""One subscription on one socket: dial, acknowledge, sift what arrives, notice when it dies.

Forming bars and repeats are sifted out the moment they arrive, so a flood fills no memory; what is kept waits in a
bounded queue, and a queue that nobody empties ends the socket rather than the process.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from feeds.bybit import wire
from feeds.bybit.messages import AHEAD, Rejects
from feeds.times import MINUTE, SECOND

MAX_ARGS = 21_000  # characters of topics on one public connection

Frame = Mapping[str, object]
Sift = Callable[[Frame, int], Sequence[object]]  # frame, receipt time -> what is worth queueing


class Clock(Protocol):
    """Our clock, and the later of ours and the exchange's."""

    def now(self) -> int: ...
    def latest(self) -> int: ...


class Patience(msgspec.Struct, frozen=True):
    """How long to wait, and how often. Milliseconds, but for the counts and the rate.

    timeout     of one request, and of a dial with its acknowledgement
    attempts    of a request before its failure counts
    backoff     wait after the first failure, doubled up to backoff_most, then times 0.75..1
    keep_alive  between pings; two pongs missed end the socket
    silence     without any frame of a topic: the socket is taken for dead
    poll        how often a consumer is woken when nothing arrives
    rate        requests a second, well below the 120 that Bybit allows an address
    ban         how long REST rests after HTTP 403
    queue       items that may wait for the consumer
    """

    timeout: int = 10 * SECOND
    attempts: int = 3
    backoff: int = SECOND // 2
    backoff_most: int = 30 * SECOND
    keep_alive: int = 10 * SECOND
    silence: int = MINUTE
    poll: int = SECOND
    rate: float = 40.0
    ban: int = 10 * MINUTE
    queue: int = 4_096


class Up(NamedTuple):
    """Subscribed: every topic was acknowledged, or sent data."""


class Lost(NamedTuple):
    """Not connected any more, or again not."""

    reason: str


class Idle(NamedTuple):
    """Nothing arrived for a while; connected or not."""

    connected: bool


class Socket:
    """One subscription, dialled as often as needed; frames are sifted as they arrive and wait in a bounded queue."""

    def __init__(
        self, topics: Sequence[str], sift: Sift, *, rest: str, ws: str, patience: Patience, clock: Clock, rejects: Rejects
    ) -> None:
        if not topics or sum(len(topic) + 3 for topic in topics) > MAX_ARGS:
            raise ValueError(f"{len(topics)} topics: there must be one, and at most {MAX_ARGS} characters of them on a connection")
        self.lost: str | None = None
        self._patience = patience
        self._clock = clock
        self._rejects = rejects
        self._topics = list(topics)
        self._sift = sift
        self._queue: asyncio.Queue[object] = asyncio.Queue(maxsize=patience.queue)
        self._change = asyncio.Event()
        self._heard: dict[str, float] = {}
        self._open = False
        self._watcher: asyncio.Future[object] | None = None
        self._exchange = wire.exchange(rest, ws, timeout=patience.timeout, keep_alive=patience.keep_alive, tap=self)

    async def dial(self) -> str | None:
        """Connect and subscribe; None when it stands, else why not."""
        clock = asyncio.get_running_loop().time
        self.lost, self._open = None, False
        self._change.clear()
        self._heard = dict.fromkeys(self._topics, clock())
        url = self._exchange.urls["api"]["ws"]["public"]["linear"]
        number = self._exchange.request_id()
        request = {"op": "subscribe", "req_id": str(number), "args": self._topics}
        self._exchange.ws_dial_backoff = {}  # our own backoff is in charge
        self._watcher = self._exchange.watch_multiple(url, self._topics, request, self._topics, {"id": str(number)})
        self._watcher.add_done_callback(self._gone)
        try:
            async with asyncio.timeout(self._patience.timeout / SECOND):
                while not self._open and self.lost is None:
                    await self._change.wait()
                    self._change.clear()
        except TimeoutError:
            return "no answer to the subscription"
        return self.lost

    async def next(self) -> object | None:
        """The next item, Idle when none came within `poll`, None when the socket is lost and all its items were given out."""
        if self._queue.empty() and self.lost is None:
            try:
                async with asyncio.timeout(self._patience.poll / SECOND):
                    while self._queue.empty() and self.lost is None:
                        await self._change.wait()
                        self._change.clear()
            except TimeoutError:
                self._watch()
                if self._queue.empty() and self.lost is None:
                    return Idle(connected=True)
        if not self._queue.empty():
            self._watch()
            return self._queue.get_nowait()
        return None

    async def hang_up(self) -> None:
        """End the connection, keep the client for the next dial."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.remove_done_callback(self._gone)
            watcher.cancel()
        await self._exchange.close_ws_clients()

    async def close(self) -> None:
        """End everything."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.remove_done_callback(self._gone)
            watcher.cancel()
        await self._exchange.close()

    def frame(self, message: dict[str, object]) -> None:
        """A data frame arrived: note that its topic lives, queue what it is worth."""
        topic = message.get("topic")
        if not isinstance(topic, str) or topic not in self._heard:
            self._rejects["frame.topic"] += 1
            return
        sent = message.get("ts")
        if isinstance(sent, int) and sent > self._clock.latest() + AHEAD:
            self._rejects["frame.clock"] += 1
            return
        self._heard[topic] = asyncio.get_running_loop().time()
        self._open = True
        for item in self._sift(message, self._clock.now()):
            if self._queue.full():
                self._lose(f"{self._queue.maxsize} items wait and nobody takes them")
                break
            self._queue.put_nowait(item)
        self._change.set()

    def answer(self, message: dict[str, object]) -> None:
        """Something else than data: an acknowledgement, a pong, an error."""
        if message.get("op") == "subscribe" and message.get("success") is True:
            self._open = True
            self._change.set()

    def garbage(self) -> None:
        """A frame that is no JSON object."""
        self._rejects["frame.garbage"] += 1

    def _watch(self) -> None:
        clock = asyncio.get_running_loop().time()
        for topic, heard in self._heard.items():
            if (clock - heard) * SECOND > self._patience.silence:
                self._lose(f"{topic} silent for {clock - heard:.1f} s")

    def _gone(self, watcher: "asyncio.Future[object]") -> None:
        if not watcher.cancelled():
            error = watcher.exception()
            self._lose("closed by the exchange" if error is None else plain(error))
        else:
            self._lose("closed")

    def _lose(self, reason: str) -> None:
        if self.lost is None:
            self.lost = reason
        self._change.set()


def plain(error: BaseException) -> str:
    """What ccxt says, on one line and short; the cause where it says nothing."""
    cause = error.__cause__
    text = str(error) if cause is None else f"{error} ({cause or type(cause).__name__})"
    return " ".join(text.split())[:300] or type(error).__name__
