"""Which stories are new: a headline that fifty sites syndicate is one story.

Known by any of its keys (guid, address), or by its words: two headlines of the same numbers and the same mood that
share most of their words are the same story. What is remembered is bounded by number and by age.
"""

import re
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from feeds.times import DAY

ALIKE = 0.7  # share of words in common (Jaccard) from which on two headlines are one story
FEWEST = 4  # headlines of fewer words are alike only when they are equal

_WORD = re.compile(r"[^\W_]+(?:[.,'’][^\W_]+)*")
_OUTLET = re.compile(r"\s+[-–—|:]\s+[^-–—|:]{2,40}$")  # " - CoinDesk" at the end
_STOP_WORDS = "a an and as at by for from in into is it its of on or s that the this to was will with after over amid"
_STOP = frozenset(_STOP_WORDS.split())
_TRACKING = re.compile(r"^(utm_\w+|fbclid|gclid|mc_cid|mc_eid|ref|ref_src|source|cmpid|ocid)$", re.IGNORECASE)


class _Story(NamedTuple):
    words: frozenset[str]
    numbers: frozenset[str]
    mood: int
    at: int


class Stories:
    """Remembers up to `most` stories for `age` milliseconds, and their keys."""

    def __init__(self, most: int = 5_000, age: int = 2 * DAY) -> None:
        self._most, self._age = most, age
        self._stories: OrderedDict[int, _Story] = OrderedDict()
        self._by_word: defaultdict[str, set[int]] = defaultdict(set)
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return len(self._stories)

    def is_new(self, keys: Iterable[str], title: str, sentiment: float | None, at: int) -> bool:
        """Whether this is the first telling of a story; from now on it is known."""
        known = [key for key in keys if key]
        told = any(key in self._keys for key in known)
        for key in known:
            self._keys[key] = None
            self._keys.move_to_end(key)
        while len(self._keys) > 4 * self._most:
            self._keys.popitem(last=False)
        self._forget(at)
        words = _words(title)
        mood = 0 if not sentiment else (1 if sentiment > 0 else -1)
        story = _Story(words, frozenset(word for word in words if any(letter.isdigit() for letter in word)), mood, at)
        if told or self._has_like(story):
            return False
        self._remember(story)
        return True

    def _has_like(self, story: _Story) -> bool:
        shared: Counter[int] = Counter()
        for word in story.words:
            shared.update(self._by_word.get(word, ()))
        size = len(story.words)
        for number, common in shared.items():
            other = self._stories[number]
            same_size = len(other.words) == size == common
            long_enough = min(size, len(other.words)) >= FEWEST
            if same_size or (long_enough and common >= ALIKE * (size + len(other.words) - common)):
                opposed = story.mood * other.mood < 0
                if story.numbers == other.numbers and not opposed:
                    return True
        return False

    def _remember(self, story: _Story) -> None:
        self._stories[self._count] = story
        for word in story.words:
            self._by_word[word].add(self._count)
        self._count += 1

    def _forget(self, at: int) -> None:
        while self._stories:
            number, oldest = next(iter(self._stories.items()))
            if len(self._stories) < self._most and oldest.at + self._age > at:
                return
            del self._stories[number]
            for word in oldest.words:
                self._by_word[word].discard(number)
                if not self._by_word[word]:
                    del self._by_word[word]


def plain_link(link: str) -> str:
    """An address without what only tells where the reader came from: utm parameters, click ids, the fragment."""
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        return ""
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.match(name)]
    path = parts.path.rstrip("/") or "/"
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), path, urlencode(kept), ""))[:500]


def _words(title: str) -> frozenset[str]:
    bare = _OUTLET.sub("", title) if len(_WORD.findall(title)) > FEWEST + 2 else title
    return frozenset(word.strip(".,'’") for word in _WORD.findall(bare.casefold())) - _STOP
