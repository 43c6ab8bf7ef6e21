"""What a report draws of each symbol: its price, where we came in and went out, the signals that were not taken, what was held.

The rule: what is left out is counted. Where there are more marks than can be told apart, those of the worst and the best trades and
every liquidation stay, and of the others an even choice.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

import numpy as np

from bot.events import Fill, OrderSide, Purpose
from bot.reasons import MEANS
from bot.render import number
from bot.report import Chart, Mark
from bot.store.prices import market_prices, read_prices
from bot.store.reader import Reader
from bot.store.rows import RunRow
from bot.store.tallies import NotTaken, decided_prices
from bot.thinning import PRICES, PricePath, extremes, stretch
from bot.trips import RoundTrip

SYMBOLS = 12  # charts of a report
MARKS = 2_400  # marks of all of them
KEPT = 20  # trades at either end whose marks stay

_OUT = {
    Purpose.EXIT: "exit", Purpose.FLATTEN: "exit", Purpose.STOP_LOSS: "stop", Purpose.TAKE_PROFIT: "target",
    Purpose.LIQUIDATION: "liquidation",
}  # fmt: skip


def charts(
    reader: Reader, run: RunRow, span: tuple[int, int], fills: Sequence[Fill], refusals: Iterable[NotTaken], trips: Sequence[RoundTrip]
) -> tuple[Chart, ...]:
    """Of the symbols that were traded most; symbols without any price are left out. span: UTC milliseconds."""
    count = Counter(fill.symbol for fill in fills)
    chosen = sorted(run.symbols, key=lambda symbol: (-count[symbol], run.symbols.index(symbol)))[:SYMBOLS]
    traded, refused = defaultdict(list), defaultdict(list)
    for fill in fills:
        traded[fill.symbol].append(fill)
    for refusal in refusals:
        refused[refusal.symbol].append(refusal)
    ranked = sorted((trip for trip in trips if trip.exit_ms is not None), key=lambda trip: trip.pnl)
    kept: set[object] = {trip.order_id for trip in (*ranked[:KEPT], *ranked[-KEPT:])}
    kept |= {(trip.symbol, trip.exit_ms) for trip in (*ranked[:KEPT], *ranked[-KEPT:])}
    paths = _paths(reader, run, chosen, span)
    most = MARKS // max(1, len(chosen))
    return tuple(_chart(paths[name], traded[name], refused[name], kept, most) for name in run.symbols if name in paths)


def _paths(reader: Reader, run: RunRow, symbols: Sequence[str], span: tuple[int, int]) -> dict[str, PricePath]:
    """By symbol: as the replay kept it, else from the bars beside the books, else from the decisions' own prices."""
    found = {name: path for name, path in read_prices(reader.conn, run.id).items() if name in symbols}
    missing = [name for name in symbols if name not in found]
    if missing:
        found |= market_prices(reader.path, missing, run.timeframe, *span)
    for name in missing:
        path = found.get(name) or _decided(reader, run, name)
        if path is not None:
            found[name] = path
    return {name: path for name, path in found.items() if not np.isnan(path.values).all()}


def _decided(reader: Reader, run: RunRow, symbol: str) -> PricePath | None:
    """The closes that decisions were made at: a point for each row, those that repeat themselves between them left out."""
    rows = decided_prices(reader.conn, run.id, symbol)
    if not rows:
        return None
    at, price = np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], float)
    size = stretch(run.timeframe, int(at[-1] - at[0]) // run.timeframe + 1)
    begins = (int(at[0]) - run.timeframe) // size
    values = np.full(((int(at[-1]) - 1) // size - begins + 1, 5), np.nan, np.float32)
    keep = extremes(price, PRICES)
    for place, level in zip(((at[keep] - 1) // size - begins).tolist(), price[keep].tolist(), strict=True):
        first, high, low = values[place, :3].tolist()
        values[place, :4] = (level,) * 4 if first != first else (first, max(high, level), min(low, level), level)
    return PricePath(symbol, begins * size, size, values)


def _chart(path: PricePath, fills: Sequence[Fill], refusals: Sequence[NotTaken], kept: set[object], most: int) -> Chart:
    done = _done(fills)
    first = [n for n, one in enumerate(done) if _stays(one, kept)][:most]
    rest = sorted(set(range(len(done))) - set(first))
    share = most - len(first) if not refusals else max(0, min(len(rest), (most - len(first)) * 2 // 3))
    chosen = [_fill_mark(done[n]) for n in sorted({*first, *_even(rest, share)})]
    wanted = [one for one in refusals if one.side in ("LONG", "SHORT") and one.price == one.price]
    missed = [_refusal_mark(wanted[n]) for n in _even(range(len(wanted)), most - len(chosen))]
    held_ms, held = held_path(fills)
    opens, highs, lows, closes = ([None if v != v else v for v in path.values[:, c].tolist()] for c in range(4))
    at = (path.first_ms + path.step_ms * np.arange(1, len(opens) + 1)).tolist()
    marks = sorted((*chosen, *missed), key=lambda mark: mark.at_ms)
    return Chart(
        path.symbol, tuple(at), tuple(lows), tuple(highs), tuple(closes), held_ms, held, tuple(marks),
        len(done) + len(wanted) - len(marks),
    )  # fmt: skip


def _done(fills: Sequence[Fill]) -> list[list[Fill]]:
    """The fills of each order together, in order of the first."""
    found: dict[str, list[Fill]] = {}
    for fill in fills:
        found.setdefault(fill.order_id, []).append(fill)
    return list(found.values())


def _stays(fills: list[Fill], kept: set[object]) -> bool:
    one = fills[0]
    return one.purpose is Purpose.LIQUIDATION or one.order_id in kept or (one.symbol, fills[-1].filled_ms) in kept


def _fill_mark(fills: list[Fill]) -> Mark:
    one = fills[0]
    quantity = sum((fill.quantity for fill in fills), Decimal(0))
    price = sum((fill.price * fill.quantity for fill in fills), Decimal(0)) / quantity
    kind = _OUT.get(one.purpose) or ("long" if one.side is OrderSide.BUY else "short")
    said = f"{one.purpose.value.replace('_', ' ')}: {one.side.value} {number(quantity)} @ {number(Decimal(f'{price:.7g}'))}"
    return Mark(one.filled_ms, float(price), kind, said)


def _refusal_mark(one: NotTaken) -> Mark:
    why = one.detail or MEANS.get(one.code, "")
    return Mark(one.at, one.price, "refused_long" if one.side == "LONG" else "refused_short", f"{one.purpose} refused, {one.code}: {why}")


def held_path(fills: Sequence[Fill]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """When what was held changed, and to what: signed, base units."""
    held, at, sizes = Decimal(0), list[int](), list[float]()
    for fill in fills:
        held += fill.quantity if fill.side is OrderSide.BUY else -fill.quantity
        at.append(fill.filled_ms)
        sizes.append(float(held))
    return tuple(at), tuple(sizes)


def _even(rows: Sequence[int], most: int) -> list[int]:
    if len(rows) <= most:
        return list(rows)
    return [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, most).astype(int)).tolist()] if most > 0 else []
