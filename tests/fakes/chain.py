"""Coin Metrics (community) and DefiLlama on loopback: the same paths, shapes, pages and oddities, over tables that a test edits."""

from datetime import UTC, datetime
from typing import Any, Self

from aiohttp import web

DAY = 86_400_000
METRICS = ("AdrActCnt", "FlowInExNtv", "FlowOutExNtv")


class FakeChain:
    """Serves `assets[asset][period_ms][metric] = value`, `tvl[period_ms]` and `stablecoins[period_ms]`.

    failing  HTTP status that every path answers with, while it is set; broken  a body that every path answers with
    """

    def __init__(self) -> None:
        self.assets: dict[str, dict[int, dict[str, Any]]] = {}
        self.tvl: dict[int, float] = {}
        self.stablecoins: dict[int, float] = {}
        self.failing: int | None = None
        self.broken: bytes | None = None
        self.page_size: int | None = None
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v4/timeseries/asset-metrics", self._assets)
        app.router.add_get("/v2/historicalChainTvl", self._tvl)
        app.router.add_get("/stablecoincharts/all", self._stablecoins)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """Connections that clients hold open now."""
        server = self._runner.server if self._runner is not None else None
        return len(server.connections) if server is not None else 0

    def fill(self, asset: str, first: int, days: int, *, addresses: float = 1000.0, inflow: float = 50.0, outflow: float = 40.0) -> None:
        """So many days of gently moving values."""
        for day in range(days):
            wave = 1 + 0.01 * (day % 5)
            self.assets.setdefault(asset, {})[first + day * DAY] = {
                "AdrActCnt": addresses * wave, "FlowInExNtv": inflow * wave, "FlowOutExNtv": outflow * wave,
                "FlowInExNtv-status": "reviewed", "FlowOutExNtv-status": "reviewed",
            }  # fmt: skip

    def _spoiled(self, request: web.Request) -> web.Response | None:
        self.requests.append((request.path, dict(request.query)))
        if self.failing is not None:
            return web.Response(status=self.failing)
        return web.Response(body=self.broken, content_type="application/json") if self.broken is not None else None

    async def _assets(self, request: web.Request) -> web.Response:
        spoiled = self._spoiled(request)
        if spoiled is not None:
            return spoiled
        query = request.query
        start = int(datetime.fromisoformat(query["start_time"]).replace(tzinfo=UTC).timestamp() * 1_000)
        wanted = [asset for asset in query["assets"].split(",") if asset in self.assets]
        if not wanted and query.get("ignore_unsupported_errors") != "true":
            return web.json_response({"error": {"type": "bad_parameter", "message": "unsupported assets"}}, status=400)
        rows = [self._row(asset, when) for asset in sorted(wanted) for when in sorted(self.assets[asset]) if when >= start]
        size = min(int(query.get("page_size", "100")), self.page_size or 10_000)
        at = int(query.get("next_page_token") or 0)
        reply: dict[str, Any] = {"data": rows[at : at + size]}
        if at + size < len(rows):
            reply |= {"next_page_token": str(at + size), "next_page_url": "http://192.168.0.1/never-follow-this"}
        return web.json_response(reply)

    def _row(self, asset: str, when: int) -> dict[str, Any]:
        time = datetime.fromtimestamp(when / 1_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
        stated = {name: None if value is None else str(value) for name, value in self.assets[asset][when].items()}
        return {"asset": asset, "time": time, **stated}

    async def _tvl(self, request: web.Request) -> web.Response:
        rows = [{"date": when // 1_000, "tvl": value} for when, value in sorted(self.tvl.items())]
        return self._spoiled(request) or web.json_response(rows)

    async def _stablecoins(self, request: web.Request) -> web.Response:
        rows = [
            {"date": str(when // 1_000), "totalCirculating": {"peggedUSD": value, "peggedEUR": 1.0},
             "totalCirculatingUSD": {"peggedUSD": value - 2.0, "peggedEUR": 2.0}}
            for when, value in sorted(self.stablecoins.items())
        ]  # fmt: skip
        return self._spoiled(request) or web.json_response(rows)
