"""What the class of a strategy declares: its parameters, its memory; and whose fault it is when something goes wrong within it."""

from collections.abc import Mapping
from inspect import get_annotations
from types import MappingProxyType
from typing import Any

from strategies.errors import StrategyError
from strategies.strategy import Strategy, Tunable

MODULE = "sluice_strategy"  # the module of every strategy file


def tunables(kind: type[Strategy]) -> Mapping[str, Tunable]:
    """The declared parameters by name, in the order of the source."""
    return MappingProxyType(
        {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items() if isinstance(value, Tunable)}
    )


def memory(kind: type[Strategy]) -> Mapping[str, Any]:  # Any: whatever plain values a strategy remembers
    """The annotated attributes that a strategy remembers by, with what they begin as."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        for name, annotation in get_annotations(base).items() if base.__module__ == MODULE else ():
            given = name in vars(base) and not hasattr(Strategy, name) and "ClassVar" not in str(annotation)
            if given and not isinstance(vars(base)[name], Tunable):
                found[name] = vars(base)[name]
    return found


class Blame:
    """Whatever goes wrong within is the strategy's: told in one line, with the file and the line of it.

    where  what was going on; it may be changed on the way
    line   what is named where no line of the file was at work
    """

    def __init__(self, file: str, where: str = "", line: int = 1) -> None:
        self._file, self.where, self._line = file, where, line

    def __enter__(self) -> "Blame":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, StrategyError):
            return
        line, step = self._line, error.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_filename == self._file:
                line = step.tb_lineno
            step = step.tb_next
        said = str(error) or "no reason given"
        raise StrategyError(f"{self._file}:{line}  {type(error).__name__}: {said}{f', {self.where}' if self.where else ''}") from error
