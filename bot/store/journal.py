"""The journal: every event gets a number and the number of its cause, and what must last gets a row.

What enters the session has no cause (0). A journal that keeps inputs stores those events whole, so that the run can be had again;
a replay can read its inputs from their files, so it only numbers them. What follows from them has a table for each kind. The rows
are made by the scribe (`scribe.py`) when the store writes.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable

from bot.events import CancelRequest, Fill, OrderRequest, Refusal
from bot.store.chain import LINKED, NAMES
from bot.store.pages import Page, Passed
from bot.store.rows import names_of, read_decision
from bot.store.runs import Place, last_link, reopen
from bot.store.scribe import Close, End, Entry, Equity, Input, Scribe
from bot.store.store import Store
from feeds.events import Candle, Event
from strategies.events import Decision

Record = Callable[[Decision], bytes]

_FILL_TEXT = (
    "exec_id || '|' || order_id || '|' || symbol || '|' || side || '|' || price || '|' || quantity || '|' || fee || '|' || filled_ms"
)


class Journal:
    """Writes one run. What is told is collected, and written when the store's transaction ends.

    record         the bytes of a decision that go into the run's digest
    keep_inputs    store what enters, whole (paper, live)
    merge_repeats  decisions that repeat themselves without consequence become one row (replay)
    """

    def __init__(self, store: Store, run: str, *, record: Record, keep_inputs: bool, merge_repeats: bool) -> None:
        self.store, self.run = store, run
        self.seq = 0
        self._record = record
        self._whole, self._merges = keep_inputs, merge_repeats
        self._hash = hashlib.sha256()
        self._scribe = Scribe(run, merge_repeats)
        self._tables = self._scribe.tables()
        self._notes: dict[type[Event], Callable[..., None]] = {Fill: self._count, Decision: self._decided}
        self._notes |= dict.fromkeys((OrderRequest, CancelRequest, Refusal), self._followed)
        self._entries: list[Entry] = []
        self._kept = 0  # so many of them belong to transactions that have ended
        self._candles: list[Candle] = []
        self._page: Page | None = None
        self._lost = False
        store.join(self)

    @property
    def chain(self) -> bytes:
        """The last link of the decisions that were told in transactions that have ended."""
        self.store.catch_up()
        return self._scribe.chain

    @property
    def waiting(self) -> int:
        """How much was told in transactions that have ended, and has no rows yet."""
        return self._kept

    def write(self, event: Event, cause: int) -> int:
        """Number the event and write it down; `cause` is the number of the event it follows from, 0 if it came from outside."""
        seq = self.seq = self.seq + 1
        kind = type(event)
        if not cause and self._whole:
            self._entries.append((seq, 0, Input(event)))
            if isinstance(event, Candle):
                self._candles.append(event)
        note = self._notes.get(kind)
        if note is not None:
            note(event, cause)
        if kind in self._tables:
            self._entries.append((seq, cause, event))
        return seq

    def begin_page(self, page: Page) -> None:
        """From here on the decisions that are written are those of a page, which has them all: the page only hears what led where."""
        assert self._merges, "pages need a journal that merges repeats"
        self._page = page

    def bars(self, count: int) -> int:
        """Give numbers to so many candles of the page; returns the last of them."""
        self.seq += count
        return self.seq

    def close_row(self, row: int, bars: int, cause: int) -> int:
        """Give numbers to a close of the page and to its decisions; returns that of the close.

        bars   candles of the row that have no number yet: they get theirs before
        cause  the number of the row's last candle, if it has one
        """
        page = self._page
        assert page is not None, "only the rows of a page are closed"
        before = self.seq + bars
        number = before + 1
        self.seq = number + page.symbols
        page.closed(row, number, before if bars else cause)
        return number

    def pass_by(self, row: int, until: int) -> Passed:
        """Give out the numbers of the page's rows [row, until), from whose decisions nothing follows."""
        assert self._page is not None, "only the rows of a page can be passed by"
        passed = self._page.pass_by(row, until, self.seq)
        self.seq += passed.numbers
        return passed

    def end_page(self) -> None:
        """Write down what became of the page's decisions."""
        assert self._page is not None, "there is no page to end"
        self._hash.update(self._page.untold())
        leaf = self._page.leaf()
        if leaf is not None:
            self._entries.append((0, 0, leaf))
        self._page = None

    def equity(self, bar_ms: int, equity: float, cash: float, gross: float, net: float) -> None:
        """What the account was worth at a bar close, quote currency; gross and net are position notionals."""
        self.equities(((bar_ms, equity, cash, gross, net),))

    def equities(self, rows: Iterable[tuple[int, float, float, float, float]]) -> None:
        """Many rows as `equity` takes them."""
        self._entries.append((0, 0, Equity(tuple(rows))))

    def digest(self) -> str:
        """SHA-256 over decisions and fills so far, in order, hex."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """No more decisions: open stretches become rows. Part of `finish`."""
        self._entries.append((0, 0, Close()))

    def finish(self, state: str, ended_ms: int, summary: str | None = None) -> None:
        """Close the run in a transaction of its own: state `finished`, `interrupted` or `failed`; summary JSON.

        After a transaction that was rolled back, the run ends with what was kept before it, and without a digest.
        """
        with self.store.transaction():
            if not self._lost:
                self.close()
                self._entries.append((0, 0, End(state, ended_ms, self.digest(), summary)))
                return
            chain = last_link(self.store, self.run)
            self.store.conn.execute(
                "UPDATE runs SET state = ?, ended_ms = ?, digest = NULL, chain = ?, summary = ? WHERE id = ?",
                (state, ended_ms, chain.hex(), summary, self.run),
            )

    def flush(self, conn: sqlite3.Connection) -> None:
        """Write what was collected: the store calls it before it commits."""
        if self._lost and self._entries:
            raise RuntimeError("the journal lost its place when a transaction was rolled back; resume the run with a new one")
        self._scribe.write(conn, self._entries)
        self._entries.clear()

    def catch_up(self, conn: sqlite3.Connection) -> None:
        """Write what was told in transactions that have ended: a store that defers calls it when somebody asks."""
        entries, self._entries, self._kept = self._entries[: self._kept], self._entries[self._kept :], 0
        self._scribe.write(conn, entries)

    def committed(self) -> None:
        """The transaction has ended; bars go to the market data."""
        self._kept = len(self._entries)
        if self._candles:
            self.store.market.put(self._candles)
            self._candles.clear()

    def lost(self) -> None:
        """The books went back and the numbers did not: this journal must not write on."""
        self._lost = True
        self._candles.clear()
        del self._entries[self._kept :]

    def resume(self) -> Place:
        """Go on with a run that was interrupted: its numbers, its chain and its digest continue.

        Raises NotFound when the store holds no such run.
        """
        assert not self._merges, "a run that merges repeats is begun again, not resumed"
        place = reopen(self.store, self.run)
        self.seq = place.seq
        self._scribe.chain, self._scribe.inputs = place.chain, place.inputs
        conn = self.store.conn
        for number, text in conn.execute("SELECT id, names FROM signals WHERE run = ?", (self.run,)):
            self._scribe.signals[names_of(text)] = number, text.encode()
        fills = iter(conn.execute(f"SELECT seq, {_FILL_TEXT} FROM fills WHERE run = ? ORDER BY seq", (self.run,)))
        fill = next(fills, None)
        for names, *row in conn.execute(f"SELECT {NAMES}, {', '.join(LINKED)} FROM decisions WHERE run = ? ORDER BY seq", (self.run,)):
            while fill is not None and fill[0] < row[0]:
                self._hash.update(f"{fill[1]}\n".encode())
                fill = next(fills, None)
            self._hash.update(self._record(read_decision(row, names)))
        while fill is not None:
            self._hash.update(f"{fill[1]}\n".encode())
            fill = next(fills, None)
        return place

    def _decided(self, decision: Decision, cause: int) -> None:
        self._hash.update(self._record(decision))

    def _followed(self, event: Event, cause: int) -> None:
        if self._page is not None:
            self._page.consequence(cause)

    def _count(self, fill: Fill, cause: int) -> None:
        """A fill goes into the digest, behind the decisions before it."""
        if self._page is not None:
            self._hash.update(self._page.untold())
        self._hash.update(
            f"{fill.exec_id}|{fill.order_id}|{fill.symbol}|{fill.side._value_}|{fill.price}|{fill.quantity}|{fill.fee}|{fill.filled_ms}\n".encode()
        )
