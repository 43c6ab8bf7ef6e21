"""Where a command finds its configuration and its store: what was named, else what is here, else the built-in values."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any  # Any: TOML

from bot.errors import NotFound, UsageError

if TYPE_CHECKING:
    from bot.config import ConfigProblems, Loaded
    from bot.store.reader import Reader
    from strategies.errors import FactorError

DEMO = "synthetic.db"  # the demo's books lie beside the bot's own, so that play never mixes with work


def configuration(
    named: Path | None, strategy: Path | None = None, changes: Sequence[str] = (), values: Mapping[str, Any] = MappingProxyType({})
) -> "Loaded":  # fmt: skip
    """Raises ConfigError with file, line and column of what is wrong.

    strategy  a strategy file, from where the command was called
    changes   settings of this run, each as `trading.stop_loss=0.01`; a name without a dot is a parameter of the strategy
    values    settings by name, above them
    """
    from bot import config

    overrides: dict[str, Any] = {} if strategy is None else {"strategy.file": str(strategy.absolute()), "strategy.code": ""}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {change}: write NAME=VALUE, such as trading.stop_loss=0.01, or lookback=240 of a strategy file")
        where = name.strip() if "." in name else f"strategy.parameters.{name.strip()}"
        overrides[where] = config.value_of(text.strip(), where)
    return config.load(named, overrides={**overrides, **values})


@contextmanager
def pointing(loaded: "Loaded") -> Iterator[None]:
    """A factor of the configuration that turns out to be wrong is refused at its place in the file."""
    from strategies.errors import FactorError

    try:
        yield
    except FactorError as error:
        name = factor_of(error)
        if name is None:
            raise
        raise refused(loaded, name, error) from None


def factor_of(error: "FactorError") -> str | None:
    """The factor of the configuration that an error is about, as its notes tell."""
    for note in getattr(error, "__notes__", ()):
        found = re.match(r"in strategy\.factors\.(\w+) = ", note)
        if found:
            return found[1]
    return None


def refused(loaded: "Loaded", name: str, error: "FactorError") -> "ConfigProblems":
    """The refusal of a factor text as a problem of its configuration."""
    text = loaded.config.strategy.factors[name]
    at = error.column if error.line == 1 and "\n" not in text and name not in loaded.sources else 0
    place = ""
    if error.line and not at:
        place = f"{loaded.sources[name]}:{error.line}:{error.column} " if name in loaded.sources else f"in its line {error.line}, "
    meant = re.sub(r"--dialect (\w+)", rf'[strategy.dialects] {name} = "\1"', error.suggestion.rstrip("?."))
    hint = f"; {meant}" if meant else ""
    return loaded.refuse(f"strategy.factors.{name}", f"{place}{error.message}{hint} ({error.code})", at=at)


def store_path(loaded: "Loaded", named: Path | None) -> Path:
    """Where paper and live keep their books."""
    return named if named is not None else loaded.resolve(loaded.config.store.path)


def demo_path(loaded: "Loaded", named: Path | None) -> Path:
    """Where the demo keeps its books."""
    return named if named is not None else loaded.resolve(loaded.config.store.path).with_name(DEMO)


def books(config_file: Path | None, named: Path | None) -> Path:
    """The store that a look is meant for: the one named, else the bot's own, else that of the demo. Raises NotFound."""
    if named is not None:
        if not named.exists():
            raise NotFound(f"there is no store at {named}.  Name the one of your run, or begin: sluice paper --store {named}")
        return named
    loaded = configuration(config_file)
    own, demo = store_path(loaded, None), demo_path(loaded, None)
    for path in (own, demo):
        if path.exists():
            return path
    raise NotFound(f"there is no store at {own}: nothing has run yet.  Begin with sluice demo or sluice paper, or name it: --store FILE")


def flag(path: Path) -> str:
    """` --store FILE` where a look would not find this store by itself."""
    try:
        return "" if books(None, None) == path else f" --store {path}"
    except NotFound:
        return f" --store {path}"


def reader(config_file: Path | None, named: Path | None) -> "Reader":
    """The store of a look, open for reading."""
    from bot.store.reader import Reader

    return Reader.open(books(config_file, named))
