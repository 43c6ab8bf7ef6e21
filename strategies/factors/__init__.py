"""The causal factor language and its machine: text or code to a graph, graphs to a program, a program over bars.

Light to import: numba is loaded where a kernel has to be compiled, once.
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


def warm(part: int = 0, parts: int = 1) -> int:
    """Compile every kernel and keep it on disk, or one share of `parts` of them; returns how many those are."""
    from strategies.factors import kernels

    return kernels.warm(part, parts)
