"""`sluice sweep`: search parameters and settings, and say what the find is worth."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.commands import options, setting
from bot.commands.progress import progress
from bot.commands.words import replay_command
from bot.render import Out, clock

if TYPE_CHECKING:
    from bot.config import Config
    from bot.modes.sweep import Step, SweepResult
    from bot.sampling import Value

EXAMPLES = (
    "sluice sweep --strategy my_momentum.py --candles data/1h --trials 40 --folds 4",
    "sluice sweep --candles data/1h --param strategy.entry_threshold=0.1..0.6 --param trading.stop_loss=0.01,0.02 --sampler grid --json",
)
SPACE = """What to try: NAME=LOW..HIGH, with :STEP or :log, or NAME=A,B,C; without a dot a parameter of the strategy. Repeatable.
[default: every parameter of the strategy that declares a range]"""
KEPT = "Ledger of every try: what is there is not made again."
FILES = ("candles", "funding", "metrics", "news")


@click.command(cls=options.Command, examples=EXAMPLES)
@click.option("--param", "params", multiple=True, metavar="NAME=SPACE", help=SPACE)
@click.option("--trials", type=click.IntRange(1, 100_000), metavar="N", help="Tries in each fold.  [default: 40; of a grid all]")
@click.option("--sampler", type=click.Choice(("tpe", "random", "grid")), default="tpe", show_default=True, help="Who chooses tries.")
@click.option("--metric", default="sharpe", show_default=True, metavar="NAME", help="What is made as large as can be: docs/metrics.md.")
@click.option("--folds", type=click.IntRange(0, 50), default=4, show_default=True, metavar="N", help="Steps of the walk forward; 0: none.")
@click.option("--rolling", is_flag=True, help="Train spans of one length, instead of from the beginning.")
@click.option("--purge", type=options.Span(), default="1d", show_default=True, metavar="1d", help="Left out at the end of a train span.")
@click.option("--embargo", type=options.Span(), default="1d", show_default=True, metavar="1d", help="Left out before a test span.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Processes; changes no result.")
@click.option("--store", "ledger", type=click.Path(path_type=Path), default=Path("sweep.db"), show_default=True, metavar="FILE", help=KEPT)
@click.option("--candles", cls=options.Many, metavar="PATHS", help="Parquet or CSV files, or directories of them.")
@click.option("--funding", cls=options.Many, metavar="PATHS", help="Funding settlements.")
@click.option("--metrics", cls=options.Many, metavar="PATHS", help="On-chain and other series, with available_ms.")
@click.option("--news", cls=options.Many, metavar="PATHS", help="Headlines.")
@click.option("--symbols", cls=options.Many, metavar="A,B", help="Which symbols.  [default: all in the candle files]")
@click.option("--timeframe", type=options.Span(), metavar="1m", help="Bar length.  [default: that of the candles]")
@click.option("--from", "start", type=options.Instant(), metavar="TIME", help="First instant, UTC.")
@click.option("--to", "stop", type=options.Instant(), metavar="TIME", help="First instant that is not used, UTC.")
@click.option("--seed", type=options.SEED, metavar="N", default=0, show_default=True, help="Seed of the sampler.")
@options.config_option
@options.strategy_options
@options.common
def sweep(
    *, params: tuple[str, ...], trials: int | None, sampler: str, metric: str, folds: int, rolling: bool, purge: int, embargo: int,
    jobs: int, ledger: Path, symbols: tuple[str, ...], timeframe: int | None, start: int | None, stop: int | None, seed: int,
    config_file: Path | None, strategy_file: Path | None, changes: tuple[str, ...], as_json: bool, **named: tuple[str, ...],
) -> None:  # fmt: skip
    """Search parameters of a strategy and settings of the configuration; every try is a real replay, judged out of sample.

    Time is walked forward: in each fold the tries see the train span alone, the best of them is replayed over the next span. The answer
    holds the figures out of sample beside those in sample, how far the choice moves from fold to fold, and whether the best can be told
    from luck, given every try that was ever made on these data in this ledger. A sweep that was killed goes on where it was.
    """
    import msgspec

    from bot.config.space import space_of
    from bot.modes.sweep import Plan
    from bot.modes.sweep import sweep as searched
    from bot.modes.trial import Files
    from bot.store.trials import Ledger

    if start is not None and stop is not None and stop <= start:
        raise click.UsageError("--to must be later than --from")
    out = Out(as_json)
    loaded = setting.configuration(config_file, strategy_file, changes)
    files = {
        name: tuple(Path(path) for path in named[name]) or tuple(loaded.resolve(path) for path in getattr(loaded.config.replay, name))
        for name in FILES
    }
    if not files["candles"]:
        raise click.UsageError("no candles: name files or directories with --candles, or in [replay] candles of the configuration")
    own = loaded.config.strategy
    fixed = {"strategy.file": own.file, "strategy.code": own.code} if own.code else {}

    def configured(values: Mapping[str, "Value"]) -> "Config":
        return setting.configuration(config_file, None, changes, {**fixed, **values}).config

    space = tuple(space_of(loaded, params))
    tries = trials or (math.prod(len(one.points()) for one in space) if sampler == "grid" else 40)
    plan = Plan(
        configured, Files(**files, symbols=symbols, timeframe=timeframe), space, sampler, metric, tries, folds, not rolling, purge,
        embargo, start, stop, seed,
    )  # fmt: skip
    again = "give the same command again: what was tried is kept and not tried again"
    with Ledger.open(ledger) as book, setting.pointing(loaded), progress("sweep", "replays", resume=again) as tell:
        result = searched(plan, book, jobs, tell)
    best = [f"{name.removeprefix('strategy.parameters.')}={_text(value)}" for name, value in result.best.items()]
    last = result.folds[-1].test or result.folds[-1].train
    command = replay_command(loaded.file, files, symbols, timeframe, *last, 0, strategy_file, (*changes, *best))
    result = msgspec.structs.replace(result, command=command)
    out.answer(result, told(result, str(ledger), out))


def told(result: "SweepResult", ledger: str, out: Out) -> list[str]:
    """The answer for people."""
    names = [one.name.removeprefix("strategy.parameters.") for one in result.space]
    head = f"{result.sweep}  {result.sampler}, {result.metric}, seed {result.seed}"
    lines = [out.style(head, "bold"), f"replays     {result.replays:,} made now, {result.found:,} found in {ledger}"]
    lines.append(f"tries ever  {result.trials_ever:,} different settings on these data")
    rows = [_row(step, result.metric) for step in result.folds]
    columns = ("FOLD", "TRAIN TO", "TEST TO", "TRIES", *map(str.upper, names), "IN SAMPLE", "OUT", "AS IT WAS")
    lines += ["", *out.table(columns, rows, right=range(3, len(columns)))]
    if result.folds[0].test is not None:
        stitched = result.stitched
        total, sharpe, fall = (
            _of(stitched[name], form) for name, form in (("total_return", ".2%"), ("sharpe", ".2f"), ("max_drawdown", ".2%"))
        )
        lines += ["", f"out of sample, put together: return {total}, Sharpe {sharpe}, deepest fall {fall}"]
        moved = ", ".join(
            f"{name} {'-' if one.spread is None else f'{one.spread:.0%}'}"
            for name, one in zip(names, result.stability.values(), strict=True)
        )
        lines.append(f"how far the choice moved, of its range: {moved}")
    fate = result.luck
    lines += ["", *out.table(("LUCK", ""), _luck(fate))]
    lines += ["", out.style(fate.verdict, "bold"), *(f"warning: {text}" for text in result.warnings), "", f"Next: {result.command}"]
    return lines


def _row(step: "Step", metric: str) -> tuple[str, ...]:
    def of(figures: dict[str, float | None] | None) -> str:
        return _of(None if figures is None else figures.get(metric))

    test = "-" if step.test is None else clock(step.test[1])[:10]
    values = [_text(value) for value in step.best.values()]
    figures = of(step.in_sample), of(step.out_of_sample), of(step.start)
    return str(step.fold), clock(step.train[1])[:10], test, str(step.trials), *values, *figures


def _luck(fate: Any) -> list[tuple[str, str]]:  # Any: bot.luck.Luck
    return [
        ("different settings tried, and those that are not nearly the same", f"{fate.trials:,}  {fate.effective:,}"),
        ("Sharpe ratio of the chosen one, and of the best of as many without skill (a period)",
         f"{_of(fate.best_sharpe)}  {_of(fate.lucky_sharpe)}"),
        ("probability that the chosen one is truly above that (deflated Sharpe)", _of(fate.deflated)),
        ("probability that the returns out of sample are truly above zero", _of(fate.out_of_sample)),
        ("probability that the search overfits (PBO)", _of(fate.overfitting)),
    ]  # fmt: skip


def _of(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None else format(value, form)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
