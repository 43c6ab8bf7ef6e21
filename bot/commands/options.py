"""What commands have in common: their shape, the options that all of them take, and the values that options are read as."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from feeds import times


class _Positive(click.FloatRange):
    """A number above zero that is one: neither nan nor without end, which a comparison lets pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # Any: as click declares it
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


POSITIVE = _Positive(min=0, min_open=True)
SEED = click.IntRange(0, 2**63 - 1)  # what a store can keep
F = TypeVar("F", bound=Callable[..., Any])  # Any: decorators keep whatever signature the command has


class Command(click.Command):
    """A command with examples in its help, whose `greedy` options take every word up to the next option."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:  # Any: click's own constructor
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples" if len(self.examples) > 1 else "Example"):
            for example in self.examples:
                formatter.write(f"  {example}\n")  # in one piece: it is to be copied

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        greedy = {name: type(parameter) for parameter in self.params if isinstance(parameter, Many) for name in parameter.opts}
        return super().parse_args(ctx, spread(args, greedy))


class Several(click.Option):
    """An option of several values: repeated or comma separated."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: click's own constructor
        super().__init__(*args, **{**kwargs, "multiple": True})

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:  # Any: as click declares it
        words = [word.strip() for text in value or () for word in str(text).split(",")]
        return super().type_cast_value(ctx, [word for word in words if word])


class Many(Several):
    """The same, or simply one after the other."""

    @classmethod
    def takes(cls, word: str) -> bool:
        """Whether a word that follows a value is one more."""
        return True


class Files(Many):
    """Several files or folders, where an argument may follow that is none."""

    @classmethod
    def takes(cls, word: str) -> bool:
        from feeds.files import SUFFIXES

        return word.lower().endswith(SUFFIXES) or Path(word).is_dir()

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:  # Any: as click declares it
        return click.Option.type_cast_value(self, ctx, value)  # the reader of files knows about commas


def spread(words: Sequence[str], greedy: Mapping[str, type[Many]]) -> list[str]:
    """`--candles a b --json` -> `--candles a --candles b --json`."""
    out: list[str] = []
    option, given = "", False
    for word in words:
        if word.startswith("-") and word != "-":
            option, given = (word, False) if word in greedy else ("", False)
            out.append(word)
        elif option and given and greedy[option].takes(word):
            out += [option, word]
        else:
            option, given = ("", False) if given else (option, bool(option))
            out.append(word)
    return out


class Page(click.Path):
    """Where an HTML page goes: a new file, or in place of another page; never of market data or of the books."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # Any: as click declares it
        file = Path(os.fsdecode(super().convert(value, param, ctx)))
        if file.exists():
            if not file.is_file():
                self.fail(f"{file} is a device or a pipe; name a file.", param, ctx)
            with file.open("rb") as stream:
                if stream.read(2) not in (b"", b"<!"):
                    self.fail(f"{file} is there already and is no HTML page; it stays as it is: name another file.", param, ctx)
        return file


class Instant(click.ParamType[int]):
    """`2024-01-31`, `2024-01-31T12:30Z`, or milliseconds since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # Any: as click declares it
        try:
            return value if isinstance(value, int) else times.millis(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Span(click.ParamType[int]):
    """`15m`, `6h`, `2d`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # Any: as click declares it
        try:
            return value if isinstance(value, int) else times.span(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _log(_: click.Context, __: click.Parameter, verbose: bool) -> None:
    from bot import logs

    logs.to_stderr(verbose)


def common(function: F) -> F:
    """`--json` and `-v`, which every command takes."""
    function = click.option("-v", "--verbose", is_flag=True, expose_value=False, callback=_log, help="Log more; show tracebacks.")(function)
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; text goes to stderr.")(function)


def config_option(function: F) -> F:
    """`--config FILE`, as `config_file`."""
    says = "Configuration file.  [default: config.toml here, else built-in values]"
    file = click.Path(path_type=Path)
    return click.option("--config", "config_file", metavar="FILE", type=file, envvar="SLUICE_CONFIG", help=says)(function)


def strategy_options(function: F) -> F:
    """`--strategy FILE` and `--set NAME=VALUE`, as `strategy_file` and `changes`."""
    says = "Setting of this run, such as trading.stop_loss=0.01; without a dot a parameter of the strategy. Repeatable."
    function = click.option("--set", "changes", metavar="NAME=VALUE", multiple=True, help=says)(function)
    file = click.Path(path_type=Path)
    helps = "Strategy of your own (docs/strategies.md).  [default: [strategy] file of the configuration]"
    return click.option("--strategy", "strategy_file", metavar="FILE", type=file, help=helps)(function)


def store_option(function: F) -> F:
    """`--store FILE`, as `store_file`."""
    says = "Database of the bot.  [default: [store] path of the configuration]"
    file = click.Path(path_type=Path)
    return click.option("--store", "store_file", metavar="FILE", type=file, envvar="SLUICE_STORE", help=says)(function)
