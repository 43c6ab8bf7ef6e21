"""Where a strategy would depend on the order of a set, which is another in every process."""

import ast

from strategies.purity.scope import dotted

SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference"})
IN_ORDER = frozenset({
    "list", "tuple", "enumerate", "zip", "map", "filter", "iter", "sum", "reversed", "dict", "array", "asarray", "fromiter", "fsum", "join",
    "extend", "fromkeys", "str", "repr", "ascii",
})  # fmt: skip
_SETS = ("set", "frozenset", "AbstractSet", "MutableSet")


class Sets:
    """Which names of a function, and which attributes of self, are sets, as far as the source says."""

    def __init__(self, tree: ast.Module) -> None:
        self._names: set[str] = set()
        for _ in range(3):  # a name may be made of one that is made of a set
            for node in ast.walk(tree):
                self._learn(node)

    def is_set(self, node: ast.expr) -> bool:
        """Whether an expression is a set."""
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Call(func=ast.Name(id="set" | "frozenset")):
                return True
            case ast.Call(func=ast.Attribute(value=value, attr=attr)):
                return (attr in SET_METHODS or attr == "copy") and self.is_set(value)
            case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
                return any(self.is_set(side) or _is_keys(side) for side in (left, right))
            case ast.IfExp(body=body, orelse=other):
                return self.is_set(body) or self.is_set(other)
            case ast.NamedExpr(value=value):
                return self.is_set(value)
            case ast.Name() | ast.Attribute():
                return dotted(node) in self._names
            case _:
                return False

    def _learn(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value) if self.is_set(value):
                self._names |= {dotted(target) for target in targets} - {""}
            case ast.AnnAssign(target=target, annotation=kind, value=value):
                if dotted(kind).split(".")[-1] in _SETS or (value is not None and self.is_set(value)):
                    self._names |= {dotted(target), f"self.{dotted(target)}"}
            case ast.NamedExpr(target=ast.Name(id=name), value=value) if self.is_set(value):
                self._names.add(name)
            case ast.arg(arg=name, annotation=ast.expr() as kind) if dotted(kind).split(".")[-1] in _SETS:
                self._names.add(name)
            case _:
                pass


def _is_keys(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "items")


def iterated(node: ast.AST) -> list[ast.expr]:
    """The expressions that this node goes through in order."""
    match node:
        case ast.For(iter=source) | ast.comprehension(iter=source):
            return [source]
        case ast.Call(func=func, args=args) if dotted(func).split(".")[-1] in IN_ORDER or _is_join(func):
            return list(args)
        case ast.Call(func=ast.Attribute(value=value, attr="pop"), args=[]):
            return [value]
        case ast.FormattedValue(value=value):
            return [value]
        case ast.Call(func=ast.Name(id="sorted" | "min" | "max"), args=args, keywords=[_, *_]):
            return list(args)  # what is equal by the key stays in the order of the set
        case ast.Starred(value=value):
            return [value]
        case ast.Assign(targets=[ast.Tuple() | ast.List()], value=value):
            return [value]
        case _:
            return []


def _is_join(func: ast.expr) -> bool:
    return isinstance(func, ast.Attribute) and func.attr == "join"
