"""Events become rows and come back exactly; numbers, causes and digests go on where they were."""

import hashlib
import math
import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ConfigError, NotFound
from bot.events import (
    CancelRequest,
    Command,
    Fill,
    FundingPaid,
    OrderSide,
    Started,
    StateChanged,
    Status,
    TradingState,
    Verb,
)
from bot.store.journal import Journal
from bot.store.payload import event_of, payload
from bot.store.reader import Reader
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.events import Candle, Event, FeedStatus, Funding, Metric, News, Quote, Source, Tick
from feeds.times import MINUTE
from strategies.events import BarClosed, Contribution, Promoted, Side
from tests.bot.store.building import NAN, decision, fill, journal, order, record, refusal, update
from tests.builders import INSTRUMENT, START, candle

ROOT = Path(__file__).parents[3]
INPUTS: list[Event] = [
    Started(at=START, run="r1", mode="paper"),
    Started(START, "r1", "paper", (INSTRUMENT,), ("netflow",)),
    candle(),
    Candle(START, "ETHUSDT", START, START + MINUTE, 0.1, 0.30000000000000004, 5e-324, 0.2, -0.0, 1e300, Source.REPAIRED),
    Quote(START, "BTCUSDT", 100.5),
    Funding(START, "BTCUSDT", START, -0.0001, 28_800_000, None),
    Metric(START, "hashrate", None, NAN),
    Metric(START, "netflow", "BTCUSDT", math.inf, period_ms=START, source="chain"),
    Metric(START, "netflow", "BTCUSDT", -math.inf),
    News(START, "n1", 'Title "quoted" \N{SNOWMAN}\x00 null', "rss", ("BTCUSDT",), -0.5, "social", None, "https://example.org"),
    News(START, "n2", "Nobody scored it", "rss"),
    Tick(START),
    FeedStatus(START, "candles", False, "socket closed", 3),
    Promoted(START, (("f1", "rank(close)", 0.1),)),
    Command(START, 1, Verb.HALT, "lunch", True, False),
    update(),
    fill(),
]


def same(a: Event, b: Event) -> bool:
    """Equal, where NaN equals NaN and 0.0 does not equal -0.0."""
    return repr(a) == repr(b) and type(a) is type(b)


@pytest.mark.parametrize("event", INPUTS, ids=lambda event: type(event).__name__)
def test_what_enters_comes_back_exactly(event: Event) -> None:
    assert same(event_of(payload(event)), event)


@given(value=st.floats(), turnover=st.none() | st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_of_an_input_comes_back_exactly(value: float, turnover: float | None) -> None:
    bar = Candle(START, "BTCUSDT", START, START + MINUTE, value, value, value, value, value, turnover)
    assert same(event_of(payload(bar)), bar)


def test_decision_cannot_enter() -> None:
    with pytest.raises(TypeError, match="Decision cannot enter"):
        payload(decision())


def test_inputs_are_given_back_in_order_with_their_numbers_and_nothing_else() -> None:
    store = Store.open()
    books = journal(store, mode="paper", keep_inputs=True)
    numbers = []
    for event in INPUTS:
        with store.transaction():
            numbers.append(books.write(event, 0))
            closed = books.write(BarClosed(START, START), numbers[-1])
            books.write(decision(row=numbers[-1]), closed)
    back = list(Reader.of(store).inputs("r1"))
    assert [seq for seq, _ in back] == numbers == list(range(1, 3 * len(INPUTS), 3))
    assert all(same(event, given) for (_, event), given in zip(back, INPUTS, strict=True))


def test_replay_numbers_its_inputs_and_keeps_none() -> None:
    store = Store.open()
    books = journal(store)
    with store.transaction():
        assert [books.write(event, 0) for event in INPUTS] == list(range(1, len(INPUTS) + 1))
    assert list(Reader.of(store).inputs("r1")) == []
    assert store.conn.execute("SELECT count(*) FROM events").fetchone() == (0,)


def test_live_bars_reach_the_market_data_when_the_books_are_safe(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bot.db") as store:
        books = journal(store, mode="paper", keep_inputs=True)
        with store.transaction():
            books.write(candle(), 0)
        with pytest.raises(ZeroDivisionError), store.transaction():
            books.write(candle(row=1), 0)
            raise ZeroDivisionError
        assert list(store.market.candles("BTCUSDT", MINUTE)) == [candle()]


def test_everything_that_follows_has_a_row_with_its_number_and_cause() -> None:
    store = Store.open()
    books = journal(store)
    paid = FundingPaid(START, "BTCUSDT", START, NAN, Decimal("-0.5"), Decimal("100.10"), Decimal("-0.00500500"))
    moved = StateChanged(START, TradingState.REDUCING, "daily_loss", "3.1 % down")
    with store.transaction():
        decided = books.write(decision(side=Side.LONG), 7)
        asked = books.write(order(), decided)
        books.write(update(), asked)
        refused = books.write(refusal(), decided)
        books.write(CancelRequest(START, "BTCUSDT", "v1-B-1", "replaced"), decided)
        books.write(fill(), 9)
        books.write(paid, 9)
        books.write(moved, 9)
    read = Reader.of(store)
    followed = read.caused("r1", decided)
    assert [(row.seq, row.cause, row.status) for row in followed.orders] == [(asked, decided, Status.OPEN)]
    assert [(row.seq, row.refusal) for row in followed.refusals] == [(refused, refusal())]
    assert [(row.id, row.detail) for row in followed.cancels] == [("v1-B-1", "replaced")]
    assert [row.status for row in followed.updates] == [Status.OPEN]
    assert [(row.cause, row.fill) for row in followed.fills] == [(9, fill())]
    assert same(read.funding("r1")[0].paid, paid)
    assert read.state("r1").state is TradingState.REDUCING
    assert read.decision("r1", decided).cause == 7


decimals = st.decimals(allow_nan=False, allow_infinity=False)


@given(price=decimals, quantity=decimals, fee=decimals, slippage=decimals)
def test_money_keeps_every_digit(price: Decimal, quantity: Decimal, fee: Decimal, slippage: Decimal) -> None:
    store = Store.open()
    books = journal(store)
    given_ = Fill(START, "e", "o", "BTCUSDT", OrderSide.SELL, price, quantity, fee, True, START, fill().purpose, slippage)
    with store.transaction():
        books.write(given_, 0)
    assert same(Reader.of(store).fills("r1")[0].fill, given_)
    store.close()


@given(score=st.floats(), price=st.floats(), parts=st.lists(st.floats(allow_infinity=False), min_size=4, max_size=4))
def test_evidence_keeps_every_bit_and_nan_stays_unknown(score: float, price: float, parts: list[float]) -> None:
    store = Store.open()
    books = journal(store)
    given_ = decision(score=score, price=price, contributions=(Contribution("f1", *parts),))
    with store.transaction():
        books.write(given_, 0)
    back = Reader.of(store).decision("r1").first
    assert repr((back.score, back.price)) == repr((score + 0.0, price + 0.0))  # SQLite knows one zero
    assert repr(back.contributions) == repr(given_.contributions)
    store.close()


def test_unknown_evidence_is_null_in_the_file() -> None:
    store = Store.open()
    books = journal(store)
    with store.transaction():
        books.write(decision(score=NAN, volatility=NAN), 0)
    assert store.conn.execute("SELECT score, volatility, confidence FROM decisions").fetchone() == (None, None, 0.5)


def test_attached_stop_gets_a_row_when_it_comes_alive() -> None:
    store = Store.open()
    books = journal(store)
    with store.transaction():
        books.write(order(stop=Decimal("98.5"), take=Decimal(104)), 1)
        books.write(update(), 1)
    with store.transaction():
        books.write(update(status=Status.FILLED, filled=Decimal("0.5")), 2)
        alive = books.write(update("v1-A-1s"), 2)
        books.write(update("v1-A-1t"), 2)
        books.write(update("v1-A-1t", Status.CANCELLED), 2)
        books.write(update("v1-Z-1s"), 2)  # nobody's: only its step is kept
    read = Reader.of(store)
    waiting = read.orders("r1", open_only=True)
    assert [(row.id, row.seq, row.side, row.trigger, row.quantity) for row in waiting] == [
        ("v1-A-1s", alive, OrderSide.SELL, Decimal("98.5"), Decimal("0.5"))
    ]
    assert read.order("r1", "v1-A-1t").status is Status.CANCELLED
    assert [row.id for row in read.updates("r1", "v1-A-1")] == ["v1-A-1", "v1-A-1", "v1-A-1s", "v1-A-1t", "v1-A-1t"]


def test_fill_that_is_told_twice_counts_once() -> None:
    store = Store.open()
    books = journal(store)
    with store.transaction():
        books.write(fill(), 1)
    with store.transaction():
        books.write(fill(), 2)
    assert [row.cause for row in Reader.of(store).fills("r1")] == [1]


def test_a_bar_is_decided_once() -> None:
    store = Store.open()
    books = journal(store)
    with store.transaction():
        books.write(decision(), 1)
    with pytest.raises(sqlite3.IntegrityError), store.transaction():
        books.write(decision(side=Side.LONG), 2)
    assert store.conn.execute("SELECT side FROM decisions").fetchall() == [("HOLD",)]


def test_feed_remembers_all_bars_it_missed() -> None:
    store = Store.open()
    books = journal(store)
    with store.transaction():
        books.write(FeedStatus(START, "candles", False, "closed", 2), 0)
        books.write(FeedStatus(START + 5, "candles", True, "", 3), 0)
    assert [(row.up, row.gap, row.at) for row in Reader.of(store).feeds("r1")] == [(True, 5, START + 5)]


def test_digest_is_sha256_over_decisions_and_fills_in_order() -> None:
    store = Store.open()
    books = journal(store)
    with store.transaction():
        books.write(decision(), 0)
        books.write(order(), 1)
        books.write(fill(), 2)
        books.write(decision(row=1), 0)
    text = f"e1|v1-A-1|BTCUSDT|BUY|100|0.5|0.0275|{START}\n".encode()
    assert books.digest() == hashlib.sha256(record(decision()) + text + record(decision(row=1))).hexdigest()


def test_finished_run_says_so() -> None:
    store = Store.open()
    books = journal(store)
    with store.transaction():
        books.write(decision(), 0)
    books.finish("finished", START + 1, '{"bars":1}')
    run = Reader.of(store).run()
    assert (run.state, run.ended_ms, run.digest, run.chain) == ("finished", START + 1, books.digest(), books.chain.hex())
    assert run.summary == '{"bars":1}'


def test_unknown_state_of_a_run_is_refused() -> None:
    with pytest.raises(sqlite3.IntegrityError):
        journal(Store.open()).finish("done", START)


def write_some(books: Journal, rows: range) -> None:
    for row in rows:
        with books.store.transaction():
            entered = books.write(candle(row=row), 0)
            decided = books.write(decision(row=row, side=Side.LONG, score=row / 7), entered)
            books.write(order(f"v1-{row}-1", row), decided)
            books.write(fill(f"e{row}", order_id=f"v1-{row}-1"), entered)


def test_resumed_run_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    whole = journal(Store.open(), mode="paper", keep_inputs=True)
    write_some(whole, range(6))
    with Store.open(tmp_path / "bot.db") as store:
        write_some(journal(store, mode="paper", keep_inputs=True), range(4))
    with Store.open(tmp_path / "bot.db") as store:
        books = Journal(store, "r1", record=record, keep_inputs=True, merge_repeats=False)
        place = books.resume()
        assert (place.seq, place.decided) == (16, {"BTCUSDT": START + 4 * MINUTE})
        write_some(books, range(4, 6))
        assert (books.seq, books.chain, books.digest()) == (whole.seq, whole.chain, whole.digest())
        books.finish("finished", START)
        assert Reader.of(store).verify_chain("r1").broken is None


def test_run_that_is_not_there_cannot_be_resumed() -> None:
    with pytest.raises(NotFound, match="holds no run r9"):
        Journal(Store.open(), "r9", record=record, keep_inputs=True, merge_repeats=False).resume()


@pytest.mark.parametrize("state", ["finished", "interrupted", "running"])
def test_replay_of_the_same_name_starts_clean(tmp_path: Path, state: str) -> None:
    with Store.open(tmp_path / "bot.db") as store:
        other, books = journal(store, "r2"), journal(store)
        write_some(other, range(2))
        write_some(books, range(3))
        if state != "running":
            books.finish(state, START)
    with Store.open(tmp_path / "bot.db") as store:
        books = journal(store)
        read = Reader.of(store)
        assert list(read.decisions("r1")) == [] and read.fills("r1") == [] and read.orders("r1") == []
        assert len(read.fills("r2")) == 2
        write_some(books, range(3))
        assert read.verify_chain("r1").rows == 3
        assert {row.id: row.state for row in read.runs()}["r2"] == "interrupted"


def test_recorded_run_is_never_begun_again() -> None:
    store = Store.open()
    books = journal(store, mode="paper")
    write_some(books, range(2))
    with pytest.raises(ConfigError, match="recorded paper run; resume it"):
        begin(store, Run(id="r1", mode="replay", started_ms=START))
    assert len(Reader.of(store).fills("r1")) == 2


def test_journal_that_lost_its_place_writes_no_more() -> None:
    store = Store.open()
    books = journal(store)
    with pytest.raises(ZeroDivisionError), store.transaction():
        books.write(decision(), 0)
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="lost its place"), store.transaction():
        books.write(decision(row=1), 0)
    assert store.conn.execute("SELECT count(*) FROM decisions").fetchone() == (0,)


@pytest.mark.parametrize("merge", [False, True])
def test_run_that_failed_ends_with_what_was_kept(merge: bool) -> None:
    store = Store.open()
    books = journal(store, merge_repeats=merge)
    with store.transaction():
        books.write(decision(), 0)
        books.write(decision(row=1, side=Side.LONG), 0)
    with pytest.raises(ZeroDivisionError), store.transaction():
        books.write(decision(row=2), 0)
        books.write(decision(row=3, side=Side.LONG), 0)
        raise ZeroDivisionError
    books.finish("failed", START)
    read = Reader.of(store)
    assert (read.run().state, read.run().digest) == ("failed", None)
    assert read.verify_chain("r1") == (1 if merge else 2, None, "")


_WRITES_UNTIL_KILLED = """
import sys
from tests.bot.store.building import decision, fill, journal, order
from tests.builders import candle
from bot.store.store import Store
store = Store.open(sys.argv[1])
books = journal(store, mode="paper", keep_inputs=True)
for row in range(1_000_000):
    with store.transaction():
        entered = books.write(candle(row=row), 0)
        decided = books.write(decision(row=row), entered)
        books.write(order(f"v1-{row}-1", row), decided)
        books.write(fill(f"e{row}", order_id=f"v1-{row}-1"), entered)
    print(row, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 23])
def test_kill_while_writing_leaves_whole_events_only_and_none_that_was_told_is_lost(tmp_path: Path, after: int) -> None:
    path = tmp_path / "bot.db"
    with subprocess.Popen([sys.executable, "-c", _WRITES_UNTIL_KILLED, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(after)][-1]
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -9
    with Store.open(path) as store:
        read = Reader.of(store)
        rows = [decided.first.bar_ms // MINUTE - START // MINUTE - 1 for decided in read.decisions("r1")]
        assert rows == list(range(len(rows))) and len(rows) > told
        assert [order_.id for order_ in read.orders("r1")] == [f"v1-{row}-1" for row in rows]
        assert [row.fill.exec_id for row in read.fills("r1")] == [f"e{row}" for row in rows]
        assert [seq for seq, _ in read.inputs("r1")] == [4 * row + 1 for row in rows]
        assert read.verify_chain("r1").broken is None
        books = Journal(store, "r1", record=record, keep_inputs=True, merge_repeats=False)
        assert books.resume().seq == 4 * len(rows)


def test_command_counts_as_obeyed_with_what_followed_from_it() -> None:
    store = Store.open()
    store.conn.execute("INSERT INTO commands (at, verb, reason, cancel, flatten) VALUES (1, 'halt', '', 0, 0)")
    books = journal(store, mode="paper", keep_inputs=True)
    with pytest.raises(ZeroDivisionError), store.transaction():
        books.write(Command(START, 1, Verb.HALT, ""), 0)
        raise ZeroDivisionError
    assert Reader.of(store).commands()[0].done_at is None
    again = Journal(Store.open(), "r2", record=record, keep_inputs=True, merge_repeats=False)
    with again.store.transaction():
        again.write(Command(START, 1, Verb.HALT, ""), 0)  # verifying elsewhere: there is no such row, and none is made
    assert Reader.of(again.store).commands() == []
    fresh = Journal(store, "r1", record=record, keep_inputs=True, merge_repeats=False)
    fresh.resume()
    with store.transaction():
        fresh.write(Command(START, 1, Verb.HALT, ""), 0)
    assert (Reader.of(store).commands()[0].done_at, Reader.of(store).commands()[0].run) == (START, "r1")
