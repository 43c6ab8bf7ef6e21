"""Decisions that repeat themselves become one row, unless something followed from them.

The rule: consecutive decisions of one symbol with the same side and reason are one row, from the first bar to the last. A decision
that led to an order, a refusal or a cancel stands alone. What comes out does not depend on how the decisions were handed in: one
by one, or as whole stretches, cut anywhere. Therefore rows that end within a stretch wait until all symbols have had their say
(`settle`), and leave in the order of the decisions that ended them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

from bot.store.chain import Row, decision_row
from strategies.events import Decision, Reason, Side

Emit = Callable[[Row], None]


@dataclass(slots=True)
class _Run:
    """A decision and its repeats so far."""

    seq: int
    cause: int
    first: Decision
    until_ms: int
    bars: int
    last_score: float

    def repeats(self, side: Side, reason: Reason) -> bool:
        return self.first.side is side and self.first.reason is reason

    def row(self) -> Row:
        return decision_row(self.seq, self.cause, self.first, (self.until_ms, self.bars, self.last_score))


class _Symbol:
    """run: what is known to be one row. tail: the newest decision, from which something may still follow."""

    __slots__ = ("run", "tail")

    def __init__(self) -> None:
        self.run: _Run | None = None
        self.tail: _Run | None = None


class Stretches:
    """Merges decisions into rows; gives each row to `emit` when it has ended."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._symbols: dict[str, _Symbol] = {}
        self._tails: dict[int, _Symbol] = {}
        self._ended: list[tuple[int, _Run]] = []

    def add(self, seq: int, cause: int, decision: Decision) -> None:
        """One decision, number `seq`; what follows from it is told by `consequence` before the symbol's next decision."""
        if self._ended:
            self.settle()
        symbol = self._symbol(decision.symbol)
        self._absorb(symbol)
        run = symbol.run
        if run is not None and not run.repeats(decision.side, decision.reason):
            self._emit(run.row())
            symbol.run = None
        symbol.tail = _Run(seq, cause, decision, decision.bar_ms, 1, decision.score)
        self._tails[seq] = symbol

    def consequence(self, cause: int) -> None:
        """Something followed from event `cause`; if that is a decision, it stands as its own row."""
        symbol = self._tails.pop(cause, None)
        if symbol is None:
            return
        if self._ended:
            self.settle()
        if symbol.run is not None:
            self._emit(symbol.run.row())
            symbol.run = None
        assert symbol.tail is not None
        self._emit(symbol.tail.row())
        symbol.tail = None

    def extend(
        self, *, seq: int, cause: int, name: str, side: Side, reason: Reason, first: Callable[[], Decision], last_ms: int, bars: int,
        last_score: float,
    ) -> None:  # fmt: skip
        """`bars` decisions of one symbol that are alike and led to nothing; `first` makes the first of them, if it is needed."""
        symbol = self._symbol(name)
        self._absorb(symbol)
        run = symbol.run
        if run is not None and run.repeats(side, reason):
            run.until_ms, run.last_score = last_ms, last_score
            run.bars += bars
            return
        if run is not None:
            self._ended.append((seq, run))
        symbol.run = _Run(seq, cause, first(), last_ms, bars, last_score)

    def settle(self) -> None:
        """Every symbol's stretch up to here is in: the rows that ended leave, in order."""
        self._ended.sort(key=itemgetter(0))
        for _, run in self._ended:
            self._emit(run.row())
        self._ended.clear()

    def close(self) -> None:
        """Nothing more comes: what is still open ends."""
        self.settle()
        for symbol in self._symbols.values():
            self._absorb(symbol)
        for run in sorted((s.run for s in self._symbols.values() if s.run is not None), key=lambda run: run.seq):
            self._emit(run.row())
        self._symbols.clear()

    def _symbol(self, name: str) -> _Symbol:
        symbol = self._symbols.get(name)
        if symbol is None:
            symbol = self._symbols[name] = _Symbol()
        return symbol

    def _absorb(self, symbol: _Symbol) -> None:
        """Nothing followed from the newest decision: it continues the run, or begins one."""
        tail = symbol.tail
        if tail is None:
            return
        del self._tails[tail.seq]
        symbol.tail = None
        if symbol.run is None:
            symbol.run = tail
        else:
            symbol.run.until_ms, symbol.run.last_score = tail.until_ms, tail.last_score
            symbol.run.bars += 1
