"""The loop: copy the bars in, call each node's kernel over a chunk of bars, copy the factors out.

It calls kernels through their addresses, so it is compiled once and no operator is part of it.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba import types

from strategies.factors.kernels.jit import F_LENGTH, OPTIONS, P_LENGTH, Floats, Ints, at, call, current, inline, pointer, words
from strategies.factors.kernels.lanes import fill, settle

_BLOCK = types.Array(types.float64, 3, "A", readonly=True)
_RESULT = types.Array(types.float64, 3, "C")
_WORD = types.int64
_SIGNATURE = types.void(*[_WORD] * 9, _BLOCK, _RESULT, *[_WORD] * 4)

NEAR = 64  # bars that are copied at a time: what lies between two of a field stays in the cache
LARGE = 1 << 18  # values of a result that is written past the cache

Interpreter = Callable[..., None]
_ready: list[Interpreter] = []


def interpreter() -> Interpreter:
    """The compiled `run`."""
    if not _ready:
        options: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False, **OPTIONS}  # _nrt: no reference counts, half the live step
        _ready.append(numba.njit([_SIGNATURE], **options)(current(run)))
    return _ready[0]


def run(
    kernels: int, ps: int, fs: int, memory: int, nodes: int,
    taken: int, inputs: int, given: int, outputs: int,
    block: Floats, result: Floats, first: int, chunk: int, width: int, symbols: int,
) -> None:  # fmt: skip
    """block float64[T, field, S] -> result float64[T, factor, S].

    kernels, ps, fs, memory   addresses: int64[nodes], int64[nodes, P_LENGTH], float64[nodes, F_LENGTH], float64[...]
    taken                     address of int64[inputs, 3]: column of the block, ring offset, ring mask
    given                     address of int64[outputs, 2]: ring offset, ring mask
    """
    where, p, f, mem = words(kernels), words(ps), pointer(fs), pointer(memory)
    takes, gives = words(taken), words(given)
    bars, target = pointer(block.ctypes.data), pointer(result.ctypes.data)
    per_bar, per_field, rows = block.strides[0] // 8, block.strides[1] // 8, block.shape[0]
    past = rows * outputs * symbols >= LARGE and (symbols if symbols > 1 else outputs) % 2 == 0 and result.ctypes.data % 16 == 0
    i = 0
    while i < rows:
        t = first + i
        n = min(chunk - t % chunk, rows - i)
        take(mem, takes, inputs, at(bars, i * per_bar), per_bar, per_field, t, n, width, symbols)
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
