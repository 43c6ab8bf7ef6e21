"""A recorded run, decided again in a fresh session: every decision and fill must come out as it was written."""

import heapq
from collections.abc import Iterator
from pathlib import Path

from bot import plan as plans
from bot.errors import NotFound
from bot.events import Started
from bot.modes.parts import Universe, build, config_of
from bot.rehearsal import Rehearsal, Written, told
from bot.results import VerifyResult
from bot.session import Session
from bot.store.reader import Reader


def verify(store: Path, run: str = "last") -> VerifyResult:
    """Settle a recorded run's inputs in a fresh session and compare every decision and fill with what was written.

    Raises NotFound for a run that recorded no inputs (a replay: run it again, its digest is the proof).
    """
    with Reader.open(store) as reader:
        row = reader.run(run)
        first = next(iter(reader.inputs(row.id)), None)
        if first is None or not isinstance(first[1], Started):
            raise NotFound(f"run {row.id} ({row.mode}) recorded no inputs; replay its files again and compare the digests")
        config = config_of(row.config)
        universe = Universe(row.symbols, row.timeframe, {one.symbol: one for one in first[1].instruments})
        plan = plans.strategy_plan(config, row.timeframe, first[1].metrics)
        session = build(config, universe, plan, row.id, lambda event, cause: 0)
        rehearsal = rehearse(session, reader, row.id)
        inputs = sum(1 for _ in reader.inputs(row.id))
        link = reader.verify_chain(row.id)
    place = rehearsal.first
    return VerifyResult(
        run=row.id, mode=row.mode, inputs=inputs, checked=rehearsal.compared, differing=rehearsal.differing,
        first="" if place is None else f"event {place.seq}: {place.written} was written, {place.found} was found",
        chain="whole" if link.broken is None else f"broken at {link.broken}", digest=row.digest or "",
    )  # fmt: skip


def rehearse(session: Session, reader: Reader, run: str) -> Rehearsal:
    """Lead a fresh session through the inputs of a run; the session then stands where the run stood."""
    rehearsal = Rehearsal(_written(reader, run))
    session.go_on(rehearsal.write)
    rehearsal.run(session, reader.inputs(run))
    rehearsal.rest()
    return rehearsal


def _written(reader: Reader, run: str) -> Iterator[Written]:
    decisions = ((row.seq, told(row.first)) for row in reader.decisions(run))
    fills = ((row.seq, told(row.fill)) for row in reader.fills(run))
    for seq, found in heapq.merge(decisions, fills, key=lambda pair: pair[0]):
        assert found is not None
        yield Written(seq, *found)
