"""The corpus of pandas functions: read, run by the machine, and compared with executing them with pandas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.corpus.judge import CUTS, can_run, lines, looks_ahead, refusal, verdicts
from tests.corpus.places import AHEAD, CAUSAL
from tests.corpus.report import table
from tests.corpus.two_pass import two_pass

SHARE = 0.95


def test_the_corpus_is_as_wide_as_it_should_be() -> None:
    causal, ahead = lines(CAUSAL), lines(AHEAD)
    assert len(causal) >= 500 and len(ahead) >= 250
    assert len({line.id for line in [*causal, *ahead]}) == len(causal) + len(ahead)
    assert len({line.code for line in [*causal, *ahead]}) == len(causal) + len(ahead)


def test_what_is_called_causal_does_not_change_with_the_future() -> None:
    wrong = {line.id: looks_ahead(line, CUTS[:1], ("gaps",)) for line in lines(CAUSAL) if can_run(line)}
    assert {i: where for i, where in wrong.items() if where} == {}


def test_what_is_said_to_look_ahead_does_change_with_the_future() -> None:
    assert [line.id for line in lines(AHEAD) if can_run(line) and not looks_ahead(line)] == []


def test_functions_of_the_corpus_are_read_and_give_what_pandas_gives(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = list(verdicts(lines(CAUSAL), shared_data))
    print(table(found))
    good = sum(v.good for v in found)
    assert good >= SHARE * len(found), table(found)
    assert not [v for v in found if v.outcome == "crash"]


def test_every_function_that_looks_ahead_is_refused_for_that() -> None:
    refusals = {line.id: refusal(line) for line in lines(AHEAD)}
    assert {i: e and (e.code, e.message) for i, e in refusals.items() if e is None or e.code != "look_ahead"} == {}


def test_a_refusal_names_the_place_and_what_to_write_instead() -> None:
    for line in lines(AHEAD):
        error = refusal(line)
        assert error is not None
        assert error.line >= 1 and error.column >= 1 and error.suggestion, line.id


@pytest.mark.parametrize("least", [None, 1, 5])
def test_windows_added_up_anew_are_what_pandas_gives_where_nothing_is_lost(least: int | None) -> None:
    x = pd.Series(np.sin(np.arange(200.0)) + np.arange(200) % 7).where(lambda s: s.index % 11 != 3)
    y = x.shift(2) * 0.5 + np.cos(np.arange(200.0))

    def moments() -> list[pd.Series]:
        roll = x.rolling(20, min_periods=least)
        names = ("sum", "mean", "var", "std", "skew", "kurt")
        return [getattr(roll, name)() for name in names] + [roll.std(ddof=0), roll.cov(y), roll.corr(y)]

    plain = moments()
    with two_pass():
        anew = moments()
    for one, other in zip(plain, anew, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
