"""Running Python source, in a sandbox child."""

from __future__ import annotations

import builtins
import sys
import traceback
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO, cast

from qtasks.circuits.errors import CircuitError, line_of, say
from qtasks.circuits.python import imports
from qtasks.circuits.python.finding import find
from qtasks.circuits.python.inspection import Inspection, inspect

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

FILENAME = "<circuit>"
OUTPUT_CHARACTERS = 65536


@dataclass(frozen=True, slots=True)
class Made:
    """What a source made: the circuit, which of the given values one of its functions took, and a note or ""."""

    circuit: QuantumCircuit
    taken: frozenset[str]
    note: str


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


def read(source: str) -> Inspection:
    """Reads a source without running it.

    Raises CircuitError: `InvalidSyntax`, with line, column and the line itself.
    """
    return inspect(source, FILENAME)


def run(source: str, inspected: Inspection, values: Mapping[str, float], output: Output) -> Made:
    """What a Python source makes; see `finding.find` for which object it is. **Only in a sandbox child**: it runs
    whatever stands there, with `__name__` as "__main__", so that a block that asks for it runs as well.

    Raises CircuitError: `ImportUnavailable` (before anything runs, where the import surely would), `SourceError` (it
    raised; with its line), `NoCircuit`, `AmbiguousCircuit`, `MissingArguments`. A MemoryError goes through.
    """
    imports.check(inspected.imports, source)
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    sys.stdout = sys.stderr = cast(TextIO, output)
    try:
        exec(inspected.code, module.__dict__)  # noqa: S102 - this is what the sandbox is for
        return Made(*find(module.__dict__, values, inspected.line_of))
    except (CircuitError, MemoryError):
        raise
    except BaseException as error:
        raise _told(error, source, inspected) from None


def _told(error: BaseException, source: str, inspected: Inspection) -> CircuitError:
    """An exception of the user's code, with the innermost of its own lines that led there."""
    line = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == FILENAME:
            line = number
    if isinstance(error, SystemExit):
        return CircuitError("The source called exit().", reason="SourceError", line=line, text=line_of(source, line))
    if isinstance(error, ImportError):
        return imports.failed(error, source, line)
    hint = next((str(note) for note in inspected.notes if note.line == line), "")
    message = f"{type(error).__name__[:80]}: {say(error)}"
    return CircuitError(message, reason="SourceError", hint=hint, line=line, text=line_of(source, line))
