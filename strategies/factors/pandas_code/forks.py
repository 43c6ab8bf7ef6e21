"""An `if` over a column, element by element: both ways are walked on copies of what may change, and then joined by the condition."""

import ast
import math

from strategies.errors import BadSyntax
from strategies.factors.pandas_code import algebra
from strategies.factors.pandas_code.context import Leave, Reader, Returned
from strategies.factors.pandas_code.loops import narrowed
from strategies.factors.pandas_code.values import Appended, Bar, Carried, Frame, Scope, Series, Value, is_number

Copies = dict[int, tuple[Value, Value, Value]]


def fork(reader: "Reader", test: Series, tree: ast.If, rest: list[ast.stmt], scope: Scope) -> "Returned | Leave | None":
    """Both ways to the end of the function or of the turn, and the choice between them."""
    copies: Copies = {}
    for value in scope.names.values():
        if isinstance(value, Series | Frame | Appended):
            copies.setdefault(id(value), (value, value.copy(), value.copy()))
    sides = [
        Scope(
            {n: _side(copies, narrowed(reader, v, test, i == 1), i) for n, v in scope.names.items()}, scope.outer, scope.lazy, scope.shared
        )
        for i in (1, 2)
    ]
    yes = reader.block([*tree.body, *rest], sides[0])
    no = reader.block([*tree.orelse, *rest], sides[1])
    with reader.placed(tree):
        if isinstance(yes, Returned) and isinstance(no, Returned):
            values = [algebra.as_series(math.nan if v.value is None else v.value) for v in (yes, no)]
            return Returned(algebra.choose(test, *values))
        if any(isinstance(way, Returned) or (isinstance(way, Leave) and way.how != "continue") for way in (yes, no)):
            raise BadSyntax("one way through this `if` gives a value, the other none")
        for original, a, b in copies.values():
            _join_into(test, original, a, b)
        _join_names(test, scope, sides, copies)
        return Leave("continue") if reader.walk is not None else None


def _side(copies: Copies, value: Value, side: int) -> Value:
    return copies[id(value)][side] if id(value) in copies else value


def _join_into(test: Series, original: Value, a: Value, b: Value) -> None:
    if isinstance(original, Series):
        carried = original.carried
        original.become(_joined(test, a, b))
        original.carried = carried
    elif isinstance(original, Frame):
        for name in a.columns.keys() & b.columns.keys():
            original.columns[name] = _joined(test, a.columns[name], b.columns[name])
    elif a.value is not None and b.value is not None:
        original.value = _joined(test, a.value, b.value)
    elif a.value is not b.value:
        raise BadSyntax("one way through this `if` adds to the list, the other does not")


def _joined(test: Series, a: Value, b: Value) -> Value:
    if a is b:
        return a
    a, b = (Series(v.node) if isinstance(v, Carried) else v for v in (a, b))
    if a is b or (isinstance(a, Series) and isinstance(b, Series) and a.node is b.node):
        return a
    if all(isinstance(v, Series) or is_number(v) or v is None for v in (a, b)):
        sides = [algebra.as_series(math.nan if v is None else v) for v in (a, b)]
        return algebra.choose(test, *sides)
    if type(a) is type(b) and isinstance(a, str | tuple | list | dict) and a == b:
        return a
    raise BadSyntax("the two ways through this `if` leave values that cannot be joined")


def _join_names(test: Series, scope: Scope, sides: list[Scope], copies: Copies) -> None:
    home = {id(copy): original for original, a, b in copies.values() for copy in (a, b)}
    for name in sides[0].names.keys() & sides[1].names.keys():
        a, b = (side.names[name] for side in sides)
        if home.get(id(a)) is not None and home.get(id(a)) is home.get(id(b)):
            scope.names[name] = home[id(a)]
        elif not isinstance(a, Bar):
            scope.names[name] = a if a is b else _joined(test, a, b)
