"""Programs and the machine: what they share, what they refuse, what they keep, and their bits."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from strategies.errors import FactorError
from strategies.factors import Machine, call, compile_factors, field
from tests.strategies.factors.digests import FIELDS, FILE, digests, prices
from tests.strategies.factors.oracle import evaluate

Array = NDArray[np.float64]


def program(**factors: str):  # type: ignore[no-untyped-def]
    return compile_factors(factors, timeframe=60_000, fields=FIELDS)


def test_equal_parts_are_computed_once_over_all_factors() -> None:
    one, two = program(a="ts_mean(close, 20) / close"), program(a="ts_mean(close, 20) / close", b="close / ts_mean(close, 20)", c="sma_20")
    assert two.nodes == one.nodes + 1


def test_a_program_names_what_it_needs() -> None:
    made = program(a="ts_mean(volume, 30) / volume", b="delta(close, 2)", c="ema(close, 9)")
    assert made.names == ("a", "b", "c")
    assert made.fields == ("close", "volume")
    assert (made.look_back, made.warm_up) == (29, 140)
    assert made.key == program(a="ts_mean(volume, 30) / volume", b="close - delay(close, 2)", c="ema_9").key
    assert made.key != program(a="ts_mean(volume, 30) / volume", b="delta(close, 2)").key


def test_a_block_may_have_the_used_fields_or_all() -> None:
    made = program(a="close / volume")
    block = prices(30, 2)
    whole = Machine(made, 2).run(block, 5)
    np.testing.assert_array_equal(whole, Machine(made, 2).run(block[:, [3, 4]], 5))
    np.testing.assert_array_equal(whole[:, 0], block[:, 3] / block[:, 4])


def test_a_view_of_other_memory_gives_the_same() -> None:
    made = program(a="ts_mean(close, 3) + open")
    block = prices(60, 4)
    turned = np.asfortranarray(block)
    turned.flags.writeable = False
    np.testing.assert_array_equal(Machine(made, 4).run(block, 0), Machine(made, 4).run(turned, 0))


def test_graphs_and_texts_go_together() -> None:
    made = compile_factors({"text": "ts_mean(close, 3)", "graph": call("ts_mean", field("close"), 3)}, timeframe=60_000, fields=FIELDS)
    values = Machine(made, 2).run(prices(9, 2), 0)
    np.testing.assert_array_equal(values[:, 0], values[:, 1])


def test_a_constant_and_a_field_are_factors_too() -> None:
    made = compile_factors({"x": field("close"), "y": call("mul", 2, 3)}, timeframe=60_000, fields=FIELDS)
    block = prices(9, 3)
    values = Machine(made, 3).run(block, 0)
    np.testing.assert_array_equal(values[:, 0], block[:, 3])
    assert (values[:, 1] == 6.0).all()


def test_constants_that_text_keeps_are_still_folded() -> None:
    made = program(a="close * (1 / 3)", b="realized_vol_5")
    assert "transcendental.power" not in made.kernels
    assert set(made.constants) == {1 / 3, 525_600**0.5, 1.0}


def test_no_factors_make_an_empty_result() -> None:
    assert Machine(program(), 3).run(np.empty((4, 0, 3)), 0).shape == (4, 0, 3)


@pytest.mark.parametrize("text", ["nothing + 1", "ts_mean(close, 0)", "close + volume"])
def test_a_refused_factor_is_named(text: str) -> None:
    with pytest.raises(FactorError, match="'mine'"):
        program(good="close", mine=text)


def test_a_graph_over_an_unknown_field_is_refused() -> None:
    with pytest.raises(FactorError, match="tvl"):
        compile_factors({"x": field("tvl")}, timeframe=60_000, fields=FIELDS)


def test_bars_come_in_order_without_a_hole() -> None:
    machine = Machine(program(a="ts_mean(close, 3)"), 2)
    machine.run(prices(5, 2), 100)
    before = machine.save()
    for wrong in (104, 106):
        with pytest.raises(ValueError, match="bar 105 must come next"):
            machine.run(prices(1, 2), wrong)
    with pytest.raises(ValueError, match="symbols"):
        machine.run(prices(1, 3), 105)
    with pytest.raises(ValueError, match="symbol"):
        Machine(program(a="close"), 0)
    assert machine.save() == before


def test_state_of_another_program_or_universe_is_refused_and_changes_nothing() -> None:
    machine = Machine(program(a="ts_mean(close, 3)"), 2)
    machine.run(prices(5, 2), 100)
    before = machine.save()
    for other in (
        Machine(program(a="ts_mean(close, 4)"), 2).save(),
        Machine(program(a="ts_mean(close, 3)"), 9).save(),
        b"",
        before[:-1],
        before + b"1",
        before[:-5] + bytes([before[-5] ^ 1]) + before[-4:],
        before[:56] + bytes([before[56] ^ 1]) + before[57:],
    ):
        with pytest.raises(ValueError, match="warm the machine up"):
            machine.restore(other)
    assert machine.save() == before


def test_state_is_as_large_as_the_program_says() -> None:
    made = program(a="ts_corr(close, volume, 500)", b="delay(close, 4000)")
    assert made.state_bytes == 8 * (5 * 502 + 4001 + 501 + 2)


def test_moments_stay_exact_over_long_windows_of_high_prices() -> None:
    rng = np.random.default_rng(3)
    close = 100_000 + np.cumsum(rng.integers(-2, 3, (130_000, 1)), axis=0) / 100
    block = np.stack([close, close, close, close, np.exp(rng.normal(0, 1, close.shape))], axis=1)
    window = 100_000
    graphs = {op: call(op, field("close"), window) for op in ("ts_mean", "ts_std", "ts_zscore", "decay_linear")}
    graphs["ts_corr"] = call("ts_corr", field("close"), field("volume"), window)
    values = Machine(compile_factors(graphs, timeframe=60_000, fields=FIELDS), 1).run(block, 77)
    data = {name: block[-window:, i] for i, name in enumerate(FIELDS)}
    x, y = data["close"].astype(np.longdouble)[:, 0], data["volume"].astype(np.longdouble)[:, 0]
    mean, std = x.mean(), np.sqrt(((x - x.mean()) ** 2).sum() / (window - 1))
    weights = np.arange(1, window + 1, dtype=np.longdouble)
    cross = ((x - mean) * (y - y.mean())).sum() / (window - 1) / std / np.sqrt(((y - y.mean()) ** 2).sum() / (window - 1))
    exact = [mean, std, (x[-1] - mean) / std, (x * weights).sum() / weights.sum(), cross]
    np.testing.assert_allclose(values[-1, :, 0], np.array(exact, np.float64), rtol=1e-9)


@pytest.mark.parametrize(
    ("op", "exact", "low", "high"),
    [
        ("log", np.log, 1e-300, 1e300), ("log1p", np.log1p, -0.999999, 10.0), ("exp", np.exp, -700.0, 700.0),
        ("tanh", np.tanh, -20.0, 20.0), ("sin", np.sin, -1e9, 1e9), ("cos", np.cos, -1e9, 1e9),
        ("sin", np.sin, -10.0, 10.0), ("cos", np.cos, -10.0, 10.0),
        ("arctan", np.arctan, -5.0, 5.0), ("arctan", np.arctan, -1e300, 1e300),
    ],
)  # fmt: skip
def test_our_own_functions_are_right_to_two_ulp(op: str, exact: np.ufunc, low: float, high: float) -> None:
    rng = np.random.default_rng(1)
    spread = rng.uniform(low, high, 40_000)
    near = rng.normal(0, 1, 40_000) * 10.0 ** rng.uniform(-9, 0, 40_000)
    near = np.clip(near + 1.0 if op == "log" else near, low, high)
    x = np.concatenate([spread, near, 10.0 ** rng.uniform(-300, 300, 20_000) if op == "log" else near])
    x = x.reshape(-1, 1, 1)
    values = Machine(compile_factors({"y": call(op, field("close"))}, timeframe=60_000, fields=["close"]), 1).run(x, 0)
    wanted = exact(x.astype(np.longdouble))
    assert float((np.abs(values - wanted) / np.spacing(np.abs(wanted.astype(np.float64)))).max()) < 2.5


@pytest.mark.parametrize(
    ("op", "given", "wanted"),
    [
        ("log", [0.0, -1.0, np.inf, np.nan, 1.0, 5e-324], [np.nan, np.nan, np.inf, np.nan, 0.0, -744.4400719213812]),
        ("exp", [0.0, 710.0, -746.0, np.inf, -np.inf, np.nan, -745.0], [1.0, np.inf, 0.0, np.inf, 0.0, np.nan, 5e-324]),
        ("tanh", [0.0, 1e9, -1e9, np.inf, -np.inf, np.nan], [0.0, 1.0, -1.0, 1.0, -1.0, np.nan]),
        ("log1p", [0.0, -1.0, -2.0, 1e-20, np.inf, np.nan], [0.0, np.nan, np.nan, 1e-20, np.inf, np.nan]),
        ("log_inf", [0.0, -1.0, 1.0, np.inf, np.nan], [-np.inf, np.nan, 0.0, np.inf, np.nan]),
        ("log1p_inf", [-1.0, -2.0, 0.0, np.inf, np.nan], [-np.inf, np.nan, 0.0, np.inf, np.nan]),
        ("finite", [np.inf, -np.inf, 1e308, np.nan, 0.0], [np.nan, np.nan, 1e308, np.nan, 0.0]),
        ("sin", [0.0, np.inf, 2e9, np.nan], [0.0, np.nan, np.nan, np.nan]),
        ("cos", [0.0, -np.inf, -2e9, np.nan], [1.0, np.nan, np.nan, np.nan]),
        ("arctan", [0.0, np.inf, -np.inf, np.nan], [0.0, np.pi / 2, -np.pi / 2, np.nan]),
        ("floor", [2.5, -2.5, 1e300, -np.inf, np.nan, 4503599627370495.5], [2.0, -3.0, 1e300, -np.inf, np.nan, 4503599627370495.0]),
        ("ceil", [2.5, -2.5, 1e300, np.inf, np.nan, 4503599627370494.5], [3.0, -2.0, 1e300, np.inf, np.nan, 4503599627370495.0]),
        ("round", [0.5, 1.5, -2.5, np.inf, np.nan, 2251799813685247.5], [0.0, 2.0, -2.0, np.inf, np.nan, 2251799813685248.0]),
        ("sqrt", [4.0, -1.0, 0.0, np.nan], [2.0, np.nan, 0.0, np.nan]),
        ("sign", [-2.0, 0.0, 3.0, np.nan], [-1.0, 0.0, 1.0, np.nan]),
    ],
)
def test_functions_at_their_edges(op: str, given: list[float], wanted: list[float]) -> None:
    block = np.array(given).reshape(-1, 1, 1)
    values = Machine(compile_factors({"y": call(op, field("close"))}, timeframe=60_000, fields=["close"]), 1).run(block, 0)
    np.testing.assert_array_equal(values[:, 0, 0], wanted)


@pytest.mark.parametrize(
    ("base", "exponent", "wanted"),
    [(0.0, -1.0, np.nan), (-8.0, 0.5, np.nan), (-2.0, 3.0, -8.0), (-2.0, -2.0, 0.25), (5.0, 0.0, 1.0), (0.0, 0.3, 0.0)],
)
def test_powers_at_their_edges(base: float, exponent: float, wanted: float) -> None:
    made = compile_factors({"y": call("pow", field("close"), exponent)}, timeframe=60_000, fields=["close"])
    np.testing.assert_array_equal(Machine(made, 1).run(np.full((1, 1, 1), base), 0)[0, 0, 0], wanted)


def test_two_sided_functions_at_their_edges() -> None:
    a, b = [1.0, -1.0, 0.0, np.nan, np.inf, 2.0], [0.0, 0.0, 0.0, 1.0, 0.0, np.nan]
    wanted = {
        "div_inf": [np.inf, -np.inf, np.nan, np.nan, np.inf, np.nan], "nan_to": [1.0, -1.0, 0.0, 1.0, np.inf, 2.0],
        "keep": [np.nan] * 6, "fmax": [1.0, 0.0, 0.0, 1.0, np.inf, 2.0], "fmin": [0.0, -1.0, 0.0, 1.0, 0.0, 2.0],
    }  # fmt: skip
    made = compile_factors({op: call(op, field("close"), field("open")) for op in wanted}, timeframe=60_000, fields=["close", "open"])
    values = Machine(made, 1).run(np.stack([a, b], axis=1)[:, :, None], 0)
    for i, (op, each) in enumerate(wanted.items()):
        np.testing.assert_array_equal(values[:, i, 0], each, err_msg=op)


def test_where_takes_only_the_branch_that_it_needs() -> None:
    made = program(a="where(close > open, volume, volume / 0)")
    block = prices(20, 2)
    block[:, 0] = block[:, 3] - 1
    np.testing.assert_array_equal(Machine(made, 2).run(block, 0)[:, 0], block[:, 4])


def test_a_nested_factor_is_what_its_definition_says() -> None:
    texts = {
        "alpha": "-ts_corr(rank(open), rank(volume), 10)", "vol": "-zscore_20 / (realized_vol_10 + 0.01)",
        "macd": "ema(close, 12) - ema(close, 26) - ema(ema(close, 12) - ema(close, 26), 9)",
        "break": "sign(close - high_20) * volume_zscore",
    }  # fmt: skip
    block = prices(400, 9)
    values = Machine(program(**texts), 9).run(block, 3)
    data = {name: block[:, i] for i, name in enumerate(FIELDS)}
    from strategies.factors import parse

    for i, text in enumerate(texts.values()):
        wanted = evaluate(parse(text, timeframe=60_000, fields=FIELDS), data)
        np.testing.assert_allclose(values[:, i], wanted, rtol=1e-9, atol=1e-9)


def test_the_bits_of_every_operator_are_those_of_every_machine() -> None:
    """Not of this processor, this numba, this Python: IEEE arithmetic in a fixed order leaves no choice."""
    assert digests() == json.loads(FILE.read_text()), "python -m tests.strategies.factors.digests writes them anew"
