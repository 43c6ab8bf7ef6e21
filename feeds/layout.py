"""How market data lie on disk: kinds, columns and folders, and what a reader takes when it is given the whole archive.

    ROOT/candles/1m/BTCUSDT/2024-01.parquet                 open_ms, open, high, low, close, volume, turnover, source
    ROOT/mark/1h/BTCUSDT/2024-01.parquet                    open_ms, open, high, low, close           (index, premium likewise)
    ROOT/funding/BTCUSDT/2024-01.parquet                    symbol, ts_ms, funding_rate, mark_price
    ROOT/metrics/open_interest/1h/BTCUSDT/2024-01.parquet   symbol, ts_ms, available_ms, open_interest

The rule: a folder says what is in it, so every reader of files finds the symbol and the kind without being told.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from feeds import times
from feeds.bars import COLUMNS
from feeds.candle_files import PRICES
from feeds.errors import BadData

SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
MONTH = re.compile(r"\d{4}-\d\d\.parquet")
METRICS = "metrics/"


class Kind(NamedTuple):
    """What one file holds.

    time      the column of instants, UTC milliseconds: a bar's open, a settlement, the begin of a metric's period
    values    columns of float64;  optional  those that may be unknown, and are no contradiction then
    spaced    in a folder for each bar length;  slow  with `available_ms`, and revisions under the same instant
    sourced   with the provenance of each row
    """

    name: str
    time: str
    values: tuple[str, ...]
    optional: tuple[str, ...] = ()
    spaced: bool = True
    slow: bool = False
    sourced: bool = False

    @property
    def named(self) -> bool:
        """Whether the rows carry their symbol: readers of slow data take a file without one for the whole market's."""
        return self.time == "ts_ms"


_FIXED = {
    kind.name: kind
    for kind in (
        Kind("candles", "open_ms", COLUMNS, ("turnover",), sourced=True),
        Kind("mark", "open_ms", PRICES),
        Kind("index", "open_ms", PRICES),
        Kind("premium", "open_ms", PRICES),
        Kind("funding", "ts_ms", ("funding_rate", "mark_price"), ("mark_price",), spaced=False),
    )
}
BARS = ("candles", "mark", "index", "premium")


def kind_of(name: str) -> Kind:
    """The kind of this name; `metrics/WORD` is the series WORD. Raises BadData."""
    if name in _FIXED:
        return _FIXED[name]
    word = name.removeprefix(METRICS)
    if word == name or not WORD.fullmatch(word):
        raise BadData(f"{name!r} is no kind of data: take one of {' '.join(_FIXED)} or {METRICS}WORD, in small letters")
    return Kind(name, "ts_ms", (word,), slow=True)


class Shelf(NamedTuple):
    """One series: its kind, bar length in milliseconds (None: rows come when they come) and symbol."""

    kind: str
    timeframe: int | None
    symbol: str

    def folder(self, root: Path) -> Path:
        """Where its months are. Raises BadData for a symbol that cannot be a folder's name."""
        if not SYMBOL.fullmatch(self.symbol) or ".." in self.symbol:
            raise BadData(f"{self.symbol!r} cannot be stored: a symbol is letters, digits, _ . and -; give it another name with --symbols")
        spaced = kind_of(self.kind).spaced
        assert spaced == (self.timeframe is not None)
        middle = (times.span_text(self.timeframe),) if self.timeframe is not None else ()
        return root.joinpath(self.kind, *middle, self.symbol)

    def __str__(self) -> str:
        span = f" {times.span_text(self.timeframe)}" if self.timeframe is not None else ""
        return f"{self.symbol} {self.kind.removeprefix(METRICS)}{span}"


def months(folder: Path) -> list[Path]:
    """The month files of a series, oldest first."""
    return sorted(path for path in folder.iterdir() if MONTH.fullmatch(path.name)) if folder.is_dir() else []


def shelves(root: Path) -> list[Shelf]:
    """Every series that is stored below `root`: by kind, bar length, symbol."""
    found = []
    for pattern in ("*/*", "*/*/*", "metrics/*/*/*"):
        for folder in root.glob(pattern):
            shelf = _shelf_of(folder.relative_to(root).parts)
            if shelf is not None and months(folder):
                found.append(shelf)
    order = list(_FIXED)
    return sorted(found, key=lambda s: (order.index(s.kind) if s.kind in order else len(order), s.kind, s.timeframe or 0, s.symbol))


def _shelf_of(parts: tuple[str, ...]) -> Shelf | None:
    kind = "/".join(parts[:2]) if parts[0] == "metrics" else parts[0]
    rest = parts[2:] if parts[0] == "metrics" else parts[1:]
    if kind not in _FIXED and not (kind.startswith(METRICS) and WORD.fullmatch(kind.removeprefix(METRICS))):
        return None
    if len(rest) != (2 if kind_of(kind).spaced else 1):
        return None
    span = _span(rest[0]) if kind_of(kind).spaced else None
    return None if kind_of(kind).spaced and span is None else Shelf(kind, span, rest[-1])


def _span(name: str) -> int | None:
    try:
        span = times.span(name)
    except ValueError:
        return None
    return span if times.span_text(span) == name else None


def root_of(path: Path) -> Path:
    """The archive that a file or folder of it belongs to; the folder itself where it belongs to none."""
    for above in (path, *path.absolute().parents[:5]):
        if above.name in (*_FIXED, "metrics") and above.is_dir():
            return above.parent
    return path if path.is_dir() else path.parent


def folders_of(paths: Iterable[str | Path], kind: str, timeframe: int | None = None) -> list[Path]:
    """What a reader of this kind opens: the folder of the kind where a path is an archive, every other path as it is.

    timeframe  the bar length that is wanted, milliseconds: of several stored ones that, else the coarsest that it can be built from
    Raises BadData where several are stored and none is asked for.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    out: list[Path] = []
    for text in given:
        whole = Path(text)
        parts = [whole] if whole.exists() or "," not in str(text) else [Path(part.strip()) for part in str(text).split(",") if part.strip()]
        for path in parts:
            out += _opened(path, kind, timeframe)
    return out


def _opened(path: Path, kind: str, timeframe: int | None) -> list[Path]:
    base = path if path.name == kind else path / kind
    if path.is_dir() and (path / f"{kind}.parquet").is_file():
        return [path / f"{kind}.parquet"]  # a market that was made up
    if not path.is_dir() or not base.is_dir():
        return [path]
    if kind == "metrics":
        return [one for each in sorted(base.iterdir()) for one in _spaced(each, timeframe, "name one folder")]
    return _spaced(base, timeframe, "give --timeframe, or name one folder")


def _spaced(base: Path, timeframe: int | None, hint: str) -> list[Path]:
    if not base.is_dir():
        return [base]
    spans = {span: one for one in base.iterdir() if one.is_dir() and (span := _span(one.name)) is not None}
    if not spans:
        return [base]
    if len(spans) == 1:
        return list(spans.values())
    names = " ".join(times.span_text(span) for span in sorted(spans))
    if timeframe is None:
        raise BadData(f"{base}: bars of several lengths are stored ({names}); {hint}")
    fitting = [span for span in spans if timeframe % span == 0]
    if not fitting:
        raise BadData(f"{base}: none of the stored lengths ({names}) makes {times.span_text(timeframe)} bars; give another --timeframe")
    return [spans[max(fitting)]]
