"""The chain finds what was changed, taken out, put in or moved, and says where."""

import hashlib
import time

import msgspec
import pytest

from bot.store.chain import LINKED, verify_chain
from bot.store.journal import Journal
from bot.store.store import Store
from strategies.events import Contribution
from tests.bot.store.building import NAN, decision, journal

TEXT, BLOB = {"symbol", "side", "reason"}, {"contributions", "digest"}


@pytest.fixture
def books() -> Journal:
    """Nine decisions, numbers 1 to 9, in a finished run."""
    books = journal(Store.open())
    with books.store.transaction():
        for row in range(9):
            aim = 0.25 if row % 3 == 1 else NAN
            books.write(decision(row=row, contributions=(Contribution("f1", 0.5, 1.0, 0.25, 0.125),), target=aim), 0)
    books.finish("finished", 1)
    return books


def test_chain_that_nobody_touched_is_whole(books: Journal) -> None:
    assert verify_chain(books.store.conn, "r1") == (9, None, "")


@pytest.mark.parametrize("column", LINKED)
def test_change_of_any_value_is_found_at_its_row(books: Journal, column: str) -> None:
    to = "'x'" if column in TEXT else "x'00'" if column in BLOB else "bar_ms + 1" if column == "bar_ms" else "-7"
    books.store.conn.execute(f"UPDATE decisions SET {column} = {to} WHERE seq = 5")
    found = verify_chain(books.store.conn, "r1")
    assert found.broken == (-7 if column == "seq" else 5)
    assert found.rows == 5


@pytest.mark.parametrize("change", ["UPDATE signals SET names = '[\"f2\"]'", "DELETE FROM signals", "UPDATE decisions SET signals = 2"])
def test_signals_under_other_names_are_found(books: Journal, change: str) -> None:
    books.store.conn.execute(change)
    assert verify_chain(books.store.conn, "r1").broken == 1


def test_value_that_became_unknown_is_found(books: Journal) -> None:
    books.store.conn.execute("UPDATE decisions SET score = NULL WHERE seq = 5")
    assert verify_chain(books.store.conn, "r1").broken == 5


def test_row_that_was_taken_out_is_missed_by_the_next(books: Journal) -> None:
    books.store.conn.execute("DELETE FROM decisions WHERE seq = 5")
    found = verify_chain(books.store.conn, "r1")
    assert found.broken == 6
    assert "between D-4 and D-6" in found.detail


def test_rows_taken_off_the_end_of_a_finished_run_are_missed(books: Journal) -> None:
    books.store.conn.execute("DELETE FROM decisions WHERE seq > 7")
    found = verify_chain(books.store.conn, "r1")
    assert (found.broken, found.detail) == (7, "rows after D-7 were taken out")


def test_rows_that_were_exchanged_are_found(books: Journal) -> None:
    conn = books.store.conn
    conn.execute("UPDATE decisions SET id = 99 WHERE seq = 3")
    conn.execute("UPDATE decisions SET id = 3 WHERE seq = 4")
    conn.execute("UPDATE decisions SET id = 4 WHERE seq = 3")
    assert verify_chain(conn, "r1").broken == 4


def test_row_with_a_link_of_its_own_making_is_found(books: Journal) -> None:
    conn = books.store.conn
    conn.execute("UPDATE decisions SET side = 'LONG', chain = ? WHERE seq = 5", (bytes(32),))
    assert verify_chain(conn, "r1").broken == 5


def test_chain_is_as_its_description_says(books: Journal) -> None:
    link = bytes(32)
    for chained, *row in books.store.conn.execute(f"SELECT chain, {', '.join(LINKED)} FROM decisions ORDER BY id"):
        *linked, target = row
        linked += [] if target is None else [target]
        link = hashlib.sha256(link + msgspec.msgpack.encode(linked) + b'["f1"]').digest()
        assert chained == link


def test_runs_have_chains_of_their_own() -> None:
    store = Store.open()
    one, two = journal(store, "r1"), journal(store, "r2")
    for row in range(4):
        with store.transaction():
            one.write(decision(row=row), 0)
            two.write(decision(row=row, score=row / 8), 0)
    assert verify_chain(store.conn, "r1") == verify_chain(store.conn, "r2") == (4, None, "")


def test_a_million_rows_would_be_walked_in_ten_seconds() -> None:
    books = journal(Store.open())
    parts = tuple(Contribution(f"factor_{k}", 0.1 + k, 0.5, 0.1, 0.0123456789) for k in range(5))
    with books.store.transaction():
        for row in range(20_000):
            books.write(decision(row=row, contributions=parts), 0)
    best = 60.0
    for _ in range(5):
        begun = time.process_time()
        assert verify_chain(books.store.conn, "r1").rows == 20_000
        best = min(best, time.process_time() - begun)
    assert best * 50 < 10.0
