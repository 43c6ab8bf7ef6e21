"""Spans of time as sorted lists: joined, cut, and what one leaves of another. A span is [start, stop) in UTC milliseconds."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """From `start` to before `stop`."""

    start: int
    stop: int


def merge(spans: Iterable[Span]) -> list[Span]:
    """The same time as sorted spans that neither overlap nor touch; empty ones are dropped."""
    out: list[Span] = []
    for span in sorted(spans):
        if span.stop <= span.start:
            continue
        if out and span.start <= out[-1].stop:
            out[-1] = Span(out[-1].start, max(out[-1].stop, span.stop))
        else:
            out.append(span)
    return out


def cut(spans: Sequence[Span], start: int | None, stop: int | None) -> list[Span]:
    """What of the spans lies within [start, stop); None: no bound."""
    cut_ = (
        Span(span.start if start is None else max(span.start, start), span.stop if stop is None else min(span.stop, stop)) for span in spans
    )
    return [span for span in cut_ if span.start < span.stop]


def without(whole: Span, spans: Sequence[Span]) -> list[Span]:
    """What of `whole` lies in none of the spans."""
    out = []
    at = whole.start
    for span in merge(cut(spans, whole.start, whole.stop)):
        if span.start > at:
            out.append(Span(at, span.start))
        at = span.stop
    if at < whole.stop:
        out.append(Span(at, whole.stop))
    return out
