"""One reading of one text: what is known of the setting, the steps taken, the place that is being read."""

import ast
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from strategies.errors import BadSyntax, FactorError, TooBig, UnknownName
from strategies.factors.dialects import Setting, resolve
from strategies.factors.graph import Node, field, nearest
from strategies.factors.graph import call as node_of
from strategies.factors.pandas_code import above, ahead, algebra
from strategies.factors.pandas_code.values import Bar, Carried, Frame, Function, Kind, Module, Scope, Series, Value, Walk, Whole, is_number

MOST_STEPS = 20_000
KEEP = "keep a number in a name of its own, in a loop over the bars: total = total + x[i]"
COMMON = {"np": "numpy", "pd": "pandas", "math": "math", "talib": "talib", "ta": "pandas_ta", "pta": "pandas_ta", "stats": "scipy.stats",
          "numpy": "numpy", "pandas": "pandas", "scipy": "scipy", "warnings": "warnings", "pandas_ta": "pandas_ta"}  # fmt: skip


class Returned(NamedTuple):
    value: Value


class Leave(NamedTuple):
    """`break` or `continue`."""

    how: str


class Stale(NamedTuple):
    """A name that a loop over the bars changes, before it has done so in this turn, and that no formula can stand for."""

    start: Value


class Reader:
    """One reading of one text. `clock`: a field by which to tell bars that are from bars before the beginning."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.steps = 0
        self.depth = 0
        self.elementwise = 0
        self.walk: Walk | None = None
        self.sliced = False  # a part of a window was taken, so that a value may be there before the window is full
        self.fresh: dict[int, tuple[Value, int]] = {}  # what was made inside a loop, and how deep
        self.line, self.column = 1, 1
        known = [f for f in ("close", "open", "high", "low", "volume") if f in setting.fields]
        self.clock: Node = field(known[0] if known else min(setting.fields, default="close"))

    # -- names and fields

    def bar_column(self, name: str) -> Series:
        """A field by the name of a column. Raises UnknownName, LookAhead."""
        for spelling in (name, name.lower(), name.lower().replace(" ", "_")):
            if spelling in self.setting.fields:
                return algebra.column(field(spelling))
            if spelling in ("vwap", "returns"):
                node = resolve(spelling, self.setting)
                return Series(node, low=2 if spelling == "vwap" else 0, inf=False)
        ahead.refuse_name(name)
        raise UnknownName(
            f"no configured feed gives the column {name!r}, and the code does not make it", suggestion=nearest(name, self.setting.fields)
        )

    def look_up(self, name: str, scope: Scope) -> Value:
        at: Scope | None = scope
        while at is not None:
            if name in at.names:
                found = at.names[name]
                if isinstance(found, Stale):
                    raise BadSyntax(f"{name!r} is kept from one bar to the next", suggestion=KEEP)
                return Series(found.node) if isinstance(found, Carried) else found
            if name in at.lazy:
                at.names[name] = at.lazy.pop(name)()
                return at.names[name]
            at = at.outer
        if name in above.expressions.BUILTINS:
            return Module(f"builtins.{name}")
        if name in COMMON:
            return Module(COMMON[name])
        if name == "__name__":
            return "factor"
        ahead.refuse_name(name)
        raise UnknownName(f"{name!r} has no meaning here", suggestion="define it in the text, or make it an argument with a default")

    # -- bookkeeping

    def step(self, tree: ast.AST) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooBig(f"it takes more than {MOST_STEPS} steps to read", suggestion="use fewer loops")
        self.line, self.column = getattr(tree, "lineno", self.line), getattr(tree, "col_offset", self.column - 1) + 1

    @contextmanager
    def placed(self, tree: ast.AST) -> Iterator[None]:
        try:
            yield
        except FactorError as refusal:
            raise refusal.placed(getattr(tree, "lineno", 1), getattr(tree, "col_offset", 0) + 1) from None

    def value(self, tree: ast.expr, scope: Scope) -> Value:
        return above.expressions.value(self, tree, scope)

    # -- statements

    @contextmanager
    def element_by_element(self) -> Iterator[None]:
        """Inside `apply`: a series stands for one of its values, and an `if` over it takes both ways."""
        self.elementwise += 1
        try:
            yield
        finally:
            self.elementwise -= 1
            self.fresh = {key: made for key, made in self.fresh.items() if made[1] <= self.elementwise}

    def made(self, value: Value) -> Value:
        """A new list, dict or object: inside a loop it may change there."""
        if self.elementwise:
            self.fresh[id(value)] = (value, self.elementwise)
        return value

    def changing(self, owner: Value) -> None:
        """Refuse to change, inside a loop or a function of each value, what is there from one turn to the next."""
        found = self.fresh.get(id(owner))
        if self.elementwise and (found is None or found[0] is not owner or found[1] < self.elementwise):
            raise BadSyntax("a list, dict or object is kept from one bar to the next", suggestion=KEEP)

    def block(self, body: list[ast.stmt], scope: Scope) -> Returned | Leave | None:
        """Statements one by one, until one returns or leaves."""
        done: Returned | Leave | None = above.statements.block(self, body, scope)
        return done

    def call_function(self, function: Function, args: list[Value], named: Mapping[str, Value]) -> Value:
        """The value of a function of the text. Raises FactorError."""
        return above.statements.call_function(self, function, args, named)

    def truth(self, value: Value) -> bool:
        """A condition of `if`: known beforehand, or refused."""
        if isinstance(value, Whole):
            if value.guard is None:
                value.refuse()
            return bool(value.guard)
        if value is None or is_number(value) or isinstance(value, str | tuple | list | dict):
            return bool(value)
        if isinstance(value, Bar):
            raise BadSyntax("the number of a bar is no condition", suggestion="compare it: i > 0")
        if isinstance(value, Series | Frame):
            raise BadSyntax("the truth of a whole column is not one answer", suggestion="use np.where(condition, a, b)")
        return True

    def first_bars(self, count: int) -> Series:
        """True at the first `count` bars of the data."""
        if count == 0:
            return algebra.as_series(False)
        node = node_of("is_nan", node_of("delay", node_of("is_nan", self.clock), count))
        return Series(node, Kind.BOOL, low=1, known=True)
