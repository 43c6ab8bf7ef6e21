"""The list of looks at test slices: none is lost, and none that was shown is forgotten."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.research.looks import record


def test_each_factor_on_the_same_data_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "new" / "looks.jsonl"
    assert [record(file, 0, "d", names) for names in (("a",), ("a", "b"), ("b",), ("c",))] == [1, 2, 2, 3]
    assert record(file, 0, "other", ("z",)) == 1


def test_looks_at_one_moment_are_all_counted(tmp_path: Path) -> None:
    file = tmp_path / "looks.jsonl"
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda n: record(file, n, "d", (f"f{n}",)), range(40)))
    assert sorted(counts) == list(range(1, 41))


def test_a_look_whose_writing_was_killed_was_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "looks.jsonl"
    record(file, 0, "d", ("a",))
    record(file, 0, "d", ("b",))
    whole = file.read_bytes()
    for size in range(len(whole) // 2 + 1, len(whole)):
        file.write_bytes(whole[:size])
        assert record(file, 1, "d", ("c",)) == 2
        assert len(file.read_bytes().splitlines()) == 2
        assert record(file, 1, "d", ("c", "d")) == 3


@pytest.mark.parametrize(("content", "said"), [(b"notes", "is no list of looks"), (b'{"at": 1}\n', "looks.jsonl:1: .* Remove that line")])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "looks.jsonl"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        record(file, 0, "d", ("a",))
    assert file.read_bytes() == content
