"""Quantiles over a window, in O(log w) a bar: two heaps with positions, and the median absolute deviation on top of them.

The k lowest known values of the window stand in a heap with the largest on top, the others in one with the smallest on top. Every
bar the value that leaves is replaced where it stands, by its position: nothing is searched. Heaps hold values as they came, so what
is given out depends on the values of the window alone, however the heaps happen to lie.

State of one symbol, a column of rows: w + 2 keys (the low heap from the front, the high heap, negated, from the back), w + 2 slots
(which bar of the window, modulo w, a key is), w places (where the key of a slot stands, -1: not known), and the two sizes. Whole
numbers are kept by their bits. A median absolute deviation has w more rows to work in.
"""

import math

from strategies.factors.kernels.jit import NAN, OUT, STATE, WINDOW, A, Floats, Ints, at, bits, inline, kernel, real, row

QUANTILE, DEVIATION = 0.0, 1.0


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
    """The f[2] quantile, linear between neighbours, once f[1] are known; f[0] = 1: the median distance from the median."""
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
    slot = t % w
    for i in range(n):
        x = row(p, mem, A, t + i, width)[s] + 0.0  # no negative zero: it would make bits depend on the order of equals
        place = bits(places[slot * width])
        if (x == x) & (place >= 0):
            if place < low:
                settle(keys, slots, places, width, 0, 1, low, place, x, slot)
            else:
                settle(keys, slots, places, width, back, -1, high, back - place, -x, slot)
        elif x == x:
            if low > 0 and x <= keys[0]:
                low += 1
                settle(keys, slots, places, width, 0, 1, low, low - 1, x, slot)
            else:
                high += 1
                settle(keys, slots, places, width, back, -1, high, high - 1, -x, slot)
        elif place >= 0:
            places[slot * width] = real(-1)
            if place < low:
                low -= 1
                if place < low:
                    settle(keys, slots, places, width, 0, 1, low, place, keys[low * width], bits(slots[low * width]))
            else:
                high -= 1
                end = (back - high) * width
                if place > back - high:
                    settle(keys, slots, places, width, back, -1, high, back - place, keys[end], bits(slots[end]))
        share = quantile_at(q, low + high)
        top = back * width
        while low > share:
            high += 1
            settle(keys, slots, places, width, back, -1, high, high - 1, -keys[0], bits(slots[0]))
            low -= 1
            if low > 0:
                settle(keys, slots, places, width, 0, 1, low, 0, keys[low * width], bits(slots[low * width]))
        while low < share:
            low += 1
            settle(keys, slots, places, width, 0, 1, low, low - 1, -keys[top], bits(slots[top]))
            high -= 1
            if high > 0:
                end = (back - high) * width
                settle(keys, slots, places, width, back, -1, high, 0, keys[end], bits(slots[end]))
        if low > 0 and high > 0 and keys[0] > -keys[top]:
            down, came = -keys[top], bits(slots[top])
            up, went = keys[0], bits(slots[0])
            settle(keys, slots, places, width, 0, 1, low, 0, down, came)
            settle(keys, slots, places, width, back, -1, high, 0, -up, went)
        count = low + high
        r = NAN
        if (count > 0) & (float(count) >= least):
            r = keys[0]
            part = q * (count - 1.0) - (low - 1.0)
            if part > 0.0 and -keys[top] != r:
                r += (-keys[top] - r) * part
            if f[0] == DEVIATION:
                r = median_distance(at(mem, p[STATE] + (3 * w + 6) * width + s * w), keys, low, high, back, width, r)
        row(p, mem, OUT, t + i, width)[s] = r
        slot = 0 if slot == w - 1 else slot + 1
    sizes[0], sizes[width] = float(low), float(high)


@inline
def median_distance(far: Floats, keys: Floats, low: int, high: int, back: int, width: int, middle: float) -> float:
    """The median of the distances from `middle`, by selection (Hoare); equal infinities are no distance apart."""
    count = low + high
    for k in range(low):
        far[k] = distance(keys[k * width], middle)
    for k in range(high):
        far[low + k] = distance(-keys[(back - k) * width], middle)
    k = (count - 1) >> 1
    left, right = 0, count - 1
    while left < right:
        pivot = far[(left + right) >> 1]
        i, j = left, right
        while i <= j:
            while far[i] < pivot:
                i += 1
            while pivot < far[j]:
                j -= 1
            if i <= j:
                far[i], far[j] = far[j], far[i]
                i += 1
                j -= 1
        if j < k:
            left = i
        if k < i:
            right = j
    r: float = far[k]
    if count & 1:
        return r
    nearest: float = far[k + 1]
    for i in range(k + 2, count):
        nearest = far[i] if far[i] < nearest else nearest
    return r if nearest == r else r + (nearest - r) * 0.5


@inline
def distance(x: float, middle: float) -> float:
    d = 0.0 if x == middle else abs(x - middle)
    return d if d == d else math.inf
