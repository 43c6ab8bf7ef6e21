"""Trading rules beside the data: `instruments.json` of an archive, so that a replay rounds and limits as the exchange does."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from feeds.errors import BadData
from feeds.instruments import Instrument
from feeds.layout import root_of

NAME = "instruments.json"
SCHEMA = 1


class Rules(msgspec.Struct, frozen=True):
    """What an exchange said of its symbols; `fetched_ms` of each, UTC milliseconds."""

    schema: int = SCHEMA
    exchange: str = ""
    fetched_ms: dict[str, int] = {}
    launch_ms: dict[str, int] = {}
    instruments: dict[str, Instrument] = {}


def read_rules(folder: Path) -> Rules:
    """The rules that an archive keeps; none where it has no such file. Raises BadData where the file cannot be read."""
    path = folder / NAME
    try:
        rules = msgspec.json.decode(path.read_bytes(), type=Rules)
    except FileNotFoundError:
        return Rules()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise BadData(f"{path}: cannot be read ({fault}); remove it, and a download writes it anew") from None
    if rules.schema > SCHEMA:
        raise BadData(f"{path}: it is of schema {rules.schema}, written by a newer Sluice than this; use that one")
    for symbol, instrument in rules.instruments.items():
        positive = (instrument.tick, instrument.lot, instrument.least_quantity, instrument.most_quantity, instrument.max_leverage)
        numbers = (*positive, instrument.least_notional, instrument.maintenance)
        if (
            instrument.symbol != symbol
            or not all(number.is_finite() for number in numbers)
            or min(positive) <= 0
            or instrument.least_notional < 0
            or not 0 <= instrument.maintenance < 1
            or instrument.funding_ms <= 0
        ):
            raise BadData(f"{path}: the rules of {symbol} cannot be right; correct them, or remove the file and download again")
    return rules


def keep_rules(folder: Path, exchange: str, found: Mapping[str, Instrument], launches: Mapping[str, int], at: int) -> Path:
    """Put these rules beside those that are there, whole or not at all; the newest word on a symbol stands."""
    old = read_rules(folder)
    rules = Rules(
        exchange=exchange, fetched_ms={**old.fetched_ms, **dict.fromkeys(found, at)}, launch_ms={**old.launch_ms, **launches},
        instruments={**old.instruments, **found},
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    fresh = path.with_name(f".{NAME}.{os.getpid()}")
    try:
        with fresh.open("wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(rules, order="sorted"), indent=1) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def instruments_beside(paths: Iterable[str | Path]) -> dict[str, Instrument]:
    """The trading rules that lie beside data files or folders: in a folder itself, or in the archive that it is a part of."""
    out: dict[str, Instrument] = {}
    for text in paths:
        for part in (str(text),) if Path(text).exists() else str(text).split(","):
            path = Path(part.strip())
            for folder in dict.fromkeys((path if path.is_dir() else path.parent, root_of(path))):
                out |= read_rules(folder).instruments
    return out
