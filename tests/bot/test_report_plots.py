"""Plots: what is drawn is what was measured."""

import html
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.report_plots import HIGH, MOST, WIDE, Line, axis, histogram, percent_mark, shares, thin, time_plot


def plain(value: float) -> str:
    return f"{value:.3f}"


def points_of(svg: str) -> list[tuple[float, float]]:
    found = re.search(r'<polyline class="one" points="([^"]+)"', svg)
    assert found is not None
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())]


def test_a_line_runs_from_edge_to_edge_and_higher_is_higher() -> None:
    drawn = points_of(time_plot("x", [0, 1_000, 4_000], [Line("a", [1.0, 3.0, 2.0], "one")], plain, plain))
    assert [x for x, _ in drawn] == [0.0, WIDE / 4, WIDE]
    assert drawn[1][1] < drawn[2][1] < drawn[0][1]
    assert all(0 <= y <= HIGH for _, y in drawn)


def test_values_under_the_pointer_are_those_of_the_curve() -> None:
    svg = time_plot("x", [0, 60_000], [Line("a", [1.5, 2.5], "one"), Line("b", [0.1, 0.2], "two")], plain, plain)
    data = json.loads(html.unescape(re.search(r'data-points="([^"]*)"', svg)[1]))  # type: ignore[index]
    assert data == {
        "x": [0.0, 1.0], "n": ["a", "b"], "t": [["1970-01-01 00:00:00", "1.500", "0.100"], ["1970-01-01 00:01:00", "2.500", "0.200"]]
    }  # fmt: skip


def test_fewer_than_two_points_are_no_plot() -> None:
    assert time_plot("x", [1], [Line("a", [1.0], "one")], plain, plain) == ""
    assert histogram("x", [0.1] * 4, plain) == ""
    assert shares("x", [("a", 0.0, "0")], ["one"]) == ""


def test_a_constant_curve_is_drawn() -> None:
    drawn = points_of(time_plot("x", [0, 1], [Line("a", [5.0, 5.0], "one")], plain, plain))
    assert drawn[0][1] == drawn[1][1] and 0 <= drawn[0][1] <= HIGH


def test_thinning_keeps_the_ends_the_highest_and_the_lowest() -> None:
    values = np.random.default_rng(1).normal(0, 1, 50_000).tolist()
    values[31_234], values[7] = 99.0, -99.0
    keep = thin([values], MOST)
    assert keep[0] == 0 and keep[-1] == 49_999 and {31_234, 7} <= set(keep) and len(keep) <= MOST + 3
    assert thin([[1.0, 2.0]], MOST) == [0, 1]


@given(low=st.floats(-1e9, 1e9), width=st.floats(0, 1e9))
def test_an_axis_covers_its_values_in_round_steps(low: float, width: float) -> None:
    ticks = axis(low, low + width)
    assert 2 <= len(ticks) <= 13
    slack = 1e-6 * max(abs(low), abs(low + width), 1e-6)
    assert ticks[0] <= low + slack and ticks[-1] >= low + width - slack
    steps = np.diff(ticks)
    assert steps == pytest.approx(np.full(len(steps), steps[0]), rel=1e-3)


def test_a_histogram_counts_every_value() -> None:
    values = np.random.default_rng(3).normal(0, 0.01, 200).tolist()
    counted = [int(n) for n in re.findall(r": (\d+)</title>", histogram("days", values, plain))]
    assert sum(counted) == 200 and len(counted) % 2 == 1


def test_shares_fill_the_bar_by_size() -> None:
    svg = shares("Costs", [("Fees", 30.0, "30"), ("Funding", -10.0, "-10")], ["one", "two"])
    assert [float(w) for w in re.findall(r' width="([\d.]+)"', svg)] == [750.0, 250.0]


def test_labels_of_shares_are_short() -> None:
    assert [percent_mark(v) for v in (0.0, -0.0, 0.05, -0.125, 0.30000000000000004)] == ["0%", "0%", "5%", "-12.5%", "30%"]
