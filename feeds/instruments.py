"""What the exchange lets us trade: steps, minima, and the one crossing from evidence (float) to money (Decimal)."""

import re
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

import msgspec


def exact(number: float) -> Decimal:
    """The shortest decimal that names this float: 0.1 -> Decimal("0.1"). Raises ValueError on NaN and infinities."""
    if number - number != 0.0:
        raise ValueError(f"{number} is no amount of money")
    return Decimal(repr(number))


class Instrument(msgspec.Struct, frozen=True):
    """A linear perpetual.

    tick             price step; lot  quantity step (base units)
    least_quantity   base units; least_notional  quote currency, for orders that open
    most_quantity    of one market order, base units
    funding_ms       usual time between settlements
    max_leverage     of the venue; maintenance  margin rate at which it liquidates, a fraction of notional
    """

    symbol: str
    tick: Decimal
    lot: Decimal
    least_quantity: Decimal
    least_notional: Decimal
    most_quantity: Decimal = Decimal("1e9")
    funding_ms: int = 28_800_000
    max_leverage: Decimal = Decimal(100)
    maintenance: Decimal = Decimal("0.005")

    def quantity(self, wanted: Decimal) -> Decimal:
        """Rounded down to the lot: never more than was wanted. Zero when it does not reach the least quantity."""
        rounded = (wanted / self.lot).to_integral_value(ROUND_DOWN) * self.lot
        return rounded if rounded >= self.least_quantity else Decimal(0)

    def price_for_buyer(self, price: Decimal) -> Decimal:
        """Rounded up to the tick: a simulated buyer never pays less than the model says."""
        return (price / self.tick).to_integral_value(ROUND_CEILING) * self.tick

    def price_for_seller(self, price: Decimal) -> Decimal:
        """Rounded down to the tick: a simulated seller never gets more than the model says."""
        return (price / self.tick).to_integral_value(ROUND_FLOOR) * self.tick


QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "PERP", "EUR", "BTC", "ETH")
# symbol -> tick, lot, most of one market order: as the venue states them; quantities in coins
KNOWN: dict[str, tuple[str, str, str]] = {
    "BTCUSDT": ("0.10", "0.001", "500"),
    "ETHUSDT": ("0.01", "0.01", "1e9"),
    "LTCUSDT": ("0.01", "0.1", "1e9"),
    "ADAUSDT": ("0.0001", "1", "1e9"),
}
_THOUSANDS = re.compile(r"10{3,6}(?=[A-Z])")


def base_of(symbol: str) -> str:
    """The coin that a symbol trades: `BTCUSDT` -> `BTC`, `1000PEPEUSDT` -> `PEPE`; the symbol itself where no quote is in it."""
    name = symbol.upper()
    quote = next((quote for quote in QUOTES if name.endswith(quote) and len(name) > len(quote)), "")
    return _THOUSANDS.sub("", name.removesuffix(quote), count=1)


def symbol_for(asset: str, symbols: Sequence[str]) -> str | None:
    """The first of these symbols that is the asset or trades it (`btc` -> `BTCUSDT`); None where none does."""
    wanted = asset.upper()
    if wanted in symbols:
        return wanted
    return next((symbol for symbol in symbols if base_of(symbol) == wanted), None)


def default_instrument(symbol: str, price: float) -> Instrument:
    """What the symbol most likely allows, for runs without the exchange: its stated steps where known, else by its price.

    By price: a tick in the fifth significant digit, at most 0.1; a lot worth less than ten dollars, at most one coin.
    Raises ValueError when the price is not above zero.
    """
    if not 0 < price < float("inf"):
        raise ValueError(f"{symbol}: {price} is no price to infer steps from")
    if symbol in KNOWN:
        tick, lot, most = (Decimal(text) for text in KNOWN[symbol])
        return Instrument(symbol, tick, lot, lot, Decimal(5), most)
    size = exact(price).adjusted()  # the power of ten of the first digit
    lot = Decimal(1).scaleb(min(0, -size))
    return Instrument(symbol, tick=Decimal(1).scaleb(min(size - 4, -1)), lot=lot, least_quantity=lot, least_notional=Decimal(5))
