"""Calls of pandas-ta and of ta against what those libraries themselves say of made-up candles, and as a reader of code meets them."""

import json

import numpy as np
import pytest

from strategies.errors import BadConstant, LookAhead
from strategies.factors import Machine, compile_factors, field
from strategies.factors.pandas_code import parse_code
from strategies.factors.pandas_code.pandas_ta import PANDAS_TA
from strategies.factors.pandas_code.ta_library import TA_LIBRARY
from tests.strategies.factors.record_pandas_ta import FILE, REFUSED, cases, columns
from tests.strategies.factors.record_talib import FIELDS, KEPT, candles

RECORDED = json.loads(FILE.read_text())


@pytest.mark.parametrize("place", range(len(RECORDED)), ids=lambda i: f"{RECORDED[i]['class']}-{RECORDED[i]['name']}")
def test_calls_give_the_values_of_their_library_from_the_first_on(place: int) -> None:
    recorded, (klass, row, params) = RECORDED[place], cases()[place]
    assert (recorded["class"], recorded["name"], recorded["params"]) == (klass, row.name, params)
    numbers = [*params.values(), *([0] if klass else [])]
    nodes = row.build(*(field(name) for name in columns(row)), *numbers)
    assert len(nodes) == len(recorded["outputs"])
    if row.columns:
        shown = {name: float(value) if isinstance(row.params[name], float) else value for name, value in params.items()}
        assert [name.format(**shown) for name in row.columns] == recorded["columns"]
    data = candles()
    block = np.stack([data[name] for name in FIELDS], axis=1)[:, :, None]
    program = compile_factors({str(i): node for i, node in enumerate(nodes)}, timeframe=3_600_000, fields=FIELDS)
    values = Machine(program, 1).run(block, 500_000)[:, :, 0].T
    for got, expected in zip(values, recorded["outputs"], strict=True):
        first = expected["first"]
        assert np.isnan(got[:first]).all()
        own = [*got[~np.isnan(got)][:KEPT], *got[-KEPT:]]
        assert not np.isnan(got[first])
        np.testing.assert_allclose(own, expected["values"], rtol=1e-9, atol=1e-9 * max(1e-3, *map(abs, expected["values"])))


def test_every_call_is_recorded() -> None:
    named = {row["name"] for row in RECORDED}
    assert named >= set(PANDAS_TA) - REFUSED
    assert named >= set(TA_LIBRARY) - {"wma_indicator"}


def read(body: str) -> str:
    return parse_code(f"{body}\n", timeframe=3_600_000, fields=FIELDS).text


def test_a_class_of_ta_is_its_function() -> None:
    expected = read("import ta\ndef f(df):\n    return ta.momentum.rsi(df['close'], window=9)")
    assert read("import ta\ndef f(df):\n    return ta.momentum.RSIIndicator(close=df['close'], window=9).rsi()") == expected
    assert read("from ta.momentum import RSIIndicator\ndef f(df):\n    return RSIIndicator(df['close'], 9).rsi()") == expected


def test_what_makes_values_up_or_looks_ahead_is_refused() -> None:
    with pytest.raises(BadConstant, match="fillna"):
        read("import ta\ndef f(df):\n    return ta.momentum.rsi(df['close'], window=9, fillna=True)")
    for name in ("dpo(df['close'])", "ichimoku(df['high'], df['low'], df['close'])"):
        with pytest.raises(LookAhead):
            read(f"import pandas_ta as ta\ndef f(df):\n    return ta.{name}")
