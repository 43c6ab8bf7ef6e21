"""Headlines from files, and whom they are about."""

from pathlib import Path

import pandas as pd
import pytest

from feeds.errors import BadData
from feeds.events import News
from feeds.news_files import DELAY, NewsFile
from feeds.times import DAY, HOUR, MINUTE
from tests.feeds.files_on_disk import START, save

UNIVERSE = ("BTCUSDT", "ETHUSDT")


def stories(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ts_ms": [START, START + HOUR],
            "available_ms": [START + 15 * MINUTE, START + HOUR + 15 * MINUTE],
            "id": ["a", "b"],
            "domain": "example.org",
            "title": ["Bitcoin climbs", "Markets pause"],
            "finbert_score": [0.5, None],
        }
    ).assign(**columns)


def read(frame: pd.DataFrame, tmp_path: Path) -> NewsFile:
    return NewsFile([save(frame, tmp_path / "n.parquet")], UNIVERSE)


def test_a_story_is_released_when_it_could_be_known(tmp_path: Path) -> None:
    first, second = read(stories(), tmp_path).events()
    assert first == News(
        at=START + 15 * MINUTE,
        id="a",
        title="Bitcoin climbs",
        source="example.org",
        symbols=("BTCUSDT",),
        sentiment=0.5,
        published_ms=START,
    )
    assert (second.symbols, second.sentiment) == ((), None)


def test_a_story_with_only_a_date_waits_for_the_end_of_its_day(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"ts_ms": [START + HOUR, START], "text": ["ether up", "ether down"], "sentiment_score": [0.1, -0.1], "date_only": [False, True]}
    )
    assert [(e.at, e.title, e.symbols) for e in read(frame, tmp_path).events()] == [
        (START + HOUR + DELAY, "ether up", ("ETHUSDT",)),
        (START + DAY, "ether down", ("ETHUSDT",)),
    ]


def test_press_items_take_the_title_not_the_text(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"ts_ms": [START], "source": ["P"], "title": ["Ripple wins"], "text": ["about bitcoin"], "textblob_polarity": [0.2]}
    )
    (event,) = NewsFile([save(frame, tmp_path / "n.csv")], ("BTCUSDT", "XRPUSDT")).events()
    assert (event.title, event.source, event.symbols, event.sentiment) == ("Ripple wins", "P", ("XRPUSDT",), 0.2)


def test_stories_without_a_title_are_dropped_and_counted(tmp_path: Path) -> None:
    feed = read(stories(title=["  ", "x"]), tmp_path)
    assert (len(feed), feed.dropped, feed.warnings) == (1, 1, ["1 stories have no title; left out"])


def test_a_story_told_again_under_its_id_counts_once_and_first(tmp_path: Path) -> None:
    frame = pd.concat([stories(), stories().assign(available_ms=START + DAY, title="again")])
    feed = read(frame, tmp_path)
    assert [event.title for event in feed.events()] == ["Bitcoin climbs", "Markets pause"]
    assert feed.repeats == 2


def test_ids_are_made_where_there_are_none_and_are_the_same_every_time(tmp_path: Path) -> None:
    frame = stories().drop(columns="id")
    ids = [event.id for event in read(frame, tmp_path).events()]
    assert len(set(ids)) == 2
    assert ids == [event.id for event in read(frame, tmp_path).events()]


def test_kind_and_symbols_of_the_file_are_believed(tmp_path: Path) -> None:
    frame = stories(kind=["social", "news"], symbols=["ETH", "btcusdt,DOGEUSDT"])
    assert [(e.kind, e.symbols) for e in read(frame, tmp_path).events()] == [("social", ("ETHUSDT",)), ("news", ("BTCUSDT",))]


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (stories().drop(columns="title"), "no column holds titles .*expected title"),
        (stories().drop(columns=["ts_ms", "available_ms"]), "no column holds times"),
        (stories(finbert_score=[0.0, 7.0]), "row 2, column finbert_score: the sentiment 7.0 is outside -1 .. 1"),
        (stories(available_ms=START), "row 2, column available_ms: the story is available before it was published"),
        (stories(ts_ms=START // 1000), "the times are in seconds"),
        (stories(kind="gossip"), "row 1, column kind: 'gossip' is not one of news, social"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path: Path, frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(BadData, match=says):
        read(frame, tmp_path)
