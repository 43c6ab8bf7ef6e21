"""Which function of a text is the factor, what it is given, and what it gives back."""

import ast
import re

from strategies.errors import BadConstant, BadSyntax, FactorError, TooBig, UnknownName
from strategies.factors.dialects import Setting
from strategies.factors.graph import Node, nearest
from strategies.factors.pandas_code import (
    above,
    algebra,
    arrays,
    classes,
    expressions,
    frames,
    loops,
    methods,
    reductions,
    statements,
    subscripts,
)
from strategies.factors.pandas_code.context import Reader, Returned
from strategies.factors.pandas_code.statements import as_load
from strategies.factors.pandas_code.values import (
    Class,
    Frame,
    Function,
    Given,
    Instance,
    Kind,
    Method,
    Scope,
    Series,
    Short,
    Value,
    Whole,
    is_number,
)  # fmt: skip

_NAMED = re.compile(r"factor|alpha|signal|compute|calc|generate|indicator|feature|strategy|transform|predict|score|run|main", re.IGNORECASE)
_RESULTS = ("factor", "alpha", "signal", "result", "factor_value", "factor_values", "output", "score", "indicator", "feature")
_FRAMES = re.compile(
    r"^(?:df\w*|data\w*|frame|price_data|prices_df|ohlcv\w*|bars|candles|market_data|panel|x|stock\w*|table|hist\w*|\w*_?df|\w*_data)$"
)
_SERIES = {
    "price": "close", "prices": "close", "closes": "close", "close_price": "close", "close_prices": "close", "series": "close",
    "s": "close",
    "highs": "high", "high_price": "high", "lows": "low", "low_price": "low", "opens": "open", "open_price": "open", "open_": "open",
    "volumes": "volume", "vol": "volume", "p": "close", "c": "close", "h": "high", "l": "low", "o": "open", "v": "volume", "px": "close",
}  # fmt: skip


_UNEXPECTED = (TypeError, AttributeError, KeyError, IndexError, ValueError, ArithmeticError, AssertionError)  # of text of no sense


for _floor in (arrays, expressions, frames, loops, methods, reductions, statements, subscripts):
    setattr(above, _floor.__name__.rpartition(".")[2], _floor)


def factor(module: ast.Module, setting: Setting) -> Node:
    """The graph of the factor that a module defines. Raises FactorError."""
    reader = Reader(setting)
    try:
        return _read(reader, module, setting)
    except FactorError as refusal:
        raise refusal.placed(reader.line, reader.column) from None
    except _UNEXPECTED:
        raise BadSyntax("a value of another kind is expected here", line=reader.line, column=reader.column) from None
    except RecursionError:
        raise TooBig("it is nested too deeply", line=reader.line, column=reader.column) from None


def _read(reader: Reader, module: ast.Module, setting: Setting) -> Node:
    scope = Scope({})
    body = [s for s in module.body if not _is_main(s)]
    functions = [s for s in body if isinstance(s, ast.FunctionDef)]
    classes = [s for s in body if isinstance(s, ast.ClassDef)]
    frame = _bars(setting)
    lambdas = [s for s in body if isinstance(s, ast.Assign) and isinstance(s.value, ast.Lambda) and isinstance(s.targets[0], ast.Name)]
    if not functions and not classes and lambdas:
        _module(reader, body, scope)
        function = reader.look_up(ast.unparse(lambdas[-1].targets[0]), scope)
        return node_of(reader, reader.call_function(function, *_arguments(reader, function, frame)), frame)
    if not functions and not classes:
        return _script(reader, body, scope, frame)
    _module(reader, body, scope)
    if functions:
        function = scope.names[_chosen(functions, body).name]
    else:
        function = _method(reader, scope.names[classes[-1].name])
    value = reader.call_function(function, *_arguments(reader, function, frame))
    return node_of(reader, value, frame)


def _is_main(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.If) and isinstance(statement.test, ast.Compare) and getattr(statement.test.left, "id", "") == "__name__"
    )


def _bars(setting: Setting) -> Frame:
    order = ("open", "high", "low", "close", "volume")
    names = [*(f for f in order if f in setting.fields), *sorted(f for f in setting.fields if f not in order)]
    from strategies.factors.graph import field

    return Frame({name: algebra.column(field(name)) for name in names}, bars=True)


def _module(reader: Reader, body: list[ast.stmt], scope: Scope) -> None:
    """Definitions and imports at once; what is assigned, when it is asked for."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom() | ast.Try():
                reader.block([statement], scope) if not isinstance(statement, ast.Try) else _imports(reader, statement, scope)
            case ast.Assign(targets=[ast.Name(id=name)], value=tree) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as tree):
                scope.names.pop(name, None)
                scope.lazy[name] = lambda tree=tree: reader.value(tree, scope)  # type: ignore[misc]


def _imports(reader: Reader, tree: ast.Try, scope: Scope) -> None:
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            reader.block([statement], scope)
        elif isinstance(statement, ast.Assign):
            _module(reader, [statement], scope)


def _chosen(functions: list[ast.FunctionDef], body: list[ast.stmt]) -> ast.FunctionDef:
    """The function that no other calls; of several, one named like a factor, or the last."""
    called = {
        node.id for f in functions for node in ast.walk(f) if isinstance(node, ast.Name) and node.id != f.name
    }  # fmt: skip
    tops = [f for f in functions if f.name not in called] or functions
    public = [f for f in tops if not f.name.startswith("_")] or tops
    takes = [f for f in public if f.args.args] or public
    named = [f for f in takes if _NAMED.search(f.name)]
    return (named or takes)[-1]


def _method(reader: Reader, owner: Value) -> Function:
    """The method that computes, of a class made without arguments."""
    assert isinstance(owner, Class)

    made = classes.instance(reader, owner, Given(owner.tree.name, [], {}))
    trees = list(made.methods.values())
    called = {n.attr for t in trees for n in ast.walk(t) if isinstance(n, ast.Attribute) and n.attr != t.name}
    open_ = [t for t in trees if not t.name.startswith("_") and t.name not in called] or [t for t in trees if t.name == "__call__"]
    named = [t for t in open_ if _NAMED.search(t.name)] or open_
    if not named:
        raise BadSyntax("the class has no method that computes a factor", line=owner.tree.lineno, column=1)
    found = expressions.attribute(reader, made, named[-1].name)
    assert isinstance(found, Function)
    return found


def _arguments(reader: Reader, function: Function, frame: Frame) -> tuple[list[Value], dict[str, Value]]:
    """A frame for the first argument, columns for arguments named after fields; the others have defaults."""
    takes = function.arguments
    names = [*takes.posonlyargs, *takes.args][1 if function.is_method else 0 :]
    free = len(names) - len(takes.defaults)
    named: dict[str, Value] = {}
    for place, argument in enumerate(names):
        name = argument.arg
        if place >= free and place != 0:
            default = _default(takes, names, place)
            if name in frame.columns and isinstance(default, ast.Constant) and default.value is None:
                named[name] = frame.columns[name].copy(name=name)
            continue
        hint = ast.unparse(argument.annotation) if argument.annotation is not None else ""
        if name in frame.columns:
            named[name] = frame.columns[name].copy(name=name)
        elif _FRAMES.match(name) or "DataFrame" in hint:
            named[name] = frame.copy()
        elif name.lower() in _SERIES and _SERIES[name.lower()] in frame.columns:
            field = _SERIES[name.lower()]
            named[name] = frame.columns[field].copy(name=field)
        elif "Series" in hint or "ndarray" in hint:
            named[name] = reader.bar_column(name) if place else frame.columns["close"].copy(name="close")
        elif place == 0 and place < free:
            named[name] = frame.copy()
        elif name in ("symbol", "ticker"):
            named[name] = "symbol"
    return [], named


def _default(takes: ast.arguments, names: list[ast.arg], place: int) -> ast.expr:
    return takes.defaults[place - (len(names) - len(takes.defaults))]


def _script(reader: Reader, body: list[ast.stmt], scope: Scope, frame: Frame) -> Node:
    """Lines that work on `df`: the factor is what they name so, or the last thing they make."""
    for name in ("df", "data", "price_data", "ohlcv"):
        scope.names[name] = frame
    for name, column in frame.columns.items():
        scope.names.setdefault(name, column.copy(name=name))
    before = set(frame.columns)
    done = reader.block(body, scope)
    if isinstance(done, Returned):
        return node_of(reader, done.value, frame)
    for name in _RESULTS:
        if name in scope.names and name not in before:
            return node_of(reader, scope.names[name], frame)
        if name in frame.columns and name not in before:
            return node_of(reader, frame.columns[name], frame)
    last = body[-1] if body else None
    match last:
        case ast.Expr(value=tree):
            return node_of(reader, reader.value(tree, scope), frame)
        case ast.Assign(targets=[ast.expr() as target, *_]):
            return node_of(reader, reader.value(as_load(target), scope), frame)
    raise BadSyntax("it computes no factor", line=1, column=1, suggestion="write def factor(df): ... return series")


def node_of(reader: Reader, value: Value, frame: Frame) -> Node:
    """What a function gave back, as the factor."""
    if isinstance(value, Whole):
        value.refuse()
    if isinstance(value, Frame):
        value = _of_frame(value, frame)
    if isinstance(value, tuple) and value and isinstance(value[0], Series):
        value = value[0]
    if isinstance(value, dict):
        value = _of_dict(value)
    if isinstance(value, Short) or value is None or isinstance(value, Instance):
        raise BadSyntax("the function gives back no column", suggestion="return a Series as long as the DataFrame")
    if is_number(value):
        raise BadConstant(f"it is the constant {value} and reads no field")
    if isinstance(value, Method) and isinstance(value.of, Frame):
        raise UnknownName(f"there is no column {value.name!r}", suggestion=nearest(value.name, [*frame.columns, *reader.setting.fields]))
    if not isinstance(value, Series):
        raise BadSyntax("the function gives back no column", suggestion="return a Series as long as the DataFrame")
    if value.kind == Kind.TEXT:
        raise BadSyntax("a factor's values are numbers, not text", suggestion="np.where(condition, 1, -1)")
    done = algebra.finite(algebra.settled(value)).node
    if any(name.startswith("carried_") and name not in reader.setting.fields for name in done.inputs()):
        raise BadSyntax("a name keeps what another one kept from the bar before", suggestion="look back in the column: x[i - 2]")
    if not done.inputs():
        raise BadConstant(f"it is the constant {done.text} and reads no field")
    return done


def _of_frame(value: Frame, frame: Frame) -> Value:
    made = [n for n in value.columns if n not in frame.columns] if value.bars else list(value.columns)
    if len(made) > 1 and set(made) <= frame.columns.keys():
        raise BadSyntax("the function gives back several columns", suggestion="return one column")
    for name in (*_RESULTS, made[-1] if made else ""):
        if name in made:
            return value.columns[name]
    raise BadSyntax("the function gives back the whole table", suggestion="return the column: df['factor']")


def _of_dict(value: dict[Value, Value]) -> Value:
    for name in (*_RESULTS, *reversed(list(value))):
        if isinstance(value.get(name), Series):
            return value[name]
    return None
