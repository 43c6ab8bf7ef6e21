"""Replay: files in, a run and its document out."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bot import plan as plans
from bot.config import Config
from bot.events import Fill
from bot.modes.parts import Universe, build, replay_books, run_row
from bot.results import ReplayResult, record_of, result_of
from bot.session import Session
from bot.shortfall import Shortfall, shortfall, volumes_of
from bot.store.journal import Journal
from bot.store.prices import keep_prices
from bot.store.store import Store
from bot.thinning import price_path, rows_to_keep
from feeds.bars import VOLUME
from feeds.errors import BadData
from feeds.files import find_files, release
from feeds.funding_files import FundingFile
from feeds.history import History, Recorded, read_candles
from feeds.instrument_files import instruments_beside
from feeds.instruments import Instrument
from feeds.layout import folders_of
from feeds.mapped import give_back
from feeds.metric_files import MetricFile
from feeds.news_files import NewsFile
from feeds.synth import is_synthetic
from feeds.times import Millis, iso, now

VALUES = 1 << 19  # that are computed at once: more do not fit into a processor's cache
EQUITY_ROWS = 20_000  # points of the equity curve that a replay keeps


class Market(NamedTuple):
    """A history and what became known beside it; `instruments` are the trading rules that lie beside the candles."""

    history: History
    others: tuple[Recorded, ...]
    metrics: tuple[str, ...]
    warnings: tuple[str, ...]
    synthetic: bool
    files: tuple[Path, ...]
    instruments: Mapping[str, Instrument]


def replay(
    config: Config, *, candles: Sequence[Path], funding: Sequence[Path] = (), metrics: Sequence[Path] = (), news: Sequence[Path] = (),
    symbols: Sequence[str] | None = None, timeframe: Millis | None = None, start: Millis | None = None, stop: Millis | None = None,
    store: Path | None = None, seed: int = 0, step: bool = False, block: int = 16_384,
    progress: Callable[[int, int], None] = lambda done, total: None, command: str = "",
) -> ReplayResult:  # fmt: skip
    """Trade through history. Bars before `start` only warm up; `stop` is the first instant that is not replayed.

    block  bars, over all symbols, that are computed at once; many factors make it less
    store  keep the run in this file (None: in memory); a run of the same name that is there is replaced
    command  that has the same run again, to be kept with it
    Raises BadData, FactorError, ConfigError before anything is written.
    """
    market = read_market(candles, funding, metrics, news, symbols, timeframe, config.replay.venue or None)
    history = market.history
    since = history.span[0] if start is None else start
    if not _rows(history, since, stop):
        opens, closes = (iso(at) for at in history.span)
        raise BadData(f"no bar closes between --from and --to: the candles reach from {opens} to {closes}; give a span inside them")
    universe = Universe(history.symbols, history.timeframe, plans.instruments(config, history, market.instruments))
    plan = plans.strategy_plan(config, history.timeframe, market.metrics)
    arguments = {"candles": candles, "funding": funding, "metrics": metrics, "news": news, "symbols": symbols, "timeframe": timeframe,
                 "start": start, "stop": stop, "seed": seed}  # fmt: skip
    row = run_row(config, universe, "replay", market.history.sha256, seed, arguments)
    with replay_books(store, row) as (books, journal):
        session = build(config, universe, plan, row.id, journal.write)
        first = open_at(session, market, config, since)
        done, total = 0, _rows(history, first, stop)

        begun = time.perf_counter()

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            progress(done, total)

        with _no_collector():
            wide = len(history.symbols) * len(session.engine.program.names)
            rows = max(1, min(block // len(history.symbols), VALUES // wide))
            blocks = history.blocks(rows, first, stop, market.others)
            session.replay(blocks, books, journal, step=step, progress=advance)
            seconds = time.perf_counter() - begun
            _keep_equity(session, journal, history.timeframe, EQUITY_ROWS)
            journal.close()
            extra: dict[str, Any] = {
                "run": row.id, "digest": journal.digest(), "start": max(since, history.span[0]),
                "stop": history.span[1] if stop is None else min(stop, history.span[1]), "synthetic": market.synthetic,
                "data_hash": row.data_hash, "factors": plans.texts(config), "command": command,
                "slippage_parts": _slippage(config, history, session),
            }  # fmt: skip
            extra["warnings"] = (*market.warnings, *_uncovered(market, extra["start"], extra["stop"]))
            result = result_of(session, ReplayResult, extra, history.timeframe, seconds)
            if store is not None:
                _keep_prices(books, row.id, history, extra["start"], stop)
            journal.finish("finished", now(), msgspec.json.encode(result).decode())
    return result


def open_at(session: Session, market: Market, config: Config, since: Millis) -> Millis:
    """Make a session decide from `since` on; returns when the history begins that it warms up on."""
    session.begin(since)
    first = since - (session.engine.warm_up + 1) * market.history.timeframe
    for feed in market.others:
        if isinstance(feed, NewsFile):
            feed.since = first - int(config.strategy.windows.story)
    return first


def read_market(
    candles: Sequence[Path], funding: Sequence[Path], metrics: Sequence[Path], news: Sequence[Path], symbols: Sequence[str] | None,
    timeframe: Millis | None, venue: str | None = None,
) -> Market:  # fmt: skip
    """Everything that files tell, in the order of the feeds: metrics, news, candles, funding."""
    history = read_candles(candles, symbols, timeframe, now())
    others: list[Recorded] = []
    warnings = list(history.warnings)
    names: tuple[str, ...] = ()
    if metrics:
        observed = MetricFile(metrics, history.symbols)
        names = observed.names
        others.append(observed)
        warnings += observed.warnings
    if news:
        told = NewsFile(news, history.symbols)
        others.append(told)
        warnings += told.warnings
    if funding:
        paid = FundingFile(funding, history.symbols, venue)
        others.append(paid)
        warnings += paid.warnings
    else:
        warnings.append("no funding was given: positions pay and earn none")
    files = tuple(find_files(folders_of(candles, "candles", history.timeframe)))
    release()
    beside = instruments_beside(candles)
    return Market(history, tuple(others), names, tuple(warnings), any(is_synthetic(path) for path in files), files, beside)


@contextmanager
def _no_collector() -> Iterator[None]:
    """A replay makes millions of values and no cycle among them: looking for cycles would take a tenth of its time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _uncovered(market: Market, start: Millis, stop: Millis) -> list[str]:
    """Files that say nothing of a part of what was replayed."""
    told: list[str] = []
    for feed in market.others:
        if isinstance(feed, FundingFile):
            told += feed.uncovered(start, stop)
        elif isinstance(feed, NewsFile) and not feed.known_in(start, stop):
            told.append("no story of the news files became known in this span")
    return told


def _keep_equity(session: Session, journal: Journal, timeframe: Millis, most: int) -> None:
    record = record_of(session, timeframe)
    rows = rows_to_keep(record.bar_ms, record.equity, most)
    journal.equities(zip(*(column[rows].tolist() for column in record[:5]), strict=True))
    give_back(*record)


def _keep_prices(books: Store, run: str, history: History, start: Millis, stop: Millis | None) -> None:
    first, end = history.window(start, stop)
    lanes = zip(history.symbols, history.lanes, strict=True)
    keep_prices(books, run, (price_path(name, lane.numbers, lane.columns, history.timeframe, first, end) for name, lane in lanes))
    give_back(*(column for lane in history.lanes for column in lane.columns))


def _slippage(config: Config, history: History, session: Session) -> Shortfall:
    numbers, columns = [lane.numbers for lane in history.lanes], [lane.columns[VOLUME] for lane in history.lanes]
    fills = (event for event in session.money if isinstance(event, Fill))
    return shortfall(fills, plans.costs(config), volumes_of(history.symbols, numbers, columns, history.timeframe))


def _rows(history: History, start: Millis, stop: Millis | None) -> int:
    first, end = history.window(start, stop)
    return end - first
