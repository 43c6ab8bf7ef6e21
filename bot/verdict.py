"""What came of having a recorded run again: what was compared, what differs, and what could not be checked."""

from typing import Any

import msgspec


class Differing(msgspec.Struct, frozen=True, kw_only=True):
    """The first row that is not as it was written.

    what     for people: the table, the event's number, symbol and time
    columns  name -> [written, found], of those that differ
    inputs   what entered last before it: number, kind, payload
    explain  the command that shows the decision behind it ("": there is none)
    """

    table: str
    seq: int | None
    what: str
    columns: dict[str, tuple[Any, Any]]
    inputs: tuple[tuple[int, str, str], ...] = ()
    explain: str = ""


class Compared(msgspec.Struct, frozen=True):
    """Rows of a table that were compared, and how many of them differ."""

    rows: int
    differing: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a run that was written down comes out the same again.

    inputs     events that were settled again; 0 for a replay, which reads files
    checked    rows compared, differing: of them, tables: of each table
    first      the first difference;  decision: the first among decisions
    chain      of the decisions, inputs_chain: of the recorded inputs: `whole`, or where it is broken
    faults     what was changed and is no row: settings, arguments, files, digests
    cuts       bars that were decided once more in blocks of other lengths, and how many decisions came out otherwise
    ledger     name -> [written, found]: what the run ended with
    unchecked  what could not be checked, and why
    """

    run: str
    mode: str
    state: str
    ok: bool
    inputs: int
    checked: int
    differing: int
    tables: dict[str, Compared]
    first: Differing | None
    decision: Differing | None
    chain: str
    inputs_chain: str
    digest: str
    digest_found: str
    cuts: Compared
    ledger: dict[str, tuple[str, str]]
    faults: tuple[str, ...]
    unchecked: tuple[str, ...]
