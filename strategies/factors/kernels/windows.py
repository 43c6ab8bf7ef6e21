"""Windows that only merge: sums, extremes and weighted means of the last `w` bars.

Time is cut into blocks of `w` bars at absolute bar indices (shifted by the node's phase, so that equal windows do not turn on the same
bar). A window is the suffix of the last block joined with the prefix of the current one (van Herk; two stacks): nothing is ever
subtracted, so there is no drift, a NaN is gone when it leaves, and a value depends on its bars and the bar index alone.

State of one quantity, w + 2 rows: 0 the anchor where there is one; 1..w-1 the suffixes (row k: bars k..w-1 of the last block); w the
empty suffix, which changes nothing; w + 1 the prefix. Sums that can cancel are taken on x - K, K the first value of the current
block: it lies in every window that uses it.

A call goes from turn to turn. Where there is one symbol, the bars of that stretch are a vector instead: chains of sums run in registers,
over the same values in the same order, and what is made of them is computed for all its bars at once.
"""

import math

from strategies.factors.kernels.jit import NAN, OUT, PHASE, STATE, WINDOW, A, Floats, Ints, at, back, inline, kernel, row


@kernel
def delay(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    i, mask = 0, p[A + 1]
    while i < n:
        past = t + i - p[WINDOW]
        run = min(n - i, mask + 1 - (past & mask))  # up to the end of the ring
        x, o = row(p, mem, A, past, width), row(p, mem, OUT, t + i, width)
        for s in range(run * width):
            o[s] = x[s]
        i += run


@kernel
def total(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    w = p[WINDOW]
    i, j = 0, (t + p[PHASE]) % w
    state = at(mem, p[STATE])
    empty, prefix = at(state, w * width), at(state, (w + 1) * width)
    while i < n:
        m = min(n - i, w - j)
        if j == 0:
            for s in range(width):
                empty[s], prefix[s] = 0.0, 0.0
            if width == 1:
                x, o, v, u = row(p, mem, A, t + i, 1), row(p, mem, OUT, t + i, 1), 0.0, 0.0
                for k in range(max(m, w - 1)):
                    if k < w - 1:
                        v += back(p, mem, A, t + i - 1 - k)
                        state[w - 1 - k] = v
                    if k < m:
                        u += x[k]
                        o[k] = u
                prefix[0] = u
                for k in range(m):
                    o[k] = state[k + 1] + o[k]
            else:
                for k in range(w - 1, 0, -1):
                    z, g, h = row(p, mem, A, t + i - w + k, width), at(state, k * width), at(state, (k + 1) * width)
                    for s in range(width):
                        g[s] = z[s] + h[s]
        if width == 1 and j > 0:
            x, o, h = row(p, mem, A, t + i, 1), row(p, mem, OUT, t + i, 1), at(state, j + 1)
            v = prefix[0]
            for k in range(m):
                v += x[k]
                o[k] = h[k] + v
            prefix[0] = v
        elif width > 1:
            for k in range(m):
                x, o, h = row(p, mem, A, t + i + k, width), row(p, mem, OUT, t + i + k, width), at(state, (j + k + 1) * width)
                for s in range(width):
                    prefix[s] += x[s]
                    o[s] = h[s] + prefix[s]
        i += m
        j = 0 if j + m == w else j + m


@kernel
def mean(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    w = p[WINDOW]
    i, j = 0, (t + p[PHASE]) % w
    anchor = at(mem, p[STATE])
    empty, prefix = at(anchor, w * width), at(anchor, (w + 1) * width)
    share = 1.0 / w
    while i < n:
        m = min(n - i, w - j)
        if j == 0:
            x = row(p, mem, A, t + i, width)
            for s in range(width):
                anchor[s], empty[s], prefix[s] = x[s], 0.0, 0.0
            if width == 1:
                o, base, v, u = row(p, mem, OUT, t + i, 1), x[0], 0.0, 0.0
                for k in range(max(m, w - 1)):
                    if k < w - 1:
                        v += back(p, mem, A, t + i - 1 - k) - base
                        anchor[w - 1 - k] = v
                    if k < m:
                        u += x[k] - base
                        o[k] = u
                prefix[0] = u
                for k in range(m):
                    o[k] = base + (anchor[k + 1] + o[k]) * share
            else:
                for k in range(w - 1, 0, -1):
                    z, g, h = row(p, mem, A, t + i - w + k, width), at(anchor, k * width), at(anchor, (k + 1) * width)
                    for s in range(width):
                        g[s] = (z[s] - x[s]) + h[s]
        if width == 1 and j > 0:
            x, o, h = row(p, mem, A, t + i, 1), row(p, mem, OUT, t + i, 1), at(anchor, j + 1)
            base, v = anchor[0], prefix[0]
            for k in range(m):
                v += x[k] - base
                o[k] = base + (h[k] + v) * share
            prefix[0] = v
        elif width > 1:
            for k in range(m):
                x, o, h = row(p, mem, A, t + i + k, width), row(p, mem, OUT, t + i + k, width), at(anchor, (j + k + 1) * width)
                for s in range(width):
                    prefix[s] += x[s] - anchor[s]
                    o[s] = anchor[s] + (h[s] + prefix[s]) * share
        i += m
        j = 0 if j + m == w else j + m


@kernel
def decay_linear(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Weights 1..w, newest heaviest. Beside the sum stands q = sum of k (x_k - K), k the place in its block."""
    w = p[WINDOW]
    i, j = 0, (t + p[PHASE]) % w
    anchor = at(mem, p[STATE])
    empty, prefix, q = at(anchor, w * width), at(anchor, (w + 1) * width), at(anchor, (w + 2) * width)
    qempty, qprefix = at(q, w * width), at(q, (w + 1) * width)
    share = 1.0 / (0.5 * w * (w + 1.0))
    while i < n:
        m = min(n - i, w - j)
        if j == 0:
            x = row(p, mem, A, t + i, width)
            for s in range(width):
                anchor[s], empty[s], prefix[s], qempty[s], qprefix[s] = x[s], 0.0, 0.0, 0.0, 0.0
            if width == 1:
                base, v, u = x[0], 0.0, 0.0
                for k in range(w - 1, 0, -1):
                    d = back(p, mem, A, t + i - w + k) - base
                    v += d
                    u += d * float(k)
                    anchor[k], q[k] = v, u
            else:
                for k in range(w - 1, 0, -1):
                    z, g, gq = row(p, mem, A, t + i - w + k, width), at(anchor, k * width), at(q, k * width)
                    h, hq = at(g, width), at(gq, width)
                    for s in range(width):
                        d = z[s] - x[s]
                        g[s] = d + h[s]
                        gq[s] = d * float(k) + hq[s]
        if width == 1:
            x, o, h, hq = row(p, mem, A, t + i, 1), row(p, mem, OUT, t + i, 1), at(anchor, j + 1), at(q, j + 1)
            base, v, u = anchor[0], prefix[0], qprefix[0]
            for k in range(m):
                place, left = float(j + k), float(w - j - k)
                d = x[k] - base
                v += d
                u += d * place
                o[k] = base + ((left * v + u) + (hq[k] - place * h[k])) * share
            prefix[0], qprefix[0] = v, u
        else:
            for k in range(m):
                x, o = row(p, mem, A, t + i + k, width), row(p, mem, OUT, t + i + k, width)
                h, hq = at(anchor, (j + k + 1) * width), at(q, (j + k + 1) * width)
                place, left = float(j + k), float(w - j - k)
                for s in range(width):
                    d = x[s] - anchor[s]
                    prefix[s] += d
                    qprefix[s] += d * place
                    o[s] = anchor[s] + ((left * prefix[s] + qprefix[s]) + (hq[s] - place * h[s])) * share
        i += m
        j = 0 if j + m == w else j + m


@inline
def larger(u: float, v: float) -> float:
    """The larger, v where they are equal; NaN if either is."""
    r = u if u > v else v
    return u if u != u else r


@kernel
def extreme(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """The largest (f[0] = 1) or, mirrored, the smallest (f[0] = -1)."""
    side, w = f[0], p[WINDOW]
    i, j = 0, (t + p[PHASE]) % w
    state = at(mem, p[STATE])
    empty, prefix = at(state, w * width), at(state, (w + 1) * width)
    while i < n:
        m = min(n - i, w - j)
        if j == 0:
            for s in range(width):
                empty[s], prefix[s] = -math.inf, -math.inf
            if width == 1:
                x, o, v, u = row(p, mem, A, t + i, 1), row(p, mem, OUT, t + i, 1), -math.inf, -math.inf
                for k in range(max(m, w - 1)):
                    if k < w - 1:
                        v = larger(back(p, mem, A, t + i - 1 - k) * side, v)
                        state[w - 1 - k] = v
                    if k < m:
                        u = larger(x[k] * side, u)
                        o[k] = u
                prefix[0] = u
                for k in range(m):
                    o[k] = larger(state[k + 1], o[k]) * side
            else:
                for k in range(w - 1, 0, -1):
                    z, g, h = row(p, mem, A, t + i - w + k, width), at(state, k * width), at(state, (k + 1) * width)
                    for s in range(width):
                        g[s] = larger(z[s] * side, h[s])
        if width == 1 and j > 0:
            x, o, h = row(p, mem, A, t + i, 1), row(p, mem, OUT, t + i, 1), at(state, j + 1)
            v = prefix[0]
            for k in range(m):
                v = larger(x[k] * side, v)
                o[k] = larger(h[k], v) * side
            prefix[0] = v
        elif width > 1:
            for k in range(m):
                x, o, h = row(p, mem, A, t + i + k, width), row(p, mem, OUT, t + i + k, width), at(state, (j + k + 1) * width)
                for s in range(width):
                    prefix[s] = larger(x[s] * side, prefix[s])
                    o[s] = larger(h[s], prefix[s]) * side
        i += m
        j = 0 if j + m == w else j + m


@kernel
def place_of_extreme(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """1-based place (1 = oldest) of the first extreme; f[0] as above. Beside each value stands the bar index that it came from."""
    side, w = f[0], p[WINDOW]
    j = (t + p[PHASE]) % w
    state = at(mem, p[STATE])
    empty, prefix, bar = at(state, w * width), at(state, (w + 1) * width), at(state, (w + 2) * width)
    bar_empty, bar_prefix = at(bar, w * width), at(bar, (w + 1) * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        now, first = float(t + i), float(t + i - w)
        if j == 0:
            for s in range(width):
                empty[s], prefix[s], bar_empty[s], bar_prefix[s] = -math.inf, -math.inf, now, now
            if width == 1:
                v, c = -math.inf, now
                for k in range(w - 1, 0, -1):  # the older wins a tie
                    u = back(p, mem, A, t + i - w + k) * side
                    c = float(t + i - w + k) if (u >= v) | (u != u) else c
                    v = larger(u, v)
                    state[k], bar[k] = v, c
            else:
                suffixes_of_places(p, mem, t + i, side, width, state, bar)
        h, hb = at(state, (j + 1) * width), at(bar, (j + 1) * width)
        for s in range(width):  # x is the newer: it must be larger
            u, v = x[s] * side, prefix[s]
            takes, earlier = (u > v) | (u != u), bar_prefix[s]
            v = u if takes else v
            prefix[s] = v
            b = now if takes else earlier
            bar_prefix[s] = b
            old, a = h[s], hb[s]
            r = (a if old >= v else b) - first
            o[s] = r if (old == old) & (v == v) else NAN
        j = 0 if j == w - 1 else j + 1


@inline
def suffixes_of_places(p: Ints, mem: Floats, t: int, side: float, width: int, state: Floats, bar: Floats) -> None:
    w = p[WINDOW]
    for k in range(w - 1, 0, -1):
        z, g, gb = row(p, mem, A, t - w + k, width), at(state, k * width), at(bar, k * width)
        h, hb = at(g, width), at(gb, width)
        then = float(t - w + k)
        for s in range(width):  # z is the older: it wins a tie
            u, v = z[s] * side, h[s]
            takes, later = (u >= v) | (u != u), hb[s]
            g[s] = u if takes else v
            gb[s] = then if takes else later
