"""Decisions merge into the same rows however they are handed in, and what led to something stands alone."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.events import CancelRequest
from bot.store.journal import Journal
from bot.store.reader import Reader
from bot.store.rows import DecisionRow
from bot.store.store import Store
from feeds.times import MINUTE
from strategies.events import BarClosed, Decision, Reason, Side
from tests.bot.store.building import NAN, decision, journal, order, record, refusal
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


def test_first_decision_is_made_only_where_a_row_begins() -> None:
    books = journal(Store.open(), merge_repeats=True)
    made: list[int] = []

    def first(row: int) -> Decision:
        made.append(row)
        return decision(row=row)

    with books.store.transaction():
        for row in range(0, 12, 3):
            books.quiet(row + 1, 0, "BTCUSDT", *KINDS[1], partial(first, row), START + (row + 3) * MINUTE, 3, 0.1)
            books.skip(3)
    assert made == [0]
    assert [row.bars for row in merged(books)] == [12]


def test_stretches_need_a_journal_that_merges() -> None:
    books = journal(Store.open())
    with pytest.raises(AssertionError, match="merges repeats"):
        books.quiet(1, 0, "BTCUSDT", *KINDS[1], decision, START, 1, 0.1)


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
        return decision(self.symbols[s], row, side=side, reason=reason, score=self.bars[row][s].score)

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


def settle(books: Journal, market: Market, row: int) -> None:
    """One bar as the bus settles it: candles, the close, the decisions, and then what follows from them."""
    for symbol in market.symbols:
        entered = books.write(candle(symbol, row), 0)
    books.write(BarClosed(START, START), entered)
    numbers = [books.write(market.decision(row, s), entered) for s in range(len(market.symbols))]
    for s, bar in enumerate(market.bars[row]):
        if bar.follows:
            (_order, _refusal)[bar.follows - 1](books, numbers[s], row, market.symbols[s])


def pass_by(books: Journal, market: Market, start: int, stop: int, data: st.DataObject) -> None:
    """Rows [start, stop) told as stretches, each symbol cut as it pleases."""
    width = 2 * len(market.symbols) + 1
    for row in range(start, stop):
        books.digest_bytes(b"".join(record(market.decision(row, s)) for s in range(len(market.symbols))))
    for s in data.draw(st.permutations(range(len(market.symbols)))):
        row = start
        while row < stop:
            end = row + 1
            while end < stop and market.bars[end][s].kind == market.bars[row][s].kind and data.draw(st.booleans()):
                end += 1
            seq = books.seq + (row - start) * width + len(market.symbols) + 2 + s
            cause = books.seq + (row - start) * width + len(market.symbols)
            last_ms = START + end * MINUTE
            first = partial(market.decision, row, s)
            books.quiet(
                seq, cause, market.symbols[s], *KINDS[market.bars[row][s].kind], first, last_ms, end - row, market.bars[end - 1][s].score
            )
            row = end
    books.skip((stop - start) * width)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(market=markets(), data=st.data())
def test_rows_chain_numbers_and_digest_do_not_depend_on_how_decisions_are_handed_in(market: Market, data: st.DataObject) -> None:
    whole, cut = journal(Store.open(), merge_repeats=True), journal(Store.open(), merge_repeats=True)
    with whole.store.transaction():
        for row in range(len(market.bars)):
            settle(whole, market, row)
    row = 0
    while row < len(market.bars):
        with cut.store.transaction():
            stop = row
            while stop < len(market.bars) and market.is_quiet(stop) and data.draw(st.booleans()):
                stop += 1
            if stop > row:
                pass_by(cut, market, row, stop, data)
                row = stop
            else:
                settle(cut, market, row)
                row += 1
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
    single, merging = journal(Store.open()), journal(Store.open(), merge_repeats=True)
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
