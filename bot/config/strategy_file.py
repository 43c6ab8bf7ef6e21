"""[strategy] file: its source becomes part of the configuration, and so of every run; its rules take the place of settings.

In rising order: the defaults, the file config.toml, the rules of the strategy, the environment, the command line.
"""

from collections.abc import Collection, Mapping
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import msgspec

from bot.config.read import Problem, Reader, fields
from bot.config.suggest import closest
from bot.config.tables import Config, Strategy, Trading
from bot.config.text import Path
from strategies.errors import StrategyError

LARGEST = 1 << 18  # bytes of a strategy file


class Read(NamedTuple):
    """config  with the source and the rules; path: the file (None: there is none); ruled: settings that the rules gave; problems"""

    config: Config
    path: FilePath | None
    ruled: frozenset[str]
    problems: list[Problem]


def with_strategy(config: Config, base: FilePath, outside: Collection[Path]) -> Read:
    """The configuration with the strategy that it names.

    outside  settings from the environment and the command line, which stand above the rules
    Raises StrategyError where the source is no strategy.
    """
    strategy = config.strategy
    if not strategy.file and not strategy.code:
        said = "there is no strategy file that has it"
        lost = [Problem(("strategy", "parameters", name), "key", said) for name in strategy.parameters]
        return Read(config, None, frozenset(), lost)
    path, code = None, strategy.code
    if strategy.file and not code:
        path = base / FilePath(strategy.file).expanduser()
        code, said = _source(path)
        if said:
            return Read(config, None, frozenset(), [Problem(("strategy", "file"), "value", f"the file {path} {said}")])
    # its place is no part of a run: the same source in another folder is the same strategy
    name = path.name if path is not None else strategy.file or "strategy.py"
    config = _changed(config, "strategy", {"file": name, "code": code})
    return _ruled(config, path, outside)


def _ruled(config: Config, path: FilePath | None, outside: Collection[Path]) -> Read:
    from strategies.definition import THRESHOLDS, Definition

    shown = str(path) if path is not None else config.strategy.file
    definition = Definition.of(config.strategy.code, shown, config.strategy.parameters)
    reader = Reader(Config)
    given: dict[str, dict[str, Any]] = {"trading": {}, "strategy": {}}  # Any: settings of several kinds
    for name, value in definition.rules().items():
        table: type[msgspec.Struct] = Strategy if name in THRESHOLDS else Trading
        known = fields(table)
        if name not in known:
            near = closest(name, (*fields(Trading), *THRESHOLDS))
            raise StrategyError(f"{shown}  rules[{name!r}]: there is no such setting{f'; did you mean {near}?' if near else ''}")
        section = table.__name__.lower()
        read = reader.value(known[name].kind, known[name].meta, value, (section, name))
        if reader.problems:
            raise StrategyError(f"{shown}  rules[{name!r}]: {reader.problems[0].message}")
        if not any((section, name)[: len(one)] == one for one in outside):
            given[section][name] = read
    for section, values in given.items():
        config = _changed(config, section, values)
    ruled = frozenset(f"{section}.{name}" for section, values in given.items() for name in values)
    return Read(config, path, ruled, [])


def _source(path: FilePath) -> tuple[str, str]:
    """The text of a file, or why there is none."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except OSError as error:
        return "", f"cannot be read: {(error.strerror or str(error)).lower()}"
    if len(raw) > LARGEST:
        return "", f"is larger than {LARGEST >> 10} KiB, which no strategy is"
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return "", "is not UTF-8; save the file as UTF-8"
    return text, "" if text.strip() else "is empty"


def _changed(config: Config, section: str, values: Mapping[str, Any]) -> Config:
    return msgspec.structs.replace(config, **{section: msgspec.structs.replace(getattr(config, section), **values)})
