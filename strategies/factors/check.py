"""What makes a graph legal: size, look-back, state, units."""

from collections.abc import Iterator
from typing import NamedTuple

from strategies.errors import BadWindow, TooBig, UnitMismatch
from strategies.factors.graph import CONST, FIELD, Node
from strategies.factors.operators import OPERATORS


class Limits(NamedTuple):
    """What a factor may cost.

    look_back   bars in total, through nested windows
    state       bytes a symbol
    """

    nodes: int
    depth: int
    look_back: int
    state: int


TEXT = Limits(nodes=256, depth=32, look_back=100_000, state=64 << 20)
GRAPH = Limits(nodes=1 << 20, depth=1 << 10, look_back=1 << 22, state=1 << 30)  # built in code: only memory sets limits


class Unit(NamedTuple):
    """Powers of price, of volume and of time; a rate has none, money is price x volume."""

    price: float = 0.0
    volume: float = 0.0
    time: float = 0.0


RATE, PRICE, VOLUME, MONEY, TIME = Unit(), Unit(1), Unit(0, 1), Unit(1, 1), Unit(0, 0, 1)
NAMES = {RATE: "a rate", PRICE: "a price", VOLUME: "a volume", MONEY: "money", TIME: "time"}
FIELDS = {
    **dict.fromkeys(("open", "high", "low", "close", "vwap", "mark_price", "index_price"), PRICE),
    "volume": VOLUME, "turnover": MONEY,
    **dict.fromkeys(("returns", "funding_rate", "sentiment_news", "sentiment_social", "news_count"), RATE),
}  # fmt: skip


def distinct(roots: "list[Node]") -> "list[Node]":
    """Every node once, arguments before what uses them; the order depends on the roots alone."""
    seen: dict[Node, None] = {}
    for root in roots:
        stack: list[tuple[Node, Iterator[Node]]] = [] if root in seen else [(root, iter(root.args))]
        while stack:
            _, rest = stack[-1]
            argument = next((a for a in rest if a not in seen), None)
            if argument is not None:
                stack.append((argument, iter(argument.args)))
            else:
                seen.setdefault(stack.pop()[0])
    return list(seen)


def state_bytes(nodes: "list[Node]") -> int:
    """Bytes a symbol that these nodes keep between bars: rings and state."""
    rings = {node: 1 for node in nodes}
    total = 0
    for node in nodes:
        row = OPERATORS.get(node.op)
        if row is not None:
            total += row.state(node.params)
            for argument in node.args:
                rings[argument] = max(rings[argument], row.reads(node.params) + 1)
    return 8 * (total + sum(rings.values()))


def reach(nodes: "list[Node]") -> int:
    """Bars that the last of these nodes looks back through all that it is made of, also where its windows need not be full."""
    bars: dict[Node, int] = {}
    for node in nodes:
        row = OPERATORS.get(node.op)
        own = 0 if row is None else max(row.look_back(node.params), row.reads(node.params) - 1)
        bars[node] = own + max((bars[a] for a in node.args), default=0)
    return bars[nodes[-1]]


def check(node: Node, limits: Limits = TEXT, *, units: bool = True) -> None:
    """Raise BadWindow, TooBig or UnitMismatch where the graph is not legal."""
    if node.depth > limits.depth:
        raise TooBig(f"it nests {node.depth} levels, at most {limits.depth}", suggestion="split it into several factors")
    nodes = distinct([node])
    if len(nodes) > limits.nodes:
        raise TooBig(f"it has {len(nodes)} nodes, at most {limits.nodes}", suggestion="split it into several factors")
    if reach(nodes) > limits.look_back:
        raise BadWindow(f"it looks back {reach(nodes)} bars in total, at most {limits.look_back}", suggestion="use shorter windows")
    if state_bytes(nodes) > limits.state:
        raise TooBig(f"it keeps {state_bytes(nodes)} bytes a symbol, at most {limits.state}", suggestion="use shorter windows")
    if units:
        unit_of(node)


def unit_of(node: Node) -> Unit | None:
    """The unit of a factor's value; None where it is free (a metric without a known unit). Raises UnitMismatch."""
    units: dict[Node, Unit | None] = {}
    for each in distinct([node]):
        units[each] = _unit(each, units)
    return units[node]


def _unit(node: Node, units: "dict[Node, Unit | None]") -> Unit | None:
    if node.op == FIELD:
        return FIELDS.get(node.text)
    if node.op == CONST:
        return RATE
    args = [units[a] for a in node.args]
    match OPERATORS[node.op].unit:
        case "rate":
            return RATE
        case "time":
            return TIME
        case "first":
            return args[0]
        case "free":  # a product of many: only rates keep their unit
            return RATE if args[0] == RATE else None
        case "same":
            return _common(node, node.args, units)
        case "compare":
            _common(node, node.args, units)
            return RATE
        case "branches":
            return _common(node, node.args[1:], units)
        case "product":
            return _product(args[0], args[1], 1.0)
        case "ratio":
            timeless = args[0] == TIME and _constant(node.args[1])  # bars out of so many bars
            return RATE if timeless else _product(args[0], args[1], -1.0)
        case "square":
            return _power(args[0], 2.0)
        case "root":
            return _power(args[0], 0.5)
        case "power":
            return _power(args[0], float(node.args[1].params[0])) if node.args[1].op == CONST else None
        case rule:
            raise AssertionError(f"{node.op} has no unit rule {rule!r}")


def _common(node: Node, args: "tuple[Node, ...]", units: "dict[Node, Unit | None]") -> Unit | None:
    """The one unit that all have; constants and free metrics go with anything."""
    known = [(a, units[a]) for a in args if units[a] is not None and not _constant(a)]
    for argument, unit in known[1:]:
        if unit != known[0][1]:
            mixed = UnitMismatch(
                f"{node.op} of {_name(known[0][1])} ({_short(known[0][0])}) and {_name(unit)} ({_short(argument)})",
                suggestion="compare rates: divide by a mean, or use ts_zscore or ts_rank",
            )
            mixed.with_rate = RATE in (known[0][1], unit)
            raise mixed
    if known:
        return known[0][1]
    return RATE if all(_constant(a) for a in args) else None


def _constant(node: Node) -> bool:
    return node.op == CONST or (bool(node.args) and all(_constant(a) for a in node.args))


def _product(a: Unit | None, b: Unit | None, sign: float) -> Unit | None:
    return None if a is None or b is None else Unit(a.price + sign * b.price, a.volume + sign * b.volume, a.time + sign * b.time)


def _power(a: Unit | None, n: float) -> Unit | None:
    return None if a is None else Unit(a.price * n, a.volume * n, a.time * n)


def _name(unit: Unit | None) -> str:
    if unit is None:
        return "an unknown unit"
    parts = [f"{name}^{power:g}" for name, power in zip(unit._fields, unit, strict=True) if power]
    return NAMES.get(unit, " x ".join(parts))


def _short(node: Node) -> str:
    return node.text if len(node.text) <= 40 else f"{node.text[:37]}..."
