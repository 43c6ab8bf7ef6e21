"""Text to graph: what is read, what it means, and what is refused with its code and place."""

import string
import subprocess
import sys
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategies.errors import FactorError
from strategies.factors import Node, parse
from strategies.factors.dialects import DERIVED, DIALECTS
from strategies.factors.operators import OPERATORS

HOUR = 3_600_000
FIELDS = ("open", "high", "low", "close", "volume", "turnover", "funding_rate", "open_interest", "sentiment_news")


def read(text: str, timeframe: int = HOUR) -> Node:
    return parse(text, timeframe=timeframe, fields=FIELDS)


def refusal(text: str) -> FactorError:
    with pytest.raises(FactorError) as caught:
        read(text)
    return caught.value


SAME = [
    ("$close / $open - 1", "close / open - 1"),
    ("SMA(Close, 20) / Std(CLOSE, 20)", "ts_mean(close, 20) / ts_std(close, 20)"),
    ("close^2", "close ** 2"),
    ("-close ** 2", "-(close ** 2)"),
    ("close > open && volume > 3 || !(close > high)", "((close > open) and (volume > 3)) or (not (close > high))"),
    ("close > open ? 1 : -1", "where(close > open, 1, -1)"),
    ("close > open ? volume > 1 ? 1 : 2 : close < low ? 3 : 4", "where(close > open, where(volume > 1, 1, 2), where(close < low, 3, 4))"),
    ("max(close > open ? close : open, high)", "max(where(close > open, close, open), high)"),
    ("close if close > open else open", "where(close > open, close, open)"),
    ("if(close > open, 1, 0)", "where(close > open, 1, 0)"),
    ("AND(close > open, close > low)", "close > open and close > low"),
    ("max(close, open, high)", "max(max(close, open), high)"),
    ("volume * close", "close * volume"),
    ("close < open", "open > close"),
    ("2 * 3 * close", "close * 6"),
    ("close - -2", "close + 2"),
    ("+close", "close"),
    ("close * .5 + 1e-3", "close * 0.5 + 0.001"),
    ("-(-close)", "close"),
    ("ts_mean(close, 4h)", "ts_mean(close, 4)"),
    ("ts_mean(close, 5d)", "ts_mean(close, 120)"),
    ("delta(close, 1)", "close - delay(close, 1)"),
    ("pct_change(close, 3)", "close / delay(close, 3) - 1"),
    ("ts_count(close > open, 9)", "ts_sum((close > open) != 0, 9)"),
    ("rank(close, 20)", "ts_rank(close, 20)"),
    ("zscore(volume, 20)", "ts_zscore(volume, 20)"),
    ("scale(close)", "scale(close, 1)"),
    ("momentum_5d", "close / delay(close, 120) - 1"),
    ("momentum_5", "close / delay(close, 5) - 1"),
    ("return_3", "momentum_3"),
    ("returns", "momentum_1"),
    ("realized_vol_10", "ts_std(returns, 10) * 8760 ** 0.5"),
    ("volume_ratio", "volume / ts_mean(volume, 20)"),
    ("volume_ratio_5d", "volume / ts_mean(volume, 120)"),
    ("avg_volume_7", "ts_mean(volume, 7)"),
    ("adv20", "ts_mean(volume, 20)"),
    ("volume_zscore", "ts_zscore(volume, 20)"),
    ("zscore_20d", "ts_zscore(close, 480)"),
    ("rsi_14", "RSI(close, 14)"),
    ("sma_9 - ema_9", "ts_mean(close, 9) - ema(close, 9)"),
    ("high_20 - low_20", "ts_max(high, 20) - ts_min(low, 20)"),
    ("close_lag_3", "delay(close, 3)"),
    ("vwap", "where(is_nan(turnover / volume), (high + low + close) / 3, turnover / volume)"),
    ("a = ts_mean(close, 5)\nb = a / open\n\nb - 1", "ts_mean(close, 5) / open - 1"),
    ("a = ts_mean(close,\n  5)\r\nfactor = a / open", "ts_mean(close, 5) / open"),
]


@pytest.mark.parametrize(("text", "plain"), SAME, ids=[a for a, _ in SAME])
def test_two_ways_to_say_it_are_one_factor(text: str, plain: str) -> None:
    assert read(text) is read(plain)


@pytest.mark.parametrize("text", [a for a, _ in SAME])
def test_canonical_text_reads_back_to_the_same_node(text: str) -> None:
    node = read(text)
    assert read(node.text) is node


REFUSED = [
    ("close.__class__", "syntax", 1, 6), ("().__class__.__mro__[1]", "syntax", 1, 3), ("import os", "syntax", 1, 1),
    ("lambda x: x", "syntax", 1, 1), ("x := close", "syntax", 1, 3), ("[x for x in close]", "syntax", 1, 1),
    ("abs(*close)", "syntax", 1, 5), ("ts_mean(*close, 5)", "syntax", 1, 9), ("close[0]", "syntax", 1, 6),
    ("f'{close}'", "constant", 1, 2), ("yield close", "syntax", 1, 1), ("'os'", "constant", 1, 1), ("True", "constant", 1, 1),
    ("None", "constant", 1, 1), ("1j", "constant", 1, 1), ("...", "syntax", 1, 1), ("eval", "unknown_name", 1, 1),
    ("__import__", "syntax", 1, 1), ("future_return", "unknown_name", 1, 1), ("label", "unknown_name", 1, 1),
    ("close + closee", "unknown_name", 1, 9), ("open_price", "unknown_name", 1, 1), ("ts_meen(close, 5)", "unknown_name", 1, 1),
    ("delay(close, -1)", "look_ahead", 1, 14), ("delta(close, -1)", "look_ahead", 1, 14),
    ("1 + shift(close, -3)", "look_ahead", 1, 18), ("lead(close, 1)", "look_ahead", 1, 1),
    ("bfill(close)", "look_ahead", 1, 1), ("interpolate(close)", "look_ahead", 1, 1), ("close - mean(close)", "look_ahead", 1, 9),
    ("std(close)", "look_ahead", 1, 1), ("ts_rank(close)", "look_ahead", 1, 1), ("delay(close, 0)", "window", 1, 14),
    ("ts_mean(close, 0)", "window", 1, 16), ("ts_mean(close, -2)", "window", 1, 16), ("ts_mean(close, 0.5)", "window", 1, 16),
    ("ts_mean(close, True)", "constant", 1, 16), ("ts_mean(close, nan)", "constant", 1, 16), ("ts_mean(close, inf)", "constant", 1, 16),
    ("ts_mean(close, 1e9)", "window", 1, 1), ("ts_mean(close, 2 * 5)", "window", 1, 16), ("ts_mean(close, volume)", "window", 1, 16),
    ("ts_std(close, 1)", "window", 1, 15), ("sma(close, 10 ** 7)", "window", 1, 12), ("sma(close, 100002)", "window", 1, 1),
    ("ts_mean(ts_mean(close, 60000), 60000)", "window", 1, 1), ("ts_mean(close, 30m)", "window", 1, 16),
    ("ts_mean(close, 90m)", "window", 1, 16), ("momentum_0", "window", 1, 1), ("close + 1.2345678901234", "constant", 1, 9),
    ("close * 1e999", "constant", 1, 9), ("close + 1e10", "constant", 1, 9), ("close + 1234567890123456789", "constant", 1, 9),
    ("close + 1e9 * 10", "constant", 1, 9), ("close / (1 - 1) * (1 / 0)", "constant", 1, 20), ("close ** volume", "constant", 1, 1),
    ("close ** 5", "constant", 1, 1), ("2 ** close", "constant", 1, 1), ("9 ** 9 ** 9", "constant", 1, 6), ("1 + 1", "constant", 1, 1),
    ("close // 2", "syntax", 1, 8), ("close % 2", "syntax", 1, 7), ("close @ 2", "syntax", 1, 7), ("close & open", "syntax", 1, 7),
    ("~close", "syntax", 1, 1), ("1 < close < 2", "syntax", 1, 1), ("close is open", "syntax", 1, 7), ("close in open", "syntax", 1, 7),
    ("ts_mean(close, 5, 6)", "arity", 1, 1), ("ts_mean(close, window=5)", "arity", 1, 1), ("abs()", "arity", 1, 1),
    ("clip(close, open, high)", "constant", 1, 13), ("close + volume", "units", 1, 1), ("close > volume", "units", 1, 1),
    ("max(close, turnover)", "units", 1, 1), ("cl\u043ese", "text", 1, 3), ("\uff45val", "text", 1, 1), ("close\0", "text", 1, 6),
    ("\ufeffclose", "text", 1, 1), ("close # why", "text", 1, 7), ("a = close\nb = a \u202e", "text", 2, 7),
    ("close,volume", "syntax", 1, 1), ("", "syntax", 1, 1), (" \n\t\n", "syntax", 1, 1), ("(close", "syntax", 1, 1),
    ("close)", "syntax", 1, 6), ("close ? open", "syntax", 1, 7), ("close open", "syntax", 1, 7), ("close; open", "syntax", 1, 6),
    ("a = close\nopen\nb = a", "syntax", 2, 1), ("close = open", "syntax", 1, 1), ("a = open\na = close", "syntax", 2, 1),
    ("a =", "syntax", 1, 1), ("a = close +\nb = a", "syntax", 1, 11), ("ts_mean(close, 5)(3)", "syntax", 1, 1),
    ("a = open\nb = a + volume", "units", 2, 5), ("x = y\ny = close", "unknown_name", 1, 5), ("ts_mean(close, 5x)", "constant", 1, 16),
    ("close == 'a'", "constant", 1, 10), ("{close}", "syntax", 1, 1), ("global close", "syntax", 1, 1),
    ("close.shift(-1)", "syntax", 1, 6),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "line", "column"), REFUSED, ids=[ascii(row[0]) for row in REFUSED])
def test_a_wrong_text_is_refused_with_its_code_and_place(text: str, code: str, line: int, column: int) -> None:
    wrong = refusal(text)
    assert (wrong.code, wrong.line, wrong.column) == (code, line, column), str(wrong)
    assert "Traceback" not in str(wrong)


HOSTILE = [
    "-" * 2000 + "close", "not " * 500 + "close", "(" * 1500, "(" * 60 + "close" + ")" * 60, "1+" * 900 + "1", "f(" * 600,
    "close.b" * 250, "a?" * 600, "a?b:" * 500 + "c", "[" * 2000, "close" + "+close" * 300, "abs(" * 40 + "close" + ")" * 40, "1" * 2000,
    "close" * 1000, "x0=close\n" + "\n".join(f"x{i + 1}=x{i}*x{i}" for i in range(60)), "9**" * 600 + "9", "\n" * 2000, "a=" * 900,
    "close" + "\\\n" * 900, "\0" * 100, "ts_mean(" * 30 + "close" + ",99999)" * 30, "x" * 2048, "x" * 2049, "lambda:" * 200, "f()" * 500,
    "close if " * 200, ":?" * 900, "?:" * 900,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_is_refused_at_once(text: str) -> None:
    began = time.process_time()
    try:
        read(text)
    except FactorError as refused:
        assert refused.line >= 1
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("thing", [b"close", None, 5, ["close"]])
def test_what_is_no_text_is_refused(thing: object) -> None:
    with pytest.raises(FactorError, match="text"):
        parse(thing, timeframe=HOUR, fields=FIELDS)  # type: ignore[arg-type]


WORDS = [
    *OPERATORS, *FIELDS, *(d.stem + "5" for d in DERIVED), "(", ")", ",", "+", "-", "*", "/", "**", "^", ">", "<", "==", "&&", "||", "!",
    "?", ":", "=", "\n", " ", "1", "20", "0.5", "4h", "1e9", "if", "else", "and", "not", "$", "lambda", ".", "[", "#", "'", "\\\n",
]  # fmt: skip


SENTENCES = st.lists(st.sampled_from(WORDS), max_size=25)


@settings(max_examples=1500)
@given(text=st.one_of(st.text(max_size=60), st.text(string.printable, max_size=60), SENTENCES.map(" ".join), SENTENCES.map("".join)))
@example("a=\\\n")
def test_any_text_becomes_a_factor_or_a_factor_error(text: str) -> None:
    try:
        node = read(text)
    except FactorError as refused:
        assert refused.code in {"look_ahead", "unknown_name", "arity", "window", "units", "size", "syntax", "constant", "text"}
    else:
        assert read(node.text) is node


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    assert "funding_rate" in refusal("ts_mean(fundng_rate, 8)").suggestion
    assert "ts_mean" in refusal("ts_maen(close, 8)").suggestion


def test_units_can_be_turned_off() -> None:
    assert parse("close + volume", timeframe=HOUR, fields=FIELDS, units=False).text == "close + volume"


def test_a_field_of_the_feeds_comes_before_a_derived_name() -> None:
    assert parse("vwap", timeframe=HOUR, fields=("close", "vwap")).text == "vwap"


def test_a_feed_without_turnover_has_the_typical_price_for_vwap() -> None:
    assert parse("vwap", timeframe=HOUR, fields=("high", "low", "close")) is read("(high + low + close) / 3")


def test_a_dialect_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FactorError, match="sluice"):
        parse("close", dialect="klingon", timeframe=HOUR, fields=FIELDS)


def test_the_language_is_the_same_when_python_leaves_assertions_out() -> None:
    says = "from strategies.factors.dialects import DIALECTS; print(len(DIALECTS['sluice'].table))"
    done = subprocess.run([sys.executable, "-O", "-c", says], capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(DIALECTS['sluice'].table)}\n"


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("mean(close)", "write ts_mean(x, 20), or cs_mean(x) across symbols"),
        ("max(close)", "write ts_max(x, 20), or cs_max(x) across symbols"),
        ("quantile(close, 0.9)", "write ts_quantile(x, 20, 0.9)"),
        ("ts_sum(close)", "write ts_sum(x, 20)"),
        ("ema(close, span=20)", "write ema(x, 20), not ema(x, window=20)"),
        ("close.shift(1)", "write fields and operators: close, and delay(close, 1) for close.shift(1)"),
        ("close \u2212 open", "write - for it"),
        ("close\u200b", "leave it out"),
        ("close # now", "leave it out"),
    ],
)
def test_what_models_write_is_answered_with_how_it_is_said_here(text: str, suggestion: str) -> None:
    with pytest.raises(FactorError) as caught:
        parse(text, timeframe=60_000, fields=("close", "open"))
    assert caught.value.suggestion == suggestion
