"""log, exp, tanh and powers of our own: IEEE operations only, so the bits do not depend on a libm, and loops vectorise.

log and exp follow FreeBSD's e_log.c and e_exp.c (fdlibm, error below 1 ulp); tanh follows Cephes' tanh.c (error below 2 ulp); sine,
cosine and arc tangent follow fdlibm's k_sin.c, k_cos.c and s_atan.c.
"""

import math

from strategies.factors.kernels.jit import NAN, OUT, A, B, Floats, Ints, bits, inline, kernel, real, row

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
INVERSE_LN2 = 1.44269504088896338700
ROUND = 6755399441055744.0  # 1.5 * 2^52: adding and taking it away rounds to the nearest whole number
MANTISSA, ONE_BITS, HALF_ROOT = (1 << 52) - 1, 0x3FF << 52, 0x3FE6A09E00000000  # the last one is about sqrt(1/2)
INF = math.inf
ARCTAN, COS = 2.0, 1.0
TWO_OVER_PI = 6.36619772367581382433e-01
HALF_PI_1, HALF_PI_2, HALF_PI_3, HALF_PI_4 = 1.570796251296997, 7.549789415861596e-08, 5.390302529957765e-15, 3.2820035428735005e-22
ATAN_1_2, ATAN_1_2_LOW = 4.63647609000806093515e-01, 2.26987774529616870924e-17
ATAN_1, ATAN_1_LOW = 7.85398163397448278999e-01, 3.06161699786838301793e-17
ATAN_3_2, ATAN_3_2_LOW = 9.82793723247329054082e-01, 1.39033110312309984516e-17
ATAN_INF, ATAN_INF_LOW = 1.57079632679489655800e00, 6.12323399573676603587e-17


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
    """f[0] = 1: -inf at 0."""
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    zero = NAN if f[0] == 0.0 else -INF
    for i in range(n * width):
        o[i] = zero if a[i] == 0.0 else log_of(a[i])


@kernel
def log1p(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Kahan's correction: the rounding of 1 + x is given back to first order. f[0] = 1: -inf at -1."""
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    zero = NAN if f[0] == 0.0 else -INF
    for i in range(n * width):
        x = a[i]
        u = 1.0 + x
        r = log_of(u) - ((u - 1.0) - x) / u
        r = x if u == 1.0 else r
        r = zero if u == 0.0 else r
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
    others, e = 0, b[0]
    for i in range(n * width):
        others += int(b[i] != e)
    if (others == 0) & (e == 2.0):  # by far the most frequent
        for i in range(n * width):
            o[i] = a[i] * a[i]
    elif (others == 0) & (e > 0.0) & (e != 0.5) & (e != math.floor(e)):
        for i in range(n * width):
            r = exp_of(e * log_of(a[i]))
            o[i] = 0.0 if a[i] == 0.0 else r
    else:
        powers(a, b, o, n * width)


@inline
def powers(a: Floats, b: Floats, o: Floats, count: int) -> None:
    """Each exponent as it comes."""
    for i in range(count):
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


@inline
def reduced(x: float) -> tuple[float, float, int]:
    """x minus the nearest multiple of pi / 2, as a sum of two floats, and that multiple modulo 4; |x| <= 1e9.

    pi / 2 stands in pieces of 23 bits, so that each times a multiple below 2^30 is exact; what their differences round off is kept.
    """
    k = (x * TWO_OVER_PI + ROUND) - ROUND
    high, low = x - k * HALF_PI_1, 0.0  # exact: the two are close
    for i in range(3):
        piece = k * (HALF_PI_2 if i == 0 else (HALF_PI_3 if i == 1 else HALF_PI_4))
        rest = high - piece
        back = rest - high
        low += (high - (rest - back)) - (piece + back)  # what rounding took (Knuth)
        high = rest
    total = high + low
    return total, (high - total) + low, int(k) & 3


@inline
def sine_near(x: float, y: float) -> float:
    """Sine of x + y, |x| <= pi / 4 (k_sin.c)."""
    z = x * x
    v = z * x
    r = 8.33333333332248946124e-03 + z * (
        -1.98412698298579493134e-04 + z * (2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10))
    )
    return x - ((z * (0.5 * y - v * r) - y) - v * -1.66666666666666324348e-01)


@inline
def cosine_near(x: float, y: float) -> float:
    """Cosine of x + y, |x| <= pi / 4 (FreeBSD k_cos.c)."""
    z = x * x
    w = z * z
    r = z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 + z * 2.48015872894767294178e-05))
    r += w * w * (-2.75573143513906633035e-07 + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11))
    half = 0.5 * z
    u = 1.0 - half
    return u + (((1.0 - u) - half) + (z * r - x * y))


@inline
def arctan_of(x: float) -> float:
    """s_atan.c, without its jumps."""
    z = abs(x)
    far, wide, middle = z >= 2.4375, z >= 1.1875, z >= 0.6875
    near = z < 0.4375
    over = 0.0 if near else (-1.0 if far else (z - 1.5 if wide else (z - 1.0 if middle else 2.0 * z - 1.0)))
    under = 1.0 if near else (z if far else (1.0 + 1.5 * z if wide else (z + 1.0 if middle else 2.0 + z)))
    g = z if near else over / under
    high = 0.0 if near else (ATAN_INF if far else (ATAN_3_2 if wide else (ATAN_1 if middle else ATAN_1_2)))
    low = 0.0 if near else (ATAN_INF_LOW if far else (ATAN_3_2_LOW if wide else (ATAN_1_LOW if middle else ATAN_1_2_LOW)))
    s = g * g
    w = s * s
    even = 6.66107313738753120669e-02 + w * (4.97687799461593236017e-02 + w * 1.62858201153657823623e-02)
    even = s * (3.33333333333329318027e-01 + w * (1.42857142725034663711e-01 + w * (9.09088713343650656196e-02 + w * even)))
    odd = -7.69187620504482999495e-02 + w * (-5.83357013379057348645e-02 + w * -3.65315727442169155270e-02)
    odd = w * (-1.99999999998764832476e-01 + w * (-1.11111104054623557880e-01 + w * odd))
    r = high - ((g * (even + odd) - low) - g)
    r = ATAN_INF if z == INF else r
    return r if x >= 0.0 else -r


@kernel
def circular(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Sine, cosine or arc tangent, as f[0] says; a sine or cosine beyond 1e9 is not known."""
    a, o = row(p, mem, A, t, width), row(p, mem, OUT, t, width)
    if f[0] == ARCTAN:
        for i in range(n * width):
            o[i] = arctan_of(a[i])
        return
    turn = 1 if f[0] == COS else 0
    for i in range(n * width):
        x = a[i]
        fits = abs(x) <= 1e9
        r, low, quarter = reduced(x if fits else 0.0)
        quarter = (quarter + turn) & 3
        y = cosine_near(r, low) if quarter & 1 else sine_near(r, low)
        y = -y if quarter & 2 else y
        o[i] = y if fits else NAN
