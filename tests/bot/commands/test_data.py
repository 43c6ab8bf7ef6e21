"""`sluice data`: downloaded, listed, checked, imported and replayed, as a user types it. The exchange is on loopback."""

import json
from pathlib import Path

import pytest

from bot.cli import main
from feeds.times import HOUR, millis
from tests.fakes.bybit_past import Contract, FakePast, Fault
from tests.feeds.files_on_disk import candles, save

NOW = millis("2024-03-10T12:34:56Z")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def config(fake: FakePast) -> None:
    Path("config.toml").write_text(f'[exchange]\nrest = "{fake.rest}"\n[strategy.factors]\nm = "open_interest_z"\n')


def test_what_is_downloaded_is_listed_checked_and_replayed_by_its_own_rules(capsys: pytest.CaptureFixture[str]) -> None:
    contracts = [Contract("BTCUSDT", millis("2022-01-01"), tick="0.50"), Contract("ETHUSDT", millis("2024-02-11T03:00"))]
    with FakePast(contracts, NOW) as fake:
        config(fake)
        words = ("BTCUSDT,ETHUSDT", "--kind", "candles,funding,open-interest", "--from", "2024-02-01", "-o", "market")
        code, out, err = run(capsys, "data", "download", *words, "--json")
        assert (code, err) == (0, "")
        said = json.loads(out)
        assert [(one["symbol"], one["kind"], one["timeframe"]) for one in said["series"]] == [
            (symbol, kind, span)
            for symbol in ("BTCUSDT", "ETHUSDT")
            for kind, span in (("candles", "1h"), ("funding", None), ("metrics/open_interest", "1h"))
        ]
        young = said["series"][3]
        assert (young["from"], young["listed"], young["missing"], young["gaps"]) == (millis("2024-02-11T03:00"),) * 2 + (0, [])
        assert said["rules"] == "market/instruments.json"
        code, out, _ = run(capsys, "data", "download", *words)
        assert code == 0
        assert "Next: sluice data check market; sluice replay --candles market --funding market --metrics market" in out
        assert "begins: ETHUSDT candles 1h at 2024-02-11 03:00:00: nothing before" in out
    held = json.loads(run(capsys, "data", "list", "--archive", "market", "--json")[1])["holdings"]
    assert {(one["symbol"], one["kind"], one["missing"], tuple(one["sources"])) for one in held} == {
        (symbol, kind, 0, ("bybit",)) for symbol in ("BTCUSDT", "ETHUSDT") for kind in ("candles", "funding", "metrics/open_interest")
    }
    code, out, _ = run(capsys, "data", "check", "market", "--json")
    assert (code, json.loads(out)["counts"]["error"]) == (0, 0)
    words = ("replay", "--candles", "market", "--funding", "market", "--metrics", "market", "--store", "runs.db", "--json")
    code, out, err = run(capsys, *words)
    assert code == 0, err
    result = json.loads(out)
    assert result["symbols"] == ["BTCUSDT", "ETHUSDT"]
    orders = json.loads(run(capsys, "fills", "--store", "runs.db", "--json", "--symbol", "BTCUSDT")[1])["fills"]
    assert orders
    assert {float(fill["price"]) % 0.5 for fill in orders} == {0.0}
    assert {round(float(fill["quantity"]) / 0.002, 6) % 1 for fill in orders} == {0.0}


def test_an_exchange_that_does_not_answer_ends_with_five_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    with FakePast([Contract("BTCUSDT", millis("2022-01-01"))], NOW, [Fault("http", "kline", times=99, status=403)]) as fake:
        config(fake)
        code, out, err = run(capsys, "data", "download", "BTCUSDT", "--from", "2024-02-01", "-o", "market", "--json")
    assert code == 5
    assert json.loads(out)["error"]["exit_code"] == 5
    assert "it wants 10 minutes of silence" in err
    assert "give the same command again and it goes on" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("BTCUSDT", "--from", "2024-02-01", "--to", "2024-01-01"), "--to must be later than --from"),
        (("BTCUSDT", "--adjusted"), "it belongs to --exchange yahoo"),
        (("BTCUSDT", "--kind", "tulips"), "tulips"),
        (("BTCUSDT", "--exchange", "mtgox"), "mtgox"),
        (("BTCUSDT", "--timeframe", "10m"), "Bybit has no 10m bars"),
        ((), "Missing argument"),
    ],
)
def test_a_wrong_word_of_download_is_a_usage_error(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    code, _, err = run(capsys, "data", "download", *words)
    assert code == 2
    assert said in err


def test_an_import_shows_how_each_file_was_understood(capsys: pytest.CaptureFixture[str]) -> None:
    frame = candles(30, step=HOUR).rename(columns={"ts_ms": "Open Time", "volume": "Volume BTC"}).assign(Comment="x")
    save(frame, Path("Binance_BTCUSDT_1h.csv"))
    code, out, _ = run(capsys, "data", "import", "Binance_BTCUSDT_1h.csv", "-o", "market")
    assert code == 0
    assert "Binance_BTCUSDT_1h.csv: CSV: candles of BTCUSDT, 1h bars; times milliseconds, UTC" in out
    assert "ts <- Open Time, open <- open, high <- high, low <- low, close <- close, volume <- Volume BTC" in out
    assert "30 rows, 30 taken; not read: Comment" in out
    assert "30 rows added to market, 0 were there already" in out
    document = json.loads(run(capsys, "data", "import", "Binance_BTCUSDT_1h.csv", "-o", "market", "--json")[1])
    assert (document["added"], document["repeated"], document["files"][0]["columns"]["volume"]) == (0, 30, "Volume BTC")


def test_a_contradiction_ends_with_eight_and_bad_rows_with_four(capsys: pytest.CaptureFixture[str]) -> None:
    save(candles(30, step=HOUR), Path("BTCUSDT.csv"))
    assert run(capsys, "data", "import", "BTCUSDT.csv", "-o", "market")[0] == 0
    save(candles(30, step=HOUR, price=100.5), Path("BTCUSDT.csv"))
    code, out, err = run(capsys, "data", "import", "BTCUSDT.csv", "-o", "market", "--json")
    assert (code, len(json.loads(out)["conflicts"])) == (8, 30)
    assert "30 rows came again with other numbers" in err
    save(candles(30, step=HOUR, high=1.0), Path("ETHUSDT.csv"))
    code, _, err = run(capsys, "data", "import", "ETHUSDT.csv", "-o", "market")
    assert code == 4
    assert "ETHUSDT.csv: row 1 (line 2), column high: high 1.0 is below the low" in err
    code, out, err = run(capsys, "data", "import", "ETHUSDT.csv", "-o", "market", "--skip-bad")
    assert code == 4
    assert "no data for any symbol" in err


def test_a_check_shows_places_and_ends_with_eight_only_for_errors(capsys: pytest.CaptureFixture[str]) -> None:
    frame = candles(60, step=HOUR, price=1_000.0).drop([7, 8, 20])
    save(frame, Path("BTCUSDT.csv"))
    code, out, _ = run(capsys, "data", "check", "BTCUSDT.csv")
    assert code == 0
    assert "warning  gap  candles BTCUSDT  3 bars, first at 2024-01-01 07:00:00\n    BTCUSDT.csv" in out
    assert out.endswith("\n\n1 warning: a replay reads these files\n")
    assert "    at 2024-01-01T07:00:00Z 2024-01-01T20:00:00Z" in out
    frame.loc[3, "low"] = -1.0
    save(frame, Path("BTCUSDT.csv"))
    code, out, _ = run(capsys, "data", "check", "BTCUSDT.csv", "--json")
    said = json.loads(out)
    assert (code, said["ok"], said["counts"]) == (8, False, {"error": 1, "warning": 1, "note": 0})
    assert said["findings"][0]["examples"] == ["2024-01-01T03:00:00Z"]
