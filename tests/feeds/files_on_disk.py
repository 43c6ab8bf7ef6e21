"""Builders of small data files, with defaults for everything a test does not care about."""

from pathlib import Path

import pandas as pd

MINUTE = 60_000
START = 1_704_067_200_000  # 2024-01-01T00:00:00Z


def candles(rows: int = 10, *, start: int = START, step: int = MINUTE, price: float = 100.0, **columns: object) -> pd.DataFrame:
    """Sound candles that rise by one each bar; keyword arguments replace or add whole columns."""
    opens = [price + i for i in range(rows)]
    frame = pd.DataFrame(
        {
            "ts_ms": [start + i * step for i in range(rows)],
            "open": opens,
            "high": [o + 2.0 for o in opens],
            "low": [o - 1.0 for o in opens],
            "close": [o + 1.0 for o in opens],
            "volume": [10.0 + i for i in range(rows)],
        }
    )
    return frame.assign(**columns)


def save(frame: pd.DataFrame, path: Path) -> Path:
    """Write a frame in the format that the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    elif path.suffix == ".feather":
        frame.to_feather(path)
    else:
        frame.to_csv(path, index=False)
    return path


def with_cell(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    """The frame with one cell replaced, whatever its type."""
    out = frame.copy()
    if isinstance(value, str):
        out[column] = out[column].astype(object)
    out.loc[row, column] = value
    return out
