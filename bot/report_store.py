"""A run in the store becomes a report: read from the books, worked out where the books do not say it.

The rule: what a run wrote at its end (its summary) is believed; a run without one is measured again from its books.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bot.errors import NotFound
from bot.events import Fill, FundingPaid
from bot.metrics import Metrics, measure
from bot.report import Costs, Curve, RunReport, SignalPart, SymbolPart
from bot.store.reader import Reader
from bot.store.rows import EquityPoint, RunRow
from bot.trips import RoundTrip, round_trips
from feeds.times import DAY, iso, span_text

ZERO = Decimal(0)
SHORT = 30 * DAY  # below which a figure for a year is a guess


def from_store(path: str | Path, run: str = "last", command: str = "") -> RunReport:
    """The report of a run (its id, the beginning of it, or `last`). Raises NotFound, ConfigError.

    command  how to have the run again, where the caller knows it better than the books
    """
    with Reader.open(path) as reader:
        return report_of(reader, run, command)


def report_of(reader: Reader, name: str = "last", command: str = "") -> RunReport:
    """The report of a run in a store that is open for reading."""
    run = reader.run(name)
    summary: dict[str, Any] = msgspec.json.decode(run.summary) if run.summary else {}  # whatever the mode wrote
    config: dict[str, Any] = msgspec.json.decode(run.config)  # whatever the settings were
    points = reader.equity(run.id)
    if not points and not summary:
        if run.mode == "replay" and next(reader.decisions(run.id, limit=1), None) is not None:
            raise NotFound(f"run {run.id} was cut off before its end, and only a whole replay is reported; give the same command again")
        raise NotFound(f"run {run.id} has not closed a bar yet; look with sluice status")
    fills = [row.fill for row in reader.fills(run.id)]
    funding = [row.paid for row in reader.funding(run.id)]
    trips = round_trips(_money(reader, run.id))
    start = Decimal(str(summary.get("equity_start") or _dig(config, "account", "cash") or (points[0].equity if points else 0)))
    end = Decimal(str(summary.get("equity_end") or (points[-1].equity if points else start)))
    costs = Costs(
        sum((f.fee for f in fills), ZERO), sum((p.payment for p in funding), ZERO), sum((f.slippage for f in fills), ZERO),
        sum((f.price * f.quantity for f in fills), ZERO),
    )  # fmt: skip
    metrics = _metrics(summary, run, points, float(start), trips, costs)
    curve = curve_of(points, float(start), run.timeframe)
    first, last = (points[0].bar_ms - run.timeframe, points[-1].bar_ms) if points else (run.started_ms, run.started_ms)
    return RunReport(
        run=run.id, mode=run.mode, state=run.state, symbols=run.symbols, timeframe=run.timeframe, synthetic=bool(summary.get("synthetic"))
        or run.mode == "demo", start_ms=int(summary.get("start", first)), end_ms=int(summary.get("stop", last)), equity_start=start,
        equity_end=end, metrics=metrics, curve=curve, months=months_of(curve), days=days_of(curve), trades=tuple(trips), costs=costs,
        by_symbol=_by_symbol(fills, funding, trips), by_signal=_by_signal(reader, run.id, trips), reasons=_reasons(reader, run.id),
        refusals=_ranked(Counter(row.refusal.code.value for row in reader.refusals(run.id))), factors=_factors(summary, config),
        assumptions=assumptions(config), warnings=_warnings(reader, run, summary, points), seed=run.seed, digest=run.digest or "",
        data_hash=run.data_hash, config_hash=run.config_hash, versions=tuple(sorted(run.versions.items())),
        command=command or str(summary.get("command", "")),
    )  # fmt: skip


def curve_of(points: Sequence[EquityPoint], start: float, timeframe: int) -> Curve:
    """The points with their drawdown and their exposure; begins one bar earlier with the starting equity."""
    if not points:
        return Curve()
    at = (points[0].bar_ms - timeframe, *(p.bar_ms for p in points))
    equity = np.array([start, *(p.equity for p in points)])
    gross, net = (np.array([0.0, *values]) for values in ([p.gross for p in points], [p.net for p in points]))
    positive = np.where(equity > 0, equity, np.nan)
    fall = equity / np.maximum.accumulate(equity) - 1.0
    known = [np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0).tolist() for values in (fall, gross / positive, net / positive)]
    return Curve(at, tuple(equity.tolist()), *(tuple(values) for values in known))


def months_of(curve: Curve) -> tuple[tuple[int, int, float], ...]:
    """(year, month, return) of each UTC month touched."""
    months = (np.array(curve.at_ms, np.int64) - 1).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return tuple((1970 + key // 12, key % 12 + 1, value) for key, value in _periods(curve, months.tolist()))


def days_of(curve: Curve) -> tuple[tuple[int, float], ...]:
    """(start of the UTC day, return) of each day touched."""
    return tuple((key * DAY, value) for key, value in _periods(curve, [(at - 1) // DAY for at in curve.at_ms]))


def assumptions(config: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """How fills, costs and funding were modelled, with the settings of the run."""

    def known(table: str, key: str) -> str:
        value = _dig(config, table, key)
        return "not recorded" if value is None else str(value)

    return (
        ("Market orders", "meet the next bar at its open, never the close that decided them"),
        ("Inside a bar", "where a stop and a target could both have been met, the worse is taken; a gap fills at the open"),
        ("Fees", f"taker {known('costs', 'taker_bps')} bps, maker {known('costs', 'maker_bps')} bps of notional"),
        ("Spread and slippage", f"half of {known('costs', 'spread_bps')} bps, and {known('costs', 'slippage_bps')} bps on top"),
        ("Impact", f"{known('costs', 'impact')} bps x square root of the order's part of the bar's volume"),
        ("Latency", f"{known('execution', 'latency_ms')} ms until an order arrives; the open moves against it, by the root of the time"),
        ("Depth", f"at most {known('execution', 'volume_share')} of a bar's volume; the rest of an order waits for the next bar"),
        ("Funding", "at each settlement that the data have, on the mark, paid or received"),
        ("Annualised", "by bar length on a year of 365 days, no interest on cash"),
    )  # fmt: skip


def _money(reader: Reader, run: str) -> Iterable[Fill | FundingPaid]:
    """Fills and funding in the order in which they were settled."""
    rows: list[tuple[int, Fill | FundingPaid]] = [(row.seq, row.fill) for row in reader.fills(run)]
    rows += [(row.seq, row.paid) for row in reader.funding(run)]
    return [event for _, event in sorted(rows, key=lambda row: row[0])]


def _metrics(
    summary: dict[str, Any], run: RunRow, points: Sequence[EquityPoint], start: float, trips: Sequence[RoundTrip], costs: Costs
) -> Metrics:
    if "metrics" in summary:
        return msgspec.convert(summary["metrics"], Metrics)
    rows = np.array([(p.bar_ms - points[0].bar_ms) // run.timeframe for p in points], np.int64)
    held = np.zeros(int(rows[-1]) + 1, np.int64)
    held[rows] = np.arange(len(points))
    np.maximum.accumulate(held, out=held)  # at a close without a point the account is worth what it was
    equity, gross = (np.array(values)[held] for values in ([p.equity for p in points], [p.gross for p in points]))
    return measure(
        equity,
        run.timeframe,
        start=start,
        first_close_ms=points[0].bar_ms,
        gross=np.nan_to_num(gross),
        trips=trips,
        costs=float(costs.total),
    )


def _by_symbol(fills: Sequence[Fill], funding: Sequence[FundingPaid], trips: Sequence[RoundTrip]) -> tuple[SymbolPart, ...]:
    parts: dict[str, list[Decimal]] = defaultdict(lambda: [ZERO] * 5)
    count: Counter[str] = Counter()
    for fill in fills:
        count[fill.symbol] += 1
        one = parts[fill.symbol]
        one[0], one[2], one[4] = one[0] + fill.price * fill.quantity, one[2] + fill.fee, one[4] + fill.slippage
    for paid in funding:
        parts[paid.symbol][3] += paid.payment
    for trip in trips:
        parts[trip.symbol][1] += trip.pnl
    return tuple(SymbolPart(symbol, count[symbol], *one) for symbol, one in sorted(parts.items()))


def signals_of(reader: Reader, run: str) -> tuple[SignalPart, ...]:
    """What each signal contributed to the entries of a run, and its share of the closed round trips' profits."""
    return _by_signal(reader, run, round_trips(_money(reader, run)))


def _by_signal(reader: Reader, run: str, trips: Sequence[RoundTrip]) -> tuple[SignalPart, ...]:
    """Contributions at the decisions that opened the trips, and the trips' profits shared by them."""
    causes = {order.id: order.cause for order in reader.orders(run)}
    sizes: dict[str, list[float]] = defaultdict(list)
    profits: dict[str, float] = defaultdict(float)
    for trip in trips:
        parts = _contributions(reader, run, causes.get(trip.order_id, 0))
        whole = sum(parts.values())
        for name, contribution in parts.items():
            sizes[name].append(abs(contribution))
            if trip.exit_ms is not None and whole:
                profits[name] += float(trip.pnl) * contribution / whole
    found = [SignalPart(name, len(each), sum(each) / len(each), profits[name]) for name, each in sizes.items()]
    return tuple(sorted(found, key=lambda part: (-part.size * part.entries, part.name)))


def _contributions(reader: Reader, run: str, cause: int) -> dict[str, float]:
    """What was known at the decision with this number; nothing where an order of the operator or of a limit follows from none."""
    try:
        decision = reader.decision(run, cause).first
    except NotFound:
        return {}
    return {part.name: part.contribution for part in decision.contributions if part.contribution == part.contribution}


def _reasons(reader: Reader, run: str) -> tuple[tuple[str, int], ...]:
    count: Counter[str] = Counter()
    for row in reader.decisions(run):
        count[row.first.reason.value] += row.bars
    return _ranked(count)


def _ranked(count: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(count.items(), key=lambda item: (-item[1], item[0])))


def _factors(summary: dict[str, Any], config: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found = summary.get("factors") or _dig(config, "strategy", "factors") or {}
    return tuple((str(name), str(text)) for name, text in found.items())


def _warnings(reader: Reader, run: RunRow, summary: dict[str, Any], points: Sequence[EquityPoint]) -> tuple[str, ...]:
    found = [str(warning) for warning in summary.get("warnings", ())]
    if run.state != "finished":
        found.append(f"the run is {run.state}: figures are those of its last bar close")
    found += [f"feed {feed.feed} missed {feed.gap} bars that could not be had" for feed in reader.feeds(run.id) if feed.gap]
    found += [f"{iso(moved.at)} trading state {moved.state.value} by {moved.by}: {moved.reason}" for moved in reader.states(run.id)]
    span = points[-1].bar_ms - points[0].bar_ms if points else 0
    if 0 < span < SHORT:
        text = f"{span / DAY:.1f} days" if span >= DAY else span_text(span)
        found.append(f"figures for a year are drawn from {text} of data; they say little")
    return tuple(found)


def _periods(curve: Curve, keys: Sequence[int]) -> list[tuple[int, float]]:
    """The return within each run of equal keys; the key of a close at midnight is that of the day before."""
    found: list[tuple[int, float]] = []
    begin = curve.equity[0] if curve.equity else 0.0
    for n in range(1, len(keys)):
        if n + 1 == len(keys) or keys[n + 1] != keys[n]:
            if begin > 0:
                found.append((keys[n], curve.equity[n] / begin - 1.0))
            begin = curve.equity[n]
    return found


def _dig(config: dict[str, Any], table: str, key: str) -> Any:  # whatever the setting holds
    inner = config.get(table)
    return inner.get(key) if isinstance(inner, dict) else None
