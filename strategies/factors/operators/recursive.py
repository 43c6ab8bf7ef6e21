"""Values that remember everything, ever more faintly, and those that never forget."""

import math
from collections.abc import Callable
from typing import Any

from strategies.errors import BadWindow
from strategies.factors.operators.row import MEMORY, Operator, Param, Params, before, first, made, window

SPAN, ADJUST = Param("span", whole=False), Param("adjust", whole=False, least=0.0, default=1.0)
KNOWN = Param("known", default=1)
SIDE, LOST = Param("side", whole=False, least=-1.0, default=1.0), Param("lost", whole=False, least=0.0, default=0.0)
LONGEST = 1e9  # bars of a span
SQUARED = 1.25 * MEMORY  # the beginning enters a second moment with its square
EWM_MEAN, EWM_VAR, EWM_STD, EWM_COV, EWM_CORR = 0.0, 1.0, 2.0, 3.0, 4.0
SUM, MEAN, VARIANCE, DEVIATION, COUNT = 0.0, 1.0, 2.0, 3.0, 4.0
LAST, LARGEST, SMALLEST, PRODUCT = 0.0, 1.0, 2.0, 3.0


def _span(p: Params) -> float:
    return 2.0 / (p[0] + 1.0)


def _wilder(p: Params) -> float:
    return 1.0 / p[0]


def _share(p: Params) -> float:
    return p[1] / p[0]


def _at_most_one(p: Params) -> None:
    if p[1] > p[0]:
        raise BadWindow(f"sma_recursive weighs the newest value m / window, so m is at most the window: {p[1]} is more than {p[0]}")


def _fades(p: Params) -> None:
    if p[0] > LONGEST:
        raise BadWindow(f"a span of {p[0]:g} bars never forgets; at most {LONGEST:g}")


def _lasting(alpha: Callable[[Params], float], lead: Callable[[Params], int] = before, memory: float = MEMORY) -> Callable[[Params], int]:
    """Bars until a mean of this alpha has forgotten where it began: always some beyond its first value, as it never quite does."""
    return lambda p: max(lead(p) + 1, math.ceil(memory / alpha(p)))


def _mean(name: str, says: str, source: str, params: tuple[Param, ...], alpha: Callable[[Params], float],
          aliases: tuple[str, ...] = (), valid: Callable[[Params], None] | None = None) -> Operator:  # fmt: skip
    """m = (1 - alpha) m + alpha x, seeded with the first value."""
    says += "; NaN until enough values are known; carries its value over NaN"
    return Operator(name, 1, says, source, params, aliases, "same", "recursive.ema", before, _lasting(alpha), state=lambda p: 2,
                    floats=lambda p: (alpha(p),), valid=valid)  # fmt: skip


def _ewm(name: str, says: str, want: float, *, series: int = 1, unit: str = "same", commutes: bool = False) -> Operator:
    """pandas' ewm; `known` is the last parameter."""
    least = 1 if want == EWM_MEAN else 2
    rows = {EWM_MEAN: 3, EWM_CORR: 9}.get(want, 7)

    def lead(p: Params) -> int:
        return max(int(p[2]), least) - 1

    def floats(p: Params) -> tuple[float, ...]:
        adjust = float(p[1] != 0.0)
        if want == EWM_MEAN:
            return _span(p), adjust, float(p[0] == 3.0 and not adjust)
        return _span(p), adjust, want, float(series == 2)

    kernel = "exponential.fading" if want == EWM_MEAN else "exponential.fading_moments"
    return Operator(name, series, says, "pandas ewm(span, adjust, ignore_na=False, min_periods=known)", (SPAN, ADJUST, KNOWN), (), unit,
                    kernel, lead, _lasting(_span, lead, MEMORY if want == EWM_MEAN else SQUARED), state=lambda p: rows, floats=floats,
                    commutes=commutes, valid=_fades)  # fmt: skip


def _triple(call: Callable[..., Any], once: Any, twice: Any, span: int) -> Any:
    return call("add", call("mul", 3.0, call("sub", once, twice)), call("ema", twice, span))


def _relative(call: Callable[..., Any], change: Any, bars: int) -> Any:
    """100 G / (G + L)."""
    rise = call("ts_mean", call("max", change, 0.0), bars)
    fall = call("ts_mean", call("max", call("neg", change), 0.0), bars)
    return call("div", call("mul", 100.0, rise), call("add", rise, fall))


def _expanding(name: str, says: str, want: float, *, unit: str = "same", least: int = 1) -> Operator:
    def lead(p: Params) -> int:
        return max(int(p[0]), least) - 1

    return Operator(name, 1, f"{says} of all values since the beginning", "pandas expanding(min_periods=known); compensated sums",
                    (KNOWN,), (), unit, "running.sums", lead, lead, state=lambda p: 4, floats=lambda p: (want, 1.0, 0.0),
                    anchored=True)  # fmt: skip


def _step(name: str, says: str, source: str, want: float, *, carry: bool, params: tuple[Param, ...] = (), aliases: tuple[str, ...] = (),
          unit: str = "same") -> Operator:  # fmt: skip
    def lead(p: Params) -> int:
        return int(p[0]) - 1 if p else 0

    return Operator(name, 1, says, source, params, aliases, unit, "running.steps", lead, lead, state=lambda p: 2,
                    floats=lambda p: (want, float(carry), float(bool(params))), anchored=True)  # fmt: skip


RECURSIVE = (
    _mean("ema", "exponential mean, alpha = 2 / (span + 1), seeded with the first value",
          "pandas ewm(span, adjust=False, ignore_na=True, min_periods=span)", (Param("span"),), _span, ("ewm", "ewma")),
    _mean("wilder", "Wilder's mean, alpha = 1 / window, seeded with the first value",
          "Wilder 1978; pandas ewm(alpha, adjust=False, ignore_na=True)", window(), _wilder, ("rma", "smma")),
    _mean("sma_recursive", "exponential mean, alpha = m / window, seeded with the first value: the SMA(x, n, m) of GTJA's 191",
          "GTJA 2017, 191 short-horizon alphas", (*window(), Param("m")), _share, valid=_at_most_one),
    made("dema", 1, "2 ema - ema of ema", params=(Param("span"),),
         means=lambda call, a, p: call("sub", call("mul", 2.0, call("ema", a[0], p[0])), call("ema", call("ema", a[0], p[0]), p[0]))),
    made("tema", 1, "3 ema - 3 ema of ema + ema of ema of ema", params=(Param("span"),),
         means=lambda call, a, p: _triple(call, call("ema", a[0], p[0]), call("ema", call("ema", a[0], p[0]), p[0]), int(p[0]))),
    Operator("rsi", 1, "Wilder's relative strength index, 0 to 100, averages with alpha = 1 / window; NaN until `window` changes are "
             "known, and where nothing ever moved", "Wilder 1978; pandas ewm(alpha, adjust=False, ignore_na=True)", window(), (), "rate",
             "recursive.rsi", first, lambda p: 1 + _lasting(_wilder, first)(p), lambda p: 1, lambda p: 3, lambda p: (_wilder(p),)),
    made("rsi_sma", 1, "relative strength of plain means of the rises and falls (Cutler), 0 to 100", params=window(),
         means=lambda call, a, p: _relative(call, call("delta", a[0], 1), int(p[0]))),
    _ewm("ewm_mean", "exponentially weighted mean; old weights decay over unknown bars too, the value is carried", EWM_MEAN),
    _ewm("ewm_var", "exponentially weighted variance, bias corrected", EWM_VAR, unit="square"),
    _ewm("ewm_std", "exponentially weighted deviation, bias corrected", EWM_STD),
    _ewm("ewm_cov", "exponentially weighted covariance, bias corrected, of bars where both are known", EWM_COV, series=2, unit="product",
         commutes=True),
    _ewm("ewm_corr", "exponentially weighted correlation of bars where both are known", EWM_CORR, series=2, unit="rate", commutes=True),
    Operator("cumsum", 1, "sum of all values since the beginning; NaN where a is, the sum goes on", "pandas cumsum; Neumaier 1974",
             aliases=("cum_sum", "ts_cumsum"), kernel="running.sums", state=lambda p: 3, floats=lambda p: (SUM, 0.0, 0.0), anchored=True),
    _step("cumprod", "product of all values since the beginning; NaN where a is, the product goes on", "pandas cumprod", PRODUCT,
          carry=False, aliases=("cum_prod",), unit="free"),
    _step("cummax", "largest value since the beginning; NaN where a is", "pandas cummax", LARGEST, carry=False, aliases=("cum_max",)),
    _step("cummin", "smallest value since the beginning; NaN where a is", "pandas cummin", SMALLEST, carry=False, aliases=("cum_min",)),
    Operator("recur", 3, "a times its own last value plus b, and b alone where a is not known; then at least c where `side` is 1, at "
             "most c where it is -1; `lost` 1: c where it is not known", "definition", (SIDE, LOST), (), "free", "running.recurred",
             state=lambda p: 1, floats=lambda p: (p[0], p[1]), anchored=True),
    _step("ffill", "the last known value", "pandas ffill", LAST, carry=True, aliases=("fill_forward", "pad", "ffillnan")),
    _expanding("expanding_mean", "mean", MEAN),
    _expanding("expanding_std", "sample deviation", DEVIATION, least=2),
    _expanding("expanding_var", "sample variance", VARIANCE, unit="square", least=2),
    _expanding("expanding_sum", "sum", SUM),
    _step("expanding_min", "smallest of all values since the beginning", "pandas expanding(min_periods=known)", SMALLEST, carry=True,
          params=(KNOWN,)),
    _step("expanding_max", "largest of all values since the beginning", "pandas expanding(min_periods=known)", LARGEST, carry=True,
          params=(KNOWN,)),
    _expanding("expanding_count", "number of known values", COUNT, unit="rate"),
)  # fmt: skip
