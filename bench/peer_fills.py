"""Runs an adapter of another engine in that engine's environment and writes down its fills: bench/agreement.py starts it.

    PYTHON peer_fills.py ENGINE SCRIPT OUT [words of the adapter]

Lines of time (UTC milliseconds, the open of the bar that filled), symbol, signed quantity, price. Imports nothing of Sluice.
"""

import runpy
import sys
from collections.abc import Callable, Iterator
from typing import Any

MINUTE = 60_000
Row = tuple[int, str, float, float]
World = dict[str, Any]  # the names of the adapter after it ran


def millis(at: Any) -> int:
    """Of a pandas timestamp."""
    return int(at.value // 1_000_000)


def vectorbt(world: World) -> Iterator[Row]:
    frame = world["pf"].orders.records_readable
    for at, column, size, price, side in zip(
        frame["Timestamp"], frame["Column"], frame["Size"], frame["Price"], frame["Side"], strict=True
    ):
        yield millis(at), str(column), size if side == "Buy" else -size, price


def backtesting(world: World) -> Iterator[Row]:
    """A flip is a closed and an opened trade of the same bar."""
    bars: dict[int, tuple[float, float]] = {}
    trades = world["st"]["_trades"]
    rows = [(t.EntryBar, t.Size, t.EntryPrice) for t in trades.itertuples()] + [
        (t.ExitBar, -t.Size, t.ExitPrice) for t in trades.itertuples()
    ]
    unit = world["UNIT"]  # what is still open is told in the units that it trades
    rows += [(trade.entry_bar, trade.size * unit, trade.entry_price / unit) for trade in world["st"]["_strategy"].trades]
    for bar, size, price in rows:
        bars[bar] = bars.get(bar, (0.0, 0.0))[0] + size, price
    for bar, (size, price) in sorted(bars.items()):
        yield millis(world["df"].index[bar]), "S00", size, price


def backtrader(world: World) -> Iterator[Row]:
    import calendar

    import backtrader as bt

    for order in world["cerebro"].broker.orders:
        if order.status == order.Completed:
            at = calendar.timegm(bt.num2date(order.executed.dt).timetuple()) * 1000
            yield at, order.data._name, order.executed.size, order.executed.price


def nautilus(world: World) -> Iterator[Row]:
    frame = world["engine"].trader.generate_fills_report()
    for fill in frame.itertuples():
        quantity = float(fill.last_qty) * (1 if fill.order_side == "BUY" else -1)
        yield millis(fill.ts_event), str(fill.instrument_id).split("USDT")[0], quantity, float(fill.last_px)


def freqtrade(world: World) -> Iterator[Row]:
    bars: dict[tuple[int, str], tuple[float, float]] = {}
    for t in world["r"].itertuples():
        sign = -1 if t.is_short else 1
        for at, size, rate in ((t.open_date, t.amount * sign, t.open_rate), (t.close_date, -t.amount * sign, t.close_rate)):
            key = millis(at), t.pair.split("/")[0]
            bars[key] = bars.get(key, (0.0, 0.0))[0] + size, rate
    for (at, symbol), (size, rate) in sorted(bars.items()):
        yield at, symbol, size, rate


def zipline(world: World) -> Iterator[Row]:
    for day in world["perf"]["transactions"]:
        for trade in day:
            yield millis(trade["dt"]), trade["sid"].symbol, trade["amount"] * world["UNIT"], trade["price"] / world["UNIT"]


READERS: dict[str, Callable[[World], Iterator[Row]]] = {
    "vectorbt": vectorbt, "backtesting.py": backtesting, "backtrader": backtrader, "nautilus_trader": nautilus, "freqtrade": freqtrade,
    "zipline": zipline,
}  # fmt: skip


def basana(script: str) -> list[Row]:
    """Its exchange forgets: every trade is heard as it happens."""
    from basana.backtesting import exchange

    heard: list[Row] = []
    plain = exchange.Exchange.__init__

    def told(self: Any, *words: Any, **named: Any) -> None:
        plain(self, *words, **named)

        async def on_order(event: Any) -> None:
            order = event.order
            if not order.is_open and order.amount_filled:
                price = order.quote_amount_filled / order.amount_filled
                sign = 1 if "BUY" in str(order.operation).upper() else -1
                at = round(event.when.timestamp() * 1000) - MINUTE  # told at the close of the bar that filled it
                heard.append((at, order.pair.base_symbol, sign * float(order.amount_filled), float(price)))

        self.subscribe_to_order_events(on_order)

    exchange.Exchange.__init__ = told
    runpy.run_path(script, run_name="__main__")
    return heard


def main() -> None:
    engine, script, out, *words = sys.argv[1:]
    sys.argv = [script, *words]
    sys.path.insert(0, script.rpartition("/")[0])
    rows = basana(script) if engine == "basana" else list(READERS[engine](runpy.run_path(script, run_name="__main__")))
    with open(out, "w", encoding="utf-8") as file:
        file.writelines(f"{at},{symbol},{quantity:.9f},{price:.6f}\n" for at, symbol, quantity, price in rows)


if __name__ == "__main__":
    main()
