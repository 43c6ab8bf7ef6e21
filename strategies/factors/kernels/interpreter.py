"""The loop: copy the bars in, call each node's kernel over a chunk of bars, copy the factors out.

It calls kernels through their addresses, so it is compiled once and no operator is part of it.
"""

from strategies.factors.kernels.jit import F_LENGTH, P_LENGTH, Floats, Ints, at, call, inline, kernel, pointer, words
from strategies.factors.kernels.lanes import fill, settle

NEAR = 64  # bars that are copied at a time: what lies between two of a field stays in the cache
LARGE = 1 << 18  # values of a result that is written past the cache


@kernel
def run(job: Ints) -> None:
    """Bars to factors: float64[T, field, S] to float64[T, factor, S]. A bar and a field of the bars are so many values apart.

    job   addresses and sizes: 0 kernels int64[nodes], 1 int64[nodes, P_LENGTH], 2 float64[nodes, F_LENGTH], 3 memory, 4 nodes,
          5 int64[inputs, 3]: column of the block, ring offset, ring mask, 6 inputs, 7 int64[outputs, 2]: ring offset, ring mask, 8 outputs,
          9 bars of a chunk, 10 width, 11 symbols, 12 the bars, 13 from bar to bar, 14 from field to field, 15 the result, 16 T, 17 first
    """
    where, p, f, mem, nodes = words(job[0]), words(job[1]), pointer(job[2]), pointer(job[3]), job[4]
    takes, inputs, gives, outputs, chunk, width, symbols = words(job[5]), job[6], words(job[7]), job[8], job[9], job[10], job[11]
    source, per_bar, per_field, target, rows, first = pointer(job[12]), job[13], job[14], pointer(job[15]), job[16], job[17]
    past = rows * outputs * symbols >= LARGE and (symbols if symbols > 1 else outputs) % 2 == 0 and job[15] % 16 == 0
    i = 0
    while i < rows:
        t = first + i
        n = min(chunk - t % chunk, rows - i)
        take(mem, takes, inputs, at(source, i * per_bar), per_bar, per_field, t, n, width, symbols)
        for q in range(nodes):
            call(where[q], at(p, q * P_LENGTH), at(f, q * F_LENGTH), mem, t, n, width, symbols)
        to = at(target, i * outputs * symbols)
        if past and symbols == 1:
            give_one_past(mem, gives, outputs, to, t, n)
        elif past:
            give_past(mem, gives, outputs, to, t, n, width, symbols)
        elif symbols == 1:
            give_one(mem, gives, outputs, to, t, n)
        else:
            give(mem, gives, outputs, to, t, n, width, symbols)
        i += n
    if past:
        settle()


@inline
def take(
    mem: Floats, takes: Ints, inputs: int, bars: Floats, per_bar: int, per_field: int, t: int, n: int, width: int, symbols: int
) -> None:
    """Copy bars into the rings of the fields. A chunk never runs past the end of a ring."""
    for start in range(0, n, NEAR):
        for q in range(inputs):
            x, y = at(mem, takes[3 * q + 1] + (t & takes[3 * q + 2]) * width), at(bars, takes[3 * q] * per_field)
            if symbols == 1:
                for k in range(start, min(n, start + NEAR)):
                    x[k] = y[k * per_bar]
            else:
                for k in range(start, min(n, start + NEAR)):
                    o, z = at(x, k * width), at(y, k * per_bar)
                    for s in range(symbols):
                        o[s] = z[s]


@inline
def give(mem: Floats, gives: Ints, outputs: int, to: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """Copy the factors out, bar by bar: the result is written from one end to the other."""
    for k in range(n):
        for q in range(outputs):
            x, o = at(mem, gives[2 * q] + ((t + k) & gives[2 * q + 1]) * width), at(to, (k * outputs + q) * symbols)
            for s in range(symbols):
                o[s] = x[s]


@inline
def give_past(mem: Floats, gives: Ints, outputs: int, to: Floats, t: int, n: int, width: int, symbols: int) -> None:
    """The same past the cache, which a large result would only sweep empty."""
    for k in range(n):
        for q in range(outputs):
            x, o = at(mem, gives[2 * q] + ((t + k) & gives[2 * q + 1]) * width), at(to, (k * outputs + q) * symbols)
            for s in range(0, symbols, 2):
                fill(o, s, x[s], x[s + 1])


@inline
def give_one(mem: Floats, gives: Ints, outputs: int, to: Floats, t: int, n: int) -> None:
    """The same for one symbol."""
    for start in range(0, n, NEAR):
        for q in range(outputs):
            x, o = at(mem, gives[2 * q] + (t & gives[2 * q + 1])), at(to, q)
            for k in range(start, min(n, start + NEAR)):
                o[k * outputs] = x[k]


@inline
def give_one_past(mem: Floats, gives: Ints, outputs: int, to: Floats, t: int, n: int) -> None:
    """The same past the cache."""
    for k in range(n):
        for q in range(0, outputs, 2):
            x, y = gives[2 * q] + ((t + k) & gives[2 * q + 1]), gives[2 * q + 2] + ((t + k) & gives[2 * q + 3])
            fill(to, k * outputs + q, mem[x], mem[y])
