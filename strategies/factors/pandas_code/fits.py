"""Functions of numpy and scipy over a window: fits of a line, correlations, places among values."""

from collections.abc import Callable, Mapping

from strategies.errors import BadSyntax
from strategies.factors.graph import call as node_of
from strategies.factors.pandas_code import above, ahead, algebra, measures, reductions, unrolled, weights, windows
from strategies.factors.pandas_code.context import Reader
from strategies.factors.pandas_code.operands import describe, items
from strategies.factors.pandas_code.values import Frame, Given, Items, Last, Record, Rows, Series, Value, Vector, Window, is_number, whole

Rule = Callable[["Reader", Given], Value]


def _ramp(x: Value, n: int) -> tuple[float, float]:
    """A vector start, start + step, ... Raises BadSyntax."""
    if isinstance(x, list | tuple) and all(is_number(v) for v in x):
        x = Vector(tuple(float(v) for v in x))
    if not isinstance(x, Vector) or len(x.items) != n or n < 2:
        raise BadSyntax("a line is fitted to evenly spaced numbers as many as the window is long", suggestion="np.arange(len(x))")
    step = x.items[1] - x.items[0]
    if step == 0 or any(abs(v - (x.items[0] + i * step)) > 1e-9 * abs(step) for i, v in enumerate(x.items)):
        raise BadSyntax("a line is fitted to evenly spaced numbers", suggestion="np.arange(len(x))")
    return x.items[0], step


def _plain(y: Value) -> Window:
    if isinstance(y, Series | Frame):
        ahead.refuse("a fit over all bars", "fit over a window: x.rolling(n).apply(...)")
    if isinstance(y, Window) and y.loose:
        y = y.copy(known=y.n)
    if not isinstance(y, Window) or y.known < y.n:
        raise BadSyntax(f"a fit goes over a full window, not {describe(y)}")
    return y


def _of(y: Window, op: str, low: int = 0) -> Series:
    """An operator of the least-squares line of a window, a centre and a factor taken along."""
    if y.power != 1 or y.absolute or y.weights is not None:
        raise BadSyntax("a line is fitted to the values themselves")
    done = algebra.result(node_of(op, y.of.node, y.n), y.of, low=low, known=False, inf=False)
    done.full = True
    if y.centre is not None and op == "ts_intercept":
        done = algebra.arithmetic("sub", done, y.centre)
    if y.factor is not None and op != "ts_rsquare":
        done = algebra.arithmetic("mul", done, y.factor)
    return done


def line(x: Value, y: Window) -> tuple[Series, Series]:
    """Slope and height at x = 0 of the least-squares line."""
    if isinstance(x, Window):
        if not (x.plain and y.plain) or x.n != y.n:
            raise BadSyntax("a line is fitted to the values themselves")
        slope = algebra.result(node_of("ts_beta", y.of.node, x.of.node, y.n), y.of, x.of, known=False, inf=False)
        mean_x, mean_y = windows.plain(x.of, "mean", x.n, x.n), windows.plain(y.of, "mean", y.n, y.n)
        slope.full = mean_x.full = mean_y.full = True
        return slope, algebra.arithmetic("sub", mean_y, algebra.arithmetic("mul", slope, mean_x))
    start, step = _ramp(x, y.n)
    slope, height = _of(y, "ts_slope"), _of(y, "ts_intercept")
    if step != 1:
        slope = algebra.divided(slope, algebra.as_series(step))
    if start != 0:
        height = algebra.arithmetic("sub", height, algebra.arithmetic("mul", slope, algebra.as_series(start)))
    return slope, height


def _polyfit(reader: "Reader", given: Given) -> Value:
    x, y, degree = given.need("x"), given.need("y"), given.need("deg")
    given.drop("full", "cov", "w")
    if reader.elementwise and isinstance(y, Items | list | tuple) and degree == 1:
        return _through_points([float(v) for v in items(x)], y.items if isinstance(y, Items) else list(y))
    window = _plain(y)
    if degree == 0:
        return [windows.plain(window.of, "mean", window.n, window.n)]
    if degree != 1:
        raise BadSyntax("np.polyfit is understood of degree 1", suggestion="np.polyfit(np.arange(n), x, 1)")
    return list(line(x, window))


def _through_points(x: list[float], y: list[Value]) -> Value:
    """Slope and height of the line through values at places that are known beforehand."""
    middle = sum(x) / max(1, len(x))
    square = sum((v - middle) ** 2 for v in x)
    if len(x) != len(y) or not square:
        raise BadSyntax("a line is fitted to as many values as places, two at least")
    points = [algebra.as_series(v) for v in y]
    shares = [algebra.arithmetic("mul", p, algebra.as_series((v - middle) / square)) for v, p in zip(x, points, strict=True)]
    slope = unrolled.tree(shares, unrolled.added)
    mean = algebra.divided(unrolled.tree(points, unrolled.added), algebra.as_series(len(x)))
    return [slope, algebra.arithmetic("sub", mean, algebra.arithmetic("mul", slope, algebra.as_series(middle)))]


def _polyval(reader: "Reader", given: Given) -> Value:
    fit, at = given.need("p"), given.need("x")
    if not isinstance(fit, list) or len(fit) != 2:
        raise BadSyntax("np.polyval is understood of a fitted line")
    slope, height = fit
    if is_number(at):
        return algebra.arithmetic(
            "add", algebra.arithmetic("mul", algebra.as_series(slope), algebra.as_series(at)), algebra.as_series(height)
        )
    if isinstance(at, Vector):
        parts = [algebra.arithmetic("add", algebra.arithmetic("mul", slope, algebra.as_series(v)), height) for v in at.items]
        return Items(parts)
    raise BadSyntax("np.polyval is understood of numbers")


def correlation(a: Value, b: Value) -> Series:
    """Pearson's, of two windows or of a window with evenly spaced numbers."""
    for x, y in ((a, b), (b, a)):
        if isinstance(y, Vector) and isinstance(x, Window):
            _, step = _ramp(y, x.n)
            if not x.plain:
                raise BadSyntax("a correlation is taken of the values themselves")
            size = algebra.root(_of(x, "ts_rsquare", low=1))
            sign = algebra.result(node_of("sign", _of(x, "ts_slope").node), x.of, known=False)
            done = algebra.arithmetic("mul", size, sign if step > 0 else algebra.negative(sign))
            done.full = True
            return done
    first, second = _plain(a), _plain(b)
    if not (first.plain and second.plain) or first.n != second.n:
        raise BadSyntax("a correlation is taken of the values themselves")
    done = algebra.result(node_of("ts_corr", first.of.node, second.of.node, first.n), first.of, second.of, known=False, inf=False)
    done.full = True
    return done


def _corrcoef(reader: "Reader", given: Given) -> Value:
    a, b = given.need("x"), given.need("y")
    value = correlation(a, b)
    return Matrix([[1.0, value], [value, 1.0]])


class Matrix(list[Value]):
    """Two by two: m[0, 1] and m[0][1]."""


def _covariance(reader: "Reader", given: Given) -> Value:
    a, b = given.need("m"), given.need("y")
    ddof = 0 if given.take("bias", False) else whole(given.take("ddof", 1), "ddof")
    if isinstance(a, Vector) or isinstance(b, Vector):
        return _covariance_with(a, b, ddof)
    first, second = _plain(a), _plain(b)
    if not (first.plain and second.plain):
        raise BadSyntax("a covariance is taken of the values themselves")
    n = first.n

    def one(x: Series, y: Series) -> Series:
        node = node_of("ts_cov", x.node, y.node, n) if x is not y else node_of("ts_var", x.node, n)
        done = algebra.result(node if ddof == 1 else node_of("mul", node, node_of("div", n - 1, n - ddof)), x, y, known=False, inf=False)
        done.full = True
        return done

    mixed = one(first.of, second.of)
    return Matrix([[one(first.of, first.of), mixed], [mixed, one(second.of, second.of)]])


def _covariance_with(a: Value, b: Value, ddof: int) -> Value:
    """Of constant numbers and a window."""
    by, window = (a, _plain(b)) if isinstance(a, Vector) else (b, _plain(a))
    if not window.plain or len(by.items) != window.n:
        raise BadSyntax("a covariance is taken of as many numbers as the window is long")
    free, mean = window.n - ddof, sum(by.items) / window.n
    mixed = weights.dot(window.of, tuple((v - mean) / free for v in by.items))
    spread = windows.spread(window.of, "var", window.n, window.n, ddof)
    spread.full = True
    own = sum((v - mean) ** 2 for v in by.items) / free
    return Matrix([[own, mixed], [mixed, spread]] if isinstance(a, Vector) else [[spread, mixed], [mixed, own]])


def _dot(reader: "Reader", given: Given) -> Value:
    return reductions.dot_product(reader, given.need("a"), given.need("b"))


def _accumulated(name: str) -> Rule:
    def rule(reader: "Reader", given: Given) -> Value:
        x = given.need("array")
        if not isinstance(x, Series):
            return above.methods.call(reader, x, Given(name, [], {}), name)
        done = above.methods.call(reader, x.copy(array=True), Given(name, [], {}), name)  # not known once a value is not
        return done.copy(array=x.array)

    return rule


def _sum_of_truths(reader: "Reader", given: Given) -> Value:
    x = given.need("a")
    if isinstance(x, Window):
        return measures.measure(reader, x, "count_nonzero", Given("count_nonzero", [], {}))
    if isinstance(x, Items):
        return unrolled.tree([algebra.truth(v) for v in x.items], unrolled.added)
    ahead.refuse("a count over all bars", "use rolling(n).sum()")


NUMPY: Mapping[str, Rule] = {
    "polyfit": _polyfit, "polyval": _polyval, "corrcoef": _corrcoef, "cov": _covariance, "dot": _dot, "matmul": _dot, "inner": _dot,
    "vdot": _dot, "maximum.accumulate": _accumulated("cummax"), "minimum.accumulate": _accumulated("cummin"),
    "count_nonzero": _sum_of_truths,
}  # fmt: skip


# -- scipy


def _linregress(reader: "Reader", given: Given) -> Value:
    x = given.need("x")
    y = given.take("y")
    if y is None:
        raise BadSyntax("linregress is understood of x and y")
    window = _plain(y)
    slope, height = line(x, window)
    return Record({"slope": slope, "intercept": height, "rvalue": correlation(window, x), "pvalue": None, "stderr": None})


def _pearson(reader: "Reader", given: Given) -> Value:
    return Record({"statistic": correlation(given.need("x"), given.need("y")), "pvalue": None})


def _biased(name: str) -> Rule:
    def rule(reader: "Reader", given: Given) -> Value:
        x = _plain(given.need("a"))
        fisher = given.take("fisher", True)
        correct = not given.take("bias", True)
        given.drop("nan_policy", "axis")
        done = windows.plain(x.of, name, x.n, x.n) if correct else measures.biased(x, name)
        done.full = True
        return done if fisher or name == "skew" else algebra.arithmetic("add", done, algebra.as_series(3))

    return rule


def _of_score(reader: "Reader", given: Given) -> Value:
    """percentileofscore(x, x[-1]): the newest value's rank in per cent."""
    x, score, kind = given.need("a"), given.need("score"), given.take("kind", "rank")
    given.drop("nan_policy")
    newest = isinstance(x, Window) and isinstance(score, Series) and score.node is x.of.node and x.plain
    if isinstance(x, Window) and newest and kind == "rank":
        return algebra.arithmetic("mul", windows.ranked(x.of, x.n, x.known, True), algebra.as_series(100))
    if isinstance(x, Window) and kind in ("weak", "strict"):
        less = reductions.compare(reader, "le" if kind == "weak" else "lt", x, score)
        share = reductions.method(reader, less, "mean", Given("mean", [], {}))
        return algebra.arithmetic("mul", share, algebra.as_series(100))
    if isinstance(x, Series):
        ahead.refuse("a place among all bars", "use rolling(n).rank(pct=True)")
    raise BadSyntax("percentileofscore is understood of the newest value of a window")


def _score(reader: "Reader", given: Given) -> Value:
    x = given.need("a")
    if not isinstance(x, Window):
        ahead.refuse("a z-score over all bars", "(x - x.rolling(n).mean()) / x.rolling(n).std()")
    ddof = whole(given.take("ddof", 0), "ddof")
    mean = windows.plain(x.of, "mean", x.n, x.n)
    return x.copy(centre=mean, factor=algebra.divided(algebra.as_series(1.0), windows.spread(x.of, "std", x.n, x.n, ddof)))


def _ranked(reader: "Reader", given: Given) -> Value:
    x = given.need("a")
    if not isinstance(x, Window):
        ahead.refuse("a rank over all bars", "use rolling(n).rank(pct=True)")
    if given.take("method", "average") != "average":
        raise BadSyntax("rankdata is understood with method='average'")
    return Last(windows.ranked(x.of, x.n, x.known, False))


def _spread_of(op: str) -> Rule:
    def rule(reader: "Reader", given: Given) -> Value:
        x = _plain(given.need("x"))
        given.drop("axis", "nan_policy")
        if op == "iqr":
            top, bottom = windows.quantile(x.of, 0.75, x.n, x.n), windows.quantile(x.of, 0.25, x.n, x.n)
            done = algebra.arithmetic("sub", top, bottom).copy(low=1)
        else:
            scale = given.take("scale", 1.0)
            done = algebra.result(node_of("ts_median_ad", x.of.node, x.n), x.of, low=1, known=False, inf=False)
            if scale == "normal":
                done = algebra.divided(done, algebra.as_series(0.674489750196))
        done.full = True
        return done

    return rule


def _mean_of_logs(reader: "Reader", given: Given) -> Value:
    x = _plain(given.need("a"))
    logs = algebra.result(node_of("log", x.of.node), x.of)
    done = algebra.result(node_of("exp", node_of("ts_mean", logs.node, x.n)), x.of, low=2, known=False, inf=False)
    done.full = True
    return done


def _cdf(reader: "Reader", given: Given) -> Value:
    raise BadSyntax("the normal distribution is not understood", suggestion="use np.tanh")


SCIPY: Mapping[str, Rule] = {
    "linregress": _linregress, "pearsonr": _pearson, "skew": _biased("skew"), "kurtosis": _biased("kurt"), "percentileofscore": _of_score,
    "zscore": _score, "rankdata": _ranked, "iqr": _spread_of("iqr"), "median_abs_deviation": _spread_of("mad"), "gmean": _mean_of_logs,
    "norm.cdf": _cdf,
}  # fmt: skip
_AHEAD = frozenset({"zscore", "rankdata", "savgol_filter", "filtfilt", "detrend", "hilbert"})


def scipy(reader: "Reader", name: str, given: Given) -> Value:
    """scipy.stats and the like."""
    from strategies.errors import UnknownName

    rule = SCIPY.get(name.removeprefix("stats.").removeprefix("stats.mstats."))
    if rule is not None:
        return rule(reader, given)
    last = name.rpartition(".")[2]
    if last in ahead.CALLS or last in ("spearmanr", "kendalltau", "boxcox", "winsorize"):
        if any(isinstance(a, Series | Frame | Rows) for a in given.args):
            ahead.refuse(given.name, ahead.CALLS.get(last, "use a window"))
        raise BadSyntax(f"{given.name} is not understood of a window")
    raise UnknownName(f"{given.name} is not understood here")
