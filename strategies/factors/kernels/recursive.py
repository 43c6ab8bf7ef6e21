"""Values that remember everything, ever more faintly. Over an unknown bar the memory stays as it is, and so does the value.

The first known value seeds the memory; nothing is given out before `w` values are known.
"""

from strategies.factors.kernels.jit import NAN, OUT, STATE, WINDOW, A, Floats, Ints, at, kernel, row


@kernel
def ema(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """m = (1 - alpha) m + alpha x. f[0] is alpha; state: memory, count of known values."""
    w, alpha, keep = float(p[WINDOW]), f[0], 1.0 - f[0]
    memory = at(mem, p[STATE])
    known = at(memory, width)
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


@kernel
def rsi(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Wilder's relative strength: 100 G / (G + L), G and L the rises and falls averaged with alpha = 1 / w."""
    w, alpha, keep = float(p[WINDOW]), f[0], 1.0 - f[0]
    rise = at(mem, p[STATE])
    fall, known = at(rise, width), at(rise, 2 * width)
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
