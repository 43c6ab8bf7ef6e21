"""`sluice runs`: filtered, sorted, quick over a thousand runs."""

import time
from pathlib import Path

import msgspec
import pytest

from bot.commands.runs import fitting
from bot.store.listing import Filter, runs
from bot.store.reader import Reader
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.times import DAY, HOUR, now
from tests.bot.commands.books import document, run, store_with_a_run
from tests.builders import START

METRICS = {"num_periods": 9, "periods_per_year": 8760.0}


def summary(total: float | None, **figures: float | None) -> str:
    metrics = {**METRICS, "total_return": total, **figures}
    return msgspec.json.encode({"start": START, "stop": START + DAY, "bars": 1_440, "fills": 4, "metrics": metrics}).decode()


def put(
    store: Store, id: str, *, mode: str = "replay", at: int = START, symbols: tuple[str, ...] = ("BTCUSDT",), ended: str | None = None
) -> None:
    begin(store, Run(id=id, mode=mode, started_ms=at, symbols=symbols, timeframe=HOUR, config="{}" * 2_000))
    if ended is not None:
        store.conn.execute("UPDATE runs SET state = 'finished', digest = ?, summary = ? WHERE id = ?", ("ab" * 32, ended, id))


@pytest.fixture
def several(tmp_path: Path) -> Path:
    path = tmp_path / "runs.db"
    with Store.open(path) as store:
        put(store, "R-good", ended=summary(0.10, sharpe=1.0, max_drawdown=-0.20, trades=5))
        put(store, "R-better", at=START + 1, symbols=("ETHUSDT", "BTCUSDT"), ended=summary(0.30, sharpe=0.5, max_drawdown=-0.01, trades=50))
        put(store, "R-none", at=START + 2, ended=summary(None, sharpe=None, max_drawdown=None, trades=0))
        put(store, "P-cut", mode="paper", at=START + 3)
    return path


def ids(capsys: pytest.CaptureFixture[str], path: Path, *words: object) -> list[str]:
    return [one["id"] for one in document(capsys, "runs", "--store", path, *words)["runs"]]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), ["P-cut", "R-none", "R-better", "R-good"]),
        (("--mode", "replay"), ["R-none", "R-better", "R-good"]),
        (("--symbol", "ethusdt"), ["R-better"]),
        (("--last", 2), ["P-cut", "R-none"]),
        (("--since", START + 2), ["P-cut", "R-none"]),
        (("--sort", "return"), ["R-better", "R-good", "P-cut", "R-none"]),
        (("--sort", "sharpe", "--mode", "replay"), ["R-good", "R-better", "R-none"]),
        (("--sort", "drawdown", "--mode", "replay"), ["R-better", "R-good", "R-none"]),
        (("--sort", "trades", "--mode", "replay"), ["R-better", "R-good", "R-none"]),
        (("--mode", "live"), []),
    ],
)
def test_runs_are_chosen_and_sorted(capsys, several: Path, words: tuple[object, ...], wanted: list[str]) -> None:  # type: ignore[no-untyped-def]
    assert ids(capsys, several, *words) == wanted


def test_a_run_is_told_with_what_it_came_to(capsys, several: Path) -> None:  # type: ignore[no-untyped-def]
    found = {one["id"]: one for one in document(capsys, "runs", "--store", several)["runs"]}
    better, cut = found["R-better"], found["P-cut"]
    assert (better["total_return"], better["sharpe"], better["max_drawdown"], better["trades"]) == (0.30, 0.5, -0.01, 50)
    assert (better["start_ms"], better["end_ms"], better["bars"], better["state"]) == (START, START + DAY, 1_440, "finished")
    assert (cut["state"], cut["total_return"], cut["digest"]) == ("interrupted", None, None)
    code, out, _ = run(capsys, "runs", "--store", several)
    assert code == 0 and "30.00%" in out and "2024-01-01..2024-01-02" in out and "abababababab" in out


def test_a_run_without_a_summary_has_what_its_books_say(tmp_path: Path) -> None:
    path = store_with_a_run(tmp_path / "bot.db", finish="")
    with Reader.open(path) as reader:
        (found,) = runs(reader, Filter(mode="paper"))
    assert found.state == "interrupted" and found.fills == 2 and found.max_drawdown == 0.0
    assert found.total_return == pytest.approx(11 / 10_000)


def test_a_thousand_runs_take_less_than_a_second(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "many.db"
    with Store.open(path) as store, store.transaction():
        rows = [
            (f"R-{n:04}", START + n, "{}" * 4_000, '["BTCUSDT"]', summary(n / 1000, sharpe=1.0, max_drawdown=-0.1, trades=n))
            for n in range(1_000)
        ]
        store.conn.executemany(
            "INSERT INTO runs (id, mode, state, started_ms, config, config_hash, seed, symbols, timeframe, data_hash, versions, summary)"
            " VALUES (?, 'replay', 'finished', ?, ?, 'x', 0, ?, 60000, 'x', '{}', ?)",
            rows,
        )
    begun = time.process_time()
    assert len(ids(capsys, path, "--sort", "return")) == 1_000
    assert time.process_time() - begun < 1.0


def test_an_instant_and_a_duration_bound_when_runs_began(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with Store.open(tmp_path / "r.db") as store:
        put(store, "R-old", at=now() - 3 * DAY, ended=summary(0.0))
        put(store, "R-new", at=now() - HOUR, ended=summary(0.0))
    assert ids(capsys, tmp_path / "r.db", "--since", "1d") == ["R-new"]


def test_a_replay_is_deleted_with_all_its_rows_and_no_other(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = store_with_a_run(tmp_path / "r.db")
    with Store.open(path) as store:
        put(store, "R-one", ended=summary(0.1))
        put(store, "R-two", ended=summary(0.1))
        store.conn.execute("INSERT INTO equity VALUES ('R-one', 1, 1.0, 1.0, 0.0, 0.0), ('R-two', 1, 1.0, 1.0, 0.0, 0.0)")
    assert document(capsys, "runs", "--store", path, "--delete", "R-o", "-y") == {"deleted": "R-one"}
    assert ids(capsys, path) == ["R-two", "paper-1"]
    with Reader.open(path) as reader:
        assert len(reader.equity("R-two")) == 1 and reader.equity("R-one") == [] and reader.fills("paper-1")


def test_what_was_recorded_is_never_deleted_and_nobody_is_deleted_unasked(capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = store_with_a_run(tmp_path / "r.db")
    with Store.open(path) as store:
        put(store, "R-one", ended=summary(0.1))
    code, _, err = run(capsys, "runs", "--store", path, "--delete", "paper-1", "-y")
    assert code == 4 and "recorded paper run" in err
    code, _, err = run(capsys, "runs", "--store", path, "--delete", "R-one")
    assert code == 2 and "-y" in err
    assert ids(capsys, path) == ["R-one", "paper-1"]


def test_a_name_that_is_typed_wrong_deletes_nothing(capsys, several: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for typed, code, left in (("R-goo", 2, 4), ("R-good", 0, 3)):
        monkeypatch.setattr("click.prompt", lambda *_, said=typed, **__: said)
        assert run(capsys, "runs", "--store", several, "--delete", "R-good")[0] == code
        assert len(ids(capsys, several)) == left


def test_a_narrow_terminal_gets_the_columns_that_say_most() -> None:
    head = ("RUN", "MODE", "STATE", "BEGAN UTC", "SYMBOLS", "BAR", "SPAN", "BARS", "TRADES", "RETURN", "SHARPE", "MAX DD", "DIGEST")
    row = ("R-172f25b94fed", "replay", "finished", "2026-11-23 01:13:44 (27s ago)", "ADAUSDT ATOMUSDT +10", "1m", "2024-01-01..2024-03-01",
           "86,400", "244", "-5.07%", "-6.74", "-10.38%", "e138d86bcc5a")  # fmt: skip
    for width in (80, 100, 120, 140, None):
        kept = fitting(head, [row], width)
        wide = sum(max(len(head[i]), len(row[i])) for i in kept) + 2 * (len(kept) - 1)
        assert width is None or wide <= width
        assert {"RUN", "SPAN", "RETURN", "SHARPE", "MAX DD"} <= {head[i] for i in kept}
    assert fitting(head, [row], None) == fitting(head, [row], 200) == list(range(13))
