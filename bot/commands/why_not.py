"""`sluice why-not`: every bar at which there was no trade, counted by reason."""

from pathlib import Path

import click

from bot.commands import look, options
from bot.errors import NotFound
from bot.render import Out, clock, percent, plain

MEANS = {
    "weak_score": "the score did not pass the entry threshold",
    "low_confidence": "the score would have done, the confidence did not",
    "warming_up": "no signal was known yet",
    "missing_bar": "the symbol's candle was not there",
    "stale": "the bar came too late to act on",
    "already_in_position": "the view was held already",
    "long_only": "SHORT only closes, and nothing was held",
    "D_ORDER_SIZE": "the order was too large, or below the least that can be traded",
    "D_POSITION": "the position would have been too large",
    "D_GROSS": "all positions together would have been too large",
    "D_LEVERAGE": "the leverage would have been too high",
    "D_COLLAR": "the price was too far from the last one",
    "D_DUP": "the same order was there already",
    "D_RATE": "too many orders in a minute or a day",
    "D_LOSS": "a loss limit was reached",
    "D_STALE": "prices were too old",
    "D_REDUCING": "only orders that reduce were let through",
    "D_HALTED": "trading was halted",
    "D_MARGIN": "the account could not carry it",
    "D_NO_PRICE": "no price was known",
    "D_NO_VOLATILITY": "the volatility that sizes the position was not known",
    "D_COOL_DOWN": "the symbol was cooling down after its last position",
    "D_PENDING": "an order for the symbol was still under way",
}


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
