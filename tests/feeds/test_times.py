"""UTC milliseconds."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.times import DAY, HOUR, MINUTE, iso, millis, now, span, span_text


@pytest.mark.parametrize(
    ("text", "duration"),
    [("250ms", 250), ("30s", 30_000), ("1m", MINUTE), ("4h", 4 * HOUR), ("1d", DAY), ("2w", 14 * DAY), (" 15m ", 15 * MINUTE)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, duration: int) -> None:
    assert span(text) == duration


@pytest.mark.parametrize("text", ["", "m", "0m", "-1m", "1.5h", "1 h", "1M", "1y", "90"])
def test_anything_else_is_refused_with_the_units_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration; .*ms s m h d w"):
        span(text)


@given(st.integers(1, 10**12))
def test_a_duration_reads_back(duration: int) -> None:
    assert span(span_text(duration)) == duration


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-01-01", 1_704_067_200_000),
        ("2024-01-01T00:00:00Z", 1_704_067_200_000),
        ("2024-01-01 00:00", 1_704_067_200_000),
        ("2024-01-01T02:00+02:00", 1_704_067_200_000),
        ("2024-01-01T00:00:00.250Z", 1_704_067_200_250),
        ("1704067200000", 1_704_067_200_000),
        ("1969-12-31T23:59:59Z", -1_000),
    ],
)
def test_an_instant_is_iso_or_milliseconds_and_utc_unless_it_says_otherwise(text: str, at: int) -> None:
    assert millis(text) == at


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "1704067200", "2024-01-01T25:00"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; write it like"):
        millis(text)


@given(st.integers(0, 4_102_444_800_000))
def test_an_instant_reads_back(at: int) -> None:
    assert millis(iso(at)) == at
    assert iso(at)[:19] == datetime.fromtimestamp(at // 1_000, tz=UTC).isoformat()[:19]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Europe/Berlin", "America/St_Johns"])
def test_the_zone_of_the_machine_makes_no_difference(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert (iso(1_711_846_800_000), millis("2024-03-31T02:30:00")) == ("2024-03-31T01:00:00Z", 1_711_852_200_000)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_clock_is_in_milliseconds_of_this_century() -> None:
    assert 1_577_836_800_000 < now() < 4_102_444_800_000
