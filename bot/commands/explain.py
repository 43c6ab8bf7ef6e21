"""`sluice explain`: what a decision was made of, why it is what it is, and what followed from it."""

import json
import math
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.commands import look, options
from bot.errors import NotFound
from bot.reasons import MEANS
from bot.render import Out, ago, clock, money, number, plain, signed
from feeds import times
from strategies.events import Reason, Side

if TYPE_CHECKING:
    from bot.store.reader import Reader
    from bot.store.rows import Consequences, DecisionRow, OrderRow, RunRow

FROM = {
    "price_momentum": "candles",
    "volume_breakout": "candles",
    "sentiment_news": "headlines",
    "sentiment_social": "social posts",
    "onchain_flow": "exchange flows",
    "whale_accumulation": "balances of large holders",
}
ATTACHED = r"-?[a-z]+"  # what the id of an order carries behind that of the entry it protects
EXAMPLES = ("sluice explain last", "sluice explain D-20931", "sluice explain BTCUSDT@2024-03-04T12:45Z --json")


@click.command(cls=options.Command, examples=EXAMPLES)
@click.argument("what", metavar="[DECISION|ORDER|SYMBOL[@TIME]|last|traded]", default="last")
@look.at_a_run
def explain(*, what: str, run_name: str, config_file: Path | None, store_file: Path | None, as_json: bool) -> None:
    """Show the causal chain of a decision: each signal's part of the score, the reason, the newest input, the orders and fills.

    `last` is the newest decision, `traded` the newest that led to an order. An order is explained by its decision. A decision that
    repeated itself without consequence is kept as one stretch: SYMBOL@TIME has any bar of it again, exactly, from the files of the run.
    """
    out = Out(as_json)
    with look.store_of(config_file, store_file) as reader:
        run = reader.run(run_name)
        row = find(reader, run, what)
        followed = consequences(reader, run.id, row.seq)
    single = inside(run, row, what, out)
    document = document_of(run, row if single is None else single, followed, row)
    out.answer(document, told(run, row if single is None else single, followed, out, row))


def inside(run: "RunRow", row: "DecisionRow", what: str, out: Out) -> "DecisionRow | None":
    """The bar of a stretch that an instant asks for, had again; None for its first, and where the files of the run are gone."""
    import msgspec

    symbol, at, instant = what.upper().partition("@")
    if not at or symbol not in run.symbols or run.mode != "replay" or row.bars == 1 or _instant(instant) < row.first.bar_ms + run.timeframe:
        return None
    from bot.commands.progress import progress
    from bot.modes.recompute import decision_at

    try:
        with progress("deciding again", "bars", resume="give the same command again: nothing was written") as tell:
            found = decision_at(run, row, min(_instant(instant), row.until_ms), tell)
    except NotFound as error:
        out.note(f"what follows is the first bar of a stretch: {error}")
        return None
    return msgspec.structs.replace(row, first=found, bars=1, until_ms=found.bar_ms, last_score=found.score)


def find(reader: "Reader", run: "RunRow", what: str) -> "DecisionRow":
    """The decision that is meant. Raises NotFound naming what there is."""
    number_of = what.upper().removeprefix("D-")
    symbol, at, instant = what.upper().partition("@")
    if what in ("last", ""):
        return reader.decision(run.id, "last")
    if what == "traded":
        return _traded(reader, run)
    if number_of.isdecimal() and len(number_of) < 19:  # what a store can number
        return _numbered(reader, run, int(number_of))
    if symbol in run.symbols:
        return _at(reader, run, symbol, _instant(instant) if at else None)
    return _of_order(reader, run, what)


def _instant(text: str) -> int:
    try:
        return times.millis(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _traded(reader: "Reader", run: "RunRow") -> "DecisionRow":
    for order in reversed(reader.orders(run.id)):
        row = reader.decision_of(run.id, order.id)
        if row is not None:
            return row
    raise NotFound(f"run {run.id} has ordered nothing yet.  Why not: sluice why-not --run {run.id}")


def _numbered(reader: "Reader", run: "RunRow", seq: int) -> "DecisionRow":
    """The row with this number; where there is none, the stretch that it can only be in."""
    try:
        return reader.decision(run.id, seq)
    except NotFound:
        end = reader.decision(run.id, "last")
        if seq > end.seq + (2 + len(run.symbols)) * end.bars:
            raise  # beyond everything that was decided
        inside = [row for symbol in run.symbols if (row := _before(reader, run, symbol, seq)) is not None and row.bars > 1]
        if len(inside) == 1 and len(run.symbols) == 1:
            return inside[0]
        if not inside:
            raise
        names = ", ".join(f"D-{row.seq} ({row.first.symbol})" for row in inside)
        said = f"run {run.id} has no decision D-{seq} of its own: it repeats {names}, or is another event"
        raise NotFound(f"{said}.  Explain one of those, or SYMBOL@TIME") from None


def _before(reader: "Reader", run: "RunRow", symbol: str, seq: int) -> "DecisionRow | None":
    found = None
    for row in reader.decisions(run.id, symbol=symbol, newest_first=True):
        if row.seq <= seq:
            found = row
            break
    return found


def _at(reader: "Reader", run: "RunRow", symbol: str, instant: int | None) -> "DecisionRow":
    """The symbol's newest decision, or that of the last bar that had closed at an instant."""
    row = next(reader.decisions(run.id, symbol=symbol, until=instant, newest_first=True, limit=1), None)
    if row is None:
        first = next(reader.decisions(run.id, symbol=symbol, limit=1), None)
        hint = f"its first is at {times.iso(first.first.bar_ms)}" if first is not None else "it has decided nothing on it"
        raise NotFound(f"run {run.id} has no decision on {symbol} at that time; {hint}")
    return row


def _of_order(reader: "Reader", run: "RunRow", name: str) -> "DecisionRow":
    """The decision behind an order, or behind the order that a stop or a target was attached to."""
    order = _order(reader, run, name)
    row = reader.decision_of(run.id, order.id)
    attached = re.fullmatch("(.+)" + ATTACHED, order.id)
    if row is None and attached:
        order = _order(reader, run, attached[1])
        row = reader.decision_of(run.id, order.id)
    if row is None:
        said = f"order {order.id} ({order.symbol} {order.purpose.value}) came from no decision: the operator or a limit wanted it"
        raise NotFound(f"{said}, event #{order.cause} at {times.iso(order.at)}.  See: sluice status, sluice orders")
    return row


def _order(reader: "Reader", run: "RunRow", name: str) -> "OrderRow":
    try:
        return reader.order(run.id, name)
    except NotFound:
        said = f"run {run.id} has no decision or order {plain(name)!r}"
        raise NotFound(f"{said}.  Write D-20931, an order's id, {run.symbols[0]}@TIME, or last") from None


def consequences(reader: "Reader", run: str, seq: int) -> "Consequences":
    """All that followed: also the stops and targets that came with a fill, and what became of those."""
    whole = reader.caused(run, seq)
    known = {row.seq for row in whole.updates} | {row.seq for row in whole.fills}
    for order in list(whole.orders):
        for other in reader.orders(run, symbol=order.symbol):
            if other.id != order.id and re.fullmatch(re.escape(order.id) + ATTACHED, other.id):
                whole.orders.append(other)
                whole.updates.extend(row for row in reader.updates(run, other.id) if row.seq not in known)
                whole.fills.extend(row for row in reader.fills_of(run, other.id) if row.seq not in known)
    whole.updates.sort(key=lambda row: row.seq)
    whole.fills.sort(key=lambda row: row.seq)
    return whole


def parts(row: "DecisionRow") -> float:
    """The sum of what is known of the contributions: the score, before it is clipped to [-1, 1]."""
    return math.fsum(c.contribution for c in row.first.contributions if c.contribution == c.contribution)


def because(run: "RunRow", row: "DecisionRow") -> str:
    """The reason in words, with the thresholds of the run."""
    strategy = json.loads(run.config or "{}").get("strategy", {})
    entry, least = (float(strategy.get(name, default)) for name, default in (("entry_threshold", 0.3), ("min_confidence", 0.5)))
    words = {
        Reason.ABOVE_ENTRY: f"score > {entry:.2f}, confidence > {least:.2f}",
        Reason.BELOW_ENTRY: f"score < -{entry:.2f}, confidence > {least:.2f}",
        Reason.WEAK_SCORE: f"|score| <= {entry:.2f}",
        Reason.LOW_CONFIDENCE: f"confidence <= {least:.2f}",
    }
    return words.get(row.first.reason) or MEANS[row.first.reason.value]


def sources(run: "RunRow") -> dict[str, str]:
    """Where each signal comes from: the text of a factor, the kind of data of a built-in signal."""
    strategy = json.loads(run.config or "{}").get("strategy", {})
    texts = strategy.get("factors", {})
    if strategy.get("code"):
        from strategies.definition import Definition

        texts = Definition.of(strategy["code"], strategy["file"], strategy["parameters"]).texts()
    return {**FROM, **{str(name): plain(text, 80) for name, text in texts.items()}}


def document_of(
    run: "RunRow", row: "DecisionRow", followed: "Consequences", stretch: "DecisionRow"
) -> dict[str, Any]:  # Any: values of several kinds
    """The document of `sluice explain --json`. stretch: the row that the decision is a part of; itself where it is the first."""
    first, where = row.first, sources(run)
    return {
        "run": run.id, "decision": f"D-{row.seq}", "cause": row.cause, "symbol": first.symbol, "bar_ms": first.bar_ms, "at": first.at,
        "side": first.side, "reason": first.reason, "because": because(run, row), "score": first.score, "confidence": first.confidence,
        "price": first.price, "volatility": first.volatility, "target": first.target,
        "newest_ms": first.newest_ms, "newest_age_ms": first.bar_ms - first.newest_ms,
        "contributions": [
            {
                "name": c.name, "value": c.value, "confidence": c.confidence, "weight": c.weight, "contribution": c.contribution,
                "from": where.get(c.name, ""),
            }
            for c in first.contributions
        ],
        "contributions_sum": parts(row),
        "recomputed": row is not stretch,
        "stretch": {
            "from_ms": stretch.first.bar_ms, "bars": stretch.bars, "until_ms": stretch.until_ms, "last_score": stretch.last_score,
        }, "digest": first.digest, "chain": row.chain,
        "orders": followed.orders, "updates": followed.updates, "fills": [row.fill for row in followed.fills],
        "refusals": [row.refusal for row in followed.refusals], "cancels": followed.cancels,
    }  # fmt: skip


def told(run: "RunRow", row: "DecisionRow", followed: "Consequences", out: Out, stretch: "DecisionRow") -> list[str]:
    """The same for people."""
    first = row.first
    head = f"D-{row.seq}  {first.symbol}  bar closed {clock(first.bar_ms)}Z  decided {clock(first.at)}Z  digest {first.digest[:12]}"
    age = ago(first.newest_ms, first.bar_ms).replace(" ago", " before the close") if first.newest_ms else "none"
    known = f"inputs known by {clock(first.newest_ms)}Z ({age})" if first.newest_ms else "no input was known"
    lines = [out.style(head, "bold"), f"{look.heading(run)}", f"{known}, price {number(first.price)}"]
    if row is not stretch:
        span = f"from {clock(stretch.first.bar_ms)}Z to {clock(stretch.until_ms)}Z"
        lines.append(f"one of {stretch.bars:,} bars {span} that repeat it; had again, the first of them with the digest as written")
    elif row.bars > 1:
        last = signed(row.last_score)
        lines.append(f"repeated for {row.bars:,} bars until {clock(row.until_ms)}Z, last score {last}: what follows is its first bar")
    lines += ["", *_signals(run, row, out)]
    view = out.style(first.side.value, "bold") if first.side is not Side.HOLD else first.side.value
    lines.append(f"score {signed(first.score, 4)}  confidence {signed(first.confidence, 2).lstrip('+')}  -> {view} ({because(run, row)})")
    if first.target == first.target:
        lines.append(f"target {signed(first.target, 4)} of equity")
    return [*lines, "", *_followed(row, followed)]


def _signals(run: "RunRow", row: "DecisionRow", out: Out) -> list[str]:
    where = sources(run)
    rows = [
        (c.name, signed(c.value, 2), signed(c.confidence, 2).lstrip("+"), f"{c.weight:.2f}", signed(c.contribution), where.get(c.name, ""))
        for c in sorted(row.first.contributions, key=lambda c: -abs(c.contribution) if c.contribution == c.contribution else 1.0)
    ]
    total = parts(row)
    clipped = "" if math.isnan(row.first.score) or abs(total - row.first.score) < 1e-9 else "clipped to [-1, 1]"
    rows.append(("sum", "", "", "", signed(total), clipped))
    return out.table(("SIGNAL", "VALUE", "CONF", "WEIGHT", "CONTRIB", "FROM"), rows, right=range(1, 5))


def _followed(row: "DecisionRow", followed: "Consequences") -> list[str]:
    lines = []
    for refusal in followed.refusals:
        no = refusal.refusal
        lines.append(f"refused  {no.purpose.value}  {no.code.value}: {plain(no.detail) or MEANS.get(no.code.value, '')}")
    for order in followed.orders:
        stop = f"  stop {number(order.stop)}" if order.stop is not None else ""
        take = f"  take {number(order.take)}" if order.take is not None else ""
        asked = f"{order.side.value} {number(order.quantity)} @ {number(order.price or order.reference)}"
        lines.append(f"order    {asked} {order.type.value.lower()} {order.purpose.value}{stop}{take}  {order.status.value}  {order.id}")
    if followed.orders:
        from bot.checks import NAMES

        told = f"checks   {len(NAMES)} passed, 0 denied: {' '.join(NAMES)}"
        lines += textwrap.wrap(told, 100, subsequent_indent=" " * 9, break_long_words=False)
    lines += [f"cancel   {plain(cancel.id) or 'all'}  {plain(cancel.detail)}" for cancel in followed.cancels]
    for fill in (row.fill for row in followed.fills):
        done = f"{fill.side.value} {number(fill.quantity)} @ {number(fill.price)}"
        cost = f"fee {money(fill.fee, 4)}  slippage {money(fill.slippage, 4)}"
        lines.append(f"fill     {clock(fill.filled_ms)}Z  {done}  {cost}  {fill.purpose.value}")
    if not lines:
        held = "the view was held already" if row.first.side is not Side.HOLD else "HOLD leaves the position as it is"
        lines.append(f"nothing followed: {held}")
    return lines
