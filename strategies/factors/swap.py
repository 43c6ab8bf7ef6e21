"""A new program in the place of a running one, at a bar boundary.

The new machine is warmed up over the archive; then whatever the running one has of the same nodes is carried over, bit for bit: their
last values and all that they remember. So a factor that stays goes on as if nothing had happened, and a factor that is new has its
first value at the next bar.
"""

import numpy as np
from numpy.typing import NDArray

from strategies.factors.compile import Program
from strategies.factors.vm import Machine


def swapped(running: Machine, program: Program, history: NDArray[np.float64]) -> Machine:
    """A machine of `program` that goes on at the bar at which `running` would.

    history  float64[T, field, S]: the T bars before that one, in program.fields or program.given; program.warm_up of them make every
             value what it had always been (recursive operators: to 1e-12). With fewer, what is new is unknown for longer.
             An operator that depends on where its history began, begins there
    Nothing changes in `running`, so it can go on while this works. Raises ValueError where bars of history are left over before bar 0.
    """
    fresh = Machine(program, running.symbols)
    if running.bar is None:
        return fresh
    first = running.bar - len(history)
    if first < 0:
        raise ValueError(f"{len(history)} bars of history end before bar {running.bar}: at most that many")
    fresh.run(history, first)
    fresh.bar = running.bar
    carry_over(running, fresh)
    return fresh


def carry_over(running: Machine, fresh: Machine) -> int:
    """Copy values and state of the nodes that both have, at the same bar; returns how many."""
    assert running.bar is not None and running.bar == fresh.bar, f"machines stand at bars {running.bar} and {fresh.bar}"
    place = {key: register for register, key in enumerate(running.program.registers)}
    steps = len(fresh.program.registers) - len(fresh.program.kernels)
    other = len(running.program.registers) - len(running.program.kernels)
    carried = 0
    for register, key in enumerate(fresh.program.registers):
        theirs = place.get(key)
        if theirs is None:
            continue
        carried += 1
        _copy_ring(running, theirs, fresh, register)
        if register >= steps:
            step, old = register - steps, theirs - other
            size = int(fresh.program.state[step]) * fresh.width
            to, of = int(fresh.layout.state[step]), int(running.layout.state[old])
            fresh.memory[to : to + size] = running.memory[of : of + size]
    return carried


def _copy_ring(running: Machine, theirs: int, fresh: Machine, register: int) -> None:
    """The newest rows, as many as both rings hold."""
    width = fresh.width
    assert fresh.bar is not None
    rows = min(int(running.layout.rows[theirs]), int(fresh.layout.rows[register]))
    bars = np.arange(max(0, fresh.bar - rows), fresh.bar)
    source, target = _ring(running, theirs, width), _ring(fresh, register, width)
    target[bars % len(target)] = source[bars % len(source)]


def _ring(machine: Machine, register: int, width: int) -> NDArray[np.float64]:
    """float64[row, width] of a register: a view."""
    start, rows = int(machine.layout.ring[register]), int(machine.layout.rows[register])
    return machine.memory[start : start + rows * width].reshape(rows, width)
