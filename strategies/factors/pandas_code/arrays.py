"""Arrays as numpy makes them: as long as the data, a few constants, or a column less its first values."""

import math
from collections.abc import Callable, Mapping

from strategies.errors import BadConstant, BadSyntax, TooBig
from strategies.factors.graph import call as node_of
from strategies.factors.pandas_code import above, ahead, algebra, unrolled, weights
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import describe, items, operate
from strategies.factors.pandas_code.values import (
    Bar,
    Frame,
    Given,
    Index,
    Items,
    Kind,
    Rows,
    Series,
    Short,
    Value,
    Vector,
    Walk,
    Whole,
    Window,
    is_number,
    whole,
)  # fmt: skip

Rule = Callable[["Reader", Given], Value]
MOST = 5_000


def _filled(value: float | None) -> Rule:
    """np.zeros(len(df)), np.full_like(x, 0)."""

    def rule(reader: "Reader", given: Given) -> Value:
        shape = given.take("shape", given.named.pop("a", given.named.pop("N", None)))
        fill = given.take("fill_value") if value is None else value
        given.drop("dtype", "order", "index")
        if isinstance(fill, Whole):
            fill.refuse()
        if not is_number(fill):
            raise BadConstant("an array is filled with a number")
        if isinstance(shape, tuple) and len(shape) == 1:
            shape = shape[0]
        if isinstance(shape, Frame):
            return Frame({name: _constant(fill) for name in shape.columns})
        if isinstance(shape, Rows | Series | Index):
            return _constant(fill)
        if isinstance(shape, Window):
            return Vector((float(fill),) * shape.n)
        if isinstance(shape, Items):
            return Vector((float(fill),) * len(shape.items))
        if isinstance(shape, Vector):
            return Vector((float(fill),) * len(shape.items))
        n = whole(shape, "the length of an array")
        if not 0 <= n <= MOST:
            raise TooBig(f"an array of {n} values, at most {MOST}")
        return Vector((float(fill),) * n)

    return rule


def _constant(fill: float) -> Series:
    return algebra.as_series(fill).copy(array=True)


def _arange(reader: "Reader", given: Given) -> Value:
    given.drop("dtype")
    parts = [*given.args, *given.named.values()]
    if any(isinstance(p, Rows) for p in parts):
        return _bar_numbers(reader, parts)
    if any(isinstance(p, Whole) for p in parts):
        next(p for p in parts if isinstance(p, Whole)).refuse()
    if not all(is_number(p) for p in parts) or not 1 <= len(parts) <= 3:
        raise BadConstant("np.arange is understood of numbers")
    start, stop, step = (0, parts[0], 1) if len(parts) == 1 else (parts[0], parts[1], parts[2] if len(parts) == 3 else 1)
    count = math.ceil((stop - start) / step) if step else 0
    if count > MOST:
        raise TooBig(f"an array of {count} values, at most {MOST}")
    return Vector(tuple(start + i * step for i in range(max(0, count))))


def _bar_numbers(reader: "Reader", parts: list[Value]) -> Series:
    """0, 1, 2, ... along the data."""
    start = 0
    if len(parts) > 1:
        start = whole(parts[0], "the start")
    ones = node_of("add", node_of("mul", node_of("is_nan", reader.clock), 0), 1)
    node = node_of("add", node_of("cumsum", ones), start - 1)
    return Series(node, Kind.INT, low=int(start >= 0), known=True, array=True)


def _linspace(reader: "Reader", given: Given) -> Value:
    start, stop, count = given.need("start"), given.need("stop"), given.take("num", 50)
    given.drop("dtype", "endpoint").done()
    if isinstance(count, Rows):
        ahead.refuse("np.linspace over all bars, which depends on how many there will be,", "use a window")
    n = whole(count, "the length")
    if not (is_number(start) and is_number(stop)) or not 1 <= n <= MOST:
        raise BadConstant("np.linspace is understood of numbers")
    return Vector(tuple(start + (stop - start) * i / max(1, n - 1) for i in range(n)))


def _array(reader: "Reader", given: Given) -> Value:
    x = given.need("object")
    given.drop("dtype", "copy").done()
    if reader.elementwise and isinstance(x, list) and {Series} <= {type(v) for v in x} <= {Series, int, float}:
        return Items([algebra.as_series(v) for v in x])
    return bar_numbers(reader, x) if isinstance(x, Walk) else array_of(x)


def bar_numbers(reader: "Reader", walk: Walk) -> Value:
    """A loop over the bars, or what it walks over, as a column."""
    if isinstance(walk.item, Bar):
        return _bar_numbers(reader, [0, Rows()]) if not walk.first else Short(_bar_numbers(reader, [0, Rows()]), walk.first)
    if isinstance(walk.item, Series):
        return walk.item.copy(array=True)
    raise BadSyntax("this is not a column")


def array_of(x: Value) -> Value:
    """np.array(x)."""
    if isinstance(x, Series):
        return x.copy(array=True)
    if isinstance(x, Vector | Window | Items | Frame):
        return x
    if isinstance(x, list | tuple):
        if all(is_number(v) for v in x):
            return Vector(tuple(float(v) for v in x))
        return list(x)
    if is_number(x):
        return x
    if isinstance(x, Whole):
        x.refuse()
    raise BadSyntax(f"{describe(x)} is not an array")


def _diff(reader: "Reader", given: Given) -> Value:
    """np.diff: one value fewer, unless something is put before."""
    x, n = given.need("a"), whole(given.take("n", 1), "the order")
    before = given.take("prepend") if "prepend" in given.named else given
    given.drop("axis")
    if "append" in given.named:
        ahead.refuse("a difference to the next bar", "put the value before: prepend=np.nan")
    given.done()
    if isinstance(x, Vector):
        return Vector(tuple(b - a for a, b in zip(x.items, x.items[1:], strict=False)))
    if isinstance(x, Window | Items):
        return above.reductions.operate(
            reader, "sub", above.reductions.item(reader, x, slice(1, None)), above.reductions.item(reader, x, slice(None, -1))
        )
    if not isinstance(x, Series) or n != 1:
        raise BadSyntax("np.diff is understood of one column, once")
    change = algebra.arithmetic("sub", x.copy(kind=Kind.FLOAT), above.methods.delayed(reader, x, 1))
    if before is given:
        return Short(change.copy(array=True), 1)
    return _first(reader, change, 1, operate(reader, "sub", x, _scalar(before))).copy(array=True)


def _scalar(value: Value) -> Value:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _first(reader: "Reader", x: Series, count: int, value: Value) -> Series:
    """`value` at the first bars, x after them."""
    return algebra.choose(reader.first_bars(count), algebra.as_series(value), x)


def joined(reader: "Reader", parts: tuple[Value, ...] | list[Value]) -> Value:
    """np.concatenate, np.r_, np.append, np.insert: constants before what lost its first values."""
    before: list[Value] = []
    for part in parts:
        if isinstance(part, Short):
            if part.lost > len(before):
                ahead.refuse("a column moved towards the past", "put the missing values before it, or use shift(n)")
            if len(before) != part.lost:
                raise BadSyntax(f"{len(before)} values stand before a column that lost {part.lost}")
            done = part.of
            for i, value in reversed(list(enumerate(before))):
                done = _first(reader, done, i + 1, value)
            return done.copy(array=True)
        if isinstance(part, Vector | list | tuple):
            before.extend(items(part))
        elif is_number(part) or (isinstance(part, Series) and part.node.op == "ffill"):
            before.append(part)
        elif isinstance(part, Series):
            raise BadSyntax("columns are not put one after another")
        else:
            raise BadSyntax(f"{describe(part)} is not put into an array")
    return Vector(tuple(float(v) for v in before if is_number(v)))


def _concatenate(reader: "Reader", given: Given) -> Value:
    parts = given.need("arrays")
    given.drop("axis", "dtype").done()
    return joined(reader, items(parts))


def _append(reader: "Reader", given: Given) -> Value:
    first, second = given.need("arr"), given.need("values")
    given.drop("axis").done()
    return joined(reader, [first, second])


def _insert(reader: "Reader", given: Given) -> Value:
    x, place, value = given.need("arr"), given.need("obj"), given.need("values")
    given.drop("axis").done()
    if place != 0:
        raise BadSyntax("np.insert is understood at place 0")
    return joined(reader, [value, x])


def cut(reader: "Reader", x: Series, key: slice) -> Value:
    """x[1:], x[:-1]: a column less its first or its last values."""
    if key.step not in (None, 1):
        raise BadSyntax("every other bar is not understood", suggestion="work with whole columns")
    if isinstance(key.start, int) and key.start >= 0 and key.stop is None:
        return Short(x, key.start, 0)
    if key.start in (None, 0) and isinstance(key.stop, int) and key.stop < 0:
        return Short(x, 0, -key.stop)
    if isinstance(key.start, int) and key.start >= 0 and isinstance(key.stop, int) and key.stop < 0:
        return Short(x, key.start, -key.stop)
    if (is_number(key.start) and key.start < 0) or isinstance(key.start, Rows):
        ahead.refuse("bars counted from the end", "use rolling(n) on the whole column")
    if isinstance(key.stop, int) and key.stop > 0:
        ahead.refuse(f"the first {key.stop} bars, which are not known before", "use rolling(n) or expanding()")
    raise BadSyntax("a part of the bars is not understood", suggestion="work with whole columns: shift, rolling, np.where")


def aligned(reader: "Reader", a: Short, b: "Short | float", join: Callable[[Value, Value], Value]) -> Short:
    """Two cut columns item by item: x[1:] - x[:-1]. Both are moved so that their newest values meet."""
    if not isinstance(b, Short):
        return Short(join(a.of, b), a.lost, a.missing)
    if a.lost + a.missing != b.lost + b.missing:
        raise BadSyntax("the parts have different lengths")
    missing = min(a.missing, b.missing)
    left, right = _later(reader, a, a.missing - missing), _later(reader, b, b.missing - missing)
    return Short(join(left, right), a.lost + a.missing - missing, missing)


def _later(reader: "Reader", x: Short, bars: int) -> Series:
    return above.methods.delayed(reader, x.of, bars) if bars else x.of


def put_after(reader: "Reader", old: Series, start: int, new: Value) -> Series:
    """out[n:] = values."""
    if isinstance(new, Short):
        if new.lost + new.missing != start:
            raise BadSyntax("the parts have different lengths")
        new = _later(reader, new, new.missing)
    elif not is_number(new):
        raise BadSyntax("the parts have different lengths")
    return algebra.choose(reader.first_bars(start), old, algebra.as_series(new)).copy(array=old.array)


def _roll(reader: "Reader", given: Given) -> Value:
    x, n = given.need("a"), given.need("shift")
    if isinstance(x, Vector):
        n = whole(n, "the shift") % max(1, len(x.items))
        return Vector(x.items[-n:] + x.items[:-n])
    if isinstance(x, Window | Items):
        items_ = x.items if isinstance(x, Items) else unrolled.items_of(x).items
        n = whole(n, "the shift") % len(items_)
        return Items(items_[-n:] + items_[:-n])
    if isinstance(n, int) and n < 0:
        ahead.refuse(f"np.roll by {n}", f"look back instead: shift({-n})")
    ahead.refuse("np.roll wraps around: the first bars get the last values; it", f"use shift({n})")


def _convolve(reader: "Reader", given: Given) -> Value:
    a, kernel, mode = given.need("a"), given.need("v"), given.take("mode", "full")
    if isinstance(a, Series) and isinstance(kernel, Vector) and mode == "valid":
        n = len(kernel.items)
        return Short(weights.dot(a, tuple(reversed(kernel.items))), n - 1)
    if isinstance(a, Series):
        ahead.refuse(f"np.convolve in mode {mode!r}", "use mode='valid' or rolling(n).apply with weights")
    raise BadSyntax("np.convolve is understood of a column and constant weights")


def _flip(reader: "Reader", given: Given) -> Value:
    x = given.need("m")
    if isinstance(x, Vector):
        return Vector(x.items[::-1])
    if isinstance(x, list):
        return x[::-1]
    if isinstance(x, Window):
        return above.reductions.item(reader, x, slice(None, None, -1))
    ahead.refuse("a reversed column", "keep the order of time")


def _column_stack(reader: "Reader", given: Given) -> Value:
    return _side_by_side(items(given.need("tup")))


def _side_by_side(parts: list[Value]) -> Frame:
    if not all(isinstance(p, Series) for p in parts):
        raise BadSyntax("columns are put side by side")
    return Frame({str(i): p for i, p in enumerate(parts)}, array=True)


def _stack(reader: "Reader", given: Given) -> Value:
    """np.vstack, np.stack: rows, which measures go across by axis=0; columns with axis=1."""
    parts = items(given.need("arrays") if "arrays" in given.named else given.need("tup"))
    return _side_by_side(parts) if given.take("axis", 0) in (1, -1) else list(parts)


def _weights(reader: "Reader", given: Given) -> Value:
    n = whole(given.need("M"), "the length")
    return Vector((1.0,) * n)


NUMPY: Mapping[str, Rule] = {
    "zeros": _filled(0.0), "ones": _filled(1.0), "full": _filled(None), "empty": _filled(math.nan), "zeros_like": _filled(0.0),
    "ones_like": _filled(1.0), "full_like": _filled(None), "empty_like": _filled(math.nan), "arange": _arange, "linspace": _linspace,
    "array": _array, "asarray": _array, "ascontiguousarray": _array, "ravel": _array, "squeeze": _array, "diff": _diff, "float64": _array,
    "float32": _array, "concatenate": _concatenate, "hstack": _concatenate, "append": _append, "insert": _insert, "roll": _roll,
    "convolve": _convolve, "flip": _flip, "flipud": _flip, "column_stack": _column_stack, "vstack": _stack, "stack": _stack,
    "copy": _array, "atleast_1d": _array, "int64": _array, "nan_to_num_": _array,
}  # fmt: skip
