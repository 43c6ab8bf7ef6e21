"""The events of the floor, re-exported; nothing heavy."""

from strategies.events import Contribution, Decision, Promoted, Reason, Side

__all__ = ["Contribution", "Decision", "Promoted", "Reason", "Side"]
