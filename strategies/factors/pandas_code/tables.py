"""Functions of pandas: pd.Series, pd.DataFrame, pd.concat and the few others that factors use."""

import math
from collections.abc import Callable, Mapping

from strategies.errors import BadSyntax
from strategies.factors.pandas_code import ahead, algebra, arrays, elementwise
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import compare, describe, items
from strategies.factors.pandas_code.values import (
    Frame,
    Given,
    Index,
    Items,
    Kind,
    Series,
    Short,
    Value,
    Vector,
    Walk,
    Whole,
    Window,
    is_number,
)  # fmt: skip

Rule = Callable[["Reader", Given], Value]


def _series(reader: "Reader", given: Given) -> Value:
    data, index = given.take("data", math.nan), given.take("index")
    name = given.take("dtype_", "") or given.named.pop("name", "")
    given.drop("dtype", "copy")
    if isinstance(data, Whole):
        data.refuse()
    if isinstance(data, Walk):
        data = arrays.bar_numbers(reader, data)
    if isinstance(data, dict):
        if index is None and all(is_number(v) for v in data.values()):
            return data  # numbers by name: weights of columns
        raise BadSyntax("a column is not made of a dict")
    if isinstance(data, Window):
        return data.copy(raw=False)
    if isinstance(data, Items):
        return Items(data.items, raw=False)
    if isinstance(data, Short):
        if isinstance(index, Index) and index.lost == data.lost and index.missing == data.missing:
            return _at_its_bars(reader, data)
        if isinstance(index, Index) and index.lost < data.lost:
            ahead.refuse("a column moved towards the past", "use shift(n)")
        raise BadSyntax("the values are fewer than the bars", suggestion="use diff() or shift(n) on the column")
    if isinstance(data, Vector | list | tuple):
        if index is not None and not isinstance(index, Index):
            return Vector(tuple(float(v) for v in items(data)))
        if isinstance(data, Vector) or all(is_number(v) for v in data):
            return Vector(tuple(float(v) for v in items(data)))
        raise BadSyntax("a column is made of a column or a number")
    if not isinstance(data, Series) and not is_number(data) and data is not None:
        raise BadSyntax(f"a column is not made of {describe(data)}")
    made = algebra.as_series(math.nan if data is None else data)
    return made.copy(array=False, name=str(name) if name else "", kind=made.kind)


def _at_its_bars(reader: "Reader", part: Short) -> Series:
    """A cut column at the bars that it is of, NaN at the others."""
    if part.missing:
        ahead.refuse("a column without its last bars", "use the whole column")
    done = algebra.choose(reader.first_bars(part.lost), algebra.as_series(math.nan), part.of)
    return done.copy(array=False)


def _frame(reader: "Reader", given: Given) -> Value:
    data = given.take("data")
    names = given.named.pop("columns", None)
    given.drop("index", "dtype", "copy")
    if isinstance(data, Frame):
        return Frame({n: data.columns[n] for n in items(names)}, False) if names is not None else data.copy()
    if isinstance(data, list) and names is not None and all(isinstance(p, Series) for p in data):
        raise BadSyntax("a table is made of a dict of columns")
    if isinstance(data, Series):
        return Frame({items(names)[0] if names else data.name or "0": data.copy(array=False)})
    if data is None:
        return Frame({n: algebra.as_series(math.nan) for n in items(names)} if names is not None else {})
    if not isinstance(data, dict):
        raise BadSyntax("a table is made of a dict of columns")
    made = {}
    for name, column in data.items():
        if isinstance(column, Index):
            continue
        if isinstance(column, Whole):
            column.refuse()
        if isinstance(column, Vector | list) or not (isinstance(column, Series) or is_number(column)):
            raise BadSyntax(f"{describe(column)} is not a column")
        made[str(name)] = algebra.as_series(column).copy(array=False)
    return Frame(made)


def _concat(reader: "Reader", given: Given) -> Value:
    parts, axis = given.need("objs"), given.take("axis", 0)
    keys = given.named.pop("keys", None)
    given.drop("join", "ignore_index", "sort")
    names = list(parts) if isinstance(parts, dict) else [None] * len(items(parts))
    values = list(parts.values()) if isinstance(parts, dict) else items(parts)
    if axis not in (1, "columns"):
        raise BadSyntax("tables are not put one under another", suggestion="use pd.concat([...], axis=1)")
    if keys is not None:
        names = items(keys)
    made: dict[str, Series] = {}
    for i, (name, part) in enumerate(zip(names, values, strict=True)):
        if isinstance(part, Frame):
            made.update({f"{n}{'' if n not in made else f'_{i}'}": c for n, c in part.columns.items()})
        elif isinstance(part, Series):
            label = str(name if name is not None else part.name or i)
            made[label if label not in made else f"{label}_{i}"] = part
        else:
            raise BadSyntax(f"{describe(part)} is not a column")
    return Frame(made)


def _numeric(reader: "Reader", given: Given) -> Value:
    return given.need("arg")


def _cut(reader: "Reader", given: Given) -> Value:
    """pd.cut into given bins with labels that are numbers; labels=False counts the bins from 0."""
    x, bins = given.need("x"), given.need("bins")
    labels, right = given.take("labels", True), given.named.pop("right", True)
    lowest = given.named.pop("include_lowest", False)
    given.drop("ordered", "duplicates", "precision")
    if isinstance(bins, int):
        ahead.refuse("pd.cut into so many bins", "give the edges: bins=[-np.inf, 0, np.inf]")
    edges = items(bins)
    names = list(range(len(edges) - 1)) if labels is False else items(labels) if isinstance(labels, list | tuple | Vector) else []
    if not isinstance(x, Series) or len(names) != len(edges) - 1 or not all(is_number(e) for e in (*edges, *names)):
        raise BadSyntax("pd.cut is understood with edges and as many numbers as labels")
    done = algebra.as_series(math.nan)
    for i, name in enumerate(names):
        inside = _between(reader, x, edges[i], edges[i + 1], bool(right), bool(lowest) and i == 0)
        done = algebra.choose(inside, algebra.as_series(name), done)
    return done.copy(kind=Kind.FLOAT)


def _between(reader: "Reader", x: Series, low: float, high: float, right: bool, lowest: bool) -> Series:
    above = compare(reader, "gt" if right and not lowest else "ge", x, low)
    below = compare(reader, "le" if right else "lt", x, high)
    return algebra.logical("and", above, below)


def _same_time(reader: "Reader", given: Given) -> Value:
    raise BadSyntax("the times of bars are not values of a factor")


def _missing(reader: "Reader", given: Given) -> Value:
    x = given.need("obj")
    if x is None:
        return True
    return elementwise.over(reader, x, algebra.missing, math.isnan)


def _known(reader: "Reader", given: Given) -> Value:
    x = given.need("obj")
    if x is None:
        return False
    return elementwise.over(reader, x, lambda s: algebra.inverted(algebra.missing(s)), lambda v: v == v)


def _qcut(reader: "Reader", given: Given) -> Value:
    ahead.refuse("pd.qcut over all bars", "use x.rolling(252).rank(pct=True)")


def _merge_asof(reader: "Reader", given: Given) -> Value:
    if given.named.get("direction", "backward") != "backward":
        ahead.refuse("merge_asof forwards", "use direction='backward'")
    raise BadSyntax("tables are not merged in a factor")


PANDAS: Mapping[str, Rule] = {
    "Series": _series, "DataFrame": _frame, "concat": _concat, "to_numeric": _numeric, "cut": _cut, "qcut": _qcut, "isna": _missing,
    "isnull": _missing, "notna": _known, "notnull": _known, "to_datetime": _same_time, "merge_asof": _merge_asof,
    "DataFrame.from_dict": _frame,
}  # fmt: skip
