"""How words on the command line become values."""

import click
import pytest
from click.testing import CliRunner

from bot.commands.options import Command, Instant, Many, Span, spread


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["--c", "a", "b", "--json"], ["--c", "a", "--c", "b", "--json"]),
        (["--c", "a,b", "--x", "1"], ["--c", "a,b", "--x", "1"]),
        (["--x", "1", "2"], ["--x", "1", "2"]),
        (["--c=a", "b"], ["--c=a", "b"]),
        (["--c", "a", "--c", "b", "c"], ["--c", "a", "--c", "b", "--c", "c"]),
        ([], []),
    ],
)
def test_a_greedy_option_takes_every_word_up_to_the_next_option(words: list[str], out: list[str]) -> None:
    assert spread(words, {"--c": Many}) == out


@click.command(cls=Command, examples=("it --c a",))
@click.option("--c", cls=Many)
@click.option("--at", type=Instant())
@click.option("--every", type=Span())
def it(c: tuple[str, ...], at: int | None, every: int | None) -> None:
    click.echo(repr((c, at, every)))


@pytest.mark.parametrize("words", [["--c", "a", "b", "c"], ["--c", "a,b,c"], ["--c", "a", "--c", "b, c"], ["--c", "a,", "b", "--c", "c"]])
def test_several_values_may_be_written_in_any_of_three_ways(words: list[str]) -> None:
    assert CliRunner().invoke(it, words).output == "(('a', 'b', 'c'), None, None)\n"


def test_times_and_durations_are_milliseconds() -> None:
    said = CliRunner().invoke(it, ["--at", "2024-01-01T00:00Z", "--every", "15m"]).output
    assert said == "((), 1704067200000, 900000)\n"


@pytest.mark.parametrize(
    ("words", "says"), [(["--at", "yesterday"], "'yesterday' is not a time"), (["--every", "5"], "'5' is not a duration")]
)
def test_a_wrong_time_is_refused_with_a_way_to_write_it(words: list[str], says: str) -> None:
    result = CliRunner().invoke(it, words)
    assert result.exit_code == 2
    assert says in result.output


def test_help_shows_examples_in_one_piece() -> None:
    assert "Example:\n  it --c a\n" in CliRunner().invoke(it, ["--help"]).output
