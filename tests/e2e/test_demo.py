"""The operator of a market that plays back: what is ordered today reaches the bars of then."""

import sqlite3
from pathlib import Path

from bot.control import Commands
from bot.events import Command, OrderRequest, Purpose, TradingState
from bot.modes.daemon import _Playback
from bot.modes.parts import journal_of
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.events import Event
from feeds.times import HOUR, MINUTE
from tests.e2e.runs import plug, settings, world


def halt(path: Path) -> None:
    """The operator, in another process."""
    conn = sqlite3.connect(path)
    with conn:
        conn.execute("INSERT INTO commands (at, verb, reason, cancel, flatten) VALUES (0, 'halt', 'enough', 1, 1)")
    conn.close()


async def test_halt_that_flattens_ends_every_position_of_a_market_that_plays_back(tmp_path: Path) -> None:
    market, path = world(600), tmp_path / "bot.db"
    start = market.history.span[0] + HOUR
    after: list[Event] = []
    with Store.open(path) as store:
        begin(store, Run(id="test", mode="demo", started_ms=start, symbols=market.history.symbols))
        journal = journal_of(store, "test", market.history.symbols, keep_inputs=False, merge_repeats=False)
        session = plug(settings(), market.history.symbols, journal.write)
        session.begin(start)
        feed = _Playback(market.events(), 1e12, start)
        commands = Commands(path, clock=lambda: feed.reached)
        halted = 0
        async for event in feed.stream():
            with store.transaction():
                session.settle(event)
            if halted == 0 and session.ledger.held and event.at > start + HOUR:
                halt(path)
                order = await anext(commands.stream())
                assert isinstance(order, Command) and order.at == event.at
                session.bus.watch(lambda each, _: after.append(each))
                with store.transaction():
                    session.settle(order)
                halted = event.at
            if halted and event.at > halted + 2 * MINUTE:
                assert not session.ledger.held
    assert halted
    assert session.risk.state is TradingState.HALTED
    assert {each.purpose for each in after if isinstance(each, OrderRequest)} == {Purpose.FLATTEN}
