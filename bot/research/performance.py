"""What a book of returns is worth: growth, risk, costs and size, each with its error.

The rule: the first bar's costs are in the first bar; every bar is a period, a year has 365 days of them, and a bar whose return is
not known is an error and no zero. Definitions shared with a session's report are those of docs/metrics.md; docs/factor-metrics.md has
all of them.
"""

import math

import msgspec
import numpy as np

from bot.metrics import FLAT, LEAST_PERIODS, LEAST_SPAN, PROFIT_FACTOR_CAP, drawdown
from bot.research.estimates import (
    CHUNK,
    Bootstrap,
    Estimate,
    bootstrapped,
    default_block,
    estimate,
    long_run_error,
    mean_to_deviation,
    newey_west,
    ratio_of_means,
    stationary_indices,
    stationary_sums,
)  # fmt: skip
from feeds.bars import Array
from feeds.times import DAY, YEAR

LEAST_CALMAR = 90 * DAY  # span below which a yearly return over the deepest fall says nothing
TAIL = 0.05  # of bars, for value at risk and expected shortfall
COVERED = 0.95  # share of the traded notional that a capacity has to let through
LONGEST_PATH = 5_000  # stretches that a bootstrapped path is made of: longer books are summed up to so many


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a book; docs/factor-metrics.md has the formulas. Returns are fractions, a year has 365 days; NaN: cannot be had.

    max_drawdown, value_at_risk and expected_shortfall are zero or negative for a loss. Capacities are quote currency.
    """

    bars: int
    periods_per_year: float
    total_return: float = math.nan
    annual_return: float = math.nan
    mean_return: Estimate = Estimate()
    volatility: Estimate = Estimate()
    sharpe: Estimate = Estimate()
    sharpe_error_iid: float = math.nan
    sharpe_bootstrap: Bootstrap = Bootstrap()
    sharpe_probability: float = math.nan
    sortino: Estimate = Estimate()
    max_drawdown: float = math.nan
    max_drawdown_bootstrap: Bootstrap = Bootstrap()
    underwater_ms: int = 0
    calmar: float = math.nan
    profit_factor: float = math.nan
    win_rate: Estimate = Estimate()
    win_rate_active: Estimate = Estimate()
    skew: float = math.nan
    kurtosis: float = math.nan
    value_at_risk: float = math.nan
    expected_shortfall: float = math.nan
    best_bar: float = math.nan
    worst_bar: float = math.nan
    exposure: float = math.nan
    turnover: Estimate = Estimate()
    break_even_bps: Estimate = Estimate()
    cost_drag: float = math.nan
    capacity_1pct: float = math.nan
    capacity_5pct: float = math.nan


def performance(
    returns: Array,
    timeframe: int,
    *,
    gross: Array | None = None,
    traded: Array | None = None,
    costs: Array | None = None,
    trades: Array | None = None,
    volume: Array | None = None,
    lag: int | None = None,
    draws: int = 500,
    seed: int = 0,
) -> Performance:
    """Every figure that these inputs allow.

    returns    float64[T], net of all costs and funding, of the equity before each bar
    timeframe  bar length, milliseconds
    gross      float64[T], sum of |weight| held in each bar
    traded     float64[T], sum of |change of weight| in each bar, buys and sells added, of the equity: the entry is in it
    costs      float64[T], fees and slippage in each bar, of the equity, already taken from `returns`: proportional to `traded`
    trades     float64[T, S], |change of weight| of each symbol; volume  float64[T, S], quote currency, of the bar it was traded in
    lag        of the errors; None lets the data choose
    draws      resamples for the intervals; 0 for none

    Raises ValueError where a return is not finite or lengths differ.
    """
    _check(returns, timeframe, gross=gross, traded=traded, costs=costs)
    count, year = returns.shape[0], YEAR / timeframe
    if count == 0:
        return Performance(bars=0, periods_per_year=year)
    found: dict[str, object] = _growth(returns, timeframe) | _activity(returns, timeframe, gross, traded, costs, lag)
    if count >= LEAST_PERIODS and (returns > -1.0).all():
        found |= _risk(returns, year, lag)
        found |= {
            "sharpe_bootstrap": sharpe_bootstrap(returns, year, draws, seed),
            "max_drawdown_bootstrap": fall_bootstrap(returns, draws, seed),
        }
    if trades is not None and volume is not None:
        found |= {"capacity_1pct": capacity(trades, volume, 0.01), "capacity_5pct": capacity(trades, volume, 0.05)}
    return Performance(bars=count, periods_per_year=year, **found)  # type: ignore[arg-type]  # names and kinds are those of the struct


def sharpe_bootstrap(returns: Array, year: float, draws: int = 500, seed: int = 0) -> Bootstrap:
    """The yearly Sharpe ratio over stationary resamples of the bars (Politis and Romano 1994)."""
    value = mean_to_deviation(returns, 0).value * math.sqrt(year)
    if draws < 2 or not math.isfinite(value):
        return Bootstrap(value)
    block = default_block(returns)
    size = float(np.abs(returns).max())
    scaled = returns / size
    found = [
        _sharpe(stationary_sums(np.stack([scaled, scaled**2], axis=1), block, min(50, draws - begin), seed + begin), returns.shape[0])
        for begin in range(0, draws, 50)
    ]
    return bootstrapped(value, np.concatenate(found) * math.sqrt(year), block)


def fall_bootstrap(returns: Array, draws: int = 500, seed: int = 0) -> Bootstrap:
    """The deepest fall over stationary resamples: how deep it could as well have been. NaN draws below 20 stretches.

    A book of more than 5,000 bars is cut into so many stretches, and falls are seen at their ends alone; value is that of all bars.
    """
    value = drawdown(np.concatenate([[1.0], np.cumprod(1.0 + returns)]))[0]
    deepest = math.nan if value is None else value
    every = math.ceil(returns.shape[0] / LONGEST_PATH)
    logs = np.log1p(returns)
    stretches = np.add.reduceat(logs, np.arange(0, logs.shape[0], every))
    if draws < 2 or stretches.shape[0] < LEAST_PERIODS:
        return Bootstrap(deepest)
    block = max(1.0, default_block(returns) / every)
    step = max(1, CHUNK // stretches.shape[0])
    parts = []
    for begin in range(0, draws, step):
        paths = stretches[stationary_indices(stretches.shape[0], block, min(step, draws - begin), seed + begin)].cumsum(axis=1)
        peaks = np.maximum(np.maximum.accumulate(paths, axis=1), 0.0)
        parts.append(np.expm1((paths - peaks).min(axis=1)))
    return bootstrapped(deepest, np.concatenate(parts), block * every)


def capacity(trades: Array, volume: Array, share: float) -> float:
    """The equity, in quote currency, with which 95 % of what is traded stays within `share` of the volume of its bar.

    trades  float64[T, S], |change of weight|;  volume  float64[T, S], quote currency, NaN or 0 where nothing could be traded
    """
    known = np.isfinite(trades) & (np.abs(trades) > 0)
    weights = np.abs(trades[known])
    if weights.shape[0] == 0:
        return math.nan
    room = np.where(np.isfinite(volume[known]), volume[known], 0.0) * share / weights
    order = np.argsort(room, kind="stable")
    through = np.cumsum(weights[order][::-1])[::-1]  # traded by those with at least so much room
    enough = np.flatnonzero(through >= COVERED * through[0])
    return float(room[order][enough[-1]])


def turnover(traded: Array, gross: Array, timeframe: int, lag: int | None = None) -> Estimate:
    """One-way, a day, of the gross: mean(traded) / 2 / mean(gross) x bars a day. 1: the whole book is bought and sold once a day."""
    return _times(ratio_of_means(traded / 2.0, gross, lag), DAY / timeframe)


def break_even(returns: Array, costs: Array, traded: Array, lag: int | None = None) -> Estimate:
    """The cost of each unit traded, in basis points, at which nothing would be left: the root of the mean net return in the cost.

    Costs are proportional to what is traded, so the root is mean(returns + costs) / mean(traded); negative for a factor that loses
    before costs. Each side counts: a round trip of 1 trades 2.
    """
    return _times(ratio_of_means(returns + costs, traded, lag), 10_000.0)


def _check(returns: Array, timeframe: int, **rest: Array | None) -> None:
    if timeframe <= 0:
        raise ValueError(f"timeframe is {timeframe} ms; a bar has a length")
    bad = np.flatnonzero(~np.isfinite(returns))
    if bad.size:
        raise ValueError(f"the return of bar {int(bad[0])} is not known; a position needs a price at every bar it is held over")
    for name, values in rest.items():
        if values is not None and (values.shape != returns.shape or not np.isfinite(values).all()):
            raise ValueError(f"{name} must be finite and as long as returns ({returns.shape[0]} bars), it is {values.shape}")


def _growth(returns: Array, timeframe: int) -> dict[str, object]:
    """Compound growth, falls, and what is won and lost by bar."""
    count = returns.shape[0]
    path = np.concatenate([[1.0], np.cumprod(1.0 + returns)])
    path[np.minimum.accumulate(path) <= 0.0] = 0.0  # a book that lost everything does not come back
    total = float(path[-1]) - 1.0
    annual = math.nan
    if total > -1.0 and count >= LEAST_PERIODS and count * timeframe >= LEAST_SPAN:
        growth = math.log1p(total) * YEAR / (count * timeframe)
        annual = math.expm1(growth) if growth < 700.0 else math.nan
    low, _, _, under = drawdown(path)
    deepest = math.nan if low is None else low
    won, lost = float(returns[returns > 0].sum()), -float(returns[returns < 0].sum())
    moved = np.where(returns != 0.0, (returns > 0.0).astype(np.float64), np.nan)
    return {
        "total_return": total,
        "annual_return": annual,
        "max_drawdown": deepest,
        "underwater_ms": under * timeframe,
        "calmar": annual / -deepest if deepest < 0 and count * timeframe >= LEAST_CALMAR else math.nan,
        "profit_factor": min(won / lost, PROFIT_FACTOR_CAP) if lost > 0 else math.nan,
        "win_rate": newey_west((returns > 0.0).astype(np.float64)),
        "win_rate_active": newey_west(moved),
        "best_bar": float(returns.max()),
        "worst_bar": float(returns.min()),
    }


def _risk(returns: Array, year: float, lag: int | None) -> dict[str, object]:
    """Mean, deviation, Sharpe, Sortino, higher moments and tails of the bar returns."""
    count = returns.shape[0]
    mean, deviation = float(returns.mean()), float(returns.std(ddof=1))
    found: dict[str, object] = {"mean_return": _times(newey_west(returns, lag), year)}
    if deviation < FLAT:
        return found | {"volatility": Estimate(0.0, n=count)}
    centred = returns - mean
    spread = float(np.mean(centred**2))
    skew, kurtosis = float(np.mean(centred**3)) / spread**1.5, float(np.mean(centred**4)) / spread**2
    ratio = mean / deviation
    iid = math.sqrt(max(0.0, 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2) / (count - 1))
    sharpe = mean_to_deviation(returns, lag)
    tail = np.sort(returns)[: int(TAIL * (count - 1)) + 1]
    volatility = estimate(deviation, long_run_error((centred**2 - spread) / (2.0 * deviation), count, lag), count)
    return found | {
        "volatility": _times(volatility, math.sqrt(year)),
        "sharpe": _times(sharpe, math.sqrt(year)),
        "sharpe_error_iid": iid * math.sqrt(year) if iid > 0 else math.nan,
        "sharpe_probability": 0.5 * math.erfc(-sharpe.t / math.sqrt(2.0)),
        "sortino": _times(_sortino(returns, mean, lag), math.sqrt(year)),
        "skew": skew,
        "kurtosis": kurtosis - 3.0,
        "value_at_risk": float(tail[-1]),
        "expected_shortfall": float(tail.mean()),
    }


def _sortino(returns: Array, mean: float, lag: int | None) -> Estimate:
    """mean / root of the mean of min(r, 0)^2 over all bars, the error by the delta method."""
    losses = np.minimum(returns, 0.0) ** 2
    below = math.sqrt(float(losses.mean()))
    if below < FLAT:
        return Estimate(n=returns.shape[0])
    ratio = mean / below
    influence = (returns - mean) / below - 0.5 * ratio * (losses / below**2 - 1.0)
    return estimate(ratio, long_run_error(influence, returns.shape[0], lag), returns.shape[0])


def _activity(
    returns: Array, timeframe: int, gross: Array | None, traded: Array | None, costs: Array | None, lag: int | None
) -> dict[str, object]:
    """Exposure, turnover and what trading may cost."""
    found: dict[str, object] = {}
    if gross is not None:
        found["exposure"] = float(gross.mean())
        if traded is not None:
            found["turnover"] = turnover(traded, gross, timeframe, lag)
    if costs is not None:
        before = float((returns + costs).sum())
        found["cost_drag"] = float(costs.sum()) / before if before > 0 else math.nan
        if traded is not None:
            found["break_even_bps"] = break_even(returns, costs, traded, lag)
    return found


def _sharpe(sums: Array, count: int) -> Array:
    """mean / sample deviation from the sums of returns and of their squares.   float64[K, 2] -> float64[K]"""
    means = sums[:, 0] / count
    spread = np.maximum(sums[:, 1] / count - means**2, 0.0) * (count / (count - 1.0)) if count > 1 else np.zeros(means.shape)
    usable = spread > FLAT * np.maximum(means**2, np.finfo(np.float64).tiny)
    found: Array = np.where(usable, means / np.sqrt(np.where(usable, spread, 1.0)), np.nan)
    return found


def _times(found: Estimate, factor: float) -> Estimate:
    """The same figure in other units."""
    return msgspec.structs.replace(found, value=found.value * factor, error=found.error * factor)
