"""`sluice factor`: parse, eval, similar, and their batches, against the text of the contract and against pandas."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.bot.commands.books import document, run
from tests.source import ROOT

HOUR = 3_600_000
START = 1_704_067_200_000  # 2024-01-01T00:00:00Z
KEYS = ["ok", "dialect", "canonical", "key", "inputs", "warm_up", "nodes", "units"]
REFUSAL = ["ok", "code", "message", "line", "column", "suggestion"]
CODE = "import numpy as np\n\ndef alpha(df):\n    fast = df['close'].rolling(5).mean()\n    return fast / df['close'] - 1\n"

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def candles(seed: int, rows: int = 200, first: int = 0) -> pd.DataFrame:
    """A random walk of hourly bars, with a column that is no bar's."""
    dice = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(dice.normal(0, 0.01, rows)))
    return pd.DataFrame(
        {
            "ts_ms": START + HOUR * np.arange(first, first + rows),
            "open": close * (1 + dice.normal(0, 0.001, rows)),
            "high": close * 1.01,
            "low": close * 0.98,
            "close": close,
            "volume": dice.random(rows) * 100,
            "flow": dice.normal(0, 1, rows),
        }
    )


def market(folder: Path) -> dict[str, pd.DataFrame]:
    """Three symbols with names of any kind, in three formats; one begins later, one has a hole, one has no `flow`."""
    frames = {"BTCUSDT": candles(1), "eth-usd": candles(2, 150, 50).drop(index=[60, 61]), "Gold Futures": candles(3).drop(columns="flow")}
    folder.mkdir()
    frames["BTCUSDT"].to_parquet(folder / "BTCUSDT.parquet", index=False)
    frames["eth-usd"].to_csv(folder / "eth-usd.csv", index=False)
    frames["Gold Futures"].to_csv(folder / "Gold Futures.csv.gz", index=False)
    return frames


def lines(*documents: object) -> str:
    return "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in documents)


def answers(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def by_symbol(frames: dict[str, pd.DataFrame], factor: "Callable[[pd.DataFrame], pd.Series[float]]") -> pd.DataFrame:
    """The factor of each symbol on the whole grid of bars, and then on those that occur."""
    stamps = sorted(set().union(*(frame.ts_ms for frame in frames.values())))
    grid = range(START, stamps[-1] + HOUR, HOUR)
    return pd.DataFrame({name: factor(frame.set_index("ts_ms").reindex(grid)) for name, frame in frames.items()}).loc[stamps]


def same(file: Path, wanted: pd.DataFrame) -> None:
    found = pd.read_parquet(file)
    assert found.ts_ms.dtype == np.int64
    assert (found.dtypes.iloc[1:] == np.float64).all()
    assert found.ts_ms.tolist() == wanted.index.tolist()
    assert list(found.columns[1:]) == list(wanted.columns)
    np.testing.assert_allclose(found.iloc[:, 1:].to_numpy(), wanted.to_numpy(), rtol=1e-9, atol=1e-12)


# parse


def test_a_factor_is_answered_with_the_promised_keys_first(capsys: Capture) -> None:
    said = document(capsys, "factor", "parse", "momentum_5d * log(volume_ratio + 1)", "--timeframe", "1h")
    assert list(said)[: len(KEYS)] == KEYS
    assert said["canonical"] == "((close / delay(close, 120)) - 1) * log((volume / ts_mean(volume, 20)) + 1)"
    assert (said["inputs"], said["warm_up"], said["nodes"], said["units"]) == (["close", "volume"], 120, 11, "ratio")
    assert (said["timeframe"], said["look_back"], said["dialect"]) == ("1h", 120, "sluice")
    assert said["description"].startswith("the close's change over 5 days")
    assert len(said["key"]) == 24


def test_the_canonical_text_has_the_same_key(capsys: Capture) -> None:
    first = document(capsys, "factor", "parse", "volume*SMA(Close,20)")
    assert document(capsys, "factor", "parse", first["canonical"])["key"] == first["key"]
    assert document(capsys, "factor", "parse", "Mean($close, 20) * $volume", "--dialect", "qlib")["key"] == first["key"]


def test_people_read_what_the_factor_says_and_what_to_mind(capsys: Capture) -> None:
    code, out, err = run(capsys, "factor", "parse", "rank(vwap) - rank(cumsum(funding_rate))", "--timeframe", "1h")
    assert (code, err) == (0, "")
    assert "says       the rank across symbols of the VWAP" in out
    assert "vwap       turnover / volume; (high + low + close) / 3 where" in out
    assert "metrics    funding_rate: not of the bar" in out
    assert "rank works across symbols: in a universe of one" in out
    assert "cumsum works since the beginning" in out
    assert "\x1b" not in out


def test_a_warm_up_is_said_in_bars_and_as_a_duration(capsys: Capture) -> None:
    assert "warm-up    119 bars of 1h = 4d 23h" in run(capsys, "factor", "parse", "ts_mean(close, 5d)", "--timeframe", "1h")[1]
    assert "warm-up    0 bars of 1m" in run(capsys, "factor", "parse", "close")[1]


def test_units_can_be_left_alone(capsys: Capture) -> None:
    code, _, err = run(capsys, "factor", "parse", "close + volume", "--dialect", "sluice")
    assert code == 4 and "(units)" in err
    said = document(capsys, "factor", "parse", "close + volume", "--dialect", "sluice", "--units", "off")
    assert said["units"] == "mixed"
    assert said["warnings"][0].startswith("units are mixed: add of a price (close) and a volume (volume)")


def test_a_published_formula_may_read_what_no_feed_gives(capsys: Capture) -> None:
    said = document(capsys, "factor", "parse", "cap * close", "--dialect", "worldquant")
    assert any(warning.startswith("no feed gives cap") for warning in said["warnings"])


def test_a_function_is_read_from_a_file_and_from_stdin(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("alpha.py").write_text(CODE)
    said = document(capsys, "factor", "parse", "alpha.py")
    assert (said["dialect"], said["inputs"], said["look_back"]) == ("pandas", ["close"], 4)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CODE.encode())))
    assert document(capsys, "factor", "parse", "-")["key"] == said["key"]


def test_a_refusal_as_json_has_the_promised_keys_and_exit_code(capsys: Capture) -> None:
    code, out, err = run(capsys, "factor", "parse", "ts_mean(close, 5) + delay(close, -1)", "--json")
    said = json.loads(out)
    assert code == 4
    assert list(said) == REFUSAL
    assert (said["ok"], said["code"], said["line"], said["column"]) == (False, "look_ahead", 1, 34)
    assert err.startswith("factor:1:34  ")


def test_a_refusal_of_a_file_names_its_line(capsys: Capture) -> None:
    Path("alpha.py").write_text("def f(df):\n    x = df['close']\n    return x.shift(-1)\n")
    _, _, err = run(capsys, "factor", "parse", "alpha.py")
    first, shown, caret = err.splitlines()
    assert first.startswith("alpha.py:3:12  ")
    assert "look_ahead" in first
    assert shown.endswith("return x.shift(-1)")
    assert shown[caret.index("^")] == "x"


def test_a_file_that_is_not_there_or_holds_many_factors_is_said(capsys: Capture) -> None:
    code, _, err = run(capsys, "factor", "parse", "alphas/mom.py")
    assert code == 4 and "alphas/mom.py: there is no such file" in err
    Path("b.jsonl").write_text(lines({"id": "a", "text": "close"}))
    code, _, err = run(capsys, "factor", "parse", "b.jsonl")
    assert code == 4 and "--batch b.jsonl" in err


def test_one_factor_or_a_batch_is_needed_and_not_both(capsys: Capture) -> None:
    assert run(capsys, "factor", "parse")[0] == 2
    assert run(capsys, "factor", "parse", "close", "--batch", "b.jsonl")[0] == 2
    assert run(capsys, "factor", "parse", "--batch", "b.jsonl")[0] == 4
    assert run(capsys, "factor", "parse", "close", "--dialect", "excel")[0] == 2


def test_a_batch_is_answered_line_by_line_in_order(capsys: Capture) -> None:
    Path("b.jsonl").write_text(
        lines(
            {"id": "good", "text": "ts_mean(close, 20)"},
            {"id": "code", "code": CODE},
            {"id": "ahead", "text": "delay(close, -1)"},
            {"id": 7, "text": "Ref($close, 1)", "dialect": "qlib"},
            "{nonsense",
            "",
            {"text": "close"},
            {"id": "empty"},
            {"id": "both", "text": "close", "code": CODE},
            {"id": "number", "text": 5},
            {"id": "lost", "text": "close", "dialect": "klingon"},
            ["close"],
            {"id": "same", "text": "mean(close, 20)", "dialect": "sluice"},
        )
    )
    code, out, err = run(capsys, "factor", "parse", "--batch", "b.jsonl")
    said = answers(out)
    assert (code, err) == (0, "")
    assert [one["id"] for one in said] == ["good", "code", "ahead", 7, 5, 7, "empty", "both", "number", "lost", 12, "same"]
    assert [one.get("code", "") for one in said] == [
        "", "", "look_ahead", "", "syntax", "", "text", "text", "text", "unknown_name", "text", "",
    ]  # fmt: skip
    assert list(said[0])[: len(KEYS) + 1] == ["id", *KEYS]
    assert list(said[2]) == ["id", *REFUSAL]
    assert [one["dialect"] for one in said if one["ok"]] == ["sluice", "pandas", "qlib", "sluice", "sluice"]
    assert said[0]["key"] == said[-1]["key"]


def test_a_batch_streams(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "factor", "parse", "--batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as one:
        assert one.stdin is not None and one.stdout is not None
        for number in range(3):  # each answer comes before the next question
            one.stdin.write(lines({"id": number, "text": f"ts_mean(close, {number + 2})"}).encode())
            one.stdin.flush()
            assert json.loads(one.stdout.readline())["id"] == number
        one.stdin.close()
        assert one.wait() == 0


def test_a_line_without_end_is_refused_and_the_next_one_read(capsys: Capture) -> None:
    Path("b.jsonl").write_text(lines({"id": "long", "text": "close" * 600_000}, {"id": "next", "text": "close"}))
    said = answers(run(capsys, "factor", "parse", "--batch", "b.jsonl")[1])
    assert [(one["id"], one["ok"]) for one in said] == [(1, False), ("next", True)]
    assert said[0]["code"] == "size"


def test_parsing_loads_no_machine() -> None:
    program = "import sys; from bot.cli import main; main(['factor', 'parse', 'rank(close)']); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "False"


def test_similar_factors_are_compared(capsys: Capture) -> None:
    assert document(capsys, "factor", "similar", "ts_mean(close, 20)", "mean(close, 20)")["similarity"] == 1
    assert 0 < document(capsys, "factor", "similar", "-ts_mean(close, 20)", "-ts_mean(close, 30)")["similarity"] < 1
    assert run(capsys, "factor", "similar", "close", "clse")[0] == 4


# eval


def test_values_are_those_of_pandas_and_stand_on_the_bars_that_occur(capsys: Capture, tmp_path: Path) -> None:
    frames = market(tmp_path / "data")
    said = document(capsys, "factor", "eval", "ts_mean(close, 5) / close - 1 + ts_std(flow, 10)", "--data", "data", "-o", "v.parquet")
    frames["Gold Futures"]["flow"] = np.nan

    def wanted(bars: pd.DataFrame) -> "pd.Series[float]":
        return bars.close.rolling(5).mean() / bars.close - 1 + bars.flow.rolling(10).std()

    values = by_symbol({name: frames[name] for name in said["symbols"]}, wanted)
    same(tmp_path / "v.parquet", values)
    assert (said["ok"], said["file"], said["rows"], said["known"]) == (True, "v.parquet", 200, int(values.notna().sum().sum()))


def test_blocks_streaming_and_bounds_change_no_value_and_no_byte(capsys: Capture, tmp_path: Path) -> None:
    market(tmp_path / "data")
    command = ("factor", "eval", "ema(close, 9) - rank(close) * cumsum(volume)", "--units", "off", "--data", "data")
    for number, more in enumerate(((), ("--stream",), ("--block", 1), ("--block", 7), ("--block", 64), ("--block", 100_000))):
        assert run(capsys, *command, *more, "-o", f"{number}.parquet")[0] == 0
    whole = Path("0.parquet").read_bytes()
    assert [Path(f"{number}.parquet").read_bytes() == whole for number in range(1, 6)] == [True] * 5
    assert run(capsys, *command, "--from", "2024-01-04", "--to", START + 120 * HOUR, "-o", "part.parquet")[0] == 0
    every, part = pd.read_parquet("0.parquet"), pd.read_parquet("part.parquet")
    assert (part.ts_ms.iloc[0], part.ts_ms.iloc[-1]) == (START + 72 * HOUR, START + 120 * HOUR)
    pd.testing.assert_frame_equal(part, every[every.ts_ms.between(START + 72 * HOUR, START + 120 * HOUR)].reset_index(drop=True))


def test_symbols_are_chosen_and_ordered(capsys: Capture, tmp_path: Path) -> None:
    frames = market(tmp_path / "data")
    run(capsys, "factor", "eval", "rank(close)", "--data", "data", "--symbols", "eth-usd,BTCUSDT", "-o", "v.parquet")
    chosen = pd.DataFrame({name: frames[name].set_index("ts_ms").close for name in ("eth-usd", "BTCUSDT")})
    same(tmp_path / "v.parquet", chosen.rank(axis=1, pct=True))
    code, _, err = run(capsys, "factor", "eval", "close", "--data", "data", "--symbols", "XRP", "-o", "w.parquet")
    assert code == 4
    assert "no data of XRP; the files are named BTCUSDT, Gold Futures, eth-usd; check --symbols" in err


def test_options_may_come_before_the_factor_and_files_one_after_the_other(capsys: Capture, tmp_path: Path) -> None:
    market(tmp_path / "data")
    said = document(capsys, "factor", "eval", "--data", "data/BTCUSDT.parquet", "data/eth-usd.csv", "-close", "-o", "v.parquet")
    assert said["symbols"] == ["BTCUSDT", "eth-usd"]
    assert document(capsys, "factor", "eval", "close", "--data", "data/*.csv*", "-o", "v.parquet")["symbols"] == ["Gold Futures", "eth-usd"]


def test_code_of_a_file_is_evaluated_as_pandas_runs_it(capsys: Capture, tmp_path: Path) -> None:
    frames = market(tmp_path / "data")
    Path("alpha.py").write_text(CODE)
    said = document(capsys, "factor", "eval", "alpha.py", "--data", "data", "-o", "v.parquet")
    same(tmp_path / "v.parquet", by_symbol({n: frames[n] for n in said["symbols"]}, lambda d: d.close.rolling(5).mean() / d.close - 1))


def test_vwap_without_a_turnover_is_said_once(capsys: Capture, tmp_path: Path) -> None:
    frames = market(tmp_path / "data")
    Path("b.jsonl").write_text(lines({"id": "a", "text": "vwap"}, {"id": "b", "text": "vwap - close"}))
    _, _, err = run(capsys, "factor", "eval", "--batch", "b.jsonl", "--data", "data", "-o", "out")
    assert err.count("the data has no turnover: vwap is (high + low + close) / 3") == 1
    typical = by_symbol({n: frames[n] for n in ("BTCUSDT", "Gold Futures", "eth-usd")}, lambda d: (d.high + d.low + d.close) / 3)
    same(tmp_path / "out" / "a.parquet", typical)
    frames["BTCUSDT"].assign(turnover=lambda d: d.volume * d.low).to_parquet("BTCUSDT.parquet", index=False)
    _, _, err = run(capsys, "factor", "eval", "vwap / low", "--data", "BTCUSDT.parquet", "-o", "v.parquet")
    assert err == ""
    np.testing.assert_allclose(pd.read_parquet("v.parquet").BTCUSDT, 1.0)


def test_a_batch_gives_a_file_and_a_line_for_each_id(capsys: Capture, tmp_path: Path) -> None:
    market(tmp_path / "data")
    Path("b.jsonl").write_text(
        lines(
            {"id": "plain", "text": "ts_mean(close, 5)"},
            "nonsense",
            {"id": "../up/and away", "text": "ts_mean(close, 5) - close"},
            {"id": "plain", "text": "close"},
            {"id": "lacks", "text": "ts_mean(flwo, 5)"},
            {"id": "cap", "text": "close * cap", "dialect": "worldquant"},
            {"id": "x" * 300, "text": "close"},
        )
    )
    code, out, _ = run(capsys, "factor", "eval", "--batch", "b.jsonl", "--data", "data", "-o", "out")
    said = answers(out)
    assert code == 0
    assert [one["ok"] for one in said] == [True, False, True, False, False, False, True]
    assert list(said[0]) == ["id", "ok", "file", "rows", "known"]
    assert [one["code"] for one in said if not one["ok"]] == ["syntax", "text", "unknown_name", "unknown_name"]
    assert "was given before" in said[3]["message"]
    assert (said[4]["message"], said[4]["suggestion"]) == ("the data has no column 'flwo'", "did you mean flow?")
    assert said[5]["message"] == "the data has no column 'cap'"
    assert said[2]["file"] == "out/%2E.%2Fup%2Fand away.parquet"
    assert {file.name for file in (tmp_path / "out").iterdir()} == {Path(one["file"]).name for one in said if one["ok"]}
    run(capsys, "factor", "eval", "ts_mean(close, 5)", "--data", "data", "-o", "one.parquet")
    assert Path("one.parquet").read_bytes() == Path("out/plain.parquet").read_bytes()


def test_a_refused_factor_writes_nothing(capsys: Capture, tmp_path: Path) -> None:
    market(tmp_path / "data")
    code, out, err = run(capsys, "factor", "eval", "delay(close, -1)", "--data", "data", "-o", "v.parquet", "--json")
    assert (code, json.loads(out)["code"]) == (4, "look_ahead")
    assert "future" in err
    assert not Path("v.parquet").exists()


def test_market_data_is_never_written_over(capsys: Capture, tmp_path: Path) -> None:
    market(tmp_path / "data")
    before = Path("data/BTCUSDT.parquet").read_bytes()
    code, _, err = run(capsys, "factor", "eval", "close", "--data", "data", "-o", "data/../data/BTCUSDT.parquet")
    assert code == 4 and "is one of the data files" in err
    Path("b.jsonl").write_text(lines({"id": "BTCUSDT", "text": "close"}))
    assert run(capsys, "factor", "eval", "--batch", "b.jsonl", "--data", "data", "-o", "data")[0] == 4
    assert Path("data/BTCUSDT.parquet").read_bytes() == before


def test_stdin_that_is_closed_holds_no_factor(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    market(tmp_path / "data")
    monkeypatch.setattr("sys.stdin", None)
    code, _, err = run(capsys, "factor", "eval", "-", "--data", "data", "-o", "v.parquet")
    assert code == 4 and "empty" in err


def test_a_file_that_cannot_be_written_is_said_and_leaves_nothing(capsys: Capture, tmp_path: Path) -> None:
    market(tmp_path / "data")
    code, _, err = run(capsys, "factor", "eval", "close", "--data", "data", "-o", "no/such/v.parquet")
    assert code == 4 and "there is no folder no/such" in err
    code, _, err = run(capsys, "factor", "eval", "close", "--data", "data", "-o", "v.csv")
    assert code == 4 and "as Parquet" in err and "-o v.parquet" in err
    (tmp_path / "bar").mkdir()
    code, _, err = run(capsys, "factor", "eval", "close", "--data", "data", "-o", "bar")
    assert code == 4 and "bar is a folder" in err and "-o bar/factor.parquet" in err
    os.mkfifo(tmp_path / "pipe")
    code, _, err = run(capsys, "factor", "eval", "close", "--data", "data", "-o", "pipe")
    assert code == 4 and "device or a pipe" in err and (tmp_path / "pipe").is_fifo()
    Path("b.jsonl").write_text(lines({"id": "x", "text": "close"}))
    code, _, err = run(capsys, "factor", "eval", "--batch", "b.jsonl", "--data", "data", "-o", "b.jsonl")
    assert code == 4 and "b.jsonl is a file" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.jsonl", "bar", "data", "pipe"]


def test_why_nothing_is_known_is_said(capsys: Capture, tmp_path: Path) -> None:
    market(tmp_path / "data")
    for text, bounds, said in (
        ("close", ("--from", "2030-01-01"), "from 2024-01-01T00:00:00Z to 2024-01-09T07:00:00Z"),
        ("ts_mean(close, 500)", (), "looks back 499 bars, and the data have 200"),
        ("ts_mean(close / 0, 5)", (), "full of known values"),
        ("close", (), ""),
    ):
        code, out, err = run(capsys, "factor", "eval", text, "--data", "data", "-o", "v.parquet", "--json", *bounds)
        assert code == 0 and said in err, err
        assert (json.loads(out)["known"] == 0) == bool(said)
        assert len(err.splitlines()) == (2 if said else 1)  # the missing bars are said whatever comes of it


def test_a_published_set_goes_by_its_name(capsys: Capture) -> None:
    code, out, _ = run(capsys, "factor", "parse", "--batch", "alpha158", "--timeframe", "1d")
    answers = [json.loads(line) for line in out.splitlines()]
    assert (code, len(answers), sum(answer["ok"] for answer in answers)) == (0, 158, 158)
    code, _, err = run(capsys, "factor", "parse", "alpha158")
    assert code == 4 and "--batch alpha158" in err
    code, _, err = run(capsys, "factor", "parse", "--batch", "alpha159")
    assert code == 4
    assert "alpha101, alpha158, alpha191, alpha360" in err
