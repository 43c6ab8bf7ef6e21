"""Functions of a DataFrame as graphs: beside real pandas where it is subtle, and refusals with their place."""

import math
import time

import numpy as np
import pandas as pd
import pytest

from strategies.errors import FactorError
from strategies.factors import Machine, compile_factors, parse
from strategies.factors.pandas_code import parse_code
from tests.corpus.execute import values

HOUR = 3_600_000
FIELDS = ("open", "high", "low", "close", "volume")


def bars(count: int = 160, seed: int = 7) -> pd.DataFrame:
    """Candles that begin and are broken by unknown bars, some without volume."""
    draw = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(draw.normal(0, 0.01, count)))
    open_ = close * np.exp(draw.normal(0, 0.004, count))
    high, low = np.maximum(open_, close) * 1.002, np.minimum(open_, close) * 0.998
    volume = np.where(draw.random(count) < 0.04, 0.0, draw.exponential(50.0, count))
    table = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close, "volume": volume})
    table.index = pd.date_range("2024-01-01", periods=count, freq="h")
    table.iloc[70:73] = np.nan
    return table


def given(code: str, table: pd.DataFrame) -> np.ndarray:
    program = compile_factors({"x": parse_code(code, timeframe=HOUR, fields=FIELDS)}, timeframe=HOUR, fields=FIELDS)
    return Machine(program, 1).run(table[list(FIELDS)].to_numpy()[:, :, None], first=0)[:, 0, 0]


def same(code: str) -> None:
    table = bars()
    np.testing.assert_allclose(given(code, table), values(code, table), rtol=1e-9, atol=1e-12)


def refusal(code: str) -> FactorError:
    with pytest.raises(FactorError) as caught:
        parse_code(code, timeframe=HOUR, fields=FIELDS)
    return caught.value


def body(expression: str) -> str:
    return f"def factor(df):\n    return {expression}\n"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("(df['close'] - df['close'].shift(5)) / df['close'].shift(5)", "(close - delay(close, 5)) / delay(close, 5)"),
        ("df.close.pct_change(5)", "close / delay(close, 5) - 1"),
        (
            "(df['close'] - df['close'].rolling(20).mean()) / df['close'].rolling(20).std()",
            "(close - ts_mean(close, 20)) / ts_std(close, 20)",
        ),
        ("df['volume'] / df['volume'].rolling(20).mean()", "volume / ts_mean(volume, 20)"),
        ("np.log(df['close']).diff()", "log(close) - delay(log(close), 1)"),
        ("df['close'].pct_change().rolling(10).std() * np.sqrt(252)", "ts_std(close / delay(close, 1) - 1, 10) * sqrt(252)"),
        ("df['close'].rolling(30).corr(df['volume'])", "ts_corr(close, volume, 30)"),
        ("df['close'].rolling(10).apply(lambda x: np.polyfit(np.arange(10), x, 1)[0])", "ts_slope(close, 10)"),
        ("df['close'].rolling(8).apply(lambda x: np.dot(x, np.arange(1, 9)) / 36, raw=True)", "decay_linear(close, 8) * 36 / 36"),
    ],
)
def test_code_and_text_of_one_factor_share_their_key(code: str, text: str) -> None:
    assert parse_code(body(code), timeframe=HOUR, fields=FIELDS).key == parse(text, timeframe=HOUR, fields=FIELDS, units=False).key


@pytest.mark.parametrize(
    "expression",
    [
        "df['close'].diff().fillna(0).rolling(3).sum()",
        "pd.Series(1.0, index=df.index).rolling(3).sum() * df['close'] / df['close']",
        "df['close'].shift(3, fill_value=0).rolling(2).mean()",
        "(df['close'] > df['open']).shift(2, fill_value=False).rolling(3).sum()",
        "(df['close'].diff() > 0).rolling(5).mean()",
        "df['close'].diff().where(df['close'].diff() > 0, 0).rolling(5).sum()",
        "df['close'].diff().fillna(0).shift(2)",
        "(df['close'] * 0 + 1).fillna(1).cumsum()",
        "df['close'].fillna(0).ewm(span=5).mean()",
        "pd.Series(np.where(df['close'] > df['open'], 1, -1), index=df.index).expanding().mean()",
        "pd.Series(np.arange(len(df)), index=df.index) * df['close']",
    ],
)
def test_nothing_stands_before_the_first_bar(expression: str) -> None:
    same(body(expression))


@pytest.mark.parametrize(
    "expression",
    [
        "df['close'] / df['volume']",
        "(df['close'] / df['volume']).rolling(5, min_periods=2).mean()",
        "np.log(df['volume'])",
        "np.log1p(-df['volume'] / df['volume']).replace([np.inf, -np.inf], 0)",
        "(df['close'] / df['volume'] > 10).astype(int)",
        "np.where(df['volume'].diff() != 0, 1, 0)",
        "~(df['close'] > df['close'].shift(1))",
        "(df['close'] > df['open']) + (df['close'] > df['low'])",
        "df['close'].rolling(4).count()",
        "df['close'].rolling(6, min_periods=1).std(ddof=0)",
        "df['close'].rolling('6h').mean()",
        "df[['open', 'close']].mean(axis=1).sub(df[['high', 'low']].max(axis=1))",
        "pd.concat([df['high'] - df['low'], (df['high'] - df['close'].shift()).abs()], axis=1).max(axis=1)",
        "df['close'].clip(lower=df['open'].shift(1))",
        "df['close'].diff().map(lambda x: 1 if x > 0 else -1 if x < 0 else 0)",
        "df['close'] // 7 + df['close'] % 7",
        "np.nan_to_num(df['close'].pct_change(4), nan=-1.0)",
        "df['close'].diff().groupby((df['close'] > df['open']).ne((df['close'] > df['open']).shift()).cumsum()).cumsum()",
        "df['close'].rolling(9).apply(lambda x: (x[-1] - x.mean()) / x.std(), raw=True)",
        "df['close'].rolling(9).apply(lambda x: (x > x.mean()).sum() / len(x), raw=True)",
        "df['close'].rolling(9).apply(lambda x: np.max(np.maximum.accumulate(x) - x), raw=True)",
        "df['close'].pct_change().rolling(9).apply(lambda x: x[x < 0].sum(), raw=True)",
    ],
)
def test_pandas_own_rules_for_nan_infinity_and_booleans_hold(expression: str) -> None:
    same(body(expression))


LOOPS = {
    "window": """
        n = 12
        out = pd.Series(np.nan, index=df.index)
        for i in range(n, len(df)):
            past = df['close'].iloc[i - n:i]
            out.iloc[i] = df['close'].iloc[i] / past.mean() - 1
        return out""",
    "early": """
        c, out = df['close'].values, []
        for i in range(len(c)):
            if i < 4:
                out.append(np.nan)
                continue
            out.append(1.0 if c[i] > c[i - 4] else -1.0)
        return pd.Series(out, index=df.index)""",
    "exponential": """
        c = df['close'].ffill().values
        out = np.zeros(len(c))
        out[0] = c[0]
        for i in range(1, len(c)):
            out[i] = 0.2 * c[i] + 0.8 * out[i - 1]
        return out""",
    "held": """
        c, o, state, out = df['close'].values, df['open'].values, 0, []
        for i in range(len(c)):
            if c[i] > o[i] * 1.004:
                state = 1
            elif c[i] < o[i] * 0.996:
                state = -1
            out.append(state)
        return out""",
    "streak": """
        count, out = 0, []
        for rising in df['close'].diff() > 0:
            count = count + 1 if rising else 0
            out.append(count)
        return pd.Series(out, index=df.index)""",
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_over_the_bars_is_read_as_columns(name: str) -> None:
    same("def factor(df):" + LOOPS[name].replace("\n        ", "\n    ") + "\n")


@pytest.mark.parametrize(
    ("code", "line", "column"),
    [
        (body("df['close'].shift(-1) / df['close']"), 2, 12),
        (body("df['close'] - df['close'].mean()"), 2, 12),
        (body("df['close'].rolling(5, center=True).mean()"), 2, 12),
        (body("df['close'].bfill()"), 2, 12),
        (body("df['close'] / df['close'].iloc[-1]"), 2, 26),
        (body("df['close'].rank(pct=True)"), 2, 12),
        (body("df['close'][::-1].rolling(5).mean()"), 2, 12),
        (body("np.append(df['close'].values[1:], np.nan)"), 2, 12),
        (body("df['future_return']"), 2, 12),
        (
            "def factor(df):\n    out = []\n    for i in range(len(df)):\n        out.append(df['close'].iloc[i + 1])\n    return out\n",
            4,
            20,
        ),
        ("def factor(df):\n    c = df['close'].values\n    return [c[i] for i in range(len(c) - 1)]\n", 3, 27),
        ("def factor(df):\n    if df['close'].iloc[-1] > 1:\n        return df['close']\n    return -df['close']\n", 2, 8),
    ],
)
def test_looking_ahead_is_refused_with_its_place(code: str, line: int, column: int) -> None:
    error = refusal(code)
    assert (error.code, error.line, error.column) == ("look_ahead", line, column)
    assert error.suggestion


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("x" * 9_000, "size"),
        ("def f(df):\n    return df['cl\u043ese']", "text"),
        ("def f(df):\n    return " + "(" * 80 + "1" + ")" * 80, "size"),
        ("def f(df):\n    return " + "-" * 3_000 + "df['close']", "size"),
        ("def f(df):\n    return df.__class__", "syntax"),
        ("def f(df):\n    return eval('df')", "unknown_name"),
        ("def f(df):\n    return open('/etc/passwd').read()", "unknown_name"),
        ("def f(df):\n    return df['close'] * 9 ** 9 ** 9", "constant"),
        ("def f(df):\n    return df['close'] + len('a' * 10 ** 9)", "size"),
        ("def f(df):\n    return df['nothing']", "unknown_name"),
        ("def f(df):\n    return 5", "constant"),
        ("def f(df):\n    x = df['close']", "syntax"),
        ("def f(df):\n    return df.query('close > open')['close']", "syntax"),
        ("async def f(df):\n    return df", "syntax"),
        ("def f(df:\n    return df", "syntax"),
    ],
)
def test_what_is_no_factor_is_refused_by_its_kind(code: str, kind: str) -> None:
    assert refusal(code).code == kind


@pytest.mark.parametrize(
    "code",
    [
        "def f(df):\n    x = df['close']\n    for i in range(1000):\n        for j in range(1000):\n            x = x + 1\n    return x",
        "def f(df):\n    x = df['close']\n    while True:\n        x = x + 1\n    return x",
        "def f(df):\n    return f(df)",
        "def f(df):\n    g = lambda n: g(n) + g(n)\n    return g(df['close'])",
        "def f(df):\n    x = df['close']\n    for i in range(40):\n        x = x + x\n    return x",
        "def f(df):\n    x = df['close']\n" + "    for i in range(1900):\n        x = x + df['open']\n" * 2 + "    return x",
    ],
)
def test_text_without_end_is_refused_in_time(code: str) -> None:
    begun = time.perf_counter()
    assert refusal(code).code in ("size", "syntax")
    assert time.perf_counter() - begun < 1.0


@pytest.mark.parametrize(
    ("guard", "text"),
    [
        ("if len(df) < 20: return None", "close"),
        ("if df['close'].isna().all(): return None", "close"),
        ("if df['close'].count() < 20: return None", "close"),
        ("if df['close'].isna().any(): raise ValueError('gaps')", "close"),
        ("if df['close'].isna().any(): df['close'] = df['close'].ffill()", "ffill(close)"),
        ("if 'vwap' in df.columns: return df['vwap']", "close"),
    ],
)
def test_a_guard_is_taken_as_for_a_long_table(guard: str, text: str) -> None:
    assert parse_code(f"def f(df):\n    {guard}\n    return df['close']", timeframe=HOUR, fields=FIELDS).text == text


def test_labels_are_compared_and_never_returned() -> None:
    labels = "pd.Series(np.where(df['close'] > df['open'], 'up', 'down'), index=df.index)"
    same(body(f"({labels} == 'up').astype(int).rolling(3).sum()"))
    same(body(f"{labels}.map({{'up': 1, 'down': -1}})"))
    assert refusal(body(labels)).code == "syntax"


def test_units_are_not_asked_of_code_and_infinity_never_leaves_it() -> None:
    table = bars()
    result = given(body("df['close'] + df['close'] / df['volume']"), table)
    assert not np.isinf(result).any()
    assert math.isnan(result[int(np.flatnonzero(table["volume"].to_numpy() == 0)[0])])


def test_a_class_a_script_and_several_functions_give_one_factor() -> None:
    key = parse("ts_mean(close, 5) / close", timeframe=HOUR, fields=FIELDS).key
    texts = (
        "class Factor:\n    def __init__(self, n=5):\n        self.n = n\n    def compute(self, df):\n"
        "        return df['close'].rolling(self.n).mean() / df['close']\n",
        "N = 5\nma = df['close'].rolling(N).mean()\nfactor = ma / df['close']\n",
        "def ma(x, n):\n    return x.rolling(n).mean()\n\ndef compute_factor(df, n=5):\n    return ma(df['close'], n) / df['close']\n",
        "def factor(close, n=5):\n    return close.rolling(n).mean() / close\n",
        "factor = lambda df: df['close'].rolling(5).mean() / df['close']\n",
    )
    assert {parse_code(text, timeframe=HOUR, fields=FIELDS).key for text in texts} == {key}
