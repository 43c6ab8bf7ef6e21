"""The words of the language, before Python's parser sees any of it: bytes, characters, numbers, durations, `? :`, `^`, `&&`.

Each line becomes plain Python expression text made of words that passed, and a map from its columns back to the columns as written.
"""

import keyword
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

from strategies.errors import BadConstant, BadSyntax, BadText, FactorError, TooBig
from strategies.factors.dialects import UNITS, Dialect, bars
from strategies.factors.graph import DIGITS

MAX_BYTES = 2_048
MAX_CONSTANT = 1e9
MAX_BRACKETS = 64
MAX_CHOICES = 32

_WORD = re.compile(
    r"(?P<space>[ \t]+|\\\n)|(?P<newline>\n)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<unit>[A-Za-z_]\w*)?"
    r"|\$?(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\.[*/](?!\*)|\*\*|&&|\|\||<=|>=|==|!=|\.[*/]|[-+*/()<>,?:^!=&|])",
    re.ASCII,
)
_DOTTED = re.compile(r"\.([A-Za-z_]\w*)", re.ASCII)  # what follows a name; some dialects have such names
_LINE_END = re.compile(r";[ \t]*(?:\n|$)")  # as some formulas are printed
_STATEMENT = "|".join((*keyword.kwlist, "match", "case"))
_LABEL = re.compile(rf"\s*((?!(?:{_STATEMENT})\b)(?:[Aa]lpha ?# ?\d+|[A-Za-z][\w -]*)):(?!=)[^\n]*(?:\n|$)", re.ASCII)
_TITLES = frozenset({"name", "title", "description", "rationale", "hypothesis", "idea"})
_PYTHON = {"^": "**", "&&": "and", "||": "or", "!": "not"}
_VALUES = frozenset({"true", "false", "none", "nan", "inf", "infinity", "null"})
_KEPT = frozenset({"and", "or", "not", "if", "else"})
_CALLED = {"if": "where", "and": "and_", "or": "or_"}  # the keyword where a function stands: if(c, a, b)
_PLAIN = {
    "\u2212": "-", "\u2013": "-", "\u2014": "-", "\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u2217": "*", "\u00f7": "/", "\u2215": "/",
    "\u2265": ">=", "\u2264": "<=", "\u2260": "!=", "\u00b2": "** 2", "\u00b3": "** 3", "\u221a": "sqrt(x)", "\u00a0": "a space",
    "\u2211": "ts_sum(x, n)", "\u0394": "delta(x, n)", "\u03c3": "ts_std(x, n)", "\u2227": "and", "\u2228": "or", "\u00ac": "not",
}  # fmt: skip
_REFUSED: dict[str, FactorError] = {
    ".": BadSyntax("there are no attributes", suggestion="write fields and operators: close, and delay(close, 1) for close.shift(1)"),
    "[": BadSyntax("there are no subscripts and lists", suggestion="use delay(x, n) for an earlier bar"),
    "#": BadText("comments are not allowed inside a factor", suggestion="leave it out"),
    "'": BadConstant("text is not a value"),
    '"': BadConstant("text is not a value"),
    "`": BadConstant("text is not a value"),
    "&": BadSyntax("& is not an operator here", suggestion="write `and` or &&"),
    "|": BadSyntax("| is not an operator here", suggestion="write `or` or ||"),
    "%": BadSyntax("% is not an operator here"),
    "@": BadSyntax("@ is not an operator here"),
    "~": BadSyntax("~ is not an operator here", suggestion="write `not`"),
    ";": BadSyntax("; does not end a line", suggestion="start a new line"),
}


class Word(NamedTuple):
    text: str  # as Python
    row: int  # 1-based place, as written
    column: int
    operand: bool  # a value, or what closes one


class Line(NamedTuple):
    """`name = expression` (name empty where there is none). places: (offset in `python`, row, column) of each word."""

    name: str
    row: int
    column: int
    python: str
    places: tuple[tuple[int, int, int], ...]

    @property
    def start(self) -> int:
        """Column of the expression."""
        return self.places[0][2]

    def place(self, offset: int) -> tuple[int, int]:
        """Row and column, as written, of an offset in `python`."""
        row, column = self.row, self.column
        for start, r, c in self.places:
            if start > offset:
                break
            row, column = r, c
        return row, column


def statements(text: str, timeframe: int, dialect: Dialect, is_known: Callable[[str], bool]) -> list[Line]:
    """The lines of a text. `is_known`: whether a name has a meaning already. Raises FactorError."""
    words = _words(_unlabelled(_gate(text)), timeframe, dialect)
    lines = [_line(part, dialect, is_known) for part in _split(words)]
    if not lines:
        raise BadSyntax("the factor is empty", line=1, column=1, suggestion="write an expression, such as close / delay(close, 20) - 1")
    unnamed = next((line for line in lines[:-1] if not line.name), None)
    if unnamed is not None:
        raise BadSyntax(
            "only the last line may go without a name", line=unnamed.row, column=unnamed.column, suggestion="write name = expression"
        )
    return lines


def _gate(text: str) -> str:
    if not isinstance(text, str):
        raise BadText(f"a factor is text, not {type(text).__name__}")
    if len(text) > MAX_BYTES:
        raise TooBig(f"it has {len(text)} characters, at most {MAX_BYTES}", line=1, column=1)
    text = text.replace("\r\n", "\n")
    for index, character in enumerate(text):
        if not (" " <= character <= "~" or character in "\n\t"):
            row = text.count("\n", 0, index) + 1
            column = index - text.rfind("\n", 0, index)
            hint = f"write {_PLAIN[character]} for it" if character in _PLAIN else "leave it out"
            raise BadText(f"character U+{ord(character):04X} is not plain ASCII text", line=row, column=column, suggestion=hint)
    return text


def _unlabelled(text: str) -> str:
    """Labels above the formula and before it, as in `FACTOR_NAME: Momentum`, `Factor: momentum_5d`, `Alpha#6: ...`, as spaces.

    A label that ends in a word such as NAME or TITLE takes its line with it; any other goes alone.
    """
    at = 0
    while (found := _LABEL.match(text, at)) is not None:
        title = re.split(r"[\W_]", found[1].lower().strip())[-1] in _TITLES
        end = found.end() if title or not text[found.end(1) + 1 : found.end()].strip() else found.end(1) + 1
        text = text[:at] + re.sub(r"[^\n]", " ", text[at:end]) + text[end:]
        if end != found.end():
            break
        at = end
    return text


def _words(text: str, timeframe: int, dialect: Dialect) -> Iterator[Word]:
    """The words; a newline (text "\\n") only where no bracket is open."""
    row, begin, at, last, opened = 1, 0, 0, False, 0
    while at < len(text):
        if not opened and _LINE_END.match(text, at):
            at += 1
            continue
        found = _WORD.match(text, at)
        column = at - begin + 1
        if found is None:
            _refuse(text[at], row, column)
        if found["space"] or found["newline"]:
            if "\n" in found[0]:
                if found["newline"] and not opened:
                    yield Word("\n", row, column, False)
                    last = False
                row, begin = row + 1, found.end()
            at = found.end()
            continue
        dot = _DOTTED.match(text, found.end()) if found["name"] else None
        if dot is not None and f"{found['name']}_{dot[1]}".lower() in dialect.fields:
            word, end = Word(f"{found['name']}_{dot[1]}".lower(), row, column, True), dot.end()
        else:
            word, end = _word(found, row, column, last, timeframe, dialect, text[found.end() :].lstrip()[:1]), found.end()
        opened += (word.text == "(") - (word.text == ")")
        if opened > MAX_BRACKETS:
            raise TooBig(f"more than {MAX_BRACKETS} brackets are open", line=row, column=column)
        yield word
        last, at = word.operand, end


def _word(found: "re.Match[str]", row: int, column: int, after_operand: bool, timeframe: int, dialect: Dialect, following: str) -> Word:
    if found["number"] is not None:
        return Word(_number(found["number"], found["unit"] or "", row, column, timeframe), row, column, True)
    if found["name"] is not None:
        name = found["name"].lower()
        if name in _CALLED and following == "(" and not after_operand:
            return Word(_CALLED[name], row, column, True)
        if f"{name}_" in dialect.fields and keyword.iskeyword(name):
            return Word(f"{name}_", row, column, True)
        if name in _VALUES:
            raise BadConstant(f"{found[0]} is not a value of the language", line=row, column=column)
        if name not in _KEPT and (keyword.iskeyword(name) or keyword.iskeyword(found["name"])):
            raise BadSyntax(f"`{found[0]}` is not part of an expression", line=row, column=column)
        if name.startswith("__"):
            raise BadSyntax(f"{found[0]} is not a name of the language", line=row, column=column)
        return Word(name, row, column, name not in _KEPT)
    sign = found["sign"]
    if sign in ("&", "|", ".*", "./") and sign not in dialect.signs:
        _refuse(sign[0], row, column)
    return Word(_PYTHON.get(sign, dialect.signs.get(sign, sign) if sign != "=" else sign), row, column, sign == ")")


def _number(text: str, unit: str, row: int, column: int, timeframe: int) -> str:
    """As Python writes it. A whole number and a unit of time count bars."""
    whole = text.isdigit()
    if unit and not (whole and unit in UNITS):
        raise BadConstant(
            f"{text}{unit} is not a number", line=row, column=column, suggestion="write 20, 0.5, 1e-3, or a window such as 4h or 5d"
        )
    mantissa = re.split("[eE]", text)[0].replace(".", "").strip("0")
    value = float(text)
    if len(mantissa) > DIGITS or len(text) > 24 or not value <= MAX_CONSTANT:
        raise BadConstant(
            f"{text[:30]} is too long or too large", line=row, column=column, suggestion=f"at most {DIGITS} digits, up to {MAX_CONSTANT:g}"
        )
    if not unit:
        return str(int(text)) if whole else repr(value)
    try:
        return str(bars(int(text), unit, timeframe))
    except FactorError as refusal:
        raise refusal.placed(row, column) from None


def _refuse(character: str, row: int, column: int) -> NoReturn:
    known = _REFUSED.get(character) or BadSyntax(f"{character!r} is not part of the language")
    raise type(known)(known.message, line=row, column=column, suggestion=known.suggestion)


def _split(words: Iterator[Word]) -> list[list[Word]]:
    lines: list[list[Word]] = [[]]
    for word in words:
        if word.text == "\n":
            lines.append([])
        else:
            lines[-1].append(word)
    return [line for line in lines if line]


def _line(words: list[Word], dialect: Dialect, is_known: Callable[[str], bool]) -> Line:
    first, name = words[0], ""
    compares = "=" in dialect.signs
    if len(words) > 1 and words[1].text == "=" and not (compares and (not first.text.isidentifier() or is_known(first.text))):
        if not first.operand or not first.text.isidentifier():
            raise BadSyntax("a name must stand before =", line=first.row, column=first.column)
        name, words = first.text, words[2:]
        if not words:
            raise BadSyntax(f"nothing follows {name} =", line=first.row, column=first.column)
    if compares:
        words = [w._replace(text=dialect.signs["="]) if w.text == "=" else w for w in words]
    if sum(1 for w in words if w.text == "?") > MAX_CHOICES:
        raise TooBig(f"more than {MAX_CHOICES} choices", line=first.row, column=first.column)
    python, places = "", []
    for word in _choices(words):
        places.append((len(python), word.row, word.column))
        python += word.text + " "
    return Line(name, first.row, first.column, python.rstrip(), tuple(places))


def _choices(words: list[Word]) -> list[Word]:
    """`c ? a : b` as `(a) if (c) else (b)`, within each pair of brackets and between commas."""
    done: list[list[Word]] = [[]]
    opened: list[Word] = []
    for word in words:
        if word.text == "(":
            opened.append(word)
            done.append([word])
        elif word.text == ")" and opened:
            opened.pop()
            inner = done.pop()
            done[-1] += [inner[0], *_between(inner[1:]), word]
        else:
            done[-1].append(word)
    if opened:
        raise BadSyntax("this bracket is never closed", line=opened[-1].row, column=opened[-1].column)
    return _between(done[0])


def _between(words: list[Word]) -> list[Word]:
    out: list[Word] = []
    for part in _parts(words):
        out += [part[0], *_choice(part[1:])] if part and part[0].text == "," else _choice(part)
    return out


def _parts(words: list[Word]) -> Iterator[list[Word]]:
    """Cut before each comma outside brackets."""
    part: list[Word] = []
    depth = 0
    for word in words:
        depth += (word.text == "(") - (word.text == ")")
        if word.text == "," and depth == 0:
            yield part
            part = []
        part.append(word)
    yield part


def _choice(words: list[Word]) -> list[Word]:
    question = _find(words, "?", 0)
    if question < 0:
        return words
    mark = words[question]
    colon = _find(words, ":", question + 1)
    if colon < 0:
        raise BadSyntax("this ? has no :", line=mark.row, column=mark.column, suggestion="write condition ? a : b")

    def as_word(text: str) -> Word:
        return Word(text, mark.row, mark.column, False)

    test, yes, no = words[:question], words[question + 1 : colon], words[colon + 1 :]
    between = [as_word(")"), as_word("if"), as_word("(")], [as_word(")"), as_word("else"), as_word("(")]
    return [as_word("("), as_word("("), *_choice(yes), *between[0], *test, *between[1], *_choice(no), as_word(")"), as_word(")")]


def _find(words: list[Word], text: str, start: int) -> int:
    """The sign outside brackets, pairs of ? and : skipped; -1 where it is not."""
    depth = pairs = 0
    for index in range(start, len(words)):
        word = words[index].text
        depth += (word == "(") - (word == ")")
        if depth == 0:
            if word == text and pairs == 0:
                return index
            pairs += (word == "?") - (word == ":")
    return -1
