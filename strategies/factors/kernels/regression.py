"""Least squares of the last `w` values on the bars 0..w-1. Scheme, anchor and rows of state are those of windows.py."""

from strategies.factors.kernels.jit import NAN, OUT, PHASE, STATE, WINDOW, A, Floats, Ints, at, inline, kernel, row

SLOPE, INTERCEPT, RSQUARE, RESIDUAL = 0.0, 1.0, 2.0, 3.0


@kernel
def line(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Slope, intercept, R squared or newest residual, as f[0] says. On d = x - K: sums of d, of k d (k the place in its block), of d d."""
    want, w = f[0], p[WINDOW]
    step, end = (w + 2) * width, (w + 1) * width
    j = (t + p[PHASE]) % w
    anchor = at(mem, p[STATE])
    q, square = at(anchor, step), at(anchor, 2 * step)
    prefix, qprefix, sprefix = at(anchor, end), at(q, end), at(square, end)
    middle, share = 0.5 * (w - 1.0), 1.0 / w
    spread = w * (float(w) * w - 1.0) / 12.0  # sum of (k - middle)^2
    steep = 1.0 / spread
    # slope, level and x - K, each times a factor of its own, make all but R squared
    by_slope = 1.0 if want == SLOPE else -middle
    by_mean = 0.0 if want == SLOPE else (share if want == INTERCEPT else -share)
    by_last, by_anchor = 1.0 if want == RESIDUAL else 0.0, 1.0 if want == INTERCEPT else 0.0
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            begin(p, mem, t + i, width, anchor, want)
        h, hq, hs = at(anchor, (j + 1) * width), at(q, (j + 1) * width), at(square, (j + 1) * width)
        # a place k of this block is bar k + (w - 1 - j) of the window, one of the last block bar k - (j + 1)
        place, later, earlier = float(j), (w - 1.0 - j) - middle, (j + 1.0) + middle
        if want == RSQUARE:
            for s in range(width):
                d = x[s] - anchor[s]
                a, b, c = prefix[s] + d, qprefix[s] + d * place, sprefix[s] + d * d
                prefix[s], qprefix[s], sprefix[s] = a, b, c
                cross, total = (b + later * a) + (hq[s] - earlier * h[s]), h[s] + a
                v = (hs[s] + c) - total * total * share
                r = cross * cross / (spread * v)
                r = 1.0 if r > 1.0 else r
                o[s] = r if v > 0.0 else NAN
        else:
            for s in range(width):
                d = x[s] - anchor[s]
                a, b = prefix[s] + d, qprefix[s] + d * place
                prefix[s], qprefix[s] = a, b
                slope = ((b + later * a) + (hq[s] - earlier * h[s])) * steep
                o[s] = (d * by_last + (h[s] + a) * by_mean + slope * by_slope) + anchor[s] * by_anchor
        j = 0 if j == w - 1 else j + 1


@inline
def begin(p: Ints, mem: Floats, t: int, width: int, anchor: Floats, want: float) -> None:
    """Begin a block at bar t: the anchor, empty prefixes, and the suffixes of the block that has ended."""
    w = p[WINDOW]
    step = (w + 2) * width
    x = row(p, mem, A, t, width)
    for quantity in range(3):
        empty = at(anchor, quantity * step + w * width)
        for s in range(2 * width):  # the prefix follows
            empty[s] = 0.0
    for s in range(width):
        anchor[s] = x[s]
    for k in range(w - 1, 0, -1):
        z, g = row(p, mem, A, t - w + k, width), at(anchor, k * width)
        gq, gs, h = at(g, step), at(g, 2 * step), at(g, width)
        hq, hs, place = at(h, step), at(h, 2 * step), float(k)
        for s in range(width):
            d = z[s] - x[s]
            g[s] = d + h[s]
            gq[s] = d * place + hq[s]
        if want == RSQUARE:
            for s in range(width):
                d = z[s] - x[s]
                gs[s] = d * d + hs[s]
