"""What a strategy's hook sees of one bar close: read-only."""

import math

import numpy as np

from feeds.bars import Array
from feeds.times import Millis

Floats = list[float]


class Bar:
    """One bar close of the whole universe. It is only valid while the hook runs: what is to be remembered is copied.

    time     the close, UTC milliseconds;  index  bars since 1970;  symbols  in their order everywhere
    warming  the session has not begun: what is wanted at this close is not traded
    """

    __slots__ = (
        "_asked",
        "_factors",
        "_names",
        "_places",
        "_present",
        "_prices",
        "_sides",
        "_targets",
        "index",
        "symbols",
        "time",
        "warming",
    )

    def __init__(self, symbols: tuple[str, ...], names: tuple[str, ...]) -> None:
        self.symbols = symbols
        self.time: Millis = 0
        self.index = 0
        self.warming = False
        self._names = {name: place for place, name in enumerate(names)}
        self._places = {symbol: place for place, symbol in enumerate(symbols)}
        self._factors: list[Floats] = []
        self._prices: Floats = []
        self._present: list[bool] = []
        self._targets: Floats = [math.nan] * len(symbols)
        self._sides = [0] * len(symbols)
        self._asked = ""

    def factor(self, name: str, symbol: str) -> float:
        """The value of a factor; NaN when it is not known."""
        self._asked = symbol
        return self._factors[self._names[name]][self._places[symbol]]

    def known(self, name: str, symbol: str) -> bool:
        """Whether the factor has a value."""
        value = self.factor(name, symbol)
        return value == value

    def factors(self, name: str) -> Array:
        """The values of a factor for every symbol, float64[S], NaN where not known: a copy."""
        return np.array(self._factors[self._names[name]])

    def price(self, symbol: str) -> float:
        """The last close that is known; NaN before the first."""
        self._asked = symbol
        return self._prices[self._places[symbol]]

    def prices(self) -> Array:
        """The last closes of every symbol, float64[S]: a copy."""
        return np.array(self._prices)

    def present(self, symbol: str) -> bool:
        """Whether the symbol has a bar at this close; one that has none is not traded."""
        self._asked = symbol
        return self._present[self._places[symbol]]

    def presence(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which symbols have a bar at this close, bool[S]: a copy."""
        return np.array(self._present)

    def target(self, symbol: str) -> float:
        """The target that was asked for last, NaN when there was none: what was wanted, not what is held."""
        self._asked = symbol
        return self._targets[self._places[symbol]]

    def side(self, symbol: str) -> int:
        """The side that was asked for last: 1, -1, or 0 for flat and for nothing yet."""
        self._asked = symbol
        return self._sides[self._places[symbol]]
