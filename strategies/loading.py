"""From the source of a strategy to its class: read first, and run only when nothing in it is impure.

What a strategy file may import and call is what `strategies.purity` lets pass; it runs with those names and no others.
"""

import builtins
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.abc import InspectLoader
from importlib.util import module_from_spec, spec_from_loader
from types import CodeType, MappingProxyType, ModuleType

from strategies.declared import MODULE, Blame, tunables
from strategies.errors import StrategyError
from strategies.purity import impurities
from strategies.purity.words import BUILTINS, DECLARATIONS
from strategies.strategy import Signal, Strategy

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
MOST_BARS = 10_000_000
_MARKET = frozenset({"open", "high", "low", "close", "volume", "turnover"})


@lru_cache(maxsize=16)
def load(source: str, file: str) -> type[Strategy]:
    """The strategy that a source declares. Raises StrategyError with every place that is wrong; then nothing of it has run.

    file  its name, for messages
    """
    found = impurities(source)
    if found:
        raise StrategyError(*(f"{file}:{one.line}:{one.column}  {one}" for one in found))
    module = _run(source, file)
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Strategy) and kind.__module__ == MODULE]
    leaves = [kind for kind in kinds if not any(kind in other.__mro__[1:] for other in kinds)]
    if len(leaves) != 1:
        names = ", ".join(kind.__name__ for kind in leaves)
        said = f"holds several strategies: {names}; keep one in a file" if leaves else "holds no class that inherits from Strategy"
        raise StrategyError(f"{file}:1:1  it {said}")
    for kind in kinds:
        for name, table in [*vars(kind).items()]:
            if name in DECLARATIONS and isinstance(table, dict):
                setattr(kind, name, MappingProxyType(table))  # all sessions share it
    problems = _problems(leaves[0])
    if problems:
        raise StrategyError(*(f"{file}:{_line(source, leaves[0].__name__, name)}:1  {said}" for name, said in problems))
    return leaves[0]


class _Loader(InspectLoader):
    """A module whose source is at hand."""

    def __init__(self, source: str, file: str) -> None:
        self._source, self._file = source, file

    def is_package(self, fullname: str) -> bool:
        return False

    def get_source(self, fullname: str) -> str:
        return self._source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, self._file)


def _run(source: str, file: str) -> ModuleType:
    loader = _Loader(source, file)
    spec = spec_from_loader(MODULE, loader, origin=file)
    assert spec is not None, "a loader was given"
    module = module_from_spec(spec)
    known = {name: getattr(builtins, name) for name in (*BUILTINS, "__build_class__", "__import__")}
    vars(module)["__builtins__"] = known  # numpy imports its own parts by the import of whoever calls it
    with Blame(file, "while it was read"):
        loader.exec_module(module)
    return module


def _line(source: str, name: str, declared: str) -> int:
    """Where a class declares something; its own line for what is not there."""
    lines = source.split("\n")
    begin = next((i for i, line in enumerate(lines) if re.match(rf"class {re.escape(name)}\b", line)), 0)
    return 1 + next((i for i in range(begin, len(lines)) if re.match(rf"\s+{re.escape(declared)}\s*[:=]", lines[i])), begin)


def _problems(kind: type[Strategy]) -> list[tuple[str, str]]:
    """What is wrong with the declarations: (name, what)."""
    found: list[tuple[str, str]] = []
    for name, one in tunables(kind).items():
        said = f"the parameter {name} {one.fits(one.default)}" if one.fits(one.default) else ""
        if one.low is not None and one.high is not None and one.low > one.high:
            said = f"the parameter {name} has low {one.low} above high {one.high}"
        found += [(name, said)] if said else []
    for name in ("factors", "signals", "rules"):
        found += [(name, said) for said in _table(name, getattr(kind, name))]
    if not isinstance(kind.score, str):
        found += [("score", said) for said in _table("score", kind.score)]
    for name in ("confidence", "target", "dialect"):
        if not isinstance(getattr(kind, name), str):
            found.append((name, f"{name} must be text"))
    for name, least in (("rebalance", 1), ("warm_up", 0)):
        value = getattr(kind, name)
        if not isinstance(value, str) and (type(value) is not int or not least <= value <= MOST_BARS):
            found.append((name, f"{name} must be a whole number of bars from {least} to {MOST_BARS}"))
    names = kind.contributions
    if not isinstance(names, tuple) or not all(isinstance(n, str) and NAME.fullmatch(n) for n in names) or len(set(names)) < len(names):
        found.append(("contributions", "contributions must be a tuple of different names in lower case"))
    hooked = kind.decide is not Strategy.decide
    if hooked and kind.rebalance != 1:
        found.append(("rebalance", "rebalance is of a declared target; a hook asks bar.index % n"))
    if kind.confidence and (hooked or kind.signals):
        found.append(("confidence", "confidence is of a declared score; a signal and a Target have their own"))
    ways = [name for name, given in (("score", kind.score), ("signals", kind.signals), ("decide", hooked)) if given]
    if len(ways) > 1 or (hooked and kind.target):
        found.append(
            (kind.__name__, f"it says in several ways what it wants ({', '.join([*ways, *['target'] * bool(kind.target)])}); keep one")
        )
    if not ways and not kind.target:
        found.append((kind.__name__, "it says nothing of what it wants: declare score, signals or target, or write decide(self, bar)"))
    return found


def _table(name: str, table: object) -> list[str]:
    """What is wrong with a declared mapping."""
    if not isinstance(table, Mapping):
        return [f"{name} must be a dict, not {type(table).__name__}"]
    said = [f"{name}: {key!r} is no name: lower-case letters, digits and underscores" for key in table if not _is_name(key)]
    for key, value in table.items():
        if name == "signals" and not isinstance(value, Signal):
            said.append(f"signals[{key!r}] must be a Signal")
        elif name in ("factors", "score") and not isinstance(value, str):
            said.append(f"{name}[{key!r}] must be text in the causal language")
        elif name == "factors" and key in _MARKET:
            said.append(f"factors[{key!r}] has the name of a column of the bars; give it another")
    return said


def _is_name(key: object) -> bool:
    return isinstance(key, str) and NAME.fullmatch(key) is not None
