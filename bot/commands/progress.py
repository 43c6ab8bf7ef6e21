"""Progress of long work, the one way in which every command tells it: on stderr, with a count and what is left.

    with progress("import", "files", resume="what is stored stays: give the same command again") as tell:
        for n, file in enumerate(files):
            tell(n, len(files), file.name)      # how far it is, as often as one likes; the detail may be left out

On a terminal it is a bar that is gone when the work is done. Where stderr is piped it is plain lines, the first after some seconds, so
that quick work says nothing. `tell(done)` without a total counts without an end. Work that goes on from where it was left tells that
place first: the time left is reckoned from there. Ctrl-C ends the command with exit code 130 and one sentence: what was under way, how
far it was, and `resume`, which says how to go on. One at a time: work inside work tells the outer one. The rule: stdout belongs to the
answer, nothing of this goes there.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Protocol

AGAIN = "give the same command again: it begins anew"
FIRST, LATER = 5.0, 10.0  # seconds until the first plain line, and at least between two
A_SECOND = 5  # how often a bar is drawn


class Tell(Protocol):
    """`done` of `total` units so far (None: nobody knows how many there will be); `detail` is what is being worked on."""

    def __call__(self, done: int, total: int | None = None, detail: str = "") -> None: ...


@contextmanager
def progress(
    what: str, unit: str, *, resume: str = AGAIN, stream: IO[str] | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Tell]:
    """Show that `what` is under way, counted in `unit` (a plural). Gives the function to tell it with; any thread may call it.

    resume  what to do after an interruption, as the second half of a sentence
    Raises KeyboardInterrupt with the sentence that the command ends in.
    """
    count = _Count(what, unit)
    out = sys.stderr if stream is None else stream
    try:
        if out.isatty() and os.environ.get("TERM") != "dumb":
            with _bar(count, out, clock) as tell:
                yield tell
        else:
            yield _lines(count, out, clock)
    except KeyboardInterrupt:
        place = f" at {count.text()}" if count.done else ""
        raise KeyboardInterrupt(f"interrupted: {what}{place}; {resume}") from None


class _Count:
    """How far the work is, and how long the rest will take."""

    def __init__(self, what: str, unit: str) -> None:
        self.what, self.unit = what, unit
        self.done, self.total = 0, None  # type: int, int | None
        self._begun: tuple[float, int] | None = None

    def move(self, done: int, total: int | None, now: float) -> None:
        self.done, self.total = done, total
        if self._begun is None:
            self._begun = now, done

    def text(self) -> str:
        if self.total is None:
            return f"{self.done:,} {self.unit}"
        share = f" ({100 * self.done / self.total:.0f} %)" if self.total else ""
        return f"{self.done:,} of {self.total:,} {self.unit}{share}"

    def left(self, now: float) -> float | None:
        """Seconds, at the pace since the first word; None while that cannot be said."""
        if self._begun is None or self.total is None or self.done <= self._begun[1]:
            return None
        return (now - self._begun[0]) / (self.done - self._begun[1]) * max(0, self.total - self.done)


def _lines(count: _Count, out: IO[str], clock: Callable[[], float]) -> Tell:
    from bot.render import plain

    begun = clock()
    due = begun + FIRST

    def tell(done: int, total: int | None = None, detail: str = "") -> None:
        nonlocal due
        now = clock()
        count.move(done, total, now)
        if now < due:
            return
        due = now + max(LATER, (now - begun) / 10)  # ever fewer: the log of a day's work is not filled by it
        left = count.left(now)
        rest = "" if left is None else f", {_span(left)} left"
        said = f"  {plain(detail, 80)}" if detail else ""
        print(f"{count.what}: {count.text()}, {_span(now - begun)} so far{rest}{said}", file=out, flush=True)

    return tell


@contextmanager
def _bar(count: _Count, out: IO[str], clock: Callable[[], float]) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from bot.render import plain

    console = Console(file=out, force_terminal=True, no_color=bool(os.environ.get("NO_COLOR")), markup=False, emoji=False, highlight=False)
    shape = BarColumn(), MofNCompleteColumn(), TextColumn(count.unit, markup=False), TimeElapsedColumn(), TimeRemainingColumn()
    columns = TextColumn("{task.description}", markup=False), *shape, TextColumn("{task.fields[detail]}", markup=False)
    # An answer that is printed meanwhile belongs to stdout, wherever that leads: only what meets the same screen goes above the bar.
    both = sys.stdout.isatty()
    with Progress(*columns, console=console, transient=True, refresh_per_second=A_SECOND, redirect_stdout=both) as shown:
        task = shown.add_task(count.what, total=None, detail="")
        due = 0.0

        def tell(done: int, total: int | None = None, detail: str = "") -> None:
            nonlocal due
            now = clock()
            count.move(done, total, now)
            if now >= due:
                due = now + 1 / A_SECOND
                shown.update(task, completed=done, total=total, detail=plain(detail, 40))

        yield tell


def _span(seconds: float) -> str:
    """7 s, 3 min 20 s, 2 h 5 min"""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
