"""The file: whose it is, what it holds, and what happens when it cannot be had."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from bot.errors import CheckFailed, ConfigError, TimedOut
from bot.store import store as module
from bot.store.migrations import LEDGER, Schema, Step, level, migrate
from bot.store.reader import Reader
from bot.store.store import MEMORY, Market, Store, connect, market_path
from feeds.events import Source
from tests.bot.store.building import decision, journal
from tests.builders import START, candle

ROOT = Path(__file__).parents[3]


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def tables(conn: sqlite3.Connection) -> set[str]:
    return {name for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")}


def test_new_store_is_made_with_its_folders_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "bot.db"
    with Store.open(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(Path(f"{path}-wal").stat().st_mode) == 0o600


def test_store_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    Store.open(path).close()
    path.chmod(0o644)
    Store.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_books_are_durable_and_market_data_is_not_paid_for_twice(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bot.db") as store:
        assert store.conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store.conn.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert store.market.conn.execute("PRAGMA synchronous").fetchone() == (1,)  # NORMAL
        assert (tmp_path / "bot.market.db").exists()


def test_a_file_and_memory_hold_the_same_tables(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bot.db") as file, Store.open(MEMORY) as memory:
        assert tables(file.conn) - {"_sqlite_migrations"} == tables(memory.conn)


def test_every_table_is_strict() -> None:
    for found in (Store.open().conn, Market.open().conn):
        loose = found.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%'")
        assert loose.fetchall() == []


def test_wrong_type_is_refused_by_the_schema() -> None:
    with Store.open() as store, pytest.raises(sqlite3.IntegrityError):
        store.conn.execute("INSERT INTO equity VALUES ('r', 'noon', 1, 1, 1, 1)")


def test_transaction_keeps_everything_or_nothing(tmp_path: Path) -> None:
    insert = "INSERT INTO commands (at, verb, reason, cancel, flatten) VALUES (1, 'halt', ?, 0, 0)"
    with Store.open(tmp_path / "bot.db") as store:
        with store.transaction():
            store.conn.execute(insert, ("kept",))
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.conn.execute(insert, ("lost",))
            raise ZeroDivisionError
        assert store.conn.execute("SELECT reason FROM commands").fetchall() == [("kept",)]


def test_nested_transaction_is_a_programming_error_and_loses_the_outer_one() -> None:
    store = Store.open()
    with pytest.raises(RuntimeError, match="one event settles at a time"), store.transaction():
        store.conn.execute("INSERT INTO commands (at, verb, reason, cancel, flatten) VALUES (1, 'halt', '', 0, 0)")
        with store.transaction():
            pass
    assert store.conn.execute("SELECT count(*) FROM commands").fetchone() == (0,)
    with store.transaction():
        pass


def test_file_of_another_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE contacts (name TEXT)")
    conn.commit()
    conn.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"theirs\.db is a database of another program") as refused:
        Store.open(path)
    assert refused.value.exit_code == 4
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["theirs.db"]


def test_market_file_is_not_taken_for_the_books(tmp_path: Path) -> None:
    Market.open(tmp_path / "bot.market.db").close()
    with pytest.raises(ConfigError, match="another program"):
        Store.open(tmp_path / "bot.market.db")


def test_file_that_is_no_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("time,open,high,low,close\n" * 100)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"prices\.csv is not a Sluice store"):
        Store.open(path)
    assert path.read_bytes() == before


def test_store_of_a_newer_version_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with Store.open(path) as store:
        store.conn.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"newer Sluice \(schema 99, this one knows 4\)"):
        Store.open(path)
    assert path.read_bytes() == before


def test_damaged_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    with Store.open(path) as store:
        books = journal(store)
        with store.transaction():
            for row in range(500):
                books.write(decision(row=row), 0)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8192] = b"\xff" * 8192
    path.write_bytes(bytes(data))
    with pytest.raises(CheckFailed, match=r"bot\.db is damaged.*restore it"):
        Store.open(path)


def test_truncated_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    Store.open(path).close()
    os.truncate(path, path.stat().st_size - 4096)
    with pytest.raises(CheckFailed):
        Store.open(path)


_AS_NOBODY = """
import os, sys
from bot.errors import SluiceError
from bot.store.store import Store
if os.getuid() == 0:  # nothing is closed to root
    os.setuid(65534)
try:
    Store.open(sys.argv[1])
except SluiceError as error:
    print(type(error).__name__, error.exit_code, error)
"""


@pytest.fixture
def open_to_all(tmp_path: Path) -> Path:
    """A folder that another user could reach, were it not for its own mode."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.stat().st_uid == os.getuid() and folder.name.startswith(("pytest", "test")):
            folder.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("there", [False, True], ids=["new store", "store that is there"])
def test_folder_that_cannot_be_written_is_a_configuration_error(open_to_all: Path, there: bool) -> None:
    folder = open_to_all / "closed"
    folder.mkdir()
    path = folder / "bot.db"
    if there:
        Store.open(path).close()
        if os.getuid() == 0:
            os.chown(path, 65534, 65534)
    folder.chmod(0o555)
    done = run_python(_AS_NOBODY, str(path))
    assert done.stdout.startswith("ConfigError 4 the "), done.stderr
    assert "closed" in done.stdout and "cannot be written" in done.stdout


def test_folder_in_place_of_a_store_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: Is a directory"):
        Store.open(tmp_path)


def test_store_locked_by_another_writer_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_MS", 30)
    path = tmp_path / "bot.db"
    with Store.open(path) as mine, Store.open(path) as other:
        with other.transaction():
            with pytest.raises(TimedOut, match="locked by another process"):
                mine.transaction().__enter__()
            assert not mine.conn.in_transaction
        with mine.transaction():
            pass


def test_sqlite_utils_is_loaded_only_to_change_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    code = "import sys; from bot.store.store import Store; Store.open(sys.argv[1]); print('sqlite_utils' in sys.modules)"
    for file in (str(path), str(path), MEMORY):
        assert run_python(code, file).stdout == "False\n"
    older = Schema(LEDGER.name, LEDGER.mark, LEDGER.steps[:1])
    conn = connect(str(tmp_path / "older.db"), "FULL")
    migrate(conn, older, record=True)
    conn.close()
    assert run_python(code, str(tmp_path / "older.db")).stdout == "True\n"


def test_the_record_of_a_new_file_is_the_one_that_sqlite_utils_writes(tmp_path: Path) -> None:
    conn = connect(str(tmp_path / "by_hand.db"), "FULL")
    migrate(conn, LEDGER, record=True)
    theirs = sqlite3.connect(tmp_path / "theirs.db")
    steps = Migrations(LEDGER.name)
    steps(name="m001_books")(lambda db: None)
    steps.apply(Database(theirs))
    asked = "SELECT name, sql FROM sqlite_master WHERE name LIKE '%_sqlite_migrations%' ORDER BY name"
    assert conn.execute(asked).fetchall() == theirs.execute(asked).fetchall()
    assert [step.name for step in Migrations(LEDGER.name).applied(Database(conn))] == [step.name for step in LEDGER.steps]
    (mine,), (other,) = (
        c.execute("SELECT applied_at FROM _sqlite_migrations WHERE name = 'm001_books'").fetchone() for c in (conn, theirs)
    )
    assert abs(datetime.fromisoformat(mine) - datetime.fromisoformat(other)) < timedelta(minutes=1)


def test_steps_are_on_record_in_the_file(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bot.db") as store:
        assert store.conn.execute("SELECT migration_set, name FROM _sqlite_migrations").fetchall() == [
            ("ledger", "m001_books"), ("ledger", "m002_targets"), ("ledger", "m003_again"), ("ledger", "m004_prices"),
        ]  # fmt: skip


def _two_steps(second: tuple[str, ...]) -> Schema:
    return Schema(LEDGER.name, LEDGER.mark, (*LEDGER.steps, Step("m005_more", second)))


def test_store_of_an_older_version_takes_the_missing_steps_and_keeps_its_rows(tmp_path: Path) -> None:
    path = str(tmp_path / "bot.db")
    with Store.open(path) as store:
        books = journal(store)
        with store.transaction():
            books.write(decision(), 0)
    conn = connect(path, "FULL")
    newer = _two_steps(("ALTER TABLE runs ADD COLUMN note TEXT",))
    assert level(conn, newer, path) == 4
    migrate(conn, newer, record=True)
    assert level(conn, newer, path) == 5
    assert conn.execute("SELECT note, id FROM runs").fetchall() == [(None, "r1")]
    assert conn.execute("SELECT count(*) FROM decisions").fetchone() == (1,)
    assert conn.execute("SELECT name FROM _sqlite_migrations").fetchall() == [
        ("m001_books",), ("m002_targets",), ("m003_again",), ("m004_prices",), ("m005_more",),
    ]  # fmt: skip
    conn.close()


def test_store_of_an_older_version_is_brought_up_to_date_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    conn = connect(str(path), "FULL")
    migrate(conn, Schema(LEDGER.name, LEDGER.mark, LEDGER.steps[:1]), record=True)
    conn.execute("INSERT INTO runs VALUES ('r1', 'paper', 'finished', 1, 2, '{}', '', 0, '[]', 60000, '', '{}', NULL, NULL, NULL)")
    conn.execute("INSERT INTO events VALUES ('r1', 1, 0, 5, 'Tick', '{\"event\":\"Tick\",\"at\":5}')")
    conn.close()
    with Reader.open(path) as reader:
        assert [(row.id, row.arguments) for row in reader.runs()] == [("r1", "{}")]
        assert reader.verify_inputs("r1").rows == 0
        assert len(list(reader.inputs("r1"))) == 1


def test_step_that_fails_leaves_the_old_schema(tmp_path: Path) -> None:
    path = str(tmp_path / "bot.db")
    Store.open(path).close()
    conn = connect(path, "FULL")
    with pytest.raises(sqlite3.OperationalError):
        migrate(conn, _two_steps(("CREATE TABLE more (x INTEGER) STRICT", "CREATE TABLE runs (x INTEGER) STRICT")), record=True)
    assert level(conn, LEDGER, path) == 4
    assert "more" not in tables(conn)
    conn.close()
    Store.open(path).close()


_KILLED_IN_A_STEP = """
import os, signal, sys
from bot.store.migrations import LEDGER, Schema, Step, migrate
from bot.store.store import Store, connect
path, die_after = sys.argv[1], int(sys.argv[2])
Store.open(path).close()
conn = connect(path, "FULL")
conn.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
statements = ["CREATE TABLE one (x INTEGER) STRICT", "CREATE TABLE two (x INTEGER) STRICT", "ALTER TABLE runs ADD COLUMN note TEXT"]
statements.insert(die_after, "SELECT die()")
migrate(conn, Schema(LEDGER.name, LEDGER.mark, (*LEDGER.steps, Step("m005_more", tuple(statements)))), record=True)
"""


@pytest.mark.parametrize("statement", range(4))
def test_kill_inside_a_step_leaves_the_old_schema_whole(tmp_path: Path, statement: int) -> None:
    path = tmp_path / "bot.db"
    assert run_python(_KILLED_IN_A_STEP, str(path), str(statement)).returncode == -9
    with Store.open(path) as store:
        assert level(store.conn, LEDGER, str(path)) == 4
        assert not {"one", "two"} & tables(store.conn)
        assert "note" not in [row[1] for row in store.conn.execute("PRAGMA table_info(runs)")]


def test_first_word_on_a_bar_stands(tmp_path: Path) -> None:
    with Store.open(tmp_path / "bot.db") as store:
        store.market.put([candle(row=0, close=100.25), candle(row=1), candle("ETHUSDT")])
        store.market.put([candle(row=0, close=100.75), candle(row=2)])
        kept = list(store.market.candles("BTCUSDT", 60_000))
    assert kept == [candle(row=0, close=100.25), candle(row=1), candle(row=2)]
    assert kept[0].source is Source.FILE


def test_market_data_locked_by_another_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_MS", 30)
    mine, other = Market.open(tmp_path / "m.db"), Market.open(tmp_path / "m.db")
    other.conn.execute("BEGIN IMMEDIATE")
    with pytest.raises(TimedOut, match=r"m\.db was locked"):
        mine.put([candle()])
    other.conn.execute("ROLLBACK")
    mine.put([candle()])
    assert list(other.candles("BTCUSDT", 60_000)) == [candle()]


def test_bars_are_read_back_by_their_opening() -> None:
    market = Market.open()
    market.put([candle(row=row) for row in range(5)])
    inside = market.candles("BTCUSDT", 60_000, START + 60_000, START + 180_000)
    assert [bar.open_ms for bar in inside] == [START + 60_000, START + 120_000]


@pytest.mark.parametrize(("path", "market"), [("x/bot.db", "x/bot.market.db"), ("bot", "bot.market.db"), (MEMORY, MEMORY)])
def test_market_data_lies_beside_the_books(path: str, market: str) -> None:
    assert market_path(path) == market


def test_writers_hear_how_a_transaction_ended() -> None:
    heard: list[str] = []

    class Listener:
        def flush(self, conn: sqlite3.Connection) -> None:
            heard.append("flush")

        def committed(self) -> None:
            heard.append("committed")

        def lost(self) -> None:
            heard.append("lost")

    store = Store.open()
    store.join(Listener())
    with store.transaction():
        pass
    broken: Callable[[], float] = lambda: 1 / 0  # noqa: E731
    with pytest.raises(ZeroDivisionError), store.transaction():
        broken()
    assert heard == ["flush", "committed", "lost"]
