"""Graphs built in code: interned, canonical, immutable, and held to the same rules."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from strategies.errors import FactorError
from strategies.factors import Node, call, const, field, parse
from strategies.factors.check import MONEY, PRICE, RATE, unit_of

CLOSE, OPEN = field("close"), field("open")


def test_equal_graphs_are_one_object() -> None:
    assert call("add", CLOSE, OPEN) is call("add", OPEN, CLOSE)
    assert call("ts_corr", CLOSE, OPEN, 9) is call("ts_corr", OPEN, CLOSE, window=9)
    assert call("sub", CLOSE, OPEN) is not call("sub", OPEN, CLOSE)


def test_constants_are_folded_where_the_value_can_be_written() -> None:
    assert call("mul", const(2), const(3)) is const(6)
    assert call("div", 1, 3).text == "1 / 3"
    assert call("sqrt", 4) is const(2)
    assert call("div", 1, 0).text == "(0 / 0)"


def test_nan_and_nodes_are_arguments() -> None:
    node = call("where", call("gt", CLOSE, OPEN), CLOSE, const(float("nan")))
    assert node.text == "where(close > open, close, (0 / 0))"


def test_examples_of_the_signals_are_built() -> None:
    assert call("tanh", call("ts_zscore", CLOSE, 500)).look_back == 499
    assert (
        call("clip", call("div", CLOSE, call("ts_max", call("abs", CLOSE), 200)), -1.0, 1.0).text
        == "clip(close / ts_max(abs(close), 200), -1, 1)"
    )
    assert call("delay", CLOSE, 0) is CLOSE


def test_a_graph_in_code_may_be_longer_than_a_text() -> None:
    assert call("ts_mean", CLOSE, 200_000).look_back == 199_999


@pytest.mark.parametrize(
    ("op", "args", "code"),
    [
        ("nothing", (CLOSE,), "unknown_name"), ("add", (CLOSE,), "arity"), ("add", (CLOSE, OPEN, CLOSE), "arity"),
        ("ts_mean", (CLOSE,), "arity"),
        ("ts_mean", (CLOSE, 0), "window"), ("ts_mean", (CLOSE, 2.5), "window"), ("ts_mean", (CLOSE, float("nan")), "window"),
        ("ts_mean", (CLOSE, float("inf")), "window"), ("ts_mean", (CLOSE, OPEN), "window"), ("ts_mean", (CLOSE, True), "window"),
        ("ts_mean", (CLOSE, float("-inf")), "window"), ("ts_mean", (CLOSE, 1e308), "window"), ("ts_mean", (CLOSE, 10**400), "window"),
        ("top_mask", (CLOSE, 2**63), "window"), ("session_sum", (CLOSE, 2**64), "window"), ("ema", (CLOSE, -(10**400)), "window"),
        ("ewm_mean", (CLOSE, 10**400), "window"), ("ewm_std", (CLOSE, 1e308), "window"), ("ewm_var", (CLOSE, float("inf")), "window"),
        ("delay", (CLOSE, -(10**400)), "look_ahead"), ("delay", (CLOSE, float("-inf")), "look_ahead"),
        ("delay", (CLOSE, -1), "look_ahead"), ("clip", (CLOSE, OPEN, 1), "constant"),
    ],
)  # fmt: skip
def test_an_illegal_call_is_refused(op: str, args: tuple[Node | float, ...], code: str) -> None:
    with pytest.raises(FactorError) as refused:
        call(op, *args)
    assert refused.value.code == code


def test_a_graph_that_doubles_without_end_is_refused() -> None:
    node = CLOSE
    with pytest.raises(FactorError, match="nodes"):
        for _ in range(64):
            node = call("mul", node, node)


def test_a_node_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        CLOSE.text = "open"
    assert CLOSE.text == "close"


@pytest.mark.parametrize("name", ["", "Close", "1h", "a b", "nan", "and"])
def test_a_field_has_a_plain_name(name: str) -> None:
    with pytest.raises(FactorError):
        field(name)


def test_a_node_survives_pickle_as_itself() -> None:
    node = call("ts_zscore", call("sub", CLOSE, call("delay", CLOSE, 3)), 20)
    assert pickle.loads(pickle.dumps(node)) is node  # noqa: S301  # our own bytes


def test_keys_are_equal_in_every_process() -> None:
    text, fields = "ts_corr(volume, close, 9) * (open + close)", ("open", "close", "volume")
    code = f"from strategies.factors import parse; print(parse({text!r}, timeframe=1, fields={fields}).key)"
    keys = {python(code, PYTHONHASHSEED=seed) for seed in ("1", "2")}
    assert keys == {parse("(close + open) * ts_corr(close, volume, 9)", timeframe=1, fields=fields).key}


def test_units_follow_the_arithmetic() -> None:
    volume = field("volume")
    assert unit_of(call("mul", CLOSE, volume)) == MONEY
    assert unit_of(call("ts_cov", CLOSE, volume, 5)) == MONEY
    assert unit_of(call("sqrt", call("ts_var", CLOSE, 5))) == PRICE
    assert unit_of(call("div", CLOSE, OPEN)) == RATE
    assert unit_of(call("add", call("div", call("ts_argmax", CLOSE, 20), 20), call("rank", volume))) == RATE
    assert unit_of(call("add", field("tvl"), CLOSE)) == PRICE
    assert unit_of(field("tvl")) is None


def test_inputs_are_the_fields_it_reads() -> None:
    assert call("add", CLOSE, call("mul", OPEN, field("tvl"))).inputs() == {"close", "open", "tvl"}


def test_the_language_loads_without_numba() -> None:
    building = "import strategies.factors as f; f.compile_factors({'a': 'close'}, timeframe=60000, fields=['close'])"
    assert python(f"import sys; {building}; print('numba' in sys.modules)") == "False"


def python(code: str, **environment: str) -> str:
    """What a new interpreter prints."""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()
