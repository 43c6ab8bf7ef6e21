"""Where log lines go: stderr for people, a file that cannot grow without bound for the daemon.

The rule: a line is one line. Control characters are stripped, what looks like a secret is masked, and a storm of the same line is cut.
"""

import logging
import logging.handlers
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from feeds import times

MAX_BYTES = 10 * 1024 * 1024  # of a file; five old ones are kept, so 60 MB at most
KEPT = 5
OURS = ("bot", "feeds", "strategies")
STORM = 20  # lines of one origin a second; the rest is counted

_SECRET = re.compile(r"(?i)\b([a-z_]*(?:secret|token|password|api_?key|signature)[a-z_]*)(\s*[=:]\s*)(['\"]?)[^\s'\",;&]{4,}")


def masked(text: str) -> str:
    """The text with the values of names that speak of secrets replaced by ***."""
    return _SECRET.sub(r"\1\2\3***", text)


class Line(logging.Formatter):
    """One line a record: UTC, level, place, event and its key=value pairs; a traceback follows indented."""

    def format(self, record: logging.LogRecord) -> str:
        from bot.render import plain

        utc = times.iso(int(record.created * 1000))
        message = record.getMessage()
        error = "".join(f"\n    {plain(line)}" for line in self.formatException(record.exc_info).splitlines()) if record.exc_info else ""
        return f"{utc} {record.levelname:<7} {plain(record.name)} {masked(plain(message, 2000))}{masked(error)}"


class Calm(logging.Filter):
    """At most STORM lines a second from one line of code; what was left out is counted in the next that passes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[tuple[str, int], tuple[int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        place, second = (record.pathname, record.lineno), int(record.created)
        began, count = self.seen.get(place, (second, 0))
        if began != second:
            if count > STORM:
                record.msg = f"{record.getMessage()} (and {count - STORM} more like the last)"
                record.args = ()
            began, count = second, 0
        self.seen[place] = (began, count + 1)
        return count < STORM


class Stderr(logging.Handler):
    """Lines to stderr as it is when they come, not as it was when this was made."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)


class Rotating(logging.handlers.RotatingFileHandler):
    """A file that is private also when the next one begins."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))


def to_stderr(verbose: bool) -> None:
    """Warnings, and with `verbose` everything of ours, to stderr. Calling it again replaces what it did before."""
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, Stderr)]:
        root.removeHandler(old)
    handler = Stderr(logging.DEBUG if verbose else logging.WARNING)
    _install(handler, handler.level)


@contextmanager
def to_file(path: Path) -> Iterator[None]:
    """INFO and above into a rotating file of mode 0600, for as long as it lasts; raises OSError naming the path."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = Rotating(path, maxBytes=MAX_BYTES, backupCount=KEPT)
    handler.setLevel(logging.INFO)
    _install(handler, logging.INFO)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def _install(handler: logging.Handler, level: int) -> None:
    handler.setFormatter(Line())
    handler.addFilter(Calm())
    logging.getLogger().addHandler(handler)
    for name in OURS:
        logger = logging.getLogger(name)
        logger.setLevel(min(level, logger.level or level))
