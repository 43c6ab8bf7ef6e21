"""The report as one HTML file: no request leaves it, nothing in it is borrowed, and it reads without a script.

The rule: every text is escaped on its way in, and the page's own policy lets no script run but the one whose hash it names.
"""

import base64
import hashlib
from collections.abc import Callable
from html import escape

from bot import report as rows
from bot.render import money, plain
from bot.report import RunReport, Table, shown
from bot.report_page import SCRIPT, STYLE
from bot.report_plots import Line, histogram, percent_mark, shares, time_plot

CARDS = (
    "total_return", "annualised_return", "sharpe", "sortino", "volatility", "max_drawdown", "calmar", "profit_factor", "win_rate_trades",
    "trades", "ic", "turnover",
)  # fmt: skip
TRADES = 400  # round trips on the page
LATE = ("Metrics", "IC by symbol", "Factors", "Assumptions")


def html(report: RunReport) -> str:
    """The whole page."""
    body = "".join((_head(report), _warnings(report), _cards(report), _plots(report), *_sections(report), _provenance(report)))
    # Labels stand where their inline style puts them: styles cannot go by hash.
    rules = ("default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", f"script-src '{_hash(SCRIPT)}'", "base-uri 'none'")
    policy = "; ".join((*rules, "form-action 'none'"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        '<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'
        f"<title>Sluice report {_safe(report.run)}</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main><script>{SCRIPT}</script></body></html>\n"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _safe(text: str) -> str:
    return escape(plain(text, 2_000))


def _head(report: RunReport) -> str:
    lines = "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>" for name, value in rows.title(report) if name != "market")
    label = f'<p class="label">{_safe(rows.SYNTHETIC)}</p>' if report.synthetic else ""
    return f"<header><h1>Sluice report</h1>{label}<dl>{lines}</dl></header>"


def _warnings(report: RunReport) -> str:
    if not report.warnings:
        return ""
    items = "".join(f"<li>{_safe(warning)}</li>" for warning in report.warnings)
    return f'<section class="warnings" role="note"><h2>Warnings</h2><ul>{items}</ul></section>'


def _cards(report: RunReport) -> str:
    labels = {figure.field: (figure.label, figure.meaning) for figure in rows.FIGURES}
    beside = {"sharpe": ("sharpe_error", "\u00b1 "), "ic": ("ic_t", "t "), "max_drawdown": ("underwater_ms", "longest below a peak ")}
    cards = []
    for field in CARDS:
        label, meaning = labels[field]
        small = ""
        if field in beside and getattr(report.metrics, beside[field][0]) is not None:
            small = f"<small>{beside[field][1]}{_safe(shown(report.metrics, beside[field][0]))}</small>"
        value = f"<span>{_safe(label)}</span><b>{_safe(shown(report.metrics, field))}</b>{small}"
        cards.append(f'<div class="card" title="{_safe(meaning)}">{value}</div>')
    return f'<section class="cards" aria-label="Headline figures">{"".join(cards)}</section>'


def _plots(report: RunReport) -> str:
    curve = report.curve
    at, cash = curve.at_ms, _equity_text(report)
    exposure = [Line("gross", curve.gross, "one"), Line("net", curve.net, "two")]
    plots = (
        time_plot("Equity", at, [Line("equity", curve.equity, "one")], cash, cash),
        time_plot("Drawdown", at, [Line("drawdown", curve.drawdown, "loss", True)], rows.share, percent_mark, zero=True),
        time_plot("Exposure, of equity", at, exposure, rows.share, percent_mark, zero=True),
        histogram("Days by return", [value for _, value in report.days], rows.share),
    )
    return f'<section class="plots">{"".join(plots)}</section>' if any(plots) else ""


def _equity_text(report: RunReport) -> Callable[[float], str]:
    """As many digits as the movement needs."""
    values = report.curve.equity
    width = max(values) - min(values) if values else 0.0
    digits = 0 if width >= 50 else 2
    return lambda value: f"{value:,.{digits}f}"


def _sections(report: RunReport) -> list[str]:
    found = []
    for one in sorted(rows.tables(report, TRADES), key=lambda one: one.title in LATE):
        before = _cost_strip(report) if one.title == "Costs" else ""
        found.append(_table(one, before, wide=one.title in ("Trades", "Returns by month", "Metrics")))
    return found


def _cost_strip(report: RunReport) -> str:
    paid = report.costs
    parts = [
        (name, float(amount), money(amount))
        for name, amount in (("Fees", paid.fees), ("Funding", paid.funding), ("Slippage", paid.slippage))
    ]
    return shares("Costs", parts, ("one", "two", "three"))


def _table(one: Table, before: str, *, wide: bool) -> str:
    right = set(one.right)
    head = "".join(f'<th scope="col"{_right(i, right)}>{_safe(cell)}</th>' for i, cell in enumerate(one.head))
    body = "".join(
        f"<tr>{''.join(f'<td{_right(i, right, cell)}>{_safe(cell)}</td>' for i, cell in enumerate(row))}</tr>" for row in one.rows
    )
    note = f'<p class="note">{_safe(one.note)}</p>' if one.note else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    scroll = f'<div class="scroll" tabindex="0" role="region" aria-label="{_safe(one.title)}">{table}</div>'
    return f'<section class="{"wide" if wide else "narrow"}"><h2>{_safe(one.title)}</h2>{before}{scroll}{note}</section>'


def _right(column: int, right: set[int], cell: str = "") -> str:
    """Numbers flush right; the sign of a signed one shows in its colour too."""
    if column not in right:
        return ""
    sign = " up" if cell.startswith("+") else " down" if cell.startswith("-") and len(cell) > 1 else ""
    return f' class="number{sign}"'


def _provenance(report: RunReport) -> str:
    lines = "".join(f"<dt>{_safe(name)}</dt><dd><code>{_safe(value)}</code></dd>" for name, value in rows.provenance(report))
    return f'<section class="wide"><h2>To have it again</h2><dl>{lines}</dl></section>'
