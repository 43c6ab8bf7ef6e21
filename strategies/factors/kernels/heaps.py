"""Quantiles over a window, in O(log w) a bar: two heaps with positions. The median absolute deviation needs the window in order.

The k lowest known values of the window stand in a heap with the largest on top, the others in one with the smallest on top. Every
bar the value that leaves is replaced where it stands, by its position: nothing is searched. Heaps hold values as they came, so what
is given out depends on the values of the window alone, however the heaps happen to lie.

State of one symbol, a column of rows: w + 2 keys (the low heap from the front, the high heap, negated, from the back), w + 2 slots
(which bar of the window, modulo w, a key is), w places (where the key of a slot stands, -1: not known), and the two sizes. Whole
numbers are kept by their bits.
"""

import math

from strategies.factors.kernels.jit import NAN, OUT, STATE, WINDOW, A, Floats, Ints, at, bits, inline, kernel, real, row


@inline
def put(keys: Floats, slots: Floats, places: Floats, width: int, place: int, key: float, slot: int) -> None:
    keys[place * width] = key
    slots[place * width] = real(slot)
    places[slot * width] = real(place)


@inline
def settle(keys: Floats, slots: Floats, places: Floats, width: int, base: int, way: int, size: int, i: int, key: float, slot: int) -> None:
    """Put an entry into the hole at `i` of a heap, or where it belongs above or below; base, way: where the heap begins and grows to."""
    rising = i
    while i > 0:
        above = (i - 1) >> 1
        a = (base + way * above) * width
        if not key > keys[a]:
            break
        put(keys, slots, places, width, base + way * i, keys[a], bits(slots[a]))
        i = above
    if i == rising:
        while True:
            below = 2 * i + 1
            if below >= size:
                break
            b = (base + way * below) * width
            if below + 1 < size and keys[b + way * width] > keys[b]:
                below += 1
                b += way * width
            if not keys[b] > key:
                break
            put(keys, slots, places, width, base + way * i, keys[b], bits(slots[b]))
            i = below
    put(keys, slots, places, width, base + way * i, key, slot)


@inline
def quantile_at(q: float, count: int) -> int:
    """How many of `count` values the low heap holds: one more than the index below the quantile."""
    return int(q * (count - 1.0)) + 1 if count > 0 else 0


@kernel
def quantile(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """The f[2] quantile, linear between neighbours, once f[1] are known."""
    for s in range(symbols):
        column(p, f, mem, t, n, width, s)


@inline
def column(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, s: int) -> None:
    w, least, q = p[WINDOW], f[1], f[2]
    keys = at(mem, p[STATE] + s)
    slots, places = at(keys, (w + 2) * width), at(keys, (2 * w + 4) * width)
    sizes = at(places, w * width)
    if sizes[0] != sizes[0]:
        sizes[0], sizes[width] = 0.0, 0.0
        for k in range(w):
            places[k * width] = real(-1)
    low, high, back = int(sizes[0]), int(sizes[width]), w + 1
    slot, top = t % w, back * width
    for i in range(n):
        x = row(p, mem, A, t + i, width)[s] + 0.0  # no negative zero: it would make bits depend on the order of equals
        place = bits(places[slot * width])
        under = place < low if place >= 0 else (low > 0) & (x <= keys[0])
        base, way, size = (0, 1, low) if under else (back, -1, high)
        if x == x:
            grown = size + int(place < 0)
            hole = abs(place - base) if place >= 0 else size
            settle(keys, slots, places, width, base, way, grown, hole, x if under else -x, slot)
            low, high = (grown, high) if under else (low, grown)
        elif place >= 0:
            places[slot * width] = real(-1)
            last = (base + way * (size - 1)) * width
            low, high = (size - 1, high) if under else (low, size - 1)
            if abs(place - base) < size - 1:
                settle(keys, slots, places, width, base, way, size - 1, abs(place - base), keys[last], bits(slots[last]))
        share = quantile_at(q, low + high)
        while low != share:  # one goes over to the other side
            over = low > share
            base, way, size, top_of = (0, 1, low, 0) if over else (back, -1, high, top)
            key, which = -keys[top_of], bits(slots[top_of])
            to, along, room = (back, -1, high) if over else (0, 1, low)
            settle(keys, slots, places, width, to, along, room + 1, room, key, which)
            low, high = (low - 1, high + 1) if over else (low + 1, high - 1)
            last = (base + way * (size - 1)) * width
            if size > 1:
                settle(keys, slots, places, width, base, way, size - 1, 0, keys[last], bits(slots[last]))
        if low > 0 and high > 0 and keys[0] > -keys[top]:
            down, came, up, went = -keys[top], bits(slots[top]), -keys[0], bits(slots[0])
            for side in range(2):
                base, way, size = (0, 1, low) if side == 0 else (back, -1, high)
                settle(keys, slots, places, width, base, way, size, 0, down if side == 0 else up, came if side == 0 else went)
        count = low + high
        r = NAN
        if (count > 0) & (float(count) >= least):
            r = keys[0]
            part = q * (count - 1.0) - (low - 1.0)
            if part > 0.0 and -keys[top] != r:
                r += (-keys[top] - r) * part
        row(p, mem, OUT, t + i, width)[s] = r
        slot = 0 if slot == w - 1 else slot + 1
    sizes[0], sizes[width] = float(low), float(high)


@kernel
def median_distance(p: Ints, f: Floats, mem: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """The median distance from the median. State: the window in order, what is not known as infinite at its end; how many are known."""
    w = p[WINDOW]
    for s in range(symbols):
        v = at(mem, p[STATE] + s)
        known = at(v, w * width)
        if known[0] != known[0]:
            known[0] = 0.0
            for k in range(w):
                v[k * width] = math.inf
        for i in range(n):
            x, gone = row(p, mem, A, t + i, width)[s], row(p, mem, A, t + i - w, width)[s]
            known[0] += float(int(x == x) - int(gone == gone))
            exchange(v, w, width, gone if gone == gone else math.inf, x if x == x else math.inf)
            row(p, mem, OUT, t + i, width)[s] = middle_distance(v, w, width) if known[0] >= w else NAN


@inline
def exchange(v: Floats, w: int, width: int, gone: float, x: float) -> None:
    """Put x in the place of `gone` and move it to where it belongs."""
    k, end = 0, w
    while k < end:
        middle = (k + end) >> 1
        if v[middle * width] < gone:
            k = middle + 1
        else:
            end = middle
    while k + 1 < w and v[(k + 1) * width] < x:
        v[k * width] = v[(k + 1) * width]
        k += 1
    while k > 0 and v[(k - 1) * width] > x:
        v[k * width] = v[(k - 1) * width]
        k -= 1
    v[k * width] = x


@inline
def middle_distance(v: Floats, w: int, width: int) -> float:
    """The distances below and above the median grow outwards: the middle one of two ordered lists, by halving."""
    low = (w + 1) >> 1
    m = v[(low - 1) * width]
    if w & 1 == 0 and v[low * width] != m:
        m += (v[low * width] - m) * 0.5
    high, take = w - low, low  # the take-th smallest of both
    i, end = max(0, take - high), low
    while i < end:
        middle = (i + end) >> 1
        if distance(v[(low - 1 - middle) * width], m) < distance(v[(low + take - middle - 1) * width], m):
            i = middle + 1
        else:
            end = middle
    j = take - i
    a = distance(v[(low - i) * width], m) if i > 0 else 0.0
    b = distance(v[(low + j - 1) * width], m) if j > 0 else 0.0
    r = a if a > b else b
    if w & 1:
        return r
    a = distance(v[(low - 1 - i) * width], m) if i < low else math.inf
    b = distance(v[(low + j) * width], m) if j < high else math.inf
    after = a if a < b else b
    return r if after == r else r + (after - r) * 0.5


@inline
def distance(x: float, middle: float) -> float:
    d = 0.0 if x == middle else abs(x - middle)
    return d if d == d else math.inf
