"""Exponential memories beyond the plain mean: those of pandas' ewm, those that a simple mean seeds, and one whose rate varies.

An unknown value is passed over. In `fading` the older weights decay over its bar all the same (pandas ewm with ignore_na=False); in the
others the memory stays as it is. Means and moments are updated by merging, never by subtracting.
"""

import math

from strategies.factors.kernels.jit import NAN, OUT, STATE, WINDOW, A, B, Floats, Ints, at, kernel, row

MEAN, VARIANCE, DEVIATION, COVARIANCE, CORRELATION = 0.0, 1.0, 2.0, 3.0, 4.0
SKIP = WINDOW + 1


@kernel
def fading(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Mean with the weights of pandas' ewm(ignore_na=False). f: alpha, adjust, whether span = 3. State: count, mean, older weight."""
    enough, keep, adjust, three = float(p[WINDOW]), 1.0 - f[0], f[1] != 0.0, f[2] != 0.0
    new = 1.0 if adjust else f[0]
    count = at(mem, p[STATE])
    mean, weight = at(count, width), at(count, 2 * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            u = x[s]
            known = abs(u) < math.inf
            c = count[s] if count[s] == count[s] else 0.0
            m, older = mean[s], weight[s] * keep
            fresh = 1.0 - older if three else new  # pandas: with com = 1 and adjust=False a gap counts as elapsed time
            merged = (older * m + fresh * u) / (older + fresh)
            merged = m if m == u else merged
            merged = merged if c > 0.0 else u
            held = older + new if adjust else 1.0
            held = held if c > 0.0 else 1.0
            m = merged if known else m
            mean[s], weight[s] = m, held if known else older
            c = c + 1.0 if known & (c < enough) else c
            count[s] = c
            o[s] = m if c >= enough else NAN


@kernel
def fading_moments(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Second moments with the same weights, bias corrected. f: alpha, adjust, what is wanted, whether there are two series.

    State: count, older weight, sum of weights, of their squares, means of x and y, xy, and xx, yy where they are wanted.
    """
    enough, keep, adjust, want, two = float(p[WINDOW]), 1.0 - f[0], f[1] != 0.0, f[2], f[3] != 0.0
    new, squares = 1.0 if adjust else f[0], want == CORRELATION
    count = at(mem, p[STATE])
    weight, total, total2 = at(count, width), at(count, 2 * width), at(count, 3 * width)
    xs, ys, xys = at(count, 4 * width), at(count, 5 * width), at(count, 6 * width)
    xxs, yys = at(count, 7 * width), at(count, 8 * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        y = row(p, mem, B, t + i, width) if two else x
        for s in range(width):
            u, v = x[s], y[s]
            known = (abs(u) < math.inf) & (abs(v) < math.inf)
            c = count[s] if count[s] == count[s] else 0.0
            begun = c > 0.0
            older, sum1, sum2 = weight[s] * keep, total[s] * keep, total2[s] * (keep * keep)
            both = older + new
            mx, my = xs[s], ys[s]
            nx = u if (mx == u) | (not begun) else (older * mx + new * u) / both
            ny = v if (my == v) | (not begun) else (older * my + new * v) / both
            xy = (older * (xys[s] + (mx - nx) * (my - ny)) + new * ((u - nx) * (v - ny))) / both
            xys[s] = (xy if begun else 0.0) if known else xys[s]
            if squares:
                xx = (older * (xxs[s] + (mx - nx) * (mx - nx)) + new * ((u - nx) * (u - nx))) / both
                yy = (older * (yys[s] + (my - ny) * (my - ny)) + new * ((v - ny) * (v - ny))) / both
                xxs[s] = (xx if begun else 0.0) if known else xxs[s]
                yys[s] = (yy if begun else 0.0) if known else yys[s]
            sum1, sum2 = (sum1 + new, sum2 + new * new) if known else (sum1, sum2)
            scale = both if known & (not adjust) else 1.0
            held = (1.0 if not adjust else both) if known else older
            fresh = known & (not begun)
            weight[s] = 1.0 if fresh else held
            sum1, sum2 = 1.0 if fresh else sum1 / scale, 1.0 if fresh else sum2 / (scale * scale)
            total[s], total2[s] = sum1, sum2
            xs[s], ys[s] = nx if known else mx, ny if known else my
            c = c + 1.0 if known & (c < enough) else c
            count[s] = c
            free = sum1 * sum1 - sum2
            r = sum1 * sum1 / free * xys[s]
            r = r if free > 0.0 else NAN
            r = math.sqrt(r) if want == DEVIATION else r
            if squares:
                sizes = math.sqrt(xxs[s]) * math.sqrt(yys[s])
                r = xys[s] / sizes if sizes > 0.0 else NAN
                r = 1.0 if r > 1.0 else r
                r = -1.0 if r < -1.0 else r
            o[s] = r if c >= enough else NAN


@kernel
def seeded(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """m += alpha (x - m), seeded after `skip` known values with the sum of the next f[1] over w; given out times f[2] from the f[3]-th on.

    TA-Lib's exponential and Wilder means (f[1] = f[3] = w) and Wilder's sums (f[1] = w - 1, f[2] = w). State: memory, count.
    """
    w, skip, alpha, seeds, scale, enough = float(p[WINDOW]), float(p[SKIP]), f[0], f[1], f[2], f[3]
    memory = at(mem, p[STATE])
    count = at(memory, width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            u = x[s]
            known = u == u
            c = count[s] if count[s] == count[s] else -skip
            place = c + 1.0 if known else c
            m = memory[s] if c > 0.0 else 0.0
            filling = m + u
            filling = filling / w if place == seeds else filling
            following = m + alpha * (u - m)
            r = following if place > seeds else filling
            m = r if known & (place > 0.0) else m
            memory[s] = m
            count[s] = w if place > w else place
            o[s] = m * scale if place >= enough else NAN


@kernel
def adaptive(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """m += a (x - m), the rate a a series held within [f[0], 1]; seeded with the value before the first known rate. State: memory."""
    least = f[0]
    memory = at(mem, p[STATE])
    for i in range(n):
        x, z, o = row(p, mem, A, t + i, width), row(p, mem, A, t + i - 1, width), row(p, mem, OUT, t + i, width)
        rate = row(p, mem, B, t + i, width)
        for s in range(width):
            u, a, m = x[s], rate[s], memory[s]
            seed = z[s] if z[s] == z[s] else u
            m0 = m if m == m else seed
            a2 = least if a < least else a
            a2 = 1.0 if a2 > 1.0 else a2
            r = m0 + a2 * (u - m0)
            r = r if (u == u) & (a == a) else m
            memory[s] = r
            o[s] = r
