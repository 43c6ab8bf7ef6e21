"""Constants of the text: folded here, in float64, and written so that canonical text stays legal text of at most 12 digits a number."""

import math
import zlib
from collections.abc import Callable

from strategies.errors import BadConstant
from strategies.factors.graph import DIGITS, Node, call, const, digits
from strategies.factors.pandas_code.values import Value, Written

MOST = 1e9
NOTHING = math.nan


def number_node(value: float) -> Node:
    """A number as a node: a constant, or the expression that made it, or a constant and a small rest."""
    if isinstance(value, Written):
        return value.node
    number = float(value)
    if number != number:
        return const(number)
    if math.isinf(number) or abs(number) > MOST:
        raise BadConstant(f"{value} is too large for a constant", suggestion=f"constants are numbers up to {MOST:g}")
    if digits(number) <= DIGITS:
        return const(number)
    rounded = float(f"{number:.{DIGITS}g}")
    return call("add", const(rounded), const(float(f"{number - rounded:.{DIGITS}g}")))


def folded(op: str, a: float, b: float) -> float:
    """`a op b` of Python numbers. Raises BadConstant where Python would raise or grow without bound."""
    if op == "pow" and (abs(a) > MOST or abs(b) > 1024):
        raise BadConstant(f"{a} ** {b} is too large")
    try:
        value = _FOLD[op](a, b)
    except (ZeroDivisionError, OverflowError, ValueError) as wrong:
        raise BadConstant(f"this constant cannot be computed: {wrong}") from None
    if isinstance(value, complex):
        raise BadConstant("this constant is not a real number")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**18:
        raise BadConstant("this constant is too large")
    return _written(op, value, a, b)


def written(value: float, op: str, *args: float) -> float:
    """A number with the operation that made it, where it is too long to be written."""
    if not isinstance(value, float) or not math.isfinite(value) or digits(value) <= DIGITS:
        return value
    try:
        return Written(value, call(op, *(number_node(a) for a in args)))
    except BadConstant:
        return value


def label(text: str) -> int:
    """The number that stands for a text as a label."""
    return zlib.crc32(text.encode()) % 999_999_937 + 1


def _written(op: str, value: float, a: float, b: float) -> float:
    exponent = op != "pow" or b in (0.5, 2, 3, 4, -1, -2)
    return written(value, op, a, b) if op in ("add", "sub", "mul", "div", "pow") and exponent else value


_FOLD: dict[str, Callable[[Value, Value], Value]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b, "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b,
}  # fmt: skip
