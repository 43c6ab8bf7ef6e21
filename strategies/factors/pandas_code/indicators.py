"""Calls of TA-Lib, pandas-ta and ta, by their tables: columns first, then numbers, by place or by name."""

from collections.abc import Mapping

from strategies.errors import BadConstant, BadSyntax, FactorError, UnknownName, WrongArity
from strategies.factors.graph import Node, nearest
from strategies.factors.pandas_code import windows
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import describe
from strategies.factors.pandas_code.pandas_ta import PANDAS_TA
from strategies.factors.pandas_code.ta_library import TA_CLASSES, TA_LIBRARY
from strategies.factors.pandas_code.talib import TALIB, Call
from strategies.factors.pandas_code.values import Frame, Instance, Module, Partial, Scope, Series, Value, Whole, is_number

_IGNORED = ("offset", "fillna", "talib", "append", "price", "mamode_", "presma", "verbose", "prefix", "suffix", "fill_method")
_PARTS = ("momentum", "trend", "volatility", "volume", "others")  # modules of the library ta
_FIELDS = {"real": "close", "close": "close", "high": "high", "low": "low", "open": "open", "open_": "open", "volume": "volume"}

_ABSTRACT = {"real0": "high", "real1": "low"}  # what talib.abstract takes where nothing is said
_OUTPUTS = {
    "MACD": ("macd", "macdsignal", "macdhist"), "BBANDS": ("upperband", "middleband", "lowerband"), "STOCH": ("slowk", "slowd"),
    "STOCHF": ("fastk", "fastd"), "STOCHRSI": ("fastk", "fastd"), "AROON": ("aroondown", "aroonup"), "MINMAX": ("min", "max"),
    "ACCBANDS": ("upperband", "middleband", "lowerband"),
}  # fmt: skip


def call(reader: "Reader", library: str, name: str, args: list[Value], named: dict[str, Value]) -> Value:
    """`talib.RSI(close, timeperiod=14)`, `ta.rsi(close, length=14)`. Raises FactorError."""
    place, _, last = name.rpartition(".")
    if place in TA_CLASSES:
        return _columns(reader, _row(TA_CLASSES[place], last, place), args, named)
    if last in TA_CLASSES and (library == "ta" or place in _PARTS):
        made_of = {method: Partial(Module(f"ta.{last}.{method}"), tuple(args), named) for method in TA_CLASSES[last]}
        return Instance(made_of, {}, Scope({}))
    if place in _PARTS or (library == "ta" and last not in TALIB):
        return _columns(reader, _row(TA_LIBRARY, last, "ta"), args, named)
    if library == "talib" or (last.isupper() and last in TALIB):
        row = _row(TALIB, last.upper(), "TA-Lib")
        if args and isinstance(args[0], Frame) and len(args[0].columns) > 1:
            return _abstract(reader, row, args[0], args[1:], dict(named))
        nodes = _nodes(reader, row, args, named)
        made = [_series(node, args, named) for node in nodes]
        return made[0] if len(made) == 1 else tuple(made)
    row = _row(PANDAS_TA, last, "pandas-ta")
    if named.get("offset", 0) not in (0, None):
        raise BadSyntax("an offset is not understood", suggestion="use shift(n)")
    return _columns(reader, row, args, {k: v for k, v in named.items() if k not in _IGNORED})


def _abstract(reader: "Reader", row: Call, frame: Frame, args: list[Value], named: dict[str, Value]) -> Value:
    """`talib.abstract.MACD(df)`: columns by their names, several results as a table."""
    given: dict[str, Value] = dict(zip(row.params, args, strict=False))
    price = named.pop("price", "close")
    for series in row.names:
        field = _ABSTRACT.get(series, price if series == "real" else series)
        given[series] = frame.columns[field] if field in frame.columns else reader.bar_column(field)
    made = [_series(node, [], {}) for node in _nodes(reader, row, [], {**given, **named})]
    if len(made) == 1:
        return made[0]
    names = _OUTPUTS.get(row.name)
    if names is None:
        raise BadSyntax(f"the table that {row.name} gives is not understood", suggestion="give it columns: talib.NAME(df['close'])")
    return Frame({name: column.copy(name=name) for name, column in zip(names, made, strict=True)})


def accessor(reader: "Reader", frame: Frame, name: str, args: list[Value], named: dict[str, Value]) -> Value:
    """`df.ta.rsi(length=14)`: columns by their names, numbers as given; `append=True` adds what comes out."""
    row = _row(PANDAS_TA, name, "pandas-ta")
    append = bool(named.pop("append", False))
    given = {k: v for k, v in named.items() if k not in _IGNORED}
    for series in row.names:
        if series not in given:
            field = _FIELDS.get(series, series)
            given[series] = frame.columns[field] if field in frame.columns else reader.bar_column(field)
    given.update(zip(row.params, args, strict=False))
    made = _columns(reader, row, [], given)
    if append:
        columns = made.columns if isinstance(made, Frame) else {made.name: made} if isinstance(made, Series) else {}
        frame.columns.update(columns)
    return made


def _row(table: Mapping[str, Call], name: str, library: str) -> Call:
    if name not in table:
        raise UnknownName(f"{library} has no {name!r} here", suggestion=nearest(name, table))
    return table[name]


def _columns(reader: "Reader", row: Call, args: list[Value], named: dict[str, Value]) -> Value:
    """One column, or a table of them, named as pandas-ta names them."""
    numbers = _numbers(row, args, named)
    nodes = _nodes(reader, row, args, named)
    names = [_label(one, {k: float(v) if isinstance(row.params[k], float) else v for k, v in numbers.items()}) for one in row.columns]
    made = [_series(node, args, named) for node in nodes]
    if len(made) == 1:
        return made[0].copy(name=names[0] if names else row.name.upper())
    if len(names) != len(made):
        names = [f"{row.name.upper()}_{i}" for i in range(len(made))]
    return Frame({name: column.copy(name=name) for name, column in zip(names, made, strict=True)})


def _label(text: str, numbers: Mapping[str, float]) -> str:
    for name, value in numbers.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _series(node: Node, args: list[Value], named: Mapping[str, Value]) -> Series:
    array = any(isinstance(a, Series) and a.array for a in (*args, *named.values()))
    return Series(node, array=array)


def _nodes(reader: "Reader", row: Call, args: list[Value], named: dict[str, Value]) -> tuple[Node, ...]:
    columns = []
    for place, name in enumerate(row.names):
        value = args[place] if place < len(args) else named.get(name)
        if isinstance(value, Whole):
            value.refuse()
        if isinstance(value, Frame) and len(value.columns) == 1:
            value = next(iter(value.columns.values()))
        if not isinstance(value, Series):
            raise WrongArity(f"{row.name} needs the column {name!r}, not {describe(value)}")
        ready = windows.ready(reader, value)
        assert isinstance(ready, Series)
        columns.append(ready.node)
    numbers = _numbers(row, args, named)
    if "bars_a_day" in numbers:  # a day that no whole number of bars fills is refused as a window
        numbers["bars_a_day"] = max(1.0, 86_400_000 / reader.setting.timeframe)
    try:
        return row.build(*columns, *numbers.values())
    except (TypeError, ValueError) as wrong:
        raise BadConstant(f"{row.name} is not understood with these numbers: {wrong}") from None
    except FactorError as refusal:
        refusal.message = f"{row.name}: {refusal.message}"
        raise


def _numbers(row: Call, args: list[Value], named: dict[str, Value]) -> dict[str, float]:
    given = dict(zip(row.params, args[row.series :], strict=False))
    if len(args) > row.series + len(row.params):
        raise WrongArity(f"{row.name} takes {row.series} columns and {len(row.params)} numbers")
    for name, value in named.items():
        if name in row.names:
            continue
        if name not in row.params:
            raise WrongArity(f"{row.name} has no argument {name!r}", suggestion=f"it has {', '.join(row.params)}")
        given[name] = value
    made: dict[str, float] = {}
    for name, default in row.params.items():
        value = given.get(name)
        value = default if value is None else value
        if isinstance(value, Whole):
            value.refuse()
        if not is_number(value):
            raise BadConstant(f"the {name} of {row.name} is a number known beforehand, not {describe(value)}")
        made[name] = value
    return made
