"""The probes of causality run over a whole strategy: every signal, the score, what is wanted, and the session that trades it.

The rule: what is probed is the engine that trades, fresh for every question; no part of it is built for the probes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from bot import plan as plans
from bot.causality import FAIL, NOTE, PASS, SKIPPED, Finding, Settings, drift_rows, lengths
from bot.config import Config
from bot.modes.history import Market
from bot.modes.parts import Universe, build, journal_of
from bot.research import probes
from bot.research.probes import Array, Rng, Tally
from bot.session import Session
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.bars import Bars, Block
from feeds.events import Event, Funding, Metric, News
from feeds.news_files import NewsFile
from feeds.times import Millis
from strategies.engine import Plan, StrategyEngine, View
from strategies.errors import StrategyError
from strategies.snapshot import TRAILING

FIRST = ("score", "confidence", "target", "side", "reason", "newest")  # outputs that every strategy has
GENTLE = ("nan", "random", "reversed")  # futures that a hook must be able to bear
Say = Callable[[int, int], None]
PLAIN = Settings(cuts=24)


class StrategyChecked(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy under all probes. wrong: probe -> outputs that failed it; drift: output -> a row for each length of history."""

    strategy: str
    ok: bool
    signals: tuple[str, ...]
    symbols: tuple[str, ...]
    timeframe: Millis
    bars: int
    warm_up: int
    decided: int
    probes: tuple[Finding, ...]
    wrong: dict[str, tuple[str, ...]]
    drift: dict[str, tuple[dict[str, Any], ...]]


class Known(NamedTuple):
    """A piece of history as probes handle it: bars, what became known among them, and `before` them; decided from `since` on."""

    bars: Bars
    others: tuple[tuple[int, Event], ...]
    before: tuple[Event, ...]
    since: Millis

    @property
    def rows(self) -> int:
        return self.bars.rows

    def head(self, rows: int) -> "Known":
        bars = self.bars._replace(values=self.bars.values[:rows])
        return self._replace(bars=bars, others=tuple(one for one in self.others if one[0] < rows))

    def tail(self, row: int) -> "Known":
        """Bars from a row on. What had become known by then stays known: a start fetches it, as it fetches bars."""
        bars = self.bars._replace(values=self.bars.values[row:], first=self.bars.first + row)
        before = (*self.before, *(event for at, event in self.others if at < row))
        return Known(bars, tuple((at - row, event) for at, event in self.others if at >= row), before, self.since)

    def poisoned(self, row: int, kind: str, rng: Rng) -> "Known":
        bars = self.bars._replace(values=probes.poison(self.bars.values, row, kind, rng))
        others = [(at, event) if at < row else (at, _poisoned(event, kind, rng)) for at, event in self.others]
        return self._replace(bars=bars, others=tuple(one for one in others if one[0] < row or kind != "reversed"))

    def shuffled(self, rng: Rng) -> "Known":
        """Events of one instant in another order, but for those of one series."""
        keys = rng.random(len(self.others))
        named: dict[tuple[int, Millis, str], float] = {}
        order = []
        for place, (row, event) in enumerate(self.others):
            key = named.setdefault((row, event.at, _series(event)), float(keys[place]))
            order.append((row, event.at, key, place))
        return self._replace(others=tuple(self.others[place] for *_, place in sorted(order)))

    def block(self, *, first: bool = True) -> Block:
        """As the engine takes it; what was known before is told with the first piece alone."""
        return Block(self.bars, [*((0, event) for event in self.before if first), *self.others])


def _series(event: Event) -> str:
    match event:
        case Metric():
            return f"{event.name} {event.symbol}"
        case News():
            return f"news {event.kind} {event.id}"
        case _:
            return f"{type(event).__name__} {getattr(event, 'symbol', '')}"


def _poisoned(event: Event, kind: str, rng: Rng) -> Event:
    value = {"nan": float("nan"), "huge": probes.HUGE}.get(kind, float(rng.normal()))
    match event:
        case Metric():
            return msgspec.structs.replace(event, value=value)
        case News():
            return msgspec.structs.replace(event, sentiment=value)
        case Funding():
            return msgspec.structs.replace(event, rate=value)
        case _:
            return event


class Subject:
    """A strategy as probes call it."""

    def __init__(self, config: Config, universe: Universe, plan: Plan) -> None:
        self._config, self._universe, self._plan = config, universe, plan
        self.hooked = plan.hook is not None
        probe = self.session(lambda event, cause: 0).engine
        self.warm_up = probe.warm_up
        self.signals = tuple(signal.name for signal in plan.signals)

    def session(self, tap: Any) -> Session:
        """A fresh one; whoever builds it otherwise in a test changes what is probed."""
        return build(self._config, self._universe, self._plan, "check", tap)

    def engine(self, since: Millis) -> StrategyEngine:
        engine = self.session(lambda event, cause: 0).engine
        engine.begin(since)
        return engine

    def evaluate(self, known: Known) -> Array:
        """float64[row, output, symbol]"""
        return outputs(self.engine(known.since).look(known.block()))

    def stream(self, parts: Sequence[Known]) -> Array:
        engine = self.engine(parts[0].since)
        return np.concatenate([outputs(engine.look(part.block(first=i == 0))) for i, part in enumerate(parts)])

    def one_by_one(self, known: Known, rng: Rng) -> tuple[int, Array]:
        """Event by event as live brings them, the symbols of a close in any order: (row after the last decided, values)."""
        session = self.session(lambda event, cause: 0)
        engine, seen = session.engine, []
        engine.begin(known.since)
        for event in _events(known, rng):
            if not isinstance(event, tuple):
                engine.on_known(event)
                continue
            row, symbol = event
            before = engine.seen
            engine.on_candle(known.bars.candle(row, symbol))
            if engine.seen is not None and engine.seen is not before:
                seen.append(outputs(engine.seen))
        values = np.concatenate(seen)
        return len(values), values


def _events(known: Known, rng: Rng) -> Iterator[Event | tuple[int, int]]:
    """Other events, and candles as (row, symbol)."""
    yield from known.before
    taken = 0
    for row in range(known.rows):
        while taken < len(known.others) and known.others[taken][0] <= row:
            yield known.others[taken][1]
            taken += 1
        for symbol in rng.permutation(known.bars.present(row)).tolist():
            yield row, int(symbol)


def outputs(view: View) -> Array:
    """Everything that a view decides by and on: float64[row, output, symbol], in the order of FIRST and the signals."""
    first = (view.score, view.confidence, view.target, view.side, view.reason, view.newest)
    return np.concatenate([*(np.asarray(one, float)[:, None] for one in first), view.values, view.confidences, view.parts], axis=1)


def names_of(view: View) -> list[str]:
    """The names of `outputs`."""
    fed = [f"{name} {what}" for what, width in (("value", view.values.shape[1]), ("confidence", view.confidences.shape[1]))
           for name in (view.names if width == len(view.names) else map(str, range(width)))]  # fmt: skip
    return [*FIRST, *fed, *(f"{name} contribution" for name in view.names)]


def known_of(market: Market, config: Config, start: Millis | None, stop: Millis | None, bars: int, engine: StrategyEngine) -> Known:
    """The piece of history that is looked at: `bars` decided ones, before them those that warm up; and what the engine listens to."""
    history, warm_up = market.history, engine.warm_up
    first, end = history.window(None if start is None else start - (warm_up + 1) * history.timeframe, stop)
    first = max(first, end - bars - warm_up)
    begins = first * history.timeframe
    for feed in market.others:
        if isinstance(feed, NewsFile):
            feed.since = begins - int(config.strategy.windows.story)
    (block,) = history.blocks(max(1, end - first), begins, end * history.timeframe, market.others)
    heard = [one for one in block.others if one[0] < block.bars.rows and _matters(one[1], engine.program.fields)]
    inside = tuple(one for one in heard if one[1].at >= begins)
    since = (first + min(warm_up, (end - first) // 2)) * history.timeframe
    before = tuple(_newest((event for _, event in heard if event.at < begins), 2 * config.strategy.windows.observations))
    return Known(block.bars, inside, before, since if start is None else max(since, start))


def _matters(event: Event, fields: Sequence[str]) -> bool:
    """Whether a session does anything with it."""
    if isinstance(event, Metric):
        return event.name in fields or event.name + TRAILING in fields
    return not isinstance(event, News) or f"sentiment_{event.kind}" in fields or f"{event.kind}_count" in fields


def _newest(events: Iterable[Event], most: int) -> list[Event]:
    """The last of each series: what was known long before has been forgotten."""
    kept: dict[str, deque[tuple[int, Event]]] = {}
    for place, event in enumerate(events):
        kept.setdefault(_series(event), deque(maxlen=most)).append((place, event))
    return [event for _, event in sorted((one for series in kept.values() for one in series), key=lambda one: one[0])]


def check_strategy(
    config: Config, market: Market, *, name: str = "strategy", start: Millis | None = None, stop: Millis | None = None, bars: int = 2_000,
    settings: Settings = PLAIN, say: Say = lambda done, total: None,
) -> StrategyChecked:  # fmt: skip
    """Every probe over a strategy on real history. Raises what a replay raises for settings, files and factors."""
    history = market.history
    universe = Universe(history.symbols, history.timeframe, plans.instruments(config, history, market.instruments))
    plan = plans.strategy_plan(config, history.timeframe, market.metrics)
    subject = Subject(config, universe, plan)
    known = known_of(market, config, start, stop, bars, subject.engine(0))
    return _Check(subject, known, settings, say).checked(name, universe)


class _Check:
    """One strategy on one piece of history."""

    STEPS = 7

    def __init__(self, subject: Subject, known: Known, settings: Settings, say: Say) -> None:
        self.subject, self.known, self.settings = subject, known, settings
        self.rng = np.random.default_rng(settings.seed)
        view = subject.engine(known.since).look(known.block())
        self.names, self.whole = names_of(view), outputs(view)
        self._say, self._done = say, 0

    def checked(self, name: str, universe: Universe) -> StrategyChecked:
        tallies: dict[str, Tally] = {}
        steps = {
            "truncation": self._truncation, "future poisoned": self._poisoning, "bar by bar and any cut": self._cutting,
            "events of one instant in any order": self._order, "event by event, as live": self._live,
        }  # fmt: skip
        for probe, run in steps.items():
            tallies[probe] = run()
            self._step()
        found = [self._whole_finding(probe, tally) for probe, tally in tallies.items()]
        wrong = {probe: tuple(n for n, bad in zip(self.names, tally.differing, strict=True) if bad) for probe, tally in tallies.items()}
        found += [self._sessions(), *self._scaled()]
        self._step()
        drift = self._drift()
        self._step()
        found.append(self._settled(drift))
        known = self.known
        return StrategyChecked(
            strategy=name, ok=all(one.result != FAIL for one in found), signals=self.subject.signals, symbols=universe.symbols,
            timeframe=universe.timeframe, bars=known.rows, warm_up=self.subject.warm_up, decided=int((self.whole[:, 3] != 0).sum()),
            probes=tuple(found), wrong={probe: names for probe, names in wrong.items() if names}, drift=drift,
        )  # fmt: skip

    def _step(self) -> None:
        self._done += 1
        self._say(self._done, self.STEPS)

    def _cuts(self) -> list[int]:
        cuts = probes.places(self.whole, self.settings.cuts, self.rng, _holes(self.known.bars.values))
        decided = self.known.since // self.known.bars.timeframe - self.known.bars.first
        return [cut for cut in cuts if cut > decided] or cuts

    def _truncation(self) -> Tally:
        return probes.truncation(self.subject.evaluate, self.known, self.whole, self._cuts())

    def _poisoning(self) -> Tally:
        kinds = GENTLE if self.subject.hooked else probes.POISONS
        return probes.poisoning(self._bearing, self.known, self.whole, self._cuts(), self.rng, kinds)

    def _bearing(self, known: Known) -> Array:
        """What a hook says of a future that it cannot bear says nothing about the past: it is cut off instead."""
        try:
            return self.subject.evaluate(known)
        except StrategyError:
            if not self.subject.hooked:
                raise
            return self.whole[: known.rows]

    def _cutting(self) -> Tally:
        return probes.cutting(self.subject.stream, self.known, self.whole, self.rng, most=500)

    def _order(self) -> Tally:
        tally = Tally(self.whole.shape[1])
        for _ in range(2):
            tally.add(self.whole, self.subject.evaluate(self.known.shuffled(self.rng)), 0.0, 0)
        return tally

    def _live(self) -> Tally:
        tally = Tally(self.whole.shape[1])
        rows, values = self.subject.one_by_one(self.known, self.rng)
        tally.add(self.whole[:rows], values, 0.0, 0)
        return tally

    def _whole_finding(self, probe: str, tally: Tally) -> Finding:
        """A probe over all outputs."""
        compared, differing = int(tally.compared.sum()), int(tally.differing.sum())
        if not compared:
            return Finding(probe=probe, result=SKIPPED, detail="no value is known where it could be compared")
        firsts = [(at, i) for i, at in enumerate(tally.first) if at is not None]
        first, worst = None, float(tally.worst.max())
        if firsts:
            (row, symbol, cut), place = min(firsts)
            bars = self.known.bars
            first = {"row": row, "bar_ms": bars.close_ms(row), "symbol": bars.symbols[symbol], "cut": cut, "output": self.names[place]}
        return Finding(
            probe=probe, result=FAIL if differing else PASS, values=compared, differing=differing, first=first,
            worst=worst if np.isfinite(worst) else None, detail=f"{tally.trials} trials",
        )  # fmt: skip

    def _sessions(self) -> Finding:
        """Orders, fills and the ledger: at every bar, in one block, and cut at random."""
        rows = self.known.rows
        edges = sorted(set(self.rng.integers(1, max(2, rows), max(3, rows // 50)).tolist()))
        came = [self._traded(step, cuts) for step, cuts in ((False, []), (True, []), (False, edges), (True, edges))]
        digests = {one[0] for one in came}
        said = f"{len(came)} sessions, {came[0][2]['Decision']:,} decisions, {came[0][2]['Fill']:,} fills, digest {came[0][1][:12]}"
        return Finding(
            probe="step, block and cut sessions", result=PASS if len(digests) == 1 else FAIL, values=sum(came[0][2].values()) * len(came),
            differing=len(digests) - 1, detail=said,
        )  # fmt: skip

    def _traded(self, step: bool, edges: Sequence[int]) -> tuple[str, str, dict[str, int]]:
        bars = self.known.bars
        with Store.open() as store:
            begin(store, Run(id="check", mode="replay", started_ms=0, symbols=bars.symbols, timeframe=bars.timeframe))
            journal = journal_of(store, "check", bars.symbols, keep_inputs=False, merge_repeats=True)
            session = self.subject.session(journal.write)
            session.begin(self.known.since)
            parts = probes.pieces(self.known, edges)
            session.replay((part.block(first=i == 0) for i, part in enumerate(parts)), store, journal, step=step)
            with store.transaction():
                journal.close()
            ledger, counts = session.ledger, session.counts
            told = {name: counts[name] for name in ("Decision", "OrderRequest", "Fill", "Refusal", "FundingPaid")}
            whole = (journal.digest(), journal.chain.hex(), journal.seq, ledger.equity(), ledger.fees, ledger.funding, told)
            return repr(whole), journal.digest(), told

    def _scaled(self) -> list[Finding]:
        """What becomes of the score when every price is given in another unit."""
        if self.subject.hooked:
            return []
        bars = self.known.bars
        values = bars.values.copy()
        values[:, [0, 1, 2, 3, 5]] *= 1024.0
        other = self.subject.evaluate(self.known._replace(bars=bars._replace(values=values)))
        said = probes.scaling(self.whole, other, 1024.0)
        return [Finding(probe="unit of price", result=NOTE, detail=f"score {said[0]}")]

    def _drift(self) -> dict[str, tuple[dict[str, Any], ...]]:
        wanted = list(self.settings.lengths) or lengths(self.subject.warm_up, self.known.rows)
        table = probes.drift(self.subject.evaluate, self.known, self.whole, wanted, count=6)
        kept = [i for i, name in enumerate(self.names) if i < 2 or name.endswith(" value")]
        return {self.names[i]: tuple(drift_rows(table, i)) for i in kept}

    def _settled(self, drift: dict[str, tuple[dict[str, Any], ...]]) -> Finding:
        """With its warm-up before it, a score must be that of the whole history."""
        rows = [row for row in drift["score"] if row["bars"] >= self.subject.warm_up and row["places"]]
        if not rows:
            return Finding(probe="drift by warm-up", result=SKIPPED, detail="the history is too short for the warm-up")
        row = rows[0]
        off = row["worst"] is None or row["worst"] > probes.NEAR
        said = f"score at {row['bars']:,} bars of history, declares {self.subject.warm_up:,}"
        return Finding(probe="drift by warm-up", result=NOTE if off else PASS, values=row["places"], worst=row["worst"], detail=said)


def _holes(values: Array) -> list[int]:
    return [int(row) for row in np.flatnonzero(np.isnan(values[:, 3]).any(axis=1))]
