"""scipy."""

from typing import TYPE_CHECKING

from strategies.errors import UnknownName
from strategies.factors.pandas_code.values import Given, Value

if TYPE_CHECKING:
    from strategies.factors.pandas_code.reader import Reader


def call(reader: "Reader", name: str, given: Given) -> Value:
    raise UnknownName(f"{given.name} is not understood here")
