"""Vectors by hand, where the loop vectoriser does not see them: counting ranks in registers, and stores that pass the cache by.

Each is an intrinsic in LLVM's portable vectors, so that any processor runs it; compares and counts are exact, so no bit depends on how.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from strategies.factors.kernels.jit import Typed

_DOUBLE, _WORD, _COUNT = ir.DoubleType(), ir.IntType(64), ir.IntType(32)
build: Any = cgutils  # untyped
BLOCKS, WIDE, EXACT = 4, 16, 8  # blocks of a pass over a row; values of a block in single and in double precision
SPAN = BLOCKS * EXACT


def _fill(context: Any, to: Any, place: Any, first: Any, second: Any) -> Any:
    """Store two values past the cache; `to + place` must lie on 16 bytes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        two = ir.VectorType(_DOUBLE, 2)
        values = builder.insert_element(ir.Constant(two, ir.Undefined), args[2], _COUNT(0))
        values = builder.insert_element(values, args[3], _COUNT(1))
        where = builder.bitcast(builder.gep(args[0], [args[1]], inbounds=True), two.as_pointer())
        store = builder.store(values, where, align=16)
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(_COUNT, 1)]))
        return context.get_dummy_value()

    return types.void(to, types.int64, types.float64, types.float64), generate


def _settle(context: Any) -> Any:
    """Make such stores visible to everyone before going on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


def _counting(lanes: int, single: bool) -> Callable[..., Any]:
    """Counts for up to four blocks of a row at once, which stay in registers while the row passes by."""

    def count(context: Any, x: Any, symbols: Any, start: Any, counts: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, symbols, start, counts = args
            block, tallies = ir.VectorType(_DOUBLE, lanes), ir.VectorType(_COUNT if single else _WORD, lanes)
            compared = ir.VectorType(ir.FloatType(), lanes) if single else block
            ones = ir.Constant(tallies, [1] * lanes)
            last = builder.sub(symbols, _WORD(lanes))
            places, targets, kept = [], [], []
            for i in range(BLOCKS):
                place = builder.add(start, _WORD(i * lanes))
                place = builder.select(builder.icmp_signed("<", place, last), place, last)
                values = builder.load(builder.bitcast(builder.gep(x, [place], inbounds=True), block.as_pointer()), align=8)
                places.append(place)
                targets.append(builder.fptrunc(values, compared) if single else values)
                kept.append(build.alloca_once_value(builder, ir.Constant(tallies, [0] * lanes)))
            with build.for_range(builder, symbols) as loop:
                value = builder.load(builder.gep(x, [loop.index], inbounds=True))
                value = builder.fptrunc(value, ir.FloatType()) if single else value
                spread = builder.insert_element(ir.Constant(compared, ir.Undefined), value, _COUNT(0))
                spread = builder.shuffle_vector(spread, spread, ir.Constant(ir.VectorType(_COUNT, lanes), [0] * lanes))
                for target, tally in zip(targets, kept, strict=True):
                    total = builder.load(tally)
                    for how in ("<=",) if single else ("<=", "<"):
                        total = builder.select(builder.fcmp_ordered(how, spread, target), builder.add(total, ones), total)
                    builder.store(total, tally)
            for place, tally in zip(places, kept, strict=True):
                where = builder.bitcast(builder.gep(counts, [place], inbounds=True), block.as_pointer())
                builder.store(builder.sitofp(builder.load(tally), block), where, align=8)
            return context.get_dummy_value()

        return types.void(x, types.int64, types.int64, counts), generate

    return count


def _count_past(context: Any, x: Any, older: Any, counts: Any) -> Any:
    """For SPAN bars of one symbol, from x[0] on: how many of the `older` bars before each are <= it plus how many are < it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, older, counts = args
        block, tallies = ir.VectorType(_DOUBLE, EXACT), ir.VectorType(_WORD, EXACT)
        ones = ir.Constant(tallies, [1] * EXACT)

        def place(base: Any, offset: Any) -> Any:
            return builder.bitcast(builder.gep(base, [offset], inbounds=True), block.as_pointer())

        starts = [_WORD(i * EXACT) for i in range(BLOCKS)]
        targets = [builder.load(place(x, start), align=8) for start in starts]
        kept = [build.alloca_once_value(builder, ir.Constant(tallies, [0] * EXACT)) for _ in starts]
        with build.for_range(builder, older) as loop:
            lag = builder.add(loop.index, _WORD(1))
            for start, target, tally in zip(starts, targets, kept, strict=True):
                value, total = builder.load(place(x, builder.sub(start, lag)), align=8), builder.load(tally)
                for how in ("<=", "<"):
                    total = builder.select(builder.fcmp_ordered(how, value, target), builder.add(total, ones), total)
                builder.store(total, tally)
        for start, tally in zip(starts, kept, strict=True):
            builder.store(builder.sitofp(builder.load(tally), block), place(counts, start), align=8)
        return context.get_dummy_value()

    return types.void(x, types.int64, counts), generate


fill: Typed = intrinsic(_fill)
settle: Typed = intrinsic(_settle)
count_single: Typed = intrinsic(_counting(WIDE, True))
count_exact: Typed = intrinsic(_counting(EXACT, False))
count_past: Typed = intrinsic(_count_past)
