"""Windows that skip what is not known: pandas' rolling with min_periods below the window. f[1] values must be known.

The scheme is that of windows.py: suffixes of the last block, prefix of the current one, merged; row w the empty suffix, w + 1 the
prefix. Every quantity counts the known alone, so the first of them is always how many there are. Sums are taken on x - K, and as
the first value of a block may be missing, each side has a K of its own: the newest known value of the last block, the oldest of the
current one. Both lie in every window that uses them, so sums of powers up to the fourth are good to a small multiple of w ulp.
"""

import math

from strategies.factors.kernels.jit import NAN, OUT, PHASE, STATE, WINDOW, A, B, Floats, Ints, at, inline, kernel, row

MEAN, DEVIATION, VARIANCE, SKEW, KURT = 0.0, 1.0, 2.0, 3.0, 4.0
SUM, COUNT, LARGEST, SMALLEST, PRODUCT = 0.0, 1.0, 2.0, 3.0, 4.0
COVARIANCE, CORRELATION = 0.0, 1.0
NARROW = 4  # up to this row length the loop over the window is the inner one


@inline
def one(yes: bool) -> float:
    return 1.0 if yes else 0.0


@inline
def begin(state: Floats, rows: int, prefix: int, width: int) -> None:
    """Before the beginning nothing is known: empty sums, where there are none yet."""
    for s in range(width):
        if state[prefix * width + s] != state[prefix * width + s]:
            for r in range(rows):
                state[r * width + s] = 0.0


@kernel
def moments(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Mean, deviation, variance, skewness or excess kurtosis, as f[0] says; f[2] is ddof. Quantities: count, S1, S2, then S3, S4.

    Anchors are row 0 of S1, of the suffixes, and row 0 of the count, of the prefix.
    """
    w, deep = p[WINDOW], f[0] >= SKEW
    end = (w + 1) * width
    c = at(mem, p[STATE])
    old = at(c, (w + 2) * width)
    begin(c, (5 if deep else 3) * (w + 2), w + 1, width)
    j = (t + p[PHASE]) % w
    for i in range(n):
        o = row(p, mem, OUT, t + i, width)
        if j == 0:
            clear(c, 5 if deep else 3, w, width)
        for k in range(w - 1 if j == 0 else 0, -1, -1):  # the suffixes of the block that has ended, where one has; then this bar
            z, g = row(p, mem, A, t + i - (w - k if k > 0 else 0), width), at(c, k * width if k > 0 else end)
            add(z, old if k > 0 else c, at(g, width if k > 0 else 0), g, w, width, deep)
        if deep:
            shapes(f, c, at(c, (j + 1) * width), w, width, o)
        else:
            spreads(f, c, at(c, (j + 1) * width), w, width, o)
        j = 0 if j == w - 1 else j + 1


@inline
def add(x: Floats, anchor: Floats, h: Floats, g: Floats, w: int, width: int, deep: bool) -> None:
    """The sums g: those of h and the values of x; a side takes its anchor from the first that it knows."""
    step = (w + 2) * width
    h1, h2, h3, h4 = at(h, step), at(h, 2 * step), at(h, 3 * step), at(h, 4 * step)
    g1, g2, g3, g4 = at(g, step), at(g, 2 * step), at(g, 3 * step), at(g, 4 * step)
    for s in range(width):
        z, k, a = x[s], anchor[s], h[s]
        known = z == z
        k = z if known & (a == 0.0) else k
        d = z - k
        d = d if known else 0.0
        u, v = h1[s] + d, h2[s] + d * d
        if deep:
            y, q = h3[s] + d * d * d, h4[s] + (d * d) * (d * d)
            g3[s], g4[s] = y, q
        anchor[s], g[s], g1[s], g2[s] = k, a + one(known), u, v


@inline
def spreads(f: Floats, c: Floats, h: Floats, w: int, width: int, o: Floats) -> None:
    """Mean, deviation or variance of the suffix h joined with the prefix."""
    least, ddof, step = f[1], f[2], (w + 2) * width
    g, old = at(c, (w + 1) * width), at(c, step)
    g1, g2, h1, h2 = at(g, step), at(g, 2 * step), at(h, step), at(h, 2 * step)
    for s in range(width):
        a, b, ka, kb = h[s], g[s], old[s], c[s]
        k = kb if b > 0.0 else ka
        e = ka - k
        e = e if a > 0.0 else 0.0
        count, s1 = a + b, g1[s] + (h1[s] + a * e)
        s2 = g2[s] + (h2[s] + e * (2.0 * h1[s] + a * e))
        m = s1 / count
        m2 = s2 - s1 * m
        m2 = 0.0 if m2 < 0.0 else m2
        v = m2 / (count - ddof)
        v = v if count > ddof else NAN
        r = math.sqrt(v)
        r = v if f[0] == VARIANCE else r
        r = k + m if f[0] == MEAN else r
        o[s] = r if count >= least else NAN


@inline
def shapes(f: Floats, c: Floats, h: Floats, w: int, width: int, o: Floats) -> None:
    """Bias-corrected skewness or excess kurtosis of the suffix h joined with the prefix; NaN where nothing moves, as in pandas 3."""
    least, step = f[1], (w + 2) * width
    g, old = at(c, (w + 1) * width), at(c, step)
    g1, g2, g3, g4 = at(g, step), at(g, 2 * step), at(g, 3 * step), at(g, 4 * step)
    h1, h2, h3, h4 = at(h, step), at(h, 2 * step), at(h, 3 * step), at(h, 4 * step)
    for s in range(width):
        a, b, ka, kb = h[s], g[s], old[s], c[s]
        e = ka - kb
        e = e if (a > 0.0) & (b > 0.0) else 0.0
        n, y1, y2, y3 = a + b, h1[s], h2[s], h3[s]
        s1 = g1[s] + (y1 + a * e)
        s2 = g2[s] + (y2 + e * (2.0 * y1 + a * e))
        s3 = g3[s] + (y3 + e * (3.0 * y2 + e * (3.0 * y1 + a * e)))
        s4 = g4[s] + (h4[s] + e * (4.0 * y3 + e * (6.0 * y2 + e * (4.0 * y1 + a * e))))
        m = s1 / n
        m2 = s2 - s1 * m
        m3 = s3 - m * (3.0 * s2 - 2.0 * m * s1)
        m4 = s4 - m * (4.0 * s3 - m * (6.0 * s2 - 3.0 * m * s1))
        less, two = n - 1.0, n - 2.0
        skew = n * math.sqrt(less) * m3 / (two * (m2 * math.sqrt(m2)))
        kurt = less / (two * (n - 3.0)) * (n * (n + 1.0) * (m4 / (m2 * m2)) - 3.0 * less)
        r = skew if f[0] == SKEW else kurt
        o[s] = r if (m2 > 0.0) & (n >= f[0]) & (n >= least) else NAN


@inline
def clear(c: Floats, quantities: int, w: int, width: int) -> None:
    """Begin a block: an empty suffix, an empty prefix, no anchors."""
    for quantity in range(quantities):
        q = at(c, quantity * (w + 2) * width)
        empty = at(q, w * width)
        for s in range(width):
            q[s] = 0.0
        for s in range(2 * width):  # the prefix follows
            empty[s] = 0.0


@inline
def joined(want: float, u: float, v: float) -> float:
    """Two sides into one. A product with 0 in it is 0, even where the rest is past the largest number."""
    big = u if u > v else v
    small = u if u < v else v
    product = u * v
    product = product if (product == product) | (u != u) | (v != v) else 0.0
    r = u + v if want == SUM else product
    r = big if want == LARGEST else r
    return small if want == SMALLEST else r


@kernel
def reduced(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Sum, count, largest, smallest or product, as f[0] says. Quantities: count, value."""
    want, least, w = f[0], f[1], p[WINDOW]
    nothing = -math.inf if want == LARGEST else (math.inf if want == SMALLEST else (1.0 if want == PRODUCT else 0.0))
    step, end = (w + 2) * width, (w + 1) * width
    c = at(mem, p[STATE])
    v, pc = at(c, step), at(c, end)
    pv = at(v, end)
    for s in range(width):
        if pc[s] != pc[s]:
            for k in range(w + 2):
                c[k * width + s], v[k * width + s] = 0.0, nothing
    j = (t + p[PHASE]) % w
    for i in range(n):
        o = row(p, mem, OUT, t + i, width)
        if j == 0:
            for s in range(width):
                pc[s], pv[s] = 0.0, nothing
        for k in range(w - 1 if j == 0 else 0, -1, -1):  # as above
            z, to = row(p, mem, A, t + i - (w - k if k > 0 else 0), width), k * width if k > 0 else end
            g, gv, of = at(c, to), at(v, to), to + width if k > 0 else end
            h, hv = at(c, of), at(v, of)
            for s in range(width):
                x, a, b = z[s], h[s], hv[s]
                known = x == x
                g[s], gv[s] = a + one(known), joined(want, b, x if known else nothing)
        h, hv = at(c, (j + 1) * width), at(v, (j + 1) * width)
        for s in range(width):
            count, r = h[s] + pc[s], joined(want, hv[s], pv[s])
            r = count if want == COUNT else r
            none = (count == 0.0) & ((want == LARGEST) | (want == SMALLEST))
            o[s] = NAN if (count < least) | none else r
        j = 0 if j == w - 1 else j + 1


@kernel
def together(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Covariance (f[2] is ddof) or correlation of the pairs of which both are known. Quantities: count, x, y, xx, yy, xy.

    Anchors of the suffixes are row 0 of x and of y, those of the prefix row 0 of xx and of yy.
    """
    want, least, w = f[0], f[1], p[WINDOW]
    step, end = (w + 2) * width, (w + 1) * width
    c = at(mem, p[STATE])
    begin(c, 6 * (w + 2), w + 1, width)
    sx, sy, sxx, syy, sxy = at(c, step), at(c, 2 * step), at(c, 3 * step), at(c, 4 * step), at(c, 5 * step)
    pc, px, py, pxx, pyy, pxy = at(c, end), at(sx, end), at(sy, end), at(sxx, end), at(syy, end), at(sxy, end)
    j = (t + p[PHASE]) % w
    for i in range(n):
        o = row(p, mem, OUT, t + i, width)
        if j == 0:
            clear(c, 6, w, width)
        for k in range(w - 1 if j == 0 else 0, -1, -1):  # as above
            age, g = w - k if k > 0 else 0, at(c, k * width if k > 0 else end)
            x, y, h = row(p, mem, A, t + i - age, width), row(p, mem, B, t + i - age, width), at(g, width if k > 0 else 0)
            kx, ky = (sx, sy) if k > 0 else (sxx, syy)
            for s in range(width):
                pair(x[s], y[s], kx, ky, h, g, step, s)
        q = (j + 1) * width
        h, hx, hy = at(c, q), at(sx, q), at(sy, q)
        hxx, hyy, hxy = at(sxx, q), at(syy, q), at(sxy, q)
        for s in range(width):
            a, b = h[s], pc[s]
            both = (a > 0.0) & (b > 0.0)
            ex = sx[s] - sxx[s] if both else 0.0
            ey = sy[s] - syy[s] if both else 0.0
            count = a + b
            u, v = px[s] + (hx[s] + a * ex), py[s] + (hy[s] + a * ey)
            xx = pxx[s] + (hxx[s] + ex * (2.0 * hx[s] + a * ex))
            yy = pyy[s] + (hyy[s] + ey * (2.0 * hy[s] + a * ey))
            xy = pxy[s] + (hxy[s] + (ex * hy[s] + ey * (hx[s] + a * ex)))
            cross, vx, vy = xy - u * v / count, xx - u * u / count, yy - v * v / count
            r = cross / (math.sqrt(vx) * math.sqrt(vy))
            r = 1.0 if r > 1.0 else r
            r = -1.0 if r < -1.0 else r
            r = r if (vx > 0.0) & (vy > 0.0) else NAN
            r = r if want == CORRELATION else (cross / (count - f[2]) if count > f[2] else NAN)
            o[s] = r if count >= least else NAN
        j = 0 if j == w - 1 else j + 1


@inline
def pair(x: float, y: float, kx: Floats, ky: Floats, h: Floats, g: Floats, step: int, s: int) -> None:
    """Add one pair to the row h, giving the row g; kx and ky are the anchors, taken from the first pair that is known."""
    known = (x == x) & (y == y)
    first = known & (h[s] == 0.0)
    kx[s] = x if first else kx[s]
    ky[s] = y if first else ky[s]
    dx, dy = (x - kx[s], y - ky[s]) if known else (0.0, 0.0)
    g[s] = h[s] + one(known)
    g[step + s] = h[step + s] + dx
    g[2 * step + s] = h[2 * step + s] + dy
    g[3 * step + s] = h[3 * step + s] + dx * dx
    g[4 * step + s] = h[4 * step + s] + dy * dy
    g[5 * step + s] = h[5 * step + s] + dx * dy


@kernel
def rank(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Percentile of the newest value among the known of its window, in (0, 1], ties averaged; by counting. State: two counts."""
    twice = at(mem, p[STATE])
    count = at(twice, width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            twice[s], count[s] = 0.0, 0.0
        if width <= NARROW:
            for s in range(width):
                count_back(p, mem, t + i, x[s], s, width, at(twice, s), at(count, s))
        else:
            count_across(p, mem, t + i, x, width, twice, count)
        for s in range(width):
            r = 0.5 * (twice[s] + 1.0) / count[s]
            o[s] = r if (count[s] >= f[1]) & (x[s] == x[s]) else NAN


@inline
def count_back(p: Ints, mem: Floats, t: int, x: float, s: int, width: int, twice: Floats, count: Floats) -> None:
    """How many values of the window are <= x plus how many are < x, and how many are known; the ring is walked in its two runs."""
    ring, mask, w = at(mem, p[A] + s), p[A + 1], p[WINDOW]
    k = (t - w + 1) & mask
    left, below, there = w, 0, 0
    while left > 0:
        end = min(mask + 1, k + left)
        left -= end - k
        for i in range(k, end):
            z = ring[i * width]
            below += int(z <= x) + int(z < x)
            there += int(z == z)
        k = 0
    twice[0], count[0] = float(below), float(there)


@inline
def count_across(p: Ints, mem: Floats, t: int, x: Floats, width: int, twice: Floats, count: Floats) -> None:
    """The same for all symbols of a row, two bars a pass."""
    w = p[WINDOW]
    for k in range(0, w - 1, 2):
        a, b = row(p, mem, A, t - k, width), row(p, mem, A, t - k - 1, width)
        for s in range(width):
            u, v, y = a[s], b[s], x[s]
            twice[s] += (one(u <= y) + one(u < y)) + (one(v <= y) + one(v < y))
            count[s] += one(u == u) + one(v == v)
    if w & 1:
        a = row(p, mem, A, t - w + 1, width)
        for s in range(width):
            twice[s] += one(a[s] <= x[s]) + one(a[s] < x[s])
            count[s] += one(a[s] == a[s])
