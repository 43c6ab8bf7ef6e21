"""The values of a window one by one: for what no operator does at once, over at most some dozens of bars."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import NoReturn

from strategies.errors import BadSyntax, TooBig
from strategies.factors.graph import call as node_of
from strategies.factors.pandas_code import algebra
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.values import Given, Items, Kind, Series, Value, Vector, Window, is_number, whole

MOST = 64


@dataclass(slots=True)
class Standing(Items):
    """x < x[-1] of a window too long for single values: of its n answers only how many are true is known."""

    count: Series | None = None
    n: int = 0


def items_of(x: Window) -> Items:
    """Each value of the window as a series."""
    if x.short:
        refuse_short()
    if x.n > MOST:
        refuse_long(x.n)
    made = []
    for i in range(x.n):
        item = at(x, i)
        made.append(item)
    return Items(made, x.raw)


def refuse_long(n: int) -> NoReturn:
    raise TooBig(f"this would take {n} values one by one, at most {MOST}", suggestion="use a shorter window")


def refuse_short() -> NoReturn:
    raise BadSyntax(
        "with min_periods below the window the function is given fewer values at first", suggestion="leave min_periods out of rolling(...)"
    )


def at(x: Window, i: int) -> Series:
    """The value at place i, 0 the oldest."""
    back = x.n - 1 - i
    s = x.of
    if back:
        s = algebra.result(node_of("delay", s.node, back), s, kind=s.kind, low=s.low, known=False)
    if x.centre is not None:
        s = algebra.arithmetic("sub", s, x.centre)
    if x.power != 1:
        s = algebra.power(s, algebra.as_series(x.power))
    if x.absolute:
        s = algebra.result(node_of("abs", s.node), s, low=1)
    if x.factor is not None:
        s = algebra.arithmetic("mul", s, x.factor)
    if x.weights is not None:
        s = algebra.arithmetic("mul", s, algebra.as_series(x.weights[i]))
    return s


def tree(parts: list[Series], join: Callable[[Series, Series], Series]) -> Series:
    """Joined two by two, so that the tree is not deep."""
    while len(parts) > 1:
        pairs = [join(a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + ([parts[-1]] if len(parts) % 2 else [])
    return parts[0]


_MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


def standing(name: str, x: Window, newest: Value, left: bool) -> Standing | None:
    """`x < x[-1]`, or of x[:-1], over more values than are taken one by one; None where it is something else. left: the window is."""
    if x.n <= MOST or not x.plain or x.short or name not in _MIRRORED or not isinstance(newest, Series):
        return None
    whole_window = newest.node is x.of.node
    if not whole_window and x.of.node is not node_of("delay", newest.node, 1):
        return None
    op, window = name if left else _MIRRORED[name], x.n if whole_window else x.n + 1
    count = node_of("ts_below" if op in ("lt", "ge") else "ts_at_most", newest.node, window)
    if op in ("gt", "ge"):
        count = node_of("sub", window - 1, count)
    if whole_window and op in ("le", "ge"):  # so does the newest itself
        count = node_of("add", count, 1)
    return Standing([], x.raw, algebra.result(count, newest, kind=Kind.INT, low=1, known=False), x.n)


def added(a: Series, b: Series) -> Series:
    a, b = (s.copy(kind=Kind.INT) if s.kind in (Kind.BOOL, Kind.BIT) else s for s in (a, b))
    return algebra.arithmetic("add", a, b)


def each(x: Value, y: Value, join: Callable[[Series, Series], Series]) -> Items:
    """Item by item, numbers and values of the window with every item."""
    count = len((x if isinstance(x, Items) else y).items)
    left, right = _spread(x, count), _spread(y, count)
    return Items([join(a, b) for a, b in zip(left, right, strict=True)], (x if isinstance(x, Items) else y).raw)


def _spread(x: Value, count: int) -> list[Series]:
    if isinstance(x, Window):
        x = items_of(x)
    if isinstance(x, Vector):
        x = Items([algebra.as_series(v) for v in x.items])
    if isinstance(x, Items):
        if len(x.items) != count:
            raise BadSyntax(f"{len(x.items)} and {count} values do not go together")
        return x.items
    if isinstance(x, Series) or is_number(x):
        return [algebra.as_series(x)] * count
    raise BadSyntax("this does not go with a window")


def item(x: Items, key: Value) -> Value:
    if isinstance(key, Items):
        raise BadSyntax("a part of a window chosen by a condition has no fixed length", suggestion="np.where(condition, x, 0).sum()")
    if isinstance(key, int) and -len(x.items) <= key < len(x.items):
        return x.items[key]
    if isinstance(key, slice) and all(v is None or isinstance(v, int) for v in (key.start, key.stop, key.step)):
        return Items(x.items[key], x.raw)
    raise BadSyntax("this is no place in the window")


def method(reader: "Reader", x: Items, name: str, given: Given) -> Value:
    """x.sum() and the like."""
    values = x.items
    count = len(values)
    given.drop("axis", "skipna", "dtype")
    if isinstance(x, Standing):
        assert x.count is not None
        if name not in ("sum", "mean"):
            refuse_long(x.n)
        return x.count if name == "sum" else algebra.divided(x.count, algebra.as_series(x.n))
    match name:
        case "sum":
            return tree(values, added)
        case "mean":
            return algebra.divided(tree(values, added), algebra.as_series(count))
        case "max" | "min":
            return tree(values, lambda a, b: algebra.larger(a, b, name))
        case "prod":
            return tree(values, lambda a, b: algebra.arithmetic("mul", a, b))
        case "any" | "all":
            return tree([algebra.truth(v) for v in values], lambda a, b: algebra.logical("or" if name == "any" else "and", a, b))
        case "std" | "var":
            ddof = whole(given.take("ddof", 0 if x.raw else 1), "ddof")
            mean = algebra.divided(tree(values, added), algebra.as_series(count))
            off = [algebra.arithmetic("sub", v, mean) for v in values]
            value = algebra.divided(tree([algebra.arithmetic("mul", o, o) for o in off], added), algebra.as_series(count - ddof))
            return algebra.root(value.copy(low=1)) if name == "std" else value.copy(low=1)
        case "cumsum" | "cumprod" | "cummax" | "cummin":
            return _running(x, name)
        case "argmax" | "argmin":
            return _place(values, name == "argmax")
        case "diff":
            given.take("periods")
            pairs = [algebra.arithmetic("sub", b, a) for a, b in pairwise(values)]
            return Items(pairs, x.raw)
        case "abs":
            return Items([algebra.result(node_of("abs", v.node), v, low=1) for v in values], x.raw)
        case "astype" | "copy" | "to_numpy" | "tolist" | "dropna" | "flatten" | "fillna":
            return x
        case "ptp":
            top, bottom = (tree(values, lambda a, b, op=op: algebra.larger(a, b, op)) for op in ("max", "min"))  # type: ignore[misc]
            return algebra.arithmetic("sub", top, bottom)
        case "dot":
            return tree(each(x, given.need("b"), lambda a, b: algebra.arithmetic("mul", a, b)).items, added)
    raise BadSyntax(f"{name} of such a window is not understood")


def _running(x: Items, name: str) -> Items:
    joins: dict[str, Callable[[Series, Series], Series]] = {
        "cumsum": added, "cumprod": lambda a, b: algebra.arithmetic("mul", a, b),
        "cummax": lambda a, b: algebra.larger(a, b, "max"), "cummin": lambda a, b: algebra.larger(a, b, "min"),
    }  # fmt: skip
    made = [x.items[0]]
    for value in x.items[1:]:
        made.append(joins[name](made[-1], value))
    return Items(made, x.raw)


def extremes_so_far(x: Window, op: str) -> Items:
    """Of the window up to each place, by windows of their own: no tree as deep as the window is long."""
    values = items_of(x).items
    made = [algebra.result(node_of(op, v.node, i + 1), v, low=v.low, known=False) if i else v for i, v in enumerate(values)]
    return Items(made, x.raw)


def _place(values: list[Series], largest: bool) -> Series:
    """The first place of the largest: the smallest place whose value is it."""
    best = tree(values, lambda a, b: algebra.larger(a, b, "max" if largest else "min"))
    count = len(values)
    marks = [algebra.choose(algebra.compare("eq", v, best), algebra.as_series(i), algebra.as_series(count)) for i, v in enumerate(values)]
    place = tree(marks, lambda a, b: algebra.larger(a, b, "min"))
    return algebra.choose(algebra.missing(best), algebra.as_series(math.nan), place).copy(kind=Kind.FLOAT)
