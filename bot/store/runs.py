"""Runs: begun, gone on with, begun again. One process writes a store at a time, so a run found `running` has lost its own."""

from typing import NamedTuple

import msgspec

from bot.errors import ConfigError, NotFound
from bot.store.chain import GENESIS
from bot.store.migrations import RUN_TABLES
from bot.store.store import Store


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is made of, as it is written down when it begins.

    config     the effective settings, as JSON text; config_hash  of them
    timeframe  bar length, milliseconds; data_hash  of the history that is read ("" for a live market)
    versions   name -> version of what computes
    arguments  what has the run again, as JSON: files by absolute path and hash, symbols, span (`{}` for a live market)
    """

    id: str
    mode: str
    started_ms: int
    config: str = "{}"
    config_hash: str = ""
    seed: int = 0
    symbols: tuple[str, ...] = ()
    timeframe: int = 60_000
    data_hash: str = ""
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    arguments: str = "{}"


class Place(NamedTuple):
    """Where a run stands: the last number given, the last links of the chains of decisions and of inputs, the last bar decided of
    each symbol."""

    seq: int
    chain: bytes
    inputs: bytes
    decided: dict[str, int]


def begin(store: Store, run: Run) -> None:
    """Write the run down as running; a replay that is there under this id is deleted first, rows and all.

    Raises ConfigError when a run of another mode has the id: what was recorded cannot be had again.
    """
    with store.transaction():
        conn = store.conn
        found = conn.execute("SELECT mode FROM runs WHERE id = ?", (run.id,)).fetchone()
        if found is not None and found[0] != "replay":
            raise ConfigError(f"run {run.id} in {store.path} is a recorded {found[0]} run; resume it, or give the new run another id")
        if found is not None:
            _erase(store, run.id)
        _interrupt_others(store, run.id)
        symbols, versions = (msgspec.json.encode(value, order="sorted").decode() for value in (run.symbols, run.versions))
        conn.execute(
            "INSERT INTO runs VALUES (?,?,'running',?,NULL,?,?,?,?,?,?,?,NULL,NULL,NULL,?)",
            (
                run.id, run.mode, run.started_ms, run.config, run.config_hash, run.seed, symbols, run.timeframe, run.data_hash, versions,
                run.arguments,
            ),
        )  # fmt: skip


def delete(store: Store, run: str) -> None:
    """Take a replay out, rows and all: its files have it again.

    Raises NotFound when there is none, ConfigError for a run of another mode: what was recorded cannot be had again.
    """
    with store.transaction():
        found = store.conn.execute("SELECT mode FROM runs WHERE id = ?", (run,)).fetchone()
        if found is None:
            raise NotFound(f"{store.path} holds no run {run}; list them with sluice runs")
        if found[0] != "replay":
            raise ConfigError(f"run {run} is a recorded {found[0]} run and cannot be had again: it stays.  Only replays are deleted")
        _erase(store, run)


def reopen(store: Store, run: str) -> Place:
    """Write the run down as running again, and tell where it stands. Raises NotFound when there is none."""
    with store.transaction():
        conn = store.conn
        if conn.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None:
            raise NotFound(f"{store.path} holds no run {run}; begin a new one")
        _interrupt_others(store, run)
        conn.execute("UPDATE runs SET state = 'running', ended_ms = NULL, digest = NULL, chain = NULL, summary = NULL WHERE id = ?", (run,))
        seq = 0
        for table in RUN_TABLES:
            if table not in ("equity", "feeds", "signals", "prices"):
                seq = max(seq, conn.execute(f"SELECT coalesce(max(seq), 0) FROM {table} WHERE run = ?", (run,)).fetchone()[0])
        decided = dict(conn.execute("SELECT symbol, max(until_ms) FROM decisions WHERE run = ? GROUP BY symbol", (run,)).fetchall())
        inputs = conn.execute("SELECT chain FROM events WHERE run = ? ORDER BY seq DESC LIMIT 1", (run,)).fetchone()
    return Place(seq, last_link(store, run), bytes(inputs[0] or GENESIS) if inputs else GENESIS, decided)


def last_link(store: Store, run: str) -> bytes:
    """The chain up to the newest decision that is written."""
    last = store.conn.execute("SELECT chain FROM decisions WHERE run = ? ORDER BY id DESC LIMIT 1", (run,)).fetchone()
    return GENESIS if last is None else bytes(last[0])


def _erase(store: Store, run: str) -> None:
    for table in (*RUN_TABLES, "runs"):
        store.conn.execute(f"DELETE FROM {table} WHERE {'id' if table == 'runs' else 'run'} = ?", (run,))


def _interrupt_others(store: Store, run: str) -> None:
    store.conn.execute("UPDATE runs SET state = 'interrupted' WHERE state = 'running' AND id <> ?", (run,))
