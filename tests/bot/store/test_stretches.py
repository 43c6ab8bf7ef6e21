"""Decisions merge into the same rows however they are handed in, and what led to something stands alone."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.events import CancelRequest
from bot.store.journal import Journal
from bot.store.pages import Page
from bot.store.reader import Reader
from bot.store.rows import DecisionRow
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.bars import CLOSE, Bars
from feeds.times import MINUTE
from strategies.decision import REASONS, SIDES, digest, record_bytes, record_type
from strategies.engine import View
from strategies.events import BarClosed, Contribution, Decision, Reason, Side
from tests.bot.store.building import NAN, decision, journal, order, refusal
from tests.builders import START, candle

KINDS = ((Side.LONG, Reason.ABOVE_ENTRY), (Side.HOLD, Reason.WEAK_SCORE), (Side.HOLD, Reason.LOW_CONFIDENCE))
Follow = Callable[[Journal, int, int, str], None]


def rows(store: Store) -> list[Any]:  # whatever SQLite gives
    return store.conn.execute("SELECT * FROM decisions ORDER BY id").fetchall()


def merged(books: Journal) -> list[DecisionRow]:
    with books.store.transaction():
        books.close()
    return sorted(Reader.of(books.store).decisions("r1"), key=lambda row: row.seq)


def write_all(books: Journal, *decisions: Decision) -> None:
    with books.store.transaction():
        for each in decisions:
            books.write(each, 0)


def test_repeats_become_one_row_from_the_first_bar_to_the_last() -> None:
    books = journal(Store.open(), merge_repeats=True)
    write_all(books, *(decision(row=row, score=row / 10) for row in range(4)))
    (row,) = merged(books)
    assert repr(row.first) == repr(decision(row=0, score=0.0))
    assert (row.seq, row.until_ms, row.bars, row.last_score) == (1, START + 4 * MINUTE, 4, 0.3)


def test_another_side_or_reason_begins_another_row() -> None:
    books = journal(Store.open(), merge_repeats=True)
    write_all(
        books, decision(row=0), decision(row=1, reason=Reason.STALE), decision(row=2, side=Side.LONG, reason=Reason.STALE), decision(row=3)
    )  # fmt: skip
    assert [(row.seq, row.bars) for row in merged(books)] == [(1, 1), (2, 1), (3, 1), (4, 1)]


def test_symbols_do_not_disturb_one_another() -> None:
    books = journal(Store.open(), merge_repeats=True)
    write_all(books, *(decision(symbol, row) for row in range(3) for symbol in ("BTCUSDT", "ETHUSDT")))
    assert [(row.first.symbol, row.seq, row.bars) for row in merged(books)] == [("BTCUSDT", 1, 3), ("ETHUSDT", 2, 3)]


def _order(books: Journal, cause: int, row: int, symbol: str) -> None:
    books.write(order(f"v1-{symbol}-{row}", row, symbol=symbol), cause)


def _refusal(books: Journal, cause: int, row: int, symbol: str) -> None:
    books.write(refusal(row, symbol), cause)


def _cancel(books: Journal, cause: int, row: int, symbol: str) -> None:
    books.write(CancelRequest(START, symbol, "", "flip"), cause)


@pytest.mark.parametrize("follow", [_order, _refusal, _cancel])
def test_decision_that_led_to_something_stands_alone(follow: Follow) -> None:
    books = journal(Store.open(), merge_repeats=True)
    with books.store.transaction():
        for row in range(5):
            decided = books.write(decision(row=row), 0)
            if row == 2:
                follow(books, decided, row, "BTCUSDT")
    assert [(row.seq, row.bars) for row in merged(books)] == [(1, 2), (3, 1), (5, 2)]


def test_two_refusals_of_one_decision_make_one_row() -> None:
    books = journal(Store.open(), merge_repeats=True)
    with books.store.transaction():
        decided = books.write(decision(), 0)
        books.write(refusal(), decided)
        books.write(refusal(), decided)
    assert [(row.seq, row.bars) for row in merged(books)] == [(1, 1)]


def test_what_a_candle_led_to_is_no_consequence_of_a_decision() -> None:
    books = journal(Store.open(), merge_repeats=True)
    with books.store.transaction():
        entered = books.write(candle(), 0)
        books.write(decision(row=0), entered)
        books.write(order(), entered)
        books.write(decision(row=1), entered)
    assert [row.bars for row in merged(books)] == [2]


def test_pages_need_a_journal_that_merges() -> None:
    books = journal(Store.open())
    with pytest.raises(AssertionError, match="merges repeats"):
        books.begin_page(Page(view_of(Market(("A",), [[Bar(0, 0.5, 0)]]), 0, 1), 0))


def test_without_merging_every_decision_has_its_row_at_once() -> None:
    books = journal(Store.open())
    write_all(books, *(decision(row=row) for row in range(3)))
    assert [row.bars for row in Reader.of(books.store).decisions("r1")] == [1, 1, 1]


class Bar(NamedTuple):
    """One symbol at one bar: which of KINDS, its score, and what follows (0 nothing, 1 order, 2 refusal)."""

    kind: int
    score: float
    follows: int


class Market(NamedTuple):
    """bars[row][symbol]"""

    symbols: tuple[str, ...]
    bars: list[list[Bar]]

    def decision(self, row: int, s: int) -> Decision:
        side, reason = KINDS[self.bars[row][s].kind]
        score = self.bars[row][s].score
        part = Contribution("f1", score / 2, 0.5, 0.25, score)
        made = decision(self.symbols[s], row, side=side, reason=reason, score=score, contributions=(part,))
        return replace(made, digest=digest(record_bytes(made, s)))

    def is_quiet(self, row: int) -> bool:
        return not any(bar.follows for bar in self.bars[row])


bar_values = st.builds(
    Bar, st.sampled_from((0, 1, 1, 2)), st.sampled_from((0.0, -0.0, 0.25, -0.5, NAN)), st.sampled_from((0, 0, 0, 0, 1, 2))
)


@st.composite
def markets(draw: st.DrawFn) -> Market:
    symbols = ("A", "B", "C")[: draw(st.integers(1, 3))]
    one = st.lists(bar_values, min_size=len(symbols), max_size=len(symbols))
    return Market(symbols, draw(st.lists(one, min_size=1, max_size=14)))


def visit(books: Journal, market: Market, row: int, start: int) -> None:
    """One bar of a page that began at row `start`: nothing of it is an event but what follows from its decisions."""
    number = books.close_row(row - start, len(market.symbols), 0)
    _consequences(books, market, row, [number + 1 + s for s in range(len(market.symbols))])


def settle(books: Journal, market: Market, row: int) -> None:
    """One bar as the bus settles it: candles, the close, the decisions, and then what follows from them."""
    for symbol in market.symbols:
        entered = books.write(candle(symbol, row), 0)
    bar = START + (row + 1) * MINUTE
    books.write(BarClosed(bar, bar), entered)
    numbers = [books.write(market.decision(row, s), entered) for s in range(len(market.symbols))]
    _consequences(books, market, row, numbers)


def _consequences(books: Journal, market: Market, row: int, numbers: list[int]) -> None:
    for s, bar in enumerate(market.bars[row]):
        if bar.follows:
            (_order, _refusal)[bar.follows - 1](books, numbers[s], row, market.symbols[s])


def view_of(market: Market, start: int, stop: int) -> View:
    """The engine's arrays for rows [start, stop) of the market."""
    width, rows = len(market.symbols), range(start, stop)
    decisions = [[market.decision(row, s) for s in range(width)] for row in rows]

    def column(of: Callable[[Decision], float], kind: type = float) -> Any:
        return np.array([[of(each) for each in bar] for bar in decisions], kind).reshape(len(rows), width)

    parts = [column(lambda d, name=name: getattr(d.contributions[0], name))[:, None, :] for name in ("value", "confidence", "contribution")]
    records = np.array(
        [[np.frombuffer(record_bytes(bar[s], s), record_type(1))[0] for s in range(width)] for bar in decisions], record_type(1)
    ).reshape(len(rows), width)  # fmt: skip
    values = np.full((len(rows), 6, width), NAN)
    values[:, CLOSE] = column(lambda d: d.price)
    return View(
        Bars(market.symbols, MINUTE, START // MINUTE + start, values), ("f1",), (0.25,), column(lambda d: SIDES[d.side], np.int8),
        column(lambda d: REASONS[d.reason], np.int8), column(lambda d: d.score), column(lambda d: d.confidence),
        column(lambda d: d.volatility), column(lambda d: d.target), np.ones((len(rows), width), np.bool_),
        column(lambda d: d.newest_ms, np.int64), *parts, records,
    )  # fmt: skip


def turn(books: Journal, market: Market, start: int, stop: int, data: st.DataObject) -> None:
    """Rows [start, stop) as a page: some bars settled, those that are quiet perhaps passed by."""
    view = view_of(market, start, stop)
    books.begin_page(Page(view, 0))
    row = start
    while row < stop:
        until = row
        while until < stop and market.is_quiet(until) and data.draw(st.booleans()):
            until += 1
        if until > row:
            assert books.pass_by(row - start, until - start).closes == until - row
        else:
            visit(books, market, row, start)
            until = row + 1
        row = until
    books.end_page()


def books_of(market: Market, *, merge_repeats: bool = True) -> Journal:
    store = Store.open()
    begin(store, Run(id="r1", mode="replay", started_ms=START, symbols=market.symbols))
    place = {symbol: s for s, symbol in enumerate(market.symbols)}
    return Journal(store, "r1", record=lambda d: record_bytes(d, place[d.symbol]), keep_inputs=False, merge_repeats=merge_repeats)


@settings(max_examples=150, deadline=None)
@given(market=markets(), data=st.data())
def test_rows_chain_numbers_and_digest_do_not_depend_on_how_decisions_are_handed_in(market: Market, data: st.DataObject) -> None:
    whole, cut = books_of(market), books_of(market)
    with whole.store.transaction():
        for row in range(len(market.bars)):
            settle(whole, market, row)
    row = 0
    while row < len(market.bars):
        stop = data.draw(st.integers(row + 1, len(market.bars)))
        with cut.store.transaction():
            turn(cut, market, row, stop, data)
        row = stop
    with whole.store.transaction():
        whole.close()
    assert (cut.seq, cut.digest()) == (whole.seq, whole.digest())
    for books in (whole, cut):
        books.finish("finished", START)
    assert rows(cut.store) == rows(whole.store)
    assert cut.chain == whole.chain
    read = Reader.of(cut.store)
    assert read.verify_chain("r1").broken is None
    assert sum(row.bars for row in read.decisions("r1")) == len(market.bars) * len(market.symbols)
    for books in (whole, cut):
        books.store.close()


@settings(max_examples=60, deadline=None)
@given(market=markets())
def test_merged_rows_are_what_the_single_ones_say(market: Market) -> None:
    single, merging = books_of(market, merge_repeats=False), books_of(market)
    for books in (single, merging):
        with books.store.transaction():
            for row in range(len(market.bars)):
                settle(books, market, row)
            books.close()
    assert merging.digest() == single.digest()
    read, all_of_them = Reader.of(merging.store), list(Reader.of(single.store).decisions("r1"))
    for merged_row in read.decisions("r1"):
        covered = [
            one for one in all_of_them
            if one.first.symbol == merged_row.first.symbol and merged_row.first.bar_ms <= one.first.bar_ms <= merged_row.until_ms
        ]  # fmt: skip
        assert len(covered) == merged_row.bars
        assert {(one.first.side, one.first.reason) for one in covered} == {(merged_row.first.side, merged_row.first.reason)}
        assert repr(covered[-1].first.score) == repr(merged_row.last_score)
        assert merged_row.bars == 1 or not any(_followed(Reader.of(single.store), one.seq) for one in covered)
    for books in (single, merging):
        books.store.close()


def _followed(read: Reader, seq: int) -> bool:
    found = read.caused("r1", seq)
    return bool(found.orders or found.refusals)
