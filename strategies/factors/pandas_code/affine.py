"""A value that is a times its own last value plus b, with a and b of their own at each bar, held above or below a bound.

The rule: `recur` goes through the same operations as the loop does, an unknown value spreading as it does there.
"""

import math
from typing import NamedTuple

from strategies.factors.graph import CONST, Node, call, const


class Turn(NamedTuple):
    """factor * itself + step, then `side` (1 at least, -1 at most) of bound; lost: the bound where that is unknown."""

    factor: Node
    step: Node
    bound: Node | None = None
    side: int = 1
    lost: bool = False


def solved(clock: Node, turn: Node, mine: Node, start: Node, begin: Node) -> Node | None:
    """The value at each bar; where `begin` is true it is `start`, where `begin` is 0 it was `start` before the first bar.

    None where it is no such value.
    """
    found = _bounded(turn, mine)
    if found is None:
        return None
    unknown = const(math.nan)
    bound = unknown if found.bound is None else found.bound
    # an unknown factor begins anew: the loop's own unknown factor gives an unknown value instead
    step = found.step if found.factor.op == CONST else call("where", call("is_nan", found.factor), unknown, found.step)
    if begin.op == CONST:
        opening = call("is_nan", call("delay", call("is_nan", clock), 1))
        step = call("where", opening, call("add", call("mul", found.factor, start), found.step), step)
    else:
        opening = begin
        step = call("where", begin, start, step)
        bound = bound if found.bound is None else call("where", begin, unknown, bound)
    factor = call("where", opening, unknown, found.factor)
    return call("recur", factor, step, bound, found.side, int(found.lost))


def _reads(node: Node, mine: Node) -> bool:
    seen, rest = set(), [node]
    while rest:
        one = rest.pop()
        if one is mine:
            return True
        if one not in seen:
            seen.add(one)
            rest.extend(one.args)
    return False


def _bounded(turn: Node, mine: Node) -> Turn | None:
    if turn.op in ("max", "min", "fmax", "fmin"):
        x, bound = turn.args if _reads(turn.args[0], mine) else turn.args[::-1]
        return _held(x, bound, mine, 1 if turn.op in ("max", "fmax") else -1, lost=turn.op[0] == "f")
    if turn.op == "where":
        test = turn.args[0].args[0] if turn.args[0].op == "nan_to" else turn.args[0]
        if test.op in ("gt", "ge", "lt", "le") and set(test.args) == set(turn.args[1:]):
            yes, no = turn.args[1:]
            x, bound = (yes, no) if _reads(yes, mine) else (no, yes)
            larger = (test.op in ("gt", "ge")) == (test.args[0] is yes)
            return _held(x, bound, mine, 1 if larger else -1, lost=x is yes)
    parts = _parts(turn, mine)
    return None if parts is None else Turn(*parts)


def _held(x: Node, bound: Node, mine: Node, side: int, *, lost: bool) -> Turn | None:
    """A bound that may be unknown would bind or not by what stands first: only constants are taken."""
    parts = None if bound.op != CONST else _parts(x, mine)
    return None if parts is None else Turn(*parts, bound, side, lost)


def _parts(turn: Node, mine: Node) -> tuple[Node, Node] | None:
    """turn = factor * mine + step."""
    if turn is mine:
        return const(1), const(0)
    if not _reads(turn, mine):
        return const(0), turn
    match turn.op:
        case "neg":
            one = _parts(turn.args[0], mine)
            return None if one is None else (call("neg", one[0]), call("neg", one[1]))
        case "add" | "sub":
            sides = [_parts(arg, mine) for arg in turn.args]
            if sides[0] is None or sides[1] is None:
                return None
            return call(turn.op, sides[0][0], sides[1][0]), call(turn.op, sides[0][1], sides[1][1])
        case "mul" | "div" | "div_inf":
            x, by = turn.args if turn.op != "mul" or _reads(turn.args[0], mine) else turn.args[::-1]
            one = None if _reads(by, mine) else _parts(x, mine)
            return None if one is None else (call(turn.op, one[0], by), call(turn.op, one[1], by))
        case "where" if not _reads(turn.args[0], mine):
            yes, no = _parts(turn.args[1], mine), _parts(turn.args[2], mine)
            if yes is None or no is None:
                return None
            return call("where", turn.args[0], yes[0], no[0]), call("where", turn.args[0], yes[1], no[1])
    return None
