"""`sluice positions`, `orders`, `fills`, `pnl`: the ledger, read from the store."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import click

from bot.commands import look, options
from bot.events import Purpose
from bot.render import Out, ago, clock, money, number, plain, when
from feeds import times

DECIDED = {Purpose.ENTRY, Purpose.EXIT, Purpose.FLIP}  # orders that follow from a decision, not from a fill or a limit
symbol_option = click.option("--symbol", metavar="SYMBOL", help="Only this symbol.")
since_option = click.option("--since", type=look.Since(), metavar="6h|TIME", help="Back from the newest bar close, or from an instant on.")
limit_option = click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the newest N.")


@click.command(cls=options.Command, examples=("sluice positions", "sluice positions --all --json"))
@click.option("--all", "everything", is_flag=True, help="Also symbols that are flat now.")
@look.at_a_run
def positions(*, everything: bool, run_name: str, config_file: Path | None, store_file: Path | None, as_json: bool) -> None:
    """What is held: quantity, entry, what it has realised, paid in fees and in funding."""
    out = Out(as_json)
    with look.store_of(config_file, store_file) as reader:
        run = reader.run(run_name)
        held = [row for row in reader.positions(run.id) if everything or row.quantity]
    now = times.now()
    head = ("SYMBOL", "QUANTITY", "ENTRY", "REALISED", "FEES", "FUNDING", "NET", "OPENED UTC")
    rows = [
        (
            row.symbol, f"{row.quantity:+f}", number(round(row.entry, 8)), money(row.realised), money(row.fees), money(row.funding),
            money(row.net), "-" if row.opened_ms is None else f"{clock(row.opened_ms)} ({ago(row.opened_ms, now)})",
        )
        for row in held
    ]  # fmt: skip
    lines = out.table(head, rows, right=range(1, 7)) if rows else ["no open position"]
    out.answer({"run": run.id, "positions": [_with_net(row) for row in held]}, [look.heading(run), "", *lines])


@click.command(cls=options.Command, examples=("sluice orders --open", "sluice orders --symbol BTCUSDT --limit 20"))
@click.option("--open", "open_only", is_flag=True, help="Only those that have not ended.")
@symbol_option
@limit_option
@look.at_a_run
def orders(
    *, open_only: bool, symbol: str | None, limit: int | None, run_name: str, config_file: Path | None, store_file: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Orders as they were asked for, and what has become of them."""
    out = Out(as_json)
    with look.store_of(config_file, store_file) as reader:
        run = reader.run(run_name)
        found = reader.orders(run.id, symbol=_upper(symbol), open_only=open_only)
    found = found[-limit:] if limit else found
    head = ("AT UTC", "SYMBOL", "SIDE", "TYPE", "QUANTITY", "FILLED", "PRICE", "PURPOSE", "STATUS", "BECAUSE", "ID")
    rows = [
        (
            clock(o.at), o.symbol, o.side.value, o.type.value, number(o.quantity), number(o.filled),
            number(o.trigger if o.price is None and o.trigger is not None else o.price or o.reference), o.purpose.value, o.status.value,
            f"D-{o.cause}" if o.purpose in DECIDED else f"#{o.cause}", o.id,
        )
        for o in found
    ]  # fmt: skip
    out.answer({"run": run.id, "orders": found}, [look.heading(run), "", *_table_or(out, head, rows, (4, 5, 6), "no order")])


@click.command(cls=options.Command, examples=("sluice fills --since 1d", "sluice fills --symbol ETHUSDT --json"))
@symbol_option
@since_option
@limit_option
@look.at_a_run
def fills(
    *, symbol: str | None, since: int | None, limit: int | None, run_name: str, config_file: Path | None, store_file: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Trades of ours: price, fee, and how much worse than the reference they were."""
    out = Out(as_json)
    with look.store_of(config_file, store_file) as reader:
        run = reader.run(run_name)
        start = look.since_ms(since, look.newest(reader, run))
        found = [row.fill for row in reader.fills(run.id, symbol=_upper(symbol), since=start)]
    found = found[-limit:] if limit else found
    head = ("FILLED UTC", "SYMBOL", "SIDE", "QUANTITY", "PRICE", "NOTIONAL", "FEE", "SLIPPAGE", "PURPOSE", "ORDER")
    rows = [
        (
            clock(f.filled_ms), f.symbol, f.side.value, number(f.quantity), number(f.price), money(f.quantity * f.price), money(f.fee, 4),
            money(f.slippage, 4), f.purpose.value, f.order_id,
        )
        for f in found
    ]  # fmt: skip
    out.answer({"run": run.id, "fills": found}, [look.heading(run), "", *_table_or(out, head, rows, range(3, 8), "no fill")])


@click.command(cls=options.Command, examples=("sluice pnl", "sluice pnl --by symbol --json"))
@click.option("--by", type=click.Choice(("day", "symbol", "factor")), default="day", show_default=True, help="What a row stands for.")
@look.at_a_run
def pnl(*, by: str, run_name: str, config_file: Path | None, store_file: Path | None, as_json: bool) -> None:
    """Profit and loss that was realised, and what it cost. Open positions count with what they have realised so far.

    By factor, the profit of each closed round trip is shared among signals and factors as they contributed to its entry.
    """
    out = Out(as_json)
    if by == "factor":
        _by_factor(out, run_name, config_file, store_file)
        return
    with look.store_of(config_file, store_file) as reader:
        run = reader.run(run_name)
        found, equity = reader.pnl(run.id, by), reader.last_equity(run.id)
    names = ("traded", "realised", "fees", "funding", "slippage", "net")
    total = {name: sum((getattr(row, name) for row in found), Decimal(0)) for name in names}
    rows = [(row.key, str(row.fills), *(money(getattr(row, name)) for name in names)) for row in found]
    rows.append(("total", str(sum(row.fills for row in found)), *(money(total[name]) for name in names)))
    head = (by.upper(), "FILLS", "TRADED", "REALISED", "FEES", "FUNDING", "SLIPPAGE", "NET")
    lines = [look.heading(run), "", *out.table(head, rows, right=range(1, 8)), "slippage is part of realised"]
    if equity is not None:
        lines.append(f"equity {money(equity.equity)} at {when(equity.bar_ms, times.now())}, open positions at marks")
    document = {
        "run": run.id, "by": by, "rows": [_with_net(row, "key") for row in found], "total": total,
        "equity": equity.equity if equity else None, "equity_ms": equity.bar_ms if equity else None,
    }  # fmt: skip
    out.answer(document, lines)


def _by_factor(out: Out, run_name: str, config_file: Path | None, store_file: Path | None) -> None:
    from bot.report_store import signals_of

    with look.store_of(config_file, store_file) as reader:
        run = reader.run(run_name)
        found = signals_of(reader, run.id)
    total = sum(part.pnl for part in found)
    rows = [(plain(part.name), str(part.entries), f"{part.size:.3f}", money(part.pnl)) for part in found]
    rows.append(("total", "", "", money(total)))
    head = ("FACTOR", "ENTRIES", "MEAN |CONTRIB|", "NET")
    lines = [look.heading(run), "", *out.table(head, rows, right=range(1, 4)), "closed round trips, net of fees and funding"]
    out.answer({"run": run.id, "by": "factor", "rows": found, "total": total}, lines)


def _with_net(row: object, first: str = "symbol") -> dict[str, object]:
    names = [name for name in row.__struct_fields__ if name != first]  # type: ignore[attr-defined]  # a row of the books is a struct
    return {first: getattr(row, first), **{name: getattr(row, name) for name in names}, "net": getattr(row, "net")}  # noqa: B009


def _table_or(out: Out, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: range | tuple[int, ...], nothing: str) -> list[str]:
    return out.table(head, rows, right) if rows else [nothing]


def _upper(symbol: str | None) -> str | None:
    return plain(symbol.upper()) if symbol else None
