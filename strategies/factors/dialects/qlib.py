"""The notation of Qlib's expression engine."""

from strategies.factors.dialects.dialect import Dialect, define

QLIB = Dialect("qlib", "Qlib's", define("ref(x, n) = delay(x, n)"), marked=True)
