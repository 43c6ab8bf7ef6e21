"""`sluice factor backtest` and `sluice factor compare`: what a factor would have made after costs, by slice of time and by regime."""

import shlex
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bot.commands import options
from bot.commands.formulas import Formula, language, needed, opened, refuse, stdin
from bot.errors import ConfigError
from bot.render import Out, pairs, plain

if TYPE_CHECKING:
    from bot.factor_text import Source
    from bot.research.document import Document, Table
    from bot.research.market import Market, Sources
    from bot.research.settings import Settings
    from strategies.factors import Node

SCHEMES = ("auto", "rank", "quantile", "top", "zscore", "time_sign", "time_side", "time_zscore", "time_rank")
RANKED_BY = ("sharpe", "rank_ic", "ic", "icir", "rank_icir", "sortino", "annual_return", "break_even_bps")


class Bars(click.ParamType[Any]):
    """`24` bars, or a time: `1d`. Gives an int for bars and `(milliseconds,)` for a time."""

    name = "bars"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # Any: as click declares it
        if isinstance(value, str) and not value.strip().isdigit():
            return (options.Span().convert(value, param, ctx),)
        return int(value)


class Shares(click.ParamType[Any]):
    """`70/15/15`."""

    name = "shares"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # Any: as click declares it
        try:
            parts = [float(part) for part in str(value).split("/")]
            train, validate, test = (part / sum(parts) for part in parts)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value} is not three numbers such as 70/15/15.", param, ctx)
        return train, validate, test


T = TypeVar("T")
Option = Callable[[Any], Any]  # Any: decorators keep whatever signature the command has
DATA: tuple[Option, ...] = (
    click.option("--candles", "--data", "data", cls=options.Files, metavar="PATHS", required=True,
                 help="Parquet or CSV files, directories or patterns of them."),
    click.option("--funding", cls=options.Files, metavar="PATHS", help="Files of funding rates: paid, earned and a factor's input."),
    click.option("--metrics", cls=options.Files, metavar="PATHS", help="Files of on-chain and market metrics, as inputs."),
    click.option("--news", cls=options.Files, metavar="PATHS", help="Headlines, as sentiment and counts."),
    click.option("--symbols", cls=options.Several, metavar="A,B", help="Which symbols.  [default: all]"),
    click.option("--from", "start", type=options.Instant(), metavar="TIME", help="First bar that is judged; those before warm up."),
    click.option("--to", "stop", type=options.Instant(), metavar="TIME", help="Last bar, by its ts_ms."),
    click.option("--timeframe", type=options.Span(), metavar="1h", help="Bar length.  [default: the commonest step of ts_ms]"),
    click.option("--universe", type=click.Path(path_type=Path), metavar="FILE",
                 help="Who could be traded when: symbol, listed, delisted; or snapshots ts_ms, symbol, rank."),
    click.option("--largest", type=click.IntRange(0), default=0, metavar="N", help="Of each snapshot only ranks up to N."),
    click.option("--venue", metavar="V", help="Funding of this venue, where a symbol has several."),
)  # fmt: skip
POSITION: tuple[Option, ...] = (
    click.option("--scheme", type=click.Choice(SCHEMES), default="auto", metavar="S", help=f"Positions: {', '.join(SCHEMES)}.  [auto]"),
    click.option("--long-only", is_flag=True, help="No short positions."),
    click.option("--direction", type=click.Choice(("train", "+1", "-1")), default="train", metavar="D",
                 help="Sign of the factor: found on train, +1 or -1.  [train]"),
    click.option("--rebalance", type=Bars(), default="0", metavar="N|1d", help="Bars or time between decisions.  [a day, a bar at least]"),
    click.option("--latency", type=click.IntRange(1, 10_000), default=1, metavar="N", help="Bars from close to trade.  [1: next open]"),
    click.option("--share", type=click.FloatRange(1e-6, 0.5), default=0.2, metavar="X", help="quantile: share on each side.  [0.2]"),
    click.option("--top", type=click.IntRange(1), default=3, metavar="K", help="top: symbols on each side.  [3]"),
    click.option("--gross", type=options.POSITIVE, default=1.0, metavar="X", help="Sum of absolute weights.  [1]"),
    click.option("--max-weight", type=options.POSITIVE, default=1.0, metavar="X", help="Absolute weight of one symbol.  [1]"),
    click.option("--window", type=click.IntRange(0, 1_000_000), default=0, metavar="N", help="Bars of trailing z and rank.  [30 days]"),
    click.option("--vol-target", type=click.FloatRange(0, 10), default=0.0, metavar="X", help="Annual volatility aimed at.  [off]"),
    click.option("--band", type=click.FloatRange(0, 1), default=0.0, metavar="X", help="Leave smaller changes alone.  [0]"),
    click.option("--capital", type=options.POSITIVE, default=100_000.0, metavar="X", help="For impact.  [100000]"),
)  # fmt: skip
COSTS: tuple[Option, ...] = tuple(
    click.option(
        f"--{name}", f"{name}_bps", type=click.FloatRange(0, 10_000), default=default, metavar="BPS", help=f"{says}  [{default:g}]"
    )
    for name, default, says in (
        ("fee", 5.5, "Of every trade."),
        ("spread", 1.0, "Half of it is paid."),
        ("slippage", 1.0, "Beyond the spread."),
        ("impact", 100.0, "Of a trade as large as its bar's volume; square root."),
        ("haircut", 0.0, "Lost where prices end under a position."),
    )
)
JUDGED: tuple[Option, ...] = (
    click.option("--no-funding", is_flag=True, help="Neither pay nor earn it; it stays an input."),
    click.option("--horizon", type=click.IntRange(0, 100_000), default=0, metavar="N", help="Bars of the label.  [as rebalance]"),
    click.option("--horizons", cls=options.Several, type=click.IntRange(1, 100_000), metavar="N,N", help="Of the decay.  [1,2,4,...48]"),
    click.option("--evidence", type=click.Choice(("auto", "across", "over_time")), default="auto", metavar="E",
                 help="ICs across symbols, or over_time of each.  [as the scheme]"),
    click.option("--quantiles", type=click.IntRange(2, 100), default=5, metavar="N", help="Groups.  [5]"),
    click.option("--split", type=Shares(), default="70/15/15", metavar="A/B/C", help="Train, validate, test.  [70/15/15]"),
    click.option("--purge", type=click.IntRange(-1), default=-1, metavar="N", help="Bars before a boundary.  [horizon + latency]"),
    click.option("--embargo", type=click.IntRange(-1), default=-1, metavar="N", help="Bars after it.  [a hundredth]"),
    click.option("--folds", type=click.IntRange(1, 100), default=5, metavar="N", help="Of the walk forward.  [5]"),
    click.option("--rolling", is_flag=True, help="The walk forward learns from the part before alone."),
    click.option("--test", is_flag=True, help="Open the test slice. The look is counted."),
    click.option("--looks", type=click.Path(path_type=Path, dir_okay=False), default=".sluice/looks.jsonl", metavar="FILE",
                 help="Where looks at test slices are counted.  [.sluice/looks.jsonl]"),
    click.option("--draws", type=click.IntRange(0, 100_000), default=500, metavar="N", help="Of the bootstrap.  [500]"),
    click.option("--seed", type=options.SEED, default=7, metavar="N", help="Of the bootstrap.  [7]"),
)  # fmt: skip


def trial(function: options.F) -> options.F:
    """The options of a trial: data, positions, costs, and what it is judged by."""
    return reduce(lambda f, option: option(f), reversed((*DATA, *POSITION, *COSTS, *JUDGED)), function)


BACKTEST = (
    "sluice factor backtest 'close / delay(close, 5d) - 1' --candles candles/1h --funding funding.parquet",
    "sluice factor backtest alpha.py --candles 1d.parquet --universe listings.csv --scheme quantile --rebalance 7d --html alpha.html",
)


@click.command(cls=Formula, examples=BACKTEST)
@click.argument("text", metavar="TEXT|-|FILE", required=False)
@trial
@click.option("--html", type=options.Page(), metavar="FILE", help="One self-contained page.")
@language
@options.common
def backtest(*, text: str | None, html: Path | None, dialect: str, units: str | None, as_json: bool, **given: Any) -> int:  # Any: options
    """Trade a factor over data files, and say what it made and knew: each figure with its error, by slice of time and by regime.

    The sign is found on train, the first 70 % of bars. The test slice, the last 15 %, is not computed without --test. Decisions at a
    close are traded at the next open; every trade is charged, the first entry and the last exit too.
    """
    import msgspec

    from bot import factor_text
    from bot.commands.progress import progress
    from bot.research.backtest import backtest as run
    from bot.research.document import document, tables, title
    from strategies.errors import FactorError

    out, source = Out(as_json), factor_text.of_argument(needed(text), stdin())
    sources = _sources(given)
    settings = _settings(given, sources.panel.timeframe)
    try:
        node, _ = factor_text.read_over(source, _setting(sources, dialect, units))
    except FactorError as error:
        return refuse(error, source, out)
    market = sources.market(node.inputs(), given["start"], given["stop"])
    with progress("trying", "factors"):
        found = _tried(lambda: run(market, node, settings, name=source.text.strip() if source.name == "factor" else source.name))
    if settings.test:
        found = msgspec.structs.replace(found, warnings=(*found.warnings, _looked(given, market, [node])))
    if html is not None:
        from bot.commands.files import place
        from bot.research.page import page

        place(html, page(found, _again("backtest")), 0o644)
        out.note(f"{html}: written")
    lines = [*pairs(title(found)), *_shown(out, tables(found)), *(f"warning: {said}" for said in found.warnings)]
    out.answer(document(found), lines)
    return 0


COMPARE = (
    "sluice factor compare 'ts_zscore(close, 60)' 'rsi(close, 14) - 50' --candles candles/1h",
    "sluice factor compare --batch alpha158 --candles candles/1h --by rank_ic --html ranked.html",
)


@click.command(cls=Formula, examples=COMPARE)
@click.argument("texts", metavar="TEXT|FILE...", nargs=-1)
@click.option("--batch", metavar="FILE.jsonl", help='Many: a JSON object a line, {"id", "text" or "code"}; or a published set by name.')
@click.option("--by", type=click.Choice(RANKED_BY), default="sharpe", metavar="F", help=f"Ranked by: {', '.join(RANKED_BY)}.  [sharpe]")
@click.option("--html", type=options.Page(), metavar="FILE", help="One self-contained page.")
@click.option("--details", is_flag=True, help="Regimes, quantiles, decay and the walk forward of each: ten times the work.")
@trial
@language
@options.common
def compare(
    *, texts: tuple[str, ...], batch: str | None, by: str, html: Path | None, details: bool, dialect: str, units: str | None,
    as_json: bool, **given: Any,
) -> int:  # fmt: skip  # Any: options
    """Try many factors on the same bars in one pass, and rank them by what they did on validate.

    The answer says how many were tried, how many of those are alike, and what the best of so many shows by luck alone.
    """
    from bot.commands.progress import progress
    from bot.research.backtest import backtest_many
    from bot.research.comparison import comparison, entry

    out = Out(as_json)
    sources = _sources(given)
    settings = _settings(given, sources.panel.timeframe)
    found, refused = _factors(texts, batch, _setting(sources, dialect, units))
    wanted = sorted({name for _, node in found for name in node.inputs()})
    market = sources.market(wanted, given["start"], given["stop"])
    names, nodes = [name for name, _ in found], [node for _, node in found]
    with progress("trying", "factors") as say:
        tried = backtest_many(market, nodes, settings, names=names, details=details, say=say)
        entries = _tried(lambda: [entry(each, by) for each in tried])
    answer = comparison(entries, by) | {"refused": refused}
    shared = [said for said in answer["factors"][0]["warnings"] if all(said in row["warnings"] for row in answer["factors"])]
    answer["warnings"] = [*shared, _looked(given, market, nodes)] if settings.test else shared
    told = [f"{each['id']}: refused, {each['message']}" for each in refused]
    over, ranking, notes = _ranking(answer)
    if html is not None:
        from bot.commands.files import place
        from bot.research.page import ranking_page

        place(html, ranking_page(ranking, [over, *notes], [*answer["warnings"], *told], _again("compare")), 0o644)
        out.note(f"{html}: written")
    shown = [over, "", *out.table(ranking.head, ranking.rows, ranking.right), "", *notes]
    out.answer(answer, [*shown, *told, *(f"warning: {said}" for said in answer["warnings"])])
    return 0


def _tried(work: Callable[[], T]) -> T:
    try:
        return work()
    except ValueError as error:  # too few bars
        raise ConfigError(str(error)) from None


def _sources(given: dict[str, Any]) -> "Sources":
    from bot.modes.markets import open_market

    if given["start"] is not None and given["stop"] is not None and given["stop"] < given["start"]:
        raise click.UsageError("--to must not be earlier than --from")
    return open_market(
        given["data"], given["symbols"], given["timeframe"], funding=given["funding"], metrics=given["metrics"], news=given["news"],
        universe=given["universe"], largest=given["largest"], venue=given["venue"],
    )  # fmt: skip


def _settings(given: dict[str, Any], timeframe: int) -> "Settings":
    from bot.research.settings import Costs, Settings

    rebalance = given["rebalance"]
    if isinstance(rebalance, tuple):
        if rebalance[0] % timeframe:
            raise click.UsageError(f"--rebalance must be a multiple of the bar length, {timeframe} ms")
        rebalance = rebalance[0] // timeframe
    names = (
        "scheme", "long_only", "direction", "latency", "share", "top", "gross", "max_weight", "window", "vol_target", "band", "capital",
        "horizon", "evidence", "quantiles", "test", "purge", "embargo", "folds", "draws", "seed",
    )  # fmt: skip
    rest: dict[str, Any] = {"horizons": tuple(given["horizons"])} if given["horizons"] else {}
    try:
        costs = Costs(**{name: given[name] for name in Costs.__struct_fields__})
        return Settings(
            **{name: given[name] for name in names}, **rest, rebalance=rebalance, shares=given["split"], anchored=not given["rolling"],
            funding=not given["no_funding"], costs=costs,
        )  # fmt: skip
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _setting(sources: "Sources", dialect: str, units: str | None) -> Any:  # Any: bot.factor_text.Setting
    from bot import factor_text

    return factor_text.Setting(sources.panel.timeframe, sources.fields, dialect, None if units is None else units == "on")


def _factors(texts: Sequence[str], batch: str | None, setting: Any) -> "tuple[list[tuple[str, Node]], list[Document]]":
    """Those that can be read, by name, and why the others cannot."""
    from bot import factor_text
    from strategies.errors import BadText, FactorError

    given: list[Source | factor_text.Refused] = [factor_text.of_argument(text, stdin()) for text in texts]
    if batch is not None:
        with opened(batch) as stream:
            given += factor_text.of_lines(stream)
    found: dict[str, Node] = {}
    refused: list[Document] = []
    for source in given:
        name = str(source.id) if source.id is not None else ""
        try:
            if isinstance(source, factor_text.Refused):
                raise source.error
            name = name or (source.text.strip() if source.name == "factor" else source.name)
            node, _ = factor_text.read_over(source, setting)
            if found.get(name, node) is not node:
                raise BadText(f"{name!r} was the name of another factor before", suggestion="give every factor an id of its own")
        except FactorError as error:
            refused.append({"id": plain(name or source.id), **factor_text.refused(error)})
            continue
        found[name] = node
    if not found:
        why = f" ({refused[0]['id']}: {refused[0]['message']})" if refused else ""
        raise ConfigError(f"there is no factor to try{why}.  Name some: as text, as files, or --batch FILE.jsonl")
    return list(found.items()), refused


def _looked(given: dict[str, Any], market: "Market", nodes: "Sequence[Node]") -> str:
    """Count a look at the test slice, and say so."""
    from bot.research.looks import data_key, record
    from feeds.times import now

    count = record(given["looks"], now(), data_key(market), [node.text for node in nodes])
    return f"{count} factors have now been shown on the test slice of these data ({given['looks']})"


def _shown(out: Out, tables: "Sequence[Table]") -> list[str]:
    lines: list[str] = []
    for one in tables:
        lines += ["", f"{one.title}" + (f"  ({one.note})" if one.note else ""), *out.table(one.head, one.rows, one.right)]
    return [*lines, ""]


def _ranking(answer: "Document") -> "tuple[str, Table, list[str]]":
    """What was tried on what, the table, and how to read it."""
    from bot.render import clock, percent, signed
    from bot.research.document import Table, number

    rows = []
    for place, row in enumerate(answer["factors"], 1):
        train = row["slices"]["train"].metrics
        judged = row["slices"].get("validate", row["slices"]["train"]).metrics
        sharpe, ranked = judged["sharpe"], judged["rank_ic"]
        rows.append((
            str(place), plain(row["factor"], 48), f"{row['direction']:+d}", signed(number(train["rank_ic"]), 4),
            signed(ranked.value, 4), signed(ranked.t, 1), f"{signed(sharpe.value, 2)} ± {signed(sharpe.error, 2).lstrip('+')}",
            percent(number(judged["annual_return"])), f"{number(judged['turnover']):.2f}", signed(number(judged["break_even_bps"]), 1),
            f"{row['luck'].adjusted_p:.3f}", f"{row['luck'].deflated_sharpe:.3f}",
        ))  # fmt: skip
    head = (
        "", "factor", "sign", "train rank IC", "rank IC", "t", "Sharpe", "a year", "turnover", "break-even", "BH p", "DSR",
    )  # fmt: skip
    where = answer["ranked_on"]
    said = (
        f"{answer['trials']} factors tried, {answer['effective_trials']} different ones; ranked by {answer['by']} on {where}; "
        f"{answer['discoveries']} with a rank IC that is no luck (Benjamini-Hochberg, 5 %)"
    )
    one = answer["factors"][0]
    span = f"{clock(one['start'])[:16]} to {clock(one['stop'])[:16]}"
    over = f"{len(one['symbols'])} symbols, {one['bars']:,} bars of {one['timeframe']}, {span}; Sharpe and a year after costs; "
    over += f"all but sign and train on {where}"
    luck = "DSR: the chance that the Sharpe ratio is above the best of so many by luck"
    return over, Table("Factors, best first", head, tuple(rows), (0, *range(3, 12))), [said, luck]


def _again(command: str) -> str:
    words = click.get_current_context().find_root().obj or ()
    return shlex.join(["sluice", *words]) if words else f"sluice factor {command}"
