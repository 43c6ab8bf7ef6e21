"""One bot for one store, however the one before it ended."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.errors import AlreadyRunning, ConfigError
from bot.lock import Lock, Running, lock_path, running, stale
from tests.builders import START

ROOT = Path(__file__).parents[2]

_HOLDS = """
import sys
from bot.lock import Lock
with Lock(sys.argv[1], started_ms=1704067200000, mode="paper"):
    print("held", flush=True)
    sys.stdin.readline()
"""
_TRIES = """
import sys
from bot.errors import SluiceError
from bot.lock import Lock
try:
    Lock(sys.argv[1], started_ms=1)
except SluiceError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            child.kill()


def test_second_process_is_told_who_runs(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with holder(path) as child:
        done = subprocess.run([sys.executable, "-c", _TRIES, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 6
        assert f"process {child.pid} already runs paper on {path} since 2024-01-01T00:00:00Z" in done.stdout
        assert running(path) == Running(child.pid, START, "paper")


def test_second_holder_in_the_same_process_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with Lock(path, started_ms=START, mode="paper"):
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} already runs paper"):
            Lock(path, started_ms=START + 1)
        assert running(path) == Running(os.getpid(), START, "paper")


def test_lock_is_free_after_it_was_let_go(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    lock = Lock(path, started_ms=START)
    lock.release()
    lock.release()
    assert running(path) is None and stale(path) is None
    Lock(path, started_ms=START).release()


def test_lock_of_a_killed_process_is_stale_and_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with holder(path) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert running(path) is None
    assert stale(path) == Running(child.pid, START, "paper")
    with Lock(path, started_ms=START + 1):
        assert running(path) == Running(os.getpid(), START + 1)
        assert stale(path) is None


def test_nothing_runs_where_there_is_no_lock(tmp_path: Path) -> None:
    assert running(tmp_path / "bot.db") is None and stale(tmp_path / "bot.db") is None
    assert list(tmp_path.iterdir()) == []


def test_looking_leaves_the_lock_to_be_taken(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    Lock(path, started_ms=START).release()
    for _ in range(20):
        assert running(path) is None
        Lock(path, started_ms=START).release()


def test_lock_file_with_rubbish_in_it_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    lock_path(path).write_bytes(b"\x00{pid")
    assert running(path) is None
    with Lock(path, started_ms=START):
        assert running(path) == Running(os.getpid(), START)


def test_holder_whose_name_cannot_be_read_still_keeps_others_out(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with Lock(path, started_ms=START):
        os.truncate(lock_path(path), 0)
        assert running(path) == Running(0, 0)
        with pytest.raises(AlreadyRunning, match="another process already runs"):
            Lock(path, started_ms=START)


def test_two_names_of_one_store_are_one_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "bot.db")
    monkeypatch.chdir(tmp_path)
    with Lock("bot.db", started_ms=START), pytest.raises(AlreadyRunning):
        Lock(tmp_path / "link.db", started_ms=START)


def test_stores_do_not_disturb_one_another(tmp_path: Path) -> None:
    with Lock(tmp_path / "a.db", started_ms=START), Lock(tmp_path / "b.db", started_ms=START):
        pass


def test_lock_is_for_its_owner_alone_and_makes_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bot.db"
    with Lock(path, started_ms=START):
        assert stat.S_IMODE(lock_path(path).stat().st_mode) == 0o600


def test_lock_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        Lock(tmp_path / "file" / "bot.db", started_ms=START)
