"""Operators between values of any kind: numbers fold, series become nodes, frames go column by column, constant vectors item by item."""

import ast
import math
import re
from collections.abc import Callable
from dataclasses import replace

from strategies.errors import BadSyntax, LookAhead, TooBig
from strategies.factors.pandas_code import above, ahead, algebra, numbers
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.values import (
    GAPS,
    Bar,
    Columns,
    Frame,
    Index,
    Items,
    Kind,
    Record,
    Rows,
    Series,
    Short,
    Value,
    Vector,
    Whole,
    Window,
    is_number,
)  # fmt: skip

MOST_ITEMS = 5_000
_NAMES: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor", ast.MatMult: "dot",
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le", ast.Eq: "eq", ast.NotEq: "ne",
}  # fmt: skip
_TESTS: dict[str, Callable[[Value, Value], bool]] = {
    "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b,
}  # fmt: skip
_FLIPPED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}


def binary(reader: "Reader", op: ast.operator, a: Value, b: Value) -> Value:
    name = _NAMES.get(type(op))
    if name is None:
        raise BadSyntax(f"{type(op).__name__} is not an operator of a factor")
    return operate(reader, name, a, b)


def operate(reader: "Reader", name: str, a: Value, b: Value) -> Value:
    """`a op b`. Raises FactorError."""
    for side in (a, b):
        if isinstance(side, Whole):
            side.refuse()
    if isinstance(a, Window | Items) or isinstance(b, Window | Items) or name == "dot":
        return above.reductions.operate(reader, name, a, b)
    if reader.elementwise and {type(a), type(b)} == {Series, Vector}:
        sides = (Items([algebra.as_series(v) for v in s.items]) if isinstance(s, Vector) else s for s in (a, b))
        return operate(reader, name, *sides)
    if isinstance(a, Frame) or isinstance(b, Frame):
        return across(a, b, lambda x, y: operate(reader, name, x, y))
    if name == "add" and isinstance(a, list) and isinstance(b, Short):
        return above.arrays.joined(reader, [a, b])
    if name == "add" and isinstance(a, Short) and isinstance(b, list):
        ahead.refuse("a column moved towards the past", "put the missing values before it, or use shift(n)")
    if isinstance(a, Short) or isinstance(b, Short):
        return of_parts(reader, a, b, lambda x, y: operate(reader, name, x, y))
    if isinstance(a, Series) or isinstance(b, Series):
        return _of_series(name, _series(a), _series(b), (a, b))
    if isinstance(a, Vector) or isinstance(b, Vector):
        return _of_vectors(name, a, b)
    if is_number(a) and is_number(b):
        return _of_numbers(name, a, b)
    if isinstance(a, Rows | Bar) or isinstance(b, Rows | Bar):
        return _of_counts(name, a, b)
    return _of_python(name, a, b)


def of_parts(reader: "Reader", a: Value, b: Value, join: Callable[[Value, Value], Value]) -> Value:
    if isinstance(a, Short):
        return above.arrays.aligned(reader, a, b, join)
    return above.arrays.aligned(reader, b, a, lambda x, y: join(y, x))


def _series(value: Value) -> Series:
    if isinstance(value, Series):
        return value
    if is_number(value):
        return algebra.as_series(value)
    if isinstance(value, Rows):
        ahead.refuse("the number of bars, which is known in the end only,", "use a number")
    if isinstance(value, Vector | Bar):
        raise BadSyntax("a constant array as long as the data is not understood")
    raise BadSyntax(f"a column cannot be combined with {describe(value)}")


def describe(value: Value) -> str:
    if value is None:
        return "None"
    return {"str": "text", "Series": "a column", "Frame": "a table", "list": "a list", "dict": "a dict"}.get(
        type(value).__name__, type(value).__name__.lower()
    )


def _of_series(name: str, a: Series, b: Series, written: tuple[Value, Value]) -> Series:
    if name in ("and", "or", "xor"):
        return algebra.logical(name, a, b)
    return algebra.arithmetic(name, a, b)


def across(a: Value, b: Value, one: Callable[[Value, Value], Value]) -> Frame:
    """Column by column."""
    for side in (a, b):
        if isinstance(side, Frame) and side.bars:
            raise BadSyntax("name the columns", suggestion="df[['high', 'low']]")
    a, b = _by_name(a, b), _by_name(b, a)
    left, right = (v.columns if isinstance(v, Frame) else None for v in (a, b))
    if left is not None and right is not None:
        if set(left) != set(right):
            raise BadSyntax("the tables have different columns", suggestion="combine columns one by one")
        return Frame({name: one(left[name], right[name]) for name in left})
    if left is not None:
        if isinstance(b, Series):
            raise BadSyntax("a table and a column are aligned by names in pandas", suggestion="use table.mul(column, axis=0)")
        return Frame({name: one(column, b) for name, column in left.items()})
    assert right is not None
    if isinstance(a, Series):
        raise BadSyntax("a table and a column are aligned by names in pandas", suggestion="use table.mul(column, axis=0)")
    return Frame({name: one(a, column) for name, column in right.items()})


def _by_name(value: Value, beside: Value) -> Value:
    """Numbers beside a table, one a column: by name, or in the order of the columns."""
    if not isinstance(beside, Frame) or not isinstance(value, dict | list | tuple | Vector):
        return value
    named = value if isinstance(value, dict) else dict(zip(beside.columns, items(value), strict=False))
    if set(named) != set(beside.columns) or not all(is_number(v) for v in named.values()):
        raise BadSyntax("a table goes with one number a column", suggestion="table * {'a': 0.5, 'b': 0.5} or combine columns one by one")
    return Frame({name: algebra.as_series(named[name]) for name in beside.columns})


def _of_vectors(name: str, a: Value, b: Value) -> Vector:
    left = a.items if isinstance(a, Vector) else None
    right = b.items if isinstance(b, Vector) else None
    if left is not None and right is not None and len(left) != len(right):
        raise BadSyntax(f"arrays of {len(left)} and {len(right)} do not go together")
    if (left is None and not is_number(a)) or (right is None and not is_number(b)):
        raise BadSyntax(f"an array cannot be combined with {describe(a if left is None else b)}")
    count = len(left if left is not None else right or ())
    return Vector(tuple(
        float(_of_numbers(name, a if left is None else left[i], b if right is None else right[i])) for i in range(count)
    ))  # fmt: skip


def _of_numbers(name: str, a: float, b: float) -> Value:
    if name in ("and", "or", "xor"):
        if not (isinstance(a, int) and isinstance(b, int)):
            raise BadSyntax("& and | stand between conditions")
        return a & b if name == "and" else a | b if name == "or" else a ^ b
    return numbers.folded(name, a, b)


def _of_counts(name: str, a: Value, b: Value) -> Value:
    """len(df) - 20, i + 1."""
    if name in ("add", "sub") and isinstance(b, int) and isinstance(a, Rows | Bar):
        return replace(a, plus=a.plus + (b if name == "add" else -b))
    if name == "add" and isinstance(a, int) and isinstance(b, Rows | Bar):
        return replace(b, plus=b.plus + a)
    if name == "sub" and type(a) is type(b) and isinstance(a, Rows | Bar):
        return int(a.plus - b.plus)
    if isinstance(a, Rows) or isinstance(b, Rows):
        return Whole("the number of bars", "use a number instead of len(df)")
    raise BadSyntax("the number of a bar is not a value", suggestion="use it to index only")


def _of_python(name: str, a: Value, b: Value) -> Value:
    if name in ("sub", "and", "or") and isinstance(a, list) and isinstance(b, list | Columns):  # sets are lists here
        others = items(b)
        if name == "or":
            return [*a, *(one for one in others if one not in a)]
        return [one for one in a if (one in others) == (name == "and")]
    if name == "add" and type(a) is type(b) and isinstance(a, str | list | tuple):
        if len(a) + len(b) > MOST_ITEMS:
            raise TooBig("this is too long")
        return a + b
    if name == "mul" and isinstance(a, list | tuple | str) and isinstance(b, int) and not isinstance(b, bool):
        if len(a) * b > MOST_ITEMS:
            raise TooBig("this is too long")
        return a * b
    if name == "mod" and isinstance(a, str):
        parts = b if isinstance(b, tuple) else (b,)
        if a.count("%") == len(parts) and all(isinstance(p, str | int | float) for p in parts):
            for part in parts:
                a = re.sub(r"%[-\d.]*[a-z]", lambda _, part=part: str(part), a, count=1)  # type: ignore[misc]
            return a
        raise BadSyntax("text is put together with an f-string")
    if isinstance(a, Index) or isinstance(b, Index):
        raise BadSyntax("the times of bars are not values of a factor")
    raise BadSyntax(f"{describe(a)} and {describe(b)} cannot be combined")


def unary(op: ast.unaryop, a: Value) -> Value:
    if isinstance(a, Whole):
        a.refuse()
    if isinstance(a, Frame):
        return Frame({name: unary(op, column) for name, column in a.columns.items()})
    if isinstance(a, Window | Items):
        return above.reductions.unary(op, a)
    if isinstance(a, Series):
        if isinstance(op, ast.UAdd):
            return a
        return algebra.negative(a) if isinstance(op, ast.USub) else algebra.inverted(a)
    if isinstance(a, Vector) and isinstance(op, ast.USub):
        return Vector(tuple(-x for x in a.items))
    if is_number(a):
        if isinstance(op, ast.Invert):
            if isinstance(a, bool):
                return not a
            raise BadSyntax("~ stands before a condition")
        return a if isinstance(op, ast.UAdd) else numbers.folded("sub", 0, a) if isinstance(a, bool) else numbers.folded("mul", a, -1)
    if isinstance(a, Bar | Rows):
        raise LookAhead("a place counted from the end is the end of the sample", suggestion="use shift(n)")
    raise BadSyntax(f"{describe(a)} has no sign")


def compared(reader: "Reader", op: ast.cmpop, a: Value, b: Value) -> Value:
    """A comparison: a condition at each bar, or an answer that is known beforehand."""
    if isinstance(op, ast.In | ast.NotIn):
        return _inside(a, b) == isinstance(op, ast.In)
    if isinstance(op, ast.Is | ast.IsNot):
        return (a is b or (is_number(a) and is_number(b) and a == b)) == isinstance(op, ast.Is)
    return compare(reader, _COMPARISONS[type(op)], a, b)


def compare(reader: "Reader", name: str, a: Value, b: Value) -> Value:
    for side in (a, b):
        if isinstance(side, Whole):
            if side.guard is None:
                side.refuse()
            other = b if side is a else a
            if side.guard == GAPS and is_number(other):
                return Whole(side.what, side.how, GAPS if name in ("gt", "ge", "ne") else True)
            return compare(reader, name, *(s.guard if isinstance(s, Whole) else s for s in (a, b)))
    if isinstance(a, Window | Items) or isinstance(b, Window | Items):
        return above.reductions.compare(reader, name, a, b)
    if isinstance(a, Frame) or isinstance(b, Frame):
        return across(a, b, lambda x, y: compare(reader, name, x, y))
    if isinstance(a, Series) or isinstance(b, Series):
        for x, y, direction in ((a, b, name), (b, a, _FLIPPED[name])):
            if isinstance(x, Series) and is_number(y) and math.isinf(y):
                return algebra.compare_infinite(direction, x, y > 0)
            if isinstance(x, Series) and isinstance(y, str) and x.kind == Kind.TEXT and name in ("eq", "ne"):
                return algebra.compare(name, x, algebra.labelled(y))
            if isinstance(x, Series) and (y is None or isinstance(y, str)):
                raise BadSyntax(f"a column is not compared with {describe(y)}")
        return algebra.compare(name, _series(a), _series(b))
    if isinstance(a, Rows | Bar) or isinstance(b, Rows | Bar):
        return _compare_counts(reader, name, a, b)
    if isinstance(a, Vector) or isinstance(b, Vector):
        left, right = (v.items if isinstance(v, Vector) else None for v in (a, b))
        count = len(left or right or ())
        return Vector(tuple(float(_TESTS[name](left[i] if left else a, right[i] if right else b)) for i in range(count)))
    if name in ("eq", "ne"):
        return (a == b) == (name == "eq") if isinstance(a, type(b)) or (is_number(a) and is_number(b)) else name == "ne"
    if (is_number(a) and is_number(b)) or (isinstance(a, str) and isinstance(b, str)):
        return _TESTS[name](a, b)
    raise BadSyntax(f"{describe(a)} and {describe(b)} cannot be compared")


def _compare_counts(reader: "Reader", name: str, a: Value, b: Value) -> Value:
    """There are many bars. Which bar it is, is not known."""
    for x, y, direction in ((a, b, name), (b, a, _FLIPPED[name])):
        if isinstance(x, Bar) and isinstance(y, int):
            return above.loops.early(reader, direction, x, y)
        if isinstance(x, Rows) and is_number(y):
            return direction in ("gt", "ge", "ne")
        if isinstance(x, Rows) and isinstance(y, Rows):
            return _TESTS[direction](x.plus, y.plus)
    raise BadSyntax("which bar it is cannot be asked", suggestion="begin the loop later: range(20, len(df))")


def _inside(a: Value, b: Value) -> bool:
    if isinstance(b, Columns):
        return isinstance(a, str) and b.has(a)
    if isinstance(b, Frame):
        return isinstance(a, str) and Columns(b).has(a)
    if isinstance(b, str) and isinstance(a, str):
        return a in b
    if isinstance(b, dict | list | tuple) and not isinstance(a, Series | Frame):
        return any((type(a) is type(x) and a == x) or (is_number(a) and is_number(x) and a == x) for x in b)
    raise BadSyntax(f"what is in {describe(b)} cannot be asked")


def joined(reader: "Reader", a: Value, b: Value) -> Value:
    """a < b < c."""
    if isinstance(a, Series) and isinstance(b, Series) and reader.elementwise:
        return algebra.logical("and", a, b)
    if isinstance(a, Series) or isinstance(b, Series):
        raise BadSyntax("comparisons of columns are not chained", suggestion="write (a < b) & (b < c)")
    return a and b


def items(value: Value) -> list[Value]:
    """What a loop over constants walks. Raises FactorError."""
    if isinstance(value, Whole):
        value.refuse()
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, Record):
        return list(value.parts.values())
    if isinstance(value, dict):
        return list(value)
    if isinstance(value, Vector):
        return list(value.items)
    if isinstance(value, str):
        return list(value)
    if isinstance(value, Columns):
        return list(value.names())
    if isinstance(value, Frame):
        return list(Columns(value).names())
    if isinstance(value, Rows | Series | Index):
        raise BadSyntax("a loop over the bars is not understood here", suggestion="work with whole columns: shift, rolling, np.where")
    raise BadSyntax(f"there is no walking over {describe(value)}")
