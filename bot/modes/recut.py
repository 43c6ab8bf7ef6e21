"""Decisions of a session that went bar by bar, made once more in blocks of another length: they must be the same bytes."""

from typing import Any

import numpy as np

from bot.session import Session
from feeds.bars import Bars, Block
from strategies.engine import StrategyEngine, View

ROWS = 997  # bars of a block: no multiple of anything


class Recut:
    """Listens to what the engine of a session looks at, and has another look at it in long blocks."""

    def __init__(self, session: Session, other: StrategyEngine, rows: int = ROWS) -> None:
        """session  works bar by bar;  other  a fresh engine of the same plan"""
        self._session, self._look, self._other, self._rows = session, session.engine.look, other, rows
        self._blocks: list[Block] = []
        self._records: list[Any] = []  # of decisions: numpy's records have no type of their own
        self._held = 0
        self.compared = self.differing = 0
        self.first: tuple[int, str] | None = None  # bar close and symbol
        session.engine.look = self.look  # type: ignore[method-assign]  # to hear of every block, whoever hands it in

    def look(self, block: Block) -> View:
        """What the engine answers, remembered."""
        view = self._look(block)
        self._blocks.append(block)
        self._records.append(view.records)
        self._held += block.bars.rows
        if self._held >= self._rows:
            self.flush()
        return view

    def flush(self) -> None:
        """Decide what was heard as one block, and compare."""
        if not self._blocks:
            return
        self._other.begin(self._session.since)
        bars = self._blocks[0].bars
        others, before = [], 0
        for block in self._blocks:
            others += [(before + row, event) for row, event in block.others]
            before += block.bars.rows
        values = np.concatenate([block.bars.values for block in self._blocks])
        view = self._other.look(Block(Bars(bars.symbols, bars.timeframe, bars.first, values, bars.source), others))
        wrong = _bytes(view.records) != _bytes(np.concatenate(self._records))
        self.compared += wrong.size
        self.differing += int(wrong.sum())
        if wrong.any() and self.first is None:
            row, symbol = np.argwhere(wrong)[0].tolist()
            self.first = view.bars.close_ms(row), bars.symbols[symbol]
        self._blocks, self._records, self._held = [], [], 0


def _bytes(records: Any) -> Any:
    """Each record as one value that is compared byte by byte: a NaN is no other NaN, but its bytes are the same."""
    return np.ascontiguousarray(records).view(f"V{records.dtype.itemsize}")
