"""Evaluation of many factors: what is cut for memory's sake changes nothing, and what breaks leaves nothing behind."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot import evaluate as evaluating
from bot.evaluate import Job, Span, evaluate, file_name, slices
from feeds.panel_files import Panel, read_panel
from strategies.factors import Machine, parse
from tests.feeds.files_on_disk import MINUTE, START, candles, save

TEXTS = ("ts_mean(close, 5)", "ts_mean(close, 5) - open", "rank(volume)", "ema(close, 9)", "cumsum(volume)")


def panel(folder: Path) -> Panel:
    for number, name in enumerate("ABC"):
        save(candles(300, price=50.0 * (number + 1), start=START + number * MINUTE), folder / f"{name}.parquet")
    return read_panel([folder])


def jobs(over: Panel, folder: Path) -> list[Job]:
    folder.mkdir()
    return [Job(text, parse(text, timeframe=over.timeframe, fields=over.fields), folder / file_name(text)) for text in TEXTS]


def test_slices_of_programs_give_the_bytes_of_one_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = panel(tmp_path / "data")
    together, apart = jobs(over, tmp_path / "together"), jobs(over, tmp_path / "apart")
    told: list[tuple[int, int]] = []
    results = list(evaluate(over, together, Span(), lambda done, total: told.append((done, total))))
    assert [result.job.name for result in results] == list(TEXTS)
    assert told[-1] == (302, 302)
    monkeypatch.setattr(evaluating, "MEMORY", 8 * evaluating.GROUP_VALUES + 20_000)
    assert len(list(slices(apart, 3))) == len(TEXTS)
    told.clear()
    assert [(r.rows, r.known) for r in evaluate(over, apart, Span(), lambda done, total: told.append((done, total)))] == [
        (r.rows, r.known) for r in results
    ]
    assert told[-1] == (5 * 302, 5 * 302)
    assert [a.file.read_bytes() == b.file.read_bytes() for a, b in zip(together, apart, strict=True)] == [True] * len(TEXTS)


def test_row_groups_do_not_depend_on_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "GROUP_VALUES", 256 * 3)  # two groups of 302 rows
    over = panel(tmp_path / "data")
    found = set()
    for block in (1, 7, 256, 1_000):
        job = Job("f", parse(TEXTS[1], timeframe=over.timeframe, fields=over.fields), tmp_path / f"{block}.parquet")
        (result,) = evaluate(over, [job], Span(block=block), lambda done, total: None)
        assert (result.rows, result.known) == (302, 900 - 3 * 4)
        found.add(job.file.read_bytes())
    assert len(found) == 1


def test_a_span_without_bars_gives_a_file_without_rows(tmp_path: Path) -> None:
    over = panel(tmp_path / "data")
    (result,) = evaluate(over, jobs(over, tmp_path / "out")[:1], Span(START + 1, START + 2), lambda done, total: None)
    assert (result.rows, result.known) == (0, 0)
    assert list(pd.read_parquet(result.job.file).columns) == ["ts_ms", "A", "B", "C"]


def test_what_is_interrupted_leaves_neither_a_file_nor_a_part_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = panel(tmp_path / "data")
    run, calls = Machine.run, iter(range(3))

    def interrupted(self: Machine, block: np.ndarray, first: int, pool: object) -> np.ndarray:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return run(self, block, first)

    monkeypatch.setattr(Machine, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(evaluate(over, jobs(over, tmp_path / "out"), Span(block=64), lambda done, total: None))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("identity", "file"),
    [
        ("mom_5d", "mom_5d.parquet"), ("a/b", "a%2Fb.parquet"), ("..", "%2E..parquet"), (".hidden", "%2Ehidden.parquet"), ("", "%.parquet"),
        ("α", "%CE%B1.parquet"), ("nul\0", "nul%00.parquet"), ("50%", "50%25.parquet"), ("C:\\x", "C%3A%5Cx.parquet"),
    ],
)  # fmt: skip
def test_an_id_becomes_a_file_name_that_is_safe(identity: str, file: str) -> None:
    assert file_name(identity) == file


def test_long_ids_keep_names_of_their_own() -> None:
    names = {file_name("x" * length) for length in (180, 181, 300, 301)}
    assert len(names) == 4
    assert max(map(len, names)) < 200
