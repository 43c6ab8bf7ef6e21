"""docs/language.md says what the tables say, and its examples are factors."""

import re
from pathlib import Path

from docs import language
from strategies.factors import parse

PAGE = Path(__file__).parents[3] / "docs" / "language.md"


def test_the_page_is_made_from_the_tables_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == language.page(), "run `make docs`"


def test_its_first_examples_can_be_read() -> None:
    examples = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0].strip().split("\n")
    for text in examples:
        assert parse(text, timeframe=3_600_000, fields=("open", "high", "low", "close", "volume")).depth > 1
