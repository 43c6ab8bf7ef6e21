"""The operator's word gets there once, is obeyed with what follows from it, and is answered or times out."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.control import Commands, Ordered, order_command
from bot.errors import ConfigError, NotFound, TimedOut
from bot.events import Command, Verb
from bot.lock import Lock
from bot.store.journal import Journal
from bot.store.reader import Reader
from bot.store.store import Store
from tests.bot.store.building import journal
from tests.builders import START


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bot.db"
    Store.open(path).close()
    return path


def give(path: Path, verb: Verb = Verb.HALT, reason: str = "") -> int:
    """A command by someone who does not wait for it."""
    conn = sqlite3.connect(path)
    with conn:
        cursor = conn.execute(
            "INSERT INTO commands (at, verb, reason, cancel, flatten) VALUES (?, ?, ?, 0, 1)", (START, verb.value, reason)
        )
    conn.close()
    return cursor.lastrowid or 0


class Bot:
    """Obeys one command each time it is its turn."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path)
        self.books: Journal = journal(self.store, mode="paper", keep_inputs=True)
        self.obeyed: list[int] = []

    def obey(self, _: float = 0.0) -> None:
        for id_, verb in self.store.conn.execute("SELECT id, verb FROM commands WHERE done_at IS NULL ORDER BY id LIMIT 1").fetchall():
            with self.store.transaction():
                self.books.write(Command(START + 7, id_, Verb(verb), ""), 0)
            self.obeyed.append(id_)


async def nothing(_: float) -> None:
    """A wait that is over at once."""


def commands(path: Path) -> AsyncIterator[Command]:
    return Commands(path, clock=lambda: START + 5, sleep=nothing).stream()


async def test_commands_come_in_order_and_once(path: Path) -> None:
    stream = commands(path)
    give(path, Verb.HALT, "lunch")
    assert await anext(stream) == Command(START + 5, 1, Verb.HALT, "lunch", False, True)
    give(path, Verb.RESUME, "back")
    give(path, Verb.STOP)
    assert [(await anext(stream)).verb for _ in range(2)] == [Verb.RESUME, Verb.STOP]


async def test_polling_waits_as_long_as_it_was_told(path: Path) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            give(path)

    await anext(Commands(path, poll_ms=40, clock=lambda: START, sleep=sleep).stream())
    assert waits == [0.04] * 3


async def test_halt_that_nobody_lived_to_obey_counts_at_the_next_start_and_a_stop_does_not(path: Path) -> None:
    for verb in (Verb.STOP, Verb.HALT, Verb.RESUME, Verb.REDUCE):
        give(path, verb)
    stream = commands(path)
    assert [(await anext(stream)).verb for _ in range(2)] == [Verb.HALT, Verb.REDUCE]
    with Reader.open(path) as read:
        assert {row.verb: (row.done_at, row.outcome) for row in read.commands()} == {
            Verb.STOP: (START + 5, "void: nobody was running"), Verb.RESUME: (START + 5, "void: nobody was running"),
            Verb.HALT: (None, None), Verb.REDUCE: (None, None),
        }  # fmt: skip


async def test_obeyed_command_is_not_given_again_after_a_restart(path: Path) -> None:
    bot = Bot(path)
    give(path, Verb.HALT)
    bot.obey()
    bot.store.close()
    second = give(path, Verb.REDUCE)
    assert (await anext(commands(path))).id == second


async def test_commands_of_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        await anext(commands(tmp_path / "bot.db"))


def test_command_is_answered_when_it_was_obeyed(path: Path) -> None:
    bot = Bot(path)
    times = iter((START, START + 60))  # of the one who asks: the bot's market may live in another year
    with Lock(path, started_ms=START):
        done = order_command(path, Verb.HALT, reason="lunch", flatten=True, clock=lambda: next(times), sleep=bot.obey)
    assert done == Ordered(1, START, START + 60, "obeyed")
    with Reader.open(path) as read:
        (row,) = read.commands()
        assert (row.verb, row.reason, row.cancel, row.flatten, row.run) == (Verb.HALT, "lunch", False, True, "r1")
        assert [type(event) for _, event in read.inputs("r1")] == [Command]


def test_two_operators_are_both_heard_in_order(path: Path) -> None:
    bot = Bot(path)

    def second(_: float) -> None:
        if not bot.obeyed:
            give(path, Verb.RESUME, "web")
        bot.obey()

    with Lock(path, started_ms=START):
        order_command(path, Verb.HALT, reason="cli", sleep=second)
    bot.obey()
    assert bot.obeyed == [1, 2]
    with Reader.open(path) as read:
        assert [(row.reason, row.outcome) for row in read.commands()] == [("web", "obeyed"), ("cli", "obeyed")]


def test_command_without_an_answer_times_out_and_stays(path: Path) -> None:
    waits: list[float] = []
    with Lock(path, started_ms=START), pytest.raises(TimedOut, match=r"did not answer reduce within 0\.5 s; the command stays"):
        order_command(path, Verb.REDUCE, reason="", wait_ms=500, poll_ms=100, sleep=waits.append)
    assert waits == [0.1] * 5
    with Reader.open(path) as read:
        assert read.commands()[0].done_at is None


def test_command_to_nobody_is_not_written(path: Path) -> None:
    with pytest.raises(NotFound, match="nothing runs on") as refused:
        order_command(path, Verb.STOP, reason="")
    assert refused.value.exit_code == 3
    with Reader.open(path) as read:
        assert read.commands() == []


def test_command_to_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no store"):
        order_command(tmp_path / "bot.db", Verb.STOP, reason="")
    assert list(tmp_path.iterdir()) == []


def test_command_to_a_locked_store_times_out_and_is_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.control.BUSY_MS", 30)
    with Lock(path, started_ms=START), Store.open(path) as store:
        with store.transaction(), pytest.raises(TimedOut, match="nothing was written"):
            order_command(path, Verb.HALT, reason="")
        assert Reader.of(store).commands() == []


def test_command_to_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE contacts (name TEXT)")
    conn.close()
    with Lock(path, started_ms=START), pytest.raises(ConfigError, match="another program"):
        order_command(path, Verb.HALT, reason="")
