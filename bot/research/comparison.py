"""Many factors side by side: ranked by what they did on validate, with the luck of the best of many taken off.

The rule: the sample that the sign was found on ranks nothing; a figure that cannot be had is no score and comes last; and the number of
factors that were tried is part of the answer.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from bot.research.backtest import Backtest
from bot.research.document import Document, document, number
from bot.research.estimates import Estimate, p_value
from bot.research.selection import deflated_sharpe, effective_trials, false_discoveries, moments
from feeds.bars import Array

RANKED_BY = ("sharpe", "rank_ic", "ic", "icir", "rank_icir", "sortino", "annual_return", "break_even_bps")
MOST_CLUSTERED = 2_000  # tries up to which those that are alike are counted once


class Entry(NamedTuple):
    """A factor of a comparison: its document, and what its book made in each bar of validate."""

    document: Document
    score: float
    t: float
    returns: Array


class Luck(msgspec.Struct, frozen=True):
    """What a factor is worth after so many tries.

    p, adjusted_p     of the rank IC on validate, two-sided, and by Benjamini and Hochberg over all factors;  discovery  at 5 %
    deflated_sharpe   the probability that its Sharpe ratio on validate is above what the best of the tries shows without any skill
    """

    p: float
    adjusted_p: float
    discovery: bool
    deflated_sharpe: float


def entry(found: Backtest, by: str) -> Entry:
    """A factor as a comparison keeps it; where the settings leave no validate, train has to do, and the answer says so."""
    part = found.slices.get("validate") or found.slices["train"]
    rows = slice(*((at - found.start) // found.timeframe + found.first for at in (part.start, part.stop)))
    late = found.settings.latency
    ranked = part.metrics["rank_ic"]
    assert isinstance(ranked, Estimate)
    returns = found.book.returns[rows.start + late : rows.stop + late].copy()
    return Entry(document(found), number(part.metrics[by]), ranked.t, returns)


def comparison(entries: Sequence[Entry], by: str) -> Document:
    """All factors, best first, with the number of tries and what luck explains."""
    order = sorted(range(len(entries)), key=lambda i: (math.isnan(entries[i].score), -entries[i].score))
    ranked = [entries[i] for i in order]
    returns = np.stack([each.returns for each in ranked], axis=1) if ranked else np.empty((0, 0))
    ratios = np.array([moments(column)[0] for column in returns.T])
    trials = len(ranked)
    alike = effective_trials(returns) if 0 < trials <= MOST_CLUSTERED else trials
    found = false_discoveries([p_value(each.t) for each in ranked], method="bh") if ranked else None
    rows = []
    for i, each in enumerate(ranked):
        assert found is not None
        luck = Luck(
            p=p_value(each.t),
            adjusted_p=float(found.adjusted[i]),
            discovery=bool(found.rejected[i]),
            deflated_sharpe=deflated_sharpe(returns[:, i], ratios, alike),
        )
        rows.append({**each.document, "luck": luck})
    return {
        "factors": rows,
        "ranked": [row["factor"] for row in rows],
        "by": by,
        "ranked_on": "validate" if all("validate" in each.document["slices"] for each in ranked) else "train",
        "trials": trials,
        "effective_trials": alike,
        "discoveries": sum(row["luck"].discovery for row in rows),
    }
