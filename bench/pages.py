"""Puts a measured table between the marks of a page: `<!-- NAME -->` and `<!-- /NAME -->`."""

import re
from pathlib import Path


def into(page: Path, name: str, text: str) -> None:
    """Replace what stands between the marks. Raises SystemExit where the page has none."""
    old = page.read_text(encoding="utf-8")
    new, count = re.subn(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m: f"{m[1]}{text}\n{m[2]}", old, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{page} has no place for {name}")
    page.write_text(new, encoding="utf-8")
