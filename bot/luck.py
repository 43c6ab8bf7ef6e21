"""What the best of a sweep is worth, given how many were tried: said in figures, and plainly.

The rule: whoever tries enough finds something that looks good. The verdict needs the returns out of sample to stand by themselves and
the chosen in-sample result to be above what the best of as many tries without skill shows.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from bot.research.selection import deflated_sharpe, effective_trials, expected_max_sharpe, moments, overfitting, probabilistic_sharpe
from bot.sampling import Dimension, Value
from feeds.bars import Array

SURE = 0.95
MOST_FOR_CLUSTERS = 400  # tries; more are not told apart, and count one each
BLOCKS = 8


class Luck(msgspec.Struct, frozen=True, kw_only=True):
    """Sharpe ratios are of one period of the returns, not of a year; None: it cannot be had.

    trials             different settings ever tried on these data, in this ledger;  effective: those that are not nearly the same
    best_sharpe        of the tries of the last fold, in sample;  lucky_sharpe: what the best of as many tries without skill shows
    deflated           probability that the chosen one is truly above that
    out_of_sample      probability that the stitched returns out of sample have a true Sharpe ratio above zero
    overfitting        probability that the best in sample is below the median out of sample (CSCV over the tries of the last fold)
    """

    trials: int
    effective: int
    best_sharpe: float | None
    lucky_sharpe: float | None
    deflated: float | None
    out_of_sample: float | None
    overfitting: float | None
    verdict: str


class Stability(msgspec.Struct, frozen=True):
    """One parameter over the folds: the values that were chosen, and how far they lie apart (0: always the same; 1: the whole range)."""

    values: tuple[Value, ...]
    spread: float | None


def luck(tries: Sequence[Array], chosen: int, outside: Array, trials: int) -> Luck:
    """Judge a choice.

    tries    returns in sample of every try of the fold that the choice is from, the chosen one among them
    outside  returns out of sample, float64[T];  trials  different settings ever tried
    """
    rows = min((len(one) for one in tries), default=0)
    table = np.array([one[:rows] for one in tries]).T if rows > 1 else np.empty((0, 0))
    sharpes = np.array([moments(one)[0] for one in tries])
    known = sharpes[np.isfinite(sharpes)]
    alike = effective_trials(table) if table.size and table.shape[1] <= MOST_FOR_CLUSTERS else len(tries)
    effective = max(1, round(trials * alike / max(1, len(tries))))
    deviation = float(known.std(ddof=1)) if known.size > 1 else 0.0
    deflated = deflated_sharpe(tries[chosen], sharpes, float(effective)) if tries else math.nan
    sharpe, skew, kurtosis = moments(outside)
    stands = probabilistic_sharpe(sharpe, len(outside), skew, kurtosis) if math.isfinite(sharpe) else math.nan
    overfit = overfitting(table, BLOCKS).probability if table.size and table.shape[1] > 1 else math.nan
    return Luck(
        trials=trials, effective=effective, best_sharpe=_known(sharpes[chosen] if tries else math.nan),
        lucky_sharpe=_known(expected_max_sharpe(deviation, effective)), deflated=_known(deflated), out_of_sample=_known(stands),
        overfitting=_known(overfit), verdict=_verdict(trials, deflated, stands, overfit),
    )  # fmt: skip


def stability(space: Sequence[Dimension], chosen: Sequence[Mapping[str, Value]]) -> dict[str, Stability]:
    """How much the choice moves from fold to fold."""
    found = {}
    for one in space:
        values = tuple(best[one.name] for best in chosen)
        spread: float | None = None
        if len(values) > 1 and one.kind != "choice":
            width = one.high - one.low
            spread = (max(map(float, values)) - min(map(float, values))) / width if width > 0 else 0.0
        elif len(values) > 1:
            spread = (len(set(values)) - 1) / max(1, min(len(values), len(one.choices)) - 1)
        found[one.name] = Stability(values, spread)
    return found


def _verdict(trials: int, deflated: float, stands: float, overfit: float) -> str:
    if math.isnan(deflated) and math.isnan(stands):
        return "nothing can be said: there are too few returns, or no trade at all"
    weak = []
    if not stands >= SURE:
        weak.append("out of sample its Sharpe ratio is not above zero with 95 % confidence")
    if not deflated >= SURE:
        weak.append(f"the best of {trials} tries without skill looks as good in sample")
    if overfit > 0.5:
        weak.append("the best in sample is more often than not below the median out of sample")
    if weak:
        return "NOT distinguishable from luck: " + "; ".join(weak)
    return f"better than luck explains, after {trials} tries: it holds out of sample and above the best of as many tries without skill"


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
