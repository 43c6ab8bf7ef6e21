"""What a running session looks like: one line for each thing worth knowing, and on a terminal a panel that stays below them.

Lines and panel are made from the events alone, so they are the same for paper and demo, and a test can say what they are.
"""

from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from bot.events import Fill, FundingPaid, OrderRequest, OrderSide, Refusal, Started, StateChanged
from bot.render import Out, clock, money, number, plain, signed, table
from feeds import times
from feeds.events import Candle, Event, FeedStatus, Metric, News
from strategies.events import BarClosed, Decision, Side

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

REDRAW = 200  # milliseconds between two drawings of the panel
EVERY = 15 * times.MINUTE  # of market time, between two lines that say that all is well


class Tally(msgspec.Struct):
    """The session so far, as its events tell it. `equity` is for the eye; the ledger keeps the books."""

    cash: float
    run: str = ""
    mode: str = ""
    state: str = "ACTIVE"
    begin: int = 0
    at: int = 0
    bars: int = 0
    decisions: int = 0
    orders: int = 0
    fills: int = 0
    refusals: int = 0
    positions: dict[str, Decimal] = msgspec.field(default_factory=dict)
    marks: dict[str, float] = msgspec.field(default_factory=dict)
    views: dict[str, Decision] = msgspec.field(default_factory=dict)
    feeds: dict[str, FeedStatus] = msgspec.field(default_factory=dict)
    headline: str = ""

    @property
    def equity(self) -> float:
        """Cash and positions at their marks."""
        return self.cash + sum(float(q) * self.marks.get(symbol, 0.0) for symbol, q in self.positions.items())

    def hear(self, event: Event) -> None:
        """Count the event in."""
        if not isinstance(event, Started):
            self.at = max(self.at, event.at)
        match event:
            case Candle():
                self.marks[event.symbol] = event.close
            case BarClosed():
                self.bars += 1
            case Decision():
                self.decisions += 1
                self.views[event.symbol] = event
            case OrderRequest():
                self.orders += 1
            case Refusal():
                self.refusals += 1
            case Fill():
                self._fill(event)
            case FundingPaid():
                self.cash -= float(event.payment)
            case StateChanged():
                self.state = event.state.value
            case FeedStatus():
                self.feeds[event.feed] = event
            case News():
                self.headline = plain(event.title, 100)
            case Started():
                self.run, self.mode, self.begin = event.run, event.mode, event.at
            case _:
                pass

    def _fill(self, fill: Fill) -> None:
        self.fills += 1
        moved = fill.quantity if fill.side is OrderSide.BUY else -fill.quantity
        held = self.positions.get(fill.symbol, Decimal(0)) + moved
        self.cash -= float(moved * fill.price + fill.fee)
        if held:
            self.positions[fill.symbol] = held
        else:
            self.positions.pop(fill.symbol, None)


class Watch:
    """Tells a terminal or a pipe what a session does. Give it every event; use it as a context manager."""

    def __init__(self, out: Out, cash: float) -> None:
        self.out = out
        self.tally = Tally(cash=cash)
        self._refused: dict[str, str] = {}
        self._spoke = 0
        self._drawn = 0
        self._console: Console | None = None
        self._live: Live | None = None

    def __enter__(self) -> "Watch":
        if self.out.terminal():
            from rich.live import Live

            self._console = self.out.console()
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, event: Event, number: int) -> None:
        """Count the event, print its line if it has one, and redraw the panel when it is time.

        number  the event's place in the journal
        """
        self.tally.hear(event)
        line = self.line(event) if event.at >= self.tally.begin else ""  # what came before only warms up
        if line:
            self._print(f"{clock(event.at)[5:]}  {line}")
        if self._live is not None and times.now() - self._drawn >= REDRAW:
            self._drawn = times.now()
            self._live.update(self._panel(), refresh=True)

    def line(self, event: Event) -> str:
        """What is worth saying about an event; empty for most."""
        match event:
            case OrderRequest():
                return self._order(event)
            case Fill():
                done = "bought" if event.side is OrderSide.BUY else "sold"
                price = f"{number(event.quantity)} @ {number(event.price)}"
                return f"fill   {event.symbol:<9} {done} {price}   fee {money(event.fee, 4)}   {event.purpose.value}"
            case Refusal():
                return self._refusal(event)
            case News():
                about = " ".join(map(plain, event.symbols)) or "market"
                scored = signed(float("nan") if event.sentiment is None else event.sentiment, 2)
                return f'{"news" if event.kind == "news" else "social":<6} "{plain(event.title, 90)}"  {scored}   {about}'
            case Metric():
                return f"chain  {plain(event.symbol or 'market'):<9} {plain(event.name)} {event.value:,.6g}"
            case FundingPaid():
                return f"fund   {event.symbol:<9} rate {event.rate:+.6f}   paid {money(event.payment, 4)}"
            case StateChanged():
                return f"state  {event.state.value}   by {plain(event.by)}: {plain(event.reason)}"
            case FeedStatus():
                gap = f"   {event.gap} bars missing" if event.gap else ""
                return f"feed   {plain(event.feed)} {'up' if event.up else 'DOWN'}   {plain(event.detail)}{gap}".rstrip()
            case BarClosed() if event.bar_ms // EVERY != self._spoke:
                self._spoke = event.bar_ms // EVERY
                done = f"{self.tally.decisions:,} decisions, {self.tally.fills} fills"
                return f"book   equity {money(self.tally.equity)}   {self._held()}   {done}"
            case _:
                return ""

    def _order(self, order: OrderRequest) -> str:
        self._refused.pop(order.symbol, None)
        at = f"{order.side.value.lower()} {number(order.quantity)} @ {number(order.price or order.reference)}"
        stop = f"   stop {number(order.stop)}" if order.stop is not None else ""
        view = self.tally.views.get(order.symbol)
        if view is None or view.bar_ms != order.bar_ms:
            return f"order  {order.symbol:<9} {at}   {order.purpose.value}{stop}"
        side = view.side.value if view.side is not Side.HOLD else order.purpose.value
        return f"bar    {order.symbol:<9} score {signed(view.score, 2)} conf {view.confidence:.2f}   {side:<5}  {at}{stop}"

    def _refusal(self, refusal: Refusal) -> str:
        """Said once until something else happens: a limit that holds for an hour refuses at every bar."""
        if self._refused.get(refusal.symbol) == refusal.code.value:
            return ""
        self._refused[refusal.symbol] = refusal.code.value
        return f"refuse {refusal.symbol:<9} {refusal.purpose.value} {refusal.code.value}   {plain(refusal.detail)}"

    def _held(self) -> str:
        return "  ".join(f"{symbol} {held:+f}" for symbol, held in sorted(self.tally.positions.items())) or "flat"

    def _print(self, line: str) -> None:
        if self._console is not None:
            self._console.print(line, soft_wrap=True)
        else:
            self.out.say(line)

    def _panel(self) -> "Text":
        from rich.text import Text

        tally = self.tally
        if tally.at < tally.begin:
            return Text(f"{tally.mode} {tally.run}  warming up  {clock(tally.at)}")
        head = f"{tally.mode} {tally.run}  {tally.state}  {clock(tally.at)}Z  equity {money(tally.equity)}"
        counts = f"{tally.bars:,} bars  {tally.decisions:,} decisions  {tally.orders} orders  {tally.fills} fills  {tally.refusals} refused"
        held = tally.positions
        rows = [
            (
                name,
                money(tally.marks.get(name)),
                signed(v.score, 2),
                signed(v.confidence, 2),
                v.side.value,
                f"{held.get(name, Decimal(0)):+f}",
            )
            for name, v in sorted(tally.views.items())
        ]
        head_of = ("SYMBOL", "MARK", "SCORE", "CONF", "VIEW", "POSITION")
        grid = table(head_of, rows, right=(1, 2, 3, 5)) if rows else ["waiting for the first bar close"]
        down = [f"feed {plain(name)} is down: {plain(status.detail)}" for name, status in sorted(tally.feeds.items()) if not status.up]
        return Text("\n".join([head, *grid, counts, *down]), no_wrap=True, overflow="ellipsis")


def interrupted(tally: Tally) -> dict[str, Any]:  # Any: the document's values are of several kinds
    """The document of a session that was stopped by a signal."""
    return {
        "run": tally.run, "interrupted": True, "bars": tally.bars, "decisions": tally.decisions, "orders": tally.orders,
        "fills": tally.fills, "equity_end": tally.equity,
    }  # fmt: skip
