"""Headline -> sentiment in [-1, 1], by a lexicon that anyone can read and check.

Whole words and phrases only: an airdrop is no drop, and literally holds no rally. Pure: the same title always has
the same score.
"""

import math
import re
from itertools import pairwise
from typing import NamedTuple

from feeds.news.lexicon import DENIALS, INTENSITY, NEGATORS, WEIGHTS

REACH = 3  # words over which a negation, and 2 over which an intensity, still works
FLIP = -0.6  # what is denied counts the other way, but less
SCALE = 1.0  # a total of weights at which tanh is 0.76

_TOKEN = re.compile(r"\$(?=\d)|[a-z0-9&]+(?:['’.,-][a-z0-9]+)*", re.IGNORECASE)


class Match(NamedTuple):
    """A phrase of the lexicon found in a title, with its weight after negation and intensity."""

    phrase: str
    weight: float


def _lexicon() -> dict[tuple[str, ...], float]:
    table: dict[tuple[str, ...], float] = {}
    for weight, phrases in WEIGHTS.items():
        for phrase in phrases.split():
            table[tuple(phrase.split("_"))] = weight
    return table


LEXICON = _lexicon()
_LONGEST = max(len(phrase) for phrase in LEXICON)
_NEGATORS, _DENIALS = frozenset(NEGATORS.split()), frozenset(DENIALS.split())
_INTENSITY = {word: factor for factor, words in INTENSITY.items() for word in words.split()}


def score(title: str) -> float | None:
    """The sentiment of a headline in [-1, 1]; None when no word of the lexicon is in it.

    tanh of the summed weights of the phrases found, so that agreement adds up and contradiction cancels.
    """
    found = [match for match in matches(title) if match.weight]
    if not found:
        return None
    return math.tanh(sum(match.weight for match in found) / SCALE)


def matches(title: str) -> list[Match]:
    """What the score is made of: each phrase found, longest first at each word, with its weight in this place."""
    words = [_plain(word) for word in _TOKEN.findall(title.lower())]
    found: list[Match] = []
    at = 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            phrase = tuple(words[at : at + length])
            weight = LEXICON.get(phrase)
            if weight is not None:
                found.append(Match(" ".join(phrase), weight * _context(words, at, at + length)))
                at += length
                break
        else:
            at += 1
    return found


def _plain(word: str) -> str:
    word = word.replace("’", "'")
    return word.removesuffix("'s")


def _context(words: list[str], at: int, end: int) -> float:
    """Factor on the phrase words[at:end], from what stands around it."""
    before = words[max(at - REACH, 0) : at]
    pairs = {f"{first}_{second}" for first, second in pairwise(before)}
    denied = _NEGATORS.intersection(before) or _NEGATORS.intersection(pairs) or _DENIALS.intersection(words[end : end + 1])
    factor = FLIP if denied else 1.0
    for word in words[max(at - 2, 0) : at]:
        factor *= _INTENSITY.get(word, 1.0)
    return factor
