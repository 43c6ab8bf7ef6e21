"""TA-Lib and pandas-ta by their tables."""

from typing import TYPE_CHECKING

from strategies.errors import UnknownName
from strategies.factors.pandas_code.values import Value

if TYPE_CHECKING:
    from strategies.factors.pandas_code.reader import Reader


def call(reader: "Reader", library: str, name: str, args: list[Value], named: dict[str, Value]) -> Value:
    raise UnknownName(f"{library}.{name} is not understood here")
