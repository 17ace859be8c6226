"""Running Python source, in a sandbox child, and finding the circuit in what it leaves behind."""

from __future__ import annotations

import builtins
import sys
import traceback
import types
from typing import TYPE_CHECKING, Any, TextIO, cast

from qtasks.circuits.errors import CircuitError, line_of, say

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

FILENAME = "<circuit>"
OUTPUT_CHARACTERS = 65536

_CHOICE = "Name the one to run `qc` or `circuit`, or return it from a function `circuit()` or `build()`."


class Output:
    """What a source prints, up to a bound; it stands in for sys.stdout and sys.stderr."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, limit: int = OUTPUT_CHARACTERS) -> None:
        self._parts: list[str] = []
        self._left = limit
        self._cut = False

    def write(self, text: str) -> int:
        kept = str(text)[: self._left]
        if kept:
            self._parts.append(kept)
            self._left -= len(kept)
        self._cut = self._cut or len(kept) < len(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False

    def text(self) -> str:
        return "".join(self._parts) + ("\n[cut here]" if self._cut else "")


def run(source: str, output: Output) -> QuantumCircuit:
    """The circuit that a Python source makes: `qc`, else `circuit`, else the only QuantumCircuit among its names, else
    what a function `circuit()` or `build()` returns. **Only in a sandbox child**: it runs whatever stands there.

    Raises CircuitError: `InvalidSyntax`, `SourceError` (it raised; with its line), `NoCircuit`, `AmbiguousCircuit`.
    A MemoryError goes through.
    """
    try:
        code = compile(source, FILENAME, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise CircuitError(
            error.msg or "invalid syntax",
            reason="InvalidSyntax",
            line=error.lineno,
            column=error.offset,
            text=line_of(source, error.lineno),
        ) from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise CircuitError(say(error), reason="InvalidSyntax") from None
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    sys.stdout = sys.stderr = cast(TextIO, output)
    try:
        exec(code, module.__dict__)  # noqa: S102 - this is what the sandbox is for
        return _find(module.__dict__)
    except (CircuitError, MemoryError):
        raise
    except BaseException as error:
        raise _told(error, source) from None


def _find(names: dict[str, Any]) -> QuantumCircuit:
    from qiskit import QuantumCircuit

    for name in ("qc", "circuit"):
        if isinstance(names.get(name), QuantumCircuit):
            return names[name]
    for name in ("circuit", "build"):
        if isinstance(names.get(name), types.FunctionType):
            made = names[name]()
            if isinstance(made, QuantumCircuit):
                return made
            raise CircuitError(
                f"{name}() returned {type(made).__name__[:80]}, not a QuantumCircuit.",
                reason="NoCircuit",
                hint=f"End {name}() with `return qc`.",
            )
    found = {name: value for name, value in list(names.items()) if isinstance(value, QuantumCircuit)}
    if not found:
        raise CircuitError(
            "The source makes no QuantumCircuit.", reason="NoCircuit", hint="Assign the circuit to the name `qc`."
        )
    if len({id(value) for value in found.values()}) > 1:
        raise CircuitError(
            f"The source makes several circuits: {', '.join(sorted(found))}.", reason="AmbiguousCircuit", hint=_CHOICE
        )
    return next(iter(found.values()))


def _told(error: BaseException, source: str) -> CircuitError:
    """An exception of the user's code, with the innermost of its own lines that led there."""
    line = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == FILENAME:
            line = number
    name = type(error).__name__[:80]
    if isinstance(error, SystemExit):
        return CircuitError("The source called exit().", reason="SourceError", line=line, text=line_of(source, line))
    hint = ""
    if isinstance(error, ModuleNotFoundError):
        hint = "The sandbox has Qiskit, NumPy and SciPy."
    return CircuitError(f"{name}: {say(error)}", reason="SourceError", hint=hint, line=line, text=line_of(source, line))
