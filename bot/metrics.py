"""What a run achieved, from its closing equity: the definitions are those of docs/metrics.md, and no others.

The rule: a figure that cannot be had is None, never an infinity and never a zero that looks like one. Returns are per bar, the
entry's costs included; a year has 365 days; every bar of the run is a period, also those in which nothing was known.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from bot.curve import Curve, Returns, days_of, fall_of, returns_of
from bot.ic import SymbolIC, information_coefficient
from bot.trips import RoundTrip
from feeds.bars import Array
from feeds.mapped import give_back, pieces
from feeds.times import DAY, YEAR

LEAST_PERIODS = 20  # bars (or days) below which a mean and a deviation say nothing
LEAST_SPAN = DAY  # below which a year's compound return says nothing
FLAT = 1e-14  # a deviation of returns below this is rounding
PROFIT_FACTOR_CAP = 1_000.0


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a run. Returns and rates are fractions, `_ms` are UTC milliseconds, money is quote currency.

    max_drawdown is zero or negative. Figures named `_trades` are over closed round trips, the others over bars.
    """

    num_periods: int
    periods_per_year: float
    total_return: float | None = None
    annualised_return: float | None = None
    volatility: float | None = None
    sharpe: float | None = None
    sharpe_error: float | None = None
    sharpe_probability: float | None = None
    sharpe_daily: float | None = None
    sortino: float | None = None
    max_drawdown: float | None = None
    drawdown_from_ms: int | None = None
    drawdown_to_ms: int | None = None
    underwater_ms: int | None = None
    calmar: float | None = None
    win_rate: float | None = None
    win_rate_active: float | None = None
    profit_factor: float | None = None
    skew: float | None = None
    kurtosis: float | None = None
    best_day: float | None = None
    worst_day: float | None = None
    exposure: float | None = None
    time_in_market: float | None = None
    turnover: float | None = None
    trades: int = 0
    win_rate_trades: float | None = None
    profit_factor_trades: float | None = None
    average_trade: float | None = None
    expectancy: float | None = None
    average_bars: float | None = None
    costs: float | None = None
    costs_share: float | None = None
    cost_rate: float | None = None
    ic: float | None = None
    ic_t: float | None = None
    rank_ic: float | None = None
    rank_ic_t: float | None = None
    ic_by_symbol: tuple[SymbolIC, ...] = ()


def measure(
    equity: Array,
    timeframe: int,
    *,
    start: float,
    first_close_ms: int,
    gross: Array | None = None,
    traded: Array | None = None,
    trips: Sequence[RoundTrip] = (),
    costs: float | None = None,
    scores: Array | None = None,
    opens: Array | None = None,
    symbols: tuple[str, ...] = (),
) -> Metrics:
    """Every figure that these inputs allow; docs/metrics.md has the formulas.

    equity          float64[T], at each bar close, open positions at marks
    timeframe       bar length, milliseconds; every close of the span is there, whether anything was known at it or not
    start           equity before the first bar;  first_close_ms  when that bar closes
    gross           float64[T], sum of |position| x mark at each close
    traded          float64[T], notional of the fills in each bar, buys and sells added
    trips           round trips; open ones are left out of the averages
    costs           fees, funding and slippage of the run, quote currency
    scores, opens   float64[T, S] of `symbols`, NaN where not known

    Raises ValueError where equity is not finite or lengths differ: a hole in the books is no metric.
    """
    _check(equity, timeframe, start, gross, traded)
    curve = Curve(start, equity)
    figures: dict[str, float | None] = {}
    if equity.shape[0]:
        returns = returns_of(curve)
        figures |= _growth(curve, timeframe, returns)
        figures |= _moments(returns, timeframe)
        figures |= _daily(curve, timeframe, first_close_ms, returns)
        figures |= _activity(curve, timeframe, gross, traded, costs)
    closed = [trip for trip in trips if trip.exit_ms is not None]
    figures |= _of_trips(closed, timeframe)
    by_symbol: tuple[SymbolIC, ...] = ()
    if scores is not None and opens is not None:
        found = information_coefficient(scores, opens, symbols)
        figures |= {"ic": found.ic, "ic_t": found.ic_t, "rank_ic": found.rank_ic, "rank_ic_t": found.rank_ic_t}
        by_symbol = found.by_symbol
    low, times = _falls(curve, timeframe, first_close_ms)
    calmar = _ratio(figures.get("annualised_return"), -low) if low is not None and low < 0 else None
    return Metrics(
        num_periods=int(equity.shape[0]),
        periods_per_year=YEAR / timeframe,
        trades=len(closed),
        max_drawdown=low if equity.shape[0] else None,
        calmar=calmar,
        **times,
        **figures,  # type: ignore[arg-type]  # names and kinds are those of the struct: msgspec cannot say so
        ic_by_symbol=by_symbol,
    )


def drawdown(path: Array) -> tuple[float | None, int | None, int | None, int]:
    """The deepest fall from a peak as a fraction <= 0, where it begins and ends, and the longest time below a peak.

    path  float64[T + 1], the starting equity first. Begin (the last time at the peak) and end (the lowest close) are indices
    into it, None when it never fell; the time is in bars, from the peak until it is reached again or the end.
    """
    fall = fall_of(Curve(float(path[0]), path[1:])) if path.shape[0] else None
    if fall is None:
        return None, None, None, 0
    begin, end = (None if row is None else row + 1 for row in (fall.begin, fall.end))
    return fall.depth, begin, end, fall.longest


def day_returns(path: Array, timeframe: int, first_close_ms: int) -> tuple[NDArray[np.int64], Array, NDArray[np.int64]]:
    """As `bot.curve.days_of` has them; path float64[T + 1] begins with the starting equity."""
    return days_of(Curve(float(path[0]), path[1:]), timeframe, first_close_ms)


def _check(equity: Array, timeframe: int, start: float, gross: Array | None, traded: Array | None) -> None:
    if timeframe <= 0:
        raise ValueError(f"timeframe is {timeframe} ms; a bar has a length")
    bad = _first_unknown(equity)
    if bad is not None or not math.isfinite(start):
        place = "the start" if bad is None else f"bar {bad}"
        raise ValueError(f"equity is not known at {place}; mark every position at every close")
    for name, values in (("gross", gross), ("traded", traded)):
        if values is not None and (values.shape != equity.shape or _first_unknown(values) is not None):
            raise ValueError(f"{name} must be finite and as long as equity ({equity.shape[0]} bars), it is {values.shape}")


def _first_unknown(values: Array) -> int | None:
    for begin, end in pieces(values.shape[0]):
        known = np.isfinite(values[begin:end])
        if not known.all():
            return begin + int(known.argmin())
    give_back(values)
    return None


def _growth(curve: Curve, timeframe: int, returns: Returns | None) -> dict[str, float | None]:
    """Total and compound return, and what is counted in bars."""
    count = curve.equity.shape[0]
    if curve.start <= 0:
        return {}
    total = curve.end / curve.start - 1.0
    compound = None
    if total > -1.0 and count >= LEAST_PERIODS and count * timeframe >= LEAST_SPAN:
        growth = math.log1p(total) * YEAR / (count * timeframe)
        compound = math.expm1(growth) if growth < 700.0 else None
    figures: dict[str, float | None] = {"total_return": total, "annualised_return": compound}
    if returns is not None:
        figures["win_rate"] = returns.won / count
        figures["win_rate_active"] = _ratio(float(returns.won), float(returns.won + returns.lost))
        figures["profit_factor"] = _profit_factor(returns.gain, -returns.loss)
    return figures


def _moments(returns: Returns | None, timeframe: int) -> dict[str, float | None]:
    """Volatility, Sharpe with its error, Sortino, skew and excess kurtosis of the bar returns."""
    if returns is None or returns.bars < LEAST_PERIODS:
        return {}
    count, mean, year = returns.bars, returns.mean, YEAR / timeframe
    deviation = math.sqrt(returns.spread * count / (count - 1))
    if deviation < FLAT:
        return {"volatility": 0.0}
    skew, kurtosis = returns.cubed / returns.spread**1.5, returns.fourth / returns.spread**2
    sharpe = mean / deviation
    error = math.sqrt(max(0.0, 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2) / (count - 1))
    below = math.sqrt(returns.below)
    return {
        "volatility": deviation * math.sqrt(year),
        "sharpe": sharpe * math.sqrt(year),
        "sharpe_error": error * math.sqrt(year) if error > 0 else None,
        "sharpe_probability": 0.5 * (1.0 + math.erf(sharpe / error / math.sqrt(2.0))) if error > 0 else None,
        "sortino": mean / below * math.sqrt(year) if below >= FLAT else None,
        "skew": skew,
        "kurtosis": kurtosis - 3.0,
    }


def _daily(curve: Curve, timeframe: int, first_close_ms: int, returns: Returns | None) -> dict[str, float | None]:
    """Best and worst UTC day, and the Sharpe ratio of the whole days."""
    if timeframe > DAY or returns is None or returns.bars * timeframe < DAY:
        return {}
    _, earned, bars = days_of(curve, timeframe, first_close_ms)
    whole = earned[bars * timeframe == DAY]
    deviation = float(whole.std(ddof=1)) if whole.shape[0] >= LEAST_PERIODS else 0.0
    return {
        "best_day": float(earned.max()),
        "worst_day": float(earned.min()),
        "sharpe_daily": float(whole.mean()) / deviation * math.sqrt(365.0) if deviation >= FLAT else None,
    }


def _activity(curve: Curve, timeframe: int, gross: Array | None, traded: Array | None, costs: float | None) -> dict[str, float | None]:
    """Exposure, turnover and what trading cost."""
    figures: dict[str, float | None] = {"costs": costs}
    solvent = curve.start > 0
    held = exposed = turned = moved = 0.0
    for first, before, after in curve.steps():
        solvent = solvent and bool((after > 0).all())
        rows = slice(first, first + after.shape[0])
        if gross is not None:
            held += float(np.count_nonzero(gross[rows] > 0))
            exposed += float(np.sum(gross[rows] / after)) if solvent else 0.0
            give_back(gross)
        if traded is not None:
            moved += float(traded[rows].sum())
            turned += float(np.sum(traded[rows] / before)) if solvent else 0.0
            give_back(traded)
    count = curve.equity.shape[0]
    if gross is not None:
        figures["time_in_market"] = held / count
        figures["exposure"] = exposed / count if solvent else None
    if traded is not None and solvent:
        figures["turnover"] = turned / 2.0 / (count * timeframe / DAY)
    if costs is not None:
        figures["costs_share"] = _ratio(costs, curve.end - curve.start + costs)
        figures["cost_rate"] = None if traded is None else _ratio(costs, moved)
    return figures


def _falls(curve: Curve, timeframe: int, first_close_ms: int) -> tuple[float | None, dict[str, int | None]]:
    """The deepest fall, and when it was."""
    fall = fall_of(curve)
    begin, end = (None, None) if fall is None else (fall.begin, fall.end)
    times = {
        "drawdown_from_ms": None if begin is None else first_close_ms + begin * timeframe,
        "drawdown_to_ms": None if end is None else first_close_ms + end * timeframe,
        "underwater_ms": (0 if fall is None else fall.longest) * timeframe if curve.equity.shape[0] else None,
    }
    return None if fall is None else fall.depth, times


def _of_trips(trips: Sequence[RoundTrip], timeframe: int) -> dict[str, float | None]:
    """Averages over closed round trips."""
    if not trips:
        return {}
    profits = [float(trip.pnl) for trip in trips]
    return {
        "win_rate_trades": sum(profit > 0 for profit in profits) / len(trips),
        "profit_factor_trades": _profit_factor(math.fsum(p for p in profits if p > 0), -math.fsum(p for p in profits if p < 0)),
        "average_trade": math.fsum(profits) / len(trips),
        "expectancy": math.fsum(p / float(trip.notional) for p, trip in zip(profits, trips, strict=True)) / len(trips),
        "average_bars": sum(trip.bars(timeframe) or 0 for trip in trips) / len(trips),
    }


def _profit_factor(won: float, lost: float) -> float | None:
    """None without losses, and never above the cap."""
    return min(won / lost, PROFIT_FACTOR_CAP) if lost > 0 else None


def _ratio(part: float | None, whole: float) -> float | None:
    """None where the whole is nothing, or less."""
    return part / whole if part is not None and whole > 0 else None
