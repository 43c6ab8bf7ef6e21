"""The schema of the store, step by step. A step that has been released is never edited: a change is a new step.

Amounts of money are TEXT (a Decimal keeps every digit); evidence is REAL, and NULL where it is not known. All tables are strict.
"""

import sqlite3
from typing import NamedTuple

from bot.errors import CheckFailed, ConfigError, SluiceError


class Step(NamedTuple):
    """One change of the schema: its name, and the statements that make it."""

    name: str
    statements: tuple[str, ...]


class Schema(NamedTuple):
    """What a file must hold. `mark` is SQLite's application_id: it tells our files from those of other programs."""

    name: str
    mark: int
    steps: tuple[Step, ...]


_BOOKS = (
    """CREATE TABLE runs (
        id TEXT PRIMARY KEY, mode TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'interrupted', 'failed')),
        started_ms INTEGER NOT NULL, ended_ms INTEGER, config TEXT NOT NULL, config_hash TEXT NOT NULL, seed INTEGER NOT NULL,
        symbols TEXT NOT NULL, timeframe INTEGER NOT NULL, data_hash TEXT NOT NULL, versions TEXT NOT NULL,
        digest TEXT, chain TEXT, summary TEXT
    ) STRICT""",
    """CREATE TABLE events (
        run TEXT NOT NULL, seq INTEGER NOT NULL, cause INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL,
        payload TEXT NOT NULL, PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE signals (
        run TEXT NOT NULL, id INTEGER NOT NULL, names TEXT NOT NULL, PRIMARY KEY (run, id)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE decisions (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, seq INTEGER NOT NULL, cause INTEGER NOT NULL, at INTEGER NOT NULL,
        bar_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, bars INTEGER NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
        reason TEXT NOT NULL, score REAL, last_score REAL, confidence REAL, newest_ms INTEGER NOT NULL, price REAL, volatility REAL,
        signals INTEGER NOT NULL, contributions BLOB NOT NULL, digest BLOB NOT NULL, chain BLOB NOT NULL,
        UNIQUE (run, seq), UNIQUE (run, symbol, bar_ms)
    ) STRICT""",
    """CREATE TABLE orders (
        run TEXT NOT NULL, seq INTEGER NOT NULL, cause INTEGER NOT NULL, at INTEGER NOT NULL, id TEXT NOT NULL, symbol TEXT NOT NULL,
        side TEXT NOT NULL, type TEXT NOT NULL, quantity TEXT NOT NULL, purpose TEXT NOT NULL, reduce_only INTEGER NOT NULL,
        bar_ms INTEGER NOT NULL, reference TEXT NOT NULL, price TEXT, "trigger" TEXT, post_only INTEGER NOT NULL, stop TEXT, take TEXT,
        status TEXT NOT NULL, filled TEXT NOT NULL, updated_ms INTEGER NOT NULL, detail TEXT NOT NULL,
        PRIMARY KEY (run, seq), UNIQUE (run, id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX orders_by_cause ON orders (run, cause)",
    """CREATE TABLE updates (
        run TEXT NOT NULL, seq INTEGER NOT NULL, cause INTEGER NOT NULL, at INTEGER NOT NULL, id TEXT NOT NULL, symbol TEXT NOT NULL,
        status TEXT NOT NULL, filled TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX updates_by_order ON updates (run, id)",
    """CREATE TABLE cancels (
        run TEXT NOT NULL, seq INTEGER NOT NULL, cause INTEGER NOT NULL, at INTEGER NOT NULL, symbol TEXT NOT NULL, id TEXT NOT NULL,
        detail TEXT NOT NULL, PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE fills (
        run TEXT NOT NULL, seq INTEGER NOT NULL, cause INTEGER NOT NULL, at INTEGER NOT NULL, exec_id TEXT NOT NULL,
        order_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, price TEXT NOT NULL, quantity TEXT NOT NULL, fee TEXT NOT NULL,
        maker INTEGER NOT NULL, filled_ms INTEGER NOT NULL, purpose TEXT NOT NULL, slippage TEXT NOT NULL,
        PRIMARY KEY (run, seq), UNIQUE (run, exec_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX fills_by_order ON fills (run, order_id)",
    """CREATE TABLE funding (
        run TEXT NOT NULL, seq INTEGER NOT NULL, cause INTEGER NOT NULL, at INTEGER NOT NULL, symbol TEXT NOT NULL,
        settle_ms INTEGER NOT NULL, rate REAL, quantity TEXT NOT NULL, mark TEXT NOT NULL, payment TEXT NOT NULL, PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE refusals (
        run TEXT NOT NULL, seq INTEGER NOT NULL, cause INTEGER NOT NULL, at INTEGER NOT NULL, symbol TEXT NOT NULL,
        bar_ms INTEGER NOT NULL, purpose TEXT NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX refusals_by_cause ON refusals (run, cause)",
    """CREATE TABLE states (
        run TEXT NOT NULL, seq INTEGER NOT NULL, cause INTEGER NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, by TEXT NOT NULL,
        reason TEXT NOT NULL, PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE equity (
        run TEXT NOT NULL, bar_ms INTEGER NOT NULL, equity REAL, cash REAL, gross REAL, net REAL, PRIMARY KEY (run, bar_ms)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE feeds (
        run TEXT NOT NULL, feed TEXT NOT NULL, at INTEGER NOT NULL, up INTEGER NOT NULL, detail TEXT NOT NULL, gap INTEGER NOT NULL,
        PRIMARY KEY (run, feed)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, verb TEXT NOT NULL, reason TEXT NOT NULL, cancel INTEGER NOT NULL,
        flatten INTEGER NOT NULL, done_at INTEGER, run TEXT, outcome TEXT
    ) STRICT""",
    "CREATE INDEX commands_waiting ON commands (id) WHERE done_at IS NULL",
)

_CANDLES = (
    """CREATE TABLE candles (
        symbol TEXT NOT NULL, timeframe INTEGER NOT NULL, open_ms INTEGER NOT NULL, open REAL NOT NULL, high REAL NOT NULL,
        low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL, turnover REAL, source TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (symbol, timeframe, open_ms)
    ) STRICT, WITHOUT ROWID""",
)

_TARGETS = ("ALTER TABLE decisions ADD COLUMN target REAL",)
_AGAIN = ("ALTER TABLE runs ADD COLUMN arguments TEXT NOT NULL DEFAULT '{}'", "ALTER TABLE events ADD COLUMN chain BLOB")

_PRICES = (
    """CREATE TABLE prices (
        run TEXT NOT NULL, symbol TEXT NOT NULL, first_ms INTEGER NOT NULL, step_ms INTEGER NOT NULL, path BLOB NOT NULL,
        PRIMARY KEY (run, symbol)
    ) STRICT, WITHOUT ROWID""",
)

_STEPS = Step("m001_books", _BOOKS), Step("m002_targets", _TARGETS), Step("m003_again", _AGAIN), Step("m004_prices", _PRICES)
LEDGER = Schema("ledger", int.from_bytes(b"SLUI", "big"), _STEPS)
MARKET = Schema("market", int.from_bytes(b"SLMK", "big"), (Step("m001_candles", _CANDLES),))

# Everything in the ledger that belongs to one run, `runs` aside.
RUN_TABLES = (
    "events", "signals", "decisions", "orders", "updates", "cancels", "fills", "funding", "refusals", "states", "equity", "feeds",
    "prices",
)  # fmt: skip


_RECORD = (
    Step(
        "record",
        (
            """CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
)""",
            """CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name")""",
        ),
    ),
)
_APPLIED = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now'))"


def level(conn: sqlite3.Connection, schema: Schema, path: str) -> int:
    """How many steps the file has taken; 0 for an empty one.

    Raises ConfigError when the file is no database, belongs to another program or was written by a newer version, CheckFailed when
    it is damaged.
    """
    try:
        mark = int(conn.execute("PRAGMA application_id").fetchone()[0])
        taken = int(conn.execute("PRAGMA user_version").fetchone()[0])
        tables = int(conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except sqlite3.OperationalError as error:
        raise ConfigError(f"{path} cannot be read: {error}; check its owner and its mode") from error
    except sqlite3.DatabaseError as error:
        raise unusable(error, path) from error
    if mark == 0 and taken == 0 and tables == 0:
        return 0
    if mark != schema.mark:
        raise ConfigError(f"{path} is a database of another program, not a Sluice {schema.name} file; name another file")
    if taken > len(schema.steps):
        raise ConfigError(
            f"{path} was written by a newer Sluice (schema {taken}, this one knows {len(schema.steps)}); "
            "install that version, or name another file"
        )
    return taken


def check(conn: sqlite3.Connection, path: str) -> None:
    """Raises CheckFailed when SQLite finds the file damaged."""
    try:
        found = [str(row[0]) for row in conn.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if found != ["ok"]:
        lines = "; ".join(line for text in found for line in text.splitlines() if not line.startswith("***"))
        raise _damaged(path, lines)


def migrate(conn: sqlite3.Connection, schema: Schema, *, record: bool) -> None:
    """Take every step that is missing, all in one transaction: a crash leaves the old schema or the new one.

    record  keep sqlite-utils' own record of steps in the file (a database in memory needs none). A new file gets the record that
            sqlite-utils would write: its import takes a quarter of a second, and pandas with it where that is installed
    """
    conn.execute("BEGIN IMMEDIATE")
    try:
        if record and conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            _apply(conn, schema)
        else:
            for step in (*_RECORD, *schema.steps) if record else schema.steps:
                _run(conn, step)
            for step in schema.steps if record else ():
                conn.execute(_APPLIED, (schema.name, step.name))
        conn.execute(f"PRAGMA application_id = {schema.mark}")
        conn.execute(f"PRAGMA user_version = {len(schema.steps)}")
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def unusable(error: sqlite3.DatabaseError, path: str) -> SluiceError:
    """What SQLite means when it cannot make sense of a file: it is damaged, or no database at all."""
    if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:
        return _damaged(path, str(error))
    return ConfigError(f"{path} is not a Sluice store: {error}; name another file")


def _damaged(path: str, what: str) -> CheckFailed:
    return CheckFailed(f"{path} is damaged: {what}; restore it from a backup, or name another file")


def _apply(conn: sqlite3.Connection, schema: Schema) -> None:
    from sqlite_utils import Database, Migrations

    steps = Migrations(schema.name)
    for step in schema.steps:
        steps(name=step.name)(lambda db, step=step: _run(db.conn, step))
    steps.apply(Database(conn, recursive_triggers=False, execute_plugins=False))


def _run(conn: sqlite3.Connection, step: Step) -> None:
    for statement in step.statements:
        conn.execute(statement)
