"""The machine: a Program over many bars of history, or over the one bar that has just closed, with the same bits.

Registers are rings of rows in one array, a row holding one value a symbol; steps run over chunks of bars with symbols innermost.
State is that one array: `save` copies it, `restore` puts it back.
"""

import ctypes
import struct
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from strategies.factors.compile import WHOLE, Program

Array = NDArray[np.float64]

LANES, NARROW = 8, 4  # rows are padded to the width of a vector, or of half a one
CHUNK_VALUES = 1024  # bars x row length of a chunk: what keeps all registers of a chunk in the cache
BYTES = 8  # of a value
ENOUGH = 2_000_000  # bars x symbols x steps that a second thread is worth
LINE = 8  # values of a cache line
SLACK = 64  # values after the last: vectors may look a little further than they take
RUN = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_int64] * 3)  # interpreter.run, see jit.machine_code; it holds no lock of Python's
CALL = struct.Struct("6q")  # what differs from call to call
MAGIC = b"sluice-machine-2"
HEAD = struct.Struct("<qqqq")  # symbols, bar, how many values, check sum


class Pool(Protocol):
    """What runs work beside this: a concurrent.futures.ThreadPoolExecutor."""

    def submit(self, work: Callable[..., None], /, *args: Any) -> "Waited": ...


class Waited(Protocol):
    def result(self) -> object: ...


class Layout(NamedTuple):
    """Where things are in a machine's memory.

    ring, rows  by register: offset of its ring, and how many rows it has;  state  by step: offset of its state
    """

    ring: NDArray[np.int64]
    rows: NDArray[np.int64]
    state: NDArray[np.int64]


class Machine:
    """A program for a fixed universe.

    `bar` is the absolute index of the bar that must come next, None before the first.
    """

    def __init__(self, program: Program, symbols: int) -> None:
        from strategies.factors import kernels

        if symbols < 1:
            raise ValueError(f"a machine needs at least one symbol, not {symbols}")
        self.program = program
        self.symbols = symbols
        self.bar: int | None = None
        self.width = 1 if symbols == 1 else NARROW if symbols <= NARROW else -(-symbols // LANES) * LANES
        self._chunk = max(LANES, _power(CHUNK_VALUES // self.width))
        loop, *others = kernels.addresses(["interpreter.run", *program.kernels])
        self._run = RUN(loop)
        self._where = np.array(others, np.int64)
        self._columns = 0  # of the last block
        self._lay_out()

    def run(self, block: Array, first: int, out: Array | None = None, pool: Pool | None = None) -> Array:
        """Run consecutive bars.

        block   float64[T, field, S]; the fields are program.fields, or all that compile_factors was given
        first   absolute index of the first bar: its open time // timeframe. A missing bar is a row of NaN, never a skipped index
        out     where the result goes: float64[T, factor, S], C-contiguous; memory that has been used before is much faster than new
        pool    a thread beside this one: a long block is then run in two halves at once, with the same bits
        returns float64[T, factor, S]
        """
        program = self.program
        if block.ndim != 3 or block.shape[2] != self.symbols or block.shape[1] not in (len(program.fields), len(program.given)):
            raise ValueError(f"a block is float64[bars, {len(program.fields)} fields, {self.symbols} symbols], not {block.shape}")
        if first < 0 or (self.bar is not None and first != self.bar):
            raise ValueError(f"bar {self.bar} must come next, not {first}; a missing bar is a row of NaN")
        shape = (block.shape[0], len(program.names), self.symbols)
        if out is not None and (out.shape != shape or out.dtype != np.float64 or not out.flags.c_contiguous):
            raise ValueError(f"the result is float64{list(shape)}, C-contiguous, not {out.dtype}{list(out.shape)}")
        if block.shape[1] != self._columns:
            self._columns = block.shape[1]
            self._inputs[:, 0] = self._own if self._columns == len(program.fields) else self._among
        if len(block) == 1:
            result = self._one_bar(block, first, out)
        else:
            result = np.empty(shape) if out is None else out
            bars = np.asarray(block, np.float64)
            if (self.symbols > 1 and bars.strides[2] != BYTES) or bars.strides[0] % BYTES or bars.strides[1] % BYTES:
                bars = np.ascontiguousarray(bars)
            halves = Halves.of(self, len(bars)) if pool is not None else None
            if pool is not None and halves is not None:
                halves.run(self, pool, bars, first, result)
            else:
                self._block(bars, first, result)
        self.bar = first + len(block)
        return result

    def _one_bar(self, block: Array, first: int, out: Array | None) -> Array:
        """Live. To ask an array where it lies takes longer than to copy a bar to a place that is known."""
        self._bar[:, : self._columns] = block
        self._call(self._bar_at, 0, self.symbols, self._row_at, 1, first)
        if out is None:
            return self._row.copy()
        out[:] = self._row
        return out

    def _block(self, bars: Array, first: int, result: Array) -> None:
        source, target = bars.ctypes.data, result.ctypes.data
        self._call(source, bars.strides[0] // BYTES, bars.strides[1] // BYTES, target, len(bars), first)

    def _call(self, source: int, per_bar: int, per_field: int, target: int, bars: int, first: int) -> None:
        CALL.pack_into(self._job.data, self._fixed, source, per_bar, per_field, target, bars, first)
        self._run(self._spare, self._spare, self._start)

    def save(self) -> bytes:
        """All state, bit for bit."""
        bar = -1 if self.bar is None else self.bar
        values = self.memory.tobytes()
        return MAGIC + bytes.fromhex(self.program.key) + HEAD.pack(self.symbols, bar, self.memory.size, _check(bar, values)) + values

    def restore(self, state: bytes) -> None:
        """Continue where `save` stood. Raises ValueError where the state is of another program or universe; nothing changes then."""
        head = len(MAGIC) + 32
        if state[:head] != MAGIC + bytes.fromhex(self.program.key) or len(state) < head + HEAD.size:
            raise ValueError("this state was saved by another program; warm the machine up from history instead")
        symbols, bar, size, check = HEAD.unpack_from(state, head)
        if symbols != self.symbols or size != self.memory.size or len(state) != head + HEAD.size + 8 * size:
            raise ValueError(f"this state is of {symbols} symbols, not {self.symbols}; warm the machine up from history instead")
        if _check(bar, memoryview(state)[head + HEAD.size :]) != check:  # places in it are places in memory
            raise ValueError("this state is damaged; warm the machine up from history instead")
        self.memory[:] = np.frombuffer(state, np.float64, offset=head + HEAD.size)
        self.bar = None if bar < 0 else bar

    def _lay_out(self) -> None:
        """Rings and state in one array; each step's place in it."""
        from strategies.factors import kernels as k

        program, width = self.program, self.width
        fields, constants, steps = len(program.fields), len(program.constants), len(program.kernels)
        depth = np.ones(fields + constants + steps, np.int64)
        for arguments, reads in zip(program.arguments, program.reads, strict=True):
            for register in arguments[arguments >= 0]:
                depth[register] = max(depth[register], reads + 1)
        rows = np.array([_power_up(int(d) + self._chunk - 1) for d in depth], np.int64)
        ring = np.concatenate(([0], np.cumsum(rows * width)))[:-1]
        state = int((rows * width).sum()) + np.concatenate(([0], np.cumsum(program.state * width)))
        self.memory = _aligned(int(state[-1]) + SLACK)
        for i, value in enumerate(program.constants, fields):
            self.memory[ring[i] : ring[i] + rows[i] * width] = value

        self.layout = Layout(ring, rows, state[:-1])
        self._p = np.zeros((steps, k.P_LENGTH), np.int64)
        for i in range(steps):
            self._p[i, k.OUT : k.OUT + 2] = ring[fields + constants + i], rows[fields + constants + i] - 1
            for a, register in enumerate(program.arguments[i]):
                if register >= 0:
                    self._p[i, k.A + 2 * a : k.A + 2 * a + 2] = ring[register], rows[register] - 1
        self._p[:, k.STATE], self._p[:, k.PHASE] = state[:-1], program.phase
        self._p[:, k.WINDOW : k.WINDOW + WHOLE] = program.whole
        self._f = np.ascontiguousarray(program.floats)
        self._own = np.arange(fields)
        self._among = np.array([program.given.index(f) for f in program.fields], np.int64)
        self._inputs = np.stack([self._own, ring[:fields], rows[:fields] - 1], axis=1).astype(np.int64)
        self._outputs = np.stack([ring[program.outputs], rows[program.outputs] - 1], axis=1).astype(np.int64)
        fixed = [
            self._where.ctypes.data, self._p.ctypes.data, self._f.ctypes.data, self.memory.ctypes.data, steps,
            self._inputs.ctypes.data, fields, self._outputs.ctypes.data, len(program.outputs), self._chunk, width, self.symbols,
        ]  # fmt: skip
        self._job = np.array([*fixed, 0, 0, 0, 0, 0, 0, 0], np.int64)
        self._bar, self._row = np.empty((1, len(program.given), self.symbols)), np.empty((1, len(program.names), self.symbols))
        self._bar_at, self._row_at = self._bar.ctypes.data, self._row.ctypes.data
        self._fixed, self._start = BYTES * len(fixed), self._job.ctypes.data
        self._spare = self._start + BYTES * (self._job.size - 1)  # where a compiled function could leave a result or an error


class Halves(NamedTuple):
    """How two threads share a block: this machine runs the bars up to `middle`, a second one those after it.

    What remembers for good, and what it is made of, the second runs from the first bar on, so that it knows exactly what the one machine
    would: nothing is compared and nothing guessed. All the rest it runs from `reach` bars before the middle: it depends on no more.
    """

    middle: int
    reach: int
    lasting: NDArray[np.int64]  # steps

    @classmethod
    def of(cls, machine: Machine, bars: int) -> "Halves | None":
        """None where it would not pay."""
        program = machine.program
        steps = len(program.kernels)
        other = len(program.registers) - steps
        lasting, reach = program.spans < 0, np.zeros(len(program.registers), np.int64)
        for i in range(steps - 1, -1, -1):
            if lasting[i]:
                arguments = program.arguments[i] - other
                lasting[arguments[arguments >= 0]] = True
        for i in range(steps):
            arguments = program.arguments[i]
            if not lasting[i]:
                reach[other + i] = reach[arguments[arguments >= 0]].max(initial=0) + program.spans[i]
        far = int(reach.max(initial=0)) + 1
        twice = 0.6 * float(lasting.mean()) if steps else 0.0  # of the work up to the middle; they are among the cheap
        middle = int((bars + far * (1 - twice)) / (2 - twice))
        pays = bars * machine.symbols * steps >= ENOUGH and 4 * far < bars and twice < 0.5
        return cls(middle, far, np.flatnonzero(lasting)) if pays else None

    def run(self, machine: Machine, pool: Pool, bars: Array, first: int, result: Array) -> None:
        late = Machine(machine.program, machine.symbols)
        late._inputs[:] = machine._inputs
        if machine.bar is not None:
            self._bring(machine, late)
        beside = pool.submit(self._later, late, bars, first, result)
        try:
            machine._block(bars[: self.middle], first, result[: self.middle])
        finally:
            beside.result()
        machine.memory[:] = late.memory

    def _bring(self, machine: Machine, late: Machine) -> None:
        """What the lasting steps remember, and their values."""
        program, layout, width = machine.program, machine.layout, machine.width
        other = len(program.registers) - len(program.kernels)
        for start, rows in zip(layout.ring[: len(program.fields)], layout.rows[: len(program.fields)], strict=True):
            late.memory[start : start + rows * width] = machine.memory[start : start + rows * width]
        for step in self.lasting:
            ring, state = layout.ring[other + step], layout.state[step]
            for start, rows in ((ring, layout.rows[other + step]), (state, program.state[step])):
                late.memory[start : start + rows * width] = machine.memory[start : start + rows * width]

    def _later(self, late: Machine, bars: Array, first: int, result: Array) -> None:
        start = self.middle - self.reach
        whole, outputs = late._job[:5].copy(), int(late._job[8])
        late._job[8] = 0
        if len(self.lasting):
            where, p, f = late._where[self.lasting], late._p[self.lasting], late._f[self.lasting]
            late._job[:5] = where.ctypes.data, p.ctypes.data, f.ctypes.data, whole[3], len(where)
            late._block(bars[:start], first, result[:0])
            late._job[:5] = whole
        late._block(bars[start : self.middle], first + start, result[:0])
        late._job[8] = outputs
        late._block(bars[self.middle :], first + self.middle, result[self.middle :])


def _check(bar: int, values: bytes | memoryview) -> int:
    return zlib.crc32(values, bar & 0xFFFFFFFF)


def _aligned(size: int) -> Array:
    """NaN on cache lines: vectors that lie across two of them run at half the speed."""
    whole = np.full(size + LINE, np.nan)
    start = -whole.ctypes.data % (8 * LINE) // 8
    return whole[start : start + size]


def _power(n: int) -> int:
    """The largest power of two that is at most n."""
    return 1 << max(0, n.bit_length() - 1)


def _power_up(n: int) -> int:
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()
