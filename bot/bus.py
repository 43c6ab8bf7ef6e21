"""The bus: settle(event) runs it, and all that follows from it, in order.

Handlers of one event run in the order they were given. What they return joins the end of the line, so a fill settles before
the decision that was made after it. The tap sees each event first and gives it its number.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from feeds.events import Event

Handler = Callable[..., Iterable[Event] | None]
Tap = Callable[[Event, int], int]
Watcher = Callable[[Event, int], None]


class Bus:
    """Who hears what. One event settles at a time; nothing here waits. `counts`: events that were settled, by kind."""

    def __init__(self, tap: Tap) -> None:
        """tap  writes an event down with the number of its cause (0: came from outside) and returns its own number"""
        self.tap = tap
        self.counts: defaultdict[type[Event], int] = defaultdict(int)
        self._handlers: dict[type[Event], list[Handler]] = {}
        self._watchers: list[Watcher] = []

    def on(self, kind: type[Event], handler: Handler) -> None:
        """From now on `handler` hears every event of this kind, after those registered before it."""
        self._handlers.setdefault(kind, []).append(handler)

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of every settled event and its number; it cannot answer."""
        self._watchers.append(watcher)

    def settle(self, event: Event) -> int:
        """Run the event and everything that follows from it; returns the event's number."""
        line = [(event, 0)]  # grows while it is gone through
        tap, handlers, watchers, counts = self.tap, self._handlers, self._watchers, self.counts
        first = 0
        for current, cause in line:
            kind = type(current)
            number = tap(current, cause)
            first = first or number
            counts[kind] += 1
            for handler in handlers.get(kind, ()):
                following = handler(current)
                if following:
                    for consequence in following:
                        line.append((consequence, number))
            for watcher in watchers:
                watcher(current, number)
        return first
