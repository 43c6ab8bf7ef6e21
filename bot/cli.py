"""The command `sluice`: finds the command, runs it, and turns what went wrong into one message and an exit code.

A command's module is imported only when the command runs, so this file imports nothing heavy. It holds the one `except Exception`.
"""

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

from bot.errors import SluiceError


class Row(NamedTuple):
    """A command: where it lives (`module:attribute` below bot.commands), and the line that `sluice --help` shows."""

    section: str
    name: str
    target: str
    says: str


COMMANDS = (
    Row("start", "demo", "demo:demo", "Paper trading on a synthetic market, accelerated and offline"),
    Row("start", "init", "init:init", "Write a commented config.toml and a private secrets file"),
    Row("start", "doctor", "doctor:doctor", "Check this machine: packages, disk, store, config, clock"),
    Row("start", "config", "config:config", "Check, show or describe the configuration"),
    Row("run", "paper", "paper:paper", "Trade on paper against the live market"),
    Row("run", "replay", "replay:replay", "Trade through history and report"),
    Row("run", "status", "status:status", "One screen: state, positions, equity, feeds, last decision"),
    Row("run", "halt", "control:halt", "Stop trading now"),
    Row("run", "reduce", "control:reduce", "Let only orders pass that make positions smaller"),
    Row("run", "resume", "control:resume", "Trade again after halt or reduce"),
    Row("run", "stop", "control:stop", "End the running session"),
    Row("look", "explain", "explain:explain", "Why a decision or an order is what it is"),
    Row("look", "why-not", "why_not:why_not", "Why there was no trade, counted by reason"),
    Row("look", "positions", "books:positions", "Open positions"),
    Row("look", "orders", "books:orders", "Orders and their states"),
    Row("look", "fills", "books:fills", "Trades of ours"),
    Row("look", "pnl", "books:pnl", "Profit and loss, by day or symbol"),
    Row("look", "runs", "runs:runs", "Every run in the store, with what it came to"),
    Row("look", "report", "report:report", "Tear sheet of a run: text or one HTML file"),
    Row("look", "compare", "compare:compare", "Two runs side by side: decisions, fills, returns, costs"),
    Row("look", "verify", "verify:verify", "Decide a recorded run again and compare every digest"),
    Row("research", "data", "data:data", "Market data: download, import, list, check, synthesise"),
    Row("research", "strategy", "strategy:strategy", "Write, show or check a strategy of your own"),
    Row("research", "sweep", "sweep:sweep", "Search parameters and settings, judged out of sample"),
    Row("factors", "factor", "factor:factor", "Read factors, back-test, compare and check them, compute values"),
)


PLACED = {"Interrupted", "ConfigProblems", "FactorError", "StrategyError"}  # these say by themselves where they come from


class Commands(click.Group):
    """The table of commands as a click group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [row.name for row in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for row in COMMANDS:
            if row.name == cmd_name:
                module, _, attribute = row.target.partition(":")
                found = getattr(importlib.import_module(f"bot.commands.{module}"), attribute)
                assert isinstance(found, click.Command)
                return found
        return None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            hint = f"Did you mean {close[0]!r}?" if close else "sluice --help lists the commands."
            raise click.UsageError(f"there is no command {args[0]!r}.  {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table itself; the default would import every command to ask what it does."""
        for section in dict.fromkeys(row.section for row in COMMANDS):
            with formatter.section(section):
                formatter.write_dl([(row.name, row.says) for row in COMMANDS if row.section == section], col_max=20)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("first minutes"):
            formatter.write_dl([("sluice demo", "watch it trade"), ("sluice explain last", "ask it why"), ("sluice init", "make it yours")])


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        print(f"sluice {importlib.metadata.version('sluice')}")
        ctx.exit(0)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, no_args_is_help=True)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version and exit.")
def sluice() -> None:
    """Sluice: market data streams through it, and alpha stays behind."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: the process's) and return its exit code; prints what went wrong, raises nothing."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed when we were started
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
    verbose = bool({"-v", "--verbose"} & set(words))
    try:
        if "_SLUICE_COMPLETE" in os.environ:  # the shell asks how a word could go on
            sluice.main(args=words, prog_name="sluice")
        with sluice.make_context("sluice", list(words), obj=tuple(words)) as context:
            code = sluice.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:
        return _flushed(end.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "sluice"
        return _fail(words, "UsageError", 2, f"{error.format_message().rstrip('.')}.  See: {where} --help")
    except (KeyboardInterrupt, click.Abort) as end:
        return _fail(words, "Interrupted", 130, str(end) or "interrupted")
    except BrokenPipeError:
        return _unread()
    except Exception as error:
        if verbose:
            import traceback

            traceback.print_exception(error, file=sys.stderr)
        return _fail(words, *_explained(error), answered=getattr(error, "answered", False))


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _unread()
    except OSError as error:
        _unread()
        return _fail([], *_explained(error))
    return code


def _unread() -> int:
    """The reader has what it wanted and is gone. Python would complain when it flushes stdout at exit, so that goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _explained(error: BaseException) -> tuple[str, int, str]:
    """Kind, exit code and message of an error, by what it is."""
    while isinstance(error, BaseExceptionGroup):  # what a task group wraps around the one thing that went wrong
        error = next((e for e in error.exceptions if isinstance(e, SluiceError)), error.exceptions[0])
    kind = type(error).__name__
    if isinstance(error, SluiceError):
        return kind, error.exit_code, str(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return kind, 4, f"{place}{error.strerror or error}.  Check the path and its permissions; sluice doctor looks at them."
    from feeds.errors import FeedError, Unreachable

    if isinstance(error, FeedError):
        return kind, 5 if isinstance(error, Unreachable) else 4, str(error)
    if _is_damage(error):
        return kind, 8, f"the store is damaged: {error}; restore it from a backup.  sluice doctor looks at it"
    strategies = sys.modules.get("strategies.errors")  # who raised a FactorError has imported it
    if strategies is not None and isinstance(error, strategies.StrategyError):
        return "StrategyError", 4, str(error)
    if strategies is not None and isinstance(error, strategies.FactorError):
        from bot.commands.formulas import refusal

        return "FactorError", 4, refusal(error)
    return kind, 1, f"unexpected {kind}: {error}.  This is a fault in Sluice; the same command with -v shows where."


def _is_damage(error: BaseException) -> bool:
    """Whether a store is not what we wrote: broken pages, a table that is gone, a document in it that is none."""
    sqlite, msgspec = sys.modules.get("sqlite3"), sys.modules.get("msgspec")  # who read a store has imported them
    if sqlite is not None and isinstance(error, sqlite.DatabaseError):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite.SQLITE_CORRUPT or str(error).startswith("no such ")
    return msgspec is not None and isinstance(error, msgspec.DecodeError)


def _fail(words: Sequence[str], kind: str, code: int, message: str, answered: bool = False) -> int:
    """Say it once to people, and once more as the document that `--json` promises, unless that is there already."""
    try:
        from bot.render import json_text, plain

        text = "\n".join(plain(line, 1000) for line in message.splitlines())
        print(text if kind in PLACED else f"sluice: {text}", file=sys.stderr, flush=True)
        if "--json" in words and not answered:
            print(json_text({"error": {"kind": kind, "message": text, "exit_code": code}}), flush=True)
    except OSError:  # nobody reads, or what is written to is full
        _unread()
    return code
