"""Where things stand in a TOML text: the line and column of every key and value, so that a refusal can point at them.

It reads only what is needed to find places, and is lenient: what is no TOML at all, `tomllib` refuses.
"""

import bisect
import contextlib
import json
import re
from typing import NamedTuple

Path = tuple[str | int, ...]


class Place(NamedTuple):
    """Line and column count from 1; `length` characters of this line are meant."""

    line: int
    column: int
    length: int


class Found(NamedTuple):
    """Where a key and its value stand; of a table header both are its name."""

    key: Place
    value: Place


class Scan(NamedTuple):
    """found  by path; array elements have their number in the path. twice  keys that were written again, with their places"""

    found: dict[Path, Found]
    twice: list[tuple[Path, Place]]


def scan(text: str) -> Scan:
    """The places in a TOML text; stops where it can make no sense of it."""
    scanner = _Scanner(text)
    with contextlib.suppress(_Lost, RecursionError):
        scanner.document()
    return Scan(scanner.found, scanner.twice)


class _Lost(Exception):
    """Not TOML from here on."""


_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_DOT = re.compile(r"[ \t]*\.")
_SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_PLAIN = re.compile(r"[^,\]}#\n]+")
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._starts = [0, *(at + 1 for at, letter in enumerate(text) if letter == "\n")]
        self.found: dict[Path, Found] = {}
        self.twice: list[tuple[Path, Place]] = []
        self._arrays: dict[Path, int] = {}
        self._passed: set[Path] = set()

    def document(self) -> None:
        table: Path = ()
        while True:
            self._skip(_SPACE)
            if self.at >= len(self.text):
                return
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        many = self._peek("[[")
        self.at += 2 if many else 1
        keys = self._keys(())
        self._skip(_BLANK)
        self._expect("]]" if many else "]")
        path: Path = tuple(name for name, _ in keys)
        if many:
            number = self._arrays[path] = self._arrays.get(path, -1) + 1
            self.found.setdefault(path, Found(keys[-1][1], keys[-1][1]))
            path = (*path, number)
        self._note(path, Found(keys[-1][1], keys[-1][1]))
        return path

    def _pair(self, table: Path) -> None:
        keys = self._keys(table)
        self._skip(_BLANK)
        self._expect("=")
        self._skip(_BLANK)
        path = (*table, *(name for name, _ in keys))
        begin = self.at
        self._value(path)
        self._note(path, Found(keys[-1][1], self._place(begin, self.at)))

    def _keys(self, table: Path) -> list[tuple[str, Place]]:
        """The parts of a dotted key; the tables that it only passes through are noted."""
        keys: list[tuple[str, Place]] = []
        while True:
            self._skip(_BLANK)
            quoted = _STRING.match(self.text, self.at) if self._peek('"') or self._peek("'") else None
            bare = quoted or _BARE.match(self.text, self.at)
            if bare is None:
                raise _Lost
            self.at = bare.end()
            keys.append((_named(quoted[0]) if quoted else bare[0], self._place(bare.start(), bare.end())))
            dot = _DOT.match(self.text, self.at)
            if dot is None:
                return keys
            self.at = dot.end()
            path = (*table, *(name for name, _ in keys))
            if path not in self.found:
                self.found[path] = Found(keys[-1][1], keys[-1][1])
                self._passed.add(path)

    def _value(self, path: Path) -> None:
        if self._peek("["):
            self._array(path)
        elif self._peek("{"):
            self._inline(path)
        else:
            match = _STRING.match(self.text, self.at) or _PLAIN.match(self.text, self.at)
            if match is None:
                raise _Lost
            self.at += len(match[0].rstrip())

    def _array(self, path: Path) -> None:
        self.at += 1
        number = 0
        while True:
            self._skip(_SPACE)
            if self._peek("]"):
                self.at += 1
                return
            start = self.at
            self._value((*path, number))
            place = self._place(start, self.at)
            self._note((*path, number), Found(place, place))
            number += 1
            self._skip(_SPACE)
            if self._peek(","):
                self.at += 1
            elif not self._peek("]"):
                raise _Lost

    def _inline(self, path: Path) -> None:
        self.at += 1
        while True:
            self._skip(_SPACE)
            if self._peek("}"):
                self.at += 1
                return
            self._pair(path)
            self._skip(_SPACE)
            if self._peek(","):
                self.at += 1
            elif not self._peek("}"):
                raise _Lost

    def _note(self, path: Path, found: Found) -> None:
        if path in self.found and path not in self._passed:
            self.twice.append((path, found.key))
        else:
            self.found[path] = found
            self._passed.discard(path)

    def _place(self, start: int, end: int) -> Place:
        row = bisect.bisect_right(self._starts, start) - 1
        stop = self._starts[row + 1] - 1 if row + 1 < len(self._starts) else len(self.text)
        return Place(row + 1, start - self._starts[row] + 1, max(1, min(end, stop) - start))

    def _peek(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def _expect(self, token: str) -> None:
        if not self._peek(token):
            raise _Lost
        self.at += len(token)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        assert match is not None
        self.at = match.end()


def _named(quoted: str) -> str:
    """The key that stands in quotes."""
    try:
        return str(json.loads(quoted)) if quoted[0] == '"' else quoted[1:-1]
    except ValueError:  # TOML knows escapes that JSON does not
        return quoted[1:-1]


def dotted(path: Path) -> str:
    """strategy.factors.mom; exchange.symbols[1]."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
