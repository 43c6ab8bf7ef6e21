"""Decisions that repeat themselves become one row, unless something followed from them.

The rule: consecutive decisions of one symbol with the same side and reason are one row, from the first bar to the last. A decision
that led to an order, a refusal or a cancel stands alone. What comes out does not depend on how the decisions were handed in: one
by one, or as the pages of whole blocks, cut anywhere. Rows leave in the order of the decisions that ended them.
"""

from collections.abc import Callable
from typing import NamedTuple

from bot.store.chain import Row, decision_row
from strategies.events import Decision

Emit = Callable[[Row, tuple[str, ...]], None]

# places in LINKED
SEQ, UNTIL, BARS, SYMBOL, SIDE, REASON, LAST = 0, 4, 5, 6, 7, 8, 10


class Open(NamedTuple):
    """A row that may still grow, and the names of its signals."""

    row: Row
    names: tuple[str, ...]

    def repeats(self, row: Row) -> bool:
        """That row is more of this one."""
        return self.row[SIDE] == row[SIDE] and self.row[REASON] == row[REASON]

    def grown(self, row: Row) -> "Open":
        """This row and, after it, that one."""
        mine = self.row
        bars = int(mine[BARS] or 0) + int(row[BARS] or 0)
        return Open((*mine[:UNTIL], row[UNTIL], bars, *mine[SYMBOL:LAST], row[LAST], *mine[LAST + 1 :]), self.names)


class _Symbol:
    """run: what is known to be one row. tail: the newest decision, from which something may still follow."""

    __slots__ = ("run", "tail")

    def __init__(self) -> None:
        self.run: Open | None = None
        self.tail: Open | None = None


class Stretches:
    """Merges decisions into rows; gives each row and the names of its signals to `emit` when it has ended."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._symbols: dict[str, _Symbol] = {}
        self._tails: dict[int, _Symbol] = {}

    def add(self, seq: int, cause: int, decision: Decision) -> None:
        """One decision, number `seq`; what follows from it is told by `consequence` before the symbol's next decision."""
        symbol = self._symbols.get(decision.symbol)
        if symbol is None:
            symbol = self._symbols[decision.symbol] = _Symbol()
        self._absorb(symbol)
        tail = Open(decision_row(seq, cause, decision), tuple(part.name for part in decision.contributions))
        if symbol.run is not None and not symbol.run.repeats(tail.row):
            self._emit(*symbol.run)
            symbol.run = None
        symbol.tail = tail
        self._tails[seq] = symbol

    def consequence(self, cause: int) -> None:
        """Something followed from event `cause`; if that is a decision, it stands as its own row."""
        symbol = self._tails.pop(cause, None)
        if symbol is None:
            return
        if symbol.run is not None:
            self._emit(*symbol.run)
            symbol.run = None
        assert symbol.tail is not None
        self._emit(*symbol.tail)
        symbol.tail = None

    def take(self) -> dict[str, Open]:
        """Hand over the rows that may still grow, by symbol: a page goes on with them."""
        for symbol in self._symbols.values():
            self._absorb(symbol)
        taken = {name: symbol.run for name, symbol in self._symbols.items() if symbol.run is not None}
        self._symbols.clear()
        return taken

    def give(self, rows: dict[str, Open]) -> None:
        """Take them back as the page left them."""
        for name, run in rows.items():
            symbol = self._symbols[name] = _Symbol()
            symbol.run = run

    def close(self) -> None:
        """Nothing more comes: what is still open ends."""
        for run in sorted(self.take().values(), key=lambda run: int(run.row[SEQ] or 0)):
            self._emit(*run)

    def _absorb(self, symbol: _Symbol) -> None:
        """Nothing followed from the newest decision: it continues the run, or begins one."""
        tail = symbol.tail
        if tail is None:
            return
        self._tails.pop(int(tail.row[SEQ] or 0), None)
        symbol.tail = None
        symbol.run = tail if symbol.run is None else symbol.run.grown(tail.row)
