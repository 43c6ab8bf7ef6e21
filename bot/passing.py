"""Bars that the session passes by, told to the journal as if each had been settled.

The numbers are those that the bus would have given: the candles of a close, its BarClosed, then a decision for each symbol.
"""

from functools import partial

import numpy as np

from bot.store.journal import Journal
from strategies.decision import REASON_OF, SIDE_OF
from strategies.engine import View


def pass_by(journal: Journal, view: View, row: int, until: int) -> tuple[int, int]:
    """Number and write down the rows [row, until), from whose decisions nothing follows; closes without any bar are none.

    Returns how many closes and candles they had.
    """
    present = view.present[row:until]
    if present.all():
        rows = np.arange(row, until)
        counts = np.full(until - row, present.shape[1])
    else:
        counts = present.sum(axis=1)
        rows = row + np.flatnonzero(counts)
        counts = counts[counts > 0]
    if not rows.size:
        return 0, 0
    symbols = len(view.bars.symbols)
    whole = rows.size == until - row
    journal.digest_bytes((view.records[row:until] if whole else view.records[rows]).tobytes())
    numbers = np.cumsum(counts + 1 + symbols)
    for symbol in range(symbols):
        _stretches(journal, view, symbol, rows, journal.seq + numbers)
    journal.skip(int(numbers[-1]))
    return int(rows.size), int(counts.sum())


def _stretches(journal: Journal, view: View, symbol: int, rows: np.ndarray, ends: np.ndarray) -> None:
    """The alike decisions of one symbol in `rows`; `ends` is the number of the last decision of each row."""
    symbols = len(view.bars.symbols)
    side, reason = view.side[rows, symbol], view.reason[rows, symbol]
    changes = np.flatnonzero((side[1:] != side[:-1]) | (reason[1:] != reason[:-1])) + 1
    starts = [0, *changes.tolist()]
    stops = [*starts[1:], len(rows)]
    for start, stop in zip(starts, stops, strict=True):
        first, last = int(rows[start]), int(rows[stop - 1])
        seq = int(ends[start]) - symbols + 1 + symbol
        cause = int(ends[start]) - symbols - 1
        journal.quiet(
            seq, cause, view.bars.symbols[symbol], SIDE_OF[int(side[start])], REASON_OF[int(reason[start])],
            partial(view.decision, first, symbol), view.bars.close_ms(last), stop - start, float(view.score[last, symbol]),
        )  # fmt: skip
