"""The notation of the 191 short-period price and volume factors of Guotai Junan (GTJA, 2017)."""

from strategies.factors.dialects.dialect import Dialect, define

GTJA = Dialect(
    "gtja",
    "Guotai Junan's 191",
    define(
        """
        delay(x, n) = delay(x, n)
        regbeta(x, sequence(n)) = ts_slope(x, n)
        """
    ),
    fields={"amount": "turnover", "ret": "returns"},
    signs={"=": "==", "&": "and", "|": "or"},
)
