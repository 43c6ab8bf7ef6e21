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
    shapes = [_grid(ticks, low, high)]
    for line, values in zip(lines, series, strict=True):
        y = _height(values, low, high)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
        if line.fill:
            base = float(_height(np.array([min(max(0.0, low), high)]), low, high)[0])
            shapes.append(f'<polygon class="{line.style} area" points="0,{base:.1f} {points} {WIDE},{base:.1f}"/>')
        shapes.append(f'<polyline class="{line.style}" points="{points}"/>')
    dates = "".join(_date(int(at[0] + (at[-1] - at[0]) * k / 4), k) for k in range(5))
    legend = "".join(f'<span class="{line.style}">{escape(line.label)}</span>' for line in lines) if len(lines) > 1 else ""
    said = [[clock(int(t)), *(write(float(s[i])) for s in series)] for i, t in enumerate(at)]
    data = json.dumps(
        {"x": [round(v / WIDE, 4) for v in x.tolist()], "t": said, "n": [line.label for line in lines]}, separators=(",", ":")
    )
    return _figure(name, legend, "".join(shapes), ticks, (low, high), mark, f'<div class="dates">{dates}</div>', data)


def histogram(name: str, values: Sequence[float], write: Write) -> str:
    """How often values fall into each of some equal bins around zero; empty below five values."""
    if len(values) < 5:
        return ""
    reach = max(abs(min(values)), abs(max(values)), 1e-9)
    count = min(31, max(7, 2 * int(len(values) ** 0.5) // 2 * 2 + 1))
    edges = np.linspace(-reach, reach, count + 1)
    found, _ = np.histogram(np.asarray(values, float), edges)
    ticks = axis(0.0, float(found.max()), 3)
    high = max(ticks[-1], float(found.max()))
    shapes = [_grid(ticks, 0.0, high)]
    for i, n in enumerate(found.tolist()):
        top = float(_height(np.array([float(n)]), 0.0, high)[0])
        style = "loss" if edges[i + 1] <= 0 else "gain" if edges[i] >= 0 else "even"
        left, width = i * WIDE / count + 2, WIDE / count - 4
        label = f"{write(float(edges[i]))} .. {write(float(edges[i + 1]))}: {n}"
        box = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{HIGH - top:.1f}"'
        shapes.append(f'<rect class="bar {style}" {box}><title>{escape(label)}</title></rect>')
    marks = "".join(f'<span class="k{k}" style="left:{25 * k}%">{escape(write(-reach + reach * k / 2))}</span>' for k in range(5))
    return _figure(name, "", "".join(shapes), ticks, (0.0, high), lambda v: f"{v:,.0f}", f'<div class="dates">{marks}</div>', "")


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


def _height(values: Array, low: float, high: float) -> Array:
    scaled: Array = HIGH - (values - low) / (high - low) * HIGH
    return scaled


def _grid(ticks: Sequence[float], low: float, high: float) -> str:
    lines = []
    for tick in ticks:
        y = float(_height(np.array([tick]), low, high)[0])
        lines.append(f'<line class="grid{" zero" if tick == 0 else ""}" x1="0" x2="{WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>')
    return "".join(lines)


def _date(at: int, position: int) -> str:
    return f'<span class="k{position}" style="left:{25 * position}%">{escape(clock(at)[:10])}</span>'


def _figure(
    name: str,
    legend: str,
    shapes: str,
    ticks: Sequence[float],
    bounds: tuple[float, float],
    write: Write,
    below: str,
    data: str,
) -> str:
    low, high = bounds
    labels = "".join(f'<span style="bottom:{100 * (tick - low) / (high - low):.2f}%">{escape(write(tick))}</span>' for tick in ticks)
    svg = (
        f'<svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none" role="img" aria-label="{escape(name)}">{shapes}'
        f'<line class="cross" x1="0" x2="0" y1="0" y2="{HIGH}"/></svg>'
    )
    points = f' data-points="{escape(data)}"' if data else ""
    head = f'<figcaption>{escape(name)}<span class="legend">{legend}</span><output></output></figcaption>'
    return f'<figure class="plot"{points}>{head}<div class="frame"><div class="ticks">{labels}</div>{svg}</div>{below}</figure>'
