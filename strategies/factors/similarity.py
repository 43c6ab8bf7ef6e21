"""How alike two factors are, for a miner that must not propose one factor under two names.

Two views of the same thing, both in [0, 1]. In the strict one, the subtrees that are the same in both graphs, as a share of all (Jaccard
over subtrees, as in the tree kernels of Collins and Duffy 2001). In the blurred one windows and constants do not count, and what is left
is compared with its multiplicity (Ruzicka's weighted Jaccard): `ts_mean(close, 20)` and `ts_mean(close, 30)` share it. Constants are no
subtrees: that both factors have a 1 somewhere makes nothing alike.
"""

from collections import Counter

from strategies.factors.check import distinct
from strategies.factors.graph import CONST, FIELD, Node
from strategies.factors.operators import OPERATORS

STRICT = 0.7  # the weight of the strict view; the blurred one has the rest

Shapes = dict[tuple[object, ...], int]


def similarity(a: Node, b: Node) -> float:
    """1 exactly where the factors are the same, 0 where they share nothing, not even a field; symmetric."""
    if a is b:
        return 1.0
    ours, theirs = set(_subtrees(a)), set(_subtrees(b))
    either = len(ours | theirs)
    strict = len(ours & theirs) / either if either else 0.0
    numbers: Shapes = {}
    first, second = _blurred(a, numbers), _blurred(b, numbers)
    total = sum((first | second).values())
    blurred = sum((first & second).values()) / total if total else 0.0
    return STRICT * strict + (1 - STRICT) * blurred


def _subtrees(node: Node) -> list[Node]:
    return [each for each in distinct([node]) if each.op != CONST]


def _blurred(node: Node, numbers: Shapes) -> Counter[int]:
    """How often each shape occurs; a shape is an operator over shapes, numbered in `numbers`, or a field."""
    shape: dict[Node, int] = {}
    for each in distinct([node]):
        row = OPERATORS.get(each.op)
        inner = [shape[argument] for argument in each.args]
        if row is not None and row.commutes:
            inner.sort()
        form = (FIELD, each.text) if each.op == FIELD else (each.op, *inner)
        shape[each] = numbers.setdefault(form, len(numbers))
    return Counter(shape[each] for each in shape if each.op != CONST)
