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


@inline
def begin(state: Floats, rows: int, prefix: int, width: int) -> None:
    """Before the beginning nothing is known: empty sums, where there are none yet."""
    for s in range(width):
        if state[prefix * width + s] != state[prefix * width + s]:
            for r in range(rows):
                state[r * width + s] = 0.0


@kernel
def moments(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Mean, deviation, variance, skewness or excess kurtosis, as f[0] says; f[2] is ddof. Quantities: count, S1, S2, then S3, S4."""
    want, least, w = f[0], f[1], p[WINDOW]
    deep = want >= SKEW
    quantities = 5 if deep else 3
    step, end = (w + 2) * width, (w + 1) * width
    c = at(mem, p[STATE])
    begin(c, quantities * (w + 2), w + 1, width)
    old, new = at(c, step), c  # row 0 of S1 and of the count: the anchors of the suffixes and of the prefix
    pc = at(c, end)
    p1, p2, p3, p4 = at(pc, step), at(pc, 2 * step), at(pc, 3 * step), at(pc, 4 * step)
    j = (t + p[PHASE]) % w
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            turn(p, mem, t + i, width, c, deep)
        for s in range(width):
            known, first = x[s] == x[s], pc[s] == 0.0
            k = x[s] if known & first else new[s]
            new[s] = k
            d = x[s] - k if known else 0.0
            pc[s] += 1.0 if known else 0.0
            p1[s] += d
            p2[s] += d * d
            if deep:
                p3[s] += d * d * d
                p4[s] += (d * d) * (d * d)
        hc = at(c, (j + 1) * width)
        h1, h2, h3, h4 = at(hc, step), at(hc, 2 * step), at(hc, 3 * step), at(hc, 4 * step)
        for s in range(width):
            a, b = hc[s], pc[s]
            e = old[s] - new[s] if (a > 0.0) & (b > 0.0) else 0.0
            k = new[s] if b > 0.0 else old[s]
            count = a + b
            s1 = p1[s] + (h1[s] + a * e)
            s2 = p2[s] + (h2[s] + e * (2.0 * h1[s] + a * e))
            m = s1 / count
            m2 = s2 - s1 * m
            m2 = 0.0 if m2 < 0.0 else m2
            if deep:
                s3 = p3[s] + (h3[s] + e * (3.0 * h2[s] + e * (3.0 * h1[s] + a * e)))
                s4 = p4[s] + (h4[s] + e * (4.0 * h3[s] + e * (6.0 * h2[s] + e * (4.0 * h1[s] + a * e))))
                m3 = s3 - m * (3.0 * s2 - 2.0 * m * s1)
                m4 = s4 - m * (4.0 * s3 - m * (6.0 * s2 - 3.0 * m * s1))
                r = shape(want, count, m2, m3, m4)
            else:
                v = m2 / (count - f[2])
                r = k + m if want == MEAN else (v if want == VARIANCE else math.sqrt(v))
                r = r if (want == MEAN) | (count > f[2]) else NAN
            o[s] = r if count >= least else NAN
        j = 0 if j == w - 1 else j + 1


@inline
def shape(want: float, n: float, m2: float, m3: float, m4: float) -> float:
    """Bias-corrected skewness or excess kurtosis from central sums of powers; NaN where nothing moves, as in pandas 3."""
    skew = n * math.sqrt(n - 1.0) / (n - 2.0) * (m3 / (m2 * math.sqrt(m2)))
    kurt = n * (n + 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0)) * (m4 / (m2 * m2)) - 3.0 * (n - 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0))
    r = skew if want == SKEW else kurt
    return r if (m2 > 0.0) & (n >= want) else NAN  # three values make a skewness, four a kurtosis: the numbers of the two


@inline
def turn(p: Ints, mem: Floats, t: int, width: int, c: Floats, deep: bool) -> None:
    """Begin a block at bar t: an empty prefix, and the suffixes of the block that has ended."""
    w = p[WINDOW]
    step = (w + 2) * width
    old = at(c, step)
    for quantity in range(5 if deep else 3):
        empty = at(c, quantity * step + w * width)
        for s in range(2 * width):  # the prefix follows
            empty[s] = 0.0
    for s in range(width):
        c[s], old[s] = 0.0, 0.0
    for k in range(w - 1, 0, -1):
        z, g = row(p, mem, A, t - w + k, width), at(c, k * width)
        g1, g2, g3, g4 = at(g, step), at(g, 2 * step), at(g, 3 * step), at(g, 4 * step)
        h, h1, h2, h3, h4 = at(g, width), at(g1, width), at(g2, width), at(g3, width), at(g4, width)
        for s in range(width):
            known = z[s] == z[s]
            anchor = z[s] if known & (h[s] == 0.0) else old[s]
            old[s] = anchor
            d = z[s] - anchor if known else 0.0
            g[s] = h[s] + (1.0 if known else 0.0)
            g1[s] = h1[s] + d
            g2[s] = h2[s] + d * d
            if deep:
                g3[s] = h3[s] + d * d * d
                g4[s] = h4[s] + (d * d) * (d * d)


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
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            for s in range(width):
                pc[s], pv[s] = 0.0, nothing
            for k in range(w - 1, 0, -1):
                z, g, gv = row(p, mem, A, t + i - w + k, width), at(c, k * width), at(v, k * width)
                h, hv = at(g, width), at(gv, width)
                for s in range(width):
                    known = z[s] == z[s]
                    g[s] = h[s] + (1.0 if known else 0.0)
                    gv[s] = joined(want, z[s] if known else nothing, hv[s])
        h, hv = at(c, (j + 1) * width), at(v, (j + 1) * width)
        for s in range(width):
            known = x[s] == x[s]
            b = pc[s] + (1.0 if known else 0.0)
            u = joined(want, pv[s], x[s] if known else nothing)
            pc[s], pv[s] = b, u
            count = h[s] + b
            r = joined(want, hv[s], u)
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
        x, y, o = row(p, mem, A, t + i, width), row(p, mem, B, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            turn_pairs(p, mem, t + i, width, c)
        for s in range(width):
            pair(x[s], y[s], pc, sxx, syy, pc, at(c, end), width, step, s)
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
def pair(x: float, y: float, c: Floats, kx: Floats, ky: Floats, h: Floats, g: Floats, width: int, step: int, s: int) -> None:
    """Add one pair to the row h, giving the row g; kx and ky are the anchors, taken from the first pair that is known."""
    known = (x == x) & (y == y)
    first = known & (h[s] == 0.0)
    kx[s] = x if first else kx[s]
    ky[s] = y if first else ky[s]
    dx, dy = (x - kx[s], y - ky[s]) if known else (0.0, 0.0)
    g[s] = h[s] + (1.0 if known else 0.0)
    g[step + s] = h[step + s] + dx
    g[2 * step + s] = h[2 * step + s] + dy
    g[3 * step + s] = h[3 * step + s] + dx * dx
    g[4 * step + s] = h[4 * step + s] + dy * dy
    g[5 * step + s] = h[5 * step + s] + dx * dy


@inline
def turn_pairs(p: Ints, mem: Floats, t: int, width: int, c: Floats) -> None:
    """`turn`, of pairs."""
    w = p[WINDOW]
    step = (w + 2) * width
    sx, sy, sxx, syy = at(c, step), at(c, 2 * step), at(c, 3 * step), at(c, 4 * step)
    for quantity in range(6):
        empty = at(c, quantity * step + w * width)
        for s in range(2 * width):
            empty[s] = 0.0
    for s in range(width):
        sx[s], sy[s], sxx[s], syy[s] = 0.0, 0.0, 0.0, 0.0
    for k in range(w - 1, 0, -1):
        zx, zy = row(p, mem, A, t - w + k, width), row(p, mem, B, t - w + k, width)
        g = at(c, k * width)
        for s in range(width):
            pair(zx[s], zy[s], c, sx, sy, at(g, width), g, width, step, s)


@kernel
def rank(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Percentile of the newest value among the known of its window, in (0, 1], ties averaged; by counting. State: three counts."""
    w = p[WINDOW]
    below = at(mem, p[STATE])
    equal, count = at(below, width), at(below, 2 * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            below[s], equal[s], count[s] = 0.0, 0.0, 0.0
        for k in range(w):
            z = row(p, mem, A, t + i - k, width)
            for s in range(width):
                below[s] += 1.0 if z[s] < x[s] else 0.0
                equal[s] += 1.0 if z[s] == x[s] else 0.0
                count[s] += 1.0 if z[s] == z[s] else 0.0
        for s in range(width):
            r = (below[s] + (equal[s] + 1.0) * 0.5) / count[s]
            o[s] = r if (count[s] >= f[1]) & (x[s] == x[s]) else NAN
