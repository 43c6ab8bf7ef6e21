"""What a dialect is: a table from (name, number of arguments) to what that means, written as lines of canonical text.

    wma(x, n) = decay_linear(x, n) / n

On the left a name of the dialect and what its arguments must look like, on the right canonical text over them. An argument is a
name that stands for whatever is there; a number or a comparison (`0`, `n < 1`), which only a constant fits; a call, which only the same
call fits; or a word in capitals, which stands for itself. Lines with one name and number of arguments are tried in the order written.
"""

import ast
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

Table = Mapping[tuple[str, int], "str | tuple[Rule, ...]"]

_TESTS: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Rule(NamedTuple):
    """A line of a table: `takes` are the patterns of its arguments, `means` is canonical text over the names in them.

    `floors`: a window with a fraction is rounded down."""

    takes: tuple[ast.expr, ...]
    means: ast.expr
    text: str
    floors: bool

    @property
    def left(self) -> str:
        return self.text.partition(" = ")[0]


class Dialect(NamedTuple):
    """One way to write factors.

    table    by name, in lower case, and number of arguments: an operator, or the lines that say what it means
    fields   names of its own for fields, each as canonical text; a dot in a name is written as _ here
    signs    signs of its own, as Python writes them; `=` here means that it compares
    marked   fields are written $close
    powers   the exponent of ^ may be anything, a series too
    units    a price added to a volume is refused
    """

    name: str
    says: str
    table: Table
    fields: Mapping[str, str] = _NOTHING
    signs: Mapping[str, str] = _NOTHING
    marked: bool = False
    powers: bool = True
    units: bool = False

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.table)

    def arities(self, name: str) -> list[int]:
        return sorted(count for known, count in self.table if known == name)


def define(text: str, *, floors: bool = False) -> Table:
    """A table from its lines; an empty line and one that starts with # say nothing."""
    table: dict[tuple[str, int], tuple[Rule, ...]] = {}
    for line in text.splitlines():
        if line.strip() and not line.strip().startswith("#"):
            left, _, right = (part.strip() for part in line.partition(" = "))
            head = ast.parse(left, mode="eval").body
            if not isinstance(head, ast.Call) or not isinstance(head.func, ast.Name):
                raise ValueError(f"a line of a table is name(arguments) = canonical text, not {line.strip()!r}")
            at = head.func.id, len(head.args)
            rule = Rule(tuple(head.args), ast.parse(right, mode="eval").body, line.strip(), floors)
            table[at] = (*table.get(at, ()), rule)
    return table


def is_so(pattern: ast.expr, value: float) -> bool:
    """Whether a number is what a pattern says: `0`, `n < 1`, `0 < n < 1`."""
    if isinstance(pattern, ast.Compare):
        sides = [value if isinstance(s, ast.Name) else _number(s) for s in (pattern.left, *pattern.comparators)]
        return all(_TESTS[type(op)](a, b) for op, a, b in zip(pattern.ops, sides, sides[1:], strict=False))
    return value == _number(pattern)


def _number(tree: ast.expr) -> float:
    return float(ast.literal_eval(tree))
