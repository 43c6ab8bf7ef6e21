"""Least squares of the last `w` values on the bars 0..w-1. Scheme, anchor and rows of state are those of windows.py."""

from strategies.factors.kernels.jit import NAN, OUT, PHASE, STATE, WINDOW, A, Floats, Ints, at, kernel, row

SLOPE, INTERCEPT, RSQUARE, RESIDUAL = 0.0, 1.0, 2.0, 3.0


@kernel
def line(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Slope, intercept, R squared or newest residual, as f[0] says. On d = x - K: sums of d, of k d (k the place in its block), of d d."""
    want, w = f[0], p[WINDOW]
    step, end = (w + 2) * width, (w + 1) * width
    j = (t + p[PHASE]) % w
    anchor = at(mem, p[STATE])
    q, square = at(anchor, step), at(anchor, 2 * step)
    empty, prefix, qprefix, sprefix = at(anchor, w * width), at(anchor, end), at(q, end), at(square, end)
    middle, share = 0.5 * (w - 1.0), 1.0 / w
    spread = w * (float(w) * w - 1.0) / 12.0  # sum of (k - middle)^2
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            for s in range(width):
                anchor[s] = x[s]
            for quantity in range(3):
                for s in range(2 * width):  # the empty suffix and the prefix
                    empty[quantity * step + s] = 0.0
            for k in range(w - 1, 0, -1):
                z, g = row(p, mem, A, t + i - w + k, width), at(anchor, k * width)
                gq, gs, h = at(g, step), at(g, 2 * step), at(g, width)
                hq, hs = at(h, step), at(h, 2 * step)
                for s in range(width):
                    d = z[s] - x[s]
                    g[s] = d + h[s]
                    gq[s] = d * float(k) + hq[s]
                    gs[s] = d * d + hs[s]
        h, hq, hs = at(anchor, (j + 1) * width), at(q, (j + 1) * width), at(square, (j + 1) * width)
        place = float(j)
        for s in range(width):
            d = x[s] - anchor[s]
            prefix[s] += d
            qprefix[s] += d * place
            sprefix[s] += d * d
            # a place k of this block is bar k + (w - 1 - j) of the window, one of the last block bar k - (j + 1)
            total = h[s] + prefix[s]
            weighted = (qprefix[s] + (w - 1.0 - place) * prefix[s]) + (hq[s] - (place + 1.0) * h[s])
            cross = weighted - middle * total
            slope = cross / spread
            v = (hs[s] + sprefix[s]) - total * total * share
            fit = cross * cross / (spread * v)
            fit = 1.0 if fit > 1.0 else fit
            fit = fit if v > 0.0 else NAN
            r = slope if want == SLOPE else (total * share - slope * middle) + anchor[s]
            r = fit if want == RSQUARE else r
            o[s] = (d - total * share) - slope * middle if want == RESIDUAL else r
        j = 0 if j == w - 1 else j + 1
