"""THE table: one row for each operator. Adding an operator is adding a row and, unless it is made of others, a kernel.

The laws in tests/properties/test_operators.py run over every row, and the table in docs/language.md is printed from it.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

Number = float | int
Params = tuple[Number, ...]
Bars = Callable[[Params], int]
Means = Callable[
    [Callable[..., Any], tuple[Any, ...], Params], Any
]  # (call, series, params) -> node; graph.py, which has them, stands on this

MEMORY = 28.0  # exp(-28) < 1e-12: after MEMORY / alpha bars a recursive value has forgotten where it began


class Param(NamedTuple):
    """A parameter that follows the series: a window in bars, or a number. `shifts`: a negative one would read the future."""

    name: str
    whole: bool = True
    least: float = 1.0
    default: Number | None = None
    shifts: bool = False


class Operator(NamedTuple):
    """One row.

    series      how many series it takes, before the params
    unit        the rule by which check.py finds the unit of the result
    kernel      `file.function` in kernels/, empty where `means` says what it is made of
    look_back   bars before the first value, beyond those of the arguments
    warm_up     bars until a value no longer depends on where the history began (recursive: to 1e-12)
    reads       how many bars back the kernel reads its arguments' rings
    state       rows of state it keeps, each one float a symbol
    floats      what the kernel gets as `f`
    """

    name: str
    series: int
    says: str
    source: str
    params: tuple[Param, ...] = ()
    aliases: tuple[str, ...] = ()
    unit: str = "same"
    kernel: str = ""
    look_back: Bars = lambda p: 0
    warm_up: Bars = lambda p: 0
    reads: Bars = lambda p: 0
    state: Bars = lambda p: 0
    floats: Callable[[Params], tuple[float, ...]] = lambda p: ()
    commutes: bool = False
    symbol: str = ""
    cross: bool = False
    means: Means | None = None
    fold: Callable[..., float | None] | None = None  # its value on constants, bit for bit; None where only the kernel can say

    @property
    def arities(self) -> range:
        """How many arguments it takes, params included; params with a default may be left out."""
        needed = sum(1 for p in self.params if p.default is None)
        return range(self.series + needed, self.series + len(self.params) + 1)


def window(least: int = 1) -> tuple[Param, ...]:
    return (Param("window", least=least),)


SHIFT = (Param("window", shifts=True),)


def _first(p: Params) -> int:
    return int(p[0])


def _before(p: Params) -> int:
    return int(p[0]) - 1


def _rows(blocks: int) -> Bars:
    return lambda p: blocks * (int(p[0]) + 2)


def plain(name: str, series: int, kernel: str, says: str, source: str = "IEEE 754", *, unit: str = "same", aliases: tuple[str, ...] = (),
          commutes: bool = False, symbol: str = "", fold: Callable[..., float | None] | None = None, params: tuple[Param, ...] = (),
          floats: Callable[[Params], tuple[float, ...]] = lambda p: ()) -> Operator:  # fmt: skip
    """Element-wise: no memory."""
    return Operator(name, series, says, source, params, aliases, unit, kernel,
                    commutes=commutes, symbol=symbol, fold=fold, floats=floats)  # fmt: skip


def made(name: str, series: int, says: str, means: Means, *, params: tuple[Param, ...] = (),
         aliases: tuple[str, ...] = (), symbol: str = "") -> Operator:  # fmt: skip
    """Made of other operators; it never stands in a graph."""
    return Operator(name, series, says, "definition", params, aliases, means=means, symbol=symbol)


def rolling(name: str, kernel: str, says: str, blocks: int, *, series: int = 1, unit: str = "same", aliases: tuple[str, ...] = (),
            least: int = 1, commutes: bool = False, want: float = 0.0,
            source: str = "pandas rolling, min_periods = window") -> Operator:  # fmt: skip
    """A window of block-anchored merges; `blocks` quantities are kept; `want` is f[0] of a kernel that serves several rows."""
    return Operator(name, series, says, source, window(least), aliases, unit, kernel, _before, _before, _first, _rows(blocks),
                    lambda p: (want,), commutes)  # fmt: skip


def across(name: str, kernel: str, says: str, *, unit: str = "rate", state: int = 0, params: tuple[Param, ...] = (),
           aliases: tuple[str, ...] = (), floats: Callable[[Params], tuple[float, ...]] = lambda p: ()) -> Operator:  # fmt: skip
    """Across the symbols known at one bar."""
    return Operator(name, 1, says, "Kakushadze 2016, 101 Formulaic Alphas", params, aliases, unit, kernel,
                    state=lambda p: state, floats=floats, cross=True)  # fmt: skip


def _divide(a: float, b: float) -> float:
    return a / b if b != 0.0 else math.nan


def _power(a: float, b: float) -> float | None:
    if b == 0.5:
        return math.sqrt(a) if a >= 0.0 else math.nan
    if a == 0.0 and b < 0.0:
        return math.nan
    if not float(b).is_integer() or abs(b) > 64:
        return None
    count, base, power = abs(int(b)), a, 1.0
    while count:  # as the kernel does it
        power, base, count = power * base if count & 1 else power, base * base, count >> 1
    return power if b >= 0 else _divide(1.0, power)


def _compare(test: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    return lambda a, b: math.nan if a != a or b != b else float(test(a, b))


def _unknown_or(a: float, b: float, value: float) -> float:
    return math.nan if a != a or b != b else value


def _ema(p: Params) -> tuple[float, ...]:
    return (2.0 / (p[0] + 1.0),)


def _wilder(p: Params) -> tuple[float, ...]:
    return (1.0 / p[0],)


ELEMENTWISE = (
    plain("add", 2, "elementwise.add", "a + b", commutes=True, symbol="+", fold=lambda a, b: a + b),
    plain("sub", 2, "elementwise.sub", "a - b", aliases=("subtract",), symbol="-", fold=lambda a, b: a - b),
    plain("mul", 2, "elementwise.mul", "a * b", aliases=("multiply",), unit="product", commutes=True, symbol="*", fold=lambda a, b: a * b),
    plain("div", 2, "elementwise.div", "a / b; NaN where b is 0", aliases=("divide",), unit="ratio", symbol="/", fold=_divide),
    plain("pow", 2, "transcendental.power", "a ** b; in text b is a constant in [-4, 4]", aliases=("power",), unit="power", symbol="**",
          fold=_power),
    plain("neg", 1, "elementwise.neg", "-a", symbol="-", fold=lambda a: -a),
    plain("gt", 2, "elementwise.gt", "1 where a > b, else 0", unit="compare", symbol=">", fold=_compare(lambda a, b: a > b)),
    plain("ge", 2, "elementwise.ge", "1 where a >= b, else 0", unit="compare", symbol=">=", fold=_compare(lambda a, b: a >= b)),
    made("lt", 2, "b > a", lambda call, a, p: call("gt", a[1], a[0]), symbol="<"),
    made("le", 2, "b >= a", lambda call, a, p: call("ge", a[1], a[0]), symbol="<="),
    plain("eq", 2, "elementwise.eq", "1 where a = b, else 0", unit="compare", commutes=True, symbol="==",
          fold=_compare(lambda a, b: a == b)),
    plain("ne", 2, "elementwise.ne", "1 where a differs from b, else 0", unit="compare", commutes=True, symbol="!=",
          fold=_compare(lambda a, b: a != b)),
    plain("and", 2, "elementwise.both", "1 where both are non-zero, else 0", "definition", aliases=("and_",), unit="rate", commutes=True,
          symbol="and"),
    plain("or", 2, "elementwise.either", "1 where at least one is non-zero, else 0", "definition", aliases=("or_",), unit="rate",
          commutes=True, symbol="or"),
    plain("not", 1, "elementwise.negation", "1 where a is 0, else 0", "definition", unit="rate", symbol="not"),
    plain("is_nan", 1, "elementwise.is_nan", "1 where a is not known, else 0: the one operator that answers NaN with a number", "IEEE 754",
          aliases=("isnan", "is_null"), unit="rate"),
    plain("where", 3, "elementwise.where", "a where c is non-zero, else b; NaN where c is not known", "numpy.where",
          aliases=("if_else", "iff"), unit="branches"),
    plain("abs", 1, "elementwise.absolute", "size of a", fold=abs),
    plain("sign", 1, "elementwise.sign", "-1, 0 or 1", "numpy.sign", unit="rate"),
    plain("sqrt", 1, "elementwise.square_root", "square root; NaN below 0", unit="root", fold=lambda a: _power(a, 0.5)),
    plain("log", 1, "transcendental.log", "natural logarithm; NaN at and below 0", "FreeBSD e_log.c", aliases=("ln",), unit="rate"),
    plain("log1p", 1, "transcendental.log1p", "log(1 + a), exact near 0; NaN at and below -1", "Kahan's correction", unit="rate"),
    plain("exp", 1, "transcendental.exp", "e to the a", "FreeBSD e_exp.c", unit="rate"),
    plain("tanh", 1, "transcendental.tanh", "hyperbolic tangent", "Cephes tanh.c", unit="rate"),
    plain("clip", 1, "elementwise.clip", "a held within [low, high]", "numpy.clip",
          params=(Param("low", whole=False, least=-math.inf), Param("high", whole=False, least=-math.inf)), aliases=("clamp",),
          floats=lambda p: (float(p[0]), float(p[1]))),
    plain("min", 2, "elementwise.minimum", "the smaller; NaN if either is", "numpy.minimum", aliases=("less",), commutes=True,
          fold=lambda a, b: _unknown_or(a, b, min(a, b))),
    plain("max", 2, "elementwise.maximum", "the larger; NaN if either is", "numpy.maximum", aliases=("greater",), commutes=True,
          fold=lambda a, b: _unknown_or(a, b, max(a, b))),
)  # fmt: skip

OVER_TIME = (
    Operator("delay", 1, "the value `window` bars ago", "pandas shift", (Param("window", least=0, shifts=True),),
             ("lag", "shift", "ref"), "same", "windows.delay", _first, _first, _first),
    made("delta", 1, "a - delay(a, window)", lambda call, a, p: call("sub", a[0], call("delay", a[0], p[0])), params=SHIFT,
         aliases=("diff",)),
    made("pct_change", 1, "a / delay(a, window) - 1", params=SHIFT, aliases=("ts_pct_change", "ts_pctchange"),
         means=lambda call, a, p: call("sub", call("div", a[0], call("delay", a[0], p[0])), 1.0)),
    rolling("ts_sum", "windows.total", "sum", 1, aliases=("sum", "rolling_sum")),
    rolling("ts_mean", "windows.mean", "mean", 1, aliases=("mean", "ma", "sma", "rolling_mean")),
    rolling("ts_std", "moments.spread", "sample standard deviation (ddof 1)", 2, least=2,
            aliases=("std", "stddev", "ts_stddev", "rolling_std")),
    rolling("ts_var", "moments.spread", "sample variance (ddof 1)", 2, want=1.0, unit="square", aliases=("var", "variance"), least=2),
    rolling("ts_min", "windows.extreme", "smallest", 1, want=-1.0, aliases=("tsmin", "rolling_min")),
    rolling("ts_max", "windows.extreme", "largest", 1, want=1.0, aliases=("tsmax", "rolling_max")),
    rolling("ts_argmin", "windows.place_of_extreme", "place of the smallest: 1 is the oldest bar, window the newest; the first of equals",
            2, want=-1.0, unit="time", aliases=("argmin",), source="Qlib IdxMin"),
    rolling("ts_argmax", "windows.place_of_extreme", "place of the largest: 1 is the oldest bar, window the newest; the first of equals",
            2, want=1.0, unit="time", aliases=("argmax",), source="Qlib IdxMax"),
    Operator("ts_rank", 1, "percentile of the newest value in its window, in (0, 1], ties averaged", "pandas rolling rank, pct",
             window(), ("rank", "tsrank"), "rate", "order.rank", _before, _before, _first, lambda p: 2),
    rolling("ts_zscore", "moments.spread", "(a - ts_mean) / ts_std; NaN where all are equal", 2, want=2.0, unit="rate",
            aliases=("zscore",), least=2),
    rolling("ts_corr", "moments.together", "Pearson correlation, held within [-1, 1]; NaN where one side is constant", 5, want=1.0,
            series=2, unit="rate", aliases=("corr", "correlation"), least=2, commutes=True),
    rolling("ts_cov", "moments.together", "sample covariance (ddof 1)", 5, series=2, unit="product",
            aliases=("cov", "covariance"), least=2, commutes=True),
    made("ts_count", 1, "how many of the last `window` bars a is non-zero in: ts_sum(a != 0, window)", params=window(), aliases=("count",),
         means=lambda call, a, p: call("ts_sum", call("ne", a[0], 0.0), p[0])),
    rolling("decay_linear", "windows.decay_linear", "mean with weights 1..window, newest heaviest", 2,
            aliases=("ts_decay_linear", "decaylinear", "wma"), source="Kakushadze 2016, 101 Formulaic Alphas"),
)  # fmt: skip

RECURSIVE = (
    Operator("ema", 1, "exponential mean, alpha = 2 / (span + 1), seeded with the first value; NaN until `span` values are known; "
             "carries its value over NaN", "pandas ewm(span, adjust=False, ignore_na=True, min_periods=span)", (Param("span"),),
             ("ewm", "ewma"), "same", "recursive.ema", _before,
             lambda p: max(_before(p), math.ceil(MEMORY / _ema(p)[0])), state=lambda p: 2, floats=_ema),
    Operator("rsi", 1, "Wilder's relative strength index, 0 to 100, averages with alpha = 1 / window; NaN until `window` changes are "
             "known, and where nothing ever moved", "Wilder 1978; pandas ewm(alpha, adjust=False, ignore_na=True)", window(), (), "rate",
             "recursive.rsi", _first, lambda p: 1 + max(_first(p), math.ceil(MEMORY / _wilder(p)[0])), lambda p: 1, lambda p: 3, _wilder),
)  # fmt: skip

ACROSS = (
    across("rank", "cross.rank", "percentile among the known symbols, in (0, 1], ties averaged", state=1, aliases=("cs_rank",)),
    across("zscore", "cross.score", "(a - mean) / sample deviation across symbols; NaN with fewer than two, or all equal",
           aliases=("cs_zscore",)),
    across("demean", "cross.demean", "a - mean across symbols", unit="same", aliases=("cs_demean",)),
    across("scale", "cross.scale", "sizes across symbols add up to `to`; NaN where all are 0", params=(Param("to", False, -math.inf, 1),),
           aliases=("cs_scale",), floats=lambda p: (float(p[0]),)),
)  # fmt: skip

FAMILIES = {"Element by element": ELEMENTWISE, "Over time": OVER_TIME, "Recursive": RECURSIVE, "Across symbols": ACROSS}
OPERATORS: dict[str, Operator] = {row.name: row for rows in FAMILIES.values() for row in rows}
