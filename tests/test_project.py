"""What a fresh clone gets: pinned packages, commands that exist, a gate that lets nothing pass unrun."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.source import FLOORS, ROOT, files, imports, place

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAMES = {"sqlite_utils": "sqlite-utils", "dateutil": "python-dateutil"}  # import name -> package, where they differ
# in pieces, so that this file does not name them
REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry.np" + "mjs.org",
    "deb." + "debian.org",
    "proxy.go" + "lang.org",
    "crates" + ".io",
]


def requirement_name(text: str) -> str:
    found = re.match(r"[A-Za-z0-9_.-]+", text)
    assert found is not None, text
    return found[0].lower().replace("_", "-")


def pinned(name: str) -> dict[str, set[str]]:
    """Package -> versions in a requirements file (several where Python versions differ)."""
    out: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        found = re.match(r"([A-Za-z0-9_.-]+)==(\S+)", line)
        if found:
            out.setdefault(requirement_name(found[1]), set()).add(found[2])
    return out


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True, cwd=ROOT
    )
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_package_is_pinned_by_hash_and_no_address_is_named(name: str) -> None:
    text = (ROOT / name).read_text()
    blocks = re.split(r"\n(?=\S)", text.strip())
    for block in blocks:
        assert re.match(r"[A-Za-z0-9_.-]+==\S+", block), block[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block[:80]
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_the_lists_agree_and_hold_what_the_project_asks_for() -> None:
    run, dev = pinned("requirements.txt"), pinned("requirements-dev.txt")
    assert {name: dev.get(name) for name in run} == run
    asked = [requirement_name(text) for text in PROJECT["dependencies"]]
    assert [name for name in asked if name not in run] == []
    extras = [requirement_name(text) for texts in PROJECT["optional-dependencies"].values() for text in texts]
    assert [name for name in extras if name not in dev] == []
    assert "setuptools" in run, "the editable install needs no network"


def test_what_is_imported_is_asked_for_and_what_is_asked_for_is_imported() -> None:
    asked = {requirement_name(text) for text in PROJECT["dependencies"]}
    optional = {requirement_name(text) for name, texts in PROJECT["optional-dependencies"].items() if name != "dev" for text in texts}
    used: dict[str, str] = {}
    for path in files(*FLOORS):
        for name, line in imports(path):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top not in FLOORS:
                used.setdefault(NAMES.get(top, top).lower(), place(path, line))
    assert {name: where for name, where in used.items() if name not in asked | optional} == {}
    assert sorted(asked - used.keys()) == []


def test_no_file_names_a_package_registry() -> None:
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "ignore").lower()
        found += [f"{path.relative_to(ROOT)}: {host}" for host in REGISTRIES if host in text]
    assert found == []


def test_no_file_is_large_or_made_by_a_machine() -> None:
    # two requirements files are the largest texts; data has no place in the tree
    assert [str(path.relative_to(ROOT)) for path in tracked() if path.stat().st_size > 400_000] == []
    assert [str(path.relative_to(ROOT)) for path in tracked() if path.suffix in (".pyc", ".db", ".parquet", ".so")] == []


def test_no_file_knows_where_it_was_written() -> None:
    places = re.compile(r"/(work/(main|shared|\.library)|tmp/(contract|h\d))\b")
    found = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "ignore")
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in places.finditer(text)]
    assert found == []


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_makefile_has_the_commands_that_are_promised() -> None:
    assert {"demo", "test", "test-system", "lint", "bench", "evidence", "clean", "help"} <= targets()
    alone = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    shown = subprocess.run(["make", "help"], capture_output=True, text=True, check=True, cwd=ROOT, env=alone).stdout
    assert {line.split()[0] for line in shown.splitlines()} == targets()


def test_every_module_that_make_runs_is_there() -> None:
    for name in re.findall(r"-m ((?:bot|bench|docs)[\w.]*)", (ROOT / "Makefile").read_text()):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name


def test_make_installs_from_the_pinned_lists_alone() -> None:
    text = (ROOT / "Makefile").read_text()
    installs = [line for line in text.splitlines() if "$(INSTALL)" in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-deps --no-build-isolation" in line for line in installs)


def gate(tmp_path: Path, prints: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run .ci/run with a `make` that prints this as its tests."""
    stub = tmp_path / "make"
    stub.write_text(f'#!/bin/sh\n[ "$1" = test ] || exit 0\ncat <<"END"\n{prints}\nEND\nexit {code}\n')
    stub.chmod(0o755)
    path = f"{tmp_path}:/usr/local/bin:/usr/bin:/bin"
    return subprocess.run(
        ["bash", str(ROOT / ".ci" / "run")], capture_output=True, text=True, check=False, env={"PATH": path}, cwd=tmp_path
    )


def test_the_gate_opens_when_every_test_passed_and_shows_the_closing_line(tmp_path: Path) -> None:
    done = gate(tmp_path, "===== 12 passed in 3.21s =====")
    assert done.returncode == 0, done.stderr
    assert "12 passed in 3.21s" in done.stdout


@pytest.mark.parametrize(
    ("prints", "code"),
    [
        ("===== 12 passed, 1 skipped in 3.21s =====", 0),
        ("===== 12 passed, 1 xfailed in 3.21s =====", 0),
        ("===== 3 passed, 9 deselected in 3.21s =====", 0),
        ("===== 1 failed, 12 passed in 3.21s =====", 1),
        ("no tests ran in 0.01s", 5),
        ("", 0),
    ],
)
def test_the_gate_stays_shut_on_anything_else(prints: str, code: int, tmp_path: Path) -> None:
    assert gate(tmp_path, prints, code).returncode != 0


def test_the_changelog_knows_the_version() -> None:
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_license_is_the_one_that_the_project_names() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_every_python_that_is_promised_is_named() -> None:
    assert PROJECT["requires-python"] == ">=3.11"
    assert [f"Programming Language :: Python :: 3.{minor}" in PROJECT["classifiers"] for minor in (11, 12, 13)] == [True] * 3
