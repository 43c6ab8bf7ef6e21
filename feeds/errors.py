"""What can go wrong outside.

FeedError               the world failed: retried at the edge, then FeedStatus(down)
    Unreachable         nobody answered: exit code 5
    BadData             what came cannot be right: refused with its place
    Banned              the other side refuses this request or this address: asking again does not help
"""


class FeedError(Exception):
    """The world failed."""


class Unreachable(FeedError):
    """Nobody answers at the address; the message names it and the next step."""


class BadData(FeedError):
    """Data from outside that cannot be right; the message names the file or feed, the row and the column."""


class Banned(FeedError):
    """The other side refuses this request or this address: asking again does not help."""
