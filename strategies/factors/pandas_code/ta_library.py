"""What a call of the library `ta` means: its function's name, or its class's and method's, to the node of the result.

The rule: values are those of `ta` with fillna=False; fillna=True, which begins with numbers that are not known, is refused.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from strategies.errors import BadConstant
from strategies.factors.graph import Node, call
from strategies.factors.operators import Number
from strategies.factors.operators.technical import typical
from strategies.factors.pandas_code.pandas_ta import accumulation, cmf, mid, money, sma, variance, vortex
from strategies.factors.pandas_code.talib import HLC, HLCV, Call, mean, middle_of, returns, whole

CLOSE, HL, CV = ("close",), ("high", "low"), ("close", "volume")
FILL: Mapping[str, Number] = MappingProxyType({"fillna": 0})


def relative_strength(x: Node, bars: Number) -> Node:
    """The first bar counts as one without a change; 100 where nothing fell."""
    change, span = call("delta", x, 1), 2.0 * bars - 1.0
    rise, fall = (call("ewm_mean", call("nan_to", call("max", way, 0.0), 0.0), span, 0.0, bars) for way in (change, call("neg", change)))
    return call("where", call("eq", fall, 0.0), 100.0, call("div", call("mul", 100.0, rise), call("add", rise, fall)))


def ema(x: Node, bars: Number) -> Node:
    return call("ewm_mean", x, float(bars), 0.0, bars)


def gap(x: Node, slow: Number, fast: Number, *, relative: bool) -> Node:
    calm = ema(x, slow)
    difference = call("sub", ema(x, fast), calm)
    return call("mul", 100.0, call("div", difference, calm)) if relative else difference


def oscillators(*, relative: bool) -> tuple[Callable[..., Node], ...]:
    """The line, its signal, their difference."""

    def line(x: Node, slow: Number, fast: Number, signal: Number) -> Node:
        return gap(x, slow, fast, relative=relative)

    def average(x: Node, slow: Number, fast: Number, signal: Number) -> Node:
        return ema(line(x, slow, fast, signal), signal)

    return line, average, lambda x, slow, fast, signal: call("sub", line(x, slow, fast, signal), average(x, slow, fast, signal))


def atr(high: Node, low: Node, close: Node, bars: Number) -> Node:
    """0 before the first `bars` ranges, the very first of which is high - low."""
    last = call("delay", close, 1)
    reach = call("fmax", call("abs", call("sub", high, last)), call("abs", call("sub", low, last)))
    return call("nan_to", call("ta_wilder", call("fmax", call("sub", high, low), reach), bars), 0.0)


def band(x: Node, bars: Number, times: Number) -> Node:
    return call("add", sma(x, bars), call("mul", times, call("pow", variance(x, bars, 0), 0.5)))


def width(x: Node, bars: Number, times: Number) -> Node:
    return call("mul", 100.0, call("div", call("sub", band(x, bars, times), band(x, bars, -times)), sma(x, bars)))


def percent_band(x: Node, bars: Number, times: Number) -> Node:
    lower = band(x, bars, -times)
    return call("div", call("sub", x, lower), call("sub", band(x, bars, times), lower))


def beyond(x: Node, bars: Number, times: Number, side: int) -> Node:
    edge = band(x, bars, side * times)
    return call("nan_to", call("gt", x, edge) if side > 0 else call("lt", x, edge), 0.0)


def strength_index(x: Node, slow: Number, fast: Number) -> Node:
    change = call("delta", x, 1)
    return call("mul", 100.0, call("div", ema(ema(change, slow), fast), ema(ema(call("abs", change), slow), fast)))


def stochastic_strength(x: Node, bars: Number) -> Node:
    strength = relative_strength(x, bars)
    lowest = call("ts_min", strength, bars)
    return call("div", call("sub", strength, lowest), call("sub", call("ts_max", strength, bars), lowest))


def cci(high: Node, low: Node, close: Node, bars: Number, constant: Number) -> Node:
    price = typical(call, high, low, close)
    return call("div", call("sub", price, sma(price, bars)), call("mul", constant, call("ts_mad", price, bars)))


def money_flow(high: Node, low: Node, close: Node, volume: Node, bars: Number) -> Node:
    price = typical(call, high, low, close)
    change, paid = call("nan_to", call("delta", price, 1), 0.0), call("mul", price, volume)
    rising, falling = (call("ts_sum", call("where", call(way, change, 0.0), paid, 0.0), bars) for way in ("gt", "lt"))
    return call("div", call("mul", 100.0, rising), call("add", rising, falling))


def on_balance(x: Node, volume: Node) -> Node:
    """An equal close counts as a rise, and so does the first."""
    fell = call("nan_to", call("lt", call("delta", x, 1), 0.0), 0.0)
    return call("cumsum", call("where", fell, call("neg", volume), volume))


def aroon(x: Node, bars: Number, extreme: str) -> Node:
    return call("mul", call("div", call("sub", call(extreme, x, whole(bars) + 1), 1.0), whole(bars)), 100.0)


def vwap(high: Node, low: Node, close: Node, volume: Node, bars: Number) -> Node:
    price = typical(call, high, low, close)
    return call("div", call("ts_sum", call("mul", price, volume), bars), call("ts_sum", volume, bars))


def keltner(high: Node, low: Node, close: Node, bars: Number, weights: tuple[float, float]) -> Node:
    price = call("add", call("add", call("mul", weights[0], high), call("mul", weights[1], low)), close)
    return call("roll_mean", call("div", price, 3.0), bars, 1)


def trix(x: Node, bars: Number) -> Node:
    return call("mul", 100.0, call("pct_change", ema(ema(ema(x, bars), bars), bars), 1))


def plain(build: Callable[..., Node]) -> Callable[..., tuple[Node, ...]]:
    """With `fillna` as the last number."""

    def checked(*args: Node | Number) -> tuple[Node, ...]:
        if args[-1]:
            raise BadConstant("fillna=True makes up values before the first is known", suggestion="leave fillna out")
        return (build(*args[:-1]),)

    return checked


def _of(klass: str, name: str, series: tuple[str, ...], build: Callable[..., Node], params: str = "") -> tuple[str, Call]:
    """A function of `ta`, which is also a method of one of its classes; params as `window=14 window_dev=2`."""
    numbers: dict[str, Number] = {}
    for text in params.split():
        key, _, value = text.partition("=")
        numbers[key] = float(value) if "." in value else int(value)
    return klass, Call(name, len(series), {**numbers, **FILL}, plain(build), series)


_MACD = tuple(zip(("macd", "macd_signal", "macd_diff"), oscillators(relative=False), strict=True))
_PPO = tuple(zip(("ppo", "ppo_signal", "ppo_hist"), oscillators(relative=True), strict=True))
_BANDS, _KELTNER, _SLOW = "window=20 window_dev=2", "window=20 window_atr=10", "window_slow=26 window_fast=12 window_sign=9"
_ROWS = (
    _of("RSIIndicator", "rsi", CLOSE, relative_strength, "window=14"),
    _of("TSIIndicator", "tsi", CLOSE, strength_index, "window_slow=25 window_fast=13"),
    _of("StochasticOscillator", "stoch", HLC, lambda h, low, c, n, m: call("stoch_k", h, low, c, n), "window=14 smooth_window=3"),
    _of("StochasticOscillator", "stoch_signal", HLC, lambda h, low, c, n, m: call("stoch_d", h, low, c, n, m), "window=14 smooth_window=3"),
    _of("StochRSIIndicator", "stochrsi", CLOSE, lambda x, n, *_: stochastic_strength(x, n), "window=14 smooth1=3 smooth2=3"),
    _of("StochRSIIndicator", "stochrsi_k", CLOSE, lambda x, n, k, d: sma(stochastic_strength(x, n), k), "window=14 smooth1=3 smooth2=3"),
    _of("StochRSIIndicator", "stochrsi_d", CLOSE, lambda x, n, k, d: sma(sma(stochastic_strength(x, n), k), d),
        "window=14 smooth1=3 smooth2=3"),
    _of("WilliamsRIndicator", "williams_r", HLC, lambda *a: call("williams_r", *a), "lbp=14"),
    _of("ROCIndicator", "roc", CLOSE, lambda x, n: call("roc", x, n), "window=12"),
    _of("AwesomeOscillatorIndicator", "awesome_oscillator", HL,
        lambda h, low, n, m: call("sub", sma(middle_of(h, low), n), sma(middle_of(h, low), m)), "window1=5 window2=34"),
    *(_of("PercentagePriceOscillator", name, CLOSE, build, _SLOW) for name, build in _PPO),
    *(_of("MACD", name, CLOSE, build, _SLOW) for name, build in _MACD),
    _of("EMAIndicator", "ema_indicator", CLOSE, ema, "window=14"), _of("SMAIndicator", "sma_indicator", CLOSE, mean, "window=12"),
    _of("WMAIndicator", "wma", CLOSE, lambda x, n: call("decay_linear", x, n), "window=9"),
    _of("WMAIndicator", "wma_indicator", CLOSE, lambda x, n: call("decay_linear", x, n), "window=9"),
    _of("TRIXIndicator", "trix", CLOSE, trix, "window=15"),
    _of("VortexIndicator", "vortex_indicator_pos", HLC, lambda *a: vortex(*a)[0], "window=14"),
    _of("VortexIndicator", "vortex_indicator_neg", HLC, lambda *a: vortex(*a)[1], "window=14"),
    _of("CCIIndicator", "cci", HLC, cci, "window=20 constant=0.015"),
    _of("AroonIndicator", "aroon_up", HL, lambda h, low, n: aroon(h, n, "ts_argmax"), "window=25"),
    _of("AroonIndicator", "aroon_down", HL, lambda h, low, n: aroon(low, n, "ts_argmin"), "window=25"),
    _of("AverageTrueRange", "average_true_range", HLC, atr, "window=14"),
    _of("BollingerBands", "bollinger_mavg", CLOSE, lambda x, n, k: sma(x, n), _BANDS),
    _of("BollingerBands", "bollinger_hband", CLOSE, band, _BANDS),
    _of("BollingerBands", "bollinger_lband", CLOSE, lambda x, n, k: band(x, n, -k), _BANDS),
    _of("BollingerBands", "bollinger_wband", CLOSE, width, _BANDS), _of("BollingerBands", "bollinger_pband", CLOSE, percent_band, _BANDS),
    _of("BollingerBands", "bollinger_hband_indicator", CLOSE, lambda x, n, k: beyond(x, n, k, 1), _BANDS),
    _of("BollingerBands", "bollinger_lband_indicator", CLOSE, lambda x, n, k: beyond(x, n, k, -1), _BANDS),
    _of("KeltnerChannel", "keltner_channel_mband", HLC, lambda h, low, c, n, m: sma(typical(call, h, low, c), n), _KELTNER),
    _of("KeltnerChannel", "keltner_channel_hband", HLC, lambda h, low, c, n, m: keltner(h, low, c, n, (4.0, -2.0)), _KELTNER),
    _of("KeltnerChannel", "keltner_channel_lband", HLC, lambda h, low, c, n, m: keltner(h, low, c, n, (-2.0, 4.0)), _KELTNER),
    _of("DonchianChannel", "donchian_channel_hband", HLC, lambda h, low, c, n: call("ts_max", h, n), "window=20"),
    _of("DonchianChannel", "donchian_channel_lband", HLC, lambda h, low, c, n: call("ts_min", low, n), "window=20"),
    _of("DonchianChannel", "donchian_channel_mband", HLC, lambda h, low, c, n: mid(h, low, n), "window=20"),
    _of("OnBalanceVolumeIndicator", "on_balance_volume", CV, on_balance),
    _of("AccDistIndexIndicator", "acc_dist_index", HLCV, lambda *a: call("cumsum", accumulation(*a))),
    _of("ChaikinMoneyFlowIndicator", "chaikin_money_flow", HLCV, lambda *a: cmf(*a)[0], "window=20"),
    _of("ForceIndexIndicator", "force_index", CV, lambda x, v, n: ema(money(x, v), n), "window=13"),
    _of("VolumePriceTrendIndicator", "volume_price_trend", CV, lambda x, v: call("cumsum", call("mul", returns(x), v))),
    _of("MFIIndicator", "money_flow_index", HLCV, money_flow, "window=14"),
    _of("VolumeWeightedAveragePrice", "volume_weighted_average_price", HLCV, vwap, "window=14"),
    _of("DailyReturnIndicator", "daily_return", CLOSE, lambda x: call("mul", 100.0, returns(x))),
    _of("DailyLogReturnIndicator", "daily_log_return", CLOSE, lambda x: call("mul", 100.0, call("delta", call("log", x), 1))),
)  # fmt: skip

TA_LIBRARY: Mapping[str, Call] = {row.name: row for _, row in _ROWS}
TA_CLASSES: Mapping[str, Mapping[str, Call]] = {klass: {row.name: row for other, row in _ROWS if other == klass} for klass, _ in _ROWS}
