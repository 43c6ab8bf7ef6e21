"""The documentation is true: its commands run, its links lead somewhere, and nothing that a user meets is left out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
ALL = "\n".join(TEXTS.values())
QUICK = {  # what a page shows -> the same in seconds
    "sluice demo": "sluice demo --speed 6000 --minutes 0.25",
}
WITH_CONSOLE = [page for page in PAGES if "```console" in TEXTS[page]]


def commands(page: Path) -> list[str]:
    """The lines that begin with `$ ` in the page's console blocks."""
    blocks = re.findall(r"^```console\n(.*?)^```", TEXTS[page], re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def quick(command: str) -> str:
    return next((short for shown, short in QUICK.items() if command.startswith(shown)), command)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A `sluice` on the path that is this tree under this Python."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "sluice"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bot "$@"\n')
    script.chmod(0o755)
    keep = {name: os.environ[name] for name in ("HOME", "LANG", "NUMBA_CACHE_DIR", "TMPDIR") if name in os.environ}
    return {**keep, "PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1,localhost"}


@pytest.mark.parametrize("page", WITH_CONSOLE, ids=lambda page: page.name)
def test_every_command_of_a_page_runs_in_the_order_of_the_page(page: Path, environment: dict[str, str], tmp_path: Path) -> None:
    for command in commands(page):
        if command.startswith("make "):
            continue  # see below: a target that runs the tests cannot be run by one
        done = subprocess.run(
            ["bash", "-c", quick(command)], capture_output=True, text=True, check=False, timeout=120, env=environment, cwd=tmp_path,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{page.name}: {command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout, f"{command} colours a pipe"


def test_every_make_target_that_a_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", ALL))
    assert {"demo", "test"} <= named <= targets


def test_every_link_leads_to_a_file() -> None:
    broken = []
    for page, text in TEXTS.items():
        for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", text):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_path_that_a_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:feeds|strategies|bot|docs|bench|tests)/[\w./-]+)`", ALL))
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_page_is_in_the_index() -> None:
    index = TEXTS[ROOT / "docs" / "index.md"]
    assert [page.name for page in PAGES if page.name not in ("README.md", "index.md") and f"({page.name})" not in index] == []


def test_the_generated_pages_are_as_the_source_has_them() -> None:
    from docs.make import pages

    assert [path.name for path, text in pages().items() if path.read_text(encoding="utf-8") != text] == [], "run: make docs"


def test_every_setting_is_documented() -> None:
    from bot.config.read import leaves
    from bot.config.tables import Config

    page = TEXTS[ROOT / "docs" / "config.md"]
    missing = [path for path, field, _ in leaves(Config()) if f"| `{path[-1]}` |" not in page and f"## [{'.'.join(path)}]" not in page
               and f"## [{'.'.join(path)}.SYMBOL]" not in page]  # fmt: skip
    assert missing == []


def test_every_setting_that_a_page_names_exists() -> None:
    from bot.config.read import leaves
    from bot.config.tables import Config, InstrumentOverride

    tables = {name for name, *_ in (path for path, _, _ in leaves(Config()))}
    known = {".".join(path) for path, _, _ in leaves(Config(instruments={"SYMBOL": InstrumentOverride()}))}
    known |= {name.rpartition(".")[0] for name in known}
    named = set(re.findall(r"`\[([a-z_.]+)\] ([a-z_]+)`", ALL))
    assert sorted(f"{table}.{key}" for table, key in named if table.split(".")[0] in tables and f"{table}.{key}" not in known) == []


def test_every_event_is_documented() -> None:
    import bot.events
    import feeds.events
    import strategies.events

    page = TEXTS[ROOT / "docs" / "events.md"]
    for module in (feeds.events, strategies.events, bot.events):
        for name, item in vars(module).items():
            if isinstance(item, type) and issubclass(item, feeds.events.Event):
                assert f"### {name}\n" in page, name


def test_every_operator_is_documented() -> None:
    from strategies.factors.operators import OPERATORS

    table = OPERATORS.values() if isinstance(OPERATORS, dict) else OPERATORS
    assert [operator.name for operator in table if not re.search(rf"`{operator.name}[`(]", ALL)] == []


def test_every_command_is_documented() -> None:
    from bot.cli import COMMANDS

    page = TEXTS[ROOT / "docs" / "commands.md"]
    assert [row.name for row in COMMANDS if f"### sluice {row.name}\n" not in page] == []


def test_the_readme_carries_no_number_that_was_not_measured() -> None:
    readme = TEXTS[ROOT / "README.md"]
    assert readme.count("<!-- evidence -->") == readme.count("<!-- /evidence -->") == 1
    text = re.sub(r"<!-- evidence -->.*?<!-- /evidence -->|^```.*?^```|\[[^\]]*\]\([^)]*\)", "", readme, flags=re.DOTALL | re.MULTILINE)
    claims = re.findall(r"\b\d[\d,.]*\s*(?:%|x\b|ms\b|times faster|bars a second|seconds\b|per second|k/s)", text)
    assert claims == []
