"""The parts of a session, plugged together from a config; and the books that it is written into."""

import hashlib
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bot import plan as plans
from bot.bus import Tap
from bot.compiling import announce
from bot.config import Config
from bot.execution.simulated import SimulatedExecutor
from bot.ledger import Ledger
from bot.lock import Lock
from bot.orders import OpenOrders
from bot.risk import Risk
from bot.session import Session
from bot.store.journal import Journal
from bot.store.runs import Run, begin
from bot.store.store import Store
from bot.trader import Trader
from feeds.files import find_files
from feeds.instruments import Instrument
from feeds.layout import folders_of
from feeds.times import Millis, now
from strategies.decision import record_bytes
from strategies.engine import Plan, StrategyEngine
from strategies.events import Decision

FILES = ("candles", "funding", "metrics", "news")  # the arguments of a replay that are paths
NAMED = ("symbols", "timeframe", "start", "stop", "seed", "instruments")  # those that its name is made of


class Universe(NamedTuple):
    """What is traded, at which bar length, by which rules."""

    symbols: tuple[str, ...]
    timeframe: Millis
    instruments: Mapping[str, Instrument]


def build(config: Config, universe: Universe, plan: Plan, run: str, tap: Tap) -> Session:
    """A session with the simulated exchange; what it does goes to `tap`."""
    symbols, instruments = universe.symbols, universe.instruments
    ledger = Ledger(config.account.cash, symbols)
    orders = OpenOrders()
    risk = Risk(plans.limits(config, universe.timeframe), ledger, orders, instruments, run=run)
    trader = Trader(plans.rules(config), risk, ledger, orders, instruments)
    executor = SimulatedExecutor(instruments, plans.costs(config), plans.fills(config), config.account.cash, symbols)
    announce()
    engine = StrategyEngine(plan, symbols, universe.timeframe)
    return Session(engine=engine, trader=trader, risk=risk, executor=executor, ledger=ledger, orders=orders, symbols=symbols, tap=tap)


def journal_of(store: Store, run: str, symbols: Sequence[str], *, keep_inputs: bool, merge_repeats: bool) -> Journal:
    """The journal of a run in an open store."""
    place = {symbol: i for i, symbol in enumerate(symbols)}

    def record(decision: Decision) -> bytes:
        return record_bytes(decision, place[decision.symbol])

    return Journal(store, run, record=record, keep_inputs=keep_inputs, merge_repeats=merge_repeats)


@contextmanager
def replay_books(path: Path | None, row: Run) -> Iterator[tuple[Store, Journal]]:
    """A store with the run begun in it: in memory, or a file in which a run of the same name is replaced."""
    with ExitStack() as closing:
        if path is not None:
            closing.enter_context(Lock(path, started_ms=row.started_ms, mode=row.mode))
        store = closing.enter_context(Store.open(path) if path is not None else Store.open(defer=True))
        begin(store, row)
        yield store, journal_of(store, row.id, row.symbols, keep_inputs=False, merge_repeats=True)


def run_row(config: Config, universe: Universe, mode: str, data_hash: str, seed: int, arguments: Mapping[str, Any]) -> Run:
    """The run's row. A replay is named by what it is made of, so that the same one replaces itself; others by when they began."""
    settings, started = config_json(config), now()
    said = again(arguments, universe.instruments) if arguments else "{}"
    versions = {name: version(name) for name in ("sluice", "numpy", "numba", "msgspec")} | {"python": platform.python_version()}
    config_hash = hashlib.sha256(settings.encode()).hexdigest()
    return Run(
        id=run_name(mode, config_hash, data_hash, started, said), mode=mode, started_ms=started, config=settings, config_hash=config_hash,
        seed=seed, symbols=universe.symbols, timeframe=universe.timeframe, data_hash=data_hash, versions=versions, arguments=said,
    )  # fmt: skip


def run_name(mode: str, config_hash: str, data_hash: str, started: Millis, arguments: str) -> str:
    """The id of a run. That of a replay comes from settings, rules, data and span alone: where its files lie is no part of it."""
    name = f"{config_hash}{mode}{started}"
    if mode == "replay":
        given = msgspec.json.decode(arguments)
        made = [given.get(of) for of in NAMED] + [sorted(files.values()) for _, files in sorted(given["hashes"].items())]
        name = f"{config_hash}{data_hash}" + msgspec.json.encode(made, order="sorted").decode()
    return f"{mode[0].upper()}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def again(arguments: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> str:
    """What has a replay again, as JSON: its arguments with absolute paths, `hashes` of the files beside the candles, `instruments`."""
    paths = {name: [str(path) for path in given_paths(arguments.get(name) or ())] for name in FILES}
    said = {**arguments, **paths, "hashes": hashes(paths), "instruments": dict(instruments)}
    return msgspec.json.encode(said, order="sorted", enc_hook=str).decode()


def given_paths(paths: Iterable[str | Path]) -> list[Path]:
    """As they were given, each by itself and absolute."""
    out: list[Path] = []
    for text in paths:
        parts = [Path(text)] if Path(text).exists() else [Path(part.strip()) for part in str(text).split(",") if part.strip()]
        out += [path.absolute() for path in parts]
    return out


def hashes(paths: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """SHA-256 of the bytes of every file beside the candles, by kind and path. Raises BadData where there is none."""
    found: dict[str, dict[str, str]] = {}
    for kind in FILES[1:]:
        files = find_files(paths[kind] if kind == "news" else folders_of(paths[kind], kind)) if paths[kind] else []
        found[kind] = {str(file): _sha256(file) for file in files}
    return found


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def config_json(config: Config) -> str:
    """The effective settings, the same text for the same settings; factors stay in their order, in which they are added up."""
    return msgspec.json.encode(config, enc_hook=int).decode()


def config_of(text: str) -> Config:
    """The settings that `config_json` wrote."""
    return msgspec.json.decode(text, type=Config, dec_hook=_from_text)


def _from_text(kind: type, value: Any) -> Any:  # whatever a setting is written as
    return kind(value)
