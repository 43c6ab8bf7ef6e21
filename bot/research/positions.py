"""Values of a factor become weights: signed fractions of equity that are wanted after a close.

The rule: what is not known takes no part; equal values get equal weights; no weight is above `max_weight` and no row above `gross`,
and across symbols the longs weigh as much as the shorts.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bot.research.market import Market
from bot.research.ranks import centred_ranks
from bot.research.settings import TIME, Settings
from bot.research.values import X, over_time
from feeds.bars import Array
from feeds.times import YEAR
from strategies.factors import Node, call, const

Counts = NDArray[np.int64]
FULL = 2.0  # standard deviations of a full position in time
WIDEST = 3.0  # standard deviations across symbols, beyond which no weight grows
NOISE = 1e-12  # a deviation this small beside the values is rounding


def standing(values: Array, settings: Settings, timeframe: int, first: int = 0) -> Array:
    """Where each value stands in its own past, in [-1, 1]; as it is for the schemes that look across symbols.

    values  float64[T, ...], every column a series;  settings  resolved
    A window counts when half of it is known; nothing is joined over a gap.
    """
    if settings.scheme not in TIME:
        return values
    return over_time(values, {"standing": _formula(settings.scheme, settings.window)}, timeframe, first)["standing"]


def _formula(scheme: str, window: int) -> Node:
    known = max(2, window // 2)
    mean, deviation = call("roll_mean", X, window, known), call("roll_std", X, window, known)
    if scheme == "time_sign":
        return call("sign", X)
    if scheme == "time_side":
        return call("sign", call("sub", X, mean))
    if scheme == "time_zscore":
        return call("clip", call("div", call("sub", X, mean), call("mul", const(FULL), deviation)), -1.0, 1.0)
    place, count = call("roll_rank", X, window, known), call("roll_count", X, window, known)
    return call("sub", call("mul", const(2.0), place), call("add", const(1.0), call("div", const(1.0), count)))


def volatility(market: Market, window: int) -> Array:
    """Annual standard deviation of the trailing returns from close to close, float64[T, S]; a gap gives no return."""
    returns = np.full(market.close.shape, np.nan)
    returns[1:] = market.close[1:] / market.close[:-1] - 1.0
    found = over_time(returns, {"deviation": call("roll_std", X, window, max(2, window // 2))}, market.timeframe, market.first)
    deviation = found["deviation"] * math.sqrt(YEAR / market.timeframe)
    return np.where(deviation > 0.0, deviation, np.nan)


def positions(values: Array, settings: Settings, risk: Array | None = None) -> Array:
    """Weights of some rows.

    values  float64[N, S]: signed so that more is better, NaN where a symbol is not known or not to be traded; for the schemes in time
            as `standing` gives them
    settings  resolved;  risk  float64[N, S], annual volatility; a symbol whose volatility is not known is left out
    Returns float64[N, S], 0 where nothing is wanted.
    """
    values = np.where(np.isfinite(values), values, np.nan)
    if risk is not None:
        values = np.where(np.isnan(risk), np.nan, values)
    if settings.scheme in TIME:
        return _in_time(values, settings, risk)
    raw = _CROSS[settings.scheme](values, settings)
    if risk is not None:
        raw = raw / np.where(np.isnan(risk), 1.0, risk)
    longs, shorts = np.maximum(raw, 0.0), np.maximum(-raw, 0.0)
    if settings.long_only:
        return filled(longs, np.full(len(raw), settings.gross), settings.max_weight)
    half = np.full(len(raw), settings.gross / 2)
    both = np.minimum(_room(longs, half, settings.max_weight), _room(shorts, half, settings.max_weight))
    return filled(longs, both, settings.max_weight) - filled(shorts, both, settings.max_weight)


def filled(shares: Array, total: Array, cap: float) -> Array:
    """Weights in proportion to the shares that add up to `total`, none above `cap`: what is cut off goes to the others.

    shares  float64[N, S], none below 0;  total  float64[N]
    Where all are at the cap the total is not reached; where all shares are 0 nothing is.
    """
    capped = np.zeros(shares.shape, bool)
    while True:
        open_ = np.where(capped, 0.0, shares)
        rest = np.maximum(total - cap * capped.sum(axis=1), 0.0)
        size = open_.sum(axis=1)
        scale = np.divide(rest, size, out=np.zeros(len(shares)), where=size > 0)
        weights: Array = np.where(capped, cap, open_ * scale[:, None])
        over = weights > cap
        if not over.any():
            return weights
        capped |= over


def _room(shares: Array, wanted: Array, cap: float) -> Array:
    """How much of what is wanted on a side its names can carry."""
    room: Array = np.minimum(wanted, cap * (shares > 0).sum(axis=1))
    return room


def _in_time(values: Array, settings: Settings, risk: Array | None) -> Array:
    """Every symbol for itself, with an equal part of the gross."""
    known = ~np.isnan(values)
    raw = np.where(known, values, 0.0)
    if settings.long_only:
        raw = np.maximum(raw, 0.0)
    if settings.vol_target and risk is not None:
        raw = raw * settings.vol_target / np.where(known, risk, 1.0)
    part = settings.gross / np.maximum(known.sum(axis=1), 1)
    weights = np.clip(raw * part[:, None], -settings.max_weight, settings.max_weight)
    gross = np.abs(weights).sum(axis=1)
    scaled: Array = weights * np.minimum(1.0, settings.gross / np.maximum(gross, settings.gross))[:, None]
    return scaled


def _by_rank(values: Array, settings: Settings) -> Array:
    ranked: Array = np.nan_to_num(centred_ranks(values))
    return ranked


def _by_quantile(values: Array, settings: Settings) -> Array:
    known = (~np.isnan(values)).sum(axis=1)
    return _outermost(values, np.maximum(np.floor(settings.share * known + 1e-9).astype(np.int64), 1))


def _by_count(values: Array, settings: Settings) -> Array:
    return _outermost(values, np.full(len(values), settings.top))


def _by_zscore(values: Array, settings: Settings) -> Array:
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = np.where(known, values - np.nansum(values, axis=1, keepdims=True) / count, 0.0)
    deviation = np.sqrt((centred * centred).sum(axis=1, keepdims=True) / count)
    moves = deviation > NOISE * np.abs(np.nan_to_num(values)).max(axis=1, keepdims=True, initial=0.0)
    z: Array = np.divide(centred, deviation, out=np.zeros(centred.shape), where=moves)
    return np.clip(z, -WIDEST, WIDEST)


def _outermost(values: Array, wanted: Counts) -> Array:
    """The highest get 1 and the lowest -1, so many on each side; those that tie for the last places share them."""
    below, equal, known = _places(values)
    count = np.minimum(wanted, known // 2)[:, None]
    top = np.clip(below + equal - np.maximum(below, known[:, None] - count), 0, None)
    bottom = np.clip(np.minimum(below + equal, count) - below, 0, None)
    chosen: Array = np.divide(top - bottom, equal, out=np.zeros(values.shape), where=equal > 0)
    return chosen


def _places(values: Array) -> tuple[Counts, Counts, Counts]:
    """How many known values of its row each exceeds, how many equal it (itself counted; 0 where not known), and how many are known."""
    ordered = np.sort(values, axis=1)  # what is not known comes last
    rows, size = values.shape
    place = np.arange(size)
    new = np.ones(values.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=1)
    final = np.ones(values.shape, bool)
    final[:, :-1] = new[:, 1:]
    after = np.minimum.accumulate(np.where(final, place, size)[:, ::-1], axis=1)[:, ::-1] + 1
    order = np.argsort(values, axis=1, kind="stable")
    below, equal = np.zeros((2, rows, size), np.int64)
    np.put_along_axis(below, order, first, axis=1)
    np.put_along_axis(equal, order, after - first, axis=1)
    missing = np.isnan(values)
    return np.where(missing, 0, below), np.where(missing, 0, equal), (~missing).sum(axis=1)


_CROSS = {"rank": _by_rank, "quantile": _by_quantile, "top": _by_count, "zscore": _by_zscore}
