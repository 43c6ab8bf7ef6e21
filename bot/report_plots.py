"""Plots as inline SVG: drawn here, no library, readable without a script.

The rule: only numbers and our own words enter a plot. Shapes stretch with the page, lettering does not: labels are HTML beside the SVG.
"""

import json
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from bot.render import clock
from feeds.bars import Array
from feeds.times import DAY

Write = Callable[[float], str]

WIDE, HIGH = 1000, 260
MOST = 900  # points of a line


class Line(NamedTuple):
    """One series of a plot: its label and its class in the style sheet (`fill`: the area to zero is shaded)."""

    label: str
    values: Sequence[float]
    style: str
    fill: bool = False


def time_plot(name: str, at_ms: Sequence[int], lines: Sequence[Line], write: Write, mark: Write, *, zero: bool = False) -> str:
    """Lines over time; an empty string when there are fewer than two points.

    write  how a value is written under the pointer, `mark` on the axis;  zero  whether the axis must show zero
    """
    if len(at_ms) < 2:
        return ""
    keep = thin([line.values for line in lines], MOST)
    at = np.asarray(at_ms, np.int64)[keep]
    series = [np.asarray(line.values, float)[keep] for line in lines]
    low, high = (float(f(np.concatenate(series))) for f in (np.min, np.max))
    ticks = axis(min(low, 0.0) if zero else low, max(high, 0.0) if zero else high, 5)
    low, high = min(ticks[0], low), max(ticks[-1], high)
    x = (at - at[0]) / max(1, int(at[-1] - at[0])) * WIDE
    shapes = [grid(ticks, low, high)]
    for line, values in zip(lines, series, strict=True):
        y = height_of(values, low, high)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
        if line.fill:
            base = float(height_of(np.array([min(max(0.0, low), high)]), low, high)[0])
            shapes.append(f'<polygon class="{line.style} area" points="0,{base:.1f} {points} {WIDE},{base:.1f}"/>')
        shapes.append(f'<polyline class="{line.style}" points="{points}"/>')
    legend = "".join(f'<span class="{line.style}">{escape(line.label)}</span>' for line in lines) if len(lines) > 1 else ""
    said = [[clock(int(t)), *(write(float(s[i])) for s in series)] for i, t in enumerate(at)]
    data = json.dumps(
        {"x": [round(v / WIDE, 4) for v in x.tolist()], "t": said, "n": [line.label for line in lines]}, separators=(",", ":")
    )
    return figure(name, legend, "".join(shapes), Scale(ticks, low, high, mark), dates(int(at[0]), int(at[-1])), data)


def histogram(name: str, values: Sequence[float], write: Write) -> str:
    """How often values fall into each of some equal bins around zero; empty below five values.

    Where a few lie far out, the outermost bins hold all that lies beyond them, and say so.
    """
    if len(values) < 5:
        return ""
    size = np.abs(np.asarray(values, float))
    reach = max(float(size.max()), 1e-9)
    usual = 1.25 * float(np.quantile(size, 0.98))
    beyond = 0 < usual < 0.6 * reach
    reach = usual if beyond else reach
    count = min(31, max(7, 2 * int(len(values) ** 0.5) // 2 * 2 + 1))
    edges = np.linspace(-reach, reach, count + 1)
    found, _ = np.histogram(np.clip(np.asarray(values, float), -reach, reach), edges)
    ticks = axis(0.0, float(found.max()), 3)
    high = max(ticks[-1], float(found.max()))
    shapes = [grid(ticks, 0.0, high)]
    for i, n in enumerate(found.tolist()):
        top = float(height_of(np.array([float(n)]), 0.0, high)[0])
        style = "loss" if edges[i + 1] <= 0 else "gain" if edges[i] >= 0 else "even"
        left, width = i * WIDE / count + 2, WIDE / count - 4
        ends = ["" if beyond and i == 0 else write(float(edges[i])), "" if beyond and i == count - 1 else write(float(edges[i + 1]))]
        box = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{HIGH - top:.1f}"'
        shapes.append(f'<rect class="bar {style}" {box}><title>{escape(f"{ends[0]} .. {ends[1]}: {n}")}</title></rect>')
    marks = "".join(f'<span class="k{k}" style="left:{25 * k}%">{escape(write(-reach + reach * k / 2))}</span>' for k in range(5))
    scale = Scale(ticks, 0.0, high, lambda v: f"{v:,.0f}")
    legend = '<span class="key">the outermost bars hold all beyond</span>' if beyond else ""
    return figure(name, legend, "".join(shapes), scale, f'<div class="dates">{marks}</div>')


def shares(name: str, parts: Sequence[tuple[str, float, str]], styles: Sequence[str]) -> str:
    """One bar cut into parts by size; (label, size, how it is written). Sizes below zero count by their magnitude."""
    whole = sum(abs(size) for _, size, _ in parts)
    if whole <= 0:
        return ""
    cuts, left = [], 0.0
    for (label, size, said), style in zip(parts, styles, strict=False):
        width = abs(size) / whole * WIDE
        title = f"<title>{escape(label)} {escape(said)}</title>"
        cuts.append(f'<rect class="{style}" x="{left:.1f}" y="0" width="{width:.1f}" height="30">{title}</rect>')
        left += width
    key = "".join(
        f'<span class="{style}">{escape(label)} {escape(said)}</span>' for (label, _, said), style in zip(parts, styles, strict=False)
    )
    view = f'viewBox="0 0 {WIDE} 30" preserveAspectRatio="none"'
    svg = f'<svg {view} class="strip" role="img" aria-label="{escape(name)}">{"".join(cuts)}</svg>'
    return f'<figure class="plot">{svg}<div class="legend">{key}</div></figure>'


def percent_mark(value: float) -> str:
    """A share on an axis, in as few digits as it takes."""
    return f"{round(100 * value, 6) + 0.0:g}%"


def thin(series: Sequence[Sequence[float]], most: int) -> list[int]:
    """Rows to draw: where there are too many, each stretch keeps its first row and the highest and lowest of every series."""
    count = len(series[0])
    if count <= most:
        return list(range(count))
    stretches = max(1, most // (1 + 2 * len(series)))
    edges = np.linspace(0, count, stretches + 1).astype(int)
    arrays: list[Array] = [np.asarray(values, float) for values in series]
    keep = {0, count - 1}
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        keep.add(begin)
        for values in arrays:
            keep |= {begin + int(values[begin:end].argmin()), begin + int(values[begin:end].argmax())}
    return sorted(keep)


def axis(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers from below `low` to above `high`, about so many steps: 1, 2 or 5 times a power of ten apart."""
    width = high - low
    if not width > 1e-12 * max(1.0, abs(low), abs(high)):
        width = max(abs(high) * 0.02, 1e-6)
        low, high = low - width / 2, high + width / 2
    raw = width / about
    power = 10.0 ** np.floor(np.log10(raw))
    step = float(next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw * 0.999))
    first, last = int(np.floor(low / step + 1e-9)), int(np.ceil(high / step - 1e-9))
    return [k * step for k in range(first, last + 1)]


def height_of(values: Array, low: float, high: float, tall: int = HIGH) -> Array:
    """From values to distances from the top of a drawing."""
    scaled: Array = tall - (values - low) / (high - low) * tall
    return scaled


def grid(ticks: Sequence[float], low: float, high: float) -> str:
    """A line at each tick; the one at zero stands out."""
    lines = []
    for tick in ticks:
        y = float(height_of(np.array([tick]), low, high)[0])
        lines.append(f'<line class="grid{" zero" if tick == 0 else ""}" x1="0" x2="{WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>')
    return "".join(lines)


def dates(first: int, last: int) -> str:
    """Five instants below a plot over time: days, and the time of day where there are few of them."""
    part = slice(0, 10) if last - first > 5 * DAY else slice(5, 16)
    places = ((k, clock(int(first + (last - first) * k / 4))[part]) for k in range(5))
    labels = "".join(f'<span class="k{k}" style="left:{25 * k}%">{escape(text)}</span>' for k, text in places)
    return f'<div class="dates">{labels}</div>'


class Scale(NamedTuple):
    """The axis of a plot: where its labels stand, its ends, and how a label is written."""

    ticks: Sequence[float]
    low: float
    high: float
    write: Write


def figure(name: str, legend: str, shapes: str, scale: Scale, below: str, data: str = "", above: str = "") -> str:
    """A plot with its caption and its axis. `above` lies over the shapes, `below` stands under them; both are as wide as they are.

    data  JSON for the page's script, of points that are told under the pointer
    """
    labels = "".join(
        f'<span style="bottom:{100 * (tick - scale.low) / (scale.high - scale.low):.2f}%">{escape(scale.write(tick))}</span>'
        for tick in scale.ticks
    )
    svg = (
        f'<svg class="main" viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" role="img" aria-label="{escape(name)}">{shapes}'
        f'<line class="cross" x1="0" x2="0" y1="0" y2="{HIGH}"/></svg>'
    )
    points = f' data-points="{escape(data)}"' if data else ""
    head = f'<figcaption>{escape(name)}<span class="legend">{legend}</span><output></output></figcaption>'
    sheet = f'<div class="pan"><div class="sheet">{svg}{above}{below}</div></div>'
    return f'<figure class="plot"{points}>{head}<div class="frame"><div class="ticks">{labels}</div>{sheet}</div></figure>'
