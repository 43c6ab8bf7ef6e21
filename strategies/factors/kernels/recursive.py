"""Values that remember everything, ever more faintly. Over an unknown bar the memory stays as it is, and so does the value.

The first known value seeds the memory; nothing is given out before `w` values are known.
"""

from strategies.factors.kernels.jit import NAN, OUT, STATE, WINDOW, A, Floats, Ints, at, back, inline, kernel, row


@kernel
def ema(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """m = (1 - alpha) m + alpha x. f[0] is alpha; state: memory, count of known values."""
    w, alpha, keep = float(p[WINDOW]), f[0], 1.0 - f[0]
    memory = at(mem, p[STATE])
    known = at(memory, width)
    if width == 1:
        ema_alone(row(p, mem, A, t, 1), row(p, mem, OUT, t, 1), n, w, alpha, memory, known)
        return
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            m, u = memory[s], x[s]
            r = keep * m + alpha * u
            r = u if m != m else r
            r = r if u == u else m
            memory[s] = r
            c = known[s] if known[s] == known[s] else 0.0
            c = c + 1.0 if (u == u) & (c < w) else c
            known[s] = c
            o[s] = r if c >= w else NAN


@inline
def ema_alone(x: Floats, o: Floats, n: int, w: float, alpha: float, memory: Floats, known: Floats) -> None:
    """The same for one symbol: the memory stays in a register, and all that is rare is behind a branch."""
    keep, m = 1.0 - alpha, memory[0]
    c = known[0] if known[0] == known[0] else 0.0
    for i in range(n):
        u = x[i]
        r = keep * m + alpha * u
        if r != r:
            r = u if m != m else r
            r = r if u == u else m
        m = r
        if c < w:
            c = c + 1.0 if u == u else c
            r = r if c >= w else NAN
        o[i] = r
    memory[0], known[0] = m, c


@kernel
def rsi(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Wilder's relative strength: 100 G / (G + L), G and L the rises and falls averaged with alpha = 1 / w."""
    w, alpha, keep = float(p[WINDOW]), f[0], 1.0 - f[0]
    rise = at(mem, p[STATE])
    fall, known = at(rise, width), at(rise, 2 * width)
    if width == 1:
        rsi_alone(p, mem, t, n, w, alpha, rise, fall, known)
        return
    for i in range(n):
        x, z, o = row(p, mem, A, t + i, width), row(p, mem, A, t + i - 1, width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            d = x[s] - z[s]
            up, down = d if d > 0.0 else 0.0, -d if d < 0.0 else 0.0
            g, b = rise[s], fall[s]
            c = known[s] if known[s] == known[s] else 0.0
            g2 = up if c == 0.0 else keep * g + alpha * up
            b2 = down if c == 0.0 else keep * b + alpha * down
            g2, b2 = (g2, b2) if d == d else (g, b)
            c = c + 1.0 if (d == d) & (c < w) else c
            rise[s], fall[s], known[s] = g2, b2, c
            r = 100.0 * g2 / (g2 + b2)
            o[s] = r if (c >= w) & (g2 + b2 > 0.0) else NAN


@inline
def rsi_alone(p: Ints, mem: Floats, t: int, n: int, w: float, alpha: float, rise: Floats, fall: Floats, known: Floats) -> None:
    """The same for one symbol, in registers."""
    x, o = row(p, mem, A, t, 1), row(p, mem, OUT, t, 1)
    keep, z, g, b = 1.0 - alpha, back(p, mem, A, t - 1), rise[0], fall[0]
    c = known[0] if known[0] == known[0] else 0.0
    for i in range(n):
        u = x[i]
        d = u - z
        z = u
        up, down = d if d > 0.0 else 0.0, -d if d < 0.0 else 0.0
        if d != d:
            up, down = 0.0, 0.0
        elif c == 0.0:
            g, b, c = up, down, 1.0
        else:
            g, b = keep * g + alpha * up, keep * b + alpha * down
            c = c + 1.0 if c < w else c
        r = 100.0 * g / (g + b)
        o[i] = r if (c >= w) & (g + b > 0.0) else NAN
    rise[0], fall[0], known[0] = g, b, c
