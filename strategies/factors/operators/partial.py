"""Over a window of which `known` values are enough: the rolling windows of pandas with min_periods below the window."""

from strategies.factors.operators.row import Operator

PARTIAL: tuple[Operator, ...] = ()
