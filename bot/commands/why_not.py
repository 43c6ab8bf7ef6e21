"""`sluice why-not`: every bar at which there was no trade, counted by reason."""

from pathlib import Path

import click

from bot.commands import look, options
from bot.errors import NotFound
from bot.reasons import MEANS
from bot.render import Out, clock, percent, plain


@click.command(name="why-not", cls=options.Command, examples=("sluice why-not --since 6h", "sluice why-not --symbol BTCUSDT --json"))
@click.option(
    "--since", type=look.Since(), metavar="6h|TIME", help="Back from the newest bar close, or from an instant on.  [default: all]"
)
@click.option("--symbol", metavar="SYMBOL", help="Only this symbol.")
@look.at_a_run
def why_not(
    *, since: int | None, symbol: str | None, run_name: str, config_file: Path | None, store_file: Path | None, as_json: bool
) -> None:
    """Count every bar close of every symbol that led to no order by its reason: nothing is left out, nothing is unknown."""
    out = Out(as_json)
    with look.store_of(config_file, store_file) as reader:
        run = reader.run(run_name)
        if symbol and symbol.upper() not in run.symbols:
            raise NotFound(f"run {run.id} does not trade {plain(symbol)}: {' '.join(run.symbols)}.  Other runs: sluice runs")
        end = look.newest(reader, run)
        start = look.since_ms(since, end)
        found = reader.why_not(run.id, symbol=symbol.upper() if symbol else None, since=start)
    rest = found.bars - found.traded
    reasons = [
        {"reason": reason, "count": count, "share": count / found.bars, "means": MEANS.get(reason, "")}
        for reason, count in found.counts.items()
    ]
    document = {
        "run": run.id, "symbol": symbol, "since": start, "until": end, "bars": found.bars, "traded": found.traded, "not_traded": rest,
        "reasons": reasons,
    }  # fmt: skip
    whole = found.bars or 1
    rows = [(reason, f"{count:,}", percent(count / whole), MEANS.get(reason, "")) for reason, count in found.counts.items()]
    rows.append(("traded", f"{found.traded:,}", percent(found.traded / whole), "an order followed"))
    span = f"{clock(start - 1) if start else 'beginning'} .. {clock(end)} UTC"
    lines = [
        look.heading(run),
        f"{found.bars:,} bars x symbols, {span}",
        "",
        *out.table(("REASON", "COUNT", "SHARE", ""), rows, right=(1, 2)),
    ]
    out.answer(document, lines)
