"""One bot for one store. The kernel holds the lock, so it ends with the process, however that ends.

The file beside the store (`bot.db.lock`) names the holder. It stays when the bot stops; a name in a file that nobody holds is stale,
and the next bot takes it over.
"""

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from bot.errors import AlreadyRunning, ConfigError
from feeds.times import Millis, iso

# `running` tries the lock for an instant to see whether it is free: one that finds it taken looks again before it believes it.
LOOKS, PAUSE_S = 4, 0.02


class Running(msgspec.Struct, frozen=True):
    """The process that holds a store, and since when."""

    pid: int
    started_ms: int
    mode: str = ""


class Lock:
    """`with Lock(path, started_ms=..., mode="paper"):` nobody else runs on the store meanwhile."""

    def __init__(self, path: str | Path, *, started_ms: Millis, mode: str = "") -> None:
        """Take the lock. Raises AlreadyRunning naming the holder, ConfigError where no lock file can be made."""
        self._file = _open(lock_path(path))
        try:
            for look in range(LOOKS):
                if _try(self._file):
                    break
                if look < LOOKS - 1:
                    time.sleep(PAUSE_S)
            else:
                raise AlreadyRunning(_refusal(path, _read(self._file)))
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, msgspec.json.encode(Running(os.getpid(), started_ms, mode)), 0)
        except BaseException:
            os.close(self._file)
            raise
        self._held = True

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._held:
            self._held = False
            os.ftruncate(self._file, 0)
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def lock_path(path: str | Path) -> Path:
    """Where the lock of a store lies: `bot.db` -> `bot.db.lock`."""
    return Path(f"{Path(path).resolve()}.lock")


def running(path: str | Path) -> Running | None:
    """Who runs on this store now; None when nobody does."""
    file, _ = _look(path)
    return file


def stale(path: str | Path) -> Running | None:
    """Who ran on this store and ended without letting go; None when all is well."""
    holder, left = _look(path)
    return left if holder is None else None


def _look(path: str | Path) -> tuple[Running | None, Running | None]:
    """(who holds the lock, whose name is in the file)."""
    try:
        file = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise ConfigError(f"the lock {lock_path(path)} cannot be read: {error.strerror}; ask as the user who runs the bot") from error
    try:
        named = _read(file)
        if _try(file, fcntl.LOCK_SH):
            return None, named
        return named or Running(0, 0), named
    finally:
        os.close(file)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"the lock {path} cannot be written: {error.strerror}; keep the store in a folder of yours") from error


def _try(file: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _read(file: int) -> Running | None:
    try:
        return msgspec.json.decode(os.pread(file, 4096, 0), type=Running)
    except msgspec.DecodeError:  # empty, or not written to the end
        return None


def _refusal(path: str | Path, holder: Running | None) -> str:
    if holder is None:
        return f"another process already runs on {path}; stop it, or name another --store"
    since = iso(holder.started_ms)
    mode = f" {holder.mode}" if holder.mode else ""
    return f"process {holder.pid} already runs{mode} on {path} since {since}; stop it with sluice stop, or name another --store"
