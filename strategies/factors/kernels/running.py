"""Over all bars since the beginning, or since the session's: sums, moments, extremes, products, the last known value.

Sums are compensated (Neumaier 1974), both words in the state: no drift in 10^8 bars. An unknown value is passed over.
"""

import math

from strategies.factors.kernels.jit import N1, N2, NAN, OUT, STATE, WINDOW, A, B, C, Floats, Ints, at, kernel, row

SUM, MEAN, VARIANCE, DEVIATION, COUNT = 0.0, 1.0, 2.0, 3.0, 4.0
LAST, LARGEST, SMALLEST, PRODUCT = 0.0, 1.0, 2.0, 3.0


@kernel
def sums(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Sum, mean, variance, deviation or count, as f[0] says.

    f[1]: expanding, so unknown bars get the value so far and w is how many must be known; else they get NaN
    f[2]: begin anew at bar indices that w divides
    State: count, sum and its second word; for moments count, mean, squares about it and their second word.
    """
    want, expanding, session, w = f[0], f[1] != 0.0, f[2] != 0.0, p[WINDOW]
    enough = float(w) if expanding else 1.0
    moments = (want == VARIANCE) | (want == DEVIATION)
    bound = math.inf if expanding else NAN  # pandas: infinite values are unknown to expanding, not to cumsum
    count = at(mem, p[STATE])
    first, second, third = at(count, width), at(count, 2 * width), at(count, 3 * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        anew = session and (t + i) % w == 0
        for s in range(width):
            u = x[s]
            known = (u == u) & (not (abs(u) >= bound))
            c = 0.0 if anew | (count[s] != count[s]) else count[s]
            begun = c > 0.0
            c = c + 1.0 if known else c
            count[s] = c
            if moments:
                m = first[s] if begun else 0.0
                nm = m + (u - m) / c
                nm = u if c == 1.0 else nm
                add, total, low = (u - m) * (u - nm), second[s] if begun else 0.0, third[s] if begun else 0.0
                add = add if c > 1.0 else 0.0
                first[s] = nm if known else m
            else:
                add, total, low = u, first[s] if begun else 0.0, second[s] if begun else 0.0
            after = total + add
            lost = (total - after) + add if abs(total) >= abs(add) else (add - after) + total
            lost = lost if abs(after) < math.inf else 0.0
            total, low = (after, low + lost) if known else (total, low)
            if moments:
                second[s], third[s] = total, low
                r = (total + low) / (c - 1.0)
                r = r if c > 1.0 else NAN
                r = math.sqrt(r) if want == DEVIATION else r
            else:
                first[s], second[s] = total, low
                r = total + low
                r = r / c if want == MEAN else r
                r = c if want == COUNT else r
            given = (c >= enough) & (expanding | known)
            o[s] = r if given else NAN


@kernel
def steps(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Last known value, largest, smallest or product, as f[0] says; f[1]: unknown bars get the value so far, w must be known.

    f[2]: infinite values are unknown. State: value, count.
    """
    want, carry, enough = f[0], f[1] != 0.0, float(p[WINDOW])
    bound = math.inf if f[2] != 0.0 else NAN
    memory = at(mem, p[STATE])
    count = at(memory, width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            u, m = x[s], memory[s]
            known = (u == u) & (not (abs(u) >= bound))
            c = count[s] if count[s] == count[s] else 0.0
            r = u
            r = (u if u > m else m) if want == LARGEST else r
            r = (u if u < m else m) if want == SMALLEST else r
            r = m * u if want == PRODUCT else r
            r = r if c > 0.0 else u
            m = r if known else m
            memory[s] = m
            c = c + 1.0 if known & ((c < enough) | (c < 1.0)) else c
            count[s] = c
            given = (c >= enough) & (c > 0.0) & (carry | known)
            o[s] = m if given else NAN


@kernel
def clock(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """The absolute bar index plus p[N2], in steps of p[WINDOW], modulo p[N1]; whatever the series is."""
    every, cycle, later = p[WINDOW], p[N1], p[N2]
    for i in range(n):
        o = row(p, mem, OUT, t + i, width)
        now = float((t + i + later) // every % cycle)
        for s in range(width):
            o[s] = now


@kernel
def recurred(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """y = a y + b, and where a is unknown b itself; no less than c where f[0] is above 0, no more where it is below.

    f[1]: an unknown y becomes the bound. State: y.
    """
    below, lost = f[0] < 0.0, f[1] != 0.0
    memory = at(mem, p[STATE])
    for i in range(n):
        a, b, c = row(p, mem, A, t + i, width), row(p, mem, B, t + i, width), row(p, mem, C, t + i, width)
        o = row(p, mem, OUT, t + i, width)
        for s in range(width):
            x, bound = a[s], c[s]
            y = x * memory[s] + b[s] if x == x else b[s]
            beyond = (y > bound) if below else (y < bound)
            y = bound if beyond | (lost & (y != y) & (bound == bound)) else y
            memory[s] = y
            o[s] = y
