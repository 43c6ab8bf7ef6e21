"""A report as tables and as plain text: the terminal and the page lay out the same rows.

The rule: figures are laid out here and worked out elsewhere.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from bot.metrics import Metrics
from bot.reasons import MEANS
from bot.render import clock, money, number, pairs, plain, table
from bot.report import Costs, RunReport
from bot.report_figures import FIGURES, bps, fine, price, ratio, share, shown
from bot.trips import RoundTrip
from feeds.times import span_text

SYNTHETIC = "synthetic market: invented prices and headlines, not history"


class Table(msgspec.Struct, frozen=True):
    """Rows of text below a title; `right` are the columns that hold numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()
    note: str = ""


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
    """Everything but the plots; at most `trades` round trips of each kind. Tables without a row are left out."""
    found = [
        figures(report.metrics), by_symbol_ic(report.metrics), months(report), costs(report), by_symbol(report), by_signal(report),
        by_regime(report), skipped(report), counts("Decisions by reason", report.reasons), counts("Refusals by code", report.refusals),
        refused(report, trades), extremes(report, min(10, trades)), trips(report, trades),
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
            known(one.ic, fine),
            known(one.ic_t, ratio),
            known(one.rank_ic, fine),
            known(one.rank_ic_t, ratio),
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
    """Fees, funding and slippage with its parts: amounts, and what they are of the notional that was traded."""
    paid = report.costs

    def row(name: str, amount: Decimal | float) -> tuple[str, ...]:
        return name, money(amount), bps(float(amount) / float(paid.traded)) if paid.traded else "-"

    rows = [row("Fees, taker", paid.fees - paid.maker_fees), row("Fees, maker", paid.maker_fees), row("Funding", paid.funding)]
    rows += [row(*part) for part in slippage_parts(paid)] if paid.parts is not None else [row("Slippage", paid.slippage)]
    rows.append(row("Total", paid.total))
    note = f"Traded {money(paid.traded)}. Positive is paid; slippage is in the prices already." if paid.traded else ""
    return Table("Costs", ("COST", "AMOUNT", "OF TRADED"), tuple(rows), (1, 2), note)


def slippage_parts(paid: Costs) -> list[tuple[str, float]]:
    """What the slippage is made of, where that is known."""
    if paid.parts is None:
        return []
    parts = paid.parts
    return [("Half the spread", parts.spread), ("Slippage", parts.slippage), ("Impact", parts.impact), ("Move until met", parts.move)]


def by_symbol(report: RunReport) -> Table:
    """Profit and costs of each symbol."""
    rows = tuple(
        (p.symbol, f"{p.fills:,}", money(p.traded), f"{p.pnl:+,.2f}", money(p.fees), money(p.funding), money(p.slippage))
        for p in report.by_symbol
    )
    head = ("SYMBOL", "FILLS", "TRADED", "NET PNL", "FEES", "FUNDING", "SLIPPAGE")
    return Table("Contribution by symbol", head, rows, tuple(range(1, 7)), "Of what was closed." if rows else "")


def by_signal(report: RunReport) -> Table:
    """What each signal had to do with the entries and what came of them; with what belongs to none, down to the whole change."""
    rows = [(p.name, f"{p.entries:,}", f"{p.size:.4f}", f"{p.pnl:+,.2f}") for p in report.by_signal]
    rows += [(name, "", "", f"{amount:+,.2f}") for name, amount in report.remainder]
    if rows:
        whole = sum(part.pnl for part in report.by_signal) + sum(amount for _, amount in report.remainder)
        rows.append(("change of equity", "", "", f"{whole:+,.2f}"))
    note = "Net profit of each closed round trip, shared by contribution to the score that opened it." if report.by_signal else ""
    return Table("Contribution by signal", ("SIGNAL", "ENTRIES", "MEAN SIZE", "NET PNL"), tuple(rows), (1, 2, 3), note)


def by_regime(report: RunReport) -> Table:
    """How whole days went in each kind of market, by what was known before the day began."""
    rows = tuple(
        (
            part.name.replace("_", " "), f"{part.days:,}", share(part.total_return), f"{1e4 * part.mean:+.1f} bps",
            "-" if part.sharpe is None else ratio(part.sharpe), "-" if part.worst is None else share(part.worst),
        )
        for part in report.by_regime
    )  # fmt: skip
    note = "Days by what was known when they began, of this run's symbols; kinds may overlap." if rows else ""
    return Table("Days by kind of market", ("MARKET", "DAYS", "RETURN", "A DAY", "SHARPE", "WORST DAY"), rows, (1, 2, 3, 4, 5), note)


def skipped(report: RunReport) -> Table:
    """Why there was no order, every bar close of every symbol counted once."""
    whole = report.traded + sum(count for _, count in report.skipped)
    rows = [(code, f"{count:,}", f"{100 * count / whole:.1f}%", MEANS.get(code, "")) for code, count in report.skipped]
    if rows:
        rows.append(("traded", f"{report.traded:,}", f"{100 * report.traded / whole:.1f}%", "an order followed"))
    return Table("Why there was no order", ("REASON", "COUNT", "SHARE", "MEANING"), tuple(rows), (1, 2))


def refused(report: RunReport, most: int) -> Table:
    """The newest signals that were not taken."""
    chosen = report.refused[::-1][:most]
    rows = tuple((clock(r.at_ms), r.symbol, r.side, r.purpose, number(r.price), r.code, r.detail or MEANS.get(r.code, "")) for r in chosen)
    whole = sum(count for _, count in report.refusals)
    note = f"The newest {len(chosen)} of {whole:,}." if whole > len(chosen) else ""
    return Table("Signals that were not taken", ("AT", "SYMBOL", "SIDE", "FOR", "PRICE", "CODE", "WHY"), rows, (4,), note)


def counts(name: str, found: Sequence[tuple[str, int]]) -> Table:
    """How often, and the share of all."""
    whole = sum(count for _, count in found)
    rows = tuple((key, f"{count:,}", f"{100 * count / whole:.1f}%") for key, count in found)
    return Table(name, ("REASON", "COUNT", "SHARE"), rows, (1, 2))


TRIP = ("SYMBOL", "SIDE", "ENTRY", "PRICE", "EXIT", "PRICE", "QUANTITY", "NET PNL", "COSTS", "BARS", "CLOSED BY")
TRIP_NUMBERS = (3, 5, 6, 7, 8, 9)


def trips(report: RunReport, most: int) -> Table:
    """The last round trips, the newest first."""
    chosen = report.trades[::-1][:most]
    rows = tuple(_trip(one, report.timeframe) for one in chosen)
    hidden = len(report.trades) - len(chosen)
    return Table("Trades", TRIP, rows, TRIP_NUMBERS, f"The last {len(chosen)} of {len(report.trades):,}." if hidden else "")


def extremes(report: RunReport, most: int) -> Table:
    """The closed round trips that lost and that earned most, the worst first; none where the list of all shows them anyway."""
    closed = sorted((one for one in report.trades if one.exit_ms is not None), key=lambda one: one.pnl)
    if len(closed) <= 2 * most:
        return Table("Worst and best trades", TRIP, ())
    rows = tuple(_trip(one, report.timeframe) for one in (*closed[:most], *closed[-most:])) if most else ()
    return Table("Worst and best trades", TRIP, rows, TRIP_NUMBERS, f"{most} of each, of {len(closed):,} that were closed.")


def _trip(one: RoundTrip, timeframe: int) -> tuple[str, ...]:
    held = one.bars(timeframe)
    return (
        one.symbol, one.side.value, clock(one.entry_ms), price(one.entry), "open" if one.exit_ms is None else clock(one.exit_ms),
        "-" if one.exit is None else price(one.exit), number(one.quantity), f"{one.pnl:+,.2f}", money(one.costs),
        "-" if held is None else f"{held:,}", "-" if one.closed_by is None else one.closed_by.value,
    )  # fmt: skip
