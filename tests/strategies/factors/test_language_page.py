"""The pages of the language say what the tables say, and their examples are factors."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from docs import code, dialects, language, operators
from strategies.factors import parse
from strategies.factors.dialects import DIALECTS
from strategies.factors.operators import OPERATORS

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {"language": language, "operators": operators, "dialects": dialects, "pandas": code}
FIELDS = ("open", "high", "low", "close", "volume")


@pytest.mark.parametrize(("name", "module"), PAGES.items())
def test_a_page_is_made_from_the_tables_as_they_are(name: str, module: ModuleType) -> None:
    assert (DOCS / f"{name}.md").read_text(encoding="utf-8") == module.page(), "run `make docs`"


def test_the_first_examples_can_be_read() -> None:
    examples = re.findall(r"```text\n(.*?)```", language.page(), re.DOTALL)[0].strip().split("\n")
    for text in examples:
        assert parse(text, timeframe=3_600_000, fields=FIELDS).depth > 1


def test_the_function_that_is_shown_is_a_factor() -> None:
    from strategies.factors.pandas_code import parse_code

    shown = re.findall(r"```python\n(.*?)```", code.page(), re.DOTALL)[0]
    assert parse_code(shown, timeframe=3_600_000, fields=FIELDS).inputs() == {"close", "volume"}


def test_every_operator_and_every_rule_of_a_dialect_has_its_line() -> None:
    page = operators.page()
    assert [name for name, row in OPERATORS.items() if f"| `{operators.signature(row)}`" not in page] == []
    page = dialects.page()
    tables = [(name, means) for d in DIALECTS.values() for (name, _), means in d.table.items() if isinstance(means, tuple)]
    lines = [f"{name.rstrip('_')}({rule.left.partition('(')[2]}" for name, means in tables for rule in means]
    assert "tsdiv(x, n)" in lines and "and(x, y)" in lines
    assert [left for left in lines if f"| `{operators.cell(left)}` |" not in page] == []


def test_every_table_keeps_its_columns() -> None:
    for module in PAGES.values():
        for block in re.findall(r"(?:^\|.*\n)+", module.page(), re.MULTILINE):
            counts = {line.replace("\\|", "").count("|") for line in block.splitlines()}
            assert len(counts) == 1, block[:200]
