"""log, exp, tanh and powers of our own: IEEE operations only, so the bits do not depend on a libm, and loops vectorise.

log and exp follow FreeBSD's e_log.c and e_exp.c (fdlibm, error below 1 ulp); tanh follows Cephes' tanh.c (error below 2 ulp).
"""

import math

from strategies.factors.kernels.jit import NAN, OUT, A, B, Floats, Ints, bits, inline, kernel, real, row

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
INVERSE_LN2 = 1.44269504088896338700
ROUND = 6755399441055744.0  # 1.5 * 2^52: adding and taking it away rounds to the nearest whole number
MANTISSA, ONE_BITS, HALF_ROOT = (1 << 52) - 1, 0x3FF << 52, 0x3FE6A09E00000000  # the last one is about sqrt(1/2)
INF = math.inf


@inline
def log_of(x: float) -> float:
    """Natural logarithm; -inf is not known either: NaN for x <= 0."""
    small = x < 2.2250738585072014e-308
    y = x * 18014398509481984.0 if small else x  # 2^54 lifts a subnormal
    word = bits(y) + (ONE_BITS - HALF_ROOT)
    k = float((word >> 52) - 1023) - (54.0 if small else 0.0)
    g = real((word & MANTISSA) + HALF_ROOT) - 1.0
    s = g / (2.0 + g)
    z = s * s
    w = z * z
    odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    even = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)))
    half = 0.5 * g * g
    r = k * LN2_HIGH - ((half - (s * (half + (odd + even)) + k * LN2_LOW)) - g)
    r = INF if x == INF else r
    return r if x > 0.0 else NAN


@inline
def exp_of(x: float) -> float:
    """e to the x; inf above 709.78, 0 below -745.13."""
    y = 709.782712893384 if x > 709.782712893384 else x
    y = -746.0 if y < -746.0 else y
    y = y if x == x else 0.0
    k = (y * INVERSE_LN2 + ROUND) - ROUND
    high = y - k * LN2_HIGH
    low = k * LN2_LOW
    r = high - low
    z = r * r
    c = r - z * (
        1.66666666666666019037e-01
        + z
        * (
            -2.77777777770155933842e-03
            + z * (6.61375632143793436117e-05 + z * (-1.65339022054652515390e-06 + z * 4.13813679705723846039e-08))
        )
    )
    e = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    whole = int(k)
    first = whole >> 1  # two steps, so that the result may be subnormal
    e = e * real((first + 1023) << 52) * real((whole - first + 1023) << 52)
    e = INF if x > 709.782712893384 else e
    return e if x == x else NAN


@inline
def tanh_of(x: float) -> float:
    z = abs(x)
    s = x * x
    p = (-9.64399179425052238628e-1 * s - 9.92877231001918586564e1) * s - 1.61468768441708447952e3
    q = ((s + 1.12811678491632931402e2) * s + 2.23548839060100448583e3) * s + 4.84406305325125486048e3
    near = x + x * s * (p / q)
    far = 1.0 - 2.0 / (exp_of(2.0 * z) + 1.0)
    far = -far if x < 0.0 else far
    r = near if z < 0.625 else far
    return r if x == x else NAN


@inline
def whole_power(x: float, n: int) -> float:
    """x to a whole number, by squaring."""
    count, base, r = abs(n), x, 1.0
    while count > 0:
        if count & 1:
            r = r * base
        base = base * base
        count >>= 1
    return r if n >= 0 else 1.0 / r


@kernel
def log(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = log_of(a[i])


@kernel
def log1p(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Kahan's correction: the rounding of 1 + x is given back to first order."""
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        x = a[i]
        u = 1.0 + x
        r = log_of(u) - ((u - 1.0) - x) / u
        r = x if u == 1.0 else r
        o[i] = INF if x == INF else r


@kernel
def exp(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = exp_of(a[i])


@kernel
def tanh(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        o[i] = tanh_of(a[i])


@kernel
def power(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """a ** b: whole exponents by squaring, one half by the root, others through log; 0 ** -b and (-a) ** 0.5 are NaN."""
    a, b, o = row(p, mem, A, t, width), row(p, mem, B, t, width), row(p, mem, OUT, t, width)
    for i in range(n * width):
        x, y = a[i], b[i]
        if (x != x) | (y != y) | ((x == 0.0) & (y < 0.0)):
            o[i] = NAN
        elif (y == math.floor(y)) & (abs(y) <= 64.0):
            o[i] = whole_power(x, int(y))
        elif y == 0.5:
            o[i] = math.sqrt(x)
        elif x == 0.0:
            o[i] = 0.0
        else:
            o[i] = exp_of(y * log_of(x))
