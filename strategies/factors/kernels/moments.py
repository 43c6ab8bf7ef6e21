"""Second moments over windows: deviation, variance, z-score, covariance, correlation; sample estimators (ddof 1).

The scheme is that of windows.py. Sums are taken on d = x - K with K the first value of the current block. K lies in the window, so
(K - mean)^2 is one of its squares, S2 <= (w + 1) M2, and S2 - S1^2 / w is good to about w ulp whatever the data; a window of equal
values gives exactly zero.
"""

import math

from strategies.factors.kernels.jit import NAN, OUT, PHASE, STATE, WINDOW, A, B, Floats, Ints, at, inline, kernel, row

DEVIATION, VARIANCE, SCORE, COVARIANCE, CORRELATION = 0, 1, 2, 3, 4


@inline
def spread(p: Ints, mem: Floats, t: int, n: int, width: int, want: int) -> None:
    """State: anchor row, suffixes and prefix of the sum; then (from row w + 1) the same of the squares."""
    w = p[WINDOW]
    j = (t + p[PHASE]) % w
    anchor = at(mem, p[STATE])
    prefix, square = at(anchor, w * width), at(anchor, (w + 1) * width)
    sprefix = at(square, w * width)
    share, free = 1.0 / w, 1.0 / (w - 1.0)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            for k in range(w - 1, 0, -1):
                z, g, h = row(p, mem, A, t + i - w + k, width), at(anchor, k * width), at(anchor, (k + 1) * width)
                gs, hs = at(square, k * width), at(square, (k + 1) * width)
                for s in range(width):
                    d = z[s] - x[s]
                    g[s] = d if k == w - 1 else d + h[s]
                    gs[s] = d * d if k == w - 1 else d * d + hs[s]
            for s in range(width):
                anchor[s] = x[s]
                prefix[s] = x[s] - x[s]
                sprefix[s] = x[s] - x[s]
        else:
            for s in range(width):
                d = x[s] - anchor[s]
                prefix[s] += d
                sprefix[s] += d * d
        last = j == w - 1
        h, hs = at(anchor, (w if last else j + 1) * width), at(square, (w if last else j + 1) * width)
        for s in range(width):
            one = prefix[s] if last else h[s] + prefix[s]
            two = sprefix[s] if last else hs[s] + sprefix[s]
            v = (two - one * one * share) * free
            v = 0.0 if v < 0.0 else v
            if want == VARIANCE:
                o[s] = v
            elif want == DEVIATION:
                o[s] = math.sqrt(v)
            else:
                r = ((x[s] - anchor[s]) - one * share) / math.sqrt(v)
                o[s] = r if v > 0.0 else NAN
        j = 0 if last else j + 1


@kernel
def deviation(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    spread(p, mem, t, n, width, DEVIATION)


@kernel
def variance(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    spread(p, mem, t, n, width, VARIANCE)


@kernel
def score(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    spread(p, mem, t, n, width, SCORE)


@inline
def together(p: Ints, mem: Floats, t: int, n: int, width: int, want: int) -> None:
    """State: five blocks of w + 1 rows for x, y, xx, yy, xy; row 0 of the first two holds the anchors, row w the prefixes."""
    w = p[WINDOW]
    j = (t + p[PHASE]) % w
    step = (w + 1) * width
    sx = at(mem, p[STATE])
    sy, xx, yy, xy = at(sx, step), at(sx, 2 * step), at(sx, 3 * step), at(sx, 4 * step)
    e = w * width
    px, py, pxx, pyy, pxy = at(sx, e), at(sy, e), at(xx, e), at(yy, e), at(xy, e)
    share, free = 1.0 / w, 1.0 / (w - 1.0)
    for i in range(n):
        x, y, o = row(p, mem, A, t + i, width), row(p, mem, B, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            for k in range(w - 1, 0, -1):
                join(p, mem, sx, t + i - w + k, k, k == w - 1, width, x, y)
            for s in range(width):
                sx[s], sy[s] = x[s], y[s]
                px[s], pxx[s] = x[s] - x[s], x[s] - x[s]
                py[s], pyy[s] = y[s] - y[s], y[s] - y[s]
                pxy[s] = (x[s] - x[s]) * (y[s] - y[s])
        else:
            for s in range(width):
                dx, dy = x[s] - sx[s], y[s] - sy[s]
                px[s] += dx
                py[s] += dy
                pxx[s] += dx * dx
                pyy[s] += dy * dy
                pxy[s] += dx * dy
        last = j == w - 1
        c = (w if last else j + 1) * width
        hx, hy, hxx, hyy, hxy = at(sx, c), at(sy, c), at(xx, c), at(yy, c), at(xy, c)
        for s in range(width):
            u = px[s] if last else hx[s] + px[s]
            v = py[s] if last else hy[s] + py[s]
            cross = (pxy[s] if last else hxy[s] + pxy[s]) - u * v * share
            if want == COVARIANCE:
                o[s] = cross * free
            else:
                vx = (pxx[s] if last else hxx[s] + pxx[s]) - u * u * share
                vy = (pyy[s] if last else hyy[s] + pyy[s]) - v * v * share
                r = cross / (math.sqrt(vx) * math.sqrt(vy))
                r = 1.0 if r > 1.0 else r
                r = -1.0 if r < -1.0 else r
                o[s] = r if (vx > 0.0) & (vy > 0.0) else NAN
        j = 0 if last else j + 1


@inline
def join(p: Ints, mem: Floats, sx: Floats, bar: int, k: int, alone: bool, width: int, x: Floats, y: Floats) -> None:
    """Suffix rows `k` = the bar's terms, added to suffix rows `k + 1`."""
    step = (p[WINDOW] + 1) * width
    zx, zy = row(p, mem, A, bar, width), row(p, mem, B, bar, width)
    g = at(sx, k * width)
    gy, gxx, gyy, gxy = at(g, step), at(g, 2 * step), at(g, 3 * step), at(g, 4 * step)
    h = at(g, width)
    hy, hxx, hyy, hxy = at(gy, width), at(gxx, width), at(gyy, width), at(gxy, width)
    for s in range(width):
        dx, dy = zx[s] - x[s], zy[s] - y[s]
        g[s] = dx if alone else dx + h[s]
        gy[s] = dy if alone else dy + hy[s]
        gxx[s] = dx * dx if alone else dx * dx + hxx[s]
        gyy[s] = dy * dy if alone else dy * dy + hyy[s]
        gxy[s] = dx * dy if alone else dx * dy + hxy[s]


@kernel
def covariance(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    together(p, mem, t, n, width, COVARIANCE)


@kernel
def correlation(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    together(p, mem, t, n, width, CORRELATION)
