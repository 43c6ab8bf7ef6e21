"""Before anything is understood: bytes, ASCII, brackets, indents, only then Python's parser, then the kinds of syntax that may stand."""

import ast
import io
import re
import warnings

from strategies.errors import BadSyntax, BadText, TooBig

MAX_BYTES = 8_192
MAX_BRACKETS = 64
MAX_INDENT = 100  # columns: 25 levels
MAX_SIGNS = 400  # of one line: operators nest the tree one level each
MAX_TREE = 12_000

_STRINGS = re.compile(r"'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|#[^\n]*", re.DOTALL)
_BAD = (
    ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await, ast.Yield, ast.YieldFrom, ast.Delete,
    ast.Match, ast.TryStar,
)  # fmt: skip
_DUNDER = re.compile(r"__\w*")
_KNOWN_DUNDERS = frozenset({"__init__", "__call__", "__name__", "__future__"})


def tree(code: str) -> ast.Module:
    """The module's tree, once the text has passed. Raises FactorError."""
    if not isinstance(code, str):
        raise BadText(f"a factor is text, not {type(code).__name__}")
    if len(code) > MAX_BYTES:
        raise TooBig(f"it has {len(code)} characters, at most {MAX_BYTES}", line=1, column=1)
    code = _plain(code)
    _brackets(code)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a lone backslash in a docstring is warned of on the screen
            module = ast.parse(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as wrong:
        line, column = (wrong.lineno or 1, wrong.offset or 1) if isinstance(wrong, SyntaxError) else (1, 1)
        reason = wrong.msg if isinstance(wrong, SyntaxError) else "too deeply nested"
        raise BadSyntax(f"this is not Python: {reason}", line=line, column=column) from None
    _allow(module)
    return module


def _plain(code: str) -> str:
    code = code.replace("\r\n", "\n")
    for index, character in enumerate(code):
        if not (" " <= character <= "~" or character in "\n\t"):
            row = code.count("\n", 0, index) + 1
            column = index - code.rfind("\n", 0, index)
            raise BadText(
                f"character U+{ord(character):04X} is not plain ASCII text", line=row, column=column,
                suggestion="write comments and names in plain letters: - for a dash, -> for an arrow",
            )  # fmt: skip
    fenced = re.match(r"\s*```(?:python|py)?[ \t]*\n(.*?)\n?```\s*\Z", code, re.DOTALL)
    if fenced:
        code = "\n" * code.count("\n", 0, fenced.start(1)) + fenced[1]
    return _dedent(code)


def _dedent(code: str) -> str:
    """Less the indent that all lines share: a function cut out of a class."""
    lines = code.expandtabs(4).split("\n") if "\t" in code else code.split("\n")
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    least = min(indents, default=0)
    return "\n".join(line[least:] for line in lines) if least else "\n".join(lines)


def _brackets(code: str) -> None:
    bare = _STRINGS.sub(lambda found: "\n" * found[0].count("\n"), code)
    opened = 0
    for row, line in enumerate(io.StringIO(bare), 1):
        if len(line) - len(line.lstrip(" ")) > MAX_INDENT and line.strip() and not opened:
            raise TooBig("it is indented too deeply", line=row, column=1)
        if sum(line.count(sign) for sign in "+-~*/.[(") > MAX_SIGNS or line.count(" not ") > MAX_SIGNS:
            raise TooBig("this line is too long to read", line=row, column=1, suggestion="split it into several lines")
        for column, character in enumerate(line, 1):
            opened += (character in "([{") - (character in ")]}")
            if opened > MAX_BRACKETS:
                raise TooBig(f"more than {MAX_BRACKETS} brackets are open", line=row, column=column)


def _allow(module: ast.Module) -> None:
    count = 0
    rest: list[tuple[ast.AST, int]] = [(module, 0)]
    while rest:
        node, depth = rest.pop()
        count += 1
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        if count > MAX_TREE or depth > 180:
            raise TooBig("it is too large or nested too deeply", line=line, column=column)
        if isinstance(node, _BAD):
            raise BadSyntax(f"{type(node).__name__.lower()} is not part of a factor", line=line, column=column)
        for name in (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "arg", None), getattr(node, "name", None)):
            if isinstance(name, str) and _DUNDER.fullmatch(name) and name != "_" * len(name) and name not in _KNOWN_DUNDERS:
                raise BadSyntax(f"{name} is not a name of the language", line=line, column=column)
        rest.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
