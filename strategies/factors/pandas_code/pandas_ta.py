"""What a call of pandas-ta means: its function's name to the nodes of its results.

The rule: values are those of its own definitions, which is what it computes unless it is told to call TA-Lib (pandas-ta-classic, the one
that goes on, asks with talib=False). They equal TA-Lib's where the definitions do: rsi, ema, atr, adx. Where pandas-ta adds an epsilon to
a range of zero, the quotient here is 0. Functions that look ahead by default (dpo, ichimoku) are refused unless told not to.
"""

from collections.abc import Callable, Mapping

from strategies.errors import LookAhead
from strategies.factors.graph import Node, call
from strategies.factors.operators import Number
from strategies.factors.operators.seeded import chain, or_zero, shown
from strategies.factors.operators.technical import share, typical
from strategies.factors.pandas_code.talib import HLC, HLCV, Call, aroon, line, middle_of, returns, whole


def ema(x: Node, bars: Number) -> Node:
    return call("ta_ema", x, bars, 0)


def sma(x: Node, bars: Number) -> Node:
    return call("ts_mean", x, bars)


def percent(part: Node, all_of: Node, scalar: Number = 100.0) -> Node:
    return call("mul", scalar, call("div", part, all_of))


def rsi(x: Node, bars: Number) -> Node:
    change = call("delta", x, 1)
    rise = call("ta_wilder", call("max", change, 0.0), bars)
    return share(call, rise, call("ta_wilder", call("max", call("neg", change), 0.0), bars))  # type: ignore[no-any-return]


def within(x: Node, low: Node, high: Node, bars: Number) -> Node:
    """100 x the place of x between the lowest and the highest; 0 where they are one."""
    lowest = call("ts_min", low, bars)
    return call("mul", 100.0, or_zero(call, call("sub", x, lowest), call("sub", call("ts_max", high, bars), lowest)))


def macd(x: Node, fast: Number, slow: Number, signal: Number) -> tuple[Node, ...]:
    fast, slow = sorted((whole(fast), whole(slow)))
    difference = call("sub", ema(x, fast), ema(x, slow))
    average = ema(difference, signal)
    return difference, call("sub", difference, average), average


def stoch(high: Node, low: Node, close: Node, k: Number, d: Number, smooth: Number) -> tuple[Node, ...]:
    slow = sma(within(close, low, high, k), smooth)
    return slow, sma(slow, d)


def stochrsi(x: Node, bars: Number, rsi_bars: Number, k: Number, d: Number) -> tuple[Node, ...]:
    strength = rsi(x, rsi_bars)
    slow = sma(within(strength, strength, strength, bars), k)
    return slow, sma(slow, d)


def adx(high: Node, low: Node, close: Node, bars: Number, signal: Number) -> tuple[Node, ...]:
    """`lensig` is `length` where it is 0."""
    up, down = (call(name, high, low, close, bars) for name in ("ta_plus_di", "ta_minus_di"))
    return call("ta_wilder", call("ta_dx", high, low, close, bars), signal or bars), up, down


def deviation(x: Node, bars: Number, ddof: Number) -> Node:
    return call("pow", variance(x, bars, ddof), 0.5)


def variance(x: Node, bars: Number, ddof: Number) -> Node:
    n = whole(bars)
    return call("mul", call("ts_var", x, n), call("div", n - 1, n - ddof))


def bbands(x: Node, bars: Number, std: Number, ddof: Number) -> tuple[Node, ...]:
    middle, reach = sma(x, bars), call("mul", std, deviation(x, bars, ddof))
    lower, upper = call("sub", middle, reach), call("add", middle, reach)
    both = call("sub", upper, lower)
    return lower, middle, upper, percent(both, middle), or_zero(call, call("sub", x, lower), both)


def donchian(high: Node, low: Node, lower_bars: Number, upper_bars: Number) -> tuple[Node, ...]:
    lower, upper = call("ts_min", low, lower_bars), call("ts_max", high, upper_bars)
    return lower, middle_of(lower, upper), upper


def kc(high: Node, low: Node, close: Node, bars: Number, scalar: Number) -> tuple[Node, ...]:
    middle = ema(close, bars)
    reach = call("mul", scalar, ema(call("true_range", high, low, close), bars))
    return call("sub", middle, reach), middle, call("add", middle, reach)


def cci(high: Node, low: Node, close: Node, bars: Number, factor: Number) -> tuple[Node, ...]:
    price = typical(call, high, low, close)
    return (call("div", call("sub", price, sma(price, bars)), call("mul", factor, call("ts_mad", price, bars))),)


def mfi(high: Node, low: Node, close: Node, volume: Node, bars: Number) -> tuple[Node, ...]:
    """The first change, which is not known, counts as none."""
    price = typical(call, high, low, close)
    change, paid = call("nan_to", call("delta", price, 1), 0.0), call("mul", price, volume)
    rising, falling = (call("ts_sum", call("where", call(way, change, 0.0), paid, 0.0), bars) for way in ("gt", "lt"))
    return (share(call, rising, falling),)


def kama(x: Node, bars: Number) -> tuple[Node, ...]:
    """It shows the value that seeds it."""
    adaptive = call("ta_kama", x, bars)
    return (call("where", call("is_nan", adaptive), shown(call, x, call("delay", x, whole(bars) - 1)), adaptive),)


def accumulation(high: Node, low: Node, close: Node, volume: Node) -> Node:
    place = or_zero(call, call("sub", call("mul", 2.0, close), call("add", high, low)), call("sub", high, low))
    return call("mul", place, volume)


def cmf(high: Node, low: Node, close: Node, volume: Node, bars: Number) -> tuple[Node, ...]:
    return (call("div", call("ts_sum", accumulation(high, low, close, volume), bars), call("ts_sum", volume, bars)),)


def ppo(x: Node, fast: Number, slow: Number, signal: Number) -> tuple[Node, ...]:
    quick, calm = (sma(x, bars) for bars in sorted((whole(fast), whole(slow))))
    gap = percent(call("sub", quick, calm), calm)
    average = ema(gap, signal)
    return gap, call("sub", gap, average), average


def tsi(x: Node, fast: Number, slow: Number, signal: Number) -> tuple[Node, ...]:
    change = call("delta", x, 1)
    strength = percent(ema(ema(change, slow), fast), ema(ema(call("abs", change), slow), fast))
    return strength, ema(strength, signal)


def trix(x: Node, bars: Number, signal: Number) -> tuple[Node, ...]:
    change = call("mul", 100.0, call("pct_change", chain(call, x, whole(bars), 3)[-1], 1))
    return change, sma(change, signal)


def aroons(high: Node, low: Node, bars: Number) -> tuple[Node, ...]:
    down, up = aroon(high, low, bars)
    return down, up, call("sub", up, down)


def vortex(high: Node, low: Node, close: Node, bars: Number) -> tuple[Node, ...]:
    reach = call("ts_sum", call("true_range", high, low, close), bars)
    rise = call("abs", call("sub", high, call("delay", low, 1)))
    fall = call("abs", call("sub", low, call("delay", high, 1)))
    return tuple(call("div", call("ts_sum", move, bars), reach) for move in (rise, fall))


def chop(high: Node, low: Node, close: Node, bars: Number, atr_bars: Number, scalar: Number) -> tuple[Node, ...]:
    path = call("ts_sum", call("ta_atr", high, low, close, atr_bars), bars)
    reach = call("sub", call("ts_max", high, bars), call("ts_min", low, bars))
    return (call("mul", scalar, call("div", call("log", call("div", path, reach)), call("log", whole(bars)))),)


def uo(high: Node, low: Node, close: Node, *numbers: Number) -> tuple[Node, ...]:
    last = call("delay", close, 1)
    bottom = call("fmin", low, last)
    pressure, reach = call("sub", close, bottom), call("sub", call("fmax", high, last), bottom)
    total: Node | None = None
    for bars, weight in zip(numbers[:3], numbers[3:], strict=True):
        part = call("mul", weight, call("div", call("ts_sum", pressure, bars), call("ts_sum", reach, bars)))
        total = part if total is None else call("add", total, part)
    assert total is not None
    return (call("div", call("mul", 100.0, total), sum(numbers[3:])),)


def zlma(x: Node, bars: Number) -> tuple[Node, ...]:
    lag = (whole(bars) - 1) // 2
    return (ema(call("sub", call("mul", 2.0, x), call("delay", x, lag)), bars),)


def log_return(x: Node, bars: Number) -> tuple[Node, ...]:
    return (call("log", call("div", x, call("delay", x, bars))),)


def ulcer(x: Node, bars: Number, scalar: Number) -> tuple[Node, ...]:
    highest = call("ts_max", x, bars)
    down = percent(call("sub", x, highest), highest, scalar)
    return (call("pow", sma(call("mul", down, down), bars), 0.5),)


def slope(x: Node, bars: Number) -> tuple[Node, ...]:
    return (call("div", call("delta", x, bars), whole(bars)),)


def efficiency(x: Node, bars: Number) -> Node:
    return call("div", call("abs", call("delta", x, bars)), call("ts_sum", call("abs", call("delta", x, 1)), bars))


def dpo(x: Node, bars: Number, centered: Number) -> tuple[Node, ...]:
    if centered:
        raise LookAhead("dpo shifts its result into the past", suggestion="use dpo(close, length, centered=False)")
    return (call("sub", x, call("delay", sma(x, bars), whole(bars) // 2 + 1)),)


def ichimoku(*_: Node | Number) -> tuple[Node, ...]:
    raise LookAhead("ichimoku's chikou span is the close of bars to come", suggestion="use (ts_max(high, 9) + ts_min(low, 9)) / 2")


def supertrend(high: Node, low: Node, close: Node, bars: Number, times: Number) -> tuple[Node, ...]:
    """The line, which is 0 on the very first bar; the side; the line where it is below the close; where it is above."""
    own, side = call("supertrend", high, low, close, bars, times), call("supertrend_side", high, low, close, bars, times)
    shown_first = call("where", call("eq", call("expanding_count", close), 1.0), 0.0, own)
    return shown_first, side, call("keep", own, call("gt", side, 0.0)), call("keep", own, call("lt", side, 0.0))


def vwap(high: Node, low: Node, close: Node, volume: Node, bars: Number) -> tuple[Node, ...]:
    return (call("vwap_session", typical(call, high, low, close), volume, bars),)


def mid(high: Node, low: Node, bars: Number) -> Node:
    return middle_of(call("ts_max", high, bars), call("ts_min", low, bars))


def money(price: Node, volume: Node) -> Node:
    return call("mul", call("delta", price, 1), volume)


DAY = "bars_a_day"  # a number that the reader of code fills in, from the timeframe
CLOSE, HL, CV, OHLC = ("close",), ("high", "low"), ("close", "volume"), ("open_", "high", "low", "close")
TEN, MONTH = {"length": 10}, {"length": 30}


def _of(name: str, series: tuple[str, ...], build: Callable[..., tuple[Node, ...]], columns: str = "", **params: Number) -> Call:
    return Call(name, len(series), params, build, series, tuple(columns.split()))


def _one(name: str, series: tuple[str, ...], build: Callable[..., Node], **params: Number) -> Call:
    return _of(name, series, lambda *a: (build(*a),), "", **params)


def _op(name: str, series: tuple[str, ...], op: str, **params: Number) -> Call:
    return _one(name, series, lambda *a: call(op, *a), **params)


_ROWS = (
    _one("sma", CLOSE, sma, **TEN), _one("ema", CLOSE, ema, **TEN), _op("rma", CLOSE, "ta_wilder", **TEN),
    _op("wma", CLOSE, "decay_linear", **TEN), _op("hma", CLOSE, "hma", **TEN), _op("dema", CLOSE, "ta_dema", **TEN),
    _op("tema", CLOSE, "ta_tema", **TEN), _op("t3", CLOSE, "ta_t3", length=10, a=0.7), _of("kama", CLOSE, kama, "", **TEN),
    _one("trima", CLOSE, lambda x, n: sma(sma(x, whole(n) // 2 + 1), whole(n) // 2 + 1), **TEN), _of("zlma", CLOSE, zlma, "", **TEN),
    _op("vwma", CV, "vwma", **TEN), _one("linreg", CLOSE, lambda x, n: line(x, n, whole(n) - 1), length=14),
    _one("midpoint", CLOSE, lambda x, n: mid(x, x, n), length=2), _one("midprice", HL, mid, length=2),
    _one("hl2", HL, middle_of), _one("hlc3", HLC, middle_of), _one("ohlc4", OHLC, middle_of),
    _one("wcp", HLC, lambda h, low, c: middle_of(h, low, c, c)),
    _one("rsi", CLOSE, rsi, length=14), _one("roc", CLOSE, lambda x, n: call("roc", x, n), **TEN), _op("mom", CLOSE, "delta", **TEN),
    _op("cmo", CLOSE, "cmo", length=14), _of("macd", CLOSE, macd, "MACD_{fast}_{slow}_{signal} MACDh_{fast}_{slow}_{signal} "
        "MACDs_{fast}_{slow}_{signal}", fast=12, slow=26, signal=9),
    _of("ppo", CLOSE, ppo, "PPO_{fast}_{slow}_{signal} PPOh_{fast}_{slow}_{signal} PPOs_{fast}_{slow}_{signal}",
        fast=12, slow=26, signal=9),
    _one("apo", CLOSE, lambda x, fast, slow: call("sub", sma(x, min(fast, slow)), sma(x, max(fast, slow))), fast=12, slow=26),
    _of("trix", CLOSE, trix, "TRIX_{length}_{signal} TRIXs_{length}_{signal}", length=30, signal=9),
    _of("tsi", CLOSE, tsi, "TSI_{fast}_{slow}_{signal} TSIs_{fast}_{slow}_{signal}", fast=13, slow=25, signal=13),
    _of("stoch", HLC, stoch, "STOCHk_{k}_{d}_{smooth_k} STOCHd_{k}_{d}_{smooth_k}", k=14, d=3, smooth_k=3),
    _of("stochrsi", CLOSE, stochrsi, "STOCHRSIk_{length}_{rsi_length}_{k}_{d} STOCHRSId_{length}_{rsi_length}_{k}_{d}",
        length=14, rsi_length=14, k=3, d=3),
    _of("uo", HLC, uo, fast=7, medium=14, slow=28, fast_w=4.0, medium_w=2.0, slow_w=1.0),
    _one("willr", HLC, lambda h, low, c, n: call("williams_r", h, low, c, n), length=14), _of("cci", HLC, cci, length=14, c=0.015),
    _one("ao", HL, lambda h, low, fast, slow: call("sub", sma(middle_of(h, low), min(fast, slow)), sma(middle_of(h, low), max(fast, slow))),
         fast=5, slow=34),
    _one("bop", OHLC, lambda o, h, low, c: or_zero(call, call("sub", c, o), call("sub", h, low))),
    _one("er", CLOSE, efficiency, **TEN),
    _of("slope", CLOSE, slope, length=1), _of("dpo", CLOSE, dpo, length=20, centered=1), _of("ichimoku", HLC, ichimoku, tenkan=9, kijun=26,
        senkou=52), _of("chop", HLC, chop, length=14, atr_length=1, scalar=100.0),
    _of("adx", HLC, adx, "ADX_{length} DMP_{length} DMN_{length}", length=14, lensig=0),
    _of("aroon", HL, aroons, "AROOND_{length} AROONU_{length} AROONOSC_{length}", length=14),
    _of("vortex", HLC, vortex, "VTXP_{length} VTXM_{length}", length=14),
    _of("supertrend", HLC, supertrend, "SUPERT_{length}_{multiplier} SUPERTd_{length}_{multiplier} SUPERTl_{length}_{multiplier} "
        "SUPERTs_{length}_{multiplier}", length=7, multiplier=3.0),
    _of("vwap", HLCV, vwap, "", **{DAY: 24}),
    _op("true_range", HLC, "true_range"), _op("atr", HLC, "ta_atr", length=14), _op("natr", HLC, "ta_natr", length=14),
    _of("bbands", CLOSE, bbands, "BBL_{length}_{std} BBM_{length}_{std} BBU_{length}_{std} BBB_{length}_{std} BBP_{length}_{std}",
        length=5, std=2.0, ddof=0),
    _of("donchian", HL, donchian, "DCL_{lower_length}_{upper_length} DCM_{lower_length}_{upper_length} DCU_{lower_length}_{upper_length}",
        lower_length=20, upper_length=20),
    _of("kc", HLC, kc, "KCLe_{length}_{scalar} KCBe_{length}_{scalar} KCUe_{length}_{scalar}", length=20, scalar=2.0),
    _of("ui", CLOSE, ulcer, length=14, scalar=100.0), _op("obv", CV, "obv"),
    _of("mfi", HLCV, mfi, length=14), _of("cmf", HLCV, cmf, length=20),
    _one("ad", HLCV, lambda *a: call("cumsum", accumulation(*a))), _op("adosc", HLCV, "ta_adosc", fast=3, slow=10),
    _one("efi", CV, lambda x, v, n: ema(money(x, v), n), length=13),
    _one("pvt", CV, lambda x, v: call("cumsum", call("mul", call("mul", 100.0, returns(x)), v))),
    _one("zscore", CLOSE, lambda x, n, k: call("div", call("ts_zscore", x, n), k), length=30, std=1.0),
    _one("stdev", CLOSE, deviation, length=30, ddof=0), _one("variance", CLOSE, variance, length=30, ddof=0),
    _op("skew", CLOSE, "ts_skew", **MONTH), _op("kurtosis", CLOSE, "ts_kurt", **MONTH), _op("median", CLOSE, "ts_median", **MONTH),
    _op("quantile", CLOSE, "ts_quantile", length=30, q=0.5), _op("mad", CLOSE, "ts_mad", **MONTH),
    _of("log_return", CLOSE, log_return, length=1), _op("percent_return", CLOSE, "pct_change", length=1),
)  # fmt: skip

PANDAS_TA: Mapping[str, Call] = {row.name: row for row in _ROWS}
