"""Windows that only merge: sums, extremes and weighted means of the last `w` bars.

Time is cut into blocks of `w` bars at absolute bar indices (shifted by the node's phase, so that equal windows do not turn on the same
bar). A window is the suffix of the last block joined with the prefix of the current one (van Herk; two stacks): nothing is ever
subtracted, so there is no drift, a NaN is gone when it leaves, and a value depends on its bars and the bar index alone.

State in rows: 1..w-1 the suffixes (row k: bars k..w-1 of the last block), 0 the anchor where there is one, w the prefix; further
quantities follow with the same shape. Sums that can cancel are taken on x - K, K the first value of the current block: it lies in
every window that uses it.
"""

from strategies.factors.kernels.jit import NAN, OUT, PHASE, STATE, WINDOW, A, Floats, Ints, at, inline, kernel, row


@kernel
def delay(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    for i in range(n):
        x, o = row(p, mem, A, t + i - p[WINDOW], width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            o[s] = x[s]


@kernel
def total(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    w = p[WINDOW]
    j = (t + p[PHASE]) % w
    state = at(mem, p[STATE])
    prefix = at(state, w * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            for k in range(w - 1, 0, -1):
                z, g, h = row(p, mem, A, t + i - w + k, width), at(state, k * width), at(state, (k + 1) * width)
                for s in range(width):
                    g[s] = z[s] if k == w - 1 else z[s] + h[s]
            for s in range(width):
                prefix[s] = x[s]
        else:
            for s in range(width):
                prefix[s] += x[s]
        if j == w - 1:
            for s in range(width):
                o[s] = prefix[s]
        else:
            h = at(state, (j + 1) * width)
            for s in range(width):
                o[s] = h[s] + prefix[s]
        j = 0 if j == w - 1 else j + 1


@kernel
def mean(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    w = p[WINDOW]
    j = (t + p[PHASE]) % w
    anchor = at(mem, p[STATE])
    prefix = at(anchor, w * width)
    share = 1.0 / w
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            for k in range(w - 1, 0, -1):
                z, g, h = row(p, mem, A, t + i - w + k, width), at(anchor, k * width), at(anchor, (k + 1) * width)
                for s in range(width):
                    d = z[s] - x[s]
                    g[s] = d if k == w - 1 else d + h[s]
            for s in range(width):
                anchor[s] = x[s]
                prefix[s] = x[s] - x[s]
        else:
            for s in range(width):
                prefix[s] += x[s] - anchor[s]
        if j == w - 1:
            for s in range(width):
                o[s] = anchor[s] + prefix[s] * share
        else:
            h = at(anchor, (j + 1) * width)
            for s in range(width):
                o[s] = anchor[s] + (h[s] + prefix[s]) * share
        j = 0 if j == w - 1 else j + 1


@kernel
def decay_linear(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Weights 1..w, newest heaviest. Beside the sum stands q = sum of k (x_k - K), k the place in its block."""
    w = p[WINDOW]
    j = (t + p[PHASE]) % w
    anchor = at(mem, p[STATE])
    prefix, q = at(anchor, w * width), at(anchor, (w + 1) * width)
    qprefix = at(q, w * width)
    share = 1.0 / (0.5 * w * (w + 1.0))
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            for k in range(w - 1, 0, -1):
                z, g, h = row(p, mem, A, t + i - w + k, width), at(anchor, k * width), at(anchor, (k + 1) * width)
                gq, hq = at(q, k * width), at(q, (k + 1) * width)
                place = float(k)
                for s in range(width):
                    d = z[s] - x[s]
                    g[s] = d if k == w - 1 else d + h[s]
                    gq[s] = d * place if k == w - 1 else d * place + hq[s]
            for s in range(width):
                anchor[s] = x[s]
                prefix[s] = x[s] - x[s]
                qprefix[s] = x[s] - x[s]
        else:
            place = float(j)
            for s in range(width):
                d = x[s] - anchor[s]
                prefix[s] += d
                qprefix[s] += d * place
        new, old = float(w - j), float(j)
        if j == w - 1:
            for s in range(width):
                o[s] = anchor[s] + (new * prefix[s] + qprefix[s]) * share
        else:
            h, hq = at(anchor, (j + 1) * width), at(q, (j + 1) * width)
            for s in range(width):
                o[s] = anchor[s] + ((new * prefix[s] + qprefix[s]) + (hq[s] - old * h[s])) * share
        j = 0 if j == w - 1 else j + 1


@inline
def larger(u: float, v: float) -> float:
    """The larger; NaN if either is."""
    return u if (u > v) | (u != u) else v


@inline
def extreme(p: Ints, mem: Floats, t: int, n: int, width: int, side: float) -> None:
    """The largest (side 1) or, mirrored, the smallest (side -1)."""
    w = p[WINDOW]
    j = (t + p[PHASE]) % w
    state = at(mem, p[STATE])
    prefix = at(state, w * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            for k in range(w - 1, 0, -1):
                z, g, h = row(p, mem, A, t + i - w + k, width), at(state, k * width), at(state, (k + 1) * width)
                for s in range(width):
                    g[s] = z[s] * side if k == w - 1 else larger(z[s] * side, h[s])
            for s in range(width):
                prefix[s] = x[s] * side
        else:
            for s in range(width):
                prefix[s] = larger(x[s] * side, prefix[s])
        if j == w - 1:
            for s in range(width):
                o[s] = prefix[s] * side
        else:
            h = at(state, (j + 1) * width)
            for s in range(width):
                o[s] = larger(h[s], prefix[s]) * side
        j = 0 if j == w - 1 else j + 1


@kernel
def largest(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    extreme(p, mem, t, n, width, 1.0)


@kernel
def smallest(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    extreme(p, mem, t, n, width, -1.0)


@inline
def place_of_extreme(p: Ints, mem: Floats, t: int, n: int, width: int, side: float) -> None:
    """1-based place (1 = oldest) of the first extreme. Beside each value stands the bar index that it came from."""
    w = p[WINDOW]
    j = (t + p[PHASE]) % w
    state = at(mem, p[STATE])
    prefix, bar = at(state, w * width), at(state, (w + 1) * width)
    bar_prefix = at(bar, w * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        now = float(t + i)
        if j == 0:
            for k in range(w - 1, 0, -1):
                z, g, h = row(p, mem, A, t + i - w + k, width), at(state, k * width), at(state, (k + 1) * width)
                gb, hb = at(bar, k * width), at(bar, (k + 1) * width)
                then = float(t + i - w + k)
                for s in range(width):  # z is the older: it wins a tie
                    u = z[s] * side
                    takes = (u >= h[s]) | (u != u) | (k == w - 1)
                    g[s] = u if takes else h[s]
                    gb[s] = then if takes else hb[s]
            for s in range(width):
                prefix[s] = x[s] * side
                bar_prefix[s] = now
        else:
            for s in range(width):  # x is the newer: it must be larger
                u = x[s] * side
                takes = (u > prefix[s]) | (u != u)
                prefix[s] = u if takes else prefix[s]
                bar_prefix[s] = now if takes else bar_prefix[s]
        first = float(t + i - w)
        if j == w - 1:
            for s in range(width):
                o[s] = bar_prefix[s] - first if prefix[s] == prefix[s] else NAN
        else:
            h, hb = at(state, (j + 1) * width), at(bar, (j + 1) * width)
            for s in range(width):
                r = hb[s] if h[s] >= prefix[s] else bar_prefix[s]
                o[s] = r - first if (h[s] == h[s]) & (prefix[s] == prefix[s]) else NAN
        j = 0 if j == w - 1 else j + 1


@kernel
def place_of_largest(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    place_of_extreme(p, mem, t, n, width, 1.0)


@kernel
def place_of_smallest(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    place_of_extreme(p, mem, t, n, width, -1.0)
