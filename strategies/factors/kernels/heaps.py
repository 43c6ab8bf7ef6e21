"""Quantiles over a window, in O(log w) a bar: two heaps with positions. The median absolute deviation needs the window in order.

The k lowest known values of the window stand in a heap with the largest on top, the others in one with the smallest on top. Every
bar the value that leaves is replaced where it stands, by its position: nothing is searched. Heaps hold values as they came, so what
is given out depends on the values of the window alone, however the heaps happen to lie.

Each symbol has its part of the state to itself, so that it stays in the cache: w + 2 keys (the low heap from the front, the high
heap, negated, from the back), w + 2 slots (which bar of the window, modulo w, a key is), w places (where the key of a slot stands,
-1: not known), and the two sizes. Whole numbers are kept by their bits.
"""

import math

from strategies.factors.kernels.jit import NAN, OUT, STATE, WINDOW, A, Floats, Ints, at, bits, inline, kernel, real, row


@inline
def put(keys: Floats, slots: Floats, places: Floats, place: int, key: float, slot: int) -> None:
    keys[place] = key
    slots[place] = real(slot)
    places[slot] = real(place)


@inline
def settle(keys: Floats, slots: Floats, places: Floats, base: int, way: int, size: int, i: int, key: float, slot: int) -> None:
    """Put an entry into the hole at `i` of a heap, or where it belongs above or below; base, way: where the heap begins and grows to."""
    rising = i
    while i > 0:
        above = (i - 1) >> 1
        a = base + way * above
        if not key > keys[a]:
            break
        put(keys, slots, places, base + way * i, keys[a], bits(slots[a]))
        i = above
    if i == rising:
        while True:
            below = 2 * i + 1
            if below >= size:
                break
            b = base + way * below
            if below + 1 < size and keys[b + way] > keys[b]:
                below += 1
                b += way
            if not keys[b] > key:
                break
            put(keys, slots, places, base + way * i, keys[b], bits(slots[b]))
            i = below
    put(keys, slots, places, base + way * i, key, slot)


@kernel
def quantile(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """The f[2] quantile, linear between neighbours, once f[1] are known."""
    for s in range(symbols):
        of_symbol(p, f, mem, t, n, width, s)


@inline
def of_symbol(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, s: int) -> None:
    w, least, q = p[WINDOW], f[1], f[2]
    keys = at(mem, p[STATE] + s * (3 * w + 6))
    slots, places, sizes = at(keys, w + 2), at(keys, 2 * w + 4), at(keys, 3 * w + 4)
    if sizes[0] != sizes[0]:
        sizes[0], sizes[1] = 0.0, 0.0
        for k in range(w):
            places[k] = real(-1)
    low, high, top = int(sizes[0]), int(sizes[1]), w + 1  # top: of the high heap
    slot = t % w
    for i in range(n):
        x = row(p, mem, A, t + i, width)[s] + 0.0  # no negative zero: it would make bits depend on the order of equals
        place = bits(places[slot])
        under = place < low if place >= 0 else (low > 0) & (x <= keys[0])
        base, way, size = (0, 1, low) if under else (top, -1, high)
        if x == x:
            grown, hole = (size, abs(place - base)) if place >= 0 else (size + 1, size)
            settle(keys, slots, places, base, way, grown, hole, x if under else -x, slot)
            low, high = (grown, high) if under else (low, grown)
        elif place >= 0:
            places[slot] = real(-1)
            last = base + way * (size - 1)
            low, high = (size - 1, high) if under else (low, size - 1)
            if place != last:
                settle(keys, slots, places, base, way, size - 1, abs(place - base), keys[last], bits(slots[last]))
        count = low + high
        share = int(q * (count - 1.0)) + 1 if count > 0 else 0  # of the low heap: its top is the value below the quantile
        while low != share:  # one goes over to the other side
            over = low > share
            base, way, size = (0, 1, low) if over else (top, -1, high)
            to, along, room = (top, -1, high) if over else (0, 1, low)
            settle(keys, slots, places, to, along, room + 1, room, -keys[base], bits(slots[base]))
            low, high = (low - 1, high + 1) if over else (low + 1, high - 1)
            last = base + way * (size - 1)
            if size > 1:
                settle(keys, slots, places, base, way, size - 1, 0, keys[last], bits(slots[last]))
        if low > 0 and high > 0 and keys[0] > -keys[top]:  # the new value belongs on the other side
            down, came, up, went = -keys[top], bits(slots[top]), -keys[0], bits(slots[0])
            for side in range(2):
                base, way, size = (0, 1, low) if side == 0 else (top, -1, high)
                settle(keys, slots, places, base, way, size, 0, down if side == 0 else up, came if side == 0 else went)
        r = NAN
        if (count > 0) & (float(count) >= least):
            r = keys[0]
            part = q * (count - 1.0) - (low - 1.0)
            if part > 0.0 and -keys[top] != r:
                r += (-keys[top] - r) * part
        row(p, mem, OUT, t + i, width)[s] = r
        slot = 0 if slot == w - 1 else slot + 1
    sizes[0], sizes[1] = float(low), float(high)


@kernel
def median_distance(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """The median distance from the median. State: the window in order, what is not known as infinite at its end; how many are known."""
    w = p[WINDOW]
    for s in range(symbols):
        v = at(mem, p[STATE] + s * (w + 1))
        if v[w] != v[w]:
            v[w] = 0.0
            for k in range(w):
                v[k] = math.inf
            for k in range(w, 0, -1):  # bars that are there already
                x = row(p, mem, A, t - k, width)[s]
                if x == x:
                    v[w] += 1.0
                    exchange(v, w, math.inf, x)
        for i in range(n):
            x, gone = row(p, mem, A, t + i, width)[s], row(p, mem, A, t + i - w, width)[s]
            v[w] += float(int(x == x) - int(gone == gone))
            exchange(v, w, gone if gone == gone else math.inf, x if x == x else math.inf)
            row(p, mem, OUT, t + i, width)[s] = middle_distance(v, w) if v[w] >= w else NAN


@inline
def place_of(v: Floats, w: int, x: float) -> int:
    """How many of the ordered values are below x."""
    k, end = 0, w
    while k < end:
        middle = (k + end) >> 1
        if v[middle] < x:
            k = middle + 1
        else:
            end = middle
    return k


@inline
def exchange(v: Floats, w: int, gone: float, x: float) -> None:
    """Take `gone` out, put x where it belongs, and move what lies between."""
    hole, place = place_of(v, w, gone), place_of(v, w, x)
    if place > hole:
        place -= 1
        for k in range(hole, place):
            v[k] = v[k + 1]
    else:
        for k in range(hole, place, -1):
            v[k] = v[k - 1]
    v[place] = x


@inline
def middle_distance(v: Floats, w: int) -> float:
    """The distances below and above the median grow outwards: the middle one of two ordered lists, by halving."""
    low = (w + 1) >> 1
    m = v[low - 1]
    if w & 1 == 0 and v[low] != m:
        m += (v[low] - m) * 0.5
    high, take = w - low, low  # the take-th smallest of both
    i, end = max(0, take - high), low
    while i < end:
        middle = (i + end) >> 1
        if distance(v[low - 1 - middle], m) < distance(v[low + take - middle - 1], m):
            i = middle + 1
        else:
            end = middle
    j = take - i
    a = distance(v[low - i], m) if i > 0 else 0.0
    b = distance(v[low + j - 1], m) if j > 0 else 0.0
    r = a if a > b else b
    if w & 1:
        return r
    a = distance(v[low - 1 - i], m) if i < low else math.inf
    b = distance(v[low + j], m) if j < high else math.inf
    after = a if a < b else b
    return r if after == r else r + (after - r) * 0.5


@inline
def distance(x: float, middle: float) -> float:
    d = 0.0 if x == middle else abs(x - middle)
    return d if d == d else math.inf
