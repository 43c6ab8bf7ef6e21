"""Foreign files into the archive: kind, columns, unit of time and zone are found out, said, and asked for where they are not clear.

Everything is read and checked before the first row is stored: what cannot be right stops the import with nothing written, unless bad
rows are to be left out, and then each is named. Rows are never lost silently: of two for one instant the first counts (what is stored,
then the files in their order, then the rows in theirs), the same again is counted, and another is reported.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from feeds.archive import Appended, Archive
from feeds.columns import mapping_of
from feeds.dates import Asked
from feeds.errors import BadData
from feeds.files import find_files
from feeds.foreign import Found, Wishes, read_foreign
from feeds.layout import Shelf
from feeds.months import Month
from feeds.sheets import SUFFIXES, BadRow
from feeds.times import span_text

SHOWN = 5  # bad rows in a message


class Mapped(NamedTuple):
    """How a table of a file was understood.

    columns   ours -> the file's;  left  columns that were not read;  unit, zone  of its times
    symbols, timeframe  what the rows are of (0: they come when they come);  rows  in the file
    taken     rows that go into the archive;  empty  bars without a price: nobody traded;  unfinished  bars that have not closed yet
    bad       rows that were left out because they cannot be right;  notes  what else was found out
    """

    path: Path
    name: str
    layout: str
    kind: str
    columns: dict[str, str]
    left: tuple[str, ...]
    unit: str
    zone: str
    symbols: tuple[str, ...]
    timeframe: int
    rows: int
    taken: int
    empty: int
    unfinished: int
    bad: list[BadRow]
    notes: list[str]


class Imported(NamedTuple):
    """The files as they were understood, what became of their rows, and what a careful reader would want to know."""

    files: list[Mapped]
    series: list[Shelf]
    appended: Appended
    warnings: list[str]


def import_files(
    paths: Iterable[str | Path],
    archive: Archive,
    *,
    symbols: Sequence[str] | None = None,
    timeframe: int | None = None,
    now: int | None = None,
    columns: Sequence[str] = (),
    kind: str | None = None,
    asked: Asked | None = None,
    venue: str = "",
    skip_bad: bool = False,
    closes: bool = False,
    tell: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Imported:
    """Read market data of any layout we know into the archive.

    symbols    those wanted; one symbol names the rows of files that name none themselves
    timeframe  milliseconds (None: found out);  now  what has not closed then is left out (None: nothing is)
    columns    `ROLE=COLUMN` where names do not tell;  kind  candles, mark, index, premium, funding, metrics (None: found out)
    venue      whose data these are (""; found out where the layout tells)
    closes     times are the ends of bars, not their opens
    skip_bad   leave rows out that cannot be right, instead of refusing the import
    tell       is told how many files are read and series stored, of how many
    Raises BadData with file, row and column, or with the option that is needed; nothing is stored then.
    """
    files = find_files(paths, SUFFIXES)
    wishes = Wishes(tuple(symbols or ()), timeframe, now, mapping_of(columns), kind, asked or Asked(), venue, len(files) == 1, closes)
    found = []
    for number, path in enumerate(files):
        tell(number, len(files), path.name)
        found += read_foreign(path, wishes)
    _refuse_bad(found, skip_bad)
    missing = sorted(set(symbols or ()) - {shelf.symbol for one in found for shelf in one.series})
    if missing or not any(one.series for one in found):
        named = ", ".join(dict.fromkeys(shelf.symbol for one in found for shelf in one.series)) or ", ".join(
            path.name for path in files[:12]
        )
        raise BadData(f"no data for {', '.join(missing) or 'any symbol'}; the files hold {named}; check --symbols")
    series, sources = _joined(found)
    _refuse_mixing(archive, sources)
    warnings = [text for one in found for text in one.warnings]
    total = Appended(0, 0, [])
    for number, (shelf, months) in enumerate(series.items()):
        tell(len(files), len(files), f"storing {shelf}, {number + 1} of {len(series)}")
        done = archive.add([(shelf, months)], origin=sources[shelf], at=now)
        total = Appended(total.added + done.added, total.repeated + done.repeated, total.conflicts + done.conflicts)
    return Imported([_mapped(one) for one in found if one.series or one.bad], list(series), total, warnings)


def _refuse_bad(found: Sequence[Found], skip: bool) -> None:
    bad = [row for one in found for row in one.bad]
    if not bad or skip:
        return
    listed = "; ".join(f"{row.place}: {row.reason}" for row in bad[:SHOWN])
    more = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    raise BadData(f"{listed}{more}.  Nothing was stored: correct the rows, or leave them out with --skip-bad, which names every one")


def _joined(found: Sequence[Found]) -> tuple[dict[Shelf, Month], dict[Shelf, str]]:
    parts: dict[Shelf, list[Month]] = {}
    sources: dict[Shelf, str] = {}
    for one in found:
        for shelf, rows in one.series.items():
            parts.setdefault(shelf, []).append(rows)
            before = sources.setdefault(shelf, one.venue)
            if before != one.venue:
                raise BadData(
                    f"{one.sheet.name}: {shelf} of {one.venue}, and other files of this import are of {before}; "
                    "import them apart, or say whose they are: --venue"
                )
    return {shelf: Month.of(months, months[0].values.shape[1]) for shelf, months in parts.items()}, sources


def _refuse_mixing(archive: Archive, sources: Mapping[Shelf, str]) -> None:
    for shelf, source in sources.items():
        others = [name for name in archive.about(shelf).sources if name != source]
        if others:
            raise BadData(
                f"{archive.root}: {shelf} is from {' and '.join(others)}, these files are of {source}: one series of two venues never was; "
                f"name another folder (-o), or say that they are the same: --venue {others[0]}"
            )


def _mapped(one: Found) -> Mapped:
    columns = {role: "+".join(one.sheet.raw[name] for name in names) for role, names in one.roles.columns.items()}
    columns |= {metric: one.sheet.raw[name] for name, metric in one.roles.metrics.items()}
    symbols = tuple(dict.fromkeys(shelf.symbol for shelf in one.series))
    taken = sum(rows.at.size for rows in one.series.values())
    sheet, roles, stamps = one.sheet, one.roles, one.stamps
    return Mapped(
        sheet.path, sheet.name, roles.layout, roles.kind, columns, roles.left, stamps.unit, stamps.zone, symbols,
        one.timeframe or 0, sheet.rows, taken, one.empty, one.unfinished, one.bad, roles.notes,
    )  # fmt: skip


def told(one: Mapped) -> list[str]:
    """How a file was understood, in lines for people."""
    span = f", {span_text(one.timeframe)} bars" if one.timeframe else ""
    lines = [f"{one.name}: {one.layout}: {one.kind} of {' '.join(one.symbols) or 'nothing'}{span}; times {one.unit}, {one.zone}"]
    lines.append("    " + ", ".join(f"{ours} <- {theirs}" for ours, theirs in one.columns.items()))
    counts = [f"{one.rows:,} rows", f"{one.taken:,} taken"]
    counts += [f"{n:,} {what}" for n, what in ((one.empty, "empty"), (one.unfinished, "unfinished"), (len(one.bad), "bad")) if n]
    lines.append(f"    {', '.join(counts)}" + (f"; not read: {', '.join(one.left)}" if one.left else ""))
    lines += [f"    {note}" for note in one.notes]
    lines += [f"    bad: {row.place}: {row.reason}" for row in one.bad]
    return lines
