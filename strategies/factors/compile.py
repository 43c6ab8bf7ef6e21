"""Graphs to one Program: every distinct node once over all factors, as plain arrays; nothing in it depends on the number of symbols."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from strategies.errors import FactorError
from strategies.factors.check import GRAPH, TEXT, Limits, check, distinct, state_bytes
from strategies.factors.dialects import lacking
from strategies.factors.graph import CONST, FIELD, Node, field
from strategies.factors.operators import OPERATORS
from strategies.factors.reading import read

WHOLE, FLOATS = 3, 4  # parameters of a step, at most


class Program(NamedTuple):
    """What a Machine runs. Registers are numbered: fields, then constants, then steps.

    names      the factors, in the order of the result
    fields     those used, in the order given to compile_factors; given: all of those
    look_back  bars before every factor has its first value
    warm_up    bars until no factor depends on where the history began (recursive operators: to 1e-12)
    key        the same for equal programs in every process
    nodes      distinct nodes; state_bytes: what it keeps, bytes a symbol

    constants  float64[constant]
    registers  key of the node in each register; kernels: name of each step's kernel
    arguments  int64[step, 3] registers, -1 where there is none
    whole      int64[step, 3] whole-number parameters; floats float64[step, 4] the others
    reads      int64[step] bars that the kernel looks back into its arguments
    state      int64[step] rows of state; phase int64[step] shift of the step's blocks
    spans      int64[step] bars after which it has forgotten what was before, -1 where it never quite does
    outputs    int64[factor] registers
    """

    names: tuple[str, ...]
    fields: tuple[str, ...]
    given: tuple[str, ...]
    look_back: int
    warm_up: int
    key: str
    nodes: int
    state_bytes: int
    constants: NDArray[np.float64]
    registers: tuple[str, ...]
    kernels: tuple[str, ...]
    arguments: NDArray[np.int64]
    whole: NDArray[np.int64]
    floats: NDArray[np.float64]
    reads: NDArray[np.int64]
    state: NDArray[np.int64]
    phase: NDArray[np.int64]
    spans: NDArray[np.int64]
    outputs: NDArray[np.int64]


def compile_factors(
    factors: Mapping[str, Node | str],
    *,
    timeframe: int,
    fields: Sequence[str],
    dialect: str = "sluice",
    limits: Limits = TEXT,
    units: bool | None = None,
) -> Program:
    """One program for all factors. Text is parsed under `limits`; graphs built in code are only held to what memory allows.

    timeframe  milliseconds of a bar;  fields  the columns that blocks will have, in order;  dialect, units  as in reading.read
    Raises FactorError naming the factor.
    """
    roots = [_root(name, factor, timeframe, fields, dialect, limits, units) for name, factor in factors.items()]
    nodes, values = _needed(roots)
    used = {node.text for node in nodes if node.op == FIELD}
    columns = tuple(f for f in fields if f in used)
    constants = [n for n in nodes if n in values]
    steps = [n for n in nodes if n.op != FIELD and n not in values]
    register = {name: i for i, name in enumerate(columns)}
    register |= {node.text: i for i, node in enumerate(constants, len(columns))}
    register |= {node.text: i for i, node in enumerate(steps, len(columns) + len(constants))}
    text = "\n".join([*(f"{name} = {root.text}" for name, root in zip(factors, roots, strict=True)), *columns])
    return Program(
        names=tuple(factors),
        fields=columns,
        given=tuple(fields),
        look_back=max((r.look_back for r in roots), default=0),
        warm_up=max((r.warm_up for r in roots), default=0),
        key=hashlib.sha256(text.encode()).hexdigest(),
        nodes=len(nodes),
        state_bytes=state_bytes(distinct(roots)),
        constants=np.array([values[n] for n in constants], np.float64),
        registers=(*(field(c).key for c in columns), *(n.key for n in (*constants, *steps))),
        **_arrays(steps, register)._asdict(),
        outputs=np.array([register[r.text] for r in roots], np.int64),
    )


def _root(name: str, factor: Node | str, timeframe: int, fields: Sequence[str], dialect: str, limits: Limits, units: bool | None) -> Node:
    try:
        if isinstance(factor, str):
            return read(factor, dialect=dialect, timeframe=timeframe, fields=fields, limits=limits, units=units).node
        check(factor, GRAPH, units=False)
        for node in distinct([factor]):
            if node.op == FIELD and node.text not in fields:
                raise lacking(node.text, fields)
    except FactorError as refusal:
        refusal.message = f"factor {name!r}: {refusal.message}"
        raise
    return factor


def _needed(roots: list[Node]) -> tuple[list[Node], dict[Node, float]]:
    """Every node that must be there, arguments first, and the values of those that are constant, those that text keeps as written too."""
    nodes = distinct(roots)
    values: dict[Node, float] = {}
    for node in nodes:
        row = OPERATORS.get(node.op)
        if node.op == CONST:
            values[node] = float(node.params[0])
        elif row is not None and row.fold is not None and all(a in values for a in node.args):
            value = row.fold(*(values[a] for a in node.args))
            if value is not None:
                values[node] = value
    needed = set(roots)
    for node in reversed(nodes):
        if node in needed and node not in values:
            needed.update(node.args)
    return [node for node in nodes if node in needed], values


class _Steps(NamedTuple):
    kernels: tuple[str, ...]
    arguments: NDArray[np.int64]
    whole: NDArray[np.int64]
    floats: NDArray[np.float64]
    reads: NDArray[np.int64]
    state: NDArray[np.int64]
    phase: NDArray[np.int64]
    spans: NDArray[np.int64]


def _arrays(steps: list[Node], register: dict[str, int]) -> _Steps:
    count = len(steps)
    arguments, whole = np.full((count, 3), -1, np.int64), np.zeros((count, WHOLE), np.int64)
    floats = np.zeros((count, FLOATS))
    reads, state, phase, spans = (np.zeros(count, np.int64) for _ in range(4))
    for i, node in enumerate(steps):
        row = OPERATORS[node.op]
        arguments[i, : len(node.args)] = [register[a.text] for a in node.args]
        bars = [int(v) for v, p in zip(node.params, row.params, strict=True) if p.whole]
        whole[i, : len(bars)] = bars
        others = row.floats(node.params)
        floats[i, : len(others)] = others
        reads[i], state[i] = row.reads(node.params), row.state(node.params)
        look_back = row.look_back(node.params)
        lasting = row.anchored or row.warm_up(node.params) != look_back
        spans[i] = -1 if lasting else max(reads[i], look_back)
        phase[i] = int(node.key[:8], 16) % bars[0] if bars else 0
    return _Steps(tuple(OPERATORS[n.op].kernel for n in steps), arguments, whole, floats, reads, state, phase, spans)
