"""A value made of its own value at the bar before: a running sum, an exponential mean, a value held until a condition; nothing else."""

import math

from strategies.errors import BadSyntax
from strategies.factors.graph import CONST, Node, call, const
from strategies.factors.pandas_code import affine
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.numbers import number_node

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


def earlier(reader: "Reader", whole: Node, start: Node, first: int) -> Node:
    """The value of a carried name at the bar before; at the first turn what it was before the loop."""
    begun = call("is_nan", call("delay", call("is_nan", reader.clock), first + 1))
    return call("where", begun, start, call("delay", whole, 1))


def _refusal() -> BadSyntax:
    return BadSyntax(
        "a value made of its own earlier value is understood as a sum, an exponential mean or a value held",
        suggestion="use cumsum, ewm(adjust=False) or ffill",
    )


def solve(reader: "Reader", turn: Node, mine: Node, start: Node, first: int, *, from_before: bool = False) -> Node:
    """A value that is `turn` of its own value `mine` at the bar before.

    start  what it is at the bars before `first`; from_before: it is no value of a bar
    Raises BadSyntax where it is none of the kinds that are understood.
    """
    if mine in leaves(start) or (not from_before and not first):
        raise _refusal()
    begin = call("is_nan", call("delay", call("is_nan", reader.clock), first)) if first else const(0)
    if mine not in leaves(turn):
        return call("where", begin, start, turn) if first else turn
    held = _held(turn, mine)
    if held is not None:
        node = call("ffill", call("where", begin, start, held)) if first else call("nan_to", call("ffill", held), start)
        gaps = _gaps(turn, mine)
        if gaps is None:
            return node
        return call("keep", node, call("not", call("nan_to", call("ffill", call("where", begin, 0, gaps) if first else gaps), 0)))
    share, rest = _linear(turn, mine)
    if share == 1.0 and rest is not None:
        steps = call("where", begin, start, rest) if first else rest
        total = call("cumsum", steps)
        return _unbroken(total if first else call("add", total, start), steps)
    if share is not None and rest is not None and 0 < share < 1 and first <= 1:
        return _faded(reader, rest, share, start, first)
    made = affine.solved(reader.clock, turn, mine, start, begin) if _steps(turn, mine) is None else None
    return _restarted(turn, mine, start, begin, first) if made is None else made


def _faded(reader: "Reader", rest: Node, share: float, start: Node, first: int) -> Node:
    """share * itself + rest: an exponential mean of rest / (1 - share)."""
    x = _scaled(rest, 1 - share)
    span = float(f"{2 / (1 - share) - 1:.12g}")
    if _first_of(start) is x:
        source = x
    else:
        opening = call("is_nan", call("delay", call("is_nan", reader.clock), 1))
        own = start if first else call("add", call("mul", x, number_node(1 - share)), call("mul", start, number_node(share)))
        source = call("where", opening, own, x)
    return _unbroken(call("ewm_mean", source, span, 0, 1), source)


def _restarted(turn: Node, mine: Node, start: Node, begin: Node, first: int) -> Node:
    """Itself + a step, or a value of its own from which it begins again."""
    parts = _steps(turn, mine)
    if parts is None:
        raise _refusal()
    step, again = parts
    if first:
        step, again = call("where", begin, start, step), call("where", begin, 1, again)
    total = call("cumsum", step)
    base = call("ffill", call("keep", call("sub", total, step), again))
    return call("sub", total, base if first else call("nan_to", base, call("neg", start)))


def _steps(turn: Node, mine: Node) -> tuple[Node, Node] | None:
    """What is added, and where it begins again."""
    if mine not in leaves(turn):
        return turn, const(1)
    share, rest = _linear(turn, mine)
    if share == 1.0 and rest is not None:
        return rest, const(0)
    if turn.op != "where" or mine in leaves(turn.args[0]):
        return None
    yes, no = _steps(turn.args[1], mine), _steps(turn.args[2], mine)
    if yes is None or no is None:
        return None
    return call("where", turn.args[0], yes[0], no[0]), call("where", turn.args[0], yes[1], no[1])


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


def _gaps(turn: Node, mine: Node) -> Node | None:
    """Of such a choice: 1 where what is chosen is not known, NaN where the value itself stands; None where it is always known."""
    if turn is mine or turn.op != "where" or mine not in leaves(turn):
        return None if turn is mine or _number(turn) is not None else call("is_nan", turn)
    test, yes, no = turn.args
    compared = test.args[0] if test.op == "nan_to" else test
    first = None if compared.op in ("gt", "ge", "eq") and yes in compared.args else _gaps(yes, mine)
    second = _gaps(no, mine)
    if first is None and second is None:
        return None
    sides = [const(math.nan if v is mine else 0) if gaps is None else gaps for v, gaps in ((yes, first), (no, second))]
    return call("where", test, *sides)


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
    return call("div", rest, number_node(by))


def _no_zero(node: Node) -> Node:
    """Without `+ 0 x`, left of taking the value itself out."""
    if node.op in ("add", "sub") and _number(node.args[1]) == 0:
        return _no_zero(node.args[0])
    if node.op == "add" and _number(node.args[0]) == 0:
        return _no_zero(node.args[1])
    return node
