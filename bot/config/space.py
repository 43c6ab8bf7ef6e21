"""What a sweep may change: `trading.stop_loss=0.01..0.05`, `strategy.entry_threshold=0.1,0.2,0.3`, or a parameter of the strategy file.

NAME=LOW..HIGH, with `:STEP` or `:log` behind it where wanted; NAME=A,B,C; or NAME alone for a parameter that declares its range.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, get_args, get_origin

from bot.config import Loaded, value_of
from bot.config.read import Field, leaves
from bot.config.suggest import closest
from bot.config.tables import Config
from bot.config.text import dotted
from bot.config.values import Span
from bot.errors import ConfigError
from bot.sampling import Dimension, Value

PARAMETERS = "strategy.parameters."
MOST = 1e15  # of an end of a range
_NUMBER = r"-?\d+(?:\.\d*)?(?:e-?\d+)?|-?\.\d+"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(log|{_NUMBER}))?", re.IGNORECASE)


def space_of(loaded: Loaded, given: Sequence[str]) -> list[Dimension]:
    """The dimensions of a sweep; where nothing is given, every parameter of the strategy file that declares a range or choices.

    Raises ConfigError naming what cannot be tried.
    """
    declared = _declared(loaded)
    if not given:
        if not declared:
            raise ConfigError("there is nothing to try: give --param NAME=LOW..HIGH, or a strategy file whose parameters have ranges")
        return [one for _, one in sorted(declared.items(), key=lambda item: list(declared).index(item[0]))]
    settings = {dotted(path): field for path, field, _ in leaves(Config())}
    found: dict[str, Dimension] = {}
    for text in given:
        name, equals, wanted = text.partition("=")
        setting = name.strip() if "." in name else f"{PARAMETERS}{name.strip()}"
        if setting in found:
            raise ConfigError(f"--param {text}: {name} is given twice")
        if setting.startswith(PARAMETERS):
            found[setting] = _of_parameter(text, setting, wanted if equals else "", loaded, declared)
        elif setting not in settings:
            near = closest(setting, settings)
            raise ConfigError(f"--param {text}: there is no setting {setting}{f'; did you mean {near}?' if near else ''}")
        else:
            found[setting] = _read(text, setting, wanted, _kind(settings[setting]))
    return list(found.values())


def _declared(loaded: Loaded) -> dict[str, Dimension]:
    """Parameters of the strategy file that can be tried as they are."""
    from bot.plan import definition_of
    from strategies.declared import tunables

    if not loaded.config.strategy.code:
        return {}
    found = {}
    for name, one in tunables(definition_of(loaded.config).kind).items():
        setting = PARAMETERS + name
        choices: tuple[Value, ...] = one.choices or ((False, True) if isinstance(one.default, bool) else ())
        if choices:
            found[setting] = Dimension(setting, "choice", choices=choices)
        elif one.low is not None and one.high is not None:
            kind: Literal["int", "float"] = "int" if isinstance(one.default, int) else "float"
            found[setting] = Dimension(setting, kind, one.low, one.high, one.step)
    return found


def _of_parameter(text: str, setting: str, wanted: str, loaded: Loaded, declared: Mapping[str, Dimension]) -> Dimension:
    from bot.plan import definition_of
    from strategies.declared import tunables

    name = setting.removeprefix(PARAMETERS)
    if not loaded.config.strategy.code:
        raise ConfigError(
            f"--param {text}: {name} has no dot, so it is a parameter of a strategy file, and none is named; give --strategy FILE"
        )
    known = tunables(definition_of(loaded.config).kind)
    if name not in known:
        raise ConfigError(f"--param {text}: the strategy has no parameter {name}; it has {', '.join(known) or 'none'}")
    if not wanted:
        if setting not in declared:
            raise ConfigError(f"--param {text}: {name} declares no range; write {name}=LOW..HIGH")
        return declared[setting]
    found = _read(text, setting, wanted, type(known[name].default))
    ends = found.choices or ([int(end) if found.kind == "int" else end for end in (found.low, found.high)])
    faults = [said for value in ends if (said := known[name].fits(value))]
    if faults:
        raise ConfigError(f"--param {text}: {name} {faults[0]}")
    return found


def _kind(field: Field) -> type:
    if get_origin(field.kind) is Literal:
        return type(get_args(field.kind)[0])
    return field.kind if isinstance(field.kind, type) else str


def _read(text: str, setting: str, wanted: str, kind: type) -> Dimension:
    match = _RANGE.fullmatch(wanted.strip())
    if match is None:
        choices = tuple(_plain(value_of(part.strip(), setting)) for part in wanted.split(",") if part.strip())
        if not choices:
            raise ConfigError(f"--param {text}: write {setting}=LOW..HIGH or {setting}=A,B,C")
        return Dimension(setting, "choice", choices=tuple(dict.fromkeys(choices)))
    if kind not in (int, float, Decimal) or issubclass(kind, Span):
        raise ConfigError(f"--param {text}: {setting} is no number; write {setting}=A,B,C")
    low, high, last = float(match[1]), float(match[2]), match[3]
    log = last is not None and last.lower() == "log"
    step = float(last) if last is not None and not log else None
    if not -MOST <= low < high <= MOST or (step is not None and not 0 < step <= high - low):
        raise ConfigError(f"--param {text}: a range goes from a smaller to a larger number, in steps that fit into it")
    if log and low <= 0:
        raise ConfigError(f"--param {text}: a range on a logarithm begins above 0")
    return Dimension(setting, "int" if kind is int else "float", low, high, step, log)


def _plain(value: object) -> Value:
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, bool | int | float | str) else str(value)
