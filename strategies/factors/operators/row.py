"""What a row of the table says, and short ways to write one."""

from collections.abc import Callable
from typing import Any, NamedTuple

Number = float | int
Params = tuple[Number, ...]
Bars = Callable[[Params], int]
Means = Callable[
    [Callable[..., Any], tuple[Any, ...], Params], Any
]  # (call, series, params) -> node; graph.py, which has them, stands on this

MEMORY = 28.0  # exp(-28) < 1e-12: after MEMORY / alpha bars a recursive value has forgotten where it began


class Param(NamedTuple):
    """A parameter that follows the series: a window in bars, or a number. `shifts`: a negative one would read the future."""

    name: str
    whole: bool = True
    least: float = 1.0
    default: Number | None = None
    shifts: bool = False


class Operator(NamedTuple):
    """One row.

    series      how many series it takes, before the params
    unit        the rule by which check.py finds the unit of the result
    kernel      `file.function` in kernels/, empty where `means` says what it is made of
    look_back   bars before the first value, beyond those of the arguments
    warm_up     bars until a value no longer depends on where the history began (recursive: to 1e-12)
    reads       how many bars back the kernel reads its arguments' rings
    state       rows of state it keeps, each one float a symbol
    floats      what the kernel gets as `f`
    cross       it works across symbols; anchored: its value depends on where the history began, for good
    """

    name: str
    series: int
    says: str
    source: str
    params: tuple[Param, ...] = ()
    aliases: tuple[str, ...] = ()
    unit: str = "same"
    kernel: str = ""
    look_back: Bars = lambda p: 0
    warm_up: Bars = lambda p: 0
    reads: Bars = lambda p: 0
    state: Bars = lambda p: 0
    floats: Callable[[Params], tuple[float, ...]] = lambda p: ()
    commutes: bool = False
    symbol: str = ""
    cross: bool = False
    anchored: bool = False
    means: Means | None = None
    simpler: Means | None = None  # a simpler node that is the same for these arguments, or None
    valid: Callable[[Params], None] | None = None  # raises BadWindow or BadConstant where parameters do not go together
    fold: Callable[..., float | None] | None = None  # its value on constants, bit for bit; None where only the kernel can say

    @property
    def arities(self) -> range:
        """How many arguments it takes, params included; params with a default may be left out."""
        needed = sum(1 for p in self.params if p.default is None)
        return range(self.series + needed, self.series + len(self.params) + 1)


def window(least: int = 1) -> tuple[Param, ...]:
    return (Param("window", least=least),)


SHIFT = (Param("window", shifts=True),)


def first(p: Params) -> int:
    return int(p[0])


def before(p: Params) -> int:
    return int(p[0]) - 1


def rows_of(blocks: int) -> Bars:
    return lambda p: blocks * (int(p[0]) + 2)


def plain(name: str, series: int, kernel: str, says: str, source: str = "IEEE 754", *, unit: str = "same", aliases: tuple[str, ...] = (),
          commutes: bool = False, symbol: str = "", fold: Callable[..., float | None] | None = None, params: tuple[Param, ...] = (),
          floats: Callable[[Params], tuple[float, ...]] = lambda p: (), simpler: Means | None = None,
          valid: Callable[[Params], None] | None = None) -> Operator:  # fmt: skip
    """Element-wise: no memory."""
    return Operator(name, series, says, source, params, aliases, unit, kernel,
                    commutes=commutes, symbol=symbol, fold=fold, floats=floats, simpler=simpler, valid=valid)  # fmt: skip


def made(name: str, series: int, says: str, means: Means, *, params: tuple[Param, ...] = (),
         aliases: tuple[str, ...] = (), symbol: str = "") -> Operator:  # fmt: skip
    """Made of other operators; it never stands in a graph."""
    return Operator(name, series, says, "definition", params, aliases, means=means, symbol=symbol)


def rolling(name: str, kernel: str, says: str, blocks: int, *, series: int = 1, unit: str = "same", aliases: tuple[str, ...] = (),
            least: int = 1, commutes: bool = False, want: float = 0.0,
            source: str = "pandas rolling, min_periods = window") -> Operator:  # fmt: skip
    """A window of block-anchored merges; `blocks` quantities are kept; `want` is f[0] of a kernel that serves several rows."""
    return Operator(name, series, says, source, window(least), aliases, unit, kernel, before, before, first, rows_of(blocks),
                    lambda p: (want,), commutes)  # fmt: skip


def across(name: str, kernel: str, says: str, *, unit: str = "rate", state: int = 0, params: tuple[Param, ...] = (),
           aliases: tuple[str, ...] = (), floats: Callable[[Params], tuple[float, ...]] = lambda p: ()) -> Operator:  # fmt: skip
    """Across the symbols known at one bar."""
    return Operator(name, 1, says, "Kakushadze 2016, 101 Formulaic Alphas", params, aliases, unit, kernel,
                    state=lambda p: state, floats=floats, cross=True)  # fmt: skip
