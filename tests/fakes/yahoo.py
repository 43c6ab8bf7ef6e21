"""Yahoo's chart endpoint on loopback, from a thread: candles by a formula, in the time zone and at the hours of each exchange."""

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlparse
from zoneinfo import ZoneInfo


@dataclass
class Listing:
    """A ticker: kind as Yahoo says it, its zone, and opening hours (hour, minute, bars of a day); None: always open."""

    kind: str = "EQUITY"
    zone: str = "America/New_York"
    hours: tuple[int, int, int] | None = (9, 30, 7)
    scale: float = 1.0  # of the prices: a split restates them
    dividend: float = 0.0  # share of the price by which adjusted closes are lower


@dataclass
class FakeYahoo:
    """Serves these tickers; `refuse` answers so many requests with that status."""

    listings: dict[str, Listing]
    refuse: list[int] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlparse(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                ticker = parts.path.rpartition("/")[2].replace("%5E", "^")
                fake.requests.append((ticker, query))
                status, body = (fake.refuse.pop(), {}) if fake.refuse else fake.answer(ticker, query)
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, ticker: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        listing = self.listings.get(ticker)
        if listing is None:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return 404, {"chart": {"result": None, "error": error}}
        zone = ZoneInfo(listing.zone)
        meta: dict[str, Any] = {
            "currency": "USD", "symbol": ticker, "instrumentType": listing.kind, "exchangeTimezoneName": listing.zone, "timezone": "X",
            "gmtoffset": 0, "regularMarketTime": int(query.get("period2", "0")), "firstTradeDate": 0, "range": "", "priceHint": 2,
            "dataGranularity": query["interval"], "validRanges": ["1d", "max"],
        }  # fmt: skip
        opens = self.opens(listing, zone, int(query.get("period1", "0")), int(query.get("period2", "86400")), query["interval"])
        rows = [prices(at * 1_000, listing.scale) for at in opens]
        quote = {name: [row[place] for row in rows] for place, name in enumerate(("open", "high", "low", "close", "volume"))}
        adjusted = [close * (1 - listing.dividend) for close in quote["close"]]
        result = {"meta": meta, "timestamp": opens, "indicators": {"quote": [quote], "adjclose": [{"adjclose": adjusted}]}}
        if query["interval"] != "1d":
            days: dict[str, list[int]] = {}
            for at in opens:
                days.setdefault(str(datetime.fromtimestamp(at, tz=zone).date()), []).append(at)
            meta["tradingPeriods"] = [
                [{"timezone": "X", "start": each[0], "end": each[-1] + 3_600, "gmtoffset": 0}] for each in days.values()
            ]
        return 200, {"chart": {"result": [result], "error": None}}

    def opens(self, listing: Listing, zone: ZoneInfo, begin: int, end: int, interval: str) -> list[int]:
        day = datetime.fromtimestamp(begin, tz=UTC).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
        out = []
        while day.timestamp() < end:
            if listing.hours is None:
                steps = range(24) if interval == "1h" else range(1)
                out += [int((day + timedelta(hours=n)).timestamp()) for n in steps]
            elif day.weekday() < 5:
                hour, minute, bars = listing.hours
                first = day.replace(hour=hour, minute=minute)
                out += [int(first.timestamp()) + n * 3_600 for n in range(bars)] if interval == "1h" else [int(first.timestamp())]
            day = (day + timedelta(days=1)).replace(tzinfo=None).replace(tzinfo=zone)
        return [at for at in out if begin <= at < end]


def prices(at: int, scale: float = 1.0) -> tuple[float, float, float, float, float]:
    """open, high, low, close, volume of the bar that opens at these milliseconds."""
    base = 100.0 + (at // 3_600_000 * 7 % 50) / 4
    return base * scale, (base + 2) * scale, (base - 1) * scale, (base + 1) * scale, 1_000_000.0 + at // 3_600_000 % 1_000
