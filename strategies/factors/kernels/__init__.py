"""The arithmetic: one file a family, one function an operator, compiled by numba on first use. Importing this imports numba."""

import importlib
import pkgutil

from strategies.factors.kernels.interpreter import interpreter
from strategies.factors.kernels.jit import F_LENGTH, KERNELS, OUT, P_LENGTH, PHASE, STATE, WINDOW, A, address

__all__ = ["F_LENGTH", "KERNELS", "OUT", "PHASE", "P_LENGTH", "STATE", "WINDOW", "A", "address", "interpreter", "warm"]


def warm() -> int:
    """Compile every kernel, or load it from the cache; returns how many there are."""
    interpreter()
    for family in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{family.name}")
    for name in KERNELS:
        address(name)
    return len(KERNELS)
