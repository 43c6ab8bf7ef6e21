"""Guotai Junan's notation read and worked out by itself, from the report's table of functions: no graph, no machine, plain numpy.

Windows must be full; MAX and MIN take the larger and the smaller of two, as the report's table says, also where the second is a number.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TOKEN = re.compile(r"\s*(\.[*/]|\d+\.?\d*|\w+|<=|>=|==|\|\||&&|[-+*/^()?:,<>=&|])")
_LEVELS = ({"||": "or", "|": "or", "OR": "or"}, {"&&": "and", "&": "and"}, {s: s for s in ("<=", ">=", "==", "=", "<", ">")},
           {"+": "+", "-": "-"}, {s: s for s in ("*", "/", ".*", "./")})  # fmt: skip


class Tree(NamedTuple):
    """kind: "number", "name", "call", "sign", "minus" or "choice"; what: its text; parts: its arguments."""

    kind: str
    what: str
    parts: "tuple[Tree, ...]" = ()

    def text(self) -> str:
        """The notation again, every bracket written."""
        inner = [p.text() for p in self.parts]
        match self.kind:
            case "call":
                return f"{self.what}({', '.join(inner)})"
            case "sign":
                return f"({inner[0]} {self.what} {inner[1]})"
            case "minus":
                return f"(-{inner[0]})"
            case "choice":
                return f"({inner[0]} ? {inner[1]} : {inner[2]})"
        return self.what

    def every(self) -> "Iterator[Tree]":
        yield self
        for part in self.parts:
            yield from part.every()


def read(text: str) -> Tree:
    text = text.removesuffix(";")
    tokens = _TOKEN.findall(text)
    assert "".join(tokens) == re.sub(r"\s", "", text), text
    reader = _Reader(tokens)
    tree = reader.choice()
    assert reader.at == len(tokens), f"{text}: stops before {tokens[reader.at]}"
    return tree


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at = tokens, 0

    def next(self, *wanted: str) -> bool:
        found = self.at < len(self.tokens) and self.tokens[self.at] in wanted
        self.at += found
        return found

    def take(self, wanted: str) -> None:
        assert self.next(wanted), f"{wanted} expected at {self.tokens[self.at :][:5]}"

    def choice(self) -> Tree:
        tree = self.level(0)
        if not self.next("?"):
            return tree
        yes = self.choice()
        self.take(":")
        return Tree("choice", "?:", (tree, yes, self.choice()))

    def level(self, depth: int) -> Tree:
        if depth == len(_LEVELS):
            return self.signed()
        tree = self.level(depth + 1)
        while self.next(*_LEVELS[depth]):
            tree = Tree("sign", self.tokens[self.at - 1], (tree, self.level(depth + 1)))
        return tree

    def signed(self) -> Tree:
        if self.next("-"):
            return Tree("minus", "-", (self.signed(),))
        base = self.leaf()
        return Tree("sign", "^", (base, self.signed())) if self.next("^") else base

    def leaf(self) -> Tree:
        if self.next("("):
            tree = self.choice()
            self.take(")")
            return tree
        word = self.tokens[self.at]
        self.at += 1
        if word[0].isdigit():
            return Tree("number", word)
        if not self.next("("):
            return Tree("name", word)
        parts = [self.choice()]
        while self.next(","):
            parts.append(self.choice())
        self.take(")")
        return Tree("call", word, tuple(parts))


def windows(x: Array, n: int) -> NDArray[np.longdouble]:
    """[T, S, n]: the last n values at each bar, NaN before the beginning."""
    padded = np.concatenate([np.full((n - 1, x.shape[1]), np.nan), x])
    return sliding_window_view(padded, n, axis=0).astype(np.longdouble)


def over(x: Array, n: int, measure: Callable[[NDArray[np.longdouble]], NDArray[np.longdouble]]) -> Array:
    view = windows(x, n)
    return np.where(np.isnan(view).any(axis=2), np.nan, measure(view)).astype(np.float64)


def deviations(v: NDArray[np.longdouble]) -> NDArray[np.longdouble]:
    flat = v.max(axis=2, keepdims=True) == v.min(axis=2, keepdims=True)
    return np.where(flat, 0, v - v.mean(axis=2, keepdims=True))


def std(x: Array, n: int) -> Array:
    return over(x, n, lambda v: np.sqrt((deviations(v) ** 2).sum(axis=2) / (n - 1)))


def together(x: Array, y: Array, n: int) -> tuple[NDArray[np.longdouble], ...]:
    """Sums over each window of the products and squares of the deviations; NaN where the window is not full."""
    a, b = windows(x, n), windows(y, n)
    full = ~(np.isnan(a) | np.isnan(b)).any(axis=2)
    a, b = deviations(a), deviations(b)
    return tuple(np.where(full, (p * q).sum(axis=2), np.nan) for p, q in ((a, b), (a, a), (b, b)))


def divide(a: NDArray[np.longdouble], b: NDArray[np.longdouble]) -> Array:
    return np.where(b == 0, np.nan, a / np.where(b == 0, 1, b)).astype(np.float64)


def corr(x: Array, y: Array, n: int) -> Array:
    xy, xx, yy = together(x, y, n)
    return np.clip(divide(xy, np.sqrt(xx) * np.sqrt(yy)), -1, 1)


def slope(y: Array, x: Array, n: int) -> Array:
    xy, _, xx = together(y, x, n)
    return divide(xy, xx)


def ramp(y: Array, n: int) -> Array:
    """Slope of the last n values on 1..n."""
    t = np.arange(n, dtype=np.longdouble) - (n - 1) / 2
    return over(y, n, lambda v: (deviations(v) * t).sum(axis=2) / (t * t).sum())


def tsrank(v: NDArray[np.longdouble]) -> NDArray[np.longdouble]:
    newest = v[:, :, -1:]
    return ((v < newest).sum(axis=2) + ((v == newest).sum(axis=2) + 1) / 2) / v.shape[2]


def sma(x: Array, n: int, m: int) -> Array:
    """Y = (X m + Y' (n - m)) / n from the first value on; an unknown value changes nothing."""
    out, kept, seen = np.full_like(x, np.nan), np.full(x.shape[1], np.nan), np.zeros(x.shape[1])
    for t, row in enumerate(x):
        known = ~np.isnan(row)
        seen += known
        kept = np.where(known, np.where(np.isnan(kept), row, (row * m + kept * (n - m)) / n), kept)
        out[t] = np.where(seen >= n, kept, np.nan)
    return out


def weighted(x: Array, weights: NDArray[np.longdouble]) -> Array:
    return over(x, len(weights), lambda v: (v * weights).sum(axis=2) / weights.sum())


def delay(x: Array, n: int = 1) -> Array:
    return np.concatenate([np.full((n, x.shape[1]), np.nan), x[: len(x) - n]])


def where_known(value: NDArray[np.generic], *series: Array) -> Array:
    return np.where(np.isnan(sum(series[1:], series[0])), np.nan, value).astype(np.float64)


def count(c: Array, n: int) -> Array:
    return over(c, n, lambda v: (v != 0).sum(axis=2))


def rank(x: Array) -> Array:
    return pd.DataFrame(x).rank(axis=1, pct=True).to_numpy()


def power(a: Array, b: Array) -> Array:
    value = np.power(a.astype(np.longdouble), b.astype(np.longdouble))
    return where_known(np.where((a == 0) & (b < 0), np.nan, value), a, b)


CALLS: dict[str, Callable[..., Array]] = {
    "RANK": rank, "LOG": lambda x: np.log(np.where(x > 0, x, np.nan)), "ABS": np.abs, "SIGN": np.sign, "MAX": np.maximum, "MIN": np.minimum,
    "DELAY": delay, "DELTA": lambda x, n: x - delay(x, n), "DELAT": lambda x, n: x - delay(x, n),
    "SUM": lambda x, n: over(x, n, lambda v: v.sum(axis=2)), "SUMAC": lambda x, n: over(x, n, lambda v: v.sum(axis=2)),
    "MEAN": lambda x, n: over(x, n, lambda v: v.mean(axis=2)), "MA": lambda x, n: over(x, n, lambda v: v.mean(axis=2)),
    "STD": std, "CORR": corr, "COVIANCE": lambda x, y, n: (together(x, y, n)[0] / (n - 1)).astype(np.float64),
    "TSMAX": lambda x, n: over(x, n, lambda v: v.max(axis=2)), "TSMIN": lambda x, n: over(x, n, lambda v: v.min(axis=2)),
    "TSRANK": lambda x, n: over(x, n, tsrank), "PROD": lambda x, n: over(x, n, lambda v: v.prod(axis=2)),
    "HIGHDAY": lambda x, n: over(x, n, lambda v: n - 1 - v.argmax(axis=2)),
    "LOWDAY": lambda x, n: over(x, n, lambda v: n - 1 - v.argmin(axis=2)),
    "COUNT": count, "SUMIF": lambda x, n, c: over(where_known(np.where(c != 0, x, 0), x, c), n, lambda v: v.sum(axis=2)),
    "FILTER": lambda x, c: where_known(np.where(c != 0, x, 0), c), "SMA": sma, "SMEAN": sma,
    "WMA": lambda x, n: weighted(x, np.longdouble(0.9) ** np.arange(n - 1, -1, -1)),
    "DECAYLINEAR": lambda x, n: weighted(x, np.arange(1, n + 1, dtype=np.longdouble)), "REGBETA": slope,
}  # fmt: skip
SIGNS: dict[str, Callable[[Array, Array], Array]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, ".*": np.multiply, "/": divide, "./": divide, "^": power,
    "<": lambda a, b: where_known(a < b, a, b), ">": lambda a, b: where_known(a > b, a, b),
    "<=": lambda a, b: where_known(a <= b, a, b), ">=": lambda a, b: where_known(a >= b, a, b),
    "=": lambda a, b: where_known(a == b, a, b), "==": lambda a, b: where_known(a == b, a, b),
    "&": lambda a, b: where_known((a != 0) & (b != 0), a, b), "&&": lambda a, b: where_known((a != 0) & (b != 0), a, b),
    "|": lambda a, b: where_known((a != 0) | (b != 0), a, b), "||": lambda a, b: where_known((a != 0) | (b != 0), a, b),
    "OR": lambda a, b: where_known((a != 0) | (b != 0), a, b),
}  # fmt: skip
MACROS = {
    "RET": "CLOSE/DELAY(CLOSE,1)-1", "VOL": "VOLUME", "L": "LOW", "HGIH": "HIGH",
    "DTM": "(OPEN<=DELAY(OPEN,1)?0:MAX((HIGH-OPEN),(OPEN-DELAY(OPEN,1))))",
    "DBM": "(OPEN>=DELAY(OPEN,1)?0:MAX((OPEN-LOW),(OPEN-DELAY(OPEN,1))))",
    "TR": "MAX(MAX(HIGH-LOW,ABS(HIGH-DELAY(CLOSE,1))),ABS(LOW-DELAY(CLOSE,1)))",
    "HD": "HIGH-DELAY(HIGH,1)", "LD": "DELAY(LOW,1)-LOW",
}  # fmt: skip
DISCERNING = {"RANK", "TSRANK", "HIGHDAY", "LOWDAY", "SIGN", "CORR", "<", ">", "<=", ">=", "=", "=="}
"""What asks whether numbers are equal: CORR too, which has no value where a side is constant."""


class Oracle:
    """Works texts out over columns float64[T, S]. `settle` may replace the arguments of what is DISCERNING."""

    def __init__(self, columns: dict[str, Array], settle: Callable[[Tree, Array], Array] | None = None) -> None:
        self.columns = columns
        self.settle = settle
        self.shape = next(iter(columns.values())).shape
        self.known: dict[Tree, Array] = {}

    def value(self, tree: Tree) -> Array:
        if tree not in self.known:
            with np.errstate(all="ignore"):
                self.known[tree] = np.asarray(self.work(tree), np.float64)
        return self.known[tree]

    def work(self, tree: Tree) -> Array:
        match tree:
            case Tree("number", what):
                return np.full(self.shape, float(what))
            case Tree("name", what):
                return self.value(read(MACROS[what])) if what in MACROS else self.columns[what]
            case Tree("minus", _, (inner,)):
                return -self.value(inner)
            case Tree("choice", _, (test, yes, no)):
                c = self.value(test)
                return np.where(np.isnan(c), np.nan, np.where(c != 0, self.value(yes), self.value(no)))
            case Tree("call", "REGBETA", (y, Tree("call", "SEQUENCE", (Tree("number", n),)))):
                return ramp(self.value(y), int(n))
            case Tree("call", "REGBETA", (y, Tree("name", "SEQUENCE"), Tree("number", n))):
                return ramp(self.value(y), int(n))
        series = [p for p in tree.parts if p.kind != "number" or tree.kind == "sign" or tree.what in ("MAX", "MIN")]
        values = [self.ordered(p) if tree.what in DISCERNING else self.value(p) for p in series]
        if tree.kind == "sign":
            return SIGNS[tree.what](*values)
        spread = iter(values)
        return CALLS[tree.what](*(next(spread) if p in series else int(p.what) for p in tree.parts))

    def ordered(self, tree: Tree) -> Array:
        value = self.value(tree)
        return value if self.settle is None else self.settle(tree, value)
