"""Machine code of the kernels: compiled by numba once, kept on disk, and loaded without numba afterwards.

One file a kernel, in the folder of the byte code beside its source or, where that cannot be written, in the user's cache (only in
NUMBA_CACHE_DIR where that is set), named after everything that the code depends on: the texts of its source files, the processor, the
versions of Python, numba and LLVM. A file is written whole or not at all and carries a digest of what it holds; whatever is not exactly
right is compiled again.
"""

import gc
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

SHARED = ("jit.py", "lanes.py", "places.py")  # what every kernel is made with
DIGEST = 32

compiling: list[Callable[[str], None]] = []  # each is told the name of a kernel that is about to be compiled

_addresses: dict[str, int] = {}
_engines: list[Any] = []  # they own the code; llvmlite has no types


class Code(NamedTuple):
    """symbol of the function in the object file `body`."""

    symbol: str
    body: bytes


def address(name: str) -> int:
    """Where the compiled function `file.function` is; loads it, or compiles it, on first use."""
    return addresses([name])[0]


def addresses(names: Sequence[str]) -> list[int]:
    """The same for many; what is loaded together lies together."""
    wanted = [name for name in dict.fromkeys(names) if name not in _addresses]
    if wanted:
        _link({name: _kept(name) or _compiled(name) for name in wanted})
    return [_addresses[name] for name in names]


def keep(name: str) -> None:
    """Compile it where it is not kept yet."""
    if _kept(name) is None:
        _compiled(name)


def _compiled(name: str) -> Code:
    """Compile and keep. Where nothing can be written, each process compiles for itself."""
    for tell in compiling:
        tell(name)
    from strategies.factors.kernels.jit import machine_code  # imports numba

    collects = gc.isenabled()
    gc.disable()  # a compiler makes many objects and few rings
    try:
        code = Code(*machine_code(name))
    finally:
        if collects:
            gc.enable()
    body = code.symbol.encode() + b"\n" + code.body
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / f".{_file(name)}.{os.getpid()}"
            part.write_bytes(_digest(name, body) + body)
            for old in folder.glob(f"{name}.{_machine()}.*.o"):
                old.unlink(missing_ok=True)
            part.replace(folder / _file(name))
            break
        except OSError:
            continue
    return code


def _kept(name: str) -> Code | None:
    for folder in _folders():
        try:
            whole = (folder / _file(name)).read_bytes()
        except OSError:
            continue
        if _digest(name, whole[DIGEST:]) == whole[:DIGEST]:
            symbol, _, body = whole[DIGEST:].partition(b"\n")
            return Code(symbol.decode(), body)
    return None


def _digest(name: str, body: bytes) -> bytes:
    """Of what a file holds and what it is called: another kernel's code is as wrong as broken code."""
    return hashlib.sha256(_file(name).encode() + b"\n" + body).digest()


def _link(codes: dict[str, Code]) -> None:
    from llvmlite import binding  # type: ignore[import-untyped]

    if not _engines:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), binding.Target.from_default_triple().create_target_machine())
    for code in codes.values():
        engine.add_object_file(binding.ObjectFileRef.from_data(code.body))
    engine.finalize_object()
    _engines.append(engine)
    _addresses.update({name: engine.get_function_address(code.symbol) for name, code in codes.items()})


def _file(name: str) -> str:
    family = name.partition(".")[0]
    return f"{name}.{_machine()}.{_stamp(family)}.o"


@cache
def _stamp(family: str) -> str:
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / file).read_bytes() for file in (*SHARED, f"{family}.py"))).hexdigest()[:16]


@cache
def _machine() -> str:
    """Code for another processor, numba or LLVM is other code."""
    from llvmlite import binding

    parts = [platform.machine(), binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten(), platform.python_version()]
    parts += [importlib.metadata.version(package) for package in ("numba", "llvmlite")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


@cache
def _folders() -> tuple[Path, ...]:
    """Where code is looked for, and kept in the first that can be written: beside the source, else in the user's cache."""
    chosen = os.getenv("NUMBA_CACHE_DIR")
    if chosen:
        return (Path(chosen),)
    users = Path(os.getenv("XDG_CACHE_HOME") or Path(os.path.expanduser("~/.cache")))
    return Path(importlib.util.cache_from_source(__file__)).parent, users / "sluice"
