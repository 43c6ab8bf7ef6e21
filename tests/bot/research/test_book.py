"""The book: what is held, traded and paid, against a slow one in Decimal, and case by case."""

import msgspec
import numpy as np
import pytest

from bot.research.book import simulate, simulate_many
from bot.research.market import Market, ends
from bot.research.settings import FREE, Costs, Settings
from feeds.bars import Array
from tests.bot.research.slow_book import slow_book

DEAR = Costs(fee_bps=7.0, spread_bps=4.0, slippage_bps=3.0, impact_bps=80.0, haircut_bps=1500.0)
PLAIN = Settings(costs=FREE)


def panel(seed: int, rows: int = 60, symbols: int = 4) -> tuple[Market, Array]:
    """Prices with holes, a coin that ends, one that begins late, funding, bars without volume; and wishes with holes."""
    dice = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(dice.normal(0.0, 0.02, (rows, symbols)), axis=0))
    opened = np.vstack([close[:1], close[:-1]]) * np.exp(dice.normal(0.0, 0.005, close.shape))
    missing = dice.random(close.shape) < 0.08
    close[missing] = np.nan
    close[rows * 2 // 3 :, 1] = np.nan
    close[: rows // 4, 2] = np.nan
    funding = np.where(dice.random(close.shape) < 0.3, dice.normal(0.0, 0.002, close.shape), 0.0)
    market = Market.of(close, opened, funding=funding)
    volume = np.where(dice.random(close.shape) < 0.1, 0.0, dice.uniform(100.0, 10_000.0, close.shape))
    market = market._replace(volume=np.where(np.isnan(close), np.nan, volume))
    weights = dice.normal(0.0, 0.3, close.shape)
    weights[dice.random(close.shape) < 0.1] = np.nan
    weights[dice.random(rows) < 0.5] = np.nan
    return market, weights


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "settings",
    [
        Settings(costs=DEAR),
        Settings(costs=DEAR, latency=3, band=0.05),
        Settings(costs=FREE, funding=False),
        Settings(costs=Costs(impact_bps=0.0), capital=1_000_000.0, latency=2),
    ],
    ids=["dear", "late and lazy", "free", "large"],
)
def test_the_book_is_that_of_the_slow_one(seed: int, settings: Settings) -> None:
    market, weights = panel(seed)
    fast, slow = simulate(market, weights, settings), slow_book(market, weights, settings)
    for name in ("returns", "costs", "funding", "turnover", "gross", "weights"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), rtol=1e-9, atol=1e-9, err_msg=name)
    assert (fast.trades, fast.missed, fast.ended) == (slow.trades, slow.missed, slow.ended)
    assert slow.trades > 20


def test_many_books_at_once_are_each_as_if_alone() -> None:
    market, _ = panel(3, rows=80, symbols=5)
    weights = np.random.default_rng(5).normal(0.0, 0.2, (80, 7, 5))
    rows = np.arange(0, 80, 3)
    together = simulate_many(market, rows, weights[rows], Settings(costs=DEAR), held=True)
    for f in (0, 3, 6):
        (alone,) = simulate_many(market, rows, weights[rows][:, f : f + 1], Settings(costs=DEAR), held=True)
        for name in ("returns", "price", "costs", "funding", "gross", "net", "turnover", "weights", "traded"):
            assert getattr(together[f], name).tobytes() == getattr(alone, name).tobytes(), name
        assert alone[9:] == together[f][9:]


def test_the_first_entry_and_the_last_exit_are_charged() -> None:
    market = Market.of(np.full((10, 1), 50.0))
    weights = np.full((10, 1), np.nan)
    weights[2] = 0.5
    book = simulate(market, weights, Settings(costs=Costs(fee_bps=10.0, spread_bps=0.0, slippage_bps=0.0, impact_bps=0.0)))
    paid = np.zeros(10)
    paid[3] = 0.5 * 0.001
    paid[9] = 0.5 * 0.001 / (1 - 0.0005)
    np.testing.assert_allclose(book.costs, paid, rtol=1e-12)
    np.testing.assert_allclose(book.turnover[[3, 9]], [0.5, 0.5 / (1 - 0.0005)], rtol=1e-12)
    np.testing.assert_allclose(book.returns, -paid, rtol=1e-12)
    assert book.trades == 2


def test_a_decision_earns_nothing_before_the_open_it_trades_at() -> None:
    close = np.array([100.0, 110.0, 121.0, 121.0, 121.0])[:, None]
    opened = np.array([100.0, 100.0, 115.0, 121.0, 121.0])[:, None]
    weights = np.array([np.nan, 1.0, np.nan, np.nan, np.nan])[:, None]
    book = simulate(Market.of(close, opened), weights, PLAIN)
    units = 1.0 / 110.0  # sized by the close that decided
    assert book.returns[:2].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(book.returns[2], units * (121.0 - 115.0), rtol=1e-12)
    np.testing.assert_allclose(np.prod(1 + book.returns) - 1, units * (121.0 - 115.0), rtol=1e-12)


def test_units_stay_and_weights_drift_between_decisions() -> None:
    close = np.array([100.0, 100.0, 150.0, 200.0, 200.0])[:, None]
    weights = np.array([0.5, np.nan, np.nan, np.nan, np.nan])[:, None]
    book = simulate(Market.of(close), weights, PLAIN)
    assert book.weights is not None
    np.testing.assert_allclose(book.weights[:, 0], [0.0, 0.5, 0.5, 0.75 / 1.25, 1.0 / 1.5], rtol=1e-12)
    assert book.trades == 2
    np.testing.assert_allclose(np.prod(1 + book.returns), 1.5, rtol=1e-12)


def test_a_missing_price_is_neither_a_trade_nor_a_return_of_zero_for_good() -> None:
    close = np.array([100.0, 100.0, np.nan, np.nan, 130.0, 130.0])[:, None]
    weights = np.array([1.0, 0.0, np.nan, np.nan, np.nan, np.nan])[:, None]  # the exit falls into the gap
    book = simulate(Market.of(close), weights, PLAIN)
    assert book.missed == 1 and book.stale == 2
    np.testing.assert_allclose(book.returns, [0.0, 0.0, 0.0, 0.3, 0.0, 0.0], atol=1e-12)


def test_funding_is_paid_by_what_was_held_when_it_settled() -> None:
    funding = np.zeros((6, 1))
    funding[1], funding[2], funding[4] = 0.01, 0.02, 0.03
    weights = np.array([np.nan, 0.5, -0.5, np.nan, np.nan, np.nan])[:, None]
    book = simulate(Market.of(np.full((6, 1), 80.0), funding=funding), weights, PLAIN)
    held = np.array([0.0, 0.0, 0.5, -0.5, -0.5, -0.5])
    assert book.funding[1] == 0.0
    np.testing.assert_allclose(book.funding[2], held[2] * 0.02, rtol=1e-12)
    np.testing.assert_allclose(book.returns, -book.funding, atol=1e-15)
    assert book.funding[4] < 0.0  # a short earns it


def test_a_coin_that_ends_is_closed_at_its_last_price_less_the_haircut() -> None:
    close = np.full((8, 2), 10.0)
    close[4:, 0] = np.nan
    market = Market.of(close)
    assert ends(market).tolist() == [4, 8]
    weights = np.full((8, 2), np.nan)
    weights[1] = [0.4, -0.4]
    book = simulate(market, weights, Settings(costs=msgspec.structs.replace(FREE, haircut_bps=2_000.0)))
    assert book.ended == 1 and book.weights is not None
    np.testing.assert_allclose(book.returns[4], -0.4 * 0.2, rtol=1e-12)
    assert book.weights[5, 0] == 0.0 and book.weights[5, 1] < -0.4


def test_what_was_made_is_prices_less_costs_less_funding() -> None:
    market, weights = panel(8)
    book = simulate(market, weights, Settings(costs=DEAR))
    np.testing.assert_allclose(book.returns, book.price - book.costs - book.funding, atol=1e-15)
    assert book.costs.sum() > 0 and np.abs(book.funding).sum() > 0


def test_a_book_that_lost_everything_stays_lost() -> None:
    close = np.array([100.0, 100.0, 250.0, 100.0, 100.0, 100.0])[:, None]
    weights = np.array([-1.0, np.nan, np.nan, 1.0, np.nan, np.nan])[:, None]
    book = simulate(Market.of(close), weights, PLAIN)
    assert book.ruined == 2
    assert book.returns.tolist() == [0.0, 0.0, -1.0, 0.0, 0.0, 0.0]
    assert book.gross[3:].tolist() == [0.0, 0.0, 0.0]


def test_the_band_leaves_small_changes_alone_but_not_an_exit_or_a_turn() -> None:
    market = Market.of(np.full((12, 1), 10.0))
    wishes = [0.5, 0.53, 0.6, 0.02, -0.02, 0.0]
    weights = np.full((12, 1), np.nan)
    weights[: 2 * len(wishes) : 2, 0] = wishes
    book = simulate(market, weights, Settings(costs=FREE, band=0.05))
    np.testing.assert_allclose(book.turnover[1::2], [0.5, 0.0, 0.1, 0.58, 0.04, 0.02], atol=1e-12)


def test_impact_grows_with_the_root_of_the_share_of_volume() -> None:
    market = Market.of(np.full((4, 1), 100.0), volume=1_000.0)
    weights = np.array([1.0, np.nan, np.nan, np.nan])[:, None]
    paid = {}
    for capital in (1_000.0, 4_000.0, 1e9):
        costs = Costs(fee_bps=0.0, spread_bps=0.0, slippage_bps=0.0, impact_bps=100.0)
        paid[capital] = simulate(market, weights, Settings(costs=costs, capital=capital)).costs[1]
    np.testing.assert_allclose(paid[4_000.0] / paid[1_000.0], 2.0, rtol=1e-9)
    np.testing.assert_allclose(paid[1_000.0], 0.01 * (10.0 / 1_000.0) ** 0.5, rtol=1e-9)
    np.testing.assert_allclose(paid[1e9], 0.01, rtol=1e-9)  # as if it were all of the volume


def test_later_bars_change_no_earlier_row() -> None:
    market, weights = panel(4, rows=90)
    market = market._replace(close=np.where(np.isnan(market.close), 100.0, market.close), open=np.nan_to_num(market.open, nan=100.0))
    whole = simulate(market, weights, Settings(costs=DEAR))
    part = simulate(market.until(50), weights[:50], Settings(costs=DEAR))
    assert whole.returns[:49].tobytes() == part.returns[:49].tobytes()
    assert whole.turnover[:49].tobytes() == part.turnover[:49].tobytes()
