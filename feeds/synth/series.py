"""What accompanies an invented market: funding settlements and on-chain series, each with the moment it is known."""

from typing import NamedTuple

import numpy as np

from feeds.bars import Array
from feeds.synth.market import FLOW_LAG, FLOW_MS, WHALE_LAG, WHALE_MS, Grid, Market, premiums
from feeds.synth.numbers import Dice, bounded, exp
from feeds.times import DAY, HOUR

FUNDING_MS = 8 * HOUR
INTEREST = 0.0001  # the interest part of a settlement
DAILY_LAG = DAY + HOUR  # a day's figure is known an hour after the day
INDEX_LAG = 10 * HOUR  # the mood index of a day is out in its morning and looks at the days before


class Row(NamedTuple):
    """One observation; `symbol` None means market-wide, `ts_ms` the start of its period."""

    metric: str
    symbol: str | None
    ts_ms: int
    available_ms: int
    value: float


def settlements(seed: int, market: Market, from_ms: int) -> list[tuple[str, int, float]]:
    """(symbol, settle_ms, rate) every eight hours from `from_ms` on.

    The exchange's rule: the mean premium P of the eight hours, plus the interest I less P, held within 0.05 %.
    """
    grid, rows = market.grid, []
    total = np.concatenate([np.zeros((1, len(market.coins))), np.cumsum(premiums(seed, market), axis=0)])
    end = grid.start_ms + grid.bars * grid.timeframe
    first = -(-max(from_ms, grid.start_ms + FUNDING_MS) // FUNDING_MS) * FUNDING_MS
    for s, coin in enumerate(market.coins):
        for at in range(first, end + 1, FUNDING_MS):
            last = (at - grid.start_ms) // grid.timeframe
            begin = max(0, (at - FUNDING_MS - grid.start_ms) // grid.timeframe)
            premium = float(total[last, s] - total[begin, s]) / max(1, last - begin)
            rate = premium + min(max(INTEREST - premium, -0.0005), 0.0005)
            rows.append((coin.symbol, at, round(min(max(rate, -0.0075), 0.0075) * 1e6) / 1e6))
    return rows


def observations(seed: int, market: Market) -> list[Row]:
    """Every on-chain and market-wide value, in order of the moment it is known."""
    rows: list[Row] = []
    grid = market.grid
    for s, coin in enumerate(market.coins):
        coins_a_minute = coin.turnover / coin.price
        unit = float(10**coin.lot_digits)
        for metric, period, lag, latent, size in (
            ("exchange_netflow", FLOW_MS, FLOW_LAG, market.flow[:, s], 6.0),
            ("whale_balance_change", WHALE_MS, WHALE_LAG, market.whale[:, s], 4.0),
        ):
            noise = Dice(seed, f"{coin.symbol}/{metric}").normal(latent.shape[0])
            values = np.rint((latent * 0.8 + noise * 0.6) * size * coins_a_minute * unit) / unit
            rows += [_row(metric, coin.symbol, grid.start_ms + n * period, period + lag, v) for n, v in enumerate(values.tolist())]
    rows += _daily(seed, market)
    return sorted(rows, key=lambda row: (row.available_ms, row.metric, row.symbol or ""))


def _row(metric: str, symbol: str | None, ts_ms: int, wait: int, value: float) -> Row:
    return Row(metric, symbol, ts_ms, ts_ms + wait, value)


def _daily(seed: int, market: Market) -> list[Row]:
    grid, rows = market.grid, []
    first = -(-grid.start_ms // DAY)
    days = (grid.start_ms + grid.bars * grid.timeframe) // DAY - first
    level, restless = _market_level(market, first, days), _restless(market, first, days)
    supply = np.cumsum(Dice(seed, "supply").normal(max(1, days)) * 0.0012 + 0.0004)
    addresses, locked = Dice(seed, "addresses").normal(max(1, days)), Dice(seed, "locked").normal(max(1, days))
    change = bounded(np.concatenate([np.zeros(1), np.diff(level)]) * 14.0)
    for day in range(days):
        at = (first + day) * DAY
        greed = 50.0 if day == 0 else 50.0 + 34.0 * float(change[day - 1]) - 10.0 * (float(restless[day - 1]) - 1.0)
        rows.append(_row("fear_greed", None, at, INDEX_LAG, float(round(min(max(greed, 3.0), 97.0)))))
        values = exp(np.array([0.7 * level[day] + 0.004 * locked[day], supply[day], 0.05 * addresses[day] + 0.12 * (restless[day] - 1.0)]))
        for metric, base, value in zip(("tvl", "stablecoin_supply", "active_addresses"), (9.2e10, 1.61e11, 9.1e5), values, strict=True):
            rows.append(_row(metric, None, at, DAILY_LAG, float(round(base * float(value)))))
    return rows


def _ends(grid: Grid, first: int, days: int) -> list[int]:
    return [min(grid.bars, ((first + day + 1) * DAY - grid.start_ms) // grid.timeframe) for day in range(days)]


def _market_level(market: Market, first: int, days: int) -> Array:
    """Mean log return of the coins since the start, at the end of each day."""
    path = market.returns[:, 0]
    for s in range(1, len(market.coins)):
        path = path + market.returns[:, s]
    total = np.concatenate([np.zeros(1), np.cumsum(path)]) / len(market.coins)
    return total[_ends(market.grid, first, days)]


def _restless(market: Market, first: int, days: int) -> Array:
    """Each day's volatility over that of the whole span."""
    total = np.concatenate([np.zeros(1), np.cumsum(market.deviation[:, 0])])
    ends = _ends(market.grid, first, days)
    a_day = DAY / market.grid.timeframe
    mean = total[-1] / market.grid.bars
    return np.array([float(total[end] - total[max(0, end - round(a_day))]) / min(a_day, max(1, end)) / mean for end in ends])
