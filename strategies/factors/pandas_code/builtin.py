"""Python's own functions, of values known beforehand; inside `apply` some go element by element."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations, islice, pairwise, permutations, product
from typing import Any

from strategies.errors import BadConstant, BadSyntax, TooBig
from strategies.factors.pandas_code import above, ahead, algebra, arrays, elementwise, loops, reductions, windows
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import compare, describe, items, operate
from strategies.factors.pandas_code.values import (
    Bar,
    Columns,
    Frame,
    Function,
    Given,
    Index,
    Items,
    Module,
    Partial,
    Record,
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
MOST = 2_000


def _abs(reader: "Reader", given: Given) -> Value:
    return elementwise.EACH["abs"](reader, given)


def _extreme(largest: bool) -> Rule:
    def rule(reader: "Reader", given: Given) -> Value:
        parts = given.args
        given.named.pop("default", None)
        if given.named:
            raise BadSyntax("min and max are understood without a key")
        if len(parts) == 1:
            if isinstance(parts[0], Series | Frame):
                return Whole("the largest of a column" if largest else "the smallest of a column", "use rolling(n)")
            if isinstance(parts[0], Window | Items):
                return reductions.method(reader, parts[0], "max" if largest else "min", Given("max", [], {}))
            parts = items(parts[0])
        if not parts:
            raise BadSyntax("the largest of nothing")
        done = parts[0]
        for part in parts[1:]:
            done = _of_two(reader, done, part, largest)
        return done

    return rule


def _of_two(reader: "Reader", a: Value, b: Value, largest: bool) -> Value:
    if isinstance(a, Bar) or isinstance(b, Bar):
        bar, other = (a, b) if isinstance(a, Bar) else (b, a)
        if bar.plus > 0:
            ahead.refuse(f"the bar {bar.plus} ahead", "look back instead: x[i - 1]")
        if largest and other == 0 and isinstance(bar, Bar):
            return replace(bar, clipped=True)
        raise BadSyntax("the number of a bar is not a value", suggestion="use it to index only")
    if isinstance(a, Rows) or isinstance(b, Rows):
        number = a if is_number(a) else b
        return (a if isinstance(a, Rows) else b) if largest else number
    if isinstance(a, Series) or isinstance(b, Series):
        if not reader.elementwise:
            raise BadSyntax("Python's min and max do not compare columns", suggestion="use np.minimum and np.maximum")
        later = compare(reader, "gt" if largest else "lt", b, a)
        return algebra.choose(later, algebra.as_series(b), algebra.as_series(a))
    if not (is_number(a) and is_number(b)):
        raise BadSyntax(f"{describe(a)} and {describe(b)} are not compared")
    return max(a, b) if largest else min(a, b)


def _sum(reader: "Reader", given: Given) -> Value:
    over, done = given.need("iterable"), given.take("start", 0)
    given.done()
    if isinstance(over, Series | Frame):
        return Whole("the sum of a column", "use rolling(n).sum()")
    if isinstance(over, Window | Items):
        return reductions.method(reader, over, "sum", Given("sum", [], {}))
    for part in items(over):
        done = operate(reader, "add", done, part) if not (is_number(done) and done == 0) else part
    return done


def _len(reader: "Reader", given: Given) -> Value:
    over = given.need("obj")
    match over:
        case Frame() | Series() | Index():
            return Rows()
        case Window():
            return windows.length(over)
        case Items():
            return len(over.items)
        case Columns():
            return len(over.names())
        case Vector():
            return len(over.items)
        case list() | tuple() | dict() | str():
            return len(over)
        case Whole():
            return over
    raise BadSyntax(f"{describe(over)} has no length")


def _range(reader: "Reader", given: Given) -> Value:
    parts = given.args
    if any(isinstance(p, Whole) for p in parts):
        next(p for p in parts if isinstance(p, Whole)).refuse()
    if any(isinstance(p, Rows) for p in parts):
        return loops.walk_over(parts)
    if len(parts) >= 2 and all(isinstance(p, Bar) for p in parts[:2]) and len(parts) == 2:
        return [replace(parts[0], plus=k) for k in range(parts[0].plus, parts[1].plus)]
    bounds = [whole(p, "the bounds of range") for p in parts]
    made = range(*bounds) if 1 <= len(bounds) <= 3 and (len(bounds) < 3 or bounds[2]) else range(0)
    if len(made) > MOST:
        raise TooBig(f"a loop of {len(made)} steps, at most {MOST}", suggestion="work with whole columns")
    return list(made)


def _float(reader: "Reader", given: Given) -> Value:
    x = given.take("x", 0.0)
    if isinstance(x, str):
        named = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "infinity": math.inf}
        if x.lower() in named:
            return named[x.lower()]
        raise BadConstant(f"{x!r} is not a number")
    if isinstance(x, Series):
        if reader.elementwise or x.full:
            return x.copy(kind=x.kind)
        raise BadSyntax("a column is not one number", suggestion="use .astype(float)")
    if isinstance(x, Whole):
        return x
    if not is_number(x):
        raise BadConstant(f"{describe(x)} is not a number")
    return x if isinstance(x, float) else float(x)


def _int(reader: "Reader", given: Given) -> Value:
    x = given.take("x", 0)
    if isinstance(x, Series) and reader.elementwise:
        return above.methods.call(reader, x, Given("int", ["int"], {}), "astype")
    if isinstance(x, Whole):
        return x
    if not is_number(x) or x != x or math.isinf(x):
        raise BadConstant(f"{describe(x)} is not a whole number")
    return int(x)


def _bool(reader: "Reader", given: Given) -> Value:
    x = given.take("x", False)
    return algebra.truth(x) if isinstance(x, Series) and reader.elementwise else reader.truth(x)


def _round(reader: "Reader", given: Given) -> Value:
    x, places = given.need("number"), given.take("ndigits", given.take("decimals", 0))
    if is_number(x):
        return round(x, places) if places else round(x)
    if isinstance(x, Series | Frame):
        return above.methods.call(reader, x, Given("round", [places or 0], {}), "round")
    raise BadSyntax(f"{describe(x)} is not rounded")


def _list(reader: "Reader", given: Given) -> Value:
    over = given.take("iterable", [])
    if isinstance(over, Walk):
        return arrays.bar_numbers(reader, over)
    return over if isinstance(over, Series | Short) else reader.made(list(items(over)))


def _tuple(reader: "Reader", given: Given) -> Value:
    return tuple(items(given.take("iterable", [])))


def _dict(reader: "Reader", given: Given) -> Value:
    over = given.take("mapping", {})
    made = dict(over) if isinstance(over, dict) else {k: v for k, v in (items(p) for p in items(over))}
    return reader.made({**made, **given.named})


def _enumerate(reader: "Reader", given: Given) -> Value:
    over, start = given.need("iterable"), given.take("start", 0)
    if isinstance(over, Series | Index | Walk):
        first = over.first if isinstance(over, Walk) else 0
        return Walk(first, (Bar(start, first), over.item if isinstance(over, Walk) else over.copy() if isinstance(over, Series) else Bar()))
    return [(i, item) for i, item in enumerate(items(over), start)]


def _zip(reader: "Reader", given: Given) -> Value:
    if any(isinstance(part, Short) for part in given.args):
        return _zipped_parts(reader, given.args)
    if any(isinstance(part, Series | Index | Walk) for part in given.args):
        return Walk(0, tuple(p.item if isinstance(p, Walk) else p.copy() if isinstance(p, Series) else Bar() for p in given.args))
    lists = [items(part) for part in given.args]
    return [tuple(group) for group in zip(*lists, strict=False)]


def _zipped_parts(reader: "Reader", parts: list[Value]) -> Value:
    """zip(x[:-1], x[1:]): places are counted from the first of each."""
    shorts = [p if isinstance(p, Short) else Short(p, 0) if isinstance(p, Series) else None for p in parts]
    if None in shorts:
        raise BadSyntax("columns go together with columns")
    lost = max(p.lost for p in shorts if p)
    missing = max(p.lost + p.missing for p in shorts if p) - lost
    made = [above.methods.delayed(reader, p.of, lost - p.lost) if lost > p.lost else p.of for p in shorts if p]
    if missing:
        ahead.refuse("parts that end before the last bar", "use shift(n) on whole columns")
    return Walk(lost, tuple(made))


def _reversed(reader: "Reader", given: Given) -> Value:
    over = given.need("sequence")
    if isinstance(over, Series | Frame):
        ahead.refuse("a reversed column", "keep the order of time")
    return items(over)[::-1]


def _sorted(reader: "Reader", given: Given) -> Value:
    over = given.need("iterable")
    if isinstance(over, Series):
        return Whole("a sorted column", "use rolling(n).rank(pct=True)")
    values = items(over)
    key, backwards = given.named.get("key"), bool(given.named.get("reverse", False))
    by = [v if key is None else above.expressions.call(reader, key, [v], {}) for v in values]
    by = [b[:1] + tuple(x for x in b[1:] if is_number(x)) if isinstance(b, tuple) else b for b in by]
    flat = [x for b in by for x in (b if isinstance(b, tuple) else (b,))]
    if not all(is_number(x) for x in flat) and not all(isinstance(x, str) for x in flat):
        raise BadSyntax("only numbers or texts are sorted")
    return [values[i] for i in sorted(range(len(values)), key=lambda i: by[i], reverse=backwards)]


def _map(reader: "Reader", given: Given) -> Value:
    function = given.need("function")
    return [above.expressions.call(reader, function, list(group), {}) for group in zip(*(items(p) for p in given.args), strict=False)]


def _any(reader: "Reader", given: Given) -> Value:
    over = given.need("iterable")
    return Whole("any() of a column", "use rolling(n).max()", above.methods.guard_of(over, "any")) if isinstance(over, Series) else any(
        reader.truth(v) for v in items(over)
    )  # fmt: skip


def _all(reader: "Reader", given: Given) -> Value:
    over = given.need("iterable")
    return Whole("all() of a column", "use rolling(n).min()", above.methods.guard_of(over, "all")) if isinstance(over, Series) else all(
        reader.truth(v) for v in items(over)
    )  # fmt: skip


_KINDS: Mapping[str, tuple[type, ...]] = {
    "pandas.DataFrame": (Frame,), "pandas.Series": (Series,), "numpy.ndarray": (), "builtins.int": (int,), "builtins.float": (float,),
    "builtins.str": (str,), "builtins.list": (list,), "builtins.dict": (dict,), "builtins.tuple": (tuple,), "builtins.bool": (bool,),
}  # fmt: skip


def _isinstance(reader: "Reader", given: Given) -> Value:
    x, kinds = given.need("obj"), given.need("class_or_tuple")
    for kind in list(kinds) if isinstance(kinds, tuple) else [kinds]:
        if isinstance(kind, Module):
            if isinstance(x, Series) and x.array:
                if kind.path == "numpy.ndarray":
                    return True
            elif isinstance(x, _KINDS.get(kind.path, ())):
                return True
            if isinstance(x, Index) and kind.path == "pandas.DatetimeIndex":
                return True
    return False


def _getattr(reader: "Reader", given: Given) -> Value:
    owner, name = given.need("obj"), given.need("name")
    if not isinstance(name, str) or name.startswith("_"):
        raise BadSyntax("getattr is understood with a plain name")
    return above.expressions.attribute(reader, owner, name)


def _hasattr(reader: "Reader", given: Given) -> Value:
    owner, name = given.need("obj"), given.need("name")
    return (isinstance(owner, Frame | Series) and not isinstance(owner, Frame)) or (
        isinstance(owner, Frame) and name in (*owner.columns, "columns")
    )


def _str(reader: "Reader", given: Given) -> Value:
    x = given.take("x", "")
    if isinstance(x, str | int | float):
        return str(x)
    raise BadSyntax(f"{describe(x)} is not turned into text")


def _callable(reader: "Reader", given: Given) -> Value:
    return isinstance(given.need("obj"), Function | Module)


def _pow(reader: "Reader", given: Given) -> Value:
    return operate(reader, "pow", given.need("base"), given.need("exp"))


def _filter(reader: "Reader", given: Given) -> Value:
    function, values = given.need("function"), items(given.need("iterable"))
    return [v for v in values if reader.truth(v if function is None else above.expressions.call(reader, function, [v], {}))]


def _record(reader: "Reader", given: Given) -> Value:
    """An object of a namedtuple: names, then values."""
    names = given.need("names")
    return Record({**dict(zip(names, given.args, strict=False)), **given.named})


def named_tuple(reader: "Reader", given: Given) -> Value:
    """collections.namedtuple: what makes its objects."""
    given.need("typename")
    names = given.need("field_names")
    listed = names.replace(",", " ").split() if isinstance(names, str) else [str(n) for n in items(names)]
    return Partial(Module("builtins.record"), (listed,), {})


def _chosen(pick: Callable[..., Any]) -> Rule:
    def rule(reader: "Reader", given: Given) -> Value:
        made = [tuple(group) for group in islice(pick(*(a if isinstance(a, int) else items(a) for a in given.args)), MOST + 1)]
        if len(made) > MOST:
            raise TooBig(f"more than {MOST} groups")
        return made

    return rule


def _chain(reader: "Reader", given: Given) -> Value:
    return [item for part in given.args for item in items(part)]


BUILTINS: Mapping[str, Rule] = {
    "abs": _abs, "min": _extreme(False), "max": _extreme(True), "sum": _sum, "len": _len, "range": _range, "float": _float, "int": _int,
    "bool": _bool, "round": _round, "list": _list, "tuple": _tuple, "set": _list, "dict": _dict, "enumerate": _enumerate, "zip": _zip,
    "reversed": _reversed, "sorted": _sorted, "map": _map, "filter": _filter, "record": _record, "any": _any, "all": _all,
    "isinstance": _isinstance, "getattr": _getattr,
    "hasattr": _hasattr, "str": _str, "callable": _callable, "pow": _pow,
}  # fmt: skip


def _partial(reader: "Reader", given: Given) -> Value:

    return Partial(given.need("func"), tuple(given.args), dict(given.named))


def _reduce(reader: "Reader", given: Given) -> Value:
    function, parts = given.need("function"), items(given.need("iterable"))
    done = given.args[0] if given.args else parts.pop(0)
    for part in parts:
        done = above.expressions.call(reader, function, [done, part], {})
    return done


def _decorated(reader: "Reader", given: Given) -> Value:
    return given.args[0] if given.args else None


ITERTOOLS: Mapping[str, Rule] = {
    "combinations": _chosen(combinations), "permutations": _chosen(permutations), "product": _chosen(product), "chain": _chain,
    "pairwise": _chosen(pairwise),
}  # fmt: skip
FUNCTOOLS: Mapping[str, Rule] = {"partial": _partial, "reduce": _reduce}
NUMBA: Mapping[str, Rule] = {"njit": _decorated, "jit": _decorated}
