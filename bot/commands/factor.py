"""`sluice factor`: what a factor is, as the machine sees it, or why it is none, with the place; and its values over data files."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.commands import options
from bot.commands.factor_backtest import backtest, compare
from bot.commands.factor_check import check
from bot.commands.formulas import Formula, alone, language, needed, opened, reading, refuse, stdin
from bot.errors import ConfigError
from bot.render import Out, pairs

if TYPE_CHECKING:
    from bot.factor_text import Document, Refused, Setting, Source
    from feeds.panel_files import Panel
    from strategies.factors import Node


@click.group()
def factor() -> None:
    """Read a factor, compute its values over data files, or try it on them."""


factor.add_command(backtest)
factor.add_command(compare)
factor.add_command(check)


PARSE = (
    "sluice factor parse '-ts_zscore(close, 60) * rank(volume)'",
    "sluice factor parse alpha.py --timeframe 1h --fields exchange_netflow --json",
    "sluice factor parse --batch factors.jsonl",
)


@factor.command(cls=Formula, examples=PARSE)
@click.argument("text", metavar="TEXT|-|FILE", required=False)
@click.option(
    "--timeframe", type=options.Span(), default=60_000, metavar="1m", help="Bar length: durations are counted in it.  [default: 1m]"
)
@click.option("--fields", cls=options.Several, metavar="A,B", help="Metrics that the factor may read, besides those of every bar.")
@reading
@options.common
def parse(
    *, text: str | None, timeframe: int, fields: tuple[str, ...], dialect: str, units: str | None, batch: str | None, as_json: bool
) -> int:
    """Show what a factor is: dialect, canonical text, inputs, warm-up, size, units, and its meaning in words; or why it is none.

    TEXT is an expression, or lines of `name = expression` of which the last is the factor; - reads it from stdin. A FILE holds one
    factor; a FILE.py holds it as a pandas function, which is read and never run.
    """
    from bot import factor_text
    from strategies.errors import FactorError

    setting = factor_text.Setting(timeframe, factor_text.words(fields), dialect, None if units is None else units == "on")
    if batch is not None:
        alone(text, batch)
        return _parse_batch(batch, setting)
    source = factor_text.of_argument(needed(text), stdin())
    out = Out(as_json)
    try:
        document = factor_text.accepted(*factor_text.read(source, setting), setting)
    except FactorError as error:
        return refuse(error, source, out)
    out.answer(document, pairs(_shown(document)))
    return 0


def _parse_batch(batch: str, setting: "Setting") -> int:
    from bot import factor_text
    from strategies.errors import FactorError

    def answer(source: "Source | Refused") -> "Document":
        if isinstance(source, factor_text.Refused):
            return {"id": source.id, **factor_text.refused(source.error)}
        try:
            return {"id": source.id, **factor_text.accepted(*factor_text.read(source, setting), setting)}
        except FactorError as error:
            return {"id": source.id, **factor_text.refused(error)}

    with opened(batch) as stream:
        for source in factor_text.of_lines(stream):
            _say_line(answer(source))
    return 0


def _say_line(document: "Document") -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


def _shown(document: "Document") -> Iterator[tuple[str, str]]:
    """The document for people."""
    from feeds.bars import COLUMNS
    from feeds.times import span

    lasting = _lasting(document["warm_up"] * span(document["timeframe"]))
    yield "says", document["description"]
    yield "canonical", document["canonical"]
    yield "dialect", document["dialect"]
    yield "inputs", ", ".join(document["inputs"])
    if "where(is_nan(turnover / volume), " in document["canonical"]:
        yield "vwap", "turnover / volume; (high + low + close) / 3 where a bar has no turnover"
    if not set(document["inputs"]) <= {*COLUMNS}:
        yield "metrics", ", ".join(name for name in document["inputs"] if name not in COLUMNS) + ": not of the bar, but of other feeds"
    yield "warm-up", f"{document['warm_up']} bars of {document['timeframe']}" + (f" = {lasting}" if document["warm_up"] else "")
    yield "look-back", f"{document['look_back']} bars"
    yield "nodes", str(document["nodes"])
    yield "state", f"{document['state_bytes']} bytes a symbol"
    yield "units", document["units"]
    yield "key", document["key"]
    for warning in document["warnings"]:
        yield "warning", warning


def _lasting(duration: int) -> str:
    """`4d 23h`"""
    from feeds.times import DAY, HOUR, MINUTE, SECOND

    parts = []
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        count, duration = divmod(duration, size)
        parts += [f"{count}{unit}"] if count else []
    return " ".join(parts)


EVAL = (
    "sluice factor eval 'momentum_5d * log(volume_ratio + 1)' --data candles/1h -o mom.parquet",
    "sluice factor eval --batch factors.jsonl --data BTCUSDT.parquet ETHUSDT.csv --from 2024-01-01 -o values",
)


@factor.command("eval", cls=Formula, examples=EVAL)
@click.argument("text", metavar="TEXT|-|FILE", required=False)
@click.option("--data", cls=options.Files, metavar="PATHS", required=True, help="Parquet or CSV files, directories or patterns of them.")
@click.option("--symbols", cls=options.Several, metavar="A,B", help="Which symbols, in this order.  [default: all]")
@click.option("--from", "start", type=options.Instant(), metavar="TIME", help="First bar that is written, by its ts_ms.")
@click.option("--to", "stop", type=options.Instant(), metavar="TIME", help="Last bar that is written, by its ts_ms.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="OUT", required=True, help="Parquet file; for a batch a folder.")
@click.option("--timeframe", type=options.Span(), metavar="1h", help="Bar length.  [default: the commonest step of ts_ms]")
@click.option("--block", type=click.IntRange(1, 1_000_000), metavar="N", help="Bars computed at once: speed, and nothing else.")
@click.option("--stream", is_flag=True, help="One bar at a time, as live does it: the same values.")
@reading
@options.common
def evaluate(
    *, text: str | None, data: tuple[str, ...], symbols: tuple[str, ...], start: int | None, stop: int | None, output: Path,
    timeframe: int | None, block: int | None, stream: bool, dialect: str, units: str | None, batch: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Compute a factor over data files: a Parquet file with `ts_ms` and a column a symbol.

    A data file has ts_ms, open, high, low, close, volume and is named after its symbol; further columns are further inputs. Bars before
    --from warm the factor up. For a batch OUT is a folder with a file for each id, and each id is answered with a JSON line.
    """
    from bot import factor_text
    from bot.commands.progress import progress
    from bot.evaluate import Job, Span, check_place, remark
    from bot.evaluate import evaluate as run
    from strategies.errors import FactorError

    if start is not None and stop is not None and stop < start:
        raise click.UsageError("--to must not be earlier than --from")
    span = Span(start, stop, 1 if stream else block or 0)
    if batch is not None:
        alone(text, batch)
    else:
        needed(text)
    check_place(output, batch is not None)
    panel = _panel(data, symbols, timeframe)
    setting = factor_text.Setting(panel.timeframe, panel.fields, dialect, None if units is None else units == "on")
    if batch is not None:
        return _evaluate_batch(batch, panel, setting, span, output)
    out = Out(as_json)
    source = factor_text.of_argument(needed(text), stdin())
    try:
        node, _ = factor_text.read_over(source, setting)
    except FactorError as error:
        return refuse(error, source, out)
    _spare(panel, [output])
    _say_vwap([(source, node)], panel)
    with progress("evaluating", "bars") as say:
        (result,) = run(panel, [Job("factor", node, output)], span, say)
    document = {"ok": True, "file": str(output), "rows": result.rows, "known": result.known, "symbols": list(panel.symbols)}
    out.answer(document, [f"{output}: {result.rows} rows of {len(panel.symbols)} symbols, {result.known} values known"])
    if said := remark(panel, node, result):
        out.note(said)
    return 0


def _panel(data: tuple[str, ...], symbols: tuple[str, ...], timeframe: int | None) -> "Panel":
    from feeds.panel_files import read_panel

    panel = read_panel(data, symbols, timeframe)
    for note in panel.notes:
        Out().note(note)
    return panel


def _spare(panel: "Panel", files: list[Path]) -> None:
    """Refuse to write over the data."""
    data = {path.resolve() for path in panel.files}
    for file in files:
        if file.resolve() in data:
            raise ConfigError(f"{file} is one of the data files and stays as it is.  Name another place: -o OUT")


def _say_vwap(read: "list[tuple[Source, Node]]", panel: "Panel") -> None:
    """Say once what vwap is where the data has neither it nor a turnover."""
    if {"vwap", "turnover"} & set(panel.fields):
        return
    if any(re.search(r"\bvwap\b", source.text, re.IGNORECASE) and {"high", "low", "close"} <= node.inputs() for source, node in read):
        Out().note("the data has no turnover: vwap is (high + low + close) / 3")


def _evaluate_batch(batch: str, panel: "Panel", setting: "Setting", span: Any, folder: Path) -> int:  # Any: bot.evaluate.Span
    from bot import factor_text
    from bot.commands.progress import progress
    from bot.evaluate import Job, evaluate, file_name
    from strategies.errors import BadText, FactorError

    answers: list[Document | None] = []
    jobs: list[Job] = []
    read: list[tuple[Source, Node]] = []
    names: dict[str, int | str | None] = {}
    with opened(batch) as stream:
        for source in factor_text.of_lines(stream):
            try:
                if isinstance(source, factor_text.Refused):
                    raise source.error
                name = file_name(str(source.id))
                if name in names:
                    raise BadText(f"the id {source.id!r} was given before", suggestion="give every factor an id of its own")
                node, _ = factor_text.read_over(source, setting)
            except FactorError as error:
                answers.append({"id": source.id, **factor_text.refused(error)})
                continue
            names[name] = source.id
            read.append((source, node))
            jobs.append(Job(name, node, folder / name))
            answers.append(None)
    _spare(panel, [job.file for job in jobs])
    _say_vwap(read, panel)
    folder.mkdir(parents=True, exist_ok=True)
    said = iter(answers)
    with progress("evaluating", "bars") as say:
        for result in evaluate(panel, jobs, span, say):
            while (answer := next(said)) is not None:
                _say_line(answer)
            job = result.job
            _say_line({"id": names[job.name], "ok": True, "file": str(job.file), "rows": result.rows, "known": result.known})
    for answer in said:
        if answer is not None:
            _say_line(answer)
    return 0


SIMILAR = ("sluice factor similar 'ts_mean(close, 20) / close' 'ts_mean(close, 30) / close'",)


@factor.command(cls=Formula, examples=SIMILAR)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--timeframe", type=options.Span(), default=60_000, metavar="1m", help="Bar length.  [default: 1m]")
@click.option("--fields", cls=options.Several, metavar="A,B", help="Metrics that the factors may read.")
@language
@options.common
def similar(*, a: str, b: str, timeframe: int, fields: tuple[str, ...], dialect: str, units: str | None, as_json: bool) -> int:
    """How alike two factors are: 1 where they are the same, 0 where they share nothing.

    A and B are what `sluice factor parse` takes. Half way between stand factors that differ in their windows alone.
    """
    from bot import factor_text
    from strategies.errors import FactorError
    from strategies.factors.similarity import similarity

    out = Out(as_json)
    setting = factor_text.Setting(timeframe, factor_text.words(fields), dialect, None if units is None else units == "on")
    nodes = []
    for text in (a, b):
        source = factor_text.of_argument(text, stdin())
        try:
            nodes.append(factor_text.read(source, setting)[0])
        except FactorError as error:
            return refuse(error, source, out)
    value = similarity(*nodes)
    out.answer({"similarity": value, "keys": [node.key for node in nodes]}, [f"{value:.3f}"])
    return 0
