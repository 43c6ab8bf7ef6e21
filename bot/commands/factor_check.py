"""`sluice factor check`: does a factor look ahead, depend on how history is cut, or on how much of it there is?"""

import sys
from typing import TYPE_CHECKING, Any

import click

from bot.commands import options
from bot.commands.formulas import Formula, alone, needed, opened, reading, refuse, stdin
from bot.errors import CheckFailed
from bot.render import Out

if TYPE_CHECKING:
    from bot.causality import Checked, Settings, Sheet
    from bot.factor_text import Setting, Source
    from feeds.panel_files import Panel
    from strategies.factors import Node

BARS = 3_000  # of the data that are looked at, where nobody says how many
CELLS = 400_000  # bars x symbols, at most
EXAMPLES = (
    "sluice factor check 'momentum_5d * log(volume_ratio + 1)' --data candles/1h",
    "sluice factor check alpha.py --data candles/1h/BTCUSDT.parquet --cuts 200 --json",
    "sluice factor check --batch alpha101 --data candles/1d",
)


@click.command(cls=Formula, examples=EXAMPLES)
@click.argument("text", metavar="TEXT|-|FILE", required=False)
@click.option("--data", cls=options.Files, metavar="PATHS", required=True, help="Parquet or CSV files, directories or patterns of them.")
@click.option("--symbols", cls=options.Several, metavar="A,B", help="Which symbols, in this order.  [default: all]")
@click.option("--timeframe", type=options.Span(), metavar="1h", help="Bar length.  [default: the commonest step of ts_ms]")
@click.option("--to", "stop", type=options.Instant(), metavar="TIME", help="Last bar that is looked at.  [default: the last]")
@click.option("--bars", type=click.IntRange(100, 1_000_000), metavar="N", help="So many bars before it.  [default: 3000, more to warm up]")
@click.option("--cuts", type=click.IntRange(1, 100_000), metavar="N", default=40, show_default=True, help="Places at which history is cut.")
@click.option("--lengths", cls=options.Several, metavar="N,N", help="Bars of history for the table of drift.  [default: by the warm-up]")
@click.option("--seed", type=options.SEED, metavar="N", default=0, show_default=True, help="Of random futures and cuts.")
@reading
@options.common
def check(
    *, text: str | None, data: tuple[str, ...], symbols: tuple[str, ...], timeframe: int | None, stop: int | None, bars: int | None,
    cuts: int, lengths: tuple[str, ...], seed: int, dialect: str, units: str | None, batch: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Probe a factor for what looks ahead, and for what depends on how history is cut or begun. Exit 8 if a probe fails.

    History is cut short, and its future replaced (unknown, huge, random, reversed): no value before may change by a bit. The same bar by
    bar, in blocks, cut at random, saved and restored. The table of drift says how far a value is off with so many bars before it.
    """
    from bot import factor_text
    from bot.causality import Settings, check_factors
    from bot.commands.progress import progress
    from feeds.panel_files import read_panel

    if batch is not None:
        alone(text, batch)
    else:
        needed(text)
    panel = read_panel(data, symbols, timeframe)
    setting = factor_text.Setting(panel.timeframe, panel.fields, dialect, None if units is None else units == "on")
    settings = Settings(cuts, seed, numbers(lengths))
    out = Out(as_json)
    if batch is not None:
        return _check_batch(batch, panel, setting, settings, (bars, stop), out)
    source = factor_text.of_argument(needed(text), stdin())
    node = _read(source, setting, out)
    if isinstance(node, int):
        return node
    with progress("probing", "factors") as tell:
        (found,) = check_factors({source.name: node}, _sheet(panel, [node], bars, stop), settings, tell)
    out.answer(found, shown(found, out))
    if not found.ok:
        raise CheckFailed(f"{complaint(found)}", answered=as_json)
    return 0


def _read(source: "Source", setting: "Setting", out: Out) -> "Node | int":
    """The graph, or the exit code of its refusal."""
    from bot import factor_text
    from strategies.errors import FactorError

    try:
        return factor_text.read_over(source, setting)[0]
    except FactorError as error:
        return refuse(error, source, out)


def numbers(words: tuple[str, ...]) -> tuple[int, ...]:
    """Lengths of history, as they are written in the option."""
    try:
        found = tuple(int(word) for word in words)
    except ValueError:
        raise click.UsageError(f"--lengths {','.join(words)}: write whole numbers of bars, such as 199,499,999") from None
    if any(length < 0 for length in found):
        raise click.UsageError("--lengths: a history has no negative length")
    return found


def _sheet(panel: "Panel", nodes: "list[Node]", bars: int | None, stop: int | None) -> "Sheet":
    """The rows that are looked at: the last ones, as many as warming up and looking need."""
    import numpy as np

    from bot.causality import Sheet
    from bot.research.probes import Rows

    warm = max((node.warm_up for node in nodes), default=0)
    most = max(1_000, CELLS // len(panel.symbols))
    wanted = bars or min(most, max(BARS, 3 * warm + 1_000))
    high = panel.times.size if stop is None else int(np.searchsorted(panel.times, stop, side="right"))
    if high == 0:
        raise click.UsageError("--to lies before the first bar of the data")
    end = int(panel.numbers[high - 1]) + 1
    first = max(int(panel.numbers[0]), end - wanted)
    return Sheet(Rows(panel.values(panel.fields, first, end), first), panel.fields, panel.symbols, panel.timeframe)


def _check_batch(
    batch: str, panel: "Panel", setting: "Setting", settings: "Settings", span: tuple[int | None, int | None], out: Out
) -> int:
    """Every factor of a batch; what is refused is said so, and does not count as failed."""
    import msgspec

    from bot import factor_text
    from bot.causality import check_factors
    from bot.commands.progress import progress
    from strategies.errors import FactorError

    nodes: dict[str | int, Node] = {}
    refused: list[Any] = []
    with opened(batch) as stream:
        for source in factor_text.of_lines(stream):
            name = source.id if source.id is not None else "factor"
            try:
                if isinstance(source, factor_text.Refused):
                    raise source.error
                nodes[name] = factor_text.read_over(source, setting)[0]
            except FactorError as error:
                refused.append({"id": name, **factor_text.refused(error)})
    with progress("probing", "factors") as tell:
        found = check_factors(nodes, _sheet(panel, list(nodes.values()), *span), settings, tell) if nodes else []
    wrong = [one for one in found if not one.ok]
    if out.json:
        for document in (*refused, *found):
            sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
        sys.stdout.flush()
    else:
        out.say(*_table(found, out), "", f"{len(found)} factors probed, {len(wrong)} failed, {len(refused)} refused")
    if wrong:
        raise CheckFailed(f"{len(wrong)} of {len(found)} factors failed: {'; '.join(map(complaint, wrong[:5]))}", answered=out.json)
    return 0


def complaint(found: "Checked") -> str:
    """What is wrong, in one sentence."""
    parts = []
    for one in (one for one in found.probes if one.result == "fail"):
        at = f", first {one.first['symbol']} at row {one.first['row']} of {found.bars}" if one.first else ""
        said = f"{one.differing:,} of {one.values:,} values{at}" if one.differing else one.detail
        parts.append(f"{one.probe} ({said})")
    return f"{found.id} failed {' and '.join(parts)}"


def shown(found: "Checked", out: Out) -> list[str]:
    """A factor for people."""
    head = f"{found.canonical}" if len(found.canonical) < 120 else f"{found.canonical[:117]}..."
    lines = [
        out.style(head, "bold"),
        f"{found.bars:,} bars of {' '.join(found.symbols)}, warm-up {found.warm_up:,}, {found.known:,} known",
        "",
    ]
    lines += findings(found, out)
    return [*lines, "", *drifts([found], out)] if found.drift else lines


def findings(found: "Checked", out: Out) -> list[str]:
    """What each probe found, a line each."""
    rows = []
    for one in found.probes:
        result = out.style(one.result, {"fail": "red", "pass": "green"}.get(one.result, "dim")) if out.colour() else one.result
        worst = "unknown" if one.worst is None else f"{one.worst:.1e}" if one.worst else ""
        where = f"first {one.first['symbol']} at row {one.first['row']}, cut at {one.first['cut']}; " if one.first else ""
        counts = (f"{one.values:,}" if one.values else "", f"{one.differing:,}" if one.differing else "")
        rows.append((one.probe, result, *counts, worst, where + one.detail))
    return out.table(("PROBE", "RESULT", "VALUES", "DIFFERING", "WORST", ""), rows, right=(2, 3, 4))


def drifts(found: "list[Checked]", out: Out) -> list[str]:
    """How far values are off with so many bars of history before them: a line each, a column a length."""
    bars = sorted({row["bars"] for one in found for row in one.drift})
    rows = []
    for one in found:
        cells = {row["bars"]: cell(row) for row in one.drift}
        rows.append((str(one.id), *(cells.get(length, "-") for length in bars)))
    return out.table(("DRIFT AT BARS", *(f"{length:,}" for length in bars)), rows, right=range(1, len(bars) + 1))


def cell(row: dict[str, Any]) -> str:
    """How far off: in percent of the value, `unknown` where there is none yet, a dash where there was nothing to compare."""
    if not row["places"]:
        return "-"
    if row["worst"] is None:
        return "unknown"
    share = 100 * row["worst"]
    return "0" if not share else f"{share:.2g}%" if share < 10 else f"{share:,.0f}%"


def _table(found: "list[Checked]", out: Out) -> list[str]:
    rows = []
    for one in found:
        late = next((probe.detail for probe in one.probes if probe.probe == "late start"), "nothing is known")
        unit = next((probe.detail for probe in one.probes if probe.probe == "unit of price"), "")
        wrong = ", ".join(probe.probe for probe in one.probes if probe.result == "fail")
        rows.append((str(one.id), "pass" if one.ok else "FAIL", f"{one.known:,}", wrong or late, unit))
    return out.table(("FACTOR", "RESULT", "KNOWN", "", "PRICE"), rows, right=(2,))
