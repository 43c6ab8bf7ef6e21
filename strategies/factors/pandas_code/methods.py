"""Methods: one table for each kind of value. What takes in the whole sample is refused unless it only guards."""

import math
from collections.abc import Callable, Mapping

from strategies.errors import BadSyntax, UnknownName
from strategies.factors.graph import call as node_of
from strategies.factors.graph import nearest
from strategies.factors.pandas_code import above, ahead, algebra, choosing, frames, groups, python_methods, reductions, times, windows
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.measures import Argsort
from strategies.factors.pandas_code.operands import compare, describe, operate
from strategies.factors.pandas_code.reductions import Product
from strategies.factors.pandas_code.values import (
    GAPS,
    Appended,
    Columns,
    Ewm,
    Expanding,
    Frame,
    Given,
    Index,
    Items,
    Kind,
    Last,
    Module,
    Rolling,
    Rows,
    Series,
    Value,
    Vector,
    Whole,
    Window,
    is_number,
    whole,
)  # fmt: skip

Rule = Callable[["Reader", Series, Given], Value]
WHOLE_SAMPLE = frozenset({
    "mean", "std", "var", "sum", "min", "max", "median", "quantile", "rank", "skew", "kurt", "kurtosis", "prod", "product", "sem", "mad",
    "corr", "cov", "autocorr", "idxmax", "idxmin", "argmax", "argmin", "mode", "nunique", "unique", "value_counts", "describe", "nlargest",
    "nsmallest", "count", "any", "all", "item", "ptp", "argsort", "sort_values", "agg", "aggregate", "first_valid_index",
    "last_valid_index",
    "tail", "head", "sample", "dot", "searchsorted", "duplicated", "drop_duplicates", "percentile", "average", "corrcoef",
    "polyfit", 
})  # fmt: skip


def call(reader: "Reader", of: Value, given: Given, name: str) -> Value:
    match of:
        case Series():
            return _of_series(reader, of, given, name)
        case Frame():
            return frames.call(reader, of, given, name)
        case Rolling():
            return windows.rolled(reader, of, name, given)
        case Expanding():
            return windows.expanded(reader, of, name, given)
        case Ewm():
            return windows.weighted(reader, of, name, given)
        case Argsort() if name == "argsort":
            return of.ranks()
        case Window() | Items() | Product():
            return reductions.method(reader, of, name, given)
        case Whole():
            if of.guard == GAPS and name == "all":
                return Whole(of.what, of.how, False)
            return Whole(of.what, of.how, of.guard if name in ("all", "any", "sum", "item", "max") else None)
        case str() | Appended() | list() | dict() | tuple() | Vector() | Columns() | int() | float():
            return python_methods.call(reader, of, given, name)
        case Last() if name in ("astype", "to_numpy", "tolist"):
            return of
        case Last() if name in ("item", "squeeze"):
            return of.value
        case groups.Grouped():
            return groups.method(reader, of, given, name)
        case Index():
            return times.method(reader, of, given, name)
        case _:
            if name in ahead.CALLS:
                ahead.refuse(name, ahead.CALLS[name])
            raise UnknownName(f"{describe(of)} has no {name!r}")


def _of_series(reader: "Reader", x: Series, given: Given, name: str) -> Value:
    rule = SERIES.get(name)
    if rule is not None:
        done = rule(reader, x, given)
        done = x.copy() if done is x else done
        if isinstance(done, Series) and done.name == "" and x.name:
            done.name = x.name
        return done
    if name in WHOLE_SAMPLE:
        if name == "rank" and given.named.get("axis") in (1, "columns"):
            raise BadSyntax("a column is not ranked across")
        how = "x.rolling(252).rank(pct=True)" if name == "rank" else ahead.ROLL.format(name)
        return Whole(f"{name}() of a column", f"use {how}" if name == "rank" else how, guard_of(x, name))
    if name in ahead.CALLS:
        ahead.refuse(name, ahead.CALLS[name])
    raise UnknownName(f"a column has no {name!r} here", suggestion=nearest(name, SERIES))


def guard_of(x: Series, name: str) -> Value:
    """How a measure of the whole column stands for a long table: only whether values are missing, and how many are there, may be asked."""
    if name in ("count", "nunique"):
        return Rows()
    if x.kind != Kind.BOOL or name not in ("any", "all", "sum"):
        return None
    if x.node.op == "is_nan":
        return False if name == "all" else GAPS
    if x.node.op == "not" and x.node.args[0].op == "is_nan":
        return Rows() if name == "sum" else True
    return None


# -- looking back


def shift(reader: "Reader", x: Series, given: Given) -> Series:
    count = given.take("periods", 1)
    freq = given.take("freq")
    if isinstance(freq, str) and freq.startswith("-"):
        ahead.refuse(f"shift by {freq}", "look back instead: shift(1)")
    if freq is not None:
        raise BadSyntax("shift is understood without freq")
    given.drop("axis")
    fill = given.take("fill_value", math.nan)
    given.done()
    n = whole(count, "the shift")
    if n < 0:
        ahead.refuse(f"shift({n})", f"look back instead: shift({-n})")
    windows.whole_rows(x)
    if n == 0:
        return x.copy()
    back = delayed(reader, x, n)
    if is_number(fill) and fill == fill:
        kind = x.kind if x.kind != Kind.BOOL or isinstance(fill, bool) else Kind.OBJECT
        if x.known and not x.inf:
            node = node_of("nan_to", back.node, fill)
        else:
            node = node_of("where", reader.first_bars(n).node, algebra.as_series(fill).node, back.node)
        return algebra.result(node, x, kind=kind, low=min(x.low, 2 if fill > 0 else int(fill == 0)), known=x.known)
    return back


def delayed(reader: "Reader", x: Series, n: int) -> Series:
    """The value n bars ago."""
    kind = {Kind.BOOL: Kind.OBJECT, Kind.BIT: Kind.FLOAT, Kind.INT: Kind.FLOAT}.get(x.kind, x.kind)
    node = node_of("delay", algebra.standing(x, reader.clock).node, n)
    return algebra.result(node, x, kind=kind, low=x.low, known=False)


def diff(reader: "Reader", x: Series, given: Given) -> Series:
    n = whole(given.take("periods", given.named.pop("n", 1)), "the difference")
    given.drop("axis").done()
    if n < 0:
        ahead.refuse(f"diff({n})", f"look back instead: diff({-n})")
    windows.whole_rows(x)
    x = x.copy(kind=Kind.FLOAT) if x.kind != Kind.BOOL else x
    if x.kind == Kind.BOOL:
        back = delayed(reader, x, n)
        node = node_of("ne", x.node, back.node)
        return algebra.result(node, x, kind=Kind.OBJECT, low=1, known=False)
    return algebra.arithmetic("sub", x, delayed(reader, x, n))


def pct_change(reader: "Reader", x: Series, given: Given) -> Series:
    n = whole(given.take("periods", 1), "the change")
    method = given.take("fill_method")
    given.drop("limit", "axis").done()
    if method in ("bfill", "backfill"):
        ahead.refuse("filling backwards", "leave fill_method out")
    if n < 0:
        ahead.refuse(f"pct_change({n})", f"look back instead: pct_change({-n})")
    windows.whole_rows(x)
    return algebra.arithmetic("sub", algebra.divided(x, delayed(reader, x, n)), algebra.as_series(1))


def running(op: str) -> Rule:
    def rule(reader: "Reader", x: Series, given: Given) -> Series:
        given.drop("axis", "skipna", "dtype").done()
        windows.whole_rows(x)
        node = node_of(op, algebra.standing(x, reader.clock).node)
        if x.array and not x.known:  # numpy's sums stay NaN after the first one
            node = node_of("keep", node, node_of("eq", node_of("cumsum", node_of("is_nan", x.node)), 0))
        kind = Kind.INT if x.kind in (Kind.INT, Kind.BIT, Kind.BOOL) else Kind.FLOAT
        return algebra.result(node, x, low=x.low, known=x.known, kind=kind, inf=x.inf or op == "cumprod")

    return rule


def ffill(reader: "Reader", x: Series, given: Given) -> Series:
    limit = given.take("limit")
    given.drop("axis", "inplace", "downcast", "limit_area").done()
    windows.whole_rows(x)
    if x.known:
        return x.copy()
    node = node_of("ffill", x.node)
    if limit is not None:  # known so long as one of the last `limit` + 1 values was
        count = node_of("roll_count", x.node, whole(limit, "the limit") + 1, 1)
        node = node_of("keep", node, node_of("not", node_of("is_nan", count)))
    return algebra.result(node, x, low=x.low, kind=x.kind, known=False)


def fillna(reader: "Reader", x: Series, given: Given) -> Series | None:
    value, method = given.take("value"), given.take("method")
    inplace = bool(given.named.pop("inplace", False))
    given.drop("axis", "downcast")
    if method is not None:
        if method in ("bfill", "backfill"):
            ahead.refuse("filling backwards", "use ffill()")
        done = ffill(reader, x, given)
    else:
        if given.take("limit") is not None:
            raise BadSyntax("fillna is understood without a limit")
        given.done()
        if isinstance(value, Whole):
            value.refuse()
        if not isinstance(value, Series) and not is_number(value):
            raise BadSyntax(f"gaps are not filled with {describe(value)}")
        done = algebra.filled(x, algebra.as_series(value))
    if inplace:
        x.become(done)
        return None
    return done


# -- the rest


def cast(reader: "Reader", x: Series, given: Given) -> Series:
    to = given.need("dtype")
    given.drop("copy", "errors").done()
    name = to.path.rpartition(".")[2] if isinstance(to, Module) else str(to)
    if name.startswith("float") or name in ("double", "f8", "object", "number"):
        return x.copy(kind=Kind.FLOAT if x.kind != Kind.TWOS else x.kind)
    if name.startswith(("int", "uint", "Int")):
        if x.kind in (Kind.BOOL, Kind.BIT, Kind.INT) or (x.kind == Kind.OBJECT and x.known):
            return x.copy(kind=Kind.BIT if x.kind != Kind.INT else Kind.INT)
        cut = node_of("mul", node_of("sign", x.node), node_of("floor", node_of("abs", x.node)))
        return algebra.result(cut, x, kind=Kind.INT, low=min(x.low, 1), known=x.known)
    if name.startswith("bool"):
        return algebra.truth(x) if x.kind != Kind.OBJECT or x.known else algebra.result(
            node_of("nan_to", x.node, 1), x, kind=Kind.BOOL, low=1, known=True
        )  # fmt: skip
    raise BadSyntax(f"there is no casting to {name!r}")


def rounded(reader: "Reader", x: Series, given: Given) -> Series:
    places = whole(given.take("decimals", 0), "decimals")
    given.done()
    return algebra.result(node_of("round", x.node, places), x, low=min(x.low, 1))


def dropna(reader: "Reader", x: Series, given: Given) -> Series | None:
    inplace = bool(given.named.pop("inplace", False))
    given.drop("axis", "how", "ignore_index").done()
    if x.known:
        return None if inplace else x
    there = node_of("not", node_of("is_nan", x.node))
    rows = there if x.rows is None else node_of("and", x.rows, there)
    if inplace:
        x.rows = rows
        return None
    return x.copy(rows=rows)


def same(reader: "Reader", x: Series, given: Given) -> Series:
    return x.copy()


def ordered(reader: "Reader", x: Series, given: Given) -> Series:
    """x.sort_index()."""
    if reversed_order(given):
        ahead.refuse("a reversed column", "keep the order of time")
    return x.copy()


def reversed_order(given: Given) -> bool:
    """sort_index(ascending=False), by name or after the axis."""
    rising = given.named.get("ascending", True)
    if isinstance(rising, list) and len(rising) == 1:
        rising = rising[0]
    return not (rising is True or (is_number(rising) and rising == 1)) or len(given.args) > 2


def renamed(reader: "Reader", x: Series, given: Given) -> Series:
    name = given.take("index", "")
    return x.copy(name=name) if isinstance(name, str) and name else x.copy()


def arrayed(reader: "Reader", x: Series, given: Given) -> Series:
    return x.copy(array=True)


def reindexed(reader: "Reader", x: Series, given: Given) -> Series:
    index = given.take("index", given.named.pop("labels", None))
    method = given.take("method")
    if method in ("bfill", "backfill", "nearest"):
        ahead.refuse("filling backwards", "use ffill()")
    fill = given.take("fill_value", math.nan)
    if not isinstance(index, Index):
        raise BadSyntax("columns are reindexed to df.index only")
    given.drop("axis", "copy").done()
    x = algebra.settled(x)
    if method is not None:
        return ffill(reader, x, Given("ffill", [], {}))
    return algebra.filled(x, algebra.as_series(fill)) if fill == fill and x.kind == Kind.FLOAT else x


def binary(op: str, flipped: bool = False) -> Rule:
    """`x.add(y, fill_value=0)`: where both are missing the answer is missing too."""

    def rule(reader: "Reader", x: Series, given: Given) -> Value:
        other, fill = given.need("other"), given.take("fill_value")
        given.drop("axis", "level").done()
        if fill is None:
            return operate(reader, op, other, x) if flipped else operate(reader, op, x, other)
        x = algebra.settled(x)
        other = algebra.settled(other) if isinstance(other, Series) else other
        a = algebra.filled(x, algebra.as_series(fill))
        b = algebra.filled(other, algebra.as_series(fill)) if isinstance(other, Series) else other
        done = operate(reader, op, b, a) if flipped else operate(reader, op, a, b)
        if not isinstance(other, Series):
            return done
        neither = algebra.logical("and", algebra.missing(x), algebra.missing(other))
        return algebra.choose(neither, algebra.as_series(math.nan), done)

    return rule


def comparison(op: str) -> Rule:
    def rule(reader: "Reader", x: Series, given: Given) -> Value:
        other = given.need("other")
        given.drop("axis", "level", "fill_value").done()
        return compare(reader, op, x, other)

    return rule


def one(build: Callable[[Series], Series]) -> Rule:
    def rule(reader: "Reader", x: Series, given: Given) -> Series:
        given.drop("axis").done()
        return build(x)

    return rule


def absolute(x: Series) -> Series:
    return x if x.low else algebra.result(node_of("abs", x.node), x, low=1, kind=x.kind)


def piped(reader: "Reader", x: Series, given: Given) -> Value:
    function = given.need("func")
    return above.expressions.call(reader, function, [x, *given.args], given.named)


def resampled(reader: "Reader", x: Series, given: Given) -> Value:
    ahead.refuse("resample, whose groups end after the bar,", "use rolling(n) over as many bars")


def combine(reader: "Reader", x: Series, given: Given) -> Series:
    """x.combine(y, max): value by value."""
    other, function = given.need("other"), given.need("func")
    if given.take("fill_value") is not None:
        raise BadSyntax("combine is understood without fill_value")
    given.done()
    if not isinstance(other, Series):
        raise BadSyntax("a column is combined with a column")
    if isinstance(function, Module) and function.path in ("builtins.max", "builtins.min"):  # the first, unless the second is beyond it
        return algebra.choose(algebra.compare("gt" if function.path == "builtins.max" else "lt", other, x), other, x)
    return choosing.elementwise(reader, x, function, (other,))


def combine_first(reader: "Reader", x: Series, given: Given) -> Series:
    other = given.need("other")
    given.done()
    return algebra.filled(x, algebra.as_series(other))


SERIES: Mapping[str, Rule] = {
    "shift": shift, "diff": diff, "pct_change": pct_change, "cumsum": running("cumsum"), "cumprod": running("cumprod"),
    "cummax": running("cummax"), "cummin": running("cummin"), "ffill": ffill, "pad": ffill, "fillna": fillna,
    "rolling": windows.rolling, "expanding": windows.expanding, "ewm": windows.ewm,
    "where": choosing.where, "mask": choosing.mask, "clip": choosing.clip, "between": choosing.between, "isin": choosing.isin,
    "replace": choosing.replace, "map": choosing.mapped, "apply": choosing.apply, "transform": choosing.apply, "astype": cast,
    "round": rounded, "dropna": dropna, "copy": same, "to_numpy": arrayed, "tolist": arrayed, "to_list": arrayed, "squeeze": same,
    "rename": renamed, "infer_objects": same, "convert_dtypes": same, "flatten": same, "ravel": same, "view": same, "reset_index": same,
    "sort_index": ordered, "to_frame": lambda reader, x, given: Frame({str(given.take("name", x.name or "0")): x}), "set_axis": same,
    "reindex": reindexed, "reindex_like": lambda reader, x, given: algebra.settled(x), "abs": one(absolute),
    "isna": one(algebra.missing), "isnull": one(algebra.missing),
    "notna": one(lambda x: algebra.inverted(algebra.missing(x))), "notnull": one(lambda x: algebra.inverted(algebra.missing(x))),
    "add": binary("add"), "sub": binary("sub"), "mul": binary("mul"), "div": binary("div"), "truediv": binary("div"),
    "subtract": binary("sub"), "multiply": binary("mul"), "divide": binary("div"), "pow": binary("pow"), "mod": binary("mod"),
    "floordiv": binary("floordiv"), "radd": binary("add", True), "rsub": binary("sub", True), "rmul": binary("mul", True),
    "rdiv": binary("div", True), "rtruediv": binary("div", True), "rpow": binary("pow", True),
    "gt": comparison("gt"), "ge": comparison("ge"), "lt": comparison("lt"), "le": comparison("le"), "eq": comparison("eq"),
    "ne": comparison("ne"), "pipe": piped, "groupby": groups.group, "resample": resampled, "combine_first": combine_first,
    "combine": combine,
}  # fmt: skip
