"""What every kernel is made of: its one signature, its pointers, and how it is compiled and kept on disk.

A kernel is a plain Python function in numba's subset, registered by `@kernel` under `file.name` and compiled alone, on first use, to
a C function: a new operator compiles itself and nothing else. It reads its place from `p` and writes `n` rows of `width` symbols:

    p      int64[P_LENGTH]    offsets and masks of the rings, offset of the state, phase, whole-number parameters
    f      float64[F_LENGTH]  other parameters
    mem    float64[...]       rings and state of the whole program
    t, n   absolute index of the first bar of this call, and how many
    width, symbols            row length (padded) and how many of it are real

The rule: IEEE arithmetic only. No fast-math, no libm, no reordering of float sums: bits must not depend on the processor.
"""

import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

OUT, A, B, C, STATE, PHASE, WINDOW, N1, N2 = 0, 2, 4, 6, 8, 9, 10, 11, 12
P_LENGTH, F_LENGTH = 13, 4

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])  # a kernel or a scalar function: numba types it, not mypy
Typed = Callable[..., Any]  # an intrinsic: numba types it

KERNELS: dict[str, Callable[..., None]] = {}
NAN = np.nan

_FLOATS, _INTS = (types.CPointer(kind) for kind in (types.float64, types.int64))  # type: ignore[no-untyped-call]
_WORD = types.int64
_SIGNATURE = types.void(_INTS, _FLOATS, _FLOATS, _WORD, _WORD, _WORD, _WORD)
OPTIONS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False}
_compiled: dict[str, Any] = {}  # CFunc by name: numba has no type for it


def kernel(function: Function) -> Function:
    """Register a kernel as `file.name`; nothing is compiled yet."""
    KERNELS[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = function
    return function


def inline(function: Function) -> Function:
    """A scalar function for kernels of the same file."""
    compiled: Function = numba.njit(**OPTIONS)(function)
    return compiled


def address(name: str) -> int:
    """Where the compiled kernel `file.function` is; compiles it, or loads it from the cache, on first use."""
    if name not in _compiled:
        importlib.import_module(f"{__package__}.{name.partition('.')[0]}")
        _compiled[name] = numba.cfunc(_SIGNATURE, cache=True, **OPTIONS)(current(KERNELS[name]))
    where: int = _compiled[name].address
    return where


def current(function: Function) -> Function:
    """Name the function's cache entry after the text of its file and of the files below all: numba itself watches only one of them."""
    texts = (Path(__file__), Path(__file__).with_name("lanes.py"), Path(function.__code__.co_filename))
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in texts)).hexdigest()[:10]
    function.__qualname__ = f"{function.__name__}_{stamp}"
    return function


def _at(context: Any, base: Any, offset: Any) -> Any:
    """`base + offset` on a pointer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.gep(args[0], [args[1]], inbounds=True)

    return base(base, types.int64), generate


def _pointer(context: Any, where: Any) -> Any:
    """An address as a pointer to floats."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.DoubleType().as_pointer())

    return _FLOATS(types.int64), generate


def _words(context: Any, where: Any) -> Any:
    """An address as a pointer to whole numbers."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(64).as_pointer())

    return _INTS(types.int64), generate


def _call(context: Any, where: Any, p: Any, f: Any, mem: Any, t: Any, n: Any, width: Any, symbols: Any) -> Any:
    """Call the kernel at an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word, ints, floats = ir.IntType(64), ir.IntType(64).as_pointer(), ir.DoubleType().as_pointer()
        kind = ir.FunctionType(context.get_value_type(types.void), [ints, floats, floats, word, word, word, word])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(_WORD, _INTS, _FLOATS, _FLOATS, _WORD, _WORD, _WORD, _WORD), generate


def _bits(context: Any, x: Any) -> Any:
    """The 64 bits of a float as a whole number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _real(context: Any, x: Any) -> Any:
    """The float that has these 64 bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), generate


at: Typed = intrinsic(_at)
pointer: Typed = intrinsic(_pointer)
words: Typed = intrinsic(_words)
call: Typed = intrinsic(_call)
bits: Typed = intrinsic(_bits)
real: Typed = intrinsic(_real)


@inline
def row(p: Ints, mem: Floats, slot: int, t: int, width: int) -> Floats:
    """The row of bar `t` in the ring of an argument or of the output."""
    where: Floats = at(mem, p[slot] + (t & p[slot + 1]) * width)
    return where


@inline
def back(p: Ints, mem: Floats, slot: int, t: int) -> float:
    """The value at bar `t` where there is one symbol."""
    ring: Floats = at(mem, p[slot])
    value: float = ring[t & p[slot + 1]]
    return value
