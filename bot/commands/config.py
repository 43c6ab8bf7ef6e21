"""`sluice config`: check a configuration, show what is in force and where it comes from, describe what may be in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.commands import options, setting
from bot.errors import ConfigError
from bot.render import Out

if TYPE_CHECKING:
    from bot.config import Loaded


@click.group()
def config() -> None:
    """Check, show or describe the configuration."""


@config.command(cls=options.Command, examples=("sluice config check", "sluice config check --config testnet.toml --json"))
@options.config_option
@options.common
def check(config_file: Path | None, as_json: bool) -> int:
    """Read the configuration and say everything that is wrong with it, each with its line and column. Exit 4 when something is.

    Factor texts are read too. Nothing is started.
    """
    from bot.config import ConfigProblems

    out = Out(as_json)
    try:
        loaded = setting.configuration(config_file)
        found = factor_problems(loaded)
        name = str(loaded.file) if loaded.file else "built-in values"
    except ConfigError as error:
        found, name = list(getattr(error, "lines", ())) or [str(error)], str(config_file or "config.toml")
    if as_json:
        out.document({"ok": not found, "config": name, "problems": found})
        return ConfigError.exit_code if found else 0
    if found:
        raise ConfigProblems(found)
    out.say(f"{name}: ok")
    return 0


def factor_problems(loaded: "Loaded") -> list[str]:
    """What is wrong with the factor texts. A word that nothing here knows may be a metric of a file, unless it is nearly one we know.

    The metrics of the files that [replay] names are known, if the files can be read.
    """
    from bot.factor_text import vocabulary
    from strategies.errors import FactorError
    from strategies.factors.reading import read

    strategy = loaded.config.strategy
    if strategy.code:
        return _strategy_problems(loaded)
    fields, timeframe = vocabulary(metric_names(loaded)), int(loaded.config.exchange.timeframe)
    found: list[str] = []
    for name, text in strategy.factors.items():
        try:
            read(text, dialect=strategy.dialects.get(name, strategy.dialect), timeframe=timeframe, fields=fields)
        except FactorError as error:
            if error.code != "unknown_name" or error.suggestion:
                found += setting.refused(loaded, name, error).lines
    return found


def metric_names(loaded: "Loaded") -> tuple[str, ...]:
    """The names in the files of [replay] metrics; none where they cannot be read, which a replay will say."""
    paths = [loaded.resolve(path) for path in loaded.config.replay.metrics]
    if not loaded.config.strategy.factors or not paths:
        return ()
    from feeds.errors import BadData
    from feeds.metric_files import names_in

    try:
        return names_in(paths, loaded.config.exchange.symbols)
    except BadData:
        return ()


def _strategy_problems(loaded: "Loaded") -> list[str]:
    """What is wrong with the texts of a strategy file, likewise."""
    from bot.factor_text import vocabulary
    from bot.plan import definition_of
    from strategies.errors import FactorError, StrategyError

    try:
        definition_of(loaded.config).parts(int(loaded.config.exchange.timeframe), vocabulary(()))
    except StrategyError as error:
        cause = error.__cause__
        unknown = isinstance(cause, FactorError) and cause.code == "unknown_name" and not cause.suggestion
        return [] if unknown else list(error.problems)
    return []


@config.command(cls=options.Command, examples=("sluice config show --origin", "sluice config show --json"))
@options.config_option
@click.option("--origin", is_flag=True, help="Also say where each value comes from.")
@options.common
def show(config_file: Path | None, origin: bool, as_json: bool) -> None:
    """Show every setting that is in force: defaults, file and environment put together. It can be saved and used as a config.toml."""
    from bot.config.read import leaves
    from bot.config.text import dotted
    from bot.config.values import written

    out = Out(as_json)
    loaded = setting.configuration(config_file)
    if as_json:
        document: dict[str, Any] = {"config": str(loaded.file) if loaded.file else None, "settings": plainly(loaded.config)}  # Any: JSON
        if origin:
            document["origin"] = dict(loaded.origin)
        out.document(document)
        return
    tables: dict[str, list[str]] = {}
    for path, _, value in leaves(loaded.config):
        name = dotted(path)
        table, _, key = name.rpartition(".")
        if table or value:  # a table of free names that holds none
            line = f"{key} = {written(value)}"
            tables.setdefault(table, []).append(f"{line:<50} # {loaded.origin[name]}" if origin else line)
    for number, (table, lines) in enumerate(tables.items()):
        out.say(*([""] if number else []), out.style(f"[{table}]", "bold"), *lines)


@config.command(cls=options.Command, examples=("sluice config schema",))
@options.common
def schema(as_json: bool) -> None:
    """Print the JSON Schema of config.toml, for editors. It is JSON with and without --json."""
    from bot.config.docs import schema as described

    Out(as_json).document(described())


def plainly(value: Any) -> Any:  # Any: a tree of settings, and the same as JSON
    """The settings as a document, durations as text."""
    import msgspec

    from bot.config import Span

    if isinstance(value, msgspec.Struct):
        return {name: plainly(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: plainly(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plainly(item) for item in value]
    return str(value) if isinstance(value, Span) else value
