"""`sluice factor check` on data files: texts, files of pandas code, batches, and its answers."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bot import causality
from bot.commands.factor_check import cell
from feeds.times import HOUR
from tests.bot.commands.books import run
from tests.bot.test_causality import Ahead
from tests.builders import START

CODE = """
def factor(df):
    move = df['close'].pct_change(5)
    return move / df['close'].pct_change().rolling(30).std()
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        rng = np.random.default_rng(seed)
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 700)))
        columns = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": rng.lognormal(2, 1, 700)}
        pq.write_table(pa.table({"ts_ms": START + HOUR * np.arange(700), **columns}), folder / f"{symbol}.parquet")
    return folder


@pytest.mark.parametrize("given", ["momentum_5d * log(volume_ratio + 1)", "code", "$close/Ref($close, 5)-1"])
def test_a_factor_of_any_dialect_is_probed(given: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if given == "code":
        given = str(tmp_path / "alpha.py")
        Path(given).write_text(CODE)
    code, said, _ = run(capsys, "factor", "check", given, "--data", data, "--cuts", 10, "--json")
    document = json.loads(said)
    assert (code, document["ok"], document["bars"]) == (0, True, 700)
    assert {one["probe"]: one["result"] for one in document["probes"]}["future poisoned"] == "pass"
    assert [row["bars"] for row in document["drift"]] == sorted(row["bars"] for row in document["drift"])


def test_people_read_a_table(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = run(capsys, "factor", "check", "ema(close, 30)", "--data", data, "--cuts", 10, "--lengths", "20,60,240")
    assert code == 0
    assert "future poisoned" in said
    assert "DRIFT AT BARS" in said
    assert "~unit^1" in said
    assert "\x1b" not in said


def test_what_looks_ahead_in_text_is_refused_and_what_leaks_in_the_machine_fails(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, complained = run(capsys, "factor", "check", "delay(close, -1)", "--data", data)
    assert code == 4
    assert "look_ahead" in complained
    monkeypatch.setattr(causality, "Machine", Ahead)
    code, said, complained = run(capsys, "factor", "check", "ts_mean(volume, 5)", "--data", data, "--cuts", 10, "--json")
    assert code == 8
    assert json.loads(said)["ok"] is False
    assert "future poisoned" in complained
    assert "at row" in complained


def test_a_batch_is_answered_line_by_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        {"id": "a", "text": "close / delay(close, 5) - 1"},
        {"id": "b", "text": "delay(close, -5)"},
        {"id": "c", "text": "rank(volume)"},
    ]
    (tmp_path / "factors.jsonl").write_text("\n".join(map(json.dumps, lines)))
    code, said, _ = run(capsys, "factor", "check", "--batch", tmp_path / "factors.jsonl", "--data", data, "--cuts", 6, "--json")
    answers = {one["id"]: one for one in map(json.loads, said.splitlines())}
    assert code == 0
    assert {name: one["ok"] for name, one in answers.items()} == {"a": True, "b": False, "c": True}
    code, said, _ = run(capsys, "factor", "check", "--batch", tmp_path / "factors.jsonl", "--data", data, "--cuts", 6)
    assert "2 factors probed, 0 failed, 1 refused" in said


def test_what_cannot_be_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "factor", "check", "--data", data)[0] == 2
    assert run(capsys, "factor", "check", "close", "--data", data, "--lengths", "a,b")[0] == 2
    assert run(capsys, "factor", "check", "close", "--data", data, "--to", "1999-01-01")[0] == 2
    assert run(capsys, "factor", "check", "sentiment_news", "--data", data)[0] == 4


@pytest.mark.parametrize(
    ("worst", "says"),
    [(0.0, "0"), (2.5e-9, "2.5e-07%"), (0.0123, "1.2%"), (1.0, "100%"), (12.5, "1,250%"), (None, "unknown")],
)
def test_drift_is_written_as_people_write_it(worst: float | None, says: str) -> None:
    assert cell({"places": 3, "worst": worst}) == says
