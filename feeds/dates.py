"""Instants of foreign files: unit, form of dates and time zone.

The rule: each is found out and told; where two readings are left, the user is asked.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa

from feeds import times
from feeds.errors import BadData
from feeds.files import UNITS, Floats, Ints
from feeds.sheets import BadRow, Sheet

FROM, TO = times.millis("2005-01-01"), times.millis("2100-01-01")  # before it nothing of ours was traded; 8-digit dates are no seconds
SHORT = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
ORDERS = {"dmy": ("%d/%m/%Y", "%d/%m/%y"), "mdy": ("%m/%d/%Y", "%m/%d/%y"), "ymd": ("%Y/%m/%d",)}
NAMED = ("%d/%b/%Y", "%b/%d/%Y", "%d/%B/%Y", "%B/%d/%Y")
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I/%p")
KNOWN = -(2**62)  # an instant that is not known


class Stamps(NamedTuple):
    """at int64[rows] UTC milliseconds, KNOWN where there is none; `unit` and `zone` as they are told to people; the rows that hold none."""

    at: Ints
    unit: str
    zone: str
    bad: list[BadRow]


class Asked(NamedTuple):
    """What the user said of the times: the unit of numbers (`s`, `ms`, `us`, `ns`), the zone of local ones, the order of day and month."""

    unit: str | None = None
    zone: str | None = None
    order: str | None = None


def instants_of(sheet: Sheet, names: tuple[str, ...], asked: Asked) -> Stamps:
    """The instants of a column, or of a column of dates with one of clock times.

    Raises BadData where unit, order or zone cannot be told: it names the options that do.
    """
    if len(names) == 1:
        column = sheet.columns[names[0]]
        kind = column.type
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return _typed(sheet, names[0], column, asked)
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)):
            return _numbers(sheet, names[0], np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64), asked)
    parts = [[None if cell is None else str(cell).strip() for cell in sheet.columns[name].to_pylist()] for name in names]
    texts = [" ".join(cell for cell in cells if cell) or None for cells in zip(*parts, strict=True)]
    numbers = _floats(texts)
    some = [text for text in texts if text]
    days = all(re.fullmatch(r"(19|20)\d{6}(\d{4}|\d{6})?( \S+)?", text) for text in some[:1_000])  # 20240131, 202401311230
    if some and not days and np.isnan(numbers).sum() <= len(texts) // 2:
        return _numbers(sheet, names[0], numbers, asked)
    return _dates(sheet, names[0], texts, asked)


def _floats(texts: list[str | None]) -> Floats:
    try:
        column = pa.array(texts, pa.string()).cast(pa.float64())
        return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowException:
        return np.array([_float(text) for text in texts], np.float64)


def _float(text: str | None) -> float:
    try:
        return float(text) if text and "_" not in text else np.nan
    except ValueError:
        return np.nan


def _numbers(sheet: Sheet, name: str, raw: Floats, asked: Asked) -> Stamps:
    if asked.zone is not None:
        raise BadData(f"{sheet.name}: column {sheet.raw[name]} counts from 1970, which is UTC everywhere; leave --tz out")
    at = np.full(raw.size, KNOWN, np.int64)
    wanted = {SHORT[asked.unit]: UNITS[SHORT[asked.unit]]} if asked.unit else UNITS
    found = []
    for unit, (up, down) in wanted.items():
        with np.errstate(invalid="ignore"):
            millis = raw * up / down
            inside = (millis >= FROM) & (millis < TO)
        if inside.any():
            at[inside] = np.floor(millis[inside] + 1e-6).astype(np.int64)
            found.append(unit)
    known = np.isfinite(raw)
    if not found and known.any():
        sample = raw[known][0]
        raise BadData(
            f"{sheet.place(int(np.argmax(known)), name)}: {sample:.15g} is no time since 2005 in any unit that is known here; "
            "give --unit s|ms|us|ns, or name the column of the time: --columns ts=NAME"
        )
    column = sheet.columns[name]
    cells = {row: column[row].as_py() for row in np.flatnonzero(at == KNOWN).tolist()}
    bad = [
        BadRow(sheet.place(row, name), "the time is empty" if cell is None or cell == "" else f"{str(cell)[:40]!r} is no time", row)
        for row, cell in cells.items()
    ]
    return Stamps(at, " and ".join(found), "UTC", bad)


def _typed(sheet: Sheet, name: str, column: pa.ChunkedArray, asked: Asked) -> Stamps:
    zone = getattr(column.type, "tz", None)
    whole = column.cast(pa.timestamp("us", zone) if pa.types.is_timestamp(column.type) else pa.timestamp("us"))
    raw = np.asarray(whole.cast(pa.int64()).fill_null(KNOWN).to_numpy(), np.int64)
    none = raw == KNOWN
    at = np.where(none, KNOWN, raw // 1_000)
    bad = [BadRow(sheet.place(row, name), "the time is empty", row) for row in np.flatnonzero(none).tolist()]
    if zone is not None:
        if asked.zone is not None:
            raise BadData(f"{sheet.name}: column {sheet.raw[name]} states its zone ({zone}); leave --tz out")
        return Stamps(at, "timestamps", f"UTC (written for {zone})" if zone not in ("UTC", "+00:00") else "UTC", bad)
    return _shifted(sheet, name, at, "timestamps", asked, bad)


def _dates(sheet: Sheet, name: str, texts: list[str | None], asked: Asked) -> Stamps:
    if asked.unit is not None:
        raise BadData(f"{sheet.name}: column {sheet.raw[name]} holds dates, not numbers; leave --unit out")
    read = _iso(texts)
    form = "ISO 8601"
    if read is None:
        form, read = _form(sheet, name, texts, asked)
    at, zoned = read
    cells = [(row, texts[row]) for row in np.flatnonzero(at == KNOWN).tolist()]
    bad = [BadRow(sheet.place(row, name), f"{text[:40]!r} is no time" if text else "the time is empty", row) for row, text in cells]
    if zoned:
        if asked.zone is not None:
            raise BadData(f"{sheet.name}: column {sheet.raw[name]} states its zone; leave --tz out")
        return Stamps(at, form, "UTC (the zone is written)", bad)
    return _shifted(sheet, name, at, form, asked, bad)


def _iso(texts: list[str | None]) -> tuple[Ints, bool] | None:
    """Instants, and whether a zone was written; None where most cells are something else."""
    column = pa.array(texts, pa.string())
    for kind, zoned in ((pa.timestamp("us"), False), (pa.timestamp("us", "UTC"), True)):
        try:
            raw = np.asarray(column.cast(kind).cast(pa.int64()).fill_null(KNOWN).to_numpy(zero_copy_only=False), np.int64)
            return np.where(raw == KNOWN, KNOWN, raw // 1_000), zoned
        except pa.ArrowException:
            continue
    out = np.full(len(texts), KNOWN, np.int64)
    zones = set()
    for row, text in enumerate(texts):
        try:
            when = datetime.fromisoformat((text or "").removesuffix(" UTC").replace(" +", "+"))
        except ValueError:
            continue
        out[row] = times.millis(when.isoformat())
        zones.add(when.tzinfo is not None or (text or "").endswith(" UTC"))
    known = int((out != KNOWN).sum())
    some = sum(text is not None for text in texts)
    plain = all(not re.fullmatch(r"\d+", text) for text in texts[:100] if text)
    return (out, zones == {True}) if known * 2 > some and len(zones) == 1 and plain else None


def _form(sheet: Sheet, name: str, texts: list[str | None], asked: Asked) -> tuple[str, tuple[Ints, bool]]:
    """The one form in which most cells are dates."""
    some = [text for text in texts if text]
    cleaned = [None if text is None else _clean(text) for text in texts]
    dotted = all("." in text.split(" ")[0] for text in some[:100])  # nobody writes the month before the day with dots
    orders = (asked.order,) if asked.order else ("dmy", "ymd") if dotted else tuple(ORDERS)
    days = [form for order in orders for form in ORDERS[order]] + list(NAMED)
    compact = ["%Y%m%d" + clock for clock in ("", "%H%M", "%H%M%S", " %H%M", " %H%M%S", *CLOCKS[1:3])]
    forms = [*(day + clock + zone for zone in ("", " %z") for day in days for clock in CLOCKS), *compact]
    sample = [text for text in cleaned if text][:: max(1, len(some) // 200)]
    fitting = [form for form in forms if sum(_reads(text, form) is not None for text in sample) * 2 > len(sample)]
    tried = {form: [_reads(text, form) for text in cleaned] for form in fitting}
    best = max((sum(when is not None for when in read) for read in tried.values()), default=0)
    whole = [form for form, read in tried.items() if sum(when is not None for when in read) == best]
    if not whole:
        shown = ", ".join(repr(text) for text in some[:2]) or "nothing"
        what = f"{sheet.name}: column {sheet.raw[name]} holds {shown}"
        raise BadData(f"{what}: no time that is known here; write it like 2024-01-31T12:30:00Z")
    whole = [form for place, form in enumerate(whole) if tried[form] not in [tried[other] for other in whole[:place]]]
    if len(whole) > 1:
        whole = _even([(form, tried[form]) for form in whole]) or whole
    if len(whole) > 1:
        meant = " or ".join(_shown(form) for form in whole)
        raise BadData(f"{sheet.name}: column {sheet.raw[name]}: {some[0]!r} may be {meant}; say which: --dates dmy|mdy|ymd")
    read = tried[whole[0]]
    at = np.array([KNOWN if when is None else _millis(when) for when in read], np.int64)
    return f"dates like {_shown(whole[0])}", (at, "%z" in whole[0])


def _even(forms: "list[tuple[str, list[datetime | None]]]") -> list[str]:
    """The forms by which the rows follow each other at one distance, where others make them jump."""
    out = []
    for form, read in forms:
        at = np.array([_millis(when) for when in read if when is not None], np.int64)
        steps = np.abs(np.diff(at))
        if steps.size > 2 and (steps == np.median(steps)).mean() > 0.9:
            out.append(form)
    return out


def _clean(text: str) -> str:
    text = re.sub(r"\bGMT([+-]\d{4})\b", r"\1", text.replace(",", " "))
    day, _, clock = re.sub(r"\s+", " ", text.strip()).partition(" ")
    if re.fullmatch(r"[A-Za-z]{3,9}", day) and clock:  # Jan 31 2024 ...
        parts = clock.split(" ", 2)
        day, clock = "/".join([day, *parts[:2]]), " ".join(parts[2:])
    day = re.sub(r"[-.]", "/", day)
    clock = re.sub(r"^(\d{1,2})-(AM|PM)$", r"\1/\2", clock, flags=re.IGNORECASE)
    return f"{day} {clock}".strip()


def _reads(text: str | None, form: str) -> datetime | None:
    try:
        return None if text is None else datetime.strptime(text, form)  # noqa: DTZ007  the zone is the caller's
    except ValueError:
        return None


def _millis(when: datetime) -> int:
    return times.millis(when.isoformat())


def _shown(form: str) -> str:
    names = {"%d": "day", "%m": "month", "%Y": "year", "%y": "year", "%b": "name of the month", "%B": "name of the month"}
    return re.sub(r"%[a-zA-Z]", lambda found: names.get(found[0], found[0]), form.split(" ", maxsplit=1)[0])


def _shifted(sheet: Sheet, name: str, at: Ints, form: str, asked: Asked, bad: list[BadRow]) -> Stamps:
    """Local times as UTC. An hour that comes twice is told apart by the order of the rows; one that never was is bad."""
    if asked.zone is None:
        return Stamps(at, form, "UTC (none is written; --tz says otherwise)", bad)
    to_utc = _converter(asked.zone)
    out = at.copy()
    known = np.flatnonzero(at != KNOWN)
    if known.size > 1 and at[known[-1]] < at[known[0]]:
        known = known[::-1]  # newest first
    before = KNOWN
    for row in known.tolist():
        first, second = to_utc(int(at[row]))
        if first is None:
            out[row] = KNOWN
            bad.append(
                BadRow(sheet.place(row, name), f"{times.iso(int(at[row]))[:-1]} never was in {asked.zone}: the clocks went forward", row)
            )
            continue
        out[row] = second if second is not None and first <= before else first
        before = int(out[row])
    return Stamps(out, form, f"UTC (written in {asked.zone})", bad)


def _converter(zone: str) -> "Callable[[int], tuple[int | None, int | None]]":
    """Local milliseconds -> UTC: of its first and, where the hour comes twice, of its second meaning."""
    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadData(f"--tz {zone}: no such time zone; take a name such as Europe/Berlin, or Etc/GMT-1 for UTC+1") from None

    def convert(local: int) -> tuple[int | None, int | None]:
        plain = datetime.fromtimestamp(local / 1_000, tz=UTC).replace(tzinfo=None)
        early, late = (local - _offset(plain.replace(tzinfo=info, fold=fold)) for fold in (0, 1))
        if early == late:
            return early, None
        if early > late:  # in the hour that is left out both meanings are wrong
            return None, None
        return early, late

    return convert


def _offset(when: datetime) -> int:
    offset = when.utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * times.SECOND
