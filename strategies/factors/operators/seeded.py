"""Indicators that begin as TA-Lib does: means seeded with a simple mean, Wilder's sums, MACD with both means begun on one bar.

Values equal TA-Lib's from the first on (tests/strategies/factors/test_technical.py). An unknown bar is passed over; TA-Lib, which knows
none after the first, would answer NaN ever after. Where a divisor is zero TA-Lib says 0, and so do these.
"""

import math
from collections.abc import Callable
from typing import Any

from strategies.factors.operators.row import MEMORY, Operator, Param, Params, before, first, made, rows_of, window

Call = Callable[..., Any]
Series = tuple[Any, ...]
MACD = (Param("fast", least=2, default=12), Param("slow", least=2, default=26), Param("signal", default=9))
STOCH = (Param("fastk", default=5), Param("slowk", default=3), Param("slowd", default=3))
SUPERTREND = (Param("window", default=7), Param("k", whole=False, least=0.0, default=3.0))
ZERO = 1e-14  # TA-Lib's TA_IS_ZERO
KAMA_LEAST = 0.004  # below the slowest squared rate of KAMA, (2 / 31) ** 2


def shown(call: Call, x: Any, by: Any) -> Any:
    """x where `by` is known."""
    return call("where", by, x, x)


def or_zero(call: Call, part: Any, whole: Any, least: float = 0.0) -> Any:
    """part / whole, 0 where the whole is not above `least`."""
    return call("where", call("gt", whole, least), call("div", part, whole), 0.0)


def of_hundred(call: Call, part: Any, whole: Any, least: float = 0.0) -> Any:
    return call("mul", 100.0, or_zero(call, part, whole, least))


def _seeded(name: str, says: str, alpha: Callable[[Params], float], params: tuple[Param, ...]) -> Operator:
    """An exponential mean behind a simple one."""

    def lead(p: Params) -> int:
        return before(p) + (int(p[1]) if len(p) > 1 else 0)

    return Operator(name, 1, says, "TA-Lib", params, (), "same", "exponential.seeded", lead,
                    lambda p: lead(p) + math.ceil(MEMORY / alpha(p)), state=lambda p: 2,
                    floats=lambda p: (alpha(p), float(p[0]), 1.0, float(p[0])))  # fmt: skip


def _summed(name: str, says: str) -> Operator:
    def enough(p: Params) -> int:
        return max(1, int(p[0]) - int(p[1] != 0.0))

    return Operator(name, 1, says, "Wilder 1978; TA-Lib", (*window(), Param("early", whole=False, least=0.0, default=0.0)), (), "same",
                    "exponential.seeded", lambda p: enough(p) - 1, lambda p: int(p[0]) * (1 + math.ceil(MEMORY)), state=lambda p: 2,
                    floats=lambda p: (1.0 / p[0], p[0] - 1.0, float(p[0]), float(enough(p))))  # fmt: skip


def _moves(call: Call, x: Any, mean: str, bars: int) -> tuple[Any, Any]:
    """Rises and falls, averaged."""
    change = call("delta", x, 1)
    return call(mean, call("max", change, 0.0), bars), call(mean, call("max", call("neg", change), 0.0), bars)


def _rsi(call: Call, a: Series, p: Params) -> Any:
    rise, fall = _moves(call, a[0], "ta_wilder", int(p[0]))
    return of_hundred(call, rise, call("add", rise, fall), ZERO)


def _cmo(call: Call, a: Series, p: Params) -> Any:
    rise, fall = _moves(call, a[0], "ta_wilder", int(p[0]))
    return of_hundred(call, call("sub", rise, fall), call("add", rise, fall), ZERO)


def _atr(call: Call, a: Series, p: Params) -> Any:
    return call("ta_wilder", call("true_range", *a), p[0])


def _direction(side: str) -> Callable[[Call, Series, Params], Any]:
    def means(call: Call, a: Series, p: Params) -> Any:
        moved = call("ta_wilder_sum", call(f"{side}_dm", a[0], a[1]), p[0])
        return of_hundred(call, moved, call("ta_wilder_sum", call("true_range", *a), p[0]), ZERO)

    return means


def apart(call: Call, up: Any, down: Any) -> Any:
    """100 |up - down| / (up + down)."""
    return call("mul", 100.0, call("div", call("abs", call("sub", up, down)), call("add", up, down)))


def _dx(call: Call, a: Series, p: Params) -> Any:
    return apart(call, *(call("ta_wilder_sum", call(name, a[0], a[1]), p[0]) for name in ("plus_dm", "minus_dm")))


def macd_line(call: Call, x: Any, fast: int, slow: int) -> Any:
    """The fast mean begins so late that both have their first value on one bar."""
    fast, slow = sorted((fast, slow))
    return call("sub", call("ta_ema", x, fast, slow - fast), call("ta_ema", x, slow, 0))


def _macd_signal(call: Call, a: Series, p: Params) -> Any:
    return call("ta_ema", macd_line(call, a[0], int(p[0]), int(p[1])), p[2], 0)


def _macd(call: Call, a: Series, p: Params) -> Any:
    return shown(call, macd_line(call, a[0], int(p[0]), int(p[1])), _macd_signal(call, a, p))


def _macd_hist(call: Call, a: Series, p: Params) -> Any:
    return call("sub", macd_line(call, a[0], int(p[0]), int(p[1])), _macd_signal(call, a, p))


def chain(call: Call, x: Any, bars: int, times: int) -> list[Any]:
    """ta_ema of ta_ema of ..."""
    means = [x]
    for _ in range(times):
        means.append(call("ta_ema", means[-1], bars, 0))
    return means[1:]


def _dema(call: Call, a: Series, p: Params) -> Any:
    once, twice = chain(call, a[0], int(p[0]), 2)
    return call("sub", call("mul", 2.0, once), twice)


def _tema(call: Call, a: Series, p: Params) -> Any:
    once, twice, thrice = chain(call, a[0], int(p[0]), 3)
    return call("add", call("mul", 3.0, call("sub", once, twice)), thrice)


def _trix(call: Call, a: Series, p: Params) -> Any:
    return call("mul", 100.0, call("pct_change", chain(call, a[0], int(p[0]), 3)[-1], 1))


def _t3(call: Call, a: Series, p: Params) -> Any:
    v, means = float(p[1]), chain(call, a[0], int(p[0]), 6)
    weights = (-(v**3), 3 * v**2 + 3 * v**3, -6 * v**2 - 3 * v - 3 * v**3, 1 + 3 * v + v**3 + 3 * v**2)
    parts = [call("mul", float(f"{weight:.12g}"), mean) for weight, mean in zip(weights, reversed(means[2:]), strict=True)]
    return call("add", call("add", parts[0], parts[1]), call("add", parts[2], parts[3]))


def _adosc(call: Call, a: Series, p: Params) -> Any:
    flow, fast, slow = call("ad", *a), int(p[0]), int(p[1])
    return call("sub", call("ema", flow, fast), call("ema", flow, slow))


def _kama(call: Call, a: Series, p: Params) -> Any:
    fast, slow = call("div", 2.0, 3.0), call("div", 2.0, 31.0)
    path = call("ts_sum", call("abs", call("delta", a[0], 1)), p[0])
    straight = call("div", call("abs", call("delta", a[0], p[0])), path)
    efficiency = call("where", call("gt", path, ZERO), straight, 1.0)
    rate = call("add", call("mul", efficiency, call("sub", fast, slow)), slow)
    return call("adaptive", a[0], call("mul", rate, rate), KAMA_LEAST)


def _fast_k(call: Call, a: Series, bars: int) -> Any:
    lowest = call("ts_min", a[1], bars)
    return of_hundred(call, call("sub", a[2], lowest), call("sub", call("ts_max", a[0], bars), lowest))


def _stoch_d(call: Call, a: Series, p: Params) -> Any:
    return call("ts_mean", call("ts_mean", _fast_k(call, a, int(p[0])), p[1]), p[2])


def _stoch_k(call: Call, a: Series, p: Params) -> Any:
    return shown(call, call("ts_mean", _fast_k(call, a, int(p[0])), p[1]), _stoch_d(call, a, p))


def _age(name: str, says: str, side: float) -> Operator:
    return Operator(name, 1, f"bars since the {says} of its window, the newest of equals", "TA-Lib AROON", window(), (), "time",
                    "technical.age_of_extreme", before, before, first, rows_of(2), lambda p: (side,))  # fmt: skip


def _trailing(name: str, says: str, want: float, unit: str) -> Operator:
    return Operator(name, 3, says, "pandas-ta supertrend", (), (), unit, "technical.supertrend", state=lambda p: 3,
                    floats=lambda p: (want,), anchored=True)  # fmt: skip


def _supertrend(row: str) -> Callable[[Call, Series, Params], Any]:
    def means(call: Call, a: Series, p: Params) -> Any:
        middle, reach = call("div", call("add", a[0], a[1]), 2.0), call("mul", p[1], call("ta_atr", *a, p[0]))
        return call(row, a[2], call("add", middle, reach), call("sub", middle, reach))

    return means


def _aroon(extreme: str) -> Callable[[Call, Series, Params], Any]:
    return lambda call, a, p: call("mul", 100.0, call("div", call("sub", float(p[0]), call(extreme, a[0], p[0] + 1)), p[0]))


SEEDED: tuple[Operator, ...] = (
    _seeded("ta_ema", "exponential mean, alpha = 2 / (window + 1), seeded with the mean of `window` values after the first `skip`",
            lambda p: 2.0 / (p[0] + 1.0), (*window(), Param("skip", least=0, default=0))),
    _seeded("ta_wilder", "Wilder's mean, alpha = 1 / window, seeded with the mean of the first `window` values", lambda p: 1.0 / p[0],
            window()),
    _summed("ta_wilder_sum", "Wilder's sum s - s / window + a, seeded with the sum of the first window - 1 values, which are given out "
            "where `early` is not 0"),
    Operator("adaptive", 2, "m += rate (a - m), the second series within [least, 1]; seeded with the value before the first known rate",
             "Kaufman 1995, Smarter Trading", (Param("least", whole=False, least=1e-6),), (), "first", "exponential.adaptive",
             warm_up=lambda p: math.ceil(MEMORY / p[0]), reads=lambda p: 1, state=lambda p: 1, floats=lambda p: (float(p[0]),)),
    Operator("ta_sar", 2, "parabolic stop and reverse of high, low", "Wilder 1978; TA-Lib SAR",
             (Param("acceleration", whole=False, least=0.0, default=0.02), Param("maximum", whole=False, least=0.0, default=0.2)), (),
             "same", "technical.sar", lambda p: 1, lambda p: 1, state=lambda p: 7,
             floats=lambda p: (min(float(p[0]), float(p[1])), float(p[1])), anchored=True),
    _trailing("trailing_band", "of close, upper and lower band: the lower until the close falls below it, then the upper until the close "
              "rises above it; a band in force only closes in", 0.0, "same"),
    _trailing("trailing_side", "1 while trailing_band is the lower band, -1 while it is the upper", 1.0, "rate"),
    made("supertrend", 3, "trailing_band of (high + low) / 2 -+ k ta_atr, of high, low, close", _supertrend("trailing_band"),
         params=SUPERTREND),
    made("supertrend_side", 3, "1 where supertrend is below the close, -1 where it is above", _supertrend("trailing_side"),
         params=SUPERTREND),
    _age("ta_bars_since_max", "highest", 1.0),
    _age("ta_bars_since_min", "lowest", -1.0),
    made("ta_rsi", 1, "rsi, averages seeded with simple means; 0 where nothing moved", _rsi, params=window(2)),
    made("ta_cmo", 1, "100 (rises - falls) / (rises + falls), Wilder's means seeded with simple ones", _cmo, params=window(2)),
    made("ta_atr", 3, "ta_wilder(true_range(high, low, close), window)", _atr, params=window()),
    made("ta_natr", 3, "100 ta_atr / close", params=window(),
         means=lambda call, a, p: call("mul", 100.0, call("div", _atr(call, a, p), a[2]))),
    made("ta_plus_di", 3, "100 x Wilder's sum of plus_dm / that of true_range", _direction("plus"), params=window(2)),
    made("ta_minus_di", 3, "100 x Wilder's sum of minus_dm / that of true_range", _direction("minus"), params=window(2)),
    made("ta_dx", 3, "100 |ta_plus_di - ta_minus_di| / (ta_plus_di + ta_minus_di), in which the true range cancels", _dx, params=window(2)),
    made("ta_adx", 3, "ta_wilder(ta_dx, window)", lambda call, a, p: call("ta_wilder", _dx(call, a, p), p[0]), params=window(2)),
    made("ta_macd", 1, "difference of a fast and a slow ta_ema that begin on one bar; NaN until its signal is known", _macd, params=MACD),
    made("ta_macd_signal", 1, "ta_ema(ta_macd, signal)", _macd_signal, params=MACD),
    made("ta_macd_hist", 1, "ta_macd - ta_macd_signal", _macd_hist, params=MACD),
    made("ta_dema", 1, "2 ta_ema - ta_ema of ta_ema", _dema, params=window()),
    made("ta_tema", 1, "3 ta_ema - 3 ta_ema of ta_ema + ta_ema of ta_ema of ta_ema", _tema, params=window()),
    made("ta_trix", 1, "100 pct_change of ta_ema of ta_ema of ta_ema", _trix, params=window()),
    made("ta_t3", 1, "Tillson's T3: six ta_ema in a chain, weighed by `factor`", _t3,
         params=(*window(2), Param("factor", whole=False, least=0.0, default=0.7))),
    made("ta_adosc", 4, "Chaikin's oscillator: ema(ad, fast) - ema(ad, slow), of high, low, close, volume", _adosc,
         params=(Param("fast", least=2, default=3), Param("slow", least=2, default=10))),
    made("ta_kama", 1, "Kaufman's adaptive mean, fast 2, slow 30", _kama, params=window(2)),
    made("ta_stoch_k", 3, "stoch_k of fastk bars, averaged over slowk; NaN until ta_stoch_d is known", _stoch_k, params=STOCH),
    made("ta_stoch_d", 3, "ta_stoch_k averaged over slowd", _stoch_d, params=STOCH),
    made("ta_aroon_up", 1, "100 (window - bars since the highest of window + 1, the newest of equals) / window; give it high",
         _aroon("ta_bars_since_max"), params=window(2)),
    made("ta_aroon_down", 1, "100 (window - bars since the lowest of window + 1, the newest of equals) / window; give it low",
         _aroon("ta_bars_since_min"), params=window(2)),
)  # fmt: skip
