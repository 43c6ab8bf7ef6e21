"""Expressions: each kind of syntax has one rule; what is called goes to the table of its kind of value."""

import ast
from collections.abc import Callable, Mapping
from typing import NoReturn

from strategies.errors import BadConstant, BadSyntax, TooBig
from strategies.factors.pandas_code import algebra, assignments, classes, indicators, loops, methods, modules, numbers, subscripts
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import binary, compared, items, joined, unary
from strategies.factors.pandas_code.values import (
    Class,
    Frame,
    Function,
    Given,
    Index,
    Instance,
    Method,
    Module,
    Partial,
    Scope,
    Series,
    Short,
    Value,
    Vector,
    Whole,
    is_number,
)  # fmt: skip

BUILTINS = frozenset({
    "abs", "min", "max", "sum", "len", "range", "round", "float", "int", "bool", "str", "list", "tuple", "dict", "set", "enumerate", "zip",
    "isinstance", "print", "sorted", "reversed", "map", "filter", "any", "all", "pow", "getattr", "hasattr", "super", "property",
    "staticmethod", "classmethod", "ValueError", "KeyError", "TypeError", "Exception", "type", "callable", "slice", "ImportError", "divmod",
    "RuntimeError", "IndexError", "ZeroDivisionError", "NotImplementedError", "AttributeError", "object",
})  # fmt: skip
MOST_ITEMS = 1_000
ITEMS_A_STEP = 8  # of a list; the numbers of a vector are worked out one by one
NODES_A_STEP = 64  # a large graph takes as long to name as many small ones
__all__ = ["BUILTINS", "assign", "binary", "items", "value"]


def value(reader: "Reader", tree: ast.expr, scope: Scope) -> Value:
    reader.step(tree)
    rule = _RULES.get(type(tree))
    with reader.placed(tree):
        if rule is None:
            raise BadSyntax(f"{type(tree).__name__.lower()} is not part of a factor")
        done = rule(reader, tree, scope)
    if isinstance(done, Series):
        reader.steps += done.node.size // NODES_A_STEP
    elif isinstance(done, Vector):
        reader.steps += len(done.items)
    elif isinstance(done, list | tuple):
        reader.steps += len(done) // ITEMS_A_STEP
    return done


def assign(reader: "Reader", target: ast.expr, new: Value, scope: Scope) -> None:
    match target:
        case ast.Name(id=name):
            scope.put(name, new)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            _unpack(reader, parts, new, scope)
        case ast.Subscript(value=of, slice=index):
            owner = value(reader, of, scope)
            assignments.put(reader, owner, value(reader, index, scope), new)
        case ast.Attribute(value=of, attr=name):
            _set_attribute(reader, value(reader, of, scope), name, new)
        case _:
            raise BadSyntax("nothing can be assigned here")


def _unpack(reader: "Reader", parts: list[ast.expr], new: Value, scope: Scope) -> None:
    values = items(new)
    stars = [i for i, part in enumerate(parts) if isinstance(part, ast.Starred)]
    if stars:
        at, after = stars[0], len(parts) - stars[0] - 1
        values = [*values[:at], values[at : len(values) - after], *values[len(values) - after :]]
        parts = [p.value if isinstance(p, ast.Starred) else p for p in parts]
    if len(values) != len(parts):
        raise BadSyntax(f"{len(values)} values cannot go into {len(parts)} names")
    for part, item in zip(parts, values, strict=True):
        assign(reader, part, item, scope)


def _set_attribute(reader: "Reader", owner: Value, name: str, new: Value) -> None:
    match owner:
        case Instance():
            reader.changing(owner)
            owner.attributes[name] = new
        case Series() if name == "name":
            owner.name = str(new)
        case Series() | Frame() if name in ("index", "attrs"):
            if not isinstance(new, Index):
                raise BadSyntax("the index of the bars cannot be changed")
        case Frame() if name == "columns":
            names = [str(n) for n in items(new)]
            if len(names) != len(owner.columns):
                raise BadSyntax(f"{len(names)} names for {len(owner.columns)} columns", suggestion="use df.rename(columns={...})")
            owner.columns = dict(zip(names, owner.columns.values(), strict=True))
        case Frame():
            assignments.put_column(owner, name, new)
        case _:
            raise BadSyntax(f"the attribute {name!r} cannot be set")


def _constant(reader: "Reader", tree: ast.Constant, scope: Scope) -> Value:
    if isinstance(tree.value, int | float | str) or tree.value is None:
        if isinstance(tree.value, int) and abs(tree.value) > 10**18:
            raise BadConstant(f"{tree.value} is too large", suggestion=f"constants are numbers up to {numbers.MOST:g}")
        return tree.value
    raise BadConstant(f"{type(tree.value).__name__} is not a value of a factor")


def _name(reader: "Reader", tree: ast.Name, scope: Scope) -> Value:
    return reader.look_up(tree.id, scope)


def _binary(reader: "Reader", tree: ast.BinOp, scope: Scope) -> Value:
    return binary(reader, tree.op, value(reader, tree.left, scope), value(reader, tree.right, scope))


def _unary(reader: "Reader", tree: ast.UnaryOp, scope: Scope) -> Value:
    operand = value(reader, tree.operand, scope)
    if isinstance(tree.op, ast.Not):
        if isinstance(operand, Series) and reader.elementwise:
            return algebra.inverted(algebra.truth(operand))
        return not reader.truth(operand)
    done = unary(tree.op, operand)
    return done.copy() if done is operand and isinstance(done, Series) else done


def _boolean(reader: "Reader", tree: ast.BoolOp, scope: Scope) -> Value:
    """`and`, `or`: Python's on what is known beforehand, element by element inside `apply`."""
    both = isinstance(tree.op, ast.And)
    done = value(reader, tree.values[0], scope)
    for part in tree.values[1:]:
        if isinstance(done, Series) and reader.elementwise:
            other = value(reader, part, scope)
            done = algebra.logical("and" if both else "or", algebra.truth(done), algebra.truth(algebra.as_series(other)))
        elif reader.truth(done) != both:
            return done
        else:
            done = value(reader, part, scope)
    return done


def _compare(reader: "Reader", tree: ast.Compare, scope: Scope) -> Value:
    left = value(reader, tree.left, scope)
    done: Value = True
    for op, part in zip(tree.ops, tree.comparators, strict=True):
        right = value(reader, part, scope)
        one = compared(reader, op, left, right)
        done = one if done is True else joined(reader, done, one)
        left = right
    return done


def _choice(reader: "Reader", tree: ast.IfExp, scope: Scope) -> Value:
    test = value(reader, tree.test, scope)
    if isinstance(test, Series) and reader.elementwise:
        sides = [Scope({n: loops.narrowed(reader, v, test, way) for n, v in scope.names.items()}, scope.outer) for way in (True, False)]
        yes, no = value(reader, tree.body, sides[0]), value(reader, tree.orelse, sides[1])
        return algebra.choose(test, algebra.as_series(yes), algebra.as_series(no))
    return value(reader, tree.body if reader.truth(test) else tree.orelse, scope)


def _sequence(reader: "Reader", tree: ast.List | ast.Tuple | ast.Set, scope: Scope) -> Value:
    parts: list[Value] = []
    for part in tree.elts:
        if isinstance(part, ast.Starred):
            parts.extend(items(value(reader, part.value, scope)))
        else:
            parts.append(value(reader, part, scope))
    return tuple(parts) if isinstance(tree, ast.Tuple) else reader.made(parts)


def _dict(reader: "Reader", tree: ast.Dict, scope: Scope) -> Value:
    made: dict[Value, Value] = reader.made({})
    for key, part in zip(tree.keys, tree.values, strict=True):
        if key is None:
            more = value(reader, part, scope)
            if not isinstance(more, dict):
                raise BadSyntax("only a dict can be spread into a dict")
            made.update(more)
        else:
            made[_key(value(reader, key, scope))] = value(reader, part, scope)
    return made


def _key(key: Value) -> Value:
    if not isinstance(key, str | int | float | bool | tuple) and key is not None:
        raise BadSyntax("a key of a dict is text or a number")
    return key


def _lambda(reader: "Reader", tree: ast.Lambda, scope: Scope) -> Value:
    return Function("lambda", tree.args, tree.body, scope)


def _text(reader: "Reader", tree: ast.JoinedStr, scope: Scope) -> Value:
    parts: list[str] = []
    for part in tree.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif isinstance(part, ast.FormattedValue):
            shown = value(reader, part.value, scope)
            parts.append(str(shown) if isinstance(shown, str | int | float) else "")
    if sum(map(len, parts)) > MOST_ITEMS:
        raise TooBig("this text is too long")
    return "".join(parts)


def _comprehension(reader: "Reader", tree: ast.ListComp | ast.GeneratorExp | ast.SetComp, scope: Scope) -> Value:
    made: list[Value] = []
    over = value(reader, tree.generators[0].iter, scope)
    if loops.over_bars(over) and len(tree.generators) == 1 and not tree.generators[0].ifs:
        return _for_each_bar(reader, tree, over, scope)
    _walk(reader, tree.generators, Scope({}, scope), lambda inner: made.append(value(reader, tree.elt, inner)))
    return reader.made(made)


def _for_each_bar(reader: "Reader", tree: ast.ListComp | ast.GeneratorExp | ast.SetComp, over: Value, scope: Scope) -> Value:
    """[f(x) for x in column]."""
    walk = loops.walking(over)
    inner = Scope({}, scope)
    before, reader.walk = reader.walk, walk
    try:
        assign(reader, tree.generators[0].target, walk.item, inner)
        with reader.element_by_element():
            done = algebra.as_series(value(reader, tree.elt, inner)).copy(array=True, full=False)
    finally:
        reader.walk = before
    return Short(done, walk.first) if walk.first else done


def _dict_comprehension(reader: "Reader", tree: ast.DictComp, scope: Scope) -> Value:
    made: dict[Value, Value] = {}

    def add(inner: Scope) -> None:
        made[_key(value(reader, tree.key, inner))] = value(reader, tree.value, inner)

    _walk(reader, tree.generators, Scope({}, scope), add)
    return made


def _walk(reader: "Reader", loops: list[ast.comprehension], scope: Scope, then: Callable[[Scope], None]) -> None:
    if not loops:
        then(scope)
        return
    for item in items(value(reader, loops[0].iter, scope)):
        reader.step(loops[0].target)
        assign(reader, loops[0].target, item, scope)
        if all(reader.truth(value(reader, test, scope)) for test in loops[0].ifs):
            _walk(reader, loops[1:], scope, then)


def _subscript(reader: "Reader", tree: ast.Subscript, scope: Scope) -> Value:
    owner = value(reader, tree.value, scope)
    return subscripts.get(reader, owner, value(reader, tree.slice, scope))


def _slice(reader: "Reader", tree: ast.Slice, scope: Scope) -> Value:
    return slice(*(None if part is None else value(reader, part, scope) for part in (tree.lower, tree.upper, tree.step)))


def _walrus(reader: "Reader", tree: ast.NamedExpr, scope: Scope) -> Value:
    new = value(reader, tree.value, scope)
    assign(reader, tree.target, new, scope)
    return new


def _attribute(reader: "Reader", tree: ast.Attribute, scope: Scope) -> Value:
    return attribute(reader, value(reader, tree.value, scope), tree.attr)


def attribute(reader: "Reader", owner: Value, name: str) -> Value:
    match owner:
        case Module(path=path):
            return modules.CONSTANTS.get(f"{path}.{name}", Module(f"{path}.{name}"))
        case Instance():
            return classes.attribute(reader, owner, name)
        case Method(of=Frame(), name="ta"):
            return Method(owner, name)
        case Whole():
            return (
                owner
                if name in ("values", "empty", "size", "slope", "T", "loc", "iloc", "at", "iat", "index", "columns", "shape")
                else Method(owner, name)
            )
        case Class():
            return classes.attribute_of_class(reader, owner, name)
        case _:
            return subscripts.property_of(reader, owner, name)


def _call(reader: "Reader", tree: ast.Call, scope: Scope) -> Value:
    if isinstance(tree.func, ast.Name) and tree.func.id == "super":
        return classes.parent(reader, scope)
    called = value(reader, tree.func, scope)
    args: list[Value] = []
    for part in tree.args:
        if isinstance(part, ast.Starred):
            args.extend(items(value(reader, part.value, scope)))
        else:
            args.append(value(reader, part, scope))
    named: dict[str, Value] = {}
    for keyword in tree.keywords:
        new = value(reader, keyword.value, scope)
        if keyword.arg is not None:
            named[keyword.arg] = new
        elif isinstance(new, dict):
            named.update(new)
        else:
            raise BadSyntax("only a dict can be spread into arguments")
    reader.step(tree)
    return call(reader, called, args, named)


def call(reader: "Reader", called: Value, args: list[Value], named: Mapping[str, Value]) -> Value:
    match called:
        case Function():
            return _function(reader, called, args, named)
        case Module(path=path):
            done = modules.call(reader, path, args, dict(named))
            return done.copy() if isinstance(done, Series) and any(done is a for a in args) else done
        case Method(of=Method(of=Frame() as frame, name="ta"), name=name):
            return indicators.accessor(reader, frame, name, args, dict(named))
        case Method(of=of, name=name):
            return methods.call(reader, of, Given(f".{name}()", args, dict(named)), name)
        case Class():
            return classes.instance(reader, called, Given(called.tree.name, args, dict(named)))
        case Partial():
            return call(reader, called.function, [*called.args, *args], {**called.named, **named})
        case Instance():
            return call(reader, attribute(reader, called, "__call__"), args, named)
        case Whole():
            called.refuse()
    not_callable(called)


def _function(reader: "Reader", called: Function, args: list[Value], named: Mapping[str, Value]) -> Value:
    if called.vectorised and any(isinstance(a, Series) for a in args):
        with reader.element_by_element():
            done = reader.call_function(called, args, named)
        if not isinstance(done, Series) and not is_number(done):
            raise BadSyntax("the function must give a number")
        return algebra.as_series(done)
    return reader.call_function(called, args, named)


def not_callable(called: Value) -> NoReturn:
    kind = "a number" if is_number(called) else type(called).__name__.lower()
    raise BadSyntax(f"{kind} cannot be called")


_RULES: Mapping[type[ast.expr], Callable[..., Value]] = {
    ast.Constant: _constant, ast.Name: _name, ast.BinOp: _binary, ast.UnaryOp: _unary, ast.BoolOp: _boolean, ast.Compare: _compare,
    ast.IfExp: _choice, ast.List: _sequence, ast.Tuple: _sequence, ast.Set: _sequence, ast.Dict: _dict, ast.Lambda: _lambda,
    ast.JoinedStr: _text, ast.ListComp: _comprehension, ast.GeneratorExp: _comprehension, ast.SetComp: _comprehension,
    ast.DictComp: _dict_comprehension, ast.Subscript: _subscript, ast.Slice: _slice, ast.NamedExpr: _walrus, ast.Attribute: _attribute,
    ast.Call: _call,
}  # fmt: skip
