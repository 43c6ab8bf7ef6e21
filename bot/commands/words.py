"""The command line that has a run again: every path from the root, quoted for a shell, with what the environment had set.

The rule: it depends on no folder. What was configured is named, and where nothing was, the command says so with an empty file.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from feeds.times import iso, span_text

SETTINGS = "SLUICE__"  # what begins so in the environment is a setting
NO_CONFIG = Path(os.devnull)


def replay_command(
    config: Path | None, files: Mapping[str, Sequence[Path]], symbols: Sequence[str], timeframe: int | None, start: int | None,
    stop: int | None, seed: int, strategy: Path | None = None, changes: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """Of a replay; `config` is the file that was read (None: none was), environment that of the process when not given."""
    known = os.environ if environment is None else environment
    words = [f"{name}={shlex.quote(value)}" for name, value in sorted(known.items()) if name.startswith(SETTINGS)]
    words += ["sluice", "replay", "--config", _from_root(NO_CONFIG if config is None else config)]
    words += ["--strategy", _from_root(strategy)] if strategy is not None else []
    for change in changes:
        words += ["--set", shlex.quote(change)]
    for name, paths in files.items():
        words += [f"--{name}", *map(_from_root, paths)] if paths else []
    words += ["--symbols", shlex.quote(",".join(symbols))] if symbols else []
    words += ["--timeframe", span_text(timeframe)] if timeframe is not None else []
    words += ["--from", iso(start)] if start is not None else []
    words += ["--to", iso(stop)] if stop is not None else []
    words += ["--seed", str(seed)] if seed else []
    return " ".join(words)


def _from_root(path: Path) -> str:
    return shlex.quote(os.path.abspath(path.expanduser()))
