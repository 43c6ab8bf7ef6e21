"""Methods of a column that choose or replace values: where, mask, clip, replace, map, apply."""

import math
from collections.abc import Mapping

from strategies.errors import BadSyntax
from strategies.factors.pandas_code import above, algebra
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import compare, describe, items
from strategies.factors.pandas_code.values import Function, Given, Kind, Method, Module, Series, Value, Whole, is_number


def where(reader: "Reader", x: Series, given: Given) -> Series | None:
    return _choose(reader, x, given, keep=True)


def mask(reader: "Reader", x: Series, given: Given) -> Series | None:
    return _choose(reader, x, given, keep=False)


def _choose(reader: "Reader", x: Series, given: Given, keep: bool) -> Series | None:
    condition, other = given.need("cond"), given.take("other", math.nan)
    inplace = bool(given.named.pop("inplace", False))
    given.drop("axis", "level").done()
    if isinstance(condition, Function | Module | Method):
        condition = apply_function(reader, condition, x)
    if isinstance(other, Function):
        other = apply_function(reader, other, x)
    if not isinstance(condition, Series):
        raise BadSyntax("the condition must be a column")
    if isinstance(other, Whole):
        other.refuse()
    other = algebra.as_series(math.nan if other is None else other)
    done = algebra.choose(condition, x, other) if keep else algebra.choose(condition, other, x)
    done = done.copy(array=False)
    if inplace:
        x.become(done)
        return None
    return done


def apply_function(reader: "Reader", function: Value, x: Series) -> Value:
    return above.expressions.call(reader, function, [x], {})


def clip(reader: "Reader", x: Series, given: Given) -> Series:
    low, high = given.take("lower", given.named.pop("a_min", given.named.pop("min", None))), None
    high = given.take("upper", given.named.pop("a_max", given.named.pop("max", None)))
    given.drop("axis", "inplace").done()
    return clipped(x, low, high)


def clipped(x: Series, low: Value, high: Value, keeps_unbounded: bool = True) -> Series:
    """Series.clip: a bound that is not known does not bind."""
    done = x
    if keeps_unbounded and is_number(low) and is_number(high) and low > high:
        low, high = high, low  # as pandas has it
    bounds: list[Series | None] = []
    for bound in (low, high):
        if isinstance(bound, Whole):
            bound.refuse()
        if bound is None or (is_number(bound) and (math.isinf(bound) or bound != bound)):
            bounds.append(None)
        elif isinstance(bound, Series) or is_number(bound):
            bounds.append(algebra.as_series(bound))
        else:
            raise BadSyntax(f"a bound is not {describe(bound)}")
    if not keeps_unbounded or all(b is None or algebra.constant(b) for b in bounds):
        return algebra.held(done, bounds[0], bounds[1])
    for side, one in zip(("fmax", "fmin"), bounds, strict=True):
        if one is not None:
            if algebra.constant(one):
                done = algebra.larger(done, one, side[1:])
                continue
            within = algebra.compare("ge" if side == "fmax" else "le", x, one)  # of the column itself, also for the second bound
            free = algebra.logical("or", algebra.missing(x), algebra.missing(one))
            done = algebra.choose(algebra.logical("or", within, free), done, one)
    return done.copy(inf=x.inf)


def between(reader: "Reader", x: Series, given: Given) -> Series:
    low, high, ends = given.need("left"), given.need("right"), given.take("inclusive", "both")
    given.done()
    above = compare(reader, "ge" if ends in ("both", "left", True) else "gt", x, low)
    below = compare(reader, "le" if ends in ("both", "right", True) else "lt", x, high)
    return algebra.logical("and", above, below)


def isin(reader: "Reader", x: Series, given: Given) -> Series:
    values = items(given.need("values"))
    given.done()
    done: Value = algebra.as_series(False)
    for one in values:
        done = algebra.logical("or", done, compare(reader, "eq", x, one)) if not algebra.constant(done) else compare(reader, "eq", x, one)
    return algebra.as_series(done)


def replace(reader: "Reader", x: Series, given: Given) -> Series | None:
    old, new = given.take("to_replace"), given.take("value", math.nan)
    inplace = bool(given.named.pop("inplace", False))
    given.drop("method", "regex").done()
    pairs = list(old.items()) if isinstance(old, dict) else _pairs(old, new)
    done = x
    for one, by in pairs:
        done = _replaced(reader, done, x, one, by)
    if inplace:
        x.become(done)
        return None
    return done.copy()


def _pairs(old: Value, new: Value) -> list[tuple[Value, Value]]:
    olds = list(old) if isinstance(old, list | tuple) else [old]
    news = list(new) if isinstance(new, list | tuple) else [new] * len(olds)
    if len(olds) != len(news):
        raise BadSyntax("as many values as are replaced")
    if {math.inf, -math.inf} <= {o for o in olds if is_number(o)} and len(set(map(repr, news))) == 1:
        others = [(o, n) for o, n in zip(olds, news, strict=True) if not (is_number(o) and math.isinf(o))]
        return [("inf", news[0]), *others]
    return list(zip(olds, news, strict=True))


def _replaced(reader: "Reader", done: Series, x: Series, old: Value, new: Value) -> Series:
    if new is None:
        new = math.nan
    if old == "inf":
        if not x.inf:
            return done
        if is_number(new) and new != new:
            return algebra.finite(done)
        return algebra.choose(algebra.infinite(x), algebra.as_series(new), done).copy(inf=False)
    if is_number(old) and old != old:
        return algebra.filled(done, algebra.as_series(new))
    if isinstance(old, str):
        return done
    hit = compare(reader, "eq", x, old)
    changed = algebra.choose(hit, algebra.as_series(new), done)
    above = is_number(new) and not new <= 0
    return changed.copy(low=2) if old == 0 and x.low == 1 and above else changed


def mapped(reader: "Reader", x: Series, given: Given) -> Series:
    by = given.need("arg") if given.args or "arg" in given.named else given.need("func")
    given.drop("na_action", "convert_dtype", "by_row").done()
    if isinstance(by, dict):
        done = algebra.as_series(math.nan)
        for old, new in by.items():
            if not (is_number(old) or (isinstance(old, str) and x.kind == Kind.TEXT)) or not is_number(new):
                raise BadSyntax("values are mapped from numbers to numbers")
            done = algebra.choose(compare(reader, "eq", x, old), algebra.as_series(new), done)
        return done.copy(kind=Kind.FLOAT)
    return elementwise(reader, x, by, ())


def apply(reader: "Reader", x: Series, given: Given) -> Series:
    function = given.take("func")
    more = given.take("args", ())
    given.drop("convert_dtype", "by_row", "raw", "axis")
    named, given.named = given.named, {}
    given.done()
    return elementwise(reader, x, function, tuple(more), named)


def elementwise(reader: "Reader", x: Series, function: Value, more: tuple[Value, ...], named: Mapping[str, Value] | None = None) -> Series:
    """A function of one value, put over a column."""
    if isinstance(function, str):
        named_one = above.methods.call(reader, x, Given(function, list(more), dict(named or {})), function)
        return algebra.as_series(named_one) if not isinstance(named_one, Whole) else named_one.refuse()
    with reader.element_by_element():
        done = above.expressions.call(reader, function, [x, *more], dict(named or {}))
    if done is None:
        done = math.nan
    if not isinstance(done, Series) and not is_number(done):
        raise BadSyntax("the function must give a number")
    return algebra.as_series(done)
