"""The strategy engine: events in, decisions out.

It works on blocks of bars: `look` computes everything that will be decided over a block, and is called with whole blocks in a
replay and with one bar when it trades. No operator can see ahead, so both give the same bits. Bars that closed before the
session began only warm it up.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from feeds.bars import CLOSE, COLUMNS, Array, Bars, Block
from feeds.events import Candle, Event, Funding, Tick
from feeds.times import Millis
from strategies.decision import REASON_OF, SIDE_OF, Codes, Thresholds, digest, record_bytes, record_type
from strategies.events import BarClosed, Contribution, Decision, Reason, Side
from strategies.factors import Machine, Node, compile_factors, parse
from strategies.factors.swap import carry_over
from strategies.fusion import Fusion, Weighted
from strategies.hook import HookPlan
from strategies.signals import Signal, graphs
from strategies.snapshot import Ageing, Assembler
from strategies.stage import FusedStage, HookStage, Stage

TARGET, VOLATILITY = "target", "volatility"


class Plan(NamedTuple):
    """What to look at, and when to act.

    volatility_bars  bars of the volatility that sizes positions, annualised on a 365-day year
    grace_ms         how long a late symbol is waited for
    stale_ms         a bar that comes later than this after its close is not acted on
    fusion           of the signals; Weighted by their weights when not given
    target           signed fraction of equity to hold, which counts at every `rebalance`th bar close since 1970
    hook             a strategy that decides by itself: the signals are the factors that it sees
    warm_up          bars that the strategy needs before its first decision, beside those of its graphs
    """

    signals: tuple[Signal, ...]
    thresholds: Thresholds = Thresholds()
    ageing: Ageing = Ageing()
    volatility_bars: int = 1440
    grace_ms: Millis = 2_000
    stale_ms: Millis = 30_000
    fusion: Fusion | None = None
    target: Node | None = None
    rebalance: int = 1
    hook: HookPlan | None = None
    warm_up: int = 0


class View(NamedTuple):
    """What a block of bars leads to. Arrays are [T, S]; `values`, `confidences`, `parts` are [T, signal, S].

    side int8: +1 LONG, -1 SHORT, 0 HOLD; reason int8: the code of `decision.REASON_OF`
    target   signed fraction of equity to hold, NaN where there is no wish; where there is one, `side` is its sign
    records  the bytes of each decision, as `decision.record_type`
    """

    bars: Bars
    names: tuple[str, ...]
    weights: tuple[float, ...]
    side: Codes
    reason: Codes
    score: Array
    confidence: Array
    volatility: Array
    target: Array
    present: NDArray[np.bool_]
    newest: NDArray[np.int64]
    values: Array
    confidences: Array
    parts: Array
    records: NDArray[np.void]

    def decision(self, row: int, symbol: int, at: Millis | None = None) -> Decision:
        """The decision of one bar and symbol as an event; `at` is when it was made (the bar's close if not given)."""
        columns = zip(
            self.names, self.values[row, :, symbol].tolist(), self.confidences[row, :, symbol].tolist(), self.weights,
            self.parts[row, :, symbol].tolist(), strict=True,
        )  # fmt: skip
        bare = self.bare_decision(row, symbol)
        return replace(
            bare, at=bare.at if at is None else at, contributions=tuple(Contribution(*column) for column in columns),
            digest=digest(self.records[row, symbol].tobytes()),
        )  # fmt: skip

    def bare_decision(self, row: int, symbol: int) -> Decision:
        """The same, made at the bar's close, without its contributions and its digest."""
        close = self.bars.close_ms(row)
        return Decision(
            close, self.bars.symbols[symbol], close, SIDE_OF[self.side.item(row, symbol)], REASON_OF[self.reason.item(row, symbol)],
            self.score.item(row, symbol), self.confidence.item(row, symbol), self.newest.item(row, symbol),
            self.bars.values.item(row, CLOSE, symbol), self.volatility.item(row, symbol), (), "",
            self.target.item(row, symbol),
        )  # fmt: skip


class StrategyEngine:
    """From events to decisions for a fixed universe of symbols."""

    def __init__(self, plan: Plan, symbols: Sequence[str], timeframe: Millis, fusion: Fusion | None = None) -> None:
        """fusion  Weighted by the signals' weights when not given"""
        self._symbols = tuple(symbols)
        self._timeframe = timeframe
        self._follow(plan, fusion)
        self._since = -1
        self._next: int | None = None
        self._ahead: View | None = None
        self._completing: list[int] = []  # of the block ahead: the symbol whose candle is the last of each row
        self._waiting: dict[str, Candle] = {}
        self._heard: list[Event] = []
        self.seen: View | None = None  # the newest bar close of a session that works bar by bar

    def _follow(self, plan: Plan, fusion: Fusion | None) -> None:
        outputs: dict[str, Node] = graphs(plan.signals)
        if plan.target is not None:
            outputs[TARGET] = plan.target
        outputs[VOLATILITY] = parse(f"realized_vol_{plan.volatility_bars}", timeframe=self._timeframe, fields=COLUMNS)
        self._plan = plan
        self._stage = self._staged(plan, fusion)
        self.program = compile_factors(outputs, timeframe=self._timeframe, fields=(*COLUMNS, *_slow_fields(outputs)))
        self._machine = Machine(self.program, len(self._symbols))
        self._assembler = Assembler(self._symbols, self.program.fields, plan.ageing)
        self._record = record_type(len(self._stage.names))

    def _staged(self, plan: Plan, fusion: Fusion | None) -> Stage:
        names = tuple(signal.name for signal in plan.signals)
        if plan.hook is not None:
            return HookStage(plan.hook.begin(self._symbols, names, self._timeframe), names)
        fusion = fusion or plan.fusion or Weighted([signal.weight for signal in plan.signals])
        return FusedStage(plan.signals, fusion, plan.thresholds, targets=plan.target is not None, rebalance=plan.rebalance)

    @property
    def warm_up(self) -> int:
        """Bars before the first decision that make every value what it had always been."""
        return max(self.program.warm_up, self._plan.warm_up)

    def swap(self, plan: Plan, history: Iterable[Block], fusion: Fusion | None = None) -> None:
        """Decide by another plan from the next bar close on.

        history  the blocks of bars before that close, with what became known in them: self.program.warm_up bars of the new plan make
                 every new value what it had always been. Signals that stay go on bit for bit, whatever the history
        Raises ValueError where the history does not end at the next bar, RuntimeError while decisions were computed ahead; then
        nothing has changed.
        """
        if self._ahead is not None:
            raise RuntimeError("a plan is swapped at a bar boundary, not within a block that was looked at ahead")
        fresh = StrategyEngine(plan, self._symbols, self._timeframe, fusion)
        for block in history:
            fresh.begin(self._since)
            fresh.look(block)
        if fresh._machine.bar != self._next and not (fresh._machine.bar is None and self._next is not None):
            raise ValueError(f"the history ends before bar {fresh._machine.bar}, and bar {self._next} comes next")
        if self._next is not None:
            fresh._machine.bar = self._next
            carry_over(self._machine, fresh._machine)
            fresh._assembler.carry_over(self._assembler)
        self.program, self._machine, self._assembler = fresh.program, fresh._machine, fresh._assembler
        self._plan, self._stage, self._record = plan, fresh._stage, fresh._record

    def begin(self, since: Millis) -> None:
        """Bars that closed at or before `since` only warm up; from the next one on there are decisions."""
        self._since = since

    def look(self, block: Block) -> View:
        """Everything that a block of bars leads to; blocks must follow one another without a hole."""
        bars = block.bars
        columns = self._assembler.columns(bars, block.others)
        outputs = self._machine.run(columns.values, bars.first)
        self._next = bars.first + bars.rows
        present = ~np.isnan(bars.values[:, CLOSE, :])
        judged = self._stage.judge(bars, outputs, present, self._since)
        closes = (np.arange(bars.first, bars.first + bars.rows, dtype=np.int64) + 1) * bars.timeframe
        newest = np.maximum(columns.newest, np.where(present, closes[:, None], 0))
        view = View(
            bars, self._stage.names, self._stage.weights, judged.side, judged.reason, judged.score, judged.confidence, outputs[:, -1, :],
            judged.target, present, newest, judged.values, judged.confidences, judged.parts, np.empty(0, self._record),
        )  # fmt: skip
        return view._replace(records=self._records(view, closes))

    def look_ahead_of(self, view: View | None) -> None:
        """Answer the bars of this block from what was computed for it; None: compute each bar as it comes.

        Decisions from a view carry no contributions and no digest: whoever writes them down has the view.
        """
        self._ahead = view
        self._completing = [] if view is None else (len(self._symbols) - 1 - view.present[:, ::-1].argmax(axis=1)).tolist()

    def on_candle(self, candle: Candle) -> list[Event]:
        """Keep the bar; once the last symbol of its close is in, say so and decide."""
        if self._ahead is not None:
            return self._answer_ahead(self._ahead, candle)
        events: list[Event] = []
        if self._waiting and next(iter(self._waiting.values())).close_ms != candle.close_ms:
            events = self._complete(candle.at)
        if self._next is not None and candle.open_ms < self._next * self._timeframe:
            return events  # a bar of a close that has been decided
        self._waiting[candle.symbol] = candle
        if len(self._waiting) == len(self._symbols):
            events += self._complete(candle.at)
        return events

    def on_known(self, event: Event) -> None:
        """A metric, a story or a funding rate: known from now on."""
        if self._ahead is None:
            self._heard.append(event)

    def on_tick(self, tick: Tick) -> list[Event]:
        """Stop waiting for symbols that are too late."""
        if self._waiting:
            close = next(iter(self._waiting.values())).close_ms
            if tick.at >= close + self._plan.grace_ms:
                return self._complete(tick.at)
        return []

    def _answer_ahead(self, view: View, candle: Candle) -> list[Event]:
        row = candle.open_ms // self._timeframe - view.bars.first
        close = candle.close_ms
        if candle.symbol != self._symbols[self._completing[row]] or close <= self._since:
            return []
        return [BarClosed(close, close), *(view.bare_decision(row, symbol) for symbol in range(len(self._symbols)))]

    def _complete(self, at: Millis) -> list[Event]:
        candles, self._waiting = self._waiting, {}
        open_ms = next(iter(candles.values())).open_ms
        index = open_ms // self._timeframe
        first = index if self._next is None else self._next
        values = np.full((index - first + 1, len(COLUMNS), len(self._symbols)), np.nan)
        for place, symbol in enumerate(self._symbols):
            bar = candles.get(symbol)
            if bar is not None:
                turnover = math.nan if bar.turnover is None else bar.turnover
                values[-1, :, place] = (bar.open, bar.high, bar.low, bar.close, bar.volume, turnover)
        close = (index + 1) * self._timeframe
        known = [(max(0, _before(e, self._timeframe) - first - 1), e) for e in self._heard if e.at <= close]
        self._heard = [event for event in self._heard if event.at > close]
        self.seen = view = self.look(Block(Bars(self._symbols, self._timeframe, first, values), known))
        return self._decisions(view, view.bars.rows - 1, at)

    def _decisions(self, view: View, row: int, at: Millis) -> list[Event]:
        close = view.bars.close_ms(row)
        if close <= self._since:
            return []
        made = [view.decision(row, symbol, at) for symbol in range(len(self._symbols))]
        if at - close > self._plan.stale_ms:
            made = [self._too_late(decision, symbol) for symbol, decision in enumerate(made)]
        return [BarClosed(at=at, bar_ms=close), *made]

    def _too_late(self, decision: Decision, symbol: int) -> Decision:
        late = replace(decision, side=Side.HOLD, reason=Reason.STALE, target=math.nan)
        return replace(late, digest=digest(record_bytes(late, symbol)))

    def _records(self, view: View, closes: NDArray[np.int64]) -> NDArray[np.void]:
        records = np.zeros(view.side.shape, self._record)
        records["bar_ms"] = closes[:, None]
        records["newest_ms"] = view.newest
        records["symbol"] = np.arange(len(self._symbols), dtype=np.int32)
        records["side"], records["reason"] = view.side, view.reason
        for name, column in (
            ("score", view.score), ("confidence", view.confidence), ("price", view.bars.values[:, CLOSE, :]),
            ("volatility", view.volatility), ("target", view.target),
            ("contributions", view.parts.transpose(0, 2, 1)),
        ):  # fmt: skip
            # one NaN is as good as another and so is one zero, but their bits differ
            field, missing = records[name], np.isnan(column)
            np.add(column, 0.0, out=field)
            if missing.any():
                field[missing] = np.nan
        return records


def _before(event: Event, timeframe: Millis) -> int:
    """The bar close, counted since 1970, before which an event is known; funding settles after the bar that closes at its instant."""
    return event.at // timeframe + 1 if isinstance(event, Funding) else -(-event.at // timeframe)


def _slow_fields(outputs: Mapping[str, Node]) -> list[str]:
    """The fields of these graphs that are no column of a bar, in a fixed order."""
    found: set[str] = set()
    for node in outputs.values():
        found |= set(node.inputs())
    return sorted(found - set(COLUMNS))
