"""A factor in plain English: "the close's change over 5 days, times the logarithm of (volume over its 20-bar mean, plus 1)".

The rule: the text is made from the graph alone, so it says what is computed and not what somebody meant. It names subtrees that are
used several times in a large graph, and leaves out what lies deeper than a reader would follow.
"""

import re
from collections import Counter
from functools import cache, lru_cache
from itertools import product
from typing import NamedTuple

from strategies.errors import FactorError
from strategies.factors.check import distinct
from strategies.factors.graph import CONST, FIELD, Node, call, const, field, number_text
from strategies.factors.operators import OPERATORS
from strategies.factors.phrases import CLAIMS, FIELDS, FLIPPED, INDICATORS, INFIX, NOUNS, PHRASES

LONGEST = 1_200  # characters, if fewer levels can do it
LEVELS = (64, 12, 8, 6, 5, 4, 3)
PLAIN_SIZE = 40  # nodes written out, up to which nothing is named
NAMED_SIZE = 5  # of a subtree that gets a name
INDICATOR_SIZE = 7  # nodes of the smallest indicator that has a name
YEAR = 365 * 86_400_000
UNITS = ((86_400_000, "day"), (3_600_000, "hour"))

_SLOT = re.compile(r"\{(\??)(n|over|p?\d)\}")


def describe(node: Node, timeframe: int) -> str:
    """What the factor is, for people. timeframe: milliseconds of a bar, to say windows as days where they are."""
    text = ""
    for levels in LEVELS:
        text = _Saying(node, timeframe, levels).all()
        if len(text) <= LONGEST:
            break
    return text


class Said(NamedTuple):
    """A phrase, and whether it needs brackets inside another one."""

    text: str
    loose: bool = False


class _Saying:
    """One graph put into words, down to so many levels."""

    def __init__(self, root: Node, timeframe: int, levels: int) -> None:
        self.root = root
        self.timeframe = timeframe
        self.levels = levels
        self.vwap = _vwap()
        self.names = self._named()
        self.used: set[Node] = set()

    def all(self) -> str:
        text = self.says(self.root, 0).text
        meanings = {node: self.says(node, 0).text for node in reversed(self.names) if node in self.used}  # users before what they use
        said = [f"{self.names[node]} is {meanings[node]}" for node in self.names if node in meanings]
        return "; ".join([text, *([f"where {said[0]}", *said[1:]] if said else [])])

    def _named(self) -> dict[Node, str]:
        """Subtrees of a large graph that several others use."""
        if self.root.size <= PLAIN_SIZE:
            return {}
        nodes = distinct([self.root])
        uses = Counter(argument for node in nodes for argument in node.args)
        typical, paid = self.vwap
        inside = {typical, paid, *typical.args, *paid.args}
        shared = [n for n in nodes if uses[n] > 1 and n.size >= NAMED_SIZE and n not in inside and n is not self.root]
        return {node: chr(ord("A") + i) if i < 26 else f"A{i}" for i, node in enumerate(shared)}

    def says(self, node: Node, level: int, known: Node | None = None) -> Said:
        """The phrase of a node; `known` is what was named just before and can be called `its`."""
        if level and node in self.names:
            self.used.add(node)
            return Said(self.names[node])
        if node.op == FIELD:
            return Said(FIELDS.get(node.text, node.text.replace("_", " ")))
        if node.op == CONST:
            return Said("unknown" if node.params[0] != node.params[0] else number_text(node.params[0]))
        if node.op == "add" and all(a.op == CONST for a in node.args):  # one number of more digits than a constant has
            return Said(number_text(sum(a.params[0] for a in node.args)))
        if level > self.levels:
            return Said(f"a formula of {len(distinct([node]))} nodes")
        return self.idiom(node, level) or self.plain(node, level, known)

    def plain(self, node: Node, level: int, known: Node | None) -> Said:
        op = node.op
        if op == "neg":
            return Said(f"minus {self.inner(node.args[0], level)}", True)
        if op in INFIX:
            return self.infix(node, INFIX[op], level)
        if op in CLAIMS:
            return Said(f"whether {self.claim(node, level)}", True)
        if op in NOUNS:
            noun = self.filled(NOUNS[op], node, level)
            return Said(f"its {noun}" if known is node.args[0] else f"the {noun} of {self.inner(node.args[0], level)}")
        if op == "delay" and known is node.args[0]:
            return Said(f"its value {self.over(node)} ago")
        if op in PHRASES:
            return Said(self.filled(PHRASES[op], node, level), op not in ("where", "min", "max"))
        series = ", ".join(self.says(a, level + 1).text for a in node.args)
        return Said(f"{op} of ({', '.join([series, *map(number_text, node.params)])})")

    def infix(self, node: Node, word: str, level: int) -> Said:
        left, right = node.args
        first = self.says(left, level + 1)
        chain = left.op == node.op and node.op in ("add", "mul") and left not in self.names
        text = first.text if chain or not first.loose else f"({first.text})"
        second = self.says(right, level + 1, known=left)
        after = f"({second.text})" if second.loose else second.text
        comma = "," if text.count(" ") > 2 and not text.endswith(")") else ""
        return Said(f"{text}{comma} {word} {after}", True)

    def claim(self, node: Node, level: int) -> str:
        """A node as something that holds or not; what is not known to hold does not, where unknown counts as 0."""
        if node.op == "nan_to" and node.args[1] is const(0) and node.args[0].op in CLAIMS and not (node in self.names and level):
            return self.claim(node.args[0], level)
        if node.op in CLAIMS and not (node in self.names and level):
            if node.op == "ne" and node.args[1] is const(0):
                return self.claim(node.args[0], level)
            if node.op in FLIPPED and node.args[0].op == CONST:
                return f"{self.inner(node.args[1], level)} {FLIPPED[node.op]} {node.args[0].text}"
            return self.filled(CLAIMS[node.op], node, level)
        return f"{self.inner(node, level)} is not 0"

    def inner(self, node: Node, level: int) -> str:
        said = self.says(node, level + 1)
        return f"({said.text})" if said.loose else said.text

    def filled(self, phrase: str, node: Node, level: int) -> str:
        def slot(found: "re.Match[str]") -> str:
            claimed, name = found[1], found[2]
            if name == "n":
                return self.over(node, adjective=True)
            if name == "over":
                return self.over(node)
            if name.startswith("p"):
                return number_text(node.params[int(name[1:])])
            argument = node.args[int(name)]
            if claimed:
                return self.claim(argument, level + 1)
            said = self.inner(argument, level)
            tail = found.start() == 0 and " " in said.removeprefix("the ") and not said.endswith(")")
            return f"({said})" if tail else said  # what follows is of all of it

        return _SLOT.sub(slot, phrase).replace("from 1 bars on", "from 1 bar on")

    def over(self, node: Node, adjective: bool = False) -> str:
        row = OPERATORS[node.op]
        return self.length(next((int(v) for v, p in zip(node.params, row.params, strict=True) if p.whole), 0), adjective)

    def length(self, bars: int, adjective: bool = False) -> str:
        """`20 bars`, `5 days`, or as an adjective `20-bar`, `5-day`."""
        count, unit = bars, "bar"
        for size, name in UNITS:
            whole, rest = divmod(bars * self.timeframe, size)
            if not rest and whole and bars > 1 and (self.timeframe < size or name == "day"):
                count, unit = whole, name
                break
        return f"{count}-{unit}" if adjective else f"{count} {unit}{'' if count == 1 else 's'}"

    def idiom(self, node: Node, level: int) -> Said | None:
        """What everybody has a name for."""
        typical, paid = self.vwap
        if node is paid:
            return Said("the VWAP")
        if node.size == typical.size and node in _typical():
            return Said("the typical price")
        if node.size >= INDICATOR_SIZE and (found := indicator(node)) is not None:
            return Said(_SLOT.sub(lambda slot: self.length(found.window, True) if slot[2] == "n" else "", PHRASES[found.name]))
        match node.op:
            case "sub":
                return self.change(node, level) or self.range(node, level)
            case "div":
                return self.ratio(node, level)
            case "mul":
                return self.annualised(node, level)
            case "ts_sum" if node.args[0].op in CLAIMS and node.args[0] not in self.names:
                return Said(f"in how many of {self.over(node)} {self.claim(node.args[0], level + 1)}", True)
            case "ts_mean" if node.args[0].op in CLAIMS and node.args[0] not in self.names:
                return Said(f"the share of {self.over(node)} in which {self.claim(node.args[0], level + 1)}", True)
            case "ts_max" | "ts_min" if node.args[0].text == ("high" if node.op == "ts_max" else "low"):
                return Said(f"the {self.over(node, adjective=True)} {node.args[0].text}")
            case "sign" if node.args[0].op == "sub":
                a, b = node.args[0].args
                return Said(f"whether {self.inner(a, level)} is above (1) or below (-1) {self.says(b, level + 1, known=a).text}", True)
        return None

    def change(self, node: Node, level: int) -> Said | None:
        """x / delay(x, n) - 1, x - delay(x, n)"""
        a, b = node.args
        if b is const(1) and a.op == "div" and a.args[1].op == "delay" and a.args[1].args[0] is a.args[0] and a not in self.names:
            return self.over_time("change", a.args[0], a.args[1], level)
        if b.op == "delay" and b.args[0] is a:
            return self.over_time("move", a, b, level)
        return None

    def range(self, node: Node, level: int) -> Said | None:
        """ts_max(x, n) - ts_min(x, n)"""
        a, b = node.args
        if (a.op, b.op) != ("ts_max", "ts_min") or a.params != b.params:
            return None
        n = self.over(a, adjective=True)
        if (a.args[0].text, b.args[0].text) == ("high", "low"):
            return Said(f"the {n} range")
        return Said(f"the {n} range of {self.inner(a.args[0], level)}") if a.args[0] is b.args[0] else None

    def over_time(self, what: str, x: Node, delay: Node, level: int) -> Said:
        said = self.says(x, level + 1)
        of = f"{said.text}'s {what}" if x.op == FIELD else f"the {what} of {f'({said.text})' if said.loose else said.text}"
        return Said(f"{of} over {self.over(delay)}")

    def ratio(self, node: Node, level: int) -> Said | None:
        """x over its mean, its z-score, its place in its range; x over what it was."""
        a, b = node.args
        if b.op in NOUNS and b.args[0] is a and b not in self.names:
            return Said(f"{self.inner(a, level)} over {self.says(b, level + 1, known=a).text}", True)
        if b.op == "delay" and b.args[0] is a:
            return Said(f"{self.inner(a, level)} over its value {self.over(b)} ago", True)
        if b.op == "ts_std" and a is call("sub", b.args[0], call("ts_mean", b.args[0], *b.params)):
            return Said(f"the {self.over(b, adjective=True)} z-score of {self.inner(b.args[0], level)}")
        return None

    def annualised(self, node: Node, level: int) -> Said | None:
        """A deviation of changes, times the root of the bars in a year."""
        a, b = node.args
        year = call("pow", call("div", YEAR / 1_000, self.timeframe / 1_000), 0.5)
        if a is year:
            a, b = b, a
        if b is not year or a.op != "ts_std":
            return None
        return Said(f"{self.says(a, level + 1).text}, annualised", True)


class Indicator(NamedTuple):
    """An indicator over the fields of a bar, and its first window."""

    name: str
    window: int


def indicator(node: Node) -> Indicator | None:
    """The indicator of technical analysis that a graph is the definition of, if it is one."""
    names = _indicators().get((node.op, node.size, node.depth), ())
    if not names:
        return None
    whole = {int(v) for n in distinct([node]) for v in n.params if n.op != CONST and v == int(v) and v > 1}
    windows = sorted({n for w in whole for n in (w, w - 1)})[:8]  # some definitions look one bar further
    for name in names:
        count = len(OPERATORS[name].params)
        for chosen in product(windows, repeat=count):
            if _defined(name, chosen) is node:
                return Indicator(name, chosen[0] if chosen else 0)
    return None


@cache
def _indicators() -> dict[tuple[str, int, int], list[str]]:
    """Their names by the operator that stands on top, the nodes and the levels of the definition, which no window changes."""
    out: dict[tuple[str, int, int], list[str]] = {}
    for name in INDICATORS:
        top = _defined(name, (14, 3, 5)[: len(OPERATORS[name].params)])
        assert top is not None
        out.setdefault((top.op, top.size, top.depth), []).append(name)
    return out


@lru_cache(maxsize=1024)
def _defined(name: str, params: tuple[int, ...]) -> Node | None:
    try:
        return call(name, *(field(f) for f in INDICATORS[name]), *params)
    except FactorError:  # a window that it does not take
        return None


@cache
def _typical() -> list[Node]:
    """(high + low + close) / 3, however it is added up; the first as vwap has it."""
    parts = [field("high"), field("low"), field("close")]
    return [call("div", call("add", call("add", parts[i], parts[j]), parts[k]), 3) for i, j, k in ((0, 1, 2), (0, 2, 1), (1, 2, 0))]


@cache
def _vwap() -> tuple[Node, Node]:
    """The typical price, and the price paid that stands in for it where it is known."""
    typical = _typical()[0]
    paid = call("div", field("turnover"), field("volume"))
    return typical, call("where", call("is_nan", paid), typical, paid)
