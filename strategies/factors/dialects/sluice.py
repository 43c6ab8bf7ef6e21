"""The canonical dialect: the operators by their own names and aliases. What a graph prints is written in it."""

from strategies.factors.dialects.dialect import Dialect, Table
from strategies.factors.operators import OPERATORS

MOST_ARGUMENTS = 8  # of min and max, which nest


def _table() -> Table:
    table: dict[tuple[str, int], str] = {}
    for row in OPERATORS.values():
        for name in (row.name, *row.aliases):
            for count in row.arities:
                assert table.get((name, count), row.name) == row.name, f"{name} with {count} arguments has two meanings"
                table[name, count] = row.name
    for name in ("min", "max", "and_", "or_", "add", "mul"):
        for count in range(3, MOST_ARGUMENTS + 1):
            table[name, count] = table[name, 2]
    return table


SLUICE = Dialect("sluice", "Sluice's own", _table(), powers=False, units=True)
