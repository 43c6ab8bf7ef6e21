"""Spans of time against sets of instants, which say the same in a slower way."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from feeds.spans import Span, cut, merge, without

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: Span(*pair)), max_size=8)


def instants(found: list[Span]) -> set[int]:
    return {at for span in found for at in range(span.start, span.stop)}


@given(spans)
def test_merged_spans_are_the_same_time_sorted_and_apart(given_: list[Span]) -> None:
    found = merge(given_)
    assert instants(found) == instants(given_)
    assert all(before.stop < after.start for before, after in pairwise(found))


@given(spans, st.integers(0, 60), st.integers(0, 60))
def test_a_cut_keeps_what_lies_inside(given_: list[Span], start: int, stop: int) -> None:
    assert instants(cut(given_, start, stop)) == {at for at in instants(given_) if start <= at < stop}
    assert instants(cut(given_, None, stop)) == {at for at in instants(given_) if at < stop}
    assert instants(cut(given_, start, None)) == {at for at in instants(given_) if at >= start}


@given(spans, st.integers(0, 60), st.integers(0, 60))
def test_what_is_left_of_a_whole_is_what_no_span_holds(given_: list[Span], start: int, stop: int) -> None:
    left = without(Span(start, stop), given_)
    assert instants(left) == set(range(start, stop)) - instants(given_)
    assert left == merge(left)
