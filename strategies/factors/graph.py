"""A factor as a graph: interned, immutable, canonical.

Equal factors are the same object: commutative arguments are sorted, constants folded in float64, and what is merely a definition
(`delta`, `<`) is written out. `key` is a hash of the canonical text, the same in every process; the text parses back to the node.
"""

import hashlib
import math
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final
from weakref import WeakValueDictionary

from strategies.errors import BadConstant, BadWindow, LookAhead, TooBig, UnknownName, WrongArity
from strategies.factors.operators import OPERATORS, Number, Operator, Param, Params

FIELD, CONST = "field", "const"
MAX_DEPTH: Final = 1_024
MAX_WHOLE: Final = 10**9  # of a window; kernels count in 64 bits
MAX_FLOAT: Final = 10**308  # a whole number beyond it is not a float64
MAX_TEXT_NODES: Final = 100_000  # written out as text; beyond it a graph is a mistake, not a factor
DIGITS: Final = 12  # a folded constant has at most as many as a written one may have, so that canonical text is legal text
LARGEST: Final = 1e9  # and no folded constant is larger than a written one may be
_BEYOND = {math.inf: "div_inf(1, 0)", -math.inf: "div_inf(-1, 0)"}
_SIGNS = {"add": "sub", "sub": "add"}  # a + -2 is a - 2, with the same bits
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_RESERVED = frozenset({"nan", "inf", "and", "or", "not", "if", "else", "true", "false", "none"})
_interned: "WeakValueDictionary[str, Node]" = WeakValueDictionary()


class Node:
    """A field, a constant, or an operator over nodes. Build it with `field`, `const`, `call`.

    text        canonical
    key         24 hex digits of the SHA-256 of `text`
    size        nodes when written out as a tree; depth of that tree (a leaf is 1)
    look_back   bars before its first value; warm_up  bars until history before them no longer matters (recursive: to 1e-12)
    """

    __slots__ = ("__weakref__", "args", "depth", "key", "look_back", "op", "params", "size", "text", "warm_up")

    op: str
    args: "tuple[Node, ...]"
    params: Params
    text: str
    key: str
    size: int
    depth: int
    look_back: int
    warm_up: int

    def __init__(self, op: str, args: "tuple[Node, ...]", params: Params, text: str) -> None:
        put = object.__setattr__
        row = OPERATORS.get(op)
        put(self, "op", op)
        put(self, "args", args)
        put(self, "params", params)
        put(self, "text", text)
        put(self, "key", hashlib.sha256(text.encode()).hexdigest()[:24])
        put(self, "size", 1 + sum(a.size for a in args))
        put(self, "depth", 1 + max((a.depth for a in args), default=0))
        put(self, "look_back", max((a.look_back for a in args), default=0) + (row.look_back(params) if row else 0))
        put(self, "warm_up", max((a.warm_up for a in args), default=0) + (row.warm_up(params) if row else 0))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a node is immutable: {name} cannot be set")

    def inputs(self) -> frozenset[str]:
        """The fields it reads."""
        found, seen, rest = set(), set(), [self]
        while rest:
            node = rest.pop()
            if node not in seen:
                seen.add(node)
                rest.extend(node.args)
                if node.op == FIELD:
                    found.add(node.text)
        return frozenset(found)

    def __repr__(self) -> str:
        return f"Node({self.text})"

    def __reduce__(self) -> "tuple[object, ...]":
        if self.op == FIELD:
            return field, (self.text,)
        if self.op == CONST:
            return const, (self.params[0],)
        return call, (self.op, *self.args, *self.params)


def field(name: str) -> Node:
    """A column of the snapshot: `close`, `funding_rate`."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UnknownName(f"{name!r} cannot be the name of a field", suggestion="use lower-case letters, digits and underscores")
    return _intern(FIELD, (), (), name)


def const(x: Number) -> Node:
    """A number. NaN is allowed here, and in text as 0 / 0; so are infinities, as div_inf(1, 0) and div_inf(-1, 0)."""
    value = float(x) + 0.0  # no negative zero
    return _intern(CONST, (), (value,), number_text(value))


def call(op: str, *args: Node | Number, **params: Number) -> Node:
    """An operator over nodes and numbers: `call("ts_mean", field("close"), 20)`. Params follow the series, or are named.

    Raises UnknownName, WrongArity, BadWindow, LookAhead, BadConstant.
    """
    row = OPERATORS.get(op)
    if row is None:
        raise UnknownName(f"there is no operator {op!r}", suggestion=nearest(op, OPERATORS))
    series = tuple(a if isinstance(a, Node) else const(a) for a in args[: row.series])
    values = _params(row, args[row.series :], params)
    if len(series) != row.series:
        raise WrongArity(f"{op} takes {row.series} series, not {len(series)}")
    if row.valid is not None:
        row.valid(values)
    for other in (row.simpler, row.means):
        node: Node | None = None if other is None else other(call, series, values)
        if node is not None:
            return node
    return _folded(row, series) or _built(row, series, values)


def nearest(name: str, names: Iterable[str]) -> str:
    """`did you mean ...`, or nothing."""
    near = get_close_matches(name, sorted(names), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""


def number_text(value: Number) -> str:
    """The shortest text that reads back as the same float64: 20, 0.001, -1e-09."""
    value = float(value)
    if not math.isfinite(value):
        return _BEYOND.get(value, "(0 / 0)")
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def digits(value: float) -> int:
    """Significant decimal digits of its shortest text."""
    return len(repr(abs(value)).partition("e")[0].replace(".", "").strip("0"))


def _params(row: Operator, positional: "tuple[Node | Number, ...]", named: dict[str, Number]) -> Params:
    if len(positional) > len(row.params):
        raise WrongArity(f"{row.name} takes {row.arities[-1]} arguments, not {row.series + len(positional)}")
    given = dict(zip((p.name for p in row.params), positional, strict=False))
    for name, value in named.items():
        if name in given or name not in {p.name for p in row.params}:
            raise WrongArity(f"{row.name} has no further parameter {name!r}")
        given[name] = value
    return tuple(parameter(row, p, given.get(p.name, p.default)) for p in row.params)


def parameter(row: Operator, param: Param, value: "Node | Number | None") -> Number:
    """A parameter that passed: a whole number of bars, or a number. Raises WrongArity, BadWindow, LookAhead, BadConstant."""
    if isinstance(value, Node) and value.op == CONST:
        value = value.params[0]
    if value is None:
        raise WrongArity(f"{row.name} needs its {param.name}")
    if isinstance(value, int) and abs(value) > MAX_FLOAT:
        value = math.inf if value > 0 else -math.inf
    if isinstance(value, Node | bool) or value != value:
        raise (
            BadWindow(f"the {param.name} of {row.name} must be a number")
            if param.whole
            else BadConstant(f"{row.name}: {param.name} must be a number")
        )
    if not param.whole:
        if value < param.least:
            raise BadConstant(f"the {param.name} of {row.name} must be at least {number_text(param.least)}, not {number_text(value)}")
        return float(f"{value:.{DIGITS}g}") + 0.0
    if param.shifts and value < 0:
        raise LookAhead(f"{row.name} by {number_text(value)} bars would read the future", suggestion="look back by 1 bar or more")
    if math.isinf(value) or value != int(value):
        raise BadWindow(f"the {param.name} of {row.name} must be a whole number of bars, not {value}")
    if value > MAX_WHOLE:
        raise BadWindow(f"the {param.name} of {row.name} must be at most {MAX_WHOLE}, not {number_text(value)}")
    if value < param.least:
        raise BadWindow(f"the {param.name} of {row.name} must be at least {number_text(param.least)}, not {number_text(value)}")
    return int(value)


def _folded(row: Operator, args: tuple[Node, ...]) -> Node | None:
    """The value of an operation on constants, where it can be written; `neg` also undoes itself."""
    if row.name == "neg" and args[0].op == "neg":
        return args[0].args[0]
    if row.fold is None or any(a.op != CONST for a in args):
        return None
    value = row.fold(*(a.params[0] for a in args))
    return const(value) if value is not None and (not math.isfinite(value) or _is_text(value)) else None


def _is_text(value: float) -> bool:
    """Whether text may have this number as a constant."""
    return digits(value) <= DIGITS and abs(value) <= LARGEST


def _built(row: Operator, args: tuple[Node, ...], params: Params) -> Node:
    if row.commutes:
        args = tuple(sorted(args, key=_order))
    if row.name in _SIGNS and args[1].op == CONST and args[1].params[0] < 0:
        return call(_SIGNS[row.name], args[0], -args[1].params[0])
    if sum(a.size for a in args) >= MAX_TEXT_NODES:
        raise TooBig(f"the graph has more than {MAX_TEXT_NODES} nodes when written out")
    if max((a.depth for a in args), default=0) >= MAX_DEPTH:
        raise TooBig(f"the graph nests more than {MAX_DEPTH} levels")
    inner = [_inner(a) for a in args]
    if row.symbol:
        text = f" {row.symbol} ".join(inner) if len(inner) == 2 else f"{row.symbol}{' ' if row.symbol == 'not' else ''}{inner[0]}"
    else:
        text = f"{row.name}({', '.join([a.text for a in args] + [number_text(p) for p in params])})"
    return _intern(row.name, args, params, text)


def _order(node: Node) -> tuple[bool, str]:
    return node.op == CONST, node.text


def _inner(node: Node) -> str:
    """As an operand: infix and signed things in brackets."""
    row = OPERATORS.get(node.op)
    bracket = row.symbol if row is not None else node.op == CONST and node.text.startswith("-")
    return f"({node.text})" if bracket else node.text


def _intern(op: str, args: tuple[Node, ...], params: Params, text: str) -> Node:
    found = _interned.get(text)
    if found is None:
        found = _interned.setdefault(text, Node(op, args, params, text))
    return found
