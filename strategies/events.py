"""What we make of it: views on symbols, and news about the factors themselves."""

import math

import msgspec

from feeds.events import Event, Word


class Side(Word):
    """The view. HOLD means: leave the position as it is."""

    LONG = "LONG"
    SHORT = "SHORT"
    HOLD = "HOLD"


class Reason(Word):
    """Why a decision is what it is. The order is the code that digests carry: append, never insert."""

    ABOVE_ENTRY = "above_entry"  # LONG
    BELOW_ENTRY = "below_entry"  # SHORT
    WEAK_SCORE = "weak_score"  # |score| does not pass the entry threshold
    LOW_CONFIDENCE = "low_confidence"  # the score would do, the confidence does not
    WARMING_UP = "warming_up"  # no signal is known yet
    MISSING_BAR = "missing_bar"  # this symbol's candle is not there
    STALE = "stale"  # the bar came too late to act on
    CHOSEN = "chosen"  # the strategy's target, or its hook, says so
    LEFT_ALONE = "left_alone"  # the strategy asks for nothing: a position stays as it is


class Contribution(msgspec.Struct, frozen=True):
    """One signal's part of a score: contribution = value x weight x confidence / sum(weight x confidence).

    value, confidence, contribution are NaN where the signal is not known; it then has no part.
    """

    name: str
    value: float
    confidence: float
    weight: float
    contribution: float


class Decision(Event, frozen=True):
    """A view on one symbol at one bar close.

    bar_ms      the bar's close, UTC milliseconds
    newest_ms   the newest input that was used, UTC milliseconds, never later than `at`
    score       in [-1, 1], NaN when not known; confidence in [0, 1]
    price       the bar's close; volatility  annualised, NaN when not known or not asked for
    digest      SHA-256 of what was decided and from which contributions, hex
    target      signed fraction of equity to hold after this bar; NaN: no wish, the trader sizes by its own rules
    """

    symbol: str
    bar_ms: int
    side: Side
    reason: Reason
    score: float
    confidence: float
    newest_ms: int
    price: float
    volatility: float
    contributions: tuple[Contribution, ...]
    digest: str
    target: float = math.nan


class Promoted(Event, frozen=True):
    """A set of factors to trade from the next bar close on: (name, text, weight)."""

    factors: tuple[tuple[str, str, float], ...]


class BarClosed(Event, frozen=True):
    """Every candle of this bar close that will come has come; positions are marked, decisions follow.

    bar_ms  the close, UTC milliseconds
    """

    bar_ms: int
