"""What the source of a strategy may say: modules, names and attributes, as tables, each with what to do instead."""

import builtins
import inspect
from functools import lru_cache
from types import ModuleType

import numpy as np

import strategies.events
import strategies.strategy

STRATEGY = "Strategy"
HOOKS = ("begin", "decide")
DECLARATIONS = (
    "factors", "score", "confidence", "signals", "target", "rebalance", "rules", "contributions", "warm_up", "dialect",
)  # fmt: skip

# module -> the names that may be taken from it; None: all that are public
MODULES: dict[str, frozenset[str] | None] = {
    "math": None,
    "numpy": None,
    "numpy.typing": None,
    "typing": None,
    "dataclasses": frozenset({"dataclass", "field", "replace", "astuple", "asdict", "fields", "KW_ONLY"}),
    "enum": frozenset({"Enum", "IntEnum", "StrEnum", "unique"}),
    "collections.abc": None,
    "__future__": None,
    "strategies.strategy": frozenset(strategies.strategy.__all__),
    "strategies.events": frozenset({"Side"}),
}
NOT_OF_TYPING = frozenset({"get_type_hints", "ForwardRef", "evaluate_forward_ref"})  # these run text
WHOLE = frozenset({"math", "numpy", "typing", "dataclasses", "enum"})  # may be imported under one name

CLOCK = "take the bar's own time: bar.time"
DICE = "a strategy draws nothing: the same bars must give the same decisions"
DISK = "a strategy reads and writes nothing: declare a factor for what it needs"
INSTEAD = {  # module -> what to do
    "random": DICE, "secrets": DICE, "uuid": DICE, "time": CLOCK, "datetime": CLOCK, "calendar": CLOCK, "zoneinfo": CLOCK,
    "pandas": "declare factors: they are computed for whole blocks; in a hook take numpy", "polars": "declare factors, or take numpy",
    "scipy": "take numpy", "talib": "declare factors in the language: it has the same indicators", "statistics": "take numpy",
    "copy": "copy with list(x), dict(x) or x.copy()", "logging": "what a strategy did is in the journal",
    "asyncio": "a strategy does not wait",
    "threading": "a strategy does not wait", "requests": DISK, "httpx": DISK, "urllib": DISK, "socket": DISK, "os": DISK, "sys": DISK,
    "pathlib": DISK, "io": DISK, "json": DISK, "csv": DISK, "pickle": DISK, "subprocess": DISK, "sqlite3": DISK,
}  # fmt: skip

REFUSED = {  # builtin -> what to do
    "open": DISK, "print": "what a strategy did is in the journal: give a contribution a name", "input": DISK,
    "eval": "write the expression", "exec": "write the statements", "compile": "write the statements", "__import__": "write import",
    "globals": "declare memory in the class", "locals": "name what you need", "vars": "name what you need", "dir": "name what you need",
    "getattr": "write x.name", "setattr": "write x.name = value", "delattr": "declare memory in the class",
    "hasattr": "declare the attribute in the class", "id": "an address differs from run to run", "type": "take isinstance",
    "hash": "the hash of text differs from run to run", "breakpoint": "a strategy does not wait", "help": "", "exit": "raise an error",
    "quit": "raise an error", "memoryview": "take an array", "object": "", "copyright": "", "credits": "", "license": "",
    "aiter": "a strategy does not wait", "anext": "a strategy does not wait", 
    "BaseException": "take Exception", "SystemExit": "raise ValueError", "KeyboardInterrupt": "raise ValueError",
    "GeneratorExit": "raise ValueError", "__build_class__": "write class", "__loader__": "",
    "__spec__": "", "__debug__": "",
}  # fmt: skip
BUILTINS = frozenset(name for name in dir(builtins) if name not in REFUSED and not name.startswith("_"))

OF_NUMPY = {  # attribute of numpy -> what to do
    "random": DICE, "load": DISK, "save": DISK, "savez": DISK, "savez_compressed": DISK, "loadtxt": DISK, "savetxt": DISK,
    "genfromtxt": DISK, "fromfile": DISK, "fromregex": DISK, "memmap": DISK, "DataSource": DISK,
    "empty": "what is in it differs from run to run: take np.zeros or np.full", "empty_like": "take np.zeros_like or np.full_like",
    "datetime64": CLOCK, "timedelta64": CLOCK, "busday_count": CLOCK, "busday_offset": CLOCK, "is_busday": CLOCK, "busdaycalendar": CLOCK,
    "seterr": "take np.errstate", "seterrcall": "take np.errstate", "setbufsize": "", "set_printoptions": "", "printoptions": "",
    "get_include": "", "show_config": "", "show_runtime": "", "info": "", "test": "", "nested_iters": "", "nditer": "take a loop",
    "from_dlpack": "", "frombuffer": "take np.array", "getbufsize": "", "geterrcall": "", "object_": "take float64",
}  # fmt: skip
NUMPY_PARTS = frozenset({"linalg", "fft"})

ATTRIBUTES = {  # of anything -> what to do
    "tofile": DISK, "dump": DISK, "dumps": DISK, "ctypes": "", "setflags": "copy the array: x.copy()", "mro": "", "f_globals": "",
    "f_back": "",
    "f_locals": "", "f_builtins": "", "f_code": "", "gi_frame": "", "gi_code": "", "cr_frame": "", "ag_frame": "", "tb_frame": "",
    "tb_next": "", "format": "write an f-string", "format_map": "write an f-string",
}  # fmt: skip
DUNDERS = frozenset({  # methods that a class of values may have
    "__init__", "__post_init__", "__len__", "__iter__", "__contains__", "__getitem__", "__eq__", "__lt__", "__le__", "__gt__", "__ge__",
    "__add__", "__sub__", "__mul__", "__truediv__", "__neg__", "__abs__", "__bool__", "__float__", "__int__",
})  # fmt: skip
DECORATORS = frozenset({"dataclass", "dataclasses.dataclass", "property", "staticmethod", "classmethod", "unique", "enum.unique"})
MUTABLE_CALLS = frozenset({"list", "dict", "set", "bytearray", "iter", "map", "filter", "zip", "enumerate", "reversed"})
FIXED_CALLS = frozenset({
    "float", "int", "str", "bool", "tuple", "frozenset", "abs", "min", "max", "round", "sum", "len", "range", "Parameter", "Signal",
    "Target", "TypeVar", "NewType",
})  # fmt: skip


@lru_cache(maxsize=1)
def of_numpy() -> frozenset[str]:
    """The names of numpy that may be used."""
    found = {name for name in dir(np) if not name.startswith("_") and name not in OF_NUMPY}
    return frozenset(name for name in found if name in NUMPY_PARTS or not isinstance(getattr(np, name), ModuleType))


def of_part(part: str) -> frozenset[str]:
    """The names of a part of numpy (`linalg`, `fft`)."""
    whole = getattr(np, part)
    return frozenset(name for name in dir(whole) if not name.startswith("_") and not inspect.ismodule(getattr(whole, name)))
