"""What commands about factors have in common: how text is given to them, in which language it is read, and how a refusal is told."""

import io
import re
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from bot.commands import options
from bot.errors import ConfigError
from bot.render import Out, plain

if TYPE_CHECKING:
    from bot.factor_text import Source
    from strategies.errors import FactorError

REFUSED = ConfigError.exit_code
DIALECTS = ("auto", "sluice", "qlib", "worldquant", "gtja", "alphagen", "pandas")


class Formula(options.Command):
    """A command whose argument may begin with a minus sign, as factors often do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {name for parameter in self.params for name in parameter.opts}
        return super().parse_args(ctx, [f" {word}" if re.match(r"-[^-].", word) and word not in known else word for word in args])


def language(function: options.F) -> options.F:
    """The options of how text is read."""
    dialect = click.option(
        "--dialect", type=click.Choice(DIALECTS), default="auto", metavar="D", help=f"Language of the text: {', '.join(DIALECTS)}.  [auto]"
    )
    units = click.option(
        "--units", type=click.Choice(("on", "off")), help="Refuse a price added to a volume.  [default: on for sluice, off elsewhere]"
    )
    return dialect(units(function))


def reading(function: options.F) -> options.F:
    """The same, and those of a batch."""
    says = 'Many factors: a JSON object a line, {"id", "text" or "code", "dialect"?}; - is stdin, alpha158 and its like a published set.'
    return language(click.option("--batch", metavar="FILE.jsonl", help=says)(function))


def needed(text: str | None) -> str:
    if text is None:
        raise click.UsageError("Missing argument 'TEXT|-|FILE', or --batch FILE.jsonl")
    return text


def alone(text: str | None, batch: str) -> None:
    if text is not None:
        raise click.UsageError(f"give one factor ({plain(text, 40)}) or a batch (--batch {plain(batch, 40)}), not both")


def refuse(error: "FactorError", source: "Source", out: Out) -> int:
    """Say why a factor is none: to people with its place, and as the document of --json."""
    from bot import factor_text

    said = refusal(error, source.text, source.name)
    print("\n".join(plain(line, 1000) for line in said.splitlines()), file=sys.stderr, flush=True)
    if out.json:
        out.document(factor_text.refused(error))
    return REFUSED


def stdin() -> IO[bytes]:
    """Nothing, where whoever started this closed it."""
    return io.BytesIO() if sys.stdin is None else sys.stdin.buffer


def opened(batch: str) -> IO[bytes]:
    """A file, stdin, or one of the published sets by name."""
    if batch == "-":
        return stdin()
    from bot.factor_text import published_sets

    file = Path(batch)
    published = published_sets()
    if batch in published and not file.exists():
        return published[batch].open("rb")
    try:
        return file.open("rb")
    except FileNotFoundError:
        raise ConfigError(f"there is no file {batch}.  Give one, or a published set: {', '.join(published)}") from None


def refusal(error: "FactorError", text: str | None = None, name: str = "") -> str:
    """Why a factor is refused, where, and what was perhaps meant; the line and a caret below it where the text is known.

    text  the factor; None: as a note of the error tells it
    """
    place = f"{error.line}:{error.column}" if error.line else ""
    notes = [plain(note) for note in getattr(error, "__notes__", ())]
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
