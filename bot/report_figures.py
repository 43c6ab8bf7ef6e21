"""How figures are written: every metric with its label, its shape and its meaning in one line.

The rule: what cannot be had is a dash, in tables and on pages alike. docs/metrics.md has the formulas.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from bot.metrics import Metrics
from bot.render import clock, number
from feeds.times import DAY, HOUR


class Figure(msgspec.Struct, frozen=True):
    """A metric as it is shown: field of Metrics, label, how it is written, and what it means in one line."""

    field: str
    label: str
    write: Callable[[float], str]
    meaning: str


def share(value: float) -> str:
    """+1.23%"""
    return f"{100 * value:+,.2f}%"


def plain_share(value: float) -> str:
    return f"{100 * value:,.2f}%"


def ratio(value: float) -> str:
    return f"{value:,.2f}"


def fine(value: float) -> str:
    return f"{value:+.4f}"


def count(value: float) -> str:
    return f"{value:,.0f}"


def cash(value: float) -> str:
    return f"{value:+,.2f}"


def bps(value: float) -> str:
    return f"{1e4 * value:,.1f} bps"


def bars(value: float) -> str:
    return f"{value:,.1f} bars"


def span(value: float) -> str:
    return f"{value / DAY:,.1f} days" if value >= DAY else f"{value / HOUR:,.1f} h"


FIGURES = (
    Figure("total_return", "Total return", share, "last equity / first - 1"),
    Figure("annualised_return", "Annualised return", share, "compound, on a year of 365 days; from one day of data on"),
    Figure("volatility", "Volatility", plain_share, "deviation of bar returns, a year"),
    Figure("sharpe", "Sharpe ratio", ratio, "mean / deviation of bar returns, a year, no interest"),
    Figure("sharpe_error", "Error of Sharpe", ratio, "standard error, with skew and tails"),
    Figure("sharpe_probability", "P(Sharpe > 0)", plain_share, "that the true ratio is positive, for this one trial"),
    Figure("sharpe_daily", "Sharpe, whole days", ratio, "the same from returns of whole UTC days"),
    Figure("sortino", "Sortino ratio", ratio, "mean / root of the mean squared loss, over all bars"),
    Figure("max_drawdown", "Maximum drawdown", share, "deepest fall from a peak"),
    Figure("drawdown_from_ms", "Drawdown from", lambda at: clock(int(at)), "the peak before it"),
    Figure("drawdown_to_ms", "Drawdown to", lambda at: clock(int(at)), "its lowest close"),
    Figure("underwater_ms", "Longest below a peak", span, "until the peak was reached again, or the end"),
    Figure("calmar", "Calmar ratio", ratio, "annualised return / maximum drawdown"),
    Figure("win_rate", "Win rate of bars", plain_share, "bars with a gain, of all bars"),
    Figure("win_rate_active", "Win rate of moving bars", plain_share, "bars with a gain, of bars with a gain or loss"),
    Figure("profit_factor", "Profit factor", ratio, "sum of gains / sum of losses of bar returns"),
    Figure("skew", "Skew", ratio, "of bar returns"),
    Figure("kurtosis", "Excess kurtosis", ratio, "of bar returns; 0 for a normal law"),
    Figure("best_day", "Best day", share, "UTC"),
    Figure("worst_day", "Worst day", share, "UTC"),
    Figure("exposure", "Exposure", plain_share, "mean gross position / equity"),
    Figure("time_in_market", "Time in market", plain_share, "bar closes with a position"),
    Figure("turnover", "Turnover a day", ratio, "one-way: half of what was bought and sold / equity"),
    Figure("trades", "Round trips", count, "from flat to flat, closed"),
    Figure("win_rate_trades", "Win rate of trades", plain_share, "closed round trips with a net gain"),
    Figure("profit_factor_trades", "Profit factor of trades", ratio, "sum of net gains / sum of net losses"),
    Figure("average_trade", "Average trade", cash, "mean net profit, quote currency"),
    Figure("expectancy", "Expectancy", bps, "mean net profit / notional at entry"),
    Figure("average_bars", "Average holding", bars, "of closed round trips"),
    Figure("costs", "Costs", cash, "fees, funding and slippage, quote currency"),
    Figure("costs_share", "Costs of gross profit", plain_share, "costs / profit before costs"),
    Figure("cost_rate", "Cost of trading", bps, "costs / notional traded"),
    Figure("ic", "IC", fine, "correlation of the score with the next executable return"),
    Figure("ic_t", "t of IC", ratio, "robust to autocorrelation"),
    Figure("rank_ic", "Rank IC", fine, "the same of ranks"),
    Figure("rank_ic_t", "t of rank IC", ratio, "robust to autocorrelation"),
    Figure("num_periods", "Periods", count, "bars of the run"),
    Figure("periods_per_year", "Periods a year", count, "365 days / bar length"),
)
_BY_FIELD = {figure.field: figure for figure in FIGURES}


def shown(metrics: Metrics, field: str) -> str:
    """A metric as text; a dash where it cannot be had."""
    value = getattr(metrics, field)
    return "-" if value is None else _BY_FIELD[field].write(value)


def price(value: Decimal) -> str:
    """Seven significant digits: enough for an average price, and no rounding of a tick."""
    return number(Decimal(f"{value:.7g}"))
