"""What a run came to, as text: the same few lines at the end of replay, paper and demo. `sluice report` has all of it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot.render import Out, ago, clock, money, pairs, percent, plain
from feeds.times import span_text

if TYPE_CHECKING:
    from bot.results import ReplayResult

SHARE, RATIO, COUNT, SPAN, MONEY = "share", "ratio", "count", "span", "money"
# metric -> what it is called on the screen, and how it is written; docs/metrics.md has the formulas
METRICS = (
    ("total_return", "total return", SHARE),
    ("annualised_return", "annualised return", SHARE),
    ("volatility", "volatility, annualised", SHARE),
    ("sharpe", "Sharpe", RATIO),
    ("sortino", "Sortino", RATIO),
    ("max_drawdown", "maximum drawdown", SHARE),
    ("calmar", "Calmar", RATIO),
    ("underwater_ms", "longest under water", SPAN),
    ("win_rate", "win rate of bars", SHARE),
    ("profit_factor", "profit factor of bars", RATIO),
    ("ic", "information coefficient", RATIO),
    ("ic_t", "its t statistic", RATIO),
    ("trades", "round trips", COUNT),
    ("win_rate_trades", "win rate of trips", SHARE),
    ("profit_factor_trades", "profit factor of trips", RATIO),
    ("average_trade", "average trip", MONEY),
    ("time_in_market", "time in the market", SHARE),
    ("exposure", "mean exposure", SHARE),
    ("turnover", "turnover a day", RATIO),
    ("num_periods", "periods", COUNT),
)


def lines(result: "ReplayResult", out: Out) -> list[str]:
    """A readable account of a result: what was traded, what happened, what it cost, how good it was."""
    market = f"{' '.join(result.symbols)}, {span_text(result.timeframe)} bars{', SYNTHETIC' if result.synthetic else ''}"
    rows = [
        ("run", f"{result.run}  {result.mode}"),
        ("market", market),
        ("span", f"{clock(result.start)} .. {clock(result.stop)} UTC"),
        ("settled", f"{result.bars:,} bars, {result.decisions:,} decisions, {result.orders:,} orders, {result.fills:,} fills"),
        ("refused", f"{result.refusals:,}"),
        ("costs", f"fees {money(result.fees)}  funding {money(result.funding)}  slippage {money(result.slippage)}"),
        ("took", f"{result.seconds:.2f} s, {result.bars_per_second:,.0f} bars/s"),
        ("digest", result.digest),
    ]
    text = pairs(rows)
    text.insert(5, f"equity   {_equity(result, out)}")
    warnings = (*result.warnings, *_stopped(result))
    return [*text, "", *metrics(result.metrics), *(out.style(f"warning: {plain(line, 1000)}", "yellow") for line in warnings)]


def _stopped(result: "ReplayResult") -> list[str]:
    """What a reader must know of figures that go on after trading has ended."""
    end = result.stopped
    if end is None:
        return []
    whole = result.stop - result.start
    idle = f"; for the last {(result.stop - end.since) / whole:.0%} of the time nothing was entered" if whole > 0 else ""
    more = "; --set risk.max_drawdown=1 trades on whatever is lost" if end.by == "max_drawdown" and result.mode == "replay" else ""
    return [f"trading is {result.state} since {clock(end.since)} UTC, by {end.by}: {end.reason}{idle}{more}"]


def metrics(figures: Mapping[str, Any]) -> list[str]:  # Any: numbers, and None where one cannot be had
    """The main metrics in two columns."""
    shown = [(label, value(figures[name], kind)) for name, label, kind in METRICS if name in figures]
    half = (len(shown) + 1) // 2
    left, right = shown[:half], [*shown[half:], ("", "")]
    return [f"{a:<24}{x:>12}    {b:<24}{y:>12}".rstrip() for (a, x), (b, y) in zip(left, right, strict=False)]


def value(figure: float | None, kind: str) -> str:
    """A metric as its kind is written; a dash where it cannot be had."""
    if figure is None or figure != figure:
        return "-"
    match kind:
        case "share":
            return percent(figure)
        case "count":
            return f"{figure:,.0f}"
        case "span":
            return ago(0, int(figure)).removesuffix(" ago")
        case "money":
            return money(figure)
        case _:
            return f"{figure:,.3f}"


def _equity(result: "ReplayResult", out: Out) -> str:
    start, end = Decimal(result.equity_start), Decimal(result.equity_end)
    change = end - start
    share = f" ({float(change / start) * 100:+.2f}%)" if start else ""
    return f"{money(start)} -> {money(end)}  {out.style(f'{change:+,.2f}{share}', 'green' if change >= 0 else 'red')}"
