"""The expressions of the chapter, as text, beside what its own pandas says of them, on real candles; and AlphaGen's own estimators."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from strategies.factors import Machine, compile_factors, read
from tests.strategies.factors.published import CANDLES, DAY, START, candles

BARS = 200
Frames = dict[str, pd.DataFrame]


def worked_out(text: str, dialect: str, frames: Frames, timeframe: int = DAY) -> pd.DataFrame:
    node = read(text, dialect=dialect, timeframe=timeframe, fields=CANDLES).node
    program = compile_factors({"factor": node}, timeframe=timeframe, fields=CANDLES)
    block = np.stack([frames[name].to_numpy() for name in CANDLES], axis=1)
    return pd.DataFrame(Machine(program, block.shape[2]).run(block, START // timeframe)[:, 0])


@pytest.fixture(scope="module")
def frames(shared_data: Path) -> Frames:
    return {name: pd.DataFrame(column) for name, column in candles(shared_data, BARS).items()}


def zscore(x: pd.DataFrame, n: int) -> pd.DataFrame:
    return (x - x.rolling(n).mean()) / x.rolling(n).std()


def momentum(f: Frames, n: int = 5) -> pd.DataFrame:
    return (f["close"] - f["close"].shift(n)) / f["close"].shift(n)


def ratio(f: Frames, n: int = 20) -> pd.DataFrame:
    return f["volume"] / f["volume"].rolling(n).mean()


def realized_vol(f: Frames, n: int) -> pd.DataFrame:
    return f["close"].pct_change(fill_method=None).rolling(n).std() * np.sqrt(365)


def rsi(x: pd.DataFrame, n: int) -> pd.DataFrame:
    change = x.diff()
    gain, loss = (
        part.ewm(alpha=1 / n, adjust=False, ignore_na=True, min_periods=n).mean() for part in (change.clip(lower=0), -change.clip(upper=0))
    )
    return 100 - 100 / (1 + gain / loss)


VOLUME_ADJUSTED = """FACTOR_NAME: Volume-Adjusted Momentum

MATHEMATICAL_EXPRESSION:
momentum = (close - close_lag_5) / close_lag_5
vol_ratio = volume / SMA(volume, 20)
factor = momentum * log(vol_ratio + 1) * sign(momentum)
"""
CHAPTER: list[tuple[str, Callable[[Frames], pd.DataFrame]]] = [
    ("(close - SMA(close, 20)) / STD(close, 20)", lambda f: zscore(f["close"], 20)),
    ("(close - rolling_mean(close, 5)) / rolling_std(close, 5)", lambda f: zscore(f["close"], 5)),
    ("zscore(close, 20) * rank(volume)", lambda f: zscore(f["close"], 20) * f["volume"].rank(axis=1, pct=True)),
    ("momentum_5d * log(volume_ratio + 1)", lambda f: momentum(f) * np.log(ratio(f) + 1)),
    ("-zscore_20d / realized_vol_10d", lambda f: -zscore(f["close"], 20) / realized_vol(f, 10)),
    ("sign(close - high_20d) * volume_zscore", lambda f: np.sign(f["close"] - f["high"].rolling(20).max()) * zscore(f["volume"], 20)),
    ("(rsi_14 - 50) / 50 * momentum_5d", lambda f: (rsi(f["close"], 14) - 50) / 50 * momentum(f)),
    ("return_5d / realized_vol_5d", lambda f: momentum(f) / realized_vol(f, 5)),
    ("momentum_5d * sign(volume - avg_volume_20d)", lambda f: momentum(f) * np.sign(f["volume"] - f["volume"].rolling(20).mean())),
    (VOLUME_ADJUSTED, lambda f: momentum(f) * np.log(ratio(f) + 1) * np.sign(momentum(f))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "pandas"), CHAPTER, ids=[text.splitlines()[0] for text, _ in CHAPTER])
def test_an_expression_of_the_chapter_has_the_value_that_pandas_gives(
    text: str, pandas: Callable[[Frames], pd.DataFrame], frames: Frames
) -> None:
    found = read(text, timeframe=DAY, fields=CANDLES)
    assert found.dialect == "sluice"
    expected = pandas(frames)
    assert expected.notna().sum().min() > 50
    np.testing.assert_allclose(worked_out(text, "auto", frames).to_numpy(), expected.to_numpy(), rtol=1e-9, atol=1e-12)


def test_a_day_is_as_many_bars_as_it_has(frames: Frames) -> None:
    by_hour = worked_out("momentum_5d", "auto", frames, timeframe=DAY // 12)
    np.testing.assert_array_equal(by_hour, frames["close"] / frames["close"].shift(60) - 1)


def biased_skew(v: np.ndarray) -> float:  # type: ignore[type-arg]
    d = v - v.mean()
    return float((d**3).mean() / (d**2).mean() ** 1.5)


def half_biased_kurtosis(v: np.ndarray) -> float:  # type: ignore[type-arg]
    return float(((v - v.mean()) ** 4).mean() / v.var(ddof=1) ** 2 - 3)


def descending(v: np.ndarray) -> float:  # type: ignore[type-arg]
    greater, least = int((v[-1] < v).sum()), int((v[-1] <= v).sum())
    return (least + greater + (least > greater)) / (2 * len(v))


def windowed_ema(v: np.ndarray) -> float:  # type: ignore[type-arg]
    weights = (1 - 2 / (1 + len(v))) ** np.arange(len(v), 0, -1)
    return float((weights * v).sum() / weights.sum())


ESTIMATORS: list[tuple[str, str, Callable[[np.ndarray], float], int]] = [  # type: ignore[type-arg]
    ("Skew($close,10)", "alphagen", biased_skew, 10),
    ("Kurt($close,10)", "alphagen", half_biased_kurtosis, 10),
    ("Rank($close,10)", "alphagen", descending, 10),
    ("EMA($close,10)", "alphagen", windowed_ema, 10),
    ("WMA($close,10)", "alphagen", lambda v: float((np.arange(10) / 45 * v).sum()), 10),
    ("Med($close,10)", "alphagen", lambda v: float(np.sort(v)[4]), 10),
    ("Med($close,9)", "alphagen", lambda v: float(np.sort(v)[4]), 9),
    ("TsPctChange($close,10)", "alphagen", lambda v: float((v[-1] - v[0]) / v[0]), 10),
    ("Mad($close,10)", "alphagen", lambda v: float(np.abs(v - v.mean()).mean()), 10),
    ("WMA($close,10)", "qlib", lambda v: float(np.mean(np.arange(1, 11) / 55 * v)), 10),
    ("Mad($close,10)", "qlib", lambda v: float(np.abs(v - v.mean()).mean()), 10),
    ("IdxMin($close,10)", "qlib", lambda v: float(v.argmin() + 1), 10),
    ("ts_arg_max(close,10)", "worldquant", lambda v: float(9 - v.argmax()), 10),
]


@pytest.mark.parametrize(("text", "dialect", "estimator", "n"), ESTIMATORS, ids=[f"{d} {t}" for t, d, _, _ in ESTIMATORS])
def test_an_estimator_is_that_of_its_dialect(
    text: str,
    dialect: str,
    estimator: Callable[[np.ndarray], float],
    n: int,
    frames: Frames,  # type: ignore[type-arg]
) -> None:
    expected = frames["close"].rolling(n).apply(estimator, raw=True)
    np.testing.assert_allclose(worked_out(text, dialect, frames), expected, rtol=1e-9)


@pytest.mark.parametrize(("text", "alpha"), [("EMA($close, 10)", 2 / 11), ("EMA($close, 0.3)", 0.3), ("Mean($close, 0.3)", 0.3)])
def test_an_exponential_mean_of_qlib_is_the_adjusted_one(text: str, alpha: float, frames: Frames) -> None:
    np.testing.assert_allclose(worked_out(text, "qlib", frames), frames["close"].ewm(alpha=alpha, min_periods=1).mean(), rtol=1e-9)
