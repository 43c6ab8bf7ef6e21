"""A store in memory that makes rows when somebody asks: what it holds does not depend on when that is."""

from typing import Any

import pytest

from bot.store.journal import Journal
from bot.store.runs import Run, begin
from bot.store.store import Store
from tests.bot.store import building
from tests.builders import START

TABLES = ("decisions", "orders", "updates", "fills", "signals", "runs")


def books(*, defer: bool) -> Journal:
    store = Store.open(defer=defer)
    begin(store, Run(id="r1", mode="replay", started_ms=START, symbols=("BTCUSDT",)))
    return Journal(store, "r1", record=building.record, keep_inputs=False, merge_repeats=True)


def trade(journal: Journal, row: int) -> None:
    """A decision, and every third time an order that fills at once."""
    cause = journal.write(building.decision(row=row, score=row / 100), 0)
    if row % 3 == 0:
        journal.write(building.order(f"v1-{row}-1", row), cause)
        journal.write(building.update(f"v1-{row}-1"), cause)
        journal.write(building.fill(f"e{row}", order_id=f"v1-{row}-1"), cause)


def rows(journal: Journal) -> dict[str, list[Any]]:
    return {table: journal.store.conn.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall() for table in TABLES}


@pytest.mark.parametrize("asked", [(), (0,), (3, 4), (1, 6, 9)])
def test_the_rows_are_those_of_a_store_that_writes_at_once(asked: tuple[int, ...]) -> None:
    at_once, late = books(defer=False), books(defer=True)
    for row in range(10):
        for journal in (at_once, late):
            with journal.store.transaction():
                trade(journal, row)
        if row in asked:
            assert rows(late) == rows(at_once)
            assert late.chain == at_once.chain
    for journal in (at_once, late):
        journal.finish("finished", START + 1)
    assert late.waiting > 0
    assert rows(late) == rows(at_once)
    assert late.waiting == 0
    assert late.chain == at_once.chain
    assert late.digest() == at_once.digest()


def test_asking_within_a_transaction_shows_what_was_kept_before_it_and_not_what_is_under_way() -> None:
    journal = books(defer=True)
    with journal.store.transaction():
        trade(journal, 0)
    with journal.store.transaction():
        trade(journal, 3)
        assert [row[0] for row in journal.store.conn.execute("SELECT exec_id FROM fills")] == ["e0"]
    assert [row[0] for row in journal.store.conn.execute("SELECT exec_id FROM fills ORDER BY seq")] == ["e0", "e3"]


def test_a_transaction_that_fails_takes_back_its_own_rows_alone() -> None:
    journal = books(defer=True)
    with journal.store.transaction():
        trade(journal, 0)
    with pytest.raises(ZeroDivisionError), journal.store.transaction():
        trade(journal, 3)
        raise ZeroDivisionError
    assert [row[0] for row in journal.store.conn.execute("SELECT exec_id FROM fills")] == ["e0"]


def test_it_writes_before_it_holds_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.store.MOST_WAITING", 5)
    journal = books(defer=True)
    for row in range(9):
        with journal.store.transaction():
            trade(journal, row)
        assert journal.waiting <= 5
