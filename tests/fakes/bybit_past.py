"""Bybit's market history on loopback: every public endpoint that a download asks, with its limits, cursors, headers and moods.

Values are a formula of the instant, so any span of years is there without a table, and a test can say what must have been stored.
It serves from a thread of its own: the client may be in this process or in another one.
"""

import asyncio
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
INTERVALS = {"1": MINUTE, "3": 3 * MINUTE, "5": 5 * MINUTE, "15": 15 * MINUTE, "30": 30 * MINUTE, "60": HOUR, "120": 2 * HOUR,
             "240": 4 * HOUR, "360": 6 * HOUR, "720": 12 * HOUR, "D": DAY}  # fmt: skip
PERIODS = {"5min": 5 * MINUTE, "15min": 15 * MINUTE, "30min": 30 * MINUTE, "1h": HOUR, "4h": 4 * HOUR, "1d": DAY}
MOST = {"kline": 1_000, "mark-price-kline": 1_000, "index-price-kline": 1_000, "premium-index-price-kline": 1_000,
        "funding/history": 200, "open-interest": 200, "account-ratio": 500, "instruments-info": 1_000}  # fmt: skip
USUAL = {"funding/history": 200, "open-interest": 50, "account-ratio": 50, "instruments-info": 500}


@dataclass
class Fault:
    """Something that goes wrong with requests to `path` ("": to any), after `skip` of them, `times` times.

    action  http (answers `status`, with `headers`), code (retCode `code`, with `headers`), body (an empty 200), half (JSON cut off),
            page (rows are left out: every second one), none (an empty list), garbage (rows that are no rows), hang (no answer)
    """

    action: str
    path: str = ""
    skip: int = 0
    times: int = 1
    status: int = 502
    code: int = 10006
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Contract:
    """A linear contract: when it has rows (first, end), the bars that the exchange never had, and its settlements."""

    symbol: str
    first: int
    end: int | None = None
    launch: int | None = None
    holes: tuple[tuple[int, int], ...] = ()
    funding_hours: int = 8
    status: str = "Trading"
    tick: str = "0.10"


def price(symbol: str, at: int, salt: int = 0) -> float:
    """A price of this instant: the same wherever it is asked for."""
    mixed = (at // MINUTE * 2_654_435_761 + sum(map(ord, symbol)) * 97 + salt * 7_919) % 100_003
    return round(20_000 + (at // DAY) % 3_000 + mixed / 1_000, 2)


def bar(symbol: str, at: int, salt: int = 0) -> tuple[float, float, float, float, float, float]:
    """open, high, low, close, volume, turnover of the bar that opens here."""
    open_, close = price(symbol, at, salt), price(symbol, at, salt + 1)
    high, low = max(open_, close) + 5.5, min(open_, close) - 4.25
    volume = round(1 + price(symbol, at, salt + 2) % 50, 3)
    return open_, high, low, close, volume, round(volume * close, 4)


def rate(symbol: str, at: int) -> float:
    return round((price(symbol, at, 3) % 10 - 5) / 10_000, 8)


def interest(symbol: str, at: int) -> float:
    return round(50_000 + price(symbol, at, 4) % 1_000, 3)


def buyers(symbol: str, at: int) -> float:
    return round(0.3 + price(symbol, at, 5) % 0.4, 4)


class FakePast:
    """Serves these contracts as they are at `now`. `requests` lists (path, query) as they came."""

    def __init__(self, contracts: Iterable[Contract], now: int, faults: Iterable[Fault] = (), *, delay: float = 0.0) -> None:
        self.contracts = {each.symbol: each for each in contracts}
        self.now = now
        self.faults = list(faults)
        self.delay = delay
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.rest = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self._over = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def asked(self, path: str) -> list[dict[str, str]]:
        """The queries of the requests to this path."""
        return [query for each, query in self.requests if each == path]

    async def _begin(self) -> None:
        app = web.Application()
        app.router.add_get("/v5/market/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.rest = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _end(self) -> None:
        self._over.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, query = request.match_info["path"], dict(request.query)
        self.requests.append((path, query))
        if self.delay:
            await asyncio.sleep(self.delay)
        fault = self._fault(path)
        if fault is not None and fault.action == "hang":
            await self._over.wait()
        if fault is not None and fault.action in ("http", "body"):
            status = fault.status if fault.action == "http" else 200
            return web.Response(status=status, text="<html>no</html>" if fault.action == "http" else "", headers=fault.headers)
        if fault is not None and fault.action == "code":
            return self._reply(None, fault.code, "Too many visits!", fault.headers)
        result, code, said = self._result(path, query)
        if fault is not None and isinstance(result, dict) and "list" in result:
            result["list"] = {"page": result["list"][::2], "none": [], "garbage": [["x"], None, {"a": 1}, ["1", "2"]]}.get(
                fault.action, result["list"]
            )
        reply = self._reply(result, code, said)
        if fault is not None and fault.action == "half":
            return web.Response(text=str(reply.text)[: len(str(reply.text)) // 2], content_type="application/json")
        return reply

    def _fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.path in ("", path) and fault.times > 0:
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def _reply(self, result: object, code: int = 0, said: str = "OK", headers: dict[str, str] | None = None) -> web.Response:
        body = {"retCode": code, "retMsg": said, "result": result if result is not None else {}, "retExtInfo": {}, "time": self.now}
        return web.Response(text=json.dumps(body), content_type="application/json", headers=headers)

    def _result(self, path: str, query: dict[str, str]) -> tuple[Any, int, str]:  # Any: JSON
        if path == "time":
            return {"timeSecond": str(self.now // 1_000), "timeNano": str(self.now * 1_000_000)}, 0, "OK"
        if path not in MOST:
            return None, 10017, "Route not found."
        if query.get("category") != "linear":
            return None, 10001, "Illegal category"
        if int(query.get("limit", "1")) > MOST[path]:
            return None, 10001, "Parameter error: limit"
        if path == "instruments-info":
            return self._instruments(query), 0, "OK"
        contract = self.contracts.get(query.get("symbol", ""))
        if contract is None:
            return None, 10001, "Not supported symbols"
        limit = int(query.get("limit", str(USUAL.get(path, 200))))
        if path.endswith("kline"):
            return self._bars(path, contract, query, limit), 0, "OK"
        if path == "funding/history" and "startTime" in query and "endTime" not in query:
            return None, 10001, "startTime without endTime"
        return self._slow(path, contract, query, limit), 0, "OK"

    def _times(self, contract: Contract, step: int, begin: int, end: int, limit: int, *, holes: bool = True) -> list[int]:
        """The newest `limit` instants within [begin, end] that have a row, newest first."""
        last = min(end, self.now, (contract.end - 1) if contract.end is not None else self.now)
        first = max(begin, contract.first)
        found: list[int] = []
        at = last // step * step
        while at >= first and len(found) < limit:
            if not (holes and any(a <= at < b for a, b in contract.holes)):
                found.append(at)
            at -= step
        return found

    def _bars(self, path: str, contract: Contract, query: dict[str, str], limit: int) -> dict[str, Any]:  # Any: JSON
        step = INTERVALS[query["interval"]]
        begin, end = int(query.get("start", "0")), int(query.get("end", str(self.now)))
        salt = {"kline": 0, "mark-price-kline": 10, "index-price-kline": 20, "premium-index-price-kline": 30}[path]
        rows = []
        for at in self._times(contract, step, begin, end, limit):
            values = bar(contract.symbol, at, salt)
            if salt == 30:
                values = tuple(round(value / 1e8, 8) for value in values)  # type: ignore[assignment]
            rows.append([str(at), *(repr(value) for value in values[: 6 if path == "kline" else 4])])
        return {"category": "linear", "symbol": contract.symbol, "list": rows}

    def _slow(self, path: str, contract: Contract, query: dict[str, str], limit: int) -> dict[str, Any]:  # Any: JSON
        begin, end = int(query.get("startTime", "0")), int(query.get("endTime", str(self.now)))
        end = min(end, int(query["cursor"])) if query.get("cursor") else end
        if path == "funding/history":
            step = contract.funding_hours * HOUR
        else:
            step = PERIODS[query["intervalTime" if path == "open-interest" else "period"]]
        times = self._times(contract, step, begin, end, limit + 1, holes=path != "funding/history")
        listed = [self._row(path, contract.symbol, at) for at in times[:limit]]
        following = str(times[limit]) if len(times) > limit and path != "funding/history" else ""
        return {"category": "linear", "symbol": contract.symbol, "list": listed, "nextPageCursor": following}

    def _row(self, path: str, symbol: str, at: int) -> dict[str, str]:
        if path == "funding/history":
            return {"symbol": symbol, "fundingRate": repr(rate(symbol, at)), "fundingRateTimestamp": str(at)}
        if path == "open-interest":
            value = interest(symbol, at)
            return {"openInterest": repr(value), "singleOpenInterest": repr(value / 2), "timestamp": str(at)}
        share = buyers(symbol, at)
        return {"symbol": symbol, "buyRatio": repr(share), "sellRatio": repr(round(1 - share, 4)), "timestamp": str(at)}

    def _instruments(self, query: dict[str, str]) -> dict[str, Any]:  # Any: JSON
        state = query.get("status", "Trading")
        chosen = [each for each in self.contracts.values() if each.status == state and query.get("symbol", each.symbol) == each.symbol]
        return {"category": "linear", "nextPageCursor": "", "list": [self._instrument(each) for each in chosen]}

    def _instrument(self, contract: Contract) -> dict[str, Any]:  # Any: JSON
        symbol = contract.symbol
        return {
            "symbol": symbol, "contractType": "LinearPerpetual", "status": contract.status, "baseCoin": symbol.removesuffix("USDT"),
            "quoteCoin": "USDT", "settleCoin": "USDT", "launchTime": str(contract.launch or contract.first), "deliveryTime": "0",
            "deliveryFeeRate": "", "priceScale": "2",
            "leverageFilter": {"minLeverage": "1", "maxLeverage": "75.00", "leverageStep": "0.01"},
            "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": contract.tick},
            "lotSizeFilter": {"maxOrderQty": "1190.000", "minOrderQty": "0.002", "qtyStep": "0.002", "maxMktOrderQty": "120.000",
                              "minNotionalValue": "7"},
            "fundingInterval": contract.funding_hours * 60,
        }  # fmt: skip
