"""Events of a run with defaults, and a run to put them in."""

from decimal import Decimal

from bot.events import Denial, Fill, OrderRequest, OrderSide, OrderType, OrderUpdate, Purpose, Refusal, Status
from bot.store.journal import Journal
from bot.store.runs import Run, begin
from bot.store.store import Store
from feeds.times import MINUTE
from strategies.events import Contribution, Decision, Reason, Side
from tests.builders import START

NAN = float("nan")


def decision(
    symbol: str = "BTCUSDT", row: int = 0, *, side: Side = Side.HOLD, reason: Reason = Reason.WEAK_SCORE, score: float = 0.1,
    confidence: float = 0.5, volatility: float = NAN, contributions: tuple[Contribution, ...] = (), price: float = 100.0,
    target: float = NAN,
) -> Decision:  # fmt: skip
    bar = START + (row + 1) * MINUTE
    return Decision(
        at=bar, symbol=symbol, bar_ms=bar, side=side, reason=reason, score=score, confidence=confidence, newest_ms=bar, price=price,
        volatility=volatility, contributions=contributions, digest=f"{row:064x}", target=target,
    )  # fmt: skip


def order(id: str = "v1-A-1", row: int = 0, *, symbol: str = "BTCUSDT", stop: Decimal | None = None, take: Decimal | None = None,
          quantity: Decimal = Decimal("0.5")) -> OrderRequest:  # fmt: skip
    bar = START + (row + 1) * MINUTE
    return OrderRequest(
        at=bar, id=id, symbol=symbol, side=OrderSide.BUY, type=OrderType.MARKET, quantity=quantity, purpose=Purpose.ENTRY,
        reduce_only=False, bar_ms=bar, reference=Decimal(100), stop=stop, take=take,
    )  # fmt: skip


def update(id: str = "v1-A-1", status: Status = Status.OPEN, *, filled: Decimal = Decimal(0), at: int = START) -> OrderUpdate:
    return OrderUpdate(at=at, id=id, symbol="BTCUSDT", status=status, filled=filled)


def fill(
    exec_id: str = "e1", *, order_id: str = "v1-A-1", symbol: str = "BTCUSDT", side: OrderSide = OrderSide.BUY, price: str = "100",
    quantity: str = "0.5", fee: str = "0.0275", at: int = START, slippage: str = "0",
) -> Fill:  # fmt: skip
    return Fill(
        at=at, exec_id=exec_id, order_id=order_id, symbol=symbol, side=side, price=Decimal(price), quantity=Decimal(quantity),
        fee=Decimal(fee), maker=False, filled_ms=at, purpose=Purpose.ENTRY, slippage=Decimal(slippage),
    )  # fmt: skip


def refusal(row: int = 0, symbol: str = "BTCUSDT", code: Denial = Denial.COOL_DOWN) -> Refusal:
    bar = START + (row + 1) * MINUTE
    return Refusal(at=bar, symbol=symbol, bar_ms=bar, purpose=Purpose.ENTRY, code=code, detail="3 bars to go")


def record(decision: Decision) -> bytes:
    """What these tests feed into the digest for a decision."""
    return f"{decision.symbol}{decision.bar_ms}{decision.side}{decision.reason}{decision.score + 0.0!r};".encode()


def journal(store: Store, run: str = "r1", *, mode: str = "replay", keep_inputs: bool = False, merge_repeats: bool = False) -> Journal:
    """A run that has just begun."""
    begin(store, Run(id=run, mode=mode, started_ms=START, symbols=("BTCUSDT",)))
    return Journal(store, run, record=record, keep_inputs=keep_inputs, merge_repeats=merge_repeats)
