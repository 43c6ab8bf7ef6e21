"""A run in the store becomes a report: read from the books, worked out where the books do not say it.

The rule: what a run wrote at its end (its summary) is believed; a run without one is measured again from its books.
"""

import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bot.errors import NotFound
from bot.events import Fill, FundingPaid
from bot.execution.costs import Costs as Model
from bot.metrics import Metrics, measure
from bot.report import Costs, Curve, Refused, RegimePart, RunReport, SignalPart, SymbolPart
from bot.report_charts import charts
from bot.report_rolling import rolling
from bot.report_shares import shares_of
from bot.shortfall import Shortfall, shortfall
from bot.store.prices import market_volumes, read_prices
from bot.store.reader import Reader
from bot.store.rows import EquityPoint, FillRow, FundingRow, RunRow
from bot.store.store import MEMORY
from bot.store.tallies import NotTaken, entries, not_taken, reasons
from bot.trips import RoundTrip, round_trips
from feeds.times import DAY, iso, span_text

KNOWN_FROM = 90  # days from which a kind of market can be told
REFUSED = 200  # of the newest refusals
ZERO = Decimal(0)
SHORT = 30 * DAY  # below which a figure for a year is a guess


def from_store(path: str | Path, run: str = "last") -> RunReport:
    """The report of a run (its id, the beginning of it, or `last`). Raises NotFound, ConfigError."""
    with Reader.open(path) as reader:
        return report_of(reader, run)


def report_of(reader: Reader, name: str = "last") -> RunReport:
    """The report of a run in a store that is open for reading."""
    run = reader.run(name)
    summary: dict[str, Any] = msgspec.json.decode(run.summary) if run.summary else {}  # whatever the mode wrote
    config: dict[str, Any] = msgspec.json.decode(run.config)  # whatever the settings were
    points = reader.equity(run.id)
    if not points and not summary:
        raise _nothing_yet(reader, run)
    fill_rows, funding_rows = reader.fills(run.id), reader.funding(run.id)
    fills, funding = [row.fill for row in fill_rows], [row.paid for row in funding_rows]
    trips = round_trips(_in_order(fill_rows, funding_rows))
    start = Decimal(str(summary.get("equity_start") or _dig(config, "account", "cash") or (points[0].equity if points else 0)))
    end = Decimal(str(summary.get("equity_end") or (points[-1].equity if points else start)))
    costs = _costs(reader, run, summary, config, fills, funding)
    curve = curve_of(points, float(start), run.timeframe)
    first, last = (points[0].bar_ms - run.timeframe, points[-1].bar_ms) if points else (run.started_ms, run.started_ms)
    begins, ends = int(summary.get("start", first)), int(summary.get("stop", last))
    shares = shares_of(trips, entries(reader.conn, run.id), float(end - start))
    refusals = not_taken(reader.conn, run.id)
    days = days_of(curve)
    why = reader.why_not(run.id)
    return RunReport(
        run=run.id, mode=run.mode, state=run.state, symbols=run.symbols, timeframe=run.timeframe, start_ms=begins, end_ms=ends,
        synthetic=bool(summary.get("synthetic")) or run.mode == "demo", equity_start=start, equity_end=end,
        metrics=_metrics(summary, run, points, float(start), trips, costs), curve=curve, months=months_of(curve), days=days,
        rolling=rolling(curve, run.timeframe), trades=tuple(trips), costs=costs, by_symbol=_by_symbol(fills, funding, trips),
        by_signal=shares.signals, remainder=shares.remainder, by_regime=_regimes(reader, run, days),
        reasons=_ranked(reasons(reader.conn, run.id)), skipped=tuple(why.counts.items()), traded=why.traded,
        refusals=_ranked(Counter(one.code for one in refusals)), refused=tuple(_refused(one) for one in refusals[-REFUSED:]),
        charts=charts(reader, run, (begins, ends), fills, refusals, trips),
        factors=_factors(summary, config), assumptions=assumptions(config, run.mode), settings=settings_of(config),
        warnings=_warnings(reader, run, summary, points), seed=run.seed, digest=run.digest or "", data_hash=run.data_hash,
        config_hash=run.config_hash, versions=tuple(sorted(run.versions.items())), command=_command(reader, run, summary),
    )  # fmt: skip


def _regimes(reader: Reader, run: RunRow, days: tuple[tuple[int, float], ...]) -> tuple[RegimePart, ...]:
    if len(days) < KNOWN_FROM:
        return ()
    from bot.report_regimes import by_regime  # its kernels take a while to load, and a short run has no use for them

    return by_regime(read_prices(reader.conn, run.id), days)


def _nothing_yet(reader: Reader, run: RunRow) -> NotFound:
    if run.mode == "replay" and next(reader.decisions(run.id, limit=1), None) is not None:
        return NotFound(f"run {run.id} was cut off before its end, and only a whole replay is reported; give the same command again")
    return NotFound(f"run {run.id} has not closed a bar yet; look with sluice status")


def _command(reader: Reader, run: RunRow, summary: dict[str, Any]) -> str:
    """What has the run again: a replay from its files, any other from its recorded inputs."""
    if run.mode == "replay":
        return str(summary.get("command", ""))
    return shlex.join(("sluice", "verify", run.id, "--store", str(Path(reader.path).resolve()))) if reader.path != MEMORY else ""


def _refused(one: NotTaken) -> Refused:
    return Refused(one.at, one.symbol, one.side or "-", one.purpose, None if one.price != one.price else one.price, one.code, one.detail)


def _costs(
    reader: Reader, run: RunRow, summary: dict[str, Any], config: dict[str, Any], fills: Sequence[Fill], funding: Sequence[FundingPaid]
) -> Costs:
    """Summed from the fills; the parts of the slippage as the run found them, or from the bars beside the books."""
    found = summary.get("slippage_parts")
    parts = msgspec.convert(found, Shortfall) if found is not None else _parts(reader, run, config, fills)
    return Costs(
        sum((f.fee for f in fills), ZERO), sum((p.payment for p in funding), ZERO), sum((f.slippage for f in fills), ZERO),
        sum((f.price * f.quantity for f in fills), ZERO), sum((f.fee for f in fills if f.maker), ZERO), parts,
    )  # fmt: skip


def _parts(reader: Reader, run: RunRow, config: dict[str, Any], fills: Sequence[Fill]) -> Shortfall | None:
    """None where fills were not simulated, or a bar that one of them met is not there."""
    modelled = config.get("costs")
    if run.mode not in ("paper", "demo") or not isinstance(modelled, dict) or not fills:
        return None
    known = market_volumes(reader.path, run.timeframe, ((fill.symbol, fill.at) for fill in fills))
    if any((fill.symbol, fill.at) not in known for fill in fills):
        return None
    costs = Model(**{name: Decimal(str(modelled[name])) for name in Model.__struct_fields__ if name in modelled})
    return shortfall(fills, costs, lambda symbol, close_ms: np.array([known[symbol, at] for at in close_ms.tolist()]))


def settings_of(config: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Every setting of a run by its dotted name, sorted."""
    found: list[tuple[str, str]] = []

    def walk(name: str, value: Any) -> None:  # whatever a setting holds
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{name}.{key}" if name else str(key), inner)
        elif name:
            found.append((name, value if isinstance(value, str) else msgspec.json.encode(value).decode()))

    walk("", config)
    return tuple(sorted(found))


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


def assumptions(config: dict[str, Any], mode: str = "replay") -> tuple[tuple[str, str], ...]:
    """How fills, costs and funding were modelled, with the settings of the run; a live run models none of them."""
    annual = ("Annualised", "by bar length on a year of 365 days, no interest on cash")
    if mode == "live":
        return (("Fills, fees, funding", "as the exchange reported them, with its times"), annual)

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
        annual,
    )  # fmt: skip


def _in_order(fills: Sequence[FillRow], funding: Sequence[FundingRow]) -> list[Fill | FundingPaid]:
    """Fills and funding in the order in which they were settled."""
    rows: list[tuple[int, Fill | FundingPaid]] = [(row.seq, row.fill) for row in fills]
    rows += [(row.seq, row.paid) for row in funding]
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
    trips = round_trips(_in_order(reader.fills(run), reader.funding(run)))
    return shares_of(trips, entries(reader.conn, run), 0.0).signals


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
