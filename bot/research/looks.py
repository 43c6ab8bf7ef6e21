"""How often the test slice of some data was looked at: a line a look, in a file beside the work.

The rule: a look is written down before its figures are shown.
"""

import fcntl
import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from bot.errors import ConfigError
from bot.research.market import Market


class Look(msgspec.Struct, frozen=True):
    """at  when, UTC milliseconds;  data  what it was a look at;  factors  canonical text of those that were shown"""

    at: int
    data: str
    factors: tuple[str, ...]


def data_key(market: Market) -> str:
    """24 hex digits of the hash of symbols, times and prices: the same for the same bars in any file format."""
    digest = hashlib.sha256(f"{market.symbols} {market.timeframe} {market.start_ms} {market.begin}".encode())
    for column in (market.open, market.close):
        digest.update(np.where(np.isnan(column), np.nan, column + 0.0).astype("<f8").tobytes())
    return digest.hexdigest()[:24]


def record(file: Path, at: int, data: str, factors: Sequence[str]) -> int:
    """Write a look down; returns how many different factors have now been shown on these data.

    Raises ConfigError for a file that holds something else.
    """
    seen: set[str] = set(factors)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # what another process shows at this moment counts
        stream.seek(0)
        whole, _, cut_off = stream.read().rpartition(b"\n")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                look = msgspec.json.decode(line, type=Look)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise ConfigError(
                    f"{file}:{number}: this is no look at a test slice.  Remove that line, or name another file: --looks FILE"
                ) from None
            if look.data == data:
                seen.update(look.factors)
        if cut_off and not cut_off.startswith(b"{"):
            raise ConfigError(f"{file}: this is no list of looks at test slices.  Name another file: --looks FILE")
        stream.truncate(stream.tell() - len(cut_off))  # a write that was killed: its figures were never shown
        stream.write(msgspec.json.encode(Look(at, data, tuple(factors))) + b"\n")
    return len(seen)
