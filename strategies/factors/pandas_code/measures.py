"""What may be taken of a window as a vector: sums, moments, order, fits; each an operator over the series that the window is of."""

import math
from collections.abc import Callable, Mapping

from strategies.errors import BadConstant, BadSyntax
from strategies.factors.graph import Node
from strategies.factors.graph import call as node_of
from strategies.factors.pandas_code import above, algebra, unrolled, weights, windows
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.numbers import number_node
from strategies.factors.pandas_code.operands import describe
from strategies.factors.pandas_code.values import Given, Items, Kind, Last, Series, Value, Vector, Window, is_number, whole

Measure = Callable[["Reader", Window, Given], Value]
_AFFINE = ("mean", "sum", "median", "max", "min", "std", "var", "ptp", "quantile", "percentile")
_SAME = frozenset(
    {"astype", "copy", "to_numpy", "dropna", "flatten", "ravel", "reset_index", "tolist", "fillna", "squeeze", "infer_objects"}
)
_EACH = frozenset({"abs", "clip", "round", "isna", "notna", "isnull", "notnull", "gt", "lt", "ge", "le", "eq", "ne", "between", "pow",
    "add", "sub",
                   "mul", "div", "isin"})  # fmt: skip
_BACK = frozenset({"diff", "pct_change"})


def measure(reader: "Reader", x: Window, name: str, given: Given) -> Value:
    """x.name(...) of a window. Raises FactorError where no operator gives it."""
    given.drop("axis", "skipna", "dtype", "numeric_only", "keepdims", "out")
    if name in _SAME:
        return x
    if name in _EACH or name in _BACK:
        return _elementwise(reader, x, name, given)
    if name in ("cummax", "cummin") and x.plain and x.raw and not x.short:
        return unrolled.extremes_so_far(x, f"ts_{name[3:]}")
    if name in ("cumsum", "cumprod", "cummax", "cummin"):
        return unrolled.method(reader, unrolled.items_of(x), name, given)
    rule = _MEASURES.get(name)
    if rule is None:
        raise BadSyntax(f"{name} of a window is not understood")
    if x.short:
        return _of_short(reader, x, name, given)
    if x.plain:
        return _full(rule(reader, x, given), x)
    shaped = _shaped(reader, x, name, given)
    return _full(shaped, x) if shaped is not None else unrolled.method(reader, unrolled.items_of(x), name, given)


_OF_SHORT = frozenset(
    {"mean", "sum", "median", "max", "min", "std", "var", "quantile", "percentile", "ptp", "prod", "skew", "kurt", "rank"}
)


def _of_short(reader: "Reader", x: Window, name: str, given: Given) -> Value:
    """Of a window that may not be full: a Series skips what is not known, an array gives NaN with it."""
    if name not in _OF_SHORT or not x.plain:
        unrolled.refuse_short()
    done = _MEASURES[name](reader, x, given)
    if not x.raw or x.of.known or x.part or not isinstance(done, Series):
        return done
    gaps = node_of("roll_sum", algebra.gaps(x.of.node), x.n, 1)
    return algebra.result(node_of("keep", done.node, node_of("eq", gaps, 0)), done, x.of, low=done.low, known=False, inf=done.inf)


def _full(done: Value, x: Window) -> Value:
    """It is NaN unless the whole window is known."""
    if isinstance(done, Series) and x.known >= x.n:
        done.full = True
    return done


def _elementwise(reader: "Reader", x: Window, name: str, given: Given) -> Value:
    if not x.plain:
        if name == "abs":
            return x.copy(absolute=True) if x.weights is None and (x.factor is None or x.factor.low) else unrolled.method(
                reader, unrolled.items_of(x), name, given
            )  # fmt: skip
        return unrolled.method(reader, unrolled.items_of(x), name, given)
    made = above.methods.call(reader, x.of, given, name)
    lost = 0
    if name in _BACK:
        n = given.args[0] if given.args else 1
        lost = n if isinstance(n, int) else 1
    assert isinstance(made, Series)
    return x.copy(of=made, n=x.n - lost, known=max(1, x.known - lost))


# -- of plain windows


def _simple(name: str) -> Measure:
    return lambda reader, x, given: windows.plain(_numeric(x.of), name, x.n, x.known)


def _numeric(x: Series) -> Series:
    return x


def _spread(name: str) -> Measure:
    def rule(reader: "Reader", x: Window, given: Given) -> Series:
        return windows.spread(x.of, name, x.n, x.known, whole(given.take("ddof", 0 if x.raw else 1), "ddof"))

    return rule


def _quantile(reader: "Reader", x: Window, given: Given) -> Series:
    q = given.take("q", 0.5)
    return windows.quantile(x.of, float(q) if is_number(q) else _not_number(q), x.n, x.known)


def _percentile(reader: "Reader", x: Window, given: Given) -> Value:
    q = given.take("q")
    given.drop("interpolation", "method")
    if isinstance(q, list | tuple):
        return [windows.quantile(x.of, float(one) / 100, x.n, x.known) for one in q]
    return windows.quantile(x.of, float(q) / 100 if is_number(q) else _not_number(q), x.n, x.known)


def _not_number(q: Value) -> float:
    raise BadConstant(f"a quantile is a number, not {describe(q)}")


def _place(name: str) -> Measure:
    def rule(reader: "Reader", x: Window, given: Given) -> Series:
        node = node_of("sub", node_of(f"ts_{name}", x.of.node, x.n), 1)
        return algebra.result(node, x.of, kind=Kind.FLOAT, low=1, known=False, inf=False)

    return rule


def _range(reader: "Reader", x: Window, given: Given) -> Series:
    top, bottom = windows.plain(x.of, "max", x.n, x.known), windows.plain(x.of, "min", x.n, x.known)
    return algebra.arithmetic("sub", top, bottom).copy(low=1)


def _product(reader: "Reader", x: Window, given: Given) -> Series:
    node = node_of("ts_product", x.of.node, x.n) if x.known >= x.n else node_of("roll_product", x.of.node, x.n, max(1, x.known))
    return algebra.result(node, x.of, low=x.of.low, known=False)


def _rank(reader: "Reader", x: Window, given: Given) -> Last:
    pct, method = bool(given.take("pct", False)), given.take("method", "average")
    if method != "average" or not given.take("ascending", True):
        raise BadSyntax("rank is understood with method='average', ascending=True")
    return Last(windows.ranked(x.of, x.n, x.known, pct))


def _autocorr(reader: "Reader", x: Window, given: Given) -> Series:
    lag = whole(given.take("lag", 1), "the lag")
    back = node_of("delay", x.of.node, lag)
    return algebra.result(node_of("ts_corr", x.of.node, back, x.n - lag), x.of, known=False, inf=False)


def _with(name: str) -> Measure:
    def rule(reader: "Reader", x: Window, given: Given) -> Series:
        other = given.need("other")
        if not isinstance(other, Window) or not other.plain or other.n != x.n:
            raise BadSyntax(f"{name} goes with a second window as long")
        return windows.together(reader, x.of, other.of, name, x.n, x.known)

    return rule


def _truths(name: str) -> Measure:
    def rule(reader: "Reader", x: Window, given: Given) -> Series:
        source = algebra.truth(x.of) if x.of.kind not in (Kind.BIT, Kind.BOOL) else x.of
        op = "ts_max" if name == "any" else "ts_min"
        return algebra.result(node_of(op, source.node, x.n), source, kind=Kind.BIT, low=1, known=False)

    return rule


def _count(reader: "Reader", x: Window, given: Given) -> Value:
    return x.n


def _tail(reader: "Reader", x: Window, given: Given) -> Value:
    return above.reductions.item(reader, x, slice(-whole(given.take("n", 5), "n"), None, None))


def _head(reader: "Reader", x: Window, given: Given) -> Value:
    return above.reductions.item(reader, x, slice(None, whole(given.take("n", 5), "n"), None))


def _ordinal(reader: "Reader", x: Window, given: Given) -> Value:
    return Argsort(x)


def _sorted(reader: "Reader", x: Window, given: Given) -> Items:
    """np.sort: each place is a quantile."""
    if x.n > unrolled.MOST or x.n < 2:
        raise BadSyntax("a sorted window is understood of some dozens of bars", suggestion="use np.percentile")
    return Items([windows.quantile(x.of, float(f"{k / (x.n - 1):.12g}"), x.n, x.known) for k in range(x.n)], x.raw)


class Argsort:
    """x.argsort(); of it only argsort again is understood: ranks from 0."""

    def __init__(self, x: Window) -> None:
        self.x = x

    def ranks(self) -> Last:
        """How many of the others stand before the newest; of equals it is the last."""
        items = unrolled.items_of(self.x).items
        before = [algebra.compare("le", item, items[-1]) for item in items[:-1]]
        return Last(unrolled.tree(before, unrolled.added))


def _average(reader: "Reader", x: Window, given: Given) -> Series:
    by = given.take("weights")

    if by is None:
        return windows.plain(x.of, "mean", x.n, x.known)
    if isinstance(by, list | tuple) and all(is_number(v) for v in by):
        by = Vector(tuple(float(v) for v in by))
    if isinstance(by, Window) and by.plain and x.plain:
        paid = windows.plain(algebra.arithmetic("mul", x.of, by.of), "sum", x.n, x.known)
        return algebra.divided(paid, windows.plain(by.of, "sum", x.n, x.known))
    if not isinstance(by, Vector) or len(by.items) != x.n:
        raise BadSyntax("weights are as many constants as the window is long")
    total = sum(by.items)
    return algebra.divided(weights.dot(x.of, by.items), algebra.as_series(total))


def _dot(reader: "Reader", x: Window, given: Given) -> Value:
    return above.reductions.dot_product(reader, x, given.need("b"))


_MEASURES: Mapping[str, Measure] = {
    **{name: _simple(name) for name in ("mean", "sum", "max", "min", "median", "skew", "kurt")}, "kurtosis": _simple("kurt"),
    "std": _spread("std"), "var": _spread("var"), "quantile": _quantile, "percentile": _percentile, "argmax": _place("argmax"),
    "argmin": _place("argmin"), "ptp": _range, "prod": _product, "product": _product, "rank": _rank, "autocorr": _autocorr,
    "corr": _with("corr"), "cov": _with("cov"), "any": _truths("any"), "all": _truths("all"), "count": _count, "tail": _tail, "head": _head,
    "argsort": _ordinal, "sort_values": _sorted, "average": _average, "dot": _dot, "count_nonzero": lambda reader, x, given: windows.plain(
        algebra.truth(x.of) if x.of.kind not in (Kind.BIT, Kind.BOOL) else x.of, "sum", x.n, x.known
    ),
}  # fmt: skip


# -- of windows with a centre, a factor, a power or weights


def _shaped(reader: "Reader", x: Window, name: str, given: Given) -> Series | None:
    if x.known < x.n and x.loose:
        x = x.copy(known=x.n)
    if x.known < x.n:
        raise BadSyntax("this is understood of full windows", suggestion="leave min_periods out")
    if x.weights is not None:
        return _weighted(x, name)
    if x.power == 1 and not x.absolute:
        return _affine(reader, x, name, given)
    if name not in ("mean", "sum"):
        return _distance(x) if name == "median" and x.absolute else None
    done = _powered(x)
    if done is None:
        return None
    if name == "sum":
        done = algebra.arithmetic("mul", done, algebra.as_series(x.n))
    return done if x.factor is None else algebra.arithmetic("mul", done, x.factor)


def _affine(reader: "Reader", x: Window, name: str, given: Given) -> Series | None:
    """factor * (x - centre)."""
    if name not in _AFFINE or (
        name in ("max", "min", "median", "quantile", "percentile", "ptp") and x.factor is not None and not x.factor.low
    ):
        return None
    rule = _MEASURES[name]
    plain = Window(x.of, x.n, x.known, x.raw)
    done = rule(reader, plain, given)
    assert isinstance(done, Series)
    if x.centre is not None and name not in ("std", "var", "ptp"):
        off = algebra.arithmetic("mul", x.centre, algebra.as_series(x.n)) if name == "sum" else x.centre
        done = algebra.arithmetic("sub", done, off)
    if x.factor is not None:
        factor = x.factor
        if name == "std" and not factor.low:
            factor = algebra.result(node_of("abs", factor.node), factor, low=1)
        if name == "var":
            factor = algebra.arithmetic("mul", factor, factor)
        done = algebra.arithmetic("mul", done, factor)
    return done


def _weighted(x: Window, name: str) -> Series | None:
    if name not in ("sum", "mean") or x.absolute or x.power != 1:
        return None
    assert x.weights is not None
    done = weights.dot(x.of, x.weights)
    total = sum(x.weights)
    if x.centre is not None and abs(total) > 1e-9 * max(abs(w) for w in x.weights):
        done = algebra.arithmetic("sub", done, algebra.arithmetic("mul", x.centre, algebra.as_series(total)))
    if name == "mean":
        done = algebra.divided(done, algebra.as_series(x.n))
    return done if x.factor is None else algebra.arithmetic("mul", done, x.factor)


def _powered(x: Window) -> Series | None:
    """The mean of (x - mean) ** power or of its size."""
    mean = node_of("ts_mean", x.of.node, x.n) if x.n > 1 else None
    if x.centre is None and x.power > 1:
        power = algebra.power(x.of, algebra.as_series(x.power))
        return windows.plain(power, "mean", x.n, x.known)
    if x.centre is None or x.centre.node is not mean:
        return None
    n, of = x.n, x.of
    if x.absolute and x.power == 1:
        return algebra.result(node_of("ts_mad", of.node, n), of, low=1, known=False, inf=False)
    second = node_of("mul", node_of("ts_var", of.node, n), node_of("div", n - 1, n))
    if x.power == 2:
        return algebra.result(second, of, low=1, known=False, inf=False)
    if x.power == 3 and n > 2 and not x.absolute:
        biased = node_of("mul", node_of("ts_skew", of.node, n), number_node((n - 2) / math.sqrt(n * (n - 1))))
        return algebra.result(node_of("mul", biased, node_of("mul", second, node_of("sqrt", second))), of, known=False, inf=False)
    if x.power == 4 and n > 3:
        return algebra.result(node_of("mul", _biased_kurt(of.node, n), node_of("mul", second, second)), of, low=1, known=False, inf=False)
    return None


def _biased_kurt(x: Node, n: int) -> Node:
    """m4 / m2 ** 2, of the bias-corrected excess."""
    excess = node_of("sub", node_of("mul", node_of("ts_kurt", x, n), number_node((n - 2) * (n - 3) / (n - 1))), 6)
    return node_of("add", node_of("div", excess, n + 1), 3)


def _distance(x: Window) -> Series | None:
    if x.centre is None or x.power != 1 or x.centre.node is not node_of("ts_median", x.of.node, x.n):
        return None
    done = algebra.result(node_of("ts_median_ad", x.of.node, x.n), x.of, low=1, known=False, inf=False)
    return done if x.factor is None else algebra.arithmetic("mul", done, x.factor)


def covariance(a: Window, b: Window, name: str) -> Series:
    """sum or mean of (x - mean of x) * (y - mean of y)."""
    n = a.n
    node = node_of("mul", node_of("ts_cov", a.of.node, b.of.node, n), node_of("div", n - 1, n) if name == "mean" else n - 1)
    done = algebra.result(node, a.of, b.of, known=False, inf=False)
    for factor in (a.factor, b.factor):
        done = done if factor is None else algebra.arithmetic("mul", done, factor)
    done.full = True
    return done


def biased(x: Window, name: str) -> Series:
    """scipy's skew and kurtosis, without the correction for bias."""
    n = x.n
    if name == "skew":
        node = node_of("mul", node_of("ts_skew", x.of.node, n), number_node((n - 2) / math.sqrt(n * (n - 1))))
    else:
        node = node_of("sub", _biased_kurt(x.of.node, n), 3)
    done = algebra.result(node, x.of, known=False, inf=False)
    done.full = True
    return done
