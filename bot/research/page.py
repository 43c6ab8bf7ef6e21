"""A back-test as one HTML file: no request leaves it, and it reads without a script.

The rule: every text is escaped on its way in, and the page's own policy lets no script run but the one whose hash it names.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.render import percent, plain
from bot.report_page import SCRIPT, STYLE
from bot.report_plots import Line, histogram, percent_mark, time_plot
from bot.research.backtest import Backtest
from bot.research.document import ROWS, Table, tables, title, written
from feeds.bars import Array

CARDS = ("total_return", "annual_return", "sharpe", "max_drawdown", "rank_ic", "hit_rate", "turnover", "break_even_bps")
WHOLE = ".scroll{max-height:none}"  # no table of this page is long
MOST_POINTS = 5_000  # rows that are looked at for a plot


def page(found: Backtest, reproduce: str) -> str:
    """The whole page.

    reproduce  the command that makes it again
    """
    body = "".join((_head(found), _warnings(found.warnings), _cards(found), _plots(found), *map(_table, tables(found)), _again(reproduce)))
    return _whole(f"Sluice back-test {found.factor}", body)


def ranking_page(ranking: Table, said: Iterable[str], warnings: Sequence[str], reproduce: str) -> str:
    """Factors beside each other, as one page.

    said  what they were tried on and how to read the table, a paragraph each;  reproduce  the command that makes it again
    """
    lines = "".join(f"<p>{_safe(line)}</p>" for line in said)
    head = f"<header><h1>Factors compared</h1>{lines}</header>"
    return _whole("Sluice factors compared", "".join((head, _warnings(warnings), _table(ranking), _again(reproduce))))


def _whole(name: str, body: str) -> str:
    rules = ("default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", f"script-src '{_hash(SCRIPT)}'", "base-uri 'none'")
    policy = "; ".join((*rules, "form-action 'none'"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        '<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'
        f"<title>{_safe(name)}</title><style>{STYLE}{WHOLE}</style></head>"
        f"<body><main>{body}</main><script>{SCRIPT}</script></body></html>\n"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _safe(text: str) -> str:
    return escape(plain(text, 2_000))


def _head(found: Backtest) -> str:
    lines = "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>" for name, value in title(found))
    return f"<header><h1>Factor back-test</h1><dl>{lines}</dl></header>"


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{_safe(warning)}</li>" for warning in warnings)
    return f'<section class="warnings" role="note"><h2>Warnings</h2><ul>{items}</ul></section>'


def _cards(found: Backtest) -> str:
    forms = {name: (label, form) for name, label, form in ROWS}
    where = "validate" if "validate" in found.slices else "train"
    judged = found.slices[where].metrics
    cards = []
    for name in CARDS:
        label, form = forms[name]
        value, small = written(judged.get(name), form, error=False), written(found.metrics.get(name), form, error=False)
        beside = f"<small>on {where}; all bars {_safe(small)}</small>"
        cards.append(f'<div class="card"><span>{_safe(label)}</span><b>{_safe(value)}</b>{beside}</div>')
    return f'<section class="cards" aria-label="Headline figures, on {where}">{"".join(cards)}</section>'


def _plots(found: Backtest) -> str:
    book, first = found.book, found.first
    returns = book.returns[first:]
    if returns.size < 2:
        return ""
    path = np.cumprod(1.0 + returns)
    fall: Array = path / np.maximum(np.maximum.accumulate(path), 1.0) - 1.0
    keep = np.unique(np.linspace(0, returns.size - 1, min(returns.size, MOST_POINTS)).astype(int))
    at = [found.start + (int(i) + 1) * found.timeframe for i in keep]
    before = np.cumsum(book.price[first:])
    grown = [
        Line("after costs, compounded", _list(path - 1.0, keep), "one"),
        Line("by prices alone, summed", _list(before, keep), "two"),
        Line("costs and funding, summed", _list(np.cumsum(book.costs[first:] + book.funding[first:]), keep), "three"),
    ]
    exposed = [Line("gross", _list(book.gross[first:], keep), "one"), Line("net", _list(book.net[first:], keep), "two")]
    plots = (
        time_plot("Growth", at, grown, _share, percent_mark, zero=True),
        time_plot("Drawdown", at, [Line("drawdown", _list(fall, keep), "loss", True)], _share, percent_mark, zero=True),
        time_plot("Exposure, of equity", at, exposed, _share, percent_mark, zero=True),
        histogram("Days by return", _days(found, returns), _share),
    )
    return f'<section class="plots">{"".join(plots)}</section>'


def _share(value: float) -> str:
    return percent(value)


def _list(values: NDArray[np.floating[Any]], keep: Iterable[int]) -> list[float]:
    return [float(values[i]) for i in keep]


def _days(found: Backtest, returns: Array) -> list[float]:
    """What each UTC day made."""
    days = (found.start + np.arange(returns.size) * found.timeframe) // 86_400_000
    starts = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    return [float(v) for v in np.expm1(np.add.reduceat(np.log1p(np.maximum(returns, -1 + 1e-12)), starts))]


def _table(one: Table) -> str:
    right = set(one.right)
    head = "".join(f'<th scope="col"{_class(i, right)}>{_safe(cell)}</th>' for i, cell in enumerate(one.head))
    body = "".join(f"<tr>{''.join(f'<td{_class(i, right)}>{_safe(cell)}</td>' for i, cell in enumerate(row))}</tr>" for row in one.rows)
    note = f'<p class="note">{_safe(one.note)}</p>' if one.note else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    scroll = f'<div class="scroll" tabindex="0" role="region" aria-label="{_safe(one.title)}">{table}</div>'
    wide = "wide" if len(one.rows) > 12 or (len(one.head) > 4 and not one.head[0]) else "narrow"
    return f'<section class="{wide}"><h2>{_safe(one.title)}</h2>{scroll}{note}</section>'


def _class(column: int, right: set[int]) -> str:
    return ' class="number"' if column in right else ""


def _again(reproduce: str) -> str:
    return f'<section class="wide"><h2>To have it again</h2><dl><dt>command</dt><dd><code>{_safe(reproduce)}</code></dd></dl></section>'
