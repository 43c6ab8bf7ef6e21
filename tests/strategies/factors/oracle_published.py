"""Qlib's and the 101 alphas' notations read and worked out by themselves, from their definitions: no graph, no machine, plain numpy.

Names are in any case. Windows must be full, and those of the 101 are rounded down. What compares with an unknown value is unknown.
"""

import re
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tests.strategies.factors import oracle_gtja as plain
from tests.strategies.factors.oracle_gtja import Array, Tree

_TOKEN = re.compile(r"\s*((?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|\$?[a-z_][\w.]*|<=|>=|==|\|\||[-+*/^()?:,<>])")


class _Reader(plain._Reader):
    def leaf(self) -> Tree:
        word = self.tokens[self.at]
        if word[0] not in ".$0123456789":
            return super().leaf()
        self.at += 1
        return Tree("name", word) if word[0] == "$" else Tree("number", word)


def read(text: str) -> Tree:
    text = text.lower()
    tokens = _TOKEN.findall(text)
    assert "".join(tokens) == re.sub(r"\s", "", text), text
    reader = _Reader(tokens)
    tree = reader.choice()
    assert reader.at == len(tokens), f"{text}: stops before {tokens[reader.at]}"
    return tree


def longest(n: int) -> NDArray[np.longdouble]:
    """Time in a window, less its mean."""
    return np.arange(n, dtype=np.longdouble) - (n - 1) / 2


def residual(y: Array, n: int) -> Array:
    t = longest(n)
    return plain.over(y, n, lambda v: plain.deviations(v)[:, :, -1] - (plain.deviations(v) * t).sum(axis=2) / (t * t).sum() * t[-1])


def rsquare(y: Array, n: int) -> Array:
    t = longest(n)

    def share(v: NDArray[np.longdouble]) -> NDArray[np.longdouble]:
        d = plain.deviations(v)
        all_of_it = (d * d).sum(axis=2)
        return np.where(all_of_it == 0, np.nan, (d * t).sum(axis=2) ** 2 / (t * t).sum() / np.where(all_of_it == 0, 1, all_of_it))

    return plain.over(y, n, share)


def quantile(x: Array, n: int, q: float) -> Array:
    at = q * (n - 1)
    low = int(at)

    def between(v: NDArray[np.longdouble]) -> NDArray[np.longdouble]:
        v = np.sort(v, axis=2)
        return v[:, :, low] + (v[:, :, min(low + 1, n - 1)] - v[:, :, low]) * (at - low)

    return plain.over(x, n, between)


def scale(x: Array, to: float = 1.0) -> Array:
    return plain.divide(x * to, np.nansum(np.abs(x), axis=1, keepdims=True))


def within(x: Array, group: Array) -> Array:
    """x less its mean over the symbols of the same group."""
    out = np.full_like(x, np.nan)
    for t in range(len(x)):
        for g in np.unique(group[t][~np.isnan(group[t] + x[t])]):
            inside = (group[t] == g) & ~np.isnan(x[t])
            out[t, inside] = x[t, inside] - x[t, inside].mean()
    return out


QLIB: dict[str, Callable[..., Array]] = {
    "greater": np.maximum, "less": np.minimum, "abs": np.abs, "log": plain.CALLS["LOG"], "ref": plain.delay, "mean": plain.CALLS["MEAN"],
    "sum": plain.CALLS["SUM"], "std": plain.std, "max": plain.CALLS["TSMAX"], "min": plain.CALLS["TSMIN"], "corr": plain.corr,
    "rank": plain.CALLS["TSRANK"], "quantile": quantile, "slope": plain.ramp, "rsquare": rsquare, "resi": residual,
    "idxmax": lambda x, n: plain.over(x, n, lambda v: 1 + v.argmax(axis=2)),
    "idxmin": lambda x, n: plain.over(x, n, lambda v: 1 + v.argmin(axis=2)),
}  # fmt: skip
WORLDQUANT: dict[str, Callable[..., Array]] = {
    "rank": plain.rank, "abs": np.abs, "log": plain.CALLS["LOG"], "sign": np.sign, "delay": plain.delay, "delta": plain.CALLS["DELTA"],
    "correlation": plain.corr, "covariance": plain.CALLS["COVIANCE"], "scale": scale, "indneutralize": within,
    "signedpower": lambda x, a: np.sign(x) * plain.power(np.abs(x), a), "decay_linear": plain.CALLS["DECAYLINEAR"],
    "sum": plain.CALLS["SUM"], "product": plain.CALLS["PROD"], "stddev": plain.std, "ts_rank": plain.CALLS["TSRANK"],
    "ts_min": plain.CALLS["TSMIN"], "ts_max": plain.CALLS["TSMAX"], "ts_argmax": QLIB["idxmax"], "ts_argmin": QLIB["idxmin"],
    "min": np.minimum, "max": np.maximum,
}  # fmt: skip
NUMBERS = {"signedpower", "greater", "less"}  # take a number as a series
DISCERNING = {"rank", "ts_rank", "ts_argmax", "ts_argmin", "idxmax", "idxmin", "sign", "correlation", "corr", "rsquare", *("<", ">", "==")}


class Published(plain.Oracle):
    """Works texts out over columns float64[T, S] by name in small letters. `settle` may replace the arguments of what is DISCERNING."""

    def __init__(
        self, calls: Mapping[str, Callable[..., Array]], columns: dict[str, Array], settle: Callable[[Tree, Array], Array] | None = None
    ) -> None:
        super().__init__(columns, settle)
        self.calls = calls

    def work(self, tree: Tree) -> Array:
        match tree:
            case Tree("name", what):
                return self.column(what.removeprefix("$"))
            case Tree("call", "min" | "max", (x, Tree("number", d))) if self.calls is WORLDQUANT and float(d) >= 1:
                return self.calls[f"ts_{tree.what}"](self.value(x), int(float(d)))
            case Tree("sign", what, (left, right)):
                return plain.SIGNS[what](self.seen(left, tree), self.seen(right, tree))
            case Tree("call", what, parts):
                return self.calls[what](*(self.argument(p, tree) for p in parts))
        return super().work(tree)

    def argument(self, part: Tree, call: Tree) -> Array | float:
        if part.kind != "number" or call.what in NUMBERS:
            return self.seen(part, call)
        number = float(part.what)
        return number if call.what == "quantile" and number < 1 else int(number)

    def seen(self, part: Tree, by: Tree) -> Array:
        return self.ordered(part) if by.what in DISCERNING else self.value(part)

    def column(self, name: str) -> Array:
        if name in self.columns:
            return self.columns[name]
        if name == "returns":
            return plain.divide(self.columns["close"], plain.delay(self.columns["close"])) - 1
        if name.startswith("adv"):
            return plain.CALLS["MEAN"](self.columns["volume"], int(name[3:]))
        return self.columns[name.removeprefix("indclass.")]
