import asyncio

from feeds.bybit.tickers import BybitTickers
from feeds.events import FeedStatus, Quote
from tests.fakes.bybit import FakeBybit
from tests.feeds.bybit.market import LIVE, client, count, rows, statuses, take

TABLE = {"BTCUSDT": rows(), "ETHUSDT": rows(base=50.0)}


async def test_snapshot_and_deltas_become_quotes_with_mark_and_index() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = client(fake)

        async def script() -> None:
            await fake.first_subscription.wait()
            await asyncio.sleep(0.05)
            await fake.advance(3, 0.03)

        feed = BybitTickers(("BTCUSDT", "ETHUSDT"), bybit, every=0)
        events = await take(feed.stream(), count(Quote, 10), script)
        await bybit.close()
    quotes = [event for event in events if isinstance(event, Quote) and event.symbol == "BTCUSDT"]
    prices = [row[1] for row in TABLE["BTCUSDT"][20:23]]
    assert [quote.mark for quote in quotes[:2]] == [prices[0]] * 2
    assert sorted({quote.mark for quote in quotes}) == prices[: len({quote.mark for quote in quotes})]
    assert {quote.index for quote in quotes} == {prices[0]}, "a delta leaves what it does not name"


async def test_quotes_are_thinned_to_one_a_symbol_and_interval() -> None:
    async with FakeBybit(TABLE, start=LIVE, forming=20) as fake:
        bybit = client(fake)

        async def script() -> None:
            await fake.first_subscription.wait()
            await asyncio.sleep(0.05)
            await fake.advance(3, 0.05)
            await fake.drop()

        feed = BybitTickers(("BTCUSDT",), bybit, every=60_000)
        events = await take(feed.stream(), lambda seen: sum(not status.up for status in statuses(seen)) >= 1, script)
        await bybit.close()
    assert sum(isinstance(event, Quote) for event in events) == 1


async def test_after_a_drop_only_a_new_snapshot_counts() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = client(fake)

        async def script() -> None:
            await fake.first_subscription.wait()
            await asyncio.sleep(0.05)
            await fake.drop()

        feed = BybitTickers(("BTCUSDT",), bybit, every=0)
        events = await take(feed.stream(), lambda seen: count(FeedStatus, 3)(seen) and isinstance(seen[-1], Quote), script)
        await bybit.close()
    assert [status.up for status in statuses(events)] == [True, False, True]
    assert isinstance(events[-1], Quote)
