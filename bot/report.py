"""What a run came to, as one value and as tables: the terminal, the HTML page and scripts show the same.

The rule: figures are laid out here and worked out elsewhere. Text from outside is carried as it is; who shows it makes it harmless.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from bot.metrics import Metrics
from bot.render import clock, money, number, pairs, plain, table
from bot.trips import RoundTrip
from feeds.times import DAY, HOUR, span_text

ZERO = Decimal(0)
SYNTHETIC = "synthetic market: invented prices and headlines, not history"


class Curve(msgspec.Struct, frozen=True):
    """The account over time, arrays of one length.

    at_ms     bar closes;  equity  quote currency
    drawdown  below the highest equity so far, a fraction <= 0
    gross, net  position notional as a share of equity (net: long less short)
    """

    at_ms: tuple[int, ...] = ()
    equity: tuple[float, ...] = ()
    drawdown: tuple[float, ...] = ()
    gross: tuple[float, ...] = ()
    net: tuple[float, ...] = ()


class SymbolPart(msgspec.Struct, frozen=True):
    """What one symbol contributed. pnl is net of fees and funding, slippage is contained in it; traded: notional of its fills."""

    symbol: str
    fills: int
    traded: Decimal
    pnl: Decimal
    fees: Decimal
    funding: Decimal
    slippage: Decimal


class SignalPart(msgspec.Struct, frozen=True):
    """What one signal contributed to the entries.

    entries  of how many round trips it had a part;  size  mean |contribution| to their scores
    pnl      each closed trip's profit, shared by contribution / score: signals that disagreed get the opposite sign, and the
             parts of a trip add up to its profit
    """

    name: str
    entries: int
    size: float
    pnl: float


class Costs(msgspec.Struct, frozen=True):
    """Quote currency; positive means paid. traded: notional of all fills."""

    fees: Decimal = ZERO
    funding: Decimal = ZERO
    slippage: Decimal = ZERO
    traded: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.fees + self.funding + self.slippage


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the report of a run shows.

    mode       replay, paper or live;  synthetic  the market was invented
    start_ms, end_ms  the span that was traded, UTC milliseconds
    months     (year, month, return);  days  (start of the UTC day, return)
    reasons    decisions by reason, in bar closes times symbols;  refusals  by code
    """

    run: str
    mode: str
    symbols: tuple[str, ...]
    timeframe: int
    start_ms: int
    end_ms: int
    equity_start: Decimal
    equity_end: Decimal
    metrics: Metrics
    state: str = "finished"
    synthetic: bool = False
    curve: Curve = Curve()
    months: tuple[tuple[int, int, float], ...] = ()
    days: tuple[tuple[int, float], ...] = ()
    trades: tuple[RoundTrip, ...] = ()
    costs: Costs = Costs()
    by_symbol: tuple[SymbolPart, ...] = ()
    by_signal: tuple[SignalPart, ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()
    refusals: tuple[tuple[str, int], ...] = ()
    factors: tuple[tuple[str, str], ...] = ()
    assumptions: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    seed: int = 0
    digest: str = ""
    data_hash: str = ""
    config_hash: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    command: str = ""


class Figure(msgspec.Struct, frozen=True):
    """A metric as it is shown: field of Metrics, label, how it is written, and what it means in one line."""

    field: str
    label: str
    write: Callable[[float], str]
    meaning: str


class Table(msgspec.Struct, frozen=True):
    """Rows of text below a title; `right` are the columns that hold numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    note: str = ""


def share(value: float) -> str:
    """+1.23%"""
    return f"{100 * value:+,.2f}%"


def _plain_share(value: float) -> str:
    return f"{100 * value:,.2f}%"


def _ratio(value: float) -> str:
    return f"{value:,.2f}"


def _fine(value: float) -> str:
    return f"{value:+.4f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _cash(value: float) -> str:
    return f"{value:+,.2f}"


def _bps(value: float) -> str:
    return f"{1e4 * value:,.1f} bps"


def _bars(value: float) -> str:
    return f"{value:,.1f} bars"


def _span(value: float) -> str:
    return f"{value / DAY:,.1f} days" if value >= DAY else f"{value / HOUR:,.1f} h"


FIGURES = (
    Figure("total_return", "Total return", share, "last equity / first - 1"),
    Figure("annualised_return", "Annualised return", share, "compound, on a year of 365 days; from one day of data on"),
    Figure("volatility", "Volatility", _plain_share, "deviation of bar returns, a year"),
    Figure("sharpe", "Sharpe ratio", _ratio, "mean / deviation of bar returns, a year, no interest"),
    Figure("sharpe_error", "Error of Sharpe", _ratio, "standard error, with skew and tails"),
    Figure("sharpe_probability", "P(Sharpe > 0)", _plain_share, "that the true ratio is positive, for this one trial"),
    Figure("sharpe_daily", "Sharpe, whole days", _ratio, "the same from returns of whole UTC days"),
    Figure("sortino", "Sortino ratio", _ratio, "mean / root of the mean squared loss, over all bars"),
    Figure("max_drawdown", "Maximum drawdown", share, "deepest fall from a peak"),
    Figure("drawdown_from_ms", "Drawdown from", lambda at: clock(int(at)), "the peak before it"),
    Figure("drawdown_to_ms", "Drawdown to", lambda at: clock(int(at)), "its lowest close"),
    Figure("underwater_ms", "Longest below a peak", _span, "until the peak was reached again, or the end"),
    Figure("calmar", "Calmar ratio", _ratio, "annualised return / maximum drawdown"),
    Figure("win_rate", "Win rate of bars", _plain_share, "bars with a gain, of all bars"),
    Figure("win_rate_active", "Win rate of moving bars", _plain_share, "bars with a gain, of bars with a gain or loss"),
    Figure("profit_factor", "Profit factor", _ratio, "sum of gains / sum of losses of bar returns"),
    Figure("skew", "Skew", _ratio, "of bar returns"),
    Figure("kurtosis", "Excess kurtosis", _ratio, "of bar returns; 0 for a normal law"),
    Figure("best_day", "Best day", share, "UTC"),
    Figure("worst_day", "Worst day", share, "UTC"),
    Figure("exposure", "Exposure", _plain_share, "mean gross position / equity"),
    Figure("time_in_market", "Time in market", _plain_share, "bar closes with a position"),
    Figure("turnover", "Turnover a day", _ratio, "one-way: half of what was bought and sold / equity"),
    Figure("trades", "Round trips", _count, "from flat to flat, closed"),
    Figure("win_rate_trades", "Win rate of trades", _plain_share, "closed round trips with a net gain"),
    Figure("profit_factor_trades", "Profit factor of trades", _ratio, "sum of net gains / sum of net losses"),
    Figure("average_trade", "Average trade", _cash, "mean net profit, quote currency"),
    Figure("expectancy", "Expectancy", _bps, "mean net profit / notional at entry"),
    Figure("average_bars", "Average holding", _bars, "of closed round trips"),
    Figure("costs", "Costs", _cash, "fees, funding and slippage, quote currency"),
    Figure("costs_share", "Costs of gross profit", _plain_share, "costs / profit before costs"),
    Figure("cost_rate", "Cost of trading", _bps, "costs / notional traded"),
    Figure("ic", "IC", _fine, "correlation of the score with the next executable return"),
    Figure("ic_t", "t of IC", _ratio, "robust to autocorrelation"),
    Figure("rank_ic", "Rank IC", _fine, "the same of ranks"),
    Figure("rank_ic_t", "t of rank IC", _ratio, "robust to autocorrelation"),
    Figure("num_periods", "Periods", _count, "bars of the run"),
    Figure("periods_per_year", "Periods a year", _count, "365 days / bar length"),
)
_BY_FIELD = {figure.field: figure for figure in FIGURES}


def shown(metrics: Metrics, field: str) -> str:
    """A metric as text; a dash where it cannot be had."""
    value = getattr(metrics, field)
    return "-" if value is None else _BY_FIELD[field].write(value)


def title(report: RunReport) -> list[tuple[str, str]]:
    """What was run: the lines above everything else."""
    rows = [("run", f"{report.run}  {report.mode}, {report.state}")]
    if report.synthetic:
        rows.append(("market", SYNTHETIC))
    rows.append(("symbols", f"{' '.join(report.symbols)}, {span_text(report.timeframe)} bars"))
    rows.append(("span", f"{clock(report.start_ms)} .. {clock(report.end_ms)} UTC"))
    change = report.equity_end - report.equity_start
    rows.append(("equity", f"{money(report.equity_start)} -> {money(report.equity_end)}  ({change:+,.2f})"))
    return rows


def provenance(report: RunReport) -> list[tuple[str, str]]:
    """What it takes to have the same run again."""
    rows = [("seed", str(report.seed)), ("digest", report.digest), ("data", report.data_hash), ("config", report.config_hash)]
    rows.append(("versions", "  ".join(f"{name} {value}" for name, value in report.versions)))
    rows.append(("command", report.command))
    return [(name, value) for name, value in rows if value]


def tables(report: RunReport, trades: int = 20) -> list[Table]:
    """Everything but the plots; at most `trades` of the last round trips. Tables without a row are left out."""
    found = [
        figures(report.metrics), by_symbol_ic(report.metrics), months(report), costs(report), by_symbol(report), by_signal(report),
        counts("Decisions by reason", report.reasons), counts("Refusals by code", report.refusals), trips(report, trades),
        Table("Factors", ("NAME", "TEXT"), report.factors), Table("Assumptions", ("WHAT", "HOW"), report.assumptions),
    ]  # fmt: skip
    return [one for one in found if one.rows]


def text(report: RunReport, trades: int = 20) -> list[str]:
    """The report as plain lines, harmless to a terminal."""
    lines = pairs(title(report)) + [f"warning: {plain(warning)}" for warning in report.warnings]
    for one in tables(report, trades):
        lines += ["", one.title, *table(one.head, one.rows, one.right)]
        lines += [one.note] if one.note else []
    return [*lines, "", *pairs(provenance(report))]


def figures(metrics: Metrics) -> Table:
    """Every metric with its meaning."""
    rows = tuple((f.label, shown(metrics, f.field), f.meaning) for f in FIGURES)
    return Table("Metrics", ("METRIC", "VALUE", "MEANING"), rows, (1,))


def by_symbol_ic(metrics: Metrics) -> Table:
    """The evidence of each symbol."""

    def known(value: float | None, write: Callable[[float], str]) -> str:
        return "-" if value is None else write(value)

    rows = tuple(
        (
            one.symbol,
            f"{one.pairs:,}",
            known(one.ic, _fine),
            known(one.ic_t, _ratio),
            known(one.rank_ic, _fine),
            known(one.rank_ic_t, _ratio),
        )
        for one in metrics.ic_by_symbol
    )
    return Table("IC by symbol", ("SYMBOL", "PAIRS", "IC", "T", "RANK IC", "T"), rows, (1, 2, 3, 4, 5))


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def months(report: RunReport) -> Table:
    """Returns by year and month, and of the year."""
    by_year: dict[int, dict[int, float]] = {}
    for year, month, value in report.months:
        by_year.setdefault(year, {})[month] = value
    rows = []
    for year, found in sorted(by_year.items()):
        total = 1.0
        for value in found.values():
            total *= 1.0 + value
        cells = [share(found[m]) if m in found else "" for m in range(1, 13)]
        rows.append((str(year), *cells, share(total - 1.0)))
    return Table("Returns by month", ("YEAR", *MONTHS, "YEAR'S"), tuple(rows), tuple(range(1, 14)))


def costs(report: RunReport) -> Table:
    """Fees, funding and slippage: amounts, and what they are of the notional that was traded."""
    paid = report.costs

    def row(name: str, amount: Decimal) -> tuple[str, ...]:
        return name, money(amount), _bps(float(amount / paid.traded)) if paid.traded else "-"

    parts = (("Fees", paid.fees), ("Funding", paid.funding), ("Slippage", paid.slippage), ("Total", paid.total))
    note = f"Traded {money(paid.traded)}. Positive is paid; slippage is in the prices already." if paid.traded else ""
    return Table("Costs", ("COST", "AMOUNT", "OF TRADED"), tuple(row(*part) for part in parts), (1, 2), note)


def by_symbol(report: RunReport) -> Table:
    """Profit and costs of each symbol."""
    rows = tuple(
        (p.symbol, f"{p.fills:,}", money(p.traded), f"{p.pnl:+,.2f}", money(p.fees), money(p.funding), money(p.slippage))
        for p in report.by_symbol
    )
    head = ("SYMBOL", "FILLS", "TRADED", "NET PNL", "FEES", "FUNDING", "SLIPPAGE")
    return Table("Contribution by symbol", head, rows, tuple(range(1, 7)), "Of what was closed." if rows else "")


def by_signal(report: RunReport) -> Table:
    """What each signal had to do with the entries and what came of them."""
    rows = tuple((p.name, f"{p.entries:,}", f"{p.size:.4f}", f"{p.pnl:+,.2f}") for p in report.by_signal)
    note = "Net profit of each closed round trip, shared by contribution to the score that opened it." if rows else ""
    return Table("Contribution by signal", ("SIGNAL", "ENTRIES", "MEAN SIZE", "NET PNL"), rows, (1, 2, 3), note)


def counts(name: str, found: Sequence[tuple[str, int]]) -> Table:
    """How often, and the share of all."""
    whole = sum(count for _, count in found)
    rows = tuple((key, f"{count:,}", f"{100 * count / whole:.1f}%") for key, count in found)
    return Table(name, ("REASON", "COUNT", "SHARE"), rows, (1, 2))


def trips(report: RunReport, most: int) -> Table:
    """The last round trips, the newest first."""
    chosen = report.trades[::-1][:most]
    rows = tuple(_trip(one, report.timeframe) for one in chosen)
    head = ("SYMBOL", "SIDE", "ENTRY", "PRICE", "EXIT", "PRICE", "QUANTITY", "NET PNL", "COSTS", "BARS", "CLOSED BY")
    hidden = len(report.trades) - len(chosen)
    return Table("Trades", head, rows, (3, 5, 6, 7, 8, 9), f"The last {len(chosen)} of {len(report.trades):,}." if hidden else "")


def _trip(one: RoundTrip, timeframe: int) -> tuple[str, ...]:
    held = one.bars(timeframe)
    return (
        one.symbol, one.side.value, clock(one.entry_ms), price(one.entry), "open" if one.exit_ms is None else clock(one.exit_ms),
        "-" if one.exit is None else price(one.exit), number(one.quantity), f"{one.pnl:+,.2f}", money(one.costs),
        "-" if held is None else f"{held:,}", "-" if one.closed_by is None else one.closed_by.value,
    )  # fmt: skip


def price(value: Decimal) -> str:
    """Seven significant digits: enough for an average price, and no rounding of a tick."""
    return number(Decimal(f"{value:.7g}"))
