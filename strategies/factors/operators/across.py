"""Across the symbols known at one bar."""

import math

from strategies.factors.operators.row import Param, across

ACROSS = (
    across("rank", "cross.rank", "percentile among the known symbols, in (0, 1], ties averaged", state=1, aliases=("cs_rank",)),
    across("zscore", "cross.score", "(a - mean) / sample deviation across symbols; NaN with fewer than two, or all equal",
           aliases=("cs_zscore",)),
    across("demean", "cross.demean", "a - mean across symbols", unit="same", aliases=("cs_demean",)),
    across("scale", "cross.scale", "sizes across symbols add up to `to`; NaN where all are 0", params=(Param("to", False, -math.inf, 1),),
           aliases=("cs_scale",), floats=lambda p: (float(p[0]),)),
)  # fmt: skip
