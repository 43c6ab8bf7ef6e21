"""`sluice replay`: trade through history."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bot.commands import options, setting
from bot.commands.progress import progress
from bot.commands.report import write_html
from bot.commands.words import replay_command
from bot.render import Out

EXAMPLES = (
    "sluice replay --candles data/BTCUSDT.parquet --from 2024-01-01 --to 2024-02-01",
    "sluice replay --candles data/1m --funding data/funding.parquet --symbols BTCUSDT,ETHUSDT --store runs.db --json",
)
FILES = ("candles", "funding", "metrics", "news")


@click.command(cls=options.Command, examples=EXAMPLES)
@click.option("--candles", cls=options.Many, metavar="PATHS", help="Parquet or CSV files, or directories of them.")
@click.option("--funding", cls=options.Many, metavar="PATHS", help="Funding settlements.")
@click.option("--metrics", cls=options.Many, metavar="PATHS", help="On-chain and other series, with available_ms.")
@click.option("--news", cls=options.Many, metavar="PATHS", help="Headlines.")
@click.option("--symbols", cls=options.Many, metavar="A,B", help="Which symbols.  [default: all in the candle files]")
@click.option("--timeframe", type=options.Span(), metavar="1m", help="Bar length.  [default: that of the candles]")
@click.option("--from", "start", type=options.Instant(), metavar="TIME", help="First instant, UTC.")
@click.option("--to", "stop", type=options.Instant(), metavar="TIME", help="First instant that is not replayed, UTC.")
@options.config_option
@options.strategy_options
@click.option("--store", type=click.Path(path_type=Path), metavar="FILE", help="Keep the run in this database.  [default: in memory]")
@click.option("--seed", type=options.SEED, metavar="N", default=0, show_default=True, help="Seed of the run.")
@click.option("--step", is_flag=True, help="Settle every bar, also where nothing can happen: slow, for checking.")
@click.option("--block", type=click.IntRange(1, 1_000_000), metavar="N", help="Bars a block: speed, and nothing else.")
@click.option("--html", type=options.Page(), metavar="FILE", help="Also write the report as one HTML file.")
@options.common
def replay(
    *, config_file: Path | None, strategy_file: Path | None, changes: tuple[str, ...], symbols: tuple[str, ...], timeframe: int | None,
    start: int | None, stop: int | None, store: Path | None, seed: int, step: bool, block: int | None, html: Path | None, as_json: bool,
    **named: tuple[str, ...],
) -> None:  # fmt: skip
    """Trade through history, bar by bar, exactly as paper and live would have, and report.

    PATHS may be repeated, comma separated, or follow one another; what is not given here may stand in [replay] of the configuration.
    The digest is a SHA-256 over decisions and fills in order: the same input and configuration give the same digest on any machine.
    """
    from bot import modes
    from bot.commands import summary

    if start is not None and stop is not None and stop <= start:
        raise click.UsageError("--to must be later than --from")
    if html is not None and not html.absolute().parent.is_dir():
        raise click.UsageError(f"--html {html}: there is no folder {html.parent}; make it first")
    out = Out(as_json)
    loaded = setting.configuration(config_file, strategy_file, changes)
    config = loaded.config
    files = {
        name: [Path(path) for path in named[name]] or [loaded.resolve(path) for path in getattr(config.replay, name)] for name in FILES
    }
    if not files["candles"]:
        raise click.UsageError("no candles: name files or directories with --candles, or in [replay] candles of the configuration")
    with kept_in(store, html) as books, setting.pointing(loaded), progress("replay", "bars") as tell:
        result = modes.replay(
            config, candles=files["candles"], funding=files["funding"], metrics=files["metrics"], news=files["news"],
            symbols=symbols or None, timeframe=timeframe, start=start, stop=stop, store=books, seed=seed, step=step,
            block=block or config.replay.block, progress=tell,
            command=replay_command(loaded.file, files, symbols, timeframe, start, stop, seed, strategy_file, changes),
        )  # fmt: skip
        if html is not None and books is not None:
            write_html(books, result.run, html)
            out.note(f"report: {html}")
    if as_json:
        out.document(result)
        return
    kept = [f"sluice {word} --store {store}" for word in ("explain traded", "why-not", "report")]
    following = kept if store else ["the same with --store runs.db, then: sluice explain traded --store runs.db"]
    out.say(*summary.lines(result, out), "", *(f"{'      ' if n else 'Next: '}{line}" for n, line in enumerate(following)))


@contextmanager
def kept_in(store: Path | None, html: Path | None) -> Iterator[Path | None]:
    """Where the books are: the store that was named, or for the time that a report needs them a temporary one, or in memory."""
    if store is not None or html is None:
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        yield Path(folder) / "replay.db"
