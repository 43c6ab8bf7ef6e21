"""config.toml -> frozen values, or every problem at once with its line, column and what was probably meant.

Order: built-in defaults, then the file, then the environment (SLUICE__RISK__MAX_GROSS=0.5), then the command line. An unknown key,
a wrong type, an impossible value is refused at start. Secrets are never in here: see bot/config/secrets.py.
"""

import errno
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from bot.config import tables
from bot.config.read import SHOWN, Problem, Reader, leaves, names_secret
from bot.config.rules import problems as misfits
from bot.config.secrets import Secret, Secrets, read_secrets
from bot.config.strategy_file import Read, with_strategy
from bot.config.syntax import syntax_problem
from bot.config.tables import Config
from bot.config.text import Found, Path, Place, dotted, scan
from bot.config.values import Span
from bot.errors import ConfigError
from strategies.errors import StrategyError

__all__ = [
    "Config",
    "ConfigProblems",
    "Loaded",
    "Secret",
    "Secrets",
    "Span",
    "default_text",
    "load",
    "read_secrets",
    "schema",
    "tables",
    "value_of",
]

ENVIRONMENT = "SLUICE__"
DEEPEST = 32  # parts of a key
LARGEST = 1 << 20  # bytes of a config file
LARGEST_FACTOR = 1 << 16  # bytes of a file with one factor


_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_FACTOR_FILE = re.compile(r"[^\n\0]*[\w)~]\.(?:py|txt)")  # nothing that ends so is a factor
_DEEP = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:{_PART}){{{DEEPEST}}}")


class ConfigProblems(ConfigError):
    """What is wrong with a configuration; `lines` one text for each problem, the first ones when there are very many."""

    def __init__(self, lines: Sequence[str], total: int = 0) -> None:
        self.lines = tuple(lines)
        total = max(total, len(lines))
        more = f", the first {len(lines)} of which are shown" if total > len(lines) else ""
        count = f"{total} problem{'s' if total > 1 else ''}{more}. Nothing was started."
        super().__init__("\n".join((*lines, count)))


class Loaded(NamedTuple):
    """A configuration that can be used.

    origin  dotted setting -> "default", "FILE:LINE", "env" or "command line"
    file    where it was read from, None when built in; text  what stood in it
    sources  factor -> the file that its text was read from;  strategy: the file of the strategy (None: there is none)
    """

    config: Config
    origin: Mapping[str, str]
    file: FilePath | None
    text: str
    sources: Mapping[str, str] = MappingProxyType({})
    strategy: FilePath | None = None

    def refuse(self, setting: str, message: str, suggestion: str = "", at: int = 0) -> ConfigProblems:
        """A refusal that points at a setting, for what is only found out later, such as a factor text.

        at  characters into the value where it goes wrong
        """
        problem = Problem(tuple(setting.split(".")), "value", message, suggestion)
        outside = {problem.path: ENVIRONMENT + setting.upper().replace(".", "__")} if self.origin.get(setting) == "env" else {}
        return ConfigProblems([_pointed(problem, _Source(self.file, self.text), outside, at)])

    def resolve(self, path: str) -> FilePath:
        """A path of the configuration: relative ones start at its file."""
        base = self.file.parent if self.file is not None else FilePath()
        return base / FilePath(path).expanduser()


class _Source:
    """A file's text, its name as shown, and where things stand in it."""

    def __init__(self, file: FilePath | None, text: str) -> None:
        self.name = str(file) if file is not None else "built-in values"
        self.text = text
        self.lines = text.split("\n")
        self.found = scan(text).found if text else {}

    def place(self, problem: Problem) -> Place | None:
        """Where the key or the value stands; of what is not there, what else it is about, or the nearest thing above it."""
        path, on = problem.path, problem.on
        if path not in self.found:
            near = (self.found.get(tuple(setting.split("."))) for setting in problem.near)
            other = next((found for found in near if found is not None), None)
            if other is not None:
                return other.value
        while path:
            found: Found | None = self.found.get(path)
            if found is not None:
                return found.key if on == "key" else found.value
            path, on = path[:-1], "key"
        return None


def load(path: FilePath | str | None = None, env: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read, check and merge.

    path       None: config.toml here, or the built-in values where there is none
    env        the process's environment when not given
    overrides  dotted setting -> value as TOML would have it, from the command line
    Raises ConfigProblems (all of them), or ConfigError when the file cannot be read.
    """
    file = FilePath(path) if path is not None else FilePath("config.toml")
    source = _Source(None, "")
    document: dict[str, Any] = {}  # Any: TOML
    if path is not None or file.exists():
        source = _Source(file, _text(file))
        document = _parse(source)
    origin: dict[Path, str] = {}
    outside: dict[Path, str] = {}  # settings that stand in no file, and what to call them in a message
    for name, text in sorted((os.environ if env is None else env).items()):
        if name.startswith(ENVIRONMENT):
            where = tuple(_cased(part) for part in name.removeprefix(ENVIRONMENT).split("__"))
            _put(document, where, _value(text, where))
            outside[where], origin[where] = name, "env"
    for setting, value in (overrides or {}).items():
        where = tuple(setting.split("."))
        _put(document, where, value)
        outside[where], origin[where] = f"--{setting}", "command line"
    reader = Reader(Config)
    config: Config = reader.table(Config, document)
    refused = {dotted(p.path[:n]) for p in reader.problems for n in range(1, len(p.path) + 1)}
    base = file.parent if source.text else FilePath()
    config, sources, unreadable = _factor_files(config, base)
    read = _strategy(config, base, outside)
    config = read.config
    found = [*reader.problems, *unreadable, *read.problems, *misfits(config, refused)]
    if found:
        found.sort(key=lambda problem: _order(problem, source, outside))
        raise ConfigProblems([_pointed(problem, source, outside) for problem in found[:SHOWN]], len(found))
    origins = _origins(config, source, origin) | dict.fromkeys(read.ruled, f"rules of {config.strategy.file}")
    return Loaded(config, origins, file if source.text or path is not None else None, source.text, sources, read.path)


def default_text(profile: str = "paper") -> str:
    """A commented config.toml for paper, demo, testnet or live."""
    from bot.config import docs

    return docs.default_text(profile)


def value_of(text: str, setting: str) -> Any:  # Any: TOML
    """What somebody typed for a setting, as TOML would have it."""
    return _value(text, tuple(setting.split(".")))


def schema() -> dict[str, Any]:
    """The JSON Schema of config.toml."""
    from bot.config import docs

    return docs.schema()


def _strategy(config: Config, base: FilePath, outside: Mapping[Path, str]) -> Read:
    """The configuration with its strategy file; a source that is no strategy is told with its own places."""
    try:
        return with_strategy(config, base, outside)
    except StrategyError as error:
        raise ConfigProblems(error.problems) from None


def _factor_files(config: Config, base: FilePath) -> tuple[Config, dict[str, str], list[Problem]]:
    """The config with the text of each factor that names a file, factor -> file, and the files that cannot be read."""
    texts, files, problems = dict(config.strategy.factors), {}, []
    for name, value in config.strategy.factors.items():
        if not _FACTOR_FILE.fullmatch(value):
            continue
        file = FilePath(value)
        try:
            file = base / file.expanduser()
            with file.open("rb") as stream:
                raw = stream.read(LARGEST_FACTOR + 1)
            texts[name], files[name] = raw.decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n"), str(file)
            said = "" if len(raw) <= LARGEST_FACTOR else f"is larger than {LARGEST_FACTOR >> 10} KiB, which no factor is"
        except OSError as error:
            said = f"cannot be read: {(error.strerror or str(error)).lower()}"
        except RuntimeError:
            said = "is in the folder of a user whom this machine does not know"
        except UnicodeDecodeError:
            said = "is not UTF-8; save the file as UTF-8"
        if said:
            problems.append(Problem(("strategy", "factors", name), "value", f"the file {file} {said}"))
    if not files:
        return config, files, problems
    return msgspec.structs.replace(config, strategy=msgspec.structs.replace(config.strategy, factors=texts)), files, problems


def _text(file: FilePath) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except OSError as error:
        said = {errno.ENOENT: "there is no such file; sluice init writes one", errno.EISDIR: "is a folder, not a file"}
        raise ConfigError(f"{file}: {said.get(error.errno or 0, error.strerror or str(error))}") from None
    if len(raw) > LARGEST:
        raise ConfigError(f"{file}: larger than {LARGEST >> 20} MiB, which no configuration is")
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise ConfigProblems([f"{file}:{before.count(10) + 1}:{column}  not UTF-8; save the file as UTF-8"]) from None
    deep = _DEEP.search(text)
    if deep is not None:
        place = _place(text, deep.start())
        raise ConfigProblems([f"{file}:{place.line}:{place.column}  a key of more than {DEEPEST} parts: no setting lies so deep"])
    return text


def _parse(source: _Source) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        place, message, suggestion = syntax_problem(source.text, str(error))
        secret = names_secret(source.lines[place.line - 1].partition("=")[0]) if place.line <= len(source.lines) else False
        if secret:
            message, suggestion = "this line is no TOML, and secrets do not belong in this file: put them in the secrets file", ""
        raise ConfigProblems([_drawn(source, place, message, suggestion, hide=secret)]) from None
    except RecursionError:
        raise ConfigError(f"{source.name}: nested too deeply") from None
    except ValueError as error:  # Python reads no whole number of thousands of digits
        long = re.search(r"[0-9_]{1000,}", source.text)
        if long is None:
            raise ConfigError(f"{source.name}: {error}") from None
        raise ConfigProblems([_drawn(source, _place(source.text, long.start()), "no setting is a number of so many digits", "")]) from None


def _place(text: str, at: int) -> Place:
    return Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at), 1)


def _cased(part: str) -> str:
    """Symbols stay as they are: the only upper-case part of a setting's name is one."""
    return part if re.fullmatch(r"[A-Z0-9]+(USDT|USDC|USD|PERP)", part) else part.lower()


def _value(text: str, where: tuple[str, ...]) -> Any:
    """What stands in the environment, as TOML where it is TOML, else as text."""
    kind = next((field.kind for path, field, _ in leaves(Config()) if path == where), None)
    if kind is str or (kind is None and "factors" in where):
        return text
    try:
        return tomllib.loads(f"x = {text}", parse_float=Decimal)["x"]
    except (ValueError, RecursionError):  # no TOML, or a number of thousands of digits
        return [part.strip() for part in text.split(",")] if "tuple" in str(kind) else text


def _put(document: dict[str, Any], where: Sequence[str], value: Any) -> None:
    for part in where[:-1]:
        inner = document.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = document[part] = {}
        document = inner
    document[where[-1]] = value


def _origins(config: Config, source: _Source, outside: Mapping[Path, str]) -> dict[str, str]:
    out = {}
    for path, _, _ in leaves(config):
        place = source.found.get(path)
        said = _named(path, outside)
        out[dotted(path)] = said or (f"{source.name}:{place.key.line}" if place else "default")
    return out


def _named(path: Path, outside: Mapping[Path, str]) -> str | None:
    """What a setting from outside the file is called."""
    return next((name for where, name in outside.items() if path[: len(where)] == where), None)


def _order(problem: Problem, source: _Source, outside: Mapping[Path, str]) -> tuple[int, int]:
    place = None if _named(problem.path, outside) else source.place(problem)
    return (place.line, place.column) if place else (0, 0)


def _pointed(problem: Problem, source: _Source, outside: Mapping[Path, str], at: int = 0) -> str:
    """The problem with its place: `file:line:column  setting: message.  Did you mean "x"?`, the line, and what is wrong in it."""
    setting = dotted(problem.path)
    meant = problem.suggestion
    name = _named(problem.path, outside)
    if name is not None:
        if problem.on == "key" and meant and name.startswith(ENVIRONMENT):
            meant = (
                ENVIRONMENT + (meant if "." in meant else f"{setting.rpartition('.')[0]}.{meant}").lstrip(".").replace(".", "__").upper()
            )
        return f"{name}  {setting}: {problem.message}.{_did_you_mean(meant, problem.on)}"
    place = source.place(problem)
    if place is None:
        return f"{source.name}  {setting}: {problem.message}.{_did_you_mean(meant, problem.on)}"
    if at:
        place = place._replace(column=place.column + at, length=1)
    hide = (problem.on == "key" and "secret" in problem.message) or "password" in problem.message
    return _drawn(source, place, f"{setting}: {problem.message}", meant, problem.on, hide)


def _did_you_mean(suggestion: str, on: str = "value") -> str:
    if not suggestion:
        return ""
    shown = suggestion if on == "value" else f'"{suggestion}"'
    return f"  Did you mean {shown}?"


def _drawn(source: _Source, place: Place, message: str, suggestion: str, on: str = "value", hide: bool = False) -> str:
    line = source.lines[place.line - 1] if place.line <= len(source.lines) else ""
    if hide:
        line = re.sub(r"([=:]).*", r"\1 ***", line)
    start = max(0, place.column - 100)
    shown = "".join(" " if c == "\t" else c if c.isprintable() else "?" for c in line[start : start + 160])
    label = f"{place.line:>5} | "
    caret = " " * (len(label) + place.column - 1 - start) + "^" * max(1, min(place.length, len(shown) - (place.column - 1 - start)))
    head = f"{source.name}:{place.line}:{place.column}  {message}.{_did_you_mean(suggestion, on)}"
    return f"{head}\n{label}{shown}\n{caret}"
