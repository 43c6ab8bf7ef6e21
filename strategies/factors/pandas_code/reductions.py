"""Inside `rolling(n).apply(...)`: a window as a vector of its last n values, and what may be taken of it."""

import ast
import math
from collections.abc import Callable

from strategies.errors import BadSyntax
from strategies.factors.graph import call as node_of
from strategies.factors.pandas_code import above, algebra, measures, unrolled, windows
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import describe, items
from strategies.factors.pandas_code.operands import operate as operate_values
from strategies.factors.pandas_code.values import (
    Frame,
    Given,
    Index,
    Items,
    Kind,
    Method,
    Module,
    Rolling,
    Series,
    Value,
    Vector,
    Whole,
    Window,
    is_number,
)  # fmt: skip

_LINEAR = ("mean", "sum", "median", "max", "min", "std", "var", "ptp")


def apply(reader: "Reader", of: Rolling, name: str, given: Given) -> Value:
    """rolling(n).apply(function, raw=...)."""
    function = given.need("func")
    raw = bool(given.take("raw", False))
    more, named = given.take("args", ()), given.take("kwargs", {}) or {}
    given.drop("engine", "engine_kwargs")
    if isinstance(function, str):
        return windows.rolled(reader, of, function, given)
    if isinstance(function, list | dict):
        return _several(reader, of, function, name)
    given.done()
    x = of.over
    assert isinstance(x, Series)
    if isinstance(function, Module) and function.path in _BY_NAME and of.known == of.n:
        return windows.rolled(reader, of, _BY_NAME[function.path], Given("apply", [], {}))
    window = Window(x, of.n, of.known, raw, short=of.known < of.n)
    reader.sliced = False
    with reader.element_by_element():
        done = above.expressions.call(reader, function, [window, *more], named)
    if isinstance(done, Method):
        raise BadSyntax("the function gives back a method", suggestion="call it: x.mean()")
    if isinstance(done, Whole):
        done.refuse()
    if done is None:
        done = math.nan
    if not isinstance(done, Series) and not is_number(done):
        raise BadSyntax(f"the function must give a number, not {describe(done)}")
    made = algebra.as_series(done)
    return _gated(made.copy(full=False) if reader.sliced else made, of)


_BY_NAME = {"builtins.sum": "sum", "builtins.max": "max", "builtins.min": "min"}


def _several(reader: "Reader", of: Rolling, functions: Value, name: str) -> Frame:
    if isinstance(functions, dict):
        raise BadSyntax("a window of one column takes one function, or a list of them")
    made = {}
    for function in functions:
        label = function if isinstance(function, str) else function.path.rpartition(".")[2] if isinstance(function, Module) else "apply"
        made[label] = apply(reader, of, name, Given(name, [function], {}))
    return Frame(made)


def _gated(done: Series, of: Rolling) -> Series:
    """NaN where the window is not full; it is so by itself where every part of the value is taken of the whole window."""
    assert isinstance(of.over, Series)
    if done.full and not done.known and of.known >= of.n:
        return done.copy(full=False, kind=Kind.FLOAT)
    if of.known >= of.n:
        there = node_of("not", node_of("is_nan", node_of("ts_sum", of.over.node, of.n)))
    else:
        count = node_of("roll_count", of.over.node, of.n, 0)
        there = node_of("ge", count, max(of.known, 1))
    return algebra.result(node_of("keep", done.node, there), done, of.over, low=done.low, known=False, inf=done.inf).copy(full=False)


# -- operators


def operate(reader: "Reader", name: str, a: Value, b: Value) -> Value:
    """`window op b`, `a op window`, `a @ b`."""
    if name == "dot":
        return dot_product(reader, a, b)
    if isinstance(a, Items) or isinstance(b, Items):
        return unrolled.each(a, b, lambda x, y: _join(reader, name, x, y))
    if any(isinstance(s, Window) and s.part for s in (a, b)) and not (is_number(a) or is_number(b)):
        raise BadSyntax(_NO_LENGTH, suggestion="np.where(condition, x, 0).sum()")
    if isinstance(a, Window) and isinstance(b, Window):
        return _of_two(reader, name, a, b)
    window, other = (a, b) if isinstance(a, Window) else (b, a)
    assert isinstance(window, Window)
    if isinstance(other, list | tuple) and all(is_number(v) for v in other):
        other = Vector(tuple(float(v) for v in other))
    if isinstance(other, Vector):
        return _with_vector(reader, name, window, other, window is a)
    if is_number(other) and window.plain:
        x, y = (window.of, other) if window is a else (other, window.of)
        made = operate_values(reader, name, x, y)
        assert isinstance(made, Series)
        return window.copy(of=made)
    done = _shaped(name, window, other) if window is a else _shaped_right(name, window, other)
    if done is not None:
        return done
    x, y = (unrolled.items_of(window), other) if window is a else (other, unrolled.items_of(window))
    return unrolled.each(x, y, lambda p, q: _join(reader, name, p, q))


def _join(reader: "Reader", name: str, a: Series, b: Series) -> Series:
    made = operate_values(reader, name, a, b)
    assert isinstance(made, Series)
    return made


def _shaped(name: str, x: Window, other: Value) -> Window | None:
    """Window op a value of the same bar, kept as centre, factor or power."""
    if not isinstance(other, Series) and not is_number(other):
        raise BadSyntax(f"a window does not go with {describe(other)}")
    if name == "pow" and isinstance(other, int) and other in (2, 3, 4) and x.factor is None and x.weights is None and x.power == 1:
        return x.copy(power=other, absolute=False) if other % 2 == 0 or not x.absolute else None
    if name == "pow" and isinstance(other, float) and other in (2.0, 3.0, 4.0):
        return _shaped(name, x, int(other))
    s = algebra.as_series(other)
    if name == "sub" and x.plain:
        return x.copy(centre=s)
    if name == "add" and x.plain:
        return x.copy(centre=algebra.negative(s))
    if name == "mul":
        return x.copy(factor=s if x.factor is None else algebra.arithmetic("mul", x.factor, s))
    if name == "div":
        one = algebra.divided(algebra.as_series(1.0), s)
        return x.copy(factor=one if x.factor is None else algebra.divided(x.factor, s))
    return None


def _shaped_right(name: str, x: Window, other: Value) -> Window | None:
    if not isinstance(other, Series) and not is_number(other):
        raise BadSyntax(f"a window does not go with {describe(other)}")
    if name in ("mul", "add"):
        return _shaped(name, x, other)
    if name == "sub":
        less = _shaped("sub", x, other)
        return None if less is None else _shaped("mul", less, -1)
    return None


def _of_two(reader: "Reader", name: str, a: Window, b: Window) -> Value:
    if a.n != b.n:
        raise BadSyntax(f"windows of {a.n} and {b.n} values do not go together")
    if a.plain and b.plain:
        made = operate_values(reader, name, a.of, b.of)
        assert isinstance(made, Series)
        return a.copy(of=made)
    same = a.of.node is b.of.node and a.centre is not None and b.centre is not None and a.centre.node is b.centre.node
    if name == "mul" and same and a.power == b.power == 1 and a.factor is b.factor is None and a.weights is b.weights is None:
        return a.copy(power=2, absolute=False)
    if name == "mul" and a.centre is not None and b.centre is not None and _mean(a) and _mean(b) and a.power == b.power == 1:
        return Product(a, b)
    return unrolled.each(unrolled.items_of(a), unrolled.items_of(b), lambda x, y: _join(reader, name, x, y))


class Product:
    """(x - mean of x) * (y - mean of y): a covariance once it is summed."""

    def __init__(self, a: Window, b: Window) -> None:
        self.a, self.b = a, b


def _with_vector(reader: "Reader", name: str, x: Window, v: Vector, left: bool) -> Value:
    if x.short:
        unrolled.refuse_short()
    if len(v.items) != x.n:
        raise BadSyntax(f"a window of {x.n} values does not go with {len(v.items)} weights")
    if name == "mul" or (name == "div" and left):
        by = v.items if name == "mul" else tuple(1 / w for w in v.items)
        return x.copy(weights=by if x.weights is None else tuple(p * q for p, q in zip(x.weights, by, strict=True)))
    items = unrolled.items_of(x)
    first, second = (items, v) if left else (v, items)
    return unrolled.each(first, second, lambda p, q: _join(reader, name, p, q))


def compare(reader: "Reader", name: str, a: Value, b: Value) -> Value:
    for window, other, flip in ((a, b, False), (b, a, True)):
        if isinstance(window, Window) and window.short and not window.of.known:
            unrolled.refuse_short()
        if isinstance(window, Window) and window.plain and is_number(other):
            one = algebra.as_series(other)
            done = algebra.compare(name, one, window.of) if flip else algebra.compare(name, window.of, one)
            return window.copy(of=_unknown_stays(done, window))
        if isinstance(window, Window) and isinstance(other, Window) and window.plain and other.plain and not flip:
            done = algebra.compare(name, window.of, other.of)
            return window.copy(of=_unknown_stays(done, window))
        counted = unrolled.standing(name, window, other, not flip) if isinstance(window, Window) else None
        if counted is not None:
            return counted
    x = unrolled.items_of(a) if isinstance(a, Window) else a
    y = unrolled.items_of(b) if isinstance(b, Window) else b
    return unrolled.each(x, y, lambda p, q: algebra.compare(name, p, q))


def _unknown_stays(done: Series, window: Window) -> Series:
    """Inside a window that must be full a comparison with NaN need not be False: the window is not looked at then."""
    if window.known >= window.n and done.node.op == "nan_to":
        return done.copy(node=done.node.args[0], known=False, kind=Kind.BIT)
    return done.copy(kind=Kind.BIT)


def unary(op: ast.unaryop, x: Value) -> Value:
    if isinstance(x, Items):
        return Items([algebra.negative(v) if isinstance(op, ast.USub) else algebra.inverted(v) for v in x.items], x.raw)
    assert isinstance(x, Window)
    if isinstance(op, ast.UAdd):
        return x
    if isinstance(op, ast.USub):
        return x.copy(of=algebra.negative(x.of)) if x.plain else _shaped("mul", x, -1)
    if x.plain and x.of.kind in (Kind.BIT, Kind.BOOL):
        return x.copy(of=x.of.copy(node=node_of("not", x.of.node)))
    raise BadSyntax("~ stands before a condition")


def mapped(x: Value, one: Callable[[Series], Series]) -> Value:
    """A function of one value over a window."""
    if isinstance(x, Items):
        return Items([one(v) for v in x.items], x.raw)
    if x.plain:
        return x.copy(of=one(x.of))
    if one.__name__ == "_absolute" and x.weights is None:
        factor = None if x.factor is None else algebra.result(node_of("abs", x.factor.node), x.factor, low=1)
        return x.copy(absolute=True, factor=factor)
    if one.__name__ == "_square" and x.weights is None and x.power == 1 and x.factor is None:
        return x.copy(power=2, absolute=False)
    return Items([one(v) for v in unrolled.items_of(x).items], x.raw)


def joined(a: Value, b: Value, join: Callable[[Series, Series], Series]) -> Value:
    if all(is_number(v) or (isinstance(v, Window) and v.plain) for v in (a, b)):
        window = a if isinstance(a, Window) else b
        x, y = (v.of if isinstance(v, Window) else algebra.as_series(v) for v in (a, b))
        return window.copy(of=join(x, y))
    p, q = (unrolled.items_of(v) if isinstance(v, Window) else v for v in (a, b))
    return unrolled.each(p, q, join)


def chosen(condition: Value, yes: Value, no: Value) -> Value:
    """np.where inside a window."""
    parts = (condition, yes, no)
    if all(is_number(p) or (isinstance(p, Window) and p.plain) for p in parts):
        c, y, n = (p.of if isinstance(p, Window) else algebra.as_series(p) for p in parts)
        assert isinstance(condition, Window)
        return condition.copy(of=algebra.result(node_of("where", c.node, y.node, n.node), c, y, n, low=min(y.low, n.low)))
    items = [unrolled.items_of(p) if isinstance(p, Window) else p for p in parts]
    first = next(p for p in items if isinstance(p, Items))
    columns = [p.items if isinstance(p, Items) else [algebra.as_series(p)] * len(first.items) for p in items]
    return Items([algebra.choose(*row) for row in zip(*columns, strict=True)], first.raw)


def dot_product(reader: "Reader", a: Value, b: Value) -> Value:
    for x, other in ((a, b), (b, a)):
        numbers = isinstance(other, list | tuple) and all(is_number(v) for v in other)
        by = Vector(tuple(float(v) for v in other)) if numbers else other
        if isinstance(x, Window) and isinstance(by, Vector):
            return method(reader, _with_vector(reader, "mul", x, by, True), "sum", Given("dot", [], {}))
    if isinstance(a, Vector) and isinstance(b, Vector):
        return float(sum(p * q for p, q in zip(a.items, b.items, strict=True)))
    if isinstance(a, Window | Items) and isinstance(b, Window | Items):
        return method(reader, operate(reader, "mul", a, b), "sum", Given("dot", [], {}))
    if isinstance(a, Frame) and not a.bars and isinstance(b, Vector | list) and len(a.columns) == len(items(b)):
        parts = [operate_values(reader, "mul", c, w) for c, w in zip(a.columns.values(), items(b), strict=True)]
        return unrolled.tree(parts, unrolled.added)
    if isinstance(a, Frame) and isinstance(b, dict | list | tuple | Vector):
        return above.frames.dot(reader, a, Given("dot", [b], {}))
    if isinstance(a, Series | Frame) or isinstance(b, Series | Frame):
        Whole("a product over all bars", "use rolling(n).apply with weights").refuse()
    raise BadSyntax("this product is not understood")


# -- places


def item(reader: "Reader", x: Value, key: Value) -> Value:
    """x[-1], x.iloc[0], x[1:], x[::-1]."""
    if isinstance(key, slice):  # numbers of an array are floats here
        key = slice(*(int(v) if isinstance(v, float) and v == int(v) else v for v in (key.start, key.stop, key.step)))
    if isinstance(x, Items):
        return unrolled.item(x, key)
    if isinstance(key, Index):
        return x
    if x.part:
        raise BadSyntax(_NO_LENGTH, suggestion="np.where(condition, x, 0).sum()")
    if isinstance(key, Window):
        return _part(x, key)
    if isinstance(key, Items):
        raise BadSyntax(_NO_LENGTH, suggestion="np.where(condition, x, 0).sum()")
    if x.short and key != -1:
        unrolled.refuse_short()
    if isinstance(key, int) and not isinstance(key, bool) and -x.n <= key < x.n:
        return unrolled.at(x, key % x.n)
    if isinstance(key, slice) and all(v is None or isinstance(v, int) for v in (key.start, key.stop, key.step)):
        places = list(range(x.n))[key]
        if not places:
            raise BadSyntax("this part of the window is empty")
        step = key.step or 1
        if step == 1 and x.weights is None:
            back = x.n - 1 - places[-1]
            of = x.of if not back else algebra.result(node_of("delay", x.of.node, back), x.of, kind=x.of.kind, low=x.of.low, known=False)
            reader.sliced = True
            return x.copy(of=of, n=len(places), known=len(places))
        return Items([unrolled.at(x, i) for i in places], x.raw)
    raise BadSyntax("this is no place in the window", suggestion="x[-1] is the newest value, x[0] the oldest")


_NO_LENGTH = "a part of a window chosen by a condition has no fixed length"


def _part(x: Window, condition: Window) -> Window:
    """x[x > 0]: what is left out is not known to the measures of the part."""
    if not (x.plain and condition.plain) or x.n != condition.n or condition.of.kind not in (Kind.BIT, Kind.BOOL):
        raise BadSyntax(_NO_LENGTH, suggestion="np.where(condition, x, 0).sum()")
    kept = algebra.result(node_of("keep", x.of.node, condition.of.node), x.of, low=x.of.low, known=False).copy(full=False)
    return x.copy(of=algebra.finite(kept), known=1, part=True)


_OF_PARTS = frozenset({"sum", "mean", "std", "var", "min", "max", "median", "count"})


def _of_part(reader: "Reader", x: Window, name: str, given: Given) -> Series:
    """A measure of what a condition chose: 0 or not known where it chose nothing."""
    if name not in _OF_PARTS:
        raise BadSyntax(f"{name} of a part of a window is not understood", suggestion="np.where(condition, x, 0).sum()")
    if name == "count":
        return windows.counted(x.of, x.n, 0)
    done = measures.measure(reader, x, name, given)
    assert isinstance(done, Series)
    return algebra.filled(done, algebra.as_series(0)) if name == "sum" else done


# -- measures


def method(reader: "Reader", x: Value, name: str, given: Given) -> Value:
    """x.mean(), np.mean(x) and the like."""
    if isinstance(x, Product):
        if name in ("sum", "mean"):
            return measures.covariance(x.a, x.b, name)
        raise BadSyntax(f"{name} of such a window is not understood")
    if isinstance(x, Items):
        return unrolled.method(reader, x, name, given)
    if x.part and name not in ("abs", "pow", "clip"):
        return _of_part(reader, x, name, given)
    return measures.measure(reader, x, name, given)


def _mean(x: Window) -> bool:
    return x.centre is not None and x.centre.node is node_of("ts_mean", x.of.node, x.n)
