"""What must never pass as a factor: hostile, careless and ambiguous texts, each refused with its code, at a place, quickly."""

import json
from collections import Counter
from pathlib import Path
from time import process_time

import pytest

from strategies.errors import FactorError
from strategies.factors.reading import read

HOUR = 3_600_000
FIELDS = ("open", "high", "low", "close", "volume", "turnover", "funding_rate")
CORPUS = Path(__file__).parents[2] / "corpus" / "refused.jsonl"
ROWS = [json.loads(line) for line in CORPUS.read_text().splitlines()]
CODES = {"look_ahead", "unknown_name", "arity", "window", "units", "size", "syntax", "constant", "text", "ambiguous"}
GROUPS = {
    "attribute": 40, "statement": 70, "collection": 35, "constant": 45, "name": 110, "look_ahead": 90, "window": 50, "look_back": 15,
    "number": 20, "operator": 65, "arity": 40, "size": 35, "unicode": 60, "units": 20, "ambiguous": 8,
}  # fmt: skip
MOST_SECONDS = 1.0


def refusal(row: dict[str, str]) -> FactorError | None:
    """What the reader of a text from outside says to a line of the corpus; None where it lets it pass."""
    try:
        read(row.get("text", row.get("code", "")), dialect=row["dialect"], timeframe=HOUR, fields=FIELDS)
    except FactorError as error:
        return error
    return None


def test_the_corpus_has_every_group_and_every_code() -> None:
    groups = Counter(row["group"] for row in ROWS)
    assert set(groups) == set(GROUPS)
    assert {name: groups[name] for name, least in GROUPS.items() if groups[name] < least} == {}
    assert {row["refusal"] for row in ROWS} == CODES
    assert len({row["id"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("group", GROUPS)
def test_every_line_is_refused_with_its_code_at_its_place(group: str) -> None:
    wrong = {}
    for row in (r for r in ROWS if r["group"] == group):
        begin = process_time()
        error = refusal(row)
        seconds = process_time() - begin
        text = row.get("text", row.get("code", ""))
        if error is None or error.code != row["refusal"] or not error.message or seconds > MOST_SECONDS:
            wrong[row["id"]] = f"{text[:60]!r}: {error} after {seconds:.3f} s"
        elif not 1 <= error.line <= text.count("\n") + 1 or not 1 <= error.column <= longest_line(text) + 1:
            wrong[row["id"]] = f"{text[:60]!r}: line {error.line}, column {error.column} is nowhere in it"
    assert wrong == {}


def longest_line(text: str) -> int:
    return max(map(len, text.split("\n")))


def test_what_looks_ahead_says_what_to_write_instead() -> None:
    assert [row["id"] for row in ROWS if row["refusal"] == "look_ahead" and not getattr(refusal(row), "suggestion", "")] == []


@pytest.mark.parametrize("dialect", ["klingon", "python", "", "Sluice "])
def test_a_dialect_that_is_none_is_refused_by_name(dialect: str) -> None:
    with pytest.raises(FactorError) as error:
        read("close / open - 1", dialect=dialect, timeframe=HOUR, fields=FIELDS)
    assert error.value.code == "unknown_name"
    assert "sluice" in error.value.suggestion


@pytest.mark.parametrize("thing", [None, 1, 2.5, b"close", ["close"], {"text": "close"}])
@pytest.mark.parametrize("dialect", ["auto", "sluice", "pandas"])
def test_what_is_no_text_is_refused(thing: object, dialect: str) -> None:
    with pytest.raises(FactorError) as error:
        read(thing, dialect=dialect, timeframe=HOUR, fields=FIELDS)  # type: ignore[arg-type]
    assert error.value.code == "text"
