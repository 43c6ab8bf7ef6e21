"""`sluice status`: one screen that says how it stands."""

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bot.commands import look, options, setting
from bot.render import Out, ago, money, number, pairs, plain, signed, when
from feeds import times

if TYPE_CHECKING:
    from bot.store.reader import Reader
    from bot.store.rows import DecisionRow, RunRow

EVERY_S = 1.0


class Position(msgspec.Struct, frozen=True):
    """What is held. `mark` is the newest price that a decision knew, NaN when there is none; `unrealised` is at that price."""

    symbol: str
    quantity: Decimal
    entry: Decimal
    opened_ms: int | None
    mark: float
    mark_ms: int | None
    unrealised: float
    net: Decimal


class Feed(msgspec.Struct, frozen=True):
    feed: str
    up: bool
    at: int
    age_ms: int
    gap: int
    detail: str


class Seen(msgspec.Struct, frozen=True):
    """The newest decision on a symbol: at bar close `bar_ms`; `decision` names the row to explain."""

    decision: str
    symbol: str
    bar_ms: int
    side: str
    reason: str
    score: float
    confidence: float


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `sluice status --json`. `running`: a process holds the store; `state` is of trading, `run_state` of the run."""

    at: int
    store: str
    running: bool
    pid: int | None
    run: str
    mode: str
    run_state: str
    started_ms: int
    synthetic: bool
    state: str
    state_by: str
    state_reason: str
    equity: float | None
    equity_ms: int | None
    cash: float | None
    gross: float | None
    positions: tuple[Position, ...]
    open_orders: int
    feeds: tuple[Feed, ...]
    last: tuple[Seen, ...]


@click.command(cls=options.Command, examples=("sluice status", "sluice status --watch", "sluice status --json"))
@click.option("--watch", is_flag=True, help="Keep looking, once a second, until Ctrl-C.")
@look.at_a_run
def status(*, watch: bool, run_name: str, config_file: Path | None, store_file: Path | None, as_json: bool) -> None:
    """One screen: trading state, positions, equity, age of the feeds, last decision. Works when nothing runs, and says so.

    Exit 3 only when there is no store to look at.
    """
    if watch and as_json:
        raise click.UsageError("--watch shows a screen; for one document leave it out")
    out = Out(as_json)
    path = setting.books(config_file, store_file)
    with look.store_of(config_file, path) as reader:
        if watch:
            keep_looking(reader, path, run_name, out)
            return
        seen = status_of(reader, path, run_name, times.now())
        out.answer(seen, screen(seen, out))


def keep_looking(reader: "Reader", path: Path, run_name: str, out: Out) -> None:
    """Draw the screen again and again on a terminal; on a pipe, print it whenever something but the time has changed."""
    if not out.terminal():
        shown: Any = None  # Any: what was printed last
        while True:
            seen = status_of(reader, path, run_name, times.now())
            steady = msgspec.structs.replace(seen, at=0, feeds=())
            if steady != shown:
                out.say(*screen(seen, out), "")
                shown = steady
            time.sleep(EVERY_S)
    from rich.live import Live
    from rich.text import Text

    def drawn() -> Text:
        lines = screen(status_of(reader, path, run_name, times.now()), out)
        return Text.from_ansi("\n".join([*lines, "", "Ctrl-C stops looking."]))

    with Live(drawn(), console=out.console(), auto_refresh=False, screen=True) as live:
        while True:
            live.update(drawn(), refresh=True)
            time.sleep(EVERY_S)


def status_of(reader: "Reader", path: Path, run_name: str, now: int) -> Status:
    """How it stands at `now`. Raises NotFound when the store holds no such run."""
    from bot.lock import running

    holder = running(path)
    run = reader.run(run_name)
    state, equity = reader.state(run.id), reader.last_equity(run.id)
    last = {symbol: next(reader.decisions(run.id, symbol=symbol, newest_first=True, limit=1), None) for symbol in run.symbols}
    held = tuple(_position(row, last.get(row.symbol)) for row in reader.positions(run.id) if row.quantity)
    return Status(
        at=now, store=str(path), running=holder is not None, pid=holder.pid if holder else None, run=run.id, mode=run.mode,
        run_state=run.state, started_ms=run.started_ms, synthetic=is_synthetic(run), state=state.state.value, state_by=state.by,
        state_reason=state.reason, equity=equity.equity if equity else None, equity_ms=equity.bar_ms if equity else None,
        cash=equity.cash if equity else None, gross=equity.gross if equity else None, positions=held,
        open_orders=len(reader.orders(run.id, open_only=True)),
        feeds=tuple(Feed(f.feed, f.up, f.at, max(0, now - f.at), f.gap, f.detail) for f in reader.feeds(run.id)),
        last=tuple(_seen(row) for row in last.values() if row is not None),
    )  # fmt: skip


def is_synthetic(run: "RunRow") -> bool:
    """Whether the market of a run was made up: always in the demo, else as the run says of itself."""
    return run.mode == "demo" or json.loads(run.summary or "{}").get("synthetic") is True


def _position(row: Any, last: "DecisionRow | None") -> Position:  # Any: a PositionRow
    mark = last.first.price if last is not None else float("nan")
    mark_ms = last.first.bar_ms if last is not None else None
    gain = (mark - float(row.entry)) * float(row.quantity)
    return Position(row.symbol, row.quantity, row.entry, row.opened_ms, mark, mark_ms, gain, row.net)


def _seen(row: "DecisionRow") -> Seen:
    first = row.first
    score = row.last_score if row.bars > 1 else first.score
    return Seen(f"D-{row.seq}", first.symbol, row.until_ms, first.side.value, first.reason.value, score, first.confidence)


def screen(s: Status, out: Out) -> list[str]:
    """The one screen."""
    colour = {"ACTIVE": "green", "REDUCING": "yellow", "HALTED": "red"}[s.state]
    process = f"running, process {s.pid}" if s.running else f"not running ({s.run_state})"
    why = f"  by {plain(s.state_by)}: {plain(s.state_reason)}" if s.state_by else ""
    rows = [
        ("bot", f"{process}  {s.store}"),
        ("run", f"{s.run}  {s.mode}{'  SYNTHETIC market' if s.synthetic else ''}  since {when(s.started_ms, s.at)}"),
        ("state", f"{s.state}{why}"),
    ]
    if s.equity is not None and s.equity_ms is not None:
        rows.append(("equity", f"{money(s.equity)}  cash {money(s.cash)}  gross {money(s.gross)}  at {when(s.equity_ms, s.at)}"))
    else:
        rows.append(("equity", "not known: no bar has closed yet"))
    rows.append(("orders", f"{s.open_orders} open"))
    lines = pairs(rows)
    lines[2] = lines[2].replace(s.state, out.style(s.state, colour, "bold"), 1)
    return [*lines, "", *_positions(s, out), "", *_decisions(s, out), *_feeds(s, out)]


def _positions(s: Status, out: Out) -> list[str]:
    if not s.positions:
        return ["no open position"]
    head = ("POSITION", "QUANTITY", "ENTRY", "MARK", "UNREALISED", "OPENED")
    rows = [
        (p.symbol, f"{p.quantity:+f}", number(round(p.entry, 8)), number(p.mark), money(p.unrealised), ago(p.opened_ms or s.at, s.at))
        for p in s.positions
    ]
    return out.table(head, rows, right=(1, 2, 3, 4))


def _decisions(s: Status, out: Out) -> list[str]:
    if not s.last:
        return ["no decision yet"]
    head = ("LAST DECISION", "SYMBOL", "SCORE", "CONF", "VIEW", "REASON", "BAR CLOSED")
    rows = [(d.decision, d.symbol, signed(d.score, 2), f"{d.confidence:.2f}", d.side, d.reason, when(d.bar_ms, s.at)) for d in s.last]
    return out.table(head, rows, right=(2, 3))


def _feeds(s: Status, out: Out) -> list[str]:
    if not s.feeds:
        return []
    head = ("FEED", "STATE", "LAST WORD", "MISSING", "DETAIL")
    rows = [(f.feed, "up" if f.up else "DOWN", ago(f.at, s.at), str(f.gap), plain(f.detail, 60)) for f in s.feeds]
    return ["", *out.table(head, rows, right=(3,))]
