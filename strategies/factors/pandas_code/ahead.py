"""What would see bars that have not closed: names that say so, and, in text that was refused for another reason, the signs of it."""

import ast
import re
from typing import NoReturn

from strategies.errors import LookAhead

_NAMES = re.compile(
    r"(?:^|_)(?:future|futures|fut|forward|fwd|next|tomorrow|target|targets|label|labels|lead|leading|y_true|ahead)(?:_|$|\d)"
    r"|_(?:lead|fwd|future)\d*$", re.IGNORECASE,
)  # fmt: skip
SHIFT_BACK = "look back instead: shift(1)"
ROLL = "use a window: x.rolling(252).{0}(), or x.expanding().{0}()"


def refuse(what: str, how: str = "") -> NoReturn:
    raise LookAhead(f"{what} would use bars that have not closed", suggestion=how)


def refuse_name(name: str) -> None:
    """A column or name that by its name comes from the future."""
    if _NAMES.search(name):
        refuse(f"{name!r}, by its name,", "build the factor from what was known at the bar close")


CALLS = {
    "bfill": "use ffill()", "backfill": "use ffill()", "interpolate": "use ffill()", "filtfilt": "use ewm(span=n).mean()",
    "savgol_filter": "use rolling(n).mean()", "sosfiltfilt": "use ewm(span=n).mean()", "detrend": "subtract rolling(n).mean()",
    "hilbert": "use rolling windows", "gradient": "use diff()", "fft": "use rolling windows", "rfft": "use rolling windows",
    "ifft": "use rolling windows", "irfft": "use rolling windows", "convolve": "use rolling(n).apply with weights",
    "gaussian_filter1d": "use ewm(span=n).mean()", "gaussian_filter": "use ewm(span=n).mean()", "uniform_filter1d": "use rolling(n).mean()",
    "median_filter": "use rolling(n).median()", "medfilt": "use rolling(n).median()", "argrelextrema": "use rolling(n).max()",
    "find_peaks": "use rolling(n).max()", "seasonal_decompose": "subtract rolling(n).mean()", "hpfilter": "subtract rolling(n).mean()",
    "lowess": "use ewm(span=n).mean()", "UnivariateSpline": "use ewm(span=n).mean()", "CubicSpline": "use ewm(span=n).mean()",
    "interp1d": "use ffill()", "fit_transform": "standardise over a window: (x - x.rolling(n).mean()) / x.rolling(n).std()",
    "StandardScaler": "standardise over a window", "MinMaxScaler": "scale over a window", "RobustScaler": "scale over a window",
    "qcut": "use rolling(n).rank(pct=True)", "wavedec": "use rolling windows", "waverec": "use rolling windows", "flip": SHIFT_BACK,
    "flipud": SHIFT_BACK, "roll": "use shift(n), which does not wrap around", "idxmax": "use rolling(n).apply(np.argmax)",
    "idxmin": "use rolling(n).apply(np.argmin)",
    "describe": ROLL.format("mean"), "value_counts": "count over a window",
    "mode": ROLL.format("median"),
    "sort_values": "use rolling(n).rank()", "nlargest": ROLL.format("max"), "nsmallest": ROLL.format("min"), "fit": "fit over a window",
    "polyfit": "fit over a window: rolling(n).apply(...)", "linregress": "fit over a window: rolling(n).apply(...)",
    "OLS": "fit over a window", "PCA": "fit over a window", "pct_rank": "use rolling(n).rank(pct=True)", "argsort": "use rolling(n).rank()",
    "rankdata": "use rolling(n).rank()", "lfilter_zi": "use ewm()", "denoise_wavelet": "use ewm()", "dwt": "use rolling windows",
    "rfftfreq": "use rolling windows", "Ridge": "fit over a window", "LinearRegression": "fit over a window", "KMeans": "fit over a window",
    "tail": "use the column itself", "last": "use the column itself", "lstsq": "fit over a window", "svd": "fit over a window",
    "eig": "fit over a window", "eigh": "fit over a window", "pinv": "fit over a window", "histogram": "count over a window",
    "interp": "use ffill()", "cwt": "use rolling windows",
    "welch": "use rolling windows", "spectrogram": "use rolling windows", "periodogram": "use rolling windows",
    "percentile": "use rolling(n).quantile(q)",
    "nanpercentile": "use rolling(n).quantile(q)", "quantile_transform": "use rolling(n).rank(pct=True)", "cosine": "use rolling windows",
    "resample": "use rolling(n) over as many bars", "transform": "use rolling(n)", "corrcoef": "use rolling(n).corr(y)",
}  # fmt: skip
_SHIFTS = frozenset({"shift", "diff", "pct_change", "lag", "delay"})
_WHOLE = frozenset({"mean", "std", "var", "median", "max", "min", "quantile", "rank", "skew", "kurt", "corr", "cov", "sum", "zscore"})


def scan(module: ast.Module) -> LookAhead | None:
    """The first sign of looking ahead in a text that could not be read."""
    for node in ast.walk(module):
        found = _sign(node)
        if found is not None:
            return found.placed(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1)
    return None


def _sign(node: ast.AST) -> LookAhead | None:
    match node:
        case ast.Call(func=ast.Attribute(attr="rank" | "mean" | "std" | "max" | "min" | "sum" as name, value=group)) if _grouped(group):
            return _found(f"{name} of a group, which ends after the bar,", "use rolling(n) or expanding()")
        case ast.Call(func=ast.Attribute(attr=name), args=args, keywords=keywords):
            return _of_call(name, args, keywords)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in CALLS:
            return _of_call(name, args, keywords)
        case ast.Subscript(value=ast.Attribute(attr="iloc" | "iat" | "values" | "index"), slice=index):
            return _of_index(index)
        case ast.Constant(value="bfill" | "backfill" | "nearest"):
            return _found("filling backwards", "use ffill()")
        case ast.Attribute(attr="FixedForwardWindowIndexer") | ast.alias(name="FixedForwardWindowIndexer"):
            return _found("a window of later bars", "use rolling(n)")
        case ast.Subscript(slice=ast.BinOp(left=ast.Name(), op=ast.Add(), right=ast.Constant(value=int() as n))) if n > 0:
            return _found(f"the bar {n} ahead", SHIFT_BACK)
        case ast.Slice(step=ast.UnaryOp(op=ast.USub())):
            return _found("[::-1]", "keep the order of time")
        case ast.Constant(value=str() as text) if len(text) < 40 and _NAMES.search(text) and " " not in text:
            return _found(repr(text), "build the factor from what was known at the bar close")
    return None


def _grouped(node: ast.AST) -> bool:
    """x.groupby(by) by something that is not the symbol."""
    match node:
        case ast.Call(func=ast.Attribute(attr="groupby"), args=[by, *_]):
            return not (isinstance(by, ast.Constant) and by.value in ("symbol", "ticker"))
    return False


def _of_call(name: str, args: list[ast.expr], keywords: list[ast.keyword]) -> LookAhead | None:
    values = {k.arg: k.value for k in keywords}
    if name in _SHIFTS:
        by = [*args[:1], *(v for k, v in values.items() if k in ("periods", "n", "freq"))]
        if any(isinstance(v, ast.UnaryOp) and isinstance(v.op, ast.USub) for v in by):
            return _found(f"{name} by a negative number of bars", SHIFT_BACK)
    if name == "rolling" and isinstance(values.get("center"), ast.Constant) and values["center"].value is True:  # type: ignore[attr-defined]
        return _found("center=True", "leave it out")
    if name == "fillna" and any(isinstance(v, ast.Constant) and v.value in ("bfill", "backfill") for v in (*args, *values.values())):
        return _found("filling backwards", "use ffill()")
    if name in CALLS:
        return _found(name, CALLS[name])
    if name == "merge_asof" and isinstance(values.get("direction"), ast.Constant):
        return _found("merge_asof forwards", "use direction='backward'")
    return None


def _of_index(index: ast.expr) -> LookAhead | None:
    match index:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return _found("the last bar as a value", "use the column itself")
        case ast.BinOp(left=ast.Name(), op=ast.Add(), right=ast.Constant(value=int() as n)) if n > 0:
            return _found(f"the bar {n} ahead", SHIFT_BACK)
        case ast.Slice(upper=ast.BinOp(left=ast.Name(), op=ast.Add(), right=ast.Constant(value=int() as n))) if n > 1:
            return _found(f"a window that ends {n} bars ahead", SHIFT_BACK)
        case ast.Slice(lower=ast.Name() | ast.BinOp(op=ast.Add()), upper=ast.BinOp(op=ast.Add())):
            return _found("a window of later bars", SHIFT_BACK)
    return None


def _found(what: str, how: str) -> LookAhead:
    return LookAhead(f"{what} would use bars that have not closed", suggestion=how)
