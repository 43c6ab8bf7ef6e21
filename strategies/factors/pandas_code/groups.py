"""`groupby`: by symbol it changes nothing; by day or by runs of equal values, what accumulates within the group is causal."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from strategies.errors import BadSyntax
from strategies.factors.graph import CONST, Node, const
from strategies.factors.graph import call as node_of
from strategies.factors.pandas_code import above, ahead, algebra, times
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.values import Frame, Given, Kind, Series, Value, Whole, is_number, whole

_SYMBOLS = frozenset({"symbol", "ticker", "asset", "coin", "code", "instrument", "sid", "pair"})
_BACK = ("shift", "diff", "pct_change")
_WITHIN = frozenset(
    {"cumsum", "cumcount", "cummax", "cummin", "cumprod", "shift", "diff", "pct_change", "ffill", "rolling", "expanding", "ewm", "rank"}
)


@dataclass(slots=True)
class Grouped:
    """A frame or column in groups. starts: a condition, true at the first bar of each group; None where one symbol is one group."""

    of: Frame | Series
    starts: Series | None = None
    bars: int = 0
    by_value: bool = False


def group(reader: "Reader", of: Frame | Series, given: Given) -> Grouped:
    """`x.groupby(by)`. Raises LookAhead where groups are chosen by values."""
    by = given.take("by", given.named.pop("level", None))
    given.drop("group_keys", "as_index", "sort", "observed", "axis")
    if isinstance(by, list) and len(by) == 1:
        by = by[0]
    if isinstance(by, str) and isinstance(of, Frame) and by in of.columns and by.lower() not in _SYMBOLS:
        by = of.columns[by]
    if (isinstance(by, str) and by.lower() in _SYMBOLS) or (is_number(by) and by == 0):
        return Grouped(of)
    day = times.bars_a_day(by)
    if day:
        return Grouped(of, None, day)
    if isinstance(by, Series) and by.node.op == "cumsum" and by.low:  # it never falls, so that no group comes back
        starts = algebra.result(by.node.args[0], by, kind=Kind.BOOL, low=1, known=True)
        return Grouped(of, starts)
    return Grouped(of, None, 0, by_value=True)


def method(reader: "Reader", of: Grouped, given: Given, name: str) -> Value:
    """`x.groupby(by).name(...)`: measures of a whole group see its end."""
    if of.starts is None and not of.bars and not of.by_value:
        if name in ("apply", "transform", "pipe"):
            function = given.need("func")
            if isinstance(function, str):
                return above.methods.call(reader, of.of, given, function)
            return above.expressions.call(reader, function, [of.of, *given.args], given.named)
        return above.methods.call(reader, of.of, given, name)
    if name == "transform" and given.args and isinstance(given.args[0], str) and given.args[0] in _WITHIN | {"first"}:
        return method(reader, of, Given(str(given.args[0]), [], {}), str(given.args[0]))
    if name == "__getitem__":
        return replace(of, of=above.subscripts.get(reader, of.of, given.need("key")))
    rule = None if of.by_value else _RULES.get(name)
    if rule is None:
        if name in _WITHIN and name != "rank":
            raise BadSyntax(f"{name} within groups is not understood", suggestion="use rolling(n)")
        Whole(f"{name} of a group, which ends after the bar,", "use rolling(n) or expanding()").refuse()
    if of.starts is not None and of.starts.node.op == CONST:
        raise BadSyntax("groups by such values are not understood", suggestion="groupby(condition.cumsum()), or np.where(condition, x, 0)")
    if isinstance(of.of, Frame) and name == "cumcount":
        of = replace(of, of=Series(reader.clock))
    if isinstance(of.of, Frame):
        raise BadSyntax("name the column", suggestion="df.groupby(key)['close'].cumsum()")
    if name == "cumcount" and given.take("ascending", True) is not True:
        ahead.refuse("a count from the end of the group", "use cumcount()")
    count = given.take("periods", 1) if name in _BACK else 1
    given.drop("fill_method").done()
    if name in _BACK:
        return _back(reader, of.of, of, whole(count, "the shift"), name)
    return rule(reader, of.of, of)


def _total(reader: "Reader", x: Series, of: Grouped) -> Series:
    """Sum since the group began."""
    filled = algebra.filled(x, algebra.as_series(0)).node
    if of.bars:
        node = node_of("session_sum", filled, of.bars)
    else:
        assert of.starts is not None
        total = node_of("cumsum", filled)
        before = node_of("nan_to", _held(node_of("sub", total, filled), of.starts.node), 0)  # the first group begins with the data
        node = node_of("sub", total, before)
    if not x.known:
        node = node_of("keep", node, node_of("not", node_of("is_nan", x.node)))
    return algebra.result(node, x, low=x.low, known=x.known, kind=Kind.INT if x.kind != Kind.FLOAT else Kind.FLOAT)


def _held(x: Node, starts: Node) -> Node:
    """x as it was at the first bar of the group."""
    return node_of("ffill", node_of("keep", x, starts))


def _number(reader: "Reader", x: Series, of: Grouped) -> Series:
    """Bars since the group began, 0 at its first."""
    one = Series(node_of("where", node_of("is_nan", reader.clock), const(1), const(1)), Kind.INT, low=2, known=True)
    return algebra.arithmetic("sub", _total(reader, one, of), algebra.as_series(1)).copy(low=1)


def _starts(reader: "Reader", x: Series, of: Grouped) -> Node:
    """True at the first bar of each group, the first of which begins with the data."""
    return node_of("eq", _number(reader, x, of).node, 0)


def _first(reader: "Reader", x: Series, of: Grouped) -> Series:
    """The first known value of the group."""
    here = algebra.inverted(algebra.missing(x))
    so_far = _total(reader, here.copy(kind=Kind.INT), of).node
    held = _held(x.node, node_of("and", here.node, node_of("eq", so_far, 1)))
    return algebra.result(node_of("keep", held, so_far), x, low=x.low, known=False)


def _extreme(side: int) -> Callable[["Reader", Series, Grouped], Series]:
    """The largest or smallest since the group began."""

    def rule(reader: "Reader", x: Series, of: Grouped) -> Series:
        starts, unknown = _starts(reader, x, of), const(math.nan)
        node = node_of("recur", node_of("where", starts, unknown, 1), node_of("where", starts, x.node, 0), x.node, side, 1)
        return algebra.result(
            node if x.known else node_of("keep", node, node_of("not", node_of("is_nan", x.node))), x, low=x.low, kind=x.kind
        )

    return rule


def _product(reader: "Reader", x: Series, of: Grouped) -> Series:
    starts, unknown = _starts(reader, x, of), node_of("is_nan", x.node)
    filled = node_of("nan_to", x.node, 1)
    node = node_of("recur", node_of("where", starts, const(math.nan), filled), node_of("where", starts, filled, 0), const(math.nan), 1, 0)
    return algebra.result(node if x.known else node_of("keep", node, node_of("not", unknown)), x, low=x.low, kind=Kind.FLOAT)


def _back(reader: "Reader", x: Series, of: Grouped, count: int, name: str) -> Value:
    """shift, diff and pct_change that do not reach before the group."""
    if count < 0:
        ahead.refuse(f"{name}({count})", f"look back instead: {name}({-count})")
    before = above.methods.delayed(reader, x, count) if count else x
    inside = algebra.compare("ge", _number(reader, x, of), algebra.as_series(count))
    before = algebra.choose(inside, before, algebra.as_series(math.nan))
    if name == "shift":
        return before
    if name == "diff":
        return algebra.arithmetic("sub", x, before)
    return algebra.arithmetic("sub", algebra.divided(x, before), algebra.as_series(1))


def _last_of(reader: "Reader", x: Series, of: Grouped) -> Series:
    ahead.refuse("the last of a group", "use the column itself")


_RULES: dict[str, Callable[["Reader", Series, Grouped], Series]] = {
    "cumsum": _total, "cumcount": _number, "first": _first, "last": _last_of, "cummax": _extreme(1), "cummin": _extreme(-1),
    "cumprod": _product, "shift": _total, "diff": _total, "pct_change": _total,
}  # fmt: skip
