"""Functions at the edges of what is read: where pandas does what one would not expect, and where the future hides."""

import textwrap

import pytest

from tests.corpus.judge import Line, compared, read, refusal


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
