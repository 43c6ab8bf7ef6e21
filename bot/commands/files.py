"""Files that a command writes: whole or not at all."""

import os
from pathlib import Path


def place(target: Path, text: str, mode: int) -> None:
    """Write the file whole or not at all; it is never readable with wider rights than `mode`, not even for a moment."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
