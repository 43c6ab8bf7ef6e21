"""Recursive operators, indicators and operators across symbols, again from their definitions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


def mean_of_alpha(x: Array, alpha: float, known: int) -> Array:
    return pd.DataFrame(x).ewm(alpha=alpha, adjust=False, ignore_na=True, min_periods=known).mean().to_numpy()


def ewm(x: Array, span: float, adjust: float, known: int) -> Any:
    return pd.DataFrame(x).ewm(span=span, adjust=bool(adjust), ignore_na=False, min_periods=known)


def ewm_pairs(measure: str, x: Array, y: Array, span: float, adjust: float, known: int) -> Array:
    columns = [
        getattr(pd.Series(x[:, s]).ewm(span=span, adjust=bool(adjust), min_periods=known), measure)(pd.Series(y[:, s]))
        for s in range(x.shape[1])
    ]
    return np.stack([c.to_numpy() for c in columns], axis=1)


def expanding(x: Array, known: int, measure: str) -> Array:
    result: Array = getattr(pd.DataFrame(x).expanding(min_periods=known), measure)().to_numpy(np.float64)
    return result


def expanding_count(x: Array, known: int) -> Array:
    count = (~np.isnan(x)).cumsum(axis=0)
    return np.where(count >= known, count, np.nan)


def per_symbol(compute: Callable[..., list[float]]) -> Callable[..., Array]:
    """A computation over the bars of one symbol, for all symbols."""

    def columns(*args: Any) -> Array:
        series = [a for a in args if isinstance(a, np.ndarray)]
        params = [a for a in args if not isinstance(a, np.ndarray)]
        return np.stack([compute(*(a[:, s].tolist() for a in series), *params) for s in range(series[0].shape[1])], axis=1)

    return columns


def seeded(values: list[float], w: int, skip: int, alpha: float, seeds: int, scale: float, enough: float) -> list[float]:
    """After `skip` known values the sum of the next `seeds`, over w; then exponential. The last value is carried over unknown bars."""
    known: list[float] = []
    result, mean, now = [], 0.0, np.nan
    for x in values:
        if x == x:
            known.append(x)
            place = len(known) - skip
            if place == seeds:
                mean = sum(known[skip:]) / w
            elif place > seeds:
                mean = mean * (1 - alpha) + x * alpha
            now = mean * scale if place >= enough else np.nan
        result.append(now)
    return result


def adaptive(values: list[float], rates: list[float], least: float) -> list[float]:
    result: list[float] = []
    mean = np.nan
    for last, x, rate in zip([np.nan, *values], values, rates, strict=False):
        if x == x and rate == rate:
            if mean != mean:
                mean = last if last == last else x
            mean += min(max(rate, least), 1.0) * (x - mean)
        result.append(mean)
    return result


def session_sum(values: list[float], bars: int) -> list[float]:
    result, total = [], 0.0
    for t, x in enumerate(values, FIRST):
        total = 0.0 if t % bars == 0 else total
        total += x if x == x else 0.0
        result.append(total if x == x else np.nan)
    return result


def clock(values: list[float], every: int, cycle: int, later: int) -> list[float]:
    return [float((t + later) // every % cycle) for t in range(FIRST, FIRST + len(values))]


def recur(factors: list[float], steps: list[float], bounds: list[float], side: float, lost: float) -> list[float]:
    result, y = [], np.nan
    for a, b, c in zip(factors, steps, bounds, strict=True):
        y = b if a != a else a * y + b
        if c == c:
            if y != y:
                y = c if lost else y
            else:
                y = min(y, c) if side < 0 else max(y, c)
        result.append(y)
    return result


def age(values: list[float], w: int, side: float) -> list[float]:
    result = []
    for t in range(len(values)):
        last = values[max(0, t - w + 1) : t + 1][::-1]
        unknown = len(last) < w or any(x != x for x in last)
        result.append(np.nan if unknown else float(last.index(max(last) if side > 0 else min(last))))
    return result


def sar(high: list[float], low: list[float], acceleration: float, maximum: float) -> list[float]:
    """Wilder's rules as TA-Lib applies them, told by sides; unknown bars are left out."""
    known = [t for t in range(len(high)) if high[t] == high[t] and low[t] == low[t]]
    result = [np.nan] * len(high)
    if len(known) < 2:
        return result
    a, b = known[:2]
    acceleration = min(acceleration, maximum)
    long = not (low[a] - low[b] > max(high[b] - high[a], 0.0))
    stop, reach, rate, before = low[a] if long else high[a], high[b] if long else low[b], acceleration, b
    for t in known[1:]:
        highs, lows = (high[before], high[t]), (low[before], low[t])
        if low[t] <= stop if long else high[t] >= stop:
            stop = min(reach, *lows) if not long else max(reach, *highs)
            result[t], long, rate = stop, not long, acceleration
            reach = high[t] if long else low[t]
        else:
            result[t] = stop
            further = high[t] > reach if long else low[t] < reach
            reach, rate = ((high if long else low)[t], min(rate + acceleration, maximum)) if further else (reach, rate)
        stop += rate * (reach - stop)
        stop = min(stop, *lows) if long else max(stop, *highs)
        before = t
    return result


def trailing(closes: list[float], uppers: list[float], lowers: list[float], side_wanted: bool) -> list[float]:
    """Told by the band in force: the unknown bars are left out, as if the table had no such rows."""
    result = []
    side, top, bottom = 1.0, np.inf, -np.inf
    for c, upper, lower in zip(closes, uppers, lowers, strict=True):
        known = c == c and upper == upper and lower == lower
        if known:
            if c > top or c < bottom:
                side, top, bottom = (1.0 if c > top else -1.0), upper, lower
            elif side > 0:
                top, bottom = upper, max(lower, bottom)
            else:
                top, bottom = min(upper, top), lower
        result.append(np.nan if c != c or not (known or side_wanted) else side if side_wanted else bottom if side > 0 else top)
    return result


def by_bar(compute: Callable[..., Any], least: int = 1) -> Callable[..., Array]:
    """A computation over the known values of one bar, for all bars; symbols that are not known stay so."""

    def rows(x: Array, *args: Any) -> Array:
        result = np.full(x.shape, np.nan)
        for t in range(len(x)):
            known = ~np.isnan(x[t])
            if known.sum() >= least:
                result[t, known] = compute(x[t, known], *args)
        return result

    return rows


def for_all(compute: Callable[..., Any], least: int = 1) -> Callable[..., Array]:
    """One number a bar, for known and unknown symbols."""

    def rows(x: Array) -> Array:
        values = [compute(v[~np.isnan(v)]) if (~np.isnan(v)).sum() >= least else np.nan for v in x]
        return np.repeat(np.array(values)[:, None], x.shape[1], axis=1)

    return rows


def by_group(compute: Callable[..., Any], *, all_members: bool = False) -> Callable[..., Array]:
    """A computation over the known values of each group of a bar."""

    def rows(x: Array, groups: Array) -> Array:
        result = np.full(x.shape, np.nan)
        for t in range(len(x)):
            for number in {g for g in groups[t].tolist() if g == g}:
                members = groups[t] == number
                known = members & ~np.isnan(x[t])
                if known.any():
                    result[t, members if all_members else known] = compute(x[t, known])
        return result

    return rows


def score(x: Array) -> Any:
    return (x - x.mean()) / x.std(ddof=1) if len(set(x.tolist())) > 1 else np.nan


def winsorize(x: Array, times: float) -> Any:
    return x if len(x) < 2 else np.clip(x, x.mean() - times * x.std(ddof=1), x.mean() + times * x.std(ddof=1))


def twice_rank(x: Array) -> NDArray[np.int64]:
    return np.array([(x < v).sum() + (x <= v).sum() + 1 for v in x])


def bucket(x: Array, buckets: int) -> Any:
    return -(-twice_rank(x) * buckets // (2 * len(x)))  # in whole numbers, so that no rounding decides


def resid(y: Array, x: Array) -> Array:
    result = np.full(x.shape, np.nan)
    for t in range(len(x)):
        known = ~np.isnan(x[t]) & ~np.isnan(y[t])
        a, b = x[t, known], y[t, known]
        if len(set(a.tolist())) > 1:
            design = np.stack([a - a.mean(), np.ones(len(a))], axis=1)
            result[t, known] = b - design @ np.linalg.lstsq(design, b, rcond=None)[0]
    return result


FIRST = 28_400_003  # index of the first bar in tests/properties/test_operators.py
ORACLE: dict[str, Callable[..., Any]] = {
    "wilder": lambda x, w: mean_of_alpha(x, 1 / w, w), "sma_recursive": lambda x, w, m: mean_of_alpha(x, m / w, w),
    "ewm_mean": lambda x, *p: ewm(x, *p).mean().to_numpy(), "ewm_var": lambda x, *p: ewm(x, *p).var().to_numpy(),
    "ewm_std": lambda x, *p: ewm(x, *p).std().to_numpy(),
    "ewm_cov": lambda x, y, *p: ewm_pairs("cov", x, y, *p), "ewm_corr": lambda x, y, *p: ewm_pairs("corr", x, y, *p),
    "cumsum": lambda x: pd.DataFrame(x).cumsum().to_numpy(), "cumprod": lambda x: pd.DataFrame(x).cumprod().to_numpy(),
    "cummax": lambda x: pd.DataFrame(x).cummax().to_numpy(), "cummin": lambda x: pd.DataFrame(x).cummin().to_numpy(),
    "ffill": lambda x: pd.DataFrame(x).ffill().to_numpy(),
    "expanding_mean": lambda x, k: expanding(x, k, "mean"), "expanding_std": lambda x, k: expanding(x, k, "std"),
    "expanding_var": lambda x, k: expanding(x, k, "var"), "expanding_sum": lambda x, k: expanding(x, k, "sum"),
    "expanding_min": lambda x, k: expanding(x, k, "min"), "expanding_max": lambda x, k: expanding(x, k, "max"),
    "winsorize": by_bar(winsorize), "quantile_bucket": by_bar(bucket), "cs_resid": resid,
    "top_mask": by_bar(lambda x, n: [(x > v).sum() < n for v in x]),
    "cs_mean": for_all(np.mean), "cs_std": for_all(lambda v: v.std(ddof=1), 2), "cs_median": for_all(np.median),
    "cs_min": for_all(np.min), "cs_max": for_all(np.max), "group_rank": by_group(lambda x: twice_rank(x) / 2 / len(x)),
    "group_mean": by_group(np.mean, all_members=True), "group_demean": by_group(lambda x: x - x.mean()), "group_zscore": by_group(score),
    "expanding_count": expanding_count, "session_sum": per_symbol(session_sum), "clock": per_symbol(clock),
    "recur": per_symbol(recur),
    "ta_ema": per_symbol(lambda x, w, skip: seeded(x, w, skip, 2 / (w + 1), w, 1, w)),
    "ta_wilder": per_symbol(lambda x, w: seeded(x, w, 0, 1 / w, w, 1, w)),
    "ta_wilder_sum": per_symbol(lambda x, w, early: seeded(x, w, 0, 1 / w, w - 1, w, max(1, w - early))),
    "adaptive": per_symbol(adaptive), "ta_sar": per_symbol(sar),
    "trailing_band": per_symbol(lambda c, u, b: trailing(c, u, b, False)),
    "trailing_side": per_symbol(lambda c, u, b: trailing(c, u, b, True)),
    "ta_bars_since_max": per_symbol(lambda x, w: age(x, w, 1.0)), "ta_bars_since_min": per_symbol(lambda x, w: age(x, w, -1.0)),
}  # fmt: skip
