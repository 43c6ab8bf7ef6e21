"""A comparison as tables and as plain text: the terminal and the page lay out the same rows."""

from collections.abc import Callable

from bot.compare import Comparison, Decisions, Execution, Filled, Fills, Parting, Party, Returns, View
from bot.render import clock, money, pairs, plain, table
from bot.report_figures import FIGURES, price, ratio, share
from bot.report_tables import SYNTHETIC, Table
from feeds.instruments import exact
from feeds.times import SECOND, span_text

COSTS = {
    "fees": "Fees", "funding": "Funding", "slippage": "Slippage", "total": "Total", "traded": "Traded",
    "slippage_spread": "of slippage: half the spread", "slippage_slippage": "of slippage: slippage",
    "slippage_impact": "of slippage: impact", "slippage_move": "of slippage: move until met",
}  # fmt: skip
METRICS = (
    "total_return", "annualised_return", "volatility", "sharpe", "sortino", "max_drawdown", "calmar", "profit_factor", "win_rate_trades",
    "trades", "average_trade", "average_bars", "exposure", "time_in_market", "turnover", "cost_rate", "ic", "rank_ic", "num_periods",
)  # fmt: skip
SIDES = ("", "A", "B")


def title(found: Comparison) -> list[tuple[str, str]]:
    """What is compared."""
    rows = [(name, _party(one)) for name, one in (("A", found.a), ("B", found.b))]
    if found.a.synthetic or found.b.synthetic:
        rows.append(("market", SYNTHETIC))
    if found.comparable:
        rows.append(("common", f"{' '.join(found.symbols)}  {clock(found.start_ms)} .. {clock(found.end_ms)} UTC"))
    return rows


def verdict(found: Comparison) -> str:
    """The whole in one sentence."""
    if not found.comparable:
        return "nothing to compare: the runs have no symbol or no time in common"
    if found.identical:
        return "identical: every decision and fill of the one is one of the other, digest for digest"
    if found.alike and found.decisions is not None and found.fills is not None:
        return f"alike: {found.decisions.compared:,} decisions and {found.fills.matched:,} filled orders are the same in both"
    told = []
    if found.decisions is not None and found.decisions.compared:
        told.append(f"{found.decisions.same:,} of {found.decisions.compared:,} decisions have the same side and reason")
    if found.fills is not None:
        told.append(f"{found.fills.matched:,} orders matched, {found.fills.only_a:,} only in A, {found.fills.only_b:,} only in B")
    if found.returns is not None and found.returns.difference is not None:
        told.append(f"B less A: {share(found.returns.difference)} a year{_chance(found.returns)}")
    return "; ".join(told)


def tables(found: Comparison) -> list[Table]:
    """Everything; tables without a row are left out."""
    every = [
        _given(found), Table("Settings that differ", ("SETTING", "A", "B"), found.settings),
        _decisions(found.decisions), _changes(found.decisions), _fills(found.fills), _widest(found.fills), _alone(found.fills),
        _held(found), _returns(found.returns), _metrics(found), _costs(found),
    ]  # fmt: skip
    return [one for one in every if one.rows]


def text(found: Comparison) -> list[str]:
    """The comparison as plain lines, harmless to a terminal."""
    lines = [*pairs(title(found)), *(f"note: {plain(one, 1000)}" for one in found.obstacles), "", verdict(found)]
    for one in tables(found):
        lines += ["", one.title, *table(one.head, one.rows, one.right)]
        lines += [one.note] if one.note else []
    return [*lines, *_explain(found.decisions)]


def partings(found: Decisions | None) -> list[tuple[str, Parting]]:
    """Where the decisions part: by what they say, and by their digest."""
    if found is None:
        return []
    told = [("first view that differs", found.first_view), ("first digest that differs", found.first_digest)]
    return [(name, one) for name, one in told if one is not None]


def _party(one: Party) -> str:
    span = f"{clock(one.start_ms)[:10]}..{clock(one.end_ms)[:10]}"
    return f"{one.run}  {one.mode}, {one.state}  {' '.join(one.symbols)} {span_text(one.timeframe)}  {span}  {one.store}"


def _given(found: Comparison) -> Table:
    return Table("What they were given", SIDES, tuple((name, _short(a), _short(b)) for name, a, b in found.given))


def _short(value: str) -> str:
    """A hash by its beginning."""
    return value if len(value) < 40 else f"{value[:12]}\u2026"


def _chance(found: Returns) -> str:
    if found.p is None or found.low is None or found.high is None:
        return ""
    return f" (95 % between {share(found.low)} and {share(found.high)}, p {found.p:.3f})"


def _decisions(found: Decisions | None) -> Table:
    if found is None:
        return Table("Decisions", ("", "COUNT"), ())
    rows = [
        ("bars that both decided", f"{found.compared:,}"), ("same side and reason", f"{found.same:,}"),
        ("only A decided", f"{found.only_a:,}"), ("only B decided", f"{found.only_b:,}"),
        ("digests that both kept", f"{found.digests:,}"), ("equal digests", f"{found.same_digests:,}"),
    ]  # fmt: skip
    if found.score_gap is not None:
        rows.append(("largest difference of scores", f"{found.score_gap:.3g}"))
    for name, one in partings(found):
        rows.append((name, f"{one.symbol} {clock(one.bar_ms)}  A {_view(one.a)}  B {_view(one.b)}"))
    return Table("Decisions", ("", "COUNT"), tuple(rows))


def _view(one: View) -> str:
    return f"D-{one.seq} {one.side} {one.reason}" + ("" if one.score is None else f" {one.score:+.4f}")


def _explain(found: Decisions | None) -> list[str]:
    lines = []
    for _, one in partings(found):
        lines += ["", f"Why at {clock(one.bar_ms)} UTC:", f"  {plain(one.explain_a, 1000)}", f"  {plain(one.explain_b, 1000)}"]
    return lines


def _changes(found: Decisions | None) -> Table:
    rows = tuple((a, b, f"{count:,}") for a, b, count in found.changes) if found is not None else ()
    return Table("Decisions that differ, by reason", ("A", "B", "COUNT"), rows, (2,))


def _fills(found: Fills | None) -> Table:
    if found is None or not (found.matched or found.only_a or found.only_b):
        return Table("Fills", SIDES, ())
    rows = [("orders matched", f"{found.matched:,}", f"{found.matched:,}")]
    rows.append(("equal in price, size, fee and time", f"{found.equal:,}", f"{found.equal:,}"))
    rows.append(("orders of one run alone", f"{found.only_a:,}", f"{found.only_b:,}"))
    rows += [(name, write(found.a), write(found.b)) for name, write in _EXECUTION] if found.matched else []
    note = ""
    if found.worse_bps is not None and found.median_bps is not None and found.size_gap is not None:
        gap = f"sizes differ by {100 * found.size_gap:.2f}% in the mean"
        note = f"B's price was {found.worse_bps:+.2f} bps worse by notional, {found.median_bps:+.2f} bps in the median; {gap}."
    return Table("Fills", SIDES, tuple(rows), (1, 2), note)


def _bps(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f} bps"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value / SECOND:,.3f} s"


_EXECUTION: tuple[tuple[str, Callable[[Execution], str]], ...] = (
    ("traded", lambda one: money(one.traded)),
    ("fees", lambda one: _bps(one.fee_bps)),
    ("slippage", lambda one: _bps(one.slippage_bps)),
    ("asked until filled, median", lambda one: _seconds(one.latency_ms)),
    ("asked until filled, 95 %", lambda one: _seconds(one.latency_95_ms)),
    ("filled until known, median", lambda one: _seconds(one.news_ms)),
)


def _widest(found: Fills | None) -> Table:
    rows = tuple(
        (clock(one.a.first_ms), one.a.symbol, one.a.side, one.a.purpose, _price(one.a.price), _price(one.b.price), f"{one.worse_bps:+.2f}")
        for one in (found.widest if found is not None else ())
    )
    head = ("AT UTC", "SYMBOL", "SIDE", "FOR", "PRICE A", "PRICE B", "B WORSE, BPS")
    return Table("Matched fills, the widest apart", head, rows, (4, 5, 6))


def _alone(found: Fills | None) -> Table:
    name = "Orders of one run alone"
    if found is None:
        return Table(name, (), ())
    rows = tuple((run, *_order(one)) for run, orders in (("A", found.alone_a), ("B", found.alone_b)) for one in orders)
    head = ("RUN", "AT UTC", "SYMBOL", "SIDE", "FOR", "QUANTITY", "PRICE", "ORDER")
    return Table(name, head, rows, (5, 6), f"A {found.only_a:,}, B {found.only_b:,} in all." if rows else "")


def _order(one: Filled) -> tuple[str, ...]:
    return clock(one.first_ms), one.symbol, one.side, one.purpose, f"{one.quantity:,.8g}", _price(one.price), one.order


def _price(value: float) -> str:
    return price(exact(value))


def _held(found: Comparison) -> Table:
    rows = tuple((h.symbol, _percent(h.same_side), _percent(h.held_a), _percent(h.held_b)) for h in found.held)
    return Table(
        "Positions", ("SYMBOL", "SAME SIDE", "HELD BY A", "HELD BY B"), rows, (1, 2, 3), "Shares of the bar closes." if rows else ""
    )


def _percent(value: float) -> str:
    return f"{100 * value:.2f}%"


def _known(value: float | None, write: Callable[[float], str]) -> str:
    return "-" if value is None else write(value)


def _bounds(low: float | None, high: float | None, write: Callable[[float], str]) -> str:
    return "-" if low is None or high is None else f"{write(low)} .. {write(high)}"


def _returns(found: Returns | None) -> Table:
    if found is None:
        return Table("Returns", ("", "VALUE"), ())
    rows = (
        (f"returns of {span_text(found.step)}", f"{found.count:,}"),
        ("B less A, a year", _known(found.difference, share)),
        ("its 95 % bounds", _bounds(found.low, found.high, share)),
        ("its t", _known(found.t, ratio)),
        ("p that there is no difference", _known(found.p, lambda value: f"{value:.3f}")),
        ("Sharpe ratio, B less A", _known(found.sharpe_gap, ratio)),
        ("95 % bounds of that", _bounds(found.sharpe_low, found.sharpe_high, ratio)),
        ("correlation", _known(found.correlation, lambda value: f"{value:.4f}")),
        ("deviation of the difference, a year", _known(found.tracking, share)),
        ("widest gap of the accounts", _known(found.widest_gap, share)),
    )
    return Table("Returns", ("", "VALUE"), rows, (1,), "Paired; stationary block bootstrap, 1,000 draws.")


def _metrics(found: Comparison) -> Table:
    by_name = {one.name: one for one in found.metrics}
    rows = []
    for figure in FIGURES:
        one = by_name.get(figure.field)
        if one is None or figure.field not in METRICS or (one.a is None and one.b is None):
            continue
        told = [_known(value, figure.write) for value in (one.a, one.b, one.difference)]
        rows.append((figure.label, *told))
    return Table("Metrics", ("METRIC", "A", "B", "B - A"), tuple(rows), (1, 2, 3))


def _costs(found: Comparison) -> Table:
    rows = tuple(
        (COSTS[one.name], *(_known(value, money) for value in (one.a, one.b, one.difference)))
        for one in found.costs
        if not (one.a is None and one.b is None)
    )
    return Table("Costs", ("COST", "A", "B", "B - A"), rows, (1, 2, 3))
