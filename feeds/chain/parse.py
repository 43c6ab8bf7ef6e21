"""Replies of Coin Metrics (community) and DefiLlama -> observations. No I/O; what cannot be right is counted and left out."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import fsum, isfinite
from typing import NamedTuple

import msgspec

from feeds.errors import BadData
from feeds.times import SECOND, millis

EARLIEST = 1_230_940_800_000  # 2009: before it there was no chain

_NANOSECONDS = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z")

Rejects = Counter[str]


class Observation(NamedTuple):
    """A value of a series as the provider states it now.

    asset   lower case, such as btc; None: of the whole market
    period  start of the period it describes, milliseconds
    status  of the provider: flash, reviewed, revised; "" where it gives none
    """

    name: str
    asset: str | None
    period: int
    value: float
    status: str = ""


def parse_assets(body: bytes, rejects: Rejects) -> tuple[list[Observation], str]:
    """Active addresses and net flow into exchanges, and the token of the next page ("" at the end).

    A metric that is missing or null is not known, and gives nothing. Raises BadData when the reply has no data at all.
    """
    document = _decoded(body)
    rows = document.get("data") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(rows, list):
        raise BadData(f"no data in the reply: {body[:200]!r}")
    found: list[Observation] = []
    for row in rows:
        when = _instant(row.get("time")) if isinstance(row, dict) else None
        if not isinstance(row, dict) or when is None or not isinstance(row.get("asset"), str):
            rejects["assets.shape"] += 1
            continue
        asset = row["asset"].lower()
        addresses = _value(row, "AdrActCnt", rejects)
        if addresses is not None:
            found.append(Observation("active_addresses", asset, when, addresses, _status(row, "AdrActCnt")))
        inflow, outflow = _value(row, "FlowInExNtv", rejects), _value(row, "FlowOutExNtv", rejects)
        if inflow is not None and outflow is not None:
            statuses = sorted({_status(row, name) for name in ("FlowInExNtv", "FlowOutExNtv")} - {""})
            found.append(Observation("exchange_netflow", asset, when, inflow - outflow, "+".join(statuses)))
    token = document.get("next_page_token")
    return found, token if isinstance(token, str) else ""


def parse_tvl(body: bytes, rejects: Rejects) -> list[Observation]:
    """Total value locked, US dollars, one observation a day. Raises BadData when the reply is no list."""
    return list(_daily(body, "tvl", rejects, lambda row: row.get("tvl")))


def parse_stablecoins(body: bytes, rejects: Rejects) -> list[Observation]:
    """Supply of all stablecoins, US dollars: the sum over their pegs. Raises BadData when the reply is no list."""

    def supply(row: Mapping[str, object]) -> object:
        pegs = row.get("totalCirculatingUSD")
        if not isinstance(pegs, dict):
            return None
        parts = [_number(part) for part in pegs.values()]
        known = [part for part in parts if part is not None]
        return fsum(known) if known and len(known) == len(parts) else None

    return list(_daily(body, "stablecoin_supply", rejects, supply))


def _daily(body: bytes, name: str, rejects: Rejects, read: Callable[[Mapping[str, object]], object]) -> Iterator[Observation]:
    document = _decoded(body)
    if not isinstance(document, list):
        raise BadData(f"no list of days in the reply: {body[:200]!r}")
    for row in document:
        seconds = _number(row.get("date")) if isinstance(row, dict) else None  # a number there, a string here
        value = _number(read(row)) if isinstance(row, dict) else None
        if seconds is None or value is None or not EARLIEST <= seconds * SECOND < 1e14:
            rejects[f"{name}.shape"] += 1
        elif value < 0:
            rejects[f"{name}.value"] += 1
        else:
            yield Observation(name, None, int(seconds) * SECOND, value)


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadData(f"the reply is no JSON: {error}") from None


def _instant(text: object) -> int | None:
    found = _NANOSECONDS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        when = millis(f"{found[1]}Z")
    except ValueError:
        return None
    return when if when >= EARLIEST else None


def _value(row: Mapping[str, object], name: str, rejects: Rejects) -> float | None:
    stated = row.get(name)
    if stated is None:
        return None
    value = _number(stated)
    if value is None or value < 0:
        rejects[f"{name}.value"] += 1
        return None
    return value


def _number(stated: object) -> float | None:
    if isinstance(stated, bool) or not isinstance(stated, int | float | str):
        return None
    try:
        value = msgspec.convert(stated, float, strict=False)
    except (msgspec.ValidationError, OverflowError):
        return None
    return value if isfinite(value) and abs(value) < 1e18 else None


def _status(row: Mapping[str, object], name: str) -> str:
    status = row.get(f"{name}-status")
    return status[:20] if isinstance(status, str) else ""


def by_series(observations: Sequence[Observation]) -> dict[tuple[str, str | None], list[Observation]]:
    """The observations of each series, oldest first, the last word on each period."""
    series: dict[tuple[str, str | None], dict[int, Observation]] = {}
    for each in observations:
        series.setdefault((each.name, each.asset), {})[each.period] = each
    return {key: [found[period] for period in sorted(found)] for key, found in series.items()}
