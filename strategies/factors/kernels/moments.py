"""Second moments over windows: deviation, variance, z-score, covariance, correlation; sample estimators (ddof 1).

The scheme and the rows of state are those of windows.py. Sums are taken on d = x - K with K the first value of the current block. K
lies in the window, so (K - mean)^2 is one of its squares, S2 <= (w + 1) M2, and S2 - S1^2 / w is good to about w ulp whatever the
data; a window of equal values gives exactly zero.
"""

from strategies.factors.kernels.jit import NAN, OUT, PHASE, STATE, WINDOW, A, B, Floats, Ints, at, back, inline, kernel, root, row

DEVIATION, VARIANCE, SCORE = 0.0, 1.0, 2.0
COVARIANCE, CORRELATION = 0.0, 1.0


@inline
def finished(one: float, two: float, d: float, share: float, free: float, want: float) -> float:
    """What is made of the sums of d and of its squares."""
    v = (two - one * one * share) * free
    v = 0.0 if v < 0.0 else v
    deviation = root(v)
    r = (d - one * share) / deviation
    r = r if v > 0.0 else NAN
    r = deviation if want == DEVIATION else r
    return v if want == VARIANCE else r


@kernel
def spread(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Deviation, variance or z-score, as f[0] says."""
    want, w = f[0], p[WINDOW]
    i, j = 0, (t + p[PHASE]) % w
    anchor = at(mem, p[STATE])
    empty, prefix, square = at(anchor, w * width), at(anchor, (w + 1) * width), at(anchor, (w + 2) * width)
    sempty, sprefix = at(square, w * width), at(square, (w + 1) * width)
    share, free = 1.0 / w, 1.0 / (w - 1.0)
    while i < n:
        m = min(n - i, w - j)
        if j == 0:
            x = row(p, mem, A, t + i, width)
            for s in range(width):
                anchor[s], empty[s], prefix[s], sempty[s], sprefix[s] = x[s], 0.0, 0.0, 0.0, 0.0
            if width == 1:
                base, v, u = x[0], 0.0, 0.0
                for k in range(w - 1, 0, -1):
                    d = back(p, mem, A, t + i - w + k) - base
                    v += d
                    u += d * d
                    anchor[k], square[k] = v, u
            else:
                for k in range(w - 1, 0, -1):
                    z, g, gs = row(p, mem, A, t + i - w + k, width), at(anchor, k * width), at(square, k * width)
                    h, hs = at(g, width), at(gs, width)
                    for s in range(width):
                        d = z[s] - x[s]
                        g[s] = d + h[s]
                        gs[s] = d * d + hs[s]
        if width == 1:
            x, o, h, hs = row(p, mem, A, t + i, 1), row(p, mem, OUT, t + i, 1), at(anchor, j + 1), at(square, j + 1)
            base, v, u = anchor[0], prefix[0], sprefix[0]
            for k in range(m):  # a suffix is used once: the sum takes its place
                d = x[k] - base
                v += d
                u += d * d
                h[k] += v
                hs[k] += u
            prefix[0], sprefix[0] = v, u
            for k in range(m):
                o[k] = finished(h[k], hs[k], x[k] - base, share, free, want)
        else:
            for k in range(m):
                x, o = row(p, mem, A, t + i + k, width), row(p, mem, OUT, t + i + k, width)
                h, hs = at(anchor, (j + k + 1) * width), at(square, (j + k + 1) * width)
                for s in range(width):
                    d = x[s] - anchor[s]
                    prefix[s] += d
                    sprefix[s] += d * d
                    o[s] = finished(h[s] + prefix[s], hs[s] + sprefix[s], d, share, free, want)
        i += m
        j = 0 if j + m == w else j + m


@inline
def joined(u: float, v: float, xx: float, yy: float, xy: float, share: float, free: float, want: float) -> float:
    """What is made of the five sums."""
    cross = xy - u * v * share
    vx, vy = xx - u * u * share, yy - v * v * share
    r = cross / (root(vx) * root(vy))
    r = 1.0 if r > 1.0 else r
    r = -1.0 if r < -1.0 else r
    r = r if (vx > 0.0) & (vy > 0.0) else NAN
    return cross * free if want == COVARIANCE else r


@kernel
def together(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Covariance or correlation, as f[0] says. Sums of x, y, xx, yy, xy; the anchors are row 0 of the first two."""
    want, w = f[0], p[WINDOW]
    i, j = 0, (t + p[PHASE]) % w
    step, end = (w + 2) * width, (w + 1) * width
    sx = at(mem, p[STATE])
    sy, xx, yy, xy = at(sx, step), at(sx, 2 * step), at(sx, 3 * step), at(sx, 4 * step)
    px, py, pxx, pyy, pxy = at(sx, end), at(sy, end), at(xx, end), at(yy, end), at(xy, end)
    share, free = 1.0 / w, 1.0 / (w - 1.0)
    while i < n:
        m = min(n - i, w - j)
        if j == 0:
            turn(p, mem, t + i, width, sx, step)
        if width == 1:
            sum_up(p, mem, t + i, j, m, sx, step)
            o = row(p, mem, OUT, t + i, 1)
            hx, hy, hxx, hyy, hxy = at(sx, j + 1), at(sy, j + 1), at(xx, j + 1), at(yy, j + 1), at(xy, j + 1)
            for k in range(m):
                o[k] = joined(hx[k], hy[k], hxx[k], hyy[k], hxy[k], share, free, want)
        else:
            for k in range(m):
                x, y, o = row(p, mem, A, t + i + k, width), row(p, mem, B, t + i + k, width), row(p, mem, OUT, t + i + k, width)
                c = (j + k + 1) * width
                hx, hy, hxx, hyy, hxy = at(sx, c), at(sy, c), at(xx, c), at(yy, c), at(xy, c)
                for s in range(width):
                    dx, dy = x[s] - sx[s], y[s] - sy[s]
                    px[s] += dx
                    py[s] += dy
                    pxx[s] += dx * dx
                    pyy[s] += dy * dy
                    pxy[s] += dx * dy
                for s in range(width):
                    o[s] = joined(hx[s] + px[s], hy[s] + py[s], hxx[s] + pxx[s], hyy[s] + pyy[s], hxy[s] + pxy[s], share, free, want)
        i += m
        j = 0 if j + m == w else j + m


@inline
def sum_up(p: Ints, mem: Floats, t: int, j: int, m: int, sx: Floats, step: int) -> None:
    """The sums of `m` bars of one symbol, in the place of the suffixes: each is used once."""
    x, y, end = row(p, mem, A, t, 1), row(p, mem, B, t, 1), p[WINDOW] + 1
    sy, xx, yy, xy = at(sx, step), at(sx, 2 * step), at(sx, 3 * step), at(sx, 4 * step)
    hx, hy, hxx, hyy, hxy = at(sx, j + 1), at(sy, j + 1), at(xx, j + 1), at(yy, j + 1), at(xy, j + 1)
    base, other = sx[0], sy[0]
    a, b, c, d, e = sx[end], sy[end], xx[end], yy[end], xy[end]
    for k in range(m):
        dx, dy = x[k] - base, y[k] - other
        a += dx
        b += dy
        c += dx * dx
        d += dy * dy
        e += dx * dy
        hx[k] += a
        hy[k] += b
        hxx[k] += c
        hyy[k] += d
        hxy[k] += e
    sx[end], sy[end], xx[end], yy[end], xy[end] = a, b, c, d, e


@inline
def turn(p: Ints, mem: Floats, t: int, width: int, sx: Floats, step: int) -> None:
    """Begin a block at bar t: anchors, empty prefixes, and the suffixes of the block that has ended."""
    w = p[WINDOW]
    x, y = row(p, mem, A, t, width), row(p, mem, B, t, width)
    for quantity in range(5):
        empty = at(sx, quantity * step + w * width)
        for s in range(2 * width):  # the prefix follows
            empty[s] = 0.0
    sy, xx, yy, xy = at(sx, step), at(sx, 2 * step), at(sx, 3 * step), at(sx, 4 * step)
    for s in range(width):
        sx[s], sy[s] = x[s], y[s]
    if width == 1:
        base, other = x[0], y[0]
        a, b, c, d, e = 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(w - 1, 0, -1):
            dx, dy = back(p, mem, A, t - w + k) - base, back(p, mem, B, t - w + k) - other
            a += dx
            b += dy
            c += dx * dx
            d += dy * dy
            e += dx * dy
            sx[k], sy[k], xx[k], yy[k], xy[k] = a, b, c, d, e
        return
    for k in range(w - 1, 0, -1):
        zx, zy = row(p, mem, A, t - w + k, width), row(p, mem, B, t - w + k, width)
        g = at(sx, k * width)
        gy, gxx, gyy, gxy = at(g, step), at(g, 2 * step), at(g, 3 * step), at(g, 4 * step)
        h, hy, hxx, hyy, hxy = at(g, width), at(gy, width), at(gxx, width), at(gyy, width), at(gxy, width)
        for s in range(width):
            dx, dy = zx[s] - x[s], zy[s] - y[s]
            g[s] = dx + h[s]
            gy[s] = dy + hy[s]
            gxx[s] = dx * dx + hxx[s]
            gyy[s] = dy * dy + hyy[s]
            gxy[s] = dx * dy + hxy[s]
