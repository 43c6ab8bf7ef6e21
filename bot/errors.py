"""What can go wrong with us, and the exit code it ends in.

SluiceError             one clear message: cause, object, next step
    UsageError          2   the command line is wrong
    NotFound            3   not running, or no such run, decision, order
    ConfigError         4   config or permission
    TimedOut            5   timeout or unreachable
    AlreadyRunning      6
    RefusedByRisk       7   halted or refused by risk
    CheckFailed         8   a check failed
    InvariantBroken     8   the books contradict themselves
        IllegalMove     8   an order cannot go that way
"""


class SluiceError(Exception):
    """The message names the cause, the object and the next step. `answered`: the document of `--json` is on stdout already."""

    exit_code = 1
    answered = False


class UsageError(SluiceError):
    exit_code = 2


class NotFound(SluiceError):
    exit_code = 3


class ConfigError(SluiceError):
    exit_code = 4


class TimedOut(SluiceError):
    exit_code = 5


class AlreadyRunning(SluiceError):
    exit_code = 6


class RefusedByRisk(SluiceError):
    exit_code = 7


class CheckFailed(SluiceError):
    exit_code = 8

    def __init__(self, message: str, *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class InvariantBroken(SluiceError):
    """Our books contradict themselves; the message names both figures. The session ends: starting again is recovering."""

    exit_code = 8


class IllegalMove(InvariantBroken):
    """An order was told to do what its life does not allow; nothing was changed."""
