"""What is read back from a store, as frozen values: money is Decimal again, NULL evidence is NaN again."""

import math
import struct
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from bot.errors import CheckFailed
from bot.events import Denial, Fill, FundingPaid, OrderSide, OrderType, Purpose, Refusal, Status, TradingState, Verb
from strategies.events import Contribution, Decision, Reason, Side

NAN = Decimal("NaN")
_json = msgspec.json.Decoder().decode

Columns = Sequence[Any]  # values as SQLite gives them: int, float, str, bytes or None


class RunRow(msgspec.Struct, frozen=True):
    """A run. `state` is running, finished, interrupted or failed; a run whose process is gone is interrupted.

    config, summary  JSON as it was written; digest, chain  None until the run has ended
    arguments        what has the run again, JSON
    """

    id: str
    mode: str
    state: str
    started_ms: int
    ended_ms: int | None
    config: str
    config_hash: str
    seed: int
    symbols: tuple[str, ...]
    timeframe: int
    data_hash: str
    versions: dict[str, str]
    digest: str | None
    chain: str | None
    summary: str | None
    arguments: str = "{}"


class DecisionRow(msgspec.Struct, frozen=True):
    """`first` is the decision itself; it went on being the same for `bars` bar closes, until `until_ms`, with score `last_score`."""

    seq: int
    cause: int
    first: Decision
    until_ms: int
    bars: int
    last_score: float
    chain: str


class OrderRow(msgspec.Struct, frozen=True):
    """An order as it was asked for, and what has become of it: `status`, `filled` (base units), `detail`, as of `updated_ms`."""

    seq: int
    cause: int
    at: int
    id: str
    symbol: str
    side: OrderSide
    type: OrderType
    quantity: Decimal
    purpose: Purpose
    reduce_only: bool
    bar_ms: int
    reference: Decimal
    price: Decimal | None
    trigger: Decimal | None
    post_only: bool
    stop: Decimal | None
    take: Decimal | None
    status: Status
    filled: Decimal
    updated_ms: int
    detail: str


class UpdateRow(msgspec.Struct, frozen=True):
    """One step in the life of an order."""

    seq: int
    cause: int
    at: int
    id: str
    symbol: str
    status: Status
    filled: Decimal
    detail: str


class CancelRow(msgspec.Struct, frozen=True):
    """An order was to be taken back (`id` empty: all of the symbol; `symbol` empty: all)."""

    seq: int
    cause: int
    at: int
    symbol: str
    id: str
    detail: str


class FillRow(msgspec.Struct, frozen=True):
    seq: int
    cause: int
    fill: Fill


class FundingRow(msgspec.Struct, frozen=True):
    seq: int
    cause: int
    paid: FundingPaid


class RefusalRow(msgspec.Struct, frozen=True):
    seq: int
    cause: int
    refusal: Refusal


class StateRow(msgspec.Struct, frozen=True):
    """The trading state from `at` on. `seq` 0: nothing has moved it."""

    seq: int
    cause: int
    at: int
    state: TradingState
    by: str
    reason: str


class EquityPoint(msgspec.Struct, frozen=True):
    """The account at a bar close, quote currency; gross and net are position notionals."""

    bar_ms: int
    equity: float
    cash: float
    gross: float
    net: float


class FeedRow(msgspec.Struct, frozen=True):
    """A feed as it was last heard of; `gap` counts all bars that it missed and could not be had."""

    feed: str
    at: int
    up: bool
    detail: str
    gap: int


class CommandRow(msgspec.Struct, frozen=True):
    """The operator's word; `done_at` None means that nobody has obeyed yet. `outcome`: "obeyed", or why not."""

    id: int
    at: int
    verb: Verb
    reason: str
    cancel: bool
    flatten: bool
    done_at: int | None
    run: str | None
    outcome: str | None


class Consequences(msgspec.Struct, frozen=True):
    """What followed from one event: its orders, refusals and cancels, and what became of those orders."""

    orders: list[OrderRow]
    refusals: list[RefusalRow]
    cancels: list[CancelRow]
    updates: list[UpdateRow]
    fills: list[FillRow]


class WhyNot(msgspec.Struct, frozen=True):
    """bars: bar closes times symbols; traded: those that led to an order; counts: the others by reason, most frequent first."""

    bars: int
    traded: int
    counts: dict[str, int]


def read_decision(columns: Columns, names: str) -> Decision:
    """A Decision from the values of `chain.LINKED` and the names of its signals."""
    (_, _, at, bar_ms, _, _, symbol, side, reason, score, _, confidence, newest_ms, price, volatility, contributions, digest, target) = (
        columns
    )
    return Decision(
        at=at, symbol=symbol, bar_ms=bar_ms, side=Side(side), reason=Reason(reason), score=known(score), confidence=known(confidence),
        newest_ms=newest_ms, price=known(price), volatility=known(volatility),
        contributions=_contributions(contributions, names), digest=digest.hex(), target=known(target),
    )  # fmt: skip


def _contributions(packed: bytes, text: str) -> tuple[Contribution, ...]:
    """What `chain.contributions_bytes` wrote."""
    names = names_of(text)
    numbers = struct.unpack(f"<{4 * len(names)}d", packed)
    rows = (numbers[i : i + len(names)] for i in range(0, len(numbers), max(1, len(names))))
    return tuple(Contribution(*parts) for parts in zip(names, *rows, strict=True)) if names else ()


@lru_cache(maxsize=64)
def names_of(text: str) -> tuple[str, ...]:
    """What `chain.names_text` wrote."""
    return tuple(_json(text))


def known(value: float | None) -> float:
    """NULL evidence is NaN."""
    return math.nan if value is None else value


def money(text: str) -> Decimal:
    """An amount as it was written. Raises CheckFailed for anything else: the books were changed by another hand."""
    try:
        found = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        found = NAN
    if not found.is_finite():
        raise CheckFailed(
            f"the store holds {text!r} where an amount must stand: its rows were changed after they were written; restore a copy"
        )
    return found


def amount(text: str | None) -> Decimal | None:
    """NULL money does not apply."""
    return None if text is None else money(text)


def run_row(c: Columns) -> RunRow:
    return RunRow(
        id=c[0], mode=c[1], state=c[2], started_ms=c[3], ended_ms=c[4], config=c[5], config_hash=c[6], seed=c[7],
        symbols=tuple(_json(c[8])), timeframe=c[9], data_hash=c[10], versions=_json(c[11]), digest=c[12], chain=c[13], summary=c[14],
        arguments=c[15],
    )  # fmt: skip


def decision_row_of(c: Columns) -> DecisionRow:
    """From the values of `chain.LINKED`, the names of the signals, and the link."""
    return DecisionRow(c[0], c[1], read_decision(c[:-2], c[-2]), c[4], c[5], known(c[10]), c[-1].hex())


def order_row(c: Columns) -> OrderRow:
    return OrderRow(
        seq=c[0], cause=c[1], at=c[2], id=c[3], symbol=c[4], side=OrderSide(c[5]), type=OrderType(c[6]), quantity=money(c[7]),
        purpose=Purpose(c[8]), reduce_only=bool(c[9]), bar_ms=c[10], reference=money(c[11]), price=amount(c[12]),
        trigger=amount(c[13]), post_only=bool(c[14]), stop=amount(c[15]), take=amount(c[16]), status=Status(c[17]),
        filled=money(c[18]), updated_ms=c[19], detail=c[20],
    )  # fmt: skip


def update_row(c: Columns) -> UpdateRow:
    return UpdateRow(c[0], c[1], c[2], c[3], c[4], Status(c[5]), money(c[6]), c[7])


def cancel_row(c: Columns) -> CancelRow:
    return CancelRow(*c)


def fill_row(c: Columns) -> FillRow:
    fill = Fill(
        at=c[2], exec_id=c[3], order_id=c[4], symbol=c[5], side=OrderSide(c[6]), price=money(c[7]), quantity=money(c[8]),
        fee=money(c[9]), maker=bool(c[10]), filled_ms=c[11], purpose=Purpose(c[12]), slippage=money(c[13]),
    )  # fmt: skip
    return FillRow(c[0], c[1], fill)


def funding_row(c: Columns) -> FundingRow:
    paid = FundingPaid(at=c[2], symbol=c[3], settle_ms=c[4], rate=known(c[5]), quantity=money(c[6]), mark=money(c[7]), payment=money(c[8]))
    return FundingRow(c[0], c[1], paid)


def refusal_row(c: Columns) -> RefusalRow:
    return RefusalRow(c[0], c[1], Refusal(at=c[2], symbol=c[3], bar_ms=c[4], purpose=Purpose(c[5]), code=Denial(c[6]), detail=c[7]))


def state_row(c: Columns) -> StateRow:
    return StateRow(c[0], c[1], c[2], TradingState(c[3]), c[4], c[5])


def equity_point(c: Columns) -> EquityPoint:
    return EquityPoint(c[0], *map(known, c[1:]))


def feed_row(c: Columns) -> FeedRow:
    return FeedRow(c[0], c[1], bool(c[2]), c[3], c[4])


def command_row(c: Columns) -> CommandRow:
    return CommandRow(c[0], c[1], Verb(c[2]), c[3], bool(c[4]), bool(c[5]), c[6], c[7], c[8])
