"""An invented market, bar by bar: returns of a market factor and of each coin, and what they bring about.

What can be learned from it, on purpose: trends last for hours; the price drifts for about an hour in the direction of a
story after it has jumped on it; coins that flow to exchanges press on the price for some hours, coins that whales add lift it.
All of it is weak beside the noise, and none of it is a claim about a real market.
"""

from typing import NamedTuple

import numpy as np

from feeds.bars import Array
from feeds.synth.numbers import Dice, bounded, exp, keep_for, recur, wander
from feeds.synth.stories import Stories
from feeds.times import DAY, HOUR, MINUTE, YEAR

MARKET_VOLATILITY = 0.42  # annualised, of the factor
TREND = 0.022  # drift in a trend, in standard deviations of a minute
TREND_HOURS = 8.0  # a regime lasts so long on average
JUMP = 0.0035  # of the price, on a story of strength 1 and full mood
AFTER = 0.45  # the drift after a jump, as a share of it
AFTER_MINUTES = 30.0  # and its half-life
HEAT_MINUTES = 45.0  # volatility after a jump: its half-life
FLOW_LEAD = 0.014  # drift of one standard deviation of exchange flow, in standard deviations of a minute
WHALE_LEAD = 0.009
LEAD_HOURS = 3.0  # the half-life of either
FLOW_MS, WHALE_MS = HOUR, 4 * HOUR  # periods of the two series
FLOW_LAG, WHALE_LAG = 10 * MINUTE, 25 * MINUTE  # from the end of a period until we know it

_HOURLY = (  # share of a day's volume in each hour, UTC, relative to the mean: quiet at 4-6, busy when America opens
    1.05, 0.92, 0.86, 0.78, 0.72, 0.70, 0.74, 0.86, 0.98, 0.96, 0.92, 0.94,
    1.06, 1.34, 1.62, 1.56, 1.38, 1.18, 1.08, 1.02, 1.00, 0.96, 0.92, 0.98,
)  # fmt: skip


class Coin(NamedTuple):
    """One symbol: where it starts and how it moves.

    price_digits, lot_digits  decimals of a price and of a quantity
    beta                      to the market factor;  own  annualised volatility of what is its own
    turnover                  quote currency traded in a usual minute
    """

    symbol: str
    base: str
    price: float
    price_digits: int
    lot_digits: int
    beta: float
    own: float
    turnover: float

    @property
    def whole(self) -> float:
        """Annualised volatility of the coin."""
        shared = self.beta * MARKET_VOLATILITY
        return float(np.sqrt(shared * shared + self.own * self.own))


class Grid(NamedTuple):
    """The bars: T of them from start_ms, `timeframe` milliseconds each."""

    start_ms: int
    timeframe: int
    bars: int

    @property
    def minutes(self) -> float:
        """Length of a bar."""
        return self.timeframe / MINUTE

    def row(self, at: int) -> int:
        """The first bar that opens at or after `at`."""
        return -(-(at - self.start_ms) // self.timeframe)

    def rows_of(self, duration: float) -> float:
        """How many bars a duration in milliseconds is."""
        return duration / self.timeframe


class Market(NamedTuple):
    """Everything that happened, float64[T, S] on the grid.

    candles    float64[T, 5, S]: open, high, low, close, volume
    returns    log returns of each bar; deviation  their standard deviation as it was at the time
    flow       float64[hours, S] latent exchange flow, and whale float64[4 hours, S], in standard deviations
    """

    grid: Grid
    coins: tuple[Coin, ...]
    candles: Array
    returns: Array
    deviation: Array
    flow: Array
    whale: Array


class _World(NamedTuple):
    """What all coins share: calm, the busy hours' factor on volatility; factor and its deviation, float64[T]."""

    seed: int
    grid: Grid
    stories: Stories
    calm: Array
    factor: Array
    factor_deviation: Array


def simulate(seed: int, coins: tuple[Coin, ...], grid: Grid, stories: Stories) -> Market:
    """Run the market over the grid: prices answer to the stories, not the other way round."""
    calm = np.sqrt(_busy(grid))
    bar = MARKET_VOLATILITY * np.sqrt(grid.timeframe / YEAR)
    deviation = bar * _volatility(Dice(seed, "factor/volatility"), grid) * calm
    factor = deviation * Dice(seed, "factor/shocks").student(grid.bars)
    factor = factor + TREND * bar * np.sqrt(grid.minutes) * _regimes(Dice(seed, "factor/regimes"), grid)
    world = _World(seed, grid, stories, calm, factor, deviation)
    columns = [_coin(world, s, coin) for s, coin in enumerate(coins)]
    candles, returns, deviations, flow, whale = (np.stack(parts, axis=-1) for parts in zip(*columns, strict=True))
    return Market(grid, coins, candles, returns, deviations, flow, whale)


def _coin(world: _World, position: int, coin: Coin) -> tuple[Array, Array, Array, Array, Array]:
    """candles float64[T, 5], returns, deviation float64[T], flow and whale float64[periods] of one symbol."""
    seed, grid, _, calm, factor, factor_deviation = world
    name, minute = coin.symbol, np.sqrt(MINUTE / YEAR)
    own = coin.own * minute * np.sqrt(grid.minutes) * _volatility(Dice(seed, f"{name}/volatility"), grid) * calm
    flow, flow_drift = _leading(Dice(seed, f"{name}/flow"), grid, FLOW_MS, FLOW_LAG)
    whale, whale_drift = _leading(Dice(seed, f"{name}/whale"), grid, WHALE_MS, WHALE_LAG)
    drift = TREND * coin.own * _regimes(Dice(seed, f"{name}/regimes"), grid)
    drift = (drift + coin.whole * (WHALE_LEAD * whale_drift - FLOW_LEAD * flow_drift)) * minute * grid.minutes
    jumps = _jumps(position, coin, grid, world.stories)
    heat = 1.0 + _heat(jumps, grid)
    shared = coin.beta * factor_deviation
    deviation = np.sqrt(shared * shared + own * own) * heat
    returns = (own * Dice(seed, f"{name}/shocks").student(grid.bars) + drift + coin.beta * factor) * heat + jumps + _after(jumps, grid)
    return _candles(world, coin, returns, deviation), returns, deviation, flow, whale


def _volatility(dice: Dice, grid: Grid) -> Array:
    """A factor on volatility around 1: three log processes, with half-lives of two days, five hours and half an hour."""
    slow = 0.34 * wander(dice, grid.bars, grid.rows_of(2 * DAY))
    middle = 0.32 * wander(dice, grid.bars, max(1.0, grid.rows_of(5 * HOUR)))
    fast = 0.24 * wander(dice, grid.bars, max(0.5, grid.rows_of(30 * MINUTE)))
    return exp(slow + middle + fast - (0.34 * 0.34 + 0.32 * 0.32 + 0.24 * 0.24))


def _busy(grid: Grid) -> Array:
    """The time of day and of the week as a factor on volume, by straight lines between the middles of the hours."""
    at = grid.start_ms + grid.timeframe * np.arange(grid.bars, dtype=np.int64) + grid.timeframe // 2
    hours = (at % DAY).astype(np.float64) / HOUR - 0.5
    before = np.floor(hours)
    part = hours - before
    shape = np.array(_HOURLY)
    here = before.astype(np.int64) % 24
    line = shape[here] * (1.0 - part) + shape[(here + 1) % 24] * part
    weekday = (at // DAY + 3) % 7  # 1970-01-01 was a Thursday
    return line * np.where(weekday >= 5, 0.62, 1.1)


def _regimes(dice: Dice, grid: Grid) -> Array:
    """-1, 0 or +1: the direction of the trend; each bar ends it with the chance that makes it last TREND_HOURS."""
    ends = dice.uniform(grid.bars) < 1.0 / max(1.0, grid.rows_of(TREND_HOURS * HOUR))
    ends[:1] = True
    drawn = np.floor(dice.uniform(grid.bars) * 3.0) - 1.0
    last = np.maximum.accumulate(np.where(ends, np.arange(grid.bars), 0))
    return drawn[last]


def _leading(dice: Dice, grid: Grid, period: int, lag: int) -> tuple[Array, Array]:
    """A latent series in standard deviations, one value a period, and the drift that follows it once it can be known."""
    periods = grid.bars * grid.timeframe // period
    latent = wander(dice, periods, 1.5)
    impulse = np.zeros(grid.bars)
    for n, value in enumerate(latent.tolist()):
        row = grid.row(grid.start_ms + (n + 1) * period + lag)
        if row < grid.bars:
            impulse[row] += value
    keep = keep_for(grid.rows_of(LEAD_HOURS * HOUR))
    return latent, recur(impulse, keep) * np.sqrt(period / (LEAD_HOURS * HOUR))


def _jumps(position: int, coin: Coin, grid: Grid, stories: Stories) -> Array:
    """Log return of each story about the coin or the market, in the bar in which it is published.   float64[T]"""
    jumps = np.zeros(grid.bars)
    sizes = (stories.mood * stories.strength * (JUMP * coin.beta)).tolist()
    for ts, about, size in zip(stories.ts_ms, stories.about, sizes, strict=True):
        row = (ts - grid.start_ms) // grid.timeframe
        if about in (-1, position) and row < grid.bars:
            jumps[row] += size
    return jumps


def _later(series: Array) -> Array:
    """One bar later."""
    return np.concatenate([np.zeros(1), series[:-1]])


def _heat(jumps: Array, grid: Grid) -> Array:
    """What a jump adds to volatility in the bars after it, as a share of it.   float64[T]"""
    keep = keep_for(max(0.2, grid.rows_of(HEAT_MINUTES * MINUTE)))
    return np.minimum(recur(_later(np.abs(jumps) / JUMP * 0.5), keep), 3.0)


def _after(jumps: Array, grid: Grid) -> Array:
    """The drift after jumps, as log returns: AFTER of a jump in all.   float64[T]"""
    keep = keep_for(max(0.2, grid.rows_of(AFTER_MINUTES * MINUTE)))
    return recur(_later(jumps), keep) * ((1.0 - keep) * AFTER)


def _candles(world: _World, coin: Coin, returns: Array, deviation: Array) -> Array:
    """Open, high, low, close, volume, float64[T, 5], on the tick and the lot.

    Highs and lows are the extremes of a Brownian bridge between open and close: (x + sqrt(x^2 + 2 v E)) / 2, v its variance
    and E exponential (Beaglehole, Dybvig and Zhou 1997).
    """
    dice, bars = Dice(world.seed, f"{coin.symbol}/candles"), world.grid.bars
    steps, lots = float(10**coin.price_digits), float(10**coin.lot_digits)
    path = np.cumsum(returns)
    close = np.maximum(np.rint(coin.price * exp(path) * steps), 100.0)
    before = np.concatenate([np.array([np.rint(coin.price * steps)]), close[:-1]])
    open_ = before + np.where(dice.uniform(bars) < 0.3, np.where(dice.uniform(bars) < 0.5, -1.0, 1.0), 0.0)
    x = path - _later(path)
    variance = deviation * deviation
    above = (x + np.sqrt(x * x + 2.0 * variance * dice.exponential(bars))) * 0.5
    below = (x - np.sqrt(x * x + 2.0 * variance * dice.exponential(bars))) * 0.5
    high = np.maximum(np.rint(before * exp(above)), np.maximum(open_, close))
    low = np.maximum(np.minimum(np.rint(before * exp(below)), np.minimum(open_, close)), 1.0)
    traded = _turnover(dice, coin, world, np.abs(x) / deviation, deviation)
    volume = np.maximum(np.rint(traded / (close / steps) * lots), 1.0) / lots
    return np.stack([open_ / steps, high / steps, low / steps, close / steps, volume], axis=-1)


def _turnover(dice: Dice, coin: Coin, world: _World, surprise: Array, deviation: Array) -> Array:
    """Quote currency traded in each bar: more in busy hours, in volatile times, and in bars that move.   float64[T]"""
    grid, calm = world.grid, world.calm
    restless = np.minimum(deviation / (coin.whole * np.sqrt(grid.timeframe / YEAR) * calm), 12.0)
    noise = 0.35 * wander(dice, grid.bars, max(0.5, grid.rows_of(40 * MINUTE))) + 0.30 * dice.normal(grid.bars)
    traded: Array = coin.turnover * grid.minutes * calm * calm * restless * exp(0.38 * np.minimum(surprise, 8.0) - 0.35 + noise)
    return traded


def premiums(seed: int, market: Market) -> Array:
    """The perpetual above its index, as a fraction: it follows the trend of the last hours, with noise.   float64[T, S]"""
    grid, columns = market.grid, []
    keep = keep_for(max(0.5, grid.rows_of(8 * HOUR)))
    for s, coin in enumerate(market.coins):
        noise = wander(Dice(seed, f"{coin.symbol}/premium"), grid.bars, max(0.5, grid.rows_of(4 * HOUR)))
        scale = coin.whole * np.sqrt(8 * HOUR / YEAR)
        columns.append(0.0001 + 0.0005 * bounded(recur(market.returns[:, s], keep) / scale) + 0.0002 * noise)
    return np.stack(columns, axis=-1)
