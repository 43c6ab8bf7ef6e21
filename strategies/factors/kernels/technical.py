"""What of technical analysis is made of nothing else: parabolic stop, trailing band, age of an extreme whose newest equal counts."""

import math

from strategies.factors.kernels.jit import NAN, OUT, PHASE, STATE, WINDOW, A, B, C, Floats, Ints, at, inline, kernel, row

HIGH, LOW, SIDE, STOP, REACH, RATE = 0, 1, 2, 3, 4, 5


@kernel
def sar(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Parabolic stop and reverse as TA-Lib computes it. f: acceleration, its maximum.

    State: last high and low (with the sign of the side mirrored: prices of a short are negated), side, next stop, reach, rate, begun.
    """
    state = at(mem, p[STATE])
    for i in range(n):
        high, low, o = row(p, mem, A, t + i, width), row(p, mem, B, t + i, width), row(p, mem, OUT, t + i, width)
        for s in range(width):
            if (high[s] == high[s]) & (low[s] == low[s]):
                o[s] = step(at(state, s), width, high[s], low[s], f[0], f[1])
            else:
                o[s] = NAN


@inline
def step(state: Floats, width: int, high: float, low: float, acceleration: float, maximum: float) -> float:
    """One bar of one symbol; long positions are followed as they are, short ones in mirrored prices (high = -low)."""
    last_h, last_l, side = state[HIGH * width], state[LOW * width], state[SIDE * width]
    stop, reach, rate = state[STOP * width], state[REACH * width], state[RATE * width]
    state[HIGH * width], state[LOW * width] = high, low
    if last_h != last_h:
        return NAN
    if side != side:
        up, down = high - last_h, last_l - low
        side = -1.0 if (down > 0.0) & (up < down) else 1.0
        stop = last_l if side > 0.0 else -last_h
        reach = high if side > 0.0 else -low
        rate, last_h, last_l = acceleration, high, low
    top, bottom = (high, low) if side > 0.0 else (-low, -high)
    last_bottom = last_l if side > 0.0 else -last_h
    last_top = last_h if side > 0.0 else -last_l
    if bottom <= stop:
        side = -side  # mirrored: what was the top is now the bottom
        out = max(reach, last_top, top)
        mirrored = -out * side
        reach, rate = -bottom, acceleration
        stop = -out + rate * (reach + out)
        stop = min(stop, -last_top, -top)
        out = mirrored
    else:
        out = stop * side
        if top > reach:
            reach, rate = top, min(rate + acceleration, maximum)
        stop = stop + rate * (reach - stop)
        stop = min(stop, last_bottom, bottom)
    state[SIDE * width], state[STOP * width], state[REACH * width], state[RATE * width] = side, stop, reach, rate
    given: float = out
    return given


@kernel
def supertrend(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Of close, an upper and a lower band: the band that trails the close, or (f[0] = 1) its side, 1 below the close and -1 above.

    A band only closes in while its side lasts; the close beyond the other turns the side. State: both bands, side.
    """
    wants_side = f[0] != 0.0
    tops = at(mem, p[STATE])
    bottoms, sides = at(tops, width), at(tops, 2 * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        upper, lower = row(p, mem, B, t + i, width), row(p, mem, C, t + i, width)
        for s in range(width):
            c, top, bottom, side = x[s], upper[s], lower[s], sides[s]
            last_top, last_bottom = tops[s], bottoms[s]
            known = (c == c) & (top == top) & (bottom == bottom)
            up, down = c > last_top, c < last_bottom
            side = side if side == side else 1.0
            turned = 1.0 if up else (-1.0 if down else side)
            stays = (not up) & (not down)
            bottom = last_bottom if stays & (turned > 0.0) & (bottom < last_bottom) else bottom
            top = last_top if stays & (turned < 0.0) & (top > last_top) else top
            tops[s], bottoms[s] = top if known else last_top, bottom if known else last_bottom
            side = turned if known else side
            sides[s] = side
            line = bottom if side > 0.0 else top
            r = side if wants_side else line
            o[s] = r if (c == c) & (wants_side | known) else NAN


@kernel
def age_of_extreme(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Bars since the largest (f[0] = 1) or smallest (-1) of the window, the newest of equals; blocks and rows of state as in windows.py.

    Beside each value stands the bar index that it came from.
    """
    side, w = f[0], p[WINDOW]
    j = (t + p[PHASE]) % w
    state = at(mem, p[STATE])
    bar = at(state, (w + 2) * width)
    prefix, bar_prefix = at(state, (w + 1) * width), at(bar, (w + 1) * width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        now = float(t + i)
        if j == 0:
            for s in range(2 * width):  # the empty suffix, and the prefix behind it
                state[w * width + s], bar[w * width + s] = -math.inf, -math.inf
            for k in range(w - 1, 0, -1):
                z, g, gb = row(p, mem, A, t + i - w + k, width), at(state, k * width), at(bar, k * width)
                h, hb = at(g, width), at(gb, width)
                then = float(t + i - w + k)
                for s in range(width):  # z is the older: it must be larger
                    u, v = z[s] * side, h[s]
                    takes, later = (u > v) | (u != u) | (hb[s] < 0.0), hb[s]
                    g[s] = u if takes else v
                    gb[s] = then if takes else later
        h, hb = at(state, (j + 1) * width), at(bar, (j + 1) * width)
        for s in range(width):  # x is the newer: it wins a tie
            u, v = x[s] * side, prefix[s]
            takes, earlier = (u >= v) | (u != u), bar_prefix[s]
            v = u if takes else v
            b = now if takes else earlier
            prefix[s], bar_prefix[s] = v, b
            old, a = h[s], hb[s]
            r = now - (a if old > v else b)
            o[s] = r if (old == old) & (v == v) else NAN
        j = 0 if j == w - 1 else j + 1
