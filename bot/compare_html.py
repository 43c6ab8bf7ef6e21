"""A comparison as one HTML file, in the look of the report: no request leaves it, and it reads without a script."""

from bot.compare import Comparison
from bot.compare_tables import partings, tables, title, verdict
from bot.report_figures import share
from bot.report_html import document, safe, section
from bot.report_plots import Line, percent_mark, time_plot
from bot.report_tables import SYNTHETIC

WIDE = ("Matched fills, the widest apart", "Orders of one run alone", "Settings that differ")


def html(found: Comparison) -> str:
    """The whole page."""
    sections = [section(one, wide=one.title in WIDE) for one in tables(found)]
    parts = (_head(found), _notes(found), f'<section class="wide"><p>{safe(verdict(found))}</p></section>', _plots(found), *sections)
    return document(f"Sluice comparison {found.a.run} {found.b.run}", "".join((*parts, _explain(found))))


def _head(found: Comparison) -> str:
    lines = "".join(f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>" for name, value in title(found) if name != "market")
    label = f'<p class="label">{safe(SYNTHETIC)}</p>' if found.a.synthetic or found.b.synthetic else ""
    return f"<header><h1>Sluice comparison</h1>{label}<dl>{lines}</dl></header>"


def _notes(found: Comparison) -> str:
    if not found.obstacles:
        return ""
    items = "".join(f"<li>{safe(one)}</li>" for one in found.obstacles)
    return f'<section class="warnings" role="note"><h2>Notes</h2><ul>{items}</ul></section>'


def _plots(found: Comparison) -> str:
    paths = found.returns
    if paths is None or len(paths.at_ms) < 2:
        return ""
    grown = [Line("A", [value - 1.0 for value in paths.grown_a], "one"), Line("B", [value - 1.0 for value in paths.grown_b], "two")]
    gap = [b - a for a, b in zip(paths.grown_a, paths.grown_b, strict=True)]
    plots = (
        time_plot("Return since the common start", paths.at_ms, grown, share, percent_mark, zero=True),
        time_plot("B less A", paths.at_ms, [Line("difference", gap, "one")], share, percent_mark, zero=True),
    )
    return f'<section class="plots">{"".join(plots)}</section>'


def _explain(found: Comparison) -> str:
    lines = "".join(
        f"<dt>{safe(name)}, {run}</dt><dd><code>{safe(command)}</code></dd>"
        for name, one in partings(found.decisions)
        for run, command in (("A", one.explain_a), ("B", one.explain_b))
    )
    return f'<section class="wide"><h2>Why they differ</h2><dl>{lines}</dl></section>' if lines else ""
