"""Which parameters to try next: every one of a grid, drawn at random, or where the tries so far look best (TPE, optuna).

The rule: the same seed and the same answers give the same tries, whoever computes them and in whatever order they come back. So tries are
asked for in rounds of a fixed size, and answered in the order in which they were asked for.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import numpy as np

from bot.errors import ConfigError

Value = bool | int | float | str
Tried = Mapping[str, Value]
ROUND = 4  # tries that are asked for at once
DIGITS = 6  # of a number that is tried
POINTS = 5  # of a range on a grid that names no step


class Dimension(msgspec.Struct, frozen=True):
    """What one name may be: a number in [low, high], in steps where there is one, evenly on a logarithm with `log`; or a choice."""

    name: str
    kind: Literal["float", "int", "choice"]
    low: float = math.nan
    high: float = math.nan
    step: float | None = None
    log: bool = False
    choices: tuple[Value, ...] = ()

    def points(self) -> tuple[Value, ...]:
        """Its values on a grid."""
        if self.kind == "choice":
            return self.choices
        if self.step is None:
            scale = np.geomspace if self.log else np.linspace
            found = [self.at(float(x)) for x in scale(self.low, self.high, POINTS)]
        else:
            found = [self.at(self.low + i * self.step) for i in range(math.floor((self.high - self.low) / self.step + 1e-9) + 1)]
        return tuple(dict.fromkeys(found))

    def at(self, x: float) -> Value:
        """The value nearest to x that it may have."""
        if self.step is not None:
            x = self.low + round((x - self.low) / self.step) * self.step
        x = min(self.high, max(self.low, x))
        return round(x) if self.kind == "int" else float(f"{x:.{DIGITS}g}")

    def drawn(self, dice: np.random.Generator) -> Value:
        """One of its values, each as likely as another."""
        if self.kind == "choice":
            return self.choices[int(dice.integers(len(self.choices)))]
        if self.step is not None:
            return self.at(self.low + self.step * int(dice.integers(math.floor((self.high - self.low) / self.step + 1e-9) + 1)))
        if self.kind == "int":
            return int(dice.integers(round(self.low), round(self.high) + 1))
        if self.log:
            return self.at(math.exp(dice.uniform(math.log(self.low), math.log(self.high))))
        return self.at(float(dice.uniform(self.low, self.high)))


class Sampler(Protocol):
    """Asks and is answered, in turn."""

    def ask(self, count: int) -> list[dict[str, Value]]:
        """At most so many tries; fewer when there are no more."""
        ...

    def tell(self, values: Sequence[float]) -> None:
        """What the tries that were asked for last came to, more is better; NaN: nothing that could be measured."""
        ...


class Grid:
    """Every combination, the last name fastest."""

    def __init__(self, space: Sequence[Dimension]) -> None:
        self._names = [one.name for one in space]
        self._rest = itertools.product(*(one.points() for one in space))

    def ask(self, count: int) -> list[dict[str, Value]]:
        return [dict(zip(self._names, values, strict=True)) for values in itertools.islice(self._rest, count)]

    def tell(self, values: Sequence[float]) -> None:
        """A grid does not learn."""


class Random:
    """Drawn evenly, none twice as long as there are others."""

    def __init__(self, space: Sequence[Dimension], seed: int) -> None:
        self._space, self._dice = space, np.random.default_rng(seed)
        self._seen: set[tuple[Value, ...]] = set()

    def ask(self, count: int) -> list[dict[str, Value]]:
        return [self._one() for _ in range(count)]

    def tell(self, values: Sequence[float]) -> None:
        """A draw does not learn."""

    def _one(self) -> dict[str, Value]:
        for _ in range(100):
            values = tuple(one.drawn(self._dice) for one in self._space)
            if values not in self._seen:
                break
        self._seen.add(values)
        return dict(zip((one.name for one in self._space), values, strict=True))


class Tpe:
    """Optuna's tree-structured Parzen estimator (Bergstra and others 2011)."""

    def __init__(self, space: Sequence[Dimension], seed: int) -> None:
        """Raises ConfigError where optuna is not installed."""
        try:
            import optuna
        except ImportError:
            raise ConfigError("the sampler tpe needs optuna: pip install 'sluice[sweep]', or take --sampler random or grid") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=2 * ROUND))
        self._failed = optuna.trial.TrialState.FAIL
        self._asked: list[Any] = []  # Any: optuna has no types of ours
        kinds = optuna.distributions
        self._distributions = {one.name: _distribution(one, kinds) for one in space}

    def ask(self, count: int) -> list[dict[str, Value]]:
        self._asked = [self._study.ask(self._distributions) for _ in range(count)]
        return [{one.name: self._value(one, trial.params[one.name]) for one in self._space} for trial in self._asked]

    def tell(self, values: Sequence[float]) -> None:
        for trial, value in zip(self._asked, values, strict=True):
            if math.isnan(value):
                self._study.tell(trial, state=self._failed)
            else:
                self._study.tell(trial, value)

    def _value(self, one: Dimension, given: Any) -> Value:  # Any: optuna has no types of ours
        return one.choices[int(given)] if one.kind == "choice" else one.at(float(given))


def _distribution(one: Dimension, kinds: Any) -> Any:  # Any: optuna has no types of ours
    if one.kind == "choice":
        return kinds.CategoricalDistribution(list(range(len(one.choices))))
    if one.kind == "int":
        step = round(one.step or 1)
        high = round(one.low) + (round(one.high) - round(one.low)) // step * step
        return kinds.IntDistribution(round(one.low), high, step=step, log=one.log and step == 1)
    top = one.high if one.step is None else one.low + math.floor((one.high - one.low) / one.step + 1e-9) * one.step
    return kinds.FloatDistribution(one.low, top, step=one.step, log=one.log and one.step is None)


SAMPLERS: dict[str, Callable[[Sequence[Dimension], int], Sampler]] = {
    "tpe": Tpe,
    "random": Random,
    "grid": lambda space, seed: Grid(space),
}


class Asked(NamedTuple):
    """A try and its number within its fold, from 0."""

    number: int
    values: dict[str, Value]
