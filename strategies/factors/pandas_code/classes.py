"""Classes of the text: attributes, methods, properties, base classes of the same text."""

import ast

from strategies.errors import BadSyntax, UnknownName
from strategies.factors.graph import nearest
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.values import Class, Function, Given, Instance, Record, Scope, Value

MOST_BASES = 8


def lineage(owner: Class) -> list[Class]:
    """The class and its bases that stand in the text, nearest first."""
    found = [owner]
    for one in found:
        for base in one.tree.bases:
            parent = one.scope.names.get(base.id) if isinstance(base, ast.Name) else None
            if isinstance(parent, Class) and parent not in found and len(found) < MOST_BASES:
                found.append(parent)
    return found


def instance(reader: "Reader", owner: Class, given: Given | None) -> Instance:
    """An object of a class of the text; `given` None: without running __init__."""
    methods: dict[str, ast.FunctionDef] = {}
    names: dict[str, Value] = {}
    order: list[str] = []
    for one in reversed(lineage(owner)):
        methods |= {s.name: s for s in one.tree.body if isinstance(s, ast.FunctionDef)}
        scope = Scope({}, owner.scope)
        reader.block([s for s in one.tree.body if isinstance(s, ast.Assign | ast.AnnAssign)], scope)
        names |= scope.names
        order += [s.target.id for s in one.tree.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
    made: Instance = reader.made(Instance(names, methods, owner.scope, owner))
    if given is None:
        return made
    if "__init__" in methods:
        tree = methods["__init__"]
        reader.call_function(Function("__init__", tree.args, tree.body, owner.scope, made, True), given.args, given.named)
    else:
        made.attributes.update(zip(order, given.args, strict=False))
        made.attributes.update(given.named)
    return made


def attribute(reader: "Reader", owner: Instance, name: str) -> Value:
    """`self.name`: what was set, a property's value, or a method bound to the object."""
    if name in owner.attributes:
        return owner.attributes[name]
    tree = owner.methods.get(name)
    if tree is None:
        raise UnknownName(f"the object has no {name!r}", suggestion=nearest(name, [*owner.attributes, *owner.methods]))
    marks = {ast.unparse(d).rpartition(".")[2] for d in tree.decorator_list}
    method = Function(name, tree.args, tree.body, owner.scope, owner, "staticmethod" not in marks)
    return reader.call_function(method, [], {}) if marks & {"property", "cached_property"} else method


def attribute_of_class(reader: "Reader", owner: Class, name: str) -> Value:
    """`Factor.name`."""
    made = instance(reader, owner, None)
    if name in made.attributes:
        if any(ast.unparse(base).rpartition(".")[2] == "Enum" for base in owner.tree.bases):
            return Record({"value": made.attributes[name], "name": name})
        return made.attributes[name]
    tree = made.methods.get(name)
    if tree is None:
        raise UnknownName(f"{owner.tree.name} has no {name!r}")
    marks = {ast.unparse(d) for d in tree.decorator_list}
    return Function(name, tree.args, tree.body, owner.scope, made, "classmethod" in marks)


def parent(reader: "Reader", scope: Scope) -> Instance:
    """`super()`: the object seen as one of its base classes; attributes are shared."""
    at: Scope | None = scope
    while at is not None:
        for value in at.names.values():
            if isinstance(value, Instance) and value.owner is not None:
                bases = lineage(value.owner)[1:]
                methods: dict[str, ast.FunctionDef] = {}
                for one in reversed(bases):
                    methods |= {s.name: s for s in one.tree.body if isinstance(s, ast.FunctionDef)}
                methods.setdefault("__init__", _EMPTY)
                return Instance(value.attributes, methods, value.scope, bases[0] if bases else None)
        at = at.outer
    raise BadSyntax("super() stands in a method")


_EMPTY = ast.FunctionDef(
    name="__init__",
    args=ast.arguments(
        posonlyargs=[], args=[ast.arg("self")], vararg=ast.arg("_"), kwonlyargs=[], kw_defaults=[], defaults=[], kwarg=ast.arg("__")
    ),
    body=[ast.Pass()],
    decorator_list=[],
)
