"""The rules of the house, checked on its source: floors, pure files, no circles, and what is never done."""

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.source import FLOORS, ROOT, calls, dotted, files, imports, module, modules, place, tree, under

VOCABULARY = ("feeds", "feeds.bars", "feeds.errors", "feeds.events", "feeds.instruments", "feeds.times")
PURE = {
    "feeds.bybit.messages", "bot.bus", "bot.orders", "bot.ledger", "bot.risk", "bot.sizing", "bot.trader", "bot.turns",
    "bot.execution.costs", "bot.execution.simulated", "feeds.events", "strategies.events", "bot.events",
}  # fmt: skip
IMPURE = (
    "asyncio", "time", "random", "secrets", "socket", "ssl", "select", "sqlite3", "sqlite_utils", "logging", "http", "urllib",
    "urllib3", "requests", "httpx", "httpx2", "aiohttp", "websockets", "ccxt", "aiomqtt", "paho", "openai", "subprocess", "threading",
    "multiprocessing", "concurrent", "uuid",
)  # fmt: skip
NETWORK = ("ccxt", "aiohttp", "httpx2", "httpx", "requests", "urllib3", "websockets", "aiomqtt", "openai", "feedparser", "uvicorn")
BESIDE = ("bench",)


def pure() -> list[Path]:
    return [path for name, path in modules().items() if name in PURE or under(name, "strategies")]


def inner(path: Path) -> Iterator[tuple[str, int]]:
    return ((name, line) for name, line in imports(path) if under(name, *FLOORS))


def clean(found: Iterable[str]) -> None:
    """Nothing was found; if something was, say all of it."""
    listed = sorted(found)
    assert not listed, "\n" + "\n".join(listed)


def test_a_lower_floor_never_imports_a_higher_one() -> None:
    clean(
        f"{place(path, line)} imports {name}"
        for path in files(*FLOORS)
        for name, line in inner(path)
        if FLOORS.index(name.split(".")[0]) > FLOORS.index(module(path).split(".")[0])
    )


def test_strategies_know_of_feeds_only_the_vocabulary() -> None:
    clean(
        f"{place(path, line)} imports {name}"
        for path in files("strategies")
        for name, line in inner(path)
        if under(name, "feeds") and name not in VOCABULARY
    )


def test_the_factor_language_could_move_out() -> None:
    clean(
        f"{place(path, line)} imports {name}"
        for path in files("strategies/factors")
        for name, line in inner(path)
        if not under(name, "strategies.factors") and name != "strategies.errors"
    )


def test_the_bus_imports_feeds_alone() -> None:
    clean(f"{place(modules()['bot.bus'], line)} imports {name}" for name, line in inner(modules()["bot.bus"]) if not under(name, "feeds"))


def test_settings_stop_above_the_parts_of_a_session() -> None:
    allowed = ("bot.cli", "bot.commands", "bot.config", "bot.modes", "bot.plan")
    clean(
        f"{place(path, line)} imports {name}"
        for path in files("bot")
        for name, line in inner(path)
        if under(name, "bot.config") and not under(module(path), *allowed)
    )


def test_no_file_imports_itself_by_a_detour() -> None:
    graph = {name: {other for other, _ in inner(path) if other != name} for name, path in modules().items()}
    for name, others in graph.items():
        unknown = {other for other in others if other not in graph}
        assert not unknown, f"{name} imports {unknown}, which is no module"
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_pure_files_reach_neither_clock_nor_dice_nor_network_nor_disk() -> None:
    clean(f"{place(path, line)} imports {name}" for path in pure() for name, line in imports(path) if under(name, *IMPURE))
    clean(
        f"{place(path, node.lineno)} calls {name}"
        for path in pure()
        for name, node in calls(path)
        if name in ("open", "input", "print") or under(name, "np.random", "numpy.random", "datetime.now", "os.environ", "os.urandom")
    )


def test_pure_files_do_not_wait() -> None:
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    clean(place(path, node.lineno) for path in pure() for node in ast.walk(tree(path)) if isinstance(node, waits))


def test_only_modes_builds_feeds_and_executors() -> None:
    built = {
        node.name
        for path in files("feeds", "bot")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and not _is_protocol(node) and _takes_time(node)
    }
    assert built, "there are feeds and executors"
    clean(
        f"{place(path, node.lineno)} builds {name}"
        for path in files("bot")
        for name, node in calls(path)
        if name.split(".")[-1] in built and not under(module(path), "bot.modes")
    )


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(dotted(base).endswith("Protocol") for base in node.bases)


def _takes_time(node: ast.ClassDef) -> bool:
    """A feed streams; an executor takes orders."""
    streams = any(isinstance(item, ast.AsyncFunctionDef) and item.name == "stream" for item in node.body)
    return streams or any(isinstance(item, ast.FunctionDef) and item.name == "on_order" for item in node.body)


def test_only_risk_makes_an_order_request() -> None:
    clean(
        place(path, node.lineno)
        for path in files(*FLOORS)
        for name, node in calls(path)
        if name.split(".")[-1] == "OrderRequest" and module(path) != "bot.risk"
    )


def test_only_times_reads_the_wall_clock() -> None:
    clocks = re.compile(
        r"(^|\.)(time\.(time|time_ns|localtime|gmtime|ctime)|datetime\.(now|utcnow|today)|date\.today|Timestamp\.(now|utcnow))$"
    )
    clean(
        f"{place(path, node.lineno)} calls {name}"
        for path in files(*FLOORS)
        for name, node in calls(path)
        if clocks.search(name) and module(path) != "feeds.times" and not (name.endswith("gmtime") and node.args)
    )


def test_only_the_store_speaks_sql() -> None:
    # from another process: the operator's commands are rows that control puts in, and doctor looks whether the file is sound
    allowed = ("bot.store", "bot.control", "bot.commands.doctor")
    clean(
        f"{place(path, line)} imports {name}"
        for path in files(*FLOORS)
        for name, line in imports(path)
        if under(name, "sqlite3", "sqlite_utils", "aiosqlite") and not under(module(path), *allowed)
    )


def test_nothing_runs_text_or_unpacks_objects_or_calls_a_shell() -> None:
    modules_banned = ("pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "code", "pty")
    clean(
        f"{place(path, line)} imports {name}"
        for path in files(*FLOORS, *BESIDE)
        for name, line in imports(path)
        if under(name, *modules_banned)
    )
    names_banned = re.compile(
        r"^(eval|exec|compile|__import__|os\.(system|popen|execv\w*|spawn\w*)|tempfile\.mktemp|\w*\.?read_pickle|np\.load|pd\.eval)$"
    )
    clean(
        f"{place(path, node.lineno)} calls {name}"
        for path in files(*FLOORS, *BESIDE)
        for name, node in calls(path)
        if names_banned.search(name) or name.endswith((".eval", ".to_pickle"))
    )
    clean(
        f"{place(path, node.lineno)} passes {keyword.arg}={ast.unparse(keyword.value)}"
        for path in files(*FLOORS, *BESIDE)
        for _, node in calls(path)
        for keyword in node.keywords
        if (keyword.arg == "shell" and ast.unparse(keyword.value) != "False")
        or (keyword.arg in ("verify", "ssl", "check_hostname") and ast.unparse(keyword.value) == "False")
    )


def test_only_the_command_line_catches_everything() -> None:
    clean(
        f"{place(path, node.lineno)} catches {ast.unparse(node.type) if node.type else 'everything'}"
        for path in files(*FLOORS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and _catches_all(node) and module(path) != "bot.cli"
    )


def _catches_all(node: ast.ExceptHandler) -> bool:
    if node.type is None:
        return True
    caught = [dotted(part) for part in (node.type.elts if isinstance(node.type, ast.Tuple) else [node.type])]
    if "BaseException" in caught:  # to clean up and let it pass
        return not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)
    return "Exception" in caught


def test_tasks_live_in_groups() -> None:
    clean(
        f"{place(path, node.lineno)} calls {name}"
        for path in files(*FLOORS)
        for name, node in calls(path)
        if name in ("asyncio.create_task", "asyncio.ensure_future", "loop.create_task")
    )


def test_no_file_is_longer_than_400_lines_and_no_function_than_60() -> None:
    clean(
        f"{path.relative_to(ROOT)} has {count} lines"
        for path in files(*FLOORS)
        if (count := path.read_text(encoding="utf-8").count("\n")) > 400
    )
    clean(
        f"{place(path, node.lineno)} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in files(*FLOORS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno and node.end_lineno - node.lineno >= 60
    )


def test_names_say_what_is_there() -> None:
    vague = re.compile(r"(^|_)(utils?|helpers?|managers?|misc|common_stuff|base_class)($|_)")
    clean(str(path.relative_to(ROOT)) for path in files(*FLOORS, *BESIDE) if vague.search(path.stem))
    clean(
        f"{place(path, node.lineno)} class {node.name}"
        for path in files(*FLOORS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Helper|Utils?)$", node.name)
    )


def test_every_module_says_what_it_is_for() -> None:
    clean(
        str(path.relative_to(ROOT))
        for path in files(*FLOORS, *BESIDE)
        if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(path))
    )


def test_nothing_is_left_for_later_in_the_source() -> None:
    later = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError\b(?!\()|\bNotImplementedError\(\)")
    clean(
        place(path, number)
        for path in files(*FLOORS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if later.search(line)
    )


def test_the_core_loads_no_network_library() -> None:
    code = f"import sys, bot.session; print(sorted(m for m in {NETWORK!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
