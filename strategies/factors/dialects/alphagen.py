"""The notation of AlphaGen and its successors."""

from strategies.factors.dialects.dialect import Dialect, define

ALPHAGEN = Dialect("alphagen", "AlphaGen's", define("ref(x, n) = delay(x, n)"), marked=True)
