"""Two books of what must be the same run, held against each other row by row.

The rule: every value counts, but for what only says where a row lies: the name of the run and the number that SQLite gave a decision.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bot.store.chain import LINKED, NAMES
from bot.store.reader import Reader

Row = Sequence[Any]  # values as SQLite gives them
FATE = ("status", "filled", "updated_ms", "detail")  # of an order: what a run that was cut short had not heard the end of


class Table(NamedTuple):
    """What is compared of a table. key: the column that rows are told apart by, in whose order they come."""

    name: str
    key: str
    columns: tuple[str, ...]


class Differs(NamedTuple):
    """A row that is not the same in both; None: it is not there.

    number  of the event (None: the row has none);  written, found  column -> value
    """

    table: str
    number: int | None
    written: dict[str, Any] | None
    found: dict[str, Any] | None

    def columns(self) -> list[str]:
        """Those that differ; all where one side has no row."""
        if self.written is None or self.found is None:
            return list(self.written or self.found or {})
        return [name for name, value in self.written.items() if value != self.found[name]]


class Counted(NamedTuple):
    """Of one table: rows that were compared, and the differences among them."""

    table: str
    rows: int
    differing: int
    first: Differs | None


_DECISIONS = Table("decisions", "seq", (*LINKED, "chain"))
_COLUMNS = {
    "orders": ("seq", "cause", "at", "id", "symbol", "side", "type", "quantity", "purpose", "reduce_only", "bar_ms", "reference", "price",
        "trigger", "post_only", "stop", "take", *FATE),
    "updates": ("seq", "cause", "at", "id", "symbol", "status", "filled", "detail"),
    "cancels": ("seq", "cause", "at", "symbol", "id", "detail"),
    "fills": ("seq", "cause", "at", "exec_id", "order_id", "symbol", "side", "price", "quantity", "fee", "maker", "filled_ms", "purpose",
        "slippage"),
    "funding": ("seq", "cause", "at", "symbol", "settle_ms", "rate", "quantity", "mark", "payment"),
    "refusals": ("seq", "cause", "at", "symbol", "bar_ms", "purpose", "code", "detail"),
    "states": ("seq", "cause", "at", "state", "by", "reason"),
    "equity": ("bar_ms", "equity", "cash", "gross", "net"),
    "feeds": ("feed", "at", "up", "detail", "gap"),
}  # fmt: skip
TABLES = (_DECISIONS, *(Table(name, columns[0], columns) for name, columns in _COLUMNS.items()))


def compare(written: Reader, run: str, found: Reader, other: str, *, part: bool = False) -> Iterator[Counted]:
    """Table by table: what was written of `run`, and what was found of `other`.

    part  the run was cut short: what it has not written yet is no difference, nor is the fate of orders that it had not heard of
    """
    for whole in TABLES:
        table = whole._replace(columns=tuple(name for name in whole.columns if name not in FATE or whole.name != "orders" or not part))
        rows = differing = 0
        first = None
        for mine, theirs in _beside(_rows(written, table, run), _rows(found, table, other), table.columns.index(table.key)):
            if part and mine is None:
                continue
            rows += 1
            if mine != theirs:
                differing += 1
                first = first or _differs(table, mine, theirs)
        yield Counted(table.name, rows, differing, first)


def _rows(reader: Reader, table: Table, run: str) -> Iterator[Row]:
    names = (NAMES,) if table.name == "decisions" else ()
    return reader.raw(table.name, (*(f'"{name}"' for name in table.columns), *names), run, table.key)


def _beside(one: Iterator[Row], other: Iterator[Row], key: int) -> Iterator[tuple[Row | None, Row | None]]:
    """Rows of the same key together; both come in the order of their keys."""
    mine, theirs = next(one, None), next(other, None)
    while mine is not None or theirs is not None:
        if theirs is None or (mine is not None and mine[key] < theirs[key]):
            yield mine, None
            mine = next(one, None)
        elif mine is None or theirs[key] < mine[key]:
            yield None, theirs
            theirs = next(other, None)
        else:
            yield mine, theirs
            mine, theirs = next(one, None), next(other, None)


def _differs(table: Table, mine: Row | None, theirs: Row | None) -> Differs:
    columns = (*table.columns, "signals") if table.name == "decisions" else table.columns
    both = [None if row is None else dict(zip(columns, row, strict=True)) for row in (mine, theirs)]
    there = both[0] or both[1] or {}
    return Differs(table.name, there.get("seq"), *both)
