"""Whether the source of a strategy is pure, found out by reading it: nothing of it runs.

Pure means: the same bars give the same decisions. It is no wall against malice: a strategy is a program of the person who runs it.
"""

from strategies.purity.reading import Impurity, impurities

__all__ = ["Impurity", "impurities"]
