"""The loop: copy the bars in, call each node's kernel over a chunk of bars, copy the factors out.

It calls kernels through their addresses, so it is compiled once and no operator is part of it.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba import types

from strategies.factors.kernels.jit import F_LENGTH, OPTIONS, P_LENGTH, Floats, at, call, current, pointer, words

_BLOCK = types.Array(types.float64, 3, "A", readonly=True)
_RESULT = types.Array(types.float64, 3, "C")
_WORD = types.int64
_SIGNATURE = types.void(*[_WORD] * 9, _BLOCK, _RESULT, *[_WORD] * 4)

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
    rows = block.shape[0]
    i = 0
    while i < rows:
        t = first + i
        n = min(chunk - t % chunk, rows - i)
        for q in range(inputs):
            column, ring, mask = takes[3 * q], takes[3 * q + 1], takes[3 * q + 2]
            for k in range(n):
                x = at(mem, ring + ((t + k) & mask) * width)
                for s in range(symbols):
                    x[s] = block[i + k, column, s]
        for q in range(nodes):
            call(where[q], at(p, q * P_LENGTH), at(f, q * F_LENGTH), mem, t, n, width, symbols)
        for q in range(outputs):
            ring, mask = gives[2 * q], gives[2 * q + 1]
            for k in range(n):
                x = at(mem, ring + ((t + k) & mask) * width)
                for s in range(symbols):
                    result[i + k, q, s] = x[s]
        i += n
