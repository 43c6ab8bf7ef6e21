"""A function of the corpus, executed with real pandas: what the product must never do and must agree with."""

import ast
import builtins
import contextlib
import importlib
import inspect
import io
import math
import textwrap
import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
COLUMNS = ("factor", "signal", "alpha")


def values(code: str, table: pd.DataFrame) -> Array:
    """float64[bar]: what the function, class or script gives for the frame. Infinite is not known; True is 1."""
    tree = ast.parse(textwrap.dedent(code))
    space: dict[str, Any] = {
        "pd": pd,
        "np": np,
        "math": math,
        "df": table.copy(),
        "__builtins__": vars(builtins) | {"__import__": _imported},
    }
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        exec(compile(tree, "corpus", "exec"), space)  # noqa: S102
        function = _function(tree, space)
        answer = _script(tree, space) if function is None else function(*_arguments(function, table.copy()))
        return _column(answer, table)


class _Absent(types.ModuleType):
    """A module that is not there: anything may be imported from it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absent(f"{self.__name__}.{name}")


def _imported(name: str, *rest: Any) -> Any:
    """Whatever is installed, and an empty module for what is not: models import more than they use."""
    try:
        importlib.import_module(name)
    except ImportError:
        return _Absent(name)
    return builtins.__import__(name, *rest)


def _function(tree: ast.Module, space: dict[str, Any]) -> Callable[..., Any] | None:
    """The last function that no other one calls; without functions, the last such method of the last class."""
    defined = [s for s in tree.body if isinstance(s, ast.FunctionDef)]
    named = {s.name: s for s in defined} | {
        t.id: s
        for s in tree.body
        if isinstance(s, ast.Assign) and isinstance(s.value, ast.Lambda)
        for t in s.targets
        if isinstance(t, ast.Name)
    }
    if named:
        return space[_uncalled(named, lambda n: n.id if isinstance(n, ast.Name) else None)]  # type: ignore[no-any-return]
    classes = [s for s in tree.body if isinstance(s, ast.ClassDef)]
    if not classes:
        return None
    methods = {s.name: s for s in classes[-1].body if isinstance(s, ast.FunctionDef) and not s.name.startswith("__")}
    return getattr(space[classes[-1].name](), _uncalled(methods, lambda n: n.attr if isinstance(n, ast.Attribute) else None))  # type: ignore[no-any-return]


def _uncalled(named: dict[str, Any], reads: Callable[[ast.AST], str | None]) -> str:
    used = {reads(n) for name, part in named.items() for n in ast.walk(part) if reads(n) != name}
    return [name for name in named if name not in used][-1]


def _arguments(function: Callable[..., Any], table: pd.DataFrame) -> list[Any]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds and p.default is p.empty]
    return [table[name] if name in table.columns else table for name in needed]


def _script(tree: ast.Module, space: dict[str, Any]) -> Any:
    last = tree.body[-1]
    assert isinstance(last, ast.Assign | ast.AugAssign | ast.Expr)
    target = last.targets[0] if isinstance(last, ast.Assign) else last.target if isinstance(last, ast.AugAssign) else last.value
    return eval(compile(ast.Expression(ast.parse(ast.unparse(target), mode="eval").body), "corpus", "eval"), space)  # noqa: S307


def _column(answer: Any, table: pd.DataFrame) -> Array:
    if isinstance(answer, pd.DataFrame):
        new = [c for c in answer.columns if c not in table.columns] or list(answer.columns)
        answer = answer[next((c for c in COLUMNS if c in answer.columns), new[-1])]
    if isinstance(answer, pd.Series) and not answer.index.equals(table.index) and isinstance(answer.index, pd.DatetimeIndex):
        answer = answer.reindex(table.index)
    column = np.asarray(answer.to_numpy(np.float64, na_value=np.nan) if isinstance(answer, pd.Series) else answer, np.float64).reshape(-1)
    assert column.shape == (len(table),), f"{column.shape} for {len(table)} bars"
    return np.where(np.isfinite(column), column, np.nan)
