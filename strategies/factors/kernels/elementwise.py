"""Element-wise arithmetic. NaN in, NaN out; x / 0 is NaN; a comparison is 1.0, 0.0 or NaN. Rows are contiguous: one flat loop."""

import math

from strategies.factors.kernels.jit import NAN, OUT, A, B, C, Floats, Ints, kernel, row


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
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = a[i] / b[i] if b[i] != 0.0 else NAN


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
