"""A score becomes LONG, SHORT or HOLD, with the reason; and a decision becomes the bytes that digests are made of."""

import hashlib
import math
import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.bars import Array
from strategies.events import Decision, Reason, Side

Codes = NDArray[np.int8]

SIDES = {Side.LONG: 1, Side.SHORT: -1, Side.HOLD: 0}
SIDE_OF = {code: side for side, code in SIDES.items()}
REASONS = {reason: code for code, reason in enumerate(Reason)}
REASON_OF = list(Reason)


class Thresholds(NamedTuple):
    """LONG above +entry, SHORT below -entry, when the confidence passes `confidence`; else HOLD."""

    entry: float = 0.3
    confidence: float = 0.5


def decide(score: Array, confidence: Array, present: NDArray[np.bool_], thresholds: Thresholds) -> tuple[Codes, Codes]:
    """(side, reason) int8[T, S] by the codes SIDES and REASONS; a NaN score decides HOLD."""
    sure = confidence > thresholds.confidence
    above, below = score > thresholds.entry, score < -thresholds.entry
    side = np.where(sure & above, 1, np.where(sure & below, -1, 0))
    reason = np.select(
        [~present, np.isnan(score), sure & above, sure & below, above | below],
        [REASONS[r] for r in (Reason.MISSING_BAR, Reason.WARMING_UP, Reason.ABOVE_ENTRY, Reason.BELOW_ENTRY, Reason.LOW_CONFIDENCE)],
        REASONS[Reason.WEAK_SCORE],
    )
    return np.where(present, side, 0).astype(np.int8), reason.astype(np.int8)


def record_type(signals: int) -> np.dtype[np.void]:
    """One decision as bytes: what was decided, on what, and every signal's contribution."""
    return np.dtype(
        [
            ("bar_ms", "<i8"), ("newest_ms", "<i8"), ("symbol", "<i4"), ("side", "i1"), ("reason", "i1"), ("none", "<i2"),
            ("score", "<f8"), ("confidence", "<f8"), ("price", "<f8"), ("volatility", "<f8"), ("target", "<f8"),
            ("contributions", "<f8", (signals,)),
        ]
    )  # fmt: skip


def record_bytes(decision: Decision, symbol: int) -> bytes:
    """The bytes of `record_type` for one decision; `symbol` is its place in the universe."""
    parts = [part.contribution for part in decision.contributions]
    numbers = (decision.score, decision.confidence, decision.price, decision.volatility, decision.target, *parts)
    return struct.pack(
        f"<qqibbhddddd{len(parts)}d",
        decision.bar_ms, decision.newest_ms, symbol, SIDES[decision.side], REASONS[decision.reason], 0,
        *(math.nan if x != x else x + 0.0 for x in numbers),
    )  # fmt: skip


def digest(record: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(record).hexdigest()
