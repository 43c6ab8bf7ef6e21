"""A strategy's hook, called at every bar close of a block in order.

The rule: what a hook decides follows from the bars alone. Its memory is its own copy of what its class declares, it sees one bar at a
time, and nothing that it is given can be changed.
"""

import copy
import math
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.bars import CLOSE, Array, Bars
from feeds.times import Millis, iso
from strategies.bar import Bar
from strategies.decision import REASONS, Codes
from strategies.declared import Blame, memory
from strategies.errors import StrategyError
from strategies.events import Reason, Side
from strategies.strategy import HOLD, LONG, Strategy, Target, Value

ONLY = "decide"  # the one contribution of a hook that declares none
CLOSE_ENOUGH = 1e-9
LARGEST = 100.0  # of a target, times equity
_CHOSEN, _LEFT_ALONE, _MISSING = (REASONS[reason] for reason in (Reason.CHOSEN, Reason.LEFT_ALONE, Reason.MISSING_BAR))
_PLAIN = (bool, int, float, str, bytes, type(None), np.generic, Enum)
_Row = tuple[int, int, int, float, float, float, tuple[float, ...]]  # row, symbol, side, score, confidence, target, parts


class HookPlan(NamedTuple):
    """A strategy with a hook and the values of its parameters; `file` is its name for messages."""

    kind: type[Strategy]
    values: Mapping[str, Value] = MappingProxyType({})
    file: str = "strategy"

    @property
    def names(self) -> tuple[str, ...]:
        """The contributions that it explains its score by."""
        return self.kind.contributions or (ONLY,)

    def begin(self, symbols: tuple[str, ...], factors: tuple[str, ...], timeframe: Millis) -> "Hook":
        """A strategy that has seen nothing yet."""
        return Hook(self, symbols, factors, timeframe)


class Said(NamedTuple):
    """What a hook wanted: arrays [T, S]; parts [T, contribution, S]. Codes are those of `decision`."""

    side: Codes
    reason: Codes
    score: Array
    confidence: Array
    target: Array
    parts: Array


class Hook:
    """One strategy at work."""

    def __init__(self, plan: HookPlan, symbols: tuple[str, ...], factors: tuple[str, ...], timeframe: Millis) -> None:
        self.names = plan.names
        self._plan, self._symbols = plan, symbols
        self._place = {symbol: place for place, symbol in enumerate(symbols)}
        self._bar = Bar(symbols, factors)
        self._prices: list[float] = [math.nan] * len(symbols)
        self._memory = memory(plan.kind)
        self._declared = set(vars(plan.kind))
        self._strategy = strategy = plan.kind.__new__(plan.kind)
        for name, value in {**self._memory, **plan.values}.items():
            setattr(strategy, name, copy.deepcopy(value))
        with Blame(plan.file, "in begin"):
            strategy.begin(symbols, timeframe)

    def look(self, bars: Bars, factors: Array, since: Millis) -> Said:
        """What it wants at each close of a block.

        factors  float64[T, factor, S];  since  bars that closed at or before it only warm up
        Raises StrategyError naming the file, the line, the bar and the symbol.
        """
        prices = self._carried(bars.values[:, CLOSE, :])
        present = ~np.isnan(bars.values[:, CLOSE, :])
        wanted: list[_Row] = []
        bar, decide, take = self._bar, self._strategy.decide, self._take
        first, timeframe = bars.first + 1, bars.timeframe
        live = since // timeframe - bars.first
        rows = zip(factors.tolist(), prices.tolist(), present.tolist(), strict=True)
        with _Place(self._plan, bar):
            for row, (bar._factors, bar._prices, bar._present) in enumerate(rows):
                bar.index = first + row
                bar.time = bar.index * timeframe
                bar.warming = row < live
                bar._asked = ""
                answer = decide(bar)
                if answer is not None:
                    take(row, answer, wanted)
        self._check_memory()
        return self._said(present, wanted)

    def state(self) -> dict[str, Any]:  # Any: plain values
        """A copy of what it remembers."""
        return {name: copy.deepcopy(getattr(self._strategy, name)) for name in self._memory}

    def _take(self, row: int, answer: Any, wanted: list[_Row]) -> None:  # Any: checked here
        """Note down an answer: what is wanted by symbol, or a target for each."""
        bar = self._bar
        if isinstance(answer, np.ndarray):
            if answer.shape != (len(self._symbols),):
                raise ValueError(
                    f"decide returned an array of shape {answer.shape}; a target for each of {len(self._symbols)} symbols is wanted"
                )
            pairs = [(place, value) for place, value in enumerate(answer.tolist()) if value == value]
        elif isinstance(answer, Mapping):
            pairs = [(self._of(symbol), value) for symbol, value in answer.items()]
        else:
            raise TypeError(f"decide returned {type(answer).__name__}; it returns a dict by symbol, an array of targets, or None")
        for place, value in pairs:
            if bar._present[place]:
                side, target, score, confidence, parts = self._read(place, value)
                wanted.append((row, place, side, score, confidence, target, parts))
                if not bar.warming and (side or target == target):
                    bar._targets[place], bar._sides[place] = target, side

    def _of(self, symbol: str) -> int:
        place = self._place.get(symbol)
        if place is None:
            raise KeyError(f"decide wants something of {symbol!r}, which is not traded here")
        self._bar._asked = symbol
        return place

    def _read(self, place: int, value: Any) -> tuple[int, float, float, float, tuple[float, ...]]:  # Any: checked here
        """(side, target, score, confidence, parts) of what is wanted of a symbol."""
        self._bar._asked = self._symbols[place]
        given = value if type(value) is Target else Target(value)
        hold = given.hold
        if isinstance(hold, Side):
            side, target = (0 if hold is HOLD else 1 if hold is LONG else -1), math.nan
            score = math.nan if hold is HOLD else float(side)
        elif isinstance(hold, int | float | np.integer | np.floating) and not isinstance(hold, bool):
            target = float(hold) + 0.0
            if not -LARGEST <= target <= LARGEST:
                raise ValueError(f"a target of {target} is no fraction of equity")
            side, score = (target > 0) - (target < 0), max(-1.0, min(1.0, target))
        else:
            raise TypeError(f"{hold!r} is nothing to want; want LONG, SHORT, HOLD, FLAT, a fraction of equity, or a Target")
        parts: tuple[float, ...] | None = None if given.parts is None else self._parts(given.parts)
        if given.score is not None:
            score = float(given.score)
            if not -1.0 <= score <= 1.0:
                raise ValueError(f"a score of {score} does not lie in [-1, 1]")
        elif parts is not None:
            score = max(-1.0, min(1.0, math.fsum(parts)))
        if parts is None:
            parts = (score, *(0.0,) * (len(self.names) - 1))
        elif given.score is not None and abs(math.fsum(parts) - score) > CLOSE_ENOUGH:
            raise ValueError(f"the parts add up to {math.fsum(parts)}, and the score is {score}")
        if not 0.0 <= given.confidence <= 1.0:
            raise ValueError(f"a confidence of {given.confidence} does not lie in [0, 1]")
        return side, target, score, float(given.confidence), parts

    def _parts(self, given: Mapping[str, float]) -> tuple[float, ...]:
        unknown = given.keys() - set(self.names)
        if unknown:
            raise KeyError(f"the part {min(unknown)!r} is not declared; declare contributions = {(*self.names, min(unknown))!r}")
        parts = tuple(float(given.get(name, 0.0)) for name in self.names)
        for name, part in zip(self.names, parts, strict=True):
            if not -LARGEST <= part <= LARGEST:  # NaN is not either
                raise ValueError(f"the part {name!r} of {part} is no part of a score")
        return parts

    def _carried(self, closes: Array) -> Array:
        """The last close known at each row; what is known at the last one is kept for the next block."""
        out = closes
        if np.isnan(closes).any() or any(price != price for price in self._prices):
            out = np.vstack([self._prices, closes])
            at = np.where(np.isnan(out), 0, np.arange(len(out))[:, None])
            np.maximum.accumulate(at, axis=0, out=at)
            out = np.take_along_axis(out, at, axis=0)[1:]
        self._prices = out[-1].tolist() if len(out) else self._prices
        return out

    def _said(self, present: NDArray[np.bool_], wanted: list[_Row]) -> Said:
        shape = present.shape
        side, reason = np.zeros(shape, np.int8), np.where(present, _LEFT_ALONE, _MISSING).astype(np.int8)
        score, confidence, target = np.full(shape, np.nan), np.zeros(shape), np.full(shape, np.nan)
        parts = np.full((shape[0], len(self.names), shape[1]), np.nan)
        if wanted:
            rows, places, sides, scores, sure, targets, shares = zip(*wanted, strict=True)
            at = np.array(rows), np.array(places)
            side[at], score[at], confidence[at], target[at] = sides, scores, sure, targets
            asked = (side[at] != 0) | ~np.isnan(target[at])
            reason[at] = np.where(asked, _CHOSEN, _LEFT_ALONE)
            parts[at[0], :, at[1]] = np.array(shares)
        return Said(side, reason, score, confidence, target, parts)

    def _check_memory(self) -> None:
        """What it remembers is declared and plain, and what is declared has not changed."""
        held = vars(self._strategy)
        strays = sorted(held.keys() - self._memory.keys() - self._plan.values.keys()) + sorted(
            vars(self._plan.kind).keys() - self._declared
        )
        changed = [name for name, value in self._plan.values.items() if held.get(name) != value]
        if strays or changed:
            said = f"self.{strays[0]} is not declared in the class" if strays else f"the parameter {changed[0]} was changed"
            raise StrategyError(f"{self._plan.file}  {said}: it would be lost with the session")
        for name in self._memory:
            try:
                strange = _strange(getattr(self._strategy, name))
            except RecursionError:
                strange = "itself"
            if strange:
                raise StrategyError(
                    f"{self._plan.file}  self.{name} holds {strange}: memory is plain values (numbers, text, lists, dicts, arrays), "
                    "so that it can be had again"
                )


class _Place(Blame):
    """Blames the strategy, and says at which bar and symbol it was."""

    def __init__(self, plan: HookPlan, bar: Bar) -> None:
        super().__init__(plan.file, line=plan.kind.decide.__code__.co_firstlineno)
        self._bar = bar

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        symbol = self._bar._asked or (self._bar.symbols[0] if len(self._bar.symbols) == 1 else "")
        self.where = f"at the bar that closed {iso(self._bar.time)}{f', symbol {symbol}' if symbol else ''}"
        super().__exit__(kind, error, trace)


def _strange(value: Any) -> str:  # Any: whatever a strategy remembers
    """What in a value is not plain ("": nothing)."""
    if isinstance(value, _PLAIN) or (isinstance(value, np.ndarray) and value.dtype != object):
        return ""
    if isinstance(value, Mapping):
        return next((said for pair in value.items() for part in pair if (said := _strange(part))), "")
    if isinstance(value, list | tuple | set | frozenset):
        return next((said for part in value if (said := _strange(part))), "")
    if hasattr(value, "__dataclass_fields__"):
        return next((said for name in value.__dataclass_fields__ if (said := _strange(getattr(value, name)))), "")
    return f"a {type(value).__name__}"
