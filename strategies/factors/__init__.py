"""The causal factor language and its machine: text or code to a graph, graphs to a program, a program over bars.

Light to import: numba is loaded when a Machine is built.
"""

from strategies.factors.check import TEXT, Limits, unit_of
from strategies.factors.compile import Program, compile_factors
from strategies.factors.graph import Node, call, const, field
from strategies.factors.reading import Reading, read
from strategies.factors.syntax import parse
from strategies.factors.vm import Machine

__all__ = [
    "TEXT", "Limits", "Machine", "Node", "Program", "Reading", "call", "compile_factors", "const", "field", "parse", "read", "unit_of",
    "warm",
]  # fmt: skip


def warm() -> int:
    """Compile every kernel into the cache on disk; returns how many there are."""
    from strategies.factors import kernels

    return kernels.warm()
