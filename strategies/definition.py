"""A loaded strategy with the values of its parameters, and what the engine makes of it.

The rule: whatever is declared as text becomes graphs of the causal language here, once, before the first bar.
"""

import ast
import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from feeds.times import Millis
from strategies.declared import tunables
from strategies.errors import FactorError, StrategyError
from strategies.factors import Node, call, const, field, parse, read
from strategies.factors.graph import FIELD
from strategies.fusion import Summed
from strategies.hook import HookPlan
from strategies.loading import load
from strategies.signals import Signal
from strategies.strategy import Strategy, Value

THRESHOLDS = ("entry_threshold", "exit_threshold", "min_confidence")
_NUMBER = re.compile(r"\s*\(?-?\d+(\.\d+)?\)?\s*")
_PLACE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


class Parts(NamedTuple):
    """What the engine needs of a strategy: the fields of an engine's plan that it decides."""

    signals: tuple[Signal, ...]
    fusion: Summed | None
    target: Node | None
    rebalance: int
    hook: HookPlan | None
    warm_up: int


class Definition(NamedTuple):
    """A strategy as a run has it.

    values  parameter -> value;  sha256  of the source, hex
    """

    kind: type[Strategy]
    values: Mapping[str, Value]
    source: str
    file: str
    sha256: str

    @classmethod
    def of(cls, source: str, file: str, given: Mapping[str, Any] | None = None) -> "Definition":
        """Load a strategy. Raises StrategyError, also for a parameter that it does not have or that does not fit.

        given  values of parameters; the others have their defaults
        """
        kind = load(source, file)
        known = tunables(kind)
        values: dict[str, Value] = {name: one.default for name, one in known.items()}
        for name, value in (given or {}).items():
            if name not in known:
                raise StrategyError(f"{file}  it has no parameter {name}; it has {', '.join(known) or 'none'}")
            said = known[name].fits(value)
            if said:
                raise StrategyError(f"{file}  the parameter {name} {said}")
            values[name] = known[name].of(float(value) if isinstance(known[name].default, float) else value)
        return cls(kind, values, source, file, hashlib.sha256(source.encode()).hexdigest())

    @property
    def name(self) -> str:
        """The name of its class."""
        return self.kind.__name__

    def rules(self) -> dict[str, Any]:  # Any: settings of several kinds
        """Its settings of [trading] and its thresholds, placeholders filled."""
        return {name: self._filled(value) for name, value in self.kind.rules.items()}

    def texts(self) -> dict[str, str]:
        """Everything that it declares as text, by name, placeholders filled: factors first."""
        kind = self.kind
        score = {"score": kind.score} if isinstance(kind.score, str) else kind.score
        found = {**kind.factors, **{name: signal.value for name, signal in kind.signals.items()}, **score, "target": kind.target}
        return {name: self._text(text) for name, text in found.items() if text}

    def parts(self, timeframe: Millis, fields: Collection[str]) -> Parts:
        """What the engine needs. Raises StrategyError naming the file, the line and the text.

        fields  words of the language: columns of bars and what the feeds give
        """
        kind = self.kind
        factors = self._factors(timeframe, fields)

        def graph(table: str, name: str, text: str) -> Node:
            if _NUMBER.fullmatch(self._text(text)):
                return const(float(self._text(text).strip(" ()")))
            with _Naming(self, table, name):
                words = {*fields, *factors}
                return _replaced(parse(self._text(text), timeframe=timeframe, fields=words, units=False), factors)

        sure = graph("confidence", "", kind.confidence) if kind.confidence else const(1.0)
        target = graph("target", "", kind.target) if kind.target else None
        every, warm_up = self._whole("rebalance", 1), self._whole("warm_up", 0)
        if kind.decide is not Strategy.decide:
            signals = tuple(Signal(name, 1.0, node, const(1.0)) for name, node in factors.items())
            return Parts(signals, None, None, every, HookPlan(kind, self.values, self.file), warm_up)
        if kind.signals:
            fused = tuple(
                Signal(name, self._weight(name), graph("signals", name, one.value), graph("signals", name, one.confidence))
                for name, one in kind.signals.items()
            )
            return Parts(fused, None, target, every, None, warm_up)
        score = {"score": kind.score} if isinstance(kind.score, str) else kind.score
        shares = [Signal(name, 1.0, graph("score", name, text), sure) for name, text in score.items() if text]
        if target is not None and not shares:
            shares = [Signal("target", 1.0, target, sure)]
        return Parts(tuple(shares), Summed(), target, every, None, warm_up)

    def _factors(self, timeframe: Millis, fields: Collection[str]) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for name, text in self.kind.factors.items():
            with _Naming(self, "factors", name):
                node = read(self._text(text), dialect=self.kind.dialect, timeframe=timeframe, fields={*fields, *found}).node
                found[name] = _replaced(node, found)
        return found

    def _weight(self, name: str) -> float:
        weight = self._filled(self.kind.signals[name].weight)
        if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0.0 <= weight <= 1e6:
            raise StrategyError(f"{self._place('signals', name)}  the weight of {name} is {weight!r}; give a number that is not negative")
        return float(weight)

    def _whole(self, name: str, least: int) -> int:
        value = self._filled(getattr(self.kind, name))
        if type(value) is not int or value < least:
            raise StrategyError(f"{self._place(name, '')}  {name} is {value!r}; give a whole number of bars, at least {least}")
        return value

    def _filled(self, value: Any) -> Any:  # Any: settings of several kinds
        """A declared value; text that is nothing but a placeholder is the parameter's value."""
        if not isinstance(value, str):
            return value
        only = _PLACE.fullmatch(value)
        return self._value(only[1]) if only else self._text(value)

    def _text(self, text: str) -> str:
        """A declared text with the values of its placeholders."""
        return _PLACE.sub(lambda found: _written(self._value(found[1])), text)

    def _value(self, name: str) -> Value:
        if name not in self.values:
            known = ", ".join(self.values) or "none"
            raise StrategyError(f"{self._place('', '{' + name + '}')}  there is no parameter {name}; it has {known}")
        return self.values[name]

    def _place(self, table: str, name: str) -> str:
        return f"{self.file}:{_line_of(self.source, table, name)}"


class _Naming:
    """A text that is no factor is told with its file, its line and its name."""

    def __init__(self, definition: Definition, table: str, name: str) -> None:
        self._definition, self._table, self._name = definition, table, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FactorError):
            place = self._definition._place(self._table, self._name)
            told = f"{self._table}[{self._name!r}]" if self._name else self._table
            hint = f"; {error.suggestion}" if error.suggestion else ""
            raise StrategyError(f"{place}  {told}: {error.message}{hint} ({error.code})") from error


def _written(value: Value) -> str:
    """A parameter as text of the language; what is negative in brackets."""
    if isinstance(value, str):
        return value
    text = f"{float(value):.12g}"
    return f"({text})" if value < 0 else text


def _replaced(node: Node, factors: Mapping[str, Node]) -> Node:
    """The graph with the factors in place of their names."""
    done: dict[Node, Node] = {}

    def of(each: Node) -> Node:
        if each not in done:
            if each.op == FIELD:
                done[each] = factors.get(each.text, field(each.text))
            elif each.args:
                done[each] = call(each.op, *(of(arg) for arg in each.args), *each.params)
            else:
                done[each] = each
        return done[each]

    return of(node)


def _line_of(source: str, table: str, name: str) -> int:
    """The line at which a class declares something: the value of a key of a dict, else the declaration, else the text itself."""
    best = 1
    for node in ast.walk(ast.parse(source)):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=declared)], value=value)
                | ast.AnnAssign(target=ast.Name(id=declared), value=ast.expr() as value)
            ):
                if table and declared == table:
                    best = value.lineno
                    if isinstance(value, ast.Dict):
                        keys = [key.lineno for key in value.keys if isinstance(key, ast.Constant) and key.value == name]
                        best = keys[0] if keys else best
                        return best
            case ast.Constant(value=str(text)) if not table and name in text:
                return node.lineno
            case _:
                pass
    return best
