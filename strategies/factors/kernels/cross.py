"""Across the symbols that are known at one bar. Sums run in the order of the universe."""

from strategies.factors.kernels.jit import NAN, OUT, STATE, A, Floats, Ints, at, inline, kernel, root, row
from strategies.factors.kernels.lanes import EXACT, WIDE, count_exact, count_single


@kernel
def rank(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Percentile among the known, in (0, 1], ties averaged; by counting. In single precision, which keeps the order, where no two meet."""
    counts = at(mem, p[STATE])
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        known = 0
        for s in range(symbols):
            known += int(x[s] == x[s])
        among, total = float(known), -1
        if symbols >= WIDE:
            for start in range(0, symbols, 4 * WIDE):
                count_single(x, symbols, start, counts)
            total = 0
            for s in range(symbols):
                total += int(counts[s])
        if total == known * (known + 1) // 2:  # no ties
            for s in range(symbols):
                o[s] = counts[s] / among if x[s] == x[s] else NAN
        else:
            count_twice(x, symbols, counts)
            for s in range(symbols):
                o[s] = (counts[s] + 1.0) * 0.5 / among if x[s] == x[s] else NAN


@inline
def count_twice(x: Floats, symbols: int, counts: Floats) -> None:
    """How many are <= each value plus how many are < it."""
    if symbols >= EXACT:
        for start in range(0, symbols, 4 * EXACT):
            count_exact(x, symbols, start, counts)
        return
    for k in range(symbols):
        v, c = x[k], 0
        for s in range(symbols):
            c += int(x[s] <= v) + int(x[s] < v)
        counts[k] = float(c)


@inline
def mean_of(x: Floats, symbols: int) -> float:
    """Mean of the known; NaN if none is."""
    total, known = 0.0, 0
    for s in range(symbols):
        total += x[s] if x[s] == x[s] else 0.0
        known += int(x[s] == x[s])
    return total / known if known > 0 else NAN


@kernel
def demean(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        m = mean_of(x, symbols)
        for s in range(symbols):
            o[s] = x[s] - m


@kernel
def score(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """(x - mean) / sample deviation, two passes; NaN with fewer than two known, or all equal."""
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        m = mean_of(x, symbols)
        squares, known = 0.0, 0
        for s in range(symbols):
            d = x[s] - m if x[s] == x[s] else 0.0
            squares += d * d
            known += int(x[s] == x[s])
        deviation = root(squares / (known - 1.0)) if known > 1 else NAN
        for s in range(symbols):
            o[s] = (x[s] - m) / deviation if deviation > 0.0 else NAN


@kernel
def scale(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Sizes add up to f[0]; NaN where all are zero."""
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        sizes = 0.0
        for s in range(symbols):
            sizes += abs(x[s]) if x[s] == x[s] else 0.0
        for s in range(symbols):
            o[s] = x[s] / sizes * f[0] if sizes > 0.0 else NAN
