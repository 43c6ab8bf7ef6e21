"""The invented market: the same bits every time, says what it is, and has the habits of a real one."""

import ast
import hashlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from feeds import synth
from feeds.synth import LABEL, START, has_market, is_synthetic, make_market
from feeds.synth.numbers import Dice, exp, log, recur
from feeds.synth.stories import FORUMS, OUTLETS
from feeds.times import DAY, HOUR, MINUTE

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    target = tmp_path_factory.mktemp("market")
    make_market(target, seed=7)
    yield target


@pytest.fixture(scope="module")
def candles(folder: Path) -> dict[str, pd.DataFrame]:
    return {symbol: pd.read_parquet(folder / "candles" / f"{symbol}.parquet") for symbol in SYMBOLS}


@pytest.fixture(scope="module")
def returns(candles: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.DataFrame({symbol: np.log(frame.close / frame.open) for symbol, frame in candles.items()})


def test_one_seed_gives_one_market_and_another_seed_another(tmp_path: Path) -> None:
    make_market(tmp_path / "a", seed=3, days=2)
    make_market(tmp_path / "b", seed=3, days=2)
    make_market(tmp_path / "c", seed=4, days=2)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 7
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    assert (tmp_path / "a/candles/BTCUSDT.parquet").read_bytes() != (tmp_path / "c/candles/BTCUSDT.parquet").read_bytes()


def test_the_values_of_a_seed_are_pinned(tmp_path: Path) -> None:
    manifest = json.loads(make_market(tmp_path, seed=7, days=1, symbols=("BTCUSDT", "ABCUSDT")).read_text())
    joined = "".join(entry["values_sha256"] for entry in manifest["files"])
    assert hashlib.sha256(joined.encode()).hexdigest()[:16] == "130f0286d7b7f344"


def test_three_weeks_of_three_symbols_take_seconds(tmp_path: Path) -> None:
    begun = time.process_time()
    make_market(tmp_path, seed=1)
    assert time.process_time() - begun < 3.0


def test_every_file_says_that_it_is_synthetic(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["synthetic"] is True and manifest["label"] == LABEL and manifest["seed"] == 7
    assert {entry["file"] for entry in manifest["files"]} == {
        *(f"candles/{symbol}.parquet" for symbol in SYMBOLS), "funding.parquet", "metrics.parquet", "news.parquet",
    }  # fmt: skip
    for entry in manifest["files"]:
        body = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(body).hexdigest() == entry["sha256"]
        assert is_synthetic(folder / entry["file"])
        assert pq.read_metadata(folder / entry["file"]).num_rows == entry["rows"]
    other = tmp_path / "other.parquet"
    pd.DataFrame({"ts_ms": [1]}).to_parquet(other)
    assert not is_synthetic(other) and not is_synthetic(tmp_path / "absent.parquet")


def test_a_market_is_recognised_only_when_it_is_this_one_and_whole(tmp_path: Path) -> None:
    assert not has_market(tmp_path, seed=2, days=1)
    make_market(tmp_path, seed=2, days=1)
    assert has_market(tmp_path, seed=2, days=1)
    assert not has_market(tmp_path, seed=3, days=1) and not has_market(tmp_path, seed=2, days=2)
    news = tmp_path / "news.parquet"
    news.write_bytes(news.read_bytes()[:-1])
    assert not has_market(tmp_path, seed=2, days=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"days": 0}, "days is 0"),
        ({"timeframe": 7 * MINUTE}, "timeframe is 7m"),
        ({"start": START + 1}, "start is"),
        ({"symbols": ()}, "symbols are missing"),
        ({"symbols": ("A", "A")}, "symbols are A, A"),
        ({"symbols": ("../x",)}, "'../x'"),
    ],
)
def test_arguments_that_cannot_be_are_refused_before_anything_is_written(tmp_path: Path, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_market(tmp_path / "market", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "market").exists()


def test_bars_are_whole_on_the_grid_and_on_the_tick(candles: dict[str, pd.DataFrame]) -> None:
    for symbol, digits in zip(SYMBOLS, (1, 2, 2), strict=True):
        frame = candles[symbol]
        assert list(frame.columns) == ["ts_ms", "open", "high", "low", "close", "volume"]
        assert frame.ts_ms.tolist() == list(range(START, START + 21 * DAY, MINUTE))
        assert (frame.low > 0).all() and (frame.volume > 0).all()
        assert (frame.low <= frame[["open", "close"]].min(axis=1)).all() and (frame.high >= frame[["open", "close"]].max(axis=1)).all()
        for column in ("open", "high", "low", "close"):
            assert (frame[column].round(digits) == frame[column]).all()
        gap = (frame.open.iloc[1:].to_numpy() - frame.close.iloc[:-1].to_numpy()).__abs__().max()
        assert gap <= 1.001 * 10.0**-digits


def test_returns_have_fat_tails(returns: pd.DataFrame) -> None:
    assert (returns.kurt() > 5.0).all()


def test_volatility_clusters_for_hours_and_returns_do_not(returns: pd.DataFrame) -> None:
    for symbol in SYMBOLS:
        size = returns[symbol].abs()
        for lag in (1, 10, 60, 180):
            assert size.autocorr(lag) > 0.04, (symbol, lag)
        for lag in (1, 2, 5, 30):
            assert abs(returns[symbol].autocorr(lag)) < 0.03, (symbol, lag)


def test_volatility_is_that_of_a_crypto_market(returns: pd.DataFrame) -> None:
    annual = returns.std() * math.sqrt(525_600)
    assert ((annual > 0.3) & (annual < 1.5)).all()
    assert annual["BTCUSDT"] < annual["ETHUSDT"] < annual["SOLUSDT"]


def test_volume_follows_the_day_and_the_size_of_moves(candles: dict[str, pd.DataFrame], returns: pd.DataFrame) -> None:
    for symbol, frame in candles.items():
        by_hour = frame.volume.groupby(frame.ts_ms % DAY // HOUR).mean()
        assert by_hour[[13, 14, 15]].mean() > 1.6 * by_hour[[3, 4, 5]].mean()
        assert returns[symbol].abs().rank().corr(frame.volume.rank()) > 0.3


def test_symbols_move_together(returns: pd.DataFrame) -> None:
    correlation = returns.corr().to_numpy()
    assert (correlation[np.triu_indices(3, 1)] > 0.5).all() and (correlation[np.triu_indices(3, 1)] < 0.95).all()


def test_highs_and_lows_are_as_wide_as_the_moves(candles: dict[str, pd.DataFrame], returns: pd.DataFrame) -> None:
    for symbol, frame in candles.items():
        parkinson = (np.log(frame.high / frame.low) ** 2).mean() / (4 * math.log(2))
        assert 0.75 < parkinson / returns[symbol].var() < 1.25


def test_the_price_jumps_with_a_story_and_drifts_on_after_it_is_known(tmp_path: Path) -> None:
    make_market(tmp_path, seed=11, days=120, symbols=("BTCUSDT",), timeframe=MINUTE)
    frame, news = pd.read_parquet(tmp_path / "candles/BTCUSDT.parquet"), pd.read_parquet(tmp_path / "news.parquet")
    strong = news[(news.sentiment.abs() > 0.4) & (news.kind == "news")]
    row = ((strong.ts_ms - START) // MINUTE).to_numpy()
    inside = row < len(frame) - 65
    row, mood = row[inside], strong.sentiment.to_numpy()[inside]
    jump = np.log(frame.close.to_numpy()[row] / frame.open.to_numpy()[row])
    assert np.mean(np.sign(jump) == np.sign(mood)) > 0.8
    assert np.corrcoef(jump, mood)[0, 1] > 0.5
    known = ((strong.available_ms.to_numpy()[inside] - START) // MINUTE) + 1  # the first open after we knew
    after = np.log(frame.open.to_numpy()[known + 45] / frame.open.to_numpy()[known]) * np.sign(mood)
    assert after.mean() / (after.std() / math.sqrt(len(after))) > 2.0


def test_exchange_flow_leads_weakly(tmp_path: Path) -> None:
    make_market(tmp_path, seed=5, days=365, symbols=("BTCUSDT",), timeframe=HOUR)
    frame, metrics = pd.read_parquet(tmp_path / "candles/BTCUSDT.parquet"), pd.read_parquet(tmp_path / "metrics.parquet")
    flow = metrics[(metrics.metric == "exchange_netflow") & (metrics.available_ms < START + 364 * DAY) & (metrics.available_ms >= START)]
    row = ((flow.available_ms - START) // HOUR + 1).to_numpy()
    opens = frame.open.to_numpy()
    ahead = np.log(opens[row + 6] / opens[row])
    assert -0.35 < np.corrcoef(flow.value, ahead)[0, 1] < -0.02


def test_news_is_known_after_it_is_published_and_comes_from_nobody_real(folder: Path) -> None:
    news = pd.read_parquet(folder / "news.parquet")
    assert list(news.columns) == ["ts_ms", "available_ms", "id", "domain", "title", "sentiment", "kind", "symbols"]
    wait = news.available_ms - news.ts_ms
    assert wait.min() >= 15_000 and wait.max() <= 100_000
    assert news.ts_ms.is_monotonic_increasing and news.id.is_unique
    assert news.ts_ms.min() >= START and news.ts_ms.max() < START + 21 * DAY
    assert set(news.kind) == {"news", "social"} and news.sentiment.between(-1, 1).all()
    assert set(news.domain) <= {f"{name}.example" for name in OUTLETS + FORUMS}
    assert set(news.symbols) == {"", *SYMBOLS}


def test_series_are_known_after_their_period_and_before_the_market_begins(folder: Path) -> None:
    metrics = pd.read_parquet(folder / "metrics.parquet")
    assert list(metrics.columns) == ["metric", "symbol", "ts_ms", "available_ms", "value"]
    per_symbol = metrics[metrics.symbol.notna()].groupby("metric").symbol.unique()
    assert {name: set(symbols) for name, symbols in per_symbol.items()} == {
        "exchange_netflow": set(SYMBOLS),
        "whale_balance_change": set(SYMBOLS),
    }
    assert set(metrics[metrics.symbol.isna()].metric) == {"active_addresses", "fear_greed", "tvl", "stablecoin_supply"}
    lag = (metrics.available_ms - metrics.ts_ms).groupby(metrics.metric).agg(["min", "max"])
    assert lag.loc["exchange_netflow"].tolist() == [HOUR + 10 * MINUTE] * 2
    assert lag.loc["tvl"].tolist() == [DAY + HOUR] * 2
    assert metrics.available_ms.is_monotonic_increasing
    assert set(metrics[metrics.available_ms <= START].metric) == set(metrics.metric)
    assert metrics[metrics.metric == "fear_greed"].value.between(0, 100).all()


def test_funding_settles_every_eight_hours_and_follows_the_premium(tmp_path: Path) -> None:
    make_market(tmp_path, seed=9, days=365, symbols=("BTCUSDT",), timeframe=HOUR)
    funding, frame = pd.read_parquet(tmp_path / "funding.parquet"), pd.read_parquet(tmp_path / "candles/BTCUSDT.parquet")
    assert (funding.ts_ms % (8 * HOUR) == 0).all() and (funding.ts_ms.diff().dropna() == 8 * HOUR).all()
    assert funding.funding_rate.abs().max() <= 0.0075 and funding.funding_rate.nunique() > 20
    row = ((funding.ts_ms - START) // HOUR).to_numpy()
    keep = (row >= 16) & (row < len(frame))
    trend = np.log(frame.close.to_numpy()[row[keep] - 1] / frame.close.to_numpy()[row[keep] - 16])
    assert np.corrcoef(trend, funding.funding_rate.to_numpy()[keep])[0, 1] > 0.2


def test_other_symbols_and_frequencies_are_markets_too(tmp_path: Path) -> None:
    make_market(tmp_path, seed=2, days=30, symbols=("ABCUSDT", "XRPUSDT"), timeframe=15 * MINUTE, start=START + 5 * HOUR)
    frame = pd.read_parquet(tmp_path / "candles/ABCUSDT.parquet")
    assert len(frame) == 30 * 96 and frame.ts_ms.iloc[0] == START + 5 * HOUR
    annual = np.log(frame.close / frame.open).std() * math.sqrt(365 * 96)
    assert 0.3 < annual < 2.0 and (frame.low > 0).all()


def test_only_arithmetic_that_gives_the_same_bits_everywhere_is_used() -> None:
    allowed = {
        "PCG64", "uint64", "float64", "int64", "sqrt", "clip", "array", "rint",
        "ones_like", "zeros_like", "zeros", "ldexp", "frexp", "where",
        "floor", "arange", "sort", "abs", "minimum", "maximum", "stack", "concatenate", "cumsum", "diff", "bool_",
        "ascontiguousarray", "random",
    }  # fmt: skip
    for file in sorted(Path(synth.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
                assert node.attr in allowed, f"{file.name}:{node.lineno} np.{node.attr}"
            assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult))


def test_own_exp_and_log_are_those_of_mathematics() -> None:
    x = Dice(1, "x").normal(5_000) * 40
    assert np.allclose(exp(x), np.exp(x), rtol=5e-16, atol=0)
    u = Dice(1, "u").uniform(5_000)
    assert np.allclose(log(u), np.log(u), rtol=5e-16, atol=1e-17)
    assert log(np.array([1.0]))[0] == 0.0 and exp(np.array([0.0]))[0] == 1.0


def test_dice_have_the_moments_they_claim() -> None:
    n = 200_000
    normal, student, wait = Dice(2, "n").normal(n), Dice(2, "t").student(n), Dice(2, "e").exponential(n)
    assert abs(normal.mean()) < 0.01 and abs(normal.std() - 1) < 0.01
    assert abs(student.mean()) < 0.01 and abs(student.std() - 1) < 0.05 and pd.Series(student).kurt() > 3
    assert abs(wait.mean() - 1) < 0.01
    assert not np.array_equal(Dice(2, "n").uniform(10), Dice(2, "m").uniform(10))


def test_recursion_is_the_recursion() -> None:
    assert recur(np.array([1.0, 0.0, 2.0]), 0.5).tolist() == [1.0, 0.5, 2.25]
