"""The range guard: a value that cannot be believed yet is held back, so that a wrong unit never reaches a factor.

Believable is what lies within 10 standard deviations of the trailing values, and within a factor of five of their
median where they are all positive. A jump that three periods in a row confirm is the new level; a slip by a power of
ten never confirms itself.
"""

from collections import deque
from math import log10
from statistics import fmean, median, pstdev

SIGMAS = 10.0
RATIO = 5.0
LEAST = 8  # trailing values before anything can be judged
TRAIL = 60
CONFIRM = 3
FLOOR = 1e-3  # least standard deviation, as a share of the median: flat series may move a little


class Guard:
    """Judges the values of one series in the order of their periods."""

    def __init__(self) -> None:
        self._trail: deque[float] = deque(maxlen=TRAIL)
        self._held: list[float] = []

    def refuses(self, value: float) -> str:
        """Why the value is held back; "" when it is believed. It remembers either way."""
        why = self._doubt(value)
        if not why:
            self._held.clear()
            self._trail.append(value)
            return ""
        self._held.append(value)
        last = self._held[-CONFIRM:]
        steady = len(last) == CONFIRM and max(last) - min(last) <= 0.5 * abs(fmean(last))
        if steady and not self._is_slip(value):
            self._held.clear()
            self._trail.clear()
            self._trail.extend(last * (LEAST // CONFIRM + 1))  # as many as it takes to judge what comes next
            return ""
        return why

    def _doubt(self, value: float) -> str:
        if len(self._trail) < LEAST:
            return ""
        middle = median(self._trail)
        sigma = max(pstdev(self._trail), FLOOR * abs(middle))
        away = abs(value - self._trail[-1])
        if self._is_slip(value):
            return f"{value:g} is {value / middle:.3g} times the usual {middle:g}: a slip of the unit"
        if away > SIGMAS * sigma:
            return f"{value:g} jumps {away / sigma if sigma else float('inf'):.0f} sigma from {self._trail[-1]:g}"
        if min(self._trail) > 0 and not middle / RATIO < value < middle * RATIO:
            return f"{value:g} is far from the usual {middle:g}"
        return ""

    def _is_slip(self, value: float) -> bool:
        """About a power of ten off the median of positive values."""
        if len(self._trail) < LEAST or min(self._trail) <= 0 or value <= 0:
            return False
        powers = log10(value / median(self._trail))
        return abs(powers) > 0.85 and abs(powers - round(powers)) < 0.15
