import asyncio

from feeds.bybit.funding import BybitFunding
from feeds.events import Funding
from tests.fakes.bybit import FakeBybit, Fault
from tests.feeds.bybit.market import MINUTE, client, count, rows, statuses, take

HOUR = 60 * MINUTE
EIGHT = 8 * HOUR
SETTLED = 1_700_006_400_000 // EIGHT * EIGHT  # a settlement
TABLE = {"BTCUSDT": rows(600, first=SETTLED - 60 * MINUTE), "ETHUSDT": rows(600, base=50.0, first=SETTLED - 60 * MINUTE)}
FUNDING = {symbol: [(SETTLED + n * EIGHT, 1e-4 * (n + 5)) for n in range(-4, 2)] for symbol in TABLE}


async def test_a_settlement_arrives_soon_after_it_with_rate_interval_and_mark() -> None:
    async with FakeBybit(TABLE, start=SETTLED - 2 * MINUTE, funding=FUNDING) as fake:
        bybit = client(fake)

        async def script() -> None:
            await asyncio.sleep(0.1)
            await fake.advance(6, 0.02)

        events = await take(BybitFunding(tuple(TABLE), bybit, poll=10).stream(), count(Funding, 2), script)
        await bybit.close()
    paid = [event for event in events if isinstance(event, Funding)]
    assert [(each.symbol, each.settle_ms, each.rate, each.interval_ms) for each in paid] == [
        (symbol, SETTLED, 1e-4 * 5, EIGHT) for symbol in TABLE
    ]
    assert paid[0].mark == next(row[1] for row in TABLE["BTCUSDT"] if row[0] == SETTLED)
    assert all(each.at >= SETTLED for each in paid)


async def test_settlements_missed_while_away_come_once_and_in_order() -> None:
    async with FakeBybit(TABLE, start=SETTLED + HOUR, funding=FUNDING) as fake:
        bybit = client(fake)
        feed = BybitFunding(("BTCUSDT",), bybit, since=SETTLED - 3 * EIGHT, poll=10)

        async def script() -> None:
            await asyncio.sleep(0.1)
            fake.now = SETTLED + EIGHT + HOUR + MINUTE

        events = await take(feed.stream(), count(Funding, 4), script)
        await bybit.close()
    paid = [event for event in events if isinstance(event, Funding)]
    assert [each.settle_ms for each in paid] == [SETTLED + n * EIGHT for n in (-2, -1, 0, 1)]
    assert {each.interval_ms for each in paid} == {EIGHT}


async def test_an_outage_of_rest_is_told_once_and_nothing_is_lost() -> None:
    faults = [Fault("http", bar=1, status=502, times=9, path="funding")]
    async with FakeBybit(TABLE, start=SETTLED - MINUTE, funding=FUNDING, faults=faults) as fake:
        bybit = client(fake)

        async def script() -> None:
            await asyncio.sleep(0.1)
            for _ in range(60):
                await fake.advance(1, 0.02)

        feed = BybitFunding(("BTCUSDT",), bybit, poll=10, lag=MINUTE)
        events = await take(feed.stream(), count(Funding, 1), script)
        await bybit.close()
    assert [status.up for status in statuses(events)] == [False, True]
    assert [event.settle_ms for event in events if isinstance(event, Funding)] == [SETTLED]
