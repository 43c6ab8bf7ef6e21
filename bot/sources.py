"""Two sources of a strategy, told apart in one line each."""

import hashlib

LONGEST = 60  # characters of a line that are shown


def differing(one: str, other: str) -> tuple[str, str]:
    """What each is: its hash, and the first line that the other does not have at this place ("" where there is none)."""
    mine, theirs = one.split("\n"), other.split("\n")
    at = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs)))
    return _told(one, mine, at), _told(other, theirs, at)


def _told(source: str, lines: list[str], at: int) -> str:
    line = lines[at].strip() if at < len(lines) else "(the end)"
    shown = line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
    return f"{hashlib.sha256(source.encode()).hexdigest()[:12]}, line {at + 1}: {shown}"
