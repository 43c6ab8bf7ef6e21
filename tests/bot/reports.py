"""Reports for tests: one with everything, one with nothing; and texts that mean harm."""

from decimal import Decimal

import msgspec
import numpy as np

from bot.events import Purpose
from bot.ic import SymbolIC
from bot.metrics import Metrics, measure
from bot.report import Chart, Costs, Mark, Refused, RunReport, SignalPart, SymbolPart
from bot.report_rolling import rolling
from bot.report_store import curve_of, days_of, months_of
from bot.shortfall import Shortfall
from bot.store.rows import EquityPoint
from bot.trips import RoundTrip
from feeds.times import HOUR
from strategies.events import Side

BEGIN = 1_688_169_600_000  # 2023-07-01T00:00Z

SPITE = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "javascript:alert(1)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!--><script>alert(1)</script>",
    "<a href=https://example.invalid/x>x</a><link rel=stylesheet href=//example.invalid/x.css>",
    "url(https://example.invalid/x)",
    "\x1b]0;owned\x07\x1b[2J",
    "\u202egnp.exe\u200b\x00",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "{{7*7}}${7*7}<%=7*7%>",
)


def trip(n: int, pnl: str = "1.5", *, symbol: str = "BTCUSDT", still_open: bool = False) -> RoundTrip:
    return RoundTrip(
        symbol=symbol, side=Side.LONG if n % 2 else Side.SHORT, entry_ms=BEGIN + n * 10 * HOUR,
        exit_ms=None if still_open else BEGIN + (n * 10 + 7) * HOUR, quantity=Decimal("0.031"), entry=Decimal("61204.51234"),
        exit=None if still_open else Decimal("61288.4"), pnl=Decimal(pnl), fees=Decimal("1.11"), funding=Decimal("0.02"),
        slippage=Decimal("0.61"), opened_by=Purpose.ENTRY, closed_by=None if still_open else Purpose.EXIT,
    )  # fmt: skip


def chart(spite: str = "") -> Chart:
    """A day of hours with a hole in it, held from the sixth to the tenth, and a mark of some kinds."""
    known = [None if n in (3, 4) else 61_000.0 + 10 * n for n in range(24)]
    marks = (
        Mark(BEGIN + 6 * HOUR, 61_055.5, "long", "entry: BUY 0.5" + spite), Mark(BEGIN + 8 * HOUR, 61_100.0, "short", "flip"),
        Mark(BEGIN + 9 * HOUR, 61_090.0, "refused_short", "entry refused" + spite), Mark(BEGIN + 10 * HOUR, 61_120.0, "stop", "stop loss"),
    )  # fmt: skip
    return Chart(
        "BTCUSDT" + spite, tuple(BEGIN + (n + 1) * HOUR for n in range(24)), tuple(v and v - 5 for v in known),
        tuple(v and v + 5 for v in known), tuple(known),
        (BEGIN + 6 * HOUR, BEGIN + 8 * HOUR, BEGIN + 10 * HOUR), (0.5, -0.25, 0.0), marks, 1,
    )  # fmt: skip


def full(spite: str = "") -> RunReport:
    """Twenty days of hours with something in every part; `spite` stands wherever text comes from outside."""
    hours = 24 * 20
    equity = 10_000 * np.cumprod(1 + np.random.default_rng(2).standard_t(4, hours) * 0.002)
    gross = np.abs(np.sin(np.arange(hours) / 9)) * equity * 0.4
    points = [EquityPoint(BEGIN + (i + 1) * HOUR, float(equity[i]), 0.0, float(gross[i]), -float(gross[i])) for i in range(hours)]
    trips = (*(trip(n, str(n - 3)) for n in range(10)), trip(11, "0", still_open=True))
    metrics = measure(equity, HOUR, start=10_000.0, first_close_ms=BEGIN + HOUR, gross=gross, traded=gross / 20, trips=trips, costs=41.5)
    metrics = msgspec.structs.replace(metrics, ic=0.01, ic_t=1.2, ic_by_symbol=(SymbolIC("BTCUSDT" + spite, 470, 0.02, 1.3, None, None),))
    curve = curve_of(points, 10_000.0, HOUR)
    return RunReport(
        run="R-9f3c2ab41d00" + spite, mode="replay", symbols=("BTCUSDT", "ETHUSDT" + spite), timeframe=HOUR, start_ms=BEGIN,
        end_ms=BEGIN + hours * HOUR, equity_start=Decimal(10_000), equity_end=Decimal(str(round(float(equity[-1]), 2))), metrics=metrics,
        synthetic=True, curve=curve, months=months_of(curve), days=days_of(curve), trades=trips,
        costs=Costs(
            Decimal("31.2"), Decimal("-1.9"), Decimal("12.2"), Decimal("51234.5"), Decimal("1.2"), Shortfall(2.0, 4.0, 7.2, -1.0)
        ),
        rolling=rolling(curve, HOUR), charts=(chart(spite),), skipped=(("weak_score", 890), ("D_COOL_DOWN" + spite, 40)), traded=30,
        refused=(Refused(BEGIN + 5 * HOUR, "BTCUSDT" + spite, "LONG", "entry", 61_000.5, "D_COOL_DOWN", "3 bars to go" + spite),),
        remainder=(("open positions", 1.25),), settings=(("costs.taker_bps", "5.5"), ("strategy.factors.mom" + spite, "close" + spite)),
        by_symbol=(SymbolPart("BTCUSDT" + spite, 22, Decimal(51_234), Decimal("15.2"), Decimal(31), Decimal("-1.9"), Decimal("12.2")),),
        by_signal=(SignalPart("price_momentum" + spite, 10, 0.12, 8.1), SignalPart("sentiment_news", 8, 0.05, -3.5)),
        reasons=(("weak_score", 900), ("above_entry" + spite, 60)), refusals=(("D_COOL_DOWN" + spite, 40),),
        factors=(("mom" + spite, "ts_zscore(close, 20)" + spite),), assumptions=(("Fees", "taker 5.5 bps" + spite),),
        warnings=("ETHUSDT misses 12 bars at 2023-07-04T00:00:00Z" + spite,), seed=7, digest="ab" * 32, data_hash="cd" * 32,
        config_hash="ef" * 32, versions=(("numpy", "2.4" + spite),), command="sluice replay --candles data --seed 7" + spite,
    )  # fmt: skip


def least() -> RunReport:
    """A run that has done nothing."""
    return RunReport(
        run="R-0", mode="paper", symbols=(), timeframe=HOUR, start_ms=BEGIN, end_ms=BEGIN, equity_start=Decimal(1), equity_end=Decimal(1),
        metrics=Metrics(num_periods=0, periods_per_year=8760.0),
    )  # fmt: skip
