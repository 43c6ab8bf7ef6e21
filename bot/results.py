"""What a mode hands back: the document that `--json` prints, and the arrays behind its metrics."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from bot.events import TradingState
from bot.metrics import Metrics, measure
from bot.session import Session
from bot.shortfall import Shortfall
from bot.tape import Record
from bot.trips import round_trips


class Stopped(msgspec.Struct, frozen=True):
    """Since when trading is not ACTIVE, in UTC milliseconds, by which limit or who, and why."""

    since: int
    by: str
    reason: str


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """One document of a replay; money is a number with all its digits in JSON.

    bars     bar closes that were decided, counted once for each symbol whose bar was there
    seconds  of the run from its first block to its last; reading files, loading kernels and measuring are not in it
    slippage_parts  of `slippage`: half the spread, slippage, impact, and how far the price had moved until it was met
    command  that has the same run again, from any folder ("": nobody said)
    state    of trading at the end; when it is not ACTIVE, `stopped` says since when, by what and why
    """

    run: str
    mode: str = "replay"
    digest: str
    symbols: tuple[str, ...]
    timeframe: int
    start: int
    stop: int
    bars: int
    decisions: int
    orders: int
    fills: int
    refusals: int
    equity_start: Decimal
    equity_end: Decimal
    fees: Decimal
    funding: Decimal
    slippage: Decimal
    metrics: dict[str, Any]  # by name: numbers, None where it cannot be had, and the table by symbol
    seconds: float
    bars_per_second: float
    warnings: tuple[str, ...] = ()
    synthetic: bool = False
    data_hash: str = ""
    factors: dict[str, str] = msgspec.field(default_factory=dict)
    slippage_parts: Shortfall | None = None
    command: str = ""
    state: TradingState = TradingState.ACTIVE
    stopped: Stopped | None = None


class PaperResult(ReplayResult, frozen=True, kw_only=True):
    """The same of a paper session."""

    mode: str = "paper"


def record_of(session: Session, timeframe: int) -> Record:
    """The account and the scores at each bar close of a session that has ended, on an unbroken grid.

    What was paid since the last close, such as the funding that settles at that instant, is in the last row: it ends with what
    the ledger says.
    """
    session.tape.end(session.ledger.equity_float(), float(session.ledger.cash))
    return session.tape.record(timeframe)


def metrics_of(session: Session, timeframe: int) -> Metrics:
    """Every metric of a session that has ended, on the unbroken grid of its bar closes."""
    record = record_of(session, timeframe)
    events = session.money
    return measure(
        record.equity, timeframe, start=float(session.ledger.initial), first_close_ms=int(record.bar_ms[0]) if record.bar_ms.size else 0,
        gross=record.gross, traded=session.tape.traded(record, timeframe), trips=round_trips(events),
        costs=float(session.ledger.fees + session.ledger.funding + session.ledger.slippage),
        scores=record.score, opens=record.open, symbols=session.symbols,
    )  # fmt: skip


def result_of(session: Session, kind: type[ReplayResult], extra: Mapping[str, Any], timeframe: int, seconds: float) -> ReplayResult:
    """The document of a session; `extra` are the fields that it cannot know."""
    ledger, count, risk = session.ledger, session.counts, session.risk
    bars = count["Candle"]
    return kind(
        bars=bars, decisions=count["Decision"], orders=count["OrderRequest"], fills=count["Fill"], refusals=count["Refusal"],
        equity_start=ledger.initial, equity_end=ledger.equity(), fees=ledger.fees, funding=ledger.funding, slippage=ledger.slippage,
        metrics=msgspec.to_builtins(metrics_of(session, timeframe)), seconds=round(seconds, 6),
        bars_per_second=round(bars / seconds, 1) if seconds > 0 else 0.0, symbols=session.symbols, timeframe=timeframe, state=risk.state,
        stopped=None if risk.state is TradingState.ACTIVE else Stopped(risk.moved_ms, risk.by, risk.reason), **extra,
    )  # fmt: skip
