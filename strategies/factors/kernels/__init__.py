"""The arithmetic: one file a family, one function an operator, compiled by numba on first use and kept. Importing this imports no numba."""

import gc
import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path

from strategies.factors.kernels.code import address, addresses, compiling, keep
from strategies.factors.kernels.places import F_LENGTH, OUT, P_LENGTH, PHASE, STATE, WINDOW, A

__all__ = [
    "F_LENGTH",
    "OUT",
    "PHASE",
    "P_LENGTH",
    "STATE",
    "WINDOW",
    "A",
    "address",
    "addresses",
    "compiling",
    "families",
    "keep",
    "names",
    "warm",
]


def families() -> list[str]:
    """The files that have kernels, the long ones first."""
    files = [Path(__file__).with_name(f"{family.name}.py") for family in pkgutil.iter_modules(__path__)]
    return [file.stem for file in sorted(files, key=lambda file: (-file.stat().st_size, file.stem))]


def names(chosen: Iterable[str] | None = None) -> list[str]:
    """Every kernel there is, or in the chosen families; and the loop that calls them."""
    from strategies.factors.kernels.jit import KERNELS  # imports numba

    wanted = set(families() if chosen is None else chosen)
    for family in wanted:
        importlib.import_module(f"{__name__}.{family}")
    return sorted(name for name in KERNELS if name.partition(".")[0] in wanted)


def warm(part: int = 0, parts: int = 1) -> int:
    """Compile every kernel that is not kept; returns how many there are. With `parts`, only a share of the files."""
    shares: list[list[str]] = [[] for _ in range(parts)]
    sizes = [0] * parts
    for family in families():
        least = sizes.index(min(sizes))
        shares[least].append(family)
        sizes[least] += Path(__file__).with_name(f"{family}.py").stat().st_size
    chosen = names(shares[part])
    gc.disable()  # numba's trees are kept anyway; walking them again and again takes a twentieth of the time
    try:
        for name in chosen:
            keep(name)
    finally:
        gc.enable()
    return len(chosen)
