"""Functions of one value: of numbers at once, of columns as a node, of tables column by column."""

import math
from collections.abc import Callable, Mapping

from strategies.errors import BadConstant, BadSyntax
from strategies.factors.graph import call as node_of
from strategies.factors.graph import const
from strategies.factors.pandas_code import above, algebra, numbers
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import describe
from strategies.factors.pandas_code.values import Frame, Given, Items, Series, Short, Value, Vector, Whole, Window, is_number

Rule = Callable[["Reader", Given], Value]


def each(one: Callable[[Series], Series], number: Callable[[float], Value]) -> Rule:
    """A function of one value: of numbers at once, of columns as a node, of tables column by column."""

    def rule(reader: "Reader", given: Given) -> Value:
        x = given.take("x") if "x" in given.named or given.args else given.take("a")
        out, there = given.named.pop("out", None), given.named.pop("where", True)
        given.drop("dtype").done()
        return only_where(over(reader, x, one, number), there, out)

    return rule


def only_where(done: Value, there: Value, out: Value) -> Value:
    """numpy's `where=` and `out=`: elsewhere stands what was in `out`."""
    if there is True:
        return done
    if not isinstance(there, Series) or not (isinstance(out, Series) or is_number(out)):
        raise BadSyntax("where= is understood with out=", suggestion="use np.where(condition, a, b)")
    chosen = algebra.choose(there, algebra.as_series(done), algebra.as_series(out)).copy(array=True)
    return _bounded(chosen, there)


def _bounded(chosen: Series, there: Series) -> Series:
    """a / b where b is not zero: no infinity comes of it."""
    part = chosen.node
    if part.op == "where" and part.args[1].op == "div_inf" and there.node.op in ("ne", "gt", "nan_to"):
        test = there.node.args[0] if there.node.op == "nan_to" else there.node
        if test.op in ("ne", "gt") and part.args[1].args[1] is test.args[0] and test.args[1] is const(0):
            plain = node_of("div", *part.args[1].args)
            return chosen.copy(node=node_of("where", part.args[0], plain, part.args[2]), inf=False)
    return chosen


def over(reader: "Reader", x: Value, one: Callable[[Series], Series], number: Callable[[float], Value]) -> Value:
    match x:
        case Series():
            return one(x)
        case Frame():
            return Frame({name: one(column) for name, column in x.columns.items()})
        case Window() | Items():
            return above.reductions.mapped(x, one)
        case Vector():
            return Vector(tuple(float(_safe(number, v)) for v in x.items))
        case list() | tuple() if all(is_number(v) for v in x):
            return Vector(tuple(float(_safe(number, v)) for v in x))
        case list() | tuple() if reader.elementwise and all(isinstance(v, Series) or is_number(v) for v in x):
            return Items([one(algebra.as_series(v)) for v in x])
        case Short():
            return Short(one(x.of), x.lost, x.missing)
        case Whole():
            x.refuse()
        case _ if is_number(x):
            return _safe(number, x)
    raise BadSyntax(f"this is not done to {describe(x)}")


def _safe(number: Callable[[float], Value], x: float) -> Value:
    try:
        return number(x)
    except (ValueError, OverflowError, ZeroDivisionError):
        raise BadConstant("this constant cannot be computed") from None


def _node(op: str, *, low: int = 0, inf: bool | None = None, bounded: bool = False) -> Callable[[Series], Series]:
    return lambda x: algebra.result(node_of(op, x.node), x, low=low, inf=False if bounded else inf, known=x.known if bounded else None)


def _log(x: Series) -> Series:
    return algebra.result(node_of("log" if x.low == 2 else "log_inf", x.node), x, inf=x.inf or x.low != 2, known=x.known and x.low == 2)


def _log1p(x: Series) -> Series:
    return algebra.result(node_of("log1p" if x.low else "log1p_inf", x.node), x, inf=x.inf or not x.low, known=x.known and x.low > 0,
                          low=int(x.low > 0))  # fmt: skip


def _log_to(base: float) -> Callable[[Series], Series]:
    def rule(x: Series) -> Series:
        return algebra.divided(_log(x), algebra.as_series(numbers.written(math.log(base), "log", base)).copy(low=2))

    return rule


def _exp(x: Series) -> Series:
    return algebra.result(node_of("exp", x.node), x, low=2, inf=True, known=x.known)


def _expm1(x: Series) -> Series:
    return algebra.arithmetic("sub", _exp(x), algebra.as_series(1))


def _square(x: Series) -> Series:
    return algebra.arithmetic("mul", x, x)


def _absolute(x: Series) -> Series:
    return x if x.low else algebra.result(node_of("abs", x.node), x, low=1)


def _cube_root(x: Series) -> Series:
    node = node_of("mul", node_of("sign", x.node), node_of("power", node_of("abs", x.node), node_of("div", 1, 3)))
    return algebra.result(node, x)


def _hyperbolic(sign: str) -> Callable[[Series], Series]:
    def rule(x: Series) -> Series:
        return algebra.arithmetic("div", algebra.arithmetic(sign, _exp(x), _exp(algebra.negative(x))), algebra.as_series(2))

    return rule


def _rounded(x: Series) -> Series:
    return algebra.result(node_of("round", x.node, 0), x, low=min(x.low, 1))


def _cut(x: Series) -> Series:
    return algebra.result(node_of("mul", node_of("sign", x.node), node_of("floor", node_of("abs", x.node))), x, low=min(x.low, 1))


def _sign(x: Series) -> Series:
    return algebra.result(node_of("sign", x.node), x, inf=False, known=x.known, low=x.low)


def _sqrt_of(x: float) -> Value:
    return numbers.written(math.sqrt(x), "sqrt", x) if x >= 0 else math.nan


def _sign_of(x: float) -> Value:
    return float((x > 0) - (x < 0)) if x == x else x


EACH: Mapping[str, Rule] = {
    "log": each(_log, lambda v: numbers.written(math.log(v), "log", v)), "log1p": each(_log1p, math.log1p),
    "log2": each(_log_to(2), math.log2), "log10": each(_log_to(10), math.log10),
    "exp": each(_exp, lambda v: numbers.written(math.exp(v), "exp", v)), "expm1": each(_expm1, math.expm1),
    "sqrt": each(algebra.root, _sqrt_of), "cbrt": each(_cube_root, lambda v: math.copysign(abs(v) ** (1 / 3), v)),
    "abs": each(_absolute, abs), "absolute": each(_absolute, abs), "fabs": each(_absolute, abs), "sign": each(_sign, _sign_of),
    "square": each(_square, lambda v: v * v), "tanh": each(_node("tanh", bounded=True), math.tanh),
    "sin": each(_node("sin"), math.sin), "cos": each(_node("cos"), math.cos),
    "arctan": each(_node("arctan", bounded=True), math.atan), "atan": each(_node("arctan", bounded=True), math.atan),
    "tan": each(lambda x: algebra.divided(_node("sin")(x), _node("cos")(x)), math.tan),
    "sinh": each(_hyperbolic("sub"), math.sinh), "cosh": each(_hyperbolic("add"), math.cosh),
    "floor": each(_node("floor"), math.floor), "ceil": each(_node("ceil"), math.ceil), "rint": each(_rounded, round),
    "trunc": each(_cut, math.trunc), "fix": each(_cut, math.trunc),
    "negative": each(algebra.negative, lambda v: -v), "positive": each(lambda x: x, lambda v: v),
    "reciprocal": each(lambda x: algebra.divided(algebra.as_series(1.0), x), lambda v: 1 / v),
    "isnan": each(algebra.missing, math.isnan), "isinf": each(algebra.infinite, math.isinf),
    "isfinite": each(lambda x: algebra.inverted(algebra.logical("or", algebra.missing(x), algebra.infinite(x))), math.isfinite),
    "logical_not": each(lambda x: algebra.inverted(algebra.truth(x)), lambda v: not v),
    "invert": each(algebra.inverted, lambda v: not v),
    "deg2rad": each(lambda x: algebra.arithmetic("mul", x, algebra.as_series(math.pi / 180)), math.radians),
}  # fmt: skip
