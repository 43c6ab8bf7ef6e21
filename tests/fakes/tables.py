"""Candle tables for the fakes, from files."""

from collections.abc import Sequence
from pathlib import Path

Row = tuple[int, float, float, float, float, float]  # open_ms, open, high, low, close, volume


def read_table(paths: Sequence[Path]) -> dict[str, list[Row]]:
    """Candles by symbol from Parquet or CSV files: ts_ms, open, high, low, close, volume and, or else the file's name, symbol."""
    import pandas as pd

    found: dict[str, list[Row]] = {}
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    for file in files:
        if file.suffix not in (".parquet", ".csv"):
            continue
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
        table = table.rename(columns={"open_ms": "ts_ms", "timestamp": "ts_ms"})
        if "symbol" not in table:
            table["symbol"] = file.stem
        for symbol, rows in table.groupby("symbol"):
            columns = rows[["ts_ms", "open", "high", "low", "close", "volume"]]
            found[str(symbol)] = [(int(row[0]), *map(float, row[1:])) for row in columns.itertuples(index=False)]  # type: ignore[misc]
    return found
