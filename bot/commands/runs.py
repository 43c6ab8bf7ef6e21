"""`sluice runs`: every run of a store, with what it came to."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands import look, options, setting
from bot.errors import UsageError
from bot.render import Out, ago, clock, percent, plain
from feeds import times

if TYPE_CHECKING:
    from bot.store.listing import Listed

SORTS = ("began", "return", "sharpe", "drawdown", "trades", "bars")
_FIELD = {"return": "total_return", "sharpe": "sharpe", "drawdown": "max_drawdown", "trades": "trades", "bars": "bars"}
MODES = ("replay", "paper", "demo", "live")
SPARED = ("DIGEST", "BEGAN UTC", "STATE", "BAR", "BARS", "SYMBOLS", "MODE")  # columns that a narrow terminal does without, in order
EXAMPLES = (
    "sluice runs",
    "sluice runs --mode replay --sort sharpe --last 20",
    "sluice runs --symbol BTCUSDT --since 7d --json",
    "sluice runs --delete R-3f2a",
)


@click.command(cls=options.Command, examples=EXAMPLES)
@click.option("--mode", type=click.Choice(MODES), help="Only runs of this mode.")
@click.option("--symbol", metavar="SYMBOL", help="Only runs that trade this symbol.")
@click.option("--since", type=look.Since(), metavar="7d|TIME", help="Only runs that began so long ago, or from an instant on.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the newest N that match.")
@click.option("--sort", type=click.Choice(SORTS), default="began", show_default=True, help="By what; the best, most or newest first.")
@click.option("--delete", metavar="RUN", help="Take a replay out of the store; its name is to be typed once more.")
@click.option("-y", "--yes", is_flag=True, help="With --delete: do not ask.")
@options.config_option
@options.store_option
@options.common
def runs(
    *, mode: str | None, symbol: str | None, since: int | None, last: int | None, sort: str, delete: str | None, yes: bool,
    config_file: Path | None, store_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Every run in the store, the newest first: what it traded, how far it came, and its state.

    A run whose process is gone before its end is `interrupted`. What cannot be had is a dash; sluice report RUN has all of one run.
    Only replays can be deleted: what was recorded on paper or live cannot be had again.
    """
    from bot.store.listing import Filter
    from bot.store.listing import runs as listed

    out = Out(as_json)
    if delete is not None:
        _delete(out, setting.books(config_file, store_file), delete, yes)
        return
    now = times.now()
    begun = None if since is None else since if since >= 0 else now + since
    with look.store_of(config_file, store_file) as reader:
        found = listed(reader, Filter(mode, plain(symbol.upper()) if symbol else None, begun), last)
    if sort != "began":
        found.sort(key=lambda run: _rank(getattr(run, _FIELD[sort])))
    out.answer({"runs": found}, _table(out, found, now) if found else ["no run yet" if not any((mode, symbol, since)) else "no such run"])


def _delete(out: Out, path: Path, name: str, yes: bool) -> None:
    from bot.lock import Lock
    from bot.store.reader import Reader
    from bot.store.runs import delete
    from bot.store.store import Store

    with Reader.open(path) as reader:
        run = reader.run(name).id
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"nobody can be asked whether to delete {run}.  Say so: sluice runs --delete {run} -y")
        typed = click.prompt(f"This deletes {run} from {path}. Type its name", err=True)
        if typed.strip() != run:
            raise UsageError(f"{plain(typed)!r} is not {run}: nothing was deleted")
    with Lock(path, started_ms=times.now(), mode="delete"), Store.open(path) as store:
        delete(store, run)
    out.answer({"deleted": run}, [f"run {run} is deleted from {path}"])


def _rank(value: float | None) -> float:
    """The largest first, the unknown last: a drawdown is negative, so the shallowest leads."""
    return float("inf") if value is None else -value


def _table(out: Out, found: "Sequence[Listed]", now: int) -> list[str]:
    head = ("RUN", "MODE", "STATE", "BEGAN UTC", "SYMBOLS", "BAR", "SPAN", "BARS", "TRADES", "RETURN", "SHARPE", "MAX DD", "DIGEST")
    rows = [
        (
            run.id, run.mode + ("*" if run.synthetic else ""), run.state, f"{clock(run.started_ms)} ({ago(run.started_ms, now)})",
            look.few(run.symbols), times.span_text(run.timeframe), _span(run.start_ms, run.end_ms), _count(run.bars), _count(run.trades),
            "-" if run.total_return is None else percent(run.total_return), "-" if run.sharpe is None else f"{run.sharpe:.2f}",
            "-" if run.max_drawdown is None else percent(run.max_drawdown), (run.digest or "-")[:12],
        )
        for run in found
    ]  # fmt: skip
    columns = fitting(head, rows, shutil.get_terminal_size().columns if out.terminal() else None)
    shown = [[row[i] for i in columns] for row in (head, *rows)]
    lines = out.table(shown[0], shown[1:], right=[place for place, i in enumerate(columns) if 7 <= i <= 11])
    return [*lines, "", "* a synthetic market: figures say nothing about real ones"] if any(run.synthetic for run in found) else lines


def fitting(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """Places of the columns that a terminal of this width has room for; what says least goes first. None: all of them."""
    kept = list(range(len(head)))
    widths = [max(len(row[i]) for row in (head, *rows)) + 2 for i in kept]
    for name in SPARED:
        if width is None or sum(widths[i] for i in kept) - 2 <= width:
            break
        kept.remove(head.index(name))
    return kept


def _span(start: int | None, end: int | None) -> str:
    return "-" if start is None or end is None else f"{clock(start)[:10]}..{clock(end)[:10]}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
