"""Mean deviation, exponential weights over a window, and the two operators that hold on to what was last."""

from strategies.factors.kernels.jit import OUT, PHASE, STATE, WINDOW, A, Floats, Ints, at, inline, kernel, row

SINCE, HUMP = 0.0, 1.0


@kernel
def deviation(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Mean absolute deviation about the mean of the window: two passes over it, four bars at a time. State: the mean."""
    w = p[WINDOW]
    mean = at(mem, p[STATE])
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            mean[s], o[s] = 0.0, 0.0
        k = 0
        while k < w:
            a, b, c, d = window_rows(p, mem, t + i, k, width)
            for s in range(width):
                mean[s] += ((a[s] - x[s]) + (b[s] - x[s])) + ((c[s] - x[s]) + (d[s] - x[s]))
            k += 4
        for s in range(width):
            mean[s] /= w
        k = 0
        while k < w:
            a, b, c, d = window_rows(p, mem, t + i, k, width)
            left = w - k
            for s in range(width):
                y, m = x[s], mean[s]
                near = abs((a[s] - y) - m) + (abs((b[s] - y) - m) if left > 1 else 0.0)
                o[s] += near + ((abs((c[s] - y) - m) if left > 2 else 0.0) + (abs((d[s] - y) - m) if left > 3 else 0.0))
            k += 4
        for s in range(width):
            o[s] /= w


@inline
def window_rows(p: Ints, mem: Floats, t: int, k: int, width: int) -> tuple[Floats, Floats, Floats, Floats]:
    """The bars of ages k to k + 3; past the end of the window the newest, which is no distance from itself."""
    w = p[WINDOW]
    a, b = row(p, mem, A, t - k, width), row(p, mem, A, t - (k + 1 if k + 1 < w else 0), width)
    return a, b, row(p, mem, A, t - (k + 2 if k + 2 < w else 0), width), row(p, mem, A, t - (k + 3 if k + 3 < w else 0), width)


@inline
def power_of(x: float, n: int) -> float:
    """x to the n, by squaring."""
    r = 1.0
    while n > 0:
        if n & 1:
            r *= x
        x *= x
        n >>= 1
    return r


@kernel
def decay_exp(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Mean with weights f[0] ** age; f[1] is one over their sum. Scheme, anchor and rows of state are those of windows.py."""
    w, keep, share = p[WINDOW], f[0], f[1]
    j = (t + p[PHASE]) % w
    anchor = at(mem, p[STATE])
    empty, prefix = at(anchor, w * width), at(anchor, (w + 1) * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        if j == 0:
            for s in range(width):
                anchor[s], empty[s], prefix[s] = x[s], 0.0, 0.0
            weight = 1.0
            for k in range(w - 1, 0, -1):
                z, g, h = row(p, mem, A, t + i - w + k, width), at(anchor, k * width), at(anchor, (k + 1) * width)
                for s in range(width):
                    g[s] = (z[s] - x[s]) * weight + h[s]
                weight *= keep
        h, age = at(anchor, (j + 1) * width), power_of(keep, j + 1)
        for s in range(width):
            prefix[s] = prefix[s] * keep + (x[s] - anchor[s])
            o[s] = anchor[s] + (prefix[s] + h[s] * age) * share
        j = 0 if j == w - 1 else j + 1


@kernel
def held(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """f[0] = 0: bars since x was last non-zero. 1: the last value given out, until x is further than f[1] from it. State: bar, or value."""
    want, limit = f[0], f[1]
    last = at(mem, p[STATE])
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        now = float(t + i)
        for s in range(width):
            u, m = x[s], last[s]
            bar = now if (u == u) & (u != 0.0) else m
            far = (abs(u - m) > limit) | ((m != m) & (u == u))
            value = u if far else m
            last[s] = bar if want == SINCE else value
            o[s] = now - bar if want == SINCE else value
