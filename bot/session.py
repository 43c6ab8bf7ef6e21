"""The session: who hears what, and the loop. Start reading here.

One event enters; all that follows from it settles inside one transaction; then the next one enters. A replay gives the session
whole blocks of bars: the engine computes them at once, and the session stops only at bars at which something can happen.
Stopping at more bars changes nothing.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable

from bot.bus import Bus, Line, Tap
from bot.events import CancelRequest, Command, Fill, FundingPaid, OrderRequest, OrderUpdate, Started, Verb
from bot.execution.executor import Executor
from bot.ledger import Ledger
from bot.orders import OpenOrders
from bot.risk import Risk
from bot.store.journal import Journal
from bot.store.pages import Page
from bot.store.store import Store
from bot.tape import Stretch, Tape, last_row
from bot.trader import Trader
from feeds.bars import Bars, Block
from feeds.events import Candle, Event, Funding, Metric, News, Tick
from feeds.times import Millis
from strategies.engine import StrategyEngine, View
from strategies.events import BarClosed, Decision

WARMING = 2_000  # bars that only warm up, in one transaction
KeepEquity = Callable[[Millis, float, float, float, float], None]


class Session:
    """One run: parts plugged together, and the events that pass through them."""

    def __init__(
        self, *, engine: StrategyEngine, trader: Trader, risk: Risk, executor: Executor, ledger: Ledger, orders: OpenOrders,
        symbols: tuple[str, ...], tap: Tap,
    ) -> None:  # fmt: skip
        """tap  writes each event down and gives it its number: the journal, or a rehearsal of it"""
        self.engine, self.trader, self.risk = engine, trader, risk
        self.executor, self.ledger, self.orders = executor, ledger, orders
        self.symbols = symbols
        self.tape = Tape(len(symbols))
        self.bus = Bus(tap)
        self.since = -1
        self._place = {symbol: place for place, symbol in enumerate(symbols)}
        self.seen = [-1] * len(symbols)  # close of the newest bar of each symbol
        self.keep_equity: KeepEquity | None = None
        self._candles = self._closes = 0  # of those that were no events
        self.money: list[Fill | FundingPaid] = []
        self._stop = False
        self.wire()

    @property
    def counts(self) -> Counter[str]:
        """How many events of each kind there were, those of a replay's bars included."""
        counts = Counter({kind.__name__: count for kind, count in self.bus.counts.items()})
        counts.update(Candle=self._candles, BarClosed=self._closes, Decision=self._closes * len(self.symbols))
        return counts

    def wire(self) -> None:
        """Who hears what, in this order."""
        on = self.bus.on
        on(Started, self._on_started)
        on(Candle, self.executor.on_candle)  # -> Fill: waiting orders meet the bar before anyone
        on(Candle, self.ledger.on_candle)  # positions are marked
        on(Candle, self.engine.on_candle)  # -> BarClosed, Decision, when the snapshot is complete
        on(News, self.engine.on_known)
        on(Metric, self.engine.on_known)
        on(Funding, self.engine.on_known)
        on(Funding, self.executor.on_funding)  # -> FundingPaid
        on(FundingPaid, self.ledger.on_funding_paid)
        on(FundingPaid, self._on_money)
        on(BarClosed, self.risk.on_bar_closed)  # -> StateChanged, when a limit is hit
        on(BarClosed, self._on_bar_closed)
        on(Decision, self.trader.on_decision)  # -> OrderRequest or Refusal
        on(OrderRequest, self.executor.on_order)  # -> OrderUpdate; risk took it into the book of open orders when it approved it
        on(CancelRequest, self.executor.on_cancel)  # -> OrderUpdate
        on(OrderUpdate, self.orders.on_update)
        on(Fill, self.orders.on_fill)
        on(Fill, self.ledger.on_fill)
        on(Fill, self.trader.on_fill)
        on(Fill, self._on_money)
        on(Tick, self.engine.on_tick)  # late symbols are no longer waited for
        on(Tick, self.risk.on_tick)  # -> StateChanged, when data is stale
        on(Command, self.risk.on_command)  # -> StateChanged, CancelRequest, OrderRequest
        on(Command, self._on_command)

    def begin(self, since: Millis) -> None:
        """Bars that closed at or before `since` only warm the engine up."""
        self.since = since
        self.engine.begin(since)

    def replay(
        self, blocks: Iterable[Block], store: Store, journal: Journal, *, step: bool = False,
        progress: Callable[[int], None] = lambda rows: None,
    ) -> None:  # fmt: skip
        """Run history through the session, one transaction a block.

        step      stop at every bar, as a live session does; the result is the same
        progress  told how many bar closes each block had
        """
        for block in blocks:
            with store.transaction():
                self._replay_block(block, self.engine.look(block), journal, step)
            self.executor.release()
            progress(block.bars.rows)
            if self._stop:
                return

    async def run(self, events: AsyncIterator[Event], store: Store) -> None:
        """Settle events as they come, one transaction each, until they end or the operator says stop.

        Bars that only warm up are settled many in a transaction: nothing follows from them, and they can be had again.
        """
        warming: list[Event] = []
        async for event in events:
            if not self.is_news(event):
                continue
            if isinstance(event, Candle) and event.close_ms <= self.since and len(warming) < WARMING:
                warming.append(event)
                continue
            with store.transaction():
                for earlier in warming:
                    self.settle(earlier)
                self.settle(event)
            warming.clear()
            self.executor.release()  # an order leaves only when its intent is on disk
            if self._stop:
                return

    def settle(self, event: Event) -> int:
        """One event that came from outside, and all that follows from it; returns its number."""
        if isinstance(event, Candle):
            place = self._place[event.symbol]
            self.seen[place] = max(self.seen[place], event.close_ms)
            if event.close_ms <= self.since:
                self._candles -= 1  # it only warms the engine up
        return self.bus.settle(event)

    def go_on(self, tap: Tap) -> None:
        """From here on events are written to `tap`; a stop that was obeyed is over."""
        self.bus.tap = tap
        self._stop = False

    def is_news(self, event: Event) -> bool:
        """A bar that has been seen is no news: a feed that starts again repeats itself."""
        if not isinstance(event, Candle):
            return True
        place = self._place.get(event.symbol)
        return place is not None and event.close_ms > self.seen[place]

    def _on_money(self, event: Fill | FundingPaid) -> None:
        self.money.append(event)
        if isinstance(event, Fill):
            self.tape.fill(event)

    def _on_started(self, event: Started) -> None:
        if self.since < 0:  # a session that goes on keeps its beginning
            self.begin(event.at)

    def _on_command(self, command: Command) -> None:
        if command.verb is Verb.STOP:
            self._stop = True

    def _on_bar_closed(self, event: BarClosed) -> None:
        view = self.engine.seen
        if view is not None:
            row = last_row(view, self.ledger)
            self.tape.extend(row)
            if self.keep_equity is not None:
                cash = float(self.ledger.cash)
                self.keep_equity(event.bar_ms, float(row.equity[0]), cash, float(row.gross[0]), float(row.net[0]))

    def _replay_block(self, block: Block, view: View, journal: Journal, step: bool) -> None:
        bars, others = block.bars, block.others
        row = self._first_row(bars)
        stretch = Stretch(bars, self.ledger)
        journal.begin_page(Page(view, row))
        self.engine.look_ahead_of(view)
        if row:
            self.ledger.skip(bars, 0, row)
            self.executor.skip(bars, 0, row)
        taken = 0
        while row < bars.rows:
            while taken < len(others) and others[taken][0] <= row:
                self._settle_in_span(others[taken][1])
                taken += 1
            stop = min(bars.rows, others[taken][0]) if taken < len(others) else bars.rows
            visit = row if step else self._next_visit(view, row, stop)
            if visit > row:
                self._pass_by(view, stretch, journal, row, visit)
            if visit < stop:
                self._visit(view, stretch, journal, visit, step)
                visit += 1
            row = visit
        for _, event in others[taken:]:
            self._settle_in_span(event)
        journal.end_page()
        self.tape.extend(stretch.record(view))
        self.engine.look_ahead_of(None)

    def _first_row(self, bars: Bars) -> int:
        """The first row that closes after the session began; those before it only warmed the engine up."""
        return min(bars.rows, max(0, self.since // bars.timeframe - bars.first))

    def _settle_in_span(self, event: Event) -> None:
        if event.at > self.since:
            self.bus.settle(event)

    def _next_visit(self, view: View, row: int, stop: int) -> int:
        """The first row at which something can happen; `stop` if none."""
        stop = self.executor.first_touch(view.bars, row, stop)
        stop = self.trader.first_action(view, row, stop)
        return self.risk.first_trip(view.bars, row, stop)

    def _visit(self, view: View, stretch: Stretch, journal: Journal, row: int, step: bool) -> None:
        """One bar close as `wire` has it, but what nobody would answer is no event: such bars, closes and decisions are only counted.

        step  hold every decision against what is there; otherwise ask for those that the trader's search has found
        """
        bars, ledger, end = view.bars, self.ledger, len(self.symbols)
        present = end if bars.whole else len(bars.present(row))
        if not present:
            return
        later: Line = []  # what follows from the last bar and from the close joins the line behind the decisions
        self._candles += present
        self._closes += 1
        cause = 0
        place = self.executor.first_met(bars, row, 0)
        if place < end:
            present, cause = self._meet(bars, journal, row, place, present, later)
        else:
            self.executor.mark_row(bars, row, 0, end)
            ledger.mark_row(bars, row, 0, end)
        at = bars.times[row]
        number = journal.close_row(row, present, cause)
        for event in self.risk.close(at, at):
            later.append((event, number))
        if ledger.revision != stretch.seen:
            stretch.mark(ledger, row)
        for place in self.trader.asked(view, row) if step else self.trader.acting(view, row):
            for event in self.trader.on_decision(view.bare_decision(row, place)):
                later.append((event, number + 1 + place))
        if later:
            self.bus.run(later)

    def _meet(self, bars: Bars, journal: Journal, row: int, place: int, present: int, later: Line) -> tuple[int, int]:
        """The bars of a row meet the orders that wait, from the symbol at `place` on, and the others are marked in their turn.

        Returns how many bars at the end of the row have no number yet, and the number of the last that has.
        """
        executor, ledger = self.executor, self.ledger
        done, end, number = 0, len(self.symbols), 0
        while place < end:
            if done < place:
                executor.mark_row(bars, row, done, place)
            ledger.mark_row(bars, row, done, place + 1)
            before = place + 1 - done if bars.whole else sum(done <= i <= place for i in bars.present(row))
            present -= before
            number = journal.bars(before)
            events = [(event, number) for event in executor.on_candle(bars.candle(row, place))]
            self.bus.run(events, None if present else later)
            done = place + 1
            place = executor.first_met(bars, row, done) if done < end else end
        if done < end:
            executor.mark_row(bars, row, done, end)
            ledger.mark_row(bars, row, done, end)
        return present, number

    def _pass_by(self, view: View, stretch: Stretch, journal: Journal, row: int, until: int) -> None:
        """Rows at which nothing happens but marks and decisions that lead to nothing."""
        stretch.mark(self.ledger, row)
        self.ledger.skip(view.bars, row, until)
        self.executor.skip(view.bars, row, until)
        passed = journal.pass_by(row, until)
        self._candles += passed.candles
        self._closes += passed.closes
