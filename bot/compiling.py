"""A first run says what it is doing: factor kernels are compiled once on a machine, and that takes seconds."""

import sys

from strategies.factors import kernels

_said: list[str] = []


def announce() -> None:
    """From now on the first kernel that must be compiled is preceded by one line on stderr."""
    if _say not in kernels.compiling:
        kernels.compiling.append(_say)


def _say(kernel: str) -> None:
    if not _said:
        print("compiling the factor kernels that this needs: once on this machine, some seconds", file=sys.stderr, flush=True)
    _said.append(kernel)
