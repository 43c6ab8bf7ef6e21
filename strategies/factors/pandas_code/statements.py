"""Statements: a function of a frame is walked once, branch by branch as a long frame would take them, loops over constants unrolled."""

import ast
from collections.abc import Callable, Mapping

from strategies.errors import BadSyntax, TooBig, WrongArity
from strategies.factors.pandas_code import expressions, forks, loops
from strategies.factors.pandas_code.context import KEEP, Leave, Reader, Returned
from strategies.factors.pandas_code.values import GAPS, Class, Function, Module, Scope, Series, Value, Whole

DEEPEST_CALL = 12
MODULES = {
    "numpy": "numpy", "pandas": "pandas", "math": "math", "talib": "talib", "pandas_ta": "pandas_ta", "ta": "ta", "scipy": "scipy",
    "statistics": "statistics", "numba": "numba", "warnings": "warnings", "typing": "typing", "functools": "functools",
    "operator": "operator", "itertools": "itertools", "__future__": "typing", "dataclasses": "typing", "collections": "typing",
    "abc": "typing", "logging": "warnings", "sklearn": "sklearn", "pywt": "pywt", "statsmodels": "statsmodels", "bottleneck": "numpy",
    "enum": "typing", "datetime": "typing", "sys": "sys", "os": "os", "time": "time",
}  # fmt: skip


def block(reader: Reader, body: list[ast.stmt], scope: Scope) -> Returned | Leave | None:
    """Statements one by one, until one returns or leaves."""
    for place, statement in enumerate(body):
        reader.step(statement)
        if reader.elementwise and isinstance(statement, ast.If):
            test = reader.value(statement.test, scope)
            if isinstance(test, Series):
                return forks.fork(reader, test, statement, body[place + 1 :], scope)
        with reader.placed(statement):
            rule = _STATEMENTS.get(type(statement))
            if rule is None:
                raise BadSyntax(f"{type(statement).__name__.lower()} is not part of a factor")
            done = rule(reader, statement, scope)
        if done is not None:
            return done
    return None


def call_function(reader: Reader, function: Function, args: list[Value], named: Mapping[str, Value]) -> Value:
    """The value of a function of the text. Raises FactorError."""
    if reader.depth >= DEEPEST_CALL:
        raise TooBig(f"functions call each other more than {DEEPEST_CALL} deep")
    scope = Scope(bound(reader, function, args, named), function.scope)
    reader.depth += 1
    try:
        if isinstance(function.body, ast.expr):
            return reader.value(function.body, scope)
        done = reader.block(function.body, scope)
    finally:
        reader.depth -= 1
    return done.value if isinstance(done, Returned) else None


def bound(reader: Reader, function: Function, args: list[Value], named: Mapping[str, Value]) -> dict[str, Value]:
    """Arguments to parameter names, defaults filled in."""
    takes = function.arguments
    places = [a.arg for a in (*takes.posonlyargs, *takes.args)]
    values = ([function.bound] if function.is_method else []) + list(args)
    if len(values) > len(places) and takes.vararg is None:
        raise WrongArity(f"{function.name} takes {len(places)} arguments, not {len(values)}")
    got: dict[str, Value] = dict(zip(places, values, strict=False))
    if takes.vararg is not None:
        got[takes.vararg.arg] = tuple(values[len(places) :])
    extra: dict[str, Value] = {}
    for name, value in named.items():
        if name in got:
            raise WrongArity(f"{function.name} gets {name!r} twice")
        if name not in places and name not in [a.arg for a in takes.kwonlyargs]:
            if takes.kwarg is None:
                raise WrongArity(f"{function.name} has no argument {name!r}")
            extra[name] = value
        else:
            got[name] = value
    if takes.kwarg is not None:
        got[takes.kwarg.arg] = extra
    defaults = [*zip(reversed(places), reversed(takes.defaults), strict=False)]
    defaults += [(a.arg, d) for a, d in zip(takes.kwonlyargs, takes.kw_defaults, strict=True) if d is not None]
    for name, default in defaults:
        if name not in got:
            got[name] = reader.value(default, function.scope)
            reader.fresh.pop(id(got[name]), None)  # one object for all calls
    for name in (*places, *(a.arg for a in takes.kwonlyargs)):
        if name not in got:
            raise WrongArity(f"{function.name} needs its argument {name!r}", suggestion=f"give it a default: {name}=20")
    return got


# -- one rule for each kind of statement


def _define(reader: Reader, tree: ast.FunctionDef, scope: Scope) -> None:
    over_each = any("vectorize" in ast.unparse(d) for d in tree.decorator_list)
    scope.names[tree.name] = Function(tree.name, tree.args, tree.body, scope, vectorised=over_each)


def _class(reader: Reader, tree: ast.ClassDef, scope: Scope) -> None:
    scope.names[tree.name] = Class(tree, scope)


def _return(reader: Reader, tree: ast.Return, scope: Scope) -> Returned:
    return Returned(None if tree.value is None else reader.value(tree.value, scope))


def _assign(reader: Reader, tree: ast.Assign, scope: Scope) -> None:
    value = reader.value(tree.value, scope)
    for target in tree.targets:
        with reader.placed(target):
            expressions.assign(reader, target, value, scope)


def _annotated(reader: Reader, tree: ast.AnnAssign, scope: Scope) -> None:
    if tree.value is not None:
        expressions.assign(reader, tree.target, reader.value(tree.value, scope), scope)


def _augmented(reader: Reader, tree: ast.AugAssign, scope: Scope) -> None:
    loaded = ast.copy_location(as_load(tree.target), tree.target)
    before = reader.value(loaded, scope)
    value = expressions.binary(reader, tree.op, before, reader.value(tree.value, scope))
    if isinstance(tree.target, ast.Name) and isinstance(before, Series) and isinstance(value, Series) and not reader.elementwise:
        before.become(value)  # whatever else it is called
        return
    expressions.assign(reader, tree.target, value, scope)


def as_load(target: ast.expr) -> ast.expr:
    match target:
        case ast.Name(id=name):
            return ast.Name(name, ast.Load())
        case ast.Subscript(value=value, slice=index):
            return ast.Subscript(value, index, ast.Load())
        case ast.Attribute(value=value, attr=name):
            return ast.Attribute(value, name, ast.Load())
    raise BadSyntax("this cannot be changed in place")


def _expression(reader: Reader, tree: ast.Expr, scope: Scope) -> None:
    if not isinstance(tree.value, ast.Constant):
        reader.value(tree.value, scope)


def _if(reader: Reader, tree: ast.If, scope: Scope) -> Returned | Leave | None:
    with reader.placed(tree.test):
        test = reader.value(tree.test, scope)
        taken = reader.truth(test)
        if isinstance(test, Whole) and test.guard == GAPS:  # filling gaps does nothing where there are none; leaving is for bad data
            taken = not any(isinstance(node, ast.Return | ast.Raise) for part in tree.body for node in ast.walk(part))
    return reader.block(tree.body if taken else tree.orelse, scope)


def _for(reader: Reader, tree: ast.For, scope: Scope) -> Returned | Leave | None:
    with reader.placed(tree.iter):
        over = reader.value(tree.iter, scope)
        if loops.over_bars(over):
            return loops.run(reader, tree, over, scope)
        items = expressions.items(over)
    for item in items:
        reader.step(tree)
        expressions.assign(reader, tree.target, item, scope)
        done = reader.block(tree.body, scope)
        if isinstance(done, Returned):
            return done
        if isinstance(done, Leave) and done.how == "break":
            return None
    return reader.block(tree.orelse, scope)


def _while(reader: Reader, tree: ast.While, scope: Scope) -> Returned | Leave | None:
    while reader.truth(reader.value(tree.test, scope)):
        reader.step(tree)
        done = reader.block(tree.body, scope)
        if isinstance(done, Returned):
            return done
        if isinstance(done, Leave) and done.how == "break":
            return None
    return reader.block(tree.orelse, scope)


def _with(reader: Reader, tree: ast.With, scope: Scope) -> Returned | Leave | None:
    for item in tree.items:
        reader.value(item.context_expr, scope)
    return reader.block(tree.body, scope)


def _try(reader: Reader, tree: ast.Try, scope: Scope) -> Returned | Leave | None:
    done = reader.block([*tree.body, *tree.orelse], scope)
    after = reader.block(tree.finalbody, scope)
    return after or done


def _import(reader: Reader, tree: ast.Import, scope: Scope) -> None:
    for alias in tree.names:
        path = _module(alias.name)
        scope.names[alias.asname or alias.name.partition(".")[0]] = Module(path if alias.asname else path.partition(".")[0])


def _import_from(reader: Reader, tree: ast.ImportFrom, scope: Scope) -> None:
    path = _module(tree.module or "")
    for alias in tree.names:
        if alias.name != "*":
            scope.names[alias.asname or alias.name] = Module(f"{path}.{alias.name}")


def _module(name: str) -> str:
    """An unknown module may be imported; what is called of it is refused."""
    first, _, rest = name.partition(".")
    known = MODULES.get(first, f"unknown:{first}")
    return f"{known}.{rest}" if rest else known


def _raise(reader: Reader, tree: ast.Raise, scope: Scope) -> None:
    raise BadSyntax("this path always raises")


def _shared(reader: Reader, tree: ast.Global | ast.Nonlocal, scope: Scope) -> None:
    if reader.elementwise:
        raise BadSyntax(f"{tree.names[0]!r} is kept from one bar to the next", suggestion=KEEP)
    scope.shared.update(tree.names)


def _nothing(reader: Reader, tree: ast.stmt, scope: Scope) -> None:
    return None


_STATEMENTS: Mapping[type[ast.stmt], Callable[..., Returned | Leave | None]] = {
    ast.FunctionDef: _define, ast.ClassDef: _class, ast.Return: _return, ast.Assign: _assign, ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented, ast.Expr: _expression, ast.If: _if, ast.For: _for, ast.While: _while, ast.With: _with, ast.Try: _try,
    ast.Import: _import, ast.ImportFrom: _import_from, ast.Raise: _raise, ast.Assert: _nothing, ast.Pass: _nothing,
    ast.Global: _shared, ast.Nonlocal: _shared,
    ast.Break: lambda reader, tree, scope: Leave("break"), ast.Continue: lambda reader, tree, scope: Leave("continue"),
}  # fmt: skip
