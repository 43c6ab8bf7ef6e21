"""A window against constant weights: a running mean, linear or exponential weights where they are such, else term by term."""

from itertools import pairwise

from strategies.errors import TooBig
from strategies.factors.graph import Node, call
from strategies.factors.pandas_code import algebra
from strategies.factors.pandas_code.numbers import number_node
from strategies.factors.pandas_code.values import Series

SAME = 1e-12  # of the largest weight
MOST_TERMS = 64


def dot(x: Series, weights: tuple[float, ...]) -> Series:
    """sum of weights[i] x[i], the oldest first; NaN unless all of them are known."""
    n = len(weights)
    largest = max(abs(w) for w in weights)
    if n == 1:
        node = call("mul", x.node, number_node(weights[0]))
    elif largest == 0:
        node = call("mul", call("ts_sum", x.node, n), 0)
    else:
        node = _affine(x.node, weights, largest) or _exponential(x.node, weights) or _terms(x.node, weights)
    low = min(x.low, 2 if min(weights) > 0 else 1 if min(weights) >= 0 else 0)
    done = algebra.result(node, x, low=low, known=False, inf=False)
    done.full = True
    return done


def _affine(x: Node, weights: tuple[float, ...], largest: float) -> Node | None:
    """Weights a + b i: part of a plain sum, part of a linearly weighted mean."""
    n = len(weights)
    step = (weights[-1] - weights[0]) / (n - 1)
    if any(abs(w - (weights[0] + i * step)) > SAME * largest for i, w in enumerate(weights)):
        return None
    if abs(step) * n <= SAME * largest:
        return call("mul", call("ts_sum", x, n), number_node(weights[0]))
    middle = (weights[0] + weights[-1]) / 2
    if abs(middle) <= SAME * largest:
        return call("mul", call("ts_slope", x, n), number_node(step * n * (n * n - 1) / 12))
    start = weights[0] - step
    rising = call("mul", call("decay_linear", x, n), number_node(step * n * (n + 1) / 2))
    if abs(start) <= SAME * largest:
        return rising
    return call("add", rising, call("mul", call("ts_sum", x, n), number_node(start)))


def _exponential(x: Node, weights: tuple[float, ...]) -> Node | None:
    """Weights q ** age."""
    newest = weights[-1]
    if newest == 0 or weights[-2] / newest <= 0 or weights[-2] / newest > 1:
        return None
    ratio = weights[-2] / newest
    if any(abs(old - new * ratio) > 1e-9 * abs(new) for old, new in pairwise(weights)):
        return None
    return call("mul", call("decay_exp", x, len(weights), float(f"{ratio:.12g}")), number_node(sum(weights)))


def _terms(x: Node, weights: tuple[float, ...]) -> Node:
    if len(weights) > MOST_TERMS:
        raise TooBig(f"{len(weights)} weights one by one, at most {MOST_TERMS}", suggestion="use linear or exponential weights")
    newest = len(weights) - 1
    terms = [call("mul", call("delay", x, newest - i), number_node(w)) for i, w in enumerate(weights) if w or i in (0, newest)]
    return total(terms)


def total(terms: list[Node]) -> Node:
    """The sum as a tree that is not deep."""
    return joined("add", terms)


def joined(op: str, terms: list[Node]) -> Node:
    while len(terms) > 1:
        pairs = [call(op, a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + ([terms[-1]] if len(terms) % 2 else [])
    return terms[0]
