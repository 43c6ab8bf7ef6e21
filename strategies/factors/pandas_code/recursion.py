"""A value made of its own value at the bar before: a running sum, an exponential mean, a value held until a condition; nothing else."""

import math
from typing import TYPE_CHECKING

from strategies.errors import BadSyntax
from strategies.factors.graph import CONST, Node, call, const
from strategies.factors.pandas_code.values import Series

if TYPE_CHECKING:
    from strategies.factors.pandas_code.reader import Reader

CLOSE = 1e-9


def leaves(node: Node) -> set[Node]:
    """Nodes without arguments."""
    found, seen, rest = set(), set(), [node]
    while rest:
        one = rest.pop()
        if one not in seen:
            seen.add(one)
            rest.extend(one.args)
            if not one.args:
                found.add(one)
    return found


def put_in(node: Node, for_: dict[Node, Node]) -> Node:
    """The graph with other nodes in the place of some."""
    done: dict[Node, Node] = dict(for_)
    stack = [node]
    while stack:
        one = stack[-1]
        if one in done:
            stack.pop()
            continue
        missing = [a for a in one.args if a not in done]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        args = [done[a] for a in one.args]
        done[one] = one if all(a is b for a, b in zip(args, one.args, strict=True)) else call(one.op, *args, *one.params)
    return done[node]


def solved(reader: "Reader", after: Node, before: Node, start: Series, first: int) -> Node:
    """The value of a carried name at the bar before: `after` is what a turn makes of it, `start` what it was before the loop."""
    whole = _solve(reader, after, before, start.node, first)
    return call("where", call("is_nan", call("delay", call("is_nan", reader.clock), first + 1)), start.node, call("delay", whole, 1))


def of_itself(reader: "Reader", node: Node, mine: Node, first: int) -> Node:
    """A column whose item is made of the item before: where(first bars, start, turn)."""
    if first < 1 or node.op not in ("where", "keep"):
        raise _refusal()
    if node.op == "keep":
        turn, start = node.args[0], const(math.nan)
    else:
        start, turn = node.args[1], node.args[2]
    if mine in leaves(start):
        raise _refusal()
    return _solve(reader, turn, mine, start, first)


def _refusal() -> BadSyntax:
    return BadSyntax(
        "a value made of its own earlier value is understood as a sum, an exponential mean or a value held",
        suggestion="use cumsum, ewm(adjust=False) or ffill",
    )


def _solve(reader: "Reader", turn: Node, mine: Node, start: Node, first: int) -> Node:
    begin = call("is_nan", call("delay", call("is_nan", reader.clock), first)) if first else const(0)
    held = _held(turn, mine)
    if held is not None:
        changed = call("where", begin, start, held) if first else held
        whole = call("ffill", changed)
        return whole if first else call("nan_to", whole, start) if start.op == CONST else whole
    share, rest = _linear(turn, mine)
    if share is None or rest is None:
        raise _refusal()
    if share == 1.0:
        steps = call("where", begin, start, rest) if first else rest
        total = call("cumsum", steps)
        if not first and start.op == CONST:
            total = call("add", total, start)
        return _unbroken(total, steps)
    if not 0 < share < 1 or first != 1:
        raise _refusal()
    x = _scaled(rest, 1 - share)
    span = float(f"{2 / (1 - share) - 1:.12g}")
    first_value = _first_of(start)
    if first_value is x or first_value.op == CONST:
        source = x if first_value is x else call("where", begin, first_value, x)
        return _unbroken(call("ewm_mean", source, span, 0, 1), source)
    return _unbroken(call("ewm_mean", call("where", begin, first_value, x), span, 0, 1), x)


def _unbroken(node: Node, of: Node) -> Node:
    """NaN from the first NaN on, as a loop of numbers has it."""
    return call("keep", node, call("eq", call("cumsum", call("is_nan", of)), 0))


def _first_of(start: Node) -> Node:
    """x[0] held at every bar, as x; where(first bar, x, 0) as x."""
    if start.op == "where":
        start = start.args[1]
    if start.op == "ffill" and start.args[0].op == "keep":
        return start.args[0].args[0]
    return start


def _held(turn: Node, mine: Node) -> Node | None:
    """A choice of which one branch is the value itself: NaN stands there, to be filled forwards."""
    if turn is mine:
        return const(math.nan)
    if mine not in leaves(turn):
        return turn
    if turn.op != "where" or mine in leaves(turn.args[0]):
        return None
    yes, no = _held(turn.args[1], mine), _held(turn.args[2], mine)
    return None if yes is None or no is None else call("where", turn.args[0], yes, no)


def _linear(turn: Node, mine: Node) -> tuple[float | None, Node | None]:
    """turn = share * mine + rest."""
    if turn is mine:
        return 1.0, const(0)
    if mine not in leaves(turn):
        return 0.0, turn
    if turn.op in ("add", "sub"):
        (p, a), (q, b) = _linear(turn.args[0], mine), _linear(turn.args[1], mine)
        if p is None or q is None or a is None or b is None:
            return None, None
        return (p + q if turn.op == "add" else p - q), call(turn.op, a, b)
    if turn.op in ("mul", "div"):
        one, by = turn.args
        number = _number(by)
        if number is None and turn.op == "mul":
            one, by, number = by, one, _number(one)
        if number is None:
            return None, None
        p, a = _linear(one, mine)
        if p is None or a is None:
            return None, None
        return (p * number if turn.op == "mul" else p / number), call(turn.op, a, by)
    return None, None


def _number(node: Node) -> float | None:
    """The value of a constant expression."""
    if node.op == CONST:
        return float(node.params[0])
    if node.inputs() or node.op not in ("add", "sub", "mul", "div"):
        return None
    a, b = _number(node.args[0]), _number(node.args[1])
    if a is None or b is None or (node.op == "div" and b == 0):
        return None
    return {"add": a + b, "sub": a - b, "mul": a * b, "div": a / b if b else 0.0}[node.op]


def _scaled(rest: Node, by: float) -> Node:
    """rest / by; the factor that was there is taken off."""
    rest = _no_zero(rest)
    if rest.op in ("mul", "div"):
        one, other = rest.args
        number = _number(other)
        if number is None and rest.op == "mul":
            one, number = other, _number(one)
        if number is not None and abs((number if rest.op == "mul" else 1 / number) / by - 1) < CLOSE:
            return one
    from strategies.factors.pandas_code.numbers import number_node

    return call("div", rest, number_node(by))


def _no_zero(node: Node) -> Node:
    """Without `+ 0 x`, left of taking the value itself out."""
    if node.op in ("add", "sub") and _number(node.args[1]) == 0:
        return _no_zero(node.args[0])
    if node.op == "add" and _number(node.args[0]) == 0:
        return _no_zero(node.args[1])
    return node
