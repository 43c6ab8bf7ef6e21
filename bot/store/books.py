"""Positions and profit, worked out again from fills and funding alone: a second opinion on the ledger.

A position's entry is the mean price of what is held; a fill that reduces it realises (price - entry) x quantity x direction.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from bot.events import OrderSide
from bot.store.rows import FillRow, FundingRow
from feeds.times import DAY, iso

ZERO = Decimal(0)


class PositionRow(msgspec.Struct, frozen=True):
    """What is held of a symbol, and what it has earned so far. Quote currency; `quantity` signed, base units.

    entry       mean price of what is held (0 when flat); opened_ms  since when (None when flat)
    net         realised - fees - funding
    """

    symbol: str
    quantity: Decimal
    entry: Decimal
    opened_ms: int | None
    realised: Decimal
    fees: Decimal
    funding: Decimal

    @property
    def net(self) -> Decimal:
        return self.realised - self.fees - self.funding


class ProfitRow(msgspec.Struct, frozen=True):
    """Profit of a day or a symbol (`key`), quote currency. `traded` is the notional of its fills, `slippage` what they lost against
    their references (contained in `realised`)."""

    key: str
    fills: int
    traded: Decimal
    realised: Decimal
    fees: Decimal
    funding: Decimal
    slippage: Decimal

    @property
    def net(self) -> Decimal:
        return self.realised - self.fees - self.funding


class _Book:
    """One symbol: `cost` is signed quantity times entry, exact as long as nothing is reduced."""

    __slots__ = ("cost", "fees", "funding", "opened_ms", "quantity", "realised")

    def __init__(self) -> None:
        self.quantity = self.cost = self.realised = self.fees = self.funding = ZERO
        self.opened_ms: int | None = None

    def fill(self, row: FillRow) -> Decimal:
        """Book it; returns what it realised, before its fee."""
        fill = row.fill
        signed = fill.quantity if fill.side is OrderSide.BUY else -fill.quantity
        self.fees += fill.fee
        closed = ZERO
        if self.quantity * signed < 0:
            closed = min(abs(signed), abs(self.quantity)).copy_sign(signed)
        realised = ZERO
        if closed:
            freed = self.cost if closed == -self.quantity else self.cost * closed / -self.quantity
            realised = -closed * fill.price - freed
            self.cost -= freed
        opened = signed - closed
        if opened and self.quantity + closed == 0:
            self.opened_ms = fill.filled_ms
        self.cost += opened * fill.price
        self.quantity += signed
        if self.quantity == 0:
            self.cost, self.opened_ms = ZERO, None
        self.realised += realised
        return realised


def positions(fills: Iterable[FillRow], funding: Iterable[FundingRow]) -> list[PositionRow]:
    """Every symbol that was ever traded, by name; flat ones have quantity 0."""
    books: dict[str, _Book] = {}
    for row in fills:
        books.setdefault(row.fill.symbol, _Book()).fill(row)
    for paid in funding:
        books.setdefault(paid.paid.symbol, _Book()).funding += paid.paid.payment
    return [
        PositionRow(symbol, b.quantity, b.cost / b.quantity if b.quantity else ZERO, b.opened_ms, b.realised, b.fees, b.funding)
        for symbol, b in sorted(books.items())
    ]


def profits(fills: Iterable[FillRow], funding: Iterable[FundingRow], by: str) -> list[ProfitRow]:
    """Profit by `day` (UTC, of the fill or settlement) or by `symbol`, in order of the key. Raises ValueError for anything else."""
    if by not in ("day", "symbol"):
        raise ValueError(f"profit by {by!r}: it is kept by day and by symbol")
    sums: dict[str, list[Decimal]] = {}
    counts: dict[str, int] = {}
    books: dict[str, _Book] = {}

    def add(symbol: str, ms: int, amounts: tuple[Decimal, ...], count: int) -> None:
        key = symbol if by == "symbol" else iso(ms - ms % DAY)[:10]
        sums[key] = [have + more for have, more in zip(sums.get(key, [ZERO] * 5), amounts, strict=True)]
        counts[key] = counts.get(key, 0) + count

    for row in fills:
        fill = row.fill
        realised = books.setdefault(fill.symbol, _Book()).fill(row)
        add(fill.symbol, fill.filled_ms, (fill.price * fill.quantity, realised, fill.fee, ZERO, fill.slippage), 1)
    for paid in funding:
        add(paid.paid.symbol, paid.paid.settle_ms, (ZERO, ZERO, ZERO, paid.paid.payment, ZERO), 0)
    return [ProfitRow(key, counts[key], *sums[key]) for key in sorted(sums)]
