"""At which bars of a block the trader could have something to do.

The rule: a turn that comes at a row makes the trader look there; one that is missed would change what is traded, one too many only
costs time.
"""

from bisect import bisect_left
from functools import cached_property
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from feeds.bars import Array, Bars

FAR = 2**62
UP, DOWN, ENDS_LONG, ENDS_SHORT, AIMS = range(5)  # LONG, SHORT, the end of a long, of a short; any target at all


class Views(Protocol):
    """What the trader reads of many bars: side int8[T, S] (+1 LONG, -1 SHORT, 0 HOLD), score and target float64[T, S]."""

    @property
    def bars(self) -> Bars: ...

    @property
    def side(self) -> NDArray[np.int8]: ...

    @property
    def score(self) -> Array: ...

    @property
    def target(self) -> Array: ...


class Watch(msgspec.Struct, frozen=True, gc=False):
    """What one symbol waits for: the turns that would lead to something, and the bar index at which time alone does.

    held  there is a position, which a target could move
    """

    turns: tuple[int, ...]
    due: int
    held: bool


class Ahead:
    """At which rows of a block a turn comes, for each symbol: searched once a block, when it is first asked for.

    aims  some decision of the block has a target
    """

    def __init__(self, views: Views, exit_threshold: float) -> None:
        self.views = views
        self._exit = exit_threshold
        self.aims = bool((views.target == views.target).any())
        self._turns: dict[tuple[int, int], tuple[bytes, list[int]]] = {}  # whether it comes at each row, and where it begins to

    @cached_property
    def rows(self) -> bytes:
        """The sides of all symbols, a byte each (-1 is 255), row by row."""
        return self.views.side.tobytes()

    @cached_property
    def lists(self) -> tuple[list[list[int]], list[list[float]], list[list[float]]]:
        """Sides, scores and targets of each symbol, row by row."""
        return self.views.side.T.tolist(), self.views.score.T.tolist(), self.views.target.T.tolist()

    def first(self, turn: int, symbol: int, start: int, stop: int) -> int:
        """The first row in [start, stop) at which it comes; `stop` if none."""
        known = self._turns.get((turn, symbol))
        if known is None:
            comes = self._comes(turn, symbol)
            begins = np.flatnonzero(comes[1:] & ~comes[:-1]) + 1
            known = self._turns[turn, symbol] = comes.tobytes(), begins.tolist()
        comes_at, begins_at = known
        if start >= stop or comes_at[start]:
            return min(start, stop)
        place = bisect_left(begins_at, start)
        return min(stop, begins_at[place]) if place < len(begins_at) else stop

    def _comes(self, turn: int, symbol: int) -> NDArray[np.bool_]:
        side, score, target = self.views.side[:, symbol], self.views.score[:, symbol], self.views.target[:, symbol]
        known = np.asarray(target == target) if self.aims else np.zeros(side.size, np.bool_)
        if turn == AIMS:
            return known
        if self.aims:
            side = np.where(known, np.sign(target), side)
            score = np.where(known, np.nan, score)
        if turn == UP:
            return np.asarray(side > 0)
        if turn == DOWN:
            return np.asarray(side < 0)
        comes: NDArray[np.bool_] = (side == 0) & ((score if turn == ENDS_LONG else -score) < self._exit)
        return comes
