"""The indicators of technical analysis, made of the operators before them; `ta_` names (seeded.py) begin as TA-Lib does."""

import math
from collections.abc import Callable
from typing import Any

from strategies.factors.operators.row import Operator, Param, Params, made, window
from strategies.factors.operators.seeded import SEEDED, apart

Call = Callable[..., Any]
Series = tuple[Any, ...]
FAST, SLOW, SIGNAL = Param("fast", default=12), Param("slow", default=26), Param("signal", default=9)
WIDTH = Param("k", whole=False, least=0.0, default=2.0)


def typical(call: Call, high: Any, low: Any, close: Any) -> Any:
    return call("div", call("add", call("add", high, low), close), 3.0)


def share(call: Call, part: Any, rest: Any) -> Any:
    """100 part / (part + rest)."""
    return call("div", call("mul", 100.0, part), call("add", part, rest))


def _true_range(call: Call, a: Series, p: Params) -> Any:
    high, low, before = a[0], a[1], call("delay", a[2], 1)
    reach = call("max", call("abs", call("sub", high, before)), call("abs", call("sub", low, before)))
    return call("max", call("sub", high, low), reach)


def _moved(side: int) -> Callable[[Call, Series, Params], Any]:
    """The move beyond the last bar on this side, where it is positive and more than that on the other; else 0."""

    def means(call: Call, a: Series, p: Params) -> Any:
        moves = call("delta", a[0], 1), call("neg", call("delta", a[1], 1))
        own, other = moves if side > 0 else moves[::-1]
        return call("where", call("gt", own, call("max", other, 0.0)), own, 0.0)

    return means


def _direction(side: str) -> Callable[[Call, Series, Params], Any]:
    def means(call: Call, a: Series, p: Params) -> Any:
        moved = call("wilder", call(f"{side}_dm", a[0], a[1]), p[0])
        return call("mul", 100.0, call("div", moved, call("atr", *a, p[0])))

    return means


def _dx(call: Call, a: Series, p: Params) -> Any:
    return apart(call, *(call("wilder", call(name, a[0], a[1]), p[0]) for name in ("plus_dm", "minus_dm")))


def _band(sign: float) -> Callable[[Call, Series, Params], Any]:
    def means(call: Call, a: Series, p: Params) -> Any:
        reach = call("mul", p[1], call("ts_std", a[0], p[0]))
        return call("add" if sign > 0 else "sub", call("ts_mean", a[0], p[0]), reach)

    return means


def _bb_width(call: Call, a: Series, p: Params) -> Any:
    return call("div", call("sub", call("bb_upper", a[0], *p), call("bb_lower", a[0], *p)), call("ts_mean", a[0], p[0]))


def _bb_percent(call: Call, a: Series, p: Params) -> Any:
    upper, lower = call("bb_upper", a[0], *p), call("bb_lower", a[0], *p)
    return call("div", call("sub", a[0], lower), call("sub", upper, lower))


def _stoch_k(call: Call, a: Series, p: Params) -> Any:
    lowest = call("ts_min", a[1], p[0])
    return call("mul", 100.0, call("div", call("sub", a[2], lowest), call("sub", call("ts_max", a[0], p[0]), lowest)))


def _williams_r(call: Call, a: Series, p: Params) -> Any:
    highest = call("ts_max", a[0], p[0])
    return call("mul", -100.0, call("div", call("sub", highest, a[2]), call("sub", highest, call("ts_min", a[1], p[0]))))


def _cci(call: Call, a: Series, p: Params) -> Any:
    price = typical(call, *a)
    return call("div", call("sub", price, call("ts_mean", price, p[0])), call("mul", 0.015, call("ts_mad", price, p[0])))


def money_flows(call: Call, a: Series, bars: int, rounding: float = 0.0) -> tuple[Any, Any]:
    """Typical price x volume of rising and of falling bars, summed; a change of at most `rounding` x price is none."""
    price = typical(call, *a[:3])
    change, money = call("delta", price, 1), call("mul", price, a[3])
    least = call("mul", price, rounding) if rounding else 0.0
    rising = call("ts_sum", call("where", call("gt", change, least), money, 0.0), bars)
    return rising, call("ts_sum", call("where", call("gt", call("neg", change), least), money, 0.0), bars)


def _obv(call: Call, a: Series, p: Params) -> Any:
    last = call("delay", call("ffill", a[0]), 1)
    turn = call("sign", call("sub", a[0], last))
    return call("cumsum", call("mul", call("where", call("is_nan", last), call("where", a[0], 1.0, 1.0), turn), a[1]))


def _ad(call: Call, a: Series, p: Params) -> Any:
    high, low, close, volume = a
    reach = call("sub", high, low)
    place = call("div", call("sub", call("sub", close, low), call("sub", high, close)), reach)
    return call("cumsum", call("where", call("gt", reach, 0.0), call("mul", place, volume), 0.0))


def _aroon(extreme: str) -> Callable[[Call, Series, Params], Any]:
    return lambda call, a, p: call("mul", 100.0, call("div", call("sub", call(extreme, a[0], p[0] + 1), 1.0), p[0]))


def _trix(call: Call, a: Series, p: Params) -> Any:
    thrice = call("ema", call("ema", call("ema", a[0], p[0]), p[0]), p[0])
    return call("mul", 100.0, call("pct_change", thrice, 1))


def _cmo(call: Call, a: Series, p: Params) -> Any:
    change = call("delta", a[0], 1)
    rise = call("ts_sum", call("max", change, 0.0), p[0])
    fall = call("ts_sum", call("max", call("neg", change), 0.0), p[0])
    return call("mul", 100.0, call("div", call("sub", rise, fall), call("add", rise, fall)))


def _hma(call: Call, a: Series, p: Params) -> Any:
    half, root = max(1, int(p[0]) // 2), max(1, math.isqrt(int(p[0])))
    twice = call("mul", 2.0, call("decay_linear", a[0], half))
    return call("decay_linear", call("sub", twice, call("decay_linear", a[0], p[0])), root)


def _weighed(total: str) -> Callable[[Call, Series, Params], Any]:
    """Mean of a weighed with v; v counts only where a is known."""

    def means(call: Call, a: Series, p: Params) -> Any:
        weight = call("where", a[0], a[1], a[1])
        return call("div", call(total, call("mul", a[0], a[1]), p[0]), call(total, weight, p[0]))

    return means


def _keltner(sign: str) -> Callable[[Call, Series, Params], Any]:
    return lambda call, a, p: call(sign, call("ema", a[2], p[0]), call("mul", p[1], call("atr", *a, p[0])))


SESSION_SUM = Operator(
    "session_sum", 1, "sum since the last bar index that `bars` divides (1440 on 1m bars: since midnight UTC); NaN where a is",
    "definition; compensated", (Param("bars"),), kernel="running.sums", warm_up=lambda p: max(1, int(p[0]) - 1), state=lambda p: 3,
    floats=lambda p: (0.0, 0.0, 1.0),
)  # fmt: skip

CLOCK = Operator(
    "clock", 1, "the bar index, since 1970, plus `later` bars, in steps of `every` bars, modulo `cycle`: the hour of the day (UTC) on 1h "
    "bars is clock(a, 1, 24, 0); the same whatever a is", "definition", (Param("every"), Param("cycle"), Param("later", least=0.0)),
    unit="rate", kernel="running.clock",
)  # fmt: skip

INDICATORS = (
    made("true_range", 3, "of high, low, close: largest of high - low, |high - last close|, |low - last close|", _true_range,
         aliases=("trange",)),
    made("atr", 3, "wilder(true_range(high, low, close), window)", params=window(), aliases=("average_true_range",),
         means=lambda call, a, p: call("wilder", call("true_range", *a), p[0])),
    made("natr", 3, "100 atr / close", params=window(),
         means=lambda call, a, p: call("mul", 100.0, call("div", call("atr", *a, p[0]), a[2]))),
    made("plus_dm", 2, "of high, low: the high's rise where it is positive and more than the low's fall, else 0", _moved(1)),
    made("minus_dm", 2, "of high, low: the low's fall where it is positive and more than the high's rise, else 0", _moved(-1)),
    made("plus_di", 3, "100 wilder(plus_dm) / atr", _direction("plus"), params=window()),
    made("minus_di", 3, "100 wilder(minus_dm) / atr", _direction("minus"), params=window()),
    made("dx", 3, "100 |plus_di - minus_di| / (plus_di + minus_di), in which the true range cancels", _dx, params=window()),
    made("adx", 3, "wilder(dx, window)", lambda call, a, p: call("wilder", call("dx", *a, p[0]), p[0]), params=window()),
    made("macd", 1, "ema(a, fast) - ema(a, slow)", params=(FAST, SLOW),
         means=lambda call, a, p: call("sub", call("ema", a[0], p[0]), call("ema", a[0], p[1]))),
    made("macd_signal", 1, "ema(macd, signal)", params=(FAST, SLOW, SIGNAL),
         means=lambda call, a, p: call("ema", call("macd", a[0], *p[:2]), p[2])),
    made("macd_hist", 1, "macd - macd_signal", params=(FAST, SLOW, SIGNAL),
         means=lambda call, a, p: call("sub", call("macd", a[0], *p[:2]), call("macd_signal", a[0], *p))),
    made("bb_upper", 1, "Bollinger: ts_mean + k ts_std", _band(1.0), params=(*window(2), WIDTH), aliases=("bollinger_upper",)),
    made("bb_middle", 1, "Bollinger: ts_mean", lambda call, a, p: call("ts_mean", a[0], p[0]), params=window(2),
         aliases=("bollinger_middle",)),
    made("bb_lower", 1, "Bollinger: ts_mean - k ts_std", _band(-1.0), params=(*window(2), WIDTH), aliases=("bollinger_lower",)),
    made("bb_width", 1, "(bb_upper - bb_lower) / bb_middle", _bb_width, params=(*window(2), WIDTH)),
    made("bb_percent", 1, "(a - bb_lower) / (bb_upper - bb_lower)", _bb_percent, params=(*window(2), WIDTH)),
    made("stoch_k", 3, "100 (close - ts_min(low)) / (ts_max(high) - ts_min(low)), of high, low, close", _stoch_k, params=window()),
    made("stoch_d", 3, "ts_mean(stoch_k, m)", params=(*window(), Param("m", default=3)),
         means=lambda call, a, p: call("ts_mean", call("stoch_k", *a, p[0]), p[1])),
    made("williams_r", 3, "-100 (ts_max(high) - close) / (ts_max(high) - ts_min(low))", _williams_r, params=window(), aliases=("willr",)),
    made("cci", 3, "(t - ts_mean(t)) / (0.015 ts_mad(t)), t = (high + low + close) / 3", _cci, params=window()),
    made("mfi", 4, "money flow of rising bars out of all, 0 to 100, of high, low, close, volume", params=window(),
         means=lambda call, a, p: share(call, *money_flows(call, a, int(p[0])))),
    made("obv", 2, "on-balance volume of close, volume: cumsum(sign(change of close) x volume), beginning with the first volume, as "
         "TA-Lib does", _obv),
    made("ad", 4, "accumulation/distribution of high, low, close, volume: cumsum(((close - low) - (high - close)) / (high - low) x volume)",
         _ad),
    made("roc", 1, "100 pct_change", lambda call, a, p: call("mul", 100.0, call("pct_change", a[0], p[0])), params=window()),
    made("aroon_up", 1, "100 (window - bars since the highest of window + 1) / window; give it high", _aroon("ts_argmax"), params=window()),
    made("aroon_down", 1, "100 (window - bars since the lowest of window + 1) / window; give it low", _aroon("ts_argmin"), params=window()),
    made("aroon_osc", 2, "aroon_up(high) - aroon_down(low)", params=window(),
         means=lambda call, a, p: call("sub", call("aroon_up", a[0], p[0]), call("aroon_down", a[1], p[0]))),
    made("trix", 1, "100 pct_change of ema of ema of ema", _trix, params=window()),
    made("cmo", 1, "Chande's momentum: 100 (rises - falls) / (rises + falls), summed over the window", _cmo, params=window()),
    made("kama", 1, "Kaufman's adaptive mean, fast 2, slow 30: ta_kama", lambda call, a, p: call("ta_kama", a[0], p[0]), params=window()),
    made("hma", 1, "Hull's mean: decay_linear(2 decay_linear(a, n / 2) - decay_linear(a, n), sqrt n), whole numbers rounded down", _hma,
         params=window(2)),
    made("vwma", 2, "mean of a weighed with v: ts_sum(a v) / ts_sum(v)", _weighed("ts_sum"), params=window()),
    SESSION_SUM, CLOCK,
    made("vwap_session", 2, "of price, volume: session_sum(price x volume) / session_sum(volume)", _weighed("session_sum"),
         params=(Param("bars"),)),
    made("keltner_upper", 3, "ema(close) + k atr, of high, low, close", _keltner("add"), params=(*window(), WIDTH)),
    made("keltner_lower", 3, "ema(close) - k atr, of high, low, close", _keltner("sub"), params=(*window(), WIDTH)),
    made("donchian_middle", 2, "(ts_max(high) + ts_min(low)) / 2", params=window(),
         means=lambda call, a, p: call("div", call("add", call("ts_max", a[0], p[0]), call("ts_min", a[1], p[0])), 2.0)),
)  # fmt: skip

TECHNICAL: tuple[Operator, ...] = (*INDICATORS, *SEEDED)
