"""`df['x'] = ...`, `x[condition] = ...`, `df.loc[condition, 'x'] = ...`: values put into columns and tables."""

import math

from strategies.errors import BadSyntax
from strategies.factors.pandas_code import above, ahead, algebra, loops
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import describe
from strategies.factors.pandas_code.subscripts import from_end
from strategies.factors.pandas_code.values import Bar, Frame, Index, Located, Series, Short, Value, Whole, is_number


def put_column(frame: Frame, name: str, new: Value) -> None:
    if isinstance(new, Whole):
        new.refuse()
    if isinstance(new, Frame) and len(new.columns) == 1:
        new = next(iter(new.columns.values()))
    if new is None:
        new = math.nan
    if not isinstance(new, Series) and not is_number(new):
        if isinstance(new, str):
            frame.columns[name] = algebra.labelled(new).copy(name=name)
        if isinstance(new, Index | str):
            return
        raise BadSyntax(f"{describe(new)} is not a column")
    column = algebra.as_series(new)
    if frame.columns and all(c.rows is None for c in frame.columns.values()):  # rows that were removed are there again
        column = algebra.settled(column)
    frame.columns[name] = column.copy(name=name, array=False, full=False)


def put(reader: "Reader", owner: Value, key: Value, new: Value) -> None:
    match owner:
        case Frame():
            _put_frame(reader, owner, key, new)
        case Series():
            _put_series(reader, owner, key, new)
        case Located(of=Frame() as frame):
            _put_located(reader, frame, key, new)
        case Located(of=Series() as series):
            _put_series(reader, series, key, new)
        case dict():
            reader.changing(owner)
            owner[key] = new
        case list() if isinstance(key, int) and -len(owner) <= key < len(owner):
            reader.changing(owner)
            owner[key] = new
        case _:
            raise BadSyntax(f"items of {describe(owner)} cannot be set")


def _put_frame(reader: "Reader", frame: Frame, key: Value, new: Value) -> None:
    if isinstance(key, str):
        if reader.walk is not None and isinstance(new, Series) and not _is_row(reader.walk.item, frame):
            ahead.refuse("the value of a bar, put at every bar,", "write it to the bar: df.loc[df.index[i], 'x']")
        put_column(frame, key, new)
    elif isinstance(key, list):
        parts = list(new.columns.values()) if isinstance(new, Frame) else list(new) if isinstance(new, tuple | list) else [new] * len(key)
        if len(parts) != len(key):
            raise BadSyntax(f"{len(parts)} columns cannot go into {len(key)} names")
        for name, part in zip(key, parts, strict=True):
            put_column(frame, str(name), part)
    elif isinstance(key, Series):
        for name, one in frame.columns.items():
            frame.columns[name] = _masked(one, key, new)
    else:
        raise BadSyntax(f"a table has no item {describe(key)}")


def _is_row(item: Value, frame: Frame) -> bool:
    """What a loop over rows goes over."""
    return any(one is frame for one in (item if isinstance(item, tuple) else (item,)))


def _masked(old: Series, condition: Series, new: Value) -> Series:
    if new is None:
        new = math.nan
    if isinstance(new, Whole):
        new.refuse()
    if isinstance(new, str):
        new = algebra.labelled(new)
    if not isinstance(new, Series) and not is_number(new):
        raise BadSyntax(f"{describe(new)} is not a value of a column")
    return algebra.choose(condition, algebra.as_series(new), old).copy(array=old.array, name=old.name)


def _put_series(reader: "Reader", x: Series, key: Value, new: Value) -> None:
    if isinstance(key, Bar):
        loops.put(reader, x, key, new)
        return
    if reader.walk is not None and isinstance(new, Series):
        ahead.refuse("the value of a bar, written to others,", "write it to the bar: out[i]")
    if isinstance(key, Series):
        x.become(_masked(x, key, new))
    elif isinstance(key, slice) and key == slice(None, None, None):
        x.become(_masked(x, algebra.as_series(True), new))
    elif (
        isinstance(key, slice)
        and key.step is None
        and (key.start is None or key.start == 0)
        and isinstance(key.stop, int)
        and key.stop >= 0
    ):
        x.become(_masked(x, reader.first_bars(key.stop), new))
    elif isinstance(key, int) and key == 0:
        x.become(_masked(x, reader.first_bars(1), new))
    elif isinstance(key, slice) and (from_end(key.start) or from_end(key.stop)):
        ahead.refuse("values written to bars counted from the end", "use shift(n) on whole columns")
    elif from_end(key):
        ahead.refuse("the last bar", "use the column itself")
    elif (
        isinstance(key, slice)
        and isinstance(key.start, int)
        and key.start >= 0
        and key.stop is None
        and isinstance(new, Series | Short | float | int)
    ):
        x.become(above.arrays.put_after(reader, x, key.start, new))
    else:
        raise BadSyntax("values at single bars cannot be set", suggestion="use np.where(condition, a, b)")


def _put_located(reader: "Reader", frame: Frame, key: Value, new: Value) -> None:
    if isinstance(key, tuple) and len(key) == 2 and isinstance(key[1], str | list):
        rows, wanted = key
        for name in [wanted] if isinstance(wanted, str) else wanted:
            if isinstance(rows, slice) and rows == slice(None, None, None):
                put_column(frame, name, new)
                continue
            old = frame.columns.get(name)
            old = algebra.as_series(math.nan).copy(name=name) if old is None else old.copy(name=name)
            _put_series(reader, old, rows, new)
            frame.columns[name] = old
        return
    if isinstance(key, Series):
        _put_frame(reader, frame, key, new)
        return
    raise BadSyntax("say which rows and which column", suggestion="df.loc[condition, 'x'] = value")
