"""What is plugged into what: one short function for each mode. Replay, paper and live are one program.

The only place that builds feeds and executors.
"""

from bot.modes.replay import replay
from bot.modes.verify import verify

__all__ = ["replay", "verify"]
