"""Factors in plain English: what everybody has a name for is called by it, and no graph makes a page."""

import re

import pytest

from strategies.factors import Node, call, const, field, parse
from strategies.factors.describe import LONGEST, describe
from strategies.factors.graph import number_text
from strategies.factors.operators import OPERATORS, Operator
from strategies.factors.phrases import CLAIMS, INDICATORS, INFIX, NOUNS, PHRASES

HOUR = 3_600_000
FIELDS = ("open", "high", "low", "close", "volume", "turnover", "funding_rate")


def said(text: str, timeframe: int = HOUR) -> str:
    return describe(parse(text, timeframe=timeframe, fields=FIELDS, units=False), timeframe)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("close", "the close"),
        ("funding_rate", "funding rate"),
        ("vwap", "the VWAP"),
        ("momentum_5d * log(volume_ratio + 1)",
         "the close's change over 5 days, times the logarithm of ((volume over its 20-bar mean) plus 1)"),
        ("(close - sma(close, 20)) / std(close, 20)", "the 20-bar z-score of the close"),
        ("sign(close - high_20d)", "whether the close is above (1) or below (-1) the 20-day high"),
        ("close > open and volume > 0 ? 1 : -1", "(1 where the close is above the open and volume is above 0, else -1)"),
        ("realized_vol_10d", "the 10-day standard deviation of the close's change over 1 bar, annualised"),
        ("delta(close, 3)", "the close's move over 3 bars"),
        ("close / delay(close, 3)", "the close over its value 3 bars ago"),
        ("delay(close + open, 3)", "(the close plus the open) 3 bars ago"),
        ("delay(ts_mean(close, 5), 3)", "(the 5-bar mean of the close) 3 bars ago"),
        ("close < 5", "whether the close is below 5"),
        ("ts_mean(close > open, 10)", "the share of 10 bars in which the close is above the open"),
        ("(close + high + low) / 3", "the typical price"),
        ("ts_max(high, 9) - ts_min(low, 9)", "the 9-bar range"),
        ("ts_max(close, 9) - ts_min(close, 9)", "the 9-bar range of the close"),
        ("ts_count(close > open, 10)", "in how many of 10 bars the close is above the open"),
        ("ts_corr(close, volume, 48)", "the 2-day correlation of the close and volume"),
        ("not (close == open)", "whether not (the close equals the open)"),
        ("rank(-close)", "the rank across symbols of (minus the close)"),
        ("1 - (close - open) * 2", "1 minus ((the close minus the open) times 2)"),
    ],
)  # fmt: skip
def test_a_factor_is_said_in_words(text: str, words: str) -> None:
    assert said(text) == words


def test_windows_are_days_and_hours_where_they_are() -> None:
    assert said("ts_mean(close, 5d)", 86_400_000) == "the 5-day mean of the close"
    assert said("ts_mean(close, 240)", 60_000) == "the 4-hour mean of the close"
    assert said("ts_mean(close, 241)", 60_000) == "the 241-bar mean of the close"


def an_example(row: Operator) -> Node:
    """The operator over fields, with parameters that it takes."""
    wanted = {"window": 20, "known": 5, "low": -1.0, "high": 1.0, "q": 0.5, "factor": 0.5}
    numbers = [wanted.get(p.name, 3 if p.default is None else p.default) for p in row.params]
    return call(row.name, *(field(name) for name in FIELDS[: row.series]), *numbers)


@pytest.mark.parametrize("row", [row for row in OPERATORS.values() if row.means is None], ids=lambda row: row.name)
def test_every_operator_that_can_stand_in_a_graph_has_a_phrase(row: Operator) -> None:
    tables = [NOUNS, PHRASES, INFIX, CLAIMS, {"neg": "minus"}]
    assert sum(row.name in table for table in tables) == 1
    words = describe(an_example(row), HOUR)
    assert "{" not in words and words.count("(") == words.count(")")
    if row.name != "ta_sar":  # said of high and low, whatever it is given
        assert "the open" in words


@pytest.mark.parametrize("name", INDICATORS)
def test_an_indicator_over_the_bar_is_recognised_by_its_definition(name: str) -> None:
    row = OPERATORS[name]
    windows = (14, 5)[: len(row.params)]
    node = call(name, *(field(f) for f in INDICATORS[name]), *windows)
    words = describe(node, HOUR)
    assert words == re.sub(r"\{n\}", f"{windows[0] if windows else 0}-bar", PHRASES[name])
    assert describe(call("add", node, field("open")), HOUR).count(words) == 1


def test_no_phrase_is_of_an_operator_that_never_stands_in_a_graph() -> None:
    made = {name for name, row in OPERATORS.items() if row.means is not None}
    assert sorted(made & ({*NOUNS, *PHRASES, *INFIX, *CLAIMS} - set(INDICATORS))) == []
    assert set(INDICATORS) <= made


def test_what_a_large_graph_uses_often_gets_a_name() -> None:
    lines = ["a0 = ts_mean(close, 3) - open", *(f"a{i + 1} = a{i} * (a{i} + {i})" for i in range(12)), "a12"]
    words = said("\n".join(lines))
    assert words.startswith("(K plus 11) times K; where A is ")
    assert len(words) <= LONGEST


def test_what_lies_too_deep_is_counted() -> None:
    node = field("close")
    for i in range(200):
        node = call("add", call("mul", node, const(i + 2)), call("ts_mean", field("volume"), i + 1))
    words = describe(node, HOUR)
    assert len(words) <= LONGEST
    assert "a formula of " in words


def test_unknown_is_said_for_a_constant_that_is_not_known() -> None:
    assert describe(call("where", call("gt", field("close"), 1), field("open"), const(float("nan"))), HOUR).endswith("else unknown)")
    assert number_text(0.5) in said("close * 0.5")


def test_a_comparison_that_counts_as_0_where_it_is_not_known_is_said_as_what_holds() -> None:
    assert said("where(nan_to(close > open, 0), 1, -1)") == "(1 where the close is above the open, else -1)"
    assert said("where(nan_to(close > open, 0) and not nan_to(volume > 5, 0), 1, 0)") == (
        "(1 where the close is above the open and not (volume is above 5), else 0)"
    )
    assert "is not known" in said("where(nan_to(close > open, 1), 1, -1)"), "there unknown counts as true"
    assert said("nan_to(close > open, 0)") == "(whether the close is above the open), or 0 where it is not known"


def test_a_window_that_one_value_fills_is_said_in_the_singular() -> None:
    assert said("roll_mean(close, 20, 1)") == "the 20-bar mean from 1 bar on of the close"
    assert said("roll_mean(close, 20, 11)") == "the 20-bar mean from 11 bars on of the close"


def test_a_number_in_two_parts_is_said_as_one() -> None:
    assert describe(call("mul", field("close"), call("add", const(3.14159265359), const(-2.0694557179e-13))), HOUR) == (
        "3.141592653589793 times the close"
    )
