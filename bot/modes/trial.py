"""One replay of a sweep, in a process of its own or in this one: settings and a span in, figures and returns out."""

import hashlib
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bot import plan as plans
from bot.config import Config
from bot.events import TradingState
from bot.modes.history import Market, open_at, read_market
from bot.modes.parts import Universe, build, config_json, replay_books, run_row
from bot.results import ReplayResult, record_of, result_of
from bot.sampling import Value
from bot.store.trials import Trial
from feeds.bars import Array
from feeds.times import Millis
from strategies.errors import StrategyError

BLOCK = 16_384  # bars, over all symbols, that are computed at once
HALTED_MS = "halted_ms"  # figure of a trial: since when a limit of risk let nothing be traded; None: it went on to the end
IDENTITY = "trial"  # of its orders: the same settings fill the same, whatever the sweep is called


class Files(NamedTuple):
    """What a replay reads."""

    candles: tuple[Path, ...]
    funding: tuple[Path, ...] = ()
    metrics: tuple[Path, ...] = ()
    news: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ()
    timeframe: Millis | None = None


class Job(NamedTuple):
    """A replay to make.

    key, choice, data  as `Trial` has them;  start, stop  UTC milliseconds
    period   length of the periods whose returns are wanted, milliseconds, a multiple of the bar length
    """

    key: str
    choice: str
    data: str
    values: dict[str, Value]
    config: Config
    files: Files
    start: Millis
    stop: Millis
    period: Millis


def market_of(files: Files, venue: str) -> Market:
    """The market of these files; the last one that was read stays in memory."""
    return _market(files, venue)


@lru_cache(maxsize=1)
def _market(files: Files, venue: str) -> Market:
    return read_market(files.candles, files.funding, files.metrics, files.news, files.symbols or None, files.timeframe, venue or None)


def key_of(config: Config, data: str, start: Millis, stop: Millis) -> tuple[str, str]:
    """(key, choice) of a trial: of settings, data and span, and of the settings alone."""
    settings = config_json(config)
    choice = hashlib.sha256(settings.encode()).hexdigest()
    return hashlib.sha256(f"{choice}{data}{start}{stop}".encode()).hexdigest(), choice


def attempt(job: Job) -> Trial:
    """Make the replay. Raises StrategyError, FactorError, ConfigError and BadData as any replay does, a hook's with what was tried."""
    begun = time.perf_counter()
    try:
        result, returns = _replayed(job)
    except StrategyError as fault:
        tried = ", ".join(f"{name} = {value}" for name, value in job.values.items()) or "the settings as they are"
        raise StrategyError(*(f"{problem}, tried with {tried}" for problem in fault.problems)) from None
    figures = {name: value for name, value in result.metrics.items() if value is None or isinstance(value, int | float)}
    end = result.stopped
    figures[HALTED_MS] = end.since if end is not None and result.state is TradingState.HALTED else None
    return Trial(
        key=job.key, choice=job.choice, data=job.data, values=job.values, start=job.start, stop=job.stop,
        figures={name: None if value is None else float(value) for name, value in figures.items()}, returns=tuple(returns.tolist()),
        digest=result.digest, seconds=round(time.perf_counter() - begun, 3),
    )  # fmt: skip


def _replayed(job: Job) -> tuple[ReplayResult, Array]:
    config, market = job.config, market_of(job.files, job.config.replay.venue)
    history = market.history
    universe = Universe(history.symbols, history.timeframe, plans.instruments(config, history, market.instruments))
    row = run_row(config, universe, IDENTITY, history.sha256, 0, {})
    with replay_books(None, row) as (books, journal):
        session = build(config, universe, plans.strategy_plan(config, history.timeframe, market.metrics), IDENTITY, journal.write)
        first = open_at(session, market, config, job.start)
        begun = time.perf_counter()
        session.replay(history.blocks(max(1, BLOCK // len(history.symbols)), first, job.stop, market.others), books, journal)
        journal.close()
        extra: dict[str, Any] = {"run": row.id, "digest": journal.digest(), "start": job.start, "stop": job.stop}
        result = result_of(session, ReplayResult, extra, history.timeframe, time.perf_counter() - begun)
        record = record_of(session, history.timeframe)
        returns = returns_by(record.bar_ms, record.equity, float(session.ledger.initial), job.period)
        journal.finish("finished", job.stop, msgspec.json.encode(result).decode())
    return result, returns


def returns_by(bar_ms: Any, equity: Array, start: float, period: Millis) -> Array:  # Any: int64[T]
    """Simple returns of whole periods since 1970, the last one as long as there is: float64[P].

    equity  float64[T], at closes `bar_ms`;  start  before the first of them
    """
    if not len(bar_ms):
        return np.empty(0)
    number = (bar_ms - 1) // period
    last = np.flatnonzero(np.append(number[1:] != number[:-1], True))
    ends = np.concatenate(([start], equity[last]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(ends[1:] / ends[:-1] - 1.0, nan=0.0, posinf=0.0, neginf=0.0)


def data_hash(market: Market, files: Files) -> str:
    """SHA-256 of all that a trial reads, wherever it lies."""
    whole = hashlib.sha256(market.history.sha256.encode())
    for path in _all(files):
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _all(files: Files) -> Sequence[Path]:
    from feeds.files import find_files

    return [path for kind in (files.funding, files.metrics, files.news) if kind for path in find_files(kind)]
