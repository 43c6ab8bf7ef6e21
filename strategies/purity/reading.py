"""The source of a strategy, read from top to bottom: every place at which it is not pure, with the cause and what to do instead."""

import ast
import math
from typing import NamedTuple

from strategies.purity import words
from strategies.purity.order import Sets, iterated
from strategies.purity.scope import (
    MUTABLE,
    Declared,
    attribute_of_self,
    bound_names,
    dotted,
    local_names,
    module_names,
    root,
    stored,
    strategies_of,
)

MUTATORS = frozenset({
    "append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "add", "discard", "sort", "reverse", "fill",
    "put", "resize", "itemset", "difference_update", "intersection_update", "symmetric_difference_update", "partition",
})  # fmt: skip
MEMORY = "memory stands in the class, annotated: `name: dict[str, float] = {}`"
CONSTANT = "make it a tuple; " + MEMORY
BEGIN = "write def begin(self, symbols: tuple[str, ...], timeframe: int)"
FIELD = "give it field(default_factory=list)"
LONGEST = 1 << 18  # characters of a strategy file


class Impurity(NamedTuple):
    """A place at which a strategy is not pure. line, column  1-based; fix  what to do instead ("": nothing would do)."""

    line: int
    column: int
    cause: str
    fix: str

    def __str__(self) -> str:
        return f"{self.cause}; {self.fix}" if self.fix else self.cause


def impurities(source: str) -> list[Impurity]:
    """What is wrong with the source of a strategy, in order of the lines; nothing of it is run."""
    if len(source) > LONGEST:
        return [Impurity(1, 1, f"it has {len(source)} characters, at most {LONGEST}", "split it")]
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return [Impurity(error.lineno or 1, error.offset or 1, f"it is no Python: {error.msg}", "")]
    except (ValueError, RecursionError, MemoryError) as error:
        return [Impurity(1, 1, f"it is no Python: {error}", "")]
    reader = _Reader(tree)
    reader.visit(tree)
    return sorted(set(reader.found))


class _Function(NamedTuple):
    """A function that is being read: its own names, what it calls itself, the class that it is a method of, what it calls the bar."""

    names: frozenset[str]
    self_name: str
    owner: Declared | None
    bar: str


class _Reader(ast.NodeVisitor):
    def __init__(self, tree: ast.Module) -> None:
        self.found: list[Impurity] = []
        self._classes = strategies_of(tree)
        self._bound = bound_names(tree)
        self._module = module_names(tree)
        self._sets = Sets(tree)
        self._modules: dict[str, str] = {}  # names that are whole modules
        self._functions: list[_Function] = []
        self._owner: Declared | None = None

    def visit(self, node: ast.AST) -> None:
        for source in iterated(node):
            if self._sets.is_set(source):
                self._say(source, "goes through a set, whose order is another in every process", "go through sorted(...)")
        super().visit(node)

    def visit_Module(self, node: ast.Module) -> None:
        for item in node.body:
            match item:
                case ast.Import() | ast.ImportFrom() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Pass():
                    pass
                case ast.Expr(value=ast.Constant()):
                    pass
                case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                    self._constant(value, "at the top of the file", CONSTANT)
                case ast.AnnAssign():
                    pass
                case _:
                    self._say(item, "stands at the top of the file, where only imports, constants, functions and classes do", "take it out")
            self.visit(item)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        mine = self._classes.get(node.name) if not self._functions and self._owner is None else None
        if mine is None:
            self._say(node, f"class {node.name} is made inside something else", "put it at the top of the file")
            return
        for keyword in node.keywords:
            self._say(keyword.value, f"class {node.name} has a {keyword.arg or 'keyword'}", "leave it out")
        self._decorators(node)
        for base in node.bases:
            self.visit(base)
        before, self._owner = self._owner, mine
        for item in node.body:
            self._member(item, mine)
            self.visit(item)
        self._owner = before

    def _member(self, item: ast.stmt, mine: Declared) -> None:
        match item:
            case ast.FunctionDef(name=name) if name.startswith("__"):
                if mine.strategy:
                    self._say(item, f"a strategy has no {name}", "prepare its memory in begin(self, symbols, timeframe)")
                elif name not in words.DUNDERS:
                    self._say(item, f"defines {name}", "")
            case ast.FunctionDef(name="decide", args=args) if mine.strategy and len(args.posonlyargs) + len(args.args) != 2:
                self._say(item, "decide takes the bar and nothing else", "write def decide(self, bar: Bar)")
            case ast.FunctionDef(name="begin", args=args) if mine.strategy and len(args.posonlyargs) + len(args.args) != 3:
                self._say(item, "begin takes the symbols and the timeframe", BEGIN)
            case ast.AnnAssign(value=ast.expr() as value, annotation=kind) if mine.strategy and not dotted(kind).endswith("ClassVar"):
                pass
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                targets = item.targets if isinstance(item, ast.Assign) else [item.target]
                names = {name for target in targets for name in stored(target)}
                where = "in a class without an annotation" if isinstance(item, ast.Assign) else "in a ClassVar"
                if not mine.strategy:
                    self._constant(value, "in a class that is no strategy", FIELD)
                elif not names <= set(words.DECLARATIONS):
                    self._constant(value, where, MEMORY)
            case (
                ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Pass() | ast.AnnAssign() | ast.Expr(value=ast.Constant())
            ):
                pass
            case _:
                self._say(item, "stands in the body of a class, where only attributes and methods do", "put it into begin")

    def _constant(self, value: ast.expr, where: str, fix: str) -> None:
        """What all sessions would share must not be able to change."""
        for part in ast.walk(value):
            if isinstance(part, MUTABLE):
                kind = type(part).__name__.removesuffix("Comp").lower().replace("generatorexp", "generator")
                self._say(part, f"a {kind} {where} is memory that the session does not know", fix)
                return
            if isinstance(part, ast.Call):
                name = dotted(part.func)
                if name not in words.FIXED_CALLS and not name.startswith("math.") and name.split(".")[-1] not in ("field", "Parameter"):
                    self._say(part, f"what {name or 'a call'}(...) makes {where} could change", fix)
                    return

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._decorators(node)
        self._defaults(node.args)
        for annotation in (node.returns, *(a.annotation for a in ast.walk(node.args) if isinstance(a, ast.arg))):
            if annotation is not None:
                self.visit(annotation)
        is_method = self._owner is not None and not self._functions
        static = any(dotted(d) == "staticmethod" for d in node.decorator_list)
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
        self_name = names[0] if is_method and names and not static else (self._functions[-1].self_name if self._functions else "")
        owner = self._owner if is_method else (self._functions[-1].owner if self._functions else None)
        bar = names[1] if is_method and node.name == "decide" and len(names) > 1 else (self._functions[-1].bar if self._functions else "")
        outer = self._functions[-1].names if self._functions else frozenset()
        self._functions.append(_Function(local_names(node) | outer, self_name, owner, bar))
        for item in node.body:
            self.visit(item)
        self._functions.pop()

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._defaults(node.args)
        inner = _Function(local_names(node), "", None, "")
        if self._functions:
            outer = self._functions[-1]
            inner = _Function(inner.names | outer.names, outer.self_name, outer.owner, outer.bar)
        self._functions.append(inner)
        self.visit(node.body)
        self._functions.pop()

    def _decorators(self, node: ast.FunctionDef | ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            if dotted(decorator) not in words.DECORATORS:
                self._say(decorator, f"@{ast.unparse(decorator)} could remember or hide something", "leave it out")
            else:
                self.visit(decorator)

    def _defaults(self, arguments: ast.arguments) -> None:
        for default in (*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)):
            if any(
                isinstance(part, MUTABLE) or (isinstance(part, ast.Call) and dotted(part.func) not in words.FIXED_CALLS)
                for part in ast.walk(default)
            ):
                self._say(default, "a default that can change is shared by all calls", "take None, and make it in the function")
            self.visit(default)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._say(node, f"async def {node.name}: a strategy does not wait", "write def")

    def visit_Await(self, node: ast.Await) -> None:
        self._say(node, "await: a strategy does not wait", "")

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self._say(node, "async for: a strategy does not wait", "write for")

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        self._say(node, "async with: a strategy does not wait", "")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is None:
            self._say(node, "except: catches what ends a session too", "write except Exception:")
        self.generic_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> None:
        if any(name.startswith("_") or name in words.ATTRIBUTES for name in node.kwd_attrs):
            self._say(node, "the pattern takes what is private", "take what is public")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._targets(node.target)
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            if item.optional_vars is not None:
                self._targets(item.optional_vars)
            if dotted(item.context_expr) not in ("np.errstate", "numpy.errstate"):
                self._say(item.context_expr, "with opens something", "only `with np.errstate(...)` may stand in a strategy")
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self._say(node, f"global {', '.join(node.names)}: what a module remembers, no session knows", MEMORY)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self._say(node, f"nonlocal {', '.join(node.names)}: what a closure remembers, no session knows", MEMORY)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name in words.WHOLE:
                self._modules[alias.asname or alias.name] = alias.name
            else:
                self._say(node, f"imports {alias.name}", _instead(alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        name = "." * node.level + (node.module or "")
        if name not in words.MODULES:
            self._say(node, f"imports from {name}", _instead(name))
            return
        for alias in node.names:
            refusal = _refusal(name, alias.name)
            if refusal is not None:
                self._say(node, f"imports {alias.name} from {name}", refusal)
            elif name == "numpy" and alias.name in words.NUMPY_PARTS:
                self._modules[alias.asname or alias.name] = f"numpy.{alias.name}"

    def visit_Name(self, node: ast.Name) -> None:
        name = node.id
        if isinstance(node.ctx, ast.Store):
            return
        if name in self._modules and not self._is_local(name):
            self._say(node, f"the module {name} is used as a value", f"name what you need of it: {name}.something")
        elif name.startswith("__"):
            self._say(node, f"{name} reaches behind the language", words.REFUSED.get(name, "leave it out"))
        elif name in self._bound:
            pass
        elif name in words.REFUSED:
            self._say(node, f"{name} is not for strategies", words.REFUSED[name])
        elif name not in words.BUILTINS:
            self._say(node, f"{name} is not defined", "import it, or give it a value")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        module = self._module_of(node.value)
        if module is not None:
            refusal = _refusal(module, node.attr)
            if refusal is not None:
                self._say(node, f"{ast.unparse(node)} is not for strategies", refusal)
            return
        if node.attr.startswith("__"):
            self._say(node, f".{node.attr} reaches behind the language", "leave it out")
        elif node.attr.startswith("_") and root(node) != (self._functions[-1].self_name if self._functions else ""):
            self._say(node, f".{node.attr} is private", "take what is public")
        elif node.attr in words.ATTRIBUTES:
            self._say(node, f".{node.attr} is not for strategies", words.ATTRIBUTES[node.attr])
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS and self._module_of(node.func.value) is None:
            self._changes(node.func.value, f".{node.func.attr}(...)")
        for keyword in node.keywords:
            if keyword.arg == "out":
                self._changes(keyword.value, "out=")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._targets(target)
        self._another_name(node.value)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._another_name(node.value)
        self.generic_visit(node)

    def _another_name(self, value: ast.expr) -> None:
        """By another name what is shared could be changed unseen."""
        if isinstance(value, ast.Name) and self._functions:
            function = self._functions[-1]
            shared = value.id in self._classes and value.id not in function.names
            if shared or value.id in (function.self_name, function.bar):
                self._say(value, f"gives {value.id} another name", "use the one that it has")

    def visit_AugAssign(self, node: ast.AugAssign | ast.AnnAssign | ast.For) -> None:
        self._targets(node.target)
        self.generic_visit(node)

    visit_AnnAssign = visit_For = visit_AugAssign  # noqa: N815  names of ast

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                self._say(target, f"del {ast.unparse(target)}: memory is always there", "give it another value")
            else:
                self._targets(target)
        self.generic_visit(node)

    def _targets(self, target: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self._targets(part)
        elif isinstance(target, ast.Starred):
            self._targets(target.value)
        elif isinstance(target, ast.Attribute | ast.Subscript):
            self._changes(target, " = ...")

    def _changes(self, node: ast.expr, how: str) -> None:
        """Something is changed: only what is local, and declared memory, may be."""
        name = root(node)
        if not name or not self._functions:
            return
        function = self._functions[-1]
        if name == function.self_name and function.owner is not None and function.owner.strategy:
            self._changes_self(node, attribute_of_self(node, name), how, function.owner)
        elif name == function.bar:
            self._say(node, f"changes {ast.unparse(node)}{how}: the bar is read-only", "keep what you need in memory")
        elif name in self._module and name not in function.names:
            self._say(node, f"changes {ast.unparse(node)}{how}, which belongs to the file: all sessions would share it", MEMORY)

    def _changes_self(self, node: ast.expr, attribute: str, how: str, owner: Declared) -> None:
        if not attribute or attribute in owner.memory:
            return
        if attribute in words.DECLARATIONS or attribute in words.HOOKS:
            self._say(node, f"changes self.{attribute}{how}: what is declared does not change", "give the memory another name")
        elif attribute in owner.parameters:
            self._say(node, f"changes self.{attribute}{how}: a parameter does not change", "copy it into memory")
        else:
            self._say(node, f"changes self.{attribute}{how}, which is not declared", MEMORY.replace("name:", f"{attribute}:"))

    def _is_local(self, name: str) -> bool:
        return bool(self._functions) and name in self._functions[-1].names

    def _module_of(self, node: ast.expr) -> str | None:
        """The module that an expression names: `np` -> numpy, `np.linalg` -> numpy.linalg."""
        if isinstance(node, ast.Name) and not self._is_local(node.id):
            return self._modules.get(node.id)
        if isinstance(node, ast.Attribute) and node.attr in words.NUMPY_PARTS and self._module_of(node.value) == "numpy":
            return f"numpy.{node.attr}"
        return None

    def _say(self, node: ast.AST, cause: str, fix: str) -> None:
        self.found.append(Impurity(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, cause, fix))


def _instead(module: str) -> str:
    known = "a strategy imports math, numpy, typing, dataclasses, enum and strategies.strategy"
    return words.INSTEAD.get(module.partition(".")[0], known)


def _refusal(module: str, name: str) -> str | None:
    """Why a name of a module may not be used, or what to do instead; None: it may be."""
    if name == "*":
        return "name what you need"
    if module == "numpy":
        if name in words.of_numpy():
            return None
        return words.OF_NUMPY.get(name, "only public functions and types of numpy may be used")
    if module.startswith("numpy.") and module.split(".")[1] in words.NUMPY_PARTS:
        return None if name in words.of_part(module.split(".")[1]) else "only public functions of it may be used"
    if module == "math":
        return None if hasattr(math, name) and not name.startswith("_") else "math has no such name"
    allowed = words.MODULES.get(module)
    if allowed is not None:
        return None if name in allowed else f"it may be one of {', '.join(sorted(allowed))}"
    return "it runs text" if name in words.NOT_OF_TYPING else "take what is public" if name.startswith("_") else None
