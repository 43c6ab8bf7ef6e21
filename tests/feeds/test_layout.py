"""Where things lie: what a reader takes when it is given a whole archive, and what is no part of one."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.archive import Archive, holes
from feeds.errors import BadData
from feeds.events import Source
from feeds.layout import Shelf, folders_of, kind_of, root_of, shelves
from feeds.months import of_values
from feeds.spans import Span
from feeds.times import DAY, HOUR, MINUTE, millis

START = millis("2024-01-30T00:00:00Z")


def stored(root: Path, *shelves_: Shelf, rows: int = 100) -> Archive:
    archive = Archive(root)
    for shelf in shelves_:
        width = len(kind_of(shelf.kind).values)
        at = START + np.arange(rows) * (shelf.timeframe or 8 * HOUR)
        known = at + DAY if kind_of(shelf.kind).slow else None
        archive.add([(shelf, of_values(at, np.full((rows, width), 5.0), Source.REST, known))])
    return archive


SHELVES = (
    Shelf("candles", MINUTE, "BTCUSDT"), Shelf("candles", HOUR, "BTCUSDT"), Shelf("mark", HOUR, "BTCUSDT"),
    Shelf("funding", None, "BTCUSDT"), Shelf("metrics/open_interest", HOUR, "BTCUSDT"),
)  # fmt: skip


def test_everything_that_is_stored_is_found_again(tmp_path: Path) -> None:
    archive = stored(tmp_path, *SHELVES)
    (tmp_path / "candles" / "notes").mkdir()
    (tmp_path / "elsewhere" / "1h" / "BTCUSDT").mkdir(parents=True)
    assert shelves(tmp_path) == list(SHELVES)
    assert [(held.kind, held.timeframe, held.bars, held.missing) for held in archive.holdings()] == [
        (shelf.kind, shelf.timeframe, 100, 0) for shelf in SHELVES
    ]


def test_a_reader_takes_its_own_folder_and_the_length_that_is_asked_for(tmp_path: Path) -> None:
    stored(tmp_path, *SHELVES)
    assert folders_of([tmp_path], "funding") == [tmp_path / "funding"]
    assert folders_of([tmp_path], "metrics") == [tmp_path / "metrics/open_interest/1h"]
    assert folders_of([tmp_path / "candles"], "candles", MINUTE) == [tmp_path / "candles/1m"]
    assert folders_of([tmp_path], "candles", 4 * HOUR) == [tmp_path / "candles/1h"]
    assert folders_of([tmp_path], "candles", 15 * MINUTE) == [tmp_path / "candles/1m"]
    assert folders_of([tmp_path / "mark" / "1h"], "candles") == [tmp_path / "mark" / "1h"]
    with pytest.raises(BadData, match=r"bars of several lengths are stored \(1m 1h\); give --timeframe, or name one folder"):
        folders_of([tmp_path], "candles")
    with pytest.raises(BadData, match=r"none of the stored lengths \(1m 1h\) makes 1500ms bars"):
        folders_of([tmp_path], "candles", 1_500)


def test_other_files_and_folders_are_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT.csv").write_text("x")
    assert folders_of([tmp_path, tmp_path / "BTCUSDT.csv"], "candles") == [tmp_path, tmp_path / "BTCUSDT.csv"]
    assert folders_of(f"{tmp_path},{tmp_path / 'nowhere'}", "candles") == [tmp_path, tmp_path / "nowhere"]


def test_a_market_that_was_made_up_is_taken_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "candles").mkdir()
    (tmp_path / "funding.parquet").write_bytes(b"")
    assert folders_of([tmp_path], "candles") == [tmp_path / "candles"]
    assert folders_of([tmp_path], "funding") == [tmp_path / "funding.parquet"]


def test_the_archive_of_a_part_of_it_is_found(tmp_path: Path) -> None:
    stored(tmp_path, *SHELVES)
    for part in ("", "candles", "candles/1h", "candles/1h/BTCUSDT", "candles/1h/BTCUSDT/2024-01.parquet", "metrics/open_interest/1h"):
        assert root_of(tmp_path / part) == tmp_path


@pytest.mark.parametrize("name", ["klines", "metrics/", "metrics/Open", "metrics/../x", ""])
def test_a_kind_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadData, match="is no kind of data"):
        kind_of(name)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2)), min_size=1, max_size=60), st.lists(st.integers(0, 60), max_size=4))
@settings(max_examples=25)
def test_rows_in_any_order_and_in_any_pieces_are_stored_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int]], cuts: list[int]
) -> None:
    shelf = Shelf("metrics/tvl", 12 * HOUR, "BTCUSDT")
    at = np.array([START + period * 12 * HOUR for period, _ in rows], np.int64)
    known = at + np.array([delay * DAY for _, delay in rows], np.int64)
    values = (at // HOUR % 97 + (known - at) // DAY * 1_000.0)[:, None]
    month = of_values(at, values, Source.FILE, known)
    whole, pieces = Archive(tmp_path_factory.mktemp("whole")), Archive(tmp_path_factory.mktemp("pieces"))
    whole.add([(shelf, month)])
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for first, end in pairwise(edges):
        pieces.add([(shelf, month.take(slice(first, end)))], covered=[Span(START, START + 1)])
    expected = sorted({(int(a), int(k), float(v)) for a, k, v in zip(at, known, values[:, 0], strict=True)})
    for archive in (whole, pieces):
        found = archive.rows(shelf)
        assert list(zip(found.at.tolist(), found.known.tolist(), found.values[:, 0].tolist(), strict=True)) == expected
        assert archive.instants(shelf).tolist() == sorted({row[0] for row in expected})


def test_a_hole_of_settlements_is_told_from_an_interval_that_changes() -> None:
    eight = START + np.arange(30) * 8 * HOUR
    four = eight[-1] + (1 + np.arange(30)) * 4 * HOUR
    at = np.concatenate((eight, four))
    assert holes(at, None) == (0, [])
    missing, spans = holes(np.delete(at, [5, 6, 40]), None)
    assert (missing, [span.stop for span in spans]) == (3, [int(at[7]), int(at[41])])


def test_a_month_of_a_newer_schema_and_a_damaged_one_are_named(tmp_path: Path) -> None:
    archive = stored(tmp_path, SHELVES[1])
    path = tmp_path / "candles/1h/BTCUSDT/2024-01.parquet"
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.replace_schema_metadata({b"archive": b'{"schema": 9, "sources": [], "fetched_ms": null, "covered": []}'}), path)
    with pytest.raises(BadData, match="of schema 9, written by a newer Sluice"):
        archive.about(SHELVES[1])
    path.write_bytes(b"PAR1")
    for look in (archive.about, archive.rows, archive.instants):
        with pytest.raises(BadData, match=r"2024-01\.parquet: this month of the archive cannot be read"):
            look(SHELVES[1])


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    shelf = SHELVES[1]

    def put(part: int) -> None:
        at = START + np.arange(part, 400, 4) * HOUR
        Archive(tmp_path).add([(shelf, of_values(at, np.full((at.size, 6), float(part)), Source.REST))])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(4)))
    assert Archive(tmp_path).holdings()[0][2:6] == (400, START, START + 400 * HOUR, 0)
