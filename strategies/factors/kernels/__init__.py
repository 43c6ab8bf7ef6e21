"""The arithmetic: one file a family, one function an operator, compiled by numba on first use and kept. Importing this imports no numba."""

import importlib
import pkgutil

from strategies.factors.kernels.code import address, addresses, compiling
from strategies.factors.kernels.places import F_LENGTH, OUT, P_LENGTH, PHASE, STATE, WINDOW, A

__all__ = ["F_LENGTH", "OUT", "PHASE", "P_LENGTH", "STATE", "WINDOW", "A", "address", "addresses", "compiling", "names", "warm"]


def names() -> list[str]:
    """Every kernel there is, and the loop that calls them, the slow to compile spread among the others."""
    from strategies.factors.kernels.jit import KERNELS  # imports numba

    for family in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{family.name}")
    return sorted(KERNELS)


def warm(part: int = 0, parts: int = 1) -> int:
    """Compile every kernel, or load it where it is kept; returns how many there are. With `parts`, only a share of them."""
    chosen = names()[part::parts]
    for name in chosen:
        address(name)
    return len(chosen)
