"""The life of an order: what may follow what, and that fills count once in every state."""

import base64
import hashlib
from decimal import Decimal
from itertools import product

import pytest

from bot.errors import IllegalMove, InvariantBroken
from bot.events import Fill, OrderRequest, OrderSide, OrderType, OrderUpdate, Purpose, Status
from bot.orders import CLOSED_KEPT, ENDED, LIFE, OpenOrders, link_id


def request(
    id: str = "o1", *, symbol: str = "BTCUSDT", quantity: str = "2", side: OrderSide = OrderSide.BUY, reduce: bool = False
) -> OrderRequest:
    return OrderRequest(
        at=0, id=id, symbol=symbol, side=side, type=OrderType.MARKET, quantity=Decimal(quantity), purpose=Purpose.ENTRY, reduce_only=reduce,
        bar_ms=60_000, reference=Decimal(100),
    )  # fmt: skip


def update(status: Status, id: str = "o1") -> OrderUpdate:
    return OrderUpdate(0, id, "BTCUSDT", status, Decimal(0))


def fill(quantity: str, exec_id: str = "x1", id: str = "o1") -> Fill:
    return Fill(
        0, exec_id, id, "BTCUSDT", OrderSide.BUY, Decimal(100), Decimal(quantity), Decimal(0), False, 0, Purpose.ENTRY, Decimal(0)
    )  # fmt: skip


def book_at(status: Status) -> OpenOrders:
    """A book with one order in this state."""
    orders = OpenOrders()
    orders.on_order(request())
    if status is not Status.INTENT:
        orders.on_update(update(status))
    return orders


@pytest.mark.parametrize(("before", "after"), list(product(Status, Status)))
def test_an_order_moves_only_as_its_life_allows(before: Status, after: Status) -> None:
    orders = book_at(before)
    order = orders.get("o1")
    assert order is not None
    if after is before or after in LIFE[before]:
        orders.on_update(update(after))
        assert order.status is after
        assert (order in orders.living()) is (after not in ENDED)
    else:
        with pytest.raises(IllegalMove, match=f"o1 .* is {before} and cannot become {after}"):
            orders.on_update(update(after))
        assert order.status is before
        assert (order in orders.living()) is (before not in ENDED)


def test_every_status_has_its_row_and_ends_are_ends() -> None:
    assert set(LIFE) == set(Status)
    assert {Status.FILLED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED} == ENDED


@pytest.mark.parametrize("status", list(Status))
def test_a_fill_counts_in_every_state_and_brings_nothing_back_to_life(status: Status) -> None:
    orders = book_at(status)
    order = orders.get("o1")
    assert order is not None
    orders.on_fill(fill("1.5"))
    assert (order.filled, order.remaining, order.status) == (Decimal("1.5"), Decimal("0.5"), status)


def test_a_fill_told_twice_counts_once() -> None:
    orders = book_at(Status.OPEN)
    orders.on_fill(fill("2"))
    orders.on_fill(fill("2"))
    order = orders.get("o1")
    assert order is not None
    assert order.filled == 2


def test_more_fills_than_were_asked_for_raise_and_name_both_figures() -> None:
    orders = book_at(Status.OPEN)
    orders.on_fill(fill("2"))
    with pytest.raises(InvariantBroken, match=r"I5: order o1 \(BTCUSDT\) filled 2\.5 of 2"):
        orders.on_fill(fill("0.5", "x2"))
    order = orders.get("o1")
    assert order is not None
    assert order.filled == Decimal("2.5")  # booked anyway


def test_a_fill_of_an_order_that_is_not_ours_is_no_business_of_the_book() -> None:
    orders = OpenOrders()
    orders.on_fill(fill("1", id="liquidation-BTCUSDT-0"))
    assert orders.living() == ()


def test_an_update_about_an_order_that_nobody_asked_for_raises() -> None:
    with pytest.raises(IllegalMove, match="nobody asked for it"):
        OpenOrders().on_update(update(Status.OPEN, "stranger"))


def test_an_intent_told_twice_is_one_order() -> None:
    orders = book_at(Status.OPEN)
    orders.on_order(request())
    assert len(orders.living()) == 1


def test_an_id_cannot_name_two_orders() -> None:
    orders = book_at(Status.OPEN)
    with pytest.raises(IllegalMove, match="names BUY 2 BTCUSDT already"):
        orders.on_order(request(quantity="3"))
    assert [order.quantity for order in orders.living()] == [2]


def test_attached_orders_join_through_their_entry() -> None:
    orders = book_at(Status.FILLED)
    orders.on_update(update(Status.OPEN, "o1s"))
    (stop,) = orders.living("BTCUSDT")
    assert (stop.parent, stop.side, stop.purpose, stop.reduce_only) == ("o1", OrderSide.SELL, Purpose.STOP_LOSS, True)
    assert orders.waiting("BTCUSDT") is None
    orders.on_fill(fill("2", "x9", "o1s"))
    orders.on_update(update(Status.FILLED, "o1s"))
    assert orders.living() == ()


def test_exposure_counts_what_could_still_fill_and_nothing_that_only_reduces() -> None:
    orders = OpenOrders()
    orders.on_order(request("a", quantity="2"))
    orders.on_order(request("b", quantity="3", side=OrderSide.SELL))
    orders.on_order(request("c", quantity="4", side=OrderSide.SELL, reduce=True))
    orders.on_update(update(Status.UNKNOWN, "a"))  # nobody knows: it counts in full
    orders.on_fill(fill("1", "x1", "b"))
    assert orders.exposure("BTCUSDT") == (2, 2)
    assert orders.exposure("ETHUSDT") == (0, 0)
    assert list(orders.symbols()) == ["BTCUSDT"]


def test_the_oldest_order_waits_first_and_symbols_do_not_mix() -> None:
    orders = OpenOrders()
    orders.on_order(request("a"))
    orders.on_order(request("b"))
    orders.on_order(request("c", symbol="ETHUSDT"))
    waiting = orders.waiting("BTCUSDT")
    assert waiting is not None
    assert waiting.id == "a"
    assert [order.id for order in orders.living("ETHUSDT")] == ["c"]


def test_ended_orders_are_forgotten_in_the_end() -> None:
    orders = OpenOrders()
    for n in range(CLOSED_KEPT + 10):
        orders.on_order(request(f"o{n}"))
        orders.on_update(update(Status.FILLED, f"o{n}"))
    assert orders.get("o0") is None
    assert orders.get(f"o{CLOSED_KEPT + 9}") is not None


def test_order_ids_are_short_deterministic_and_different() -> None:
    one = link_id("run", "BTCUSDT", 60_000, "entry")
    assert one == link_id("run", "BTCUSDT", 60_000, "entry")
    others = {
        link_id("other", "BTCUSDT", 60_000, "entry"),
        link_id("run", "ETHUSDT", 60_000, "entry"),
        link_id("run", "BTCUSDT", 120_000, "entry"),
        link_id("run", "BTCUSDT", 60_000, "exit"),
        link_id("run", "BTCUSDT", 60_000, "entry", 2),
    }
    assert len(others | {one}) == 6
    assert all(id.startswith("v1-") and len(id) <= 35 and id.replace("-", "").isalnum() for id in others | {one})


def test_order_ids_are_base32_of_what_they_are_made_of() -> None:
    for bar in range(200):
        digest = hashlib.sha256(f"r|BTCUSDT|{bar}|entry".encode()).digest()
        assert link_id("r", "BTCUSDT", bar, "entry") == f"v1-{base64.b32encode(digest)[:22].decode()}-1"
