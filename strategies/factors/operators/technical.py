"""The indicators of technical analysis, made of the operators before them; `ta_` names seed as TA-Lib does."""

from strategies.factors.operators.row import Operator

TECHNICAL: tuple[Operator, ...] = ()
