"""The command line as a whole: exit codes, errors, help."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator

import click
import msgspec
import pytest

from bot import cli, errors
from bot.cli import COMMANDS, main
from feeds.errors import BadData, Unreachable


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that can be run, with the words that name it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(leaves(cli.sluice))


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Make `sluice runs` raise what one likes."""

    def arrange(error: BaseException) -> None:
        @click.command()
        @click.option("--json", "as_json", is_flag=True)
        @click.option("-v", "verbose", is_flag=True)
        def broken(as_json: bool, verbose: bool) -> None:
            raise error

        monkeypatch.setattr(cli.Commands, "get_command", lambda self, ctx, name: broken)

    return arrange


CODES = [
    (errors.UsageError("x"), 2),
    (errors.NotFound("x"), 3),
    (errors.ConfigError("x"), 4),
    (errors.TimedOut("x"), 5),
    (errors.AlreadyRunning("x"), 6),
    (errors.RefusedByRisk("x"), 7),
    (errors.CheckFailed("x"), 8),
    (Unreachable("x"), 5),
    (BadData("x"), 4),
    (PermissionError(13, "Permission denied", "/root/x"), 4),
    (FileNotFoundError(2, "No such file or directory", "x.parquet"), 4),
    (KeyboardInterrupt(), 130),
    (click.Abort(), 130),
    (ZeroDivisionError("x"), 1),
    (ExceptionGroup("tasks", [ValueError("y"), errors.TimedOut("x")]), 5),
    (ExceptionGroup("tasks", [ExceptionGroup("more", [Unreachable("x")])]), 5),
]


@pytest.mark.parametrize(
    ("error", "code"), CODES, ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value)
)
def test_every_kind_of_failure_has_its_exit_code(raising, capsys, error: BaseException, code: int) -> None:  # type: ignore[no-untyped-def]
    raising(error)
    assert main(["runs"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
    assert "Traceback" not in said.err


def test_an_unexpected_error_says_how_to_see_where_it_happened(raising, capsys) -> None:  # type: ignore[no-untyped-def]
    raising(ZeroDivisionError("by zero"))
    assert main(["runs"]) == 1
    assert "unexpected ZeroDivisionError: by zero" in (quiet := capsys.readouterr().err)
    assert "-v" in quiet
    assert main(["runs", "-v"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_with_json_a_failure_is_one_document_too(raising, capsys) -> None:  # type: ignore[no-untyped-def]
    raising(errors.NotFound("there is no run R-1.  sluice runs lists them"))
    assert main(["runs", "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document == {"error": {"kind": "NotFound", "message": "there is no run R-1.  sluice runs lists them", "exit_code": 3}}


def test_what_was_answered_already_is_not_answered_twice(raising, capsys) -> None:  # type: ignore[no-untyped-def]
    raising(errors.CheckFailed("2 digests differ", answered=True))
    assert main(["runs", "--json"]) == 8
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "sluice: 2 digests differ\n")


def test_a_store_that_is_found_damaged_on_the_way_is_a_failed_check(raising, capsys) -> None:  # type: ignore[no-untyped-def]
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    raising(error)
    assert main(["runs"]) == 8
    assert "the store is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("no such table: fills"), msgspec.ValidationError("Expected `object`, got `int`")]
)
def test_a_store_that_lacks_a_table_or_holds_a_broken_document_is_damaged(raising, capsys, error) -> None:  # type: ignore[no-untyped-def]
    raising(error)
    assert main(["runs"]) == 8
    assert f"the store is damaged: {error}; restore it from a backup" in capsys.readouterr().err


def test_an_error_cannot_carry_an_escape_sequence_to_the_terminal(raising, capsys) -> None:  # type: ignore[no-untyped-def]
    raising(BadData("headline \x1b[2J\x1b]0;owned\x07 refused"))
    main(["runs"])
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [(["repaly"], "Did you mean 'replay'?"), (["xyzzy"], "sluice --help lists the commands"), (["replay", "--candels", "x"], "--candles")],
)
def test_a_wrong_word_is_answered_with_the_right_one(capsys, words: list[str], says: str) -> None:  # type: ignore[no-untyped-def]
    assert main(words) == 2
    assert says in capsys.readouterr().err


def test_no_words_at_all_are_answered_with_help(capsys) -> None:  # type: ignore[no-untyped-def]
    assert main([]) == 2
    assert "replay" in capsys.readouterr().err


def test_help_imports_no_command() -> None:
    told = "sorted(m for m in sys.modules if m.startswith('bot.commands.'))"
    code = f"import sys, bot.cli; bot.cli.main(['--help']); print({told}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "why-not" in done.stdout


def test_help_answers_within_its_time() -> None:
    took = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bot", "--help"], capture_output=True, check=True)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.4


def test_a_closed_pipe_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "bot", "--help"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_closed_and_full_outputs_are_no_faults_of_ours() -> None:
    tail = f"{sys.executable} -m bot nothing --json"
    for how, code in ((">&-", 2), ("2>&-", 2), (">&- 2>&-", 2), (">/dev/full", 2)):
        done = subprocess.run(["bash", "-c", f"{tail} {how}"], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), how
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m bot --help >/dev/full"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (4, 1)


def test_sections_hold_every_command_once() -> None:
    assert len({row.name for row in COMMANDS}) == len(COMMANDS)
    assert {path[0] for path in ALL} == {row.name for row in COMMANDS}


@pytest.mark.parametrize("path", list(ALL), ids=" ".join)
def test_help_of_each_command_has_an_example_and_tells_of_json(capsys, path: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    assert main([*path, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"  sluice {' '.join(path)}" in said.split("Example")[1]
    assert "--json" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("path", list(ALL), ids=" ".join)
def test_examples_are_read_without_a_complaint(path: tuple[str, ...]) -> None:
    import shlex

    command = ALL[path]
    for example in command.examples:  # type: ignore[attr-defined]
        words = shlex.split(example)
        assert tuple(words[1 : 1 + len(path)]) == path
        command.make_context("sluice", words[1 + len(path) :], resilient_parsing=False)
