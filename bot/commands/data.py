"""`sluice data`: market history on disk. Bring it in, look at it, check it, or make it up."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.commands import options
from bot.commands.bring import archive_option, archive_place, download, import_
from bot.commands.progress import progress
from bot.errors import CheckFailed, UsageError
from bot.render import Out, clock, pairs, plain
from feeds import times

if TYPE_CHECKING:
    from feeds.quality import Finding

symbols_option = click.option("--symbols", cls=options.Many, metavar="A,B", help="Which symbols.  [default: all]")


@click.group()
def data() -> None:
    """Market data: download, import, list, check, synthesise."""


data.add_command(download)
data.add_command(import_, "import")


@data.command(name="list", cls=options.Command, examples=("sluice data list", "sluice data list --archive data/archive --json"))
@archive_option
@options.config_option
@options.common
def list_(archive: Path | None, config_file: Path | None, as_json: bool) -> None:
    """What is stored: bars, span and holes of each symbol."""
    from feeds.archive import Archive

    out = Out(as_json)
    place = archive_place(archive, config_file)
    held = Archive(place).holdings() if place.exists() else []
    head = ("KIND", "SYMBOL", "BAR", "ROWS", "FIRST UTC", "END UTC", "MISSING", "GAPS", "FROM", "MIB")
    rows = [
        (
            one.kind.removeprefix("metrics/"), one.symbol, times.span_text(one.timeframe) if one.timeframe else "-", f"{one.bars:,}",
            clock(one.first_ms), clock(one.end_ms), f"{one.missing:,}", f"{one.gaps:,}", " ".join(one.sources) or "-",
            f"{one.size / 2**20:.1f}",
        )
        for one in held
    ]  # fmt: skip
    lines = out.table(head, rows, right=(3, 6, 7, 9)) if rows else [f"nothing in {place} yet: sluice data download or import"]
    for one in held:
        largest = sorted(sorted(one.holes, key=lambda gap: gap.start - gap.stop)[:3])
        lines += [f"gap: {one.symbol} {one.kind} from {clock(gap.start)} to {clock(gap.stop)}" for gap in largest]
        lines += [f"gap: {one.symbol} {one.kind}: and {one.gaps - 3} shorter ones; --json lists them"] if one.gaps > 3 else []
    out.answer({"archive": str(place), "holdings": [one._asdict() for one in held]}, lines)


@data.command(cls=options.Command, examples=("sluice data check market/ --json", "sluice data check BTCUSDT.csv funding.parquet"))
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.common
def check(paths: tuple[Path, ...], as_json: bool) -> int:
    """Look for everything that is wrong with data files, not only for the first fault. Exit 8 when there is an error.

    Candles, mark and index bars, funding, metrics and news are told apart by themselves; a folder or a whole archive is looked through.
    An error is what a reader refuses; a warning can be read, and should be looked at; a note is there so that nobody is surprised.
    """
    from feeds import quality

    out = Out(as_json)
    with progress("check", "files") as tell:
        found = quality.check(paths, now=times.now(), tell=tell)
    errors = sum(1 for finding in found if finding.severity is quality.Severity.ERROR)
    if as_json:
        counts = {str(severity): sum(1 for finding in found if finding.severity is severity) for severity in quality.Severity}
        out.document({"ok": not errors, "counts": counts, "findings": [finding._asdict() for finding in found]})
        return CheckFailed.exit_code if errors else 0
    out.say(*_findings(found, out))
    if found and not errors:
        out.say("", f"{_counted(found)}: a replay reads these files")
    if errors:
        raise CheckFailed(f"{errors} error{'s' if errors > 1 else ''}: a replay would refuse these files.  Mend them at the places above")
    return 0


@data.command(
    cls=options.Command, examples=("sluice data synth market/", "sluice data synth market/ --seed 11 --days 90 --symbols BTCUSDT,XRPUSDT")
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--seed", type=options.SEED, metavar="N", default=7, show_default=True, help="The same seed gives the same market.")
@click.option("--days", type=click.IntRange(1, 3_660), default=21, show_default=True, help="Length of the history.")
@click.option("--symbols", cls=options.Many, metavar="A,B", help="Which symbols.  [default: BTCUSDT,ETHUSDT,SOLUSDT]")
@click.option("--timeframe", type=options.Span(), default=times.MINUTE, metavar="1m", help="Bar length.  [default: 1m]")
@click.option("--from", "start", type=options.Instant(), metavar="TIME", help="First bar's open, UTC.  [default: 2024-03-04]")
@options.common
def synth(*, folder: Path, seed: int, days: int, symbols: tuple[str, ...], timeframe: int, start: int | None, as_json: bool) -> None:
    """Make up a market: candles with fat tails and clustered volatility, funding, on-chain metrics, headlines that move prices.

    Every file says that it is synthetic. The same arguments give the same files on any machine.
    """
    from feeds.synth import START, SYMBOLS, make_market

    out = Out(as_json)
    chosen = symbols or SYMBOLS
    try:
        manifest = make_market(folder, seed, chosen, days=days, timeframe=timeframe, start=START if start is None else start)
    except ValueError as error:
        raise UsageError(f"{error}.  See: sluice data synth --help") from None
    files = {name: str(folder / f"{name}.parquet") for name in ("funding", "metrics", "news")}
    document = {
        "synthetic": True, "manifest": str(manifest), "seed": seed, "days": days, "symbols": chosen,
        "timeframe": times.span_text(timeframe), "candles": str(folder / "candles"), **files,
    }  # fmt: skip
    lines = pairs([("market", f"SYNTHETIC, seed {seed}, {days} days, {' '.join(chosen)}"), ("manifest", str(manifest))])
    said = " ".join(f"--{name} {path}" for name, path in files.items())
    out.answer(document, [*lines, "", f"Next: sluice replay --candles {folder / 'candles'} {said}"])


def _counted(found: "list[Finding]") -> str:
    told = []
    for word in ("warning", "note"):
        count = sum(1 for finding in found if finding.severity.value == word)
        told += [f"{count} {word}{'' if count == 1 else 's'}"] if count else []
    return ", ".join(told)


def _findings(found: "list[Finding]", out: Out) -> list[str]:
    from feeds.layout import BARS

    if not found:
        return ["sound: nothing was found"]
    colours = {"error": "red", "warning": "yellow", "note": "cyan"}
    lines = []
    for finding in found:
        first = f", first at {clock(finding.first)}" if finding.first is not None else ""
        what = f"{finding.kind} {finding.symbol}".strip()
        head = f"{out.style(finding.severity.value, colours[finding.severity.value])}  {finding.code}  {plain(what)}"
        word = "bar" if finding.kind in BARS else "row"
        lines.append(f"{head}  {finding.bars:,} {word}{'' if finding.bars == 1 else 's'}{first}")
        lines += [f"    {plain(finding.where)}"] if finding.where else []
        lines.append(f"    {plain(finding.detail, 300)}")
        if len(finding.examples) > 1:
            more = " ..." if finding.bars > len(finding.examples) else ""
            lines.append(f"    at {' '.join(finding.examples)}{more}")
    return lines
