"""The generated pages: config, events, commands, the language, config.toml. `make docs` writes them; tests hold them to the source."""

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from types import ModuleType

import click
import msgspec

import bot.events
import feeds.events
import strategies.events
from bot.cli import COMMANDS, sluice
from bot.config import docs as settings
from docs import code, dialects, language, operators
from feeds.events import Event

ROOT = Path(__file__).resolve().parents[1]
FLOORS: tuple[tuple[ModuleType, str], ...] = (
    (feeds.events, "What the world tells"),
    (strategies.events, "What we make of it"),
    (bot.events, "What we do about it"),
)


def pages() -> dict[Path, str]:
    """Every generated file and what belongs in it."""
    return {
        ROOT / "config.toml": settings.default_text(),
        ROOT / "docs" / "config.md": settings.markdown(),
        ROOT / "docs" / "events.md": events(),
        ROOT / "docs" / "commands.md": commands(),
        ROOT / "docs" / "language.md": language.page(),
        ROOT / "docs" / "operators.md": operators.page(),
        ROOT / "docs" / "dialects.md": dialects.page(),
        ROOT / "docs" / "pandas.md": code.page(),
    }


def events() -> str:
    """docs/events.md: the vocabulary of the three floors."""
    lines = [
        "# Events",
        "",
        "Everything that happens is an event: a frozen value with `at`, the moment it became known to us, in UTC milliseconds. `at` alone",
        "orders events. One event enters; all that follows from it settles in one transaction; then the next one enters. The journal gives",
        "each a number and the number of the event that caused it. NaN means not known yet, null does not apply. Made by `make docs`.",
    ]
    for module, title in FLOORS:
        lines += ["", f"## {title}: `{module.__name__.replace('.', '/')}.py`", "", *_text(module)]
        for kind in _classes(module, Event):
            lines += ["", f"### {kind.__name__}", "", *_text(kind), "", "| field | type | default |", "|---|---|---|", *_fields(kind)]
        for kind in _classes(module, StrEnum):
            if not vars(kind)["_member_map_"]:
                continue  # what the others are made of
            lines += ["", f"### {kind.__name__}", "", *_text(kind), "", "| value | |", "|---|---|", *_values(kind)]
    return "\n".join(lines) + "\n"


def _classes(module: ModuleType, base: type) -> Iterator[type]:
    for item in vars(module).values():
        if isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__:
            yield item


def _text(documented: object) -> list[str]:
    """A docstring: its prose as prose, its aligned list as it stands."""
    lines = inspect.cleandoc(getattr(documented, "__doc__", None) or "").split("\n")
    if getattr(documented, "__doc__", "") is None or not any(lines):
        return []
    out: list[str] = []
    block: list[str] = []
    for line in [*lines, ""]:
        if re.match(r"[a-z_, ]+\S {2,}\S", line) or (block and line.startswith("  ")):
            block.append(line)
            continue
        if block:
            out += ["```text", *block, "```", ""]
            block = []
        out.append(line)
    return "\n".join(out).strip().split("\n")


def _fields(kind: type) -> Iterator[str]:
    hints = typing.get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        named = hints[field.name]
        shown = named.__name__ if isinstance(named, type) and not typing.get_args(named) else str(named)
        default = "" if field.default is msgspec.NODEFAULT else f"`{_value(field.default)}`"
        yield f"| `{field.name}` | {re.sub(r'[a-z_]+[.]', '', shown).replace('|', 'or').replace('NoneType', 'None')} | {default} |"


def _value(default: object) -> str:
    return default.value if isinstance(default, StrEnum) else "null" if default is None else repr(default)


def _values(kind: type) -> Iterator[str]:
    comments = dict(re.findall(r'^\s+\w+ = "([^"]*)"[ ]+# (.*)$', inspect.getsource(kind), re.MULTILINE))
    for item in kind:  # type: ignore[attr-defined]
        yield f"| `{item.value}` | {comments.get(item.value, '')} |"


def commands() -> str:
    """docs/commands.md: the help of every command."""
    lines = [
        "# Commands",
        "",
        "What `sluice COMMAND --help` says, made by `make docs`. Every command that answers takes `--json`: one document on stdout, text",
        "for people on stderr. Piped output has no colours. Exit codes: 0 ok, 1 unexpected, 2 usage, 3 not running or not found, 4 config",
        "or permission, 5 timeout or unreachable, 6 already running, 7 halted or refused by risk, 8 a check failed, 130 interrupted.",
    ]
    section = ""
    context = click.Context(sluice, info_name="sluice")
    for row in COMMANDS:
        if row.section != section:
            section = row.section
            lines += ["", f"## {section}"]
        command = sluice.get_command(context, row.name)
        assert command is not None
        lines += _command(command, f"sluice {row.name}")
    return "\n".join(lines) + "\n"


def _command(command: click.Command, name: str) -> list[str]:
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100, help_option_names=["-h", "--help"])
    lines = ["", f"### {name}", "", "```text", *command.get_help(context).rstrip().split("\n"), "```"]
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            lines += _command(found, f"{name} {inner}")
    return lines


def main(say: Callable[[str], None] = print) -> None:
    """Write what is not as it should be."""
    for path, text in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            say(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
