"""Every metric a second time: pandas over the equity at each bar close, from docs/metrics.md.

The rule: nothing of the product that measures is imported here.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tests.e2e.recompute import DAY, YEAR, Column, by_rank
from tests.e2e.resettle import ZERO, Fill


class Path(NamedTuple):
    """The account at each close: closes int64[T], equity, gross, traded float64[T]; score, open symbol -> float64[T]."""

    start: float
    closes: Any
    equity: Column
    gross: Column
    traded: Column
    score: Mapping[str, Column]
    open: Mapping[str, Column]


class Trip(NamedTuple):
    """From flat to flat, or to the other side."""

    net: float
    notional: float
    bars: int


def trips_of(fills: Sequence[Fill], funding: Sequence[tuple[int, str, Decimal]], timeframe: int) -> list[Trip]:
    """Closed round trips; a fill that turns a position is two, its fee shared by quantity. funding: (settled at, symbol, payment)."""
    told: dict[str, list[tuple[int, int, Any]]] = defaultdict(list)
    for at, symbol, payment in funding:
        told[symbol].append((at, 1, payment))
    for fill in fills:
        told[fill.symbol].append((fill.filled_ms, 2, fill))
    trips = []
    for events in told.values():
        held = cash = most = bought = paid = ZERO
        since = 0
        for _, kind, event in sorted(events, key=lambda told: told[:2]):
            if kind == 1:
                cash -= event if held else ZERO
                continue
            left = event.quantity
            if held * event.side < 0:
                part = min(left, abs(held))
                cash -= event.side * part * event.price + event.fee * part / event.quantity
                held += event.side * part
                left -= part
                if not held:
                    trips.append(Trip(float(cash), float(most * paid / bought), event.filled_ms // timeframe - since // timeframe))
            if left:
                if not held:
                    cash = most = bought = paid = ZERO
                    since = event.filled_ms
                cash -= event.side * left * event.price + event.fee * left / event.quantity
                held += event.side * left
                most, bought, paid = max(most, abs(held)), bought + left, paid + left * event.price
    return trips


def metrics_of(path: Path, timeframe: int, trips: Sequence[Trip], costs: float) -> dict[str, Any]:
    """The document's `metrics`, by name, but for the table by symbol."""
    level = pd.Series(np.concatenate([[path.start], path.equity]))
    r = (level / level.shift(1) - 1).iloc[1:]
    count, year = len(r), YEAR / timeframe
    q = r.mean() / r.std()
    total = level.iloc[-1] / path.start - 1
    centred = r - r.mean()
    skew = (centred**3).mean() / (centred**2).mean() ** 1.5
    kurtosis = (centred**4).mean() / (centred**2).mean() ** 2
    error = math.sqrt((1 - skew * q + (kurtosis - 1) / 4 * q**2) / (count - 1))
    annual = (1 + total) ** (year / count) - 1
    fall = level / level.cummax() - 1
    days = r.groupby((path.closes - 1) // DAY).agg(lambda part: (1 + part).prod() - 1)
    whole = days[r.groupby((path.closes - 1) // DAY).size() * timeframe == DAY]
    found: dict[str, Any] = {
        "num_periods": count, "periods_per_year": year, "total_return": total, "annualised_return": annual,
        "volatility": r.std() * math.sqrt(year), "sharpe": q * math.sqrt(year), "sharpe_error": error * math.sqrt(year),
        "sharpe_probability": (1 + math.erf(q / error / math.sqrt(2))) / 2,
        "sharpe_daily": whole.mean() / whole.std() * math.sqrt(365) if len(whole) >= 20 else None,
        "sortino": r.mean() / math.sqrt((r.clip(upper=0) ** 2).mean()) * math.sqrt(year), "max_drawdown": fall.min(),
        "calmar": annual / abs(fall.min()), "win_rate": (r > 0).mean(), "win_rate_active": (r > 0).sum() / (r != 0).sum(),
        "profit_factor": min(1000.0, r[r > 0].sum() / -r[r < 0].sum()), "skew": skew, "kurtosis": kurtosis - 3,
        "best_day": days.max(), "worst_day": days.min(), "exposure": (path.gross / path.equity).mean(),
        "time_in_market": (path.gross > 0).mean(),
        "turnover": (path.traded / level.iloc[:-1].to_numpy()).sum() / 2 / (count * timeframe / DAY),
        "costs": costs, "costs_share": costs / (level.iloc[-1] - path.start + costs) if level.iloc[-1] - path.start + costs > 0 else None,
        "cost_rate": costs / path.traded.sum(),
    }  # fmt: skip
    return found | _falls(level, fall, path, timeframe) | _of_trips(trips) | _of_scores(path)


def _falls(level: pd.Series, fall: pd.Series, path: Path, timeframe: int) -> dict[str, Any]:
    """When the deepest fall began and ended, and the longest time below a peak."""
    at = np.concatenate([[path.closes[0] - timeframe], path.closes])
    low = int(fall.to_numpy().argmin())
    peaks = np.flatnonzero((fall == 0).to_numpy())
    longest, last = 0, 0
    for i in [*peaks.tolist(), len(level)]:
        if i - last > 1:
            longest = max(longest, (min(i, len(level) - 1) - last))
        last = i
    return {
        "drawdown_from_ms": int(at[peaks[peaks < low].max()]), "drawdown_to_ms": int(at[low]), "underwater_ms": longest * timeframe,
    }  # fmt: skip


def _of_trips(trips: Sequence[Trip]) -> dict[str, Any]:
    net = pd.Series([trip.net for trip in trips])
    return {
        "trades": len(trips), "win_rate_trades": (net > 0).mean(), "average_trade": net.mean(),
        "profit_factor_trades": min(1000.0, net[net > 0].sum() / -net[net < 0].sum()) if (net < 0).any() else None,
        "expectancy": np.mean([trip.net / trip.notional for trip in trips]), "average_bars": np.mean([trip.bars for trip in trips]),
    }  # fmt: skip


def _of_scores(path: Path) -> dict[str, Any]:
    """IC and rank IC with their t, and the table by symbol."""
    table, plain, ranked = [], [], []
    for symbol, score in path.score.items():
        opens = path.open[symbol]
        label = np.full(score.size, np.nan)
        label[:-2] = opens[2:] / opens[1:-1] - 1
        known = np.isfinite(score) & np.isfinite(label)
        one = _influence(score[known], label[known], known)
        two = _influence(by_rank(score[known]), by_rank(label[known]), known)
        plain.append(one)
        ranked.append(two)
        (ic, ic_t), (rank_ic, rank_ic_t) = _mean_and_t([one]), _mean_and_t([two])
        table.append({"symbol": symbol, "pairs": int(known.sum()), "ic": ic, "ic_t": ic_t, "rank_ic": rank_ic, "rank_ic_t": rank_ic_t})
    (ic, ic_t), (rank_ic, rank_ic_t) = _mean_and_t(plain), _mean_and_t(ranked)
    return {"ic": ic, "ic_t": ic_t, "rank_ic": rank_ic, "rank_ic_t": rank_ic_t, "ic_by_symbol": table}


def _influence(x: Column, y: Column, known: Any) -> tuple[float, Column]:
    """Pearson's correlation, and z(x) z(y) less it on the whole grid, weighted T / pairs."""
    coefficient = float(np.corrcoef(x, y)[0, 1])
    out = np.zeros(known.size)
    out[known] = ((x - x.mean()) / x.std() * ((y - y.mean()) / y.std()) - coefficient) * (known.size / x.size)
    return coefficient, out


def _mean_and_t(parts: Sequence[tuple[float, Column]]) -> tuple[float, float]:
    """The mean coefficient and its t: Newey and West, Bartlett weights, floor(4 (T / 100)^(2/9)) lags."""
    mean = float(np.mean([part[0] for part in parts]))
    values = np.sum([part[1] for part in parts], axis=0) / len(parts)
    lags = math.floor(4 * (values.size / 100) ** (2 / 9))
    total = float((values**2).sum())
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * float((values[lag:] * values[:-lag]).sum())
    return mean, mean / (math.sqrt(total) / values.size)
