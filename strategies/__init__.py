"""The events of the floor, re-exported; nothing heavy."""

from strategies.events import BarClosed, Contribution, Decision, Promoted, Reason, Side

__all__ = ["BarClosed", "Contribution", "Decision", "Promoted", "Reason", "Side"]
