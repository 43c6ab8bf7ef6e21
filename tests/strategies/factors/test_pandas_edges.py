"""Functions at the edges of what is read: where pandas does what one would not expect, and where the future hides."""

import textwrap

import pytest

from tests.corpus.judge import Line, compared, looks_ahead, read, refusal


def line(body: str) -> Line:
    return Line("edge", "def factor(df):\n" + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n")


@pytest.mark.parametrize(
    "body",
    [
        "d = df['close'].dropna()\nreturn d.fillna(0)",
        "d = df[df['volume'] > 0]\nreturn d['close'].fillna(0)",
        "d = df[df['close'] > 100]\nreturn (d['close'] > d['open']).astype(float)",
        "d = df['close'].dropna()\nreturn (d > 100).astype(float).reindex(df.index, fill_value=-1)",
        "d = df['close'].dropna()\nreturn (d > 100).astype(float).reindex(df.index).fillna(0)",
        "d = df['close'].dropna()\nreturn d.isna().astype(float)",
        "d = df['close'][df['close'] > 100]\nreturn d.where(d > 101, 5)",
        "d = df['close'][df['close'] > 100]\nreturn d.clip(lower=101).add(df['open'], fill_value=0)",
        "d = df['close'][df['close'] > 100]\nreturn df['open'].add(d, fill_value=0)",
        "df['x'] = df['close'][df['close'] > 100]\nreturn df['x'].fillna(0)",
        "df['x'] = df['close'][df['close'] > 100]\nreturn df['x'].ffill().diff()",
        "d = df.dropna()\nd = d[d['close'] > 100]\nreturn (d['close'] > 105) * 1.0",
    ],
)
def test_rows_that_were_removed_stay_away_until_the_index_brings_them_back(body: str) -> None:
    one = line(body)
    verdict = compared(one, read(one), None)
    assert verdict.good, verdict


def test_what_looks_back_over_removed_rows_is_refused() -> None:
    for body in (
        "d = df[df['close'] > 100]\nreturn d['close'].diff()",
        "d = df[df.close > 100]\nd['x'] = d.close > 105\nreturn d.x.shift()",
    ):
        error = refusal(line(body))
        assert error is not None and "rows were dropped" in error.message


LOOP = "x = df['close'].fillna(1)\n"


@pytest.mark.parametrize(
    "body",
    [
        "last = None\nfor v in x:\n    last = v\nreturn x / last",
        "for i, v in enumerate(x):\n    w = v\nelse:\n    x = x * w\nreturn x",
        "out = np.zeros(len(x))\nfor i in range(1, len(x)):\n    out[i] = out[i - 1] + x.iloc[i]\n    out[0] = x.iloc[i]\n"
        "return pd.Series(out, index=df.index)",
        "for i in range(5, len(df)):\n    df['z'] = df['close'].iloc[i]\nreturn df['z']",
        "out = pd.Series(0.0, index=df.index)\nfor i in range(5, len(df)):\n    out.iloc[:] = df['close'].iloc[i]\nreturn out",
        "out = pd.Series(0.0, index=df.index)\nfor t in df.index:\n    out.loc[:t] = df.loc[t, 'close']\nreturn out",
    ],
)
def test_what_a_loop_leaves_behind_is_of_the_last_bar(body: str) -> None:
    one = line(LOOP + body)
    assert looks_ahead(one)
    error = refusal(one)
    assert error is not None and error.code == "look_ahead", error


@pytest.mark.parametrize(
    "body",
    [
        "p = 0.0\ndef g(v):\n    nonlocal p\n    r = v - p\n    p = v\n    return r\nreturn x.apply(g)",
        "def g(v, s=[0.0]):\n    r = v - s[0]\n    s[0] = v\n    return r\nreturn x.apply(g)",
        "s = []\ndef g(v):\n    s.append(v)\n    return np.mean(s)\nreturn x.apply(g)",
        "s = {'a': 0.0}\nout = []\nfor v in x:\n    out.append(v - s['a'])\n    s['a'] = v\nreturn pd.Series(out, index=df.index)",
        "class S:\n    def __init__(self):\n        self.p = 0.0\n    def step(self, v):\n        r = v - self.p\n"
        "        self.p = v\n        return r\nreturn x.apply(S().step)",
        "q = []\nout = []\nfor v in x:\n    q = (q + [v])[-5:]\n    out.append(sum(q) / len(q))\nreturn pd.Series(out, index=df.index)",
        "a = b = 0.0\nout = []\nfor v in x:\n    out.append(v - a)\n    a = b\n    b = v\nreturn pd.Series(out, index=df.index)",
        "s = []\nreturn x.rolling(3).apply(lambda w: s.append(w[0]) or len(s), raw=True)",
        "n = len(x)\nreturn pd.Series([x.iloc[i] if i else -1 for i in range(n)], index=df.index)",
    ],
)
def test_what_is_kept_from_bar_to_bar_beside_a_number_is_refused_and_never_read_as_if_it_were_not(body: str) -> None:
    error = refusal(line(LOOP + body))
    assert error is not None and error.code == "syntax" and error.suggestion, error


@pytest.mark.parametrize(
    "body",
    [
        "p = np.nan\nout = []\nfor v in df['close']:\n    out.append(0.0 if np.isnan(p) else v - p)\n    p = v\n"
        "return pd.Series(out, index=df.index)",
        "p = 1.0\nout = []\nfor v, w in zip(df['close'], df['volume']):\n    if w > 20000:\n"
        "        p = df['open'].mean() if False else v\n    out.append(p)\nreturn pd.Series(out, index=df.index)",
        "p = 1.0\nout = []\nfor v, w in zip(df['funding_rate'].shift(3), x):\n    if w > 101:\n        p = v\n"
        "    out.append(p)\nreturn pd.Series(out, index=df.index)",
        "y = x\ny += 1\nreturn x",
        "return np.maximum.accumulate(df['close'].shift(2).rolling(3).mean())",
        "return np.minimum.accumulate(x.rolling(3).mean().fillna(50))",
        "y = np.abs(x)\ny[y > 100] = 0\nreturn x",
        "y = x[:]\ny[y > 100] = 0\nreturn x",
        "y = +x\ny[y > 100] = 0\nreturn x",
        "out = pd.Series(0.0, index=df.index)\nfor t in df.index[10:]:\n    out.loc[t] = df.loc[:t, 'close'].mean()\nreturn out",
        "c = df['close'].to_numpy()\nreturn pd.Series([c[max(0, i - 5):i + 1].mean() for i in range(len(c))], index=df.index)",
        "c = df['close'].values\nout = np.zeros(len(c))\nfor i in range(20, len(c)):\n    out[i] = np.nanmean(c[i - 20:i])\n"
        "return pd.Series(out, index=df.index)",
        "c = df['close'].values\nout = np.zeros(len(c))\nfor i in range(1, len(c)):\n    out[i] = c[:i].mean()\n"
        "return pd.Series(out, index=df.index)",
        "c = df['close']\nout = pd.Series(0.0, index=df.index)\nfor i in range(10, len(c)):\n"
        "    out.iloc[i] = (c.iloc[i - 9:i + 1].diff() > 0).sum()\nreturn out",
    ],
)
def test_loops_copies_and_parts_give_what_pandas_gives(body: str) -> None:
    one = line(LOOP + body)
    verdict = compared(one, read(one), None)
    assert verdict.good, verdict


@pytest.mark.parametrize(
    "body",
    [
        "y = x.values\ndf = df.sort_values('volume')\nreturn pd.Series(y, index=df.index)",
        "return x.sort_index(ascending=False).rolling(5).mean().sort_index()",
    ],
)
def test_another_order_of_the_rows_is_refused(body: str) -> None:
    one = line(LOOP + body)
    error = refusal(one)
    assert error is not None and error.code == "look_ahead", error
