"""Mean deviation, exponential weights over a window, and the two operators that hold on to what was last."""

from strategies.factors.kernels.jit import OUT, PHASE, STATE, WINDOW, A, Floats, Ints, at, inline, kernel, row

SINCE, HUMP = 0.0, 1.0


@kernel
def deviation(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Mean absolute deviation about the mean of the window: two passes over it, two bars at a time. State: the mean."""
    w = p[WINDOW]
    mean = at(mem, p[STATE])
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            mean[s] = 0.0
        for turn in range(2):
            for s in range(width):
                o[s] = x[s] - x[s]  # 0, or not known
            for k in range(w & 1, w, 2):  # of an odd window the newest is left out: it is no distance from itself
                a, b = row(p, mem, A, t + i - k, width), row(p, mem, A, t + i - k - 1, width)
                for s in range(width):
                    u, v, m = a[s] - x[s], b[s] - x[s], mean[s]
                    o[s] += abs(u - m) + abs(v - m) if turn == 1 else u + v
            for s in range(width):
                mean[s], o[s] = o[s] / w, (o[s] + (abs(mean[s]) if w & 1 else 0.0)) / w


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
