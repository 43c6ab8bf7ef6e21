"""What a strategy file declares, as far as the source says: its classes, their memory, the names that it binds."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from strategies.purity.words import DECLARATIONS, STRATEGY

MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)


class Declared(NamedTuple):
    """Of one class: is it a strategy; its parameters; its memory (annotated attributes with a value); all it binds in its body."""

    strategy: bool
    parameters: frozenset[str]
    memory: frozenset[str]
    bound: frozenset[str]


def strategies_of(tree: ast.Module) -> dict[str, Declared]:
    """Every class of the module by name; one that inherits from a strategy of the file has what that has."""
    found: dict[str, Declared] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            mine = _declared(node)
            for base in node.bases:
                parent = found.get(dotted(base))
                if parent is not None:
                    mine = Declared(
                        mine.strategy or parent.strategy, mine.parameters | parent.parameters, mine.memory | parent.memory,
                        mine.bound | parent.bound,
                    )  # fmt: skip
            found[node.name] = mine
    return found


def _declared(node: ast.ClassDef) -> Declared:
    parameters, memory, bound = set(), set(), set()
    for item in node.body:
        match item:
            case ast.AnnAssign(target=ast.Name(id=name), value=value, annotation=kind) if value is not None:
                bound.add(name)
                if isinstance(value, ast.Call) and dotted(value.func).endswith("Parameter"):
                    parameters.add(name)
                elif name not in DECLARATIONS and not dotted(kind).endswith("ClassVar"):
                    memory.add(name)
            case ast.Assign(targets=targets, value=value):
                names = {name for target in targets for name in stored(target)}
                bound |= names
                if isinstance(value, ast.Call) and dotted(value.func).endswith("Parameter"):
                    parameters |= names
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case _:
                pass
    strategy = any(dotted(base).split(".")[-1] == STRATEGY for base in node.bases)
    return Declared(strategy, frozenset(parameters), frozenset(memory), frozenset(bound))


def bound_names(tree: ast.Module) -> frozenset[str]:
    """Every name that the file binds anywhere."""
    return frozenset(_bound(tree))


def _bound(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    yield alias.asname or alias.name.split(".")[0]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name
            case _:
                pass


def module_names(tree: ast.Module) -> frozenset[str]:
    """The names that belong to the module itself: what a function may read and nobody may change."""
    found: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name.split(".")[0] for alias in names}
            case ast.Assign(targets=targets):
                found |= {name for target in targets for name in stored(target)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
            case _:
                pass
    return frozenset(found)


def local_names(function: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """The names that a function binds itself: arguments and whatever it assigns."""
    arguments = function.args
    names = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg) if a}
    body: list[ast.AST] = list(function.body) if isinstance(function, ast.FunctionDef) else [function.body]
    while body:
        node = body.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        elif isinstance(node, ast.Lambda):
            continue
        elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.ExceptHandler) and node.name:
            names.add(node.name)
        body.extend(ast.iter_child_nodes(node))
    return frozenset(names)


def stored(target: ast.expr) -> list[str]:
    """The names that an assignment to `target` binds."""
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def dotted(node: ast.AST) -> str:
    """`np.random.normal`; "" for what is no plain name. Of a subscript, the name before it."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            before = dotted(value)
            return f"{before}.{attr}" if before else ""
        case ast.Subscript(value=value):
            return dotted(value)
        case ast.Call(func=func):
            return dotted(func) if isinstance(func, ast.Name | ast.Attribute) else ""
        case _:
            return ""


def root(node: ast.expr) -> str:
    """The name that an attribute or a subscript begins with; "" for what begins with no name."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def attribute_of_self(node: ast.expr, self_name: str) -> str:
    """`x` of `self.x`, `self.x[0]` and `self.x.y`; "" for anything else."""
    found = ""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        if isinstance(node, ast.Attribute):
            found = node.attr
        node = node.value
    return found if isinstance(node, ast.Name) and node.id == self_name else ""
