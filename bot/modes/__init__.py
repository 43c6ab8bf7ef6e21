"""What is plugged into what: one short function for each mode. Replay, paper and live are one program.

The only place that builds feeds and executors. What a mode needs is imported when the mode is asked for: a replay loads no network
library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.modes.again import verify
    from bot.modes.daemon import demo, paper
    from bot.modes.history import replay

__all__ = ["demo", "paper", "replay", "verify"]

_PLACES = {"demo": "daemon", "paper": "daemon", "replay": "history", "verify": "again"}


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{place}"), name)
