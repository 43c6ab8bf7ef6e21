"""What a call of TA-Lib means: its function's name to the nodes of its results.

The rule: values equal TA-Lib's from the first one on, over bars that are all known. Where a divisor is zero TA-Lib answers 0, and so does
the graph.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from strategies.errors import BadConstant, BadWindow
from strategies.factors.graph import Node, call, const
from strategies.factors.operators import Number
from strategies.factors.operators.seeded import of_hundred, or_zero, shown
from strategies.factors.operators.technical import money_flows, typical


class Call(NamedTuple):
    """One function.

    series   how many series it takes, first and in this order; names: their keywords
    params   keyword and default of each number that follows
    build    build(*nodes, *numbers) -> the results, as many as it has outputs. Raises FactorError
    columns  names of the results where they come as a frame, with the params in braces: `MACD_{fast}_{slow}_{signal}`
    """

    name: str
    series: int
    params: Mapping[str, Number]
    build: Callable[..., tuple[Node, ...]]
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


ROUNDING = 3e-15  # relative: what MFI takes for no change, measured on TA-Lib 0.8
SMA, EMA, WMA, DEMA, TEMA, TRIMA, KAMA, MAMA, T3 = range(9)
MEANS = {SMA: "ts_mean", WMA: "decay_linear", DEMA: "ta_dema", TEMA: "ta_tema", KAMA: "ta_kama", T3: "ta_t3"}


def mean(x: Node, bars: Number, kind: Number = SMA) -> Node:
    """TA-Lib's MA of a type; of one bar it is the series itself."""
    if bars == 1:
        return x
    if kind == EMA:
        return call("ta_ema", x, bars, 0)
    if kind == TRIMA:
        return trima(x, bars)
    if kind not in MEANS:
        raise BadConstant(f"TA-Lib's moving average of type {kind} has no equal here", suggestion="use a matype of 0 to 6, or 8")
    return call(MEANS[int(kind)], x, bars)


def trima(x: Node, bars: Number) -> Node:
    half = (whole(bars) + 1) // 2
    return call("ts_mean", call("ts_mean", x, half), whole(bars) + 1 - half)


def whole(bars: Number) -> int:
    if bars != bars or bars != math.floor(bars) or bars < 1:
        raise BadWindow(f"a period is a whole number of bars, not {bars}")
    return int(bars)


def deviation(x: Node, bars: Number, times: Number = 1.0) -> Node:
    """Of the population: ts_std x sqrt((n - 1) / n)."""
    n = whole(bars)
    return call("mul", call("mul", call("ts_std", x, n), call("pow", call("div", n - 1, n), 0.5)), times)


def variance(x: Node, bars: Number) -> Node:
    n = whole(bars)
    return call("mul", x, 0.0) if n == 1 else call("mul", call("ts_var", x, n), call("div", n - 1, n))


def bands(x: Node, bars: Number, up: Number, down: Number, kind: Number) -> tuple[Node, ...]:
    middle, spread = mean(x, bars, kind), deviation(x, bars)
    upper, lower = call("add", middle, call("mul", spread, up)), call("sub", middle, call("mul", spread, down))
    return shown(call, upper, middle), middle, shown(call, lower, middle)


def difference(x: Node, fast: Number, slow: Number, kind: Number) -> tuple[Node, Node]:
    """Two means, the faster first; unlike MACD's each begins on its own bar."""
    fast, slow = sorted((whole(fast), whole(slow)))
    return mean(x, fast, kind), mean(x, slow, kind)


def apo(x: Node, fast: Number, slow: Number, kind: Number) -> tuple[Node, ...]:
    quick, calm = difference(x, fast, slow, kind)
    return (call("sub", quick, calm),)


def ppo(x: Node, fast: Number, slow: Number, kind: Number) -> tuple[Node, ...]:
    quick, calm = difference(x, fast, slow, kind)
    return (call("mul", 100.0, call("div", call("sub", quick, calm), calm)),)


def macd(x: Node, fast: Number, slow: Number, signal: Number) -> tuple[Node, ...]:
    return tuple(call(f"ta_macd{which}", x, fast, slow, signal) for which in ("", "_signal", "_hist"))


def fast_stochastic(high: Node, low: Node, close: Node, bars: Number) -> Node:
    lowest = call("ts_min", low, bars)
    return of_hundred(call, call("sub", close, lowest), call("sub", call("ts_max", high, bars), lowest))  # type: ignore[no-any-return]


def stoch(high: Node, low: Node, close: Node, fast: Number, slow_k: Number, k_kind: Number, slow_d: Number, d_kind: Number
          ) -> tuple[Node, ...]:  # fmt: skip
    k = mean(fast_stochastic(high, low, close, fast), slow_k, k_kind)
    d = mean(k, slow_d, d_kind)
    return shown(call, k, d), d


def stochf(high: Node, low: Node, close: Node, fast: Number, fast_d: Number, kind: Number) -> tuple[Node, ...]:
    k = fast_stochastic(high, low, close, fast)
    d = mean(k, fast_d, kind)
    return shown(call, k, d), d


def stochrsi(x: Node, bars: Number, fast: Number, fast_d: Number, kind: Number) -> tuple[Node, ...]:
    strength = call("ta_rsi", x, bars)
    return stochf(strength, strength, strength, fast, fast_d, kind)


def ultosc(high: Node, low: Node, close: Node, *periods: Number) -> tuple[Node, ...]:
    last, reach = call("delay", close, 1), call("true_range", high, low, close)
    pressure = call("sub", close, call("min", low, last))
    parts = []
    for weight, bars in zip((4.0, 2.0, 1.0), sorted(periods), strict=True):
        parts.append(call("mul", weight, or_zero(call, call("ts_sum", pressure, bars), call("ts_sum", reach, bars))))
    return (call("mul", call("div", 100.0, 7.0), call("add", call("add", parts[0], parts[1]), parts[2])),)


def cci(high: Node, low: Node, close: Node, bars: Number) -> tuple[Node, ...]:
    price = typical(call, high, low, close)
    return (or_zero(call, call("sub", price, call("ts_mean", price, bars)), call("mul", 0.015, call("ts_mad", price, bars))),)


def mfi(high: Node, low: Node, close: Node, volume: Node, bars: Number) -> tuple[Node, ...]:
    """TA-Lib takes a change of rounding for none, and says 0 below one unit of money."""
    rising, falling = money_flows(call, (high, low, close, volume), whole(bars), ROUNDING)
    both = call("add", rising, falling)
    return (call("mul", 100.0, call("where", call("ge", both, 1.0), call("div", rising, both), 0.0)),)


def willr(high: Node, low: Node, close: Node, bars: Number) -> tuple[Node, ...]:
    highest = call("ts_max", high, bars)
    part, reach = call("sub", highest, close), call("sub", highest, call("ts_min", low, bars))
    return (call("mul", -100.0, or_zero(call, part, reach)),)


def aroon(high: Node, low: Node, bars: Number) -> tuple[Node, ...]:
    """Down first, as TA-Lib gives them; each is known where both are."""
    down, up = call("ta_aroon_down", low, bars), call("ta_aroon_up", high, bars)
    return shown(call, down, up), shown(call, up, down)


def zero_where_flat(value: Node, x: Node, y: Node, bars: Number) -> tuple[Node, ...]:
    """0 where all of the window is known and yet the value is not: nothing moved in it."""
    still = call("mul", 0.0, call("ts_sum", call("add", x, y), bars))
    return (call("where", call("is_nan", value), still, value),)


def correl(x: Node, y: Node, bars: Number) -> tuple[Node, ...]:
    return zero_where_flat(call("ts_corr", x, y, bars), x, y, bars)


def beta(x: Node, y: Node, bars: Number) -> tuple[Node, ...]:
    """Slope of the second's returns on the first's."""
    of_x, of_y = returns(x), returns(y)
    return zero_where_flat(call("ts_beta", of_y, of_x, bars), of_x, of_y, bars)


def returns(x: Node) -> Node:
    return call("pct_change", x, 1)


def adxr(high: Node, low: Node, close: Node, bars: Number) -> tuple[Node, ...]:
    adx = call("ta_adx", high, low, close, bars)
    return (call("div", call("add", adx, call("delay", adx, whole(bars) - 1)), 2.0),)


def line(x: Node, bars: Number, at: Number) -> Node:
    """The least-squares line of the last bars, at a place of its own: 0 is the oldest."""
    return call("add", call("ts_intercept", x, bars), call("mul", call("ts_slope", x, bars), at))


def imi(opened: Node, close: Node, bars: Number) -> tuple[Node, ...]:
    """Of the moves within bars: the rises out of all, 0 to 100; 50 where there are none."""
    move = call("sub", close, opened)
    rises, moves = call("ts_sum", call("max", move, 0.0), bars), call("ts_sum", call("abs", move), bars)
    return (call("where", call("gt", moves, 0.0), call("mul", 100.0, call("div", rises, moves)), 50.0),)


def accbands(high: Node, low: Node, close: Node, bars: Number) -> tuple[Node, ...]:
    """Upper, middle, lower."""
    both = call("add", high, low)
    reach = call("where", call("eq", both, 0.0), 0.0, call("mul", 4.0, call("div", call("sub", high, low), both)))
    upper = call("mul", high, call("add", 1.0, reach))
    lower = call("mul", low, call("sub", 1.0, reach))
    return tuple(call("ts_mean", x, bars) for x in (upper, close, lower))


def middle_of(*series: Node) -> Node:
    total = series[0]
    for each in series[1:]:
        total = call("add", total, each)
    return call("div", total, float(len(series)))


HLC, HLCV, OHLC = ("high", "low", "close"), ("high", "low", "close", "volume"), ("open", "high", "low", "close")
PERIOD = {"timeperiod": 14}
MONTH = {"timeperiod": 30}


def _one(name: str, op: str, series: tuple[str, ...] = ("real",), **params: Number) -> Call:
    """A function that is an operator."""
    return Call(name, len(series), params, lambda *a: (call(op, *a),), series)


def _of(name: str, series: tuple[str, ...], build: Callable[..., tuple[Node, ...]], **params: Number) -> Call:
    return Call(name, len(series), params, build, series)


REAL, PAIR = ("real",), ("real0", "real1")
_ROWS = (
    _of("MA", REAL, lambda x, n, kind: (mean(x, n, kind),), timeperiod=30, matype=0),
    _of("SMA", REAL, lambda x, n: (mean(x, n),), **MONTH), _of("EMA", REAL, lambda x, n: (mean(x, n, EMA),), **MONTH),
    _of("WMA", REAL, lambda x, n: (mean(x, n, WMA),), **MONTH), _one("DEMA", "ta_dema", REAL, **MONTH),
    _one("TEMA", "ta_tema", REAL, **MONTH),
    _of("TRIMA", REAL, lambda x, n: (trima(x, n),), **MONTH), _one("KAMA", "ta_kama", REAL, **MONTH),
    _one("T3", "ta_t3", timeperiod=5, vfactor=0.7), _one("TRIX", "ta_trix", REAL, **MONTH),
    _of("BBANDS", REAL, bands, timeperiod=5, nbdevup=2.0, nbdevdn=2.0, matype=0),
    _of("MIDPOINT", REAL, lambda x, n: (middle_of(call("ts_max", x, n), call("ts_min", x, n)),), **PERIOD),
    _of("MIDPRICE", ("high", "low"), lambda h, low, n: (middle_of(call("ts_max", h, n), call("ts_min", low, n)),), **PERIOD),
    _one("SAR", "ta_sar", ("high", "low"), acceleration=0.02, maximum=0.2),
    _one("RSI", "ta_rsi", REAL, **PERIOD), _one("CMO", "ta_cmo", REAL, **PERIOD), _one("MOM", "delta", timeperiod=10),
    _one("ROC", "roc", timeperiod=10), _one("ROCP", "pct_change", timeperiod=10),
    _of("ROCR", REAL, lambda x, n: (call("div", x, call("delay", x, n)),), timeperiod=10),
    _of("ROCR100", REAL, lambda x, n: (call("mul", 100.0, call("div", x, call("delay", x, n))),), timeperiod=10),
    _of("MACD", REAL, macd, fastperiod=12, slowperiod=26, signalperiod=9),
    _of("APO", REAL, apo, fastperiod=12, slowperiod=26, matype=0), _of("PPO", REAL, ppo, fastperiod=12, slowperiod=26, matype=0),
    _of("STOCH", HLC, stoch, fastk_period=5, slowk_period=3, slowk_matype=0, slowd_period=3, slowd_matype=0),
    _of("STOCHF", HLC, stochf, fastk_period=5, fastd_period=3, fastd_matype=0),
    _of("STOCHRSI", REAL, stochrsi, timeperiod=14, fastk_period=5, fastd_period=3, fastd_matype=0),
    _of("ULTOSC", HLC, ultosc, timeperiod1=7, timeperiod2=14, timeperiod3=28),
    _of("CCI", HLC, cci, **PERIOD), _of("MFI", HLCV, mfi, **PERIOD), _of("WILLR", HLC, willr, **PERIOD),
    _of("AROON", ("high", "low"), aroon, **PERIOD),
    _of("AROONOSC", ("high", "low"), lambda h, low, n: (call("sub", call("ta_aroon_up", h, n), call("ta_aroon_down", low, n)),), **PERIOD),
    _of("BOP", OHLC, lambda o, h, low, c: (or_zero(call, call("sub", c, o), call("sub", h, low)),)),
    _one("TRANGE", "true_range", HLC), _one("ATR", "ta_atr", HLC, **PERIOD), _one("NATR", "ta_natr", HLC, **PERIOD),
    _one("ADX", "ta_adx", HLC, **PERIOD), _of("ADXR", HLC, adxr, **PERIOD), _one("DX", "ta_dx", HLC, **PERIOD),
    _one("PLUS_DI", "ta_plus_di", HLC, **PERIOD), _one("MINUS_DI", "ta_minus_di", HLC, **PERIOD),
    _of("PLUS_DM", ("high", "low"), lambda h, low, n: (call("ta_wilder_sum", call("plus_dm", h, low), n, 1),), **PERIOD),
    _of("MINUS_DM", ("high", "low"), lambda h, low, n: (call("ta_wilder_sum", call("minus_dm", h, low), n, 1),), **PERIOD),
    _one("OBV", "obv", ("real", "volume")), _one("AD", "ad", HLCV), _one("ADOSC", "ta_adosc", HLCV, fastperiod=3, slowperiod=10),
    _of("STDDEV", REAL, lambda x, n, k: (deviation(x, n, k),), timeperiod=5, nbdev=1.0),
    _of("VAR", REAL, lambda x, n, k: (variance(x, n),), timeperiod=5, nbdev=1.0),
    _of("CORREL", PAIR, correl, **MONTH), _of("BETA", PAIR, beta, timeperiod=5),
    _one("LINEARREG_SLOPE", "ts_slope", REAL, **PERIOD), _one("LINEARREG_INTERCEPT", "ts_intercept", REAL, **PERIOD),
    _of("LINEARREG", REAL, lambda x, n: (line(x, n, whole(n) - 1),), **PERIOD),
    _of("TSF", REAL, lambda x, n: (line(x, n, whole(n)),), **PERIOD),
    _of("LINEARREG_ANGLE", REAL, lambda x, n: (call("mul", call("arctan", call("ts_slope", x, n)), call("div", 180.0, const(math.pi))),),
        **PERIOD),
    _one("AVGDEV", "ts_mad", REAL, **PERIOD), _of("IMI", ("open", "close"), imi, **PERIOD), _of("ACCBANDS", HLC, accbands, timeperiod=20),
    _one("SUM", "ts_sum", REAL, **MONTH), _one("MAX", "ts_max", REAL, **MONTH), _one("MIN", "ts_min", REAL, **MONTH),
    _of("MINMAX", REAL, lambda x, n: (call("ts_min", x, n), call("ts_max", x, n)), **MONTH),
    _of("AVGPRICE", OHLC, lambda *a: (middle_of(*a),)), _of("MEDPRICE", ("high", "low"), lambda *a: (middle_of(*a),)),
    _of("TYPPRICE", HLC, lambda *a: (middle_of(*a),)), _of("WCLPRICE", HLC, lambda h, low, c: (middle_of(h, low, c, c),)),
    _one("ADD", "add", PAIR), _one("SUB", "sub", PAIR), _one("MULT", "mul", PAIR), _one("DIV", "div", PAIR),
    _one("SQRT", "sqrt"), _one("LN", "log"), _one("EXP", "exp"), _one("TANH", "tanh"), _one("ATAN", "arctan"), _one("SIN", "sin"),
    _one("COS", "cos"), _one("FLOOR", "floor"), _one("CEIL", "ceil"),
    _of("LOG10", REAL, lambda x: (call("div", call("log", x), call("log", 10.0)),)),
)  # fmt: skip

TALIB: Mapping[str, Call] = {row.name: row for row in _ROWS}
