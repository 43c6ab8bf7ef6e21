"""`sluice strategy check`: does a strategy look ahead, and does it decide alike however it is called?"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands import options, setting
from bot.commands.factor_check import cell, numbers
from bot.errors import CheckFailed
from bot.render import Out
from feeds.times import iso, span_text

if TYPE_CHECKING:
    from bot.modes.strategy_check import StrategyChecked

EXAMPLES = (
    "sluice strategy check my_momentum.py --candles data/1h --symbols BTCUSDT,ETHUSDT",
    "sluice strategy check --config config.toml --candles data/BTCUSDT.parquet --funding data/funding.parquet --json",
)
FILES = ("candles", "funding", "metrics", "news")


@click.command(cls=options.Command, examples=EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--candles", cls=options.Many, metavar="PATHS", help="Parquet or CSV files, or directories of them.")
@click.option("--funding", cls=options.Many, metavar="PATHS", help="Funding settlements.")
@click.option("--metrics", cls=options.Many, metavar="PATHS", help="On-chain and other series, with available_ms.")
@click.option("--news", cls=options.Many, metavar="PATHS", help="Headlines.")
@click.option("--symbols", cls=options.Many, metavar="A,B", help="Which symbols.  [default: all in the candle files]")
@click.option("--timeframe", type=options.Span(), metavar="1m", help="Bar length.  [default: that of the candles]")
@click.option("--from", "start", type=options.Instant(), metavar="TIME", help="First instant that is decided, UTC.")
@click.option("--to", "stop", type=options.Instant(), metavar="TIME", help="First instant that is not looked at, UTC.")
@click.option("--bars", type=click.IntRange(100, 1_000_000), metavar="N", default=2_000, show_default=True, help="Bars that are decided.")
@click.option("--cuts", type=click.IntRange(1, 100_000), metavar="N", default=24, show_default=True, help="Places at which history is cut.")
@click.option("--lengths", cls=options.Several, metavar="N,N", help="Bars of history for the table of drift.  [default: by the warm-up]")
@click.option("--seed", type=options.SEED, metavar="N", default=0, show_default=True, help="Of random futures and cuts.")
@options.config_option
@options.strategy_options
@options.common
def check(
    *, file: Path | None, config_file: Path | None, strategy_file: Path | None, changes: tuple[str, ...], symbols: tuple[str, ...],
    timeframe: int | None, start: int | None, stop: int | None, bars: int, cuts: int, lengths: tuple[str, ...], seed: int, as_json: bool,
    **named: tuple[str, ...],
) -> int:  # fmt: skip
    """Probe a strategy, a file of your own or the configured one, for what looks ahead. Exit 8 if a probe fails.

    Decisions over a history that is cut short, or whose future is another, must be those of the whole. The same bar by bar, in blocks, cut
    at random, with events of one instant in any order, and event by event as live brings them; sessions that stop at every bar must trade
    as those that do not. The table says how far signals and score are off with so many bars of history before them.
    """
    from bot.causality import Settings
    from bot.commands.progress import progress
    from bot.modes.history import read_market
    from bot.modes.strategy_check import check_strategy

    if file is not None and strategy_file is not None:
        raise click.UsageError("give the strategy once: FILE, or --strategy FILE")
    if start is not None and stop is not None and stop <= start:
        raise click.UsageError("--to must be later than --from")
    loaded = setting.configuration(config_file, file or strategy_file, changes)
    config = loaded.config
    files = {
        name: [Path(path) for path in named[name]] or [loaded.resolve(path) for path in getattr(config.replay, name)] for name in FILES
    }
    if not files["candles"]:
        raise click.UsageError("no candles: name files or directories with --candles, or in [replay] candles of the configuration")
    out = Out(as_json)
    name = str(file or strategy_file or loaded.strategy or "the configured signals")
    with setting.pointing(loaded), progress("probing", "probes") as tell:
        market = read_market(
            files["candles"], files["funding"], files["metrics"], files["news"], symbols or None, timeframe, config.replay.venue or None
        )
        settings = Settings(cuts, seed, numbers(lengths))
        found = check_strategy(config, market, name=name, start=start, stop=stop, bars=bars, settings=settings, say=tell)
    out.answer(found, shown(found, out))
    if not found.ok:
        raise CheckFailed(_complaint(found), answered=as_json)
    return 0


def shown(found: "StrategyChecked", out: Out) -> list[str]:
    """A strategy for people."""
    about = f"{found.bars:,} bars of {span_text(found.timeframe)}, {' '.join(found.symbols)}, warm-up {found.warm_up:,}"
    lines = [out.style(found.strategy, "bold"), f"{about}, {found.decided:,} decisions to trade", ""]
    rows = []
    for one in found.probes:
        result = out.style(one.result, {"fail": "red", "pass": "green"}.get(one.result, "dim")) if out.colour() else one.result
        worst = "unknown" if one.worst is None else f"{one.worst:.1e}" if one.worst else ""
        first = f"first {one.first['output']} of {one.first['symbol']}@{iso(one.first['bar_ms'])}; " if one.first else ""
        counts = (f"{one.values:,}" if one.values else "", f"{one.differing:,}" if one.differing else "")
        rows.append((one.probe, result, *counts, worst, first + one.detail))
    lines += out.table(("PROBE", "RESULT", "VALUES", "DIFFERING", "WORST", ""), rows, right=(2, 3, 4))
    bars = sorted({row["bars"] for table in found.drift.values() for row in table})
    if bars:
        table = []
        for name, drift in found.drift.items():
            cells = {row["bars"]: cell(row) for row in drift}
            table.append((name, *(cells.get(length, "-") for length in bars)))
        lines += ["", *out.table(("DRIFT AT BARS", *(f"{length:,}" for length in bars)), table, right=range(1, len(bars) + 1))]
    return lines


def _complaint(found: "StrategyChecked") -> str:
    said = []
    for one in found.probes:
        if one.result == "fail":
            outputs = ", ".join(found.wrong.get(one.probe, ())[:4])
            at = f", first {one.first['symbol']}@{iso(one.first['bar_ms'])}" if one.first else ""
            said.append(f"{one.probe} ({outputs or one.detail}{at})")
    return f"{found.strategy} failed {' and '.join(said)}"
