"""The ledger of trials: every try of every sweep, on disk the moment it is done, so that none is made twice and all are counted.

A trial is known by what it is made of (settings, data, span). A sweep that was killed goes on by asking for the same tries again and
finding those that are here.
"""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np

from bot.store.migrations import Schema, Step
from bot.store.store import MEMORY, open_file
from feeds.bars import Array

_TRIALS = (
    """CREATE TABLE sweeps (
        id TEXT PRIMARY KEY, made_ms INTEGER NOT NULL, settings TEXT NOT NULL, result TEXT
    ) STRICT""",
    """CREATE TABLE trials (
        key TEXT PRIMARY KEY, choice TEXT NOT NULL, data TEXT NOT NULL, "values" TEXT NOT NULL, start INTEGER NOT NULL,
        stop INTEGER NOT NULL, figures TEXT NOT NULL, returns BLOB NOT NULL, digest TEXT NOT NULL, seconds REAL NOT NULL,
        made_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX trials_by_data ON trials (data, choice)",
    """CREATE TABLE uses (
        sweep TEXT NOT NULL, fold INTEGER NOT NULL, part TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL,
        PRIMARY KEY (sweep, fold, part, number)
    ) STRICT, WITHOUT ROWID""",
)
TRIALS = Schema("trials", int.from_bytes(b"SLTR", "big"), (Step("m001_trials", _TRIALS),))


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One replay of a sweep.

    key      SHA-256 of settings, data and span;  choice: of the settings alone;  data: of the data
    values   what was tried, by name;  start, stop  UTC milliseconds
    figures  the metrics of the replay by name, None where one cannot be had;  returns  float64[T], of periods of the sweep
    """

    key: str
    choice: str
    data: str
    values: dict[str, bool | int | float | str]
    start: int
    stop: int
    figures: dict[str, float | None]
    returns: tuple[float, ...]
    digest: str
    seconds: float

    def array(self) -> Array:
        """The returns as an array."""
        return np.array(self.returns, np.float64)


class Ledger:
    """One file of trials. Each call is a transaction of its own."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    @classmethod
    def open(cls, path: str | Path = MEMORY) -> "Ledger":
        """Open or make the file. Raises ConfigError, CheckFailed as a store does."""
        return cls(open_file(str(path), TRIALS))

    def begin(self, sweep: str, settings: str, made_ms: int) -> bool:
        """Write a sweep down; whether it was there already."""
        found = self._conn.execute("SELECT 1 FROM sweeps WHERE id = ?", (sweep,)).fetchone()
        self._conn.execute("INSERT OR IGNORE INTO sweeps VALUES (?, ?, ?, NULL)", (sweep, made_ms, settings))
        return found is not None

    def find(self, key: str) -> Trial | None:
        """The trial that is made of this."""
        row = self._conn.execute(
            'SELECT key, choice, data, "values", start, stop, figures, returns, digest, seconds FROM trials WHERE key = ?', (key,)
        ).fetchone()
        if row is None:
            return None
        return Trial(
            key=row[0], choice=row[1], data=row[2], values=msgspec.json.decode(row[3]), start=row[4], stop=row[5],
            figures=msgspec.json.decode(row[6]), returns=tuple(np.frombuffer(row[7], "<f8").tolist()), digest=row[8], seconds=row[9],
        )  # fmt: skip

    def put(self, trial: Trial, made_ms: int) -> None:
        """Keep a trial; one that is there stays as it is."""
        self._conn.execute(
            "INSERT OR IGNORE INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                trial.key, trial.choice, trial.data, _json(trial.values), trial.start, trial.stop, _json(trial.figures),
                trial.array().astype("<f8").tobytes(), trial.digest, trial.seconds, made_ms,
            ),
        )  # fmt: skip

    def use(self, sweep: str, fold: int, part: str, number: int, key: str) -> None:
        """A sweep asked for this trial."""
        self._conn.execute("INSERT OR REPLACE INTO uses VALUES (?, ?, ?, ?, ?)", (sweep, fold, part, number, key))

    def choices(self, data: str) -> int:
        """How many different settings were ever tried on these data."""
        return int(self._conn.execute("SELECT count(DISTINCT choice) FROM trials WHERE data = ?", (data,)).fetchone()[0])

    def count(self) -> int:
        """How many trials there are."""
        return int(self._conn.execute("SELECT count(*) FROM trials").fetchone()[0])

    def finish(self, sweep: str, result: str) -> None:
        """Keep what a sweep came to, JSON."""
        self._conn.execute("UPDATE sweeps SET result = ? WHERE id = ?", (result, sweep))

    def close(self) -> None:
        self._conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _json(value: Any) -> str:  # Any: plain values
    return msgspec.json.encode(value, order="sorted").decode()
