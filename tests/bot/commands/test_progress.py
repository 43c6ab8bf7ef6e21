"""Long work tells how far it is: a bar on a terminal, lines in a pipe, one sentence when it is interrupted."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest

from bot import cli
from bot.commands.progress import Tell, progress
from tests.bot.commands.books import run


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def piped(seconds: float, tell_at: Callable[[int], tuple[int, int | None, str]], steps: int) -> list[str]:
    out, clock = io.StringIO(), Clock()
    with progress("import", "files", stream=out, clock=clock) as tell:
        for step in range(steps):
            tell(*tell_at(step))
            clock.now += seconds
    return out.getvalue().splitlines()


def test_quick_work_says_nothing_in_a_pipe() -> None:
    assert piped(0.01, lambda step: (step, 100, ""), 100) == []


def test_long_work_says_lines_with_count_share_and_time_left() -> None:
    said = piped(1.0, lambda step: (step, 60, f"F{step}.csv"), 20)
    assert said == [
        "import: 5 of 60 files (8 %), 5 s so far, 55 s left  F5.csv",
        "import: 15 of 60 files (25 %), 15 s so far, 45 s left  F15.csv",
    ]


def test_lines_become_fewer_as_the_work_goes_on() -> None:
    assert len(piped(60.0, lambda step: (step, 1_440, ""), 1_440)) < 80  # a day


def test_what_goes_on_is_reckoned_from_where_it_was_left() -> None:
    (said,) = piped(1.0, lambda step: (1_000 + step, 1_100, ""), 10)
    assert said == "import: 1,005 of 1,100 files (91 %), 5 s so far, 1 min 35 s left"


def test_work_without_a_known_end_is_counted() -> None:
    assert piped(5.0, lambda step: (step, None, ""), 2) == ["import: 1 files, 5 s so far"]


def test_a_detail_cannot_steer_the_screen() -> None:
    (said,) = piped(5.0, lambda step: (1, 2, "\x1b[2Ja\nb"), 2)
    assert said.endswith("  a b")


@pytest.mark.parametrize(("done", "place"), [(0, ""), (3, " at 3 of 9 files (33 %)")])
def test_an_interruption_names_the_work_the_place_and_how_to_go_on(done: int, place: str) -> None:
    with (
        pytest.raises(KeyboardInterrupt) as stopped,
        progress("import", "files", resume="what is stored stays", stream=io.StringIO()) as tell,
    ):
        if done:
            tell(done, 9)
        raise KeyboardInterrupt
    assert str(stopped.value) == f"interrupted: import{place}; what is stored stays"


def test_an_interrupted_command_ends_with_130_and_the_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, progress: Tell, **__: object) -> None:
        progress(1_200, 5_000)
        raise KeyboardInterrupt

    monkeypatch.setattr("bot.modes.replay", stopped)
    code, out, err = run(capsys, "replay", "--candles", "x.csv", "--json")
    assert code == 130
    assert "interrupted: replay at 1,200 of 5,000 bars (24 %); give the same command again: it begins anew" in err
    assert '"exit_code": 130' in out
    assert cli.main(["--version"]) == 0


ON_A_TERMINAL = """
import sys
from bot.commands.progress import Tell, progress
with progress("replay", "bars") as tell:
    for n in range(3):
        tell(n, 2, "[red]BTC")
        print('{"answer": %d}' % n)
"""


def test_a_terminal_shows_a_bar_and_stdout_stays_the_answers() -> None:
    """stderr is a terminal, stdout a pipe: the document in the pipe is untouched."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-c", ON_A_TERMINAL], stdout=subprocess.PIPE, stderr=follower, env=environment, timeout=60, check=True, text=True
    )
    os.close(follower)
    drawn = os.read(leader, 65_536).decode()
    os.close(leader)
    assert done.stdout == '{"answer": 0}\n{"answer": 1}\n{"answer": 2}\n'
    assert "replay" in drawn and "bars" in drawn and "[red]BTC" in drawn
