"""A run that was written down, had again in a fresh session: every row must come out as it was written.

The rule: what was recorded is settled again from its inputs, event by event, and a replay from its files; both into books of their
own, which are then held against those that are there. A run that goes on after a crash does the first half of this.
"""

import hashlib
import heapq
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bot import plan as plans
from bot.errors import NotFound, SluiceError
from bot.events import Started
from bot.modes.history import replay
from bot.modes.parts import FILES, Universe, build, config_of, hashes, journal_of, run_name
from bot.modes.recut import Recut
from bot.rehearsal import Rehearsal, Written, told
from bot.session import Session
from bot.store.reader import Reader
from bot.store.rows import RunRow
from bot.store.runs import Run, begin
from bot.store.store import Store
from bot.store.twins import Counted, Differs, compare
from bot.verdict import Compared, Differing, Verdict
from feeds.errors import FeedError
from feeds.times import iso
from strategies.errors import FactorError

WHOLE = "whole"
BATCH = 2_000  # inputs that are settled in one transaction
Say = Callable[[int, int], None]  # (done, in all)
UNREADABLE = (msgspec.MsgspecError, FactorError, SluiceError, FeedError, KeyError, ValueError, TypeError)  # what changed text may lead to
MONEY = ("equity_start", "equity_end", "fees", "funding", "slippage")
COUNTS = ("bars", "decisions", "orders", "fills", "refusals")


class Again(NamedTuple):
    """What having it again gave. summary: the document of the run; cuts: a replay needs none, its blocks are cut otherwise anyway."""

    run: str
    digest: str
    inputs: int
    summary: dict[str, Any]
    cuts: Recut | None


def verify(store: Path, run: str = "last", say: Say = lambda done, total: None) -> Verdict:
    """Have a run again and compare every row of its books. `say` hears of inputs, or of bars of a replay.

    Raises NotFound for a run of which nothing is left to have again.
    """
    with Reader.open(store) as reader, tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        row = reader.run(run)
        faults, unchecked = _settings(row), _beyond(row)
        chains = [reader.verify_chain(row.id), reader.verify_inputs(row.id)]
        found: Again | None = None
        try:
            found = _replayed(row, Path(folder) / "again.db", faults, say) if row.mode == "replay" else _settled(
                row, reader, Path(folder) / "again.db", say)  # fmt: skip
        except UNREADABLE as error:
            if isinstance(error, NotFound) or not (faults or any(chain.broken is not None for chain in chains)):
                raise
            unchecked.append(f"no row: with what was changed it cannot be had again ({type(error).__name__}: {error})")
        part = row.digest is None
        counted: list[Counted] = []
        if found is not None:
            with Reader.open(Path(folder) / "again.db") as fresh:
                counted = list(compare(reader, row.id, fresh, found.run, part=part and row.mode == "replay"))
        verdict = _verdict(reader, store, row, found, counted, chains, faults, unchecked)
    if verdict.ok and not verdict.checked:
        raise NotFound(f"run {row.id} has decided nothing yet, so there is nothing to compare; let it trade for longer")
    return verdict


def _verdict(
    reader: Reader, store: Path, row: RunRow, found: Again | None, counted: list[Counted], chains: list[Any], faults: list[str],
    unchecked: list[str],
) -> Verdict:  # fmt: skip
    ledger = _ledger(row, found)
    digest, digest_found = row.digest or "", found.digest if found else ""
    if digest and digest_found and digest != digest_found:
        faults.append("the digest of the run is not that of its decisions and fills")
    if ledger and any(one != other for one, other in ledger.values()):
        faults.append("the run's summary is not what its books come to")
    cuts = Compared(0, 0) if found is None or found.cuts is None else Compared(found.cuts.compared, found.cuts.differing)
    if found is not None and found.cuts is not None and found.cuts.first is not None:
        bar, symbol = found.cuts.first
        faults.append(f"in blocks the decision {symbol}@{iso(bar)} comes out otherwise")
    differs = [one.first for one in counted if one.first is not None]
    first = min(differs, key=lambda one: (one.number is None, one.number or 0), default=None)
    decision = next((one for one in differs if one.table == "decisions"), None)
    names = [WHOLE if chain.broken is None else f"broken at {chain.broken}: {chain.detail}" for chain in chains]
    tables = {one.table: Compared(one.rows, one.differing) for one in counted}
    if chains[1].rows == 0 and row.mode != "replay":
        unchecked.append("the bytes of the inputs: they were recorded before inputs were chained")
    differing = sum(one.differing for one in counted)
    return Verdict(
        run=row.id, mode=row.mode, state=row.state, inputs=found.inputs if found else 0, checked=sum(one.rows for one in counted),
        differing=differing, tables=tables, first=_told(reader, store, row, first), decision=_told(reader, store, row, decision),
        chain=names[0], inputs_chain=names[1], digest=digest, digest_found=digest_found, cuts=cuts, ledger=ledger, faults=tuple(faults),
        unchecked=tuple(unchecked), ok=not (differing or faults) and names == [WHOLE, WHOLE],
    )  # fmt: skip


def _settings(row: RunRow) -> list[str]:
    """What is wrong with the run's own row."""
    faults = []
    if hashlib.sha256(row.config.encode()).hexdigest() != row.config_hash:
        faults.append("the settings in the store are not those that the run was begun with: their hash differs")
    if row.mode == "replay" and row.arguments != "{}" and f'"seed":{row.seed},' not in row.arguments:
        faults.append("the seed of the run is not that of its arguments")
    try:
        known = row.arguments != "{}" or row.mode != "replay"
        if known and run_name(row.mode, row.config_hash, row.data_hash, row.started_ms, row.arguments) != row.id:
            faults.append("the run's name is not that of its settings, data and arguments: one of them was changed")
    except UNREADABLE as error:
        faults.append(f"the run's arguments cannot be read: {error}")
    return faults


def _beyond(row: RunRow) -> list[str]:
    """What nothing in the store could prove."""
    said = ["when the process began and ended: that is the clock's word"]
    if row.mode != "replay":
        said.append("the copies of bars beside the books (*.market.db): nothing is decided from them")
        said.append("whether the inputs are what the exchange said: they are what was written down when it did")
    if row.digest is None:
        said.append("digest and summary: a run has them when it has ended")
        if row.mode == "replay":
            said.append("what the replay had not come to when it was cut short, and the fate of orders that were open then")
    return said


def _replayed(row: RunRow, path: Path, faults: list[str], say: Say) -> Again:
    """A replay from its files, in blocks of another length."""
    if row.arguments == "{}":
        raise NotFound(f"run {row.id} was recorded without its arguments; replay its files again and compare the digests")
    given = msgspec.json.decode(row.arguments)
    files = {name: [Path(path) for path in given.get(name) or ()] for name in FILES}
    lost = [str(path) for name in FILES for path in files[name] if not path.exists()]
    if lost:
        raise NotFound(f"run {row.id} cannot be had again: {lost[0]} is not there{f' nor {len(lost) - 1} more' * (len(lost) > 1)}")
    then, now = given.get("hashes", {}), hashes({name: [str(path) for path in files[name]] for name in FILES})
    for kind, known in then.items():
        there = now.get(kind, {})
        faults += [f"{file} is not the file that was replayed: its hash differs" for file in known if there.get(file, "") != known[file]]
        faults += [f"{file} was not there when it was replayed" for file in there if file not in known]
    span = {name: given.get(name) for name in ("symbols", "timeframe", "start", "stop")}
    result = replay(config_of(row.config), **files, **span, seed=row.seed, store=path, block=1_009, progress=say)  # type: ignore[arg-type]
    if result.data_hash != row.data_hash:
        faults.append(f"the candles are not those that were replayed: their hash is {result.data_hash[:12]}, and was {row.data_hash[:12]}")
    if result.run != row.id and not faults:
        faults.append(f"it comes out as run {result.run}: the trading rules beside its files are not those of then")
    return Again(result.run, result.digest, 0, msgspec.json.decode(msgspec.json.encode(result)), None)


def _settled(row: RunRow, reader: Reader, path: Path, say: Say) -> Again:
    """What was recorded, event by event, into books of its own; and decided a third time in long blocks."""
    config, universe, metrics = recorded(row, reader)
    plan = plans.strategy_plan(config, row.timeframe, metrics)
    total = reader.count_inputs(row.id)
    with Store.open(path) as store:
        begin(store, Run(id=row.id, mode=row.mode, started_ms=0, symbols=row.symbols, timeframe=row.timeframe))
        journal = journal_of(store, row.id, row.symbols, keep_inputs=False, merge_repeats=False)
        session = build(config, universe, plan, row.id, journal.write)
        session.keep_equity = journal.equity
        cuts = Recut(session, build(config, universe, plan, row.id, lambda event, cause: 0).engine)
        done = 0
        for batch in _batches(reader.inputs(row.id)):
            with store.transaction():
                for seq, event in batch:
                    journal.seq = max(journal.seq, seq - 1)  # a difference before does not move what comes after
                    session.settle(event)
            done += len(batch)
            say(done, total)
        cuts.flush()
        return Again(row.id, journal.digest(), done, _summary(session), cuts)


def recorded(row: RunRow, reader: Reader) -> tuple[Any, Universe, tuple[str, ...]]:  # Any: a Config, whose module is slow to load
    """Settings, universe and metrics that a recorded run began with. Raises NotFound where it recorded nothing."""
    first = next(iter(reader.inputs(row.id)), None)
    if first is None or not isinstance(first[1], Started):
        raise NotFound(f"run {row.id} ({row.mode}) recorded no inputs; there is nothing to have again")
    universe = Universe(row.symbols, row.timeframe, {one.symbol: one for one in first[1].instruments})
    return config_of(row.config), universe, first[1].metrics


def _batches(inputs: Iterable[Any]) -> Iterator[list[Any]]:  # Any: (number, event)
    batch: list[Any] = []
    for one in inputs:
        batch.append(one)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _summary(session: Session) -> dict[str, Any]:
    ledger, count = session.ledger, session.counts
    money = (ledger.initial, ledger.equity(), ledger.fees, ledger.funding, ledger.slippage)
    counts = (count["Candle"], count["Decision"], count["OrderRequest"], count["Fill"], count["Refusal"])
    return dict(zip(MONEY, map(str, money), strict=True)) | dict(zip(COUNTS, counts, strict=True))


def _ledger(row: RunRow, found: Again | None) -> dict[str, tuple[str, str]]:
    """What the run's summary says that it ended with, beside what it came to again."""
    if row.summary is None or found is None:
        return {}
    try:
        said = msgspec.json.decode(row.summary)
    except msgspec.MsgspecError:
        return {"summary": ("cannot be read", "")}
    both = {name: (str(said.get(name)), str(found.summary.get(name))) for name in (*MONEY, *COUNTS)}
    if row.mode == "replay":
        figures = said.get("metrics") or {}
        both |= {f"metrics.{name}": (str(figures.get(name)), str(value)) for name, value in found.summary["metrics"].items()
                 if not _near(figures.get(name), value)}  # fmt: skip
    return both


def _near(one: Any, other: Any) -> bool:  # Any: numbers, texts, lists and tables of them
    """The same but for the last digits, which the order of a sum decides."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_near, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_near(one[name], other[name]) for name in one)
    return bool(one == other)


def _told(reader: Reader, store: Path, row: RunRow, differs: Differs | None) -> Differing | None:
    """A difference as people read it."""
    if differs is None:
        return None
    there = differs.written or differs.found or {}
    moment = there.get("bar_ms") or there.get("at")
    kind = {"decisions": "decision", "feeds": "feed"}.get(differs.table, differs.table.rstrip("s"))
    number = "" if differs.number is None else f"D-{differs.number}" if kind == "decision" else f"#{differs.number}"
    what = " ".join(part for part in (kind, number, there.get("symbol") or "", iso(moment) if moment else "") if part)
    what += "" if differs.written and differs.found else " was not written" if differs.found else " did not come again"
    columns = {name: (_plain((differs.written or {}).get(name)), _plain((differs.found or {}).get(name))) for name in differs.columns()}
    inputs = reader.inputs_before(row.id, differs.number, 2 + 2 * len(row.symbols)) if differs.number else []
    name = {"decisions": f"D-{differs.number}", "orders": there.get("id"), "updates": there.get("id"), "fills": there.get("order_id")}
    of = name.get(differs.table)
    explain = f"sluice explain {of} --run {row.id} --store {store}" if of and differs.written else ""
    return Differing(table=differs.table, seq=differs.number, what=what, columns=columns, inputs=tuple(inputs), explain=explain)


def _plain(value: Any) -> Any:  # whatever SQLite gives
    return value.hex() if isinstance(value, bytes) else value


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
