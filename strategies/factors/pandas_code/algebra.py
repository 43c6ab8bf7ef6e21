"""Arithmetic, comparison and choice between series as pandas does them, with the operators of the language.

pandas divides by zero to an infinity, compares NaN to False and keeps booleans apart from numbers. A plain `div` stands where the
divisor cannot be zero or the dividend is zero with it, so that code and text of one factor share their key.
"""

import math
from collections.abc import Iterable

from strategies.errors import BadConstant, BadSyntax, TooBig
from strategies.factors.graph import CONST, FIELD, Node, call, const
from strategies.factors.pandas_code.numbers import label, number_node
from strategies.factors.pandas_code.values import Kind, Series

DEEPEST = 120  # levels of a graph while it is built; what the limits allow in the end is less
ABOVE = frozenset({"open", "high", "low", "close", "vwap", "mark_price", "index_price"})  # never zero
NOT_BELOW = frozenset({"volume", "turnover", "open_interest", "news_count", "tvl", "trades"})
_SPREADING = frozenset({
    "add", "sub", "mul", "div", "div_inf", "neg", "abs", "sign", "log", "log_inf", "log1p", "log1p_inf", "exp", "sqrt", "pow", "tanh",
    "min", "max", "clip", "keep", "round", "floor", "ceil", "finite", "square", "inv", "sigmoid",
})  # fmt: skip  # NaN where an argument is
_LOGICAL = (Kind.BOOL, Kind.BIT)
_MEANS = frozenset({"ts_mean", "ts_sum", "ts_max", "ts_median", "roll_mean", "roll_sum", "roll_max", "ewm_mean", "ema", "ts_product"})


def column(node: Node) -> Series:
    """A field."""
    assert node.op == FIELD
    return Series(node, low=2 if node.text in ABOVE else int(node.text in NOT_BELOW))


def as_series(value: "Series | float | bool") -> Series:
    """A number as the same number at every bar."""
    if isinstance(value, Series):
        return value
    if isinstance(value, bool):
        return Series(const(int(value)), Kind.BOOL, low=1, known=True)
    if math.isinf(value):
        raise BadConstant("infinity is not a value here")
    kind = Kind.INT if isinstance(value, int) else Kind.FLOAT
    return Series(number_node(value), kind, low=2 if value > 0 else int(value == 0), known=value == value)


def labelled(text: str) -> Series:
    """A text as the same label at every bar."""
    return Series(const(label(text)), Kind.TEXT, low=2, known=True)


def constant(s: Series) -> bool:
    return not s.node.inputs()


def standing(s: Series, clock: Node) -> Series:
    """A constant series as one that begins where the data begin: what looks back must not see it before."""
    if not constant(s):
        return s
    return s.copy(node=call("where", call("is_nan", clock), s.node, s.node))


def result(node: Node, *parts: Series, kind: Kind = Kind.FLOAT, low: int = 0, known: bool | None = None, inf: bool | None = None) -> Series:
    """A series made of others: infinite, known, full and gappy as they are."""
    if node.depth > DEEPEST:
        raise TooBig("the formula nests too deeply", suggestion="use fewer steps, or rolling windows instead of sums of shifts")
    rows = _both(parts)
    sure = all(p.known for p in parts) and not any(p.inf for p in parts) if known is None else known
    return Series(
        node, kind, low=low,
        inf=any(p.inf for p in parts) if inf is None else inf,
        known=sure,
        full=any(p.full for p in parts) and not sure, rows=rows,
        owes=rows is not None and (node.op not in _SPREADING or any(p.owes for p in parts)),
        array=bool(parts) and all(p.array or constant(p) for p in parts),
    )  # fmt: skip


def _both(parts: Iterable[Series]) -> Node | None:
    """The rows that are there in each."""
    rows: Node | None = None
    for part in parts:
        if part.rows is not None and part.rows is not rows:
            rows = part.rows if rows is None else call("and", rows, part.rows)
    return rows


def gaps(x: Node) -> Node:
    """1 where it is not known, 0 where it is, NaN before the first bar that it is of."""
    return call("delay", gaps(x.args[0]), *x.params) if x.op == "delay" else call("is_nan", x)


def settled(s: Series) -> Series:
    """As long as the table again: not known where rows were removed."""
    if s.rows is None:
        return s
    if not s.owes:
        return s.copy(rows=None)
    kind = Kind.OBJECT if s.kind == Kind.BOOL else Kind.FLOAT
    return s.copy(node=call("keep", s.node, s.rows), kind=kind, known=False, rows=None, owes=False)


def finite(s: Series) -> Series:
    """Infinite values as NaN, where there may be any."""
    return s.copy(node=call("finite", s.node), inf=False, known=False) if s.inf else s


def arithmetic(op: str, a: Series, b: Series) -> Series:
    if Kind.TEXT in (a.kind, b.kind):
        raise BadSyntax("labels are compared, not computed with")
    if a.kind == b.kind == Kind.BOOL:
        return _of_booleans(op, a, b)
    whole = {a.kind, b.kind} <= {Kind.INT, Kind.BIT, Kind.BOOL} and op in ("add", "sub", "mul")
    kind = Kind.INT if whole else Kind.FLOAT
    if op == "mul" and {a.kind, b.kind} == {Kind.BIT, Kind.BOOL}:
        kind = Kind.BIT
    match op:
        case "add":
            low = max(a.low, b.low) if a.low and b.low else 0
        case "sub":
            low = int((a.node.op == b.node.op == FIELD and (a.node.text, b.node.text) in _ORDERED) or a.node is b.node)
        case "mul":
            low = 1 if a.node is b.node else min(a.low, b.low)
        case "div":
            return divided(a, b)
        case "pow":
            return power(a, b)
        case "floordiv" | "mod":
            return _modulo(op, a, b)
        case _:
            raise BadSyntax(f"{op} is not an operation between series")
    return result(call(op, a.node, b.node), a, b, kind=kind, low=low)


_ORDERED = frozenset({("high", "low"), ("high", "close"), ("high", "open"), ("close", "low"), ("open", "low")})


def divided(a: Series, b: Series) -> Series:
    low = min(a.low, b.low)
    if a.kind == b.kind == Kind.BOOL:
        raise BadSyntax("pandas does not divide booleans", suggestion="use .astype(float)")
    safe = b.low == 2 or (b.node.op == CONST and b.node.params[0] != 0)
    if safe:
        return result(call("div", a.node, b.node), a, b, low=low, inf=a.inf, known=a.known and b.known and not (a.inf and b.inf))
    if _vanishes(a, b) and not (a.inf or b.inf):
        return result(call("div", a.node, b.node), a, b, low=int(low > 0), inf=False, known=False)
    return result(call("div_inf", a.node, b.node), a, b, low=int(low > 0), inf=True, known=False)


def _vanishes(a: Series, b: Series) -> bool:
    """b = 0 only where a = 0: x over the mean or sum of x where x >= 0, and (x - mean of x) over the deviation of x."""
    top, under = a.node, b.node
    if under.op in _MEANS and a.low and under.args[0] is top:
        return True
    return (
        under.op == "ts_std" and top.op == "sub" and under.args[0] is top.args[0]
        and top.args[1].op == "ts_mean" and top.args[1].args == under.args and top.args[1].params == under.params
    )  # fmt: skip


def power(a: Series, b: Series) -> Series:
    if b.node.op != CONST:
        return result(call("power", a.node, b.node), a, b, low=a.low and 1, inf=True, known=False)
    exponent = b.node.params[0]
    if exponent == 0.5:
        return root(a)
    if exponent < 0:
        return divided(as_series(1.0), power(a, as_series(-exponent)))
    low = a.low or int(exponent % 2 == 0)
    whole = float(exponent).is_integer()
    op = "pow" if whole and exponent <= 4 else "power"
    return result(call(op, a.node, b.node), a, b, low=low, inf=a.inf or exponent > 8, known=None if whole else False)


def root(a: Series) -> Series:
    return result(call("sqrt", a.node), a, low=a.low, known=a.known and a.low > 0 and not a.inf)


def _modulo(op: str, a: Series, b: Series) -> Series:
    """a // b and a % b by a constant, floored as Python does."""
    if b.node.op != CONST or not b.node.params[0] > 0 or not float(b.node.params[0]).is_integer():
        raise BadConstant("// and % are understood by a positive whole constant")
    count = call("floor", call("div", a.node, b.node))
    if op == "floordiv":
        return result(count, a, b, low=int(a.low > 0))
    return result(call("sub", a.node, call("mul", count, b.node)), a, b, low=1, inf=False, known=False)


def _of_booleans(op: str, a: Series, b: Series) -> Series:
    match op:
        case "add":
            return logical("or", a, b)
        case "mul":
            return logical("and", a, b)
    raise BadSyntax("booleans are not subtracted or divided", suggestion="use .astype(int)")


def negative(a: Series) -> Series:
    if a.kind in (Kind.BOOL, Kind.TWOS):
        raise BadSyntax("a boolean has no negative", suggestion="use ~")
    kind = Kind.INT if a.kind in (Kind.INT, Kind.BIT) else Kind.FLOAT
    return result(call("neg", a.node), a, kind=kind, low=int(_not_above(a.node)))


def _not_above(x: Node) -> bool:
    """where(0 > x, x, 0) and min(x, 0) are not above zero."""
    if x.op == "min":
        return x.args[1].op == CONST and x.args[1].params[0] <= 0
    if x.op != "where" or x.args[2].op != CONST or not x.args[2].params[0] <= 0:
        return False
    test = x.args[0].args[0] if x.args[0].op == "nan_to" else x.args[0]
    return test.op in ("gt", "ge") and test.args[1] is x.args[1] and test.args[0].op == CONST and test.args[0].params[0] <= 0


def compare(op: str, a: Series, b: Series) -> Series:
    """True or False; False where either is NaN, but for `!=`."""
    node = call(op, a.node, b.node)
    if not (a.known and b.known):
        node = call("nan_to", node, int(op == "ne"))
    return result(node, a, b, kind=Kind.BOOL, low=1, known=True, inf=False)


def compare_infinite(op: str, a: Series, above: bool) -> Series:
    """Against +inf or -inf."""
    hit = logical("and", infinite(a), compare("gt" if above else "lt", a, as_series(0)))
    sure = {"eq": hit, "ne": inverted(hit), "lt" if above else "gt": logical("and", inverted(missing(a)), inverted(hit))}
    sure |= {"ge" if above else "le": hit, "le" if above else "ge": inverted(missing(a))}
    return sure.get(op) or Series(const(0), Kind.BOOL, low=1, known=True)


def missing(a: Series) -> Series:
    """isna."""
    node = const(0) if a.known else call("is_nan", a.node)
    return result(node, a, kind=Kind.BOOL, low=1, known=True, inf=False)


def infinite(a: Series) -> Series:
    """isinf."""
    node = call("and", call("not", call("is_nan", a.node)), call("is_nan", call("finite", a.node))) if a.inf else const(0)
    return result(node, a, kind=Kind.BOOL, low=1, known=True, inf=False)


def truth(a: Series) -> Series:
    """As a condition: booleans as they are, gaps in booleans False, numbers by being non-zero (NaN is)."""
    if a.kind in _LOGICAL:
        return a.copy(kind=Kind.BOOL)
    if a.kind == Kind.OBJECT:
        return result(call("nan_to", a.node, 0), a, kind=Kind.BOOL, low=1, known=True)
    return compare("ne", a, as_series(0))


def logical(op: str, a: Series, b: Series) -> Series:
    """`&`, `|`, `^` of booleans, or of whole numbers that are 0 or 1."""
    for side in (a, b):
        if side.kind in (Kind.FLOAT, Kind.INT) and not constant(side):
            raise BadSyntax("& and | stand between conditions", suggestion="write (a > b) & (c > d)")
    kind = Kind.BIT if a.kind == b.kind == Kind.BIT else Kind.BOOL
    x, y = truth(a), truth(b)
    node = call("ne", x.node, y.node) if op == "xor" else call(op, x.node, y.node)
    return result(node, x, y, kind=kind, low=1, known=True, inf=False)


def inverted(a: Series) -> Series:
    """`~`; of filled, once shifted booleans, which are objects, pandas gives -2 and -1, and both are true."""
    if a.kind == Kind.OBJECT and a.known:
        return a.copy(node=call("sub", call("neg", a.node), 1), kind=Kind.TWOS, low=0)
    if a.kind != Kind.BOOL:
        raise BadSyntax("~ stands before a condition", suggestion="compare first, or fill the gaps: x.shift(1, fill_value=False)")
    return result(call("not", a.node), a, kind=Kind.BOOL, low=1, known=True)


def choose(condition: Series, yes: Series, no: Series) -> Series:
    """np.where."""
    condition = truth(condition)
    kinds = {yes.kind, no.kind}
    if Kind.TEXT in kinds and not all(s.kind == Kind.TEXT or _nothing(s) for s in (yes, no)):
        raise BadSyntax("labels and numbers do not stand in one column")
    kind = (
        Kind.TEXT
        if Kind.TEXT in kinds
        else kinds.pop()
        if len(kinds) == 1
        else (Kind.INT if kinds <= {Kind.INT, Kind.BIT, Kind.BOOL} else Kind.FLOAT)
    )
    if kind == Kind.INT and all(constant(s) and s.node.op == CONST and s.node.params[0] in (0, 1) for s in (yes, no)):
        kind = Kind.BIT
    if not (constant(yes) and constant(no)):  # as long as these, whatever the condition is
        condition = condition.copy(rows=None)
    inf = yes.inf or no.inf
    low, known = min(yes.low, no.low), yes.known and no.known
    if condition.node.op == CONST:
        return (yes if condition.node.params[0] else no).copy(kind=kind)
    if _nothing(no):
        node = call("keep", yes.node, condition.node)
        return result(
            node,
            condition,
            yes,
            kind=Kind.OBJECT if kind == Kind.BOOL else kind if kind == Kind.TEXT else Kind.FLOAT,
            low=yes.low,
            known=False,
            inf=inf,
        )
    if _nothing(yes):
        node = call("keep", no.node, call("not", condition.node))
        return result(node, condition, no, kind=kind if kind == Kind.TEXT else Kind.FLOAT, low=no.low, known=False, inf=inf)
    node = yes.node if yes.node is no.node else call("where", condition.node, yes.node, no.node)
    low = low or _side(condition.node, yes, no)
    return result(node, condition, yes, no, kind=kind, low=low, known=known, inf=inf).copy(full=yes.full and no.full)


def _side(condition: Node, yes: Series, no: Series) -> int:
    """where(x > 0, x, 0) is not below zero, nor is where(x < 0, -x, 0)."""
    test = condition.args[0] if condition.op == "nan_to" else condition
    if test.op not in ("gt", "ge") or not no.low:
        return 0
    over, under = test.args
    rising = over is yes.node and under.op == CONST and under.params[0] >= 0
    falling = over.op == CONST and over.params[0] <= 0 and yes.node.op == "neg" and yes.node.args[0] is under
    return int(rising or falling)


def filled(a: Series, value: Series) -> Series:
    """fillna."""
    if a.known:
        return a
    logical_kinds = a.kind in (Kind.BOOL, Kind.OBJECT)
    kind = Kind.OBJECT if logical_kinds and value.kind == Kind.BOOL else a.kind
    if logical_kinds and kind == a.kind and value.node.op == CONST and value.node.params[0] in (0, 1):
        kind = Kind.OBJECT
    value = settled(value)
    low, known = min(a.low, value.low), value.known
    if value.node.op == CONST and value.known:
        return result(call("nan_to", a.node, value.node.params[0]), a, kind=kind, low=low, known=True, inf=a.inf)
    if _nothing(value):
        return a
    return result(call("where", call("is_nan", a.node), value.node, a.node), a, value, kind=kind, low=low, known=known)


_TESTS = frozenset({"gt", "ge", "eq", "ne", "and", "or", "not", "is_nan", "sign"})
_CHOICES = frozenset({"where", "keep", "nan_to", "delay", "neg", "abs"})


def counts(node: Node) -> bool:
    """Its values are whole numbers of the size of one: conditions, signs and what is chosen between them."""
    if node.op == CONST:
        return node.params[0] in (-1, 0, 1)
    if node.op in _CHOICES:
        chosen = {"where": node.args[1:], "nan_to": node.args}.get(node.op, node.args[:1])
        return all(counts(a) for a in chosen)
    return node.op in _TESTS


def _nothing(s: Series) -> bool:
    return s.node.op == CONST and s.node.params[0] != s.node.params[0]


def larger(a: Series, b: Series, op: str = "max") -> Series:
    """np.maximum, np.minimum (NaN if either is), np.fmax, np.fmin (the known one)."""
    low = max(a.low, b.low) if op == "max" or (op == "fmax" and a.known and b.known) else min(a.low, b.low)
    if op in ("fmax", "fmin") and (a.known and b.known):
        op = op[1:]
    known = (a.known or b.known) if op.startswith("f") else None
    kind = Kind.INT if {a.kind, b.kind} <= {Kind.INT, Kind.BIT, Kind.BOOL} else Kind.FLOAT
    return result(call(op, a.node, b.node), a, b, kind=kind, low=low, known=known)


def held(a: Series, low: "Series | None", high: "Series | None") -> Series:
    """np.clip: within the bounds, NaN if any of them is."""
    if low is not None and high is not None and low.node.op == high.node.op == CONST and low.node.params[0] <= high.node.params[0]:
        node = call("clip", a.node, low.node.params[0], high.node.params[0])
        return result(node, a, low=max(low.low, a.low if high.low == 2 else 0), inf=False, known=a.known)
    done = a if low is None else larger(a, low, "max")
    done = done if high is None else larger(done, high, "min")
    return done.copy(inf=a.inf and (low is None or high is None))
