"""What the commands that look at a store share: which store, which run, and how a run is named on the screen."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bot.commands import options
from bot.render import ago
from feeds import times

if TYPE_CHECKING:
    from bot.store.reader import Reader
    from bot.store.rows import RunRow

F = TypeVar("F", bound=Callable[..., Any])  # Any: decorators keep whatever signature the command has


def at_a_run(function: F) -> F:
    """`--run R`, `--store FILE`, `--config FILE`, `--json`, `-v`."""
    function = options.store_option(options.config_option(options.common(function)))
    return click.option(
        "--run", "run_name", default="last", metavar="RUN", help="Which run; the beginning of its name will do.  [default: last]"
    )(function)


def store_of(config_file: Path | None, store_file: Path | None) -> "Reader":
    """The store to look at, open."""
    from bot.commands import setting

    return setting.reader(config_file, store_file)


def heading(run: "RunRow") -> str:
    """`run paper-1  paper  finished  BTCUSDT ETHUSDT 1m  began 2024-03-04 00:00:00Z (3m ago)`."""
    began = f"began {times.iso(run.started_ms)} ({ago(run.started_ms, times.now())})"
    return f"run {run.id}  {run.mode}  {run.state}  {few(run.symbols)} {times.span_text(run.timeframe)}  {began}"


def few(symbols: Sequence[str]) -> str:
    """Symbols for one line: three at most, else two and how many more."""
    return " ".join(symbols) if len(symbols) <= 3 else f"{' '.join(symbols[:2])} +{len(symbols) - 2}"


def newest(reader: "Reader", run: "RunRow") -> int:
    """The newest bar close that the run has decided at, UTC milliseconds; when it began, where there is none."""
    row = next(reader.decisions(run.id, newest_first=True, limit=1), None)
    closes = [row.until_ms] if row is not None else []
    for symbol in run.symbols:
        closes += [other.until_ms for other in reader.decisions(run.id, symbol=symbol, newest_first=True, limit=1)]
    return max(closes, default=run.started_ms)


class Since(click.ParamType[int]):
    """A duration back from the newest bar close (`6h`), or an instant; durations come out negative."""

    name = "duration or time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # Any: as click declares it
        if isinstance(value, int):
            return value
        try:
            return -times.span(value)
        except ValueError:
            pass
        try:
            return times.millis(value)
        except ValueError:
            self.fail(f"{value!r} is neither a duration such as 6h nor a time such as 2024-01-31T12:30Z", param, ctx)


def since_ms(since: int | None, end: int) -> int | None:
    """The instant that `Since` means, given the newest bar close: a bar that closes after it is looked at."""
    return None if since is None else since if since >= 0 else max(1, end + since + 1)
