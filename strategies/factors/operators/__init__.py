"""THE table: one row for each operator. Adding an operator is adding a row and, unless it is made of others, a kernel.

The laws in tests/properties/test_operators.py run over every row, and the table in docs/language.md is printed from it.
"""

from strategies.factors.operators.across import ACROSS
from strategies.factors.operators.elementwise import ELEMENTWISE
from strategies.factors.operators.over_time import OVER_TIME
from strategies.factors.operators.partial import PARTIAL
from strategies.factors.operators.recursive import RECURSIVE
from strategies.factors.operators.row import Number, Operator, Param, Params
from strategies.factors.operators.shape import SHAPE
from strategies.factors.operators.technical import TECHNICAL

__all__ = ["FAMILIES", "OPERATORS", "Number", "Operator", "Param", "Params"]

FAMILIES = {
    "Element by element": ELEMENTWISE,
    "Over time": (*OVER_TIME, *SHAPE),
    "Over a window that need not be full": PARTIAL,
    "Recursive": RECURSIVE,
    "Technical analysis": TECHNICAL,
    "Across symbols": ACROSS,
}
OPERATORS: dict[str, Operator] = {row.name: row for rows in FAMILIES.values() for row in rows}
