"""The bus: settle(event) runs it, and all that follows from it, in order.

Handlers of one event run in the order they were given. What they return joins the end of the line, so a fill settles before
the decision that was made after it. The tap sees each event first and gives it its number.
"""

from collections import deque
from collections.abc import Callable, Iterable

from feeds.events import Event

Handler = Callable[..., Iterable[Event] | None]
Tap = Callable[[Event, int], int]
Watcher = Callable[[Event, int], None]


class Bus:
    """Who hears what. One event settles at a time; nothing here waits."""

    def __init__(self, tap: Tap) -> None:
        """tap  writes an event down with the number of its cause (0: came from outside) and returns its own number"""
        self.tap = tap
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
        line: deque[tuple[Event, int]] = deque(((event, 0),))
        first = 0
        while line:
            current, cause = line.popleft()
            number = self.tap(current, cause)
            first = first or number
            for handler in self._handlers.get(type(current), ()):
                for consequence in handler(current) or ():
                    line.append((consequence, number))
            for watcher in self._watchers:
                watcher(current, number)
        return first
