import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from feeds.bybit.client import BybitClient, Idle, Lost, Up
from feeds.errors import Banned, Unreachable
from feeds.events import Candle
from tests.fakes.bybit import FakeBybit, Fault
from tests.feeds.bybit.market import LIVE, QUICK, client, rows

TABLE = {"BTCUSDT": rows()}


async def test_the_clock_offset_is_measured_from_the_exchange() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = BybitClient(rest=fake.rest, ws=fake.ws, patience=QUICK, clock=lambda: fake.now - 3_000)
        assert await bybit.ready() == 3_000
        assert bybit.exchange_now() == fake.now
        await bybit.close()


async def test_a_failure_that_may_pass_is_tried_again_and_a_lasting_one_is_raised() -> None:
    async with FakeBybit(TABLE, start=LIVE, faults=[Fault("http", status=503, times=1)]) as fake:
        bybit = client(fake)
        assert (await bybit.insist("time"))["retCode"] == 0
        assert len(fake.requests) == 2
        fake.faults = [Fault("http", status=500, times=5)]
        with pytest.raises(Unreachable, match="HTTP 500"):
            await bybit.insist("time")
        fake.faults = [Fault("empty", times=5)]
        with pytest.raises(Unreachable, match="empty or unreadable"):
            await bybit.insist("time")
        await bybit.close()


async def test_after_a_403_rest_is_silent() -> None:
    async with FakeBybit(TABLE, start=LIVE, faults=[Fault("http", status=403, times=1)]) as fake:
        bybit = client(fake, ban=150)
        with pytest.raises(Unreachable, match="HTTP 403"):
            await bybit.insist("time")
        for _ in range(5):
            with pytest.raises(Unreachable, match="REST rests"):
                await bybit.ask("time")
        assert len(fake.requests) == 1
        await asyncio.sleep(0.16)
        assert (await bybit.ask("time"))["retCode"] == 0
        await bybit.close()


async def test_a_request_that_can_never_succeed_is_sent_once() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = client(fake)
        with pytest.raises(Banned, match="retCode 10001"):
            await bybit.insist("kline", category="linear", symbol="NOSUCH", interval="1")
        with pytest.raises(Banned, match=r"retCode 10017 .*not Bybit V5"):
            await bybit.insist("no-such-route")
        assert len(fake.requests) == 2
        await bybit.close()


async def test_requests_keep_to_their_rate() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = client(fake, rate=50.0)
        await bybit.ask("time")
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.gather(*(bybit.ask("time") for _ in range(6)))
        assert loop.time() - begun >= 5 / 50
        await bybit.close()


async def test_instruments_are_read_page_by_page() -> None:
    table = {f"C{n:04d}USDT": rows(2) for n in range(1_203)}
    async with FakeBybit(table, start=LIVE) as fake:
        bybit = client(fake)
        found = await bybit.instruments()
        await bybit.close()
    assert list(found) == sorted(table)


async def test_backoff_doubles_to_its_most_and_is_spread() -> None:
    bybit = BybitClient(patience=QUICK, chance=lambda: 0.0)
    assert [bybit.delay(n) for n in (1, 2, 3, 50)] == pytest.approx([0.00375, 0.0075, 0.015, 0.015])
    assert BybitClient(patience=QUICK, chance=lambda: 1.0).delay(1) == pytest.approx(0.005)


async def test_with_the_shipped_patience_a_flapping_socket_is_dialled_at_most_twenty_times_in_five_minutes() -> None:
    bybit = BybitClient(chance=lambda: 0.0)
    elapsed = dials = 0.0
    while elapsed < 300:
        dials += 1
        elapsed += bybit.delay(int(dials))
    assert dials <= 20


async def test_a_missed_pong_ends_the_socket() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        fake.pongs = False
        bybit = client(fake, keep_alive=40)
        async with asyncio.timeout(5), aclosing(bybit.live(["kline.1.BTCUSDT"], lambda frame, at: [frame])) as items:
            seen = [item async for item in _until_lost(items)]
        await bybit.close()
    assert isinstance(seen[0], Up)
    assert "ping-pong" in seen[-1].reason


@pytest.mark.parametrize(
    "text",
    ['{"op":"auth","success":true}', '{"op":5}', "{}", "[]", "null", '"x"', "{", "\\u0000", '{"topic":null}',
     '{"topic":"kline.1.XUSDT","data":[]}',
     '{"topic":"kline.1.BTCUSDT","data":{"a":[]},"ts":"x"}', '{"topic":"kline.1.BTCUSDT","ts":99999999999999,"data":[]}',
     '{"retCode":10016,"op":"order.create"}', "[" * 5_000],
    ids=lambda text: text[:30],
)  # fmt: skip
async def test_no_frame_ends_the_receive_loop(text: str) -> None:
    from feeds.bybit.messages import parse_kline

    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = client(fake)

        def sift(frame: Any, at: int) -> list[Any]:
            return [push.candle for push in parse_kline(frame, at, 60_000, bybit.rejects) if push.candle is not None]

        seen = []
        async with asyncio.timeout(5), aclosing(bybit.live(["kline.1.BTCUSDT"], sift)) as items:
            async for item in items:
                if isinstance(item, Up):
                    await fake.send_text(text)
                    await fake.advance()
                seen.append(item)
                if isinstance(item, Candle):
                    break
        assert fake.connects == 1
        assert not any(isinstance(item, Lost) for item in seen)
        assert sum(bybit.rejects.values()) == 1
        await bybit.close()


async def test_a_refused_subscription_is_not_taken_for_one() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = client(fake)
        async with asyncio.timeout(5), aclosing(bybit.live(["kline.1.NOSUCH"], lambda frame, at: [])) as items:
            first = [item async for item in _until_lost(items)]
        await bybit.close()
    assert len(first) == 1
    assert "handler not found" in first[0].reason


async def test_a_consumer_that_sleeps_loses_the_socket_not_the_memory() -> None:
    async with FakeBybit(TABLE, start=LIVE, forming=40) as fake:
        bybit = client(fake, queue=16)
        seen = []
        async with asyncio.timeout(5), aclosing(bybit.live(["kline.1.BTCUSDT"], lambda frame, at: [frame])) as items:
            async for item in items:
                if isinstance(item, Up):
                    await fake.advance(2)
                    await asyncio.sleep(0.1)
                seen.append(item)
                if isinstance(item, Lost):
                    break
        await bybit.close()
    frames = [item for item in seen if isinstance(item, dict)]
    assert len(frames) == 16
    assert "nobody takes them" in seen[-1].reason


async def test_while_disconnected_the_consumer_is_woken() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        fake.refusing = True
        bybit = client(fake, backoff=60, backoff_most=60)
        async with asyncio.timeout(5), aclosing(bybit.live(["kline.1.BTCUSDT"], lambda frame, at: [frame])) as items:
            first = [await anext(items) for _ in range(3)]
            fake.refusing = False
            async for item in items:
                if isinstance(item, Up):
                    break
        await bybit.close()
    assert isinstance(first[0], Lost)
    assert first[1:] == [Idle(connected=False)] * 2


def test_an_environment_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="mainnet testnet demo"):
        BybitClient("production")


async def _until_lost(items):  # type: ignore[no-untyped-def]
    async for item in items:
        yield item
        if isinstance(item, Lost):
            return


async def test_after_the_last_request_that_a_limit_allows_the_next_one_waits_for_its_reset() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = client(fake)
        headers = {"X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(LIVE + 150)}
        bybit._judge(200, headers, {"retCode": 0, "time": LIVE})
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await bybit.ask("time")
        assert 0.14 < loop.time() - begun < 1.0
        bybit._judge(200, {**headers, "X-Bapi-Limit-Status": "7"}, {"retCode": 0, "time": LIVE})
        begun = loop.time()
        await bybit.ask("time")
        assert loop.time() - begun < 0.14
        await bybit.close()


async def test_a_server_that_names_the_time_to_wait_is_taken_at_its_word() -> None:
    async with FakeBybit(TABLE, start=LIVE) as fake:
        bybit = client(fake, ban=600_000)
        with pytest.raises(Unreachable, match="HTTP 429"):
            bybit._judge(429, {"Retry-After": "3"}, None)
        assert 2_500 < bybit.rest_ms <= 3_000
        with pytest.raises(Unreachable, match="10006"):
            bybit._judge(200, {"X-Bapi-Limit-Reset-Timestamp": str(LIVE + 400)}, {"retCode": 10006, "time": LIVE})
        assert 200 < bybit.rest_ms <= 400
        with pytest.raises(Unreachable, match="HTTP 403"):
            bybit._judge(403, {"Retry-After": "soon"}, None)
        assert bybit.rest_ms > 590_000
        await bybit.close()
