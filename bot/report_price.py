"""A symbol's price with what was done at it: marks that differ in shape, not only in colour, and below them what was held.

The rule: shapes of the price stretch with the page, marks do not: they lie over it, placed by shares of its width and height.
"""

import json
from collections import Counter
from html import escape

import numpy as np

from bot.render import plain
from bot.report import Chart
from bot.report_plots import WIDE, Scale, axis, dates, figure, grid, height_of
from feeds.bars import Array

STRETCHES = 6_000  # of all charts of a page together
COLUMNS = 500  # of the strip that shows what was held
STRIP = 40  # its height
LEVELS = (300, 1_000)  # marks that are drawn at once, and from a fourfold zoom on; the others from a sixteenfold
# kind -> what it is called, its path around 0, 0, and whether it is an outline
SHAPES = {
    "long": ("long entry", "M0-6L5.5 4.5h-11z", False),
    "short": ("short entry", "M0 6L5.5-4.5h-11z", False),
    "exit": ("exit", "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", False),
    "stop": ("stop", "M-4.5-4.5L4.5 4.5M4.5-4.5L-4.5 4.5", True),
    "target": ("take-profit", "M0-6L6 0L0 6L-6 0z", False),
    "liquidation": ("liquidation", "M-6-6h12v12h-12zM-6-6L6 6M6-6L-6 6", True),
    "refused_long": ("long not taken", "M0-6L5.5 4.5h-11z", True),
    "refused_short": ("short not taken", "M0 6L5.5-4.5h-11z", True),
}


def shapes() -> str:
    """The marks, drawn once for the page."""
    paths = "".join(f'<path id="m-{kind}" d="{path}"/>' for kind, (_, path, _) in SHAPES.items())
    return f'<svg class="defs" aria-hidden="true" width="0" height="0"><defs>{paths}</defs></svg>'


def price_plot(chart: Chart, charts: int = 1) -> str:
    """The plot of one symbol; charts: how many share the page."""
    at, low, high, close = _coarser(chart, max(1, -(-len(chart.at_ms) * charts // STRETCHES)))
    if at.size < 2 or np.isnan(close).all():
        return ""
    levels = [mark.price for mark in chart.marks if at[0] <= mark.at_ms <= at[-1]]
    least, most = min(float(np.nanmin(low)), *levels, np.inf), max(float(np.nanmax(high)), *levels, -np.inf)
    ticks = axis(least, most, 5)
    least, most = min(ticks[0], least), max(ticks[-1], most)
    x = (at - at[0]) / (at[-1] - at[0]) * WIDE
    drawn = [grid(ticks, least, most)]
    for piece in _pieces(close):
        drawn += _path(x[piece], *(height_of(values[piece], least, most) for values in (low, high, close)))
    scale = Scale(ticks, least, most, price_text)
    strip = _strip(chart, int(at[0]), int(at[-1]))
    data = _data(chart, at, close)
    name = f"{plain(chart.symbol)}: price, entries and exits"
    return figure(name, _legend(chart), "".join(drawn), scale, strip + dates(int(at[0]), int(at[-1])), data, _marks(chart, at, least, most))


def price_text(value: float) -> str:
    """Seven digits, no exponent."""
    return f"{float(f'{value:.7g}'):,.10f}".rstrip("0").rstrip(".")


def _coarser(chart: Chart, times: int) -> tuple[np.ndarray, Array, Array, Array]:
    at = np.asarray(chart.at_ms, np.int64)
    low, high, close = (np.array(values, float) for values in (chart.low, chart.high, chart.close))
    if times > 1 and at.size:
        heads = np.arange(0, at.size, times)
        lasts = np.append(heads[1:], at.size) - 1
        low, high = np.fmin.reduceat(low, heads), np.fmax.reduceat(high, heads)
        at, close = at[lasts], close[lasts]
    return at, low, high, close


def _pieces(close: Array) -> list[slice]:
    """Stretches without a hole."""
    known = np.flatnonzero(~np.isnan(close))
    cuts = np.flatnonzero(np.diff(known) > 1) + 1
    return [slice(int(part[0]), int(part[-1]) + 1) for part in np.split(known, cuts) if part.size]


def _path(x: Array, low: Array, high: Array, close: Array) -> list[str]:
    over = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), high.tolist(), strict=True))
    under = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[::-1].tolist(), low[::-1].tolist(), strict=True))
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), close.tolist(), strict=True))
    return [f'<polygon class="area range" points="{over} {under}"/>', f'<polyline class="price" points="{line}"/>']


def _marks(chart: Chart, at: np.ndarray, least: float, most: float) -> str:
    placed = []
    levels = _levels(chart)
    for mark, level in zip(chart.marks, levels, strict=True):
        x = 100 * (mark.at_ms - int(at[0])) / int(at[-1] - at[0])
        if 0 <= x <= 100:
            y = 100 * (most - mark.price) / (most - least)
            placed.append(f'<use class="{mark.kind}{level}" href="#m-{mark.kind}" x="{x:.2f}%" y="{y:.1f}%"/>')
    return f'<svg class="marks" aria-hidden="true">{"".join(placed)}</svg>'


def _levels(chart: Chart) -> list[str]:
    """Which marks wait for a zoom: an even choice is there at once, liquidations and stops among the first."""
    marks = chart.marks
    if len(marks) <= LEVELS[0]:
        return [""] * len(marks)
    ranked = sorted(range(len(marks)), key=lambda n: (marks[n].kind != "liquidation", _reversed_bits(n)))
    levels = [" z16"] * len(marks)
    for most, level in zip(LEVELS[::-1], (" z4", ""), strict=True):
        for n in ranked[:most]:
            levels[n] = level
    return levels


def _reversed_bits(n: int) -> int:
    """An order in which every beginning is spread evenly over the whole."""
    return int(f"{n:016b}"[::-1], 2)


def _legend(chart: Chart) -> str:
    count = Counter(mark.kind for mark in chart.marks)
    view = 'width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true"'
    keys = [
        f'<span class="key"><svg {view}><use class="{kind}" href="#m-{kind}"/></svg>{escape(name)} {count[kind]:,}</span>'
        for kind, (name, _, _) in SHAPES.items()
        if count[kind]
    ]
    whole = len(chart.marks) + chart.left_out
    if chart.left_out or whole > LEVELS[0]:
        more = f", {len(chart.marks):,} zoomed in" if len(chart.marks) > LEVELS[0] else ""
        keys.append(f'<span class="key">{min(LEVELS[0], len(chart.marks)):,} of {whole:,} drawn{more}</span>')
    return "".join(keys)


def _data(chart: Chart, at: np.ndarray, close: Array) -> str:
    """For the script: the closes, evenly in time, and what each mark says by its place."""
    span = int(at[-1] - at[0])
    told = [
        [round((mark.at_ms - int(at[0])) / span, 4), mark.at_ms, plain(mark.said), int(level[2:] or 1)]
        for mark, level in zip(chart.marks, _levels(chart), strict=True)
    ]
    points = [None if value != value else float(f"{value:.7g}") for value in close.tolist()]
    return json.dumps({"from": int(at[0]), "to": int(at[-1]), "c": points, "m": told}, separators=(",", ":"))


def _strip(chart: Chart, first: int, last: int) -> str:
    """What was held, by time: long above the line, short below it, as high as its mean in each of some columns."""
    if not chart.held_ms:
        return ""
    edges = np.linspace(first, last, COLUMNS + 1)
    at, size = np.array([first, *chart.held_ms, last], float), np.array([0.0, *chart.held])
    at = np.clip(at, first, last)
    means = []
    for part in (np.maximum(size, 0.0), np.minimum(size, 0.0)):
        whole = np.concatenate([[0.0], np.cumsum(part * np.diff(at))])
        means.append(np.diff(np.interp(edges, at, whole)) / np.diff(edges))
    most = max(float(means[0].max()), -float(means[1].min()))
    if most <= 0:
        return ""
    bars = []
    for values, style in zip(means, ("gain", "loss"), strict=True):
        heights = np.round(values / most * (STRIP / 2 - 1), 1)
        steps = "".join(f"V{STRIP / 2 - y:.1f}h{WIDE / COLUMNS:g}" for y in heights.tolist())
        bars.append(f'<path class="{style}" d="M0 {STRIP / 2:g}{steps}V{STRIP / 2:g}z"/>')
    middle = f'<line class="grid zero" x1="0" x2="{WIDE}" y1="{STRIP / 2:g}" y2="{STRIP / 2:g}"/>'
    view = f'viewBox="0 0 {WIDE} {STRIP}" preserveAspectRatio="none"'
    name = escape(f"{plain(chart.symbol)}: what was held, at most {most:,.6g}; long above the line, short below it")
    return f'<svg class="held" {view} role="img" aria-label="{name}">{"".join(bars)}{middle}</svg><p class="note">{name}</p>'
