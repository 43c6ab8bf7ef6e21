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
Line = list[tuple[Event, int]]  # events, each with the number of its cause


class Bus:
    """Who hears what. One event settles at a time; nothing here waits. `counts`: events that were settled, by kind."""

    def __init__(self, tap: Tap) -> None:
        """tap  writes an event down with the number of its cause (0: came from outside) and returns its own number"""
        self.tap = tap
        self.counts: defaultdict[type[Event], int] = defaultdict(int)
        self._handlers: defaultdict[type[Event], list[Handler]] = defaultdict(list)
        self._watchers: list[Watcher] = []

    def on(self, kind: type[Event], handler: Handler) -> None:
        """From now on `handler` hears every event of this kind, after those registered before it."""
        self._handlers[kind].append(handler)

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of every settled event and its number; it cannot answer."""
        self._watchers.append(watcher)

    def settle(self, event: Event) -> int:
        """Run an event from outside and everything that follows from it; returns the event's number."""
        return self.run([(event, 0)])

    def run(self, line: Line, later: Line | None = None) -> int:
        """Run events, each with the number of its cause, and what follows from them; returns the number of the first.

        later  what follows joins this line and is not run now (None: it joins the end of `line` and is)
        """
        tap, handlers, watchers, counts = self.tap, self._handlers, self._watchers, self.counts
        following = line if later is None else later
        first = 0
        for event, cause in line:  # may grow while it is gone through
            kind = type(event)
            number = tap(event, cause)
            first = first or number
            counts[kind] += 1
            for handler in handlers[kind]:
                consequences = handler(event)
                if consequences:
                    for consequence in consequences:
                        following.append((consequence, number))
            for watcher in watchers:
                watcher(event, number)
        return first
