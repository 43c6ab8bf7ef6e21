"""Windows of which some values are missing, order statistics and regressions: against pandas, at their edges, and when they are long."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from strategies.errors import BadConstant, BadWindow, UnitMismatch
from strategies.factors import Machine, Node, call, compile_factors, field
from strategies.factors.check import MONEY, PRICE, RATE, TIME, Unit, check, unit_of

Array = NDArray[np.float64]
X, Y = field("close"), field("volume")
FIELDS = ("close", "volume")


def values(node: Node, *columns: Array, cuts: tuple[int, ...] = (), first: int = 28_400_003) -> Array:
    """float64[T, S] over columns float64[T, S]."""
    block = np.stack([*columns, *columns[-1:] * (2 - len(columns))], axis=1)
    machine = Machine(compile_factors({"x": node}, timeframe=60_000, fields=FIELDS), block.shape[2])
    return np.concatenate([machine.run(part, first + at)[:, 0] for at, part in zip((0, *cuts), np.split(block, cuts), strict=True)])


def broken(seed: int = 0, bars: int = 300, symbols: int = 9) -> tuple[Array, Array]:
    """Two columns with ties, flat stretches, single gaps and long ones."""
    rng = np.random.default_rng(seed)
    x = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, (bars, symbols)), axis=0)), 1)
    y = np.round(rng.normal(0, 1, (bars, symbols)), 1)
    x[60:90] = x[60]
    x[rng.random(x.shape) < 0.15], y[rng.random(y.shape) < 0.1] = np.nan, np.nan
    x[150:190, 2] = np.nan
    return x, y


@pytest.mark.parametrize(("window", "known"), [(1, 1), (2, 1), (5, 3), (7, 7), (30, 10), (30, 0)])
def test_partial_windows_are_those_of_pandas(window: int, known: int) -> None:
    x, y = broken()
    rolling, other = pd.DataFrame(x).rolling(window, min_periods=known), pd.DataFrame(y)
    cases = {
        "roll_sum": rolling.sum(), "roll_mean": rolling.mean(), "roll_min": rolling.min(), "roll_max": rolling.max(),
        "roll_median": rolling.median(), "roll_rank": rolling.rank(pct=True),
    }  # fmt: skip
    if window > 1:
        cases |= {"roll_std": rolling.std(), "roll_var": rolling.var()}
    if window > 4:
        cases |= {"roll_skew": rolling.skew(), "roll_kurt": rolling.kurt()}
    for op, wanted in cases.items():
        tolerance = 3e-6 if op == "roll_std" else 1e-9  # pandas' variances of flat stretches are not quite 0, and their roots less so
        np.testing.assert_allclose(values(call(op, X, window, known), x), wanted, rtol=1e-9, atol=tolerance, err_msg=op)
    for q in (0.0, 0.1, 0.5, 0.77, 1.0):
        np.testing.assert_allclose(values(call("roll_quantile", X, window, known, q), x), rolling.quantile(q), rtol=1e-12)
    if window > 1:
        np.testing.assert_allclose(values(call("roll_corr", X, Y, window, known), x, y), rolling.corr(other), rtol=1e-9, atol=1e-7)
        np.testing.assert_allclose(values(call("roll_cov", X, Y, window, known), x, y), rolling.cov(other), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ddof", [0, 2])
def test_degrees_of_freedom_are_those_of_pandas(ddof: int) -> None:
    x, y = broken(1)
    rolling = pd.DataFrame(x).rolling(9, min_periods=2)
    np.testing.assert_allclose(values(call("roll_var", X, 9, 2, ddof), x), rolling.var(ddof=ddof), rtol=1e-9, atol=1e-9)
    wanted = rolling.cov(pd.DataFrame(y), ddof=ddof)
    enough = (~np.isnan(x + y)).astype(float)
    wanted = wanted.where(pd.DataFrame(enough).rolling(9, min_periods=1).sum() > ddof)
    np.testing.assert_allclose(values(call("roll_cov", X, Y, 9, 2, ddof), x, y), wanted, rtol=1e-9, atol=1e-9)


def test_flat_windows_have_no_deviation_no_shape_and_no_fit() -> None:
    x = np.full((30, 2), 100.1)
    wanted = {
        "roll_std": 0.0, "roll_skew": np.nan, "roll_kurt": np.nan, "roll_mean": 100.1, "ts_slope": 0.0, "ts_rsquare": np.nan,
        "ts_resid": 0.0, "ts_intercept": 100.1, "ts_mad": 0.0, "ts_median_ad": 0.0, "ts_median": 100.1, "ts_minmax": np.nan,
        "ts_ir": np.nan, "ts_beta": np.nan,
    }  # fmt: skip
    for op, value in wanted.items():
        node = call(op, X, Y, 10) if op == "ts_beta" else call(op, X, 10, *((5,) if op.startswith("roll") else ()))
        np.testing.assert_array_equal(values(node, x)[12:], value, err_msg=op)


LONG = 100_000


@pytest.mark.parametrize(
    "op",
    ["roll_mean", "roll_std", "roll_skew", "roll_kurt", "ts_skew", "ts_kurt", "ts_slope", "ts_intercept", "ts_rsquare", "ts_resid",
     "decay_exp", "ts_median", "roll_corr"],
)  # fmt: skip
def test_long_windows_of_high_prices_stay_exact(op: str) -> None:
    rng = np.random.default_rng(3)
    x = 100_000 + np.cumsum(rng.integers(-2, 3, (130_000, 1)), axis=0) / 100
    x[5_000] = 1e9  # has left long before the end
    y = np.exp(rng.normal(0, 1, x.shape))
    more = {"decay_exp": (0.9999,), "roll_corr": (1,), "roll_mean": (1,), "roll_std": (1,), "roll_skew": (1,), "roll_kurt": (1,)}.get(
        op, ()
    )
    node = call(op, X, Y, LONG, *more) if op == "roll_corr" else call(op, X, LONG, *more)
    last, other = x[-LONG:, 0].astype(np.longdouble), y[-LONG:, 0].astype(np.longdouble)
    n, d = np.longdouble(LONG), last - last.mean()
    m2, m3, m4 = ((d**k).sum() for k in (2, 3, 4))
    k = np.arange(LONG, dtype=np.longdouble) - (n - 1) / 2
    slope = (d * k).sum() / (k * k).sum()
    weights = np.longdouble(0.9999) ** np.arange(LONG - 1, -1, -1, dtype=np.longdouble)
    skew = n * np.sqrt(n - 1) / (n - 2) * m3 / m2**1.5
    kurt = n * (n + 1) * (n - 1) / ((n - 2) * (n - 3)) * m4 / m2**2 - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))
    e = other - other.mean()
    wanted = {
        "roll_mean": last.mean(), "roll_std": np.sqrt(m2 / (n - 1)), "roll_skew": skew, "ts_skew": skew, "roll_kurt": kurt, "ts_kurt": kurt,
        "ts_slope": slope, "ts_intercept": last.mean() - slope * (n - 1) / 2, "ts_resid": d[-1] - slope * k[-1],
        "ts_rsquare": 1 - ((d - slope * k) ** 2).sum() / m2, "decay_exp": (last * weights).sum() / weights.sum(),
        "ts_median": np.median(last), "roll_corr": (d * e).sum() / np.sqrt(m2 * (e * e).sum()),
    }[op]  # fmt: skip
    np.testing.assert_allclose(values(node, x, y)[-1, 0], float(wanted), rtol=1e-9)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e300, 1e9])
def test_order_is_kept_through_bad_ticks_gaps_and_restarts(poison: float) -> None:
    rng = np.random.default_rng(7)
    x = np.round(rng.normal(0, 2, (3_000, 3)))  # many ties, both zeros
    x[rng.random(x.shape) < 0.02] = poison
    x[1_000:1_100, 1] = np.nan
    for window in (1, 2, 20, 63):
        for op in ("ts_median", "ts_median_ad", "roll_median", "roll_quantile"):
            node = call(op, X, window, *{"roll_median": (1,), "roll_quantile": (1, 0.9)}.get(op, ()))
            whole = values(node, x)
            late = values(node, x[701:], cuts=(5, 900), first=28_400_003 + 701)
            np.testing.assert_array_equal(late[window - 1 :].view(np.int64), whole[701 + window - 1 :].view(np.int64), err_msg=op)
            view = np.lib.stride_tricks.sliding_window_view(x[-300:], window, axis=0)
            clean = np.isfinite(view).all(axis=2)
            middle = np.median(view, axis=2)
            if op == "ts_median_ad":
                with np.errstate(all="ignore"):
                    middle = np.median(np.abs(view - middle[:, :, None]), axis=2)
            if op != "roll_quantile":
                np.testing.assert_array_equal(whole[-len(view) :][clean], middle[clean], err_msg=op)


def test_a_product_with_nothing_in_it_is_nothing() -> None:
    x = np.full((40, 1), 1e60)
    x[20] = 0.0
    made = values(call("ts_product", X, 10), x)[:, 0]
    assert np.isinf(made[9:20]).all()
    assert (made[20:30] == 0.0).all()
    assert np.isinf(made[30:]).all()


@pytest.mark.parametrize(
    ("op", "params", "error", "says"),
    [
        ("roll_mean", (5, 6), BadWindow, "at most 5 can be known"),
        ("roll_std", (1, 1), BadWindow, "at least 2 bars"),
        ("roll_std", (4, 1, 4), BadWindow, "at least 5 bars"),
        ("roll_skew", (2, 1), BadWindow, "at least 3 bars"),
        ("ts_kurt", (3,), BadWindow, "at least 4"),
        ("roll_mean", (5, -1), BadWindow, "known"),
        ("roll_quantile", (5, 1, 1.5), BadConstant, "between 0 and 1"),
        ("ts_quantile", (5, -0.1), BadConstant, "at least 0"),
        ("decay_exp", (5, 0.0), BadConstant, "more than 0"),
        ("decay_exp", (5, 1.1), BadConstant, "at most 1"),
        ("hump", (-0.5,), BadConstant, "at least 0"),
        ("round", (0.5,), BadConstant, "whole number of decimals"),
        ("round", (40,), BadConstant, "at most 12"),
        ("ts_slope", (1,), BadWindow, "at least 2"),
    ],
)
def test_params_that_do_not_go_together_are_refused(op: str, params: tuple[float, ...], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(op, X, *params)


@pytest.mark.parametrize(
    ("node", "unit"),
    [
        (call("ts_slope", X, 20), PRICE), (call("ts_rsquare", X, 20), RATE), (call("ts_beta", X, Y, 20), Unit(1, -1)),
        (call("ts_resid_on", X, Y, 20), PRICE), (call("roll_var", X, 20, 5), Unit(2)), (call("roll_cov", X, Y, 20, 5), MONEY),
        (call("roll_skew", X, 20, 5), RATE), (call("ts_product", X, 20), None), (call("nan_to", X, 0), PRICE),
        (call("keep", X, call("gt", Y, 3)), PRICE), (call("bars_since", call("gt", X, 3)), TIME), (call("bars_since_max", X, 9), TIME),
        (call("inv", X), Unit(-1)), (call("square", X), Unit(2)), (call("sigmoid", X), RATE), (call("ts_median_ad", X, 9), PRICE),
        (call("ts_product", call("div", X, call("delay", X, 1)), 20), RATE), (call("power", X, Y), None),
    ],
)  # fmt: skip
def test_units_follow_the_operators(node: Node, unit: Unit | None) -> None:
    assert unit_of(node) == unit


def test_units_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(UnitMismatch):
        unit_of(call("nan_to", X, Y))
    with pytest.raises(UnitMismatch):
        unit_of(call("fmax", X, Y))


def test_a_window_that_need_not_be_full_looks_back_as_far_as_a_full_one() -> None:
    for node in (
        call("roll_mean", X, 100_002, 1),
        call("ts_mean", call("roll_sum", X, 60_000, 1), 60_000),
        call("roll_median", X, 100_002, 1),
    ):
        with pytest.raises(BadWindow, match="at most 100000"):
            check(node)
    check(call("ts_mean", call("roll_sum", X, 50_000, 1), 50_000))


def test_powers_have_one_way_to_be_written() -> None:
    assert call("power", X, 3).text == call("pow", X, 3).text == "close ** 3"
    assert call("pow", X, Y).text == "power(close, volume)"
    assert call("pow", X, 9).text == "power(close, 9)"
    assert call("square", X) is call("pow", X, 2)


def test_definitions_are_what_they_say() -> None:
    rng = np.random.default_rng(2)
    x, y = np.cumsum(rng.normal(0, 1, (200, 2)), axis=0), rng.normal(0, 1, (200, 2))
    a, b = pd.DataFrame(x), pd.DataFrame(y)
    beta = a.rolling(20).cov(b) / b.rolling(20).var()
    wanted = {
        call("ts_beta", X, Y, 20): beta,
        call("ts_resid_on", X, Y, 20): a - a.rolling(20).mean() - beta * (b - b.rolling(20).mean()),
        call("ts_minmax", X, 20): (a - a.rolling(20).min()) / (a.rolling(20).max() - a.rolling(20).min()),
        call("ts_ir", X, 20): a.rolling(20).mean() / a.rolling(20).std(),
        call("ts_sum_if", X, call("gt", Y, 0), 20): a.where(b > 0, 0).rolling(20).sum(),
        call("ts_autocorr", X, 20, 3): a.rolling(20).corr(a.shift(3)),
        call("bars_since_max", X, 20): a.rolling(20).apply(lambda v: 19 - v.argmax(), raw=True),
        call("bars_since_min", X, 20): a.rolling(20).apply(lambda v: 19 - v.argmin(), raw=True),
        call("signed_power", X, 0.5): np.sign(a) * a.abs() ** 0.5,
        call("sigmoid", X): 1 / (1 + np.exp(-a)),
        call("ts_count_known", call("log", X), 20): (a > 0).astype(float).rolling(20).sum(),
    }  # fmt: skip
    for node, expected in wanted.items():
        np.testing.assert_allclose(values(node, x, y), np.asarray(expected, np.float64), rtol=1e-9, atol=1e-9, err_msg=node.text)
