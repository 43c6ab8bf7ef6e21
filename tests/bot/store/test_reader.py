"""The books as they are read: found by name, filtered, counted, added up, and never written."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import CheckFailed, ConfigError, NotFound
from bot.events import Denial, Fill, FundingPaid, OrderSide, StateChanged, Status, TradingState
from bot.lock import Lock
from bot.store.books import positions, profits
from bot.store.journal import Journal
from bot.store.reader import Reader
from bot.store.rows import FillRow, FundingRow
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.times import DAY, MINUTE
from strategies.events import Reason, Side
from tests.bot.store.building import NAN, decision, fill, journal, order, record, refusal, update
from tests.builders import START, candle

ROOT = Path(__file__).parents[3]
D = Decimal


def three_runs(store: Store) -> None:
    for place, name in enumerate(("20240101-aa", "20240102-ab", "20240102-ac")):
        begin(store, Run(id=name, mode="replay", started_ms=START + place, symbols=("BTCUSDT", "ETHUSDT"), versions={"sluice": "0.1"}))


def test_run_is_found_by_id_by_the_beginning_of_it_and_as_the_last() -> None:
    store = Store.open()
    three_runs(store)
    read = Reader.of(store)
    assert read.run().id == "20240102-ac"
    assert read.run("20240101").id == "20240101-aa"
    assert read.run("20240102-ab").id == "20240102-ab"
    assert [run.id for run in read.runs()] == ["20240102-ac", "20240102-ab", "20240101-aa"]
    assert read.run().symbols == ("BTCUSDT", "ETHUSDT")
    assert read.run().versions == {"sluice": "0.1"}


def test_id_wins_over_one_that_begins_with_it() -> None:
    store = Store.open()
    for name in ("r1", "r10"):
        begin(store, Run(id=name, mode="replay", started_ms=START))
    assert Reader.of(store).run("r1").id == "r1"


@pytest.mark.parametrize(
    ("name", "says"),
    [("2024", "any of 20240101-aa, 20240102-ab, 20240102-ac"), ("x", "the newest is 20240102-ac"), ("", "no run"), ("%", "no run")],
)  # fmt: skip
def test_run_that_cannot_be_told_is_not_found(name: str, says: str) -> None:
    store = Store.open()
    three_runs(store)
    with pytest.raises(NotFound, match=says) as missing:
        Reader.of(store).run(name)
    assert missing.value.exit_code == 3


def test_store_without_runs_says_so() -> None:
    with pytest.raises(NotFound, match="holds no run yet"):
        Reader.of(Store.open()).run()


def test_run_whose_process_is_gone_was_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with Lock(path, started_ms=START):
        with Store.open(path) as store:
            journal(store)
        with Reader.open(path) as read:
            assert read.run().state == "running"
    with Reader.open(path) as read:
        assert read.run().state == "interrupted"


def test_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with Store.open(path) as store:
        journal(store)
    with Reader.open(path) as read, pytest.raises(sqlite3.OperationalError, match="readonly"):
        read._conn.execute("DELETE FROM runs")


def test_closing_a_look_leaves_the_store_open() -> None:
    store = Store.open()
    three_runs(store)
    with Reader.of(store) as read:
        read.run()
    with store.transaction():
        pass


def test_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no store .*bot\.db"):
        Reader.open(tmp_path / "bot.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("content", "says"), [(b"", "is empty"), (b"open,high,low,close\n" * 300, "not a Sluice store")])
def test_file_that_is_no_store_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "bot.db"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=says):
        Reader.open(path)


def test_store_that_was_cut_off_is_damaged_and_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    Store.open(path).close()
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(CheckFailed, match=rf"^{re.escape(str(path))} is damaged"):
        Reader.open(path)


_READS = """
import os, sys, urllib.parse  # what is imported later must be readable to nobody, too
from bot.store.reader import Reader
if os.getuid() == 0 and sys.argv[2] == "nobody":
    os.setuid(65534)
with Reader.open(sys.argv[1]) as read:
    print(read.run().id, len(list(read.decisions("r1"))), "sqlite_utils" in sys.modules, "asyncio" in sys.modules, "numpy" in sys.modules)
"""


def reads(path: Path, who: str = "me") -> str:
    done = subprocess.run([sys.executable, "-c", _READS, str(path), who], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout or done.stderr


def test_another_process_reads_while_this_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with Store.open(path) as store:
        books = journal(store)
        with store.transaction():
            books.write(decision(), 0)
        with store.transaction():
            books.write(decision(row=1), 0)
            store.conn.execute("UPDATE runs SET seed = 1")
            assert reads(path) == "r1 1 False False False\n"
        assert reads(path) == "r1 2 False False False\n"


def test_closed_store_in_a_folder_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    with Store.open(folder / "bot.db") as store:
        books = journal(store)
        with store.transaction():
            books.write(decision(), 0)
    if os.getuid() == 0:
        os.chown(folder / "bot.db", 65534, 65534)
        for above in (tmp_path, *tmp_path.parents[:4]):
            if above.name.startswith(("pytest", "popen", "test")):
                above.chmod(0o755)
    folder.chmod(0o555)
    assert reads(folder / "bot.db", "nobody") == "r1 1 False False False\n"


def written() -> Reader:
    """Ten bars of two symbols: BTC LONG with an order at row 2, refused at row 5; ETH below its threshold, but not at row 7."""
    books = journal(Store.open())
    with books.store.transaction():
        for row in range(10):
            entered = books.write(candle(row=row), 0)
            btc = books.write(decision(row=row, side=Side.LONG, reason=Reason.ABOVE_ENTRY), entered)
            reason = Reason.LOW_CONFIDENCE if row == 7 else Reason.WEAK_SCORE
            books.write(decision("ETHUSDT", row, reason=reason), entered)
            if row == 2:
                books.write(order(row=row), btc)
            if row == 5:
                books.write(refusal(row), btc)
    return Reader.of(books.store)


def test_decisions_are_filtered_by_what_they_say() -> None:
    read = written()
    assert len(list(read.decisions("r1"))) == 20
    assert len(list(read.decisions("r1", symbol="ETHUSDT"))) == 10
    assert [row.first.symbol for row in read.decisions("r1", reason="low_confidence")] == ["ETHUSDT"]
    assert len(list(read.decisions("r1", side="LONG", since=START + 9 * MINUTE))) == 2
    assert len(list(read.decisions("r1", until=START + MINUTE))) == 2
    assert [row.seq for row in read.decisions("r1", newest_first=True, limit=2)] == [32, 31]
    assert [row.seq for row in read.decisions("r1", symbol="BTCUSDT", newest_first=True, limit=2)] == [31, 28]
    assert list(read.decisions("r2")) == []


@pytest.mark.parametrize("name", ["D-8", "d-8", "8", 8])
def test_decision_is_found_by_its_number(name: str | int) -> None:
    assert written().decision("r1", name).first.bar_ms == START + 3 * MINUTE


@pytest.mark.parametrize(("name", "says"), [("D-10", r"no decision D-10; the nearest is D-9"), ("x", "write D-20931"), ("D-", "write D-")])
def test_decision_that_is_not_there_is_not_found(name: str, says: str) -> None:
    with pytest.raises(NotFound, match=says):
        written().decision("r1", name)


def test_last_decision_is_the_newest() -> None:
    assert written().decision("r1").seq == 32
    with pytest.raises(NotFound, match="decided nothing yet"):
        written().decision("r2")


def test_order_leads_back_to_its_decision() -> None:
    read = written()
    found = read.decision_of("r1", "v1-A-1")
    assert found is not None and found.seq == 8
    with pytest.raises(NotFound, match="no order 'v1-B-1'"):
        read.decision_of("r1", "v1-B-1")


def test_every_bar_and_symbol_without_a_trade_has_a_reason() -> None:
    counted = written().why_not("r1", symbol="ETHUSDT")
    assert (counted.bars, counted.traded, counted.counts) == (10, 0, {"weak_score": 9, "low_confidence": 1})
    assert list(counted.counts) == ["weak_score", "low_confidence"]


def long(books: Journal, row: int, then: Callable[[int], object] | None = None, *, filled_by: str = "") -> None:
    """A bar at which BTCUSDT decides LONG, after a fill that buys (or sells) what is held, and before what follows from it."""
    at = START + (row + 1) * MINUTE
    entered = books.write(candle(row=row), 0)
    if filled_by:
        side = OrderSide.BUY if filled_by == "buy" else OrderSide.SELL
        books.write(fill(f"e{row}", side=side, at=at), entered)
    decided = books.write(decision(row=row, side=Side.LONG, reason=Reason.ABOVE_ENTRY), entered)
    if then is not None:
        then(decided)


def test_view_that_led_to_nothing_is_explained_by_what_stood_then() -> None:
    books = journal(Store.open())
    write = books.write
    halted = StateChanged(START + 7 * MINUTE, TradingState.HALTED, "operator", "")
    active = StateChanged(START + 10 * MINUTE, TradingState.ACTIVE, "operator", "")
    with books.store.transaction():
        long(books, 0, lambda seq: write(order(row=0), seq))
        long(books, 1)  # the order is under way
        write(update(status=Status.FILLED, filled=D("0.5"), at=START + 3 * MINUTE), 0)
        long(books, 2, filled_by="buy")
        long(books, 3)
        long(books, 4, lambda seq: write(refusal(4), seq), filled_by="sell")
        long(books, 5, lambda seq: write(order("v1-A-2", 5), seq))
        write(update("v1-A-2", Status.REJECTED, at=START + 6 * MINUTE), 0)
        write(halted, 0)
        long(books, 6, lambda seq: write(refusal(6, code=Denial.HALTED), seq))
        long(books, 7)  # it was told that trading is halted
        long(books, 8)
        write(active, 0)
        long(books, 9, lambda seq: write(order("v1-A-3", 9), seq))
    counted = Reader.of(books.store).why_not("r1")
    assert (counted.bars, counted.traded) == (10, 3)
    assert counted.counts == {"D_HALTED": 3, "already_in_position": 2, "D_COOL_DOWN": 1, "D_PENDING": 1}


def test_short_view_that_a_long_only_trader_leaves_is_called_so() -> None:
    books = journal(Store.open())
    with books.store.transaction():
        books.write(decision(side=Side.SHORT, reason=Reason.BELOW_ENTRY), 0)
    assert Reader.of(books.store).why_not("r1").counts == {"long_only": 1}


@settings(max_examples=60, deadline=None)
@given(
    since=st.none() | st.integers(-2, 14), until=st.none() | st.integers(-2, 14),
    kinds=st.lists(st.integers(0, 3), min_size=1, max_size=12), turns=st.sets(st.integers(0, 11)),
)  # fmt: skip
def test_merged_rows_count_by_their_bars(since: int | None, until: int | None, kinds: list[int], turns: set[int]) -> None:
    counts = []
    reasons = (Reason.WEAK_SCORE, Reason.STALE, Reason.WEAK_SCORE, Reason.ABOVE_ENTRY)
    for merge in (False, True):
        books = journal(Store.open(), merge_repeats=merge)
        held = False
        with books.store.transaction():
            for row, kind in enumerate(kinds):
                if row in turns:
                    side = OrderSide.SELL if held else OrderSide.BUY
                    books.write(fill(f"e{row}", side=side, order_id="x", at=START + (row + 1) * MINUTE), 0)
                    held = not held
                decided = books.write(decision(row=row, side=Side.SHORT if kind == 3 else Side.HOLD, reason=reasons[kind]), 0)
                if kind == 2:
                    books.write(order(f"v1-{row}-1", row), decided)
                    books.write(update(f"v1-{row}-1", Status.REJECTED, at=START + (row + 1) * MINUTE), decided)
            books.close()
        span = [None if edge is None else START + edge * MINUTE + 1 for edge in (since, until)]
        counts.append(Reader.of(books.store).why_not("r1", since=span[0], until=span[1]))
        books.store.close()
    assert counts[0] == counts[1]


def test_orders_are_told_with_what_became_of_them() -> None:
    books = journal(Store.open())
    with books.store.transaction():
        books.write(order(), 1)
        books.write(order("v1-B-1", symbol="ETHUSDT", quantity=D("1.50")), 1)
        books.write(update(status=Status.PARTIAL, filled=D("0.2"), at=START + 5), 2)
        books.write(update("v1-B-1", Status.REJECTED), 2)
    read = Reader.of(books.store)
    assert [(row.id, row.status, str(row.quantity)) for row in read.orders("r1")] == [
        ("v1-A-1", Status.PARTIAL, "0.5"), ("v1-B-1", Status.REJECTED, "1.50")
    ]  # fmt: skip
    assert [(row.id, row.filled, row.updated_ms) for row in read.orders("r1", open_only=True)] == [("v1-A-1", D("0.2"), START + 5)]
    assert [row.id for row in read.orders("r1", symbol="ETHUSDT")] == ["v1-B-1"]


def test_state_is_active_until_something_moves_it() -> None:
    books = journal(Store.open())
    read = Reader.of(books.store)
    assert read.state("r1").state is TradingState.ACTIVE
    with books.store.transaction():
        books.write(StateChanged(START, TradingState.HALTED, "operator", "lunch"), 3)
        books.write(StateChanged(START + 1, TradingState.ACTIVE, "operator", "back"), 4)
    assert [(row.state, row.reason) for row in read.states("r1")] == [(TradingState.HALTED, "lunch"), (TradingState.ACTIVE, "back")]
    assert (read.state("r1").state, read.state("r1").by) == (TradingState.ACTIVE, "operator")


def test_equity_is_read_in_order_and_the_last_word_on_a_bar_counts() -> None:
    books = journal(Store.open())
    with books.store.transaction():
        books.equities((START + row * MINUTE, 1000.0 + row, 900.0, NAN, -0.0) for row in (2, 0, 1))
        books.equity(START, 999.5, 900.0, 100.0, -100.0)
    read = Reader.of(books.store)
    assert [point.equity for point in read.equity("r1")] == [999.5, 1001.0, 1002.0]
    assert [point.equity for point in read.equity("r1", since=START + MINUTE, until=START + MINUTE)] == [1001.0]
    last = read.last_equity("r1")
    assert last is not None and (last.equity, repr(last.gross), last.net) == (1002.0, "nan", 0.0)
    assert read.last_equity("r2") is None


def test_fills_are_bounded_by_when_they_happened() -> None:
    books = journal(Store.open())
    with books.store.transaction():
        for row in range(4):
            books.write(fill(f"e{row}", at=START + row, symbol="ETHUSDT" if row == 3 else "BTCUSDT"), 1)
    read = Reader.of(books.store)
    assert [row.fill.exec_id for row in read.fills("r1", since=START + 1, until=START + 2)] == ["e1", "e2"]
    assert [row.fill.exec_id for row in read.fills("r1", symbol="ETHUSDT")] == ["e3"]


def filled(*trades: tuple[str, str, str], symbol: str = "BTCUSDT") -> list[FillRow]:
    """(signed quantity, price, fee), a day apart."""
    rows = []
    for place, (signed, price, fee) in enumerate(trades):
        side = OrderSide.BUY if D(signed) > 0 else OrderSide.SELL
        one = fill(f"{symbol}{place}", symbol=symbol, side=side, quantity=str(abs(D(signed))), price=price, fee=fee, at=START + place * DAY)
        rows.append(FillRow(place + 1, 0, one))
    return rows


def paid(payment: str, symbol: str = "BTCUSDT", day: int = 0) -> FundingRow:
    settled = FundingPaid(START + day * DAY, symbol, START + day * DAY, 0.0001, D(1), D(100), D(payment))
    return FundingRow(99, 0, settled)


def test_position_grows_at_its_mean_price_and_shrinks_with_a_profit() -> None:
    (held,) = positions(filled(("1", "100", "0.1"), ("3", "104", "0.2"), ("-2", "110", "0.3")), [paid("0.5")])
    assert (held.quantity, held.entry, held.realised, held.fees, held.funding) == (D(2), D(103), D(14), D("0.6"), D("0.5"))
    assert (held.opened_ms, held.net) == (START, D("12.9"))


def test_flip_closes_at_a_profit_and_opens_at_the_price_of_the_fill() -> None:
    (held,) = positions(filled(("2", "100", "0"), ("-5", "90", "0")), [])
    assert (held.quantity, held.entry, held.realised, held.opened_ms) == (D(-3), D(90), D(-20), START + DAY)


def test_flat_symbol_keeps_what_it_earned() -> None:
    (flat,) = positions(filled(("-2", "100", "0.1"), ("2", "95", "0.1")), [])
    assert (flat.quantity, flat.entry, flat.realised, flat.opened_ms) == (D(0), D(0), D(10), None)


def test_profit_by_day_and_by_symbol_is_the_same_money() -> None:
    fills = filled(("1", "100", "1"), ("-1", "120", "1")) + filled(("2", "50", "1"), ("-1", "40", "1"), symbol="ETHUSDT")
    funding = [paid("0.25"), paid("-0.5", "ETHUSDT", day=2)]
    by_day, by_symbol = profits(fills, funding, "day"), profits(fills, funding, "symbol")
    assert [row.key for row in by_day] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert [(row.key, row.realised, row.net, row.fills, row.traded) for row in by_symbol] == [
        ("BTCUSDT", D(20), D("17.75"), 2, D(220)), ("ETHUSDT", D(-10), D("-11.5"), 2, D(140))
    ]  # fmt: skip
    assert sum(row.net for row in by_day) == sum(row.net for row in by_symbol) == D("6.25")
    with pytest.raises(ValueError, match="by day and by symbol"):
        profits(fills, funding, "week")


amounts = st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 10_000))


@given(trades=st.lists(amounts, max_size=30), mark=st.integers(1, 10_000))
def test_what_was_realised_and_what_is_held_account_for_all_cash(trades: list[tuple[int, int]], mark: int) -> None:
    fills = filled(*((str(D(quantity) / 10), str(D(price) / 100), "0") for quantity, price in trades))
    (held,) = positions(fills, []) or positions(filled(("1", "1", "0"), ("-1", "1", "0")), [])
    cash = sum((D(-quantity) / 10 * (D(price) / 100) for quantity, price in trades), D(0))
    price = D(mark) / 100
    assert held.quantity == sum(quantity for quantity, _ in trades) / D(10)
    assert abs(cash + held.quantity * price - (held.realised + held.quantity * (price - held.entry))) < D("1e-18")


def test_books_of_a_file_and_of_memory_read_alike(tmp_path: Path) -> None:
    answers = []
    for path in (str(tmp_path / "bot.db"), ":memory:"):
        with Store.open(path) as store:
            books = journal(store)
            with store.transaction():
                sold: Fill = fill("e2", side=OrderSide.SELL, price="103.5", quantity="0.25", at=START + 1)
                for event in (decision(), order(), fill(), sold):
                    books.write(event, 0)
            read = Reader.of(store)
            answers.append((read.positions("r1"), read.pnl("r1"), read.orders("r1"), read.why_not("r1"), repr(list(read.decisions("r1")))))
    assert answers[0] == answers[1]


def test_journal_of_a_resumed_run_needs_its_record() -> None:
    books = Journal(Store.open(), "r1", record=record, keep_inputs=False, merge_repeats=True)
    with pytest.raises(AssertionError, match="begun again, not resumed"):
        books.resume()


def test_an_amount_that_is_none_is_a_failed_check_not_a_fault_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with Store.open(path) as store:
        books = journal(store)
        with store.transaction():
            books.write(fill(), 0)
        store.conn.execute("UPDATE fills SET quantity = 'abc'")
    with Reader.open(path) as reader, pytest.raises(CheckFailed, match="'abc' where an amount must stand"):
        list(reader.fills("r1"))
