"""docs/store.md says what the schema says: every table and column, in order, with its type; and its queries run."""

import re
import sqlite3
from pathlib import Path

import pytest

from bot.store.chain import LINKED
from bot.store.migrations import RUN_TABLES
from bot.store.store import Market, Store
from tests.bot.store.building import decision, journal, order

PAGE = (Path(__file__).parents[3] / "docs" / "store.md").read_text()


def documented(page: str) -> dict[str, list[tuple[str, str, bool]]]:
    """table -> (column, type, may be null)"""
    found: dict[str, list[tuple[str, str, bool]]] = {}
    for section in page.split("\n### ")[1:]:
        name, _, body = section.partition("\n")
        rows = re.findall(r"^\| (\w+) \| (TEXT|INTEGER|REAL|BLOB) \|( null)? \| .+ \|$", body, re.MULTILINE)
        found[name] = [(column, kind, bool(null)) for column, kind, null in rows]
    return found


def built(conn: sqlite3.Connection) -> dict[str, list[tuple[str, str, bool]]]:
    names = [name for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
    return {
        name: [(column, kind, not (required or key)) for _, column, kind, required, _, key in conn.execute(f"PRAGMA table_info({name})")]
        for name in names
    }


def test_page_and_schema_are_the_same() -> None:
    assert documented(PAGE) == built(Store.open().conn) | built(Market.open().conn)


def test_every_column_has_a_meaning() -> None:
    assert not re.findall(r"^\| \w+ \| (?:TEXT|INTEGER|REAL|BLOB) \|(?: null)? \|\s*\|$", PAGE, re.MULTILINE)


def test_page_names_the_values_of_the_chain_in_order() -> None:
    assert " ".join(LINKED) in " ".join(PAGE.split())


def test_every_table_with_a_run_is_cleared_with_its_run() -> None:
    with_run = {name for name, columns in built(Store.open().conn).items() if columns[0][0] == "run" or columns[1][0] == "run"}
    assert with_run == set(RUN_TABLES)


@pytest.mark.parametrize("query", [query for block in re.findall(r"```sql\n(.+?)```", PAGE, re.DOTALL) for query in block.split(";")[:-1]])
def test_queries_of_the_page_run(query: str) -> None:
    books = journal(Store.open())
    with books.store.transaction():
        books.write(order(), books.write(decision(), 0))
    assert books.store.conn.execute(query).description
