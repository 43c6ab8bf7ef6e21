"""Where the corpus stands."""

from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CAUSAL: Final = HERE / "pandas_causal.jsonl"
AHEAD: Final = HERE / "pandas_ahead.jsonl"
RECORDED: Final = HERE / "libraries.npz"  # made by record.py
SAMPLE: Final = slice(0, None, 5)  # the bars that are recorded
