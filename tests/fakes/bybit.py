"""A scripted Bybit on loopback: public REST and the public V5 socket, on a clock that the test moves.

It speaks what the feeds need: market/time, kline, mark-price-kline, instruments-info, tickers, funding/history,
and subscribe, ping, kline and tickers frames. A list of faults says what goes wrong, at which live bar, how often.

    python -m tests.fakes.bybit --candles DIR_OR_FILES --speed 60 --port 0      prints its addresses as one JSON line
"""

import argparse
import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from aiohttp import WSMsgType, web

from tests.fakes.tables import Row, read_table

NAMES = {60_000: "1", 180_000: "3", 300_000: "5", 900_000: "15", 1_800_000: "30", 3_600_000: "60", 7_200_000: "120",
         14_400_000: "240", 21_600_000: "360", 43_200_000: "720", 86_400_000: "D"}  # fmt: skip


@dataclass
class Fault:
    """Something that goes wrong.

    action  on the socket: drop (close frame), abort (no close frame), mute, missing (no confirm), repeat, late
            (the previous bar once more), forming (a burst of unconfirmed frames), garbage, huge, future, refuse (new sockets)
            on REST: http (answers `status`), empty (200 without a body), hole (kline rows of the bar are not given)
    bar     live bar at whose close it strikes, counted from 0; for REST faults: from that bar on
    bars    how many bars it lasts (drop: the socket stays refused for so long; 1: back at once)
    times   how many REST requests it hits
    symbol  only this one ("" means all); path: only REST paths that contain it
    """

    action: str
    bar: int = 0
    bars: int = 1
    times: int = 1
    status: int = 503
    symbol: str = ""
    path: str = ""

    def strikes(self, bar: int, symbol: str) -> bool:
        return self.bar <= bar < self.bar + self.bars and self.symbol in ("", symbol)


@dataclass
class Peer:
    """One public socket and what it subscribed to."""

    socket: web.WebSocketResponse
    request: web.Request
    topics: set[str] = field(default_factory=set)


class FakeBybit:
    """Serves the given candles: those closed before `start` are history, the rest happens as `advance` is called."""

    def __init__(
        self, candles: Mapping[str, Sequence[Row]], *, timeframe: int = 60_000, start: int, faults: Iterable[Fault] = (),
        funding: Mapping[str, Sequence[tuple[int, float]]] | None = None, forming: int = 2, port: int = 0,
    ) -> None:  # fmt: skip
        self.candles = {symbol: {row[0]: row for row in rows} for symbol, rows in candles.items()}
        self.timeframe = timeframe
        self.start = self.now = start
        self.faults = list(faults)
        self.funding = {symbol: list(rows) for symbol, rows in (funding or {}).items()}
        self.forming = forming
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.connects = 0
        self.refusing = self._refused = False
        self.muted = self._silenced = False
        self.acknowledge = True
        self.pongs = True
        self.first_subscription = asyncio.Event()
        self._port = port
        self._peers: list[Peer] = []
        self._runner: web.AppRunner | None = None
        self.rest = self.ws = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v5/market/{path:.*}", self._rest)
        app.router.add_get("/v5/public/linear", self._socket)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.rest, self.ws = f"http://127.0.0.1:{self._port}", f"ws://127.0.0.1:{self._port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop(closing=False)
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def sockets(self) -> int:
        """Sockets that are open now."""
        return len(self._peers)

    @property
    def connections(self) -> int:
        """Connections that clients hold open now, REST and sockets."""
        server = self._runner.server if self._runner is not None else None
        return len(server.connections) if server is not None else 0

    @property
    def subscribed(self) -> int:
        """Sockets that have subscribed to something."""
        return sum(bool(peer.topics) for peer in self._peers)

    @property
    def bar(self) -> int:
        """The live bar that is forming, counted from 0."""
        return (self.now - self.start) // self.timeframe

    # ---- what happens

    async def advance(self, bars: int = 1, pause: float = 0.0) -> None:
        """Let so many bars form and close: forming frames, then the confirmed one, with the faults of the script."""
        for _ in range(bars):
            number, opened = self.bar, self.now // self.timeframe * self.timeframe
            for step in range(self.forming):
                self.now = opened + (step + 1) * self.timeframe // (self.forming + 1)
                await asyncio.sleep(pause / (self.forming + 1))
                for symbol in self.candles:
                    await self._push(symbol, opened, confirm=False)
                    await self._push_ticker(symbol, opened, snapshot=False)
            await asyncio.sleep(pause / (self.forming + 1))
            self.now = opened + self.timeframe
            for symbol in self.candles:
                await self._close_bar(symbol, number, opened)
            await self._after(number)

    async def run(self, speed: float, bars: int | None = None) -> None:
        """Advance bar by bar at `speed` bars' time a second, until the candles end."""
        last = max(max(rows) for rows in self.candles.values())
        while self.now <= last and (bars is None or self.bar < bars):
            await self.advance(pause=self.timeframe / 1_000 / speed)

    async def drop(self, *, closing: bool = True) -> None:
        """End every socket, with a close frame or by cutting the connection."""
        peers, self._peers = self._peers, []
        for peer in peers:
            transport = peer.request.transport
            if not closing and transport is not None:
                transport.abort()
            else:
                with suppress(ConnectionError, RuntimeError):
                    await asyncio.wait_for(peer.socket.close(code=1001), 0.2)

    async def send_text(self, text: str) -> None:
        """Send these characters to every socket as they are."""
        for peer in list(self._peers):
            with suppress(ConnectionError, RuntimeError):
                await peer.socket.send_str(text)

    async def _close_bar(self, symbol: str, number: int, opened: int) -> None:
        actions = [fault.action for fault in self.faults if fault.strikes(number, symbol)]
        if "forming" in actions:
            for _ in range(50):
                await self._push(symbol, opened, confirm=False)
        if "late" in actions:
            await self._push(symbol, opened - self.timeframe, confirm=True)
        if "garbage" in actions:
            await self._send(f"kline.{NAMES[self.timeframe]}.{symbol}", '{"topic":"kline.1')
            await self._send(f"kline.{NAMES[self.timeframe]}.{symbol}", "<html>bad gateway</html>")
        if "huge" in actions:
            await self._send(f"kline.{NAMES[self.timeframe]}.{symbol}", '{"topic":"x","data":"' + "x" * (2 << 20) + '"}')
        if "future" in actions:
            await self._push(symbol, opened + 1_000 * self.timeframe, confirm=True, like=opened)
        if "missing" not in actions:
            await self._push(symbol, opened, confirm=True)
        if "repeat" in actions:
            for _ in range(3):
                await self._push(symbol, opened, confirm=True)

    async def _after(self, number: int) -> None:
        here = [fault for fault in self.faults if fault.strikes(number, fault.symbol)]
        lasting = [fault for fault in here if fault.action in ("drop", "abort", "refuse") and fault.bar + fault.bars - 1 > number]
        self._refused = bool(lasting)
        self._silenced = any(fault.action == "mute" and fault.bar + fault.bars - 1 > number for fault in here)
        for fault in here:
            if fault.action in ("drop", "abort") and fault.bar == number:
                await self.drop(closing=fault.action == "drop")

    # ---- the socket

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.refusing or self._refused:
            return web.Response(status=503)
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        self.connects += 1
        peer = Peer(socket, request)
        self._peers.append(peer)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await self._hear(peer, json.loads(message.data))
        finally:
            if peer in self._peers:
                self._peers.remove(peer)
        return socket

    async def _hear(self, peer: Peer, said: dict[str, Any]) -> None:
        number = str(said.get("req_id", ""))
        answer = {"success": True, "ret_msg": "", "conn_id": "fake", "req_id": number, "op": said.get("op")}
        if said.get("op") == "ping":
            if self.pongs:
                await peer.socket.send_json(answer | {"ret_msg": "pong"})
        elif said.get("op") == "subscribe":
            unknown = [topic for topic in said["args"] if topic.split(".")[-1] not in self.candles]
            if unknown:
                await peer.socket.send_json(answer | {"success": False, "ret_msg": f"error:handler not found,topic:{unknown[0]}"})
                return
            peer.topics |= set(said["args"])
            self.first_subscription.set()
            if self.acknowledge:
                await peer.socket.send_json(answer)
            for topic in said["args"]:
                if topic.startswith("tickers."):
                    await self._push_ticker(topic.split(".")[-1], self.now, snapshot=True)

    async def _send(self, topic: str, message: dict[str, Any] | str) -> None:
        if self.muted or self._silenced:
            return
        text = message if isinstance(message, str) else json.dumps(message)
        for peer in list(self._peers):
            if topic in peer.topics:
                with suppress(ConnectionError, RuntimeError):
                    await peer.socket.send_str(text)

    async def _push(self, symbol: str, opened: int, *, confirm: bool, like: int | None = None) -> None:
        row = self.candles[symbol].get(opened if like is None else like)
        if row is None:
            return
        _, open_, high, low, close, volume = row
        if not confirm:
            high, low, close = max(open_, (open_ + high) / 2), min(open_, (open_ + low) / 2), open_
        name = NAMES[self.timeframe]
        bar = {"start": opened, "end": opened + self.timeframe - 1, "interval": name, "open": _text(open_), "close": _text(close),
               "high": _text(high), "low": _text(low), "volume": _text(volume), "turnover": _text(volume * close),
               "confirm": confirm, "timestamp": self.now}  # fmt: skip
        await self._send(f"kline.{name}.{symbol}", {"topic": f"kline.{name}.{symbol}", "data": [bar], "ts": self.now, "type": "snapshot"})

    async def _push_ticker(self, symbol: str, opened: int, *, snapshot: bool) -> None:
        data = self._ticker(symbol)
        if not data:
            return
        if not snapshot:
            data = {"symbol": symbol, "markPrice": data["markPrice"]}
        kind = "snapshot" if snapshot else "delta"
        await self._send(f"tickers.{symbol}", {"topic": f"tickers.{symbol}", "type": kind, "data": data, "cs": 1, "ts": self.now})

    def _ticker(self, symbol: str) -> dict[str, str]:
        row = self.candles[symbol].get(self.now // self.timeframe * self.timeframe)
        if row is None:
            return {}
        price = _text(row[1])
        return {"symbol": symbol, "lastPrice": price, "markPrice": price, "indexPrice": price, "fundingRate": "0.0001",
                "nextFundingTime": str((self.now // 28_800_000 + 1) * 28_800_000), "openInterest": "1000"}  # fmt: skip

    # ---- REST

    async def _rest(self, request: web.Request) -> web.Response:
        path, query = request.match_info["path"], dict(request.query)
        self.requests.append((path, query))
        for fault in self.faults:
            if fault.action in ("http", "empty") and fault.times > 0 and self.bar >= fault.bar and fault.path in path:
                fault.times -= 1
                return web.Response(status=fault.status, text="<html>no</html>") if fault.action == "http" else web.Response()
        answers = {
            "time": self._time, "kline": self._klines, "mark-price-kline": self._klines, "instruments-info": self._instruments,
            "tickers": self._tickers, "funding/history": self._funding,
        }  # fmt: skip
        if path not in answers:
            return self._reply(None, 10017, "Route not found.")
        symbol = query.get("symbol", "")
        if symbol and symbol not in self.candles:
            return self._reply(None, 10001, "Not supported symbols")
        return self._reply(answers[path](query))

    def _reply(self, result: object, code: int = 0, said: str = "OK") -> web.Response:
        return web.json_response({"retCode": code, "retMsg": said, "result": result, "retExtInfo": {}, "time": self.now})

    def _time(self, _: dict[str, str]) -> object:
        return {"timeSecond": str(self.now // 1_000), "timeNano": str(self.now * 1_000_000)}

    def _klines(self, query: dict[str, str]) -> object:
        symbol, limit = query["symbol"], int(query.get("limit", "200"))
        rows = self.candles[symbol]
        holes = {self.start + number * self.timeframe for fault in self.faults if fault.action == "hole" and fault.symbol in ("", symbol)
                 for number in range(fault.bar, fault.bar + fault.bars)}  # fmt: skip
        begin, end = int(query.get("start", "0")), int(query["end"]) if "end" in query else None
        known = [opened for opened in sorted(rows) if begin <= opened <= min(self.now, end or self.now) and opened not in holes]
        chosen = known[:limit] if end is None and "start" in query else known[-limit:]
        return {"category": "linear", "symbol": symbol, "list": [self._rest_row(rows[opened]) for opened in reversed(chosen)]}

    def _rest_row(self, row: Row) -> list[str]:
        opened, open_, high, low, close, volume = row
        if opened + self.timeframe > self.now:  # still forming
            high, low, close = max(open_, (open_ + high) / 2), min(open_, (open_ + low) / 2), open_
        return [str(opened), *(_text(each) for each in (open_, high, low, close, volume, volume * close))]

    def _instruments(self, query: dict[str, str]) -> object:
        symbols = [query["symbol"]] if query.get("symbol") else sorted(self.candles)
        at, limit = int(query.get("cursor") or 0), int(query.get("limit", "500"))
        page = symbols[at : at + limit]
        following = str(at + limit) if at + limit < len(symbols) else ""
        return {"category": "linear", "nextPageCursor": following, "list": [_instrument(symbol) for symbol in page]}

    def _tickers(self, query: dict[str, str]) -> object:
        symbols = [query["symbol"]] if query.get("symbol") else sorted(self.candles)
        return {"category": "linear", "list": [ticker for symbol in symbols if (ticker := self._ticker(symbol))]}

    def _funding(self, query: dict[str, str]) -> object:
        symbol, limit = query["symbol"], int(query.get("limit", "200"))
        begin, end = int(query.get("startTime", "0")), int(query.get("endTime", str(self.now)))
        rows = [(when, rate) for when, rate in self.funding.get(symbol, []) if begin <= when <= min(end, self.now)]
        listed = [{"symbol": symbol, "fundingRate": _text(rate), "fundingRateTimestamp": str(when)} for when, rate in rows]
        return {"category": "linear", "list": listed[::-1][:limit]}


def _text(value: float) -> str:
    return repr(float(value))


def _instrument(symbol: str) -> dict[str, object]:
    return {
        "symbol": symbol, "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": symbol.removesuffix("USDT"),
        "quoteCoin": "USDT", "settleCoin": "USDT", "launchTime": "1585526400000", "deliveryTime": "0", "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10" if symbol == "BTCUSDT" else "0.01"},
        "lotSizeFilter": {"maxOrderQty": "1190.000", "minOrderQty": "0.001", "qtyStep": "0.001", "maxMktOrderQty": "500.000",
                          "minNotionalValue": "5"},
        "fundingInterval": 480,
    }  # fmt: skip


async def serve(fake: FakeBybit, options: argparse.Namespace) -> None:
    """Run as a process until the candles end, or for ever with --stay."""
    async with fake:
        print(json.dumps({"rest": fake.rest, "ws": fake.ws, "url": fake.rest, "start_ms": fake.start, "timeframe_ms": fake.timeframe,
                          "symbols": list(fake.candles)}), flush=True)  # fmt: skip
        with suppress(TimeoutError):
            await asyncio.wait_for(fake.first_subscription.wait(), options.wait)
        await fake.run(options.speed, options.bars)
        print(json.dumps({"end_ms": fake.now, "bars": fake.bar, "connects": fake.connects}), flush=True)
        if options.stay:
            await asyncio.Event().wait()


def prepare(options: argparse.Namespace) -> FakeBybit:
    """The exchange that the command line describes; funding of 0.01 % every eight hours."""
    table = read_table([Path(path) for path in options.candles])
    candles = {symbol: table[symbol] for symbol in (options.symbols.split(",") if options.symbols else sorted(table))}
    opened = max(rows[0][0] for rows in candles.values())
    first = next(iter(candles.values()))[:50]
    timeframe = options.timeframe or min(later[0] - earlier[0] for earlier, later in pairwise(first))
    start = options.start or (opened // timeframe + options.history) * timeframe
    faults = [Fault(**each) for each in json.loads(Path(options.faults).read_text())] if options.faults else []
    settlements = [(when, 1e-4) for when in range(opened // 28_800_000 * 28_800_000, first[0][0] + 400 * 86_400_000, 28_800_000)]
    return FakeBybit(
        candles, timeframe=timeframe, start=start, faults=faults, funding=dict.fromkeys(candles, settlements), port=options.port
    )


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candles", nargs="+", required=True, help="Parquet or CSV files, or folders of them")
    parser.add_argument("--symbols", default="", help="only these, separated by commas")
    parser.add_argument("--timeframe", type=int, default=0, help="bar length in milliseconds (found out when left out)")
    parser.add_argument("--start", type=int, default=0, help="exchange clock at the start, milliseconds")
    parser.add_argument("--history", type=int, default=500, help="bars that are history when --start is left out")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster than the wall clock")
    parser.add_argument("--bars", type=int, default=None, help="stop after so many live bars")
    parser.add_argument("--wait", type=float, default=60.0, help="seconds to wait for the first subscription before time starts")
    parser.add_argument("--faults", default="", help="JSON file: a list of faults")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--stay", action="store_true", help="keep serving after the last bar")
    with suppress(KeyboardInterrupt):
        options = parser.parse_args()
        asyncio.run(serve(prepare(options), options))


if __name__ == "__main__":
    main()
