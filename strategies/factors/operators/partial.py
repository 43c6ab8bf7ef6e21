"""Over a window of which `known` values are enough: the rolling windows of pandas with min_periods below the window."""

from collections.abc import Callable

from strategies.errors import BadConstant, BadWindow
from strategies.factors.operators.row import Operator, Param, Params, before, first

MEAN, DEVIATION, VARIANCE, SKEW, KURT = 0.0, 1.0, 2.0, 3.0, 4.0
SUM, COUNT, LARGEST, SMALLEST, PRODUCT = 0.0, 1.0, 2.0, 3.0, 4.0
COVARIANCE, CORRELATION = 0.0, 1.0
KNOWN = Param("known", least=0)
DDOF = Param("ddof", least=0, default=1)


def heap_rows(p: Params) -> int:
    return 3 * int(p[0]) + 6


def share(q: float) -> None:
    """Refuse what is no quantile."""
    if not 0.0 <= q <= 1.0:
        raise BadConstant(f"a quantile lies between 0 and 1, not at {q:g}", suggestion="0.5 is the median")


def _roll(name: str, kernel: str, says: str, want: float, *, rows: Callable[[Params], int], least: int = 1, series: int = 1,
          unit: str = "same", more: tuple[Param, ...] = (), commutes: bool = False) -> Operator:  # fmt: skip
    """`least` known values make the first one, with ddof one more than that."""
    free = more == (DDOF,)

    def lead(p: Params) -> int:
        return max(int(p[1]), int(p[2]) + 1 if free else least, 1) - 1

    def check(p: Params) -> None:
        needed = int(p[2]) + 1 if free else least
        if p[1] > p[0]:
            raise BadWindow(f"of {p[0]} bars at most {p[0]} can be known, not {p[1]}", suggestion="make `known` at most the window")
        if p[0] < needed:
            raise BadWindow(f"{name} needs a window of at least {needed} bars, not {p[0]}", suggestion="use a longer window")
        if more == (Param("q", whole=False, least=0.0),):
            share(float(p[2]))

    return Operator(
        name, series, f"{says}; `known` values are enough", "pandas rolling, min_periods = known",
        (Param("window"), KNOWN, *more), (), unit, kernel, lead, before, first, rows,
        lambda p: (want, float(p[1]), float(p[2]) if more else (0.5 if kernel == "heaps.quantile" else 1.0)), commutes, valid=check,
    )  # fmt: skip


def _blocks(quantities: int) -> Callable[[Params], int]:
    return lambda p: quantities * (int(p[0]) + 2)


PARTIAL: tuple[Operator, ...] = (
    _roll("roll_count", "partial.reduced", "how many are known", COUNT, rows=_blocks(2), unit="rate"),
    _roll("roll_sum", "partial.reduced", "sum of the known", SUM, rows=_blocks(2)),
    _roll("roll_product", "partial.reduced", "product of the known", PRODUCT, rows=_blocks(2), unit="free"),
    _roll("roll_min", "partial.reduced", "smallest of the known", SMALLEST, rows=_blocks(2)),
    _roll("roll_max", "partial.reduced", "largest of the known", LARGEST, rows=_blocks(2)),
    _roll("roll_mean", "partial.moments", "mean of the known", MEAN, rows=_blocks(3)),
    _roll("roll_std", "partial.moments", "standard deviation of the known", DEVIATION, rows=_blocks(3), more=(DDOF,)),
    _roll("roll_var", "partial.moments", "variance of the known", VARIANCE, rows=_blocks(3), more=(DDOF,), unit="square"),
    _roll("roll_skew", "partial.moments", "skewness of the known, bias-corrected; NaN where all are equal", SKEW, rows=_blocks(5), least=3,
          unit="rate"),
    _roll("roll_kurt", "partial.moments", "excess kurtosis of the known, bias-corrected; NaN where all are equal", KURT, rows=_blocks(5),
          least=4, unit="rate"),
    _roll("roll_median", "heaps.quantile", "median of the known", 0.0, rows=heap_rows),
    _roll("roll_quantile", "heaps.quantile", "the q quantile of the known, linear between neighbours", 0.0, rows=heap_rows,
          more=(Param("q", whole=False, least=0.0),)),
    _roll("roll_rank", "partial.rank", "percentile of the newest among the known, in (0, 1], ties averaged; NaN where it is not known", 0.0,
          rows=lambda p: 2, unit="rate"),
    _roll("roll_corr", "partial.together", "Pearson correlation of the pairs that are known; NaN where one side is constant", CORRELATION,
          rows=_blocks(6), least=2, series=2, unit="rate", commutes=True),
    _roll("roll_cov", "partial.together", "covariance of the pairs that are known", COVARIANCE, rows=_blocks(6), series=2, unit="product",
          more=(DDOF,), commutes=True),
)  # fmt: skip
