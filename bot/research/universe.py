"""Who could be traded when: memberships by date, and what is said where only survivors are there.

The rule: a membership counts from when it was known, and the end of a coin is not known before it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds import times
from feeds.errors import BadData
from feeds.files import QUOTES, SYMBOL_COLUMNS, Floats, Table, instants, numbers, read_table, texts

Mask = NDArray[np.bool_]

LISTED = ("listed", "listed_ms", "listing", "listing_date", "onboard_date", "start", "start_ms", "from")
DELISTED = ("delisted", "delisted_ms", "delisting", "delisting_date", "end", "end_ms", "to")
SNAPSHOT = ("available_ms", "ts_ms", "date", "timestamp", "time")
RANKS = ("rank", "cmc_rank", "market_cap_rank")
SHAPES = "symbol, listed, delisted (a row a coin; the end may be empty), or ts_ms, symbol, [rank] (a snapshot of members at each time)"


class Span(NamedTuple):
    """A membership: from `start` on, before `stop`, UTC milliseconds."""

    start: int
    stop: int


class Universe:
    """Memberships by name: a symbol is found under its own name, else under that of its coin (`BTC` for `BTCUSDT`)."""

    def __init__(self, spans: dict[str, list[Span]], path: Path) -> None:
        self._spans = spans
        self._path = path

    def members(self, symbols: Sequence[str], start_ms: int, timeframe: int, rows: int) -> tuple[Mask, list[str]]:
        """bool[T, S], whether each was a member when the bar closed; and what to say about it."""
        closes = start_ms + timeframe * np.arange(1, rows + 1)
        inside = np.zeros((rows, len(symbols)), bool)
        unknown = []
        for s, symbol in enumerate(symbols):
            spans = self._spans.get(symbol) or self._spans.get(coin(symbol))
            if spans is None:
                unknown.append(symbol)
            for start, stop in spans or ():
                a, b = np.searchsorted(closes, (start, stop))
                inside[a:b, s] = True
        if len(unknown) == len(symbols):
            raise BadData(
                f"{self._path}: none of the symbols is in it ({', '.join(unknown[:8])}); it holds {', '.join([*self._spans][:8])}"
            )
        told = [f"{', '.join(unknown[:8])}: not in {self._path}, so never in the universe"] if unknown else []
        return inside, told


def read_universe(path: Path, largest: int = 0) -> Universe:
    """Memberships from a file of listing and delisting dates, or of snapshots.

    largest  of each snapshot only the members with a rank up to this (0: all)
    Raises BadData with the shapes that are accepted.
    """
    table = read_table(path)
    name_column = table.find(*SYMBOL_COLUMNS, "coin", "asset")
    if name_column is None:
        raise BadData(f"{path}: no column names the symbol (columns there: {', '.join(table.columns)}); a universe file has {SHAPES}")
    names = [(text or "").strip().upper() for text in texts(table, name_column)]
    start = table.find(*LISTED)
    if start is not None:
        return Universe(_intervals(table, names, start), path)
    moment = table.find(*SNAPSHOT)
    if moment is None:
        raise BadData(f"{path}: no column holds a time (columns there: {', '.join(table.columns)}); a universe file has {SHAPES}")
    ranks = numbers(table, rank) if largest and (rank := table.find(*RANKS)) else None
    if largest and ranks is None:
        raise BadData(f"{path}: there is no column rank (columns there: {', '.join(table.columns)}), so there are no largest members")
    return Universe(_snapshots(table, names, moment, ranks, largest), path)


def coin(symbol: str) -> str:
    """`BTCUSDT` is about BTC, `1000PEPEUSDT` about PEPE."""
    base = next((symbol[: -len(quote)] for quote in QUOTES if symbol.upper().endswith(quote) and len(symbol) > len(quote)), symbol)
    return base.lstrip("0123456789").upper() if base.startswith("10") and not base.isdigit() else base.upper()


def survivors(closing: NDArray[np.int64], rows: int, symbols: int) -> str:
    """What is to be said where every one of several symbols lives to the end; empty where one does not.

    closing  int64[S], the row after each symbol's last bar
    """
    if symbols < 2 or (closing < rows).any():
        return ""
    return (
        "every symbol lives to the end of the data: coins that ended are missing, which may flatter; "
        "give data that hold them, and --universe FILE with who could be traded when"
    )


def _intervals(table: Table, names: list[str], start: str) -> dict[str, list[Span]]:
    begins = _moments(table, start, 0)
    end = table.find(*DELISTED)
    stops = _moments(table, end, 1 << 62) if end else [1 << 62] * table.rows
    spans: dict[str, list[Span]] = {}
    for row, name in enumerate(names):
        if stops[row] <= begins[row]:
            raise BadData(f"{table.place(row, end or start)}: {name} ends before it begins; correct the row")
        spans.setdefault(name, []).append(Span(begins[row], stops[row]))
    return spans


def _moments(table: Table, column: str, empty: int) -> list[int]:
    """Milliseconds; `empty` where the cell is."""
    cells = texts(table, column)
    found = []
    for row, cell in enumerate(cells):
        text = (cell or "").strip()
        if text in ("", "nan", "NaT", "None"):
            found.append(empty)
            continue
        try:
            found.append(times.millis(text.replace(" ", "T", 1).removesuffix(".0")))
        except ValueError as error:
            raise BadData(f"{table.place(row, column)}: {error}") from None
    return found


def _snapshots(table: Table, names: list[str], moment: str, ranks: Floats | None, largest: int) -> dict[str, list[Span]]:
    """A member of one snapshot is one until the next."""
    at, _ = instants(table, moment)
    stamps = np.unique(at)
    following = dict(zip(stamps.tolist(), [*stamps[1:].tolist(), 1 << 62], strict=True))
    spans: dict[str, list[Span]] = {}
    for row, name in enumerate(names):
        if ranks is None or ranks[row] <= largest:
            begin = int(at[row])
            spans.setdefault(name, []).append(Span(begin, following[begin]))
    return spans
