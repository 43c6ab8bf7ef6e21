"""Element by element: no memory."""

import math
from collections.abc import Callable

from strategies.factors.operators.row import Param, made, plain


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
