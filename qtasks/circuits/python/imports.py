"""Imports of a Python source that cannot be had here, found before it runs, with what was probably meant.

Nothing is imported to find out: modules that are loaded are looked at, others are looked for in the file system.
"""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from qtasks.circuits.errors import CircuitError, line_of, say
from qtasks.circuits.python import moved

if TYPE_CHECKING:
    from types import ModuleType

_CATCHING = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))
_NEAR = 0.72
"""Likeness from which a name is suggested (difflib's ratio)."""
_SHOWN = 80
_MISSING_NAME = re.compile(r"cannot import name '([^']*)' from")
Import = ast.Import | ast.ImportFrom


def certain(body: Sequence[ast.stmt]) -> Iterator[Import]:
    """The imports that surely run: at the top level, in `with` and `class`, in `if __name__ == "__main__"`.

    Not those under another condition, in a function or a loop, or in a `try` that catches their failure: what they
    lack is told when they run.
    """
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        elif isinstance(statement, ast.With | ast.ClassDef) or _asks_for_main(statement):
            yield from certain(statement.body)
        elif isinstance(statement, ast.Try) and not any(_catches(handler) for handler in statement.handlers):
            yield from certain([*statement.body, *statement.finalbody])


def check(imports: Sequence[Import], source: str) -> None:
    """Raises CircuitError (`ImportUnavailable`) at the first import that cannot be had."""
    for statement in imports:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                _check_module(alias.name, source, statement.lineno)
        elif statement.level:
            raise _error(
                "A relative import has no package to start from: a source is one file.",
                "Write everything into one file, and import from Qiskit or NumPy by their names.",
                source,
                statement.lineno,
            )
        elif statement.module:
            wanted = f"{statement.module}.{statement.names[0].name}"
            _check_module(statement.module, source, statement.lineno, wanted)
            _check_names(statement.module, [alias.name for alias in statement.names], source, statement.lineno)


def failed(error: ImportError, source: str, line: int | None) -> CircuitError:
    """An import that failed while the source ran, in the words of `check`."""
    name, message = error.name, say(error)
    if isinstance(error, ModuleNotFoundError) and isinstance(name, str) and name:
        return _no_module(name, source, line)
    missing = _MISSING_NAME.match(message)
    if missing and isinstance(name, str) and name in sys.modules:
        return _no_name(name, missing[1], source, line)
    return _error(f"{type(error).__name__[:_SHOWN]}: {message}", "", source, line)


def warm() -> None:
    """Lists what can be imported, so that no child has to, nor may."""
    _modules()


def _check_module(name: str, source: str, line: int, wanted: str = "") -> None:
    # A package that is gone may be installed all the same, for other commands than workers.
    gone = name.partition(".")[0] in moved.GONE
    if gone or (name not in sys.modules and not _exists(name)):
        raise _no_module(name, source, line, wanted)


def _check_names(module_name: str, names: Sequence[str], source: str, line: int) -> None:
    module = sys.modules.get(module_name)
    if module is None:
        return  # it tells when it runs: only importing it could tell now
    known = vars(module)
    for name in names:
        if name == "*" or name in known or f"{module_name}.{name}" in sys.modules:
            continue
        if "__getattr__" in known or _exists(f"{module_name}.{name}"):
            continue
        raise _no_name(module_name, name, source, line)


def _exists(name: str) -> bool:
    """Whether a module can be found, without importing the packages that it is in.

    Packages that are not loaded may make up modules as they are, so only their own name is looked for.
    """
    parent = name.rpartition(".")[0]
    if parent and parent not in sys.modules:
        return _exists(parent)
    try:
        return find_spec(name) is not None
    except (ImportError, OSError, ValueError):
        return False


def _no_module(name: str, source: str, line: int | None, wanted: str = "") -> CircuitError:
    shown = name[:_SHOWN]
    hint = moved.hint(wanted or name)
    if not hint:
        parent = name.rpartition(".")[0]
        choices = _within(parent) if parent and parent in sys.modules else _modules()
        near = difflib.get_close_matches(name, choices, n=1, cutoff=_NEAR)
        hint = f"Nearest: {near[0]}." if near else "The sandbox has Qiskit, NumPy, SciPy and Python's own modules."
    return _error(f"There is no module {shown!r} here.", hint, source, line)


def _no_name(module_name: str, name: str, source: str, line: int | None) -> CircuitError:
    hint = moved.hint(f"{module_name}.{name}")
    if not hint:
        choices = [known for known in vars(sys.modules[module_name]) if not known.startswith("_")]
        near = difflib.get_close_matches(name, choices, n=1, cutoff=_NEAR)
        hint = f"Nearest: {near[0]}." if near else ""
    return _error(f"The module {module_name[:_SHOWN]!r} has no {name[:_SHOWN]!r}.", hint, source, line)


def _error(message: str, hint: str, source: str, line: int | None) -> CircuitError:
    return CircuitError(message, reason="ImportUnavailable", hint=hint, line=line, text=line_of(source, line))


def _within(package: str) -> list[str]:
    module: ModuleType = sys.modules[package]
    names = [name for name in sys.modules if name.startswith(f"{package}.")]
    return names + [f"{package}.{path}" for folder in getattr(module, "__path__", ()) for path in _listed(folder)]


@cache
def _modules() -> tuple[str, ...]:
    """The top-level modules that can be imported here: Python's own, and those on its path."""
    found = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    for folder in sys.path:
        found.update(_listed(folder))
    return tuple(sorted(found))


def _listed(folder: str) -> set[str]:
    """Names of the modules and packages in a folder."""
    try:
        entries = list(Path(folder).iterdir())
        names = {entry.name.partition(".")[0] for entry in entries if entry.suffix in (".py", ".so") or entry.is_dir()}
    except OSError:
        return set()
    return {name for name in names if name.isidentifier() and not name.startswith("_")}


def _asks_for_main(statement: ast.stmt) -> TypeGuard[ast.If]:
    test = statement.test if isinstance(statement, ast.If) else None
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and len(test.ops) == 1
        and isinstance(test.ops[0], ast.Eq)
    )


def _catches(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in _CATCHING) for kind in kinds)
