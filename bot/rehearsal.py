"""A recorded run, settled again from its inputs: how a run goes on after a crash, and how it is verified.

Whatever decides has no clock and no dice, so the same inputs give the same numbers, decisions, orders and fills. Every one of
them is compared with what was written down.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bot.events import Fill
from bot.session import Session
from feeds.events import Event
from strategies.events import Decision


class Written(NamedTuple):
    """What the journal holds of a decision or fill. key: its digest, or the execution's id, price, quantity and fee."""

    seq: int
    name: str
    key: str


class Difference(NamedTuple):
    """The first place at which what follows from the inputs is not what was written."""

    seq: int
    written: str
    found: str


class Rehearsal:
    """The tap of a session that is led through recorded inputs."""

    def __init__(self, written: Iterable[Written]) -> None:
        """written  decisions and fills of the run in order of their numbers"""
        self._written: Iterator[Written] = iter(written)
        self.seq = 0
        self.compared = 0
        self.differing = 0
        self.first: Difference | None = None

    def write(self, event: Event, cause: int) -> int:
        """Number the event and compare it with what was written under that number."""
        self.seq += 1
        found = told(event)
        if found is not None:
            self._compare(Written(self.seq, *found))
        return self.seq

    def run(self, session: Session, inputs: Iterable[tuple[int, Event]]) -> None:
        """Settle the inputs; one that gets another number than it had is a difference too."""
        for seq, event in inputs:
            number = session.settle(event)
            if number != seq:
                self._differ(seq, f"input {seq}", f"input {number}")
                self.seq = max(self.seq, seq)

    def rest(self) -> int:
        """How many written decisions and fills did not come."""
        missing = 0
        for written in self._written:
            missing += 1
            self._differ(written.seq, f"{written.name} {written.key}", "nothing")
        return missing

    def _compare(self, found: Written) -> None:
        written = next(self._written, None)
        if written is None:
            self._differ(found.seq, "nothing", f"{found.name} {found.key}")
            return
        self.compared += 1
        if written != found:
            self._differ(written.seq, f"{written.name} {written.key}", f"{found.name} {found.key} as {found.seq}")

    def _differ(self, seq: int, written: str, found: str) -> None:
        self.differing += 1
        self.first = self.first or Difference(seq, written, found)


def told(event: Event) -> tuple[str, str] | None:
    """Name and key of a decision or fill; None for anything else."""
    match event:
        case Decision():
            return f"decision {event.symbol} {event.bar_ms}", event.digest
        case Fill():
            return (
                f"fill {event.symbol} {event.filled_ms}",
                f"{event.exec_id}|{event.side.value}|{event.price}|{event.quantity}|{event.fee}",
            )
        case _:
            return None
