"""The report as one HTML file: no request leaves it, nothing in it is borrowed, and it reads without a script.

The rule: every text is escaped on its way in, and the page's own policy lets no script run but the one whose hash it names.
"""

import base64
import hashlib
from collections.abc import Callable
from html import escape

from bot import report_tables as rows
from bot.render import money, plain
from bot.report import RunReport
from bot.report_figures import FIGURES, ratio, share, shown
from bot.report_page import SCRIPT, STYLE
from bot.report_plots import Line, histogram, percent_mark, shares, time_plot
from bot.report_price import price_plot, shapes
from bot.report_tables import Table
from feeds.times import span_text

CARDS = (
    "total_return", "annualised_return", "sharpe", "sortino", "volatility", "max_drawdown", "calmar", "profit_factor", "win_rate_trades",
    "trades", "ic", "turnover",
)  # fmt: skip
TRADES = 200  # round trips on the page, refusals too; --json has all of them
FIRST = ("Metrics", "Assumptions")  # the result, and beside it what it rests on
WIDE = ("Trades", "Worst and best trades", "Returns by month", "Signals that were not taken")
LATE = ("Trades", "Signals that were not taken", "IC by symbol", "Factors")


def html(report: RunReport) -> str:
    """The whole page."""
    parts = (_head(report), _warnings(report), _cards(report), _plots(report), *_sections(report), _provenance(report), _settings(report))
    return document(f"Sluice report {report.run}", (shapes() if report.charts else "") + "".join(parts))


def document(title: str, body: str) -> str:
    """A page with this title; `body` is markup that is safe already."""
    # Labels stand where their inline style puts them: styles cannot go by hash.
    rules = ("default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", f"script-src '{_hash(SCRIPT)}'", "base-uri 'none'")
    policy = "; ".join((*rules, "form-action 'none'"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        '<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'
        f"<title>{safe(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main><script>{SCRIPT}</script></body></html>\n"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def safe(text: str) -> str:
    """Text from outside, harmless in markup and on a screen."""
    return escape(plain(text, 2_000))


def _head(report: RunReport) -> str:
    lines = "".join(f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>" for name, value in rows.title(report) if name != "market")
    label = f'<p class="label">{safe(rows.SYNTHETIC)}</p>' if report.synthetic else ""
    return f"<header><h1>Sluice report</h1>{label}<dl>{lines}</dl></header>"


def _warnings(report: RunReport) -> str:
    if not report.warnings:
        return ""
    items = "".join(f"<li>{safe(warning)}</li>" for warning in report.warnings)
    return f'<section class="warnings" role="note"><h2>Warnings</h2><ul>{items}</ul></section>'


def _cards(report: RunReport) -> str:
    labels = {figure.field: (figure.label, figure.meaning) for figure in FIGURES}
    beside = {"sharpe": ("sharpe_error", "\u00b1 "), "ic": ("ic_t", "t "), "max_drawdown": ("underwater_ms", "longest below a peak ")}
    cards = []
    for field in CARDS:
        label, meaning = labels[field]
        small = ""
        if field in beside and getattr(report.metrics, beside[field][0]) is not None:
            small = f"<small>{beside[field][1]}{safe(shown(report.metrics, beside[field][0]))}</small>"
        value = f"<span>{safe(label)}</span><b>{safe(shown(report.metrics, field))}</b>{small}"
        cards.append(f'<div class="card" title="{safe(meaning)}">{value}</div>')
    return f'<section class="cards" aria-label="Headline figures">{"".join(cards)}</section>'


def _plots(report: RunReport) -> str:
    curve = report.curve
    at, cash = curve.at_ms, _equity_text(report)
    exposure = [Line("gross", curve.gross, "one"), Line("net", curve.net, "two")]
    closed = [float(trip.pnl) for trip in report.trades if trip.exit_ms is not None]
    plots = (
        _full(time_plot("Equity", at, [Line("equity", curve.equity, "one")], cash, cash)),
        time_plot("Drawdown", at, [Line("drawdown", curve.drawdown, "loss", True)], share, percent_mark, zero=True),
        time_plot("Exposure, of equity", at, exposure, share, percent_mark, zero=True),
        *(_full(price_plot(chart, len(report.charts))) for chart in report.charts),
        *_rolling(report),
        histogram("Days by return", [value for _, value in report.days], share),
        histogram("Trades by net profit", closed, _cash),
    )
    return f'<section class="plots">{"".join(plots)}</section>' if any(plots) else ""


def _full(plot: str) -> str:
    return f'<div class="full">{plot}</div>' if plot else ""


def _rolling(report: RunReport) -> list[str]:
    found = report.rolling
    if found is None:
        return []
    known = [n for n, value in enumerate(found.sharpe) if value is not None]
    at, sharpe = [found.at_ms[n] for n in known], [found.sharpe[n] or 0.0 for n in known]
    within = f"of the last {span_text(found.window)}, {span_text(found.step)} returns"
    moved = [value or 0.0 for value in found.volatility]
    return [
        time_plot(f"Sharpe ratio {within}", at, [Line("Sharpe", sharpe, "one")], ratio, _short, zero=True),
        time_plot(f"Volatility {within}", found.at_ms, [Line("volatility", moved, "two")], share, percent_mark, zero=True),
    ]


def _cash(value: float) -> str:
    return f"{value:+,.2f}"


def _short(value: float) -> str:
    return f"{value:g}"


def _equity_text(report: RunReport) -> Callable[[float], str]:
    """As many digits as the movement needs."""
    values = report.curve.equity
    width = max(values) - min(values) if values else 0.0
    digits = 0 if width >= 50 else 2
    return lambda value: f"{value:,.{digits}f}"


def _sections(report: RunReport) -> list[str]:
    """The tables: the result and its assumptions, then what it was made of, then single trades."""
    found = {one.title: one for one in rows.tables(report, TRADES)}
    middle = [name for name in found if name not in (*FIRST, *LATE)]
    sections = []
    for name in (*FIRST, *middle, *LATE):
        if name in found:
            before = _cost_strip(report) if name == "Costs" else ""
            sections.append(section(found[name], before, wide=name in WIDE))
    return sections


def _cost_strip(report: RunReport) -> str:
    paid = report.costs
    slippage = rows.slippage_parts(paid) or [("Slippage", float(paid.slippage))]
    parts = [(name, amount, money(amount)) for name, amount in (("Fees", float(paid.fees)), ("Funding", float(paid.funding)), *slippage)]
    return shares("Costs", parts, ("one", "two", "three", "four", "five", "six"))


def section(one: Table, before: str = "", *, wide: bool) -> str:
    """A table under its title; before: markup between the two."""
    right = set(one.right)
    head = "".join(f'<th scope="col"{_right(i, right)}>{safe(cell)}</th>' for i, cell in enumerate(one.head))
    unsigned = {i for i, name in enumerate(one.head) if "WORSE" in name}  # there a plus is no gain
    signs = [["" if i in unsigned else cell for i, cell in enumerate(row)] for row in one.rows]
    body = "".join(
        f"<tr>{''.join(f'<td{_right(i, right, sign[i])}>{safe(cell)}</td>' for i, cell in enumerate(row))}</tr>"
        for row, sign in zip(one.rows, signs, strict=True)
    )
    note = f'<p class="note">{safe(one.note)}</p>' if one.note else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    scroll = f'<div class="scroll" tabindex="0" role="region" aria-label="{safe(one.title)}">{table}</div>'
    return f'<section class="{"wide" if wide else "narrow"}"><h2>{safe(one.title)}</h2>{before}{scroll}{note}</section>'


def _right(column: int, right: set[int], cell: str = "") -> str:
    """Numbers flush right; the sign of a signed one shows in its colour too."""
    if column not in right:
        return ""
    sign = " up" if cell.startswith("+") else " down" if cell.startswith("-") and len(cell) > 1 else ""
    return f' class="number{sign}"'


def _provenance(report: RunReport) -> str:
    lines = "".join(f"<dt>{safe(name)}</dt><dd><code>{safe(value)}</code></dd>" for name, value in rows.provenance(report))
    return f'<section class="wide"><h2>To have it again</h2><dl>{lines}</dl></section>'


def _settings(report: RunReport) -> str:
    if not report.settings:
        return ""
    lines = "".join(f"<tr><td>{safe(name)}</td><td><code>{safe(value)}</code></td></tr>" for name, value in report.settings)
    head = '<thead><tr><th scope="col">SETTING</th><th scope="col">VALUE</th></tr></thead>'
    table = f'<div class="scroll" tabindex="0" role="region" aria-label="Settings"><table>{head}<tbody>{lines}</tbody></table></div>'
    return f'<section class="wide"><details><summary>All {len(report.settings)} settings of the run</summary>{table}</details></section>'
