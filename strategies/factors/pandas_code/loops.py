"""A loop over the bars, read once: its variable stands for any bar, `x[i - 5]` for five bars ago, `x[i - 20:i]` for a window.

What an earlier turn left behind may be read where it makes a running sum, an exponential mean or a value that is held; `x[i + 1]` is a
later bar.
"""

import ast
import math
from dataclasses import replace

from strategies.errors import BadSyntax
from strategies.factors.graph import Node, field
from strategies.factors.graph import call as node_of
from strategies.factors.pandas_code import above, ahead, algebra, recursion
from strategies.factors.pandas_code.context import Leave, Reader, Returned, Stale
from strategies.factors.pandas_code.values import (
    Appended,
    Bar,
    Carried,
    Expanding,
    Frame,
    Index,
    Items,
    Rows,
    Scope,
    Series,
    Short,
    Value,
    Walk,
    Whole,
    Window,
)  # fmt: skip


def walk_over(parts: list[Value]) -> Walk:
    """range(n, len(df))."""
    for part in parts:
        if isinstance(part, Whole):
            part.refuse()
    start, stop = (0, parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    if isinstance(start, Rows) or (len(parts) == 3 and parts[2] != 1):
        raise BadSyntax("a loop over the bars goes forward, bar by bar")
    if not isinstance(start, int) or isinstance(start, bool) or not isinstance(stop, Rows):
        raise BadSyntax("a loop over the bars begins at a number and ends with the bars")
    if stop.plus < 0:
        ahead.refuse("a loop that stops before the last bar, whichever it is,", "go on to len(df)")
    return Walk(max(0, start), Bar(0, max(0, start)))


def over_bars(over: Value) -> bool:
    return isinstance(over, Walk | Series | Index) or (isinstance(over, Short) and not over.missing)


def walking(over: Value) -> Walk:
    """What a loop over a column, a part of it, or the index walks."""
    if isinstance(over, Short):
        return Walk(over.lost, over.of.copy())
    if isinstance(over, Index):
        if over.missing:
            ahead.refuse("a loop that stops before the last bar, whichever it is,", "go on to the end")
        return Walk(over.lost, Bar(0, over.lost))
    return over if isinstance(over, Walk) else Walk(0, over.copy())


def run(reader: "Reader", tree: ast.For, over: Value, scope: Scope) -> "Returned | Leave | None":
    """One turn, for every bar at once."""
    if reader.walk is not None:
        raise BadSyntax("a loop over the bars inside another one")
    walk = walking(over)
    names, lists, arrays = _changed(tree)
    kept: dict[str, Value] = {}
    for name in lists:
        if isinstance(scope.names.get(name), list):
            scope.names[name] = Appended(scope.names[name], _place_holder(name))
    for name in names & scope.names.keys():
        if isinstance(scope.names[name], int | float | Series) and name not in arrays:
            kept[name] = Carried(scope.names[name], _place_holder(name))
            scope.names[name] = kept[name]
        elif name not in arrays and isinstance(scope.names[name], list | dict | tuple | str | None):
            scope.names[name] = Stale(scope.names[name])
    starts = {name: _opened(scope.names.get(name), name) for name in arrays}
    reader.walk = walk
    try:
        above.expressions.assign(reader, tree.target, walk.item, scope)
        with reader.element_by_element():
            done = reader.block(tree.body, scope)
    finally:
        reader.walk = None
    if done is not None and getattr(done, "how", "") != "continue":
        raise BadSyntax("a loop over the bars goes on to the last one", suggestion="use np.where(condition, a, b)")
    names |= {node.id for node in ast.walk(tree.target) if isinstance(node, ast.Name)}
    _close(reader, scope, walk, names, kept, lists, starts)
    return reader.block(tree.orelse, scope)


def _changed(tree: ast.For) -> tuple[set[str], set[str], set[str]]:
    """Names that the body assigns; lists that it appends to; columns whose items it sets."""
    names, lists, arrays = set(), set(), set()
    for node in ast.walk(ast.Module(tree.body, [])):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append")):
                lists.add(name)
            case ast.Subscript(ctx=ast.Store(), value=ast.Name(id=name)):
                arrays.add(name)
            case ast.Subscript(ctx=ast.Store(), value=ast.Attribute(value=ast.Name(id=name), attr="iloc" | "loc" | "at" | "iat")):
                arrays.add(name)
    return names, lists, arrays


def _place_holder(name: str) -> Node:
    return field(f"carried_{name.lower()}")


def _opened(target: Value, name: str) -> Value:
    """A column or table as it is before the loop; the column then stands for its own values."""
    before = target.copy() if isinstance(target, Series | Frame) else None
    if isinstance(target, Series):
        target.carried = _place_holder(name)
    return before


def _close(
    reader: Reader, scope: Scope, walk: Walk, names: set[str], kept: dict[str, Value], lists: set[str], starts: dict[str, Value]
) -> None:
    """Names as they stand after the loop: what was carried is solved, lists are columns."""
    solved: dict[Node, Node] = {}
    for name, before in kept.items():
        after = scope.names[name]
        if isinstance(after, Carried):
            scope.names[name] = before.start
            continue
        value = algebra.as_series(after)
        start = algebra.as_series(before.start)
        if before.node in recursion.leaves(value.node) or _read(before.node, scope, lists, set(starts)):
            whole = recursion.solve(reader, value.node, before.node, start.node, walk.first, from_before=True)
            solved[before.node] = recursion.earlier(reader, whole, start.node, walk.first)
            solved[value.node] = whole
        scope.names[name] = Whole(f"{name!r} after the last bar", "collect it for each bar: out[i] = ...")
    for name in names - kept.keys() - lists - starts.keys():
        left = scope.names.get(name)
        if isinstance(left, Stale):
            scope.names[name] = left.start
        elif isinstance(left, Series | Window | Expanding | Bar | Items | Frame | list | dict | tuple):
            scope.names[name] = Whole(f"{name!r} after the last bar", "collect it for each bar: out[i] = ...")
    for name, before in starts.items():
        target = scope.names.get(name)
        if isinstance(target, Frame):
            for key, one in target.columns.items():
                old = before.columns.get(key) if isinstance(before, Frame) else None
                if old is None or old.node is not one.node:
                    _finish(reader, one, old or algebra.as_series(math.nan), walk, solved)
        elif isinstance(target, Series) and isinstance(before, Series):
            _finish(reader, target, before, walk, solved)
    for name in lists:
        target = scope.names.get(name)
        if isinstance(target, Appended):
            scope.names[name] = _column(reader, target, walk, solved)


def _read(node: Node, scope: Scope, lists: set[str], arrays: set[str]) -> bool:
    for name in (*lists, *arrays):
        target = scope.names.get(name)
        value = target.value if isinstance(target, Appended) else target
        if isinstance(value, Series) and node in recursion.leaves(value.node):
            return True
    return False


def _finish(reader: "Reader", x: Series, before: Series, walk: Walk, solved: dict[Node, Node]) -> None:
    """A column whose items were set: what it was at the first bars, and what it reads of itself is solved."""
    mine, x.carried = x.carried, None
    if solved:
        x.become(x.copy(node=recursion.put_in(x.node, solved), low=0))
    if mine is not None and mine in recursion.leaves(x.node):
        x.become(x.copy(node=recursion.solve(reader, x.node, mine, before.node, walk.first), low=0, known=False, inf=False))
    elif walk.first and x.node is not before.node:
        x.become(algebra.choose(reader.first_bars(walk.first), before, x))


def _column(reader: "Reader", made: Appended, walk: Walk, solved: dict[Node, Node]) -> Value:
    if made.value is None:
        raise BadSyntax("the list gets no value in some turns of the loop")
    value = algebra.as_series(made.value).copy(array=True, full=False)
    if solved:
        value = value.copy(node=recursion.put_in(value.node, solved), low=0)
    if made.node in recursion.leaves(value.node):
        start = algebra.as_series(made.before[-1]).node
        value = value.copy(node=recursion.solve(reader, value.node, made.node, start, walk.first), low=0, known=False)
    if not made.before and walk.first:
        return Short(value, walk.first)
    if len(made.before) != walk.first:
        raise BadSyntax(f"the list has {len(made.before)} values before the loop begins at bar {walk.first}")
    for i, one in reversed(list(enumerate(made.before))):
        value = algebra.choose(reader.first_bars(i + 1), algebra.as_series(math.nan if one is None else one), value)
    return value.copy(array=True)


# -- items of columns at the bar


def at_bar(reader: "Reader", x: Series, key: Bar) -> Series:
    """x[i - k]."""
    if key.plus > 0:
        ahead.refuse(f"the bar {key.plus} ahead", "look back instead: x[i - 1]")
    if key.plus == 0:
        return x.copy(carried=None)
    if -key.plus > key.first:
        ahead.refuse("a place before the first bar is counted from the last one; it", f"begin the loop at {-key.plus}")
    if x.carried is not None:
        if key.plus < -1:
            raise BadSyntax("a value of its own several bars ago is not understood", suggestion="use ewm or cumsum")
        return Series(x.carried)
    back: Series = above.methods.delayed(reader, x, -key.plus)
    return back


def window(reader: "Reader", x: Series, key: slice) -> Value:
    """x[i - n:i], x[i - n + 1:i + 1], x[:i + 1]."""
    lower, upper = key.start, key.stop
    if not isinstance(upper, Bar) or key.step not in (None, 1):
        if isinstance(lower, Bar):
            ahead.refuse("a window from the bar to the end", "x[i - 20:i + 1]")
        raise BadSyntax("this part of the bars is not understood", suggestion="x[i - 20:i + 1]")
    if upper.plus > 1:
        ahead.refuse(f"a window that ends {upper.plus - 1} bars ahead", "x[i - 20:i + 1]")
    if x.carried is not None:
        raise BadSyntax("a window of its own values is not understood", suggestion="use ewm or cumsum")
    of = algebra.finite(x) if upper.plus == 1 else algebra.finite(above.methods.delayed(reader, x, 1 - upper.plus))
    of = algebra.standing(of, reader.clock)
    if lower is None or lower == 0:
        return Expanding(of, 1)
    if not isinstance(lower, Bar) or upper.plus <= lower.plus:
        raise BadSyntax("this part of the bars is not understood", suggestion="x[i - 20:i + 1]")
    n = upper.plus - lower.plus
    if not lower.clipped and -lower.plus > lower.first:
        ahead.refuse("a window before the first bar is counted from the last one; it", f"begin the loop at {-lower.plus}")
    short = lower.clipped and -lower.plus > lower.first
    return Window(of, n, n if x.array and not short else 1, x.array, loose=not short, short=short)


def put(reader: "Reader", x: Series, key: Bar, new: Value) -> None:
    """out[i] = value."""
    if key.plus < 0:
        ahead.refuse("a value written to an earlier bar", "write it to the bar: out[i]")
    if key.plus > 0 or reader.walk is None:
        raise BadSyntax("a value written to a later bar is not understood", suggestion="write it to the bar, then shift")
    value = algebra.as_series(math.nan if new is None else new)
    carried = x.carried
    x.become(value.copy(full=False))
    x.carried = carried


def early(reader: "Reader", name: str, bar: Bar, n: int) -> Value:
    """i < n: true at the first bars."""
    count = n - bar.plus
    if name in ("eq", "ne"):
        here = algebra.logical("and", reader.first_bars(max(0, count + 1)), algebra.inverted(reader.first_bars(max(0, count))))
        return here if name == "eq" else algebra.inverted(here)
    count += name in ("le", "gt")
    if count <= bar.first:
        return name in ("gt", "ge")
    begun = reader.first_bars(max(0, count))
    return begun if name in ("lt", "le") else algebra.inverted(begun)


def narrowed(reader: "Reader", value: Value, test: Series, way: bool) -> Value:
    """The loop variable where `i < n` was false: it is n at least."""
    if not isinstance(value, Bar):
        return value
    node, late = test.node, not way
    if node.op == "not":
        node, late = node.args[0], way
    if not late or node.op != "is_nan" or node.args[0].op != "delay" or node.args[0].args[0] is not node_of("is_nan", reader.clock):
        return value
    return replace(value, first=max(value.first, int(node.args[0].params[0])))
