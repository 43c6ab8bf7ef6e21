"""docs/operators.md: every operator, printed from its row and from the graph that it makes."""

import re
from collections.abc import Iterator, Sequence

from strategies.factors import Node, call, field
from strategies.factors.check import distinct, state_bytes
from strategies.factors.graph import number_text
from strategies.factors.operators import FAMILIES, Operator, Param

FIELDS = ("open", "high", "low", "close", "volume")
SHOWN = {"window": 20, "known": 10, "low": -1, "high": 1, "q": 0.5, "factor": 0.5}  # what the table shows
OTHER = 3  # any other parameter
UNITS = {
    "same": "of a", "rate": "rate", "time": "time", "product": "a x b", "ratio": "a / b", "square": "a x a", "root": "root of a",
    "compare": "rate", "branches": "of a, b", "power": "a to the b", "first": "of a", "free": "any",
}  # fmt: skip

INTRODUCTION = """# Operators

One table is the language: a row is an operator, and every dialect and all pandas code comes down to these. `a`, `b`, `c` are series, the
rest are numbers as written. An operator without a kernel of its own is a definition: it is written out in the graph.

- **first value** and **warm-up** are bars, for `window` = 20 over fields of the bar; the warm-up is how many bars it takes until nothing
  depends on where the history began (recursive operators: to 1e-12). *never* marks what remembers the beginning for good.
- **state** is what a running machine keeps, bytes a symbol, the fields that are looked back on included.
- **unit** is the unit of the value, made of those of the arguments; `rate` has none. See [language.md](language.md).
- **after** is where the meaning comes from.

Made by `make docs`."""


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION]
    for family, rows in FAMILIES.items():
        if rows:
            lines += ["", f"## {family}", "", "| operator | also | means | unit | first value | warm-up | state | after |"]
            lines += ["|---|---|---|---|--:|--:|--:|---|", *(_operator(row) for row in rows)]
    return "\n".join(lines) + "\n"


def example(row: Operator) -> Node:
    """The operator over fields of the bar, with the parameters that the table shows."""
    return call(row.name, *(field(name) for name in FIELDS[: row.series]), *(_value(p) for p in row.params))


def _value(param: Param) -> float:
    return SHOWN.get(param.name, OTHER if param.default is None else param.default)


def _operator(row: Operator) -> str:
    shown = f"`{signature(row)}`" + (f" `{_infix(row)}`" if row.symbol else "")
    also = " ".join(f"`{alias}`" for alias in row.aliases if not alias.endswith("_"))
    node = example(row)
    warm_up = "never" if any(_is_anchored(each) for each in distinct([node])) else str(node.warm_up)
    unit = "as written out" if row.means is not None else UNITS[row.unit]
    numbers = f"{unit} | {node.look_back} | {warm_up} | {state_bytes(distinct([node]))}"
    return f"| {shown} | {also} | {cell(row.says)} | {numbers} | {cell(row.source)} |"


def _is_anchored(node: Node) -> bool:
    return any(row.anchored for rows in FAMILIES.values() for row in rows if row.name == node.op)


def signature(row: Operator) -> str:
    """`ts_quantile(a, window, q)`"""
    letters: Sequence[str] = ("a", "b", "c", "d", "e")
    if row.name == "where":
        letters = ("c", "a", "b")
    elif row.series == 2 and re.search(r"\bc\b", row.says):
        letters = ("a", "c")
    params: Iterator[str] = (p.name if p.default is None else f"{p.name} = {number_text(p.default)}" for p in row.params)
    return f"{row.name}({', '.join([*letters[: row.series], *params])})"


def _infix(row: Operator) -> str:
    if row.series == 1:
        return f"{row.symbol}{' ' if row.symbol.isalpha() else ''}a"
    return f"a {row.symbol} b"


def cell(text: str) -> str:
    """Text inside a table."""
    return text.replace("|", "\\|")
