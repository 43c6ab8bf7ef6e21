"""What a strategy is made of: the words that a strategy file is written in.

A strategy is a class with declarations (factors, parameters, rules, and a score, signals or targets over the factors: all of them
text in the causal language, computed for whole blocks) or with a hook, `decide`, that is called once at every bar close, in order.
The rule: a strategy is pure. What it remembers stands in annotated attributes of the class and is plain values, so that the same
bars give the same decisions however they are cut, after a restart and when a run is verified.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, TypeVar, cast

import msgspec

from feeds.bars import Array
from feeds.times import Millis
from strategies.bar import Bar
from strategies.events import Side

__all__ = ["FLAT", "HOLD", "LONG", "SHORT", "Array", "Bar", "Parameter", "Side", "Signal", "Strategy", "Target", "Targets"]

LONG: Final = Side.LONG
SHORT: Final = Side.SHORT
HOLD: Final = Side.HOLD
FLAT: Final = 0.0  # a target of nothing

Value = bool | int | float | str
T = TypeVar("T", bool, int, float, str)


class Tunable(msgspec.Struct, frozen=True):
    """A declared parameter. `low` and `high` are included; `choices` are all that text may be."""

    default: Value
    low: float | None
    high: float | None
    step: float | None
    choices: tuple[Value, ...]
    says: str

    def fits(self, value: object) -> str:
        """Why a value cannot be this parameter's ("": it can)."""
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            return f"must be {_KINDS[kind]}, not {value!r}"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(map(repr, self.choices))}, not {value!r}"
        if isinstance(value, int | float):
            if not -1e9 <= value <= 1e9:  # NaN is not either
                return f"must be a number of at most a thousand million, not {value!r}"
            if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
                return f"must lie in [{self.low}, {self.high}], not {value!r}"
        return ""

    def of(self, value: Value) -> Value:
        """The value as the parameter's kind, with as many digits as a factor's text may have."""
        return float(f"{value:.12g}") if isinstance(self.default, float) else value


_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def Parameter(  # noqa: N802  it stands where a type would, and reads as one
    default: T,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    choices: Sequence[T] = (),
    says: str = "",
) -> T:
    """A number, text or truth that the configuration and sweeps may set: `entry: float = Parameter(0.3, low=0.1, high=0.6)`.

    low, high  the range, both included, that a sweep searches;  step: of that search;  choices: all that it may be
    """
    return cast("T", Tunable(default, low, high, step, tuple(choices), says))


class Signal(NamedTuple):
    """A view fused with others: `value` in [-1, 1] and `confidence` in [0, 1] as text over the factors; `weight` its share.

    A weight may be text too: `"{momentum}"` is the parameter of that name.
    """

    value: str
    confidence: str = "1"
    weight: float | str = 1.0


class Target(NamedTuple):
    """What a hook wants of one symbol.

    hold        LONG, SHORT or HOLD: the trader sizes it by the rules; a number: the signed fraction of equity to hold, 0 for flat
    score       in [-1, 1]; None: 1 for LONG, -1 for SHORT, unknown for HOLD, a fraction itself
    confidence  in [0, 1]
    parts       the declared contributions that add up to the score; None: the score is the first of them
    """

    hold: Side | float
    score: float | None = None
    confidence: float = 1.0
    parts: Mapping[str, float] | None = None


Targets = Mapping[str, Side | float | Target]  # symbol -> what is wanted of it


class Strategy:
    """To inherit from. What is declared here has a meaning; any other annotated attribute is the strategy's memory.

    factors        name -> text in the causal language (`close / delay(close, {lookback}) - 1`: `{lookback}` is a parameter); a factor may
                   use those above it; a hook reads their values
    score          text over the factors: LONG above the entry threshold, SHORT below minus it; or name -> text, contributions that add up
                   to it. confidence: text
    signals        name -> Signal: fused by weight and confidence
    target         text over the factors: the signed fraction of equity to hold; may stand beside a score that explains it
    rebalance      a target counts at every so many bar closes, counted since 1970
    rules          settings of [trading], and entry_threshold, exit_threshold and min_confidence, in place of those of the file
    contributions  names of the parts that the hook explains its score by
    warm_up        bars that the hook needs before its memory can be trusted; those of factors are known
    dialect        language of the factor texts
    """

    factors: ClassVar[Mapping[str, str]] = MappingProxyType({})
    score: ClassVar[str | Mapping[str, str]] = ""
    confidence: ClassVar[str] = ""
    signals: ClassVar[Mapping[str, Signal]] = MappingProxyType({})
    target: ClassVar[str] = ""
    rebalance: ClassVar[int | str] = 1
    rules: ClassVar[Mapping[str, Any]] = MappingProxyType({})  # Any: values as config.toml has them
    contributions: ClassVar[tuple[str, ...]] = ()
    warm_up: ClassVar[int | str] = 0
    dialect: ClassVar[str] = "auto"

    def begin(self, symbols: tuple[str, ...], timeframe: Millis) -> None:
        """Called once, before the first bar: make the memory as large as the universe or the parameters ask for."""

    def decide(self, bar: Bar) -> Targets | Array | None:
        """Called at every bar close, in order, the bars that only warm up included (`bar.warming`).

        Returns what is wanted, by symbol, or a target for each symbol as an array (NaN: no wish); a symbol left out, or None: nothing
        is wanted, a position stays as it is.
        """
        return None
