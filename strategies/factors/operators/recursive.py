"""Values that remember everything, ever more faintly."""

import math

from strategies.factors.operators.row import MEMORY, Operator, Param, Params, before, first, window


def _ema(p: Params) -> tuple[float, ...]:
    return (2.0 / (p[0] + 1.0),)


def _wilder(p: Params) -> tuple[float, ...]:
    return (1.0 / p[0],)


RECURSIVE = (
    Operator("ema", 1, "exponential mean, alpha = 2 / (span + 1), seeded with the first value; NaN until `span` values are known; "
             "carries its value over NaN", "pandas ewm(span, adjust=False, ignore_na=True, min_periods=span)", (Param("span"),),
             ("ewm", "ewma"), "same", "recursive.ema", before,
             lambda p: max(before(p), math.ceil(MEMORY / _ema(p)[0])), state=lambda p: 2, floats=_ema),
    Operator("rsi", 1, "Wilder's relative strength index, 0 to 100, averages with alpha = 1 / window; NaN until `window` changes are "
             "known, and where nothing ever moved", "Wilder 1978; pandas ewm(alpha, adjust=False, ignore_na=True)", window(), (), "rate",
             "recursive.rsi", first, lambda p: 1 + max(first(p), math.ceil(MEMORY / _wilder(p)[0])), lambda p: 1, lambda p: 3, _wilder),
)  # fmt: skip
