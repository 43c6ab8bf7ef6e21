"""Across the symbols known at one bar, all of them or those of one group: places, levels, and what a regression leaves.

A group is a number; a symbol whose number is not known has none. Sums run in the order of the universe; places are found by counting.
"""

import math

from strategies.factors.kernels.jit import NAN, OUT, STATE, WINDOW, A, B, Floats, Ints, at, inline, kernel, row

RANK, BUCKET, TOP, MEDIAN = 0.0, 1.0, 2.0, 3.0
MEAN, APART, SCORE, DEVIATION, SMALLEST, LARGEST, HELD = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0


@kernel
def place(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Percentile in its group, bucket 1..w, one of the w largest, or the median of all, as f[0] says; f[1]: there are groups."""
    want, grouped, w = f[0], f[1] != 0.0, p[WINDOW]
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        g = row(p, mem, B, t + i, width) if grouped else x
        among = 0
        for s in range(symbols):
            among += int(x[s] == x[s])
        lower, upper = NAN, NAN
        for k in range(symbols):
            v, own = x[k], g[k]
            below, upto = counts(x, g, v, own, grouped, symbols)
            if grouped:
                among = 0
                for s in range(symbols):
                    among += int((g[s] == own) & (x[s] == x[s]))
            r = float(below + upto + 1) * 0.5 / among if among > 0 else NAN
            if want == BUCKET:  # the percentile times w, rounded up, in whole numbers
                r = float(((below + upto + 1) * w + 2 * among - 1) // (2 * among)) if among > 0 else NAN
            if want == TOP:
                r = 1.0 if among - upto < w else 0.0
            lower = v if (below <= (among - 1) // 2) & (upto > (among - 1) // 2) & (v == v) else lower
            upper = v if (below <= among // 2) & (upto > among // 2) & (v == v) else upper
            o[k] = r if (v == v) & (own == own) else NAN
        if want == MEDIAN:
            for k in range(symbols):
                o[k] = lower + (upper - lower) * 0.5 if lower != upper else lower


@inline
def counts(x: Floats, g: Floats, v: float, own: float, grouped: bool, symbols: int) -> tuple[int, int]:
    """How many known values of the group are below v, and how many at most v."""
    below, upto = 0, 0
    if grouped:
        for s in range(symbols):
            below += int((x[s] < v) & (g[s] == own))
            upto += int((x[s] <= v) & (g[s] == own))
    else:
        for s in range(symbols):
            below += int(x[s] < v)
            upto += int(x[s] <= v)
    return below, upto


@kernel
def level(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Mean, distance from it, score, deviation, smallest, largest, or held within mean +- f[2] deviations, as f[0] says.

    f[1]: there are groups. State: the group of each symbol, whether it is done.
    """
    want, grouped, times = f[0], f[1] != 0.0, f[2]
    group = at(mem, p[STATE])
    done = at(group, width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        g = row(p, mem, B, t + i, width) if grouped else x
        for s in range(symbols):
            group[s], done[s], o[s] = g[s] if grouped else 0.0, 0.0, NAN
        for k in range(symbols):
            if done[k] == 0.0:
                of_group(x, group, done, o, group[k], want, times, symbols)


@inline
def of_group(x: Floats, group: Floats, done: Floats, o: Floats, own: float, want: float, times: float, symbols: int) -> None:
    """All members of one group: (x held within bounds - base) / unit, or one number for all of them."""
    mean, spread, low, high = measures(x, group, own, symbols)
    base, unit, bottom, top, same = 0.0, 1.0, -math.inf, math.inf, mean
    if want == DEVIATION:
        same = spread
    if want == SMALLEST:
        same = low
    if want == LARGEST:
        same = high
    if want == HELD and spread == spread:
        bottom, top = mean - times * spread, mean + times * spread
    if want == APART:
        base = mean
    if want == SCORE:
        base, unit = mean, spread if spread > 0.0 else NAN
    each = (want == APART) | (want == SCORE) | (want == HELD)
    for s in range(symbols):
        if group[s] == own:
            u = x[s]
            u = bottom if u < bottom else u
            u = top if u > top else u
            done[s] = 1.0
            o[s] = (u - base) / unit if each else same


@inline
def measures(x: Floats, group: Floats, own: float, symbols: int) -> tuple[float, float, float, float]:
    """Mean, sample deviation, smallest and largest of the known values of a group; NaN where there are too few."""
    total, known, low, high = 0.0, 0, NAN, NAN
    for s in range(symbols):
        u = x[s]
        if (u == u) & (group[s] == own):
            total += u
            known += 1
            low = u if not (u >= low) else low
            high = u if not (u <= high) else high
    mean = total / known if known > 0 else NAN
    mean = low if low == high else mean
    squares = 0.0
    for s in range(symbols):
        d = x[s] - mean if group[s] == own else 0.0
        squares += d * d if d == d else 0.0
    return mean, math.sqrt(squares / (known - 1.0)) if known > 1 else NAN, low, high


@kernel
def residual(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """y less its least-squares line on x, with an intercept, over the symbols that have both; NaN where x does not vary."""
    for i in range(n):
        y, x, o = row(p, mem, A, t + i, width), row(p, mem, B, t + i, width), row(p, mem, OUT, t + i, width)
        my, mx, known = 0.0, 0.0, 0
        for s in range(symbols):
            if (x[s] == x[s]) & (y[s] == y[s]):
                my += y[s]
                mx += x[s]
                known += 1
        my, mx = (my / known, mx / known) if known > 0 else (NAN, NAN)
        xx, xy = 0.0, 0.0
        for s in range(symbols):
            if (x[s] == x[s]) & (y[s] == y[s]):
                xx += (x[s] - mx) * (x[s] - mx)
                xy += (x[s] - mx) * (y[s] - my)
        slope = xy / xx if xx > 0.0 else NAN
        for s in range(symbols):
            o[s] = (y[s] - my) - slope * (x[s] - mx)
