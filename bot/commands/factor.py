"""`sluice factor parse`: what a factor is, as the machine sees it; or why it is none, with the place."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.commands import options
from bot.errors import ConfigError
from bot.render import Out, pairs, plain

if TYPE_CHECKING:
    from strategies.errors import FactorError
    from strategies.factors.check import Unit


LARGEST = 1 << 20  # bytes of a file of factors


class Formula(options.Command):
    """A command whose argument may begin with a minus sign, as factors often do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f" {word}" if re.match(r"-[^-].", word) else word for word in args])


@click.group()
def factor() -> None:
    """Read a factor: its canonical text, its inputs, how long it warms up."""


PARSE = (
    "sluice factor parse '-ts_zscore(close, 60) * rank(volume)'",
    "sluice factor parse alpha.txt --timeframe 1h --fields exchange_netflow --json",
)


@factor.command(cls=Formula, examples=PARSE)
@click.argument("text", metavar="TEXT|FILE")
@click.option(
    "--timeframe", type=options.Span(), default=60_000, metavar="1m", help="Bar length: durations are counted in it.  [default: 1m]"
)
@click.option("--fields", cls=options.Many, metavar="A,B", help="Metrics that the factor may read, besides those of every bar.")
@options.common
def parse(text: str, timeframe: int, fields: tuple[str, ...], as_json: bool) -> None:
    """Show the dialect, canonical text, inputs, warm-up and size of a factor; a refusal names its place.

    A FILE holds one factor a line, as text or as `name = text`; # begins a comment.
    """
    out = Out(as_json)
    named = factors(text.strip())
    known = vocabulary(fields)
    documents = [describe(name, words, timeframe, known) for name, words in named.items()]
    if as_json:
        out.document(documents[0] if len(documents) == 1 else {"factors": documents})
        return
    for number, document in enumerate(documents):
        rows = [(name, ", ".join(value) if isinstance(value, list | tuple) else str(value)) for name, value in document.items()]
        out.say(*([""] if number else []), *pairs(rows))


def factors(text: str) -> dict[str, str]:
    """The factors of an argument: itself, or those of the file that it names. Raises ConfigError on a file without any."""
    file = Path(text)
    if not _is_file(file):
        return {"factor": text}
    found: dict[str, str] = {}
    for number, raw in enumerate(_text(file).splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        name, equals, rest = line.partition("=")
        if equals and name.strip().isidentifier() and not rest.startswith("="):
            found[name.strip()] = rest.strip().strip("\"'")
        elif line:
            found[f"line_{number}"] = line
    if not found:
        raise ConfigError(f"{file}: there is no factor in it.  Write one a line: name = text")
    return found


def _text(file: Path) -> str:
    with file.open("rb") as stream:
        raw = stream.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ConfigError(f"{file}: larger than {LARGEST >> 20} MiB, which no list of factors is.  Write one a line: name = text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file}:{line}: not UTF-8, so no list of factors.  Save the file as UTF-8") from None


def vocabulary(metrics: tuple[str, ...]) -> list[str]:
    """The words that stand for inputs: those of every bar, the metrics known by name, and those that were named; NAME_z of each."""
    from feeds.bars import COLUMNS
    from feeds.metric_names import KNOWN, NETS
    from strategies.signals import SLOW_FIELDS
    from strategies.snapshot import TRAILING

    slow = dict.fromkeys((*KNOWN.values(), *(net[0] for net in NETS), *metrics))
    return list(dict.fromkeys((*COLUMNS, *SLOW_FIELDS, *slow, *(name + TRAILING for name in slow))))


def describe(name: str, text: str, timeframe: int, fields: list[str]) -> dict[str, Any]:  # Any: values of several kinds
    """What a factor is. Raises FactorError, with the factor's name and text in its notes."""
    from feeds.times import span_text
    from strategies.errors import FactorError
    from strategies.factors import compile_factors, unit_of
    from strategies.factors import parse as read

    try:
        node = read(text, dialect="sluice", timeframe=timeframe, fields=fields)
        program = compile_factors({name: node}, timeframe=timeframe, fields=fields)
    except FactorError as error:
        error.add_note(f"in {name} = {text!r}")
        raise
    return {
        "name": name,
        "dialect": "sluice",
        "canonical": node.text,
        "inputs": list(program.fields),
        "timeframe": span_text(timeframe),
        "warm_up": program.warm_up,
        "unit": unit_text(unit_of(node)),
        "nodes": program.nodes,
        "state_bytes": program.state_bytes,
        "key": program.key,
    }


def unit_text(unit: "Unit | None") -> str:
    """`price`, `price x volume`, `price / volume`; `ratio` where everything cancels, `any` where a metric's unit is not known."""
    if unit is None:
        return "any"
    powers = unit._asdict().items()
    above = " x ".join(f"{name}^{power:g}" if power != 1 else name for name, power in powers if power > 0)
    below = " ".join(f"/ {name}^{-power:g}" if power != -1 else f"/ {name}" for name, power in powers if power < 0)
    return f"{above or ('1' if below else 'ratio')} {below}".strip()


def refusal(error: "FactorError", text: str | None = None) -> str:
    """Why a factor is refused, where, and what was perhaps meant; the line and a caret below it where the text is known.

    text  the factor; None: as a note of the error tells it
    """
    place = f"{error.line}:{error.column}" if error.line else ""
    notes = [plain(note) for note in getattr(error, "__notes__", ())]
    name = ""
    for note in notes:
        head, equals, rest = note.removeprefix("in ").partition(" = ")
        if equals and text is None:
            name, text = head, _unquoted(rest)
    where = ":".join(part for part in (name, place) if part)
    says = plain(error.message)
    hint = f"; {plain(error.suggestion)}" if error.suggestion else ""
    lines = [f"{where}  {says}{hint}  ({error.code})".strip()]
    if text is not None and error.line and error.line <= len(text.splitlines()):
        lines += [f"{error.line:>5} | {text.splitlines()[error.line - 1]}", f"{'':>7} {' ' * (error.column - 1)}^"]
    return "\n".join(lines)


def _unquoted(text: str) -> str:
    import ast

    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, str) else text


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a factor may be no possible name of a file
        return False
