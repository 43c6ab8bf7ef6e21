"""`sluice factor backtest` and `factor compare` on data files: documents, tables, the page, refusals, and the count of looks."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.commands import factor_backtest
from bot.research import comparison, settings
from tests.bot.commands.books import run
from tests.builders import START

HOUR = 3_600_000
ROWS = 24 * 130
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred and thirty days of hours of six symbols, and their funding."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "candles").mkdir()
    for seed in range(6):
        dice = np.random.default_rng(seed)
        close = 100 * np.exp(np.cumsum(dice.normal(0, 0.01, ROWS)))
        opened = np.concatenate([close[:1], close[:-1]])
        frame = pd.DataFrame({"ts_ms": START + HOUR * np.arange(ROWS), "open": opened, "high": np.maximum(opened, close) * 1.001,
                              "low": np.minimum(opened, close) * 0.999, "close": close, "volume": 1e5})  # fmt: skip
        frame.to_parquet(folder / f"candles/C{seed}USDT.parquet")
    settled = START + 8 * HOUR * np.arange(1, ROWS // 8)
    pd.concat([pd.DataFrame({"symbol": f"C{s}USDT", "ts_ms": settled, "funding_rate": 0.0001 * (s + 1)}) for s in range(6)]).to_parquet(
        folder / "funding.parquet"
    )
    return folder


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def document(capsys: Capture, *words: object) -> dict[str, object]:
    code, said, errors = run(capsys, *words, "--json")
    assert code == 0, errors
    found = json.loads(said)
    assert isinstance(found, dict)
    return found


def test_the_document_has_every_part(data: Path, capsys: Capture) -> None:
    found = document(
        capsys, "factor", "backtest", "close / delay(close, 1d) - 1 + 0 * funding_rate", "--candles", data / "candles", "--funding",
        data / "funding.parquet", "--rebalance", "8h", "--draws", 50,
    )  # fmt: skip
    assert found["timeframe"] == "1h" and len(found["symbols"]) == 6  # type: ignore[arg-type]
    assert found["settings"]["rebalance"] == 8 and found["settings"]["scheme"] == "rank"  # type: ignore[index]
    assert set(found["slices"]) == {"train", "validate"} and found["quantiles"] and found["ic_decay"]  # type: ignore[call-overload]
    assert found["metrics"]["sharpe"]["error"] > 0 and found["metrics"]["funding"] != 0  # type: ignore[index]
    assert found["canonical"] != found["factor"]


def test_people_read_tables_without_colours(data: Path, capsys: Capture) -> None:
    code, said, _ = run(capsys, "factor", "backtest", "-ts_zscore(close, 24)", "--data", data / "candles", "--draws", 0)
    assert code == 0 and "\x1b" not in said
    for part in (
        "Figures by slice",
        "train",
        "validate",
        "Returns by quantile",
        "IC by horizon",
        "Walk forward",
        "break-even",
        "warning: ",
    ):
        assert part in said
    assert "test slice" not in said
    assert re.search(r"slices +train to .*, validate to .*; the last 15% of the bars stay closed until --test", said)
    every = re.search(r"^bars +([0-9,]+) of 1h", said, re.M)
    assert every is not None and re.search(rf"^bars +{every[1]} +[0-9,]+ +[0-9,]+$", said, re.M)
    opened = run(capsys, "factor", "backtest", "-ts_zscore(close, 24)", "--data", data / "candles", "--draws", 0, "--test")[1]
    assert "stay closed" not in opened and re.search(r"slices +train to .*, test to ", opened)


def test_the_page_is_one_file_that_asks_for_nothing(data: Path, capsys: Capture, tmp_path: Path) -> None:
    text = "close / delay(close, 8) - 1"
    code, _, _ = run(capsys, "factor", "backtest", text, "--data", data / "candles", "--html", tmp_path / "a.html", "--draws", 0)
    page = (tmp_path / "a.html").read_text()
    assert code == 0 and page.startswith("<!doctype html>") and "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page) and "http" not in page.replace("http-equiv", "")
    for part in ("Factor back-test", "Growth", "Drawdown", "Figures by regime", "IC by horizon", "Walk forward", "sluice factor backtest"):
        assert part in page
    assert page.count("<small>on validate; all bars ") == 8


def test_looks_at_the_test_slice_are_counted(data: Path, capsys: Capture, tmp_path: Path) -> None:
    words = ("factor", "backtest", "--data", data / "candles", "--draws", 0, "--test")
    first = document(capsys, *words, "close / delay(close, 8) - 1")
    assert "test" in first["slices"]  # type: ignore[operator]
    _, said, _ = run(capsys, *words, "rsi(close, 14)")
    assert "2 factors have now been shown on the test slice of these data" in said
    _, said, _ = run(capsys, *words, "rsi(close, 14)")
    assert "2 factors have now been shown" in said  # the same one again
    _, said, _ = run(capsys, *words, "rsi(close, 14)", "--symbols", "C0USDT,C1USDT,C2USDT")
    assert "1 factors have now been shown" in said  # other data
    lines = (tmp_path / ".sluice/looks.jsonl").read_text().splitlines()
    assert len(lines) == 4 and json.loads(lines[0])["factors"] == ["(close / delay(close, 8)) - 1"]
    (tmp_path / "notes.txt").write_text("something else\n")
    code, _, errors = run(capsys, *words, "rsi(close, 14)", "--looks", "notes.txt")
    assert code == 4 and "notes.txt:1" in errors


def test_many_are_ranked_on_validate_and_counted(data: Path, capsys: Capture, tmp_path: Path) -> None:
    batch = [{"id": f"m{n}", "text": f"close / delay(close, {n}) - 1"} for n in (2, 5, 9)] + [
        {"id": "bad", "text": "close +"},
        {"id": "m2", "text": "volume"},
    ]
    (tmp_path / "f.jsonl").write_text("\n".join(json.dumps(row) for row in batch))
    words = ("factor", "compare", "rsi(close, 14)", "--batch", "f.jsonl", "--data", data / "candles", "--by", "rank_ic")
    found = document(capsys, *words)
    assert found["trials"] == 4 and [row["id"] for row in found["refused"]] == ["bad", "m2"]  # type: ignore[attr-defined]
    ranked = [row["slices"]["validate"]["metrics"]["rank_ic"]["value"] for row in found["factors"]]  # type: ignore[attr-defined]
    assert ranked == sorted(ranked, reverse=True) and set(found["ranked"]) == {"rsi(close, 14)", "m2", "m5", "m9"}  # type: ignore[call-overload]
    assert all(0 <= row["luck"]["adjusted_p"] <= 1 for row in found["factors"])  # type: ignore[attr-defined]
    code, said, _ = run(capsys, *words)
    assert code == 0 and "4 factors tried" in said and "bad: refused" in said
    assert re.match(
        r"\d+ symbols, [0-9,]+ bars of 1h, 20.* to 20.*; Sharpe and a year after costs; all but sign and train on validate\n", said
    )
    found_again = document(capsys, *words, "--html", tmp_path / "ranked.html")
    page = (tmp_path / "ranked.html").read_text()
    assert found_again == found and page.startswith("<!doctype html>") and "default-src 'none'" in page
    named = [str(name) for name in found["ranked"]]  # type: ignore[attr-defined]
    assert sorted(named, key=lambda name: page.index(f">{name}<")) == named and "4 factors tried" in page and "bad: refused" in page
    without = document(capsys, *words, "--split", "80/0/20")
    assert (found["ranked_on"], without["ranked_on"]) == ("validate", "train")
    alone = document(capsys, "factor", "backtest", "close / delay(close, 5) - 1", "--data", data / "candles", "--draws", 0)
    other = next(row for row in found["factors"] if row["factor"] == "m5")  # type: ignore[attr-defined]
    assert alone["slices"] == other["slices"] and alone["direction"] == other["direction"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["close +"], 4, "1:"),
        (["mvrv"], 4, "no column 'mvrv'"),
        (["close", "--split", "70/30"], 2, "three numbers"),
        (["close", "--rebalance", "90m"], 2, "multiple of the bar length"),
        (["close", "--from", "2024-02-01", "--to", "2024-01-01"], 2, "--to must not be earlier"),
        (["close", "--purge", "5000"], 4, "too few"),
        (["close", "--scheme", "best"], 2, "best"),
        (["close", "--symbols", "NOUSDT"], 4, "no data of NOUSDT"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words: list[str], code: int, says: str, data: Path, capsys: Capture) -> None:
    found, said, errors = run(capsys, "factor", "backtest", *words, "--data", data / "candles")
    assert says in errors and not said and "Traceback" not in errors
    assert found == code


def test_nothing_to_try_is_refused(data: Path, capsys: Capture) -> None:
    code, _, errors = run(capsys, "factor", "compare", "--data", data / "candles")
    assert code == 4 and "there is no factor to try" in errors
    code, _, errors = run(capsys, "factor", "backtest", "--data", data / "candles")
    assert code == 2 and "TEXT" in errors


def test_the_options_are_those_of_the_settings() -> None:
    """The command is light and names them again: names, choices and defaults have to be the same."""
    assert tuple(factor_backtest.SCHEMES) == settings.SCHEMES and tuple(factor_backtest.RANKED_BY) == comparison.RANKED_BY
    options = {parameter.name: parameter for parameter in factor_backtest.backtest.params}
    for struct in (settings.Settings(), settings.Costs()):
        for name in struct.__struct_fields__:
            if name in options and name not in ("rebalance", "draws", "horizons", "long_only", "test", "funding"):
                assert options[name].default == getattr(struct, name), name
    assert set(settings.Costs.__struct_fields__) <= set(options)
