"""Text for people, pipes and scripts."""

import json
from decimal import Decimal

import msgspec
import pytest

from bot.render import Out, ago, json_text, money, number, pairs, plain, signed, table
from feeds.times import DAY, HOUR, MINUTE, SECOND

HOSTILE = [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b]0;title\x07after", "after"),
    ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("\x9b2Jgone", "gone"),
    ("\x1bPq#0;2\x1b\\sixel", "sixel"),
    ("\x1bcreset", "reset"),
    ("\x1b(0lines", "lines"),
    ("bell\x07 back\x08space \x7f", "bell backspace "),
    ("two\nlines\r\nthree\tcolumns", "two lines three columns"),
    ("\u202egnp.exe", "gnp.exe"),
    ("zero\u200bwidth\ufeff", "zerowidth"),
    ("\u2028para\u2029", " para "),
    ("\ud800lone", "lone"),
    ("[bold red]markup[/]", "[bold red]markup[/]"),
    ("\x1b[", ""),
    ("\x1b", ""),
    ("Bitcoin über 60.000 €, 比特币", "Bitcoin über 60.000 €, 比特币"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_text_from_outside_cannot_steer_a_terminal(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0)])
def test_no_control_character_comes_through(code: int) -> None:
    assert chr(code) not in plain(f"a{chr(code)}b{chr(code)}")


def test_a_long_text_ends_in_an_ellipsis() -> None:
    assert plain("x" * 1000, 10) == "x" * 9 + "…"


def test_a_megabyte_of_escapes_is_cut_before_it_is_read() -> None:
    assert len(plain("\x1b[31m" * 200_000, 50)) <= 50


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (0, "0s ago"),
        (59 * SECOND, "59s ago"),
        (3 * MINUTE, "3m ago"),
        (90 * MINUTE, "1.5h ago"),
        (2 * DAY + 12 * HOUR, "2.5d ago"),
        (-4 * SECOND, "in 4s"),
    ],
)
def test_ages_are_told_in_their_largest_unit(age: int, text: str) -> None:
    now = 1_700_000_000_000
    assert ago(now - age, now) == text


def test_numbers_keep_their_digits_and_unknown_is_not_zero() -> None:
    assert number(Decimal("61204.50")) == "61,204.5"
    assert number(0.1 + 0.2) == "0.30000000000000004"
    assert number(Decimal("1E+3")) == "1,000"
    assert money(Decimal("-1234.567")) == "-1,234.57"
    assert (money(None), money(float("nan")), signed(float("nan"))) == ("-", ".", ".")
    assert signed(-0.04) == "-0.040"


def test_the_document_keeps_every_digit_of_money_and_says_null_for_unknown() -> None:
    class Thing(msgspec.Struct):
        cash: Decimal
        score: float
        names: tuple[str, ...]

    text = json_text(Thing(Decimal("10000.123456789012345678"), float("nan"), ("a", "b")))
    read = json.loads(text, parse_float=Decimal)
    assert read == {"cash": Decimal("10000.123456789012345678"), "score": None, "names": ["a", "b"]}


def test_tables_align_and_wide_letters_count_twice() -> None:
    lines = table(("SYMBOL", "PRICE"), [("BTCUSDT", "61,204.5"), ("比特", "1")], right=(1,))
    assert lines == ["SYMBOL      PRICE", "BTCUSDT  61,204.5", "比特            1"]


def test_cells_of_a_table_are_made_harmless() -> None:
    assert "\x1b" not in "\n".join(table(("A",), [("\x1b[2Jx",)]))
    assert pairs([("name", "a\nb")]) == ["name  a b"]


def test_a_pipe_gets_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    out = Out()
    out.say(out.style("loss", "red", "bold"))
    assert capsys.readouterr().out == "loss\n"


def test_with_json_text_goes_to_stderr_and_the_document_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    out = Out(as_json=True)
    out.say("words")
    out.note("aside")
    out.answer({"a": 1}, ["not shown"])
    said = capsys.readouterr()
    assert json.loads(said.out) == {"a": 1}
    assert said.err == "words\naside\n"


def test_no_color_is_respected_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Out, "terminal", lambda self: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Out().style("x", "red") == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Out().style("x", "red") == "x"
