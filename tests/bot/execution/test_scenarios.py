"""The stories of docs/fill-scenarios.md, played bar by bar and in blocks; their fills are added up to the account's cash."""

import re
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from bot.events import CancelRequest, Fill, FundingPaid, OrderUpdate, Status
from bot.execution.costs import FREE, Costs
from bot.execution.simulated import Fills, SimulatedExecutor
from bot.ledger import Ledger
from bot.trader import Rules
from feeds.bars import Bars
from feeds.events import Event, Funding
from feeds.times import MINUTE, span
from tests.bot.desk import WIDE, Desk, instrument
from tests.bot.execution.test_simulated import request
from tests.builders import START

PAGE = Path(__file__).parents[3] / "docs" / "fill-scenarios.md"
FEES = Costs(spread_bps=Decimal(0), slippage_bps=Decimal(0), impact=Decimal(0))
PLENTY = 1e9
NO_BAR = (np.nan,) * 6
SUFFIX = {"s": "sl", "t": "tp"}
FILLED = re.compile(r"(\d+)([+-]\d+) (buy|sell) (\S+) @ (\S+)( maker)? fee (\S+)")
PAID = re.compile(r"funding (\S+) @ (\S+)")


class Scenario(NamedTuple):
    name: str
    given: str
    story: tuple[str, ...]
    follows: tuple[str, ...]
    sums: str


def scenarios(decisions: bool) -> list[Scenario]:
    """The blocks of the page: those of the exchange, or those of its last chapter."""
    before, after = PAGE.read_text(encoding="utf-8").split("## Decisions")
    texts = re.findall(r"^```text\n(.*?)^```", after if decisions else before, re.MULTILINE | re.DOTALL)
    found = []
    for block in "\n".join(texts).split("\n\n"):
        head, story, follows, sums = (line.strip() for line in block.strip().split("\n"))
        name, _, given = head.rstrip("]").partition(" [")
        assert follows.startswith("->"), name
        found.append(Scenario(name, given, tuple(story.split("; ")), tuple(x for x in follows[2:].strip().split("; ") if x), sums))
    return found


ALL = scenarios(False)
DECIDED = scenarios(True)


class Stage:
    """The exchange and a ledger beside it; what happens is written as the page writes it."""

    def __init__(self, given: str) -> None:
        parts = [part.split() for part in given.split(", ") if part]
        words = {part[0]: part[1:] for part in parts}

        def number(name: str, default: str) -> Decimal:
            return Decimal(words.get(name, [default])[0])

        self.timeframe = span(words.get("bars", ["1m"])[0])
        steps = {"tick": number("tick", "0.01"), "lot": number("lot", "0.001"), "least_quantity": number("least", "0.001")}
        self.symbols = ("BTCUSDT", "ETHUSDT")
        instruments = {symbol: instrument(symbol, **steps) for symbol in self.symbols}
        held = {part[2] + "USDT" if len(part) > 2 else "BTCUSDT": Decimal(part[1]) for part in parts if part[0] == "hold"}
        real = Costs() if words.get("costs") == [] else FEES
        fills = Fills(int(words.get("latency", ["0"])[0]), number("share", "1"))
        self.ledger = Ledger(Decimal(10_000), self.symbols)
        self.executor = SimulatedExecutor(instruments, FREE, Fills(0, Decimal(1)), Decimal(10_000), self.symbols)
        self.first = START // self.timeframe - bool(held)
        self.bar = 0 if held else 1
        self.log: list[str] = []
        self.names: dict[str, str] = {}
        self.waiting: list[tuple[tuple[float, ...], ...]] = []
        if held:
            for symbol, quantity in held.items():
                order = request(f"{'buy' if quantity > 0 else 'sell'} {abs(quantity)}", 0, self.now)
                order = type(order)(**{f: getattr(order, f) for f in order.__struct_fields__} | {"symbol": symbol, "id": f"held-{symbol}"})
                self.hear(self.executor.on_order(order))
            self.waiting = [((100.0, 100.0, 100.0, 100.0, PLENTY, np.nan),) * 2]
            self.flush(True)
            self.log.clear()
        self.executor.rates = SimulatedExecutor({}, real, fills, Decimal(0)).rates
        self.executor.fills = fills

    @property
    def now(self) -> int:
        """The close of the last bar."""
        return (self.first + self.bar - (1 if self.first == START // self.timeframe else 0)) * self.timeframe

    def open_ms(self, bar: int) -> int:
        return self.now + (bar - self.bar) * self.timeframe

    def hear(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Fill():
                    self.ledger.on_fill(event)
                    self.log.append(self.filled(event))
                case FundingPaid():
                    self.ledger.on_funding_paid(event)
                    self.log.append(f"funding {event.payment.normalize():f} @ {event.mark.normalize():f}")
                case OrderUpdate(status=Status.REJECTED | Status.CANCELLED):
                    name = self.names.get(event.id) or f"{self.names[event.id[:-1]]}.{SUFFIX[event.id[-1]]}"
                    self.log.append(f"{event.status.lower()} {name}")
        assert self.ledger.cashflow == self.executor.account.flow

    def filled(self, fill: Fill) -> str:
        bar = fill.filled_ms // self.timeframe - self.now // self.timeframe + self.bar
        late = fill.filled_ms % self.timeframe
        moment = f"+{late}" if late <= self.timeframe // 2 else f"-{self.timeframe - late}"
        return (
            f"{bar}{moment} {fill.side.lower()} {fill.quantity.normalize():f} @ {fill.price.normalize():f}"
            f"{' maker' if fill.maker else ''} fee {fill.fee.normalize():f}"
        )

    def play(self, story: tuple[str, ...], blocks: bool) -> None:
        for word in story:
            if word == "gap":
                self.waiting.append((NO_BAR, NO_BAR))
            elif word.startswith("bar "):
                self.waiting.append(prices(word[4:]))
            else:
                self.flush(blocks)
                self.act(word)
        self.flush(blocks)

    def flush(self, blocks: bool) -> None:
        """Settle the bars that wait: each, or only those at which the executor says that something could happen."""
        if not self.waiting:
            return
        values = np.array(self.waiting).transpose(0, 2, 1)
        bars = Bars(self.symbols, self.timeframe, self.now // self.timeframe, values)
        start, row, rows = self.bar, 0, bars.rows
        while row < rows:
            visit = self.executor.first_touch(bars, row, rows) if blocks else row
            if visit > row:
                self.ledger.skip(bars, row, visit)
                self.executor.skip(bars, row, visit)
            if visit < rows:
                for symbol in bars.present(visit):
                    candle = bars.candle(visit, symbol)
                    self.hear(self.executor.on_candle(candle))
                    self.ledger.on_candle(candle)
                visit += 1
            row = visit
        self.bar = start + rows
        self.waiting = []

    def act(self, word: str) -> None:
        symbol, text = ("ETHUSDT", word[4:]) if word.startswith("ETH ") else ("BTCUSDT", word)
        if text.startswith("funding "):
            self.fund(symbol, text.split())
        elif text.startswith("cancel"):
            wanted = text.partition(" ")[2]
            id = next((id for id, name in self.names.items() if name == wanted), "")
            self.hear(self.executor.on_cancel(CancelRequest(self.now, symbol if id else "", id, "so said the story")))
        else:
            order = request(text, len(self.names) + 1, self.now)
            self.names[order.id] = chr(ord("a") + len(self.names))
            self.hear(self.executor.on_order(order))

    def fund(self, symbol: str, words: list[str]) -> None:
        options = dict(zip(words[2::2], words[3::2], strict=True))
        hours, _, minutes = options.get("at", "0:0").partition(":")
        settle_ms = self.now + (int(hours) * 60 + int(minutes)) * MINUTE
        mark = float(options["mark"]) if "mark" in options else None
        self.hear(self.executor.on_funding(Funding(at=settle_ms, symbol=symbol, settle_ms=settle_ms, rate=float(words[1]), mark=mark)))


def prices(text: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """One bar of both symbols."""
    rows = []
    for part in text.split(" | "):
        *numbers, last = part.split()
        volume = 1000.0 if not last.startswith("v") else np.nan if last == "v?" else float(last[1:])
        found = [float(x) for x in (numbers if last.startswith("v") else [*numbers, last])]
        rows.append((*found, volume, np.nan))
    return rows[0], rows[1] if len(rows) > 1 else NO_BAR


def left(scenario: Scenario) -> tuple[Decimal, Decimal]:
    """Cash flow and position that the page's own lines add up to."""
    flow, position = Decimal(10_000), Decimal(0)
    for part in scenario.given.split(", "):
        if part.startswith("hold "):
            flow -= 100 * Decimal(part.split()[1])
            position += Decimal(part.split()[1])
    for line in scenario.follows:
        if found := FILLED.fullmatch(line):
            signed = Decimal(found[4]) * (1 if found[3] == "buy" else -1)
            flow -= signed * Decimal(found[5]) + Decimal(found[7])
            position += signed
        elif found := PAID.fullmatch(line):
            flow -= Decimal(found[1])
        else:
            assert re.fullmatch(r"(rejected|cancelled) [a-z](\.sl|\.tp)?", line), line
    return flow, position


@pytest.mark.parametrize("blocks", [False, True], ids=["by bar", "in blocks"])
@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_what_must_follow_follows(scenario: Scenario, blocks: bool) -> None:
    stage = Stage(scenario.given)
    stage.play(scenario.story, blocks)
    assert stage.log == list(scenario.follows), scenario.sums
    flow, position = left(scenario)
    assert stage.executor.account.flow == flow
    assert sum(each.quantity for each in stage.ledger.positions.values()) == position


@pytest.mark.parametrize("scenario", DECIDED, ids=lambda scenario: scenario.name)
def test_what_must_follow_from_decisions_follows(scenario: Scenario) -> None:
    rules = Rules(cool_down_bars=0, stop_loss=None, order_type="limit", limit_offset_bps=Decimal(10), limit_bars=3)
    desk = Desk(rules=rules, limits=WIDE, costs=FEES)
    sides = {"long": 1, "short": -1, "hold": 0}
    for row, word in enumerate(scenario.story):
        if word == "gap":
            continue
        text, _, side = word[4:].rpartition(" ")
        values = np.array([prices(text)]).transpose(0, 2, 1)
        candle = Bars(("BTCUSDT", "ETHUSDT"), MINUTE, START // MINUTE + row, values).candle(0, 0)
        desk.bar(candle, sides[side])
    names: dict[str, str] = {}
    log = []
    for event in desk.log:
        match event:
            case OrderUpdate(status=Status.OPEN):
                names[event.id] = chr(ord("a") + len(names))
            case OrderUpdate(status=Status.CANCELLED):
                log.append(f"cancelled {names[event.id]}")
            case Fill():
                bar = (event.filled_ms - START) // MINUTE + 1
                moment = event.filled_ms - START - bar * MINUTE
                log.append(
                    f"{bar}{moment} {event.side.lower()} {event.quantity.normalize():f} @ {event.price.normalize():f}"
                    f"{' maker' if event.maker else ''} fee {event.fee.normalize():f}"
                )
    assert log == list(scenario.follows), scenario.sums


def test_there_are_enough_of_them_and_each_has_a_name() -> None:
    names = [scenario.name for scenario in ALL + DECIDED]
    assert len(names) >= 60
    assert len(set(names)) == len(names)
