"""What pandas-ta (by its own definitions) and ta say of made-up candles, kept in pandas_ta.json so that the test needs neither.

Written anew, with the packages pandas-ta-classic and ta installed, by `python -m tests.strategies.factors.record_pandas_ta`.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from strategies.factors.pandas_code.pandas_ta import DAY, PANDAS_TA
from strategies.factors.pandas_code.ta_library import TA_CLASSES
from strategies.factors.pandas_code.talib import Call
from tests.strategies.factors.record_talib import candles, kept

FILE = Path(__file__).with_name("pandas_ta.json")
PARTS = ("momentum", "trend", "volatility", "volume", "others")
SHORTER = {"window": 9, "window_slow": 15, "window_fast": 6, "length": 9, "slow": 15, "fast": 6, "signal": 5, "window2": 20, "centered": 0}
START = pd.Timestamp(500_000 * 3_600_000, unit="ms")  # bar 500,000 of 1h
REFUSED = {"ichimoku"}


def cases() -> list[tuple[str, Call, dict[str, float]]]:
    """Class ("" for pandas-ta), function, numbers: windows are short, so that all outputs begin."""
    rows = [("", row) for row in PANDAS_TA.values() if row.name not in REFUSED]
    rows += [(klass, row) for klass, methods in TA_CLASSES.items() for row in methods.values() if row.name != "wma_indicator"]
    return [(klass, row, {name: SHORTER.get(name, value) for name, value in row.params.items() if name != "fillna"}) for klass, row in rows]


def columns(row: Call) -> list[str]:
    return [name.rstrip("_") for name in row.names]


def record() -> list[dict[str, Any]]:
    data = pd.DataFrame(candles())
    data.index = pd.date_range(START, periods=len(data), freq="h")
    pandas_ta = importlib.import_module("pandas_ta_classic")
    classes = {name: value for part in PARTS for name, value in vars(importlib.import_module(f"ta.{part}")).items()}
    rows = []
    for klass, row, numbers in cases():
        given = {name: value for name, value in numbers.items() if name != DAY and (row.name, name) != ("adx", "lensig")}
        params = {name: bool(value) if name == "centered" else value for name, value in given.items()}
        series = [data[name] for name in columns(row)]
        made = getattr(classes[klass](*series, **params), row.name)() if klass else getattr(pandas_ta, row.name)(*series, **params)
        table = made if isinstance(made, pd.DataFrame) else made.to_frame()
        names = [str(name) for name in table.columns] if len(table.columns) > 1 else []
        outputs = [kept(table.iloc[:, i].to_numpy(float)) for i in range(len(table.columns))]
        rows.append({"class": klass, "name": row.name, "params": numbers, "columns": names, "outputs": outputs})
    return rows


if __name__ == "__main__":
    FILE.write_text("[\n" + ",\n".join(json.dumps(row) for row in record()) + "\n]\n")
