"""The notation of Kakushadze's 101 Formulaic Alphas (2016), and the common names of WorldQuant BRAIN."""

from strategies.factors.dialects.dialect import Dialect, define

WORLDQUANT = Dialect("worldquant", "WorldQuant's", define("delay(x, n) = delay(x, n)"), floors=True)
