"""Indicators against TA-Lib's own recorded values, against pandas and against their definitions; long histories without drift."""

import json
import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from strategies.errors import BadConstant, BadWindow, FactorError
from strategies.factors import Machine, Node, call, compile_factors, field, parse
from strategies.factors.check import distinct
from strategies.factors.operators import FAMILIES, OPERATORS, Operator
from strategies.factors.pandas_code.talib import TALIB
from tests.strategies.factors.record_talib import FIELDS, FILE, KEPT, candles, cases, columns

Array = NDArray[np.float64]
FIRST = 28_400_003
RECORDED = json.loads(FILE.read_text())
OPEN, HIGH, LOW, CLOSE, VOLUME = (field(name) for name in FIELDS)


def run(nodes: dict[str, Node], data: dict[str, Array], first: int = FIRST) -> dict[str, Array]:
    """Columns of one symbol in, columns out."""
    block = np.stack([data[name] for name in FIELDS], axis=1)[:, :, None]
    machine = Machine(compile_factors(nodes, timeframe=60_000, fields=FIELDS), 1)
    return dict(zip(nodes, machine.run(block, first)[:, :, 0].T, strict=True))


def only(close: Array) -> dict[str, Array]:
    return dict.fromkeys(FIELDS, close)


def frame() -> pd.DataFrame:
    return pd.DataFrame(candles())


@pytest.mark.parametrize("place", range(len(RECORDED)), ids=lambda i: f"{RECORDED[i]['name']}-{i}")
def test_calls_of_ta_lib_give_its_values_from_the_first_on(place: int) -> None:
    recorded, (row, params) = RECORDED[place], cases()[place]
    assert (recorded["name"], recorded["params"]) == (row.name, params)
    nodes = row.build(*(field(name) for name in columns(row)), *params.values())
    assert len(nodes) == len(recorded["outputs"])
    values = run({str(i): node for i, node in enumerate(nodes)}, candles())
    for got, expected in zip(values.values(), recorded["outputs"], strict=True):
        first = expected["first"]
        assert np.isnan(got[:first]).all()
        assert not np.isnan(got[first:]).any()
        own = [*got[first : first + KEPT], *got[-KEPT:]]
        np.testing.assert_allclose(own, expected["values"], rtol=1e-9, atol=1e-9 * max(0.001, *map(abs, expected["values"])))


def test_every_call_of_ta_lib_is_recorded() -> None:
    assert {row["name"] for row in RECORDED} == set(TALIB)


@pytest.mark.parametrize("adjust", [True, False])
@pytest.mark.parametrize("span", [1.0, 1.7, 3.0, 20.0])
@pytest.mark.parametrize("measure", ["mean", "var", "std"])
def test_ewm_is_that_of_pandas_over_gaps_and_leading_unknowns(measure: str, span: float, adjust: bool) -> None:
    rng = np.random.default_rng(3)
    x = 60_000 + np.cumsum(rng.normal(0, 5, 300))
    x[:4], x[50], x[90:97], x[99], x[150:260] = np.nan, np.nan, np.nan, np.nan, np.nan
    for known in (1, 2, 9):
        got = run({"x": call(f"ewm_{measure}", CLOSE, span, float(adjust), known)}, only(x))["x"]
        expected = getattr(pd.Series(x).ewm(span=span, adjust=adjust, min_periods=known), measure)().to_numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_ewm_of_constant_data_has_no_deviation_and_infinite_values_are_unknown_to_it() -> None:
    flat = np.full(60, 0.1)
    flat[20:30] = np.nan
    assert np.nanmax(run({"x": call("ewm_std", CLOSE, 7.0)}, only(flat))["x"]) == 0.0
    flat[40] = math.inf
    assert run({"x": call("ewm_mean", CLOSE, 7.0)}, only(flat))["x"][-1] == 0.1


@pytest.mark.parametrize("name", ["ewm_cov", "ewm_corr"])
def test_ewm_of_pairs_is_that_of_pandas(name: str) -> None:
    data = candles()
    data["close"][30:34], data["volume"][50] = np.nan, np.nan
    for adjust in (True, False):
        got = run({"x": call(name, CLOSE, VOLUME, 11.0, float(adjust), 4)}, data)["x"]
        ewm = pd.Series(data["close"]).ewm(span=11, adjust=adjust, min_periods=4)
        np.testing.assert_allclose(got, getattr(ewm, name[4:])(pd.Series(data["volume"])), rtol=1e-9)


def test_a_sum_over_a_million_bars_is_exact_to_the_last_digits() -> None:
    rng = np.random.default_rng(11)
    x = np.round(rng.normal(0, 1, 1_000_000), 3) + np.where(np.arange(1_000_000) % 2 == 0, 1e9, -1e9)
    got = run({"x": call("cumsum", CLOSE), "m": call("expanding_mean", CLOSE)}, only(x))
    exact = sum(Fraction(v) for v in x)
    assert abs(Fraction(float(got["x"][-1])) - exact) <= Fraction(1e-9)
    assert abs(Fraction(float(got["m"][-1])) - exact / len(x)) <= Fraction(1e-15)


def test_expanding_deviation_of_a_large_level_keeps_its_digits() -> None:
    x = 1e9 + np.random.default_rng(2).normal(0, 1, 100_000)
    got = run({"x": call("expanding_std", CLOSE)}, only(x))["x"][-1]
    assert got == pytest.approx(float(np.std(x.astype(np.longdouble) - 10**9, ddof=1)), rel=1e-9)


def test_indicators_made_of_others_are_what_a_pandas_user_writes() -> None:
    df = frame()
    high, low, close, volume = df["high"], df["low"], df["close"], df["volume"]
    last = close.shift()
    reach = pd.concat([high - low, (high - last).abs(), (low - last).abs()], axis=1).max(axis=1).where(last.notna())
    up, down = high.diff(), -low.diff()
    plus, minus = up.where((up > down) & (up > 0), 0.0).where(up.notna()), down.where((down > up) & (down > 0), 0.0).where(up.notna())

    def wilder(x: pd.Series, n: int) -> pd.Series:
        return x.ewm(alpha=1 / n, adjust=False, min_periods=n).mean()

    def weighted(x: pd.Series, n: int) -> pd.Series:
        return x.rolling(n).apply(lambda v: np.average(v, weights=np.arange(1, n + 1)), raw=True)

    typical = (high + low + close) / 3
    flow, change = typical * volume, typical.diff()
    rising, falling = flow.where(change > 0, 0.0).where(change.notna()), flow.where(change < 0, 0.0).where(change.notna())
    dx = 100 * (wilder(plus, 7) - wilder(minus, 7)).abs() / (wilder(plus, 7) + wilder(minus, 7))
    fast = close.ewm(span=5, adjust=False, min_periods=5).mean() - close.ewm(span=9, adjust=False, min_periods=9).mean()
    middle, spread = close.rolling(10).mean(), close.rolling(10).std()
    k = 100 * (close - low.rolling(8).min()) / (high.rolling(8).max() - low.rolling(8).min())
    gains, losses = close.diff().clip(lower=0), (-close.diff()).clip(lower=0)
    expected = {
        "true_range(high, low, close)": reach, "atr(high, low, close, 7)": wilder(reach, 7),
        "plus_di(high, low, close, 7)": 100 * wilder(plus, 7) / wilder(reach, 7), "adx(high, low, close, 7)": wilder(dx, 7),
        "macd(close, 5, 9)": fast, "macd_signal(close, 5, 9, 4)": fast.ewm(span=4, adjust=False, min_periods=4).mean(),
        "bb_upper(close, 10, 1.5)": middle + 1.5 * spread, "bb_width(close, 10)": 4 * spread / middle,
        "bb_percent(close, 10)": (close - middle + 2 * spread) / (4 * spread),
        "stoch_k(high, low, close, 8)": k, "stoch_d(high, low, close, 8)": k.rolling(3).mean(), "williams_r(high, low, close, 8)": k - 100,
        "mfi(high, low, close, volume, 9)": 100 * rising.rolling(9).sum() / (rising + falling).rolling(9).sum(),
        "cci(high, low, close, 9)": (typical - typical.rolling(9).mean())
        / (0.015 * typical.rolling(9).apply(lambda v: np.abs(v - v.mean()).mean(), raw=True)),
        "roc(close, 6)": 100 * close.pct_change(6), "rsi_sma(close, 6)": 100 * gains.rolling(6).mean()
        / (gains.rolling(6).mean() + losses.rolling(6).mean()),
        "cmo(close, 6)": 100 * close.diff().rolling(6).sum() / close.diff().abs().rolling(6).sum(),
        "hma(close, 9)": weighted(2 * weighted(close, 4) - weighted(close, 9), 3),
        "vwma(close, volume, 9)": (close * volume).rolling(9).sum() / volume.rolling(9).sum(),
        "aroon_up(high, 9)": high.rolling(10).apply(lambda v: 100 * np.argmax(v) / 9, raw=True),
        "dema(close, 6)": 2 * close.ewm(span=6, adjust=False, min_periods=6).mean()
        - close.ewm(span=6, adjust=False, min_periods=6).mean().ewm(span=6, adjust=False, min_periods=6).mean(),
    }  # fmt: skip
    nodes = {text: parse(text, timeframe=60_000, fields=FIELDS, units=True) for text in expected}
    got = run(nodes, candles())
    for text, values in expected.items():
        np.testing.assert_allclose(got[text], values.to_numpy(), rtol=1e-9, atol=1e-9, err_msg=text)


def test_a_session_begins_at_bar_indices_that_its_length_divides() -> None:
    data = candles()
    data["close"][20] = np.nan
    got = run({"x": call("vwap_session", CLOSE, VOLUME, 48)}, data)["x"]
    df = pd.DataFrame(data)
    day = (FIRST + np.arange(len(df))) // 48
    paid = (df["close"] * df["volume"]).groupby(day).cumsum()
    np.testing.assert_allclose(got, paid / df["volume"].where(df["close"].notna()).groupby(day).cumsum(), rtol=1e-12)


def test_on_balance_volume_begins_with_the_first_volume_and_passes_over_gaps() -> None:
    data = only(np.array([np.nan, 10.0, 11.0, np.nan, 12.0, 11.0, 11.0]))
    data["volume"] = np.array([5.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    got = run({"x": call("obv", CLOSE, VOLUME)}, data)["x"]
    np.testing.assert_array_equal(got, [np.nan, 1.0, 3.0, np.nan, 11.0, -5.0, -5.0])


def test_seeded_indicators_go_on_over_a_gap_that_would_end_ta_libs() -> None:
    data = candles()
    for name in FIELDS:
        data[name][70] = np.nan
    nodes = {name: call(name, *args) for name, args in (("ta_rsi", (CLOSE, 14)), ("ta_atr", (HIGH, LOW, CLOSE, 14)),
             ("ta_adx", (HIGH, LOW, CLOSE, 14)), ("ta_macd", (CLOSE,)), ("ta_sar", (HIGH, LOW)), ("ta_kama", (CLOSE, 10)))}  # fmt: skip
    for name, values in run(nodes, data).items():
        assert not np.isnan(values[90:]).any(), name


@pytest.mark.parametrize("row", FAMILIES["Technical analysis"], ids=lambda row: row.name)
def test_indicators_have_a_unit_a_canonical_text_and_any_cut(row: Operator) -> None:
    series = {4: (HIGH, LOW, CLOSE, VOLUME), 3: (HIGH, LOW, CLOSE), 2: (HIGH, LOW), 1: (CLOSE,)}[row.series]
    series = (CLOSE, VOLUME) if row.name in ("obv", "vwma", "vwap_session") else series
    numbers = [0.1 if not p.whole else 5 for p in row.params if p.default is None]
    node = call(row.name, *series, *numbers)
    units = row.name != "adaptive"  # its rate is no price
    assert parse(node.text, timeframe=60_000, fields=FIELDS, units=units).key == node.key
    data = candles()
    block = np.stack([data[name] for name in FIELDS], axis=1)[:, :, None]
    program = compile_factors({"x": node}, timeframe=60_000, fields=FIELDS)
    whole, machine = Machine(program, 1).run(block, FIRST), Machine(program, 1)
    cut = np.concatenate([machine.run(block[a:b], FIRST + a) for a, b in pairwise([0, 1, 2, 30, 77, len(block)])])
    assert whole.tobytes() == cut.tobytes()


@pytest.mark.parametrize(
    ("refused", "name"),
    [
        (lambda: call("sma_recursive", CLOSE, 3, 4), BadWindow),
        (lambda: call("ewm_mean", CLOSE, 0.5), BadConstant),
        (lambda: TALIB["MA"].build(CLOSE, 10, 7), BadConstant),
        (lambda: TALIB["TRIMA"].build(CLOSE, 7.5), BadWindow),
        (lambda: call("ta_ema", CLOSE, 0), BadWindow),
    ],
)
def test_parameters_without_a_meaning_are_refused(refused, name: type[FactorError]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(name):
        refused()


def test_kernels_of_these_families_are_few() -> None:
    families = (*FAMILIES["Recursive"], *FAMILIES["Technical analysis"], *FAMILIES["Across symbols"])
    assert len({row.kernel for row in families if row.kernel}) <= 20
    assert all(node.op not in OPERATORS or OPERATORS[node.op].means is None for node in distinct([call("ta_adx", HIGH, LOW, CLOSE, 14)]))
