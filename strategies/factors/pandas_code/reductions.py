"""Inside `rolling(n).apply(...)`: a window as a vector of its last n values, and what may be taken of it."""

from typing import TYPE_CHECKING

from strategies.errors import BadSyntax
from strategies.factors.pandas_code.values import Given, Rolling, Value

if TYPE_CHECKING:
    from strategies.factors.pandas_code.reader import Reader


def apply(reader: "Reader", of: Rolling, name: str, given: Given) -> Value:
    raise BadSyntax("rolling.apply is not understood yet")


def operate(reader: "Reader", name: str, a: Value, b: Value) -> Value:
    raise BadSyntax("windows are not understood yet")


compare = unary = item = method = mapped = joined = chosen = dot = operate
