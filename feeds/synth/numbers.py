"""Random numbers and a few functions that give the same bits on every machine.

The rule: only raw PCG64 output, and +, -, x, /, sqrt, cumulative sums and powers of two, each of which IEEE 754 fixes to
the last bit. The library's own normal(), exp(), log() and dot() differ between processors and versions; none is used.
"""

import hashlib
from itertools import accumulate

import numpy as np

from feeds.bars import Array

_LN2_HIGH = 6.93147180369123816490e-01  # ln 2 in two parts: k x high is exact for small k (Cody and Waite 1980)
_LN2_LOW = 1.90821492927058770002e-10
_INVERSE_LN2 = 1.44269504088896338700e00


class Dice:
    """A stream of random numbers, told apart from the others by its name."""

    def __init__(self, seed: int, stream: str) -> None:
        digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
        self._bits = np.random.PCG64(int.from_bytes(digest[:16], "big"))

    def uniform(self, count: int) -> Array:
        """In the open interval (0, 1), 53 bits each."""
        raw = self._bits.random_raw(count) >> np.uint64(11)
        uniform: Array = raw.astype(np.float64) * 2.0**-53 + 2.0**-54
        return uniform

    def normal(self, count: int) -> Array:
        """Mean 0, variance 1: twelve uniforms added (Irwin-Hall), which needs no logarithm. Never beyond 6."""
        total = self.uniform(count)
        for _ in range(11):
            total = total + self.uniform(count)
        return total - 6.0

    def exponential(self, count: int) -> Array:
        """Mean 1."""
        return -log(self.uniform(count))

    def student(self, count: int, most: float = 14.0) -> Array:
        """Student's t with 4 degrees of freedom, scaled to variance 1, cut at `most` in size."""
        spread: Array = np.sqrt((self.exponential(count) + self.exponential(count)) * 0.5)  # chi-squared(4) / 4, its root
        drawn: Array = np.clip(self.normal(count) / spread * np.sqrt(0.5), -most, most)
        return drawn

    def whole(self, count: int, below: int) -> list[int]:
        """Integers in [0, below)."""
        return [min(int(u * below), below - 1) for u in self.uniform(count).tolist()]


def exp(x: Array) -> Array:
    """e to the x, within 2 units in the last place; |x| below 700."""
    power = np.rint(x * _INVERSE_LN2)
    rest = (x - power * _LN2_HIGH) - power * _LN2_LOW
    total = np.ones_like(rest)
    for n in range(14, 0, -1):
        total = 1.0 + rest / n * total
    return np.ldexp(total, power.astype(np.int64))


def log(x: Array) -> Array:
    """The natural logarithm of positive numbers, by 2 atanh((m - 1) / (m + 1)) on the mantissa."""
    mantissa, power = np.frexp(x)
    low = mantissa < 0.70710678118654752440
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    power = (power - low).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    total = np.zeros_like(s)
    for n in range(25, 0, -2):
        total = total * square + 1.0 / n
    return 2.0 * s * total + power * _LN2_LOW + power * _LN2_HIGH


def bounded(x: Array) -> Array:
    """x / sqrt(1 + x^2): into (-1, 1), odd and rising."""
    return x / np.sqrt(1.0 + x * x)


def keep_for(half_life: float) -> float:
    """What a first-order recursion keeps at each step so that it halves in `half_life` steps."""
    return float(exp(np.array([-0.693147180559945309 / half_life]))[0])


def recur(shocks: Array, keep: float) -> Array:
    """y[t] = keep x y[t-1] + shocks[t], from y[-1] = 0.   float64[T]"""
    return np.array(list(accumulate(shocks.tolist(), lambda y, shock: keep * y + shock)))


def wander(dice: Dice, count: int, half_life: float) -> Array:
    """A stationary first-order process of variance 1: recur() on scaled normals, its start drawn from where it ends up."""
    keep = keep_for(half_life)
    shocks = dice.normal(count) * np.sqrt(1.0 - keep * keep)
    shocks[:1] /= np.sqrt(1.0 - keep * keep)
    return recur(shocks, keep)
