"""docs/dialects.md: every dialect, printed from its table and its module's own words."""

import sys
from collections.abc import Iterator

from docs.operators import cell
from strategies.factors.dialects import DIALECTS, Dialect

INTRODUCTION = """# Dialects

A dialect is a table: on the left a name and what its arguments look like, on the right what that means in canonical text. Whatever the
dialect, the graph is the same, and so is its key. `sluice factor parse TEXT` says which dialect was found, and the canonical text.

Without `--dialect` (or `dialect` in a batch or a configuration) the dialect is found: the one in which every name and number of arguments
exists. Text with `$close` is taken for `qlib` or `alphagen` (with windows such as `20d` for `alphagen`, with `a + b` or no arithmetic at
all for `qlib`), `CLOSE` in capitals for `gtja`; derived names, fields that only a feed of ours has, durations and several lines are
`sluice`; other text may be `sluice`, `worldquant` or `gtja`, and where it is none of them `qlib` or `alphagen`. Where several read it as
one graph, the first is named; where they differ, the text is refused as `ambiguous` and says which to choose from. What `sluice` refuses
for its units alone is compared all the same. Python code about a DataFrame is `pandas`: see [pandas.md](pandas.md).

In a pattern a small letter stands for any argument; a number or a comparison (`n < 1`) for a constant that is so; a word in capitals for
itself. Lines with one name and number of arguments are tried in this order. Made by `make docs`."""

COMMON = """Everything else is common to all: the grammar, the derived names and the limits of [language.md](language.md)."""


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION, "", COMMON]
    for dialect in DIALECTS.values():
        lines += ["", f"## {dialect.name}", "", _says(dialect), "", *_manners(dialect)]
        if any(isinstance(means, str) for means in dialect.table.values()):
            names = f"{len(dialect.names)} names, aliases included"
            lines += ["", f"Its table is [operators.md](operators.md), and what follows: {names}."]
        lines += ["", "| written | means |", "|---|---|", *_rules(dialect)]
        if dialect.fields:
            lines += ["", "| field | means |", "|---|---|", *(f"| `{name}` | `{cell(text)}` |" for name, text in dialect.fields.items())]
    return "\n".join(lines) + "\n"


def _says(dialect: Dialect) -> str:
    module = sys.modules[f"strategies.factors.dialects.{dialect.name}"]
    return (module.__doc__ or "").strip()


def _manners(dialect: Dialect) -> Iterator[str]:
    yield f"- Fields are written {'`$close`' if dialect.marked else '`close`'}; {'`close`' if dialect.marked else '`$close`'} is read too."
    yield f"- The exponent of `^` and `**` {'may be anything, a series too' if dialect.powers else 'is a constant in [-4, 4]'}."
    yield f"- A price added to a volume is {'refused' if dialect.units else 'read, and warned of'}; `--units on` and `off` say otherwise."
    if dialect.signs:
        yield "- Signs of its own: " + ", ".join(f"`{sign}` is `{python}`" for sign, python in dialect.signs.items()) + "."


def _rules(dialect: Dialect) -> Iterator[str]:
    for (name, _), means in dialect.table.items():
        for rule in () if isinstance(means, str) else means:
            left, _, right = rule.text.partition(" = ")
            yield f"| `{cell(name.rstrip('_') + left[left.index('(') :])}` | `{cell(right)}` |"
