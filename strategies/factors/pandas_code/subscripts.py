"""`x[...]`, `x.loc[...]`, `x.iloc[...]` and properties, read and written."""

import math
from dataclasses import replace
from typing import NoReturn

from strategies.errors import BadSyntax, UnknownName
from strategies.factors.graph import call
from strategies.factors.pandas_code import above, ahead, algebra, loops, times, windows
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.groups import Grouped
from strategies.factors.pandas_code.operands import describe
from strategies.factors.pandas_code.values import (
    Appended,
    Bar,
    Columns,
    Ewm,
    Expanding,
    Frame,
    Index,
    Items,
    Kind,
    Last,
    Located,
    Method,
    Module,
    Record,
    Rolling,
    Rows,
    Series,
    Value,
    Vector,
    Whole,
    Window,
    is_number,
)  # fmt: skip

PLACES = ("loc", "iloc", "at", "iat")


def get(reader: "Reader", owner: Value, key: Value) -> Value:
    if isinstance(key, Whole):
        key.refuse()
    match owner:
        case Frame():
            return _of_frame(reader, owner, key)
        case Series():
            return _of_series(reader, owner, key)
        case Located():
            return _located(reader, owner, key)
        case Window() | Items():
            return above.reductions.item(reader, owner, key)
        case Rolling(over=Frame() as frame) | Ewm(over=Frame() as frame) | Expanding(over=Frame() as frame):
            return replace(owner, over=_of_frame(reader, frame, key))
        case Grouped():
            return replace(owner, of=get(reader, owner.of, key))
        case Appended():
            return owner.last(key)
        case Last():
            if key in (-1, slice(-1, None, None)):
                return owner.value
            raise BadSyntax("only the newest rank of a window is understood", suggestion="x.rank(pct=True).iloc[-1]")
        case Record() if isinstance(key, int) and -len(owner.parts) <= key < len(owner.parts):
            return list(owner.parts.values())[key]
        case list() if isinstance(key, tuple) and len(key) == 2 and all(isinstance(k, int) for k in key):
            return _of_python(_of_python(owner, key[0]), key[1])
        case dict() | list() | tuple() | str() | Vector() | Columns():
            return _of_python(owner, key)
        case Whole():
            return owner
        case Index() if (
            isinstance(key, slice) and key.step in (None, 1) and isinstance(key.start or 0, int) and isinstance(key.stop or 0, int)
        ):
            start, stop = key.start or 0, key.stop or 0
            if start >= 0 >= stop:
                return Index(owner.lost + start, owner.missing - stop)
            ahead.refuse("bars counted from the end", "use the whole index")
        case Index() if isinstance(key, Bar):
            return key
        case Index() | Rows():
            if from_end(key):
                ahead.refuse("the last bar", "use the column itself")
            raise BadSyntax("the times of bars are not values of a factor")
        case Module(path="numpy.r_"):
            return above.arrays.joined(reader, key if isinstance(key, tuple) else (key,))
        case Module():
            return owner
    raise BadSyntax(f"{describe(owner)} has no items")


def _of_frame(reader: "Reader", frame: Frame, key: Value) -> Value:
    if isinstance(key, str):
        return column(reader, frame, key)
    if isinstance(key, list | Columns):
        names = key if isinstance(key, list) else key.names()
        if len({str(n) for n in names}) != len(names):
            raise BadSyntax("a column is named twice")
        return Frame({name: column(reader, frame, name) for name in names if _is_text(name)})
    if isinstance(key, Series):
        return Frame({name: _kept(one, key) for name, one in frame.columns.items()}, frame.bars)
    if isinstance(key, slice):
        _refuse_slice(key)
    raise BadSyntax(f"a table has no item {describe(key)}")


def _is_text(name: Value) -> bool:
    if not isinstance(name, str):
        raise BadSyntax("columns are named by text")
    return True


def column(reader: "Reader", frame: Frame, name: str) -> Series:
    found = frame.columns.get(name)
    if found is not None:
        return found.copy(name=name)
    if frame.bars:
        return reader.bar_column(name).copy(name=name)
    ahead.refuse_name(name)
    raise UnknownName(f"the table has no column {name!r}")


def _kept(x: Series, condition: Series) -> Series:
    done = algebra.choose(condition, x, algebra.as_series(math.nan))
    there = algebra.truth(condition).node
    return done.copy(rows=there if x.rows is None else call("and", x.rows, there), owes=x.owes)


def _of_series(reader: "Reader", x: Series, key: Value) -> Value:
    if isinstance(key, Series):
        return _kept(x, key)
    if isinstance(key, slice):
        return _sliced(reader, x, key)
    if isinstance(key, Bar):
        return loops.at_bar(reader, x, key)
    if isinstance(key, int):
        return _at(reader, x, key)
    if isinstance(key, Rows):
        ahead.refuse("the last bar as a value", "use the column itself")
    if isinstance(key, Index) and not key.missing:
        return x if not key.lost else x.copy(rows=algebra.inverted(reader.first_bars(key.lost)).node, owes=True)
    raise BadSyntax(f"a column has no item {describe(key)}")


def _at(reader: "Reader", x: Series, place: int) -> Series:
    """x.iloc[0]: the value at the first bar, at every bar."""
    if place < 0:
        ahead.refuse("the last bar as a value", "use the column itself: it is the last value at each bar")
    if place > 0:
        ahead.refuse(f"bar {place} seen from the bars before it", "use shift(n)")
    begun = call("is_nan", call("delay", call("is_nan", reader.clock), 1))
    held = call("ffill", call("keep", algebra.standing(x, reader.clock).node, begun))
    return x.copy(node=held, kind=Kind.FLOAT if x.kind != Kind.INT else x.kind)


def _sliced(reader: "Reader", x: Series, key: slice) -> Value:
    lower, upper, step = key.start, key.stop, key.step
    for end in (lower, upper):
        if isinstance(end, Whole):
            end.refuse()
    if isinstance(step, int) and step < 0:
        ahead.refuse("a reversed column", "keep the order of time")
    if lower is None and upper is None and step in (None, 1):
        return x if x.array else x.copy()
    if isinstance(lower, Bar) or isinstance(upper, Bar):
        return loops.window(reader, x, key)
    if x.array or reader.elementwise == 0:
        return above.arrays.cut(reader, x, key)
    _refuse_slice(key)


def _refuse_slice(key: slice) -> NoReturn:
    if from_end(key.start) or from_end(key.stop) or (isinstance(key.step, int) and key.step < 0):
        ahead.refuse("bars counted from the end", "use rolling(n) on the whole column")
    if isinstance(key.stop, int) and key.stop > 0:
        ahead.refuse(f"the first {key.stop} bars, which are not known before", "use rolling(n) or expanding()")
    raise BadSyntax("a part of the bars is not understood", suggestion="work with whole columns")


def from_end(key: Value) -> bool:
    """A place counted from the last bar."""
    return (is_number(key) and key < 0) or isinstance(key, Rows)


def _located(reader: "Reader", at: Located, key: Value) -> Value:
    of = at.of
    if at.how == "loc" and isinstance(key, slice) and isinstance(key.stop, Bar):
        key = slice(key.start, replace(key.stop, plus=key.stop.plus + 1), key.step)  # labels include the last
    if isinstance(of, Window | Items | Last | Vector):
        return get(reader, of, key)
    if isinstance(of, Frame) and isinstance(key, tuple) and len(key) == 2:
        rows, wanted = key
        if isinstance(wanted, int):
            names = list(of.columns)
            picked: Value = column(reader, of, names[wanted]) if -len(names) <= wanted < len(names) else None
            if picked is None or of.bars:
                raise BadSyntax("name the column", suggestion="df['close']")
        else:
            picked = of if wanted == slice(None, None, None) else _of_frame(reader, of, wanted)
        return picked if isinstance(rows, slice) and rows == slice(None, None, None) else get(reader, Located(picked, at.how), rows)
    if isinstance(of, Frame):
        if isinstance(key, int | Bar):
            row = {name: get(reader, Located(one, at.how), key) for name, one in of.columns.items()}
            return row
        if isinstance(key, slice) and at.how == "iloc" and not (from_end(key.start) or from_end(key.stop)):
            return Frame({name: get(reader, one, key) for name, one in of.columns.items()}, of.bars)
        return _of_frame(reader, of, key)
    return _of_series(reader, of, key)


def _of_python(owner: Value, key: Value) -> Value:
    try:
        if isinstance(owner, Vector):
            picked = owner.items[key]
            return Vector(owner.items[key]) if isinstance(key, slice) else picked
        if isinstance(owner, Columns):
            return owner.names()[key]
        return owner[key]
    except (KeyError, IndexError, TypeError, ValueError):
        raise BadSyntax(f"there is no item {key!r:.40} in {describe(owner)}") from None


_NONE = object()  # not such a property


def property_of(reader: "Reader", owner: Value, name: str) -> Value:
    """`x.name` that is no call; what is not a property is a method still to be called."""
    found: Value = _NONE
    match owner:
        case Frame():
            found = _of_table(reader, owner, name)
        case Series():
            found = _of_column(owner, name)
        case Window():
            found = _of_window(owner, name)
        case Record():
            found = owner.parts.get(name, _NONE)
        case Items() | Vector():
            found = {"size": len(owner.items), "shape": (len(owner.items),), "T": owner, "values": owner}.get(name, _NONE)
        case Index():
            part = times.part(reader, owner, name)
            found = owner if name in ("values", "index") else _NONE if part is None else part
    if found is not _NONE:
        return found
    if isinstance(owner, Frame | Series | Window | Items | Last | Vector):
        if name in PLACES:
            return Located(owner, name)
        if name == "index":
            return Index()
        if name == "values":
            return owner.copy(array=True) if isinstance(owner, Series) and owner.rows is None else owner
    return Method(owner, name)


def _of_table(reader: "Reader", owner: Frame, name: str) -> Value:
    if name in owner.columns or (owner.bars and name in reader.setting.fields):
        return column(reader, owner, name)
    answers = {"columns": Columns(owner), "empty": False, "shape": (Rows(), len(owner.columns))}
    return answers.get(name, _NONE)


def _of_column(owner: Series, name: str) -> Value:
    answers = {
        "empty": False, "hasnans": False, "name": owner.name or None, "size": Rows(), "shape": (Rows(),), "T": owner, "ndim": 1,
        "dtype": owner.kind.value,
    }  # fmt: skip
    return answers.get(name, _NONE)


def _of_window(owner: Window, name: str) -> Value:
    counted = owner.part or not owner.known
    if name in ("size", "shape", "empty"):
        count = windows.length(owner)
        if name == "empty":
            return algebra.compare("eq", count, algebra.as_series(0)) if counted else False
        return count if name == "size" else (count,)
    return owner if name == "T" else _NONE
