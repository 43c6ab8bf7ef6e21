"""What a report draws: prices from wherever they are kept, a mark an order, what was held; figures as they rolled; who earned it."""

from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from bot.events import Fill, OrderSide, Purpose
from bot.report import Chart, Mark
from bot.report_charts import MARKS, held_path
from bot.report_price import LEVELS, SHAPES, price_plot
from bot.report_rolling import rolling
from bot.report_shares import EVEN, OPEN, UNSIGNED, shares_of
from bot.report_store import curve_of, report_of
from bot.store.prices import market_prices, market_volumes
from bot.store.reader import Reader
from bot.store.rows import EquityPoint
from bot.store.store import Market, Store
from bot.thinning import PRICES
from feeds.times import DAY, HOUR, MINUTE
from strategies.events import Reason, Side
from tests.bot.reports import chart, trip
from tests.bot.store.building import decision, fill, journal, refusal
from tests.builders import START, candle


def done(order_id: str, row: int, purpose: Purpose, side: OrderSide, quantity: str = "0.5", price: str = "100", part: int = 0) -> Fill:
    at = START + (row + 1) * MINUTE
    made = fill(f"{order_id}.{part}", order_id=order_id, side=side, price=price, quantity=quantity, at=at)
    return msgspec.structs.replace(made, purpose=purpose)


BUY, SELL = OrderSide.BUY, OrderSide.SELL
STORY = (
    done("a", 1, Purpose.ENTRY, BUY, "0.2"), done("a", 2, Purpose.ENTRY, BUY, "0.3", "110", 1), done("as", 4, Purpose.STOP_LOSS, SELL),
    done("b", 6, Purpose.ENTRY, SELL), done("c", 8, Purpose.FLIP, BUY, "1.0"), done("ct", 10, Purpose.TAKE_PROFIT, SELL),
    done("d", 12, Purpose.ENTRY, BUY), done("e", 14, Purpose.EXIT, SELL, "0.2"), done("f", 15, Purpose.FLATTEN, SELL, "0.1"),
    done("g", 16, Purpose.LIQUIDATION, SELL, "0.2"),
)  # fmt: skip


def told(store: Store, fills: tuple[Fill, ...] = STORY) -> Chart:
    books = journal(store)
    with store.transaction():
        for row in range(20):
            long = row == 9
            seq = books.write(decision(row=row, price=100.0 + row, side=Side.LONG if long else Side.HOLD, reason=Reason.WEAK_SCORE), 0)
            if long:
                books.write(refusal(row), seq)
            for one in fills:
                if one.at == START + (row + 1) * MINUTE:
                    books.write(one, 0)
            books.equity(START + (row + 1) * MINUTE, 10_000.0, 10_000.0, 0.0, 0.0)
    books.finish("finished", START + HOUR, "{}")
    (found,) = report_of(Reader.of(store)).charts
    return found


def test_an_order_is_one_mark_at_its_mean_price_and_a_refusal_one_at_the_close() -> None:
    found = told(Store.open())
    kinds = [mark.kind for mark in found.marks]
    assert kinds == ["long", "stop", "short", "long", "refused_long", "target", "long", "exit", "exit", "liquidation"]
    assert found.marks[0].price == pytest.approx(106) and "BUY 0.5 @ 106" in found.marks[0].said
    assert found.marks[4].price == 109 and "D_COOL_DOWN: 3 bars to go" in found.marks[4].said
    assert found.left_out == 0


def test_what_was_held_follows_every_fill() -> None:
    at, held = held_path(STORY)
    signed = [float(one.quantity) * (1 if one.side is BUY else -1) for one in STORY]
    assert held == pytest.approx(np.cumsum(signed)) and held[-1] == 0
    assert at == tuple(one.filled_ms for one in STORY)


def test_of_very_many_marks_an_even_choice_is_kept_and_the_rest_is_counted() -> None:
    store = Store.open()
    books = journal(store)
    fills = [done(f"o{n}", n, Purpose.ENTRY if n % 2 == 0 else Purpose.EXIT, BUY if n % 2 == 0 else SELL) for n in range(4_000)]
    fills[3_001] = msgspec.structs.replace(fills[3_001], purpose=Purpose.LIQUIDATION, price=Decimal(1))
    with store.transaction():
        for row, one in enumerate(fills):
            books.write(decision(row=row, price=100.0), 0)
            books.write(one, 0)
        books.equity(START + MINUTE, 1.0, 1.0, 0.0, 0.0)
    books.finish("finished", START + DAY, msgspec.json.encode({"start": START, "stop": START + 4_000 * MINUTE}).decode())
    (found,) = report_of(Reader.of(store)).charts
    assert len(found.marks) == MARKS and found.left_out == 4_000 - MARKS
    assert [mark.kind for mark in found.marks].count("liquidation") == 1
    gaps = np.diff([mark.at_ms for mark in found.marks])
    assert gaps.max() <= 4 * MINUTE
    drawn = price_plot(found)
    assert f"{LEVELS[0]} of 4,000 drawn" in drawn and drawn.count(" z16") == MARKS - LEVELS[1]


def test_a_paper_run_has_its_prices_from_the_bars_beside_its_books(tmp_path: Path) -> None:
    rows = 3 * PRICES + 5
    rng = np.random.default_rng(3)
    close = 100 + np.cumsum(rng.normal(0, 0.1, rows))
    frame = pd.DataFrame({"open": close - 0.01, "high": close + 0.05, "low": close - 0.05, "close": close})
    market = Market.open(tmp_path / "p.market.db")
    market.put([candle(row=n, volume=float(n), **row) for n, row in enumerate(frame.to_dict("records"))])
    market.close()
    path = str(tmp_path / "p.db")
    found = market_prices(path, ["BTCUSDT", "ETHUSDT"], MINUTE, START, START + rows * MINUTE)
    assert list(found) == ["BTCUSDT"]
    size = found["BTCUSDT"].step_ms // MINUTE
    frame["turnover"] = frame.close * np.arange(rows)
    shapes = {"open": "first", "high": "max", "low": "min", "close": "last", "turnover": "sum"}
    wanted = frame.groupby((START // MINUTE + np.arange(rows)) // size).agg(shapes)
    np.testing.assert_allclose(found["BTCUSDT"].values, wanted.to_numpy(), rtol=1e-6)
    volumes = market_volumes(path, MINUTE, [("BTCUSDT", START + 8 * MINUTE), ("ETHUSDT", START + MINUTE)])
    assert volumes == {("BTCUSDT", START + 8 * MINUTE): 7.0}
    assert market_prices(str(tmp_path / "none.db"), ["BTCUSDT"], MINUTE, START, START + HOUR) == {}


def test_without_any_bars_the_decisions_own_prices_are_drawn() -> None:
    found = told(Store.open())
    assert found.close == tuple(100.0 + row for row in range(20))


def test_figures_roll_as_pandas_rolls_them() -> None:
    rng = np.random.default_rng(6)
    levels = 10_000 * np.cumprod(1 + rng.normal(1e-4, 2e-3, 24 * 120))
    points = [EquityPoint(START + (n + 1) * HOUR, float(x), 0.0, 0.0, 0.0) for n, x in enumerate(levels)]
    found = rolling(curve_of(points, 10_000.0, HOUR), HOUR)
    assert found is not None and (found.step, found.window) == (DAY, 20 * DAY)
    daily = pd.Series([10_000.0, *levels[23::24]]).pct_change().dropna()
    window = daily.rolling(20)
    np.testing.assert_allclose(found.sharpe, (window.mean() / window.std() * np.sqrt(365)).dropna(), rtol=1e-9)
    np.testing.assert_allclose(found.volatility, (window.std() * np.sqrt(365)).dropna(), rtol=1e-9)
    assert found.at_ms[0] == START + 20 * DAY and found.at_ms[-1] == START + 120 * DAY
    assert rolling(curve_of(points[:30], 10_000.0, HOUR), HOUR) is None


def test_profits_are_shared_and_the_rest_is_named() -> None:
    trips = [
        msgspec.structs.replace(trip(n, pnl), order_id=f"o{n}")
        for n, pnl in enumerate(("10", "-4", "6", "3"))
    ] + [msgspec.structs.replace(trip(9, "1", still_open=True), order_id="o9")]  # fmt: skip
    entries = {"o0": {"a": 0.3, "b": 0.1}, "o1": {"a": 0.2, "b": -0.1}, "o2": {"a": 0.2, "b": -0.2}, "o9": {"a": 0.5}}
    found = shares_of(trips, entries, 17.5)
    by_name = {part.name: part for part in found.signals}
    assert by_name["a"].pnl == pytest.approx(10 * 0.75 - 4 * 2) and by_name["b"].pnl == pytest.approx(10 * 0.25 + 4)
    assert (by_name["a"].entries, by_name["b"].entries) == (4, 3)
    assert dict(found.remainder) == pytest.approx({OPEN: 2.5, UNSIGNED: 3.0, EVEN: 6.0})
    assert sum(part.pnl for part in found.signals) + sum(x for _, x in found.remainder) == pytest.approx(17.5, abs=1e-12)


def test_marks_differ_in_shape_and_not_only_in_colour() -> None:
    drawn = {(path, hollow) for _, path, hollow in SHAPES.values()}
    assert len(drawn) == len(SHAPES)


def test_a_hole_in_the_prices_is_a_hole_in_the_line() -> None:
    text = price_plot(chart())
    assert text.count('class="price"') == 2 and text.count("<use") >= 4 + 4  # on the plot, and in its legend
    assert price_plot(msgspec.structs.replace(chart(), at_ms=(1,), low=(1.0,), high=(1.0,), close=(1.0,))) == ""
    gone = msgspec.structs.replace(chart(), marks=(Mark(START, 1.0, "long", "before the span"),))
    assert "href" in price_plot(gone)
