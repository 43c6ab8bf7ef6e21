"""Ranks over time, by counting: compares vectorise, counts are exact, ties count half."""

from strategies.factors.kernels.jit import NAN, OUT, STATE, WINDOW, A, Floats, Ints, at, inline, kernel, row
from strategies.factors.kernels.lanes import SPAN, count_past


@kernel
def rank(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Percentile of the newest value in its window, in (0, 1]. State: index of the last unknown bar, and the counts."""
    w = p[WINDOW]
    unknown = at(mem, p[STATE])
    counts = at(unknown, width)
    double = 2.0 * w
    if width == 1:
        rank_alone(p, mem, t, n, unknown, double)
        return
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        now, first = float(t + i), float(t + i - w)
        for s in range(width):
            last = unknown[s] if unknown[s] == unknown[s] else now - 1.0  # before the beginning nothing is known
            unknown[s] = last if x[s] == x[s] else now
        count_across(p, mem, t + i, x, counts, width)
        for s in range(width):
            o[s] = NAN if unknown[s] > first else (counts[s] + 2.0) / double


@kernel
def standing(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """How many of the w - 1 older values are < the newest; where f[0] is 1, <= it. State: index of the last unknown bar, and the counts."""
    w, equal = p[WINDOW], f[0] != 0.0
    unknown = at(mem, p[STATE])
    counts = at(unknown, width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        now, first = float(t + i), float(t + i - w)
        for s in range(width):
            last = unknown[s] if unknown[s] == unknown[s] else now - 1.0
            unknown[s] = last if x[s] == x[s] else now
            counts[s] = 0.0
        for k in range(1, w):
            z = row(p, mem, A, t + i - k, width)
            for s in range(width):
                counts[s] += float(int(z[s] < x[s]) + int(equal & (z[s] == x[s])))
        for s in range(width):
            o[s] = NAN if unknown[s] > first else counts[s]


@inline
def rank_alone(p: Ints, mem: Floats, t: int, n: int, unknown: Floats, double: float) -> None:
    """The same for one symbol: many bars at a time, where the ring does not end between them and their windows."""
    x, o = row(p, mem, A, t, 1), row(p, mem, OUT, t, 1)
    w, older, start = p[WINDOW], p[WINDOW] - 1, t & p[A + 1]
    i = 0
    while i < n:
        if i + SPAN <= n and start + i >= older:
            count_past(at(x, i), older, at(o, i))
            i += SPAN
        else:
            o[i] = float(count_back(p, mem, t + i, x[i]))
            i += 1
    last = unknown[0] if unknown[0] == unknown[0] else float(t - 1)  # before the beginning nothing is known
    for i in range(n):
        last = last if x[i] == x[i] else float(t + i)
        o[i] = NAN if last > float(t + i - w) else (o[i] + 2.0) / double
    unknown[0] = last


@inline
def count_back(p: Ints, mem: Floats, t: int, x: float) -> int:
    """How many of the w - 1 older values are <= x plus how many are < x; the ring is walked in its two runs."""
    ring, mask = at(mem, p[A]), p[A + 1]
    older = p[WINDOW] - 1
    start = (t - older) & mask
    run = min(older, mask + 1 - start)
    count = 0
    for k in range(run):
        count += int(ring[start + k] <= x) + int(ring[start + k] < x)
    for k in range(older - run):
        count += int(ring[k] <= x) + int(ring[k] < x)
    return count


@inline
def count_across(p: Ints, mem: Floats, t: int, x: Floats, counts: Floats, width: int) -> None:
    """The same for all symbols of a row, four older bars a pass."""
    older = p[WINDOW] - 1
    for s in range(width):
        counts[s] = 0.0
    k = 1
    while k + 3 <= older:
        a, b = row(p, mem, A, t - k, width), row(p, mem, A, t - k - 1, width)
        c, d = row(p, mem, A, t - k - 2, width), row(p, mem, A, t - k - 3, width)
        for s in range(width):
            v = x[s]
            m = int(a[s] <= v) + int(a[s] < v) + int(b[s] <= v) + int(b[s] < v)
            m += int(c[s] <= v) + int(c[s] < v) + int(d[s] <= v) + int(d[s] < v)
            counts[s] += float(m)
        k += 4
    while k <= older:
        a = row(p, mem, A, t - k, width)
        for s in range(width):
            counts[s] += float(int(a[s] <= x[s]) + int(a[s] < x[s]))
        k += 1
