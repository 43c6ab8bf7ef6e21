"""What of technical analysis is made of nothing else: the parabolic stop, and how old an extreme is where the newest of equals counts."""

from strategies.factors.kernels.jit import NAN, OUT, STATE, WINDOW, A, B, Floats, Ints, at, inline, kernel, row

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
        given = -out * side
        reach, rate = -bottom, acceleration
        stop = -out + rate * (reach + out)
        stop = min(stop, -last_top, -top)
        out = given
    else:
        out = stop * side
        if top > reach:
            reach, rate = top, min(rate + acceleration, maximum)
        stop = stop + rate * (reach - stop)
        stop = min(stop, last_bottom, bottom)
    state[SIDE * width], state[STOP * width], state[REACH * width], state[RATE * width] = side, stop, reach, rate
    return out


@kernel
def age_of_extreme(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Bars since the largest (f[0] = 1) or smallest (-1) of the window. State: its bar, the last unknown bar."""
    side, w = f[0], p[WINDOW]
    place = at(mem, p[STATE])
    unknown = at(place, width)
    for i in range(n):
        x, o = row(p, mem, A, t + i, width), row(p, mem, OUT, t + i, width)
        now, first = float(t + i), t + i - w + 1
        for s in range(width):
            last = unknown[s] if unknown[s] == unknown[s] else now - 1.0  # before the beginning nothing is known
            last = last if x[s] == x[s] else now
            unknown[s] = last
            where = place[s]
            if not (where >= first):  # it has left, or there was none
                where = newest(p, mem, first, t + i, side, s, width)
            elif x[s] * side >= row(p, mem, A, int(where), width)[s] * side:
                where = now
            place[s] = where
            o[s] = NAN if last >= first else now - where


@inline
def newest(p: Ints, mem: Floats, first: int, last: int, side: float, s: int, width: int) -> float:
    """The bar of the extreme from `first` to `last`, the newest of equals; NaN where none is known."""
    best, where = NAN, NAN
    for k in range(first, last + 1):
        u = row(p, mem, A, k, width)[s] * side
        if (u >= best) | ((best != best) & (u == u)):
            best, where = u, float(k)
    return where
