"""Over a full window: order, shape and regression."""

from strategies.factors.operators.row import Operator

SHAPE: tuple[Operator, ...] = ()
