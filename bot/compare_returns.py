"""Two accounts on the same steps of the clock: how far they drifted apart, and whether their returns differ by more than chance.

The rule: returns are paired, and resampled in blocks that keep them paired: two runs on one market move together, and their
difference is far better known than either of them. Stationary bootstrap of Politis and Romano (1994), as in bot/research/estimates.py.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from bot.compare import Held, Returns
from bot.report import Curve
from bot.report_rolling import on_the_clock
from bot.research.estimates import default_block, p_value, stationary_bootstrap, stationary_indices
from feeds.bars import Array
from feeds.times import DAY, HOUR, MINUTE, YEAR

Ints = NDArray[np.int64]
STEPS = (DAY, 4 * HOUR, HOUR, 15 * MINUTE, 5 * MINUTE, MINUTE)
LEAST, ENOUGH = 20, 60  # returns below which nothing is said, and with which a step is fine enough
DRAWS = 1_000
POINTS = 2_000  # of the paths that are kept


def compare_returns(a: Curve, b: Curve, start_ms: int, end_ms: int, timeframe: int, seed: int = 0) -> Returns | None:
    """Over [start_ms, end_ms], on the coarsest step of the clock that gives enough returns; None without two points in common."""
    step = next((s for s in STEPS if s >= timeframe and (end_ms - start_ms) // s >= ENOUGH), timeframe)
    both = [_within(curve, start_ms, end_ms, step) for curve in (a, b)]
    if any(found is None for found in both):
        return None
    (grid, mine), (_, theirs) = (found for found in both if found is not None)
    count = min(mine.size, theirs.size)
    if count < 2 or (mine[:count] <= 0).any() or (theirs[:count] <= 0).any():
        return None
    mine, theirs, grid = mine[:count] / mine[0], theirs[:count] / theirs[0], grid[:count]
    keep = np.unique(np.linspace(0, count - 1, min(count, POINTS)).astype(np.int64))
    found = Returns(
        step=step, count=count - 1, widest_gap=float(np.abs(theirs - mine).max()), at_ms=tuple(grid[keep].tolist()),
        grown_a=tuple(mine[keep].tolist()), grown_b=tuple(theirs[keep].tolist()),
    )  # fmt: skip
    if count <= LEAST:
        return found
    returns = [path[1:] / path[:-1] - 1.0 for path in (mine, theirs)]
    return msgspec.structs.replace(found, **_tested(returns[0], returns[1], YEAR / step, seed))


Path = tuple[Sequence[int], Sequence[float]]  # instants, and the signed quantity held from each on


def compare_held(symbol: str, a: Path, b: Path, start_ms: int, end_ms: int, timeframe: int) -> Held:
    """At the bar closes of the common span."""
    closes = np.arange(start_ms // timeframe + 1, end_ms // timeframe + 1, dtype=np.int64) * timeframe
    mine, theirs = (_sides(path, closes) for path in (a, b))
    return Held(symbol, *(float(x.mean()) if x.size else 0.0 for x in (mine == theirs, mine != 0, theirs != 0)))


def _sides(path: Path, closes: Ints) -> Ints:
    at, sizes = np.asarray(path[0], np.int64), np.concatenate([[0.0], np.asarray(path[1], float)])
    sides: Ints = np.sign(sizes[np.searchsorted(at, closes, "right")]).astype(np.int64)
    return sides


def _within(curve: Curve, start_ms: int, end_ms: int, step: int) -> tuple[np.ndarray, Array] | None:
    at, equity = np.asarray(curve.at_ms, np.int64), np.asarray(curve.equity, float)
    inside = (at >= start_ms) & (at <= end_ms)
    if inside.sum() < 2:
        return None
    grid, levels = on_the_clock(at, equity, step)
    chosen = (grid >= -(-start_ms // step) * step) & (grid <= end_ms)
    return (grid[chosen], levels[chosen]) if chosen.sum() >= 2 else None


def _tested(mine: Array, theirs: Array, periods: float, seed: int) -> dict[str, float | None]:
    apart = theirs - mine
    told: dict[str, float | None] = {"difference": float(apart.mean()) * periods, "tracking": float(apart.std(ddof=1)) * math.sqrt(periods)}
    if mine.std() > 1e-14 and theirs.std() > 1e-14:
        told["correlation"] = float(np.corrcoef(mine, theirs)[0, 1])
    if not np.abs(apart).max() > 1e-15:  # the same account
        return told | {"error": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "sharpe_gap": 0.0, "sharpe_low": 0.0, "sharpe_high": 0.0}
    found = stationary_bootstrap(apart, lambda rows: rows.mean(axis=1), draws=DRAWS, seed=seed)
    if found.error > 0:
        t = found.value / found.error
        told |= {"error": found.error * periods, "low": found.low * periods, "high": found.high * periods, "t": t, "p": p_value(t)}
    rows = stationary_indices(apart.size, default_block(apart), DRAWS, seed)
    drawn = _sharpe(theirs[rows], periods) - _sharpe(mine[rows], periods)
    whole = float(_sharpe(theirs[None, :], periods)[0] - _sharpe(mine[None, :], periods)[0])
    if math.isfinite(whole) and np.isfinite(drawn).sum() > DRAWS // 2:
        low, high = (float(value) for value in np.nanquantile(drawn, (0.025, 0.975)))
        told |= {"sharpe_gap": whole, "sharpe_low": low, "sharpe_high": high}
    return told


def _sharpe(rows: Array, periods: float) -> Array:
    deviation = rows.std(axis=1, ddof=1)
    found: Array = np.divide(rows.mean(axis=1), deviation, out=np.full(deviation.size, np.nan), where=deviation > 1e-14)
    return found * math.sqrt(periods)
