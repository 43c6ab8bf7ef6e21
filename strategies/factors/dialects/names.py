"""Names that every dialect shares: fields, derived names, which are macros over fields, and durations."""

import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from strategies.errors import BadWindow, UnknownName
from strategies.factors.graph import Node, call, field, nearest

YEAR = 365 * 86_400  # seconds
UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class Setting(NamedTuple):
    """What text is read against. timeframe in milliseconds; fields: what the configured feeds give."""

    timeframe: int
    fields: frozenset[str]


# What some dialects know and a panel of candles may lack: `turnover` under other names, size, class and benchmark.
PANEL_FIELDS = frozenset({"cap", "sector", "industry", "subindustry", "benchmark_open", "benchmark_close", "turnover"})

# Called with the series alone (a quantile: with the series and the share) these would need the whole sample, bars to come included.
WHOLE_SAMPLE = frozenset(
    {
        *("mean", "std", "var", "sum", "median", "quantile", "percentile", "max", "min", "skew", "kurt", "mad", "prod", "product"),
        *("ts_rank", "ts_zscore", "ts_mean", "ts_std", "ts_sum", "ts_max", "ts_min", "ts_median", "ts_quantile", "ts_minmax"),
    }
)
LOOKING_AHEAD = frozenset(
    {
        *("lead", "ts_lead", "bfill", "backfill", "fill_back", "bfillnan", "interpolate", "next_bar", "centered", "center", "daylast"),
        *("future", "forward", "future_return", "future_returns", "forward_return", "forward_returns", "fwd_return", "fwd_returns"),
    }
)


def bars(count: int, unit: str, timeframe: int) -> int:
    """`5d` as bars of the timeframe; `unit` empty counts bars. Raises BadWindow."""
    if not unit:
        if count < 1:
            raise BadWindow("a window is at least 1 bar")
        return count
    whole, rest = divmod(count * UNITS[unit], timeframe)
    if rest or whole < 1:
        raise BadWindow(
            f"{count}{unit} is no whole number of bars of {_length(timeframe)}", suggestion="give the window in bars, without a unit"
        )
    return whole


def _length(timeframe: int) -> str:
    for unit in ("d", "h", "m", "s"):
        if timeframe % UNITS[unit] == 0:
            return f"{timeframe // UNITS[unit]}{unit}"
    return f"{timeframe}ms"


def vwap(setting: Setting) -> Node:
    """turnover / volume, and (high + low + close) / 3 where a bar has no turnover or no volume."""
    typical = _mean(setting, "high", "low", "close")
    if "turnover" not in setting.fields:
        return typical
    paid = call("div", _in("turnover", setting), _in("volume", setting))
    return call("where", call("is_nan", paid), typical, paid)


def _mean(setting: Setting, *names: str) -> Node:
    total = _in(names[0], setting)
    for name in names[1:]:
        total = call("add", total, _in(name, setting))
    return call("div", total, len(names))


def _momentum(n: int, setting: Setting) -> Node:
    return call("pct_change", _in("close", setting), n)


def _log_return(n: int, setting: Setting) -> Node:
    close = _in("close", setting)
    return call("log", call("div", close, call("delay", close, n)))


def _volatility(n: int, setting: Setting) -> Node:
    return call("ts_std", _momentum(1, setting), n)


def _realized_vol(n: int, setting: Setting) -> Node:
    return call("mul", _volatility(n, setting), call("pow", call("div", YEAR, setting.timeframe / 1_000), 0.5))


def _relative_volume(n: int, setting: Setting) -> Node:
    volume = _in("volume", setting)
    return call("div", volume, call("ts_mean", volume, n))


def _rolling_vwap(n: int, setting: Setting) -> Node:
    volume = _in("volume", setting)
    return call("div", call("ts_sum", call("mul", vwap(setting), volume), n), call("ts_sum", volume, n))


def _in(name: str, setting: Setting) -> Node:
    if name not in setting.fields:
        raise lacking(name, setting.fields)
    return field(name)


def _over(op: str, *names: str) -> Callable[[int, Setting], Node]:
    return lambda n, setting: call(op, *(_in(name, setting) for name in names), n)


def _of(op: str, *names: str) -> Callable[[Setting], Node]:
    return lambda setting: call(op, *(_in(name, setting) for name in names))


class Derived(NamedTuple):
    """A name such as `momentum_5d`: a stem, and a number of bars or a duration; `default` where the number may be left out."""

    stem: str
    means: Callable[[int, Setting], Node]
    says: str
    default: int = 0


_BAR = ("high", "low", "close")
DERIVED = (
    Derived("momentum_", _momentum, "close / delay(close, N) - 1"),
    Derived("return_", _momentum, "close / delay(close, N) - 1"),
    Derived("log_return_", _log_return, "log(close / delay(close, N)); N = 1 where it is left out", 1),
    Derived("volatility_", _volatility, "ts_std(returns, N)"),
    Derived("realized_vol_", _realized_vol, "ts_std(returns, N) x sqrt(bars in a 365-day year)"),
    Derived("volume_ratio_", _relative_volume, "volume / ts_mean(volume, N); N = 20 where it is left out", 20),
    Derived("avg_volume_", _over("ts_mean", "volume"), "ts_mean(volume, N)"),
    Derived("volume_zscore_", _over("ts_zscore", "volume"), "ts_zscore(volume, N); N = 20 where it is left out", 20),
    Derived("zscore_", _over("ts_zscore", "close"), "ts_zscore(close, N)"),
    Derived("std_", _over("ts_std", "close"), "ts_std(close, N)"),
    Derived("rsi_", _over("rsi", "close"), "rsi(close, N); N = 14 where it is left out", 14),
    Derived("sma_", _over("ts_mean", "close"), "ts_mean(close, N)"),
    Derived("ema_", _over("ema", "close"), "ema(close, N)"),
    Derived("high_", _over("ts_max", "high"), "ts_max(high, N)"),
    Derived("low_", _over("ts_min", "low"), "ts_min(low, N)"),
    Derived("close_lag_", _over("delay", "close"), "delay(close, N)"),
    Derived("adv", _over("ts_mean", "volume"), "ts_mean(volume, N)"),
    Derived("vwap_", _rolling_vwap, "ts_sum(vwap * volume, N) / ts_sum(volume, N)"),
    Derived("atr_", _over("atr", *_BAR), "atr(high, low, close, N); N = 14 where it is left out", 14),
    Derived("natr_", _over("natr", *_BAR), "natr(high, low, close, N); N = 14 where it is left out", 14),
    Derived("adx_", _over("adx", *_BAR), "adx(high, low, close, N); N = 14 where it is left out", 14),
    Derived("cci_", _over("cci", *_BAR), "cci(high, low, close, N); N = 20 where it is left out", 20),
    Derived("mfi_", _over("mfi", *_BAR, "volume"), "mfi(high, low, close, volume, N); N = 14 where it is left out", 14),
    Derived("stoch_k_", _over("stoch_k", *_BAR), "stoch_k(high, low, close, N); N = 14 where it is left out", 14),
    Derived("williams_r_", _over("williams_r", *_BAR), "williams_r(high, low, close, N); N = 14 where it is left out", 14),
    Derived("bb_upper_", _over("bb_upper", "close"), "bb_upper(close, N); N = 20 where it is left out", 20),
    Derived("bb_middle_", _over("bb_middle", "close"), "bb_middle(close, N); N = 20 where it is left out", 20),
    Derived("bb_lower_", _over("bb_lower", "close"), "bb_lower(close, N); N = 20 where it is left out", 20),
    Derived("bb_width_", _over("bb_width", "close"), "bb_width(close, N); N = 20 where it is left out", 20),
)
_COUNTED = {d: re.compile(rf"{d.stem}(\d{{1,9}})({'|'.join(UNITS)})?") for d in DERIVED}
_WHOLE_NAMES: dict[str, Callable[[Setting], Node]] = {
    "vwap": vwap,
    "returns": lambda setting: _momentum(1, setting),
    "log_returns": lambda setting: _log_return(1, setting),
    "hl2": lambda setting: _mean(setting, "high", "low"),
    "hlc3": lambda setting: _mean(setting, *_BAR),
    "typical_price": lambda setting: _mean(setting, *_BAR),
    "ohlc4": lambda setting: _mean(setting, "open", *_BAR),
    "true_range": _of("true_range", *_BAR),
    "obv": _of("obv", "close", "volume"),
    "macd": _of("macd", "close"),
    "macd_signal": _of("macd_signal", "close"),
    "macd_hist": _of("macd_hist", "close"),
}
_ABSENT = {
    "factor": "coins have no splits: prices as they are need no factor",
    "benchmark_close": "give the panel a column benchmark_close, an index's close in every symbol's row",
    "benchmark_open": "give the panel a column benchmark_open, an index's open in every symbol's row",
    "cap": "give the panel a column cap, the market capitalisation",
    **{name: f"give the panel a column {name} of whole numbers, a class of symbols each" for name in ("sector", "industry", "subindustry")},
}


def lacking(name: str, fields: Collection[str]) -> UnknownName:
    """The refusal of a field that no feed gives."""
    return UnknownName(f"no configured feed gives the field {name!r}", suggestion=_ABSENT.get(name) or nearest(name, fields))


def resolve(name: str, setting: Setting) -> Node:
    """A lower-case name as a graph: a field, a whole name such as `vwap`, or a derived name. Raises UnknownName, BadWindow."""
    if name in setting.fields:
        return field(name)
    if name in _WHOLE_NAMES:
        return _WHOLE_NAMES[name](setting)
    for derived, pattern in _COUNTED.items():
        if derived.default and name == derived.stem.rstrip("_"):
            return derived.means(derived.default, setting)
        found = pattern.fullmatch(name)
        if found is not None:
            return derived.means(bars(int(found[1]), found[2] or "", setting.timeframe), setting)
    if name in _ABSENT:
        raise lacking(name, setting.fields)
    known = [*setting.fields, *_WHOLE_NAMES, *(f"{d.stem}20" for d in DERIVED)]
    raise UnknownName(f"no configured feed gives {name!r}", suggestion=nearest(name, known))


def is_derived(name: str) -> bool:
    """Whether a lower-case name is one of ours: `momentum_5d`, `hl2`; `adv20`, `vwap` and `returns` are everybody's."""
    return name not in ("vwap", "returns") and (
        name in _WHOLE_NAMES
        or any(
            pattern.fullmatch(name) or (derived.default and name == derived.stem.rstrip("_"))
            for derived, pattern in _COUNTED.items()
            if derived.stem != "adv"
        )
    )


def is_known(name: str, setting: Setting) -> bool:
    """Whether a lower-case name has a meaning before any text gives it one."""
    return (
        name in setting.fields
        or name in _WHOLE_NAMES
        or any(pattern.fullmatch(name) or (derived.default and name == derived.stem.rstrip("_")) for derived, pattern in _COUNTED.items())
    )
