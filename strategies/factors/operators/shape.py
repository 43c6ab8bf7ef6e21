"""Over a full window: order, shape and regression."""

import math

from strategies.errors import BadConstant
from strategies.factors.operators.partial import KURT, PRODUCT, SKEW, heap_rows, share
from strategies.factors.operators.row import Operator, Param, Params, before, first, made, rolling, rows_of, window

SLOPE, INTERCEPT, RSQUARE, RESIDUAL = 0.0, 1.0, 2.0, 3.0
SINCE, HUMP = 0.0, 1.0
FULL = "pandas rolling, min_periods = window"
SQUARES = "least squares on the bars 0 to window - 1"
NEGLIGIBLE = 2.0**-60


def _full(name: str, kernel: str, says: str, want: float, rows: int, *, least: int = 1, unit: str = "same",
          aliases: tuple[str, ...] = ()) -> Operator:  # fmt: skip
    """A kernel of partial windows, of which the whole window must be known."""
    return Operator(name, 1, says, FULL, window(least), aliases, unit, kernel, before, before, first, rows_of(rows),
                    lambda p: (want, float(p[0]), 1.0))  # fmt: skip


def _ordered(name: str, says: str, *, params: tuple[Param, ...] = (), aliases: tuple[str, ...] = ()) -> Operator:
    return Operator(name, 1, says, FULL, (Param("window"), *params), aliases, "same", "heaps.quantile", before, before, first, heap_rows,
                    lambda p: (0.0, float(p[0]), float(p[1]) if params else 0.5),
                    valid=(lambda p: share(float(p[1]))) if params else None)  # fmt: skip


def _line(name: str, says: str, want: float, *, unit: str = "same", aliases: tuple[str, ...] = (), least: int = 2) -> Operator:
    return rolling(name, "regression.line", says, 3, least=least, want=want, unit=unit, aliases=aliases, source=SQUARES)


def _between(p: Params) -> None:
    if not 0.0 < p[1] <= 1.0:
        raise BadConstant(f"the factor of decay_exp is more than 0 and at most 1, not {p[1]:g}", suggestion="0.9 is usual")


def _weights(p: Params) -> tuple[float, ...]:
    """The factor, and one over the sum of its powers: multiplied out, so that no bit depends on a library."""
    total, weight = 0.0, 1.0
    for _ in range(int(p[0])):
        total += weight
        weight *= p[1]
        if weight < NEGLIGIBLE * total * (1.0 - p[1]):
            break
    return float(p[1]), 1.0 / total


def _limit(p: Params) -> None:
    if not 0.0 <= p[0] < math.inf:
        raise BadConstant(f"the limit of hump is at least 0, not {p[0]:g}")


SHAPE: tuple[Operator, ...] = (
    _ordered("ts_median", "median", aliases=("median", "med", "rolling_median")),
    _ordered("ts_quantile", "the q quantile, linear between neighbours", params=(Param("q", whole=False, least=0.0),),
             aliases=("quantile", "rolling_quantile", "ts_percentile")),
    Operator("ts_median_ad", 1, "median distance from the median", "scipy.stats.median_abs_deviation", window(), ("median_ad",), "same",
             "heaps.median_distance", before, before, first, lambda p: int(p[0]) + 1),
    Operator("ts_mad", 1, "mean distance from the mean", "Qlib Mad", window(), ("mad", "rolling_mad"), "same", "shape.deviation", before,
             before, first, lambda p: 1),
    _full("ts_skew", "partial.moments", "skewness, bias-corrected; NaN where all are equal", SKEW, 5, least=3, unit="rate",
          aliases=("skew", "skewness", "ts_skewness", "rolling_skew")),
    _full("ts_kurt", "partial.moments", "excess kurtosis, bias-corrected; NaN where all are equal", KURT, 5, least=4, unit="rate",
          aliases=("kurt", "kurtosis", "ts_kurtosis", "rolling_kurt")),
    _full("ts_product", "partial.reduced", "product", PRODUCT, 2, unit="free", aliases=("product", "prod", "ts_prod")),
    _line("ts_slope", "slope of the least-squares line, per bar", SLOPE, aliases=("slope", "linreg_slope", "ts_linreg_slope")),
    _line("ts_intercept", "height of the least-squares line at the oldest bar", INTERCEPT, aliases=("intercept", "linreg_intercept")),
    _line("ts_rsquare", "R squared of the least-squares line; NaN where all are equal", RSQUARE, unit="rate",
          aliases=("rsquare", "rsquared", "r_squared", "ts_rsquared")),
    _line("ts_resid", "the newest value minus the least-squares line", RESIDUAL, aliases=("resid", "resi", "ts_residual"), least=3),
    Operator("decay_exp", 1, "mean with weights factor ** age", "WorldQuant ts_decay_exp_window",
             (Param("window"), Param("factor", whole=False, least=0.0)), ("ts_decay_exp", "ts_decay_exp_window"), "same",
             "shape.decay_exp", before, before, first, rows_of(1), _weights, valid=_between),
    made("ts_minmax", 1, "(a - ts_min) / (ts_max - ts_min); NaN where all are equal", params=window(), aliases=("minmax", "ts_scale"),
         means=lambda call, a, p: call("div", call("sub", a[0], call("ts_min", a[0], p[0])), call("ts_range", a[0], p[0]))),
    made("ts_range", 1, "ts_max - ts_min", params=window(), aliases=("ts_min_max_diff",),
         means=lambda call, a, p: call("sub", call("ts_max", a[0], p[0]), call("ts_min", a[0], p[0]))),
    made("ts_ir", 1, "ts_mean / ts_std", params=window(2),
         means=lambda call, a, p: call("div", call("ts_mean", a[0], p[0]), call("ts_std", a[0], p[0]))),
    made("ts_sum_if", 2, "sum of a over the bars where c is not 0", params=window(), aliases=("sum_if", "sumif"),
         means=lambda call, a, p: call("ts_sum", call("where", a[1], a[0], 0.0), p[0])),
    made("ts_count_known", 1, "how many of the last `window` bars a is known at", params=window(), aliases=("count_known",),
         means=lambda call, a, p: call("ts_sum", call("sub", 1.0, call("is_nan", a[0])), p[0])),
    made("ts_beta", 2, "slope of the least-squares line of y on x; NaN where x is constant", params=window(2), aliases=("beta",),
         means=lambda call, a, p: call("div", call("ts_cov", a[0], a[1], p[0]), call("ts_var", a[1], p[0]))),
    made("ts_resid_on", 2, "the newest y minus the least-squares line of y on x", params=window(2), aliases=("resid_on",),
         means=lambda call, a, p: call(
             "sub", call("sub", a[0], call("ts_mean", a[0], p[0])),
             call("mul", call("ts_beta", a[0], a[1], p[0]), call("sub", a[1], call("ts_mean", a[1], p[0]))))),
    made("ts_autocorr", 1, "ts_corr of a with itself `lag` bars before", params=(Param("window", least=2), Param("lag", shifts=True)),
         aliases=("autocorr",), means=lambda call, a, p: call("ts_corr", a[0], call("delay", a[0], p[1]), p[0])),
    made("bars_since_max", 1, "bars since the largest of the last `window`; 0 is now, the first of equals", params=window(),
         means=lambda call, a, p: call("sub", p[0], call("ts_argmax", a[0], p[0]))),
    made("bars_since_min", 1, "bars since the smallest of the last `window`; 0 is now, the first of equals", params=window(),
         means=lambda call, a, p: call("sub", p[0], call("ts_argmin", a[0], p[0]))),
    Operator("bars_since", 1, "bars since c was last known and not 0; NaN before", "TradingView ta.barssince", (), ("barssince",), "time",
             "shape.held", state=lambda p: 1, floats=lambda p: (SINCE,), anchored=True),
    Operator("hump", 1, "its last value until a is further than `limit` from it; carries it over NaN", "WorldQuant hump, in absolute terms",
             (Param("limit", whole=False, least=0.0),), (), "same", "shape.held", state=lambda p: 1, floats=lambda p: (HUMP, float(p[0])),
             anchored=True, valid=_limit),
)  # fmt: skip
