"""Text to graph. Python's expression syntax, read through `ast` and translated; nothing is ever compiled or run.

The gates stand in this order: bytes, length, ASCII, words of the language, brackets, and only then the parser. Whatever comes in,
a `FactorError` with its place is the only thing that comes out beside a graph.
"""

import ast
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from typing import NoReturn

from strategies.errors import BadConstant, BadSyntax, BadWindow, FactorError, LookAhead, TooBig, UnknownName, WrongArity
from strategies.factors.check import TEXT, Limits, check, distinct
from strategies.factors.dialects import DIALECTS, LOOKING_AHEAD, SLUICE, WHOLE_SAMPLE, Dialect, Rule, Setting, is_known, is_so, resolve
from strategies.factors.graph import CONST, Node, call, const, nearest, number_text, parameter
from strategies.factors.operators import OPERATORS, Number, Operator, Param
from strategies.factors.words import MAX_CONSTANT, Line, statements

MAX_EXPONENT = 4
DEEPEST = 200  # levels of Python's own tree; the limit on the graph is lower

_BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow"}
_UNARY = {ast.USub: "neg", ast.Not: "not"}
_FIGURES: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b if b else math.nan,
    ast.FloorDiv: lambda a, b: a // b if b else math.nan,
}
_COMPARE = {ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le", ast.Eq: "eq", ast.NotEq: "ne"}


def parse(
    text: str,
    *,
    dialect: str = "sluice",
    timeframe: int,
    fields: Collection[str],
    limits: Limits = TEXT,
    units: bool | None = None,
) -> Node:
    """The factor that a text says: an expression, or lines of `name = expression` of which the last is the factor.

    timeframe  milliseconds of a bar, for durations;  fields  what the configured feeds give
    units      refuse a price added to a volume; None: as the dialect has it, and `sluice` alone refuses
    Raises FactorError with code, line, column and suggestion.
    """
    spoken = DIALECTS.get(dialect)
    if spoken is None:
        raise UnknownName(f"there is no dialect {dialect!r}", suggestion=f"there is {', '.join(DIALECTS)}")
    try:
        return _parse(text, spoken, Setting(timeframe, frozenset(fields)), limits, spoken.units if units is None else units)
    except (RecursionError, MemoryError):
        raise TooBig("it is nested too deeply", line=1, column=1, suggestion="split it into several lines") from None


def _parse(text: str, dialect: Dialect, setting: Setting, limits: Limits, units: bool) -> Node:
    named: dict[str, Node] = {}
    node = const(0)
    for line in statements(text, setting.timeframe, dialect, lambda name: name in dialect.fields or is_known(name, setting)):
        if line.name in setting.fields or line.name in named:
            raise BadSyntax(f"{line.name!r} already has a meaning", line=line.row, column=line.column, suggestion="choose another name")
        node = _Text(line, dialect, setting, named).node()
        try:
            check(node, limits, units=units)
            _sayable(node)
        except FactorError as refusal:
            raise refusal.placed(line.row, line.start) from None
        if line.name:
            named[line.name] = node
    if not node.inputs():
        raise BadConstant(f"it is the constant {node.text} and reads no field", line=line.row, column=line.start)
    return node


def _sayable(node: Node) -> None:
    """Numbers that a table's line or folding has made are such as may be written, so that canonical text is legal text."""
    for each in distinct([node]):
        for value in each.params:
            if MAX_CONSTANT < abs(value) < math.inf:  # infinity is written div_inf(1, 0)
                raise BadConstant(f"it works out to the number {number_text(value)}", suggestion=f"numbers go up to {MAX_CONSTANT:g}")


class _Reader(ABC):
    """Python's tree into a graph: what a text and a line of a dialect's table have in common."""

    def __init__(self, dialect: Dialect, setting: Setting, named: Mapping[str, Node]) -> None:
        self.dialect = dialect
        self.setting = setting
        self.named = named

    def go(self, tree: ast.expr, depth: int) -> Node:
        return self.translate(tree, depth + 1)

    def translate(self, tree: ast.expr, depth: int) -> Node:
        match tree:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return const(value)
            case ast.Name(id=name):
                return self.name(name)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.go(operand, depth)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return self.built(_UNARY[type(op)], self.go(operand, depth))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self.built(_BINARY[type(op)], self.go(left, depth), self.go(right, depth))
            case ast.BoolOp(op=op, values=values):
                return self.joined("and" if isinstance(op, ast.And) else "or", [self.go(v, depth) for v in values])
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return self.built(_COMPARE[type(op)], self.go(left, depth), self.go(right, depth))
            case ast.Compare():
                raise BadSyntax("comparisons are not chained", suggestion="write `a < b and b < c`")
            case ast.IfExp(test=test, body=body, orelse=other):
                return self.built("where", self.go(test, depth), self.go(body, depth), self.go(other, depth))
            case ast.Call(args=args) if starred := [a for a in args if isinstance(a, ast.Starred)]:
                return self.go(starred[0], depth)  # which is refused, at its place
            case ast.Call(keywords=[*_, ast.keyword(arg=None)]):
                raise BadSyntax("arguments are written one by one, not unpacked")
            case ast.Call(keywords=[_, *_]):
                name = tree.func.id if isinstance(tree.func, ast.Name) else "ts_mean"
                raise WrongArity("arguments go by place, not by name", suggestion=f"write {name}(x, 20), not {name}(x, window=20)")
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self.called(name, args, depth)
            case _:
                raise BadSyntax(f"{type(tree).__name__.lower()} is not part of the language")

    def name(self, name: str) -> Node:
        """A name of the text, a field, a name of the dialect, or a derived name; in this order."""
        if name in self.named:
            return self.named[name]
        own = None if name in self.setting.fields else self.dialect.fields.get(name)
        if own is None:
            return resolve(name, self.setting)
        return _Body(self.setting, {}).go(ast.parse(own, mode="eval").body, 0)

    def called(self, name: str, trees: list[ast.expr], depth: int) -> Node:
        entry = self.dialect.table.get((name, len(trees)))
        if entry is None:
            self.unknown(name, trees)
        if not isinstance(entry, str):
            return self.defined(name, entry, trees, depth)
        row = OPERATORS[entry]
        if not row.params:
            return self.joined(entry, [self.go(t, depth) for t in trees])
        series = [self.go(t, depth) for t in trees[: row.series]]
        params = [self.number(t, row, p) for t, p in zip(trees[row.series :], row.params, strict=False)]
        return call(entry, *series, *params)

    def joined(self, op: str, nodes: list[Node]) -> Node:
        """More than two arguments nest from the left."""
        series = OPERATORS[op].series
        node = self.built(op, *nodes[:series])
        for more in nodes[series:]:
            node = self.built(op, node, more)
        return node

    def built(self, op: str, *args: Node) -> Node:
        if op == "pow" and not (args[1].op == CONST and abs(args[1].params[0]) <= MAX_EXPONENT):
            if not self.dialect.powers:
                raise BadConstant(
                    f"an exponent is a constant in [-{MAX_EXPONENT}, {MAX_EXPONENT}]", suggestion="use power(x, y), or exp and log"
                )
            op = "power"
        fold = OPERATORS[op].fold
        value = fold(*(a.params[0] for a in args)) if fold is not None and all(a.op == CONST for a in args) else None
        if value is not None and not abs(value) <= MAX_CONSTANT and not _is_written(op, args):
            raise BadConstant(f"{op} of constants gives {value:g}", suggestion=f"constants are numbers up to {MAX_CONSTANT:g}")
        return call(op, *args)

    @abstractmethod
    def number(self, tree: ast.expr, row: Operator, param: Param) -> Number:
        """A parameter that passed."""

    @abstractmethod
    def defined(self, name: str, rules: tuple[Rule, ...], trees: list[ast.expr], depth: int) -> Node:
        """What lines of a table say that a call means."""

    def unknown(self, name: str, trees: list[ast.expr]) -> NoReturn:
        if name in LOOKING_AHEAD:
            raise LookAhead(f"{name} would use bars that have not closed", suggestion="use delay(x, n) to look back")
        share = name in ("quantile", "percentile", "ts_quantile")
        if name in WHOLE_SAMPLE and len(trees) in (1, 1 + share):
            bare = name.removeprefix("ts_")
            over_time, across = f"ts_{bare}" if f"ts_{bare}" in self.dialect.names else name, f"cs_{bare}"
            hint = f"{over_time}(x, 20, 0.9)" if share else f"{over_time}(x, 20)"
            hint += f", or {across}(x) across symbols" if across in self.dialect.names else ""
            raise LookAhead(f"{name} without a window would see the whole sample", suggestion=f"write {hint}")
        counts = self.dialect.arities(name)
        if counts:
            takes = " or ".join(str(c) for c in counts) if len(counts) < 4 else f"{counts[0]} to {counts[-1]}"
            raise WrongArity(f"{name} takes {takes} arguments, not {len(trees)}")
        raise UnknownName(f"there is no operator {name!r}", suggestion=nearest(name, self.dialect.names))


class _Text(_Reader):
    """One line of a text, by its dialect; every refusal gets its place."""

    def __init__(self, line: Line, dialect: Dialect, setting: Setting, named: Mapping[str, Node]) -> None:
        super().__init__(dialect, setting, named)
        self.line = line
        self.done: dict[ast.expr, Node] = {}  # an argument is read once, however many lines of a table are tried on it

    def node(self) -> Node:
        try:
            tree = ast.parse(self.line.python, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as wrong:
            at = wrong.offset if isinstance(wrong, SyntaxError) and wrong.offset else len(self.line.python)  # 0: the text ends too early
            row, column = self.line.place(at - 1)
            reason = wrong.msg if isinstance(wrong, SyntaxError) else "too deeply nested"
            raise BadSyntax(f"this is not an expression: {reason}", line=row, column=column) from None
        return self.go(tree, 0)

    def go(self, tree: ast.expr, depth: int) -> Node:
        if tree not in self.done:
            if depth > DEEPEST:
                self.refuse(tree, TooBig("it is nested too deeply", suggestion="split it into several lines"))
            try:
                self.done[tree] = self.translate(tree, depth + 1)
            except FactorError as refusal:
                self.refuse(tree, refusal)
        return self.done[tree]

    def number(self, tree: ast.expr, row: Operator, param: Param) -> Number:
        """A parameter: a number as written, with a sign at most; never an expression."""
        match tree:
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=int() | float() as value)):
                value = -value if isinstance(sign, ast.USub) else value
            case ast.Constant(value=int() | float() as value):
                pass
            case _:
                kind = BadWindow if param.whole else BadConstant
                self.refuse(tree, kind(f"the {param.name} of {row.name} must be a number as written, not an expression"))
        try:
            checked = parameter(row, param, value)
            if row.name == "delay" and checked == 0:
                raise BadWindow("a delay is at least 1 bar", suggestion="leave the delay out")
        except FactorError as refusal:
            self.refuse(tree, refusal)
        return checked

    def defined(self, name: str, rules: tuple[Rule, ...], trees: list[ast.expr], depth: int) -> Node:
        """By the first line of the dialect's table that the arguments fit."""
        for rule in rules:
            found: dict[str, ast.expr] = {}
            if all(self.fits(pattern, tree, depth, found) for pattern, tree in zip(rule.takes, trees, strict=True)):
                body = _Body(self.setting, {key: self.go(tree, depth) for key, tree in found.items()}, rule.floors)
                try:
                    return body.go(rule.means, 0)
                except FactorError as refusal:
                    if body.blamed in found:
                        self.refuse(found[body.blamed], refusal)
                    raise
        raise WrongArity(f"the arguments of {name} do not fit", suggestion=f"write {' or '.join(rule.left for rule in rules)}")

    def fits(self, pattern: ast.expr, tree: ast.expr, depth: int, found: dict[str, ast.expr]) -> bool:
        """Whether an argument is what the table says; what its names stand for goes into `found`."""
        match pattern:
            case ast.Name(id=key) if key.isupper():
                return isinstance(tree, ast.Name) and tree.id == key.lower()
            case ast.Name(id=key):
                known = found.setdefault(key, tree)
                return known is tree or ast.dump(known) == ast.dump(tree)
            case ast.Call(func=ast.Name(id=known), args=patterns):
                match tree:
                    case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name == known and len(args) == len(patterns):
                        return all(self.fits(p, t, depth, found) for p, t in zip(patterns, args, strict=True))
                return False
        node = self.go(tree, depth)
        if node.op != CONST:
            return False
        found.update((inner.id, tree) for inner in ast.walk(pattern) if isinstance(inner, ast.Name))
        return is_so(pattern, float(node.params[0]))

    def refuse(self, tree: ast.expr, refusal: FactorError) -> NoReturn:
        raise refusal.placed(*self.line.place(tree.col_offset))


_OPERATORS = SLUICE._replace(powers=True)


class _Body(_Reader):
    """The right side of a line of a table: canonical text over the arguments. `blamed` is the argument that a refusal is about."""

    def __init__(self, setting: Setting, named: Mapping[str, Node], floors: bool = False) -> None:
        super().__init__(_OPERATORS, setting, named)
        self.floors = floors
        self.blamed = ""

    def number(self, tree: ast.expr, row: Operator, param: Param) -> Number:
        self.blamed = next((inner.id for inner in ast.walk(tree) if isinstance(inner, ast.Name)), "")
        value = self.figure(tree)
        if value is None:
            kind = BadWindow if param.whole else BadConstant
            raise kind(f"the {param.name} of {row.name} must be a number, not an expression of fields")
        if param.whole and self.floors and (value < 0 or 1 <= value < math.inf):
            value = math.floor(value)
        checked = parameter(row, param, value)
        self.blamed = ""
        return checked

    def defined(self, name: str, rules: tuple[Rule, ...], trees: list[ast.expr], depth: int) -> Node:
        """The right side of a line is made of operators alone."""
        self.unknown(name, trees)

    def figure(self, tree: ast.expr) -> float | None:
        """The value of a number, and of arithmetic on numbers; None of anything else."""
        match tree:
            case ast.Constant(value=int() | float() as value):
                return value
            case ast.Name(id=name) if name in self.named and self.named[name].op == CONST:
                return self.named[name].params[0]
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self.figure(left), self.figure(right)
                return None if a is None or b is None or type(op) not in _FIGURES else _FIGURES[type(op)](a, b)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                a = self.figure(operand)
                return None if a is None else -a
        return None


def _is_written(op: str, args: tuple[Node, ...]) -> bool:
    """`0 / 0`, which is how NaN is written, and `div_inf(1, 0)` and `div_inf(-1, 0)`, which are the infinities."""
    if op not in ("div", "div_inf") or any(a.op != CONST for a in args):
        return False
    above, below = (a.params[0] for a in args)
    return below == 0 and abs(above) == (op == "div_inf")
