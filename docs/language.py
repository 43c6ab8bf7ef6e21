"""docs/language.md: the factor language. Prose is here; the tables are printed from the derived names, the limits, the refusals."""

from collections.abc import Iterator

import strategies.errors
from strategies.factors.check import FIELDS, NAMES, TEXT
from strategies.factors.dialects import DERIVED
from strategies.factors.words import MAX_BYTES, MAX_CONSTANT

INTRODUCTION = """# The factor language

A factor is a formula over what was known at a bar close. Text becomes an immutable graph, graphs become one program, and one machine runs
it over a million bars of history or over the bar that has just closed, with the same bits. No text is ever executed as Python, and no
operator can read a bar that has not closed. `sluice factor parse "TEXT"` shows what a factor means. Made by `make docs`.

```text
momentum_5d * log(volume_ratio + 1)
close > ts_mean(close, 20) && volume > 2 * avg_volume_20 ? 1 : -1
-ts_zscore(close, 4h) / realized_vol_5d
```

## Grammar

The expression syntax of Python, and what the field writes besides:

```text
text        one line, or lines of `name = expression` of which the last is the factor (its name may be left out)
expression  number | field | derived name | name of an earlier line | operator(arguments) | ( expression )
arithmetic  a + b   a - b   a * b   a / b   a ** n   a ^ n   -a        n a constant in [-4, 4]; ^ is a power, as ** is
comparison  a > b   a >= b   a < b   a <= b   a == b   a != b            not chained
logic       a and b   a or b   not a   a && b   a || b   !a
choice      c ? a : b   a if c else b   where(c, a, b)   if(c, a, b)
window      20 counts bars; 30m, 4h, 5d, 2w are durations, and become bars when the text is read (5d of 1h bars is 120)
names       in any case: SMA(Close, 20) is sma(close, 20) is ts_mean(close, 20); $close is close
```

Precedence is Python's; `? :` binds loosest. A line goes on while a bracket is open. There are no comments, attributes, subscripts, strings,
named arguments, `//`, `%`, `@`, `&`, `|`, `~`.

## Meaning

- Values are float64; NaN is *not known*. Element by element, NaN in gives NaN out, but for `is_nan` and the branch that `where` does not
  take.
- A window operator gives NaN until its window is full of known values, and again while an unknown bar is in it.
- A recursive operator is seeded with its first value, gives NaN until it has seen as many values as its window names, and over an unknown
  bar keeps its memory and its value. After its warm-up less than 1e-12 of the seed is left.
- x / 0, the logarithm of 0 or less, the root of less than 0, and a z-score or correlation of what never moves are NaN. No operator raises.
- A comparison is 1, 0 or NaN. `and`, `or`, `not` take any non-zero number for true, and are NaN where a side is not known.
- `rank(x)`, `zscore(x)`, `demean`, `scale` work across the symbols known at that bar; `rank(x, n)`, `zscore(x, n)` over time. Alone in its
  universe a symbol ranks 1 and has no z-score: use `ts_rank(x, n)`.
- Deviations, variances, covariances, correlations are sample estimators (ddof 1). They are taken about a value of their own window and only
  ever merged: no drift at any age of the stream, and a bad bar is gone when it leaves the window.
- `log`, `exp`, `tanh` and powers are our own, in IEEE arithmetic alone: the same bits on every processor.
- Sums are taken in the order in which they are written; `a + b` and `b + a` are the same factor, `(a + b) + c` and `a + (b + c)` are not.
"""

FIELD_TEXT = """## Fields

`open high low close volume turnover` of each symbol and bar, and whatever the configured feeds name: `funding_rate`, `open_interest`,
`sentiment_news`, ... A metric joins by when it became known, never by the period that it describes. A name that no feed gives is refused,
with the nearest names. A field's own name comes before a derived one."""

UNIT_TEXT = """## Units

Prices, volumes, money (price x volume), rates and time do not add up with one another: `close + volume` is refused, as is comparing them,
and `min`, `max`, `where` of them. Constants go with anything, and so do metrics whose unit is not known. Bars out of a constant number of
bars, `ts_argmax(x, 20) / 20`, are a rate. `factor parse` prints `ratio` for a rate, `any` where the unit of a metric is not known, and
`mixed` where a text that is read without units mixes them."""

ELSEWHERE = """## Words

Every operator, with its warm-up, state, unit and source: [operators.md](operators.md). The same factors in other notations (Qlib, the 101
Formulaic Alphas, Guotai Junan's 191, AlphaGen): [dialects.md](dialects.md). As a Python function of a DataFrame: [pandas.md](pandas.md).

The canonical text that `factor parse` prints is in `sluice`, with every definition written out, and reads back to the same factor; equal
factors have equal text, and the key is its hash. `factor similar` compares two factors by the parts that they share."""


def page() -> str:
    """The whole page."""
    lines = [
        INTRODUCTION,
        FIELD_TEXT,
        "",
        "| unit | fields |",
        "|---|---|",
        *_units(),
        "",
        *_derived(),
        "",
        UNIT_TEXT,
        "",
        ELSEWHERE,
        "",
    ]
    lines += [*_limits(), "", *_refusals()]
    return "\n".join(lines) + "\n"


def _units() -> Iterator[str]:
    for unit, name in NAMES.items():
        fields = " ".join(f"`{field}`" for field, its in FIELDS.items() if its == unit)
        if fields:
            yield f"| {name.removeprefix('a ')} | {fields} |"


def _derived() -> list[str]:
    rows = [f"| `{d.stem}N`" + (f", `{d.stem.rstrip('_')}`" if d.default else "") + f" | {d.says} |" for d in DERIVED]
    return [
        "## Derived names", "", "`N` is a number of bars (`momentum_20`) or a duration (`momentum_5d`, `high_4h`).", "",
        "| name | means |", "|---|---|",
        "| `returns` | close / delay(close, 1) - 1 |",
        "| `vwap` | turnover / volume; (high + low + close) / 3 where a bar has no turnover or no volume, or the feeds give no turnover |",
        *rows,
    ]  # fmt: skip


def _limits() -> list[str]:
    return [
        "## Limits", "",
        f"{MAX_BYTES:,} bytes of plain ASCII; {TEXT.nodes} nodes, {TEXT.depth} levels; {TEXT.look_back:,} bars of look-back in all;"
        f" {TEXT.state >> 20} MiB of state a symbol; constants up to",
        f"{MAX_CONSTANT:,.0f} with 12 digits. Windows are numbers as written, never expressions. `delay` takes 1 bar or more.",
    ]  # fmt: skip


def _refusals() -> list[str]:
    tree = [line.split(maxsplit=2) for line in (strategies.errors.__doc__ or "").split("\n") if line.startswith("    ")]
    rows = [f"| `{code}` | {says} |" for _, code, says in tree]
    return [
        "## Refusals",
        "",
        "Each with its code, line, column and, where there is one, a suggestion.",
        "",
        "| code | means |",
        "|---|---|",
        *rows,
    ]
