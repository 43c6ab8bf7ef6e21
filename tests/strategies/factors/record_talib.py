"""What TA-Lib says of made-up candles, kept in talib.json so that the test needs no TA-Lib.

Written anew, with the package TA-Lib installed, by `python -m tests.strategies.factors.record_talib`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strategies.factors.pandas_code.talib import TALIB, Call

Array = NDArray[np.float64]

FILE = Path(__file__).with_name("talib.json")
FIELDS = ("open", "high", "low", "close", "volume")
BARS, KEPT = 150, 3  # of each output: the first KEPT values and the last
COLUMNS = {"real": "close", "real0": "close", "real1": "high"}
OTHERS: tuple[tuple[str, dict[str, float]], ...] = (
    *(("MA", {"timeperiod": 10, "matype": kind}) for kind in (0, 1, 2, 3, 4, 5, 6, 8)),
    ("BBANDS", {"timeperiod": 10, "nbdevup": 1.5, "nbdevdn": 2.5, "matype": 1}), ("APO", {"fastperiod": 5, "slowperiod": 12, "matype": 1}),
    ("MACD", {"fastperiod": 9, "slowperiod": 4, "signalperiod": 3}), ("TRIMA", {"timeperiod": 7}), ("SAR", {"acceleration": 0.3,
     "maximum": 0.2}), ("STOCH", {"fastk_period": 9, "slowk_period": 3, "slowk_matype": 1, "slowd_period": 4, "slowd_matype": 2}),
    ("T3", {"timeperiod": 4, "vfactor": 0.35}), ("ADOSC", {"fastperiod": 12, "slowperiod": 5}), ("STDDEV", {"timeperiod": 9, "nbdev": 2.0}),
)  # fmt: skip


def candles() -> dict[str, Array]:
    """Prices with two decimals, so that equal highs and lows occur."""
    rng = np.random.default_rng(7)
    close = np.round(40 * np.exp(np.cumsum(rng.normal(0, 0.01, BARS))), 2)
    open_ = np.round(close + rng.normal(0, 0.2, BARS), 2)
    high = np.round(np.maximum(open_, close) + rng.integers(0, 4, BARS) / 10, 1)
    low = np.round(np.minimum(open_, close) - rng.integers(0, 4, BARS) / 10, 1)
    high, low = np.maximum(high, np.maximum(open_, close)), np.minimum(low, np.minimum(open_, close))
    return dict(zip(FIELDS, (open_, high, low, close, np.round(np.exp(rng.normal(5, 1, BARS)))), strict=True))


def cases() -> list[tuple[Call, dict[str, float]]]:
    """Every function with TA-Lib's defaults, and some with others."""
    return [(row, dict(row.params)) for row in TALIB.values()] + [(TALIB[name], params) for name, params in OTHERS]


def columns(row: Call) -> list[str]:
    return [COLUMNS.get(name, name) for name in row.names]


def kept(values: Array) -> dict[str, Any]:
    known = np.flatnonzero(~np.isnan(values))
    return {"first": int(known[0]), "values": [float(v) for v in (*values[known[:KEPT]], *values[-KEPT:])]}


def record() -> list[dict[str, Any]]:
    import talib  # not among the requirements

    data = candles()
    rows = []
    for row, params in cases():
        outputs = getattr(talib, row.name)(*(data[name] for name in columns(row)), **params)
        rows.append(
            {"name": row.name, "params": params, "outputs": [kept(o) for o in (outputs if isinstance(outputs, tuple) else [outputs])]}
        )
    return rows


if __name__ == "__main__":
    FILE.write_text("[\n" + ",\n".join(json.dumps(row) for row in record()) + "\n]\n")
