"""Across the symbols known at one bar."""

import math

from strategies.factors.operators.row import Operator, Param, across

RANK, BUCKET, TOP, MEDIAN = 0.0, 1.0, 2.0, 3.0
MEAN, APART, SCORE, DEVIATION, SMALLEST, LARGEST, HELD = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0
GROUP = "of the symbols that have the same number in the second series; NaN without a number"


def _place(name: str, says: str, want: float, *, grouped: bool = False, unit: str = "rate", params: tuple[Param, ...] = (),
           aliases: tuple[str, ...] = ()) -> Operator:  # fmt: skip
    return Operator(name, 1 + int(grouped), says, "definition", params, aliases, unit, "groups.place", cross=True,
                    floats=lambda p: (want, float(grouped)))  # fmt: skip


def _level(name: str, says: str, want: float, *, grouped: bool = False, unit: str = "first", params: tuple[Param, ...] = (),
           aliases: tuple[str, ...] = ()) -> Operator:  # fmt: skip
    return Operator(name, 1 + int(grouped), says, "definition", params, aliases, unit, "groups.level", cross=True, state=lambda p: 2,
                    floats=lambda p: (want, float(grouped), float(p[0]) if p else 0.0))  # fmt: skip


ACROSS = (
    across("rank", "cross.rank", "percentile among the known symbols, in (0, 1], ties averaged", state=1, aliases=("cs_rank",)),
    across("zscore", "cross.score", "(a - mean) / sample deviation across symbols; NaN with fewer than two, or all equal",
           aliases=("cs_zscore",)),
    across("demean", "cross.demean", "a - mean across symbols", unit="same", aliases=("cs_demean",)),
    across("scale", "cross.scale", "sizes across symbols add up to `to`; NaN where all are 0", params=(Param("to", False, -math.inf, 1),),
           aliases=("cs_scale",), floats=lambda p: (float(p[0]),)),
    _level("winsorize", "a held within mean +- `std` sample deviations across symbols", HELD,
           params=(Param("std", False, 0.0, 4.0),), aliases=("cs_winsorize",)),
    _place("quantile_bucket", "1..buckets by the percentile across symbols: rank(a) x buckets, rounded up", BUCKET,
           params=(Param("buckets"),), aliases=("cs_bucket",)),
    _place("top_mask", "1 for the n largest across symbols, all that tie with the n-th among them, else 0", TOP, params=(Param("n"),),
           aliases=("cs_top",)),
    _place("group_rank", f"percentile, ties averaged, {GROUP}", RANK, grouped=True),
    _level("group_demean", f"a - mean {GROUP}", APART, grouped=True, aliases=("group_neutralize", "neutralize", "indneutralize")),
    _level("group_zscore", f"(a - mean) / sample deviation {GROUP}; NaN with fewer than two, or all equal", SCORE, grouped=True,
           unit="rate"),
    _level("group_mean", f"mean {GROUP}", MEAN, grouped=True),
    _level("cs_mean", "mean across symbols, for each of them", MEAN), _level("cs_std", "sample deviation across symbols", DEVIATION),
    _place("cs_median", "median across symbols", MEDIAN, unit="first"),
    _level("cs_min", "smallest across symbols", SMALLEST), _level("cs_max", "largest across symbols", LARGEST),
    Operator("cs_resid", 2, "y less its least-squares line on x, with an intercept, across symbols: y first", "least squares", (),
             ("cs_residual",), "first", "groups.residual", cross=True),
)  # fmt: skip
