"""Text to graph. Python's expression syntax, read through `ast` and translated; nothing is ever compiled or run.

The gates stand in this order: bytes, length, ASCII, words of the language, brackets, and only then the parser. Whatever comes in,
a `FactorError` with its place is the only thing that comes out beside a graph.
"""

import ast
from collections.abc import Collection
from typing import NoReturn

from strategies.errors import BadConstant, BadSyntax, BadWindow, FactorError, LookAhead, TooBig, UnknownName, WrongArity
from strategies.factors.check import TEXT, Limits, check
from strategies.factors.dialects import DIALECTS, LOOKING_AHEAD, WHOLE_SAMPLE, Setting, Table, resolve
from strategies.factors.graph import CONST, Node, call, const, nearest, parameter
from strategies.factors.operators import OPERATORS, Number, Operator, Param
from strategies.factors.words import MAX_CONSTANT, Line, statements

MAX_EXPONENT = 4
DEEPEST = 200  # levels of Python's own tree; the limit on the graph is lower

_BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow"}
_UNARY = {ast.USub: "neg", ast.Not: "not"}
_COMPARE = {ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le", ast.Eq: "eq", ast.NotEq: "ne"}


def parse(
    text: str, *, dialect: str = "sluice", timeframe: int, fields: Collection[str], limits: Limits = TEXT, units: bool = True
) -> Node:
    """The factor that a text says: an expression, or lines of `name = expression` of which the last is the factor.

    timeframe  milliseconds of a bar, for durations;  fields  what the configured feeds give
    units      refuse a price added to a volume
    Raises FactorError with code, line, column and suggestion.
    """
    spoken = DIALECTS.get(dialect)
    if spoken is None:
        raise UnknownName(f"there is no dialect {dialect!r}", suggestion=f"there is {', '.join(DIALECTS)}")
    table = spoken.table
    setting = Setting(timeframe, frozenset(fields))
    named: dict[str, Node] = {}
    node = const(0)
    for line in statements(text, timeframe):
        if line.name in setting.fields or line.name in named:
            raise BadSyntax(f"{line.name!r} already has a meaning", line=line.row, column=line.column, suggestion="choose another name")
        node = _Translation(line, table, setting, named).node()
        try:
            check(node, limits, units=units)
        except FactorError as refusal:
            raise refusal.placed(line.row, line.start) from None
        if line.name:
            named[line.name] = node
    if not node.inputs():
        raise BadConstant(f"it is the constant {node.text} and reads no field", line=line.row, column=line.start)
    return node


class _Translation:
    """One line's tree into a graph."""

    def __init__(self, line: Line, table: Table, setting: Setting, named: dict[str, Node]) -> None:
        self.line = line
        self.table = table
        self.setting = setting
        self.named = named

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
        if depth > DEEPEST:
            self.refuse(tree, TooBig("it is nested too deeply", suggestion="split it into several lines"))
        try:
            return self.translate(tree, depth + 1)
        except FactorError as refusal:
            raise refusal.placed(*self.line.place(tree.col_offset)) from None

    def translate(self, tree: ast.expr, depth: int) -> Node:
        match tree:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return const(value)
            case ast.Name(id=name):
                return self.named[name] if name in self.named else resolve(name, self.setting)
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
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self.called(name, args, depth)
            case ast.Call(keywords=[_, *_]):
                raise WrongArity("arguments go by place, not by name")
            case _:
                raise BadSyntax(f"{type(tree).__name__.lower()} is not part of the language")

    def called(self, name: str, trees: list[ast.expr], depth: int) -> Node:
        op = self.table.get((name, len(trees)))
        if not isinstance(op, str):
            self.unknown(name, trees)
        row = OPERATORS[op]
        if not row.params:
            return self.joined(op, [self.go(t, depth) for t in trees])
        series = [self.go(t, depth) for t in trees[: row.series]]
        params = [self.number(t, row, p) for t, p in zip(trees[row.series :], row.params, strict=False)]
        return call(op, *series, *params)

    def joined(self, op: str, nodes: list[Node]) -> Node:
        """More than two arguments nest from the left."""
        series = OPERATORS[op].series
        node = self.built(op, *nodes[:series])
        for more in nodes[series:]:
            node = self.built(op, node, more)
        return node

    def built(self, op: str, *args: Node) -> Node:
        if op == "pow" and not (args[1].op == CONST and abs(args[1].params[0]) <= MAX_EXPONENT):
            raise BadConstant(f"an exponent is a constant in [-{MAX_EXPONENT}, {MAX_EXPONENT}]", suggestion="use exp and log")
        node = call(op, *args)
        if node.op == CONST and not abs(node.params[0]) <= MAX_CONSTANT:
            raise BadConstant(f"{op} of constants gives {node.text}", suggestion=f"constants are numbers up to {MAX_CONSTANT:g}")
        return node

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

    def unknown(self, name: str, trees: list[ast.expr]) -> NoReturn:
        if name in LOOKING_AHEAD:
            raise LookAhead(f"{name} would use bars that have not closed", suggestion="use delay(x, n) to look back")
        counts = sorted(count for known, count in self.table if known == name)
        if len(trees) == 1 and name in WHOLE_SAMPLE:
            raise LookAhead(
                f"{name} without a window would see the whole sample", suggestion=f"write {name}(x, 20), or rank(x) across symbols"
            )
        if counts:
            takes = " or ".join(str(c) for c in counts) if len(counts) < 4 else f"{counts[0]} to {counts[-1]}"
            raise WrongArity(f"{name} takes {takes} arguments, not {len(trees)}")
        raise UnknownName(f"there is no operator {name!r}", suggestion=nearest(name, {known for known, _ in self.table}))

    def refuse(self, tree: ast.expr, refusal: FactorError) -> NoReturn:
        raise refusal.placed(*self.line.place(tree.col_offset))
