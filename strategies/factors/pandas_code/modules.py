"""Functions of numpy, pandas, math and Python itself, by their full names."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from strategies.errors import BadConstant, BadSyntax, UnknownName
from strategies.factors.graph import nearest
from strategies.factors.pandas_code import above, ahead, algebra, arrays, builtin, choosing, fits, frames, indicators, reductions, tables
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.elementwise import EACH, only_where, over
from strategies.factors.pandas_code.measures import Argsort
from strategies.factors.pandas_code.operands import across, compare, describe, items, operate
from strategies.factors.pandas_code.values import (
    Frame,
    Function,
    Given,
    Items,
    Module,
    Record,
    Series,
    Value,
    Vector,
    Whole,
    Window,
    is_number,
)  # fmt: skip

Rule = Callable[["Reader", Given], Value]
CONSTANTS: Mapping[str, float | None] = {
    "numpy.nan": math.nan, "numpy.NaN": math.nan, "numpy.NAN": math.nan, "numpy.inf": math.inf, "numpy.Inf": math.inf, "numpy.pi": math.pi,
    "numpy.e": math.e, "math.pi": math.pi, "math.e": math.e, "math.nan": math.nan, "math.inf": math.inf, "pandas.NA": math.nan,
    "numpy.newaxis": None, "numpy.PINF": math.inf, "numpy.NINF": -math.inf, "pandas.NaT": math.nan, "numpy.finfo": None,
}  # fmt: skip
_SILENT = ("warnings", "typing", "numpy.errstate", "numpy.seterr", "pandas.set_option", "pandas.options", "builtins.print",
    "builtins.super",
           "pandas.option_context", "logging")  # fmt: skip


def call(reader: "Reader", path: str, args: list[Value], named: dict[str, Value]) -> Value:
    """`np.log(x)` and the like. Raises UnknownName, LookAhead and what the function's own rule raises."""
    if path.endswith(".namedtuple"):
        return builtin.named_tuple(reader, Given("namedtuple", args, {}))
    if path.endswith(".SimpleNamespace"):
        return Record(named)
    if path.startswith(_SILENT):
        return Module(path)
    first, _, rest = path.partition(".")
    name = path.rpartition(".")[2]
    given = Given(path.replace("numpy", "np").replace("pandas", "pd").removeprefix("builtins."), args, named)
    if first in ("talib", "pandas_ta", "ta"):
        return indicators.call(reader, first, rest, args, named)
    table = TABLES.get(first, {})
    rule = table.get(rest)
    if rule is not None:
        return rule(reader, given)
    if (
        name in _METHODS
        and first in ("numpy", "pandas")
        and args
        and isinstance(args[0], Series | Frame | Window | Items | Argsort | Whole | Vector)
    ):
        named.pop("out", None)
        if _METHODS[name] in ("std", "var") and not isinstance(args[0], Series | Frame):
            named.setdefault("ddof", 0)
        if name.startswith("nan") and isinstance(args[0], Window):
            args[0] = args[0].copy(raw=False, known=1 if args[0].loose else args[0].known)  # which skips what is not known
        if isinstance(args[0], Frame) and args[0].array and "axis" in named and _METHODS[name] in _SKIPPING:
            named["skipna"] = name.startswith("nan")
        return above.methods.call(reader, args[0], Given(given.name, args[1:], named), _METHODS[name])
    if name in _METHODS and first == "numpy" and args and isinstance(args[0], list | tuple):
        return _of_list(reader, name, args[0], named)
    if name in ahead.CALLS and first != "scipy" and (first != "numpy" or any(isinstance(a, Series | Window | Frame) for a in args)):
        ahead.refuse(given.name, ahead.CALLS[name])
    if first == "scipy":
        return fits.scipy(reader, rest, given)
    raise UnknownName(f"{given.name} is not understood here", suggestion=nearest(name, [k.rpartition(".")[2] for k in table]))


_METHODS = {
    name: name
    for name in ("mean", "std", "var", "sum", "min", "max", "median", "quantile", "prod", "argmax", "argmin", "ptp", "any", "all", "diff_",
                 "cumsum", "cumprod", "shape", "isnull", "notnull", "isna", "notna", "count_nonzero")
} | {"nanmean": "mean", "nanstd": "std", "nanvar": "var", "nansum": "sum", "nanmin": "min", "nanmax": "max", "nanmedian": "median",
    "amax": "max",
     "amin": "min", "percentile": "percentile", "nanpercentile": "percentile", "average": "average", "product": "prod",
     "nanquantile": "quantile",
     "argsort": "argsort", "sort": "sort_values", "unique": "unique", "corrcoef": "corrcoef", "dot": "dot", "cov": "cov",
     "polyfit": "polyfit", "searchsorted": "searchsorted"}  # fmt: skip


_SKIPPING = frozenset({"mean", "std", "var", "sum", "min", "max", "median", "prod"})


def _of_list(reader: "Reader", name: str, parts: list[Value] | tuple[Value, ...], named: dict[str, Value]) -> Value:
    """np.mean([a, b, c], axis=0): across columns, or of numbers."""
    if all(is_number(p) for p in parts):
        numbers_ = Vector(tuple(float(p) for p in parts))
        return above.methods.call(reader, numbers_, Given(name, [], {k: v for k, v in named.items() if k != "axis"}), _METHODS[name])
    columns = [algebra.as_series(p) for p in parts if isinstance(p, Series) or is_number(p)]
    if len(columns) != len(parts) or named.pop("axis", None) not in (0, None if reader.elementwise else 0):
        raise BadSyntax(f"np.{name} of a list of columns goes with axis=0")
    if name == "average":
        return _weighted(columns, named.get("weights"))
    return frames.measure(columns, _METHODS[name], name.startswith("nan"), 0)


def _weighted(columns: list[Series], weights: Value) -> Series:
    """np.average([a, b], axis=0, weights=[...])."""
    if weights is None:
        return frames.measure(columns, "mean", skip=False)
    shares = items(weights)
    if len(shares) != len(columns) or not all(is_number(w) for w in shares) or not sum(shares):
        raise BadSyntax("as many weights as columns, known beforehand")
    parts = [algebra.arithmetic("mul", c, algebra.as_series(float(w))) for c, w in zip(columns, shares, strict=True)]
    return algebra.divided(frames.measure(parts, "sum", skip=False), algebra.as_series(float(sum(shares))))


# -- of two


def two(op: str) -> Rule:
    def rule(reader: "Reader", given: Given) -> Value:
        a, b = given.take("x1"), given.take("x2")
        out, there = given.named.pop("out", None), given.named.pop("where", True)
        given.drop("dtype", "casting")
        if given.args or given.named:
            raise BadSyntax(f"{given.name} takes two arguments")
        return only_where(operate(reader, op, a, b), there, out)

    return rule


def test(op: str) -> Rule:
    def rule(reader: "Reader", given: Given) -> Value:
        a, b = given.need("x1"), given.need("x2")
        given.done()
        return compare(reader, op, a, b)

    return rule


def extreme(op: str) -> Rule:
    def rule(reader: "Reader", given: Given) -> Value:
        a, b = given.need("x1"), given.need("x2")
        given.drop("out").done()
        return larger(reader, a, b, op)

    return rule


def larger(reader: "Reader", a: Value, b: Value, op: str) -> Value:
    for side in (a, b):
        if isinstance(side, Whole):
            side.refuse()
    if isinstance(a, Frame) or isinstance(b, Frame):
        return across(a, b, lambda x, y: larger(reader, x, y, op))
    if is_number(a) and is_number(b):
        return max(a, b) if op.endswith("max") else min(a, b)
    if isinstance(a, Window) or isinstance(b, Window):
        return reductions.joined(a, b, lambda x, y: algebra.larger(x, y, op))
    return algebra.larger(_column(a), _column(b), op)


def _column(value: Value) -> Series:
    if isinstance(value, Series) or is_number(value):
        return algebra.as_series(value)
    if isinstance(value, Whole):
        value.refuse()
    if isinstance(value, str):
        return algebra.labelled(value)
    if value is None:
        return algebra.as_series(math.nan)
    raise BadSyntax(f"{describe(value)} is not a column")


def _clip(reader: "Reader", given: Given) -> Value:
    x = given.need("a")
    low, high = given.take("a_min", given.named.pop("min", None)), given.take("a_max", given.named.pop("max", None))
    given.drop("out").done()
    if is_number(x) and all(v is None or is_number(v) for v in (low, high)):
        x = x if low is None else max(x, low)
        return x if high is None else min(x, high)
    if isinstance(x, Frame):
        return Frame({name: choosing.clipped(column, low, high, not x.array) for name, column in x.columns.items()})
    if isinstance(x, Window):
        return reductions.mapped(x, lambda s: choosing.clipped(s, low, high, keeps_unbounded=False))
    return choosing.clipped(_column(x), low, high, isinstance(x, Series) and not x.array)  # of a column it is pandas' own clip


def _where(reader: "Reader", given: Given) -> Value:
    condition = given.need("condition")
    if not given.args and not given.named:
        raise BadSyntax("np.where with one argument gives places", suggestion="np.where(condition, a, b)")
    yes, no = given.need("x"), given.need("y")
    given.done()
    if isinstance(condition, bool):
        return yes if condition else no
    if isinstance(condition, Window):
        return reductions.chosen(condition, yes, no)
    if isinstance(condition, Frame):
        return Frame({name: _chosen(column, _of(yes, name), _of(no, name)) for name, column in condition.columns.items()})
    return _chosen(condition, yes, no)


def _of(value: Value, name: str) -> Value:
    return value.columns[name] if isinstance(value, Frame) and name in value.columns else value


def _chosen(condition: Value, yes: Value, no: Value) -> Series:
    sides = []
    for side in (yes, no):
        if is_number(side) and math.isinf(side):
            raise BadConstant("infinity is not a value here")
        sides.append(_column(side))
    done = algebra.choose(_column(condition), *sides)
    return done.copy(array=True)


def _vectorized(reader: "Reader", given: Given) -> Value:
    """np.vectorize(f)."""
    function = given.take("pyfunc", given.named.get("func"))
    if not isinstance(function, Function):
        raise BadSyntax("np.vectorize goes over a function of the text")
    return replace(function, vectorised=True)


def _select(reader: "Reader", given: Given) -> Value:
    conditions, choices = items(given.need("condlist")), items(given.need("choicelist"))
    default = given.take("default", 0)
    given.done()
    if len(conditions) != len(choices):
        raise BadSyntax("as many choices as conditions")
    done = _column(default)
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        done = _chosen(condition, choice, done)
    return done


def _nan_to_num(reader: "Reader", given: Given) -> Value:
    x, _, value = given.need("x"), given.take("copy"), given.take("nan", 0.0)
    above, below = given.take("posinf"), given.take("neginf")
    given.done()
    return over(reader, x, lambda s: _numbers_only(s, value, above, below), lambda v: value if v != v else v)


def _numbers_only(s: Series, value: float, above: Value, below: Value) -> Series:
    if s.inf:
        if above is None or below is None:
            raise BadConstant("nan_to_num would give 1.8e308 for infinity", suggestion="np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)")
        rising = algebra.compare_infinite("eq", s, above=True)
        sinking = algebra.compare_infinite("eq", s, above=False)
        done = algebra.choose(rising, algebra.as_series(above), algebra.choose(sinking, algebra.as_series(below), s))
        s = done.copy(inf=False)
    return algebra.filled(s, algebra.as_series(value))


def _power(reader: "Reader", given: Given) -> Value:
    a, b = given.need("x1"), given.need("x2")
    given.done()
    return operate(reader, "pow", a, b)


def logical(op: str) -> Rule:
    def rule(reader: "Reader", given: Given) -> Value:
        a, b = given.need("x1"), given.need("x2")
        given.done()
        if is_number(a) and is_number(b):
            return (bool(a) and bool(b)) if op == "and" else (bool(a) or bool(b)) if op == "or" else bool(a) != bool(b)
        return algebra.logical(op, algebra.truth(_column(a)), algebra.truth(_column(b)))

    return rule


def _heaviside(reader: "Reader", given: Given) -> Value:
    """0 below zero, 1 above it, x2 at it."""
    x, middle = given.need("x1"), algebra.as_series(given.need("x2"))
    given.done()

    def step(s: Series) -> Series:
        zero = algebra.as_series(0)
        ends = algebra.choose(algebra.compare("gt", s, zero), algebra.as_series(1.0), algebra.as_series(0.0))
        known = algebra.inverted(algebra.missing(s))
        return algebra.choose(known, algebra.choose(algebra.compare("eq", s, zero), middle, ends), algebra.as_series(math.nan))

    return over(reader, x, step, lambda v: float(v > 0) if v != 0 else math.nan)


def reduced(op: str) -> Rule:
    """np.maximum.reduce([...]), np.logical_and.reduce([...])."""

    def rule(reader: "Reader", given: Given) -> Value:
        parts = items(given.need("array"))
        given.drop("axis")
        done = parts[0]
        for part in parts[1:]:
            done = TABLES["numpy"][op](reader, Given(op, [done, part], {}))
        return done

    return rule


_TWO: dict[str, Rule] = {
    "add": two("add"), "subtract": two("sub"), "multiply": two("mul"), "divide": two("div"), "true_divide": two("div"), "power": _power,
    "float_power": _power, "mod": two("mod"), "remainder": two("mod"), "floor_divide": two("floordiv"),
    "maximum": extreme("max"), "minimum": extreme("min"), "fmax": extreme("fmax"), "fmin": extreme("fmin"),
    "greater": test("gt"), "greater_equal": test("ge"), "less": test("lt"), "less_equal": test("le"), "equal": test("eq"),
    "not_equal": test("ne"), "logical_and": logical("and"), "logical_or": logical("or"), "logical_xor": logical("xor"),
    "bitwise_and": logical("and"), "bitwise_or": logical("or"), "clip": _clip, "where": _where, "select": _select,
    "vectorize": _vectorized, "frompyfunc": _vectorized, "nan_to_num": _nan_to_num,
    "heaviside": _heaviside,
    **{f"{op}.reduce": reduced(op) for op in ("maximum", "minimum", "logical_and", "logical_or", "add", "multiply", "fmax", "fmin")},
}  # fmt: skip


_MATH = {k: v for k, v in EACH.items()} | {"pow": _power, "fabs": EACH["abs"], "radians": EACH["deg2rad"]}
TABLES: Mapping[str, Mapping[str, Rule]] = {
    "numpy": {**EACH, **_TWO, **arrays.NUMPY, **fits.NUMPY}, "math": _MATH, "pandas": tables.PANDAS,
    "builtins": builtin.BUILTINS,
    "functools": builtin.FUNCTOOLS, "itertools": builtin.ITERTOOLS, "operator": {}, "statistics": {}, "numba": builtin.NUMBA,
}  # fmt: skip
