"""The source tree as tests look at it: files, syntax trees, who imports whom."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("feeds", "strategies", "bot")


@functools.cache
def files(*folders: str) -> tuple[Path, ...]:
    """Python files below the folders, in order."""
    return tuple(sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module(path: Path) -> str:
    """feeds/bybit/client.py -> feeds.bybit.client; feeds/__init__.py -> feeds."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of ours."""
    return {module(path): path for path in files(*FLOORS)}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(what is imported, line), wherever the import stands; `from package import module` names the module."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield (full if full in modules() else str(node.module)), node.lineno
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("import_module") and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value), node.lineno


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """(dotted name, call) of every call of a name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name:
                yield name, node


def dotted(node: ast.expr) -> str:
    """os.path.join; empty for what is no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else f".{node.attr}"
    return ""


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def under(name: str, *packages: str) -> bool:
    """Whether a module is one of the packages or inside one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)
