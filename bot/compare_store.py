"""Two runs in their stores become a comparison.

The rule: a run is read as its report reads it, so a figure here is the figure there.
"""

from collections import defaultdict
from pathlib import Path

from bot.compare import Comparison, Figure, Held, Party
from bot.compare_decisions import Book, compare_decisions
from bot.compare_fills import compare_fills, filled_orders
from bot.compare_returns import compare_held, compare_returns
from bot.events import TradingState
from bot.report import RunReport
from bot.report_charts import held_path
from bot.report_figures import FIGURES
from bot.report_store import report_of
from bot.sources import differing
from bot.store.reader import Reader
from bot.store.tallies import traded
from feeds.times import MINUTE, iso, span_text


def compare_stores(store_a: Path, run_a: str, store_b: Path, run_b: str) -> Comparison:
    """The comparison of a run of one store with one of another, or of the same. Raises NotFound, ConfigError."""
    with Reader.open(store_a) as a, Reader.open(store_b) as b:
        return compare_runs(a, run_a, b, run_b)


def compare_runs(a: Reader, run_a: str, b: Reader, run_b: str) -> Comparison:
    """The same of stores that are open for reading."""
    mine, theirs = report_of(a, run_a), report_of(b, run_b)
    party_a, party_b = _party(a, mine), _party(b, theirs)
    symbols = tuple(symbol for symbol in mine.symbols if symbol in theirs.symbols)
    start, end = max(mine.start_ms, theirs.start_ms), min(mine.end_ms, theirs.end_ms)
    found = Comparison(
        a=party_a, b=party_b, symbols=symbols, obstacles=_obstacles(mine, theirs), given=_given(mine, theirs),
        identical=bool(mine.digest) and mine.digest == theirs.digest and mine.symbols == theirs.symbols,
        settings=_settings(mine, theirs), metrics=_metrics(mine, theirs), costs=_costs(mine, theirs),
    )  # fmt: skip
    if end <= start or not symbols:
        return found
    same = mine.timeframe == theirs.timeframe
    books = Book(a, party_a), Book(b, party_b)
    orders = [filled_orders(traded(book.reader.conn, book.party.run, symbols, start, end)) for book in books]
    timeframe = max(mine.timeframe, theirs.timeframe)
    return Comparison(
        **{name: getattr(found, name) for name in found.__struct_fields__ if name not in _LATER}, start_ms=start, end_ms=end,
        obstacles=(*found.obstacles, *_ended(a, party_a, "A"), *_ended(b, party_b, "B")),
        decisions=compare_decisions(*books, symbols, start, end) if same else None,
        fills=compare_fills(orders[0], orders[1], max(MINUTE, timeframe)),
        held=_held(a, b, found, start, end, timeframe), returns=compare_returns(mine.curve, theirs.curve, start, end, timeframe),
    )  # fmt: skip


_LATER = {"start_ms", "end_ms", "obstacles", "decisions", "fills", "held", "returns"}


def _party(reader: Reader, report: RunReport) -> Party:
    return Party(
        run=report.run, store=str(Path(reader.path).resolve()), mode=report.mode, state=report.state, symbols=report.symbols,
        timeframe=report.timeframe, start_ms=report.start_ms, end_ms=report.end_ms, digest=report.digest,
        equity_start=float(report.equity_start), equity_end=float(report.equity_end), synthetic=report.synthetic,
    )  # fmt: skip


def _obstacles(a: RunReport, b: RunReport) -> tuple[str, ...]:
    """What cannot be compared, in whole sentences."""
    told = []
    if max(a.start_ms, b.start_ms) >= min(a.end_ms, b.end_ms):
        spans = [f"{iso(one.start_ms)} .. {iso(one.end_ms)}" for one in (a, b)]
        told.append(f"the runs share no time: A covers {spans[0]}, B {spans[1]}")
    elif (a.start_ms, a.end_ms) != (b.start_ms, b.end_ms):
        common = f"{iso(max(a.start_ms, b.start_ms))} .. {iso(min(a.end_ms, b.end_ms))}"
        told.append(f"only {common} is covered by both: decisions, fills and returns are of that time, metrics and costs of whole runs")
    alone = [" ".join(sorted(set(one.symbols) - set(other.symbols))) for one, other in ((a, b), (b, a))]
    if not set(a.symbols) & set(b.symbols):
        told.append(f"the runs share no symbol: A trades {alone[0]}, B {alone[1]}")
    else:
        told += [f"only {name} trades {symbols}" for name, symbols in zip("AB", alone, strict=True) if symbols]
    if a.timeframe != b.timeframe:
        spans = [span_text(one.timeframe) for one in (a, b)]
        told.append(f"bars of {spans[0]} and of {spans[1]}: decisions are not compared bar by bar")
    running = [name for name, one in (("A", a), ("B", b)) if one.state == "running"]
    told += [f"{name} is still running: what it has not done yet counts as missing" for name in running]
    return tuple(told)


def _ended(reader: Reader, party: Party, name: str) -> tuple[str, ...]:
    """Whether risk let a run trade to its end: what it made after that is no choice of its strategy."""
    last = next(reversed(reader.states(party.run)), None)
    if last is None or last.state is TradingState.ACTIVE:
        return ()
    return (f"{name} is {last.state.value} by {last.by} from {iso(last.at)} to its end",)


def _given(a: RunReport, b: RunReport) -> tuple[tuple[str, str, str], ...]:
    """What the runs were made of, where they differ."""
    versions = [dict(one.versions) for one in (a, b)]
    rows = [("data", a.data_hash, b.data_hash), ("settings", a.config_hash, b.config_hash), ("seed", str(a.seed), str(b.seed))]
    rows += [(name, versions[0].get(name, "-"), versions[1].get(name, "-")) for name in sorted({*versions[0], *versions[1]})]
    markets = ["synthetic" if one.synthetic else "real" for one in (a, b)]
    rows.append(("market", markets[0], markets[1]))
    return tuple(row for row in rows if row[1] != row[2])


def _settings(a: RunReport, b: RunReport) -> tuple[tuple[str, str, str], ...]:
    mine, theirs = dict(a.settings), dict(b.settings)
    names = sorted({*mine, *theirs})
    empty = {name for name in names if any(other.startswith(f"{name}.") for other in names)}  # a table that holds nothing in one of them
    names = [name for name in names if name not in empty]
    told = [{name: value or '""' for name, value in one.items()} for one in (mine, theirs)]
    pairs = ((name, told[0].get(name, "-"), told[1].get(name, "-")) for name in names if mine.get(name) != theirs.get(name))
    return tuple((name, *(differing(one, other) if name == "strategy.code" else (one, other))) for name, one, other in pairs)


def _metrics(a: RunReport, b: RunReport) -> tuple[Figure, ...]:
    return tuple(Figure(one.field, getattr(a.metrics, one.field), getattr(b.metrics, one.field)) for one in FIGURES)


def _costs(a: RunReport, b: RunReport) -> tuple[Figure, ...]:
    found = []
    for name in ("fees", "funding", "slippage", "total", "traded"):
        found.append(Figure(name, float(getattr(a.costs, name)), float(getattr(b.costs, name))))
    for name in ("spread", "slippage", "impact", "move"):
        parts = [None if one.costs.parts is None else float(getattr(one.costs.parts, name)) for one in (a, b)]
        found.append(Figure(f"slippage_{name}", *parts))
    return tuple(found)


def _held(a: Reader, b: Reader, found: Comparison, start: int, end: int, timeframe: int) -> tuple[Held, ...]:
    paths = []
    for reader, party in ((a, found.a), (b, found.b)):
        by_symbol = defaultdict(list)
        for row in reader.fills(party.run):
            by_symbol[row.fill.symbol].append(row.fill)
        paths.append({symbol: held_path(by_symbol[symbol]) for symbol in found.symbols})
    return tuple(compare_held(symbol, paths[0][symbol], paths[1][symbol], start, end, timeframe) for symbol in found.symbols)
