"""Why a factor or a strategy is refused, with the place.

StrategyError           a strategy file is wrong, or its hook failed

FactorError             the text of a factor is wrong; `code` says how
    LookAhead           look_ahead    it would see bars that have not closed
    UnknownName         unknown_name  no such field, operator or dialect
    WrongArity          arity         too few or too many arguments, or named ones
    BadWindow           window        a window that is no whole number of bars, or too long
    UnitMismatch        units         a price added to a volume
    TooBig              size          bytes, nodes, depth or state past the limit
    BadSyntax           syntax        not an expression of the language
    BadConstant         constant      a number or value that is not allowed
    BadText             text          not plain ASCII text
    Ambiguous           ambiguous     dialects differ on what it means
"""

from typing import Self


class FactorError(Exception):
    """The text of a factor is wrong.

    line, column   1-based place in the text, 0 where there is none (a graph built in code)
    suggestion     what to write instead, empty where nothing is near
    """

    kind = "syntax"

    def __init__(self, message: str, code: str = "", line: int = 0, column: int = 0, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.kind
        self.line = line
        self.column = column
        self.suggestion = suggestion

    def placed(self, line: int, column: int) -> Self:
        """The same refusal at this place, unless it has one."""
        if not self.line:
            self.line, self.column = line, column
        return self

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        hint = f"; {self.suggestion}" if self.suggestion else ""
        return f"{place}{self.message}{hint} [{self.code}]"


class StrategyError(Exception):
    """A strategy file is wrong, or its hook failed.

    problems  one line for each thing that is wrong, each with its file, line and column
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class LookAhead(FactorError):
    kind = "look_ahead"


class UnknownName(FactorError):
    kind = "unknown_name"


class WrongArity(FactorError):
    kind = "arity"


class BadWindow(FactorError):
    kind = "window"


class UnitMismatch(FactorError):
    """with_rate: one of the two is a rate, which published formulas add to anything."""

    kind = "units"
    with_rate = False


class TooBig(FactorError):
    kind = "size"


class BadSyntax(FactorError):
    kind = "syntax"


class BadConstant(FactorError):
    kind = "constant"


class BadText(FactorError):
    kind = "text"


class Ambiguous(FactorError):
    kind = "ambiguous"
