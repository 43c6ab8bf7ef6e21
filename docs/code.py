"""docs/pandas.md: functions of a DataFrame as factors. The examples are read when the page is made."""

from collections.abc import Iterator

from docs.operators import cell
from strategies.errors import FactorError
from strategies.factors.pandas_code import CODE, ahead, context, gates, methods, modules, parse_code, statements

FIELDS = ("open", "high", "low", "close", "volume", "turnover", "funding_rate")
HOUR = 3_600_000

INTRODUCTION = """# Functions of a DataFrame

A factor may be written as models write them: a Python function of a DataFrame. The text is parsed and its tree is walked with a graph for
each column; nothing of it is ever run, and there is nothing that it could reach. What comes out is a factor like any other, with a
canonical text, a key and a warm-up, whose values are those that pandas would have given at each bar.

```python
import numpy as np
import pandas as pd


def alpha_volume_momentum(df: pd.DataFrame, window: int = 20) -> pd.Series:
    \"\"\"Momentum that volume confirms.\"\"\"
    df = df.copy()
    df["ret"] = df["close"].pct_change(window)
    strength = df["volume"] / df["volume"].rolling(window).mean()
    signal = df["ret"] * np.log1p(strength)
    return signal.replace([np.inf, -np.inf], np.nan)
```

`sluice factor parse alpha.py` reads a file, a line `{"id": ..., "code": ...}` of a batch does, and so does an entry of
`[strategy.factors]`. Made by `make docs`."""

WHICH = """## Which function, what it is given, what it gives

- One function is the factor. Of several, helpers are taken for what they are and read where they are called; a class is read by its method.
- A parameter that stands for the data is the frame of bars, one named after a column (`close`, `prices`, `volume`) that column; all others
  need a default, and have it.
- The columns are `open high low close volume`, those that the data have besides, and those that the function makes.
- It gives back a Series, a column or a frame of one column; from a frame of several the one that is named like a factor."""

MEANING = """## What it means

As in pandas: a rolling window of n needs n known values unless `min_periods` says less; `std` and `var` have ddof 1; `ewm` is adjusted
unless `adjust=False`; a comparison with NaN is False; `pct_change` fills nothing; x / 0 is infinite, and an infinity that comes out at the
end is not known. Windows, spans and shifts are numbers, or are worked out from numbers and defaults before anything is read. A loop over a
range or a list of columns is unrolled, an `if` on constants is decided."""


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION, "", WHICH, "", MEANING, "", "## Read as", "", "| expression | canonical text |", "|---|---|", *_accepted()]
    lines += ["", "## What is known", "", *_known(), "", "## Refused", "", *_refused(), "", "## Limits", "", *_limits()]
    return "\n".join(lines) + "\n"


ACCEPTED = (
    "df['close'].pct_change(5)",
    "df.close.rolling(20).mean() / df.close - 1",
    "df['volume'].rolling(20, min_periods=5).std()",
    "df['close'].ewm(span=12, adjust=False).mean()",
    "np.where(df['close'] > df['open'], 1, -1)",
    "(df.high - df.low).rolling(10).apply(lambda x: x.max() - x.min(), raw=True)",
    "df['close'].diff().clip(lower=0).fillna(0)",
    "np.sign(df['close'].diff()) * np.log(df['volume'])",
    "df['close'].rolling(30).corr(df['volume'])",
    "df['close'].expanding().max()",
)
REFUSED = (
    "df['close'].shift(-1)",
    "(df['close'] - df['close'].mean()) / df['close'].std()",
    "df['close'].rolling(5, center=True).mean()",
    "df['close'].rank(pct=True)",
    "df['close'].bfill()",
    "df['future_return']",
    "df['clsoe']",
    "df['close'].rolling(0).mean()",
    "open('/etc/passwd').read()",
    "eval('df.close + df.open')",
    "__import__('os').system('ls')",
)
WINDOWS = (
    "mean",
    "sum",
    "std",
    "var",
    "min",
    "max",
    "median",
    "quantile",
    "skew",
    "kurt",
    "sem",
    "corr",
    "cov",
    "rank",
    "count",
    "apply",
    "agg",
)


def read(expression: str) -> str:
    """Canonical text of a function that returns the expression. Raises FactorError."""
    text = f"import numpy as np\nimport pandas as pd\n\ndef alpha(df):\n    return {expression}\n"
    return parse_code(text, timeframe=HOUR, fields=FIELDS).text


def _accepted() -> Iterator[str]:
    return (f"| `{cell(text)}` | `{cell(read(text))}` |" for text in ACCEPTED)


def _refused() -> Iterator[str]:
    yield "What would see bars that have not closed is refused as `look_ahead`, with the causal way to say it; the rest as what it is."
    yield from ("", "| expression | code | what is said |", "|---|---|---|")
    for text in REFUSED:
        try:
            read(text)
        except FactorError as refusal:
            hint = f"; {refusal.suggestion}" if refusal.suggestion else ""
            yield f"| `{cell(text)}` | `{refusal.code}` | {cell(refusal.message + hint)} |"
        else:
            raise AssertionError(f"{text} should be refused")
    yield from ("", f"The same holds for calls of {_names(ahead.CALLS)}.")


def _known() -> Iterator[str]:
    yield from ("| of | names |", "|---|---|", f"| a column | {_names(methods.SERIES)} |")
    yield f"| `rolling` `ewm` `expanding` | {_names(WINDOWS)}, where pandas has them |"
    for module, table in modules.TABLES.items():
        if table:
            yield f"| `{module}` | {_names(table)} |"


def _names(names: "object") -> str:
    assert hasattr(names, "__iter__")
    return " ".join(f"`{name}`" for name in sorted(names))


def _limits() -> list[str]:
    return [
        f"{gates.MAX_BYTES:,} bytes of ASCII text; {CODE.nodes} nodes, {CODE.depth} levels; {CODE.look_back:,} bars of look-back in all;",
        f"{context.MOST_STEPS:,} steps of reading, {statements.DEEPEST_CALL} calls deep. No files, no `eval`, no underscored attributes:",
        "whatever is not in the tables above is refused by name, with its line and column.",
    ]
