"""Element by element: no memory."""

import math
from collections.abc import Callable
from typing import Any

from strategies.errors import BadConstant
from strategies.factors.operators.row import Param, Params, made, plain

MAX_EXPONENT = 4.0  # of **; a power beyond it, or one that changes from bar to bar, is power(a, b)
NAN_TO, KEEP, FMAX, FMIN, FINITE = 0.0, 1.0, 2.0, 3.0, 4.0
FLOOR, CEIL, NEAREST = 0.0, 1.0, 2.0
SIN, COS, ARCTAN = 0.0, 1.0, 2.0
MOST_DECIMALS = 12


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


def _fixed(node: Any) -> bool:
    return bool(node.op == "const" and abs(node.params[0]) <= MAX_EXPONENT)


def _divide_to_infinity(a: float, b: float) -> float:
    if b != 0.0:
        return a / b
    return math.nan if a == 0.0 or a != a or b != b else math.copysign(math.inf, a)


def _decimals(p: Params) -> None:
    if not float(p[0]).is_integer() or abs(p[0]) > MOST_DECIMALS:
        raise BadConstant(f"round to a whole number of decimals, at most {MOST_DECIMALS} either way, not {p[0]:g}")


def _tens(p: Params) -> tuple[float, ...]:
    count = int(p[0])
    return NEAREST, float(10 ** max(0, count)), float(10 ** max(0, -count))


def _compare(test: Callable[[float, float], bool]) -> Callable[[float, float], float]:
    return lambda a, b: math.nan if a != a or b != b else float(test(a, b))


def _unknown_or(a: float, b: float, value: float) -> float:
    return math.nan if a != a or b != b else value


ELEMENTWISE = (
    plain("add", 2, "elementwise.add", "a + b", commutes=True, symbol="+", fold=lambda a, b: a + b),
    plain("sub", 2, "elementwise.sub", "a - b", aliases=("subtract",), symbol="-", fold=lambda a, b: a - b),
    plain("mul", 2, "elementwise.mul", "a * b", aliases=("multiply",), unit="product", commutes=True, symbol="*", fold=lambda a, b: a * b),
    plain("div", 2, "elementwise.div", "a / b; NaN where b is 0", aliases=("divide",), unit="ratio", symbol="/", fold=_divide),
    plain("pow", 2, "transcendental.power", "a ** b; in text b is a constant in [-4, 4]", unit="power", symbol="**", fold=_power,
          simpler=lambda call, a, p: None if _fixed(a[1]) else call("power", a[0], a[1])),
    plain("power", 2, "transcendental.power", "a ** b, of which b may change from bar to bar; NaN where a < 0 and b is not whole",
          unit="power", fold=_power, simpler=lambda call, a, p: call("pow", a[0], a[1]) if _fixed(a[1]) else None),
    made("signed_power", 2, "sign(a) * abs(a) ** b", aliases=("signedpower",),
         means=lambda call, a, p: call("mul", call("sign", a[0]), call("pow", call("abs", a[0]), a[1]))),
    made("square", 1, "a ** 2", lambda call, a, p: call("pow", a[0], 2.0), aliases=("sqr",)),
    made("inv", 1, "1 / a", lambda call, a, p: call("div", 1.0, a[0]), aliases=("inverse", "reciprocal")),
    made("sigmoid", 1, "1 / (1 + exp(-a))", lambda call, a, p: call("div", 1.0, call("add", 1.0, call("exp", call("neg", a[0]))))),
    plain("div_inf", 2, "elementwise.div", "a / b; infinite where b is 0 and a is not", unit="ratio", fold=_divide_to_infinity,
          floats=lambda p: (1.0,)),
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
    plain("log_inf", 1, "transcendental.log", "natural logarithm; -infinite at 0, NaN below", "FreeBSD e_log.c; numpy.log", unit="rate",
          floats=lambda p: (1.0,)),
    plain("log1p_inf", 1, "transcendental.log1p", "log(1 + a); -infinite at -1, NaN below", "Kahan's correction; numpy.log1p", unit="rate",
          floats=lambda p: (1.0,)),
    plain("exp", 1, "transcendental.exp", "e to the a", "FreeBSD e_exp.c", unit="rate"),
    plain("tanh", 1, "transcendental.tanh", "hyperbolic tangent", "Cephes tanh.c", unit="rate"),
    plain("sin", 1, "transcendental.circular", "sine of a in radians; NaN beyond 1e9", "fdlibm k_sin.c", unit="rate",
          floats=lambda p: (SIN,)),
    plain("cos", 1, "transcendental.circular", "cosine of a in radians; NaN beyond 1e9", "fdlibm k_cos.c", unit="rate",
          floats=lambda p: (COS,)),
    plain("arctan", 1, "transcendental.circular", "angle in radians whose tangent is a", "fdlibm s_atan.c", aliases=("atan",), unit="rate",
          floats=lambda p: (ARCTAN,)),
    plain("floor", 1, "elementwise.rounded", "the largest whole number that is at most a", "numpy.floor",
          floats=lambda p: (FLOOR, 1.0, 1.0)),
    plain("ceil", 1, "elementwise.rounded", "the smallest whole number that is at least a", "numpy.ceil", aliases=("ceiling",),
          floats=lambda p: (CEIL, 1.0, 1.0)),
    plain("round", 1, "elementwise.rounded", "a to so many decimals, half to even", "numpy.round",
          params=(Param("decimals", whole=False, least=-MOST_DECIMALS, default=0.0),), floats=_tens, valid=_decimals),
    plain("nan_to", 2, "elementwise.choose", "a where it is known, else b", "pandas fillna, combine_first", aliases=("fillna", "fill_na"),
          floats=lambda p: (NAN_TO,)),
    plain("keep", 2, "elementwise.choose", "a where c is known and not 0, else NaN", "pandas where", unit="first",
          floats=lambda p: (KEEP,)),
    plain("fmax", 2, "elementwise.choose", "the larger; the known one where the other is NaN", "numpy.fmax", commutes=True,
          floats=lambda p: (FMAX,)),
    plain("fmin", 2, "elementwise.choose", "the smaller; the known one where the other is NaN", "numpy.fmin", commutes=True,
          floats=lambda p: (FMIN,)),
    plain("finite", 1, "elementwise.choose", "a where it is finite, else NaN", "numpy.isfinite", floats=lambda p: (FINITE,)),
    plain("clip", 1, "elementwise.clip", "a held within [low, high]", "numpy.clip",
          params=(Param("low", whole=False, least=-math.inf), Param("high", whole=False, least=-math.inf)), aliases=("clamp",),
          floats=lambda p: (float(p[0]), float(p[1]))),
    plain("min", 2, "elementwise.minimum", "the smaller; NaN if either is", "numpy.minimum", aliases=("less",), commutes=True,
          fold=lambda a, b: _unknown_or(a, b, min(a, b))),
    plain("max", 2, "elementwise.maximum", "the larger; NaN if either is", "numpy.maximum", aliases=("greater",), commutes=True,
          fold=lambda a, b: _unknown_or(a, b, max(a, b))),
)  # fmt: skip
