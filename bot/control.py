"""The operator's word, from another process: a row that is written there, a Command event that enters here.

A row counts as obeyed in the same transaction as everything that followed from it, so it is obeyed once, also across a crash.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec

from bot.errors import ConfigError, NotFound, SluiceError, TimedOut
from bot.events import Command, Verb
from bot.lock import running
from bot.store.migrations import LEDGER, level
from bot.store.store import BUSY_MS
from feeds.times import Millis, now

POLL_MS: Millis = 250
PATIENCE_MS: Millis = 10_000

Clock = Callable[[], Millis]

# A halt or a reduce that nobody lived to obey still counts at the next start; resuming and stopping were meant for the one who is gone.
_OUTLIVE = (Verb.HALT, Verb.REDUCE)
_VOID = "UPDATE commands SET done_at = ?, outcome = 'void: nobody was running' WHERE done_at IS NULL AND verb NOT IN (?, ?)"


class Ordered(msgspec.Struct, frozen=True):
    """A command that was obeyed: its row, when it was given and seen to be obeyed (UTC milliseconds, our clock), what came of it."""

    id: int
    at: Millis
    done_at: Millis
    outcome: str


class Commands:
    """The commands in a store as a feed."""

    name = "commands"

    def __init__(
        self, path: str | Path, *, poll_ms: Millis = POLL_MS, clock: Clock = now, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """path of a store that exists; clock and sleep (seconds) are given by tests."""
        self._path, self._poll_ms, self._clock, self._sleep = str(path), poll_ms, clock, sleep

    async def stream(self) -> AsyncIterator[Command]:
        """Each command once, in the order in which they were given; `at` is when it was read here.

        First come those that were left behind: a halt or a reduce is obeyed, a resume or a stop is void.
        """
        conn = _connect(self._path)
        try:
            self._void(conn)
            last = 0
            while True:
                rows = conn.execute(
                    "SELECT id, verb, reason, cancel, flatten FROM commands WHERE done_at IS NULL AND id > ? ORDER BY id", (last,)
                ).fetchall()
                for last, verb, reason, cancel, flatten in rows:
                    yield Command(at=self._clock(), id=last, verb=Verb(verb), reason=reason, cancel=bool(cancel), flatten=bool(flatten))
                await self._sleep(self._poll_ms / 1000)
        finally:
            conn.close()

    def _void(self, conn: sqlite3.Connection) -> None:
        try:
            conn.execute(_VOID, (self._clock(), *(verb.value for verb in _OUTLIVE)))
        except sqlite3.OperationalError as error:
            raise _wrong(error, self._path) from error


def order_command(
    path: str | Path, verb: Verb, *, reason: str, cancel: bool = False, flatten: bool = False, wait_ms: Millis = PATIENCE_MS,
    poll_ms: Millis = 50, clock: Clock = now, sleep: Callable[[float], None] = time.sleep,
) -> Ordered:  # fmt: skip
    """Give the bot that runs on this store a command, and wait until it has obeyed.

    Raises NotFound when nothing runs there, TimedOut when it does not obey in time (the command stays, and is obeyed as soon as it
    can be), ConfigError when the store cannot be written.
    """
    if not Path(path).exists():
        raise NotFound(f"there is no store {path}; name the one your bot runs on with --store")
    holder = running(path)
    if holder is None:
        raise NotFound(f"nothing runs on {path}; start it with sluice paper, or name another --store")
    conn = _connect(str(path))
    try:
        at = clock()
        (id_,) = conn.execute(
            "INSERT INTO commands (at, verb, reason, cancel, flatten) VALUES (?,?,?,?,?) RETURNING id",
            (at, verb.value, reason, int(cancel), int(flatten)),
        ).fetchone()
        for _ in range(max(1, wait_ms // poll_ms)):
            done = conn.execute("SELECT outcome FROM commands WHERE id = ? AND done_at IS NOT NULL", (id_,)).fetchone()
            if done is not None:
                return Ordered(id_, at, clock(), done[0])
            sleep(poll_ms / 1000)
    except sqlite3.OperationalError as error:
        raise _wrong(error, str(path)) from error
    finally:
        conn.close()
    raise TimedOut(
        f"process {holder.pid} did not answer {verb.value} within {wait_ms / 1000:g} s; the command stays in {path} and is obeyed as soon "
        "as the bot can: look with sluice status"
    )


def _connect(path: str) -> sqlite3.Connection:
    try:
        conn = sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=rw", uri=True, timeout=BUSY_MS / 1000, isolation_level=None)
        try:
            if level(conn, LEDGER, path) < len(LEDGER.steps):
                raise ConfigError(f"{path} holds no books of this version yet; start the bot on it once")
            conn.execute("PRAGMA synchronous = FULL")
        except BaseException:
            conn.close()
            raise
    except sqlite3.OperationalError as error:
        raise _wrong(error, path) from error
    return conn


def _wrong(error: sqlite3.OperationalError, path: str) -> SluiceError:
    if "locked" in str(error) or "busy" in str(error):
        return TimedOut(f"{path} was locked for {BUSY_MS // 1000} s; nothing was written: try again")
    return ConfigError(f"{path} cannot be written: {error}; give the command as the user who runs the bot")
