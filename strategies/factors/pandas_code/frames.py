"""Methods of tables: new columns, measures across the columns of each bar, and what goes column by column."""

import math
import re
from collections.abc import Callable

from strategies.errors import BadSyntax, UnknownName
from strategies.factors.graph import call as node_of
from strategies.factors.pandas_code import above, ahead, algebra, assignments, choosing, groups, subscripts, windows
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import items, operate
from strategies.factors.pandas_code.values import (
    Bar,
    Frame,
    Function,
    Given,
    Index,
    Kind,
    Module,
    Series,
    Value,
    Vector,
    Walk,
    Whole,
    is_number,
    whole,
)  # fmt: skip

_BY_COLUMN = frozenset({
    "shift", "diff", "pct_change", "cumsum", "cumprod", "cummax", "cummin", "ffill", "fillna", "abs", "round", "astype", "clip", "isna",
    "isnull", "notna", "notnull", "replace", "where", "mask", "gt", "lt", "ge", "le", "eq", "ne", "map", "applymap", "pad", "interpolate",
    "bfill", "backfill", "transform", "dropna_",
})  # fmt: skip
_ACROSS = frozenset({"max", "min", "mean", "sum", "std", "var", "median", "prod", "any", "all", "count", "product"})
_SAME = frozenset({"copy", "sort_index", "infer_objects", "reset_index", "set_index", "reindex", "convert_dtypes", "squeeze_"})

_WHOLE_SAMPLE = re.compile(r"\.(?:mean|std|var|min|max|sum|median|quantile|rank)\(|\.shift\(\s*-")


def call(reader: "Reader", frame: Frame, given: Given, name: str) -> Value:
    """`df.name(...)`."""
    rule = _RULES.get(name)
    if rule is not None:
        return rule(reader, frame, given)
    if name in _SAME:
        if name == "sort_index" and above.methods.reversed_order(given):
            ahead.refuse("a reversed table", "keep the order of time")
        inplace = given.named.get("inplace", False)
        return None if inplace else frame.copy()
    if name in _ACROSS:
        axis = given.take("axis", 0)
        given.drop("skipna_", "numeric_only")
        if axis in (1, "columns"):
            return across(frame, name, given)
        return Whole(f"{name}() of a table", ahead.ROLL.format(name), _guard(frame, name))
    if name in _BY_COLUMN:
        return _by_column(reader, frame, given, name)
    if name in ("flatten", "ravel", "squeeze", "tolist") and len(frame.columns) == 1:
        return next(iter(frame.columns.values()))
    if name in ("to_numpy", "values"):
        return Frame(dict(frame.columns), frame.bars, array=True)
    if name in ("rank", "corr", "cov", "describe", "quantile", "skew", "kurt", "agg", "aggregate", "tail", "head", "nlargest", "sample",
                "iterrows",                 "itertuples", "resample", "asfreq"):  # fmt: skip
        return _whole(reader, frame, given, name)
    if name in ahead.CALLS:
        ahead.refuse(name, ahead.CALLS[name])
    if name in ("eval", "query"):
        if any(isinstance(text, str) and _WHOLE_SAMPLE.search(text) for text in given.args):
            ahead.refuse("what the text takes of whole columns", "write the expression itself, over rolling(n)")
        raise BadSyntax(f"{name} would run text", suggestion="write the expression itself")
    raise UnknownName(f"a table has no {name!r} here")


def _guard(frame: Frame, name: str) -> Value:
    guards = [above.methods.guard_of(column, name) for column in frame.columns.values()]
    return guards[0] if guards and all(g == guards[0] for g in guards) else None


def _whole(reader: "Reader", frame: Frame, given: Given, name: str) -> Value:
    if name in ("iterrows", "itertuples"):
        return Walk(0, (Bar(), frame.copy()) if name == "iterrows" else frame.copy())
    if name == "rank" and given.named.get("axis") in (1, "columns"):
        raise BadSyntax("columns of a table are not ranked against each other")
    if name in ("resample", "asfreq"):
        ahead.refuse(f"{name}, whose groups end after the bar,", "use rolling(n) over as many bars")
    return Whole(f"{name}() of a table", ahead.ROLL.format(name if name in ("rank", "corr", "quantile", "skew", "kurt") else "mean"))


def _by_column(reader: "Reader", frame: Frame, given: Given, name: str) -> Frame | None:
    inplace = bool(given.named.get("inplace", False))
    axis = given.named.pop("axis", 0)
    made: dict[str, Series]
    if axis in (1, "columns") and name == "diff" and not given.args and not given.named:
        pairs = zip(list(frame.columns)[1:], frame.columns.values(), strict=False)
        made = {name: algebra.as_series(math.nan) for name in frame.columns}
        return Frame(made | {key: algebra.arithmetic("sub", frame.columns[key], last) for key, last in pairs})
    if axis in (1, "columns") and name in ("shift", "diff", "cumsum", "pct_change", "ffill"):
        raise BadSyntax(f"{name} across columns is not understood")
    name = "map" if name == "applymap" else name
    made = {}
    for key, column in frame.columns.items():
        mine = Given(given.name, [_part(a, key) for a in given.args], {k: _part(v, key) for k, v in given.named.items() if k != "inplace"})
        made[key] = above.methods.call(reader, column, mine, name)
    if inplace:
        frame.columns = made
        return None
    return Frame(made, frame.bars)


def _part(value: Value, key: str) -> Value:
    if isinstance(value, Frame):
        if key not in value.columns:
            raise BadSyntax("the tables have different columns")
        return value.columns[key]
    return value[key] if isinstance(value, dict) and key in value else value


def across(frame: Frame, name: str, given: Given) -> Series:
    """A measure across the columns of one bar; NaN is skipped unless skipna=False."""
    skip = given.take("skipna", not frame.array)
    ddof = whole(given.take("ddof", int(not frame.array)), "ddof") if name in ("std", "var") else 1
    least = whole(given.take("min_count", 0), "min_count")
    given.done()
    columns = list(frame.columns.values())
    if frame.bars or not columns:
        raise BadSyntax("name the columns", suggestion="df[['high', 'low', 'close']].mean(axis=1)")
    if all(c.known for c in columns) or len(columns) == 1:
        skip = False
    done = measure(columns, name, bool(skip), ddof)
    if least > 0 and name in ("sum", "prod", "product"):
        done = algebra.choose(algebra.compare("ge", _count(columns), algebra.as_series(least)), done, algebra.as_series(math.nan))
    return done


def measure(columns: list[Series], name: str, skip: bool, ddof: int = 1) -> Series:
    match name:
        case "max" | "min":
            op = ("f" if skip else "") + name
            return _chain(columns, lambda a, b: algebra.larger(a, b, op))
        case "any" | "all":
            return _chain(columns, lambda a, b: algebra.logical("or" if name == "any" else "and", algebra.truth(a), algebra.truth(b)))
        case "count":
            return _count(columns)
        case "sum":
            return _sum([algebra.filled(c, algebra.as_series(0)) if skip else c for c in columns])
        case "prod" | "product":
            filled = [algebra.filled(c, algebra.as_series(1)) if skip else c for c in columns]
            return _chain(filled, lambda a, b: algebra.arithmetic("mul", _plain(a), _plain(b)))
        case "mean":
            total = measure(columns, "sum", skip)
            return algebra.divided(total, _count(columns) if skip else algebra.as_series(len(columns)))
        case "std" | "var":
            return _deviation(columns, name, skip, ddof)
        case _:
            if len(columns) == 3 and not skip:
                a, b, c = columns
                return algebra.larger(algebra.larger(a, b, "min"), algebra.larger(algebra.larger(a, b), c, "min"))
            raise BadSyntax(f"{name} across columns is not understood")


def _plain(s: Series) -> Series:
    return s.copy(kind=Kind.INT) if s.kind == Kind.BOOL else s


def _chain(columns: list[Series], join: Callable[[Series, Series], Series]) -> Series:
    done = columns[0]
    for column in columns[1:]:
        done = join(done, column)
    return done


def _sum(columns: list[Series]) -> Series:
    return _chain([_plain(c) for c in columns], lambda a, b: algebra.arithmetic("add", a, b))


def _count(columns: list[Series]) -> Series:
    return _sum([algebra.inverted(algebra.missing(c)) for c in columns])


def _deviation(columns: list[Series], name: str, skip: bool, ddof: int) -> Series:
    mean = measure(columns, "mean", skip)
    squares = []
    for column in columns:
        off = algebra.arithmetic("sub", column, mean)
        squares.append(algebra.arithmetic("mul", off, off))
    total = measure(squares, "sum", skip)
    count = _count(columns) if skip else algebra.as_series(len(columns))
    free = algebra.arithmetic("sub", count, algebra.as_series(ddof))
    if skip:
        free = algebra.choose(algebra.compare("gt", free, algebra.as_series(0)), free, algebra.as_series(math.nan))
    value = algebra.finite(algebra.divided(total, free))
    return algebra.root(value.copy(low=1)) if name == "std" else value


# -- tables


def _assign(reader: "Reader", frame: Frame, given: Given) -> Frame:
    made = frame.copy()
    for name, new in given.named.items():
        assignments.put_column(made, name, above.expressions.call(reader, new, [made], {}) if isinstance(new, Function) else new)
    return made


def _drop(reader: "Reader", frame: Frame, given: Given) -> Frame | None:
    labels = given.take("labels", given.named.pop("columns", []))
    inplace = given.named.pop("inplace", False)
    given.drop("axis", "errors").done()
    if isinstance(labels, Index):
        raise BadSyntax("rows are not dropped")
    made = frame if inplace else frame.copy()
    for name in [labels] if isinstance(labels, str) else list(labels):
        made.columns.pop(name, None)
    return None if inplace else made


def _rename(reader: "Reader", frame: Frame, given: Given) -> Frame | None:
    names = given.take("mapper", given.named.pop("columns", None))
    inplace = given.named.pop("inplace", False)
    given.drop("axis", "copy", "errors").done()
    if isinstance(names, Module | Function):
        names = {name: above.expressions.call(reader, names, [name], {}) for name in frame.columns}
    if not isinstance(names, dict):
        raise BadSyntax("columns are renamed by a dict")
    made = {str(names.get(name, name)): column for name, column in frame.columns.items()}
    if inplace:
        frame.columns = made
        return None
    return Frame(made, frame.bars)


def _dropna(reader: "Reader", frame: Frame, given: Given) -> Frame | None:
    inplace = given.named.pop("inplace", False)
    subset, how = given.named.pop("subset", None), given.named.pop("how", "any")
    given.drop("axis", "ignore_index").done()
    names = [subset] if isinstance(subset, str) else list(subset or frame.columns)
    columns = [frame.columns[n] if n in frame.columns else reader.bar_column(n) for n in names]
    there = _chain([algebra.inverted(algebra.missing(c)) for c in columns],
                   lambda a, b: algebra.logical("and" if how == "any" else "or", a, b))  # fmt: skip
    made = {
        n: (algebra.choose(there, c, algebra.as_series(math.nan)) if not (how == "any" and names == [n]) else c).copy(
            rows=there.node if c.rows is None else node_of("and", c.rows, there.node), owes=c.owes
        )
        for n, c in frame.columns.items()
    }
    if inplace:
        frame.columns = made
        return None
    return Frame(made, frame.bars)


def _get(reader: "Reader", frame: Frame, given: Given) -> Value:
    name, default = given.need("key"), given.take("default")
    if name in frame.columns:
        return subscripts.column(reader, frame, name)
    return default


def _pop(reader: "Reader", frame: Frame, given: Given) -> Value:
    found = subscripts.column(reader, frame, given.need("item"))
    frame.columns.pop(found.name, None)
    return found


def _insert(reader: "Reader", frame: Frame, given: Given) -> None:
    given.take("loc")
    name = given.need("column")
    assignments.put_column(frame, name, given.need("value"))


def _apply(reader: "Reader", frame: Frame, given: Given) -> Value:
    """Row by row with axis=1: the row is a dict of its values; else column by column."""
    function, axis = given.need("func"), given.take("axis", 0)
    more, named = given.take("args", ()), given.named
    for word in ("raw", "result_type"):
        named.pop(word, None)
    if axis not in (1, "columns"):
        return Frame({n: choosing.elementwise(reader, c, function, tuple(more), named) for n, c in frame.columns.items()})
    if isinstance(function, str):
        return call(reader, frame, Given(function, [], {"axis": 1}), function)
    with reader.element_by_element():
        done = above.expressions.call(reader, function, [frame.copy(), *more], named)
    if isinstance(done, Whole):
        done.refuse()
    if not isinstance(done, Series) and not is_number(done):
        raise BadSyntax("the function must give a number for each row")
    return algebra.as_series(done)


def _binary(op: str) -> Callable[["Reader", Frame, Given], Frame]:
    def rule(reader: "Reader", frame: Frame, given: Given) -> Frame:
        other = given.need("other")
        axis = given.take("axis", 1)
        given.drop("level").done()
        if isinstance(other, Series):
            if axis not in (0, "index"):
                raise BadSyntax("a column goes with each column of a table by axis=0")
            return Frame({name: operate(reader, op, column, other) for name, column in frame.columns.items()})
        if isinstance(other, list | Vector) and len(items(other)) == len(frame.columns):
            return Frame({n: operate(reader, op, c, w) for (n, c), w in zip(frame.columns.items(), items(other), strict=True)})
        if isinstance(other, dict):
            return Frame({n: operate(reader, op, c, other[n]) for n, c in frame.columns.items()})
        made = operate(reader, op, frame, other)
        assert isinstance(made, Frame)
        return made

    return rule


def dot(reader: "Reader", frame: Frame, given: Given) -> Value:
    """table.dot(weights): one number a column; NaN where any column is."""
    made = operate(reader, "mul", frame, given.need("other"))
    given.done()
    assert isinstance(made, Frame)
    return measure(list(made.columns.values()), "sum", skip=False)


def _pipe(reader: "Reader", frame: Frame, given: Given) -> Value:
    function = given.need("func")
    return above.expressions.call(reader, function, [frame, *given.args], given.named)


_RULES: dict[str, Callable[["Reader", Frame, Given], Value]] = {
    "assign": _assign, "drop": _drop, "rename": _rename, "dropna": _dropna, "get": _get, "pop": _pop, "insert": _insert, "apply": _apply,
    "rolling": windows.rolling, "ewm": windows.ewm, "expanding": windows.expanding, "groupby": groups.group,
    "add": _binary("add"), "sub": _binary("sub"), "mul": _binary("mul"), "div": _binary("div"), "divide": _binary("div"),
    "multiply": _binary("mul"), "subtract": _binary("sub"), "truediv": _binary("div"), "pow": _binary("pow"),
    "pipe": _pipe, "dot": dot,
    "squeeze": lambda reader, frame, given: next(iter(frame.columns.values())) if len(frame.columns) == 1 else frame,
    "filter": lambda reader, frame, given: Frame({n: frame.columns[n] for n in given.take("items") or [] if n in frame.columns}),
    "items": lambda reader, frame, given: list(frame.columns.items()),
    "keys": lambda reader, frame, given: list(frame.columns),
}  # fmt: skip
