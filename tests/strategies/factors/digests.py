"""One digest an operator, of all its examples' values: digests.json, written anew by `python -m tests.strategies.factors.digests`.

Write it when rows were added, or when an operator's arithmetic was changed on purpose; never because another machine gives other bits.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strategies.factors import Machine, compile_factors
from tests.properties.test_operators import ROWS, examples

FILE = Path(__file__).with_name("digests.json")
FIELDS = ("open", "high", "low", "close", "volume")


def prices(bars: int, symbols: int) -> NDArray[np.float64]:
    """float64[T, 5, S] from whole numbers alone: the same bits everywhere."""
    rng = np.random.default_rng(11)
    close = (10_000 + np.cumsum(rng.integers(-9, 10, (bars, symbols)), axis=0)) / 100
    around = rng.integers(0, 8, (bars, 4, symbols)) / 100
    block = np.stack([close + around[:, 0], close + 0.2 + around[:, 1], close - around[:, 2], close, 1 + around[:, 3] * 900], axis=1)
    block[rng.integers(0, 100, (bars, symbols)).reshape(bars, 1, symbols).repeat(5, axis=1) == 7] = np.nan
    return block


def digests() -> dict[str, str]:
    """Operator -> 16 hex digits."""
    block = prices(300, 9)
    found = {}
    for row in ROWS:
        values = Machine(compile_factors(examples(row), timeframe=60_000, fields=FIELDS), 9).run(block, 28_000_001)
        values[np.isnan(values)] = np.nan
        found[row.name] = hashlib.sha256((values + 0.0).tobytes()).hexdigest()[:16]
    return dict(sorted(found.items()))


if __name__ == "__main__":
    FILE.write_text(json.dumps(digests(), indent=0) + "\n")
