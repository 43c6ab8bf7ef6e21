"""What a configuration and a history come to: here, the steps that a symbol trades in."""

from decimal import Decimal

import numpy as np
import pytest

from bot.config import load
from bot.errors import ConfigError
from bot.plan import instruments
from feeds.history import History, Lane
from feeds.instruments import Instrument
from feeds.times import HOUR

SAID = Instrument("LUNAUSDT", Decimal("0.001"), Decimal("0.1"), Decimal("0.1"), Decimal(5))


def fallen(last: float) -> History:
    """A coin that closes at 80, and then lower each hour, down to `last`."""
    closes = np.geomspace(80.0, last, 50)
    return History(HOUR, {"LUNAUSDT": Lane(np.arange(50), (closes, closes, closes, closes, np.full(50, 1e6), np.full(50, np.nan)))})


@pytest.mark.parametrize(("last", "tick"), [(40.0, "0.001"), (0.0011, "0.001"), (0.00012, "0.00000001")])
@pytest.mark.parametrize("known", [{}, {"LUNAUSDT": SAID}])
def test_a_coin_that_falls_below_its_tick_gets_a_finer_one(last: float, tick: str, known: dict[str, Instrument]) -> None:
    one = instruments(load(None, {}, {}).config, fallen(last), known)["LUNAUSDT"]
    assert one.tick == Decimal(tick)
    assert one.lot == Decimal("0.1")


def test_a_tick_of_the_configuration_above_the_price_is_refused_by_name() -> None:
    config = load(None, {}, {"instruments.LUNAUSDT.tick": 0.01}).config
    with pytest.raises(ConfigError, match=r"instruments\.LUNAUSDT\.tick is 0\.01, and LUNAUSDT trades at 0\.00012"):
        instruments(config, fallen(0.00012))
