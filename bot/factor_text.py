"""Factors as text from outside: one argument, one file, or a stream of JSON lines; and the documents that answer them.

The rule: whatever comes in, a document comes out, `ok` or a refusal with its place. No text is ever executed.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

import strategies
from bot.errors import ConfigError
from feeds.bars import COLUMNS
from feeds.times import span_text
from strategies.errors import BadSyntax, BadText, FactorError, TooBig, UnitMismatch, UnknownName
from strategies.factors import Node, reading, unit_of
from strategies.factors.check import Unit, distinct, state_bytes
from strategies.factors.describe import describe
from strategies.factors.dialects import PANEL_FIELDS
from strategies.factors.graph import FIELD, nearest
from strategies.factors.operators import OPERATORS

LARGEST = 1 << 20  # bytes of a file or of a line
_NAMES_A_FILE = re.compile(r"[^\s()*+,]+\.(?:py|txt|jsonl)")
Document = dict[str, Any]  # Any: values of several kinds


class Setting(NamedTuple):
    """What text is read against. timeframe milliseconds; fields: what the data gives; units None: as the dialect has it."""

    timeframe: int
    fields: Collection[str]
    dialect: str = "auto"
    units: bool | None = None


class Source(NamedTuple):
    """A factor as it came. id: of a line of a batch; name: what people call it; code: it is Python, whatever it looks like."""

    text: str
    id: str | int | None = None
    name: str = "factor"
    code: bool = False
    dialect: str = ""


class Refused(NamedTuple):
    """A line of a batch in which there is no factor."""

    id: str | int | None
    error: FactorError


def vocabulary(metrics: Collection[str]) -> list[str]:
    """What feeds may give: the columns of every bar, the metrics known by name, and those that were named; NAME_z of each metric."""
    from feeds.metric_names import KNOWN, NETS
    from strategies.signals import SLOW_FIELDS
    from strategies.snapshot import TRAILING

    slow = dict.fromkeys((*KNOWN.values(), *(net[0] for net in NETS), *metrics))
    return list(dict.fromkeys((*COLUMNS, *SLOW_FIELDS, *slow, *(name + TRAILING for name in slow))))


def words(metrics: Collection[str]) -> list[str]:
    """What stands for inputs where there are no data yet: the vocabulary, and what published formulas read besides."""
    return list(dict.fromkeys((*vocabulary(metrics), *sorted(PANEL_FIELDS))))


def read(source: Source, setting: Setting) -> tuple[Node, str]:
    """The graph, and the dialect that it was written in. Raises FactorError."""
    dialect = "pandas" if source.code else source.dialect or setting.dialect
    found = reading.read(source.text, dialect=dialect, timeframe=setting.timeframe, fields=setting.fields, units=setting.units)
    return found.node, found.dialect


def read_over(source: Source, setting: Setting) -> tuple[Node, str]:
    """The same, of data that has just these fields: what it lacks is refused by name, with the nearest of its columns."""
    lacking = PANEL_FIELDS - {*setting.fields, "turnover"}  # without a turnover vwap is made of prices, which read must know
    there = f"there is {', '.join(sorted(setting.fields)[:20])}"
    try:
        node, dialect = read(source, setting._replace(fields=[*setting.fields, *lacking]))
    except UnknownName as error:
        if "feed gives" in error.message:
            error.message = re.sub(r"no configured feed gives (the (column|field) )?", "the data has no column ", error.message)
            error.suggestion = error.suggestion or there
        raise
    for name in inputs(node):
        if name not in setting.fields:
            raise UnknownName(f"the data has no column {name!r}", suggestion=nearest(name, setting.fields) or there)
    return node, dialect


def accepted(node: Node, dialect: str, setting: Setting) -> Document:
    """What a factor is."""
    nodes = distinct([node])
    unit, warnings = _unit(node)
    return {
        "ok": True,
        "dialect": dialect,
        "canonical": node.text,
        "key": node.key,
        "inputs": inputs(node),
        "warm_up": node.warm_up,
        "nodes": len(nodes),
        "units": unit,
        "look_back": node.look_back,
        "state_bytes": state_bytes(nodes),
        "description": describe(node, setting.timeframe),
        "warnings": [*warnings, *_warnings(nodes)],
        "timeframe": span_text(setting.timeframe),
    }


def refused(error: FactorError) -> Document:
    """Why a text is no factor, and where."""
    return {
        "ok": False,
        "code": error.code,
        "message": error.message,
        "line": error.line,
        "column": error.column,
        "suggestion": error.suggestion,
    }


def inputs(node: Node) -> list[str]:
    """The fields that it reads: those of a bar in their order, then the others by name."""
    found = node.inputs()
    return [name for name in COLUMNS if name in found] + sorted(found - set(COLUMNS))


def unit_text(unit: Unit | None) -> str:
    """`price`, `price x volume`, `price / volume`; `ratio` where everything cancels, `any` where a metric's unit is not known."""
    if unit is None:
        return "any"
    powers = unit._asdict().items()
    above = " x ".join(f"{name}^{power:g}" if power != 1 else name for name, power in powers if power > 0)
    below = " ".join(f"/ {name}^{-power:g}" if power != -1 else f"/ {name}" for name, power in powers if power < 0)
    return f"{above or ('1' if below else 'ratio')} {below}".strip()


def _unit(node: Node) -> tuple[str, list[str]]:
    try:
        return unit_text(unit_of(node)), []
    except UnitMismatch as mixed:
        return "mixed", [f"units are mixed: {mixed.message}"]


def _warnings(nodes: list[Node]) -> Iterator[str]:
    """What a careful reader would want to know."""
    rows = [row for row in (OPERATORS.get(node.op) for node in nodes) if row is not None]
    across = sorted({row.name for row in rows if row.cross})
    if across:
        yield f"{_listed(across)} across symbols: in a universe of one it is constant or not known; ts_rank(x, n) works over time"
    anchored = sorted({row.name for row in rows if row.anchored})
    if anchored:
        yield f"{_listed(anchored)} since the beginning: the value depends on where the history begins"
    lacking = sorted({node.text for node in nodes if node.op == FIELD} & (PANEL_FIELDS - {"turnover"}))
    if lacking:
        yield f"no feed gives {', '.join(lacking)}: the factor can be evaluated over data files with columns of that name"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]} work" if len(names) > 1 else f"{names[0]} works"


def published_sets() -> dict[str, Path]:
    """The sets that come with it, by name."""
    return {path.stem: path for path in sorted((Path(strategies.__file__).parent / "library").glob("*.jsonl"))}


def of_argument(text: str, stdin: IO[bytes]) -> Source:
    """The factor of an argument: `-` reads it from stdin, a file's name reads the file, else it is the text itself.

    Raises ConfigError for a file that holds no text.
    """
    if text.strip() == "-":
        return Source(_decoded(stdin.read(LARGEST + 1), "stdin"), name="stdin")
    file = Path(text.strip())
    if not _is_file(file):
        if text.strip() in published_sets():
            raise ConfigError(f"{text.strip()} is a published set, of many factors.  Give it as a batch: --batch {text.strip()}")
        if _NAMES_A_FILE.fullmatch(text.strip()):
            raise ConfigError(f"{text.strip()}: there is no such file.  A factor is its text, - for stdin, or a file that holds it")
        return Source(text)
    if file.suffix == ".jsonl":
        raise ConfigError(f"{file} is a batch, as its name says.  Give it as one: --batch {file}")
    with file.open("rb") as stream:
        found = _decoded(stream.read(LARGEST + 1), str(file))
    if not found.strip():
        raise ConfigError(f"{file}: the file is empty.  Write one factor into it, as text or as a pandas function")
    return Source(found.rstrip("\n"), name=str(file), code=file.suffix == ".py")


def _decoded(raw: bytes, name: str) -> str:
    if len(raw) > LARGEST:
        raise ConfigError(f"{name}: larger than {LARGEST >> 20} MiB, which no factor is.  Many factors go into a batch: --batch FILE.jsonl")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{name}:{line}: not UTF-8, so no factor.  Save the file as UTF-8") from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a factor may be no possible name of a file
        return False


class _Line(msgspec.Struct):
    """A line of a batch, as far as we ask of it."""

    id: str | int | None = None
    text: str | None = None
    code: str | None = None
    dialect: str | None = None


_DECODER = msgspec.json.Decoder(_Line)


def of_lines(stream: IO[bytes]) -> Iterator[Source | Refused]:
    """The factors of a batch, one for each line that is not blank; a line without an `id` goes by its number."""
    for number, raw in enumerate(_raw_lines(stream), 1):
        if raw.strip():
            yield _of_line(raw, number)


def _raw_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of at most LARGEST bytes and one more; what follows in a longer line is passed over."""
    while raw := stream.readline(LARGEST + 1):
        yield raw
        while len(raw) > LARGEST and not raw.endswith(b"\n"):
            raw = stream.readline(LARGEST + 1)


def _of_line(raw: bytes, number: int) -> Source | Refused:
    if len(raw) > LARGEST:
        return Refused(number, TooBig(f"line {number} is longer than {LARGEST >> 20} MiB"))
    try:
        line = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        return Refused(*_unreadable(raw, number, wrong))
    name = number if line.id is None else line.id
    if (line.text is None) == (line.code is None):
        said = "has neither `text` nor `code`" if line.text is None else "has both `text` and `code`"
        return Refused(name, BadText(f"line {number} {said}", suggestion='write {"id": "mom", "text": "close / delay(close, 5d) - 1"}'))
    text = line.text if line.text is not None else line.code
    return Source(text or "", name, f"line {number}", line.text is None, line.dialect or "")


def _unreadable(raw: bytes, number: int, wrong: Exception) -> tuple[str | int, FactorError]:
    """Which id the answer goes by, and what is wrong with the line."""
    name: str | int = number
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return name, BadSyntax(f"line {number} is not JSON: {wrong}", suggestion="write one object a line")
    if isinstance(found, dict) and isinstance(found.get("id"), str | int):
        name = found["id"]
    return name, BadText(f"line {number} does not fit: {wrong}", suggestion="id, text, code and dialect are texts")
