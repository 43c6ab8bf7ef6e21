"""What every kernel is made of: its one signature, its pointers, and how it is compiled and kept on disk.

A kernel is a plain Python function in numba's subset, registered by `@kernel` under `file.name` and compiled alone, on first use, to
a plain function: a new operator compiles itself and nothing else. It reads its place from `p` and writes `n` rows of `width` symbols:

    p      int64[P_LENGTH]    offsets and masks of the rings, offset of the state, phase, whole-number parameters
    f      float64[F_LENGTH]  other parameters
    mem    float64[...]       rings and state of the whole program
    t, n   absolute index of the first bar of this call, and how many
    width, symbols            row length (padded) and how many of it are real

The rule: IEEE arithmetic only. No fast-math, no libm, no reordering of float sums: bits must not depend on the processor.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils, codegen, compiler, compiler_machinery, typed_passes, untyped_passes
from numba.extending import intrinsic
from numpy.typing import NDArray

from strategies.factors.kernels.places import F_LENGTH, N1, N2, OUT, P_LENGTH, PHASE, STATE, WINDOW, A, B, C

__all__ = [
    "F_LENGTH", "KERNELS", "N1", "N2", "NAN", "OUT", "PHASE", "P_LENGTH", "STATE", "WINDOW", "A", "B", "C", "Floats", "Ints", "at", "back",
    "bits", "call", "inline", "kernel", "machine_code", "pointer", "real", "root", "row", "words",
]  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])  # a kernel or a scalar function: numba types it, not mypy
Typed = Callable[..., Any]  # an intrinsic: numba types it

KERNELS: dict[str, Callable[..., None]] = {}
NAN = np.nan
build: Any = cgutils  # untyped
_WIDE = ir.IntType(64)

_FLOATS, _INTS = (types.CPointer(kind) for kind in (types.float64, types.int64))  # type: ignore[no-untyped-call]
_WORD = types.int64
SIGNATURE = types.void(_INTS, _FLOATS, _FLOATS, _WORD, _WORD, _WORD, _WORD)
LOOP = types.void(_INTS)
INTERPRETER = "interpreter.run"


class Straight(compiler.CompilerBase):
    """The passes of numba that arithmetic over pointers needs; those for closures, literals, `with` and rewrites it would walk in vain."""

    def define_pipelines(self) -> list[Any]:
        passes: Any = compiler_machinery.PassManager("straight")  # type: ignore[no-untyped-call]
        for each in (
            untyped_passes.TranslateByteCode, untyped_passes.FixupArgs, untyped_passes.IRProcessing, untyped_passes.ReconstructSSA,
            typed_passes.NopythonTypeInference, typed_passes.PreLowerStripPhis, typed_passes.IRLegalization,
            typed_passes.NativeLowering, typed_passes.NoPythonBackend,
        ):  # fmt: skip
            passes.add_pass(each, each.__name__)
        passes.finalize()
        return [passes]


OPTIONS: dict[str, Any] = {  # plain functions, called through their addresses: no wrapper for Python or for C, no reference counts
    "pipeline_class": Straight, "error_model": "numpy", "boundscheck": False,
    "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False,
}  # fmt: skip
BELOW = frozenset(("memset", "memcpy", "memmove", "floor", "ceil", "trunc", "rint", "nearbyint", "sqrt"))  # all that code may call


def kernel(function: Function) -> Function:
    """Register a kernel as `file.name`; nothing is compiled yet."""
    KERNELS[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = function
    return function


def inline(function: Function) -> Function:
    """A scalar function for kernels of the same file."""
    compiled: Function = numba.njit(**OPTIONS)(function)
    return compiled


def machine_code(name: str) -> tuple[str, bytes]:
    """Compile `file.function`: its symbol, and an object file that needs nothing of numba and shows no other name.

    What it is: int32 symbol(void **nothing, void **nothing, the arguments of the function).
    """
    importlib.import_module(f"{__package__}.{name.partition('.')[0]}")
    compiled: Any = numba.njit(**OPTIONS)(KERNELS[name])
    with _not_to_be_called():
        compiled.compile(SIGNATURE if name != INTERPRETER else LOOP)
    (result,) = compiled.overloads.values()
    symbol = result.fndesc.llvm_func_name
    module = binding.parse_assembly(result.library.get_llvm_str())
    needed = set()
    for part in (*module.functions, *module.global_variables):
        if part.is_declaration:
            needed.add(part.name)
        elif part.name != symbol:
            part.linkage = "internal"
    needed = {called for called in needed if not called.startswith("llvm.")} - BELOW
    assert not needed, f"{name} calls {sorted(needed)}: a kernel may raise nothing and call nothing but kernels and scalar functions"
    return symbol, result.library.codegen._tm.emit_object(module)


@contextmanager
def _not_to_be_called() -> Iterator[None]:
    """Leave numba's own engine out: it would make code of every function at once, to be called from Python, and here nobody calls one."""
    library, engine = codegen.JITCodeLibrary, codegen.JITCPUCodegen
    instead: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (library, "_finalize_final_module", lambda self: setattr(self, "_finalized", True)),
        (library, "get_pointer_to_function", lambda self, name: self._ensure_finalized() or 0),
        (engine, "set_env", lambda self, name, env: None),
    )
    before = [getattr(of, name) for of, name, _ in instead]
    for of, name, other in instead:
        setattr(of, name, other)
    try:
        yield
    finally:
        for (of, name, _), own in zip(instead, before, strict=True):
            setattr(of, name, own)


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
    """Call the kernel at an address. Before its own arguments stand places for a result and for an error: it has neither."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word, ints, floats, place = ir.IntType(64), ir.IntType(64).as_pointer(), ir.DoubleType().as_pointer(), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.IntType(32), [place.as_pointer()] * 2 + [ints, floats, floats, word, word, word, word])
        spare = build.alloca_once(builder, place)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [spare, spare, *args[1:]])
        return context.get_dummy_value()

    return types.void(_WORD, _INTS, _FLOATS, _FLOATS, _WORD, _WORD, _WORD, _WORD), generate


def _row(context: Any, p: Any, mem: Any, slot: Any, t: Any, width: Any) -> Any:
    """The row of bar `t` in the ring of an argument or of the output."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        p, mem, slot, t, width = args
        ring, mask = (builder.load(builder.gep(p, [builder.add(slot, _WIDE(i))], inbounds=True)) for i in range(2))
        return builder.gep(mem, [builder.add(ring, builder.mul(builder.and_(t, mask), width))], inbounds=True)

    return mem(p, mem, types.int64, types.int64, types.int64), generate


def _back(context: Any, p: Any, mem: Any, slot: Any, t: Any) -> Any:
    """The value at bar `t` where there is one symbol."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        p, mem, slot, t = args
        ring, mask = (builder.load(builder.gep(p, [builder.add(slot, _WIDE(i))], inbounds=True)) for i in range(2))
        return builder.load(builder.gep(mem, [builder.add(ring, builder.and_(t, mask))], inbounds=True))

    return types.float64(p, mem, types.int64, types.int64), generate


def _root(context: Any, x: Any) -> Any:
    """The square root, NaN of a negative: the processor's own, which is exact to the last bit."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real = ir.DoubleType()
        return builder.call(builder.module.declare_intrinsic("llvm.sqrt", [real]), [args[0]])

    return types.float64(types.float64), generate


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
root: Typed = intrinsic(_root)
bits: Typed = intrinsic(_bits)
real: Typed = intrinsic(_real)
row: Typed = intrinsic(_row)
back: Typed = intrinsic(_back)
