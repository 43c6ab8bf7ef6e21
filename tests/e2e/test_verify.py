"""`verify` has a run again from what was written down, and names what was changed since: a byte of a row, an input, a setting."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bot.cli import main
from bot.config.tables import Config
from bot.errors import NotFound
from bot.modes import replay, verify
from bot.modes.daemon import Books
from bot.modes.parts import Universe
from bot.plan import instruments, strategy_plan
from bot.verdict import Verdict
from feeds.events import Event
from feeds.times import HOUR, MINUTE
from tests.e2e.runs import World, settings, world
from tests.e2e.test_strategy_check import HOOK

ROOT = Path(__file__).parents[2]
METRICS = ("exchange_netflow",)
BARS = 190
LOW = settings(strategy__entry_threshold=0.05, strategy__exit_threshold=0.02, strategy__min_confidence=0.1, risk__max_gross=0.12,
               risk__max_position_share=0.12, trading__stop_loss=0.003, risk__daily_loss=0.004)  # fmt: skip


def recorded(path: Path, market: World, *, pieces: int = 1, config: Config = LOW, killed: bool = False) -> str:
    """A demo run written down as `sluice demo` does it, in so many sittings."""
    history = market.history
    universe = Universe(history.symbols, history.timeframe, instruments(config, history))
    events = list(market.events())
    cuts = [len(events) * n // pieces for n in range(pieces + 1)]
    run = ""
    for n, (a, b) in enumerate(pairwise(cuts)):
        books = Books(config, path, universe, strategy_plan(config, MINUTE, METRICS), "demo", METRICS, started_at=history.span[0] + HOUR)
        run = books.run
        with books.store.transaction():
            books.session.bus.settle(books._started)
        _sit(books, events[max(0, a - 40) : b])
        if killed or n < pieces - 1:
            books.store.conn.close()  # the process is gone: nobody says so in the store
        else:
            books._state = "finished"
            books._result()
            books.__exit__(None)
    return run


def _sit(books: Books, events: list[Event]) -> None:
    for event in events:
        if books.session.is_news(event):
            with books.store.transaction():
                books.session.settle(event)


@pytest.fixture(scope="module")
def market() -> World:
    return world(BARS, 2, seed=17, scale=0.003)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory, market: World) -> Path:
    path = tmp_path_factory.mktemp("verify") / "demo.db"
    recorded(path, market)
    return path


@pytest.fixture
def copy(books: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    conn = sqlite3.connect(shutil.copy(books, tmp_path / "copy.db"))
    yield conn
    conn.close()


def of(conn: sqlite3.Connection) -> Verdict:
    conn.commit()
    return verify(Path(conn.execute("PRAGMA database_list").fetchone()[2]))


def test_a_recorded_run_comes_out_the_same(books: Path) -> None:
    verdict = verify(books)
    assert verdict.ok, verdict
    assert (verdict.differing, verdict.first, verdict.faults) == (0, None, ())
    assert (verdict.chain, verdict.inputs_chain) == ("whole", "whole")
    assert verdict.digest == verdict.digest_found
    assert all(verdict.tables[name].rows for name in ("decisions", "orders", "updates", "fills", "refusals", "funding", "equity", "states"))
    assert verdict.tables["decisions"].rows == 2 * (BARS - 60)
    assert verdict.cuts.rows == 2 * BARS
    assert verdict.cuts.differing == 0
    assert all(one == other for one, other in verdict.ledger.values())
    assert verdict.unchecked


@pytest.mark.parametrize("pieces", [2, 7])
def test_a_run_of_many_sittings_comes_out_the_same(pieces: int, market: World, tmp_path: Path) -> None:
    run = recorded(tmp_path / "demo.db", market, pieces=pieces)
    verdict = verify(tmp_path / "demo.db", run)
    assert verdict.ok, verdict
    assert verdict.tables["decisions"].rows == 2 * (BARS - 60)


def test_a_run_that_was_killed_is_compared_as_far_as_it_came(market: World, tmp_path: Path) -> None:
    recorded(tmp_path / "demo.db", market, pieces=3, killed=True)
    verdict = verify(tmp_path / "demo.db")
    assert (verdict.ok, verdict.state, verdict.digest) == (True, "interrupted", "")
    assert any("digest" in line for line in verdict.unchecked)


def test_a_strategy_of_ones_own_comes_out_the_same_and_its_code_counts(market: World, tmp_path: Path) -> None:
    own = msgspec.structs.replace(LOW.strategy, code=HOOK, file="own.py", factors={})
    recorded(tmp_path / "demo.db", market, pieces=3, config=msgspec.structs.replace(LOW, strategy=own))
    verdict = verify(tmp_path / "demo.db")
    assert verdict.ok, verdict
    assert verdict.tables["fills"].rows > 5
    with sqlite3.connect(tmp_path / "demo.db") as conn:
        conn.execute("UPDATE runs SET config = replace(config, 'trend > 1 ', 'trend > 2 ')")
    conn.close()
    verdict = verify(tmp_path / "demo.db")
    assert any("settings" in fault for fault in verdict.faults)
    assert verdict.decision is not None


def test_a_run_that_decided_nothing_is_nothing_to_compare(tmp_path: Path) -> None:
    recorded(tmp_path / "demo.db", world(40, 2, seed=17))
    with pytest.raises(NotFound, match="has decided nothing yet"):
        verify(tmp_path / "demo.db")


# what is changed -> the table of the first difference, and a column of it
ROWS = {
    "UPDATE decisions SET score = score + 1e-15 WHERE id = 150": ("decisions", "score"),
    "UPDATE decisions SET reason = 'weak_scorf' WHERE id = 200": ("decisions", "reason"),
    "UPDATE decisions SET contributions = CAST(X'01' || substr(contributions, 2) AS BLOB) WHERE id = 200": ("decisions", "contributions"),
    "UPDATE decisions SET digest = CAST(X'00' || substr(digest, 2) AS BLOB) WHERE id = 200": ("decisions", "digest"),
    "UPDATE signals SET names = replace(names, 'mom', 'mon')": ("decisions", "signals"),
    "DELETE FROM decisions WHERE id = 200": ("decisions", "seq"),
    "DELETE FROM decisions WHERE id = (SELECT max(id) FROM decisions)": ("decisions", "seq"),
    "UPDATE fills SET price = price || '0' WHERE seq = (SELECT max(seq) FROM fills)": ("fills", "price"),
    "UPDATE fills SET maker = 1 - maker WHERE seq = (SELECT min(seq) FROM fills)": ("fills", "maker"),
    "DELETE FROM fills WHERE seq = (SELECT min(seq) FROM fills)": ("fills", "seq"),
    "UPDATE orders SET quantity = quantity || '1' WHERE seq = (SELECT max(seq) FROM orders)": ("orders", "quantity"),
    "UPDATE orders SET status = 'REJECTED' WHERE seq = (SELECT min(seq) FROM orders)": ("orders", "status"),
    "UPDATE updates SET detail = 'x' WHERE seq = (SELECT max(seq) FROM updates)": ("updates", "detail"),
    "UPDATE refusals SET code = 'D_GROSZ' WHERE seq = (SELECT max(seq) FROM refusals)": ("refusals", "code"),
    "UPDATE funding SET payment = '0' WHERE seq = (SELECT max(seq) FROM funding)": ("funding", "payment"),
    "UPDATE states SET by = 'nobody' WHERE seq = (SELECT max(seq) FROM states)": ("states", "by"),
    "UPDATE equity SET cash = cash + 1e-9 WHERE bar_ms = (SELECT max(bar_ms) FROM equity)": ("equity", "cash"),
    "INSERT INTO cancels VALUES ((SELECT id FROM runs), 1000000, 1, 1, 'BTCUSDT', '', 'x')": ("cancels", "seq"),
}


@pytest.mark.parametrize("statement", ROWS)
def test_a_byte_changed_in_a_row_is_found_and_named(statement: str, copy: sqlite3.Connection) -> None:
    assert copy.execute(statement).rowcount > 0
    verdict = of(copy)
    table, column = ROWS[statement]
    assert not verdict.ok
    assert verdict.differing >= 1
    assert verdict.first is not None
    assert (verdict.first.table, column in verdict.first.columns) == (table, True), verdict.first
    if table == "decisions":
        assert verdict.chain.startswith("broken at")
        assert verdict.decision == verdict.first
        assert verdict.first.explain.startswith("sluice explain D-") or "was not written" in verdict.first.what
        assert verdict.first.inputs


def test_a_changed_input_is_named_with_the_first_decision_that_it_moves(copy: sqlite3.Connection) -> None:
    seq, text = copy.execute("SELECT seq, payload FROM events WHERE kind = 'Candle' ORDER BY seq LIMIT 1 OFFSET 300").fetchone()
    candle = json.loads(text)
    candle["close"] *= 1.001
    copy.execute("UPDATE events SET payload = ? WHERE seq = ?", (json.dumps(candle), seq))
    verdict = of(copy)
    assert not verdict.ok
    assert verdict.inputs_chain.startswith(f"broken at {seq}")
    assert verdict.decision is not None and verdict.decision.seq is not None
    assert verdict.decision.seq > seq
    assert seq in [number for number, _, _ in verdict.decision.inputs]
    assert "score" in verdict.decision.columns
    assert verdict.differing > 10


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET payload = replace(payload, 'FILE', 'FIVE') WHERE kind = 'Candle'",
        "UPDATE events SET payload = substr(payload, 2) WHERE seq = (SELECT max(seq) FROM events)",
        "UPDATE events SET chain = X'00' WHERE seq = (SELECT max(seq) FROM events)",
        "DELETE FROM events WHERE seq = (SELECT seq FROM events WHERE kind = 'News' LIMIT 1)",
    ],
)
def test_an_input_that_moves_nothing_or_cannot_be_read_is_named_too(statement: str, copy: sqlite3.Connection) -> None:
    if copy.execute(statement.replace("FILE", "file").replace("FIVE", "five")).rowcount == 0:
        copy.execute(statement)
    verdict = of(copy)
    assert not verdict.ok
    assert verdict.inputs_chain.startswith("broken at")


SETTINGS = {
    '"entry_threshold":0.05': '"entry_threshold":0.06',
    "momentum_30": "momentum_31",
    "-zscore(close, 20)": "-zscore(close, 2O)",
    '"taker_bps":"5.5"': '"taker_bps":"5.4"',
    '"cash":"100000"': '"cash":"100001"',
    '"account":{': '"acount":{',
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_changed_setting_or_factor_is_named(name: str, copy: sqlite3.Connection) -> None:
    (config,) = copy.execute("SELECT config FROM runs").fetchone()
    assert name in config, config
    copy.execute("UPDATE runs SET config = ?", (config.replace(name, SETTINGS[name]),))
    verdict = of(copy)
    assert not verdict.ok
    assert any("settings" in fault for fault in verdict.faults)


@pytest.mark.parametrize("column", ["digest", "chain", "config_hash", "summary", "started_ms"])
def test_a_changed_word_on_the_run_itself_is_named(column: str, copy: sqlite3.Connection) -> None:
    (was,) = copy.execute(f"SELECT {column} FROM runs").fetchone()
    now = was + 1 if isinstance(was, int) else was.replace('"fees":"', '"fees":"1') if column == "summary" else "0" + was[1:]
    if now == was:
        now = "1" + was[1:]
    copy.execute(f"UPDATE runs SET {column} = ?", (now,))
    verdict = of(copy)
    assert not verdict.ok
    assert verdict.faults or verdict.chain != "whole"


# -- replays


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, market: World) -> dict[str, list[Path]]:
    return written(tmp_path_factory.mktemp("files"), market)


def written(folder: Path, market: World) -> dict[str, list[Path]]:
    """Candles and funding of a made-up history as files."""
    (folder / "candles").mkdir()
    for symbol, lane in zip(market.history.symbols, market.history.lanes, strict=True):
        columns = dict(zip(("open", "high", "low", "close", "volume"), lane.columns, strict=False))
        pq.write_table(pa.table({"ts_ms": lane.numbers * MINUTE, **columns}), folder / "candles" / f"{symbol}.parquet")
    paid: list[Any] = list(market.others[2].events())
    table = {"symbol": [p.symbol for p in paid], "ts_ms": [p.settle_ms for p in paid], "funding_rate": [p.rate for p in paid]}
    pq.write_table(pa.table(table), folder / "funding.parquet")
    return {"candles": [folder / "candles"], "funding": [folder / "funding.parquet"]}


def ran(files: dict[str, list[Path]], store: Path, market: World) -> Any:
    factors = {"rev": "-zscore(close, 20)", "mom": "momentum_30"}
    config = msgspec.structs.replace(LOW, strategy=msgspec.structs.replace(LOW.strategy, factors=factors))
    return replay(config, **files, start=market.history.span[0] + HOUR, store=store)


def test_a_replay_comes_out_the_same_from_its_files(files: dict[str, list[Path]], market: World, tmp_path: Path) -> None:
    result = ran(files, tmp_path / "runs.db", market)
    assert result.fills > 5
    verdict = verify(tmp_path / "runs.db")
    assert verdict.ok, verdict
    assert (verdict.mode, verdict.digest_found) == ("replay", result.digest)


def test_a_replay_is_the_same_wherever_its_files_lie(files: dict[str, list[Path]], market: World, tmp_path: Path) -> None:
    moved = shutil.copytree(files["candles"][0].parent, tmp_path / "moved")
    other = {"candles": [moved / "candles"], "funding": [moved / "funding.parquet"]}
    one, two = ran(files, tmp_path / "runs.db", market), ran(other, tmp_path / "other.db", market)
    assert (one.run, one.digest) == (two.run, two.digest)
    shutil.rmtree(moved)
    with pytest.raises(NotFound, match=r"cannot be had again: .*moved.* is not there nor 1 more"):
        verify(tmp_path / "other.db")


def test_a_replay_whose_files_were_changed_names_them(files: dict[str, list[Path]], market: World, tmp_path: Path) -> None:
    moved = shutil.copytree(files["candles"][0].parent, tmp_path / "moved")
    ran({"candles": [moved / "candles"], "funding": [moved / "funding.parquet"]}, tmp_path / "runs.db", market)
    file = moved / "candles/BTCUSDT.parquet"
    bars = pq.read_table(file)
    close = bars["close"].to_pylist()
    close[150] *= 0.999
    pq.write_table(bars.set_column(bars.schema.get_field_index("close"), "close", pa.array(close)), file)
    verdict = verify(tmp_path / "runs.db")
    assert not verdict.ok
    assert any("the candles are not those" in fault for fault in verdict.faults)
    assert verdict.decision is not None
    pq.write_table(pq.read_table(moved / "funding.parquet").slice(1), moved / "funding.parquet")
    assert any("funding.parquet is not the file" in fault for fault in verify(tmp_path / "runs.db").faults)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE decisions SET until_ms = until_ms + 60000 WHERE id = 20", "UPDATE decisions SET last_score = 0.5 WHERE id = 20",
        "UPDATE runs SET arguments = replace(arguments, '\"seed\":0', '\"seed\":1')", "UPDATE runs SET seed = 5",
        "UPDATE fills SET slippage = '0' WHERE seq = (SELECT max(seq) FROM fills)", "UPDATE runs SET data_hash = 'x' || data_hash",
        "UPDATE runs SET summary = replace(summary, '\"fills\":', '\"fills\":1')",
    ],
)  # fmt: skip
def test_a_changed_replay_is_found(statement: str, files: dict[str, list[Path]], market: World, tmp_path: Path) -> None:
    ran(files, tmp_path / "runs.db", market)
    with sqlite3.connect(tmp_path / "runs.db") as conn:
        assert conn.execute(statement).rowcount == 1
    conn.close()
    verdict = verify(tmp_path / "runs.db")
    assert not verdict.ok
    assert verdict.first is not None or verdict.faults


# -- the command


def test_the_command_works_in_another_process_under_other_hashes(books: Path, copy: sqlite3.Connection) -> None:
    copy.execute("UPDATE fills SET price = price || '0' WHERE seq = (SELECT max(seq) FROM fills)")
    copy.commit()
    path = copy.execute("PRAGMA database_list").fetchone()[2]
    for store, code in ((books, 0), (Path(path), 8)):
        command = [sys.executable, "-m", "bot", "verify", "--store", str(store), "--json"]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        document = json.loads(done.stdout)
        assert document["ok"] is (code == 0)
        assert "Traceback" not in done.stderr
    assert "fill #" in done.stderr
    assert document["first"]["columns"]["price"][0] == document["first"]["columns"]["price"][1] + "0"


def test_every_run_of_a_store_and_none(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--all", "--here", "--store", str(books), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], len(document["runs"])) == (True, 1)
    empty = shutil.copy(books, tmp_path / "empty.db")
    with sqlite3.connect(empty) as conn:
        conn.execute("DELETE FROM events")
    conn.close()
    assert main(["verify", "--all", "--here", "--store", str(empty)]) == 3
    assert main(["verify", "--here", "--store", str(empty)]) == 3
    assert "recorded no inputs" in capsys.readouterr().err
