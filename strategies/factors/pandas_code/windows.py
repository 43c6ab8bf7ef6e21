"""`rolling`, `ewm`, `expanding` and what is taken of them. Infinite values are not known to a window, as in pandas."""

import math
from collections.abc import Callable
from dataclasses import replace

from strategies.errors import BadConstant, BadSyntax, BadWindow, LookAhead
from strategies.factors.dialects import bars
from strategies.factors.graph import Node, call, const
from strategies.factors.pandas_code import above, algebra
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.numbers import number_node
from strategies.factors.pandas_code.values import (
    Ewm,
    Expanding,
    Frame,
    Function,
    Given,
    Kind,
    Module,
    Rolling,
    Series,
    Value,
    Whole,
    Window,
    is_number,
    whole,
)  # fmt: skip

SPAN_DIGITS = 12


def rolling(reader: "Reader", over: Series | Frame, given: Given) -> Rolling:
    window = given.need("window")
    known = given.take("min_periods")
    centred = given.take("center", False)
    if centred:
        raise LookAhead("center=True would use bars that have not closed", suggestion="leave it out")
    closed = given.take("closed")
    if given.take("win_type") is not None or given.take("on") is not None or closed not in (None, "right", "left", "both"):
        raise BadSyntax("rolling is understood with a window, min_periods and center=False")
    given.drop("axis", "step", "method", "engine").done()
    if isinstance(window, str):
        window, known = offset(reader, window), 1 if known is None else known
    if isinstance(window, Whole):
        window.refuse()
    n = whole(window, "the window")
    if n < 1:
        raise BadWindow(f"a window is at least 1 bar, not {n}")
    least = n if known is None else whole(known, "min_periods")
    if least > n:
        raise BadWindow(f"min_periods {least} is more than the window {n}")
    over = ready(reader, over)
    return Rolling(_one_back(over) if closed == "left" else over, n + 1 if closed == "both" else n, least)


def _one_back(over: Series | Frame) -> Series | Frame:
    """What a window sees that leaves the newest bar out."""
    if isinstance(over, Frame):
        return Frame({name: _delayed(column) for name, column in over.columns.items()}, over.bars)
    return _delayed(over)


def _delayed(x: Series) -> Series:
    return algebra.result(call("delay", x.node, 1), x, low=x.low, known=False)


def offset(reader: "Reader", text: str) -> int:
    """'5D', '4h', '30min' as bars."""
    count = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = {"min": "m", "t": "m", "h": "h", "d": "d", "s": "s", "w": "w", "m": "m"}.get(text[len(count) :].lower())
    if unit is None or (count and not count.isdigit()):
        raise BadWindow(f"{text!r} is not a window", suggestion="give the window in bars")
    return bars(int(count or 1), unit, reader.setting.timeframe)


def expanding(reader: "Reader", over: Series | Frame, given: Given) -> Expanding:
    known = whole(given.take("min_periods", 1), "min_periods")
    given.drop("axis", "method").done()
    return Expanding(ready(reader, over), known)


def ewm(reader: "Reader", over: Series | Frame, given: Given) -> Ewm:
    decays = {name: given.take(name) for name in ("com", "span", "halflife", "alpha")}
    known, adjust = given.take("min_periods", 0), given.take("adjust", True)
    ignore = bool(given.take("ignore_na", False))
    given.drop("axis", "times", "method").done()
    named = {name: value for name, value in decays.items() if value is not None}
    if len(named) != 1:
        raise BadSyntax("ewm takes one of span, com, halflife, alpha")
    ((name, value),) = named.items()
    if isinstance(value, Whole):
        value.refuse()
    if not is_number(value) or isinstance(value, bool) or not value > 0:
        raise BadWindow(f"{name} must be a positive number known beforehand")
    return Ewm(ready(reader, over), _span(name, float(value)), bool(adjust), max(1, whole(known, "min_periods")), ignore)


def _span(name: str, value: float) -> float:
    match name:
        case "span":
            span = value
        case "com":
            span = 2 * value + 1
        case "alpha":
            span = 2 / value - 1
        case _:
            span = 2 / -math.expm1(-math.log(2) / value) - 1
    if span < 1:
        raise BadConstant(f"{name} = {value:g} decays too fast")
    return float(f"{span:.{SPAN_DIGITS}g}")


def ready(reader: "Reader", over: Series | Frame) -> Series | Frame:
    """What may be looked back into: finite, begun with the data, without removed rows."""
    if isinstance(over, Frame):
        return Frame({name: _one_ready(reader, column) for name, column in over.columns.items()}, over.bars)
    return _one_ready(reader, over)


def _one_ready(reader: "Reader", over: Series) -> Series:
    whole_rows(over)
    return algebra.standing(algebra.finite(over), reader.clock)


def whole_rows(over: Series) -> None:
    if over.rows is not None:
        raise BadSyntax(
            "rows were dropped: what looks back would skip them", suggestion="keep the rows: use where(...) or drop only in the end"
        )


# -- what is taken of a window

_PLAIN = {
    "mean": ("ts_mean", "roll_mean"), "sum": ("ts_sum", "roll_sum"), "min": ("ts_min", "roll_min"), "max": ("ts_max", "roll_max"),
    "median": ("ts_median", "roll_median"), "skew": ("ts_skew", "roll_skew"), "kurt": ("ts_kurt", "roll_kurt"),
}  # fmt: skip
_LEAST = {"skew": 3, "kurt": 4}
_NAMES = {"average": "mean", "nanmean": "mean", "nansum": "sum", "nanstd": "std", "nanmax": "max", "nanmin": "min", "amax": "max",
          "amin": "min", "kurtosis": "kurt", "nanmedian": "median"}  # fmt: skip


def unknown(x: Series) -> Series:
    return algebra.result(const(math.nan), x, known=False)


def plain(x: Series, name: str, n: int, known: int) -> Series:
    """A measure of the last n values once `known` of them are known."""
    known = max(known, 0)
    if n < _LEAST.get(name, 1):
        return unknown(x)
    full, partial = _PLAIN[name]
    low = x.low if name in ("mean", "sum", "min", "max", "median") else 0
    if name == "mean" and algebra.counts(x.node):  # a share of bars: one rounding, so that a threshold of 0.6 is met as in pandas
        total = plain(x.copy(kind=Kind.FLOAT), "sum", n, max(known, 1))
        return algebra.divided(total, algebra.as_series(n) if known >= n else counted(x, n, 0)).copy(
            inf=False, full=total.full, known=False
        )
    if known >= n:
        return algebra.result(call(full, x.node, n), x, low=low, known=False, inf=False)
    node = call(partial, x.node, n, max(known, 1))
    if known == 0 and name == "sum":
        node = call("nan_to", node, 0)
        low = min(low, 1)
    return algebra.result(node, x, low=low, known=x.known and known <= 1 and name not in _LEAST, inf=False)


def spread(x: Series, name: str, n: int, known: int, ddof: int = 1) -> Series:
    """std or var."""
    if n <= ddof or ddof < 0:
        return unknown(x)
    if known >= n >= 2:
        node = call("ts_std" if name == "std" else "ts_var", x.node, n)
        if ddof != 1:
            share = call("div", n - 1, n - ddof)
            node = call("mul", node, call("sqrt", share) if name == "std" else share)
        return algebra.result(node, x, low=1, known=False, inf=False)
    op = "roll_std" if name == "std" else "roll_var"
    return algebra.result(call(op, x.node, n, max(known, 1), ddof), x, low=1, known=False, inf=False)


def quantile(x: Series, q: float, n: int, known: int) -> Series:
    if not 0 <= q <= 1:
        raise BadConstant("a quantile lies in [0, 1]")
    node = call("ts_quantile", x.node, n, q) if known >= n else call("roll_quantile", x.node, n, max(known, 1), q)
    return algebra.result(node, x, low=x.low, known=False, inf=False)


def ranked(x: Series, n: int, known: int, pct: bool) -> Series:
    node = call("ts_rank", x.node, n) if known >= n else call("roll_rank", x.node, n, max(known, 1))
    if not pct:
        count = const(n) if known >= n else call("roll_count", x.node, n, max(known, 1))
        node = call("mul", node, count)
    return algebra.result(node, x, low=2, known=False, inf=False)


def together(reader: "Reader", x: Series, y: Series, name: str, n: int, known: int, ddof: int = 1) -> Series:
    y = _one_ready(reader, y)
    if known >= n >= 2:
        node = call("ts_corr" if name == "corr" else "ts_cov", x.node, y.node, n)
        if name == "cov" and ddof != 1:
            node = call("mul", node, call("div", n - 1, n - ddof))
    elif name == "corr":
        node = call("roll_corr", x.node, y.node, n, max(known, 1))
    else:
        node = call("roll_cov", x.node, y.node, n, max(known, 1), ddof)
    return algebra.result(node, x, y, known=False, inf=False)


def counted(x: Series, n: int, known: int) -> Series:
    """rolling.count: how many of the last n values are known, once `known` bars have passed."""
    here = algebra.missing(x)
    ones = call("not", here.node) if not x.known else call("add", call("mul", x.node, 0), 1)
    node = call("ts_sum", ones, n) if known >= n else call("roll_sum", ones, n, max(known, 1))
    return algebra.result(node, x, low=1, known=False, inf=False)


def length(x: Window) -> Value:
    """len(x): known beforehand, but for a part that a condition chose and for windows that are short at first."""
    if x.part:
        return counted(x.of, x.n, 0)
    if x.short:
        there = call("where", call("is_nan", x.of.node), const(1), const(1))
        return algebra.result(call("roll_sum", there, x.n, 1), x.of, low=2, known=True, inf=False)
    return x.n if x.known else counted_of(x.of, x.n)


def counted_of(x: Series, n: int) -> Series:
    """How many of the last n values there are."""
    return algebra.result(call("roll_count", x.node, n, 0), x, kind=Kind.INT, low=1, known=True, inf=False)


def _ddof(given: Given) -> int:
    return whole(given.take("ddof", 1), "ddof")


def rolled(reader: "Reader", of: Rolling, name: str, given: Given) -> Value:
    """`x.rolling(...).name(...)`."""
    if isinstance(of.over, Frame):
        return _by_column(reader, of, name, given, rolled)
    x, n, known = of.over, of.n, of.known
    given.drop("engine", "engine_kwargs", "numeric_only", "raw_")
    name = _NAMES.get(name, name)
    match name:
        case "mean" | "sum" | "min" | "max" | "median" | "skew" | "kurt":
            done = plain(x, name, n, known)
        case "std" | "var":
            done = spread(x, name, n, known, _ddof(given))
        case "sem":
            done = spread(x, "std", n, known, _ddof(given))
            count = algebra.as_series(n) if known >= n else counted(x, n, 0)
            done = algebra.divided(done, algebra.root(count).copy(low=2))
        case "quantile":
            done = quantile(x, _number(given.take("quantile", given.named.pop("q", 0.5))), n, known)
            if given.take("interpolation", "linear") != "linear":
                raise BadSyntax("a quantile is interpolated linearly here")
        case "rank":
            if given.take("method", "average") != "average" or not given.take("ascending", True):
                raise BadSyntax("rank is understood with method='average', ascending=True")
            done = ranked(x, n, known, bool(given.take("pct", False)))
        case "corr" | "cov":
            other = given.take("other")
            if not isinstance(other, Series):
                raise BadSyntax(f"rolling {name} goes with a second column", suggestion=f"x.rolling(20).{name}(y)")
            given.drop("pairwise")
            done = together(reader, x, other, name, n, known, _ddof(given))
        case "count":
            done = counted(x, n, known)
        case "apply" | "agg" | "aggregate" | "pipe":
            return above.reductions.apply(reader, of, name, given)
        case "first" | "last" | "nunique":
            raise BadSyntax(f"rolling {name} is not understood")
        case "shift" | "diff" | "fillna":
            raise BadSyntax(f"a window has no {name}", suggestion="take its mean first")
        case _:
            raise BadSyntax(f"rolling has no {name!r} here")
    given.done()
    return done


def _number(value: Value) -> float:
    if not is_number(value):
        raise BadConstant("this must be a number known beforehand")
    return float(value)


def _by_column(reader: "Reader", of: Value, name: str, given: Given, one: Callable[..., Value]) -> Frame:
    if of.over.bars and len(of.over.columns) > 12:
        raise BadSyntax("name the columns", suggestion="df[['high', 'low']].rolling(20)")
    return Frame({
        key: one(reader, replace(of, over=column), name, Given(given.name, given.args, given.named)) for key,
        column in of.over.columns.items()
    })  # fmt: skip


def expanded(reader: "Reader", of: Expanding, name: str, given: Given) -> Value:
    """`x.expanding(...).name()`."""
    if isinstance(of.over, Frame):
        return _by_column(reader, of, name, given, expanded)
    x, known = of.over, of.known
    given.drop("engine", "engine_kwargs", "numeric_only")
    name = _NAMES.get(name, name)
    if name in ("std", "var") and given.take("ddof", int(not x.array)) != 1:
        raise BadSyntax("expanding deviations are understood with ddof=1")
    if name in ("rank", "quantile", "median", "apply"):
        raise BadSyntax(f"an expanding {name} is not kept: it would need all of history", suggestion=f"use rolling(252).{name}(...)")
    if name not in ("mean", "std", "var", "sum", "min", "max", "count"):
        raise BadSyntax(f"expanding has no {name!r} here")
    given.done()
    node = call(f"expanding_{name}", x.node, max(known, 1)) if name != "count" else _count_from_start(x)
    if x.array and not x.known:  # of an array it is not known once a value is not
        node = call("keep", node, call("eq", call("cumsum", algebra.gaps(x.node)), 0))
    low = x.low if name in ("mean", "sum", "min", "max") else 1
    return algebra.result(node, x, low=low, known=x.known and known <= 1 and name not in ("std", "var"), inf=False)


def _count_from_start(x: Series) -> Node:
    return call("expanding_count", x.node)


def weighted(reader: "Reader", of: Ewm, name: str, given: Given) -> Value:
    """`x.ewm(...).name()`."""
    if isinstance(of.over, Frame):
        return _by_column(reader, of, name, given, weighted)
    x = of.over
    given.drop("engine", "engine_kwargs", "numeric_only")
    if given.named.pop("bias", False):
        raise BadSyntax("ewm deviations are understood with bias=False")
    if name in ("corr", "cov"):
        other = given.take("other")
        if not isinstance(other, Series):
            raise BadSyntax(f"ewm {name} goes with a second column")
        y = _one_ready(reader, other)
        given.drop("pairwise").done()
        return algebra.result(call(f"ewm_{name}", x.node, y.node, of.span, int(of.adjust), of.known), x, y, known=False, inf=False)
    if name in ("agg", "aggregate", "apply"):
        return weighted(reader, of, str(given.need("func")), given)
    if name not in ("mean", "std", "var", "vol"):
        raise BadSyntax(f"ewm has no {name!r} here", suggestion="use mean, std, var, corr or cov")
    given.done()
    if of.ignore_na and not x.known:
        if name == "mean" and not of.adjust and of.known == of.span:
            return algebra.result(call("ema", x.node, of.known), x, low=x.low, known=False, inf=False)
        if name != "mean":
            raise BadSyntax("ewm deviations are understood with ignore_na=False")
        return algebra.result(_passing_over(reader, x.node, of), x, low=x.low, known=False, inf=False)
    name = "std" if name == "vol" else name
    node = call(f"ewm_{name}", x.node, of.span, int(of.adjust), of.known)
    low = x.low if name == "mean" else 1
    return algebra.result(node, x, low=low, known=x.known and name == "mean" and of.known <= 1, inf=False)


def _passing_over(reader: "Reader", x: Node, of: Ewm) -> Node:
    """ewm(ignore_na=True).mean(): an unknown bar changes no weight."""
    keep, unknown, count = 1 - 2 / (of.span + 1), call("is_nan", x), call("cumsum", call("not", call("is_nan", x)))
    begin = call("and", call("not", unknown), call("eq", count, 1))
    factor = call("where", begin, const(math.nan), call("where", unknown, 1, number_node(keep)))
    share = 1.0 if of.adjust else 1 - keep
    parts = []
    for value in (x, const(1)):
        new = call("where", begin, value, call("where", unknown, 0, call("mul", value, number_node(share))))
        parts.append(call("recur", factor, new, const(math.nan), 1, 0))
    mean = call("div", *parts) if of.adjust else parts[0]
    return call("keep", mean, call("ge", count, of.known))


def is_function(value: Value) -> bool:
    return isinstance(value, Function | Module)
