"""What a name stands for while code is read: a series is a node of the graph, a frame is its columns, a number is itself.

Python's own int, float, bool, str, None, tuple, list and dict stand for themselves. Series and Frame are mutable, as in pandas, so that
two names of one object stay one object.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn

from strategies.errors import BadConstant, BadSyntax, BadWindow, LookAhead, WrongArity
from strategies.factors.graph import Node

Value = Any  # one of the kinds below, or a Python value: the reader asks with isinstance before it uses one


class Kind(StrEnum):
    """What pandas' dtype would be. BIT: whole numbers that are 0 or 1; OBJECT: booleans with gaps; TWOS: `~` of those, -1 or -2;
    TEXT: labels, each a number of its own."""

    FLOAT = "float"
    INT = "int"
    BIT = "bit"
    BOOL = "bool"
    OBJECT = "object"
    TWOS = "twos"
    TEXT = "text"


@dataclass(slots=True, eq=False)
class Series:
    """A column of the table.

    inf      it may be infinite
    low      2 above zero, 1 not below zero, 0 unknown
    known    it is never NaN
    full     NaN wherever the window that is being reduced is not full (inside `rolling.apply`)
    rows     where the rows are that were not removed, None for all; windows over it would skip gaps; owes: it has values elsewhere too
    array    a numpy array rather than a pandas Series;  carried  stands for its own value at the bar before, in a loop that sets items
    """

    node: Node
    kind: Kind = Kind.FLOAT
    inf: bool = False
    low: int = 0
    known: bool = False
    full: bool = False
    rows: Node | None = None
    owes: bool = False
    array: bool = False
    name: str = ""
    carried: Node | None = None

    def become(self, other: "Series") -> None:
        """Changed in place, as by `x[mask] = 0`."""
        self.node, self.kind, self.inf, self.low, self.known = other.node, other.kind, other.inf, other.low, other.known
        self.owes = self.rows is not None

    def copy(self, **changes: Any) -> "Series":
        parts = {name: getattr(self, name) for name in self.__slots__}
        return Series(**{**parts, **changes})


@dataclass(slots=True, eq=False)
class Frame:
    """Columns in order. `bars`: it is the table of bars itself, with columns added perhaps; `array`: numpy's, which spreads NaN."""

    columns: dict[str, Series] = field(default_factory=dict)
    bars: bool = False
    array: bool = False

    def copy(self) -> "Frame":
        return Frame(dict(self.columns), self.bars)


@dataclass(slots=True)
class Rolling:
    """A window of `n` bars over a series or each column of a frame; a value once `known` values are known."""

    over: Series | Frame
    n: int
    known: int


@dataclass(slots=True)
class Expanding:
    over: Series | Frame
    known: int


@dataclass(slots=True)
class Ewm:
    over: Series | Frame
    span: float
    adjust: bool
    known: int
    ignore_na: bool


@dataclass(slots=True)
class Window:
    """The last `n` values of a series as a vector, oldest first: weights x factor x (of - centre) ** power, or its size.

    raw    a numpy array rather than a pandas Series; known: how many values must be known (all of them, but for min_periods)
    loose  a part of a column in a loop: as many bars as it says, of which pandas skips the unknown
    part   only the values that are known: those that a condition chose, x[x > 0], so that it has no fixed length
    short  it may hold fewer than n values, as at the beginning where min_periods is below the window
    """

    of: Series
    n: int
    known: int
    raw: bool = True
    centre: Series | None = None
    power: int = 1
    absolute: bool = False
    factor: Series | None = None
    weights: tuple[float, ...] | None = None
    part: bool = False
    loose: bool = False
    short: bool = False

    def copy(self, **changes: Any) -> "Window":
        parts = {name: getattr(self, name) for name in self.__slots__}
        return Window(**{**parts, **changes})

    @property
    def plain(self) -> bool:
        """Nothing but the values themselves."""
        return self.centre is None and self.power == 1 and not self.absolute and self.factor is None and self.weights is None


@dataclass(slots=True)
class Items:
    """The values of a window one by one, oldest first; at most some dozens."""

    items: list[Series]
    raw: bool = True


@dataclass(slots=True)
class Last:
    """A vector of which only the newest value is known: the ranks of a window."""

    value: Series


@dataclass(slots=True)
class Record:
    """What a fit gives: `fit.slope`, `fit[0]`."""

    parts: dict[str, Value]


@dataclass(slots=True)
class Short:
    """An array less its first `lost` and its last `missing` values."""

    of: Series
    lost: int
    missing: int = 0


@dataclass(slots=True, frozen=True)
class Vector:
    """Constant numbers in a row: weights."""

    items: tuple[float, ...]


@dataclass(slots=True, frozen=True)
class Rows:
    """How many bars there are, plus `plus`: a large number that nobody knows."""

    plus: int = 0


@dataclass(slots=True, frozen=True)
class Bar:
    """The loop variable that walks over bars from `first` on, plus `plus`; `clipped`: but at least 0."""

    plus: int = 0
    first: int = 0
    clipped: bool = False


@dataclass(slots=True, frozen=True)
class Walk:
    """A loop over the bars from `first` on; `item` is what its variable stands for at each."""

    first: int
    item: Value


@dataclass(slots=True, frozen=True)
class Index:
    """The index of the frame, less its first `lost` and its last `missing` bars."""

    lost: int = 0
    missing: int = 0


@dataclass(slots=True, frozen=True)
class Columns:
    """The columns of a frame, as `df.columns`."""

    of: Frame

    def has(self, name: str) -> bool:
        return name in self.of.columns

    def names(self) -> list[str]:
        return list(self.of.columns)


@dataclass(slots=True, frozen=True)
class Module:
    """A module or what stands in one, by its full name: `numpy.where`."""

    path: str


@dataclass(slots=True, frozen=True)
class Method:
    """A method of a value, not called yet."""

    of: Value
    name: str


@dataclass(slots=True, frozen=True)
class Located:
    """`x.loc`, `x.iloc`, `x.at`, `x.iat`."""

    of: "Series | Frame | Window | Items | Last | Vector"
    how: str


@dataclass(slots=True)
class Function:
    """A function of the text, read again at each call; `vectorised`: np.vectorize was put over it."""

    name: str
    arguments: ast.arguments
    body: list[ast.stmt] | ast.expr
    scope: "Scope"
    bound: Value = None
    is_method: bool = False
    vectorised: bool = False


@dataclass(slots=True)
class Partial:
    """functools.partial."""

    function: Value
    args: tuple[Value, ...]
    named: dict[str, Value]


@dataclass(slots=True)
class Instance:
    """An object of a class of the text: its attributes and methods."""

    attributes: dict[str, Value]
    methods: Mapping[str, ast.FunctionDef]
    scope: "Scope"
    owner: "Class | None" = None


@dataclass(slots=True)
class Class:
    tree: ast.ClassDef
    scope: "Scope"


GAPS = "gaps"


@dataclass(slots=True)
class Whole:
    """Something about the whole sample, bars to come included: it may guard, but never be a value. `how`: what to write instead.

    guard  how it stands for a long table: True or False, Rows for many, GAPS for whether values are missing; None: it may not guard
    """

    what: str
    how: str
    guard: Value = None

    def refuse(self) -> NoReturn:
        raise LookAhead(f"{self.what} takes in the whole sample, bars to come included", suggestion=self.how)


@dataclass(slots=True)
class Scope:
    """Names, and the scope around it; `lazy`: statements of the module that a name is read from when it is first asked for;
    `shared`: names that `global` or `nonlocal` says belong to a scope around."""

    names: dict[str, Value]
    outer: "Scope | None" = None
    lazy: dict[str, Callable[[], Value]] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)

    def put(self, name: str, value: Value) -> None:
        home: Scope = self
        while name in home.shared and home.outer is not None:
            home = home.outer
            while home.outer is not None and name not in home.names and name not in home.lazy:
                home = home.outer
        home.names[name] = value


class Written(float):
    """A number of more than 12 digits that remembers how it was made, so that it can be written out: sqrt(252)."""

    node: Node

    def __new__(cls, value: float, node: Node) -> "Written":
        made = super().__new__(cls, value)
        made.node = node
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Written, (float(self), self.node)


class Appended:
    """A list that grows by one value a bar: `before` were in it when the loop began."""

    def __init__(self, before: list[Value], node: Node) -> None:
        self.before, self.node = before, node
        self.value: Value = None

    def copy(self) -> "Appended":
        made = Appended(self.before, self.node)
        made.value = self.value
        return made

    def last(self, key: Value) -> Series:
        """made[-1], made[i - 1]: the value of the bar before."""
        if not self.before or self.value is not None or not (key == -1 or (isinstance(key, Bar) and key.plus == -1)):
            raise BadSyntax("of the list that a loop makes only the last value is understood")
        return Series(self.node)


class Carried:
    """A name that the loop changes, before it has done so in this turn: its value of the bar before."""

    def __init__(self, start: Value, node: Node) -> None:
        self.start, self.node = start, node


class Given:
    """The arguments of a call, taken one by one by place or name; what is left over at the end is an error."""

    def __init__(self, name: str, args: list[Value], named: dict[str, Value]) -> None:
        self.name, self.args, self.named = name, list(args), dict(named)

    def take(self, name: str, default: Value = None) -> Value:
        if self.args:
            if name in self.named:
                raise WrongArity(f"{self.name} gets {name!r} twice")
            return self.args.pop(0)
        return self.named.pop(name, default)

    def need(self, name: str) -> Value:
        if not self.args and name not in self.named:
            raise WrongArity(f"{self.name} needs its {name!r}")
        return self.take(name)

    def drop(self, *names: str) -> "Given":
        """Named arguments that change nothing here."""
        for name in names:
            self.named.pop(name, None)
        return self

    def done(self) -> None:
        if self.args or self.named:
            extra = ", ".join([*("one more" for _ in self.args), *self.named])
            raise WrongArity(f"{self.name} is not understood with {extra}", suggestion="leave it out")


def is_number(value: Value) -> bool:
    return isinstance(value, int | float)


_OF_BARS = frozenset({"the window", "min_periods", "the shift", "the difference", "the change"})


def whole(value: Value, what: str) -> int:
    """A whole number, given as 20 or 20.0. Raises BadWindow where it counts bars, else BadConstant."""
    if isinstance(value, Whole):
        value.refuse()
    if not is_number(value) or isinstance(value, bool) or value != value or abs(value) > 1e9 or value != int(value):
        wrong = BadWindow if what in _OF_BARS else BadConstant
        raise wrong(f"{what} must be a whole number known beforehand")
    return int(value)
