"""Element-wise arithmetic. NaN in, NaN out; x / 0 is NaN; a comparison is 1.0, 0.0 or NaN. Rows are contiguous: one flat loop."""

import math

from strategies.factors.kernels.jit import NAN, OUT, A, B, C, Floats, Ints, inline, kernel, row

NAN_TO, KEEP, FMAX, FMIN = 0.0, 1.0, 2.0, 3.0
FLOOR, CEIL = 0.0, 1.0
HALVES = 4503599627370496.0  # 2^52: at and beyond it every number is whole, and adding it rounds to the nearest


@kernel
def add(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = a[i] + b[i]


@kernel
def sub(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = a[i] - b[i]


@kernel
def mul(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = a[i] * b[i]


@kernel
def div(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """f[0] = 1: IEEE 754 as it stands, infinite where b is 0."""
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    strict = f[0] == 0.0
    for i in range(n * width):
        o[i] = NAN if strict & (b[i] == 0.0) else a[i] / b[i]


@kernel
def neg(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = -a[i]


@kernel
def absolute(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = abs(a[i])


@kernel
def sign(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        x = a[i]
        r = 1.0 if x > 0.0 else (-1.0 if x < 0.0 else 0.0)
        o[i] = r if x == x else NAN


@kernel
def square_root(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = math.sqrt(a[i])


@kernel
def is_nan(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = 0.0 if a[i] == a[i] else 1.0


@kernel
def gt(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        r = 1.0 if a[i] > b[i] else 0.0
        o[i] = r if (a[i] == a[i]) & (b[i] == b[i]) else NAN


@kernel
def ge(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        r = 1.0 if a[i] >= b[i] else 0.0
        o[i] = r if (a[i] == a[i]) & (b[i] == b[i]) else NAN


@kernel
def eq(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        r = 1.0 if a[i] == b[i] else 0.0
        o[i] = r if (a[i] == a[i]) & (b[i] == b[i]) else NAN


@kernel
def ne(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        r = 1.0 if a[i] != b[i] else 0.0
        o[i] = r if (a[i] == a[i]) & (b[i] == b[i]) else NAN


@kernel
def both(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        r = 1.0 if (a[i] != 0.0) & (b[i] != 0.0) else 0.0
        o[i] = r if (a[i] == a[i]) & (b[i] == b[i]) else NAN


@kernel
def either(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        r = 1.0 if (a[i] != 0.0) | (b[i] != 0.0) else 0.0
        o[i] = r if (a[i] == a[i]) & (b[i] == b[i]) else NAN


@kernel
def negation(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        r = 1.0 if a[i] == 0.0 else 0.0
        o[i] = r if a[i] == a[i] else NAN


@kernel
def minimum(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        x, y = a[i], b[i]
        o[i] = x if (x < y) | (x != x) else y


@kernel
def maximum(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        x, y = a[i], b[i]
        o[i] = x if (x > y) | (x != x) else y


@kernel
def clip(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    low, high = f[0], f[1]
    for i in range(n * width):
        x = a[i]
        x = low if x < low else x
        o[i] = high if x > high else x


@kernel
def where(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, b, c = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, C, t, width)
    o = row(p, mem, OUT, t, width)
    for i in range(n * width):
        r = b[i] if a[i] != 0.0 else c[i]
        o[i] = r if a[i] == a[i] else NAN


@kernel
def choose(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """nan_to, keep, fmax, fmin or finite, as f[0] says."""
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    want = f[0]
    if want == NAN_TO:
        for i in range(n * width):
            o[i] = a[i] if a[i] == a[i] else b[i]
    elif want == KEEP:
        for i in range(n * width):
            o[i] = a[i] if (b[i] == b[i]) & (b[i] != 0.0) else NAN
    elif want == FMAX:
        for i in range(n * width):
            o[i] = a[i] if (a[i] >= b[i]) | (b[i] != b[i]) else b[i]
    elif want == FMIN:
        for i in range(n * width):
            o[i] = a[i] if (a[i] <= b[i]) | (b[i] != b[i]) else b[i]
    else:
        for i in range(n * width):
            o[i] = a[i] if a[i] - a[i] == 0.0 else NAN


@inline
def nearest(x: float) -> float:
    """The nearest whole number, half to even."""
    size = abs(x)
    r = (size + HALVES) - HALVES
    r = r if size < HALVES else size
    return r if x >= 0.0 else (-r if x == x else x)


@kernel
def rounded(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Down, up or to the nearest, as f[0] says; of the value times f[1] over f[2], which is taken back after."""
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    want, up, down = f[0], f[1], f[2]
    for i in range(n * width):
        x = a[i] * up / down
        r = nearest(x)
        r = r - 1.0 if (want == FLOOR) & (r > x) else r
        r = r + 1.0 if (want == CEIL) & (r < x) else r
        o[i] = r / up * down
